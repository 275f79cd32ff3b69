//! Adding, changing and deleting rows. What goes out is checked before, what came back is compared after.

use serde_json::{Map, Value, json};

use super::column::{Column, find, is_blank, shown};
use super::node::Node;
use super::row::{self, ApiRow, fit, legend, link};
use super::value::{default, detour, emptied, is_kept, stored};
use crate::nextcloud::{Error, Kind, Request, Subject};
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
        /// Of those, the ones whose text is too long to be shown whole.
        previous_cut: Option<Vec<String>>,
        url: Option<String>,
    }
}

record! {
    /// A row that is gone.
    pub struct DeletedRow {
        message: String,
        id: i64,
        table_id as "tableId": i64,
        created_by as "createdBy": Option<String>,
        created_at as "createdAt": Option<String>,
        last_edit_by as "lastEditBy": Option<String>,
        last_edit_at as "lastEditAt": Option<String>,
        data: Object,
        cut: Option<Vec<String>>,
    }
}

/// A cell of a row to be.
struct Cell<'a> {
    column: &'a Column,
    /// What is to be written; nothing where the cell is to stay empty.
    value: Option<Value>,
}

/// A row that is to be changed, and the way to it.
struct Target {
    row_id: i64,
    view_id: Option<i64>,
    node: Node,
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
            "Row {} was added to {}, but Tables did not take all of it: {}. Change it with nc_tables_update_row, \
             or delete it; do not add it again.",
            row.id,
            node.subject(),
            told(&lost, &row)
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
        None => Some(row::read(cx, p.row_id)?),
        Some(_) => None,
    };
    let node = Node::new(old.as_ref().map_or(0, |row| row.table_id), p.view_id);
    let columns = node.columns(cx, None)?;
    let now = cx.clock.now().rfc3339();
    let cells = changed_cells(&columns, p.data.0, old.as_ref(), &now)?;
    let mut previous = old.as_ref().map(|old| previous(&cells, old));
    let previous_cut = previous.as_mut().map(|cells| fit(cells, HALF_BYTES_MAX)).unwrap_or_default();
    let target = Target { row_id: p.row_id, view_id: p.view_id, node };
    let mut row = match old {
        Some(old) if body(&cells).is_empty() => old,
        _ => put(cx, &target, body(&cells))?,
    };
    if let Some((aside, back)) = detours(&cells, &row) {
        let done = put(cx, &target, aside).and_then(|_| put(cx, &target, back));
        row = done.map_err(|error| {
            let held = previous.as_ref().map(|cells| format!(" It held {}.", Value::Object(cells.clone())));
            ToolError::Refused(format!(
                "Row {} was changed only in part: {error} Write the cells again.{}",
                p.row_id,
                held.unwrap_or_default()
            ))
        })?;
    }
    if let Some(lost) = lost(&cells, &row) {
        return Err(ToolError::Refused(format!(
            "Row {} was changed, but Tables did not take all of it: {}.",
            p.row_id,
            told(&lost, &row)
        )));
    }
    let mut saved = saved(cx, row, &columns, p.view_id, HALF_BYTES_MAX);
    saved.previous = previous.map(Object);
    saved.previous_cut = (!previous_cut.is_empty()).then_some(previous_cut);
    Ok(saved)
}

pub fn delete_row(cx: &Cx, p: DeleteRow) -> Result<DeletedRow, ToolError> {
    let at = match p.view_id {
        None => row::path(p.row_id),
        Some(view_id) => Node::View(view_id).rows().segment(&p.row_id.to_string()),
    };
    let row: ApiRow = cx.nc.json(Request::new("DELETE", at)).of(row::subject(p.row_id)).map_err(|error| {
        match error.kind {
            Kind::Forbidden => refusal(error, || format!("You may read row {} but not delete it", p.row_id)),
            _ => not_in_view(error, p.row_id, p.view_id),
        }
    })?;
    let table_id = row.table_id;
    let row = row.raw(ROW_BYTES_MAX);
    Ok(DeletedRow {
        message: format!("Row {} was deleted from table {table_id}. Tables keeps no copy.", row.id),
        id: row.id,
        table_id,
        created_by: row.created_by,
        created_at: row.created_at,
        last_edit_by: row.last_edit_by,
        last_edit_at: row.last_edit_at,
        data: row.data,
        cut: row.cut,
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
            _ if is_empty_already(column) => Ok(None),
            None => Err("Tables cannot empty a number, it makes 0 of it; give 0 if that will do".into()),
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
    let (mut cells, mut seen, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for (name, value) in data {
        let column = match find(columns, &name) {
            Ok(column) => column,
            Err(why) => {
                faults.push(why);
                continue;
            }
        };
        if seen.contains(&column.id) {
            faults.push(format!("column {} is named twice", column.id));
            continue;
        }
        seen.push(column.id);
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

/// The cells that Tables did not keep as they were sent; nothing if it kept all.
fn lost<'c, 'a>(cells: &'c [Cell<'a>], row: &ApiRow) -> Option<Vec<&'c Cell<'a>>> {
    let is_lost = |cell: &&Cell<'_>| {
        let kept = row.value(cell.column.id);
        cell.value.as_ref().is_some_and(|sent| !is_kept(&cell.column.kind, sent, &kept))
    };
    let lost: Vec<_> = cells.iter().filter(is_lost).collect();
    (!lost.is_empty()).then_some(lost)
}

/// `"Notes" holds "007"`.
fn told(lost: &[&Cell<'_>], row: &ApiRow) -> String {
    let holds = lost.iter().map(|cell| {
        let kept = row.value(cell.column.id).to_string();
        format!("\"{}\" holds {}", shown(&cell.column.title), shown(&kept))
    });
    holds.collect::<Vec<_>>().join(", ")
}

/// What to write first and then for cells that Tables did not change, taking the new value for the old one.
fn detours(cells: &[Cell<'_>], row: &ApiRow) -> Option<(Map<String, Value>, Map<String, Value>)> {
    let (mut aside, mut back) = (Map::new(), Map::new());
    for cell in lost(cells, row)? {
        let sent = cell.value.as_ref()?;
        if let Some(other) = detour(&cell.column.kind, sent) {
            aside.insert(cell.column.id.to_string(), other);
            back.insert(cell.column.id.to_string(), sent.clone());
        }
    }
    (!aside.is_empty()).then_some((aside, back))
}

fn previous(cells: &[Cell<'_>], old: &ApiRow) -> Map<String, Value> {
    cells.iter().map(|cell| (cell.column.id.to_string(), old.value(cell.column.id))).collect()
}

fn put(cx: &Cx, target: &Target, data: Map<String, Value>) -> Result<ApiRow, ToolError> {
    let mut content = json!({"data": data});
    if let Some(view_id) = target.view_id {
        content["viewId"] = view_id.into();
    }
    let request = Request::new("PUT", row::path(target.row_id)).json(&content);
    cx.nc.json(request).of(row::subject(target.row_id)).map_err(|error| match error.kind {
        Kind::Forbidden => {
            refusal(error, || format!("You may read {} but not change its rows", target.node.subject()))
        }
        _ => not_in_view(error, target.row_id, target.view_id),
    })
}

/// Says a refusal in plain words: what is shared for reading can be read, so it is the right to write that is missing.
/// Other refusals, of a firewall say, keep their own words.
fn refusal(error: Error, what: impl Fn() -> String) -> ToolError {
    let is_missing_right = match error.detail.as_deref() {
        None => true,
        Some(text) => text.contains("not allowed") || text.contains("cannot create rows"),
    };
    if error.kind == Kind::Forbidden && is_missing_right {
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
        previous_cut: None,
        url,
    }
}
