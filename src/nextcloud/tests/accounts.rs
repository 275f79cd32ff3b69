//! What is remembered about a credential: its worth, its session, its owner, its turns.

use super::server::{Step, empty, html, json, xml};
use super::*;

const REFUSED: &str = r#"{"ocs":{"meta":{"status":"failure","statuscode":997,"message":"Current user is not logged in"},"data":[]}}"#;

#[test]
fn a_refused_credential_is_not_shown_again_for_a_minute() {
    let bench = Bench::new([json(401, REFUSED), json(401, REFUSED), json(200, "{}"), json(200, "{}")]);
    assert_eq!(kind(bench.json(get(note()))), Kind::Unauthorized);
    let error = bench.json(get(note())).expect_err("still refused");
    assert_eq!((error.kind, error.status, error.retry_after_s), (Kind::Unauthorized, None, Some(60)));
    assert_eq!(bench.server.asked().len(), 1);
    bench.clock.advance(Duration::from_secs(61));
    assert_eq!(kind(bench.json(get(note()))), Kind::Unauthorized);
    assert_eq!(kind(bench.json(get(note()))), Kind::Unauthorized);
    assert_eq!(bench.server.asked().len(), 2);
    bench.clock.advance(Duration::from_secs(61));
    bench.json(get(note())).expect("the password is right now");
    bench.json(get(note())).expect("and stays right");
}

#[test]
fn another_account_is_not_affected_by_a_refusal() {
    let bench = Bench::new([json(401, REFUSED), json(200, "{}")]);
    assert_eq!(kind(bench.json(get(note()))), Kind::Unauthorized);
    let other = Account::new(Credential::Bearer(Secret::new("token")));
    let call = bench.call();
    bench.nextcloud.client(&other, &call).send(get(note())).expect("another credential");
    assert_eq!(bench.server.seen()[1].header("Authorization"), Some("Bearer token"));
}

#[test]
fn an_untried_credential_is_tried_by_one_request_at_a_time() {
    let bench = Bench::new((0..4).map(|_| json(401, REFUSED)));
    let call = bench.call();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                assert_eq!(
                    kind(bench.nextcloud.client(&bench.account, &call).send(get(note()))),
                    Kind::Unauthorized
                );
            });
        }
    });
    assert_eq!(bench.server.asked().len(), 1);
}

#[test]
fn an_accepted_credential_needs_no_probe() {
    let bench = Bench::new([empty(503, ""), json(404, "{}")]);
    let admission = || bench.account.admission(bench.clock.monotonic());
    assert_eq!(kind(bench.send(get(note()))), Kind::Unavailable);
    assert_eq!(admission(), account::Admission::Probe);
    assert_eq!(kind(bench.send(get(note()))), Kind::NotFound);
    assert_eq!(admission(), account::Admission::Free);
}

#[test]
fn a_route_that_takes_no_tokens_says_nothing_about_the_token() {
    let bench = Bench::new([
        json(401, r#"{"message":"CORS requires basic auth"}"#),
        json(404, "{}"),
        json(200, "{}"),
    ]);
    assert_eq!(kind(bench.json(get(note()))), Kind::SessionRequired);
    bench.json(get(note())).expect("the token is good elsewhere");
}

#[test]
fn a_refused_session_is_dropped_and_the_credential_tried_without_it() {
    let bench = Bench::new([
        empty(200, "Set-Cookie: oc123=abc; path=/; HttpOnly\r\n"),
        json(401, REFUSED),
        empty(200, ""),
    ]);
    bench.send(get(note())).expect("a session");
    assert_eq!(kind(bench.send(get(note()))), Kind::Unauthorized);
    bench.send(get(note())).expect("without the session");
    let cookies: Vec<_> = bench.server.seen().iter().map(|s| s.header("Cookie").map(str::to_owned)).collect();
    assert_eq!(cookies, [None, Some("oc123=abc".into()), None]);
}

#[test]
fn sessions_of_webdav_and_of_the_rest_are_kept_apart() {
    let session = |id: &str| empty(200, &format!("Set-Cookie: oc123={id}; path=/\r\n"));
    let bench = Bench::with([session("rest"), session("dav"), empty(200, ""), empty(200, "")], "/nc", |_| {});
    for path in [note(), file(), UrlPath::ocs("/cloud/user"), file()] {
        bench.send(get(path)).expect("an answer");
    }
    let cookies: Vec<_> = bench.server.seen().iter().map(|s| s.header("Cookie").map(str::to_owned)).collect();
    assert_eq!(cookies, [None, None, Some("oc123=rest".into()), Some("oc123=dav".into())]);
}

#[test]
fn accounts_do_not_share_cookies() {
    let bench = Bench::new([empty(200, "Set-Cookie: oc123=alice; path=/\r\n"), empty(200, "")]);
    bench.send(get(note())).expect("alice");
    let bob = Account::new(Credential::Basic { user: "bob".into(), password: Secret::new("x") });
    let call = bench.call();
    bench.nextcloud.client(&bob, &call).send(get(note())).expect("bob");
    assert_eq!(bench.server.seen()[1].header("Cookie"), None);
}

fn multistatus(inner: &str) -> Step {
    xml(
        207,
        &format!(
            "<?xml version=\"1.0\"?>\n<d:multistatus xmlns:d=\"DAV:\" xmlns:cal=\"urn:ietf:params:xml:ns:caldav\" \
         xmlns:card=\"urn:ietf:params:xml:ns:carddav\"><d:response><d:href>/nc/remote.php/dav/</d:href><d:propstat>\
         <d:prop>{inner}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"
        ),
    )
}

#[test]
fn the_user_id_is_asked_for_once_and_is_not_the_login_name() {
    let principal = "<d:current-user-principal><d:href>/nc/remote.php/dav/principals/users/5f%20b9/</d:href>\
                     </d:current-user-principal>";
    let homes = "<d:displayname>Alice Example</d:displayname><cal:calendar-home-set><d:href>\
                 /nc/remote.php/dav/calendars/5f%20b9/</d:href></cal:calendar-home-set><cal:calendar-user-address-set>\
                 <d:href>mailto:alice@example.com</d:href><d:href>/nc/remote.php/dav/principals/users/5f%20b9/</d:href>\
                 </cal:calendar-user-address-set>";
    let bench = Bench::with([multistatus(principal), multistatus(homes)], "/nc", |_| {});
    let call = bench.call();
    let client = bench.nextcloud.client(&bench.account, &call);
    assert_eq!(client.user_id().expect("user id"), "5f b9");
    let path = client.files(["Documents", "a#b.txt"]).expect("path");
    assert_eq!(path.as_str(), "/remote.php/dav/files/5f%20b9/Documents/a%23b.txt");
    assert_eq!(client.href(&path), "/nc/remote.php/dav/files/5f%20b9/Documents/a%23b.txt");
    let homes = client.homes().expect("homes");
    assert_eq!(homes.calendars.as_str(), "/remote.php/dav/calendars/5f%20b9/");
    assert_eq!(homes.address_books.as_str(), "/remote.php/dav/addressbooks/users/5f%20b9/");
    assert_eq!(homes.emails, ["alice@example.com"]);
    assert_eq!(homes.display_name.as_deref(), Some("Alice Example"));
    client.homes().and_then(|_| client.user_id()).expect("remembered");
    assert_eq!(
        bench.server.asked(),
        ["PROPFIND /nc/remote.php/dav/", "PROPFIND /nc/remote.php/dav/principals/users/5f%20b9/"]
    );
}

#[test]
fn an_account_that_is_nobody_is_refused() {
    let bench = Bench::new([multistatus(
        "<d:current-user-principal><d:unauthenticated/></d:current-user-principal>",
    )]);
    let call = bench.call();
    assert_eq!(kind(bench.nextcloud.client(&bench.account, &call).user_id()), Kind::Unauthorized);
}

#[test]
fn capabilities_are_asked_for_every_30_seconds() {
    let body = r#"{"ocs":{"meta":{"status":"ok","statuscode":200,"message":"OK"},"data":{"version":{"major":29,"minor":0,"micro":6},"capabilities":{"notes":{"version":"4.13.1"}}}}}"#;
    let bench = Bench::new([json(200, body), json(200, body)]);
    let call = bench.nextcloud.call(Duration::from_secs(600));
    let client = bench.nextcloud.client(&bench.account, &call);
    for _ in 0..3 {
        let capabilities = client.capabilities().expect("capabilities");
        assert!(capabilities.has_app("notes") && capabilities.version.major == 29);
        bench.clock.advance(Duration::from_secs(14));
    }
    client.capabilities().expect("capabilities");
    assert_eq!(
        bench.server.asked(),
        ["GET /ocs/v2.php/cloud/capabilities", "GET /ocs/v2.php/cloud/capabilities"]
    );
}

#[test]
fn capabilities_prove_no_credential() {
    let body = r#"{"ocs":{"meta":{"statuscode":200},"data":{}}}"#;
    let bench = Bench::new([json(200, body), json(401, REFUSED)]);
    let call = bench.call();
    bench.nextcloud.client(&bench.account, &call).capabilities().expect("public");
    assert_eq!(bench.account.admission(bench.clock.monotonic()), account::Admission::Probe);
    assert_eq!(kind(bench.send(get(note()))), Kind::Unauthorized);
}

#[test]
fn calls_to_one_app_take_turns() {
    let bench = Bench::new([]);
    let (call, short) = (bench.call(), bench.nextcloud.call(Duration::from_millis(2)));
    let (first, second) =
        (bench.nextcloud.client(&bench.account, &call), bench.nextcloud.client(&bench.account, &short));
    let turn = first.serialize("notes").expect("the first");
    assert_eq!(second.serialize("notes").err().map(|e| e.kind), Some(Kind::Busy));
    drop(second.serialize("deck").expect("another app"));
    drop(turn);
    drop(second.serialize("notes").expect("the turn is free"));
}

#[test]
fn no_more_requests_run_at_a_time_than_set() {
    let bench = Bench::with([html(200, "x"), html(200, "x")], "", |s| s.parallel = 1);
    let short = bench.nextcloud.call(Duration::from_millis(2));
    let call = bench.call();
    let during = bench.nextcloud.client(&bench.account, &call).stream(get(file()), &mut |_| {
        let second = bench.nextcloud.client(&bench.account, &short).send(get(note()));
        assert_eq!(kind(second), Kind::Busy);
        std::ops::ControlFlow::Continue(())
    });
    during.expect("the first has the only place");
    bench.send(get(note())).expect("the place is free");
    assert_eq!(bench.server.asked().len(), 2);
}
