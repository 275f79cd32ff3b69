//! One file per Nextcloud app. An app opens no connection, reads no environment and knows no other app.

mod calendar;
mod contacts;
mod cookbook;
mod deck;
mod files;
mod notes;
mod server;
mod sharing;
mod tables;

use crate::tool::App;

/// Every app, in the order in which its tools are listed.
pub const ALL: &[&App] = &[
    &notes::APP,
    &files::APP,
    &sharing::APP,
    &calendar::APP,
    &contacts::APP,
    &deck::APP,
    &tables::APP,
    &cookbook::APP,
    &server::APP,
];
