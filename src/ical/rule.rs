//! RRULE (RFC 5545 §3.3.10), read, checked and written.

use std::fmt;

use jiff::civil::Weekday;

use super::{When, Zones};

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frequency {
    Secondly,
    Minutely,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

const FREQUENCIES: [(&str, Frequency); 7] = [
    ("SECONDLY", Frequency::Secondly),
    ("MINUTELY", Frequency::Minutely),
    ("HOURLY", Frequency::Hourly),
    ("DAILY", Frequency::Daily),
    ("WEEKLY", Frequency::Weekly),
    ("MONTHLY", Frequency::Monthly),
    ("YEARLY", Frequency::Yearly),
];

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("MO", Weekday::Monday),
    ("TU", Weekday::Tuesday),
    ("WE", Weekday::Wednesday),
    ("TH", Weekday::Thursday),
    ("FR", Weekday::Friday),
    ("SA", Weekday::Saturday),
    ("SU", Weekday::Sunday),
];

/// A rule by which something comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub frequency: Frequency,
    /// 1 for every time.
    pub interval: u32,
    /// Number of times in all.
    pub count: Option<u32>,
    /// The last time there may be, itself included.
    pub until: Option<When>,
    /// With an ordinal, `-1FR` is the last Friday; 0 is every one.
    pub by_day: Vec<(i16, Weekday)>,
    pub by_month_day: Vec<i16>,
    pub by_year_day: Vec<i16>,
    pub by_month: Vec<i16>,
    pub by_set_pos: Vec<i16>,
    pub week_start: Weekday,
    /// Parts that are kept and not worked out: BYHOUR, BYWEEKNO and the like.
    pub others: Vec<(String, String)>,
}

impl Rule {
    /// Reads `FREQ=WEEKLY;BYDAY=MO,WE`, with or without `RRULE:` before it. The error says which part is wrong.
    pub fn parse(text: &str) -> Result<Rule, String> {
        let text = text.trim();
        let text = match text.get(..6) {
            Some(head) if head.eq_ignore_ascii_case("RRULE:") => &text[6..],
            _ => text,
        };
        let mut rule = Rule {
            frequency: Frequency::Yearly,
            interval: 1,
            count: None,
            until: None,
            by_day: Vec::new(),
            by_month_day: Vec::new(),
            by_year_day: Vec::new(),
            by_month: Vec::new(),
            by_set_pos: Vec::new(),
            week_start: Weekday::Monday,
            others: Vec::new(),
        };
        let mut frequency = None;
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| format!("{part:?} is no NAME=value; write it like FREQ=WEEKLY;BYDAY=MO"))?;
            let (name, value) = (name.trim().to_ascii_uppercase(), value.trim().to_ascii_uppercase());
            if name == "FREQ" {
                frequency =
                    FREQUENCIES.iter().find(|(word, _)| *word == value).map(|(_, frequency)| *frequency);
                frequency.ok_or("FREQ must be one of DAILY, WEEKLY, MONTHLY, YEARLY")?;
            } else {
                rule.take(&name, &value).map_err(|wanted| format!("{name}={value}: expected {wanted}"))?;
            }
        }
        rule.frequency = frequency.ok_or("it needs FREQ, as in FREQ=WEEKLY;BYDAY=MO")?;
        if rule.count.is_some() && rule.until.is_some() {
            return Err("it has COUNT and UNTIL; only one of them may be there".into());
        }
        Ok(rule)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "INTERVAL" => {
                self.interval = value.parse().ok().filter(|n| *n > 0).ok_or("a number from 1 on")?;
            }
            "COUNT" => {
                self.count = Some(value.parse().ok().filter(|n| *n > 0).ok_or("a number from 1 on")?);
            }
            "UNTIL" => {
                let until = When::parse(value, &super::Local::Floating);
                self.until = Some(until.map_err(|_| "a date, 20261231 or 20261231T225959Z")?);
            }
            "BYDAY" => self.by_day = list(value, weekday).ok_or("days like MO or -1FR")?,
            "BYMONTHDAY" => self.by_month_day = list(value, |t| number(t, 31)).ok_or("days from 1 to 31")?,
            "BYYEARDAY" => self.by_year_day = list(value, |t| number(t, 366)).ok_or("days from 1 to 366")?,
            "BYMONTH" => {
                let months = list(value, |t| number(t, 12)).filter(|months| months.iter().all(|m| *m > 0));
                self.by_month = months.ok_or("months from 1 to 12")?;
            }
            "BYSETPOS" => self.by_set_pos = list(value, |t| number(t, 366)).ok_or("numbers from 1 to 366")?,
            "WKST" => self.week_start = plain_weekday(value).ok_or("a day like MO")?,
            "BYSECOND" | "BYMINUTE" | "BYHOUR" | "BYWEEKNO" | "RSCALE" | "SKIP" => {
                self.others.push((name.to_owned(), value.to_owned()));
            }
            name if name.starts_with("X-") => self.others.push((name.to_owned(), value.to_owned())),
            _ => return Err("a part that RFC 5545 knows"),
        }
        Ok(())
    }

    /// Whether this program can tell its times; Nextcloud can tell more.
    pub fn is_known(&self) -> bool {
        self.frequency >= Frequency::Daily && self.others.iter().all(|(name, _)| name.starts_with("X-"))
    }

    /// `MO` for Monday.
    pub fn weekday_word(day: Weekday) -> &'static str {
        WEEKDAYS.iter().find(|(_, weekday)| *weekday == day).map_or("MO", |(word, _)| word)
    }

    /// The rule with its end in the form that its start asks for (RFC 5545 §3.3.10): a day for whole days, a local time
    /// for floating ones, otherwise UTC. A day given for a time means until the end of that day, where the start is.
    #[must_use]
    pub fn fitting(mut self, start: &When, zones: &Zones<'_>) -> Rule {
        self.until = self.until.take().map(|until| {
            let end = match (&until, start) {
                (until, When::Date(_)) => return When::Date(until.date()),
                (When::Date(day), start) => start.with_local(day.at(23, 59, 59, 0)),
                (When::Floating(local), start) => start.with_local(*local),
                (until, _) => until.clone(),
            };
            match start {
                When::Floating(_) => When::Floating(end.start()),
                _ => end.moment(zones).map_or(until, |end| When::at(end, &super::Local::Utc)),
            }
        });
        self
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = FREQUENCIES.iter().find(|(_, frequency)| *frequency == self.frequency);
        write!(f, "FREQ={}", word.map_or("YEARLY", |(word, _)| word))?;
        if self.interval != 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        if let Some(count) = self.count {
            write!(f, ";COUNT={count}")?;
        }
        if let Some(until) = &self.until {
            write!(f, ";UNTIL={}", until.value())?;
        }
        let numbers = [
            ("BYMONTH", &self.by_month),
            ("BYYEARDAY", &self.by_year_day),
            ("BYMONTHDAY", &self.by_month_day),
            ("BYSETPOS", &self.by_set_pos),
        ];
        for (name, values) in numbers.into_iter().filter(|(_, values)| !values.is_empty()) {
            write!(f, ";{name}={}", values.iter().map(i16::to_string).collect::<Vec<_>>().join(","))?;
        }
        if !self.by_day.is_empty() {
            let days = self.by_day.iter().map(|(nth, day)| match nth {
                0 => Rule::weekday_word(*day).to_owned(),
                nth => format!("{nth}{}", Rule::weekday_word(*day)),
            });
            write!(f, ";BYDAY={}", days.collect::<Vec<_>>().join(","))?;
        }
        if self.week_start != Weekday::Monday {
            write!(f, ";WKST={}", Rule::weekday_word(self.week_start))?;
        }
        self.others.iter().try_for_each(|(name, value)| write!(f, ";{name}={value}"))
    }
}

fn list<T>(value: &str, item: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    value.split(',').map(|text| item(text.trim())).collect()
}

/// A number from 1 to `max`, or from the end, `-1` to `-max`.
fn number(text: &str, max: i16) -> Option<i16> {
    text.parse().ok().filter(|n: &i16| *n != 0 && (-max..=max).contains(n))
}

fn weekday(text: &str) -> Option<(i16, Weekday)> {
    let at = text.len().checked_sub(2).filter(|at| text.is_char_boundary(*at))?;
    let (nth, day) = text.split_at(at);
    let nth = if nth.is_empty() { 0 } else { number(nth, 53)? };
    Some((nth, plain_weekday(day)?))
}

fn plain_weekday(text: &str) -> Option<Weekday> {
    WEEKDAYS.iter().find(|(word, _)| *word == text).map(|(_, day)| *day)
}
