//! The Model Context Protocol, whatever carries it: every revision at once, nothing remembered between requests.
//!
//! A message climbs a ladder of checks: its shape ([`crate::rpc`]), its revision and envelope (`envelope`), what it asks
//! for (`work`), the gate; then the work is done. Every difference between revisions stands in `revision`.

mod completion;
mod envelope;
mod lifecycle;
mod progress;
mod prompts;
mod resources;
mod result;
mod revision;
mod running;
mod tools;
mod work;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use self::envelope::{Envelope, Refused};
use self::progress::SinkProgress;
use self::work::{Cannot, Context, Work};
use crate::auth::Caller;
use crate::cancel::Cancel;
use crate::gate::{Busy, Permit};
use crate::rpc::{self, Error, Id, Message, Notification, Received, Request};
use crate::server::Server;
use crate::tool::{NoProgress, Progress, Scope};

pub use running::{Running, Ticket};

/// Most messages of one batch.
const BATCH_MAX: usize = 100;

/// What a transport hands over.
pub struct Incoming<'a> {
    /// The message as it came: UTF-8 JSON, or what should have been.
    pub body: &'a [u8],
    pub caller: &'a Caller,
    /// The protocol headers of HTTP; `None` on stdio, where the body says everything.
    pub headers: Option<ProtocolHeaders<'a>>,
    /// The client takes `text/event-stream` (it lists it in `Accept`), so a long call may report progress.
    pub accepts_events: bool,
    /// Set when the answer is no longer wanted. On stdio it comes from [`Running`], so that a later message can set it;
    /// over HTTP it is a fresh one.
    pub cancel: Cancel,
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
    /// Taken note of; there is no answer. Also for a request that was cancelled meanwhile.
    Accepted,
    /// An answer that may be preceded by notifications. `run` does the work and sends each message; the response comes
    /// last and is the only one without a `method`, so a sink that gets it first may still answer with plain JSON.
    Stream(StreamJob),
    /// The caller lacks these scopes. Does not happen on stdio, whose caller is the owner of the account.
    Forbidden { needed: Vec<Scope> },
    /// Too many calls wait for Nextcloud already. Only over HTTP.
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
///
/// A `tools/call` that asks for progress, from a client that takes events, is answered by [`Reply::Stream`]; everything
/// else at once.
pub fn handle(server: &Arc<Server>, incoming: Incoming) -> Reply {
    // Counted from the arrival, so that waiting at the gate is part of what a client has to wait.
    let deadline = server.clock.monotonic() + server.call_timeout;
    match rpc::parse(incoming.body) {
        Err(error) => malformed(error),
        Ok(Received::One(Message::Request(request))) => answer(server, &incoming, request, deadline),
        Ok(Received::One(Message::Notification(notification))) => note(&incoming, &notification),
        Ok(Received::One(Message::Response)) if revision::is_modern(incoming.version(), None) => malformed(
            Error::new(rpc::INVALID_REQUEST, "this server asks nothing, so there is nothing to answer"),
        ),
        Ok(Received::One(Message::Response)) => Reply::Accepted,
        Ok(Received::Batch(messages)) => answer_batch(server, &incoming, messages, deadline),
    }
}

fn answer(server: &Arc<Server>, incoming: &Incoming, request: Request, deadline: Duration) -> Reply {
    let id = request.id.clone();
    let refuse = |error, class| Reply::Answer { body: rpc::error_response(Some(id.clone()), error), class };
    let envelope = match envelope::open(&request, incoming.headers.as_ref()) {
        Ok(envelope) => envelope,
        Err(Refused { error, class }) => return refuse(error, class),
    };
    let job = match Job::prepare(server, incoming.caller, envelope, request) {
        Ok(job) => job,
        Err(Cannot::Answer(error)) => return refuse(error, Class::Ordinary),
        Err(Cannot::Allow(scopes)) => return Reply::Forbidden { needed: scopes.to_vec() },
    };
    let permit = match enter(server, incoming.caller, job.work.waits_for_nextcloud()) {
        Ok(permit) => permit,
        Err(busy) if incoming.headers.is_none() => return refuse(busy_error(busy), Class::Ordinary),
        Err(Busy { retry_after_s }) => return Reply::Busy { retry_after_s },
    };
    if incoming.accepts_events && job.streams() {
        // Up to 2025-11-25 a lost connection is no cancellation; on stdio the flag is set by a message, in every revision.
        let may_cancel = incoming.headers.is_none() || job.envelope.revision.is_modern();
        return stream(server.clone(), incoming.caller.clone(), job, deadline, permit, may_cancel);
    }
    let body = job.run(server, incoming.caller, deadline, &incoming.cancel, &NoProgress);
    drop(permit);
    if incoming.cancel.is_cancelled() {
        return Reply::Accepted;
    }
    Reply::Answer { body, class: Class::Ordinary }
}

fn stream(
    server: Arc<Server>,
    caller: Caller,
    job: Job,
    deadline: Duration,
    permit: Option<Permit>,
    may_cancel: bool,
) -> Reply {
    Reply::Stream(Box::new(move |sink| {
        let progress = SinkProgress::new(sink, job.envelope.progress_token.clone(), job.envelope.revision);
        let cancel = if may_cancel { sink.cancel().clone() } else { Cancel::new() };
        let body = job.run(&server, &caller, deadline, &cancel, &progress);
        drop(permit);
        if !sink.cancel().is_cancelled() && sink.send(&body).is_err() {
            log::debug!("answer not sent, the client has gone caller={}", caller.name);
        }
    }))
}

/// A notification needs no envelope, but a revision that we do not know may mean something by it that we would miss.
fn note(incoming: &Incoming, notification: &Notification) -> Reply {
    match envelope::check_notification(incoming.version()) {
        Ok(()) => {
            log::trace!("notification method={}", notification.method);
            Reply::Accepted
        }
        Err(error) => malformed(error),
    }
}

/// Batches exist in 2025-03-26 only. The entries are worked on one after the other, under one permit and one deadline.
fn answer_batch(
    server: &Arc<Server>,
    incoming: &Incoming,
    messages: Vec<Result<Message, Error>>,
    deadline: Duration,
) -> Reply {
    if let Err(error) = check_batch(incoming, &messages) {
        return malformed(error);
    }
    let mut entries = Vec::new();
    let mut needed: Vec<Scope> = Vec::new();
    for message in messages {
        match message {
            Ok(Message::Request(request)) => {
                let id = request.id.clone();
                let prepared = envelope::open(&request, incoming.headers.as_ref())
                    .map_err(|refused| Cannot::Answer(refused.error))
                    .and_then(|envelope| Job::prepare(server, incoming.caller, envelope, request));
                match prepared {
                    Ok(job) => entries.push(Ok(job)),
                    Err(Cannot::Answer(error)) => entries.push(Err(rpc::error_response(Some(id), error))),
                    Err(Cannot::Allow(scopes)) => {
                        needed.extend(scopes);
                    }
                }
            }
            Ok(Message::Notification(_) | Message::Response) => {}
            Err(error) => entries.push(Err(rpc::error_response(None, error))),
        }
    }
    if !needed.is_empty() {
        needed.sort();
        needed.dedup();
        return Reply::Forbidden { needed };
    }
    let waits = entries.iter().flatten().any(|job| job.work.waits_for_nextcloud());
    let permit = match enter(server, incoming.caller, waits) {
        Err(Busy { retry_after_s }) if incoming.headers.is_some() => return Reply::Busy { retry_after_s },
        permit => permit,
    };
    let answers: Vec<Value> = entries
        .into_iter()
        .map(|entry| match (entry, &permit) {
            (Ok(job), Ok(_)) => job.run(server, incoming.caller, deadline, &incoming.cancel, &NoProgress),
            (Ok(job), Err(busy)) => rpc::error_response(Some(job.id), busy_error(*busy)),
            (Err(body), _) => body,
        })
        .collect();
    drop(permit);
    if answers.is_empty() || incoming.cancel.is_cancelled() {
        return Reply::Accepted;
    }
    Reply::Answer { body: answers.into(), class: Class::Ordinary }
}

fn check_batch(incoming: &Incoming, messages: &[Result<Message, Error>]) -> Result<(), Error> {
    let refuse = |why: &str| Err(Error::new(rpc::INVALID_REQUEST, why));
    if !revision::takes_batches(incoming.version()) {
        return refuse("this revision of the protocol has no batches; send one message at a time");
    }
    if messages.is_empty() {
        return refuse("an empty batch");
    }
    if messages.len() > BATCH_MAX {
        return refuse(&format!("more than {BATCH_MAX} messages in one batch"));
    }
    for message in messages {
        if let Ok(Message::Request(request)) = message {
            if request.method == "initialize" {
                return refuse("`initialize` must not be part of a batch");
            }
            if revision::is_modern(incoming.version(), request.params.as_ref()) {
                return refuse("2026-07-28 has no batches; send one message at a time");
            }
        }
    }
    Ok(())
}

/// One request that has passed all checks.
struct Job {
    id: Id,
    envelope: Envelope,
    work: Work,
}

impl Job {
    fn prepare(
        server: &Server,
        caller: &Caller,
        envelope: Envelope,
        request: Request,
    ) -> Result<Job, Cannot> {
        let work = Work::prepare(server, caller, &envelope, request.params)?;
        Ok(Job { id: request.id, envelope, work })
    }

    /// Only a tool call may take so long that word of its progress is worth a stream.
    fn streams(&self) -> bool {
        self.envelope.progress_token.is_some() && matches!(self.work, Work::CallTool { .. })
    }

    /// Does the work; gives the response.
    fn run(
        self,
        server: &Server,
        caller: &Caller,
        deadline: Duration,
        cancel: &Cancel,
        progress: &dyn Progress,
    ) -> Value {
        let revision = self.envelope.revision;
        let context = Context { server, caller, revision, deadline, cancel, progress };
        match self.work.run(&context) {
            Ok(result) => rpc::response(self.id, result),
            Err(error) => rpc::error_response(Some(self.id), error),
        }
    }
}

fn enter(server: &Server, caller: &Caller, waits_for_nextcloud: bool) -> Result<Option<Permit>, Busy> {
    if !waits_for_nextcloud {
        return Ok(None);
    }
    server
        .gate
        .enter(&caller.name)
        .map(Some)
        .inspect_err(|_| log::warn!("too many calls wait for Nextcloud caller={}", caller.name))
}

/// Where no transport can say it by a status.
fn busy_error(busy: Busy) -> Error {
    Error::new(
        rpc::INTERNAL_ERROR,
        format!("too many calls at a time; try again in {} s", busy.retry_after_s),
    )
}

fn malformed(error: Error) -> Reply {
    Reply::Answer { body: rpc::error_response(None, error), class: Class::Malformed }
}

impl Incoming<'_> {
    fn version(&self) -> Header<'_> {
        self.headers.map_or(Header::Missing, |headers| headers.version)
    }
}
