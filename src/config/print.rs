//! The table of settings as text: `--help`, `options`, `docs/configuration.md`, `env.sample`.

use std::fmt::Write;

use super::setting::{Group, Kind, Setting};
use super::table::SETTINGS;

const COLUMNS_MAX: usize = 80;

/// What `--help` prints; fits a screen of 80 columns and 24 lines.
pub fn help(program: &str, version: &str) -> String {
    let mut text = format!(
        "{program} {version}: lets AI assistants work in your own Nextcloud

Usage: {program} [COMMAND] [OPTION]...
  serve                      Serve MCP at http://127.0.0.1:8000/mcp [default]
  stdio                      Serve one client on standard input and output
  login, logout              Sign in at Nextcloud in a browser; sign out again
  tools, options             List the tools; list every setting

"
    );
    for setting in SETTINGS.iter().filter(|s| !s.help.is_empty()) {
        let described = match setting.kind {
            Kind::Switch | Kind::Choice(["auto", ..]) => setting.help.to_owned(),
            _ if setting.default.is_empty() => setting.help.to_owned(),
            _ => format!("{} [{}]", setting.help, setting.default),
        };
        let _ = writeln!(text, "  {:26} {described}", flags(setting));
    }
    let _ = writeln!(text, "  {:26} Print this; print the version", "--help, --version");
    text.push_str("\nThe app password comes from NEXTCLOUD_PASSWORD(_FILE) or from login.\n");
    text
}

/// What `options` prints: every setting with all its names.
pub fn options() -> String {
    let mut text = String::new();
    let intro = "A flag beats the environment, the environment beats a .env file in the working folder. KEY_FILE \
                 names a file that holds the value of KEY. Defaults stand in [brackets].";
    wrap(&mut text, intro, "");
    for (group, settings) in groups() {
        let _ = write!(text, "\n{}\n", group.title().to_uppercase());
        wrap(&mut text, group.about(), "");
        for setting in settings {
            let mut names: Vec<String> = setting.keys().map(str::to_owned).collect();
            names.extend(setting.file_keys().next());
            names.extend(Some(flags(setting)).filter(|f| !f.is_empty()));
            text.push('\n');
            wrap(&mut text, &names.join(", "), "  ");
            wrap(&mut text, setting.about, "      ");
            wrap(&mut text, &value(setting), "      ");
        }
    }
    text
}

/// `docs/configuration.md`.
pub fn markdown() -> String {
    let mut text = String::from(
        "<!-- Generated from src/config/table.rs by `UPDATE=1 cargo test --test docs`; do not edit. -->\n\
         # Configuration\n\n\
         A flag beats the environment, and the environment beats a `.env` file in the working folder, which is read if\n\
         it is there. (Not in stdio mode: an editor starts a stdio server in whatever folder is open, and that folder's\n\
         `.env` may be a stranger's.) A variable that is set to nothing counts as not set.\n\n\
         Each secret can come from a file: `NEXTCLOUD_PASSWORD_FILE` names the file that holds the value of\n\
         `NEXTCLOUD_PASSWORD`. One line break at its end is not part of the value. Under systemd that file is a\n\
         credential: `LoadCredential=nextcloud-password:/etc/…` and\n\
         `Environment=NEXTCLOUD_PASSWORD_FILE=%d/nextcloud-password`, as in `contrib/systemd/`.\n\n\
         In `.env`, a line is `KEY=VALUE`, with or without `export` in front. `#` begins a comment at the start of a line\n\
         or after a blank. Text in single quotes is taken as it is; in double quotes `\\n`, `\\t`, `\\\"`, `\\\\` and `\\$` are\n\
         understood. Nothing is expanded.\n\n\
         What is wrong is reported all at once, one line each, and the program ends with status 78. A variable whose\n\
         name begins with `NEXTCLOUD_` or `MCP_` and that no setting has is warned about.\n",
    );
    for (group, settings) in groups() {
        let _ = write!(text, "\n## {}\n\n", group.title());
        if !group.about().is_empty() {
            let _ = write!(text, "{}\n\n", group.about());
        }
        text.push_str("| Variable | Flag | Value | Default | |\n|---|---|---|---|---|\n");
        for setting in settings {
            let code =
                |words: Vec<&str>| words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join("<br>");
            let flags = code(setting.flags.iter().flat_map(|f| [Some(f.long), f.short]).flatten().collect());
            let default =
                if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
            let _ = writeln!(
                text,
                "| {} | {flags} | {} | {default} | {} |",
                code(setting.keys().collect()),
                form(setting),
                setting.about.replace('<', "&lt;"),
            );
        }
    }
    text.push_str(EXIT_CODES);
    text
}

const EXIT_CODES: &str = "
## Exit status

| Status | Meaning |
|---|---|
| 0 | Stopped as asked, or printed what was asked for |
| 1 | Something failed that no setting can mend; the log says what |
| 69 | The address cannot be listened on (in use, not of this machine, not permitted) or a file is out of reach |
| 78 | A setting, a flag or the command is wrong; nothing was started |

(The numbers are those of sysexits.h.) A service manager should not start the program again after 78.
";

/// `env.sample`.
pub fn env_sample() -> String {
    let mut text = String::from(
        "# Generated from src/config/table.rs by `UPDATE=1 cargo test --test docs`; do not edit in place.\n\
         # Copy it to .env, take the # from the lines you need, and change their values.\n\
         # docs/configuration.md says more. KEY_FILE names a file that holds the value of a secret KEY.\n",
    );
    for (group, settings) in groups() {
        let _ = write!(text, "\n## {}\n", group.title());
        for setting in settings {
            text.push('\n');
            wrap(&mut text, setting.about, "# ");
            let value = if setting.default.is_empty() { sample(setting) } else { setting.default };
            let _ = writeln!(text, "#{}={value}", setting.key);
            if setting.secret {
                let _ = writeln!(text, "#{}_FILE=", setting.key);
            }
        }
    }
    text
}

/// A value that shows the form where there is no default.
fn sample(setting: &Setting) -> &'static str {
    match setting.key {
        "NEXTCLOUD_HOST" => "https://cloud.example.org",
        "NEXTCLOUD_USERNAME" => "ada",
        "MCP_FIXTURES" => "fixtures",
        "MCP_ENABLED_APPS" => "notes,files",
        _ => "",
    }
}

fn groups() -> impl Iterator<Item = (Group, impl Iterator<Item = &'static Setting>)> {
    Group::ALL.into_iter().map(|group| (group, SETTINGS.iter().filter(move |s| s.group == group)))
}

/// `-p, --port PORT`, or `--oauth, --no-oauth`; empty where there is no flag.
fn flags(setting: &Setting) -> String {
    let mut names: Vec<&str> = setting.flags.iter().filter_map(|f| f.short).collect();
    names.extend(setting.flags.iter().map(|f| f.long));
    let names = names.join(", ");
    let takes_value = setting.flags.iter().any(|f| f.stands_for.is_none());
    if takes_value { format!("{names} {}", setting.placeholder) } else { names }
}

/// What a value looks like, for a table cell.
fn form(setting: &Setting) -> String {
    match setting.kind {
        _ if setting.secret => "secret".into(),
        Kind::Text => "text".into(),
        Kind::Names => "names, separated by commas".into(),
        Kind::Url => "URL".into(),
        Kind::Number { min, max } => format!("{min} to {max}"),
        Kind::Seconds { min, max } => format!("{min} to {max} seconds, or with a unit: `2m`"),
        Kind::Switch => "`true` or `false`".into(),
        Kind::Path => "path".into(),
        Kind::Choice(words) => words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", "),
        Kind::List([]) => "list".into(),
        Kind::List(words) => {
            format!("list of {}", words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", "))
        }
    }
}

/// `[8000] 0 to 65535`, for the text table; empty where it would say nothing.
fn value(setting: &Setting) -> String {
    let form = match setting.kind {
        Kind::Text | Kind::Names | Kind::Url | Kind::Path | Kind::List([]) => String::new(),
        _ => form(setting).replace('`', ""),
    };
    if setting.default.is_empty() { form } else { format!("[{}] {form}", setting.default) }
}

/// Appends `text` in lines of at most `COLUMNS_MAX`, each behind `prefix`; nothing where there is no text.
fn wrap(out: &mut String, text: &str, prefix: &str) {
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > COLUMNS_MAX {
            out.push('\n');
            column = 0;
        }
        let before = if column == 0 { prefix } else { " " };
        out.push_str(before);
        out.push_str(word);
        column += before.len() + length;
    }
    if column > 0 {
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_fits_one_screen() {
        let text = help("nextcloud-mcp-server", "10.20.30");
        assert!(text.lines().count() < 24, "{} lines:\n{text}", text.lines().count());
        for line in text.lines() {
            assert!(line.chars().count() <= COLUMNS_MAX, "{line}");
        }
    }

    #[test]
    fn options_name_every_setting_within_80_columns() {
        let text = options();
        for setting in SETTINGS {
            assert!(text.contains(setting.key), "{}", setting.key);
        }
        for line in text.lines() {
            assert!(line.chars().count() <= COLUMNS_MAX, "{line}");
        }
    }

    #[test]
    fn env_sample_sets_nothing() {
        for line in env_sample().lines() {
            assert!(line.is_empty() || line.starts_with('#'), "{line}");
        }
    }
}
