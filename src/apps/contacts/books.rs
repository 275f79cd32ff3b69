//! Address books: listing, making and deleting them.

use crate::nextcloud::{CARDDAV, CS, DAV, Entry, Kind, OC, Request, Subject, UrlPath, xml};
use crate::tool::{Cx, Success, ToolError};
use crate::{params, record};

/// What is asked about an address book.
const PROPERTIES: &[xml::Name<'_>] = &[
    (DAV, "resourcetype"),
    (DAV, "displayname"),
    (CARDDAV, "addressbook-description"),
    (CS, "getctag"),
    (OC, "read-only"),
    (OC, "owner-principal"),
    (DAV, "current-user-privilege-set"),
];
/// Books that Nextcloud or an app makes by itself.
const GENERATED: [&str; 2] = ["z-server-generated--", "z-app-generated--"];
/// How the name of a book ends that another user shares.
const SHARED: &str = "_shared_by_";
const NAME_CHARS_MAX: usize = 200;

params! {
    pub(super) struct Nothing {}
}

params! {
    pub(super) struct NewBook {
        /// For the URL, e.g. `friends`.
        name: String,
        display_name: Option<String>,
        description: Option<String>,
    }
}

params! {
    pub(super) struct BookName { name: String }
}

record! {
    pub(super) struct Book {
        uri: String,
        displayname: String,
        description: Option<String>,
        /// Changes with every change inside.
        ctag: Option<String>,
        /// Only where it is so.
        read_only: Option<bool>,
        /// User id, where it is shared by somebody else.
        owner: Option<String>,
    }
}

record! {
    pub(super) struct Books { addressbooks: Vec<Book>, total_count: i64 }
}

record! {
    pub(super) struct Done { status_code: i64, message: String, addressbook: String }
}

impl Book {
    /// Reads one `response` element; `None` for the home itself and for what is no address book.
    fn read(entry: &Entry<'_>) -> Option<Book> {
        entry.element(DAV, "resourcetype")?.child((CARDDAV, "addressbook"))?;
        let uri = entry.path().last_segment()?;
        let text = |namespace, name| entry.prop(namespace, name).map(str::to_owned);
        let owner = entry.prop(OC, "owner-principal").and_then(|path| path.rsplit('/').next());
        Some(Book {
            displayname: text(DAV, "displayname").unwrap_or_else(|| uri.clone()),
            description: text(CARDDAV, "addressbook-description"),
            ctag: text(CS, "getctag"),
            read_only: is_read_only(entry).then_some(true),
            owner: owner.filter(|_| uri.contains(SHARED)).map(str::to_owned),
            uri,
        })
    }
}

/// By Nextcloud's own mark, or by the privileges (RFC 3744 §5.4) where those are told.
fn is_read_only(entry: &Entry<'_>) -> bool {
    let may_write = entry.element(DAV, "current-user-privilege-set").is_none_or(|privileges| {
        privileges.descendants().any(|e| ["all", "write", "write-content"].iter().any(|p| e.is((DAV, p))))
    });
    entry.prop(OC, "read-only") == Some("1") || !may_write
}

/// PROPFIND on the address book home (RFC 6352 §7.1.1).
pub(super) fn list_addressbooks(cx: &Cx, _: Nothing) -> Result<Success<Books>, ToolError> {
    let addressbooks = all(cx)?;
    Ok(Success(Books { total_count: addressbooks.len() as i64, addressbooks }))
}

/// All address books of the account.
fn all(cx: &Cx) -> Result<Vec<Book>, ToolError> {
    let home = cx.nc.homes()?.address_books.clone();
    let request = Request::new("PROPFIND", home.slash()).header("Depth", "1").xml(xml::propfind(PROPERTIES));
    let answer = cx.nc.multistatus(request).of("the list of address books")?;
    Ok(answer.collect(|entry| Book::read(&entry)).of("the list of address books")?)
}

/// The names of all address books of the account.
pub(super) fn names(cx: &Cx) -> Result<Vec<String>, ToolError> {
    Ok(all(cx)?.into_iter().map(|book| book.uri).collect())
}

/// Extended MKCOL (RFC 5689, RFC 6352 §6.3.1).
pub(super) fn create_addressbook(cx: &Cx, p: NewBook) -> Result<Success<Done>, ToolError> {
    let name = p.name.trim();
    refuse_generated(name)?;
    let path = path(cx, name)?;
    let display_name = p.display_name.filter(|text| !text.trim().is_empty()).unwrap_or(name.to_owned());
    let description = p.description.filter(|text| !text.trim().is_empty()).map_or(String::new(), |text| {
        format!("<card:addressbook-description>{}</card:addressbook-description>", xml::escape(&text))
    });
    let body = xml::document(
        (DAV, "mkcol"),
        &format!(
            "<d:set><d:prop><d:resourcetype><d:collection/><card:addressbook/></d:resourcetype>\
             <d:displayname>{}</d:displayname>{description}</d:prop></d:set>",
            xml::escape(&display_name)
        ),
    );
    let response = cx.nc.send(Request::new("MKCOL", path).xml(body)).map_err(|error| match error.kind {
        Kind::MethodNotAllowed => ToolError::Refused(format!(
            "Conflict: an address book {name:?} exists already; nothing was changed. Choose another name."
        )),
        Kind::Throttled => ToolError::Refused(
            "Nextcloud takes no new address book for now: it allows only a few an hour for each user (10, unless the \
             administrator changed it). Try again in an hour, or use one that exists."
                .into(),
        ),
        // Its words for the number of books that a user may have (10, unless the administrator changed it).
        Kind::Forbidden if error.detail.as_deref().is_some_and(|words| words.contains("limit")) => {
            ToolError::Refused(
                "Nextcloud allows no more address books for this user. Delete one that is not needed, or ask the \
                 administrator."
                    .into(),
            )
        }
        _ => error.about(subject(name)).into(),
    })?;
    // A 207 says which property was refused, and then nothing was made (RFC 5689 §3).
    if response.status != 201 {
        return Err(ToolError::Refused(format!(
            "Nextcloud did not take these properties; the address book {name:?} was not made."
        )));
    }
    Ok(Success(Done {
        status_code: response.status.into(),
        message: format!("The address book {display_name:?} was made."),
        addressbook: name.to_owned(),
    }))
}

pub(super) fn delete_addressbook(cx: &Cx, p: BookName) -> Result<Success<Done>, ToolError> {
    let name = p.name.trim();
    refuse_generated(name)?;
    let response = cx.nc.send(Request::new("DELETE", path(cx, name)?)).of(subject(name))?;
    let message = if name.contains(SHARED) {
        "It is not in your list any more. Its owner keeps it and can share it again."
    } else {
        "The address book and its contacts were deleted."
    };
    Ok(Success(Done {
        status_code: response.status.into(),
        message: message.into(),
        addressbook: name.to_owned(),
    }))
}

/// How errors name an address book.
pub(super) fn subject(name: &str) -> String {
    format!("address book {name:?}")
}

/// The path of an address book, with a slash at the end.
pub(super) fn path(cx: &Cx, name: &str) -> Result<UrlPath, ToolError> {
    let is_usable = !name.is_empty()
        && name != "."
        && name != ".."
        && name.chars().count() <= NAME_CHARS_MAX
        && !name.chars().any(|c| c.is_control() || c == '/');
    if !is_usable {
        return Err(ToolError::Arguments(
            "the name of the address book must be its `uri` from nc_contacts_list_addressbooks, or for a new one a \
             short name without `/`"
                .into(),
        ));
    }
    Ok(cx.nc.homes()?.address_books.clone().segment(name).slash())
}

/// Refuses to change a book that Nextcloud fills by itself, before anything is asked.
pub(super) fn refuse_generated(name: &str) -> Result<(), ToolError> {
    if GENERATED.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(ToolError::Refused(format!(
            "Address book {name:?} is made by Nextcloud itself and is read-only; nothing was changed. Use one of your own."
        )));
    }
    Ok(())
}

/// Says why a write into a book failed. To a write into one that may only be read Nextcloud answers that there is no such
/// book, so the book itself is asked.
pub(super) fn explained(cx: &Cx, name: &str, error: crate::nextcloud::Error, what: String) -> ToolError {
    if !matches!(error.kind, Kind::NotFound | Kind::Forbidden) {
        return error.about(what).into();
    }
    let look = || -> Result<Option<bool>, ToolError> {
        let request =
            Request::new("PROPFIND", path(cx, name)?).header("Depth", "0").xml(xml::propfind(PROPERTIES));
        let answer = cx.nc.multistatus(request).of(subject(name))?;
        Ok(answer.first(|entry| Some(is_read_only(&entry))).of(subject(name))?)
    };
    match look() {
        Ok(Some(true)) => ToolError::Refused(format!(
            "Address book {name:?} is read-only for this account; nothing was changed. Use another one, or ask its owner."
        )),
        Ok(_) => error.about(what).into(),
        Err(no_book) => no_book,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_books_are_never_written() {
        assert!(refuse_generated("z-server-generated--system").is_err());
        assert!(refuse_generated("z-app-generated--contactsinteraction--recent").is_err());
        assert!(refuse_generated("friends").is_ok());
    }
}
