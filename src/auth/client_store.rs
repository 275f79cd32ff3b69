//! The OAuth client that this server is at the identity provider, and where it is kept between runs.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Timestamp;
use crate::config::TokenType;
use crate::secret::Secret;

/// How the client proves itself at the token, introspection and revocation endpoints (RFC 7591 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    ClientSecretPost,
    ClientSecretBasic,
}

impl AuthMethod {
    pub const fn name(self) -> &'static str {
        match self {
            AuthMethod::ClientSecretPost => "client_secret_post",
            AuthMethod::ClientSecretBasic => "client_secret_basic",
        }
    }

    pub fn parse(name: &str) -> Option<AuthMethod> {
        [AuthMethod::ClientSecretPost, AuthMethod::ClientSecretBasic].into_iter().find(|m| m.name() == name)
    }

    /// What to ask for, by `token_endpoint_auth_methods_supported`. Nextcloud's oidc app has both; a provider that says
    /// nothing has Basic (RFC 8414 §2).
    pub fn choose(supported: Option<&[String]>) -> AuthMethod {
        let has = |method: AuthMethod| supported.is_some_and(|all| all.iter().any(|m| m == method.name()));
        if has(AuthMethod::ClientSecretPost) {
            AuthMethod::ClientSecretPost
        } else {
            AuthMethod::ClientSecretBasic
        }
    }
}

/// A client that was registered dynamically: the provider's answer, and what it was asked for.
#[derive(Clone, Debug)]
pub struct StoredClient {
    /// Byte for byte as the provider writes it.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Secret,
    pub auth_method: AuthMethod,
    pub redirect_uri: String,
    /// As asked for, not as granted.
    pub scopes: Vec<String>,
    pub token_type: TokenType,
    pub resource: String,
    /// Seconds since 1970.
    pub issued_at_s: u64,
    /// Seconds since 1970; `None`: never.
    pub expires_at_s: Option<u64>,
    /// Where the registration can be taken back (RFC 7592), and the token for that.
    pub management: Option<ClientManagement>,
}

/// `registration_client_uri` and `registration_access_token` (RFC 7592 §3).
#[derive(Clone, Debug)]
pub struct ClientManagement {
    pub uri: String,
    pub token: Secret,
}

/// Keeps one client, for all processes that share the storage.
pub trait ClientStore: Send + Sync {
    /// The client, if one is kept.
    fn load(&self) -> Result<Option<StoredClient>, StoreFault>;

    /// Keeps this client in place of the one before. On disk when it returns.
    fn save(&self, client: &StoredClient) -> Result<(), StoreFault>;

    /// Forgets the client, if it is still this one.
    fn delete(&self, client_id: &str) -> Result<(), StoreFault>;

    /// Takes the right to register for `holder` until that time; renews it for who has it. `false` while another has
    /// it at `now`.
    fn lease(&self, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreFault>;

    /// Gives the right back, if `holder` has it.
    fn release(&self, holder: &str) -> Result<(), StoreFault>;
}

/// Why the storage failed: cause and remedy, for the operator, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFault(pub String);

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoreFault {}

/// Keeps the client until the process ends.
#[derive(Debug, Default)]
pub struct InMemory(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    client: Option<StoredClient>,
    lease: Option<(String, Timestamp)>,
}

impl InMemory {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientStore for InMemory {
    fn load(&self) -> Result<Option<StoredClient>, StoreFault> {
        Ok(self.lock().client.clone())
    }

    fn save(&self, client: &StoredClient) -> Result<(), StoreFault> {
        self.lock().client = Some(client.clone());
        Ok(())
    }

    fn delete(&self, client_id: &str) -> Result<(), StoreFault> {
        self.lock().client.take_if(|client| client.client_id == client_id);
        Ok(())
    }

    fn lease(&self, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreFault> {
        let mut kept = self.lock();
        let taken = kept.lease.as_ref().is_some_and(|(by, end)| by != holder && *end > now);
        if !taken {
            kept.lease = Some((holder.to_owned(), until));
        }
        Ok(!taken)
    }

    fn release(&self, holder: &str) -> Result<(), StoreFault> {
        self.lock().lease.take_if(|(by, _)| by == holder);
        Ok(())
    }
}
