//! Runs a scenario: a file of steps, each a tool call or a resource read, the exchanges with Nextcloud behind it and
//! what has to come out. `fixtures/README.md` describes the files.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::{Map, Value};

use super::matching::{diff, json_lines};
use super::record::{Recorder, Upstream, scrub};
use super::tape::{BASE, Exchange, Fault, Members, layout};
use super::{ReplayServer, record};
use crate::clock::Timestamp;
use crate::secret::Secret;

/// The time in a scenario that names none: 2026-11-23T23:32:31.000Z, when most recordings were made.
pub const NOW_DEFAULT: Timestamp = Timestamp { unix_ms: 1_795_476_751_000 };

/// A scenario file.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub about: String,
    /// What the program's clock says.
    pub now: Timestamp,
    /// Options that differ from the default, by their name in the environment.
    pub config: Map<String, Value>,
    pub steps: Vec<Step>,
    /// The file as it was read, to be written back with other results.
    document: Value,
}

/// One step of a scenario.
#[derive(Clone, Debug)]
pub struct Step {
    pub action: Action,
    pub exchanges: Vec<Exchange>,
    /// Those of `result`, `content` and `error` that the file has.
    expected: Map<String, Value>,
}

/// What the program is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Tool { name: String, arguments: Value },
    Resource { uri: String },
}

/// What came out of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The structured result if there is one, and the content blocks (a resource's `contents`).
    Success { structured: Option<Value>, content: Value },
    /// The text of an error.
    Failure(String),
}

/// What the program is started with.
pub struct Setup {
    /// The Nextcloud to work on.
    pub base_url: String,
    pub user: String,
    pub password: Secret,
    pub now: Timestamp,
    /// Options by their name in the environment, with `{base}` replaced.
    pub config: Map<String, Value>,
}

/// The program under test after its start; called once for each step.
pub type Program = Box<dyn FnMut(&Action) -> Outcome>;

/// Starts the program under test.
pub type Start<'a> = dyn Fn(&Setup) -> Result<Program, String> + Sync + 'a;

/// What to do with a scenario.
pub enum Mode {
    /// Compare with the file.
    Check,
    /// Use the file's exchanges, and write the results that came out into it.
    Update,
    /// Ask a live Nextcloud, and write its answers and the results into the file.
    Record(Upstream),
}

/// Runs the scenario in `path`. `Err` is what to show: the file's fault, a request that differs from the tape, or a
/// result that differs from the expected one. The file is written only after every step has passed.
pub fn run(path: &Path, mode: &Mode, start: &Start<'_>) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
    let mut scenario = Scenario::parse(&text).map_err(|e| e.to_string())?;
    match mode {
        Mode::Check => check(&mut scenario, false, start),
        Mode::Update => {
            check(&mut scenario, true, start)?;
            write(path, &scenario.document)
        }
        Mode::Record(upstream) => {
            record(&mut scenario, upstream, start)?;
            write(path, &scenario.document)
        }
    }
}

/// Every `.json` file below a directory, in order of name. Fails if a directory cannot be read.
pub fn files_below(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_below(&path)?);
        } else if path.extension().is_some_and(|e| e == "json") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn check(scenario: &mut Scenario, update: bool, start: &Start<'_>) -> Result<(), String> {
    let server = ReplayServer::strict(Vec::new()).map_err(|e| e.to_string())?;
    let password = Secret::new("password");
    let mut program = start(&scenario.setup(server.url(), "alice", password))?;
    for (index, step) in scenario.steps.iter().enumerate() {
        server.expect_next(step.exchanges.clone());
        let outcome = program(&step.action).with_base(server.url());
        server.finish().map_err(|report| format!("{}: {report}", step.title(index)))?;
        if update {
            set_expected(&mut scenario.document["steps"][index], &outcome);
        } else {
            step.compare(&outcome).map_err(|diff| format!("{}: {diff}", step.title(index)))?;
        }
    }
    Ok(())
}

fn record(scenario: &mut Scenario, upstream: &Upstream, start: &Start<'_>) -> Result<(), String> {
    let recorder = Recorder::start(upstream.clone()).map_err(|e| e.to_string())?;
    let mut program = start(&scenario.setup(recorder.url(), &upstream.user, upstream.password.clone()))?;
    for (index, step) in scenario.steps.iter().enumerate() {
        let outcome = program(&step.action).with_base(recorder.url());
        let failed = matches!(outcome, Outcome::Failure(_));
        if !step.expected.is_empty() && failed != step.expected.contains_key("error") {
            return Err(format!("{}: came out otherwise: {outcome:?}", step.title(index)));
        }
        let document = &mut scenario.document["steps"][index];
        let exchanges = recorder.take();
        document["exchanges"] = record::write(&exchanges, &step.exchanges, recorder.url());
        set_expected(document, &outcome);
    }
    scenario.document["source"] = "recorded".into();
    scenario.document = scrub(&scenario.document, upstream);
    Scenario::read(scenario.document.clone()).map(|_| ()).map_err(|e| e.to_string())
}

/// Writes to a temporary name first, so that a file is whole or not there.
fn write(path: &Path, document: &Value) -> Result<(), String> {
    let temporary = path.with_extension("json.new");
    fs::write(&temporary, layout(document)).map_err(|e| e.to_string())?;
    fs::rename(&temporary, path).map_err(|e| e.to_string())
}

/// Puts what came out in the place of what was expected.
fn set_expected(step: &mut Value, outcome: &Outcome) {
    let Value::Object(step) = step else { return };
    let with_content = step.contains_key("content");
    ["result", "error", "content"].iter().for_each(|name| drop(step.shift_remove(*name)));
    step.extend(outcome.members(with_content));
}

impl Scenario {
    /// Reads a scenario's text.
    pub fn parse(text: &str) -> Result<Scenario, Fault> {
        let document: Value = serde_json::from_str(text).map_err(|e| Fault(e.to_string()))?;
        Scenario::read(document)
    }

    fn read(document: Value) -> Result<Scenario, Fault> {
        let mut members = Members::of(document.clone(), "scenario")?;
        let about = members.required_text("about")?;
        members.required_text("source")?;
        let now = match members.text("now")? {
            None => NOW_DEFAULT,
            Some(text) => timestamp(&text)
                .ok_or_else(|| members.fault("\"now\" must look like 2026-11-23T23:32:31.000Z"))?,
        };
        let config = match members.take("config") {
            None => Map::new(),
            Some(Value::Object(config)) => config,
            Some(_) => return Err(members.fault("\"config\" must be an object")),
        };
        let Value::Array(steps) = members.required("steps")? else {
            return Err(members.fault("\"steps\" must be a list"));
        };
        members.end()?;
        let steps = steps.into_iter().enumerate();
        let steps =
            steps.map(|(i, step)| Step::read(step, &format!("steps[{i}]"))).collect::<Result<_, _>>()?;
        Ok(Scenario { about, now, config, steps, document })
    }

    fn setup(&self, base_url: &str, user: &str, password: Secret) -> Setup {
        let filled = |value: &Value| match value {
            Value::String(text) => text.replace(BASE, base_url).into(),
            other => other.clone(),
        };
        let config = self.config.iter().map(|(name, value)| (name.clone(), filled(value))).collect();
        Setup { base_url: base_url.into(), user: user.into(), password, now: self.now, config }
    }
}

impl Step {
    fn read(value: Value, at: &str) -> Result<Step, Fault> {
        let mut members = Members::of(value, at)?;
        let action = match (members.text("tool")?, members.text("resource")?) {
            (Some(name), None) => {
                let arguments = members.take("arguments").unwrap_or_else(|| Value::Object(Map::new()));
                Action::Tool { name, arguments }
            }
            (None, Some(uri)) => Action::Resource { uri },
            _ => return Err(members.fault("needs either \"tool\" or \"resource\"")),
        };
        let exchanges = match members.take("exchanges") {
            None => Vec::new(),
            Some(Value::Array(exchanges)) => exchanges
                .into_iter()
                .enumerate()
                .map(|(i, exchange)| Exchange::read(exchange, &format!("{at}.exchanges[{i}]")))
                .collect::<Result<_, _>>()?,
            Some(_) => return Err(members.fault("\"exchanges\" must be a list")),
        };
        let mut expected = Map::new();
        for name in ["result", "content", "error"] {
            if let Some(value) = members.take(name) {
                expected.insert(name.into(), value);
            }
        }
        members.end()?;
        Ok(Step { action, exchanges, expected })
    }

    fn title(&self, index: usize) -> String {
        let what = match &self.action {
            Action::Tool { name, .. } => name,
            Action::Resource { uri } => uri,
        };
        format!("step {} ({what})", index + 1)
    }

    fn compare(&self, outcome: &Outcome) -> Result<(), String> {
        let mut got = outcome.members(self.expected.contains_key("content"));
        if matches!(outcome, Outcome::Success { .. }) && !self.expected.contains_key("result") {
            got.shift_remove("result");
        }
        if got == self.expected && !got.is_empty() {
            return Ok(());
        }
        if self.expected.is_empty() {
            return Err("the file says nothing about the outcome; UPDATE=1 writes it".into());
        }
        let (expected, got) = (json_lines(&self.expected.clone().into()), json_lines(&got.into()));
        Err(format!("another outcome. {}", diff(&expected, &got)))
    }
}

impl Outcome {
    /// The outcome as members of a step: `error`, or `result` and, if asked for or alone, `content`.
    fn members(&self, with_content: bool) -> Map<String, Value> {
        let mut members = Map::new();
        match self {
            Outcome::Failure(text) => {
                members.insert("error".into(), text.as_str().into());
            }
            Outcome::Success { structured, content } => {
                let result = structured.clone().or_else(|| json_of_only_text(content));
                let content_needed = with_content || result.is_none();
                members.extend(result.map(|result| ("result".into(), result)));
                if content_needed {
                    members.insert("content".into(), content.clone());
                }
            }
        }
        members
    }

    /// Writes `{base}` in the place of `base_url`.
    fn with_base(self, base_url: &str) -> Outcome {
        match self {
            Outcome::Failure(text) => Outcome::Failure(text.replace(base_url, BASE)),
            Outcome::Success { structured, content } => Outcome::Success {
                structured: structured.map(|value| replace_in(value, base_url, BASE)),
                content: replace_in(content, base_url, BASE),
            },
        }
    }
}

/// The JSON object in the text of a result that has nothing but one text.
fn json_of_only_text(content: &Value) -> Option<Value> {
    let [block] = content.as_array()?.as_slice() else { return None };
    let value: Value = serde_json::from_str(block.get("text")?.as_str()?).ok()?;
    value.is_object().then_some(value)
}

/// Replaces in every string of a JSON value.
pub(super) fn replace_in(value: Value, from: &str, to: &str) -> Value {
    match value {
        Value::String(text) => text.replace(from, to).into(),
        Value::Array(items) => items.into_iter().map(|item| replace_in(item, from, to)).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, member)| (name, replace_in(member, from, to))).collect()
        }
        other => other,
    }
}

/// Reads the form that [`Timestamp::rfc3339`] writes.
fn timestamp(text: &str) -> Option<Timestamp> {
    let digits = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (shifted_year, shifted_month) =
        if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let leap_days = shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    let days = (365 * shifted_year + leap_days + (153 * shifted_month + 2) / 5 + day).checked_sub(719_469)?;
    let seconds = days * 86_400 + digits(11, 13)? * 3600 + digits(14, 16)? * 60 + digits(17, 19)?;
    let read = Timestamp { unix_ms: seconds * 1000 + digits(20, 23)? };
    (read.rfc3339() == text).then_some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_is_written_and_nothing_else_is() {
        assert_eq!(timestamp("2026-11-23T23:32:31.000Z"), Some(NOW_DEFAULT));
        for unix_ms in [0, 951_782_399_999, 951_782_400_000, 4_107_542_400_000] {
            assert_eq!(timestamp(&Timestamp { unix_ms }.rfc3339()), Some(Timestamp { unix_ms }));
        }
        for wrong in
            ["", "2026-02-30T00:00:00.000Z", "2026-11-23T23:32:31Z", "2026-11-23", "0000-01-01T00:00:00.000Z"]
        {
            assert_eq!(timestamp(wrong), None, "{wrong}");
        }
    }
}
