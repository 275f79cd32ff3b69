//! Properties of which a card may have several, with types and labels: `EMAIL`, `TEL`, `ADR`, `URL` and whatever else.

use super::{Card, Version, like};
use crate::contentline::{Line, escape};

/// The parts of `ADR`, in the order in which they stand there (RFC 6350 §6.3.1).
pub const ADDRESS_PARTS: [&str; 7] =
    ["po_box", "extended", "street", "city", "region", "postal_code", "country"];
/// In which order an address is read out.
const READ_OUT: [usize; 7] = [2, 1, 0, 5, 3, 4, 6];
/// Types that say nothing to a person; they stay when the others are replaced.
const SILENT: [&str; 3] = ["internet", "pref", "voice"];
/// The type that says as much as none.
const NO_TYPE: &str = "other";

/// One of several values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field {
    /// The types in lower case, `work` or `home,fax`; empty if there are none, or only `other`.
    pub types: String,
    /// One line, unescaped; of an address, its parts read out.
    pub value: String,
    /// Apple's label in words: `HomePage`.
    pub label: Option<String>,
    pub preferred: bool,
    /// The parts of an address; see [`ADDRESS_PARTS`].
    pub components: Option<Vec<String>>,
}

/// One of several values as it shall be. What is `None` stays as it is, or is left out of a new line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    pub value: Option<String>,
    pub types: Option<String>,
    /// "" takes it away.
    pub label: Option<String>,
    pub preferred: Option<bool>,
    /// Of an address, as many as [`ADDRESS_PARTS`]; comes before `value`.
    pub components: Option<Vec<String>>,
}

impl Entry {
    /// An entry that says nothing but its value.
    pub fn plain(value: &str) -> Entry {
        Entry { value: Some(value.to_owned()), ..Entry::default() }
    }

    fn has_the_value_of(&self, field: &Field) -> bool {
        match (&self.components, &field.components) {
            (Some(new), Some(old)) => new == old,
            _ => self.value.as_ref() == Some(&field.value),
        }
    }
}

impl Card {
    /// The lines of a property, in their order; empty ones are passed over.
    pub fn fields(&self, property: &str) -> Vec<Field> {
        let fields = self.component.lines(property).map(|line| self.field(line));
        fields.filter(|field| !field.value.is_empty()).collect()
    }

    /// Makes the lines of a property say these entries. An entry with the value of a line is that line; one with
    /// another value takes the place of a line of the same types that none of the others is. So types, labels and
    /// parameters that an entry does not name stay. Lines that no entry stands for go, with their labels.
    pub fn set_fields(&mut self, property: &str, entries: &[Entry]) {
        let old: Vec<Line> = self.component.lines(property).cloned().collect();
        let fields: Vec<Field> = old.iter().map(|line| self.field(line)).collect();
        let places = places(entries, &fields);
        let one_is_preferred = entries.iter().any(|entry| entry.preferred == Some(true));
        let groups = self.groups();

        let mut kept: Vec<(usize, Line, Option<&str>)> = Vec::new();
        let mut added: Vec<(Line, Option<&str>)> = Vec::new();
        for (entry, place) in entries.iter().zip(&places) {
            let preferred = entry.preferred.or(one_is_preferred.then_some(false));
            let before = place.map(|at| (&old[at], &fields[at]));
            let line = self.changed(property, entry, preferred, before);
            match place {
                Some(at) => kept.push((*at, line, entry.label.as_deref())),
                None => added.push((line, entry.label.as_deref())),
            }
        }
        // An empty line is shown to nobody, so nobody who sends back what was shown wants it gone.
        let is_kept =
            |at: usize| places.contains(&Some(at)) || (fields[at].value.is_empty() && !entries.is_empty());
        let unseen = (0..old.len()).filter(|at| is_kept(*at) && !places.contains(&Some(*at)));
        kept.extend(unseen.map(|at| (at, old[at].clone(), None)));
        kept.sort_by_key(|(at, ..)| *at);
        let mut at = 0;
        self.component.retain_lines(|line| {
            let is_ours = line.is(property);
            at += usize::from(is_ours);
            !is_ours || is_kept(at - 1)
        });
        let (mut lines, mut labels) = (Vec::new(), Vec::new());
        for (line, label) in kept.into_iter().map(|(_, line, label)| (line, label)).chain(added) {
            lines.push(self.labelled(line, label, &mut labels));
        }
        self.component.set_all(property, lines);
        labels.into_iter().for_each(|label| self.component.push(label));
        self.drop_labels_of(&groups);
    }

    /// Replaces the value of the preferred line, or of the first, and keeps the others.
    pub fn set_main_field(&mut self, property: &str, value: &str) {
        let fields = self.fields(property);
        let main = fields.iter().position(|field| field.preferred).unwrap_or(0);
        let mut entries: Vec<Entry> = fields.iter().map(Entry::from).collect();
        match entries.get_mut(main) {
            Some(entry) if entry.value.as_deref() != Some(value) => {
                *entry = Entry { types: entry.types.take(), ..Entry::plain(value) };
            }
            Some(_) => return,
            None => entries.push(Entry::plain(value)),
        }
        self.set_fields(property, &entries);
    }

    fn field(&self, line: &Line) -> Field {
        let types = types(line);
        let shown = normal_types(&types.join(","));
        let preferred = types.iter().any(|kind| kind == "pref") || line.param("PREF") == Some("1");
        let components = line.is("ADR").then(|| {
            let mut parts: Vec<String> =
                line.to_parts().into_iter().map(|part| part.trim().to_owned()).collect();
            parts.resize(ADDRESS_PARTS.len(), String::new());
            parts
        });
        let value = match &components {
            Some(parts) => read_out(parts),
            None => {
                let text = line.to_text().trim().to_owned();
                let is_uri = line.param("VALUE").is_some_and(|kind| kind.eq_ignore_ascii_case("uri"));
                let number = text.strip_prefix("tel:").filter(|_| is_uri && line.is("TEL"));
                number.map(str::to_owned).unwrap_or(text)
            }
        };
        Field { types: shown, value, label: self.label(line), preferred, components }
    }

    /// What Apple's X-ABLABEL says in the line's group.
    fn label(&self, line: &Line) -> Option<String> {
        let group = line.group()?;
        let in_group = |label: &&Line| label.group().is_some_and(|g| g.eq_ignore_ascii_case(group));
        let text = self.component.lines("X-ABLABEL").find(in_group)?.to_text();
        let bare = text.trim().strip_prefix("_$!<").and_then(|text| text.strip_suffix(">!$_"));
        Some(bare.unwrap_or(text.trim()).to_owned()).filter(|text| !text.is_empty())
    }

    /// The line that an entry asks for: the old one itself where that says the same.
    fn changed(
        &self,
        property: &str,
        entry: &Entry,
        preferred: Option<bool>,
        before: Option<(&Line, &Field)>,
    ) -> Line {
        let mut line = match before {
            Some((old, field)) if entry.has_the_value_of(field) => old.clone(),
            // LABEL is the address as it was before, in lines (RFC 6350 §6.3.1).
            Some((old, _)) => like(value_line(property, entry, Some(old)), Some(old)).without("LABEL"),
            None => value_line(property, entry, None),
        };
        let was = before.map(|(_, field)| field);
        if let Some(new) = &entry.types {
            let new = normal_types(new);
            if was.map_or("", |field| &field.types) != new {
                let silent: Vec<String> =
                    types(&line).into_iter().filter(|kind| SILENT.contains(&kind.as_str())).collect();
                line = line.without("TYPE");
                let new = new.split(',').filter(|kind| !kind.is_empty()).map(str::to_owned);
                for kind in new.chain(silent) {
                    line = line.with("TYPE", &self.spelled(&kind));
                }
            }
        }
        if let Some(new) = preferred
            && was.is_some_and(|field| field.preferred) != new
        {
            let others: Vec<String> = types(&line).into_iter().filter(|kind| kind != "pref").collect();
            if others.len() < types(&line).len() {
                line = line.without("TYPE");
                for kind in &others {
                    line = line.with("TYPE", &self.spelled(kind));
                }
            }
            line = line.without("PREF");
            line = match (new, self.version) {
                (false, _) => line,
                (true, Version::V4) => line.with("PREF", "1"),
                (true, _) => line.with("TYPE", "PREF"),
            };
        }
        line
    }

    /// Version 3.0's words are written in capitals, as its programs do; 4.0's as they are.
    fn spelled(&self, kind: &str) -> String {
        if self.version == Version::V4 { kind.to_owned() } else { kind.to_ascii_uppercase() }
    }

    /// The line in the group of its label, which is added to `labels` if it is a new one.
    fn labelled(&mut self, line: Line, label: Option<&str>, labels: &mut Vec<Line>) -> Line {
        let Some(label) = label else { return line };
        if self.label(&line).unwrap_or_default() == label {
            return line;
        }
        let group = match line.group() {
            Some(group) => group.to_owned(),
            None => self.free_group(labels),
        };
        let is_old = |old: &Line| {
            old.is("X-ABLABEL") && old.group().is_some_and(|old| old.eq_ignore_ascii_case(&group))
        };
        let new = Line::text("X-ABLabel", label).in_group(Some(&group));
        if label.is_empty() {
            self.component.retain_lines(|old| !is_old(old));
            return line;
        }
        if self.component.all_lines().any(is_old) {
            let all = self.component.lines("X-ABLABEL");
            let all = all.map(|old| if is_old(old) { new.clone() } else { old.clone() }).collect();
            self.component.set_all("X-ABLABEL", all);
        } else {
            labels.push(new);
        }
        if line.group().is_some() { line } else { line.in_group(Some(&group)) }
    }

    fn free_group(&self, labels: &[Line]) -> String {
        let lines = || self.component.all_lines().chain(labels);
        let is_used = |name: &str| {
            lines().any(|line| line.group().is_some_and(|group| group.eq_ignore_ascii_case(name)))
        };
        let count = lines().count();
        let mut names = (1..=count + 1).map(|n| format!("item{n}"));
        names.find(|name| !is_used(name)).unwrap_or_default()
    }
}

impl From<&Field> for Entry {
    fn from(field: &Field) -> Entry {
        Entry {
            value: Some(field.value.clone()),
            types: Some(field.types.clone()),
            label: field.label.clone(),
            preferred: None,
            components: field.components.clone(),
        }
    }
}

/// Which line each entry stands for.
fn places(entries: &[Entry], fields: &[Field]) -> Vec<Option<usize>> {
    let mut places: Vec<Option<usize>> = vec![None; entries.len()];
    let same_types = |entry: &Entry, field: &Field| {
        entry.types.as_deref().is_none_or(|types| normal_types(types) == field.types)
    };
    type Fits<'a> = &'a dyn Fn(&Entry, &Field) -> bool;
    let rounds: [Fits; 3] = [
        &|entry, field| entry.has_the_value_of(field) && same_types(entry, field),
        &|entry, field| entry.has_the_value_of(field),
        &same_types,
    ];
    for fits in rounds {
        for (i, entry) in entries.iter().enumerate() {
            if places[i].is_none() {
                let free = |at: &usize| !places.contains(&Some(*at));
                places[i] = (0..fields.len()).filter(free).find(|at| fits(entry, &fields[*at]));
            }
        }
    }
    places
}

/// A line with the value of an entry. Parts of an address that say the same as before stay as they were written.
fn value_line(property: &str, entry: &Entry, old: Option<&Line>) -> Line {
    let value = entry.value.as_deref().unwrap_or_default().trim();
    if property.eq_ignore_ascii_case("ADR") {
        let mut in_street = vec![String::new(); ADDRESS_PARTS.len()];
        in_street[2] = value.to_owned();
        let parts = entry.components.as_ref().unwrap_or(&in_street);
        let raw: Vec<&str> = old.into_iter().flat_map(Line::raw_parts).collect();
        let said = old.map(Line::to_parts).unwrap_or_default();
        let written = parts.iter().enumerate().map(|(i, part)| match (said.get(i), raw.get(i)) {
            (Some(said), Some(raw)) if said.trim() == part => (*raw).to_owned(),
            _ => escape(part),
        });
        return Line::new("ADR", written.collect::<Vec<_>>().join(";"));
    }
    let is_text = ["EMAIL", "TEL"].iter().any(|name| property.eq_ignore_ascii_case(name))
        || property.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("X-"));
    // URIs and the structured values of rarer properties have no escapes, or ones that are not ours to judge.
    if is_text { Line::text(property, value) } else { Line::new(property, value) }
}

/// The types of a line in lower case; some programs write several into one pair of quotes.
fn types(line: &Line) -> Vec<String> {
    let types = line.params_of("TYPE").flat_map(|types| types.split(','));
    types.map(|kind| kind.trim().to_ascii_lowercase()).filter(|kind| !kind.is_empty()).collect()
}

/// Types as [`Field::types`] has them.
fn normal_types(types: &str) -> String {
    let types = types.split(',').map(|kind| kind.trim().to_ascii_lowercase());
    let types = types.filter(|kind| !kind.is_empty() && kind != NO_TYPE && !SILENT.contains(&kind.as_str()));
    types.map(|kind| if kind == "mobile" { "cell".to_owned() } else { kind }).collect::<Vec<_>>().join(",")
}

/// The parts of an address in one line.
pub fn read_out(parts: &[String]) -> String {
    let mut out = String::new();
    let mut last = 0;
    for at in READ_OUT {
        let part = parts[at].replace("\r\n", ", ").replace('\n', ", ");
        if part.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push_str(if at == 3 && last == 5 { " " } else { ", " });
        }
        out.push_str(&part);
        last = at;
    }
    out
}
