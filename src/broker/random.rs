//! What nobody can guess, and what stands for it where it is kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;

use super::error::{Code, OAuthError};
use crate::clock::Ids;
use crate::secret::Secret;

/// SHA-256.
pub type Hash = [u8; digest::SHA256_OUTPUT_LEN];

/// 256 random bits behind a prefix, in base64url: 43 characters.
pub fn secret(ids: &Ids, prefix: &str) -> Result<Secret, OAuthError> {
    let mut bytes = [0_u8; 32];
    ids.fill(&mut bytes)
        .map_err(|_| OAuthError::new(Code::ServerError, "the system gives no random bytes"))?;
    Ok(Secret::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))))
}

pub fn hash_of(text: &str) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    hash
}

/// The code challenge of a verifier (RFC 7636 §4.2, S256).
pub fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(hash_of(verifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        // RFC 7636, appendix B.
        let challenge = challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_secret_has_256_bits() {
        let one = secret(&Ids::random(), "nma_").unwrap();
        assert_eq!(one.expose().len(), 47);
        assert!(!secret(&Ids::random(), "nma_").unwrap().is(one.expose()));
    }
}
