//! The times of a series, worked out from its RRULE, RDATE and EXDATE (RFC 5545 §3.8.5).
//!
//! Ranges of events are expanded by Nextcloud (`<C:expand>`). This is for the next time of a task, for telling whether
//! an instance is one of its series, and for the changes of a VTIMEZONE.

use jiff::civil::{Date, DateTime, Weekday};

use super::rule::{Frequency, Rule};
use super::{When, Zones, plus_days, value_text};
use crate::contentline::Component;

/// Periods without a time after which a rule is taken to have no more: 29 February comes every 8 years at the most,
/// a rule of every day may skip eleven months.
const IDLE_PERIODS_MAX: u32 = 1_500;

/// The times of a series in their order, in the form of its start.
#[derive(Debug, Clone)]
pub struct Occurrences {
    start: When,
    times: Times,
    next: Option<DateTime>,
    extra: Vec<DateTime>,
    without: Vec<DateTime>,
    without_days: Vec<Date>,
}

impl Occurrences {
    /// The times of a VEVENT or VTODO; a task without DTSTART counts from DUE. `None` where there is no start, or
    /// the rule is one that this program cannot work out.
    pub fn of(component: &Component, zones: &Zones<'_>) -> Option<Occurrences> {
        let start = ["DTSTART", "DUE"].iter().find_map(|name| When::of(component.line(name)?))?;
        let rule = match value_text(component, "RRULE") {
            Some(rule) => Some(Rule::parse(&rule).ok().filter(Rule::is_known)?),
            None => None,
        };
        let local = |when: &When| -> Option<DateTime> {
            match (&start, when) {
                (When::Date(_), when) => Some(when.date().at(0, 0, 0, 0)),
                (_, When::Date(_)) => None,
                (start, when) => when.in_form_of(start, zones).local(),
            }
        };
        let all = |name: &str| -> Vec<When> { component.lines(name).flat_map(When::all_of).collect() };
        let excluded = all("EXDATE");
        let mut extra: Vec<DateTime> = all("RDATE").iter().filter_map(local).collect();
        extra.sort_unstable();
        extra.dedup();
        let times = match rule {
            Some(rule) => Times::of(rule, &start, zones),
            None => Times::once(start.start()),
        };
        Some(Occurrences {
            times,
            next: None,
            extra,
            without: excluded.iter().filter_map(local).collect(),
            without_days: excluded.iter().filter(|when| when.is_date()).map(When::date).collect(),
            start,
        })
    }

    /// Whether `when` is one of them, looking at no more than `limit`.
    pub fn contains(self, when: &When, zones: &Zones<'_>, limit: usize) -> bool {
        let end = when.date();
        let last = plus_days(end, 2).unwrap_or(end);
        self.take(limit).take_while(|time| time.date() <= last).any(|time| time.is_same(when, zones))
    }
}

impl Iterator for Occurrences {
    type Item = When;

    fn next(&mut self) -> Option<When> {
        loop {
            let ruled = match self.next.take() {
                Some(time) => Some(time),
                None => self.times.next(),
            };
            let time = match (ruled, self.extra.first().copied()) {
                (Some(ruled), Some(extra)) if extra <= ruled => {
                    self.extra.remove(0);
                    self.next = (extra < ruled).then_some(ruled);
                    extra
                }
                (Some(ruled), _) => ruled,
                (None, Some(extra)) => {
                    self.extra.remove(0);
                    extra
                }
                (None, None) => return None,
            };
            if !self.without.contains(&time) && !self.without_days.contains(&time.date()) {
                return Some(self.start.with_local(time));
            }
        }
    }
}

/// The local times of a rule, the start first.
#[derive(Debug, Clone)]
pub(super) struct Times {
    rule: Option<Rule>,
    start: DateTime,
    until: Option<DateTime>,
    /// Whole days are compared as such.
    until_is_day: bool,
    period: i64,
    /// Of the current period, last first.
    pending: Vec<DateTime>,
    given: u32,
    is_over: bool,
}

impl Times {
    pub(super) fn of(rule: Rule, start: &When, zones: &Zones<'_>) -> Times {
        let until_is_day = rule.until.as_ref().is_some_and(When::is_date);
        let until = rule.until.as_ref().map(|until| match (until, start) {
            (When::Date(_), _) | (_, When::Date(_)) => until.start(),
            (until, start) => until.in_form_of(start, zones).start(),
        });
        Times { until, until_is_day, ..Times::new(Some(rule), start.start()) }
    }

    fn once(start: DateTime) -> Times {
        Times::new(None, start)
    }

    fn new(rule: Option<Rule>, start: DateTime) -> Times {
        Times {
            rule,
            start,
            until: None,
            until_is_day: false,
            period: 0,
            pending: vec![start],
            given: 0,
            is_over: false,
        }
    }

    fn is_behind(&self, time: DateTime) -> bool {
        match self.until {
            Some(until) if self.until_is_day => time.date() > until.date(),
            Some(until) => time > until,
            None => false,
        }
    }

    /// Fills `pending` with the next period that has times; ends the series where there is none.
    fn refill(&mut self) {
        let Some(rule) = &self.rule else {
            self.is_over = true;
            return;
        };
        for _ in 0..IDLE_PERIODS_MAX {
            let Some(mut days) = period(rule, self.start.date(), self.period) else { break };
            self.period += 1;
            days.sort_unstable();
            days.dedup();
            let days = positions(days, &rule.by_set_pos);
            let time = self.start.time();
            let start = self.start;
            let times = days.into_iter().map(|day| day.to_datetime(time)).filter(|time| *time > start);
            self.pending = times.collect();
            self.pending.reverse();
            if !self.pending.is_empty() {
                return;
            }
        }
        self.is_over = true;
    }
}

impl Iterator for Times {
    type Item = DateTime;

    fn next(&mut self) -> Option<DateTime> {
        if !self.is_over && self.pending.is_empty() {
            self.refill();
        }
        let is_counted =
            self.rule.as_ref().and_then(|rule| rule.count).is_some_and(|count| self.given >= count);
        if self.is_over || is_counted {
            return None;
        }
        let time = self.pending.pop()?;
        if self.is_behind(time) {
            self.is_over = true;
            return None;
        }
        self.given = self.given.saturating_add(1);
        Some(time)
    }
}

/// Of a period's days those at the positions of BYSETPOS.
fn positions(days: Vec<Date>, wanted: &[i16]) -> Vec<Date> {
    if wanted.is_empty() {
        return days;
    }
    let count = days.len();
    let mut picked: Vec<Date> = wanted
        .iter()
        .filter_map(|nth| match nth {
            1.. => days.get(*nth as usize - 1).copied(),
            _ => count.checked_sub(nth.unsigned_abs().into()).and_then(|at| days.get(at).copied()),
        })
        .collect();
    picked.sort_unstable();
    picked.dedup();
    picked
}

/// The days of the `number`-th period of a rule; `None` beyond the years that can be counted.
fn period(rule: &Rule, start: Date, number: i64) -> Option<Vec<Date>> {
    let step = number.checked_mul(rule.interval.into())?;
    let days = match rule.frequency {
        Frequency::Daily => vec![plus_days(start, step)?],
        Frequency::Weekly => {
            let back = start.weekday().since(rule.week_start);
            let first = plus_days(start, step.checked_mul(7)?.checked_sub(back.into())?)?;
            let wanted: Vec<Weekday> = match rule.by_day.is_empty() {
                true => vec![start.weekday()],
                false => rule.by_day.iter().map(|(_, day)| *day).collect(),
            };
            wanted.into_iter().filter_map(|day| plus_days(first, day.since(rule.week_start).into())).collect()
        }
        Frequency::Monthly => {
            let months = i64::from(start.year()) * 12 + i64::from(start.month()) - 1 + step;
            let year = i16::try_from(months.div_euclid(12)).ok()?;
            let first = Date::new(year, (months.rem_euclid(12) + 1) as i8, 1).ok()?;
            month(rule, first, start)
        }
        Frequency::Yearly => {
            let year = i16::try_from(i64::from(start.year()).checked_add(step)?).ok()?;
            let first = Date::new(year, 1, 1).ok()?;
            year_days(rule, first, start)
        }
        Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => return None,
    };
    Some(days.into_iter().filter(|day| is_wanted(rule, *day)).collect())
}

/// The limits that hold for a day of any frequency; where a part makes days it holds by itself.
fn is_wanted(rule: &Rule, day: Date) -> bool {
    let month_day = rule.by_month_day.is_empty()
        || rule.by_month_day.contains(&i16::from(day.day()))
        || rule.by_month_day.contains(&(i16::from(day.day()) - i16::from(day.days_in_month()) - 1));
    let month = rule.by_month.is_empty() || rule.by_month.contains(&i16::from(day.month()));
    let year_day = rule.by_year_day.is_empty()
        || rule.by_year_day.contains(&day.day_of_year())
        || rule.by_year_day.contains(&(day.day_of_year() - day.days_in_year() - 1));
    let week_day = rule.frequency != Frequency::Daily
        || rule.by_day.is_empty()
        || rule.by_day.iter().any(|(_, wanted)| *wanted == day.weekday());
    month_day && month && year_day && week_day
}

/// The days of one month, before the limits.
fn month(rule: &Rule, first: Date, start: Date) -> Vec<Date> {
    if !rule.by_day.is_empty() {
        return weekdays(&rule.by_day, first, first.last_of_month());
    }
    if !rule.by_month_day.is_empty() || !rule.by_year_day.is_empty() {
        return every_day(first, first.last_of_month());
    }
    Date::new(first.year(), first.month(), start.day()).ok().into_iter().collect()
}

/// The days of one year, before the limits.
fn year_days(rule: &Rule, first: Date, start: Date) -> Vec<Date> {
    if !rule.by_month.is_empty() {
        let months = rule.by_month.iter().filter_map(|month| i8::try_from(*month).ok());
        return months
            .filter_map(|number| Date::new(first.year(), number, 1).ok())
            .flat_map(|first| month(rule, first, start))
            .collect();
    }
    if !rule.by_day.is_empty() {
        return weekdays(&rule.by_day, first, first.last_of_year());
    }
    if !rule.by_month_day.is_empty() || !rule.by_year_day.is_empty() {
        return every_day(first, first.last_of_year());
    }
    Date::new(first.year(), start.month(), start.day()).ok().into_iter().collect()
}

fn every_day(first: Date, last: Date) -> Vec<Date> {
    std::iter::successors(Some(first), |day| day.tomorrow().ok()).take_while(|day| *day <= last).collect()
}

/// The weekdays between two days, all or the n-th of them.
fn weekdays(wanted: &[(i16, Weekday)], first: Date, last: Date) -> Vec<Date> {
    let days = every_day(first, last);
    let mut found = Vec::new();
    for (nth, weekday) in wanted {
        let mut these = days.iter().copied().filter(|day| day.weekday() == *weekday);
        match nth {
            0 => found.extend(these),
            1.. => found.extend(these.nth(*nth as usize - 1)),
            _ => found.extend(these.rev().nth(usize::from(nth.unsigned_abs()) - 1)),
        }
    }
    found
}
