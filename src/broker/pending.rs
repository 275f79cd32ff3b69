//! Logins under way, in memory: from the request of a client to the code that it gets.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::authorize::Authorization;
use super::login::Kept;
use super::random::Hash;
use crate::tool::Scope;

/// A person may take this long until they have signed in; Login Flow v2 gives 20 minutes.
pub const LOGIN_TIME: Duration = Duration::from_secs(20 * 60);
/// Beyond this many the oldest goes.
const PENDING_MAX: usize = 1_000;

/// One login under way.
#[derive(Clone, Debug)]
pub struct Pending {
    pub purpose: Purpose,
    /// Of the cookie: only this browser may go on.
    pub browser: Hash,
    pub stage: Stage,
}

/// What the login is for.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all are of the large kind, and they are few")]
pub enum Purpose {
    /// A client wants to act for the person.
    Client(Box<Authorization>),
    /// The person wants to see their connections on `/`.
    Page,
}

#[derive(Clone, Debug)]
pub enum Stage {
    /// The consent page is open.
    Asked,
    /// The person said yes to these scopes and is at Nextcloud.
    SigningIn { scopes: Vec<Scope>, url: String, kept: Kept },
    /// The browser was sent back to the client.
    Over { back: String },
}

/// The table, by the hash of what the browser holds: the ticket of its forms, which is also the `state` of the login.
#[derive(Default)]
pub struct Logins(Mutex<HashMap<Hash, (Duration, Pending)>>);

impl Logins {
    /// `now` is monotonic, here and below.
    pub fn insert(&self, ticket: Hash, pending: Pending, now: Duration) {
        let mut logins = self.lock();
        logins.retain(|_, (since, _)| now.saturating_sub(*since) < LOGIN_TIME);
        if logins.len() >= PENDING_MAX
            && let Some(oldest) =
                logins.iter().min_by_key(|(_, (since, _))| *since).map(|(ticket, _)| *ticket)
        {
            logins.remove(&oldest);
        }
        logins.insert(ticket, (now, pending));
    }

    /// The login of this ticket, unless it is over time or belongs to another browser.
    pub fn of(&self, ticket: &Hash, browser: &Hash, now: Duration) -> Option<Pending> {
        let logins = self.lock();
        let (since, pending) = logins.get(ticket)?;
        (now.saturating_sub(*since) < LOGIN_TIME && pending.browser == *browser).then(|| pending.clone())
    }

    /// Moves a login on, if it is where `from` wants it to be: of two requests at the same time one is the first.
    pub fn advance(&self, ticket: &Hash, from: impl Fn(&Stage) -> bool, to: Stage) -> bool {
        let mut logins = self.lock();
        match logins.get_mut(ticket) {
            Some((_, pending)) if from(&pending.stage) => {
                pending.stage = to;
                true
            }
            _ => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Hash, (Duration, Pending)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
