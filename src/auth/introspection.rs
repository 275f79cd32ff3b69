//! What the provider says of an opaque token (RFC 7662).

use crate::auth::claims::{Claims, Expected, Members};
use crate::auth::json;
use crate::auth::reason::Reason;

/// Largest answer that we read.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// How we know that an active token is meant for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudienceRule {
    /// The answer must name one of our audiences.
    Stated,
    /// Also good if `aud` only repeats the `client_id` of the answer. For a provider that calls a token active only to the
    /// client it is meant for, as Nextcloud's `oidc` app does; with any other this would let everyone's tokens in.
    ImpliedByActive,
}

/// Reads the body of a 200 answer to an introspection request. `now_s` is in seconds since 1970.
///
/// `active` must be `true` itself. What the answer says besides must hold: `iss`, `exp`, `nbf` and `iat` where they are there, `aud` by
/// `rule`. An answer that is no introspection answer is [`Reason::Unreachable`]: it says nothing about the token.
pub fn read(body: &[u8], expected: &Expected, rule: AudienceRule, now_s: u64) -> Result<Claims, Reason> {
    if body.len() > ANSWER_BYTES_MAX {
        return Err(Reason::Unreachable);
    }
    let answer = json::object(body).ok_or(Reason::Unreachable)?;
    match answer.get("active").map(|active| active.as_bool()) {
        Some(Some(true)) => {}
        Some(Some(false)) => return Err(Reason::Inactive),
        _ => return Err(Reason::Unreachable),
    }
    let members = Members(&answer);
    // A refresh token is active too, but it is no bearer.
    for name in ["token_type", "token_use"] {
        if members.text(name)?.is_some_and(|kind| kind.eq_ignore_ascii_case("refresh_token")) {
            return Err(Reason::Type);
        }
    }
    let issuer = members.issuer(expected)?;
    let client = members.first_text(&["client_id", "azp"])?;
    let audiences = members.audiences()?;
    let repeats_client =
        !audiences.is_empty() && audiences.iter().all(|audience| Some(*audience) == client.as_deref());
    let is_ours = audiences.iter().any(|audience| expected.is_audience(audience))
        || (rule == AudienceRule::ImpliedByActive && repeats_client);
    if !is_ours {
        return Err(Reason::BadAudience);
    }
    Ok(Claims {
        issuer,
        expires_s: members.lifetime(now_s, expected.leeway_s)?,
        subject: members.subject(&["sub", "username"])?,
        username: members.first_text(&["username", "preferred_username"])?,
        client,
        scopes: members.scopes()?,
        nonce: None,
    })
}
