//! What can be read by URI: `nc://Deck/boards/…`. Lists are bare arrays, as in the Python server.

use super::api::{self, ApiBoard, ApiCard, ApiStack};
use super::records::{Board, Card, Label, Stack};
use super::selection::CardView;
use crate::nextcloud::Request;
use crate::tool::{Cx, ResourceBody, ToolError, Variables};

/// `nc://Deck/boards`
pub fn boards(cx: &Cx, _: &Variables) -> Result<ResourceBody, ToolError> {
    let path = api::boards_path().query("details", true);
    let boards: Vec<ApiBoard> = api::ask(cx, Request::new("GET", path), "the list of boards")?;
    let boards = boards.into_iter().filter(|board| board.deleted_at == 0).map(|board| Board::new(cx, board));
    Ok(ResourceBody::json(boards.collect::<Vec<_>>()))
}

/// `nc://Deck/boards/{board_id}`
pub fn board(cx: &Cx, variables: &Variables) -> Result<ResourceBody, ToolError> {
    let board = api::board(cx, variables.number("board_id")?)?;
    Ok(ResourceBody::json(Board::new(cx, board)))
}

/// `nc://Deck/boards/{board_id}/stacks`
pub fn stacks(cx: &Cx, variables: &Variables) -> Result<ResourceBody, ToolError> {
    let board = variables.number("board_id")?;
    let stacks = api::stacks(cx, board)?.into_iter().map(|stack| whole_stack(cx, board, stack));
    Ok(ResourceBody::json(stacks.collect::<Vec<_>>()))
}

/// `nc://Deck/boards/{board_id}/stacks/{stack_id}`
pub fn stack(cx: &Cx, variables: &Variables) -> Result<ResourceBody, ToolError> {
    let board = variables.number("board_id")?;
    let stack = find_stack(cx, board, variables.number("stack_id")?)?;
    Ok(ResourceBody::json(whole_stack(cx, board, stack)))
}

/// `nc://Deck/boards/{board_id}/stacks/{stack_id}/cards`
pub fn cards(cx: &Cx, variables: &Variables) -> Result<ResourceBody, ToolError> {
    let board = variables.number("board_id")?;
    let stack = find_stack(cx, board, variables.number("stack_id")?)?;
    Ok(ResourceBody::json(whole_cards(cx, board, stack.cards)))
}

/// `nc://Deck/boards/{board_id}/stacks/{stack_id}/cards/{card_id}`
pub fn card(cx: &Cx, variables: &Variables) -> Result<ResourceBody, ToolError> {
    let board = variables.number("board_id")?;
    let card = api::card(cx, board, variables.number("stack_id")?, variables.number("card_id")?)?;
    Ok(ResourceBody::json(Card::new(cx, board, card, None)))
}

/// `nc://Deck/boards/{board_id}/labels`
pub fn labels(cx: &Cx, variables: &Variables) -> Result<ResourceBody, ToolError> {
    let board = api::board(cx, variables.number("board_id")?)?;
    Ok(ResourceBody::json(board.labels.into_iter().map(Label::from).collect::<Vec<_>>()))
}

/// `nc://Deck/boards/{board_id}/labels/{label_id}`
pub fn label(cx: &Cx, variables: &Variables) -> Result<ResourceBody, ToolError> {
    let (board, id) = (variables.number("board_id")?, variables.number("label_id")?);
    let label = api::board(cx, board)?.labels.into_iter().find(|label| label.id == id);
    let label =
        label.ok_or_else(|| api::missing(format!("label {id}"), &format!("it is not on board {board}")))?;
    Ok(ResourceBody::json(Label::from(label)))
}

fn find_stack(cx: &Cx, board: i64, id: i64) -> Result<ApiStack, ToolError> {
    api::stack_of(api::stacks(cx, board)?, board, id)
}

fn whole_stack(cx: &Cx, board: i64, mut stack: ApiStack) -> Stack {
    let cards = whole_cards(cx, board, std::mem::take(&mut stack.cards));
    let mut shown = Stack::new(cx, stack, cards.len());
    shown.cards = Some(cards);
    shown
}

fn whole_cards(cx: &Cx, board: i64, cards: Vec<ApiCard>) -> Vec<CardView> {
    cards.into_iter().map(|card| CardView::Full(Box::new(Card::new(cx, board, card, None)))).collect()
}
