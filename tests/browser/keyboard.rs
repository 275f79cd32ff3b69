//! Without a mouse, and by ear.

use crate::driver::{Browser, ENTER, SPACE, TAB};
use crate::house::{House, SERVER, assert_quiet, log_in};

/// Goes on to the next thing with Tab; gives what screen readers call it.
fn next(browser: &Browser) -> String {
    browser.press(TAB);
    let focused = browser.focus();
    assert_ne!(focused.style("outline-style"), "none", "the focus can be seen on {}", focused.label());
    focused.label()
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn a_client_is_connected_and_taken_back_by_keyboard() {
    let house = House::new();
    let (app, browser) = (house.app("Claude"), house.browser());
    browser.go(&app.start());
    browser.see("Allow access?");
    let boxes = ["read your notes", "write and delete notes", "read your files", "write and delete files"];
    for expected in boxes.into_iter().chain(["Allow and sign in", "Do not allow"]) {
        assert_eq!(next(&browser), expected);
    }
    // Anew, this time with a decision.
    browser.reload();
    browser.see("Allow access?");
    assert_eq!((next(&browser), next(&browser)), (boxes[0].into(), boxes[1].into()));
    browser.press(SPACE);
    assert!(!browser.find("input[value='notes:write']").is_selected());
    assert_eq!((next(&browser), next(&browser)), (boxes[2].into(), boxes[3].into()));
    assert_eq!(next(&browser), "Allow and sign in");
    browser.press(ENTER);
    log_in(&browser);
    browser.see("Back at the client");
    assert_eq!(app.tokens()["scope"], "notes:read files:read files:write");
    browser.go(SERVER);
    browser.see("Signed in as alice.");
    let mut stop = next(&browser);
    while !stop.contains("Take access back") {
        assert_ne!(stop, "Sign out", "the button comes before");
        stop = next(&browser);
    }
    assert!(stop.contains("Claude"), "a screen reader tells the buttons apart: {stop}");
    browser.press(ENTER);
    browser.see("No assistant has access.");
    assert_quiet(&browser);
}

#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn the_waiting_page_needs_no_haste() {
    let house = House::with_login_flow();
    let (app, browser) = (house.app("Claude"), house.browser());
    browser.go(&app.start());
    browser.button("Allow and sign in").click();
    browser.see("Sign in at Nextcloud");
    // It is loaded anew time and again, and one key is enough each time.
    browser.reload();
    browser.see("Sign in at Nextcloud");
    assert_eq!(browser.focus().label(), "Open Nextcloud");
    browser.press(ENTER);
    browser.switch_to(&browser.others(2)[0]);
    browser.see("Account access");
}
