//! Calendar objects: finding, reading and changing them without ever overwriting what somebody else wrote
//! (RFC 4791 §5.3, §7.8).

use std::fmt::Write as _;

use super::calendars::{Calendar, Comp, WEBCAL_CACHING};
use crate::contentline::Component;
use crate::ical::{Local, Moment, When};
use crate::nextcloud::xml::{self, CALDAV, DAV};
use crate::nextcloud::{Entry, Error, Kind, Request, Subject, UrlPath};
use crate::record;
use crate::schema::Etag;
use crate::tool::{Cx, ToolError};

const CALENDAR: &str = "text/calendar; charset=utf-8";
/// Objects of one calendar in one answer, in bytes: some 20,000 events.
const REPORT_BYTES_MAX: u64 = 32 << 20;
/// Series in one request to expand.
const EXPANDED_AT_A_TIME: usize = 100;
/// Longest name of an object that is made of its UID, in bytes.
const NAME_BYTES_MAX: usize = 120;

/// An object as it lies in a calendar.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub path: UrlPath,
    pub etag: String,
    /// The whole VCALENDAR.
    pub component: Component,
}

impl Stored {
    /// The encoded path, as the results of tools show it.
    pub fn href(&self) -> String {
        self.path.as_str().to_owned()
    }

    /// The parts of this kind: the series itself, and its overrides.
    pub fn parts(&self, comp: Comp) -> impl Iterator<Item = &Component> {
        self.component.children().filter(move |child| child.is(comp.name()))
    }
}

/// An object, and the place of its calendar in a list.
pub(super) type Placed = (usize, Stored);

/// What a write left behind.
#[derive(Debug, Clone)]
pub(super) struct Saved {
    pub href: String,
    /// Absent if Nextcloud did not tell it, even when asked, and after a move.
    pub etag: Option<String>,
    pub status: u16,
}

/// A span of time, `end` not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub start: Moment,
    pub end: Moment,
}

impl Range {
    /// ` start="20260301T000000Z" end="…"`
    fn attributes(&self) -> String {
        format!(" start=\"{}\" end=\"{}\"", utc(self.start), utc(self.end))
    }
}

/// `20260301T000000Z` (RFC 5545 §3.3.5, form 2).
pub(super) fn utc(at: Moment) -> String {
    When::at(at, &Local::Utc).value()
}

record! {
    /// A calendar, or one object in it, that could not be read.
    pub(super) struct CalendarError {
        calendar_name: String,
        error: String,
    }
}

/// What a query gave.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub objects: Vec<Stored>,
    /// Objects that could not be read; the others are there all the same.
    pub errors: Vec<CalendarError>,
}

/// The object with this UID, which its path need not show. REPORT `calendar-query` with a `prop-filter`.
///
/// Fails if there is none.
pub(super) fn find(cx: &Cx, calendar: &Calendar, comp: Comp, uid: &str) -> Result<Stored, ToolError> {
    if uid.trim().is_empty() {
        return Err(ToolError::Arguments(format!("the uid of the {} is empty", comp.noun())));
    }
    let filter = format!(
        "<cal:prop-filter name=\"UID\"><cal:text-match collation=\"i;octet\">{}</cal:text-match></cal:prop-filter>",
        xml::escape(uid)
    );
    let subject = comp.subject(uid, calendar);
    let found = report(cx, calendar, comp, &filter, "").of(subject.clone())?;
    // The text is looked for anywhere in the UID, so others may come along.
    let has_uid = |stored: &Stored| {
        stored.parts(comp).any(|part| part.line("UID").is_some_and(|line| line.to_text() == uid))
    };
    if let Some(stored) = found.objects.into_iter().find(has_uid) {
        return Ok(stored);
    }
    if let Some(broken) = found.errors.into_iter().next() {
        return Err(ToolError::Refused(format!("{subject} cannot be read: {}", broken.error)));
    }
    Err(Error::new(Kind::NotFound, "REPORT calendar-query").about(subject).into())
}

/// The objects of a calendar, those that touch the range if one is given. With `expand`, which needs a range,
/// Nextcloud replaces a series by its instances in the range, in UTC and with RECURRENCE-ID (RFC 4791 §9.6.5).
pub(super) fn query(
    cx: &Cx,
    calendar: &Calendar,
    comp: Comp,
    range: Option<Range>,
    expand: bool,
) -> Result<Found, ToolError> {
    let filter = range.map_or(String::new(), |range| format!("<cal:time-range{}/>", range.attributes()));
    let data = range.filter(|_| expand);
    let data = data.map_or(String::new(), |range| format!("<cal:expand{}/>", range.attributes()));
    Ok(report(cx, calendar, comp, &filter, &data).of(calendar.subject())?)
}

/// What `query` gives for several calendars; every object with its calendar's place in the list. A calendar that cannot be
/// read is told in the errors; the call fails only if that is so for all of them.
pub(super) fn query_all(
    cx: &Cx,
    calendars: &[Calendar],
    mut query: impl FnMut(&Calendar) -> Result<Found, ToolError>,
) -> Result<(Vec<Placed>, Vec<CalendarError>), ToolError> {
    let (mut objects, mut errors) = (Vec::new(), Vec::new());
    let (mut readable, mut first_failure) = (0, None);
    let total = calendars.len() as u64;
    for (place, calendar) in calendars.iter().enumerate() {
        match query(calendar) {
            Ok(found) => {
                readable += 1;
                objects.extend(found.objects.into_iter().map(|stored| (place, stored)));
                errors.extend(found.errors);
            }
            Err(failure) => {
                errors
                    .push(CalendarError { calendar_name: calendar.name.clone(), error: failure.to_string() });
                first_failure.get_or_insert(failure);
            }
        }
        cx.progress.report(place as u64 + 1, Some(total), "calendars read");
    }
    match first_failure {
        Some(failure) if readable == 0 => Err(failure),
        _ => Ok((objects, errors)),
    }
}

/// The instances of some series in a range, as Nextcloud works them out: in UTC and with RECURRENCE-ID (RFC 4791
/// §9.6.5). REPORT `calendar-multiget` with `expand`, some paths at a time. An object that is gone is left out, and so is
/// one that cannot be read.
pub(super) fn expand(
    cx: &Cx,
    calendar: &Calendar,
    paths: &[UrlPath],
    range: Range,
) -> Result<Vec<(UrlPath, Component)>, Error> {
    let mut found = Vec::new();
    for some in paths.chunks(EXPANDED_AT_A_TIME) {
        let mut inner = format!(
            "<d:prop><cal:calendar-data><cal:expand{}/></cal:calendar-data></d:prop>",
            range.attributes()
        );
        for path in some {
            let _ = write!(inner, "<d:href>{}</d:href>", xml::escape(&cx.nc.href(path)));
        }
        let request = Request::new("REPORT", calendar.path.clone())
            .header("Depth", "1")
            .header(WEBCAL_CACHING, "On")
            .xml(xml::document((CALDAV, "calendar-multiget"), &inner))
            .limit_bytes(REPORT_BYTES_MAX);
        let answer = cx.nc.multistatus(request).of(calendar.subject())?;
        found.extend(answer.collect(|entry| Some((entry.path(), content(&entry).ok()?)))?);
    }
    Ok(found)
}

/// Stores a new object. PUT with `If-None-Match: *`.
pub(super) fn create(
    cx: &Cx,
    calendar: &Calendar,
    comp: Comp,
    uid: &str,
    object: &Component,
) -> Result<Saved, ToolError> {
    calendar.writable()?;
    if !calendar.takes(comp) {
        return Err(ToolError::Refused(format!(
            "Calendar {:?} takes no {}s, only {}. Nothing was created; nc_calendar_list_calendars shows what each takes.",
            calendar.name,
            comp.noun(),
            calendar.components.join(", ")
        )));
    }
    let path = calendar.path.clone().segment(&object_name(uid));
    let request = Request::new("PUT", path.clone()).body(object.to_string(), CALENDAR).if_none_match("*");
    put(cx, request, path, &comp.subject(uid, calendar), TAKEN)
}

/// Stores the object anew. PUT with `If-Match`, of the caller's etag, or of the one that was just read.
pub(super) fn replace(
    cx: &Cx,
    calendar: &Calendar,
    comp: Comp,
    stored: &Stored,
    etag: Option<&Etag>,
    object: &Component,
) -> Result<Saved, ToolError> {
    calendar.writable()?;
    let etag = etag.filter(|etag| !etag.is_any()).map_or(stored.etag.as_str(), Etag::as_str);
    let subject = comp.subject(&uid_of(stored, comp), calendar);
    if etag != stored.etag {
        return Err(conflict(&subject, CHANGED));
    }
    let path = stored.path.clone();
    let request = Request::new("PUT", path.clone()).body(object.to_string(), CALENDAR).if_match(etag);
    put(cx, request, path, &subject, CHANGED)
}

/// Deletes the object if it is still the one that was read. DELETE with `If-Match`; gives the status.
pub(super) fn delete(cx: &Cx, calendar: &Calendar, comp: Comp, stored: &Stored) -> Result<u16, ToolError> {
    calendar.writable()?;
    let subject = comp.subject(&uid_of(stored, comp), calendar);
    let request = Request::new("DELETE", stored.path.clone()).if_match(&stored.etag);
    Ok(cx.nc.send(request).map_err(|error| refused(error, &subject, CHANGED))?.status)
}

/// Moves the object to another calendar, its UID, name and all lines as they are. MOVE that replaces nothing.
pub(super) fn move_to(
    cx: &Cx,
    from: &Calendar,
    comp: Comp,
    stored: &Stored,
    to: &Calendar,
) -> Result<Saved, ToolError> {
    from.writable()?;
    to.writable()?;
    let uid = uid_of(stored, comp);
    let subject = comp.subject(&uid, from);
    if !to.takes(comp) {
        return Err(ToolError::Refused(format!(
            "Calendar {:?} takes no {}s. Nothing was moved.",
            to.name,
            comp.noun()
        )));
    }
    let name = stored.path.last_segment().unwrap_or_else(|| object_name(&uid));
    let path = to.path.clone().segment(&name);
    let request = Request::new("MOVE", stored.path.clone())
        .destination(&path)
        .header("Overwrite", "F")
        .if_match(&stored.etag);
    let response = cx.nc.send(request).map_err(|error| refused(error, &subject, IN_THE_WAY))?;
    Ok(Saved { href: path.as_str().to_owned(), etag: response.etag(), status: response.status })
}

/// The UID of an object; empty if it has none.
pub(super) fn uid_of(stored: &Stored, comp: Comp) -> String {
    stored.parts(comp).find_map(|part| part.line("UID")).map_or_else(String::new, |line| line.to_text())
}

/// A UID for a new object (RFC 7986 §5.3). Fails where the operating system has no randomness to give.
pub(super) fn new_uid(cx: &Cx) -> Result<String, ToolError> {
    cx.ids.uuid().map_err(|_| ToolError::Refused("No new UID could be made; try again later.".into()))
}

fn report(cx: &Cx, calendar: &Calendar, comp: Comp, filter: &str, data: &str) -> Result<Found, Error> {
    let mut inner = String::from("<d:prop><d:getetag/>");
    let _ = match data {
        "" => write!(inner, "{}", xml::empty((CALDAV, "calendar-data"))),
        data => write!(inner, "<cal:calendar-data>{data}</cal:calendar-data>"),
    };
    let _ = write!(
        inner,
        "</d:prop><cal:filter><cal:comp-filter name=\"VCALENDAR\"><cal:comp-filter name=\"{}\">{filter}\
         </cal:comp-filter></cal:comp-filter></cal:filter>",
        comp.name()
    );
    let request = Request::new("REPORT", calendar.path.clone())
        .header("Depth", "1")
        .header(WEBCAL_CACHING, "On")
        .xml(xml::document((CALDAV, "calendar-query"), &inner))
        .limit_bytes(REPORT_BYTES_MAX);
    let mut found = Found::default();
    cx.nc.multistatus(request)?.each(|entry| match read(&entry) {
        Ok(stored) => found.objects.push(stored),
        Err(why) => found.errors.push(CalendarError {
            calendar_name: calendar.name.clone(),
            error: format!("object {:?}: {why}", entry.path().last_segment().unwrap_or_default()),
        }),
    })?;
    Ok(found)
}

fn read(entry: &Entry<'_>) -> Result<Stored, String> {
    Ok(Stored {
        path: entry.path(),
        etag: entry.etag().ok_or("Nextcloud sent no etag")?,
        component: content(entry)?,
    })
}

fn content(entry: &Entry<'_>) -> Result<Component, String> {
    let text = entry.prop(CALDAV, "calendar-data").ok_or("Nextcloud sent no content")?;
    Component::parse(&with_crlf(text.trim_start())).map_err(|fault| fault.to_string())
}

/// The text with the line ends of RFC 5545 §3.1, which XML takes away on its way (XML 1.0 §2.11).
fn with_crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

fn put(cx: &Cx, request: Request, path: UrlPath, subject: &str, unmet: &str) -> Result<Saved, ToolError> {
    let response = cx.nc.send(request).map_err(|error| refused(error, subject, unmet))?;
    // Without one, Nextcloud stores something else than was sent: it made invitations of it.
    let etag = response.etag().or_else(|| etag_of(cx, &path));
    Ok(Saved { href: path.as_str().to_owned(), etag, status: response.status })
}

/// The etag of an object that was just written. That it cannot be had does not undo the write.
fn etag_of(cx: &Cx, path: &UrlPath) -> Option<String> {
    let request =
        Request::new("PROPFIND", path.clone()).header("Depth", "0").xml(xml::propfind(&[(DAV, "getetag")]));
    match cx.nc.multistatus(request).and_then(|answer| answer.first(|entry| entry.etag())) {
        Ok(etag) => etag,
        Err(error) => {
            log::warn!("the etag of a written calendar object could not be read kind={:?}", error.kind);
            None
        }
    }
}

/// Why a condition of a write was not met.
const CHANGED: &str = "was changed since that etag was read; nothing was overwritten. Read it again, merge, and try with the new etag";
const TAKEN: &str = "exists already; nothing was overwritten";
const IN_THE_WAY: &str =
    "was changed meanwhile, or the other calendar has an object of its name; nothing was moved";

fn refused(error: Error, subject: &str, unmet: &str) -> ToolError {
    match error.kind {
        Kind::PreconditionFailed => conflict(subject, unmet),
        _ => error.about(subject).into(),
    }
}

fn conflict(subject: &str, unmet: &str) -> ToolError {
    ToolError::Refused(format!("Conflict: {subject} {unmet}."))
}

/// A name for a new object: its UID, with what a path may stumble over replaced.
fn object_name(uid: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_@.".contains(c) { c } else { '-' };
    let name: String = uid.chars().take(NAME_BYTES_MAX).map(safe).collect();
    format!("{}.ics", name.trim_start_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_uid_makes_a_name_that_is_one_segment() {
        assert_eq!(object_name("0b9a-1@example.org"), "0b9a-1@example.org.ics");
        assert_eq!(object_name("../a/b c&ü%2F"), "-a-b-c---2F.ics");
        assert_eq!(object_name(&"x".repeat(500)).len(), NAME_BYTES_MAX + 4);
    }

    #[test]
    fn a_range_is_written_in_utc() {
        let at = |text: &str| text.parse::<Moment>().unwrap();
        let range = Range { start: at("2026-03-01T01:00:00+01:00"), end: at("2026-03-31T00:00:00Z") };
        assert_eq!(range.attributes(), " start=\"20260301T000000Z\" end=\"20260331T000000Z\"");
    }
}
