//! Responses, and the one function that writes response heads.

use super::body::is_token;

/// A whole response. What may not be written, such as a line break in a header, is refused when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Without `Content-Length` and `Transfer-Encoding`, which the listener writes. `Connection: close` is honoured.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// No body and no content type; `Content-Length: 0` where the status may have a body.
    pub fn empty(status: u16) -> Response {
        Response { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A body with its media type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Response {
        Response { body: body.into(), ..Response::empty(status).with("Content-Type", content_type) }
    }

    /// `application/json`.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Response {
        Response::new(status, "application/json", body)
    }

    /// `text/plain` in UTF-8.
    pub fn text(status: u16, body: impl Into<String>) -> Response {
        Response::new(status, "text/plain; charset=utf-8", body.into())
    }

    /// `text/html` in UTF-8.
    pub fn html(status: u16, body: impl Into<String>) -> Response {
        Response::new(status, "text/html; charset=utf-8", body.into())
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Response {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Whether the handler wants the connection closed after this.
    pub(super) fn closes(&self) -> bool {
        self.headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("connection")
                && value.split(',').any(|option| option.trim().eq_ignore_ascii_case("close"))
        })
    }
}

/// How the client finds the end of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Length(usize),
    Chunked,
    /// The end of the connection (HTTP/1.0).
    Close,
}

/// What the response says about the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    /// Kept, which goes without saying in HTTP/1.1.
    Kept,
    /// Kept, and said so to an HTTP/1.0 client.
    KeptSaid,
    Closed,
}

/// A status or header that would break the message. Names the header, never its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unwritable(pub String);

/// Writes a response head. All response heads come from here, so nothing can split a response.
pub(super) fn encode_head(
    status: u16,
    headers: &[(String, String)],
    ending: Ending,
    connection: Connection,
) -> Result<Vec<u8>, Unwritable> {
    if !(200..=599).contains(&status) {
        return Err(Unwritable(format!("status {status}")));
    }
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    for (name, value) in headers {
        if name.eq_ignore_ascii_case("connection") {
            continue;
        }
        let framing = ["content-length", "transfer-encoding"].iter().any(|n| name.eq_ignore_ascii_case(n));
        let legal_name = !name.is_empty() && name.bytes().all(is_token);
        let legal_value = value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
        if framing || !legal_name || !legal_value {
            return Err(Unwritable(format!("header {:?}", name.chars().take(64).collect::<String>())));
        }
        head.extend([name, ": ", value, "\r\n"]);
    }
    match ending {
        // RFC 9110, section 8.6: neither has a body, and 204 may not have the header.
        Ending::Length(_) if matches!(status, 204 | 304) => {}
        Ending::Length(length) => head.push_str(&format!("Content-Length: {length}\r\n")),
        Ending::Chunked => head.push_str("Transfer-Encoding: chunked\r\n"),
        Ending::Close => {}
    }
    head.push_str(match connection {
        Connection::Kept => "\r\n",
        Connection::KeptSaid => "Connection: keep-alive\r\n\r\n",
        Connection::Closed => "Connection: close\r\n\r\n",
    });
    Ok(head.into_bytes())
}

/// The phrase of RFC 9110, section 15; clients ignore it, people reading a trace do not.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(response: &Response) -> Result<String, Unwritable> {
        let ending = Ending::Length(response.body.len());
        let head = encode_head(response.status, &response.headers, ending, Connection::Kept)?;
        Ok(String::from_utf8(head).expect("ASCII"))
    }

    #[test]
    fn a_head_says_how_the_message_ends() {
        assert_eq!(
            encode(&Response::empty(405).with("Allow", "POST")),
            Ok("HTTP/1.1 405 Method Not Allowed\r\nAllow: POST\r\nContent-Length: 0\r\n\r\n".into())
        );
        assert_eq!(encode(&Response::empty(204)), Ok("HTTP/1.1 204 No Content\r\n\r\n".into()));
        assert_eq!(
            encode(&Response::json(200, "{}")),
            Ok("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n".into())
        );
        let head = encode_head(200, &[], Ending::Chunked, Connection::Closed).expect("a head");
        assert_eq!(head, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
        let head = encode_head(200, &[], Ending::Close, Connection::KeptSaid).expect("a head");
        assert_eq!(head, b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n");
    }

    #[test]
    fn headers_that_would_break_the_message_are_refused() {
        for (name, value) in [
            ("X-A", "a\r\nX-Injected: yes"),
            ("X-A", "a\nb"),
            ("X-A", "a\rb"),
            ("X-A", "a\0b"),
            ("X-A", "\u{fc}"),
            ("X-A\r\nX-B", "v"),
            ("X A", "v"),
            ("X-A:", "v"),
            ("", "v"),
            ("Content-Length", "3"),
            ("transfer-encoding", "chunked"),
        ] {
            let refused = encode(&Response::empty(200).with(name, value));
            assert!(
                matches!(&refused, Err(Unwritable(why)) if !why.contains("Injected")),
                "{name:?}: {value:?}"
            );
        }
        for status in [0, 99, 100, 101, 199, 600, 999] {
            assert!(encode(&Response::empty(status)).is_err(), "{status}");
        }
    }

    #[test]
    fn the_handler_may_ask_for_the_connection_to_close() {
        assert!(Response::empty(200).with("connection", "x, Close").closes());
        assert!(!Response::empty(200).with("Connection", "keep-alive").closes());
        assert!(
            !encode(&Response::empty(200).with("Connection", "close")).expect("a head").contains("close")
        );
    }
}
