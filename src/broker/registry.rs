//! Registration, and finding a client again.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

use super::Broker;
use super::client::{McpClient, Proof, Registration, shown_name};
use super::error::{Code, OAuthError};
use super::random::{hash_of, secret};
use crate::clock::Clock;
use crate::store;

/// Longest registration request, in bytes.
const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// So many registrations in so long a time.
const REGISTRATIONS_MAX: usize = 30;
const REGISTRATIONS_TIME: Duration = Duration::from_secs(60);

/// Fetches the document that an https `client_id` names (OAuth Client ID Metadata Document). Whoever implements it sees to it
/// that nothing inside the own network is asked.
pub trait ClientDocuments: Send + Sync {
    /// The client that the document at `url` describes; its `client_id` has been compared with `url`.
    fn client(&self, url: &str) -> Result<McpClient, OAuthError>;
}

/// Lets so many pass in so long a time.
pub struct Throttle {
    most: usize,
    time: Duration,
    clock: Clock,
    times: Mutex<VecDeque<Duration>>,
}

impl Throttle {
    pub fn new(most: usize, time: Duration, clock: Clock) -> Throttle {
        Throttle { most, time, clock, times: Mutex::default() }
    }

    /// Of registrations, whoever asks: behind a proxy all come from one address.
    pub fn of_registrations(clock: Clock) -> Throttle {
        Throttle::new(REGISTRATIONS_MAX, REGISTRATIONS_TIME, clock)
    }

    /// Whether one more may pass; it is counted then.
    pub fn admits(&self) -> bool {
        let now = self.clock.monotonic();
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        while times.front().is_some_and(|time| now.saturating_sub(*time) >= self.time) {
            times.pop_front();
        }
        let admits = times.len() < self.most;
        if admits {
            times.push_back(now);
        }
        admits
    }
}

impl Broker {
    /// Registers a client (RFC 7591 §3.1); the answer of 201.
    pub fn register(&self, body: &[u8]) -> Result<Value, OAuthError> {
        let bad = |about| OAuthError::new(Code::InvalidClientMetadata, about);
        if body.len() > REQUEST_BYTES_MAX {
            return Err(bad("the request is longer than 16 kB"));
        }
        let metadata: Map<String, Value> =
            serde_json::from_slice(body).map_err(|_| bad("the request is no JSON object"))?;
        let registration = Registration::read(&metadata)?;
        if !self.throttle.admits() {
            return Err(OAuthError::new(Code::SlowDown, "too many registrations; try again in a minute"));
        }
        let id = secret(&self.ids, "mcp-")?.expose().to_owned();
        let given = match registration.method {
            "none" => None,
            _ => Some(secret(&self.ids, "mcs-")?),
        };
        let proof = given.as_ref().map_or(Proof::None, |given| Proof::Secret {
            method: registration.method,
            hash: hash_of(given.expose()),
        });
        let mut document = registration.document();
        let now = self.clock.now().unix_s();
        let Registration { name, redirect_uris, .. } = registration;
        let client = McpClient { id, name, redirect_uris, proof };
        let row = store::McpClient {
            client_id: client.id.clone(),
            metadata: client.to_json(),
            created_at: now,
            used_at: now,
        };
        self.store.save_mcp_client(&row).map_err(unavailable)?;
        log::info!("registered an MCP client client={} name={:?}", client.id, client.name);
        document["client_id"] = client.id.into();
        document["client_id_issued_at"] = now.into();
        if let Some(given) = given {
            document["client_secret"] = given.expose().into();
            document["client_secret_expires_at"] = 0.into();
        }
        Ok(document)
    }

    /// The client of this id.
    pub(super) fn client(&self, id: &str) -> Result<McpClient, OAuthError> {
        if id.starts_with("https://") {
            let mut client = self.documents.client(id)?;
            client.name = shown_name(&client.name);
            return Ok(client);
        }
        let unknown =
            OAuthError::new(Code::InvalidClient, "the client is not known here; it must register again");
        let row = self.store.mcp_client(id).map_err(unavailable)?.ok_or(unknown.clone())?;
        McpClient::from_json(&row.client_id, &row.metadata).ok_or(unknown)
    }
}

/// The store cannot be used: the log says why.
pub(super) fn unavailable(error: store::Error) -> OAuthError {
    log::error!("{error}");
    OAuthError::new(Code::TemporarilyUnavailable, "the server cannot store or read at the moment")
}
