//! An access token at a Nextcloud that wants more than that.

use super::server::{Seen, Step, answer, empty, html, json};
use super::*;

const CORS: &str = r#"{"message":"CORS requires basic auth"}"#;
const CSRF: &str = r#"{"message":"CSRF check failed"}"#;
const NOBODY: &str = r#"{"message":"Current user is not logged in"}"#;
const NOTE: &str = r#"{"id":7}"#;
const ASK: &str = "GET /index.php/csrftoken";
const GET: &str = "GET /index.php/apps/notes/api/v1/notes/7";

/// What `csrftoken` answers: the n-th session.
fn session(n: u32) -> Step {
    let cookies = format!(
        "Content-Type: application/json\r\nSet-Cookie: nc_sameSiteCookiestrict=true; path=/\r\n\
         Set-Cookie: oc123=session{n}; path=/; HttpOnly\r\n"
    );
    Step::Send(answer(200, &cookies, format!(r#"{{"token":"request\/token{n}:x="}}"#)))
}

fn cookies(n: u32) -> String {
    format!("nc_sameSiteCookiestrict=true; oc123=session{n}")
}

fn assert_in_session(seen: &Seen, n: u32) {
    assert_eq!(seen.header("Cookie"), Some(cookies(n).as_str()));
    assert_eq!(seen.header("requesttoken"), Some(format!("request/token{n}:x=").as_str()));
    assert_eq!(seen.header("Authorization"), Some(format!("Bearer {TOKEN}").as_str()));
}

#[test]
fn a_refused_route_is_asked_again_in_a_session_and_the_next_at_once() {
    for refusal in [json(401, CORS), json(412, CSRF)] {
        let bench = Bench::bearer([refusal, session(1), json(200, NOTE), json(200, NOTE), json(200, NOTE)]);
        bench.json(get(note())).expect("the first");
        bench.json(get(note())).expect("the second");
        let post = Request::new("POST", note()).json(&serde_json::json!({"a": 1}));
        bench.json(post).expect("a write");
        let write = "POST /index.php/apps/notes/api/v1/notes/7";
        assert_eq!(bench.server.asked(), [GET, ASK, GET, GET, write]);
        let seen = bench.server.seen();
        assert_eq!((seen[1].header("Cookie"), seen[1].header("requesttoken")), (None, None));
        seen[2..].iter().for_each(|seen| assert_in_session(seen, 1));
    }
}

#[test]
fn a_refused_write_was_not_carried_out_and_is_repeated_with_its_body() {
    let bench = Bench::bearer([json(401, CORS), session(1), json(200, NOTE)]);
    bench.json(Request::new("POST", note()).json(&serde_json::json!({"a": 1}))).expect("written");
    let seen = bench.server.seen();
    assert_eq!((seen[0].body.as_str(), seen[2].body.as_str()), (r#"{"a":1}"#, r#"{"a":1}"#));
}

#[test]
fn another_token_at_the_same_nextcloud_begins_with_the_session() {
    let bench = Bench::bearer([
        json(401, CORS),
        session(1),
        json(200, NOTE),
        empty(207, ""),
        session(2),
        json(200, NOTE),
    ]);
    bench.json(get(note())).expect("the first token");
    let (other, call) = (Account::new(Credential::Bearer(Secret::new("other"))), bench.call());
    let client = bench.nextcloud.client(&other, &call);
    client.send(Request::new("PROPFIND", UrlPath::dav())).expect("WebDAV needs none");
    client.send(get(note())).expect("the second token");
    assert_eq!(bench.server.asked(), [GET, ASK, GET, "PROPFIND /remote.php/dav", ASK, GET]);
    assert_eq!(bench.server.seen()[3].header("requesttoken"), None);
}

#[test]
fn where_the_token_alone_is_enough_nothing_else_is_asked() {
    let bench = Bench::bearer([json(200, NOTE), json(200, NOTE)]);
    bench.json(get(note())).expect("the first");
    bench.json(get(note())).expect("the second");
    assert_eq!(bench.server.asked(), [GET, GET]);
    assert_eq!(bench.server.seen()[0].header("OCS-APIRequest"), Some("true"));
}

#[test]
fn an_expired_session_is_renewed_once() {
    for expired in [json(401, CORS), json(412, CSRF), json(401, NOBODY)] {
        let bench = Bench::bearer([
            json(401, CORS),
            session(1),
            json(200, NOTE),
            expired,
            session(2),
            json(200, NOTE),
        ]);
        bench.json(get(note())).expect("in the first session");
        bench.json(get(note())).expect("in the second session");
        assert_eq!(bench.server.asked(), [GET, ASK, GET, GET, ASK, GET]);
        assert_in_session(&bench.server.seen()[5], 2);
    }
}

#[test]
fn a_session_that_is_refused_too_is_an_error() {
    let bench = Bench::bearer([json(401, CORS), session(1), json(401, CORS)]);
    assert_eq!(kind(bench.json(get(note()))), Kind::SessionRequired);
    assert_eq!(bench.server.asked().len(), 3);
}

#[test]
fn a_token_that_is_refused_in_a_new_session_rests() {
    // `csrftoken` answers everybody, and so does not show that the token is bad.
    let bench = Bench::bearer([json(401, CORS), session(1), json(401, NOBODY)]);
    let error = bench.json(get(note())).expect_err("refused");
    assert_eq!(error.kind, Kind::Unauthorized);
    assert!(error.to_string().contains("oidc_provider_bearer_validation --value=true"), "{error}");
    assert_eq!(kind(bench.json(get(note()))), Kind::Unauthorized);
    assert_eq!(bench.server.asked(), [GET, ASK, GET]);
}

#[test]
fn a_token_that_worked_before_has_expired() {
    let bench = Bench::bearer([json(200, NOTE), json(401, NOBODY)]);
    bench.json(get(note())).expect("a note");
    let error = bench.json(get(note())).expect_err("expired").to_string();
    assert!(error.contains("has expired or was revoked") && !error.contains("occ"), "{error}");
    assert_eq!(bench.server.asked().len(), 2);
}

#[test]
fn an_empty_ocs_answer_proves_nothing_and_is_a_refusal() {
    let bench = Bench::bearer([html(200, "")]);
    let tables = || get(UrlPath::ocs("/apps/tables/api/2/tables"));
    let call = bench.call();
    let client = bench.nextcloud.client(&bench.account, &call);
    let error = client.ocs::<serde_json::Value>(tables()).expect_err("empty");
    assert_eq!(error.kind, Kind::Unauthorized);
    assert!(error.operator_hint().is_some_and(|hint| hint.contains("occ app:enable user_oidc")));
    assert_eq!(client.ocs::<serde_json::Value>(tables()).expect_err("rests").kind, Kind::Unauthorized);
    assert_eq!(bench.server.asked().len(), 1);
}

#[test]
fn no_session_to_be_had_leaves_the_first_refusal() {
    for absent in [json(404, "{}"), html(200, "<!DOCTYPE html>"), json(200, r#"{"token":"a\nb"}"#)] {
        let bench = Bench::bearer([json(401, CORS), absent]);
        assert_eq!(kind(bench.json(get(note()))), Kind::SessionRequired);
    }
    let bench = Bench::bearer([json(401, CORS), empty(503, "")]);
    assert_eq!(kind(bench.json(get(note()))), Kind::Unavailable);
}

#[test]
fn a_write_that_is_sent_back_for_its_cookies_is_repeated() {
    let back = "Location: /index.php/apps/notes/api/v1/notes/7\r\n";
    let bounce = |more: &str| empty(302, &format!("{back}{more}"));
    let given = "Set-Cookie: nc_sameSiteCookiestrict=true; path=/\r\n";
    let begun = || empty(200, "Set-Cookie: oc123=a; path=/\r\n");
    let post = || Request::new("POST", note());
    let bench = Bench::bearer([begun(), bounce(given), json(200, NOTE)]);
    bench.send(get(note())).expect("a session");
    bench.send(post()).expect("repeated");
    let again = bench.server.seen().pop().expect("a request");
    assert_eq!(again.header("Cookie"), Some("oc123=a; nc_sameSiteCookiestrict=true"));
    let bench = Bench::bearer([begun(), bounce("")]);
    bench.send(get(note())).expect("a session");
    assert_eq!(kind(bench.send(post())), Kind::Redirected);
    let bench = Bench::bearer([begun(), bounce(given), bounce(given), bounce(given), bounce(given)]);
    bench.send(get(note())).expect("a session");
    assert_eq!(kind(bench.send(post())), Kind::Redirected);
    assert_eq!(bench.server.asked().len(), 5);
}

#[test]
fn webdav_that_refuses_a_session_is_asked_without_it() {
    let refusal = r#"<?xml version="1.0"?><d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns"><s:message>CSRF check not passed.</s:message></d:error>"#;
    let bench = Bench::bearer([
        empty(207, "Set-Cookie: oc123=a; path=/\r\n"),
        server::xml(401, refusal),
        empty(201, ""),
    ]);
    bench.send(Request::new("PROPFIND", file())).expect("a session");
    bench.send(Request::new("MKCOL", file())).expect("without it");
    let seen = bench.server.seen();
    assert_eq!((seen[1].header("Cookie"), seen[2].header("Cookie")), (Some("oc123=a"), None));
}

#[test]
fn an_app_password_gets_a_session_too_but_a_401_is_never_repeated() {
    let bench = Bench::new([json(412, CSRF), session(1), json(200, NOTE), json(401, NOBODY)]);
    bench.json(get(note())).expect("in a session");
    let error = bench.json(get(note())).expect_err("revoked");
    assert_eq!((error.kind, error.operator_hint()), (Kind::Unauthorized, None));
    assert_eq!(bench.server.asked(), [GET, ASK, GET, GET]);
}

#[test]
fn an_answer_of_an_older_session_does_not_disturb_the_new_one() {
    let bench = Bench::bearer([json(401, CORS), session(1), json(200, NOTE), json(200, NOTE)]);
    bench.json(get(note())).expect("a session");
    let call = bench.call();
    let client = bench.nextcloud.client(&bench.account, &call);
    let mut headers = ureq::http::HeaderMap::new();
    headers.insert("Set-Cookie", "oc123=late; path=/".parse().expect("a header"));
    let late = ResponseHead { status: 200, headers };
    client.keep_cookies(&get(note()), "/", &late, crate::nextcloud::bearer::Shown::default());
    bench.json(get(note())).expect("in the same session");
    assert_in_session(&bench.server.seen()[3], 1);
}

#[test]
fn calls_at_the_same_time_begin_one_session() {
    let bench = Bench::bearer(
        [json(200, NOTE)]
            .into_iter()
            .chain([json(401, CORS), session(1)])
            .chain((0..5).map(|_| json(200, NOTE))),
    );
    bench.json(get(note())).expect("accepted");
    bench.json(get(note())).expect("a session");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| bench.json(get(note())).expect("a note"));
        }
    });
    assert_eq!(bench.server.asked().iter().filter(|asked| *asked == ASK).count(), 1);
}

const PASSWORD_ANSWER: &str =
    r#"{"ocs":{"meta":{"status":"ok","statuscode":200,"message":"OK"},"data":{"apppassword":"planted72"}}}"#;
const ASK_PASSWORD: &str = "GET /ocs/v2.php/core/getapppassword";

#[test]
fn a_token_is_exchanged_for_an_app_password_outside_the_session() {
    let begun = empty(200, "Set-Cookie: oc123=a; path=/\r\n");
    let given = "Content-Type: application/json\r\nSet-Cookie: oc123=b; path=/\r\n";
    let bench = Bench::bearer([begun, Step::Send(answer(200, given, PASSWORD_ANSWER)), json(200, NOTE)]);
    bench.send(get(note())).expect("a session");
    let call = bench.call();
    let password = bench.nextcloud.client(&bench.account, &call).app_password().expect("an app password");
    assert_eq!(password.expose(), "planted72");
    bench.send(get(note())).expect("in the old session");
    let seen = bench.server.seen();
    assert_eq!(bench.server.asked()[1], ASK_PASSWORD);
    assert_eq!((seen[1].header("Cookie"), seen[2].header("Cookie")), (None, Some("oc123=a")));
}

#[test]
fn a_refused_app_password_has_a_clear_kind_and_is_asked_for_once() {
    let refused = r#"{"ocs":{"meta":{"status":"failure","statuscode":403,"message":"Password confirmation is required"},"data":[]}}"#;
    for (step, expected) in [
        (json(403, refused), Kind::Forbidden),
        (json(401, r#"{"ocs":{"meta":{"statuscode":997},"data":[]}}"#), Kind::Unauthorized),
        (html(200, ""), Kind::Unauthorized),
        (json(200, r#"{"ocs":{"meta":{"statuscode":200},"data":{}}}"#), Kind::Malformed),
        (
            json(200, r#"{"ocs":{"meta":{"statuscode":200},"data":{"apppassword":"a\r\nb"}}}"#),
            Kind::Malformed,
        ),
        (Step::Hangup, Kind::Unreachable),
        (Step::Last(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".to_vec()), Kind::CutShort),
    ] {
        let bench = Bench::bearer([step]);
        let call = bench.call();
        assert_eq!(kind(bench.nextcloud.client(&bench.account, &call).app_password()), expected);
        assert_eq!(bench.server.asked(), [ASK_PASSWORD]);
    }
}

#[test]
fn a_revoked_app_password_is_not_used_any_more() {
    let done = r#"{"ocs":{"meta":{"status":"ok","statuscode":200,"message":"OK"},"data":[]}}"#;
    let bench = Bench::new([json(200, done)]);
    let call = bench.call();
    bench.nextcloud.client(&bench.account, &call).revoke_app_password().expect("revoked");
    assert_eq!(kind(bench.json(get(note()))), Kind::Unauthorized);
    assert_eq!(bench.server.asked(), ["DELETE /ocs/v2.php/core/apppassword"]);
    let bearer = Bench::bearer([]);
    let refused = bearer.nextcloud.client(&bearer.account, &call).revoke_app_password();
    assert_eq!(kind(refused), Kind::Forbidden);
}

#[test]
fn nothing_of_a_session_is_printed() {
    let bench = Bench::bearer([json(401, CORS), session(1), json(401, CORS)]);
    let error = bench.json(get(note())).expect_err("refused");
    let shown = format!("{error} {error:?} {:?} {:?}", bench.account, bench.nextcloud);
    for secret in [TOKEN, "session1", "token1"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
