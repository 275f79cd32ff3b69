//! JSON shapes: what a tool takes, what it gives, and how a sloppy value becomes a checked one.
//!
//! A type that crosses the wire implements [`Wire`]: its JSON Schema, its reading and its writing stand in one
//! place. [`params!`](crate::params) and [`record!`](crate::record) write that for a struct, [`choice!`](crate::choice)
//! for an enum. A constraint is a type ([`Count`], [`DavPath`], [`Etag`]), so check and schema cannot disagree.
//!
//! Schemas stay dull on purpose (no `$ref`, no `oneOf`, no type arrays): one odd schema makes some model providers
//! drop a server's whole tool list.

mod members;
mod types;

use serde_json::{Map, Value, json};

pub use members::{Members, Strictness};
pub use types::{Count, DavPath, Etag, Object};

/// A value that goes over the wire as JSON.
pub trait Wire: Sized {
    /// An object member of this type may be missing.
    const OPTIONAL: bool = false;

    /// Its JSON Schema, without description.
    fn schema() -> Value;

    /// Reads a value, forgiving where that is not ambiguous (`"7"` for 7). The error says what was expected.
    fn read(value: Value) -> Result<Self, String>;

    /// Writes the value; [`Value::Null`] stands for "leave the member out".
    fn write(self) -> Value;

    /// What a missing member reads as; `None` where it is required.
    fn missing() -> Option<Self> {
        None
    }
}

impl<T: Wire> Wire for Option<T> {
    const OPTIONAL: bool = true;

    fn schema() -> Value {
        T::schema()
    }

    fn read(value: Value) -> Result<Self, String> {
        if value.is_null() { Ok(None) } else { T::read(value).map(Some) }
    }

    fn write(self) -> Value {
        self.map_or(Value::Null, T::write)
    }

    fn missing() -> Option<Self> {
        Some(None)
    }
}

impl Wire for String {
    fn schema() -> Value {
        json!({"type": "string"})
    }

    fn read(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            other => Err(expected("a string", &other)),
        }
    }

    fn write(self) -> Value {
        Value::String(self)
    }
}

impl Wire for bool {
    fn schema() -> Value {
        json!({"type": "boolean"})
    }

    fn read(value: Value) -> Result<Self, String> {
        match &value {
            Value::Bool(yes) => Ok(*yes),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err(expected("true or false", &value)),
        }
    }

    fn write(self) -> Value {
        Value::Bool(self)
    }
}

impl Wire for i64 {
    fn schema() -> Value {
        json!({"type": "integer"})
    }

    fn read(value: Value) -> Result<Self, String> {
        integer(&value).ok_or_else(|| expected("an integer", &value))
    }

    fn write(self) -> Value {
        self.into()
    }
}

impl Wire for u64 {
    fn schema() -> Value {
        json!({"type": "integer", "minimum": 0})
    }

    fn read(value: Value) -> Result<Self, String> {
        integer(&value)
            .and_then(|n| u64::try_from(n).ok())
            .ok_or_else(|| expected("an integer that is not negative", &value))
    }

    fn write(self) -> Value {
        self.into()
    }
}

impl Wire for f64 {
    fn schema() -> Value {
        json!({"type": "number"})
    }

    fn read(value: Value) -> Result<Self, String> {
        let number = match &value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.filter(|n: &f64| n.is_finite()).ok_or_else(|| expected("a number", &value))
    }

    fn write(self) -> Value {
        self.into()
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn schema() -> Value {
        json!({"type": "array", "items": T::schema()})
    }

    fn read(value: Value) -> Result<Self, String> {
        match unwrap_text(value, Value::is_array) {
            Value::Array(items) => items
                .into_iter()
                .enumerate()
                .map(|(i, item)| T::read(item).map_err(|why| format!("item {}: {why}", i + 1)))
                .collect(),
            other => Err(expected("an array", &other)),
        }
    }

    fn write(self) -> Value {
        Value::Array(self.into_iter().map(T::write).collect())
    }
}

/// One member of an object schema.
pub struct Member {
    pub name: &'static str,
    /// Lines of its doc comment, as rustc hands them to a macro.
    pub about: &'static [&'static str],
    pub schema: Value,
    pub required: bool,
    pub default: Option<Value>,
}

/// The schema of an object with these members.
pub fn object(members: Vec<Member>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for member in members {
        let mut schema = member.schema;
        let about = paragraph(member.about);
        if !about.is_empty() {
            schema["description"] = about.into();
        }
        // "Nothing" and "no" go without saying, and a model pays for each of them.
        if let Some(default) = member.default.filter(|default| *default != "" && *default != false) {
            schema["default"] = default;
        }
        if member.required {
            required.push(Value::from(member.name));
        }
        properties.insert(member.name.into(), schema);
    }
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// The lines of a doc comment as one paragraph.
pub fn paragraph(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Adds a member unless it is absent: an absent value is left out, never `null` (a `null` breaks its own schema).
pub fn put(object: &mut Map<String, Value>, name: &str, value: Value) {
    if !value.is_null() {
        object.insert(name.into(), value);
    }
}

/// "expected X, got Y", with Y cut to a size that can be shown.
pub fn expected(what: &str, got: &Value) -> String {
    let text = got.to_string();
    let shown: String = text.chars().take(60).collect();
    let dots = if shown.len() < text.len() { "…" } else { "" };
    format!("expected {what}, got {shown}{dots}")
}

/// A whole number, also as `7.0` or `"7"`.
fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64()?;
            // Only what a double holds exactly: beyond 2^53 a client's number is no longer the one it meant.
            (float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0).then_some(float as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Some clients send an object or array as JSON inside a string: unpacks that when the content is what was due.
fn unwrap_text(value: Value, wanted: fn(&Value) -> bool) -> Value {
    if let Value::String(text) = &value
        && let Ok(inner) = serde_json::from_str::<Value>(text)
        && wanted(&inner)
    {
        return inner;
    }
    value
}

/// Declares what a tool takes. Unknown names are refused; a member is optional by `Option` or by `= default`.
///
/// ```
/// nextcloud_mcp_server::params! {
///     /// What a search takes.
///     pub struct Search {
///         /// Words to look for.
///         query: String,
///         /// Folder to stay in.
///         scope: Option<String>,
///         /// At most this many.
///         limit: i64 = 20,
///     }
/// }
/// ```
#[macro_export]
macro_rules! params {
    ($($tokens:tt)*) => { $crate::wire_struct!{ $crate::schema::Strictness::RefuseUnknown, $($tokens)* } };
}

/// Declares what a tool gives. Reading ignores unknown names, since Nextcloud adds fields; an `Option` that is
/// `None` is left out of the output. `field as "wireName": Type` names a member whose name is no Rust name.
#[macro_export]
macro_rules! record {
    ($($tokens:tt)*) => { $crate::wire_struct!{ $crate::schema::Strictness::IgnoreUnknown, $($tokens)* } };
}

/// The common part of [`params!`] and [`record!`].
#[doc(hidden)]
#[macro_export]
macro_rules! wire_struct {
    ($strictness:expr, $(#[doc = $about:literal])* $vis:vis struct $name:ident {
        $($(#[doc = $doc:literal])* $field:ident $(as $wire:literal)? : $type:ty $(= $default:expr)?),* $(,)?
    }) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone)]
        #[allow(missing_docs, reason = "the members carry the doc comments that the schema shows")]
        $vis struct $name { $($(#[doc = $doc])* pub $field: $type),* }

        impl $crate::schema::Wire for $name {
            fn schema() -> ::serde_json::Value {
                $crate::schema::object(vec![$($crate::schema::Member {
                    name: $crate::wire_name!($field $($wire)?),
                    about: &[$($doc),*],
                    schema: <$type as $crate::schema::Wire>::schema(),
                    required: !<$type as $crate::schema::Wire>::OPTIONAL $(&& { let _ = stringify!($default); false })?,
                    default: $crate::wire_default!($type $(, $default)?),
                }),*])
            }

            fn read(value: ::serde_json::Value) -> Result<Self, String> {
                #[allow(unused_mut, reason = "a struct without members takes nothing")]
                let mut members = $crate::schema::Members::open(value, $strictness)?;
                $(let $field = members.take::<$type>(
                    $crate::wire_name!($field $($wire)?),
                    || -> Option<$type> { $(return Some(<$type>::from($default));)? #[allow(unreachable_code, reason = "a default answers before it")] <$type as $crate::schema::Wire>::missing() },
                );)*
                members.finish()?;
                Ok($name { $($field: $field.ok_or("a member is missing")?),* })
            }

            fn write(self) -> ::serde_json::Value {
                #[allow(unused_mut, reason = "a struct without members gives nothing")]
                let mut object = ::serde_json::Map::new();
                $($crate::schema::put(
                    &mut object,
                    $crate::wire_name!($field $($wire)?),
                    <$type as $crate::schema::Wire>::write(self.$field),
                );)*
                ::serde_json::Value::Object(object)
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! wire_name {
    ($field:ident $wire:literal) => {
        $wire
    };
    ($field:ident) => {
        stringify!($field)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! wire_default {
    ($type:ty) => {
        None
    };
    ($type:ty, $default:expr) => {
        Some(<$type as $crate::schema::Wire>::write(<$type>::from($default)))
    };
}

/// Declares a closed set of words.
///
/// ```
/// nextcloud_mcp_server::choice! {
///     /// How a file is read.
///     pub enum As { Auto = "auto", Raw = "raw" }
/// }
/// ```
#[macro_export]
macro_rules! choice {
    ($(#[doc = $about:literal])* $vis:vis enum $name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the words say it")]
        $vis enum $name { $($variant),* }

        impl $crate::schema::Wire for $name {
            fn schema() -> ::serde_json::Value {
                ::serde_json::json!({"type": "string", "enum": [$($word),*]})
            }

            fn read(value: ::serde_json::Value) -> Result<Self, String> {
                match value.as_str() {
                    $(Some($word) => Ok($name::$variant),)*
                    _ => Err($crate::schema::expected(concat!("one of", $(" ", $word),*), &value)),
                }
            }

            fn write(self) -> ::serde_json::Value {
                match self { $($name::$variant => $word.into()),* }
            }
        }
    };
}

#[cfg(test)]
mod tests;
