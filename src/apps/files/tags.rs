//! Tags on files and folders: Nextcloud's system tags, one set for all users.
//!
//! Routes: `/remote.php/dav/systemtags/` and `/remote.php/dav/systemtags-relations/files/{file id}/{tag id}`, REPORT
//! `oc:filter-files` to find by tag.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{FileInfo, PROPERTIES, subject, target};
use crate::nextcloud::{Kind, Request, Subject, SystemTag, UrlPath};
use crate::schema::{Count, DavPath};
use crate::tool::{Cursor, Cx, Page, Success, ToolError};
use crate::{params, record};

/// What Nextcloud's database keeps of a name, in characters.
const NAME_CHARS_MAX: usize = 64;

params! {
    pub(super) struct ListTags {
        limit: Count<1, 1000> = 200,
        /// `next_cursor` of the page before.
        cursor: Option<Cursor>,
    }
}

params! {
    pub(super) struct TagsOfFile { path: DavPath }
}

params! {
    pub(super) struct FindByTagName {
        tag: String,
        limit: Count<1, 1000> = 100,
        /// `next_cursor` of the page before.
        cursor: Option<Cursor>,
    }
}

params! {
    pub(super) struct FileAndTag { path: DavPath, tag: String }
}

record! {
    pub(super) struct Tag {
        id: i64,
        name: String,
        /// Whether this account may set and remove it.
        assignable: bool,
    }
}

record! {
    pub(super) struct TagList {
        tags: Vec<Tag>,
        /// Of all pages.
        total_count: i64,
        next_cursor: Option<Cursor>,
    }
}

record! {
    pub(super) struct FileTags {
        path: String,
        file_id: i64,
        tags: Vec<Tag>,
    }
}

record! {
    pub(super) struct TaggedFiles {
        tag: String,
        /// Absent if there is no such tag.
        tag_id: Option<i64>,
        files: Vec<FileInfo>,
        /// Of all pages.
        total_count: i64,
        next_cursor: Option<Cursor>,
        message: Option<String>,
    }
}

record! {
    pub(super) struct Assignment {
        path: String,
        tag: String,
        tag_id: i64,
        /// Whether the file has the tag now.
        assigned: bool,
        /// The tag did not exist before.
        created: Option<bool>,
        message: String,
    }
}

pub(super) fn list_tags(cx: &Cx, p: ListTags) -> Result<Success<TagList>, ToolError> {
    let mut tags = cx.nc.system_tags().of("the list of tags")?;
    tags.retain(|tag| !cx.keeps_tag(&tag.name));
    let page = Page::cut(in_order(tags), p.cursor, p.limit.get())?;
    Ok(Success(TagList { tags: page.rows, total_count: page.total, next_cursor: page.next_cursor }))
}

pub(super) fn get_file_tags(cx: &Cx, p: TagsOfFile) -> Result<Success<FileTags>, ToolError> {
    let (file_id, ()) = target(cx, &p.path, &[], |_| ())?;
    let tags = cx.nc.tags_of(file_id).of(subject("the list of tags of", &p.path))?;
    Ok(Success(FileTags { path: p.path.as_given().to_owned(), file_id, tags: in_order(tags) }))
}

pub(super) fn find_by_tag_name(cx: &Cx, p: FindByTagName) -> Result<Success<TaggedFiles>, ToolError> {
    let name = tag_name(&p.tag)?;
    cx.admit_tag(name)?;
    let tags = named(cx, name)?;
    let exclusion = cx.exclusion()?;
    let mut found: BTreeMap<String, FileInfo> = BTreeMap::new();
    for tag in &tags {
        let tagged = cx.nc.each_tagged(tag.id, PROPERTIES, |entry, path| {
            let file = FileInfo::read(cx, entry, path.trim_start_matches('/').to_owned());
            if !exclusion.hides(&path, file.file_id) {
                found.insert(path, file);
            }
        });
        tagged.of(format!("the files with the tag {name:?}"))?;
    }
    let page = Page::cut(found.into_values().collect(), p.cursor, p.limit.get())?;
    let message = tags
        .is_empty()
        .then(|| format!("There is no tag {name:?}; nc_webdav_list_tags has those that there are."));
    Ok(Success(TaggedFiles {
        tag: tags.first().map_or(name, |tag| &tag.name).to_owned(),
        tag_id: tags.first().map(|tag| tag.id),
        files: page.rows,
        total_count: page.total,
        next_cursor: page.next_cursor,
        message,
    }))
}

/// PUT into the file's tags; 409 says that it has the tag.
pub(super) fn tag_file(cx: &Cx, p: FileAndTag) -> Result<Success<Assignment>, ToolError> {
    let name = tag_name(&p.tag)?;
    cx.admit_tag(name)?;
    let (file_id, ()) = target(cx, &p.path, &[], |_| ())?;
    let known = named(cx, name)?;
    let is_new = known.is_empty();
    let tag = if is_new { create(cx, name)? } else { assignable(known, name)? };
    let request = Request::new("PUT", relation(file_id, tag.id)).allow(&[409]);
    let response = cx.nc.send(request).of(subject("the tag of", &p.path))?;
    let message = match response.status {
        409 => "It had this tag already.".to_owned(),
        _ if is_new => "The tag was made and put on it.".to_owned(),
        _ => "The tag was put on it.".to_owned(),
    };
    Ok(Success(Assignment {
        path: p.path.as_given().to_owned(),
        tag: tag.name,
        tag_id: tag.id,
        assigned: true,
        created: Some(is_new),
        message,
    }))
}

/// DELETE from the file's tags; 404 says that it has no such tag.
pub(super) fn untag_file(cx: &Cx, p: FileAndTag) -> Result<Success<Assignment>, ToolError> {
    let name = tag_name(&p.tag)?;
    cx.admit_tag(name)?;
    let (file_id, ()) = target(cx, &p.path, &[], |_| ())?;
    let known = named(cx, name)?;
    if known.is_empty() {
        return Err(ToolError::Refused(format!(
            "There is no tag {name:?}; nothing was changed. nc_webdav_get_file_tags shows the tags of a file."
        )));
    }
    let tag = assignable(known, name)?;
    let request = Request::new("DELETE", relation(file_id, tag.id)).allow(&[404]);
    let response = cx.nc.send(request).of(subject("the tag of", &p.path))?;
    Ok(Success(Assignment {
        path: p.path.as_given().to_owned(),
        tag: tag.name,
        tag_id: tag.id,
        assigned: false,
        created: None,
        message: match response.status {
            404 => "It did not have this tag; nothing was changed.".into(),
            _ => "The tag was taken off it.".into(),
        },
    }))
}

fn tag_name(given: &str) -> Result<&str, ToolError> {
    let name = given.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(ToolError::Arguments(format!(
            "`tag` must be the name of a tag, with 1 to {NAME_CHARS_MAX} characters"
        )));
    }
    Ok(name)
}

/// The tags of a name: there can be several, with different rights. Where none is spelled like this, those that differ in
/// case only, so that no second "Todo" is made beside "todo"; fails if that leaves a choice.
fn named(cx: &Cx, name: &str) -> Result<Vec<SystemTag>, ToolError> {
    let tags = cx.nc.system_tags().of("the list of tags")?;
    let (exact, others): (Vec<SystemTag>, Vec<SystemTag>) =
        tags.into_iter().partition(|tag| tag.name == name);
    if !exact.is_empty() {
        return Ok(exact);
    }
    let folded = name.to_lowercase();
    let alike: Vec<SystemTag> = others.into_iter().filter(|tag| tag.name.to_lowercase() == folded).collect();
    let spellings: BTreeSet<&str> = alike.iter().map(|tag| tag.name.as_str()).collect();
    if spellings.len() > 1 {
        let spellings: Vec<String> = spellings.iter().map(|name| format!("{name:?}")).collect();
        return Err(ToolError::Arguments(format!("`tag` could be any of {}", spellings.join(", "))));
    }
    Ok(alike)
}

fn assignable(tags: Vec<SystemTag>, name: &str) -> Result<SystemTag, ToolError> {
    tags.into_iter().find(|tag| tag.assignable).ok_or_else(|| {
        ToolError::Refused(format!(
            "The tag {name:?} is restricted: this account may neither set nor remove it. Nothing was changed."
        ))
    })
}

/// POST to the list of tags. Its id comes in `Content-Location`.
fn create(cx: &Cx, name: &str) -> Result<SystemTag, ToolError> {
    let body = json!({"name": name, "userVisible": true, "userAssignable": true});
    let request = Request::new("POST", UrlPath::dav().raw("/systemtags/")).json(&body);
    let response = cx.nc.send(request).map_err(|error| match error.kind {
        Kind::Conflict => ToolError::Refused(format!(
            "The tag {name:?} was made by somebody else at the same moment; it is not on the file yet. Try again."
        )),
        _ => error.about(format!("the new tag {name:?}")).into(),
    })?;
    let id = response
        .header("Content-Location")
        .and_then(|place| cx.nc.path_of(place).last_segment()?.parse().ok());
    id.map(|id| SystemTag { id, name: name.to_owned(), assignable: true }).ok_or_else(|| {
        ToolError::Refused(format!(
            "The tag {name:?} was made, but Nextcloud did not tell its id; it is not on the file. Try again."
        ))
    })
}

fn relation(file_id: i64, tag_id: i64) -> UrlPath {
    let file = UrlPath::dav().raw("/systemtags-relations/files").segment(&file_id.to_string());
    file.segment(&tag_id.to_string())
}

fn in_order(mut tags: Vec<SystemTag>) -> Vec<Tag> {
    tags.sort_by_cached_key(|tag| (tag.name.to_lowercase(), tag.id));
    let shown = |tag: SystemTag| Tag { id: tag.id, name: tag.name, assignable: tag.assignable };
    tags.into_iter().map(shown).collect()
}
