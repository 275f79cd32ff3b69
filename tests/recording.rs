//! Scenarios against a stand-in for the program: checking, updating, and recording from a live Nextcloud.

use std::path::{Path, PathBuf};

use nextcloud_mcp_server::replay::ReplayServer;
use nextcloud_mcp_server::replay::record::{Recorder, Upstream};
use nextcloud_mcp_server::replay::scenario::{Action, Mode, Outcome, Program, Setup, run};
use nextcloud_mcp_server::replay::tape::Exchange;
use nextcloud_mcp_server::secret::Secret;
use serde_json::{Value, json};

/// A program with two tools: `get` shows the JSON at a path, `put` sends JSON there and shows the status.
fn start(setup: &Setup) -> Result<Program, String> {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent = config.build().new_agent();
    let (base, user) = (setup.base_url.clone(), setup.user.clone());
    let password = setup.password.expose().to_string();
    Ok(Box::new(move |action| {
        let Action::Tool { name, arguments } = action else {
            return Outcome::Failure("no such thing".into());
        };
        let path = arguments["path"].as_str().unwrap_or_default().replace("ME", &user);
        let url = format!("{base}{path}");
        let basic = format!("Basic {user}:{password}");
        let sent = match name.as_str() {
            "get" => agent.get(&url).header("Authorization", basic).header("Cookie", "a=secret").call(),
            _ => agent.put(&url).header("Destination", &url).send(arguments["body"].to_string()),
        };
        let mut answer = sent.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string().expect("text");
        if status >= 400 {
            return Outcome::Failure(format!("{url} answered {status}"));
        }
        let body: Value = serde_json::from_str(&text).unwrap_or(json!({ "status": status }));
        Outcome::Success { structured: Some(body), content: json!([]) }
    }))
}

fn file(name: &str, scenario: &Value) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.json"));
    std::fs::write(&path, scenario.to_string()).expect("a file");
    path
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).expect("the file")).expect("JSON")
}

fn get_step() -> Value {
    json!({
        "tool": "get",
        "arguments": { "path": "/x" },
        "exchanges": [{
            "request": { "method": "GET", "path": "/x", "headers": { "Authorization": "Basic {user}" } },
            "response": { "status": 200, "json": { "url": "{base}/x", "n": 1 } }
        }],
        "result": { "n": 1, "url": "{base}/x" }
    })
}

fn scenario(steps: Value) -> Value {
    json!({ "about": "a test", "source": "written by hand", "steps": steps })
}

#[test]
fn a_scenario_passes_when_tape_and_result_agree() {
    run(&file("passes", &scenario(json!([get_step(), get_step()]))), &Mode::Check, &start)
        .expect("agreement");
}

#[test]
fn another_result_is_shown_as_a_difference() {
    let mut step = get_step();
    step["result"]["n"] = 2.into();
    let why = run(&file("result", &scenario(json!([get_step(), step]))), &Mode::Check, &start);
    let why = why.expect_err("a difference");
    assert!(why.starts_with("step 2 (get): another outcome."), "{why}");
    assert!(why.contains("-       \"n\": 2,\n+       \"n\": 1,\n"), "{why}");
}

#[test]
fn a_request_that_differs_is_told_before_the_result() {
    let mut step = get_step();
    step["exchanges"][0]["request"]["path"] = "/y".into();
    let why =
        run(&file("request", &scenario(json!([step]))), &Mode::Check, &start).expect_err("a difference");
    assert!(why.starts_with("step 1 (get): Request 1 of 1 does not agree"), "{why}");
    assert!(!why.contains("another outcome"), "{why}");
}

#[test]
fn an_exchange_must_be_used_in_its_own_step() {
    let mut step = get_step();
    let exchange = step["exchanges"][0].clone();
    step["exchanges"].as_array_mut().expect("a list").push(exchange);
    let why = run(&file("unused", &scenario(json!([step]))), &Mode::Check, &start).expect_err("a report");
    assert!(why.contains("were not used:\n  GET /x\n"), "{why}");
}

#[test]
fn an_error_is_compared_whole() {
    let mut step = get_step();
    step["exchanges"][0]["response"] = json!({ "status": 404 });
    step.as_object_mut().expect("a step").remove("result");
    step["error"] = "{base}/x answered 404".into();
    run(&file("error", &scenario(json!([step]))), &Mode::Check, &start).expect("agreement");
    step["error"] = "{base}/x answered".into();
    run(&file("error-part", &scenario(json!([step]))), &Mode::Check, &start).expect_err("only a part");
}

#[test]
fn a_step_without_an_outcome_is_refused_until_it_is_updated() {
    let mut step = get_step();
    step.as_object_mut().expect("a step").remove("result");
    let path = file("update", &scenario(json!([step])));
    let why = run(&path, &Mode::Check, &start).expect_err("nothing to compare");
    assert!(why.contains("UPDATE=1"), "{why}");
    run(&path, &Mode::Update, &start).expect("an update");
    assert_eq!(read(&path)["steps"][0], get_step());
    run(&path, &Mode::Check, &start).expect("agreement");
    step["error"] = "something else".into();
    let path = file("update-error", &scenario(json!([step])));
    run(&path, &Mode::Update, &start).expect("an update");
    assert_eq!(read(&path)["steps"][0], get_step(), "a result takes the place of an error");
}

#[test]
fn an_update_keeps_the_file_if_a_request_differs() {
    let mut wrong = get_step();
    wrong["exchanges"][0]["request"]["path"] = "/y".into();
    let path = file("update-fails", &scenario(json!([wrong])));
    let before = read(&path);
    run(&path, &Mode::Update, &start).expect_err("a difference");
    assert_eq!(read(&path), before);
}

#[test]
fn a_fault_in_a_scenario_is_told_with_its_place() {
    let fault = |change: &dyn Fn(&mut Value)| {
        let mut wrong = scenario(json!([get_step()]));
        change(&mut wrong);
        let name = format!("fault-{}", wrong.to_string().len());
        run(&file(&name, &wrong), &Mode::Check, &start).expect_err("a fault")
    };
    assert_eq!(fault(&|s| s["nwo"] = "".into()), "scenario: \"nwo\" is not known here");
    assert_eq!(
        fault(&|s| s["now"] = "today".into()),
        "scenario: \"now\" must look like 2026-11-23T23:32:31.000Z"
    );
    assert_eq!(
        fault(&|s| s["steps"][0]["resource"] = "nc://x".into()),
        "steps[0]: needs either \"tool\" or \"resource\""
    );
    let request = &|s: &mut Value| s["steps"][0]["exchanges"][0]["request"]["url"] = "/".into();
    assert_eq!(fault(request), "steps[0].exchanges[0].request: \"url\" is not known here");
}

/// A stand-in for a live Nextcloud, where `carol` has an account with the password `correct-horse`.
fn live(exchanges: Value) -> (ReplayServer, Upstream) {
    let Value::Array(exchanges) = exchanges else { panic!("a list") };
    let read = |one| Exchange::read(one, "live").expect("an exchange");
    let server = ReplayServer::strict(exchanges.into_iter().map(read).collect()).expect("a port");
    let upstream =
        Upstream { url: server.url().into(), user: "carol".into(), password: Secret::new("correct-horse") };
    (server, upstream)
}

#[test]
fn a_recording_holds_nothing_of_the_live_server() {
    let (server, upstream) = live(json!([
        {
            "request": {
                "method": "GET", "path": "/files/carol/x",
                "headers": { "Authorization": "Basic {user}" }
            },
            "response": {
                "status": 200,
                "headers": {
                    "ETag": "\"e1\"", "Date": "Mon, 23 Nov 2026 23:32:31 GMT", "X-Request-Id": "abc", "Link": "<{base}/l>"
                },
                "set_cookie": ["oc_session=s3cr3t"],
                "body": "{\"url\":\"{base}\\/files\\/carol\",\"owner\":\"carol\",\"token\":\"tok-12345678\",\"password\":\"no\",\"link\":\"{base}/s/tok-12345678\"}"
            }
        },
        {
            "request": {
                "method": "PUT", "path": "/files/carol/y",
                "headers": { "Destination": "{base}/files/carol/y" }, "json": { "a": "correct-horse" }
            },
            "response": { "status": 204 }
        }
    ]));
    let steps = json!([
        { "tool": "get", "arguments": { "path": "/files/ME/x" } },
        { "tool": "put", "arguments": { "path": "/files/ME/y", "body": { "a": "correct-horse" } } }
    ]);
    let path = file("recorded", &scenario(steps));
    run(&path, &Mode::Record(upstream), &start).expect("a recording");
    server.finish().expect("both requests");
    let recorded = read(&path);
    let text = recorded.to_string();
    for secret in [
        "carol",
        "correct-horse",
        "tok-12345678",
        "s3cr3t",
        "a=secret",
        server.url(),
        "X-Request-Id",
        "23:32:31",
    ] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    let first = &recorded["steps"][0]["exchanges"][0];
    assert_eq!(first["request"]["path"], "/files/alice/x");
    assert_eq!(first["request"]["headers"]["Authorization"], "Basic {user}");
    assert_eq!(first["response"]["headers"]["ETag"], "\"e1\"");
    assert_eq!(first["response"]["headers"]["Link"], "<{base}/l>");
    let body = &first["response"]["json"];
    assert_eq!((&body["url"], &body["owner"]), (&json!("{base}/files/alice"), &json!("alice")));
    assert_eq!(body["link"], format!("{{base}}/s/{}", body["token"].as_str().expect("a token")));
    assert_eq!(body["password"], "no", "too short for a secret, and a part of other words");
    assert_eq!(recorded["steps"][0]["result"], *body);
    assert_eq!(
        recorded["steps"][1]["exchanges"][0]["request"]["headers"]["Destination"],
        "{base}/files/alice/y"
    );
    assert_eq!(recorded["source"], "recorded");
    run(&path, &Mode::Check, &start).expect("what was recorded can be replayed");
}

#[test]
fn a_recording_that_comes_out_otherwise_leaves_the_file_alone() {
    let request = json!({ "method": "GET", "path": "/x" });
    let (_server, upstream) = live(json!([{ "request": request, "response": { "status": 404 } }]));
    let path = file("not-recorded", &scenario(json!([get_step()])));
    let before = read(&path);
    let why = run(&path, &Mode::Record(upstream), &start).expect_err("an error where a result was due");
    assert!(why.contains("came out otherwise"), "{why}");
    assert_eq!(read(&path), before);
    assert!(!path.with_extension("json.new").exists());
}

#[test]
fn a_recorder_without_its_nextcloud_says_so() {
    let (server, upstream) = live(json!([]));
    drop(server);
    let recorder = Recorder::start(upstream).expect("a port");
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let mut answer = config.build().new_agent().get(recorder.url()).call().expect("an answer");
    assert_eq!(answer.status().as_u16(), 502);
    let text = answer.body_mut().read_to_string().expect("text");
    assert!(text.starts_with("the live Nextcloud could not be asked: "), "{text}");
    assert!(recorder.take().is_empty());
}
