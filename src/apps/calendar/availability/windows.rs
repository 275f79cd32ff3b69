//! The times of day at which somebody may want to meet, and what is left of them.

use super::Span;
use crate::apps::calendar::objects::Range;
use crate::ical::{Date, Time, Weekday, Zone, plus_days};

/// Minutes since midnight; the end is not in it.
pub(super) type Minutes = (u16, u16);

const DAY: Minutes = (0, 24 * 60);
const BUSINESS: Minutes = (9 * 60, 17 * 60);
const WORDS: [(&str, Minutes); 3] =
    [("morning", (8 * 60, 12 * 60)), ("afternoon", (12 * 60, 17 * 60)), ("evening", (17 * 60, 21 * 60))];

/// The times of a day that are asked for, in their order. The error says what was expected.
pub(super) fn of_day(business_hours_only: bool, preferred_times: &str) -> Result<Vec<Minutes>, String> {
    let (first, last) = if business_hours_only { BUSINESS } else { DAY };
    let parts = preferred_times.split([',', ';']).map(str::trim).filter(|part| !part.is_empty());
    let mut asked: Vec<Minutes> = parts.map(read).collect::<Result<_, _>>()?;
    if asked.is_empty() {
        asked.push((first, last));
    }
    let mut windows: Vec<Minutes> = asked
        .into_iter()
        .map(|(start, end)| (start.max(first), end.min(last)))
        .filter(|(start, end)| start < end)
        .collect();
    windows.sort_unstable();
    if windows.is_empty() {
        return Err(
            "`preferred_times` lie outside business hours (09:00-17:00); set business_hours_only to false"
                .into(),
        );
    }
    Ok(merged(windows))
}

/// `morning`, or `13:00-15:30`.
fn read(text: &str) -> Result<Minutes, String> {
    let wrong =
        || format!("`preferred_times`: {text:?} is none of morning, afternoon, evening or HH:MM-HH:MM");
    let lower = text.to_lowercase();
    if let Some((_, minutes)) = WORDS.iter().find(|(word, _)| *word == lower) {
        return Ok(*minutes);
    }
    let (start, end) = text.split_once(['-', '–']).ok_or_else(wrong)?;
    let minute = |text: &str| -> Option<u16> {
        let (hour, minute) = text.trim().split_once(':').unwrap_or((text.trim(), "0"));
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (minute < 60 && hour * 60 + minute <= DAY.1).then_some(hour * 60 + minute)
    };
    match (minute(start), minute(end)) {
        (Some(start), Some(end)) if start < end => Ok((start, end)),
        _ => Err(wrong()),
    }
}

fn merged<T: Ord + Copy>(sorted: Vec<(T, T)>) -> Vec<(T, T)> {
    let mut out: Vec<(T, T)> = Vec::with_capacity(sorted.len());
    for (start, end) in sorted {
        match out.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => out.push((start, end)),
        }
    }
    out
}

/// The moments at which the windows open and close on each day of the range. Days that touch are one span if
/// `across_days`.
pub(super) fn in_range(
    range: Range,
    zone: &Zone,
    windows: &[Minutes],
    exclude_weekends: bool,
    across_days: bool,
) -> Vec<Span> {
    let mut spans = Vec::new();
    let last = zone.local(range.end).date();
    let mut day = Some(zone.local(range.start).date());
    while let Some(date) = day.filter(|date| *date <= last) {
        let is_weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        if !(exclude_weekends && is_weekend) {
            let opened = windows.iter().filter_map(|(start, end)| {
                let start = moment(zone, date, *start)?.max(range.start);
                let end = moment(zone, date, *end)?.min(range.end);
                (start < end).then_some((start, end))
            });
            spans.extend(opened);
        }
        day = plus_days(date, 1);
    }
    if across_days { merged(spans) } else { spans }
}

fn moment(zone: &Zone, date: Date, minutes: u16) -> Option<crate::ical::Moment> {
    let (date, minutes) = if minutes >= DAY.1 { (plus_days(date, 1)?, 0) } else { (date, minutes) };
    let time = Time::new((minutes / 60) as i8, (minutes % 60) as i8, 0, 0).ok()?;
    zone.moment(date.to_datetime(time))
}

/// What is left of the spans without the busy times, where it is long enough.
pub(super) fn free(spans: &[Span], mut busy: Vec<Span>, seconds_min: i64) -> Vec<Span> {
    busy.retain(|(start, end)| start < end);
    busy.sort_unstable();
    let busy = merged(busy);
    let mut gaps = Vec::new();
    for (open, close) in spans {
        let mut from = *open;
        for (start, end) in busy.iter().filter(|(start, end)| end > open && start < close) {
            gaps.push((from, *start));
            from = *end;
        }
        gaps.push((from, *close));
    }
    gaps.retain(|(start, end)| end.as_second() - start.as_second() >= seconds_min);
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> crate::ical::Moment {
        text.parse().unwrap()
    }

    #[test]
    fn preferred_times_are_words_or_spans_within_business_hours() {
        assert_eq!(of_day(true, ""), Ok(vec![(540, 1020)]));
        assert_eq!(of_day(false, ""), Ok(vec![(0, 1440)]));
        assert_eq!(of_day(true, "Morning, 14:00-18:00"), Ok(vec![(540, 720), (840, 1020)]));
        assert_eq!(of_day(true, "morning,afternoon"), Ok(vec![(540, 1020)]), "what touches is one");
        assert_eq!(of_day(false, "22:30-24:00; evening"), Ok(vec![(1020, 1260), (1350, 1440)]));
        assert!(of_day(true, "evening").unwrap_err().contains("business_hours_only"));
        for bad in ["noon", "9-", "15:00-14:00", "25:00-26:00", "9:75-10", "-"] {
            assert!(of_day(true, bad).unwrap_err().contains("HH:MM"), "{bad}");
        }
    }

    #[test]
    fn windows_follow_the_clock_of_the_zone_and_leave_weekends_out() {
        let zone = Zone::iana("Europe/Berlin").unwrap();
        // Friday to Monday, with the change to summer time on Sunday.
        let range = Range { start: at("2026-03-27T10:00:00Z"), end: at("2026-03-30T10:00:00Z") };
        let spans = in_range(range, &zone, &[(540, 1020)], true, false);
        assert_eq!(
            spans,
            [
                (at("2026-03-27T10:00:00Z"), at("2026-03-27T16:00:00Z")),
                (at("2026-03-30T07:00:00Z"), at("2026-03-30T10:00:00Z"))
            ]
        );
        let days = in_range(range, &zone, &[DAY], false, true);
        assert_eq!(days, [(range.start, range.end)], "whole days that touch are one span");
        assert_eq!(in_range(range, &zone, &[DAY], false, false).len(), 4);
    }

    #[test]
    fn gaps_are_as_long_as_they_can_be() {
        let hour = |hour: u8| at(&format!("2026-03-02T{hour:02}:00:00Z"));
        let free = |busy: &[(u8, u8)], hours: i64| -> Vec<(i64, i64)> {
            let busy = busy.iter().map(|(start, end)| (hour(*start), hour(*end))).collect();
            let gaps = free(&[(hour(9), hour(17))], busy, hours * 3600);
            gaps.iter().map(|(a, b)| (a.as_second() / 3600 % 24, b.as_second() / 3600 % 24)).collect()
        };
        assert_eq!(free(&[], 1), [(9, 17)]);
        assert_eq!(free(&[(8, 10), (12, 13), (12, 14), (16, 20)], 1), [(10, 12), (14, 16)]);
        assert_eq!(free(&[(11, 12)], 3), [(12, 17)]);
        assert_eq!(free(&[(0, 23)], 1), []);
        assert_eq!(free(&[(11, 11)], 1), [(9, 17)], "an event without length takes no time");
    }
}
