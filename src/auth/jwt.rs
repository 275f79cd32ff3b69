//! JSON Web Tokens as bearers (RFC 7519, RFC 9068, RFC 8725).

use crate::auth::claims::{Claims, Expected, Members};
use crate::auth::json;
use crate::auth::jwks::Jwks;
use crate::auth::jws;
use crate::auth::reason::Reason;

/// Whether a token has the outer form of a JWT, so that it is judged as one and by nothing else.
pub fn is_jwt(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// Checks a token against the issuer's keys and what we expect, and returns what it says.
///
/// First the signature ([`jws::verify`]), then `iss`, `aud`, `exp`, `nbf`, `iat`, `sub`; the first fault is the reason. A token that
/// fails here is refused for good: its issuer is not asked about it. `now_s` is in seconds since 1970.
pub fn verify(token: &str, keys: &Jwks, expected: &Expected, now_s: u64) -> Result<Claims, Reason> {
    let payload = jws::verify(token, keys)?;
    let payload = json::object(&payload).ok_or(Reason::Malformed)?;
    let members = Members(&payload);

    let issuer = members.issuer(expected)?.ok_or(Reason::BadIssuer)?;
    if !members.audiences()?.into_iter().any(|audience| expected.is_audience(audience)) {
        return Err(Reason::BadAudience);
    }
    let expires_s = members.lifetime(now_s, expected.leeway_s)?.ok_or(Reason::Malformed)?;
    Ok(Claims {
        issuer: Some(issuer),
        subject: members.subject(&["sub"])?,
        username: members.first_text(&["preferred_username", "username"])?,
        client: members.first_text(&["client_id", "azp"])?,
        scopes: members.scopes()?,
        expires_s: Some(expires_s),
        nonce: members.first_text(&["nonce"])?,
    })
}
