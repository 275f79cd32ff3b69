//! Runs every scenario in `fixtures/scenarios` through the program.
//!
//! `UPDATE=1 cargo test --test scenarios` writes the results that came out into the files.
//! `RECORD=<part of a path> NEXTCLOUD_URL=… NEXTCLOUD_USER=… NEXTCLOUD_PASSWORD=… cargo test --test scenarios` runs
//! those against a live Nextcloud and writes its answers too. Neither is done under `CI`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nextcloud_mcp_server::auth::Caller;
use nextcloud_mcp_server::cancel::Cancel;
use nextcloud_mcp_server::clock::{Clock, Ids};
use nextcloud_mcp_server::gate::Gate;
use nextcloud_mcp_server::mcp::{self, Incoming, Reply};
use nextcloud_mcp_server::nextcloud::{Account, Base, Credential, Nextcloud, Settings};
use nextcloud_mcp_server::registry::{Registry, Selection};
use nextcloud_mcp_server::replay::record::Upstream;
use nextcloud_mcp_server::replay::scenario::{
    Action, Mode, Outcome, Program, Setup, Start, files_below, run,
};
use nextcloud_mcp_server::secret::Secret;
use nextcloud_mcp_server::server::Server;
use nextcloud_mcp_server::tool::{Scopes, ToolSettings};
use serde_json::{Value, json};

/// Scenarios that run at the same time.
const THREADS: usize = 4;

/// Starts the program on a recorded Nextcloud: everything of it but the listener, with a clock that stands still.
fn start(setup: &Setup) -> Result<Program, String> {
    let clock = Clock::manual(setup.now.unix_ms);
    let ids = Ids::counting();
    let base = Base::parse(&setup.base_url).map_err(|error| error.to_string())?;
    let nextcloud =
        Nextcloud::new(Settings::new(base), clock.clone(), ids.clone()).map_err(|error| error.to_string())?;
    let write_max = setup.config.get("WEBDAV_WRITE_MAX_MB").and_then(Value::as_u64).unwrap_or(50);
    let server = Arc::new(Server {
        gate: Gate::new(16, 8, Duration::from_secs(10)),
        registry: Registry::new(&Selection::default()),
        nextcloud: std::sync::Arc::new(nextcloud),
        tool_settings: ToolSettings {
            write_bytes_max: Some(write_max << 20),
            public_url: Some(setup.base_url.clone()),
            excluded_tags: setup
                .config
                .get("EXCLUDED_TAGS")
                .and_then(Value::as_str)
                .map(|tags| tags.split(',').map(str::to_owned).collect())
                .unwrap_or_default(),
        },
        call_timeout: Duration::from_secs(50),
        clock,
        ids,
    });
    let credential = match setup.config.get("credential").and_then(Value::as_str) {
        None => Credential::Basic { user: setup.user.clone(), password: setup.password.clone() },
        Some("bearer") => Credential::Bearer(setup.password.clone()),
        Some(other) => return Err(format!("there is no credential {other:?}")),
    };
    let caller = Caller {
        name: setup.user.clone(),
        scopes: Scopes::Unrestricted,
        account: Arc::new(Account::new(credential)),
    };
    Ok(Box::new(move |action| call(&server, &caller, action)))
}

/// Sends one request of the newest revision and reads its answer.
fn call(server: &Arc<Server>, caller: &Caller, action: &Action) -> Outcome {
    let (method, mut params) = match action {
        Action::Tool { name, arguments } => ("tools/call", json!({"name": name, "arguments": arguments})),
        Action::Resource { uri } => ("resources/read", json!({"uri": uri})),
    };
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let incoming = Incoming {
        body: body.as_bytes(),
        caller,
        headers: None,
        accepts_events: false,
        cancel: Cancel::new(),
    };
    let Reply::Answer { body, .. } = mcp::handle(server, incoming) else {
        return Outcome::Failure("no JSON answer".into());
    };
    if let Some(message) = body["error"]["message"].as_str() {
        return Outcome::Failure(message.to_owned());
    }
    let result = &body["result"];
    if result["isError"] == true {
        return Outcome::Failure(result["content"][0]["text"].as_str().unwrap_or_default().to_owned());
    }
    match action {
        Action::Resource { .. } => Outcome::Success { structured: None, content: result["contents"].clone() },
        Action::Tool { name, .. } => {
            let structured = result.get("structuredContent").cloned();
            if let Some(structured) = &structured {
                // Clients differ in which of the two they show, so each must be whole.
                assert_eq!(result["content"][0]["text"], structured.to_string());
                let schema = server.registry.tool(name).and_then(|tool| tool.handler.output_schema());
                let faults = schema.map(|schema| faults(&schema, structured, name)).unwrap_or_default();
                assert!(faults.is_empty(), "the result departs from its type: {}", faults.join("; "));
            }
            Outcome::Success { structured, content: result["content"].clone() }
        }
    }
}

/// Where a value departs from one of our dull schemas: types, required members, unknown members.
fn faults(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        _ => false,
    };
    if !fits {
        return vec![format!("{at} is no {}: {value}", schema["type"])];
    }
    let mut found = Vec::new();
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(faults(&schema["items"], item, &format!("{at}[{i}]")));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            found.push(format!("{at}.{name} is missing"));
        }
    }
    let properties = schema["properties"].as_object();
    for (name, member) in value.as_object().into_iter().flatten() {
        match properties.and_then(|properties| properties.get(name)) {
            Some(schema) => found.extend(faults(schema, member, &format!("{at}.{name}"))),
            None if properties.is_some_and(serde_json::Map::is_empty) => {}
            None => found.push(format!("{at}.{name} is not in the schema")),
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios")
}

#[test]
fn every_scenario_passes() {
    let root = root();
    let files = if root.is_dir() { files_below(&root).expect("the scenarios") } else { Vec::new() };
    let (mode, files) = mode(files);
    let failures = run_all(&files, &mode, &start);
    let (failed, all) = (failures.len(), files.len());
    assert!(failures.is_empty(), "{failed} of {all} scenarios failed\n\n{}", failures.join("\n"));
}

#[test]
fn every_tool_and_resource_has_a_scenario_in_which_it_works_and_one_in_which_it_fails() {
    /// Nothing but Nextcloud itself can fail here, and that has scenarios with other calls.
    const NEVER_FAIL: &[&str] = &["nc_webdav_list_favorites", "notes://settings", "nc://capabilities"];
    let root = root();
    let mut works: Vec<String> = Vec::new();
    let mut fails: Vec<String> = Vec::new();
    for path in files_below(&root).expect("the scenarios") {
        let text = std::fs::read_to_string(&path).expect("a scenario");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        for step in document["steps"].as_array().expect("steps") {
            let called = step["tool"].as_str().or(step["resource"].as_str()).expect("a call").to_owned();
            if step.get("error").is_some() { fails.push(called) } else { works.push(called) }
        }
    }
    let registry = Registry::new(&Selection::default());
    let mut missing = Vec::new();
    for tool in registry.tools() {
        let name = tool.name.to_owned();
        if !works.contains(&name) {
            missing.push(format!("{name} works in no scenario"));
        }
        if !fails.contains(&name) && !NEVER_FAIL.contains(&tool.name) {
            missing.push(format!("{name} fails in no scenario"));
        }
    }
    for resource in registry.resources() {
        let read = |uris: &[String]| {
            uris.iter().any(|uri| registry.resource(uri).is_some_and(|(found, _)| found.uri == resource.uri))
        };
        if !read(&works) {
            missing.push(format!("{} is read in no scenario", resource.uri));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_tool_that_takes_a_file_has_a_scenario_in_which_the_file_is_kept_away() {
    const NAMES_OF_FILES: &[&str] = &[
        "path",
        "source_path",
        "destination_path",
        "folder",
        "note_id",
        "recipe_id",
        "share_id",
        "attachment_id",
        "entry_id",
    ];
    let mut refused: Vec<String> = Vec::new();
    for path in files_below(&root()).expect("the scenarios") {
        let text = std::fs::read_to_string(&path).expect("a scenario");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        if document["config"]["EXCLUDED_TAGS"].is_null() {
            continue;
        }
        for step in document["steps"].as_array().expect("steps") {
            let is_refusal = step["error"].as_str().is_some_and(|error| error.contains(" is not available "));
            refused.extend(step["tool"].as_str().filter(|_| is_refusal).map(str::to_owned));
        }
    }
    let registry = Registry::new(&Selection::default());
    let takes_a_file =
        |schema: &Value| NAMES_OF_FILES.iter().any(|name| !schema["properties"][name].is_null());
    let missing: Vec<&str> = registry
        .tools()
        .filter(|tool| takes_a_file(&tool.handler.input_schema()))
        .map(|tool| tool.name)
        .filter(|name| !refused.iter().any(|refused| refused == name))
        .collect();
    assert!(missing.is_empty(), "refused in no scenario with EXCLUDED_TAGS: {}", missing.join(", "));
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
    // From the folder of scenarios on: what stands before it is the place of this checkout.
    let is_chosen =
        |path: &PathBuf| path.strip_prefix(root()).is_ok_and(|path| path.to_string_lossy().contains(&part));
    let chosen: Vec<_> = files.into_iter().filter(is_chosen).collect();
    assert!(!chosen.is_empty(), "no scenario has {part:?} in its path");
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
