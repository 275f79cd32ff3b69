//! The same change to many events.

use super::calendars::{self, Calendar, Comp};
use super::objects::{self, CalendarError, Found, Range, Stored};
use super::{availability, events, reminders};
use crate::contentline::{Component, Line};
use crate::ical::{self, Action, Alarm, Local, Moment, Relation, Trigger, When, Zone, Zones, plus_days};
use crate::nextcloud::Kind;
use crate::tool::{Cx, Success, ToolError};
use crate::{choice, params, record};

/// Events that one call may change.
const EVENTS_MAX: usize = 100;
/// Failures that are told one by one.
const FAILURES_SHOWN: usize = 25;

choice! {
    pub(super) enum Operation { Update = "update", Delete = "delete", Move = "move" }
}

params! {
    pub(super) struct BulkOperations {
        operation: Operation,
        title_contains: Option<String>,
        /// Comma-separated; any of them.
        categories: Option<String>,
        /// All writable ones if left out.
        calendar_name: Option<String>,
        start_date: String = "",
        /// Counts whole.
        end_date: String = "",
        status: Option<String>,
        location_contains: Option<String>,
        new_title: Option<String>,
        new_description: Option<String>,
        new_location: Option<String>,
        new_categories: Option<String>,
        new_priority: Option<i64>,
        new_reminder_minutes: Option<i64>,
        target_calendar: Option<String>,
        /// Also change recurring events, each as a whole.
        apply_to_series: bool = false,
        /// Only tell which events match.
        dry_run: bool = false,
    }
}

record! {
    pub(super) struct BulkEvent {
        uid: String,
        title: String,
        start: Option<String>,
        calendar_name: String,
        error: Option<String>,
    }
}

record! {
    pub(super) struct BulkResult {
        operation: String,
        message: String,
        /// That match and were tried.
        events_processed: i64,
        events_successful: i64,
        events_failed: i64,
        failed_events: Vec<BulkEvent>,
        /// What could not be read or was not tried.
        errors: Vec<String>,
        /// Only for a dry run.
        matching_events: Option<Vec<BulkEvent>>,
    }
}

/// Which events are meant.
struct Filter {
    title: String,
    location: String,
    categories: Vec<String>,
    status: String,
}

impl Filter {
    fn new(p: &BulkOperations) -> Filter {
        let lower = |text: &Option<String>| text.as_deref().unwrap_or_default().trim().to_lowercase();
        Filter {
            title: lower(&p.title_contains),
            location: lower(&p.location_contains),
            categories: lower(&p.categories)
                .split(',')
                .map(str::trim)
                .filter(|c| !c.is_empty())
                .map(str::to_owned)
                .collect(),
            status: lower(&p.status),
        }
    }

    fn is_empty(&self) -> bool {
        self.title.is_empty()
            && self.location.is_empty()
            && self.categories.is_empty()
            && self.status.is_empty()
    }

    /// Whether one event, or one instance of a series, fits in all points.
    fn lets_through(&self, event: &Component) -> bool {
        let text = |name: &str| event.line(name).map(Line::to_text).unwrap_or_default().to_lowercase();
        let has_category = || {
            let own: Vec<String> =
                event.lines("CATEGORIES").flat_map(Line::to_list).map(|c| c.trim().to_lowercase()).collect();
            self.categories.iter().any(|wanted| own.contains(wanted))
        };
        // RFC 5545 knows no default; people take an event without a status for a confirmed one.
        let status =
            Some(text("STATUS")).filter(|status| !status.is_empty()).unwrap_or_else(|| "confirmed".into());
        text("SUMMARY").contains(&self.title)
            && text("LOCATION").contains(&self.location)
            && (self.categories.is_empty() || has_category())
            && (self.status.is_empty() || status.trim() == self.status)
    }
}

/// What is done to each event.
enum Change {
    Update(Box<Update>),
    Delete,
    Move(Box<Calendar>),
}

/// New texts; `None` stays, "" takes away.
struct Update {
    texts: Vec<(&'static str, String)>,
    categories: Option<String>,
    priority: Option<i64>,
    alarms: Option<Vec<Alarm>>,
}

impl Update {
    fn new(p: &BulkOperations) -> Result<Update, ToolError> {
        let wrong = |why: &str| Err(ToolError::Arguments(why.to_owned()));
        if p.new_title.as_deref().is_some_and(|title| title.trim().is_empty()) {
            return wrong("`new_title` is empty; an event needs one");
        }
        if p.new_priority.is_some_and(|priority| !(0..=9).contains(&priority)) {
            return wrong("`new_priority` must be 1 (highest) to 9, or 0 for none");
        }
        if p.new_reminder_minutes.is_some_and(|minutes| minutes < 0) {
            return wrong("`new_reminder_minutes` must not be negative");
        }
        let given =
            [("SUMMARY", &p.new_title), ("DESCRIPTION", &p.new_description), ("LOCATION", &p.new_location)];
        let update = Update {
            texts: given.into_iter().filter_map(|(name, text)| Some((name, text.clone()?))).collect(),
            categories: p.new_categories.clone(),
            priority: p.new_priority,
            alarms: p.new_reminder_minutes.map(|minutes| {
                vec![Alarm {
                    action: Action::Display,
                    trigger: Trigger::After(reminders::before(minutes), Relation::Start),
                    description: None,
                    summary: None,
                }]
            }),
        };
        let is_empty = update.texts.is_empty()
            && update.categories.is_none()
            && update.priority.is_none()
            && update.alarms.is_none();
        if is_empty { wrong("update needs at least one of the `new_…` arguments") } else { Ok(update) }
    }

    /// Changes the series and its exceptions alike.
    fn apply(&self, cx: &Cx, calendar: &mut Component) {
        let owned = calendar.clone();
        let zones = Zones::of(&owned);
        for event in calendar.children_mut().filter(|child| child.is(Comp::Event.name())) {
            for (name, text) in &self.texts {
                ical::set_or_remove(event, name, text);
            }
            if let Some(categories) = &self.categories {
                let new: Vec<&str> = categories.split(',').map(str::trim).filter(|c| !c.is_empty()).collect();
                let line = (!new.is_empty()).then(|| Line::list("CATEGORIES", new));
                event.set_all("CATEGORIES", line.into_iter().collect());
            }
            match self.priority {
                Some(0) => event.remove("PRIORITY"),
                Some(priority) => event.set(Line::new("PRIORITY", priority.to_string())),
                None => {}
            }
            if let Some(alarms) = &self.alarms {
                Alarm::replace_all(event, alarms, &[], &zones);
            }
            ical::touch(event, cx.clock.now(), true);
        }
    }
}

pub(super) fn bulk_operations(cx: &Cx, p: BulkOperations) -> Result<Success<BulkResult>, ToolError> {
    let filter = Filter::new(&p);
    let asked = p.calendar_name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    if filter.is_empty() && asked.is_none() && p.start_date.is_empty() && p.end_date.is_empty() {
        return Err(ToolError::Refused(
            "Refused: without any filter this would change every event. Give at least one of title_contains, categories, \
             calendar_name, start_date, end_date, status, location_contains."
                .into(),
        ));
    }
    let change = change(cx, &p)?;
    let mut calendars = match asked {
        Some(name) => {
            let calendar = calendars::named(cx, name)?;
            calendar.writable()?;
            vec![calendar]
        }
        None => calendars::all(cx)?,
    };
    calendars.retain(|calendar| !calendar.read_only && calendar.takes(Comp::Event));
    if let Change::Move(target) = &change {
        calendars.retain(|calendar| calendar.path != target.path);
    }
    let range = range(&p, &calendars)?;
    let (objects, unread) = objects::query_all(cx, &calendars, |calendar| in_range(cx, calendar, range))?;
    let matching: Vec<(&Calendar, Stored)> = objects
        .into_iter()
        .filter(|(_, stored)| stored.parts(Comp::Event).any(|event| filter.lets_through(event)))
        .filter_map(|(place, stored)| Some((calendars.get(place)?, stored)))
        .collect();
    if matching.len() > EVENTS_MAX {
        return Err(ToolError::Refused(format!(
            "{} events match, more than the {EVENTS_MAX} that one call may change; nothing was changed. Narrow the filters, \
             for example by date.",
            matching.len()
        )));
    }
    if p.dry_run {
        return Ok(Success(dry_run(&p, &matching, unread)));
    }
    Ok(Success(run(cx, &p, &change, matching, unread)))
}

fn change(cx: &Cx, p: &BulkOperations) -> Result<Change, ToolError> {
    Ok(match p.operation {
        Operation::Update => Change::Update(Box::new(Update::new(p)?)),
        Operation::Delete => Change::Delete,
        Operation::Move => {
            let name = p.target_calendar.as_deref().map(str::trim).filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| ToolError::Arguments("move needs `target_calendar`".into()))?;
            let target = calendars::named(cx, name)?;
            target.writable()?;
            Change::Move(Box::new(target))
        }
    })
}

/// The days that are asked for, in the zone of the calendar where it has one. `None` for all of time.
fn range(p: &BulkOperations, calendars: &[Calendar]) -> Result<Option<Range>, ToolError> {
    let known = calendars.iter().find_map(|calendar| calendar.timezone.as_deref());
    let local = known.and_then(|name| Local::parse(name).ok()).unwrap_or(Local::Utc);
    let zone = Zone::iana(local.tzid().unwrap_or("UTC"));
    let moment = |name: &str, text: &str, days: i64, otherwise: Moment| -> Result<Moment, ToolError> {
        if text.trim().is_empty() {
            return Ok(otherwise);
        }
        let wrong = |why: &str| ToolError::Arguments(format!("`{name}`: {why}"));
        let when = When::parse(text, &local).map_err(|why| wrong(&why))?;
        let at = match when.is_date() {
            true => plus_days(when.date(), days)
                .and_then(|date| zone.as_ref().and_then(|zone| zone.moment(date.at(0, 0, 0, 0)))),
            false => when.moment(&Zones::none()),
        };
        at.ok_or_else(|| wrong("the year is out of range"))
    };
    if p.start_date.trim().is_empty() && p.end_date.trim().is_empty() {
        return Ok(None);
    }
    // The years in which people plan; RFC 4791 §9.9 wants both ends for recurring events to be worked out.
    let (first, last) = (Moment::from_second(-2_208_988_800), Moment::from_second(4_102_444_800));
    let start = moment("start_date", &p.start_date, 0, first.unwrap_or(Moment::UNIX_EPOCH))?;
    let end = moment("end_date", &p.end_date, 1, last.unwrap_or(Moment::MAX))?;
    if end <= start {
        return Err(ToolError::Arguments("`end_date` is before `start_date`".into()));
    }
    Ok(Some(Range { start, end }))
}

/// The events of a calendar that touch the range. Where Nextcloud cannot tell, for a series of more than 3,500 instances lies
/// there, the calendar is read whole.
fn in_range(cx: &Cx, calendar: &Calendar, range: Option<Range>) -> Result<Found, ToolError> {
    match (objects::query(cx, calendar, Comp::Event, range, false), range) {
        (Err(ToolError::Upstream(error)), Some(range)) if error.kind == Kind::Server => {
            let mut found = objects::query(cx, calendar, Comp::Event, None, false)?;
            found.objects.retain(|stored| touches(stored, range));
            Ok(found)
        }
        (found, _) => found,
    }
}

/// Whether an event, or an instance of it, lies in the range. A series that cannot be worked out here might.
fn touches(stored: &Stored, range: Range) -> bool {
    if is_series(stored) {
        return events::worked_out(stored, range).is_none_or(|instances| !instances.is_empty());
    }
    let zones = Zones::of(&stored.component);
    stored
        .parts(Comp::Event)
        .filter_map(|event| availability::span(event, &zones))
        .any(|(start, end)| start < range.end && (end > range.start || start == end && start >= range.start))
}

fn dry_run(p: &BulkOperations, matching: &[(&Calendar, Stored)], unread: Vec<CalendarError>) -> BulkResult {
    let describe = |(calendar, stored): &(&Calendar, Stored)| {
        let error = (is_series(stored) && !p.apply_to_series).then(|| SERIES.to_owned());
        described(calendar, stored, error)
    };
    BulkResult {
        operation: name(p.operation).into(),
        message: format!("{} match; nothing was changed.", count(matching.len())),
        events_processed: 0,
        events_successful: 0,
        events_failed: 0,
        failed_events: Vec::new(),
        errors: unread.into_iter().map(told).collect(),
        matching_events: Some(matching.iter().map(describe).collect()),
    }
}

const SERIES: &str = "it is recurring; set apply_to_series to change the whole series";

/// Does it to each event on its own. What would fail for the others too ends the work.
fn run(
    cx: &Cx,
    p: &BulkOperations,
    change: &Change,
    matching: Vec<(&Calendar, Stored)>,
    unread: Vec<CalendarError>,
) -> BulkResult {
    let total = matching.len();
    let mut errors: Vec<String> = unread.into_iter().map(told).collect();
    let (mut successful, mut failed) = (0, 0);
    let mut failed_events = Vec::new();
    for (done, (calendar, stored)) in matching.into_iter().enumerate() {
        let outcome = match is_series(&stored) && !p.apply_to_series {
            true => Err(ToolError::Refused(SERIES.into())),
            false => one(cx, change, calendar, &stored),
        };
        let is_hopeless = matches!(&outcome, Err(ToolError::Upstream(error)) if ends_all(error.kind));
        match outcome {
            Ok(()) => successful += 1,
            Err(why) => {
                failed += 1;
                if failed_events.len() < FAILURES_SHOWN {
                    failed_events.push(described(calendar, &stored, Some(why.to_string())));
                }
            }
        }
        cx.progress.report(done as u64 + 1, Some(total as u64), "events changed");
        if is_hopeless || cx.is_cancelled() {
            let left = total - done - 1;
            if left > 0 {
                errors.push(format!("{} were not tried.", count(left)));
            }
            break;
        }
    }
    let done = match p.operation {
        Operation::Update => "changed",
        Operation::Delete => "deleted (restorable from the calendar trash bin)",
        Operation::Move => "moved",
    };
    BulkResult {
        operation: name(p.operation).into(),
        message: match (successful, failed) {
            (0, 0) => "No event matches; nothing was changed.".into(),
            (0, _) => format!("Nothing was changed; {} failed.", count(failed)),
            (_, 0) => format!("{} {done}.", count(successful)),
            _ => format!("{} {done}, {} failed.", count(successful), count(failed)),
        },
        events_processed: (successful + failed) as i64,
        events_successful: successful as i64,
        events_failed: failed as i64,
        failed_events,
        errors,
        matching_events: None,
    }
}

fn one(cx: &Cx, change: &Change, calendar: &Calendar, stored: &Stored) -> Result<(), ToolError> {
    match change {
        Change::Delete => objects::delete(cx, calendar, Comp::Event, stored).map(drop),
        Change::Move(target) => objects::move_to(cx, calendar, Comp::Event, stored, target).map(drop),
        Change::Update(update) => {
            let mut object = stored.component.clone();
            update.apply(cx, &mut object);
            objects::replace(cx, calendar, Comp::Event, stored, None, &object).map(drop)
        }
    }
}

/// Whether what went wrong would go wrong for every further event.
fn ends_all(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Unauthorized
            | Kind::Throttled
            | Kind::QuotaExceeded
            | Kind::Maintenance
            | Kind::Unavailable
            | Kind::Unreachable
            | Kind::Dns
            | Kind::Tls
            | Kind::TimedOut
            | Kind::Cancelled
            | Kind::Busy
    )
}

/// A recurring event, or instances of one.
fn is_series(stored: &Stored) -> bool {
    stored
        .parts(Comp::Event)
        .any(|event| ["RRULE", "RDATE", "RECURRENCE-ID"].iter().any(|name| event.line(name).is_some()))
}

fn described(calendar: &Calendar, stored: &Stored, error: Option<String>) -> BulkEvent {
    let event = ical::master(&stored.component, Comp::Event.name());
    let text = |name: &str| event.and_then(|event| event.line(name)).map(Line::to_text).unwrap_or_default();
    let start = event.and_then(|event| event.line("DTSTART")).and_then(When::of);
    BulkEvent {
        uid: text("UID"),
        title: text("SUMMARY").chars().take(120).collect(),
        start: start.map(|start| start.show(&Zones::of(&stored.component))),
        calendar_name: calendar.name.clone(),
        error,
    }
}

fn told(unread: CalendarError) -> String {
    format!("{}: {}", unread.calendar_name, unread.error)
}

fn name(operation: Operation) -> &'static str {
    match operation {
        Operation::Update => "update",
        Operation::Delete => "delete",
        Operation::Move => "move",
    }
}

fn count(events: usize) -> String {
    if events == 1 { "1 event".into() } else { format!("{events} events") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Wire;

    fn params(json: serde_json::Value) -> BulkOperations {
        BulkOperations::read(json).unwrap()
    }

    fn event(lines: &str) -> Component {
        Component::parse(&format!("BEGIN:VEVENT\r\n{lines}\r\nEND:VEVENT\r\n")).unwrap()
    }

    #[test]
    fn an_event_must_fit_every_filter() {
        let fits = |json: serde_json::Value| {
            let filter = Filter::new(&params(json));
            filter.lets_through(&event("SUMMARY:Team Meeting\r\nLOCATION:Room\\, 1\r\nCATEGORIES:Work,Été"))
        };
        assert!(fits(serde_json::json!({"operation": "delete", "title_contains": "MEETING"})));
        assert!(fits(
            serde_json::json!({"operation": "delete", "location_contains": "room, 1", "status": "CONFIRMED"})
        ));
        assert!(fits(serde_json::json!({"operation": "delete", "categories": "x, été"})));
        assert!(!fits(serde_json::json!({"operation": "delete", "categories": "x, wor"})));
        assert!(!fits(
            serde_json::json!({"operation": "delete", "title_contains": "meeting", "status": "TENTATIVE"})
        ));
    }

    #[test]
    fn an_update_without_anything_new_is_refused() {
        let update = |json: serde_json::Value| Update::new(&params(json)).map(drop);
        assert!(update(serde_json::json!({"operation": "update", "title_contains": "x"})).is_err());
        assert!(update(serde_json::json!({"operation": "update", "new_title": " "})).is_err());
        assert!(update(serde_json::json!({"operation": "update", "new_priority": 10})).is_err());
        assert!(update(serde_json::json!({"operation": "update", "new_location": ""})).is_ok());
    }

    #[test]
    fn days_count_whole_and_one_end_is_enough() {
        let range = |json: serde_json::Value| range(&params(json), &[]);
        let both = range(
            serde_json::json!({"operation": "delete", "start_date": "2026-03-01", "end_date": "2026-03-01"}),
        );
        let both = both.unwrap().unwrap();
        assert_eq!(
            (both.start.to_string(), both.end.to_string()),
            ("2026-03-01T00:00:00Z".into(), "2026-03-02T00:00:00Z".into())
        );
        let open =
            range(serde_json::json!({"operation": "delete", "start_date": "2026-03-01"})).unwrap().unwrap();
        assert_eq!(open.end.to_string(), "2100-01-01T00:00:00Z");
        assert_eq!(range(serde_json::json!({"operation": "delete"})).unwrap(), None);
        assert!(range(serde_json::json!({"operation": "delete", "start_date": "2026-03-02", "end_date": "2026-03-01"})).is_err());
    }
}
