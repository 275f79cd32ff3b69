//! Zones: written from the database, and read where an object brings its own.

use jiff::tz::TimeZone;

use super::super::vtimezone::{Vtimezone, vtimezone};
use super::*;

fn moment(text: &str) -> Moment {
    When::parse(text, &Local::Utc).unwrap().moment(&Zones::none()).unwrap()
}

#[test]
fn a_written_zone_has_the_offsets_of_the_database_around_every_change() {
    for name in [
        "Europe/Berlin",
        "Europe/London",
        "Europe/Dublin",
        "America/New_York",
        "America/Santiago",
        "America/Sao_Paulo",
        "Asia/Tehran",
        "Asia/Jerusalem",
        "Asia/Gaza",
        "Asia/Kolkata",
        "Asia/Tokyo",
        "Africa/Casablanca",
        "Africa/Cairo",
        "Australia/Lord_Howe",
        "Pacific/Auckland",
        "Pacific/Apia",
        "America/St_Johns",
        "Etc/GMT+5",
        "Europe/Istanbul",
    ] {
        for first in ["2005-06-01T00:00Z", "2026-02-01T00:00Z", "2026-07-15T12:00Z"] {
            let component = vtimezone(name, moment(first)).unwrap();
            let written = Vtimezone::of(&component).unwrap();
            let zone = TimeZone::get(name).unwrap();
            let mut moments = vec![moment(first)];
            // A zone without a rule is written change by change, for so many years.
            let last = super::super::when::utc(moment(first)).year() + 24;
            let following = zone.following(moment(first)).map(|change| change.timestamp());
            for change in following.take_while(|at| super::super::when::utc(*at).year() < last) {
                let at = change.as_second();
                moments.extend(
                    [-86_400, -3_601, -1, 0, 1, 3_601, 86_400]
                        .map(|by| Moment::from_second(at + by).unwrap()),
                );
            }
            for at in moments {
                let utc = super::super::when::utc(at);
                let local = plus_seconds(utc, zone.to_offset(at).seconds().into()).unwrap();
                assert_eq!(
                    written.offset_at_utc(utc),
                    i64::from(zone.to_offset(at).seconds()),
                    "{name} at {at}\n{component}"
                );
                let back = zone.to_timestamp(local).unwrap();
                assert_eq!(
                    Zone::Object(written.clone()).moment(local),
                    Some(back),
                    "{name} at {local}\n{component}"
                );
            }
        }
    }
}

#[test]
fn a_zone_with_a_rule_is_short() {
    let component = vtimezone("Europe/Berlin", moment("2026-03-20T13:00Z")).unwrap();
    assert_eq!(
        component.to_string().replace("\r\n", "\n"),
        "BEGIN:VTIMEZONE\nTZID:Europe/Berlin\nBEGIN:STANDARD\nDTSTART:20251026T030000\nTZOFFSETFROM:+0200\n\
         TZOFFSETTO:+0100\nTZNAME:CET\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nEND:STANDARD\nBEGIN:DAYLIGHT\n\
         DTSTART:20260329T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nTZNAME:CEST\n\
         RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nEND:DAYLIGHT\nEND:VTIMEZONE\n"
    );
    let fixed = vtimezone("Asia/Kolkata", moment("2026-03-20T13:00Z")).unwrap().to_string();
    assert_eq!(fixed.matches("BEGIN:STANDARD").count(), 1, "{fixed}");
    assert!(!fixed.contains("RRULE") && fixed.contains("TZOFFSETTO:+0530"), "{fixed}");
}

#[test]
fn a_zone_of_the_object_is_used_where_its_name_says_nothing() {
    let text = include_str!("../../../fixtures/ical/hand-outlook.ics");
    let calendar = Component::parse(text).unwrap();
    let zones = Zones::of(&calendar);
    let first = master(&calendar, "VEVENT").unwrap();
    let shown: Vec<String> = Occurrences::of(first, &zones).unwrap().map(|when| when.show(&zones)).collect();
    assert_eq!(
        shown,
        ["2026-03-25T09:00:00+01:00", "2026-04-01T09:00:00+02:00", "2026-04-08T09:00:00+02:00"]
    );
    let other = of_kind(&calendar, "VEVENT").nth(1).unwrap();
    assert_eq!(When::of(other.line("DTSTART").unwrap()).unwrap().show(&zones), "2026-07-01T09:00:00+02:00");
    let unknown = When::of(other.line("DTEND").unwrap()).unwrap();
    assert_eq!(
        (unknown.show(&zones).as_str(), unknown.tzid()),
        ("2026-07-01T10:00:00", Some("Nobody/Knows"))
    );
}

#[test]
fn a_long_name_is_known_by_its_end() {
    for name in [
        "/mozilla.org/20050126_1/America/Argentina/Ushuaia",
        "/freeassociation.sourceforge.net/Europe/Berlin",
    ] {
        assert!(Zones::none().resolve(name).is_some(), "{name}");
    }
    for name in ["/mozilla.org/x/Nowhere", "/", "//", "Nobody/Knows", ""] {
        assert!(Zones::none().resolve(name).is_none(), "{name}");
    }
}

#[test]
fn a_rule_that_ended_no_longer_counts() {
    let zone = Vtimezone::of(&Component::parse(
        "BEGIN:VTIMEZONE\r\nTZID:US\r\nBEGIN:DAYLIGHT\r\nDTSTART:19870405T020000\r\nTZOFFSETFROM:-0500\r\n\
         TZOFFSETTO:-0400\r\nRRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU;UNTIL=20060402T070000Z\r\nEND:DAYLIGHT\r\n\
         BEGIN:DAYLIGHT\r\nDTSTART:20070311T020000\r\nTZOFFSETFROM:-0500\r\nTZOFFSETTO:-0400\r\n\
         RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\r\nEND:DAYLIGHT\r\nBEGIN:STANDARD\r\nDTSTART:19671029T020000\r\n\
         TZOFFSETFROM:-0400\r\nTZOFFSETTO:-0500\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;UNTIL=20061029T060000Z\r\n\
         END:STANDARD\r\nBEGIN:STANDARD\r\nDTSTART:20071104T020000\r\nTZOFFSETFROM:-0400\r\nTZOFFSETTO:-0500\r\n\
         RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n",
    ).unwrap()).unwrap();
    let hours = |text: &str| zone.offset_at_utc(super::super::when::utc(moment(text))) / 3600;
    assert_eq!((hours("2006-04-02T06:59Z"), hours("2006-04-02T07:00Z")), (-5, -4));
    assert_eq!((hours("2006-10-29T05:59Z"), hours("2006-10-29T06:00Z")), (-4, -5));
    assert_eq!(
        (hours("2026-03-08T06:59Z"), hours("2026-03-08T07:00Z"), hours("2026-12-01T00:00Z")),
        (-5, -4, -5)
    );
}

#[test]
fn a_zone_is_defined_once_and_again_only_for_an_earlier_start() {
    let mut calendar = calendar();
    ensure_zone(&mut calendar, "Europe/Berlin", moment("2026-06-01T00:00Z"));
    let once = calendar.to_string();
    ensure_zone(&mut calendar, "Europe/Berlin", moment("2027-06-01T00:00Z"));
    assert_eq!(calendar.to_string(), once);
    ensure_zone(&mut calendar, "Europe/Berlin", moment("2020-06-01T00:00Z"));
    let earlier = calendar.to_string();
    assert!(
        earlier.contains("DTSTART:20200329T020000") && earlier.matches("BEGIN:VTIMEZONE").count() == 1,
        "{earlier}"
    );
    ensure_zone(&mut calendar, "Nobody/Knows", moment("2020-06-01T00:00Z"));
    assert_eq!(calendar.to_string(), earlier);
    without_unused_zones(&mut calendar, &["America/New_York".into()]);
    assert_eq!(calendar.to_string(), earlier);
    without_unused_zones(&mut calendar, &["Europe/Berlin".into()]);
    assert!(!calendar.to_string().contains("VTIMEZONE"));
}
