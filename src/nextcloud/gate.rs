//! Waiting for one's turn, never longer than the call may take.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::Cancel;

/// How often a waiting call looks whether it was cancelled.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Lets a fixed number of holders in at a time. Cheap to clone.
#[derive(Clone)]
pub(super) struct Gate(Arc<Places>);

struct Places {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A place inside; given back when dropped.
pub(super) struct Pass(Arc<Places>);

impl Gate {
    pub(super) fn new(places: usize) -> Gate {
        Gate(Arc::new(Places { free: Mutex::new(places.max(1)), freed: Condvar::new() }))
    }

    /// Waits for a place for at most `wait`; `None` if there was none in time or the call was cancelled.
    pub(super) fn enter(&self, wait: Duration, cancel: &Cancel) -> Option<Pass> {
        let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = wait;
        while *free == 0 {
            if left.is_zero() || cancel.is_cancelled() {
                return None;
            }
            let slice = left.min(LOOK_AGAIN);
            let (guard, out) = self.0.freed.wait_timeout(free, slice).unwrap_or_else(PoisonError::into_inner);
            free = guard;
            if out.timed_out() {
                left -= slice;
            }
        }
        *free -= 1;
        Some(Pass(self.0.clone()))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back() {
        let gate = Gate::new(2);
        let short = Duration::from_millis(1);
        let cancel = Cancel::default();
        let first = gate.enter(short, &cancel);
        let second = gate.enter(short, &cancel);
        assert!(first.is_some() && second.is_some());
        assert!(gate.enter(short, &cancel).is_none());
        drop(first);
        assert!(gate.enter(short, &cancel).is_some());
    }

    #[test]
    fn a_waiting_call_gets_the_place_that_is_freed() {
        let gate = Gate::new(1);
        let cancel = Cancel::default();
        let held = gate.enter(Duration::ZERO, &cancel);
        std::thread::scope(|s| {
            let waiting = s.spawn(|| gate.enter(Duration::from_secs(10), &cancel).is_some());
            drop(held);
            assert!(waiting.join().expect("no panic"));
        });
    }

    #[test]
    fn a_cancelled_call_does_not_wait() {
        let gate = Gate::new(1);
        let cancel = Cancel::default();
        let _held = gate.enter(Duration::ZERO, &cancel);
        cancel.cancel();
        assert!(gate.enter(Duration::from_secs(3600), &cancel).is_none());
    }
}
