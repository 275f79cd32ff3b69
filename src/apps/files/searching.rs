//! Finding files by name, type and favourite mark (SEARCH, RFC 5323).

use serde_json::{Map, Value};

use super::{FileInfo, LISTING_BYTES_MAX, PROPERTIES, subject};
use crate::nextcloud::{DAV, OC, Request, Subject, UrlPath, decode, xml};
use crate::schema::{Count, DavPath, Object};
use crate::tool::{Cx, Success, ToolError};
use crate::{params, record};

/// Results asked for at a time.
const PAGE: u32 = 500;
/// Requests that one call may take where our pattern is stricter than what Nextcloud can filter by.
const PAGES_MAX: usize = 20;

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

fn search(
    cx: &Cx,
    scope: &DavPath,
    filter: Filter,
    limit: Option<Count<1, 1000>>,
    cursor: Option<String>,
) -> Result<Success<FoundFiles>, ToolError> {
    let limit = limit.map_or(100, Count::get);
    let cursor = cursor.as_deref().map_or(Ok(Cursor::default()), Cursor::parse)?;
    let top = cx.nc.files([] as [&str; 0])?;
    let folder = cx.nc.files(scope.segments())?;
    let mut found = Vec::new();
    let mut next = None;
    let mut offset = cursor.offset;
    'pages: for _ in 0..PAGES_MAX {
        let page = page(cx, scope, &folder, &filter, offset)?;
        let is_last = page.len() < PAGE as usize;
        for (href, info) in page {
            if found.len() == limit {
                next = Some(Cursor { offset, found: cursor.found + limit as u32 });
                break 'pages;
            }
            offset += 1;
            // The folder that is searched is itself among the answers of a search for everything.
            if !is_same(&href, folder.as_str()) && filter.accepts(&info.name) {
                found.push(info.placed(scope, &href, top.as_str()));
            }
        }
        if is_last {
            break;
        }
        next = Some(Cursor { offset, found: cursor.found + found.len() as u32 });
        if found.len() == limit {
            break;
        }
        next = None;
    }
    Ok(Success(FoundFiles {
        total_found: i64::from(cursor.found) + found.len() as i64,
        results: found,
        scope: scope.as_given().to_owned(),
        filters_applied: filter.told(),
        next_cursor: next.map(|next| next.to_string()),
    }))
}

/// One page of what Nextcloud finds, with the decoded path of each.
fn page(
    cx: &Cx,
    scope: &DavPath,
    folder: &UrlPath,
    filter: &Filter,
    offset: u32,
) -> Result<Vec<(String, FileInfo)>, ToolError> {
    let condition = filter.condition()?;
    let body = xml::basic_search(&xml::BasicSearch {
        select: PROPERTIES,
        scope: folder.as_str().trim_start_matches("/remote.php/dav"),
        depth: "infinity",
        condition: &condition,
        // Some order is needed for pages to fit together. Nextcloud sorts by few properties; of those a name changes
        // least.
        order: Some(((DAV, "displayname"), false)),
        limit: Some(PAGE),
        offset,
    });
    let request =
        Request::new("SEARCH", UrlPath::dav().slash()).body(body, "text/xml").limit_bytes(LISTING_BYTES_MAX);
    let answer = cx.nc.multistatus(request).of(subject("the search in folder", scope))?;
    Ok(answer.collect(|entry| {
        let href = entry.href();
        let name = href.trim_end_matches('/').rsplit('/').next()?.to_owned();
        Some((href, FileInfo::read(cx, &entry, name)))
    })?)
}

fn is_same(href: &str, encoded: &str) -> bool {
    href.trim_end_matches('/') == decode(encoded).trim_end_matches('/')
}

impl FileInfo {
    /// Fills in the path from the top folder, in the style in which the caller wrote the scope.
    fn placed(mut self, scope: &DavPath, href: &str, top: &str) -> FileInfo {
        let path = href.strip_prefix(decode(top).as_str()).unwrap_or(href).trim_matches('/');
        let slash = if scope.as_given().starts_with('/') { "/" } else { "" };
        self.path = format!("{slash}{path}");
        self
    }
}

impl Filter {
    /// The condition as XML. Where it cannot be said exactly it finds more, and [`Filter::accepts`] sorts out.
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

    /// `%` and `_` cannot be escaped in Nextcloud's `like`, so that a name with them finds too much.
    fn accepts(&self, name: &str) -> bool {
        match self.name.as_deref() {
            Some(pattern) if !pattern.is_empty() => {
                let pattern = if is_glob(pattern) { pattern.to_owned() } else { format!("*{pattern}*") };
                let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
                let name: Vec<char> = name.to_lowercase().chars().collect();
                glob(&pattern, &name)
            }
            _ => true,
        }
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
    if mime.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(wrong());
    }
    let (main, sub) = mime.split_once('/').unwrap_or((mime, ""));
    if main.is_empty() || main.contains(['*', '%']) {
        return Err(wrong());
    }
    match sub {
        "" | "*" | "%" => Ok(compare("like", (DAV, "getcontenttype"), &format!("{main}/%"))),
        sub if sub.contains(['*', '%', '/']) => Err(wrong()),
        _ => Ok(compare("eq", (DAV, "getcontenttype"), mime)),
    }
}

fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

/// A pattern in the words of SQL's `LIKE`.
fn like(pattern: &str) -> String {
    if is_glob(pattern) { pattern.replace('*', "%").replace('?', "_") } else { format!("%{pattern}%") }
}

/// Whether a name fits a pattern of `*` and `?`, in time that grows with the product of their lengths at most.
fn glob(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((after, from)) => {
                    p = after;
                    n = from + 1;
                    star = Some((after, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Where the next page begins, and how many were found before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cursor {
    offset: u32,
    found: u32,
}

impl Cursor {
    fn parse(text: &str) -> Result<Cursor, ToolError> {
        text.split_once('-')
            .and_then(|(offset, found)| {
                Some(Cursor { offset: offset.parse().ok()?, found: found.parse().ok()? })
            })
            .ok_or_else(|| {
                ToolError::Arguments("`cursor` must be the `next_cursor` of the page before".into())
            })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.offset, self.found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepts(pattern: &str, name: &str) -> bool {
        Filter { name: Some(pattern.into()), ..Filter::default() }.accepts(name)
    }

    #[test]
    fn patterns_mean_what_people_expect() {
        for (pattern, name) in [
            ("*.txt", "a.TXT"),
            ("read", "README.md"),
            ("r?ad*", "read"),
            ("*", ""),
            ("", "x"),
            ("100%", "at 100%.txt"),
            ("a_b", "a_b"),
            ("*ü*", "Ünïcödé"),
            ("a*b*c", "aXbYbZc"),
        ] {
            assert!(accepts(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.txt", "a.md"), ("100%", "100x"), ("a_b", "axb"), ("?", ""), ("a*b", "ac")]
        {
            assert!(!accepts(pattern, name), "{pattern} {name}");
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
        assert!(mime_condition("text/plain").unwrap().starts_with("<d:eq>"));
        for bad in ["*", "*/png", "image/p*", "a b", "/png", "a/b/c"] {
            assert!(mime_condition(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        let cursor = Cursor { offset: 500, found: 20 };
        assert_eq!(Cursor::parse(&cursor.to_string()).unwrap(), cursor);
        for bad in ["", "5", "-1-2", "a-b", "99999999999-1"] {
            assert!(Cursor::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_name_fits_itself_and_any_part_of_itself(name in "[^*?]{1,20}", cut in 0_usize..20) {
            prop_assert!(accepts(&name, &name));
            let start: String = name.chars().take(cut).collect();
            let pattern = format!("{start}*");
            prop_assert!(accepts(&pattern, &name));
        }
    }
}
