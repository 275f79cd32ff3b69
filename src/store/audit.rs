//! The audit trail: who did what with which outcome. No arguments, no content, a bounded number of rows.

use rusqlite::params;

use super::error::Error;
use super::{Durability, Store, from_sql_time, to_sql_time};

/// Rows that are kept; the oldest go first.
pub const AUDIT_ROWS_MAX: u64 = 10_000;

/// Longer names are cut: they come from outside.
const NAME_CHARS_MAX: usize = 128;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Registered a client: we at the provider, or a client with us.
    Registered,
    /// Signed in.
    Connected,
    /// Allowed a client to act for them.
    Granted,
    /// Took that back.
    Revoked,
    /// Called a tool.
    Called,
}

impl Deed {
    const ALL: [Deed; 5] = [Deed::Registered, Deed::Connected, Deed::Granted, Deed::Revoked, Deed::Called];

    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Deed::Registered => "registered",
            Deed::Connected => "connected",
            Deed::Granted => "granted",
            Deed::Revoked => "revoked",
            Deed::Called => "called",
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Not allowed.
    Refused,
    /// Allowed, and went wrong.
    Failed,
}

impl Outcome {
    const ALL: [Outcome; 3] = [Outcome::Done, Outcome::Refused, Outcome::Failed];

    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
        }
    }
}

/// One line of the trail, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditEntry<'a> {
    /// Unix seconds.
    pub at: u64,
    /// The user, or the client where there is no user yet. Never a token. Cut after 128 characters.
    pub who: &'a str,
    pub deed: Deed,
    pub tool: Option<&'a str>,
    pub outcome: Outcome,
}

/// One line of the trail, as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Unix seconds.
    pub at: u64,
    pub who: String,
    pub deed: Deed,
    pub tool: Option<String>,
    pub outcome: Outcome,
}

impl Store {
    /// Writes a line, and drops the oldest where there are more than [`AUDIT_ROWS_MAX`].
    pub fn audit(&self, entry: &AuditEntry<'_>) -> Result<(), Error> {
        self.write(Durability::Process, "writing the audit trail", |transaction| {
            transaction.execute(
                "INSERT INTO audit (at, who, deed, tool, outcome) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    to_sql_time(entry.at),
                    cut(entry.who),
                    entry.deed.as_str(),
                    entry.tool.map(cut),
                    entry.outcome.as_str(),
                ],
            )?;
            // The newest line is never deleted, so ids go up by one and this finds a line or two by their id.
            let rows_max = i64::try_from(self.bounds.audit_rows_max).unwrap_or(i64::MAX);
            let oldest_gone = transaction.last_insert_rowid().saturating_sub(rows_max);
            transaction.execute("DELETE FROM audit WHERE id <= ?1", [oldest_gone])?;
            Ok(())
        })
    }

    /// The last `count` lines, the newest first. Words of a newer version are left out.
    pub fn audit_trail(&self, count: u32) -> Result<Vec<AuditRecord>, Error> {
        self.read("reading the audit trail", |connection| {
            let mut statement = connection
                .prepare("SELECT at, who, deed, tool, outcome FROM audit ORDER BY id DESC LIMIT ?1")?;
            let mut rows = statement.query([count])?;
            let mut records = Vec::new();
            while let Some(row) = rows.next()? {
                let (deed, outcome): (String, String) = (row.get("deed")?, row.get("outcome")?);
                let (Some(deed), Some(outcome)) = (
                    Deed::ALL.into_iter().find(|known| known.as_str() == deed),
                    Outcome::ALL.into_iter().find(|known| known.as_str() == outcome),
                ) else {
                    continue;
                };
                records.push(AuditRecord {
                    at: from_sql_time(row.get("at")?),
                    who: row.get("who")?,
                    deed,
                    tool: row.get("tool")?,
                    outcome,
                });
            }
            Ok(records)
        })
    }
}

fn cut(name: &str) -> &str {
    let end = name.char_indices().nth(NAME_CHARS_MAX).map_or(name.len(), |(at, _)| at);
    &name[..end]
}
