//! Comments on cards.
//!
//! Routes: `/ocs/v2.php/apps/deck/api/v1.0/cards/{card}/comments…`. They come newest first. Newer versions of Deck give at
//! most 200 at a time, whatever is asked for.

mod parts;

use serde::Deserialize;
use serde_json::json;

use super::api::{Told, ocs_path};
use super::records::cut;
use crate::nextcloud::{Error, Kind, OC, Request, UrlPath, xml};
use crate::schema::Count;
use crate::tool::{Cursor, Cx, Page, Success, ToolError};
use crate::{choice, params, record};

/// Longest message in characters (`IComment::MAX_MESSAGE_LENGTH`), after Nextcloud took white space off both ends.
const CHARS_MAX: usize = 1_000;
/// Characters of a message in a summary, unless the caller says otherwise.
const SUMMARY_CHARS: usize = 200;
/// Comments that newer versions of Deck give at a time.
const BATCH: usize = 200;
/// Requests for finding the oldest comments: 2,000 of them.
const BATCHES_MAX: usize = 10;

choice! {
    pub enum Detail { Summary = "summary", Full = "full" }
}

choice! {
    pub enum Order { Newest = "newest", Oldest = "oldest" }
}

choice! {
    pub enum Overflow { Error = "error", Split = "split" }
}

params! {
    pub struct GetComments {
        card_id: i64,
        limit: Count<1, 200> = 20,
        offset: u64 = 0_u64,
        /// In place of `offset`.
        cursor: Option<Cursor>,
        detail: Detail = Detail::Summary,
        /// In characters; a summary has 200 if left out.
        message_max_length: Option<Count<1, 1000>>,
        order: Order = Order::Newest,
    }
}

params! {
    pub struct CreateComment {
        card_id: i64,
        /// At most 1,000 characters; `@user` mentions somebody.
        message: String,
        /// Comment that this one answers.
        parent_id: Option<i64>,
        /// What to do with a longer message: `split` posts up to 10 numbered comments.
        overflow: Overflow = Overflow::Error,
    }
}

params! {
    pub struct UpdateComment {
        card_id: i64,
        comment_id: i64,
        message: String,
    }
}

params! {
    pub struct CommentRef {
        card_id: i64,
        comment_id: i64,
    }
}

record! {
    pub struct Mention {
        mention_id as "mentionId": String,
        mention_type as "mentionType": String,
        mention_display_name as "mentionDisplayName": String,
    }
}

record! {
    /// The comment that is answered.
    pub struct Answered {
        id: i64,
        actor_id as "actorId": String,
        message: String,
    }
}

record! {
    pub struct Comment {
        id: i64,
        object_id as "objectId": Option<i64>,
        actor_id as "actorId": String,
        actor_type as "actorType": Option<String>,
        actor_display_name as "actorDisplayName": Option<String>,
        creation_date_time as "creationDateTime": String,
        message: String,
        mentions: Option<Vec<Mention>>,
        reply_to as "replyTo": Option<Answered>,
        /// In a summary, in place of `replyTo`.
        reply_to_id as "replyToId": Option<i64>,
    }
}

record! {
    pub struct CommentList {
        results: Vec<Comment>,
        /// On this page.
        count: i64,
        /// For the next page; absent on the last one.
        next_cursor: Option<Cursor>,
        url: Option<String>,
    }
}

record! {
    pub struct Posted {
        /// The first one, if there are several.
        comment: Comment,
        /// All of them, if there are several.
        parts: Option<Vec<Comment>>,
        part_count: i64,
        url: Option<String>,
    }
}

record! {
    pub struct CommentDone {
        status_code: i64,
        message: String,
        card_id: i64,
        comment_id: i64,
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiComment {
    id: i64,
    #[serde(default)]
    object_id: i64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    actor_id: String,
    #[serde(default)]
    actor_type: String,
    #[serde(default)]
    actor_display_name: Option<String>,
    #[serde(default)]
    creation_date_time: String,
    #[serde(default)]
    mentions: Vec<ApiMention>,
    #[serde(default)]
    reply_to: Option<Box<ApiComment>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiMention {
    #[serde(default)]
    mention_id: String,
    #[serde(default)]
    mention_type: String,
    #[serde(default)]
    mention_display_name: Option<String>,
}

impl ApiComment {
    /// With at most `chars_max` characters of its message, if there is a limit.
    fn whole(self, chars_max: Option<usize>) -> Comment {
        let short = |message: String| match chars_max {
            Some(max) => cut(&message, max).0,
            None => message,
        };
        Comment {
            id: self.id,
            object_id: Some(self.object_id),
            actor_display_name: Some(self.actor_display_name.unwrap_or_else(|| self.actor_id.clone())),
            actor_id: self.actor_id,
            actor_type: Some(self.actor_type),
            creation_date_time: self.creation_date_time,
            message: short(self.message),
            mentions: Some(self.mentions.into_iter().map(Mention::from).collect()),
            reply_to: self.reply_to.map(|answered| Answered {
                id: answered.id,
                actor_id: answered.actor_id,
                message: short(answered.message),
            }),
            reply_to_id: None,
        }
    }

    fn summary(self, chars_max: usize) -> Comment {
        Comment {
            id: self.id,
            object_id: None,
            actor_id: self.actor_id,
            actor_type: None,
            actor_display_name: None,
            creation_date_time: self.creation_date_time,
            message: cut(&self.message, chars_max).0,
            mentions: None,
            reply_to: None,
            reply_to_id: self.reply_to.map(|answered| answered.id),
        }
    }
}

impl From<ApiMention> for Mention {
    fn from(mention: ApiMention) -> Mention {
        Mention {
            mention_display_name: mention
                .mention_display_name
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| mention.mention_id.clone()),
            mention_id: mention.mention_id,
            mention_type: mention.mention_type,
        }
    }
}

pub fn get_card_comments(cx: &Cx, p: GetComments) -> Result<Success<CommentList>, ToolError> {
    let start = p.cursor.map_or(p.offset as usize, |cursor| cursor.0);
    let limit = p.limit.get();
    let (found, more) = match p.order {
        Order::Newest => newest(cx, p.card_id, start, limit)?,
        Order::Oldest => oldest(cx, p.card_id, start, limit)?,
    };
    let chars_max = p.message_max_length.map(Count::get);
    let rows = found.into_iter().map(|comment| match p.detail {
        Detail::Summary => comment.summary(chars_max.unwrap_or(SUMMARY_CHARS)),
        Detail::Full => comment.whole(chars_max),
    });
    let page = Page::cut(rows.collect(), None, limit)?;
    let end = start + page.rows.len();
    Ok(Success(CommentList {
        count: page.rows.len() as i64,
        next_cursor: (more || page.next_cursor.is_some()).then_some(Cursor(end)),
        results: page.rows,
        url: link(cx, p.card_id),
    }))
}

pub fn create_card_comment(cx: &Cx, p: CreateComment) -> Result<Success<Posted>, ToolError> {
    let text = trimmed(&p.message)?;
    let texts = match p.overflow {
        Overflow::Error => {
            check_length(text)?;
            vec![text.to_owned()]
        }
        Overflow::Split => parts::plan(text).ok_or_else(|| too_many_parts(text))?,
    };
    let posted = post_all(cx, p.card_id, &texts, p.parent_id)?;
    let comments: Vec<Comment> = posted.into_iter().map(|comment| comment.whole(None)).collect();
    let part_count = comments.len() as i64;
    let first = comments.first().cloned().ok_or_else(|| ToolError::Refused("Nothing was posted.".into()))?;
    Ok(Success(Posted {
        comment: first,
        parts: (part_count > 1).then_some(comments),
        part_count,
        url: link(cx, p.card_id),
    }))
}

pub fn update_card_comment(cx: &Cx, p: UpdateComment) -> Result<Success<Posted>, ToolError> {
    let text = trimmed(&p.message)?;
    check_length(text)?;
    let request = Request::new("PUT", comment_path(p.card_id, p.comment_id)).json(&json!({"message": text}));
    let saved = match cx.nc.ocs::<ApiComment>(request) {
        Err(error) if is_blind_refusal(&error) => edit_by_dav(cx, p.card_id, p.comment_id, text, error)?,
        other => other,
    };
    let subject = subject(p.card_id, p.comment_id);
    let saved = match saved {
        // Nextcloud lets the exception about the missing comment through.
        Err(error) if error.kind == Kind::Server => {
            return Err(ToolError::Refused(format!(
                "{} An answer to a comment that was deleted cannot be changed: if this is one, delete it and post it \
                 anew.",
                error.about(subject)
            )));
        }
        other => other.told(subject)?,
    };
    Ok(Success(Posted { comment: saved.whole(None), parts: None, part_count: 1, url: link(cx, p.card_id) }))
}

pub fn delete_card_comment(cx: &Cx, p: CommentRef) -> Result<Success<CommentDone>, ToolError> {
    let request = Request::new("DELETE", comment_path(p.card_id, p.comment_id));
    let _: serde_json::Value = cx.nc.ocs(request).told(subject(p.card_id, p.comment_id))?;
    Ok(Success(CommentDone {
        status_code: 200,
        message: format!(
            "Comment {} of card {} was deleted for good. Answers to it stay.",
            p.comment_id, p.card_id
        ),
        card_id: p.card_id,
        comment_id: p.comment_id,
    }))
}

/// One page from the newest on, and whether there are more behind it. A full page of all that Deck gives at a time may be
/// the last one.
fn newest(cx: &Cx, card: i64, start: usize, limit: usize) -> Result<(Vec<ApiComment>, bool), ToolError> {
    let asked = (limit + 1).min(BATCH);
    let mut found = batch(cx, card, start, asked)?;
    let more = found.len() >= asked;
    found.truncate(limit);
    Ok((found, more))
}

/// One page from the oldest on. Deck cannot give them in this order, so all are read.
fn oldest(cx: &Cx, card: i64, start: usize, limit: usize) -> Result<(Vec<ApiComment>, bool), ToolError> {
    let mut all = all(cx, card)?;
    // Comments of the same second come in any order; their ids tell.
    all.sort_by(|a, b| (&a.creation_date_time, a.id).cmp(&(&b.creation_date_time, b.id)));
    all.dedup_by_key(|comment| comment.id);
    let more = all.len() > start.saturating_add(limit);
    Ok((all.into_iter().skip(start).take(limit).collect(), more))
}

fn all(cx: &Cx, card: i64) -> Result<Vec<ApiComment>, ToolError> {
    let mut all: Vec<ApiComment> = Vec::new();
    for _ in 0..BATCHES_MAX {
        let found = batch(cx, card, all.len(), BATCH)?;
        let is_last = found.len() < BATCH;
        all.extend(found);
        cx.progress.report(all.len() as u64, None, "comments read");
        if is_last {
            return Ok(all);
        }
    }
    Err(ToolError::Refused(format!(
        "Card {card} has {} comments or more, too many to find the oldest; use order \"newest\" with an offset.",
        BATCH * BATCHES_MAX
    )))
}

fn batch(cx: &Cx, card: i64, offset: usize, limit: usize) -> Result<Vec<ApiComment>, ToolError> {
    let path = comments_path(card).query("limit", limit).query("offset", offset);
    cx.nc.ocs(Request::new("GET", path)).told(format!("card {card}"))
}

/// Posts the texts, the first as an answer to `parent`, the others as answers to the first.
fn post_all(cx: &Cx, card: i64, texts: &[String], parent: Option<i64>) -> Result<Vec<ApiComment>, ToolError> {
    let mut posted: Vec<ApiComment> = Vec::new();
    for text in texts {
        let parent = posted.first().map(|first| first.id).or(parent);
        match post(cx, card, text, parent) {
            Ok(comment) => posted.push(comment),
            Err(error) if posted.is_empty() => return Err(error),
            Err(error) => return Err(broken_off(&posted, texts, &error)),
        }
    }
    Ok(posted)
}

fn post(cx: &Cx, card: i64, text: &str, parent: Option<i64>) -> Result<ApiComment, ToolError> {
    let body = json!({"message": text, "parentId": parent.unwrap_or(0)});
    let request = Request::new("POST", comments_path(card)).json(&body);
    cx.nc.ocs(request).told(format!("card {card}"))
}

fn broken_off(posted: &[ApiComment], texts: &[String], error: &ToolError) -> ToolError {
    let ids: Vec<String> = posted.iter().map(|comment| comment.id.to_string()).collect();
    let next = texts.get(posted.len()).map_or("", String::as_str);
    ToolError::Refused(format!(
        "{} of {} parts were posted, as comments {}; then part {} failed: {error} To go on, post the rest, from {:?} \
         on, as answers to comment {}; or delete what was posted.",
        posted.len(),
        texts.len(),
        ids.join(", "),
        posted.len() + 1,
        cut(next, 80).0,
        ids.first().map_or("", String::as_str),
    ))
}

/// Deck 1.13 asks for the right to see a *card* with the number of the comment that is answered, so it refuses to change
/// most answers, in words about a card that is missing or deleted.
fn is_blind_refusal(error: &Error) -> bool {
    let by_author = |detail: &str| detail.starts_with("Only authors");
    error.kind == Kind::Forbidden && !error.detail.as_deref().is_some_and(by_author)
}

/// Changes a comment at `/remote.php/dav/comments/deckCard/{card}/{comment}`, which knows the same rules without that
/// fault. Gives `refusal` back if the comment is not there either.
fn edit_by_dav(
    cx: &Cx,
    card: i64,
    id: i64,
    text: &str,
    refusal: Error,
) -> Result<Result<ApiComment, Error>, ToolError> {
    let path = UrlPath::dav().raw("/comments/deckCard").segments([card.to_string(), id.to_string()]);
    let body = xml::proppatch(&[((OC, "message"), text)], &[]);
    match cx.nc.multistatus(Request::new("PROPPATCH", path).xml(body)) {
        Err(error) if error.kind == Kind::NotFound => return Ok(Err(refusal)),
        Err(error) => return Ok(Err(error)),
        Ok(_) => {}
    }
    // The answer is 207 whether the property was taken or not.
    let saved = all(cx, card)?.into_iter().find(|comment| comment.id == id && comment.message == text);
    Ok(saved.ok_or(refusal))
}

/// The message as Nextcloud keeps it: without the white space of PHP's `trim` at both ends.
fn trimmed(message: &str) -> Result<&str, ToolError> {
    let text = message.trim_matches([' ', '\t', '\n', '\r', '\0', '\x0b']);
    if text.trim().is_empty() {
        return Err(ToolError::Arguments("`message` must not be empty".into()));
    }
    Ok(text)
}

fn check_length(text: &str) -> Result<(), ToolError> {
    match text.chars().count() {
        count if count > CHARS_MAX => Err(ToolError::Arguments(format!(
            "`message` has {count} characters, {} more than Deck takes; shorten it, or post it with \
             deck_create_card_comment and overflow \"split\"",
            count - CHARS_MAX
        ))),
        _ => Ok(()),
    }
}

fn too_many_parts(text: &str) -> ToolError {
    ToolError::Arguments(format!(
        "`message` has {} characters, more than {} comments hold; put it into the description of the card or into a \
         file that you attach with deck_attach_file",
        text.chars().count(),
        parts::PARTS_MAX
    ))
}

fn comments_path(card: i64) -> UrlPath {
    ocs_path("/cards").segment(&card.to_string()).raw("/comments")
}

fn comment_path(card: i64, comment: i64) -> UrlPath {
    comments_path(card).segment(&comment.to_string())
}

fn subject(card: i64, comment: i64) -> String {
    format!("comment {comment} of card {card}")
}

fn link(cx: &Cx, card: i64) -> Option<String> {
    cx.link(&format!("/index.php/apps/deck/card/{card}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_measured_after_trimming_and_in_characters() {
        let measure = |message: &str| trimmed(message).and_then(check_length);
        assert!(measure(&format!(" \n{}\0\x0b", "🎉".repeat(CHARS_MAX))).is_ok());
        assert!(measure(&format!("{}\u{a0}", "x".repeat(CHARS_MAX))).is_err(), "PHP does not trim it");
        let ToolError::Arguments(why) = measure(&"x".repeat(1_234)).unwrap_err() else { panic!() };
        assert!(why.contains("1234 characters, 234 more"), "{why}");
        for empty in ["", " \n", "\u{a0}"] {
            assert!(trimmed(empty).is_err(), "{empty:?}");
        }
    }
}
