//! The program as a shell sees it: what goes where, and how it ends.

use std::process::{Command, Output, Stdio};

/// Runs the program with these arguments and this environment, and with nothing of the test's own. The folder has no
/// `.env`.
fn program(args: &[&str], env: &[(&str, &str)]) -> Output {
    command(args, env).output().expect("the program starts")
}

fn command(args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nextcloud-mcp-server"));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    command.args(args).env_clear().envs(env.iter().copied()).current_dir(folder).stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn what_was_asked_for_goes_to_standard_output() {
    let version = concat!("nextcloud-mcp-server ", env!("CARGO_PKG_VERSION"), "\n");
    for (args, expected) in [
        (&["--help"][..], "Usage: nextcloud-mcp-server"),
        (&["options"], "NEXTCLOUD_HOST, --nextcloud-host URL"),
        (&["options", "--format", "env"], "#NEXTCLOUD_HOST="),
        (&["options", "--format=markdown"], "| `NEXTCLOUD_HOST` |"),
        (&["version"], version),
        (&["--version"], version),
    ] {
        let output = program(args, &[]);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(text(&output.stdout).contains(expected), "{args:?}");
        assert_eq!(text(&output.stderr), "", "{args:?}");
    }
}

#[test]
fn a_wrong_configuration_ends_with_78_and_every_fault_on_standard_error() {
    let env = [
        ("NEXTCLOUD_USERNAME", "ada"),
        ("NEXTCLOUD_PASSWORD", "planted-secret"),
        ("MCP_AUTH_TOKEN", "planted"),
    ];
    let output = program(&["serve", "--port", "x", "--flag"], &env);
    assert_eq!(output.status.code(), Some(78));
    assert_eq!(text(&output.stdout), "");
    let error = text(&output.stderr);
    let keys: Vec<_> = error.lines().filter_map(|line| line.split([' ', ':']).next()).collect();
    assert_eq!(keys, ["--flag", "MCP_PORT", "NEXTCLOUD_HOST", "MCP_AUTH_TOKEN"], "{error}");
    assert!(!error.contains("planted"), "{error}");
}

#[test]
fn a_wrong_command_ends_with_78() {
    let output = program(&["servee"], &[]);
    assert_eq!(output.status.code(), Some(78));
    assert_eq!(text(&output.stderr), "servee: is not a command of this program; did you mean serve?\n");
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = command(&["options"], &[])
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .expect("the program starts");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}
