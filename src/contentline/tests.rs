use proptest::prelude::*;

use super::*;

const EVENT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nX-ODD;x=1:kept\r\n as it \r\n is\r\nBEGIN:VEVENT\r\nuid:a\r\nSUMMARY;\
    LANGUAGE=de:Ein\\, zwei\\; drei\\nvier \\\\ f\r\n\tünf\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nEND:VALARM\r\nthis is no \
    line\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

fn event() -> Component {
    Component::parse(EVENT).unwrap()
}

#[test]
fn what_is_not_changed_comes_back_byte_by_byte() {
    assert_eq!(event().to_string(), EVENT);
    let lf = EVENT.replace("\r\n", "\n");
    assert_eq!(Component::parse(&lf).unwrap().to_string(), lf);
    let open_end = EVENT.trim_end();
    assert_eq!(Component::parse(open_end).unwrap().to_string(), open_end);
}

#[test]
fn lines_are_unfolded_and_unescaped() {
    let calendar = event();
    assert_eq!(calendar.line("x-odd").unwrap().value(), "keptas it is");
    let event = calendar.children().next().unwrap();
    assert_eq!(event.line("UID").unwrap().value(), "a");
    let summary = event.line("SUMMARY").unwrap();
    assert_eq!(summary.to_text(), "Ein, zwei; drei\nvier \\ fünf");
    assert_eq!(summary.param("language"), Some("de"));
    assert_eq!(event.children().count(), 1);
}

#[test]
fn a_changed_line_stays_in_its_place_and_the_rest_as_it_was() {
    let mut calendar = event();
    let event = calendar.children_mut().next().unwrap();
    event.set(Line::text("SUMMARY", "Neu, und länger"));
    event.set(Line::text("LOCATION", "Hall"));
    event.remove("UID");
    let wanted = EVENT.replace("uid:a\r\n", "").replace(
        "SUMMARY;LANGUAGE=de:Ein\\, zwei\\; drei\\nvier \\\\ f\r\n\tünf\r\n",
        "SUMMARY:Neu\\, und länger\r\nLOCATION:Hall\r\n",
    );
    assert_eq!(calendar.to_string(), wanted);
}

#[test]
fn a_line_that_says_the_same_keeps_its_folds() {
    let mut calendar = event();
    calendar.set(Line::new("X-ODD", "keptas it is").with("x", "1"));
    assert_eq!(calendar.to_string(), EVENT);
}

#[test]
fn several_lines_of_a_name_are_replaced_together() {
    let mut card = Component::parse("BEGIN:VCARD\nTEL:1\nFN:A\nTEL:2\nTEL:3\nEND:VCARD\n").unwrap();
    card.set_all("TEL", vec![Line::new("TEL", "1"), Line::new("TEL", "4")]);
    assert_eq!(card.to_string(), "BEGIN:VCARD\nTEL:1\nFN:A\nTEL:4\r\nEND:VCARD\n");
    card.set_all("EMAIL", vec![Line::new("EMAIL", "a@b.example"), Line::new("EMAIL", "c@d.example")]);
    assert_eq!(card.lines("EMAIL").count(), 2);
    card.set_all("TEL", vec![]);
    assert_eq!(card.lines("TEL").count(), 0);
}

#[test]
fn groups_quotes_carets_and_bare_types_are_read() {
    let card = "BEGIN:VCARD\r\nitem1.EMAIL;type=INTERNET,\"home;x\";PREF;LABEL=\"a^nb^^c^'d\":a@b.example\r\nEND:VCARD\r\n";
    let card = Component::parse(card).unwrap();
    let email = card.line("EMAIL").unwrap();
    assert_eq!(email.group(), Some("item1"));
    assert_eq!(email.params_of("TYPE").collect::<Vec<_>>(), ["INTERNET", "home;x", "PREF"]);
    assert_eq!(email.param("LABEL"), Some("a\nb^c\"d"));
    assert_eq!(email.value(), "a@b.example");
}

#[test]
fn lists_and_parts_end_at_separators_that_are_not_escaped() {
    assert_eq!(Line::new("X", r"a\,b,c\\,d").to_list(), ["a,b", r"c\", "d"]);
    assert_eq!(Line::new("N", r"Fam\;ily;Given;;").to_parts(), ["Fam;ily", "Given", "", ""]);
    assert_eq!(Line::list("CATEGORIES", ["a,b", "c"]).value(), r"a\,b,c");
    assert_eq!(Line::structured("N", ["a;b", "c", ""]).value(), r"a\;b;c;");
}

#[test]
fn a_value_cannot_start_a_line_of_its_own() {
    let mut card = Component::new("VCARD");
    card.push(Line::new("TEL", "1\r\nNOTE:forged").with("TYPE", "a\r\nb\":X"));
    card.push(Line::text("FN", "a\r\nb\nc\rd"));
    let text = card.to_string();
    assert_eq!(
        text,
        "BEGIN:VCARD\r\nTEL;TYPE=\"a^nb^':X\":1NOTE:forged\r\nFN:a\\nb\\nc\\nd\r\nEND:VCARD\r\n"
    );
}

#[test]
fn what_is_no_component_is_told() {
    let deep = "BEGIN:A\r\n".repeat(DEPTH_MAX + 1);
    for (text, fault) in [
        ("", Fault::NoBegin),
        ("<html>", Fault::NoBegin),
        ("BEGIN:A\r\nX:1\r\n", Fault::NoEnd),
        ("BEGIN:A\r\nEND:B\r\n", Fault::NoEnd),
        ("BEGIN:A\r\nBEGIN:B\r\nEND:A\r\n", Fault::NoEnd),
        ("BEGIN:A\r\nEND:A\r\nX:1\r\n", Fault::Behind),
        ("BEGIN:A\r\nEND:A\r\nBEGIN:A\r\nEND:A\r\n", Fault::Behind),
        (deep.as_str(), Fault::TooDeep),
    ] {
        assert_eq!(Component::parse(text), Err(fault), "{text:?}");
    }
    assert_eq!(Component::parse(&"x".repeat(TEXT_BYTES_MAX + 1)), Err(Fault::TooLong));
}

#[test]
fn children_are_added_where_they_belong() {
    let mut calendar = event();
    calendar.push_child_first(Component::new("VTIMEZONE"));
    calendar.push_child(Component::new("VTODO"));
    let names: Vec<_> = calendar.children().map(Component::name).collect();
    assert_eq!(names, ["VTIMEZONE", "VEVENT", "VTODO"]);
    calendar.retain_children(|child| !child.is("vevent"));
    assert_eq!(calendar.children().count(), 2);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_and_comes_back(text in "(BEGIN:A\r?\n)?([A-Z;:=\",.^\\\\é \r\n]|END:A\n){0,80}(END:A\r\n)?") {
        if let Ok(component) = Component::parse(&text) {
            prop_assert!(text.contains(&component.to_string()));
        }
    }

    #[test]
    fn any_text_survives_writing_and_reading(text in any::<String>(), param in any::<String>()) {
        let mut card = Component::new("VCARD");
        card.push(Line::text("NOTE", &text).with("LABEL", &param));
        let written = card.to_string();
        prop_assert!(written.split("\r\n").all(|line| line.len() <= 75));
        let read = Component::parse(&written).unwrap();
        let keep = |text: &str| -> String {
            let text = text.replace("\r\n", "\n").replace('\r', "\n");
            text.chars().filter(|c| matches!(c, '\t' | '\n') || !c.is_control()).collect()
        };
        let note = read.line("NOTE").unwrap();
        prop_assert_eq!(note.to_text(), keep(&text));
        let wanted: String = param.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
        prop_assert_eq!(note.param("LABEL"), Some(wanted.as_str()));
    }

    #[test]
    fn lists_and_parts_survive(texts in prop::collection::vec("[a-z,;\\\\:\"\n ]{0,9}", 1..5)) {
        let list = Line::list("X", texts.iter().map(String::as_str));
        prop_assert_eq!(list.to_list(), texts.clone());
        let parts = Line::structured("X", texts.iter().map(String::as_str));
        prop_assert_eq!(parts.to_parts(), texts);
    }
}
