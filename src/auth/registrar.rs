//! Sees to it that there is a client: keeps, registers, replaces, one at a time over all threads and processes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::client_store::{ClientStore, StoreFault, StoredClient};
use super::discovery::pause;
use super::lines::{Event, Tell};
use super::registration::{self, Registered, RegistrationError, Wanted, Why, needs_new};
use crate::cancel::Cancel;
use crate::clock::{Clock, Ids, Timestamp};
use crate::nextcloud::Fetch;

/// How long a process may take to register before another one tries; longer than a request with all its redirects.
const LEASE: Duration = Duration::from_secs(60);
/// How long to wait for another process: it may die once holding the lease.
const LEASE_PATIENCE: Duration = Duration::from_secs(90);
const LEASE_LOOK_AGAIN: Duration = Duration::from_millis(500);
/// The wait after a 429 that names none: Nextcloud's oidc app counts registrations by the minute.
const THROTTLED: Duration = Duration::from_secs(60);
/// Longest wait that a 429 may ask for.
const THROTTLED_MAX: Duration = Duration::from_secs(3600);

/// Registers clients. One for the whole program.
pub struct Registrar {
    fetch: Arc<dyn Fetch>,
    store: Arc<dyn ClientStore>,
    clock: Clock,
    cancel: Cancel,
    /// Names this process at the lease.
    holder: String,
    /// Held while a client is looked for or registered.
    flight: Mutex<()>,
    /// [`Clock::monotonic`] time before which the provider wants no further registration.
    not_before: Mutex<Duration>,
}

impl Registrar {
    pub fn new(
        fetch: Arc<dyn Fetch>,
        store: Arc<dyn ClientStore>,
        clock: Clock,
        ids: &Ids,
        cancel: Cancel,
    ) -> Registrar {
        let (flight, not_before) = (Mutex::default(), Mutex::default());
        Registrar { fetch, store, clock, cancel, holder: ids.event(), flight, not_before }
    }

    /// The kept client where it serves, else a new one. `endpoint`: where to register, if that is offered; `refused`:
    /// the id of a client that the provider did not accept.
    ///
    /// A client that expires soon goes on serving when it cannot be replaced yet.
    pub fn ensure(
        &self,
        endpoint: Option<&str>,
        wanted: &Wanted,
        refused: Option<&str>,
        tell: &Tell<'_>,
    ) -> Result<StoredClient, RegistrationError> {
        let _flight = lock(&self.flight);
        let (stored, why) = match self.look(wanted, refused)? {
            Ok(client) => {
                use_stored(&client, tell);
                return Ok(client);
            }
            Err(needed) => needed,
        };
        if why != Why::NoneKept {
            tell(Event::StoredClientNotUsed(why));
        }
        match (self.replace(endpoint, wanted, refused, tell), why, stored) {
            (Err(error), Why::ExpiresSoon { .. }, Some(stored)) => {
                tell(Event::RenewalFailed(&error));
                Ok(stored)
            }
            (replaced, ..) => replaced,
        }
    }

    /// The kept client if it serves; else what is kept and why it does not.
    fn look(&self, wanted: &Wanted, refused: Option<&str>) -> Result<Look, RegistrationError> {
        let stored = self.store.load()?;
        Ok(match (needs_new(stored.as_ref(), wanted, refused, self.clock.now()), stored) {
            (None, Some(client)) => Ok(client),
            (why, stored) => Err((stored, why.unwrap_or(Why::NoneKept))),
        })
    }

    fn replace(
        &self,
        endpoint: Option<&str>,
        wanted: &Wanted,
        refused: Option<&str>,
        tell: &Tell<'_>,
    ) -> Result<StoredClient, RegistrationError> {
        let endpoint = endpoint.ok_or(RegistrationError::NotOffered)?;
        let (_lease, old) = match self.hold(wanted, refused)? {
            Held::Lease(lease, old) => (lease, old),
            Held::NotNeeded(client) => {
                use_stored(&client, tell);
                return Ok(client);
            }
        };
        let Registered { client, missing_scopes } = self.register(endpoint, wanted, tell)?;
        // Kept before anything is told or deleted: from here on a crash loses nothing.
        let saved = self.store.save(&client);
        tell(Event::Registered);
        if !missing_scopes.is_empty() {
            tell(Event::ScopesMissing(&missing_scopes));
        }
        tell(Event::ClientReady { client_id: &client.client_id });
        match saved {
            Ok(()) => {
                tell(Event::ClientSaved);
                if let Some(old) = old.filter(|old| refused != Some(old.client_id.as_str())) {
                    self.delete(&old, tell);
                }
            }
            Err(fault) => tell(Event::ClientNotSaved { why: &fault }),
        }
        Ok(client)
    }

    /// Takes the lease, waiting for another process that has it; what that one has registered will do, too.
    fn hold(&self, wanted: &Wanted, refused: Option<&str>) -> Result<Held<'_>, RegistrationError> {
        let give_up = self.clock.monotonic().saturating_add(LEASE_PATIENCE);
        loop {
            let now = self.clock.now();
            let until = Timestamp { unix_ms: now.unix_ms + LEASE.as_millis() as u64 };
            let lease = self.store.lease(&self.holder, now, until)?.then_some(Lease(self));
            // Looked at after the lease was taken or seen taken: nobody registers between look and lease.
            match (self.look(wanted, refused)?, lease) {
                (Ok(client), _) => return Ok(Held::NotNeeded(client)),
                (Err((old, _)), Some(lease)) => return Ok(Held::Lease(lease, old)),
                (Err(_), None) if self.clock.monotonic() >= give_up => return Err(RegistrationError::Busy),
                (Err(_), None) => {}
            }
            if !pause(&self.clock, &self.cancel, LEASE_LOOK_AGAIN) {
                return Err(RegistrationError::Stopping);
            }
        }
    }

    fn register(
        &self,
        endpoint: &str,
        wanted: &Wanted,
        tell: &Tell<'_>,
    ) -> Result<Registered, RegistrationError> {
        let left = lock(&self.not_before).saturating_sub(self.clock.monotonic());
        if left > Duration::ZERO {
            return Err(RegistrationError::Throttled { retry_after_s: Some(left.as_secs().max(1)) });
        }
        tell(Event::Registering);
        let request = registration::request(endpoint, wanted);
        let answer = self.fetch.fetch(&request).map_err(RegistrationError::Unreachable)?;
        let registered = registration::read(&answer, wanted, self.clock.now());
        if let Err(RegistrationError::Throttled { retry_after_s }) = &registered {
            let wait = retry_after_s.map_or(THROTTLED, Duration::from_secs).min(THROTTLED_MAX);
            *lock(&self.not_before) = self.clock.monotonic().saturating_add(wait);
        }
        registered
    }

    /// Takes a registration back that is not used any more, as far as the provider offers that.
    fn delete(&self, old: &StoredClient, tell: &Tell<'_>) {
        let Some(request) = registration::deletion(old) else { return };
        let client_id = &old.client_id;
        match self.fetch.fetch(&request) {
            Ok(answer) if registration::is_deleted(&answer) => tell(Event::OldClientDeleted { client_id }),
            Ok(answer) => {
                let why = format!("status={}", answer.status);
                tell(Event::OldClientNotDeleted { client_id, why: &why });
            }
            Err(error) => tell(Event::OldClientNotDeleted { client_id, why: &error }),
        }
    }
}

fn use_stored(client: &StoredClient, tell: &Tell<'_>) {
    let client_id = &client.client_id;
    tell(Event::StoredClientUsed { client_id });
    tell(Event::ClientReady { client_id });
}

/// A client that serves, or what is kept and why it does not serve.
type Look = Result<StoredClient, (Option<StoredClient>, Why)>;

enum Held<'a> {
    /// Ours to register, and the client that is replaced.
    Lease(Lease<'a>, Option<StoredClient>),
    NotNeeded(StoredClient),
}

/// Gives the right to register back when dropped.
struct Lease<'a>(&'a Registrar);

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Err(fault) = self.0.store.release(&self.0.holder) {
            log::warn!(
                "The lease of the registration could not be given back; it ends by itself. error={fault}"
            );
        }
    }
}

impl From<StoreFault> for RegistrationError {
    fn from(fault: StoreFault) -> RegistrationError {
        RegistrationError::Store(fault.0)
    }
}

/// What a lock guards here is never half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
