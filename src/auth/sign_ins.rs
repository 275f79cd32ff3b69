//! Callers of multi-user basic mode: each request brings user name and password, and Nextcloud is asked about them once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::hmac;

use super::Caller;
use super::attempts::{Attempts, Origin, Stopped};
use super::basic::UserPass;
use crate::clock::{Clock, Ids, NoRandomness};
use crate::nextcloud::{Account, Credential, Error, Kind, Nextcloud};
use crate::tool::Scopes;

#[cfg(test)]
mod tests;

/// How long a right password is not asked about again: so long it outlives its revocation where Nextcloud is not asked
/// for anything.
pub const RIGHT: Duration = Duration::from_secs(60);
/// How long a wrong password is not asked about again after the first time; four times as long after each further time.
pub const WRONG: Duration = Duration::from_secs(60);
const WRONG_MAX: Duration = Duration::from_secs(60 * 60);
/// How long nothing is asked about a password after Nextcloud could not judge it.
pub const UNJUDGED: Duration = Duration::from_secs(5);
/// How long the password and the cookies of somebody are kept who makes no request.
pub const IDLE: Duration = Duration::from_secs(15 * 60);
/// How often it is looked for who has gone.
const TIDY_EVERY: Duration = Duration::from_secs(60);
/// How long it is remembered whether a password was right or wrong: only by its tag.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);
/// Most passwords remembered.
const SIGN_INS_MAX: usize = 1_000;
/// Most requests that wait for a verdict: who has shown nothing yet must not take up all connections.
const JUDGED_MAX: usize = 64;
/// Time for Nextcloud's answer. Its brute-force protection delays log-ins by up to 25 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// Stands for a user name, or for user name and password: HMAC-SHA-256 with a key of this process alone. Who cannot
/// compute it learns nothing from the time that looking it up takes, nor from the memory it lies in.
type Tag = [u8; 32];

/// Asks Nextcloud whose account it is; gives the user id.
pub type Ask = Box<dyn Fn(&Account) -> Result<String, Error> + Send + Sync>;

/// Judges user names and passwords. Shared by all requests; bounded.
pub struct SignIns {
    ask: Ask,
    clock: Clock,
    key: hmac::Key,
    table: Mutex<Table>,
    attempts: Attempts<Tag>,
    judged: AtomicUsize,
}

/// A place among those who wait for a verdict.
struct Place<'a>(&'a AtomicUsize);

#[derive(Default)]
struct Table {
    known: HashMap<Tag, Known>,
    tidied_at: Duration,
}

/// One user name with one password, right or wrong.
struct Known {
    sign_in: Arc<Mutex<SignIn>>,
    /// Monotonic.
    used: Duration,
    /// Wrong ones must not push out right ones.
    is_right: bool,
}

/// What is known of it. Held while Nextcloud is asked, so that it is asked once; times are monotonic.
#[derive(Default)]
struct SignIn {
    /// Until Nextcloud refuses it.
    right: Option<Right>,
    wrong: Option<Wrong>,
    unjudged_at: Option<Duration>,
}

struct Right {
    at: Duration,
    user_id: String,
    /// Dropped after a while without a request.
    account: Option<Arc<Account>>,
}

#[derive(Clone, Copy)]
struct Wrong {
    at: Duration,
    times: u32,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nextcloud did not accept it.
    Wrong,
    /// Too many wrong passwords came; this one was not looked at.
    Stopped { retry_after_s: u64 },
    /// Nextcloud does not answer, or not as it should.
    Unjudged,
}

/// Asks `nextcloud`, which waits out its delay after wrong passwords.
pub fn ask(nextcloud: Arc<Nextcloud>) -> Ask {
    Box::new(move |account| {
        let call = nextcloud.call(PATIENCE);
        let client = nextcloud.client(account, &call);
        let is_refused = || account.is_refused(nextcloud.clock().monotonic());
        match client.ask_principal() {
            // Only the session of before was refused; now the password itself is shown.
            Err(error) if error.kind == Kind::Unauthorized && !is_refused() => client.ask_principal(),
            answer => answer,
        }
        .map(|principal| principal.user_id)
    })
}

impl SignIns {
    /// Fails only where the operating system has no randomness to give.
    pub fn new(ask: Ask, clock: Clock, ids: &Ids) -> Result<SignIns, NoRandomness> {
        let mut key = [0_u8; 32];
        ids.fill(&mut key)?;
        Ok(SignIns {
            ask,
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            table: Mutex::default(),
            attempts: Attempts::new(clock.clone()),
            judged: AtomicUsize::new(0),
            clock,
        })
    }

    /// The caller whose name and password these are. `peer`: from where they came, if that can be told.
    pub fn caller(&self, user: &UserPass, peer: Option<IpAddr>) -> Result<Caller, Refusal> {
        let _place = Place::take(&self.judged).ok_or(Refusal::Unjudged)?;
        let tag = self.tag(&[&user.name, ":", user.password.expose()]);
        // Nextcloud takes names in any case, so a changed case is no way around the stop.
        let origin = Origin { name: self.tag(&[&user.name.to_lowercase()]), peer };
        let sign_in = self.sign_in(tag);
        let mut sign_in = lock(&sign_in);
        let result = self.judge(&mut sign_in, user, origin);
        let is_right = sign_in.right.is_some();
        if let Some(known) = lock(&self.table).known.get_mut(&tag) {
            known.is_right = is_right;
        }
        result
    }

    fn judge(&self, sign_in: &mut SignIn, user: &UserPass, origin: Origin<Tag>) -> Result<Caller, Refusal> {
        let now = self.clock.monotonic();
        if let Some(right) = &sign_in.right {
            match &right.account {
                // A tool call found out before us.
                Some(account) if account.is_refused(now) => {
                    self.attempts.count(origin);
                    sign_in.refused(now);
                    log::warn!("Nextcloud accepts a sign-in no longer {}", named(user, origin));
                }
                Some(account) if now.saturating_sub(right.at) < RIGHT => {
                    return Ok(caller(&right.user_id, account));
                }
                _ => {}
            }
        }
        if sign_in.wrong.is_some_and(|wrong| now.saturating_sub(wrong.at) < wrong.rest()) {
            return Err(Refusal::Wrong);
        }
        if sign_in.unjudged_at.is_some_and(|at| now.saturating_sub(at) < UNJUDGED) {
            return Err(Refusal::Unjudged);
        }
        self.ask_about(sign_in, user, origin)
    }

    fn ask_about(
        &self,
        sign_in: &mut SignIn,
        user: &UserPass,
        origin: Origin<Tag>,
    ) -> Result<Caller, Refusal> {
        // What was right before is most likely right, and others' mistakes must not shut it out.
        let attempt = match sign_in.right {
            Some(_) => None,
            None => Some(self.attempts.begin(origin).map_err(Refusal::from)?),
        };
        let account = sign_in.right.as_ref().and_then(|right| right.account.clone());
        let account = account.unwrap_or_else(|| Arc::new(new_account(user)));
        let answer = (self.ask)(&account);
        let now = self.clock.monotonic();
        sign_in.unjudged_at = None;
        let error = match answer {
            Ok(user_id) => {
                if sign_in.right.is_none() {
                    log::info!("Nextcloud accepted a sign-in caller={user_id:?}");
                }
                let caller = caller(&user_id, &account);
                *sign_in = SignIn {
                    right: Some(Right { at: now, user_id, account: Some(account) }),
                    ..SignIn::default()
                };
                return Ok(caller);
            }
            Err(error) => error,
        };
        match error.kind {
            Kind::Unauthorized => {
                match attempt {
                    Some(attempt) => attempt.failed(),
                    None => self.attempts.count(origin),
                }
                sign_in.refused(now);
                log::warn!("Nextcloud refused a sign-in {}", named(user, origin));
                Err(Refusal::Wrong)
            }
            Kind::Throttled if attempt.is_some() => {
                log::warn!("Nextcloud takes no more sign-ins from this server for a while");
                let stopped = attempt.map(|attempt| attempt.throttled(error.retry_after_s));
                Err(stopped.map_or(Refusal::Unjudged, Refusal::from))
            }
            _ => {
                sign_in.unjudged_at = Some(now);
                log::warn!("Nextcloud cannot be asked about a sign-in error=\"{error}\"");
                Err(Refusal::Unjudged)
            }
        }
    }

    fn tag(&self, parts: &[&str]) -> Tag {
        let mut context = hmac::Context::with_key(&self.key);
        parts.iter().for_each(|part| context.update(part.as_bytes()));
        let mut tag = Tag::default();
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }

    fn sign_in(&self, tag: Tag) -> Arc<Mutex<SignIn>> {
        let now = self.clock.monotonic();
        let mut table = lock(&self.table);
        if let Some(known) = table.known.get_mut(&tag) {
            known.used = now;
        }
        if now.saturating_sub(table.tidied_at) >= TIDY_EVERY {
            table.tidied_at = now;
            table.known.retain(|_, known| known.is_worth_keeping(now));
        }
        let known = &mut table.known;
        if let Some(known) = known.get(&tag) {
            return known.sign_in.clone();
        }
        if known.len() >= SIGN_INS_MAX
            && let Some(first) = known.iter().min_by_key(|(_, known)| (known.is_right, known.used))
        {
            let first = *first.0;
            known.remove(&first);
        }
        let sign_in = Arc::new(Mutex::default());
        known.insert(tag, Known { sign_in: Arc::clone(&sign_in), used: now, is_right: false });
        sign_in
    }
}

impl Place<'_> {
    fn take(judged: &AtomicUsize) -> Option<Place<'_>> {
        let place = Place(judged);
        // Dropped again where it is one too many.
        (judged.fetch_add(1, Ordering::Relaxed) < JUDGED_MAX).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Known {
    /// Lets go of the secrets of somebody who has gone, and of everything a day later.
    fn is_worth_keeping(&self, now: Duration) -> bool {
        let idle = now.saturating_sub(self.used);
        // Who holds the lock is using it.
        if idle >= IDLE
            && let Ok(mut sign_in) = self.sign_in.try_lock()
            && let Some(right) = &mut sign_in.right
        {
            right.account = None;
        }
        idle < REMEMBERED
    }
}

impl SignIn {
    fn refused(&mut self, now: Duration) {
        let times = self.wrong.map_or(1, |wrong| wrong.times.saturating_add(1));
        *self = SignIn { wrong: Some(Wrong { at: now, times }), ..SignIn::default() };
    }
}

impl Wrong {
    /// A client with an old password comes again and again, for days.
    fn rest(self) -> Duration {
        let factor = 4_u32.saturating_pow(self.times.saturating_sub(1));
        WRONG.saturating_mul(factor).min(WRONG_MAX)
    }
}

impl From<Stopped> for Refusal {
    fn from(Stopped { retry_after_s }: Stopped) -> Refusal {
        Refusal::Stopped { retry_after_s }
    }
}

fn new_account(user: &UserPass) -> Account {
    Account::new(Credential::Basic { user: user.name.clone(), password: user.password.clone() })
}

fn caller(user_id: &str, account: &Arc<Account>) -> Caller {
    Caller { name: user_id.to_owned(), scopes: Scopes::Unrestricted, account: account.clone() }
}

/// Most characters of a user name in the log.
const NAME_CHARS_MAX: usize = 64;

/// As Nextcloud's own log names them.
fn named(user: &UserPass, origin: Origin<Tag>) -> String {
    let name: String = user.name.chars().take(NAME_CHARS_MAX).collect();
    let peer = origin.peer.map_or_else(|| "unknown".to_owned(), |peer| peer.to_string());
    format!("user={name:?} peer={peer}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
