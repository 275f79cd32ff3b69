//! What others may try with a person's browser.

use crate::cloud::html;
use crate::house::{House, SERVER, assert_quiet, connect, log_in};
use crate::wire;

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn another_browser_cannot_go_on_with_a_login() {
    let house = House::new();
    let app = house.app("Claude");
    let (own, other) = (house.browser(), house.browser());
    own.go(&app.start());
    own.button("Allow and sign in").click();
    own.see("Log in to Nextcloud");
    // Whoever is lured to the address of a login that somebody else began signs in for nobody.
    other.go(&own.url());
    log_in(&other);
    other.see("There is no sign-in under way here");
    assert_eq!((app.arrivals(), house.cloud.exchanges()), (0, 0));
    log_in(&own);
    own.see("Back at the client");
    app.working_token();
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn another_browser_cannot_wait_for_a_grant_or_consent() {
    let house = House::with_login_flow();
    let app = house.app("Claude");
    let (own, other) = (house.browser(), house.browser());
    own.go(&app.start());
    let ticket = own.find("input[name=ticket]").attribute("value");
    own.button("Allow and sign in").click();
    own.see("Sign in at Nextcloud");
    other.go(&format!("{SERVER}/oauth/wait?ticket={ticket}"));
    other.see("There is no sign-in under way here");
    own.button("Open Nextcloud");
    own.see("Sign in at Nextcloud");
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn a_clients_name_is_text_and_nothing_else() {
    let house = House::new();
    let name = "<script>alert(1)</script><img src=x onerror=alert(1)>";
    let (app, browser) = (house.app(name), house.browser());
    browser.go(&app.start());
    browser.see(name);
    assert_eq!(browser.count("script, img"), 0);
    connect(&browser, &app);
    app.working_token();
    browser.go(SERVER);
    browser.see(name);
    assert_eq!(browser.count("script, img"), 0);
    assert_quiet(&browser);
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn a_request_at_fault_sends_the_browser_nowhere() {
    let house = House::new();
    let (app, browser) = (house.app("Claude"), house.browser());
    for (name, value, said) in [
        (
            "redirect_uri",
            "https://evil.example/callback",
            "redirect_uri is not one that the client registered",
        ),
        ("client_id", "nobody", "invalid_client"),
    ] {
        browser.go(&app.start_with(&[(name, value)]));
        browser.see("This did not work");
        browser.see(said);
        assert!(browser.url().starts_with(SERVER));
    }
    assert_eq!(app.arrivals(), 0);
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn no_page_of_ours_is_shown_inside_another() {
    let house = House::new();
    let (app, browser) = (house.app("Claude"), house.browser());
    let frame =
        format!("<h1>Win a prize</h1><iframe src=\"{}\"></iframe>", app.start().replace('&', "&amp;"));
    let evil = wire::nextcloud(move |_| html(&frame));
    browser.go(evil.url());
    browser.see("Win a prize");
    let said = browser.console().join("\n");
    assert!(said.contains("frame-ancestors"), "{said}");
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn another_sites_form_takes_nothing_back() {
    let house = House::new();
    let (app, browser) = (house.app("Claude"), house.browser());
    connect(&browser, &app);
    let token = app.working_token();
    browser.go(SERVER);
    let grant = browser.find("input[name=grant]").attribute("value");
    let ticket = browser.find("li input[name=ticket]").attribute("value");
    // Even with everything that the form has: the session's cookie does not come along.
    let form = format!(
        "<form method=\"post\" action=\"{SERVER}/oauth/connections/end\"><input name=\"grant\" value=\"{grant}\">\
         <input name=\"ticket\" value=\"{ticket}\"><button>Win a prize</button></form>"
    );
    let evil = wire::nextcloud(move |_| html(&form));
    browser.go(evil.url());
    browser.button("Win a prize").click();
    browser.go(SERVER);
    browser.see("Take access back");
    assert_eq!(house.call(&token).status, 200);
}
