//! VALARM (RFC 5545 §3.6.6).

use super::{Duration, Local, When, Zones, value_text};
use crate::contentline::{Component, Line};

/// How an alarm makes itself known. Others are kept as they stand and not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Display,
    Email,
    Audio,
}

/// What a relative trigger counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Start,
    End,
}

/// When an alarm goes off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// So much after its event's start or end; less than nothing for before.
    After(Duration, Relation),
    /// At a moment.
    At(When),
}

impl Trigger {
    /// Whether both go off at the same time, a day being taken for 24 hours.
    fn is_same(&self, other: &Trigger) -> bool {
        match (self, other) {
            (Trigger::After(span, from), Trigger::After(other, other_from)) => {
                from == other_from && span.total_seconds() == other.total_seconds()
            }
            (one, other) => one == other,
        }
    }
}

/// A reminder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    pub action: Action,
    pub trigger: Trigger,
    pub description: Option<String>,
    /// Of an e-mail.
    pub summary: Option<String>,
}

impl Alarm {
    /// Reads a VALARM; `None` for one of another kind, or without a trigger.
    pub fn of(component: &Component) -> Option<Alarm> {
        let action = match value_text(component, "ACTION")?.to_ascii_uppercase().as_str() {
            "DISPLAY" => Action::Display,
            "EMAIL" => Action::Email,
            "AUDIO" => Action::Audio,
            _ => return None,
        };
        let line = component.line("TRIGGER")?;
        let trigger = match Duration::parse(line.value()) {
            Some(span) => {
                let is_end = line.param("RELATED").is_some_and(|related| related.eq_ignore_ascii_case("END"));
                Trigger::After(span, if is_end { Relation::End } else { Relation::Start })
            }
            None => Trigger::At(When::of(line).filter(|when| !when.is_date())?),
        };
        let text = |name| component.line(name).map(Line::to_text).filter(|text| !text.is_empty());
        Some(Alarm { action, trigger, description: text("DESCRIPTION"), summary: text("SUMMARY") })
    }

    /// All alarms of an event or task that can be told.
    pub fn all_of(component: &Component) -> Vec<Alarm> {
        component.children().filter(|child| child.is("VALARM")).filter_map(Alarm::of).collect()
    }

    /// Writes a VALARM. `title` fills what the kind must have and the alarm does not say; an e-mail goes to
    /// `recipients` (RFC 5545 §3.6.6: one at least).
    pub fn component(&self, title: &str, recipients: &[String], zones: &Zones<'_>) -> Component {
        let mut alarm = Component::new("VALARM");
        alarm.push(Line::new(
            "ACTION",
            match self.action {
                Action::Display => "DISPLAY",
                Action::Email => "EMAIL",
                Action::Audio => "AUDIO",
            },
        ));
        alarm.push(match &self.trigger {
            Trigger::After(span, Relation::Start) => Line::new("TRIGGER", span.to_string()),
            Trigger::After(span, Relation::End) => {
                Line::new("TRIGGER", span.to_string()).with("RELATED", "END")
            }
            Trigger::At(when) => {
                let when = when.moment(zones).map_or_else(|| when.clone(), |at| When::at(at, &Local::Utc));
                Line::new("TRIGGER", when.value()).with("VALUE", "DATE-TIME")
            }
        });
        let title = if title.is_empty() { "Reminder" } else { title };
        if self.action != Action::Audio || self.description.is_some() {
            alarm.push(Line::text("DESCRIPTION", self.description.as_deref().unwrap_or(title)));
        }
        if self.action == Action::Email {
            alarm.push(Line::text("SUMMARY", self.summary.as_deref().unwrap_or(title)));
            for recipient in recipients {
                alarm.push(Line::new("ATTENDEE", format!("mailto:{recipient}")));
            }
        }
        alarm
    }

    /// Puts these alarms in place of those that can be told; one that is there already stays as it is written, and so
    /// do alarms of other kinds.
    pub fn replace_all(
        component: &mut Component,
        alarms: &[Alarm],
        recipients: &[String],
        zones: &Zones<'_>,
    ) {
        let title = component.line("SUMMARY").map(Line::to_text).unwrap_or_default();
        let mut missing: Vec<&Alarm> = alarms.iter().collect();
        component.retain_children(|child| {
            let Some(old) = child.is("VALARM").then(|| Alarm::of(child)).flatten() else { return true };
            let same = missing.iter().position(|new| new.says_the_same(&old));
            same.map(|at| missing.remove(at)).is_some()
        });
        for alarm in missing {
            component.push_child(alarm.component(&title, recipients, zones));
        }
    }

    fn says_the_same(&self, old: &Alarm) -> bool {
        let agree = |new: &Option<String>, old: &Option<String>| new.is_none() || new == old;
        self.action == old.action
            && self.trigger.is_same(&old.trigger)
            && agree(&self.description, &old.description)
            && agree(&self.summary, &old.summary)
    }
}
