//! A client that sends what it is told, byte by byte if need be, and reads answers strictly.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nextcloud_mcp_server::http::{Handler, Head, Limits, Listener, Reply, Request, Response, Server};

/// Longer than any deadline under test: reached only when an answer is missing.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Production's limits, but for the moment that a closed connection lingers; each test shortens the deadline it is about.
pub fn patient() -> Limits {
    Limits { linger_ms: 100, ..Limits::default() }
}

pub fn serve(limits: Limits, handler: impl Handler) -> Server {
    let listener = Listener::bind("127.0.0.1:0").expect("a free port");
    Server::start(listener, limits, Arc::new(handler)).expect("a running server")
}

type Admit = dyn Fn(&Head) -> Result<(), Response> + Send + Sync;
type Handle = dyn Fn(Request) -> Reply + Send + Sync;

/// A handler put together from closures.
pub struct Site {
    admit: Box<Admit>,
    handle: Box<Handle>,
}

impl Site {
    /// Admits everything.
    pub fn new<R: Into<Reply>>(handle: impl Fn(Request) -> R + Send + Sync + 'static) -> Site {
        Site { admit: Box::new(|_| Ok(())), handle: Box::new(move |request| handle(request).into()) }
    }

    pub fn admit(self, admit: impl Fn(&Head) -> Result<(), Response> + Send + Sync + 'static) -> Site {
        Site { admit: Box::new(admit), ..self }
    }

    /// Answers with method, target and body.
    pub fn echo() -> Site {
        Site::new(|request| {
            let line = format!("{} {}\n", request.head.method, request.head.target);
            Response::new(200, "application/octet-stream", [line.as_bytes(), &request.body].concat())
        })
    }
}

impl Handler for Site {
    fn admit(&self, head: &Head) -> Result<(), Response> {
        (self.admit)(head)
    }

    fn handle(&self, request: Request) -> Reply {
        (self.handle)(request)
    }
}

/// Waits for something that is about to become true.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a new connection is served.
pub fn is_served(server: &Server) -> bool {
    let mut client = Client::connect(server);
    client.send("GET /alive HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    client.answer().status == 200
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

pub struct Client {
    pub stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    pub fn connect(server: &Server) -> Client {
        Client::connect_to(server.local_addr().expect("a TCP listener"))
    }

    pub fn connect_to(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Client { stream, unread: Vec::new() }
    }

    pub fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("the server reads");
    }

    /// Sends the same again and again from another thread, until the server has enough or `bytes_max` are sent.
    pub fn flood(&self, piece: &str, bytes_max: usize) -> JoinHandle<usize> {
        let mut stream = self.stream.try_clone().expect("a second handle");
        let block = piece.repeat(65_536_usize.div_ceil(piece.len()));
        std::thread::spawn(move || {
            let mut sent = 0;
            while sent < bytes_max && stream.write_all(block.as_bytes()).is_ok() {
                sent += block.len();
            }
            sent
        })
    }

    /// Reads one answer; `None` if the connection ends before its first byte.
    pub fn try_answer(&mut self, head_only: bool) -> Option<Answer> {
        let head = self.try_until(b"\r\n\r\n")?;
        let head = String::from_utf8(head).expect("an ASCII head");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().expect("a status line").split(' ').nth(1).expect("a status");
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").expect("a header"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut answer = Answer { status: status.parse().expect("a number"), headers, body: Vec::new() };
        if !head_only && answer.status != 100 && answer.header("transfer-encoding").is_none() {
            let length =
                answer.header("content-length").map_or(0, |length| length.parse().expect("a number"));
            answer.body = self.exactly(length);
        }
        Some(answer)
    }

    pub fn answer(&mut self) -> Answer {
        self.try_answer(false).expect("an answer")
    }

    /// One answer, after which the connection ends.
    pub fn last_answer(&mut self) -> Answer {
        let answer = self.answer();
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(self.rest(), b"", "more than one answer");
        answer
    }

    pub fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length {
            assert!(self.fill(), "the answer breaks off");
        }
        self.unread.drain(..length).collect()
    }

    /// Reads up to and with `end`.
    pub fn until(&mut self, end: &[u8]) -> Vec<u8> {
        self.try_until(end).expect("more to read")
    }

    fn try_until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|window| window == end) {
                return Some(self.unread.drain(..at + end.len()).collect());
            }
            if !self.fill() {
                assert!(self.unread.is_empty(), "the answer breaks off");
                return None;
            }
        }
    }

    /// Waits for the end of the connection and gives what came before it.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.unread)
    }

    fn fill(&mut self) -> bool {
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(count) => {
                self.unread.extend_from_slice(&chunk[..count]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("no answer: {error}"),
        }
    }
}
