//! Which `Host` and `Origin` are ours: without this any web page could speak to a server on the visitor's loopback
//! (DNS rebinding; MCP 2026-07-28, Streamable HTTP, "Security").

use std::net::IpAddr;

use crate::config::{HostPattern, OriginPattern};

/// The allow-lists of the configuration, which hold our public address and loopback from the start.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    pub hosts: Vec<HostPattern>,
    pub origins: Vec<OriginPattern>,
}

impl Origins {
    /// Whether a `Host` header names us. A plain address always does: a page can only rebind a name of its own.
    pub fn host(&self, header: &str) -> bool {
        is_address(header) || self.hosts.iter().any(|host| host.matches(header))
    }

    /// Whether pages of this origin may speak to us.
    pub fn origin(&self, header: &str) -> bool {
        self.origins.iter().any(|origin| origin.matches(header))
    }
}

/// `192.168.1.5`, `192.168.1.5:8000`, `[fd00::5]:8000`.
fn is_address(header: &str) -> bool {
    let name = match header.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => header,
    };
    match name.strip_prefix('[') {
        Some(v6) => v6.strip_suffix(']').is_some_and(|v6| v6.parse::<std::net::Ipv6Addr>().is_ok()),
        None => name.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_listed_names_are_ours_and_other_names_are_not() {
        let list = Origins {
            hosts: vec![
                HostPattern::parse("mcp.example.org").unwrap(),
                HostPattern::parse("proxy:8000").unwrap(),
            ],
            origins: vec![OriginPattern::parse("https://app.example.org").unwrap()],
        };
        for host in ["192.168.1.5", "192.168.1.5:8000", "[fd00::5]:8000", "MCP.example.org:443", "proxy:8000"]
        {
            assert!(list.host(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8000",
            "mcp.example.org.evil.example",
            "proxy:9000",
            "",
            "[",
            "1.2.3",
        ] {
            assert!(!list.host(host), "{host}");
        }
        assert!(list.origin("https://app.example.org"));
        for origin in [
            "http://app.example.org",
            "https://app.example.org.evil.example",
            "null",
            "",
            "https://192.168.1.5",
        ] {
            assert!(!list.origin(origin), "{origin}");
        }
    }
}
