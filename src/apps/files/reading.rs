//! Reading a file, whole or in parts, without ever holding more than a piece of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::subject;
use crate::nextcloud::{Kind, Request, Slice, Subject, encode};
use crate::record;
use crate::schema::{Count, DavPath};
use crate::tool::{Content, Cx, Success, ToolError, WithBlocks};
use crate::{choice, params};

/// Bytes of a piece where the caller does not say: fits a model's context.
const PIECE_BYTES: u64 = 64 * 1024;
/// Largest image that is shown, in bytes; some clients refuse larger ones.
const IMAGE_BYTES_MAX: u64 = 2 << 20;
/// Largest other file that comes whole without being asked for by length.
const BLOB_BYTES_MAX: u64 = 512 * 1024;
/// A character of UTF-8 has at most four bytes, so a piece may have to give back three.
const CHARACTER_BYTES_MAX: usize = 4;

choice! {
    /// The reference's modes; documents are not converted here.
    pub(super) enum ParseDocument { Auto = "auto", Markdown = "markdown", Raw = "raw" }
}

params! {
    pub(super) struct ReadFile {
        path: DavPath,
        /// First byte to read.
        offset: u64 = 0_u64,
        /// Bytes to read at most; 65536 if left out, images whole.
        length: Option<Count<1, 1_048_576>>,
        /// `raw`: bytes as base64 in `content`. Documents are not converted.
        parse_document: ParseDocument = ParseDocument::Auto,
        /// Accepted for older prompts: a file is one page.
        page_start: Option<Count<1, 100_000>>,
        page_end: Option<Count<1, 100_000>>,
    }
}

record! {
    pub(super) struct ReadResult {
        path: String,
        /// Absent where the bytes are a block of their own.
        content: Option<String>,
        content_type: String,
        /// Bytes of the whole file, where Nextcloud knows.
        size: Option<i64>,
        /// Of `content`: `utf-8`, `iso-8859-1`, or `base64`.
        encoding: Option<String>,
        /// First byte of this piece.
        offset: Option<i64>,
        /// Bytes of this piece, where they are not text.
        length: Option<i64>,
        /// Where to go on; absent at the end.
        next_offset: Option<i64>,
        hint: Option<String>,
        /// For a write with `if_match`.
        etag: Option<String>,
        last_modified: Option<String>,
    }
}

type Read = WithBlocks<Success<ReadResult>>;

/// GET with `Range` (RFC 9110 §14.2).
pub(super) fn read_file(cx: &Cx, p: ReadFile) -> Result<Read, ToolError> {
    if p.path.is_root() {
        return Err(is_folder(&p.path));
    }
    only_page(&p)?;
    cx.admit(&p.path)?;
    // Never less than one character, or reading piece by piece would stand still.
    let length = p.length.map_or(PIECE_BYTES, |length| length.get().max(CHARACTER_BYTES_MAX) as u64);
    let piece = get(cx, &p.path, p.offset, length)?;
    // A folder answers 200 with a page about WebDAV; only files have an entity tag and a name to save them under.
    if piece.head.etag().is_none() && piece.head.header("Content-Disposition").is_none() {
        return Err(is_folder(&p.path));
    }
    let mime = piece.head.media_type().unwrap_or_else(|| "application/octet-stream".into());
    let is_full = piece.body.len() as u64 >= length;
    match text(&mime, &piece) {
        Some(text) => {
            let result = Success(text_file(&p.path, mime, &piece, text, is_full));
            Ok(WithBlocks { result, blocks: Vec::new() })
        }
        None => bytes(cx, &p, mime, piece, is_full),
    }
}

/// Pages are what the reference makes of converted documents. Nothing is converted here, so that a file has one page.
fn only_page(p: &ReadFile) -> Result<(), ToolError> {
    let first = p.page_start.map_or(1, Count::get);
    if p.page_end.is_some_and(|last| last.get() < first) {
        return Err(ToolError::Arguments("`page_end` lies before `page_start`".into()));
    }
    if first > 1 {
        return Err(ToolError::Refused(format!(
            "{:?} has no page {first}: documents are not converted here, so a file is one page. Read a part of it with \
             `offset` and `length`, in bytes.",
            p.path.canonical()
        )));
    }
    Ok(())
}

fn is_folder(path: &DavPath) -> ToolError {
    ToolError::Refused(format!(
        "{:?} is a folder, not a file. List it with nc_webdav_list_directory.",
        path.canonical()
    ))
}

/// A piece of the file. The end of an empty file cannot be asked for by range, so that one is asked for whole.
fn get(cx: &Cx, path: &DavPath, offset: u64, length: u64) -> Result<Slice, ToolError> {
    let target = cx.nc.files(path.segments())?;
    let request = || Request::new("GET", target.clone()).accept("*/*");
    let piece = match cx.nc.read_range(request().range(offset, length), length) {
        Err(error) if error.kind == Kind::RangeNotSatisfiable && offset == 0 => {
            cx.nc.read_range(request(), length)
        }
        other => other,
    };
    Ok(piece.of(subject("file", path))?)
}

/// A piece of text, without the parts of characters at its edges.
struct Text<'a> {
    content: String,
    encoding: &'static str,
    /// Bytes before the first whole character.
    skipped: usize,
    used: &'a [u8],
}

/// The piece as text, if it is text: by its media type, or because it reads as UTF-8 where the type leaves it open.
fn text<'a>(mime: &str, piece: &'a Slice) -> Option<Text<'a>> {
    let declared = is_textual(mime);
    let possible = declared || mime.starts_with("application/");
    if !possible || piece.body.contains(&0) {
        return None;
    }
    let at_start = piece.offset == 0;
    let skipped = if at_start { 0 } else { piece.body.iter().take_while(|b| (**b as i8) < -64).count() };
    if skipped < CHARACTER_BYTES_MAX {
        let body = &piece.body[skipped..];
        let at_end = piece.total_bytes.is_none_or(|total| piece.offset + piece.body.len() as u64 >= total);
        if let Some(used) = whole_characters(body, at_end) {
            let content = String::from_utf8_lossy(used);
            let content = if at_start { content.trim_start_matches('\u{feff}') } else { &content };
            return Some(Text { content: content.to_owned(), encoding: "utf-8", skipped, used });
        }
    }
    // Old text files are neither UTF-8 nor marked; Latin-1 shows each byte as some character and loses none.
    declared.then(|| Text {
        content: piece.body.iter().map(|b| char::from(*b)).collect(),
        encoding: "iso-8859-1",
        skipped: 0,
        used: &piece.body,
    })
}

/// The part of `body` that is whole UTF-8 characters; `None` if it is no UTF-8.
fn whole_characters(body: &[u8], at_end: bool) -> Option<&[u8]> {
    match std::str::from_utf8(body) {
        Ok(_) => Some(body),
        Err(error) if error.error_len().is_none() && !at_end => Some(&body[..error.valid_up_to()]),
        Err(_) => None,
    }
}

fn is_textual(mime: &str) -> bool {
    const TEXTUAL: &[&str] = &[
        "application/javascript",
        "application/json",
        "application/rtf",
        "application/sql",
        "application/toml",
        "application/x-php",
        "application/x-sh",
        "application/x-tex",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
    ];
    mime.starts_with("text/") || mime.ends_with("+json") || mime.ends_with("+xml") || TEXTUAL.contains(&mime)
}

fn text_file(path: &DavPath, mime: String, piece: &Slice, text: Text<'_>, is_full: bool) -> ReadResult {
    let start = piece.offset + text.skipped as u64;
    let end = start + text.used.len() as u64;
    let next = next_offset(end, piece.total_bytes, is_full);
    ReadResult {
        path: path.as_given().to_owned(),
        content: Some(text.content),
        content_type: mime,
        size: piece.total_bytes.or((next.is_none()).then_some(end)).map(|size| size as i64),
        encoding: Some(text.encoding.to_owned()),
        offset: (start > 0).then_some(start as i64),
        length: None,
        next_offset: next.map(|next| next as i64),
        hint: next.map(|_| hint(start, end, piece.total_bytes)),
        etag: piece.head.etag(),
        last_modified: piece.head.header("Last-Modified").map(str::to_owned),
    }
}

/// Where to go on after `end`; `None` at the end of the file. Where the size is unknown, a piece as long as it was
/// asked for is taken to be followed by more.
fn next_offset(end: u64, size: Option<u64>, is_full: bool) -> Option<u64> {
    size.map_or(is_full, |size| end < size).then_some(end)
}

fn hint(start: u64, end: u64, size: Option<u64>) -> String {
    let last = end.saturating_sub(1);
    let of = size.map_or(String::new(), |size| format!(" of {size}"));
    format!("Bytes {start} to {last}{of}. For more call again with offset {end}.")
}

/// An image as an image, other bytes as a blob; as base64 text where the caller asks for that.
fn bytes(cx: &Cx, p: &ReadFile, mime: String, piece: Slice, is_full: bool) -> Result<Read, ToolError> {
    let size = piece.total_bytes;
    let is_image = mime.starts_with("image/");
    let whole_max = if is_image { IMAGE_BYTES_MAX } else { BLOB_BYTES_MAX };
    let head = piece.head.clone();
    let mut body = piece.body;
    if let Some(size) = size.filter(|size| p.length.is_none() && p.offset == 0 && *size <= whole_max) {
        while (body.len() as u64) < size {
            let more = get(cx, &p.path, body.len() as u64, size - body.len() as u64)?;
            if more.head.etag() != head.etag() || more.body.is_empty() {
                return Err(ToolError::Refused(format!(
                    "{:?} was changed while it was read. Read it again.",
                    p.path.canonical()
                )));
            }
            body.extend(more.body);
        }
    }
    let end = p.offset + body.len() as u64;
    let next = next_offset(end, size, is_full);
    let is_whole = p.offset == 0 && next.is_none();
    let is_raw = p.parse_document == ParseDocument::Raw;
    let result = ReadResult {
        path: p.path.as_given().to_owned(),
        content: is_raw.then(|| STANDARD.encode(&body)),
        content_type: mime.clone(),
        size: size.map(|size| size as i64),
        encoding: is_raw.then(|| "base64".to_owned()),
        offset: Some(p.offset as i64),
        length: Some(body.len() as i64),
        next_offset: next.map(|next| next as i64),
        hint: next.map(|_| hint(p.offset, end, size)),
        etag: head.etag(),
        last_modified: head.header("Last-Modified").map(str::to_owned),
    };
    let block = if is_raw {
        None
    } else if is_image && is_whole {
        Some(Content::Image { mime, bytes: body })
    } else {
        let path = p.path.segments().map(encode).collect::<Vec<_>>().join("/");
        Some(Content::Blob { uri: format!("nc://files/{path}"), mime, bytes: body })
    };
    Ok(WithBlocks { result: Success(result), blocks: block.into_iter().collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_never_ends_inside_a_character() {
        let text = "aü€🎉".as_bytes();
        for cut in 0..=text.len() {
            let used = whole_characters(&text[..cut], cut == text.len()).unwrap();
            assert!(std::str::from_utf8(used).is_ok() && cut - used.len() < CHARACTER_BYTES_MAX);
        }
        assert_eq!(whole_characters(&[b'a', 0xff, b'b'], false), None);
        assert_eq!(whole_characters(&[b'a', 0xc3], true), None);
    }

    #[test]
    fn the_end_of_a_file_is_told_also_where_its_size_is_unknown() {
        assert_eq!(next_offset(5, Some(9), true), Some(5));
        assert_eq!(next_offset(9, Some(9), true), None);
        assert_eq!(next_offset(5, None, true), Some(5));
        assert_eq!(next_offset(5, None, false), None);
        assert_eq!(hint(2, 5, Some(9)), "Bytes 2 to 4 of 9. For more call again with offset 5.");
    }

    #[test]
    fn a_file_is_one_page() {
        let read = |page_start: Option<u32>, page_end: Option<u32>| {
            only_page(&ReadFile {
                path: "a.pdf".into(),
                offset: 0,
                length: None,
                parse_document: ParseDocument::Auto,
                page_start: page_start.map(Count::from),
                page_end: page_end.map(Count::from),
            })
        };
        for (start, end) in [(None, None), (Some(1), None), (Some(1), Some(9)), (None, Some(1))] {
            assert!(read(start, end).is_ok(), "{start:?} to {end:?}");
        }
        assert!(matches!(read(Some(2), Some(3)), Err(ToolError::Refused(_))));
        assert!(matches!(read(Some(3), Some(2)), Err(ToolError::Arguments(_))));
    }

    #[test]
    fn what_is_written_for_people_is_text() {
        for mime in
            ["text/plain", "text/markdown", "application/json", "image/svg+xml", "application/ld+json"]
        {
            assert!(is_textual(mime), "{mime}");
        }
        for mime in
            ["image/png", "application/pdf", "application/zip", "application/octet-stream", "video/mp4"]
        {
            assert!(!is_textual(mime), "{mime}");
        }
    }
}
