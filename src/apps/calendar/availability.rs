//! When everybody is free.

mod busy;
mod windows;

pub(super) use busy::span;

use super::calendars;
use super::objects::{CalendarError, Range};
use crate::ical::{self, Local, Moment, Person, When, Zone, Zones, plus_days};
use crate::schema::Count;
use crate::tool::{Cursor, Cx, Page, Success, ToolError};
use crate::{params, record};

/// From when to when.
type Span = (Moment, Moment);

const DAY_MINUTES: i64 = 24 * 60;
/// How far ahead is looked if nothing is said.
const DAYS_USUAL: i64 = 7;
/// Longest range: what Nextcloud expands in a few seconds.
const DAYS_MAX: i64 = 184;
/// Attendees asked for at once.
const PEOPLE_MAX: usize = 50;
/// Proposals from now on start at a quarter of an hour.
const QUARTER_S: i64 = 15 * 60;

params! {
    pub(super) struct FindAvailability {
        duration_minutes: Count<1, 43_200>,
        /// Comma-separated e-mail addresses.
        attendees: String = "",
        /// Day or time; now if left out.
        date_range_start: String = "",
        /// A day counts whole; 7 days if left out.
        date_range_end: String = "",
        /// 09:00 to 17:00.
        business_hours_only: bool = true,
        exclude_weekends: bool = true,
        /// `morning`, `afternoon`, `evening` or `HH:MM-HH:MM`, comma-separated.
        preferred_times: String = "",
        /// Count all-day events as busy.
        include_all_day: bool = false,
        /// IANA zone for all times; the calendar's own if left out, else UTC.
        timezone: String = "",
        limit: Count<1, 200> = 100,
        cursor: Option<Cursor>,
    }
}

record! {
    pub(super) struct Slot {
        start: String,
        end: String,
        duration_minutes: i64,
        date: String,
    }
}

record! {
    pub(super) struct Availability {
        /// Free times, as long as they can be.
        available_slots: Vec<Slot>,
        duration_requested: i64,
        date_range_start: String,
        date_range_end: String,
        attendees_checked: Vec<String>,
        business_hours_only: bool,
        timezone: String,
        total_count: i64,
        next_cursor: Option<Cursor>,
        /// Events that could not be read and are not counted.
        errors: Vec<CalendarError>,
    }
}

pub(super) fn find_availability(cx: &Cx, p: FindAvailability) -> Result<Success<Availability>, ToolError> {
    let minutes = p.duration_minutes.get() as i64;
    let day = windows::of_day(p.business_hours_only, &p.preferred_times).map_err(ToolError::Arguments)?;
    let longest = day.iter().map(|(start, end)| i64::from(end - start)).max().unwrap_or(0);
    if minutes > longest && longest < DAY_MINUTES {
        return Err(ToolError::Arguments(format!(
            "`duration_minutes` is longer than the {longest} minutes that are asked for of a day; set business_hours_only to \
             false or widen `preferred_times`"
        )));
    }
    let people = people(cx, &p.attendees)?;
    let calendars = calendars::all(cx)?;
    let known = calendars.iter().filter(|calendar| calendar.owner.is_none()).find_map(|c| c.timezone.clone());
    let (name, local, zone) = zone(&p.timezone, known)?;
    let range = range(cx, &p, &local, &zone)?;
    let (mut busy, errors) = busy::own(cx, &calendars, range, p.include_all_day.then_some(&zone))?;
    let others: Vec<Person> =
        people.iter().filter(|(_, is_own)| !is_own).map(|(person, _)| person.clone()).collect();
    busy.extend(busy::of_others(cx, &others, range)?);
    let open = windows::in_range(range, &zone, &day, p.exclude_weekends, minutes > longest);
    let show = |at: Moment| When::at(at, &local).show(&Zones::none());
    let slots = windows::free(&open, busy, minutes * 60).into_iter().map(|(start, end)| Slot {
        start: show(start),
        end: show(end),
        duration_minutes: (end.as_second() - start.as_second()) / 60,
        date: When::Date(zone.local(start).date()).show(&Zones::none()),
    });
    let page = Page::cut(slots.collect(), p.cursor, p.limit.get())?;
    Ok(Success(Availability {
        available_slots: page.rows,
        duration_requested: minutes,
        date_range_start: show(range.start),
        date_range_end: show(range.end),
        attendees_checked: people.into_iter().map(|(person, _)| person.address).collect(),
        business_hours_only: p.business_hours_only,
        timezone: name,
        total_count: page.total,
        next_cursor: page.next_cursor,
        errors,
    }))
}

/// Whom to look at, and whether that is the user, whose calendars are read in any case.
fn people(cx: &Cx, attendees: &str) -> Result<Vec<(Person, bool)>, ToolError> {
    let people = Person::parse_all(attendees)
        .map_err(|why| ToolError::Arguments(format!("`attendees`: {why}; write bob@example.org, …")))?;
    if people.len() > PEOPLE_MAX {
        return Err(ToolError::Arguments(format!("`attendees`: at most {PEOPLE_MAX} at a time")));
    }
    let emails = &cx.nc.homes()?.emails;
    Ok(people
        .into_iter()
        .map(|person| {
            let is_own = emails.iter().any(|email| person.is(email));
            (person, is_own)
        })
        .collect())
}

/// Name and rules of the zone that days and hours are meant in.
fn zone(asked: &str, known: Option<String>) -> Result<(String, Local, Zone), ToolError> {
    let local = match asked.trim() {
        "" => known.and_then(|name| Local::parse(&name).ok()).unwrap_or(Local::Utc),
        asked => Local::parse(asked).map_err(|why| ToolError::Arguments(format!("`timezone`: {why}")))?,
    };
    let name = local.tzid().unwrap_or("UTC").to_owned();
    match Zone::iana(&name) {
        Some(zone) => Ok((name, local, zone)),
        None => Err(ToolError::Arguments(format!("`timezone`: {name:?} is not known"))),
    }
}

/// The range to look at. A day as its end counts whole; what is past of today is left out.
fn range(cx: &Cx, p: &FindAvailability, local: &Local, zone: &Zone) -> Result<Range, ToolError> {
    let now = ical::moment_of(cx.clock.now());
    let quarter = now.as_second().div_euclid(QUARTER_S) * QUARTER_S + QUARTER_S;
    let soon =
        if now.as_second() % QUARTER_S == 0 { now } else { Moment::from_second(quarter).unwrap_or(now) };
    let wrong = |name: &str, why: &str| ToolError::Arguments(format!("`{name}`: {why}"));
    let moment = |name: &str, text: &str, days: i64| -> Result<(Moment, bool), ToolError> {
        let when = When::parse(text, local).map_err(|why| wrong(name, &why))?;
        let date = when.is_date().then(|| plus_days(when.date(), days));
        let at = match date {
            Some(date) => date.and_then(|date| zone.moment(date.at(0, 0, 0, 0))),
            None => when.moment(&Zones::none()),
        };
        Ok((at.ok_or_else(|| wrong(name, "the year is out of range"))?, date.is_some()))
    };
    let start = match p.date_range_start.trim() {
        "" => soon,
        text => match moment("date_range_start", text, 0)? {
            (start, true) if start < soon && zone.local(start).date() == zone.local(now).date() => soon,
            (start, _) => start,
        },
    };
    let end = match p.date_range_end.trim() {
        "" => Moment::from_second(start.as_second() + DAYS_USUAL * 86_400)
            .map_err(|_| wrong("date_range_start", "the year is out of range"))?,
        text => moment("date_range_end", text, 1)?.0,
    };
    if end <= start {
        return Err(wrong(
            "date_range_end",
            "the range is empty; it must end after its start, and not in the past",
        ));
    }
    if end.as_second() - start.as_second() > DAYS_MAX * 86_400 {
        return Err(wrong("date_range_end", "the range is longer than half a year; ask for less"));
    }
    Ok(Range { start, end })
}
