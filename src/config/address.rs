//! Addresses that a person writes: base URLs, names this server answers to, web origins.

use std::fmt;
use std::net::IpAddr;

/// `http` or `https`, host, port and the path below which everything lies. Never holds a user name or a password.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    pub scheme: Scheme,
    /// Lower case; an IPv6 address keeps its brackets.
    pub host: String,
    /// 80 or 443 where none was written.
    pub port: u16,
    /// Empty, or starting with `/` and not ending with one. Encoded, as it was written.
    pub path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

impl BaseUrl {
    /// Fails with what is wrong and what to write; the text never repeats a password.
    pub fn parse(text: &str) -> Result<BaseUrl, &'static str> {
        let (scheme, rest) = match text.split_once("://") {
            Some((s, rest)) if s.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            Some((s, rest)) if s.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            Some(_) => return Err("has another scheme than http and https; write https://…"),
            None => return Err("has no scheme; put https:// in front"),
        };
        if rest.contains(['?', '#']) {
            return Err("has a query or a fragment; end it before the ? or #");
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("holds a user name; leave out everything up to the @");
        }
        let (host, port) = host_and_port(authority)?;
        if !path.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b)) {
            return Err("has a character in its path that must be percent-encoded");
        }
        let path = path.trim_end_matches('/');
        let odd = |segment: &str| matches!(segment, "" | "." | "..");
        if path.split('/').skip(1).any(odd) {
            return Err("has an empty, . or .. segment in its path");
        }
        Ok(BaseUrl { scheme, host, port: port.unwrap_or(scheme.default_port()), path: path.to_owned() })
    }

    /// `https://host`, with the port where it is not the scheme's own (RFC 6454 § 6.2).
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme.as_str(), self.authority())
    }

    /// What a `Host` header says: `host`, or `host:port` where the port is not the scheme's own.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether the way there is likely to stay inside one machine or one local network.
    pub fn is_near(&self) -> bool {
        let name = self.host.trim_start_matches('[').trim_end_matches(']');
        match name.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
            Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
            Err(_) => !name.contains('.'),
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}

/// A name that this server answers to, for checking `Host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    /// Lower case; an IPv6 address keeps its brackets.
    pub host: String,
    /// `None`: any port.
    pub port: Option<u16>,
}

impl HostPattern {
    /// Takes `host`, `host:port` and `host:*`.
    pub fn parse(text: &str) -> Result<HostPattern, &'static str> {
        if text.contains("://") {
            return Err("is a URL; write the host name only");
        }
        if text.contains('*') && !text.ends_with(":*") || text == ":*" {
            return Err("is a wild card; write each host name");
        }
        let (host, port) = host_and_port(text.strip_suffix(":*").unwrap_or(text))?;
        Ok(HostPattern { host, port })
    }

    /// Whether a `Host` header (`name` or `name:port`) names this host. A port that is not written matches any.
    pub fn matches(&self, header: &str) -> bool {
        host_and_port(header).is_ok_and(|(host, port)| {
            host == self.host && (self.port.is_none() || port.is_none() || port == self.port)
        })
    }
}

/// A web origin whose pages may call this server, for checking `Origin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern {
    /// `None`: both.
    pub scheme: Option<Scheme>,
    pub host: String,
    /// `None`: any port.
    pub port: Option<u16>,
}

impl OriginPattern {
    /// Takes `https://host` and `https://host:port`.
    pub fn parse(text: &str) -> Result<OriginPattern, &'static str> {
        if text.contains('*') {
            return Err("is a wild card; write each origin");
        }
        let url = BaseUrl::parse(text)?;
        if !url.path.is_empty() {
            return Err("has a path; an origin ends after the host and port");
        }
        Ok(OriginPattern { scheme: Some(url.scheme), host: url.host, port: Some(url.port) })
    }

    /// Whether an `Origin` header names this origin. `null` never does.
    pub fn matches(&self, header: &str) -> bool {
        BaseUrl::parse(header).is_ok_and(|url| {
            url.path.is_empty()
                && url.host == self.host
                && self.scheme.is_none_or(|scheme| scheme == url.scheme)
                && self.port.is_none_or(|port| port == url.port)
        })
    }
}

/// Names by which a machine reaches itself; they never come from a foreign page's DNS.
pub(super) const LOOPBACK_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Splits `host`, `host:port`, `[v6]` and `[v6]:port`; the host comes back in lower case.
fn host_and_port(text: &str) -> Result<(String, Option<u16>), &'static str> {
    let end = if text.starts_with('[') {
        text.find(']').ok_or("has a [ without a ] in its host")? + 1
    } else {
        text.find(':').unwrap_or(text.len())
    };
    let (host, rest) = text.split_at(end);
    let port = match rest.strip_prefix(':') {
        Some(port) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            Some(port.parse().ok().filter(|p| *p > 0).ok_or("has a port outside 1 to 65535")?)
        }
        None if rest.is_empty() => None,
        _ => return Err("has something other than a port after its host; an IPv6 address stands in [ ]"),
    };
    check_host(host)?;
    Ok((host.to_ascii_lowercase(), port))
}

fn check_host(host: &str) -> Result<(), &'static str> {
    if let Some(v6) = host.strip_prefix('[') {
        return match v6.trim_end_matches(']').parse::<IpAddr>() {
            Ok(IpAddr::V6(_)) => Ok(()),
            _ => Err("has no IPv6 address in its [ ]"),
        };
    }
    if host.is_empty() {
        return Err("has no host");
    }
    if !host.is_ascii() {
        return Err("has letters in its host that DNS does not know; write the host in its xn-- form");
    }
    let labels = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if labels && host.len() <= 253 {
        Ok(())
    } else {
        Err("has a character in its host that no host name has")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_taken_apart_and_written_the_same() {
        let url = BaseUrl::parse("HTTPS://Cloud.Example.org:8443/Cloud/").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.path.as_str()), ("cloud.example.org", 8443, "/Cloud"));
        for (from, to) in [
            ("https://a.example:443/", "https://a.example"),
            ("http://a.example:80", "http://a.example"),
            ("http://a.example:443", "http://a.example:443"),
            ("http://[::1]:9/x", "http://[::1]:9/x"),
            ("http://app", "http://app"),
        ] {
            assert_eq!(BaseUrl::parse(from).unwrap().to_string(), to);
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused_with_a_remedy() {
        for (text, said) in [
            ("cloud.example.org", "https://"),
            ("ftp://a", "scheme"),
            ("https://", "no host"),
            ("https://u:p@a", "user name"),
            ("https://a?x", "query"),
            ("https://a/#x", "fragment"),
            ("https://a b", "character"),
            ("https://a/b c", "percent"),
            ("https://a/../b", "segment"),
            ("https://a//b", "segment"),
            ("https://a:", "port"),
            ("https://a:0", "65535"),
            ("https://a:65536", "65535"),
            ("https://a:+1", "port"),
            ("https://::1", "[ ]"),
            ("https://[::1", "]"),
            ("https://[1.2.3.4]", "IPv6"),
            ("https://übung.example", "xn--"),
            ("https://a\r\nHost: b", "port"),
        ] {
            let fault = BaseUrl::parse(text).expect_err(text);
            assert!(fault.contains(said), "{text}: {fault}");
        }
    }

    #[test]
    fn a_host_pattern_without_a_port_allows_any_port() {
        let any = HostPattern::parse("MCP.example.org").unwrap();
        assert!(any.matches("mcp.example.org:1") && any.matches("mcp.EXAMPLE.org"));
        assert!(!any.matches("mcp.example.org.evil.test") && !any.matches("evil.test") && !any.matches(""));
        let one = HostPattern::parse("mcp.example.org:8443").unwrap();
        assert!(one.matches("mcp.example.org:8443") && !one.matches("mcp.example.org:80"));
        assert_eq!(HostPattern::parse("a:*").unwrap().port, None);
        assert!(HostPattern::parse("*").is_err() && HostPattern::parse("*.example.org").is_err());
        assert!(HostPattern::parse("https://a").is_err());
    }

    #[test]
    fn an_origin_is_compared_whole() {
        let origin = OriginPattern::parse("https://app.example.org").unwrap();
        assert!(origin.matches("https://app.example.org") && origin.matches("https://APP.example.org:443"));
        for other in [
            "http://app.example.org",
            "https://app.example.org:8443",
            "https://app.example.org.evil.test",
            "null",
            "",
        ] {
            assert!(!origin.matches(other), "{other}");
        }
        assert!(OriginPattern::parse("https://a/x").is_err() && OriginPattern::parse("*").is_err());
    }
}
