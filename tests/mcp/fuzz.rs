//! Whatever arrives, there is an answer and it is well formed.

use nextcloud_mcp_server::cancel::Cancel;
use nextcloud_mcp_server::mcp::{self, Header, Incoming, ProtocolHeaders};
use nextcloud_mcp_server::tool::Scopes;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::house;
use crate::wire::{self, Listener, Played};

const WORDS: [&str; 39] = [
    "2.0",
    "2024-11-05",
    "2025-03-26",
    "2025-11-25",
    "2026-07-28",
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "tools/call",
    "resources/read",
    "resources/list",
    "resources/templates/list",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "notifications/cancelled",
    "ref/prompt",
    "ref/resource",
    "test_echo",
    "test_media",
    "test_fail",
    "test_progress",
    "test_note_write",
    "test_größe",
    "=?base64?dGVzdF9ncsO2w59l?=",
    "=?base64?",
    "?=",
    "test://text",
    "test://fail/panic",
    "test://fail/%FF",
    "test://notes/a",
    "panic",
    "refuse",
    "{}",
    "",
    " 2026-07-28 ",
    "\u{0}",
    "ä😀",
];
const KEYS: [&str; 20] = [
    "jsonrpc",
    "id",
    "method",
    "params",
    "result",
    "name",
    "uri",
    "ref",
    "type",
    "argument",
    "value",
    "arguments",
    "_meta",
    "progressToken",
    "cursor",
    "io.modelcontextprotocol/protocolVersion",
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/logLevel",
    "text",
    "how",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![4 => prop::sample::select(&WORDS[..]).prop_map(str::to_owned), 1 => ".{0,12}"]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let key = prop_oneof![8 => prop::sample::select(&KEYS[..]).prop_map(str::to_owned), 1 => ".{0,8}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Near a request: right so far that it comes past the first checks more often than not.
fn near_request() -> impl Strategy<Value = Value> {
    let method = prop_oneof![9 => prop::sample::select(&WORDS[5..17]), 1 => prop::sample::select(&WORDS[..])];
    (method, word(), value(), value(), any::<bool>(), any::<bool>()).prop_map(
        |(method, name, id, arguments, modern, whole)| {
            let mut params = json!({"name": name, "uri": name, "arguments": arguments});
            if modern {
                params["_meta"] = json!({
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientCapabilities": {},
                    "progressToken": id,
                });
            }
            let id = if whole { 1.into() } else { id };
            json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        },
    )
}

fn headers() -> impl Strategy<Value = Option<[Option<Vec<String>>; 3]>> {
    let header = || prop::option::weighted(0.8, prop::collection::vec(word(), 1..3));
    prop::option::of([header(), header(), header()])
}

fn play(body: &[u8], headers: Option<&[Option<Vec<String>>; 3]>) -> Played {
    fn header(values: &Option<Vec<String>>) -> Header<'_> {
        match values.as_deref() {
            None | Some([]) => Header::Missing,
            Some([one]) => Header::Once(one),
            Some(_) => Header::Repeated,
        }
    }
    let caller = house::caller(Scopes::Only(vec![]));
    let incoming = Incoming {
        body,
        caller: &caller,
        headers: headers.map(|[version, method, name]| ProtocolHeaders {
            version: header(version),
            method: header(method),
            name: header(name),
        }),
        accepts_events: true,
        cancel: Cancel::new(),
    };
    let reply = mcp::handle(&house::server(house::open_gate()), incoming);
    wire::play(reply, Listener::new(3, Cancel::new()))
}

/// Whether the answer keeps to the rules of one of the two eras.
fn is_well_formed(played: &Played) -> bool {
    wire::faults(played, true).is_empty() || wire::faults(played, false).is_empty()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn arbitrary_bytes_are_answered(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(is_well_formed(&play(&body, None)));
    }

    #[test]
    fn arbitrary_json_is_answered(body in value(), headers in headers()) {
        prop_assert!(is_well_formed(&play(body.to_string().as_bytes(), headers.as_ref())));
    }

    #[test]
    fn near_requests_are_answered(body in near_request(), headers in headers()) {
        prop_assert!(is_well_formed(&play(body.to_string().as_bytes(), headers.as_ref())));
    }

    #[test]
    fn batches_are_answered(bodies in prop::collection::vec(near_request(), 0..4)) {
        prop_assert!(is_well_formed(&play(Value::from(bodies).to_string().as_bytes(), None)));
    }
}
