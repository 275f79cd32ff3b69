//! The OAuth clients that we have registered at a provider.

use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, named_params};

use crate::secret::Secret;

use super::error::{Error, Failure};
use super::seal::Place;
use super::{Durability, Store, from_sql_time, to_sql_time};

/// What a client was registered for: with anything else it is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The provider (RFC 8414 §2 `issuer`).
    pub issuer: String,
    pub redirect_uri: String,
    /// Separated by spaces (RFC 6749 §3.3); their order does not matter.
    pub scopes: String,
    /// The access tokens that Nextcloud's `oidc` app was asked for: `jwt` or `opaque`.
    pub token_type: String,
}

/// A registered client (RFC 7591 §3.2.1). Its secrets are sealed in the database. Times are Unix seconds.
#[derive(Clone, Debug)]
pub struct Client {
    pub registration: Registration,
    pub client_id: String,
    pub client_secret: Option<Secret>,
    /// How it proves itself: `token_endpoint_auth_method` (RFC 7591 §2).
    pub auth_method: String,
    /// What its tokens were asked for (RFC 8707).
    pub resource: String,
    /// With `registration_client_uri`: to read, change and delete the client (RFC 7592).
    pub registration_access_token: Option<Secret>,
    pub registration_client_uri: Option<String>,
    pub issued_at: Option<u64>,
    /// `None`: never. A 0, which says the same, is stored as `None`.
    pub expires_at: Option<u64>,
    /// When we stored it, by our own clock.
    pub created_at: u64,
}

/// More than this many old clients are not handed out at a time.
const DELETE_AT_A_TIME: u32 = 16;

const COLUMNS: &str =
    "issuer, redirect_uri, scopes, token_type, auth_method, resource, client_id, client_secret,
                       registration_access_token, registration_client_uri, issued_at, expires_at, created_at";

impl Store {
    /// The client in use for this registration, be it expired or not.
    ///
    /// Fails with [`Error::Tampered`] if its secrets are not those that were stored with it.
    pub fn client_for(&self, registration: &Registration) -> Result<Option<Client>, Error> {
        let wanted = Registration { scopes: normal(&registration.scopes), ..registration.clone() };
        // There is one in use at the most: saving one puts all others out of use.
        Ok(self.client_in_use()?.filter(|client| client.registration == wanted))
    }

    /// The client in use, whatever it was registered for.
    ///
    /// Fails with [`Error::Tampered`] if its secrets are not those that were stored with it.
    pub fn client_in_use(&self) -> Result<Option<Client>, Error> {
        self.read("finding the OAuth client in use", |connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM oauth_client WHERE superseded = 0 ORDER BY created_at DESC LIMIT 1"
            );
            let sealed = connection.query_row(&sql, [], SealedClient::read).optional()?;
            sealed.map(|sealed| self.unsealed(sealed)).transpose()
        })
    }

    /// Stores a client, or what is new about it, and makes it the one in use: all others become
    /// [`Store::clients_to_delete`]. Durable when it returns.
    pub fn save_client(&self, client: &Client) -> Result<(), Error> {
        self.write(Durability::Power, "saving the OAuth client", |transaction| {
            let seal = |column, secret: &Option<Secret>| {
                let identity = client.identity();
                let place = Place { table: "oauth_client", row: &identity, column };
                secret.as_ref().map(|secret| self.sealer.seal(&place, secret.expose().as_bytes())).transpose()
            };
            transaction.execute("UPDATE oauth_client SET superseded = 1 WHERE superseded = 0", [])?;
            transaction.execute(
                &format!(
                    "INSERT OR REPLACE INTO oauth_client ({COLUMNS}, superseded)
                     VALUES (:issuer, :redirect_uri, :scopes, :token_type, :auth_method, :resource, :client_id,
                             :client_secret,
                             :registration_access_token, :registration_client_uri, :issued_at, :expires_at,
                             :created_at, 0)"
                ),
                named_params! {
                    ":issuer": client.registration.issuer,
                    ":redirect_uri": client.registration.redirect_uri,
                    ":scopes": normal(&client.registration.scopes),
                    ":token_type": client.registration.token_type,
                    ":auth_method": client.auth_method,
                    ":resource": client.resource,
                    ":client_id": client.client_id,
                    ":client_secret": seal(CLIENT_SECRET, &client.client_secret)?,
                    ":registration_access_token":
                        seal(REGISTRATION_ACCESS_TOKEN, &client.registration_access_token)?,
                    ":registration_client_uri": client.registration_client_uri,
                    ":issued_at": client.issued_at.map(to_sql_time),
                    ":expires_at": client.expires_at.filter(|&at| at != 0).map(to_sql_time),
                    ":created_at": to_sql_time(client.created_at),
                },
            )?;
            Ok(())
        })
    }

    /// Forgets a client, after the provider has deleted it or has forgotten it first. Not an error if it is not there.
    pub fn delete_client(&self, issuer: &str, client_id: &str) -> Result<(), Error> {
        self.write(Durability::Process, "deleting an OAuth client", |transaction| {
            let sql = "DELETE FROM oauth_client WHERE issuer = ?1 AND client_id = ?2";
            transaction.execute(sql, [issuer, client_id])?;
            Ok(())
        })
    }

    /// Clients that another has taken the place of: to be deleted at the provider where it offers that (RFC 7592 §2.3),
    /// then here. The oldest first, at most 16.
    pub fn clients_to_delete(&self) -> Result<Vec<Client>, Error> {
        self.read("listing old OAuth clients", |connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM oauth_client WHERE superseded = 1
                 ORDER BY created_at, client_id LIMIT {DELETE_AT_A_TIME}"
            );
            let mut statement = connection.prepare(&sql)?;
            let sealed: Vec<SealedClient> =
                statement.query_map([], SealedClient::read)?.collect::<Result<_, _>>()?;
            sealed.into_iter().map(|sealed| self.unsealed(sealed)).collect()
        })
    }

    fn unsealed(&self, sealed: SealedClient) -> Result<Client, Failure> {
        let SealedClient { mut client, client_secret, registration_access_token } = sealed;
        let open = |column, sealed: Option<Vec<u8>>| -> Result<Option<Secret>, Error> {
            let Some(sealed) = sealed else { return Ok(None) };
            let identity = client.identity();
            let place = Place { table: "oauth_client", row: &identity, column };
            self.sealer
                .open(&place, &sealed)
                .ok()
                .and_then(|plain| std::str::from_utf8(&plain).ok().map(Secret::new))
                .ok_or_else(|| Error::Tampered { path: self.path.clone(), table: place.table, column })
                .map(Some)
        };
        let client_secret = open(CLIENT_SECRET, client_secret)?;
        let registration_access_token = open(REGISTRATION_ACCESS_TOKEN, registration_access_token)?;
        client.client_secret = client_secret;
        client.registration_access_token = registration_access_token;
        Ok(client)
    }
}

const CLIENT_SECRET: &str = "client_secret";
const REGISTRATION_ACCESS_TOKEN: &str = "registration_access_token";

impl Client {
    /// What its secrets are bound to: who writes to the file cannot have them sent to another provider.
    fn identity(&self) -> [&str; 3] {
        let uri = self.registration_client_uri.as_deref().unwrap_or_default();
        [&self.registration.issuer, &self.client_id, uri]
    }
}

/// A row as it stands: the secrets still sealed, and absent in `client`.
struct SealedClient {
    client: Client,
    client_secret: Option<Vec<u8>>,
    registration_access_token: Option<Vec<u8>>,
}

impl SealedClient {
    fn read(row: &Row<'_>) -> rusqlite::Result<SealedClient> {
        let time = |name| row.get::<_, Option<i64>>(name).map(|at| at.map(from_sql_time));
        let created_at = time("created_at")?
            .ok_or_else(|| rusqlite::Error::InvalidColumnType(0, "created_at".into(), Type::Null))?;
        let client = Client {
            registration: Registration {
                issuer: row.get("issuer")?,
                redirect_uri: row.get("redirect_uri")?,
                scopes: row.get("scopes")?,
                token_type: row.get("token_type")?,
            },
            client_id: row.get("client_id")?,
            client_secret: None,
            auth_method: row.get("auth_method")?,
            resource: row.get("resource")?,
            registration_access_token: None,
            registration_client_uri: row.get("registration_client_uri")?,
            issued_at: time("issued_at")?,
            expires_at: time("expires_at")?,
            created_at,
        };
        Ok(SealedClient {
            client,
            client_secret: row.get(CLIENT_SECRET)?,
            registration_access_token: row.get(REGISTRATION_ACCESS_TOKEN)?,
        })
    }
}

/// Scopes as a set: sorted, each once, one space between.
fn normal(scopes: &str) -> String {
    let mut scopes: Vec<&str> = scopes.split_ascii_whitespace().collect();
    scopes.sort_unstable();
    scopes.dedup();
    scopes.join(" ")
}
