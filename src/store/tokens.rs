//! Access and refresh tokens of grants, by their hash: who reads the file cannot use any of them.

use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::error::{Error, Failure};
use super::{Durability, Store, from_sql_time, to_sql_time};

/// SHA-256 of a token. The tokens themselves are random, so no salt is needed.
pub type TokenHash = [u8; 32];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    Access,
    Refresh,
}

impl TokenKind {
    const fn word(self) -> &'static str {
        match self {
            TokenKind::Access => "access",
            TokenKind::Refresh => "refresh",
        }
    }
}

/// A token to be given out. Times are Unix seconds.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub hash: TokenHash,
    pub expires_at: u64,
}

/// A token that was given out, be it over or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    pub grant_id: String,
    pub kind: TokenKind,
    /// Separated by spaces; of an access token perhaps fewer than the grant's.
    pub scopes: String,
    pub expires_at: u64,
    /// When a refresh token was exchanged: nobody may show it again.
    pub spent_at: Option<u64>,
}

/// What came of exchanging a refresh token (RFC 6749 §6, RFC 9700 §4.14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    Done,
    /// There is no such refresh token, or it has expired.
    Unknown,
    /// It was exchanged before: the grant was ended, since one of the two who hold it is a thief.
    Reused,
}

/// Access tokens that a grant may have at a time.
const ACCESS_TOKENS_MAX: u32 = 8;

impl Store {
    /// Completes a grant with its first pair of tokens. `false`, and nothing changed, if it was completed before or ended.
    pub fn redeem_grant(
        &self,
        grant_id: &str,
        now: u64,
        access: &NewToken,
        refresh: &NewToken,
    ) -> Result<bool, Error> {
        self.write(Durability::Power, "redeeming a grant", |transaction| {
            let changed = transaction.execute(
                "UPDATE access_grant SET redeemed_at = ?2, used_at = ?2
                 WHERE id = ?1 AND redeemed_at IS NULL AND ended_at IS NULL",
                params![grant_id, to_sql_time(now)],
            )?;
            if changed == 0 {
                return Ok(false);
            }
            let scopes: String = transaction.query_row(
                "SELECT scopes FROM access_grant WHERE id = ?1",
                [grant_id],
                |row| row.get(0),
            )?;
            insert(transaction, grant_id, TokenKind::Access, &scopes, access)?;
            insert(transaction, grant_id, TokenKind::Refresh, &scopes, refresh)?;
            Ok(true)
        })
    }

    /// The token of this hash.
    pub fn token(&self, hash: &TokenHash) -> Result<Option<TokenRow>, Error> {
        self.read("finding a token", |connection| {
            let sql = "SELECT grant_id, kind, scopes, expires_at, spent_at FROM token WHERE hash = ?1";
            Ok(connection.query_row(sql, [hash.as_slice()], TokenRow::read).optional()?)
        })
    }

    /// Exchanges a refresh token for a new pair; `scopes` are the new access token's. Durable when it returns. Tokens of
    /// the grant that are over go, and of its access tokens all but the newest few.
    pub fn rotate(
        &self,
        refresh: &TokenHash,
        now: u64,
        scopes: &str,
        new_access: &NewToken,
        new_refresh: &NewToken,
    ) -> Result<Rotation, Error> {
        self.write(Durability::Power, "rotating a refresh token", |transaction| {
            let sql = "SELECT grant_id, kind, scopes, expires_at, spent_at FROM token WHERE hash = ?1";
            let row = transaction.query_row(sql, [refresh.as_slice()], TokenRow::read).optional()?;
            let Some(row) = row.filter(|row| row.kind == TokenKind::Refresh) else {
                return Ok(Rotation::Unknown);
            };
            let now_sql = to_sql_time(now);
            if row.spent_at.is_some() {
                transaction.execute("DELETE FROM token WHERE grant_id = ?1", [&row.grant_id])?;
                transaction.execute(
                    "UPDATE access_grant SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL",
                    params![row.grant_id, now_sql],
                )?;
                return Ok(Rotation::Reused);
            }
            if row.expires_at <= now {
                return Ok(Rotation::Unknown);
            }
            // Calls under way may still show the access token before this one.
            transaction.execute(
                "DELETE FROM token WHERE grant_id = ?1 AND (expires_at <= ?2 OR kind = 'access' AND hash NOT IN (
                    SELECT hash FROM token WHERE grant_id = ?1 AND kind = 'access' ORDER BY expires_at DESC LIMIT ?3))",
                params![row.grant_id, now_sql, ACCESS_TOKENS_MAX - 1],
            )?;
            transaction.execute(
                "UPDATE token SET spent_at = ?2 WHERE hash = ?1",
                params![refresh.as_slice(), now_sql],
            )?;
            transaction.execute(
                "UPDATE access_grant SET used_at = max(used_at, ?2) WHERE id = ?1",
                params![row.grant_id, now_sql],
            )?;
            insert(transaction, &row.grant_id, TokenKind::Access, scopes, new_access)?;
            insert(transaction, &row.grant_id, TokenKind::Refresh, &row.scopes, new_refresh)?;
            Ok(Rotation::Done)
        })
    }

    /// Ends one access token. Not an error if it is not there.
    pub fn delete_token(&self, hash: &TokenHash) -> Result<(), Error> {
        self.write(Durability::Power, "ending a token", |transaction| {
            transaction.execute("DELETE FROM token WHERE hash = ?1", [hash.as_slice()])?;
            Ok(())
        })
    }
}

fn insert(
    transaction: &Transaction<'_>,
    grant_id: &str,
    kind: TokenKind,
    scopes: &str,
    token: &NewToken,
) -> Result<(), Failure> {
    transaction.execute(
        "INSERT INTO token (hash, grant_id, kind, scopes, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![token.hash.as_slice(), grant_id, kind.word(), scopes, to_sql_time(token.expires_at)],
    )?;
    Ok(())
}

impl TokenRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
        let kind: String = row.get("kind")?;
        let kind = [TokenKind::Access, TokenKind::Refresh].into_iter().find(|known| known.word() == kind);
        Ok(TokenRow {
            grant_id: row.get("grant_id")?,
            kind: kind.ok_or_else(|| rusqlite::Error::InvalidColumnType(1, "kind".into(), Type::Text))?,
            scopes: row.get("scopes")?,
            expires_at: from_sql_time(row.get("expires_at")?),
            spent_at: row.get::<_, Option<i64>>("spent_at")?.map(from_sql_time),
        })
    }
}
