//! The invariants of `docs/architecture.md`, looked for in the sources: they are about what is absent.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules a module may use. One direction: what stands higher uses what stands lower.
const MAY_USE: &[(&str, &[&str])] = &[
    ("cancel", &[]),
    ("clock", &[]),
    ("secret", &[]),
    ("spelling", &[]),
    ("sys", &[]),
    ("rpc", &[]),
    ("contentline", &[]),
    ("ical", &["clock", "contentline"]),
    ("vcard", &["contentline"]),
    ("schema", &["secret", "spelling"]),
    ("gate", &["clock"]),
    ("http", &["cancel", "sys"]),
    ("config", &["log", "secret", "spelling"]),
    ("log", &["clock"]),
    ("nextcloud", &["cancel", "clock", "schema", "secret"]),
    ("tool", &["clock", "nextcloud", "schema"]),
    ("apps", &["clock", "contentline", "ical", "nextcloud", "schema", "secret", "spelling", "tool", "vcard"]),
    ("registry", &["apps", "nextcloud", "schema", "tool"]),
    ("store", &["clock", "secret"]),
    ("auth", &["cancel", "clock", "config", "nextcloud", "secret", "store", "tool"]),
    ("broker", &["auth", "clock", "config", "nextcloud", "secret", "store", "tool"]),
    ("pages", &["broker", "clock", "tool"]),
    ("server", &["clock", "gate", "nextcloud", "registry", "tool"]),
    (
        "mcp",
        &[
            "auth",
            "cancel",
            "clock",
            "gate",
            "nextcloud",
            "registry",
            "rpc",
            "schema",
            "server",
            "spelling",
            "tool",
        ],
    ),
    (
        "transport",
        &[
            "auth",
            "broker",
            "cancel",
            "clock",
            "config",
            "http",
            "mcp",
            "nextcloud",
            "pages",
            "secret",
            "server",
            "tool",
        ],
    ),
    ("replay", &["clock", "secret"]),
];

/// The program's own outermost layer may use everything.
const OUTERMOST: &[&str] = &["cli", "main", "lib"];

#[test]
fn modules_use_only_what_stands_below_them() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for file in sources() {
        if OUTERMOST.contains(&file.module.as_str()) {
            continue;
        }
        let Some(allowed) = allowed.get(file.module.as_str()) else {
            wrong.push(format!("{}: the module has no row in this test", file.name));
            continue;
        };
        for (number, line) in file.code() {
            for used in names_after(line, "crate::") {
                let is_macro = matches!(used, "params" | "record" | "choice") || used.starts_with("wire_");
                if used != file.module && !is_macro && !allowed.contains(&used) {
                    wrong.push(format!("{}:{number}: uses crate::{used}", file.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_only_one_place_may_do_is_done_there_only() {
    /// Text, where it may stand, and why.
    const ONLY: &[(&str, &[&str], &str)] = &[
        ("unsafe ", &["sys.rs"], "unsafe code stands in one module"),
        ("SystemTime::now", &["clock.rs"], "time comes from the clock"),
        (
            "Instant::now",
            &["clock.rs", "http/"],
            "time comes from the clock; sockets have deadlines of their own",
        ),
        ("SystemRandom", &["clock.rs"], "randomness comes from the clock module"),
        ("ureq::", &["nextcloud", "replay/"], "one client speaks to Nextcloud"),
        ("rusqlite::", &["store"], "one place speaks SQL"),
        ("std::env::", &["cli", "config.rs", "log.rs", "main.rs"], "the environment is read at start only"),
        ("env::var", &["cli", "config.rs", "log.rs"], "the environment is read at start only"),
        ("static mut", &[], "no global mutable state"),
        ("println!", &["cli", "main.rs"], "standard output belongs to stdio clients"),
        ("eprintln!", &["cli", "main.rs"], "logs go through the log"),
        ("todo!", &[], "unfinished work does not land"),
        ("unimplemented!", &[], "unfinished work does not land"),
        ("percent_encode", &["nextcloud"], "paths are encoded in one place"),
        ("TcpStream", &["http", "replay"], "apps open no connection"),
        ("jiff::", &["ical"], "one place knows time zones"),
        ("roxmltree", &["nextcloud", "replay"], "one place reads XML"),
    ];
    let mut wrong = Vec::new();
    for file in sources() {
        for (number, line) in file.code() {
            for (text, places, why) in ONLY {
                if line.contains(text) && !places.iter().any(|place| file.name.starts_with(place)) {
                    wrong.push(format!("{}:{number}: `{text}`: {why}", file.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_app_uses_another_app() {
    let apps: Vec<String> = sources()
        .iter()
        .filter_map(|file| file.name.strip_prefix("apps/"))
        .map(|name| name.split(['/', '.']).next().unwrap_or(name).to_owned())
        .collect();
    let mut wrong = Vec::new();
    for file in sources() {
        let Some(own) = file.name.strip_prefix("apps/").and_then(|name| name.split(['/', '.']).next()) else {
            continue;
        };
        for (number, line) in file.code() {
            for used in names_after(line, "crate::apps::") {
                if used != own && apps.iter().any(|app| app == used) {
                    wrong.push(format!("{}:{number}: uses app {used}", file.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_app_touches_a_file_without_asking_whether_it_may() {
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|file| file.name.starts_with("apps/"))
        .filter(|file| file.code().any(|(_, line)| line.contains("nc.files(")))
        .filter(|file| {
            !file.code().any(|(_, line)| {
                [".admit(", ".admit_whole(", ".hides_path("].iter().any(|ask| line.contains(ask))
            })
        })
        .map(|file| file.name.clone())
        .collect();
    assert!(wrong.is_empty(), "ask Cx::admit before a path is used: {}", wrong.join(", "));
}

#[test]
fn files_stay_readable() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|file| file.text.lines().count() > 650)
        .map(|file| format!("{}: {} lines", file.name, file.text.lines().count()))
        .collect();
    assert!(long.is_empty(), "split along what they do: {}", long.join(", "));
}

struct Source {
    /// Relative to `src/`, with slashes.
    name: String,
    /// The top module it belongs to.
    module: String,
    text: String,
}

impl Source {
    /// Lines that are code of the product: no comments, nothing from the tests at the foot of a file on.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_tests = self.name.ends_with("/tests.rs") || self.name.contains("/tests/");
        self.text
            .lines()
            .enumerate()
            .take_while(move |(_, line)| !is_tests && !line.starts_with("#[cfg(test)]"))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(i, line)| (i + 1, line))
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(source(&root, path));
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(files.len() > 10, "the scan found only {} files", files.len());
    files
}

fn source(root: &Path, path: PathBuf) -> Source {
    let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
    let module = name.split(['/', '.']).next().unwrap().to_owned();
    Source { module, text: fs::read_to_string(&path).unwrap(), name }
}

/// The identifiers that stand right after each `prefix` in a line, also inside `{…}` of a `use`.
fn names_after<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    let identifier = |text: &'a str| -> &'a str {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        &text[..end]
    };
    let mut names = Vec::new();
    for (at, _) in line.match_indices(prefix) {
        let rest = &line[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(list) => names.extend(
                list.trim_end_matches([';', '}', ' ']).split(',').map(|name| identifier(name.trim())),
            ),
            None => names.push(identifier(rest)),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}
