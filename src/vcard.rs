//! vCards: what the lines of a card mean (RFC 6350 for version 4.0, RFC 2426 for 3.0; 2.1 is read, never written).
//!
//! A [`Card`] is kept as it was stored. A change touches the lines of its own property and nothing else: other lines,
//! groups (`item1.` with Apple's X-ABLabel), parameters and folds stay. No I/O.

mod birthday;
mod fields;
mod older;
mod photo;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use crate::contentline::{self, Component, Line, escape};

pub use birthday::Birthday;
pub use fields::{ADDRESS_PARTS, Entry, Field, read_out};
pub use photo::{PHOTO_BYTES_MAX, Photo};

/// Properties that have a place of their own in [`Card`], or say nothing about the person. All others are
/// [custom](Card::custom_names).
const KNOWN: &[&str] = &[
    "ADR",
    "BDAY",
    "BEGIN",
    "CATEGORIES",
    "EMAIL",
    "END",
    "FN",
    "KIND",
    "MEMBER",
    "N",
    "NICKNAME",
    "NOTE",
    "ORG",
    "PHOTO",
    "PRODID",
    "REV",
    "TEL",
    "TITLE",
    "UID",
    "URL",
    "VERSION",
    "X-ABADR",
    "X-ABLABEL",
    "X-ADDRESSBOOKSERVER-KIND",
    "X-ADDRESSBOOKSERVER-MEMBER",
];

/// What a version of the format does differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 2.1, of old telephones. CardDAV servers do not take it (RFC 6352 §5.1), so it is only read.
    V2,
    V3,
    V4,
}

/// Why a text is no card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Lines(contentline::Fault),
    /// It is something else, such as a calendar.
    NoCard,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Lines(fault) => write!(f, "it is no vCard: {fault}"),
            Fault::NoCard => f.write_str("it is no vCard"),
        }
    }
}

impl std::error::Error for Fault {}

/// The parts of `N`, in the order in which they stand there (RFC 6350 §6.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamePart {
    Family = 0,
    Given = 1,
    Additional = 2,
    Prefix = 3,
    Suffix = 4,
}

/// How many parts `N` has.
const NAME_PARTS: usize = 5;

/// One vCard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    component: Component,
    version: Version,
}

impl Card {
    /// A card with nothing but a UID, in version 3.0: the one that every phone and program takes.
    pub fn new(uid: &str) -> Card {
        let mut component = Component::new("VCARD");
        component.push(Line::new("VERSION", "3.0"));
        component.push(Line::text("UID", uid));
        Card { component, version: Version::V3 }
    }

    /// Reads a text that holds one card. What is no content line is kept and not shown.
    pub fn parse(text: &str) -> Result<Card, Fault> {
        let component = Component::parse(text).map_err(Fault::Lines)?;
        if !component.is("VCARD") {
            return Err(Fault::NoCard);
        }
        let version = match component.line("VERSION").map(|line| line.value().trim()) {
            Some(version) if version.starts_with('4') => Version::V4,
            Some(version) if version.starts_with('2') => {
                let component = older::to_version_3(text).map_err(Fault::Lines)?;
                return Ok(Card { component, version: Version::V2 });
            }
            _ => Version::V3,
        };
        Ok(Card { component, version })
    }

    pub fn version(&self) -> Version {
        self.version
    }

    /// The UID as it stands there, also as `urn:uuid:…`.
    pub fn uid(&self) -> Option<String> {
        self.text("UID")
    }

    /// `FN`; where there is none, what a person would call the card by.
    pub fn full_name(&self) -> String {
        let name = || {
            let order =
                [NamePart::Prefix, NamePart::Given, NamePart::Additional, NamePart::Family, NamePart::Suffix];
            let parts: Vec<String> = order.into_iter().filter_map(|part| self.name_part(part)).collect();
            (!parts.is_empty()).then(|| parts.join(" "))
        };
        let first = |property| self.fields(property).into_iter().next().map(|field| field.value);
        self.text("FN")
            .or_else(name)
            .or_else(|| self.organization())
            .or_else(|| first("EMAIL"))
            .or_else(|| first("TEL"))
            .unwrap_or_default()
    }

    /// One part of `N`.
    pub fn name_part(&self, part: NamePart) -> Option<String> {
        let parts = self.component.line("N")?.to_parts();
        parts.get(part as usize).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Sets one part of `N` and leaves the others as they were written; "" empties it.
    pub fn set_name_part(&mut self, part: NamePart, text: &str) {
        if self.name_part(part).unwrap_or_default() == text {
            return;
        }
        let old = self.component.line("N");
        let mut parts: Vec<String> = old.into_iter().flat_map(Line::raw_parts).map(str::to_owned).collect();
        parts.resize(parts.len().max(NAME_PARTS), String::new());
        parts[part as usize] = escape(text);
        self.put_first("N", Line::new("N", parts.join(";")));
    }

    /// Gives the card an `N` if it has none: RFC 2426 §3.1.2 demands it, and phones show it instead of `FN`. The last
    /// word of the name counts as the family's, but an organization has none.
    pub fn complete_name(&mut self) {
        if self.component.line("N").is_some() {
            return;
        }
        let full = self.full_name();
        let (given, family) = match full.trim().rsplit_once(char::is_whitespace) {
            _ if self.organization().is_some_and(|organization| organization == full) => ("", ""),
            Some((given, family)) => (given.trim_end(), family),
            None => (full.trim(), ""),
        };
        self.component.push(Line::structured("N", [family, given, "", "", ""]));
    }

    /// The first text of a property such as `TITLE`; `None` if it is empty.
    pub fn text(&self, property: &str) -> Option<String> {
        let text = self.component.line(property)?.to_text();
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Sets the first text of a property; "" takes all of them away. Parameters such as LANGUAGE stay.
    pub fn set_text(&mut self, property: &str, text: &str) {
        if text.trim().is_empty() {
            self.remove(property);
        } else if self.text(property).as_deref() != Some(text.trim()) {
            self.put_first(property, Line::text(property, text.trim()));
        }
    }

    /// `NOTE`; several are one text with an empty line between them.
    pub fn note(&self) -> Option<String> {
        let notes = self.component.lines("NOTE").map(|line| line.to_text().trim().to_owned());
        let notes: Vec<String> = notes.filter(|note| !note.is_empty()).collect();
        (!notes.is_empty()).then(|| notes.join("\n\n"))
    }

    /// Sets the note; "" takes it away.
    pub fn set_note(&mut self, text: &str) {
        if text.trim().is_empty() {
            self.remove("NOTE");
        } else if self.note().as_deref() != Some(text.trim()) {
            let old = self.component.line("NOTE").cloned();
            self.component.set(like(Line::text("NOTE", text.trim()), old.as_ref()));
        }
    }

    /// `ORG`: the organization and its units, `ACME; Research`.
    pub fn organization(&self) -> Option<String> {
        let parts = self.component.line("ORG")?.to_parts();
        let parts: Vec<&str> = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// Sets `ORG`; none takes it away.
    pub fn set_organization(&mut self, units: &[String]) {
        if units.is_empty() {
            self.remove("ORG");
        } else if self.organization() != Some(units.join("; ")) {
            self.put_first("ORG", Line::structured("ORG", units.iter().map(String::as_str)));
        }
    }

    /// All texts of a list, over all its lines: `CATEGORIES`, `NICKNAME`.
    pub fn list(&self, property: &str) -> Vec<String> {
        let texts = self.component.lines(property).flat_map(Line::to_list);
        texts.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
    }

    /// Sets a list; none takes it away.
    pub fn set_list(&mut self, property: &str, texts: &[String]) {
        if texts.is_empty() {
            self.remove(property);
        } else if self.list(property) != texts {
            let old = self.component.line(property).cloned();
            let line = Line::list(property, texts.iter().map(String::as_str));
            self.component.set(like(line, old.as_ref()));
        }
    }

    /// `BDAY` in one form: `1985-04-12`, `--04-12` without a year, and anything else as it stands there.
    pub fn birthday(&self) -> Option<String> {
        self.component.line("BDAY").map(birthday::read).filter(|text| !text.is_empty())
    }

    /// Sets `BDAY` in the form of the card's version; `None` takes it away.
    pub fn set_birthday(&mut self, birthday: Option<Birthday>) {
        match birthday {
            None => self.remove("BDAY"),
            Some(day) if self.birthday() == Some(day.to_string()) => {}
            Some(day) => {
                let old = self.component.line("BDAY").cloned();
                let line = day.line(self.version).in_group(old.as_ref().and_then(Line::group));
                self.component.set(line);
            }
        }
    }

    pub fn has_photo(&self) -> bool {
        self.component.line("PHOTO").is_some_and(|line| !line.value().trim().is_empty())
    }

    /// The first photo.
    pub fn photo(&self) -> Option<Photo> {
        self.component.line("PHOTO").and_then(Photo::read)
    }

    /// Sets the photo in the form of the card's version; `None` takes all away.
    pub fn set_photo(&mut self, photo: Option<&Photo>) {
        match photo {
            None => self.remove("PHOTO"),
            Some(photo) if self.photo().as_ref() == Some(photo) => {}
            Some(photo) => {
                let group = self.component.line("PHOTO").and_then(Line::group).map(str::to_owned);
                self.component.set(photo.line(self.version).in_group(group.as_deref()));
            }
        }
    }

    /// `group`, `org`, `location`; a person's card says nothing. Apple's property means the same in version 3.0.
    pub fn kind(&self) -> Option<String> {
        let kind = self.text("KIND").or_else(|| self.text("X-ADDRESSBOOKSERVER-KIND"))?.to_ascii_lowercase();
        (kind != "individual").then_some(kind)
    }

    /// UIDs of a group's members, without `urn:uuid:`.
    pub fn members(&self) -> Vec<String> {
        let lines = self.component.lines("MEMBER").chain(self.component.lines("X-ADDRESSBOOKSERVER-MEMBER"));
        lines.map(|line| bare_uid(line.to_text().trim()).to_owned()).collect()
    }

    /// The names of all other properties in upper case, each once.
    pub fn custom_names(&self) -> BTreeSet<String> {
        let lines = self.component.all_lines().map(|line| line.name().to_ascii_uppercase());
        lines.filter(|name| !KNOWN.contains(&name.as_str())).collect()
    }

    /// Whether a property may be set by its name: one that this module knows by no other way.
    pub fn is_custom(name: &str) -> bool {
        let well_formed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !name.is_empty()
            && name.len() <= 60
            && name.bytes().all(well_formed)
            && !KNOWN.contains(&name.to_ascii_uppercase().as_str())
    }

    /// Puts a line where the first of its property stands and keeps the others; its parameters and group stay.
    fn put_first(&mut self, property: &str, line: Line) {
        let mut lines: Vec<Line> = self.component.lines(property).cloned().collect();
        let line = like(line, lines.first());
        match lines.first_mut() {
            Some(first) => *first = line,
            None => lines.push(line),
        }
        self.component.set_all(property, lines);
    }

    /// Takes a property away, with the labels that stand in a group with it and nothing else.
    fn remove(&mut self, property: &str) {
        let groups = self.groups();
        self.component.remove(property);
        self.drop_labels_of(&groups);
    }

    /// The groups that hold more than Apple's labels, in lower case.
    fn groups(&self) -> BTreeSet<String> {
        let content = self.component.all_lines().filter(|line| !is_label(line));
        content.filter_map(Line::group).map(str::to_ascii_lowercase).collect()
    }

    /// Takes away the labels of groups that held something `before` and do not any more.
    fn drop_labels_of(&mut self, before: &BTreeSet<String>) {
        let after = self.groups();
        let is_gone = |group: &str| {
            let group = group.to_ascii_lowercase();
            before.contains(&group) && !after.contains(&group)
        };
        self.component.retain_lines(|line| !(is_label(line) && line.group().is_some_and(is_gone)));
    }
}

/// The text to store. A card that came in version 2.1 is written in 3.0.
impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.component.fmt(f)
    }
}

/// A UID without the prefix that version 4.0 likes to give it.
pub fn bare_uid(uid: &str) -> &str {
    match uid.get(..9) {
        Some(prefix) if prefix.eq_ignore_ascii_case("urn:uuid:") => &uid[9..],
        _ => uid,
    }
}

/// A new line with parameters and group of an old one, but for those that say how the old value was written.
fn like(line: Line, old: Option<&Line>) -> Line {
    match old {
        None => line,
        Some(old) => ["ENCODING", "CHARSET", "VALUE"]
            .into_iter()
            .fold(line.with_params_of(old), Line::without)
            .in_group(old.group()),
    }
}

/// Apple's lines that only tell more about another line of the group.
fn is_label(line: &Line) -> bool {
    line.is("X-ABLABEL") || line.is("X-ABADR")
}
