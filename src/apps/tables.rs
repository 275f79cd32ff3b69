//! Tables app: tables of a person's own design, their columns, views and rows.
//!
//! Routes: OCS `/ocs/v2.php/apps/tables/api/2/…` where there are such, `/index.php/apps/tables/api/1/…` for single rows,
//! lists of rows and views (Tables ≥ 0.8).

mod column;
mod node;
mod row;
mod value;
mod writing;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::nextcloud::{Request, Subject};
use crate::schema::Object;
use crate::tool::{App, Cursor, Cx, Effect, Needs, Page, Scope, Success, Tool, ToolError, typed};
use crate::{params, record};
use node::{ApiNode, Node, ocs};
use row::{ApiRow, Keys, Row, legend};

pub const APP: App = App {
    name: "tables",
    about: "Tables app: rows of the user's own tables",
    tools: &[
        Tool {
            name: "nc_tables_list_tables",
            about: "List the user's own and shared tables, and views that are shared without their table.",
            scopes: &[Scope::TablesRead],
            effect: Effect::Read,
            needs: TABLES,
            handler: &typed(list_tables),
        },
        Tool {
            name: "nc_tables_get_schema",
            about: "Read the columns of a table, with their ids, types, options and limits, and its views.",
            scopes: &[Scope::TablesRead],
            effect: Effect::Read,
            needs: TABLES,
            handler: &typed(get_schema),
        },
        Tool {
            name: "nc_tables_read_table",
            about: "Read rows of a table, or of one of its views. By id the cells come as Tables keeps them, by name \
                    with labels in place of option ids.",
            scopes: &[Scope::TablesRead],
            effect: Effect::Read,
            needs: TABLES,
            handler: &typed(read_table),
        },
        Tool {
            name: "nc_tables_insert_row",
            about: "Add a row. Values are checked against the columns first, and defaults fill what is left out.",
            scopes: &[Scope::TablesWrite],
            effect: Effect::Create,
            needs: TABLES,
            handler: &typed(writing::insert_row),
        },
        Tool {
            name: "nc_tables_update_row",
            about: "Change cells of a row; columns that are not named stay. null or \"\" empties a cell.",
            scopes: &[Scope::TablesWrite],
            effect: Effect::Update,
            needs: TABLES,
            handler: &typed(writing::update_row),
        },
        Tool {
            name: "nc_tables_delete_row",
            about: "Delete a row for good. The answer has what it held, which nc_tables_insert_row takes again.",
            scopes: &[Scope::TablesWrite],
            effect: Effect::Delete,
            needs: TABLES,
            handler: &typed(writing::delete_row),
        },
    ],
    resources: &[],
};

const TABLES: Needs = Needs::App("tables");
/// Rows asked for at a time: more than one answer can show.
const ROWS_MAX: u64 = 100;
/// What the views of a table may take in its schema, in bytes.
const VIEWS_BYTES_MAX: usize = 6_000;

params! {
    struct ListTables { cursor: Option<Cursor> }
}

params! {
    struct GetSchema {
        table_id: i64,
        /// Only the columns of this view.
        view_id: Option<i64>,
        cursor: Option<Cursor>,
    }
}

params! {
    struct ReadTable {
        table_id: i64,
        /// 0 gives only the count.
        limit: Option<u64>,
        offset: Option<u64>,
        cursor: Option<Cursor>,
        /// Only the rows and columns of this view, in its order.
        view_id: Option<i64>,
        /// Only this row.
        row_id: Option<i64>,
        keys: Keys = Keys::Id,
    }
}

record! {
    struct Table {
        id: i64,
        title: String,
        emoji: Option<String>,
        ownership: Option<String>,
        owner_display_name: Option<String>,
        created_by: Option<String>,
        created_at: Option<String>,
        last_edit_by: Option<String>,
        last_edit_at: Option<String>,
        row_count: i64,
        has_shares: bool,
        archived: bool,
        is_shared: bool,
        on_share_permissions: Option<Object>,
        url: Option<String>,
    }
}

record! {
    struct SharedView {
        id: i64,
        table_id: i64,
        title: String,
        emoji: Option<String>,
        ownership: Option<String>,
        row_count: i64,
        on_share_permissions: Option<Object>,
        url: Option<String>,
    }
}

record! {
    struct TableList {
        tables: Vec<Table>,
        total_count: i64,
        next_cursor: Option<Cursor>,
        views: Option<Vec<SharedView>>,
    }
}

record! {
    struct Schema {
        id: i64,
        title: String,
        emoji: Option<String>,
        description: Option<String>,
        columns: Vec<Object>,
        views: Vec<Object>,
        total: i64,
        next_cursor: Option<Cursor>,
        row_count: i64,
        on_share_permissions: Option<Object>,
        url: Option<String>,
    }
}

record! {
    struct Rows {
        results: Vec<Row>,
        total: i64,
        next_cursor: Option<Cursor>,
        /// Titles by id.
        columns: Option<Object>,
        url: Option<String>,
    }
}

record! {
    /// One of the two, so that one cursor leads through both.
    struct Entry { table: Option<Table>, view: Option<SharedView> }
}

/// All that the user may see, as Tables' own page asks for it.
#[derive(Deserialize)]
struct Navigation {
    #[serde(default)]
    tables: Vec<ApiNode>,
    #[serde(default)]
    views: Vec<ApiNode>,
}

impl ApiNode {
    fn table(self, cx: &Cx) -> Table {
        Table {
            url: link(cx, Node::Table(self.id)),
            id: self.id,
            title: self.title,
            emoji: self.emoji,
            ownership: self.ownership,
            owner_display_name: self.owner_display_name.filter(|name| !name.is_empty()),
            created_by: self.created_by,
            created_at: self.created_at,
            last_edit_by: self.last_edit_by,
            last_edit_at: self.last_edit_at,
            row_count: self.rows_count,
            has_shares: self.has_shares,
            archived: self.archived,
            is_shared: self.is_shared,
            on_share_permissions: self.on_share_permissions.map(Object),
        }
    }

    fn view(self, cx: &Cx) -> Option<SharedView> {
        Some(SharedView {
            url: link(cx, Node::View(self.id)),
            id: self.id,
            table_id: self.table_id?,
            title: self.title,
            emoji: self.emoji,
            ownership: self.ownership,
            row_count: self.rows_count,
            on_share_permissions: self.on_share_permissions.map(Object),
        })
    }
}

fn list_tables(cx: &Cx, p: ListTables) -> Result<Success<TableList>, ToolError> {
    let all: Navigation = cx.nc.ocs(Request::new("GET", ocs("/init"))).of("the list of tables")?;
    let total_count = all.tables.len() as i64;
    let tables = all.tables.into_iter().map(|table| Entry { table: Some(table.table(cx)), view: None });
    let views = all.views.into_iter().map(|view| Entry { table: None, view: view.view(cx) });
    let page = Page::cut(tables.chain(views).collect(), p.cursor, usize::MAX)?;
    let (tables, views): (Vec<_>, Vec<_>) = page.rows.into_iter().map(|row| (row.table, row.view)).unzip();
    let views: Vec<SharedView> = views.into_iter().flatten().collect();
    Ok(Success(TableList {
        tables: tables.into_iter().flatten().collect(),
        total_count,
        next_cursor: page.next_cursor,
        views: (!views.is_empty()).then_some(views),
    }))
}

fn get_schema(cx: &Cx, p: GetSchema) -> Result<Schema, ToolError> {
    let node = Node::new(p.table_id, p.view_id);
    let table = node.look(cx, p.table_id)?;
    let columns = node.columns(cx, None)?.iter().map(column::Column::described).collect();
    let views = if p.cursor.is_none() { views(table.views) } else { Vec::new() };
    let page = Page::cut(columns, p.cursor, usize::MAX)?;
    Ok(Schema {
        url: link(cx, node),
        id: table.id,
        title: table.title,
        emoji: table.emoji,
        description: table.description.filter(|text| !text.is_empty()),
        columns: page.rows,
        views,
        total: page.total,
        next_cursor: page.next_cursor,
        row_count: table.rows_count,
        on_share_permissions: table.on_share_permissions.map(Object),
    })
}

/// What a caller can use of views, as many as fit.
fn views(all: Vec<Map<String, Value>>) -> Vec<Object> {
    const SHOWN: [&str; 7] = ["id", "title", "emoji", "columns", "filter", "sort", "rowsCount"];
    let mut bytes = 0;
    all.into_iter()
        .map(|view| view.into_iter().filter(|(name, _)| SHOWN.contains(&name.as_str())).collect())
        .take_while(|view: &Map<String, Value>| {
            bytes += Value::Object(view.clone()).to_string().len();
            bytes <= VIEWS_BYTES_MAX
        })
        .map(Object)
        .collect()
}

fn read_table(cx: &Cx, p: ReadTable) -> Result<Rows, ToolError> {
    if let Some(row_id) = p.row_id {
        return read_row(cx, &p, row_id);
    }
    let start = match (p.cursor, p.offset.unwrap_or_default()) {
        (Some(_), 1..) => return Err(ToolError::Arguments("give `cursor` or `offset`, not both".into())),
        (Some(Cursor(start)), _) => start as u64,
        (None, offset) => offset,
    };
    let node = Node::new(p.table_id, p.view_id);
    let total = node.look(cx, p.table_id)?.rows_count;
    let columns = node.columns(cx, Some(p.table_id))?;
    let limit = p.limit.unwrap_or(ROWS_MAX).min(ROWS_MAX);
    let found: Vec<ApiRow> = if limit == 0 {
        Vec::new()
    } else {
        let path = node.rows().query("limit", limit).query("offset", start);
        cx.nc.json(Request::new("GET", path)).of(format!("the rows of {}", node.subject()))?
    };
    let is_full = found.len() as u64 >= limit;
    let rows = found.into_iter().map(|row| row.listed(p.keys, &columns)).collect();
    let page = Page::cut(rows, None, limit as usize)?;
    let end = start.saturating_add(page.rows.len() as u64);
    let goes_on = page.next_cursor.is_some() || (is_full && end < u64::try_from(total).unwrap_or(0));
    Ok(Rows {
        next_cursor: (goes_on && limit > 0).then_some(Cursor(end as usize)),
        results: page.rows,
        total,
        columns: if p.keys == Keys::Id { legend(&columns) } else { None },
        url: link(cx, node),
    })
}

/// One row is the only page of a list.
fn read_row(cx: &Cx, p: &ReadTable, row_id: i64) -> Result<Rows, ToolError> {
    if p.view_id.is_some() {
        return Err(ToolError::Arguments(
            "Tables finds a row by `row_id` in tables only, not in views".into(),
        ));
    }
    let row = row::read(cx, row_id)?;
    if row.table_id != p.table_id {
        return Err(ToolError::Arguments(format!(
            "row {row_id} belongs to table {}, not to table {}",
            row.table_id, p.table_id
        )));
    }
    let columns = Node::Table(p.table_id).columns(cx, None)?;
    Ok(Rows {
        results: vec![row.listed(p.keys, &columns)],
        total: 1,
        next_cursor: None,
        columns: if p.keys == Keys::Id { legend(&columns) } else { None },
        url: row::link(cx, p.table_id, None, row_id),
    })
}

/// A link for a browser.
fn link(cx: &Cx, node: Node) -> Option<String> {
    let (kind, id) = match node {
        Node::Table(id) => ("table", id),
        Node::View(id) => ("view", id),
    };
    cx.link(&format!("/index.php/apps/tables/#/{kind}/{id}"))
}
