//! Sharing: files and folders shared with people, groups and by public link.
//!
//! Routes: OCS `/ocs/v2.php/apps/files_sharing/api/v1/shares[/{id}]`. Nextcloud answers 404 for much that is not
//! missing (an unknown recipient, a day in the past, links that the administrator switched off), so a refusal is told in
//! its own words.

mod expiry;
mod kind;
mod share;

use serde_json::{Map, Value};

use self::expiry::ExpireDate;
use self::kind::ShareType;
use self::share::{ApiShare, CREATE, READ, Share};
use crate::nextcloud::{self, Kind, Request, Subject, UrlPath};
use crate::schema::{Count, DavPath};
use crate::secret::Secret;
use crate::tool::{App, Cursor, Cx, Effect, Needs, Page, Scope, Success, Tool, ToolError, typed};
use crate::{params, record};

pub const APP: App = App {
    name: "sharing",
    about: "Shares of files and folders: with users, groups, by mail and by public link",
    tools: &[
        Tool {
            name: "nc_share_create",
            about: "Share a file or folder with somebody. The answer has the permissions that Nextcloud really granted.",
            scopes: &[Scope::SharingWrite],
            effect: Effect::Create,
            needs: SHARING,
            handler: &typed(create),
        },
        Tool {
            name: "nc_share_create_public_link",
            about: "Make a link that opens a file or folder to everybody who has it, read-only and for a short time \
                    unless told otherwise. Nextcloud ends links at midnight, so it lasts up to a day longer than asked; \
                    the answer says until when.",
            scopes: &[Scope::SharingWrite],
            effect: Effect::Create,
            needs: SHARING,
            handler: &typed(create_public_link),
        },
        Tool {
            name: "nc_share_delete",
            about: "End a share, or leave one that was received. The file stays.",
            scopes: &[Scope::SharingWrite],
            effect: Effect::Delete,
            needs: SHARING,
            handler: &typed(delete),
        },
        Tool {
            name: "nc_share_get",
            about: "Read one share by its id.",
            scopes: &[Scope::SharingRead],
            effect: Effect::Read,
            needs: SHARING,
            handler: &typed(get),
        },
        Tool {
            name: "nc_share_list",
            about: "List the user's shares, or those that others made with the user, newest first.",
            scopes: &[Scope::SharingRead],
            effect: Effect::Read,
            needs: SHARING,
            handler: &typed(list),
        },
        Tool {
            name: "nc_share_update",
            about: "Change a share. What is left out stays; \"\" takes an end, password, label or note away.",
            scopes: &[Scope::SharingWrite],
            effect: Effect::Update,
            needs: SHARING,
            handler: &typed(update),
        },
    ],
    resources: &[],
};

const SHARING: Needs = Needs::App("files_sharing");
/// Nextcloud's limit for a label, in bytes.
const LABEL_BYTES_MAX: usize = 255;
/// How long a public link lives if nobody says.
const LINK_MINUTES: u32 = 30;

type Permissions = Count<1, 31>;

params! {
    struct Create {
        path: DavPath,
        /// Id of the user, group, team, conversation or card; a mail address; user@other.cloud.
        share_with: Option<String>,
        /// 0 user, 1 group, 3 public link, 4 mail, 6 federated user, 7 team, 9 federated group, 10 Talk, 12 Deck card.
        share_type: ShareType = ShareType::User,
        /// Sum of 1 read, 2 update, 4 create, 8 delete, 16 share.
        permissions: Permissions = 1,
        /// YYYY-MM-DD; "" for none.
        expire_date: Option<ExpireDate>,
        /// Links and mail only, as label and hide_download.
        password: Option<Secret>,
        label: Option<String>,
        /// For the recipient.
        note: Option<String>,
        hide_download: Option<bool>,
    }
}

params! {
    struct CreatePublicLink {
        path: DavPath,
        /// 30 unless expire_date is given.
        expires_in_minutes: Option<Count<1, 5_256_000>>,
        /// YYYY-MM-DD; "" for no end.
        expire_date: Option<ExpireDate>,
        password: Option<Secret>,
        /// As in nc_share_create; 15 lets everybody edit a folder, 4 only drop files into it.
        permissions: Permissions = 1,
        label: Option<String>,
        note: Option<String>,
        hide_download: Option<bool>,
    }
}

params! {
    struct ShareId { share_id: i64 }
}

params! {
    struct List {
        /// Only shares of this file or folder.
        path: Option<DavPath>,
        shared_with_me: bool = false,
        /// What is in the folder `path`, instead of the folder.
        subfiles: bool = false,
        /// Also those that others made of the user's files.
        reshares: bool = false,
        limit: Count<1, 500> = 100,
        /// `next_cursor` of the page before.
        cursor: Option<Cursor>,
    }
}

params! {
    struct Update {
        share_id: i64,
        permissions: Option<Permissions>,
        /// YYYY-MM-DD.
        expire_date: Option<ExpireDate>,
        /// Links and mail only, as label and hide_download.
        password: Option<Secret>,
        label: Option<String>,
        note: Option<String>,
        hide_download: Option<bool>,
    }
}

record! {
    struct PublicLink {
        path: String,
        share_id: i64,
        url: String,
        /// The file itself, or the folder as a ZIP.
        download_url: String,
        token: Option<String>,
        permissions: i64,
        permission_names: Vec<String>,
        /// Start of the day on which the link ends, in the time zone of the account; absent without an end.
        expires_at: Option<String>,
        password_protected: bool,
        file_url: Option<String>,
        message: Option<String>,
    }
}

record! {
    struct DeletedShare {
        message: String,
        deleted_id: i64,
    }
}

record! {
    struct ShareList {
        results: Vec<Share>,
        total: i64,
        next_cursor: Option<Cursor>,
    }
}

/// A share that is to be made.
struct Draft<'a> {
    path: &'a DavPath,
    kind: ShareType,
    recipient: Option<&'a str>,
    permissions: i64,
    settings: Settings<'a>,
}

/// What both a new share and a change may say.
struct Settings<'a> {
    expire_date: Option<&'a ExpireDate>,
    password: Option<&'a Secret>,
    label: Option<&'a str>,
    note: Option<&'a str>,
    hide_download: Option<bool>,
}

fn create(cx: &Cx, p: Create) -> Result<Share, ToolError> {
    let draft = Draft {
        path: &p.path,
        kind: p.share_type,
        recipient: p.share_type.recipient(p.share_with.as_deref())?,
        permissions: p.permissions.get() as i64,
        settings: Settings {
            expire_date: p.expire_date.as_ref(),
            password: p.password.as_ref(),
            label: p.label.as_deref(),
            note: p.note.as_deref(),
            hide_download: p.hide_download,
        },
    };
    draft.check(cx)?;
    let made = make(cx, &draft, draft.settings.expire_date)?;
    let message = share::granted_otherwise(p.share_type, draft.permissions, made.permissions());
    Ok(Share { message, ..made.shown(cx) })
}

fn create_public_link(cx: &Cx, p: CreatePublicLink) -> Result<Success<PublicLink>, ToolError> {
    if p.expires_in_minutes.is_some() && p.expire_date.is_some() {
        return Err(ToolError::Arguments("give `expires_in_minutes` or `expire_date`, not both".into()));
    }
    let draft = Draft {
        path: &p.path,
        kind: ShareType::Link,
        recipient: None,
        permissions: p.permissions.get() as i64,
        settings: Settings {
            expire_date: None,
            password: p.password.as_ref(),
            label: p.label.as_deref(),
            note: p.note.as_deref(),
            hide_download: p.hide_download,
        },
    };
    draft.check(cx)?;
    let minutes = p.expires_in_minutes.unwrap_or_else(|| LINK_MINUTES.into()).get();
    let (days, asked_for) = match p.expire_date {
        Some(day) => (vec![day], None),
        None => (expiry::days_after(cx.clock.now(), minutes), Some(minutes)),
    };
    let made = make_until(cx, &draft, &days)?;
    let otherwise = share::granted_otherwise(ShareType::Link, draft.permissions, made.permissions());
    let until = asked_for.map(|minutes| longer_than_asked(&made, minutes));
    let messages: Vec<String> = [until, otherwise].into_iter().flatten().collect();
    let share_id = made.id().unwrap_or_default();
    let expires_at = made.expiration_day().map(|day| format!("{day}T00:00:00"));
    let shown = made.shown(cx);
    let url = shown.url.unwrap_or_default();
    Ok(Success(PublicLink {
        path: p.path.as_given().to_owned(),
        share_id,
        download_url: format!("{}/download", url.trim_end_matches('/')),
        url,
        token: shown.token,
        permissions: shown.permissions,
        permission_names: shown.permission_names,
        expires_at,
        password_protected: shown.password_protected.unwrap_or(false),
        file_url: shown.file_url,
        message: (!messages.is_empty()).then(|| messages.join(" ")),
    }))
}

fn longer_than_asked(made: &ApiShare, minutes: usize) -> String {
    match made.expiration_day() {
        Some(day) => format!(
            "Nextcloud ends links at midnight only: this one works until {day} 00:00 in the account's time zone, not for \
             {minutes} minutes. nc_share_delete ends it at once."
        ),
        None => "Nextcloud did not take the end that was asked for: this link works until nc_share_delete ends it.".into(),
    }
}

/// Makes the share with the first of these ends that Nextcloud takes.
fn make_until(cx: &Cx, draft: &Draft, days: &[ExpireDate]) -> Result<ApiShare, ToolError> {
    let (last, earlier) = days.split_last().map_or((None, days), |(last, earlier)| (Some(last), earlier));
    for day in earlier {
        match post(cx, draft, Some(day)) {
            // A day in the past is a 404 like many others, told apart only by words in the user's language.
            Err(error) if error.kind == Kind::NotFound => {}
            other => return finish(cx, draft, other.map_err(|error| draft.refused(error))?),
        }
    }
    make(cx, draft, last)
}

fn make(cx: &Cx, draft: &Draft, expire_date: Option<&ExpireDate>) -> Result<ApiShare, ToolError> {
    let made = post(cx, draft, expire_date).map_err(|error| draft.refused(error))?;
    finish(cx, draft, made)
}

fn post(cx: &Cx, draft: &Draft, expire_date: Option<&ExpireDate>) -> Result<ApiShare, nextcloud::Error> {
    cx.nc.ocs(Request::new("POST", shares()).json(&draft.body(expire_date).into()))
}

/// Checks that the share is what it should be, and sets what Nextcloud takes only afterwards. A share that falls short
/// is taken back: a link must not be open wider than was asked for.
fn finish(cx: &Cx, draft: &Draft, made: ApiShare) -> Result<ApiShare, ToolError> {
    let Some(id) = made.id() else {
        return Err(ToolError::Refused(format!(
            "{} Nextcloud's answer names no id; look with nc_share_list.",
            draft.not_shared()
        )));
    };
    if made.kind() != Some(draft.kind) {
        let undone = take_back(cx, id);
        return Err(ToolError::Refused(format!(
            "{} Nextcloud made a share of another type. {undone}",
            draft.not_shared()
        )));
    }
    let is_link = draft.kind == ShareType::Link;
    if is_link && made.url().is_none() {
        let undone = take_back(cx, id);
        return Err(ToolError::Refused(format!("{} Nextcloud gave no link. {undone}", draft.not_shared())));
    }
    if is_link && draft.settings.wants_password() && !made.has_password() {
        let undone = take_back(cx, id);
        return Err(ToolError::Refused(format!(
            "{} Nextcloud did not take the password. {undone}",
            draft.not_shared()
        )));
    }
    let mut rest = Map::new();
    if draft.permissions & READ == 0 {
        rest.insert("permissions".into(), draft.permissions.into());
    }
    if let Some(hide) = draft.settings.hide_download {
        rest.insert("hideDownload".into(), hide.to_string().into());
    }
    if rest.is_empty() {
        return Ok(made);
    }
    put(cx, id, rest).map_err(|error| {
        let undone = take_back(cx, id);
        let why = words(&error).unwrap_or_else(|| error.about("The new share").to_string());
        ToolError::Refused(format!("{} {why} {undone}", draft.not_shared()))
    })
}

/// Deletes a share that must not stay, and says how that went.
fn take_back(cx: &Cx, id: i64) -> String {
    match cx.nc.ocs::<Value>(Request::new("DELETE", share_path(id))) {
        Ok(_) => format!("Share {id}, which was half made, was deleted again."),
        Err(_) => format!(
            "Share {id} is there, half made, and could not be deleted: delete it with nc_share_delete."
        ),
    }
}

fn get(cx: &Cx, p: ShareId) -> Result<Share, ToolError> {
    Ok(read(cx, p.share_id)?.shown(cx))
}

fn list(cx: &Cx, p: List) -> Result<ShareList, ToolError> {
    if p.shared_with_me && (p.subfiles || p.reshares) {
        return Err(ToolError::Arguments(
            "`subfiles` and `reshares` are about the user's own shares and do not go with `shared_with_me`"
                .into(),
        ));
    }
    let Some(subject) = p.path.as_ref().map(|path| format!("file or folder {:?}", path.canonical())) else {
        if p.subfiles {
            return Err(ToolError::Arguments("`subfiles` needs the `path` of a folder".into()));
        }
        return listed(cx, &p, "the list of shares".into());
    };
    listed(cx, &p, subject)
}

fn listed(cx: &Cx, p: &List, subject: String) -> Result<ShareList, ToolError> {
    p.path.as_ref().map_or(Ok(()), |path| cx.admit(path))?;
    let mut request = Request::new("GET", shares());
    // The top folder cannot be shared, so its path means no filter, unless what is in it is asked for.
    if let Some(path) = p.path.as_ref().filter(|path| p.subfiles || !path.is_root()) {
        request = request.query("path", path.canonical());
    }
    let flags = [("shared_with_me", p.shared_with_me), ("subfiles", p.subfiles), ("reshares", p.reshares)];
    for (name, _) in flags.into_iter().filter(|(_, is_set)| *is_set) {
        request = request.query(name, true);
    }
    let exclusion = cx.exclusion()?;
    let mut found: Vec<ApiShare> = cx.nc.ocs(request).of(subject)?;
    found.retain(|share| !share.is_hidden(exclusion));
    found.sort_by_key(|share| std::cmp::Reverse((share.shared_at(), share.id())));
    let all = found.into_iter().map(|share| share.shown(cx)).collect();
    let page = Page::cut(all, p.cursor, p.limit.get())?;
    Ok(ShareList { results: page.rows, total: page.total, next_cursor: page.next_cursor })
}

fn delete(cx: &Cx, p: ShareId) -> Result<Success<DeletedShare>, ToolError> {
    let id = p.share_id;
    if cx.exclusion()?.is_in_force() {
        read(cx, id)?;
    }
    let _: Value = cx.nc.ocs(Request::new("DELETE", share_path(id))).of(subject(id))?;
    Ok(Success(DeletedShare { message: format!("Share {id} was ended; the file stays."), deleted_id: id }))
}

fn update(cx: &Cx, p: Update) -> Result<Share, ToolError> {
    let settings = Settings {
        expire_date: p.expire_date.as_ref(),
        password: p.password.as_ref(),
        label: p.label.as_deref(),
        note: p.note.as_deref(),
        hide_download: p.hide_download,
    };
    settings.check()?;
    let mut body = settings.body();
    if let Some(permissions) = p.permissions {
        body.insert("permissions".into(), permissions.get().into());
    }
    if let Some(hide) = p.hide_download {
        body.insert("hideDownload".into(), hide.to_string().into());
    }
    if body.is_empty() {
        return Err(ToolError::Arguments(
            "give at least one of `permissions`, `expire_date`, `password`, `label`, `note`, `hide_download`"
                .into(),
        ));
    }
    if settings.needs_link() || cx.exclusion()?.is_in_force() {
        let share = read(cx, p.share_id)?;
        share.admit_whole(cx, &subject(p.share_id))?;
        // Nextcloud passes over these in silence where the share is of another type.
        share.kind().map_or(Ok(()), |kind| settings.check_for(kind))?;
    }
    let changed = put(cx, p.share_id, body).map_err(|error| match words(&error) {
        Some(words) => ToolError::Refused(format!("Share {} was not changed. {words}", p.share_id)),
        None => error.about(subject(p.share_id)).into(),
    })?;
    let message = p
        .permissions
        .zip(changed.kind())
        .and_then(|(asked, kind)| share::granted_otherwise(kind, asked.get() as i64, changed.permissions()));
    Ok(Share { message, ..changed.shown(cx) })
}

fn read(cx: &Cx, id: i64) -> Result<ApiShare, ToolError> {
    let found: Vec<ApiShare> = cx.nc.ocs(Request::new("GET", share_path(id))).of(subject(id))?;
    let share = found.into_iter().next().ok_or_else(|| {
        ToolError::Refused(format!(
            "{} was not found. nc_share_list names the shares that are there.",
            subject(id)
        ))
    })?;
    share.admit(cx, &subject(id))?;
    Ok(share)
}

fn put(cx: &Cx, id: i64, body: Map<String, Value>) -> Result<ApiShare, nextcloud::Error> {
    cx.nc.ocs(Request::new("PUT", share_path(id)).json(&body.into()))
}

impl Draft<'_> {
    /// What can be known before the share is made. Every new one passes here with the path that it opens.
    fn check(&self, cx: &Cx) -> Result<(), ToolError> {
        if self.path.is_root() {
            return Err(ToolError::Refused(
                "The top folder cannot be shared; name a file or folder in it.".into(),
            ));
        }
        self.settings.check()?;
        self.settings.check_for(self.kind)?;
        let is_drop = self.permissions == CREATE && self.kind.is_opened_by_link();
        if self.permissions & READ == 0 && !is_drop {
            return Err(ToolError::Arguments(
                "`permissions` must contain 1 (read); only a public link or mail share of a folder may be 4 alone, to \
                 drop files into"
                    .into(),
            ));
        }
        cx.admit_whole(self.path)
    }

    fn body(&self, expire_date: Option<&ExpireDate>) -> Map<String, Value> {
        let mut body = Settings { expire_date, ..self.settings }.body();
        // To a new share, nothing is to be taken away from.
        body.retain(|name, value| name == "expireDate" || value.as_str() != Some(""));
        body.insert("path".into(), self.path.canonical().into());
        body.insert("shareType".into(), self.kind.number().into());
        body.insert("permissions".into(), self.permissions.into());
        if let Some(recipient) = self.recipient {
            body.insert("shareWith".into(), recipient.into());
        }
        body
    }

    fn subject(&self) -> String {
        let path = self.path.canonical();
        match self.recipient {
            Some(recipient) => format!("sharing {path:?} with {} {recipient:?}", self.kind.name()),
            None => format!("the {} to {path:?}", self.kind.name()),
        }
    }

    fn not_shared(&self) -> String {
        let path = self.path.canonical();
        match self.recipient {
            Some(recipient) => format!("{path:?} was not shared with {} {recipient:?}.", self.kind.name()),
            None => format!("No {} to {path:?} was made.", self.kind.name()),
        }
    }

    fn refused(&self, error: nextcloud::Error) -> ToolError {
        match words(&error) {
            Some(words) => ToolError::Refused(format!("{} {words}", self.not_shared())),
            None => error.about(self.subject()).into(),
        }
    }
}

impl<'a> Settings<'a> {
    fn check(&self) -> Result<(), ToolError> {
        match self.label {
            Some(label) if label.len() > LABEL_BYTES_MAX => {
                Err(ToolError::Arguments(format!("`label` is longer than {LABEL_BYTES_MAX} bytes")))
            }
            _ => Ok(()),
        }
    }

    fn check_for(&self, kind: ShareType) -> Result<(), ToolError> {
        if kind.is_opened_by_link() || !self.needs_link() {
            return Ok(());
        }
        Err(ToolError::Arguments(format!(
            "`password`, `label` and `hide_download` are for public links and mail shares; this one is with a {}. \
             Nothing was done",
            kind.name()
        )))
    }

    /// Whether something is set that only a share opened by a link has.
    fn needs_link(&self) -> bool {
        let is_given = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
        self.wants_password() || is_given(self.label) || self.hide_download == Some(true)
    }

    fn wants_password(&self) -> bool {
        self.password.is_some_and(|password| !password.expose().is_empty())
    }

    /// The members of a request, under the API's names. Whether the download is hidden is not among them: a new share
    /// does not take it.
    fn body(&self) -> Map<String, Value> {
        let members = [
            ("expireDate", self.expire_date.map(ExpireDate::as_str)),
            ("password", self.password.map(Secret::expose)),
            ("label", self.label),
            ("note", self.note),
        ];
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
    }
}

/// Nextcloud's words about what it refused; `None` where the kind of the error says it better.
fn words(error: &nextcloud::Error) -> Option<String> {
    let is_refusal = matches!(
        error.kind,
        Kind::NotFound | Kind::Forbidden | Kind::BadRequest | Kind::Conflict | Kind::Locked
    );
    let detail = error.detail.as_deref().filter(|_| is_refusal && error.status.is_some())?;
    Some(format!("Nextcloud said: \"{detail}\"."))
}

fn shares() -> UrlPath {
    UrlPath::ocs("/apps/files_sharing/api/v1/shares")
}

fn share_path(id: i64) -> UrlPath {
    shares().segment(&id.to_string())
}

fn subject(id: i64) -> String {
    format!("share {id}")
}
