//! `prompts/list` and `prompts/get`. There are no prompts; some clients ask without being told of any, and read an error
//! as a broken server.

use serde_json::{Map, Value};

use super::revision::{Caching, Revision};
use crate::rpc::{self, Error};

/// The empty list.
pub fn list(revision: Revision) -> Value {
    revision.result(Map::from_iter([("prompts".to_owned(), Value::Array(Vec::new()))]), Caching::List)
}

/// The answer to any name.
pub fn not_found(name: &str) -> Error {
    let shown: String = name.chars().take(80).collect();
    Error::new(rpc::INVALID_PARAMS, format!("no such prompt: {shown}; this server has none"))
}
