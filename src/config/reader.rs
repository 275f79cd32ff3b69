//! Reads settings as values of their kind. A fault is kept, and the default takes the place of the value.

use std::path::PathBuf;
use std::time::Duration;

use super::address::BaseUrl;
use super::fault::Fault;
use super::setting::{Kind, Setting};
use super::source::Raw;
use crate::secret::Secret;
use crate::spelling::nearest;

pub(super) struct Reader {
    pub raw: Raw,
}

impl Reader {
    pub fn is_set(&self, setting: &Setting) -> bool {
        self.raw.values.contains_key(setting.key)
    }

    /// Keeps a fault of a value that was written.
    pub fn fault(&mut self, setting: &Setting, problem: &str, remedy: &str) {
        let given = self.raw.values.get(setting.key).and_then(|given| given.first());
        let source = given.map_or_else(|| "default".to_owned(), |g| g.source.to_string());
        self.push(setting, source, problem, remedy);
    }

    /// Keeps a fault of a value that was not written.
    pub fn missing(&mut self, setting: &Setting, problem: &str, remedy: &str) {
        self.push(setting, String::new(), problem, remedy);
    }

    fn push(&mut self, setting: &Setting, source: String, problem: &str, remedy: &str) {
        let (key, problem, remedy) = (setting.key.to_owned(), problem.to_owned(), remedy.to_owned());
        self.raw.faults.push(Fault { key, source, problem, remedy });
    }

    /// What was written, or the default; `None` where there is neither.
    pub fn text(&self, setting: &Setting) -> Option<String> {
        debug_assert!(!setting.secret, "{} is a secret", setting.key);
        let given = self.raw.values.get(setting.key).and_then(|given| given.first());
        let text = given.map_or(setting.default, |g| g.text.trim());
        (!text.is_empty()).then(|| text.to_owned())
    }

    pub fn secret(&self, setting: &Setting) -> Option<Secret> {
        debug_assert!(setting.secret, "{} is no secret", setting.key);
        let given = self.raw.values.get(setting.key)?.first()?;
        Some(Secret::new(given.text.as_str()))
    }

    pub fn path(&self, setting: &Setting) -> Option<PathBuf> {
        self.text(setting).map(PathBuf::from)
    }

    /// A URL as it was written, once it is known to be one.
    pub fn url(&mut self, setting: &Setting) -> Option<String> {
        let text = self.text(setting)?;
        self.base_url(setting).map(|_| text)
    }

    pub fn base_url(&mut self, setting: &Setting) -> Option<BaseUrl> {
        let text = self.text(setting)?;
        match BaseUrl::parse(&text) {
            Ok(url) => Some(url),
            // The text may hold a password before its @.
            Err(problem) if text.contains('@') => {
                self.fault(setting, problem, "");
                None
            }
            Err(problem) => {
                self.fault(setting, &format!("{} {problem}", quote(&text)), "");
                None
            }
        }
    }

    pub fn number(&mut self, setting: &Setting) -> u64 {
        let Kind::Number { min, max } = setting.kind else { return 0 };
        self.ranged(setting, min, max, |text| text.parse().ok())
    }

    pub fn seconds(&mut self, setting: &Setting) -> Duration {
        let Kind::Seconds { min, max } = setting.kind else { return Duration::ZERO };
        Duration::from_secs(self.ranged(setting, min, max, seconds))
    }

    fn ranged(&mut self, setting: &Setting, min: u64, max: u64, parse: fn(&str) -> Option<u64>) -> u64 {
        let text = self.text(setting).unwrap_or_default();
        match parse(&text).filter(|n| (min..=max).contains(n)) {
            Some(n) => n,
            None => {
                let problem = format!("{} is not a whole number from {min} to {max}", quote(&text));
                self.fault(setting, &problem, &format!("write for instance {}", setting.default));
                parse(setting.default).unwrap_or(min)
            }
        }
    }

    pub fn switch(&mut self, setting: &Setting) -> bool {
        let text = self.text(setting).unwrap_or_default();
        switch(&text).unwrap_or_else(|| {
            self.fault(
                setting,
                &format!("{} is neither true nor false", quote(&text)),
                "write true or false",
            );
            setting.default == "true"
        })
    }

    /// One of the words of a choice, in lower case.
    pub fn word(&mut self, setting: &Setting) -> String {
        let Kind::Choice(words) = setting.kind else { return String::new() };
        let text = self.text(setting).unwrap_or_default().to_ascii_lowercase();
        if words.contains(&text.as_str()) {
            return text;
        }
        self.not_among(setting, &text, words);
        setting.default.to_owned()
    }

    /// The words of a list, each once, in the order in which they were written.
    pub fn list(&mut self, setting: &Setting) -> Vec<String> {
        let Kind::List(allowed) = setting.kind else { return Vec::new() };
        let given = self.raw.values.get(setting.key).cloned().unwrap_or_default();
        let mut words: Vec<String> = Vec::new();
        for word in given.iter().flat_map(|g| g.text.split([',', ' ', '\t', '\n'])).filter(|w| !w.is_empty())
        {
            let lower = word.to_ascii_lowercase();
            let word = if allowed.is_empty() { word.to_owned() } else { lower };
            if !allowed.is_empty() && !allowed.contains(&word.as_str()) {
                self.not_among(setting, &word, allowed);
            } else if !words.contains(&word) {
                words.push(word);
            }
        }
        words
    }

    /// The names between the commas, each once, in the order in which they were written.
    pub fn names(&mut self, setting: &Setting) -> Vec<String> {
        let text = self.text(setting).unwrap_or_default();
        let mut names: Vec<String> = Vec::new();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    fn not_among(&mut self, setting: &Setting, text: &str, words: &[&str]) {
        let meant = nearest(text, words.iter().copied());
        let remedy = match meant {
            Some(word) => format!("did you mean {word}?"),
            None => format!("write one of {}", words.join(", ")),
        };
        self.fault(setting, &format!("{} is not known", quote(text)), &remedy);
    }
}

/// A value as it may stand in a message: in quotes, and not all of it if it is long.
pub(super) fn quote(text: &str) -> String {
    const CHARACTERS_MAX: usize = 80;
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("\"{}…\"", &text[..end]),
        None => format!("\"{text}\""),
    }
}

fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn seconds(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit.trim() {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_take_a_unit() {
        let cases = [
            ("50", Some(50)),
            ("2m", Some(120)),
            ("1 h", Some(3600)),
            ("s", None),
            ("5x", None),
            ("-1", None),
        ];
        for (text, value) in cases {
            assert_eq!(seconds(text), value, "{text}");
        }
        assert_eq!(seconds(&format!("{}h", u64::MAX)), None);
    }

    #[test]
    fn a_long_value_is_not_quoted_whole() {
        assert_eq!(quote(&"ä".repeat(100)).chars().count(), 83);
    }
}
