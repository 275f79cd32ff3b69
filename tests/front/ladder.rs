//! The checks that come before a message is looked at, and the statuses of what comes after.

use std::time::Duration;

use nextcloud_mcp_server::gate::Gate;
use nextcloud_mcp_server::tool::{Scope, Scopes};
use serde_json::{Value, json};

use crate::client::{Answer, Ask, modern, request};
use crate::site::{Site, TOKEN};

const OURS: &str = "https://mcp.example.org";

fn ping() -> Value {
    request("ping", json!({}))
}

/// A request of no fault, to a site with a token.
fn good() -> Ask {
    Ask::post("/mcp", &ping()).with("Authorization", "Bearer right-token")
}

fn preflight(target: &str) -> Ask {
    Ask::new("OPTIONS", target)
        .with("Origin", OURS)
        .with("Access-Control-Request-Method", "POST")
        .with("Access-Control-Request-Headers", "authorization, mcp-method")
}

/// A request, and what the answer's status, headers and text must be. A header of `""` must be absent.
struct Case(&'static str, Ask, u16, &'static [(&'static str, &'static str)], &'static str);

fn run(site: Site, cases: &[Case]) {
    let server = site.open();
    for Case(rule, ask, status, headers, says) in cases {
        let answer = ask.answer(&server);
        assert_eq!(answer.status, *status, "{rule}: {}", answer.body);
        for (name, value) in *headers {
            assert_eq!(answer.header(name).unwrap_or(""), *value, "{rule}: {name}");
        }
        assert!(answer.body.contains(says), "{rule}: {}", answer.body);
        let length = answer.header("content-length").map(|length| length.parse());
        let has_body = *status != 204 && ask.method != "HEAD";
        assert!(!has_body || length == Some(Ok(answer.body.len())), "{rule}: {length:?}");
        let is_json = answer.header("content-type") == Some("application/json");
        assert!(*status < 400 || ask.method == "HEAD" || is_json, "{rule}: an error is JSON");
    }
}

fn guarded() -> Site {
    Site { token: Some(TOKEN), ..Site::default() }
}

#[test]
fn paths_and_methods() {
    const POST: &[(&str, &str)] = &[("allow", "POST")];
    let at = |path: &str| Ask { target: path.into(), ..good() };
    let by = |method: &'static str, path: &str| Ask { body: String::new(), method, ..at(path) };
    run(
        guarded(),
        &[
            Case("the endpoint", at("/mcp"), 200, &[("content-type", "application/json")], "\"result\":{}"),
            Case("the endpoint with a slash", at("/mcp/"), 200, &[("location", "")], "\"result\":{}"),
            Case("a forgotten path", at("/"), 200, &[], "\"result\":{}"),
            Case("a query is no part of the path", at("/mcp?x=1"), 200, &[], "\"result\":{}"),
            Case("another path", at("/mpc"), 404, &[], "/mcp"),
            Case("a path below", at("/mcp/x"), 404, &[], "/mcp"),
            Case("another case", at("/MCP"), 404, &[], "/mcp"),
            Case("another path by GET", by("GET", "/favicon.ico"), 404, &[], "/mcp"),
            Case("the old stream", by("GET", "/sse"), 404, &[], "Streamable HTTP"),
            Case("the old messages", at("/messages/"), 404, &[], "Streamable HTTP"),
            Case("no stream of ours", by("GET", "/mcp"), 405, POST, "POST"),
            Case("no session to end", by("DELETE", "/mcp/"), 405, POST, "POST"),
            Case("PUT", by("PUT", "/mcp"), 405, POST, "POST"),
            Case("HEAD", by("HEAD", "/mcp"), 405, POST, ""),
            Case(
                "people without a token",
                Ask::new("GET", "/"),
                200,
                &[],
                "MCP endpoint (Streamable HTTP): /mcp",
            ),
            Case("DELETE at the root", by("DELETE", "/"), 405, &[("allow", "GET, HEAD, POST")], ""),
            Case("a method needs no token to be refused", Ask::new("GET", "/mcp"), 405, POST, ""),
        ],
    );
}

#[test]
fn hosts_and_origins() {
    let host = |host: &str| good().but("Host", host);
    let origin = |origin: &str| good().with("Origin", origin);
    let none: &[(&str, &str)] = &[("access-control-allow-origin", ""), ("www-authenticate", "")];
    run(
        guarded(),
        &[
            Case("our name", host("mcp.example.org"), 200, &[], ""),
            Case("localhost", host("localhost:8000"), 200, &[], ""),
            Case("an address", host("192.168.1.5:8000"), 200, &[], ""),
            Case("an address of version 6", host("[::1]:8000"), 200, &[], ""),
            Case("a rebound name", host("evil.example:8000"), 403, none, "MCP_ALLOWED_HOSTS"),
            Case(
                "a rebound name before the token",
                host("evil.example").without("Authorization"),
                403,
                none,
                "",
            ),
            Case("no origin, as programs send", good(), 200, none, ""),
            Case(
                "our origin",
                origin(OURS),
                200,
                &[("access-control-allow-origin", OURS), ("vary", "Origin")],
                "",
            ),
            Case(
                "a page on loopback",
                origin("http://localhost:6274"),
                200,
                &[("access-control-allow-origin", "http://localhost:6274")],
                "",
            ),
            Case("a page on the other loopback", origin("http://127.0.0.1:1"), 200, &[], ""),
            Case("a foreign page", origin("https://evil.example"), 403, none, "MCP_ALLOWED_ORIGINS"),
            Case("no page in particular", origin("null"), 403, none, "MCP_ALLOWED_ORIGINS"),
            Case("a longer name", origin("https://mcp.example.org.evil.example"), 403, none, ""),
            Case(
                "a foreign page's preflight",
                preflight("/mcp").but("Origin", "https://evil.example"),
                403,
                none,
                "",
            ),
            Case(
                "a foreign page, by GET",
                Ask::new("GET", "/mcp").with("Origin", "https://evil.example"),
                403,
                none,
                "",
            ),
            Case("a second origin", origin(OURS).with("Origin", "https://evil.example"), 403, none, ""),
            Case(
                "a foreign page's 404",
                Ask { target: "/x".into(), ..origin("https://evil.example") },
                404,
                none,
                "",
            ),
        ],
    );
}

#[test]
fn tokens() {
    const NONE: &[(&str, &str)] = &[("www-authenticate", "Bearer realm=\"nextcloud-mcp-server\"")];
    const WRONG: &[(&str, &str)] =
        &[("www-authenticate", "Bearer realm=\"nextcloud-mcp-server\", error=\"invalid_token\"")];
    let bare = good().without("Authorization");
    let with = |value: &str| bare.clone().with("Authorization", value);
    let query = |query: &str| Ask { target: format!("/mcp?{query}=right-token"), ..bare.clone() };
    run(
        guarded(),
        &[
            Case("the right token", with("Bearer right-token"), 200, &[("www-authenticate", "")], ""),
            Case("the scheme in another case", with("bearer right-token"), 200, &[], ""),
            Case("no token", bare.clone(), 401, NONE, "asks for a bearer token"),
            Case("the wrong token", with("Bearer wrong"), 401, WRONG, "is not accepted"),
            Case("a longer token", with("Bearer right-token2"), 401, WRONG, ""),
            Case("another case of the token", with("Bearer Right-token"), 401, WRONG, ""),
            Case("another scheme", with("Basic right-token"), 401, NONE, ""),
            Case("an empty token", with("Bearer "), 401, NONE, ""),
            Case("a token alone", with("right-token"), 401, NONE, ""),
            Case("a token in the query", query("access_token"), 401, NONE, ""),
            Case("a token in the query by our name", query("token"), 401, NONE, ""),
            Case("two tokens", good().with("Authorization", "Bearer right-token"), 401, NONE, ""),
            Case("the token comes before the body", Ask { body: "{".into(), ..bare.clone() }, 401, NONE, ""),
            Case(
                "the token comes before the media type",
                bare.clone().without("Content-Type"),
                401,
                NONE,
                "",
            ),
            Case("the root asks as well", Ask { target: "/".into(), ..bare.clone() }, 401, NONE, ""),
        ],
    );
    run(
        Site::default(),
        &[
            Case("a site without a token asks for none", bare.clone(), 200, &[], ""),
            Case("and overlooks one", with("Bearer anything"), 200, &[], ""),
        ],
    );
}

#[test]
fn bodies() {
    let typed = |media_type: &str| good().but("Content-Type", media_type);
    let says = |body: &str| Ask { body: body.into(), ..good() };
    let notification = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let empty: &[(&str, &str)] = &[("content-type", ""), ("content-length", "0"), ("mcp-session-id", "")];
    run(
        guarded(),
        &[
            Case("parameters of the media type", typed("application/json; charset=utf-8"), 200, &[], ""),
            Case("another case", typed("Application/JSON"), 200, &[], ""),
            Case("a form", typed("application/x-www-form-urlencoded"), 415, &[], "application/json"),
            Case("text", typed("text/plain"), 415, &[], "application/json"),
            Case("a longer name", typed("application/jsonx"), 415, &[], "application/json"),
            Case("nothing said", good().without("Content-Type"), 415, &[], "application/json"),
            Case("said twice", good().with("Content-Type", "text/plain"), 415, &[], "application/json"),
            Case("no Accept", good().without("Accept"), 200, &[("content-type", "application/json")], ""),
            Case(
                "only events",
                good().but("Accept", "text/event-stream"),
                200,
                &[("content-type", "application/json")],
                "",
            ),
            Case("not JSON", says("{"), 400, &[], "-32700"),
            Case("nothing", says(""), 400, &[], "-32700"),
            Case("no request", says("{}"), 400, &[], "-32600"),
            Case("a notification", says(&notification.to_string()), 202, empty, ""),
            Case("a client's response", says("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"), 202, empty, ""),
            Case(
                "an unknown method, legacy",
                says(&request("no/such", json!({})).to_string()),
                200,
                &[],
                "-32601",
            ),
            Case("an unknown version", good().with("MCP-Protocol-Version", "1999-01-01"), 400, &[], "-32602"),
        ],
    );
}

#[test]
fn a_body_beyond_the_limit_is_refused_unread() {
    let server = guarded().open();
    let at_limit = format!("{}{}", ping(), " ".repeat(100_000 - ping().to_string().len()));
    assert_eq!(Ask { body: at_limit.clone(), ..good() }.answer(&server).status, 200);
    assert_eq!(Ask { body: at_limit + " ", ..good() }.answer(&server).status, 413);
}

#[test]
fn modern_statuses() {
    let ask = |method: &str| {
        Ask::post("/mcp", &modern(method, json!({})))
            .with("MCP-Protocol-Version", "2026-07-28")
            .with("Mcp-Method", method)
    };
    run(
        Site::default(),
        &[
            Case("discover", ask("server/discover"), 200, &[], "\"resultType\":\"complete\""),
            Case("an unknown method", ask("ping"), 404, &[], "-32601"),
            Case(
                "a header that differs",
                ask("tools/list").but("Mcp-Method", "tools/call"),
                400,
                &[],
                "-32020",
            ),
            Case("a header that is missing", ask("tools/list").without("Mcp-Method"), 400, &[], "-32020"),
            Case(
                "a header sent twice",
                ask("tools/list").with("Mcp-Method", "tools/list"),
                400,
                &[],
                "-32020",
            ),
            Case(
                "headers of a session are overlooked",
                ask("tools/list").with("Mcp-Session-Id", "x"),
                200,
                &[],
                "",
            ),
        ],
    );
}

#[test]
fn preflights_need_no_token_and_allow_every_header_of_the_protocol() {
    let server = guarded().open();
    for target in ["/mcp", "/mcp/", "/"] {
        let answer = preflight(target).answer(&server);
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{target}");
        let header = |name: &str| answer.header(name).unwrap_or_default().to_lowercase();
        assert_eq!(header("access-control-allow-origin"), OURS);
        let allowed = header("access-control-allow-headers");
        let allowed: Vec<&str> = allowed.split(", ").collect();
        for name in [
            "authorization",
            "content-type",
            "accept",
            "mcp-protocol-version",
            "mcp-method",
            "mcp-name",
            "mcp-session-id",
            "last-event-id",
        ] {
            assert!(allowed.contains(&name), "{target}: {name} in {allowed:?}");
        }
        for method in ["post", "get", "delete", "options"] {
            assert!(header("access-control-allow-methods").split(", ").any(|m| m == method), "{method}");
        }
        assert_eq!(header("access-control-allow-credentials"), "", "a token is no cookie");
    }
}

#[test]
fn pages_of_allowed_origins_can_read_every_answer() {
    let server = guarded().open();
    let gate = Gate::new(0, 0, Duration::ZERO);
    let full = Site { token: Some(TOKEN), gate, ..Site::default() }.open();
    let scopes = Scopes::Only(vec![Scope::NotesWrite]);
    let narrow = Site { token: Some(TOKEN), scopes, ..Site::default() }.open();
    let call = |name: &str| Ask {
        body: request("tools/call", json!({"name": name, "arguments": {"text": "a"}})).to_string(),
        ..good()
    };
    let notification = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    for (server, ask, status) in [
        (&server, good(), 200),
        (&server, Ask { body: notification.to_string(), ..good() }, 202),
        (&server, Ask { body: "{".into(), ..good() }, 400),
        (&server, good().without("Authorization"), 401),
        (&narrow, call("test_note_read"), 403),
        (&server, good().but("Host", "evil.example"), 403),
        (&server, Ask { target: "/no/such".into(), ..good() }, 404),
        (&server, Ask::new("GET", "/mcp"), 405),
        (&server, good().but("Content-Type", "text/plain"), 415),
        (&full, call("test_echo"), 503),
        (&server, Ask::new("GET", "/health/live"), 200),
    ] {
        let answer = ask.with("Origin", OURS).answer(server);
        assert_eq!(answer.status, status, "{}", answer.body);
        assert_eq!(answer.header("access-control-allow-origin"), Some(OURS), "{status}");
        assert_eq!(answer.header("vary"), Some("Origin"), "{status}");
        let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
        assert!(exposed.contains("WWW-Authenticate") && exposed.contains("Retry-After"), "{status}");
    }
}

#[test]
fn a_full_gate_is_503_with_the_time_to_wait() {
    let server = Site { gate: Gate::new(0, 0, Duration::ZERO), ..Site::default() }.open();
    let answer = Ask::post("/mcp", &request("tools/call", json!({"name": "test_echo"}))).answer(&server);
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert!(answer.body.contains("Try again"), "{}", answer.body);
    let list: Answer = Ask::post("/mcp", &request("tools/list", json!({}))).answer(&server);
    assert_eq!(list.status, 200, "what asks Nextcloud nothing is answered");
}

#[test]
fn a_missing_scope_is_403_with_the_scope() {
    let scopes = Scopes::Only(vec![Scope::NotesRead]);
    let server = Site { scopes, ..Site::default() }.open();
    let call = |name| Ask::post("/mcp", &request("tools/call", json!({"name": name}))).answer(&server);
    assert_eq!(call("test_note_read").status, 200);
    let answer = call("test_note_write");
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Bearer error=\"insufficient_scope\", scope=\"notes:write\"")
    );
}
