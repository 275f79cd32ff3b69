//! Content lines: the form that iCalendar (RFC 5545 §3.1) and vCard (RFC 6350 §3.2, RFC 2426) share.
//!
//! What is read is kept as it came, byte by byte: order, folding, case, line ends, and lines that nobody understands.
//! Only a line that is replaced is written anew, in the form of the RFCs. No I/O, and no meaning of any property.

mod line;
#[cfg(test)]
mod tests;

use std::fmt;

pub use line::{Line, escape};

/// Longest text that is read, in bytes; Nextcloud takes objects of up to 10 MiB.
pub const TEXT_BYTES_MAX: usize = 10 << 20;

/// How deep components may lie in each other. A VALARM in a VEVENT in a VCALENDAR is 3.
const DEPTH_MAX: usize = 16;

/// `BEGIN:NAME … END:NAME`: a calendar, an event in it, a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    name: String,
    begin: String,
    end: String,
    items: Vec<Item>,
}

/// What stands in a component, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Line(Line),
    Component(Component),
    /// No content line: kept, and never shown.
    Other(String),
}

/// Why a text is no component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    TooLong,
    TooDeep,
    /// The text does not start with `BEGIN:`.
    NoBegin,
    /// A component has no `END:` of its name.
    NoEnd,
    /// There is something behind the last `END:`.
    Behind,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::TooLong => "it is longer than 10 MiB",
            Fault::TooDeep => "its components lie too deep in each other",
            Fault::NoBegin => "it does not start with BEGIN",
            Fault::NoEnd => "a component has no END",
            Fault::Behind => "there is more behind its END",
        })
    }
}

impl std::error::Error for Fault {}

impl Component {
    /// An empty one.
    pub fn new(name: &str) -> Component {
        Component {
            name: name.to_owned(),
            begin: format!("BEGIN:{name}\r\n"),
            end: format!("END:{name}\r\n"),
            items: Vec::new(),
        }
    }

    /// Reads a text that holds one component, blank lines around it aside.
    pub fn parse(text: &str) -> Result<Component, Fault> {
        let mut all = Component::parse_all(text)?;
        if all.len() > 1 {
            return Err(Fault::Behind);
        }
        all.pop().ok_or(Fault::NoBegin)
    }

    /// Reads a text that holds any number of components one after the other, as an address book's export does.
    pub fn parse_all(text: &str) -> Result<Vec<Component>, Fault> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(Fault::TooLong);
        }
        let mut roots = Vec::new();
        let mut open: Vec<Component> = Vec::new();
        for raw in logical_lines(text.strip_prefix('\u{feff}').unwrap_or(text)) {
            let line = Line::parse(raw);
            match (&line, open.last_mut()) {
                (Some(line), _) if line.is("BEGIN") => {
                    if open.len() == DEPTH_MAX {
                        return Err(Fault::TooDeep);
                    }
                    open.push(Component {
                        name: line.value().trim().to_owned(),
                        begin: raw.to_owned(),
                        end: String::new(),
                        items: Vec::new(),
                    });
                }
                (Some(line), Some(_)) if line.is("END") => {
                    let Some(mut closed) = open.pop_if(|open| open.is(line.value().trim())) else {
                        return Err(Fault::NoEnd);
                    };
                    closed.end = raw.to_owned();
                    match open.last_mut() {
                        Some(parent) => parent.items.push(Item::Component(closed)),
                        None => roots.push(closed),
                    }
                }
                (_, Some(parent)) => parent.items.push(match line {
                    Some(line) => Item::Line(line),
                    None => Item::Other(raw.to_owned()),
                }),
                (None, None) if raw.trim().is_empty() => {}
                (_, None) => return Err(if roots.is_empty() { Fault::NoBegin } else { Fault::Behind }),
            }
        }
        if open.is_empty() { Ok(roots) } else { Err(Fault::NoEnd) }
    }

    /// As it was written: `VEVENT`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has this name, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// All lines of the component itself.
    pub fn all_lines(&self) -> impl Iterator<Item = &Line> {
        self.items.iter().filter_map(|item| match item {
            Item::Line(line) => Some(line),
            _ => None,
        })
    }

    /// The lines of this name, in any case; a vCard's group before it does not matter.
    pub fn lines(&self, name: &str) -> impl Iterator<Item = &Line> {
        self.all_lines().filter(move |line| line.is(name))
    }

    /// The first line of this name.
    pub fn line(&self, name: &str) -> Option<&Line> {
        self.lines(name).next()
    }

    /// The components right inside this one.
    pub fn children(&self) -> impl Iterator<Item = &Component> {
        self.items.iter().filter_map(|item| match item {
            Item::Component(component) => Some(component),
            _ => None,
        })
    }

    /// The same, to be changed.
    pub fn children_mut(&mut self) -> impl Iterator<Item = &mut Component> {
        self.items.iter_mut().filter_map(|item| match item {
            Item::Component(component) => Some(component),
            _ => None,
        })
    }

    /// Adds a line behind the last one, before the first component inside.
    pub fn push(&mut self, line: Line) {
        let last = self.items.iter().rposition(|item| matches!(item, Item::Line(_)));
        self.items.insert(last.map_or(0, |last| last + 1), Item::Line(line));
    }

    /// Adds a component at the end.
    pub fn push_child(&mut self, child: Component) {
        self.items.push(Item::Component(child));
    }

    /// Adds a component before all others, as a VTIMEZONE wants to stand.
    pub fn push_child_first(&mut self, child: Component) {
        let first = self.items.iter().position(|item| matches!(item, Item::Component(_)));
        self.items.insert(first.unwrap_or(self.items.len()), Item::Component(child));
    }

    /// Puts this line where the first of its name stands, or behind the last line, and takes away the others of the name.
    /// A line that says the same as before is left as it was written.
    pub fn set(&mut self, line: Line) {
        let name = line.name().to_owned();
        self.set_all(&name, vec![line]);
    }

    /// The same for several lines of one name; none takes them all away.
    pub fn set_all(&mut self, name: &str, lines: Vec<Line>) {
        let mut new = lines.into_iter().peekable();
        let mut kept = Vec::with_capacity(self.items.len());
        let mut behind = 0;
        for item in std::mem::take(&mut self.items) {
            match item {
                Item::Line(old) if old.is(name) => {
                    let Some(line) = new.next() else { continue };
                    kept.push(Item::Line(if old.says_the_same(&line) { old } else { line }));
                    behind = kept.len();
                }
                item => kept.push(item),
            }
        }
        self.items = kept;
        if behind > 0 {
            self.items.splice(behind..behind, new.map(Item::Line));
        } else {
            new.for_each(|line| self.push(line));
        }
    }

    /// Takes the lines of this name away.
    pub fn remove(&mut self, name: &str) {
        self.retain_lines(|line| !line.is(name));
    }

    /// Keeps only the lines that `keep` says yes to.
    pub fn retain_lines(&mut self, mut keep: impl FnMut(&Line) -> bool) {
        self.items.retain(|item| !matches!(item, Item::Line(line) if !keep(line)));
    }

    /// Keeps only the inner components that `keep` says yes to.
    pub fn retain_children(&mut self, mut keep: impl FnMut(&Component) -> bool) {
        self.items.retain(|item| !matches!(item, Item::Component(child) if !keep(child)));
    }

    fn write_to(&self, out: &mut String) {
        out.push_str(&self.begin);
        for item in &self.items {
            match item {
                Item::Line(line) => line.write_to(out),
                Item::Component(component) => component.write_to(out),
                Item::Other(raw) => out.push_str(raw),
            }
        }
        out.push_str(&self.end);
    }
}

/// The text, with a line end behind the last line if it came with one.
impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write_to(&mut out);
        f.write_str(&out)
    }
}

/// Cuts a text into lines with their folds and line ends: a line that starts with a space or tab goes on with the one
/// before.
fn logical_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0;
        loop {
            end += rest[end..].find('\n').map_or(rest.len() - end, |at| at + 1);
            if !rest[end..].starts_with([' ', '\t']) {
                break;
            }
        }
        let (line, behind) = rest.split_at(end);
        rest = behind;
        Some(line)
    })
}
