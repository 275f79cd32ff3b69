//! The Model Context Protocol, whatever carries it: every revision at once, nothing remembered between requests.

use serde_json::Value;

use crate::auth::Caller;
use crate::cancel::Cancel;
use crate::server::Server;
use crate::tool::Scope;

/// What a transport hands over.
pub struct Incoming<'a> {
    /// The message as it came: UTF-8 JSON, or what should have been.
    pub body: &'a [u8],
    pub caller: &'a Caller,
    /// The protocol headers of HTTP; `None` on stdio, where the body says everything.
    pub headers: Option<ProtocolHeaders<'a>>,
    /// The client takes `text/event-stream` (it lists it in `Accept`), so a long call may report progress.
    pub accepts_events: bool,
}

/// `MCP-Protocol-Version`, `Mcp-Method` and `Mcp-Name` as sent.
#[derive(Debug, Clone, Copy)]
pub struct ProtocolHeaders<'a> {
    pub version: Header<'a>,
    pub method: Header<'a>,
    pub name: Header<'a>,
}

/// A header that should come once at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header<'a> {
    Missing,
    Once(&'a str),
    Repeated,
}

/// What a transport is to do. Status codes are the transport's business.
pub enum Reply {
    /// A JSON answer: one response, or an array of them for a batch.
    Answer { body: Value, class: Class },
    /// Taken note of; there is no answer.
    Accepted,
    /// An answer that may be preceded by notifications. `run` does the work and sends each message.
    Stream(StreamJob),
    /// The caller lacks these scopes.
    Forbidden { needed: Vec<Scope> },
    /// Too many calls wait for Nextcloud already.
    Busy { retry_after_s: u64 },
}

/// The work behind a streamed answer.
pub type StreamJob = Box<dyn FnOnce(&dyn MessageSink) + Send>;

/// How a JSON answer stands to its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Success, or an error that belongs in an ordinary answer.
    Ordinary,
    /// The message or its envelope is malformed.
    Malformed,
    /// The method does not exist (2026-07-28 and later tell this apart).
    UnknownMethod,
}

/// Takes the messages of one streamed answer.
pub trait MessageSink: Sync {
    /// Sends one message; an error means that nobody listens any more.
    fn send(&self, message: &Value) -> Result<(), Gone>;
    /// Set as soon as the client is seen to have gone.
    fn cancel(&self) -> &Cancel;
}

/// The client has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// Answers one message. Never panics: a bug in a handler becomes a JSON-RPC error with an id that the log knows.
pub fn handle(_server: &std::sync::Arc<Server>, _incoming: Incoming) -> Reply {
    Reply::Accepted
}
