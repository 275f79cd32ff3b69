//! Request heads: where one ends, what it says, how its body is framed (RFC 9112, section 2 to 6).
//!
//! Stricter than the RFC allows where leniency has been an attack: bare LF, control bytes and bytes from 0x80 on,
//! absolute-form targets, repeated `Content-Length`, and every `Transfer-Encoding` but `chunked` are refused.

use std::fmt;
use std::ops::Range;

use super::response::Response;
use super::stream::Peer;

/// Request line and headers.
#[derive(Debug, Clone)]
pub struct Head {
    /// As sent; methods are case-sensitive.
    pub method: String,
    /// Path and query as sent, still percent-encoded; or `*` for OPTIONS.
    pub target: String,
    pub version: Version,
    pub headers: Headers,
    pub peer: Peer,
}

impl Head {
    /// The target up to the first `?`, still percent-encoded.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    /// What follows the first `?`, still percent-encoded.
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }
}

/// The protocol version of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    Http10,
    Http11,
}

/// Header fields in the order they were sent. Its `Debug` shows names only: values may be credentials.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The value of the first field of this name, in whatever case, without white space around it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of all fields of this name.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.0.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The members of a comma-separated list, over all fields of this name (RFC 9110, section 5.6.1).
    pub fn list<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.all(name).flat_map(|value| value.split(',')).map(str::trim).filter(|member| !member.is_empty())
    }

    /// Names and values as sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Headers {
        Headers(fields.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// No body; also `Content-Length: 0`.
    Empty,
    /// So many bytes; saturated at `u64::MAX`.
    Length(u64),
    Chunked,
}

/// A head, and what of it concerns the connection.
#[derive(Debug)]
pub(super) struct Parsed {
    pub head: Head,
    pub framing: Framing,
    pub keep_alive: bool,
    pub expects_continue: bool,
}

/// A request that is not served: the status and what to do about it. The connection ends after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: u16,
    pub reason: &'static str,
}

impl Refusal {
    pub const fn new(status: u16, reason: &'static str) -> Refusal {
        Refusal { status, reason }
    }

    const fn bad(reason: &'static str) -> Refusal {
        Refusal::new(400, reason)
    }

    pub fn response(&self) -> Response {
        let response = Response::text(self.status, format!("{}\n", self.reason));
        if self.status == 503 { response.with("Retry-After", "1") } else { response }
    }
}

/// Looks for the end of a head in bytes that arrive piece by piece, and refuses the first byte that no head may have.
pub(super) struct Scan {
    bytes_max: usize,
    at: usize,
    start: usize,
    lines: usize,
    line_bytes: usize,
    after_cr: bool,
}

impl Scan {
    pub fn new(bytes_max: usize) -> Scan {
        Scan { bytes_max, at: 0, start: 0, lines: 0, line_bytes: 0, after_cr: false }
    }

    /// Goes on where the last call ended: `bytes` are those of the last call and more.
    ///
    /// Gives the range of the head, from the request line to the empty line, once that is there. One empty line before
    /// the request line is skipped (RFC 9112, section 2.2).
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Option<Range<usize>>, Refusal> {
        while let Some(&byte) = bytes.get(self.at) {
            if self.at - self.start >= self.bytes_max {
                return Err(Refusal::new(
                    431,
                    "The request head is too large: send fewer or shorter headers.",
                ));
            }
            self.at += 1;
            match byte {
                b'\n' if self.after_cr => {
                    self.after_cr = false;
                    if self.line_bytes > 0 {
                        self.lines += 1;
                        self.line_bytes = 0;
                    } else if self.lines > 0 {
                        return Ok(Some(self.start..self.at));
                    } else if self.start > 0 {
                        return Err(Refusal::bad("More than one empty line stands before the request line."));
                    } else {
                        self.start = self.at;
                    }
                }
                _ if self.after_cr => return Err(Refusal::bad("A CR in the head is not followed by LF.")),
                b'\r' => self.after_cr = true,
                b'\n' => return Err(Refusal::bad("A line of the head ends in LF alone: end it in CR LF.")),
                b'\t' | b' '..=b'~' => self.line_bytes += 1,
                _ => return Err(Refusal::bad("The head has a byte that is not visible ASCII.")),
            }
        }
        Ok(None)
    }
}

/// Reads a whole head, from the request line to the empty line.
pub(super) fn parse(bytes: &[u8], headers_max: usize, peer: Peer) -> Result<Parsed, Refusal> {
    let mut fields = vec![httparse::EMPTY_HEADER; headers_max];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Ok(_) => return Err(Refusal::bad("The request head is malformed.")),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Refusal::new(431, "The request has too many headers: send fewer."));
        }
        Err(httparse::Error::Version) if names_http_version(bytes) => {
            return Err(Refusal::new(505, "This server speaks HTTP/1.1 and HTTP/1.0 only."));
        }
        Err(_) => return Err(Refusal::bad("The request line or a header is malformed.")),
    }
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(Refusal::bad("The request line is incomplete."));
    };
    let headers = request
        .headers
        .iter()
        .map(|field| Ok((field.name, std::str::from_utf8(field.value)?.trim_matches([' ', '\t']))))
        .collect::<Result<Headers, std::str::Utf8Error>>()
        .map_err(|_| Refusal::bad("A header is not ASCII."))?;
    let version = if minor == 0 { Version::Http10 } else { Version::Http11 };

    check_host(&headers, version)?;
    let framing = framing(&headers, version)?;
    check_target(method, target)?;
    let expects_continue = expectation(&headers, version)? && framing != Framing::Empty;
    let head = Head { method: method.to_owned(), target: target.to_owned(), version, headers, peer };
    Ok(Parsed { framing, keep_alive: keep_alive(&head), expects_continue, head })
}

/// Whether the request line ends in `HTTP/` digit `.` digit: a version, though not one of ours.
fn names_http_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let last = line.rsplit(|&byte| byte == b' ').next().unwrap_or_default();
    matches!(last, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// Exactly one `Host`, of characters that a host and port may have (RFC 9112, section 3.2). HTTP/1.0 may do without.
fn check_host(headers: &Headers, version: Version) -> Result<(), Refusal> {
    let mut hosts = headers.all("host");
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::Http10 => Ok(()),
        (None, _) => Err(Refusal::bad("The Host header is missing.")),
        (_, Some(_)) => Err(Refusal::bad("More than one Host header.")),
        (Some(host), None) => {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(&byte);
            if !host.is_empty() && host.bytes().all(allowed) {
                Ok(())
            } else {
                Err(Refusal::bad("The Host header is not a host with an optional port."))
            }
        }
    }
}

/// RFC 9112, section 6, with every case refused that two implementations might read differently.
fn framing(headers: &Headers, version: Version) -> Result<Framing, Refusal> {
    let mut lengths = headers.all("content-length");
    let mut codings = headers.all("transfer-encoding");
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(Framing::Empty),
        (Some(_), Some(_)) => Err(Refusal::bad("Content-Length and Transfer-Encoding exclude each other.")),
        (Some(length), None) => {
            if lengths.next().is_some() {
                return Err(Refusal::bad("More than one Content-Length header."));
            }
            if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(Refusal::bad("Content-Length is not a number."));
            }
            match length
                .bytes()
                .fold(0_u64, |n, digit| n.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
            {
                0 => Ok(Framing::Empty),
                length => Ok(Framing::Length(length)),
            }
        }
        (None, Some(_)) if version == Version::Http10 => {
            Err(Refusal::bad("HTTP/1.0 has no Transfer-Encoding: send Content-Length."))
        }
        (None, Some(coding)) => {
            if coding.eq_ignore_ascii_case("chunked") && codings.next().is_none() {
                Ok(Framing::Chunked)
            } else {
                Err(Refusal::new(501, "The only Transfer-Encoding understood is chunked."))
            }
        }
    }
}

/// Only origin-form, or `*` for OPTIONS (RFC 9112, section 3.2).
fn check_target(method: &str, target: &str) -> Result<(), Refusal> {
    if matches!(method, "CONNECT" | "TRACE") {
        return Err(Refusal::new(501, "CONNECT and TRACE are not offered."));
    }
    if target == "*" && method == "OPTIONS" {
        return Ok(());
    }
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>\\".contains(&byte);
    if target.starts_with('/') && target.bytes().all(allowed) {
        Ok(())
    } else {
        Err(Refusal::bad("The request target is not a path with an optional query."))
    }
}

/// Whether the client waits for `100 Continue` (RFC 9110, section 10.1.1).
fn expectation(headers: &Headers, version: Version) -> Result<bool, Refusal> {
    let mut expectations = headers.list("expect").peekable();
    if version == Version::Http10 || expectations.peek().is_none() {
        return Ok(false);
    }
    if expectations.all(|expectation| expectation.eq_ignore_ascii_case("100-continue")) {
        Ok(true)
    } else {
        Err(Refusal::new(417, "The only expectation understood is 100-continue."))
    }
}

/// Whether the client wants the connection kept (RFC 9112, section 9.3).
fn keep_alive(head: &Head) -> bool {
    let says = |option: &str| head.headers.list("connection").any(|o| o.eq_ignore_ascii_case(option));
    !says("close") && (head.version == Version::Http11 || says("keep-alive"))
}
