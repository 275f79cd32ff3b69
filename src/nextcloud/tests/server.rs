//! A server on loopback that answers what the test wrote down, in order, and remembers what it was asked.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What the server does with the next request.
pub(super) enum Step {
    /// Sends these bytes and keeps the connection.
    Send(Vec<u8>),
    /// Sends these bytes and closes.
    Last(Vec<u8>),
    /// Closes without an answer.
    Hangup,
    /// Sends these bytes and then nothing more until the end of the test.
    Stall(Vec<u8>),
}

/// A request as it came in.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    headers: Vec<(String, String)>,
    pub(super) body: String,
    /// Which connection, counted from 0.
    pub(super) connection: usize,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

#[derive(Default)]
struct Shared {
    steps: Mutex<VecDeque<Step>>,
    seen: Mutex<Vec<Seen>>,
    over: Mutex<bool>,
    ended: Condvar,
    stop: AtomicBool,
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    pub(super) fn new(steps: impl IntoIterator<Item = Step>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { steps: Mutex::new(steps.into_iter().collect()), ..Shared::default() });
        let inner = shared.clone();
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                if inner.stop.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), inner) = (stream, inner.clone()) else { continue };
                std::thread::spawn(move || inner.serve(&stream, connection));
            }
        });
        Server { address, shared }
    }

    /// All requests so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().expect("seen").clone()
    }

    /// `METHOD target` of all requests so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.seen().iter().map(|s| format!("{} {}", s.method, s.target)).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        *self.shared.over.lock().expect("over") = true;
        self.shared.ended.notify_all();
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream, connection: usize) {
        let mut reader = BufReader::new(stream);
        while let Some(seen) = read_request(&mut reader, connection) {
            self.seen.lock().expect("seen").push(seen);
            let step = self.steps.lock().expect("steps").pop_front();
            let mut writer = stream;
            match step {
                Some(Step::Send(bytes)) => {
                    let _ = writer.write_all(&bytes);
                }
                Some(Step::Last(bytes)) => {
                    let _ = writer.write_all(&bytes);
                    return;
                }
                Some(Step::Stall(bytes)) => {
                    let _ = writer.write_all(&bytes);
                    let over = self.over.lock().expect("over");
                    drop(self.ended.wait_timeout_while(over, Duration::from_secs(20), |over| !*over));
                    return;
                }
                Some(Step::Hangup) => return,
                None => {
                    let _ = writer.write_all(b"HTTP/1.1 599 Nothing Left\r\nContent-Length: 0\r\n\r\n");
                }
            }
        }
    }
}

fn read_request(reader: &mut BufReader<&TcpStream>, connection: usize) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut words = line.split_ascii_whitespace().map(str::to_owned);
    let mut seen = Seen { method: words.next()?, target: words.next()?, connection, ..Seen::default() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => seen.headers.push((name.into(), value.trim().into())),
            None => break,
        }
    }
    let length = seen.header("Content-Length").and_then(|v| v.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    seen.body = String::from_utf8_lossy(&body).into_owned();
    Some(seen)
}

/// An answer with its `Content-Length`; `headers` end with `\r\n` each.
pub(super) fn answer(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut out =
        format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    out.extend_from_slice(body);
    out
}

pub(super) fn json(status: u16, body: &str) -> Step {
    Step::Send(answer(status, "Content-Type: application/json; charset=utf-8\r\n", body))
}

pub(super) fn xml(status: u16, body: &str) -> Step {
    Step::Send(answer(status, "Content-Type: application/xml; charset=utf-8\r\n", body))
}

pub(super) fn html(status: u16, body: &str) -> Step {
    Step::Send(answer(status, "Content-Type: text/html; charset=UTF-8\r\n", body))
}

/// An empty answer with headers.
pub(super) fn empty(status: u16, headers: &str) -> Step {
    Step::Send(answer(status, headers, ""))
}
