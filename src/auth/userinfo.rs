//! Whose token it is, by the userinfo endpoint (OpenID Connect Core §5.3). It knows no audience: any token of the user is good.

use crate::auth::claims::{Claims, Members};
use crate::auth::introspection::ANSWER_BYTES_MAX;
use crate::auth::json;
use crate::auth::reason::Reason;

/// Reads the body of a 200 answer. `sub` is required. Scopes are there only if the provider adds `scope`, as the `oidc` app does
/// from 2.0 on; without, the list is empty. An answer of another form is [`Reason::Unreachable`].
pub fn read(body: &[u8]) -> Result<Claims, Reason> {
    if body.len() > ANSWER_BYTES_MAX {
        return Err(Reason::Unreachable);
    }
    let answer = json::object(body).ok_or(Reason::Unreachable)?;
    let members = Members(&answer);
    Ok(Claims {
        issuer: None,
        subject: members.subject(&["sub"])?,
        username: members.first_text(&["preferred_username"])?,
        client: None,
        scopes: members.scopes()?,
        expires_s: None,
        nonce: None,
    })
}
