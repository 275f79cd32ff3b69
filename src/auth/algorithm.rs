//! The signature algorithms we accept (RFC 7518 §3.1, RFC 8037 §3.1), and the keys they go with.

use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};

use crate::auth::reason::Reason;

/// A public-key signature algorithm. What is not here (`none`, the HMACs, SHA-1, RS384 …) cannot be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    Es384,
    /// With Ed25519 only.
    EdDsa,
}

impl Algorithm {
    /// Reads an `alg` name; names are case-sensitive. `None` for every other algorithm.
    pub fn named(name: &str) -> Option<Algorithm> {
        Some(match name {
            "RS256" => Algorithm::Rs256,
            "PS256" => Algorithm::Ps256,
            "ES256" => Algorithm::Es256,
            "ES384" => Algorithm::Es384,
            // RFC 9864 §2.2 gives Ed25519 a name of its own.
            "EdDSA" | "Ed25519" => Algorithm::EdDsa,
            _ => return None,
        })
    }

    /// Reads the `alg` of a token; the error says what is wrong with others.
    pub fn of_token(name: &str) -> Result<Algorithm, Reason> {
        Algorithm::named(name).ok_or_else(|| {
            if name.trim().eq_ignore_ascii_case("none") || name.is_empty() {
                Reason::Unsigned
            } else if name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("HS")) {
                Reason::Symmetric
            } else {
                Reason::Algorithm
            }
        })
    }
}

/// A public key whose parts have been checked for form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// Big-endian, without leading zeros; `n` has 2048 to 8192 bits.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// `04 ‖ x ‖ y`.
    P256(Vec<u8>),
    /// `04 ‖ x ‖ y`.
    P384(Vec<u8>),
    /// 32 bytes.
    Ed25519(Vec<u8>),
}

impl PublicKey {
    /// Whether this kind of key, and this curve, is the one that `algorithm` works with.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        matches!(
            (algorithm, self),
            (Algorithm::Rs256 | Algorithm::Ps256, PublicKey::Rsa { .. })
                | (Algorithm::Es256, PublicKey::P256(_))
                | (Algorithm::Es384, PublicKey::P384(_))
                | (Algorithm::EdDsa, PublicKey::Ed25519(_))
        )
    }

    /// Whether this key made `signature` over `message` by `algorithm`; never, if they do not fit. A point that is not on
    /// its curve makes no signature.
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let ring_says = match (algorithm, self) {
            (Algorithm::Rs256, PublicKey::Rsa { n, e }) => RsaPublicKeyComponents { n, e }.verify(
                &signature::RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
            (Algorithm::Ps256, PublicKey::Rsa { n, e }) => RsaPublicKeyComponents { n, e }.verify(
                &signature::RSA_PSS_2048_8192_SHA256,
                message,
                signature,
            ),
            (Algorithm::Es256, PublicKey::P256(point)) => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            (Algorithm::Es384, PublicKey::P384(point)) => {
                UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point).verify(message, signature)
            }
            (Algorithm::EdDsa, PublicKey::Ed25519(x)) => {
                UnparsedPublicKey::new(&signature::ED25519, x).verify(message, signature)
            }
            _ => return false,
        };
        ring_says.is_ok()
    }
}
