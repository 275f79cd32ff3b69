//! The issuer's keys, remembered: fetched when first needed, every hour, and when a token names a key we do not know.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::auth::claims::{Claims, Expected};
use crate::auth::jwks::Jwks;
use crate::auth::jwt;
use crate::auth::reason::Reason;
use crate::clock::Clock;

/// How old keys become before they are fetched again.
pub const REFRESH: Duration = Duration::from_secs(60 * 60);
/// Shortest time between two fetches, whatever tokens name. Anyone may send tokens.
pub const REFETCH: Duration = Duration::from_secs(60);
/// The same while there are no keys at all, because nobody can be let in without.
pub const RETRY: Duration = Duration::from_secs(5);
/// How long a request waits for another one's fetch.
const WAIT: Duration = Duration::from_secs(15);

/// Gets the key set's bytes from the issuer within a deadline of its own; the error says what went wrong, for the log.
pub type Fetch = Box<dyn Fn() -> Result<Vec<u8>, String> + Send + Sync>;

/// A cache of one issuer's keys. Requests share it; at most one of them fetches at a time, and it does so outside the lock.
pub struct KeyCache {
    fetch: Fetch,
    clock: Clock,
    state: Mutex<State>,
    fetched: Condvar,
}

#[derive(Default)]
struct State {
    keys: Option<Arc<Jwks>>,
    /// When a fetch last began, and whether it brought keys; monotonic.
    last: Option<(Duration, Outcome)>,
    /// When the keys that we have were fetched; monotonic.
    keys_since: Duration,
    in_flight: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Fresh,
    Failed,
}

impl KeyCache {
    /// An empty cache; nothing is fetched yet.
    pub fn new(fetch: Fetch, clock: Clock) -> KeyCache {
        KeyCache { fetch, clock, state: Mutex::new(State::default()), fetched: Condvar::new() }
    }

    /// [`jwt::verify`] with the issuer's keys as they are now. If the token names an unknown key, they are fetched again, at
    /// most once a minute. [`Reason::Unreachable`] if keys are missing that could not be fetched; known keys go on working.
    pub fn verify(&self, token: &str, expected: &Expected) -> Result<Claims, Reason> {
        self.with_keys(|keys| jwt::verify(token, keys, expected, self.clock.now().unix_s()))
    }

    /// Judges by the keys at hand, and once more by newer ones if it was for want of a key. For tokens that are judged by other
    /// rules than [`KeyCache::verify`].
    pub fn with_keys<T>(&self, judge: impl Fn(&Jwks) -> Result<T, Reason>) -> Result<T, Reason> {
        let keys = self.keys(None).ok_or(Reason::Unreachable)?;
        let verdict = judge(&keys);
        if !matches!(verdict, Err(Reason::UnknownKey | Reason::NoKeys)) {
            return verdict;
        }
        let newer = self.keys(Some(&keys)).ok_or(Reason::Unreachable)?;
        let verdict = if Arc::ptr_eq(&newer, &keys) { verdict } else { judge(&newer) };
        match verdict {
            Err(Reason::UnknownKey | Reason::NoKeys) if self.last_failed() => Err(Reason::Unreachable),
            verdict => verdict,
        }
    }

    /// The keys to judge by; newer ones than those `seen`, if they can be had now. Who has nothing to judge by waits for a
    /// fetch under way; everyone else goes on with the keys at hand meanwhile.
    fn keys(&self, seen: Option<&Arc<Jwks>>) -> Option<Arc<Jwks>> {
        let lacks = |state: &State| match (&state.keys, seen) {
            (None, _) => true,
            (Some(keys), Some(seen)) => Arc::ptr_eq(keys, seen),
            (Some(_), None) => false,
        };
        let mut state = self.lock();
        if state.in_flight && lacks(&state) {
            let waited =
                self.fetched.wait_timeout_while(state, WAIT, |state| state.in_flight && lacks(state));
            return waited.unwrap_or_else(PoisonError::into_inner).0.keys.clone();
        }
        let now = self.clock.monotonic();
        if state.in_flight || !state.may_fetch(now) || !(lacks(&state) || state.are_old(now)) {
            return state.keys.clone();
        }
        state.in_flight = true;
        drop(state);
        self.fetch_once();
        self.lock().keys.clone()
    }

    /// Fetches, with `in_flight` set by the caller, and takes it back whatever happens.
    fn fetch_once(&self) {
        let began = self.clock.monotonic();
        let mut flight = Flight { cache: self, began, result: None };
        flight.result = (self.fetch)()
            .and_then(|bytes| Jwks::parse(&bytes).map_err(|fault| fault.to_string()))
            .map_err(|cause| log::warn!("Fetching the issuer's keys failed cause={cause:?}"))
            .ok();
    }

    fn last_failed(&self) -> bool {
        self.lock().last.is_some_and(|(_, outcome)| outcome == Outcome::Failed)
    }

    /// A panic cannot leave the state half changed: [`Flight`] puts it right.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_fetch(&self, now: Duration) -> bool {
        let pause = if self.keys.is_none() { RETRY } else { REFETCH };
        self.last.is_none_or(|(last, _)| now >= last + pause)
    }

    fn are_old(&self, now: Duration) -> bool {
        now >= self.keys_since + REFRESH
    }
}

/// A fetch under way. Dropping it, also while a panic unwinds, writes down how it ended and wakes who waits.
struct Flight<'a> {
    cache: &'a KeyCache,
    began: Duration,
    result: Option<Jwks>,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut state = self.cache.lock();
        state.in_flight = false;
        match self.result.take() {
            Some(keys) => {
                if keys.is_empty() || keys.skipped() > 0 {
                    log::info!(
                        "The issuer has keys that are no use here usable={} skipped={}",
                        keys.len(),
                        keys.skipped()
                    );
                }
                state.last = Some((self.began, Outcome::Fresh));
                state.keys_since = self.began;
                state.keys = Some(Arc::new(keys));
            }
            None => state.last = Some((self.began, Outcome::Failed)),
        }
        drop(state);
        self.cache.fetched.notify_all();
    }
}

#[cfg(test)]
mod tests;
