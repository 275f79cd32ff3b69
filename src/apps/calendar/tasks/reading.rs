//! From a VTODO (RFC 5545 §3.6.2) to what tools show of it.

use super::recurring::{self, Backlog};
use crate::apps::calendar::calendars::{Calendar, Comp};
use crate::apps::calendar::objects::Stored;
use crate::apps::calendar::reminders::Reminder;
use crate::contentline::{Component, Line};
use crate::ical::{self, Alarm, Duration, Moment, When, Zones};
use crate::{choice, record};

choice! {
    /// STATUS (RFC 5545 §3.8.1.11).
    pub enum Status {
        NeedsAction = "NEEDS-ACTION",
        InProcess = "IN-PROCESS",
        Completed = "COMPLETED",
        Cancelled = "CANCELLED",
    }
}

impl Status {
    /// What the line says; one that says nothing known needs action.
    pub(super) fn of(todo: &Component) -> Status {
        match ical::value_text(todo, "STATUS").unwrap_or_default().to_ascii_uppercase().as_str() {
            "COMPLETED" => Status::Completed,
            "IN-PROCESS" => Status::InProcess,
            "CANCELLED" => Status::Cancelled,
            // Some clients write only the time.
            "" if todo.line("COMPLETED").is_some() => Status::Completed,
            _ => Status::NeedsAction,
        }
    }

    pub(super) fn is_open(self) -> bool {
        matches!(self, Status::NeedsAction | Status::InProcess)
    }
}

record! {
    /// A task. A recurring one is shown as its oldest pending occurrence.
    pub(in crate::apps::calendar) struct Todo {
        uid: String,
        summary: String,
        description: String,
        status: Status,
        /// 1 is highest, 0 is none.
        priority: i64,
        percent_complete: i64,
        due: Option<String>,
        dtstart: Option<String>,
        completed: Option<String>,
        /// Comma-separated.
        categories: String,
        /// Of a subtask.
        parent_uid: Option<String>,
        recurring: bool,
        recurrence_rule: String,
        reminders: Vec<Reminder>,
        /// Occurrences of a recurring task that are due by now.
        pending_count: Option<i64>,
        oldest_pending_dtstart: Option<String>,
        oldest_pending_due: Option<String>,
        /// The latest of these, or the next one.
        current_dtstart: Option<String>,
        current_due: Option<String>,
        href: String,
        /// For the next update.
        etag: String,
        calendar_name: String,
        calendar_display_name: String,
    }
}

/// A task with what it is sorted by.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub todo: Todo,
    due: Option<Moment>,
}

impl Listed {
    /// Open ones first, then by due date, the ones without behind, then by priority and name.
    pub fn rank(&self) -> (bool, bool, Option<Moment>, i64, String) {
        let priority = if self.todo.priority == 0 { i64::MAX } else { self.todo.priority };
        let summary = self.todo.summary.to_lowercase();
        (!self.todo.status.is_open(), self.due.is_none(), self.due, priority, summary)
    }
}

/// Reads a stored task; `None` for an object that holds none.
pub(super) fn listed(stored: &Stored, calendar: &Calendar, now: Moment) -> Option<Listed> {
    let zones = Zones::of(&stored.component);
    let todo = ical::master(&stored.component, Comp::Todo.name())?;
    let text = |name: &str| todo.line(name).map(Line::to_text).unwrap_or_default();
    let number = |name: &str| ical::value_text(todo, name).and_then(|value| value.parse().ok()).unwrap_or(0);
    let start = time(todo, "DTSTART");
    let due = due(todo, &zones);
    let status = Status::of(todo);
    let is_recurring = recurring::is_recurring(todo);
    let backlog = if is_recurring && status.is_open() {
        recurring::backlog(&stored.component, now)
    } else {
        Backlog::default()
    };
    let show = |when: &Option<When>| when.as_ref().map(|when| when.show(&zones));
    Some(Listed {
        due: due.as_ref().and_then(|due| due.moment(&zones)),
        todo: Todo {
            uid: text("UID"),
            summary: text("SUMMARY"),
            description: text("DESCRIPTION"),
            status,
            priority: number("PRIORITY").clamp(0, 9),
            percent_complete: percent(todo),
            due: show(&due),
            dtstart: show(&start),
            completed: show(&time(todo, "COMPLETED")),
            categories: categories(todo).join(","),
            parent_uid: parent(todo),
            recurring: is_recurring,
            recurrence_rule: ical::value_text(todo, "RRULE").unwrap_or_default(),
            reminders: Alarm::all_of(todo).iter().map(|alarm| Reminder::of(alarm, &zones)).collect(),
            pending_count: backlog.pending,
            oldest_pending_dtstart: show(&backlog.oldest.start),
            oldest_pending_due: show(&backlog.oldest.due),
            current_dtstart: show(&backlog.current.start),
            current_due: show(&backlog.current.due),
            href: stored.href(),
            etag: stored.etag.clone(),
            calendar_name: calendar.name.clone(),
            calendar_display_name: calendar.display_name.clone(),
        },
    })
}

/// PERCENT-COMPLETE; a finished task counts as done whatever it says.
pub(super) fn percent(todo: &Component) -> i64 {
    let percent = ical::value_text(todo, "PERCENT-COMPLETE").and_then(|value| value.parse().ok());
    match (percent, Status::of(todo)) {
        (None, Status::Completed) => 100,
        (percent, _) => percent.unwrap_or(0).clamp(0, 100),
    }
}

/// CATEGORIES, of all its lines.
pub(super) fn categories(todo: &Component) -> Vec<String> {
    let all = todo.lines("CATEGORIES").flat_map(Line::to_list);
    all.map(|category| category.trim().to_owned()).filter(|category| !category.is_empty()).collect()
}

/// The task that this one is a part of (RFC 5545 §3.8.4.5).
pub(super) fn parent(todo: &Component) -> Option<String> {
    todo.lines("RELATED-TO").find(|line| is_parent(line)).map(Line::to_text).filter(|uid| !uid.is_empty())
}

/// Without a kind a relation is to the parent.
pub(super) fn is_parent(line: &Line) -> bool {
    line.param("RELTYPE").is_none_or(|kind| kind.eq_ignore_ascii_case("PARENT"))
}

/// The time in a line.
pub(super) fn time(todo: &Component, name: &str) -> Option<When> {
    todo.line(name).and_then(When::of)
}

/// DUE, or DTSTART and DURATION, which stand for the same.
pub(super) fn due(todo: &Component, zones: &Zones<'_>) -> Option<When> {
    time(todo, "DUE").or_else(|| {
        let span = Duration::parse(todo.line("DURATION")?.value())?;
        span.after(&time(todo, "DTSTART")?, zones)
    })
}
