//! Whether an input schema is dull enough: one that is not makes some model providers drop the server's whole list.

use serde_json::Value;

/// Every key that a schema may have. All others are refused, so `$ref`, `oneOf`, `anyOf`, `allOf`, `not`, `const`,
/// `patternProperties`, `additionalProperties` and whatever comes next.
const KEYS: [&str; 13] = [
    "type",
    "description",
    "properties",
    "required",
    "items",
    "enum",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
];
const ROOT_KEYS: [&str; 3] = ["type", "properties", "required"];
const PROPERTY_NAME_LENGTH_MAX: usize = 64;

/// Every fault of a tool's input schema, each with its place.
pub fn faults(root: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    if root["type"] != "object" {
        faults.push("the root is not of type object".to_owned());
    }
    for key in root.as_object().into_iter().flat_map(|members| members.keys()) {
        if !ROOT_KEYS.contains(&key.as_str()) {
            faults.push(format!("the root has {key}"));
        }
    }
    walk(root, "", &mut faults);
    faults
}

fn walk(schema: &Value, place: &str, faults: &mut Vec<String>) {
    let Some(members) = schema.as_object() else {
        faults.push(format!("{place}: a schema must be an object"));
        return;
    };
    let mut fault = |what: String| faults.push(format!("{place}: {what}"));
    for key in members.keys() {
        if !KEYS.contains(&key.as_str()) {
            fault(format!("{key} is not for every model"));
        }
    }
    let kind = schema["type"].as_str().unwrap_or_default();
    if !["object", "array", "string", "integer", "number", "boolean"].contains(&kind) {
        fault(format!("its type is {}", schema["type"]));
    }
    if let Some(default) = schema.get("default") {
        let fits = match kind {
            "string" => default.is_string(),
            "integer" => default.is_i64() || default.is_u64(),
            "number" => default.is_number(),
            "boolean" => default.is_boolean(),
            "array" => default.is_array(),
            _ => default.is_object(),
        };
        if !fits {
            fault(format!("the default {default} is not of type {kind}"));
        }
    }
    if let Some(words) = schema.get("enum") {
        let all_strings =
            words.as_array().is_some_and(|words| !words.is_empty() && words.iter().all(Value::is_string));
        if kind != "string" || !all_strings {
            fault("enum must list strings".into());
        }
    }
    if (kind == "array") != members.contains_key("items") {
        fault("an array, and nothing else, has items".into());
    }
    if (kind == "object") != schema["properties"].is_object() {
        fault("an object, and nothing else, has properties".into());
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if schema["properties"].get(name.as_str().unwrap_or_default()).is_none() {
            fault(format!("{name} is required but no property"));
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let dull = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !dull || name.is_empty() || name.len() > PROPERTY_NAME_LENGTH_MAX {
            faults.push(format!("{place}: the property name {name}"));
        }
        walk(property, &format!("{place}/{name}"), faults);
    }
    if let Some(items) = schema.get("items") {
        walk(items, &format!("{place}/[]"), faults);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(property: Value) -> Vec<String> {
        faults(&json!({"type": "object", "properties": {"p": property}}))
    }

    #[test]
    fn a_dull_schema_has_no_fault() {
        let schema = json!({
            "type": "object",
            "properties": {
                "words": {"type": "array", "items": {"type": "string", "enum": ["a"]}, "description": "d"},
                "count": {"type": "integer", "minimum": 1, "maximum": 5, "default": 2},
                "inner": {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"]},
            },
            "required": ["words"],
        });
        assert_eq!(faults(&schema), [""; 0]);
        assert_eq!(faults(&json!({"type": "object", "properties": {}})), [""; 0]);
    }

    #[test]
    fn each_fault_of_a_root_is_seen() {
        for root in [
            json!({"type": "string"}),
            json!({"type": "object"}),
            json!({"properties": {}}),
            json!({"type": "object", "properties": {}, "description": "d"}),
            json!({"type": "object", "properties": {}, "anyOf": []}),
            json!({"type": "object", "properties": {}, "$schema": "s"}),
            json!({"type": "object", "properties": {}, "required": ["p"]}),
            json!(true),
        ] {
            assert!(!faults(&root).is_empty(), "{root}");
        }
    }

    #[test]
    fn each_fault_of_a_property_is_seen() {
        for property in [
            json!({}),
            json!(true),
            json!({"type": ["string", "null"]}),
            json!({"type": "null"}),
            json!({"$ref": "#/$defs/x"}),
            json!({"type": "string", "const": "a"}),
            json!({"type": "string", "oneOf": []}),
            json!({"type": "string", "not": {}}),
            json!({"type": "integer", "enum": [1]}),
            json!({"type": "string", "enum": ["a", null]}),
            json!({"type": "string", "enum": []}),
            json!({"type": "array"}),
            json!({"type": "array", "items": [{"type": "string"}]}),
            json!({"type": "array", "items": {}}),
            json!({"type": "object"}),
            json!({"type": "object", "properties": {}, "patternProperties": {}}),
            json!({"type": "object", "properties": {}, "additionalProperties": false}),
            json!({"type": "integer", "default": "1"}),
            json!({"type": "string", "default": null}),
        ] {
            assert!(!with(property.clone()).is_empty(), "{property}");
        }
        for name in ["Name", "a-b", "ä", "", &"n".repeat(65)] {
            let schema = json!({"type": "object", "properties": {name: {"type": "string"}}});
            assert!(!faults(&schema).is_empty(), "{name}");
        }
    }
}
