//! Which requests of one connection are being worked on, so that `notifications/cancelled` can reach them.
//!
//! Only stdio needs it: there all requests share one connection, and a request is cancelled by a message of its own. Over
//! HTTP a client closes the request's connection instead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use crate::cancel::Cancel;
use crate::rpc::Id;

/// The requests of one connection. Holds no more than the transport lets in at a time.
#[derive(Default)]
pub struct Running(Mutex<Requests>);

#[derive(Default)]
struct Requests {
    by_id: HashMap<Id, (u64, Cancel)>,
    next_serial: u64,
}

/// One message on its way; takes its request off the list when dropped.
pub struct Ticket {
    running: Arc<Running>,
    entry: Option<(Id, u64)>,
    cancel: Cancel,
}

/// As much of a message as it takes to know what it cancels. Everything else is passed over.
#[derive(Deserialize)]
struct Peek {
    method: Option<Value>,
    id: Option<Value>,
    params: Option<PeekParams>,
}

#[derive(Deserialize)]
struct PeekParams {
    #[serde(rename = "requestId")]
    request_id: Option<Value>,
}

impl Running {
    pub fn new() -> Arc<Running> {
        Arc::default()
    }

    /// Looks at a message before it is handled, in the order of arrival. A request goes onto the list until its ticket is
    /// dropped; `notifications/cancelled` sets the flag of the request that it names. Anything else, also what is no
    /// message at all, is let through: [`super::handle`] judges it.
    pub fn enter(self: &Arc<Running>, body: &[u8]) -> Ticket {
        let mut ticket = Ticket { running: self.clone(), entry: None, cancel: Cancel::new() };
        let Ok(peek) = serde_json::from_slice::<Peek>(body) else {
            return ticket;
        };
        let method = peek.method.as_ref().and_then(Value::as_str);
        let mut requests = self.lock();
        match (method, peek.id.map(Id::read)) {
            (Some("notifications/cancelled"), None) => {
                let named = peek.params.and_then(|params| params.request_id).and_then(Id::read);
                if let Some((_, cancel)) = named.and_then(|id| requests.by_id.get(&id)) {
                    cancel.cancel();
                }
            }
            (Some(_), Some(Some(id))) => {
                let serial = requests.next_serial;
                requests.next_serial += 1;
                requests.by_id.insert(id.clone(), (serial, ticket.cancel.clone()));
                ticket.entry = Some((id, serial));
            }
            _ => {}
        }
        drop(requests);
        ticket
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// For [`super::Incoming`] and for the sink of a streamed answer.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some((id, serial)) = self.entry.take() {
            let mut requests = self.running.lock();
            // A careless client may have used the id again meanwhile; the later request keeps its place.
            if requests.by_id.get(&id).is_some_and(|(current, _)| *current == serial) {
                requests.by_id.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL_7: &[u8] =
        br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x","arguments":[]}}"#;
    const CANCEL_7: &[u8] =
        br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7,"reason":"r"}}"#;
    const CANCEL_TEXT_7: &[u8] =
        br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"7"}}"#;

    #[test]
    fn a_cancellation_reaches_the_request_it_names_and_no_other() {
        let running = Running::new();
        let seven = running.enter(CALL_7);
        let eight = running.enter(br#"{"jsonrpc":"2.0","id":8,"method":"ping"}"#);
        running.enter(CANCEL_TEXT_7);
        assert!(!seven.cancel().is_cancelled(), "the type of an id is part of it");
        running.enter(CANCEL_7);
        assert!(seven.cancel().is_cancelled() && !eight.cancel().is_cancelled());
    }

    #[test]
    fn a_finished_request_leaves_nothing_behind() {
        let running = Running::new();
        drop(running.enter(CALL_7));
        running.enter(CANCEL_7);
        let again = running.enter(CALL_7);
        assert!(!again.cancel().is_cancelled());
        let reused = running.enter(CALL_7);
        drop(again);
        running.enter(CANCEL_7);
        assert!(reused.cancel().is_cancelled(), "the later request of the same id kept its place");
        drop(reused);
        assert!(running.lock().by_id.is_empty());
    }

    #[test]
    fn what_is_no_request_is_let_through() {
        let running = Running::new();
        for body in [&b"\xff"[..], b"[]", b"{}", br#"{"id":null,"method":"m"}"#, br#"{"id":1}"#, CANCEL_7] {
            assert!(!running.enter(body).cancel().is_cancelled());
        }
        assert!(running.lock().by_id.is_empty());
    }
}
