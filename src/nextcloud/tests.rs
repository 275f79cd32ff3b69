//! The client against a server on loopback: what only shows on the wire.

mod accounts;
mod bearer;
mod bodies;
mod outside;
mod retries;
mod server;

use std::time::Duration;

use server::{Server, Step};

use super::*;
use crate::secret::Secret;

/// A client's surroundings: the server, the shared client, one account, a clock that moves when told.
struct Bench {
    server: Server,
    nextcloud: Nextcloud,
    account: Account,
    clock: Clock,
}

const PASSWORD: &str = "planted-app-password";
const TOKEN: &str = "planted-access-token";

impl Bench {
    fn new(steps: impl IntoIterator<Item = Step>) -> Bench {
        Bench::with(steps, "", |_| {})
    }

    /// With a path prefix and other settings.
    fn with(
        steps: impl IntoIterator<Item = Step>,
        prefix: &str,
        change: impl FnOnce(&mut Settings),
    ) -> Bench {
        let server = Server::new(steps);
        let clock = Clock::manual(1_795_476_751_000);
        let base = Base::parse(&format!("http://{}{prefix}", server.address)).expect("base");
        let mut settings = Settings::new(base);
        change(&mut settings);
        let nextcloud = Nextcloud::new(settings, clock.clone(), Ids::counting()).expect("settings");
        let credential = Credential::Basic { user: "alice".into(), password: Secret::new(PASSWORD) };
        Bench { server, nextcloud, account: Account::new(credential), clock }
    }

    /// A call of 20 seconds, on the manual clock and on the socket.
    fn call(&self) -> Call {
        self.nextcloud.call(Duration::from_secs(20))
    }

    /// With an access token for the credential.
    fn bearer(steps: impl IntoIterator<Item = Step>) -> Bench {
        let mut bench = Bench::new(steps);
        bench.account = Account::new(Credential::Bearer(Secret::new(TOKEN)));
        bench
    }

    fn send(&self, request: Request) -> Result<Response, Error> {
        let call = self.call();
        self.nextcloud.client(&self.account, &call).send(request)
    }

    fn json(&self, request: Request) -> Result<serde_json::Value, Error> {
        let call = self.call();
        self.nextcloud.client(&self.account, &call).json(request)
    }
}

fn note() -> UrlPath {
    UrlPath::app("notes").raw("/api/v1/notes").segment("7")
}

fn file() -> UrlPath {
    UrlPath::dav().raw("/files").segments(["alice", "a b.txt"])
}

fn get(path: UrlPath) -> Request {
    Request::new("GET", path)
}

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> Kind {
    result.expect_err("a failure").kind
}

#[test]
fn every_request_says_who_and_how() {
    let bench = Bench::with([server::json(200, "{\"id\":7}"), server::empty(201, "")], "/nc", |_| {});
    let answer = bench.json(get(note()).query("exclude", "content")).expect("a note");
    assert_eq!(answer["id"], 7);
    let copy = Request::new("COPY", file())
        .destination(&UrlPath::dav().raw("/files").segments(["alice", "ü.txt"]))
        .header("Overwrite", "F");
    bench.send(copy).expect("copied");
    let seen = bench.server.seen();
    assert_eq!(seen[0].target, "/nc/index.php/apps/notes/api/v1/notes/7?exclude=content");
    assert_eq!(seen[0].header("OCS-APIRequest"), Some("true"));
    assert_eq!(seen[0].header("Accept"), Some("application/json"));
    assert_eq!(seen[0].header("Accept-Encoding"), Some("gzip"));
    assert_eq!(
        seen[0].header("User-Agent"),
        Some(concat!("nextcloud-mcp-server/", env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(seen[0].header("Authorization"), Some("Basic YWxpY2U6cGxhbnRlZC1hcHAtcGFzc3dvcmQ="));
    assert_eq!(seen[1].method, "COPY");
    assert_eq!(seen[1].target, "/nc/remote.php/dav/files/alice/a%20b.txt");
    let to = format!("http://{}/nc/remote.php/dav/files/alice/%C3%BC.txt", bench.server.address);
    assert_eq!(seen[1].header("Destination"), Some(to.as_str()));
    assert_eq!((seen[1].connection, seen[1].header("Overwrite")), (0, Some("F")));
}

#[test]
fn webdav_methods_carry_their_body_and_empty_posts_a_length() {
    let ok = || server::empty(200, "");
    let bench = Bench::new([ok(), ok(), ok(), ok()]);
    for method in ["PROPFIND", "REPORT", "MKCALENDAR"] {
        bench.send(Request::new(method, UrlPath::dav()).header("Depth", "1").xml("<x/>")).expect(method);
    }
    bench.send(Request::new("POST", note())).expect("POST");
    let seen = bench.server.seen();
    assert!(seen[..3].iter().all(|s| s.body == "<x/>" && s.header("Depth") == Some("1")), "{seen:?}");
    assert_eq!(seen[0].header("Content-Type"), Some("application/xml; charset=utf-8"));
    assert_eq!(seen[3].header("Content-Length"), Some("0"));
}

#[test]
fn what_cannot_be_sent_is_not_sent() {
    let bench = Bench::new([]);
    assert_eq!(kind(bench.send(get(note().segment("..")))), Kind::BadRequest);
    assert_eq!(kind(bench.send(get(note()).header("X-A", "a\r\nX-B: c"))), Kind::BadRequest);
    let moved = Request::new("MOVE", file()).destination(&file().segment(""));
    assert_eq!(kind(bench.send(moved)), Kind::BadRequest);
    assert!(bench.server.asked().is_empty());
}

#[test]
fn a_failure_reads_well_and_holds_no_secret() {
    let refusal = r#"{"ocs":{"meta":{"status":"failure","statuscode":404,"message":"Wrong share ID, share does not exist"},"data":[]}}"#;
    let bench = Bench::new([server::json(404, refusal)]);
    let call = bench.call();
    let path = UrlPath::ocs("/apps/files_sharing/api/v1/shares").segment("9");
    let result =
        bench.nextcloud.client(&bench.account, &call).ocs::<serde_json::Value>(get(path)).of("share 9");
    let error = result.expect_err("404");
    assert_eq!(
        error.to_string(),
        "share 9 was not found. Nextcloud said: \"Wrong share ID, share does not exist\". \
         Check the id or path with a list or search call."
    );
    let shown = format!("{error} {error:?} {:?} {:?}", bench.account, bench.nextcloud);
    assert!(!shown.contains(PASSWORD) && !shown.contains("YWxpY2U6"), "{shown}");
    assert_eq!(error.request, "GET apps/files_sharing/api/v1/shares/9");
}

#[test]
fn the_note_inside_a_412_is_kept() {
    let bench = Bench::new([server::json(412, r#"{"id":7,"content":"v3","etag":"abc"}"#)]);
    let put = Request::new("PUT", note()).if_match("old").json(&serde_json::json!({"content": "v4"}));
    let error = bench.send(put).expect_err("412");
    assert_eq!(error.kind, Kind::PreconditionFailed);
    assert!(error.body().is_some_and(|body| body.starts_with(b"{\"id\":7")));
    assert_eq!(bench.server.seen()[0].header("If-Match"), Some("\"old\""));
}

#[test]
fn allowed_statuses_are_answers() {
    let bench = Bench::new([server::empty(304, "ETag: W/\"a-gzip\"\r\n"), server::json(404, "{}")]);
    let answer = bench.send(get(note()).if_none_match("a").allow(&[304])).expect("304");
    assert_eq!((answer.status, answer.etag().as_deref()), (304, Some("a")));
    assert_eq!(bench.send(get(note()).allow(&[404])).expect("404").status, 404);
}

#[test]
fn the_status_page_needs_no_credential() {
    let page = r#"{"installed":true,"maintenance":false,"versionstring":"29.0.6","productname":"Nextcloud"}"#;
    let bench = Bench::new([server::json(200, page), server::html(200, "<!DOCTYPE html><title>Router")]);
    let status = bench.nextcloud.ping(Duration::from_secs(5)).expect("status");
    assert_eq!(status.version, "29.0.6");
    assert_eq!(kind(bench.nextcloud.ping(Duration::from_secs(5))), Kind::NotNextcloud);
    assert_eq!(bench.server.seen()[0].header("Authorization"), None);
}

#[test]
fn no_server_is_unreachable() {
    let bench = Bench::new([]);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
    let base = Base::parse(&format!("http://{closed}")).expect("base");
    let nextcloud =
        Nextcloud::new(Settings::new(base), bench.clock.clone(), Ids::counting()).expect("settings");
    let error = nextcloud.ping(Duration::from_secs(5)).expect_err("closed port");
    assert_eq!((error.kind, error.detail.as_deref()), (Kind::Unreachable, Some("connection refused")));
}

#[test]
fn bad_settings_are_named() {
    let base = || Base::parse("https://cloud.example.org").expect("base");
    let made = |settings| Nextcloud::new(settings, Clock::manual(0), Ids::counting()).map(|_| ());
    let missing = Settings { ca_bundle: Some("/nonexistent/ca.pem".into()), ..Settings::new(base()) };
    assert!(made(missing).expect_err("no file").to_string().contains("/nonexistent/ca.pem"));
    let proxy = Settings { proxy: Some(Secret::new("http://u:secret@[bad")), ..Settings::new(base()) };
    let text = made(proxy).expect_err("no proxy").to_string();
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn a_configured_proxy_is_used() {
    let connected = Step::Send(b"HTTP/1.1 200 Connected\r\n\r\n".to_vec());
    let proxy = Server::new([connected, server::json(200, "{\"id\":7}")]);
    let address = proxy.address;
    let bench = Bench::with([], "", |s| s.proxy = Some(Secret::new(format!("http://{address}"))));
    assert_eq!(bench.json(get(note())).expect("through the proxy")["id"], 7);
    let nextcloud = format!("CONNECT {}", bench.server.address);
    assert_eq!(proxy.asked(), [nextcloud.as_str(), "GET /index.php/apps/notes/api/v1/notes/7"]);
    assert_eq!(proxy.seen()[0].header("Authorization"), None);
    assert!(bench.server.asked().is_empty());
}

#[test]
fn after_a_shutdown_nothing_is_sent() {
    let bench = Bench::new([server::json(200, "{}"), server::json(200, "{}")]);
    bench.json(get(note())).expect("before");
    bench.nextcloud.shutdown();
    assert_eq!(kind(bench.json(get(note()))), Kind::Cancelled);
    assert_eq!(bench.server.asked().len(), 1);
}

#[test]
fn a_shutdown_interrupts_what_is_under_way() {
    for bytes in ["", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"] {
        let bench = Bench::new([Step::Stall(bytes.into())]);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| bench.send(get(note())));
            while bench.server.asked().is_empty() {
                std::thread::yield_now();
            }
            bench.nextcloud.shutdown();
            assert_eq!(kind(waiting.join().expect("no panic")), Kind::Cancelled);
        });
        assert_eq!(bench.server.asked().len(), 1);
    }
}
