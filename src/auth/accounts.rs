//! The Nextcloud account of each token: its cookies and what was found out about it, in memory only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::digest;

use crate::clock::Clock;
use crate::nextcloud::{Account, Credential};
use crate::secret::Secret;

/// Most tokens with an account at a time.
const ACCOUNTS_MAX: usize = 1_000;
/// How long an account is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(15 * 60);

/// SHA-256 of a token.
type Hash = [u8; digest::SHA256_OUTPUT_LEN];

/// Without it each request with a bearer would make Nextcloud a new session, at five to eight times the cost.
pub struct Accounts {
    clock: Clock,
    known: Mutex<HashMap<Hash, Known>>,
}

struct Known {
    account: Arc<Account>,
    /// Monotonic.
    used: Duration,
    /// `exp` of the token, in seconds since 1970.
    expires_s: Option<u64>,
}

impl Accounts {
    pub fn new(clock: Clock) -> Accounts {
        Accounts { clock, known: Mutex::default() }
    }

    /// The account of a token that has been judged good.
    pub fn of(&self, token: &str, expires_s: Option<u64>) -> Arc<Account> {
        let mut hash = Hash::default();
        hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        let (now, now_s) = (self.clock.monotonic(), self.clock.now().unix_s());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get_mut(&hash) {
            known.used = now;
            return known.account.clone();
        }
        // The cookies authenticate by themselves and outlive the token, so they go with it.
        known.retain(|_, known| {
            known.expires_s.is_none_or(|at| at > now_s) && now.saturating_sub(known.used) < IDLE
        });
        if known.len() >= ACCOUNTS_MAX
            && let Some(oldest) = known.iter().min_by_key(|(_, known)| known.used).map(|(hash, _)| *hash)
        {
            known.remove(&oldest);
        }
        let account = Arc::new(Account::new(Credential::Bearer(Secret::new(token))));
        known.insert(hash, Known { account: account.clone(), used: now, expires_s });
        account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_keeps_its_account_and_the_table_stays_bounded() {
        let clock = Clock::manual(1_000_000);
        let accounts = Accounts::new(clock.clone());
        let first = accounts.of("first", Some(2_000));
        assert!(Arc::ptr_eq(&first, &accounts.of("first", Some(2_000))));
        for n in 0..ACCOUNTS_MAX {
            clock.advance(Duration::from_millis(1));
            accounts.of(&n.to_string(), None);
        }
        assert_eq!(accounts.known.lock().unwrap().len(), ACCOUNTS_MAX);
        assert!(!Arc::ptr_eq(&first, &accounts.of("first", Some(2_000))), "the oldest had to go");
    }

    #[test]
    fn what_is_over_goes_before_what_is_in_use() {
        let clock = Clock::manual(1_000_000);
        let accounts = Accounts::new(clock.clone());
        for n in 0..ACCOUNTS_MAX {
            accounts.of(&n.to_string(), Some(if n == 5 { 1_500 } else { 9_000 }));
        }
        let kept = accounts.of("0", None);
        clock.advance(Duration::from_secs(800));
        accounts.of("0", None);
        accounts.of("new", None);
        assert_eq!(accounts.known.lock().unwrap().len(), ACCOUNTS_MAX);
        assert!(Arc::ptr_eq(&kept, &accounts.of("0", None)));
    }
}
