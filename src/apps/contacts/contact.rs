//! A contact as the tools show it. What they show they also take, see `data`.

use serde_json::{Map, Value};

use crate::nextcloud::UrlPath;
use crate::record;
use crate::schema::{Object, Wire};
use crate::vcard::{Card, Field, NamePart, Photo};

/// Characters of a note in a list of several contacts.
pub(super) const NOTE_CHARS_LISTED: usize = 500;
/// Characters of a note of a contact that comes alone.
pub(super) const NOTE_CHARS_ALONE: usize = 12_000;
/// Characters of one custom value; a public key is longer.
pub(super) const CUSTOM_CHARS: usize = 300;
/// Largest photo that is shown, in bytes.
const PHOTO_BYTES_SHOWN: usize = 96 << 10;
const MEMBERS_SHOWN: usize = 50;
/// The reference's word for an entry without a type.
pub(super) const NO_TYPE: &str = "other";

record! {
    /// An e-mail address, phone number, address or URL.
    pub(super) struct ContactField {
        kind as "type": String,
        value: String,
        label: Option<String>,
        preferred: bool,
        /// Of an address: PO box, extended, street, city, region, postal code, country.
        components: Option<Vec<String>>,
    }
}

record! {
    pub(super) struct Contact {
        uid: String,
        resource_path: String,
        full_name as "fn": String,
        given_name: Option<String>,
        family_name: Option<String>,
        middle_name: Option<String>,
        prefix: Option<String>,
        suffix: Option<String>,
        nickname: Option<String>,
        organization: Option<String>,
        title: Option<String>,
        emails: Vec<ContactField>,
        phones: Vec<ContactField>,
        addresses: Vec<ContactField>,
        urls: Vec<ContactField>,
        note: Option<String>,
        /// Data URI or address.
        photo: Option<String>,
        has_photo: bool,
        /// Where it is too large to be shown.
        photo_bytes: Option<i64>,
        /// `--04-12` without a year.
        birthday: Option<String>,
        categories: Vec<String>,
        /// Other vCard properties, such as IMPP.
        custom_fields: Object,
        /// `group` and the like.
        kind: Option<String>,
        /// UIDs of a group's first members.
        members: Option<Vec<String>>,
        member_count: Option<i64>,
        addressbook: String,
        etag: Option<String>,
    }
}

/// How much of a contact is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Detail {
    pub photo: bool,
    pub note_chars: usize,
}

impl Contact {
    /// `path` is the object's, of which the UID is taken where the card has none.
    pub fn of(card: &Card, book: &str, path: &UrlPath, etag: Option<String>, detail: Detail) -> Contact {
        let list = |property| card.fields(property).into_iter().map(ContactField::of).collect();
        let photo = card.photo().filter(|_| detail.photo);
        let (shown, large): (Option<Photo>, Option<Photo>) = match photo {
            Some(photo) if photo.size_bytes() > PHOTO_BYTES_SHOWN => (None, Some(photo)),
            photo => (photo, None),
        };
        let kind = card.kind();
        let mut members = card.members();
        let member_count = (kind.as_deref() == Some("group")).then_some(members.len() as i64);
        members.truncate(MEMBERS_SHOWN);
        let nicknames = card.list("NICKNAME");
        Contact {
            uid: card.uid().unwrap_or_else(|| file_stem(path)),
            resource_path: path.as_str().to_owned(),
            full_name: card.full_name(),
            given_name: card.name_part(NamePart::Given),
            family_name: card.name_part(NamePart::Family),
            middle_name: card.name_part(NamePart::Additional),
            prefix: card.name_part(NamePart::Prefix),
            suffix: card.name_part(NamePart::Suffix),
            nickname: (!nicknames.is_empty()).then(|| nicknames.join(", ")),
            organization: card.organization(),
            title: card.text("TITLE"),
            emails: list("EMAIL"),
            phones: list("TEL"),
            addresses: list("ADR"),
            urls: list("URL"),
            note: card.note().map(|note| cut(&note, detail.note_chars)),
            photo: shown.map(|photo| photo.to_uri()),
            has_photo: card.has_photo(),
            photo_bytes: large.map(|photo| photo.size_bytes() as i64),
            birthday: card.birthday(),
            categories: card.list("CATEGORIES"),
            custom_fields: Object(custom_fields(card)),
            kind,
            members: member_count.is_some().then_some(members),
            member_count,
            addressbook: book.to_owned(),
            etag,
        }
    }
}

impl ContactField {
    fn of(field: Field) -> ContactField {
        ContactField {
            kind: if field.types.is_empty() { NO_TYPE.into() } else { field.types },
            value: field.value,
            label: field.label,
            preferred: field.preferred,
            components: field.components,
        }
    }
}

/// Each custom property with its text, or with its type and label where it has any; a list where there are several.
fn custom_fields(card: &Card) -> Map<String, Value> {
    let mut custom = Map::new();
    for name in card.custom_names() {
        let mut values: Vec<Value> = card.fields(&name).into_iter().map(custom_value).collect();
        match values.len() {
            0 => {}
            1 => drop(custom.insert(name, values.remove(0))),
            _ => drop(custom.insert(name, values.into())),
        }
    }
    custom
}

fn custom_value(field: Field) -> Value {
    let value = cut(&field.value, CUSTOM_CHARS);
    if field.types.is_empty() && field.label.is_none() && !field.preferred {
        return value.into();
    }
    ContactField { value, ..ContactField::of(field) }.write()
}

/// The text, or its beginning and how much is missing.
pub(super) fn cut(text: &str, chars: usize) -> String {
    let count = text.chars().count();
    if count <= chars {
        return text.to_owned();
    }
    let start: String = text.chars().take(chars).collect();
    format!("{start}… [{} more characters]", count - chars)
}

/// The name of the object's file without `.vcf`.
pub(super) fn file_stem(path: &UrlPath) -> String {
    let name = path.last_segment().unwrap_or_default();
    name.strip_suffix(".vcf").map(str::to_owned).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_says_how_much_is_missing() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüx", 3), "äöü… [1 more characters]");
    }

    #[test]
    fn a_contact_without_uid_or_name_still_has_both() {
        let card = Card::parse("BEGIN:VCARD\nEMAIL:a@b.example\nEND:VCARD\n").unwrap();
        let path = UrlPath::from_encoded("/x/old%20one.vcf");
        let contact = Contact::of(&card, "x", &path, None, Detail { photo: false, note_chars: 9 });
        assert_eq!((contact.uid.as_str(), contact.full_name.as_str()), ("old one", "a@b.example"));
    }
}
