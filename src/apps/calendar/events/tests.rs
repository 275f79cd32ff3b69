//! Changes to events, without a Nextcloud.

use proptest::prelude::*;

use super::*;

const NOW: crate::clock::Timestamp = crate::clock::Timestamp { unix_ms: 1_795_476_751_042 };

const ONCE: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//else//EN\r\nBEGIN:VEVENT\r\nUID:a\r\n\
    DTSTAMP:20260101T000000Z\r\nSUMMARY:Plan\r\nDTSTART;TZID=Europe/Berlin:20260320T140000\r\n\
    DTEND;TZID=Europe/Berlin:20260320T150000\r\nX-KEPT;X=1:yes\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

const SERIES: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:s\r\nDTSTAMP:20260101T000000Z\r\n\
    SUMMARY:Weekly\r\nLOCATION:Here\r\nDTSTART:20260302T100000Z\r\nDTEND:20260302T110000Z\r\n\
    RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=8\r\nEXDATE:20260309T100000Z\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:s\r\n\
    DTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20260316T100000Z\r\nSUMMARY:Weekly\r\nLOCATION:There\r\n\
    DTSTART:20260316T100000Z\r\nDTEND:20260316T110000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

fn changed(text: &str, changes: &Changes, instance: Option<&str>) -> Result<String, String> {
    let mut object = Component::parse(text).unwrap();
    let instance = instance.map(|at| When::parse(at, &Local::Utc).unwrap());
    let emails = ["me@example.org".to_owned()];
    let setting = Setting { local: &Local::Floating, now: NOW, emails: &emails, name: Some("Me") };
    changes.apply(&mut object, instance.as_ref(), &setting).map(|()| object.to_string())
}

fn given(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// The lines of this name, without parameters that matter elsewhere.
fn lines<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with(name)).collect()
}

#[test]
fn only_what_is_asked_for_changes() {
    let changes = Changes { title: given("Neu, ü"), ..Changes::default() };
    let wanted = ONCE
        .replace("SUMMARY:Plan", "SUMMARY:Neu\\, ü")
        .replace("DTSTAMP:20260101T000000Z", "DTSTAMP:20261123T233231Z")
        .replace("X-KEPT;X=1:yes\r\n", "X-KEPT;X=1:yes\r\nLAST-MODIFIED:20261123T233231Z\r\n");
    assert_eq!(changed(ONCE, &changes, None).unwrap(), wanted);
}

#[test]
fn an_event_that_starts_later_lasts_as_long() {
    let start = |text: &str| Changes { start: given(text), ..Changes::default() };
    let text = changed(ONCE, &start("2026-03-29T01:30"), None).unwrap();
    assert_eq!(lines(&text, "DTEND"), ["DTEND;TZID=Europe/Berlin:20260329T023000"]);
    assert_eq!(lines(&text, "SEQUENCE"), ["SEQUENCE:1"]);
    assert!(text.contains("BEGIN:VTIMEZONE"), "{text}");
    let text = changed(ONCE, &start("2026-07-01T12:00:00Z"), None).unwrap();
    assert_eq!(lines(&text, "DTSTART;"), ["DTSTART;TZID=Europe/Berlin:20260701T140000"]);
    let text = changed(ONCE, &start("2026-07-01"), None).unwrap();
    assert_eq!(lines(&text, "DTEND"), ["DTEND;VALUE=DATE:20260702"]);
    assert!(!text.contains("VTIMEZONE"), "{text}");
}

#[test]
fn whole_days_and_times_become_each_other() {
    let day = Changes { all_day: Some(true), ..Changes::default() };
    let text = changed(ONCE, &day, None).unwrap();
    assert_eq!(lines(&text, "DTSTART"), ["DTSTART;VALUE=DATE:20260320"]);
    assert_eq!(lines(&text, "DTEND"), ["DTEND;VALUE=DATE:20260321"]);
    let time = Changes { all_day: Some(false), ..Changes::default() };
    assert!(changed(&text, &time, None).unwrap_err().contains("start_datetime"));
    let time = Changes { start: given("2026-03-21T09:00Z"), ..time };
    let text = changed(&text, &time, None).unwrap();
    assert_eq!(
        (lines(&text, "DTSTART"), lines(&text, "DTEND")),
        (vec!["DTSTART:20260321T090000Z"], vec!["DTEND:20260321T100000Z"])
    );
}

#[test]
fn an_end_must_fit_its_start() {
    let end = |text: &str| changed(ONCE, &Changes { end: given(text), ..Changes::default() }, None);
    assert!(end("2026-03-20T13:59").unwrap_err().contains("before the start"));
    assert!(end("2026-03-20").unwrap_err().contains("no time of day"));
    assert!(end("soon").unwrap_err().starts_with("`end_datetime`"));
    assert!(!end("").unwrap().contains("DTEND"));
    let days = |start: &str, end: &str| {
        let changes = Changes { start: given(start), end: given(end), ..Changes::default() };
        changed(ONCE, &changes, None).map(|text| lines(&text, "DTEND").join(""))
    };
    assert_eq!(days("2026-04-01", "2026-04-01").unwrap(), "DTEND;VALUE=DATE:20260402");
    assert_eq!(days("2026-04-01", "2026-04-04T00:00").unwrap(), "DTEND;VALUE=DATE:20260404");
    assert!(days("2026-04-02", "2026-04-01").is_err());
}

#[test]
fn a_duration_stays_one_until_an_end_is_given() {
    let text = ONCE.replace("DTEND;TZID=Europe/Berlin:20260320T150000", "DURATION:PT45M");
    let later = Changes { start: given("2026-03-21T08:00"), ..Changes::default() };
    assert_eq!(lines(&changed(&text, &later, None).unwrap(), "DURATION"), ["DURATION:PT45M"]);
    let end = Changes { end: given("2026-03-20T16:00"), ..Changes::default() };
    let ended = changed(&text, &end, None).unwrap();
    assert!(
        ended.contains("DTEND;TZID=Europe/Berlin:20260320T160000") && !ended.contains("DURATION"),
        "{ended}"
    );
}

#[test]
fn a_series_that_moves_takes_its_days_and_exceptions_along() {
    let later = Changes { start: given("2026-03-03T12:30:00Z"), ..Changes::default() };
    let text = changed(SERIES, &later, None).unwrap();
    assert_eq!(lines(&text, "RRULE"), ["RRULE:FREQ=WEEKLY;COUNT=8;BYDAY=TU,TH"]);
    assert_eq!(lines(&text, "EXDATE"), ["EXDATE:20260310T123000Z"]);
    assert_eq!(lines(&text, "RECURRENCE-ID"), ["RECURRENCE-ID:20260317T123000Z"]);
    assert_eq!(lines(&text, "DTEND"), ["DTEND:20260303T133000Z", "DTEND:20260317T133000Z"]);
    let zone = Changes { timezone: Some(Local::Zone("Europe/Berlin".into())), ..Changes::default() };
    let text = changed(SERIES, &zone, None).unwrap();
    assert_eq!(lines(&text, "EXDATE"), ["EXDATE;TZID=Europe/Berlin:20260309T100000"]);
    assert_eq!(lines(&text, "RECURRENCE-ID"), ["RECURRENCE-ID;TZID=Europe/Berlin:20260316T100000"]);
    let monthly = SERIES.replace("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=8", "FREQ=MONTHLY;BYDAY=1MO");
    assert!(changed(&monthly, &later, None).unwrap_err().contains("recurrence_rule"));
    let same_day = Changes { start: given("2026-03-02T12:00:00Z"), ..Changes::default() };
    assert!(changed(&monthly, &same_day, None).unwrap().contains("RRULE:FREQ=MONTHLY;BYDAY=1MO\r\n"));
}

#[test]
fn an_exception_goes_along_in_what_it_shares_with_its_series() {
    let changes = Changes { title: given("New"), location: given("Elsewhere"), ..Changes::default() };
    let text = changed(SERIES, &changes, None).unwrap();
    assert_eq!(lines(&text, "SUMMARY"), ["SUMMARY:New", "SUMMARY:New"]);
    assert_eq!(lines(&text, "LOCATION"), ["LOCATION:Elsewhere", "LOCATION:There"]);
}

#[test]
fn one_instance_changes_alone() {
    let changes = Changes { title: given("Alone"), ..Changes::default() };
    let text = changed(SERIES, &changes, Some("2026-03-18T10:00:00Z")).unwrap();
    assert_eq!(lines(&text, "SUMMARY"), ["SUMMARY:Weekly", "SUMMARY:Weekly", "SUMMARY:Alone"]);
    assert_eq!(lines(&text, "RECURRENCE-ID").last(), Some(&"RECURRENCE-ID:20260318T100000Z"));
    let known = changed(SERIES, &changes, Some("2026-03-16T10:00:00Z")).unwrap();
    assert_eq!(lines(&known, "SUMMARY"), ["SUMMARY:Weekly", "SUMMARY:Alone"]);
    let rule = Changes { rule: given("FREQ=DAILY"), ..Changes::default() };
    assert!(changed(SERIES, &rule, Some("2026-03-16T10:00:00Z")).unwrap_err().contains("recurrence_id"));
}

#[test]
fn a_recurrence_is_set_ended_and_taken_away() {
    let with = |rule: Option<&str>, end: Option<&str>, recurring| {
        let changes = Changes {
            rule: rule.map(str::to_owned),
            rule_end: end.map(str::to_owned),
            recurring,
            ..Changes::default()
        };
        changed(SERIES, &changes, None).map(|text| (lines(&text, "RRULE").concat(), text))
    };
    assert_eq!(with(Some("freq=daily;count=3"), None, None).unwrap().0, "RRULE:FREQ=DAILY;COUNT=3");
    assert_eq!(
        with(None, Some("2026-04-01"), None).unwrap().0,
        "RRULE:FREQ=WEEKLY;UNTIL=20260401T235959Z;BYDAY=MO,WE"
    );
    for (rule, recurring) in [(Some(""), None), (None, Some(false))] {
        let (rule, text) = with(rule, None, recurring).unwrap();
        assert!(
            rule.is_empty() && !text.contains("EXDATE") && text.matches("BEGIN:VEVENT").count() == 1,
            "{text}"
        );
    }
    assert!(with(Some("FREQ=DAILY"), None, Some(false)).unwrap_err().contains("only one"));
    assert!(with(Some("FREQ=DAILY;COUNT=2"), Some("2026-04-01"), None).unwrap_err().contains("COUNT"));
    assert!(with(None, Some("2026-01-01"), None).unwrap_err().contains("before the event starts"));
    let single = Changes { recurring: Some(true), ..Changes::default() };
    assert!(changed(ONCE, &single, None).unwrap_err().contains("FREQ=WEEKLY"));
}

#[test]
fn who_stays_invited_keeps_the_answer_and_the_first_invitation_names_the_organizer() {
    let invite = |text: &str, who: &str| {
        let changes = Changes { attendees: Some(Person::parse_all(who).unwrap()), ..Changes::default() };
        changed(text, &changes, None).unwrap().replace("\r\n ", "")
    };
    let text = invite(ONCE, "bob@example.com, me@example.org");
    assert_eq!(lines(&text, "ORGANIZER"), ["ORGANIZER;CN=Me:mailto:me@example.org"]);
    assert!(lines(&text, "ATTENDEE")[1].contains("PARTSTAT=ACCEPTED"), "{text}");
    let answered = text.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=DECLINED");
    let text = invite(&answered, "eve@example.com, BOB@example.com");
    assert!(text.contains("PARTSTAT=DECLINED;RSVP=TRUE:mailto:bob@example.com"), "{text}");
    assert_eq!(lines(&text, "ATTENDEE").len(), 2);
    let text = invite(&text, "");
    assert!(!text.contains("ATTENDEE") && !text.contains("ORGANIZER"));
}

#[test]
fn simple_reminders_change_only_what_they_name() {
    let alarms = |text: &str, changes: Changes| {
        let text = changed(text, &changes, None).unwrap();
        let told = lines(&text, "TRIGGER").join(" ");
        (text, told)
    };
    let minutes = |minutes| Changes { reminder_minutes: Some(minutes), ..Changes::default() };
    let email = |on| Changes { reminder_email: Some(on), ..Changes::default() };
    let (text, told) = alarms(ONCE, minutes(10));
    assert_eq!(told, "TRIGGER:-PT10M");
    let (text, told) = alarms(&text, email(true));
    assert_eq!(told, "TRIGGER:-PT10M TRIGGER:-PT10M");
    assert!(text.contains("ATTENDEE:mailto:me@example.org"), "{text}");
    let (text, told) = alarms(&text, minutes(1440));
    assert_eq!(told, "TRIGGER:-P1D TRIGGER:-P1D");
    let (text, told) = alarms(&text, email(false));
    assert_eq!(told, "TRIGGER:-P1D");
    assert_eq!(alarms(&text, minutes(0)).1, "");
}

#[test]
fn words_and_numbers_out_of_range_name_their_argument() {
    for (changes, name) in [
        (Changes { status: given("done"), ..Changes::default() }, "`status`"),
        (Changes { privacy: given("secret"), ..Changes::default() }, "`privacy`"),
        (Changes { priority: Some(10), ..Changes::default() }, "`priority`"),
        (Changes { url: given("a b"), ..Changes::default() }, "`url`"),
        (Changes { color: given("x"), ..Changes::default() }, "`color`"),
        (Changes { rule: given("x"), ..Changes::default() }, "`recurrence_rule`"),
        (Changes { start: given("x"), ..Changes::default() }, "`start_datetime`"),
    ] {
        let error = changed(ONCE, &changes, None).unwrap_err();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn an_empty_text_takes_a_field_away() {
    let full = Changes {
        description: given("d"),
        location: given("l"),
        categories: given("a, b,,a"),
        status: given("tentative"),
        privacy: given("private"),
        url: given("https://example.org/?a=b"),
        color: given("tomato"),
        priority: Some(1),
        ..Changes::default()
    };
    let text = changed(ONCE, &full, None).unwrap();
    for line in
        ["CATEGORIES:a,b", "STATUS:TENTATIVE", "CLASS:PRIVATE", "URL:https://example.org/?a=b", "PRIORITY:1"]
    {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}: {text}");
    }
    let empty = Changes {
        description: given(""),
        location: given(""),
        categories: given(" "),
        status: given(""),
        privacy: given(""),
        url: given(""),
        color: given(""),
        priority: Some(0),
        ..Changes::default()
    };
    let text = changed(&text, &empty, None).unwrap();
    let stamps = ["DTSTAMP", "LAST-MODIFIED", "SEQUENCE"];
    let kept = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !stamps.iter().any(|name| line.starts_with(name)));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(kept(&text), kept(ONCE));
}

#[test]
fn a_range_is_days_in_the_zone_that_is_asked_for() {
    let berlin = Local::Zone("Europe/Berlin".into());
    let shown = |start: &str, end: &str, local: &Local| {
        let range = range(start, end, local).unwrap().unwrap();
        (range.start.to_string(), range.end.to_string())
    };
    let whole = ("2026-02-28T23:00:00Z".to_owned(), "2026-03-01T23:00:00Z".to_owned());
    assert_eq!(shown("2026-03-01", "2026-03-01", &berlin), whole);
    assert_eq!(shown("2026-03-01T00:00", "2026-03-02T00:00", &berlin), whole);
    assert_eq!(shown("2026-03-01", "", &Local::Utc).1, "2027-03-02T00:00:00Z");
    assert_eq!(shown("", "2026-03-01", &Local::Utc).0, "2025-03-01T00:00:00Z");
    assert!(range("", " ", &Local::Utc).unwrap().is_none());
    assert!(range("2026-03-02", "2026-03-01", &Local::Utc).unwrap_err().to_string().contains("before"));
}

/// Something that a line may say: right, nearly right, or nothing at all.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{8}(T[0-9]{6}Z?)?",
        "(0000|1969|2026|9999)(0[1-9]|1[0-2])[0-2][1-9]T[0-2][0-3][0-5]9[0-5]9Z?",
        "FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY|HOURLY)(;(COUNT|INTERVAL|UNTIL|BYDAY|BYMONTHDAY|BYSETPOS)=[-0-9A-Z]{1,9}){0,3}",
        "-?P[0-9]{1,9}[WD](T[0-9]{1,9}[HMS])?",
        "\\PC{0,20}",
    ]
}

proptest! {
    #[test]
    fn no_stored_event_is_too_odd_to_be_told_and_changed(
        values in proptest::collection::vec(value(), 9),
        zone in "(;TZID=(Europe/Berlin|Nowhere|X))?",
    ) {
        let text = format!(
            "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:X\r\nBEGIN:STANDARD\r\nDTSTART:{0}\r\nTZOFFSETFROM:+0100\r\n\
             TZOFFSETTO:-0930\r\nRRULE:{1}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:a\r\n\
             DTSTART{zone}:{2}\r\nDTEND{zone}:{3}\r\nDURATION:{4}\r\nRRULE:{1}\r\nEXDATE{zone}:{5}\r\n\
             RDATE:{6}\r\nATTENDEE:{7}\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:{4}\r\nEND:VALARM\r\n\
             END:VEVENT\r\nBEGIN:VEVENT\r\nUID:a\r\nRECURRENCE-ID{zone}:{5}\r\nDTSTART:{8}\r\nEND:VEVENT\r\n\
             END:VCALENDAR\r\n",
            values[0], values[1], values[2], values[3], values[4], values[5], values[6], values[7], values[8]
        );
        let object = Component::parse(&text).unwrap();
        let zones = Zones::of(&object);
        for event in ical::of_kind(&object, KIND) {
            let _ = times::end_of(event, &zones).map(|end| end.show(&zones));
            let _ = Occurrences::of(event, &zones).map(|all| all.take(3).count());
        }
        for changes in [
            Changes { start: given("2026-03-29T02:30"), ..Changes::default() },
            Changes { timezone: Some(Local::Zone("America/New_York".into())), ..Changes::default() },
            Changes { all_day: Some(true), rule_end: given("2026-12-31"), ..Changes::default() },
            Changes { reminder_minutes: Some(5), title: given("t"), ..Changes::default() },
        ] {
            for instance in [None, Some("2026-03-28T10:00:00Z")] {
                if let Ok(written) = changed(&text, &changes, instance) {
                    prop_assert!(Component::parse(&written).is_ok());
                }
            }
        }
    }
}
