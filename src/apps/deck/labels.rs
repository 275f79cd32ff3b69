//! Labels of a board, and on cards.
//!
//! Deck finds a label by its id alone, whatever board the route names. So each write first looks whether the label is the
//! board's own.

use serde_json::{Value, json};

use super::api::{self, ApiCard, ApiLabel, Told, ask, board_path, card_link, card_path};
use super::records::{CardDone, Label};
use super::values::{Color, Title};
use crate::nextcloud::{Error, Kind, Request, UrlPath};
use crate::tool::{Cursor, Cx, Page, Success, ToolError};
use crate::{params, record};

params! {
    pub struct GetLabels {
        board_id: i64,
        cursor: Option<Cursor>,
    }
}

params! {
    pub struct LabelRef {
        board_id: i64,
        label_id: i64,
    }
}

params! {
    pub struct CreateLabel {
        board_id: i64,
        title: Title<100>,
        /// Six hexadecimal digits, with or without `#`.
        color: Color,
    }
}

params! {
    pub struct UpdateLabel {
        board_id: i64,
        label_id: i64,
        title: Option<Title<100>>,
        color: Option<Color>,
    }
}

params! {
    pub struct CardLabel {
        board_id: i64,
        stack_id: i64,
        card_id: i64,
        label_id: i64,
    }
}

record! {
    pub struct LabelList {
        labels: Vec<Label>,
        total: i64,
        next_cursor: Option<Cursor>,
    }
}

record! {
    pub struct NewLabel {
        id: i64,
        title: String,
        color: String,
    }
}

record! {
    pub struct LabelDone {
        status_code: i64,
        message: String,
        label_id: i64,
        board_id: i64,
        title: String,
        color: String,
    }
}

pub fn get_labels(cx: &Cx, p: GetLabels) -> Result<Success<LabelList>, ToolError> {
    let labels = api::board(cx, p.board_id)?.labels.into_iter().map(Label::from).collect();
    let page = Page::cut(labels, p.cursor, usize::MAX)?;
    Ok(Success(LabelList { labels: page.rows, total: page.total, next_cursor: page.next_cursor }))
}

pub fn get_label(cx: &Cx, p: LabelRef) -> Result<Label, ToolError> {
    label(cx, p.board_id, p.label_id).map(Label::from)
}

pub fn create_label(cx: &Cx, p: CreateLabel) -> Result<Success<NewLabel>, ToolError> {
    let made = create(cx, p.board_id, &p.title.into_string(), &p.color.into_string())?;
    Ok(Success(NewLabel { id: made.id, title: made.title, color: made.color }))
}

pub fn update_label(cx: &Cx, p: UpdateLabel) -> Result<Success<LabelDone>, ToolError> {
    if p.title.is_none() && p.color.is_none() {
        return Err(ToolError::Arguments("give at least one of `title`, `color`".into()));
    }
    let old = label(cx, p.board_id, p.label_id)?;
    // Deck wants both, and empties nothing: what stays is sent along.
    let title = p.title.map_or(old.title, Title::into_string);
    let color = p.color.map_or(old.color, Color::into_string);
    let request = Request::new("PUT", label_path(p.board_id, p.label_id))
        .json(&json!({"title": title, "color": color}));
    let saved: ApiLabel = cx.nc.json(request).told_of_known(subject(p.board_id, p.label_id))?;
    Ok(Success(LabelDone {
        status_code: 200,
        message: format!("Label {} is now {:?} in colour {}.", saved.id, saved.title, saved.color),
        label_id: saved.id,
        board_id: p.board_id,
        title: saved.title,
        color: saved.color,
    }))
}

pub fn delete_label(cx: &Cx, p: LabelRef) -> Result<Success<LabelDone>, ToolError> {
    let old = label(cx, p.board_id, p.label_id)?;
    let request = Request::new("DELETE", label_path(p.board_id, p.label_id));
    let _: Value = cx.nc.json(request).told_of_known(subject(p.board_id, p.label_id))?;
    Ok(Success(LabelDone {
        status_code: 200,
        message: format!(
            "Label {:?} was deleted for good, from the board and from all its cards.",
            old.title
        ),
        label_id: old.id,
        board_id: p.board_id,
        title: old.title,
        color: old.color,
    }))
}

pub fn assign_label_to_card(cx: &Cx, p: CardLabel) -> Result<Success<CardDone>, ToolError> {
    let before = api::card(cx, p.board_id, p.stack_id, p.card_id)?;
    // A second assignment would stand there twice: Deck does not look.
    if let Some(label) = labels_of(&before).iter().find(|label| label.id == p.label_id) {
        let message =
            format!("Card {} carries label {:?} already; nothing was changed.", p.card_id, label.title);
        return Ok(Success(done(cx, p.board_id, &before, message)));
    }
    assign(cx, p.board_id, &before, p.label_id)?;
    let after = api::card(cx, p.board_id, before.stack_id, p.card_id)?;
    let title = labels_of(&after).iter().find(|label| label.id == p.label_id).map(|label| &label.title);
    let message = match title {
        Some(title) => format!("Card {} now carries label {title:?}.", p.card_id),
        None => {
            return Err(ToolError::Refused(format!(
                "Deck took label {} for card {}, but the card does not carry it now.",
                p.label_id, p.card_id
            )));
        }
    };
    Ok(Success(done(cx, p.board_id, &after, message)))
}

pub fn remove_label_from_card(cx: &Cx, p: CardLabel) -> Result<Success<CardDone>, ToolError> {
    let mut card = api::card(cx, p.board_id, p.stack_id, p.card_id)?;
    let Some(label) = labels_of(&card).iter().find(|label| label.id == p.label_id).cloned() else {
        let message = format!("Card {} does not carry label {}; nothing was changed.", p.card_id, p.label_id);
        return Ok(Success(done(cx, p.board_id, &card, message)));
    };
    remove(cx, p.board_id, &card, p.label_id)?;
    if let Some(labels) = &mut card.labels {
        labels.retain(|label| label.id != p.label_id);
    }
    let message = format!("Label {:?} was taken off card {}.", label.title, p.card_id);
    Ok(Success(done(cx, p.board_id, &card, message)))
}

/// A label of this board; refused if it is another board's.
fn label(cx: &Cx, board: i64, id: i64) -> Result<ApiLabel, ToolError> {
    let found: ApiLabel = ask(cx, Request::new("GET", label_path(board, id)), &subject(board, id))?;
    match found.board_id {
        Some(other) if other != board => Err(ToolError::Refused(format!(
            "Label {id} ({:?}) belongs to board {other}, not {board}; nothing was done.",
            found.title
        ))),
        _ => Ok(found),
    }
}

/// `POST …/boards/{board}/labels`. Deck refuses a title that the board has already.
pub fn create(cx: &Cx, board: i64, title: &str, color: &str) -> Result<ApiLabel, ToolError> {
    let request = Request::new("POST", labels_path(board)).json(&json!({"title": title, "color": color}));
    match cx.nc.json(request) {
        Err(error) if error.kind == Kind::Forbidden => {
            api::board(cx, board)?;
            Err(error).told_of_known(format!("board {board}"))
        }
        other => other.told(format!("label {title:?} of board {board}")),
    }
}

/// `PUT …/cards/{card}/assignLabel`. A second call makes a second assignment.
pub fn assign(cx: &Cx, board: i64, card: &ApiCard, label: i64) -> Result<(), ToolError> {
    let path = card_path(board, card.stack_id, card.id).raw("/assignLabel");
    match cx.nc.json::<Value>(Request::new("PUT", path).json(&json!({"labelId": label}))) {
        Err(error) if is_foreign_label(&error) => Err(ToolError::Refused(format!(
            "Label {label} belongs to another board than card {}; deck_get_labels shows the labels of its board.",
            card.id
        ))),
        Err(error) if error.kind == Kind::Forbidden => {
            ask::<ApiLabel>(cx, Request::new("GET", label_path(board, label)), &subject(board, label))?;
            Err(error).told_of_known(format!("card {}", card.id))
        }
        other => other.map(|_| ()).told(format!("label {label} for card {}", card.id)),
    }
}

/// `PUT …/cards/{card}/removeLabel`. Some versions of Deck, as 1.13.10, refuse it for labels that a move left over.
pub fn remove(cx: &Cx, board: i64, card: &ApiCard, label: i64) -> Result<(), ToolError> {
    let path = card_path(board, card.stack_id, card.id).raw("/removeLabel");
    let request = Request::new("PUT", path).json(&json!({"labelId": label}));
    match cx.nc.json::<Value>(request) {
        Err(error) if is_foreign_label(&error) => {
            let home =
                labels_of(card).iter().find(|known| known.id == label).and_then(|known| known.board_id);
            let home = home.map_or_else(|| "another one".to_owned(), |home| home.to_string());
            Err(ToolError::Refused(format!(
                "Label {label} is left over from a board where card {} was before ({home}), and this Deck does not take \
                 it off. Move the card back there with deck_move_card_to_board, then here again.",
                card.id
            )))
        }
        other => other.map(|_| ()).told_of_known(format!("card {}", card.id)),
    }
}

pub fn labels_of(card: &ApiCard) -> &[ApiLabel] {
    card.labels.as_deref().unwrap_or_default()
}

/// What a write to a card gives back, from the card as it is now.
pub fn done(cx: &Cx, board: i64, card: &ApiCard, message: String) -> CardDone {
    let mut titles: Vec<String> = labels_of(card).iter().map(|label| label.title.clone()).collect();
    titles.dedup();
    CardDone {
        status_code: 200,
        message,
        card_id: card.id,
        stack_id: card.stack_id,
        board_id: board,
        order: None,
        labels: Some(titles),
        url: card_link(cx, board, card.id),
    }
}

fn is_foreign_label(error: &Error) -> bool {
    error.kind == Kind::Server
        && error.detail.as_deref().is_some_and(|detail| detail.contains("Label does not exist"))
}

fn labels_path(board: i64) -> UrlPath {
    board_path(board).raw("/labels")
}

fn label_path(board: i64, label: i64) -> UrlPath {
    labels_path(board).segment(&label.to_string())
}

fn subject(board: i64, label: i64) -> String {
    format!("label {label} of board {board}")
}
