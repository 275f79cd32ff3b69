//! Every recorded text, and some of other programs.

use std::path::Path;

use super::*;

fn corpus() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/ical");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("fixtures/ical")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "ics"))
        .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).expect("text")))
        .collect();
    files.sort();
    assert!(files.len() >= 40, "{}", files.len());
    files
}

/// Changes that leave something to be read: a text, an alarm, a stamp, a zone.
fn edit(calendar: &mut Component, kind: &str) {
    let Some(event) = master_mut(calendar, kind) else { return };
    set_or_remove(event, "SUMMARY", "Geändert, mit Komma");
    touch(event, crate::clock::Timestamp { unix_ms: 1_795_476_751_000 }, true);
    let alarm = Alarm {
        action: Action::Display,
        trigger: Trigger::After(Duration::minutes(-77), Relation::Start),
        description: None,
        summary: None,
    };
    Alarm::replace_all(event, &[alarm], &[], &Zones::none());
}

const CHANGED: [&str; 4] = ["SUMMARY", "DTSTAMP", "LAST-MODIFIED", "SEQUENCE"];

#[test]
fn every_text_comes_back_byte_by_byte() {
    for (name, text) in corpus() {
        assert_eq!(Component::parse(&text).expect(&name).to_string(), text, "{name}");
    }
}

#[test]
fn an_edit_changes_only_its_lines() {
    let mut edited = 0;
    for (name, text) in corpus() {
        for kind in ["VEVENT", "VTODO"] {
            let mut calendar = Component::parse(&text).expect(&name);
            if master(&calendar, kind).is_none() {
                continue;
            }
            edit(&mut calendar, kind);
            edited += 1;
            let written = calendar.to_string();
            assert_eq!(others(&written, kind), others(&text, kind), "{name}");
            let again = Component::parse(&written).expect(&name);
            let event = master(&again, kind).expect(&name);
            assert_eq!(event.line("SUMMARY").map(Line::to_text).as_deref(), Some("Geändert, mit Komma"));
            assert_eq!(Alarm::all_of(event).len(), 1, "{name}");
        }
    }
    assert!(edited > 30, "{edited}");
}

/// The physical lines of a text but those that [`edit`] changes in the first component of the kind.
fn others(text: &str, kind: &str) -> Vec<String> {
    let calendar = Component::parse(text).expect("content lines");
    let edited = master(&calendar, kind).map(std::ptr::from_ref);
    let mut out = Vec::new();
    for child in calendar.children() {
        let is_edited = Some(std::ptr::from_ref(child)) == edited;
        let mut child = child.clone();
        if is_edited {
            child.retain_lines(|line| !CHANGED.iter().any(|name| line.is(name)));
            child.retain_children(|alarm| Alarm::of(alarm).is_none());
        }
        out.extend(child.to_string().split_inclusive('\n').map(str::to_owned));
    }
    let head = calendar.all_lines().map(|line| format!("{}:{}", line.name(), line.value()));
    out.extend(head);
    out
}

#[test]
fn every_date_of_the_corpus_is_understood() {
    let mut dates = 0;
    for (name, text) in corpus() {
        let calendar = Component::parse(&text).expect(&name);
        let zones = Zones::of(&calendar);
        for child in calendar.children().filter(|child| !child.is("VTIMEZONE")) {
            for line in child.all_lines() {
                if ["DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "DTSTAMP", "COMPLETED"]
                    .iter()
                    .any(|n| line.is(n))
                {
                    let when = When::of(line).unwrap_or_else(|| panic!("{name}: {}", line.value()));
                    let again = When::of(&when.line("X")).expect("written").value();
                    assert_eq!(again, line.value(), "{name}");
                    assert!(when.moment(&zones).is_some(), "{name}");
                    dates += 1;
                }
            }
        }
    }
    assert!(dates > 100, "{dates}");
}
