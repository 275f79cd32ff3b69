//! Boards.

use super::api::{self, ApiBoard};
use super::records::Board;
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
