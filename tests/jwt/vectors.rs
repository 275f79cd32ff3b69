//! The examples that the RFCs print.

use nextcloud_mcp_server::auth::jwks::Jwks;
use nextcloud_mcp_server::auth::{jws, reason::Reason};
use serde_json::{Value, json};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../fixtures/jwt/vectors.json")).unwrap()
}

fn keys(keys: &[Value]) -> Jwks {
    Jwks::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

#[test]
fn the_signatures_of_rfc_7515_and_rfc_8037_verify() {
    for vector in vectors()["signatures"].as_array().unwrap() {
        let payload = jws::verify(vector["token"].as_str().unwrap(), &keys(&[vector["jwk"].clone()]));
        assert_eq!(
            payload.as_deref(),
            Ok(vector["payload"].as_str().unwrap().as_bytes()),
            "{}",
            vector["source"]
        );
    }
}

#[test]
fn no_signature_verifies_with_the_key_of_another_example() {
    let vectors = vectors();
    let all = vectors["signatures"].as_array().unwrap();
    for (i, vector) in all.iter().enumerate() {
        let others: Vec<Value> =
            all.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, v)| v["jwk"].clone()).collect();
        let verdict = jws::verify(vector["token"].as_str().unwrap(), &keys(&others));
        assert_eq!(verdict, Err(Reason::KeyMismatch), "{}", vector["source"]);
    }
}

#[test]
fn examples_with_algorithms_that_are_not_ours_are_refused() {
    let vectors = vectors();
    let keys = keys(&[vectors["signatures"][0]["jwk"].clone(), vectors["signatures"][1]["jwk"].clone()]);
    for vector in vectors["refused"].as_array().unwrap() {
        let verdict = jws::verify(vector["token"].as_str().unwrap(), &keys);
        assert_eq!(verdict.map_err(Reason::word).err(), vector["reason"].as_str(), "{}", vector["source"]);
    }
}

#[test]
fn of_the_key_set_of_rfc_7517_the_key_for_signatures_is_kept() {
    let set = Jwks::parse(vectors()["jwks"].to_string().as_bytes()).unwrap();
    assert_eq!((set.len(), set.skipped()), (1, 1));
    assert_eq!(set.called(None).next().and_then(|key| key.kid.as_deref()), Some("2011-04-29"));
}
