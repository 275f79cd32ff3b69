//! The columns of a table: what each takes, and how the caller names them.

use serde_json::{Map, Value};

use crate::schema::Object;
use crate::spelling::nearest;

/// Columns that an error names at most.
const SHOWN_MAX: usize = 20;
/// Letters of a caller's own word that an error repeats.
const SHOWN_CHARS_MAX: usize = 40;

/// One column of a table or view.
pub struct Column {
    pub id: i64,
    pub table_id: i64,
    pub title: String,
    pub is_mandatory: bool,
    pub kind: Kind,
    raw: Map<String, Value>,
}

/// What the cells of a column hold: Tables' `type` and `subtype`.
#[derive(Debug, PartialEq)]
pub enum Kind {
    /// `text-line`, `text-long`, `text-rich`.
    Text {
        chars_max: Option<usize>,
    },
    /// `text-link`, with the comma-separated kinds of link that are allowed.
    Link {
        providers: String,
    },
    Number {
        min: Option<f64>,
        max: Option<f64>,
        decimals: usize,
    },
    /// 0 to 100.
    Progress,
    /// 0 to 5.
    Stars,
    Selection(Vec<Choice>),
    MultiSelection(Vec<Choice>),
    Check,
    DateTime,
    Date,
    Time,
    UserGroup {
        many: bool,
        users: bool,
        groups: bool,
        teams: bool,
    },
    /// Of a later Tables; its values are passed on as they are.
    Unknown,
}

/// One option of a selection.
#[derive(Debug, PartialEq)]
pub struct Choice {
    pub id: i64,
    pub label: String,
    /// Taken from the list; rows may hold it still.
    pub is_deleted: bool,
}

impl Column {
    /// Reads a column of Tables' API. Fails on one without an id.
    pub fn read(raw: Map<String, Value>) -> Option<Column> {
        let text = |name: &str| raw.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let yes = |name: &str| raw.get(name).and_then(Value::as_bool).unwrap_or_default();
        let number = |name: &str| raw.get(name).and_then(as_number);
        let count = |name: &str| number(name).filter(|n| *n >= 0.0).map(|n| n as usize);
        let kind = match (text("type").as_str(), text("subtype").as_str()) {
            ("text", "link") => Kind::Link { providers: text("textAllowedPattern") },
            ("text", _) => Kind::Text { chars_max: count("textMaxLength").filter(|max| *max > 0) },
            ("number", "progress") => Kind::Progress,
            ("number", "stars") => Kind::Stars,
            ("number", _) => Kind::Number {
                min: number("numberMin"),
                max: number("numberMax"),
                decimals: count("numberDecimals").unwrap_or_default(),
            },
            ("selection", "check") => Kind::Check,
            ("selection", "multi") => Kind::MultiSelection(choices(&raw)),
            ("selection", _) => Kind::Selection(choices(&raw)),
            ("datetime", "date") => Kind::Date,
            ("datetime", "time") => Kind::Time,
            ("datetime", _) => Kind::DateTime,
            ("usergroup", _) => Kind::UserGroup {
                many: yes("usergroupMultipleItems"),
                users: yes("usergroupSelectUsers"),
                groups: yes("usergroupSelectGroups"),
                teams: yes("usergroupSelectTeams"),
            },
            _ => Kind::Unknown,
        };
        Some(Column {
            id: raw.get("id")?.as_i64()?,
            table_id: raw.get("tableId").and_then(Value::as_i64).unwrap_or_default(),
            title: text("title"),
            is_mandatory: yes("mandatory"),
            kind,
            raw,
        })
    }

    /// A member of the column as Tables gives it, unless it is empty.
    pub fn setting(&self, name: &str) -> Option<&Value> {
        self.raw.get(name).filter(|value| !is_blank(value))
    }

    /// The column for the caller, in Tables' own words: without who changed it when, and without what belongs to other
    /// types of columns.
    pub fn described(&self) -> Object {
        const KEPT: [&str; 5] = ["id", "title", "type", "subtype", "mandatory"];
        const LEFT_OUT: [&str; 7] = [
            "tableId",
            "createdBy",
            "createdByDisplayName",
            "createdAt",
            "lastEditBy",
            "lastEditByDisplayName",
            "lastEditAt",
        ];
        let own = self.raw.get("type").and_then(Value::as_str).unwrap_or_default();
        let belongs = |name: &str| match name {
            "showUserStatus" => own == "usergroup",
            _ => !["text", "number", "selection", "datetime", "usergroup"]
                .iter()
                .any(|kind| *kind != own && name.starts_with(kind)),
        };
        let says = |name: &str, value: &Value| {
            KEPT.contains(&name) || !(is_blank(value) || LEFT_OUT.contains(&name)) && belongs(name)
        };
        Object(self.raw.iter().filter(|(name, value)| says(name, value)).map(owned).collect())
    }

    /// How the caller names the column without being misunderstood: by its title, or by its id where the title is not
    /// unique.
    pub fn name(&self, all: &[Column]) -> String {
        match find(all, &self.title) {
            Ok(found) if found.id == self.id => self.title.clone(),
            _ => self.id.to_string(),
        }
    }
}

/// Finds a column by its id or by its title; upper and lower case count only where titles differ in nothing else.
/// The error says which columns there are.
pub fn find<'a>(all: &'a [Column], name: &str) -> Result<&'a Column, String> {
    if let Ok(id) = name.trim().parse::<i64>()
        && let Some(column) = all.iter().find(|column| column.id == id)
    {
        return Ok(column);
    }
    let matching = |same: &dyn Fn(&str) -> bool| -> Vec<&'a Column> {
        all.iter().filter(|column| same(&column.title)).collect()
    };
    let mut found = matching(&|title| title == name);
    if found.is_empty() {
        let wanted = name.trim().to_lowercase();
        found = matching(&|title| title.trim().to_lowercase() == wanted);
    }
    match found.as_slice() {
        [column] => Ok(column),
        [] => Err(unknown(all, name)),
        several => {
            let ids: Vec<String> = several.iter().map(|column| column.id.to_string()).collect();
            Err(format!(
                "{} columns are named \"{}\"; say which by its id: {}",
                several.len(),
                shown(name),
                ids.join(", ")
            ))
        }
    }
}

fn unknown(all: &[Column], name: &str) -> String {
    let name = shown(name);
    match nearest(&name, all.iter().map(|column| column.title.as_str())) {
        Some(title) => format!("there is no column \"{name}\"; did you mean \"{title}\"?"),
        None => format!("there is no column \"{name}\"; there are {}", listed(all)),
    }
}

/// `Name (15), Count (16)`.
fn listed(all: &[Column]) -> String {
    let names = all.iter().take(SHOWN_MAX).map(|column| format!("{} ({})", shown(&column.title), column.id));
    let more = if all.len() > SHOWN_MAX { ", …" } else { "" };
    match names.collect::<Vec<_>>().join(", ") {
        names if names.is_empty() => "none".into(),
        names => names + more,
    }
}

/// A caller's word, cut to a length that can be repeated.
pub fn shown(word: &str) -> String {
    let cut: String = word.chars().take(SHOWN_CHARS_MAX).collect();
    if cut.len() < word.len() { cut + "…" } else { cut }
}

/// Whether it says nothing: `null`, `""`, `[]`.
pub fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// A number, also as text.
pub fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number| number.is_finite())
}

fn choices(raw: &Map<String, Value>) -> Vec<Choice> {
    let options = raw.get("selectionOptions").and_then(Value::as_array);
    options
        .into_iter()
        .flatten()
        .filter_map(|option| {
            Some(Choice {
                id: option["id"].as_i64()?,
                label: option["label"].as_str().unwrap_or_default().to_owned(),
                is_deleted: option["deleted"].as_bool().unwrap_or_default(),
            })
        })
        .collect()
}

fn owned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn column(value: Value) -> Column {
        let Value::Object(raw) = value else { panic!("no object") };
        Column::read(raw).expect("a column")
    }

    fn columns() -> Vec<Column> {
        [(15, "Name"), (16, "Count"), (17, "count"), (18, "Name "), (19, "15"), (20, "Twice"), (21, "Twice")]
            .map(|(id, title)| column(json!({"id": id, "title": title, "type": "text", "subtype": "line"})))
            .into()
    }

    #[test]
    fn an_id_always_works_and_comes_before_a_title() {
        let all = columns();
        assert_eq!(find(&all, "15").map(|c| c.id), Ok(15));
        assert_eq!(find(&all, " 20 ").map(|c| c.id), Ok(20));
    }

    #[test]
    fn a_title_is_taken_as_written_before_its_case_is_passed_over() {
        let all = columns();
        assert_eq!(find(&all, "Count").map(|c| c.id), Ok(16));
        assert_eq!(find(&all, "count").map(|c| c.id), Ok(17));
        assert_eq!(find(&all, "Name ").map(|c| c.id), Ok(18));
        assert_eq!(find(&all[..2], " NAME").map(|c| c.id), Ok(15));
    }

    #[test]
    fn an_ambiguous_title_is_refused_with_the_ids() {
        let all = columns();
        let error = |name| find(&all, name).map(|c| c.id).expect_err("ambiguous");
        assert_eq!(error("Twice"), "2 columns are named \"Twice\"; say which by its id: 20, 21");
        assert_eq!(error("COUNT"), "2 columns are named \"COUNT\"; say which by its id: 16, 17");
    }

    #[test]
    fn an_unknown_title_is_met_with_the_nearest_or_all() {
        let all = columns();
        let error = |name| find(&all, name).map(|c| c.id).expect_err("unknown");
        assert_eq!(
            error("Naem2"),
            "there is no column \"Naem2\"; there are Name (15), Count (16), count (17), Name  (18), 15 (19), Twice (20), Twice (21)"
        );
        assert_eq!(error("Twise"), "there is no column \"Twise\"; did you mean \"Twice\"?");
        assert_eq!(find(&[], "x").map(|c| c.id), Err("there is no column \"x\"; there are none".into()));
    }

    #[test]
    fn the_name_of_a_column_leads_back_to_it() {
        let all = columns();
        let names: Vec<String> = all.iter().map(|column| column.name(&all)).collect();
        assert_eq!(names, ["Name", "Count", "count", "Name ", "19", "20", "21"]);
    }

    #[test]
    fn a_column_is_described_without_what_belongs_to_others() {
        let described = column(json!({
            "id": 10, "tableId": 2, "title": "Price", "createdBy": "alice", "type": "number", "subtype": "",
            "mandatory": false, "description": "", "numberDefault": null, "numberMin": 0, "numberDecimals": 2,
            "numberSuffix": "€", "textDefault": "x", "selectionOptions": [], "usergroupMultipleItems": false,
            "showUserStatus": false, "technicalName": "price"
        }))
        .described();
        let expected = json!({
            "id": 10, "title": "Price", "type": "number", "subtype": "", "mandatory": false, "numberMin": 0,
            "numberDecimals": 2, "numberSuffix": "€", "technicalName": "price"
        });
        assert_eq!(Value::Object(described.0), expected);
    }
}
