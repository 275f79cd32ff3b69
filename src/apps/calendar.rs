//! Calendar and Tasks: events and to-dos, over CalDAV.
//!
//! Routes: `calendar-home-set` of the principal (RFC 4791, RFC 6638), `/remote.php/dav/calendars/{user id}/…`.

mod calendars;
mod collections;
mod objects;
mod reminders;

use crate::tool::{App, Effect, Needs, Scope, Tool, typed};

pub const APP: App = App {
    name: "calendar",
    about: "Calendars, events and tasks, over CalDAV",
    tools: &[
        Tool {
            name: "nc_calendar_list_calendars",
            about: "List the user's calendars, also shared and subscribed ones; writable ones come first.",
            scopes: &[Scope::CalendarRead],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(collections::list_calendars),
        },
        Tool {
            name: "nc_calendar_manage_calendar",
            about: "Create, change or delete a whole calendar, or list them. A deleted one goes to the calendar trash \
                    bin with all that is in it.",
            scopes: &[Scope::CalendarWrite],
            effect: Effect::Update,
            needs: Needs::Nothing,
            handler: &typed(collections::manage_calendar),
        },
    ],
    resources: &[],
};
