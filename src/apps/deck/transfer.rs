//! Moving a card to another board.
//!
//! Deck moves a card when it is written below another stack. With labels on the card that goes wrong in two ways (seen on
//! 1.13.10): it refuses to take off the labels of the old board once the card is on the new one, and it refuses to change
//! those of an archived card; the card is then moved, keeps labels that its board does not have, and the answer is 500. So
//! the labels come off before, and those of the new board go on afterwards. What was taken off is put back if the move fails.

use super::api::{self, ApiBoard, ApiCard, ApiLabel, CardChange, card_link};
use super::assignments::kind_of_member;
use super::labels::{self, labels_of};
use crate::tool::{Cx, Success, ToolError};
use crate::{params, record};

params! {
    pub struct MoveCard {
        source_board_id: i64,
        source_stack_id: i64,
        card_id: i64,
        target_board_id: i64,
        target_stack_id: i64,
        /// Place in the target stack; 0 is the top.
        order: i64 = 0,
    }
}

record! {
    pub struct Moved {
        status_code: i64,
        message: String,
        card_id: i64,
        stack_id: i64,
        board_id: i64,
        /// Titles of the labels that the card carries now.
        labels: Option<Vec<String>>,
        /// Titles of those that it lost.
        labels_lost: Option<Vec<String>>,
        /// Still assigned, but the board is not shared with them.
        users_without_access: Option<Vec<String>>,
        url: Option<String>,
    }
}

/// What went otherwise than plainly, for the answer.
#[derive(Default)]
struct Notes {
    labels_made: Vec<String>,
    labels_lost: Vec<String>,
    users_without_access: Vec<String>,
    faults: Vec<String>,
}

pub fn move_card_to_board(cx: &Cx, p: MoveCard) -> Result<Success<Moved>, ToolError> {
    let card = api::card(cx, p.source_board_id, p.source_stack_id, p.card_id)?;
    if card.stack_id != p.source_stack_id {
        return Err(ToolError::Refused(format!(
            "Card {} is in stack {}, not {}; nothing was changed.",
            p.card_id, card.stack_id, p.source_stack_id
        )));
    }
    let board = target(cx, &p)?;
    let foreign = foreign_labels(&card, board.id);
    let bare = without_labels(cx, &p, &card, &foreign)?;
    let moved = put_there(cx, &p, &bare)
        .map_err(|error| ToolError::Refused(put_back(cx, &p, &card, &foreign, &error)))?;
    let mut notes = Notes::default();
    for label in &foreign {
        map_label(cx, &board, &moved, label, &mut notes);
    }
    let now = finish(cx, &p, &card, moved, !foreign.is_empty(), &mut notes);
    let assigned = card.assigned_users.iter().flatten().map(|assigned| &assigned.participant.uid);
    notes.users_without_access =
        assigned.filter(|uid| kind_of_member(&board, uid).is_none()).cloned().collect();
    let message = notes.tell(&p, &board);
    let carried: Vec<String> = labels_of(&now).iter().map(|label| label.title.clone()).collect();
    let some = |names: Vec<String>| (!names.is_empty()).then_some(names);
    Ok(Success(Moved {
        status_code: 200,
        message,
        card_id: card.id,
        stack_id: now.stack_id,
        board_id: p.target_board_id,
        labels: Some(carried),
        labels_lost: some(notes.labels_lost),
        users_without_access: some(notes.users_without_access),
        url: card_link(cx, p.target_board_id, card.id),
    }))
}

/// The target board, if a card can go there.
fn target(cx: &Cx, p: &MoveCard) -> Result<ApiBoard, ToolError> {
    let board = api::board(cx, p.target_board_id)?;
    if board.archived || !board.permissions.edit {
        let why = if board.archived { "is archived" } else { "may not be edited by this account" };
        return Err(ToolError::Refused(format!(
            "Board {} ({:?}) {why}; the card was not moved.",
            board.id, board.title
        )));
    }
    api::stack(cx, p.target_board_id, p.target_stack_id)?;
    Ok(board)
}

/// The labels of the card that are not this board's, each once.
fn foreign_labels(card: &ApiCard, board: i64) -> Vec<ApiLabel> {
    let mut foreign: Vec<ApiLabel> = Vec::new();
    for label in labels_of(card) {
        if label.board_id != Some(board) && !foreign.iter().any(|known| known.id == label.id) {
            foreign.push(label.clone());
        }
    }
    foreign
}

/// Takes the labels off, and the card out of the archive if need be for that. Leaves everything as it was where it fails.
fn without_labels(cx: &Cx, p: &MoveCard, card: &ApiCard, foreign: &[ApiLabel]) -> Result<ApiCard, ToolError> {
    let mut bare = card.clone();
    if card.archived && !foreign.is_empty() {
        api::put_card(
            cx,
            p.source_board_id,
            card,
            CardChange { archived: Some(false), ..Default::default() },
        )?;
        bare.archived = false;
    }
    for label in foreign {
        if let Err(error) = labels::remove(cx, p.source_board_id, card, label.id) {
            return Err(ToolError::Refused(put_back(cx, p, card, foreign, &error)));
        }
    }
    Ok(bare)
}

/// Writes the card below the target stack and looks whether it is there.
fn put_there(cx: &Cx, p: &MoveCard, card: &ApiCard) -> Result<ApiCard, ToolError> {
    let change = CardChange { stack_id: Some(p.target_stack_id), order: Some(p.order), ..Default::default() };
    let answer = api::put_card(cx, p.target_board_id, card, change);
    let found = api::card(cx, p.target_board_id, p.target_stack_id, card.id);
    match (answer, found) {
        // An answer that says no, or none at all, may come after the card was moved.
        (_, Ok(found)) if found.stack_id == p.target_stack_id => Ok(found),
        (Err(error), _) | (Ok(_), Err(error)) => Err(error),
        (Ok(_), Ok(found)) => Err(ToolError::Refused(format!(
            "Deck answered as if card {} had been moved, but it is still in stack {}.",
            card.id, found.stack_id
        ))),
    }
}

/// Puts labels and archive back as they were, as far as it goes, and tells what came of it.
fn put_back(cx: &Cx, p: &MoveCard, card: &ApiCard, foreign: &[ApiLabel], error: &ToolError) -> String {
    let Ok(now) = api::card(cx, p.source_board_id, p.source_stack_id, card.id) else {
        let titles = titles(foreign);
        return format!(
            "{error} Card {} could not be read afterwards, so it is not certain where it is{titles}. Look at it \
             before you try again.",
            card.id
        );
    };
    if now.stack_id != card.stack_id {
        return format!("{error} Card {} is now in stack {}{}.", card.id, now.stack_id, titles(foreign));
    }
    let gone = |label: &&ApiLabel| !labels_of(&now).iter().any(|there| there.id == label.id);
    let lost: Vec<ApiLabel> = foreign
        .iter()
        .filter(gone)
        .filter(|label| labels::assign(cx, p.source_board_id, &now, label.id).is_err())
        .cloned()
        .collect();
    let archive = CardChange { archived: Some(true), ..Default::default() };
    let is_unarchived =
        card.archived && !now.archived && api::put_card(cx, p.source_board_id, &now, archive).is_err();
    if lost.is_empty() && !is_unarchived {
        return format!("{error} Card {} was not moved and is as before.", card.id);
    }
    let archive = if is_unarchived { "; it is no longer archived" } else { "" };
    format!("{error} Card {} was not moved{archive}{}.", card.id, titles(&lost))
}

fn titles(lost: &[ApiLabel]) -> String {
    let titles: Vec<String> = lost.iter().map(|label| format!("{:?}", label.title)).collect();
    match titles.is_empty() {
        true => String::new(),
        false => format!("; it may lack its labels {}", titles.join(", ")),
    }
}

/// Gives the card the label of the same title. As Deck does it, one that is missing is made, where the account manages the
/// board.
fn map_label(cx: &Cx, board: &ApiBoard, card: &ApiCard, label: &ApiLabel, notes: &mut Notes) {
    let same = |other: &&ApiLabel| other.title == label.title;
    if labels_of(card).iter().any(|other| same(&other) && other.board_id == Some(board.id)) {
        return;
    }
    let assigned = match board.labels.iter().find(same) {
        Some(counterpart) => labels::assign(cx, board.id, card, counterpart.id),
        None if board.permissions.manage => labels::create(cx, board.id, &label.title, &label.color)
            .and_then(|made| {
                notes.labels_made.push(label.title.clone());
                labels::assign(cx, board.id, card, made.id)
            }),
        None => {
            notes.labels_lost.push(label.title.clone());
            return;
        }
    };
    if let Err(error) = assigned {
        notes.labels_lost.push(label.title.clone());
        notes.faults.push(error.to_string());
    }
}

/// Puts the card back into the archive if it came from there, and reads it once more if that or the labels changed it.
fn finish(
    cx: &Cx,
    p: &MoveCard,
    before: &ApiCard,
    moved: ApiCard,
    labels_changed: bool,
    notes: &mut Notes,
) -> ApiCard {
    let must_archive = before.archived && !moved.archived;
    if must_archive {
        let archive = CardChange { archived: Some(true), ..Default::default() };
        if let Err(error) = api::put_card(cx, p.target_board_id, &moved, archive) {
            notes.faults.push(format!("It could not be archived again: {error}"));
        }
    }
    if !must_archive && !labels_changed {
        return moved;
    }
    api::card(cx, p.target_board_id, p.target_stack_id, before.id).unwrap_or(moved)
}

impl Notes {
    fn tell(&self, p: &MoveCard, board: &ApiBoard) -> String {
        let mut told = format!(
            "Card {} is now in stack {} of board {} ({:?}).",
            p.card_id, p.target_stack_id, board.id, board.title
        );
        let listed = [
            ("Labels made on that board", &self.labels_made),
            ("Labels that it lost", &self.labels_lost),
            ("Assigned, but without access to that board", &self.users_without_access),
        ];
        for (what, names) in listed.iter().filter(|(_, names)| !names.is_empty()) {
            told.push_str(&format!(" {what}: {}.", names.join(", ")));
        }
        for fault in &self.faults {
            told.push(' ');
            told.push_str(fault);
        }
        told
    }
}
