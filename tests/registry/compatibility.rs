//! What a client of the reference finds again here: tools, parameters, result fields, resources. Every difference stands,
//! with its reason, in `fixtures/compatibility/differences.json`, and one that is gone must leave it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use nextcloud_mcp_server::registry::Registry;
use nextcloud_mcp_server::tool::Tool;
use serde_json::{Map, Value};

use crate::generated::{compare_files, in_repository, may_update};
use crate::rules::registry;

/// One thing that is not as in the reference: `("nc_webdav_read_file", "result.parsed")`.
type Place = (String, String);

#[test]
fn every_difference_to_the_reference_has_its_reason() {
    let found = compare(&reference(), &registry());
    let reasons = reasons();
    let unexplained: Vec<String> = found
        .iter()
        .filter(|(place, _)| !reasons.iter().any(|reason| reason.covers(place)))
        .map(|((tool, at), what)| format!("{tool} {at}: {what}"))
        .collect();
    assert!(unexplained.is_empty(), "differences without a reason:\n{}", unexplained.join("\n"));
    let stale: Vec<String> = reasons
        .iter()
        .filter(|reason| !found.keys().any(|place| reason.covers(place)))
        .map(|reason| format!("{} {}", reason.tool, reason.at))
        .collect();
    assert!(stale.is_empty(), "reasons for what is no difference:\n{}", stale.join("\n"));
}

#[test]
fn the_page_of_differences_is_fresh() {
    let wanted =
        BTreeMap::from([("compatibility.md".to_owned(), page(&reference(), &registry(), &reasons()))]);
    compare_files(&in_repository("docs"), &wanted, may_update());
}

/// A row of `differences.json`; `*` in `tool` and `at` stands for any text.
struct Reason {
    tool: String,
    at: String,
    why: String,
}

impl Reason {
    fn covers(&self, (tool, at): &Place) -> bool {
        fits(&self.tool, tool) && (fits(&self.at, at) || at.starts_with(&format!("{}.", self.at)))
    }
}

fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| fits(tail, &rest[at..]))
        }),
    }
}

fn read(name: &str) -> Value {
    let path = in_repository("fixtures/compatibility").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn reference() -> Value {
    read("reference.json")
}

fn reasons() -> Vec<Reason> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let read = read("differences.json");
    let rows = read.as_array().unwrap().iter();
    rows.map(|row| Reason { tool: text(row, "tool"), at: text(row, "at"), why: text(row, "why") }).collect()
}

fn compare(reference: &Value, registry: &Registry) -> BTreeMap<Place, String> {
    let mut found = BTreeMap::new();
    for wanted in reference["tools"].as_array().unwrap() {
        let name = wanted["name"].as_str().unwrap();
        let mut differs = |at: String, what: String| {
            found.insert((name.to_owned(), at), what);
        };
        match registry.tool(name) {
            None => differs("tool".into(), "is missing".into()),
            Some(tool) => compare_tool(tool, wanted, &mut differs),
        }
    }
    for kind in ["resources", "resource_templates"] {
        for uri in reference[kind].as_array().unwrap().iter().filter_map(Value::as_str) {
            if !registry.resources().any(|resource| resource.uri == uri) {
                found.insert((uri.to_owned(), "resource".into()), "is missing".into());
            }
        }
    }
    found
}

fn compare_tool(tool: &'static Tool, wanted: &Value, differs: &mut dyn FnMut(String, String)) {
    let input = tool.handler.input_schema();
    for (version, is_latest) in [("seed", false), ("latest", true)] {
        let parameters = wanted[version]["input"].as_object();
        for (name, parameter) in parameters.into_iter().flatten() {
            compare_parameter(&input, name, parameter, is_latest, differs);
        }
    }
    let takes = ["latest", "seed"].iter().find_map(|version| wanted[version]["input"].as_object());
    for name in input["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if takes.is_some_and(|takes| takes.get(name).is_none_or(|parameter| parameter["required"] != true)) {
            differs(format!("parameters.{name}"), "is required here only".into());
        }
    }
    if let Some(read_only) = wanted["latest"]["annotations"].get("readOnlyHint")
        && *read_only != tool.effect.hints().read_only
    {
        differs("readOnlyHint".into(), format!("is {read_only} there"));
    }
    let output = tool.handler.output_schema();
    for version in ["seed", "latest"] {
        match (&output, wanted[version].get("output")) {
            (Some(schema), Some(fields)) => compare_type(schema, fields, "result", differs),
            (None, Some(_)) => differs("result".into(), "has no schema".into()),
            (_, None) => {}
        }
    }
}

fn compare_parameter(
    input: &Value,
    name: &str,
    parameter: &Value,
    is_latest: bool,
    differs: &mut dyn FnMut(String, String),
) {
    let at = format!("parameters.{name}");
    let Some(ours) = input["properties"].get(name) else {
        return differs(at, "is not taken".into());
    };
    compare_type(ours, &parameter["type"], &at, differs);
    let default = parameter.get("default").filter(|default| is_latest && !is_nothing(default));
    if let Some(default) = default
        && ours.get("default") != Some(default)
    {
        let here = ours.get("default").unwrap_or(&Value::Null);
        differs(format!("{at}.default"), format!("is {default} there, {here} here"));
    }
}

/// A default that says "not given".
fn is_nothing(default: &Value) -> bool {
    default.is_null() || *default == "" || *default == false
}

/// Whether a schema of ours has all that a type of the reference has. Its types are written as
/// `"string?"`, `"integer|string"`, `"enum(a,b)"`, `[item]`, `[one, other]` for one of several, `{"nullable": type}` and
/// `{field: type}`.
fn compare_type(ours: &Value, theirs: &Value, at: &str, differs: &mut dyn FnMut(String, String)) {
    match theirs {
        Value::String(theirs) => {
            if !is_compatible(ours, theirs) {
                differs(at.to_owned(), format!("is {theirs} there, {} here", ours["type"]));
            }
        }
        Value::Array(alternatives) if alternatives.len() > 1 => {
            let differences = alternatives.iter().map(|theirs| {
                let mut found = Vec::new();
                compare_type(ours, theirs, at, &mut |at, what| found.push((at, what)));
                found
            });
            for (at, what) in differences.min_by_key(Vec::len).unwrap_or_default() {
                differs(at, what);
            }
        }
        Value::Array(items) if ours["type"] == "array" => {
            for item in items {
                compare_type(&ours["items"], item, &format!("{at}[]"), differs);
            }
        }
        Value::Object(fields) if fields.len() == 1 && fields.contains_key("nullable") => {
            compare_type(ours, &fields["nullable"], at, differs);
        }
        Value::Object(fields) if ours["type"] == "object" => compare_fields(ours, fields, at, differs),
        theirs => differs(at.to_owned(), format!("is {theirs} there, {} here", ours["type"])),
    }
}

fn compare_fields(
    ours: &Value,
    fields: &Map<String, Value>,
    at: &str,
    differs: &mut dyn FnMut(String, String),
) {
    let Some(properties) = ours["properties"].as_object().filter(|properties| !properties.is_empty()) else {
        // Its members are not ours to name: Nextcloud's own are passed on.
        return;
    };
    for (name, theirs) in fields {
        let at = format!("{at}.{name}");
        match properties.get(name) {
            Some(ours) => compare_type(ours, theirs, &at, differs),
            None => differs(at, "is not given".into()),
        }
    }
}

fn is_compatible(ours: &Value, theirs: &str) -> bool {
    let theirs = theirs.trim_end_matches('?');
    if let Some(item) = theirs.strip_suffix("[]") {
        return ours["type"] == "array" && is_compatible(&ours["items"], item);
    }
    let ours_type = ours["type"].as_str().unwrap_or_default();
    match theirs.split_once(['(', ':']).map_or(theirs, |(name, _)| name) {
        "any" => true,
        "enum" => {
            let words = theirs.trim_start_matches("enum(").trim_end_matches(')').split(',');
            let here = ours["enum"].as_array();
            ours_type == "string"
                && words.into_iter().all(|word| here.is_none_or(|here| here.iter().any(|w| w == word)))
        }
        "number" => matches!(ours_type, "number" | "integer"),
        theirs => theirs.split('|').any(|theirs| theirs == ours_type),
    }
}

fn page(reference: &Value, registry: &Registry, reasons: &[Reason]) -> String {
    let mut page = String::from(
        "# Compatibility with the Python server\n\n\
         Prompts and clients that worked with the Python server (*the reference*, 0.22.7 to 0.202.1) go on working: tools, \
         parameters and results have the same names. `tests/registry/compatibility.rs` compares them with \
         `fixtures/compatibility/reference.json`, field by field; what differs on purpose stands below, and an unexplained \
         difference fails the test.\n\n\
         | app | tools there | here | parameters | result fields |\n|---|---|---|---|---|\n",
    );
    let tools = reference["tools"].as_array().unwrap();
    let mut apps: Vec<&str> = tools.iter().filter_map(|tool| tool["app"].as_str()).collect();
    apps.dedup();
    for app in apps {
        let there: Vec<&Value> = tools.iter().filter(|tool| tool["app"] == app).collect();
        let names: BTreeSet<&str> = there.iter().filter_map(|tool| tool["name"].as_str()).collect();
        let here = names.iter().filter(|name| registry.tool(name).is_some()).count();
        let latest = |member: &str| -> usize {
            let of = |tool: &&Value| {
                let versions = [&tool["latest"], &tool["seed"]];
                versions.iter().find_map(|version| version[member].as_object()).map_or(0, Map::len)
            };
            there.iter().map(of).sum()
        };
        let _ = writeln!(
            page,
            "| {app} | {} | {here} | {} | {} |",
            names.len(),
            latest("input"),
            latest("output")
        );
    }
    page.push_str("\n## Differences\n\n| tool | what | why |\n|---|---|---|\n");
    for reason in reasons {
        let _ = writeln!(page, "| `{}` | `{}` | {} |", reason.tool, reason.at, reason.why);
    }
    page.push_str("\n## What behaves otherwise\n\n| app | |\n|---|---|\n");
    for row in read("behaviour.json").as_array().unwrap() {
        let _ = writeln!(page, "| {} | {} |", row["app"].as_str().unwrap(), row["what"].as_str().unwrap());
    }
    page.push_str(
        "\nEverywhere:\n\n\
         - Parameters that the reference does not have are optional.\n\
         - A field without a value is left out, where the reference writes `null`.\n\
         - Long lists come in pages of at most 20 kB with `next_cursor`; the reference sends all of it.\n\
         - A failure is a result with `isError` and a sentence that says what to do, never a success with a `status_code` of \
         400 or more.\n\
         - An argument that is not known is refused with the nearest known name; the reference ignores it.\n",
    );
    page
}

mod caught {
    use serde_json::json;

    use super::*;

    fn differences(ours: Value, theirs: Value) -> Vec<String> {
        let mut found = Vec::new();
        compare_type(&ours, &theirs, "result", &mut |at, _| found.push(at));
        found
    }

    #[test]
    fn each_kind_of_difference_is_seen() {
        let schema = |of: Value| json!({"type": "object", "properties": of});
        let text = json!({"type": "string"});
        let list = json!({"type": "array", "items": schema(json!({"id": {"type": "integer"}}))});
        assert_eq!(differences(schema(json!({"a": text})), json!({"a": "string?"})), [""; 0]);
        assert_eq!(differences(schema(json!({"a": text})), json!({"a": "integer"})), ["result.a"]);
        assert_eq!(differences(schema(json!({"a": text})), json!({"b": "string"})), ["result.b"]);
        assert_eq!(differences(list.clone(), json!([{"id": "integer|string"}])), [""; 0]);
        assert_eq!(
            differences(list.clone(), json!([{"id": "string", "x": "any"}])),
            ["result[].id", "result[].x"]
        );
        assert_eq!(differences(list.clone(), json!({"nullable": {"id": "integer"}})), ["result"]);
        assert_eq!(differences(list, json!([["string", {"id": "integer"}]])), [""; 0], "one of two");
        assert_eq!(differences(schema(json!({"a": text})), json!(["integer", {"a": "integer"}])), ["result"]);
        let word = json!({"type": "string", "enum": ["a", "b"]});
        assert_eq!(differences(word.clone(), json!("enum(a,b)?")), [""; 0]);
        assert_eq!(differences(word, json!("enum(a,c)")), ["result"]);
    }

    #[test]
    fn a_reason_covers_its_place_and_what_is_in_it() {
        let reason = Reason { tool: "nc_*_list_*".into(), at: "result.a".into(), why: String::new() };
        let covers = |tool: &str, at: &str| reason.covers(&(tool.into(), at.into()));
        assert!(covers("nc_x_list_y", "result.a") && covers("nc_x_list_y", "result.a.b"));
        assert!(!covers("nc_x_get_y", "result.a") && !covers("nc_x_list_y", "result.ab"));
    }
}
