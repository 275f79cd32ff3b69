//! What a tool is: one constant row of facts, one plain function, and types that carry the schema.
//!
//! Everything else (the list, its filter, scopes, documentation, snapshots) reads that row. A handler keeps nothing
//! between calls: all it works with arrives in [`Cx`].

mod error;
mod exclusion;
mod output;
mod page;

use std::fmt;
use std::sync::OnceLock;

use serde_json::Value;

use crate::clock::{Clock, Ids};
use crate::nextcloud::{Capabilities, Client, Version};
use crate::schema::Wire;

pub use error::ToolError;
pub use exclusion::Exclusion;
pub use output::{Content, IntoOutput, Output, ResourceBody, Success, WithBlocks};
pub use page::{Cursor, PAGE_BYTES, Page};

/// One Nextcloud app: its tools and resources, in the order in which they are listed.
pub struct App {
    /// Short name, as in `--enable-app` and in scopes: `notes`.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    pub tools: &'static [Tool],
    pub resources: &'static [Resource],
}

/// One tool.
pub struct Tool {
    /// `nc_notes_create_note`: at most 40 of `[a-z0-9_]`, since clients put prefixes before it.
    pub name: &'static str,
    /// For the model. The first sentence stands alone; at most 1 kB.
    pub about: &'static str,
    /// All of them are needed; none means that whoever may connect may use it. The app's own stands first.
    pub scopes: &'static [Scope],
    pub effect: Effect,
    pub needs: Needs,
    pub handler: &'static dyn Handler,
}

/// One resource (a fixed `uri`) or resource template (RFC 6570 level 1, `nc://Notes/{note_id}`).
pub struct Resource {
    pub uri: &'static str,
    /// For people and programs: `Note`.
    pub name: &'static str,
    pub about: &'static str,
    /// Media type of what is read, where it is always the same.
    pub mime: Option<&'static str>,
    /// As a tool's.
    pub scopes: &'static [Scope],
    pub needs: Needs,
    pub read: fn(&Cx, &Variables) -> Result<ResourceBody, ToolError>,
}

impl Resource {
    /// Whether the URI has variables.
    pub fn is_template(&self) -> bool {
        self.uri.contains('{')
    }
}

/// The values of a template's variables, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variables(pub Vec<(&'static str, String)>);

impl Variables {
    /// The value of a variable that the template names.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    /// The value as a number; the error says which variable is wrong.
    pub fn number(&self, name: &str) -> Result<i64, ToolError> {
        self.get(name)
            .parse()
            .map_err(|_| ToolError::Arguments(format!("`{name}` in the URI must be a number")))
    }
}

/// What a call does to the user's data. Says all four hints of MCP's tool annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Adds something; a second call adds it again. Nothing that was there is lost.
    Create,
    /// Sees to it that something is there; a second call changes nothing. Nothing that was there is lost.
    Ensure,
    /// Replaces something that was there.
    Update,
    /// Takes something away; a second call changes nothing.
    Delete,
}

/// MCP's tool annotations (schema 2026-07-28, `ToolAnnotations`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hints {
    pub read_only: bool,
    pub destructive: bool,
    pub idempotent: bool,
    /// The tool reaches beyond this program: true for all of ours.
    pub open_world: bool,
}

impl Effect {
    pub const fn hints(self) -> Hints {
        let (read_only, destructive, idempotent) = match self {
            Effect::Read => (true, false, true),
            Effect::Create => (false, false, false),
            Effect::Ensure => (false, false, true),
            Effect::Update => (false, true, false),
            Effect::Delete => (false, true, true),
        };
        Hints { read_only, destructive, idempotent, open_world: true }
    }
}

/// What must be there for a tool to make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Part of every Nextcloud.
    Nothing,
    /// An app that tells of itself in the capabilities (OCS `cloud/capabilities`), under this name.
    App(&'static str),
    /// The same, of this version or a later one.
    Since(&'static str, Version),
    /// An app whose mark is a capability of another one that is true, by its JSON pointer: `/files/undelete`.
    Capability(&'static str, &'static str),
}

impl Needs {
    /// The name of the app.
    pub fn app(self) -> Option<&'static str> {
        match self {
            Needs::Nothing => None,
            Needs::App(app) | Needs::Since(app, _) | Needs::Capability(app, _) => Some(app),
        }
    }

    /// Whether it is there. An app that does not tell its version gets the benefit of the doubt.
    pub fn met_by(self, capabilities: &Capabilities) -> bool {
        match self {
            Needs::Nothing => true,
            Needs::App(app) => capabilities.has_app(app),
            Needs::Since(app, least) => {
                capabilities.has_app(app)
                    && capabilities.app_version(app).is_none_or(|version| version >= least)
            }
            Needs::Capability(_, mark) => capabilities.get(mark).and_then(Value::as_bool) == Some(true),
        }
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Needs::Nothing => Ok(()),
            Needs::App(app) | Needs::Capability(app, _) => f.write_str(app),
            Needs::Since(app, least) => write!(f, "{app} {least}"),
        }
    }
}

/// What a caller may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    NotesRead,
    NotesWrite,
    FilesRead,
    FilesWrite,
    SharingRead,
    SharingWrite,
    CalendarRead,
    CalendarWrite,
    TodoRead,
    TodoWrite,
    ContactsRead,
    ContactsWrite,
    DeckRead,
    DeckWrite,
    TablesRead,
    TablesWrite,
    CookbookRead,
    CookbookWrite,
}

impl Scope {
    /// Every scope that is asked for by some tool or resource, in the order of the documentation.
    pub const ALL: &'static [Scope] = &[
        Scope::NotesRead,
        Scope::NotesWrite,
        Scope::FilesRead,
        Scope::FilesWrite,
        Scope::SharingRead,
        Scope::SharingWrite,
        Scope::CalendarRead,
        Scope::CalendarWrite,
        Scope::TodoRead,
        Scope::TodoWrite,
        Scope::ContactsRead,
        Scope::ContactsWrite,
        Scope::DeckRead,
        Scope::DeckWrite,
        Scope::TablesRead,
        Scope::TablesWrite,
        Scope::CookbookRead,
        Scope::CookbookWrite,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Scope::NotesRead => "notes:read",
            Scope::NotesWrite => "notes:write",
            Scope::FilesRead => "files:read",
            Scope::FilesWrite => "files:write",
            Scope::SharingRead => "sharing:read",
            Scope::SharingWrite => "sharing:write",
            Scope::CalendarRead => "calendar:read",
            Scope::CalendarWrite => "calendar:write",
            Scope::TodoRead => "todo:read",
            Scope::TodoWrite => "todo:write",
            Scope::ContactsRead => "contacts:read",
            Scope::ContactsWrite => "contacts:write",
            Scope::DeckRead => "deck:read",
            Scope::DeckWrite => "deck:write",
            Scope::TablesRead => "tables:read",
            Scope::TablesWrite => "tables:write",
            Scope::CookbookRead => "cookbook:read",
            Scope::CookbookWrite => "cookbook:write",
        }
    }

    /// Reads a scope's name; the reference's later form `notes.read` means the same.
    pub fn parse(name: &str) -> Option<Scope> {
        let name = name.replace('.', ":");
        Scope::ALL.iter().copied().find(|scope| scope.name() == name)
    }
}

/// The scopes that a caller holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scopes {
    /// A mode without scopes: the caller is the owner of the account.
    Unrestricted,
    /// A token's scopes. An empty list allows nothing that asks for a scope.
    Only(Vec<Scope>),
}

impl Scopes {
    /// Whether all of `needed` are held.
    pub fn allow(&self, needed: &[Scope]) -> bool {
        match self {
            Scopes::Unrestricted => true,
            Scopes::Only(held) => needed.iter().all(|scope| held.contains(scope)),
        }
    }
}

/// What a handler works with: the caller's Nextcloud, the time, the limits. Lives for one call.
pub struct Cx<'a> {
    pub nc: Client<'a>,
    pub clock: &'a Clock,
    pub ids: &'a Ids,
    pub settings: &'a ToolSettings,
    pub progress: &'a dyn Progress,
    /// What the call found out about files that are kept away; see [`Cx::exclusion`].
    pub excluded: OnceLock<Exclusion>,
}

impl Cx<'_> {
    /// Whether nobody waits for the answer any more. Requests to Nextcloud see it by themselves; a handler asks between
    /// steps of its own that take long.
    pub fn is_cancelled(&self) -> bool {
        self.nc.call().cancel.is_cancelled()
    }

    /// A link that a person can open in a browser, from a path like `/index.php/f/17`.
    pub fn link(&self, path: &str) -> Option<String> {
        self.settings.public_url.as_ref().map(|base| format!("{base}{path}"))
    }
}

/// What the operator set for tools.
#[derive(Debug, Clone)]
pub struct ToolSettings {
    /// Largest file that a tool writes; `None` = no limit of ours.
    pub write_bytes_max: Option<u64>,
    /// Nextcloud's address as a browser sees it, without a slash at the end.
    pub public_url: Option<String>,
    /// Names of the tags whose files are kept away from every tool; none: nothing is.
    pub excluded_tags: Vec<String>,
}

/// Takes word of a long call's progress.
pub trait Progress: Sync {
    /// `done` must grow from call to call; `total` where it is known.
    fn report(&self, done: u64, total: Option<u64>, message: &str);
}

/// Nobody asked for progress.
pub struct NoProgress;

impl Progress for NoProgress {
    fn report(&self, _done: u64, _total: Option<u64>, _message: &str) {}
}

/// A tool's behaviour together with the schemas of what it takes and gives.
pub trait Handler: Sync {
    fn input_schema(&self) -> Value;

    /// The schema of the structured result, if it has one.
    fn output_schema(&self) -> Option<Value>;

    /// Runs the tool. `arguments` is what the client sent, unchecked.
    fn call(&self, cx: &Cx, arguments: Value) -> Result<Output, ToolError>;
}

/// Makes a [`Handler`] of a function from checked arguments to a result.
pub const fn typed<P: Wire, R: IntoOutput>(function: fn(&Cx, P) -> Result<R, ToolError>) -> Typed<P, R> {
    Typed(function)
}

/// See [`typed`].
pub struct Typed<P, R>(fn(&Cx, P) -> Result<R, ToolError>);

impl<P: Wire, R: IntoOutput> Handler for Typed<P, R> {
    fn input_schema(&self) -> Value {
        P::schema()
    }

    fn output_schema(&self) -> Option<Value> {
        R::schema()
    }

    fn call(&self, cx: &Cx, arguments: Value) -> Result<Output, ToolError> {
        let arguments = P::read(arguments).map_err(ToolError::Arguments)?;
        (self.0)(cx, arguments).map(|result| result.into_output(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_scope_are_the_same_and_unknown_ones_are_none() {
        assert_eq!(Scope::parse("notes.read"), Some(Scope::NotesRead));
        assert_eq!(Scope::parse("files:write"), Some(Scope::FilesWrite));
        for unknown in ["", "notes", "notes:*", "openid", "Notes:read"] {
            assert_eq!(Scope::parse(unknown), None, "{unknown}");
        }
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.name()), Some(*scope));
        }
    }

    #[test]
    fn a_capability_must_be_true_to_be_there() {
        let capabilities = |files| Capabilities::new(serde_json::json!({"capabilities": {"files": files}}));
        let needs = Needs::Capability("files_trashbin", "/files/undelete");
        assert!(needs.met_by(&capabilities(serde_json::json!({"undelete": true}))));
        for absent in [
            serde_json::json!({"undelete": false}),
            serde_json::json!({}),
            serde_json::json!({"undelete": []}),
        ] {
            assert!(!needs.met_by(&capabilities(absent.clone())), "{absent}");
        }
        assert_eq!((needs.app(), needs.to_string().as_str()), (Some("files_trashbin"), "files_trashbin"));
    }

    #[test]
    fn an_empty_scope_set_allows_only_what_asks_for_none() {
        let none = Scopes::Only(vec![]);
        assert!(none.allow(&[]));
        assert!(Scope::ALL.iter().all(|scope| !none.allow(&[*scope])));
        assert!(Scopes::Unrestricted.allow(Scope::ALL));
        let some = Scopes::Only(vec![Scope::NotesRead, Scope::DeckWrite]);
        assert!(some.allow(&[Scope::NotesRead]) && !some.allow(&[Scope::NotesWrite]));
        assert!(some.allow(&[Scope::DeckWrite, Scope::NotesRead]));
        assert!(!some.allow(&[Scope::DeckWrite, Scope::FilesRead]));
    }

    #[test]
    fn only_reads_are_read_only_and_what_loses_data_is_destructive() {
        assert!(Effect::Read.hints().read_only && !Effect::Read.hints().destructive);
        for effect in [Effect::Create, Effect::Ensure, Effect::Update, Effect::Delete] {
            assert!(!effect.hints().read_only);
        }
        assert!(Effect::Update.hints().destructive && Effect::Delete.hints().destructive);
        assert!(!Effect::Create.hints().destructive && !Effect::Ensure.hints().destructive);
    }
}
