//! Tasks: VTODOs in the user's calendars (RFC 5545 §3.6.2).

mod changing;
mod reading;
mod recurring;

use self::changing::{Changes, Setting};
use self::reading::{Listed, Status, Todo};
use self::recurring::Advance;
use super::calendars::{self, Calendar, Comp};
use super::objects::{self, CalendarError, Saved, Stored};
use super::reminders::{self, Reminder};
use crate::contentline::{Component, Line};
use crate::ical::{self, Local, When, Zones};
use crate::schema::{Count, Etag};
use crate::tool::{Cursor, Cx, Page, Success, ToolError};
use crate::{params, record};

params! {
    pub(super) struct ListTodos {
        calendar_name: String,
        status: Option<Status>,
        /// 1 is highest: 3 gives 1 to 3.
        min_priority: Option<Count<1, 9>>,
        /// Comma-separated; any of them.
        categories: Option<String>,
        summary_contains: Option<String>,
        limit: Count<1, 200> = 100,
        cursor: Option<Cursor>,
    }
}

params! {
    pub(super) struct SearchTodos {
        status: Option<Status>,
        /// 1 is highest: 3 gives 1 to 3.
        min_priority: Option<Count<1, 9>>,
        /// Comma-separated; any of them.
        categories: Option<String>,
        summary_contains: Option<String>,
        limit: Count<1, 200> = 100,
        cursor: Option<Cursor>,
    }
}

params! {
    pub(super) struct CreateTodo {
        calendar_name: String,
        summary: String,
        description: String = "",
        status: Option<Status>,
        /// 1 is highest, 0 is none.
        priority: i64 = 0,
        /// A day, or a time.
        due: String = "",
        dtstart: String = "",
        /// Comma-separated.
        categories: String = "",
        reminders: Option<Vec<Reminder>>,
        /// Makes it a subtask.
        parent_uid: String = "",
        /// RRULE, e.g. `FREQ=WEEKLY`.
        recurrence_rule: String = "",
        /// IANA zone of times without one.
        timezone: String = "",
    }
}

params! {
    pub(super) struct UpdateTodo {
        calendar_name: String,
        todo_uid: String,
        summary: Option<String>,
        description: Option<String>,
        status: Option<Status>,
        /// 1 is highest, 0 is none.
        priority: Option<i64>,
        percent_complete: Option<i64>,
        due: Option<String>,
        dtstart: Option<String>,
        completed: Option<String>,
        /// Comma-separated.
        categories: Option<String>,
        reminders: Option<Vec<Reminder>>,
        parent_uid: Option<String>,
        recurrence_rule: Option<String>,
        timezone: String = "",
        etag: String = "",
    }
}

params! {
    pub(super) struct CompleteTodo {
        calendar_name: String,
        todo_uid: String,
        /// When; now if left out.
        completed: Option<String>,
        etag: String = "",
    }
}

params! {
    pub(super) struct DeleteTodo { calendar_name: String, todo_uid: String }
}

record! {
    pub(super) struct TodoList {
        todos: Vec<Todo>,
        calendar_name: Option<String>,
        /// All that match, also on other pages.
        total_count: i64,
        next_cursor: Option<Cursor>,
        /// What could not be read.
        errors: Vec<CalendarError>,
    }
}

record! {
    pub(super) struct CreatedTodo {
        uid: String,
        calendar_name: String,
        href: String,
        etag: Option<String>,
        status_code: i64,
    }
}

record! {
    pub(super) struct UpdatedTodo {
        uid: String,
        calendar_name: String,
        href: String,
        etag: Option<String>,
    }
}

record! {
    pub(super) struct CompletedTodo {
        uid: String,
        calendar_name: String,
        /// Of the task as it is now; a recurring one goes on with its next occurrence.
        status: Status,
        percent_complete: i64,
        completed: String,
        href: String,
        etag: Option<String>,
        message: String,
        next_dtstart: Option<String>,
        next_due: Option<String>,
        /// Further occurrences that are due by now.
        pending_count: Option<i64>,
    }
}

record! {
    pub(super) struct DeletedTodo {
        status_code: i64,
        message: String,
        deleted_uid: String,
        calendar_name: String,
    }
}

/// What lists are narrowed by.
struct Filter {
    status: Option<Status>,
    min_priority: Option<Count<1, 9>>,
    categories: Vec<String>,
    summary: String,
}

impl Filter {
    fn new(
        status: Option<Status>,
        min_priority: Option<Count<1, 9>>,
        categories: Option<String>,
        summary: Option<String>,
    ) -> Filter {
        let lower = |text: Option<String>| text.unwrap_or_default().trim().to_lowercase();
        Filter {
            status,
            min_priority,
            categories: changing::list(&lower(categories)),
            summary: lower(summary),
        }
    }

    fn lets_through(&self, todo: &Todo) -> bool {
        let has_category = || {
            let own = todo.categories.to_lowercase();
            let own = changing::list(&own);
            self.categories.iter().any(|wanted| own.contains(wanted))
        };
        self.status.is_none_or(|status| status == todo.status)
            && self.min_priority.is_none_or(|least| (1..=least.get() as i64).contains(&todo.priority))
            && (self.categories.is_empty() || has_category())
            && todo.summary.to_lowercase().contains(&self.summary)
    }
}

pub(super) fn list_todos(cx: &Cx, p: ListTodos) -> Result<Success<TodoList>, ToolError> {
    let calendar = calendars::named(cx, &p.calendar_name)?;
    let filter = Filter::new(p.status, p.min_priority, p.categories, p.summary_contains);
    let found = objects::query(cx, &calendar, Comp::Todo, None, false)?;
    let now = ical::moment_of(cx.clock.now());
    let all = found.objects.iter().filter_map(|stored| reading::listed(stored, &calendar, now)).collect();
    let mut list = page(all, &filter, p.cursor, p.limit.get(), found.errors)?;
    list.calendar_name = Some(calendar.name);
    Ok(Success(list))
}

pub(super) fn search_todos(cx: &Cx, p: SearchTodos) -> Result<Success<TodoList>, ToolError> {
    let filter = Filter::new(p.status, p.min_priority, p.categories, p.summary_contains);
    let mut calendars = calendars::all(cx)?;
    calendars.retain(|calendar| calendar.takes(Comp::Todo));
    let (objects, errors) =
        objects::query_all(cx, &calendars, |calendar| objects::query(cx, calendar, Comp::Todo, None, false))?;
    let now = ical::moment_of(cx.clock.now());
    let all = objects
        .iter()
        .filter_map(|(place, stored)| reading::listed(stored, calendars.get(*place)?, now))
        .collect();
    Ok(Success(page(all, &filter, p.cursor, p.limit.get(), errors)?))
}

fn page(
    mut all: Vec<Listed>,
    filter: &Filter,
    cursor: Option<Cursor>,
    limit: usize,
    errors: Vec<CalendarError>,
) -> Result<TodoList, ToolError> {
    all.retain(|listed| filter.lets_through(&listed.todo));
    all.sort_by_cached_key(Listed::rank);
    let page = Page::cut(all.into_iter().map(|listed| listed.todo).collect(), cursor, limit)?;
    Ok(TodoList {
        todos: page.rows,
        calendar_name: None,
        total_count: page.total,
        next_cursor: page.next_cursor,
        errors,
    })
}

pub(super) fn create_todo(cx: &Cx, p: CreateTodo) -> Result<Success<CreatedTodo>, ToolError> {
    if p.summary.trim().is_empty() {
        return Err(ToolError::Arguments("`summary` is empty; a task needs one".into()));
    }
    let calendar = calendars::named(cx, &p.calendar_name)?;
    calendar.writable()?;
    let local = local(&p.timezone, &calendar)?;
    let given = |text: String| (!text.is_empty()).then_some(text);
    let changes = Changes {
        summary: Some(p.summary),
        description: given(p.description),
        status: Some(p.status.unwrap_or(Status::NeedsAction)),
        priority: Some(p.priority),
        due: given(p.due),
        dtstart: given(p.dtstart),
        categories: given(p.categories),
        parent_uid: given(p.parent_uid),
        recurrence_rule: given(p.recurrence_rule),
        alarms: alarms(p.reminders, &local)?,
        ..Changes::default()
    };
    let uid = objects::new_uid(cx)?;
    check_parent(cx, &calendar, &uid, changes.parent_uid.as_deref())?;
    let mut object = ical::calendar();
    let mut todo = Component::new(Comp::Todo.name());
    todo.push(Line::text("UID", &uid));
    todo.push(When::at(ical::moment_of(cx.clock.now()), &Local::Utc).line("CREATED"));
    object.push_child(todo);
    apply(cx, &changes, &mut object, &local, false)?;
    let saved = objects::create(cx, &calendar, Comp::Todo, &uid, &object)?;
    Ok(Success(CreatedTodo {
        uid,
        calendar_name: calendar.name,
        href: saved.href,
        etag: saved.etag,
        status_code: saved.status.into(),
    }))
}

pub(super) fn update_todo(cx: &Cx, p: UpdateTodo) -> Result<Success<UpdatedTodo>, ToolError> {
    let etag = etag(&p.etag)?;
    let calendar = calendars::named(cx, &p.calendar_name)?;
    calendar.writable()?;
    let local = local(&p.timezone, &calendar)?;
    let changes = Changes {
        summary: p.summary,
        description: p.description,
        status: p.status,
        priority: p.priority,
        percent_complete: p.percent_complete,
        due: p.due,
        dtstart: p.dtstart,
        completed: p.completed,
        categories: p.categories,
        parent_uid: p.parent_uid,
        recurrence_rule: p.recurrence_rule,
        alarms: alarms(p.reminders, &local)?,
    };
    if changes.is_empty() {
        return Err(ToolError::Arguments("give at least one field to change".into()));
    }
    check_parent(cx, &calendar, &p.todo_uid, changes.parent_uid.as_deref())?;
    let stored = objects::find(cx, &calendar, Comp::Todo, &p.todo_uid)?;
    let mut object = stored.component.clone();
    apply(cx, &changes, &mut object, &local, true)?;
    let saved = save(cx, &calendar, &stored, etag.as_ref(), &object)?;
    Ok(Success(UpdatedTodo {
        uid: p.todo_uid,
        calendar_name: calendar.name,
        href: saved.href,
        etag: saved.etag,
    }))
}

pub(super) fn complete_todo(cx: &Cx, p: CompleteTodo) -> Result<Success<CompletedTodo>, ToolError> {
    let etag = etag(&p.etag)?;
    let calendar = calendars::named(cx, &p.calendar_name)?;
    calendar.writable()?;
    let stored = objects::find(cx, &calendar, Comp::Todo, &p.todo_uid)?;
    let now = ical::moment_of(cx.clock.now());
    let at = match p.completed.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => {
            let setting = Setting { local: &local("", &calendar)?, now, recipients: &[] };
            changing::completed_at(text, &setting).map_err(ToolError::Arguments)?
        }
        None => When::at(now, &Local::Utc),
    };
    let mut object = stored.component.clone();
    let done = finish(&mut object, &at, &p.todo_uid)?;
    if let Some(todo) = ical::master_mut(&mut object, Comp::Todo.name()) {
        ical::touch(todo, cx.clock.now(), true);
    }
    let saved = save(cx, &calendar, &stored, etag.as_ref(), &object)?;
    let zones = Zones::of(&object);
    let is_over = done == Advance::Over;
    let (message, next) = match done {
        Advance::Over => ("The task is completed.".to_owned(), recurring::Occurrence::default()),
        Advance::Next(next) => {
            let at =
                next.due.as_ref().or(next.start.as_ref()).map(|when| when.show(&zones)).unwrap_or_default();
            (format!("This occurrence is completed; the task goes on with the next one, {at}."), next)
        }
    };
    let show = |when: Option<When>| when.map(|when| when.show(&zones));
    Ok(Success(CompletedTodo {
        uid: p.todo_uid,
        calendar_name: calendar.name,
        status: if is_over { Status::Completed } else { Status::NeedsAction },
        percent_complete: if is_over { 100 } else { 0 },
        completed: at.show(&zones),
        href: saved.href,
        etag: saved.etag,
        message,
        next_dtstart: show(next.start),
        next_due: show(next.due),
        pending_count: if is_over { None } else { recurring::backlog(&object, now).pending },
    }))
}

/// Finishes the task, or its current occurrence. Fails for one that is finished, and for a series whose next occurrence
/// cannot be told.
fn finish(object: &mut Component, at: &When, uid: &str) -> Result<Advance, ToolError> {
    let todo = ical::master(object, Comp::Todo.name());
    let todo = todo.ok_or_else(|| ToolError::Refused(format!("Object {uid:?} holds no task.")))?;
    if Status::of(todo) == Status::Completed {
        return Err(ToolError::Refused(format!("Task {uid:?} is completed already; nothing was changed.")));
    }
    let done = if recurring::is_recurring(todo) {
        recurring::advance(object).ok_or_else(|| {
            ToolError::Refused(format!(
                "Task {uid:?} repeats by a rule whose next date cannot be told here; nothing was changed. Complete it in \
                 the Tasks app, or set `due` to the next date with nc_calendar_update_todo."
            ))
        })?
    } else {
        Advance::Over
    };
    if done == Advance::Over
        && let Some(todo) = ical::master_mut(object, Comp::Todo.name())
    {
        changing::complete(todo, at);
    }
    Ok(done)
}

pub(super) fn delete_todo(cx: &Cx, p: DeleteTodo) -> Result<Success<DeletedTodo>, ToolError> {
    let calendar = calendars::named(cx, &p.calendar_name)?;
    calendar.writable()?;
    let stored = objects::find(cx, &calendar, Comp::Todo, &p.todo_uid)?;
    let status = objects::delete(cx, &calendar, Comp::Todo, &stored)?;
    Ok(Success(DeletedTodo {
        status_code: status.into(),
        message: "The task was deleted. It lies in the calendar trash bin and can be restored there. Its subtasks, if any, \
                  stay."
            .into(),
        deleted_uid: p.todo_uid,
        calendar_name: calendar.name,
    }))
}

fn apply(
    cx: &Cx,
    changes: &Changes,
    object: &mut Component,
    local: &Local,
    is_significant: bool,
) -> Result<(), ToolError> {
    let wants_recipients = changes.alarms.as_ref().is_some_and(|alarms| reminders::has_email(alarms));
    let recipients: &[String] = if wants_recipients { &cx.nc.homes()?.emails } else { &[] };
    let setting = Setting { local, now: ical::moment_of(cx.clock.now()), recipients };
    changes.apply(object, &setting).map_err(ToolError::Arguments)?;
    if let Some(todo) = ical::master_mut(object, Comp::Todo.name()) {
        ical::touch(todo, cx.clock.now(), is_significant);
    }
    Ok(())
}

fn save(
    cx: &Cx,
    calendar: &Calendar,
    stored: &Stored,
    etag: Option<&Etag>,
    object: &Component,
) -> Result<Saved, ToolError> {
    objects::replace(cx, calendar, Comp::Todo, stored, etag, object)
}

/// A parent must lie in the same calendar, and be no subtask of its own subtask.
fn check_parent(cx: &Cx, calendar: &Calendar, uid: &str, parent: Option<&str>) -> Result<(), ToolError> {
    let Some(parent) = parent.filter(|parent| !parent.is_empty()) else { return Ok(()) };
    let refused =
        |why: &str| Err(ToolError::Refused(format!("A task cannot be {why}; nothing was changed.")));
    if parent == uid {
        return refused("its own subtask");
    }
    let stored = objects::find(cx, calendar, Comp::Todo, parent)?;
    if stored.parts(Comp::Todo).any(|todo| reading::parent(todo).as_deref() == Some(uid)) {
        return refused("a subtask of its own subtask");
    }
    Ok(())
}

/// How times without a zone are meant: as the caller says, as the calendar says, or, as Nextcloud's own Tasks app writes
/// them, wherever one is.
fn local(timezone: &str, calendar: &Calendar) -> Result<Local, ToolError> {
    if !timezone.trim().is_empty() {
        return Local::parse(timezone).map_err(|why| ToolError::Arguments(format!("`timezone`: {why}")));
    }
    let own = calendar.timezone.as_deref().and_then(|name| Local::parse(name).ok());
    Ok(own.unwrap_or(Local::Floating))
}

fn alarms(reminders: Option<Vec<Reminder>>, local: &Local) -> Result<Option<Vec<ical::Alarm>>, ToolError> {
    let read =
        |reminders: Vec<Reminder>| reminders.into_iter().map(|reminder| reminder.alarm(local)).collect();
    reminders.map(read).transpose().map_err(|why: String| ToolError::Arguments(format!("`reminders`: {why}")))
}

fn etag(text: &str) -> Result<Option<Etag>, ToolError> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    Etag::parse(text).map(Some).map_err(|why| ToolError::Arguments(format!("`etag`: {why}")))
}
