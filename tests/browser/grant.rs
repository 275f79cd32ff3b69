//! Login Flow v2: a page of ours waits beside Nextcloud's.

use crate::driver::Browser;
use crate::house::{House, SERVER, assert_quiet};

/// Says yes on Nextcloud's page, in the tab of its own where our link opens it, and comes back to ours. `windows`: how
/// many there are before.
fn grant(browser: &Browser, windows: usize) {
    let (ours, before) = (browser.window(), browser.others(windows));
    browser.button("Open Nextcloud").click();
    let theirs = browser.others(windows + 1).into_iter().find(|window| !before.contains(window));
    browser.switch_to(&theirs.expect("a new tab"));
    browser.button("Grant access").click();
    browser.see("Account connected");
    browser.switch_to(&ours);
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn the_waiting_page_goes_on_by_itself() {
    let house = House::with_login_flow();
    let (app, browser) = (house.app("Claude"), house.browser_with("en", false));
    browser.go(&app.start());
    browser.button("Allow and sign in").click();
    browser.see("Sign in at Nextcloud");
    grant(&browser, 1);
    browser.see("Back at the client");
    app.working_token();
    assert_eq!(house.cloud.app_passwords(), 1);
    assert_quiet(&browser);
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn of_two_forms_at_the_same_time_one_counts() {
    let house = House::with_login_flow();
    let (app, browser) = (house.app("Claude"), house.browser());
    house.cloud.hold_the_next_flow();
    browser.go(&app.start());
    browser.find("form");
    browser.evaluate("document.forms[0].target = '_blank'");
    browser.button("Allow and sign in").click();
    browser.button("Allow and sign in").click();
    let twins = browser.others(3);
    browser.switch_to(&twins[0]);
    let one = browser.button("Open Nextcloud").attribute("href");
    browser.switch_to(&twins[1]);
    assert_eq!(browser.button("Open Nextcloud").attribute("href"), one, "one of two flows is the one");
    assert_eq!(house.cloud.provider.asked("/login/v2").len(), 2, "both were under way at once");
    grant(&browser, 3);
    for window in &twins {
        browser.switch_to(window);
        browser.see("Back at the client");
    }
    app.working_token();
    assert_eq!(house.cloud.app_passwords(), 1);
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn an_impatient_person_may_ask_before_and_after() {
    let house = House::with_login_flow();
    let (app, browser) = (house.app("Claude"), house.browser());
    browser.go(&app.start());
    browser.button("Allow and sign in").click();
    browser.button("I have granted access: go on").click();
    browser.see("Sign in at Nextcloud");
    browser.reload();
    browser.see("Sign in at Nextcloud");
    grant(&browser, 1);
    browser.button("I have granted access: go on").click();
    browser.see("Back at the client");
    app.working_token();
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn going_back_from_the_waiting_page_leads_to_the_question() {
    let house = House::with_login_flow();
    let (app, browser) = (house.app("Claude"), house.browser());
    browser.go(&app.start());
    browser.button("Allow and sign in").click();
    browser.button("I have granted access: go on").click();
    browser.see("Sign in at Nextcloud");
    browser.back();
    browser.see("Allow access?");
    browser.button("Allow and sign in").click();
    grant(&browser, 1);
    browser.see("Back at the client");
    app.working_token();
    assert_quiet(&browser);
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn the_page_with_ones_connections_can_be_signed_in_to_by_it() {
    let house = House::with_login_flow();
    let browser = house.browser();
    browser.go(SERVER);
    browser.button("Sign in").click();
    grant(&browser, 1);
    browser.see("Signed in as alice.");
    assert_eq!(browser.url(), format!("{SERVER}/"));
    assert_eq!(house.cloud.app_passwords(), 0, "to know who it is, no password needs to stay");
    assert_quiet(&browser);
}
