//! Gathers what was set, and where, before anything is understood: flags, environment, `.env`, secret files.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;

use super::dotenv;
use super::fault::Fault;
use super::setting::{Flag, Kind, Setting};
use super::table::{RETIRED, SETTINGS, TRANSPORT};
use crate::spelling::nearest;

/// Everything a configuration is made of. Nothing else is read.
pub struct Inputs<'a> {
    /// Arguments after the subcommand.
    pub args: Vec<OsString>,
    pub env: BTreeMap<OsString, OsString>,
    /// Text of the `.env` file, where there is one.
    pub dotenv: Option<String>,
    /// Reads the file that a `KEY_FILE` variable names.
    pub read_file: &'a dyn Fn(&Path) -> io::Result<String>,
}

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Flag(String),
    Environment(String),
    DotEnv { key: String, line: usize },
    File { key: String, path: String },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Flag(flag) => write!(f, "flag {flag}"),
            Source::Environment(_) => f.write_str("environment"),
            Source::DotEnv { line, .. } => write!(f, ".env line {line}"),
            Source::File { key, path } => write!(f, "file {path} named by {key}"),
        }
    }
}

/// A value as it was written. Not `Debug`: it may be a secret.
#[derive(Clone)]
pub(super) struct Given {
    pub source: Source,
    pub text: String,
}

/// What was set, by the key of the setting. A list may hold more than one value, everything else holds one.
#[derive(Default)]
pub(super) struct Raw {
    pub values: BTreeMap<&'static str, Vec<Given>>,
    pub faults: Vec<Fault>,
    pub warnings: Vec<String>,
    /// Warnings about variables that look like ours and are not.
    pub strangers: Vec<String>,
}

/// Flags beat the environment, the environment beats `.env`. A variable that is set but empty counts as not set, and
/// also hides the one in `.env`.
pub(super) fn gather(inputs: &Inputs<'_>) -> Raw {
    let mut raw = Raw::default();
    let flags = read_flags(&inputs.args, &mut raw);
    let env = read_environment(&inputs.env, &mut raw);
    let dotenv = match &inputs.dotenv {
        Some(text) if speaks_stdio(&flags, &env) => {
            leave_dotenv(text, &mut raw);
            Variables::new()
        }
        Some(text) => read_dotenv(text, &mut raw),
        None => Variables::new(),
    };
    for setting in SETTINGS {
        let flagged = flags.get(setting.key).cloned().unwrap_or_default();
        let values = if !flagged.is_empty() {
            one_unless_list(setting, flagged, &mut raw)
        } else if let Some(given) = from_variables(setting, &env, inputs.read_file, &mut raw) {
            given
        } else {
            from_variables(setting, &dotenv, inputs.read_file, &mut raw).unwrap_or_default()
        };
        if !values.is_empty() {
            raw.values.insert(setting.key, values);
        }
    }
    raw
}

type Flagged = BTreeMap<&'static str, Vec<Given>>;
type Variables = BTreeMap<String, Given>;

/// Goes through the arguments once, from left to right, and names all that it does not know.
fn read_flags(args: &[OsString], raw: &mut Raw) -> Flagged {
    let mut flagged = Flagged::new();
    let mut args = args.iter();
    while let Some(argument) = args.next() {
        let argument = argument.to_string_lossy();
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => (&*argument, None),
        };
        let Some((setting, flag)) = find_flag(name) else {
            raw.faults.push(unknown_flag(name));
            continue;
        };
        let text = match (flag.stands_for, attached) {
            (Some(value), None) => value.to_owned(),
            (Some(_), Some(_)) => {
                raw.faults.push(fault(
                    setting,
                    &format!("flag {name}"),
                    "takes no value",
                    &format!("write {name} alone"),
                ));
                continue;
            }
            (None, Some(value)) => value,
            (None, None) => match args.as_slice().first().map(|next| next.to_str()) {
                Some(Some(next)) if find_flag(next).is_none() => {
                    args.next();
                    next.to_owned()
                }
                Some(None) => {
                    args.next();
                    raw.faults.push(fault(setting, &format!("flag {name}"), "is not UTF-8", ""));
                    continue;
                }
                _ => {
                    let write = format!("write {name} {}", setting.placeholder);
                    raw.faults.push(fault(setting, &format!("flag {name}"), "has no value", &write));
                    continue;
                }
            },
        };
        if text.is_empty() {
            raw.faults.push(fault(
                setting,
                &format!("flag {name}"),
                "is empty",
                "leave the flag out to set nothing",
            ));
            continue;
        }
        if setting.secret {
            raw.warnings.push(format!(
                "{name} shows a secret to every user of this machine; {}_FILE does not",
                setting.key
            ));
        }
        let given = Given { source: Source::Flag(name.to_owned()), text };
        flagged.entry(setting.key).or_default().push(given);
    }
    flagged
}

fn find_flag(name: &str) -> Option<(&'static Setting, &'static Flag)> {
    SETTINGS.iter().find_map(|s| s.flags.iter().find(|f| f.is(name)).map(|f| (s, f)))
}

fn unknown_flag(name: &str) -> Fault {
    let flags = SETTINGS.iter().flat_map(|s| s.flags).map(|f| f.long).chain(["--help", "--version"]);
    let (problem, remedy) = match nearest(name, flags) {
        _ if !name.starts_with('-') => ("is an argument without a flag", "see --help".to_owned()),
        Some(known) => ("is not a flag of this program", format!("did you mean {known}?")),
        None => ("is not a flag of this program", "see --help".to_owned()),
    };
    Fault { key: name.to_owned(), source: String::new(), problem: problem.into(), remedy }
}

/// Keeps the variables that the table knows, and says which others look like a slip of the pen.
fn read_environment(env: &BTreeMap<OsString, OsString>, raw: &mut Raw) -> Variables {
    let known = known_keys();
    let mut variables = Variables::new();
    for (key, value) in env {
        let Some(key) = key.to_str() else { continue };
        let source = Source::Environment(key.to_owned());
        if !known.contains(key) {
            raw.strangers.extend(stranger(key, &known).filter(|_| !is_service_link(key)));
        } else if let Some(text) = value.to_str() {
            variables.insert(key.to_owned(), Given { source, text: text.to_owned() });
        } else {
            raw.faults.push(Fault {
                key: key.to_owned(),
                source: source.to_string(),
                problem: "is not UTF-8".into(),
                remedy: String::new(),
            });
        }
    }
    variables
}

fn read_dotenv(text: &str, raw: &mut Raw) -> Variables {
    let known = known_keys();
    let mut variables = Variables::new();
    for dotenv::Line { number, key, value } in dotenv::lines(text) {
        let source = Source::DotEnv { key: key.clone(), line: number };
        match value {
            _ if !key.is_empty() && !known.contains(&key) => raw.strangers.extend(stranger(&key, &known)),
            Ok(text) => drop(variables.insert(key, Given { source, text })),
            Err(problem) if key.is_empty() => {
                raw.warnings.push(format!("{source} {problem} and is passed over"))
            }
            Err(problem) => raw.faults.push(Fault {
                key,
                source: source.to_string(),
                problem: problem.into(),
                remedy: "close the quotes on the same line".into(),
            }),
        }
    }
    variables
}

/// An editor starts a stdio server in whatever folder is open, so a `.env` there is the work of strangers: it could send
/// the password from the environment to an address of its own.
fn speaks_stdio(flags: &Flagged, env: &Variables) -> bool {
    let setting = &TRANSPORT;
    let flag = flags.get(setting.key).and_then(|given| given.last());
    flag.or_else(|| setting.keys().find_map(|key| env.get(key)))
        .is_some_and(|given| given.text.eq_ignore_ascii_case("stdio"))
}

fn leave_dotenv(text: &str, raw: &mut Raw) {
    let known = known_keys();
    if dotenv::lines(text).iter().any(|line| known.contains(&line.key)) {
        raw.warnings.push(
            ".env in the working folder is not read in stdio mode; let the client set the environment".into(),
        );
    }
}

/// The value of one setting among variables of one kind. `None`: not set. Empty: set, but to nothing or wrongly.
fn from_variables(
    setting: &'static Setting,
    variables: &Variables,
    read_file: &dyn Fn(&Path) -> io::Result<String>,
    raw: &mut Raw,
) -> Option<Vec<Given>> {
    let direct = setting.keys().filter_map(|key| variables.get(key).cloned());
    let mut given: Vec<Given> = direct.collect();
    let mut was_set = !given.is_empty();
    for file_key in setting.file_keys() {
        let Some(named) = variables.get(&file_key) else { continue };
        was_set = true;
        if named.text.is_empty() {
            continue;
        }
        match read_secret(&named.text, read_file) {
            Ok(text) => {
                let source = Source::File { key: file_key, path: named.text.clone() };
                given.push(Given { source, text });
            }
            Err(problem) => raw.faults.push(Fault {
                key: file_key,
                source: named.source.to_string(),
                problem,
                remedy: "name a readable file that holds the value and nothing else".into(),
            }),
        }
    }
    given.retain(|g| !g.text.is_empty());
    was_set.then(|| one_value(setting, given, raw))
}

pub(super) const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;

fn read_secret(path: &str, read_file: &dyn Fn(&Path) -> io::Result<String>) -> Result<String, String> {
    let text = read_file(Path::new(path)).map_err(|e| format!("{path}: {e}"))?;
    if text.len() as u64 > SECRET_FILE_BYTES_MAX {
        return Err(format!("{path} is larger than {SECRET_FILE_BYTES_MAX} bytes"));
    }
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() { Err(format!("{path} is empty")) } else { Ok(text.to_owned()) }
}

/// Several flags are one list, and nothing else; the same said twice is once.
fn one_unless_list(setting: &'static Setting, given: Vec<Given>, raw: &mut Raw) -> Vec<Given> {
    if matches!(setting.kind, Kind::List(_)) { given } else { one_value(setting, given, raw) }
}

/// Two names of one setting that disagree are a fault.
fn one_value(setting: &'static Setting, mut given: Vec<Given>, raw: &mut Raw) -> Vec<Given> {
    if let Some(other) = given.iter().find(|g| g.text != given[0].text) {
        let say = |source: &Source| match source {
            Source::Environment(key) | Source::DotEnv { key, .. } | Source::File { key, .. } => key.clone(),
            Source::Flag(flag) => flag.clone(),
        };
        let names = (say(&given[0].source), say(&other.source));
        let problem = if names.0 == names.1 {
            "is given twice, with different values".to_owned()
        } else {
            format!("{} and {} contradict each other", names.0, names.1)
        };
        raw.faults.push(fault(setting, &given[0].source.to_string(), &problem, "leave one of them out"));
    }
    given.truncate(1);
    given
}

fn known_keys() -> BTreeSet<String> {
    let keys = SETTINGS.iter().flat_map(|s| s.keys().map(str::to_owned).chain(s.file_keys()));
    keys.collect()
}

/// What to say about a variable that the table does not know: nothing, unless it is ours by its name.
fn stranger(key: &str, known: &BTreeSet<String>) -> Option<String> {
    if let Some((_, instead)) = RETIRED.iter().find(|(retired, _)| *retired == key) {
        return Some(format!("{key} has no effect here: {instead}"));
    }
    if !key.starts_with("NEXTCLOUD_") && !key.starts_with("MCP_") {
        return None;
    }
    let meant = nearest(key, known.iter().map(String::as_str));
    let meant = meant.map_or_else(|| "see options".to_owned(), |name| format!("did you mean {name}?"));
    Some(format!("{key} is not a setting of this server and has no effect; {meant}"))
}

/// Kubernetes and Docker links add such variables for every neighbour: `NEXTCLOUD_PORT_80_TCP_ADDR`.
fn is_service_link(key: &str) -> bool {
    key.contains("_SERVICE_HOST")
        || key.contains("_SERVICE_PORT")
        || key.contains("_PORT_")
        || key.ends_with("_PORT")
}

fn fault(setting: &Setting, source: &str, problem: &str, remedy: &str) -> Fault {
    Fault { key: setting.key.into(), source: source.into(), problem: problem.into(), remedy: remedy.into() }
}
