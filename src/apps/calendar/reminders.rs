//! Reminders of events and tasks, as tools take and give them.

use crate::ical::{self, Alarm, Duration, Local, Relation, Trigger, When, Zones};
use crate::{choice, record};

choice! {
    pub(super) enum Action { Display = "DISPLAY", Email = "EMAIL", Audio = "AUDIO" }
}

choice! {
    pub(super) enum Related { Start = "START", End = "END" }
}

record! {
    pub(super) struct Reminder {
        /// DISPLAY if left out.
        action: Option<Action>,
        /// This, `trigger_at` or `trigger`.
        minutes_before: Option<i64>,
        /// Date and time.
        trigger_at: Option<String>,
        /// Duration, e.g. `-P1DT2H`.
        trigger: Option<String>,
        description: Option<String>,
        /// Subject of an e-mail.
        summary: Option<String>,
        related: Option<Related>,
    }
}

const MINUTES_OF_A_DAY: i64 = 24 * 60;

impl Reminder {
    /// What an alarm says; whole minutes before as such, another span as iCalendar writes it.
    pub fn of(alarm: &Alarm, zones: &Zones<'_>) -> Reminder {
        let mut reminder = Reminder {
            action: Some(match alarm.action {
                ical::Action::Display => Action::Display,
                ical::Action::Email => Action::Email,
                ical::Action::Audio => Action::Audio,
            }),
            minutes_before: None,
            trigger_at: None,
            trigger: None,
            description: alarm.description.clone(),
            summary: alarm.summary.clone(),
            related: None,
        };
        match &alarm.trigger {
            Trigger::After(span, relation) => {
                match minutes_before(*span) {
                    Some(minutes) => reminder.minutes_before = Some(minutes),
                    None => reminder.trigger = Some(span.to_string()),
                }
                reminder.related = Some(match relation {
                    Relation::Start => Related::Start,
                    Relation::End => Related::End,
                });
            }
            Trigger::At(when) => reminder.trigger_at = Some(when.show(zones)),
        }
        reminder
    }

    /// The alarm that is meant; a time without a zone is meant as `local` says. The error says what to give.
    pub fn alarm(self, local: &Local) -> Result<Alarm, String> {
        let relation = match self.related {
            Some(Related::End) => Relation::End,
            Some(Related::Start) | None => Relation::Start,
        };
        let trigger = match (self.minutes_before, self.trigger_at, self.trigger) {
            (Some(minutes), None, None) => Trigger::After(before(minutes), relation),
            (None, Some(at), None) => Trigger::At(time(&at, local)?),
            (None, None, Some(trigger)) => match Duration::parse(&trigger) {
                Some(span) => Trigger::After(span, relation),
                None => Trigger::At(time(&trigger, local)?),
            },
            _ => {
                return Err(
                    "a reminder needs exactly one of `minutes_before`, `trigger_at`, `trigger`".to_owned()
                );
            }
        };
        let action = match self.action {
            Some(Action::Email) => ical::Action::Email,
            Some(Action::Audio) => ical::Action::Audio,
            Some(Action::Display) | None => ical::Action::Display,
        };
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Alarm { action, trigger, description: text(self.description), summary: text(self.summary) })
    }
}

/// Whether one of them goes out as an e-mail, and so needs somebody to go to.
pub(super) fn has_email(alarms: &[Alarm]) -> bool {
    alarms.iter().any(|alarm| alarm.action == ical::Action::Email)
}

/// So many minutes before; whole days as days, so that a change of the clocks does not move them.
pub(super) fn before(minutes: i64) -> Duration {
    match minutes % MINUTES_OF_A_DAY {
        0 => Duration { days: -(minutes / MINUTES_OF_A_DAY).clamp(-36_500, 36_500), seconds: 0 },
        _ => Duration::minutes(minutes.saturating_neg()),
    }
}

/// How many minutes before it is; `None` for seconds, and for what comes after.
pub(super) fn minutes_before(span: Duration) -> Option<i64> {
    let seconds = -span.total_seconds();
    (seconds >= 0 && seconds % 60 == 0).then_some(seconds / 60)
}

fn time(text: &str, local: &Local) -> Result<When, String> {
    match When::parse(text, local)? {
        When::Date(_) => Err(format!("{text:?} has no time of day, which a reminder needs")),
        // An absolute trigger is a moment (RFC 5545 §3.8.6.3).
        When::Floating(at) => Ok(When::Utc(at)),
        when => Ok(when),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Wire;

    fn given(json: serde_json::Value) -> Result<Alarm, String> {
        Reminder::read(json)?.alarm(&Local::Zone("Europe/Berlin".into()))
    }

    #[test]
    fn a_reminder_comes_back_as_it_was_given() {
        for json in [
            serde_json::json!({"action": "DISPLAY", "minutes_before": 15, "related": "START"}),
            serde_json::json!({"action": "EMAIL", "minutes_before": 1440, "description": "d", "summary": "s", "related": "END"}),
            serde_json::json!({"action": "AUDIO", "trigger": "PT30S", "related": "START"}),
            serde_json::json!({"action": "DISPLAY", "trigger_at": "2026-01-01T09:00:00+01:00"}),
        ] {
            let alarm = given(json.clone()).unwrap();
            assert_eq!(Reminder::of(&alarm, &Zones::none()).write(), json);
        }
    }

    #[test]
    fn whole_days_are_written_as_days() {
        assert_eq!(before(1440).to_string(), "-P1D");
        assert_eq!(before(0).to_string(), "PT0S");
        assert_eq!(before(90).to_string(), "-PT1H30M");
        for extreme in [i64::MIN, i64::MAX] {
            assert!(before(extreme).total_seconds().abs() < 1 << 40, "{extreme}");
        }
    }

    #[test]
    fn a_reminder_says_when_and_only_once() {
        for json in [
            serde_json::json!({}),
            serde_json::json!({"minutes_before": 5, "trigger": "-PT5M"}),
            serde_json::json!({"trigger_at": "2026-01-01"}),
            serde_json::json!({"trigger": "soon"}),
            serde_json::json!({"action": "SHOUT", "minutes_before": 5}),
        ] {
            assert!(given(json.clone()).is_err(), "{json}");
        }
    }
}
