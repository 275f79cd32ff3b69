//! What a tool or resource must be like, so that every client and model can use it.

use std::collections::{BTreeMap, BTreeSet};

use nextcloud_mcp_server::registry::{Registry, Selection, describe};
use nextcloud_mcp_server::tool::{Resource, Scope, Tool};

use crate::schema;

/// Clients put their own prefix before the name, and some allow 60 altogether.
const NAME_LENGTH_MAX: usize = 40;
/// Ours start alike, so that they do not clash with those of a neighbouring server.
const PREFIXES: [&str; 3] = ["nc_", "deck_", "collectives_"];
/// Every model pays for it before its first word.
const LIST_BYTES_MAX: usize = 70_000;
/// Claude Code cuts descriptions at 2 kB.
const ABOUT_BYTES_MAX: usize = 1_024;
/// The part that some clients show alone.
const FIRST_SENTENCE_CHARS_MAX: usize = 200;

#[test]
fn every_tool_keeps_the_rules() {
    let faults: Vec<String> = registry().tools().flat_map(tool_faults).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_resource_keeps_the_rules() {
    let faults: Vec<String> = registry().resources().flat_map(resource_faults).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn names_and_uris_are_unique() {
    let registry = registry();
    assert_eq!(repeated(registry.tools().map(|tool| tool.name)), [""; 0]);
    assert_eq!(repeated(registry.resources().map(|resource| resource.uri)), [""; 0]);
    assert_eq!(repeated(registry.apps().map(|app| app.name)), [""; 0]);
}

#[test]
fn the_list_of_all_tools_stays_small() {
    let registry = registry();
    let tools: Vec<_> = registry.tools().map(describe).collect();
    let bytes = serde_json::Value::from(tools).to_string().len();
    assert!(bytes <= LIST_BYTES_MAX, "{bytes} bytes: say it in fewer words");
}

#[test]
fn every_scope_of_an_app_is_asked_for() {
    let registry = registry();
    let tools = registry.tools().map(|tool| tool.scopes);
    let used: BTreeSet<Scope> =
        tools.chain(registry.resources().map(|resource| resource.scopes)).flatten().copied().collect();
    let has_app = |name: &str| registry.apps().any(|app| name.starts_with(&format!("{}:", app.name)));
    for scope in Scope::ALL {
        assert!(used.contains(scope) || !has_app(scope.name()), "nothing asks for {}", scope.name());
    }
}

pub fn registry() -> Registry {
    Registry::new(&Selection::default())
}

fn tool_faults(tool: &'static Tool) -> Vec<String> {
    let mut faults = name_faults(tool.name);
    faults.extend(about_faults(tool.name, tool.about));
    faults.extend(scope_faults(tool.scopes));
    let reads = tool.effect.hints().read_only;
    if !tool.scopes.is_empty() && tool.scopes.iter().all(|scope| scope.name().ends_with(":read")) != reads {
        faults.push(format!("{:?} does not go with {:?}", tool.effect, tool.scopes));
    }
    faults.extend(schema::faults(&describe(tool)["inputSchema"]));
    faults.into_iter().map(|fault| format!("{}: {fault}", tool.name)).collect()
}

fn resource_faults(resource: &'static Resource) -> Vec<String> {
    let mut faults = about_faults(resource.name, resource.about);
    faults.extend(scope_faults(resource.scopes));
    if resource.name.is_empty() {
        faults.push("no name".into());
    }
    // The last two are the reference's, whose clients know them.
    if !["nc://", "notes://", "cookbook://"].iter().any(|scheme| resource.uri.starts_with(scheme)) {
        faults.push("the URI has another scheme than nc:".into());
    }
    let variable = |segment: &str| {
        segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    };
    for segment in resource.uri.split('/').filter(|segment| segment.contains(['{', '}'])) {
        if !variable(segment) {
            faults.push(format!("{segment} is not a variable that fills its segment"));
        }
    }
    faults.into_iter().map(|fault| format!("{}: {fault}", resource.uri)).collect()
}

fn name_faults(name: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if name.len() > NAME_LENGTH_MAX {
        faults.push(format!("the name has more than {NAME_LENGTH_MAX} letters"));
    }
    if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        faults.push("the name has other letters than [a-z0-9_]".into());
    }
    if !PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        faults.push(format!("the name starts with none of {}", PREFIXES.join(", ")));
    }
    faults
}

fn about_faults(name: &str, about: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if about.len() > ABOUT_BYTES_MAX {
        faults.push(format!("the description has more than {ABOUT_BYTES_MAX} bytes"));
    }
    if about.trim() != about || about.chars().any(|c| c.is_control() && c != '\n') {
        faults.push("the description has stray space or control characters".into());
    }
    match first_sentence(about) {
        None => faults.push("the first sentence of the description does not end".into()),
        Some(first) if first.chars().count() > FIRST_SENTENCE_CHARS_MAX => {
            faults.push(format!("the first sentence has more than {FIRST_SENTENCE_CHARS_MAX} characters"));
        }
        Some(_) => {}
    }
    let said = words(name);
    if words(about).is_subset(&said) {
        faults.push("the description only repeats the name".into());
    }
    faults
}

/// Up to the first full stop that ends a line, the text, or stands before a space.
fn first_sentence(about: &str) -> Option<&str> {
    about
        .match_indices('.')
        .map(|(at, _)| &about[..=at])
        .find(|sentence| about[sentence.len()..].chars().next().is_none_or(char::is_whitespace))
}

/// The words that carry meaning, in one form.
fn words(text: &str) -> BTreeSet<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !["", "a", "an", "the", "of", "in", "to", "for", "nc", "nextcloud"].contains(word))
        .map(|word| word.strip_suffix('s').unwrap_or(word).to_owned())
        .collect()
}

fn scope_faults(scopes: &'static [Scope]) -> Option<String> {
    let unknown = scopes.iter().find(|scope| !Scope::ALL.contains(scope))?;
    Some(format!("{unknown:?} is not in Scope::ALL"))
}

fn repeated<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_insert(0) += 1;
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name).collect()
}

mod caught {
    use nextcloud_mcp_server::params;
    use nextcloud_mcp_server::tool::{Cx, Effect, Needs, Output, ResourceBody, ToolError, typed};

    use super::*;

    params! { struct Nothing {} }

    fn nothing(_: &Cx, _: Nothing) -> Result<Output, ToolError> {
        Ok(Output { structured: None, content: Vec::new() })
    }

    const GOOD: Tool = Tool {
        name: "nc_notes_create_note",
        about: "Create a note. Fails if the folder is read-only, e.g. a shared one.",
        scopes: &[Scope::NotesWrite],
        effect: Effect::Create,
        needs: Needs::Nothing,
        handler: &typed(nothing),
    };

    const GOOD_RESOURCE: Resource = Resource {
        uri: "nc://Notes/{note_id}",
        name: "Note",
        about: "A note with its text.",
        mime: None,
        scopes: &[Scope::NotesRead],
        needs: Needs::Nothing,
        read: |_, _| Ok(ResourceBody::Text { mime: String::new(), text: String::new() }),
    };

    #[test]
    fn a_good_tool_has_no_fault() {
        static TOOL: Tool = GOOD;
        assert_eq!(tool_faults(&TOOL), [""; 0]);
        static RESOURCE: Resource = GOOD_RESOURCE;
        assert_eq!(resource_faults(&RESOURCE), [""; 0]);
    }

    #[test]
    fn each_fault_of_a_tool_is_seen() {
        static BAD: [Tool; 9] = [
            Tool { name: "nc_a_name_of_more_than_forty_letters_in_all", ..GOOD },
            Tool { name: "nc_Notes", ..GOOD },
            Tool { name: "notes_create_note", ..GOOD },
            Tool { about: "", ..GOOD },
            Tool { about: "Create a note", ..GOOD },
            Tool { about: "Create the notes.", ..GOOD },
            Tool { about: "Make a new note. ", ..GOOD },
            Tool { scopes: &[Scope::NotesRead], ..GOOD },
            Tool { effect: Effect::Read, ..GOOD },
        ];
        for tool in &BAD {
            assert!(!tool_faults(tool).is_empty(), "{}: {}", tool.name, tool.about);
        }
        assert!(!about_faults("n", &format!("{}.", "long ".repeat(300))).is_empty());
        assert!(!about_faults("n", &format!("A {} sentence.", "long ".repeat(50))).is_empty());
    }

    #[test]
    fn each_fault_of_a_resource_is_seen() {
        static BAD: [Resource; 5] = [
            Resource { uri: "https://example.org", ..GOOD_RESOURCE },
            Resource { uri: "nc://Notes/note-{id}", ..GOOD_RESOURCE },
            Resource { uri: "nc://Notes/{+path}", ..GOOD_RESOURCE },
            Resource { about: "Note.", ..GOOD_RESOURCE },
            Resource { name: "", ..GOOD_RESOURCE },
        ];
        for resource in &BAD {
            assert!(!resource_faults(resource).is_empty(), "{}: {}", resource.uri, resource.about);
        }
    }

    #[test]
    fn repeated_names_are_seen() {
        assert_eq!(repeated(["a", "b", "a"].into_iter()), ["a"]);
    }
}
