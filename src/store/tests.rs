//! The store as its callers see it, and as somebody with access to its files does.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::*;

mod files;
mod grants;
mod keys;
mod logins;
mod rows;
mod sharing;

/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("store-{}-{test}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("a folder");
        Folder(path.canonicalize().expect("a folder"))
    }

    /// Where the database is to be.
    fn database(&self) -> PathBuf {
        self.0.join("tokens.db")
    }

    fn open(&self) -> Store {
        self.try_open().expect("opens")
    }

    fn try_open(&self) -> Result<Store, Error> {
        Store::open(&self.database(), None, &Ids::random())
    }

    /// Waits 5 ms instead of 5 s for others.
    fn try_open_impatient(&self) -> Result<Store, Error> {
        let bounds = Bounds { busy_timeout: Duration::from_millis(5), ..Bounds::PRODUCT };
        Store::open_within(&self.database(), None, &Ids::random(), bounds)
    }

    /// The database as another program sees it.
    fn raw(&self) -> Connection {
        Connection::open(self.database()).expect("opens")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn registration() -> Registration {
    Registration {
        issuer: "https://cloud.example.org".into(),
        redirect_uri: "https://mcp.example.org/oauth/callback".into(),
        scopes: "openid profile notes:read".into(),
        token_type: "jwt".into(),
    }
}

fn client(client_id: &str) -> Client {
    Client {
        auth_method: "client_secret_post".into(),
        resource: "https://mcp.example.org/mcp".into(),
        registration: registration(),
        client_id: client_id.into(),
        client_secret: Some(Secret::new(format!("planted-secret-{client_id}"))),
        registration_access_token: Some(Secret::new(format!("planted-token-{client_id}"))),
        registration_client_uri: Some(format!("https://cloud.example.org/register/{client_id}")),
        issued_at: Some(1_000),
        expires_at: Some(4_600),
        created_at: 1_001,
    }
}

fn entry(at: u64) -> AuditEntry<'static> {
    AuditEntry {
        at,
        who: "alice",
        deed: Deed::Called,
        tool: Some("nc_notes_get_note"),
        outcome: Outcome::Done,
    }
}

/// The sentence of the error that was due.
fn refusal(result: Result<Store, Error>) -> (Error, String) {
    let error = result.err().expect("was refused");
    let sentence = error.to_string();
    (error, sentence)
}

fn modes_below(folder: &Path) -> Vec<(String, u32)> {
    use std::os::unix::fs::PermissionsExt;
    let mut modes: Vec<(String, u32)> = fs::read_dir(folder)
        .expect("folder")
        .map(|entry| {
            let entry = entry.expect("entry");
            let mode = entry.metadata().expect("metadata").permissions().mode() & 0o7777;
            (entry.file_name().to_string_lossy().into_owned(), mode)
        })
        .collect();
    modes.sort();
    modes
}
