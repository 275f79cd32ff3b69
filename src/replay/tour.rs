//! The tour: a recorded Nextcloud in which a person can look around, in any order and as often as wanted.
//!
//! Reads are answered from recordings. Where that is plain to do, an answer is worked out from them: folders, searches
//! and favourites from one listing, notes from one list, ranges and `304` from whole answers. Nothing can be changed: a
//! write that was not recorded is refused in words.

mod files;
mod notes;

use std::io;
use std::path::Path;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::matching::{body_like, body_lines};
use super::scenario::files_below;
use super::server::{Answer, Request, Response, header};
use super::tape::{Body, Exchange};
use files::Files;
use notes::Notes;

pub(super) struct Tour {
    base: String,
    recordings: Vec<Recording>,
    files: Files,
    notes: Notes,
}

struct Recording {
    exchange: Exchange,
    place: Place,
    body: Vec<String>,
}

/// Where a request goes, without what does not matter: `%`-encoding, a slash at the end, the order of the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub path: String,
    pub query: Vec<(String, String)>,
}

/// Reads the recordings below `directory`: one exchange or a list of them in each file. `Err` names the file.
pub(super) fn read_recordings(directory: &Path) -> io::Result<Vec<Exchange>> {
    let wrong = |path: &Path, why: &dyn std::fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()))
    };
    let mut recordings = Vec::new();
    let files = files_below(directory)
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", directory.display())))?;
    for path in files {
        let text = std::fs::read_to_string(&path).map_err(|e| wrong(&path, &e))?;
        let value: Value = serde_json::from_str(&text).map_err(|e| wrong(&path, &e))?;
        let list = match value {
            Value::Array(list) => list,
            one => vec![one],
        };
        for (i, one) in list.into_iter().enumerate() {
            recordings.push(Exchange::read(one, &format!("exchange {i}")).map_err(|e| wrong(&path, &e))?);
        }
    }
    if recordings.is_empty() {
        return Err(wrong(directory, &"there are no recordings here"));
    }
    Ok(recordings)
}

impl Tour {
    pub fn new(base: &str, exchanges: Vec<Exchange>) -> Arc<Tour> {
        let files = Files::from_recordings(&exchanges);
        let recordings: Vec<Recording> = exchanges.into_iter().map(Recording::new).collect();
        let notes = Notes::from_recordings(&recordings);
        Arc::new(Tour { base: base.into(), recordings, files, notes })
    }

    fn find(&self, request: &Request) -> Response {
        let place = Place::of(&request.target);
        if let Some(exact) = self.exact(request, &place) {
            return exact.exchange.response.answer(&self.base);
        }
        if !matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "PROPFIND" | "REPORT" | "SEARCH") {
            return read_only(request, &place);
        }
        if let Some(response) = self.files.answer(request, &place) {
            return response;
        }
        if let Some(response) = self.notes.answer(request, &place) {
            return response;
        }
        match self.nearest(request, &place) {
            Some(nearest) => {
                let (method, target) = (&request.method, &request.target);
                log::debug!(
                    "the nearest recording was used method={method} target={target} recording={}",
                    nearest.exchange.name
                );
                nearest.exchange.response.answer(&self.base)
            }
            None => missing(request, &place),
        }
    }

    /// The last recording of this very request.
    fn exact(&self, request: &Request, place: &Place) -> Option<&Recording> {
        let same = |recording: &&Recording| {
            recording.is_for(&request.method, place)
                && recording.place.query == place.query
                && recording.depth() == request.header("Depth")
                && recording.lines_like(request, &self.base) == recording.body
        };
        self.recordings.iter().rev().find(same)
    }

    /// Of the recordings of the same kind of request, the one whose query and body have most in common with it.
    fn nearest(&self, request: &Request, place: &Place) -> Option<&Recording> {
        let candidates = self.recordings.iter().filter(|recording| {
            recording.is_for(&request.method, place)
                && recording.exchange.response.status < 300
                && recording.place.has_words_of(place)
                && (recording.depth() == request.header("Depth") || request.method != "PROPFIND")
        });
        let scored = candidates.filter_map(|recording| {
            let body = recording.lines_like(request, &self.base);
            // Another report is another question, however many properties it shares.
            if body.first() != recording.body.first() && request.method != "PROPFIND" {
                return None;
            }
            let query = common(&recording.place.query, &place.query);
            let other = recording.place.query.len() + recording.body.len() - query;
            Some(((query, common(&recording.body, &body), std::cmp::Reverse(other)), recording))
        });
        scored.max_by_key(|(score, _)| *score).map(|(_, recording)| recording)
    }
}

impl Answer for Tour {
    fn answer(&self, mut request: Request) -> Response {
        let head_only = request.method == "HEAD";
        if head_only && !self.recordings.iter().any(|r| r.is_for("HEAD", &Place::of(&request.target))) {
            request.method = "GET".into();
        }
        let response = self.find(&request);
        if request.method == "GET" && response.status == 200 {
            return not_modified(&request, &response).unwrap_or_else(|| with_range(&request, response));
        }
        response
    }
}

impl Recording {
    fn new(exchange: Exchange) -> Recording {
        let place = Place::of(&exchange.request.target);
        let body = body_lines(&readable(&exchange.request.body));
        Recording { exchange, place, body }
    }

    fn is_for(&self, method: &str, place: &Place) -> bool {
        self.exchange.request.method == method && self.place.path == place.path
    }

    fn depth(&self) -> Option<&str> {
        self.exchange.request.header("Depth")
    }

    fn lines_like(&self, request: &Request, base: &str) -> Vec<String> {
        body_lines(&body_like(&readable(&self.exchange.request.body), &request.body, base))
    }
}

/// The body as the kind it is, also where a recording holds it as text.
fn readable(body: &Body) -> Body {
    match body {
        Body::Text(text) if roxmltree::Document::parse(text).is_ok() => Body::Xml(text.clone()),
        Body::Text(text) => match serde_json::from_str::<Value>(text) {
            Ok(value) => Body::Json(value),
            Err(_) => body.clone(),
        },
        other => other.clone(),
    }
}

impl Place {
    pub fn of(target: &str) -> Place {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let mut query: Vec<(String, String)> = pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decoded(name), decoded(&value.replace('+', " "))))
            .filter(|(name, value)| (name.as_str(), value.as_str()) != ("format", "json"))
            .collect();
        query.sort();
        Place { path: decoded(path).trim_end_matches('/').into(), query }
    }

    /// Whether every word in the query of `asked` is in this one too. Another number is mostly another page of the same;
    /// another word is another question.
    fn has_words_of(&self, asked: &Place) -> bool {
        let number = |value: &str| matches!(value, "" | "true" | "false") || value.parse::<i64>().is_ok();
        asked.query.iter().all(|pair| number(&pair.1) || self.query.contains(pair))
    }
}

/// How many of `wanted` are in `there`.
fn common<T: PartialEq>(there: &[T], wanted: &[T]) -> usize {
    wanted.iter().filter(|one| there.contains(one)).count()
}

/// RFC 9110 §13.1.2: `If-None-Match` against the answer's `ETag`.
fn not_modified(request: &Request, response: &Response) -> Option<Response> {
    let etag = header(&response.headers, "ETag")?;
    let asked = request.header("If-None-Match")?;
    let bare = |etag: &str| etag.trim().trim_start_matches("W/").trim_matches('"').to_string();
    if asked.trim() != "*" && !asked.split(',').any(|one| bare(one) == bare(etag)) {
        return None;
    }
    let headers = vec![("ETag".into(), etag.into())];
    Some(Response { status: 304, headers, body: Vec::new(), cut_after: None })
}

/// RFC 9110 §14: one byte range; more than one, or an odd one, is answered with the whole.
fn with_range(request: &Request, mut response: Response) -> Response {
    let length = response.body.len();
    let Some(spec) = request.header("Range").and_then(|range| range.trim().strip_prefix("bytes=")) else {
        return response;
    };
    let Some((first, last)) = spec.split_once('-') else { return response };
    let (start, end) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.saturating_add(1).min(length)),
        (Ok(first), Err(_)) if last.is_empty() => (first, length),
        (Err(_), Ok(count)) if first.is_empty() => (length.saturating_sub(count), length),
        _ => return response,
    };
    if start >= end {
        let headers = vec![("Content-Range".into(), format!("bytes */{length}"))];
        let body = dav_error("RequestedRangeNotSatisfiable", "The requested range is outside of the entity");
        return Response { status: 416, headers, body, cut_after: None };
    }
    response.status = 206;
    response.headers.push(("Content-Range".into(), format!("bytes {start}-{}/{length}", end - 1)));
    response.body = response.body[start..end].into();
    response
}

/// The answer to a question that was not recorded.
pub(super) fn missing(request: &Request, place: &Place) -> Response {
    let asked = format!("{} {}", request.method, place.path);
    refusal(place, 404, &format!("this is a recorded Nextcloud, and this is not in its recordings: {asked}"))
}

/// The answer to a write that was not recorded.
fn read_only(request: &Request, place: &Place) -> Response {
    let asked = format!("{} {}", request.method, place.path);
    refusal(place, 403, &format!("this is a recorded Nextcloud, in which nothing can be changed: {asked}"))
}

/// An error in the shape of the interface that was asked.
fn refusal(place: &Place, status: u16, message: &str) -> Response {
    let json_type = "application/json; charset=utf-8";
    let (status, content_type, body) = if place.path.starts_with("/remote.php/") {
        let exception = if status == 404 { "NotFound" } else { "Forbidden" };
        (status, "application/xml; charset=utf-8", dav_error(exception, message))
    } else if place.path.starts_with("/ocs/") {
        let meta = json!({ "status": "failure", "statuscode": status, "message": message });
        let body = json!({ "ocs": { "meta": meta, "data": [] } });
        // Version 1 of OCS tells failures in the body only.
        let status = if place.path.starts_with("/ocs/v1.php/") { 200 } else { status };
        (status, json_type, body.to_string().into_bytes())
    } else {
        (status, json_type, json!({ "message": message }).to_string().into_bytes())
    };
    let headers = vec![("Content-Type".into(), content_type.into())];
    Response { status, headers, body, cut_after: None }
}

/// An error as Sabre writes it.
fn dav_error(exception: &str, message: &str) -> Vec<u8> {
    let message = message.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
         <d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\">\n  \
         <s:exception>Sabre\\DAV\\Exception\\{exception}</s:exception>\n  \
         <s:message>{message}</s:message>\n</d:error>\n"
    )
    .into_bytes()
}
