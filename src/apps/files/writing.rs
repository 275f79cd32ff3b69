//! Making, replacing and deleting files and folders.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{below_top, subject, trash, versions};
use crate::nextcloud::{DAV, Kind, Request, Response, Subject, xml};
use crate::schema::{DavPath, Etag};
use crate::tool::{Cx, Success, ToolError};
use crate::{params, record};

/// Takes base64 with and without padding at its end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// How far the clock of a proxy, which may write `Date`, may be ahead of Nextcloud's, in seconds.
const CLOCKS_DIFFER_S_MAX: i64 = 120;
/// What Nextcloud stores a file as where nothing better is known.
const UNKNOWN_TYPE: &str = "application/octet-stream";

params! {
    pub(super) struct WriteFile {
        path: DavPath,
        /// Text; or base64 with a content type that ends with `;base64`.
        content: String,
        content_type: Option<String>,
        /// Etag of the version to replace; `*` replaces whatever is there.
        if_match: Option<Etag>,
    }
}

params! {
    pub(super) struct OnePath { path: DavPath }
}

record! {
    pub(super) struct WrittenFile {
        status_code: i64,
        message: String,
        path: String,
        /// Bytes.
        size: i64,
        /// It was not there before.
        created: bool,
        /// Of the new version.
        etag: Option<String>,
        /// The newest earlier version, for nc_webdav_restore_version.
        previous_version: Option<String>,
    }
}

record! {
    pub(super) struct Done {
        status_code: i64,
        message: String,
        path: String,
    }
}

record! {
    pub(super) struct Deleted {
        status_code: i64,
        message: String,
        path: String,
        /// For nc_webdav_restore_from_trash.
        trash_entry_id: Option<String>,
    }
}

/// PUT with `If-None-Match: *` or `If-Match` (RFC 9110 §13.1), so that nothing is overwritten unseen.
pub(super) fn write_file(cx: &Cx, p: WriteFile) -> Result<Success<WrittenFile>, ToolError> {
    below_top(&p.path)?;
    let (bytes, content_type) = body(&p.content, p.content_type.as_deref())?;
    let size = bytes.len() as u64;
    if let Some(max) = cx.settings.write_bytes_max.filter(|max| size > *max) {
        return Err(ToolError::Refused(format!(
            "The content has {size} bytes; at most {max} may be written (WEBDAV_WRITE_MAX_MB). Nothing was written."
        )));
    }
    cx.admit(&p.path)?;
    let request = Request::new("PUT", cx.nc.files(p.path.segments())?).body(bytes, content_type);
    let request = match &p.if_match {
        None => request.if_none_match("*"),
        Some(etag) => request.if_match(etag.as_str()),
    };
    let response = cx.nc.send(request).map_err(|error| match error.kind {
        Kind::PreconditionFailed => ToolError::Refused(conflict(&p)),
        Kind::NotFound => ToolError::Refused(format!(
            "The folder of {:?} does not exist; nothing was written. Make it with nc_webdav_create_directory.",
            p.path.canonical()
        )),
        Kind::Conflict => ToolError::Refused(format!(
            "{:?} could not be written: it is a folder, or what it should lie in is none.",
            p.path.canonical()
        )),
        _ => error.about(subject("file", &p.path)).into(),
    })?;
    let created = response.status == 201;
    let (mut message, previous_version) = match created {
        true => ("The file was created.".to_owned(), None),
        false => way_back(cx, &response),
    };
    // Nextcloud makes etags of the time in seconds, so two quick writes can share one.
    if p.if_match.is_some_and(|before| response.etag().as_deref() == Some(before.as_str())) {
        message.push_str(" Its etag is the same as before, since both writes fell into one second.");
    }
    Ok(Success(WrittenFile {
        status_code: response.status.into(),
        message,
        path: p.path.as_given().to_owned(),
        size: size as i64,
        created,
        etag: response.etag(),
        previous_version,
    }))
}

/// How a replaced file gets its content of before again. What Nextcloud kept is looked up (PROPFIND), as it keeps neither empty
/// files nor, of several writes in one second, more than one.
fn way_back(cx: &Cx, response: &Response) -> (String, Option<String>) {
    // `00000179oc…`: the file's id, padded, and the name of the instance, which begins with a letter.
    let file_id = response.header("OC-FileId").and_then(|id| {
        let digits = id.find(|c: char| !c.is_ascii_digit()).unwrap_or(id.len());
        id[..digits].parse().ok()
    });
    match file_id.map(|id| versions::version_before(cx, id)) {
        Some(Ok(Some(version))) => (
            format!(
                "The file was replaced. Its newest earlier version is {version:?}; nc_webdav_restore_version brings it \
                 back."
            ),
            Some(version),
        ),
        Some(Ok(None)) => ("The file was replaced. No earlier version of it is kept.".to_owned(), None),
        Some(Err(_)) | None => (
            "The file was replaced. Nextcloud keeps the version before, where Versions are on.".to_owned(),
            None,
        ),
    }
}

fn conflict(p: &WriteFile) -> String {
    let path = p.path.canonical();
    match &p.if_match {
        None => format!(
            "Conflict: {path:?} exists already; nothing was written. To replace it, read it and give its etag as `if_match`; or \
             choose another name."
        ),
        Some(etag) if etag.is_any() => {
            format!(
                "{path:?} does not exist, so there is nothing to replace. Leave out `if_match` to create it."
            )
        }
        Some(_) => format!(
            "Conflict: {path:?} was changed since that etag was read (or does not exist); nothing was overwritten. Read it again, \
             merge, and write with the new etag."
        ),
    }
}

/// The bytes to write and their media type. Without one Nextcloud goes by the file's name.
fn body(content: &str, content_type: Option<&str>) -> Result<(Vec<u8>, String), ToolError> {
    let given = content_type.map(str::trim).unwrap_or_default();
    let (media_type, is_base64) = match given.to_ascii_lowercase().strip_suffix("base64") {
        Some(rest) if rest.trim_end().ends_with(';') || rest.is_empty() => {
            (given[..rest.len()].trim_end().trim_end_matches(';').trim_end(), true)
        }
        _ => (given, false),
    };
    let bytes = if is_base64 {
        let packed: Vec<u8> = content.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        BASE64
            .decode(packed)
            .map_err(|error| ToolError::Arguments(format!("`content` is no base64: {error}")))?
    } else {
        content.as_bytes().to_vec()
    };
    let media_type = if media_type.is_empty() { UNKNOWN_TYPE } else { media_type };
    if !media_type.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Err(ToolError::Arguments("`content_type` must be a media type such as text/markdown".into()));
    }
    Ok((bytes, media_type.to_owned()))
}

/// MKCOL (RFC 4918 §9.3).
pub(super) fn create_directory(cx: &Cx, p: OnePath) -> Result<Success<Done>, ToolError> {
    below_top(&p.path)?;
    cx.admit(&p.path)?;
    let target = cx.nc.files(p.path.segments())?;
    let path = p.path.as_given().to_owned();
    match cx.nc.send(Request::new("MKCOL", target.clone())) {
        Ok(response) => Ok(Success(Done {
            status_code: response.status.into(),
            message: "The folder was made.".into(),
            path,
        })),
        Err(error) if error.kind == Kind::MethodNotAllowed => {
            let request = Request::new("PROPFIND", target)
                .header("Depth", "0")
                .xml(xml::propfind(&[(DAV, "resourcetype")]));
            let answer = cx.nc.multistatus(request).of(subject("folder", &p.path))?;
            if answer.first(|entry| Some(entry.is_collection()))? != Some(true) {
                return Err(ToolError::Refused(format!(
                    "A file named {:?} exists; a folder of that name cannot be made.",
                    p.path.canonical()
                )));
            }
            Ok(Success(Done { status_code: 405, message: "The folder exists already.".into(), path }))
        }
        Err(error) if error.kind == Kind::Conflict => Err(ToolError::Refused(format!(
            "{:?} could not be made: its parent folder does not exist. Make that first.",
            p.path.canonical()
        ))),
        Err(error) => Err(error.about(subject("folder", &p.path)).into()),
    }
}

/// DELETE (RFC 4918 §9.6).
pub(super) fn delete_resource(cx: &Cx, p: OnePath) -> Result<Success<Deleted>, ToolError> {
    below_top(&p.path)?;
    cx.admit_whole(&p.path)?;
    let request = Request::new("DELETE", cx.nc.files(p.path.segments())?);
    let response = cx.nc.send(request).of(subject("file or folder", &p.path))?;
    let (message, trash_entry_id) = way_out_of_trash(cx, &p.path, &response)?;
    Ok(Success(Deleted {
        status_code: response.status.into(),
        message,
        path: p.path.as_given().to_owned(),
        trash_entry_id,
    }))
}

/// How what was deleted comes back. The entry is looked up (PROPFIND), as its id holds the second in which Nextcloud moved it;
/// an older entry from the same place is another thing that was deleted earlier.
fn way_out_of_trash(
    cx: &Cx,
    path: &DavPath,
    response: &Response,
) -> Result<(String, Option<String>), ToolError> {
    if cx.exclusion()?.is_in_force() {
        let message =
            "It was deleted. Where the trash bin is on, the person can restore it in Nextcloud itself.";
        return Ok((message.to_owned(), None));
    }
    let since_s = response.head().date_s().map(|date_s| date_s - CLOCKS_DIFFER_S_MAX);
    let message = match trash::entry_of(cx, &path.canonical(), since_s) {
        Ok(Some(id)) => {
            let message =
                format!("It was deleted. nc_webdav_restore_from_trash brings it back: entry_id {id:?}.");
            return Ok((message, Some(id)));
        }
        Ok(None) => "It was deleted. The trash bin has no entry for it.",
        Err(error) if error.kind == Kind::NotFound => "It was deleted. This Nextcloud has no trash bin.",
        Err(_) => {
            "It was deleted. Whether it is in the trash bin is not known; nc_webdav_list_trash shows what is."
        }
    };
    Ok((message.to_owned(), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str, content_type: Option<&str>) -> Result<(Vec<u8>, String), String> {
        body(content, content_type).map_err(|error| error.to_string())
    }

    #[test]
    fn base64_is_decoded_only_when_the_type_says_so() {
        assert_eq!(read("aGk=", None), Ok((b"aGk=".to_vec(), UNKNOWN_TYPE.into())));
        assert_eq!(read("aGk=", Some("text/plain")), Ok((b"aGk=".to_vec(), "text/plain".into())));
        assert_eq!(read("aGk=", Some("image/png;base64")), Ok((b"hi".to_vec(), "image/png".into())));
        assert_eq!(read("aG\nk", Some("image/png; Base64")), Ok((b"hi".to_vec(), "image/png".into())));
        assert_eq!(read("aGk=", Some("base64")), Ok((b"hi".to_vec(), UNKNOWN_TYPE.into())));
        assert_eq!(read("x", Some("text/x-notbase64")), Ok((b"x".to_vec(), "text/x-notbase64".into())));
        assert!(read("a*k", Some("image/png;base64")).unwrap_err().contains("no base64"));
        assert!(read("x", Some("text/plain\r\nX: y")).unwrap_err().contains("media type"));
    }
}
