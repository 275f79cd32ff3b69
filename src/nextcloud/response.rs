//! Answers of Nextcloud and their entity tags.

use ureq::http::HeaderMap;

use crate::schema::Etag;

/// Status and headers of an answer.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    pub status: u16,
    pub(super) headers: HeaderMap,
}

impl ResponseHead {
    /// The first value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The entity tag in the one form used everywhere (see [`etag`](super::etag)); `OC-ETag` is preferred, since a compressing
    /// proxy does not touch it.
    pub fn etag(&self) -> Option<String> {
        ["OC-ETag", "ETag"].iter().find_map(|name| self.header(name).and_then(normalise_etag))
    }

    /// `Content-Type` without its parameters, in lower case.
    pub fn media_type(&self) -> Option<String> {
        let value = self.header("Content-Type")?;
        Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }

    /// When the answer was made, by the server's clock (`Date`), in seconds since 1970.
    pub fn date_s(&self) -> Option<i64> {
        self.header("Date").and_then(super::cookies::http_date)
    }

    /// `Content-Length`, absent for compressed and chunked answers.
    pub fn content_length(&self) -> Option<u64> {
        self.header("Content-Length")?.trim().parse().ok()
    }
}

/// An answer with its body.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub body: Vec<u8>,
    pub(super) head: ResponseHead,
}

impl Response {
    /// The first value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// See [`ResponseHead::etag`].
    pub fn etag(&self) -> Option<String> {
        self.head.etag()
    }

    /// See [`ResponseHead::media_type`].
    pub fn media_type(&self) -> Option<String> {
        self.head.media_type()
    }

    /// Status and headers.
    pub fn head(&self) -> &ResponseHead {
        &self.head
    }
}

/// A part of a file.
#[derive(Clone, Debug)]
pub struct Slice {
    pub head: ResponseHead,
    /// Where `body` begins in the file.
    pub offset: u64,
    pub body: Vec<u8>,
    /// Size of the whole file in bytes, where the server told it.
    pub total_bytes: Option<u64>,
}

/// An entity tag in the one form that this program shows: strong, without quotes, without the suffix that a
/// compressing proxy adds. Absent if nothing is left.
pub fn normalise_etag(raw: &str) -> Option<String> {
    Etag::parse(raw).ok().map(Etag::into_string)
}

/// The same tag as a header value. One that cannot be a tag becomes `""`, which matches nothing.
pub(super) fn quoted_etag(raw: &str) -> String {
    match raw.trim() {
        "*" => "*".into(),
        raw => format!("\"{}\"", normalise_etag(raw).unwrap_or_default()),
    }
}

/// Start, end and total of `Content-Range: bytes 0-4/23` (RFC 9110 §14.4).
pub(super) fn content_range(value: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end) = (start.parse().ok()?, end.parse().ok()?);
    (start <= end).then(|| (start, end, total.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(headers: &[(&'static str, &str)]) -> ResponseHead {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("header"));
        }
        ResponseHead { status: 200, headers: map }
    }

    #[test]
    fn every_form_of_an_etag_is_the_same() {
        for raw in
            ["abc", "\"abc\"", "W/\"abc\"", "\"abc-gzip\"", "W/\"abc-gzip\"", " \"abc\" ", "\"abc--gzip\""]
        {
            assert_eq!(normalise_etag(raw).as_deref(), Some("abc"), "{raw}");
        }
        for raw in ["", "\"\"", "W/\"\"", "a\"b", "a\nb"] {
            assert_eq!(normalise_etag(raw), None, "{raw:?}");
        }
    }

    #[test]
    fn the_strong_oc_etag_is_preferred() {
        assert_eq!(head(&[("etag", "W/\"a-gzip\""), ("oc-etag", "\"b\"")]).etag().as_deref(), Some("b"));
        assert_eq!(head(&[("etag", "W/\"a\"")]).etag().as_deref(), Some("a"));
        assert_eq!(head(&[]).etag(), None);
    }

    #[test]
    fn the_servers_time_is_read() {
        assert_eq!(head(&[("date", "Tue, 24 Nov 2026 03:46:47 GMT")]).date_s(), Some(1_795_492_007));
        assert_eq!(head(&[("date", "now")]).date_s(), None);
        assert_eq!(head(&[]).date_s(), None);
    }

    #[test]
    fn content_ranges_are_read() {
        assert_eq!(content_range("bytes 18-22/23"), Some((18, 22, Some(23))));
        assert_eq!(content_range("bytes 0-4/*"), Some((0, 4, None)));
        for bad in ["", "bytes */23", "bytes 5-4/23", "items 0-1/2", "bytes a-b/c"] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_media_type_has_no_parameters() {
        let head = head(&[("content-type", "Text/HTML; charset=UTF-8"), ("content-length", "12")]);
        assert_eq!((head.media_type().as_deref(), head.content_length()), (Some("text/html"), Some(12)));
    }
}
