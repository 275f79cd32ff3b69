//! The calendars themselves: listing, making, changing, deleting.

use super::calendars::{self, Calendar, Comp};
use crate::nextcloud::xml::{self, Name};
use crate::nextcloud::{APPLE_ICAL, CALDAV, DAV, Kind, Request, Subject, UrlPath};
use crate::tool::{Cursor, Cx, Page, Success, ToolError};
use crate::{choice, params, record};

/// Nextcloud's own blue, as the reference has it.
const COLOR: &str = "#1976D2";
const NAME_BYTES_MAX: usize = 100;
/// Names in a calendar home that are no calendars, or that Nextcloud makes itself.
const RESERVED: [&str; 4] = ["inbox", "outbox", "trashbin", "contact_birthdays"];
/// Names that are tried for one display name, when calendars in the trash bin hold the first ones.
const NAME_TRIES: usize = 5;

const DISPLAY_NAME: Name<'_> = (DAV, "displayname");
const DESCRIPTION: Name<'_> = (CALDAV, "calendar-description");
const CALENDAR_COLOR: Name<'_> = (APPLE_ICAL, "calendar-color");

params! {
    pub(super) struct ListCalendars { cursor: Option<Cursor> }
}

choice! {
    pub(super) enum Action { Create = "create", Update = "update", Delete = "delete", List = "list" }
}

params! {
    pub(super) struct ManageCalendar {
        action: Action,
        /// Required for update and delete.
        calendar_name: String = "",
        display_name: String = "",
        description: Option<String>,
        /// `#rrggbb`.
        color: Option<String>,
    }
}

record! {
    pub(super) struct CalendarInfo {
        /// What other tools take as `calendar_name`.
        name: String,
        display_name: String,
        description: Option<String>,
        color: Option<String>,
        href: String,
        timezone: Option<String>,
        /// Shown in the user's calendar.
        enabled: bool,
        ctag: Option<String>,
        read_only: bool,
        /// Where a read-only one comes from.
        source: Option<String>,
        /// Its events do not make busy.
        transparent: bool,
        /// Who shares it.
        owner: Option<String>,
        /// `VEVENT`, `VTODO`.
        components: Vec<String>,
    }
}

record! {
    pub(super) struct CalendarList {
        calendars: Vec<CalendarInfo>,
        total_count: i64,
        next_cursor: Option<Cursor>,
    }
}

record! {
    pub(super) struct Managed {
        action: String,
        status: String,
        message: String,
        calendar_name: Option<String>,
        /// Only for list.
        calendars: Option<Vec<CalendarInfo>>,
        total_count: Option<i64>,
        next_cursor: Option<Cursor>,
    }
}

impl From<Calendar> for CalendarInfo {
    fn from(calendar: Calendar) -> CalendarInfo {
        CalendarInfo {
            href: calendar.path.as_str().to_owned(),
            name: calendar.name,
            display_name: calendar.display_name,
            description: calendar.description,
            color: calendar.color,
            timezone: calendar.timezone,
            enabled: calendar.enabled,
            ctag: calendar.ctag,
            read_only: calendar.read_only,
            source: calendar.source,
            transparent: calendar.transparent,
            owner: calendar.owner,
            components: calendar.components,
        }
    }
}

pub(super) fn list_calendars(cx: &Cx, p: ListCalendars) -> Result<Success<CalendarList>, ToolError> {
    let page = page(cx, p.cursor)?;
    Ok(Success(CalendarList { calendars: page.rows, total_count: page.total, next_cursor: page.next_cursor }))
}

fn page(cx: &Cx, cursor: Option<Cursor>) -> Result<Page<CalendarInfo>, ToolError> {
    let all: Vec<CalendarInfo> = calendars::all(cx)?.into_iter().map(CalendarInfo::from).collect();
    let count = all.len();
    Page::cut(all, cursor, count)
}

pub(super) fn manage_calendar(cx: &Cx, p: ManageCalendar) -> Result<Success<Managed>, ToolError> {
    let color = p.color.as_deref().map(str::trim).filter(|color| !color.is_empty());
    if let Some(color) = color.filter(|color| !is_color(color)) {
        return Err(ToolError::Arguments(format!("`color` must be like {COLOR}, got {color:?}")));
    }
    let managed = match p.action {
        Action::Create => create(cx, &p, color)?,
        Action::Update => update(cx, &p, color)?,
        Action::Delete => delete(cx, &p)?,
        Action::List => {
            let page = page(cx, None)?;
            Managed {
                calendars: Some(page.rows),
                total_count: Some(page.total),
                next_cursor: page.next_cursor,
                ..Managed::new("list", "listed", "Calendars, the ones that can be written to first.", None)
            }
        }
    };
    Ok(Success(managed))
}

impl Managed {
    fn new(action: &str, status: &str, message: impl Into<String>, calendar_name: Option<String>) -> Managed {
        Managed {
            action: action.to_owned(),
            status: status.to_owned(),
            message: message.into(),
            calendar_name,
            calendars: None,
            total_count: None,
            next_cursor: None,
        }
    }
}

/// Extended MKCOL (RFC 5689 §3) of a calendar for events and tasks.
fn create(cx: &Cx, p: &ManageCalendar, color: Option<&str>) -> Result<Managed, ToolError> {
    let display_name = p.display_name.trim();
    let asked = p.calendar_name.trim();
    let (display_name, first) = match (display_name, asked) {
        ("", "") => {
            return Err(ToolError::Arguments("create needs `display_name` or `calendar_name`".to_owned()));
        }
        ("", name) => (name, check_name(name)?.to_owned()),
        (display_name, "") => (display_name, derived_name(display_name)),
        (display_name, name) => (display_name, check_name(name)?.to_owned()),
    };
    let known = calendars::all(cx)?;
    let home = cx.nc.homes()?.calendars.clone();
    let properties = properties(display_name, p.description.as_deref(), color.unwrap_or(COLOR));
    // Only a name of our own choice is varied: the caller goes on working with the one that they gave.
    let tries = if asked.is_empty() { NAME_TRIES } else { 1 };
    let candidates = (1..).map(|n| if n == 1 { first.clone() } else { format!("{first}-{n}") });
    let free = candidates.filter(|name| !asked.is_empty() || known.iter().all(|known| known.name != *name));
    for name in free.take(tries) {
        let path = home.clone().segment(&name).slash();
        let request = Request::new("MKCOL", path).xml(xml::document((DAV, "mkcol"), &properties));
        match cx.nc.send(request) {
            Ok(_) => {
                let message = format!("Calendar {display_name:?} was created for events and tasks.");
                return Ok(Managed::new("create", "created", message, Some(name)));
            }
            Err(error) if error.kind == Kind::MethodNotAllowed => {}
            Err(error) => return Err(error.about(format!("the new calendar {name:?}")).into()),
        }
    }
    Err(ToolError::Refused(format!(
        "Calendar {first:?} exists already, or lies in the calendar trash bin; nothing was created. Choose another \
         `calendar_name`."
    )))
}

fn properties(display_name: &str, description: Option<&str>, color: &str) -> String {
    let mut set = format!(
        "<d:resourcetype><d:collection/><cal:calendar/></d:resourcetype>{}{}\
         <cal:supported-calendar-component-set><cal:comp name=\"VEVENT\"/><cal:comp name=\"VTODO\"/>\
         </cal:supported-calendar-component-set>",
        xml::element(DISPLAY_NAME, display_name),
        xml::element(CALENDAR_COLOR, color),
    );
    if let Some(description) = description.filter(|text| !text.is_empty()) {
        set.push_str(&xml::element(DESCRIPTION, description));
    }
    format!("<d:set><d:prop>{set}</d:prop></d:set>")
}

/// PROPPATCH (RFC 4918 §9.2) of what was given; an empty description takes it away.
fn update(cx: &Cx, p: &ManageCalendar, color: Option<&str>) -> Result<Managed, ToolError> {
    let mut set: Vec<(Name<'_>, &str)> = Vec::new();
    let mut remove = Vec::new();
    if !p.display_name.trim().is_empty() {
        set.push((DISPLAY_NAME, p.display_name.trim()));
    }
    match p.description.as_deref() {
        Some("") => remove.push(DESCRIPTION),
        Some(description) => set.push((DESCRIPTION, description)),
        None => {}
    }
    if let Some(color) = color {
        set.push((CALENDAR_COLOR, color));
    }
    if set.is_empty() && remove.is_empty() {
        return Err(ToolError::Arguments(
            "update needs at least one of `display_name`, `description`, `color`".to_owned(),
        ));
    }
    let calendar = own(calendars::named(cx, &p.calendar_name)?, "changed")?;
    let request = Request::new("PROPPATCH", calendar.path.clone()).xml(xml::proppatch(&set, &remove));
    let answer = cx.nc.multistatus(request).of(calendar.subject())?;
    let names: Vec<Name<'_>> = set.iter().map(|(name, _)| *name).chain(remove).collect();
    let refused = answer.first(|entry| {
        Some(names.iter().filter(|name| !entry.has(name.0, name.1)).map(|name| name.1).collect::<Vec<_>>())
    });
    match refused.of(calendar.subject())? {
        Some(refused) if refused.is_empty() => {
            let message =
                format!("Changed: {}.", names.iter().map(|name| name.1).collect::<Vec<_>>().join(", "));
            Ok(Managed::new("update", "updated", message, Some(calendar.name)))
        }
        refused => Err(ToolError::Refused(format!(
            "Nextcloud did not change {} of {}; all of it was left as it was.",
            refused.unwrap_or_default().join(", "),
            calendar.subject()
        ))),
    }
}

/// DELETE. Of a calendar that somebody shares only the user's own access goes.
fn delete(cx: &Cx, p: &ManageCalendar) -> Result<Managed, ToolError> {
    let calendar = own(calendars::named(cx, &p.calendar_name)?, "deleted")?;
    let contents = contents(cx, &calendar)?;
    let is_default =
        calendar.owner.is_none() && default_calendar(cx)?.is_some_and(|path| path == calendar.path);
    let request = Request::new("DELETE", calendar.path.clone());
    cx.nc.send(request).of(calendar.subject())?;
    let mut message = match &calendar.owner {
        Some(owner) => {
            format!(
                "The share of {owner}'s calendar was given up; the calendar itself stays. Only {owner} can share it again."
            )
        }
        None => format!(
            "The calendar was deleted with {contents}. It lies in the trash bin of Nextcloud's Calendar app and can be \
             restored there, for 30 days unless the administrator set another time."
        ),
    };
    if is_default {
        message.push_str(" It was the default one for invitations; Nextcloud now takes another.");
    }
    Ok(Managed::new("delete", "deleted", message, Some(calendar.name)))
}

/// Refuses what is not the user's to change: subscriptions, birthdays, what apps make.
fn own(calendar: Calendar, done: &str) -> Result<Calendar, ToolError> {
    match &calendar.source {
        None => Ok(calendar),
        Some(source) => Err(ToolError::Refused(format!(
            "Calendar {:?} is made from {source}; it was not {done}. The user can do that in the settings of the \
             Calendar app.",
            calendar.name
        ))),
    }
}

/// How many objects go with a calendar, in words. PROPFIND, `Depth: 1`.
fn contents(cx: &Cx, calendar: &Calendar) -> Result<String, ToolError> {
    let request = Request::new("PROPFIND", calendar.path.clone())
        .header("Depth", "1")
        .xml(xml::propfind(&[(DAV, "getcontenttype")]));
    let (mut events, mut tasks) = (0, 0);
    cx.nc.multistatus(request).of(calendar.subject())?.each(|entry| {
        let kind = entry.prop(DAV, "getcontenttype").unwrap_or_default().to_ascii_lowercase();
        if kind.contains("component=vtodo") {
            tasks += 1;
        } else if kind.starts_with("text/calendar") {
            events += 1;
        }
    })?;
    let count = |count: i64, comp: Comp| match count {
        1 => format!("1 {}", comp.noun()),
        count => format!("{count} {}s", comp.noun()),
    };
    Ok(format!("{} and {}", count(events, Comp::Event), count(tasks, Comp::Todo)))
}

/// Where invitations go (RFC 6638 §9.2).
fn default_calendar(cx: &Cx) -> Result<Option<UrlPath>, ToolError> {
    const NAME: Name<'_> = (CALDAV, "schedule-default-calendar-URL");
    let principal = cx.nc.principal()?.path.clone();
    let request = Request::new("PROPFIND", principal).header("Depth", "0").xml(xml::propfind(&[NAME]));
    let answer = cx.nc.multistatus(request).of("the account")?;
    Ok(answer.first(|entry| {
        let href = entry.element(NAME.0, NAME.1)?.child((DAV, "href"))?.text()?;
        Some(cx.nc.path_of(href.trim()).slash())
    })?)
}

/// `#rrggbb`, with two more digits for Apple's opacity.
fn is_color(text: &str) -> bool {
    text.strip_prefix('#')
        .is_some_and(|digits| matches!(digits.len(), 6 | 8) && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A name as it can stand in a path.
fn check_name(name: &str) -> Result<&str, ToolError> {
    let fault = if name.len() > NAME_BYTES_MAX {
        "is longer than 100 bytes"
    } else if name.contains(['/', '\\', '?', '#', '%']) || name.chars().any(char::is_control) {
        "must not hold / \\ ? # % or control characters"
    } else if name.starts_with('.') || name.starts_with("app-generated--") || RESERVED.contains(&name) {
        "is reserved"
    } else {
        return Ok(name);
    };
    Err(ToolError::Arguments(format!(
        "`calendar_name` {fault}; leave it out to have it made of `display_name`"
    )))
}

/// `Work & Play 2026` → `work-play-2026`.
fn derived_name(display_name: &str) -> String {
    let mut name = String::new();
    for c in display_name.to_lowercase().chars() {
        match c {
            c if c.is_ascii_alphanumeric() => name.push(c),
            _ if name.is_empty() || name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    name.truncate(NAME_BYTES_MAX / 2);
    let name = name.trim_matches('-');
    if name.is_empty() || check_name(name).is_err() { "calendar".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_of_the_display_name() {
        assert_eq!(derived_name("Work & Play 2026"), "work-play-2026");
        assert_eq!(derived_name(" Über uns! "), "ber-uns");
        for empty in ["", "🎉", "日本", "inbox", "---"] {
            assert_eq!(derived_name(empty), "calendar", "{empty}");
        }
        assert!(derived_name(&"x".repeat(500)).len() <= NAME_BYTES_MAX);
    }

    #[test]
    fn a_name_that_means_something_else_is_refused() {
        for good in ["work", "Work 2", "büro_1.x"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["a/b", "..", ".x", "inbox", "trashbin", "app-generated--deck--1", "a?b", "a\nb"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_name(&"x".repeat(101)).is_err());
    }

    #[test]
    fn colours_are_hexadecimal() {
        assert!(is_color("#1976D2") && is_color("#1976d2ff"));
        for bad in ["red", "1976D2", "#197", "#1976DG", "#1976D2F", "#ää"] {
            assert!(!is_color(bad), "{bad}");
        }
    }

    #[test]
    fn texts_are_escaped() {
        let xml = properties("A & <B>", Some("\"x\""), COLOR);
        assert!(xml.contains("A &amp; &lt;B&gt;") && xml.contains("&quot;x&quot;"), "{xml}");
    }
}
