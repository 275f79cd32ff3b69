//! One line: `group.NAME;PARAM=value;PARAM="a,b":value`.

/// A content line, unfolded for reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The line as it came, with folds and line end; `None` for one of our own.
    raw: Option<String>,
    group: Option<String>,
    name: String,
    params: Vec<(String, Vec<String>)>,
    value: String,
}

/// RFC 5545 §3.1 and RFC 6350 §3.2: longest physical line, in octets without its line end.
const OCTETS_MAX: usize = 75;

impl Line {
    /// A line with this value as it stands; see [`Line::text`] for a text that must be escaped.
    ///
    /// Control characters other than tab cannot stand in a line and are left out.
    pub fn new(name: &str, value: impl Into<String>) -> Line {
        let mut value = value.into();
        value.retain(|c| c == '\t' || !c.is_control());
        Line { raw: None, group: None, name: name.to_owned(), params: Vec::new(), value }
    }

    /// A line with one text.
    pub fn text(name: &str, text: &str) -> Line {
        Line::new(name, escape(text))
    }

    /// A line with a list of texts, `CATEGORIES:a,b`.
    pub fn list<'a>(name: &str, texts: impl IntoIterator<Item = &'a str>) -> Line {
        Line::new(name, texts.into_iter().map(escape).collect::<Vec<_>>().join(","))
    }

    /// A line with the parts of a structured value, `N:Family;Given;;;`.
    pub fn structured<'a>(name: &str, parts: impl IntoIterator<Item = &'a str>) -> Line {
        Line::new(name, parts.into_iter().map(escape).collect::<Vec<_>>().join(";"))
    }

    /// The same line with one more parameter.
    #[must_use]
    pub fn with(mut self, param: &str, value: &str) -> Line {
        self.raw = None;
        self.params.push((param.to_owned(), vec![value.to_owned()]));
        self
    }

    /// The same line with all parameters of another.
    #[must_use]
    pub fn with_params_of(mut self, other: &Line) -> Line {
        self.raw = None;
        self.params.clone_from(&other.params);
        self
    }

    /// The same line without a parameter.
    #[must_use]
    pub fn without(mut self, param: &str) -> Line {
        self.raw = None;
        self.params.retain(|(name, _)| !name.eq_ignore_ascii_case(param));
        self
    }

    /// The same line in a vCard's group, `item1.EMAIL`.
    #[must_use]
    pub fn in_group(mut self, group: Option<&str>) -> Line {
        self.raw = None;
        self.group = group.map(str::to_owned);
        self
    }

    /// Reads one line with its folds and line end; `None` if it is no content line.
    pub(super) fn parse(raw: &str) -> Option<Line> {
        let text = unfold(raw);
        let head_end = text.find([';', ':'])?;
        let (group, name) = match text[..head_end].rsplit_once('.') {
            Some((group, name)) => (Some(group.to_owned()), name),
            None => (None, &text[..head_end]),
        };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return None;
        }
        let mut params = Vec::new();
        let mut rest = &text[head_end..];
        while let Some(param) = rest.strip_prefix(';') {
            let (param, behind) = read_param(param)?;
            params.push(param);
            rest = behind;
        }
        let value = rest.strip_prefix(':')?.to_owned();
        Some(Line { raw: Some(raw.to_owned()), group, name: name.to_owned(), params, value })
    }

    /// As it was written, without its group.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has this name, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// A vCard's group: `item1`.
    pub fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// The value, unfolded, with its escapes.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The value as one text, without escapes.
    pub fn to_text(&self) -> String {
        unescape(&self.value)
    }

    /// The value as a list of texts: parts between commas that are not escaped.
    pub fn to_list(&self) -> Vec<String> {
        split(&self.value, ',').map(unescape).collect()
    }

    /// The parts of a structured value, between semicolons that are not escaped. Commas in a part stay as they are.
    pub fn to_parts(&self) -> Vec<String> {
        split(&self.value, ';').map(unescape).collect()
    }

    /// The same parts as they were written, with their escapes, so that one can be replaced and the others kept.
    pub fn raw_parts(&self) -> impl Iterator<Item = &str> {
        split(&self.value, ';')
    }

    /// The first value of a parameter, in any case of its name.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params_of(name).next()
    }

    /// All values of a parameter: of `TYPE=a,b;TYPE=c` a, b and c.
    pub fn params_of(&self, name: &str) -> impl Iterator<Item = &str> {
        self.params
            .iter()
            .filter(move |(param, _)| param.eq_ignore_ascii_case(name))
            .flat_map(|(_, values)| values)
            .map(String::as_str)
    }

    /// Names of all parameters.
    pub fn param_names(&self) -> impl Iterator<Item = &str> {
        self.params.iter().map(|(name, _)| name.as_str())
    }

    /// Whether both say the same, however they are folded.
    pub(super) fn says_the_same(&self, other: &Line) -> bool {
        self.group == other.group
            && self.name == other.name
            && self.params == other.params
            && self.value == other.value
    }

    pub(super) fn write_to(&self, out: &mut String) {
        match &self.raw {
            Some(raw) => {
                out.push_str(raw);
                // Only the last line of a text may lack its end; behind it there may be more by now.
                if !raw.ends_with('\n') {
                    out.push_str("\r\n");
                }
            }
            None => fold(&self.unfolded(), out),
        }
    }

    fn unfolded(&self) -> String {
        let mut text = String::new();
        if let Some(group) = &self.group {
            text.push_str(group);
            text.push('.');
        }
        text.push_str(&self.name);
        for (name, values) in &self.params {
            text.push(';');
            text.push_str(name);
            text.push('=');
            let values: Vec<String> = values.iter().map(|value| write_param_value(value)).collect();
            text.push_str(&values.join(","));
        }
        text.push(':');
        text.push_str(&self.value);
        text
    }
}

/// Reads `NAME=value,"value"` or, as vCard 2.1 and careless writers have it, a bare `HOME`, which is a TYPE.
fn read_param(text: &str) -> Option<((String, Vec<String>), &str)> {
    let end = text.find(['=', ';', ':'])?;
    let name = text[..end].to_owned();
    let Some(mut rest) = text[end..].strip_prefix('=') else {
        return Some((("TYPE".to_owned(), vec![name]), &text[end..]));
    };
    let mut values = Vec::new();
    loop {
        let (value, behind) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let close = quoted.find('"')?;
                (&quoted[..close], &quoted[close + 1..])
            }
            None => rest.split_at(rest.find([',', ';', ':'])?),
        };
        values.push(decode_caret(value));
        match behind.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Some(((name, values), behind)),
        }
    }
}

/// RFC 6868: what a parameter's value cannot hold is written with a caret.
fn write_param_value(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars() {
        match c {
            '^' => out.push_str("^^"),
            '"' => out.push_str("^'"),
            '\n' => out.push_str("^n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    if out.contains([',', ';', ':']) { format!("\"{out}\"") } else { out }
}

fn decode_caret(value: &str) -> String {
    if !value.contains('^') {
        return value.to_owned();
    }
    let mut out = String::new();
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        let decoded = match (c, chars.peek()) {
            ('^', Some('^')) => '^',
            ('^', Some('n')) => '\n',
            ('^', Some('\'')) => '"',
            _ => {
                out.push(c);
                continue;
            }
        };
        out.push(decoded);
        chars.next();
    }
    out
}

/// A text as it stands in a value (RFC 5545 §3.3.11, RFC 6350 §3.4).
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n' | 'N') => out.push('\n'),
                Some(escaped @ ('\\' | ';' | ',' | ':' | '"')) => out.push(escaped),
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
            (c, false) => out.push(c),
        }
    }
    out
}

/// The parts between separators that no backslash escapes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut escaped = false;
        let end = text.char_indices().find(|(_, c)| {
            let ends = *c == separator && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        match end {
            Some((at, _)) => {
                rest = Some(&text[at + separator.len_utf8()..]);
                Some(&text[..at])
            }
            None => {
                rest = None;
                Some(text)
            }
        }
    })
}

/// Takes folds and the line end away.
fn unfold(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    for (i, line) in raw.split_inclusive('\n').enumerate() {
        let line = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
        text.push_str(if i == 0 { line } else { &line[1..] });
    }
    text
}

/// Writes one line folded: at most 75 octets each, never inside a character.
fn fold(text: &str, out: &mut String) {
    let mut octets = 0;
    for c in text.chars() {
        if octets + c.len_utf8() > OCTETS_MAX {
            out.push_str("\r\n ");
            octets = 1;
        }
        out.push(c);
        octets += c.len_utf8();
    }
    out.push_str("\r\n");
}
