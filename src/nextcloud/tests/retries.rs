//! What is sent again, what is not, and where redirects lead.

use super::server::{Server, Step, answer, empty, html, json, xml};
use super::*;

const LOCKED: &str = r#"{"errorType":"OCP\\Lock\\LockedException"}"#;

#[test]
fn a_read_is_repeated_once_when_the_connection_was_gone() {
    let bench = Bench::new([json(200, "{}"), Step::Hangup, json(200, "{\"id\":7}")]);
    bench.json(get(note())).expect("first");
    assert_eq!(bench.json(get(note())).expect("repeated")["id"], 7);
    let connections: Vec<_> = bench.server.seen().iter().map(|s| s.connection).collect();
    assert_eq!(connections, [0, 0, 1]);
}

#[test]
fn the_repetition_does_not_use_another_old_connection() {
    let bench = Bench::new([html(200, "x"), json(200, "{}"), Step::Hangup, json(200, "{}")]);
    let call = bench.call();
    let client = bench.nextcloud.client(&bench.account, &call);
    let two_connections = client.stream(get(file()), &mut |_| {
        client.send(get(note())).expect("beside the stream");
        std::ops::ControlFlow::Continue(())
    });
    two_connections.expect("the stream");
    bench.json(get(note())).expect("repeated");
    let connections: Vec<_> = bench.server.seen().iter().map(|s| s.connection).collect();
    assert_eq!((connections[..2].to_vec(), connections[3]), (vec![0, 1], 2));
}

#[test]
fn a_read_is_not_repeated_twice() {
    let bench = Bench::new([Step::Hangup, Step::Hangup, json(200, "{}")]);
    let propfind = Request::new("PROPFIND", UrlPath::dav()).xml("<x/>");
    assert_eq!(kind(bench.send(propfind)), Kind::Unreachable);
    assert_eq!(bench.server.asked().len(), 2);
}

#[test]
fn a_write_is_repeated_only_with_a_condition() {
    for method in ["POST", "PUT", "DELETE", "MKCOL", "MOVE", "PROPPATCH"] {
        let bench = Bench::new([Step::Hangup, empty(201, "")]);
        assert_eq!(kind(bench.send(Request::new(method, file()))), Kind::Uncertain);
        assert_eq!(bench.server.asked().len(), 1, "{method}");
    }
    let bench = Bench::new([Step::Hangup, empty(204, "")]);
    let put = Request::new("PUT", file()).if_match("a").body("text", "text/plain");
    assert_eq!(bench.send(put).expect("repeated").status, 204);
    assert!(bench.server.seen().iter().all(|s| s.body == "text" && s.header("If-Match") == Some("\"a\"")));
}

#[test]
fn a_repeated_write_whose_condition_fails_may_have_been_done_at_first() {
    for (method, status) in [("PUT", 412), ("DELETE", 404), ("DELETE", 412)] {
        let bench = Bench::new([Step::Hangup, json(status, "{}")]);
        let write = Request::new(method, file()).if_match("a");
        assert_eq!(kind(bench.send(write)), Kind::Uncertain, "{method} {status}");
    }
    let bench = Bench::new([json(412, "{}")]);
    assert_eq!(kind(bench.send(Request::new("PUT", file()).if_match("a"))), Kind::PreconditionFailed);
}

#[test]
fn a_lock_is_waited_for() {
    let bench = Bench::new([json(423, LOCKED), json(423, LOCKED), json(200, "{}")]);
    bench.json(Request::new("POST", note())).expect("the lock is gone");
    let waited = bench.clock.now().unix_ms - 1_795_476_751_000;
    assert!((450..=750).contains(&waited), "{waited}");
}

#[test]
fn a_lock_that_stays_is_an_error() {
    let bench = Bench::new((0..5).map(|_| json(423, LOCKED)));
    let error = bench.json(get(note())).expect_err("locked");
    assert_eq!((error.kind, error.status), (Kind::Locked, Some(423)));
    assert_eq!(bench.server.asked().len(), 4);
}

#[test]
fn a_move_onto_a_locked_file_is_locked_and_not_repeated() {
    let body = "<d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\"><s:exception>OCP\\Lock\\LockedException\
                </s:exception><s:message>\"locked.bin\" is locked</s:message></d:error>";
    let bench = Bench::new([xml(500, body), empty(201, "")]);
    let error = bench.send(Request::new("MOVE", file()).destination(&file())).expect_err("locked");
    assert_eq!((error.kind, error.detail.as_deref()), (Kind::Locked, Some("\"locked.bin\" is locked")));
    assert_eq!(bench.server.asked().len(), 1);
}

#[test]
fn retry_after_is_waited_for_if_it_fits() {
    let bench =
        Bench::new([empty(503, "Retry-After: 2\r\n"), empty(429, "Retry-After: 3\r\n"), json(200, "{}")]);
    bench.json(Request::new("POST", note())).expect("after the waits");
    assert_eq!(bench.clock.now().unix_ms, 1_795_476_756_000);
}

#[test]
fn a_wait_beyond_the_calls_time_is_told_instead() {
    let maintenance = answer(
        503,
        "Content-Type: text/html\r\nX-Nextcloud-Maintenance-Mode: 1\r\nRetry-After: 120\r\n",
        "<!DOCTYPE html>",
    );
    let bench = Bench::new([Step::Send(maintenance)]);
    let error = bench.json(get(note())).expect_err("maintenance");
    assert_eq!((error.kind, error.retry_after_s), (Kind::Maintenance, Some(120)));
    assert_eq!(bench.server.asked().len(), 1);
    assert!(error.to_string().contains("Wait 120 s."), "{error}");
}

#[test]
fn a_throttle_without_a_time_is_final() {
    let bench = Bench::new([json(429, r#"{"message":"Reached maximum delay"}"#), json(200, "{}")]);
    assert_eq!(kind(bench.json(get(note()))), Kind::Throttled);
    assert_eq!(bench.server.asked().len(), 1);
}

#[test]
fn a_cancelled_call_does_not_wait() {
    let bench = Bench::new([json(423, LOCKED)]);
    let call = bench.call();
    call.cancel.cancel();
    let client = bench.nextcloud.client(&bench.account, &call);
    assert_eq!(kind(client.send(get(note()))), Kind::Cancelled);
    assert!(bench.server.asked().is_empty());
}

#[test]
fn a_redirect_within_the_origin_keeps_method_and_body() {
    let bench = Bench::new([
        empty(301, "Location: /nc/remote.php/dav/\r\n"),
        empty(308, "Location: /nc/x?y=1\r\n"),
        xml(207, "<d:multistatus xmlns:d=\"DAV:\"/>"),
    ]);
    let call = bench.call();
    let propfind = Request::new("PROPFIND", UrlPath::dav()).xml("<x/>");
    bench.nextcloud.client(&bench.account, &call).multistatus(propfind).expect("followed");
    assert_eq!(
        bench.server.asked(),
        ["PROPFIND /remote.php/dav", "PROPFIND /nc/remote.php/dav/", "PROPFIND /nc/x?y=1"]
    );
    assert!(bench.server.seen().iter().all(|s| s.body == "<x/>" && s.header("Authorization").is_some()));
}

#[test]
fn a_redirect_to_another_origin_is_told_and_not_followed() {
    let other = Server::new([json(200, "{}")]);
    let location = format!("Location: http://{}/nc/index.php/apps/notes/api/v1/notes/7\r\n", other.address);
    let bench = Bench::new([empty(302, &location)]);
    let error = bench.json(get(note())).expect_err("another origin");
    assert_eq!(error.kind, Kind::Redirected);
    assert_eq!(error.detail, Some(format!("redirect to http://{}/nc", other.address)));
    assert!(error.to_string().contains("NEXTCLOUD_HOST") && other.asked().is_empty());
}

#[test]
fn a_protocol_relative_redirect_is_another_origin() {
    let bench = Bench::new([empty(302, "Location: //evil.example/x\r\n"), json(200, "{}")]);
    assert_eq!(kind(bench.json(get(note()))), Kind::Redirected);
    assert_eq!(bench.server.asked().len(), 1);
}

#[test]
fn a_write_is_never_redirected() {
    for method in ["POST", "PUT", "DELETE", "MOVE", "PROPPATCH"] {
        let bench = Bench::new([empty(307, "Location: /x\r\n"), empty(200, "")]);
        assert_eq!(kind(bench.send(Request::new(method, file()))), Kind::Redirected);
        assert_eq!(bench.server.asked().len(), 1, "{method}");
    }
}

#[test]
fn redirects_end_after_three() {
    let bench = Bench::new((0..9).map(|_| empty(302, "Location: /x\r\n")));
    assert_eq!(kind(bench.json(get(note()))), Kind::Redirected);
    assert_eq!(bench.server.asked().len(), 4);
}

#[test]
fn the_login_page_is_a_refused_credential() {
    let bench =
        Bench::new([empty(303, "Location: /login?redirect_url=/index.php/apps/notes/\r\n"), html(200, "")]);
    assert_eq!(kind(bench.json(get(note()))), Kind::Unauthorized);
    assert_eq!(bench.server.asked().len(), 1);
}

#[test]
fn a_silent_server_ends_with_the_calls_time() {
    let bench = Bench::new([Step::Stall(Vec::new())]);
    let call = bench.nextcloud.call(Duration::from_millis(30));
    let client = bench.nextcloud.client(&bench.account, &call);
    assert_eq!(kind(client.send(get(note()))), Kind::TimedOut);
    assert_eq!(bench.server.asked().len(), 1);
}

#[test]
fn a_call_without_time_sends_nothing() {
    let bench = Bench::new([json(200, "{}")]);
    let call = bench.nextcloud.call(Duration::ZERO);
    assert_eq!(kind(bench.nextcloud.client(&bench.account, &call).send(get(note()))), Kind::TimedOut);
    assert!(bench.server.asked().is_empty());
}

#[test]
fn without_keepalive_each_request_has_its_connection() {
    let bench = Bench::with([json(200, "{}"), json(200, "{}")], "", |s| s.keepalive = false);
    bench.json(get(note())).expect("first");
    bench.json(get(note())).expect("second");
    let seen = bench.server.seen();
    assert_eq!((seen[0].connection, seen[1].connection), (0, 1));
    assert_eq!(seen[0].header("Connection"), Some("close"));
}
