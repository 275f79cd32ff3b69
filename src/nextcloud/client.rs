//! What apps ask: answers already unwrapped.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::account::{Account, Homes, Principal, lock};
use super::capabilities::Capabilities;
use super::classify::Due;
use super::dav::{Element, Entry, Multistatus, read_xml, relative};
use super::error::{Error, Kind, Subject};
use super::gate::Pass;
use super::path::UrlPath;
use super::request::Request;
use super::response::{Response, ResponseHead, Slice, content_range};
use super::retry::Attempts;
use super::xml::{self, CALDAV, CARDDAV, DAV};
use super::{Call, Nextcloud, ocs};

/// The path of the capabilities, which answer without a credential, too.
pub(super) const CAPABILITIES: &str = "/ocs/v2.php/cloud/capabilities";
const CAPABILITIES_FRESH: Duration = Duration::from_secs(30);

/// Sends requests for one account within one call. Cheap to make; apps borrow it.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    pub(super) nextcloud: &'a Nextcloud,
    pub(super) account: Option<&'a Account>,
    pub(super) call: &'a Call,
}

/// The right to make calls to an app that takes one at a time. Dropped at the end of the calls; asking for it
/// twice in one call waits for oneself until the deadline.
#[must_use]
pub struct Turn {
    _pass: Pass,
}

impl<'a> Client<'a> {
    pub(super) fn new(nextcloud: &'a Nextcloud, account: Option<&'a Account>, call: &'a Call) -> Client<'a> {
        Client { nextcloud, account, call }
    }

    /// The call that this client works for.
    pub fn call(&self) -> &'a Call {
        self.call
    }

    /// Sends a request and reads the whole answer. Fails on every status but 2xx and those that the request
    /// [allows](Request::allow), and on an answer above the request's limit.
    pub fn send(&self, request: Request) -> Result<Response, Error> {
        self.exchange(&request, Due::Any)
    }

    /// Sends a request whose answer is JSON. Fails in addition on a web page, an empty body (which means that
    /// Nextcloud did not accept the credential) and on JSON of another shape.
    pub fn json<T: DeserializeOwned>(&self, request: Request) -> Result<T, Error> {
        self.json_and_head(request).map(|(_, value)| value)
    }

    /// The same with the head of the answer, for routes that page by headers.
    pub fn json_and_head<T: DeserializeOwned>(&self, request: Request) -> Result<(ResponseHead, T), Error> {
        let label = request.label();
        let answer = self.exchange(&request, Due::Json)?;
        let value = serde_json::from_slice(&answer.body).map_err(|e| malformed(label, &e))?;
        Ok((answer.head, value))
    }

    /// Sends a request to an OCS route and takes the envelope off. Fails in addition on OCS's own failure codes
    /// inside an HTTP 200.
    pub fn ocs<T: DeserializeOwned>(&self, request: Request) -> Result<T, Error> {
        let label = request.label();
        let answer = self.exchange(&request, Due::Ocs)?;
        ocs::data(&answer.body).map_err(|e| malformed(label, &e))
    }

    /// Sends a PROPFIND, PROPPATCH, REPORT or SEARCH (RFC 4918 §13).
    pub fn multistatus(&self, request: Request) -> Result<Multistatus, Error> {
        let label = request.label();
        let answer = self.exchange(&request, Due::Multistatus)?;
        Multistatus::new(answer.body, self.nextcloud.base().prefix(), label)
    }

    /// Sends a request whose answer is XML of its own kind, such as a `schedule-response` (RFC 6638 §10.1), and reads its
    /// root element.
    pub fn xml<T>(&self, request: Request, read: impl FnOnce(Element<'_>) -> T) -> Result<T, Error> {
        let label = request.label();
        let answer = self.exchange(&request, Due::Multistatus)?;
        read_xml(answer.body, label, read)
    }

    /// Sends a request and hands the body on in pieces of at most 16 kB, without a limit and never whole in
    /// memory. When `sink` breaks, the connection is closed. A body that is cut short is an error and is not
    /// asked for again, since `sink` has seen its beginning.
    pub fn stream(
        &self,
        request: Request,
        sink: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<ResponseHead, Error> {
        let live = self.open(&request, &mut Attempts::default())?;
        self.pump(&request, live, None, sink)
    }

    /// Reads a part of a file, at most `limit_bytes`, with the request's [range](Request::range) or from the
    /// start. A server that ignores the range sends everything: the bytes before are skipped, and the connection
    /// is closed after the last wanted one. Fails with [`RangeNotSatisfiable`](Kind::RangeNotSatisfiable) if
    /// the file is not longer than the offset.
    pub fn read_range(&self, request: Request, limit_bytes: u64) -> Result<Slice, Error> {
        let (offset, len) = request.range.unwrap_or((0, u64::MAX));
        let len = len.min(limit_bytes);
        let request = if request.range.is_some() { request.range(offset, len) } else { request };
        let label = request.label();
        let live = self.open(&request, &mut Attempts::default())?;
        let partial = match (live.head.status, live.head.header("Content-Range").and_then(content_range)) {
            (206, Some((start, _, total))) if start == offset => Some(total),
            (206, _) => {
                return Err(
                    Error::new(Kind::Malformed, label).because("another range was sent than asked for")
                );
            }
            _ => None,
        };
        let total_bytes = partial.unwrap_or_else(|| live.head.content_length());
        let mut skip = if partial.is_some() { 0 } else { offset };
        let mut body = Vec::new();
        let head = self.pump(&request, live, None, &mut |chunk| {
            let skipped = skip.min(chunk.len() as u64) as usize;
            skip -= skipped as u64;
            let room = (len - body.len() as u64).min((chunk.len() - skipped) as u64) as usize;
            body.extend_from_slice(&chunk[skipped..skipped + room]);
            if body.len() as u64 >= len { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        // Past the end: a server that knows ranges would have answered 416. The first byte of an empty file is
        // no such case.
        if body.is_empty() && offset > 0 && len > 0 {
            return Err(Error::new(Kind::RangeNotSatisfiable, label).status(head.status));
        }
        Ok(Slice { head, offset, body, total_bytes })
    }

    /// The user id of the account, which is not always its log-in name. Asked once per account.
    pub fn user_id(&self) -> Result<String, Error> {
        Ok(self.principal()?.user_id.clone())
    }

    /// Who the account is (RFC 5397). Asked once per account.
    pub fn principal(&self) -> Result<&'a Principal, Error> {
        let account = self.account()?;
        if let Some(known) = account.principal.get() {
            return Ok(known);
        }
        let _turn = self.serialize("principal")?;
        if let Some(known) = account.principal.get() {
            return Ok(known);
        }
        let found = self.ask_principal()?;
        Ok(account.principal.get_or_init(|| found))
    }

    /// Who the account is, asked now: Nextcloud looks at the credential again. Fails with
    /// [`Unauthorized`](Kind::Unauthorized) if it does not accept it.
    pub fn ask_principal(&self) -> Result<Principal, Error> {
        const NAME: (&str, &str) = (DAV, "current-user-principal");
        let account = self.account()?;
        let request =
            Request::new("PROPFIND", UrlPath::dav().slash()).header("Depth", "0").xml(xml::propfind(&[NAME]));
        let label = request.label();
        let found = self.multistatus(request).of("the account")?.first(|entry| {
            self.hrefs(&entry, NAME).into_iter().next().and_then(|path| {
                let user_id = path.last_segment()?;
                path.fault().is_none().then_some(Principal { user_id, path: path.slash() })
            })
        })?;
        let found = found.ok_or_else(|| {
            Error::new(Kind::Unauthorized, label).because("Nextcloud named no current user")
        })?;
        account.principal.get_or_init(|| found.clone());
        Ok(found)
    }

    /// Where the account keeps calendars and address books. Asked once per account.
    pub fn homes(&self) -> Result<&'a Homes, Error> {
        const CALENDARS: (&str, &str) = (CALDAV, "calendar-home-set");
        const ADDRESS_BOOKS: (&str, &str) = (CARDDAV, "addressbook-home-set");
        const ADDRESSES: (&str, &str) = (CALDAV, "calendar-user-address-set");
        let account = self.account()?;
        if let Some(known) = account.homes.get() {
            return Ok(known);
        }
        let principal = self.principal()?;
        let _turn = self.serialize("homes")?;
        if let Some(known) = account.homes.get() {
            return Ok(known);
        }
        let names = [(DAV, "displayname"), CALENDARS, ADDRESS_BOOKS, ADDRESSES];
        let request =
            Request::new("PROPFIND", principal.path.clone()).header("Depth", "0").xml(xml::propfind(&names));
        let id = &principal.user_id;
        let found = self.multistatus(request).of("the account")?.first(|entry| {
            let home = |name, usual: &str| {
                let usual = || UrlPath::dav().raw(usual).segment(id).slash();
                self.hrefs(&entry, name).into_iter().next().unwrap_or_else(usual)
            };
            let emails = entry.element(ADDRESSES.0, ADDRESSES.1).into_iter().flat_map(Element::children);
            let emails =
                emails.filter_map(|href| href.text()?.trim().strip_prefix("mailto:").map(str::to_owned));
            Some(Homes {
                calendars: home(CALENDARS, "/calendars"),
                address_books: home(ADDRESS_BOOKS, "/addressbooks/users"),
                display_name: entry.prop(DAV, "displayname").map(str::to_owned),
                emails: emails.collect(),
            })
        })?;
        let found = found.ok_or_else(|| {
            Error::new(Kind::Malformed, "PROPFIND principals").because("the principal has no properties")
        })?;
        Ok(account.homes.get_or_init(|| found))
    }

    /// The WebDAV path of one of the account's files or folders, from its decoded segments; none for the root.
    pub fn files<S: AsRef<str>>(&self, segments: impl IntoIterator<Item = S>) -> Result<UrlPath, Error> {
        Ok(UrlPath::dav().raw("/files").segment(&self.user_id()?).segments(segments))
    }

    /// A path as it stands in the body of a report: with the base's prefix, encoded.
    pub fn href(&self, path: &UrlPath) -> String {
        format!("{}{}", self.nextcloud.base().prefix(), path.as_str())
    }

    /// A path that Nextcloud named in a header or a property, whole or relative.
    pub fn path_of(&self, href: &str) -> UrlPath {
        UrlPath::from_encoded(&relative(href, self.nextcloud.base().prefix()))
    }

    /// What this Nextcloud can do, at most 30 seconds old.
    pub fn capabilities(&self) -> Result<Arc<Capabilities>, Error> {
        let account = self.account()?;
        let known = || {
            let (at, known) = lock(&account.capabilities).clone()?;
            let age = self.nextcloud.clock.monotonic().saturating_sub(at);
            (age < CAPABILITIES_FRESH).then_some(known)
        };
        if let Some(known) = known() {
            return Ok(known);
        }
        let _turn = self.serialize("capabilities")?;
        if let Some(known) = known() {
            return Ok(known);
        }
        let request = Request::new("GET", UrlPath::ocs("/cloud/capabilities"));
        let found =
            Arc::new(Capabilities::new(self.ocs(request).of("the list of Nextcloud's capabilities")?));
        *lock(&account.capabilities) = Some((self.nextcloud.clock.monotonic(), found.clone()));
        Ok(found)
    }

    /// Waits until no other call of this account is at the same app, for at most the call's time. Notes answers
    /// 423 to the second of two parallel calls. Fails with [`Busy`](Kind::Busy) or [`Cancelled`](Kind::Cancelled).
    pub fn serialize(&self, app: &'static str) -> Result<Turn, Error> {
        let left = self.call.remaining(&self.nextcloud.clock);
        let pass = self.account()?.turn(app).enter(left, &self.call.cancel);
        pass.map(|pass| Turn { _pass: pass }).ok_or_else(|| {
            let kind = if self.call.cancel.is_cancelled() { Kind::Cancelled } else { Kind::Busy };
            Error::new(kind, format!("the next call to {app}"))
        })
    }

    fn account(&self) -> Result<&'a Account, Error> {
        self.account.ok_or_else(|| {
            Error::new(Kind::Unauthorized, "a request for an account").because("no credential")
        })
    }

    /// The paths in the `href`s of a property.
    fn hrefs(&self, entry: &Entry<'_>, (namespace, name): xml::Name<'_>) -> Vec<UrlPath> {
        let children = entry.element(namespace, name).into_iter().flat_map(Element::children);
        children.filter(|e| e.is((DAV, "href"))).filter_map(|e| Some(self.path_of(e.text()?))).collect()
    }
}

fn malformed(request: String, error: &serde_json::Error) -> Error {
    Error::new(Kind::Malformed, request).because(error.to_string())
}
