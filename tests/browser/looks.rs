//! How the pages look: on a phone and on a desk, light and dark, in each language; and the pictures of the guide.

use std::path::Path;

use nextcloud_mcp_server::pages::text::{ENGLISH, GERMAN};
use serde_json::json;

use crate::driver::{Browser, Setup};
use crate::gallery::{self, Fill, PAGES};

const PHONE: (u32, u32) = (390, 844);
const DESK: (u32, u32) = (1280, 800);
/// The narrowest that WCAG 2.2 asks for (1.4.10, reflow).
const NARROWEST: (u32, u32) = (320, 640);

/// What reaches beyond the screen.
const TOO_WIDE: &str = r#"[...document.querySelectorAll('body, body *')]
    .filter(e => Math.max(e.getBoundingClientRect().right, e.scrollWidth) > document.documentElement.clientWidth)
    .map(e => e.textContent.slice(0, 40))"#;

/// Text that stands out too little (WCAG 2.2, 1.4.3), with its contrast.
const TOO_FAINT: &str = r#"(() => {
    const parts = colour => colour.match(/[\d.]+/g).map(Number);
    const light = colour => parts(colour).slice(0, 3).map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = element => {
        for (let e = element; e; e = e.parentElement) {
            const colour = getComputedStyle(e).backgroundColor;
            if (parts(colour)[3] !== 0) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    return [...document.body.querySelectorAll('*')]
        .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
        .map(e => {
            const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
            return [e.textContent.slice(0, 40), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
        })
        .filter(([_, contrast]) => contrast < 4.5);
})()"#;

/// What one can press but hardly hit (WCAG 2.2, 2.5.8), in CSS pixels.
const TOO_SMALL: &str = r#"[...document.querySelectorAll('button, a, label')]
    .filter(e => e.getBoundingClientRect().height < 24).map(e => e.textContent)"#;

fn browser() -> Browser {
    let nowhere = ("localhost:8000".to_owned(), "127.0.0.1:9".to_owned());
    Browser::new(&Setup { language: "en", scripts: true, map: nowhere })
}

/// Of the whole page, in CSS pixels; what is longer is cut.
fn height(browser: &Browser) -> u32 {
    let height = browser.evaluate("document.scrollingElement.scrollHeight");
    u32::try_from(height.as_u64().expect("a height")).expect("a height").min(3_000)
}

/// `PICTURES=DIR` leaves all pages in all forms there, to be looked at.
#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn every_page_fits_every_screen_and_can_be_read() {
    let browser = browser();
    for (name, text, fill) in
        [("en", &ENGLISH, Fill::Usual), ("de", &GERMAN, Fill::Usual), ("extreme", &GERMAN, Fill::Extreme)]
    {
        let gallery = gallery::open(text, fill);
        for page in PAGES {
            browser.go(&format!("{}/{page}", gallery.url()));
            assert_eq!((browser.count("h1"), browser.count("main")), (1, 1), "{page}");
            assert!(!browser.text().contains("{}"), "{page}");
            for (form, (width, least), is_phone) in
                [("narrow", NARROWEST, true), ("phone", PHONE, true), ("desk", DESK, false)]
            {
                for scheme in ["light", "dark"] {
                    let picture = format!("{page}-{name}-{form}-{scheme}.png");
                    browser.screen((width, least), is_phone);
                    browser.scheme(scheme);
                    assert_eq!(browser.evaluate(TOO_WIDE), json!([]), "{picture}");
                    assert_eq!(browser.evaluate(TOO_SMALL), json!([]), "{picture}");
                    assert_eq!(browser.evaluate(TOO_FAINT), json!([]), "{picture}");
                    if let Some(folder) = std::env::var_os("PICTURES") {
                        browser.screen((width, height(&browser).max(least)), is_phone);
                        std::fs::write(Path::new(&folder).join(picture), browser.screenshot())
                            .expect("a file");
                    }
                }
            }
        }
    }
    let said = browser.console();
    assert!(said.is_empty(), "{said:#?}");
}

/// The pictures of docs/connect. `UPDATE=1` writes them anew; else they must be there, as wide as they are now.
#[test]
#[ignore = "needs chromedriver; .ci/run runs them"]
fn the_guides_pictures_are_there() {
    let (browser, gallery) = (browser(), gallery::open(&ENGLISH, Fill::Usual));
    for (name, page, width, scheme) in [
        ("consent", "consent", 640, "light"),
        ("consent-phone", "consent", PHONE.0, "dark"),
        ("waiting", "waiting", 640, "light"),
        ("home", "home", 560, "light"),
        ("connections", "signed-in", 560, "light"),
    ] {
        browser.screen((width, 1), true);
        browser.scheme(scheme);
        browser.go(&format!("{}/{page}", gallery.url()));
        browser.screen((width, height(&browser).min(700)), true);
        let picture = browser.screenshot();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/images/{name}.png"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &picture).expect("a file");
        }
        let kept = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // Fonts differ between machines, so only the signature and the width can be compared (PNG §5.2, §11.2.1).
        assert_eq!(kept[..20], picture[..20], "{name}");
        assert!(kept.len() < 60_000, "{name} has {} bytes", kept.len());
    }
}
