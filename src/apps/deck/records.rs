//! What Deck's tools show.

use super::api::{
    ApiAcl, ApiAssignment, ApiBoard, ApiCard, ApiLabel, ApiStack, ApiUser, board_link, card_link,
};
use super::selection::CardView;
use crate::record;
use crate::schema::Object;
use crate::tool::{Cursor, Cx};

record! {
    /// A user, a group or a team.
    pub struct User {
        primary_key as "primaryKey": String,
        uid: String,
        displayname: String,
    }
}

record! {
    pub struct Label {
        id: i64,
        title: String,
        /// Six hexadecimal digits.
        color: String,
        board_id as "boardId": Option<i64>,
        card_id as "cardId": Option<i64>,
    }
}

record! {
    pub struct Acl {
        id: i64,
        participant: User,
        /// 0 user, 1 group, 7 team.
        kind as "type": i64,
        board_id as "boardId": i64,
        permission_edit as "permissionEdit": bool,
        permission_share as "permissionShare": bool,
        permission_manage as "permissionManage": bool,
        owner: bool,
    }
}

record! {
    /// What this account may do.
    pub struct Permissions {
        read as "PERMISSION_READ": bool,
        edit as "PERMISSION_EDIT": bool,
        manage as "PERMISSION_MANAGE": bool,
        share as "PERMISSION_SHARE": bool,
    }
}

record! {
    pub struct Board {
        id: i64,
        title: String,
        owner: User,
        color: String,
        archived: bool,
        labels: Option<Vec<Label>>,
        acl: Option<Vec<Acl>>,
        permissions: Permissions,
        users: Option<Vec<User>>,
        deleted_at as "deletedAt": i64,
        last_modified as "lastModified": i64,
        settings: Option<Object>,
        etag as "ETag": Option<String>,
        url: Option<String>,
    }
}

record! {
    pub struct Assignment {
        id: i64,
        participant: User,
        card_id as "cardId": i64,
        /// 0 user, 1 group, 7 team.
        kind as "type": i64,
    }
}

record! {
    pub struct Card {
        id: i64,
        title: String,
        stack_id as "stackId": i64,
        kind as "type": String,
        order: i64,
        archived: bool,
        owner: User,
        description: String,
        description_truncated as "descriptionTruncated": Option<bool>,
        /// In UTC, as the other times.
        duedate: Option<String>,
        startdate: Option<String>,
        done: Option<String>,
        color: Option<String>,
        last_modified as "lastModified": i64,
        created_at as "createdAt": i64,
        labels: Vec<Label>,
        /// Absent for archived cards in lists, where Deck does not tell.
        assigned_users as "assignedUsers": Option<Vec<Assignment>>,
        dependent_cards as "dependentCards": Option<Vec<i64>>,
        attachment_count as "attachmentCount": Option<i64>,
        deleted_at as "deletedAt": i64,
        comments_unread as "commentsUnread": Option<i64>,
        comments_count as "commentsCount": Option<i64>,
        last_editor as "lastEditor": Option<String>,
        /// 0 no, 1 tomorrow, 2 today, 3 overdue.
        overdue: Option<i64>,
        etag as "ETag": Option<String>,
        url: Option<String>,
    }
}

record! {
    pub struct CardSummary {
        id: i64,
        title: String,
        stack_id as "stackId": i64,
        archived: bool,
        duedate: Option<String>,
        startdate: Option<String>,
        done: Option<String>,
        color: Option<String>,
        labels: Vec<String>,
        assigned_users as "assignedUsers": Option<Vec<String>>,
        attachment_count as "attachmentCount": Option<i64>,
        comments_unread as "commentsUnread": Option<i64>,
        comments_count as "commentsCount": Option<i64>,
        has_description as "hasDescription": bool,
        description_preview as "descriptionPreview": Option<String>,
        url: Option<String>,
    }
}

record! {
    pub struct Stack {
        id: i64,
        title: String,
        board_id as "boardId": i64,
        order: i64,
        deleted_at as "deletedAt": i64,
        last_modified as "lastModified": i64,
        /// Cards that match, also those that are not shown.
        card_count: i64,
        cards: Option<Vec<CardView>>,
        /// For deck_get_cards with this stack and the same filters, where not all its cards are shown.
        next_cursor: Option<Cursor>,
        etag as "ETag": Option<String>,
        url: Option<String>,
    }
}

record! {
    /// What a write to a stack gives back.
    pub struct StackDone {
        status_code: i64,
        message: String,
        stack_id: i64,
        board_id: i64,
    }
}

record! {
    /// What a write to a card gives back.
    pub struct CardDone {
        status_code: i64,
        message: String,
        card_id: i64,
        stack_id: i64,
        board_id: i64,
        order: Option<i64>,
        labels: Option<Vec<String>>,
        url: Option<String>,
    }
}

impl From<ApiUser> for User {
    fn from(user: ApiUser) -> User {
        User { primary_key: user.uid.clone(), uid: user.uid, displayname: user.display_name }
    }
}

impl From<ApiLabel> for Label {
    fn from(label: ApiLabel) -> Label {
        Label {
            id: label.id,
            title: label.title,
            color: label.color,
            board_id: label.board_id,
            card_id: label.card_id,
        }
    }
}

impl From<ApiAcl> for Acl {
    fn from(acl: ApiAcl) -> Acl {
        Acl {
            id: acl.id,
            participant: acl.participant.into(),
            kind: acl.kind,
            board_id: acl.board_id,
            permission_edit: acl.permission_edit,
            permission_share: acl.permission_share,
            permission_manage: acl.permission_manage,
            owner: acl.owner,
        }
    }
}

impl From<ApiAssignment> for Assignment {
    fn from(assignment: ApiAssignment) -> Assignment {
        Assignment {
            id: assignment.id,
            participant: assignment.participant.into(),
            card_id: assignment.card_id,
            kind: assignment.kind,
        }
    }
}

impl Board {
    /// A board with its labels, shares and users.
    pub fn new(cx: &Cx, board: ApiBoard) -> Board {
        let permissions = board.permissions;
        Board {
            url: board_link(cx, board.id),
            id: board.id,
            title: board.title,
            owner: board.owner.into(),
            color: board.color,
            archived: board.archived,
            labels: Some(board.labels.into_iter().map(Label::from).collect()),
            acl: Some(board.acl.into_iter().map(Acl::from).collect()),
            permissions: Permissions {
                read: permissions.read,
                edit: permissions.edit,
                manage: permissions.manage,
                share: permissions.share,
            },
            users: Some(board.users.into_iter().map(User::from).collect()),
            deleted_at: board.deleted_at,
            last_modified: board.last_modified,
            settings: (!board.settings.is_empty()).then_some(Object(board.settings)),
            etag: board.etag,
        }
    }
}

impl Stack {
    /// A stack with the number of its cards, as yet without them.
    pub fn new(cx: &Cx, stack: ApiStack, card_count: usize) -> Stack {
        Stack {
            url: board_link(cx, stack.board_id),
            id: stack.id,
            title: stack.title,
            board_id: stack.board_id,
            order: stack.order,
            deleted_at: stack.deleted_at,
            last_modified: stack.last_modified,
            card_count: card_count as i64,
            cards: None,
            next_cursor: None,
            etag: stack.etag,
        }
    }
}

impl Card {
    /// All that is known of a card, with at most `description_chars_max` characters of its description.
    pub fn new(cx: &Cx, board: i64, card: ApiCard, description_chars_max: Option<usize>) -> Card {
        let (description, is_cut) = match description_chars_max {
            Some(max) => cut(&card.description, max),
            None => (card.description, false),
        };
        Card {
            url: card_link(cx, board, card.id),
            id: card.id,
            title: card.title,
            stack_id: card.stack_id,
            kind: card.kind,
            order: card.order,
            archived: card.archived,
            owner: card.owner.into(),
            description,
            description_truncated: is_cut.then_some(true),
            duedate: card.duedate,
            startdate: card.startdate.flatten(),
            done: card.done,
            color: card.color.flatten(),
            last_modified: card.last_modified,
            created_at: card.created_at,
            labels: card.labels.unwrap_or_default().into_iter().map(Label::from).collect(),
            assigned_users: card.assigned_users.map(|all| all.into_iter().map(Assignment::from).collect()),
            dependent_cards: card.dependent_cards,
            attachment_count: card.attachment_count,
            deleted_at: card.deleted_at,
            comments_unread: card.comments_unread,
            comments_count: card.comments_count,
            last_editor: card.last_editor,
            overdue: card.overdue,
            etag: card.etag,
        }
    }
}

impl CardSummary {
    /// What a list tells of a card, with the beginning of its description in one line; none for 0 characters.
    pub fn new(cx: &Cx, board: i64, card: ApiCard, preview_chars: usize) -> CardSummary {
        let line = card.description.split_whitespace().collect::<Vec<_>>().join(" ");
        CardSummary {
            url: card_link(cx, board, card.id),
            id: card.id,
            title: card.title,
            stack_id: card.stack_id,
            archived: card.archived,
            duedate: card.duedate,
            startdate: card.startdate.flatten(),
            done: card.done,
            color: card.color.flatten(),
            labels: card.labels.unwrap_or_default().into_iter().map(|label| label.title).collect(),
            assigned_users: card
                .assigned_users
                .map(|all| all.into_iter().map(|assigned| assigned.participant.uid).collect()),
            attachment_count: card.attachment_count,
            comments_unread: card.comments_unread,
            comments_count: card.comments_count,
            has_description: !line.is_empty(),
            description_preview: (preview_chars > 0 && !line.is_empty()).then(|| cut(&line, preview_chars).0),
        }
    }
}

/// At most `chars_max` characters of a text, and whether some are missing; then `…` follows.
pub fn cut(text: &str, chars_max: usize) -> (String, bool) {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => (format!("{}…", &text[..end]), true),
        None => (text.to_owned(), false),
    }
}
