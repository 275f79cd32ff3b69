//! Finding files by name, type and favourite mark (SEARCH, RFC 5323).

use serde_json::{Map, Value};

use super::{FileInfo, LISTING_BYTES_MAX, PROPERTIES, subject};
use crate::nextcloud::{DAV, OC, Request, Subject, UrlPath, xml};
use crate::schema::{Count, DavPath, Object};
use crate::tool::{Cx, Success, ToolError};
use crate::{params, record};

/// A name changes least of what Nextcloud can sort by; the time parts most of those with the same name.
const ORDER: &[(xml::Name<'_>, bool)] = &[((DAV, "displayname"), false), ((DAV, "getlastmodified"), true)];

params! {
    pub(super) struct SearchFiles {
        /// Folder to look in; "" is everything.
        scope: DavPath = "",
        /// As in nc_webdav_find_by_name.
        name_pattern: Option<String>,
        /// As in nc_webdav_find_by_type.
        mime_type: Option<String>,
        only_favorites: bool = false,
        /// 100 if left out.
        limit: Option<Count<1, 1000>>,
        /// `next_cursor` of the page before.
        cursor: Option<String>,
    }
}

params! {
    pub(super) struct FindByName {
        /// `*` stands for anything, `?` for one character; without either, the name must contain it.
        pattern: String,
        /// Folder to look in; "" is everything.
        scope: DavPath = "",
        limit: Option<Count<1, 1000>>,
        cursor: Option<String>,
    }
}

params! {
    pub(super) struct FindByType {
        /// `image/png`, or `image` for all images.
        mime_type: String,
        /// Folder to look in; "" is everything.
        scope: DavPath = "",
        limit: Option<Count<1, 1000>>,
        cursor: Option<String>,
    }
}

params! {
    pub(super) struct ListFavorites {
        /// Folder to look in; "" is everything.
        scope: DavPath = "",
        limit: Option<Count<1, 1000>>,
        cursor: Option<String>,
    }
}

record! {
    pub(super) struct FoundFiles {
        results: Vec<FileInfo>,
        /// Up to and including this page.
        total_found: i64,
        scope: String,
        filters_applied: Option<Object>,
        /// For the next page; absent on the last one.
        next_cursor: Option<String>,
    }
}

pub(super) fn search_files(cx: &Cx, p: SearchFiles) -> Result<Success<FoundFiles>, ToolError> {
    let filter = Filter { name: p.name_pattern, mime: p.mime_type, favorites: p.only_favorites };
    search(cx, &p.scope, filter, p.limit, p.cursor)
}

pub(super) fn find_by_name(cx: &Cx, p: FindByName) -> Result<Success<FoundFiles>, ToolError> {
    search(cx, &p.scope, Filter { name: Some(p.pattern), ..Filter::default() }, p.limit, p.cursor)
}

pub(super) fn find_by_type(cx: &Cx, p: FindByType) -> Result<Success<FoundFiles>, ToolError> {
    search(cx, &p.scope, Filter { mime: Some(p.mime_type), ..Filter::default() }, p.limit, p.cursor)
}

pub(super) fn list_favorites(cx: &Cx, p: ListFavorites) -> Result<Success<FoundFiles>, ToolError> {
    search(cx, &p.scope, Filter { favorites: true, ..Filter::default() }, p.limit, p.cursor)
}

/// What a file must be to be found; nothing set finds everything.
#[derive(Default)]
struct Filter {
    name: Option<String>,
    mime: Option<String>,
    favorites: bool,
}

/// SEARCH with `basicsearch` (RFC 5323 §5), one page.
fn search(
    cx: &Cx,
    scope: &DavPath,
    filter: Filter,
    limit: Option<Count<1, 1000>>,
    cursor: Option<String>,
) -> Result<Success<FoundFiles>, ToolError> {
    let limit = limit.map_or(100, Count::get);
    let cursor = cursor.as_deref().map_or(Ok(Cursor::default()), Cursor::parse)?;
    cx.admit(scope)?;
    let exclusion = cx.exclusion()?;
    let top = format!("/files/{}", cx.nc.user_id()?);
    let body = xml::basic_search(&xml::BasicSearch {
        select: PROPERTIES,
        scope: &format!("{top}{}", scope.canonical()),
        depth: "infinity",
        condition: &filter.condition()?,
        order: ORDER,
        limit: Some(limit as u32 + ROWS_MORE),
        offset: cursor.offset,
    });
    let request =
        Request::new("SEARCH", UrlPath::dav().slash()).body(body, "text/xml").limit_bytes(LISTING_BYTES_MAX);
    let answer = cx.nc.multistatus(request).of(subject("folder", scope))?;
    let top = format!("{}{top}/", UrlPath::dav().as_str());
    let slash = if scope.as_given().starts_with('/') { "/" } else { "" };
    let found = answer.collect(|entry| {
        let href = entry.href();
        let path = href.strip_prefix(&top).unwrap_or(&href).trim_matches('/');
        Some(FileInfo::read(cx, &entry, format!("{slash}{path}")))
    });
    let mut found = found.of(subject("folder", scope))?;
    let mut next = cursor.turn(&mut found, limit, |file| file.file_id.unwrap_or(0));
    let all = found.len();
    found.retain(|file| !exclusion.hides(&file.path, file.file_id));
    if let Some(next) = &mut next {
        next.found = next.found.saturating_sub((all - found.len()) as u32);
    }
    Ok(Success(FoundFiles {
        total_found: i64::from(cursor.found) + found.len() as i64,
        results: found,
        scope: scope.as_given().to_owned(),
        filters_applied: filter.told(),
        next_cursor: next.map(|next| next.to_string()),
    }))
}

impl Filter {
    /// The condition as XML; empty if nothing is asked for.
    fn condition(&self) -> Result<String, ToolError> {
        let mut conditions = Vec::new();
        if let Some(pattern) = self.name.as_deref().filter(|pattern| !pattern.is_empty()) {
            conditions.push(compare("like", (DAV, "displayname"), &like(pattern)));
        }
        if let Some(mime) = self.mime.as_deref().map(str::trim).filter(|mime| !mime.is_empty()) {
            conditions.push(mime_condition(mime)?);
        }
        if self.favorites {
            conditions.push(compare("eq", (OC, "favorite"), "yes"));
        }
        Ok(match conditions.len() {
            0 | 1 => conditions.concat(),
            _ => format!("<d:and>{}</d:and>", conditions.concat()),
        })
    }

    fn told(&self) -> Option<Object> {
        let mut told = Map::new();
        for (name, value) in [("name_pattern", &self.name), ("mime_type", &self.mime)] {
            if let Some(value) = value {
                told.insert(name.into(), value.as_str().into());
            }
        }
        if self.favorites {
            told.insert("only_favorites".into(), Value::Bool(true));
        }
        (!told.is_empty()).then_some(Object(told))
    }
}

fn compare(operator: &str, property: xml::Name<'_>, literal: &str) -> String {
    format!(
        "<d:{operator}>{}<d:literal>{}</d:literal></d:{operator}>",
        xml::prop(&[property]),
        xml::escape(literal)
    )
}

/// `image` and `image/*` are all images. Nextcloud knows no other patterns for types and answers 500 to them.
fn mime_condition(mime: &str) -> Result<String, ToolError> {
    let wrong = || {
        ToolError::Arguments("`mime_type` must be a type like image/png, or its first part like image".into())
    };
    let mime = &mime.to_ascii_lowercase();
    if mime.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(wrong());
    }
    let (main, sub) = mime.split_once('/').unwrap_or((mime.as_str(), ""));
    if main.is_empty() || main.contains(['*', '%']) {
        return Err(wrong());
    }
    match sub {
        "" | "*" | "%" => Ok(compare("like", (DAV, "getcontenttype"), &format!("{main}/%"))),
        sub if sub.contains(['*', '%', '/']) => Err(wrong()),
        _ => Ok(compare("eq", (DAV, "getcontenttype"), mime)),
    }
}

/// A pattern in the words of SQL's `LIKE`, which Nextcloud hands to its database; `\` escapes there.
fn like(pattern: &str) -> String {
    let mut like = String::with_capacity(pattern.len() + 2);
    for c in pattern.chars() {
        match c {
            '*' => like.push('%'),
            '?' => like.push('_'),
            '%' | '_' | '\\' => like.extend(['\\', c]),
            c => like.push(c),
        }
    }
    if pattern.contains(['*', '?']) { like } else { format!("%{like}%") }
}

/// Where the next page begins, and what the pages before it had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cursor {
    /// Nextcloud's rows to skip.
    offset: u32,
    /// Results on the pages before.
    found: u32,
    /// File id of the last of them.
    last: i64,
}

/// Rows that are asked for beyond a page: one tells whether there are more; the other makes up for the row of the
/// searched folder itself, which Nextcloud counts and then does not send.
const ROWS_MORE: u32 = 2;

impl Cursor {
    /// Cuts what came to one page and says where the next begins. Where the searched folder's own row was among
    /// those counted, the last result comes once more as the first of the next page, and is left out there.
    fn turn<T>(&self, rows: &mut Vec<T>, limit: usize, id: impl Fn(&T) -> i64) -> Option<Cursor> {
        let repeated = self.offset > 0 && rows.first().is_some_and(|row| id(row) == self.last);
        if repeated {
            rows.remove(0);
        }
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more)?;
        Some(Cursor {
            offset: self.offset.saturating_add(limit as u32 + u32::from(repeated)),
            found: self.found.saturating_add(limit as u32),
            last: id(last),
        })
    }

    fn parse(text: &str) -> Result<Cursor, ToolError> {
        let mut numbers = text.splitn(3, '-');
        let mut read = || {
            let cursor = Cursor {
                offset: numbers.next()?.parse().ok()?,
                found: numbers.next()?.parse().ok()?,
                last: numbers.next()?.parse().ok()?,
            };
            Some(cursor)
        };
        read().ok_or_else(|| {
            ToolError::Arguments("`cursor` must be the `next_cursor` of the page before".into())
        })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.offset, self.found, self.last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_mean_what_people_expect() {
        for (pattern, expected) in [
            ("*.txt", "%.txt"),
            ("read", "%read%"),
            ("r?ad*", "r_ad%"),
            ("100%", r"%100\%%"),
            ("a_b*", r"a\_b%"),
            (r"a\b", r"%a\\b%"),
            ("ü🎉", "%ü🎉%"),
        ] {
            assert_eq!(like(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn conditions_are_escaped_joined_and_never_a_pattern_that_nextcloud_refuses() {
        let filter = Filter { name: Some("<&*".into()), mime: Some("image".into()), favorites: true };
        assert_eq!(
            filter.condition().unwrap(),
            "<d:and><d:like><d:prop><d:displayname/></d:prop><d:literal>&lt;&amp;%</d:literal></d:like>\
             <d:like><d:prop><d:getcontenttype/></d:prop><d:literal>image/%</d:literal></d:like>\
             <d:eq><d:prop><oc:favorite/></d:prop><d:literal>yes</d:literal></d:eq></d:and>"
        );
        assert_eq!(Filter::default().condition().unwrap(), "");
        for mime in ["image/", "image/*", "image"] {
            assert!(mime_condition(mime).unwrap().contains("image/%"), "{mime}");
        }
        assert!(mime_condition("Text/Plain").unwrap().ends_with("<d:literal>text/plain</d:literal></d:eq>"));
        for bad in ["*", "*/png", "image/p*", "a b", "/png", "a/b/c"] {
            assert!(mime_condition(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        let cursor = Cursor { offset: 500, found: 499, last: 17 };
        assert_eq!(Cursor::parse(&cursor.to_string()).unwrap(), cursor);
        for bad in ["", "5", "5-1", "-1-2-3", "a-b-c", "99999999999-1-1", "1-1-1-1"] {
            assert!(Cursor::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_result_comes_once_wherever_the_folder_itself_is_counted(
            count in 0_usize..30, own_row in 0_usize..40, limit in 1_usize..12
        ) {
            // What Nextcloud does: a window of rows, out of which the folder's own is taken.
            let rows: Vec<i64> = (1..=count as i64).map(|id| if id as usize == own_row { -1 } else { id }).collect();
            let expected: Vec<i64> = rows.iter().copied().filter(|id| *id > 0).collect();
            let mut seen = Vec::new();
            let mut next = Some(Cursor::default());
            while let Some(cursor) = next {
                let window = rows.iter().skip(cursor.offset as usize).take(limit + ROWS_MORE as usize);
                let mut page: Vec<i64> = window.copied().filter(|id| *id > 0).collect();
                next = cursor.turn(&mut page, limit, |id| *id);
                prop_assert!(next.is_none() || page.len() == limit);
                seen.extend(page);
                prop_assert_eq!(next.map_or(seen.len(), |next| next.found as usize), seen.len());
            }
            prop_assert_eq!(seen, expected);
        }
    }
}
