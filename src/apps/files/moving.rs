//! Moving and copying.

use super::{below_top, subject};
use crate::nextcloud::{Kind, Request};
use crate::schema::{DavPath, Etag};
use crate::tool::{Cx, Success, ToolError};
use crate::{params, record};

params! {
    pub(super) struct FromTo {
        source_path: DavPath,
        destination_path: DavPath,
        /// Replace what is at the destination.
        overwrite: bool = false,
        /// Replace the destination only if it has this etag.
        if_destination_match: Option<Etag>,
    }
}

record! {
    pub(super) struct Moved {
        status_code: i64,
        message: String,
        source_path: String,
        destination_path: String,
        overwrite: bool,
    }
}

/// MOVE (RFC 4918 §9.9).
pub(super) fn move_resource(cx: &Cx, p: FromTo) -> Result<Success<Moved>, ToolError> {
    transfer(cx, p, "MOVE", "moved")
}

/// COPY (RFC 4918 §9.8).
pub(super) fn copy_resource(cx: &Cx, p: FromTo) -> Result<Success<Moved>, ToolError> {
    transfer(cx, p, "COPY", "copied")
}

fn transfer(cx: &Cx, p: FromTo, method: &'static str, done: &str) -> Result<Success<Moved>, ToolError> {
    check(&p)?;
    cx.admit_whole(&p.source_path)?;
    cx.admit_whole(&p.destination_path)?;
    let source = cx.nc.files(p.source_path.segments())?;
    let destination = cx.nc.files(p.destination_path.segments())?;
    // An etag that the caller has seen is as much of a permission to replace as the flag.
    let overwrite = p.overwrite || p.if_destination_match.is_some();
    let mut request = Request::new(method, source)
        .destination(&destination)
        .header("Overwrite", if overwrite { "T" } else { "F" });
    if let Some(etag) = p.if_destination_match.as_ref().filter(|etag| !etag.is_any()) {
        // RFC 4918 §10.4: the condition is on the destination, so it is tagged with its URL.
        request = request.header("If", format!("<{}> ([\"{}\"])", cx.nc.href(&destination), etag.as_str()));
    }
    let response = cx.nc.send(request).map_err(|error| match error.kind {
        Kind::PreconditionFailed => ToolError::Refused(conflict(&p)),
        Kind::Conflict => ToolError::Refused(format!(
            "The folder of {:?} does not exist; nothing was {done}. Make it with nc_webdav_create_directory.",
            p.destination_path.canonical()
        )),
        // Nextcloud looks for the destination first if it is to have a certain etag.
        Kind::NotFound if p.if_destination_match.is_some() => ToolError::Refused(format!(
            "{:?} or {:?} does not exist; nothing was {done}. Without `if_destination_match` the destination need not \
             exist.",
            p.source_path.canonical(),
            p.destination_path.canonical()
        )),
        _ => error.about(subject("file or folder", &p.source_path)).into(),
    })?;
    let replaced = response.status == 204;
    Ok(Success(Moved {
        status_code: response.status.into(),
        message: match replaced {
            true => format!("It was {done}. What was there before is in the trash bin, where that is on."),
            false => format!("It was {done}."),
        },
        source_path: p.source_path.as_given().to_owned(),
        destination_path: p.destination_path.as_given().to_owned(),
        overwrite,
    }))
}

/// What would lose data or cannot work is refused before the call.
fn check(p: &FromTo) -> Result<(), ToolError> {
    below_top(&p.source_path)?;
    below_top(&p.destination_path)?;
    let (source, destination) = (p.source_path.canonical(), p.destination_path.canonical());
    if source == destination {
        return Err(ToolError::Refused("Source and destination are the same.".into()));
    }
    if destination.starts_with(&format!("{source}/")) {
        return Err(ToolError::Refused(format!(
            "{destination:?} lies inside {source:?}; choose another place."
        )));
    }
    if p.overwrite && source.starts_with(&format!("{destination}/")) {
        return Err(ToolError::Refused(format!(
            "{source:?} lies inside {destination:?}, which would be replaced with all that is in it."
        )));
    }
    Ok(())
}

fn conflict(p: &FromTo) -> String {
    let destination = p.destination_path.canonical();
    match p.if_destination_match {
        Some(_) => format!(
            "Conflict: {destination:?} has another etag by now; nothing was changed. Look at it again."
        ),
        None => {
            format!(
                "Conflict: {destination:?} exists already; nothing was changed. Set `overwrite` to replace it."
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(source: &str, destination: &str, overwrite: bool) -> bool {
        let path = |text| DavPath::parse(text).unwrap();
        check(&FromTo {
            source_path: path(source),
            destination_path: path(destination),
            overwrite,
            if_destination_match: None,
        })
        .is_ok()
    }

    #[test]
    fn what_would_lose_data_is_refused_before_the_call() {
        assert!(allowed("a", "b", false) && allowed("a", "ab/c", false) && allowed("a/b", "b", true));
        assert!(allowed("a/b", "a", false), "Nextcloud answers that a exists");
        for (source, destination) in
            [("a", "a"), ("/a/", "a"), ("a", "a/b"), ("", "b"), ("a", "/"), ("a/b", "a")]
        {
            assert!(!allowed(source, destination, true), "{source} to {destination}");
        }
    }
}
