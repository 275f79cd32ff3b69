//! Key sets: limits, and numbers that encoders spell in more than one way.

use nextcloud_mcp_server::auth::jwks::{Fault, Jwks};
use nextcloud_mcp_server::auth::jws;
use nextcloud_mcp_server::auth::reason::Reason;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
};
use serde_json::{Value, json};

use crate::minter::{Minter, base64url};
use crate::table::claims;

fn set(keys: &[Value]) -> Result<Jwks, Fault> {
    Jwks::parse(json!({ "keys": keys }).to_string().as_bytes())
}

fn rsa(bits: usize) -> Value {
    let mut n = vec![0xff; bits.div_ceil(8)];
    n[0] >>= n.len() * 8 - bits;
    json!({"kty": "RSA", "n": base64url(n), "e": "AQAB"})
}

#[test]
fn a_coordinate_without_its_leading_zeros_is_the_same_key() {
    let random = SystemRandom::new();
    for (alg, crv, algorithm, size) in [
        ("ES256", "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING, 32),
        ("ES384", "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING, 48),
    ] {
        // One key in 256 has such an x: it is not to be found only once in 10^17 runs.
        let pair = (0..10_000)
            .map(|_| EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap())
            .map(|pkcs8| EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap())
            .find(|pair| pair.public_key().as_ref()[1] == 0)
            .expect("chance");
        let (x, y) = pair.public_key().as_ref()[1..].split_at(size);
        let jwk = |x| set(&[json!({"kty": "EC", "crv": crv, "x": base64url(x), "y": base64url(y)})]).unwrap();
        let short = jwk(&x[1..]);
        assert_eq!((short.len(), &short), (1, &jwk(x)));

        let signed = format!("{}.{}", base64url(json!({ "alg": alg }).to_string()), base64url("payload"));
        let signature = pair.sign(&random, signed.as_bytes()).unwrap();
        let token = format!("{signed}.{}", base64url(signature));
        assert_eq!(jws::verify(&token, &short).as_deref(), Ok(&b"payload"[..]), "{alg}");
    }
}

#[test]
fn rsa_keys_have_2048_to_8192_bits() {
    for (bits, is_kept) in
        [(1024, 0), (2047, 0), (2048, 1), (3072, 1), (4096, 1), (8192, 1), (8193, 0), (16_384, 0)]
    {
        assert_eq!(set(&[rsa(bits)]).unwrap().len(), is_kept, "{bits}");
    }
}

#[test]
fn an_even_modulus_or_exponent_is_no_key() {
    let mut even = vec![0xff; 256];
    even[255] = 0xfe;
    assert!(set(&[json!({"kty": "RSA", "n": base64url(even), "e": "AQAB"})]).unwrap().is_empty());
    let with = |e: &str| json!({"kty": "RSA", "n": rsa(2048)["n"], "e": e});
    for (e, is_kept) in
        [("Aw", 1), ("AAAD", 1), ("AQAA", 0), ("AQ", 0), ("", 0), ("Af____8", 1), ("AgAAAAE", 0)]
    {
        assert_eq!(set(&[with(e)]).unwrap().len(), is_kept, "{e}");
    }
}

#[test]
fn a_set_has_at_most_64_keys_and_256_kilobytes() {
    assert_eq!(set(&vec![rsa(2048); 64]).map(|set| set.len()), Ok(64));
    assert_eq!(set(&vec![rsa(2048); 65]), Err(Fault::TooManyKeys));
    assert_eq!(set(&vec![json!(null); 64]).map(|set| (set.len(), set.skipped())), Ok((0, 64)));
    let padded = |size: usize| format!("{{\"keys\":[]{}}}", " ".repeat(size - 11));
    assert!(Jwks::parse(padded(256 * 1024).as_bytes()).is_ok());
    assert_eq!(Jwks::parse(padded(256 * 1024 + 1).as_bytes()), Err(Fault::TooLarge));
}

#[test]
fn what_is_no_key_set_is_refused_and_odd_keys_are_left_out() {
    for text in
        ["", "[]", "null", "{}", "{\"keys\":null}", "{\"keys\":{}}", "{\"keys\":[],\"keys\":[]}", "<html>"]
    {
        assert_eq!(Jwks::parse(text.as_bytes()), Err(Fault::NotAKeySet), "{text}");
    }
    let odd =
        [json!(1), json!("RSA"), json!([]), json!({}), json!({"kty": 1}), json!({"kty": "RSA"}), rsa(2048)];
    assert_eq!(set(&odd).map(|set| (set.len(), set.skipped())), Ok((1, 6)));
}

#[test]
fn a_token_makes_us_try_at_most_eight_keys() {
    let minter = Minter::new();
    let token = minter.token("ES256", &claims());
    let mut stranger = minter.jwk("stranger");
    stranger["kid"] = "es256".into();
    let verdict = |strangers: usize| {
        let mut keys = vec![stranger.clone(); strangers];
        keys.push(minter.jwk("es256"));
        jws::verify(&token, &set(&keys).unwrap()).map(drop)
    };
    assert_eq!(verdict(7), Ok(()));
    assert_eq!(verdict(8), Err(Reason::BadSignature));
}
