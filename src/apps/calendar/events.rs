//! Events: creating, finding, reading, changing, deleting.

mod arguments;
mod changing;
mod listing;
mod reading;
#[cfg(test)]
mod tests;
mod times;

use arguments::{CreateEvent, CreateMeeting, DeleteEvent, GetEvent, ListEvents, UpcomingEvents, UpdateEvent};
use changing::{Changes, REMINDER_MINUTES, Setting};
use listing::Filter;
pub(super) use listing::worked_out;
use reading::{Event, EventSummary, View};

use super::calendars::{self, Calendar, Comp};
use super::objects::{self, CalendarError, Range, Stored};
use super::reminders::Reminder;
use crate::contentline::{Component, Line};
use crate::ical::{self, Alarm, Local, Moment, Occurrences, Person, When, Zones};
use crate::record;
use crate::schema::Etag;
use crate::tool::{Cursor, Cx, Page, Success, ToolError};

const KIND: &str = Comp::Event.name();
/// Instances that are looked through for one that is to be changed: a daily series of 100 years.
const INSTANCES_MAX: usize = 40_000;

record! {
    pub(super) struct SavedEvent {
        uid: String,
        /// For the next update.
        etag: Option<String>,
        href: String,
        status_code: i64,
        calendar_name: String,
        title: String,
        start: String,
        end: String,
        start_tz: Option<String>,
        recurrence_id: Option<String>,
        /// For a browser, where the Calendar app is installed.
        link: Option<String>,
        /// What did not go as one might expect.
        note: Option<String>,
    }
}

record! {
    pub(super) struct EventList {
        events: Vec<EventSummary>,
        calendar_name: Option<String>,
        start_date: Option<String>,
        end_date: Option<String>,
        /// All that match, also those on other pages.
        total_found: i64,
        next_cursor: Option<Cursor>,
        errors: Vec<CalendarError>,
    }
}

record! {
    pub(super) struct Upcoming {
        events: Vec<EventSummary>,
        days_ahead: i64,
        calendar_name: Option<String>,
        total_found: i64,
        next_cursor: Option<Cursor>,
        errors: Vec<CalendarError>,
    }
}

record! {
    pub(super) struct DeletedEvent {
        status_code: i64,
        message: String,
        deleted_uid: String,
        calendar_name: String,
    }
}

pub(super) fn create_event(cx: &Cx, p: CreateEvent) -> Result<Success<SavedEvent>, ToolError> {
    let calendar = writable(cx, &p.calendar_name)?;
    let local = local(&p.timezone, &calendar)?;
    let given = |text: String| (!text.trim().is_empty()).then_some(text);
    let is_day = p.all_day || When::parse(&p.start_datetime, &local).is_ok_and(|start| start.is_date());
    // Fifteen minutes before a whole day is the night before; nobody means that without saying so.
    let default_minutes = (!is_day).then_some(REMINDER_MINUTES);
    let changes = Changes {
        title: Some(p.title),
        start: Some(p.start_datetime),
        end: given(p.end_datetime),
        all_day: p.all_day.then_some(true),
        description: given(p.description),
        location: given(p.location),
        categories: given(p.categories),
        recurring: p.recurring.filter(|recurring| *recurring || !p.recurrence_rule.trim().is_empty()),
        rule: given(p.recurrence_rule),
        rule_end: given(p.recurrence_end_date),
        reminder_minutes: p.reminder_minutes.or(default_minutes),
        reminder_email: p.reminder_email.then_some(true),
        reminders: alarms(p.reminders, &local)?,
        status: given(p.status),
        priority: Some(p.priority),
        privacy: given(p.privacy),
        attendees: people(Some(p.attendees).filter(|text| !text.trim().is_empty()))?,
        url: given(p.url),
        color: given(p.color),
        timezone: None,
    };
    create(cx, &calendar, &local, &changes)
}

pub(super) fn create_meeting(cx: &Cx, p: CreateMeeting) -> Result<Success<SavedEvent>, ToolError> {
    let calendar = writable(cx, &p.calendar_name)?;
    let local = local(&p.timezone, &calendar)?;
    let wrong = |why: String| ToolError::Arguments(why);
    let start = When::parse(&format!("{}T{}", p.date.trim(), clock(&p.time)), &local);
    let start = start.map_err(|_| {
        wrong(format!(
            "`date` and `time` must be like 2026-11-25 and 14:30, got {:?} and {:?}",
            p.date, p.time
        ))
    })?;
    let end = ical::Duration::minutes(p.duration_minutes.get() as i64).after(&start, &Zones::none());
    let end = end.ok_or_else(|| wrong("`date`: the year is out of range".into()))?;
    let given = |text: String| (!text.trim().is_empty()).then_some(text);
    let changes = Changes {
        title: Some(p.title),
        start: Some(start.value()),
        end: Some(end.value()),
        description: given(p.description),
        location: given(p.location),
        status: Some("CONFIRMED".to_owned()),
        attendees: people(Some(p.attendees).filter(|text| !text.trim().is_empty()))?,
        reminder_minutes: Some(p.reminder_minutes),
        ..Changes::default()
    };
    create(cx, &calendar, &local, &changes)
}

/// `9:30` and `14:30` alike.
fn clock(time: &str) -> String {
    let time = time.trim();
    if time.find(':') == Some(1) { format!("0{time}") } else { time.to_owned() }
}

fn create(
    cx: &Cx,
    calendar: &Calendar,
    local: &Local,
    changes: &Changes,
) -> Result<Success<SavedEvent>, ToolError> {
    if changes.title.as_deref().is_none_or(|title| title.trim().is_empty()) {
        return Err(ToolError::Arguments("`title` is empty; an event needs one".into()));
    }
    let uid = objects::new_uid(cx)?;
    let mut object = ical::calendar();
    let mut event = Component::new(KIND);
    let now = When::at(ical::moment_of(cx.clock.now()), &Local::Utc);
    event.push(Line::text("UID", &uid));
    event.push(now.line("DTSTAMP"));
    event.push(now.line("CREATED"));
    object.push_child(event);
    let note = apply(cx, changes, &mut object, None, local)?;
    let saved = objects::create(cx, calendar, Comp::Event, &uid, &object)?;
    saved_event(cx, calendar, &object, None, saved, note)
}

pub(super) fn list_events(cx: &Cx, p: ListEvents) -> Result<Success<EventList>, ToolError> {
    let calendars = wanted(cx, &p.calendar_name, p.search_all_calendars)?;
    let shown_in = shown_in(&p.timezone)?;
    let read_in = shown_in.clone().unwrap_or(Local::Utc);
    let range = range(&p.start_date, &p.end_date, &read_in)?;
    let filter = Filter {
        title_contains: p.title_contains,
        location_contains: p.location_contains,
        categories: p.categories,
        status: p.status,
        attendees_min: p.min_attendees,
        duration_min_minutes: p.min_duration_minutes,
    };
    let found = listing::events(cx, &calendars, range, shown_in.as_ref(), &filter)?;
    let page = Page::cut(found.events, p.cursor, p.limit.get())?;
    let show = |at: Moment| When::at(at, &read_in).show(&Zones::none());
    let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    Ok(Success(EventList {
        events: page.rows,
        calendar_name: single(&calendars, &p.calendar_name, p.search_all_calendars),
        start_date: range.map(|range| given(&p.start_date).unwrap_or_else(|| show(range.start))),
        end_date: range.map(|range| given(&p.end_date).unwrap_or_else(|| show(range.end))),
        total_found: page.total,
        next_cursor: page.next_cursor,
        errors: found.errors,
    }))
}

pub(super) fn get_upcoming_events(cx: &Cx, p: UpcomingEvents) -> Result<Success<Upcoming>, ToolError> {
    let calendars = wanted(cx, &p.calendar_name, false)?;
    let shown_in = shown_in(&p.timezone)?;
    let start = ical::moment_of(cx.clock.now());
    let ahead = ical::Duration { days: p.days_ahead.get() as i64, seconds: 0 };
    let end =
        ahead.after(&When::at(start, &Local::Utc), &Zones::none()).and_then(|end| end.moment(&Zones::none()));
    let range = Range { start, end: end.unwrap_or(start) };
    let found = listing::events(cx, &calendars, Some(range), shown_in.as_ref(), &Filter::default())?;
    let page = Page::cut(found.events, p.cursor, p.limit.get())?;
    Ok(Success(Upcoming {
        events: page.rows,
        days_ahead: p.days_ahead.get() as i64,
        calendar_name: single(&calendars, &p.calendar_name, false),
        total_found: page.total,
        next_cursor: page.next_cursor,
        errors: found.errors,
    }))
}

pub(super) fn get_event(cx: &Cx, p: GetEvent) -> Result<Event, ToolError> {
    let calendar = calendars::named(cx, &p.calendar_name)?;
    let stored = objects::find(cx, &calendar, Comp::Event, &p.event_uid)?;
    let view =
        View { stored: &stored, calendar: &calendar, zones: Zones::of(&stored.component), shown_in: None };
    let event = ical::master(&stored.component, KIND).and_then(|event| view.whole(cx, event));
    event.ok_or_else(|| {
        ToolError::Refused(format!("Event {:?} has no start; it cannot be shown.", p.event_uid))
    })
}

pub(super) fn update_event(cx: &Cx, p: UpdateEvent) -> Result<Success<SavedEvent>, ToolError> {
    let etag = match p.etag.trim() {
        "" => None,
        text => Some(Etag::parse(text).map_err(|why| ToolError::Arguments(format!("`etag`: {why}")))?),
    };
    let calendar = writable(cx, &p.calendar_name)?;
    let timezone = p.timezone.as_deref().map(str::trim).filter(|name| !name.is_empty());
    let local = local(timezone.unwrap_or_default(), &calendar)?;
    let mut changes = Changes {
        title: p.title,
        start: p.start_datetime.filter(|text| !text.trim().is_empty()),
        end: p.end_datetime,
        all_day: p.all_day,
        timezone: timezone.map(|_| local.clone()),
        description: p.description,
        location: p.location,
        categories: p.categories,
        recurring: p.recurring,
        rule: p.recurrence_rule,
        rule_end: p.recurrence_end_date,
        reminder_minutes: p.reminder_minutes,
        reminder_email: p.reminder_email,
        // A bare time of a reminder is one of the event's zone, which is not known yet.
        reminders: alarms(p.reminders.clone(), &local)?,
        status: p.status,
        priority: p.priority,
        privacy: p.privacy,
        attendees: people(p.attendees)?,
        url: p.url,
        color: p.color,
    };
    if changes.is_empty() {
        return Err(ToolError::Arguments("give at least one field to change".into()));
    }
    let stored = objects::find(cx, &calendar, Comp::Event, &p.event_uid)?;
    let instance = instance(&stored, &p.recurrence_id)?;
    if timezone.is_none()
        && let Some(own) = times::zone_of(&stored.component)
    {
        changes.reminders = alarms(p.reminders, &own)?;
    }
    let mut object = stored.component.clone();
    let note = apply(cx, &changes, &mut object, instance.as_ref(), &local)?;
    let saved = objects::replace(cx, &calendar, Comp::Event, &stored, etag.as_ref(), &object)?;
    saved_event(cx, &calendar, &object, instance.as_ref(), saved, note)
}

pub(super) fn delete_event(cx: &Cx, p: DeleteEvent) -> Result<Success<DeletedEvent>, ToolError> {
    let calendar = writable(cx, &p.calendar_name)?;
    let stored = objects::find(cx, &calendar, Comp::Event, &p.event_uid)?;
    let instance = instance(&stored, &p.recurrence_id)?;
    let (status, message) = match instance {
        None => {
            let status = objects::delete(cx, &calendar, Comp::Event, &stored)?;
            (
                status,
                format!(
                    "Event {:?} was deleted. It is in the calendar trash bin, if there is one.",
                    p.event_uid
                ),
            )
        }
        Some(due) => {
            let mut object = stored.component.clone();
            ical::exclude(&mut object, KIND, &due);
            if let Some(series) = ical::master_mut(&mut object, KIND) {
                ical::touch(series, cx.clock.now(), true);
            }
            let saved = objects::replace(cx, &calendar, Comp::Event, &stored, None, &object)?;
            let at = due.show(&Zones::of(&stored.component));
            (
                saved.status,
                format!("The instance {at} of the series {:?} was taken out; the others stay.", p.event_uid),
            )
        }
    };
    Ok(Success(DeletedEvent {
        status_code: status.into(),
        message,
        deleted_uid: p.event_uid,
        calendar_name: calendar.name,
    }))
}

/// Makes the changes; tells what the caller should know of them.
fn apply(
    cx: &Cx,
    changes: &Changes,
    object: &mut Component,
    instance: Option<&When>,
    local: &Local,
) -> Result<Option<String>, ToolError> {
    let homes = if changes.need_emails() { Some(cx.nc.homes()?) } else { None };
    let emails = homes.map_or(&[][..], |homes| &homes.emails);
    let name = homes.and_then(|homes| homes.display_name.as_deref());
    let setting = Setting { local, now: cx.clock.now(), emails, name };
    changes.apply(object, instance, &setting).map_err(ToolError::Arguments)?;
    let note = "Nobody was invited or is reminded by e-mail: the Nextcloud account has no e-mail address of its own.";
    Ok((changes.need_emails() && emails.is_empty()).then(|| note.to_owned()))
}

fn saved_event(
    cx: &Cx,
    calendar: &Calendar,
    object: &Component,
    instance: Option<&When>,
    saved: objects::Saved,
    note: Option<String>,
) -> Result<Success<SavedEvent>, ToolError> {
    let zones = Zones::of(object);
    let event = match instance {
        Some(due) => ical::instance(object, KIND, due),
        None => ical::master(object, KIND),
    };
    let event =
        event.ok_or_else(|| ToolError::Refused("The event was stored, but cannot be shown.".into()))?;
    let start = event.line("DTSTART").and_then(When::of);
    let show = |when: Option<When>| when.map(|when| when.show(&zones)).unwrap_or_default();
    let text = |name| event.line(name).map(Line::to_text).unwrap_or_default();
    Ok(Success(SavedEvent {
        uid: text("UID"),
        etag: saved.etag,
        status_code: saved.status.into(),
        calendar_name: calendar.name.clone(),
        title: text("SUMMARY"),
        end: show(times::end_of(event, &zones)),
        start_tz: start.as_ref().and_then(When::tzid).map(str::to_owned),
        start: show(start),
        recurrence_id: instance.map(|due| due.show(&zones)),
        link: reading::link(cx, &saved.href),
        href: saved.href,
        note,
    }))
}

/// The instance that a caller names, in the form of its series' start; "" is the series itself.
fn instance(stored: &Stored, recurrence_id: &str) -> Result<Option<When>, ToolError> {
    let recurrence_id = recurrence_id.trim();
    if recurrence_id.is_empty() {
        return Ok(None);
    }
    let zones = Zones::of(&stored.component);
    let master = ical::master(&stored.component, KIND).filter(|event| ical::is_master(event));
    let start = master.and_then(|event| When::of(event.line("DTSTART")?));
    let local = match start.as_ref() {
        Some(When::Zoned { tzid, .. }) => Local::Zone(tzid.clone()),
        Some(When::Floating(_)) => Local::Floating,
        _ => Local::Utc,
    };
    let asked = When::parse(recurrence_id, &local)
        .map_err(|why| ToolError::Arguments(format!("`recurrence_id`: {why}")))?;
    if let Some(exception) = ical::instance(&stored.component, KIND, &asked) {
        return Ok(exception.line("RECURRENCE-ID").and_then(When::of));
    }
    let none = || {
        ToolError::Refused(format!(
            "The event has no instance {recurrence_id}; take the recurrence_id that nc_calendar_list_events shows. Nothing \
             was changed."
        ))
    };
    let (Some(master), Some(start)) = (master, start) else { return Err(none()) };
    if !["RRULE", "RDATE"].iter().any(|name| master.line(name).is_some()) {
        return Err(ToolError::Arguments(
            "`recurrence_id` is given, but the event is no series; leave it out".into(),
        ));
    }
    match Occurrences::of(master, &zones) {
        Some(all) => {
            let last = ical::plus_days(asked.date(), 2).unwrap_or(asked.date());
            let near = all.take(INSTANCES_MAX).take_while(|due| due.date() <= last);
            near.into_iter().find(|due| due.is_same(&asked, &zones)).map(Some).ok_or_else(none)
        }
        // Whether a rule that only Nextcloud knows has this instance cannot be told.
        None => Ok(Some(asked.in_form_of(&start, &zones))),
    }
}

fn writable(cx: &Cx, name: &str) -> Result<Calendar, ToolError> {
    let calendar = calendars::named(cx, name)?;
    calendar.writable()?;
    Ok(calendar)
}

/// The calendars that are to be read: the named one, or all that take events.
fn wanted(cx: &Cx, name: &str, all: bool) -> Result<Vec<Calendar>, ToolError> {
    if !all && !name.trim().is_empty() {
        return Ok(vec![calendars::named(cx, name)?]);
    }
    let mut known = calendars::all(cx)?;
    known.retain(|calendar| calendar.takes(Comp::Event));
    Ok(known)
}

fn single(calendars: &[Calendar], name: &str, all: bool) -> Option<String> {
    calendars.first().filter(|_| !all && !name.trim().is_empty()).map(|calendar| calendar.name.clone())
}

/// How times without a zone are meant: as asked, or in the calendar's own zone. Where it has none, they are the same time
/// of day wherever one is, which is what they say.
fn local(timezone: &str, calendar: &Calendar) -> Result<Local, ToolError> {
    if let Some(local) = shown_in(timezone)? {
        return Ok(local);
    }
    let own = calendar.timezone.as_deref().and_then(|name| Local::parse(name).ok());
    Ok(own.unwrap_or(Local::Floating))
}

fn shown_in(timezone: &str) -> Result<Option<Local>, ToolError> {
    match timezone.trim() {
        "" => Ok(None),
        name => {
            Local::parse(name).map(Some).map_err(|why| ToolError::Arguments(format!("`timezone`: {why}")))
        }
    }
}

/// The asked span. Of one end alone, the other is a year away: a series without end has to be cut somewhere.
fn range(start: &str, end: &str, local: &Local) -> Result<Option<Range>, ToolError> {
    const YEAR: ical::Duration = ical::Duration { days: 366, seconds: 0 };
    let bound = |name: &str, text: &str, is_end| match text.trim() {
        "" => Ok(None),
        text => listing::bound(text, local, is_end)
            .map(Some)
            .map_err(|why| ToolError::Arguments(format!("`{name}`: {why}"))),
    };
    let moved = |at: Moment, by: ical::Duration| {
        let when = by.after(&When::at(at, &Local::Utc), &Zones::none());
        when.and_then(|when| when.moment(&Zones::none())).unwrap_or(at)
    };
    let range = match (bound("start_date", start, false)?, bound("end_date", end, true)?) {
        (None, None) => return Ok(None),
        (Some(start), Some(end)) => Range { start, end },
        (Some(start), None) => Range { start, end: moved(start, YEAR) },
        (None, Some(end)) => {
            Range { start: moved(end, ical::Duration { days: -YEAR.days, seconds: 0 }), end }
        }
    };
    match range.start < range.end {
        true => Ok(Some(range)),
        false => Err(ToolError::Arguments("`end_date` is before `start_date`".into())),
    }
}

fn people(text: Option<String>) -> Result<Option<Vec<Person>>, ToolError> {
    let people = text.map(|text| Person::parse_all(&text)).transpose();
    people.map_err(|why| ToolError::Arguments(format!("`attendees`: {why}")))
}

fn alarms(reminders: Option<Vec<Reminder>>, local: &Local) -> Result<Option<Vec<Alarm>>, ToolError> {
    let alarms = reminders.map(|all| all.into_iter().map(|reminder| reminder.alarm(local)).collect());
    alarms.transpose().map_err(|why: String| ToolError::Arguments(format!("`reminders`: {why}")))
}
