//! Values of cells: from what a caller writes to what Tables stores, and back.
//!
//! Tables takes nearly everything without a word and stores nothing or something else for what it does not
//! understand (`RowService::parseValueByColumnType`), so a value is checked here before it goes out, and compared with
//! what came back afterwards.

use serde_json::{Map, Value, json};

use super::column::{Choice, Column, Kind, as_number, is_blank, shown};
use crate::schema::expected;
use crate::spelling::nearest;

/// Beyond it a number loses digits, since Tables keeps doubles.
const NUMBER_MAX: f64 = 9_007_199_254_740_992.0;
/// Options that an error names at most.
const CHOICES_SHOWN_MAX: usize = 20;
/// What Tables calls users, groups and teams.
const USER: i64 = 0;
const GROUP: i64 = 1;
const TEAM: i64 = 2;

/// The form of a value that Tables stores for this column. `now` is RFC 3339, for `now` and `today`. The error says what
/// was expected.
pub fn stored(column: &Column, value: &Value, now: &str) -> Result<Value, String> {
    let wrong = || expected(&takes(&column.kind), value);
    match &column.kind {
        Kind::Text { chars_max } => text(value, *chars_max).ok_or_else(wrong),
        Kind::Link { providers } => link(value, providers).ok_or_else(wrong),
        Kind::Number { min, max, decimals } => number(value, *min, *max, *decimals).ok_or_else(wrong),
        Kind::Progress => number(value, Some(0.0), Some(100.0), 0).ok_or_else(wrong),
        Kind::Stars => number(value, Some(0.0), Some(5.0), 0).ok_or_else(wrong),
        Kind::Selection(choices) => choice(choices, value).map(Value::from),
        Kind::MultiSelection(choices) => several(choices, value),
        Kind::Check => check(value).ok_or_else(wrong),
        Kind::DateTime => date_time(value, now).ok_or_else(wrong),
        Kind::Date => date(value, now).ok_or_else(wrong),
        Kind::Time => time(value, now).ok_or_else(wrong),
        Kind::UserGroup { many, users, groups, teams } => {
            let allowed = [(USER, *users), (GROUP, *groups), (TEAM, *teams)];
            people(value, *many, &allowed).ok_or_else(wrong)
        }
        Kind::Unknown => Ok(value.clone()),
    }
}

/// What empties a cell; `None` where Tables cannot do it: it makes 0 of a number without a value.
pub fn emptied(kind: &Kind) -> Option<Value> {
    match kind {
        Kind::Text { .. } => Some("".into()),
        Kind::Number { .. } => None,
        Kind::Progress | Kind::Stars => Some(0.into()),
        Kind::Check => Some("false".into()),
        Kind::MultiSelection(_) | Kind::UserGroup { .. } => Some(json!([])),
        Kind::Link { .. } | Kind::Selection(_) | Kind::DateTime | Kind::Date | Kind::Time | Kind::Unknown => {
            Some(Value::Null)
        }
    }
}

/// What a new row gets for a column that is not named, as in Tables' own form for new rows. "now" and "today" are
/// UTC, for Nextcloud does not tell in which time zone its user lives.
pub fn default(column: &Column, now: &str) -> Option<Value> {
    let name = match &column.kind {
        Kind::Text { .. } => "textDefault",
        Kind::Number { .. } | Kind::Progress | Kind::Stars => "numberDefault",
        Kind::Selection(_) | Kind::MultiSelection(_) => "selectionDefault",
        Kind::Check => {
            let is_on = column.setting("selectionDefault").and_then(Value::as_str) == Some("true");
            return Some(if is_on { "true" } else { "false" }.into());
        }
        Kind::DateTime | Kind::Date | Kind::Time => "datetimeDefault",
        Kind::UserGroup { .. } => "usergroupDefault",
        Kind::Link { .. } | Kind::Unknown => return None,
    };
    let value = column.setting(name)?;
    let value = match (&column.kind, value) {
        // Ids of options in text: `1`, `["1"]`.
        (Kind::Selection(_) | Kind::MultiSelection(_), Value::String(text)) => ids(text)?,
        _ => value.clone(),
    };
    stored(column, &value, now).ok().filter(|value| !is_blank(value))
}

fn ids(text: &str) -> Option<Value> {
    match serde_json::from_str::<Value>(text).ok()? {
        Value::Array(ids) => {
            Some(ids.iter().filter_map(as_number).map(|id| Value::from(id as i64)).collect())
        }
        id => Some((as_number(&id)? as i64).into()),
    }
}

/// The value as a person reads it: labels of options, true and false, title and address of a link.
pub fn readable(column: &Column, value: Value) -> Value {
    let label = |choices: &[Choice], id: &Value| -> Value {
        let number = as_number(id).map(|id| id as i64);
        match choices.iter().find(|choice| Some(choice.id) == number) {
            Some(choice) => choice.label.clone().into(),
            None => id.clone(),
        }
    };
    match (&column.kind, value) {
        (_, Value::Null) => Value::Null,
        (Kind::Selection(choices), id) => label(choices, &id),
        (Kind::MultiSelection(choices), Value::Array(ids)) => {
            ids.iter().map(|id| label(choices, id)).collect()
        }
        (Kind::Check, Value::String(text)) if text == "true" || text == "false" => (text == "true").into(),
        (Kind::Link { .. }, Value::String(text)) => match parsed(&text) {
            Some(link) => json!({
                "title": link.get("title").cloned().unwrap_or_default(),
                "url": link.get("value").or_else(|| link.get("resourceUrl")).cloned().unwrap_or_default(),
            }),
            None => text.into(),
        },
        (_, value) => value,
    }
}

/// Whether what came back is what went out.
pub fn is_kept(kind: &Kind, sent: &Value, kept: &Value) -> bool {
    let url = |value: &Value| {
        let link = parsed(value.as_str()?)?;
        link.get("resourceUrl").or_else(|| link.get("value")).cloned()
    };
    let people = |value: &Value| -> Vec<(Value, Value)> {
        let people = value.as_array().into_iter().flatten();
        people.map(|who| (who["id"].clone(), who["type"].clone())).collect()
    };
    match kind {
        _ if is_blank(sent) => is_blank(kept),
        Kind::Link { .. } => url(sent) == url(kept),
        Kind::UserGroup { .. } => people(sent) == people(kept),
        Kind::Number { .. } | Kind::Progress | Kind::Stars | Kind::Selection(_) => {
            as_number(sent) == as_number(kept)
        }
        Kind::MultiSelection(_) => {
            let ids = |value: &Value| -> Vec<Option<i64>> {
                let ids = value.as_array().into_iter().flatten();
                ids.map(|id| as_number(id).map(|id| id as i64)).collect()
            };
            ids(sent) == ids(kept)
        }
        Kind::Unknown => true,
        _ => sent == kept,
    }
}

/// A value to write first where Tables would take `sent` for what the cell holds already: it compares as loosely as PHP's
/// `==`, so "7" is "007" and the option with id 0 is no option at all (`Row2::insertOrUpdateCell`).
pub fn detour(kind: &Kind, sent: &Value) -> Option<Value> {
    match kind {
        Kind::Text { .. } if !is_blank(sent) => Some("-".into()),
        Kind::Selection(choices) => {
            let other =
                choices.iter().find(|choice| choice.id != 0 && as_number(sent) != Some(choice.id as f64))?;
            Some(other.id.into())
        }
        _ => None,
    }
}

/// What a column takes, for an error.
fn takes(kind: &Kind) -> String {
    match kind {
        Kind::Text { chars_max: Some(max) } => format!("text of at most {max} characters"),
        Kind::Text { chars_max: None } => "text".into(),
        Kind::Link { .. } => {
            "a link that starts with http:// or https://, or {\"title\": …, \"url\": …}".into()
        }
        Kind::Number { min, max, decimals } => {
            let range = match (min, max) {
                (Some(min), Some(max)) => format!(" from {min} to {max}"),
                (Some(min), None) => format!(" of at least {min}"),
                (None, Some(max)) => format!(" of at most {max}"),
                (None, None) => String::new(),
            };
            match decimals {
                0 => format!("a whole number{range}"),
                1 => format!("a number{range} with at most 1 decimal"),
                _ => format!("a number{range} with at most {decimals} decimals"),
            }
        }
        Kind::Progress => "a whole number from 0 to 100".into(),
        Kind::Stars => "a whole number from 0 to 5".into(),
        Kind::Selection(choices) => format!("one of {}", listed(choices)),
        Kind::MultiSelection(choices) => format!("a list of {}", listed(choices)),
        Kind::Check => "true or false".into(),
        Kind::DateTime => "a date and time like \"2026-03-01 14:30\", or \"now\"".into(),
        Kind::Date => "a date like \"2026-03-01\", or \"today\"".into(),
        Kind::Time => "a time like \"14:30\", or \"now\"".into(),
        Kind::UserGroup { many, users, groups, teams } => {
            let any = !(*users || *groups || *teams);
            let types = [("0 for a user", *users), ("1 for a group", *groups), ("2 for a team", *teams)];
            let types: Vec<_> = types.iter().filter(|(_, yes)| *yes || any).map(|(name, _)| *name).collect();
            let count = if *many { "a list of" } else { "a list of one" };
            format!("{count} {{\"id\": …, \"type\": …}}, type {}", types.join(", "))
        }
        Kind::Unknown => "a value".into(),
    }
}

fn listed(choices: &[Choice]) -> String {
    let left: Vec<&Choice> = choices.iter().filter(|choice| !choice.is_deleted).collect();
    let some = left.iter().take(CHOICES_SHOWN_MAX);
    let some: Vec<String> =
        some.map(|choice| format!("\"{}\" ({})", shown(&choice.label), choice.id)).collect();
    let more = if left.len() > CHOICES_SHOWN_MAX { ", …" } else { "" };
    some.join(", ") + more
}

fn text(value: &Value, chars_max: Option<usize>) -> Option<Value> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (text.chars().count() <= chars_max.unwrap_or(usize::MAX)).then(|| text.into())
}

/// Tables drops a link with a `providerId` that the column does not list, and cuts plain addresses at the third letter
/// of the top-level domain. The form with `resourceUrl` goes through whole.
fn link(value: &Value, providers: &str) -> Option<Value> {
    let given = match value {
        Value::Object(link) => link.clone(),
        Value::String(text) => parsed(text).unwrap_or_else(|| {
            let text = text.trim();
            Map::from_iter([("title".to_owned(), text.into()), ("url".to_owned(), text.into())])
        }),
        _ => return None,
    };
    let member = |name: &str| given.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let url = ["url", "value", "resourceUrl"].into_iter().find_map(member)?;
    let is_web = ["http://", "https://"].iter().any(|scheme| {
        url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            && url.len() > scheme.len()
    });
    if !is_web || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let title = member("title").unwrap_or(url);
    let provider = member("providerId").unwrap_or("url");
    let whole = if provider != "url" && providers.split(',').any(|allowed| allowed.trim() == provider) {
        json!({"title": title, "value": url, "providerId": provider})
    } else {
        json!({"title": title, "resourceUrl": url})
    };
    Some(whole.to_string().into())
}

fn parsed(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok()
}

fn number(value: &Value, min: Option<f64>, max: Option<f64>, decimals: usize) -> Option<Value> {
    let given = as_number(value)?;
    let step = 10_f64.powi(decimals.min(15) as i32);
    let rounded = (given * step).round() / step;
    // 0.1 + 0.2 is meant to be 0.3.
    let is_exact = (given - rounded).abs() <= given.abs() * 1e-12;
    let fits = rounded >= min.unwrap_or(f64::MIN) && rounded <= max.unwrap_or(f64::MAX);
    if !is_exact || !fits || rounded.abs() > NUMBER_MAX {
        return None;
    }
    Some(if rounded.fract() == 0.0 { Value::from(rounded as i64) } else { Value::from(rounded) })
}

/// The id of an option, from its id or label. A number is an id first, a text a label.
fn choice(choices: &[Choice], value: &Value) -> Result<i64, String> {
    let by_id = |id: i64| choices.iter().find(|choice| choice.id == id).map(|choice| choice.id);
    let by_label = |label: &str| {
        let left = || choices.iter().filter(|choice| !choice.is_deleted);
        let folded = label.trim().to_lowercase();
        let mut alike = left().filter(|choice| choice.label.trim().to_lowercase() == folded);
        let same = left().find(|choice| choice.label == label);
        same.or_else(|| alike.next().filter(|_| alike.next().is_none())).map(|choice| choice.id)
    };
    let found = match value {
        Value::Number(number) => number.as_i64().and_then(by_id).or_else(|| by_label(&number.to_string())),
        Value::String(text) => {
            let (label, id) = (by_label(text), text.trim().parse().ok().and_then(by_id));
            match (label, id) {
                (Some(label), Some(id)) if label != id => {
                    return Err(format!(
                        "\"{}\" is the label of option {label} and the id of another; give {label} or {id} as a number",
                        shown(text)
                    ));
                }
                (label, id) => label.or(id),
            }
        }
        Value::Object(option) => option.get("id").and_then(Value::as_i64).and_then(by_id),
        _ => None,
    };
    found.ok_or_else(|| {
        let labels =
            || choices.iter().filter(|choice| !choice.is_deleted).map(|choice| choice.label.as_str());
        match value.as_str().and_then(|text| nearest(&shown(text), labels())) {
            Some(label) => format!("there is no option {}; did you mean \"{label}\"?", cut(value)),
            None => expected(&format!("one of {}", listed(choices)), value),
        }
    })
}

/// Ids in ascending order, each once, as Tables stores them.
fn several(choices: &[Choice], value: &Value) -> Result<Value, String> {
    let unpacked = value.as_str().and_then(|text| serde_json::from_str(text).ok());
    let mut ids = match unpacked.as_ref().filter(|value: &&Value| value.is_array()).unwrap_or(value) {
        Value::Array(items) => {
            items.iter().map(|item| choice(choices, item)).collect::<Result<Vec<i64>, String>>()?
        }
        Value::String(text) => match choice(choices, value) {
            Ok(id) => vec![id],
            Err(why) if !text.contains(',') => return Err(why),
            Err(_) => text
                .split(',')
                .map(|part| choice(choices, &part.trim().into()))
                .collect::<Result<Vec<i64>, String>>()?,
        },
        one => vec![choice(choices, one)?],
    };
    ids.sort_unstable();
    ids.dedup();
    Ok(ids.into())
}

fn cut(value: &Value) -> String {
    shown(&value.to_string())
}

fn check(value: &Value) -> Option<Value> {
    let is_on = match value {
        Value::Bool(yes) => *yes,
        Value::Number(number) => match number.as_i64()? {
            1 => true,
            0 => false,
            _ => return None,
        },
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "true" | "yes" | "1" => true,
            "false" | "no" | "0" => false,
            _ => return None,
        },
        _ => return None,
    };
    Some(if is_on { "true" } else { "false" }.into())
}

/// `2026-03-01 14:30`. Tables keeps no zone: the time stays as it is written.
fn date_time(value: &Value, now: &str) -> Option<Value> {
    let text = value.as_str()?.trim();
    let text = if text.eq_ignore_ascii_case("now") { now } else { text };
    let (date, time) = text.split_once(['T', 't', ' '])?;
    Some(format!("{} {}", calendar_day(date)?, minutes(time.trim())?).into())
}

/// `2026-03-01`, also from midnight of that day.
fn date(value: &Value, now: &str) -> Option<Value> {
    let text = value.as_str()?.trim();
    if text.eq_ignore_ascii_case("today") {
        return now.split_once('T').map(|(date, _)| date.into());
    }
    let (date, time) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00"));
    (minutes(time)? == "00:00").then(|| calendar_day(date).map(Value::from))?
}

/// `14:30`.
fn time(value: &Value, now: &str) -> Option<Value> {
    let text = value.as_str()?.trim();
    let text = if text.eq_ignore_ascii_case("now") { now.split_once('T')?.1 } else { text };
    minutes(text).map(Value::from)
}

/// A day that exists, as `YYYY-MM-DD` (RFC 3339 §5.6).
fn calendar_day(text: &str) -> Option<&str> {
    let is_shaped = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(i, b)| if matches!(i, 4 | 7) { b == b'-' } else { b.is_ascii_digit() });
    if !is_shaped {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=days).contains(&day).then_some(text)
}

/// `HH:MM` from a time with or without seconds, fractions and offset (RFC 3339 §5.6).
fn minutes(text: &str) -> Option<&str> {
    let (hour, rest) = text.split_once(':')?;
    let two_digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    let minute = rest.get(..2)?;
    let is_time = two_digits(hour) && two_digits(minute) && hour < "24" && minute < "60";
    (is_time && is_rest_of_time(rest.get(2..)?)).then(|| text.get(..5))?
}

fn is_rest_of_time(rest: &str) -> bool {
    let (seconds, offset) = rest.split_at(rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len()));
    let is_offset = match offset.as_bytes() {
        [] | [b'Z' | b'z'] => true,
        [b'+' | b'-', digits @ ..] => {
            digits.len() <= 5 && digits.iter().all(|b| b.is_ascii_digit() || *b == b':')
        }
        _ => false,
    };
    let is_seconds = match seconds.strip_prefix(':') {
        None => seconds.is_empty(),
        Some(seconds) => {
            let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
            whole.len() == 2
                && whole <= "60"
                && (whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit())
        }
    };
    is_offset && is_seconds
}

/// `[{"id": "bob", "type": 0}]`; also one without a list, and the type in a word.
fn people(value: &Value, many: bool, allowed: &[(i64, bool); 3]) -> Option<Value> {
    let unpacked = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let value = unpacked.as_ref().filter(|value| value.is_array() || value.is_object()).unwrap_or(value);
    let items = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let anybody = allowed.iter().all(|(_, yes)| !yes);
    let mut people: Vec<Value> = Vec::new();
    for item in items {
        let (id, kind) = match item {
            Value::String(id) => (id.as_str(), USER),
            Value::Object(who) => {
                (who.get("id")?.as_str()?, who.get("type").map_or(Some(USER), person_type)?)
            }
            _ => return None,
        };
        if id.is_empty() || !allowed.iter().any(|(known, yes)| *known == kind && (*yes || anybody)) {
            return None;
        }
        people.push(json!({"id": id, "type": kind}));
    }
    (many || people.len() <= 1).then_some(people.into())
}

fn person_type(value: &Value) -> Option<i64> {
    match value {
        Value::String(word) => match word.to_lowercase().as_str() {
            "user" | "0" => Some(USER),
            "group" | "1" => Some(GROUP),
            "team" | "circle" | "2" => Some(TEAM),
            _ => None,
        },
        number => number.as_i64(),
    }
}

#[cfg(test)]
mod tests;
