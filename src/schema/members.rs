//! Reading the members of an object, with every fault told at once.

use serde_json::{Map, Value};

use super::{Wire, expected, unwrap_text};
use crate::spelling::nearest;

/// What to do with a member that nobody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Arguments: a misspelt name must not be lost in silence.
    RefuseUnknown,
    /// Nextcloud's answers: it adds fields.
    IgnoreUnknown,
}

/// An object being read member by member.
pub struct Members {
    object: Map<String, Value>,
    strictness: Strictness,
    known: Vec<&'static str>,
    faults: Vec<String>,
}

impl Members {
    /// Takes an object, also as JSON inside a string.
    pub fn open(value: Value, strictness: Strictness) -> Result<Members, String> {
        match unwrap_text(value, Value::is_object) {
            Value::Object(object) => {
                Ok(Members { object, strictness, known: Vec::new(), faults: Vec::new() })
            }
            other => Err(expected("an object", &other)),
        }
    }

    /// Reads one member. A fault is kept for [`Members::finish`] and gives `None`.
    pub fn take<T: Wire>(&mut self, name: &'static str, missing: impl Fn() -> Option<T>) -> Option<T> {
        self.known.push(name);
        // A client that fills every argument of the schema sends null for the ones it does not mean.
        let value = self.object.shift_remove(name).filter(|value| !value.is_null());
        let Some(value) = value else {
            let value = missing();
            if value.is_none() {
                self.faults.push(format!("`{name}` is required but missing"));
            }
            return value;
        };
        match T::read(value) {
            Ok(value) => Some(value),
            Err(why) => {
                self.faults.push(format!("`{name}`: {why}"));
                None
            }
        }
    }

    /// Ends the reading: all faults in one sentence.
    pub fn finish(mut self) -> Result<(), String> {
        if self.strictness == Strictness::RefuseUnknown {
            for name in self.object.keys() {
                let shown: String = name.chars().take(40).collect();
                self.faults.push(match nearest(&shown, self.known.iter().copied()) {
                    Some(known) => format!("`{shown}` is not known; did you mean `{known}`?"),
                    None if self.known.is_empty() => format!("`{shown}` is not known; none are taken"),
                    None => format!("`{shown}` is not known; known: {}", self.known.join(", ")),
                });
            }
        }
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults.join("; ")) }
    }
}
