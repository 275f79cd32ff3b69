//! Rules, their times, and the object that a series is.

use proptest::prelude::*;

use super::*;

/// The first times of a series with these lines, as `20261125` or `20261125T0900`.
fn times(lines: &[&str]) -> Vec<String> {
    let event = component("VEVENT", lines);
    let all = Occurrences::of(&event, &Zones::none()).expect("a series").take(6);
    all.map(|when| when.value().trim_end_matches('Z').trim_end_matches("00").to_owned()).collect()
}

#[test]
fn rules_give_the_times_of_the_standard() {
    // Starts and first times of RFC 5545 §3.8.5.3.
    for (rule, wanted) in [
        ("FREQ=DAILY;COUNT=3", "19970902 19970903 19970904"),
        ("FREQ=DAILY;INTERVAL=10;COUNT=3", "19970902 19970912 19970922"),
        (
            "FREQ=YEARLY;UNTIL=20000131;BYMONTH=1;BYDAY=SU,MO",
            "19970902 19980104 19980105 19980111 19980112 19980118",
        ),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU;COUNT=3", "19970902 19970916 19970930"),
        (
            "FREQ=WEEKLY;UNTIL=19971007;WKST=SU;BYDAY=TU,TH",
            "19970902 19970904 19970909 19970911 19970916 19970918",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
            "19970902 19970904 19970916 19970918 19970930 19971002",
        ),
        ("FREQ=MONTHLY;COUNT=4;BYDAY=1FR", "19970902 19970905 19971003 19971107"),
        ("FREQ=MONTHLY;INTERVAL=2;COUNT=4;BYDAY=1SU,-1SU", "19970902 19970907 19970928 19971102"),
        ("FREQ=MONTHLY;COUNT=4;BYDAY=-2MO", "19970902 19970922 19971020 19971117"),
        ("FREQ=MONTHLY;BYMONTHDAY=-3;COUNT=4", "19970902 19970928 19971029 19971128"),
        ("FREQ=MONTHLY;COUNT=4;BYMONTHDAY=2,15", "19970902 19970915 19971002 19971015"),
        ("FREQ=MONTHLY;INTERVAL=18;COUNT=4;BYMONTHDAY=10,11", "19970902 19970910 19970911 19990310"),
        ("FREQ=MONTHLY;INTERVAL=2;BYDAY=TU;COUNT=4", "19970902 19970909 19970916 19970923"),
        ("FREQ=YEARLY;COUNT=4;BYMONTH=6,7", "19970902 19980602 19980702 19990602"),
        ("FREQ=YEARLY;INTERVAL=3;COUNT=4;BYYEARDAY=1,100,200", "19970902 20000101 20000409 20000718"),
        ("FREQ=YEARLY;BYDAY=20MO;COUNT=3", "19970902 19980518 19990517"),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=TH;COUNT=3", "19970902 19980305 19980312"),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=3", "19970902 19980213 19980313"),
        ("FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13;COUNT=3", "19970902 19970913 19971011"),
        (
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8;COUNT=3",
            "19970902 19971104 20011106",
        ),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "19970902 19970904 19971007"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2;COUNT=3", "19970902 19970929 19971030"),
        ("FREQ=DAILY;UNTIL=20000131;BYMONTH=1", "19970902 19980101 19980102 19980103 19980104 19980105"),
        ("FREQ=DAILY;BYDAY=SA,SU;COUNT=3", "19970902 19970906 19970907"),
    ] {
        let got = times(&["DTSTART;VALUE=DATE:19970902", &format!("RRULE:{rule}")]).join(" ");
        assert_eq!(got, wanted, "{rule}");
    }
}

#[test]
fn a_day_that_a_month_does_not_have_is_left_out() {
    let got = times(&["DTSTART;VALUE=DATE:20260131", "RRULE:FREQ=MONTHLY;COUNT=4"]);
    assert_eq!(got, ["20260131", "20260331", "20260531", "20260731"]);
    let leap = times(&["DTSTART;VALUE=DATE:20240229", "RRULE:FREQ=YEARLY;COUNT=2"]);
    assert_eq!(leap, ["20240229", "20280229"]);
    assert_eq!(
        times(&["DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"]),
        ["20260101"]
    );
}

#[test]
fn the_end_in_utc_counts_in_the_zone_of_the_start() {
    let lines = |until| {
        times(&["DTSTART;TZID=Europe/Berlin:20260701T093000", &format!("RRULE:FREQ=DAILY;UNTIL={until}")])
    };
    assert_eq!(lines("20260702T073000Z"), ["20260701T0930", "20260702T0930"]);
    assert_eq!(lines("20260702T072959Z"), ["20260701T0930"]);
    assert_eq!(lines("20260702"), ["20260701T0930", "20260702T0930"]);
}

#[test]
fn further_dates_join_the_rule_and_excluded_ones_leave_it() {
    let got = times(&[
        "DTSTART;TZID=Europe/Berlin:20260302T103000",
        "RRULE:FREQ=WEEKLY;COUNT=4",
        "RDATE;TZID=Europe/Berlin:20260304T103000,20260309T103000",
        "EXDATE:20260316T093000Z",
    ]);
    assert_eq!(got, ["20260302T1030", "20260304T1030", "20260309T1030", "20260323T1030"]);
    let by_day =
        times(&["DTSTART:20260302T103000Z", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE;VALUE=DATE:20260303"]);
    assert_eq!(by_day, ["20260302T1030", "20260304T1030"]);
}

#[test]
fn a_task_without_start_counts_from_its_due_date() {
    let todo = component("VTODO", &["DUE;VALUE=DATE:20260110", "RRULE:FREQ=DAILY;INTERVAL=3"]);
    let next = Occurrences::of(&todo, &Zones::none()).unwrap().nth(1).unwrap();
    assert_eq!(next.value(), "20260113");
    assert!(Occurrences::of(&component("VTODO", &["RRULE:FREQ=DAILY"]), &Zones::none()).is_none());
}

#[test]
fn a_rule_that_cannot_be_worked_out_gives_nothing_rather_than_something_wrong() {
    for rule in [
        "FREQ=HOURLY",
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
        "FREQ=DAILY;BYHOUR=9,17",
        "FREQ=NEVER",
        "nonsense",
    ] {
        let event = component("VEVENT", &["DTSTART:20260101T090000Z", &format!("RRULE:{rule}")]);
        assert!(Occurrences::of(&event, &Zones::none()).is_none(), "{rule}");
    }
}

#[test]
fn membership_is_told_without_walking_for_ever() {
    let event = component("VEVENT", &["DTSTART;TZID=Europe/Berlin:20260302T100000", "RRULE:FREQ=WEEKLY"]);
    let contains = |text: &str| {
        let all = Occurrences::of(&event, &Zones::none()).unwrap();
        all.contains(&when(text), &Zones::none(), 10_000)
    };
    assert!(contains("X;TZID=Europe/Berlin:20260330T100000") && contains("X:20260330T080000Z"));
    assert!(contains("X;VALUE=DATE:20260330"));
    assert!(!contains("X:20260330T090000Z") && !contains("X;VALUE=DATE:20260331"));
}

#[test]
fn rules_are_checked_with_words_that_help() {
    for (rule, word) in [
        ("", "FREQ"),
        ("BYDAY=MO", "FREQ"),
        ("FREQ=FORTNIGHTLY", "WEEKLY"),
        ("weekly", "NAME=value"),
        ("FREQ=WEEKLY;COUNT=2;UNTIL=20261231", "only one"),
        ("FREQ=WEEKLY;INTERVAL=0", "INTERVAL"),
        ("FREQ=WEEKLY;COUNT=-1", "COUNT"),
        ("FREQ=WEEKLY;BYDAY=MONDAY", "BYDAY"),
        ("FREQ=WEEKLY;BYDAY=Ä", "BYDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY"),
        ("FREQ=YEARLY;BYMONTH=-1", "BYMONTH"),
        ("FREQ=WEEKLY;UNTIL=tomorrow", "UNTIL"),
        ("FREQ=WEEKLY;EVERY=2", "EVERY"),
    ] {
        let error = Rule::parse(rule).unwrap_err();
        assert!(error.contains(word), "{rule}: {error}");
    }
}

#[test]
fn rules_are_written_as_they_were_meant() {
    for (given, wanted) in [
        ("rrule:freq=weekly;byday=mo,we;wkst=su", "FREQ=WEEKLY;BYDAY=MO,WE;WKST=SU"),
        ("FREQ=MONTHLY;BYDAY=-1FR;INTERVAL=1;", "FREQ=MONTHLY;BYDAY=-1FR"),
        ("FREQ=HOURLY;BYHOUR=9;X-A=1", "FREQ=HOURLY;BYHOUR=9;X-A=1"),
        ("FREQ=DAILY; UNTIL=2026-12-31", "FREQ=DAILY;UNTIL=20261231"),
    ] {
        assert_eq!(Rule::parse(given).unwrap().to_string(), wanted);
    }
}

#[test]
fn the_end_of_a_rule_takes_the_form_of_the_start() {
    let fit = |until: &str, start: &str| {
        let rule = Rule::parse(&format!("FREQ=DAILY;UNTIL={until}")).unwrap();
        rule.fitting(&when(start), &Zones::none()).until.unwrap().value()
    };
    assert_eq!(fit("20261231T120000Z", "DTSTART;VALUE=DATE:20260101"), "20261231");
    assert_eq!(fit("20261231", "DTSTART;TZID=Europe/Berlin:20260101T090000"), "20261231T225959Z");
    assert_eq!(fit("20261231T090000", "DTSTART;TZID=Europe/Berlin:20260101T090000"), "20261231T080000Z");
    assert_eq!(fit("20261231", "DTSTART:20260101T090000Z"), "20261231T235959Z");
    assert_eq!(fit("20261231", "DTSTART:20260101T090000"), "20261231T235959");
    assert_eq!(fit("20261231T120000Z", "DTSTART:20260101T090000Z"), "20261231T120000Z");
}

const SERIES: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:a\r\nSUMMARY:Weekly\r\n\
    DTSTART;TZID=Europe/Berlin:20260302T100000\r\nDTEND;TZID=Europe/Berlin:20260302T110000\r\n\
    RRULE:FREQ=WEEKLY;COUNT=8\r\nX-KEPT:yes\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\n\
    END:VEVENT\r\nEND:VCALENDAR\r\n";

#[test]
fn an_exception_is_a_copy_at_its_own_time() {
    let mut calendar = Component::parse(SERIES).unwrap();
    let at = when("X;TZID=Europe/Berlin:20260330T100000");
    assert!(instance(&calendar, "VEVENT", &at).is_none());
    let exception = new_instance(&mut calendar, "VEVENT", &at).unwrap();
    exception.set(Line::text("SUMMARY", "Other"));
    let written = calendar.to_string();
    assert!(written.starts_with(SERIES.trim_end_matches("END:VCALENDAR\r\n")), "{written}");
    let exception = instance(&calendar, "VEVENT", &when("X:20260330T080000Z")).unwrap();
    assert_eq!(value_text(exception, "DTEND").as_deref(), Some("20260330T110000"));
    assert_eq!(value_text(exception, "RECURRENCE-ID").as_deref(), Some("20260330T100000"));
    assert!(exception.line("RRULE").is_none() && exception.line("X-KEPT").is_some());
    assert_eq!(exception.children().count(), 1);
    assert!(is_master(master(&calendar, "VEVENT").unwrap()));
    let text = master_mut(&mut calendar, "VEVENT").unwrap().to_string();
    assert!(text.contains("RRULE"), "{text}");
}

#[test]
fn an_excluded_instance_has_an_exdate_once_and_no_exception() {
    let mut calendar = Component::parse(SERIES).unwrap();
    let at = when("X;TZID=Europe/Berlin:20260330T100000");
    new_instance(&mut calendar, "VEVENT", &at).unwrap();
    for _ in 0..2 {
        exclude(&mut calendar, "VEVENT", &at);
    }
    let wanted =
        SERIES.replace("X-KEPT:yes\r\n", "X-KEPT:yes\r\nEXDATE;TZID=Europe/Berlin:20260330T100000\r\n");
    assert_eq!(calendar.to_string(), wanted);
}

#[test]
fn a_change_is_stamped_and_a_weighty_one_counted() {
    let mut event = component("VEVENT", &["UID:a", "DTSTAMP:20200101T000000Z", "SEQUENCE:4"]);
    let now = crate::clock::Timestamp { unix_ms: 1_795_476_751_042 };
    touch(&mut event, now, false);
    assert_eq!(value_text(&event, "SEQUENCE").as_deref(), Some("4"));
    touch(&mut event, now, true);
    for (name, wanted) in
        [("DTSTAMP", "20261123T233231Z"), ("LAST-MODIFIED", "20261123T233231Z"), ("SEQUENCE", "5")]
    {
        assert_eq!(value_text(&event, name).as_deref(), Some(wanted), "{name}");
    }
}

#[test]
fn a_text_that_stays_keeps_its_form_and_an_empty_one_goes() {
    let mut event = component("VEVENT", &["SUMMARY;LANGUAGE=de:Ein\\, zwei", "LOCATION:Hier"]);
    let before = event.to_string();
    set_or_remove(&mut event, "SUMMARY", "Ein, zwei");
    assert_eq!(event.to_string(), before);
    set_or_remove(&mut event, "LOCATION", "");
    set_or_remove(&mut event, "DESCRIPTION", "a\nb");
    assert!(event.line("LOCATION").is_none());
    assert_eq!(event.line("DESCRIPTION").unwrap().value(), "a\\nb");
}

proptest! {
    #[test]
    fn any_rule_is_read_as_written_and_ends(
        rule in "FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;INTERVAL=[1-9][0-9]{0,8})?(;COUNT=[1-9]|;UNTIL=20[0-9]{2}0[1-9]1[0-9])?\
                 (;BYDAY=(-?[1-5])?(MO|SU)(,TU)?)?(;BYMONTHDAY=-?[1-9](,31)?)?(;BYMONTH=[1-9])?(;BYSETPOS=-?[1-3])?",
        start in "(19|20)[0-9]{2}0[1-9][0-2][1-8]",
    ) {
        let read = Rule::parse(&rule).unwrap();
        prop_assert_eq!(Rule::parse(&read.to_string()).unwrap(), read);
        let event = component("VEVENT", &[&format!("DTSTART;VALUE=DATE:{start}"), &format!("RRULE:{rule}")]);
        let first: Vec<When> = Occurrences::of(&event, &Zones::none()).unwrap().take(5).collect();
        prop_assert!(first.windows(2).all(|pair| pair[0].date() < pair[1].date()), "{:?}", first);
    }
}
