//! How a tool's result is written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::revision::Revision;
use crate::tool::{Content, Output};

/// A result's members and about how many bytes of content they carry.
pub struct Written {
    pub members: Map<String, Value>,
    pub bytes: usize,
}

/// A success. The structured result is repeated as the first text: clients show either one or the other to the model.
pub fn success(output: Output, revision: Revision) -> Written {
    let mut content = Vec::new();
    let mut bytes = 0;
    if let Some(structured) = &output.structured {
        let text = serde_json::to_string(structured).unwrap_or_default();
        bytes += text.len();
        content.push(text_block(text));
    }
    for block in output.content {
        let (block, size) = write_block(block, revision);
        bytes += size;
        content.push(block);
    }
    let mut members = Map::from_iter([("content".to_owned(), content.into())]);
    if let Some(structured) = output.structured.filter(|_| revision.has_structured_content()) {
        members.insert("structuredContent".into(), structured.into());
    }
    Written { members, bytes }
}

/// A failure that the caller can do something about.
pub fn failure(text: &str) -> Written {
    let members = Map::from_iter([
        ("content".to_owned(), json!([text_block(text.to_owned())])),
        ("isError".to_owned(), true.into()),
    ]);
    Written { members, bytes: text.len() }
}

fn write_block(block: Content, revision: Revision) -> (Value, usize) {
    match block {
        Content::Text(text) => {
            let size = text.len();
            (text_block(text), size)
        }
        Content::Image { mime, bytes } => media_block("image", mime, &bytes),
        Content::Audio { mime, bytes } if revision.has_audio() => media_block("audio", mime, &bytes),
        Content::Audio { mime, bytes } => {
            let text = format!("({mime}, {} bytes; this client's revision of MCP has no audio)", bytes.len());
            let size = text.len();
            (text_block(text), size)
        }
        Content::Blob { uri, mime, bytes } => {
            let blob = STANDARD.encode(bytes);
            let size = blob.len();
            (json!({"type": "resource", "resource": {"uri": uri, "mimeType": mime, "blob": blob}}), size)
        }
    }
}

fn media_block(kind: &str, mime: String, bytes: &[u8]) -> (Value, usize) {
    let data = STANDARD.encode(bytes);
    let size = data.len();
    (json!({"type": kind, "data": data, "mimeType": mime}), size)
}

fn text_block(text: String) -> Value {
    json!({"type": "text", "text": text})
}
