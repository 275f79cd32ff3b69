//! One JSON message per line on stdin and stdout; logs go to stderr only (MCP 2026-07-28, stdio).
//!
//! Requests run side by side, so answers may come out of order. Those that find no place wait in a queue while reading
//! goes on: a cancellation must reach a running call also when all places are taken. When stdin ends the requests that
//! are there are finished, since a shell pipe ends stdin right after the last line.

use std::collections::VecDeque;
use std::io::{self, BufRead, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::auth::Caller;
use crate::cancel::Cancel;
use crate::mcp::{self, Gone, Incoming, MessageSink, Reply, Running, Ticket};
use crate::server::Server;

/// Longest line; a file that is written travels inside one.
const LINE_BYTES_MAX: usize = 16 << 20;
/// Messages that are worked on at a time.
const PARALLEL_MAX: usize = 16;
/// Messages that wait for that; further lines wait unread.
const WAITING_MAX: usize = 256;
/// The same in bytes. A message that finds nothing waiting is let in whatever its length.
const WAITING_BYTES_MAX: usize = LINE_BYTES_MAX;
/// Time that running requests get after stdin has ended.
const LINGER: Duration = Duration::from_secs(60);

/// Serves one client until `input` ends, and then up to a minute until what has been asked is answered.
///
/// Fails only when reading fails. A closed `output` is no failure: the client has gone, and `input` will end.
pub fn serve(
    server: &Arc<Server>,
    caller: &Caller,
    mut input: impl BufRead,
    output: impl Write + Send + 'static,
) -> io::Result<()> {
    let session = Arc::new(Session {
        server: Arc::clone(server),
        caller: caller.clone(),
        output: Mutex::new(Box::new(output)),
        running: Running::new(),
        queue: Mutex::default(),
        changed: Condvar::new(),
    });
    loop {
        let line = match read_line(&mut input)? {
            Line::End => break,
            Line::TooLong => {
                session.send(&json!({"jsonrpc": "2.0", "error": {
                    "code": -32600, "message": format!("the line is longer than {LINE_BYTES_MAX} bytes"),
                }}));
                continue;
            }
            Line::Text(line) => line,
        };
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        // In the order of arrival and before waiting for a place, so that a cancellation is never behind its request.
        let ticket = session.running.enter(&line);
        session.take(Arrived { line, ticket });
    }
    session.linger();
    Ok(())
}

struct Session {
    server: Arc<Server>,
    caller: Caller,
    output: Mutex<Box<dyn Write + Send>>,
    running: Arc<Running>,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Arrived>,
    waiting_bytes: usize,
    /// Threads at work; each takes messages until none is left.
    working: usize,
}

/// A message that has not been looked at but for what it cancels.
struct Arrived {
    line: Vec<u8>,
    ticket: Ticket,
}

impl Session {
    /// Queues a message and sees that somebody takes it up. Waits while too much is waiting already.
    fn take(self: &Arc<Session>, arrived: Arrived) {
        let mut queue = self.lock();
        while queue.is_full(arrived.line.len()) {
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.waiting_bytes += arrived.line.len();
        queue.waiting.push_back(arrived);
        if queue.working == PARALLEL_MAX {
            return;
        }
        queue.working += 1;
        drop(queue);
        let worker = Arc::clone(self);
        let spawned = std::thread::Builder::new().name("stdio-request".into()).spawn(move || worker.work());
        if let Err(error) = spawned {
            log::warn!("no thread for a request, reading waits for it error={error}");
            self.work();
        }
    }

    /// Answers what waits until nothing does.
    fn work(&self) {
        loop {
            let mut queue = self.lock();
            let next = queue.waiting.pop_front();
            match &next {
                Some(arrived) => queue.waiting_bytes -= arrived.line.len(),
                None => queue.working -= 1,
            }
            drop(queue);
            self.changed.notify_all();
            let Some(Arrived { line, ticket }) = next else { return };
            // Cancelled while it waited: nothing has been begun, and nothing is to be said.
            if !ticket.cancel().is_cancelled() {
                self.answer(&line, &ticket);
            }
        }
    }

    fn answer(&self, line: &[u8], ticket: &Ticket) {
        let incoming = Incoming {
            body: line,
            caller: &self.caller,
            headers: None,
            accepts_events: true,
            cancel: ticket.cancel().clone(),
        };
        match mcp::handle(&self.server, incoming) {
            Reply::Answer { body, .. } => {
                self.send(&body);
            }
            // Scopes and a full house are answered in the message where there is no HTTP.
            Reply::Accepted | Reply::Forbidden { .. } | Reply::Busy { .. } => {}
            Reply::Stream(job) => job(&Lines { session: self, cancel: ticket.cancel() }),
        }
    }

    /// Writes one message as one line; tells whether anybody reads it.
    fn send(&self, message: &Value) -> bool {
        let mut line = message.to_string();
        line.push('\n');
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        output.write_all(line.as_bytes()).and_then(|()| output.flush()).is_ok()
    }

    fn linger(&self) {
        drop(self.changed.wait_timeout_while(self.lock(), LINGER, |queue| queue.working > 0));
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn is_full(&self, bytes: usize) -> bool {
        let waiting = self.waiting.len();
        waiting >= WAITING_MAX || (waiting > 0 && self.waiting_bytes + bytes > WAITING_BYTES_MAX)
    }
}

/// The messages of one streamed answer, as lines.
struct Lines<'a> {
    session: &'a Session,
    cancel: &'a Cancel,
}

impl MessageSink for Lines<'_> {
    fn send(&self, message: &Value) -> Result<(), Gone> {
        if self.cancel.is_cancelled() || !self.session.send(message) { Err(Gone) } else { Ok(()) }
    }

    fn cancel(&self) -> &Cancel {
        self.cancel
    }
}

enum Line {
    Text(Vec<u8>),
    TooLong,
    End,
}

/// Reads up to the next line feed without ever holding more than the limit.
fn read_line(input: &mut impl BufRead) -> io::Result<Line> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let chunk = match input.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            return Ok(match (too_long, line.is_empty()) {
                (true, _) => Line::TooLong,
                (false, true) => Line::End,
                (false, false) => Line::Text(line),
            });
        }
        let end = chunk.iter().position(|b| *b == b'\n');
        let taken = end.unwrap_or(chunk.len());
        if line.len() + taken > LINE_BYTES_MAX {
            too_long = true;
            line.clear();
        } else if !too_long {
            line.extend_from_slice(&chunk[..taken]);
        }
        input.consume(end.map_or(taken, |end| end + 1));
        if end.is_some() {
            return Ok(if too_long { Line::TooLong } else { Line::Text(line) });
        }
    }
}
