//! Comments on files and folders.
//!
//! Route: `/remote.php/dav/comments/files/{file id}` (app Comments), REPORT `oc:filter-comments` for a page.

use serde_json::json;

use super::{subject, target};
use crate::nextcloud::{Entry, OC, Request, Subject, UrlPath, xml};
use crate::schema::{Count, DavPath};
use crate::tool::{Cx, Page, Success, ToolError};
use crate::{params, record};

/// What Nextcloud takes, in Unicode characters (`IComment::MAX_MESSAGE_LENGTH`).
const MESSAGE_CHARS_MAX: usize = 1_000;

params! {
    pub(super) struct ListComments {
        path: DavPath,
        limit: Count<1, 200> = 20,
        /// Newer comments to skip.
        offset: Count<0, 1_000_000> = 0,
    }
}

params! {
    pub(super) struct CreateComment {
        path: DavPath,
        /// At most 1000 characters; plain text.
        message: String,
    }
}

record! {
    pub(super) struct Comment {
        id: i64,
        message: String,
        actor_id: String,
        actor_type: String,
        actor_display_name: Option<String>,
        creation_datetime: Option<String>,
        verb: String,
        is_unread: bool,
    }
}

record! {
    pub(super) struct Comments {
        results: Vec<Comment>,
        /// On this page.
        count: i64,
        /// Of all pages.
        total_count: Option<i64>,
        path: String,
        file_id: i64,
        limit: i64,
        offset: i64,
        /// For the next page; absent on the last one.
        next_offset: Option<i64>,
    }
}

record! {
    pub(super) struct CreatedComment {
        path: String,
        file_id: i64,
        comment_id: Option<i64>,
        message: String,
    }
}

pub(super) fn list_comments(cx: &Cx, p: ListComments) -> Result<Success<Comments>, ToolError> {
    const COUNT: xml::Name<'_> = (OC, "comments-count");
    let (file_id, total_count) =
        target(cx, &p.path, &[COUNT], |entry| entry.prop(COUNT.0, COUNT.1)?.parse().ok())?;
    let (limit, offset) = (p.limit.get(), p.offset.get());
    // One more than asked for tells whether there are more.
    let window = xml::element((OC, "limit"), &(limit + 1).to_string())
        + &xml::element((OC, "offset"), &offset.to_string());
    let request =
        Request::new("REPORT", comments(file_id)).xml(xml::document((OC, "filter-comments"), &window));
    let answer = cx.nc.multistatus(request).of(subject("the list of comments on", &p.path))?;
    let page = Page::cut(answer.collect(|entry| Comment::read_entry(&entry))?, None, limit)?;
    Ok(Success(Comments {
        count: page.rows.len() as i64,
        total_count,
        path: p.path.as_given().to_owned(),
        file_id,
        limit: limit as i64,
        offset: offset as i64,
        next_offset: page.next_cursor.map(|next| (offset + next.0) as i64),
        results: page.rows,
    }))
}

/// The length is checked here, since Nextcloud's own refusal comes without a reason.
pub(super) fn create_comment(cx: &Cx, p: CreateComment) -> Result<Success<CreatedComment>, ToolError> {
    let message = p.message.trim();
    let length = message.chars().count();
    if message.is_empty() {
        return Err(ToolError::Arguments("`message` is empty".into()));
    }
    if length > MESSAGE_CHARS_MAX {
        return Err(ToolError::Arguments(format!(
            "`message` has {length} characters; at most {MESSAGE_CHARS_MAX} are possible. Shorten it or split it."
        )));
    }
    let (file_id, ()) = target(cx, &p.path, &[], |_| ())?;
    let body = json!({"actorType": "users", "verb": "comment", "message": message});
    let response = cx
        .nc
        .send(Request::new("POST", comments(file_id)).json(&body))
        .of(subject("the comment on", &p.path))?;
    let comment_id = response
        .header("Content-Location")
        .and_then(|place| cx.nc.path_of(place).last_segment()?.parse().ok());
    Ok(Success(CreatedComment {
        path: p.path.as_given().to_owned(),
        file_id,
        comment_id,
        message: message.to_owned(),
    }))
}

impl Comment {
    fn read_entry(entry: &Entry<'_>) -> Option<Comment> {
        let text = |name| entry.prop(OC, name).map(str::to_owned);
        Some(Comment {
            id: entry.prop(OC, "id")?.parse().ok()?,
            message: text("message").unwrap_or_default(),
            actor_id: text("actorId").unwrap_or_default(),
            actor_type: text("actorType").unwrap_or_default(),
            actor_display_name: text("actorDisplayName"),
            creation_datetime: text("creationDateTime"),
            verb: text("verb").unwrap_or_default(),
            is_unread: entry.prop(OC, "isUnread") == Some("true"),
        })
    }
}

fn comments(file_id: i64) -> UrlPath {
    UrlPath::dav().raw("/comments/files").segment(&file_id.to_string())
}
