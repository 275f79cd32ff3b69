//! Redirect URIs: where a browser may be sent with a code.

use crate::nextcloud::form_encode;

/// Longest URI, in bytes.
const BYTES_MAX: usize = 2_048;

/// Schemes that are no application of the person's: what stands behind them is run, shown or read by the browser itself.
const NO_APPLICATIONS: [&str; 14] = [
    "javascript",
    "data",
    "vbscript",
    "file",
    "blob",
    "about",
    "ftp",
    "ws",
    "wss",
    "view-source",
    "mailto",
    "tel",
    "chrome",
    "filesystem",
];

/// A redirect URI that was checked: `https`, `http` on this machine's loopback (RFC 8252 §7.3), or the scheme of an
/// application (RFC 8252 §7.1). It has no fragment, no user name, and only visible ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Web {
        host: String,
    },
    /// Host, and path with query; the port is the system's to choose.
    Loopback {
        host: String,
        rest: String,
    },
    Application {
        scheme: String,
    },
}

impl RedirectUri {
    /// Fails with what is wrong.
    pub fn parse(text: &str) -> Result<RedirectUri, &'static str> {
        if text.len() > BYTES_MAX {
            return Err("a redirect URI is longer than 2048 bytes");
        }
        if !text.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b)) {
            return Err("a redirect URI has characters that must be percent-encoded");
        }
        if text.contains('#') {
            return Err("a redirect URI must have no fragment");
        }
        let (scheme, rest) = text.split_once(':').ok_or("a redirect URI is not absolute")?;
        let scheme = scheme.to_ascii_lowercase();
        let kind = match scheme.as_str() {
            "https" | "http" => {
                let rest = rest.strip_prefix("//").ok_or("a redirect URI names no host")?;
                let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
                web(&scheme, authority, rest)?
            }
            other => {
                let is_scheme = other.starts_with(|c: char| c.is_ascii_lowercase())
                    && other.bytes().all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(&b));
                if !is_scheme || NO_APPLICATIONS.contains(&other) {
                    return Err("a redirect URI has a scheme that no application may have");
                }
                Kind::Application { scheme }
            }
        };
        Ok(RedirectUri { text: text.to_owned(), kind })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a request may name `asked` where this one is registered: the same, letter by letter; of a loopback address
    /// the port is free (RFC 8252 §7.3, RFC 9700 §2.1).
    pub fn allows(&self, asked: &RedirectUri) -> bool {
        match (&self.kind, &asked.kind) {
            (Kind::Loopback { host, rest }, Kind::Loopback { host: asked_host, rest: asked_rest }) => {
                host == asked_host && rest == asked_rest
            }
            _ => self.text == asked.text,
        }
    }

    /// Where a code goes, in a form for people: `claude.ai`, `this computer`, `cursor:`.
    pub fn destination(&self) -> Destination<'_> {
        match &self.kind {
            Kind::Web { host } => Destination::Site(host),
            Kind::Loopback { .. } => Destination::ThisComputer,
            Kind::Application { scheme } => Destination::Application(scheme),
        }
    }

    /// The URI with more parameters in its query.
    pub fn with(&self, parameters: &[(&str, &str)]) -> String {
        let mut url = self.text.clone();
        if !url.ends_with(['?', '&']) {
            url.push(if url.contains('?') { '&' } else { '?' });
        }
        url + &form_encode(parameters)
    }
}

/// Who receives the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination<'a> {
    /// A web site: whoever runs this host.
    Site(&'a str),
    /// A program on the person's own computer, whichever listens there.
    ThisComputer,
    /// The application that owns this scheme.
    Application(&'a str),
}

fn web(scheme: &str, authority: &str, rest: &str) -> Result<Kind, &'static str> {
    if authority.contains('@') {
        return Err("a redirect URI must not name a user");
    }
    let host_end = match authority.strip_prefix('[') {
        Some(v6) => v6.find(']').ok_or("a redirect URI has no host")? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(host_end);
    if host.is_empty() || !port.is_empty() && port[1..].parse::<u16>().is_err() {
        return Err("a redirect URI has no host, or a port that is none");
    }
    let host = host.to_ascii_lowercase();
    let is_loopback = matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]");
    match scheme {
        "http" if is_loopback => Ok(Kind::Loopback { host, rest: rest.to_owned() }),
        "http" => Err("a redirect URI must use https, or http on a loopback address"),
        _ => Ok(Kind::Web { host }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> RedirectUri {
        RedirectUri::parse(text).expect(text)
    }

    #[test]
    fn only_addresses_that_one_party_owns_are_taken() {
        for good in [
            "https://claude.ai/api/mcp/auth_callback",
            "https://h:8443/cb?x=1",
            "http://localhost:3334/oauth/callback",
            "http://127.0.0.1/cb",
            "http://[::1]:9/",
            "cursor://anysphere.cursor-retrieval/oauth/callback",
            "com.example.app:/cb",
        ] {
            assert!(RedirectUri::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/cb",
            "cb",
            "https:cb",
            "https://",
            "https://:443/",
            "http://example.org/cb",
            "http://localhost.evil.example/",
            "https://claude.ai/cb#x",
            "https://claude.ai@evil.example/cb",
            "https://a b/",
            "https://a/\"",
            "https://a:x/",
            "javascript:alert(1)",
            "JavaScript://a%0aalert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "http://127.0.0.1@evil.example/",
            "1a://x",
            "https://a/\r\nSet-Cookie:x",
            "http://[::1",
            "https://ü.example/",
        ] {
            assert!(RedirectUri::parse(bad).is_err(), "{bad}");
        }
        assert!(RedirectUri::parse(&format!("https://a/{}", "x".repeat(BYTES_MAX))).is_err());
    }

    #[test]
    fn a_request_must_name_what_is_registered() {
        let site = uri("https://claude.ai/cb");
        for other in [
            "https://claude.ai/cb/",
            "https://claude.ai/cb/x",
            "https://claude.ai/cb?x",
            "https://claude.ai:443/cb",
            "https://CLAUDE.ai/cb",
            "https://claude.ai.evil.example/cb",
            "https://evil.example/cb",
        ] {
            assert!(!site.allows(&uri(other)), "{other}");
        }
        assert!(site.allows(&site));
        let native = uri("http://localhost:1234/cb?a=1");
        assert!(
            native.allows(&uri("http://localhost:9/cb?a=1"))
                && native.allows(&uri("http://localhost/cb?a=1"))
        );
        for other in [
            "http://127.0.0.1:1234/cb?a=1",
            "http://localhost:1234/cb",
            "http://localhost:1234/cb/?a=1",
            "https://localhost:1234/cb?a=1",
        ] {
            assert!(!native.allows(&uri(other)), "{other}");
        }
    }

    #[test]
    fn parameters_are_encoded_behind_those_that_are_there() {
        assert_eq!(
            uri("https://a/cb").with(&[("code", "x&y"), ("state", "ü ")]),
            "https://a/cb?code=x%26y&state=%C3%BC%20"
        );
        assert_eq!(
            uri("https://a/cb?k=v").with(&[("iss", "https://m")]),
            "https://a/cb?k=v&iss=https%3A%2F%2Fm"
        );
        assert_eq!(uri("https://a/cb?").with(&[("a", "b")]), "https://a/cb?a=b");
    }

    #[test]
    fn people_are_told_who_receives_the_code() {
        assert_eq!(uri("https://Claude.AI/cb").destination(), Destination::Site("claude.ai"));
        assert_eq!(uri("http://[::1]:1/cb").destination(), Destination::ThisComputer);
        assert_eq!(uri("Cursor://x").destination(), Destination::Application("cursor"));
    }
}
