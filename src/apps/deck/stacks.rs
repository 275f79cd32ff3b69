//! Stacks (lists), and the cards in them.

use serde_json::json;

use super::api::{self, ApiCard, ApiStack, Told};
use super::records::{Stack, StackDone};
use super::selection::{CardView, Detail, Selection, Status, View};
use super::values::Title;
use crate::nextcloud::Request;
use crate::schema::{Count, Wire};
use crate::tool::{Cursor, Cx, PAGE_BYTES, Page, Success, ToolError};
use crate::{params, record};

/// Stacks in one answer; a board has a handful.
const STACKS_MAX: usize = 100;

params! {
    pub struct GetStacks {
        board_id: i64,
        include_cards: bool = true,
        detail: Detail = Detail::Summary,
        status: Status = Status::Open,
        /// Title or id.
        label: Option<String>,
        /// User id or name.
        assigned_to: Option<String>,
        description_max_length: Option<u64>,
        description_preview_length: Count<0, 1000> = 140,
        cursor: Option<Cursor>,
    }
}

params! {
    pub struct GetStack {
        board_id: i64,
        stack_id: i64,
        include_cards: bool = true,
        detail: Detail = Detail::Summary,
        status: Status = Status::Open,
        /// Title or id.
        label: Option<String>,
        /// User id or name.
        assigned_to: Option<String>,
        description_max_length: Option<u64>,
        description_preview_length: Count<0, 1000> = 140,
        cursor: Option<Cursor>,
    }
}

params! {
    pub struct GetArchivedStacks {
        board_id: i64,
        detail: Detail = Detail::Summary,
        /// Title or id.
        label: Option<String>,
        /// User id or name.
        assigned_to: Option<String>,
        description_max_length: Option<u64>,
        description_preview_length: Count<0, 1000> = 140,
        cursor: Option<Cursor>,
    }
}

params! {
    pub struct GetCards {
        board_id: i64,
        stack_id: i64,
        detail: Detail = Detail::Summary,
        status: Status = Status::Open,
        /// Title or id.
        label: Option<String>,
        /// User id or name.
        assigned_to: Option<String>,
        description_max_length: Option<u64>,
        description_preview_length: Count<0, 1000> = 140,
        limit: Count<1, 500> = 100,
        cursor: Option<Cursor>,
    }
}

params! {
    pub struct CreateStack {
        board_id: i64,
        title: Title<100>,
        order: i64,
    }
}

params! {
    pub struct UpdateStack {
        board_id: i64,
        stack_id: i64,
        title: Option<Title<100>>,
        order: Option<i64>,
    }
}

params! {
    pub struct StackRef {
        board_id: i64,
        stack_id: i64,
    }
}

record! {
    pub struct StackList {
        stacks: Vec<Stack>,
        total: i64,
        /// Cards that match, on all stacks.
        total_cards: i64,
        next_cursor: Option<Cursor>,
    }
}

record! {
    pub struct CardList {
        cards: Vec<CardView>,
        total: i64,
        next_cursor: Option<Cursor>,
    }
}

record! {
    pub struct CreatedStack {
        id: i64,
        title: String,
        order: i64,
        url: Option<String>,
    }
}

pub fn get_stacks(cx: &Cx, p: GetStacks) -> Result<Success<StackList>, ToolError> {
    let selection = Selection::new(p.status, &p.label, &p.assigned_to);
    let view = View {
        detail: p.detail,
        description_chars_max: p.description_max_length,
        preview_chars: p.description_preview_length.get(),
    };
    let stacks = selection.stacks(cx, p.board_id)?;
    stack_list(cx, p.board_id, stacks, p.cursor, p.include_cards.then_some(&view)).map(Success)
}

pub fn get_archived_stacks(cx: &Cx, p: GetArchivedStacks) -> Result<Success<StackList>, ToolError> {
    let selection = Selection::new(Status::Archived, &p.label, &p.assigned_to);
    let view = View {
        detail: p.detail,
        description_chars_max: p.description_max_length,
        preview_chars: p.description_preview_length.get(),
    };
    let stacks = selection.stacks(cx, p.board_id)?;
    stack_list(cx, p.board_id, stacks, p.cursor, Some(&view)).map(Success)
}

/// As many stacks and cards as fit into one answer, the stacks first.
pub fn stack_list(
    cx: &Cx,
    board: i64,
    stacks: Vec<ApiStack>,
    start: Option<Cursor>,
    view: Option<&View>,
) -> Result<StackList, ToolError> {
    let total_cards = stacks.iter().map(|stack| stack.cards.len() as i64).sum();
    let (heads, mut cards): (Vec<Stack>, Vec<Vec<ApiCard>>) = stacks
        .into_iter()
        .map(|mut stack| (std::mem::take(&mut stack.cards), stack))
        .map(|(cards, stack)| (Stack::new(cx, stack, cards.len()), cards))
        .unzip();
    let page = Page::cut(heads, start, STACKS_MAX)?;
    let mut rows = page.rows;
    if let Some(view) = view {
        cards.drain(..start.unwrap_or_default().0.min(cards.len()));
        let room = PAGE_BYTES.saturating_sub(rows.clone().write().to_string().len());
        let views = cards
            .into_iter()
            .take(rows.len())
            .map(|cards| cards.into_iter().map(|card| view.of(cx, board, card)).collect());
        for (row, cards) in rows.iter_mut().zip(fair_shares(views.collect(), room)) {
            row.next_cursor = (cards.len() < row.card_count as usize).then_some(Cursor(cards.len()));
            row.cards = Some(cards);
        }
    }
    Ok(StackList { stacks: rows, total: page.total, total_cards, next_cursor: page.next_cursor })
}

/// The first cards of each stack, so many that all take at most `room` bytes: card by card in turns, so that a long stack
/// does not hide the others.
fn fair_shares(stacks: Vec<Vec<CardView>>, room: usize) -> Vec<Vec<CardView>> {
    let mut left = room;
    let mut shares: Vec<Vec<CardView>> = stacks.iter().map(|_| Vec::new()).collect();
    let mut waiting: Vec<_> = stacks.into_iter().map(IntoIterator::into_iter).enumerate().collect();
    while !waiting.is_empty() {
        waiting.retain_mut(|(stack, cards)| {
            let Some(card) = cards.next() else { return false };
            let bytes = card.clone().write().to_string().len() + 1;
            let fits = bytes <= left;
            if fits {
                left -= bytes;
                shares[*stack].push(card);
            }
            fits
        });
    }
    shares
}

pub fn get_stack(cx: &Cx, p: GetStack) -> Result<Stack, ToolError> {
    let selection = Selection::new(p.status, &p.label, &p.assigned_to);
    let view = View {
        detail: p.detail,
        description_chars_max: p.description_max_length,
        preview_chars: p.description_preview_length.get(),
    };
    let mut stack = selection.stack(cx, p.board_id, p.stack_id)?;
    let cards = std::mem::take(&mut stack.cards);
    let mut shown = Stack::new(cx, stack, cards.len());
    if p.include_cards {
        let cards = cards.into_iter().map(|card| view.of(cx, p.board_id, card)).collect();
        let page = Page::cut(cards, p.cursor, usize::MAX)?;
        shown.cards = Some(page.rows);
        shown.next_cursor = page.next_cursor;
    }
    Ok(shown)
}

pub fn get_cards(cx: &Cx, p: GetCards) -> Result<Success<CardList>, ToolError> {
    let selection = Selection::new(p.status, &p.label, &p.assigned_to);
    let view = View {
        detail: p.detail,
        description_chars_max: p.description_max_length,
        preview_chars: p.description_preview_length.get(),
    };
    let stack = selection.stack(cx, p.board_id, p.stack_id)?;
    let cards = stack.cards.into_iter().map(|card| view.of(cx, p.board_id, card)).collect();
    let page = Page::cut(cards, p.cursor, p.limit.get())?;
    Ok(Success(CardList { cards: page.rows, total: page.total, next_cursor: page.next_cursor }))
}

pub fn create_stack(cx: &Cx, p: CreateStack) -> Result<Success<CreatedStack>, ToolError> {
    let body = json!({"title": p.title.into_string(), "order": p.order});
    let request = Request::new("POST", api::stacks_path(p.board_id)).json(&body);
    let stack: ApiStack = api::ask(cx, request, &format!("board {}", p.board_id))?;
    Ok(Success(CreatedStack {
        id: stack.id,
        title: stack.title,
        order: stack.order,
        url: api::board_link(cx, p.board_id),
    }))
}

pub fn update_stack(cx: &Cx, p: UpdateStack) -> Result<Success<StackDone>, ToolError> {
    let stack = api::stack(cx, p.board_id, p.stack_id)?;
    let was_deleted = stack.deleted_at > 0;
    if p.title.is_none() && p.order.is_none() && !was_deleted {
        return Err(ToolError::Arguments("give at least one of `title`, `order`".into()));
    }
    let title = p.title.map_or(stack.title, Title::into_string);
    let body = json!({"title": title, "order": p.order.unwrap_or(stack.order)});
    let request = Request::new("PUT", api::stack_path(p.board_id, p.stack_id)).json(&body);
    let stack: ApiStack = cx.nc.json(request).told_of_known(format!("stack {}", p.stack_id))?;
    let done = if was_deleted { "restored with its cards" } else { "updated" };
    let message = format!("Stack {} {done}: {:?} at order {}.", stack.id, stack.title, stack.order);
    Ok(Success(StackDone { status_code: 200, message, stack_id: stack.id, board_id: p.board_id }))
}

pub fn delete_stack(cx: &Cx, p: StackRef) -> Result<Success<StackDone>, ToolError> {
    let stack = api::stack(cx, p.board_id, p.stack_id)?;
    let subject = format!("Stack {} ({:?})", stack.id, stack.title);
    let message = if stack.deleted_at > 0 {
        format!("{subject} was deleted before. To get it back, call deck_update_stack with the same ids.")
    } else {
        let request = Request::new("DELETE", api::stack_path(p.board_id, p.stack_id));
        let deleted: ApiStack = cx.nc.json(request).told_of_known(format!("stack {}", p.stack_id))?;
        format!(
            "{subject} deleted with its {} cards, not counting archived ones. To get all back, call \
             deck_update_stack with the same ids.",
            deleted.cards.len()
        )
    };
    Ok(Success(StackDone { status_code: 200, message, stack_id: p.stack_id, board_id: p.board_id }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(count: usize, description: &str) -> Vec<CardView> {
        let card = serde_json::json!({
            "id": 1, "title": "t", "stackId": 1, "type": "plain", "order": 0, "archived": false,
            "owner": {"primaryKey": "a", "uid": "a", "displayname": "a"}, "description": description,
            "lastModified": 0, "createdAt": 0, "labels": [], "deletedAt": 0,
        });
        vec![CardView::read(card).unwrap(); count]
    }

    fn counts(stacks: Vec<Vec<CardView>>, room: usize) -> Vec<usize> {
        fair_shares(stacks, room).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_long_stack_does_not_hide_the_others() {
        let card = stack(1, "").remove(0).write().to_string().len() + 1;
        assert_eq!(counts(vec![stack(9, ""), stack(2, ""), vec![]], 6 * card), [4, 2, 0]);
        assert_eq!(counts(vec![stack(9, ""), stack(2, "")], 99 * card), [9, 2]);
        assert_eq!(counts(vec![stack(9, ""), stack(2, "")], card - 1), [0, 0]);
    }

    #[test]
    fn a_stack_shows_no_card_behind_one_that_does_not_fit() {
        let mut first = stack(1, &"long ".repeat(500));
        first.extend(stack(3, ""));
        let card = stack(1, "").remove(0).write().to_string().len() + 1;
        assert_eq!(counts(vec![first, stack(3, "")], 5 * card), [0, 3]);
    }
}
