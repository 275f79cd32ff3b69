//! What the log says of a tool call: one line, and nothing of what was said in it.

use std::cell::RefCell;
use std::sync::Once;

use nextcloud_mcp_server::cancel::Cancel;
use nextcloud_mcp_server::mcp::{self, Incoming};
use nextcloud_mcp_server::tool::Scopes;
use serde_json::{Value, json};

use crate::house;

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps each thread's own lines, so that tests do not see each other's.
struct Keeper;

impl log::Log for Keeper {
    fn enabled(&self, _: &log::Metadata) -> bool {
        true
    }

    fn log(&self, record: &log::Record) {
        if record.target().starts_with("nextcloud_mcp_server") {
            let line = format!("{} {}", record.level(), record.args());
            LINES.with(|lines| lines.borrow_mut().push(line));
        }
    }

    fn flush(&self) {}
}

fn lines_of_call(name: &str, arguments: Value, cancelled: bool) -> Vec<String> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Keeper).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
    });
    let caller = house::caller(Scopes::Only(vec![]));
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": name, "arguments": arguments}});
    let cancel = Cancel::new();
    if cancelled {
        cancel.cancel();
    }
    let body = body.to_string();
    let incoming =
        Incoming { body: body.as_bytes(), caller: &caller, headers: None, accepts_events: false, cancel };
    LINES.with(|lines| lines.borrow_mut().clear());
    mcp::handle(&house::server(house::open_gate()), incoming);
    LINES.with(|lines| lines.borrow().clone())
}

#[test]
fn each_call_leaves_one_line_without_its_arguments() {
    for (name, arguments, line) in [
        (
            "test_echo",
            json!({"text": "planted"}),
            "INFO tool call tool=test_echo caller=alice outcome=ok ms=0 bytes=18",
        ),
        (
            "test_echo",
            json!({"planted": "planted"}),
            "INFO tool call tool=test_echo caller=alice outcome=refused ms=0 bytes=91",
        ),
        (
            "test_fail",
            json!({"how": "refuse"}),
            "INFO tool call tool=test_fail caller=alice outcome=refused ms=0 bytes=13",
        ),
        (
            "test_note_read",
            json!({}),
            "INFO tool call tool=test_note_read caller=alice outcome=refused why=scope",
        ),
    ] {
        assert_eq!(lines_of_call(name, arguments, false), [line]);
    }
}

#[test]
fn a_failure_of_nextcloud_is_told_from_a_refusal() {
    let lines = lines_of_call("test_fail", json!({"how": "missing"}), false);
    assert!(lines.len() == 1 && lines[0].contains(" outcome=error "), "{lines:?}");
}

#[test]
fn a_cancelled_call_says_so() {
    let lines = lines_of_call("test_echo", json!({"text": "a"}), true);
    assert_eq!(lines, ["INFO tool call tool=test_echo caller=alice outcome=cancelled ms=0 bytes=12"]);
}

#[test]
fn a_panic_is_told_with_the_reference_that_the_caller_got() {
    assert_eq!(
        lines_of_call("test_fail", json!({"how": "panic"}), false),
        [
            "ERROR a request panicked reference=000000000001 what=\"asked to panic: panic\"",
            "INFO tool call tool=test_fail caller=alice outcome=panic ms=0 bytes=0",
        ]
    );
}
