//! Plays the cases of `fixtures/protocol/` (its README says how they are written).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nextcloud_mcp_server::cancel::Cancel;
use nextcloud_mcp_server::gate::Gate;
use nextcloud_mcp_server::mcp::{self, Header, Incoming, ProtocolHeaders};
use nextcloud_mcp_server::tool::{Scope, Scopes};
use serde_json::{Value, json};

use crate::house;
use crate::wire::{self, Listener, Played};

const MODERN: &str = "2026-07-28";
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const MEMBERS: [&str; 11] =
    ["rule", "as", "body", "raw", "hex", "meta", "headers", "scopes", "events", "given", "expect"];

#[test]
fn every_case_is_answered_as_written() {
    let mut failures = String::new();
    let mut count = 0;
    for path in files() {
        let file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap())
            .unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        for case in file["cases"].as_array().unwrap() {
            count += 1;
            if let Err(why) = run(case) {
                let name = path.file_stem().unwrap().to_string_lossy();
                let _ = writeln!(failures, "{name}: {}\n  {why}", case["rule"]);
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
    assert!(count > 150, "only {count} cases were found");
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/protocol");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "json"))
        .collect();
    files.sort();
    files
}

/// A message as a client sends it.
struct Sent {
    body: Vec<u8>,
    /// `None` on stdio; else version, method, name, each perhaps several times.
    headers: Option<[Vec<String>; 3]>,
    modern: bool,
}

fn run(case: &Value) -> Result<(), String> {
    if let Some(unknown) =
        case.as_object().unwrap().keys().find(|key| key.as_str() != "as" && !MEMBERS.contains(&key.as_str()))
    {
        return Err(format!("a case has no member {unknown}"));
    }
    let sent = sent(case);
    let given = case["given"].as_str().unwrap_or("");
    let gate = match given {
        "no room" => Gate::new(0, 0, std::time::Duration::ZERO),
        _ => house::open_gate(),
    };
    let cancel = Cancel::new();
    if given == "cancelled" {
        cancel.cancel();
    }
    let scopes = match case["scopes"].as_array() {
        None => Scopes::Unrestricted,
        Some(names) => {
            Scopes::Only(names.iter().map(|name| Scope::parse(name.as_str().unwrap()).unwrap()).collect())
        }
    };
    let caller = house::caller(scopes);
    let incoming = Incoming {
        body: &sent.body,
        caller: &caller,
        headers: sent.headers.as_ref().map(|[version, method, name]| ProtocolHeaders {
            version: header(version),
            method: header(method),
            name: header(name),
        }),
        accepts_events: case["events"].as_bool().unwrap_or(false),
        cancel: cancel.clone(),
    };
    let messages_max = if given == "gone after one message" { 1 } else { usize::MAX };
    let reply = mcp::handle(&house::server(gate), incoming);
    let played = wire::play(reply, Listener::new(messages_max, cancel));
    let faults = wire::faults(&played, sent.modern);
    if !faults.is_empty() {
        return Err(faults.join("\n  "));
    }
    compare(&case["expect"], played)
}

/// Completes a case: as 2026-07-28 each request gets `_meta` and the headers that repeat its body.
fn sent(case: &Value) -> Sent {
    let how = case["as"].as_str().unwrap_or(MODERN);
    let mut body = case["body"].clone();
    if how == MODERN
        && let Some(object) = body.as_object_mut()
        && object.contains_key("id")
        && case.get("meta") != Some(&Value::Null)
    {
        let params = object.entry("params").or_insert_with(|| json!({}));
        if let Some(params) = params.as_object_mut() {
            let mut meta = json!({VERSION_KEY: MODERN, CAPABILITIES_KEY: {}});
            merge(&mut meta, &case["meta"]);
            params.entry("_meta").or_insert(meta);
        }
    } else if case["meta"].is_object() {
        body["params"]["_meta"] = case["meta"].clone();
    }
    let mut headers = (how != "stdio").then(|| {
        let text = |value: &Value| value.as_str().map(str::to_owned).into_iter().collect::<Vec<_>>();
        match how {
            MODERN => {
                let params = &body["params"];
                let name = if params["uri"].is_string() { &params["uri"] } else { &params["name"] };
                [vec![MODERN.to_owned()], text(&body["method"]), text(name)]
            }
            "no header" => [vec![], vec![], vec![]],
            version => [vec![version.to_owned()], vec![], vec![]],
        }
    });
    if let (Some(headers), Some(given)) = (headers.as_mut(), case["headers"].as_object()) {
        for (name, value) in given {
            let place = ["version", "method", "name"].iter().position(|known| known == name).unwrap();
            headers[place] = match value {
                Value::Null => vec![],
                Value::Array(values) => {
                    values.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
                }
                value => vec![value.as_str().unwrap().to_owned()],
            };
        }
    }
    let bytes = match (case["raw"].as_str(), case["hex"].as_str()) {
        (Some(raw), _) => raw.as_bytes().to_vec(),
        (None, Some(hex)) => {
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
        }
        (None, None) => body.to_string().into_bytes(),
    };
    let legacy = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
    let version = headers.as_ref().and_then(|headers| headers[0].first()).map(|version| version.trim());
    let modern = version.is_some_and(|version| !legacy.contains(&version))
        || body["params"]["_meta"].get(VERSION_KEY).is_some();
    Sent { body: bytes, headers, modern }
}

fn header(values: &[String]) -> Header<'_> {
    match values {
        [] => Header::Missing,
        [one] => Header::Once(one),
        _ => Header::Repeated,
    }
}

/// Adds members; `null` takes one away.
fn merge(into: &mut Value, members: &Value) {
    for (key, value) in members.as_object().into_iter().flatten() {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(key);
        } else {
            into[key] = value.clone();
        }
    }
}

fn compare(expect: &Value, played: Played) -> Result<(), String> {
    let differs = |got: String| Err(format!("expected {expect}\n  got      {got}"));
    match played {
        Played::Accepted if expect == "accepted" => Ok(()),
        Played::Accepted => differs("accepted".into()),
        Played::Forbidden(scopes) if expect["forbidden"] == json!(scopes) => Ok(()),
        Played::Forbidden(scopes) => differs(format!("forbidden {scopes:?}")),
        Played::Busy(seconds) if expect["busy"] == json!(seconds) => Ok(()),
        Played::Busy(seconds) => differs(format!("busy {seconds}")),
        Played::Stream(messages) => match expect["stream"].as_array() {
            Some(wanted) if wanted.len() == messages.len() => wanted
                .iter()
                .zip(&messages)
                .try_for_each(|(wanted, message)| compare_message(wanted, message)),
            _ => differs(format!("a stream {messages:?}")),
        },
        Played::Answer(body, class) => {
            if expect["class"].as_str().unwrap_or("ordinary") != class || expect.get("stream").is_some() {
                return differs(format!("{class} {body}"));
            }
            compare_message(expect, &body)
        }
    }
}

/// `answer` is the whole body; `at` names members by JSON pointer and `lacks` those that must not be there.
fn compare_message(expect: &Value, body: &Value) -> Result<(), String> {
    let mut checks = 0;
    if let Some(whole) = expect.get("answer") {
        checks += 1;
        let whole: Value = serde_json::from_str(
            &whole.to_string().replace("{version}", env!("CARGO_PKG_VERSION")).replace(
                "{server}",
                &json!({"name": "nextcloud", "title": "Nextcloud", "version": env!("CARGO_PKG_VERSION")})
                    .to_string(),
            ),
        )
        .unwrap();
        if whole != *body {
            return Err(format!("expected {whole}\n  got      {body}"));
        }
    }
    for (pointer, value) in expect["at"].as_object().into_iter().flatten() {
        checks += 1;
        if body.pointer(pointer) != Some(value) {
            return Err(format!("{pointer}: expected {value}\n  got      {body}"));
        }
    }
    for pointer in expect["lacks"].as_array().into_iter().flatten() {
        checks += 1;
        if body.pointer(pointer.as_str().unwrap()).is_some() {
            return Err(format!("{pointer} is not absent in {body}"));
        }
    }
    if checks == 0 { Err("the case expects nothing of the answer".into()) } else { Ok(()) }
}

#[test]
fn the_fixtures_base64_is_what_it_says() {
    assert_eq!(STANDARD.encode("test_größe"), "dGVzdF9ncsO2w59l");
    assert_eq!(STANDARD.encode("test://notes/😀 ä"), "dGVzdDovL25vdGVzL/CfmIAgw6Q=");
}
