//! When a share ends. Nextcloud keeps a day: the share ends as it begins, in the time zone of its owner.

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::schema::{Wire, expected};

const DAY_MS: u64 = 86_400_000;
/// How far clocks are ahead of UTC at most (Kiribati), in milliseconds.
const AHEAD_MS_MAX: u64 = 14 * 3_600_000;

/// The day on which a share ends, or that it has no end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpireDate(String);

impl ExpireDate {
    /// `2026-12-24`; empty for no end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Wire for ExpireDate {
    fn schema() -> Value {
        json!({"type": "string"})
    }

    fn read(value: Value) -> Result<Self, String> {
        let text = String::read(value)?;
        let text = text.trim();
        if text.is_empty() || is_day(text) {
            return Ok(ExpireDate(text.to_owned()));
        }
        Err(expected("a day as YYYY-MM-DD, or \"\" for no end", &text.into()))
    }

    fn write(self) -> Value {
        self.0.into()
    }
}

/// Whether it is a day of the calendar, as `2026-12-24`.
fn is_day(text: &str) -> bool {
    let digits = |range: std::ops::Range<usize>| -> Option<u32> {
        let part = text.get(range)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let (Some(year), Some(month), Some(day)) = (digits(0..4), digits(5..7), digits(8..10)) else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    text.len() == 10 && &text[4..5] == "-" && &text[7..8] == "-" && (1..=days).contains(&day)
}

/// The days to try for an end that is so many minutes away: the first midnight after it by UTC and, where the owner's
/// clock may be ahead of that, the next one. Nextcloud refuses a day that has begun for the owner, whose time zone it
/// does not tell.
pub fn days_after(now: Timestamp, minutes: usize) -> Vec<ExpireDate> {
    let end_ms = now.unix_ms + minutes as u64 * 60_000;
    let midnight_ms = end_ms.div_ceil(DAY_MS) * DAY_MS;
    let day = |unix_ms| ExpireDate(Timestamp { unix_ms }.rfc3339()[..10].to_owned());
    let mut days = vec![day(midnight_ms)];
    if now.unix_ms + AHEAD_MS_MAX >= midnight_ms {
        days.push(day(midnight_ms + DAY_MS));
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_of_the_calendar_are_taken() {
        for day in ["2026-12-24", "2028-02-29", "2000-02-29", ""] {
            assert_eq!(ExpireDate::read(day.into()).unwrap().as_str(), day);
        }
        for none in
            ["2026-02-29", "2026-13-01", "2026-00-10", "24.12.2026", "tomorrow", "2026-12-24T10:00:00Z"]
        {
            assert!(ExpireDate::read(none.into()).is_err(), "{none}");
        }
        assert!(ExpireDate::read("2026-1+-10".into()).is_err());
        assert!(ExpireDate::read("2026é12-1".into()).is_err());
    }

    #[test]
    fn minutes_are_rounded_up_to_a_midnight_that_no_owner_has_behind_him() {
        let days = |now_h: u64, minutes| {
            let now = Timestamp { unix_ms: 20_000 * DAY_MS + now_h * 3_600_000 };
            days_after(now, minutes).iter().map(|day| day.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(days(1, 30), ["2024-10-05"]);
        assert_eq!(days(12, 30), ["2024-10-05", "2024-10-06"]);
        assert_eq!(days(23, 90), ["2024-10-06"]);
        assert_eq!(days(0, 1440), ["2024-10-05"]);
    }
}
