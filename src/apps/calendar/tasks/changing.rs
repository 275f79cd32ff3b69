//! What a tool changes in a VTODO. Everything else in it stays as it is written.

use super::reading::{self, Status};
use super::recurring;
use crate::apps::calendar::calendars::Comp;
use crate::contentline::{Component, Line};
use crate::ical::{self, Alarm, Local, Moment, Relation, Rule, Trigger, When, Zones};

/// Fields of a task; `None` stays, "" takes away.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes {
    pub summary: Option<String>,
    pub description: Option<String>,
    pub status: Option<Status>,
    pub priority: Option<i64>,
    pub percent_complete: Option<i64>,
    pub due: Option<String>,
    pub dtstart: Option<String>,
    pub completed: Option<String>,
    /// Comma-separated.
    pub categories: Option<String>,
    pub parent_uid: Option<String>,
    pub recurrence_rule: Option<String>,
    pub alarms: Option<Vec<Alarm>>,
}

/// What the changes are made with.
pub(super) struct Setting<'a> {
    /// How a time without zone is meant, where the task has no zone yet.
    pub local: &'a Local,
    pub now: Moment,
    /// Who gets e-mail reminders.
    pub recipients: &'a [String],
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        let texts = [&self.summary, &self.description, &self.due, &self.dtstart, &self.completed];
        let more = [&self.categories, &self.parent_uid, &self.recurrence_rule];
        texts.iter().chain(&more).all(|text| text.is_none())
            && self.status.is_none()
            && self.priority.is_none()
            && self.percent_complete.is_none()
            && self.alarms.is_none()
    }

    /// Writes the changes into the calendar's task. The error names the argument that is wrong, and nothing is to be
    /// stored then.
    pub fn apply(&self, calendar: &mut Component, setting: &Setting<'_>) -> Result<(), String> {
        let owned = calendar.clone();
        let zones = Zones::of(&owned);
        let todo = ical::master_mut(calendar, Comp::Todo.name()).ok_or("the object holds no task")?;
        if let Some(summary) = &self.summary {
            ical::set_or_remove(todo, "SUMMARY", summary);
        }
        if let Some(description) = &self.description {
            ical::set_or_remove(todo, "DESCRIPTION", description);
        }
        if let Some(priority) = self.priority {
            match priority {
                0 => todo.remove("PRIORITY"),
                1..=9 => todo.set(Line::new("PRIORITY", priority.to_string())),
                _ => return Err("`priority` must be 1 (highest) to 9, or 0 for none".into()),
            }
        }
        if let Some(categories) = &self.categories {
            set_categories(todo, categories);
        }
        if let Some(parent) = &self.parent_uid {
            set_parent(todo, parent);
        }
        self.apply_times(todo, &zones, setting)?;
        self.apply_rule(todo, &zones)?;
        self.apply_state(todo, setting)?;
        let tzids: Vec<(String, Moment)> = ["DTSTART", "DUE"]
            .iter()
            .filter_map(|name| reading::time(todo, name))
            .filter_map(|when| Some((when.tzid()?.to_owned(), when.moment(&zones)?)))
            .collect();
        if let Some(alarms) = &self.alarms {
            let alarms = fitting(todo, alarms, &zones)?;
            Alarm::replace_all(todo, &alarms, setting.recipients, &zones);
        }
        for (tzid, first) in tzids {
            ical::ensure_zone(calendar, &tzid, first);
        }
        Ok(())
    }

    fn apply_times(
        &self,
        todo: &mut Component,
        zones: &Zones<'_>,
        setting: &Setting<'_>,
    ) -> Result<(), String> {
        if self.due.is_none() && self.dtstart.is_none() {
            return Ok(());
        }
        // A time keeps the zone that the task has, so that its reminders and occurrences stay together.
        let known = ["DUE", "DTSTART"].iter().find_map(|name| reading::time(todo, name));
        let local = match known.as_ref().and_then(When::tzid) {
            Some(tzid) => Local::parse(tzid).unwrap_or_else(|_| setting.local.clone()),
            None => setting.local.clone(),
        };
        for (argument, name, value) in [("dtstart", "DTSTART", &self.dtstart), ("due", "DUE", &self.due)] {
            match value.as_deref().map(str::trim) {
                None => continue,
                Some("") => todo.remove(name),
                Some(text) => {
                    let when = When::parse(text, &local).map_err(|why| format!("`{argument}`: {why}"))?;
                    todo.set(when.line(name));
                }
            }
            // It stood for the due time that is given or taken away now.
            if name == "DUE" {
                todo.remove("DURATION");
            }
        }
        let (start, due) = (reading::time(todo, "DTSTART"), reading::due(todo, zones));
        if let (Some(start), Some(due)) = (&start, &due) {
            if start.is_date() != due.is_date() {
                return Err(format!(
                    "`dtstart` ({}) and `due` ({}) must both be days or both be times; give both, or \"\" for one",
                    start.show(zones),
                    due.show(zones)
                ));
            }
            if due.moment(zones) < start.moment(zones) {
                return Err(format!(
                    "`due` ({}) is before `dtstart` ({})",
                    due.show(zones),
                    start.show(zones)
                ));
            }
        }
        Ok(())
    }

    fn apply_rule(&self, todo: &mut Component, zones: &Zones<'_>) -> Result<(), String> {
        let start = reading::time(todo, "DTSTART").or_else(|| reading::time(todo, "DUE"));
        match (self.recurrence_rule.as_deref().map(str::trim), &start) {
            (Some(""), _) => todo.remove("RRULE"),
            (Some(rule), Some(start)) => {
                let rule = Rule::parse(rule).map_err(|why| format!("`recurrence_rule`: {why}"))?;
                todo.set(Line::new("RRULE", rule.fitting(start, zones).to_string()));
            }
            _ => {}
        }
        let wants_rule = self.recurrence_rule.as_deref().is_some_and(|rule| !rule.trim().is_empty());
        if start.is_none() && (wants_rule || recurring::is_recurring(todo)) {
            return Err("a recurring task needs `dtstart` or `due`".into());
        }
        Ok(())
    }

    /// STATUS, PERCENT-COMPLETE and COMPLETED say the same thing three times, so they change together.
    fn apply_state(&self, todo: &mut Component, setting: &Setting<'_>) -> Result<(), String> {
        if let Some(percent) = self.percent_complete.filter(|percent| !(0..=100).contains(percent)) {
            return Err(format!("`percent_complete` must be 0 to 100, got {percent}"));
        }
        let completed = self.completed.as_deref().map(str::trim);
        let Some(status) = self.meant_status(todo, completed)? else { return Ok(()) };
        match status {
            Status::Completed => {
                if recurring::is_recurring(todo) && Status::of(todo) != Status::Completed {
                    return Err("this task is recurring; finish its current occurrence with nc_calendar_complete_todo, or end it \
                                with status CANCELLED or nc_calendar_delete_todo"
                        .into());
                }
                let at = match completed.filter(|text| !text.is_empty()) {
                    Some(text) => completed_at(text, setting)?,
                    None if Status::of(todo) == Status::Completed && todo.line("COMPLETED").is_some() => {
                        return Ok(());
                    }
                    None => When::at(setting.now, &Local::Utc),
                };
                complete(todo, &at);
            }
            Status::Cancelled => todo.set(Line::new("STATUS", "CANCELLED")),
            Status::NeedsAction | Status::InProcess => {
                let percent = self.percent_complete.unwrap_or_else(|| match reading::percent(todo) {
                    100 => 0,
                    percent if status == Status::InProcess => percent,
                    _ => 0,
                });
                recurring::reopen(todo);
                if status == Status::InProcess {
                    todo.set(Line::new("STATUS", "IN-PROCESS"));
                }
                if percent > 0 {
                    todo.set(Line::new("PERCENT-COMPLETE", percent.to_string()));
                }
            }
        }
        Ok(())
    }

    /// The status that the three arguments lead to; `None` if they say nothing. Fails where they contradict each other.
    fn meant_status(&self, todo: &Component, completed: Option<&str>) -> Result<Option<Status>, String> {
        let by_time = completed.map(|text| !text.is_empty());
        let by_percent = self.percent_complete.map(|percent| percent == 100);
        let by_status = self.status.map(|status| status == Status::Completed);
        let said: Vec<bool> = [by_time, by_percent, by_status].into_iter().flatten().collect();
        if said.contains(&true) && said.contains(&false) {
            return Err(
                "`status`, `percent_complete` and `completed` contradict each other; one of them is enough"
                    .into(),
            );
        }
        Ok(match (self.status, said.first()) {
            (Some(status), _) => Some(status),
            (None, None) => None,
            (None, Some(true)) => Some(Status::Completed),
            // Progress says that it was begun; none says nothing new about a cancelled one.
            (None, Some(false)) => match (self.percent_complete, Status::of(todo)) {
                (Some(1..), _) => Some(Status::InProcess),
                (_, Status::Cancelled) => None,
                _ => Some(Status::NeedsAction),
            },
        })
    }
}

/// The three marks of a finished task.
pub(super) fn complete(todo: &mut Component, at: &When) {
    todo.set(Line::new("STATUS", "COMPLETED"));
    todo.set(Line::new("PERCENT-COMPLETE", "100"));
    todo.set(at.line("COMPLETED"));
}

/// COMPLETED is always UTC (RFC 5545 §3.8.2.1).
pub(super) fn completed_at(text: &str, setting: &Setting<'_>) -> Result<When, String> {
    let when = When::parse(text, setting.local).map_err(|why| format!("`completed`: {why}"))?;
    let at = when.moment(&Zones::none()).ok_or("`completed` is out of range")?;
    Ok(When::at(at, &Local::Utc))
}

/// The alarms as this task can have them: without DTSTART there is only DUE to count from (RFC 5545 §3.8.6.3).
fn fitting(todo: &Component, alarms: &[Alarm], zones: &Zones<'_>) -> Result<Vec<Alarm>, String> {
    let (has_start, has_due) = (todo.line("DTSTART").is_some(), reading::due(todo, zones).is_some());
    let fit = |alarm: &Alarm| match &alarm.trigger {
        Trigger::After(..) if !has_start && !has_due => {
            Err("`reminders`: `minutes_before` needs a task with `due` or `dtstart`".to_owned())
        }
        Trigger::After(span, Relation::Start) if !has_start => {
            Ok(Alarm { trigger: Trigger::After(*span, Relation::End), ..alarm.clone() })
        }
        Trigger::After(_, Relation::End) if !has_due => {
            Err("`reminders`: `related` END needs a task with `due`".to_owned())
        }
        _ => Ok(alarm.clone()),
    };
    alarms.iter().map(fit).collect()
}

fn set_categories(todo: &mut Component, categories: &str) {
    let new = list(categories);
    if new == reading::categories(todo) {
        return;
    }
    let line = (!new.is_empty()).then(|| Line::list("CATEGORIES", new.iter().map(String::as_str)));
    todo.set_all("CATEGORIES", line.into_iter().collect());
}

/// `a, b,,c` → a, b, c.
pub(super) fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Leaves relations of other kinds as they are.
fn set_parent(todo: &mut Component, uid: &str) {
    if reading::parent(todo).as_deref() == Some(uid) {
        return;
    }
    todo.retain_lines(|line| !(line.is("RELATED-TO") && reading::is_parent(line)));
    if !uid.is_empty() {
        todo.push(Line::text("RELATED-TO", uid).with("RELTYPE", "PARENT"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: &str = "BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:x\r\nSUMMARY:Milk\r\nX-OURS:kept\r\n\
                        RELATED-TO;RELTYPE=SIBLING:s\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";

    fn changed(text: &str, changes: &Changes) -> Result<Component, String> {
        let mut calendar = Component::parse(text).unwrap();
        let now = "2026-11-25T10:00:00Z".parse().unwrap();
        changes.apply(&mut calendar, &Setting { local: &Local::Floating, now, recipients: &[] })?;
        Ok(calendar)
    }

    fn lines(calendar: &Component, names: &[&str]) -> Vec<String> {
        let todo = ical::master(calendar, "VTODO").unwrap();
        let text = |name: &&str| todo.line(name).map(|line| line.value().to_owned()).unwrap_or_default();
        names.iter().map(text).collect()
    }

    const STATE: [&str; 3] = ["STATUS", "PERCENT-COMPLETE", "COMPLETED"];

    #[test]
    fn finishing_sets_all_three_marks_and_reopening_takes_them_away() {
        let by_status = Changes { status: Some(Status::Completed), ..Changes::default() };
        let by_percent = Changes { percent_complete: Some(100), ..Changes::default() };
        let by_time = Changes { completed: Some("2026-11-25T11:00:00+01:00".into()), ..Changes::default() };
        for changes in [by_status, by_percent, by_time] {
            let done = changed(OPEN, &changes).unwrap();
            assert_eq!(lines(&done, &STATE), ["COMPLETED", "100", "20261125T100000Z"], "{changes:?}");
            let text = done.to_string();
            for reopening in [
                Changes { status: Some(Status::NeedsAction), ..Changes::default() },
                Changes { percent_complete: Some(0), ..Changes::default() },
                Changes { completed: Some(String::new()), ..Changes::default() },
            ] {
                let open = changed(&text, &reopening).unwrap();
                assert_eq!(lines(&open, &STATE), ["NEEDS-ACTION", "", ""], "{reopening:?}");
            }
        }
    }

    #[test]
    fn progress_begins_a_task_and_contradictions_are_refused() {
        let begun = changed(OPEN, &Changes { percent_complete: Some(30), ..Changes::default() }).unwrap();
        assert_eq!(lines(&begun, &STATE), ["IN-PROCESS", "30", ""]);
        let contradiction =
            Changes { status: Some(Status::Completed), percent_complete: Some(30), ..Changes::default() };
        assert!(changed(OPEN, &contradiction).unwrap_err().contains("contradict"));
        assert!(changed(OPEN, &Changes { percent_complete: Some(101), ..Changes::default() }).is_err());
        assert!(changed(OPEN, &Changes { priority: Some(10), ..Changes::default() }).is_err());
    }

    #[test]
    fn a_day_stays_a_day_and_a_time_keeps_its_zone() {
        let day = changed(OPEN, &Changes { due: Some("2026-12-24".into()), ..Changes::default() }).unwrap();
        assert!(day.to_string().contains("DUE;VALUE=DATE:20261224\r\n"));
        let zoned = OPEN.replace("X-OURS", "DUE;TZID=Europe/Berlin:20261201T090000\r\nX-OURS");
        let moved =
            changed(&zoned, &Changes { due: Some("2026-12-02T10:00".into()), ..Changes::default() }).unwrap();
        assert!(moved.to_string().contains("DUE;TZID=Europe/Berlin:20261202T100000\r\n"), "{moved}");
        assert!(moved.to_string().contains("BEGIN:VTIMEZONE"), "{moved}");
        let floating =
            changed(OPEN, &Changes { due: Some("2026-12-02T10:00".into()), ..Changes::default() }).unwrap();
        assert!(floating.to_string().contains("DUE:20261202T100000\r\n"), "{floating}");
    }

    #[test]
    fn a_start_that_does_not_fit_the_due_time_is_refused() {
        let times = |start: &str, due: &str| {
            changed(
                OPEN,
                &Changes { dtstart: Some(start.into()), due: Some(due.into()), ..Changes::default() },
            )
        };
        assert!(times("2026-12-01", "2026-12-01").is_ok());
        assert!(times("2026-12-01", "2026-12-01T10:00").unwrap_err().contains("both be days"));
        assert!(times("2026-12-02", "2026-12-01").unwrap_err().contains("before"));
        assert!(times("soon", "2026-12-01").unwrap_err().starts_with("`dtstart`: \"soon\""));
    }

    #[test]
    fn empty_text_clears_absent_text_stays_and_unknown_lines_are_kept() {
        let set = Changes {
            description: Some("a,b\nc".into()),
            categories: Some("home, work".into()),
            parent_uid: Some("p".into()),
            priority: Some(3),
            ..Changes::default()
        };
        let full = changed(OPEN, &set).unwrap();
        assert_eq!(lines(&full, &["DESCRIPTION", "CATEGORIES", "PRIORITY"]), ["a\\,b\\nc", "home,work", "3"]);
        assert_eq!(reading::parent(ical::master(&full, "VTODO").unwrap()).as_deref(), Some("p"));
        let clear = Changes {
            description: Some(String::new()),
            categories: Some(String::new()),
            parent_uid: Some(String::new()),
            priority: Some(0),
            ..Changes::default()
        };
        assert_eq!(changed(&full.to_string(), &clear).unwrap().to_string(), OPEN);
        assert_eq!(changed(OPEN, &Changes::default()).unwrap().to_string(), OPEN);
    }

    #[test]
    fn a_reminder_counts_from_the_due_time_where_there_is_no_start() {
        let alarm = |relation| Alarm {
            action: ical::Action::Display,
            trigger: Trigger::After(ical::Duration::minutes(-15), relation),
            description: None,
            summary: None,
        };
        let with = |due: Option<&str>, relation| {
            let due = due.map(str::to_owned);
            changed(OPEN, &Changes { due, alarms: Some(vec![alarm(relation)]), ..Changes::default() })
        };
        let due = with(Some("2026-12-02T10:00"), Relation::Start).unwrap().to_string();
        assert!(due.contains("TRIGGER;RELATED=END:-PT15M\r\n"), "{due}");
        assert!(with(None, Relation::Start).unwrap_err().contains("`due` or `dtstart`"));
    }

    #[test]
    fn a_recurring_task_is_not_finished_as_a_whole_by_accident() {
        let recurring = OPEN.replace("X-OURS", "DTSTART;VALUE=DATE:20261201\r\nRRULE:FREQ=DAILY\r\nX-OURS");
        let done = Changes { status: Some(Status::Completed), ..Changes::default() };
        assert!(changed(&recurring, &done).unwrap_err().contains("nc_calendar_complete_todo"));
        let clear = Changes { dtstart: Some(String::new()), ..Changes::default() };
        assert!(changed(&recurring, &clear).unwrap_err().contains("needs"));
    }

    #[test]
    fn a_rule_needs_a_date_and_is_checked() {
        let with = |rule: &str, due: Option<&str>| {
            let (rule, due) = (Some(rule.to_owned()), due.map(str::to_owned));
            changed(OPEN, &Changes { recurrence_rule: rule, due, ..Changes::default() })
        };
        let daily = with("FREQ=DAILY;UNTIL=20261231T120000Z", Some("2026-12-01")).unwrap();
        assert_eq!(lines(&daily, &["RRULE"]), ["FREQ=DAILY;UNTIL=20261231"]);
        assert!(with("FREQ=DAILY", None).unwrap_err().contains("needs"));
        assert!(with("often", Some("2026-12-01")).unwrap_err().starts_with("`recurrence_rule`"));
        let once = Changes { recurrence_rule: Some(String::new()), ..Changes::default() };
        assert_eq!(lines(&changed(&daily.to_string(), &once).unwrap(), &["RRULE"]), [""]);
    }
}
