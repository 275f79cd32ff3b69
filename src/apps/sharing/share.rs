//! A share in Nextcloud's answers, and the way we show it.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::kind::ShareType;
use crate::record;
use crate::tool::{Cx, Exclusion, ToolError};

record! {
    /// A share, under the names of the OCS API. Its password, which Nextcloud sends as a hash, is left out.
    pub struct Share {
        id: String,
        share_type: i64,
        /// User id, group, address …; absent for a public link.
        share_with: Option<String>,
        share_with_displayname: Option<String>,
        /// Seen from the account that asks.
        path: String,
        item_type: Option<String>,
        mimetype: Option<String>,
        /// Bits: 1 read, 2 update, 4 create, 8 delete, 16 share.
        permissions: i64,
        /// The same in words.
        permission_names: Vec<String>,
        /// Of a public link.
        url: Option<String>,
        token: Option<String>,
        /// It ends as this day begins, in the time zone of the one who shared it.
        expiration: Option<String>,
        password_protected: Option<bool>,
        hide_download: Option<bool>,
        label: Option<String>,
        note: Option<String>,
        uid_owner: String,
        displayname_owner: Option<String>,
        /// Where it is not the one who shared it.
        uid_file_owner: Option<String>,
        /// Whether the account that asks may change the share.
        can_edit: Option<bool>,
        can_delete: Option<bool>,
        /// Unix time.
        stime: Option<i64>,
        file_source: Option<i64>,
        file_target: Option<String>,
        /// Where a browser shows the file.
        file_url: Option<String>,
        /// What is not as it was asked for.
        message: Option<String>,
    }
}

/// The bits of `permissions` (`OCP\Constants::PERMISSION_*`).
const BITS: &[(i64, &str)] =
    &[(READ, "read"), (2, "update"), (CREATE, "create"), (8, "delete"), (RESHARE, "share")];
pub const READ: i64 = 1;
pub const CREATE: i64 = 4;
const RESHARE: i64 = 16;

/// `["read", "share"]` for 17.
pub fn permission_names(permissions: i64) -> Vec<String> {
    let names = BITS.iter().filter(|(bit, _)| permissions & bit != 0);
    names.map(|(_, name)| (*name).to_owned()).collect()
}

/// What Nextcloud granted other than it was asked for, in words. Public links and mail shares get `share` wherever
/// federation is on; that is no difference that anybody asked about.
pub fn granted_otherwise(kind: ShareType, asked: i64, granted: i64) -> Option<String> {
    let ignored = if kind.is_opened_by_link() { RESHARE } else { 0 };
    let (missing, added) = (asked & !granted & !ignored, granted & !asked & !ignored);
    let part =
        |what: &str, bits| (bits != 0).then(|| format!("{what}: {}", permission_names(bits).join(", ")));
    let parts: Vec<String> = [part("not granted", missing), part("granted though not asked for", added)]
        .into_iter()
        .flatten()
        .collect();
    (!parts.is_empty()).then(|| {
        format!(
            "Nextcloud gave other permissions than asked for ({}). A file takes neither create nor delete, and a share \
             that the recipient had already stays as it was: nc_share_update changes it.",
            parts.join("; ")
        )
    })
}

/// A share as the OCS API writes it. PHP is loose with types (`id` is text, `hide_download` 0 or 1), and which members
/// there are depends on the share's type and on Nextcloud's version.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct ApiShare(Map<String, Value>);

impl ApiShare {
    /// The id as a number, as the other calls take it.
    pub fn id(&self) -> Option<i64> {
        self.number("id")
    }

    pub fn kind(&self) -> Option<ShareType> {
        ShareType::of_number(self.number("share_type")?)
    }

    pub fn permissions(&self) -> i64 {
        self.number("permissions").unwrap_or_default()
    }

    pub fn url(&self) -> Option<String> {
        self.text("url")
    }

    pub fn token(&self) -> Option<String> {
        self.text("token")
    }

    pub fn has_password(&self) -> bool {
        self.text("password").is_some()
    }

    /// `2026-12-24`.
    pub fn expiration_day(&self) -> Option<String> {
        self.text("expiration")?.get(..10).map(str::to_owned)
    }

    pub fn shared_at(&self) -> i64 {
        self.number("stime").unwrap_or_default()
    }

    /// Whether the file is kept away from this server.
    pub fn is_hidden(&self, exclusion: &Exclusion) -> bool {
        exclusion.hides(&self.text("path").unwrap_or_default(), self.number("file_source"))
    }

    /// Refuses a share of a file that is kept away.
    pub fn admit(&self, cx: &Cx, what: &str) -> Result<(), ToolError> {
        cx.admit_found(what, &self.text("path").unwrap_or_default(), self.number("file_source"))
    }

    /// Refuses also the share of a folder in which something is kept away: a change may open it wider.
    pub fn admit_whole(&self, cx: &Cx, what: &str) -> Result<(), ToolError> {
        cx.admit_found_whole(what, &self.text("path").unwrap_or_default(), self.number("file_source"))
    }

    /// The share as we show it.
    pub fn shown(self, cx: &Cx) -> Share {
        let kind = self.kind();
        let is_link = kind == Some(ShareType::Link);
        let is_opened_by_link = kind.is_some_and(ShareType::is_opened_by_link);
        let owner = self.text("uid_owner").unwrap_or_default();
        let file = self.number("file_source");
        let permissions = self.permissions();
        Share {
            id: self.text("id").unwrap_or_default(),
            share_type: self.number("share_type").unwrap_or(-1),
            // For a public link this is its password's hash, under an old name.
            share_with: self.text("share_with").filter(|_| !is_link),
            share_with_displayname: self.text("share_with_displayname").filter(|_| !is_link),
            path: self.text("path").unwrap_or_default(),
            item_type: self.text("item_type"),
            mimetype: self.text("mimetype").filter(|_| self.text("item_type").as_deref() != Some("folder")),
            permissions,
            permission_names: permission_names(permissions),
            url: self.url(),
            token: self.token().filter(|_| is_opened_by_link),
            expiration: self.text("expiration"),
            password_protected: is_opened_by_link.then(|| self.has_password()),
            hide_download: self.flag("hide_download").filter(|_| is_opened_by_link),
            label: self.text("label"),
            note: self.text("note"),
            displayname_owner: self.text("displayname_owner").filter(|name| *name != owner),
            uid_file_owner: self.text("uid_file_owner").filter(|name| *name != owner),
            uid_owner: owner,
            can_edit: self.flag("can_edit"),
            can_delete: self.flag("can_delete"),
            stime: self.number("stime"),
            file_source: file,
            // Deck and Talk write a placeholder for the folder of the one who looks.
            file_target: self.text("file_target").filter(|target| !target.starts_with("/{")),
            file_url: file.and_then(|id| cx.link(&format!("/index.php/f/{id}"))),
            message: None,
        }
    }

    /// Text that is there and not empty; a number counts as its digits.
    fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn number(&self, name: &str) -> Option<i64> {
        match self.0.get(name)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    fn flag(&self, name: &str) -> Option<bool> {
        match self.0.get(name)? {
            Value::Bool(yes) => Some(*yes),
            Value::Number(number) => Some(number.as_i64() == Some(1)),
            Value::String(text) => Some(matches!(text.as_str(), "1" | "true")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_told_in_words_where_they_differ() {
        assert_eq!(permission_names(19), ["read", "update", "share"]);
        assert_eq!(granted_otherwise(ShareType::User, 3, 3), None);
        assert_eq!(granted_otherwise(ShareType::Link, 1, 17), None);
        let told = granted_otherwise(ShareType::User, 15, 19).unwrap();
        assert!(told.contains("not granted: create, delete; granted though not asked for: share"), "{told}");
    }

    #[test]
    fn loose_types_are_read() {
        let share: ApiShare = serde_json::from_value(serde_json::json!({
            "id": "4", "share_type": "3", "hide_download": 1, "label": "", "note": null, "permissions": "17"
        }))
        .unwrap();
        assert_eq!((share.id(), share.kind(), share.permissions()), (Some(4), Some(ShareType::Link), 17));
        assert_eq!(
            (share.flag("hide_download"), share.text("label"), share.text("note")),
            (Some(true), None, None)
        );
    }
}
