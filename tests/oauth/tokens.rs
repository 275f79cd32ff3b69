//! JWTs of the provider: who is let in, with which tools, and what the others are told.

use serde_json::{Value, json};

use crate::minter::base64url;
use crate::provider::Provider;
use crate::site::Site;
use crate::wire::{call, post};

const METADATA: &str = "resource_metadata=\"http://localhost:8000/.well-known/oauth-protected-resource/mcp\"";
const SCOPES: &str = "scope=\"notes:read notes:write files:read files:write\"";

#[test]
fn a_token_shows_the_tools_that_its_scopes_allow() {
    let provider = Provider::new();
    let running = Site::new(&provider).ready();
    let tools = |alg, scope: &str| running.tools(&provider.token(alg, &json!({"scope": scope})));
    let of = |tools: &[String], app: &str| tools.iter().any(|name| name.contains(app));
    let all = tools("RS256", "notes:read notes:write files:read files:write");
    let notes = tools("ES256", "openid notes.read");
    let none = tools("EdDSA", "openid profile");
    assert!(of(&all, "create_note") && of(&all, "webdav"), "{all:?}");
    assert!(of(&notes, "get_note") && !of(&notes, "create_note") && !of(&notes, "webdav"), "{notes:?}");
    assert!(!of(&none, "note") && none.len() < notes.len(), "{none:?}");
    assert_eq!(provider.asked("/apps/oidc/jwks").len(), 1, "the keys are remembered");
    running.stopped();
}

#[test]
fn a_token_that_is_not_for_us_gets_the_challenge_and_no_reason() {
    let provider = Provider::new();
    let mut running = Site::new(&provider).ready();
    let header = base64url(r#"{"alg":"none","typ":"at+jwt"}"#);
    let good = provider.token("RS256", &json!({}));
    let payload = good.split('.').nth(1).expect("claims");
    let forged = good.rsplit_once('.').map(|(signed, _)| format!("{signed}.{}", base64url([7; 256])));
    let cases = [
        (provider.token("RS256", &json!({"aud": "https://other.example/mcp"})), "bad_audience"),
        (provider.token("RS256", &json!({"aud": Value::Null})), "bad_audience"),
        (provider.token("RS256", &json!({"exp": 1_000_003_600})), "expired"),
        (provider.token("RS256", &json!({"nbf": 4_102_444_000_u64})), "not_yet_valid"),
        (provider.token("RS256", &json!({"iss": "https://evil.example"})), "bad_issuer"),
        (format!("{header}.{payload}."), "unsigned"),
        (forged.expect("a signature"), "bad_signature"),
    ];
    for (token, reason) in &cases {
        let answer = running.list(token);
        assert_eq!(answer.status, 401, "{reason}: {}", answer.whole);
        let challenge = format!("Bearer error=\"invalid_token\", {METADATA}, {SCOPES}");
        assert_eq!(answer.header("WWW-Authenticate"), Some(challenge), "{reason}");
        assert!(!answer.whole.contains(reason), "{}", answer.whole);
        running.wait_for(&format!("reason=\"{reason}\""));
    }
    assert!(!running.tools(&good).is_empty());
    // None of them was asked about elsewhere.
    assert!(provider.asked("/introspect").is_empty() && provider.asked("/userinfo").is_empty());
    running.stopped();
}

#[test]
fn who_sends_no_token_is_told_where_to_get_one() {
    let provider = Provider::new();
    let site = Site::new(&provider);
    let running = site.ready();
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    for headers in ["", "Authorization: Basic YTpi\r\n"] {
        let answer = post(running.address(), headers, &message.to_string());
        assert_eq!(answer.status, 401, "{}", answer.whole);
        assert_eq!(answer.header("WWW-Authenticate"), Some(format!("Bearer {METADATA}, {SCOPES}")));
    }
    running.stopped();
}

#[test]
fn a_call_without_its_scope_is_a_403_that_names_it() {
    let provider = Provider::new();
    let running = Site::new(&provider).ready();
    let token = provider.token("ES384", &json!({"scope": "openid files:read"}));
    let answer = running.post(&token, &call(1, 88));
    assert_eq!(answer.status, 403, "{}", answer.whole);
    let challenge = format!(
        "Bearer error=\"insufficient_scope\", scope=\"notes:read\", {METADATA}, error_description=\"This needs the \
         scope notes:read\""
    );
    assert_eq!(answer.header("WWW-Authenticate"), Some(challenge));
    assert!(provider.asked("/notes/88").is_empty());
    running.stopped();
}

#[test]
fn tokens_with_unknown_keys_cannot_make_us_ask_for_keys_again_and_again() {
    let provider = Provider::new();
    let running = Site::new(&provider).ready();
    assert!(!running.tools(&provider.token("PS256", &json!({}))).is_empty());
    for n in 0..5 {
        let header = base64url(json!({"alg": "RS256", "kid": format!("unknown-{n}")}).to_string());
        let good = provider.token("RS256", &json!({}));
        let rest = good.split_once('.').expect("three parts").1;
        assert_eq!(running.list(&format!("{header}.{rest}")).status, 401);
    }
    assert_eq!(provider.asked("/apps/oidc/jwks").len(), 1);
    running.stopped();
}

#[test]
fn direct_tokens_can_be_switched_off() {
    let provider = Provider::new();
    let running = Site::new(&provider).with("MCP_DIRECT_TOKENS", "false").ready();
    for token in [provider.token("RS256", &json!({})), "opaque".to_owned()] {
        assert_eq!(running.list(&token).status, 401);
    }
    assert!(provider.asked("/apps/oidc/jwks").is_empty() && provider.asked("/introspect").is_empty());
    running.stopped();
}
