//! Files written from the tables: a snapshot of each tool, one of the resources, and the page of tools.
//!
//! `UPDATE=1 cargo test` rewrites them; without it a stale file fails, so that a change of the public surface is seen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nextcloud_mcp_server::registry::{describe, describe_resource, tools_markdown};
use nextcloud_mcp_server::tool::{App, Needs, Resource, Scope, Tool};
use serde_json::{Value, json};

use crate::rules::registry;

#[test]
fn each_tool_has_its_snapshot_and_no_snapshot_is_left_over() {
    let mut wanted = BTreeMap::new();
    for app in registry().apps() {
        for tool in app.tools {
            wanted.insert(format!("{}.json", tool.name), pretty(&tool_snapshot(app, tool)));
        }
    }
    compare_folder(&in_repository("fixtures/tools"), &wanted, may_update());
}

#[test]
fn the_resources_have_their_snapshot() {
    let resources: Vec<Value> = registry().resources().map(resource_snapshot).collect();
    let wanted = BTreeMap::from([("resources.json".to_owned(), pretty(&resources.into()))]);
    compare_files(&in_repository("fixtures"), &wanted, may_update());
}

#[test]
fn the_page_of_tools_is_fresh() {
    let wanted = BTreeMap::from([("tools.md".to_owned(), tools_markdown(&registry()))]);
    compare_files(&in_repository("docs"), &wanted, may_update());
}

fn tool_snapshot(app: &App, tool: &Tool) -> Value {
    let mut snapshot = json!({"app": app.name});
    add_terms(&mut snapshot, tool.scopes, tool.needs);
    snapshot["tool"] = describe(tool);
    snapshot
}

fn resource_snapshot(resource: &'static Resource) -> Value {
    let mut snapshot = json!({});
    add_terms(&mut snapshot, resource.scopes, resource.needs);
    snapshot["resource"] = describe_resource(resource);
    snapshot
}

/// What a caller needs, and a Nextcloud.
fn add_terms(snapshot: &mut Value, scopes: &[Scope], needs: Needs) {
    if !scopes.is_empty() {
        snapshot["scope"] = scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ").into();
    }
    if needs != Needs::Nothing {
        snapshot["needs"] = needs.to_string().into();
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Whether files are to be rewritten. Never in CI, where a rewritten file would pass unseen.
pub fn may_update() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    assert!(!(set("UPDATE") && set("CI")), "UPDATE is for a developer's machine, CI only compares");
    set("UPDATE")
}

/// Compares a folder that holds these files and no others.
fn compare_folder(folder: &Path, wanted: &BTreeMap<String, String>, update: bool) {
    let present = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().file_name());
    for name in present.map(|name| name.into_string().unwrap()) {
        if wanted.contains_key(&name) {
            continue;
        }
        assert!(update, "{} is left over; {HOW}", folder.join(&name).display());
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    compare_files(folder, wanted, update);
}

pub fn compare_files(folder: &Path, wanted: &BTreeMap<String, String>, update: bool) {
    for (name, text) in wanted {
        let path = folder.join(name);
        // A checkout may have turned the line ends.
        let found = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
        if found == *text {
            continue;
        }
        assert!(update, "{} is stale; {HOW}. It should be:\n{text}", path.display());
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

const HOW: &str = "`UPDATE=1 cargo test` rewrites it";

mod caught {
    use super::*;

    fn fails(check: impl FnOnce() + std::panic::UnwindSafe) -> bool {
        std::panic::catch_unwind(check).is_err()
    }

    #[test]
    fn stale_and_left_over_files_fail_until_they_are_rewritten() {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("snapshots");
        let _ = std::fs::remove_dir_all(&folder);
        let wanted = BTreeMap::from([("a.json".to_owned(), "1\n".to_owned())]);
        assert!(fails(|| compare_folder(&folder, &wanted, false)), "missing");
        compare_folder(&folder, &wanted, true);
        compare_folder(&folder, &wanted, false);
        std::fs::write(folder.join("a.json"), "2\n").unwrap();
        assert!(fails(|| compare_folder(&folder, &wanted, false)), "stale");
        compare_folder(&folder, &wanted, true);
        std::fs::write(folder.join("gone.json"), "1\n").unwrap();
        assert!(fails(|| compare_folder(&folder, &wanted, false)), "left over");
        compare_folder(&folder, &wanted, true);
        assert!(!folder.join("gone.json").exists());
    }
}
