//! What is in a folder.

use super::{FileInfo, LISTING_BYTES_MAX, PROPERTIES, subject};
use crate::nextcloud::{Request, Subject, decode, xml};
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

/// PROPFIND with `Depth: 1` (RFC 4918 §9.1).
pub(super) fn list_directory(cx: &Cx, p: ListDirectory) -> Result<Success<Directory>, ToolError> {
    let after = p.cursor.as_deref().map(Place::parse).transpose()?;
    let path = cx.nc.files(p.path.segments())?.slash();
    let own = decode(path.as_str());
    let request = Request::new("PROPFIND", path)
        .header("Depth", "1")
        .xml(xml::propfind(PROPERTIES))
        .limit_bytes(LISTING_BYTES_MAX);
    let answer = cx.nc.multistatus(request).of(subject("folder", &p.path))?;
    let prefix = prefix(&p.path);
    let mut is_folder = false;
    let mut files: Vec<FileInfo> = Vec::new();
    answer
        .each(|entry| {
            let href = entry.href();
            if href.trim_end_matches('/') == own.trim_end_matches('/') {
                is_folder = entry.is_collection();
            } else if let Some(name) = href.trim_end_matches('/').rsplit('/').next() {
                files.push(FileInfo::read(cx, &entry, format!("{prefix}{name}")));
            }
        })
        .of(subject("folder", &p.path))?;
    if !is_folder {
        return Err(ToolError::Refused(format!(
            "{:?} is a file, not a folder. Read it with nc_webdav_read_file.",
            p.path.canonical()
        )));
    }
    files.sort_by_cached_key(Place::of);
    let directories_count = files.iter().filter(|file| file.is_directory).count() as i64;
    let total_count = files.len() as i64;
    let total_size = files.iter().filter_map(|file| file.size).sum();
    if let Some(after) = &after {
        files.drain(..files.partition_point(|file| Place::of(file) <= *after));
    }
    let more = files.len() > p.limit.get();
    files.truncate(p.limit.get());
    Ok(Success(Directory {
        path: p.path.as_given().to_owned(),
        next_cursor: files.last().filter(|_| more).map(|last| Place::of(last).cursor()),
        files,
        total_count,
        directories_count,
        files_count: total_count - directories_count,
        total_size,
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
    fn of(file: &FileInfo) -> Place {
        Place::new(!file.is_directory, &file.name)
    }

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

#[cfg(test)]
mod tests {
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
}
