//! Attachments of cards: files of the user's that are linked, and files that Deck keeps itself.
//!
//! Both have ids of their own, so two attachments of a card may have the same number and differ in their type only. A
//! linked file is a share with the card (OCS share API, share type 12).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::api::{Told, card_path, known_list, ocs_path};
use crate::nextcloud::{DAV, Error, Kind, OC, Request, Subject, UrlPath, php_object, xml};
use crate::schema::{DavPath, Object};
use crate::tool::{Cursor, Cx, Exclusion, Page, Success, ToolError};
use crate::{choice, params, record};

/// The share type of a card.
const SHARE_TYPE_CARD: i64 = 12;
/// Who sees the card may read the file, and no more.
const PERMISSION_READ: i64 = 1;

choice! {
    /// `deck_file` is kept by Deck, `file` is a link to a file in Nextcloud.
    pub enum Kept { InDeck = "deck_file", Linked = "file" }
}

params! {
    pub struct AttachFile {
        card_id: i64,
        path: DavPath,
    }
}

params! {
    pub struct AttachNote {
        card_id: i64,
        note_id: i64,
    }
}

params! {
    pub struct ListAttachments {
        board_id: i64,
        stack_id: i64,
        card_id: i64,
        cursor: Option<Cursor>,
    }
}

params! {
    pub struct DeleteAttachment {
        board_id: i64,
        stack_id: i64,
        card_id: i64,
        attachment_id: i64,
        /// `type` in the list; found out if left out, where the id alone is clear.
        attachment_type: Option<Kept>,
    }
}

record! {
    pub struct Attached {
        /// For deck_delete_attachment, with the type `file`.
        attachment_id: i64,
        card_id: i64,
        path: String,
        message: String,
        url: Option<String>,
    }
}

record! {
    pub struct FileFacts {
        filesize: Option<i64>,
        mimetype: Option<String>,
        info: Object,
        /// Absent where this account has no access to the linked file.
        path: Option<String>,
        fileid: Option<i64>,
        has_preview as "hasPreview": Option<bool>,
        permissions: Option<i64>,
    }
}

record! {
    pub struct Attachment {
        id: i64,
        card_id as "cardId": i64,
        /// `deck_file` is kept by Deck, `file` is a link to a file in Nextcloud.
        kind as "type": String,
        /// The name.
        data: String,
        last_modified as "lastModified": i64,
        created_at as "createdAt": i64,
        created_by as "createdBy": String,
        deleted_at as "deletedAt": i64,
        extended_data as "extendedData": FileFacts,
        url: Option<String>,
    }
}

record! {
    pub struct AttachmentList {
        results: Vec<Attachment>,
        count: i64,
        total: i64,
        next_cursor: Option<Cursor>,
    }
}

record! {
    pub struct AttachmentDone {
        status_code: i64,
        message: String,
        card_id: i64,
        attachment_id: i64,
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiAttachment {
    id: i64,
    #[serde(default)]
    card_id: i64,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    data: Option<String>,
    #[serde(default)]
    last_modified: i64,
    #[serde(default)]
    created_at: i64,
    #[serde(default)]
    created_by: Option<String>,
    #[serde(default)]
    deleted_at: i64,
    #[serde(default, deserialize_with = "php_object")]
    extended_data: ApiFacts,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiFacts {
    filesize: Option<i64>,
    mimetype: Option<String>,
    #[serde(default, deserialize_with = "php_object")]
    info: Map<String, Value>,
    path: Option<String>,
    fileid: Option<i64>,
    has_preview: Option<bool>,
    permissions: Option<i64>,
}

impl ApiAttachment {
    /// Whether it links to a file that is kept away from this server. Files of Deck's own have neither path nor id in Files.
    fn is_hidden(&self, exclusion: &Exclusion) -> bool {
        self.kind == type_of(Kept::Linked)
            && exclusion
                .hides(self.extended_data.path.as_deref().unwrap_or_default(), self.extended_data.fileid)
    }
}

/// PHP writes a list whose numbers have gaps as an object, as happens where v1.0 leaves the linked files out.
#[derive(Deserialize)]
#[serde(transparent)]
struct ApiAttachments(#[serde(deserialize_with = "known_list")] Option<Vec<ApiAttachment>>);

/// A share in the answers of `files_sharing`; its id is text.
#[derive(Deserialize)]
struct ApiShare {
    id: Value,
    #[serde(default)]
    share_type: i64,
    #[serde(default)]
    share_with: Value,
    #[serde(default)]
    path: Option<String>,
}

/// A note, as far as it matters here: it is one, and this is its title.
#[derive(Deserialize)]
struct ApiNote {
    #[serde(default)]
    title: String,
}

/// The attachments of a card, and whether the routes of v1.1 are there, which know linked files.
struct Known {
    attachments: Vec<ApiAttachment>,
    with_links: bool,
}

pub fn attach_file(cx: &Cx, p: AttachFile) -> Result<Success<Attached>, ToolError> {
    if p.path.is_root() {
        return Err(ToolError::Arguments("`path` must name a file or folder below the top folder".into()));
    }
    cx.admit_whole(&p.path)?;
    attach(cx, p.card_id, &p.path.canonical()).map(Success)
}

pub fn attach_note(cx: &Cx, p: AttachNote) -> Result<Success<Attached>, ToolError> {
    cx.admit_file_id(p.note_id)?;
    let path = path_of_note(cx, p.note_id)?;
    attach(cx, p.card_id, &path).map(Success)
}

pub fn list_attachments(cx: &Cx, p: ListAttachments) -> Result<Success<AttachmentList>, ToolError> {
    let known = known(cx, p.board_id, p.stack_id, p.card_id)?;
    let exclusion = cx.exclusion()?;
    let attachments = known.attachments.into_iter().filter(|attachment| !attachment.is_hidden(exclusion));
    let rows = attachments.map(|attachment| shown(cx, attachment)).collect();
    let page = Page::cut(rows, p.cursor, usize::MAX)?;
    Ok(Success(AttachmentList {
        count: page.rows.len() as i64,
        total: page.total,
        results: page.rows,
        next_cursor: page.next_cursor,
    }))
}

pub fn delete_attachment(cx: &Cx, p: DeleteAttachment) -> Result<Success<AttachmentDone>, ToolError> {
    let known = known(cx, p.board_id, p.stack_id, p.card_id)?;
    let is_meant = |attachment: &&ApiAttachment| {
        attachment.id == p.attachment_id
            && p.attachment_type.is_none_or(|kept| attachment.kind == type_of(kept))
    };
    let mut meant = known.attachments.iter().filter(is_meant);
    // Deck looks for files of its own by their id alone, so it would delete those of other cards as well.
    let attachment = match (meant.next(), meant.next()) {
        (Some(only), None) => only,
        (None, _) => return Err(missing(&p)),
        (Some(_), Some(_)) => {
            return Err(ToolError::Arguments(format!(
                "card {} has two attachments with id {}; give `attachment_type`: deck_file or file",
                p.card_id, p.attachment_id
            )));
        }
    };
    if attachment.is_hidden(cx.exclusion()?) {
        return Err(cx.refusal(&subject(&p)));
    }
    let path = attachments_path(p.board_id, p.stack_id, p.card_id, known.with_links);
    let path = if known.with_links { path.segment(&attachment.kind) } else { path };
    let request = Request::new("DELETE", path.segment(&p.attachment_id.to_string()));
    let _: Value = cx.nc.json(request).told_of_known(subject(&p))?;
    let name = attachment.data.as_deref().unwrap_or_default();
    let message = if attachment.kind == type_of(Kept::Linked) {
        format!("The link to {name:?} was taken off card {}; the file itself stays where it is.", p.card_id)
    } else {
        format!(
            "{name:?} was deleted from card {}. In the browser it can be restored there for a while.",
            p.card_id
        )
    };
    Ok(Success(AttachmentDone {
        status_code: 200,
        message,
        card_id: p.card_id,
        attachment_id: p.attachment_id,
    }))
}

/// Links a file or folder: `POST /ocs/v2.php/apps/files_sharing/api/v1/shares`.
fn attach(cx: &Cx, card: i64, path: &str) -> Result<Attached, ToolError> {
    let body = json!({
        "path": path,
        "shareType": SHARE_TYPE_CARD,
        "shareWith": card.to_string(),
        "permissions": PERMISSION_READ,
    });
    let (share, message) = match cx.nc.ocs::<ApiShare>(Request::new("POST", shares_path()).json(&body)) {
        Ok(share) => {
            (share, format!("{path:?} is now attached to card {card}; who sees the card can read it."))
        }
        Err(error) => {
            let share = linked_before(cx, card, path, error)?;
            (share, format!("{path:?} is attached to card {card} already; nothing was changed."))
        }
    };
    Ok(Attached {
        attachment_id: whole_number(&share.id),
        card_id: card,
        path: share.path.unwrap_or_else(|| path.to_owned()),
        message,
        url: cx.link(&format!("/index.php/apps/deck/card/{card}")),
    })
}

/// The link that is there already, or why there can be none. Nextcloud says it in the user's language, and 500 for a card
/// that is not there, so it is looked up.
fn linked_before(cx: &Cx, card: i64, path: &str, error: Error) -> Result<ApiShare, ToolError> {
    if error.kind == Kind::Forbidden {
        let request = Request::new("GET", shares_path().query("path", path).query("reshares", true));
        let shares: Vec<ApiShare> = cx.nc.ocs(request).of(format!("the shares of {path:?}"))?;
        let is_this =
            |share: &ApiShare| share.share_type == SHARE_TYPE_CARD && whole_number(&share.share_with) == card;
        if let Some(share) = shares.into_iter().find(is_this) {
            return Ok(share);
        }
    }
    if matches!(error.kind, Kind::Server | Kind::NotFound) {
        // This route knows the card by its id alone.
        let comments = ocs_path("/cards").segment(&card.to_string()).raw("/comments").query("limit", 1);
        let _: Value = cx.nc.ocs(Request::new("GET", comments)).told(format!("card {card}"))?;
    }
    if error.kind == Kind::NotFound && has_file(cx, path)? {
        return Err(ToolError::Refused(format!(
            "{path:?} was not attached: this account may read card {card}, but not change it, or its board is archived."
        )));
    }
    Err(error.about(format!("{path:?} for card {card}")).into())
}

fn has_file(cx: &Cx, path: &str) -> Result<bool, ToolError> {
    let file = cx.nc.files(path.split('/').filter(|name| !name.is_empty()))?;
    let request = Request::new("PROPFIND", file).header("Depth", "0").xml(xml::propfind(&[(OC, "fileid")]));
    match cx.nc.multistatus(request) {
        Err(error) if error.kind == Kind::NotFound => Ok(false),
        other => other.map(|_| true).of(format!("file {path:?}")).map_err(ToolError::from),
    }
}

/// Where the file of a note lies, below the user's files. A note's id is the id of its file, so neither the folder of the
/// Notes app nor how it makes file names has to be known.
fn path_of_note(cx: &Cx, note: i64) -> Result<String, ToolError> {
    let subject = format!("note {note}");
    let route =
        UrlPath::app("notes").raw("/api/v1/notes").segment(&note.to_string()).query("exclude", "content");
    let turn = cx.nc.serialize("notes")?;
    let found: ApiNote = match cx.nc.json(Request::new("GET", route)) {
        // The app itself says which exception it was.
        Err(error) if error.detail.is_none() && !cx.nc.capabilities()?.has_app("notes") => {
            return Err(ToolError::Refused(
                "This Nextcloud does not have the app `notes`, or it is not enabled for this user.".into(),
            ));
        }
        other => other.of(subject.as_str())?,
    };
    drop(turn);
    let top = format!("/files/{}", cx.nc.user_id()?);
    let body = xml::basic_search(&xml::BasicSearch {
        select: &[(OC, "fileid")],
        scope: &top,
        depth: "infinity",
        condition: &format!("<d:eq>{}<d:literal>{note}</d:literal></d:eq>", xml::prop(&[(OC, "fileid")])),
        order: &[((DAV, "displayname"), false)],
        limit: Some(1),
        offset: 0,
    });
    let request = Request::new("SEARCH", UrlPath::dav().slash()).body(body, "text/xml");
    let prefix = format!("{}{top}", UrlPath::dav().as_str());
    let path = cx
        .nc
        .multistatus(request)
        .of(subject.as_str())?
        .first(|entry| entry.href().strip_prefix(&prefix).map(str::to_owned))
        .of(subject.as_str())?;
    path.filter(|path| path.starts_with('/')).ok_or_else(|| {
        ToolError::Refused(format!("The file of note {note} ({:?}) was not found in Files.", found.title))
    })
}

/// What a card has, without what waits for its deletion. Deck before 1.3 has no v1.1.
fn known(cx: &Cx, board: i64, stack: i64, card: i64) -> Result<Known, ToolError> {
    let ask = |with_links| {
        let request = Request::new("GET", attachments_path(board, stack, card, with_links));
        cx.nc.json::<ApiAttachments>(request)
    };
    let (answer, with_links) = match ask(true) {
        Err(error) if matches!(error.kind, Kind::NotFound | Kind::MethodNotAllowed | Kind::NotNextcloud) => {
            (ask(false), false)
        }
        other => (other, true),
    };
    let mut attachments = answer.told(format!("card {card}"))?.0.unwrap_or_default();
    attachments.retain(|attachment| attachment.deleted_at == 0);
    Ok(Known { attachments, with_links })
}

fn shown(cx: &Cx, attachment: ApiAttachment) -> Attachment {
    let facts = attachment.extended_data;
    let (card, id) = (attachment.card_id, attachment.id);
    let link = match facts.fileid {
        Some(file) => format!("/index.php/f/{file}"),
        None if attachment.kind == type_of(Kept::Linked) => format!("/index.php/apps/deck/card/{card}"),
        None => format!("/index.php/apps/deck/cards/{card}/attachment/{id}"),
    };
    Attachment {
        id,
        card_id: card,
        kind: attachment.kind,
        data: attachment.data.unwrap_or_default(),
        last_modified: attachment.last_modified,
        created_at: attachment.created_at,
        created_by: attachment.created_by.unwrap_or_default(),
        deleted_at: attachment.deleted_at,
        extended_data: FileFacts {
            filesize: facts.filesize,
            mimetype: facts.mimetype,
            info: Object(facts.info),
            path: facts.path,
            fileid: facts.fileid,
            has_preview: facts.has_preview,
            permissions: facts.permissions,
        },
        url: cx.link(&link),
    }
}

fn type_of(kept: Kept) -> &'static str {
    match kept {
        Kept::InDeck => "deck_file",
        Kept::Linked => "file",
    }
}

fn missing(p: &DeleteAttachment) -> ToolError {
    let kind = p.attachment_type.map_or_else(String::new, |kept| format!(" of type {}", type_of(kept)));
    ToolError::Refused(format!(
        "Card {} has no attachment {}{kind}; deck_list_attachments shows what it has. Nothing was deleted.",
        p.card_id, p.attachment_id
    ))
}

fn whole_number(value: &Value) -> i64 {
    value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default()
}

/// `…/cards/{card}/attachments`, of v1.1 or of v1.0, which knows only Deck's own files.
fn attachments_path(board: i64, stack: i64, card: i64, with_links: bool) -> UrlPath {
    if !with_links {
        return card_path(board, stack, card).raw("/attachments");
    }
    let [board, stack, card] = [board, stack, card].map(|id| id.to_string());
    let path = UrlPath::app("deck").raw("/api/v1.1/boards").segment(&board).raw("/stacks").segment(&stack);
    path.raw("/cards").segment(&card).raw("/attachments")
}

fn shares_path() -> UrlPath {
    UrlPath::ocs("/apps/files_sharing/api/v1/shares")
}

fn subject(p: &DeleteAttachment) -> String {
    format!("attachment {} of card {}", p.attachment_id, p.card_id)
}
