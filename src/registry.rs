//! All tools and resources in order; what of them a caller sees; how a tool is described.

mod docs;

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::apps;
use crate::nextcloud::Capabilities;
use crate::tool::{App, Needs, Resource, Scope, Scopes, Tool, Variables};

pub use docs::tools_markdown;

/// Which of all tools this server offers at all; set at start.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Names of apps; empty = all.
    pub apps: Vec<String>,
    /// Only tools that change nothing.
    pub read_only: bool,
    /// Hide what Nextcloud, as far as it says so, does not have.
    pub capability_gating: bool,
}

/// The tools and resources of this server. The order is that of the tables and never changes.
pub struct Registry {
    apps: Vec<&'static App>,
    read_only: bool,
    capability_gating: bool,
}

/// What decides about visibility, apart from the server's own selection.
pub struct View<'a> {
    pub scopes: &'a Scopes,
    /// `None` when Nextcloud could not be asked: then everything is shown, and a call will tell.
    pub capabilities: Option<&'a Capabilities>,
}

impl Registry {
    pub fn new(selection: &Selection) -> Registry {
        Registry::of(apps::ALL, selection)
    }

    /// The same from a table of one's own.
    pub fn of(apps: &[&'static App], selection: &Selection) -> Registry {
        let chosen =
            |app: &&&App| selection.apps.is_empty() || selection.apps.iter().any(|name| name == app.name);
        Registry {
            apps: apps.iter().filter(chosen).copied().collect(),
            read_only: selection.read_only,
            capability_gating: selection.capability_gating,
        }
    }

    /// The apps that this server offers.
    pub fn apps(&self) -> impl Iterator<Item = &'static App> {
        self.apps.iter().copied()
    }

    /// Whether what Nextcloud does not have is hidden.
    pub fn gates_by_capability(&self) -> bool {
        self.capability_gating
    }

    /// Every tool that this server offers, whoever asks.
    pub fn tools(&self) -> impl Iterator<Item = &'static Tool> {
        self.apps
            .iter()
            .flat_map(|app| app.tools)
            .filter(|tool| !self.read_only || tool.effect.hints().read_only)
    }

    /// Every resource and template that this server offers, whoever asks.
    pub fn resources(&self) -> impl Iterator<Item = &'static Resource> {
        self.apps.iter().flat_map(|app| app.resources)
    }

    /// The scopes that something of this server asks for, in the order of the documentation.
    pub fn scopes(&self) -> Vec<Scope> {
        let tools = self.tools().map(|tool| tool.scopes);
        let asked: BTreeSet<Scope> =
            tools.chain(self.resources().map(|resource| resource.scopes)).flatten().copied().collect();
        Scope::ALL.iter().copied().filter(|scope| asked.contains(scope)).collect()
    }

    /// The tool of this name, if this server offers it.
    pub fn tool(&self, name: &str) -> Option<&'static Tool> {
        self.tools().find(|tool| tool.name == name)
    }

    /// The resource that this URI names, with the values of its template's variables.
    pub fn resource(&self, uri: &str) -> Option<(&'static Resource, Variables)> {
        self.resources().find_map(|resource| Some((resource, match_uri(resource.uri, uri)?)))
    }
}

impl View<'_> {
    pub fn shows(&self, tool: &Tool) -> bool {
        self.scopes.allow(tool.scopes) && self.meets(tool.needs)
    }

    pub fn shows_resource(&self, resource: &Resource) -> bool {
        self.scopes.allow(resource.scopes) && self.meets(resource.needs)
    }

    /// Whether what a tool needs is there, or cannot be known.
    pub fn meets(&self, needs: Needs) -> bool {
        self.capabilities.is_none_or(|capabilities| needs.met_by(capabilities))
    }
}

/// A tool as `tools/list` shows it: compact, since a model pays for every byte. No title, as ours would only repeat
/// the name; no output schema, as results explain themselves.
pub fn describe(tool: &Tool) -> Value {
    let hints = tool.effect.hints();
    json!({
        "name": tool.name,
        "description": tool.about,
        "inputSchema": tool.handler.input_schema(),
        "annotations": {
            "readOnlyHint": hints.read_only,
            "destructiveHint": hints.destructive,
            "idempotentHint": hints.idempotent,
            "openWorldHint": hints.open_world,
        },
    })
}

/// A resource as `resources/list` shows it, a template as `resources/templates/list` does.
pub fn describe_resource(resource: &Resource) -> Value {
    let uri = if resource.is_template() { "uriTemplate" } else { "uri" };
    let mut described = json!({uri: resource.uri, "name": resource.name, "description": resource.about});
    if let Some(mime) = resource.mime {
        described["mimeType"] = mime.into();
    }
    described
}

/// Matches a URI with a template of RFC 6570 level 1. A variable stands for one or more characters without a slash,
/// and its value is percent-decoded; text that is no UTF-8 after decoding does not match.
fn match_uri(template: &'static str, uri: &str) -> Option<Variables> {
    let mut variables = Vec::new();
    let mut rest = uri;
    let mut template_rest = template;
    while let Some(open) = template_rest.find('{') {
        let close = open + template_rest[open..].find('}')?;
        rest = rest.strip_prefix(&template_rest[..open])?;
        let name = &template_rest[open + 1..close];
        template_rest = &template_rest[close + 1..];
        let end = rest.find('/').unwrap_or(rest.len());
        let value = percent_decode_str(&rest[..end]).decode_utf8().ok()?.into_owned();
        if value.is_empty() {
            return None;
        }
        variables.push((name, value));
        rest = &rest[end..];
    }
    (rest == template_rest).then_some(Variables(variables))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scopes_of_what_is_offered_are_asked_for() {
        let scopes = |apps: &[&str], read_only| {
            let apps = apps.iter().map(|app| (*app).to_owned()).collect();
            Registry::new(&Selection { apps, read_only, ..Selection::default() }).scopes()
        };
        assert_eq!(scopes(&["notes"], false), [Scope::NotesRead, Scope::NotesWrite]);
        assert_eq!(scopes(&["notes", "files"], true), [Scope::NotesRead, Scope::FilesRead]);
        assert_eq!(scopes(&["server"], false), []);
    }

    #[test]
    fn a_template_matches_whole_segments_and_decodes_them() {
        let template = "nc://Notes/{note_id}/attachments/{name}";
        let found = match_uri(template, "nc://Notes/88/attachments/a%20b%2Fc.png").unwrap();
        assert_eq!(found, Variables(vec![("note_id", "88".into()), ("name", "a b/c.png".into())]));
        for other in [
            "nc://Notes/88",
            "nc://Notes//attachments/x",
            "nc://Notes/88/attachments/",
            "nc://Notes/88/attachments/x/y",
            "nc://Notes/88/attachments/%ff",
        ] {
            assert_eq!(match_uri(template, other), None, "{other}");
        }
        assert_eq!(match_uri("nc://capabilities", "nc://capabilities"), Some(Variables(vec![])));
        assert_eq!(match_uri("nc://capabilities", "nc://capabilities/"), None);
    }
}
