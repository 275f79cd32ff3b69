//! Who signed in with `nextcloud-mcp-server login`: one account for each Nextcloud.

use rusqlite::{OptionalExtension, params};

use crate::secret::Secret;

use super::error::{Error, Failure};
use super::seal::Place;
use super::{Durability, Store, from_sql_time, to_sql_time};

/// An account of one Nextcloud, with an app password of our own. Its password is sealed in the database.
#[derive(Clone, Debug)]
pub struct StoredLogin {
    /// Its address, as the settings name it.
    pub nextcloud: String,
    pub user_id: String,
    /// What Nextcloud knows the password's owner by at sign-in; not always the user id.
    pub login_name: String,
    pub app_password: Secret,
    /// Unix seconds.
    pub created_at: u64,
}

impl Store {
    /// The login at the Nextcloud of this address.
    ///
    /// Fails with [`Error::Tampered`] if its password is not what was stored with it.
    pub fn login(&self, nextcloud: &str) -> Result<Option<StoredLogin>, Error> {
        self.read("finding a login", |connection| {
            let sql = "SELECT user_id, login_name, app_password, created_at FROM login WHERE nextcloud = ?1";
            let found = connection.query_row(sql, [nextcloud], |row| {
                let login = StoredLogin {
                    nextcloud: nextcloud.to_owned(),
                    user_id: row.get("user_id")?,
                    login_name: row.get("login_name")?,
                    app_password: Secret::new(""),
                    created_at: from_sql_time(row.get("created_at")?),
                };
                Ok((login, row.get::<_, Vec<u8>>("app_password")?))
            });
            let Some((login, sealed)) = found.optional()? else { return Ok(None) };
            let tampered =
                || Error::Tampered { path: self.path.clone(), table: "login", column: "app_password" };
            let plain = self.sealer.open(&place(&login.identity()), &sealed).map_err(|_| tampered())?;
            let app_password = std::str::from_utf8(&plain).map(Secret::new).map_err(|_| tampered())?;
            Ok(Some(StoredLogin { app_password, ..login }))
        })
    }

    /// Stores a login in place of another at the same Nextcloud. Durable when it returns: from here on its password is
    /// known to be there, and can be given back.
    pub fn save_login(&self, login: &StoredLogin) -> Result<(), Error> {
        self.write(Durability::Power, "saving a login", |transaction| {
            let password = login.app_password.expose().as_bytes();
            let sealed = self.sealer.seal(&place(&login.identity()), password).map_err(Failure::from)?;
            transaction.execute(
                "INSERT OR REPLACE INTO login (nextcloud, user_id, login_name, app_password, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    login.nextcloud,
                    login.user_id,
                    login.login_name,
                    sealed,
                    to_sql_time(login.created_at)
                ],
            )?;
            Ok(())
        })
    }

    /// Forgets the login at the Nextcloud of this address. Not an error if there is none.
    pub fn delete_login(&self, nextcloud: &str) -> Result<(), Error> {
        self.write(Durability::Power, "deleting a login", |transaction| {
            transaction.execute("DELETE FROM login WHERE nextcloud = ?1", [nextcloud])?;
            Ok(())
        })
    }
}

impl StoredLogin {
    /// What its password is bound to: who writes to the file cannot have it sent to another server.
    fn identity(&self) -> [&str; 3] {
        [&self.nextcloud, &self.user_id, &self.login_name]
    }
}

fn place<'a>(row: &'a [&'a str; 3]) -> Place<'a> {
    Place { table: "login", row, column: "app_password" }
}
