//! Boards.

use serde_json::json;

use super::api::{self, ApiBoard};
use super::records::{Board, Stack};
use super::selection::{CardView, Detail, Selection, Status, View};
use super::stacks::stack_list;
use super::values::{Color, Title};
use crate::nextcloud::Request;
use crate::schema::Count;
use crate::tool::{Cursor, Cx, Page, Success, ToolError};
use crate::{params, record};

params! {
    pub struct GetBoards {
        include_acl: bool = false,
        include_users: bool = false,
        include_labels: bool = false,
        limit: Count<1, 200> = 100,
        cursor: Option<Cursor>,
    }
}

params! {
    pub struct GetBoard {
        board_id: i64,
        include_acl: bool = true,
        include_users: bool = true,
        include_labels: bool = true,
    }
}

record! {
    pub struct BoardList {
        boards: Vec<Board>,
        total: i64,
        next_cursor: Option<Cursor>,
    }
}

pub fn get_boards(cx: &Cx, p: GetBoards) -> Result<Success<BoardList>, ToolError> {
    let mut path = api::boards_path();
    // The plain list has empty labels, shares and users, whatever a board has.
    if p.include_acl || p.include_users || p.include_labels {
        path = path.query("details", true);
    }
    let boards: Vec<ApiBoard> = api::ask(cx, Request::new("GET", path), "the list of boards")?;
    let boards = boards
        .into_iter()
        .filter(|board| board.deleted_at == 0)
        .map(|board| trimmed(Board::new(cx, board), p.include_acl, p.include_users, p.include_labels))
        .collect();
    let page = Page::cut(boards, p.cursor, p.limit.get())?;
    Ok(Success(BoardList { boards: page.rows, total: page.total, next_cursor: page.next_cursor }))
}

pub fn get_board(cx: &Cx, p: GetBoard) -> Result<Board, ToolError> {
    let board = Board::new(cx, api::board(cx, p.board_id)?);
    Ok(trimmed(board, p.include_acl, p.include_users, p.include_labels))
}

fn trimmed(mut board: Board, acl: bool, users: bool, labels: bool) -> Board {
    board.acl = board.acl.filter(|_| acl);
    board.users = board.users.filter(|_| users);
    board.labels = board.labels.filter(|_| labels);
    board
}

params! {
    pub struct GetBoardOverview {
        board_id: i64,
        status: Status = Status::Open,
        /// Title or id.
        label: Option<String>,
        /// User id or name.
        assigned_to: Option<String>,
        description_preview_length: Count<0, 1000> = 140,
        cursor: Option<Cursor>,
    }
}

params! {
    pub struct CreateBoard {
        title: Title<100>,
        /// Hexadecimal, e.g. 31CC7C.
        color: Color,
    }
}

record! {
    pub struct Overview {
        board_id: i64,
        title: String,
        archived: bool,
        labels: Vec<String>,
        stacks: Vec<OverviewStack>,
        total_cards: i64,
        next_cursor: Option<Cursor>,
        url: Option<String>,
    }
}

record! {
    pub struct OverviewStack {
        id: i64,
        title: String,
        order: i64,
        /// Cards that match, also those that are not shown.
        card_count: i64,
        cards: Vec<CardView>,
        /// For deck_get_cards with this stack and the same filters, where not all its cards are shown.
        next_cursor: Option<Cursor>,
    }
}

impl From<Stack> for OverviewStack {
    fn from(stack: Stack) -> OverviewStack {
        OverviewStack {
            id: stack.id,
            title: stack.title,
            order: stack.order,
            card_count: stack.card_count,
            cards: stack.cards.unwrap_or_default(),
            next_cursor: stack.next_cursor,
        }
    }
}

record! {
    pub struct CreatedBoard {
        id: i64,
        title: String,
        color: String,
        url: Option<String>,
    }
}

pub fn get_board_overview(cx: &Cx, p: GetBoardOverview) -> Result<Success<Overview>, ToolError> {
    let selection = Selection::new(p.status, &p.label, &p.assigned_to);
    let view = View {
        detail: Detail::Summary,
        description_chars_max: None,
        preview_chars: p.description_preview_length.get(),
    };
    let board = api::board(cx, p.board_id)?;
    let stacks = selection.stacks(cx, p.board_id)?;
    let list = stack_list(cx, p.board_id, stacks, p.cursor, Some(&view))?;
    Ok(Success(Overview {
        board_id: board.id,
        title: board.title,
        archived: board.archived,
        labels: board.labels.into_iter().map(|label| label.title).collect(),
        stacks: list.stacks.into_iter().map(OverviewStack::from).collect(),
        total_cards: list.total_cards,
        next_cursor: list.next_cursor,
        url: api::board_link(cx, board.id),
    }))
}

pub fn create_board(cx: &Cx, p: CreateBoard) -> Result<Success<CreatedBoard>, ToolError> {
    let body = json!({"title": p.title.into_string(), "color": p.color.into_string()});
    let request = Request::new("POST", api::boards_path()).json(&body);
    let board: ApiBoard = api::ask(cx, request, "the new board")?;
    Ok(Success(CreatedBoard {
        url: api::board_link(cx, board.id),
        id: board.id,
        title: board.title,
        color: board.color,
    }))
}
