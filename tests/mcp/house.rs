//! A server with a few tools and resources of its own, so that each way to answer can be called for.

use std::sync::Arc;
use std::time::Duration;

use nextcloud_mcp_server::auth::Caller;
use nextcloud_mcp_server::clock::{Clock, Ids};
use nextcloud_mcp_server::gate::Gate;
use nextcloud_mcp_server::nextcloud::{Account, Base, Credential, Error, Kind, Nextcloud, Settings};
use nextcloud_mcp_server::registry::{Registry, Selection};
use nextcloud_mcp_server::secret::Secret;
use nextcloud_mcp_server::server::Server;
use nextcloud_mcp_server::tool::{
    App, Content, Cx, Effect, Needs, Output, Resource, ResourceBody, Scope, Scopes, Tool, ToolError,
    ToolSettings, Variables, typed,
};
use nextcloud_mcp_server::{params, record};

/// What must show nowhere.
pub const PASSWORD: &str = "planted-password";

/// A server whose Nextcloud does not answer.
pub fn server(gate: Gate) -> Arc<Server> {
    server_of(&[&APP, &NOTES], unreachable(), gate)
}

pub fn server_of(apps: &[&'static App], nextcloud: Nextcloud, gate: Gate) -> Arc<Server> {
    Arc::new(Server {
        clock: Clock::manual(1_795_476_751_042),
        ids: Ids::counting(),
        registry: Registry::of(apps, &Selection::default()),
        nextcloud: std::sync::Arc::new(nextcloud),
        gate,
        tool_settings: ToolSettings { write_bytes_max: None, public_url: None, excluded_tags: Vec::new() },
        call_timeout: Duration::from_secs(50),
    })
}

/// Nobody listens on the discard port of loopback.
pub fn unreachable() -> Nextcloud {
    nextcloud("http://127.0.0.1:9")
}

pub fn nextcloud(base: &str) -> Nextcloud {
    let base = Base::parse(base).expect("an address");
    Nextcloud::new(Settings::new(base), Clock::manual(1_795_476_751_042), Ids::counting()).expect("settings")
}

pub fn open_gate() -> Gate {
    Gate::new(16, 8, Duration::ZERO)
}

pub fn caller(scopes: Scopes) -> Caller {
    Caller {
        name: "alice".into(),
        scopes,
        account: Arc::new(Account::new(Credential::Basic {
            user: "alice".into(),
            password: Secret::new(PASSWORD),
        })),
    }
}

pub const APP: App = App {
    name: "test",
    about: "Shows each way to answer",
    tools: &[
        Tool {
            name: "test_echo",
            about: "Give the text back.",
            scopes: &[],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(echo),
        },
        Tool {
            name: "test_media",
            about: "Give one block of each kind.",
            scopes: &[],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(media),
        },
        Tool {
            name: "test_progress",
            about: "Report progress, then end.",
            scopes: &[],
            effect: Effect::Create,
            needs: Needs::Nothing,
            handler: &typed(progress),
        },
        Tool {
            name: "test_fail",
            about: "Fail in the way asked for.",
            scopes: &[],
            effect: Effect::Delete,
            needs: Needs::Nothing,
            handler: &typed(fail),
        },
        Tool {
            name: "test_größe",
            about: "Have a name that no header can carry as it is.",
            scopes: &[],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(nothing),
        },
    ],
    resources: &[
        Resource {
            uri: "test://text",
            name: "Text",
            about: "A text.",
            mime: Some("text/plain"),
            scopes: &[],
            needs: Needs::Nothing,
            read: |_, _| Ok(ResourceBody::Text { mime: "text/plain".into(), text: "Grüße".into() }),
        },
        Resource {
            uri: "test://bytes",
            name: "Bytes",
            about: "Some bytes.",
            mime: None,
            scopes: &[],
            needs: Needs::Nothing,
            read: |_, _| Ok(ResourceBody::Blob { mime: "image/png".into(), bytes: vec![0, 255] }),
        },
        Resource {
            uri: "test://fail/{how}",
            name: "Failure",
            about: "Fails in the way asked for.",
            mime: None,
            scopes: &[],
            needs: Needs::Nothing,
            read: fail_to_read,
        },
    ],
};

pub const NOTES: App = App {
    name: "notes",
    about: "Asks for scopes and an app",
    tools: &[
        Tool {
            name: "test_note_read",
            about: "Ask for a scope to read.",
            scopes: &[Scope::NotesRead],
            effect: Effect::Read,
            needs: Needs::App("notes"),
            handler: &typed(nothing),
        },
        Tool {
            name: "test_note_write",
            about: "Ask for a scope to write.",
            scopes: &[Scope::NotesWrite],
            effect: Effect::Update,
            needs: Needs::App("notes"),
            handler: &typed(nothing),
        },
    ],
    resources: &[Resource {
        uri: "test://notes/{name}",
        name: "Note",
        about: "A note.",
        mime: Some("text/markdown"),
        scopes: &[Scope::NotesRead],
        needs: Needs::App("notes"),
        read: |_, variables| {
            Ok(ResourceBody::Text { mime: "text/markdown".into(), text: variables.get("name").into() })
        },
    }],
};

params! { struct Echo {
    /// What to give back.
    text: String,
    /// How often.
    times: i64 = 1,
} }
params! { struct Fail {
    /// The way to fail.
    how: String,
} }
params! { struct None_ {} }
record! { struct Echoed { text: String, note: Option<String> } }

fn echo(_: &Cx, p: Echo) -> Result<Echoed, ToolError> {
    Ok(Echoed { text: p.text.repeat(usize::try_from(p.times).unwrap_or(0)), note: None })
}

fn media(_: &Cx, _: None_) -> Result<Output, ToolError> {
    let bytes = vec![1, 2, 3];
    Ok(Output {
        structured: Some([("blocks".to_owned(), 4.into())].into_iter().collect()),
        content: vec![
            Content::Text("ä".into()),
            Content::Image { mime: "image/png".into(), bytes: bytes.clone() },
            Content::Audio { mime: "audio/wav".into(), bytes: bytes.clone() },
            Content::Blob {
                uri: "nc://Files/a%20b.bin".into(),
                mime: "application/octet-stream".into(),
                bytes,
            },
        ],
    })
}

fn progress(cx: &Cx, _: None_) -> Result<Output, ToolError> {
    cx.progress.report(0, Some(100), "begun");
    cx.progress.report(50, None, "");
    cx.progress.report(50, Some(100), "not grown, so left out");
    cx.progress.report(100, Some(100), "done");
    Ok(Output { structured: None, content: vec![Content::Text("done".into())] })
}

fn fail(_: &Cx, p: Fail) -> Result<Output, ToolError> {
    Err(failure(&p.how))
}

fn fail_to_read(_: &Cx, variables: &Variables) -> Result<ResourceBody, ToolError> {
    Err(failure(variables.get("how")))
}

fn failure(how: &str) -> ToolError {
    match how {
        "refuse" => ToolError::Refused("not like this".into()),
        "arguments" => ToolError::Arguments("`how`: expected something else".into()),
        "missing" => ToolError::Upstream(Error::new(Kind::NotFound, "GET /x")),
        "unreachable" => ToolError::Upstream(Error::new(Kind::Unreachable, "GET /x")),
        how => panic!("asked to panic: {how}"),
    }
}

fn nothing(_: &Cx, _: None_) -> Result<Output, ToolError> {
    Ok(Output { structured: None, content: Vec::new() })
}
