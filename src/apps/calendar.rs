//! Calendar and Tasks: events and to-dos, over CalDAV.
//!
//! Routes: `calendar-home-set` of the principal (RFC 4791, RFC 6638), `/remote.php/dav/calendars/{user id}/…`.

mod availability;
mod bulk;
mod calendars;
mod collections;
mod events;
mod objects;
mod reminders;
mod tasks;

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
            name: "nc_calendar_create_event",
            about: "Create an event, once or recurring, with reminders and invitations.",
            scopes: &[Scope::CalendarWrite],
            effect: Effect::Create,
            needs: Needs::Nothing,
            handler: &typed(events::create_event),
        },
        Tool {
            name: "nc_calendar_list_events",
            about: "List events, also the instances of recurring ones, by date range and filters, earliest first. Without dates all are listed, a series once.",
            scopes: &[Scope::CalendarRead],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(events::list_events),
        },
        Tool {
            name: "nc_calendar_get_event",
            about: "Read one event with all its details and its etag.",
            scopes: &[Scope::CalendarRead],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(events::get_event),
        },
        Tool {
            name: "nc_calendar_update_event",
            about: "Change fields of an event; what is left out stays, \"\" clears. A series changes as a whole, unless recurrence_id names one instance.",
            scopes: &[Scope::CalendarWrite],
            effect: Effect::Update,
            needs: Needs::Nothing,
            handler: &typed(events::update_event),
        },
        Tool {
            name: "nc_calendar_delete_event",
            about: "Delete an event, or with recurrence_id one instance of a series. It goes to the calendar trash bin.",
            scopes: &[Scope::CalendarWrite],
            effect: Effect::Delete,
            needs: Needs::Nothing,
            handler: &typed(events::delete_event),
        },
        Tool {
            name: "nc_calendar_create_meeting",
            about: "Create an event from date, time and duration, and invite people.",
            scopes: &[Scope::CalendarWrite],
            effect: Effect::Create,
            needs: Needs::Nothing,
            handler: &typed(events::create_meeting),
        },
        Tool {
            name: "nc_calendar_get_upcoming_events",
            about: "List the events of the next days, running ones included, earliest first.",
            scopes: &[Scope::CalendarRead],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(events::get_upcoming_events),
        },
        Tool {
            name: "nc_calendar_find_availability",
            about: "Find times at which the user and all attendees are free, by their real calendars. Fails if one of the \
                    attendees cannot be checked; others' events stay hidden.",
            scopes: &[Scope::CalendarRead],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(availability::find_availability),
        },
        Tool {
            name: "nc_calendar_bulk_operations",
            about: "Change, delete or move all events that match every given filter, at most 100. Recurring events are left \
                    alone unless apply_to_series is set. Attendees get Nextcloud's usual mails. Try dry_run first.",
            scopes: &[Scope::CalendarWrite],
            effect: Effect::Update,
            needs: Needs::Nothing,
            handler: &typed(bulk::bulk_operations),
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
        Tool {
            name: "nc_calendar_list_todos",
            about: "List the tasks of one calendar, open ones first, by due date and priority.",
            scopes: &[Scope::TodoRead, Scope::CalendarRead],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(tasks::list_todos),
        },
        Tool {
            name: "nc_calendar_create_todo",
            about: "Create a task. A `due` without a time of day stays a day.",
            scopes: &[Scope::TodoWrite, Scope::CalendarRead],
            effect: Effect::Create,
            needs: Needs::Nothing,
            handler: &typed(tasks::create_todo),
        },
        Tool {
            name: "nc_calendar_update_todo",
            about: "Change fields of a task. What is left out stays, \"\" clears; status, percent_complete and completed are kept in step.",
            scopes: &[Scope::TodoWrite, Scope::CalendarRead],
            effect: Effect::Update,
            needs: Needs::Nothing,
            handler: &typed(tasks::update_todo),
        },
        Tool {
            name: "nc_calendar_complete_todo",
            about: "Mark a task as done. Of a recurring task the current occurrence is finished, and it moves on to the next.",
            scopes: &[Scope::TodoWrite, Scope::CalendarRead],
            effect: Effect::Update,
            needs: Needs::Nothing,
            handler: &typed(tasks::complete_todo),
        },
        Tool {
            name: "nc_calendar_delete_todo",
            about: "Delete a task. It goes to the calendar trash bin.",
            scopes: &[Scope::TodoWrite, Scope::CalendarRead],
            effect: Effect::Delete,
            needs: Needs::Nothing,
            handler: &typed(tasks::delete_todo),
        },
        Tool {
            name: "nc_calendar_search_todos",
            about: "Find tasks in all calendars, open ones first, by due date and priority.",
            scopes: &[Scope::TodoRead, Scope::CalendarRead],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(tasks::search_todos),
        },
    ],
    resources: &[],
};
