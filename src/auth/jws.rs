//! Who signed it: JSON Web Signature in compact form (RFC 7515), by the issuer's published keys.

use serde_json::{Map, Value};

use crate::auth::algorithm::Algorithm;
use crate::auth::json;
use crate::auth::jwks::{Jwk, Jwks};
use crate::auth::reason::Reason;

/// Longest token that we look at.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Most signatures that one token makes us check.
const KEYS_TRIED_MAX: usize = 8;

/// Media types of what we accept (RFC 7519 §5.1, RFC 9068 §2.1), without `application/`.
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// Returns the payload of `token`, after one of `keys` has been found to have made the signature.
///
/// The payload is not looked at before. The header only names an algorithm of ours and a key that we have already: where it
/// brings a key or an address of one (`jwk`, `jku`, `x5c`, `x5u`), that is never used. `crit` and `b64` (RFC 7797) are refused.
pub fn verify(token: &str, keys: &Jwks) -> Result<Vec<u8>, Reason> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Reason::TooLarge);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Reason::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(Reason::Malformed)?;
    let decoded = |part: &str| json::base64url(part).ok_or(Reason::Malformed);
    let (header, payload, signature) = (decoded(header)?, decoded(payload)?, decoded(signature)?);

    let header = Header::read(&json::object(&header).ok_or(Reason::Malformed)?)?;
    let key_made_it = |key: &&Jwk| key.verifies(header.algorithm, signed.as_bytes(), &signature);
    match candidates(&header, keys)?.iter().any(key_made_it) {
        true => Ok(payload),
        // Without a name, it may as well be the signature of a key that we do not know yet.
        false if header.kid.is_none() => Err(Reason::UnknownKey),
        false => Err(Reason::BadSignature),
    }
}

/// What of the header we go by.
struct Header {
    algorithm: Algorithm,
    kid: Option<String>,
}

impl Header {
    fn read(members: &Map<String, Value>) -> Result<Header, Reason> {
        if members.contains_key("crit") || members.contains_key("b64") {
            return Err(Reason::Critical);
        }
        let text = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(Reason::Malformed),
        };
        let algorithm = Algorithm::of_token(text("alg")?.ok_or(Reason::Malformed)?)?;
        if text("typ")?.is_some_and(|name| !is_our_type(name)) {
            return Err(Reason::Type);
        }
        Ok(Header { algorithm, kid: text("kid")?.map(str::to_owned) })
    }
}

/// Media types have no case: Nextcloud's `oidc` app writes `at+JWT`.
fn is_our_type(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TYPES.contains(&name.strip_prefix("application/").unwrap_or(&name))
}

/// The keys to try. Keys that share a `kid` are told apart by the algorithm, and never tried with another.
fn candidates<'a>(header: &'a Header, keys: &'a Jwks) -> Result<Vec<&'a Jwk>, Reason> {
    if keys.is_empty() {
        return Err(Reason::NoKeys);
    }
    let mut called = keys.called(header.kid.as_deref()).peekable();
    if called.peek().is_none() {
        return Err(Reason::UnknownKey);
    }
    let fitting: Vec<&Jwk> = called.filter(|key| key.fits(header.algorithm)).take(KEYS_TRIED_MAX).collect();
    if fitting.is_empty() { Err(Reason::KeyMismatch) } else { Ok(fitting) }
}
