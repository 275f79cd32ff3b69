//! Finding the object of a contact: its file need not be named after its UID.

use super::{books, contact::file_stem, query};
use crate::nextcloud::{CARDDAV, DAV, Entry, Error, Kind, Request, Subject, UrlPath, xml};
use crate::tool::{Cx, ToolError};
use crate::vcard::{Card, Fault, bare_uid};

/// Answers with whole cards and their photos, in bytes.
pub(super) const CARDS_BYTES_MAX: u64 = 64 << 20;
const UID_CHARS_MAX: usize = 200;

/// An object of an address book, as it is stored.
pub(super) struct Stored {
    pub path: UrlPath,
    pub etag: Option<String>,
    pub card: Result<Card, Fault>,
}

impl Stored {
    /// Reads one `response` element; `None` for the address book itself.
    fn read(entry: &Entry<'_>) -> Option<Stored> {
        let text = entry.prop(CARDDAV, "address-data")?;
        Some(Stored { path: entry.path(), etag: entry.etag(), card: Card::parse(text) })
    }

    /// Whether it is the contact with this UID. One without a UID, or that cannot be read, goes by its file's name.
    fn is(&self, uid: &str) -> bool {
        match self.card.as_ref().ok().and_then(Card::uid) {
            Some(own) => bare_uid(&own) == bare_uid(uid),
            None => file_stem(&self.path) == uid,
        }
    }
}

/// The contact with this UID: first the file that bears its name, which most programs write, then by REPORT.
pub(super) fn locate(cx: &Cx, book: &str, uid: &str) -> Result<Stored, ToolError> {
    let uid = checked(uid)?;
    let folder = books::path(cx, book)?;
    match stored(cx, folder.clone().segment(&file_name(uid)), "0") {
        Ok(found) => {
            if let Some(found) = found.into_iter().find(|stored| stored.is(uid)) {
                return Ok(found);
            }
        }
        Err(error) if error.kind == Kind::NotFound => {}
        Err(error) => return Err(error.about(subject(uid)).into()),
    }
    let found = match by_report(cx, &folder, uid) {
        Err(error) if is_broken_card(&error) => stored(cx, folder, "1"),
        Ok(Some(path)) => stored(cx, path, "0"),
        Ok(None) => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let found = found.of(books::subject(book))?;
    found.into_iter().find(|stored| stored.is(uid)).ok_or_else(|| {
        ToolError::Refused(format!(
            "There is no contact with uid {uid:?} in address book {book:?}. Take both from \
             nc_contacts_search_contacts or nc_contacts_list_contacts."
        ))
    })
}

fn by_report(cx: &Cx, folder: &UrlPath, uid: &str) -> Result<Option<UrlPath>, Error> {
    let request =
        Request::new("REPORT", folder.clone()).header("Depth", "1").xml(query::report_uid(bare_uid(uid)));
    cx.nc.multistatus(request)?.first(|entry| {
        let own = Card::parse(entry.prop(CARDDAV, "address-data")?).ok()?.uid()?;
        (bare_uid(&own) == bare_uid(uid)).then(|| entry.path())
    })
}

/// PROPFIND for `address-data`, which Nextcloud gives as it is stored: reports turn version 4.0 into 3.0. Depth `1` is a
/// whole address book.
pub(super) fn stored(cx: &Cx, path: UrlPath, depth: &str) -> Result<Vec<Stored>, Error> {
    let request = Request::new("PROPFIND", path)
        .header("Depth", depth)
        .xml(xml::propfind(&[(DAV, "getetag"), (CARDDAV, "address-data")]))
        .limit_bytes(CARDS_BYTES_MAX);
    cx.nc.multistatus(request)?.collect(|entry| Stored::read(&entry))
}

/// Whether a report failed because one of the stored cards cannot be read by Nextcloud itself: it then answers with its
/// parser's complaint and no card at all.
pub(super) fn is_broken_card(error: &Error) -> bool {
    error.kind == Kind::Server
}

/// The name of a new contact's file. A slash would name a folder, even encoded.
pub(super) fn file_name(uid: &str) -> String {
    format!("{}.vcf", uid.replace(['/', '\\'], "-"))
}

/// Refuses what can be no UID.
pub(super) fn checked(uid: &str) -> Result<&str, ToolError> {
    let uid = uid.trim();
    if uid.is_empty() || uid.chars().count() > UID_CHARS_MAX || uid.chars().any(char::is_control) {
        return Err(ToolError::Arguments(format!(
            "`uid` must have 1 to {UID_CHARS_MAX} characters and no line breaks; take it from a list or search"
        )));
    }
    Ok(uid)
}

/// How errors name a contact.
pub(super) fn subject(uid: &str) -> String {
    format!("contact {uid:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_makes_one_file_name() {
        assert_eq!(file_name("a/b\\c"), "a-b-c.vcf");
        assert_eq!(file_name(".."), "...vcf");
        for bad in ["", "  ", "a\nb", &"x".repeat(201)] {
            assert!(checked(bad).is_err(), "{bad:?}");
        }
    }
}
