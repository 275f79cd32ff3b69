//! Searching notes: every word, in titles and contents.

use super::{ApiNote, FoundNote, is_hidden, notes};
use crate::nextcloud::{Request, Subject};
use crate::tool::{Cursor, Cx, Page, Success, ToolError};
use crate::{params, record};

/// Notes asked for at a time: keeps one answer small, and a search of a few hundred notes at a few requests.
const CHUNK: u32 = 200;
/// Requests that one search may take: 20,000 notes.
const CHUNKS_MAX: usize = 100;
/// Notes in one page of an answer.
const RESULTS_MAX: usize = 100;
/// Length of the text that is shown around a word, in characters.
const SNIPPET_CHARS: usize = 160;

params! {
    pub(super) struct SearchNotes {
        query: String,
        /// `next_cursor` of the page before.
        cursor: Option<Cursor>,
    }
}

record! {
    pub(super) struct FoundNotes {
        results: Vec<FoundNote>,
        query: String,
        total_found: i64,
        next_cursor: Option<Cursor>,
    }
}

pub(super) fn search_notes(cx: &Cx, p: SearchNotes) -> Result<Success<FoundNotes>, ToolError> {
    let words = words(&p.query);
    let exclusion = cx.exclusion()?;
    let mut found: Vec<FoundNote> = Vec::new();
    each_note(cx, |note| {
        if is_hidden(exclusion, &note) {
            return;
        }
        if words.is_empty() {
            found.push(note.found(cx, None));
        } else if let Some(score) = score(&words, &note) {
            let snippet = snippet(&words, &note.content);
            found.push(FoundNote { snippet, ..note.found(cx, Some(score)) });
        }
    })?;
    found.sort_by(|a, b| {
        let by_score = b.score.unwrap_or(0.0).total_cmp(&a.score.unwrap_or(0.0));
        by_score.then(b.modified.cmp(&a.modified)).then(a.id.cmp(&b.id))
    });
    let page = Page::cut(found, p.cursor, RESULTS_MAX)?;
    Ok(Success(FoundNotes {
        results: page.rows,
        query: p.query,
        total_found: page.total,
        next_cursor: page.next_cursor,
    }))
}

/// Lower-case words of letters and digits, each once.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// The share of words that a note has, a word in the title counting three times one in the content; `None` when
/// fewer than half of the words are anywhere.
fn score(words: &[String], note: &ApiNote) -> Option<f64> {
    let (title, content) = (note.title.to_lowercase(), note.content.to_lowercase());
    let (mut hits, mut points) = (0, 0);
    for word in words {
        let (in_title, in_content) = (title.contains(word.as_str()), content.contains(word.as_str()));
        hits += usize::from(in_title || in_content);
        points += 3 * usize::from(in_title) + usize::from(in_content);
    }
    (hits * 2 >= words.len()).then(|| {
        let score = points as f64 / (4 * words.len()) as f64;
        (score * 1000.0).round() / 1000.0
    })
}

/// The text around the first of the words, on one line; `None` where the content has none of them.
fn snippet(words: &[String], content: &str) -> Option<String> {
    // One letter for each, so that places in both texts are the same.
    let folded: String = content.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect();
    let first = words.iter().filter_map(|word| folded.find(word.as_str())).min()?;
    let at = folded[..first].chars().count();
    let start = at.saturating_sub(SNIPPET_CHARS / 4);
    let text: String = content.chars().skip(start).take(SNIPPET_CHARS).collect();
    let is_cut = content.chars().nth(start + SNIPPET_CHARS).is_some();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(format!("{}{line}{}", if start > 0 { "…" } else { "" }, if is_cut { "…" } else { "" }))
}

/// Every note with its content, a chunk at a time, so that no answer grows with the number of notes.
fn each_note(cx: &Cx, mut visit: impl FnMut(ApiNote)) -> Result<(), ToolError> {
    let _turn = cx.nc.serialize("notes")?;
    let mut cursor: Option<String> = None;
    let mut read = 0;
    for _ in 0..CHUNKS_MAX {
        let mut path = notes().query("chunkSize", CHUNK);
        if let Some(cursor) = &cursor {
            path = path.query("chunkCursor", cursor);
        }
        let (head, chunk) =
            cx.nc.json_and_head::<Vec<ApiNote>>(Request::new("GET", path)).of("the list of notes")?;
        // With a cursor the app names the notes of earlier chunks once more, by their bare ids.
        for note in chunk.into_iter().filter(|note| !note.etag.is_empty()) {
            visit(note);
            read += 1;
        }
        let pending = head.header("X-Notes-Chunk-Pending").and_then(|count| count.parse::<u64>().ok());
        cx.progress.report(read, pending.map(|pending| read + pending), "notes read");
        cursor = head.header("X-Notes-Chunk-Cursor").map(str::to_owned);
        if cursor.is_none() {
            return Ok(());
        }
    }
    Err(ToolError::Refused(format!(
        "There are more than {} notes, too many to search. Use nc_notes_list_notes with a category.",
        CHUNKS_MAX * CHUNK as usize
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(title: &str, content: &str) -> ApiNote {
        serde_json::from_value(serde_json::json!({"id": 1, "title": title, "content": content})).unwrap()
    }

    #[test]
    fn a_word_in_the_title_counts_more_and_half_of_the_words_must_be_there() {
        let query = words("Shopping milk, milk");
        assert_eq!(query, ["milk", "shopping"]);
        assert_eq!(score(&query, &note("Shopping list", "- milk")), Some(0.5));
        assert_eq!(score(&query, &note("Shopping milk", "shopping milk")), Some(1.0));
        assert_eq!(score(&query, &note("List", "MILK")), Some(0.125));
        assert_eq!(score(&query, &note("List", "bread")), None);
        assert!(words(" ,; ").is_empty());
    }

    #[test]
    fn a_snippet_shows_the_first_word_that_was_found() {
        let content = format!("{}\n\nÄpfel und\tMILCH {}", "x ".repeat(60), "y ".repeat(100));
        let shown = snippet(&words("milch äpfel"), &content).unwrap();
        assert!(
            shown.starts_with("…x x") && shown.contains("x Äpfel und MILCH y") && shown.ends_with("y…"),
            "{shown}"
        );
        assert_eq!(snippet(&words("milk"), "- Milk\n- bread").as_deref(), Some("- Milk - bread"));
        assert_eq!(snippet(&words("milk"), "bread"), None);
        assert_eq!(snippet(&words("x"), "İİİ x").as_deref(), Some("İİİ x"));
    }
}
