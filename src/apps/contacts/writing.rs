//! Creating, changing and deleting contacts.

use serde_json::Value;

use super::contact::{Contact, Detail, NOTE_CHARS_ALONE};
use super::locating::{Stored, checked, file_name, locate, stored, subject};
use super::{books, data};
use crate::nextcloud::{Error, Kind, Request, Subject};
use crate::schema::{Etag, Object};
use crate::tool::{Cx, Success, ToolError};
use crate::vcard::{Card, Version, bare_uid};
use crate::{params, record};

const MEDIA_TYPE: &str = "text/vcard; charset=utf-8";

params! {
    pub(super) struct CreateContact {
        addressbook: String,
        /// Made up if left out.
        uid: String = "",
        /// Needs `fn`, the full name. Others: given_name, family_name, middle_name, prefix, suffix, nickname,
        /// organization, title, note, birthday (1985-04-12, --04-12), categories, photo (base64 or data URI), emails,
        /// phones, addresses, urls: lists of texts or {type, value, label, preferred}, an address
        /// with street, city, region, postal_code, country in place of value; custom_fields {"IMPP": …}.
        contact_data: Object,
    }
}

params! {
    pub(super) struct UpdateContact {
        addressbook: String,
        uid: String,
        /// Fields as in nc_contacts_create_contact and as shown by list and search. What is left out stays; ""
        /// clears. A list replaces all entries of its field, a plain text only the preferred or first one. fn does
        /// not change given_name and family_name.
        contact_data: Object,
        etag: String = "",
    }
}

params! {
    pub(super) struct DeleteContact { addressbook: String, uid: String, etag: String = "" }
}

record! {
    pub(super) struct Created {
        status_code: i64,
        uid: String,
        resource_path: String,
        addressbook: String,
        etag: Option<String>,
    }
}

record! {
    pub(super) struct Updated { contact: Contact, addressbook: String }
}

record! {
    pub(super) struct Deleted { status_code: i64, message: String, uid: String, addressbook: String }
}

/// PUT with `If-None-Match: *` (RFC 6352 §6.3.2).
pub(super) fn create_contact(cx: &Cx, p: CreateContact) -> Result<Success<Created>, ToolError> {
    let Object(fields) = p.contact_data;
    books::refuse_generated(&p.addressbook)?;
    let given = [p.uid.as_str(), fields.get("uid").and_then(Value::as_str).unwrap_or_default()];
    let uid = match given.into_iter().find(|uid| !uid.trim().is_empty()) {
        Some(uid) => checked(uid)?.to_owned(),
        None => cx.ids.uuid().map_err(|error| ToolError::Refused(error.to_string()))?,
    };
    let mut card = Card::new(&uid);
    data::apply(&mut card, &fields, None)?;
    if card.text("FN").is_none() {
        return Err(ToolError::Arguments("`contact_data` needs `fn`, the full name".into()));
    }
    card.complete_name();
    let path = books::path(cx, &p.addressbook)?.segment(&file_name(&uid));
    let request = Request::new("PUT", path.clone()).body(card.to_string(), MEDIA_TYPE).if_none_match("*");
    let response = cx.nc.send(request).map_err(|error| {
        let is_taken = match error.kind {
            Kind::PreconditionFailed => true,
            // Nextcloud's words for a UID that another file of the address book has.
            Kind::BadRequest => error.detail.as_deref().is_some_and(|words| words.contains("uid already exists")),
            _ => false,
        };
        match is_taken {
            true => ToolError::Refused(format!(
                "Conflict: a contact with uid {uid:?} exists already in address book {:?}; nothing was written. Change \
                 that one with nc_contacts_update_contact, or leave `uid` out.",
                p.addressbook
            )),
            false => books::explained(cx, &p.addressbook, error, subject(&uid)),
        }
    })?;
    Ok(Success(Created {
        status_code: response.status.into(),
        resource_path: path.as_str().to_owned(),
        etag: response.etag(),
        addressbook: p.addressbook,
        uid,
    }))
}

/// Reads the card as it is stored, changes lines of it, and writes it with `If-Match`.
pub(super) fn update_contact(cx: &Cx, p: UpdateContact) -> Result<Success<Updated>, ToolError> {
    let Object(fields) = p.contact_data;
    books::refuse_generated(&p.addressbook)?;
    let object = locate(cx, &p.addressbook, &p.uid)?;
    if let Some(other) = fields.get("uid").and_then(Value::as_str)
        && bare_uid(other) != bare_uid(&p.uid)
    {
        return Err(ToolError::Arguments("`contact_data`: the uid of a contact cannot be changed".into()));
    }
    let in_data = fields.get("etag").and_then(Value::as_str).unwrap_or_default();
    let etag = current(&object, &p.uid, if p.etag.trim().is_empty() { in_data } else { &p.etag })?;
    let mut card = editable(cx, &object, &p.uid)?;
    let detail = Detail { photo: false, note_chars: NOTE_CHARS_ALONE };
    let before = Contact::of(&card, &p.addressbook, &object.path, None, detail);
    let written = card.to_string();
    data::apply(&mut card, &fields, Some(&before))?;

    let mut new_etag = object.etag;
    if card.to_string() != written {
        let request = Request::new("PUT", object.path.clone())
            .body(card.to_string(), MEDIA_TYPE)
            .if_match(etag.as_deref().unwrap_or("*"));
        let response = cx.nc.send(request).map_err(|error| match error.kind {
            Kind::PreconditionFailed => changed_meanwhile(&p.uid),
            _ => books::explained(cx, &p.addressbook, error, subject(&p.uid)),
        })?;
        new_etag = response.etag();
        if new_etag.is_none() {
            // Nextcloud mended something and stored another text than ours (RFC 6352 §6.3.2.3).
            (card, new_etag) = stored_anew(cx, &object.path, card).of(subject(&p.uid))?;
        }
    }
    let contact = Contact::of(&card, &p.addressbook, &object.path, new_etag, detail);
    Ok(Success(Updated { contact, addressbook: p.addressbook }))
}

/// DELETE with `If-Match`.
pub(super) fn delete_contact(cx: &Cx, p: DeleteContact) -> Result<Success<Deleted>, ToolError> {
    books::refuse_generated(&p.addressbook)?;
    let object = locate(cx, &p.addressbook, &p.uid)?;
    let etag = current(&object, &p.uid, &p.etag)?;
    let request = Request::new("DELETE", object.path.clone()).if_match(etag.as_deref().unwrap_or("*"));
    let response = cx.nc.send(request).map_err(|error| match error.kind {
        Kind::PreconditionFailed => changed_meanwhile(&p.uid),
        _ => books::explained(cx, &p.addressbook, error, subject(&p.uid)),
    })?;
    let name = object.card.map_or(String::new(), |card| card.full_name());
    let name = if name.is_empty() { p.uid.clone() } else { name };
    Ok(Success(Deleted {
        status_code: response.status.into(),
        message: format!("The contact {name:?} was deleted."),
        uid: p.uid,
        addressbook: p.addressbook,
    }))
}

/// The ETag that a write is to name. Fails if the caller read another version.
fn current(object: &Stored, uid: &str, given: &str) -> Result<Option<String>, ToolError> {
    if given.trim().is_empty() {
        return Ok(object.etag.clone());
    }
    let given = Etag::parse(given).map_err(|why| ToolError::Arguments(format!("`etag`: {why}")))?;
    if !given.is_any() && object.etag.as_deref() != Some(given.as_str()) {
        return Err(changed_meanwhile(uid));
    }
    Ok(object.etag.clone())
}

fn changed_meanwhile(uid: &str) -> ToolError {
    ToolError::Refused(format!(
        "Conflict: contact {uid:?} was changed since that etag was read; nothing was written. Read it again with \
         nc_contacts_search_contacts, then decide with the new etag."
    ))
}

/// The card to start from. Version 2.1 cannot be stored any more, so Nextcloud's own translation to 3.0 is taken.
fn editable(cx: &Cx, object: &Stored, uid: &str) -> Result<Card, ToolError> {
    let unreadable = |why: &dyn std::fmt::Display| {
        ToolError::Refused(format!("Contact {uid:?} cannot be changed here: {why}."))
    };
    let card = object.card.clone().map_err(|fault| unreadable(&fault))?;
    if card.version() != Version::V2 {
        return Ok(card);
    }
    let response = cx.nc.send(Request::new("GET", object.path.clone())).of(subject(uid))?;
    Card::parse(&String::from_utf8_lossy(&response.body)).map_err(|fault| unreadable(&fault))
}

fn stored_anew(
    cx: &Cx,
    path: &crate::nextcloud::UrlPath,
    ours: Card,
) -> Result<(Card, Option<String>), Error> {
    let object = stored(cx, path.clone(), "0")?.into_iter().next();
    Ok(match object {
        Some(Stored { card: Ok(card), etag, .. }) => (card, etag),
        _ => (ours, None),
    })
}
