//! One JSON message per line on stdin and stdout; logs go to stderr only (MCP 2026-07-28, stdio).
//!
//! Requests run side by side, each on a thread of its own, so answers may come out of order. When stdin ends the
//! requests that run are finished, since a shell pipe ends stdin right after the last line.

use std::io::{self, BufRead, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::auth::Caller;
use crate::cancel::Cancel;
use crate::mcp::{self, Gone, Incoming, MessageSink, Reply, Running, Ticket};
use crate::server::Server;

/// Longest line; a file that is written travels inside one.
const LINE_BYTES_MAX: usize = 16 << 20;
/// Requests that run at a time; further lines wait unread.
const PARALLEL_MAX: usize = 16;
/// Time that running requests get after stdin has ended.
const LINGER: Duration = Duration::from_secs(60);

/// Serves one client until `input` ends or `output` is closed.
///
/// Fails only when reading or writing fails for another reason than the client's going.
pub fn serve(
    server: &Arc<Server>,
    caller: &Caller,
    mut input: impl BufRead,
    output: impl Write + Send + 'static,
) -> io::Result<()> {
    let session = Arc::new(Session {
        output: Mutex::new(Box::new(output)),
        running: Running::new(),
        busy: Mutex::new(0),
        freed: Condvar::new(),
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
        session.enter();
        let (server, caller, worker) = (Arc::clone(server), caller.clone(), Arc::clone(&session));
        let spawned = std::thread::Builder::new().name("stdio-request".into()).spawn(move || {
            worker.answer(&server, &caller, &line, &ticket);
            worker.leave();
        });
        if let Err(error) = spawned {
            session.leave();
            log::error!("no thread for a request error={error}");
        }
    }
    session.linger();
    Ok(())
}

struct Session {
    output: Mutex<Box<dyn Write + Send>>,
    running: Arc<Running>,
    busy: Mutex<usize>,
    freed: Condvar,
}

impl Session {
    fn answer(&self, server: &Arc<Server>, caller: &Caller, line: &[u8], ticket: &Ticket) {
        let incoming = Incoming {
            body: line,
            caller,
            headers: None,
            accepts_events: true,
            cancel: ticket.cancel().clone(),
        };
        match mcp::handle(server, incoming) {
            Reply::Answer { body, .. } => {
                self.send(&body);
            }
            // Scopes and a full house are answered in the message where there is no HTTP.
            Reply::Accepted | Reply::Forbidden { .. } | Reply::Busy { .. } => {}
            Reply::Stream(job) => job(&Lines { session: self, cancel: ticket.cancel() }),
        }
    }

    /// Writes one message as one line. A closed pipe is no error: the client has gone, and stdin will end.
    fn send(&self, message: &Value) -> bool {
        let mut line = message.to_string();
        line.push('\n');
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        output.write_all(line.as_bytes()).and_then(|()| output.flush()).is_ok()
    }

    fn enter(&self) {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        while *busy >= PARALLEL_MAX {
            busy = self.freed.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
        *busy += 1;
    }

    fn leave(&self) {
        *self.busy.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.freed.notify_all();
    }

    fn linger(&self) {
        let busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.freed.wait_timeout_while(busy, LINGER, |busy| *busy > 0));
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
