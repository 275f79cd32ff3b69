//! Files: the user's folders and files, over WebDAV.
//!
//! Routes: `/remote.php/dav/files/{user id}/…` (RFC 4918), SEARCH at `/remote.php/dav/` (RFC 5323). Paths are decoded
//! and start at the user's top folder; they come back the way they were asked for, with or without a leading slash.

mod comments;
mod listing;
mod moving;
mod reading;
mod searching;
mod tags;
mod trash;
mod versions;
mod writing;

use crate::nextcloud::{DAV, Entry, OC, Request, Subject, xml};
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
            about: "Delete a file, or a folder with all that is in it. It goes to the trash bin where that is on; the answer says \
                    how to restore it.",
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
        Tool {
            name: "nc_webdav_list_comments",
            about: "List the comments on a file or folder, newest first.",
            scopes: &[Scope::FilesRead],
            effect: Effect::Read,
            needs: COMMENTS,
            handler: &typed(comments::list_comments),
        },
        Tool {
            name: "nc_webdav_create_comment",
            about: "Comment on a file or folder; all who have it can read that. `@user` notifies a person.",
            scopes: &[Scope::FilesWrite],
            effect: Effect::Create,
            needs: COMMENTS,
            handler: &typed(comments::create_comment),
        },
        Tool {
            name: "nc_webdav_list_trash",
            about: "List what is in the trash bin, last deleted first.",
            scopes: &[Scope::FilesRead],
            effect: Effect::Read,
            needs: TRASH,
            handler: &typed(trash::list_trash),
        },
        Tool {
            name: "nc_webdav_restore_from_trash",
            about: "Take a file or folder out of the trash bin, back to where it was. The answer has its path, which \
                    differs if the name is taken or the folder is gone.",
            scopes: &[Scope::FilesWrite],
            effect: Effect::Create,
            needs: TRASH,
            handler: &typed(trash::restore_from_trash),
        },
        Tool {
            name: "nc_webdav_list_versions",
            about: "List the versions of a file that Nextcloud kept, newest first.",
            scopes: &[Scope::FilesRead],
            effect: Effect::Read,
            needs: VERSIONS,
            handler: &typed(versions::list_versions),
        },
        Tool {
            name: "nc_webdav_restore_version",
            about: "Give a file the content of an earlier version again. The content before it is kept as a version, too.",
            scopes: &[Scope::FilesWrite],
            effect: Effect::Create,
            needs: VERSIONS,
            handler: &typed(versions::restore_version),
        },
        Tool {
            name: "nc_webdav_list_tags",
            about: "List the tags that files can have. Tags are shared by all users of this Nextcloud.",
            scopes: &[Scope::FilesRead],
            effect: Effect::Read,
            needs: TAGS,
            handler: &typed(tags::list_tags),
        },
        Tool {
            name: "nc_webdav_get_file_tags",
            about: "Show which tags a file or folder has.",
            scopes: &[Scope::FilesRead],
            effect: Effect::Read,
            needs: TAGS,
            handler: &typed(tags::get_file_tags),
        },
        Tool {
            name: "nc_webdav_find_by_tag_name",
            about: "Find the files and folders that have a tag themselves.",
            scopes: &[Scope::FilesRead],
            effect: Effect::Read,
            needs: TAGS,
            handler: &typed(tags::find_by_tag_name),
        },
        Tool {
            name: "nc_webdav_tag_file",
            about: "Put a tag on a file or folder; a tag that does not exist is made. All who have the file see it.",
            scopes: &[Scope::FilesWrite],
            effect: Effect::Ensure,
            needs: TAGS,
            handler: &typed(tags::tag_file),
        },
        Tool {
            name: "nc_webdav_untag_file",
            about: "Take a tag off a file or folder. The tag itself stays.",
            scopes: &[Scope::FilesWrite],
            effect: Effect::Ensure,
            needs: TAGS,
            handler: &typed(tags::untag_file),
        },
    ],
    resources: &[],
};

const COMMENTS: Needs = Needs::Capability("comments", "/files/comments");
const TRASH: Needs = Needs::Capability("files_trashbin", "/files/undelete");
const VERSIONS: Needs = Needs::Capability("files_versions", "/files/versioning");
const TAGS: Needs = Needs::App("systemtags");

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
        let file_id = file_id(entry);
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
            url: file_id.and_then(|id| link(cx, id)),
        }
    }

    /// Bytes; absent where Nextcloud does not know (−1 for storage that it has not looked through).
    fn size_of(entry: &Entry<'_>) -> Option<i64> {
        let size = entry.prop(DAV, "getcontentlength").or_else(|| entry.prop(OC, "size"))?.parse().ok()?;
        Some(size).filter(|size| *size >= 0)
    }
}

fn file_id(entry: &Entry<'_>) -> Option<i64> {
    entry.prop(OC, "fileid").and_then(|id| id.parse().ok())
}

/// Looks up what a path names (PROPFIND, `Depth: 0`), if it may be touched: its file id, and what `read` makes of the
/// properties in `more`.
fn target<T>(
    cx: &Cx,
    path: &DavPath,
    more: &[xml::Name<'_>],
    read: impl Fn(&Entry<'_>) -> T,
) -> Result<(i64, T), ToolError> {
    cx.admit(path)?;
    let names = [&[(OC, "fileid")], more].concat();
    let request = Request::new("PROPFIND", cx.nc.files(path.segments())?)
        .header("Depth", "0")
        .xml(xml::propfind(&names));
    let answer = cx.nc.multistatus(request).of(subject("file or folder", path))?;
    let found = answer.first(|entry| Some((file_id(&entry)?, read(&entry))))?;
    found.ok_or_else(|| ToolError::Refused(format!("{:?} has no file id in Nextcloud.", path.canonical())))
}

/// A link that opens a file or folder in a browser.
fn link(cx: &Cx, file_id: i64) -> Option<String> {
    cx.link(&format!("/index.php/f/{file_id}"))
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
