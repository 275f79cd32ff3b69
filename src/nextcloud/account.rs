//! One credential at Nextcloud and what is remembered about it.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::Capabilities;
use super::cookies::Jar;
use super::gate::Gate;
use super::path::UrlPath;
use crate::secret::Secret;

/// How long a refused credential is not shown to Nextcloud again. More than ten failures make Nextcloud's
/// brute-force protection refuse everybody from this address, right passwords included.
pub(super) const REFUSED: Duration = Duration::from_secs(60);

/// What Nextcloud is shown.
#[derive(Clone)]
pub enum Credential {
    /// User name (or e-mail address) and app password.
    Basic { user: String, password: Secret },
    /// An access token. An app password sent this way works for OCS and DAV, too.
    Bearer(Secret),
}

impl Credential {
    /// The `Authorization` header. The scheme is written `Bearer`: Nextcloud's OIDC app knows no other spelling.
    pub(super) fn header(&self) -> Secret {
        Secret::new(match self {
            Credential::Basic { user, password } => {
                format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", password.expose())))
            }
            Credential::Bearer(token) => format!("Bearer {}", token.expose()),
        })
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credential::Basic { .. } => "Basic [redacted]",
            Credential::Bearer(_) => "Bearer [redacted]",
        })
    }
}

/// One credential, its cookies, and what was learned with it. Shared by all calls that use the credential;
/// nothing of it is stored or shared with another account.
pub struct Account {
    pub(super) credential: Credential,
    /// Sessions of WebDAV and of the rest are kept apart: Nextcloud refuses a session that OCS began on WebDAV
    /// (401 `CSRF check not passed`), since only a log-in through WebDAV marks it for WebDAV.
    pub(super) dav_cookies: Mutex<Jar>,
    pub(super) cookies: Mutex<Jar>,
    pub(super) principal: OnceLock<Principal>,
    pub(super) homes: OnceLock<Homes>,
    pub(super) capabilities: Mutex<Option<(Duration, Arc<Capabilities>)>>,
    standing: Mutex<Standing>,
    worked: AtomicBool,
    pub(super) probe: Gate,
    turns: Mutex<HashMap<&'static str, Gate>>,
}

/// Who the credential belongs to (`DAV:current-user-principal`, RFC 5397).
#[derive(Clone, Debug)]
pub struct Principal {
    /// The user id, which is not always the log-in name (LDAP, log-in by e-mail).
    pub user_id: String,
    /// `/remote.php/dav/principals/users/{user_id}/`
    pub path: UrlPath,
}

/// Where an account keeps calendars and address books (RFC 4791 §6.2.1, RFC 6352 §7.1.1, RFC 6638 §2).
#[derive(Clone, Debug)]
pub struct Homes {
    pub calendars: UrlPath,
    pub address_books: UrlPath,
    pub display_name: Option<String>,
    /// `mailto:` addresses of the account without the scheme, the first is the preferred one.
    pub emails: Vec<String>,
}

/// What is known about the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Not shown yet: one request at a time.
    Untried,
    Accepted,
    /// Refused at this monotonic time.
    Refused(Duration),
}

/// Whether a request may show the credential.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Free,
    /// Only while holding the probe's place.
    Probe,
    /// Not before so many seconds.
    Refused(u64),
}

impl Account {
    pub fn new(credential: Credential) -> Account {
        Account {
            credential,
            dav_cookies: Mutex::default(),
            cookies: Mutex::default(),
            principal: OnceLock::new(),
            homes: OnceLock::new(),
            capabilities: Mutex::default(),
            standing: Mutex::new(Standing::Untried),
            worked: AtomicBool::new(false),
            probe: Gate::new(1),
            turns: Mutex::default(),
        }
    }

    /// What the account shows Nextcloud.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    pub(super) fn jar(&self, dav: bool) -> MutexGuard<'_, Jar> {
        lock(if dav { &self.dav_cookies } else { &self.cookies })
    }

    /// The gate through which calls of one kind go one at a time.
    pub(super) fn turn(&self, name: &'static str) -> Gate {
        lock(&self.turns).entry(name).or_insert_with(|| Gate::new(1)).clone()
    }

    pub(super) fn admission(&self, now: Duration) -> Admission {
        match *lock(&self.standing) {
            Standing::Accepted => Admission::Free,
            Standing::Untried => Admission::Probe,
            Standing::Refused(at) => match REFUSED.saturating_sub(now.saturating_sub(at)) {
                Duration::ZERO => Admission::Probe,
                left => Admission::Refused(left.as_secs().max(1)),
            },
        }
    }

    pub(super) fn accepted(&self) {
        *lock(&self.standing) = Standing::Accepted;
        self.worked.store(true, Ordering::Relaxed);
    }

    /// Whether Nextcloud has ever accepted the credential.
    pub(super) fn has_worked(&self) -> bool {
        self.worked.load(Ordering::Relaxed)
    }

    /// Whether Nextcloud refused the credential when it was last shown, a short while ago.
    pub fn is_refused(&self, now: Duration) -> bool {
        matches!(self.admission(now), Admission::Refused(_))
    }

    pub(super) fn refused(&self, now: Duration) {
        *lock(&self.standing) = Standing::Refused(now);
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("credential", &self.credential).finish_non_exhaustive()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_printed() {
        let basic =
            Account::new(Credential::Basic { user: "alice".into(), password: Secret::new("hunter2") });
        let bearer = Account::new(Credential::Bearer(Secret::new("hunter2")));
        let shown = format!("{basic:?} {bearer:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("alice"), "{shown}");
        assert_eq!(basic.credential.header().expose(), "Basic YWxpY2U6aHVudGVyMg==");
        assert_eq!(bearer.credential.header().expose(), "Bearer hunter2");
    }

    #[test]
    fn a_refused_credential_rests_and_is_then_probed() {
        let account = Account::new(Credential::Bearer(Secret::new("x")));
        let at = Duration::from_secs;
        assert_eq!(account.admission(at(0)), Admission::Probe);
        account.refused(at(10));
        assert_eq!(account.admission(at(10)), Admission::Refused(60));
        assert_eq!(account.admission(at(60)), Admission::Refused(10));
        assert_eq!(account.admission(at(70)), Admission::Probe);
        account.accepted();
        assert_eq!(account.admission(at(71)), Admission::Free);
    }
}
