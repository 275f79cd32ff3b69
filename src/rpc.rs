//! JSON-RPC 2.0: the shape of messages, ids and errors. Knows nothing of MCP.
//!
//! Limits: nesting ends at serde_json's recursion limit (128), and a message holds at most [`VALUES_MAX`] values, since
//! a value in memory takes many times its bytes on the wire.

use serde_json::{Map, Number, Value, json};

/// The bytes are not JSON (JSON-RPC 2.0 §5.1).
pub const PARSE_ERROR: i64 = -32_700;
/// The JSON is no message.
pub const INVALID_REQUEST: i64 = -32_600;
/// No such method.
pub const METHOD_NOT_FOUND: i64 = -32_601;
/// The method does not take these parameters.
pub const INVALID_PARAMS: i64 = -32_602;
/// A bug or a failure on our side.
pub const INTERNAL_ERROR: i64 = -32_603;

/// Most JSON values that one message may hold, counted with everything inside them.
pub const VALUES_MAX: usize = 100_000;

/// What arrived.
#[derive(Debug)]
pub enum Received {
    One(Message),
    /// An array, perhaps empty; each element stands for itself.
    Batch(Vec<Result<Message, Error>>),
}

/// One message.
#[derive(Debug)]
pub enum Message {
    Request(Request),
    Notification(Notification),
    /// An answer to a request, whatever it says.
    Response,
}

/// A message that wants an answer.
#[derive(Debug)]
pub struct Request {
    pub id: Id,
    pub method: String,
    /// As sent; `None` where it is missing or `null`.
    pub params: Option<Value>,
}

/// A message that gets no answer.
#[derive(Debug)]
pub struct Notification {
    pub method: String,
    pub params: Option<Value>,
}

/// Names a request. Echoed with the JSON type that it came with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Id {
    Text(String),
    /// A whole number.
    Integer(Number),
}

impl Id {
    /// Takes a string or an integer. JSON-RPC would allow `null` and fractions too, MCP allows neither.
    pub fn read(value: Value) -> Option<Id> {
        match value {
            Value::String(text) => Some(Id::Text(text)),
            Value::Number(number) if !number.is_f64() => Some(Id::Integer(number)),
            _ => None,
        }
    }
}

impl From<Id> for Value {
    fn from(id: Id) -> Value {
        match id {
            Id::Text(text) => Value::String(text),
            Id::Integer(number) => Value::Number(number),
        }
    }
}

/// A JSON-RPC error (§5.1).
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    pub code: i64,
    /// For people and models; no secrets, no paths.
    pub message: String,
    pub data: Option<Value>,
}

impl Error {
    pub fn new(code: i64, message: impl Into<String>) -> Error {
        Error { code, message: message.into(), data: None }
    }

    pub fn with_data(self, data: Value) -> Error {
        Error { data: Some(data), ..self }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Error {}

/// Reads a message or a batch. Fails with [`PARSE_ERROR`] or [`INVALID_REQUEST`]; such an error is answered without an
/// id.
pub fn parse(body: &[u8]) -> Result<Received, Error> {
    let text = std::str::from_utf8(body)
        .map_err(|why| Error::new(PARSE_ERROR, format!("not UTF-8 after {} bytes", why.valid_up_to())))?;
    if values_at_most(text) > VALUES_MAX {
        return Err(Error::new(
            INVALID_REQUEST,
            format!("more than {VALUES_MAX} JSON values in one message"),
        ));
    }
    match serde_json::from_str(text).map_err(|why| Error::new(PARSE_ERROR, format!("not JSON: {why}")))? {
        Value::Array(messages) => Ok(Received::Batch(messages.into_iter().map(message).collect())),
        value => message(value).map(Received::One),
    }
}

/// A response that carries a result.
pub fn response(id: Id, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": Value::from(id), "result": result})
}

/// A response that carries an error. Without an id the member is left out: MCP's schema refuses `null`.
pub fn error_response(id: Option<Id>, error: Error) -> Value {
    let mut object = Map::new();
    object.insert("jsonrpc".into(), "2.0".into());
    if let Some(id) = id {
        object.insert("id".into(), id.into());
    }
    let mut inner = json!({"code": error.code, "message": error.message});
    if let Some(data) = error.data {
        inner["data"] = data;
    }
    object.insert("error".into(), inner);
    object.into()
}

/// A notification of ours.
pub fn notification(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "method": method, "params": params})
}

fn message(value: Value) -> Result<Message, Error> {
    let invalid = |why: &str| Err(Error::new(INVALID_REQUEST, why));
    let Value::Object(mut object) = value else {
        return invalid("a message must be a JSON object");
    };
    if object.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return invalid("`jsonrpc` must be \"2.0\"");
    }
    let method = match object.remove("method") {
        Some(Value::String(method)) => method,
        Some(_) => return invalid("`method` must be a string"),
        None if object.contains_key("result") || object.contains_key("error") => {
            return Ok(Message::Response);
        }
        None => return invalid("`method` is missing"),
    };
    let params = object.remove("params").filter(|params| !params.is_null());
    match object.remove("id").map(Id::read) {
        None => Ok(Message::Notification(Notification { method, params })),
        Some(Some(id)) => Ok(Message::Request(Request { id, method, params })),
        Some(None) => invalid("`id` must be a string or an integer"),
    }
}

/// An upper bound for the values in a JSON text: each but the first follows a bracket, a comma or a colon.
fn values_at_most(text: &str) -> usize {
    let (mut values, mut in_string, mut escaped) = (1, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b',' | b':' if !in_string => values += 1,
            _ => {}
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(body: &str) -> i64 {
        parse(body.as_bytes()).unwrap_err().code
    }

    #[test]
    fn ids_keep_their_json_type() {
        for id in ["0", "-1", "7", "9007199254740993", "18446744073709551615", "\"\"", "\"7\"", "\"ä\\n\""] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#);
            let Ok(Received::One(Message::Request(request))) = parse(body.as_bytes()) else {
                panic!("{id} was not read as a request");
            };
            let echoed = response(request.id, Value::Null)["id"].to_string();
            assert_eq!(echoed, id);
        }
    }

    #[test]
    fn other_ids_are_refused() {
        for id in ["null", "true", "1.5", "1.0", "1e3", "{}", "[]", "18446744073709551616"] {
            assert_eq!(
                fault(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#)),
                INVALID_REQUEST,
                "{id}"
            );
        }
    }

    #[test]
    fn what_is_not_json_is_a_parse_error() {
        for body in ["", "{", "nul", "{} {}", "\u{feff}{}", "{'a':1}", "[1,]", "\"\\ud800\""] {
            assert_eq!(fault(body), PARSE_ERROR, "{body:?}");
        }
        assert_eq!(parse(b"\"\xff\"").unwrap_err().code, PARSE_ERROR);
        assert_eq!(fault(&"[".repeat(10_000)), PARSE_ERROR);
    }

    #[test]
    fn what_is_no_message_is_an_invalid_request() {
        for body in [
            "1",
            "null",
            "{}",
            r#"{"jsonrpc":"2.0"}"#,
            r#"{"jsonrpc":"1.0","method":"m"}"#,
            r#"{"jsonrpc":2.0,"method":"m"}"#,
            r#"{"method":"m"}"#,
            r#"{"jsonrpc":"2.0","method":1,"id":1}"#,
            r#"{"jsonrpc":"2.0","method":null,"result":{}}"#,
        ] {
            assert_eq!(fault(body), INVALID_REQUEST, "{body}");
        }
    }

    #[test]
    fn an_id_makes_a_request_and_a_result_makes_a_response() {
        let read = |body: &str| match parse(body.as_bytes()) {
            Ok(Received::One(message)) => message,
            other => panic!("{body}: {other:?}"),
        };
        assert!(matches!(read(r#"{"jsonrpc":"2.0","method":"m"}"#), Message::Notification(_)));
        assert!(matches!(read(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), Message::Response));
        assert!(matches!(read(r#"{"jsonrpc":"2.0","id":null,"error":{}}"#), Message::Response));
        match read(r#"{"jsonrpc":"2.0","id":1,"method":"m","params":null}"#) {
            Message::Request(request) => assert_eq!(request.params, None),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_message_of_a_batch_stands_for_itself() {
        let Ok(Received::Batch(messages)) = parse(br#"[1,{"jsonrpc":"2.0","id":1,"method":"m"}]"#) else {
            panic!("no batch");
        };
        assert!(messages[0].is_err() && messages[1].is_ok());
        assert!(matches!(parse(b"[]"), Ok(Received::Batch(messages)) if messages.is_empty()));
    }

    #[test]
    fn an_error_without_an_id_leaves_the_member_out() {
        let body = error_response(None, Error::new(PARSE_ERROR, "x"));
        assert_eq!(body.to_string(), r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"x"}}"#);
    }

    #[test]
    fn too_many_values_are_refused_but_punctuation_in_a_text_is_not_counted() {
        let many = format!("[{}0]", "0,".repeat(VALUES_MAX));
        assert_eq!(fault(&many), INVALID_REQUEST);
        let text = serde_json::to_string(&"a,b:[\"\\".repeat(VALUES_MAX)).unwrap();
        let body = format!(r#"{{"jsonrpc":"2.0","method":"m","params":{{"text":{text}}}}}"#);
        assert!(parse(body.as_bytes()).is_ok());
    }
}
