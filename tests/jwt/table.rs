//! The rows of `fixtures/jwt/refused/` and `fixtures/jwt/accepted.json`; the README there says how to read them.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nextcloud_mcp_server::auth::claims::{Claims, Expected, LEEWAY_S};
use nextcloud_mcp_server::auth::jwks::Jwks;
use nextcloud_mcp_server::auth::jwt;
use nextcloud_mcp_server::auth::reason::Reason;
use serde_json::{Map, Value, json};

use crate::minter::{Minter, base64url, kid};

pub const NOW_S: u64 = 1_800_000_000;

pub fn claims() -> Value {
    json!({
        "iss": "https://cloud.example.org",
        "sub": "alice",
        "aud": "https://mcp.example.org/mcp",
        "exp": NOW_S + 600,
        "iat": NOW_S,
        "nbf": NOW_S,
        "client_id": "a-client",
        "scope": "notes:read notes:write",
        "jti": "1",
    })
}

pub fn expected() -> Expected {
    Expected {
        issuers: vec!["https://cloud.example.org".into(), "https://slash.example.org/".into()],
        resources: vec!["https://mcp.example.org/mcp".into(), "https://mcp.example.org".into()],
        audiences: vec!["extra-audience".into()],
        leeway_s: LEEWAY_S,
    }
}

#[test]
fn every_token_of_the_table_is_refused_for_its_reason() {
    let minter = Minter::new();
    let mut tried = 0;
    let mut wrong = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/jwt/refused");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        for row in rows(&path) {
            tried += 1;
            let verdict = Row(&row).verdict(&minter).map_err(Reason::word);
            if verdict.as_ref().err().copied() != row["reason"].as_str() {
                wrong.push(format!("{}: {} gives {verdict:?}", row["rule"], row["reason"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried >= 250, "only {tried} rows were found");
}

#[test]
fn odd_tokens_and_keys_that_are_sound_are_accepted() {
    let minter = Minter::new();
    for row in rows(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/jwt/accepted.json")) {
        let verdict = Row(&row).verdict(&minter);
        assert!(verdict.is_ok(), "{}: {verdict:?}", row["rule"]);
    }
}

#[test]
fn the_claims_are_read_as_the_token_has_them() {
    let minter = Minter::new();
    let keys = Jwks::parse(minter.jwks().to_string().as_bytes()).unwrap();
    let read = |change: Value| {
        let mut claims = claims();
        set(claims.as_object_mut().unwrap(), &change);
        jwt::verify(&minter.token("ES256", &claims), &keys, &expected(), NOW_S).unwrap()
    };
    let words = |list: &[&str]| list.iter().map(|word| word.to_string()).collect::<Vec<_>>();
    let whole = Claims {
        issuer: Some("https://cloud.example.org".into()),
        subject: "alice".into(),
        username: None,
        client: Some("a-client".into()),
        scopes: words(&["notes:read", "notes:write"]),
        expires_s: Some(NOW_S + 600),
        nonce: None,
    };
    assert_eq!(read(json!({})), whole);
    assert_eq!(read(json!({"client_id": null, "azp": "b"})).client.as_deref(), Some("b"));
    assert_eq!(read(json!({"azp": "b"})).client.as_deref(), Some("a-client"));
    assert_eq!(read(json!({"preferred_username": "al"})).username.as_deref(), Some("al"));
    assert_eq!(read(json!({"nonce": "n"})).nonce.as_deref(), Some("n"));
    assert_eq!(read(json!({"exp": 1_800_000_600.9})).expires_s, Some(NOW_S + 600));
    assert_eq!(read(json!({"scope": null})).scopes, words(&[]));
    assert_eq!(read(json!({"scope": ""})).scopes, words(&[]));
    assert_eq!(read(json!({"scope": null, "scopes": ["a", "b"]})).scopes, words(&["a", "b"]));
    assert_eq!(read(json!({"scope": null, "scp": ["a"]})).scopes, words(&["a"]));
    assert_eq!(read(json!({"scope": null, "scp": "a b"})).scopes, words(&["a", "b"]));
    assert_eq!(read(json!({"scp": ["files:write"]})).scopes, whole.scopes, "the first that is there counts");
}

fn rows(path: &Path) -> Vec<Value> {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap())
        .unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

struct Row<'a>(&'a Value);

impl Row<'_> {
    fn verdict(&self, minter: &Minter) -> Result<Claims, Reason> {
        let keys = json!({ "keys": self.keys(minter) });
        let keys = Jwks::parse(keys.to_string().as_bytes()).unwrap();
        let now_s = self.0["now_s"].as_u64().unwrap_or(NOW_S);
        jwt::verify(&self.token(minter), &keys, &expected(), now_s)
    }

    fn token(&self, minter: &Minter) -> String {
        let alg = self.0["alg"].as_str().unwrap_or("ES256");
        let (mut header, mut claims) = (json!({"typ": "at+jwt", "alg": alg, "kid": kid(alg)}), claims());
        set(header.as_object_mut().unwrap(), &self.0["header"]);
        set(claims.as_object_mut().unwrap(), &self.0["claims"]);
        if header["jwk"] == "stranger" {
            header["jwk"] = minter.jwk("stranger");
        }
        let (header, payload) = (self.part("header", &header), self.part("payload", &claims));
        let signed = format!("{header}.{payload}");
        let by = self.0["sign"].as_str().unwrap_or(alg);
        let signature = base64url(self.signature(minter, by, signed.as_bytes()));
        let shape = repeated(self.0["shape"].as_str().unwrap_or("{h}.{p}.{s}"));
        shape.replace("{h}", &header).replace("{p}", &payload).replace("{s}", &signature)
    }

    fn part(&self, name: &str, usual: &Value) -> String {
        match (self.0[format!("{name}_text")].as_str(), self.0[format!("{name}_hex")].as_str()) {
            (Some(text), _) => base64url(repeated(text)),
            (None, Some(hex)) => base64url(bytes(hex)),
            (None, None) => base64url(usual.to_string()),
        }
    }

    fn signature(&self, minter: &Minter, by: &str, message: &[u8]) -> Vec<u8> {
        /// The order of P-256's group.
        const P256_N: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
        let mut signature = minter.sign(by, message);
        let half = signature.len() / 2;
        match self.0["signature"].as_str() {
            None => {}
            Some("empty") => signature.clear(),
            Some("short") => signature.truncate(signature.len() - 1),
            Some("long") => signature.push(0),
            Some("zero in front") => signature.insert(0, 0),
            Some("all zeros") => signature.fill(0),
            Some("all ones") => signature.fill(0xff),
            Some("bit") => signature[half] ^= 1,
            Some("exchanged") => signature.rotate_left(half),
            Some("r = 0") => signature[..half].fill(0),
            Some("s = 0") => signature[half..].fill(0),
            Some("r = n") => signature[..half].copy_from_slice(&bytes(P256_N)),
            Some("s = n") => signature[half..].copy_from_slice(&bytes(P256_N)),
            Some("s + l") => add_order_of_ed25519(&mut signature[half..]),
            Some("der") => signature = minter.sign("ES256 in DER", message),
            Some("of another token") => signature = minter.sign(by, b"another"),
            Some(other) => panic!("{other} is not in the list"),
        }
        signature
    }

    fn keys(&self, minter: &Minter) -> Vec<Value> {
        let Some(listed) = self.0["keys"].as_array() else {
            return minter.jwks()["keys"].as_array().unwrap().clone();
        };
        listed
            .iter()
            .map(|key| {
                let mut jwk = minter.jwk(key.as_str().or(key["of"].as_str()).unwrap());
                for member in key["zeros"].as_array().into_iter().flatten() {
                    let number = &mut jwk[member.as_str().unwrap()];
                    let mut padded = vec![0];
                    padded.extend(URL_SAFE_NO_PAD.decode(number.as_str().unwrap()).unwrap());
                    *number = base64url(padded).into();
                }
                set(jwk.as_object_mut().unwrap(), &key["set"]);
                jwk
            })
            .collect()
    }
}

/// Sets members; `null` takes one away.
fn set(members: &mut Map<String, Value>, changes: &Value) {
    for (name, value) in changes.as_object().into_iter().flatten() {
        match value {
            Value::Null => members.shift_remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
}

/// `a@3b@c` is `abbbc`.
fn repeated(text: &str) -> String {
    let expanded = |(i, piece): (usize, &str)| match i % 2 {
        0 => piece.to_owned(),
        _ => {
            let digits = piece.find(|c: char| !c.is_ascii_digit()).unwrap();
            piece[digits..].repeat(piece[..digits].parse().unwrap())
        }
    };
    text.split('@').enumerate().map(expanded).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// S + L is the same number modulo L; a reader that does not insist on the smaller one knows two spellings of a signature.
fn add_order_of_ed25519(s: &mut [u8]) {
    let mut order = bytes("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed");
    order.reverse();
    let mut carry = 0;
    for (digit, add) in s.iter_mut().zip(order) {
        let sum = u16::from(*digit) + u16::from(add) + carry;
        *digit = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
}
