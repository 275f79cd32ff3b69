//! The place of the database.

use std::path::PathBuf;

use super::Error;
use crate::clock::Ids;
use crate::config::Storage;
use crate::store::Store;

/// Opens the database, which is made if there is none.
pub(super) fn open(storage: &Storage, ids: &Ids) -> Result<Store, Error> {
    let file = file(storage)?;
    let store = Store::open(&file, storage.encryption_key.as_ref(), ids)
        .map_err(|error| Error::Unavailable { what: error.to_string(), source: None })?;
    if let Some(key) = store.key_made_at() {
        log::info!(
            "Made a key for the secrets in the database; back both up together file={}",
            key.display()
        );
    }
    Ok(store)
}

/// Opens the database if there is one: whoever only looks must not make it.
pub(super) fn open_existing(storage: &Storage, ids: &Ids) -> Result<Option<Store>, Error> {
    // Also where there is no place for one.
    let is_there = file(storage).is_ok_and(|file| file.try_exists().unwrap_or(true));
    if is_there { open(storage, ids).map(Some) } else { Ok(None) }
}

/// `TOKEN_STORAGE_DB`, else `$STATE_DIRECTORY/tokens.db` (systemd), else `tokens.db` in the XDG state folder.
fn file(storage: &Storage) -> Result<PathBuf, Error> {
    if let Some(file) = &storage.file {
        return Ok(file.clone());
    }
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // systemd joins several folders with colons; ours is the first.
    let systemd = std::env::var("STATE_DIRECTORY")
        .ok()
        .and_then(|all| all.split(':').next().filter(|first| !first.is_empty()).map(PathBuf::from));
    let xdg = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")));
    match (systemd, xdg) {
        (Some(folder), _) => Ok(folder.join("tokens.db")),
        (None, Some(folder)) => Ok(folder.join(env!("CARGO_PKG_NAME")).join("tokens.db")),
        (None, None) => Err(Error::Unavailable {
            what: "there is no place for the database; set TOKEN_STORAGE_DB to a file".into(),
            source: None,
        }),
    }
}
