//! A small authorization server in front of Nextcloud's login (OAuth 2.1, RFC 6749, 7591, 7636, 7009, 8414, 8707, 9207).
//!
//! An MCP client asks here for access to `/mcp`. A person says yes on a page of ours, then shows Nextcloud who they are
//! (`login`), and the client gets tokens of ours, which mean nothing anywhere else. What we show Nextcloud on the
//! person's behalf belongs to this one grant, is sealed in the store, and is given back when the grant ends.
//! `docs/decisions/broker.md` says why it is built like this. No HTTP here: `transport` brings forms and takes answers.

pub mod authorize;
mod browser;
pub mod client;
mod codes;
mod documents;
pub mod error;
mod exchange;
pub mod form;
pub mod login;
pub mod metadata;
mod pending;
mod person;
mod random;
pub mod redirect;
mod registry;
mod sign_in;
#[cfg(test)]
mod tests;
mod upkeep;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use browser::{Browser, Session};
pub use documents::ClientDocumentCache;
pub use exchange::ACCESS_PREFIX;
pub use registry::{ClientDocuments, Throttle};
pub use sign_in::{Answer, Consent, Problem};

use codes::Codes;
use error::OAuthError;
use login::Login;
use pending::Logins;
use random::Hash;
use upkeep::Upkeep;

use crate::clock::{Clock, Ids};
use crate::config::BaseUrl;
use crate::nextcloud::Account;
use crate::secret::Secret;
use crate::store::Store;
use crate::tool::Scope;

/// What the configuration says about the broker.
#[derive(Clone, Debug)]
pub struct Terms {
    /// This server as its clients see it: the issuer.
    pub public_url: BaseUrl,
    /// All scopes that can be had.
    pub offered: Vec<Scope>,
}

/// The authorization server. Shared by all requests.
pub struct Broker {
    terms: Terms,
    /// Our resource identifiers (RFC 8707), the proper one first.
    resources: Vec<String>,
    store: Arc<Store>,
    login: Box<dyn Login>,
    documents: Box<dyn ClientDocuments>,
    throttle: Throttle,
    logins: Logins,
    codes: Codes,
    /// Accounts of grants in use, by the grant's id: their cookies spare Nextcloud a new session for each call.
    accounts: Mutex<HashMap<String, Arc<Account>>>,
    /// Who is signed in on our pages: since when (monotonic), by the hash of the session.
    sessions: Mutex<HashMap<Hash, (Duration, String)>>,
    upkeep: Upkeep,
    clock: Clock,
    ids: Ids,
}

impl Broker {
    pub fn new(
        terms: Terms,
        store: Arc<Store>,
        login: Box<dyn Login>,
        documents: Box<dyn ClientDocuments>,
        clock: Clock,
        ids: Ids,
    ) -> Broker {
        let resources =
            vec![crate::auth::metadata::resource(&terms.public_url), terms.public_url.to_string()];
        Broker {
            terms,
            resources,
            store,
            login,
            documents,
            throttle: Throttle::of_registrations(clock.clone()),
            logins: Logins::default(),
            codes: Codes::default(),
            accounts: Mutex::default(),
            sessions: Mutex::default(),
            upkeep: Upkeep::default(),
            clock,
            ids,
        }
    }

    /// The browser that sent these `Cookie` headers.
    pub fn browser<'a>(&self, cookies: impl Iterator<Item = &'a str>) -> Result<Browser, OAuthError> {
        Browser::of(cookies, &self.terms.public_url, &self.ids)
    }

    /// The session that these `Cookie` headers name.
    pub fn session<'a>(&self, cookies: impl Iterator<Item = &'a str>) -> Option<Session> {
        Session::of(cookies, &self.terms.public_url)
    }

    /// `Set-Cookie` for a browser that has none yet.
    pub fn cookie_of(&self, browser: &Browser) -> Option<Secret> {
        browser.set_cookie(&self.terms.public_url)
    }

    /// `Set-Cookie` of a new session.
    pub fn cookie_of_session(&self, session: &Session) -> Secret {
        session.set_cookie(&self.terms.public_url)
    }

    /// The address of a path of ours, as browsers see it.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.terms.public_url)
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<Hash, (Duration, String)>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `issuer` (RFC 8414 §2): byte for byte what metadata and answers say.
    pub fn issuer(&self) -> String {
        self.terms.public_url.to_string()
    }
}
