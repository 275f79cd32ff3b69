//! `login` and `logout`: one account, signed in at a terminal by Login Flow v2, so that no password has to be typed into
//! a configuration.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::serve::failed;
use super::{Error, print, serve, storage};
use crate::broker::login::{Begun, FlowLogin, Identity, Kept, LoginError};
use crate::clock::{Clock, Ids};
use crate::config::{SignIn, no_stored_login};
use crate::nextcloud::Nextcloud;
use crate::store::{Store, StoredLogin, Upstream};
use crate::sys::StopSignals;

/// How long Nextcloud keeps a login open.
const OPEN: Duration = Duration::from_secs(20 * 60);
/// How often Nextcloud is asked whether the person has said yes.
const ASK_EVERY: Duration = Duration::from_secs(3);
/// Exit status of who was interrupted, as shells count it: 128 and the number of the signal.
const INTERRUPTED: i32 = 130;

/// Signs somebody in and keeps their app password; the one of before is given back.
pub(super) fn login(choice: &SignIn) -> Result<(), Error> {
    let signals = StopSignals::block().map_err(failed("blocking signals"))?;
    let (clock, ids) = (Clock::system(), Ids::random());
    let nextcloud = Arc::new(nextcloud(choice, &clock, &ids)?);
    let store = storage::open(&choice.storage, &ids)?;
    let before = found(store.login(&choice.url.to_string()))?;
    let flow = flow(choice, nextcloud);
    let Begun::Grant { url, kept: Kept::Poll { endpoint, token } } = flow.begin().map_err(unavailable)?
    else {
        unreachable!("Login Flow v2 has a page to grant access on");
    };
    print(&format!(
        "Open this page in a browser, sign in, and grant access:\n\n  {url}\n\n\
         Waiting for you, at most 20 minutes. Ctrl-C ends it.\n"
    ))?;
    let settling = Arc::new(Mutex::new(()));
    end_on_signal(signals, settling.clone())?;
    let (identity, _settled) = wait(&clock, || {
        // From the answer to the end no signal comes between: the password would be left behind.
        let guard = settling.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(flow.ask(&endpoint, &token)?.map(|identity| (identity, guard)))
    })
    .map_err(|error| match error {
        LoginError::Expired => Error::Unavailable {
            what: "nobody granted access within 20 minutes; start login again".into(),
            source: None,
        },
        error => unavailable(error),
    })?;
    keep(choice, &flow, &store, before, identity, clock.now().unix_s())
}

/// Gives the stored app password back and forgets it.
pub(super) fn logout(choice: &SignIn) -> Result<(), Error> {
    let (clock, ids) = (Clock::system(), Ids::random());
    let url = choice.url.to_string();
    let store = storage::open_existing(&choice.storage, &ids)?;
    let known = store.as_ref().map(|store| found(store.login(&url))).transpose()?.flatten();
    let (Some(store), Some(login)) = (store, known) else {
        return print(&format!("Nobody is signed in at {url}.\n"));
    };
    let flow = flow(choice, Arc::new(nextcloud(choice, &clock, &ids)?));
    flow.give_back(&login.login_name, &Upstream::AppPassword(login.app_password)).map_err(|error| {
        Error::Unavailable {
            what: format!("the app password could not be ended, so you are still signed in: {error}"),
            source: None,
        }
    })?;
    found(store.delete_login(&url))?;
    print(&format!("Signed out: {} at {url}. Its app password is ended.\n", login.user_id))
}

/// The login that serves one account, if it is this user's.
pub(super) fn stored(
    storage: &crate::config::Storage,
    nextcloud: &crate::config::BaseUrl,
    username: Option<&str>,
    ids: &Ids,
) -> Result<StoredLogin, Error> {
    let store = storage::open_existing(storage, ids)?;
    let login = store.as_ref().map(|store| found(store.login(&nextcloud.to_string()))).transpose()?.flatten();
    login
        .filter(|login| username.is_none_or(|name| is_of(name, &login.user_id, &login.login_name)))
        .ok_or_else(|| {
            Error::Configuration(crate::config::Faults(vec![no_stored_login(username, nextcloud)]))
        })
}

/// Stores what was granted in place of what was there, which is given back then.
fn keep(
    choice: &SignIn,
    flow: &FlowLogin,
    store: &Store,
    before: Option<StoredLogin>,
    identity: Identity,
    now_s: u64,
) -> Result<(), Error> {
    let Identity { user_id, login_name, upstream } = identity;
    let give_back = |login_name: &str, upstream: &Upstream| {
        if let Err(error) = flow.give_back(login_name, upstream) {
            log::warn!(
                "an app password could not be ended; end it in Nextcloud under Settings, Security error=\"{error}\""
            );
        }
    };
    if let Some(wanted) = choice.username.as_deref().filter(|name| !is_of(name, &user_id, &login_name)) {
        give_back(&login_name, &upstream);
        return Err(Error::Unavailable {
            what: format!(
                "{user_id} granted access, but NEXTCLOUD_USERNAME asks for {wanted}; nothing was stored"
            ),
            source: None,
        });
    }
    let Upstream::AppPassword(app_password) = &upstream;
    let login = StoredLogin {
        nextcloud: choice.url.to_string(),
        user_id,
        login_name,
        app_password: app_password.clone(),
        created_at: now_s,
    };
    if let Err(error) = store.save_login(&login) {
        give_back(&login.login_name, &upstream);
        return Err(Error::Unavailable { what: error.to_string(), source: None });
    }
    if let Some(before) = before {
        give_back(&before.login_name, &Upstream::AppPassword(before.app_password));
    }
    print(&format!(
        "Signed in: {} at {}. The app password is sealed in {}.\n\
         Now `nextcloud-mcp-server stdio` and `nextcloud-mcp-server --no-oauth` serve this account.\n",
        login.user_id,
        login.nextcloud,
        store.path().display(),
    ))
}

/// Asks until there is an answer, or until Nextcloud has forgotten the login.
fn wait<T>(clock: &Clock, mut ask: impl FnMut() -> Result<Option<T>, LoginError>) -> Result<T, LoginError> {
    let start = clock.monotonic();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if clock.monotonic().saturating_sub(start) >= OPEN {
            return Err(LoginError::Expired);
        }
        clock.pause(ASK_EVERY);
    }
}

/// Ends the program on a signal, but not while `settling` is held.
fn end_on_signal(signals: StopSignals, settling: Arc<Mutex<()>>) -> Result<(), Error> {
    let end = move || {
        if signals.wait().is_ok() {
            let _settling = settling.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = print("Stopped. Nothing was stored.\n");
            std::process::exit(INTERRUPTED);
        }
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(end)
        .map(drop)
        .map_err(failed("starting a thread"))
}

fn nextcloud(choice: &SignIn, clock: &Clock, ids: &Ids) -> Result<Nextcloud, Error> {
    serve::nextcloud(&choice.nextcloud, &choice.url.to_string(), 1, clock, ids)
}

fn flow(choice: &SignIn, nextcloud: Arc<Nextcloud>) -> FlowLogin {
    FlowLogin {
        fetch: Arc::new(nextcloud.outside()),
        nextcloud,
        internal: choice.url.clone(),
        public: choice.nextcloud.public_url.clone().unwrap_or_else(|| choice.url.clone()),
    }
}

/// Whether a user is meant by this name: Nextcloud takes both, in any case.
fn is_of(name: &str, user_id: &str, login_name: &str) -> bool {
    let name = name.to_lowercase();
    name == user_id.to_lowercase() || name == login_name.to_lowercase()
}

fn found<T>(answer: Result<T, crate::store::Error>) -> Result<T, Error> {
    answer.map_err(|error| Error::Unavailable { what: error.to_string(), source: None })
}

fn unavailable(error: LoginError) -> Error {
    Error::Unavailable { what: format!("signing in failed: {error}"), source: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nextcloud_is_asked_every_few_seconds_until_the_person_says_yes() {
        let clock = Clock::manual(1_000);
        let mut asked = 0;
        let answer = wait(&clock, || {
            asked += 1;
            Ok((asked == 100).then_some("yes"))
        });
        assert_eq!((answer, asked), (Ok("yes"), 100));
        assert_eq!(clock.monotonic(), Duration::from_secs(1 + 99 * 3));
    }

    #[test]
    fn after_twenty_minutes_it_is_over() {
        let clock = Clock::manual(0);
        let mut asked = 0;
        let answer: Result<(), _> = wait(&clock, || {
            asked += 1;
            Ok(None)
        });
        assert_eq!((answer, asked), (Err(LoginError::Expired), 401));
        assert_eq!(clock.monotonic(), OPEN);
    }

    #[test]
    fn a_failure_ends_the_wait() {
        let clock = Clock::manual(0);
        let answer: Result<(), _> = wait(&clock, || Err(LoginError::Unavailable("gone".into())));
        assert_eq!(answer, Err(LoginError::Unavailable("gone".into())));
        assert_eq!(clock.monotonic(), Duration::ZERO);
    }

    #[test]
    fn a_user_is_known_by_id_and_by_login_name() {
        for name in ["alice", "Alice", "alice@example.org"] {
            assert!(is_of(name, "alice", "Alice@example.org"), "{name}");
        }
        assert!(!is_of("bob", "alice", "alice@example.org"));
    }
}
