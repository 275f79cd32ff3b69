//! Authorization codes, in memory: they live for a minute.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::random::Hash;

/// RFC 6749 §4.1.2 allows ten minutes; a program needs a second.
pub const CODE_TIME: Duration = Duration::from_secs(60);
const CODES_MAX: usize = 1_000;

/// What a code stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    pub grant_id: String,
    pub client_id: String,
    /// As the authorization request named it, if it did.
    pub redirect_uri: String,
    pub challenge: String,
}

/// What became of a code that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    First(Issued),
    /// It was shown before: what it was exchanged for may be in wrong hands (RFC 6749 §4.1.2).
    Again {
        grant_id: String,
    },
    Unknown,
}

/// The codes by hash. A used one is remembered for as long as it would have been good.
#[derive(Default)]
pub struct Codes(Mutex<HashMap<Hash, Entry>>);

struct Entry {
    since: Duration,
    issued: Issued,
    used: bool,
}

impl Codes {
    /// `now` is monotonic, here and below.
    pub fn insert(&self, code: Hash, issued: Issued, now: Duration) {
        let mut codes = self.lock();
        codes.retain(|_, entry| now.saturating_sub(entry.since) < CODE_TIME);
        if codes.len() >= CODES_MAX
            && let Some(oldest) = codes.iter().min_by_key(|(_, entry)| entry.since).map(|(code, _)| *code)
        {
            codes.remove(&oldest);
        }
        codes.insert(code, Entry { since: now, issued, used: false });
    }

    /// Uses a code up, whatever comes of it.
    pub fn take(&self, code: &Hash, now: Duration) -> Shown {
        match self.lock().get_mut(code) {
            Some(entry) if now.saturating_sub(entry.since) >= CODE_TIME => Shown::Unknown,
            Some(entry) if entry.used => Shown::Again { grant_id: entry.issued.grant_id.clone() },
            Some(entry) => {
                entry.used = true;
                Shown::First(entry.issued.clone())
            }
            None => Shown::Unknown,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Hash, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_good_once_and_for_a_minute() {
        let issued = Issued {
            grant_id: "g".into(),
            client_id: "c".into(),
            redirect_uri: "https://a/cb".into(),
            challenge: "x".into(),
        };
        let codes = Codes::default();
        let at = Duration::from_secs;
        codes.insert([1; 32], issued.clone(), at(0));
        codes.insert([2; 32], issued.clone(), at(0));
        assert_eq!(codes.take(&[1; 32], at(59)), Shown::First(issued));
        assert_eq!(codes.take(&[1; 32], at(59)), Shown::Again { grant_id: "g".into() });
        assert_eq!(codes.take(&[2; 32], at(60)), Shown::Unknown);
        assert_eq!(codes.take(&[3; 32], at(0)), Shown::Unknown);
    }

    #[test]
    fn there_are_only_so_many() {
        let codes = Codes::default();
        let issued = |n: usize| Issued {
            grant_id: n.to_string(),
            client_id: String::new(),
            redirect_uri: String::new(),
            challenge: String::new(),
        };
        for n in 0..=CODES_MAX {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_be_bytes());
            codes.insert(hash, issued(n), Duration::from_millis(n as u64));
        }
        assert_eq!(codes.lock().len(), CODES_MAX);
        assert_eq!(codes.take(&[0; 32], Duration::from_secs(1)), Shown::Unknown);
    }
}
