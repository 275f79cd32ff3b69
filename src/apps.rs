//! One file per Nextcloud app. An app opens no connection, reads no environment and knows no other app.

mod calendar;
mod files;
mod notes;
mod server;

use crate::tool::App;

/// Every app, in the order in which its tools are listed.
pub const ALL: &[&App] = &[&notes::APP, &files::APP, &calendar::APP, &server::APP];
