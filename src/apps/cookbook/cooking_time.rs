//! How long something takes, as Cookbook keeps it: an ISO 8601 duration of hours, minutes and seconds.

use serde_json::{Value, json};

use crate::schema::{Wire, expected};

/// Longest time that makes sense: a year, in seconds.
const SECONDS_MAX: u64 = 366 * DAY;
const DAY: u64 = 86_400;
const HOUR: u64 = 3_600;
const MINUTE: u64 = 60;

/// A time, or none.
///
/// Reads ISO 8601 (`PT1H30M`), minutes (`90`), `1:30` and `1 h 30 min`; writes ISO 8601 without days, which Cookbook
/// would drop. Years and months have no fixed length and are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookingTime(String);

impl CookingTime {
    /// `PT1H30M`; empty for none.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of_seconds(seconds: u64) -> CookingTime {
        let parts = [(seconds / HOUR, 'H'), (seconds % HOUR / MINUTE, 'M'), (seconds % MINUTE, 'S')];
        let given: String =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
        CookingTime(if given.is_empty() { "PT0M".into() } else { format!("PT{given}") })
    }
}

impl Wire for CookingTime {
    fn schema() -> Value {
        json!({"type": "string"})
    }

    fn read(value: Value) -> Result<Self, String> {
        let text = String::read(value)?;
        let text = text.trim();
        if text.is_empty() {
            return Ok(CookingTime(String::new()));
        }
        let seconds = minutes(text).or_else(|| clock(text)).or_else(|| iso(text)).or_else(|| words(text));
        match seconds.filter(|seconds| *seconds <= SECONDS_MAX) {
            Some(seconds) => Ok(CookingTime::of_seconds(seconds)),
            None => {
                Err(expected("a time such as PT1H30M (ISO 8601), 90 (minutes) or 1 h 30 min", &text.into()))
            }
        }
    }

    fn write(self) -> Value {
        self.0.into()
    }
}

/// `90`.
fn minutes(text: &str) -> Option<u64> {
    whole(text)?.checked_mul(MINUTE)
}

/// `1:30`: hours and minutes, as Cookbook takes it too.
fn clock(text: &str) -> Option<u64> {
    let (hours, minutes) = text.split_once(':')?;
    let minutes = whole(minutes).filter(|n| *n < 60 && minutes.len() == 2)?;
    whole(hours)?.checked_mul(HOUR)?.checked_add(minutes * MINUTE)
}

/// `P1DT2H`, `P2W`.
fn iso(text: &str) -> Option<u64> {
    let text = text.to_ascii_uppercase();
    let (date, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text.strip_prefix('P')?, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let date = sum(date, &[("W", 7 * DAY), ("D", DAY)])?;
    date.checked_add(sum(time, &[("H", HOUR), ("M", MINUTE), ("S", 1)])?)
}

/// `1 h 30 min`, `45 minutes`, `2 days`.
fn words(text: &str) -> Option<u64> {
    const UNITS: &[(&str, u64)] = &[
        ("d", DAY),
        ("day", DAY),
        ("days", DAY),
        ("h", HOUR),
        ("hr", HOUR),
        ("hrs", HOUR),
        ("hour", HOUR),
        ("hours", HOUR),
        ("m", MINUTE),
        ("min", MINUTE),
        ("mins", MINUTE),
        ("minute", MINUTE),
        ("minutes", MINUTE),
        ("s", 1),
        ("sec", 1),
        ("secs", 1),
        ("second", 1),
        ("seconds", 1),
    ];
    sum(&text.to_ascii_lowercase().replace([' ', ',', '.'], ""), UNITS)
}

/// Adds up numbers with a unit after each, every unit smaller than the one before it.
fn sum(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (mut rest, mut total, mut last) = (text, 0_u64, u64::MAX);
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
        let seconds = units.iter().find(|(name, _)| *name == unit)?.1;
        if seconds >= last {
            return None;
        }
        total = total.checked_add(whole(number)?.checked_mul(seconds)?)?;
        (rest, last) = (after, seconds);
    }
    Some(total)
}

fn whole(digits: &str) -> Option<u64> {
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_the_forms_that_people_write() {
        for (given, read) in [
            ("PT45M", "PT45M"),
            ("PT0H15M0S", "PT15M"),
            ("pt90m", "PT1H30M"),
            ("P1D", "PT24H"),
            ("P1DT2H", "PT26H"),
            ("P2W", "PT336H"),
            ("45", "PT45M"),
            ("1:05", "PT1H5M"),
            ("45 min", "PT45M"),
            ("1 h 30 min", "PT1H30M"),
            ("1h30", ""),
            ("2 Hours, 5 minutes", "PT2H5M"),
            ("90 s", "PT1M30S"),
            ("0", "PT0M"),
        ] {
            let time = CookingTime::read(given.into());
            match read {
                "" => assert!(time.is_err(), "{given}"),
                _ => assert_eq!(time.unwrap().as_str(), read, "{given}"),
            }
        }
        assert_eq!(CookingTime::read(45.into()).unwrap().as_str(), "PT45M");
        assert_eq!(CookingTime::read(" ".into()).unwrap().as_str(), "");
    }

    #[test]
    fn what_is_ambiguous_or_no_time_is_refused() {
        for given in [
            "P",
            "PT",
            "P1M",
            "P1Y",
            "PTM",
            "PT1X",
            "P1DT",
            "soon",
            "30 min 1 h",
            "1:5",
            "1:75",
            "-5",
            "1.5",
            "PT0.5H",
            "99999999999999999999",
            "9999999",
            "½ h",
        ] {
            assert!(CookingTime::read(given.into()).is_err(), "{given}");
        }
    }
}
