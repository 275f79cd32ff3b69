//! Word of a call's progress (`notifications/progress`).

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::MessageSink;
use super::revision::Revision;
use crate::rpc;
use crate::tool::Progress;

/// Most notifications of one call: a client reads them for a person, who cannot read more.
const NOTIFICATIONS_MAX: u32 = 1_000;

/// Sends word of progress to a client that asked for it by a token.
pub struct SinkProgress<'a> {
    sink: &'a dyn MessageSink,
    token: Option<Value>,
    revision: Revision,
    sent: Mutex<Sent>,
}

#[derive(Default)]
struct Sent {
    count: u32,
    last: Option<u64>,
}

impl<'a> SinkProgress<'a> {
    pub fn new(sink: &'a dyn MessageSink, token: Option<Value>, revision: Revision) -> SinkProgress<'a> {
        SinkProgress { sink, token, revision, sent: Mutex::default() }
    }
}

impl Progress for SinkProgress<'_> {
    /// Leaves out what does not grow, since `progress` must, and everything once nobody listens.
    fn report(&self, done: u64, total: Option<u64>, message: &str) {
        let Some(token) = &self.token else { return };
        // Held while sending, so that two threads of one call cannot send out of order.
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.last.is_some_and(|last| done <= last)
            || sent.count >= NOTIFICATIONS_MAX
            || self.sink.cancel().is_cancelled()
        {
            return;
        }
        *sent = Sent { count: sent.count + 1, last: Some(done) };
        let mut params = json!({"progressToken": token, "progress": done});
        if let Some(total) = total {
            params["total"] = total.into();
        }
        if !message.is_empty() && self.revision.has_progress_message() {
            params["message"] = message.into();
        }
        if self.sink.send(&rpc::notification("notifications/progress", params)).is_err() {
            self.sink.cancel().cancel();
        }
    }
}
