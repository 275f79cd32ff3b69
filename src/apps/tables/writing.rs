//! Adding, changing and deleting rows. What goes out is checked before, what came back is compared after.

use serde_json::{Map, Value, json};

use super::column::{Column, find, is_blank, shown};
use super::node::{Node, rest};
use super::row::{ApiRow, Row, fit, legend, link};
use super::value::{default, emptied, is_kept, stored};
use crate::nextcloud::{Error, Kind, Request, Subject, UrlPath};
use crate::schema::Object;
use crate::tool::{Cx, ToolError};
use crate::{params, record};

/// What the cells of one row may take in an answer, in bytes.
const ROW_BYTES_MAX: usize = 15_000;
/// The same where the cells as they were stand beside those that are.
const HALF_BYTES_MAX: usize = 7_500;

params! {
    pub struct InsertRow {
        table_id: i64,
        /// Values by column name or id: text, number, true or false, "2026-03-01 14:30", option label or id (a list for
        /// many), [{"id": "bob", "type": 0}].
        data: Object,
        /// Adds the row through this view of the table.
        view_id: Option<i64>,
    }
}

params! {
    pub struct UpdateRow {
        row_id: i64,
        /// As for nc_tables_insert_row.
        data: Object,
        /// Needed where only this view is shared with the user.
        view_id: Option<i64>,
    }
}

params! {
    pub struct DeleteRow {
        row_id: i64,
        /// Needed where only this view is shared with the user.
        view_id: Option<i64>,
    }
}

record! {
    /// A row after a change.
    pub struct SavedRow {
        id: i64,
        table_id as "tableId": i64,
        created_by as "createdBy": Option<String>,
        created_at as "createdAt": Option<String>,
        data: Object,
        cut: Option<Vec<String>>,
        /// Titles by id.
        columns: Option<Object>,
        /// Columns that a default filled.
        defaults: Option<Vec<String>>,
        /// The changed cells as they were.
        previous: Option<Object>,
        url: Option<String>,
    }
}

record! {
    /// A row that is gone.
    pub struct DeletedRow {
        id: i64,
        message: String,
        row: Row,
    }
}

/// A cell of a row to be.
struct Cell<'a> {
    column: &'a Column,
    /// What is to be written; nothing where the cell is to stay empty.
    value: Option<Value>,
}

pub fn insert_row(cx: &Cx, p: InsertRow) -> Result<SavedRow, ToolError> {
    let node = Node::new(p.table_id, p.view_id);
    let columns = node.columns(cx, Some(p.table_id))?;
    let now = cx.clock.now().rfc3339();
    let mut cells = new_cells(&columns, p.data.0, &now)?;
    let given = cells.len();
    fill(&columns, &mut cells, &now)?;
    let defaults: Vec<String> = cells[given..].iter().map(|cell| cell.column.name(&columns)).collect();
    let request = Request::new("POST", node.new_row()).json(&json!({"data": body(&cells)}));
    let row: ApiRow = cx.nc.ocs(request).of(format!("a new row in {}", node.subject())).map_err(|error| {
        refusal(error, || format!("You may read {} but not add rows to it", node.subject()))
    })?;
    if let Some(lost) = lost(&cells, &row) {
        return Err(ToolError::Refused(format!(
            "Row {} was added to {}, but Tables did not take all of it: {lost}. Change it with nc_tables_update_row, \
             or delete it; do not add it again.",
            row.id,
            node.subject()
        )));
    }
    let mut saved = saved(cx, row, &columns, p.view_id, ROW_BYTES_MAX);
    saved.defaults = (!defaults.is_empty()).then_some(defaults);
    Ok(saved)
}

pub fn update_row(cx: &Cx, p: UpdateRow) -> Result<SavedRow, ToolError> {
    if p.data.0.is_empty() {
        return Err(ToolError::Arguments("`data` is empty; give the columns to change".into()));
    }
    // Tables shows a single row only to those who may read its table.
    let old = match p.view_id {
        None => Some(read(cx, p.row_id)?),
        Some(_) => None,
    };
    let node = Node::new(old.as_ref().map_or(0, |row| row.table_id), p.view_id);
    let columns = node.columns(cx, None)?;
    let now = cx.clock.now().rfc3339();
    let cells = changed_cells(&columns, p.data.0, old.as_ref(), &now)?;
    let previous = old.as_ref().map(|old| previous(&cells, old));
    let row = match old {
        Some(old) if body(&cells).is_empty() => old,
        _ => put(cx, p.row_id, p.view_id, node, &cells)?,
    };
    if let Some(lost) = lost(&cells, &row) {
        return Err(ToolError::Refused(format!(
            "Row {} was changed, but Tables did not take all of it: {lost}. It takes what differs only in form, as \
             \"007\" and \"7\" or nothing and 0, for the same: set such a cell to something else first.",
            p.row_id
        )));
    }
    let mut saved = saved(cx, row, &columns, p.view_id, HALF_BYTES_MAX);
    saved.previous = previous.map(|mut cells| {
        fit(&mut cells, HALF_BYTES_MAX);
        Object(cells)
    });
    Ok(saved)
}

pub fn delete_row(cx: &Cx, p: DeleteRow) -> Result<DeletedRow, ToolError> {
    let path = match p.view_id {
        None => row_path(p.row_id),
        Some(view_id) => Node::View(view_id).rows().segment(&p.row_id.to_string()),
    };
    let row: ApiRow =
        cx.nc.json(Request::new("DELETE", path)).of(subject(p.row_id)).map_err(|error| match error.kind {
            Kind::Forbidden => refusal(error, || format!("You may read row {} but not delete it", p.row_id)),
            _ => not_in_view(error, p.row_id, p.view_id),
        })?;
    Ok(DeletedRow {
        id: row.id,
        message: format!("Row {} was deleted from table {}. Tables keeps no copy.", row.id, row.table_id),
        row: row.raw(ROW_BYTES_MAX),
    })
}

/// The caller's cells for a new row. An empty value keeps a cell empty in spite of a default.
fn new_cells<'a>(
    columns: &'a [Column],
    data: Map<String, Value>,
    now: &str,
) -> Result<Vec<Cell<'a>>, ToolError> {
    checked(columns, data, |column, value| match is_blank(&value) {
        false => stored(column, &value, now).map(Some),
        true if must_be_filled(column) => Err("it must not be empty".into()),
        true => Ok(emptied(&column.kind)),
    })
}

/// The caller's cells for a row that is there.
fn changed_cells<'a>(
    columns: &'a [Column],
    data: Map<String, Value>,
    old: Option<&ApiRow>,
    now: &str,
) -> Result<Vec<Cell<'a>>, ToolError> {
    let is_empty_already = |column: &Column| old.is_some_and(|row| is_blank(&row.value(column.id)));
    checked(columns, data, |column, value| {
        if !is_blank(&value) {
            return stored(column, &value, now).map(Some);
        }
        match emptied(&column.kind) {
            _ if must_be_filled(column) => Err("it must not be empty".into()),
            None if !is_empty_already(column) => {
                Err("Tables cannot empty a number, it makes 0 of it; give 0 if that will do".into())
            }
            empty => Ok(empty),
        }
    })
}

/// Whether the column is mandatory and there is an empty state that could break the rule: a check box has none.
fn must_be_filled(column: &Column) -> bool {
    column.is_mandatory && emptied(&column.kind).is_none_or(|empty| is_blank(&empty))
}

/// Finds the columns and checks the values; all faults are told at once.
fn checked<'a>(
    columns: &'a [Column],
    data: Map<String, Value>,
    check: impl Fn(&Column, Value) -> Result<Option<Value>, String>,
) -> Result<Vec<Cell<'a>>, ToolError> {
    let (mut cells, mut faults) = (Vec::<Cell<'a>>::new(), Vec::new());
    for (name, value) in data {
        let column = match find(columns, &name) {
            Ok(column) => column,
            Err(why) => {
                faults.push(why);
                continue;
            }
        };
        if cells.iter().any(|cell| cell.column.id == column.id) {
            faults.push(format!("column {} is named twice", column.id));
            continue;
        }
        match check(column, value) {
            Ok(value) => cells.push(Cell { column, value }),
            Err(why) => faults.push(format!("\"{}\": {why}", shown(&name))),
        }
    }
    if faults.is_empty() { Ok(cells) } else { Err(ToolError::Arguments(faults.join("; "))) }
}

/// Adds the defaults of the columns that the caller did not name. Fails if a mandatory one has none.
fn fill<'a>(columns: &'a [Column], cells: &mut Vec<Cell<'a>>, now: &str) -> Result<(), ToolError> {
    let mut missing = Vec::new();
    for column in columns {
        if cells.iter().any(|cell| cell.column.id == column.id) {
            continue;
        }
        match default(column, now) {
            Some(value) => cells.push(Cell { column, value: Some(value) }),
            None if must_be_filled(column) => missing.push(format!("\"{}\"", column.name(columns))),
            None => {}
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(ToolError::Arguments(format!("mandatory columns are missing: {}", missing.join(", "))))
}

/// Tables' form of a row: values by column id, as text.
fn body(cells: &[Cell<'_>]) -> Map<String, Value> {
    cells.iter().filter_map(|cell| Some((cell.column.id.to_string(), cell.value.clone()?))).collect()
}

/// Which cells Tables did not keep as they were sent; nothing if it kept all.
fn lost(cells: &[Cell<'_>], row: &ApiRow) -> Option<String> {
    let lost: Vec<String> = cells
        .iter()
        .filter_map(|cell| {
            let (sent, kept) = (cell.value.as_ref()?, row.value(cell.column.id));
            let text = || format!("\"{}\" holds {}", shown(&cell.column.title), shown(&kept.to_string()));
            (!is_kept(&cell.column.kind, sent, &kept)).then(text)
        })
        .collect();
    (!lost.is_empty()).then(|| lost.join(", "))
}

fn previous(cells: &[Cell<'_>], old: &ApiRow) -> Map<String, Value> {
    cells.iter().map(|cell| (cell.column.id.to_string(), old.value(cell.column.id))).collect()
}

fn read(cx: &Cx, row_id: i64) -> Result<ApiRow, ToolError> {
    match cx.nc.json(Request::new("GET", row_path(row_id))).of(subject(row_id)) {
        Err(error) if error.kind == Kind::Forbidden => Err(ToolError::Refused(format!(
            "Row {row_id} belongs to a table that you may not read. If one of its views is shared with you, give its \
             `view_id`."
        ))),
        other => Ok(other?),
    }
}

fn put(
    cx: &Cx,
    row_id: i64,
    view_id: Option<i64>,
    node: Node,
    cells: &[Cell<'_>],
) -> Result<ApiRow, ToolError> {
    let mut content = json!({"data": body(cells)});
    if let Some(view_id) = view_id {
        content["viewId"] = view_id.into();
    }
    let request = Request::new("PUT", row_path(row_id)).json(&content);
    cx.nc.json(request).of(subject(row_id)).map_err(|error| match error.kind {
        Kind::Forbidden => {
            refusal(error, || format!("You may read {} but not change its rows", node.subject()))
        }
        _ => not_in_view(error, row_id, view_id),
    })
}

/// Says a refusal in plain words: what is shared for reading can be read, so it is the right to write that is missing.
fn refusal(error: Error, what: impl Fn() -> String) -> ToolError {
    if error.kind == Kind::Forbidden {
        return ToolError::Refused(format!("{}. Its owner can allow it in the share.", what()));
    }
    error.into()
}

/// Tables answers 500 where the row is not among those of the view.
fn not_in_view(error: Error, row_id: i64, view_id: Option<i64>) -> ToolError {
    let says_so = error.detail.as_deref().is_some_and(|text| text.ends_with("row is not allowed."));
    match view_id {
        Some(view_id) if error.kind == Kind::Server && says_so => {
            ToolError::Refused(format!("Row {row_id} is not among the rows of view {view_id}."))
        }
        _ => error.into(),
    }
}

fn saved(cx: &Cx, row: ApiRow, columns: &[Column], view_id: Option<i64>, bytes_max: usize) -> SavedRow {
    let url = link(cx, row.table_id, view_id, row.id);
    let table_id = row.table_id;
    let row = row.raw(bytes_max);
    SavedRow {
        id: row.id,
        table_id,
        created_by: row.created_by,
        created_at: row.created_at,
        data: row.data,
        cut: row.cut,
        columns: legend(columns),
        defaults: None,
        previous: None,
        url,
    }
}

fn row_path(row_id: i64) -> UrlPath {
    rest("/rows").segment(&row_id.to_string())
}

fn subject(row_id: i64) -> String {
    format!("row {row_id}")
}
