//! A small HTTP/1.1 server for loopback, one thread per connection; its only client is this program.
//!
//! RFC 9112 as far as a well-behaved client needs it: keep-alive, pipelining, `Content-Length` and chunked requests,
//! `100-continue`, `HEAD`. It is not the listener that faces the network; that one is `crate::http`.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Longest request head, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Most header lines of a request.
const HEADERS_MAX: usize = 100;
/// Longest request body, in bytes.
const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Longest line that opens a chunk, in bytes.
const CHUNK_LINE_BYTES_MAX: u64 = 1024;

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// Path and query, as on the wire.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The first value of a header, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// An answer to be sent. `Content-Length` is computed, except for `HEAD`, where a given one is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Closes the connection after so many bytes of the body.
    pub cut_after: Option<usize>,
}

impl Response {
    /// A plain text answer.
    pub fn text(status: u16, text: &str) -> Response {
        Response {
            status,
            headers: vec![("Content-Type".into(), "text/plain; charset=utf-8".into())],
            body: text.into(),
            cut_after: None,
        }
    }
}

/// The first value of a header, by its name in any case.
pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
}

/// Whoever answers requests. Called from many threads.
pub trait Answer: Send + Sync {
    fn answer(&self, request: Request) -> Response;
}

/// A listener on `127.0.0.1`, port chosen by the system. Dropping it closes every connection.
pub struct Loopback {
    url: String,
    address: SocketAddr,
    connections: Arc<Connections>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Connections {
    stopping: AtomicBool,
    open: Mutex<HashMap<u64, TcpStream>>,
}

impl Loopback {
    /// Listens; `answerer` is made from the URL under which it will be reached (`http://127.0.0.1:PORT`).
    pub fn start<A: Answer + 'static>(answerer: impl FnOnce(&str) -> Arc<A>) -> io::Result<Loopback> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let url = format!("http://{address}");
        let answerer = answerer(&url);
        let connections = Arc::new(Connections::default());
        let shared = Arc::clone(&connections);
        let accepting = std::thread::Builder::new()
            .name("replay".into())
            .spawn(move || accept(&listener, &shared, &answerer))?;
        Ok(Loopback { url, address, connections, accepting: Some(accepting) })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.connections.stopping.store(true, Ordering::SeqCst);
        // The accept call returns only for a connection.
        if TcpStream::connect(self.address).is_ok()
            && let Some(accepting) = self.accepting.take()
        {
            let _ = accepting.join();
        }
        for stream in locked(&self.connections.open).values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Locks, and goes on with what a panicked thread left behind: every value here is valid at any moment.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept<A: Answer + 'static>(listener: &TcpListener, connections: &Arc<Connections>, answerer: &Arc<A>) {
    for (id, stream) in (0_u64..).zip(listener.incoming()) {
        if connections.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(handle) = stream.try_clone() else { continue };
        locked(&connections.open).insert(id, handle);
        let (shared, answerer) = (Arc::clone(connections), Arc::clone(answerer));
        let spawned = std::thread::Builder::new().name("replay-connection".into()).spawn(move || {
            // A connection that ends in the middle concerns only its client, who sees it too.
            let _ = serve(&stream, &*answerer);
            let _ = stream.shutdown(Shutdown::Both);
            locked(&shared.open).remove(&id);
        });
        if spawned.is_err() {
            locked(&connections.open).remove(&id);
        }
    }
}

fn serve(stream: &TcpStream, answerer: &dyn Answer) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BufReader::new(stream);
    while let Some(mut request) = read_head(&mut input)? {
        if request.header("Expect").is_some_and(|v| v.eq_ignore_ascii_case("100-continue")) {
            (&mut &*stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        request.body = read_body(&mut input, &request)?;
        let closing = request.header("Connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
        let head_only = request.method == "HEAD";
        let response = answerer.answer(request);
        (&mut &*stream).write_all(&encode(&response, head_only, closing))?;
        if closing || response.cut_after.is_some() {
            break;
        }
    }
    Ok(())
}

fn read_head(input: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let room = (HEAD_BYTES_MAX - head.len()) as u64;
        if input.take(room).read_until(b'\n', &mut head)? == 0 {
            return if head.is_empty() { Ok(None) } else { Err(malformed("the head ends early")) };
        }
    }
    let mut lines = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut lines);
    if !parsed.parse(&head).map_err(malformed)?.is_complete() {
        return Err(malformed("the head is not complete"));
    }
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    Ok(Some(Request {
        method: parsed.method.unwrap_or_default().into(),
        target: parsed.path.unwrap_or_default().into(),
        headers: parsed.headers.iter().map(|h| (h.name.into(), text(h.value))).collect(),
        body: Vec::new(),
    }))
}

fn read_body(input: &mut impl BufRead, request: &Request) -> io::Result<Vec<u8>> {
    if request.header("Transfer-Encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
        return read_chunks(input);
    }
    let Some(length) = request.header("Content-Length") else { return Ok(Vec::new()) };
    let length = length.trim().parse::<usize>().map_err(malformed)?;
    read_exactly(input, length, 0)
}

/// RFC 9112 §7.1: chunks, then trailer lines, which are dropped.
fn read_chunks(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(input)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(malformed)?;
        if size == 0 {
            while !read_line(input)?.is_empty() {}
            return Ok(body);
        }
        let chunk = read_exactly(input, size, body.len())?;
        body.extend_from_slice(&chunk);
        if !read_line(input)?.is_empty() {
            return Err(malformed("a chunk is longer than it says"));
        }
    }
}

fn read_line(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    input.take(CHUNK_LINE_BYTES_MAX).read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.into()),
        None => Err(malformed("a chunk line does not end")),
    }
}

fn read_exactly(input: &mut impl BufRead, length: usize, before: usize) -> io::Result<Vec<u8>> {
    if before.saturating_add(length) > BODY_BYTES_MAX {
        return Err(malformed("the body is too long"));
    }
    let mut bytes = Vec::new();
    input.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() == length { Ok(bytes) } else { Err(malformed("the body ends early")) }
}

fn malformed(why: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_string())
}

fn encode(response: &Response, head_only: bool, closing: bool) -> Vec<u8> {
    let without_body = matches!(response.status, 100..200 | 204 | 304);
    // A HEAD tells the length of a body that the tape need not hold.
    let length_given = head_only && response.body.is_empty();
    let own = |name: &str| {
        let framing = ["Transfer-Encoding", "Connection", "Keep-Alive"];
        framing.iter().any(|f| name.eq_ignore_ascii_case(f))
            || name.eq_ignore_ascii_case("Content-Length") && !length_given
    };
    let mut out = format!("HTTP/1.1 {} \r\n", response.status);
    for (name, value) in response.headers.iter().filter(|(name, _)| !own(name)) {
        out.push_str(&format!("{name}: {}\r\n", value.replace(['\r', '\n'], " ")));
    }
    let length_is_out = length_given && header(&response.headers, "Content-Length").is_some();
    if !without_body && !length_is_out {
        out.push_str(&format!("Content-Length: {}\r\n", response.body.len()));
    }
    if closing || response.cut_after.is_some() {
        out.push_str("Connection: close\r\n");
    }
    out.push_str("\r\n");
    let mut out = out.into_bytes();
    if !without_body && !head_only {
        let length = response.cut_after.unwrap_or(usize::MAX).min(response.body.len());
        out.extend_from_slice(&response.body[..length]);
    }
    out
}
