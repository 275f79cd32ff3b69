//! Deck app: boards of stacks (lists) of cards.
//!
//! Routes: `/index.php/apps/deck/api/v1.0/…`, see [`api`]. Tried with Deck 1.13.10; what 1.15 to 1.18 brought is used
//! where it is there.

mod api;
mod boards;
mod cards;
mod records;
mod values;

use crate::tool::{App, Effect, Needs, Scope, Tool, typed};

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
            name: "deck_get_card",
            about: "Read one card with its whole description, labels, assigned users and etag.",
            scopes: READ,
            effect: Effect::Read,
            needs: DECK,
            handler: &typed(cards::get_card),
        },
    ],
    resources: &[],
};

const DECK: Needs = Needs::App("deck");
const READ: &[Scope] = &[Scope::DeckRead];
const WRITE: &[Scope] = &[Scope::DeckWrite];
