//! Generated pages are committed; one that is stale fails here. `UPDATE=1 cargo test --test docs` writes them anew.

use std::path::Path;

use nextcloud_mcp_server::config;

/// Compares a committed file with what the tables say now.
fn assert_current(path: &str, expected: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        assert!(std::env::var_os("CI").is_none(), "UPDATE is not for CI: it would hide a stale {path}");
        std::fs::write(&file, expected).unwrap_or_else(|e| panic!("{path}: {e}"));
        return;
    }
    let found = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{path}: {e}"));
    if let Some((n, (found, expected))) =
        found.lines().zip(expected.lines()).enumerate().find(|(_, (found, expected))| found != expected)
    {
        panic!("{path}:{} is stale; run UPDATE=1 cargo test --test docs\n- {found}\n+ {expected}", n + 1);
    }
    assert!(found == expected, "{path} is stale at its end; run UPDATE=1 cargo test --test docs");
}

#[test]
fn the_configuration_page_is_current() {
    assert_current("docs/configuration.md", &config::markdown());
}

#[test]
fn the_sample_environment_is_current() {
    assert_current("env.sample", &config::env_sample());
}
