//! Single values: dates, spans, alarms, people.

use proptest::prelude::*;

use super::*;

fn berlin() -> Local {
    Local::parse("europe/berlin").unwrap()
}

/// The line that a text becomes.
fn read(text: &str, local: &Local) -> String {
    let mut calendar = Component::new("X");
    calendar.push(When::parse(text, local).unwrap().line("DTSTART"));
    calendar.to_string().lines().nth(1).unwrap().to_owned()
}

#[test]
fn what_people_write_becomes_the_right_form() {
    for (text, wanted) in [
        ("2026-11-25", "DTSTART;VALUE=DATE:20261125"),
        ("20261125", "DTSTART;VALUE=DATE:20261125"),
        ("2026-11-25T09:00", "DTSTART:20261125T090000"),
        ("2026-11-25 09:00:30", "DTSTART:20261125T090030"),
        ("2026-11-25T09:00:00.250", "DTSTART:20261125T090000"),
        ("2026-11-25T09:00:00Z", "DTSTART:20261125T090000Z"),
        ("2026-11-25T09:00:00.000z", "DTSTART:20261125T090000Z"),
        ("2026-11-25T00:30:00+01:00", "DTSTART:20261124T233000Z"),
        ("2026-11-25T09:00-0330", "DTSTART:20261125T123000Z"),
        ("20261125T090000Z", "DTSTART:20261125T090000Z"),
        (" 20261125T090000 ", "DTSTART:20261125T090000"),
        ("2026-12-31T23:59:60Z", "DTSTART:20261231T235959Z"),
    ] {
        assert_eq!(read(text, &Local::Floating), wanted, "{text}");
    }
}

#[test]
fn a_zone_says_what_a_bare_time_means_and_where_a_moment_is_shown() {
    assert_eq!(read("2026-07-01T09:00", &berlin()), "DTSTART;TZID=Europe/Berlin:20260701T090000");
    assert_eq!(read("2026-07-01T09:00:00Z", &berlin()), "DTSTART;TZID=Europe/Berlin:20260701T110000");
    assert_eq!(read("2026-07-01T09:00:00-04:00", &berlin()), "DTSTART;TZID=Europe/Berlin:20260701T150000");
    assert_eq!(read("20260701T090000Z", &berlin()), "DTSTART;TZID=Europe/Berlin:20260701T110000");
    assert_eq!(read("2026-07-01", &berlin()), "DTSTART;VALUE=DATE:20260701");
    assert_eq!(read("2026-07-01T09:00", &Local::Utc), "DTSTART:20260701T090000Z");
}

#[test]
fn what_is_no_date_is_refused_with_an_example() {
    for text in [
        "",
        "tomorrow",
        "2026-13-01",
        "2026-02-30",
        "25.11.2026",
        "2026-11-25T",
        "2026-11-25T9:00",
        "2026-11-25T25:00",
        "2026-11-25T09:00+1",
        "2026-11-25T09:00:00+01:00:00:00",
        "2026-11-25T09:00Zz",
        "20261125T0900",
        "2026-11-25x",
        "２０２６-11-25",
        "2026-11-25T09:00:00.xZ",
        "20261125T090000+",
    ] {
        let error = When::parse(text, &Local::Floating).unwrap_err();
        assert!(error.contains("2026-11-25T09:00"), "{text}: {error}");
    }
}

#[test]
fn zones_are_known_by_iana_and_windows_names() {
    assert_eq!(berlin(), Local::Zone("Europe/Berlin".into()));
    assert_eq!(Local::parse("W. Europe Standard Time"), Ok(Local::Zone("Europe/Berlin".into())));
    assert_eq!(Local::parse("utc"), Ok(Local::Utc));
    assert_eq!(Local::parse("Floating"), Ok(Local::Floating));
    for unknown in ["", "Berlin", "CEST-1", "/etc/passwd", "../UTC", "+01:00", "Etc/Unknown"] {
        assert!(Local::parse(unknown).unwrap_err().contains("IANA"), "{unknown}");
    }
}

#[test]
fn a_time_is_shown_with_the_offset_of_its_zone() {
    let none = Zones::none();
    assert_eq!(when("DTSTART;TZID=Europe/Berlin:20260320T140000").show(&none), "2026-03-20T14:00:00+01:00");
    assert_eq!(when("DTSTART;TZID=Europe/Berlin:20260720T140000").show(&none), "2026-07-20T14:00:00+02:00");
    assert_eq!(
        when("DTSTART;TZID=America/St_Johns:20260120T140000").show(&none),
        "2026-01-20T14:00:00-03:30"
    );
    assert_eq!(when("DTSTART:20260320T140000Z").show(&none), "2026-03-20T14:00:00Z");
    assert_eq!(when("DTSTART:20260320T140000").show(&none), "2026-03-20T14:00:00");
    assert_eq!(when("DTSTART;VALUE=DATE:20260320").show(&none), "2026-03-20");
    assert_eq!(when("DTSTART;TZID=Nobody/Knows:20260320T140000").show(&none), "2026-03-20T14:00:00");
    assert_eq!(when("DTSTART;TZID=Europe/Berlin:20260320T140000Z").show(&none), "2026-03-20T14:00:00Z");
}

#[test]
fn the_hour_that_is_missing_and_the_one_that_comes_twice_are_read_as_rfc_5545_says() {
    let at = |text: &str| When::at(when(text).moment(&Zones::none()).unwrap(), &Local::Utc).value();
    assert_eq!(at("DTSTART;TZID=Europe/Berlin:20260329T023000"), "20260329T013000Z");
    assert_eq!(at("DTSTART;TZID=Europe/Berlin:20261025T023000"), "20261025T003000Z");
}

#[test]
fn lists_of_dates_are_read_whole() {
    let all = When::all_of(&line("EXDATE;TZID=Europe/Berlin:20260316T100000,20260323T100000,nonsense"));
    assert_eq!(all.iter().map(When::value).collect::<Vec<_>>(), ["20260316T100000", "20260323T100000"]);
    let periods =
        When::all_of(&line("RDATE;VALUE=PERIOD:20260101T100000Z/PT1H,20260102T100000Z/20260102T110000Z"));
    assert_eq!(periods.iter().map(When::value).collect::<Vec<_>>(), ["20260101T100000Z", "20260102T100000Z"]);
}

#[test]
fn spans_are_read_and_written() {
    for (text, days, seconds) in [
        ("PT15M", 0, 900),
        ("-PT15M", 0, -900),
        ("P1W", 7, 0),
        ("P1D", 1, 0),
        ("P1DT2H3M4S", 1, 7384),
        ("PT0S", 0, 0),
        ("PT90M", 0, 5400),
    ] {
        let span = Duration::parse(text).unwrap();
        assert_eq!((span.days, span.seconds), (days, seconds), "{text}");
        assert_eq!(Duration::parse(&span.to_string()), Some(span), "{text}");
    }
    assert_eq!(Duration::parse("PT45M").unwrap().to_string(), "PT45M");
    assert_eq!(Duration::minutes(-1440).to_string(), "-PT24H");
    for text in
        ["", "P", "PT", "15M", "P15M", "PT1D", "PT-5M", "P1", "PT5", "P99999999999999999999D", "PT1H1"]
    {
        assert_eq!(Duration::parse(text), None, "{text}");
    }
}

#[test]
fn a_day_later_is_the_same_time_and_24_hours_later_may_not_be() {
    let start = when("DTSTART;TZID=Europe/Berlin:20260328T120000");
    let later = |span: &str| Duration::parse(span).unwrap().after(&start, &Zones::none()).unwrap().value();
    assert_eq!(later("P1D"), "20260329T120000");
    assert_eq!(later("PT24H"), "20260329T130000");
    let day = when("DTSTART;VALUE=DATE:20260328");
    assert_eq!(Duration::parse("P2D").unwrap().after(&day, &Zones::none()).unwrap().value(), "20260330");
}

#[test]
fn alarms_come_back_as_they_were_written() {
    let alarms = [
        Alarm {
            action: Action::Display,
            trigger: Trigger::After(Duration::minutes(-15), Relation::Start),
            description: Some("Go, now; really".into()),
            summary: None,
        },
        Alarm {
            action: Action::Email,
            trigger: Trigger::After(Duration::minutes(0), Relation::End),
            description: Some("Body".into()),
            summary: Some("Subject".into()),
        },
        Alarm {
            action: Action::Audio,
            trigger: Trigger::At(When::parse("2026-01-01T00:00:00Z", &Local::Utc).unwrap()),
            description: None,
            summary: None,
        },
    ];
    for alarm in alarms {
        let written = alarm.component("Title", &["a@example.org".into()], &Zones::none());
        assert_eq!(Alarm::of(&written), Some(alarm.clone()), "{written}");
        let is_mail = written.line("ATTENDEE").is_some_and(|to| to.value() == "mailto:a@example.org");
        assert_eq!(is_mail, alarm.action == Action::Email, "{written}");
    }
}

#[test]
fn alarms_that_stay_are_not_rewritten_and_foreign_ones_are_kept() {
    let text = "BEGIN:VEVENT\r\nSUMMARY:S\r\nBEGIN:VALARM\r\nX-MOZ-LASTACK:20260101T000000Z\r\nACTION:DISPLAY\r\n\
                TRIGGER:-PT15M\r\nEND:VALARM\r\nBEGIN:VALARM\r\nACTION:PROCEDURE\r\nTRIGGER:-PT1M\r\nEND:VALARM\r\n\
                BEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:-PT1M\r\nEND:VALARM\r\nEND:VEVENT\r\n";
    let mut event = Component::parse(text).unwrap();
    let kept = Alarm::all_of(&event)[0].clone();
    Alarm::replace_all(&mut event, &[kept], &[], &Zones::none());
    let without_audio = text.replace("BEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:-PT1M\r\nEND:VALARM\r\n", "");
    assert_eq!(event.to_string(), without_audio);
    Alarm::replace_all(&mut event, &[], &[], &Zones::none());
    assert!(event.to_string().contains("PROCEDURE") && !event.to_string().contains("DISPLAY"));
}

#[test]
fn people_are_read_from_lines_and_from_lists() {
    let bob = Person::of(&line("ATTENDEE;CN=\"Bob; B\";PARTSTAT=accepted:MAILTO:bob@example.com"));
    assert_eq!((bob.address.as_str(), bob.name.as_deref()), ("bob@example.com", Some("Bob; B")));
    assert_eq!(bob.status.as_deref(), Some("ACCEPTED"));
    let all =
        Person::parse_all(" bob@example.com, mailto:BOB@example.com,\"Eve E\" <eve@example.org>; ").unwrap();
    assert_eq!(
        all.iter().map(|p| p.address.as_str()).collect::<Vec<_>>(),
        ["bob@example.com", "eve@example.org"]
    );
    assert_eq!(all[1].name.as_deref(), Some("Eve E"));
    for text in ["bob", "@", "a@", "@b", "a@b@c", "a b@c", "x:y <>"] {
        assert!(Person::parse_all(text).unwrap_err().contains("mail address"), "{text}");
    }
    assert!(Person::parse_all("").unwrap().is_empty());
}

proptest! {
    #[test]
    fn any_text_is_a_value_or_none(text in "\\PC{0,40}") {
        let _ = When::parse(&text, &berlin());
        let _ = Duration::parse(&text);
        let _ = Rule::parse(&text);
        let _ = Local::parse(&text);
        let _ = Person::parse_all(&text);
        for name in ["DTSTART", "DTSTART;TZID=Europe/Berlin", "DTSTART;VALUE=DATE"] {
            let line = Component::parse(&format!("BEGIN:X\r\n{name}:{text}\r\nEND:X\r\n"));
            if let Some(line) = line.ok().as_ref().and_then(|x| x.line("DTSTART")) {
                let _ = When::of(line).map(|when| when.show(&Zones::none()));
                let _ = When::all_of(line);
            }
        }
    }

    #[test]
    fn what_looks_like_a_date_is_one_or_is_refused(text in "(19[7-9]|20[0-9]|21[0-9])[0-9]-?[0-9]{2}-?[0-9]{2}([T ][0-9]{2}:?[0-9]{2}(:?[0-9]{2})?(Z|[+-][0-9]{2}:?[0-9]{2})?)?") {
        for local in [Local::Floating, Local::Utc, berlin()] {
            if let Ok(when) = When::parse(&text, &local) {
                let line = when.line("DTSTART");
                prop_assert_eq!(When::of(&line), Some(when.clone()));
                let again = When::parse(&when.show(&Zones::none()), &local).expect("as it is shown");
                prop_assert_eq!(again.moment(&Zones::none()), when.moment(&Zones::none()));
                prop_assert_eq!(again.is_date(), when.is_date());
            }
        }
    }

    #[test]
    fn any_span_is_read_as_written(days in -4000_i64..4000, seconds in 0_i64..100_000) {
        let seconds = if days < 0 { -seconds } else { seconds };
        let span = Duration { days, seconds };
        prop_assert_eq!(Duration::parse(&span.to_string()), Some(span));
    }
}
