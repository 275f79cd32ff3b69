//! Leases: a lock between processes that ends by itself if its owner dies.

use rusqlite::{OptionalExtension, params};

use super::error::Error;
use super::{Durability, Store, from_sql_time, to_sql_time};

/// Longest lease, in seconds.
pub const LEASE_S_MAX: u64 = 600;

/// The answer to [`Store::take_lease`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It is ours until this Unix second.
    Ours { until: u64 },
    /// Somebody else has it, until this Unix second at most.
    Theirs { until: u64 },
}

impl Store {
    /// Takes the lease `name` for `owner` (an id of this process and flight) from `now` on for `length_s`, at most
    /// [`LEASE_S_MAX`]. An owner who has it already prolongs it.
    ///
    /// A lease is no proof that the former owner has stopped: what is done under it must stand being done twice.
    pub fn take_lease(&self, name: &str, owner: &str, now: u64, length_s: u64) -> Result<Lease, Error> {
        let until = now.saturating_add(length_s.min(LEASE_S_MAX));
        self.write(Durability::Process, "taking a lease", |transaction| {
            let held: Option<(String, i64)> = transaction
                .query_row("SELECT owner, expires_at FROM lease WHERE name = ?1", [name], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            if let Some((holder, expires_at)) = held {
                let expires_at = from_sql_time(expires_at);
                // One that ends later than any can was taken before the machine's clock was set back.
                let is_valid = now < expires_at && expires_at <= now.saturating_add(LEASE_S_MAX);
                if holder != owner && is_valid {
                    return Ok(Lease::Theirs { until: expires_at });
                }
            }
            transaction.execute(
                "INSERT OR REPLACE INTO lease (name, owner, expires_at) VALUES (?1, ?2, ?3)",
                params![name, owner, to_sql_time(until)],
            )?;
            Ok(Lease::Ours { until })
        })
    }

    /// Gives the lease back. Not an error if somebody else has it by now.
    pub fn release_lease(&self, name: &str, owner: &str) -> Result<(), Error> {
        self.write(Durability::Process, "releasing a lease", |transaction| {
            transaction.execute("DELETE FROM lease WHERE name = ?1 AND owner = ?2", [name, owner])?;
            Ok(())
        })
    }
}
