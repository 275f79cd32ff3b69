//! The client of one Nextcloud: the only place that opens connections to it and the only one that knows its
//! status codes, OCS envelopes and multistatus bodies.
//!
//! [`Nextcloud`] is shared by all; an [`Account`] is one credential; a [`Call`] is the time budget of one tool
//! call; a [`Client`] joins the three and sends [`Request`]s:
//!
//! ```no_run
//! # use nextcloud_mcp_server::nextcloud::*;
//! # fn note(nextcloud: &Nextcloud, account: &Account, call: &Call) -> Result<serde_json::Value, Error> {
//! let client = nextcloud.client(account, call);
//! let path = UrlPath::app("notes").raw("/api/v1/notes").segment("7");
//! client.json(Request::new("GET", path)).of("note 7")
//! # }
//! ```

mod account;
mod bearer;
mod capabilities;
mod classify;
mod client;
mod cookies;
mod dav;
mod error;
mod exchange;
mod files;
mod gate;
mod network;
mod ocs;
mod outside;
mod path;
mod request;
mod resolver;
mod response;
mod retry;
mod settings;
mod tls;
pub mod xml;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ureq::tls::Certificate;

pub use account::{Account, Credential, Homes, Principal};
pub use capabilities::{Capabilities, ServerStatus, Version};
pub use client::{Client, Turn};
pub use dav::{Element, Entry, Multistatus};
pub use error::{Error, Kind, Subject, advice};
pub use files::{FilePlace, SystemTag};
pub use ocs::php_object;
pub use outside::{
    Fetch, OUTSIDE_BYTES_MAX, Outside, OutsideError, OutsideRequest, OutsideResponse, form_encode,
};
pub use path::{UrlPath, decode, encode};
pub use request::{ANSWER_BYTES_MAX, Request};
pub use response::{Response, ResponseHead, Slice, normalise_etag as etag};
pub use settings::{Base, Settings, SettingsError};
pub use xml::{APPLE_ICAL, CALDAV, CARDDAV, CS, DAV, NC, OC};

use crate::cancel::Cancel;
use crate::clock::{Clock, Ids};
use gate::Gate;

/// The configured Nextcloud. One for the whole program; shared by reference between threads.
pub struct Nextcloud {
    settings: Settings,
    clock: Clock,
    ids: Ids,
    /// Made with the first request, since reading the host's root certificates takes its time.
    agent: OnceLock<ureq::Agent>,
    extra_roots: Vec<Certificate<'static>>,
    proxy: Option<ureq::Proxy>,
    places: Gate,
    /// Learned: this Nextcloud (before 31) wants a session and a request token on the routes of its apps.
    apps_want_session: AtomicBool,
    stopped: AtomicBool,
}

impl Nextcloud {
    /// Checks the settings; opens no connection. Fails if the CA file cannot be read or the proxy's address is
    /// none.
    pub fn new(settings: Settings, clock: Clock, ids: Ids) -> Result<Nextcloud, SettingsError> {
        let extra_roots =
            settings.ca_bundle.as_deref().map(tls::read_bundle).transpose()?.unwrap_or_default();
        let proxy = settings.proxy.as_ref().map(|url| ureq::Proxy::new(url.expose())).transpose();
        let proxy = proxy.map_err(|_| SettingsError::Proxy)?;
        let places = Gate::new(settings.parallel);
        Ok(Nextcloud {
            settings,
            clock,
            ids,
            agent: OnceLock::new(),
            extra_roots,
            proxy,
            places,
            apps_want_session: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        })
    }

    /// A client that shows the account's credential.
    pub fn client<'a>(&'a self, account: &'a Account, call: &'a Call) -> Client<'a> {
        Client::new(self, Some(account), call)
    }

    /// A client that shows no credential, for public routes.
    pub fn anonymous<'a>(&'a self, call: &'a Call) -> Client<'a> {
        Client::new(self, None, call)
    }

    /// Where Nextcloud is.
    pub fn base(&self) -> &Base {
        &self.settings.base
    }

    /// The clock that deadlines are measured with.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// A call that may take this long, from now on.
    pub fn call(&self, budget: Duration) -> Call {
        Call { deadline: self.clock.monotonic().saturating_add(budget), cancel: Cancel::default() }
    }

    /// A client for addresses that strangers name: public ones only, and never by a proxy.
    pub fn public_web(&self) -> Outside {
        Outside::public_only(self)
    }

    /// A client of the identity provider, which need not be this Nextcloud; with the same certificate authorities
    /// and proxy.
    pub fn outside(&self) -> Outside {
        Outside::new(self)
    }

    /// `GET /status.php` within this time: version and maintenance, without a credential.
    pub fn ping(&self, patience: Duration) -> Result<ServerStatus, Error> {
        let call = self.call(patience);
        self.anonymous(&call).json(Request::new("GET", UrlPath::status()).limit_bytes(64 * 1024))
    }

    /// Breaks off all requests and refuses new ones. For the end of the program.
    pub fn shutdown(&self) {
        self.stopped.store(true, Ordering::Release);
        if let Some(agent) = self.agent.get() {
            agent.clone().shutdown();
        }
    }

    fn agent(&self) -> &ureq::Agent {
        self.agent.get_or_init(|| network::agent(self))
    }
}

impl std::fmt::Debug for Nextcloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nextcloud").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The time budget of one tool call, for all its requests together, and its cancellation.
#[derive(Clone, Debug)]
pub struct Call {
    /// [`Clock::monotonic`] time at which the call is over.
    pub deadline: Duration,
    pub cancel: Cancel,
}

impl Call {
    /// What is left of the budget.
    pub fn remaining(&self, clock: &Clock) -> Duration {
        self.deadline.saturating_sub(clock.monotonic())
    }
}

#[cfg(test)]
mod tests;
