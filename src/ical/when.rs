//! DATE and DATE-TIME (RFC 5545 §3.3.4, §3.3.5), read from objects and from what people write.

use std::fmt::Write;

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime};

use super::zone::{Zone, Zones};
use super::{Moment, windows};
use crate::contentline::Line;

/// A date or time in one of iCalendar's four forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// A whole day: `20261125`.
    Date(Date),
    /// The same time of day wherever one is: `20261125T090000`.
    Floating(DateTime),
    /// `20261125T080000Z`.
    Utc(DateTime),
    /// Local time of a zone, by the name that the object gives it: `TZID=Europe/Berlin:20261125T090000`.
    Zoned { local: DateTime, tzid: String },
}

/// How a time without a zone of its own is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Local {
    Floating,
    Utc,
    /// An IANA name.
    Zone(String),
}

impl Local {
    /// Reads what people write for a zone: an IANA name in any case, a Windows name, `UTC`, or `floating`.
    pub fn parse(name: &str) -> Result<Local, String> {
        let name = name.trim();
        if ["utc", "z", "gmt", "etc/utc"].contains(&name.to_ascii_lowercase().as_str()) {
            return Ok(Local::Utc);
        }
        if name.eq_ignore_ascii_case("floating") {
            return Ok(Local::Floating);
        }
        Zone::iana_name(name).or_else(|| windows::iana(name).map(str::to_owned)).map(Local::Zone).ok_or_else(
            || format!("{name:?} is no time zone; write an IANA name such as Europe/Berlin, or UTC"),
        )
    }

    /// The name that a zone has in an object; `None` for floating and UTC.
    pub fn tzid(&self) -> Option<&str> {
        match self {
            Local::Zone(name) => Some(name),
            Local::Floating | Local::Utc => None,
        }
    }

    /// What a clock shows there.
    pub fn when(&self, local: DateTime) -> When {
        match self {
            Local::Floating => When::Floating(local),
            Local::Utc => When::Utc(local),
            Local::Zone(tzid) => When::Zoned { local, tzid: tzid.clone() },
        }
    }
}

impl When {
    /// The value of a line such as DTSTART, DUE or RECURRENCE-ID; `None` if it is no date.
    pub fn of(line: &Line) -> Option<When> {
        When::with_tzid(line.value().trim(), line.param("TZID"))
    }

    /// All values of an EXDATE or RDATE; of periods the start. What is no date is left out.
    pub fn all_of(line: &Line) -> Vec<When> {
        let values = line.value().split(',').map(|value| value.split('/').next().unwrap_or(value));
        values.filter_map(|value| When::with_tzid(value.trim(), line.param("TZID"))).collect()
    }

    fn with_tzid(value: &str, tzid: Option<&str>) -> Option<When> {
        let (date, time, is_utc) = basic(value)?;
        let Some(time) = time else { return Some(When::Date(date)) };
        let local = date.to_datetime(time);
        Some(match tzid {
            _ if is_utc => When::Utc(local),
            Some(tzid) if !tzid.is_empty() => When::Zoned { local, tzid: tzid.to_owned() },
            _ => When::Floating(local),
        })
    }

    /// Reads what people and models write: `2026-11-25`, `2026-11-25T09:00`, with seconds, `Z` or an offset, or in
    /// iCalendar's own form.
    ///
    /// A time without `Z` or offset is meant as `local` says; one with them is a moment, and is brought to that zone.
    /// The error says what was expected.
    pub fn parse(text: &str, local: &Local) -> Result<When, String> {
        let wrong = || {
            format!("{text:?} is no date; write 2026-11-25, 2026-11-25T09:00 or 2026-11-25T09:00:00+01:00")
        };
        let trimmed = text.trim();
        if let Some((date, time, is_utc)) = basic(trimmed) {
            let Some(time) = time else { return Ok(When::Date(date)) };
            let time = date.to_datetime(time);
            return if is_utc { When::Utc(time).brought_to(local) } else { Ok(local.when(time)) };
        }
        if !trimmed.is_ascii() || trimmed.len() < 10 {
            return Err(wrong());
        }
        let (date, rest) = trimmed.split_at(10);
        let date: Date = date.parse().map_err(|_| wrong())?;
        let Some(rest) = rest.strip_prefix(['T', 't', ' ']) else {
            return if rest.is_empty() { Ok(When::Date(date)) } else { Err(wrong()) };
        };
        let at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
        let (time, offset) = (rest[..at].trim_end(), &rest[at..]);
        let time = extended_time(time).ok_or_else(wrong)?;
        let time = date.to_datetime(time);
        if offset.is_empty() {
            return Ok(local.when(time));
        }
        let offset_s = offset_seconds(offset).ok_or_else(wrong)?;
        When::Utc(plus_seconds(time, -offset_s).ok_or_else(wrong)?).brought_to(local)
    }

    /// The moment in this form: local time for a zone, otherwise UTC.
    pub fn at(moment: Moment, local: &Local) -> When {
        match local.tzid().and_then(Zone::iana) {
            Some(zone) => local.when(zone.local(moment)),
            None => When::Utc(utc(moment)),
        }
    }

    fn brought_to(self, local: &Local) -> Result<When, String> {
        let moment = self.moment(&Zones::none()).ok_or("the year is out of range")?;
        Ok(When::at(moment, local))
    }

    /// The line that holds it, with `VALUE=DATE` or `TZID` where they are due.
    pub fn line(&self, name: &str) -> Line {
        let line = Line::new(name, self.value());
        match self {
            When::Date(_) => line.with("VALUE", "DATE"),
            When::Zoned { tzid, .. } => line.with("TZID", tzid),
            When::Floating(_) | When::Utc(_) => line,
        }
    }

    /// The value as iCalendar writes it.
    pub fn value(&self) -> String {
        let mut out = String::new();
        let date = self.date();
        let _ = write!(out, "{:04}{:02}{:02}", date.year().max(0), date.month(), date.day());
        if let Some(local) = self.local() {
            let _ = write!(out, "T{:02}{:02}{:02}", local.hour(), local.minute(), local.second());
        }
        if matches!(self, When::Utc(_)) {
            out.push('Z');
        }
        out
    }

    /// RFC 3339, with `Z` or the offset of its zone; a date alone, or a local time without an offset where there is no
    /// zone or nobody knows it.
    pub fn show(&self, zones: &Zones<'_>) -> String {
        let date = self.date();
        let mut out = format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day());
        let Some(local) = self.local() else { return out };
        let _ = write!(out, "T{:02}:{:02}:{:02}", local.hour(), local.minute(), local.second());
        match self {
            When::Utc(_) => out.push('Z'),
            When::Zoned { tzid, .. } => {
                if let Some(zone) = zones.resolve(tzid)
                    && let Some(moment) = zone.moment(local)
                {
                    let offset_s = local.duration_since(utc(moment)).as_secs();
                    let (sign, offset_m) = (if offset_s < 0 { '-' } else { '+' }, offset_s.abs() / 60);
                    let _ = write!(out, "{sign}{:02}:{:02}", offset_m / 60, offset_m % 60);
                }
            }
            When::Date(_) | When::Floating(_) => {}
        }
        out
    }

    /// The day on which it is, where it is.
    pub fn date(&self) -> Date {
        match self {
            When::Date(date) => *date,
            When::Floating(local) | When::Utc(local) | When::Zoned { local, .. } => local.date(),
        }
    }

    /// Day and time of day as written; `None` for a whole day.
    pub fn local(&self) -> Option<DateTime> {
        match self {
            When::Date(_) => None,
            When::Floating(local) | When::Utc(local) | When::Zoned { local, .. } => Some(*local),
        }
    }

    /// The same with a whole day counted from midnight.
    pub fn start(&self) -> DateTime {
        self.local().unwrap_or_else(|| self.date().at(0, 0, 0, 0))
    }

    /// Whether it is a whole day.
    pub fn is_date(&self) -> bool {
        matches!(self, When::Date(_))
    }

    /// The name of its zone, as the object has it.
    pub fn tzid(&self) -> Option<&str> {
        match self {
            When::Zoned { tzid, .. } => Some(tzid),
            _ => None,
        }
    }

    /// The same form with another time. A whole day takes the day of it.
    #[must_use]
    pub fn with_local(&self, local: DateTime) -> When {
        match self {
            When::Date(_) => When::Date(local.date()),
            When::Floating(_) => When::Floating(local),
            When::Utc(_) => When::Utc(local),
            When::Zoned { tzid, .. } => When::Zoned { local, tzid: tzid.clone() },
        }
    }

    /// The moment at which it is, a whole day's beginning. Whole days, floating times and times of a zone that nobody
    /// knows are taken for UTC, as Nextcloud does. `None` beyond the years that can be counted.
    pub fn moment(&self, zones: &Zones<'_>) -> Option<Moment> {
        let local = self.start();
        match self.tzid().and_then(|tzid| zones.resolve(tzid)) {
            Some(zone) => zone.moment(local),
            None => super::zone::from_utc(local),
        }
    }

    /// The same moment in the form of another: in its zone, in UTC, or as a day. A whole day begins at midnight there.
    #[must_use]
    pub fn in_form_of(&self, form: &When, zones: &Zones<'_>) -> When {
        if self.is_date() || self.tzid() == form.tzid() && self.is_utc() == form.is_utc() {
            return form.with_local(self.start());
        }
        match (form, self.moment(zones)) {
            (When::Zoned { tzid, .. }, Some(moment)) => {
                let zone = zones.resolve(tzid);
                form.with_local(zone.map_or_else(|| utc(moment), |zone| zone.local(moment)))
            }
            (When::Utc(_), Some(moment)) => When::Utc(utc(moment)),
            _ => form.with_local(self.start()),
        }
    }

    fn is_utc(&self) -> bool {
        matches!(self, When::Utc(_))
    }

    /// Whether both mean the same: the same day, the same moment, or the same text.
    pub fn is_same(&self, other: &When, zones: &Zones<'_>) -> bool {
        match (self, other) {
            (When::Date(day), other) | (other, When::Date(day)) => *day == other.date(),
            _ => self == other || self.moment(zones) == other.moment(zones),
        }
    }
}

/// A day so many days later, or earlier. `None` beyond the years that can be counted.
pub fn plus_days(date: Date, days: i64) -> Option<Date> {
    date.checked_add(SignedDuration::from_secs(days.checked_mul(86_400)?)).ok()
}

/// A time so many seconds later, or earlier, with no regard to any zone's changes.
pub fn plus_seconds(local: DateTime, seconds: i64) -> Option<DateTime> {
    local.checked_add(SignedDuration::from_secs(seconds)).ok()
}

/// The moment as UTC shows it, in whole seconds.
pub(super) fn utc(moment: Moment) -> DateTime {
    let shown = jiff::tz::Offset::UTC.to_datetime(moment);
    DateTime::from_parts(shown.date(), whole_seconds(shown.time()))
}

fn whole_seconds(time: super::Time) -> super::Time {
    super::Time::new(time.hour(), time.minute(), time.second(), 0).unwrap_or(time)
}

/// `YYYYMMDD[THHMMSS[Z]]`.
fn basic(value: &str) -> Option<(Date, Option<super::Time>, bool)> {
    let digits = |range: std::ops::Range<usize>| -> Option<i16> {
        let text = value.get(range)?;
        text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
    };
    let part = |at: usize| digits(at..at + 2).and_then(|number| i8::try_from(number).ok());
    let date = Date::new(digits(0..4)?, part(4)?, part(6)?).ok()?;
    let is_utc = match value.len() {
        8 => return Some((date, None, false)),
        15 => false,
        16 if value.ends_with(['Z', 'z']) => true,
        _ => return None,
    };
    value[8..].starts_with(['T', 't']).then_some(())?;
    // A leap second (RFC 5545 §3.3.12) is told as the second before.
    let time = super::Time::new(part(9)?, part(11)?, part(13)?.min(59), 0).ok()?;
    Some((date, Some(time), is_utc))
}

/// `HH:MM[:SS[.fraction]]`; the fraction is dropped, for iCalendar has none.
fn extended_time(text: &str) -> Option<super::Time> {
    let mut parts = text.split(':');
    let two = |text: Option<&str>| -> Option<i8> {
        let text = text.filter(|text| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()))?;
        text.parse().ok()
    };
    let (hour, minute) = (two(parts.next())?, two(parts.next())?);
    let second = match parts.next() {
        Some(second) => {
            let (whole, fraction) = second.split_once('.').unwrap_or((second, "0"));
            fraction.bytes().all(|b| b.is_ascii_digit()).then_some(())?;
            two(Some(whole))?.min(59)
        }
        None => 0,
    };
    parts.next().is_none().then_some(())?;
    super::Time::new(hour, minute, second, 0).ok()
}

/// `Z`, `+01:00`, `+0100`, `+01`.
fn offset_seconds(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    let digits = match digits.len() {
        2 => digits + "00",
        4 => digits,
        _ => return None,
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}
