//! Requests to an identity provider, on the wire.

use super::server::{Step, answer, empty, html, json};
use super::*;

fn fetch(bench: &Bench, request: OutsideRequest) -> Result<OutsideResponse, OutsideError> {
    bench.nextcloud.outside().fetch(&request)
}

fn url(bench: &Bench, target: &str) -> String {
    format!("http://{}{target}", bench.server.address)
}

#[test]
fn a_redirect_within_the_origin_is_followed_by_a_get() {
    let bench = Bench::new([
        empty(301, "Location: /index.php/.well-known/openid-configuration\r\n"),
        json(200, "{\"issuer\":\"x\"}"),
    ]);
    let token = Secret::new("planted-token");
    let request = OutsideRequest::get(url(&bench, "/.well-known/openid-configuration")).bearer(&token);
    let found = fetch(&bench, request).expect("an answer");
    assert_eq!((found.status, found.body.as_slice()), (200, b"{\"issuer\":\"x\"}".as_slice()));
    assert_eq!(bench.server.asked()[1], "GET /index.php/.well-known/openid-configuration");
    for seen in bench.server.seen() {
        assert_eq!(seen.header("Authorization"), Some("Bearer planted-token"));
        assert_eq!(seen.header("Accept"), Some("application/json"));
        assert_eq!(seen.header("Cookie"), None);
    }
}

#[test]
fn a_redirect_elsewhere_is_not_followed() {
    for (to, named) in [
        ("https://evil.example/x", "https://evil.example"),
        ("//evil.example/x", "a place that is no address"),
        ("http://127.0.0.1:1/x", "http://127.0.0.1:1"),
        ("elsewhere", "a place that is no address"),
    ] {
        let bench = Bench::new([empty(302, &format!("Location: {to}\r\n"))]);
        let error = fetch(&bench, OutsideRequest::get(url(&bench, "/"))).expect_err(to);
        assert_eq!(error, OutsideError::Redirected { to: named.into() });
    }
}

#[test]
fn redirects_come_to_an_end() {
    let bench = Bench::new((0..5).map(|_| empty(302, "Location: /again\r\n")));
    let error = fetch(&bench, OutsideRequest::get(url(&bench, "/"))).expect_err("a circle");
    assert!(matches!(error, OutsideError::Redirected { .. }));
    assert_eq!(bench.server.asked().len(), 4);
}

#[test]
fn a_post_is_sent_again_only_where_it_stays_a_post() {
    let body = serde_json::json!({"client_name": "x"});
    let bench = Bench::new([empty(308, "Location: /b\r\n"), json(201, "{}")]);
    let found = fetch(&bench, OutsideRequest::post_json(url(&bench, "/a"), &body)).expect("an answer");
    assert_eq!((found.status, bench.server.asked()), (201, vec!["POST /a".into(), "POST /b".into()]));
    assert!(bench.server.seen().iter().all(|seen| seen.body == "{\"client_name\":\"x\"}"));
    let bench = Bench::new([empty(301, "Location: /b\r\n")]);
    let found = fetch(&bench, OutsideRequest::post_json(url(&bench, "/a"), &body)).expect("an answer");
    assert_eq!((found.status, bench.server.asked().len()), (301, 1));
}

#[test]
fn every_status_is_an_answer() {
    let bench = Bench::new([Step::Send(answer(429, "Retry-After: 7\r\n", ""))]);
    let found = fetch(&bench, OutsideRequest::delete(url(&bench, "/"))).expect("an answer");
    assert_eq!((found.status, found.retry_after_s(), found.is_web_page()), (429, Some(7), false));
    let bench = Bench::new([html(503, "<html></html>")]);
    assert!(fetch(&bench, OutsideRequest::get(url(&bench, "/"))).expect("an answer").is_web_page());
}

#[test]
fn a_long_answer_is_not_read_to_its_end() {
    let fits = "x".repeat(OUTSIDE_BYTES_MAX);
    let bench = Bench::new([json(200, &fits)]);
    let found = fetch(&bench, OutsideRequest::get(url(&bench, "/"))).expect("an answer");
    assert_eq!(found.body.len(), OUTSIDE_BYTES_MAX);
    let bench = Bench::new([json(200, &format!("{fits}x"))]);
    let found = fetch(&bench, OutsideRequest::get(url(&bench, "/")));
    assert_eq!(found.expect_err("too long"), OutsideError::TooLarge);
}

#[test]
fn forms_and_credentials_are_encoded() {
    let bench = Bench::new([json(200, "{}")]);
    let request = OutsideRequest::post_form(url(&bench, "/introspect"), &[("token", "a+b/c d&=")])
        .basic("id:1", &Secret::new("p%ss"));
    fetch(&bench, request).expect("an answer");
    let seen = &bench.server.seen()[0];
    assert_eq!(seen.body, "token=a%2Bb%2Fc%20d%26%3D");
    assert_eq!(seen.header("Content-Type"), Some("application/x-www-form-urlencoded"));
    // id%3A1:p%25ss
    assert_eq!(seen.header("Authorization"), Some("Basic aWQlM0ExOnAlMjVzcw=="));
}

#[test]
fn an_address_that_may_not_be_asked_is_not() {
    let bench = Bench::new([]);
    for (url, why) in [
        ("http://cloud.example.org/", "begins with http://, and OAuth over a network needs https://"),
        ("http://8.8.8.8/", "begins with http://, and OAuth over a network needs https://"),
        ("http://alice@localhost/", "holds a user name"),
        ("ftp://localhost/", "is no http or https URL"),
        ("/x", "is no http or https URL"),
        ("http://localhost/#x", "has a fragment"),
        ("http://local host/", "is no URL"),
    ] {
        assert_eq!(fetch(&bench, OutsideRequest::get(url)).expect_err(url), OutsideError::Address(why));
    }
}

#[test]
fn nothing_secret_is_printed() {
    let secret = Secret::new("planted");
    let form = OutsideRequest::post_form("http://localhost/", &[("client_secret", "planted")]);
    for request in [OutsideRequest::get("http://localhost/").bearer(&secret), form.basic("id", &secret)] {
        assert!(!format!("{request:?}").contains("planted"), "{request:?}");
    }
    let answer = OutsideResponse::new(200, [("X", "planted")], "planted");
    assert!(!format!("{answer:?}").contains("planted"), "{answer:?}");
}

#[test]
fn a_stopped_client_asks_nothing() {
    let bench = Bench::new([]);
    let outside = bench.nextcloud.outside();
    outside.shutdown();
    let found = outside.fetch(&OutsideRequest::get(url(&bench, "/")));
    assert_eq!(found.expect_err("stopped"), OutsideError::Stopping);
}
