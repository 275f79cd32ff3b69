//! An address on the web that Cookbook keeps or fetches.

use serde_json::{Value, json};

use crate::nextcloud::encode;
use crate::schema::{Wire, expected};

/// Longest address that is taken, in bytes.
const BYTES_MAX: usize = 2_048;

/// An `http` or `https` URL without a user name in it; or none.
///
/// Cookbook drops letters outside ASCII from an address in silence, so they are percent-encoded (RFC 3986 §2.1), and
/// spaces with them. A host name must be in ASCII already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebUrl(String);

impl WebUrl {
    /// The URL, encoded; empty for none.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Wire for WebUrl {
    fn schema() -> Value {
        json!({"type": "string"})
    }

    fn read(value: Value) -> Result<Self, String> {
        let text = String::read(value)?;
        let text = text.trim();
        if text.is_empty() {
            return Ok(WebUrl(String::new()));
        }
        let wanted = || expected("an http or https URL", &text.into());
        let (scheme, rest) = text.split_once("://").ok_or_else(wanted)?;
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let is_web = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        if !is_web || host.is_empty() || text.chars().any(char::is_control) || text.len() > BYTES_MAX {
            return Err(wanted());
        }
        if host.contains('@') {
            return Err("a URL with a user name or password in it is not taken".into());
        }
        if !host.is_ascii() || host.contains([' ', '\\']) {
            return Err("the host name must be in ASCII; write it in its xn-- form".into());
        }
        let encoded: String = rest
            .chars()
            .map(|c| if c.is_ascii_graphic() { c.to_string() } else { encode(&c.to_string()) })
            .collect();
        Ok(WebUrl(format!("{}://{encoded}", scheme.to_ascii_lowercase())))
    }

    fn write(self) -> Value {
        self.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_outside_ascii_are_encoded_and_escapes_stay() {
        let read = |text: &str| WebUrl::read(text.into()).map(|url| url.0);
        assert_eq!(
            read("HTTPS://a.org/Käse Kuchen?q=1%20&x#ü").unwrap(),
            "https://a.org/K%C3%A4se%20Kuchen?q=1%20&x#%C3%BC"
        );
        assert_eq!(read(" ").unwrap(), "");
        for wrong in [
            "a.org",
            "ftp://a.org",
            "https://",
            "file:///etc/passwd",
            "https://käse.de/",
            "https://u:p@a.org/",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
