//! Verdicts on tokens, remembered for a short time, so that a request costs no signature check and no round trip.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::digest;

use crate::auth::claims::Claims;
use crate::auth::reason::Reason;
use crate::clock::Clock;

/// Most tokens remembered as good, and as many again as bad.
pub const TOKENS_MAX: usize = 1_000;
/// How long a good token is not looked at again: so long it outlives its revocation.
pub const GOOD_TTL: Duration = Duration::from_secs(60);
/// How long a bad token is not looked at again.
pub const BAD_TTL: Duration = Duration::from_secs(10);

/// SHA-256 of a token. The token itself is not kept.
type Hash = [u8; digest::SHA256_OUTPUT_LEN];

/// A cache of verdicts. Bounded, oldest out; bad tokens cannot push out good ones.
pub struct VerifiedTokens {
    clock: Clock,
    tables: Mutex<Tables>,
}

struct Tables {
    good: Table<Arc<Claims>>,
    bad: Table<Reason>,
}

impl VerifiedTokens {
    pub fn new(clock: Clock) -> VerifiedTokens {
        VerifiedTokens { clock, tables: Mutex::new(Tables { good: Table::new(), bad: Table::new() }) }
    }

    /// The verdict on `token`: remembered, or by `judge`, which is called without a lock held.
    ///
    /// A good verdict is remembered for 60 s and never beyond the token's end; a bad one for 10 s; none if the provider was
    /// unreachable.
    pub fn check(
        &self,
        token: &str,
        judge: impl FnOnce() -> Result<Claims, Reason>,
    ) -> Result<Arc<Claims>, Reason> {
        let hash = hash(token);
        let (now, now_s) = (self.clock.monotonic(), self.clock.now().unix_s());
        if let Some(verdict) = self.lock().remembered(&hash, now, now_s) {
            return verdict;
        }
        let verdict = judge().map(Arc::new);
        let mut tables = self.lock();
        match &verdict {
            Ok(claims) => {
                let left =
                    claims.expires_s.map_or(GOOD_TTL, |at| Duration::from_secs(at.saturating_sub(now_s)));
                tables.good.put(hash, claims.clone(), now + left.min(GOOD_TTL));
            }
            Err(reason) if reason.is_passing() => {}
            Err(reason) => tables.bad.put(hash, *reason, now + BAD_TTL),
        }
        verdict
    }

    /// Forgets a token that was revoked, or that Nextcloud refused.
    pub fn forget(&self, token: &str) {
        let hash = hash(token);
        let mut tables = self.lock();
        tables.good.remove(&hash);
        tables.bad.remove(&hash);
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn remembered(&self, hash: &Hash, now: Duration, now_s: u64) -> Option<Result<Arc<Claims>, Reason>> {
        if let Some(claims) = self.good.get(hash, now) {
            // The clock may have been set forward since; set back, it must not lengthen what `put` was told.
            return claims.expires_s.is_none_or(|at| now_s < at).then(|| Ok(claims.clone()));
        }
        self.bad.get(hash, now).map(|reason| Err(*reason))
    }
}

/// A map that holds the newest [`TOKENS_MAX`] entries, each until its time.
struct Table<T> {
    entries: HashMap<Hash, (T, Duration)>,
    /// Oldest first; the same hashes as in `entries`.
    order: VecDeque<Hash>,
}

impl<T> Table<T> {
    fn new() -> Table<T> {
        Table { entries: HashMap::new(), order: VecDeque::new() }
    }

    fn get(&self, hash: &Hash, now: Duration) -> Option<&T> {
        self.entries.get(hash).filter(|(_, until)| now < *until).map(|(value, _)| value)
    }

    fn put(&mut self, hash: Hash, value: T, until: Duration) {
        self.remove(&hash);
        if self.order.len() >= TOKENS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        self.entries.insert(hash, (value, until));
        self.order.push_back(hash);
    }

    fn remove(&mut self, hash: &Hash) {
        if self.entries.remove(hash).is_some() {
            self.order.retain(|other| other != hash);
        }
    }
}

fn hash(token: &str) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests;
