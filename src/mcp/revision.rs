//! The revisions of the protocol, and every difference between them.
//!
//! Up to 2025-11-25 ("legacy") a client opens with `initialize`; from 2026-07-28 on ("modern") each request carries its
//! revision in `params._meta`. Which of the two a request belongs to is decided for each request.

use serde_json::{Map, Value, json};

use super::{Class, Header};
use crate::rpc;

/// Key of `_meta`: the revision that a modern request speaks.
pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// Key of `_meta`: what the client can do.
pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// Key of `_meta`: how much the client wants to hear.
pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// Key of a result's `_meta`: who answers.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// A header and the body say different things, or one is missing.
pub const HEADER_MISMATCH: i64 = -32_020;
/// The revision is not served.
pub const UNSUPPORTED_PROTOCOL_VERSION: i64 = -32_022;
/// Resource not found, up to 2025-11-25.
const RESOURCE_NOT_FOUND: i64 = -32_002;

/// How long a client may keep a list.
const LIST_TTL_MS: u64 = 300_000;

/// A revision of the specification, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revision {
    V2024_11_05,
    V2025_03_26,
    V2025_06_18,
    V2025_11_25,
    V2026_07_28,
}

/// What a client may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Discover,
    Initialize,
    Ping,
    ListTools,
    CallTool,
    ListResources,
    ListResourceTemplates,
    ReadResource,
    ListPrompts,
    GetPrompt,
    Complete,
}

/// How long a result may be kept (2026-07-28, `server/utilities/caching`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caching {
    /// The result says nothing about it.
    Unsaid,
    /// A list: it changes with the server's settings and the user's apps.
    List,
    /// Read anew each time.
    Never,
}

impl Revision {
    /// What we offer, newest first. 2024-11-05 is understood but not offered: its own transport is not served.
    pub const OFFERED: [Revision; 4] =
        [Revision::V2026_07_28, Revision::V2025_11_25, Revision::V2025_06_18, Revision::V2025_03_26];

    pub const fn name(self) -> &'static str {
        match self {
            Revision::V2024_11_05 => "2024-11-05",
            Revision::V2025_03_26 => "2025-03-26",
            Revision::V2025_06_18 => "2025-06-18",
            Revision::V2025_11_25 => "2025-11-25",
            Revision::V2026_07_28 => "2026-07-28",
        }
    }

    /// The legacy revision of this name.
    fn legacy(name: &str) -> Option<Revision> {
        [Revision::V2024_11_05, Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25]
            .into_iter()
            .find(|revision| revision.name() == name)
    }

    /// The modern revision of this name.
    pub fn modern(name: &str) -> Option<Revision> {
        (name == Revision::V2026_07_28.name()).then_some(Revision::V2026_07_28)
    }

    pub fn is_modern(self) -> bool {
        self >= Revision::V2026_07_28
    }

    /// What `initialize` agrees on: what the client asks for if it is a legacy revision, else the newest of those.
    pub fn negotiate(asked: Option<&str>) -> Revision {
        asked.and_then(Revision::legacy).unwrap_or(Revision::V2025_11_25)
    }

    /// The revision of a legacy request. Nothing is remembered of `initialize`: the header tells, and without it clients
    /// are of 2025-03-26. On stdio nothing tells, and older clients overlook what they do not know.
    pub fn of_legacy_request(header: Option<Header>) -> Revision {
        match header {
            None => Revision::V2025_11_25,
            Some(Header::Once(name)) => Revision::legacy(name.trim()).unwrap_or(Revision::V2025_03_26),
            Some(Header::Missing | Header::Repeated) => Revision::V2025_03_26,
        }
    }

    /// The method of this name, if the revision has it and we serve it.
    pub fn method(self, name: &str) -> Option<Method> {
        match name {
            "server/discover" if self.is_modern() => Some(Method::Discover),
            "initialize" if !self.is_modern() => Some(Method::Initialize),
            "ping" if !self.is_modern() => Some(Method::Ping),
            "tools/list" => Some(Method::ListTools),
            "tools/call" => Some(Method::CallTool),
            "resources/list" => Some(Method::ListResources),
            "resources/templates/list" => Some(Method::ListResourceTemplates),
            "resources/read" => Some(Method::ReadResource),
            "prompts/list" => Some(Method::ListPrompts),
            "prompts/get" => Some(Method::GetPrompt),
            "completion/complete" => Some(Method::Complete),
            _ => None,
        }
    }

    /// What we say that we can do. Conformance calls whatever is declared, and takes what is answered without being
    /// declared for a fault. 2024-11-05 has completion but no word for it.
    pub fn capabilities(self) -> Value {
        let mut capabilities = json!({"tools": {}, "resources": {}, "prompts": {}});
        if self >= Revision::V2025_03_26 {
            capabilities["completions"] = json!({});
        }
        capabilities
    }

    /// How the answer to an unknown method is classed: clients up to 2025-11-25 read errors from ordinary answers only.
    pub fn unknown_method_class(self) -> Class {
        if self.is_modern() { Class::UnknownMethod } else { Class::Ordinary }
    }

    /// The same for parameters that are no object.
    pub fn bad_envelope_class(self) -> Class {
        if self.is_modern() { Class::Malformed } else { Class::Ordinary }
    }

    pub fn resource_not_found_code(self) -> i64 {
        if self.is_modern() { rpc::INVALID_PARAMS } else { RESOURCE_NOT_FOUND }
    }

    /// Whether a tool's result may have `structuredContent`.
    pub fn has_structured_content(self) -> bool {
        self >= Revision::V2025_06_18
    }

    /// Whether content may be audio.
    pub fn has_audio(self) -> bool {
        self >= Revision::V2025_03_26
    }

    /// Whether word of progress may carry a text.
    pub fn has_progress_message(self) -> bool {
        self >= Revision::V2025_03_26
    }

    /// Takes from a tool's description what the revision does not know.
    pub fn tool(self, mut description: Value) -> Value {
        if let Some(members) = description.as_object_mut() {
            if self < Revision::V2025_06_18 {
                members.shift_remove("title");
                members.shift_remove("outputSchema");
            }
            if self < Revision::V2025_03_26 {
                members.shift_remove("annotations");
            }
        }
        description
    }

    /// Who we are.
    pub fn server_info(self) -> Value {
        let mut info = json!({"name": "nextcloud"});
        if self >= Revision::V2025_06_18 {
            info["title"] = "Nextcloud".into();
        }
        info["version"] = env!("CARGO_PKG_VERSION").into();
        info
    }

    /// A finished result. Modern clients refuse one without `resultType`, legacy ones may refuse one with it.
    pub fn result(self, members: Map<String, Value>, caching: Caching) -> Value {
        if !self.is_modern() {
            return members.into();
        }
        let mut result = Map::new();
        result.insert("resultType".into(), "complete".into());
        result.extend(members);
        let ttl_ms = match caching {
            Caching::Unsaid => None,
            Caching::List => Some(LIST_TTL_MS),
            Caching::Never => Some(0),
        };
        if let Some(ttl_ms) = ttl_ms {
            result.insert("ttlMs".into(), ttl_ms.into());
            // What there is depends on the caller's rights, so no cache may show it to another.
            result.insert("cacheScope".into(), "private".into());
        }
        result.insert("_meta".into(), json!({SERVER_INFO: self.server_info()}));
        result.into()
    }
}

/// Names of the revisions that we offer, as `server/discover` and errors list them.
pub fn offered() -> Vec<&'static str> {
    Revision::OFFERED.iter().map(|revision| revision.name()).collect()
}

/// Whether a message is modern: its `_meta` names a revision, or its header names one that is not legacy. Thus a broken
/// modern request and a legacy one of an unknown revision are both held to the modern rules, which refuse them.
pub fn is_modern(header: Header, params: Option<&Value>) -> bool {
    let claims = params.and_then(|params| params.get("_meta")?.get(PROTOCOL_VERSION)).is_some();
    claims
        || match header {
            Header::Missing => false,
            Header::Once(name) => Revision::legacy(name.trim()).is_none(),
            Header::Repeated => true,
        }
}

/// Whether an array may stand for several messages: only in 2025-03-26, whose clients send no header.
pub fn takes_batches(header: Header) -> bool {
    match header {
        Header::Missing => true,
        Header::Once(name) => Revision::legacy(name.trim()) == Some(Revision::V2025_03_26),
        Header::Repeated => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initialize_is_never_answered_with_a_modern_revision() {
        for (asked, agreed) in [
            (Some("2024-11-05"), "2024-11-05"),
            (Some("2025-03-26"), "2025-03-26"),
            (Some("2025-06-18"), "2025-06-18"),
            (Some("2025-11-25"), "2025-11-25"),
            (Some("2026-07-28"), "2025-11-25"),
            (Some("nonsense"), "2025-11-25"),
            (None, "2025-11-25"),
        ] {
            assert_eq!(Revision::negotiate(asked).name(), agreed, "{asked:?}");
        }
    }

    #[test]
    fn a_tool_loses_what_its_reader_does_not_know() {
        let whole = json!({"name": "n", "title": "t", "outputSchema": {}, "annotations": {}});
        assert_eq!(Revision::V2025_06_18.tool(whole.clone()), whole);
        assert_eq!(Revision::V2025_03_26.tool(whole.clone()), json!({"name": "n", "annotations": {}}));
        assert_eq!(Revision::V2024_11_05.tool(whole), json!({"name": "n"}));
    }
}
