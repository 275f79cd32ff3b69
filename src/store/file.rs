//! The files on disk: their folder, their modes, and that they are ours.
//!
//! An existing database is looked at by name and never opened here: POSIX drops a process's locks on a file as soon as
//! *any* of its descriptors for it is closed, SQLite's among them (fcntl(2), "Advisory record locking").

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::Error;

/// Makes folder and file where they are missing, and returns the path with the folder's links resolved.
///
/// SQLite refuses a link anywhere in the path, but systemd's `DynamicUser=` makes the state folder one.
pub(super) fn prepare(path: &Path) -> Result<PathBuf, Error> {
    let Some(name) = path.file_name() else {
        return Err(Error::NotAFile { path: path.to_owned() });
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let path = folder_made(folder)?.join(name);
    if !is_sound(&path)? {
        create(&path)?;
    }
    Ok(path)
}

/// `path` with `ending` after its whole name: `tokens.db` and `.key` give `tokens.db.key`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

/// Whether the file is there. Fails if it is, but is no regular file, or somebody else may read or write it.
pub(super) fn is_sound(path: &Path) -> Result<bool, Error> {
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(Error::File { path: path.to_owned(), source }),
    };
    let path = path.to_owned();
    let mode = metadata.permissions().mode() & 0o7777;
    if metadata.is_symlink() {
        Err(Error::Symlink { path })
    } else if !metadata.is_file() {
        Err(Error::NotAFile { path })
    } else if mode & 0o077 != 0 {
        Err(Error::OpenToOthers { path, mode })
    } else {
        Ok(true)
    }
}

/// Opens a new file for this user alone. Fails if the name is taken, be it by a dangling link.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// The error for a file that could not be made.
pub(super) fn not_made(path: &Path, source: io::Error) -> Error {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Error::ReadOnly { path },
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full { path },
        _ => Error::File { path, source },
    }
}

/// Why SQLite could not open a file, or make its log: it does not tell a read-only disk from other causes.
pub(super) fn not_opened(path: PathBuf) -> Error {
    let probe = beside(&path, ".probe");
    match create_private(&probe) {
        Ok(_) => {
            let _ = fs::remove_file(&probe);
            Error::CannotOpen { path }
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Error::CannotOpen { path },
        Err(source) => not_made(&path, source),
    }
}

fn folder_made(folder: &Path) -> Result<PathBuf, Error> {
    let failed = |source| Error::Folder { path: folder.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let folder = folder.canonicalize().map_err(failed)?;
    let mode = folder.metadata().map_err(failed)?.permissions().mode();
    let (others_write, sticky) = (mode & 0o002 != 0, mode & 0o1000 != 0);
    if others_write && !sticky {
        log::warn!("Any user of the machine may delete the database. folder={}", folder.display());
    }
    Ok(folder)
}

fn create(path: &Path) -> Result<(), Error> {
    match create_private(path) {
        // Kept open for good, once in a database's life: closing it would drop locks that another thread's SQLite
        // may hold on it by now.
        Ok(file) => std::mem::forget(file),
        // Another process was faster.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            is_sound(path)?;
        }
        Err(source) => return Err(not_made(path, source)),
    }
    Ok(())
}
