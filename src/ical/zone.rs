//! From the name of a zone to its offsets.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::vtimezone::Vtimezone;
use super::when::utc;
use super::{Moment, windows};
use crate::contentline::Component;

/// A zone whose offsets are known.
#[derive(Debug, Clone)]
pub enum Zone {
    /// Of the IANA database, which is compiled in.
    Iana(TimeZone),
    /// As the object itself defines it.
    Object(Vtimezone),
}

impl Zone {
    /// The zone of this IANA name, in any case.
    pub fn iana(name: &str) -> Option<Zone> {
        lookup(name).map(Zone::Iana)
    }

    /// The name as the database writes it.
    pub fn iana_name(name: &str) -> Option<String> {
        lookup(name)?.iana_name().map(str::to_owned)
    }

    /// The moment of a local time. Of one that comes twice it is the first; one that is left out counts with the offset
    /// before the change (RFC 5545 §3.3.5).
    pub fn moment(&self, local: DateTime) -> Option<Moment> {
        match self {
            Zone::Iana(zone) => zone.to_timestamp(local).ok(),
            Zone::Object(zone) => from_utc(super::plus_seconds(local, -zone.offset_at_local(local))?),
        }
    }

    /// What clocks show at a moment, in whole seconds.
    pub fn local(&self, moment: Moment) -> DateTime {
        match self {
            Zone::Iana(zone) => {
                let offset = zone.to_offset(moment).seconds();
                super::plus_seconds(utc(moment), offset.into()).unwrap_or_else(|| utc(moment))
            }
            Zone::Object(zone) => {
                let utc = utc(moment);
                super::plus_seconds(utc, zone.offset_at_utc(utc)).unwrap_or(utc)
            }
        }
    }
}

/// The zones that an object can name.
#[derive(Debug, Clone, Copy)]
pub struct Zones<'a>(Option<&'a Component>);

impl<'a> Zones<'a> {
    /// Those of a VCALENDAR: of the IANA database, and what it defines itself.
    pub fn of(calendar: &'a Component) -> Zones<'a> {
        Zones(Some(calendar))
    }

    /// Those of the IANA database alone.
    pub fn none() -> Zones<'static> {
        Zones(None)
    }

    /// The zone of a TZID: an IANA name, also at the end of a longer one (`/citadel.org/20210210_1/Europe/Berlin`);
    /// a VTIMEZONE of the object; a name of Windows. `None` for one that nobody knows.
    pub fn resolve(&self, tzid: &str) -> Option<Zone> {
        if let Some(zone) = Zone::iana(tzid).or_else(|| tail(tzid)) {
            return Some(zone);
        }
        let defined = self.0.and_then(|calendar| {
            calendar.children().filter(|child| child.is("VTIMEZONE")).find(|zone| {
                zone.line("TZID").is_some_and(|line| line.value() == tzid || line.to_text() == tzid)
            })
        });
        defined.and_then(Vtimezone::of).map(Zone::Object).or_else(|| windows::iana(tzid).and_then(Zone::iana))
    }
}

/// A local time of UTC as a moment.
pub(super) fn from_utc(local: DateTime) -> Option<Moment> {
    Offset::UTC.to_timestamp(local).ok()
}

/// Looks a name up; only names of the IANA form, so that `EST5EDT4,M3…` or a path is none.
pub(super) fn lookup(name: &str) -> Option<TimeZone> {
    let is_name = name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_+-".contains(&b))
        && !name.starts_with('/');
    is_name.then(|| TimeZone::get(name).ok()).flatten().filter(|zone| !zone.is_unknown())
}

/// `Europe/Berlin` of `/mozilla.org/20050126_1/Europe/Berlin`; also of names with three parts.
fn tail(tzid: &str) -> Option<Zone> {
    let rest = tzid.strip_prefix('/')?;
    rest.match_indices('/')
        .map(|(at, _)| &rest[at + 1..])
        .filter(|name| name.contains('/'))
        .find_map(Zone::iana)
}
