use proptest::prelude::*;

use super::*;

/// As iOS writes them.
const APPLE: &str = "BEGIN:VCARD\r\nVERSION:3.0\r\nPRODID:-//Apple Inc.//iOS 17//EN\r\nN:Apfel;Ada;B\\,C,D;Dr.;\r\nFN:Dr. Ada Apfel\r\n\
    item1.EMAIL;type=INTERNET;type=pref:ada@example.org\r\nitem1.X-ABLabel:_$!<Other>!$_\r\n\
    EMAIL;type=INTERNET;type=WORK:a@work.example\r\nitem2.URL;type=pref:https\\://ada.example\r\n\
    item2.X-ABLabel:_$!<HomePage>!$_\r\nitem3.ADR;type=HOME:;;1 Infinite\\nLoop;Cupertino;CA;95014;USA\r\n\
    item3.X-ABADR:us\r\nBDAY;X-APPLE-OMIT-YEAR=1604:1604-04-12\r\nNOTE:a\\, b\\; c\\nd\r\nUID:ADA-1\r\nEND:VCARD\r\n";
const V4: &str = "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:urn:uuid:4fbe\r\nFN:Ben Ökland\r\nN:Ökland;Ben;;;\r\n\
    EMAIL;TYPE=work;PREF=1:ben@work.example\r\nTEL;VALUE=uri;TYPE=\"cell,voice\":tel:+47-555-0100\r\nBDAY:--0203\r\n\
    PHOTO:data:image/png;base64,iVBORw0KGgo=\r\nRELATED;TYPE=friend:urn:uuid:anna-1\r\nEND:VCARD\r\n";
const PNG: &str = "iVBORw0KGgo=";

fn card(text: &str) -> Card {
    Card::parse(text).unwrap()
}

fn v3(lines: &str) -> Card {
    card(&format!("BEGIN:VCARD\r\nVERSION:3.0\r\n{lines}\r\nEND:VCARD\r\n"))
}

fn typed(types: &str, value: &str) -> Entry {
    Entry { types: Some(types.into()), ..Entry::plain(value) }
}

/// The fields of a property in short: `work:a@b.example!` with `!` for the preferred one.
fn shown(card: &Card, property: &str) -> Vec<String> {
    let short = |field: Field| {
        let label = field.label.map(|label| format!("({label})")).unwrap_or_default();
        format!("{}:{}{label}{}", field.types, field.value, if field.preferred { "!" } else { "" })
    };
    card.fields(property).into_iter().map(short).collect()
}

#[test]
fn apple_groups_labels_and_escapes_are_read() {
    let ada = card(APPLE);
    assert_eq!(ada.full_name(), "Dr. Ada Apfel");
    assert_eq!(ada.name_part(NamePart::Prefix).as_deref(), Some("Dr."));
    assert_eq!(ada.name_part(NamePart::Suffix), None);
    assert_eq!(shown(&ada, "EMAIL"), [":ada@example.org(Other)!", "work:a@work.example"]);
    assert_eq!(shown(&ada, "URL"), [":https://ada.example(HomePage)!"]);
    let address = &ada.fields("ADR")[0];
    assert_eq!(address.value, "1 Infinite, Loop, 95014 Cupertino, CA, USA");
    assert_eq!(address.components.as_ref().unwrap()[2], "1 Infinite\nLoop");
    assert_eq!(ada.birthday().as_deref(), Some("--04-12"));
    assert_eq!(ada.note().as_deref(), Some("a, b; c\nd"));
    assert!(ada.custom_names().is_empty(), "labels are no fields");
}

#[test]
fn version_4_is_read() {
    let ben = card(V4);
    assert_eq!(ben.version(), Version::V4);
    assert_eq!(shown(&ben, "EMAIL"), ["work:ben@work.example!"]);
    assert_eq!(shown(&ben, "TEL"), ["cell:+47-555-0100"]);
    assert_eq!(ben.birthday().as_deref(), Some("--02-03"));
    assert_eq!(ben.photo().unwrap().to_uri(), format!("data:image/png;base64,{PNG}"));
    assert_eq!(shown(&ben, "RELATED"), ["friend:urn:uuid:anna-1"]);
    assert_eq!(ben.custom_names().into_iter().collect::<Vec<_>>(), ["RELATED"]);
}

#[test]
fn a_change_touches_the_lines_of_its_field_only() {
    let mut ada = card(APPLE);
    ada.set_text("FN", "Ada A.");
    ada.set_name_part(NamePart::Given, "Adele; x");
    ada.set_main_field("EMAIL", "new@example.org");
    ada.set_note("one\ntwo");
    let wanted = APPLE
        .replace("FN:Dr. Ada Apfel", "FN:Ada A.")
        .replace("N:Apfel;Ada;B\\,C,D;Dr.;", "N:Apfel;Adele\\; x;B\\,C,D;Dr.;")
        .replace("ada@example.org", "new@example.org")
        .replace("NOTE:a\\, b\\; c\\nd", "NOTE:one\\ntwo");
    assert_eq!(ada.to_string(), wanted);
}

#[test]
fn what_is_shown_goes_back_without_a_change() {
    for text in [APPLE, V4] {
        let mut same = card(text);
        for property in ["EMAIL", "TEL", "ADR", "URL", "RELATED"] {
            let entries: Vec<Entry> = same.fields(property).iter().map(Entry::from).collect();
            same.set_fields(property, &entries);
        }
        let (birthday, photo) = (same.birthday().unwrap(), same.photo());
        same.set_birthday(Birthday::parse(&birthday));
        same.set_photo(photo.as_ref());
        same.set_text("FN", &same.full_name());
        assert_eq!(same.to_string(), text);
    }
}

#[test]
fn an_entry_that_is_not_given_goes_with_its_label_and_the_others_stay_in_place() {
    let mut ada = card(APPLE);
    ada.set_fields("EMAIL", &[Entry::plain("a@work.example")]);
    let wanted = APPLE
        .replace("item1.EMAIL;type=INTERNET;type=pref:ada@example.org\r\n", "")
        .replace("item1.X-ABLabel:_$!<Other>!$_\r\n", "");
    assert_eq!(ada.to_string(), wanted);
    ada.set_fields("ADR", &[]);
    assert!(!ada.to_string().contains("item3"), "{ada}");
}

#[test]
fn types_and_preference_are_written_as_the_version_has_them() {
    let mut old = v3("EMAIL;TYPE=INTERNET,WORK;X-A=1:a@b.example");
    let preferred = |entry: Entry| Entry { preferred: Some(true), ..entry };
    old.set_fields("EMAIL", &[preferred(typed("home", "a@b.example")), typed("work", "c@d.example")]);
    let text = old.to_string();
    assert!(
        text.contains(
            "EMAIL;X-A=1;TYPE=HOME;TYPE=INTERNET;TYPE=PREF:a@b.example\r\nEMAIL;TYPE=WORK:c@d.example"
        ),
        "{text}"
    );
    let mut new = card(V4);
    new.set_fields("EMAIL", &[Entry::plain("ben@work.example"), preferred(typed("home", "b@home.example"))]);
    let text = new.to_string();
    assert!(
        text.contains("EMAIL;TYPE=work:ben@work.example\r\nEMAIL;TYPE=home;PREF=1:b@home.example\r\n"),
        "{text}"
    );
}

#[test]
fn a_new_value_takes_the_place_of_the_line_of_its_type() {
    let mut two = v3("TEL;TYPE=HOME,VOICE:1\r\nitem1.TEL;TYPE=WORK;X-A=b:2\r\nitem1.X-ABLabel:Desk");
    two.set_fields("TEL", &[typed("work", "22"), typed("home", "1")]);
    assert_eq!(shown(&two, "TEL"), ["home:1", "work:22(Desk)"]);
    assert!(two.to_string().contains("TEL;TYPE=HOME,VOICE:1\r\nitem1.TEL;TYPE=WORK;X-A=b:22\r\n"));
    two.set_fields("TEL", &[typed("mobile", "3"), typed("other", "4")]);
    assert_eq!(shown(&two, "TEL"), ["cell:3", ":4"]);
    assert!(!two.to_string().contains("X-ABLabel"), "{two}");
}

#[test]
fn labels_are_added_changed_and_taken_away() {
    let labelled = |label: &str, value: &str| Entry { label: Some(label.into()), ..Entry::plain(value) };
    let mut card = v3("item1.X-ABDATE:20200101\r\nTEL:1");
    card.set_fields("TEL", &[labelled("Boat", "1"), labelled("Cabin", "2")]);
    assert_eq!(shown(&card, "TEL"), [":1(Boat)", ":2(Cabin)"]);
    assert!(card.to_string().contains("item2.TEL:1\r\nitem3.TEL:2\r\n"), "{card}");
    card.set_fields("TEL", &[labelled("Ship", "1"), labelled("", "2")]);
    assert_eq!(shown(&card, "TEL"), [":1(Ship)", ":2"]);
    assert_eq!(card.to_string().matches("X-ABLabel").count(), 1);
}

#[test]
fn an_address_keeps_the_parts_that_are_not_changed() {
    let mut old = v3("ADR;TYPE=HOME:;;Main St,Rear;Berlin;;1\\;2;D");
    let mut parts = old.fields("ADR")[0].components.clone().unwrap();
    assert_eq!(parts[2], "Main St,Rear");
    parts[3] = "Bonn, a/R".into();
    old.set_fields("ADR", &[Entry { components: Some(parts), ..Entry::default() }]);
    assert!(old.to_string().contains("ADR;TYPE=HOME:;;Main St,Rear;Bonn\\, a/R;;1\\;2;D\r\n"), "{old}");
    old.set_fields("ADR", &[Entry::plain("one line")]);
    assert!(old.to_string().contains("ADR;TYPE=HOME:;;one line;;;;\r\n"), "{old}");
}

#[test]
fn every_form_of_a_birthday_is_one() {
    for (line, read) in [
        ("BDAY:1985-04-12", "1985-04-12"),
        ("BDAY:19850412", "1985-04-12"),
        ("BDAY;VALUE=date:1985-04-12T00:00:00Z", "1985-04-12"),
        ("BDAY:--0412", "--04-12"),
        ("BDAY:--04-12", "--04-12"),
        ("BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29", "--02-29"),
        ("BDAY;VALUE=text:circa 1800", "circa 1800"),
        ("BDAY:1985-04", "1985-04"),
        ("BDAY:1985", "1985"),
        ("BDAY:1985-04-12T23:15:00Z", "1985-04-12T23:15:00Z"),
    ] {
        assert_eq!(v3(line).birthday().as_deref(), Some(read), "{line}");
    }
    for bad in
        ["", "12.04.1985", "1985-13-01", "1985-02-29", "1985-4-12", "--0230", "1985", "é985-04-12", "--é"]
    {
        assert_eq!(Birthday::parse(bad), None, "{bad}");
    }
    let set = |text: &str, day: &str| {
        let mut card = card(text);
        card.set_birthday(Birthday::parse(day));
        card.to_string().lines().find(|line| line.starts_with("BDAY")).map(str::to_owned)
    };
    assert_eq!(set(V4, "1985-04-12").as_deref(), Some("BDAY:19850412"));
    assert_eq!(set(V4, "--04-12").as_deref(), Some("BDAY:--0412"));
    assert_eq!(set(APPLE, "1985-04-12").as_deref(), Some("BDAY:1985-04-12"));
    assert_eq!(set(APPLE, "--04-13").as_deref(), Some("BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-13"));
    assert_eq!(set(APPLE, ""), None);
}

#[test]
fn photos_are_read_and_written_in_the_form_of_the_version() {
    for line in [
        format!("PHOTO;ENCODING=b;TYPE=PNG:{PNG}"),
        format!("PHOTO;TYPE=image/png;ENCODING=BASE64:{PNG}"),
        format!("PHOTO;VALUE=URI:data:image/png;base64\\,{PNG}"),
        format!("PHOTO:data:image/png;base64,{PNG}"),
    ] {
        let photo = v3(&line).photo().unwrap();
        assert_eq!(photo.to_uri(), format!("data:image/png;base64,{PNG}"), "{line}");
    }
    assert_eq!(
        v3("PHOTO;VALUE=uri:https://a.example/b.jpg").photo().unwrap().to_uri(),
        "https://a.example/b.jpg"
    );
    assert!(!v3("PHOTO:").has_photo());
    let png = Photo::parse(PNG).unwrap();
    let mut old = v3("FN:A");
    old.set_photo(Some(&png));
    assert!(old.to_string().contains(&format!("PHOTO;ENCODING=b;TYPE=PNG:{PNG}\r\n")));
    let mut new = card(V4);
    new.set_photo(Some(&Photo::parse("data:image/jpeg;base64,/9j/4A").unwrap()));
    assert!(new.to_string().contains("PHOTO:data:image/jpeg;base64,/9j/4A==\r\n"), "{new}");
    new.set_photo(None);
    assert!(!new.has_photo());
}

#[test]
fn what_is_no_small_picture_is_refused() {
    let large = "A".repeat(PHOTO_BYTES_MAX * 2);
    for (bad, why) in [
        ("aGVsbG8=", "no PNG"),
        ("not base64!", "base64"),
        ("data:image/png,abc", "data URI"),
        ("", "no PNG"),
        (large.as_str(), "larger than 1024 kB"),
    ] {
        assert!(Photo::parse(bad).unwrap_err().contains(why), "{why}");
    }
}

#[test]
fn the_oldest_version_is_read_and_becomes_3() {
    let text = "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=B6rg;;;\r\n\
        FN;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:J=C3=B6rg =\r\nM=C3=BCller\r\nTEL;CELL;PREF:123\r\n\
        NOTE;QUOTED-PRINTABLE:a=0D=0Ab; c, d=E9\r\nEND:VCARD\r\n";
    let old = card(text);
    assert_eq!(old.version(), Version::V2);
    assert_eq!(old.full_name(), "Jörg Müller");
    assert_eq!(old.name_part(NamePart::Family).as_deref(), Some("Müller"));
    assert_eq!(shown(&old, "TEL"), ["cell:123!"]);
    assert_eq!(old.note().as_deref(), Some("a\nb; c, dé"));
    assert_eq!(Card::parse(&old.to_string()).unwrap().version(), Version::V3);
}

#[test]
fn groups_of_contacts_are_told_from_people() {
    let apple = v3("FN:Team\r\nX-ADDRESSBOOKSERVER-KIND:group\r\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:A-1");
    assert_eq!((apple.kind().as_deref(), apple.members()), (Some("group"), vec!["A-1".to_owned()]));
    let new = v3("FN:Team\r\nKIND:Group\r\nMEMBER:urn:uuid:A-1\r\nMEMBER:mailto:a@b.example");
    assert_eq!(new.kind().as_deref(), Some("group"));
    assert_eq!(new.members(), ["A-1", "mailto:a@b.example"]);
    assert_eq!(v3("KIND:individual").kind(), None);
}

#[test]
fn a_new_card_has_what_version_3_demands() {
    let new = |name: &str, organization: &[String]| {
        let mut card = Card::new("u;1");
        card.set_text("FN", name);
        card.set_organization(organization);
        card.complete_name();
        card.to_string()
    };
    assert_eq!(
        new("Anna Maria Müller", &[]),
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u\\;1\r\nFN:Anna Maria Müller\r\nN:Müller;Anna Maria;;;\r\nEND:VCARD\r\n"
    );
    assert!(new("Cher", &[]).contains("\r\nN:;Cher;;;\r\n"));
    assert!(new("ACME", &["ACME".into()]).contains("\r\nN:;;;;\r\n"));
}

#[test]
fn a_card_without_a_name_has_one_to_be_called_by() {
    assert_eq!(v3("N:Doe;Jane;;Dr.;").full_name(), "Dr. Jane Doe");
    assert_eq!(v3("FN:\r\nORG:ACME;Sales").full_name(), "ACME; Sales");
    assert_eq!(v3("TEL:123").full_name(), "123");
    assert_eq!(v3("NOTE:x").full_name(), "");
}

#[test]
fn only_properties_without_a_place_of_their_own_are_custom() {
    for (name, is_custom) in [
        ("X-FOO", true),
        ("impp", true),
        ("FN", false),
        ("Uid", false),
        ("BEGIN", false),
        ("end", false),
        ("", false),
        ("A:B", false),
        ("A\nB", false),
        ("ä", false),
    ] {
        assert_eq!(Card::is_custom(name), is_custom, "{name:?}");
    }
}

#[test]
fn what_is_no_card_is_told() {
    assert_eq!(Card::parse("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"), Err(Fault::NoCard));
    assert_eq!(Card::parse("garbage"), Err(Fault::Lines(contentline::Fault::NoBegin)));
}

fn line() -> impl Strategy<Value = String> {
    let name =
        "(item[12]\\.)?(EMAIL|TEL|ADR|URL|N|FN|ORG|NOTE|BDAY|PHOTO|CATEGORIES|X-ABLabel|X-A|VERSION|KEY)";
    let param =
        "(;(TYPE|PREF|VALUE|ENCODING|CHARSET|LABEL|X-B)=(\"[a-z,;:é]{0,5}\"|[a-zA-Z0-9]{0,5})|;HOME)?";
    let value = "([a-z0-9=;,:\\\\é -]|\\\\n|--|data:|1985-04-12){0,9}";
    (name, param, value).prop_map(|(name, param, value)| format!("{name}{param}:{value}\r\n"))
}

fn any_card() -> impl Strategy<Value = String> {
    let versions = prop_oneof!["VERSION:3.0\r\n", "VERSION:4.0\r\n", "VERSION:2.1\r\n", ""];
    (versions, prop::collection::vec(line(), 0..12))
        .prop_map(|(version, lines)| format!("BEGIN:VCARD\r\n{version}{}END:VCARD\r\n", lines.concat()))
}

proptest! {
    #[test]
    fn any_card_is_read_without_a_panic_and_kept(text in any_card()) {
        let Ok(card) = Card::parse(&text) else { return Ok(()) };
        if card.version() != Version::V2 {
            prop_assert_eq!(card.to_string(), text);
        }
        let _ = (card.full_name(), card.photo(), card.birthday(), card.organization(), card.members());
        for name in card.custom_names() {
            let _ = card.fields(&name);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(BEGIN:VCARD\r\n)?[A-Z0-9;:=.,\"\\\\é\r\n -]{0,120}(END:VCARD)?") {
        let _ = Card::parse(&text);
    }

    #[test]
    fn what_any_card_shows_goes_back_without_a_change(text in any_card()) {
        let Ok(mut card) = Card::parse(&text) else { return Ok(()) };
        let before = card.to_string();
        for property in ["EMAIL", "URL", "X-A"] {
            let shown = card.fields(property);
            if shown.is_empty() {
                continue;
            }
            card.set_fields(property, &shown.iter().map(Entry::from).collect::<Vec<_>>());
        }
        if let Some(note) = card.note() {
            card.set_note(&note);
        }
        prop_assert_eq!(card.to_string().replace("\r\n", ""), before.replace("\r\n", ""));
    }

    #[test]
    fn any_values_are_written_so_that_they_are_read_again(
        values in prop::collection::vec("[^\\x00-\\x1f\\x7f-\\x9f]{1,30}", 1..4),
        types in "(work|home|cell|[a-z;:,\" ]{1,6})?",
    ) {
        let values: Vec<&str> = values.iter().map(|value| value.trim()).filter(|value| !value.is_empty()).collect();
        let mut card = Card::new("u");
        for property in ["EMAIL", "TEL", "X-A"] {
            card.set_fields(property, &values.iter().map(|value| typed(&types, value)).collect::<Vec<_>>());
        }
        card.set_list("CATEGORIES", &values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>());
        let read = Card::parse(&card.to_string()).unwrap();
        for property in ["EMAIL", "TEL", "X-A"] {
            let found: Vec<String> = read.fields(property).into_iter().map(|field| field.value).collect();
            prop_assert_eq!(&found, &values);
        }
        prop_assert_eq!(read.list("CATEGORIES"), values);
    }

    #[test]
    fn any_text_becomes_a_birthday_or_none(text in "[-0-9T:Z]{0,12}|\\PC{0,8}") {
        if let Some(day) = Birthday::parse(&text) {
            prop_assert_eq!(Birthday::parse(&day.to_string()), Some(day));
        }
        let _ = Photo::parse(&text);
    }
}
