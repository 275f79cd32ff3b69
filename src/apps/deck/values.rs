//! Checked types of what goes into Deck, each with the limit of Deck's own validators.

use serde_json::{Value, json};

use crate::schema::{Wire, expected};

/// A name that is not blank, of at most `MAX` characters: 100 for boards, stacks and labels, 255 for cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title<const MAX: usize>(String);

impl<const MAX: usize> Title<MAX> {
    pub fn into_string(self) -> String {
        self.0
    }
}

impl<const MAX: usize> Wire for Title<MAX> {
    fn schema() -> Value {
        json!({"type": "string", "minLength": 1, "maxLength": MAX})
    }

    fn read(value: Value) -> Result<Self, String> {
        let title = String::read(value)?;
        // Deck's validators take what PHP calls empty, "0" too, for missing.
        if title.trim().is_empty() || title == "0" {
            return Err("must not be empty (nor \"0\", which Deck takes for empty)".into());
        }
        match title.chars().count() {
            count if count > MAX => Err(format!("has {count} characters; Deck takes at most {MAX}")),
            _ => Ok(Title(title)),
        }
    }

    fn write(self) -> Value {
        self.0.into()
    }
}

/// A colour as Deck keeps it: six hexadecimal digits without `#`. Read with or without it, also in CSS's short form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Color(String);

impl Color {
    pub fn into_string(self) -> String {
        self.0
    }

    fn parse(text: &str) -> Option<Color> {
        let digits = text.trim();
        let digits = digits.strip_prefix('#').unwrap_or(digits);
        let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        match digits.len() {
            6 if is_hex => Some(Color(digits.to_owned())),
            3 if is_hex => Some(Color(digits.chars().flat_map(|digit| [digit, digit]).collect())),
            _ => None,
        }
    }
}

impl Wire for Color {
    fn schema() -> Value {
        json!({"type": "string"})
    }

    fn read(value: Value) -> Result<Self, String> {
        // A colour of digits only, such as 317000, may come as a number; its leading zeros are lost then.
        let text = String::read(value)?;
        Color::parse(&text)
            .ok_or_else(|| expected("a colour of six hexadecimal digits such as 31CC7C", &text.into()))
    }

    fn write(self) -> Value {
        self.0.into()
    }
}

/// A colour, or "" to take it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColorOrNone(pub Option<Color>);

impl Wire for ColorOrNone {
    fn schema() -> Value {
        Color::schema()
    }

    fn read(value: Value) -> Result<Self, String> {
        if value == "" {
            Ok(ColorOrNone(None))
        } else {
            Color::read(value).map(|color| ColorOrNone(Some(color)))
        }
    }

    fn write(self) -> Value {
        self.0.map_or_else(|| "".into(), Color::write)
    }
}

/// A moment of ISO 8601, or "" to take it away.
///
/// Kept in UTC: Deck forgets the offset when it stores a date, so that 18:00+02:00 would become 18:00 UTC (seen on
/// 1.13.10). What has no offset, and a bare date, is UTC, as Deck reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MomentOrNone(pub Option<String>);

impl Wire for MomentOrNone {
    fn schema() -> Value {
        json!({"type": "string"})
    }

    fn read(value: Value) -> Result<Self, String> {
        let text = String::read(value)?;
        if text.is_empty() {
            return Ok(MomentOrNone(None));
        }
        let wanted = || expected("a time such as 2026-12-24T18:00:00+01:00", &text.as_str().into());
        utc(text.trim()).map(|moment| MomentOrNone(Some(moment))).ok_or_else(wanted)
    }

    fn write(self) -> Value {
        self.0.unwrap_or_default().into()
    }
}

/// `YYYY-MM-DD`, then optionally `T` or a space and `hh:mm`, `:ss` with a fraction, `Z` or `±hh:mm`: as
/// `YYYY-MM-DDThh:mm:ss+00:00`, without the fraction.
fn utc(text: &str) -> Option<String> {
    let (year, month, day) = (digits(text, 0..4)?, digits(text, 5..7)?, digits(text, 8..10)?);
    let dashes = text.get(4..5)? == "-" && text.get(7..8)? == "-";
    if !dashes || year == 0 || !(1..=12).contains(&month) || !(1..=days_of_month(year, month)).contains(&day)
    {
        return None;
    }
    let (second_of_day, offset_s) = match text.get(10..)? {
        "" => (0, 0),
        clock => time_of_day(clock.strip_prefix(['T', 't', ' '])?)?,
    };
    let unix_s = days_from_civil(year, month, day) * 86_400 + second_of_day - offset_s;
    let (year, month, day) = civil_from_days(unix_s.div_euclid(86_400));
    let second = unix_s.rem_euclid(86_400);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    (1..=9999)
        .contains(&year)
        .then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}+00:00", second % 60))
}

/// `hh:mm[:ss[.f…]][Z|±hh[[:]mm]]` as seconds since midnight and the offset from UTC in seconds.
fn time_of_day(text: &str) -> Option<(i64, i64)> {
    let zone_at = text.find(['Z', 'z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(zone_at);
    let clock = clock.trim_end();
    let (hour, minute) = (digits(clock, 0..2)?, digits(clock, 3..5)?);
    let rest = clock.get(5..)?;
    let second = match rest.strip_prefix(':') {
        None if rest.is_empty() => 0,
        None => return None,
        Some(rest) => {
            let fraction = rest.get(2..)?;
            let is_fraction =
                fraction.strip_prefix(['.', ',']).is_some_and(|f| !f.is_empty() && all_digits(f));
            if !fraction.is_empty() && !is_fraction {
                return None;
            }
            digits(rest, 0..2)?
        }
    };
    if clock.get(2..3)? != ":" || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some((hour * 3600 + minute * 60 + second, offset_s(zone)?))
}

fn offset_s(zone: &str) -> Option<i64> {
    let sign = match zone.chars().next() {
        None | Some('Z' | 'z') => return (zone.len() <= 1).then_some(0),
        Some('-') => -1,
        Some(_) => 1,
    };
    let zone = &zone[1..];
    let (hour, minute) = match zone.len() {
        2 => (digits(zone, 0..2)?, 0),
        4 => (digits(zone, 0..2)?, digits(zone, 2..4)?),
        5 if zone.get(2..3)? == ":" => (digits(zone, 0..2)?, digits(zone, 3..5)?),
        _ => return None,
    };
    (hour <= 14 && minute <= 59).then_some(sign * (hour * 3600 + minute * 60))
}

fn digits(text: &str, range: std::ops::Range<usize>) -> Option<i64> {
    text.get(range).filter(|part| all_digits(part))?.parse().ok()
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 (Howard Hinnant's `days_from_civil`).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The reverse (Howard Hinnant's `civil_from_days`).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_keeps_its_instant_in_utc() {
        for (given, sent) in [
            ("2026-12-24T18:00:00+02:00", "2026-12-24T16:00:00+00:00"),
            ("2026-12-24T18:00:00Z", "2026-12-24T18:00:00+00:00"),
            ("2026-12-24T18:00:00.250-05:30", "2026-12-24T23:30:00+00:00"),
            ("2026-12-31 23:30-0100", "2027-01-01T00:30:00+00:00"),
            ("2028-03-01T00:30:00+01", "2028-02-29T23:30:00+00:00"),
            ("2026-12-24T18:00", "2026-12-24T18:00:00+00:00"),
            ("2026-12-24", "2026-12-24T00:00:00+00:00"),
        ] {
            assert_eq!(utc(given).as_deref(), Some(sent), "{given}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for bad in [
            "tomorrow",
            "2026-13-01",
            "2026-02-29",
            "2026-1-1",
            "2026-12-24T",
            "2026-12-24T25:00",
            "2026-12-24T10:61",
            "2026-12-24T10:00:00+25:00",
            "2026-12-24T10:00:00 CET",
            "20261224",
            "2026-12-24T10:00:00Zx",
            "2026-12-24T10.00",
            "٢٠٢٦-12-24",
            "0000-01-01",
            "9999-12-31T23:59:59-01:00",
            "2026-12-24T10:00:00.",
        ] {
            assert_eq!(utc(bad), None, "{bad}");
        }
        assert_eq!(MomentOrNone::read("".into()), Ok(MomentOrNone(None)));
        assert!(MomentOrNone::read(" ".into()).is_err());
    }

    #[test]
    fn a_colour_is_six_digits_with_or_without_its_sign() {
        for (given, sent) in [("#31CC7C", "31CC7C"), ("31cc7c", "31cc7c"), (" #f0a ", "ff00aa")] {
            assert_eq!(Color::read(given.into()), Ok(Color(sent.into())), "{given}");
        }
        for bad in ["red", "#31CC7", "31CC7C00", "", "##31CC7C", "zzzzzz", "äää"] {
            assert!(Color::read(bad.into()).is_err(), "{bad}");
        }
        assert_eq!(ColorOrNone::read("".into()), Ok(ColorOrNone(None)));
    }

    #[test]
    fn a_title_is_measured_in_characters() {
        assert!(Title::<100>::read("ä".repeat(100).into()).is_ok());
        let long = Title::<100>::read("ä".repeat(101).into());
        assert_eq!(long, Err("has 101 characters; Deck takes at most 100".into()));
        for empty in ["", " \n", "0"] {
            assert!(Title::<255>::read(empty.into()).is_err(), "{empty:?}");
        }
    }
}
