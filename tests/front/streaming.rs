//! Calls with a progress token over HTTP.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Ask, modern, request};
use crate::hold::{Left, Room};
use crate::site::Site;

/// A call of a tool with a progress token, as each era sends it.
fn calls(params: &Value) -> [(&'static str, Ask); 3] {
    let mut params = params.clone();
    params["_meta"] = json!({"progressToken": "t"});
    let name = params["name"].as_str().expect("a name").to_owned();
    let legacy = Ask::post("/mcp", &request("tools/call", params.clone()));
    let modern = Ask::post("/mcp", &modern("tools/call", params))
        .with("MCP-Protocol-Version", "2026-07-28")
        .with("Mcp-Method", "tools/call")
        .with("Mcp-Name", &name);
    [
        ("2026-07-28", modern),
        ("2025-11-25", legacy.clone().with("MCP-Protocol-Version", "2025-11-25")),
        ("no header", legacy),
    ]
}

#[test]
fn a_short_call_is_plain_json_even_with_a_token() {
    let server = Site::default().open();
    for (era, call) in calls(&json!({"name": "test_echo", "arguments": {"text": "a"}})) {
        let answer = call.answer(&server);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{era}");
        assert_eq!(answer.json()["result"]["content"][0]["text"], "{\"text\":\"a\"}", "{era}");
    }
}

#[test]
fn a_failure_of_a_short_call_is_plain_json_too() {
    let server = Site::default().open();
    for (how, pointer, value) in
        [("refuse", "/result/isError", json!(true)), ("panic", "/error/code", json!(-32_603))]
    {
        for (era, call) in calls(&json!({"name": "test_fail", "arguments": {"how": how}})) {
            let answer = call.answer(&server);
            assert_eq!(answer.status, 200, "{era}");
            assert_eq!(answer.json().pointer(pointer), Some(&value), "{era}: {}", answer.body);
        }
    }
}

#[test]
fn a_call_that_reports_progress_is_a_stream_with_the_result_last() {
    let server = Site::default().open();
    for (era, call) in calls(&json!({"name": "test_progress"})) {
        let mut connection = call.with("Origin", "https://mcp.example.org").send(&server);
        let head = connection.head();
        assert_eq!(head.status, 200, "{era}");
        for (name, value) in [
            ("content-type", "text/event-stream"),
            ("cache-control", "no-cache"),
            ("x-accel-buffering", "no"),
            ("access-control-allow-origin", "https://mcp.example.org"),
        ] {
            assert_eq!(head.header(name), Some(value), "{era}: {name}");
        }
        let events = connection.events();
        let (last, before) = events.split_last().expect("a result");
        assert_eq!(
            (&last["id"], &last["result"]["content"][0]["text"]),
            (&json!(1), &json!("done")),
            "{era}"
        );
        let steps: Vec<_> = before
            .iter()
            .inspect(|event| assert_eq!(event["params"]["progressToken"], "t", "{era}"))
            .map(|event| event["params"]["progress"].as_u64().expect("a number"))
            .collect();
        assert_eq!(steps, [0, 50, 100], "{era}");
    }
}

#[test]
fn a_client_that_takes_only_json_gets_json() {
    let server = Site::default().open();
    for (era, call) in calls(&json!({"name": "test_progress"})) {
        let answer = call.but("Accept", "application/json").answer(&server);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{era}");
        assert_eq!(answer.json()["result"]["content"][0]["text"], "done", "{era}");
    }
}

#[test]
fn a_silent_call_becomes_a_stream_when_patience_is_over() {
    let server = Site { patience: Duration::from_millis(5), ..Site::default() }.open();
    let room = Room::new();
    let [(_, call), ..] = calls(&room.params(0));
    let mut connection = call.send(&server);
    assert_eq!(connection.head().header("content-type"), Some("text/event-stream"));
    room.release();
    let events = connection.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["result"]["content"][0]["text"], "let go");
}

#[test]
fn closing_the_stream_cancels_the_call_only_where_the_revision_says_so() {
    let server = Site::default().open();
    for era in 0..3 {
        let room = Room::new();
        let (era, call) = calls(&room.params(2)).into_iter().nth(era).expect("an era");
        let mut connection = call.send(&server);
        connection.head();
        assert_eq!(connection.event().expect("progress")["params"]["progress"], 1, "{era}");
        room.wait_entered();
        drop(connection);
        if era == "2026-07-28" {
            assert_eq!(room.left(), Left::Cancelled, "{era}");
        } else {
            // Up to 2025-11-25 a lost connection is no cancellation (basic/lifecycle), so the call goes on.
            room.release();
            assert_eq!(room.left(), Left::Released, "{era}");
        }
    }
}

#[test]
fn a_client_that_goes_before_the_stream_begins_cancels_the_call() {
    let server = Site { patience: Duration::from_millis(200), ..Site::default() }.open();
    let room = Room::new();
    let [(_, call), ..] = calls(&room.params(0));
    let connection = call.send(&server);
    room.wait_entered();
    drop(connection);
    assert_eq!(room.left(), Left::Cancelled);
}

#[test]
fn stopping_the_server_cancels_the_streams() {
    let site = Site::default();
    let limits = nextcloud_mcp_server::http::Limits { stop_ms: 10, ..site.limits.clone() };
    let server = Site { limits, ..site }.open();
    let room = Room::new();
    let [(_, call), ..] = calls(&room.params(1));
    let mut connection = call.send(&server);
    connection.head();
    room.wait_entered();
    server.stop();
    assert_eq!(room.left(), Left::Cancelled);
}

#[test]
fn the_place_at_the_gate_is_free_again_when_the_answer_is_there() {
    use nextcloud_mcp_server::gate::Gate;
    let server = Site { gate: Gate::new(1, 1, Duration::ZERO), ..Site::default() }.open();
    let room = Room::new();
    let [(_, call), ..] = calls(&room.params(1));
    let mut connection = call.send(&server);
    connection.head();
    room.wait_entered();
    let [(_, other), ..] = calls(&json!({"name": "test_echo", "arguments": {"text": "a"}}));
    assert_eq!(other.answer(&server).status, 503);
    room.release();
    while connection.event().is_some_and(|event| event.get("id").is_none()) {}
    assert_eq!(other.answer(&server).status, 200);
}
