//! The tables, as a list of steps that only ever grows.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use super::error::{Error, Failure};

/// Step `n` brings a database from version `n` to `n + 1` (`PRAGMA user_version`). A step that was released is never
/// changed; a new table is a new step at the end.
const MIGRATIONS: &[&str] = &[
    // 1: the key's mark, the client that we are at the provider, leases, the audit trail.
    "CREATE TABLE key_check (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        sealed BLOB NOT NULL
    ) STRICT;
    CREATE TABLE oauth_client (
        issuer TEXT NOT NULL,
        client_id TEXT NOT NULL,
        redirect_uri TEXT NOT NULL,
        scopes TEXT NOT NULL,
        token_type TEXT NOT NULL,
        auth_method TEXT NOT NULL,
        resource TEXT NOT NULL,
        client_secret BLOB,
        registration_access_token BLOB,
        registration_client_uri TEXT,
        issued_at INTEGER,
        expires_at INTEGER,
        created_at INTEGER NOT NULL,
        superseded INTEGER NOT NULL DEFAULT 0 CHECK (superseded IN (0, 1)),
        PRIMARY KEY (issuer, client_id)
    ) STRICT;
    CREATE TABLE lease (
        name TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        who TEXT NOT NULL,
        deed TEXT NOT NULL,
        tool TEXT,
        outcome TEXT NOT NULL
    ) STRICT;",
    // 2: the broker's clients, what people allowed them, and their tokens by hash.
    "CREATE TABLE mcp_client (
        client_id TEXT PRIMARY KEY,
        metadata TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        used_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE access_grant (
        id TEXT PRIMARY KEY,
        client_id TEXT NOT NULL,
        client_name TEXT NOT NULL,
        user_id TEXT NOT NULL,
        login_name TEXT NOT NULL,
        scopes TEXT NOT NULL,
        resource TEXT NOT NULL,
        upstream_kind TEXT NOT NULL,
        upstream BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        used_at INTEGER NOT NULL,
        redeemed_at INTEGER,
        ended_at INTEGER
    ) STRICT;
    CREATE INDEX access_grant_user ON access_grant (user_id);
    CREATE TABLE token (
        hash BLOB PRIMARY KEY,
        grant_id TEXT NOT NULL REFERENCES access_grant (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        scopes TEXT NOT NULL,
        expires_at INTEGER NOT NULL,
        spent_at INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX token_grant ON token (grant_id);
    CREATE TABLE consent (
        client_id TEXT NOT NULL,
        user_id TEXT NOT NULL,
        scopes TEXT NOT NULL,
        given_at INTEGER NOT NULL,
        PRIMARY KEY (client_id, user_id)
    ) STRICT, WITHOUT ROWID;",
    // 3: who signed in at a terminal.
    "CREATE TABLE login (
        nextcloud TEXT PRIMARY KEY,
        user_id TEXT NOT NULL,
        login_name TEXT NOT NULL,
        app_password BLOB NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;",
];

/// Marks the file as ours: `NCMS`. (<https://www.sqlite.org/pragma.html#pragma_application_id>)
const APPLICATION_ID: i32 = 0x4e43_4d53;

/// So many other processes may start in the same moment.
const WAL_ATTEMPTS: u32 = 100;

/// The version that this program brings a database to.
pub(super) const KNOWN: u32 = MIGRATIONS.len() as u32;

/// Refuses what is no database, another program's, or a newer one, before a byte of it is changed.
///
/// Stands inside a transaction: otherwise a first start of another process may come between two questions.
pub(super) fn check(transaction: &Transaction<'_>, path: &Path) -> Result<(), Failure> {
    let found = version(transaction)?;
    let application_id: i32 = transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: u32 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_new = application_id == 0 && found == 0 && tables == 0;
    if application_id != APPLICATION_ID && !is_new {
        return Err(Error::Foreign { path: path.to_owned() }.into());
    }
    if found > KNOWN {
        return Err(Error::Newer { path: path.to_owned(), found, known: KNOWN }.into());
    }
    Ok(())
}

/// Switches to a write-ahead log, in which readers and a writer do not wait for one another.
pub(super) fn use_wal(connection: &mut Connection, path: &Path) -> Result<(), Failure> {
    for _ in 0..WAL_ATTEMPTS {
        let switched: Result<String, _> =
            connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0));
        match switched {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(_) => return Err(Error::NoSharedMemory { path: path.to_owned() }.into()),
            // The switch asks for the lock without waiting where another process switches too; a transaction waits.
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?.rollback()?;
            }
            Err(e) => return Err(e.into()),
        }
    }
    Err(Error::Locked { path: path.to_owned() }.into())
}

/// Takes the steps that this database has not taken yet; all of them or none.
pub(super) fn migrate(transaction: &Transaction<'_>, path: &Path) -> Result<(), Failure> {
    // Again, now that nobody can come between: another process may have been here since.
    check(transaction, path)?;
    let found = version(transaction)?;
    for step in MIGRATIONS.iter().skip(found as usize) {
        transaction.execute_batch(step)?;
    }
    if found < KNOWN {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", KNOWN)?;
    }
    Ok(())
}

/// A negative version is nobody's; it reads as newer than everything.
fn version(connection: &Connection) -> Result<u32, Failure> {
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(u32::try_from(version).unwrap_or(u32::MAX))
}
