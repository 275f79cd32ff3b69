//! Deck app: boards of stacks (lists) of cards.
//!
//! Routes: `/index.php/apps/deck/api/v1.0/…`, see [`api`]. Tried with Deck 1.13.10; what 1.15 to 1.18 brought is used
//! where it is there.

mod api;
mod assignments;
mod attachments;
mod boards;
mod cards;
mod comments;
mod labels;
mod records;
mod reorder;
mod resources;
mod selection;
mod stacks;
mod transfer;
mod values;

use crate::nextcloud::Version;
use crate::tool::{App, Effect, Needs, Resource, Scope, Tool, typed};

pub const APP: App = App {
    name: "deck",
    about: "Deck app: boards of lists of cards",
    tools: &[
        Tool {
            name: "deck_get_boards",
            about: "List the boards that this account has or shares, archived ones too. Labels, shares and users of \
                    each only where asked for.",
            scopes: READ,
            effect: Effect::Read,
            needs: DECK,
            handler: &typed(boards::get_boards),
        },
        Tool {
            name: "deck_get_board",
            about: "Read one board: its labels, whom it is shared with, and what this account may do. Its cards come \
                    with deck_get_board_overview.",
            scopes: READ,
            effect: Effect::Read,
            needs: DECK,
            handler: &typed(boards::get_board),
        },
        Tool {
            name: "deck_get_stacks",
            about: "Read the stacks (lists) of a board with their cards; only open ones unless `status` says otherwise. Of \
                    a long board each stack shows its first cards, and its next_cursor goes on in deck_get_cards.",
            scopes: READ,
            effect: Effect::Read,
            needs: DECK,
            handler: &typed(stacks::get_stacks),
        },
        Tool {
            name: "deck_get_stack",
            about: "Read one stack with its cards; only open ones unless `status` says otherwise.",
            scopes: READ,
            effect: Effect::Read,
            needs: DECK,
            handler: &typed(stacks::get_stack),
        },
        Tool {
            name: "deck_get_cards",
            about: "List the cards of one stack from top to bottom, in pages; only open ones unless `status` says \
                    otherwise.",
            scopes: READ,
            effect: Effect::Read,
            needs: DECK,
            handler: &typed(stacks::get_cards),
        },
        Tool {
            name: "deck_get_card",
            about: "Read one card with its whole description, labels, assigned users and dates.",
            scopes: READ,
            effect: Effect::Read,
            needs: DECK,
            handler: &typed(cards::get_card),
        },
        Tool {
            name: "deck_get_labels",
            about: "List the labels of a board with their colours.",
            scopes: READ,
            effect: Effect::Read,
            needs: DECK,
            handler: &typed(labels::get_labels),
        },
        Tool {
            name: "deck_get_label",
            about: "Read title and colour of one label.",
            scopes: READ,
            effect: Effect::Read,
            needs: DECK,
            handler: &typed(labels::get_label),
        },
        Tool {
            name: "deck_create_board",
            about: "Create a board. Deck gives it four labels and no stack.",
            scopes: WRITE,
            effect: Effect::Create,
            needs: DECK,
            handler: &typed(boards::create_board),
        },
        Tool {
            name: "deck_create_stack",
            about: "Add a stack (list) to a board. Stacks stand from left to right by `order`.",
            scopes: WRITE,
            effect: Effect::Create,
            needs: DECK,
            handler: &typed(stacks::create_stack),
        },
        Tool {
            name: "deck_update_stack",
            about: "Rename a stack or move it among the stacks of its board. On a deleted stack it works as an undo, with \
                    no more than the ids.",
            scopes: WRITE,
            effect: Effect::Update,
            needs: DECK,
            handler: &typed(stacks::update_stack),
        },
        Tool {
            name: "deck_delete_stack",
            about: "Delete a stack with all its cards. deck_update_stack brings it back.",
            scopes: WRITE,
            effect: Effect::Delete,
            needs: DECK,
            handler: &typed(stacks::delete_stack),
        },
        Tool {
            name: "deck_create_card",
            about: "Add a card to a stack.",
            scopes: WRITE,
            effect: Effect::Create,
            needs: DECK,
            handler: &typed(cards::create_card),
        },
        Tool {
            name: "deck_update_card",
            about: "Change some fields of a card. What is left out stays; \"\" empties description, duedate, done, startdate \
                    or color.",
            scopes: WRITE,
            effect: Effect::Update,
            needs: DECK,
            handler: &typed(cards::update_card),
        },
        Tool {
            name: "deck_delete_card",
            about: "Delete a card. To only put it aside, deck_archive_card is the better way.",
            scopes: WRITE,
            effect: Effect::Delete,
            needs: DECK,
            handler: &typed(cards::delete_card),
        },
        Tool {
            name: "deck_archive_card",
            about: "Put a card into the archive of its board, where deck_get_archived_stacks finds it.",
            scopes: WRITE,
            effect: Effect::Ensure,
            needs: DECK,
            handler: &typed(cards::archive_card),
        },
        Tool {
            name: "deck_unarchive_card",
            about: "Bring an archived card back into its stack.",
            scopes: WRITE,
            effect: Effect::Ensure,
            needs: DECK,
            handler: &typed(cards::unarchive_card),
        },
        Tool {
            name: "deck_reorder_card",
            about: "Move a card within its stack or to another stack of the same board. The other cards make room.",
            scopes: WRITE,
            effect: Effect::Update,
            needs: DECK,
            handler: &typed(reorder::reorder_card),
        },
        Tool {
            name: "deck_create_label",
            about: "Add a label to a board. The title must be new there.",
            scopes: WRITE,
            effect: Effect::Create,
            needs: DECK,
            handler: &typed(labels::create_label),
        },
        Tool {
            name: "deck_update_label",
            about: "Rename or recolour a label, on the board and on all its cards. What is left out stays.",
            scopes: WRITE,
            effect: Effect::Update,
            needs: DECK,
            handler: &typed(labels::update_label),
        },
        Tool {
            name: "deck_delete_label",
            about: "Delete a label for good, from the board and from all its cards.",
            scopes: WRITE,
            effect: Effect::Delete,
            needs: DECK,
            handler: &typed(labels::delete_label),
        },
        Tool {
            name: "deck_assign_label_to_card",
            about: "Put a label of its board on a card. Nothing changes if the card carries it already.",
            scopes: WRITE,
            effect: Effect::Ensure,
            needs: DECK,
            handler: &typed(labels::assign_label_to_card),
        },
        Tool {
            name: "deck_remove_label_from_card",
            about: "Take a label off a card. The board keeps it.",
            scopes: WRITE,
            effect: Effect::Delete,
            needs: DECK,
            handler: &typed(labels::remove_label_from_card),
        },
        Tool {
            name: "deck_assign_user_to_card",
            about: "Assign a card to a user or group with access to its board, who is notified. Nothing changes if \
                    it is so already.",
            scopes: WRITE,
            effect: Effect::Ensure,
            needs: DECK,
            handler: &typed(assignments::assign_user_to_card),
        },
        Tool {
            name: "deck_unassign_user_from_card",
            about: "End the assignment of a card to a user or group.",
            scopes: WRITE,
            effect: Effect::Delete,
            needs: DECK,
            handler: &typed(assignments::unassign_user_from_card),
        },
        Tool {
            name: "deck_assign_dependent_card",
            about: "Note that a card depends on another one. Nothing changes if it is so already.",
            scopes: WRITE,
            effect: Effect::Ensure,
            needs: DEPENDENCIES,
            handler: &typed(assignments::assign_dependent_card),
        },
        Tool {
            name: "deck_remove_dependent_card",
            about: "Note that a card no longer depends on another one.",
            scopes: WRITE,
            effect: Effect::Delete,
            needs: DEPENDENCIES,
            handler: &typed(assignments::remove_dependent_card),
        },
        Tool {
            name: "deck_get_archived_stacks",
            about: "Read the archived cards of a board, by the stack that each was archived from.",
            scopes: READ,
            effect: Effect::Read,
            needs: DECK,
            handler: &typed(stacks::get_archived_stacks),
        },
        Tool {
            name: "deck_get_board_overview",
            about: "See a whole board at a glance: its labels, and all stacks with the titles, dates, labels and users of \
                    their cards. Of a long board each stack shows its first cards, and its next_cursor goes on in \
                    deck_get_cards.",
            scopes: READ,
            effect: Effect::Read,
            needs: DECK,
            handler: &typed(boards::get_board_overview),
        },
        Tool {
            name: "deck_move_card_to_board",
            about: "Move a card to a stack of another board. Labels become those of the same title there; one that \
                    is missing is made if this account manages that board, else it is lost and named in the answer.",
            scopes: WRITE,
            effect: Effect::Update,
            needs: DECK,
            handler: &typed(transfer::move_card_to_board),
        },
        Tool {
            name: "deck_get_card_comments",
            about: "List the comments on a card, newest first, shortened. `detail` \"full\" gives them whole, with \
                    mentions and what they answer.",
            scopes: READ,
            effect: Effect::Read,
            needs: DECK,
            handler: &typed(comments::get_card_comments),
        },
        Tool {
            name: "deck_create_card_comment",
            about: "Comment on a card, or answer a comment.",
            scopes: WRITE,
            effect: Effect::Create,
            needs: DECK,
            handler: &typed(comments::create_card_comment),
        },
        Tool {
            name: "deck_update_card_comment",
            about: "Replace the text of a comment that this account wrote.",
            scopes: WRITE,
            effect: Effect::Update,
            needs: DECK,
            handler: &typed(comments::update_card_comment),
        },
        Tool {
            name: "deck_delete_card_comment",
            about: "Delete a comment that this account wrote, for good. Answers to it stay.",
            scopes: WRITE,
            effect: Effect::Delete,
            needs: DECK,
            handler: &typed(comments::delete_card_comment),
        },
        Tool {
            name: "deck_attach_file",
            about: "Link a file or folder of Nextcloud to a card. Who sees the card can read it then; nothing is \
                    copied.",
            scopes: ATTACH,
            effect: Effect::Ensure,
            needs: DECK,
            handler: &typed(attachments::attach_file),
        },
        Tool {
            name: "deck_attach_note",
            about: "Link the file of a note to a card. Who sees the card can read it then; nothing is copied.",
            scopes: ATTACH_NOTE,
            effect: Effect::Ensure,
            needs: DECK,
            handler: &typed(attachments::attach_note),
        },
        Tool {
            name: "deck_list_attachments",
            about: "List what is attached to a card: files that Deck keeps and files that are linked.",
            scopes: READ,
            effect: Effect::Read,
            needs: DECK,
            handler: &typed(attachments::list_attachments),
        },
        Tool {
            name: "deck_delete_attachment",
            about: "Delete a file that Deck keeps, or the link to a file. A linked file itself stays.",
            scopes: WRITE,
            effect: Effect::Delete,
            needs: DECK,
            handler: &typed(attachments::delete_attachment),
        },
    ],
    resources: &[
        Resource {
            uri: "nc://Deck/boards",
            name: "Deck boards",
            about: "All boards with labels, shares and users.",
            mime: JSON,
            scopes: READ,
            needs: DECK,
            read: resources::boards,
        },
        Resource {
            uri: "nc://Deck/boards/{board_id}",
            name: "Deck board",
            about: "One board with labels, shares and users.",
            mime: JSON,
            scopes: READ,
            needs: DECK,
            read: resources::board,
        },
        Resource {
            uri: "nc://Deck/boards/{board_id}/stacks",
            name: "Deck stacks",
            about: "The stacks of a board with whole cards, without archived ones.",
            mime: JSON,
            scopes: READ,
            needs: DECK,
            read: resources::stacks,
        },
        Resource {
            uri: "nc://Deck/boards/{board_id}/stacks/{stack_id}",
            name: "Deck stack",
            about: "One stack with whole cards, without archived ones.",
            mime: JSON,
            scopes: READ,
            needs: DECK,
            read: resources::stack,
        },
        Resource {
            uri: "nc://Deck/boards/{board_id}/stacks/{stack_id}/cards",
            name: "Deck cards",
            about: "The whole cards of a stack, without archived ones.",
            mime: JSON,
            scopes: READ,
            needs: DECK,
            read: resources::cards,
        },
        Resource {
            uri: "nc://Deck/boards/{board_id}/stacks/{stack_id}/cards/{card_id}",
            name: "Deck card",
            about: "One whole card.",
            mime: JSON,
            scopes: READ,
            needs: DECK,
            read: resources::card,
        },
        Resource {
            uri: "nc://Deck/boards/{board_id}/labels",
            name: "Deck labels",
            about: "The labels of a board.",
            mime: JSON,
            scopes: READ,
            needs: DECK,
            read: resources::labels,
        },
        Resource {
            uri: "nc://Deck/boards/{board_id}/labels/{label_id}",
            name: "Deck label",
            about: "One label of a board.",
            mime: JSON,
            scopes: READ,
            needs: DECK,
            read: resources::label,
        },
    ],
};

const DECK: Needs = Needs::App("deck");
const READ: &[Scope] = &[Scope::DeckRead];
const WRITE: &[Scope] = &[Scope::DeckWrite];
const JSON: Option<&str> = Some("application/json");
const ATTACH: &[Scope] = &[Scope::DeckWrite, Scope::FilesRead];
const ATTACH_NOTE: &[Scope] = &[Scope::DeckWrite, Scope::FilesRead, Scope::NotesRead];
const DEPENDENCIES: Needs = Needs::Since("deck", Version { major: 1, minor: 18, micro: 0 });
