//! One request to Nextcloud, built without I/O.

use super::path::UrlPath;

/// Bytes that an answer may have unless the request says otherwise.
pub const ANSWER_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// A request. Credential, cookies, `OCS-APIRequest`, `User-Agent` and the like are added when it is sent.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) method: &'static str,
    pub(super) path: UrlPath,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    pub(super) content_type: Option<String>,
    pub(super) accept: Option<String>,
    pub(super) destination: Option<UrlPath>,
    pub(super) range: Option<(u64, u64)>,
    pub(super) limit_bytes: u64,
    pub(super) allow: Vec<u16>,
    pub(super) sessionless: bool,
    pub(super) once: bool,
}

impl Request {
    /// `method` is the HTTP method in capitals, also WebDAV's: `PROPFIND`.
    pub fn new(method: &'static str, path: UrlPath) -> Request {
        Request {
            method,
            path,
            headers: Vec::new(),
            body: Vec::new(),
            content_type: None,
            accept: None,
            destination: None,
            range: None,
            limit_bytes: ANSWER_BYTES_MAX,
            allow: Vec::new(),
            sessionless: false,
            once: false,
        }
    }

    /// Adds a header, such as `Depth`. A value with control characters fails when sent.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Request {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends JSON.
    pub fn json(self, value: &serde_json::Value) -> Request {
        self.body(value.to_string().into_bytes(), "application/json")
    }

    /// Sends XML.
    pub fn xml(self, document: impl Into<String>) -> Request {
        self.body(document.into().into_bytes(), "application/xml; charset=utf-8")
    }

    /// Sends bytes, with their exact `Content-Length`.
    pub fn body(mut self, body: impl Into<Vec<u8>>, content_type: impl Into<String>) -> Request {
        self.body = body.into();
        self.content_type = Some(content_type.into());
        self
    }

    /// Adds a query parameter, encoded.
    pub fn query(mut self, key: &str, value: impl std::fmt::Display) -> Request {
        self.path = self.path.query(key, value);
        self
    }

    /// Asks for a media type; the default is JSON outside WebDAV.
    pub fn accept(mut self, media_type: impl Into<String>) -> Request {
        self.accept = Some(media_type.into());
        self
    }

    /// Bytes of decoded answer that are read at most; the default is 10 MiB. More fails with
    /// [`AnswerTooLarge`](super::Kind::AnswerTooLarge).
    pub fn limit_bytes(mut self, limit_bytes: u64) -> Request {
        self.limit_bytes = limit_bytes;
        self
    }

    /// Statuses that are answers and no errors: `&[404, 304]`.
    pub fn allow(mut self, statuses: &[u16]) -> Request {
        self.allow.extend_from_slice(statuses);
        self
    }

    /// Goes out without the account's cookies; those of the answer are not kept.
    pub(super) fn sessionless(mut self) -> Request {
        self.sessionless = true;
        self
    }

    /// Is not repeated after a lost connection, although its method may be; goes over a connection of its own, so that
    /// none is lost by being old.
    pub(super) fn once(mut self) -> Request {
        self.once = true;
        self
    }

    /// Acts only if the entity tag is still this one (RFC 9110 §13.1.1). `*` means: if it exists. The tag may
    /// come in any form; it goes out strong and quoted (Notes answers 412 to an unquoted one).
    pub fn if_match(self, etag: &str) -> Request {
        let value = super::response::quoted_etag(etag);
        self.header("If-Match", value)
    }

    /// Acts only if the entity tag is not this one; `*` means: if it does not exist.
    pub fn if_none_match(self, etag: &str) -> Request {
        let value = super::response::quoted_etag(etag);
        self.header("If-None-Match", value)
    }

    /// Where MOVE and COPY go (RFC 4918 §10.3).
    pub fn destination(mut self, path: &UrlPath) -> Request {
        self.destination = Some(path.clone());
        self
    }

    /// Asks for `len` bytes from `offset` (RFC 9110 §14.2). See [`Client::read_range`](super::Client::read_range)
    /// for servers that do not do it.
    pub fn range(mut self, offset: u64, len: u64) -> Request {
        self.range = Some((offset, len));
        self
    }

    /// `PROPFIND files/alice/docs`, for errors and the log.
    pub(super) fn label(&self) -> String {
        format!("{} {}", self.method, self.path.label())
    }

    pub(super) fn accept_value(&self) -> &str {
        match &self.accept {
            Some(accept) => accept,
            None if self.path.is_dav() => "*/*",
            None => "application/json",
        }
    }

    /// Compression makes entity tags weak (`W/"…"`), which Nextcloud then does not accept in `If-Match`, and
    /// hides the length of a file.
    pub(super) fn accept_encoding(&self) -> &'static str {
        let reads_content = matches!(self.method, "GET" | "HEAD");
        if self.range.is_some() || (self.path.is_dav() && reads_content) { "identity" } else { "gzip" }
    }

    /// Whether sending it twice does the same as once: safe methods, and writes that a condition protects.
    pub(super) fn is_repeatable(&self) -> bool {
        match self.method {
            "PUT" | "DELETE" | "MKCOL" => {
                self.headers.iter().any(|(name, _)| matches!(*name, "If-Match" | "If-None-Match"))
            }
            _ => self.is_safe(),
        }
    }

    /// Whether it only reads.
    pub(super) fn is_safe(&self) -> bool {
        matches!(self.method, "GET" | "HEAD" | "PROPFIND" | "REPORT" | "SEARCH" | "OPTIONS")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
        request.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
    }

    #[test]
    fn etags_go_out_strong_and_quoted() {
        for given in ["abc", "\"abc\"", "W/\"abc\"", "\"abc-gzip\"", " abc "] {
            let request = Request::new("PUT", UrlPath::app("notes")).if_match(given);
            assert_eq!(header(&request, "If-Match"), Some("\"abc\""), "{given}");
        }
        let request = Request::new("PUT", UrlPath::dav()).if_none_match("*");
        assert_eq!(header(&request, "If-None-Match"), Some("*"));
    }

    #[test]
    fn compression_is_not_asked_for_where_an_etag_will_be_used() {
        let encoding = |method, path: UrlPath| Request::new(method, path).accept_encoding();
        assert_eq!(encoding("GET", UrlPath::dav().segment("files")), "identity");
        assert_eq!(encoding("PROPFIND", UrlPath::dav()), "gzip");
        assert_eq!(encoding("GET", UrlPath::app("notes")), "gzip");
        assert_eq!(Request::new("GET", UrlPath::app("x")).range(0, 5).accept_encoding(), "identity");
    }

    #[test]
    fn a_write_is_repeatable_only_with_a_condition() {
        let at = |method| Request::new(method, UrlPath::dav());
        assert!(at("GET").is_repeatable() && at("SEARCH").is_repeatable());
        assert!(!at("PUT").is_repeatable() && !at("POST").is_repeatable() && !at("MOVE").is_repeatable());
        assert!(at("PUT").if_match("a").is_repeatable() && at("MKCOL").if_none_match("*").is_repeatable());
        assert!(!at("POST").if_match("a").is_repeatable());
    }
}
