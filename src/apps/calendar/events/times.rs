//! When an event is, and when it comes again.

use super::changing::Changes;
use crate::apps::calendar::calendars::Comp;
use crate::contentline::{Component, Line};
use crate::ical::{
    self, Duration, Frequency, Local, Rule, Weekday, When, Zones, plus_days, plus_seconds, value_text,
};

/// A start that was moved.
pub(super) struct Moved {
    pub from: When,
    pub to: When,
}

/// The end of an event, in the form of its start: DTEND, or what DURATION or the standard's defaults make of it
/// (RFC 5545 §3.6.1).
pub(super) fn end_of(event: &Component, zones: &Zones<'_>) -> Option<When> {
    if let Some(end) = event.line("DTEND").and_then(When::of) {
        return Some(end);
    }
    let start = event.line("DTSTART").and_then(When::of)?;
    let span = value_text(event, "DURATION").and_then(|text| Duration::parse(&text));
    match span {
        Some(span) => span.after(&start, zones),
        None if start.is_date() => Duration { days: 1, seconds: 0 }.after(&start, zones),
        None => Some(start),
    }
}

/// Sets start and end. Tells where the start went, if it was there and moved.
pub(super) fn set(
    changes: &Changes,
    event: &mut Component,
    zones: &Zones<'_>,
    local: &Local,
) -> Result<Option<Moved>, String> {
    let asked = changes.start.is_some() || changes.end.is_some();
    if !asked && changes.all_day.is_none() && changes.timezone.is_none() {
        return Ok(None);
    }
    let old = event.line("DTSTART").and_then(When::of);
    let meant = changes.timezone.clone().or_else(|| old.as_ref().and_then(local_of));
    let meant = meant.unwrap_or_else(|| local.clone());
    let start = start(changes, old.as_ref(), &meant)?;
    let end = end(changes, event, old.as_ref(), &start, &meant, zones)?;
    event.set(start.line("DTSTART"));
    match end {
        End::Stays => {}
        End::Gone => {
            event.remove("DTEND");
            event.remove("DURATION");
        }
        End::At(end) => {
            event.remove("DURATION");
            event.set(end.line("DTEND"));
        }
    }
    Ok(old.filter(|old| *old != start).map(|from| Moved { from, to: start }))
}

/// How a bare time is meant in the event of an object; `None` for whole days.
pub(super) fn zone_of(calendar: &Component) -> Option<Local> {
    let start = ical::master(calendar, Comp::Event.name())?.line("DTSTART").and_then(When::of)?;
    local_of(&start)
}

/// How a bare time is meant in an event that has this start.
fn local_of(start: &When) -> Option<Local> {
    match start {
        When::Date(_) => None,
        When::Floating(_) => Some(Local::Floating),
        When::Utc(_) => Some(Local::Utc),
        When::Zoned { tzid, .. } => Some(Local::Zone(tzid.clone())),
    }
}

fn start(changes: &Changes, old: Option<&When>, meant: &Local) -> Result<When, String> {
    let start = match (&changes.start, old) {
        (Some(text), _) => When::parse(text, meant).map_err(|why| format!("`start_datetime`: {why}"))?,
        (None, Some(old)) => match (&changes.timezone, old.local()) {
            // The clock shows the same, in another zone.
            (Some(_), Some(local)) => meant.when(local),
            _ => old.clone(),
        },
        (None, None) => return Err("`start_datetime` is missing".into()),
    };
    match changes.all_day {
        Some(true) => Ok(When::Date(start.date())),
        Some(false) if start.is_date() => Err(
            "`all_day` is false, but there is no time of day; give `start_datetime` like 2026-11-25T09:00"
                .into(),
        ),
        _ => Ok(start),
    }
}

enum End {
    Stays,
    Gone,
    At(When),
}

fn end(
    changes: &Changes,
    event: &Component,
    old: Option<&When>,
    start: &When,
    meant: &Local,
    zones: &Zones<'_>,
) -> Result<End, String> {
    let text = match changes.end.as_deref().map(str::trim) {
        Some("") => return Ok(End::Gone),
        Some(text) => text,
        None => return Ok(kept_end(event, old, start, zones)),
    };
    let end = When::parse(text, meant).map_err(|why| format!("`end_datetime`: {why}"))?;
    let shown = |when: &When| when.show(zones);
    if start.is_date() {
        let last = plus_days(start.date(), 1).ok_or("`start_datetime`: the year is out of range")?;
        return match end.date() {
            day if day < start.date() => {
                Err(format!("`end_datetime` {} is before the start {}", shown(&end), shown(start)))
            }
            day => Ok(End::At(When::Date(day.max(last)))),
        };
    }
    if end.is_date() {
        return Err(format!(
            "`end_datetime` {} has no time of day, but the start {} has one",
            shown(&end),
            shown(start)
        ));
    }
    let is_floating = |when: &When| matches!(when, When::Floating(_));
    if is_floating(start) != is_floating(&end) {
        return Err("give both start and end with an offset, or both without, or a `timezone`".into());
    }
    if end.moment(zones) < start.moment(zones) {
        return Err(format!("`end_datetime` {} is before the start {}", shown(&end), shown(start)));
    }
    Ok(End::At(end))
}

/// The end that the event keeps when only its start changes: as long as before.
fn kept_end(event: &Component, old: Option<&When>, start: &When, zones: &Zones<'_>) -> End {
    let default = |start: &When| {
        let span = if start.is_date() { Duration { days: 1, seconds: 0 } } else { Duration::minutes(60) };
        span.after(start, zones).map_or(End::Gone, End::At)
    };
    let Some(old) = old else { return default(start) };
    let Some(end) = end_of(event, zones) else { return End::Stays };
    if old.is_date() != start.is_date() {
        if !start.is_date() {
            return default(start);
        }
        let begun = i64::from(end.local().is_some_and(|end| end.time() != DAY_START));
        let days = end.date().duration_since(old.date()).as_hours() / 24 + begun;
        return plus_days(start.date(), days.max(1)).map_or(End::Gone, |day| End::At(When::Date(day)));
    }
    if event.line("DTEND").is_none() {
        // DURATION counts from any start, and none stays none.
        return End::Stays;
    }
    if end.tzid() != old.tzid() {
        return ical::moved(&end, old, start, zones).map_or(End::Stays, End::At);
    }
    let span_s = end.start().duration_since(old.start()).as_secs();
    plus_seconds(start.start(), span_s).map_or(End::Stays, |end| End::At(start.with_local(end)))
}

const DAY_START: ical::Time = ical::Time::constant(0, 0, 0, 0);

/// Sets, changes or ends the recurrence of a series.
pub(super) fn recur(
    changes: &Changes,
    event: &mut Component,
    zones: &Zones<'_>,
    moved: Option<&Moved>,
) -> Result<(), String> {
    let rule = changes.rule.as_deref().map(str::trim);
    if rule == Some("") || rule.is_none() && changes.recurring == Some(false) {
        for name in ["RRULE", "RDATE", "EXDATE", "EXRULE"] {
            event.remove(name);
        }
        return match changes.recurring == Some(true)
            || changes.rule_end.as_deref().is_some_and(|t| !t.is_empty())
        {
            true => Err("a series needs a `recurrence_rule`, e.g. FREQ=WEEKLY;BYDAY=MO".into()),
            false => Ok(()),
        };
    }
    if changes.recurring == Some(false) {
        return Err("`recurring` is false, but a `recurrence_rule` is given; give only one of them".into());
    }
    let start = event.line("DTSTART").and_then(When::of).ok_or("the event has no start")?;
    let stored = value_text(event, "RRULE");
    let rule = match (rule, &stored) {
        (Some(rule), _) => Rule::parse(rule).map_err(|why| format!("`recurrence_rule`: {why}"))?,
        (None, Some(stored)) if changes.rule_end.is_some() || moved.is_some() => match Rule::parse(stored) {
            Ok(rule) => rule,
            Err(why) if changes.rule_end.is_some() => {
                return Err(format!(
                    "the stored rule {stored} cannot be changed ({why}); give `recurrence_rule`"
                ));
            }
            Err(_) => return Ok(()),
        },
        (None, Some(_)) => return Ok(()),
        (None, None)
            if changes.recurring == Some(true)
                || changes.rule_end.as_deref().is_some_and(|t| !t.is_empty()) =>
        {
            return Err("a series needs a `recurrence_rule`, e.g. FREQ=WEEKLY;BYDAY=MO".into());
        }
        (None, None) => return Ok(()),
    };
    let rule = match (changes.rule.is_none(), moved) {
        (true, Some(moved)) => following(rule, moved)?,
        _ => rule,
    };
    let rule = ended(changes, rule, &start)?.fitting(&start, zones);
    let is_over = rule.until.as_ref().is_some_and(|until| match start.is_date() || until.is_date() {
        true => until.date() < start.date(),
        false => until.moment(zones) < start.moment(zones),
    });
    if is_over {
        return Err("the recurrence ends before the event starts".into());
    }
    // What was asked for is kept as it was written, if it could stay as it is.
    let asked = changes.rule.as_deref().map(|text| text.trim().to_ascii_uppercase());
    let asked = asked.map(|text| text.strip_prefix("RRULE:").map_or(text.clone(), str::to_owned));
    let text = asked.filter(|text| Rule::parse(text).as_ref() == Ok(&rule));
    event.set(Line::new("RRULE", text.unwrap_or_else(|| rule.to_string())));
    Ok(())
}

/// The rule with the end that is asked for.
fn ended(changes: &Changes, mut rule: Rule, start: &When) -> Result<Rule, String> {
    match changes.rule_end.as_deref().map(str::trim) {
        None => {}
        Some("") => rule.until = None,
        Some(_) if rule.count.is_some() && changes.rule.is_some() => {
            return Err("`recurrence_rule` has a COUNT; `recurrence_end_date` cannot be given with it".into());
        }
        Some(text) => {
            let local = changes.timezone.clone().or_else(|| local_of(start)).unwrap_or(Local::Floating);
            let until = When::parse(text, &local).map_err(|why| format!("`recurrence_end_date`: {why}"))?;
            rule.count = None;
            rule.until = Some(until);
        }
    }
    Ok(rule)
}

/// The rule of a series that was moved to another day: the weekdays of a weekly one go along.
fn following(mut rule: Rule, moved: &Moved) -> Result<Rule, String> {
    let days = moved.to.date().duration_since(moved.from.date()).as_hours() / 24;
    let names_days = !rule.by_day.is_empty()
        || !rule.by_month_day.is_empty()
        || !rule.by_year_day.is_empty()
        || !rule.by_month.is_empty();
    if days == 0 || !names_days {
        return Ok(rule);
    }
    if rule.frequency != Frequency::Weekly || !rule.by_month.is_empty() {
        return Err(format!(
            "the series follows the rule {rule}, which names its days; give a `recurrence_rule` for the new start, too"
        ));
    }
    let shifted = |day: Weekday| day.wrapping_add(days.rem_euclid(7));
    rule.by_day.iter_mut().for_each(|(_, day)| *day = shifted(*day));
    Ok(rule)
}

/// Brings what names single instances of a series to its new start, and the exceptions that have their instance's time.
pub(super) fn move_exceptions(calendar: &mut Component, from: &When, to: &When, zones: &Zones<'_>) {
    let shift_s = to.start().duration_since(from.start()).as_secs();
    let shifted = |when: &When| {
        let local = when.in_form_of(from, zones).start();
        plus_seconds(local, shift_s).map_or_else(|| when.clone(), |local| to.with_local(local))
    };
    for event in calendar.children_mut().filter(|child| child.is(Comp::Event.name())) {
        for name in ["EXDATE", "RDATE"] {
            let is_plain = |line: &Line| line.param("VALUE") != Some("PERIOD");
            let lines = event.lines(name).map(|line| match is_plain(line) {
                true => {
                    let values: Vec<When> = When::all_of(line).iter().map(shifted).collect();
                    joined(name, &values).unwrap_or_else(|| line.clone())
                }
                false => line.clone(),
            });
            let lines: Vec<Line> = lines.collect();
            event.set_all(name, lines);
        }
        let Some(id) = event.line("RECURRENCE-ID").cloned() else { continue };
        let Some(due) = When::of(&id) else { continue };
        let new = shifted(&due);
        let mut line = new.line("RECURRENCE-ID");
        if let Some(range) = id.param("RANGE") {
            line = line.with("RANGE", range);
        }
        event.set(line);
        let start = event.line("DTSTART").and_then(When::of);
        if let Some(start) = start.filter(|start| start.is_same(&due, zones)) {
            let end = event.line("DTEND").and_then(When::of);
            if let Some(end) = end {
                let span_s = end.start().duration_since(start.start()).as_secs();
                let end = plus_seconds(new.start(), span_s).map_or(end, |end| new.with_local(end));
                event.set(end.line("DTEND"));
            }
            event.set(new.line("DTSTART"));
        }
    }
}

/// Several dates of one form in one line.
fn joined(name: &str, values: &[When]) -> Option<Line> {
    let first = values.first()?.line(name);
    let text: Vec<String> = values.iter().map(When::value).collect();
    Some(Line::new(name, text.join(",")).with_params_of(&first))
}
