//! Registration against what two versions of Nextcloud's oidc app really answered.

use serde_json::{Value, json};

use super::*;
use crate::auth::discovery;
use crate::auth::discovery::tests::tape::{VERSIONS, answer, html, recorded};

const NOW: Timestamp = Timestamp { unix_ms: 1_795_476_500_000 };

fn wanted() -> Wanted {
    Wanted {
        issuer: "http://localhost:8090".into(),
        redirect_uri: "http://localhost:8000/oauth/callback".into(),
        scopes: vec!["openid".into(), "notes:read".into()],
        token_type: TokenType::Jwt,
        resource: "http://localhost:8000/mcp".into(),
        auth_method: AuthMethod::ClientSecretPost,
    }
}

/// A client with an age and a life, in seconds.
fn client(issued_at_s: u64, expires_at_s: Option<u64>) -> StoredClient {
    let answer = json!({
        "client_id": "id",
        "client_secret": "planted-secret",
        "client_id_issued_at": issued_at_s,
        "client_secret_expires_at": expires_at_s,
    });
    read_json(&answer).expect("a client").client
}

fn read_json(body: &Value) -> Result<Registered, RegistrationError> {
    read(&answer(201, &body.to_string()), &wanted(), NOW)
}

fn error(given: &OutsideResponse) -> RegistrationError {
    read(given, &wanted(), NOW).expect_err("no client")
}

#[test]
fn the_request_has_exactly_these_members() {
    let request = request("http://localhost:8090/apps/oidc/register", &wanted());
    let (media_type, body) = request.body.expect("a body");
    assert_eq!((request.method, media_type), ("POST", "application/json"));
    assert!(request.authorization.is_none());
    let expected = json!({
        "client_name": "Nextcloud MCP Server",
        "redirect_uris": ["http://localhost:8000/oauth/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_post",
        "scope": "openid notes:read",
        "token_type": "jwt",
        "resource_url": "http://localhost:8000/mcp",
    });
    assert_eq!(serde_json::from_str::<Value>(body.expose()).expect("JSON"), expected);
    let opaque = super::request("http://x/", &Wanted { token_type: TokenType::Opaque, ..wanted() });
    assert!(opaque.body.expect("a body").1.expose().contains("\"token_type\":\"opaque\""));
}

#[test]
fn what_is_wanted_follows_from_the_provider_and_the_configuration() {
    let public_url = BaseUrl::parse("https://mcp.example.org/").expect("a URL");
    for (version, issuer) in VERSIONS {
        let metadata = discovery::parse(&recorded(version, "discovery")).expect("metadata");
        let wanted = Wanted::new(&metadata, &public_url, AskedScopes::Offered(Scope::ALL), TokenType::Opaque);
        assert_eq!(wanted.issuer, issuer);
        assert_eq!(wanted.redirect_uri, "https://mcp.example.org/oauth/callback");
        assert_eq!(wanted.resource, "https://mcp.example.org/mcp");
        assert_eq!(wanted.auth_method, AuthMethod::ClientSecretPost);
        let has = |scope: &str| wanted.scopes.iter().any(|s| s == scope);
        assert!(has("openid") && has("profile") && Scope::ALL.iter().all(|s| has(s.name())));
        // 1.6.1 does not know it.
        assert_eq!(has("offline_access"), version == "2.0.9");
        let few = AskedScopes::Configured(&["notes:read".to_owned()]);
        let few = Wanted::new(&metadata, &public_url, few, TokenType::Opaque);
        assert_eq!(few.scopes, ["openid", "notes:read"]);
    }
}

#[test]
fn the_way_to_authenticate_is_one_that_the_provider_has() {
    let choose = |methods: &[&str]| {
        let methods: Vec<String> = methods.iter().map(|m| (*m).to_owned()).collect();
        AuthMethod::choose(Some(&methods))
    };
    assert_eq!(choose(&["client_secret_basic"]), AuthMethod::ClientSecretBasic);
    assert_eq!(choose(&["client_secret_basic", "client_secret_post"]), AuthMethod::ClientSecretPost);
    assert_eq!(AuthMethod::choose(None), AuthMethod::ClientSecretBasic);
}

#[test]
fn both_versions_register_a_client() {
    for (version, _) in VERSIONS {
        for (name, management) in [("dcr-success", true), ("dcr-token-type-jwt", true)] {
            let registered = read(&recorded(version, name), &wanted(), NOW).expect(version);
            let client = registered.client;
            assert_eq!(client.client_id.len(), 64);
            assert!(client.client_secret.is("recorded-client-secret"));
            assert_eq!(client.expires_at_s, Some(client.issued_at_s + 31_536_000));
            assert_eq!(client.management.is_some(), management && version == "2.0.9");
            assert_eq!(needs_new(Some(&client), &wanted(), None, NOW), None);
            assert!(!format!("{client:?}").contains("recorded-"), "no secret in Debug");
        }
    }
    let scopes = |name| read(&recorded("2.0.9", name), &wanted(), NOW).expect(name).missing_scopes;
    assert_eq!(scopes("dcr-success"), ["notes:read"]);
    // 1.6.1 does not say what it granted.
    assert!(
        read(&recorded("1.6.1", "dcr-success"), &wanted(), NOW).expect("1.6.1").missing_scopes.is_empty()
    );
}

#[test]
fn no_expiry_and_zero_mean_never() {
    for body in [
        json!({"client_id": "a", "client_secret": "b", "client_secret_expires_at": 0}),
        json!({"client_id": "a", "client_secret": "b", "client_secret_expires_at": null}),
        json!({"client_id": "a", "client_secret": "b"}),
    ] {
        let client = read_json(&body).expect("a client").client;
        assert_eq!((client.expires_at_s, renew_at_s(&client)), (None, None));
        assert_eq!(client.issued_at_s, NOW.unix_s());
        let much_later = Timestamp { unix_ms: u64::MAX };
        assert_eq!(needs_new(Some(&client), &wanted(), None, much_later), None);
    }
}

#[test]
fn a_client_that_cannot_be_used_is_refused() {
    for (body, why) in [
        (json!({"client_secret": "b"}), "no client_id"),
        (json!({"client_id": "", "client_secret": "b"}), "no client_id"),
        (json!({"client_id": "a"}), "no client_secret"),
        (json!({"client_id": 7, "client_secret": "b"}), "no client information"),
        (json!([]), "no client information"),
        (
            json!({"client_id": "a", "client_secret": "b", "redirect_uris": ["http://evil.example/"]}),
            "another redirect URI",
        ),
        (
            json!({"client_id": "a", "client_secret": "b", "token_endpoint_auth_method": "private_key_jwt"}),
            "token_endpoint_auth_method",
        ),
    ] {
        let error = read_json(&body).expect_err(why);
        assert!(matches!(&error, RegistrationError::Malformed(text) if text.contains(why)), "{error}");
        assert!(!error.to_string().contains("\"b\""));
    }
    assert!(error(&html(200)).to_string().contains("a web page"));
}

#[test]
fn a_refusal_is_said_in_words() {
    use RegistrationError::{Closed, NotOffered, Refused, Status, Throttled};
    let refused = |error: &str, description: &str| Refused {
        error: error.into(),
        description: Some(description.into()),
    };
    for (version, _) in VERSIONS {
        let error = |name| error(&recorded(version, name));
        assert_eq!(
            error("dcr-no-redirect-uris"),
            refused(
                "no_redirect_uris_provided",
                "Dynamic Client Registration requires redirect_uris to be set."
            )
        );
        assert_eq!(error("dcr-disabled"), Closed);
        assert_eq!(error("dcr-redirect-uris-string"), Status(500));
        assert_eq!(error("dcr-rate-limited-429"), Throttled { retry_after_s: None });
    }
    let invalid = error(&recorded("2.0.9", "dcr-bad-resource-url"));
    assert_eq!(
        invalid.to_string(),
        "the provider refused it (invalid_resource_url: Resource URL must be a valid URL (RFC 9728).)"
    );
    assert!(invalid.remedy().contains("NEXTCLOUD_MCP_SERVER_URL"));
    assert!(
        matches!(error(&recorded("2.0.9", "dcr-bad-scope")), Refused { error, .. } if error == "invalid_scope")
    );
    let waiting = OutsideResponse::new(429, [("Retry-After", "17")], "");
    assert_eq!(error(&waiting), Throttled { retry_after_s: Some(17) });
    assert_eq!(error(&answer(401, "")), Closed);
    assert_eq!(error(&html(403)), Closed);
    assert_eq!(error(&html(404)), NotOffered);
    assert_eq!(error(&html(301)), Status(301));
    assert_eq!(error(&html(400)), Status(400));
    let forged = answer(400, "{\"error\":\"a\\nb\",\"error_description\":\"c\\r\\nd\"}");
    assert_eq!(error(&forged), refused("a b", "c  d"));
}

#[test]
fn a_client_serves_while_nothing_has_changed() {
    let now_s = NOW.unix_s();
    let stored = client(now_s, Some(now_s + 3600));
    let needs = |wanted: &Wanted, refused: Option<&str>| needs_new(Some(&stored), wanted, refused, NOW);
    let base = wanted();
    assert_eq!(needs_new(None, &base, None, NOW), Some(Why::NoneKept));
    assert_eq!(needs(&base, None), None);
    assert_eq!(needs(&base, Some("another")), None);
    assert_eq!(needs(&base, Some("id")), Some(Why::Refused));
    let other = |change: fn(&mut Wanted)| {
        let mut wanted = wanted();
        change(&mut wanted);
        needs(&wanted, None)
    };
    assert_eq!(other(|w| w.issuer.push('/')), Some(Why::OtherIssuer));
    assert_eq!(other(|w| w.redirect_uri = "https://x/oauth/callback".into()), Some(Why::OtherRedirectUri));
    assert_eq!(other(|w| w.scopes.push("files:read".into())), Some(Why::OtherScopes));
    assert_eq!(other(|w| drop(w.scopes.pop())), Some(Why::OtherScopes));
    assert_eq!(other(|w| w.scopes.reverse()), None);
    assert_eq!(other(|w| w.token_type = TokenType::Opaque), Some(Why::OtherTokenType));
    assert_eq!(other(|w| w.resource.push('/')), Some(Why::OtherResource));
    assert_eq!(other(|w| w.auth_method = AuthMethod::ClientSecretBasic), None);
}

#[test]
fn a_client_is_replaced_before_it_expires() {
    let start = NOW.unix_s();
    for (life_s, margin_s) in [(3600, 360), (31_536_000, 86_400), (300, 60), (100, 50), (1, 0)] {
        let stored = client(start, Some(start + life_s));
        assert_eq!(renew_at_s(&stored), Some(start + life_s - margin_s));
        let at = |s: u64| needs_new(Some(&stored), &wanted(), None, Timestamp { unix_ms: s * 1000 });
        let at_s = start + life_s;
        assert_eq!(at(start), None, "a new client is never due at once");
        assert_eq!(at(at_s - margin_s - 1).filter(|_| life_s > 1), None);
        if margin_s > 0 {
            assert_eq!(at(at_s - margin_s), Some(Why::ExpiresSoon { at_s }));
            assert_eq!(at(at_s - 1), Some(Why::ExpiresSoon { at_s }));
        }
        assert_eq!(at(at_s), Some(Why::Expired { at_s }));
    }
    // A provider whose clock is behind, or that contradicts itself.
    let odd = client(start, Some(start - 10));
    assert!(matches!(needs_new(Some(&odd), &wanted(), None, NOW), Some(Why::Expired { .. })));
}

#[test]
fn a_registration_is_taken_back_where_the_provider_offers_it() {
    let kept = |version: &str| read(&recorded(version, "dcr-success"), &wanted(), NOW).expect(version).client;
    assert!(deletion(&kept("1.6.1")).is_none());
    let client = kept("2.0.9");
    let request = deletion(&client).expect("offered");
    let uri = format!("http://localhost:8090/apps/oidc/register/{}", client.client_id);
    assert_eq!((request.method, request.url), ("DELETE", uri));
    assert!(request.authorization.expect("a token").is("Bearer recorded-registration-access-token"));
    assert!(is_deleted(&recorded("2.0.9", "registration-delete")));
    assert!(is_deleted(&recorded("2.0.9", "registration-delete-again")));
    assert!(!is_deleted(&html(500)) && !is_deleted(&html(429)) && !is_deleted(&html(403)));
}

#[test]
fn a_management_address_elsewhere_gets_no_token() {
    let mut client = read(&recorded("2.0.9", "dcr-success"), &wanted(), NOW).expect("2.0.9").client;
    for uri in ["https://evil.example/register/a", "http://localhost:8091/register/a", "x"] {
        client.management.as_mut().expect("management").uri = uri.into();
        assert!(deletion(&client).is_none(), "{uri}");
    }
}
