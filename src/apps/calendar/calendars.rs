//! Which calendars there are, and what may be done in them (RFC 4791 §5.2, §6.2.1).

use crate::contentline::Component;
use crate::nextcloud::{
    APPLE_ICAL, CALDAV, CS, DAV, Element, Entry, Kind, OC, Request, Subject, UrlPath, xml,
};
use crate::tool::{Cx, ToolError};

/// Nextcloud's own properties of calendars are in another namespace than those of files.
const NC_COM: &str = "http://nextcloud.com/ns";
/// `Off` shows a subscription as one, with its source; `On` lets its events be read as those of a calendar.
pub(super) const WEBCAL_CACHING: &str = "X-NC-CalDAV-Webcal-Caching";
/// The calendar that Nextcloud makes of contacts' birthdays.
const BIRTHDAYS: &str = "contact_birthdays";
/// Calendars that an app makes up: `app-generated--deck--board-1`.
const GENERATED: &str = "app-generated--";
const PROPERTIES: &[(&str, &str)] = &[
    (DAV, "resourcetype"),
    (DAV, "displayname"),
    (DAV, "current-user-privilege-set"),
    (CALDAV, "calendar-description"),
    (CALDAV, "calendar-timezone"),
    (CALDAV, "supported-calendar-component-set"),
    (CALDAV, "schedule-calendar-transp"),
    (APPLE_ICAL, "calendar-color"),
    (APPLE_ICAL, "calendar-order"),
    (CS, "getctag"),
    (CS, "source"),
    (OC, "calendar-enabled"),
    (OC, "owner-principal"),
    (NC_COM, "owner-displayname"),
    (NC_COM, "deleted-at"),
];

/// What lies in a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comp {
    Event,
    Todo,
}

impl Comp {
    /// The component's name (RFC 5545 §3.6).
    pub const fn name(self) -> &'static str {
        match self {
            Comp::Event => "VEVENT",
            Comp::Todo => "VTODO",
        }
    }

    /// For people.
    pub fn noun(self) -> &'static str {
        match self {
            Comp::Event => "event",
            Comp::Todo => "task",
        }
    }

    /// How errors name one: `task "x" in calendar "work"`.
    pub fn subject(self, uid: &str, calendar: &Calendar) -> String {
        format!("{} {uid:?} in {}", self.noun(), calendar.subject())
    }
}

/// A calendar of the account, or one that somebody shares with it.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    /// The last segment of its path; what tools call `calendar_name`.
    pub name: String,
    pub display_name: String,
    pub description: Option<String>,
    /// `#rrggbb`, sometimes with two more digits.
    pub color: Option<String>,
    pub path: UrlPath,
    pub ctag: Option<String>,
    /// TZID of the calendar's own time zone.
    pub timezone: Option<String>,
    /// Whether the user has it switched on.
    pub enabled: bool,
    /// Its events do not make the user busy.
    pub transparent: bool,
    pub read_only: bool,
    /// Where the events of a read-only one come from: an address, or `contacts`, or the name of an app.
    pub source: Option<String>,
    /// Who shares it; absent for the account's own.
    pub owner: Option<String>,
    /// Names of the components that it takes; none means all.
    pub components: Vec<String>,
    /// Where the user put it in the list.
    order: i64,
}

impl Calendar {
    /// Whether such components may lie in it.
    pub fn takes(&self, comp: Comp) -> bool {
        self.components.is_empty()
            || self.components.iter().any(|name| name.eq_ignore_ascii_case(comp.name()))
    }

    /// How errors name it.
    pub fn subject(&self) -> String {
        format!("calendar {:?}", self.name)
    }

    /// Fails where nothing may be changed in it, with the reason.
    pub fn writable(&self) -> Result<(), ToolError> {
        if !self.read_only {
            return Ok(());
        }
        let why = match (self.source.as_deref(), &self.owner) {
            (Some("contacts"), _) => {
                "is made of the birthdays of contacts; change the contact instead".to_owned()
            }
            (Some(address), _) if address.contains("://") => {
                "is a subscription to a calendar elsewhere".to_owned()
            }
            (Some(app), _) => format!("is made by the app {app}; change it there"),
            (None, Some(owner)) => format!("belongs to {owner} and is shared for reading only"),
            (None, None) => "may only be read".to_owned(),
        };
        Err(ToolError::Refused(format!("Calendar {:?} {why}. Nothing was changed.", self.name)))
    }

    /// Reads one `response` element; `None` for what is no calendar: the home, in- and outbox, deleted ones.
    fn read(entry: &Entry<'_>, user_id: &str) -> Option<Calendar> {
        let kind = entry.element(DAV, "resourcetype")?;
        let is_subscription = kind.child((CS, "subscribed")).is_some();
        let is_calendar = is_subscription || kind.child((CALDAV, "calendar")).is_some();
        let is_deleted =
            kind.child((NC_COM, "deleted-calendar")).is_some() || entry.has(NC_COM, "deleted-at");
        if !is_calendar || is_deleted {
            return None;
        }
        let path = entry.path().slash();
        let name = path.last_segment()?;
        let text = |namespace, name| entry.prop(namespace, name).map(|text| text.trim().to_owned());
        let owner = text(OC, "owner-principal")
            .and_then(|principal| Some(principal.trim_end_matches('/').rsplit('/').next()?.to_owned()))
            .filter(|owner| owner != user_id)
            .map(|owner| text(NC_COM, "owner-displayname").unwrap_or(owner));
        Some(Calendar {
            display_name: text(DAV, "displayname").unwrap_or_else(|| name.clone()),
            description: text(CALDAV, "calendar-description"),
            color: text(APPLE_ICAL, "calendar-color"),
            ctag: text(CS, "getctag"),
            timezone: entry.prop(CALDAV, "calendar-timezone").and_then(tzid),
            enabled: text(OC, "calendar-enabled").is_none_or(|enabled| enabled != "0"),
            transparent: entry
                .element(CALDAV, "schedule-calendar-transp")
                .is_some_and(|transp| transp.child((CALDAV, "transparent")).is_some()),
            read_only: is_subscription || name == BIRTHDAYS || !may_write(entry),
            source: source(entry, &name),
            owner,
            components: entry
                .element(CALDAV, "supported-calendar-component-set")
                .into_iter()
                .flat_map(Element::children)
                .filter_map(|comp| comp.attribute("name").map(str::to_owned))
                .collect(),
            order: text(APPLE_ICAL, "calendar-order").and_then(|order| order.parse().ok()).unwrap_or(0),
            path,
            name,
        })
    }

    /// Writable ones first, of those the ones for events, then the user's own; then as the user ordered them.
    fn rank(&self) -> (bool, bool, bool, i64) {
        (self.read_only, !self.takes(Comp::Event), self.owner.is_some(), self.order)
    }
}

/// All calendars of the account, the ones that can be written to first. PROPFIND of the `calendar-home-set`,
/// `Depth: 1`; in- and outbox and deleted calendars are left out.
pub(super) fn all(cx: &Cx) -> Result<Vec<Calendar>, ToolError> {
    let home = cx.nc.homes()?.calendars.clone().slash();
    let user_id = cx.nc.user_id()?;
    let request = Request::new("PROPFIND", home)
        .header("Depth", "1")
        .header(WEBCAL_CACHING, "Off")
        .xml(xml::propfind(PROPERTIES));
    let answer = cx.nc.multistatus(request).of("the list of calendars")?;
    let mut all = answer.collect(|entry| Calendar::read(&entry, &user_id)).of("the list of calendars")?;
    all.sort_by_key(Calendar::rank);
    Ok(all)
}

/// The calendar of this name. Fails with the names that there are. PROPFIND, `Depth: 0`: a home may be full of calendars that
/// apps make up, and each takes Nextcloud its time.
pub(super) fn named(cx: &Cx, name: &str) -> Result<Calendar, ToolError> {
    let name = name.trim().trim_matches('/');
    let is_segment = !name.is_empty() && !name.contains('/') && name.bytes().any(|byte| byte != b'.');
    if is_segment {
        let user_id = cx.nc.user_id()?;
        let path = cx.nc.homes()?.calendars.clone().segment(name).slash();
        let request = Request::new("PROPFIND", path)
            .header("Depth", "0")
            .header(WEBCAL_CACHING, "Off")
            .xml(xml::propfind(PROPERTIES));
        match cx.nc.multistatus(request) {
            Ok(answer) => {
                let found = answer.first(|entry| Calendar::read(&entry, &user_id));
                if let Some(calendar) = found.of(format!("calendar {name:?}"))? {
                    return Ok(calendar);
                }
            }
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) => return Err(error.about(format!("calendar {name:?}")).into()),
        }
    }
    pick(all(cx)?, name)
}

/// The same from a list that is known already.
pub(super) fn pick(all: Vec<Calendar>, name: &str) -> Result<Calendar, ToolError> {
    let name = name.trim().trim_matches('/');
    if name.is_empty() {
        return Err(ToolError::Arguments(format!("`calendar_name` is empty; known: {}", names(&all))));
    }
    if let Some(known) = all.iter().position(|calendar| calendar.name == name) {
        return all.into_iter().nth(known).ok_or_else(|| ToolError::Refused("No calendar.".into()));
    }
    let same = |text: &str| text.to_lowercase() == name.to_lowercase();
    let hint = match all.iter().find(|calendar| same(&calendar.display_name) || same(&calendar.name)) {
        Some(meant) => format!("Did you mean {:?} (displayed as {:?})?", meant.name, meant.display_name),
        None => format!("Known: {}.", names(&all)),
    };
    Err(ToolError::Refused(format!("Calendar {name:?} was not found. {hint}")))
}

fn names(all: &[Calendar]) -> String {
    const SHOWN_MAX: usize = 20;
    let mut shown: Vec<&str> = all.iter().take(SHOWN_MAX).map(|calendar| calendar.name.as_str()).collect();
    match shown.is_empty() {
        true => return "none; make one with nc_calendar_manage_calendar".to_owned(),
        false if all.len() > SHOWN_MAX => shown.push("…"),
        false => {}
    }
    shown.join(", ")
}

/// Whether the privileges (RFC 3744 §5.4) let the content be changed.
fn may_write(entry: &Entry<'_>) -> bool {
    let privileges = entry.element(DAV, "current-user-privilege-set");
    privileges.is_none_or(|set| {
        set.descendants()
            .any(|privilege| ["all", "write", "write-content"].iter().any(|name| privilege.is((DAV, name))))
    })
}

fn source(entry: &Entry<'_>, name: &str) -> Option<String> {
    if name == BIRTHDAYS {
        return Some("contacts".to_owned());
    }
    if let Some(rest) = name.strip_prefix(GENERATED) {
        return Some(rest.split("--").next().unwrap_or(rest).to_owned());
    }
    let source = entry.element(CS, "source")?;
    source.child((DAV, "href")).or(Some(source)).and_then(Element::text).map(|href| without_user(href.trim()))
}

/// An address without a name and password before its host.
fn without_user(address: &str) -> String {
    match address.split_once("://") {
        Some((scheme, rest)) => {
            let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let host_start = rest[..host_end].rfind('@').map_or(0, |at| at + 1);
            format!("{scheme}://{}", &rest[host_start..])
        }
        None => address.to_owned(),
    }
}

/// The name in a `calendar-timezone`, which is a whole VCALENDAR (RFC 4791 §5.2.2).
fn tzid(calendar: &str) -> Option<String> {
    let calendar = Component::parse(calendar).ok()?;
    let zone = calendar.children().find(|child| child.is("VTIMEZONE"))?;
    Some(zone.line("TZID")?.value().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn calendar(name: &str, display_name: &str) -> Calendar {
        Calendar {
            name: name.to_owned(),
            display_name: display_name.to_owned(),
            description: None,
            color: None,
            path: UrlPath::dav().raw("/calendars/alice").segment(name).slash(),
            ctag: None,
            timezone: None,
            enabled: true,
            transparent: false,
            read_only: false,
            source: None,
            owner: None,
            components: Vec::new(),
            order: 0,
        }
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_right_one() {
        let all = || vec![calendar("work-1", "Work & Play"), calendar("personal", "Personal")];
        let fault = |name: &str| pick(all(), name).unwrap_err().to_string();
        assert_eq!(pick(all(), "personal").unwrap().name, "personal");
        assert_eq!(pick(all(), "/personal/").unwrap().name, "personal");
        assert!(fault("work & play").contains("Did you mean \"work-1\""), "{}", fault("work & play"));
        assert!(fault("nothing").ends_with("Known: work-1, personal."), "{}", fault("nothing"));
        assert!(fault("").contains("known: work-1, personal"));
        assert!(pick(vec![], "x").unwrap_err().to_string().contains("nc_calendar_manage_calendar"));
    }

    #[test]
    fn a_read_only_calendar_says_why() {
        let refusal = |source: Option<&str>, owner: Option<&str>| {
            let mut read_only = calendar("x", "X");
            read_only.read_only = true;
            read_only.source = source.map(str::to_owned);
            read_only.owner = owner.map(str::to_owned);
            read_only.writable().unwrap_err().to_string()
        };
        assert!(calendar("x", "X").writable().is_ok());
        assert!(refusal(Some("contacts"), None).contains("birthdays"));
        assert!(refusal(Some("https://x"), None).contains("subscription"));
        assert!(refusal(Some("deck"), None).contains("made by the app deck"));
        assert!(refusal(None, Some("Bob")).contains("belongs to Bob"));
    }

    #[test]
    fn a_calendar_without_a_component_set_takes_all() {
        let mut some = calendar("x", "X");
        assert!(some.takes(Comp::Event) && some.takes(Comp::Todo));
        some.components = vec!["VTODO".to_owned()];
        assert!(!some.takes(Comp::Event) && some.takes(Comp::Todo));
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(without_user("https://u:p@h/x@y.ics"), "https://h/x@y.ics");
        assert_eq!(without_user("webcal://h?a@b"), "webcal://h?a@b");
        assert_eq!(without_user("x"), "x");
    }
}
