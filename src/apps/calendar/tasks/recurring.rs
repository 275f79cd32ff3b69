//! Tasks that come again. What is stored is the oldest occurrence that is not done; finishing it moves the task on to
//! the next one, as Nextcloud's own and most other task apps do it.

use super::reading::{self, Status};
use crate::apps::calendar::calendars::Comp;
use crate::contentline::{Component, Line};
use crate::ical::{self, Moment, Occurrences, Rule, When, Zones, plus_seconds};

/// Occurrences that are looked at: of a daily task some 27 years.
const OCCURRENCES_MAX: usize = 10_000;

/// One occurrence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Occurrence {
    pub start: Option<When>,
    pub due: Option<When>,
}

/// What of a recurring task waits to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Backlog {
    /// How many are due by now; `None` where the rule cannot be worked out here.
    pub pending: Option<i64>,
    pub oldest: Occurrence,
    /// The latest that is due by now; if none is, the next one.
    pub current: Occurrence,
}

/// What finishing an occurrence led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Advance {
    /// The task stands for the next occurrence now.
    Next(Occurrence),
    /// It was the last one.
    Over,
}

pub(super) fn is_recurring(todo: &Component) -> bool {
    todo.line("RRULE").is_some() || todo.line("RDATE").is_some()
}

/// Counts from the stored occurrence on. Occurrences that another client finished one by one, by exceptions, are left
/// out.
pub(super) fn backlog(calendar: &Component, now: Moment) -> Backlog {
    let zones = Zones::of(calendar);
    let Some(times) = open_times(calendar, &zones) else { return Backlog::default() };
    let Some(todo) = ical::master(calendar, Comp::Todo.name()) else { return Backlog::default() };
    let mut backlog = Backlog { pending: Some(0), ..Backlog::default() };
    for time in times.take(OCCURRENCES_MAX) {
        let occurrence = occurrence(todo, &time, &zones);
        // A day is pending from its beginning.
        let is_pending = time.moment(&zones).is_some_and(|at| at <= now);
        if !is_pending {
            if backlog.pending == Some(0) {
                backlog.current = occurrence;
            }
            break;
        }
        if backlog.pending == Some(0) {
            backlog.oldest = occurrence.clone();
        }
        backlog.pending = backlog.pending.map(|count| count + 1);
        backlog.current = occurrence;
    }
    backlog
}

/// Moves the task on to the occurrence behind the stored one. `None` where the rule cannot be worked out here, or there
/// are single dates besides it: the rule would count on from one of those.
pub(super) fn advance(calendar: &mut Component) -> Option<Advance> {
    let owned = calendar.clone();
    let zones = Zones::of(&owned);
    let old = ical::master(&owned, Comp::Todo.name()).filter(|todo| todo.line("RDATE").is_none())?;
    let first = anchor(old)?;
    let all = Occurrences::of(old, &zones)?;
    // All that lies between goes with it: the rule starts anew from the next one, so its COUNT has to shrink by those.
    let open: Vec<When> = open_times(&owned, &zones)?.filter(|time| *time != first).take(1).collect();
    let Some(next) = open.into_iter().next() else { return Some(Advance::Over) };
    let passed = all.take(OCCURRENCES_MAX).take_while(|time| *time != next).count();
    let moved = occurrence(old, &next, &zones);
    let rule = ical::value_text(old, "RRULE").and_then(|rule| Rule::parse(&rule).ok());
    let excluded = passed_exclusions(old, &next, &zones);
    let todo = ical::master_mut(calendar, Comp::Todo.name())?;
    if let Some(start) = &moved.start {
        todo.set(start.line("DTSTART"));
    }
    if let Some(due) = moved.due.as_ref().filter(|_| old.line("DUE").is_some()) {
        todo.set(due.line("DUE"));
    }
    if let Some(mut rule) = rule.filter(|rule| rule.count.is_some()) {
        let gone = u32::try_from(passed + excluded).unwrap_or(u32::MAX);
        rule.count = rule.count.map(|count| count.saturating_sub(gone).max(1));
        todo.set(Line::new("RRULE", rule.to_string()));
    }
    reopen(todo);
    Some(Advance::Next(moved))
}

/// Takes the marks of a finished or begun task away.
pub(super) fn reopen(todo: &mut Component) {
    todo.set(Line::new("STATUS", "NEEDS-ACTION"));
    todo.remove("PERCENT-COMPLETE");
    todo.remove("COMPLETED");
}

/// What the occurrences are counted by.
fn anchor(todo: &Component) -> Option<When> {
    reading::time(todo, "DTSTART").or_else(|| reading::time(todo, "DUE"))
}

/// The times of the series from the stored one on, without those that are finished or cancelled by an exception.
fn open_times<'a>(calendar: &'a Component, zones: &'a Zones<'a>) -> Option<impl Iterator<Item = When> + 'a> {
    let todo = ical::master(calendar, Comp::Todo.name())?;
    let done: Vec<When> = ical::of_kind(calendar, Comp::Todo.name())
        .filter(|part| !ical::is_master(part) && !Status::of(part).is_open())
        .filter_map(|part| reading::time(part, "RECURRENCE-ID"))
        .collect();
    let times = Occurrences::of(todo, zones)?;
    Some(times.filter(move |time| !done.iter().any(|done| done.is_same(time, zones))))
}

/// The task at another time: DUE as long after it as it is after the start.
fn occurrence(todo: &Component, time: &When, zones: &Zones<'_>) -> Occurrence {
    let (start, due) = (reading::time(todo, "DTSTART"), reading::due(todo, zones));
    match (&start, &due) {
        (Some(start), Some(due)) => {
            let span_s = due.start().duration_since(start.start()).as_secs();
            let due = plus_seconds(time.start(), span_s).map(|moved| due.with_local(moved));
            Occurrence { start: Some(time.clone()), due }
        }
        (Some(_), None) => Occurrence { start: Some(time.clone()), due: None },
        (None, _) => Occurrence { start: None, due: Some(time.clone()) },
    }
}

/// How many of the rule's times before `next` an EXDATE takes out: COUNT counts them (RFC 5545 §3.8.5.3).
fn passed_exclusions(todo: &Component, next: &When, zones: &Zones<'_>) -> usize {
    let mut bare = todo.clone();
    let before = |component: &Component| {
        Occurrences::of(component, zones)
            .map_or(0, |times| times.take(OCCURRENCES_MAX).take_while(|time| time != next).count())
    };
    let with = before(&bare);
    bare.remove("EXDATE");
    before(&bare).saturating_sub(with)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(lines: &str) -> Component {
        let lines = lines.trim().lines().map(|line| format!("{}\r\n", line.trim())).collect::<String>();
        let text =
            format!("BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:x\r\n{lines}END:VTODO\r\nEND:VCALENDAR\r\n");
        Component::parse(&text).unwrap()
    }

    fn line(calendar: &Component, name: &str) -> String {
        let todo = ical::master(calendar, "VTODO").unwrap();
        todo.line(name).map(|line| line.value().to_owned()).unwrap_or_default()
    }

    fn at(text: &str) -> Moment {
        text.parse().unwrap()
    }

    #[test]
    fn finishing_an_occurrence_moves_start_and_due_together() {
        let mut calendar = calendar(
            "DTSTART;TZID=Europe/Berlin:20260328T090000
             DUE;TZID=Europe/Berlin:20260328T180000
             RRULE:FREQ=DAILY
             STATUS:IN-PROCESS
             PERCENT-COMPLETE:40",
        );
        assert!(matches!(advance(&mut calendar), Some(Advance::Next(_))));
        assert_eq!(line(&calendar, "DTSTART"), "20260329T090000");
        assert_eq!(line(&calendar, "DUE"), "20260329T180000");
        assert_eq!(
            (line(&calendar, "STATUS").as_str(), line(&calendar, "PERCENT-COMPLETE").as_str()),
            ("NEEDS-ACTION", "")
        );
    }

    #[test]
    fn a_task_with_only_a_due_day_stays_one() {
        let mut calendar = calendar("DUE;VALUE=DATE:20260131\nRRULE:FREQ=MONTHLY;BYMONTHDAY=-1");
        assert!(matches!(advance(&mut calendar), Some(Advance::Next(_))));
        assert_eq!(line(&calendar, "DUE"), "20260228");
        assert!(calendar.to_string().contains("DUE;VALUE=DATE:20260228"));
        assert_eq!(line(&calendar, "DTSTART"), "");
    }

    #[test]
    fn a_counted_series_ends_where_it_would_have_ended() {
        let mut calendar =
            calendar("DTSTART;VALUE=DATE:20260301\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE;VALUE=DATE:20260302");
        assert!(matches!(advance(&mut calendar), Some(Advance::Next(_))));
        assert_eq!(
            (line(&calendar, "DTSTART").as_str(), line(&calendar, "RRULE").as_str()),
            ("20260303", "FREQ=DAILY;COUNT=2")
        );
        assert!(matches!(advance(&mut calendar), Some(Advance::Next(_))));
        assert_eq!(
            (line(&calendar, "DTSTART").as_str(), line(&calendar, "RRULE").as_str()),
            ("20260304", "FREQ=DAILY;COUNT=1")
        );
        assert_eq!(advance(&mut calendar), Some(Advance::Over));
    }

    #[test]
    fn what_another_client_finished_by_an_exception_is_passed_over() {
        let mut calendar = calendar("DTSTART;VALUE=DATE:20260301\nRRULE:FREQ=DAILY\nSTATUS:NEEDS-ACTION");
        let done =
            "BEGIN:VTODO\r\nUID:x\r\nRECURRENCE-ID;VALUE=DATE:20260302\r\nSTATUS:COMPLETED\r\nEND:VTODO\r\n";
        calendar.push_child(Component::parse(done).unwrap());
        let backlog = backlog(&calendar, at("2026-03-03T12:00:00Z"));
        assert_eq!(backlog.pending, Some(2));
        assert!(matches!(advance(&mut calendar), Some(Advance::Next(_))));
        assert_eq!(line(&calendar, "DTSTART"), "20260303");
    }

    #[test]
    fn the_backlog_counts_what_is_due_by_now() {
        let calendar = calendar("DTSTART;VALUE=DATE:20260301\nDUE;VALUE=DATE:20260302\nRRULE:FREQ=WEEKLY");
        let shown = |now: &str| {
            let backlog = backlog(&calendar, at(now));
            let show = |when: Option<When>| when.map(|when| when.value()).unwrap_or_default();
            (
                backlog.pending,
                show(backlog.oldest.start),
                show(backlog.current.start),
                show(backlog.current.due),
            )
        };
        let day = str::to_owned;
        assert_eq!(shown("2026-02-01T00:00:00Z"), (Some(0), day(""), day("20260301"), day("20260302")));
        assert_eq!(
            shown("2026-03-16T00:00:00Z"),
            (Some(3), day("20260301"), day("20260315"), day("20260316"))
        );
    }

    #[test]
    fn a_rule_that_is_not_understood_is_left_alone() {
        let mut calendar = calendar("DTSTART:20260301T090000Z\nRRULE:FREQ=HOURLY");
        assert_eq!(advance(&mut calendar), None);
        assert_eq!(backlog(&calendar, at("2026-03-16T00:00:00Z")), Backlog::default());
    }
}
