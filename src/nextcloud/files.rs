//! What is true of files wherever a tool meets them: tags and the way from a file id to a path.

use super::client::Client;
use super::dav::Entry;
use super::error::{Error, Kind};
use super::path::UrlPath;
use super::request::Request;
use super::xml::{self, OC};

/// Answers about many files, in bytes: about 40,000 entries.
const FILES_BYTES_MAX: u64 = 32 << 20;

/// A system tag: one for all users of a Nextcloud, on files of any of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemTag {
    pub id: i64,
    /// Several tags may have one name, if they differ in who may see or set them.
    pub name: String,
    /// Whether this account may set and remove it.
    pub assignable: bool,
}

/// Where a file or folder is among the account's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePlace {
    pub id: i64,
    /// Decoded, from the top folder on: `/docs/a.txt`.
    pub path: String,
}

impl Client<'_> {
    /// The tags that the account can see, in no order (`PROPFIND /remote.php/dav/systemtags/`).
    pub fn system_tags(&self) -> Result<Vec<SystemTag>, Error> {
        self.tags_at(UrlPath::dav().raw("/systemtags/"))
    }

    /// The tags of a file or folder that the account can see (`/remote.php/dav/systemtags-relations/files/{file id}`).
    pub fn tags_of(&self, file_id: i64) -> Result<Vec<SystemTag>, Error> {
        self.tags_at(UrlPath::dav().raw("/systemtags-relations/files").segment(&file_id.to_string()))
    }

    /// Files and folders with this tag (REPORT `oc:filter-files`), with the wanted properties. Of a tagged folder only
    /// the folder itself, and never the top folder. Fails with [`PreconditionFailed`](Kind::PreconditionFailed)
    /// if there is no such tag.
    pub fn each_tagged(
        &self,
        tag_id: i64,
        properties: &[xml::Name<'_>],
        mut visit: impl FnMut(&Entry<'_>, String),
    ) -> Result<(), Error> {
        let rule = xml::element((OC, "systemtag"), &tag_id.to_string());
        let body = xml::report(
            (OC, "filter-files"),
            properties,
            &format!("<oc:filter-rules>{rule}</oc:filter-rules>"),
        );
        let request = Request::new("REPORT", self.files([""; 0])?.slash()).xml(body);
        self.each_file(request, |entry, path| visit(entry, path))
    }

    /// Where the file of this id is: several places if it was shared twice, none if the account does not have it
    /// (SEARCH by `oc:fileid`). What is in the trash bin is not found, nor is the top folder.
    pub fn places_of(&self, file_id: i64) -> Result<Vec<FilePlace>, Error> {
        let body = xml::basic_search(&xml::BasicSearch {
            select: &[(OC, "fileid")],
            scope: &format!("/files/{}", self.user_id()?),
            depth: "infinity",
            condition: &format!(
                "<d:eq>{}<d:literal>{file_id}</d:literal></d:eq>",
                xml::prop(&[(OC, "fileid")])
            ),
            ..xml::BasicSearch::default()
        });
        let mut places = Vec::new();
        let request = Request::new("SEARCH", UrlPath::dav().slash()).body(body, "text/xml");
        self.each_file(request, |_, path| places.push(FilePlace { id: file_id, path }))?;
        Ok(places)
    }

    /// Reads the entries of a multistatus about the account's files; each path is decoded and starts at the top folder.
    /// Fails with [`Malformed`](Kind::Malformed) on an entry that lies anywhere else.
    fn each_file(&self, request: Request, mut visit: impl FnMut(&Entry<'_>, String)) -> Result<(), Error> {
        let label = request.label();
        let top: Vec<String> = self.files([""; 0])?.decoded_segments().collect();
        let mut strays = false;
        self.multistatus(request.limit_bytes(FILES_BYTES_MAX))?.each(|entry| {
            let segments: Vec<String> = entry.path().decoded_segments().collect();
            match segments.strip_prefix(top.as_slice()) {
                Some(segments) => visit(&entry, format!("/{}", segments.join("/"))),
                None => strays = true,
            }
        })?;
        match strays {
            false => Ok(()),
            true => {
                Err(Error::new(Kind::Malformed, label)
                    .because("an entry lies outside of the account's files"))
            }
        }
    }

    fn tags_at(&self, path: UrlPath) -> Result<Vec<SystemTag>, Error> {
        let names = [(OC, "id"), (OC, "display-name"), (OC, "can-assign")];
        let request = Request::new("PROPFIND", path).header("Depth", "1").xml(xml::propfind(&names));
        // The collection itself is among the entries, without an id.
        self.multistatus(request)?.collect(|entry| {
            Some(SystemTag {
                id: entry.prop(OC, "id")?.parse().ok()?,
                name: entry.prop(OC, "display-name")?.to_owned(),
                assignable: entry.prop(OC, "can-assign") == Some("true"),
            })
        })
    }
}
