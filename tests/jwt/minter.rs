//! Signs tokens with keys made for the run, as an issuer would.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    self, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair, RsaPublicKeyComponents,
};
use serde_json::{Value, json};

/// Everyone has this key; it is for tests only.
const RSA_KEY: &[u8] = include_bytes!("../../fixtures/jwt/for-tests-only-rsa-2048.pk8");

pub struct Minter {
    random: SystemRandom,
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    /// The same key as `p256`.
    p256_der: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
    /// A P-256 key that no issuer has.
    stranger: EcdsaKeyPair,
}

impl Minter {
    pub fn new() -> Minter {
        let random = SystemRandom::new();
        let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let p384 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
        let stranger = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let ecdsa = |algorithm, key: &ring::pkcs8::Document| {
            EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap()
        };
        Minter {
            rsa: RsaKeyPair::from_pkcs8(RSA_KEY).unwrap(),
            p256_der: ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING, &p256),
            p256: ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, &p256),
            p384: ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING, &p384),
            stranger: ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, &stranger),
            ed25519: Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).unwrap(),
            random,
        }
    }

    /// The public key called `name`: `rsa`, `es256`, `es384`, `eddsa` or `stranger`.
    pub fn jwk(&self, name: &str) -> Value {
        let ec = |key: &EcdsaKeyPair, crv| {
            let (x, y) = key.public_key().as_ref()[1..].split_at(key.public_key().as_ref().len() / 2);
            json!({"kty": "EC", "crv": crv, "kid": name, "x": base64url(x), "y": base64url(y)})
        };
        match name {
            "rsa" => {
                let public: RsaPublicKeyComponents<Vec<u8>> = self.rsa.public().into();
                json!({"kty": "RSA", "kid": "rsa", "n": base64url(public.n), "e": base64url(public.e)})
            }
            "es256" => ec(&self.p256, "P-256"),
            "es384" => ec(&self.p384, "P-384"),
            "stranger" => ec(&self.stranger, "P-256"),
            "eddsa" => {
                let x = base64url(self.ed25519.public_key().as_ref());
                json!({"kty": "OKP", "crv": "Ed25519", "kid": "eddsa", "x": x})
            }
            other => panic!("no key is called {other}"),
        }
    }

    /// The issuer's key set.
    pub fn jwks(&self) -> Value {
        let keys: Vec<Value> = ["rsa", "es256", "es384", "eddsa"].map(|name| self.jwk(name)).to_vec();
        json!({ "keys": keys })
    }

    /// Signs by an algorithm's name, by `ES256 in DER`, as `stranger`, or by `HMAC` with the public RSA key as secret.
    pub fn sign(&self, by: &str, message: &[u8]) -> Vec<u8> {
        let ecdsa = |key: &EcdsaKeyPair| key.sign(&self.random, message).unwrap().as_ref().to_vec();
        let rsa = |encoding| {
            let mut signature = vec![0; self.rsa.public().modulus_len()];
            self.rsa.sign(encoding, &self.random, message, &mut signature).unwrap();
            signature
        };
        match by {
            "RS256" => rsa(&signature::RSA_PKCS1_SHA256),
            "PS256" => rsa(&signature::RSA_PSS_SHA256),
            "ES256" => ecdsa(&self.p256),
            "ES256 in DER" => ecdsa(&self.p256_der),
            "ES384" => ecdsa(&self.p384),
            "stranger" => ecdsa(&self.stranger),
            "EdDSA" => self.ed25519.sign(message).as_ref().to_vec(),
            "HMAC" => {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, self.rsa.public().as_ref());
                hmac::sign(&secret, message).as_ref().to_vec()
            }
            other => panic!("nobody signs by {other}"),
        }
    }

    /// A compact JWS by the algorithm called `alg`.
    pub fn token(&self, alg: &str, claims: &Value) -> String {
        let header = json!({"typ": "at+jwt", "alg": alg, "kid": kid(alg)});
        let signed = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let signature = base64url(self.sign(alg, signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// What the key for an algorithm is called.
pub fn kid(alg: &str) -> String {
    match alg {
        "RS256" | "PS256" => "rsa".into(),
        _ => alg.to_ascii_lowercase(),
    }
}

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
