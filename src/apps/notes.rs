//! Notes app: Markdown notes, one file each below the folder that the user chose.
//!
//! Routes: `/index.php/apps/notes/api/v1/…` (Notes ≥ 4, API 1.3), attachments `/api/v1.4/…`. Calls of one user run
//! one at a time, since the app answers parallel ones with 423.

mod exclusion;
mod search;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::nextcloud::{Kind, Request, Response, Subject, UrlPath, encode};
use crate::schema::{Count, Etag};
use crate::tool::{
    App, Content, Cursor, Cx, Effect, Needs, Page, Resource, ResourceBody, Scope, Success, Tool, ToolError,
    Variables, WithBlocks, typed,
};
use crate::{params, record};
use exclusion::{admit_attachment, admit_category, is_folder_hidden, is_hidden};

pub const APP: App = App {
    name: "notes",
    about: "Notes app: Markdown notes in folders (categories)",
    tools: &[
        Tool {
            name: "nc_notes_create_note",
            about: "Create a Markdown note. The title becomes the file name, so Nextcloud may change it; the answer \
                    has the real one.",
            scopes: &[Scope::NotesWrite],
            effect: Effect::Create,
            needs: NOTES,
            handler: &typed(create_note),
        },
        Tool {
            name: "nc_notes_update_note",
            about: "Replace title, content or category of a note. What is left out stays; \"\" empties a field. Needs \
                    the etag of the last read, and fails without changing anything if the note was changed since.",
            scopes: &[Scope::NotesWrite],
            effect: Effect::Update,
            needs: NOTES,
            handler: &typed(update_note),
        },
        Tool {
            name: "nc_notes_append_content",
            about: "Add text at the end of a note, after a `---` line. Needs no etag; what is there stays.",
            scopes: &[Scope::NotesWrite],
            effect: Effect::Create,
            needs: NOTES,
            handler: &typed(append_content),
        },
        Tool {
            name: "nc_notes_search_notes",
            about: "Find notes by words in title and content, best match first. An empty query lists all.",
            scopes: &[Scope::NotesRead],
            effect: Effect::Read,
            needs: NOTES,
            handler: &typed(search::search_notes),
        },
        Tool {
            name: "nc_notes_list_notes",
            about: "List notes without their content, last changed first.",
            scopes: &[Scope::NotesRead],
            effect: Effect::Read,
            needs: NOTES,
            handler: &typed(list_notes),
        },
        Tool {
            name: "nc_notes_get_note",
            about: "Read one note with its content and etag.",
            scopes: &[Scope::NotesRead],
            effect: Effect::Read,
            needs: NOTES,
            handler: &typed(get_note),
        },
        Tool {
            name: "nc_notes_get_attachment",
            about: "Read a file attached to a note. Images come as images, other files as bytes.",
            scopes: &[Scope::NotesRead],
            effect: Effect::Read,
            needs: NOTES,
            handler: &typed(get_attachment),
        },
        Tool {
            name: "nc_notes_delete_note",
            about: "Delete a note. It goes to the trash bin of Files where that app is on.",
            scopes: &[Scope::NotesWrite],
            effect: Effect::Delete,
            needs: NOTES,
            handler: &typed(delete_note),
        },
    ],
    resources: &[
        Resource {
            uri: "notes://settings",
            name: "Notes settings",
            about: "Folder and file suffix of the Notes app.",
            mime: Some("application/json"),
            scopes: &[Scope::NotesRead],
            needs: NOTES,
            read: read_settings,
        },
        Resource {
            uri: "nc://Notes/{note_id}",
            name: "Note",
            about: "One note with its content and etag.",
            mime: Some("application/json"),
            scopes: &[Scope::NotesRead],
            needs: NOTES,
            read: read_note,
        },
        Resource {
            uri: "nc://Notes/{note_id}/attachments/{attachment_filename}",
            name: "Note attachment",
            about: "A file attached to a note.",
            mime: None,
            scopes: &[Scope::NotesRead],
            needs: NOTES,
            read: read_attachment,
        },
    ],
};

const NOTES: Needs = Needs::App("notes");
/// Largest attachment that is read, in bytes; a bigger one is to be read as a file, in parts.
const ATTACHMENT_BYTES_MAX: u64 = 5 << 20;
/// How often an append starts again when somebody else changes the note at the same moment.
const APPEND_TRIES: usize = 3;

params! {
    struct CreateNote {
        title: String,
        /// Markdown.
        content: String,
        /// Folder, e.g. `Work/Ideas`; "" for none.
        category: String = "",
    }
}

params! {
    struct UpdateNote {
        note_id: i64,
        etag: Etag,
        title: Option<String>,
        content: Option<String>,
        category: Option<String>,
    }
}

params! {
    struct AppendContent { note_id: i64, content: String }
}

params! {
    struct ListNotes {
        /// Only this folder, not the ones below it.
        category: Option<String>,
        /// 0 gives only the count.
        limit: Count<0, 1000> = 100,
        /// `next_cursor` of the page before.
        cursor: Option<Cursor>,
    }
}

params! {
    struct NoteId { note_id: i64 }
}

record! {
    struct AttachmentFacts {
        uri: String,
        mime_type as "mimeType": String,
        /// Bytes.
        size: i64,
    }
}

params! {
    struct Attachment {
        note_id: i64,
        /// As the note's Markdown names it.
        attachment_filename: String,
    }
}

record! {
    /// A note as the app stores it.
    struct Note {
        id: i64,
        title: String,
        content: String,
        category: String,
        /// Last change, in seconds since 1970.
        modified: i64,
        favorite: bool,
        /// For the next update.
        etag: String,
        readonly: bool,
        /// For a browser.
        url: Option<String>,
    }
}

record! {
    /// What a write gives back.
    struct SavedNote {
        id: i64,
        title: String,
        category: String,
        /// For the next update.
        etag: String,
        url: Option<String>,
    }
}

record! {
    struct FoundNote {
        id: i64,
        title: String,
        category: String,
        /// 0 to 1; absent where nothing was searched for.
        score: Option<f64>,
        modified: Option<i64>,
        /// The text around the first word that was found.
        snippet: Option<String>,
        url: Option<String>,
    }
}

record! {
    struct NoteList {
        results: Vec<FoundNote>,
        /// All notes that match, also those beyond the limit.
        total_found: i64,
        next_cursor: Option<Cursor>,
        category: Option<String>,
    }
}

record! {
    struct DeletedNote {
        status_code: i64,
        message: String,
        deleted_id: i64,
    }
}

record! {
    struct Settings {
        /// Absent where the folder is kept away from this server.
        notes_path as "notesPath": Option<String>,
        file_suffix as "fileSuffix": String,
        note_mode as "noteMode": Option<String>,
    }
}

/// A note in the app's answers; members that we do not use are passed over.
#[derive(Deserialize)]
struct ApiNote {
    id: i64,
    #[serde(default)]
    title: String,
    #[serde(default)]
    content: String,
    #[serde(default)]
    category: String,
    #[serde(default)]
    modified: i64,
    #[serde(default)]
    favorite: bool,
    #[serde(default)]
    readonly: bool,
    #[serde(default)]
    etag: String,
    /// From the user's top folder on.
    #[serde(rename = "internalPath")]
    internal_path: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiSettings {
    notes_path: String,
    file_suffix: String,
    note_mode: Option<String>,
}

impl ApiNote {
    fn saved(self, cx: &Cx) -> Success<SavedNote> {
        Success(SavedNote {
            url: link(cx, self.id),
            id: self.id,
            title: self.title,
            category: self.category,
            etag: self.etag,
        })
    }

    fn found(self, cx: &Cx, score: Option<f64>) -> FoundNote {
        FoundNote {
            url: link(cx, self.id),
            id: self.id,
            title: self.title,
            category: self.category,
            score,
            modified: Some(self.modified),
            snippet: None,
        }
    }

    fn whole(self, cx: &Cx) -> Note {
        Note {
            url: link(cx, self.id),
            id: self.id,
            title: self.title,
            content: self.content,
            category: self.category,
            modified: self.modified,
            favorite: self.favorite,
            etag: self.etag,
            readonly: self.readonly,
        }
    }
}

fn create_note(cx: &Cx, p: CreateNote) -> Result<Success<SavedNote>, ToolError> {
    let mut body = serde_json::json!({"title": p.title, "content": p.content});
    if !p.category.is_empty() {
        body["category"] = p.category.as_str().into();
    }
    admit_category(cx, &p.category)?;
    let _turn = cx.nc.serialize("notes")?;
    let note: ApiNote = cx.nc.json(Request::new("POST", notes()).json(&body)).of("the new note")?;
    Ok(note.saved(cx))
}

fn update_note(cx: &Cx, p: UpdateNote) -> Result<Success<SavedNote>, ToolError> {
    let category = p.category.clone();
    let fields = [("title", p.title), ("content", p.content), ("category", p.category)];
    let body: Map<String, Value> =
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect();
    if body.is_empty() {
        return Err(ToolError::Arguments("give at least one of `title`, `content`, `category`".into()));
    }
    cx.admit_file_id(p.note_id)?;
    if let Some(category) = category {
        admit_category(cx, &category)?;
    }
    let _turn = cx.nc.serialize("notes")?;
    match put(cx, p.note_id, p.etag.as_str(), body) {
        Err(error) if error.kind == Kind::PreconditionFailed => Err(ToolError::Refused(format!(
            "Conflict: note {} was changed since that etag was read; nothing was overwritten. Read it again with \
             nc_notes_get_note, merge, and update with the new etag.",
            p.note_id
        ))),
        other => Ok(other?.saved(cx)),
    }
}

fn append_content(cx: &Cx, p: AppendContent) -> Result<Success<SavedNote>, ToolError> {
    cx.admit_file_id(p.note_id)?;
    let _turn = cx.nc.serialize("notes")?;
    for attempt in 1.. {
        let note = get(cx, p.note_id)?;
        if note.readonly {
            return Err(ToolError::Refused(format!("Note {} is read-only; it was not changed.", p.note_id)));
        }
        let body = Map::from_iter([("content".to_owned(), appended(&note.content, &p.content).into())]);
        match put(cx, p.note_id, &note.etag, body) {
            // Somebody else wrote between our read and our write. Adding at the end is right for any content.
            Err(error) if error.kind == Kind::PreconditionFailed && attempt < APPEND_TRIES => {}
            other => return Ok(other?.saved(cx)),
        }
    }
    unreachable!("the last attempt returns")
}

/// An empty line keeps `---` from turning the line before it into a heading.
fn appended(old: &str, new: &str) -> String {
    let old = old.trim_end();
    if old.is_empty() { new.to_owned() } else { format!("{old}\n\n---\n\n{new}") }
}

fn list_notes(cx: &Cx, p: ListNotes) -> Result<Success<NoteList>, ToolError> {
    let mut path = notes().query("exclude", "content");
    if let Some(category) = &p.category {
        path = path.query("category", category);
    }
    let exclusion = cx.exclusion()?;
    let turn = cx.nc.serialize("notes")?;
    let mut all: Vec<ApiNote> = cx.nc.json(Request::new("GET", path)).of("the list of notes")?;
    drop(turn);
    all.retain(|note| !is_hidden(exclusion, note));
    all.sort_by(|a, b| b.modified.cmp(&a.modified).then(a.id.cmp(&b.id)));
    let all = all.into_iter().map(|note| note.found(cx, None)).collect();
    let page = Page::cut(all, p.cursor, p.limit.get())?;
    Ok(Success(NoteList {
        results: page.rows,
        total_found: page.total,
        next_cursor: page.next_cursor,
        category: p.category,
    }))
}

fn get_note(cx: &Cx, p: NoteId) -> Result<Note, ToolError> {
    cx.admit_file_id(p.note_id)?;
    let _turn = cx.nc.serialize("notes")?;
    Ok(get(cx, p.note_id)?.whole(cx))
}

fn get_attachment(cx: &Cx, p: Attachment) -> Result<WithBlocks<AttachmentFacts>, ToolError> {
    let file = attachment(cx, p.note_id, &p.attachment_filename)?;
    let uri = attachment_uri(p.note_id, &p.attachment_filename);
    let mime = media_type(&file);
    let bytes = file.body;
    let result = AttachmentFacts { uri: uri.clone(), mime_type: mime.clone(), size: bytes.len() as i64 };
    let block = if mime.starts_with("image/") {
        Content::Image { mime, bytes }
    } else {
        Content::Blob { uri, mime, bytes }
    };
    Ok(WithBlocks { result, blocks: vec![block] })
}

fn delete_note(cx: &Cx, p: NoteId) -> Result<Success<DeletedNote>, ToolError> {
    cx.admit_file_id(p.note_id)?;
    let _turn = cx.nc.serialize("notes")?;
    let response = cx.nc.send(Request::new("DELETE", note(p.note_id))).of(subject(p.note_id))?;
    Ok(Success(DeletedNote {
        status_code: response.status.into(),
        message: format!("Note {} was deleted. If Nextcloud has a trash bin, the note is in it.", p.note_id),
        deleted_id: p.note_id,
    }))
}

fn read_settings(cx: &Cx, _: &Variables) -> Result<ResourceBody, ToolError> {
    let turn = cx.nc.serialize("notes")?;
    let settings = settings(cx)?;
    drop(turn);
    let is_hidden = is_folder_hidden(cx, &settings.notes_path)?;
    Ok(ResourceBody::json(Settings {
        notes_path: Some(settings.notes_path).filter(|_| !is_hidden),
        file_suffix: settings.file_suffix,
        note_mode: settings.note_mode,
    }))
}

fn read_note(cx: &Cx, variables: &Variables) -> Result<ResourceBody, ToolError> {
    let note_id = variables.number("note_id")?;
    get_note(cx, NoteId { note_id }).map(ResourceBody::json)
}

fn read_attachment(cx: &Cx, variables: &Variables) -> Result<ResourceBody, ToolError> {
    let file = attachment(cx, variables.number("note_id")?, variables.get("attachment_filename"))?;
    Ok(ResourceBody::Blob { mime: media_type(&file), bytes: file.body })
}

fn settings(cx: &Cx) -> Result<ApiSettings, ToolError> {
    let path = UrlPath::app("notes").raw("/api/v1/settings");
    Ok(cx.nc.json(Request::new("GET", path)).of("the Notes settings")?)
}

fn get(cx: &Cx, id: i64) -> Result<ApiNote, ToolError> {
    Ok(cx.nc.json(Request::new("GET", note(id))).of(subject(id))?)
}

/// Writes the given fields if the note is still the one with this etag. Nextcloud answers 412 otherwise.
fn put(cx: &Cx, id: i64, etag: &str, body: Map<String, Value>) -> Result<ApiNote, crate::nextcloud::Error> {
    cx.nc.json(Request::new("PUT", note(id)).if_match(etag).json(&body.into())).of(subject(id))
}

fn attachment(cx: &Cx, id: i64, file: &str) -> Result<Response, ToolError> {
    admit_attachment(cx, id, file)?;
    let path = UrlPath::app("notes").raw("/api/v1.4/attachment").segment(&id.to_string()).query("path", file);
    let _turn = cx.nc.serialize("notes")?;
    Ok(cx
        .nc
        .send(Request::new("GET", path).accept("*/*").limit_bytes(ATTACHMENT_BYTES_MAX))
        .of(format!("attachment {file:?} of note {id}"))?)
}

fn media_type(file: &Response) -> String {
    file.media_type().unwrap_or_else(|| "application/octet-stream".into())
}

fn attachment_uri(id: i64, file: &str) -> String {
    format!("nc://Notes/{id}/attachments/{}", encode(file))
}

fn notes() -> UrlPath {
    UrlPath::app("notes").raw("/api/v1/notes")
}

fn note(id: i64) -> UrlPath {
    notes().segment(&id.to_string())
}

fn subject(id: i64) -> String {
    format!("note {id}")
}

fn link(cx: &Cx, id: i64) -> Option<String> {
    cx.link(&format!("/index.php/apps/notes/note/{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appended_text_never_turns_the_last_line_into_a_heading() {
        assert_eq!(appended("a\n", "b"), "a\n\n---\n\nb");
        assert_eq!(appended(" \n", "b"), "b");
    }
}
