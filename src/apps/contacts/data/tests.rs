use proptest::prelude::*;
use serde_json::json;

use super::super::contact::Detail;
use super::*;
use crate::nextcloud::UrlPath;

const CARD: &str = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u-1\r\nFN:Dr. Ada Apfel\r\nN:Apfel;Ada;;Dr.;\r\nNICKNAME:Adi,A\r\nORG:Obst;Kern\r\n\
    item1.EMAIL;type=INTERNET;type=pref:ada@example.org\r\nitem1.X-ABLabel:_$!<Other>!$_\r\nEMAIL;TYPE=WORK:a@work.example\r\n\
    TEL;TYPE=CELL,VOICE:+49 170\r\nADR;TYPE=HOME:;;Weg 1;Bonn;;53111;D\r\nBDAY;X-APPLE-OMIT-YEAR=1604:1604-04-12\r\n\
    CATEGORIES:a,b\\,c\r\nNOTE:one\\, two\\nthree\r\nPHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgo=\r\nIMPP;X-SERVICE-TYPE=X:xmpp:ada\r\n\
    X-SOCIALPROFILE;TYPE=mastodon:@ada\r\nX-SOCIALPROFILE:plain\r\nGENDER:F;x\r\nEND:VCARD\r\n";

fn shown(card: &Card, photo: bool) -> Contact {
    let path = UrlPath::from_encoded("/remote.php/dav/addressbooks/users/alice/friends/u-1.vcf");
    Contact::of(card, "friends", &path, Some("e".into()), Detail { photo, note_chars: NOTE_CHARS_LISTED })
}

/// The card after an update, or what was wrong.
fn updated(text: &str, data: Value) -> Result<String, String> {
    let mut card = Card::parse(text).unwrap();
    let before = shown(&card, false);
    let Value::Object(data) = data else { panic!("no object") };
    apply(&mut card, &data, Some(&before)).map_err(|error| error.to_string())?;
    Ok(card.to_string())
}

fn created(data: Value) -> Result<String, String> {
    let mut card = Card::new("u");
    let Value::Object(data) = data else { panic!("no object") };
    apply(&mut card, &data, None).map_err(|error| error.to_string())?;
    Ok(card.to_string().replace("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u\r\n", "").replace("END:VCARD\r\n", ""))
}

#[test]
fn a_contact_as_it_is_shown_changes_nothing() {
    for photo in [false, true] {
        let data = shown(&Card::parse(CARD).unwrap(), photo).write();
        assert_eq!(updated(CARD, data).as_deref(), Ok(CARD));
    }
}

#[test]
fn the_keys_of_the_reference_are_taken_as_texts_and_lists() {
    let card = created(json!({
        "fn": "Ada", "email": ["a@b.example", "c@d.example"], "tel": "+49, 1", "org": "Obst; Kern", "title": "Chef",
        "note": "x\ny", "nickname": ["Adi", "A,B"], "bday": "1985-04-12", "categories": "one, two", "url": "https://a.example/?b,c;d",
    }));
    assert_eq!(
        card.unwrap(),
        "FN:Ada\r\nEMAIL:a@b.example\r\nEMAIL:c@d.example\r\nTEL:+49\\, 1\r\nORG:Obst;Kern\r\nTITLE:Chef\r\nNOTE:x\\ny\r\n\
         NICKNAME:Adi,A\\,B\r\nBDAY:1985-04-12\r\nCATEGORIES:one,two\r\nURL:https://a.example/?b,c;d\r\n"
    );
}

#[test]
fn typed_entries_addresses_photos_and_custom_fields_are_written() {
    let card = created(json!({
        "phones": [{"type": "mobile", "value": "1", "preferred": true}, {"type": ["home", "fax"], "value": "2", "label": "Attic"}],
        "addresses": [{"type": "work", "street": "Weg 1; b", "zip": 53111, "city": "Bonn"}],
        "photo": "data:image/png;base64,iVBORw0KGgo=",
        "custom_fields": {"X-FOO": "a;b", "IMPP": ["xmpp:a", {"type": "work", "value": "sip:b"}]},
    }));
    assert_eq!(
        card.unwrap(),
        "TEL;TYPE=CELL;TYPE=PREF:1\r\nitem1.TEL;TYPE=HOME;TYPE=FAX:2\r\nitem1.X-ABLabel:Attic\r\n\
         ADR;TYPE=WORK:;;Weg 1\\; b;Bonn;;53111;\r\nPHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgo=\r\nX-FOO:a\\;b\r\nIMPP:xmpp:a\r\n\
         IMPP;TYPE=WORK:sip:b\r\n"
    );
}

#[test]
fn what_is_empty_clears_and_what_is_absent_stays() {
    for (key, line) in [
        ("nickname", "NICKNAME:Adi,A\r\n"),
        ("organization", "ORG:Obst;Kern\r\n"),
        ("tel", "TEL;TYPE=CELL,VOICE:+49 170\r\n"),
        ("addresses", "ADR;TYPE=HOME:;;Weg 1;Bonn;;53111;D\r\n"),
        ("bday", "BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-12\r\n"),
        ("categories", "CATEGORIES:a,b\\,c\r\n"),
        ("note", "NOTE:one\\, two\\nthree\r\n"),
        ("photo", "PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgo=\r\n"),
    ] {
        for empty in [json!(""), json!([]), Value::Null] {
            assert_eq!(updated(CARD, json!({ key: empty })), Ok(CARD.replace(line, "")), "{key} {empty}");
        }
    }
    assert_eq!(updated(CARD, json!({})).as_deref(), Ok(CARD));
    let without = updated(CARD, json!({"prefix": "", "custom_fields": {"impp": null}})).unwrap();
    assert_eq!(
        without,
        CARD.replace("Ada;;Dr.;", "Ada;;;").replace("IMPP;X-SERVICE-TYPE=X:xmpp:ada\r\n", "")
    );
}

#[test]
fn a_text_replaces_one_entry_and_a_list_all() {
    let one = updated(CARD, json!({"email": "new@example.org"})).unwrap();
    assert_eq!(one, CARD.replace("ada@example.org", "new@example.org"));
    let all = updated(CARD, json!({"emails": ["a@work.example"]})).unwrap();
    let gone = "item1.EMAIL;type=INTERNET;type=pref:ada@example.org\r\nitem1.X-ABLabel:_$!<Other>!$_\r\n";
    assert_eq!(all, CARD.replace(gone, ""));
    let why = updated(CARD, json!({"email": {"value": "x"}})).unwrap_err();
    assert!(why.contains("there are 2"), "{why}");
}

#[test]
fn a_note_that_was_cut_when_it_was_shown_stays_whole() {
    let long = CARD.replace("NOTE:one", &format!("NOTE:{}", "é".repeat(NOTE_CHARS_LISTED)));
    let data = shown(&Card::parse(&long).unwrap(), false).write();
    assert!(data["note"].as_str().unwrap().ends_with(" more characters]"));
    assert_eq!(updated(&long, data), Ok(long));
    let key = format!("KEY:{}", "A".repeat(2 * CUSTOM_CHARS));
    let long = CARD.replace("GENDER", &format!("{key}\r\nGENDER"));
    let data = shown(&Card::parse(&long).unwrap(), false).write();
    assert_eq!(updated(&long, json!({"custom_fields": data["custom_fields"]})), Ok(long));
}

#[test]
fn wrong_fields_are_told_all_at_once_by_name() {
    let why = created(json!({"fulname": "x", "email": [""], "bday": "tomorrow", "tel": "1", "phone": "2"}))
        .unwrap_err();
    for part in [
        "`fulname` is no field",
        "known: fn, given_name",
        "`email`: item 1: it is empty",
        "`bday`: it must",
        "the same field",
    ] {
        assert!(why.contains(part), "{part} is not in {why}");
    }
    for (data, part) in [
        (json!({"fn": ""}), "cannot be empty"),
        (json!({"fn": {"a": 1}}), "expected a text"),
        (json!({"emails": true}), "a text or a list"),
        (json!({"emails": [{"type": "work"}]}), "needs a `value`"),
        (json!({"emails": [{"value": "x", "tpye": "work"}]}), "`tpye` is not known"),
        (json!({"emails": [{"value": "x", "street": "y"}]}), "`street` is not known"),
        (json!({"emails": [{"value": "x", "preferred": "perhaps"}]}), "true or false"),
        (json!({"addresses": [{"components": ["", ""]}]}), "the address is empty"),
        (json!({"addresses": [{"components": ["1", "2", "3", "4", "5", "6", "7", "8"]}]}), "7 parts"),
        (json!({"addresses": [{"components": ["1"], "city": "x"}]}), "either `components`"),
        (json!({"addresses": [{"value": "Bonn", "city": "Ulm"}]}), "different things"),
        (json!({"photo": "aGVsbG8="}), "no PNG"),
        (json!({"custom_fields": {"FN": "x"}}), "key of its own"),
        (json!({"custom_fields": {"X FOO": "x"}}), "no name"),
        (json!({"custom_fields": "x"}), "an object"),
        (json!({"kind": "group"}), "cannot be set"),
    ] {
        let why = created(data.clone()).unwrap_err();
        assert!(why.contains(part), "{data}: {part} is not in {why}");
    }
}

proptest! {
    #[test]
    fn any_values_are_written_or_refused(
        key in prop::sample::select(KEYS.iter().map(|(key, _)| *key).collect::<Vec<_>>()),
        text in any::<String>(),
        shape in 0..5,
    ) {
        let value = match shape {
            0 => json!(text),
            1 => json!([text, text]),
            2 => json!({"type": text, "value": text, "label": text, "preferred": true}),
            3 => json!([{"street": text, "city": text}, 7]),
            _ => json!({"X-A": text, "IMPP": [text]}),
        };
        if let Ok(written) = updated(CARD, json!({ key: value })) {
            let card = Card::parse(&written).unwrap();
            prop_assert_eq!(card.uid(), Some("u-1".to_owned()));
            prop_assert_eq!(written.matches("BEGIN:").count(), 1);
        }
    }
}
