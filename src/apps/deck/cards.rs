//! Cards.

use super::api;
use super::records::Card;
use crate::params;
use crate::tool::{Cx, ToolError};

params! {
    pub struct CardRef {
        board_id: i64,
        stack_id: i64,
        card_id: i64,
    }
}

pub fn get_card(cx: &Cx, p: CardRef) -> Result<Card, ToolError> {
    let card = api::card(cx, p.board_id, p.stack_id, p.card_id)?;
    Ok(Card::new(cx, p.board_id, card, None))
}
