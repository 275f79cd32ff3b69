//! How many wrong passwords we show Nextcloud.
//!
//! Its brute-force protection counts them by the address they come from, which is ours for everybody: from the first on
//! it delays all log-ins from here, and after ten within half an hour it refuses them, right ones included
//! (<https://docs.nextcloud.com/server/latest/admin_manual/configuration_server/bruteforce_configuration.html>). So we
//! stop before that.

use std::net::IpAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;

/// How long a failure counts. Nextcloud's own half an hour.
pub const WINDOW: Duration = Duration::from_secs(30 * 60);
/// Most failures for one user name, and most for one peer, within the window.
pub const FAILURES_MAX: usize = 5;
/// Most failures altogether: a little less than what Nextcloud takes from one address.
pub const FAILURES_ALL_MAX: usize = 8;
/// How long nothing new is tried once Nextcloud has had enough of us and names no time.
const CLOSED: Duration = Duration::from_secs(5 * 60);
/// Failures that are remembered. More than the bound, since a password that was right once is asked about in any case.
const REMEMBERED_MAX: usize = 64;
/// How long an attempt waits for others to end, where their failure would stop it.
const WAIT: Duration = Duration::from_secs(30);

/// By whom an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<N> {
    /// The user name, or what stands for it.
    pub name: N,
    /// `None`: not known, as with a proxy that does not tell.
    pub peer: Option<IpAddr>,
}

/// Bounds the failures; a few dozen at most are remembered.
pub struct Attempts<N> {
    clock: Clock,
    state: Mutex<State<N>>,
    ended: Condvar,
}

struct State<N> {
    /// Oldest first, with monotonic times.
    failures: Vec<(Duration, Origin<N>)>,
    /// Under way.
    open: Vec<Origin<N>>,
    closed_until: Option<Duration>,
}

/// One attempt under way. Dropped without a word it was none: right, or not judged.
#[must_use]
pub struct Attempt<'a, N: Copy + PartialEq> {
    attempts: &'a Attempts<N>,
    origin: Origin<N>,
}

/// No attempt may be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Seconds until one may.
    pub retry_after_s: u64,
}

impl<N: Copy + PartialEq> Attempts<N> {
    pub fn new(clock: Clock) -> Attempts<N> {
        let state = State { failures: Vec::new(), open: Vec::new(), closed_until: None };
        Attempts { clock, state: Mutex::new(state), ended: Condvar::new() }
    }

    /// Begins an attempt, unless there were too many failures. Waits while the attempts under way could make them too
    /// many, so that a burst of wrong passwords is no way around the bound.
    pub fn begin(&self, origin: Origin<N>) -> Result<Attempt<'_, N>, Stopped> {
        let is_held = |state: &mut State<N>| {
            state.stopped(&origin, self.clock.monotonic()).is_none() && !state.has_room(&origin)
        };
        let (mut state, waited) =
            self.ended.wait_timeout_while(self.lock(), WAIT, is_held).unwrap_or_else(PoisonError::into_inner);
        if let Some(stopped) = state.stopped(&origin, self.clock.monotonic()) {
            return Err(stopped);
        }
        if waited.timed_out() {
            return Err(Stopped { retry_after_s: 5 });
        }
        state.open.push(origin);
        Ok(Attempt { attempts: self, origin })
    }

    /// Counts a failure that was no attempt: a password that was right before.
    pub fn count(&self, origin: Origin<N>) {
        let now = self.clock.monotonic();
        self.lock().fail(origin, now);
    }

    fn lock(&self) -> MutexGuard<'_, State<N>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<N: Copy + PartialEq> State<N> {
    fn fail(&mut self, origin: Origin<N>, now: Duration) {
        self.failures.push((now, origin));
        let over = self.failures.len().saturating_sub(REMEMBERED_MAX);
        self.failures.drain(..over);
    }

    fn stopped(&mut self, origin: &Origin<N>, now: Duration) -> Option<Stopped> {
        self.failures.retain(|(at, _)| now.saturating_sub(*at) < WINDOW);
        let ends = [
            self.closed_until,
            self.full_until(FAILURES_MAX, |other| other.name == origin.name),
            self.full_until(FAILURES_MAX, |other| other.is_of_peer(origin)),
            self.full_until(FAILURES_ALL_MAX, |_| true),
        ];
        let end = ends.into_iter().flatten().max().filter(|end| *end > now)?;
        Some(Stopped { retry_after_s: (end - now).as_secs().max(1) })
    }

    /// When fewer than `max` of these failures will be left, if there are so many.
    fn full_until(&self, max: usize, is_one: impl Fn(&Origin<N>) -> bool) -> Option<Duration> {
        let mut latest_first = self.failures.iter().rev().filter(|(_, origin)| is_one(origin));
        latest_first.nth(max - 1).map(|(at, _)| *at + WINDOW)
    }

    /// Whether the bounds hold even if all attempts under way fail, and this one, too.
    fn has_room(&self, origin: &Origin<N>) -> bool {
        let count = |is_one: &dyn Fn(&Origin<N>) -> bool| {
            self.failures.iter().map(|(_, origin)| origin).chain(&self.open).filter(|o| is_one(o)).count()
        };
        count(&|other| other.name == origin.name) < FAILURES_MAX
            && count(&|other| other.is_of_peer(origin)) < FAILURES_MAX
            && count(&|_| true) < FAILURES_ALL_MAX
    }
}

impl<N> Origin<N> {
    fn is_of_peer(&self, other: &Origin<N>) -> bool {
        self.peer.is_some() && self.peer == other.peer
    }
}

impl<N: Copy + PartialEq> Attempt<'_, N> {
    /// Nextcloud said no.
    pub fn failed(self) {
        let now = self.attempts.clock.monotonic();
        self.attempts.lock().fail(self.origin, now);
    }

    /// Nextcloud takes no more log-ins from here for a while.
    pub fn throttled(self, retry_after_s: Option<u64>) -> Stopped {
        let wait =
            retry_after_s.map_or(CLOSED, |s| Duration::from_secs(s).min(WINDOW)).max(Duration::from_secs(1));
        let mut state = self.attempts.lock();
        state.closed_until = Some(self.attempts.clock.monotonic() + wait);
        Stopped { retry_after_s: wait.as_secs() }
    }
}

impl<N: Copy + PartialEq> Drop for Attempt<'_, N> {
    fn drop(&mut self) {
        let mut state = self.attempts.lock();
        if let Some(own) = state.open.iter().position(|origin| *origin == self.origin) {
            state.open.swap_remove(own);
        }
        drop(state);
        self.attempts.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench() -> (Attempts<u32>, Clock) {
        let clock = Clock::manual(1_000_000);
        (Attempts::new(clock.clone()), clock)
    }

    fn origin(name: u32, last: Option<u8>) -> Origin<u32> {
        Origin { name, peer: last.map(|last| IpAddr::from([192, 0, 2, last])) }
    }

    fn fail(attempts: &Attempts<u32>, origin: Origin<u32>) {
        attempts.begin(origin).map(Attempt::failed).expect("an attempt");
    }

    fn wait_s(attempts: &Attempts<u32>, origin: Origin<u32>) -> Option<u64> {
        attempts.begin(origin).err().map(|stopped| stopped.retry_after_s)
    }

    #[test]
    fn five_failures_stop_a_name_and_nobody_else() {
        let (attempts, clock) = bench();
        for last in 0..5 {
            assert_eq!(wait_s(&attempts, origin(1, Some(9))), None);
            fail(&attempts, origin(1, Some(last)));
            clock.advance(Duration::from_secs(60));
        }
        assert_eq!(wait_s(&attempts, origin(1, Some(9))), Some(25 * 60));
        assert_eq!(wait_s(&attempts, origin(2, Some(9))), None);
        clock.advance(Duration::from_secs(25 * 60));
        assert_eq!(wait_s(&attempts, origin(1, Some(9))), None);
    }

    #[test]
    fn five_failures_stop_a_peer_that_is_known() {
        let (attempts, _clock) = bench();
        for name in 0..5 {
            fail(&attempts, origin(name, Some(1)));
        }
        assert_eq!(wait_s(&attempts, origin(7, Some(1))), Some(30 * 60));
        assert_eq!(wait_s(&attempts, origin(7, Some(2))), None);
        assert_eq!(wait_s(&attempts, origin(7, None)), None);
    }

    #[test]
    fn eight_failures_stop_everybody_before_nextcloud_does() {
        let (attempts, clock) = bench();
        for name in 0..8 {
            fail(&attempts, origin(name, None));
        }
        assert_eq!(wait_s(&attempts, origin(99, Some(7))), Some(30 * 60));
        clock.advance(WINDOW);
        assert_eq!(wait_s(&attempts, origin(99, Some(7))), None);
    }

    #[test]
    fn what_is_right_or_not_judged_does_not_count() {
        let (attempts, _clock) = bench();
        for _ in 0..100 {
            drop(attempts.begin(origin(1, Some(1))).expect("an attempt"));
        }
        assert_eq!(attempts.lock().open.len(), 0);
    }

    #[test]
    fn nextclouds_own_stop_is_kept() {
        let (attempts, clock) = bench();
        let stopped = attempts.begin(origin(1, None)).map(|attempt| attempt.throttled(Some(90)));
        assert_eq!(stopped.ok(), Some(Stopped { retry_after_s: 90 }));
        assert_eq!(wait_s(&attempts, origin(2, None)), Some(90));
        clock.advance(Duration::from_secs(90));
        assert_eq!(wait_s(&attempts, origin(2, None)), None);
    }

    #[test]
    fn a_burst_is_no_way_around_the_bound() {
        let (attempts, _clock) = bench();
        let made = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for name in 0..32 {
                let (attempts, made) = (&attempts, &made);
                scope.spawn(move || {
                    if let Ok(attempt) = attempts.begin(origin(name, None)) {
                        made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        std::thread::yield_now();
                        attempt.failed();
                    }
                });
            }
        });
        assert_eq!(made.into_inner(), FAILURES_ALL_MAX);
    }

    #[test]
    fn the_memory_is_bounded() {
        let (attempts, _clock) = bench();
        for name in 0..1_000 {
            attempts.count(origin(name, None));
        }
        assert_eq!(attempts.lock().failures.len(), REMEMBERED_MAX);
    }
}
