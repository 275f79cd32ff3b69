//! Bounds how many calls work on Nextcloud at a time, all together and for each caller.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most calls that wait for a place.
const WAITING_MAX: usize = 64;
/// What a refused caller is told to wait.
const RETRY_AFTER_S: u64 = 5;

/// A counting semaphore with a second count for each caller. Cheap to clone; clones share their counts.
///
/// Whoever finds no place waits for one, first come, first served, but nobody waits behind a caller who is at their own
/// limit.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    total_max: usize,
    per_caller_max: usize,
    waiting_per_caller_max: usize,
    wait: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

/// The tables hold only who is inside or waiting, so they are bounded by the counts.
#[derive(Default)]
struct State {
    inside: usize,
    inside_by_caller: HashMap<Arc<str>, usize>,
    queue: VecDeque<Waiter>,
    next_ticket: u64,
}

struct Waiter {
    ticket: u64,
    caller: Arc<str>,
}

/// The right to be inside; leaves when dropped, also while a panic unwinds.
pub struct Permit {
    gate: Arc<Inner>,
    caller: Arc<str>,
}

/// No place became free in time, or too many wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy {
    pub retry_after_s: u64,
}

impl Gate {
    /// At most `total_max` inside, at most `per_caller_max` of them for one caller; who finds no place waits up to `wait`.
    pub fn new(total_max: usize, per_caller_max: usize, wait: Duration) -> Gate {
        Gate::with_queue(total_max, per_caller_max, WAITING_MAX / 4, wait)
    }

    fn with_queue(
        total_max: usize,
        per_caller_max: usize,
        waiting_per_caller_max: usize,
        wait: Duration,
    ) -> Gate {
        Gate(Arc::new(Inner {
            total_max,
            per_caller_max,
            waiting_per_caller_max,
            wait,
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
        }))
    }

    /// The same where there is only one caller: no part of the queue has to be kept free for others.
    pub fn for_one_caller(total_max: usize, per_caller_max: usize, wait: Duration) -> Gate {
        Gate::with_queue(total_max, per_caller_max, WAITING_MAX, wait)
    }

    /// Enters, waiting for a place if need be. Fails after the waiting time, or at once when 64 calls wait already or,
    /// where there are several callers, a quarter of them for this one.
    pub fn enter(&self, caller: &str) -> Result<Permit, Busy> {
        let inner = &self.0;
        let busy = Busy { retry_after_s: RETRY_AFTER_S };
        let caller: Arc<str> = caller.into();
        let mut state = inner.lock();
        let own_waiters = state.queue.iter().filter(|waiter| waiter.caller == caller).count();
        if state.queue.len() >= WAITING_MAX || own_waiters >= inner.waiting_per_caller_max {
            return Err(busy);
        }
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.queue.push_back(Waiter { ticket, caller: caller.clone() });
        let (mut state, _) = inner
            .changed
            .wait_timeout_while(state, inner.wait, |state| inner.next(state) != Some(ticket))
            .unwrap_or_else(PoisonError::into_inner);
        let admitted = inner.next(&state) == Some(ticket);
        state.queue.retain(|waiter| waiter.ticket != ticket);
        if admitted {
            state.inside += 1;
            *state.inside_by_caller.entry(caller.clone()).or_default() += 1;
        }
        drop(state);
        // Whoever stood behind may have become the next, whether we went in or away.
        inner.changed.notify_all();
        if admitted { Ok(Permit { gate: inner.clone(), caller }) } else { Err(busy) }
    }
}

impl Inner {
    /// A panic cannot leave the counts half changed, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first in the queue who may go in.
    fn next(&self, state: &State) -> Option<u64> {
        if state.inside >= self.total_max {
            return None;
        }
        let has_room = |caller| state.inside_by_caller.get(caller).is_none_or(|n| *n < self.per_caller_max);
        state.queue.iter().find(|waiter| has_room(&waiter.caller)).map(|waiter| waiter.ticket)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.inside = state.inside.saturating_sub(1);
        if let Some(inside) = state.inside_by_caller.get_mut(&self.caller) {
            *inside = inside.saturating_sub(1);
            if *inside == 0 {
                state.inside_by_caller.remove(&self.caller);
            }
        }
        drop(state);
        self.gate.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn wait_for_queue(gate: &Gate, len: usize) {
        while gate.0.lock().queue.len() != len {
            thread::yield_now();
        }
    }

    #[test]
    fn both_limits_hold_and_a_dropped_permit_makes_room() {
        let gate = Gate::new(3, 2, Duration::ZERO);
        let a1 = gate.enter("a").unwrap();
        let _a2 = gate.enter("a").unwrap();
        assert!(gate.enter("a").is_err(), "a third of one caller");
        let _b1 = gate.enter("b").unwrap();
        assert!(gate.enter("b").is_err(), "a fourth of all");
        drop(a1);
        assert!(gate.enter("b").is_ok());
    }

    #[test]
    fn a_panic_gives_the_permit_back_and_nothing_is_kept_of_a_caller() {
        let gate = Gate::new(1, 1, Duration::ZERO);
        let clone = gate.clone();
        let ended = thread::spawn(move || {
            let _permit = clone.enter("a");
            panic!("on purpose");
        })
        .join();
        assert!(ended.is_err());
        assert!(gate.enter("a").is_ok());
        let state = gate.0.lock();
        assert!(state.inside == 0 && state.inside_by_caller.is_empty() && state.queue.is_empty());
    }

    #[test]
    fn waiters_go_in_first_come_first_served() {
        let gate = Gate::new(1, 1, LONG);
        let first = gate.enter("a").unwrap();
        let (tell, told) = mpsc::channel();
        let threads: Vec<_> = (0..5)
            .map(|n| {
                let (clone, tell) = (gate.clone(), tell.clone());
                let thread = thread::spawn(move || {
                    let _permit = clone.enter(&format!("caller {n}"));
                    tell.send(n)
                });
                wait_for_queue(&gate, n + 1);
                thread
            })
            .collect();
        drop(first);
        for thread in threads {
            assert!(thread.join().unwrap().is_ok());
        }
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn nobody_waits_behind_a_caller_at_their_own_limit() {
        let gate = Gate::new(2, 1, LONG);
        let held = gate.enter("greedy").unwrap();
        let clone = gate.clone();
        let waiting = thread::spawn(move || clone.enter("greedy").is_ok());
        wait_for_queue(&gate, 1);
        assert!(gate.enter("modest").is_ok());
        drop(held);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn a_full_queue_refuses_at_once() {
        let gate = Gate::new(1, 1, LONG);
        let held = gate.enter("a").unwrap();
        let mut threads = Vec::new();
        for n in 0..WAITING_MAX {
            let clone = gate.clone();
            threads.push(thread::spawn(move || clone.enter(&format!("caller {}", n / 16)).is_ok()));
            wait_for_queue(&gate, n + 1);
            if n + 1 == WAITING_MAX / 4 {
                assert!(gate.enter("caller 0").is_err(), "a caller's own share of the queue");
            }
        }
        assert_eq!(gate.enter("another").err(), Some(Busy { retry_after_s: RETRY_AFTER_S }));
        drop(held);
        assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
    }

    #[test]
    fn many_threads_never_exceed_the_limits() {
        let gate = Gate::new(4, 2, LONG);
        let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let threads: Vec<_> = (0..12)
            .map(|n| {
                let (gate, inside, most) = (gate.clone(), inside.clone(), most.clone());
                thread::spawn(move || {
                    for _ in 0..50 {
                        let _permit = gate.enter(if n % 3 == 0 { "a" } else { "b" });
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(most.load(Ordering::SeqCst) <= 4);
        assert!(gate.0.lock().inside_by_caller.is_empty());
    }
}
