//! `BDAY`: a date, with or without its year (RFC 6350 §4.3.1, RFC 2426 §3.1.5).

use std::fmt;

use super::Version;
use crate::contentline::Line;

/// The year that Apple and Sabre write in version 3.0 where there is none.
const NO_YEAR: &str = "1604";
const NO_YEAR_PARAM: &str = "X-APPLE-OMIT-YEAR";

/// A day of birth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Birthday {
    year: Option<u16>,
    month: u8,
    day: u8,
}

impl Birthday {
    /// Reads `1985-04-12`, `19850412`, `--04-12` and `--0412`, also with a time of midnight behind; `None` for anything
    /// else and for days that no calendar has.
    pub fn parse(text: &str) -> Option<Birthday> {
        let (date, time) = match text.trim().split_once(['T', ' ']) {
            Some((date, time)) => (date, time),
            None => (text.trim(), ""),
        };
        if time.bytes().any(|b| !matches!(b, b'0' | b':' | b'.' | b'Z')) {
            return None;
        }
        let (year, rest) = match date.strip_prefix("--") {
            Some(rest) => (None, rest),
            None => (Some(date.get(..4)?), date[4..].strip_prefix('-').unwrap_or(&date[4..])),
        };
        let (month, day) = match rest.split_once('-') {
            Some((month, day)) => (month, day),
            None => (rest.get(..2)?, rest.get(2..)?),
        };
        let number = |text: &str, digits: usize| {
            let is_number = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| text.parse::<u16>().ok()).flatten()
        };
        let year = match year {
            Some(year) => Some(number(year, 4)?),
            None => None,
        };
        let (month, day) = (number(month, 2)? as u8, number(day, 2)? as u8);
        (1..=days(year, month)?).contains(&day).then_some(Birthday { year, month, day })
    }

    /// The line for a card of this version. Version 3.0 knows no date without a year; Apple's form of it is the one that
    /// most programs know.
    pub(super) fn line(self, version: Version) -> Line {
        let Birthday { year, month, day } = self;
        match (version, year) {
            (Version::V4, Some(year)) => Line::new("BDAY", format!("{year:04}{month:02}{day:02}")),
            (Version::V4, None) => Line::new("BDAY", format!("--{month:02}{day:02}")),
            (_, Some(year)) => Line::new("BDAY", format!("{year:04}-{month:02}-{day:02}")),
            (_, None) => {
                Line::new("BDAY", format!("{NO_YEAR}-{month:02}-{day:02}")).with(NO_YEAR_PARAM, NO_YEAR)
            }
        }
    }
}

/// `1985-04-12`, `--04-12`.
impl fmt::Display for Birthday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.year {
            Some(year) => write!(f, "{year:04}-{:02}-{:02}", self.month, self.day),
            None => write!(f, "--{:02}-{:02}", self.month, self.day),
        }
    }
}

/// What a line says, in one form where it is a date.
pub(super) fn read(line: &Line) -> String {
    let text = line.to_text().trim().to_owned();
    match Birthday::parse(&text) {
        Some(mut day) => {
            let omitted = line.param(NO_YEAR_PARAM).and_then(|year| year.trim().parse().ok());
            if omitted.is_some() && omitted == day.year {
                day.year = None;
            }
            day.to_string()
        }
        None => text,
    }
}

/// Days of a month; of a February without a year 29.
fn days(year: Option<u16>, month: u8) -> Option<u8> {
    let is_leap = year.is_none_or(|y| y % 4 == 0 && (y % 100 != 0 || y % 400 == 0));
    match month {
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if is_leap { 29 } else { 28 }),
        1..=12 => Some(31),
        _ => None,
    }
}
