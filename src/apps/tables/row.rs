//! Rows as the tools give them.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::column::Column;
use super::node::rest;
use super::value;
use crate::nextcloud::{Kind, Request, Subject, UrlPath};
use crate::schema::Object;
use crate::tool::{Cx, PAGE_BYTES, ToolError};
use crate::{choice, record};

/// What the names of the columns may take in an answer with rows, in bytes; more are to be read with the schema.
const LEGEND_BYTES_MAX: usize = 1_500;
/// A text is not cut below this, in bytes of JSON.
const CUT_BYTES_MIN: usize = 40;
/// The mark at the end of a text that was cut.
const CUT: char = '…';

choice! {
    /// How the cells of a row are named.
    pub enum Keys { Id = "id", Name = "name" }
}

record! {
    /// One row.
    pub struct Row {
        id: i64,
        created_by as "createdBy": Option<String>,
        created_at as "createdAt": Option<String>,
        last_edit_by as "lastEditBy": Option<String>,
        last_edit_at as "lastEditAt": Option<String>,
        data: Object,
        /// Columns whose text is too long to be shown whole.
        cut: Option<Vec<String>>,
    }
}

/// A row of Tables' API.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiRow {
    pub id: i64,
    pub table_id: i64,
    pub created_by: Option<String>,
    pub created_at: Option<String>,
    pub last_edit_by: Option<String>,
    pub last_edit_at: Option<String>,
    #[serde(default)]
    data: Vec<Cell>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cell {
    column_id: i64,
    #[serde(default)]
    value: Value,
}

impl ApiRow {
    /// What the row holds in a column; nothing is `null`.
    pub fn value(&self, column_id: i64) -> Value {
        let cell = self.data.iter().find(|cell| cell.column_id == column_id);
        cell.map(|cell| cell.value.clone()).unwrap_or_default()
    }

    /// The row with its values as Tables keeps them, by column id.
    pub fn raw(self, bytes_max: usize) -> Row {
        let data = self.data.iter().map(|cell| (cell.column_id.to_string(), cell.value.clone())).collect();
        self.shown(data, bytes_max)
    }

    /// The row for a list.
    pub fn listed(self, keys: Keys, columns: &[Column]) -> Row {
        match keys {
            Keys::Id => self.raw(PAGE_BYTES),
            Keys::Name => {
                let named = |cell: &Cell| match columns.iter().find(|column| column.id == cell.column_id) {
                    Some(column) => (column.name(columns), value::readable(column, cell.value.clone())),
                    None => (cell.column_id.to_string(), cell.value.clone()),
                };
                let data = self.data.iter().map(named).collect();
                self.shown(data, PAGE_BYTES)
            }
        }
    }

    fn shown(self, mut data: Map<String, Value>, bytes_max: usize) -> Row {
        // The members around the cells.
        let cut = fit(&mut data, bytes_max.saturating_sub(500));
        Row {
            id: self.id,
            created_by: self.created_by,
            created_at: self.created_at,
            last_edit_by: self.last_edit_by,
            last_edit_at: self.last_edit_at,
            data: Object(data),
            cut: (!cut.is_empty()).then_some(cut),
        }
    }
}

/// Reads one row. Tables shows it only to those who may read its table.
pub fn read(cx: &Cx, row_id: i64) -> Result<ApiRow, ToolError> {
    match cx.nc.json(Request::new("GET", path(row_id))).of(subject(row_id)) {
        Err(error) if error.kind == Kind::Forbidden => Err(ToolError::Refused(format!(
            "Row {row_id} belongs to a table that you may not read. If one of its views is shared with you, give its \
             `view_id`."
        ))),
        other => Ok(other?),
    }
}

/// Where one row is read, changed and deleted.
pub fn path(row_id: i64) -> UrlPath {
    rest("/rows").segment(&row_id.to_string())
}

/// Its name in a sentence.
pub fn subject(row_id: i64) -> String {
    format!("row {row_id}")
}

/// Cuts the longest texts to one length, so that all of it takes at most `bytes_max` as JSON. Gives the names of what was
/// cut.
pub fn fit(data: &mut Map<String, Value>, bytes_max: usize) -> Vec<String> {
    let lengths: Vec<(usize, usize)> =
        data.iter().map(|(name, value)| (name.len() + 4, value.to_string().len())).collect();
    let total = |cap: usize| lengths.iter().map(|(name, value)| name + value.min(&cap)).sum::<usize>();
    let mut cap = usize::MAX;
    while cap > CUT_BYTES_MIN && total(cap) > bytes_max {
        cap = cap.min(bytes_max) / 10 * 9;
    }
    let mut cut = Vec::new();
    for ((name, value), (_, length)) in data.iter_mut().zip(&lengths) {
        if *length > cap {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            *value = shortened(&text, cap.saturating_sub(8)).into();
            cut.push(name.clone());
        }
    }
    cut
}

fn shortened(text: &str, room_bytes: usize) -> String {
    let mut used = 0;
    let kept = text.chars().take_while(|c| {
        used += match c {
            '"' | '\\' | '\n' | '\r' | '\t' => 2,
            c if c.is_control() => 6,
            c => c.len_utf8(),
        };
        used <= room_bytes
    });
    kept.chain([CUT]).collect()
}

/// The titles of the columns by id, once for all rows, unless they take more than they help.
pub fn legend(columns: &[Column]) -> Option<Object> {
    let titles: Map<String, Value> =
        columns.iter().map(|column| (column.id.to_string(), column.title.clone().into())).collect();
    (Value::Object(titles.clone()).to_string().len() <= LEGEND_BYTES_MAX).then_some(Object(titles))
}

/// A link to a row for a browser.
pub fn link(cx: &Cx, table_id: i64, view_id: Option<i64>, row_id: i64) -> Option<String> {
    let (node, id) = view_id.map_or(("table", table_id), |view_id| ("view", view_id));
    cx.link(&format!("/index.php/apps/tables/#/{node}/{id}/row/{row_id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    #[test]
    fn only_what_is_too_long_is_cut() {
        let mut data = map(json!({"1": "short", "2": "\"".repeat(9000), "3": "ä".repeat(500), "4": 7}));
        assert_eq!(fit(&mut data, 5_000), ["2"]);
        assert!(Value::Object(data.clone()).to_string().len() <= 5_000);
        assert_eq!(data["3"].as_str().map(|text| text.chars().count()), Some(500));
        assert!(data["2"].as_str().is_some_and(|text| text.len() > 1_000 && text.ends_with("\"…")));
        assert_eq!(fit(&mut data, 5_000), [""; 0]);
    }

    #[test]
    fn many_long_texts_are_cut_alike() {
        let mut data: Map<String, Value> =
            (0..50).map(|i| (i.to_string(), "x\n".repeat(500).into())).collect();
        assert_eq!(fit(&mut data, 9_000).len(), 50);
        let bytes = Value::Object(data).to_string().len();
        assert!((5_000..=9_000).contains(&bytes), "{bytes}");
    }
}
