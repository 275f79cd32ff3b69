//! What is in a folder.

use std::collections::BTreeMap;

use super::{FileInfo, LISTING_BYTES_MAX, PROPERTIES, file_id, subject};
use crate::nextcloud::{Request, Subject, xml};
use crate::schema::{Count, DavPath};
use crate::tool::{Cx, Success, ToolError};
use crate::{params, record};

params! {
    pub(super) struct ListDirectory {
        /// Folder; "" is the top one.
        path: DavPath = "",
        limit: Count<1, 1000> = 100,
        /// `next_cursor` of the page before.
        cursor: Option<String>,
    }
}

record! {
    pub(super) struct Directory {
        path: String,
        files: Vec<FileInfo>,
        /// Of the whole folder, not only of this page.
        total_count: i64,
        directories_count: i64,
        files_count: i64,
        total_size: i64,
        /// For the next page; absent on the last one.
        next_cursor: Option<String>,
    }
}

/// PROPFIND with `Depth: 1` (RFC 4918 §9.1). Of a long folder only the entries of one page are kept.
pub(super) fn list_directory(cx: &Cx, p: ListDirectory) -> Result<Success<Directory>, ToolError> {
    let after = p.cursor.as_deref().map(Place::parse).transpose()?;
    cx.admit(&p.path)?;
    let exclusion = cx.exclusion()?;
    let path = cx.nc.files(p.path.segments())?.slash();
    let own_depth = path.decoded_segments().count();
    let request = Request::new("PROPFIND", path)
        .header("Depth", "1")
        .xml(xml::propfind(PROPERTIES))
        .limit_bytes(LISTING_BYTES_MAX);
    let answer = cx.nc.multistatus(request).of(subject("folder", &p.path))?;
    let prefix = prefix(&p.path);
    let inside = format!("{}/", p.path.canonical());
    let mut is_folder = false;
    let (mut directories_count, mut files_count, mut total_size) = (0, 0, 0);
    let mut page = Page::new(after, p.limit.get());
    let visited = answer.each(|entry| {
        let href = entry.href();
        let mut names = href.split('/').filter(|name| !name.is_empty());
        // The folder itself is among the answers. It is told by its depth, as Nextcloud may spell its name another
        // way than it was asked for (Unicode normal forms).
        if names.clone().count() <= own_depth {
            is_folder = entry.is_collection();
            return;
        }
        let name = names.next_back().unwrap_or_default();
        if exclusion.hides(&format!("{inside}{name}"), file_id(&entry)) {
            return;
        }
        let is_directory = entry.is_collection();
        *(if is_directory { &mut directories_count } else { &mut files_count }) += 1;
        total_size += FileInfo::size_of(&entry).unwrap_or(0);
        page.offer(Place::new(!is_directory, name), || FileInfo::read(cx, &entry, format!("{prefix}{name}")));
    });
    visited.of(subject("folder", &p.path))?;
    if !is_folder {
        return Err(ToolError::Refused(format!(
            "{:?} is a file, not a folder. Read it with nc_webdav_read_file.",
            p.path.canonical()
        )));
    }
    let (files, next) = page.end();
    Ok(Success(Directory {
        path: p.path.as_given().to_owned(),
        files,
        total_count: directories_count + files_count,
        directories_count,
        files_count,
        total_size,
        next_cursor: next.map(|place| place.cursor()),
    }))
}

/// What comes before each name, in the style in which the caller wrote the folder.
fn prefix(folder: &DavPath) -> String {
    let slash = if folder.as_given().starts_with('/') { "/" } else { "" };
    let path = folder.segments().collect::<Vec<_>>().join("/");
    if path.is_empty() { slash.to_owned() } else { format!("{slash}{path}/") }
}

/// Where an entry stands in the order: folders first, then by name without regard to case. A cursor is the place of
/// the last entry seen, so that what is added or deleted meanwhile shifts nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    is_file: bool,
    folded: String,
    name: String,
}

impl Place {
    fn new(is_file: bool, name: &str) -> Place {
        Place { is_file, folded: name.to_lowercase(), name: name.to_owned() }
    }

    fn cursor(&self) -> String {
        format!("{}{}", if self.is_file { "f/" } else { "d/" }, self.name)
    }

    fn parse(cursor: &str) -> Result<Place, ToolError> {
        match cursor.split_once('/') {
            Some(("f", name)) => Ok(Place::new(true, name)),
            Some(("d", name)) => Ok(Place::new(false, name)),
            _ => Err(ToolError::Arguments("`cursor` must be the `next_cursor` of the page before".into())),
        }
    }
}

/// The first entries after a place, out of any number of entries in any order.
struct Page<T> {
    after: Option<Place>,
    limit: usize,
    kept: BTreeMap<Place, T>,
    more: bool,
}

impl<T> Page<T> {
    fn new(after: Option<Place>, limit: usize) -> Page<T> {
        Page { after, limit, kept: BTreeMap::new(), more: false }
    }

    /// Takes an entry if, as far as is known by now, it belongs on the page.
    fn offer(&mut self, place: Place, entry: impl FnOnce() -> T) {
        if self.after.as_ref().is_some_and(|after| place <= *after) {
            return;
        }
        if self.kept.len() >= self.limit {
            self.more = true;
            if self.kept.last_key_value().is_some_and(|(last, _)| place > *last) {
                return;
            }
            self.kept.pop_last();
        }
        self.kept.insert(place, entry());
    }

    /// The entries in order, and the last one's place if there are more after it.
    fn end(self) -> (Vec<T>, Option<Place>) {
        let last = self.kept.last_key_value().filter(|_| self.more).map(|(place, _)| place.clone());
        (self.kept.into_values().collect(), last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn folders_come_first_and_case_does_not_matter() {
        let mut places =
            [Place::new(true, "b"), Place::new(true, "A"), Place::new(false, "z"), Place::new(true, "a")];
        places.sort();
        let order: Vec<_> = places.iter().map(Place::cursor).collect();
        assert_eq!(order, ["d/z", "f/A", "f/a", "f/b"]);
    }

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        for place in [Place::new(true, "a/b"), Place::new(false, "Ü #%.txt")] {
            assert_eq!(Place::parse(&place.cursor()).unwrap(), place);
        }
        for bad in ["", "x/a", "17", "fa"] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_come_back_the_way_they_were_asked_for() {
        let prefix = |path| prefix(&DavPath::parse(path).unwrap());
        assert_eq!(prefix(""), "");
        assert_eq!(prefix("/"), "/");
        assert_eq!(prefix("docs/"), "docs/");
        assert_eq!(prefix("/docs//sub"), "/docs/sub/");
    }

    proptest! {
        #[test]
        fn pages_together_have_every_entry_once_in_order(
            names in proptest::collection::btree_set(("[a-cA-C]{1,3}", any::<bool>()), 0..40), limit in 1_usize..7
        ) {
            let places: Vec<Place> = names.iter().map(|(name, is_file)| Place::new(*is_file, name)).collect();
            let mut expected = places.clone();
            expected.sort();
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let mut page = Page::new(after.take(), limit);
                places.iter().for_each(|place| page.offer(place.clone(), || place.clone()));
                let (entries, next) = page.end();
                prop_assert!(entries.len() == limit || (next.is_none() && entries.len() < limit));
                seen.extend(entries);
                match next {
                    Some(place) => after = Place::parse(&place.cursor()).ok(),
                    None => break,
                }
            }
            prop_assert_eq!(seen, expected);
        }
    }
}
