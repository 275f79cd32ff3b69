//! Who asks, and what they may do.

pub mod client_store;
pub mod discovery;
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
