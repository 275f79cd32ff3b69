//! One file per Nextcloud app. An app opens no connection, reads no environment and knows no other app.

mod contacts;
mod files;
mod notes;
mod server;

use crate::tool::App;

/// Every app, in the order in which its tools are listed.
pub const ALL: &[&App] = &[&notes::APP, &files::APP, &contacts::APP, &server::APP];
