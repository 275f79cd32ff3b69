//! Listing and searching contacts.

use std::collections::HashMap;

use super::books;
use super::contact::{Contact, Detail, NOTE_CHARS_ALONE, NOTE_CHARS_LISTED};
use super::locating::{CARDS_BYTES_MAX, is_broken_card, stored};
use super::query::Query;
use crate::nextcloud::{CARDDAV, DAV, Error, Kind, Request, Subject, UrlPath, xml};
use crate::schema::Count;
use crate::tool::{Cursor, Cx, Page, Success, ToolError};
use crate::vcard::Card;
use crate::{params, record};

/// Contacts that one answer may have; about so many fit into its bytes.
const PAGE_CONTACTS: usize = 50;
/// What could not be read, in one answer.
const UNREAD_SHOWN: usize = 20;

params! {
    pub(super) struct ListContacts {
        addressbook: String,
        include_photos: bool = false,
        limit: Option<Count<1, 1000>>,
        offset: u64 = 0_u64,
        /// `next_cursor` of the page before, in place of `offset`.
        cursor: Option<Cursor>,
    }
}

params! {
    pub(super) struct SearchContacts {
        /// "" finds all.
        query: String,
        /// All if left out.
        addressbook: Option<String>,
        include_photos: bool = false,
        limit: Option<Count<1, 1000>>,
        cursor: Option<Cursor>,
    }
}

record! {
    /// A card or an address book that could not be read.
    pub(super) struct Unread {
        addressbook: String,
        resource_path: Option<String>,
        message: String,
    }
}

record! {
    pub(super) struct Contacts {
        contacts: Vec<Contact>,
        /// "" where all were searched.
        addressbook: String,
        total_count: i64,
        next_cursor: Option<Cursor>,
        errors: Option<Vec<Unread>>,
    }
}

/// A contact that was found, before all of it is read.
struct Found {
    book: String,
    path: UrlPath,
    etag: Option<String>,
    /// In upper case, for sorting.
    name: String,
    /// The whole card, where it was read already.
    card: Option<Card>,
}

/// What is found, and what could not be read.
#[derive(Default)]
struct Findings {
    found: Vec<Found>,
    unread: Vec<Unread>,
}

pub(super) fn list_contacts(cx: &Cx, p: ListContacts) -> Result<Success<Contacts>, ToolError> {
    let mut findings = Findings::default();
    findings.look_into(cx, &p.addressbook, &Query::parse(""))?;
    let start = p.cursor.unwrap_or(Cursor(p.offset as usize));
    findings.page(cx, p.addressbook, start, p.limit, p.include_photos)
}

pub(super) fn search_contacts(cx: &Cx, p: SearchContacts) -> Result<Success<Contacts>, ToolError> {
    let query = Query::parse(&p.query);
    let mut findings = Findings::default();
    match &p.addressbook {
        Some(book) => findings.look_into(cx, book, &query)?,
        None => {
            let names = books::names(cx)?;
            for book in &names {
                match findings.look_into(cx, book, &query) {
                    Err(ToolError::Upstream(error)) if concerns_one_book(&error) => {
                        findings.unread.push(Unread {
                            addressbook: book.clone(),
                            resource_path: None,
                            message: error.to_string(),
                        });
                    }
                    other => other?,
                }
            }
        }
    }
    let book = p.addressbook.unwrap_or_default();
    findings.page(cx, book, p.cursor.unwrap_or_default(), p.limit, p.include_photos)
}

/// Whether the other address books may be read all the same.
fn concerns_one_book(error: &Error) -> bool {
    matches!(
        error.kind,
        Kind::Forbidden
            | Kind::NotFound
            | Kind::Locked
            | Kind::BadRequest
            | Kind::Server
            | Kind::Malformed
            | Kind::AnswerTooLarge
            | Kind::NotImplemented
    )
}

impl Findings {
    /// Adds the contacts of an address book that a query finds, with as little of each as it takes.
    fn look_into(&mut self, cx: &Cx, book: &str, query: &Query) -> Result<(), ToolError> {
        let folder = books::path(cx, book)?;
        let request = Request::new("REPORT", folder.clone())
            .header("Depth", "1")
            .xml(query.report())
            .limit_bytes(CARDS_BYTES_MAX);
        let answer = match cx.nc.multistatus(request) {
            Err(error) if is_broken_card(&error) => return self.look_at_all(cx, book, query, folder),
            answer => answer.of(books::subject(book))?,
        };
        let entries = answer.collect(|entry| {
            let text = entry.prop(CARDDAV, "address-data")?;
            Some((entry.path(), entry.etag(), Card::parse(text)))
        });
        for (path, etag, card) in entries.of(books::subject(book))? {
            match card {
                Ok(card) if query.finds(&card) => self.found.push(Found {
                    name: card.full_name().to_uppercase(),
                    book: book.to_owned(),
                    path,
                    etag,
                    card: None,
                }),
                Ok(_) => {}
                Err(fault) => self.unread.push(Unread::card(book, &path, fault.to_string())),
            }
        }
        Ok(())
    }

    /// The same where Nextcloud's report fails over one broken card: reads all of the book as it is stored.
    fn look_at_all(&mut self, cx: &Cx, book: &str, query: &Query, folder: UrlPath) -> Result<(), ToolError> {
        for object in stored(cx, folder, "1").of(books::subject(book))? {
            match object.card {
                Ok(card) if query.finds(&card) => self.found.push(Found {
                    name: card.full_name().to_uppercase(),
                    book: book.to_owned(),
                    path: object.path,
                    etag: object.etag,
                    card: Some(card),
                }),
                Ok(_) => {}
                Err(fault) => self.unread.push(Unread::card(book, &object.path, fault.to_string())),
            }
        }
        Ok(())
    }

    /// Reads the contacts of one page.
    fn page(
        mut self,
        cx: &Cx,
        book: String,
        start: Cursor,
        limit: Option<Count<1, 1000>>,
        photo: bool,
    ) -> Result<Success<Contacts>, ToolError> {
        let total = self.found.len();
        if start.0 > total {
            return Err(ToolError::Arguments(format!(
                "`cursor` or `offset` lies behind the end: there are {total} contacts"
            )));
        }
        self.found.sort_by(|a, b| (&a.name, a.path.as_str()).cmp(&(&b.name, b.path.as_str())));
        let limit = limit.map_or(PAGE_CONTACTS, Count::get).min(PAGE_CONTACTS);
        let mut page: Vec<Found> = self.found.drain(..).skip(start.0).take(limit).collect();
        read_whole(cx, &mut page, &mut self.unread)?;
        let note_chars = if page.len() == 1 { NOTE_CHARS_ALONE } else { NOTE_CHARS_LISTED };
        let detail = Detail { photo, note_chars };
        let taken = page.len();
        let rows: Vec<Contact> = page
            .iter()
            .filter_map(|found| {
                let card = found.card.as_ref()?;
                Some(Contact::of(card, &found.book, &found.path, found.etag.clone(), detail))
            })
            .collect();
        let missing = taken - rows.len();
        self.unread.truncate(UNREAD_SHOWN);
        let page = Page::cut(rows, None, limit)?;
        let end = start.0 + page.next_cursor.map_or(page.rows.len() + missing, |next| next.0);
        Ok(Success(Contacts {
            contacts: page.rows,
            addressbook: book,
            total_count: total as i64,
            next_cursor: (end < total).then_some(Cursor(end)),
            errors: (!self.unread.is_empty()).then_some(self.unread),
        }))
    }
}

impl Unread {
    fn card(book: &str, path: &UrlPath, message: String) -> Unread {
        Unread { addressbook: book.to_owned(), resource_path: Some(path.as_str().to_owned()), message }
    }
}

/// REPORT `addressbook-multiget` (RFC 6352 §8.7) for the cards that are still to be read, one for each address book.
fn read_whole(cx: &Cx, page: &mut [Found], unread: &mut Vec<Unread>) -> Result<(), ToolError> {
    let mut wanted: Vec<(String, Vec<String>)> = Vec::new();
    for found in page.iter().filter(|found| found.card.is_none()) {
        let href = cx.nc.href(&found.path);
        match wanted.iter_mut().find(|(book, _)| *book == found.book) {
            Some((_, hrefs)) => hrefs.push(href),
            None => wanted.push((found.book.clone(), vec![href])),
        }
    }
    let mut cards: HashMap<String, (Option<String>, String)> = HashMap::new();
    for (book, hrefs) in wanted {
        let body = xml::multiget(
            (CARDDAV, "addressbook-multiget"),
            &[(DAV, "getetag"), (CARDDAV, "address-data")],
            &hrefs,
        );
        let request = Request::new("REPORT", books::path(cx, &book)?)
            .header("Depth", "1")
            .xml(body)
            .limit_bytes(CARDS_BYTES_MAX);
        let answer = cx.nc.multistatus(request).of(books::subject(&book))?;
        let read = answer.collect(|entry| {
            let text = entry.prop(CARDDAV, "address-data")?.to_owned();
            Some((entry.path().as_str().to_owned(), (entry.etag(), text)))
        });
        cards.extend(read.of(books::subject(&book))?);
    }
    for found in page.iter_mut().filter(|found| found.card.is_none()) {
        // One that is gone by now is passed over.
        let Some((etag, text)) = cards.remove(found.path.as_str()) else { continue };
        match Card::parse(&text) {
            Ok(card) => (found.etag, found.card) = (etag, Some(card)),
            Err(fault) => unread.push(Unread::card(&found.book, &found.path, fault.to_string())),
        }
    }
    Ok(())
}
