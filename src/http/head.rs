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

/// Whether the request line has three parts and the last is `HTTP/` digit `.` digit, though not a version of ours.
fn names_http_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut parts = line.split(|&byte| byte == b' ').skip(2);
    match (parts.next(), parts.next()) {
        (Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]), None) => {
            major.is_ascii_digit() && minor.is_ascii_digit() && !matches!((major, minor), (b'1', b'0' | b'1'))
        }
        _ => false,
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a head that arrives in pieces cut at the given places.
    fn read(bytes: &[u8], cuts: &[usize]) -> Result<Option<Parsed>, Refusal> {
        let mut scan = Scan::new(1024);
        let whole = bytes.len();
        for end in cuts.iter().map(|cut| cut % (whole + 1)).chain([whole]).scan(0, |far, cut| {
            *far = cut.max(*far);
            Some(*far)
        }) {
            if let Some(range) = scan.advance(&bytes[..end])? {
                return parse(&bytes[range], 8, Peer::Unix).map(Some);
            }
        }
        Ok(None)
    }

    fn parsed(head: &str) -> Parsed {
        read(head.as_bytes(), &[]).expect("a good head").expect("a whole head")
    }

    fn status(head: &[u8]) -> u16 {
        match read(head, &[]) {
            Ok(Some(_)) => 200,
            Ok(None) => 0,
            Err(refusal) => refusal.status,
        }
    }

    #[test]
    fn a_head_is_taken_apart() {
        let parsed = parsed(
            "POST /a%20b?c=d?e HTTP/1.1\r\nHost: h:8000\r\nX-A:  v w\t \r\nx-a: 2\r\nX-Empty:\r\n\r\n",
        );
        let head = &parsed.head;
        assert_eq!((head.method.as_str(), head.path(), head.query()), ("POST", "/a%20b", Some("c=d?e")));
        assert_eq!(head.headers.get("x-A"), Some("v w"));
        assert_eq!(head.headers.all("X-A").collect::<Vec<_>>(), ["v w", "2"]);
        assert_eq!((head.headers.get("x-empty"), head.headers.get("x-none")), (Some(""), None));
        assert_eq!(
            (parsed.framing, parsed.keep_alive, parsed.expects_continue),
            (Framing::Empty, true, false)
        );
    }

    #[test]
    fn header_values_are_not_shown_by_debug() {
        let parsed = parsed("GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer abc\r\n\r\n");
        assert!(!format!("{parsed:?}").contains("abc"));
    }

    #[test]
    fn framing_is_read_strictly() {
        for (fields, expected) in [
            ("", Ok(Framing::Empty)),
            ("Content-Length: 0\r\n", Ok(Framing::Empty)),
            ("content-length: 12\r\n", Ok(Framing::Length(12))),
            ("Content-Length: 0012\r\n", Ok(Framing::Length(12))),
            ("Content-Length: 100000000000000000000000\r\n", Ok(Framing::Length(u64::MAX))),
            ("Transfer-Encoding: Chunked\r\n", Ok(Framing::Chunked)),
            ("Content-Length:\r\n", Err(400)),
            ("Content-Length: abc\r\n", Err(400)),
            ("Content-Length: -1\r\n", Err(400)),
            ("Content-Length: +2\r\n", Err(400)),
            ("Content-Length: 0x2\r\n", Err(400)),
            ("Content-Length: 2 2\r\n", Err(400)),
            ("Content-Length: 2, 2\r\n", Err(400)),
            ("Content-Length: 2\r\nContent-Length: 2\r\n", Err(400)),
            ("Content-Length: 2\r\nContent-Length: 3\r\n", Err(400)),
            ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", Err(400)),
            ("Content-Length: 2\r\nTransfer-Encoding: identity\r\n", Err(400)),
            ("Transfer-Encoding: identity\r\n", Err(501)),
            ("Transfer-Encoding: gzip, chunked\r\n", Err(501)),
            ("Transfer-Encoding: chunked, chunked\r\n", Err(501)),
            ("Transfer-Encoding: xchunked\r\n", Err(501)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(501)),
            ("Transfer-Encoding : chunked\r\n", Err(400)),
            ("Transfer-Encoding:\r\n chunked\r\n", Err(400)),
        ] {
            let head = format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
            let framing = read(head.as_bytes(), &[]).map(|p| p.expect("whole").framing).map_err(|r| r.status);
            assert_eq!(framing, expected, "{fields:?}");
        }
        assert_eq!(status(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
    }

    #[test]
    fn malformed_heads_are_refused() {
        for (head, expected) in [
            (&b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..], 200),
            (b"\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 200),
            (b"\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
            (b"\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
            (b"GET / HTTP/1.1\nHost: h\n\n", 400),
            (b"GET / HTTP/1.1\r\nHost: h\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: h\r\nX: \x7f\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: h\r\nX: \u{fc}\r\n\r\n".as_bytes(), 400),
            ("GET /\u{fc} HTTP/1.1\r\nHost: h\r\n\r\n".as_bytes(), 400),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n", 200),
            (b"GET / HTTP/1.0\r\n\r\n", 200),
            (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            (b"GET / x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
            (b"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
            (b"GET /\r\nHost: h\r\n\r\n", 400),
            (b"G<script>T / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: h\r\n: v\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: h\r\nX Y: v\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: h\r\nX : v\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n folded\r\n\r\n", 400),
            (b"GET / HTTP/2.0\r\n\r\n", 505),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
            (b"GET / HTTP/0.9\r\n\r\n", 505),
            (b"GET / HTTP/11.1\r\nHost: h\r\n\r\n", 400),
            (b"GET / http/1.1\r\nHost: h\r\n\r\n", 400),
            (b"\x16\x03\x01\x02\x00", 400),
            (b"GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
            (b"GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400),
            (b"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400),
            (b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 200),
            (b"CONNECT a:443 HTTP/1.1\r\nHost: h\r\n\r\n", 501),
            (b"TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 501),
            (b"POST / HTTP/1.1\r\nHost: h\r\nExpect: x\r\nContent-Length: 1\r\n\r\n", 417),
            (b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n", 200),
            (b"GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\nF: 1\r\nG: 1\r\n\r\n", 200),
            (b"GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\nF: 1\r\nG: 1\r\nH: 1\r\n\r\n", 431),
            (b"GET / HTTP/1.1\r\nHost: h\r\n", 0),
        ] {
            assert_eq!(status(head), expected, "{}", head.escape_ascii());
        }
    }

    #[test]
    fn a_head_of_exactly_the_limit_is_read_and_one_byte_more_is_refused() {
        let head =
            |padding: usize| format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "a".repeat(padding));
        let fixed = head(0).len();
        assert_eq!(status(head(1024 - fixed).as_bytes()), 200);
        assert_eq!(status(head(1025 - fixed).as_bytes()), 431);
        assert_eq!(status("a".repeat(1025).as_bytes()), 431);
    }

    #[test]
    fn the_connection_is_kept_as_the_version_and_the_options_say() {
        for (head, expected) in [
            ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade, Close\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
            ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false),
        ] {
            assert_eq!(parsed(head).keep_alive, expected, "{head:?}");
        }
    }

    /// Heads that are good, or nearly.
    fn heads() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            Just("Host: h\r\n".to_owned()),
            Just("Content-Length: 5\r\n".to_owned()),
            Just("Transfer-Encoding: chunked\r\n".to_owned()),
            Just("Expect: 100-continue\r\n".to_owned()),
            Just("Connection: close\r\n".to_owned()),
            "[A-Za-z-]{1,8}: ?[ -~\t\r\n\u{e4}]{0,12}\r\n",
        ];
        let start = prop_oneof![
            Just("GET / HTTP/1.1\r\nHost: h\r\n".to_owned()),
            Just("\r\nPOST /a?b HTTP/1.0\r\n".to_owned()),
            "[A-Z]{0,5} [!-~]{0,9} HTTP/[012].[012]\r?\n",
        ];
        (start, prop::collection::vec(line, 0..10))
            .prop_map(|(start, lines)| format!("{start}{}\r\n", lines.concat()).into_bytes())
    }

    fn outline(result: Result<Option<Parsed>, Refusal>) -> Result<Option<String>, Refusal> {
        result.map(|parsed| {
            parsed.map(|p| {
                let fields = p.head.headers.iter().collect::<Vec<_>>();
                format!("{p:?} {fields:?}")
            })
        })
    }

    proptest! {
        #[test]
        fn a_head_reads_the_same_however_it_is_split(head in heads(), cuts in prop::collection::vec(0_usize..600, 0..8)) {
            prop_assert_eq!(outline(read(&head, &cuts)), outline(read(&head, &[])));
            let every_byte = (0..head.len()).collect::<Vec<_>>();
            prop_assert_eq!(outline(read(&head, &every_byte)), outline(read(&head, &[])));
        }

        #[test]
        fn no_bytes_make_the_head_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..1500)) {
            let _ = read(&bytes, &[]);
            let _ = parse(&bytes, 8, Peer::Unix);
        }

        #[test]
        fn an_accepted_head_is_visible_ascii_with_one_host(head in heads()) {
            if let Ok(Some(parsed)) = read(&head, &[]) {
                let clean = |text: &str| text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
                prop_assert!(parsed.head.headers.iter().all(|(name, value)| clean(name) && clean(value)));
                prop_assert!(parsed.head.version == Version::Http10 || parsed.head.headers.all("host").count() == 1);
                prop_assert!(parsed.head.target.starts_with('/') || parsed.head.target == "*");
            }
        }
    }
}
