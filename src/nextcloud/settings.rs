//! Where Nextcloud is and how to talk to it.

use std::fmt;
use std::path::PathBuf;

use ureq::http::Uri;

use crate::secret::Secret;

/// Settings of the client.
#[derive(Clone, Debug)]
pub struct Settings {
    pub base: Base,
    /// PEM file with certificates of a private CA, trusted in addition to the host's.
    pub ca_bundle: Option<PathBuf>,
    /// `http://…` or `socks5://…`; used only if set here, never from the environment.
    pub proxy: Option<Secret>,
    /// Whether connections are used again.
    pub keepalive: bool,
    /// `nextcloud-mcp-server/0.1.0`
    pub user_agent: String,
    /// Requests at the same time, over all accounts. Nextcloud does 10 to 20 a second on two cores.
    pub parallel: usize,
}

impl Settings {
    /// The defaults for a Nextcloud at `base`.
    pub fn new(base: Base) -> Settings {
        Settings {
            base,
            ca_bundle: None,
            proxy: None,
            keepalive: true,
            user_agent: concat!("nextcloud-mcp-server/", env!("CARGO_PKG_VERSION")).into(),
            parallel: 16,
        }
    }
}

/// The address of a Nextcloud: scheme, host, port and the path of a sub-path installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    origin: Origin,
    prefix: String,
}

/// Scheme, host and port (RFC 6454 §4), lower-cased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    https: bool,
    host: String,
    port: u16,
}

impl Base {
    /// Reads `https://cloud.example.org/nextcloud/`. Fails if it is no http(s) URL, or has user info, a query or
    /// a fragment. A trailing slash and `/index.php` are dropped.
    pub fn parse(url: &str) -> Result<Base, SettingsError> {
        let fault = |why: &'static str| SettingsError::Base { why };
        let url = url.trim();
        if url.contains('#') || url.contains('?') {
            return Err(fault("it must not have a query or a fragment"));
        }
        if url.contains('@') {
            return Err(fault("it must not hold a user name or password"));
        }
        let uri: Uri = url.parse().map_err(|_| fault("it is no URL; write https://cloud.example.org"))?;
        let origin =
            Origin::of(&uri).ok_or(fault("it must begin with https:// or http:// and name a host"))?;
        let path = uri.path().trim_end_matches('/');
        let prefix = path.strip_suffix("/index.php").unwrap_or(path).trim_end_matches('/').to_owned();
        if prefix.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err(fault("its path must not contain . or .."));
        }
        Ok(Base { origin, prefix })
    }

    pub fn is_https(&self) -> bool {
        self.origin.https
    }

    /// Host name or address, lower-cased; IPv6 in brackets.
    pub fn host(&self) -> &str {
        &self.origin.host
    }

    pub fn port(&self) -> u16 {
        self.origin.port
    }

    /// Path of a sub-path installation without trailing slash: `/nextcloud`, or empty.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.prefix)
    }
}

impl Origin {
    pub(super) fn of(uri: &Uri) -> Option<Origin> {
        let https = match uri.scheme_str()?.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = uri.host().filter(|host| !host.is_empty())?.to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        Some(Origin { https, host, port })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.https { ("https", 443) } else { ("http", 80) };
        match self.port {
            port if port == usual => write!(f, "{scheme}://{}", self.host),
            port => write!(f, "{scheme}://{}:{port}", self.host),
        }
    }
}

/// What is wrong with the settings.
#[derive(Debug)]
pub enum SettingsError {
    Base { why: &'static str },
    CaBundle { path: PathBuf, why: String },
    Proxy,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingsError::Base { why } => write!(f, "the address of Nextcloud cannot be used: {why}"),
            SettingsError::CaBundle { path, why } => {
                write!(f, "the CA file {} cannot be used: {why}", path.display())
            }
            SettingsError::Proxy => {
                f.write_str("the proxy's address cannot be used; write http://proxy.example.org:3128")
            }
        }
    }
}

impl std::error::Error for SettingsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_normalised() {
        for (given, shown, prefix) in [
            ("https://Cloud.Example.org", "https://cloud.example.org", ""),
            (" https://cloud.example.org:443/ ", "https://cloud.example.org", ""),
            ("https://cloud.example.org/nc//", "https://cloud.example.org/nc", "/nc"),
            ("http://cloud.example.org:8080/nc/index.php", "http://cloud.example.org:8080/nc", "/nc"),
            ("http://[::1]:80/index.php/", "http://[::1]", ""),
        ] {
            let base = Base::parse(given).expect(given);
            assert_eq!((base.to_string().as_str(), base.prefix()), (shown, prefix));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for given in [
            "",
            "cloud.example.org",
            "ftp://cloud.example.org",
            "https://",
            "/nc",
            "https://a b",
            "https://alice:hunter2@cloud.example.org",
            "https://cloud.example.org?x=1",
            "https://cloud.example.org/#a",
            "https://cloud.example.org/a/../b",
        ] {
            let error = Base::parse(given).expect_err(given).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
