//! What stands around the forms: methods, hosts and origins, headers of pages, cookies, limits.

use crate::cloud::Cloud;
use crate::site::Site;
use crate::web::{Browser, Client, location, program, raw, register};
use crate::wire::Answered;

const METADATA: &str = "/.well-known/oauth-authorization-server";
/// For programs; pages of any origin may ask them.
const PROGRAMS: [(&str, &str); 6] = [
    ("GET", METADATA),
    ("GET", "/.well-known/openid-configuration"),
    ("GET", "/oauth/jwks"),
    ("POST", "/oauth/register"),
    ("POST", "/oauth/token"),
    ("POST", "/oauth/revoke"),
];
/// For a person's browser.
const PAGES: [(&str, &str); 7] = [
    ("GET", "/oauth/authorize"),
    ("POST", "/oauth/consent"),
    ("GET", "/oauth/callback"),
    ("GET", "/oauth/wait"),
    ("POST", "/oauth/sign-in"),
    ("POST", "/oauth/connections/end"),
    ("POST", "/oauth/sign-out"),
];

fn cookies(answer: &Answered) -> Vec<&str> {
    answer.whole.lines().filter_map(|line| line.strip_prefix("Set-Cookie: ")).collect()
}

#[test]
fn other_methods_are_405_with_those_that_are_taken() {
    let cloud = Cloud::new();
    let running = Site::new(&cloud.provider).ready();
    for (method, path) in PROGRAMS.into_iter().chain(PAGES) {
        let other = if method == "GET" { "POST" } else { "GET" };
        for wrong in [other, "PUT", "DELETE"] {
            let answer = raw(&running, wrong, path, "", "");
            assert_eq!(answer.status, 405, "{wrong} {path}");
            let allow = answer.header("Allow").expect("an Allow");
            assert_eq!(allow.split(", ").next(), Some(method), "{path}");
        }
        // A HEAD would do what a GET does, and nobody would see it.
        let is_document = method == "GET" && PROGRAMS.contains(&(method, path));
        assert_eq!(raw(&running, "HEAD", path, "", "").status == 200, is_document, "{path}");
    }
    assert!(cloud.provider.asked("/apps/oidc/token").is_empty());
    running.stopped();
}

#[test]
fn programs_are_answered_for_pages_of_any_origin() {
    let cloud = Cloud::new();
    let running = Site::new(&cloud.provider).ready();
    for (method, path) in PROGRAMS {
        let page = "Origin: https://app.example\r\n";
        let asked = format!("{page}Access-Control-Request-Method: {method}\r\n");
        let preflight = raw(&running, "OPTIONS", path, &asked, "");
        assert_eq!(preflight.status, 204, "{path}");
        assert_eq!(preflight.header("Access-Control-Allow-Origin").as_deref(), Some("*"));
        let headers = preflight.header("Access-Control-Allow-Headers").expect("headers");
        assert!(headers.contains("Authorization") && headers.contains("Content-Type"), "{headers}");
        let answer = raw(&running, method, path, page, "");
        assert_ne!(answer.status, 403, "{path}");
        assert_eq!(answer.header("Access-Control-Allow-Origin").as_deref(), Some("*"));
        assert_eq!(answer.header("Access-Control-Allow-Credentials"), None);
        assert!(cookies(&answer).is_empty());
    }
    running.stopped();
}

#[test]
fn forms_of_other_origins_and_names_of_other_hosts_are_refused() {
    let cloud = Cloud::new();
    let running = Site::new(&cloud.provider).ready();
    for (method, path) in PAGES {
        for origin in ["https://evil.example", "null", "http://localhost:9999x"] {
            let answer = raw(&running, method, path, &format!("Origin: {origin}\r\n"), "");
            assert_eq!(answer.status, 403, "{path} {origin}");
            assert_eq!(answer.header("Access-Control-Allow-Origin"), None);
        }
    }
    for (method, path) in PROGRAMS.into_iter().chain(PAGES) {
        let answer = raw(&running, method, path, "Host: evil.example\r\n", "");
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.whole.contains("NEXTCLOUD_MCP_SERVER_URL"), "{}", answer.whole);
    }
    running.stopped();
}

/// Nothing may frame it, keep it, guess its type, or run in it.
fn assert_guarded(answer: &Answered) {
    for (name, value) in [
        ("Cache-Control", "no-store"),
        ("X-Frame-Options", "DENY"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name).as_deref(), Some(value), "{}", answer.whole);
    }
    assert_eq!(answer.header("Access-Control-Allow-Origin"), None);
    // It would cut the window of a login off from the page that opened it.
    assert_eq!(answer.header("Cross-Origin-Opener-Policy"), None);
    if answer.status != 303 {
        let policy = answer.header("Content-Security-Policy").expect("a policy");
        for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "style-src 'sha256-"]
        {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe") && !answer.whole.contains("<script"), "{}", answer.whole);
    }
}

#[test]
fn every_page_and_every_way_on_is_guarded() {
    let cloud = Cloud::new();
    let running = Site::new(&cloud.provider).ready();
    let (client, browser) = (Client::registered(&running), Browser::new(&running));
    let asked = client.authorize_url(&[]);
    assert_guarded(&browser.get(&asked));
    let yes = browser.say_yes(&browser.ticket(&asked));
    assert_guarded(&yes);
    let callback = browser.at_provider(&location(&yes));
    assert_guarded(&browser.get(&callback));
    for (method, path) in PAGES {
        assert_guarded(&browser.send(path, method, "", ""));
    }
    assert_guarded(&browser.get("/"));
    running.stopped();
}

#[test]
fn cookies_are_for_this_host_and_no_script() {
    let cloud = Cloud::new();
    for (url, host, prefix, end) in [
        (
            "http://localhost:8000",
            "localhost:8000",
            "nextcloud-mcp-8000=",
            "; Path=/; HttpOnly; SameSite=Lax",
        ),
        (
            "https://mcp.example.org",
            "mcp.example.org",
            "__Host-nextcloud-mcp=",
            "; Path=/; HttpOnly; SameSite=Lax; Secure",
        ),
        // Below a folder of its host: `__Host-` asks for the whole host.
        (
            "https://example.org/tools/mcp",
            "example.org",
            "__Host-nextcloud-mcp=",
            "; Path=/; HttpOnly; SameSite=Lax; Secure",
        ),
    ] {
        let running = Site::new(&cloud.provider).with("NEXTCLOUD_MCP_SERVER_URL", url).ready();
        let answer = raw(&running, "GET", "/oauth/authorize", &format!("Host: {host}\r\n"), "");
        let [cookie] = cookies(&answer)[..] else { panic!("{}", answer.whole) };
        assert!(cookie.starts_with(prefix) && cookie.ends_with(end), "{cookie}");
        let metadata = raw(&running, "GET", METADATA, &format!("Host: {host}\r\n"), "").json();
        assert_eq!(metadata["issuer"], url);
        assert_eq!(metadata["token_endpoint"], format!("{url}/oauth/token"));
        running.stopped();
    }
}

#[test]
fn bodies_have_a_limit_and_a_type() {
    let cloud = Cloud::new();
    let running = Site::new(&cloud.provider).ready();
    let long = "x".repeat(17 * 1024);
    for (method, path) in PROGRAMS.into_iter().chain(PAGES).filter(|(method, _)| *method == "POST") {
        assert_eq!(raw(&running, method, path, "", &long).status, 413, "{path}");
    }
    let json = raw(&running, "POST", "/oauth/token", "Content-Type: application/json\r\n", "{}");
    assert_eq!((json.status, json.json()["error"].as_str()), (400, Some("invalid_request")));
    for body in ["", "[]", "{\"redirect_uris\":[]}", "{\"redirect_uris\":[\"http://evil.example/\"]}"] {
        let answer = register(&running, body);
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.header("Cache-Control").as_deref(), Some("no-store"));
    }
    let unknown = program(&running, "/oauth/token", &[("grant_type", "password"), ("client_id", "x")]);
    assert_eq!((unknown.status, unknown.json()["error"].as_str()), (401, Some("invalid_client")));
    running.stopped();
}

#[test]
fn a_flood_of_registrations_is_held_back() {
    let cloud = Cloud::new();
    let running = Site::new(&cloud.provider).ready();
    let metadata = "{\"redirect_uris\":[\"http://localhost/cb\"]}";
    let held_back = (0..40).map(|_| register(&running, metadata)).find(|answer| answer.status != 201);
    let answer = held_back.expect("an end");
    assert_eq!((answer.status, answer.json()["error"].as_str()), (429, Some("slow_down")));
    assert_eq!(answer.header("Retry-After").as_deref(), Some("60"));
    running.stopped();
}
