//! What this Nextcloud can do: `GET /ocs/v2.php/cloud/capabilities`, and `/status.php`.

use serde::Deserialize;
use serde_json::Value;

/// The capabilities as one account sees them.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// Nextcloud's version, `29.0.6`.
    pub version: Version,
    tree: Value,
}

/// `major.minor.micro`, compared in that order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub micro: u32,
}

impl Version {
    /// Reads `1.13.10`, `1.18` and `1.18.0-beta.1`.
    pub fn parse(text: &str) -> Option<Version> {
        let digits = text.split(|c: char| c != '.' && !c.is_ascii_digit()).next()?;
        let mut parts = digits.split('.').map(str::parse);
        let major = parts.next()?.ok()?;
        let mut next = || parts.next().and_then(Result::ok).unwrap_or(0);
        Some(Version { major, minor: next(), micro: next() })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

impl Capabilities {
    /// Reads the `data` of the OCS answer; what is missing there is absent here.
    pub(crate) fn new(mut data: Value) -> Capabilities {
        let number = |name: &str| {
            let n = &data["version"][name];
            n.as_u64().or_else(|| n.as_str()?.parse().ok()).and_then(|n| n.try_into().ok()).unwrap_or(0)
        };
        let version = Version { major: number("major"), minor: number("minor"), micro: number("micro") };
        let tree = data.get_mut("capabilities").map(Value::take).unwrap_or_default();
        Capabilities { version, tree }
    }

    /// Whether an app announces itself, such as `notes`, `deck`, `spreed`, `cookbook`. Calendar and contacts
    /// do not: CalDAV and CardDAV belong to `dav`, which is always there.
    pub fn has_app(&self, app: &str) -> bool {
        self.tree.get(app).is_some()
    }

    /// An app's version, where it tells it (`deck`, `tables`, `notes` do).
    pub fn app_version(&self, app: &str) -> Option<Version> {
        self.tree.get(app)?.get("version")?.as_str().and_then(Version::parse)
    }

    /// A value by its JSON pointer (RFC 6901): `/notes/api_version`.
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        self.tree.pointer(pointer)
    }

    /// All capabilities, as Nextcloud wrote them.
    pub fn tree(&self) -> &Value {
        &self.tree
    }
}

/// `/status.php`: answers without a credential, also in maintenance mode.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerStatus {
    pub installed: bool,
    pub maintenance: bool,
    #[serde(default, rename = "needsDbUpgrade")]
    pub needs_db_upgrade: bool,
    /// `29.0.6`
    #[serde(rename = "versionstring")]
    pub version: String,
    #[serde(default, rename = "productname")]
    pub product_name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_and_versions_are_found() {
        let caps = Capabilities::new(serde_json::json!({
            "version": {"major": 29, "minor": 0, "micro": 6, "string": "29.0.6"},
            "capabilities": {"notes": {"api_version": ["0.2", "1.3", "1.4"]}, "spreed": []}
        }));
        assert!(caps.has_app("notes") && caps.has_app("spreed") && !caps.has_app("mail"));
        assert_eq!(caps.get("/notes/api_version/2").and_then(Value::as_str), Some("1.4"));
        assert!(caps.version >= Version { major: 28, minor: 9, micro: 9 });
        assert_eq!(caps.version.to_string(), "29.0.6");
        assert!(!Capabilities::new(Value::Null).has_app("notes"));
    }

    #[test]
    fn an_apps_version_is_read_where_it_is_told() {
        let caps = Capabilities::new(serde_json::json!({
            "capabilities": {"deck": {"version": "1.13.10"}, "spreed": {"version": "18.0.0-rc.1"}, "notes": {}}
        }));
        let version = |major, minor, micro| Some(Version { major, minor, micro });
        assert_eq!(caps.app_version("deck"), version(1, 13, 10));
        assert_eq!(caps.app_version("spreed"), version(18, 0, 0));
        assert_eq!(caps.app_version("notes"), None);
        assert_eq!(Version::parse("1.18"), version(1, 18, 0));
        assert_eq!(Version::parse("new"), None);
    }

    #[test]
    fn the_recorded_status_is_read() {
        let status: ServerStatus = serde_json::from_str(
            r#"{"installed":true,"maintenance":true,"needsDbUpgrade":false,"version":"29.0.6.1","versionstring":"29.0.6","edition":"","productname":"Nextcloud","extendedSupport":false}"#,
        )
        .expect("status");
        assert!(status.maintenance && status.version == "29.0.6" && status.product_name == "Nextcloud");
    }
}
