//! What a person sees and does in a browser, in a real Chromium: consent, sign-in at a made Nextcloud, and the page with
//! one's connections. Run by `cargo test --test browser -- --ignored`; needs `chromium` and `chromedriver`.

#[path = "../jwt/minter.rs"]
#[allow(dead_code, reason = "shared with tests/jwt")]
mod minter;
#[path = "../binary/program.rs"]
#[allow(dead_code, reason = "shared with tests/binary")]
mod program;
#[path = "../oauth/provider.rs"]
#[allow(dead_code, reason = "shared with tests/oauth")]
mod provider;
#[path = "../oauth/site.rs"]
#[allow(dead_code, reason = "shared with tests/oauth")]
mod site;
#[path = "../binary/wire.rs"]
#[allow(dead_code, reason = "shared with tests/binary")]
mod wire;

mod cloud;
mod connect;
mod connections;
mod driver;
mod gallery;
mod grant;
mod hostile;
mod house;
mod keyboard;
mod looks;
