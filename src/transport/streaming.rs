//! Calls that may report progress: plain JSON for those that end before there is anything to report, a stream of events
//! for the rest.
//!
//! The call runs on a thread of its own from the start, since nothing tells beforehand which of the two it will be.

use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use crate::cancel::Cancel;
use crate::http::{EventSink, EventStream, Reply, Response};
use crate::mcp::{Gone, MessageSink, StreamJob};

/// Messages that may wait to be relayed before the call has to.
const MESSAGES_WAITING_MAX: usize = 16;
/// Stack of a call's thread; the same as that of a connection, where other calls run.
const STACK_BYTES: usize = 512 * 1024;

/// Starts `job` and waits up to `patience` for what it says first: its response is answered as it is, and anything else,
/// also silence, begins a stream of events.
///
/// The job is cancelled when the client of the stream goes, or the stream is dropped unsent. A panic in it passes on to
/// whoever waits for it: before the stream the handler, which is answered with 500, then the stream, which breaks off.
/// Fails when the system has no thread to give.
pub fn start(job: StreamJob, patience: Duration) -> io::Result<Reply> {
    let call = Call::start(job, |builder, run| builder.spawn(run))?;
    let first = match call.messages.recv_timeout(patience) {
        Ok(Message { text, is_response: true }) => return Ok(Response::json(200, text).into()),
        Ok(notification) => Some(notification),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => {
            call.end();
            return Ok(Response::empty(202).into());
        }
    };
    let cancel = call.abandon.0.clone();
    Ok(Reply::Events(EventStream::new(move |sink| call.relay(first, sink)).cancelling(cancel)))
}

/// A call that has been started.
struct Call {
    messages: Receiver<Message>,
    thread: JoinHandle<()>,
    abandon: Abandon,
}

struct Message {
    text: String,
    /// The response is the last message, and the only one without a `method`.
    is_response: bool,
}

impl Call {
    fn start(
        job: StreamJob,
        spawn: impl FnOnce(Builder, Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>>,
    ) -> io::Result<Call> {
        let (sender, messages) = sync_channel(MESSAGES_WAITING_MAX);
        let cancel = Cancel::new();
        let sink = ChannelSink { messages: sender, cancel: cancel.clone() };
        let builder = Builder::new().name("call".into()).stack_size(STACK_BYTES);
        let thread = spawn(builder, Box::new(move || job(&sink)))?;
        Ok(Call { messages, thread, abandon: Abandon(cancel) })
    }

    /// Sends what the call says until it ends or the client goes; then it waits for the call's thread, so that there are
    /// never more of those than connections.
    fn relay(self, first: Option<Message>, sink: &EventSink) {
        for message in first.into_iter().chain(self.messages.iter()) {
            if sink.send(&message.text).is_err() {
                break;
            }
        }
        self.end();
    }

    fn end(self) {
        let Call { messages, thread, abandon } = self;
        drop(abandon);
        // A call that waits for room in the channel is let go by this.
        drop(messages);
        if let Err(panic) = thread.join() {
            resume_unwind(panic);
        }
    }
}

/// Cancels the call when nobody is left to take its messages.
struct Abandon(Cancel);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Where the call's thread puts its messages.
struct ChannelSink {
    messages: SyncSender<Message>,
    cancel: Cancel,
}

impl MessageSink for ChannelSink {
    fn send(&self, message: &Value) -> Result<(), Gone> {
        let is_response = message.get("method").is_none();
        self.messages.send(Message { text: message.to_string(), is_response }).map_err(|_| Gone)
    }

    fn cancel(&self) -> &Cancel {
        &self.cancel
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::TcpStream;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    use serde_json::json;

    use super::*;
    use crate::http::{Handler, Head, Limits, Listener, Request, Server};

    /// Longer than any test takes: reached only when something is missing.
    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn without_a_thread_nothing_is_run() {
        let (ran, runs) = channel::<()>();
        let call =
            Call::start(Box::new(move |_| ran.send(()).unwrap()), |_, _| Err(ErrorKind::WouldBlock.into()));
        assert!(call.is_err());
        assert!(runs.recv().is_err(), "the job was dropped unrun");
    }

    #[test]
    fn a_response_that_comes_first_is_plain_json() {
        let reply = start(Box::new(|sink| sink.send(&json!({"id": 1})).unwrap()), LONG).unwrap();
        assert!(matches!(reply, Reply::Full(r) if r == Response::json(200, "{\"id\":1}")));
    }

    #[test]
    fn a_stream_that_is_dropped_unsent_cancels_its_call() {
        let (seen, cancels) = channel();
        let reply = start(
            Box::new(move |sink| {
                sink.send(&json!({"method": "notifications/progress"})).unwrap();
                while sink.send(&json!({"method": "notifications/progress"})).is_ok() {}
                seen.send(sink.cancel().is_cancelled()).unwrap();
            }),
            LONG,
        );
        let Ok(Reply::Events(stream)) = reply else { panic!("not a stream") };
        drop(stream);
        assert_eq!(cancels.recv_timeout(LONG), Ok(true));
    }

    #[test]
    fn a_panic_before_the_first_message_is_the_handlers() {
        let panic = catch_unwind(AssertUnwindSafe(|| start(Box::new(|_| panic!("on purpose")), LONG)));
        assert!(panic.is_err());
    }

    #[test]
    fn a_call_that_says_nothing_is_taken_note_of() {
        let reply = start(Box::new(|_| {}), LONG).unwrap();
        assert!(matches!(reply, Reply::Full(r) if r == Response::empty(202)));
    }

    #[test]
    fn a_panic_after_the_first_message_breaks_the_stream_off() {
        let server = serve(|_| {
            let job: StreamJob = Box::new(|sink| {
                sink.send(&json!({"method": "notifications/progress"})).unwrap();
                panic!("on purpose");
            });
            start(job, LONG).unwrap()
        });
        let answer = get(&server);
        assert!(answer.contains("data: {\"method\":\"notifications/progress\"}\n\n"), "{answer}");
        assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    }

    struct Site<F>(F);

    impl<F: Fn(Request) -> Reply + Send + Sync + 'static> Handler for Site<F> {
        fn admit(&self, _: &Head) -> Result<(), Response> {
            Ok(())
        }

        fn handle(&self, request: Request) -> Reply {
            self.0(request)
        }
    }

    fn serve(handle: impl Fn(Request) -> Reply + Send + Sync + 'static) -> Server {
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        Server::start(listener, Limits::default(), Arc::new(Site(handle))).unwrap()
    }

    /// All that is answered, up to the end of the connection.
    fn get(server: &Server) -> String {
        let mut client = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(LONG)).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    }
}
