//! What people allowed MCP clients, each with a credential of its own for Nextcloud.

use rusqlite::{OptionalExtension, Row, params};

use crate::secret::Secret;

use super::error::{Error, Failure};
use super::seal::Place;
use super::{Durability, Store, from_sql_time, to_sql_time};

/// One client's permission to act for one person. Times are Unix seconds.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Not guessable, but no secret.
    pub id: String,
    pub client_id: String,
    pub client_name: String,
    pub user_id: String,
    /// What Nextcloud knows the credential's owner by at sign-in; not always the user id.
    pub login_name: String,
    /// Separated by spaces (RFC 6749 §3.3).
    pub scopes: String,
    /// What its tokens are for (RFC 8707).
    pub resource: String,
    /// Sealed in the database.
    pub upstream: Upstream,
    pub created_at: u64,
    pub used_at: u64,
    /// When the code was exchanged for tokens; a grant without it is only half made.
    pub redeemed_at: Option<u64>,
    /// When it ended here; it stays until Nextcloud has been told.
    pub ended_at: Option<u64>,
}

/// What we show Nextcloud on a grant's behalf.
#[derive(Clone, Debug)]
pub enum Upstream {
    /// An app password of the grant's own: works everywhere and does not expire.
    AppPassword(Secret),
}

impl Upstream {
    fn kind(&self) -> &'static str {
        match self {
            Upstream::AppPassword(_) => "app_password",
        }
    }

    fn secret(&self) -> &Secret {
        match self {
            Upstream::AppPassword(secret) => secret,
        }
    }
}

/// More than this many grants are not handed out at a time.
const AT_A_TIME: u32 = 100;

const COLUMNS: &str = "id, client_id, client_name, user_id, login_name, scopes, resource, upstream_kind, upstream, \
                       created_at, used_at, redeemed_at, ended_at";

impl Store {
    /// Stores a grant whose code has yet to be redeemed. Durable when it returns: from here on the credential is known
    /// to be there, and can be given back.
    pub fn save_grant(&self, grant: &Grant) -> Result<(), Error> {
        self.write(Durability::Power, "saving a grant", |transaction| {
            transaction.execute(
                &format!(
                    "INSERT INTO access_grant ({COLUMNS})
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, NULL, NULL)"
                ),
                params![
                    grant.id,
                    grant.client_id,
                    grant.client_name,
                    grant.user_id,
                    grant.login_name,
                    grant.scopes,
                    grant.resource,
                    grant.upstream.kind(),
                    self.sealed(grant)?,
                    to_sql_time(grant.created_at),
                    to_sql_time(grant.used_at),
                ],
            )?;
            Ok(())
        })
    }

    /// The grant of this id, ended or not.
    ///
    /// Fails with [`Error::Tampered`] if its credential is not what was stored with it.
    pub fn grant(&self, id: &str) -> Result<Option<Grant>, Error> {
        self.read("finding a grant", |connection| {
            let sql = format!("SELECT {COLUMNS} FROM access_grant WHERE id = ?1");
            let sealed = connection.query_row(&sql, [id], SealedGrant::read).optional()?;
            sealed.map(|sealed| self.opened(sealed)).transpose()
        })
    }

    /// A person's grants that can be used, the last used first; at most 100.
    pub fn grants_of(&self, user_id: &str) -> Result<Vec<Grant>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM access_grant
             WHERE user_id = ?1 AND redeemed_at IS NOT NULL AND ended_at IS NULL
             ORDER BY used_at DESC, id LIMIT {AT_A_TIME}"
        );
        self.read("listing grants", |connection| {
            let mut statement = connection.prepare(&sql)?;
            let sealed: Vec<SealedGrant> =
                statement.query_map([user_id], SealedGrant::read)?.collect::<Result<_, _>>()?;
            sealed.into_iter().map(|sealed| self.opened(sealed)).collect()
        })
    }

    /// Notes that a grant was used. Not an error if it is not there.
    pub fn use_grant(&self, id: &str, now: u64) -> Result<(), Error> {
        self.write(Durability::Process, "noting the use of a grant", |transaction| {
            let sql = "UPDATE access_grant SET used_at = ?2 WHERE id = ?1 AND used_at < ?2";
            transaction.execute(sql, params![id, to_sql_time(now)])?;
            Ok(())
        })
    }

    /// Ends a grant and all its tokens, at once and durably. Tells whether it was in force.
    pub fn end_grant(&self, id: &str, now: u64) -> Result<bool, Error> {
        self.write(Durability::Power, "ending a grant", |transaction| {
            transaction.execute("DELETE FROM token WHERE grant_id = ?1", [id])?;
            let sql = "UPDATE access_grant SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL";
            Ok(transaction.execute(sql, params![id, to_sql_time(now)])? > 0)
        })
    }

    /// Grants whose credential is to be given back to Nextcloud, after which [`Store::delete_grant`] forgets them: those
    /// that ended, whose code nobody redeemed since `unredeemed_since`, and that nobody used since `unused_since`. The
    /// oldest first, at most 100.
    pub fn grants_to_give_back(&self, unredeemed_since: u64, unused_since: u64) -> Result<Vec<Grant>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM access_grant
             WHERE ended_at IS NOT NULL OR used_at < ?2 OR (redeemed_at IS NULL AND created_at < ?1)
             ORDER BY created_at, id LIMIT {AT_A_TIME}"
        );
        self.read("listing grants that are over", |connection| {
            let mut statement = connection.prepare(&sql)?;
            let times = params![to_sql_time(unredeemed_since), to_sql_time(unused_since)];
            let sealed: Vec<SealedGrant> =
                statement.query_map(times, SealedGrant::read)?.collect::<Result<_, _>>()?;
            sealed.into_iter().map(|sealed| self.opened(sealed)).collect()
        })
    }

    /// Forgets a grant with its tokens. Not an error if it is not there.
    pub fn delete_grant(&self, id: &str) -> Result<(), Error> {
        self.write(Durability::Process, "deleting a grant", |transaction| {
            transaction.execute("DELETE FROM access_grant WHERE id = ?1", [id])?;
            Ok(())
        })
    }

    fn sealed(&self, grant: &Grant) -> Result<Vec<u8>, Failure> {
        let row = grant.identity();
        Ok(self.sealer.seal(&place(&row), grant.upstream.secret().expose().as_bytes())?)
    }

    fn opened(&self, SealedGrant { mut grant, kind, upstream }: SealedGrant) -> Result<Grant, Failure> {
        let tampered =
            || Error::Tampered { path: self.path.clone(), table: "access_grant", column: "upstream" };
        let row = grant.identity();
        let plain = self.sealer.open(&place(&row), &upstream).map_err(|_| tampered())?;
        let secret = std::str::from_utf8(&plain).map(Secret::new).map_err(|_| tampered())?;
        grant.upstream = match kind.as_str() {
            "app_password" => Upstream::AppPassword(secret),
            _ => return Err(tampered().into()),
        };
        Ok(grant)
    }
}

impl Grant {
    /// What its credential is bound to: who writes to the file cannot give it to another client or person.
    fn identity(&self) -> [&str; 3] {
        [&self.id, &self.client_id, &self.user_id]
    }
}

fn place<'a>(row: &'a [&'a str; 3]) -> Place<'a> {
    Place { table: "access_grant", row, column: "upstream" }
}

/// A row as it stands: the credential still sealed, and empty in `grant`.
struct SealedGrant {
    grant: Grant,
    kind: String,
    upstream: Vec<u8>,
}

impl SealedGrant {
    fn read(row: &Row<'_>) -> rusqlite::Result<SealedGrant> {
        let time = |name| row.get::<_, Option<i64>>(name).map(|at| at.map(from_sql_time));
        let grant = Grant {
            id: row.get("id")?,
            client_id: row.get("client_id")?,
            client_name: row.get("client_name")?,
            user_id: row.get("user_id")?,
            login_name: row.get("login_name")?,
            scopes: row.get("scopes")?,
            resource: row.get("resource")?,
            upstream: Upstream::AppPassword(Secret::new("")),
            created_at: from_sql_time(row.get("created_at")?),
            used_at: from_sql_time(row.get("used_at")?),
            redeemed_at: time("redeemed_at")?,
            ended_at: time("ended_at")?,
        };
        Ok(SealedGrant { grant, kind: row.get("upstream_kind")?, upstream: row.get("upstream")? })
    }
}
