//! Who asks, and what they may do.
//!
//! A bearer token is judged by pure functions: [`jws`] says whose signature it is, [`jwt`] what it claims, [`introspection`]
//! and [`userinfo`] read what the provider says of it. [`keys`] and [`tokens`] remember, so that a request costs neither
//! a round trip nor a signature check. Nothing here opens a connection.

pub mod accounts;
pub mod algorithm;
pub mod attempts;
pub mod basic;
pub mod claims;
pub mod introspection;
mod json;
pub mod jwks;
pub mod jws;
pub mod jwt;
pub mod keys;
pub mod reason;
pub mod sign_ins;
pub mod tokens;
pub mod userinfo;
pub mod verifier;

pub mod client_store;
pub mod discovery;
mod kept_client;
pub mod lines;
pub mod metadata;
mod registrar;
pub mod registration;
pub mod startup;

use std::sync::Arc;

use crate::nextcloud::Account;
use crate::tool::Scopes;

/// A caller whose right to be here has been checked.
#[derive(Clone)]
pub struct Caller {
    /// Names the caller in logs and limits; not a secret.
    pub name: String,
    pub scopes: Scopes,
    /// What we show Nextcloud on their behalf.
    pub account: Arc<Account>,
}
