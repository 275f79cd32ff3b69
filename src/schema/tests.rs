use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

crate::params! {
    /// A search.
    struct Search {
        /// Words to
        /// look for.
        query: String,
        scope: Option<DavPath>,
        limit: Count<1, 200> = 20,
        exact: bool = false,
        tags: Option<Vec<String>>,
        mode: Option<Mode>,
    }
}

crate::choice! {
    /// How.
    enum Mode { Fast = "fast", Deep = "deep" }
}

crate::record! {
    /// An answer.
    struct Found { id: i64, mime as "mimeType": Option<String>, list: Vec<i64> }
}

fn read(value: Value) -> Result<Search, String> {
    Search::read(value)
}

#[test]
fn schema_has_members_in_order_descriptions_defaults_and_required() {
    assert_eq!(
        Search::schema(),
        json!({"type": "object", "properties": {
            "query": {"type": "string", "description": "Words to look for."},
            "scope": {"type": "string"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 200, "default": 20},
            "exact": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "mode": {"type": "string", "enum": ["fast", "deep"]},
        }, "required": ["query"]})
    );
    let names: Vec<_> = Search::schema()["properties"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["query", "scope", "limit", "exact", "tags", "mode"]);
}

#[test]
fn sloppy_values_are_taken_where_they_are_not_ambiguous() {
    let search =
        read(json!({"query": 7, "limit": "30", "exact": "True", "tags": "[\"a\"]", "scope": null})).unwrap();
    assert_eq!((search.query.as_str(), search.limit.get(), search.exact), ("7", 30, true));
    assert_eq!(search.tags, Some(vec!["a".to_owned()]));
    assert_eq!(search.scope, None);
    assert_eq!(read(json!("{\"query\": \"x\", \"limit\": 3.0}")).unwrap().limit.get(), 3);
    assert_eq!(read(json!({"query": "x", "limit": null})).unwrap().limit.get(), 20);
}

#[test]
fn every_fault_is_told_at_once_with_the_nearest_name() {
    let why = read(json!({"querry": "x", "limit": 500, "mode": "slow"})).unwrap_err();
    for part in [
        "`query` is required but missing",
        "`limit`: expected an integer from 1 to 200, got 500",
        "`mode`: expected one of fast deep, got \"slow\"",
        "`querry` is not known; did you mean `query`?",
    ] {
        assert!(why.contains(part), "{part} is not in {why}");
    }
    assert!(read(json!([1])).unwrap_err().contains("expected an object"));
    assert!(read(json!({"query": ["x"]})).unwrap_err().contains("expected a string"));
}

#[test]
fn absent_output_members_are_left_out_and_unknown_input_is_ignored() {
    let found = Found::read(json!({"id": 1, "list": [], "new": {}})).unwrap();
    assert_eq!(found.clone().write(), json!({"id": 1, "list": []}));
    let found = Found { mime: Some("a/b".into()), ..found };
    assert_eq!(found.write(), json!({"id": 1, "mimeType": "a/b", "list": []}));
}

#[test]
fn a_number_that_a_double_cannot_hold_is_refused() {
    assert!(i64::read(json!(1e300)).is_err());
    assert!(i64::read(json!(1.5)).is_err());
    assert!(u64::read(json!(-1)).is_err());
    assert!(f64::read(json!("NaN")).is_err());
}

#[test]
fn paths_stay_below_the_top_folder() {
    assert_eq!(DavPath::parse("/a//b c/").unwrap().canonical(), "/a/b c");
    assert_eq!(DavPath::parse("").unwrap().canonical(), "/");
    for bad in ["..", "a/../b", "a/./b", "a\nb", "a\0"] {
        assert!(DavPath::parse(bad).is_err(), "{bad:?} was accepted");
    }
    assert!(DavPath::parse("a/..b/...").is_ok());
    assert!(DavPath::parse(&"x".repeat(5_000)).is_err());
}

#[test]
fn etags_come_to_one_spelling() {
    for text in ["abc", "\"abc\"", "W/\"abc\"", "\"abc-gzip\"", "W/\"abc-gzip\"", " abc ", "\"abc\"-gzip"] {
        assert_eq!(Etag::parse(text).unwrap().as_str(), "abc", "{text}");
    }
    assert!(Etag::parse("*").unwrap().is_any());
    for bad in ["", "\"\"", "a\r\nb", "a\"b", "ä"] {
        assert!(Etag::parse(bad).is_err(), "{bad:?} was accepted");
    }
}

proptest! {
    #[test]
    fn reading_never_panics(text in ".{0,80}") {
        let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        let _ = read(value.clone());
        let _ = Found::read(value.clone());
        let _ = Vec::<i64>::read(value);
    }

    #[test]
    fn a_path_keeps_its_segments(segments in prop::collection::vec("[^/\\p{Cc}]{1,12}", 0..6)) {
        prop_assume!(segments.iter().all(|s| s != "." && s != ".."));
        let path = DavPath::parse(&segments.join("/")).unwrap();
        prop_assert_eq!(path.segments().collect::<Vec<_>>(), segments);
    }
}
