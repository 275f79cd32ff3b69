//! Tokens and answers of two real versions of Nextcloud's `oidc` app.

use nextcloud_mcp_server::auth::claims::{Expected, LEEWAY_S};
use nextcloud_mcp_server::auth::introspection::{self, AudienceRule};
use nextcloud_mcp_server::auth::jwks::Jwks;
use nextcloud_mcp_server::auth::reason::Reason;
use nextcloud_mcp_server::auth::{jwt, userinfo};
use serde_json::Value;

/// Shortly after the recordings were made.
const NOW_S: u64 = 1_795_476_640;

struct Provider(Value);

impl Provider {
    fn recorded(version: &str) -> Provider {
        let all: Value = serde_json::from_str(include_str!("../../fixtures/jwt/recorded.json")).unwrap();
        let mut providers = all["providers"].as_array().unwrap().iter();
        Provider(providers.find(|provider| provider["version"] == version).expect("recorded").clone())
    }

    fn keys(&self) -> Jwks {
        Jwks::parse(self.0["jwks"].to_string().as_bytes()).unwrap()
    }

    fn token(&self, exchange: &str, kind: &str) -> &str {
        self.0["tokens"][exchange][kind].as_str().expect(exchange)
    }

    fn answer(&self, endpoint: &str, exchange: &str) -> &[u8] {
        self.0[endpoint][exchange].as_str().expect(exchange).as_bytes()
    }
}

fn expected(issuer: &str, resource: &str, audiences: &[&str]) -> Expected {
    Expected {
        issuers: vec![issuer.into()],
        resources: vec![resource.into()],
        audiences: audiences.iter().map(|audience| audience.to_string()).collect(),
        leeway_s: LEEWAY_S,
    }
}

#[test]
fn tokens_of_both_versions_for_our_resource_are_accepted() {
    for (version, issuer, scopes) in
        [("1.6.1", "http://localhost:8080", 5), ("2.0.9", "http://localhost:8090", 6)]
    {
        let provider = Provider::recorded(version);
        let token = provider.token("token-success-jwt-with-resource", "access_token");
        let ours = expected(issuer, "http://localhost:8000", &[]);
        let claims = jwt::verify(token, &provider.keys(), &ours, NOW_S).unwrap();
        assert_eq!((claims.subject.as_str(), claims.scopes.len()), ("alice", scopes), "{version}");
        assert!(claims.client.is_some_and(|client| client.len() == 64));

        let verdict = |expected, now_s| jwt::verify(token, &provider.keys(), &expected, now_s).unwrap_err();
        assert_eq!(verdict(ours.clone(), NOW_S + 3600 + LEEWAY_S), Reason::Expired);
        assert_eq!(verdict(ours, NOW_S - 1000), Reason::NotYetValid);
        assert_eq!(verdict(expected(issuer, "http://localhost:8001", &[]), NOW_S), Reason::BadAudience);
        let slash = format!("{issuer}/");
        assert_eq!(verdict(expected(&slash, "http://localhost:8000", &[]), NOW_S), Reason::BadIssuer);
    }
}

#[test]
fn a_jwt_is_told_from_an_opaque_token_by_its_form() {
    let provider = Provider::recorded("1.6.1");
    assert!(jwt::is_jwt(provider.token("token-success-jwt", "access_token")));
    assert!(jwt::is_jwt("not.good.enough"), "it is refused as one, and not asked about");
    for opaque in ["", "KhSTJCSNGfpu4w3IgamZb8SpoxHRDho2", "ory_at_abc.def", "encrypted.has.five.parts.here"]
    {
        assert!(!jwt::is_jwt(opaque), "{opaque}");
    }
}

#[test]
fn tokens_for_someone_else_are_refused() {
    let provider = Provider::recorded("1.6.1");
    let ours = expected("http://localhost:8080", "http://localhost:8000", &[]);
    let verdict =
        |kind| jwt::verify(provider.token("token-success-jwt", kind), &provider.keys(), &ours, NOW_S);
    assert_eq!(verdict("access_token"), Err(Reason::BadAudience), "for https://rs.local/");
    assert_eq!(verdict("id_token"), Err(Reason::BadAudience), "for the client that asked");
    let theirs = expected("http://localhost:8080", "https://rs.local", &[]);
    let token = provider.token("token-success-jwt", "access_token");
    assert!(jwt::verify(token, &provider.keys(), &theirs, NOW_S).is_ok(), "a slash is forgiven");
}

#[test]
fn the_keys_of_another_server_do_not_verify_a_token() {
    let (provider, other) = (Provider::recorded("1.6.1"), Provider::recorded("2.0.9"));
    let ours = expected("http://localhost:8080", "http://localhost:8000", &[]);
    let token = provider.token("token-success-jwt-with-resource", "access_token");
    assert_eq!(jwt::verify(token, &other.keys(), &ours, NOW_S), Err(Reason::UnknownKey));
}

#[test]
fn an_id_token_tells_its_nonce_to_the_client_it_is_for() {
    let provider = Provider::recorded("2.0.9");
    let client = "7i2QjnAdebwHKIST7W8JSn4SRLOv3t72iBqXuhnpT0KkNrCtKobyC2ZSIfbzDm6l";
    let ours = expected("http://localhost:8090", "http://localhost:8000", &[client]);
    let token = provider.token("token-success-jwt", "id_token");
    let claims = jwt::verify(token, &provider.keys(), &ours, NOW_S).unwrap();
    assert_eq!((claims.nonce.as_deref(), claims.client.as_deref()), (Some("nonce-xyz"), Some(client)));
}

#[test]
fn introspection_of_our_own_token_is_accepted_by_our_client_id_or_by_the_providers_rule() {
    let provider = Provider::recorded("2.0.9");
    let client = "Ag4StL7NUcEHD6nCKLwwFqVpZHHJSjioLXXfETrBdOYcAjL1BXkswVblunUTUdZT";
    for exchange in ["introspect-own-opaque", "introspect-basic-auth"] {
        let read = |audiences: &[&str], rule, now_s| {
            let ours = expected("http://localhost:8090", "http://localhost:8000", audiences);
            introspection::read(provider.answer("introspection", exchange), &ours, rule, now_s)
        };
        let claims = read(&[client], AudienceRule::Stated, NOW_S).unwrap();
        assert_eq!((claims.subject.as_str(), claims.expires_s), ("alice", Some(1_795_483_826)));
        assert_eq!(claims.client.as_deref(), Some(client));
        assert!(claims.scopes.contains(&"offline_access".to_owned()));
        assert_eq!(read(&[], AudienceRule::Stated, NOW_S), Err(Reason::BadAudience));
        assert!(read(&[], AudienceRule::ImpliedByActive, NOW_S).is_ok());
        assert_eq!(read(&[client], AudienceRule::Stated, 1_795_483_886), Err(Reason::Expired));
    }
}

#[test]
fn what_the_provider_calls_inactive_or_does_not_answer_is_refused() {
    let provider = Provider::recorded("2.0.9");
    let ours = expected("http://localhost:8090", "http://localhost:8000", &[]);
    let read = |exchange| {
        let answer = provider.answer("introspection", exchange);
        introspection::read(answer, &ours, AudienceRule::ImpliedByActive, NOW_S)
    };
    for exchange in ["introspect-other-clients-token", "introspect-refresh-token", "introspect-expired"] {
        assert_eq!(read(exchange), Err(Reason::Inactive), "{exchange}");
    }
    for exchange in ["introspect-empty-token", "introspect-bad-secret"] {
        assert_eq!(read(exchange), Err(Reason::Unreachable), "{exchange}");
    }
}

#[test]
fn odd_introspection_answers_let_nobody_in() {
    let ours = expected("https://i", "https://r", &[]);
    let read = |answer: &str, rule| introspection::read(answer.as_bytes(), &ours, rule, 1000);
    for (answer, reason) in [
        (r#"{"active":"true","sub":"a","aud":"https://r"}"#, Reason::Unreachable),
        (r#"{"active":1,"sub":"a","aud":"https://r"}"#, Reason::Unreachable),
        (r#"{"active":null}"#, Reason::Unreachable),
        (r#"{"active":false,"active":true,"sub":"a","aud":"https://r"}"#, Reason::Unreachable),
        (r#"{"sub":"a","aud":"https://r"}"#, Reason::Unreachable),
        (r#"[{"active":true}]"#, Reason::Unreachable),
        ("<!DOCTYPE html>", Reason::Unreachable),
        ("", Reason::Unreachable),
        (r#"{"active":true,"sub":"a"}"#, Reason::BadAudience),
        (r#"{"active":true,"sub":"a","aud":[]}"#, Reason::BadAudience),
        (r#"{"active":true,"sub":"a","aud":"c"}"#, Reason::BadAudience),
        (r#"{"active":true,"sub":"a","aud":["c","x"],"client_id":"c"}"#, Reason::BadAudience),
        (r#"{"active":true,"sub":"a","aud":"https://r","iss":"https://other"}"#, Reason::BadIssuer),
        (r#"{"active":true,"sub":"a","aud":"https://r","exp":940}"#, Reason::Expired),
        (r#"{"active":true,"sub":"a","aud":"https://r","exp":"2000"}"#, Reason::Malformed),
        (r#"{"active":true,"sub":"a","aud":"https://r","nbf":2000}"#, Reason::NotYetValid),
        (r#"{"active":true,"aud":"https://r"}"#, Reason::Malformed),
        (r#"{"active":true,"sub":"","username":"a","aud":"https://r"}"#, Reason::Malformed),
        (r#"{"active":true,"sub":"a","aud":"https://r","token_type":"refresh_token"}"#, Reason::Type),
        (r#"{"active":true,"sub":"a","aud":"https://r","token_use":"refresh_token"}"#, Reason::Type),
    ] {
        for rule in [AudienceRule::Stated, AudienceRule::ImpliedByActive] {
            assert_eq!(read(answer, rule), Err(reason), "{answer}");
        }
    }
    let named = read(
        r#"{"active":true,"username":"a","aud":["x","https://r/"],"iss":"https://i"}"#,
        AudienceRule::Stated,
    );
    assert_eq!(named.map(|claims| (claims.subject, claims.expires_s)), Ok(("a".into(), None)));
    let large = format!(r#"{{"active":true,"sub":"a","aud":"https://r","x":"{}"}}"#, "x".repeat(64 * 1024));
    assert_eq!(read(&large, AudienceRule::Stated), Err(Reason::Unreachable));
}

#[test]
fn userinfo_tells_whose_token_it_is() {
    let old = userinfo::read(Provider::recorded("1.6.1").answer("userinfo", "userinfo-opaque")).unwrap();
    assert_eq!((old.subject.as_str(), old.scopes.len(), old.expires_s), ("alice", 0, None));
    let provider = Provider::recorded("2.0.9");
    let new = userinfo::read(provider.answer("userinfo", "userinfo-opaque")).unwrap();
    assert_eq!((new.subject.as_str(), new.scopes.len()), ("alice", 6));
    assert!(userinfo::read(provider.answer("userinfo", "userinfo-bad-token")).is_err());
    for (answer, reason) in [
        ("{}", Reason::Malformed),
        (r#"{"sub":1}"#, Reason::Malformed),
        ("eyJhbGciOiJSUzI1NiJ9.e30.AA", Reason::Unreachable),
    ] {
        assert_eq!(userinfo::read(answer.as_bytes()), Err(reason), "{answer}");
    }
}
