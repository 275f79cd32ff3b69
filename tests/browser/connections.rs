//! `/`: what this is, and what the person allowed.

use crate::house::{House, SERVER, assert_quiet, connect, log_in};

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn taking_access_back_ends_the_clients_token_and_nextclouds_password() {
    let house = House::new();
    let (app, other) = (house.app("Claude"), house.app("Inspector"));
    let browser = house.browser();
    connect(&browser, &app);
    let token = app.working_token();
    connect(&browser, &other);
    let kept = other.working_token();
    browser.go(SERVER);
    browser.see("Signed in as alice.");
    assert_eq!(browser.count("li"), 2);
    let rows = browser.all("li");
    let row = rows.iter().position(|row| row.text().starts_with("Claude")).expect("its row");
    browser.all("li button")[row].click();
    browser.see("Inspector");
    assert_eq!(browser.count("li"), 1);
    let refused = house.call(&token);
    assert_eq!(refused.status, 401, "{}", refused.whole);
    assert!(refused.header("WWW-Authenticate").expect("a challenge").contains("invalid_token"));
    assert_eq!(house.call(&kept).status, 200, "the other stays");
    assert_quiet(&browser);
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn signing_in_and_out_shows_and_hides_them() {
    let house = House::new();
    let app = house.app("Claude");
    connect(&house.browser(), &app);
    app.working_token();
    let browser = house.browser();
    browser.go(SERVER);
    browser.see("Nextcloud answers.");
    browser.see("http://localhost:8000/mcp");
    assert!(!browser.text().contains("Take access back"));
    browser.button("Sign in").click();
    log_in(&browser);
    browser.see("Signed in as alice.");
    browser.see("Claude");
    browser.button("Sign out").click();
    browser.see("Sign in to see which assistants have access");
    browser.back();
    assert!(!browser.text().contains("Signed in as"), "nothing stays in the browser's store");
    assert_quiet(&browser);
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn cookies_are_out_of_reach_of_scripts_and_of_other_sites() {
    let house = House::new();
    let (app, browser) = (house.app("Claude"), house.browser());
    connect(&browser, &app);
    browser.go(SERVER);
    let cookies = browser.cookies();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    for cookie in &cookies {
        assert_eq!((&cookie["httpOnly"], &cookie["sameSite"]), (&true.into(), &"Lax".into()), "{cookie}");
        assert!(cookie.get("expiry").is_none(), "it goes with the browser: {cookie}");
    }
    assert_eq!(browser.evaluate("document.cookie"), "");
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn a_client_whose_password_ended_at_nextcloud_is_told_to_sign_in_again() {
    let house = House::new();
    let (app, browser) = (house.app("Claude"), house.browser());
    connect(&browser, &app);
    let token = app.working_token();
    house.cloud.revoke_all();
    house.call(&token);
    assert_eq!(house.call(&token).status, 401);
    connect(&browser, &app);
    app.working_token();
}
