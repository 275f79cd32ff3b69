//! What can be wrong with the database, each with its remedy.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ffi;

use crate::clock::NoRandomness;

/// Why the store did not do what it was asked. `Display` is one sentence for the operator: cause and remedy, no secret.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The folder of the database cannot be made or found.
    Folder { path: PathBuf, source: io::Error },
    /// A file of ours cannot be made, looked at or read.
    File { path: PathBuf, source: io::Error },
    /// A file of ours is a symbolic link.
    Symlink { path: PathBuf },
    /// A folder or a device has the name of the database or the key.
    NotAFile { path: PathBuf },
    /// Group or others may read or write a file of ours.
    OpenToOthers { path: PathBuf, mode: u32 },
    /// The file has another format.
    NotADatabase { path: PathBuf },
    /// The file is another program's database.
    Foreign { path: PathBuf },
    /// A newer version of this program has changed the tables.
    Newer { path: PathBuf, found: u32, known: u32 },
    /// The disk, the folder or the file cannot be written.
    ReadOnly { path: PathBuf },
    /// SQLite cannot open the file or those it keeps beside it.
    CannotOpen { path: PathBuf },
    /// No room is left on the disk, or the database has reached its limit.
    Full { path: PathBuf },
    /// Another process held the database for longer than we wait.
    Locked { path: PathBuf },
    /// The file system has no shared memory, which the write-ahead log needs.
    NoSharedMemory { path: PathBuf },
    /// The content contradicts itself.
    Damaged { path: PathBuf },
    /// The disk failed to read or write.
    Disk { path: PathBuf, detail: String },
    /// `TOKEN_ENCRYPTION_KEY` is no key.
    KeySetting,
    /// The file that should hold the key holds something else.
    KeyFile { path: PathBuf },
    /// The database is sealed, and no key is there.
    KeyMissing { path: PathBuf, key_path: PathBuf },
    /// The database is sealed with another key.
    KeyWrong { path: PathBuf },
    /// A sealed value was changed, or moved from another place.
    Tampered { path: PathBuf, table: &'static str, column: &'static str },
    /// The operating system gave no random bytes.
    NoRandomness,
    /// Any other fault of a statement: most likely ours.
    Statement { path: PathBuf, doing: &'static str, detail: String },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &Path| path.display().to_string();
        match self {
            Error::Folder { path, source } => write!(
                f,
                "the folder {} cannot be made or opened ({source}): make it for the user that runs the server \
                 (mode 0700), or name another file in TOKEN_STORAGE_DB",
                shown(path)
            ),
            Error::File { path, source } => write!(
                f,
                "{} cannot be opened ({source}): check that it and its folder belong to the user that runs the server",
                shown(path)
            ),
            Error::Symlink { path } => write!(
                f,
                "{} is a symbolic link, which is not followed: name the file itself in TOKEN_STORAGE_DB",
                shown(path)
            ),
            Error::NotAFile { path } => write!(
                f,
                "{} is not a regular file: move it away, or name another file in TOKEN_STORAGE_DB",
                shown(path)
            ),
            Error::OpenToOthers { path, mode } => write!(
                f,
                "{0} has mode {mode:04o}, so other users of the machine can get at it: run chmod 600 {0}",
                shown(path)
            ),
            Error::NotADatabase { path } => write!(
                f,
                "{} is not a SQLite database: move it away, or name another file in TOKEN_STORAGE_DB",
                shown(path)
            ),
            Error::Foreign { path } => write!(
                f,
                "{} is the database of another program and is left alone: name another file in TOKEN_STORAGE_DB",
                shown(path)
            ),
            Error::Newer { path, found, known } => write!(
                f,
                "{} was written by a newer version of this program (tables {found}, this one knows {known}): start \
                 that version, or restore a backup from before the upgrade",
                shown(path)
            ),
            Error::ReadOnly { path } => write!(
                f,
                "{} cannot be written: the disk is mounted read-only, or the file or its folder belongs to another \
                 user; remount it, or give both to the user that runs the server",
                shown(path)
            ),
            Error::CannotOpen { path } => write!(
                f,
                "SQLite cannot open {0} or its companions {0}-wal and {0}-shm: the folder must be writable for the \
                 user that runs the server, and the limit of open files (LimitNOFILE=) not reached",
                shown(path)
            ),
            Error::Full { path } => write!(
                f,
                "no room is left to write {}: free some space on its disk; nothing that was stored is lost",
                shown(path)
            ),
            Error::Locked { path } => write!(
                f,
                "{} is held by another process: stop the other server, backup or sqlite3 that uses it",
                shown(path)
            ),
            Error::NoSharedMemory { path } => write!(
                f,
                "the file system of {} cannot keep a write-ahead log (network file systems cannot): name a file on a \
                 local disk in TOKEN_STORAGE_DB",
                shown(path)
            ),
            Error::Damaged { path } => {
                write!(f, "{} is damaged: restore a backup, or move it away to start anew", shown(path))
            }
            Error::Disk { path, detail } => write!(
                f,
                "the disk failed to read or write {} ({detail}): check the disk and the kernel's log",
                shown(path)
            ),
            Error::KeySetting => f.write_str(
                "TOKEN_ENCRYPTION_KEY is not 32 bytes in base64url: make a key with openssl rand -base64 32",
            ),
            Error::KeyFile { path } => write!(
                f,
                "{} does not hold 32 bytes in base64url: put the key back from a backup, or set TOKEN_ENCRYPTION_KEY",
                shown(path)
            ),
            Error::KeyMissing { path, key_path } => write!(
                f,
                "{} is sealed and its key is not there: set TOKEN_ENCRYPTION_KEY, or put the key back at {}; without \
                 it move the database away and start anew",
                shown(path),
                shown(key_path)
            ),
            Error::KeyWrong { path } => write!(
                f,
                "{} is sealed with another key: set TOKEN_ENCRYPTION_KEY to the key it was made with, or remove the \
                 setting if that key lies beside the file; without it move the database away and start anew",
                shown(path)
            ),
            Error::Tampered { path, table, column } => write!(
                f,
                "a sealed value in {} (table {table}, column {column}) was changed or moved from another place: \
                 restore a backup, or move the database away to start anew",
                shown(path)
            ),
            Error::NoRandomness => NoRandomness.fmt(f),
            Error::Statement { path, doing, detail } => write!(
                f,
                "{doing} failed in {} ({detail}): a fault of this program, please report it",
                shown(path)
            ),
        }
    }
}

/// No `source`: the sentence has the cause in it.
impl std::error::Error for Error {}

/// A fault inside a transaction, before it is known what was being done and where.
pub(super) enum Failure {
    Known(Error),
    Sql(rusqlite::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Known(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Sql(error)
    }
}

impl From<NoRandomness> for Failure {
    fn from(_: NoRandomness) -> Failure {
        Failure::Known(Error::NoRandomness)
    }
}

impl Failure {
    pub(super) fn at(self, path: &Path, doing: &'static str) -> Error {
        match self {
            Failure::Known(error) => error,
            Failure::Sql(error) => classify(&error, path, doing),
        }
    }
}

/// The only reading of SQLite's result codes. (<https://www.sqlite.org/rescode.html>)
fn classify(error: &rusqlite::Error, path: &Path, doing: &'static str) -> Error {
    let path = path.to_owned();
    let Some(code) = error.sqlite_error().map(|e| e.extended_code) else {
        // Our own use of rusqlite: a column of another type, a row that is not there. Such texts hold no values.
        return Error::Statement { path, doing, detail: error.to_string() };
    };
    match code {
        ffi::SQLITE_CANTOPEN_SYMLINK => return Error::Symlink { path },
        // What a full disk looks like from shared memory.
        ffi::SQLITE_IOERR_SHMSIZE => return Error::Full { path },
        _ => {}
    }
    // The lower byte is the kind of fault, the rest its variety.
    match code & 0xff {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => Error::Locked { path },
        ffi::SQLITE_READONLY | ffi::SQLITE_PERM => Error::ReadOnly { path },
        ffi::SQLITE_FULL => Error::Full { path },
        ffi::SQLITE_NOTADB => Error::NotADatabase { path },
        ffi::SQLITE_CORRUPT => Error::Damaged { path },
        ffi::SQLITE_CANTOPEN => Error::CannotOpen { path },
        ffi::SQLITE_IOERR => Error::Disk { path, detail: detail(code) },
        _ => Error::Statement { path, doing, detail: detail(code) },
    }
}

/// The code and SQLite's fixed words for it: its longer messages may quote a statement.
fn detail(code: i32) -> String {
    format!("SQLite {code}, {}", ffi::code_to_str(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_code_that_an_operator_can_mend_has_its_own_words() {
        let said = |code| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some("INSERT secret".into()));
            classify(&error, Path::new("/var/lib/x/tokens.db"), "saving").to_string()
        };
        for (code, words) in [
            (ffi::SQLITE_BUSY, "held by another process"),
            (ffi::SQLITE_BUSY_SNAPSHOT, "held by another process"),
            (ffi::SQLITE_READONLY, "cannot be written"),
            (ffi::SQLITE_READONLY_CANTINIT, "cannot be written"),
            (ffi::SQLITE_FULL, "no room is left"),
            (ffi::SQLITE_IOERR_SHMSIZE, "no room is left"),
            (ffi::SQLITE_NOTADB, "not a SQLite database"),
            (ffi::SQLITE_CORRUPT, "is damaged"),
            (ffi::SQLITE_CANTOPEN, "SQLite cannot open"),
            (ffi::SQLITE_CANTOPEN_SYMLINK, "symbolic link"),
            (ffi::SQLITE_IOERR_READ, "the disk failed"),
            (ffi::SQLITE_CONSTRAINT, "a fault of this program"),
        ] {
            let said = said(code);
            assert!(said.contains(words), "{code}: {said}");
            assert!(said.contains("/var/lib/x/tokens.db") && !said.contains("INSERT"), "{said}");
        }
    }
}
