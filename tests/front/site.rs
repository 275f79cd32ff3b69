//! A server on a free port of loopback, with the lists that the configuration makes for `https://mcp.example.org`.

use std::sync::Arc;
use std::time::Duration;

use nextcloud_mcp_server::config::{HostPattern, OriginPattern};
use nextcloud_mcp_server::gate::Gate;
use nextcloud_mcp_server::http::{Limits, Listener, Server};
use nextcloud_mcp_server::nextcloud::Nextcloud;
use nextcloud_mcp_server::secret::Secret;
use nextcloud_mcp_server::tool::Scopes;
use nextcloud_mcp_server::transport::http::Front;
use nextcloud_mcp_server::transport::{Access, Origins};

use crate::{hold, house};

/// Longer than any test takes: reached only when something is missing.
pub const LONG: Duration = Duration::from_secs(20);

pub const TOKEN: &str = "right-token";

pub struct Site {
    pub token: Option<&'static str>,
    pub scopes: Scopes,
    pub gate: Gate,
    pub nextcloud: Nextcloud,
    /// Time that a call with a progress token may take to be answered with plain JSON.
    pub patience: Duration,
    pub limits: Limits,
}

impl Default for Site {
    fn default() -> Site {
        Site {
            token: None,
            scopes: Scopes::Unrestricted,
            gate: house::open_gate(),
            nextcloud: house::unreachable(),
            patience: LONG,
            limits: Limits { linger_ms: 100, body_bytes_max: 100_000, ..Limits::default() },
        }
    }
}

impl Site {
    pub fn open(self) -> Server {
        let server = house::server_of(&[&house::APP, &house::NOTES, &hold::APP], self.nextcloud, self.gate);
        let access =
            Access::SingleUser { caller: house::caller(self.scopes), token: self.token.map(Secret::new) };
        let front = Front::new(server, access, origins(), "basic").with_patience(self.patience);
        let listener = Listener::bind("127.0.0.1:0").expect("a free port");
        Server::start(listener, self.limits, Arc::new(front)).expect("a running server")
    }
}

fn origins() -> Origins {
    let loopback = ["127.0.0.1", "localhost", "[::1]"];
    let mut hosts = vec![HostPattern::parse("mcp.example.org").expect("a host")];
    hosts.extend(loopback.map(|host| HostPattern { host: host.into(), port: None }));
    let mut origins = vec![OriginPattern::parse("https://mcp.example.org").expect("an origin")];
    origins.extend(loopback.map(|host| OriginPattern { scheme: None, host: host.into(), port: None }));
    Origins { hosts, origins }
}
