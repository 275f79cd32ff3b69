//! One connection: requests read, answered and, in the end, closed so that the last answer arrives.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::body::{self, Chunked};
use super::events::{Ended, EventStream, Running};
use super::head::{self, Framing, Parsed, Refusal, Scan, Version};
use super::limits::Limits;
use super::registry::{Registry, Ticket};
use super::response::{Connection, Ending, Response, encode_head};
use super::server::Spawn;
use super::stream::{Deadline, Input, Peer, Stream};
use super::{Handler, Reply, Request};

/// How long the body of a request refused by its head may take to arrive, so that the connection can be kept.
const EARLY_BODY_MS: u64 = 20;

/// What all connections of a server share.
pub(super) struct Shared {
    pub limits: Limits,
    pub handler: Arc<dyn Handler>,
    pub spawn: Box<Spawn>,
    pub registry: Arc<Registry>,
    /// Bytes of all bodies being read or handled.
    pub bodies_bytes: AtomicUsize,
}

pub(super) struct Conn<'a> {
    shared: &'a Shared,
    stream: Arc<Stream>,
    peer: Peer,
    ticket: Ticket,
    input: Input,
}

/// What becomes of the connection after an exchange.
#[derive(PartialEq, Eq)]
enum Next {
    Request,
    Close,
}

/// Why no whole request could be read.
enum Failure {
    Refused(Refusal),
    Gone,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::Refused(refusal)
    }
}

impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Failure {
        Failure::Gone
    }
}

/// What of the request's head the answer depends on.
#[derive(Clone, Copy)]
struct Asked {
    version: Version,
    head_only: bool,
    keep_alive: bool,
}

impl Asked {
    /// Where the request was not understood: the connection ends.
    const UNKNOWN: Asked = Asked { version: Version::Http11, head_only: false, keep_alive: false };

    fn closing(self) -> Asked {
        Asked { keep_alive: false, ..self }
    }
}

impl<'a> Conn<'a> {
    pub fn new(shared: &'a Shared, stream: Arc<Stream>, peer: Peer, ticket: Ticket) -> Conn<'a> {
        Conn { shared, stream, peer, ticket, input: Input::default() }
    }

    /// Serves requests one after the other until the connection ends. What is sent ahead waits in the socket.
    pub fn serve(mut self) {
        while self.exchange() == Next::Request && self.ticket.rest() {
            self.input.rest();
        }
    }

    fn exchange(&mut self) -> Next {
        let parsed = match self.read_head() {
            Ok(parsed) => parsed,
            Err(failure) => return self.fail(failure, Asked::UNKNOWN),
        };
        let Parsed { head, framing, keep_alive, expects_continue } = parsed;
        let asked = Asked { version: head.version, head_only: head.method == "HEAD", keep_alive };
        if !self.ticket.begin() {
            return Next::Close;
        }
        match self.guarded(|handler| handler.admit(&head)) {
            None => return self.answer(panicked(), asked.closing()),
            Some(Err(response)) => {
                self.ticket.wait();
                let keep_alive = keep_alive && !expects_continue && self.skip_body(framing);
                return self.answer(response, Asked { keep_alive, ..asked });
            }
            Some(Ok(())) => {}
        }

        let mut reservation = Reservation { shared: self.shared, bytes: 0 };
        let mut body = Vec::new();
        if framing != Framing::Empty {
            let bytes_max = self.shared.handler.body_bytes_max(&head).min(self.shared.limits.body_bytes_max);
            self.ticket.wait();
            body = match self.read_body(framing, bytes_max, expects_continue, &mut reservation) {
                Ok(body) => body,
                Err(failure) => {
                    // Answering may take a while, and the bytes are no longer held.
                    drop(reservation);
                    return self.fail(failure, asked.closing());
                }
            };
            if !self.ticket.begin() {
                return Next::Close;
            }
        }
        let reply = self.guarded(|handler| handler.handle(Request { head, body }));
        drop(reservation);
        match reply {
            None => self.answer(panicked(), asked.closing()),
            Some(Reply::Full(response)) => self.answer(response, asked),
            Some(Reply::Events(events)) => self.stream_events(events, asked),
        }
    }

    /// Reads up to the empty line that ends the head. An idle connection ends without a word.
    fn read_head(&mut self) -> Result<Parsed, Failure> {
        let limits = &self.shared.limits;
        if self.input.unread().is_empty() {
            self.input.fill(&self.stream, Deadline::after_ms(limits.idle_ms))?;
        }
        let deadline = Deadline::after_ms(limits.head_ms);
        let mut scan = Scan::new(limits.head_bytes_max);
        let range = loop {
            match scan.advance(self.input.unread())? {
                Some(range) => break range,
                None => self.input.fill(&self.stream, deadline).map_err(late)?,
            }
        };
        let parsed = head::parse(&self.input.unread()[range.clone()], limits.headers_max, self.peer);
        self.input.consume(range.end);
        Ok(parsed?)
    }

    fn read_body(
        &mut self,
        framing: Framing,
        bytes_max: usize,
        expects_continue: bool,
        reservation: &mut Reservation<'_>,
    ) -> Result<Vec<u8>, Failure> {
        if matches!(framing, Framing::Length(length) if length > bytes_max as u64) {
            return Err(body::TOO_LARGE.into());
        }
        let limits = &self.shared.limits;
        if expects_continue && self.input.unread().is_empty() {
            let deadline = Deadline::after_ms(limits.write_ms);
            self.stream.write_all([b"HTTP/1.1 100 Continue\r\n\r\n", &[]], deadline)?;
        }
        let deadline = Deadline::after_ms(limits.body_ms);
        self.receive(framing, bytes_max, deadline, |count| reservation.grow(count))
    }

    /// Tries to get rid of the body of a request already refused, so that the connection can be kept.
    fn skip_body(&mut self, framing: Framing) -> bool {
        let bytes_max = self.shared.limits.linger_bytes_max;
        if matches!(framing, Framing::Length(length) if length > bytes_max as u64) {
            return false;
        }
        self.receive(framing, bytes_max, Deadline::after_ms(EARLY_BODY_MS), |_| Ok(())).is_ok()
    }

    /// Takes the body from the socket. `grow` is asked before each piece is kept.
    fn receive(
        &mut self,
        framing: Framing,
        bytes_max: usize,
        deadline: Deadline,
        mut grow: impl FnMut(usize) -> Result<(), Refusal>,
    ) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        match framing {
            Framing::Empty => {}
            Framing::Length(length) => loop {
                let missing = usize::try_from(length).unwrap_or(usize::MAX) - body.len();
                let unread = self.input.unread();
                let piece = &unread[..unread.len().min(missing)];
                grow(piece.len())?;
                body.extend_from_slice(piece);
                let count = piece.len();
                self.input.consume(count);
                if count == missing {
                    break;
                }
                self.input.fill(&self.stream, deadline).map_err(late)?;
            },
            Framing::Chunked => {
                let mut chunked = Chunked::new(bytes_max);
                loop {
                    grow(self.input.unread().len())?;
                    let count = chunked.decode(self.input.unread(), &mut body)?;
                    self.input.consume(count);
                    if chunked.is_done() {
                        break;
                    }
                    self.input.fill(&self.stream, deadline).map_err(late)?;
                }
            }
        }
        Ok(body)
    }

    /// Runs the handler's code; `None` if it panicked.
    fn guarded<T>(&self, run: impl FnOnce(&dyn Handler) -> T) -> Option<T> {
        let handler = &*self.shared.handler;
        let result = catch_unwind(AssertUnwindSafe(|| run(handler)));
        if result.is_err() {
            log::error!("a request handler panicked; the connection is closed");
        }
        result.ok()
    }

    fn fail(&mut self, failure: Failure, asked: Asked) -> Next {
        match failure {
            Failure::Gone => Next::Close,
            Failure::Refused(refusal) => {
                log::debug!(
                    "request refused status={} peer={:?}: {}",
                    refusal.status,
                    self.peer,
                    refusal.reason
                );
                self.answer(refusal.response(), asked)
            }
        }
    }

    fn answer(&mut self, mut response: Response, asked: Asked) -> Next {
        let keep = asked.keep_alive && !response.closes() && self.ticket.stays();
        let connection = connection(keep, asked.version);
        let encode =
            |r: &Response| encode_head(r.status, &r.headers, Ending::Length(r.body.len()), connection);
        let head = encode(&response).or_else(|unwritable| {
            log::error!("response not written: illegal {}", unwritable.0);
            response = Response::text(500, "The server could not write its answer.\n");
            encode(&response)
        });
        let Ok(head) = head else { return Next::Close };
        let body =
            if asked.head_only || matches!(response.status, 204 | 304) { &[][..] } else { &response.body };
        match self.stream.write_all([&head, body], Deadline::after_ms(self.shared.limits.write_ms)) {
            Ok(()) if keep => Next::Request,
            Ok(()) => self.linger(),
            Err(_) => Next::Close,
        }
    }

    fn stream_events(&mut self, events: EventStream, asked: Asked) -> Next {
        let limits = &self.shared.limits;
        let chunked = asked.version == Version::Http11;
        let keep = chunked && asked.keep_alive && self.ticket.stays();
        let ending = if chunked { Ending::Chunked } else { Ending::Close };
        let head = match encode_head(200, &events.headers, ending, connection(keep, asked.version)) {
            Ok(head) => head,
            Err(unwritable) => {
                log::error!("response not written: illegal {}", unwritable.0);
                return self.answer(Response::text(500, "The server could not write its answer.\n"), asked);
            }
        };
        if asked.head_only {
            return match self.stream.write_all([&head, &[]], Deadline::after_ms(limits.write_ms)) {
                Ok(()) if keep => Next::Request,
                Ok(()) => self.linger(),
                Err(_) => Next::Close,
            };
        }
        let running = match Running::start(events, &*self.shared.spawn, limits.stack_bytes) {
            Ok(running) => running,
            Err(error) => {
                log::warn!("no thread or descriptor for a stream of events: {error}");
                let refusal = Refusal::new(503, "The server is too busy: try again in a moment.");
                return self.answer(refusal.response(), asked);
            }
        };
        match running.relay(&self.stream, &head, chunked, limits) {
            Ended::Whole if keep => Next::Request,
            Ended::Whole => self.linger(),
            Ended::Broken => {
                log::error!("a stream of events panicked; the connection is closed");
                self.linger()
            }
            Ended::Gone => Next::Close,
        }
    }

    /// Ends our side and reads on for a moment: closing with bytes unread would reset the connection, and the client
    /// might lose the answer (RFC 9112, section 9.6).
    fn linger(&mut self) -> Next {
        self.ticket.wait();
        self.stream.shutdown(Shutdown::Write);
        let limits = &self.shared.limits;
        let deadline = Deadline::after_ms(limits.linger_ms);
        let mut room = limits.linger_bytes_max;
        let mut chunk = [0_u8; Input::READ_BYTES];
        while room > 0 {
            match self.stream.read(&mut chunk, deadline) {
                Ok(0) | Err(_) => break,
                Ok(count) => room = room.saturating_sub(count),
            }
        }
        Next::Close
    }
}

fn connection(keep: bool, version: Version) -> Connection {
    match (keep, version) {
        (false, _) => Connection::Closed,
        (true, Version::Http10) => Connection::KeptSaid,
        (true, Version::Http11) => Connection::Kept,
    }
}

fn late(error: io::Error) -> Failure {
    match error.kind() {
        ErrorKind::TimedOut => Refusal::new(408, "The request took too long to arrive.").into(),
        _ => Failure::Gone,
    }
}

fn panicked() -> Response {
    Response::text(500, "The server failed at this request; its log says more.\n")
}

/// A part of [`Limits::bodies_bytes_max`], given back when the request has been handled.
struct Reservation<'a> {
    shared: &'a Shared,
    bytes: usize,
}

impl Reservation<'_> {
    fn grow(&mut self, by: usize) -> Result<(), Refusal> {
        self.bytes += by;
        let before = self.shared.bodies_bytes.fetch_add(by, Ordering::Relaxed);
        if before.saturating_add(by) > self.shared.limits.bodies_bytes_max {
            return Err(Refusal::new(
                503,
                "The server holds too many request bodies: try again in a moment.",
            ));
        }
        Ok(())
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.shared.bodies_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
