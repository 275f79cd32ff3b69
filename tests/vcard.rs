//! Round trips of every vCard that was recorded, and of some that are odd.

use nextcloud_mcp_server::vcard::{Birthday, Card, Entry, NamePart, Photo};
use serde_json::Value;

/// The texts of `fixtures/vcard`, with their sources.
fn cards() -> Vec<(String, String)> {
    let files = [include_str!("../fixtures/vcard/recorded.json"), include_str!("../fixtures/vcard/odd.json")];
    let lists = files.iter().map(|text| serde_json::from_str::<Vec<Value>>(text).expect("a list"));
    let cards: Vec<_> = lists
        .flatten()
        .map(|card| {
            let text =
                |name: &str| card[name].as_str().unwrap_or_else(|| panic!("no {name}: {card}")).to_owned();
            (text("source"), text("text"))
        })
        .collect();
    assert!(cards.len() > 20, "only {} cards", cards.len());
    cards
}

/// The lines of a text without their folds.
fn lines(text: &str) -> Vec<String> {
    let unfolded = text.replace("\r\n ", "").replace("\r\n\t", "").replace("\n ", "");
    unfolded.lines().map(str::to_owned).collect()
}

#[test]
fn what_is_read_is_written_as_it_was() {
    for (source, text) in cards() {
        let card = Card::parse(&text).unwrap_or_else(|fault| panic!("{source}: {fault}"));
        assert_eq!(card.to_string(), text, "{source}");
        assert!(!card.full_name().is_empty(), "{source} has no name");
    }
}

#[test]
fn what_is_shown_goes_back_without_a_change() {
    for (source, text) in cards() {
        let mut card = Card::parse(&text).expect("a card");
        let custom = card.custom_names();
        for property in ["EMAIL", "TEL", "ADR", "URL"].into_iter().chain(custom.iter().map(String::as_str)) {
            let entries: Vec<Entry> = card.fields(property).iter().map(Entry::from).collect();
            if !entries.is_empty() {
                card.set_fields(property, &entries);
            }
        }
        for part in [NamePart::Family, NamePart::Given, NamePart::Prefix] {
            if let Some(name) = card.name_part(part) {
                card.set_name_part(part, &name);
            }
        }
        for property in ["CATEGORIES", "NICKNAME"] {
            card.set_list(property, &card.list(property));
        }
        card.set_note(&card.note().unwrap_or_default());
        card.set_photo(card.photo().as_ref());
        if let Some(day) = card.birthday().and_then(|text| Birthday::parse(&text)) {
            card.set_birthday(Some(day));
        }
        assert_eq!(card.to_string(), text, "{source}");
    }
}

#[test]
fn a_change_leaves_every_other_line_as_it_was() {
    type Change = (&'static [&'static str], fn(&mut Card));
    let changes: [Change; 9] = [
        (&["FN"], |card| card.set_text("FN", "Somebody, Else")),
        (&["N"], |card| card.set_name_part(NamePart::Family, "Else;")),
        (&["NOTE"], |card| card.set_note("one\ntwo")),
        (&["ORG"], |card| card.set_organization(&["A;B".into(), "C".into()])),
        (&["CATEGORIES"], |card| card.set_list("CATEGORIES", &["a,b".into()])),
        (&["EMAIL"], |card| card.set_main_field("EMAIL", "new@example.org")),
        (&["TEL", "X-ABLABEL", "X-ABADR"], |card| card.set_fields("TEL", &[])),
        (&["BDAY"], |card| card.set_birthday(Birthday::parse("--02-29"))),
        (&["PHOTO"], |card| card.set_photo(Photo::parse("iVBORw0KGgo=").ok().as_ref())),
    ];
    for (source, text) in cards() {
        for (names, change) in changes {
            let mut card = Card::parse(&text).expect("a card");
            change(&mut card);
            let written = card.to_string();
            assert!(
                written.lines().all(|line| line.len() <= 75 || text.contains(line)),
                "{source}: {written}"
            );
            let others = |text: &str| -> Vec<String> {
                let is_changed = |line: &String| {
                    let head = line.split([':', ';']).next().unwrap_or_default();
                    let name = head.rsplit('.').next().unwrap_or_default();
                    names.iter().any(|changed| name.eq_ignore_ascii_case(changed))
                };
                lines(text).into_iter().filter(|line| !is_changed(line)).collect()
            };
            assert_eq!(others(&written), others(&text), "{source}: {names:?}");
            Card::parse(&written).unwrap_or_else(|fault| panic!("{source}: {fault}"));
        }
    }
}
