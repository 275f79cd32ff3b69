//! Who works on a card, and what it waits for.

use serde_json::{Value, json};

use super::api::{self, ApiAssignment, ApiBoard, ApiCard, Told, ask, card_path};
use super::labels::done;
use super::records::CardDone;
use crate::nextcloud::Request;
use crate::params;
use crate::tool::{Cx, Success, ToolError};

/// Members of a board that an error names.
const MEMBERS_TOLD_MAX: usize = 20;

params! {
    pub struct CardUser {
        board_id: i64,
        stack_id: i64,
        card_id: i64,
        /// Or a group that the board is shared with.
        user_id: String,
    }
}

params! {
    pub struct CardDependency {
        board_id: i64,
        stack_id: i64,
        card_id: i64,
        dependent_card_id: i64,
    }
}

pub fn assign_user_to_card(cx: &Cx, p: CardUser) -> Result<Success<CardDone>, ToolError> {
    let card = api::card(cx, p.board_id, p.stack_id, p.card_id)?;
    if assignment(&card, &p.user_id).is_some() {
        let message =
            format!("{:?} is assigned to card {} already; nothing was changed.", p.user_id, p.card_id);
        return Ok(Success(done(cx, p.board_id, &card, message)));
    }
    let board = api::board(cx, p.board_id)?;
    let kind = kind_of_member(&board, &p.user_id)
        .ok_or_else(|| ToolError::Refused(no_member(&board, &p.user_id, p.card_id)))?;
    let path = card_path(p.board_id, card.stack_id, card.id).raw("/assignUser");
    let request = Request::new("PUT", path).json(&json!({"userId": p.user_id, "type": kind}));
    let _: ApiAssignment = cx.nc.json(request).told_of_known(subject(&p))?;
    let message = format!("{:?} is now assigned to card {}.", p.user_id, p.card_id);
    Ok(Success(done(cx, p.board_id, &card, message)))
}

pub fn unassign_user_from_card(cx: &Cx, p: CardUser) -> Result<Success<CardDone>, ToolError> {
    let card = api::card(cx, p.board_id, p.stack_id, p.card_id)?;
    let Some(assigned) = assignment(&card, &p.user_id) else {
        let message = format!("{:?} is not assigned to card {}; nothing was changed.", p.user_id, p.card_id);
        return Ok(Success(done(cx, p.board_id, &card, message)));
    };
    let path = card_path(p.board_id, card.stack_id, card.id).raw("/unassignUser");
    let request = Request::new("PUT", path).json(&json!({"userId": p.user_id, "type": assigned.kind}));
    let _: Value = cx.nc.json(request).told_of_known(subject(&p))?;
    let message = format!("{:?} is no longer assigned to card {}.", p.user_id, p.card_id);
    Ok(Success(done(cx, p.board_id, &card, message)))
}

pub fn assign_dependent_card(cx: &Cx, p: CardDependency) -> Result<Success<CardDone>, ToolError> {
    if p.card_id == p.dependent_card_id {
        return Err(ToolError::Arguments("a card cannot depend on itself".into()));
    }
    let card = change_dependency(cx, "POST", &p)?;
    let message = format!("Card {} now has card {} as a dependency.", p.card_id, p.dependent_card_id);
    Ok(Success(done(cx, p.board_id, &card, message)))
}

pub fn remove_dependent_card(cx: &Cx, p: CardDependency) -> Result<Success<CardDone>, ToolError> {
    let card = change_dependency(cx, "DELETE", &p)?;
    let message = format!("Card {} does not depend on card {}.", p.card_id, p.dependent_card_id);
    Ok(Success(done(cx, p.board_id, &card, message)))
}

/// `…/cards/{card}/dependentCards/{other}` (Deck ≥ 1.18). Deck takes it as done where nothing has to be changed.
fn change_dependency(cx: &Cx, method: &'static str, p: &CardDependency) -> Result<ApiCard, ToolError> {
    let path = card_path(p.board_id, p.stack_id, p.card_id)
        .raw("/dependentCards")
        .segment(&p.dependent_card_id.to_string());
    ask(cx, Request::new(method, path), &format!("card {} or card {}", p.card_id, p.dependent_card_id))
}

fn assignment<'a>(card: &'a ApiCard, id: &str) -> Option<&'a ApiAssignment> {
    card.assigned_users.iter().flatten().find(|assigned| assigned.participant.uid == id)
}

/// Deck's number for the kind of a member: 0 user, 1 group, 7 team. Deck itself would take a group for a user.
pub fn kind_of_member(board: &ApiBoard, id: &str) -> Option<i64> {
    if board.owner.uid == id || board.users.iter().any(|user| user.uid == id) {
        return Some(0);
    }
    board.acl.iter().find(|acl| acl.participant.uid == id).map(|acl| acl.kind)
}

fn no_member(board: &ApiBoard, id: &str, card: i64) -> String {
    let members = board.users.iter().map(|user| user.uid.as_str());
    let groups = board.acl.iter().filter(|acl| acl.kind != 0).map(|acl| acl.participant.uid.as_str());
    let mut told: Vec<&str> = members.chain(groups).take(MEMBERS_TOLD_MAX + 1).collect();
    if told.len() > MEMBERS_TOLD_MAX {
        told[MEMBERS_TOLD_MAX] = "…";
    }
    format!(
        "{id:?} has no access to board {} ({:?}), so card {card} cannot be assigned to them; nothing was changed. Who \
         has: {}. A user id is not the display name, and capitals count. The board can be shared in the browser.",
        board.id,
        board.title,
        told.join(", ")
    )
}

fn subject(p: &CardUser) -> String {
    format!("the assignment of {:?} to card {}", p.user_id, p.card_id)
}
