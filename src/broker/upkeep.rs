//! What is done now and then: giving credentials back to Nextcloud that no grant needs any more.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::Broker;
use super::pending::LOGIN_TIME;

/// A grant that nobody used for so long is over.
const UNUSED: Duration = Duration::from_secs(90 * 86_400);

/// How long nothing is looked at where nobody calls for it.
const PAUSE: Duration = Duration::from_secs(10 * 60);

/// Wakes the thread that does it.
#[derive(Default)]
pub(super) struct Upkeep {
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Default)]
struct State {
    called: bool,
    stopped: bool,
}

impl Upkeep {
    /// Something is to be done.
    pub(super) fn call(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).called = true;
        self.woken.notify_all();
    }
}

impl Broker {
    /// Does what is to be done until [`Broker::stop`]; for a thread of its own.
    pub fn keep_up(&self) {
        loop {
            self.tidy_up();
            let state = self.upkeep.state.lock().unwrap_or_else(PoisonError::into_inner);
            let wait =
                self.upkeep.woken.wait_timeout_while(state, PAUSE, |state| !state.called && !state.stopped);
            let (mut state, _) = wait.unwrap_or_else(PoisonError::into_inner);
            if state.stopped {
                return;
            }
            state.called = false;
        }
    }

    /// Ends [`Broker::keep_up`] as soon as it has done what it is at.
    pub fn stop(&self) {
        self.upkeep.state.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
        self.upkeep.woken.notify_all();
    }

    /// Gives back what is over, at most 100 at a time. What Nextcloud cannot take now is tried again the next time.
    pub fn tidy_up(&self) {
        let now = self.clock.now().unix_s();
        let before = |time: Duration| now.saturating_sub(time.as_secs());
        let grants = match self.store.grants_to_give_back(before(LOGIN_TIME), before(UNUSED)) {
            Ok(grants) => grants,
            Err(error) => return log::error!("{error}"),
        };
        for grant in grants {
            let given_back = self.login.give_back(&grant.login_name, &grant.upstream);
            if let Err(error) = given_back {
                log::warn!("a credential is not given back yet user={} error=\"{error}\"", grant.user_id);
                continue;
            }
            match self.store.delete_grant(&grant.id) {
                Ok(()) => {
                    log::info!("gave a credential back user={} client={}", grant.user_id, grant.client_id)
                }
                Err(error) => log::error!("{error}"),
            }
        }
    }
}
