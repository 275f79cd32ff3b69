//! The open connections: how many, which of them are idle, and whom to close when there are too many.

use std::collections::HashMap;
use std::net::Shutdown;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::stream::Stream;

/// How long a newcomer may have to wait for threads that are about to end.
const LAG: Duration = Duration::from_millis(100);

pub(super) struct Registry {
    connections_max: usize,
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Default)]
struct State {
    entries: HashMap<u64, Entry>,
    next_id: u64,
    stopping: bool,
}

struct Entry {
    stream: Arc<Stream>,
    /// Our own code works on a whole request. A connection that has sent only part of one counts as idle.
    busy: bool,
    /// Shut down by us; its thread is about to notice.
    closing: bool,
    idle_since: Instant,
}

impl Entry {
    fn is_idle(&self) -> bool {
        !self.busy && !self.closing
    }

    fn close(&mut self) {
        self.closing = true;
        self.stream.shutdown(Shutdown::Both);
    }
}

impl Registry {
    pub fn new(connections_max: usize) -> Arc<Registry> {
        Arc::new(Registry { connections_max, state: Mutex::default(), left: Condvar::new() })
    }

    /// Registers a connection. At the cap the one idle longest has to go for it; `None` if none is idle.
    pub fn enter(self: &Arc<Self>, stream: Arc<Stream>) -> Option<Ticket> {
        // Threads of connections just closed are bounded too: when they lag behind, newcomers come in at their pace.
        let threads_max = self.connections_max.saturating_mul(2);
        let crowded = |state: &mut State| state.entries.len() >= threads_max;
        let wait = self.left.wait_timeout_while(self.lock(), LAG, crowded);
        let mut state = wait.unwrap_or_else(PoisonError::into_inner).0;
        if state.stopping || crowded(&mut state) || !state.make_room(self.connections_max) {
            return None;
        }
        let id = state.next_id;
        state.next_id += 1;
        let entry = Entry { stream, busy: false, closing: false, idle_since: Instant::now() };
        state.entries.insert(id, entry);
        Some(Ticket { registry: self.clone(), id })
    }

    /// Connections with a thread, those about to end included.
    pub fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// Closes idle connections and lets no more in; the busy ones will close after their answer.
    pub fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        state.entries.values_mut().filter(|entry| entry.is_idle()).for_each(Entry::close);
    }

    /// Closes what is left, whatever it is doing.
    pub fn close_all(&self) {
        self.lock().entries.values_mut().for_each(Entry::close);
    }

    /// Waits until no connection is left, or `timeout` has passed; gives the number left.
    pub fn wait_empty(&self, timeout: Duration) -> usize {
        let state = self.lock();
        let wait = self.left.wait_timeout_while(state, timeout, |state| !state.entries.is_empty());
        wait.unwrap_or_else(PoisonError::into_inner).0.entries.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn make_room(&mut self, connections_max: usize) -> bool {
        if self.entries.len() < connections_max {
            return true;
        }
        if self.entries.values().filter(|entry| !entry.closing).count() < connections_max {
            return true;
        }
        let idle = self.entries.values_mut().filter(|entry| entry.is_idle());
        match idle.min_by_key(|entry| entry.idle_since) {
            Some(entry) => {
                entry.close();
                true
            }
            None => false,
        }
    }
}

/// A connection's place in the registry, given back when dropped.
pub(super) struct Ticket {
    registry: Arc<Registry>,
    id: u64,
}

impl Ticket {
    /// Our code is about to work for this connection. `false` if it has been closed or the server stops: nothing may
    /// be carried out for it any more.
    pub fn begin(&self) -> bool {
        self.update(|entry| entry.busy = true)
    }

    /// The rest of the request has still to come: the connection may be closed for another.
    pub fn wait(&self) {
        self.update(|entry| entry.busy = false);
    }

    /// The answer has been written. `false` if the connection is not to be used again.
    pub fn rest(&self) -> bool {
        self.update(|entry| {
            entry.busy = false;
            entry.idle_since = Instant::now();
        })
    }

    /// Whether the connection may be kept after the answer about to be written.
    pub fn stays(&self) -> bool {
        self.update(|_| {})
    }

    fn update(&self, change: impl FnOnce(&mut Entry)) -> bool {
        let mut state = self.registry.lock();
        let stopping = state.stopping;
        let Some(entry) = state.entries.get_mut(&self.id) else { return false };
        if entry.closing {
            return false;
        }
        change(entry);
        !stopping
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.registry.lock().entries.remove(&self.id);
        self.registry.left.notify_all();
    }
}
