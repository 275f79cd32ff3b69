//! Notes out of one recorded list: each note by its id, and the list with fewer notes or members.

use serde_json::Value;

use super::{Place, Recording, missing};
use crate::replay::server::{Request, Response};
use crate::replay::tape::{Body, TapeResponse};

const NOTES_PATH: &str = "/index.php/apps/notes/api/v1/notes";

/// The recorded answer to `GET …/notes` without a query, if there is one.
pub(super) struct Notes {
    list: Option<(TapeResponse, Vec<Value>)>,
}

impl Notes {
    pub fn from_recordings(recordings: &[Recording]) -> Notes {
        let whole = |r: &&Recording| {
            r.exchange.request.method == "GET" && r.place.path == NOTES_PATH && r.place.query.is_empty()
        };
        let list = recordings.iter().rev().find(whole).and_then(|recording| {
            let response = &recording.exchange.response;
            let notes = match &response.body {
                Body::Json(Value::Array(notes)) => notes.clone(),
                Body::Text(text) => serde_json::from_str(text).ok()?,
                _ => return None,
            };
            Some((response.clone(), notes))
        });
        Notes { list }
    }

    /// Answers `GET …/notes` and `GET …/notes/{id}`. A chunk is always the whole list, so that no cursor is due.
    pub fn answer(&self, request: &Request, place: &Place) -> Option<Response> {
        let (recorded, notes) = self.list.as_ref()?;
        let below = place.path.strip_prefix(NOTES_PATH)?;
        if request.method != "GET" {
            return None;
        }
        let asked = |name: &str| place.query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let shown = |note: &Value| without(note, asked("exclude").unwrap_or_default());
        if below.is_empty() {
            let in_category =
                |note: &&Value| asked("category").is_none_or(|category| note["category"] == category);
            let list = notes.iter().filter(in_category).map(shown).collect::<Value>();
            return Some(json_answer(recorded, None, &list));
        }
        let id = below.strip_prefix('/')?.parse::<i64>().ok()?;
        let Some(note) = notes.iter().find(|note| note["id"] == id) else {
            return Some(missing(request, place));
        };
        let etag = note["etag"].as_str().map(|etag| format!("\"{etag}\""));
        Some(json_answer(recorded, etag, &shown(note)))
    }
}

/// The note without the members that the client does not want.
fn without(note: &Value, excluded: &str) -> Value {
    let mut note = note.clone();
    if let Value::Object(members) = &mut note {
        members.retain(|name, _| !excluded.split(',').any(|one| one == name));
    }
    note
}

fn json_answer(recorded: &TapeResponse, etag: Option<String>, value: &Value) -> Response {
    let mut headers = recorded.headers.clone();
    headers
        .retain(|(name, _)| !name.eq_ignore_ascii_case("ETag") && !name.eq_ignore_ascii_case("Content-Type"));
    headers.push(("Content-Type".into(), "application/json; charset=utf-8".into()));
    headers.extend(etag.map(|etag| ("ETag".into(), etag)));
    Response { status: 200, headers, body: value.to_string().into_bytes(), cut_after: None }
}
