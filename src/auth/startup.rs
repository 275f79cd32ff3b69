//! The start in OAuth mode, and what keeps it going: discovery, PKCE check, client, all in the background while the port
//! already answers.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::client_store::{AuthMethod, ClientStore, StoredClient};
use super::discovery::{DiscoveryError, Expected, Pkce, ProviderMetadata, discover};
use super::lines::{self, Event, Tell};
use super::registrar::Registrar;
use super::registration::{AskedScopes, RegistrationError, Wanted, renew_at_s};
use crate::cancel::Cancel;
use crate::clock::{Clock, Ids};
use crate::config::{BaseUrl, LoginChoice, OAuth};
use crate::nextcloud::Fetch;
use crate::secret::Secret;
use crate::tool::Scope;

/// The wait before a failed start is tried again where time may heal it, and where somebody has to do something.
const AGAIN_SOON: Duration = Duration::from_secs(60);
const AGAIN_LATER: Duration = Duration::from_secs(300);
/// The same where Nextcloud need not be a provider at all.
const AGAIN_SOME_TIME: Duration = Duration::from_secs(900);
/// Reports of a client that is not accepted are heard this often: each may cost a registration.
const REFUSALS_APART: Duration = Duration::from_secs(300);
/// The time of day may jump, so it is looked at this often.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
/// Where nothing has to be done at any time.
const NEVER: Duration = Duration::from_secs(u32::MAX as u64);

/// How far the start has come.
#[derive(Clone, Debug)]
pub enum Readiness {
    Starting {
        reason: String,
    },
    Ready {
        metadata: Arc<ProviderMetadata>,
        client: Arc<Client>,
    },
    /// This Nextcloud is no OIDC provider, or none that we can use: people sign in by Login Flow v2.
    NoProvider {
        reason: String,
    },
    /// It is tried again by itself.
    Failed {
        reason: String,
    },
}

impl Readiness {
    /// For `/health/ready`: why not.
    pub fn check(&self) -> Result<(), &str> {
        match self {
            Readiness::Ready { .. } => Ok(()),
            Readiness::Starting { reason }
            | Readiness::NoProvider { reason }
            | Readiness::Failed { reason } => Err(reason),
        }
    }
}

/// This server as a client of the identity provider.
#[derive(Clone, Debug)]
pub struct Client {
    pub id: String,
    pub secret: Secret,
    pub auth_method: AuthMethod,
}

/// What the configuration says about the start.
#[derive(Clone, Debug)]
pub struct Setup {
    config: OAuth,
    expected: Expected,
    public_url: BaseUrl,
    offered: Vec<Scope>,
}

impl Setup {
    /// `public_url`: this server as its clients see it; `offered`: the scopes that something here asks for.
    pub fn new(config: OAuth, nextcloud: &BaseUrl, public_url: BaseUrl, offered: Vec<Scope>) -> Setup {
        let found = (config.discovery_url.as_deref(), config.public_issuer_url.as_deref());
        let expected = Expected {
            jwks_uri: config.jwks_uri.clone(),
            introspection_endpoint: config.introspection_uri.clone(),
            userinfo_endpoint: config.userinfo_uri.clone(),
            ..Expected::new(nextcloud, found.0, found.1)
        };
        Setup { config, expected, public_url, offered }
    }
}

/// Runs the start and knows how far it is. Shared between the thread that works on it and all who ask.
pub struct Startup {
    setup: Setup,
    fetch: Arc<dyn Fetch>,
    registrar: Registrar,
    clock: Clock,
    cancel: Cancel,
    tell: Box<Tell<'static>>,
    readiness: Mutex<Readiness>,
    refusals: Mutex<Refusals>,
    woken: Condvar,
}

#[derive(Default)]
struct Refusals {
    /// The id of a client that the provider did not accept, until it is dealt with.
    client_id: Option<String>,
    /// When the last one was heard.
    last: Option<Duration>,
}

/// A round came to nothing, which is known and told already; when to try again.
struct Failure {
    again: Duration,
}

impl Startup {
    /// `tell` takes the lines: [`lines::log_event`] for the log.
    pub fn new(
        setup: Setup,
        fetch: Arc<dyn Fetch>,
        store: Arc<dyn ClientStore>,
        clock: Clock,
        ids: &Ids,
        tell: Box<Tell<'static>>,
    ) -> Startup {
        let cancel = Cancel::new();
        let registrar = Registrar::new(fetch.clone(), store, clock.clone(), ids, cancel.clone());
        let reason = "OIDC discovery has not come to an end yet".to_owned();
        Startup {
            setup,
            fetch,
            registrar,
            clock,
            cancel,
            tell,
            readiness: Mutex::new(Readiness::Starting { reason }),
            refusals: Mutex::default(),
            woken: Condvar::new(),
        }
    }

    /// Starts the thread that does it all. Fails if there is none to be had.
    pub fn spawn(self: &Arc<Startup>) -> io::Result<()> {
        let startup = self.clone();
        std::thread::Builder::new().name("oauth".into()).spawn(move || startup.run()).map(drop)
    }

    pub fn readiness(&self) -> Readiness {
        lock(&self.readiness).clone()
    }

    /// To be called when the provider answers `invalid_client`: has another client registered. Heard once in five
    /// minutes, and only about the client that is in use.
    pub fn client_refused(&self, client_id: &str) {
        let in_use =
            matches!(&*lock(&self.readiness), Readiness::Ready { client, .. } if client.id == client_id);
        let mut refusals = lock(&self.refusals);
        let now = self.clock.monotonic();
        let too_soon = refusals.last.is_some_and(|last| now.saturating_sub(last) < REFUSALS_APART);
        if in_use && !too_soon {
            *refusals = Refusals { client_id: Some(client_id.to_owned()), last: Some(now) };
            self.woken.notify_all();
        }
    }

    /// Ends the thread, soon.
    pub fn stop(&self) {
        self.cancel.cancel();
        // Locked, so that the word does not fall between a look and the wait that follows it.
        drop(lock(&self.refusals));
        self.woken.notify_all();
    }

    fn run(&self) {
        self.announce();
        loop {
            let again = self.round();
            if !self.wait(again) {
                return;
            }
        }
    }

    pub(super) fn announce(&self) {
        (self.tell)(Event::ModeDetected { account_is_set: self.setup.config.account_is_set });
        (self.tell)(Event::Configuring);
    }

    /// Goes through the start once and says when to do so again: before the client expires, or after a failure.
    pub(super) fn round(&self) -> Duration {
        let refused = lock(&self.refusals).client_id.take();
        let was_ready = self.readiness().check().is_ok();
        match self.prepare(refused.as_deref()) {
            Ok((metadata, client, again)) => {
                let ready = Readiness::Ready { metadata, client: Arc::new(client) };
                self.settle(ready, (!was_ready).then_some(Event::Initialized));
                again
            }
            Err(failure) => failure.again,
        }
    }

    /// First the state, then the line: whoever reads the line may rely on it.
    fn settle(&self, readiness: Readiness, event: Option<Event<'_>>) {
        *lock(&self.readiness) = readiness;
        if let Some(event) = event {
            (self.tell)(event);
        }
    }

    fn prepare(&self, refused: Option<&str>) -> Result<(Arc<ProviderMetadata>, Client, Duration), Failure> {
        if self.setup.config.login == LoginChoice::LoginFlow {
            return Err(self.no_provider("MCP_LOGIN=login_flow".into(), NEVER));
        }
        let metadata = self.metadata()?;
        let (client, again) = self.client(&metadata, refused)?;
        Ok((metadata, client, again))
    }

    /// The provider's metadata: asked for each time, the known ones where the provider does not answer.
    fn metadata(&self) -> Result<Arc<ProviderMetadata>, Failure> {
        let expected = &self.setup.expected;
        let url = &expected.url;
        (self.tell)(Event::Discovering { url });
        let retry = self.setup.config.discovery_retry;
        let known = match self.readiness() {
            Readiness::Ready { metadata, .. } => Some(metadata),
            _ => None,
        };
        let mut tell = |failed: super::discovery::FailedAttempt<'_>| {
            if known.is_none() {
                let reason =
                    format!("OIDC discovery: attempt {} of {}: {}", failed.number, failed.of, failed.error);
                *lock(&self.readiness) = Readiness::Starting { reason };
            }
            (self.tell)(Event::AttemptFailed(failed));
        };
        let found = discover(&*self.fetch, expected, retry, &self.clock, &self.cancel, &mut tell);
        match (found, known) {
            (Ok(metadata), _) => {
                self.check_pkce(&metadata)?;
                (self.tell)(Event::Discovered);
                Ok(Arc::new(metadata))
            }
            (Err(error), Some(known)) => {
                (self.tell)(Event::DiscoveryFailed { error: &error, url });
                Ok(known)
            }
            (Err(error), None) => Err(self.no_metadata(&error)),
        }
    }

    fn no_metadata(&self, error: &DiscoveryError) -> Failure {
        let url = &self.setup.expected.url;
        if self.may_do_without() && *error == (DiscoveryError::NotThere { said_by_nextcloud: true }) {
            let reason = format!("{url} answered 404: there is no oidc app here, and none is needed");
            return self.no_provider(reason, AGAIN_SOME_TIME);
        }
        let reason = lines::discovery_failure(error, url);
        let told = (*error != DiscoveryError::Stopping).then_some(Event::DiscoveryFailed { error, url });
        self.settle(Readiness::Failed { reason }, told);
        Failure { again: if error.is_transient() { AGAIN_SOON } else { AGAIN_LATER } }
    }

    /// A provider that was named by hand is missed; Nextcloud itself need not be one.
    fn may_do_without(&self) -> bool {
        self.setup.config.discovery_url.is_none()
    }

    fn no_provider(&self, reason: String, again: Duration) -> Failure {
        let told = Event::LoginFlow { reason: &reason };
        self.settle(Readiness::NoProvider { reason: reason.clone() }, Some(told));
        Failure { again }
    }

    fn check_pkce(&self, metadata: &ProviderMetadata) -> Result<(), Failure> {
        match metadata.pkce() {
            Pkce::Supported(methods) => (self.tell)(Event::PkceSupported(&methods)),
            Pkce::NotAdvertised => (self.tell)(Event::PkceNotAdvertised),
            Pkce::WithoutS256(methods) => {
                let reason = lines::pkce_failure(&methods);
                self.settle(Readiness::Failed { reason }, Some(Event::PkceWithoutS256(&methods)));
                return Err(Failure { again: AGAIN_LATER });
            }
        }
        Ok(())
    }

    /// The client, and when to look after it again.
    fn client(
        &self,
        metadata: &ProviderMetadata,
        refused: Option<&str>,
    ) -> Result<(Client, Duration), Failure> {
        if let Some(given) = &self.setup.config.client {
            match refused {
                Some(client_id) => (self.tell)(Event::PreconfiguredRefused { client_id }),
                None => (self.tell)(Event::Preconfigured { client_id: &given.id }),
            }
            let auth_method = AuthMethod::choose(metadata.token_endpoint_auth_methods_supported.as_deref());
            let client = Client { id: given.id.clone(), secret: given.secret.clone(), auth_method };
            return Ok((client, NEVER));
        }
        let config = &self.setup.config;
        let scopes = match config.scopes.as_slice() {
            [] => AskedScopes::Offered(&self.setup.offered),
            configured => AskedScopes::Configured(configured),
        };
        let wanted = Wanted::new(metadata, &self.setup.public_url, scopes, config.token_type);
        let endpoint = metadata.registration_endpoint.as_deref();
        match self.registrar.ensure(endpoint, &wanted, refused, &*self.tell) {
            Ok(stored) => {
                let again = self.renewal(&stored);
                let StoredClient { client_id, client_secret, auth_method, .. } = stored;
                Ok((Client { id: client_id, secret: client_secret, auth_method }, again))
            }
            Err(error) => {
                let told = Event::RegistrationFailed(&error);
                let is_for_good = matches!(error, RegistrationError::NotOffered | RegistrationError::Closed);
                if is_for_good && self.may_do_without() {
                    (self.tell)(told);
                    return Err(self.no_provider("there is no OAuth client".into(), AGAIN_SOME_TIME));
                }
                let reason = lines::registration_failure(&error);
                self.settle(Readiness::Failed { reason }, Some(told));
                let again = match error {
                    RegistrationError::Throttled { retry_after_s } => {
                        retry_after_s.map_or(AGAIN_SOON, Duration::from_secs)
                    }
                    RegistrationError::Unreachable(_) | RegistrationError::Busy => AGAIN_SOON,
                    _ => AGAIN_LATER,
                };
                Err(Failure { again })
            }
        }
    }

    fn renewal(&self, client: &StoredClient) -> Duration {
        let now_s = self.clock.now().unix_s();
        match renew_at_s(client) {
            None => NEVER,
            Some(at_s) if at_s > now_s => Duration::from_secs(at_s - now_s),
            // It was due and did not succeed.
            Some(_) => AGAIN_LATER,
        }
    }

    /// Waits for the time or for a client that is not accepted; `false` at the end of the program.
    fn wait(&self, pause: Duration) -> bool {
        let due_ms = self.clock.now().unix_ms.saturating_add(pause.as_millis() as u64);
        let mut refusals = lock(&self.refusals);
        loop {
            let left = Duration::from_millis(due_ms.saturating_sub(self.clock.now().unix_ms));
            if self.cancel.is_cancelled() {
                return false;
            }
            if refusals.client_id.is_some() || left == Duration::ZERO {
                return true;
            }
            let waited = self.woken.wait_timeout(refusals, left.min(LOOK_AGAIN));
            refusals = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// What a lock guards here is never half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(super) mod tests;
