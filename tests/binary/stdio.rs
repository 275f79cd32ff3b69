//! One client on standard input and output.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Value, json};

use crate::program::{Folder, Program, account};
use crate::wire::{call, modern_call, nextcloud_with_a_note, shown};

fn start(nextcloud: &str) -> Program {
    Program::spawn(Folder::new(), &["stdio", "--log-level", "trace"], &account(nextcloud))
}

#[test]
fn lines_piped_in_at_once_are_all_answered_and_nothing_else_is_written() {
    let nextcloud = nextcloud_with_a_note();
    let mut program = start(nextcloud.url());
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let mut discover = modern_call(4, 0);
    discover["method"] = "server/discover".into();
    let list = json!({"jsonrpc": "2.0", "id": 5, "method": "tools/list"});
    let messages =
        [initialize, initialized, call(2, 88), modern_call(3, 88), discover, list, modern_call(6, 99)];
    let lines = messages.map(|message| message.to_string()).join("\n");
    program.input().write_all(format!("{lines}\n\nnot JSON").as_bytes()).expect("the program reads");

    let ended = program.ended();
    assert_eq!(ended.status, Some(0), "{}", ended.log);
    let answers: Vec<Value> = ended
        .output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}")))
        .collect();
    let by_id: BTreeMap<String, &Value> = answers.iter().map(|a| (a["id"].to_string(), a)).collect();
    let ids: Vec<&str> = by_id.keys().map(String::as_str).collect();
    assert_eq!((ids, answers.len()), (vec!["1", "2", "3", "4", "5", "6", "null"], 7), "{}", ended.output);
    assert_eq!(by_id["1"]["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(by_id["4"]["result"]["resultType"], "complete");
    assert_eq!(by_id["null"]["error"]["code"], -32700);
    for (id, era) in [("2", None), ("3", Some("complete")), ("6", Some("complete"))] {
        assert!(shown(by_id[id]).contains("marked-content"), "{}", by_id[id]);
        assert_eq!(by_id[id]["result"]["resultType"].as_str(), era, "{}", by_id[id]);
    }
}

#[test]
fn a_client_that_stays_gets_each_answer_when_it_is_there() {
    let nextcloud = nextcloud_with_a_note();
    let mut program = start(nextcloud.url());
    let mut input = program.input();
    for id in 1..4 {
        writeln!(input, "{}", modern_call(id, 88)).expect("the program reads");
        let answer: Value = serde_json::from_str(&program.output.next().expect("an answer")).expect("JSON");
        assert_eq!(answer["id"], id);
    }
    drop(input);
    assert_eq!(program.ended().status, Some(0));
}

/// A client that is done closes standard input, and sends SIGTERM to a server that does not go (MCP, lifecycle).
///
/// SIGINT is not tried: whoever runs tests in the background of a shell has it ignored, and children inherit that.
#[test]
fn a_signal_ends_the_program_while_standard_input_is_open() {
    let nextcloud = nextcloud_with_a_note();
    let mut program = start(nextcloud.url());
    let mut input = program.input();
    writeln!(input, "{}", call(1, 88)).expect("the program reads");
    program.output.next().expect("an answer");
    program.signal("TERM");
    assert_eq!(program.ended().status, None, "ended by SIGTERM");
}
