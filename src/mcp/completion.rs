//! `completion/complete`: well-formed questions are answered with nothing to suggest, also about prompts and templates
//! that do not exist, so that a client which completes as one types shows no errors.

use serde_json::{Map, Value, json};

use super::revision::{Caching, Revision};
use crate::rpc::{self, Error};

/// Checks what is to be completed: `ref` and `argument` (2026-07-28, `server/utilities/completion`).
pub fn check(params: &Map<String, Value>) -> Result<(), Error> {
    let wrong = |why: &str| Err(Error::new(rpc::INVALID_PARAMS, why));
    let text =
        |object: Option<&Value>, key: &str| object.and_then(|object| object.get(key)?.as_str()).is_some();
    let reference = params.get("ref");
    let named = match reference.and_then(|reference| reference.get("type")?.as_str()) {
        Some("ref/prompt") => text(reference, "name"),
        Some("ref/resource") => text(reference, "uri"),
        _ => return wrong("`ref` must be an object with `type`: \"ref/prompt\" or \"ref/resource\""),
    };
    if !named {
        return wrong("`ref` must have a string: `name` of a prompt or `uri` of a resource template");
    }
    let argument = params.get("argument");
    if !text(argument, "name") || !text(argument, "value") {
        return wrong("`argument` must be an object with the strings `name` and `value`");
    }
    Ok(())
}

/// No suggestions.
pub fn complete(revision: Revision) -> Value {
    let completion = json!({"values": [], "total": 0, "hasMore": false});
    revision.result(Map::from_iter([("completion".to_owned(), completion)]), Caching::Unsaid)
}
