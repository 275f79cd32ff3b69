//! The object as a whole: one VCALENDAR with a series, its exceptions and its zones.

use super::vtimezone::vtimezone;
use super::{Moment, When, Zones};
use crate::clock;
use crate::contentline::{Component, Line};

/// An empty VCALENDAR as this program writes it.
pub fn calendar() -> Component {
    let mut calendar = Component::new("VCALENDAR");
    calendar.push(Line::new("VERSION", "2.0"));
    calendar.push(Line::new("PRODID", "-//nextcloud-mcp-server//EN"));
    calendar.push(Line::new("CALSCALE", "GREGORIAN"));
    calendar
}

/// The components of a kind (`VEVENT`, `VTODO`), the series and its exceptions.
pub fn of_kind<'a>(calendar: &'a Component, kind: &'a str) -> impl Iterator<Item = &'a Component> {
    calendar.children().filter(move |child| child.is(kind))
}

/// Whether it stands for the whole series, or for something that comes once.
pub fn is_master(component: &Component) -> bool {
    component.line("RECURRENCE-ID").is_none()
}

/// The component that stands for the whole; of an invitation to single instances the first of them.
pub fn master<'a>(calendar: &'a Component, kind: &'a str) -> Option<&'a Component> {
    of_kind(calendar, kind).find(|child| is_master(child)).or_else(|| of_kind(calendar, kind).next())
}

/// The same, to be changed.
pub fn master_mut<'a>(calendar: &'a mut Component, kind: &str) -> Option<&'a mut Component> {
    let has_master = of_kind(calendar, kind).any(is_master);
    calendar.children_mut().find(|child| child.is(kind) && (!has_master || is_master(child)))
}

/// The exception for the instance that was due at `at`.
pub fn instance<'a>(calendar: &'a Component, kind: &'a str, at: &When) -> Option<&'a Component> {
    of_kind(calendar, kind).find(|child| stands_for(child, at, &Zones::of(calendar)))
}

/// The same, to be changed.
pub fn instance_mut<'a>(calendar: &'a mut Component, kind: &str, at: &When) -> Option<&'a mut Component> {
    let zones = Zones::of(calendar);
    let index = calendar.children().position(|child| child.is(kind) && stands_for(child, at, &zones))?;
    calendar.children_mut().nth(index)
}

fn stands_for(component: &Component, at: &When, zones: &Zones<'_>) -> bool {
    let id = component.line("RECURRENCE-ID").and_then(When::of);
    id.is_some_and(|id| id.is_same(at, zones))
}

/// Adds an exception for the instance due at `at`: a copy of the series without what makes it one, at the
/// instance's own time. `at` has the form of the series' start. Fails where the series has no start.
pub fn new_instance<'a>(calendar: &'a mut Component, kind: &str, at: &When) -> Option<&'a mut Component> {
    let zones = Zones::of(calendar);
    let series = master(calendar, kind)?;
    let mut copy = series.clone();
    let start = series.line("DTSTART").and_then(When::of)?;
    for (name, is_end) in [("DTSTART", false), ("DTEND", true), ("DUE", true)] {
        let Some(old) = series.line(name).and_then(When::of) else { continue };
        let moved = if is_end { moved(&old, &start, at, &zones)? } else { at.clone() };
        copy.set(moved.line(name));
    }
    for name in ["RRULE", "RDATE", "EXDATE", "EXRULE"] {
        copy.remove(name);
    }
    copy.set(at.line("RECURRENCE-ID"));
    calendar.push_child(copy);
    calendar.children_mut().filter(|child| child.is(kind)).last()
}

/// Where `end` goes when `start` goes to `at`: as long after it, on the clock where both have the same zone. `None`
/// beyond the years that can be counted.
pub fn moved(end: &When, start: &When, at: &When, zones: &Zones<'_>) -> Option<When> {
    if end.tzid() == start.tzid() {
        let span_s = end.start().duration_since(start.start()).as_secs();
        return Some(end.with_local(super::plus_seconds(at.start(), span_s)?));
    }
    let span = end.moment(zones)?.duration_since(start.moment(zones)?);
    let moment = at.moment(zones)?.checked_add(span).ok()?;
    let zone = end.tzid().and_then(|tzid| zones.resolve(tzid));
    Some(end.with_local(zone.map_or_else(|| super::when::utc(moment), |zone| zone.local(moment))))
}

/// Takes the instance due at `at` out of the series: an EXDATE in the form of the start, and no exception for it.
pub fn exclude(calendar: &mut Component, kind: &str, at: &When) {
    let owned = calendar.clone();
    let zones = Zones::of(&owned);
    calendar.retain_children(|child| !(child.is(kind) && stands_for(child, at, &zones)));
    if let Some(series) = master_mut(calendar, kind).filter(|child| is_master(child)) {
        let known = series.lines("EXDATE").flat_map(When::all_of).any(|gone| gone.is_same(at, &zones));
        if !known {
            series.push(at.line("EXDATE"));
        }
    }
}

/// Sees to it that the calendar defines the zone, right from `first` on. A definition that reaches back far enough stays
/// as it is, and so does one of a name that is not of the IANA database.
pub fn ensure_zone(calendar: &mut Component, tzid: &str, first: Moment) {
    let zone_of =
        |child: &Component| child.is("VTIMEZONE") && value_text(child, "TZID").as_deref() == Some(tzid);
    let earliest = calendar.children().filter(|child| zone_of(child)).flat_map(Component::children);
    let earliest =
        earliest.filter_map(|child| When::of(child.line("DTSTART")?)).map(|when| when.start()).min();
    if earliest.is_some_and(|earliest| earliest <= super::when::utc(first)) {
        return;
    }
    let Some(zone) = vtimezone(tzid, first) else { return };
    calendar.retain_children(|child| !zone_of(child));
    calendar.push_child_first(zone);
}

/// Takes away definitions of zones that no line names any more, of those in `candidates`.
pub fn without_unused_zones(calendar: &mut Component, candidates: &[String]) {
    fn names(component: &Component, out: &mut Vec<String>) {
        out.extend(component.all_lines().filter_map(|line| line.param("TZID")).map(str::to_owned));
        component.children().filter(|child| !child.is("VTIMEZONE")).for_each(|child| names(child, out));
    }
    let mut used = Vec::new();
    names(calendar, &mut used);
    calendar.retain_children(|child| {
        let name = child.is("VTIMEZONE").then(|| value_text(child, "TZID")).flatten();
        name.is_none_or(|name| used.contains(&name) || !candidates.contains(&name))
    });
}

/// Notes a change (RFC 5545 §3.8.7): DTSTAMP and LAST-MODIFIED, and with a change of time, rule or state the next SEQUENCE.
pub fn touch(component: &mut Component, now: clock::Timestamp, is_significant: bool) {
    let now = moment_of(now);
    let stamp = When::at(now, &super::Local::Utc);
    component.set(stamp.line("DTSTAMP"));
    component.set(stamp.line("LAST-MODIFIED"));
    if is_significant {
        let sequence = value_text(component, "SEQUENCE").and_then(|text| text.parse().ok()).unwrap_or(0_u32);
        component.set(Line::new("SEQUENCE", sequence.saturating_add(1).to_string()));
    }
}

/// The program's time as a moment.
pub fn moment_of(now: clock::Timestamp) -> Moment {
    let seconds = i64::try_from(now.unix_s()).unwrap_or(i64::MAX);
    Moment::from_second(seconds).unwrap_or(Moment::MAX)
}

/// The value of the first line of a name as it stands, without white space around it; `None` if there is none or it is
/// empty.
pub fn value_text(component: &Component, name: &str) -> Option<String> {
    let value = component.line(name)?.value().trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// Writes a text property; "" takes it away. Parameters that stand with it (LANGUAGE, ALTREP) go with the old text.
pub fn set_or_remove(component: &mut Component, name: &str, text: &str) {
    let is_same = component.line(name).is_some_and(|line| line.to_text() == text.replace("\r\n", "\n"));
    match text {
        "" => component.remove(name),
        _ if is_same => {}
        text => component.set(Line::text(name, text)),
    }
}
