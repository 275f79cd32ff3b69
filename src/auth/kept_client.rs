//! The registered client in the SQLite store.

use super::client_store::{AuthMethod, ClientManagement, ClientStore, StoreFault, StoredClient};
use crate::clock::Timestamp;
use crate::config::TokenType;
use crate::secret::Secret;
use crate::store::{self, Lease, Store};

/// The lease's name in the store: one registration at a time, whichever process does it.
const LEASE: &str = "oauth-registration";

impl ClientStore for Store {
    fn load(&self) -> Result<Option<StoredClient>, StoreFault> {
        Ok(self.client_in_use()?.and_then(stored))
    }

    fn save(&self, client: &StoredClient) -> Result<(), StoreFault> {
        Ok(self.save_client(&kept(client))?)
    }

    fn delete(&self, client_id: &str) -> Result<(), StoreFault> {
        match self.client_in_use()? {
            Some(client) if client.client_id == client_id => {
                Ok(self.delete_client(&client.registration.issuer, client_id)?)
            }
            _ => Ok(()),
        }
    }

    fn lease(&self, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreFault> {
        let length_s = until.unix_s().saturating_sub(now.unix_s());
        Ok(matches!(self.take_lease(LEASE, holder, now.unix_s(), length_s)?, Lease::Ours { .. }))
    }

    fn release(&self, holder: &str) -> Result<(), StoreFault> {
        Ok(self.release_lease(LEASE, holder)?)
    }
}

impl From<store::Error> for StoreFault {
    fn from(error: store::Error) -> StoreFault {
        StoreFault(error.to_string())
    }
}

/// A client without a secret is none that we could have registered; it is registered anew.
fn stored(client: store::Client) -> Option<StoredClient> {
    let management = client.registration_client_uri.zip(client.registration_access_token);
    Some(StoredClient {
        issuer: client.registration.issuer,
        client_id: client.client_id,
        client_secret: client.client_secret?,
        auth_method: AuthMethod::parse(&client.auth_method)?,
        redirect_uri: client.registration.redirect_uri,
        scopes: client.registration.scopes.split_whitespace().map(str::to_owned).collect(),
        token_type: match client.registration.token_type.as_str() {
            "jwt" => TokenType::Jwt,
            _ => TokenType::Opaque,
        },
        resource: client.resource,
        issued_at_s: client.issued_at.unwrap_or(client.created_at),
        expires_at_s: client.expires_at,
        management: management.map(|(uri, token)| ClientManagement { uri, token }),
    })
}

fn kept(client: &StoredClient) -> store::Client {
    let management = client.management.as_ref();
    store::Client {
        registration: store::Registration {
            issuer: client.issuer.clone(),
            redirect_uri: client.redirect_uri.clone(),
            scopes: client.scopes.join(" "),
            token_type: match client.token_type {
                TokenType::Jwt => "jwt".to_owned(),
                TokenType::Opaque => "opaque".to_owned(),
            },
        },
        client_id: client.client_id.clone(),
        client_secret: Some(Secret::new(client.client_secret.expose())),
        auth_method: client.auth_method.name().to_owned(),
        resource: client.resource.clone(),
        registration_access_token: management.map(|management| management.token.clone()),
        registration_client_uri: management.map(|management| management.uri.clone()),
        issued_at: Some(client.issued_at_s),
        expires_at: client.expires_at_s,
        created_at: client.issued_at_s,
    }
}
