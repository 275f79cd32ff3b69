//! What a tool gives back.

use serde_json::{Map, Value, json};

use super::Cx;
use crate::schema::Wire;

/// A tool's result, before it is written for one revision of the protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The result as an object. It is shown as `structuredContent` and, as compact JSON, as the first text: clients
    /// differ in which of the two they show to the model.
    pub structured: Option<Map<String, Value>>,
    /// Further blocks, after that text.
    pub content: Vec<Content>,
}

/// One block of a result.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    Text(String),
    Image {
        mime: String,
        bytes: Vec<u8>,
    },
    Audio {
        mime: String,
        bytes: Vec<u8>,
    },
    /// Bytes of another kind, as an embedded resource.
    Blob {
        uri: String,
        mime: String,
        bytes: Vec<u8>,
    },
}

/// What reading a resource gives.
#[derive(Debug, Clone, PartialEq)]
pub enum ResourceBody {
    Text { mime: String, text: String },
    Blob { mime: String, bytes: Vec<u8> },
}

impl ResourceBody {
    /// A record as JSON.
    pub fn json(record: impl Wire) -> ResourceBody {
        ResourceBody::Text { mime: "application/json".into(), text: record.write().to_string() }
    }
}

/// A type that a handler may return.
pub trait IntoOutput {
    /// The schema of the structured result, if there is one.
    fn schema() -> Option<Value>;
    fn into_output(self, cx: &Cx) -> Output;
}

impl<T: Wire> IntoOutput for T {
    fn schema() -> Option<Value> {
        Some(T::schema())
    }

    fn into_output(self, _cx: &Cx) -> Output {
        Output { structured: Some(fields(self)), content: Vec::new() }
    }
}

impl IntoOutput for Output {
    fn schema() -> Option<Value> {
        None
    }

    fn into_output(self, _cx: &Cx) -> Output {
        self
    }
}

/// A result with `success` and `timestamp` in front, as the reference's clients know most results.
#[derive(Debug, Clone)]
pub struct Success<T>(pub T);

impl<T: Wire> IntoOutput for Success<T> {
    fn schema() -> Option<Value> {
        let mut schema = T::schema();
        let mut properties = Map::new();
        properties.insert("success".into(), json!({"type": "boolean"}));
        properties.insert("timestamp".into(), json!({"type": "string"}));
        if let Some(Value::Object(own)) = schema.get_mut("properties").map(Value::take) {
            properties.extend(own);
        }
        schema["properties"] = properties.into();
        Some(schema)
    }

    fn into_output(self, cx: &Cx) -> Output {
        let mut object = Map::new();
        object.insert("success".into(), true.into());
        object.insert("timestamp".into(), cx.clock.now().rfc3339().into());
        object.extend(fields(self.0));
        Output { structured: Some(object), content: Vec::new() }
    }
}

/// A result with blocks of its own, such as an image: its record is the first text, as compact JSON. There is no structured
/// content then, since clients that show it would hide the blocks.
#[derive(Debug, Clone)]
pub struct WithBlocks<T> {
    pub result: T,
    /// None: the result is like any other.
    pub blocks: Vec<Content>,
}

impl<T: IntoOutput> IntoOutput for WithBlocks<T> {
    fn schema() -> Option<Value> {
        T::schema()
    }

    fn into_output(self, cx: &Cx) -> Output {
        let mut output = self.result.into_output(cx);
        if self.blocks.is_empty() {
            return output;
        }
        let text =
            output.structured.take().map(|structured| Content::Text(Value::from(structured).to_string()));
        output.content.splice(0..0, text);
        output.content.extend(self.blocks);
        output
    }
}

/// A record's members. Every type that a handler returns is a record, so anything else is kept under `result`.
fn fields(record: impl Wire) -> Map<String, Value> {
    match record.write() {
        Value::Object(object) => object,
        other => Map::from_iter([("result".to_owned(), other)]),
    }
}
