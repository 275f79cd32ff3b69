//! The HTTP/1.1 listener: RFC 9110 and RFC 9112, one thread per connection, no TLS, no MCP.
//!
//! A [`Server`] takes a [`Listener`], [`Limits`] and a [`Handler`]. The handler sees whole requests with correct framing
//! and gives whole responses or a stream of events; everything between is done here: deadlines, limits, keep-alive,
//! pipelining, `Expect: 100-continue`, HEAD, closing without losing the answer, and a graceful stop.
//!
//! What is absent, on purpose: TLS and HTTP/2 (a reverse proxy speaks them), upgrades, CONNECT and TRACE, absolute-form
//! targets, content codings, bodies as streams, and `Date` (the one clock of the program is not ours to read, and
//! nothing here is cached).

mod activation;
mod body;
mod conn;
mod events;
mod head;
mod limits;
mod probe;
mod registry;
mod response;
mod server;
mod stream;

pub use activation::{Activation, Notifier, watchdog_interval};
pub use events::{EventSink, EventStream, Gone};
pub use head::{Head, Headers, Version};
pub use limits::Limits;
pub use probe::Door;
pub use response::Response;
pub use server::{Listener, Server};
pub use stream::Peer;

/// A whole request: the body has been read, and its framing is no longer of interest.
#[derive(Debug)]
pub struct Request {
    pub head: Head,
    pub body: Vec<u8>,
}

/// What a handler gives back.
pub enum Reply {
    /// A whole response, written at once.
    Full(Response),
    /// A stream of server-sent events, written as they come.
    Events(EventStream),
}

impl From<Response> for Reply {
    fn from(response: Response) -> Reply {
        Reply::Full(response)
    }
}

/// Answers requests. Called on many threads at once; a panic is caught, answered with 500 and ends that connection only.
pub trait Handler: Send + Sync + 'static {
    /// Decides by the head alone, before one byte of the body is read and before `100 Continue` is sent.
    ///
    /// `Err` is the answer, and the body is never read: 401, 403, 404, 405, 413, 415 cost nothing this way.
    fn admit(&self, head: &Head) -> Result<(), Response>;

    /// The largest body this request may have, in bytes; [`Limits::body_bytes_max`] holds besides. Asked after `admit`.
    fn body_bytes_max(&self, _head: &Head) -> usize {
        usize::MAX
    }

    /// Answers one whole request. HEAD is answered like GET: the listener leaves the body away.
    fn handle(&self, request: Request) -> Reply;
}
