//! When people are busy: the user by their own calendars, others by what Nextcloud tells of them (RFC 6638 §5).

use super::Span;
use crate::apps::calendar::calendars::{Calendar, Comp};
use crate::apps::calendar::events::worked_out;
use crate::apps::calendar::objects::{self, CalendarError, Range, utc};
use crate::contentline::{Component, Line};
use crate::ical::{self, Duration, Local, Moment, Person, When, Zone, Zones, plus_days};
use crate::nextcloud::{CALDAV, DAV, Element, Kind, Request, Subject, UrlPath, xml};
use crate::tool::{Cx, ToolError};

const OUTBOX: (&str, &str) = (CALDAV, "schedule-outbox-URL");

/// The user's own busy times, and what could not be read. Fails if a calendar cannot be read: it must not count as free.
pub(super) fn own(
    cx: &Cx,
    calendars: &[Calendar],
    range: Range,
    all_day: Option<&Zone>,
) -> Result<(Vec<Span>, Vec<CalendarError>), ToolError> {
    let (mut busy, mut errors) = (Vec::new(), Vec::new());
    let emails = &cx.nc.homes()?.emails;
    // As Nextcloud itself counts: calendars of others and subscriptions do not make one busy.
    let counts = |calendar: &&Calendar| {
        calendar.source.is_none()
            && calendar.owner.is_none()
            && !calendar.transparent
            && calendar.takes(Comp::Event)
    };
    for calendar in calendars.iter().filter(counts) {
        let (found, is_expanded) = match objects::query(cx, calendar, Comp::Event, Some(range), true) {
            // Nextcloud tells nothing of a calendar in which a series has more than 3,500 instances.
            Err(ToolError::Upstream(error)) if error.kind == Kind::Server => {
                (objects::query(cx, calendar, Comp::Event, None, false)?, false)
            }
            found => (found?, true),
        };
        errors.extend(found.errors);
        for stored in &found.objects {
            let zones = Zones::of(&stored.component);
            let mut take = |event: &Component| {
                let is_day = event.line("DTSTART").and_then(When::of).is_some_and(|start| start.is_date());
                let counts = makes_busy(event, emails) && (!is_day || all_day.is_some());
                busy.extend(counts.then(|| span_in(event, &zones, all_day)).flatten());
            };
            match worked_out(stored, range).filter(|_| !is_expanded) {
                Some(instances) => instances.iter().for_each(&mut take),
                None if !is_expanded
                    && stored.parts(Comp::Event).any(|event| event.line("RRULE").is_some()) =>
                {
                    errors.push(CalendarError {
                        calendar_name: calendar.name.clone(),
                        error: format!(
                            "the series {:?} could not be expanded",
                            objects::uid_of(stored, Comp::Event)
                        ),
                    });
                }
                None => stored.parts(Comp::Event).for_each(take),
            }
        }
    }
    Ok((busy, errors))
}

/// Whether an event takes time of the user's: not if it is cancelled, marked as free, or declined.
fn makes_busy(event: &Component, emails: &[String]) -> bool {
    let says = |name: &str, word: &str| {
        ical::value_text(event, name).is_some_and(|value| value.eq_ignore_ascii_case(word))
    };
    let declined = event.lines("ATTENDEE").map(Person::of).any(|person| {
        person.status.as_deref() == Some("DECLINED") && emails.iter().any(|email| person.is(email))
    });
    !says("TRANSP", "TRANSPARENT") && !says("STATUS", "CANCELLED") && !declined
}

/// From when to when; whole days are taken for days of UTC.
pub(in crate::apps::calendar) fn span(event: &Component, zones: &Zones<'_>) -> Option<Span> {
    span_in(event, zones, None)
}

/// The same with whole days that begin in a zone.
fn span_in(event: &Component, zones: &Zones<'_>, day_zone: Option<&Zone>) -> Option<Span> {
    let start = When::of(event.line("DTSTART")?)?;
    let end = event.line("DTEND").and_then(When::of).or_else(|| {
        let span = event.line("DURATION").and_then(|line| Duration::parse(line.value()));
        span.and_then(|span| span.after(&start, zones))
    });
    let moment = |when: &When| match day_zone.filter(|_| when.is_date()) {
        Some(zone) => zone.moment(when.start()),
        None => when.moment(zones),
    };
    let from = moment(&start)?;
    let usual = if start.is_date() { plus_days(start.date(), 1).map(When::Date) } else { None };
    Some((from, end.or(usual).and_then(|end| moment(&end)).unwrap_or(from)))
}

/// Busy times of others. Fails, with every name, if one of them cannot be asked about.
pub(super) fn of_others(cx: &Cx, people: &[Person], range: Range) -> Result<Vec<Span>, ToolError> {
    if people.is_empty() {
        return Ok(Vec::new());
    }
    let Some(organizer) = cx.nc.homes()?.emails.first() else {
        return Err(ToolError::Refused(
            "The free/busy times of others can only be asked for by an account with an e-mail address. The user can set one in \
             Nextcloud's personal settings."
                .into(),
        ));
    };
    let request = Request::new("POST", outbox(cx)?)
        .body(question(cx, organizer, people, range)?.to_string(), "text/calendar; charset=utf-8");
    let answers = cx.nc.xml(request, answers).of("the question for free/busy times")?;
    let (mut busy, mut unknown) = (Vec::new(), Vec::new());
    for person in people {
        match answers.iter().find(|answer| person.is(&answer.recipient)) {
            Some(Answer { busy: Ok(spans), .. }) => busy.extend(spans),
            Some(Answer { busy: Err(why), .. }) => unknown.push(format!("{} ({why})", person.address)),
            None => unknown.push(format!("{} (no answer)", person.address)),
        }
    }
    if unknown.is_empty() {
        return Ok(busy);
    }
    Err(ToolError::Refused(format!(
        "Nextcloud cannot tell when these are free: {}. Leave them out of `attendees` to see the free times of the others; \
         only users of this Nextcloud, by the e-mail address that they have there, can be checked.",
        unknown.join(", ")
    )))
}

/// Where free/busy questions go (RFC 6638 §2.1.1).
fn outbox(cx: &Cx) -> Result<UrlPath, ToolError> {
    let principal = cx.nc.principal()?.path.clone();
    let request = Request::new("PROPFIND", principal).header("Depth", "0").xml(xml::propfind(&[OUTBOX]));
    let answer = cx.nc.multistatus(request).of("the account")?;
    let found = answer.first(|entry| {
        let href = entry.element(OUTBOX.0, OUTBOX.1)?.child((DAV, "href"))?.text()?;
        Some(cx.nc.path_of(href.trim()))
    })?;
    found.ok_or_else(|| {
        ToolError::Refused("This Nextcloud does not let free/busy times of others be asked for.".into())
    })
}

/// VFREEBUSY with METHOD:REQUEST (RFC 5546 §3.3.2).
fn question(cx: &Cx, organizer: &str, people: &[Person], range: Range) -> Result<Component, ToolError> {
    let mut calendar = ical::calendar();
    calendar.push(Line::new("METHOD", "REQUEST"));
    let mut question = Component::new("VFREEBUSY");
    question.push(Line::text("UID", &objects::new_uid(cx)?));
    question.push(Line::new("DTSTAMP", utc(ical::moment_of(cx.clock.now()))));
    question.push(Line::new("DTSTART", utc(range.start)));
    question.push(Line::new("DTEND", utc(range.end)));
    question.push(Line::new("ORGANIZER", format!("mailto:{organizer}")));
    for person in people {
        question.push(Line::new("ATTENDEE", format!("mailto:{}", person.address)));
    }
    calendar.push_child(question);
    Ok(calendar)
}

/// What Nextcloud says about one of those asked for.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    recipient: String,
    /// Or why not, in Nextcloud's words.
    busy: Result<Vec<Span>, String>,
}

/// Reads a `schedule-response` (RFC 6638 §10.1).
fn answers(root: Element<'_>) -> Vec<Answer> {
    let responses = root.children().filter(|element| element.is((CALDAV, "response")));
    let answer = |response: Element<'_>| {
        let text = |name| response.child((CALDAV, name)).and_then(Element::text).unwrap_or_default().trim();
        let recipient = response.child((CALDAV, "recipient"))?.child((DAV, "href"))?.text()?.trim();
        // 2.x is success (RFC 5546 §3.6): "2.0;Success".
        let status = text("request-status");
        let busy = match status.strip_prefix("2.") {
            Some(_) => busy(text("calendar-data")),
            None => {
                Err(status.split_once(';').map_or(status, |(_, words)| words).chars().take(100).collect())
            }
        };
        Some(Answer { recipient: recipient.to_owned(), busy })
    };
    responses.filter_map(answer).collect()
}

/// The FREEBUSY periods of an answer (RFC 5545 §3.8.2.6), all but those that say FREE.
fn busy(calendar: &str) -> Result<Vec<Span>, String> {
    let calendar = Component::parse(calendar).map_err(|fault| fault.to_string())?;
    let mut spans = Vec::new();
    for part in calendar.children().filter(|child| child.is("VFREEBUSY")) {
        let lines = part
            .lines("FREEBUSY")
            .filter(|line| line.param("FBTYPE").is_none_or(|kind| !kind.eq_ignore_ascii_case("FREE")));
        for period in lines.flat_map(|line| line.value().split(',')) {
            spans.push(read_period(period.trim()).ok_or_else(|| format!("{period:?} is no period"))?);
        }
    }
    Ok(spans)
}

/// `start/end` or `start/duration`.
fn read_period(text: &str) -> Option<Span> {
    let (start, end) = text.split_once('/')?;
    let zones = Zones::none();
    let start = When::parse(start, &Local::Utc).ok()?;
    let end = match Duration::parse(end) {
        Some(span) => span.after(&start, &zones)?,
        None => When::parse(end, &Local::Utc).ok()?,
    };
    let moment = |when: When| -> Option<Moment> { when.moment(&zones) };
    Some((moment(start)?, moment(end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Moment {
        text.parse().unwrap()
    }

    fn event(lines: &str) -> Component {
        Component::parse(&format!("BEGIN:VEVENT\r\n{lines}\r\nEND:VEVENT\r\n")).unwrap()
    }

    #[test]
    fn free_cancelled_and_declined_events_take_no_time() {
        let me = ["alice@example.com".to_owned()];
        let busy = |lines| makes_busy(&event(lines), &me);
        assert!(busy("STATUS:TENTATIVE") && busy("TRANSP:OPAQUE"));
        assert!(!busy("TRANSP:TRANSPARENT") && !busy("STATUS:cancelled"));
        assert!(!busy("ATTENDEE;PARTSTAT=DECLINED:mailto:Alice@example.com"));
        assert!(busy("ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.com"));
    }

    #[test]
    fn a_whole_day_begins_where_one_is() {
        let zone = Zone::iana("Europe/Berlin").unwrap();
        let day = event("DTSTART;VALUE=DATE:20260329\r\nDTEND;VALUE=DATE:20260330");
        let in_utc = (at("2026-03-29T00:00:00Z"), at("2026-03-30T00:00:00Z"));
        assert_eq!(span(&day, &Zones::none()), Some(in_utc));
        let spring = (at("2026-03-28T23:00:00Z"), at("2026-03-29T22:00:00Z"));
        assert_eq!(span_in(&day, &Zones::none(), Some(&zone)), Some(spring), "the clocks change");
        let timed = event("DTSTART:20260301T090000Z\r\nDURATION:PT30M");
        assert_eq!(
            span(&timed, &Zones::none()),
            Some((at("2026-03-01T09:00:00Z"), at("2026-03-01T09:30:00Z")))
        );
    }

    #[test]
    fn periods_of_all_kinds_but_free_are_busy() {
        let answer = "BEGIN:VCALENDAR\r\nBEGIN:VFREEBUSY\r\nFREEBUSY:20260301T090000Z/PT1H,20260302T090000Z/20260302T100000Z\r\n\
                      FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260303T000000Z/20260303T080000Z\r\n\
                      FREEBUSY;FBTYPE=FREE:20260304T000000Z/20260304T080000Z\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n";
        let spans = busy(answer).unwrap();
        assert_eq!(spans.len(), 3);
        assert_eq!(spans[0], (at("2026-03-01T09:00:00Z"), at("2026-03-01T10:00:00Z")));
        assert!(
            busy("BEGIN:VCALENDAR\r\nBEGIN:VFREEBUSY\r\nFREEBUSY:x\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n")
                .is_err()
        );
    }
}
