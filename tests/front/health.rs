//! `/health/live` and `/health/ready`.

use nextcloud_mcp_server::http::{Handler, Head, Limits, Listener, Reply, Request, Response, Server};
use serde_json::{Value, json};

use crate::client::Ask;
use crate::house;
use crate::site::{Site, TOKEN};

/// A Nextcloud that knows only its status.
struct Upstream(Value);

impl Handler for Upstream {
    fn admit(&self, _: &Head) -> Result<(), Response> {
        Ok(())
    }

    fn handle(&self, request: Request) -> Reply {
        assert_eq!(request.head.path(), "/status.php");
        Response::json(200, self.0.to_string()).into()
    }
}

fn upstream(maintenance: bool) -> (Server, String) {
    let status = json!({"installed": true, "maintenance": maintenance, "needsDbUpgrade": false,
        "version": "32.0.1.2", "versionstring": "32.0.1", "productname": "Nextcloud"});
    let listener = Listener::bind("127.0.0.1:0").expect("a free port");
    let server = Server::start(listener, Limits::default(), std::sync::Arc::new(Upstream(status)));
    let server = server.expect("a running server");
    let base = format!("http://{}", server.local_addr().expect("an address"));
    (server, base)
}

#[test]
fn live_needs_neither_a_token_nor_nextcloud() {
    let server = Site { token: Some(TOKEN), ..Site::default() }.open();
    let answer = Ask::new("GET", "/health/live").answer(&server);
    assert_eq!((answer.status, answer.json()), (200, json!({"status": "alive", "mode": "basic"})));
    let head = Ask::new("HEAD", "/health/live").answer(&server);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn ready_is_503_with_the_reason_and_no_secret_while_nextcloud_is_unreachable() {
    let server = Site { token: Some(TOKEN), ..Site::default() }.open();
    // The second answer is the remembered one.
    for _ in 0..2 {
        let answer = Ask::new("GET", "/health/ready").answer(&server);
        assert_eq!(answer.status, 503);
        let body = answer.json();
        assert_eq!(body["status"], "not_ready");
        let why = body["checks"]["nextcloud_reachable"].as_str().expect("a reason");
        assert!(why.starts_with("error: ") && why.len() > 20, "{why}");
        for secret in [TOKEN, house::PASSWORD] {
            assert!(!answer.body.contains(secret), "{}", answer.body);
        }
    }
}

#[test]
fn ready_is_200_when_nextcloud_answers() {
    let (_upstream, base) = upstream(false);
    let server = Site { nextcloud: house::nextcloud(&base), ..Site::default() }.open();
    let answer = Ask::new("GET", "/health/ready").answer(&server);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()["checks"]["nextcloud_reachable"], "ok");
    assert_eq!(answer.json()["status"], "ready");
}

#[test]
fn maintenance_is_not_ready() {
    let (_upstream, base) = upstream(true);
    let server = Site { nextcloud: house::nextcloud(&base), ..Site::default() }.open();
    let answer = Ask::new("GET", "/health/ready").answer(&server);
    assert_eq!(answer.status, 503);
    let why = answer.json()["checks"]["nextcloud_reachable"].to_string();
    assert!(why.contains("maintenance"), "{why}");
}

#[test]
fn health_takes_no_posts() {
    let server = Site::default().open();
    for path in ["/health/live", "/health/ready"] {
        let answer = Ask::post(path, &json!({})).answer(&server);
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{path}");
    }
}
