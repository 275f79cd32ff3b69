//! VTIMEZONE (RFC 5545 §3.6.5): written for a zone of the IANA database, and read where an object brings its own.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;

use super::occurrences::Times;
use super::rule::{Frequency, Rule};
use super::when::utc;
use super::{Moment, When, Zones, plus_days, value_text, zone};
use crate::contentline::{Component, Line};

/// How far ahead changes are looked at for a rule, and written one by one where there is none.
const YEARS_AHEAD: i16 = 25;
/// Changes of the same kind that must agree, a year apart each, before they are called a rule.
const YEARS_OF_A_RULE: usize = 8;
/// Changes of one kind that are read at most; a rule of every year since 1600 has some 400.
const ONSETS_MAX: usize = 1_000;

/// A zone that an object defines itself.
#[derive(Debug, Clone)]
pub struct Vtimezone(Vec<Observance>);

/// STANDARD or DAYLIGHT.
#[derive(Debug, Clone)]
struct Observance {
    start: DateTime,
    offset_from_s: i64,
    offset_to_s: i64,
    rule: Option<Rule>,
    dates: Vec<DateTime>,
}

impl Vtimezone {
    /// Reads a VTIMEZONE; `None` if it has no observance that can be read.
    pub fn of(component: &Component) -> Option<Vtimezone> {
        let kinds = component.children().filter(|child| child.is("STANDARD") || child.is("DAYLIGHT"));
        let all: Vec<Observance> = kinds.filter_map(Observance::of).collect();
        (!all.is_empty()).then_some(Vtimezone(all))
    }

    /// Seconds ahead of UTC while clocks show `local`.
    pub(super) fn offset_at_local(&self, local: DateTime) -> i64 {
        // In a gap the offset before it goes on counting (RFC 5545 §3.3.5).
        self.offset(local, |o, onset| {
            super::plus_seconds(onset, (o.offset_to_s - o.offset_from_s).max(0)).unwrap_or(onset)
        })
    }

    /// Seconds ahead of UTC at this time of UTC.
    pub(super) fn offset_at_utc(&self, utc: DateTime) -> i64 {
        self.offset(utc, |o, onset| super::plus_seconds(onset, -o.offset_from_s).unwrap_or(onset))
    }

    /// The offset of the observance that began last, its onsets being compared as `seen` shows them.
    fn offset(&self, at: DateTime, seen: impl Fn(&Observance, DateTime) -> DateTime) -> i64 {
        let begun = self.0.iter().filter_map(|observance| {
            let onset = observance.last_onset(at, &seen)?;
            Some((onset, observance.offset_to_s))
        });
        let before_all = || self.0.iter().min_by_key(|o| o.start).map_or(0, |first| first.offset_from_s);
        begun.max_by_key(|(onset, _)| *onset).map_or_else(before_all, |(_, offset_s)| offset_s)
    }
}

impl Observance {
    fn of(component: &Component) -> Option<Observance> {
        let offset = |name| value_text(component, name).and_then(|text| offset_seconds(&text));
        let dates = component.lines("RDATE").flat_map(When::all_of).map(|when| when.start()).collect();
        let offset_from_s = offset("TZOFFSETFROM")?;
        let mut rule = value_text(component, "RRULE").and_then(|text| Rule::parse(&text).ok());
        if let Some(Rule { until: Some(until), .. }) = &mut rule {
            // It is told in UTC, the onsets by the offset before (RFC 5545 §3.6.5).
            *until = When::Floating(super::plus_seconds(until.start(), offset_from_s)?);
        }
        Some(Observance {
            start: When::of(component.line("DTSTART")?)?.start(),
            offset_from_s,
            offset_to_s: offset("TZOFFSETTO")?,
            rule: rule.filter(Rule::is_known),
            dates,
        })
    }

    fn last_onset(
        &self,
        at: DateTime,
        seen: &impl Fn(&Observance, DateTime) -> DateTime,
    ) -> Option<DateTime> {
        let single = self.dates.iter().copied().chain([self.start]).map(|onset| seen(self, onset));
        let last = single.filter(|onset| *onset <= at).max();
        let Some(rule) = &self.rule else { return last };
        let mut start = self.start;
        // A rule of every year is not walked through from 1601 on.
        let is_yearly = rule.frequency == Frequency::Yearly && rule.interval == 1 && rule.count.is_none();
        let end = rule.until.as_ref().map_or(at.year(), |until| until.date().year().min(at.year()));
        if is_yearly && end > start.year().saturating_add(3) {
            start = start.with().year(end - 2).build().unwrap_or(start);
        }
        let ruled = Times::of(rule.clone(), &When::Floating(start), &Zones::none())
            .take(ONSETS_MAX)
            .skip(usize::from(start != self.start))
            .map(|onset| seen(self, onset))
            .take_while(|onset| *onset <= at)
            .last();
        last.max(ruled)
    }
}

/// `+0100`, `-033000`.
fn offset_seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !matches!(digits.len(), 4 | 6) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), |part| part.parse::<i64>().ok());
    Some(sign * (part(0)? * 3600 + part(2)? * 60 + part(4)?))
}

fn offset_text(seconds: i64) -> String {
    let (sign, s) = (if seconds < 0 { '-' } else { '+' }, seconds.abs());
    let text = format!("{sign}{:02}{:02}", s / 3600, s / 60 % 60);
    if s % 60 == 0 { text } else { format!("{text}{:02}", s % 60) }
}

/// A change of a zone's offset.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    /// What clocks showed, by the offset before.
    onset: DateTime,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Kind {
    is_daylight: bool,
    offset_from_s: i64,
    offset_to_s: i64,
    name: String,
}

/// The VTIMEZONE of an IANA name, right from `first` on; `None` for a name that the database does not have.
pub fn vtimezone(tzid: &str, first: Moment) -> Option<Component> {
    let zone = zone::lookup(tzid)?;
    let changes = changes(&zone, first);
    let mut component = Component::new("VTIMEZONE");
    component.push(Line::text("TZID", tzid));
    let mut kinds: Vec<&Kind> = Vec::new();
    for change in &changes {
        if !kinds.contains(&&change.kind) {
            kinds.push(&change.kind);
        }
    }
    for kind in kinds {
        let onsets: Vec<DateTime> =
            changes.iter().filter(|change| change.kind == *kind).map(|change| change.onset).collect();
        observances(kind, &onsets, &changes).into_iter().for_each(|child| component.push_child(child));
    }
    Some(component)
}

/// The change before `first`, or the state since 1970, and all that follow for some years.
fn changes(zone: &TimeZone, first: Moment) -> Vec<Change> {
    let info = |at: Moment| {
        let info = zone.to_offset_info(at);
        (i64::from(info.offset().seconds()), info.dst().is_dst(), info.abbreviation().to_owned())
    };
    let end = utc(first).year().saturating_add(YEARS_AHEAD);
    let mut changes = Vec::new();
    match zone.preceding(first).next() {
        Some(before) => changes.extend(change_at(zone, before.timestamp())),
        None => {
            let (offset_s, is_daylight, name) = info(first);
            let onset = Date::constant(1970, 1, 1).at(0, 0, 0, 0);
            let kind = Kind { is_daylight, offset_from_s: offset_s, offset_to_s: offset_s, name };
            changes.push(Change { onset, kind });
        }
    }
    let following = zone.following(first).take_while(|change| utc(change.timestamp()).year() <= end);
    changes.extend(following.filter_map(|change| change_at(zone, change.timestamp())));
    changes
}

fn change_at(zone: &TimeZone, at: Moment) -> Option<Change> {
    let before = at.checked_sub(jiff::SignedDuration::from_secs(1)).ok()?;
    let info = zone.to_offset_info(at);
    let offset_from_s = i64::from(zone.to_offset(before).seconds());
    let kind = Kind {
        is_daylight: info.dst().is_dst(),
        offset_from_s,
        offset_to_s: i64::from(info.offset().seconds()),
        name: info.abbreviation().to_owned(),
    };
    Some(Change { onset: super::plus_seconds(utc(at), offset_from_s)?, kind })
}

/// The observances of one kind: the onsets that follow a rule to the end as one, those before it as another, by dates.
fn observances(kind: &Kind, onsets: &[DateTime], all: &[Change]) -> Vec<Component> {
    let end = all.last().map_or(0, |change| change.onset.year());
    let ruled = (0..onsets.len()).find_map(|at| {
        let tail = &onsets[at..];
        let goes_on = tail.last().is_some_and(|last| last.year() >= end - 1);
        (goes_on && tail.len() >= YEARS_OF_A_RULE).then(|| yearly(tail)).flatten().map(|rule| (at, rule))
    });
    let (single, tail) = match &ruled {
        Some((at, rule)) => (&onsets[..*at], Some((onsets[*at], rule))),
        None => (onsets, None),
    };
    let mut out = Vec::new();
    if let Some((first, more)) = single.split_first() {
        let mut component = observance(kind, *first);
        if !more.is_empty() {
            let dates: Vec<String> = more.iter().map(|onset| When::Floating(*onset).value()).collect();
            component.push(Line::new("RDATE", dates.join(",")));
        }
        out.push(component);
    }
    if let Some((first, rule)) = tail {
        let mut component = observance(kind, first);
        component.push(Line::new("RRULE", rule.as_str()));
        out.push(component);
    }
    out
}

fn observance(kind: &Kind, start: DateTime) -> Component {
    let mut component = Component::new(if kind.is_daylight { "DAYLIGHT" } else { "STANDARD" });
    component.push(Line::new("DTSTART", When::Floating(start).value()));
    component.push(Line::new("TZOFFSETFROM", offset_text(kind.offset_from_s)));
    component.push(Line::new("TZOFFSETTO", offset_text(kind.offset_to_s)));
    component.push(Line::text("TZNAME", &kind.name));
    component
}

/// The rule of onsets that come once a year in the same month, on the same weekday of it, at the same time.
fn yearly(onsets: &[DateTime]) -> Option<String> {
    let first = onsets.first()?;
    let follows = onsets.windows(2).all(|pair| pair[1].year() == pair[0].year() + 1);
    let agrees = onsets.iter().all(|onset| {
        onset.month() == first.month() && onset.weekday() == first.weekday() && onset.time() == first.time()
    });
    if !follows || !agrees {
        return None;
    }
    let weekday = Rule::weekday_word(first.weekday());
    let days = || onsets.iter().map(|onset| onset.day());
    let nth = |day: i8| (day - 1) / 7 + 1;
    let month = first.month();
    if onsets.iter().all(|onset| is_last(onset.date(), first.weekday())) {
        return Some(format!("FREQ=YEARLY;BYMONTH={month};BYDAY=-1{weekday}"));
    }
    if days().all(|day| nth(day) == nth(first.day())) {
        return Some(format!("FREQ=YEARLY;BYMONTH={month};BYDAY={}{weekday}", nth(first.day())));
    }
    let (low, high) = (days().min()?, days().max()?);
    // A week's days: "the first Friday from the 23rd on".
    (high - low == 6).then(|| {
        let days: Vec<String> = (low..=high).map(|day| day.to_string()).collect();
        format!("FREQ=YEARLY;BYMONTH={month};BYMONTHDAY={};BYDAY={weekday}", days.join(","))
    })
}

fn is_last(day: Date, weekday: Weekday) -> bool {
    day.weekday() == weekday && plus_days(day, 7).is_some_and(|next| next.month() != day.month())
}
