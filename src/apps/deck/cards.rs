//! Cards: read, written, archived, deleted. Moving them is [`reorder`](super::reorder).

use serde_json::json;

use super::api::{self, ApiCard, CardChange, Told};
use super::records::{Card, CardDone};
use super::values::{Color, ColorOrNone, MomentOrNone, Title};
use crate::nextcloud::{Kind, Request, Version};
use crate::tool::{Cx, Success, ToolError};
use crate::{params, record};

/// The first Deck whose cards have a start date and a colour.
const STARTDATE_AND_COLOR_SINCE: Version = Version { major: 1, minor: 18, micro: 0 };

params! {
    pub struct CardRef {
        board_id: i64,
        stack_id: i64,
        card_id: i64,
    }
}

params! {
    pub struct CreateCard {
        board_id: i64,
        stack_id: i64,
        title: Title<255>,
        kind as "type": String = "plain",
        /// Place in the stack; the default is its end.
        order: i64 = 999,
        /// Markdown.
        description: Option<String>,
        /// ISO 8601; without an offset it is UTC.
        duedate: Option<MomentOrNone>,
        /// As duedate; from Deck 1.18 on.
        startdate: Option<MomentOrNone>,
        /// Hexadecimal; from Deck 1.18 on.
        color: Option<ColorOrNone>,
    }
}

params! {
    pub struct UpdateCard {
        board_id: i64,
        stack_id: i64,
        card_id: i64,
        title: Option<Title<255>>,
        /// Markdown.
        description: Option<String>,
        kind as "type": Option<String>,
        /// Deck cannot change it; any but the present one is refused.
        owner: Option<String>,
        order: Option<i64>,
        /// ISO 8601; without an offset it is UTC.
        duedate: Option<MomentOrNone>,
        archived: Option<bool>,
        /// When it was done, as duedate; "" for not done.
        done: Option<MomentOrNone>,
        /// From Deck 1.18 on.
        startdate: Option<MomentOrNone>,
        /// Hexadecimal; from Deck 1.18 on.
        color: Option<ColorOrNone>,
    }
}

record! {
    pub struct CreatedCard {
        id: i64,
        title: String,
        stack_id as "stackId": i64,
        url: Option<String>,
    }
}

pub fn get_card(cx: &Cx, p: CardRef) -> Result<Card, ToolError> {
    let card = api::card(cx, p.board_id, p.stack_id, p.card_id)?;
    Ok(Card::new(cx, p.board_id, card, None))
}

pub fn create_card(cx: &Cx, p: CreateCard) -> Result<Success<CreatedCard>, ToolError> {
    let startdate = p.startdate.and_then(|date| date.0);
    let color = p.color.and_then(|color| color.0);
    if startdate.is_some() || color.is_some() {
        let version = cx.nc.capabilities()?.app_version("deck");
        if version.is_some_and(|version| version < STARTDATE_AND_COLOR_SINCE) {
            return Err(unknown_field(if startdate.is_some() { "start date" } else { "colour" }));
        }
    }
    let mut body = json!({"title": p.title.into_string(), "type": p.kind, "order": p.order});
    let fields = [
        ("description", p.description),
        ("duedate", p.duedate.and_then(|date| date.0)),
        ("startdate", startdate),
        ("color", color.map(Color::into_string)),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            body[name] = value.into();
        }
    }
    let request = Request::new("POST", api::cards_path(p.board_id, p.stack_id)).json(&body);
    let subject = format!("stack {} of board {}", p.stack_id, p.board_id);
    let card: ApiCard = api::ask(cx, request, &subject)?;
    Ok(Success(CreatedCard {
        url: api::card_link(cx, p.board_id, card.id),
        id: card.id,
        title: card.title,
        stack_id: card.stack_id,
    }))
}

fn unknown_field(field: &str) -> ToolError {
    ToolError::Refused(format!(
        "The Deck of this Nextcloud knows no {field} of cards (Deck 1.18 and later do); nothing was written."
    ))
}

pub fn update_card(cx: &Cx, p: UpdateCard) -> Result<Success<CardDone>, ToolError> {
    let owner = p.owner;
    let change = CardChange {
        title: p.title.map(Title::into_string),
        description: p.description,
        kind: p.kind,
        order: p.order,
        stack_id: None,
        archived: p.archived,
        duedate: p.duedate.map(|date| date.0),
        done: p.done.map(|date| date.0),
        startdate: p.startdate.map(|date| date.0),
        color: p.color.map(|color| color.0.map(Color::into_string)),
    };
    if change.is_empty() && owner.is_none() {
        return Err(ToolError::Arguments(
            "give at least one of `title`, `description`, `type`, `order`, `duedate`, `archived`, `done`, \
             `startdate`, `color`"
                .into(),
        ));
    }
    let card = api::card(cx, p.board_id, p.stack_id, p.card_id)?;
    if let Some(owner) = owner.filter(|owner| *owner != card.owner.uid) {
        return Err(ToolError::Refused(format!(
            "Card {} belongs to {:?}, and Deck cannot give it to {owner:?}; nothing was written. To make somebody \
             responsible, use deck_assign_user_to_card.",
            card.id, card.owner.uid
        )));
    }
    if change.startdate.is_some() && card.startdate.is_none() {
        return Err(unknown_field("start date"));
    }
    if change.color.is_some() && card.color.is_none() {
        return Err(unknown_field("colour"));
    }
    let updated = api::put_card(cx, p.board_id, &card, change)?;
    Ok(done(cx, p.board_id, &updated, "updated"))
}

pub fn delete_card(cx: &Cx, p: CardRef) -> Result<Success<CardDone>, ToolError> {
    let request = Request::new("DELETE", api::card_path(p.board_id, p.stack_id, p.card_id));
    let card: ApiCard = api::ask(cx, request, &format!("card {}", p.card_id))?;
    let mut deleted = done(cx, p.board_id, &card, "deleted");
    deleted.0.message = format!("Card {} ({:?}) deleted. {}.", card.id, card.title, api::RESTORE);
    deleted.0.url = None;
    Ok(deleted)
}

pub fn archive_card(cx: &Cx, p: CardRef) -> Result<Success<CardDone>, ToolError> {
    set_archived(cx, &p, true)
}

pub fn unarchive_card(cx: &Cx, p: CardRef) -> Result<Success<CardDone>, ToolError> {
    set_archived(cx, &p, false)
}

/// By the route of Deck ≥ 1.15, which touches nothing else; before, by writing the whole card.
fn set_archived(cx: &Cx, p: &CardRef, archived: bool) -> Result<Success<CardDone>, ToolError> {
    let (route, word) =
        if archived { ("/archive", "archived") } else { ("/unarchive", "back from the archive") };
    let path = api::card_path(p.board_id, p.stack_id, p.card_id).raw(route);
    let card = match cx.nc.json(Request::new("PUT", path)) {
        Err(error) if matches!(error.kind, Kind::MethodNotAllowed | Kind::NotFound) => {
            let card = api::card(cx, p.board_id, p.stack_id, p.card_id)?;
            if card.archived == archived {
                card
            } else {
                let change = CardChange { archived: Some(archived), ..CardChange::default() };
                api::put_card(cx, p.board_id, &card, change)?
            }
        }
        answer => answer.told(format!("card {}", p.card_id))?,
    };
    Ok(done(cx, p.board_id, &card, word))
}

/// What a write gives back: the card where it is now.
pub fn done(cx: &Cx, board: i64, card: &ApiCard, what: &str) -> Success<CardDone> {
    Success(CardDone {
        status_code: 200,
        message: format!("Card {} ({:?}) {what}; it is in stack {}.", card.id, card.title, card.stack_id),
        card_id: card.id,
        stack_id: card.stack_id,
        board_id: board,
        order: None,
        labels: None,
        url: api::card_link(cx, board, card.id),
    })
}
