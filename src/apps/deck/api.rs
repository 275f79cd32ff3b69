//! Deck's REST API as it answers: routes, wire types, words for its refusals, and the reads that several tools share.
//!
//! Routes: `/index.php/apps/deck/api/v1.0/…` (Deck ≥ 1.0) and `/ocs/v2.php/apps/deck/api/v1.0/…` (comments). Never send
//! `If-Modified-Since`: Deck 1.13 answers 500.

use std::collections::HashSet;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::{Map, Value, json};

use crate::nextcloud::{Error, Kind, Request, UrlPath, php_object};
use crate::tool::{Cx, ToolError};

/// `/index.php/apps/deck/api/v1.0/boards`.
pub fn boards_path() -> UrlPath {
    UrlPath::app("deck").raw("/api/v1.0/boards")
}

/// `…/boards/{board}`.
pub fn board_path(board: i64) -> UrlPath {
    boards_path().segment(&board.to_string())
}

/// `…/boards/{board}/stacks`.
pub fn stacks_path(board: i64) -> UrlPath {
    board_path(board).raw("/stacks")
}

/// `…/boards/{board}/stacks/{stack}`.
pub fn stack_path(board: i64, stack: i64) -> UrlPath {
    stacks_path(board).segment(&stack.to_string())
}

/// `…/boards/{board}/stacks/{stack}/cards`.
pub fn cards_path(board: i64, stack: i64) -> UrlPath {
    stack_path(board, stack).raw("/cards")
}

/// `…/boards/{board}/stacks/{stack}/cards/{card}`. Deck looks at the card's id only when it reads; when it writes, the
/// card goes into this stack.
pub fn card_path(board: i64, stack: i64, card: i64) -> UrlPath {
    cards_path(board, stack).segment(&card.to_string())
}

/// `/ocs/v2.php/apps/deck/api/v1.0{route}`, for [`Client::ocs`](crate::nextcloud::Client::ocs).
pub fn ocs_path(route: &str) -> UrlPath {
    UrlPath::ocs("/apps/deck/api/v1.0").raw(route)
}

/// A link to the board for a browser.
pub fn board_link(cx: &Cx, board: i64) -> Option<String> {
    cx.link(&format!("/index.php/apps/deck/board/{board}"))
}

/// A link to the card for a browser.
pub fn card_link(cx: &Cx, board: i64, card: i64) -> Option<String> {
    cx.link(&format!("/index.php/apps/deck/board/{board}/card/{card}"))
}

/// A board. `labels`, `acl` and `users` are empty in the plain list of boards, whatever the board has.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiBoard {
    #[serde(deserialize_with = "number")]
    pub id: i64,
    #[serde(default, deserialize_with = "text")]
    pub title: String,
    #[serde(default, deserialize_with = "user")]
    pub owner: ApiUser,
    #[serde(default, deserialize_with = "text")]
    pub color: String,
    #[serde(default, deserialize_with = "flag")]
    pub archived: bool,
    #[serde(default, deserialize_with = "list")]
    pub labels: Vec<ApiLabel>,
    #[serde(default, deserialize_with = "list")]
    pub acl: Vec<ApiAcl>,
    #[serde(default, deserialize_with = "php_object")]
    pub permissions: ApiPermissions,
    #[serde(default, deserialize_with = "list")]
    pub users: Vec<ApiUser>,
    #[serde(default, deserialize_with = "number")]
    pub deleted_at: i64,
    #[serde(default, deserialize_with = "number")]
    pub last_modified: i64,
    #[serde(default, deserialize_with = "php_object")]
    pub settings: Map<String, Value>,
    #[serde(default, rename = "ETag")]
    pub etag: Option<String>,
}

/// What the account may do on a board.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ApiPermissions {
    #[serde(default, rename = "PERMISSION_READ", deserialize_with = "flag")]
    pub read: bool,
    #[serde(default, rename = "PERMISSION_EDIT", deserialize_with = "flag")]
    pub edit: bool,
    #[serde(default, rename = "PERMISSION_MANAGE", deserialize_with = "flag")]
    pub manage: bool,
    #[serde(default, rename = "PERMISSION_SHARE", deserialize_with = "flag")]
    pub share: bool,
}

/// Whom a board is shared with. `type`: 0 user, 1 group, 7 team.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiAcl {
    #[serde(default, deserialize_with = "number")]
    pub id: i64,
    #[serde(default, deserialize_with = "user")]
    pub participant: ApiUser,
    #[serde(default, rename = "type", deserialize_with = "number")]
    pub kind: i64,
    #[serde(default, deserialize_with = "number")]
    pub board_id: i64,
    #[serde(default, deserialize_with = "flag")]
    pub permission_edit: bool,
    #[serde(default, deserialize_with = "flag")]
    pub permission_share: bool,
    #[serde(default, deserialize_with = "flag")]
    pub permission_manage: bool,
    #[serde(default, deserialize_with = "flag")]
    pub owner: bool,
}

/// A user, a group or a team. Deck writes it as an object, and in some answers as the bare id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiUser {
    pub uid: String,
    pub display_name: String,
}

impl<'de> Deserialize<'de> for ApiUser {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ApiUser, D::Error> {
        user(deserializer)
    }
}

/// A stack: one list of a board. `cards` is absent where Deck sends none, as it does for an empty stack.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiStack {
    #[serde(deserialize_with = "number")]
    pub id: i64,
    #[serde(default, deserialize_with = "text")]
    pub title: String,
    #[serde(default, deserialize_with = "number")]
    pub board_id: i64,
    #[serde(default, deserialize_with = "number")]
    pub order: i64,
    #[serde(default, deserialize_with = "number")]
    pub deleted_at: i64,
    #[serde(default, deserialize_with = "number")]
    pub last_modified: i64,
    #[serde(default, deserialize_with = "list")]
    pub cards: Vec<ApiCard>,
    #[serde(default, rename = "ETag")]
    pub etag: Option<String>,
}

/// A card. `assigned_users` are `None` where the route does not tell them, as that of archived cards; so are `labels` on the
/// route of a single stack, but there also where an archived card has none.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiCard {
    #[serde(deserialize_with = "number")]
    pub id: i64,
    #[serde(default, deserialize_with = "text")]
    pub title: String,
    #[serde(default, deserialize_with = "text")]
    pub description: String,
    #[serde(default, deserialize_with = "number")]
    pub stack_id: i64,
    /// `plain` or `text`; Deck shows both alike.
    #[serde(default = "plain", rename = "type")]
    pub kind: String,
    #[serde(default, deserialize_with = "number")]
    pub last_modified: i64,
    #[serde(default)]
    pub last_editor: Option<String>,
    #[serde(default, deserialize_with = "number")]
    pub created_at: i64,
    #[serde(default, deserialize_with = "labels")]
    pub labels: Option<Vec<ApiLabel>>,
    #[serde(default, deserialize_with = "known_list")]
    pub assigned_users: Option<Vec<ApiAssignment>>,
    /// Ids of the cards that this one depends on (Deck ≥ 1.18).
    #[serde(default, deserialize_with = "known_list")]
    pub dependent_cards: Option<Vec<i64>>,
    #[serde(default)]
    pub attachment_count: Option<i64>,
    #[serde(default, deserialize_with = "user")]
    pub owner: ApiUser,
    #[serde(default, deserialize_with = "number")]
    pub order: i64,
    #[serde(default, deserialize_with = "flag")]
    pub archived: bool,
    /// ISO 8601, in UTC.
    #[serde(default)]
    pub done: Option<String>,
    /// ISO 8601, in UTC.
    #[serde(default)]
    pub duedate: Option<String>,
    /// The outer `None` is a Deck that knows no start dates (before 1.18).
    #[serde(default, deserialize_with = "present")]
    pub startdate: Option<Option<String>>,
    /// The outer `None` is a Deck that knows no colours of cards (before 1.18).
    #[serde(default, deserialize_with = "present")]
    pub color: Option<Option<String>>,
    #[serde(default, deserialize_with = "number")]
    pub deleted_at: i64,
    #[serde(default)]
    pub comments_unread: Option<i64>,
    #[serde(default)]
    pub comments_count: Option<i64>,
    #[serde(default)]
    pub overdue: Option<i64>,
    #[serde(default, rename = "ETag")]
    pub etag: Option<String>,
}

/// A label of a board; `card_id` only where it hangs on a card.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiLabel {
    #[serde(deserialize_with = "number")]
    pub id: i64,
    #[serde(default, deserialize_with = "text")]
    pub title: String,
    #[serde(default, deserialize_with = "text")]
    pub color: String,
    #[serde(default)]
    pub board_id: Option<i64>,
    #[serde(default)]
    pub card_id: Option<i64>,
}

/// That a user, a group or a team is assigned to a card.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiAssignment {
    #[serde(default, deserialize_with = "number")]
    pub id: i64,
    #[serde(default, deserialize_with = "user")]
    pub participant: ApiUser,
    #[serde(default, deserialize_with = "number")]
    pub card_id: i64,
    /// 0 user, 1 group, 7 team.
    #[serde(default, rename = "type", deserialize_with = "number")]
    pub kind: i64,
}

/// Puts Deck's refusals into words. Deck says 403 "Permission denied" for what is missing as for what is forbidden, and
/// 500 "Operation not allowed" for its own rules.
pub trait Told<T> {
    /// Names what the request was about: `card 7`; where something is created, what it goes into.
    fn told(self, subject: impl Into<String>) -> Result<T, ToolError>;

    /// The same for a write to what was just read, so that "Permission denied" can only be about rights.
    fn told_of_known(self, subject: impl Into<String>) -> Result<T, ToolError>;
}

impl<T> Told<T> for Result<T, Error> {
    fn told(self, subject: impl Into<String>) -> Result<T, ToolError> {
        self.map_err(|error| match (error.kind, error.detail.as_deref().unwrap_or_default()) {
            (Kind::Forbidden, "Permission denied") => missing(
                subject,
                "it does not exist, or this account may not do this with it; Deck does not say which",
            ),
            (Kind::Forbidden, "Card is deleted") => missing(subject, &format!("it was deleted. {RESTORE}")),
            (Kind::Server, detail) if detail.starts_with("Operation not allowed") => {
                let subject = subject.into();
                ToolError::Refused(format!("{subject}: Deck refused and changed nothing: \"{detail}\""))
            }
            _ => error.about(subject).into(),
        })
    }

    fn told_of_known(self, subject: impl Into<String>) -> Result<T, ToolError> {
        match self {
            Err(error) if error.kind == Kind::Forbidden && error.detail.as_deref() == Some(DENIED) => {
                Err(ToolError::Refused(format!(
                    "{} was refused: this account may read it, but has not the right to this. The owner of the board \
                     can give it.",
                    subject.into()
                )))
            }
            other => other.told(subject),
        }
    }
}

const DENIED: &str = "Permission denied";

/// How a deleted card comes back.
pub const RESTORE: &str =
    "Until Deck's daily clean-up it can be restored in the browser: the board's details, Deleted items";

/// That something is not there, as far as this account sees.
pub fn missing(subject: impl Into<String>, why: &str) -> ToolError {
    Error::new(Kind::NotFound, "an id of Deck").about(subject).because(why).into()
}

/// Asks Deck and reads JSON.
pub fn ask<T: DeserializeOwned>(cx: &Cx, request: Request, subject: &str) -> Result<T, ToolError> {
    cx.nc.json(request).told(subject)
}

/// One board with labels, shares and users. A deleted one is missing.
pub fn board(cx: &Cx, id: i64) -> Result<ApiBoard, ToolError> {
    ask(cx, Request::new("GET", board_path(id)), &format!("board {id}"))
}

/// The stacks of a board in their order, with the cards that are not archived in theirs, and all that Deck tells of them.
pub fn stacks(cx: &Cx, board: i64) -> Result<Vec<ApiStack>, ToolError> {
    stack_list(cx, board, stacks_path(board))
}

/// The same with the archived cards only; without their assigned users.
pub fn archived_stacks(cx: &Cx, board: i64) -> Result<Vec<ApiStack>, ToolError> {
    stack_list(cx, board, stacks_path(board).raw("/archived"))
}

fn stack_list(cx: &Cx, board: i64, path: UrlPath) -> Result<Vec<ApiStack>, ToolError> {
    let mut stacks: Vec<ApiStack> = ask(cx, Request::new("GET", path), &format!("board {board}"))?;
    stacks.retain(|stack| stack.deleted_at == 0);
    stacks.sort_by_key(|stack| (stack.order, stack.id));
    for stack in &mut stacks {
        stack.cards.retain(|card| card.deleted_at == 0);
        stack.cards.sort_by_key(|card| (card.order, card.id));
    }
    Ok(stacks)
}

/// One of a board's stacks. Fails with the names of those that there are.
pub fn stack_of(stacks: Vec<ApiStack>, board: i64, id: i64) -> Result<ApiStack, ToolError> {
    let known: Vec<String> =
        stacks.iter().take(20).map(|stack| format!("{} ({:?})", stack.id, stack.title)).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    stacks
        .into_iter()
        .find(|stack| stack.id == id)
        .ok_or_else(|| missing(format!("stack {id} of board {board}"), &format!("its stacks are {known}")))
}

/// One stack; its cards are without labels. Fails if it belongs to another board: Deck would take any board's number, and
/// move the stack there when it writes.
pub fn stack(cx: &Cx, board: i64, id: i64) -> Result<ApiStack, ToolError> {
    let path = stack_path(board, id);
    let stack: ApiStack = ask(cx, Request::new("GET", path), &format!("stack {id} of board {board}"))?;
    if stack.board_id != board {
        return Err(ToolError::Refused(format!(
            "Stack {id} belongs to board {}, not {board}; nothing was done.",
            stack.board_id
        )));
    }
    Ok(stack)
}

/// One card with all that Deck knows. `stack` may be out of date: Deck finds a card by its id alone, and
/// [`ApiCard::stack_id`] says where it is.
pub fn card(cx: &Cx, board: i64, stack: i64, id: i64) -> Result<ApiCard, ToolError> {
    ask(cx, Request::new("GET", card_path(board, stack, id)), &format!("card {id}"))
}

/// What of a card is to change; what is `None` stays, and an inner `None` empties a field.
#[derive(Debug, Clone, Default)]
pub struct CardChange {
    pub title: Option<String>,
    pub description: Option<String>,
    pub kind: Option<String>,
    pub order: Option<i64>,
    pub stack_id: Option<i64>,
    pub archived: Option<bool>,
    pub duedate: Option<Option<String>>,
    pub done: Option<Option<String>>,
    pub startdate: Option<Option<String>>,
    pub color: Option<Option<String>>,
}

impl CardChange {
    /// Whether nothing is to change.
    pub fn is_empty(&self) -> bool {
        let texts = [&self.title, &self.description, &self.kind];
        let times = [&self.duedate, &self.done, &self.startdate, &self.color];
        texts.iter().all(|text| text.is_none())
            && times.iter().all(|time| time.is_none())
            && self.order.is_none()
            && self.stack_id.is_none()
            && self.archived.is_none()
    }
}

/// Writes a card that was just read, with these changes. Deck replaces the whole card and empties what is left out, so
/// everything goes along; it keeps the owner whatever is sent.
pub fn put_card(cx: &Cx, board: i64, card: &ApiCard, change: CardChange) -> Result<ApiCard, ToolError> {
    let path = card_path(board, change.stack_id.unwrap_or(card.stack_id), card.id);
    let body = merged(card, change);
    cx.nc.json(Request::new("PUT", path).json(&body)).told_of_known(format!("card {}", card.id))
}

fn merged(card: &ApiCard, change: CardChange) -> Value {
    let mut body = json!({
        "title": change.title.as_ref().unwrap_or(&card.title),
        "type": change.kind.as_ref().unwrap_or(&card.kind),
        "owner": card.owner.uid,
        "order": change.order.unwrap_or(card.order),
        "description": change.description.as_ref().unwrap_or(&card.description),
        "duedate": change.duedate.as_ref().unwrap_or(&card.duedate),
        "done": change.done.as_ref().unwrap_or(&card.done),
    });
    if let Some(startdate) = change.startdate.as_ref().or(card.startdate.as_ref()) {
        body["startdate"] = json!(startdate);
    }
    if let Some(color) = change.color.as_ref().or(card.color.as_ref()) {
        body["color"] = json!(color);
    }
    // Deck refuses to archive what is archived.
    if let Some(archived) = change.archived.filter(|archived| *archived != card.archived) {
        body["archived"] = json!(archived);
    }
    body
}

fn plain() -> String {
    "plain".into()
}

/// A whole number, also as text; 0 for null.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_i64().unwrap_or_default(),
        Value::String(text) => text.parse().unwrap_or_default(),
        _ => 0,
    })
}

/// A truth value, also as PHP's 1 and "1".
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Bool(yes) => yes,
        Value::Number(number) => number.as_i64() != Some(0),
        Value::String(text) => text == "1" || text == "true",
        _ => false,
    })
}

/// Text; empty for null.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::<String>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A list that may be null. PHP writes one whose numbers have gaps as an object.
pub fn known_list<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    use serde::de::Error as _;
    let items: Vec<Value> = match Value::deserialize(deserializer)? {
        Value::Array(items) => items,
        Value::Object(items) => items.into_iter().map(|(_, item)| item).collect(),
        _ => return Ok(None),
    };
    items
        .into_iter()
        .map(|item| serde_json::from_value(item).map_err(D::Error::custom))
        .collect::<Result<_, _>>()
        .map(Some)
}

/// The labels of a card. One that was assigned twice comes twice.
fn labels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<ApiLabel>>, D::Error> {
    let labels: Option<Vec<ApiLabel>> = known_list(deserializer)?;
    Ok(labels.map(|labels| {
        let mut seen = HashSet::new();
        labels.into_iter().filter(|label| seen.insert(label.id)).collect()
    }))
}

fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    known_list(deserializer).map(Option::unwrap_or_default)
}

/// Tells a member that is null from one that is missing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn user<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ApiUser, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let member = |name: &str| value.get(name).and_then(Value::as_str);
    let uid = value.as_str().or_else(|| member("uid")).or_else(|| member("primaryKey")).unwrap_or_default();
    let display_name = member("displayname").unwrap_or(uid);
    Ok(ApiUser { uid: uid.to_owned(), display_name: display_name.to_owned() })
}
