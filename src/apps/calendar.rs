//! Calendar and Tasks: events and to-dos, over CalDAV.
//!
//! Routes: `calendar-home-set` of the principal (RFC 4791, RFC 6638), `/remote.php/dav/calendars/{user id}/…`.

mod calendars;
mod objects;

use crate::tool::App;

pub const APP: App =
    App { name: "calendar", about: "Calendars, events and tasks, over CalDAV", tools: &[], resources: &[] };
