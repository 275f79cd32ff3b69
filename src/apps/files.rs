//! Files: the user's folders and files, over WebDAV.
//!
//! Routes: `/remote.php/dav/files/{user id}/…` (RFC 4918), SEARCH at `/remote.php/dav/` (RFC 5323). Paths are decoded
//! and start at the user's top folder; they come back the way they were asked for, with or without a leading slash.

mod listing;
mod moving;
mod reading;
mod searching;
mod writing;

use crate::nextcloud::{DAV, Entry, OC};
use crate::record;
use crate::schema::DavPath;
use crate::tool::{App, Cx, Effect, Needs, Scope, Tool, ToolError, typed};

pub const APP: App = App {
    name: "files",
    about: "Files and folders, over WebDAV",
    tools: &[
        Tool {
            name: "nc_webdav_list_directory",
            about: "List what is in a folder, folders first. Long folders come in pages; the totals count all of it.",
            scopes: &[Scope::FilesRead],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(listing::list_directory),
        },
        Tool {
            name: "nc_webdav_read_file",
            about: "Read a file, or a part of it by offset and length in bytes. Text comes as text, images as images, \
                    anything else as bytes; documents such as PDF are not converted. Large files come in pieces, and \
                    the answer says how to go on.",
            scopes: &[Scope::FilesRead],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(reading::read_file),
        },
        Tool {
            name: "nc_webdav_write_file",
            about: "Create a file, or replace it if told so. Without `if_match` it fails if the file exists; with the \
                    etag of the last read it replaces exactly that version. The parent folder must exist.",
            scopes: &[Scope::FilesWrite],
            effect: Effect::Update,
            needs: Needs::Nothing,
            handler: &typed(writing::write_file),
        },
        Tool {
            name: "nc_webdav_create_directory",
            about: "Make a folder. That it exists already is no error; its parent must exist.",
            scopes: &[Scope::FilesWrite],
            effect: Effect::Ensure,
            needs: Needs::Nothing,
            handler: &typed(writing::create_directory),
        },
        Tool {
            name: "nc_webdav_delete_resource",
            about: "Delete a file, or a folder with all that is in it. It goes to the trash bin where that is on.",
            scopes: &[Scope::FilesWrite],
            effect: Effect::Delete,
            needs: Needs::Nothing,
            handler: &typed(writing::delete_resource),
        },
        Tool {
            name: "nc_webdav_move_resource",
            about: "Move or rename a file or folder. Both paths are whole paths, with the name.",
            scopes: &[Scope::FilesWrite],
            effect: Effect::Update,
            needs: Needs::Nothing,
            handler: &typed(moving::move_resource),
        },
        Tool {
            name: "nc_webdav_copy_resource",
            about: "Copy a file, or a folder with all that is in it. Both paths are whole paths, with the name.",
            scopes: &[Scope::FilesWrite],
            effect: Effect::Update,
            needs: Needs::Nothing,
            handler: &typed(moving::copy_resource),
        },
        Tool {
            name: "nc_webdav_search_files",
            about: "Find files and folders by name, type and favourite mark together, in a folder and all below it. \
                    It looks at names, not into contents.",
            scopes: &[Scope::FilesRead],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(searching::search_files),
        },
        Tool {
            name: "nc_webdav_find_by_name",
            about: "Find files and folders whose name fits a pattern.",
            scopes: &[Scope::FilesRead],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(searching::find_by_name),
        },
        Tool {
            name: "nc_webdav_find_by_type",
            about: "Find files of one media type.",
            scopes: &[Scope::FilesRead],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(searching::find_by_type),
        },
        Tool {
            name: "nc_webdav_list_favorites",
            about: "List the files and folders that the user marked as favourites.",
            scopes: &[Scope::FilesRead],
            effect: Effect::Read,
            needs: Needs::Nothing,
            handler: &typed(searching::list_favorites),
        },
    ],
    resources: &[],
};

record! {
    /// A file or folder.
    struct FileInfo {
        name: String,
        path: String,
        is_directory: bool,
        /// Bytes; of a folder, of all that is in it.
        size: Option<i64>,
        content_type: Option<String>,
        last_modified: Option<String>,
        etag: Option<String>,
        file_id: Option<i64>,
        /// Only where it is one.
        is_favorite: Option<bool>,
        /// For a browser.
        url: Option<String>,
    }
}

/// What is asked about each file: no more, since a folder may have thousands.
const PROPERTIES: &[(&str, &str)] = &[
    (DAV, "resourcetype"),
    (DAV, "getcontentlength"),
    (DAV, "getcontenttype"),
    (DAV, "getlastmodified"),
    (DAV, "getetag"),
    (OC, "fileid"),
    (OC, "size"),
    (OC, "favorite"),
];

/// Multistatus bodies of listings and searches, in bytes: about 40,000 entries.
const LISTING_BYTES_MAX: u64 = 32 << 20;

impl FileInfo {
    /// Reads one `response` element; `path` is how the caller would write it.
    fn read(cx: &Cx, entry: &Entry<'_>, path: String) -> FileInfo {
        let is_directory = entry.is_collection();
        let text = |namespace, name| entry.prop(namespace, name).map(str::to_owned);
        let file_id: Option<i64> = entry.prop(OC, "fileid").and_then(|id| id.parse().ok());
        FileInfo {
            name: path.rsplit('/').next().unwrap_or_default().to_owned(),
            path,
            is_directory,
            size: FileInfo::size_of(entry),
            content_type: text(DAV, "getcontenttype").filter(|_| !is_directory),
            last_modified: text(DAV, "getlastmodified"),
            etag: entry.etag(),
            file_id,
            is_favorite: (entry.prop(OC, "favorite") == Some("1")).then_some(true),
            url: file_id.and_then(|id| cx.link(&format!("/index.php/f/{id}"))),
        }
    }

    /// Bytes; absent where Nextcloud does not know (−1 for storage that it has not looked through).
    fn size_of(entry: &Entry<'_>) -> Option<i64> {
        let size = entry.prop(DAV, "getcontentlength").or_else(|| entry.prop(OC, "size"))?.parse().ok()?;
        Some(size).filter(|size| *size >= 0)
    }
}

/// How errors name a path: `file "/docs/a.txt"`.
fn subject(kind: &str, path: &DavPath) -> String {
    format!("{kind} {:?}", path.canonical())
}

/// Refuses the top folder, which can be neither replaced, moved nor deleted.
fn below_top(path: &DavPath) -> Result<(), ToolError> {
    if path.is_root() {
        return Err(ToolError::Refused(
            "This cannot be done to the top folder; name a file or folder in it.".into(),
        ));
    }
    Ok(())
}
