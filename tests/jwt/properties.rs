//! Rules that hold for every token.

use std::sync::LazyLock;

use nextcloud_mcp_server::auth::claims::LEEWAY_S;
use nextcloud_mcp_server::auth::introspection::{self, AudienceRule};
use nextcloud_mcp_server::auth::jwks::Jwks;
use nextcloud_mcp_server::auth::{jwt, userinfo};
use proptest::prelude::*;
use serde_json::json;

use crate::minter::{Minter, base64url};
use crate::table::{NOW_S, claims, expected};

const ALGORITHMS: [&str; 5] = ["RS256", "PS256", "ES256", "ES384", "EdDSA"];

/// One issuer for all cases: reading its RSA key takes longer than a case.
static ISSUER: LazyLock<(Minter, Jwks)> = LazyLock::new(|| {
    let minter = Minter::new();
    let keys = Jwks::parse(minter.jwks().to_string().as_bytes()).unwrap();
    (minter, keys)
});

#[test]
fn a_token_with_any_one_character_changed_is_refused() {
    let (minter, keys) = &*ISSUER;
    for alg in ALGORITHMS {
        let token = minter.token(alg, &claims());
        assert!(jwt::verify(&token, keys, &expected(), NOW_S).is_ok());
        for (at, old) in token.char_indices() {
            // The next letter differs in the last bit, which base64 leaves over at the end of a part.
            let next = if old.is_ascii_alphanumeric() { (old as u8 ^ 1) as char } else { 'A' };
            // ring's ES384 takes fifteen times as long as the others; one change at each place must do.
            let changes = if alg == "ES384" { 1 } else { 4 };
            for new in [next, 'A', '.', '='].into_iter().take(changes).filter(|new| *new != old) {
                let mut changed = token.clone();
                changed.replace_range(at..=at, new.encode_utf8(&mut [0; 4]));
                let verdict = jwt::verify(&changed, keys, &expected(), NOW_S);
                assert!(verdict.is_err(), "{alg}: {old} at {at} became {new}");
            }
        }
    }
}

#[test]
fn a_token_cut_or_lengthened_anywhere_is_refused() {
    let (minter, keys) = &*ISSUER;
    for alg in ["RS256", "ES256", "EdDSA"] {
        let token = minter.token(alg, &claims());
        for at in 0..token.len() {
            let (head, tail) = token.split_at(at);
            for changed in [
                head.to_owned(),
                tail[1..].to_owned(),
                format!("{head}{}", &tail[1..]),
                format!("{head}A{tail}"),
            ] {
                assert!(jwt::verify(&changed, keys, &expected(), NOW_S).is_err(), "{alg} at {at}: {changed}");
            }
        }
        assert!(jwt::verify(&format!("{token}A"), keys, &expected(), NOW_S).is_err());
    }
}

#[test]
fn the_parts_of_two_good_tokens_do_not_mix() {
    let (minter, keys) = &*ISSUER;
    let mut other = claims();
    other["sub"] = json!("bob");
    for alg in ALGORITHMS {
        let (a, b) = (minter.token(alg, &claims()), minter.token(alg, &other));
        let (a, b): (Vec<&str>, Vec<&str>) = (a.split('.').collect(), b.split('.').collect());
        for mixed in [[a[0], b[1], a[2]], [a[0], a[1], b[2]]] {
            assert!(jwt::verify(&mixed.join("."), keys, &expected(), NOW_S).is_err(), "{alg}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_or_is_let_in(text in any::<String>(), base64ish in "[A-Za-z0-9_=.-]{0,200}") {
        let keys = &ISSUER.1;
        prop_assert!(jwt::verify(&text, keys, &expected(), NOW_S).is_err());
        prop_assert!(jwt::verify(&base64ish, keys, &expected(), NOW_S).is_err());
    }

    #[test]
    fn no_bytes_in_a_signed_payload_panic(payload in any::<Vec<u8>>(), header in any::<Vec<u8>>()) {
        let (minter, keys) = &*ISSUER;
        let usual = base64url(br#"{"alg":"EdDSA","kid":"eddsa"}"#);
        for header in [usual, base64url(header)] {
            let signed = format!("{header}.{}", base64url(&payload));
            let token = format!("{signed}.{}", base64url(minter.sign("EdDSA", signed.as_bytes())));
            prop_assert!(jwt::verify(&token, keys, &expected(), NOW_S).is_err());
        }
    }

    #[test]
    fn no_answer_of_a_provider_panics(bytes in any::<Vec<u8>>(), member in "[a-z_]{2,8}", text in "[-0-9a-zA-Z\\[\\]{}\":,.]{0,60}") {
        let like_json = format!("{{\"keys\":[{{\"kty\":\"RSA\",\"{member}\":{text}}}],\"active\":true,\"{member}\":{text}}}");
        for answer in [bytes.as_slice(), like_json.as_bytes()] {
            let _ = Jwks::parse(answer);
            let _ = userinfo::read(answer);
            prop_assert!(introspection::read(answer, &expected(), AudienceRule::Stated, NOW_S).is_err());
        }
    }

    #[test]
    fn a_token_is_good_from_its_beginning_to_its_end_and_no_longer(
        begins in 1_000_000_u64..4_000_000_000, lasts in 1_u64..100_000, at in 0_u64..200_000,
    ) {
        let (minter, keys) = &*ISSUER;
        let mut claims = claims();
        (claims["iat"], claims["nbf"], claims["exp"]) = (json!(begins), json!(begins), json!(begins + lasts));
        let now_s = begins - 50_000 + at;
        let is_good = now_s + LEEWAY_S >= begins && now_s < begins + lasts + LEEWAY_S;
        let verdict = jwt::verify(&minter.token("EdDSA", &claims), keys, &expected(), now_s);
        prop_assert_eq!(verdict.is_ok(), is_good);
    }
}
