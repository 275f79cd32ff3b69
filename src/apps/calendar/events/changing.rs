//! What a tool changes in a VEVENT. Everything else in it stays as it is written.

use super::times::{self, Moved};
use crate::apps::calendar::calendars::Comp;
use crate::apps::calendar::reminders;
use crate::clock::Timestamp;
use crate::contentline::{Component, Line};
use crate::ical::{self, Action, Alarm, Duration, Local, Person, Relation, Trigger, When, Zones};

/// Minutes before the start at which an event reminds, if nothing else is said.
pub(in crate::apps::calendar) const REMINDER_MINUTES: i64 = 15;
const STATUSES: [&str; 3] = ["CONFIRMED", "TENTATIVE", "CANCELLED"];
const CLASSES: [&str; 3] = ["PUBLIC", "PRIVATE", "CONFIDENTIAL"];
/// What makes a change one that everybody invited has to look at again (RFC 5546 §2.1.4).
const SIGNIFICANT: [&str; 7] = ["DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "STATUS"];

/// What an exception has in common with its series until it is changed.
const TOGETHER: [&str; 9] =
    ["SUMMARY", "DESCRIPTION", "LOCATION", "CATEGORIES", "STATUS", "CLASS", "PRIORITY", "URL", "COLOR"];

/// Fields of an event; `None` stays, "" takes away.
#[derive(Debug, Clone, Default)]
pub(in crate::apps::calendar) struct Changes {
    pub title: Option<String>,
    pub start: Option<String>,
    /// Of whole days the day after the last.
    pub end: Option<String>,
    pub all_day: Option<bool>,
    /// Where bare times are meant, and moments are shown.
    pub timezone: Option<Local>,
    pub description: Option<String>,
    pub location: Option<String>,
    /// Comma-separated.
    pub categories: Option<String>,
    pub status: Option<String>,
    pub privacy: Option<String>,
    /// 0 for none, 1 the highest, 9 the lowest.
    pub priority: Option<i64>,
    pub url: Option<String>,
    pub color: Option<String>,
    /// All of them; who is left out is no longer invited.
    pub attendees: Option<Vec<Person>>,
    pub recurring: Option<bool>,
    pub rule: Option<String>,
    pub rule_end: Option<String>,
    /// Before the start; none, if 0 or less.
    pub reminder_minutes: Option<i64>,
    pub reminder_email: Option<bool>,
    /// All of them; before these two.
    pub reminders: Option<Vec<Alarm>>,
}

/// What the changes are made with.
pub(in crate::apps::calendar) struct Setting<'a> {
    /// How a time without zone is meant, where the event has no zone yet.
    pub local: &'a Local,
    pub now: Timestamp,
    /// Mail addresses of who makes the changes, the first of which invites and gets reminders.
    pub emails: &'a [String],
    pub name: Option<&'a str>,
}

impl Changes {
    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        let texts = [
            &self.title,
            &self.start,
            &self.end,
            &self.description,
            &self.location,
            &self.categories,
            &self.status,
            &self.privacy,
            &self.url,
            &self.color,
            &self.rule,
            &self.rule_end,
        ];
        texts.iter().all(|text| text.is_none())
            && self.all_day.is_none()
            && self.timezone.is_none()
            && self.priority.is_none()
            && self.attendees.is_none()
            && self.recurring.is_none()
            && self.reminder_minutes.is_none()
            && self.reminder_email.is_none()
            && self.reminders.is_none()
    }

    fn touch_times(&self) -> bool {
        self.start.is_some() || self.end.is_some() || self.all_day.is_some() || self.timezone.is_some()
    }

    /// Whether the account's own addresses are needed.
    pub fn need_emails(&self) -> bool {
        self.attendees.as_ref().is_some_and(|people| !people.is_empty())
            || self.reminder_email == Some(true)
            || self.reminders.as_deref().is_some_and(reminders::has_email)
    }

    /// Writes the changes into the event of this calendar object: into the whole series, or, given the time at which it
    /// was due, into one instance, for which an exception is made if there is none. The error names the argument that is
    /// wrong, and nothing is to be stored then.
    pub fn apply(
        &self,
        calendar: &mut Component,
        instance: Option<&When>,
        setting: &Setting<'_>,
    ) -> Result<(), String> {
        const KIND: &str = Comp::Event.name();
        let owned = calendar.clone();
        let zones = Zones::of(&owned);
        let event = match instance {
            None => ical::master_mut(calendar, KIND),
            Some(at) if ical::instance(&owned, KIND, at).is_some() => ical::instance_mut(calendar, KIND, at),
            Some(at) => ical::new_instance(calendar, KIND, at),
        };
        let event = event.ok_or("the object holds no event that can be changed")?;
        let before = event.clone();
        let old_alarms = Alarm::all_of(event);
        self.texts(event)?;
        let moved = times::set(self, event, &zones, setting.local)?;
        if instance.is_none() {
            times::recur(self, event, &zones, moved.as_ref())?;
        } else if self.recurring.is_some() || self.rule.is_some() || self.rule_end.is_some() {
            return Err("one instance has no recurrence of its own; leave `recurrence_id` out".into());
        }
        self.people(event, setting);
        self.alarms(event, setting, &zones);
        let is_significant = SIGNIFICANT.iter().any(|name| !same(&before, event, name));
        ical::touch(event, setting.now, is_significant && before.line("DTSTART").is_some());
        let after = event.clone();
        let is_single = event.line("RRULE").is_none() && event.line("RDATE").is_none();
        if let Some(Moved { from, to }) = moved.filter(|_| instance.is_none()) {
            times::move_exceptions(calendar, &from, &to, &zones);
        }
        if instance.is_none() && is_single && before.line("RRULE").is_some() {
            // Of a series that is none any more, the exceptions would stay as events of their own.
            calendar.retain_children(|child| !child.is(KIND) || ical::is_master(child));
        }
        if instance.is_none() {
            for exception in exceptions_of(calendar) {
                self.go_along(exception, &before, &after, &old_alarms, setting, &zones);
            }
        }
        if self.touch_times() {
            define_zones(calendar, &owned);
        }
        Ok(())
    }

    /// Changes an exception as its series was changed, in what both had alike.
    fn go_along(
        &self,
        exception: &mut Component,
        before: &Component,
        after: &Component,
        old_alarms: &[Alarm],
        setting: &Setting<'_>,
        zones: &Zones<'_>,
    ) {
        let untouched = exception.clone();
        for name in TOGETHER {
            if same(before, exception, name) && !same(before, after, name) {
                exception.set_all(name, after.lines(name).cloned().collect());
            }
        }
        let addresses = |event: &Component| -> Vec<String> {
            event.lines("ATTENDEE").map(|line| Person::of(line).address.to_lowercase()).collect()
        };
        if addresses(&untouched) == addresses(before) {
            self.people(exception, setting);
        }
        if Alarm::all_of(exception) == old_alarms {
            self.alarms(exception, setting, zones);
        }
        if *exception != untouched {
            ical::touch(exception, setting.now, false);
        }
    }

    fn texts(&self, event: &mut Component) -> Result<(), String> {
        let plain =
            [("SUMMARY", &self.title), ("DESCRIPTION", &self.description), ("LOCATION", &self.location)];
        for (name, text) in plain {
            if let Some(text) = text {
                ical::set_or_remove(event, name, text);
            }
        }
        for (name, argument, text, words) in
            [("STATUS", "status", &self.status, STATUSES), ("CLASS", "privacy", &self.privacy, CLASSES)]
        {
            match text.as_deref().map(str::trim) {
                None => {}
                Some("") => event.remove(name),
                Some(text) => {
                    let word =
                        words.iter().find(|word| word.eq_ignore_ascii_case(text)).ok_or_else(|| {
                            format!("`{argument}` must be one of {}, got {text:?}", words.join(", "))
                        })?;
                    event.set(Line::new(name, *word));
                }
            }
        }
        match self.priority {
            None => {}
            Some(0) => event.remove("PRIORITY"),
            Some(priority @ 1..=9) => event.set(Line::new("PRIORITY", priority.to_string())),
            Some(other) => return Err(format!("`priority` must be from 0 to 9, got {other}")),
        }
        if let Some(categories) = &self.categories {
            let names = list(categories);
            let lines = match names.is_empty() {
                true => Vec::new(),
                false => vec![Line::list("CATEGORIES", names.iter().map(String::as_str))],
            };
            event.set_all("CATEGORIES", lines);
        }
        match self.url.as_deref().map(str::trim) {
            None => {}
            Some("") => event.remove("URL"),
            Some(url) if url.contains(|c: char| c.is_whitespace() || c.is_control()) => {
                return Err(format!("`url` must be one address without spaces, got {url:?}"));
            }
            Some(url) => event.set(Line::new("URL", url)),
        }
        match self.color.as_deref().map(str::trim) {
            None => {}
            Some("") => event.remove("COLOR"),
            Some(color) => event.set(ical::color_line(color).map_err(|why| format!("`color`: {why}"))?),
        }
        Ok(())
    }

    /// Who stays keeps their line, with the answer that they gave.
    fn people(&self, event: &mut Component, setting: &Setting<'_>) {
        let Some(people) = &self.attendees else { return };
        if people.is_empty() {
            event.remove("ATTENDEE");
            event.remove("ORGANIZER");
            return;
        }
        let known: Vec<Line> = event.lines("ATTENDEE").cloned().collect();
        let line_of = |person: &Person| {
            let old = known.iter().find(|line| Person::of(line).is(&person.address));
            let is_own = setting.emails.iter().any(|email| person.is(email));
            old.cloned().unwrap_or_else(|| if is_own { person.present() } else { person.invited() })
        };
        let lines: Vec<Line> = people.iter().map(line_of).collect();
        event.set_all("ATTENDEE", lines);
        // Nextcloud sends invitations only for an event that says who invites (RFC 6638 §3.2.1).
        if let Some(email) = setting.emails.first().filter(|_| event.line("ORGANIZER").is_none()) {
            let name = setting.name.map(str::to_owned);
            let organizer = Person { address: email.clone(), name, status: None, role: None };
            event.push(organizer.organizer());
        }
    }

    fn alarms(&self, event: &mut Component, setting: &Setting<'_>, zones: &Zones<'_>) {
        let recipients = setting.emails.get(..1).unwrap_or_default();
        if let Some(alarms) = &self.reminders {
            Alarm::replace_all(event, alarms, recipients, zones);
            return;
        }
        if self.reminder_minutes.is_none() && self.reminder_email.is_none() {
            return;
        }
        let mut alarms = Alarm::all_of(event);
        let shown = simple_minutes(&alarms);
        match self.reminder_minutes {
            Some(minutes) if minutes <= 0 => alarms.clear(),
            Some(minutes) => set_minutes(&mut alarms, shown, minutes),
            None => {}
        }
        match self.reminder_email {
            Some(false) => alarms.retain(|alarm| alarm.action != Action::Email),
            Some(true) if !reminders::has_email(&alarms) && self.reminder_minutes.is_none_or(|m| m > 0) => {
                let minutes = simple_minutes(&alarms).unwrap_or(REMINDER_MINUTES);
                alarms.push(alarm(Action::Email, minutes));
            }
            _ => {}
        }
        Alarm::replace_all(event, &alarms, recipients, zones);
    }
}

/// Minutes before the start of the first reminder that can be told so.
pub(super) fn simple_minutes(alarms: &[Alarm]) -> Option<i64> {
    alarms.iter().find_map(|alarm| match alarm.trigger {
        Trigger::After(span, Relation::Start) => reminders::minutes_before(span),
        _ => None,
    })
}

/// Moves the reminders of the first time, or adds one.
fn set_minutes(alarms: &mut Vec<Alarm>, shown: Option<i64>, minutes: i64) {
    let Some(shown) = shown else {
        alarms.push(alarm(Action::Display, minutes));
        return;
    };
    for alarm in alarms {
        let is_shown = matches!(alarm.trigger, Trigger::After(span, Relation::Start)
            if reminders::minutes_before(span) == Some(shown));
        if is_shown {
            alarm.trigger = Trigger::After(reminders::before(minutes), Relation::Start);
        }
    }
}

fn alarm(action: Action, minutes: i64) -> Alarm {
    let span: Duration = reminders::before(minutes);
    Alarm { action, trigger: Trigger::After(span, Relation::Start), description: None, summary: None }
}

/// The parts of a comma-separated text, without blanks around them, each once.
pub(in crate::apps::calendar) fn list(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        if !parts.iter().any(|known| known == part) {
            parts.push(part.to_owned());
        }
    }
    parts
}

fn exceptions_of(calendar: &mut Component) -> impl Iterator<Item = &mut Component> {
    calendar.children_mut().filter(|child| child.is(Comp::Event.name()) && !ical::is_master(child))
}

fn same(before: &Component, after: &Component, name: &str) -> bool {
    let values = |component: &Component| -> Vec<String> {
        let told = |line: &Line| format!("{};{}", line.param("TZID").unwrap_or_default(), line.value());
        component.lines(name).map(told).collect()
    };
    values(before) == values(after)
}

/// Defines the zones that times name, and forgets those that no time names any more.
fn define_zones(calendar: &mut Component, before: &Component) {
    let events: Vec<Component> = ical::of_kind(calendar, Comp::Event.name()).cloned().collect();
    for event in &events {
        let start = event.line("DTSTART").and_then(When::of);
        let first = start.and_then(|start| start.moment(&Zones::of(before)));
        let Some(first) = first else { continue };
        for tzid in event.all_lines().filter_map(|line| line.param("TZID")) {
            ical::ensure_zone(calendar, tzid, first);
        }
    }
    let used = ical::of_kind(before, Comp::Event.name()).flat_map(Component::all_lines);
    let used: Vec<String> = used.filter_map(|line| line.param("TZID")).map(str::to_owned).collect();
    ical::without_unused_zones(calendar, &used);
}
