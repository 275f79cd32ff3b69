//! One file per Nextcloud app. An app opens no connection, reads no environment and knows no other app.

use crate::tool::App;

/// Every app, in the order in which its tools are listed.
mod notes;

pub const ALL: &[&App] = &[&notes::APP];
