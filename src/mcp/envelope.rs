//! Which revision a request speaks, and whether its envelope is as that revision wants it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::revision::{self, Method, Revision};
use super::{Class, Header, ProtocolHeaders};
use crate::rpc::{self, Error, Request};

/// What a request's envelope says.
pub struct Envelope {
    pub revision: Revision,
    pub method: Method,
    /// Where the client wants word of progress: a string or an integer, to be repeated as it is.
    pub progress_token: Option<Value>,
}

/// A request that goes no further.
pub struct Refused {
    pub error: Error,
    pub class: Class,
}

/// Levels of RFC 5424, as `logLevel` names them.
const LOG_LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// Reads the envelope of a request; `headers` are `None` on stdio.
pub fn open(request: &Request, headers: Option<&ProtocolHeaders>) -> Result<Envelope, Refused> {
    let version = headers.map_or(Header::Missing, |headers| headers.version);
    let revision = if revision::is_modern(version, request.params.as_ref()) {
        check_modern(request, headers)?
    } else {
        Revision::of_legacy_request(headers.map(|headers| headers.version))
    };
    let params = match &request.params {
        None => None,
        Some(Value::Object(params)) => Some(params),
        Some(_) => {
            let error = Error::new(rpc::INVALID_PARAMS, "`params` must be an object");
            return Err(Refused { error, class: revision.bad_envelope_class() });
        }
    };
    let method = revision.method(&request.method).ok_or_else(|| {
        let shown: String = request.method.chars().take(80).collect();
        Refused {
            error: Error::new(rpc::METHOD_NOT_FOUND, format!("no such method: {shown}")),
            class: revision.unknown_method_class(),
        }
    })?;
    let progress_token = params
        .and_then(|params| params.get("_meta")?.get("progressToken"))
        .filter(|token| token.is_string() || token.is_i64() || token.is_u64())
        .cloned();
    Ok(Envelope { revision, method, progress_token })
}

/// A notification carries no envelope; only a revision in its header that we do not serve is refused.
pub fn check_notification(version: Header) -> Result<(), Error> {
    match version {
        Header::Repeated => Err(mismatch("MCP-Protocol-Version is sent more than once")),
        Header::Once(name)
            if revision::is_modern(version, None) && Revision::modern(name.trim()).is_none() =>
        {
            Err(unsupported(name.trim()))
        }
        Header::Missing | Header::Once(_) => Ok(()),
    }
}

/// The order is the specification's: the envelope, then the headers, and only then whether we serve the revision.
fn check_modern(request: &Request, headers: Option<&ProtocolHeaders>) -> Result<Revision, Refused> {
    let malformed = |error| Refused { error, class: Class::Malformed };
    let params = request.params.as_ref();
    let version = check_meta(params).map_err(malformed)?;
    if let Some(headers) = headers {
        check_headers(headers, version, &request.method, params).map_err(malformed)?;
    }
    Revision::modern(version).ok_or_else(|| malformed(unsupported(version)))
}

/// Checks `_meta`; gives the revision that it names.
fn check_meta(params: Option<&Value>) -> Result<&str, Error> {
    let wrong = |why: String| Error::new(rpc::INVALID_PARAMS, why);
    let meta = params.and_then(|params| params.get("_meta")).and_then(Value::as_object).ok_or_else(|| {
        wrong(format!("`params._meta` must be an object with {}", revision::PROTOCOL_VERSION))
    })?;
    let version = member(meta, revision::PROTOCOL_VERSION, "a string", Value::as_str).map_err(wrong)?;
    member(meta, revision::CLIENT_CAPABILITIES, "an object", Value::as_object).map_err(wrong)?;
    match meta.get(revision::LOG_LEVEL).map(Value::as_str) {
        None => {}
        Some(Some(level)) if LOG_LEVELS.contains(&level) => {}
        Some(_) => {
            return Err(wrong(format!(
                "`params._meta` has an unknown {}; known: {}",
                revision::LOG_LEVEL,
                LOG_LEVELS.join(", ")
            )));
        }
    }
    Ok(version)
}

fn member<'a, T: ?Sized>(
    meta: &'a Map<String, Value>,
    key: &str,
    kind: &str,
    read: fn(&'a Value) -> Option<&'a T>,
) -> Result<&'a T, String> {
    meta.get(key).and_then(read).ok_or_else(|| format!("`params._meta` must have {key}: {kind}"))
}

/// Checks that the headers repeat the body (2026-07-28, `basic/transports/streamable-http`).
fn check_headers(
    headers: &ProtocolHeaders,
    version: &str,
    method: &str,
    params: Option<&Value>,
) -> Result<(), Error> {
    let meta_key = format!("_meta.{}", revision::PROTOCOL_VERSION);
    check_header("MCP-Protocol-Version", headers.version, &meta_key, version)?;
    check_header("Mcp-Method", headers.method, "method", method)?;
    let name_key = match method {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        _ => return Ok(()),
    };
    match params.and_then(|params| params.get(name_key)).and_then(Value::as_str) {
        Some(name) => check_header("Mcp-Name", headers.name, &format!("params.{name_key}"), name),
        // Without a name in the body there is nothing to repeat; the missing name itself is told later.
        None if headers.name == Header::Missing => Ok(()),
        None => Err(mismatch(&format!("Mcp-Name is sent, but there is no params.{name_key}"))),
    }
}

fn check_header(header: &str, sent: Header, key: &str, wanted: &str) -> Result<(), Error> {
    match sent {
        Header::Missing => Err(mismatch(&format!("the header {header} is missing"))),
        Header::Repeated => Err(mismatch(&format!("{header} is sent more than once"))),
        Header::Once(value) => match decode(value.trim_matches([' ', '\t'])) {
            Some(value) if value == wanted => Ok(()),
            Some(_) => Err(mismatch(&format!("{header} does not match {key}"))),
            None => Err(mismatch(&format!("{header} is not canonical Base64 of UTF-8"))),
        },
    }
}

/// Undoes `=?base64?…?=`, which stands for a value that is not plain ASCII. `None` where that is not canonical.
fn decode(value: &str) -> Option<String> {
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        // The engine takes neither missing padding nor stray bits, so each value has one spelling.
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}

fn mismatch(why: &str) -> Error {
    Error::new(revision::HEADER_MISMATCH, why)
}

fn unsupported(requested: &str) -> Error {
    Error::new(revision::UNSUPPORTED_PROTOCOL_VERSION, "Unsupported protocol version")
        .with_data(json!({"supported": revision::offered(), "requested": requested}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_encoded_spelling() {
        assert_eq!(decode("plain name").as_deref(), Some("plain name"));
        assert_eq!(decode("=?base64?w6Q=?=").as_deref(), Some("ä"));
        assert_eq!(decode("=?base64??=").as_deref(), Some(""));
        for not_canonical in ["=?base64?w6Q?=", "=?base64?w6R=?=", "=?base64?w6Q= ?=", "=?base64?/w==?="] {
            assert_eq!(decode(not_canonical), None, "{not_canonical}");
        }
        assert_eq!(
            decode("=?BASE64?w6Q=?=").as_deref(),
            Some("=?BASE64?w6Q=?="),
            "the prefix is case-sensitive"
        );
    }
}
