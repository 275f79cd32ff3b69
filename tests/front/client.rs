//! A client that sends one request on a connection of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use nextcloud_mcp_server::http::Server;
use serde_json::{Value, json};

use crate::site::LONG;

/// A request to be sent.
#[derive(Clone)]
pub struct Ask {
    pub method: &'static str,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Ask {
    pub fn new(method: &'static str, target: &str) -> Ask {
        Ask { method, target: target.into(), headers: Vec::new(), body: String::new() }
            .with("Host", "127.0.0.1:8000")
    }

    /// A POST as clients send it.
    pub fn post(target: &str, body: &Value) -> Ask {
        let ask = Ask { body: body.to_string(), ..Ask::new("POST", target) };
        ask.with("Content-Type", "application/json").with("Accept", "application/json, text/event-stream")
    }

    pub fn with(mut self, name: &str, value: &str) -> Ask {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn without(mut self, name: &str) -> Ask {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    /// With another value for a header that is there already.
    pub fn but(self, name: &str, value: &str) -> Ask {
        self.without(name).with(name, value)
    }

    pub fn send(&self, server: &Server) -> Connection {
        let mut stream =
            TcpStream::connect(server.local_addr().expect("a TCP listener")).expect("a connection");
        stream.set_read_timeout(Some(LONG)).expect("a timeout");
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str(&format!("Connection: close\r\nContent-Length: {}\r\n\r\n", self.body.len()));
        stream.write_all((head + &self.body).as_bytes()).expect("the server reads");
        Connection { stream: BufReader::new(stream) }
    }

    pub fn answer(&self, server: &Server) -> Answer {
        self.send(server).answer()
    }
}

/// An answer being received; dropping it closes the connection.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// Without the framing of chunks.
    pub body: String,
}

impl Connection {
    /// The status and the headers.
    pub fn head(&mut self) -> Answer {
        let status = self.line().split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            match line.split_once(": ") {
                Some((name, value)) => headers.push((name.to_lowercase(), value.to_owned())),
                None => break,
            }
        }
        Answer { status: status.expect("a status"), headers, body: String::new() }
    }

    /// The next event's message; `None` at the end of the stream.
    pub fn event(&mut self) -> Option<Value> {
        loop {
            let line = self.line();
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(data).expect("JSON"));
            }
            if line == "0" || self.stream.fill_buf().map_or(true, <[u8]>::is_empty) {
                return None;
            }
        }
    }

    pub fn answer(mut self) -> Answer {
        let mut answer = self.head();
        self.stream.read_to_string(&mut answer.body).expect("a whole answer");
        answer
    }

    /// All events up to the proper end of the stream.
    pub fn events(mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.event()).collect()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is there twice");
        value
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }
}

/// A legacy request.
pub fn request(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

/// A request of 2026-07-28.
pub fn modern(method: &str, mut params: Value) -> Value {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    request(method, params)
}
