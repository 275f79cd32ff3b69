//! A Nextcloud with one note, and a client that sends what it is told.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use nextcloud_mcp_server::replay::server::{Answer, Loopback, Request, Response};
use serde_json::{Value, json};

use crate::program::PATIENCE;

struct Site<F>(F);

impl<F: Fn(Request) -> Response + Send + Sync> Answer for Site<F> {
    fn answer(&self, request: Request) -> Response {
        (self.0)(request)
    }
}

/// A Nextcloud that answers by this function.
pub fn nextcloud(answer: impl Fn(Request) -> Response + Send + Sync + 'static) -> Loopback {
    Loopback::start(|_| Arc::new(Site(answer))).expect("a port")
}

/// A Nextcloud whose notes are all the same.
pub fn nextcloud_with_a_note() -> Loopback {
    nextcloud(|request| match note_id(&request) {
        Some(id) => note(id),
        None => Response::text(404, "not here"),
    })
}

/// The note that a request asks for.
pub fn note_id(request: &Request) -> Option<u64> {
    let id = request.target.strip_prefix("/index.php/apps/notes/api/v1/notes/")?;
    id.parse().ok().filter(|_| request.method == "GET")
}

pub fn note(id: u64) -> Response {
    let note = json!({"id": id, "title": "Shopping list", "modified": 1_795_476_394, "category": "Home",
        "favorite": true, "readonly": false, "content": "marked-content", "etag": "548a3c0e"});
    answer(200, "application/json; charset=utf-8", &note.to_string())
}

pub fn answer(status: u16, content_type: &str, body: &str) -> Response {
    Response {
        status,
        headers: vec![("Content-Type".into(), content_type.into()), ("ETag".into(), "\"548a3c0e\"".into())],
        body: body.into(),
        cut_after: None,
    }
}

/// A call of a tool as clients up to 2025-11-25 write it.
pub fn call(id: u64, note_id: u64) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": {"name": "nc_notes_get_note", "arguments": {"note_id": note_id}}})
}

/// The same as 2026-07-28 wants it.
pub fn modern_call(id: u64, note_id: u64) -> Value {
    let mut message = call(id, note_id);
    message["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    message
}

/// The headers that go with [`modern_call`].
pub const MODERN: &str =
    "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: nc_notes_get_note\r\n";

/// The text that a tool's result shows to a model.
pub fn shown(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {answer}"))
}

pub struct Answered {
    pub status: u16,
    /// Head and body.
    pub whole: String,
}

impl Answered {
    pub fn json(&self) -> Value {
        let body = self.whole.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in {}", self.whole))
    }
}

/// A POST to `/mcp` on a connection of its own. `headers` are whole lines.
pub fn post(address: &str, headers: &str, body: &str) -> Answered {
    read_answer(send(address, &post_request(address, headers, body)))
}

pub fn post_request(address: &str, headers: &str, body: &str) -> String {
    format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// Opens a connection and sends this.
pub fn send(address: &str, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("the server reads");
    stream
}

/// Reads the one answer of a connection, which ends it.
pub fn read_answer(mut stream: impl Read) -> Answered {
    let mut whole = Vec::new();
    stream.read_to_end(&mut whole).expect("an answer");
    let whole = String::from_utf8(whole).expect("UTF-8");
    let status = whole.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answered { status: status.unwrap_or_else(|| panic!("no status in {whole:?}")), whole }
}
