//! What is wrong with the configuration, all of it at once, each with what to write instead.

use std::fmt;

use crate::log::escape;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The setting: an environment key, or a flag where no setting is known.
    pub key: String,
    /// Where it was set: `flag --port`, `environment`, `.env line 3`; empty where it was not set at all.
    pub source: String,
    pub problem: String,
    /// What to write.
    pub remedy: String,
}

/// Everything that is wrong; never empty. One line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.key))?;
        if !self.source.is_empty() {
            write!(f, " ({})", escape(&self.source))?;
        }
        write!(f, ": {}", escape(&self.problem))?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", escape(&self.remedy)) }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// The name among `known` that was probably meant: at most a third of `word` is wrong. Of two, the one that goes on
/// where `word` ends.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    known
        .map(|name| (edit_distance(word, name), name))
        .filter(|(distance, _)| *distance <= (length / 3).max(1))
        .min_by_key(|(distance, name)| (*distance, !name.starts_with(word)))
        .map(|(_, name)| name)
}

/// Levenshtein's distance: insertions, deletions and replacements of characters, upper and lower case alike.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_ascii_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.to_ascii_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_strangers_are_not() {
        let known = ["NEXTCLOUD_HOST", "NEXTCLOUD_USERNAME", "MCP_AUTH_TOKEN"];
        let nearest = |word| nearest(word, known.into_iter());
        assert_eq!(nearest("NEXTCLOUD_HOTS"), Some("NEXTCLOUD_HOST"));
        assert_eq!(nearest("NEXTCLOUD_URL"), Some("NEXTCLOUD_HOST"));
        assert_eq!(nearest("NEXTCLOUD_USER"), Some("NEXTCLOUD_USERNAME"));
        assert_eq!(nearest("MCP_SOMETHING_ELSE_ALTOGETHER"), None);
        assert_eq!(edit_distance("kitten", "Sitting"), 3);
    }

    #[test]
    fn a_fault_is_one_line_whatever_it_quotes() {
        let fault = Fault {
            key: "MCP_PORT".into(),
            source: "environment".into(),
            problem: "\"8\n0\" is not a number".into(),
            remedy: "write 0 to 65535".into(),
        };
        assert_eq!(fault.to_string(), "MCP_PORT (environment): \"8\\n0\" is not a number; write 0 to 65535");
    }
}
