//! What a VEVENT says, as tools show it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::changing::simple_minutes;
use super::times::end_of;
use crate::apps::calendar::calendars::Calendar;
use crate::apps::calendar::objects::Stored;
use crate::apps::calendar::reminders::{self, Reminder};
use crate::contentline::{Component, Line};
use crate::ical::{self, Alarm, Local, Moment, Person, When, Zone, Zones, value_text};
use crate::record;
use crate::tool::Cx;

/// Characters of a description in a list; the whole of it is one call away.
const DESCRIPTION_CHARS_MAX: usize = 300;

record! {
    pub(in crate::apps::calendar) struct Attendee {
        email: String,
        name: Option<String>,
        /// `ACCEPTED`, `DECLINED`, `TENTATIVE`, `NEEDS-ACTION`.
        status: Option<String>,
        role: Option<String>,
    }
}

record! {
    pub(in crate::apps::calendar) struct EventSummary {
        uid: String,
        summary: String,
        start: String,
        /// Of whole days the day after the last.
        end: String,
        start_tz: Option<String>,
        end_tz: Option<String>,
        all_day: bool,
        location: String,
        /// Its beginning.
        description: String,
        categories: Vec<String>,
        status: String,
        transp: Option<String>,
        priority: Option<i64>,
        privacy: Option<String>,
        recurring: bool,
        recurrence_rule: Option<String>,
        /// Names this instance of a series in other tools.
        recurrence_id: Option<String>,
        organizer: Option<String>,
        attendees: Vec<Attendee>,
        duration_minutes: Option<i64>,
        url: Option<String>,
        color: Option<String>,
        etag: String,
        href: String,
        calendar_name: String,
        calendar_display_name: String,
    }
}

record! {
    /// An instance of the series that differs from it.
    pub(in crate::apps::calendar) struct Exception {
        recurrence_id: String,
        title: String,
        start: String,
        end: String,
        status: Option<String>,
    }
}

record! {
    pub(in crate::apps::calendar) struct Event {
        uid: String,
        title: String,
        summary: String,
        start: String,
        /// Of whole days the day after the last.
        end: String,
        /// Zone of the start, as it is stored.
        start_tz: Option<String>,
        end_tz: Option<String>,
        all_day: bool,
        location: String,
        description: String,
        categories: Vec<String>,
        status: String,
        transp: Option<String>,
        priority: i64,
        privacy: String,
        url: String,
        color: Option<String>,
        recurring: bool,
        recurrence_rule: Option<String>,
        recurrence_end_date: Option<String>,
        /// Instances that were taken out.
        excluded: Option<Vec<String>>,
        exceptions: Option<Vec<Exception>>,
        organizer: Option<String>,
        attendees: Vec<Attendee>,
        duration_minutes: Option<i64>,
        /// Of the first reminder before the start.
        reminder_minutes: Option<i64>,
        reminder_email: bool,
        reminders: Vec<Reminder>,
        created: Option<String>,
        last_modified: Option<String>,
        /// For the next update.
        etag: String,
        href: String,
        /// For a browser, where the Calendar app is installed.
        link: Option<String>,
        calendar_name: String,
        calendar_display_name: String,
    }
}

/// An event as a list needs it: told, and what it is filtered and sorted by.
pub(super) struct Listed {
    pub row: EventSummary,
    pub start: Moment,
    pub end: Moment,
}

/// Where and how an event is told.
pub(super) struct View<'a> {
    pub stored: &'a Stored,
    pub calendar: &'a Calendar,
    /// Zones of the stored object.
    pub zones: Zones<'a>,
    /// Shows all times there, whatever their own zone is.
    pub shown_in: Option<&'a Local>,
}

impl View<'_> {
    fn show(&self, when: &When) -> String {
        match (self.shown_in, when) {
            (Some(local), When::Utc(_) | When::Zoned { .. }) => match when.moment(&self.zones) {
                Some(moment) => When::at(moment, local).show(&Zones::none()),
                None => when.show(&self.zones),
            },
            _ => when.show(&self.zones),
        }
    }

    fn zone_name(&self, when: &When) -> Option<String> {
        match (self.shown_in.and_then(Local::tzid), when) {
            (Some(tzid), When::Utc(_) | When::Zoned { .. }) => Some(tzid.to_owned()),
            (_, When::Utc(_)) => Some("UTC".to_owned()),
            _ => when.tzid().map(str::to_owned),
        }
    }

    /// The moment at which it is; of whole days and floating times that of the zone in which all is shown, if one is.
    pub fn moment(&self, when: &When) -> Option<Moment> {
        let zone = self.shown_in.and_then(Local::tzid).and_then(Zone::iana);
        match (when, zone) {
            (When::Date(_) | When::Floating(_), Some(zone)) => zone.moment(when.start()),
            _ => when.moment(&self.zones),
        }
    }

    /// A row of a list. `series` is what an instance is one of. `None` for an event without a start.
    pub fn listed(&self, event: &Component, series: Option<&Component>) -> Option<Listed> {
        let start = event.line("DTSTART").and_then(When::of)?;
        let end = end_of(event, &self.zones)?;
        let text = |name| event.line(name).map(Line::to_text).filter(|text| !text.is_empty());
        let rule = value_text(series.unwrap_or(event), "RRULE");
        let recurrence_id = event.line("RECURRENCE-ID").and_then(When::of);
        let row = EventSummary {
            uid: text("UID").unwrap_or_default(),
            summary: text("SUMMARY").unwrap_or_default(),
            start: self.show(&start),
            end: self.show(&end),
            start_tz: self.zone_name(&start),
            end_tz: self.zone_name(&end).filter(|zone| Some(zone) != self.zone_name(&start).as_ref()),
            all_day: start.is_date(),
            location: text("LOCATION").unwrap_or_default(),
            description: text("DESCRIPTION").map(shortened).unwrap_or_default(),
            categories: categories(event),
            // RFC 5545 knows no default; people take an event without a status for a confirmed one.
            status: status(event).unwrap_or_else(|| "CONFIRMED".to_owned()),
            transp: value_text(event, "TRANSP").filter(|transp| transp.eq_ignore_ascii_case("TRANSPARENT")),
            priority: priority(event).filter(|priority| *priority > 0),
            privacy: value_text(event, "CLASS").filter(|class| !class.eq_ignore_ascii_case("PUBLIC")),
            recurring: rule.is_some() || recurrence_id.is_some() || event.line("RDATE").is_some(),
            recurrence_rule: rule,
            recurrence_id: recurrence_id.map(|id| self.show(&id)),
            organizer: organizer(event),
            attendees: attendees(event),
            duration_minutes: self.duration_minutes(&start, &end),
            url: value_text(event, "URL"),
            color: event.line("COLOR").map(ical::color),
            etag: self.stored.etag.clone(),
            href: self.stored.href(),
            calendar_name: self.calendar.name.clone(),
            calendar_display_name: self.calendar.display_name.clone(),
        };
        Some(Listed { start: self.moment(&start)?, end: self.moment(&end)?, row })
    }

    /// An event with all that is known of it, and the exceptions if it is a series. `None` without a start.
    pub fn whole(&self, cx: &Cx, event: &Component) -> Option<Event> {
        let start = event.line("DTSTART").and_then(When::of)?;
        let end = end_of(event, &self.zones)?;
        let text = |name| event.line(name).map(Line::to_text).unwrap_or_default();
        let alarms = Alarm::all_of(event);
        let rule = value_text(event, "RRULE");
        let until = rule.as_deref().and_then(|rule| ical::Rule::parse(rule).ok()?.until);
        let excluded: Vec<String> =
            event.lines("EXDATE").flat_map(When::all_of).map(|when| self.show(&when)).collect();
        let exceptions = if ical::is_master(event) { self.exceptions() } else { Vec::new() };
        let stamp = |name| event.line(name).and_then(When::of).map(|when| self.show(&when));
        Some(Event {
            uid: text("UID"),
            title: text("SUMMARY"),
            summary: text("SUMMARY"),
            start: self.show(&start),
            end: self.show(&end),
            start_tz: self.zone_name(&start),
            end_tz: self.zone_name(&end),
            all_day: start.is_date(),
            location: text("LOCATION"),
            description: text("DESCRIPTION"),
            categories: categories(event),
            status: status(event).unwrap_or_else(|| "CONFIRMED".to_owned()),
            transp: value_text(event, "TRANSP"),
            priority: priority(event).unwrap_or(0),
            privacy: value_text(event, "CLASS").unwrap_or_else(|| "PUBLIC".to_owned()),
            url: value_text(event, "URL").unwrap_or_default(),
            color: event.line("COLOR").map(ical::color),
            recurring: rule.is_some() || event.line("RDATE").is_some() || !ical::is_master(event),
            recurrence_rule: rule,
            recurrence_end_date: until.map(|until| self.show(&until.in_form_of(&start, &self.zones))),
            excluded: (!excluded.is_empty()).then_some(excluded),
            exceptions: (!exceptions.is_empty()).then_some(exceptions),
            organizer: organizer(event),
            attendees: attendees(event),
            duration_minutes: self.duration_minutes(&start, &end),
            reminder_minutes: simple_minutes(&alarms),
            reminder_email: reminders::has_email(&alarms),
            reminders: alarms.iter().map(|alarm| Reminder::of(alarm, &self.zones)).collect(),
            created: stamp("CREATED"),
            last_modified: stamp("LAST-MODIFIED"),
            etag: self.stored.etag.clone(),
            href: self.stored.href(),
            link: link(cx, &self.stored.href()),
            calendar_name: self.calendar.name.clone(),
            calendar_display_name: self.calendar.display_name.clone(),
        })
    }

    fn exceptions(&self) -> Vec<Exception> {
        let all = ical::of_kind(&self.stored.component, "VEVENT").filter(|event| !ical::is_master(event));
        all.filter_map(|event| {
            let id = event.line("RECURRENCE-ID").and_then(When::of)?;
            let start = event.line("DTSTART").and_then(When::of)?;
            Some(Exception {
                recurrence_id: self.show(&id),
                title: event.line("SUMMARY").map(Line::to_text).unwrap_or_default(),
                end: self.show(&end_of(event, &self.zones)?),
                start: self.show(&start),
                status: status(event),
            })
        })
        .collect()
    }

    fn duration_minutes(&self, start: &When, end: &When) -> Option<i64> {
        let span = end.moment(&self.zones)?.duration_since(start.moment(&self.zones)?);
        Some(span.as_secs().max(0) / 60)
    }
}

/// A link into Nextcloud's Calendar app, in the form of its own search results.
pub(super) fn link(cx: &Cx, href: &str) -> Option<String> {
    cx.link(&format!("/index.php/apps/calendar/edit/{}", BASE64_STANDARD.encode(href)))
}

pub(super) fn attendees(event: &Component) -> Vec<Attendee> {
    let people = event.lines("ATTENDEE").map(Person::of);
    people
        .map(|person| Attendee {
            email: person.address,
            name: person.name,
            status: person.status,
            role: person.role.filter(|role| role != "REQ-PARTICIPANT"),
        })
        .collect()
}

fn organizer(event: &Component) -> Option<String> {
    event.line("ORGANIZER").map(|line| Person::of(line).address)
}

fn categories(event: &Component) -> Vec<String> {
    let all = event.lines("CATEGORIES").flat_map(Line::to_list).map(|name| name.trim().to_owned());
    all.filter(|name| !name.is_empty()).collect()
}

fn status(event: &Component) -> Option<String> {
    value_text(event, "STATUS").map(|status| status.to_ascii_uppercase())
}

fn priority(event: &Component) -> Option<i64> {
    value_text(event, "PRIORITY")?.parse().ok()
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(DESCRIPTION_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
