//! Contacts: address books and vCards, over CardDAV (RFC 6352).
//!
//! Routes: the address book home of the principal, `/remote.php/dav/addressbooks/users/{user id}/…`. Reports give cards
//! in version 3.0 whatever they are stored in; the property `address-data` of PROPFIND gives them as stored, so that
//! is what an update starts from.

mod books;
mod contact;
mod data;
mod locating;
mod query;
mod reading;
mod writing;

use crate::tool::{App, Effect, Needs, Scope, Tool, typed};

pub const APP: App = App {
    name: "contacts",
    about: "Contacts in address books, over CardDAV",
    tools: &[
        Tool {
            name: "nc_contacts_list_addressbooks",
            about: "List the address books: own, shared and generated ones. `uri` is the name that the other tools take.",
            scopes: &[Scope::ContactsRead],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(books::list_addressbooks),
        },
        Tool {
            name: "nc_contacts_list_contacts",
            about: "List the contacts of an address book by name, a page at a time. Long notes are cut; search for one \
                    contact to read all of it.",
            scopes: &[Scope::ContactsRead],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(reading::list_contacts),
        },
        Tool {
            name: "nc_contacts_search_contacts",
            about: "Find contacts that have all these words in name, nickname, e-mail, phone, organization, title, \
                    address, categories or note. A phone number is found however it is written.",
            scopes: &[Scope::ContactsRead],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(reading::search_contacts),
        },
        Tool {
            name: "nc_contacts_create_addressbook",
            about: "Make an address book. Fails if the name is taken.",
            scopes: &[Scope::ContactsWrite],
            effect: Effect::Create,
            needs: Needs::Nothing,
            handler: &typed(books::create_addressbook),
        },
        Tool {
            name: "nc_contacts_delete_addressbook",
            about: "Delete an address book with all its contacts, for good: there is no trash bin for it. One that \
                    somebody else shared only leaves your list.",
            scopes: &[Scope::ContactsWrite],
            effect: Effect::Delete,
            needs: Needs::Nothing,
            handler: &typed(books::delete_addressbook),
        },
        Tool {
            name: "nc_contacts_create_contact",
            about: "Create a contact. Fails if the uid is taken in the address book.",
            scopes: &[Scope::ContactsWrite],
            effect: Effect::Create,
            needs: Needs::Nothing,
            handler: &typed(writing::create_contact),
        },
        Tool {
            name: "nc_contacts_delete_contact",
            about: "Delete a contact, for good: there is no trash bin for it.",
            scopes: &[Scope::ContactsWrite],
            effect: Effect::Delete,
            needs: Needs::Nothing,
            handler: &typed(writing::delete_contact),
        },
        Tool {
            name: "nc_contacts_update_contact",
            about: "Change fields of a contact; all others stay as they are. Fails without changing anything if the \
                    contact was changed since `etag`, or meanwhile.",
            scopes: &[Scope::ContactsWrite],
            effect: Effect::Update,
            needs: Needs::Nothing,
            handler: &typed(writing::update_contact),
        },
    ],
    resources: &[],
};
