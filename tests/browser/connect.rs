//! From a client's request over consent and Nextcloud back to the client: as it should go, and as people do it.

use crate::cloud::html;
use crate::house::{House, SERVER, assert_quiet, connect, log_in};
use crate::wire;

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn a_person_connects_a_client_and_it_calls_a_tool() {
    let house = House::new();
    let (app, browser) = (house.app("Claude"), house.browser());
    browser.go(&app.start());
    browser.see("Claude asks for access to your Nextcloud.");
    browser.see("Access is handed to a program on this computer.");
    browser.button("Allow and sign in").click();
    log_in(&browser);
    browser.see("Back at the client");
    assert_eq!(app.tokens()["scope"], "notes:read notes:write files:read files:write");
    assert_eq!(app.redeem().status, 400, "a code is good once");
    connect(&browser, &app);
    app.working_token();
    assert_quiet(&browser);
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn it_goes_the_same_way_where_pages_may_run_no_script() {
    let house = House::new();
    let (app, browser) = (house.app("Claude"), house.browser_with("en", false));
    let without = wire::nextcloud(|_| html("<noscript>No script runs here.</noscript>"));
    browser.go(without.url());
    browser.see("No script runs here.");
    connect(&browser, &app);
    app.working_token();
    browser.go(SERVER);
    browser.button("Take access back").click();
    browser.see("No assistant has access.");
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn a_box_without_a_tick_is_access_that_is_not_given() {
    let house = House::new();
    let (app, browser) = (house.app("Claude"), house.browser());
    browser.go(&app.start());
    browser.find("input[value='notes:write']").click();
    browser.find("input[value='files:read']").click();
    browser.find("input[value='files:write']").click();
    browser.button("Allow and sign in").click();
    log_in(&browser);
    browser.see("Back at the client");
    let tokens = app.tokens();
    assert_eq!(tokens["scope"], "notes:read");
    let tools = house.running.tools(tokens["access_token"].as_str().expect("a token"));
    assert!(tools.iter().any(|tool| tool == "nc_notes_get_note"), "{tools:?}");
    assert!(!tools.iter().any(|tool| tool == "nc_notes_create_note" || tool.contains("webdav")), "{tools:?}");
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn saying_no_tells_the_client_so() {
    let house = House::new();
    let (app, browser) = (house.app("Claude"), house.browser());
    browser.go(&app.start());
    browser.button("Do not allow").click();
    browser.see("Back at the client");
    assert_eq!(app.told("error"), "access_denied");
    // No box ticked is a no as well.
    browser.go(&app.start());
    browser.see("Allow access?");
    browser.all("input[type=checkbox]").iter().for_each(|ticked| ticked.click());
    browser.button("Allow and sign in").click();
    browser.see("Back at the client");
    assert_eq!((app.arrivals(), app.told("error")), (2, "access_denied".into()));
    assert_eq!(app.told("state"), "state-of-the-client");
    // And so is a no at Nextcloud.
    browser.go(&app.start());
    browser.button("Allow and sign in").click();
    browser.button("Deny").click();
    browser.see("Back at the client");
    assert_eq!((app.arrivals(), app.told("error")), (3, "access_denied".into()));
    assert_eq!(house.cloud.exchanges(), 0);
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn a_wrong_password_at_nextcloud_can_be_typed_again() {
    let house = House::new();
    let (app, browser) = (house.app("Claude"), house.browser());
    browser.go(&app.start());
    browser.button("Allow and sign in").click();
    browser.find("input[name=user]").type_in("alice");
    browser.button("Log in").click();
    browser.see("Wrong login or password.");
    log_in(&browser);
    browser.see("Back at the client");
    app.working_token();
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn a_form_that_is_sent_twice_counts_once() {
    let house = House::new();
    let (app, browser) = (house.app("Claude"), house.browser());
    browser.go(&app.start());
    // Both go into tabs of their own, so the form stays where it is and can be sent again.
    browser.find("form");
    browser.evaluate("document.forms[0].target = '_blank'");
    browser.button("Allow and sign in").click();
    browser.button("Allow and sign in").click();
    let twins = browser.others(3);
    let address = |window: &String| {
        browser.switch_to(window);
        browser.see("Log in to Nextcloud");
        browser.url()
    };
    assert_eq!(address(&twins[0]), address(&twins[1]), "one login, one state");
    log_in(&browser);
    browser.see("Back at the client");
    browser.switch_to(&twins[0]);
    log_in(&browser);
    browser.see("Back at the client");
    assert_eq!((house.cloud.exchanges(), app.arrivals(), house.cloud.app_passwords()), (1, 2, 1));
    app.working_token();
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn going_back_leads_to_a_question_that_can_be_answered() {
    let house = House::new();
    let (app, browser) = (house.app("Claude"), house.browser());
    browser.go(&app.start());
    browser.button("Allow and sign in").click();
    browser.see("Log in to Nextcloud");
    browser.back();
    browser.see("Allow access?");
    browser.button("Allow and sign in").click();
    log_in(&browser);
    browser.see("Back at the client");
    app.working_token();
    // From the client back to Nextcloud: that login is over, and leads to where it ended.
    browser.back();
    log_in(&browser);
    browser.see("Back at the client");
    assert_eq!((house.cloud.exchanges(), house.cloud.app_passwords()), (1, 1));
    assert_quiet(&browser);
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn pages_speak_the_browsers_language() {
    let house = House::new();
    let (app, browser) = (house.app("Claude"), house.browser_with("de", true));
    browser.go(&app.start());
    browser.see("Claude möchte auf Ihre Nextcloud zugreifen.");
    assert_eq!(browser.find("html").attribute("lang"), "de");
    browser.button("Nicht erlauben").click();
    browser.see("Back at the client");
}
