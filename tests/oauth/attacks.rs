//! Attacks on the way of a browser, over HTTP (RFC 9700, OAuth security). Those on codes and tokens that need no browser are in
//! `src/broker/tests.rs`.

use std::net::TcpListener;

use serde_json::json;

use crate::cloud::Cloud;
use crate::site::Site;
use crate::web::{Browser, Client, REDIRECT, URL, location, parameter};

const EVIL: &str = "</title><script>alert(1)</script>\"><img src=x onerror=\"alert(2)\">";

#[test]
fn a_browser_is_sent_to_no_address_that_is_not_the_clients() {
    let cloud = Cloud::new();
    let running = Site::new(&cloud.provider).ready();
    let (client, browser) = (Client::registered(&running), Browser::new(&running));
    for uri in [
        "https://evil.example/",
        "http://localhost:3334/callback/../evil",
        "http://localhost:3334/callback?x=1",
        "http://localhost:3334@evil.example/callback",
        "http://localhost.evil.example:3334/callback",
        "http://127.0.0.1:3334/callback",
        "//evil.example/callback",
        "javascript:alert(1)",
        "",
    ] {
        // Without one, the only one that there is counts.
        let answer = browser.get(&client.authorize_url(&[("redirect_uri", uri), ("response_type", "token")]));
        let expected = if uri.is_empty() { 303 } else { 400 };
        assert_eq!(answer.status, expected, "{uri}: {}", answer.whole);
        let to = answer.header("Location");
        assert!(to.is_none_or(|to| to.starts_with(REDIRECT)), "{uri}");
    }
    // Nor to a site that anybody registered, before a person has decided.
    let site = Client::with(&running, &json!({"redirect_uris": ["https://evil.example/cb"]}));
    for fault in [("response_type", "token"), ("scope", "none"), ("code_challenge_method", "plain")] {
        let url = site.authorize_url(&[("redirect_uri", "https://evil.example/cb"), fault]);
        let answer = browser.get(&url);
        assert_eq!((answer.status, answer.header("Location")), (400, None), "{fault:?}");
        assert!(answer.whole.contains(">Back to evil.example</a>"), "{}", answer.whole);
    }
    running.stopped();
}

#[test]
fn what_clients_and_addresses_say_becomes_no_part_of_a_page() {
    let cloud = Cloud::new();
    let running = Site::new(&cloud.provider).ready();
    let client = Client::with(&running, &json!({"client_name": EVIL, "redirect_uris": [REDIRECT]}));
    let browser = Browser::new(&running);
    let client_id = format!("client_id={}", EVIL.replace(' ', "%20").replace('"', "%22"));
    for url in [
        client.authorize_url(&[]),
        client.authorize_url(&[("client_id", EVIL)]),
        client.authorize_url(&[("redirect_uri", EVIL)]),
        client.authorize_url(&[("state", EVIL)]),
        format!("/oauth/authorize?{}", client_id.replace('<', "%3C").replace('>', "%3E")),
        "/oauth/callback?error=%3Cscript%3E&error_description=%3Cscript%3E&state=%3Cscript%3E".to_owned(),
        "/oauth/wait?ticket=%3Cscript%3E".to_owned(),
    ] {
        let page = browser.get(&url).whole;
        let body = page.split_once("\r\n\r\n").expect("a body").1;
        assert!(body.starts_with("<!DOCTYPE html>"), "{body}");
        for danger in ["<script", "<img", "onerror=\""] {
            assert!(!body.contains(danger), "{url}: {danger} in {body}");
        }
    }
    // No header can be smuggled in by what is carried back.
    let url = client.authorize_url(&[("response_type", "token"), ("state", "x\r\nSet-Cookie: a=b")]);
    assert!(!browser.get(&url).whole.contains("\r\nSet-Cookie: a=b"));
    running.stopped();
}

#[test]
fn a_login_goes_on_in_no_other_browser() {
    let cloud = Cloud::new();
    let running = Site::new(&cloud.provider).ready();
    let client = Client::registered(&running);
    let (own, other) = (Browser::new(&running), Browser::new(&running));
    // The attacker's consent form and the attacker's way back, put into the victim's browser.
    let ticket = own.ticket(&client.authorize_url(&[]));
    assert_eq!(other.say_yes(&ticket).status, 400);
    let callback = own.at_provider(&location(&own.say_yes(&ticket)));
    other.ticket(&client.authorize_url(&[]));
    for browser in [&other, &Browser::new(&running)] {
        let answer = browser.get(&callback);
        assert_eq!((answer.status, answer.header("Location")), (400, None), "{}", answer.whole);
    }
    assert!(cloud.provider.asked("/apps/oidc/token").is_empty());
    // A mix-up of two logins of one browser: the state of one, the page of the other.
    let second = own.ticket(&client.authorize_url(&[]));
    let mixed = callback.replace(&parameter(&callback, "state").expect("a state"), &second);
    assert_eq!(own.get(&mixed).status, 400, "it has not been consented to");
    client.redeem(&location(&own.get(&callback)));
    running.stopped();
}

#[test]
fn an_answer_of_another_login_or_another_issuer_is_not_accepted() {
    let cloud = Cloud::new();
    let running = Site::new(&cloud.provider).ready();
    let (client, browser) = (Client::registered(&running), Browser::new(&running));
    let callback = || {
        let ticket = browser.ticket(&client.authorize_url(&[]));
        browser.at_provider(&location(&browser.say_yes(&ticket)))
    };
    let foreign = format!("{}&iss=https%3A%2F%2Fevil.example", callback());
    assert_eq!(browser.get(&foreign).status, 502);
    assert!(cloud.provider.asked("/apps/oidc/token").is_empty(), "the code was not shown to anybody");
    cloud.login().nonce = Some("nonce-of-another-login".into());
    let answer = browser.get(&callback());
    assert_eq!(answer.status, 502);
    assert!(!answer.whole.contains("nonce"), "{}", answer.whole);
    assert_eq!(cloud.login().made, 0);
    running.stopped();
}

#[test]
fn forms_and_ways_back_that_are_sent_twice_count_once() {
    let cloud = Cloud::new();
    let running = Site::new(&cloud.provider).ready();
    let (client, browser) = (Client::registered(&running), Browser::new(&running));
    let ticket = browser.ticket(&client.authorize_url(&[]));
    let to = location(&browser.say_yes(&ticket));
    assert_eq!(location(&browser.say_yes(&ticket)), to);
    let callback = browser.at_provider(&to);
    let back = location(&browser.get(&callback));
    assert_eq!(location(&browser.get(&callback)), back);
    assert_eq!(location(&browser.say_yes(&ticket)), back, "the back button, and yes again");
    assert_eq!((cloud.provider.asked("/apps/oidc/token").len(), cloud.login().made), (1, 1));
    client.redeem(&back);
    client.reads_a_note();
    // The code again: what it gave is over.
    assert_eq!(client.exchange(&parameter(&back, "code").expect("a code")).status, 400);
    assert_eq!(client.call().status, 401);
    running.stopped();
}

#[test]
fn a_session_that_was_planted_is_nobodys() {
    let cloud = Cloud::new();
    let running = Site::new(&cloud.provider).ready();
    let (client, browser) = (Client::registered(&running), Browser::new(&running));
    let planted = ("nextcloud-mcp-session-8000".to_owned(), "A".repeat(43));
    browser.cookies.borrow_mut().push(planted.clone());
    client.sign_in(&browser);
    assert!(browser.get("/").whole.contains("Signed in as <strong>alice</strong>"));
    assert!(!browser.cookies.borrow().contains(&planted), "a new name was given");
    let attacker = Browser::new(&running);
    attacker.cookies.borrow_mut().push(planted);
    assert!(!attacker.get("/").whole.contains("Signed in as"));
    running.stopped();
}

#[test]
fn a_clients_document_is_not_fetched_from_inside_the_network() {
    let cloud = Cloud::new();
    let running = Site::new(&cloud.provider).ready();
    let (client, browser) = (Client::registered(&running), Browser::new(&running));
    let inside = TcpListener::bind("127.0.0.1:0").expect("a port");
    inside.set_nonblocking(true).expect("a listener");
    let port = inside.local_addr().expect("an address").port();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "[fd00::1]",
        "100.64.0.1",
    ] {
        let id = format!("https://{host}:{port}/client.json");
        let answer = browser.get(&client.authorize_url(&[("client_id", &id)]));
        assert_eq!((answer.status, answer.header("Location")), (400, None), "{host}: {}", answer.whole);
        assert!(inside.accept().is_err(), "{host} was asked");
    }
    // Nor where our own address is named.
    let id = format!("{}/client.json", URL.replace("http:", "https:"));
    assert_eq!(browser.get(&client.authorize_url(&[("client_id", &id)])).status, 400);
    running.stopped();
}
