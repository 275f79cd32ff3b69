//! Long lists, a page at a time: a model pays for every byte that it reads.

use super::ToolError;
use crate::schema::{Wire, expected};

/// What the rows of one page may take as JSON, in bytes. With the members around them an answer stays below 20 kB.
pub const PAGE_BYTES: usize = 18_000;

/// Where a page starts: how many rows come before it.
///
/// The text of a cursor says it in plain digits: lists that Nextcloud gives as a whole keep their order, and a row that
/// comes or goes in between moves the page by one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor(pub usize);

impl Wire for Cursor {
    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string"})
    }

    fn read(value: serde_json::Value) -> Result<Self, String> {
        let text = String::read(value)?;
        text.parse().map(Cursor).map_err(|_| expected("the `next_cursor` of the page before", &text.into()))
    }

    fn write(self) -> serde_json::Value {
        self.0.to_string().into()
    }
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// Of the whole list.
    pub total: i64,
    /// Absent on the last page.
    pub next_cursor: Option<Cursor>,
}

impl<T: Wire + Clone> Page<T> {
    /// Takes at most `limit` of `all`, from `start` on, and no more than [`PAGE_BYTES`]; one row at least, however long.
    ///
    /// Fails where `start` lies behind the end, as a cursor of another list does.
    pub fn cut(all: Vec<T>, start: Option<Cursor>, limit: usize) -> Result<Page<T>, ToolError> {
        let total = all.len();
        let start = start.unwrap_or_default().0;
        if start > total {
            return Err(ToolError::Arguments(format!(
                "`cursor` lies behind the end: the list has {total} entries by now; start again without it"
            )));
        }
        let mut bytes = 0;
        let fits = |row: &T| {
            bytes += row.clone().write().to_string().len() + 1;
            bytes <= PAGE_BYTES
        };
        let rows_fit = all[start..].iter().take(limit).take_while({
            let mut fits = fits;
            let mut is_first = true;
            move |row| std::mem::take(&mut is_first) | fits(row)
        });
        let count = rows_fit.count();
        let end = start + count;
        Ok(Page {
            rows: all.into_iter().skip(start).take(count).collect(),
            total: total as i64,
            next_cursor: (end < total && count > 0).then_some(Cursor(end)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(all: &[&str], start: usize, limit: usize) -> (usize, Option<usize>) {
        let all = all.iter().map(|text| (*text).to_owned()).collect();
        let page = Page::cut(all, Some(Cursor(start)), limit).unwrap();
        (page.rows.len(), page.next_cursor.map(|cursor| cursor.0))
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let all = ["a"; 5];
        assert_eq!(page(&all, 0, 2), (2, Some(2)));
        assert_eq!(page(&all, 2, 2), (2, Some(4)));
        assert_eq!(page(&all, 4, 2), (1, None));
        assert_eq!(page(&all, 5, 2), (0, None));
        assert_eq!(page(&all, 0, 0), (0, None), "only the total was asked for");
        assert!(Page::cut(vec!["a".to_owned()], Some(Cursor(2)), 2).is_err());
    }

    #[test]
    fn a_page_is_small_but_never_empty() {
        let long = "x".repeat(PAGE_BYTES / 2);
        let huge = "x".repeat(2 * PAGE_BYTES);
        assert_eq!(page(&["a", &long, "b", &long, "c"], 0, 100), (3, Some(3)));
        assert_eq!(page(&[&huge, "a"], 0, 100), (1, Some(1)));
        assert_eq!(page(&["a", &huge], 0, 100), (1, Some(1)));
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        assert_eq!(Cursor::read(Cursor(17).write()), Ok(Cursor(17)));
        assert!(Cursor::read("next".into()).is_err());
        assert!(Cursor::read("-1".into()).is_err());
    }
}
