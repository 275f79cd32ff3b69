//! What every answer must keep to, whatever was asked.

use std::sync::Mutex;

use nextcloud_mcp_server::cancel::Cancel;
use nextcloud_mcp_server::mcp::{Gone, MessageSink, Reply};
use serde_json::Value;

/// A client that keeps all it is sent, up to a number of messages; then it is gone.
pub struct Listener {
    messages: Mutex<Vec<Value>>,
    messages_max: usize,
    cancel: Cancel,
}

impl Listener {
    pub fn new(messages_max: usize, cancel: Cancel) -> Listener {
        Listener { messages: Mutex::default(), messages_max, cancel }
    }

    pub fn heard(self) -> Vec<Value> {
        self.messages.into_inner().unwrap()
    }
}

impl MessageSink for Listener {
    fn send(&self, message: &Value) -> Result<(), Gone> {
        let mut messages = self.messages.lock().unwrap();
        if messages.len() == self.messages_max {
            return Err(Gone);
        }
        messages.push(message.clone());
        Ok(())
    }

    fn cancel(&self) -> &Cancel {
        &self.cancel
    }
}

/// A reply with its stream, if it is one, played to the end.
pub enum Played {
    Answer(Value, &'static str),
    Accepted,
    Stream(Vec<Value>),
    Forbidden(Vec<&'static str>),
    Busy(u64),
}

pub fn play(reply: Reply, listener: Listener) -> Played {
    use nextcloud_mcp_server::mcp::Class;
    match reply {
        Reply::Answer { body, class } => {
            let class = match class {
                Class::Ordinary => "ordinary",
                Class::Malformed => "malformed",
                Class::UnknownMethod => "unknown method",
            };
            Played::Answer(body, class)
        }
        Reply::Accepted => Played::Accepted,
        Reply::Stream(run) => {
            run(&listener);
            Played::Stream(listener.heard())
        }
        Reply::Forbidden { needed } => Played::Forbidden(needed.iter().map(|scope| scope.name()).collect()),
        Reply::Busy { retry_after_s } => Played::Busy(retry_after_s),
    }
}

/// Every fault that a message of ours has against JSON-RPC and the revision's schema, as far as all messages share it.
pub fn faults(played: &Played, modern: bool) -> Vec<String> {
    let mut faults = Vec::new();
    match played {
        Played::Answer(Value::Array(bodies), _) if !bodies.is_empty() && !modern => {
            bodies.iter().for_each(|body| check_response(body, false, &mut faults));
        }
        Played::Answer(body, _) => check_response(body, modern, &mut faults),
        Played::Stream(messages) => {
            let (last, before) = match messages.split_last() {
                Some((last, before)) if last.get("method").is_none() => (Some(last), before),
                _ => (None, &messages[..]),
            };
            for message in before {
                if message["method"] != "notifications/progress" || message.get("id").is_some() {
                    faults.push(format!("no notification of progress: {message}"));
                }
            }
            if let Some(last) = last {
                check_response(last, modern, &mut faults);
            }
        }
        Played::Accepted | Played::Forbidden(_) | Played::Busy(_) => {}
    }
    faults
}

fn check_response(body: &Value, modern: bool, faults: &mut Vec<String>) {
    let mut must = |holds: bool, rule: &str| {
        if !holds {
            faults.push(format!("{rule}: {body}"));
        }
    };
    must(body["jsonrpc"] == "2.0", "jsonrpc");
    must(body.get("result").is_some() != body.get("error").is_some(), "either result or error");
    must(body.get("id").is_none_or(|id| id.is_string() || id.is_i64() || id.is_u64()), "the type of the id");
    must(!has_null(body), "no null anywhere");
    if let Some(result) = body.get("result") {
        must(result.is_object(), "a result is an object");
        must(body.get("id").is_some(), "a result has an id");
        must((result.get("resultType").is_some()) == modern, "resultType exactly in modern results");
        let server_info = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
        must(server_info.is_object() == modern, "serverInfo in _meta exactly in modern results");
        must(result.get("ttlMs").is_some() == result.get("cacheScope").is_some(), "ttlMs with cacheScope");
        must(modern || result.get("ttlMs").is_none(), "no caching in legacy results");
    }
    if let Some(error) = body.get("error") {
        must(error["code"].is_i64() && error["message"].is_string(), "the shape of an error");
        let legacy_only = [-32_002];
        let modern_only = [-32_020, -32_021, -32_022];
        let code = error["code"].as_i64().unwrap_or(0);
        must(!(modern && legacy_only.contains(&code)), "no legacy code in modern answers");
        must(modern || !modern_only.contains(&code), "no modern code in legacy answers");
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(members) => members.values().any(has_null),
        _ => false,
    }
}

#[test]
fn the_rules_catch_what_breaks_clients() {
    use serde_json::json;
    let answer = |body: Value, modern| faults(&Played::Answer(body, "ordinary"), modern).len();
    assert_eq!(answer(json!({"jsonrpc": "2.0", "id": 1, "result": {}}), false), 0);
    assert_ne!(answer(json!({"jsonrpc": "2.0", "id": 1, "result": {}}), true), 0);
    assert_ne!(answer(json!({"jsonrpc": "2.0", "id": 1, "result": {"resultType": "complete"}}), false), 0);
    assert_ne!(answer(json!({"jsonrpc": "2.0", "id": null, "error": {"code": 1, "message": ""}}), false), 0);
    assert_ne!(answer(json!({"jsonrpc": "2.0", "id": 1.5, "result": {}}), false), 0);
    assert_ne!(answer(json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32002, "message": ""}}), true), 0);
}
