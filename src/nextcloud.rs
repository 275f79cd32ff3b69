//! Stand-in until the client lands.
#![allow(missing_docs)]
use std::time::Duration;
pub struct Nextcloud;
pub struct Account;
pub struct Call {
    pub deadline: Duration,
    pub cancel: crate::cancel::Cancel,
}
pub struct Client<'a> {
    pub shared: &'a Nextcloud,
    pub account: &'a Account,
    pub call: &'a Call,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    NotFound,
    Unauthorized,
    Unreachable,
}
#[derive(Debug)]
pub struct Error {
    pub kind: Kind,
}
impl Error {
    pub fn new(kind: Kind, _request: impl Into<String>) -> Error {
        Error { kind }
    }
}
impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("upstream")
    }
}
impl std::error::Error for Error {}
pub struct Capabilities;
impl Capabilities {
    pub fn has_app(&self, _name: &str) -> bool {
        true
    }
}
impl Nextcloud {
    pub fn client<'a>(&'a self, account: &'a Account, call: &'a Call) -> Client<'a> {
        Client { shared: self, account, call }
    }
}
impl Client<'_> {
    pub fn capabilities(&self) -> Result<std::sync::Arc<Capabilities>, Error> {
        Err(Error { kind: Kind::Unreachable })
    }
}
