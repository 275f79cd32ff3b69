//! Earlier versions of files.
//!
//! Route: `/remote.php/dav/versions/{user id}/versions/{file id}` (app Versions); restoring is a MOVE to
//! `…/restore/target`.

use std::cmp::Reverse;

use super::{subject, target};
use crate::nextcloud::{DAV, Entry, Error, Kind, NC, Request, Subject, UrlPath, xml};
use crate::schema::{Count, DavPath};
use crate::tool::{Cursor, Cx, Page, Success, ToolError};
use crate::{params, record};

params! {
    pub(super) struct ListVersions {
        path: DavPath,
        limit: Count<1, 1000> = 100,
        /// `next_cursor` of the page before.
        cursor: Option<Cursor>,
    }
}

params! {
    pub(super) struct RestoreVersion {
        path: DavPath,
        version_id: String,
    }
}

record! {
    pub(super) struct FileVersion {
        version_id: String,
        /// Bytes.
        size: Option<i64>,
        modified: Option<String>,
        label: Option<String>,
        author: Option<String>,
        /// Only where it is what the file has now.
        is_current: Option<bool>,
    }
}

record! {
    pub(super) struct Versions {
        path: String,
        file_id: i64,
        versions: Vec<FileVersion>,
        /// Of all pages.
        total_count: i64,
        next_cursor: Option<Cursor>,
    }
}

record! {
    pub(super) struct RestoredVersion {
        path: String,
        restored_version: String,
        message: String,
    }
}

pub(super) fn list_versions(cx: &Cx, p: ListVersions) -> Result<Success<Versions>, ToolError> {
    let (file_id, modified) = file(cx, &p.path)?;
    let mut versions = versions(cx, file_id).of(subject("the list of versions of", &p.path))?;
    for version in versions.iter_mut().filter(|version| version.modified == modified) {
        version.is_current = Some(true);
    }
    let page = Page::cut(versions, p.cursor, p.limit.get())?;
    Ok(Success(Versions {
        path: p.path.as_given().to_owned(),
        file_id,
        versions: page.rows,
        total_count: page.total,
        next_cursor: page.next_cursor,
    }))
}

/// MOVE without `Overwrite`: with `F` Nextcloud answers 412.
pub(super) fn restore_version(cx: &Cx, p: RestoreVersion) -> Result<Success<RestoredVersion>, ToolError> {
    let id = p.version_id.trim();
    if id.is_empty() || id.contains('/') {
        return Err(ToolError::Arguments("`version_id` must be one of nc_webdav_list_versions".into()));
    }
    let (file_id, _) = file(cx, &p.path)?;
    let of_user = versions_of_user(cx)?;
    let source = of_user.clone().segment("versions").segment(&file_id.to_string()).segment(id);
    let destination = of_user.segment("restore").segment("target");
    cx.nc.send(Request::new("MOVE", source).destination(&destination)).map_err(|error| match error.kind {
        // The app could be missing as well, which is said where the error is explained.
        Kind::NotFound => error.about(format!("version {id:?} of file {:?}", p.path.canonical())),
        _ => error.about(subject("file", &p.path)),
    })?;
    Ok(Success(RestoredVersion {
        path: p.path.as_given().to_owned(),
        restored_version: id.to_owned(),
        message: "The file has this version's content again. What it had before is in nc_webdav_list_versions, unless \
                  it was empty."
            .into(),
    }))
}

/// The id of the newest version of a file that is not its current one.
pub(super) fn version_before(cx: &Cx, file_id: i64) -> Result<Option<String>, Error> {
    Ok(versions(cx, file_id)?.into_iter().nth(1).map(|version| version.version_id))
}

/// A file's id and the time of its last change; folders have no versions.
fn file(cx: &Cx, path: &DavPath) -> Result<(i64, Option<String>), ToolError> {
    let wanted = [(DAV, "resourcetype"), (DAV, "getlastmodified")];
    let (file_id, (is_directory, modified)) = target(cx, path, &wanted, |entry| {
        (entry.is_collection(), entry.prop(DAV, "getlastmodified").map(str::to_owned))
    })?;
    if is_directory {
        return Err(ToolError::Refused(format!(
            "{:?} is a folder; only files have versions.",
            path.canonical()
        )));
    }
    Ok((file_id, modified))
}

/// Newest first. The current content is among them, as its own newest version.
fn versions(cx: &Cx, file_id: i64) -> Result<Vec<FileVersion>, Error> {
    let path = versions_of_user(cx)?.segment("versions").segment(&file_id.to_string());
    let own_depth = path.decoded_segments().count();
    let names =
        [(DAV, "getcontentlength"), (DAV, "getlastmodified"), (NC, "version-label"), (NC, "version-author")];
    let request = Request::new("PROPFIND", path).header("Depth", "1").xml(xml::propfind(&names));
    let mut versions = cx.nc.multistatus(request)?.collect(|entry| {
        let path = entry.path();
        let is_list = path.decoded_segments().count() <= own_depth;
        if is_list { None } else { Some(FileVersion::read_entry(&entry, path.last_segment()?)) }
    })?;
    // An id is the time of the change, in seconds since 1970.
    versions.sort_by_key(|version| Reverse(version.version_id.parse::<u64>().unwrap_or(0)));
    Ok(versions)
}

impl FileVersion {
    fn read_entry(entry: &Entry<'_>, version_id: String) -> FileVersion {
        let text = |namespace, name| entry.prop(namespace, name).map(str::to_owned);
        FileVersion {
            version_id,
            size: entry.prop(DAV, "getcontentlength").and_then(|size| size.parse().ok()),
            modified: text(DAV, "getlastmodified"),
            label: text(NC, "version-label"),
            author: text(NC, "version-author"),
            is_current: None,
        }
    }
}

fn versions_of_user(cx: &Cx) -> Result<UrlPath, Error> {
    Ok(UrlPath::dav().raw("/versions").segment(&cx.nc.user_id()?))
}
