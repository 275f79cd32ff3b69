//! Paths and queries: the only place that percent-encodes and decodes (RFC 3986 §2.1).

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An encoded path below the base URL, with its query. It begins with `/`.
///
/// `raw` and the constructors take text of ours that needs no encoding; everything that comes from outside goes
/// through [`UrlPath::segment`], [`UrlPath::segments`] or [`UrlPath::query`]. A segment that is empty, `.`, `..`
/// or holds a NUL makes the path invalid, and sending it fails with [`BadRequest`](super::Kind::BadRequest): such a segment
/// would name another thing than the caller meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlPath {
    path: String,
    query: String,
    fault: Option<&'static str>,
}

impl UrlPath {
    fn at(path: impl Into<String>) -> UrlPath {
        UrlPath { path: path.into(), query: String::new(), fault: None }
    }

    /// `/index.php/apps/{app}`: works with and without pretty URLs.
    pub fn app(app: &str) -> UrlPath {
        UrlPath::at("/index.php/apps").segment(app)
    }

    /// `/index.php{route}`: a route of Nextcloud's core.
    pub fn core(route: &str) -> UrlPath {
        UrlPath::at("/index.php").raw(route)
    }

    /// `/ocs/v2.php{route}`: the OCS API, version 2.
    pub fn ocs(route: &str) -> UrlPath {
        UrlPath::at("/ocs/v2.php").raw(route)
    }

    /// `/remote.php/dav`: WebDAV, CalDAV and CardDAV.
    pub fn dav() -> UrlPath {
        UrlPath::at("/remote.php/dav")
    }

    /// `/status.php`.
    pub fn status() -> UrlPath {
        UrlPath::at("/status.php")
    }

    /// Takes an encoded path as Nextcloud wrote it, relative to the base. Each segment is decoded and encoded
    /// anew, so `a%2bb` and `a%2Bb` are the same afterwards.
    pub fn from_encoded(path: &str) -> UrlPath {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let mut out = UrlPath::at("");
        for segment in path.split('/').filter(|s| !s.is_empty()) {
            out = out.segment(&decode(segment));
        }
        if path.ends_with('/') { out.slash() } else { out }
    }

    /// Appends text that is encoded already, such as `/api/v1/notes`.
    pub fn raw(mut self, encoded: &str) -> UrlPath {
        self.path.push_str(encoded);
        self
    }

    /// Appends one segment, encoded.
    pub fn segment(mut self, segment: &str) -> UrlPath {
        match segment {
            "" => self.fault = Some("a name in the path is empty"),
            "." | ".." => self.fault = Some("a name in the path is . or .."),
            s if s.contains('\0') => self.fault = Some("a name in the path holds a NUL"),
            s => {
                if !self.path.ends_with('/') {
                    self.path.push('/');
                }
                self.path.extend(utf8_percent_encode(s, RESERVED));
            }
        }
        self
    }

    /// Appends several segments, each encoded.
    pub fn segments<S: AsRef<str>>(self, segments: impl IntoIterator<Item = S>) -> UrlPath {
        segments.into_iter().fold(self, |path, segment| path.segment(segment.as_ref()))
    }

    /// Ends the path with `/`, as DAV collections do.
    pub fn slash(mut self) -> UrlPath {
        if !self.path.ends_with('/') {
            self.path.push('/');
        }
        self
    }

    /// Appends a query parameter, encoded.
    pub fn query(mut self, key: &str, value: impl fmt::Display) -> UrlPath {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.extend(utf8_percent_encode(key, RESERVED));
        self.query.push('=');
        self.query.extend(utf8_percent_encode(&value.to_string(), RESERVED));
        self
    }

    /// The encoded path without its query.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// Path and query as they go over the wire.
    pub fn target(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    /// The last segment, decoded.
    pub fn last_segment(&self) -> Option<String> {
        self.path.trim_end_matches('/').rsplit('/').next().filter(|s| !s.is_empty()).map(decode)
    }

    /// The decoded segments.
    pub fn decoded_segments(&self) -> impl Iterator<Item = String> + '_ {
        self.path.split('/').filter(|s| !s.is_empty()).map(decode)
    }

    /// What makes this path unfit to be sent.
    pub(super) fn fault(&self) -> Option<&'static str> {
        match &self.fault {
            Some(fault) => Some(fault),
            None if !self.path.starts_with('/') => Some("the path is empty"),
            None => None,
        }
    }

    /// The path for people and logs: decoded, without Nextcloud's entry script and without the query.
    pub(super) fn label(&self) -> String {
        let path = &self.path;
        let short = ["/index.php/apps/", "/index.php/", "/ocs/v2.php/", "/ocs/v1.php/", "/remote.php/dav/"]
            .iter()
            .find_map(|prefix| path.strip_prefix(prefix))
            .or_else(|| path.strip_prefix("/remote.php/"))
            .or_else(|| path.strip_prefix('/'))
            .unwrap_or(path);
        super::error::clean(&decode(short)).unwrap_or_else(|| "/".into())
    }

    /// Whether the path is a route of the OCS API.
    pub(super) fn is_ocs(&self) -> bool {
        self.path.starts_with("/ocs/")
    }

    /// Whether the path belongs to WebDAV, CalDAV or CardDAV.
    pub(super) fn is_dav(&self) -> bool {
        self.path.starts_with("/remote.php/")
    }
}

/// Encodes one segment of a path or URI.
pub fn encode(segment: &str) -> String {
    utf8_percent_encode(segment, RESERVED).to_string()
}

/// Decodes percent-encoding once; bytes that are no UTF-8 become U+FFFD.
pub fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn app_routes_go_through_index_php() {
        let path = UrlPath::app("notes").raw("/api/v1/notes").segment("x y").query("k[]", "a&b=ä +");
        assert_eq!(path.target(), "/index.php/apps/notes/api/v1/notes/x%20y?k%5B%5D=a%26b%3D%C3%A4%20%2B");
        assert_eq!(path.label(), "notes/api/v1/notes/x y");
        assert_eq!(
            UrlPath::ocs("/apps/x/api").query("a", 1).query("b", true).target(),
            "/ocs/v2.php/apps/x/api?a=1&b=true"
        );
    }

    #[test]
    fn odd_names_are_encoded_per_segment() {
        for (name, encoded) in [
            ("100%.txt", "100%25.txt"),
            ("a+b&c=d?e#f.txt", "a%2Bb%26c%3Dd%3Fe%23f.txt"),
            ("quote's (1) [x].txt", "quote%27s%20%281%29%20%5Bx%5D.txt"),
            ("emoji 🎉.txt", "emoji%20%F0%9F%8E%89.txt"),
            ("a/b", "a%2Fb"),
            ("...", "..."),
        ] {
            let path = UrlPath::dav().raw("/files").segments(["alice", name]);
            assert_eq!(path.as_str(), format!("/remote.php/dav/files/alice/{encoded}"));
            assert_eq!(path.last_segment().as_deref(), Some(name));
            assert_eq!(path.fault(), None);
        }
    }

    #[test]
    fn a_segment_that_names_something_else_is_a_fault() {
        for bad in ["", ".", "..", "a\0b"] {
            assert!(UrlPath::app("notes").segment(bad).fault().is_some(), "{bad:?}");
        }
        assert!(UrlPath::from_encoded("/files/%2e%2e/bob").fault().is_some());
        assert!(UrlPath::from_encoded("").fault().is_some());
    }

    #[test]
    fn what_nextcloud_wrote_is_normalised() {
        let path = UrlPath::from_encoded("/remote.php/dav/calendars/alice/a%2bb/quote's%20(1).ics?x#y");
        assert_eq!(path.as_str(), "/remote.php/dav/calendars/alice/a%2Bb/quote%27s%20%281%29.ics");
        assert_eq!(UrlPath::from_encoded("/remote.php/dav/").as_str(), "/remote.php/dav/");
        assert_eq!(UrlPath::from_encoded("/a//b/").as_str(), "/a/b/");
    }

    proptest! {
        #[test]
        fn encoding_then_decoding_is_identity(name in "\\PC{1,40}") {
            prop_assume!(name != "." && name != "..");
            let path = UrlPath::dav().segment(&name);
            let encoded = path.as_str().strip_prefix("/remote.php/dav/").unwrap_or_default();
            prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
            prop_assert_eq!(decode(encoded), name);
        }

        #[test]
        fn any_encoded_text_is_taken_without_a_panic(text in "\\PC{0,60}|[%/.0-9a-f]{0,40}") {
            let path = UrlPath::from_encoded(&text);
            prop_assert!(path.as_str().is_ascii());
            let _ = (path.label(), path.last_segment(), path.target());
        }
    }
}
