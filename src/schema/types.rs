//! Checked types: the check and the schema in one place.

use serde_json::{Map, Value, json};

use super::{Wire, expected, unwrap_text};
use crate::secret::Secret;

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Count<MIN, MAX> {
    pub fn get(self) -> usize {
        self.0 as usize
    }
}

impl<const MIN: u32, const MAX: u32> From<u32> for Count<MIN, MAX> {
    /// For defaults in our own tables; a number outside the range becomes the nearest one inside.
    fn from(number: u32) -> Self {
        Count(number.clamp(MIN, MAX))
    }
}

impl<const MIN: u32, const MAX: u32> Wire for Count<MIN, MAX> {
    fn schema() -> Value {
        json!({"type": "integer", "minimum": MIN, "maximum": MAX})
    }

    fn read(value: Value) -> Result<Self, String> {
        let wanted = || expected(&format!("an integer from {MIN} to {MAX}"), &value);
        let number = i64::read(value.clone()).map_err(|_| wanted())?;
        u32::try_from(number).ok().filter(|n| (MIN..=MAX).contains(n)).map(Count).ok_or_else(wanted)
    }

    fn write(self) -> Value {
        self.0.into()
    }
}

/// A path below the user's files, decoded: `/Photos/2026 Summer`. Empty or `/` is the top folder.
///
/// At most 4,096 bytes; no control characters and no `.` or `..` parts, so it cannot leave the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DavPath {
    given: String,
    segments: Vec<String>,
}

impl DavPath {
    pub const BYTES_MAX: usize = 4_096;

    /// Checks a path. The error says what is wrong with it.
    pub fn parse(given: &str) -> Result<DavPath, String> {
        if given.len() > DavPath::BYTES_MAX {
            return Err(format!("the path is longer than {} bytes", DavPath::BYTES_MAX));
        }
        if given.chars().any(char::is_control) {
            return Err("the path holds control characters".into());
        }
        let segments: Vec<String> =
            given.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect();
        if segments.iter().any(|segment| segment == "." || segment == "..") {
            return Err("the path must not hold `.` or `..` parts; write it from the top folder".into());
        }
        Ok(DavPath { given: given.to_owned(), segments })
    }

    /// The parts between the slashes, none of them empty.
    pub fn segments(&self) -> impl Iterator<Item = &str> + Clone {
        self.segments.iter().map(String::as_str)
    }

    pub fn is_root(&self) -> bool {
        self.segments.is_empty()
    }

    /// The last part; empty for the top folder.
    pub fn name(&self) -> &str {
        self.segments.last().map_or("", String::as_str)
    }

    /// The path as the caller wrote it, to be said back to them.
    pub fn as_given(&self) -> &str {
        &self.given
    }

    /// One spelling for each path: `/a/b`, `/` for the top folder.
    pub fn canonical(&self) -> String {
        format!("/{}", self.segments.join("/"))
    }
}

impl From<&str> for DavPath {
    /// For defaults in our own tables; an unusable path becomes the top folder.
    fn from(given: &str) -> DavPath {
        DavPath::parse(given).unwrap_or(DavPath { given: String::new(), segments: Vec::new() })
    }
}

impl std::fmt::Display for DavPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.canonical())
    }
}

impl Wire for DavPath {
    fn schema() -> Value {
        json!({"type": "string"})
    }

    fn read(value: Value) -> Result<Self, String> {
        match &value {
            Value::String(text) => DavPath::parse(text),
            _ => Err(expected("a path", &value)),
        }
    }

    fn write(self) -> Value {
        self.given.into()
    }
}

/// An entity tag the way we show it: strong and without quotes (RFC 9110 §8.8.3).
///
/// Takes what Nextcloud, its web server or a client make of it: quotes, `W/`, Apache's `-gzip`. `*` stands for any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Etag(String);

/// What web servers append to the tag of an answer that they compressed.
const CODING_SUFFIXES: [&str; 4] = ["--gzip", "-gzip", "-br", ";gzip"];

impl Etag {
    /// Brings one of the spellings to ours. Fails on an empty one and on characters that no header may carry.
    pub fn parse(text: &str) -> Result<Etag, String> {
        let text = text.trim();
        let mut text = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
        for suffix in CODING_SUFFIXES {
            text = text.strip_suffix(suffix).unwrap_or(text);
        }
        let text = text.trim_matches('"');
        if text.is_empty() || text.len() > 200 || !text.bytes().all(|b| b.is_ascii_graphic() && b != b'"') {
            return Err("not an etag; take it from the answer of a read or list call".into());
        }
        Ok(Etag(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }

    /// Whether it is `*`: any version, as long as there is one.
    pub fn is_any(&self) -> bool {
        self.0 == "*"
    }
}

impl Wire for Etag {
    fn schema() -> Value {
        json!({"type": "string"})
    }

    fn read(value: Value) -> Result<Self, String> {
        String::read(value).and_then(|text| Etag::parse(&text))
    }

    fn write(self) -> Value {
        self.0.into()
    }
}

/// A password among the arguments. It is read only: neither a fault nor a result shows it.
impl Wire for Secret {
    fn schema() -> Value {
        json!({"type": "string"})
    }

    fn read(value: Value) -> Result<Self, String> {
        String::read(value).map(Secret::new).map_err(|_| "expected a string".into())
    }

    fn write(self) -> Value {
        self.to_string().into()
    }
}

/// An object whose members are not ours to name.
#[derive(Debug, Clone, PartialEq)]
pub struct Object(pub Map<String, Value>);

impl Wire for Object {
    fn schema() -> Value {
        json!({"type": "object", "properties": {}})
    }

    fn read(value: Value) -> Result<Self, String> {
        match unwrap_text(value, Value::is_object) {
            Value::Object(object) => Ok(Object(object)),
            // PHP writes an empty object as an empty array.
            Value::Array(items) if items.is_empty() => Ok(Object(Map::new())),
            other => Err(expected("an object", &other)),
        }
    }

    fn write(self) -> Value {
        Value::Object(self.0)
    }
}
