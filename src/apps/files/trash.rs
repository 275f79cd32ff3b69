//! The trash bin.
//!
//! Route: `/remote.php/dav/trashbin/{user id}/trash` (app Deleted files); restoring is a MOVE to `…/restore/`.

use super::file_id;
use crate::clock::Timestamp;
use crate::nextcloud::{DAV, Entry, Error, NC, OC, Request, Subject, UrlPath, xml};
use crate::schema::Count;
use crate::tool::{Cursor, Cx, Page, Success, ToolError};
use crate::{params, record};

/// Answers with the whole trash bin, in bytes: about 30,000 entries.
const TRASH_BYTES_MAX: u64 = 16 << 20;

params! {
    pub(super) struct ListTrash {
        limit: Count<1, 1000> = 100,
        /// `next_cursor` of the page before.
        cursor: Option<Cursor>,
    }
}

params! {
    pub(super) struct RestoreFromTrash {
        /// `id` of nc_webdav_list_trash, such as `a.txt.d1795476767`.
        entry_id: String,
    }
}

record! {
    pub(super) struct TrashItem {
        id: String,
        name: Option<String>,
        /// From the top folder on.
        original_location: Option<String>,
        /// Seconds since 1970.
        deleted_at: Option<i64>,
        /// The same in RFC 3339.
        deleted: Option<String>,
        /// Bytes; of a folder, of all that is in it.
        size: Option<i64>,
        is_directory: bool,
    }
}

record! {
    pub(super) struct Trash {
        items: Vec<TrashItem>,
        /// Of all pages.
        total_count: i64,
        next_cursor: Option<Cursor>,
    }
}

record! {
    pub(super) struct Restored {
        entry_id: String,
        /// Where it is now.
        path: Option<String>,
        message: String,
    }
}

const PROPERTIES: &[xml::Name<'_>] = &[
    (NC, "trashbin-filename"),
    (NC, "trashbin-original-location"),
    (NC, "trashbin-deletion-time"),
    (DAV, "resourcetype"),
    (OC, "size"),
];

pub(super) fn list_trash(cx: &Cx, p: ListTrash) -> Result<Success<Trash>, ToolError> {
    tell_apart(cx)?;
    let mut items = items(cx, TRASH_BYTES_MAX).of("the trash bin")?;
    items.sort_by(|a, b| b.deleted_at.cmp(&a.deleted_at).then_with(|| a.id.cmp(&b.id)));
    let page = Page::cut(items, p.cursor, p.limit.get())?;
    Ok(Success(Trash { items: page.rows, total_count: page.total, next_cursor: page.next_cursor }))
}

/// MOVE without `Overwrite`: with `F` Nextcloud answers 412, whether the name is free or not. A taken name it changes by
/// itself, and what was in a folder that is gone it puts into the top folder; so the place is asked for afterwards.
pub(super) fn restore_from_trash(cx: &Cx, p: RestoreFromTrash) -> Result<Success<Restored>, ToolError> {
    tell_apart(cx)?;
    let id = p.entry_id.trim();
    if id.is_empty() || id.contains('/') {
        return Err(ToolError::Arguments("`entry_id` must be an `id` of nc_webdav_list_trash".into()));
    }
    let about = || format!("{id:?} in the trash bin");
    let (source, destination) =
        (trash(cx)?.segment("trash").segment(id), trash(cx)?.segment("restore").segment(id));
    let asked = Request::new("PROPFIND", source.clone())
        .header("Depth", "0")
        .xml(xml::propfind(&[(OC, "fileid"), (NC, "trashbin-original-location")]));
    let (file_id, before) = cx
        .nc
        .multistatus(asked)
        .of(about())?
        .first(|entry| {
            Some((file_id(&entry), entry.prop(NC, "trashbin-original-location").map(str::to_owned)))
        })?
        .unwrap_or_default();
    cx.nc.send(Request::new("MOVE", source).destination(&destination)).of(about())?;
    // It is done; that the place cannot be told is no failure.
    let path = file_id.and_then(|id| cx.nc.places_of(id).ok()?.into_iter().next()).map(|place| place.path);
    let message = match (&path, &before) {
        (Some(now), Some(before)) if now.trim_start_matches('/') == before.trim_start_matches('/') => {
            "It was restored to where it was.".to_owned()
        }
        (Some(now), Some(before)) => {
            format!(
                "It was restored as {now:?}, since the name \"/{before}\" is taken or its folder does not exist any more."
            )
        }
        _ => "It was restored.".to_owned(),
    };
    Ok(Success(Restored { entry_id: id.to_owned(), path, message }))
}

/// The newest entry that came from `path`, deleted at `since_s` or later.
pub(super) fn entry_of(cx: &Cx, path: &str, since_s: Option<i64>) -> Result<Option<String>, Error> {
    /// A bin with more than about 2,000 entries is not looked through for a hint.
    const HINT_BYTES_MAX: u64 = 1 << 20;
    let wanted = path.trim_start_matches('/');
    let found = items(cx, HINT_BYTES_MAX)?
        .into_iter()
        .filter(|item| item.original_location.as_deref() == Some(wanted))
        .filter(|item| since_s.is_none_or(|since_s| item.deleted_at.is_some_and(|at_s| at_s >= since_s)))
        .max_by_key(|item| item.deleted_at);
    Ok(found.map(|item| item.id))
}

/// Nextcloud tells no tags of what is in the trash bin, so what is to be kept away cannot be told from the rest.
fn tell_apart(cx: &Cx) -> Result<(), ToolError> {
    if cx.exclusion()?.is_in_force() {
        return Err(ToolError::Refused(
            "The trash bin is not available through this server; the person can use it in Nextcloud itself."
                .into(),
        ));
    }
    Ok(())
}

fn items(cx: &Cx, limit_bytes: u64) -> Result<Vec<TrashItem>, Error> {
    let path = trash(cx)?.segment("trash");
    let own_depth = path.decoded_segments().count();
    let request = Request::new("PROPFIND", path)
        .header("Depth", "1")
        .xml(xml::propfind(PROPERTIES))
        .limit_bytes(limit_bytes);
    cx.nc.multistatus(request)?.collect(|entry| {
        let path = entry.path();
        let is_bin = path.decoded_segments().count() <= own_depth;
        if is_bin { None } else { Some(TrashItem::read_entry(&entry, path.last_segment()?)) }
    })
}

impl TrashItem {
    fn read_entry(entry: &Entry<'_>, id: String) -> TrashItem {
        let text = |name| entry.prop(NC, name).map(str::to_owned);
        let deleted_at: Option<i64> =
            entry.prop(NC, "trashbin-deletion-time").and_then(|time| time.parse().ok());
        TrashItem {
            id,
            name: text("trashbin-filename"),
            original_location: text("trashbin-original-location"),
            deleted_at,
            deleted: deleted_at
                .and_then(|at_s| u64::try_from(at_s).ok()?.checked_mul(1000))
                .map(|unix_ms| Timestamp { unix_ms }.rfc3339()),
            size: entry.prop(OC, "size").and_then(|size| size.parse().ok()).filter(|size| *size >= 0),
            is_directory: entry.is_collection(),
        }
    }
}

fn trash(cx: &Cx) -> Result<UrlPath, Error> {
    Ok(UrlPath::dav().raw("/trashbin").segment(&cx.nc.user_id()?))
}
