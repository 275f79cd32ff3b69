//! DURATION (RFC 5545 §3.3.6).

use std::fmt;

use super::{When, Zones, plus_days, plus_seconds};

/// A span: days are days of the calendar, seconds are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Duration {
    /// Both have the same sign.
    pub days: i64,
    pub seconds: i64,
}

/// Longer ones are no spans that anybody plans with: about 10,000 years.
const SECONDS_MAX: i64 = 86_400 * 366 * 10_000;

impl Duration {
    /// So many minutes, less than none for a time before.
    pub fn minutes(minutes: i64) -> Duration {
        Duration { days: 0, seconds: minutes.saturating_mul(60).clamp(-SECONDS_MAX, SECONDS_MAX) }
    }

    /// Reads `-PT15M`, `P1W`, `P1DT12H`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Duration> {
        let text = text.trim();
        let (sign, text) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let text = text.strip_prefix(['P', 'p'])?;
        let (mut days, mut seconds, mut in_time, mut number) = (0_i64, 0_i64, false, String::new());
        let mut parts = 0;
        for c in text.chars() {
            if c.is_ascii_digit() {
                number.push(c);
                continue;
            }
            if matches!(c, 'T' | 't') && !in_time && number.is_empty() {
                in_time = true;
                continue;
            }
            let count: i64 = std::mem::take(&mut number).parse().ok()?;
            let (of_days, of_seconds) = match (c.to_ascii_uppercase(), in_time) {
                ('W', false) => (7, 0),
                ('D', false) => (1, 0),
                ('H', true) => (0, 3600),
                ('M', true) => (0, 60),
                ('S', true) => (0, 1),
                _ => return None,
            };
            days = days.checked_add(count.checked_mul(of_days)?)?;
            seconds = seconds.checked_add(count.checked_mul(of_seconds)?)?;
            parts += 1;
        }
        let is_whole = number.is_empty() && parts > 0;
        let is_sane = days <= SECONDS_MAX / 86_400 && seconds <= SECONDS_MAX;
        (is_whole && is_sane).then_some(Duration { days: sign * days, seconds: sign * seconds })
    }

    /// Its length with a day of 24 hours.
    pub fn total_seconds(self) -> i64 {
        self.days * 86_400 + self.seconds
    }

    /// What is so much later: days on the clock of its zone, seconds as they pass.
    pub fn after(self, start: &When, zones: &Zones<'_>) -> Option<When> {
        let local = start.start();
        let day = plus_days(local.date(), self.days)?;
        let later = start.with_local(day.to_datetime(local.time()));
        if self.seconds == 0 || later.is_date() {
            // A whole day has no hours to add to; RFC 5545 §3.8.2.5 allows days and weeks only.
            let extra = if later.is_date() { self.seconds.div_euclid(86_400) } else { 0 };
            return Some(later.with_local(plus_seconds(later.start(), extra * 86_400)?));
        }
        let zone = later.tzid().and_then(|tzid| zones.resolve(tzid));
        match zone {
            Some(zone) => {
                let moment = zone.moment(later.start())?;
                let moved = moment.checked_add(jiff::SignedDuration::from_secs(self.seconds)).ok()?;
                Some(later.with_local(zone.local(moved)))
            }
            None => Some(later.with_local(plus_seconds(later.start(), self.seconds)?)),
        }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.total_seconds() < 0 {
            f.write_str("-")?;
        }
        let (days, seconds) = (self.days.abs(), self.seconds.abs());
        f.write_str("P")?;
        match (days, seconds) {
            (0, 0) => return f.write_str("T0S"),
            (days, 0) if days % 7 == 0 => return write!(f, "{}W", days / 7),
            (0, _) => {}
            (days, _) => write!(f, "{days}D")?,
        }
        if seconds > 0 {
            f.write_str("T")?;
        }
        for (count, unit) in [(seconds / 3600, 'H'), (seconds / 60 % 60, 'M'), (seconds % 60, 'S')] {
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}
