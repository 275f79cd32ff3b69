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

#[cfg(test)]
mod tests {
    use super::*;

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
