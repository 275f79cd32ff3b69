//! Events of a span of time, and which of them are wanted.

use super::changing::list;
use super::reading::{EventSummary, Listed, View};
use super::times::end_of;
use crate::apps::calendar::calendars::{Calendar, Comp};
use crate::apps::calendar::objects::{self, CalendarError, Range, Stored};
use crate::contentline::Component;
use crate::ical::{self, Local, Moment, Occurrences, When, Zone, Zones};
use crate::nextcloud::{Kind, UrlPath};
use crate::tool::{Cx, ToolError};

/// Instances of one series that are worked out here, where Nextcloud gives up: it refuses series with more than 3,500.
const INSTANCES_MAX: usize = 50_000;
/// Of these in one range; more is no list that anybody reads.
const INSTANCES_IN_RANGE_MAX: usize = 5_000;
const KIND: &str = Comp::Event.name();

/// Which events are wanted. Texts are looked for in any case.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub title_contains: Option<String>,
    pub location_contains: Option<String>,
    /// Comma-separated; one of them is enough.
    pub categories: Option<String>,
    pub status: Option<String>,
    pub attendees_min: Option<i64>,
    pub duration_min_minutes: Option<i64>,
}

impl Filter {
    fn takes(&self, event: &EventSummary) -> bool {
        let contains = |text: &str, wanted: &Option<String>| {
            wanted.as_deref().is_none_or(|wanted| text.to_lowercase().contains(&wanted.trim().to_lowercase()))
        };
        let wanted = list(self.categories.as_deref().unwrap_or_default());
        let has =
            |wanted: &String| event.categories.iter().any(|c| c.to_lowercase() == wanted.to_lowercase());
        let attendees = event.attendees.len() as i64;
        contains(&event.summary, &self.title_contains)
            && contains(&event.location, &self.location_contains)
            && (wanted.is_empty() || wanted.iter().any(has))
            && self
                .status
                .as_deref()
                .map(str::trim)
                .is_none_or(|s| s.is_empty() || s.eq_ignore_ascii_case(&event.status))
            && self.attendees_min.is_none_or(|least| attendees >= least)
            && self.duration_min_minutes.is_none_or(|least| event.duration_minutes.unwrap_or(0) >= least)
    }
}

/// What was found: rows in the order of their start, and what could not be read.
pub(super) struct Found {
    pub events: Vec<EventSummary>,
    pub errors: Vec<CalendarError>,
}

/// The events of some calendars that touch the range, a series as its instances; without a range all events, a series as
/// one. `shown_in` is the zone in which times are shown and whole days counted.
///
/// Nextcloud filters by the range and expands the series. What has no series is taken as it is stored, with its own zone,
/// which an expansion loses.
pub(super) fn events(
    cx: &Cx,
    calendars: &[Calendar],
    range: Option<Range>,
    shown_in: Option<&Local>,
    filter: &Filter,
) -> Result<Found, ToolError> {
    let asked = range.map(|range| widened(range, shown_in));
    let (mut listed, mut errors) = (Vec::new(), Vec::new());
    let (mut is_any_readable, mut first_failure) = (false, None);
    for (place, calendar) in calendars.iter().enumerate() {
        match of_calendar(cx, calendar, asked, shown_in) {
            Ok((events, faults)) => {
                is_any_readable = true;
                listed.extend(events);
                errors.extend(faults);
            }
            Err(failure) => {
                errors
                    .push(CalendarError { calendar_name: calendar.name.clone(), error: failure.to_string() });
                first_failure.get_or_insert(failure);
            }
        }
        cx.progress.report(place as u64 + 1, Some(calendars.len() as u64), "calendars read");
    }
    if let Some(failure) = first_failure.filter(|_| !is_any_readable) {
        return Err(failure);
    }
    listed.retain(|event| range.is_none_or(|range| touches(event, range)) && filter.takes(&event.row));
    listed.sort_by(|a, b| (a.start, &a.row.summary, &a.row.uid).cmp(&(b.start, &b.row.summary, &b.row.uid)));
    Ok(Found { events: listed.into_iter().map(|event| event.row).collect(), errors })
}

/// RFC 4791 §9.9; an event that takes no time is there at its start.
fn touches(event: &Listed, range: Range) -> bool {
    event.start < range.end
        && (event.end > range.start || event.end == event.start && event.start >= range.start)
}

/// A day has its hours where one is: what Nextcloud takes for UTC may begin and end most of a day off.
fn widened(range: Range, shown_in: Option<&Local>) -> Range {
    const DAY: ical::Duration = ical::Duration { days: 1, seconds: 0 };
    let moved = |at: Moment, by: ical::Duration| {
        let when = When::at(at, &Local::Utc);
        by.after(&when, &Zones::none()).and_then(|when| when.moment(&Zones::none())).unwrap_or(at)
    };
    match shown_in.and_then(Local::tzid) {
        None => range,
        Some(_) => Range {
            start: moved(range.start, ical::Duration { days: -1, ..DAY }),
            end: moved(range.end, DAY),
        },
    }
}

fn view<'a>(stored: &'a Stored, calendar: &'a Calendar, shown_in: Option<&'a Local>) -> View<'a> {
    View { zones: Zones::of(&stored.component), stored, calendar, shown_in }
}

fn is_recurring(event: &Component) -> bool {
    ["RRULE", "RDATE", "RECURRENCE-ID"].iter().any(|name| event.line(name).is_some())
}

/// The events of one calendar, before the filter, and what of it cannot be read.
fn of_calendar(
    cx: &Cx,
    calendar: &Calendar,
    range: Option<Range>,
    shown_in: Option<&Local>,
) -> Result<(Vec<Listed>, Vec<CalendarError>), ToolError> {
    let (found, is_filtered) = match objects::query(cx, calendar, Comp::Event, range, false) {
        // One series with more than 3,500 instances, and Nextcloud filters nothing in this calendar.
        Err(ToolError::Upstream(error)) if error.kind == Kind::Server && range.is_some() => {
            log::warn!(
                "a calendar could not be filtered by Nextcloud, it is read whole status={:?}",
                error.status
            );
            (objects::query(cx, calendar, Comp::Event, None, false)?, false)
        }
        found => (found?, true),
    };
    let mut errors = found.errors;
    let mut listed = Vec::new();
    let is_series = |stored: &&Stored| range.is_some() && stored.parts(Comp::Event).any(is_recurring);
    let (series, single): (Vec<&Stored>, Vec<&Stored>) = found.objects.iter().partition(is_series);
    for stored in single {
        let view = view(stored, calendar, shown_in);
        listed.extend(stored.parts(Comp::Event).filter_map(|event| view.listed(event, None)));
    }
    let Some(range) = range.filter(|_| !series.is_empty()) else { return Ok((listed, errors)) };
    let expanded = if is_filtered { expanded(cx, calendar, &series, range)? } else { Vec::new() };
    for stored in series {
        match instances(cx, calendar, stored, range, &expanded)? {
            Some(events) => {
                let view = view(stored, calendar, shown_in);
                let master = ical::master(&stored.component, KIND).filter(|event| ical::is_master(event));
                listed.extend(events.iter().filter_map(|event| view.listed(event, master)));
            }
            None => errors.push(CalendarError {
                calendar_name: calendar.name.clone(),
                error: format!(
                    "the series {:?} could not be expanded; nc_calendar_get_event shows it",
                    objects::uid_of(stored, Comp::Event)
                ),
            }),
        }
    }
    Ok((listed, errors))
}

/// What Nextcloud expands; nothing, where it fails over one of them.
fn expanded(
    cx: &Cx,
    calendar: &Calendar,
    series: &[&Stored],
    range: Range,
) -> Result<Vec<(UrlPath, Component)>, ToolError> {
    let paths: Vec<UrlPath> = series.iter().map(|stored| stored.path.clone()).collect();
    match objects::expand(cx, calendar, &paths, range) {
        Err(error) if error.kind == Kind::Server => {
            log::warn!("a calendar's series could not be expanded by Nextcloud status={:?}", error.status);
            Ok(Vec::new())
        }
        expanded => Ok(expanded?),
    }
}

/// The instances of one series, as Nextcloud told them, or else worked out here; one with a rule that this program does not
/// know is asked for alone. `None` if nobody can tell them.
fn instances(
    cx: &Cx,
    calendar: &Calendar,
    stored: &Stored,
    range: Range,
    expanded: &[(UrlPath, Component)],
) -> Result<Option<Vec<Component>>, ToolError> {
    let of = |expanded: &[(UrlPath, Component)]| -> Option<Vec<Component>> {
        let (_, told) = expanded.iter().find(|(path, _)| path.as_str() == stored.path.as_str())?;
        Some(
            ical::of_kind(told, KIND)
                .map(|event| in_own_zone(event, stored, calendar.timezone.as_deref()))
                .collect(),
        )
    };
    if let Some(events) = of(expanded).or_else(|| worked_out(stored, range)) {
        return Ok(Some(events));
    }
    Ok(of(&self::expanded(cx, calendar, &[stored], range)?))
}

/// An instance that Nextcloud made, which tells its times in UTC, with the times of the stored event's zone.
fn in_own_zone(instance: &Component, stored: &Stored, zone: Option<&str>) -> Component {
    let zones = Zones::of(&stored.component);
    let mut event = instance.clone();
    let due = instance.line("RECURRENCE-ID").and_then(When::of);
    let master = ical::master(&stored.component, KIND);
    let exception = due.as_ref().and_then(|due| {
        ical::of_kind(&stored.component, KIND).find(|event| {
            let id = event.line("RECURRENCE-ID").and_then(When::of);
            id.is_some_and(|id| {
                id.moment(&zones) == due.moment(&zones) || is_floating(&id) && floating(due, zone) == id
            })
        })
    });
    let form_of = |event: Option<&Component>, name: &str| event?.line(name).and_then(When::of);
    for (name, like, source) in [
        ("RECURRENCE-ID", "DTSTART", master),
        ("DTSTART", "DTSTART", exception.or(master)),
        ("DTEND", "DTEND", exception.or(master)),
    ] {
        let Some(told) = instance.line(name).and_then(When::of) else { continue };
        let Some(form) = form_of(source, like).or_else(|| form_of(source, "DTSTART")) else { continue };
        let own = match (&told, &form) {
            (When::Utc(_), When::Floating(_)) => floating(&told, zone),
            (When::Utc(_), _) => told.in_form_of(&form, &zones),
            _ => continue,
        };
        event.set(own.line(name));
    }
    event
}

fn is_floating(when: &When) -> bool {
    matches!(when, When::Floating(_))
}

/// Takes back what Nextcloud does to floating times: it reads them in the calendar's zone, or as UTC.
fn floating(told: &When, zone: Option<&str>) -> When {
    let zone = zone.and_then(Zone::iana);
    let local = match (zone, told.moment(&Zones::none())) {
        (Some(zone), Some(moment)) => zone.local(moment),
        _ => told.start(),
    };
    When::Floating(local)
}

/// The instances of a series in a range, exceptions in their place; `None` for a rule that this program does not know.
pub(in crate::apps::calendar) fn worked_out(stored: &Stored, range: Range) -> Option<Vec<Component>> {
    let zones = Zones::of(&stored.component);
    let master = ical::master(&stored.component, KIND).filter(|event| ical::is_master(event))?;
    let within = |event: &Component| -> Option<bool> {
        let start = event.line("DTSTART").and_then(When::of)?.moment(&zones)?;
        let end = end_of(event, &zones)?.moment(&zones)?;
        Some(start < range.end && (end > range.start || end == start))
    };
    let exceptions = stored.parts(Comp::Event).filter(|event| !ical::is_master(event));
    let mut events: Vec<Component> = exceptions.cloned().collect();
    let span = end_of(master, &zones)?
        .moment(&zones)?
        .duration_since(master.line("DTSTART").and_then(When::of)?.moment(&zones)?);
    let mut alone = stored.component.clone();
    alone.retain_children(|child| !child.is(KIND) || ical::is_master(child));
    for due in Occurrences::of(master, &zones)?.take(INSTANCES_MAX) {
        let at = due.moment(&zones)?;
        if at >= range.end {
            break;
        }
        let is_over = at.checked_add(span).is_ok_and(|end| end < range.start);
        if !is_over && ical::instance(&stored.component, KIND, &due).is_none() {
            events.push(ical::new_instance(&mut alone.clone(), KIND, &due)?.clone());
        }
        if events.len() > INSTANCES_IN_RANGE_MAX {
            return None;
        }
    }
    events.retain(|event| within(event) == Some(true));
    Some(events)
}

/// Reads a day or time that bounds a range; a day alone is its beginning, or its end if it is the last one.
pub(super) fn bound(text: &str, local: &Local, is_end: bool) -> Result<Moment, String> {
    let when = When::parse(text, local)?;
    let when = match when {
        When::Date(day) => {
            let day = if is_end { ical::plus_days(day, 1).ok_or("the year is out of range")? } else { day };
            local.when(day.at(0, 0, 0, 0))
        }
        when => when,
    };
    when.moment(&Zones::none()).ok_or_else(|| "the year is out of range".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str) -> Stored {
        Stored { path: UrlPath::dav(), etag: "e".to_owned(), component: Component::parse(text).unwrap() }
    }

    fn march() -> Range {
        let at = |text| bound(text, &Local::Utc, false).unwrap();
        Range { start: at("2026-03-01"), end: at("2026-04-01") }
    }

    /// What matters of an instance.
    fn told(event: &Component) -> Vec<String> {
        let names = ["SUMMARY", "DTSTART", "DTEND", "RECURRENCE-ID"];
        let lines = names.iter().filter_map(|name| event.line(name));
        lines.map(|line| format!("{} {:?}", line.value(), line.param("TZID"))).collect()
    }

    #[test]
    fn what_is_worked_out_here_is_what_nextcloud_expands() {
        for (text, expanded) in [
            (
                include_str!("../../../../fixtures/ical/020-sent-recur-1.ics"),
                include_str!("../../../../fixtures/ical/036-expanded-recur-1.ics"),
            ),
            (
                include_str!("../../../../fixtures/ical/021-sent-recur-2.ics"),
                include_str!("../../../../fixtures/ical/036-expanded-recur-2.ics"),
            ),
        ] {
            let stored = stored(text);
            let mut here: Vec<_> = worked_out(&stored, march()).unwrap().iter().map(told).collect();
            let expanded = Component::parse(expanded).unwrap();
            let mut there: Vec<_> = ical::of_kind(&expanded, KIND)
                .map(|event| told(&in_own_zone(event, &stored, None)))
                .collect();
            here.sort();
            there.sort();
            assert!(here.len() >= 4);
            assert_eq!(here, there);
        }
    }

    #[test]
    fn a_floating_time_is_the_one_that_was_stored() {
        let stored = stored(
            "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:f\r\nDTSTART:20260311T070000\r\nDTEND:20260311T080000\r\n\
             RRULE:FREQ=DAILY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        );
        let expanded = |hour: &str| {
            Component::parse(&format!(
                "BEGIN:VEVENT\r\nUID:f\r\nDTSTART:20260312T{hour}0000Z\r\nRECURRENCE-ID:20260312T{hour}0000Z\r\n\
                 END:VEVENT\r\n"
            ))
            .unwrap()
        };
        let wanted = ["20260312T070000 None", "20260312T070000 None"];
        assert_eq!(told(&in_own_zone(&expanded("07"), &stored, None)), wanted);
        assert_eq!(told(&in_own_zone(&expanded("06"), &stored, Some("Europe/Berlin"))), wanted);
    }

    #[test]
    fn a_rule_that_nobody_here_knows_is_not_worked_out() {
        let stored = stored(
            "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:f\r\nDTSTART:20260311T070000Z\r\nRRULE:FREQ=HOURLY\r\n\
             END:VEVENT\r\nEND:VCALENDAR\r\n",
        );
        assert!(worked_out(&stored, march()).is_none());
    }
}
