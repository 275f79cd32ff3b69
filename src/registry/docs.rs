//! `docs/tools.md`, written from the tables.

use std::fmt::Write as _;

use serde_json::Value;

use super::Registry;
use crate::tool::{App, Effect, Needs, Scope, Tool};

/// The page of all apps, tools and resources that a registry offers, as Markdown.
pub fn tools_markdown(registry: &Registry) -> String {
    let mut page = String::from(
        "# Tools and resources\n\nWritten from the tables in `src/apps/`; `UPDATE=1 cargo test` rewrites this page.\n",
    );
    let tools = registry.tools().count();
    let resources = registry.resources().count();
    let _ = writeln!(page, "\n{tools} tools, {resources} resources and templates.");
    for app in registry.apps() {
        write_app(&mut page, registry, app);
    }
    page
}

fn write_app(page: &mut String, registry: &Registry, app: &App) {
    let _ = writeln!(page, "\n## {}\n\n{}", app.name, app.about);
    let tools: Vec<&Tool> = app.tools.iter().filter(|tool| registry.tool(tool.name).is_some()).collect();
    for tool in tools {
        write_tool(page, tool);
    }
    if app.resources.is_empty() {
        return;
    }
    page.push_str("\n| resource | what it is | type | scope |\n|---|---|---|---|\n");
    for resource in app.resources {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            resource.uri,
            cell(resource.about),
            resource.mime.unwrap_or("varies"),
            scopes(resource.scopes),
        );
    }
}

fn write_tool(page: &mut String, tool: &Tool) {
    let _ = writeln!(page, "\n### `{}`\n\n{}\n", tool.name, tool.about);
    let needs = match tool.needs {
        Needs::Nothing => String::new(),
        needs => format!(" · needs the app `{needs}`"),
    };
    let _ = writeln!(page, "{} · scope {}{needs}", effect(tool.effect), scopes(tool.scopes));
    let schema = tool.handler.input_schema();
    let Some(properties) = schema["properties"].as_object().filter(|properties| !properties.is_empty())
    else {
        return;
    };
    page.push_str("\n| parameter | type | | what it is |\n|---|---|---|---|\n");
    for (name, property) in properties {
        let required = schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name));
        let presence = match (required, property.get("default")) {
            (true, _) => "required".to_owned(),
            (false, Some(default)) => format!("default `{default}`"),
            (false, None) => String::new(),
        };
        let about = cell(property["description"].as_str().unwrap_or_default());
        let _ = writeln!(page, "| `{name}` | {} | {presence} | {about} |", type_name(property));
    }
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "Reads",
        Effect::Create => "Creates",
        Effect::Ensure => "Creates if missing",
        Effect::Update => "Replaces",
        Effect::Delete => "Deletes",
    }
}

/// `none`, or `` `deck:write` + `files:read` ``.
fn scopes(scopes: &[Scope]) -> String {
    if scopes.is_empty() {
        return "none".into();
    }
    scopes.iter().map(|scope| format!("`{}`", scope.name())).collect::<Vec<_>>().join(" + ")
}

/// `integer 1–200`, `array of string`, `"a"` or `"b"`.
fn type_name(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
    }
    let name = schema["type"].as_str().unwrap_or("any");
    match (schema.get("minimum"), schema.get("maximum")) {
        _ if name == "array" => format!("array of {}", type_name(&schema["items"])),
        (Some(least), Some(most)) => format!("{name} {least}–{most}"),
        (Some(least), None) => format!("{name} ≥ {least}"),
        (None, Some(most)) => format!("{name} ≤ {most}"),
        (None, None) => name.to_owned(),
    }
}

/// Text that stays in its cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::registry::Selection;
    use crate::tool::{Cx, Output, ToolError, typed};

    crate::params! { struct Nothing {} }
    crate::params! { struct Sort {
        /// By `name` | `size`.
        by: String = "name".to_owned(),
        limit: Option<i64>,
    } }

    fn nothing(_: &Cx, _: Nothing) -> Result<Output, ToolError> {
        Ok(Output { structured: None, content: Vec::new() })
    }

    fn sort(_: &Cx, _: Sort) -> Result<Output, ToolError> {
        Ok(Output { structured: None, content: Vec::new() })
    }

    const APP: App = App {
        name: "demo",
        about: "For this test",
        tools: &[
            Tool {
                name: "nc_demo_sort",
                about: "Sort it.",
                scopes: &[Scope::FilesRead],
                effect: Effect::Read,
                needs: Needs::App("files"),
                handler: &typed(sort),
            },
            Tool {
                name: "nc_demo_clear",
                about: "Clear it.",
                scopes: &[],
                effect: Effect::Delete,
                needs: Needs::Nothing,
                handler: &typed(nothing),
            },
        ],
        resources: &[],
    };

    #[test]
    fn a_page_shows_what_is_offered_and_no_more() {
        let all = tools_markdown(&Registry::of(&[&APP], &Selection::default()));
        for line in [
            "2 tools, 0 resources and templates.",
            "## demo",
            "### `nc_demo_clear`",
            "Reads · scope `files:read` · needs the app `files`",
            "Deletes · scope none",
            "| `by` | string | default `\"name\"` | By `name` \\| `size`. |",
            "| `limit` | integer |  |  |",
        ] {
            assert!(all.lines().any(|l| l == line), "no line {line:?} in\n{all}");
        }
        let selection = Selection { read_only: true, ..Selection::default() };
        let reading = tools_markdown(&Registry::of(&[&APP], &selection));
        assert!(reading.contains("nc_demo_sort") && !reading.contains("nc_demo_clear"));
    }

    #[test]
    fn types_are_told_in_words() {
        for (schema, name) in [
            (json!({"type": "integer", "minimum": 1, "maximum": 200}), "integer 1–200"),
            (json!({"type": "integer", "minimum": 0}), "integer ≥ 0"),
            (json!({"type": "array", "items": {"type": "string"}}), "array of string"),
            (json!({"type": "string", "enum": ["a", "b"]}), "`\"a\"` or `\"b\"`"),
        ] {
            assert_eq!(type_name(&schema), name);
        }
    }
}
