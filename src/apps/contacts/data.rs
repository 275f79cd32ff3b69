//! `contact_data`: the fields of a contact as a caller gives them, written into its card.
//!
//! An absent field stays as it is; "", [] or null clears it. What a list or search shows is taken back as it is, so that a
//! contact can be read, changed and sent back; an unknown key is an error, so that nothing is lost in silence.

use serde_json::{Map, Value};

use super::contact::{CUSTOM_CHARS, Contact, NOTE_CHARS_ALONE, NOTE_CHARS_LISTED, cut};
use crate::schema::{Wire, expected};
use crate::tool::ToolError;
use crate::vcard::{ADDRESS_PARTS, Birthday, Card, Entry, NamePart, Photo, read_out};

/// Where a key's value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    FullName,
    Name(NamePart),
    Nickname,
    Organization,
    Title,
    Note,
    Birthday,
    Categories,
    Photo,
    Fields(&'static str),
    Custom,
    /// Shown by the tools, and of no use here.
    PassedOver,
    /// Shown by the tools, and not to be changed.
    Fixed,
}

/// Every key; of several for one place, the first is the one that the tools show.
const KEYS: &[(&str, Place)] = &[
    ("fn", Place::FullName),
    ("given_name", Place::Name(NamePart::Given)),
    ("family_name", Place::Name(NamePart::Family)),
    ("middle_name", Place::Name(NamePart::Additional)),
    ("prefix", Place::Name(NamePart::Prefix)),
    ("suffix", Place::Name(NamePart::Suffix)),
    ("nickname", Place::Nickname),
    ("organization", Place::Organization),
    ("org", Place::Organization),
    ("title", Place::Title),
    ("emails", Place::Fields("EMAIL")),
    ("email", Place::Fields("EMAIL")),
    ("phones", Place::Fields("TEL")),
    ("phone", Place::Fields("TEL")),
    ("tel", Place::Fields("TEL")),
    ("addresses", Place::Fields("ADR")),
    ("address", Place::Fields("ADR")),
    ("urls", Place::Fields("URL")),
    ("url", Place::Fields("URL")),
    ("note", Place::Note),
    ("birthday", Place::Birthday),
    ("bday", Place::Birthday),
    ("categories", Place::Categories),
    ("photo", Place::Photo),
    ("custom_fields", Place::Custom),
    ("uid", Place::PassedOver),
    ("etag", Place::PassedOver),
    ("resource_path", Place::PassedOver),
    ("addressbook", Place::PassedOver),
    ("has_photo", Place::PassedOver),
    ("photo_bytes", Place::PassedOver),
    ("kind", Place::Fixed),
    ("members", Place::Fixed),
    ("member_count", Place::Fixed),
];
/// What an entry of a list may have, besides the parts of an address.
const ENTRY_KEYS: [&str; 5] = ["type", "value", "label", "preferred", "components"];
/// Other names of parts of an address.
const PART_ALIASES: [(&str, &str); 3] =
    [("state", "region"), ("zip", "postal_code"), ("postcode", "postal_code")];

/// Writes the fields into a card. `shown` is the card as the tools show it before; `None` for a new one. Fails with all
/// faults at once; the card is then of no use.
pub(super) fn apply(
    card: &mut Card,
    data: &Map<String, Value>,
    shown: Option<&Contact>,
) -> Result<(), ToolError> {
    let shown = shown.map_or(Value::Null, |contact| contact.clone().write());
    let mut faults = Vec::new();
    let mut seen: Vec<(Place, &str)> = Vec::new();
    for (key, value) in data {
        let Some((_, place)) = KEYS.iter().find(|(known, _)| known == key) else {
            faults.push(unknown(key));
            continue;
        };
        let is_aside = matches!(place, Place::PassedOver | Place::Fixed);
        if let Some((_, other)) = seen.iter().find(|(other, _)| other == place && !is_aside) {
            faults.push(format!("`{other}` and `{key}` are the same field; give one of them"));
        }
        seen.push((*place, key));
        if let Err(why) = put(card, *place, value, &shown[key]) {
            faults.push(format!("`{key}`: {why}"));
        }
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(ToolError::Arguments(format!("in `contact_data`: {}", faults.join("; ")))),
    }
}

fn unknown(key: &str) -> String {
    let shown: String = key.chars().take(40).collect();
    let known: Vec<&str> = KEYS
        .iter()
        .filter(|(_, place)| !matches!(place, Place::PassedOver | Place::Fixed))
        .map(|(key, _)| *key)
        .collect();
    format!(
        "`{shown}` is no field of a contact; known: {}. Other vCard properties go into custom_fields, e.g. \
         {{\"X-FOO\": \"text\"}}",
        known.join(", ")
    )
}

/// Puts one value into its place. `shown` is what the tools show under this key.
fn put(card: &mut Card, place: Place, value: &Value, shown: &Value) -> Result<(), String> {
    match place {
        Place::FullName => match text(value)? {
            name if name.trim().is_empty() => return Err("a contact needs a name; it cannot be empty".into()),
            name => card.set_text("FN", &name),
        },
        Place::Name(part) => card.set_name_part(part, text(value)?.trim()),
        Place::Title => card.set_text("TITLE", &text(value)?),
        Place::Note => put_note(card, &text(value)?),
        Place::Nickname => card.set_list("NICKNAME", &texts(value, ',')?),
        Place::Categories => card.set_list("CATEGORIES", &texts(value, ',')?),
        Place::Organization => card.set_organization(&texts(value, ';')?),
        Place::Birthday => put_birthday(card, text(value)?.trim())?,
        Place::Photo => put_photo(card, text(value)?.trim())?,
        Place::Fields(property) => put_fields(card, property, value)?,
        Place::Custom => put_custom(card, value)?,
        Place::PassedOver => {}
        Place::Fixed if value.is_null() || value == shown => {}
        Place::Fixed => return Err("it cannot be set here; leave it out".into()),
    }
    Ok(())
}

fn put_note(card: &mut Card, new: &str) {
    let current = card.note().unwrap_or_default();
    // A note that was cut when it was shown comes back as it was shown.
    let is_cut = [NOTE_CHARS_LISTED, NOTE_CHARS_ALONE].iter().any(|chars| new == cut(&current, *chars));
    if !is_cut {
        card.set_note(new);
    }
}

fn put_birthday(card: &mut Card, new: &str) -> Result<(), String> {
    if new.is_empty() {
        card.set_birthday(None);
    } else if card.birthday().as_deref() != Some(new) {
        let day = Birthday::parse(new)
            .ok_or("it must be a date such as 1985-04-12, or --04-12 without the year")?;
        card.set_birthday(Some(day));
    }
    Ok(())
}

fn put_photo(card: &mut Card, new: &str) -> Result<(), String> {
    if new.is_empty() {
        card.set_photo(None);
    } else if card.photo().map(|photo| photo.to_uri()).as_deref() != Some(new) {
        card.set_photo(Some(&Photo::parse(new)?));
    }
    Ok(())
}

/// A text stands for the preferred (or first) entry, a list for all of them.
fn put_fields(card: &mut Card, property: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Null => card.set_fields(property, &[]),
        Value::String(text) if text.trim().is_empty() => card.set_fields(property, &[]),
        Value::String(text) => card.set_main_field(property, text.trim()),
        Value::Number(number) => card.set_main_field(property, &number.to_string()),
        Value::Array(items) => card.set_fields(property, &entries(items, property)?),
        Value::Object(_) => {
            let count = card.fields(property).len();
            if count > 1 {
                return Err(format!("there are {count}; give a list of all that should be there"));
            }
            card.set_fields(property, &[entry(value, property)?]);
        }
        Value::Bool(_) => return Err(expected("a text or a list", value)),
    }
    Ok(())
}

/// Properties without a key of their own, by their name. Those that are not named stay.
fn put_custom(card: &mut Card, value: &Value) -> Result<(), String> {
    let Value::Object(custom) = value else {
        return Err(expected("an object of vCard properties", value));
    };
    for (name, value) in custom {
        if !Card::is_custom(name) {
            return Err(format!("{name:?} is no name of a vCard property, or has a key of its own"));
        }
        let current = card.fields(name);
        let mut new = match value {
            Value::Null => Vec::new(),
            Value::String(text) if text.trim().is_empty() => Vec::new(),
            Value::Array(items) => entries(items, name)?,
            one => vec![entry(one, name)?],
        };
        for entry in &mut new {
            let whole = current.iter().find(|field| Some(cut(&field.value, CUSTOM_CHARS)) == entry.value);
            if let Some(field) = whole {
                entry.value = Some(field.value.clone());
            }
        }
        card.set_fields(name, &new);
    }
    Ok(())
}

fn entries(items: &[Value], property: &str) -> Result<Vec<Entry>, String> {
    let read = |(i, item)| entry(item, property).map_err(|why| format!("item {}: {why}", i + 1));
    items.iter().enumerate().map(read).collect()
}

/// A text, or an object as the tools show it.
fn entry(value: &Value, property: &str) -> Result<Entry, String> {
    let Value::Object(members) = value else {
        let text = text(value)?;
        if text.trim().is_empty() {
            return Err("it is empty".into());
        }
        return Ok(Entry::plain(text.trim()));
    };
    let is_address = property == "ADR";
    let mut entry = Entry::default();
    let mut parts: Option<Vec<String>> = None;
    for (key, value) in members {
        let part = PART_ALIASES.iter().find(|(alias, _)| alias == key).map_or(key.as_str(), |(_, part)| part);
        match (key.as_str(), ADDRESS_PARTS.iter().position(|known| *known == part && is_address)) {
            (_, Some(at)) => {
                parts.get_or_insert_with(|| vec![String::new(); ADDRESS_PARTS.len()])[at] =
                    text(value)?.trim().to_owned();
            }
            ("value", _) => entry.value = Some(text(value)?.trim().to_owned()),
            ("type", _) => entry.types = Some(texts(value, ',')?.join(",")),
            ("label", _) => entry.label = Some(text(value)?.trim().to_owned()),
            ("preferred", _) => entry.preferred = Option::<bool>::read(value.clone())?,
            ("components", _) if is_address => entry.components = components(value)?,
            _ => {
                let parts = if is_address { ADDRESS_PARTS.as_slice() } else { &[] };
                let known = [&ENTRY_KEYS, parts].concat();
                return Err(format!("`{key}` is not known; known: {}", known.join(", ")));
            }
        }
    }
    if parts.is_some() && entry.components.is_some() {
        return Err("give either `components` or street, city and so on".into());
    }
    entry.components = entry.components.or(parts);
    match (&entry.components, &entry.value) {
        (None, value) if value.as_deref().unwrap_or_default().is_empty() => Err("it needs a `value`".into()),
        (Some(parts), _) if parts.iter().all(String::is_empty) => Err("the address is empty".into()),
        (Some(parts), Some(value)) if *value != read_out(parts) => {
            Err("`value` and the parts of the address say different things; leave `value` out".into())
        }
        _ => Ok(entry),
    }
}

/// All parts of an address; missing ones at the end are empty.
fn components(value: &Value) -> Result<Option<Vec<String>>, String> {
    let mut parts = match value {
        Value::Null => return Ok(None),
        Value::Array(items) => items.iter().map(text).collect::<Result<Vec<String>, String>>()?,
        other => return Err(expected("a list of the parts", other)),
    };
    if parts.len() > ADDRESS_PARTS.len() {
        return Err(format!("an address has {} parts: {}", ADDRESS_PARTS.len(), ADDRESS_PARTS.join(", ")));
    }
    parts.iter_mut().for_each(|part| *part = part.trim().to_owned());
    parts.resize(ADDRESS_PARTS.len(), String::new());
    Ok(Some(parts))
}

/// One text; null and an empty list are "".
fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::Array(items) if items.is_empty() => Ok(String::new()),
        Value::Array(items) if items.len() == 1 => text(&items[0]),
        other => String::read(other.clone()).map_err(|_| expected("a text", other)),
    }
}

/// Several texts, as a list or between separators.
fn texts(value: &Value, separator: char) -> Result<Vec<String>, String> {
    let texts = match value {
        Value::Array(items) => items.iter().map(text).collect::<Result<Vec<String>, String>>()?,
        one => text(one)?.split(separator).map(str::to_owned).collect(),
    };
    Ok(texts.iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect())
}

#[cfg(test)]
mod tests;
