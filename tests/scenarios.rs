//! Runs every scenario in `fixtures/scenarios` through the program.
//!
//! `UPDATE=1 cargo test --test scenarios` writes the results that came out into the files.
//! `RECORD=<part of a path> NEXTCLOUD_URL=… NEXTCLOUD_USER=… NEXTCLOUD_PASSWORD=… cargo test --test scenarios` runs
//! those against a live Nextcloud and writes its answers too. Neither is done under `CI`.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use nextcloud_mcp_server::replay::record::Upstream;
use nextcloud_mcp_server::replay::scenario::{Mode, Program, Setup, Start, files_below, run};
use nextcloud_mcp_server::secret::Secret;

/// Scenarios that run at the same time.
const THREADS: usize = 4;

/// Starts the real program on a recorded Nextcloud.
fn start(_setup: &Setup) -> Result<Program, String> {
    Err("the program cannot be called yet".into())
}

#[test]
fn every_scenario_passes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios");
    let files = if root.is_dir() { files_below(&root).expect("the scenarios") } else { Vec::new() };
    let (mode, files) = mode(files);
    let failures = run_all(&files, &mode, &start);
    let (failed, all) = (failures.len(), files.len());
    assert!(failures.is_empty(), "{failed} of {all} scenarios failed\n\n{}", failures.join("\n"));
}

/// The mode that the environment asks for, and the files it is for.
fn mode(files: Vec<PathBuf>) -> (Mode, Vec<PathBuf>) {
    let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (record, update) = (var("RECORD"), var("UPDATE"));
    if record.is_none() && update.is_none() {
        return (Mode::Check, files);
    }
    assert!(var("CI").is_none(), "RECORD and UPDATE change fixtures, and that is not for CI to do");
    let Some(part) = record else { return (Mode::Update, files) };
    let needed = |name: &str| var(name).unwrap_or_else(|| panic!("RECORD needs {name}"));
    let upstream = Upstream {
        url: needed("NEXTCLOUD_URL").trim_end_matches('/').into(),
        user: needed("NEXTCLOUD_USER"),
        password: Secret::new(needed("NEXTCLOUD_PASSWORD")),
    };
    let chosen = files.into_iter().filter(|path| path.to_string_lossy().contains(&part)).collect();
    (Mode::Record(upstream), chosen)
}

/// Runs all files, a few at a time (one at a time when recording); returns what failed, in order of name.
fn run_all(files: &[PathBuf], mode: &Mode, start: &Start<'_>) -> Vec<String> {
    let threads = if matches!(mode, Mode::Record(_)) { 1 } else { THREADS };
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = run(path, mode, start) {
                        failures.lock().expect("no panic").push(format!("{}\n{why}\n", path.display()));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("no panic");
    failures.sort();
    failures
}
