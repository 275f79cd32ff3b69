//! Server-sent events (WHATWG HTML, section 9.2): a job on its own thread sends, the connection's thread writes.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{Builder, JoinHandle};

use crate::cancel::Cancel;
use crate::sys::{self, Interest};

use super::limits::Limits;
use super::server::Spawn;
use super::stream::{Deadline, Stream};

/// Events that may wait to be written before the job has to.
const EVENTS_WAITING_MAX: usize = 16;

/// A response whose body is a stream of events, made by a job that runs while they are sent.
///
/// The stream ends when the job returns. If the job panics, the connection is closed without the end of the stream, so
/// that the client sees it broken off.
pub struct EventStream {
    pub(super) headers: Vec<(String, String)>,
    job: Job,
    gone: Cancel,
}

type Job = Box<dyn FnOnce(&EventSink) + Send>;

impl EventStream {
    /// `job` sends the events, on a thread of its own with the same stack as a handler.
    pub fn new(job: impl FnOnce(&EventSink) + Send + 'static) -> EventStream {
        let headers = [
            ("Content-Type", "text/event-stream"),
            ("Cache-Control", "no-cache"),
            // nginx would hold the events back otherwise.
            ("X-Accel-Buffering", "no"),
        ];
        EventStream {
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            job: Box::new(job),
            gone: Cancel::new(),
        }
    }

    /// Sets `work` when the client goes, for work that was begun before its stream; [`EventSink::cancel`] is this flag
    /// then.
    #[must_use]
    pub fn cancelling(self, work: Cancel) -> EventStream {
        EventStream { gone: work, ..self }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> EventStream {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// Where a job sends its events.
pub struct EventSink {
    events: SyncSender<String>,
    line: Arc<Line>,
}

impl EventSink {
    /// Sends one event of type `message`. Waits while too many are unwritten. Line breaks become several `data` lines.
    pub fn send(&self, data: &str) -> Result<(), Gone> {
        if self.is_gone() {
            return Err(Gone);
        }
        self.events.send(encode_event(data)).map_err(|_| Gone)?;
        self.line.wake();
        Ok(())
    }

    /// Whether the client has gone: whatever is still being done for it can be abandoned. One that has closed only its
    /// sending side counts as gone.
    pub fn is_gone(&self) -> bool {
        self.line.gone.is_cancelled()
    }

    /// The same as a flag, for the work that is done for the client.
    pub fn cancel(&self) -> &Cancel {
        &self.line.gone
    }
}

/// The client has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the client has gone")
    }
}

impl std::error::Error for Gone {}

fn encode_event(data: &str) -> String {
    let mut event = String::with_capacity(data.len() + 24);
    event.push_str("event: message\n");
    for line in data.replace("\r\n", "\n").split(['\n', '\r']) {
        event.extend(["data: ", line, "\n"]);
    }
    event.push('\n');
    event
}

/// What both threads share: one bit each way, and a pipe because the connection's thread waits in poll(2).
struct Line {
    gone: Cancel,
    /// A byte is in the pipe; there is never more than one.
    awake: AtomicBool,
    pipe: PipeWriter,
}

impl Line {
    fn wake(&self) {
        if !self.awake.swap(true, Ordering::AcqRel) {
            // Fails only when the reader has gone, and then nobody needs waking.
            let _ = (&self.pipe).write_all(&[0]);
        }
    }
}

/// Wakes the connection's thread when the job has ended, however it ended.
struct WakeAtEnd(Arc<Line>);

impl Drop for WakeAtEnd {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// A job that has been started.
pub(super) struct Running {
    events: Receiver<String>,
    line: Arc<Line>,
    pipe: PipeReader,
    job: JoinHandle<()>,
}

/// How a stream of events ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// As it should; the connection may be used again.
    Whole,
    /// The job panicked: the client must not take the stream for whole.
    Broken,
    /// The client went away.
    Gone,
}

impl Running {
    /// Starts the job. Fails when the system has no thread or descriptor to give.
    pub fn start(stream: EventStream, spawn: &Spawn, stack_bytes: usize) -> io::Result<Running> {
        let (pipe, wake) = io::pipe()?;
        let (sender, events) = sync_channel(EVENTS_WAITING_MAX);
        let line = Arc::new(Line { gone: stream.gone, awake: AtomicBool::new(false), pipe: wake });
        let for_job = line.clone();
        let run = move || {
            // Declared first, so dropped last: the channel is closed by then.
            let _wake = WakeAtEnd(for_job.clone());
            let sink = EventSink { events: sender, line: for_job };
            (stream.job)(&sink);
        };
        let job = spawn(Builder::new().name("events".into()).stack_size(stack_bytes), Box::new(run))?;
        Ok(Running { events, line, pipe, job })
    }

    /// Writes the head and then what the job sends, until the job has ended.
    ///
    /// The connection counts as busy until then, even when the client has gone: jobs are bounded by connections.
    pub fn relay(self, stream: &Stream, head: &[u8], chunked: bool, limits: &Limits) -> Ended {
        let written = stream
            .write_all([head, &[]], Deadline::after_ms(limits.write_ms))
            .and_then(|()| self.relay_events(stream, chunked, limits));
        if written.is_err() {
            self.line.gone.cancel();
            stream.shutdown(Shutdown::Both);
        }
        // A job that waits for room in the channel is let go by this.
        drop(self.events);
        let finished = self.job.join();
        match (written, finished) {
            (Err(_), _) => Ended::Gone,
            (Ok(()), Err(_)) => Ended::Broken,
            (Ok(()), Ok(())) if chunked => {
                match stream.write_all([b"0\r\n\r\n", &[]], Deadline::after_ms(limits.write_ms)) {
                    Ok(()) => Ended::Whole,
                    Err(_) => Ended::Gone,
                }
            }
            (Ok(()), Ok(())) => Ended::Whole,
        }
    }

    fn relay_events(&self, stream: &Stream, chunked: bool, limits: &Limits) -> io::Result<()> {
        let write = |event: &str| {
            let deadline = Deadline::after_ms(limits.write_ms);
            if chunked {
                let chunk = format!("{:x}\r\n{event}\r\n", event.len());
                stream.write_all([chunk.as_bytes(), &[]], deadline)
            } else {
                stream.write_all([event.as_bytes(), &[]], deadline)
            }
        };
        let mut heartbeat = Deadline::after_ms(limits.heartbeat_ms);
        loop {
            loop {
                match self.events.try_recv() {
                    Ok(event) => write(&event)?,
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Ok(()),
                }
                heartbeat = Deadline::after_ms(limits.heartbeat_ms);
            }
            let Ok(left) = heartbeat.left() else {
                write(":\n\n")?;
                heartbeat = Deadline::after_ms(limits.heartbeat_ms);
                continue;
            };
            let watches = [(stream.as_fd(), Interest::Hangup), (self.pipe.as_fd(), Interest::Read)];
            let [hung_up, woken] = sys::poll(watches, left)?;
            if hung_up {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            if woken {
                (&self.pipe).read_exact(&mut [0])?;
                // Cleared before the channel is looked at, by a swap like the sender's: either its event is seen by
                // this look, or its swap comes later and wakes us again.
                self.line.awake.swap(false, Ordering::AcqRel);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_never_ends_early_whatever_its_data() {
        assert_eq!(encode_event("{\"a\":1}"), "event: message\ndata: {\"a\":1}\n\n");
        assert_eq!(encode_event(""), "event: message\ndata: \n\n");
        assert_eq!(
            encode_event("a\r\n\r\nevent: x\rb\nc"),
            "event: message\ndata: a\ndata: \ndata: event: x\ndata: b\ndata: c\n\n"
        );
    }
}
