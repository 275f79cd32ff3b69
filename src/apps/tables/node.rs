//! What has rows: a table, or a view of it (Tables' own word for both is node).

use serde::Deserialize;
use serde_json::{Map, Value};

use super::column::Column;
use crate::nextcloud::{Request, Subject, UrlPath};
use crate::tool::{Cx, ToolError};

/// A table or one of its views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    Table(i64),
    View(i64),
}

/// What Tables tells of a table or view; members that we do not use are passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiNode {
    pub id: i64,
    pub table_id: Option<i64>,
    #[serde(default)]
    pub title: String,
    pub emoji: Option<String>,
    pub description: Option<String>,
    pub ownership: Option<String>,
    pub owner_display_name: Option<String>,
    pub created_by: Option<String>,
    pub created_at: Option<String>,
    pub last_edit_by: Option<String>,
    pub last_edit_at: Option<String>,
    #[serde(default)]
    pub archived: bool,
    #[serde(default)]
    pub is_shared: bool,
    #[serde(default)]
    pub has_shares: bool,
    #[serde(default)]
    pub on_share_permissions: Option<Map<String, Value>>,
    #[serde(default)]
    pub rows_count: i64,
    #[serde(default)]
    pub views: Vec<Map<String, Value>>,
}

impl Node {
    /// The table, or the view where one is named.
    pub fn new(table_id: i64, view_id: Option<i64>) -> Node {
        view_id.map_or(Node::Table(table_id), Node::View)
    }

    /// Title, permissions, number of rows and, of a table, its views.
    ///
    /// Fails if the view belongs to another table than `table_id`.
    pub fn look(self, cx: &Cx, table_id: i64) -> Result<ApiNode, ToolError> {
        let found: ApiNode = match self {
            Node::Table(id) => {
                let path = ocs("/tables").segment(&id.to_string());
                cx.nc.ocs(Request::new("GET", path)).of(self.subject())?
            }
            Node::View(id) => {
                let path = rest("/views").segment(&id.to_string());
                cx.nc.json(Request::new("GET", path)).of(self.subject())?
            }
        };
        match found.table_id {
            Some(other) if other != table_id => Err(self.elsewhere(other, table_id)),
            _ => Ok(found),
        }
    }

    /// Its columns, in order. Fails if the view belongs to another table than `table_id`, where that is known.
    pub fn columns(self, cx: &Cx, table_id: Option<i64>) -> Result<Vec<Column>, ToolError> {
        let (kind, id) = match self {
            Node::Table(id) => ("table", id),
            Node::View(id) => ("view", id),
        };
        let path = ocs("/columns").segment(kind).segment(&id.to_string());
        let columns: Vec<Map<String, Value>> = cx.nc.ocs(Request::new("GET", path)).of(self.subject())?;
        let columns: Vec<Column> = columns.into_iter().filter_map(Column::read).collect();
        match (columns.first(), table_id) {
            (Some(column), Some(table_id)) if column.table_id != table_id => {
                Err(self.elsewhere(column.table_id, table_id))
            }
            _ => Ok(columns),
        }
    }

    /// Where its rows are read.
    pub fn rows(self) -> UrlPath {
        match self {
            Node::Table(id) => rest("/tables").segment(&id.to_string()).raw("/rows"),
            Node::View(id) => rest("/views").segment(&id.to_string()).raw("/rows"),
        }
    }

    /// Where rows are added to it.
    pub fn new_row(self) -> UrlPath {
        match self {
            Node::Table(id) => ocs("/tables").segment(&id.to_string()).raw("/rows"),
            Node::View(id) => ocs("/views").segment(&id.to_string()).raw("/rows"),
        }
    }

    /// Its name in a sentence.
    pub fn subject(self) -> String {
        match self {
            Node::Table(id) => format!("table {id}"),
            Node::View(id) => format!("view {id}"),
        }
    }

    fn elsewhere(self, table_id: i64, asked: i64) -> ToolError {
        ToolError::Arguments(format!("{} belongs to table {table_id}, not to table {asked}", self.subject()))
    }
}

/// `/ocs/v2.php/apps/tables/api/2…`
pub fn ocs(route: &str) -> UrlPath {
    UrlPath::ocs("/apps/tables/api/2").raw(route)
}

/// `/index.php/apps/tables/api/1…`
pub fn rest(route: &str) -> UrlPath {
    UrlPath::app("tables").raw("/api/1").raw(route)
}
