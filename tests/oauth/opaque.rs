//! Tokens that say nothing themselves: introspection (RFC 7662), and userinfo where that is allowed.

use std::collections::BTreeMap;

use nextcloud_mcp_server::replay::server::{Request, Response};
use serde_json::{Value, json};

use crate::provider::{NEVER_S, Provider, SECRET, json_answer};
use crate::site::Site;
use crate::wire::answer;

/// The fields of a form. The values that are looked at here need no decoding.
fn form(request: &Request) -> BTreeMap<String, String> {
    let text = String::from_utf8(request.body.clone()).expect("text");
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Knows a few tokens by name.
fn introspection(request: &Request) -> Option<Response> {
    if request.target != "/apps/oidc/introspect" {
        return None;
    }
    let form = form(request);
    let good = json!({"active": true, "sub": "alice", "scope": "openid notes:read", "exp": NEVER_S,
        "client_id": "a-client", "aud": "http://localhost:8000/mcp"});
    let other = |name: &str, value: Value| {
        let mut other = good.clone();
        other[name] = value;
        json_answer(200, &other)
    };
    Some(match form.get("token").map_or("", String::as_str) {
        "good-token" => json_answer(200, &good),
        "token-of-another" => other("aud", "https://other.example/mcp".into()),
        "expired-token" => other("exp", 1_000_003_600.into()),
        "down" => answer(502, "text/html", "<html>Bad Gateway</html>"),
        "odd" => answer(200, "text/html", "<html>Log in</html>"),
        _ => json_answer(200, &json!({"active": false})),
    })
}

#[test]
fn a_token_is_what_the_provider_says_of_it() {
    let provider = Provider::but(introspection);
    let running = Site::new(&provider).ready();
    let tools = running.tools("good-token");
    assert!(tools.iter().any(|name| name == "nc_notes_get_note"), "{tools:?}");
    assert!(!tools.iter().any(|name| name == "nc_notes_create_note"), "{tools:?}");
    for token in ["revoked-token", "token-of-another", "expired-token"] {
        let answer = running.list(token);
        assert_eq!(answer.status, 401, "{token}: {}", answer.whole);
        let challenge = answer.header("WWW-Authenticate").expect("a challenge");
        assert!(challenge.starts_with("Bearer error=\"invalid_token\", resource_metadata="), "{challenge}");
    }
    running.stopped();
}

#[test]
fn the_provider_is_asked_once_by_our_client_with_its_secret_in_the_body() {
    let provider = Provider::but(introspection);
    let running = Site::new(&provider).ready();
    for _ in 0..3 {
        assert_eq!(running.list("good-token").status, 200);
        assert_eq!(running.list("revoked-token").status, 401);
    }
    let asked = provider.asked("/introspect");
    assert_eq!(asked.len(), 2, "both verdicts are remembered");
    let form = form(&asked[0]);
    let field = |name: &str| form.get(name).map(String::as_str);
    assert_eq!((field("token"), field("token_type_hint")), (Some("good-token"), Some("access_token")));
    assert_eq!(field("client_secret"), Some(SECRET));
    assert!(field("client_id").is_some_and(|id| id.starts_with("PySehoT9qX2es8v0")));
    assert!(asked.iter().all(|request| !request.target.contains('?')));
    running.stopped();
}

#[test]
fn a_provider_that_is_down_is_a_503_and_nothing_is_remembered() {
    let provider = Provider::but(introspection);
    let running = Site::new(&provider).ready();
    for token in ["down", "odd", "down"] {
        let answer = running.list(token);
        assert_eq!(answer.status, 503, "{}", answer.whole);
        assert_eq!(answer.header("Retry-After"), Some("5".into()));
        assert_eq!(answer.header("WWW-Authenticate"), None);
    }
    assert_eq!(provider.asked("/introspect").len(), 3);
    running.stopped();
}

/// A provider without introspection whose userinfo knows one token.
fn only_userinfo() -> Provider {
    let without = |document: &mut Value| {
        document.as_object_mut().expect("a document").remove("introspection_endpoint");
    };
    Provider::with(without, |request| {
        (request.target == "/apps/oidc/userinfo").then(|| match request.header("Authorization") {
            Some("Bearer good-token") => json_answer(200, &json!({"sub": "alice"})),
            _ => json_answer(400, &json!({"error": "invalid_request"})),
        })
    })
}

#[test]
fn userinfo_vouches_for_nobody_unless_switched_on() {
    let provider = only_userinfo();
    let running = Site::new(&provider).ready();
    assert_eq!(running.list("good-token").status, 401);
    assert!(provider.asked("/userinfo").is_empty());
    running.stopped();
}

#[test]
fn userinfo_vouches_for_tokens_where_the_operator_allows_it() {
    let provider = only_userinfo();
    let mut running = Site::new(&provider).with("OIDC_USERINFO_VALIDATION", "true").ready();
    assert_eq!(running.list("good-token").status, 200);
    running.wait_for("Token validation via userinfo endpoint");
    assert_eq!(running.list("other-token").status, 401);
    // A JWT is judged by its signature alone.
    let foreign = provider.token("RS256", &json!({"aud": "https://other.example"}));
    assert_eq!(running.list(&foreign).status, 401);
    assert_eq!(provider.asked("/userinfo").len(), 2);
    running.stopped();
}

#[test]
fn a_client_that_is_refused_is_replaced_once() {
    let provider = Provider::but(|request| {
        let introspection = request.target == "/apps/oidc/introspect";
        let old = String::from_utf8_lossy(&request.body).contains("PySehoT9qX2es8v0");
        match introspection && old {
            true => Some(json_answer(401, &json!({"error": "invalid_client"}))),
            false => self::introspection(request),
        }
    });
    let mut running = Site::new(&provider).ready();
    assert_eq!(running.list("good-token").status, 503);
    running.wait_for("OAuth client ready: nMI2ybRbtBmJARwb...");
    running.stopped();
    assert_eq!(provider.registrations().len(), 2);
}
