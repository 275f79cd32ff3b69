//! The MCP clients that registered with the broker (RFC 7591).

use rusqlite::{OptionalExtension, params};

use super::error::Error;
use super::{Durability, Store, from_sql_time, to_sql_time};

/// Registrations that are kept. Beyond, those go first that nobody granted anything and that were not used for longest.
pub const MCP_CLIENTS_MAX: u32 = 1_000;

/// A registered client. Times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpClient {
    pub client_id: String,
    /// Its metadata (RFC 7591 §2) as JSON; the broker's to read.
    pub metadata: String,
    pub created_at: u64,
    pub used_at: u64,
}

impl Store {
    /// Stores a new client. Where there are more than [`MCP_CLIENTS_MAX`], others without a grant make room for it.
    pub fn save_mcp_client(&self, client: &McpClient) -> Result<(), Error> {
        self.write(Durability::Power, "saving an MCP client", |transaction| {
            transaction.execute(
                "INSERT INTO mcp_client (client_id, metadata, created_at, used_at) VALUES (?1, ?2, ?3, ?4)",
                params![
                    client.client_id,
                    client.metadata,
                    to_sql_time(client.created_at),
                    to_sql_time(client.used_at),
                ],
            )?;
            transaction.execute(
                "DELETE FROM mcp_client WHERE client_id IN (
                    SELECT client_id FROM mcp_client
                    WHERE client_id <> ?1 AND client_id NOT IN (SELECT client_id FROM access_grant)
                    ORDER BY used_at, client_id
                    LIMIT max(0, (SELECT count(*) FROM mcp_client) - ?2))",
                params![client.client_id, MCP_CLIENTS_MAX],
            )?;
            Ok(())
        })
    }

    /// The client of this id.
    pub fn mcp_client(&self, client_id: &str) -> Result<Option<McpClient>, Error> {
        self.read("finding an MCP client", |connection| {
            let sql = "SELECT client_id, metadata, created_at, used_at FROM mcp_client WHERE client_id = ?1";
            Ok(connection
                .query_row(sql, [client_id], |row| {
                    Ok(McpClient {
                        client_id: row.get(0)?,
                        metadata: row.get(1)?,
                        created_at: from_sql_time(row.get(2)?),
                        used_at: from_sql_time(row.get(3)?),
                    })
                })
                .optional()?)
        })
    }

    /// Notes that a client began a login. Not an error if it is not there.
    pub fn use_mcp_client(&self, client_id: &str, now: u64) -> Result<(), Error> {
        self.write(Durability::Process, "noting the use of an MCP client", |transaction| {
            let sql = "UPDATE mcp_client SET used_at = ?2 WHERE client_id = ?1";
            transaction.execute(sql, params![client_id, to_sql_time(now)])?;
            Ok(())
        })
    }

    /// The scopes that a person once allowed this client; separated by spaces.
    pub fn consent(&self, client_id: &str, user_id: &str) -> Result<Option<String>, Error> {
        self.read("finding a consent", |connection| {
            let sql = "SELECT scopes FROM consent WHERE client_id = ?1 AND user_id = ?2";
            Ok(connection.query_row(sql, [client_id, user_id], |row| row.get(0)).optional()?)
        })
    }

    /// Remembers what a person allowed a client, in place of what they allowed it before.
    pub fn save_consent(&self, client_id: &str, user_id: &str, scopes: &str, now: u64) -> Result<(), Error> {
        self.write(Durability::Process, "saving a consent", |transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO consent (client_id, user_id, scopes, given_at) VALUES (?1, ?2, ?3, ?4)",
                params![client_id, user_id, scopes, to_sql_time(now)],
            )?;
            Ok(())
        })
    }

    /// Forgets it, so that the next login asks again. Not an error if there is none.
    pub fn delete_consent(&self, client_id: &str, user_id: &str) -> Result<(), Error> {
        self.write(Durability::Process, "forgetting a consent", |transaction| {
            transaction
                .execute("DELETE FROM consent WHERE client_id = ?1 AND user_id = ?2", [client_id, user_id])?;
            Ok(())
        })
    }
}
