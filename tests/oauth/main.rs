//! The real program in oauth mode, in front of a Nextcloud whose `oidc` app is played from recordings on loopback: the
//! lines of a start, the tokens that are let in, and what never comes out.

#[path = "../jwt/minter.rs"]
#[allow(dead_code, reason = "shared with tests/jwt")]
mod minter;
#[path = "../binary/program.rs"]
#[allow(dead_code, reason = "shared with tests/binary")]
mod program;
#[path = "../binary/wire.rs"]
#[allow(dead_code, reason = "shared with tests/binary")]
mod wire;

mod attacks;
mod cloud;
mod metadata;
mod opaque;
mod provider;
mod routes;
mod secrets;
mod sign_in;
mod site;
mod startup;
mod tokens;
mod web;
