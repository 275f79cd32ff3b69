//! Which cards of a board are meant, and how much is told of each.

use super::api::{self, ApiCard, ApiStack};
use super::records::{Card, CardSummary};
use crate::choice;
use crate::schema::{Object, Wire};
use crate::tool::{Cx, ToolError};

choice! {
    pub enum Status { Open = "open", Done = "done", Archived = "archived", All = "all" }
}

choice! {
    pub enum Detail { Summary = "summary", Full = "full" }
}

/// Archived cards whose users are asked for one by one, since Deck's list of them does not tell.
const ARCHIVED_LOOKUPS_MAX: usize = 40;

/// Which cards are meant.
pub struct Selection<'a> {
    status: Status,
    label: Option<&'a str>,
    assigned_to: Option<&'a str>,
}

impl<'a> Selection<'a> {
    /// `label` is the title or id of a label, `assigned_to` the id or display name of a user or group; blank is none.
    pub fn new(status: Status, label: &'a Option<String>, assigned_to: &'a Option<String>) -> Selection<'a> {
        fn wanted(text: &Option<String>) -> Option<&str> {
            text.as_deref().map(str::trim).filter(|text| !text.is_empty())
        }
        Selection { status, label: wanted(label), assigned_to: wanted(assigned_to) }
    }

    /// The stacks of a board in their order, each with the cards that are meant in theirs. Fails if the assigned users of
    /// more than 40 archived cards would have to be looked up.
    pub fn stacks(&self, cx: &Cx, board: i64) -> Result<Vec<ApiStack>, ToolError> {
        let mut stacks = match self.status {
            Status::Archived => api::archived_stacks(cx, board)?,
            Status::All => merged(api::stacks(cx, board)?, api::archived_stacks(cx, board)?),
            Status::Open | Status::Done => api::stacks(cx, board)?,
        };
        for stack in &mut stacks {
            stack.cards.retain(|card| self.has_status(card) && self.has_label(card));
        }
        if let Some(name) = self.assigned_to {
            tell_assigned(cx, board, &mut stacks)?;
            for stack in &mut stacks {
                stack.cards.retain(|card| is_assigned(card, name));
            }
        }
        Ok(stacks)
    }

    /// One of them.
    pub fn stack(&self, cx: &Cx, board: i64, id: i64) -> Result<ApiStack, ToolError> {
        api::stack_of(self.stacks(cx, board)?, board, id)
    }

    fn has_status(&self, card: &ApiCard) -> bool {
        match self.status {
            Status::Open => !card.archived && card.done.is_none(),
            Status::Done => !card.archived && card.done.is_some(),
            Status::Archived => card.archived,
            Status::All => true,
        }
    }

    fn has_label(&self, card: &ApiCard) -> bool {
        self.label.is_none_or(|wanted| {
            let labels = card.labels.as_deref().unwrap_or_default();
            labels.iter().any(|label| same(&label.title, wanted) || label.id.to_string() == wanted)
        })
    }
}

fn is_assigned(card: &ApiCard, name: &str) -> bool {
    let assigned = card.assigned_users.as_deref().unwrap_or_default();
    assigned.iter().any(|a| same(&a.participant.uid, name) || same(&a.participant.display_name, name))
}

fn same(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.to_lowercase()
}

/// Both lists name all stacks of the board.
fn merged(mut stacks: Vec<ApiStack>, archived: Vec<ApiStack>) -> Vec<ApiStack> {
    for more in archived {
        match stacks.iter_mut().find(|stack| stack.id == more.id) {
            Some(stack) => stack.cards.extend(more.cards),
            None => stacks.push(more),
        }
    }
    stacks
}

/// Completes the cards of which Deck did not say who is assigned.
fn tell_assigned(cx: &Cx, board: i64, stacks: &mut [ApiStack]) -> Result<(), ToolError> {
    let is_unknown = |card: &ApiCard| card.assigned_users.is_none();
    let count = stacks.iter().flat_map(|stack| &stack.cards).filter(|card| is_unknown(card)).count();
    if count > ARCHIVED_LOOKUPS_MAX {
        return Err(ToolError::Refused(format!(
            "Deck does not list who is assigned to archived cards, and {count} are too many to look up one by one. \
             Add `label`, or leave out `assigned_to`."
        )));
    }
    for card in stacks.iter_mut().flat_map(|stack| &mut stack.cards).filter(|card| is_unknown(card)) {
        card.assigned_users = api::card(cx, board, card.stack_id, card.id)?.assigned_users;
    }
    Ok(())
}

/// How much is told of each card.
pub struct View {
    pub detail: Detail,
    /// Characters of a description in full detail; all if absent.
    pub description_chars_max: Option<u64>,
    /// Characters of a description in a summary.
    pub preview_chars: usize,
}

impl View {
    pub fn of(&self, cx: &Cx, board: i64, card: ApiCard) -> CardView {
        match self.detail {
            Detail::Summary => {
                CardView::Summary(Box::new(CardSummary::new(cx, board, card, self.preview_chars)))
            }
            Detail::Full => {
                let max = self.description_chars_max.map(|max| usize::try_from(max).unwrap_or(usize::MAX));
                CardView::Full(Box::new(Card::new(cx, board, card, max)))
            }
        }
    }
}

/// A card in one of its two forms.
#[derive(Debug, Clone)]
pub enum CardView {
    Summary(Box<CardSummary>),
    Full(Box<Card>),
}

impl Wire for CardView {
    fn schema() -> serde_json::Value {
        Object::schema()
    }

    fn read(value: serde_json::Value) -> Result<Self, String> {
        Card::read(value).map(|card| CardView::Full(Box::new(card)))
    }

    fn write(self) -> serde_json::Value {
        match self {
            CardView::Summary(summary) => summary.write(),
            CardView::Full(card) => card.write(),
        }
    }
}
