//! The issuer's public keys: JWK Sets (RFC 7517), from a source that may send anything.

use serde_json::{Map, Value};

use crate::auth::algorithm::{Algorithm, PublicKey};
use crate::auth::json;

/// Largest set that we read.
pub const SIZE_BYTES_MAX: usize = 256 * 1024;
/// Most keys in a set, counting those that are no use to us.
pub const KEYS_MAX: usize = 64;

const KID_BYTES_MAX: usize = 512;
/// ring takes exponents of up to 33 bits.
const RSA_EXPONENT_BYTES_MAX: usize = 5;
/// A coordinate loses a leading zero byte with one encoder in use, and gains one with another; lengths further off are of
/// another curve.
const COORDINATE_SHORT_BYTES_MAX: usize = 4;
const COORDINATE_LONG_BYTES_MAX: usize = 1;

/// The keys of a set that can check a signature of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Jwks {
    keys: Vec<Jwk>,
    skipped: usize,
}

/// One key: what it is called, what it may be used for, and the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwk {
    pub kid: Option<String>,
    /// Where the set says so, the only algorithm it may be used with.
    algorithm: Option<Algorithm>,
    key: PublicKey,
}

/// Why a whole set cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// More than 256 kB.
    TooLarge,
    /// More than 64 keys.
    TooManyKeys,
    /// Not a JSON object with an array `keys`.
    NotAKeySet,
}

impl Jwks {
    /// Reads a set. Keys of unknown kinds, for other uses, of unsound form, or with a private part are left out
    /// (RFC 7517 §5), so the result may be empty.
    pub fn parse(bytes: &[u8]) -> Result<Jwks, Fault> {
        if bytes.len() > SIZE_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
        let set = json::object(bytes).ok_or(Fault::NotAKeySet)?;
        let Some(Value::Array(listed)) = set.get("keys") else { return Err(Fault::NotAKeySet) };
        if listed.len() > KEYS_MAX {
            return Err(Fault::TooManyKeys);
        }
        let keys: Vec<Jwk> = listed.iter().filter_map(|key| Jwk::read(key.as_object()?)).collect();
        Ok(Jwks { skipped: listed.len() - keys.len(), keys })
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// How many keys were left out.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// The keys called `kid`, or all if there is no name to go by.
    pub fn called<'a>(&'a self, kid: Option<&'a str>) -> impl Iterator<Item = &'a Jwk> {
        self.keys.iter().filter(move |key| kid.is_none() || key.kid.as_deref() == kid)
    }
}

impl Jwk {
    fn read(jwk: &Map<String, Value>) -> Option<Jwk> {
        let is_for_signatures = jwk.get("use").is_none_or(|r#use| r#use == "sig");
        let may_verify = match jwk.get("key_ops") {
            None => true,
            Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
            Some(_) => false,
        };
        // Whoever reads a published private key can sign with it: such a key proves nothing.
        if !is_for_signatures || !may_verify || jwk.contains_key("d") {
            return None;
        }
        let kid = match jwk.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= KID_BYTES_MAX => Some(kid.clone()),
            Some(_) => return None,
        };
        let algorithm = match jwk.get("alg") {
            None => None,
            Some(name) => Some(Algorithm::named(name.as_str()?)?),
        };
        let key = read_key(jwk)?;
        if algorithm.is_some_and(|algorithm| !key.fits(algorithm)) {
            return None;
        }
        Some(Jwk { kid, algorithm, key })
    }

    /// Whether a token signed by `algorithm` may be checked with this key: `alg`, `kty` and `crv` agree.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.key.fits(algorithm) && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Whether this key made `signature`; never, if the algorithm does not fit.
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.fits(algorithm) && self.key.verifies(algorithm, message, signature)
    }
}

/// The key's own members (RFC 7518 §6.2.1, §6.3.1; RFC 8037 §2).
fn read_key(jwk: &Map<String, Value>) -> Option<PublicKey> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| json::base64url(text(name)?);
    match (text("kty")?, text("crv")) {
        ("RSA", _) => rsa(&bytes("n")?, &bytes("e")?),
        ("EC", Some("P-256")) => Some(PublicKey::P256(point(&bytes("x")?, &bytes("y")?, 32)?)),
        ("EC", Some("P-384")) => Some(PublicKey::P384(point(&bytes("x")?, &bytes("y")?, 48)?)),
        ("OKP", Some("Ed25519")) => bytes("x").filter(|x| x.len() == 32).map(PublicKey::Ed25519),
        _ => None,
    }
}

fn rsa(n: &[u8], e: &[u8]) -> Option<PublicKey> {
    let (n, e) = (without_leading_zeros(n), without_leading_zeros(e));
    let n_bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
    let e_number = e.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let is_sound = (2048..=8192).contains(&n_bits)
        && n.last()? % 2 == 1
        && e.len() <= RSA_EXPONENT_BYTES_MAX
        && (3..1 << 33).contains(&e_number)
        && e_number % 2 == 1;
    is_sound.then(|| PublicKey::Rsa { n: n.to_vec(), e: e.to_vec() })
}

/// `04 ‖ x ‖ y`, each coordinate brought to `size` bytes (SEC 1 §2.3.3).
fn point(x: &[u8], y: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut point = vec![4];
    for coordinate in [x, y] {
        let lengths = size - COORDINATE_SHORT_BYTES_MAX..=size + COORDINATE_LONG_BYTES_MAX;
        let digits = without_leading_zeros(coordinate);
        if !lengths.contains(&coordinate.len()) || digits.len() > size {
            return None;
        }
        point.resize(point.len() + size - digits.len(), 0);
        point.extend_from_slice(digits);
    }
    Some(point)
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    &number[start..]
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Fault::TooLarge => "the key set is larger than 256 kB",
            Fault::TooManyKeys => "the key set has more than 64 keys",
            Fault::NotAKeySet => "the answer is not a JSON Web Key Set (an object with an array `keys`)",
        })
    }
}

impl std::error::Error for Fault {}
