//! Moving a card within its stack or to another stack of the same board.
//!
//! `PUT …/stacks/{stack}/cards/{card}/reorder` moves into the stack of the *path*; a `stackId` in the body is not looked
//! at. Before Deck 1.16 it brings the card into the stack but does not find it there by its id: it numbers all cards in
//! the order that they had and leaves the wanted number free. Then the card is written onto that number.

use serde_json::json;

use super::api::{self, ApiCard, ApiStack, CardChange, Told};
use super::cards::done;
use super::records::CardDone;
use crate::nextcloud::Request;
use crate::params;
use crate::schema::Count;
use crate::tool::{Cx, Success, ToolError};

params! {
    pub struct ReorderCard {
        board_id: i64,
        /// Where it is.
        stack_id: i64,
        card_id: i64,
        /// 0 is the top.
        order: Count<0, 1_000_000>,
        /// Where it goes; may be the same.
        target_stack_id: i64,
    }
}

pub fn reorder_card(cx: &Cx, p: ReorderCard) -> Result<Success<CardDone>, ToolError> {
    let target = api::stack(cx, p.board_id, p.target_stack_id)?;
    if p.stack_id == p.target_stack_id {
        check_place(cx, &p, &target)?;
    } else {
        check_place(cx, &p, &api::stack(cx, p.board_id, p.stack_id)?)?;
    }
    if target.deleted_at > 0 {
        return Err(ToolError::Refused(format!("Stack {} was deleted; nothing was moved.", target.id)));
    }
    let order = p.order.get() as i64;
    let card = placed(cx, &p, order)?;
    if card.stack_id != p.target_stack_id || card.order != order {
        return Err(ToolError::Refused(format!(
            "Deck took the move, but card {} is in stack {} at order {}. Look at it before you try again.",
            card.id, card.stack_id, card.order
        )));
    }
    let mut moved = done(cx, p.board_id, &card, &format!("moved to order {order}"));
    moved.0.order = Some(order);
    Ok(moved)
}

/// Fails, with where it is, unless the card is in this stack and not archived. Without this a wrong number would pull a
/// card out of another board, with labels that do not exist here.
fn check_place(cx: &Cx, p: &ReorderCard, stack: &ApiStack) -> Result<(), ToolError> {
    if stack.cards.iter().any(|card| card.id == p.card_id) {
        return Ok(());
    }
    let card = api::card(cx, p.board_id, p.stack_id, p.card_id)?;
    Err(ToolError::Refused(if card.archived && card.stack_id == p.stack_id {
        format!("Card {} is archived; nothing was moved. deck_unarchive_card brings it back first.", card.id)
    } else {
        format!("Card {} is in stack {}, not {}; nothing was moved.", card.id, card.stack_id, p.stack_id)
    }))
}

/// Moves the card; gives it back as Deck has it then.
fn placed(cx: &Cx, p: &ReorderCard, order: i64) -> Result<ApiCard, ToolError> {
    let cards = ask_to_reorder(cx, p, order)?;
    let card = find(&cards, p)?;
    if card.order == order {
        return Ok(card.clone());
    }
    // An old Deck. It counted the card itself among those before the free number: so it has to stand behind it first.
    if card.order < order {
        let end = cards.iter().map(|card| card.order).max().unwrap_or(order).max(order) + 1;
        write_order(cx, p, card, end)?;
        ask_to_reorder(cx, p, order)?;
    }
    write_order(cx, p, card, order)
}

/// Gives the cards of the target stack.
fn ask_to_reorder(cx: &Cx, p: &ReorderCard, order: i64) -> Result<Vec<ApiCard>, ToolError> {
    let path = api::card_path(p.board_id, p.target_stack_id, p.card_id).raw("/reorder");
    let body = json!({"order": order, "stackId": p.target_stack_id});
    cx.nc.json(Request::new("PUT", path).json(&body)).told_of_known(format!("card {}", p.card_id))
}

fn write_order(cx: &Cx, p: &ReorderCard, card: &ApiCard, order: i64) -> Result<ApiCard, ToolError> {
    let change =
        CardChange { order: Some(order), stack_id: Some(p.target_stack_id), ..CardChange::default() };
    api::put_card(cx, p.board_id, card, change)
}

fn find<'a>(cards: &'a [ApiCard], p: &ReorderCard) -> Result<&'a ApiCard, ToolError> {
    cards.iter().find(|card| card.id == p.card_id).ok_or_else(|| {
        ToolError::Refused(format!(
            "Deck took the move, but card {} is not in stack {}. Look at it before you try again.",
            p.card_id, p.target_stack_id
        ))
    })
}
