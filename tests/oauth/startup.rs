//! The lines that the set-up guide tells an operator to look for, and what the provider is asked for meanwhile.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use nextcloud_mcp_server::replay::server::{Request, Response};
use serde_json::{Value, json};

use crate::program::PATIENCE;
use crate::provider::{
    FIRST_CLIENT, LONG_AGO_S, Provider, is_registration, json_answer, own_url, recorded, recorded_before,
    registered,
};
use crate::site::Site;
use crate::wire;

const DISCOVERY: &str = "/index.php/.well-known/openid-configuration";

/// The first lines of every start.
fn beginning(provider: &Provider) -> Vec<String> {
    vec![
        "INFO OAuth mode detected (NEXTCLOUD_USERNAME/PASSWORD not set)".into(),
        "INFO Configuring MCP server for OAuth mode".into(),
        format!("INFO Performing OIDC discovery: {}/.well-known/openid-configuration", provider.url()),
    ]
}

/// The lines of a start, with those after the discovery.
fn lines(provider: &Provider, rest: &[&str]) -> Vec<String> {
    let found = ["INFO ✓ PKCE support validated: ['S256']", "INFO OIDC discovery successful"];
    let rest = found.iter().chain(rest).map(|line| (*line).to_owned());
    beginning(provider).into_iter().chain(rest).collect()
}

/// A provider with PKCE as the guide shows it.
fn provider(instead: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static) -> Provider {
    Provider::with(|document| document["code_challenge_methods_supported"] = json!(["S256"]), instead)
}

const REGISTERED: [&str; 5] = [
    "INFO Attempting dynamic client registration...",
    "INFO Dynamic client registration successful",
    "INFO OAuth client ready: PySehoT9qX2es8v0...",
    "INFO Saved OAuth client credentials to SQLite database",
    "INFO OAuth initialization complete",
];

const STORED: [&str; 3] = [
    "INFO Using stored OAuth client: PySehoT9qX2es8v0...",
    "INFO OAuth client ready: PySehoT9qX2es8v0...",
    "INFO OAuth initialization complete",
];

#[test]
fn a_first_start_registers_one_client_and_a_restart_uses_it() {
    let provider = provider(|_| None);
    let site = Site::new(&provider);
    assert_eq!(site.lines(), lines(&provider, &REGISTERED));
    let asked = provider.registrations();
    let body: Value = serde_json::from_slice(&asked[0].body).expect("JSON");
    assert_eq!(
        body,
        json!({
            "client_name": "Nextcloud MCP Server",
            "redirect_uris": ["http://localhost:8000/oauth/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_post",
            "scope": body["scope"],
            "token_type": body["token_type"],
            "resource_url": "http://localhost:8000/mcp",
        })
    );
    let scope = body["scope"].as_str().expect("scopes");
    let held: Vec<&str> = scope.split(' ').collect();
    for wanted in ["openid", "profile", "email", "notes:read", "files:write", "offline_access"] {
        assert!(held.contains(&wanted), "{wanted} is not in {scope}");
    }
    assert!(["jwt", "opaque"].contains(&body["token_type"].as_str().expect("text")), "{body}");
    for _ in 0..2 {
        assert_eq!(site.lines(), lines(&provider, &STORED));
    }
    assert_eq!(provider.registrations().len(), 1);
}

#[test]
fn an_expired_client_is_registered_anew() {
    let count = AtomicUsize::new(0);
    let provider = provider(move |request| {
        let first = is_registration(request) && count.fetch_add(1, Ordering::SeqCst) == 0;
        first.then(|| registered("dcr-success", request, LONG_AGO_S + 3600))
    });
    let site = Site::new(&provider);
    site.lines();
    let again = site.lines();
    assert!(
        again[5].starts_with("WARN Stored client has expired: it was valid until 2001-09-09T"),
        "{again:?}"
    );
    assert!(again.contains(&"INFO Dynamic client registration successful".to_owned()), "{again:?}");
    assert_eq!(provider.registrations().len(), 2);
    let third = site.lines();
    assert!(third[5].starts_with("INFO Using stored OAuth client: "), "{third:?}");
    assert!(!third[5].contains(FIRST_CLIENT), "{third:?}");
    assert_eq!(provider.registrations().len(), 2);
}

#[test]
fn another_public_address_means_another_client_and_the_old_one_is_deleted() {
    let provider = provider(|_| None);
    let site = Site::new(&provider);
    site.lines();
    let site = site.with("NEXTCLOUD_MCP_SERVER_URL", "https://mcp.example.org");
    let again = site.lines_until("Deleted the OAuth client");
    assert_eq!(again[5], "INFO A new OAuth client is needed: the stored one has another redirect URI");
    let asked = provider.registrations();
    assert_eq!(asked.len(), 2);
    let body: Value = serde_json::from_slice(&asked[1].body).expect("JSON");
    assert_eq!(body["redirect_uris"], json!(["https://mcp.example.org/oauth/callback"]));
    assert_eq!(body["resource_url"], "https://mcp.example.org/mcp");
    let deleted = provider.asked("");
    let deleted: Vec<&Request> = deleted.iter().filter(|request| request.method == "DELETE").collect();
    assert_eq!(deleted.len(), 1);
    assert!(deleted[0].target.contains(FIRST_CLIENT), "{}", deleted[0].target);
}

#[test]
fn a_registration_that_is_refused_says_the_cause_and_the_remedy() {
    let closed =
        "the provider does not let clients register themselves; enable \"Allow dynamic client registration\"";
    type Play = fn(&Request) -> Response;
    let cases: [(Play, &str, u16); 3] = [
        (|request| recorded("dcr-disabled", &own_url(request)), closed, 200),
        (|_| json_answer(403, &json!({"message": "no"})), closed, 200),
        (
            |request| recorded("dcr-rate-limited-429", &own_url(request)),
            "too many registrations in a short time (429); wait",
            503,
        ),
    ];
    for (answer, cause, health) in cases {
        let provider = provider(move |request| is_registration(request).then(|| answer(request)));
        let site = Site::new(&provider);
        let mut running = site.listening();
        let line = running.wait_for("Dynamic registration failed");
        assert!(line.contains(&format!("Dynamic registration failed: {cause}")), "{line}");
        assert!(line.contains("ERROR"), "{line}");
        // Where waiting does not help, people sign in another way.
        if health == 200 {
            running.wait_for("INFO  auth::lines: Sign-in uses Login Flow v2, which every Nextcloud has");
        }
        let ready = running.get("/health/ready");
        assert_eq!(ready.status, health);
        let why = ready.json()["checks"]["auth_configured"].to_string();
        assert_eq!(why.contains("Dynamic registration failed"), health == 503, "{why}");
        assert_eq!(running.get("/health/live").status, 200);
        assert_eq!(provider.registrations().len(), 1);
        running.stopped();
    }
}

#[test]
fn a_client_that_is_given_is_used_and_none_is_registered() {
    let provider = provider(|_| None);
    let site = Site::new(&provider)
        .with("NEXTCLOUD_OIDC_CLIENT_ID", "my-client")
        .with("NEXTCLOUD_OIDC_CLIENT_SECRET", "planted-secret");
    let rest = ["INFO Using pre-configured OAuth client: my-client", "INFO OAuth initialization complete"];
    assert_eq!(site.lines(), lines(&provider, &rest));
    assert!(provider.registrations().is_empty());
}

#[test]
fn the_port_answers_while_the_provider_is_not_up_and_says_why() {
    let (release, released) = channel::<()>();
    let (held, count) = (Mutex::new(released), AtomicUsize::new(0));
    let provider = provider(move |request| {
        if request.target != DISCOVERY {
            return None;
        }
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => Some(wire::answer(503, "text/html", "<html></html>")),
            _ => {
                let _ = held.lock().expect("one at a time").recv_timeout(PATIENCE);
                None
            }
        }
    });
    let site = Site::new(&provider);
    let mut running = site.listening();
    running.wait_for(
        "OIDC discovery is tried again in 1 s: attempt 1 of 10 failed: the provider answered with status 503",
    );
    let ready = running.get("/health/ready");
    assert_eq!((ready.status, ready.json()["status"].as_str()), (503, Some("not_ready")));
    assert_eq!(
        ready.json()["checks"]["auth_configured"],
        "error: OIDC discovery: attempt 1 of 10: the provider answered with status 503"
    );
    let early = running.list("any-token");
    assert_eq!((early.status, early.header("Retry-After")), (503, Some("5".into())), "{}", early.whole);
    assert_eq!(running.get("/health/live").status, 200);
    release.send(()).expect("the provider is there");
    running.wait_for("OAuth initialization complete");
    let ready = running.get("/health/ready");
    assert_eq!(ready.status, 200, "{}", ready.whole);
    running.stopped();
}

#[test]
fn a_provider_that_never_answers_is_an_error_with_its_address() {
    let provider =
        provider(|request| (request.target == DISCOVERY).then(|| wire::answer(503, "text/html", "")));
    let site = Site::new(&provider).with("OIDC_DISCOVERY_MAX_ATTEMPTS", "1");
    let lines = site.lines_until("OIDC discovery failed");
    let failed = format!(
        "ERROR OIDC discovery failed: {}/.well-known/openid-configuration: the provider answered with status 503; wait \
         until Nextcloud has started or left maintenance mode; else read its log",
        provider.url()
    );
    assert_eq!(lines.last(), Some(&failed));
    assert!(provider.registrations().is_empty());
}

#[test]
fn a_provider_without_s256_is_refused() {
    let plain = |document: &mut Value| document["code_challenge_methods_supported"] = json!(["plain"]);
    let provider = Provider::with(plain, |_| None);
    let lines = Site::new(&provider).lines_until("PKCE validation failed");
    let last = lines.last().expect("a line");
    assert!(
        last.starts_with(
            "ERROR PKCE validation failed: the provider advertises ['plain'] without S256; update"
        ),
        "{last}"
    );
    assert!(provider.registrations().is_empty());
}

#[test]
fn an_old_oidc_app_that_says_nothing_of_pkce_is_a_warning() {
    let provider = Provider::but(|request| match request.target.as_str() {
        DISCOVERY => Some(recorded_before("discovery", &own_url(request))),
        "/apps/oidc/register" => Some(recorded_before("dcr-success", &own_url(request))),
        _ => None,
    });
    let lines = Site::new(&provider).lines();
    assert!(lines[3].starts_with("WARN PKCE support is not advertised"), "{lines:?}");
    assert_eq!(lines[4], "INFO OIDC discovery successful");
    assert_eq!(lines[5..9], REGISTERED.map(|line| line.replace("PySehoT9qX2es8v0", "DOKTE5R9TbezA3uk"))[..4]);
    assert_eq!(lines.last().map(String::as_str), Some("INFO OAuth initialization complete"));
}

#[test]
fn another_key_for_the_database_ends_the_program_with_the_remedy() {
    let provider = provider(|_| None);
    let key = |letter: &str| format!("{}=", letter.repeat(43));
    let site = Site::new(&provider).with("TOKEN_ENCRYPTION_KEY", &key("A"));
    site.lines();
    let (site, wrong) = (site.with("TOKEN_ENCRYPTION_KEY", &key("E")), key("E"));
    let ended = site.spawn(&[]).ended();
    assert_eq!(ended.status, Some(69), "{}", ended.log);
    let sentence =
        format!("{} is sealed with another key: set TOKEN_ENCRYPTION_KEY to the key", site.database());
    assert!(ended.log.contains(&sentence), "{}", ended.log);
    assert!(!ended.log.contains(&wrong), "{}", ended.log);
    // Nothing was lost by that.
    let site = site.with("TOKEN_ENCRYPTION_KEY", &key("A"));
    assert_eq!(site.lines(), lines(&provider, &STORED));
    assert_eq!(provider.registrations().len(), 1);
}

#[test]
fn a_client_without_end_is_never_replaced() {
    let provider =
        provider(|request| is_registration(request).then(|| registered("dcr-success", request, 0)));
    let site = Site::new(&provider);
    site.lines();
    assert_eq!(site.lines(), lines(&provider, &STORED));
}
