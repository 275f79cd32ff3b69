//! What outlives a restart, in one SQLite file: the OAuth client that we are, the clients that people allowed to act for
//! them with their tokens, the account of somebody who signed in at a terminal, leases and the audit trail.
//!
//! The only user of rusqlite. Secrets are sealed before SQLite sees them (`seal`), with a key that is given or made at
//! the first start (`key`). Every read and write is a typed function of [`Store`]; times are Unix seconds that the
//! caller takes from the clock. Tables come from the append-only list in `schema`.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::clock::Ids;
use crate::secret::Secret;

use error::Failure;
use key::Key;
use seal::Sealer;

mod audit;
mod clients;
mod error;
mod file;
mod grants;
mod key;
mod lease;
mod logins;
mod mcp_clients;
mod schema;
mod seal;
#[cfg(test)]
mod tests;
mod tokens;

pub use audit::{AUDIT_ROWS_MAX, AuditEntry, AuditRecord, Deed, Outcome};
pub use clients::{Client, Registration};
pub use error::Error;
pub use grants::{Grant, Upstream};
pub use lease::{LEASE_S_MAX, Lease};
pub use logins::StoredLogin;
pub use mcp_clients::{MCP_CLIENTS_MAX, McpClient};
pub use tokens::{NewToken, Rotation, TokenHash, TokenKind, TokenRow};

/// The open database. To be shared by all threads; one process at a time writes, others wait.
///
/// Dropping it without [`Store::close`] loses nothing that was committed.
pub struct Store {
    path: PathBuf,
    sealer: Sealer,
    key_made: Option<PathBuf>,
    bounds: Bounds,
    writer: Mutex<Connection>,
    /// Connections at rest; one is opened where none is left.
    readers: Mutex<Vec<Connection>>,
}

/// What tests set to other values than the product.
#[derive(Clone, Copy)]
struct Bounds {
    /// How long a statement waits for another process.
    busy_timeout: Duration,
    /// Largest size of the file in pages of 4 KiB.
    pages_max: u32,
    audit_rows_max: u64,
}

impl Bounds {
    /// 256 MiB of file: some thousand times what a person's server writes.
    const PRODUCT: Bounds =
        Bounds { busy_timeout: Duration::from_secs(5), pages_max: 65_536, audit_rows_max: AUDIT_ROWS_MAX };
}

/// How sure a commit is once it has returned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// Outlives the end of the program, but a power cut may take the last commits with it. `synchronous=NORMAL`
    Process,
    /// Outlives a power cut too, and takes all earlier commits along; some 70 times slower. `synchronous=FULL`
    Power,
}

/// Reads that may be at rest; each holds some 200 kB.
const READERS_MAX: usize = 4;

impl Store {
    /// Opens the database at `path` or makes it: folder 0700, file 0600, tables of this version.
    ///
    /// `key` is `TOKEN_ENCRYPTION_KEY`. Without it the key beside the file is used, and made where the database is new:
    /// then [`Store::key_made_at`] says where, for the log. Fails if files or key are not what they must be; each
    /// [`Error`] says what to do. Waits at most 5 s for another process.
    pub fn open(path: &Path, key: Option<&Secret>, ids: &Ids) -> Result<Store, Error> {
        Store::open_within(path, key, ids, Bounds::PRODUCT)
    }

    fn open_within(path: &Path, key: Option<&Secret>, ids: &Ids, bounds: Bounds) -> Result<Store, Error> {
        let given = key.map(Key::parse_setting).transpose()?;
        let path = file::prepare(path)?;
        let prepare = || {
            let mut writer = connect(&path, bounds)?;
            schema::check(&writer.transaction()?, &path)?;
            schema::use_wal(&mut writer, &path)?;
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            schema::migrate(&transaction, &path)?;
            let (key, key_made) = key::settle(&transaction, &path, given, ids)?;
            transaction.commit()?;
            writer.execute_batch("PRAGMA synchronous = NORMAL")?;
            Ok((writer, Sealer::new(&key, ids), key_made))
        };
        let (writer, sealer, key_made) =
            prepare().map_err(|failure: Failure| match failure.at(&path, "opening the database") {
                Error::CannotOpen { path } => file::not_opened(path),
                error => error,
            })?;
        Ok(Store {
            path,
            sealer,
            key_made,
            bounds,
            writer: Mutex::new(writer),
            readers: Mutex::new(Vec::new()),
        })
    }

    /// The file, with its folder's links resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where this start put a new key; `None` where there was one.
    pub fn key_made_at(&self) -> Option<&Path> {
        self.key_made.as_deref()
    }

    /// Moves what the write-ahead log holds into the database and empties the log; once a day is enough.
    pub fn checkpoint(&self) -> Result<(), Error> {
        lock(&self.writer)
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
            .map_err(|e| Failure::from(e).at(&self.path, "emptying the write-ahead log"))
    }

    /// Tidies up before the program ends. The store can still be used.
    pub fn close(&self) -> Result<(), Error> {
        lock(&self.readers).clear();
        lock(&self.writer)
            .execute_batch("PRAGMA optimize")
            .map_err(|e| Failure::from(e).at(&self.path, "tidying up"))?;
        self.checkpoint()
    }

    /// Runs `work` in a transaction that no other writer can come between; it is undone if `work` fails or panics.
    fn write<T>(
        &self,
        durability: Durability,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let mut writer = lock(&self.writer);
        let run = || {
            // Set each time, since a panic may have left it otherwise; it cannot be set inside a transaction.
            writer.execute_batch(match durability {
                Durability::Process => "PRAGMA synchronous = NORMAL",
                Durability::Power => "PRAGMA synchronous = FULL",
            })?;
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        run().map_err(|failure: Failure| failure.at(&self.path, doing))
    }

    /// Runs `work` on a connection that cannot write, beside a writer and other readers.
    fn read<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let run = || {
            let rested = lock(&self.readers).pop();
            let reader = match rested {
                Some(reader) => reader,
                None => {
                    let reader = connect(&self.path, self.bounds)?;
                    reader.execute_batch("PRAGMA query_only = on")?;
                    reader
                }
            };
            let value = work(&reader);
            let mut readers = lock(&self.readers);
            if readers.len() < READERS_MAX {
                readers.push(reader);
            }
            value
        };
        run().map_err(|failure: Failure| failure.at(&self.path, doing))
    }
}

/// Opens a connection with our settings to a file that exists.
fn connect(path: &Path, bounds: Bounds) -> Result<Connection, Failure> {
    // No CREATE: SQLite would make the file readable by others. No URI: a path is a path.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(bounds.busy_timeout)?;
    // `temp_store`: nothing spills into a folder that others can read.
    connection.execute_batch(&format!(
        "PRAGMA trusted_schema = off;
         PRAGMA foreign_keys = on;
         PRAGMA secure_delete = on;
         PRAGMA temp_store = memory;
         PRAGMA cache_size = -512;
         PRAGMA journal_size_limit = 1048576;
         PRAGMA max_page_count = {};",
        bounds.pages_max
    ))?;
    // Where the file cannot be written SQLite opens it for reading without a word.
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        return Err(Error::ReadOnly { path: path.to_owned() }.into());
    }
    Ok(connection)
}

/// A panic of another thread leaves a connection usable: its transaction has been undone.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// SQLite's integers have a sign. Later than the year 292 billion is the end of time.
fn to_sql_time(unix_s: u64) -> i64 {
    i64::try_from(unix_s).unwrap_or(i64::MAX)
}

fn from_sql_time(unix_s: i64) -> u64 {
    u64::try_from(unix_s).unwrap_or(0)
}
