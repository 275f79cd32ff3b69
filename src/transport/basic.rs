//! Multi-user basic mode: the `Authorization: Basic` of a request, and from where it came.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use super::access::Denied;
use crate::auth::Caller;
use crate::auth::basic::{CHALLENGE, Unreadable, UserPass};
use crate::auth::sign_ins::{Refusal, SignIns};
use crate::clock::Clock;
use crate::http::{Head, Peer};

/// What multi-user basic mode needs to judge a request.
pub struct BasicAccess {
    pub sign_ins: Arc<SignIns>,
    pub clock: Clock,
}

impl BasicAccess {
    pub(super) fn caller(&self, head: &Head) -> Result<Caller, Denied> {
        let challenge = || CHALLENGE.to_owned();
        let refused = |reason| Denied::Refused { reason, challenge: challenge() };
        let mut values = head.headers.all("authorization");
        let user = match (values.next(), values.next()) {
            (None, _) => return Err(Denied::Missing { challenge: challenge() }),
            (Some(_), Some(_)) => return Err(refused("two Authorization headers")),
            (Some(value), None) => UserPass::parse(value).map_err(|unreadable| match unreadable {
                Unreadable::OtherScheme => refused("this mode takes the scheme Basic"),
                Unreadable::Malformed => refused("no user name and password (RFC 7617)"),
            })?,
        };
        self.sign_ins.caller(&user, network(head)).map_err(|refusal| match refusal {
            Refusal::Wrong => refused("Nextcloud does not accept it"),
            Refusal::Stopped { retry_after_s } => Denied::Stopped { retry_after_s },
            Refusal::Unjudged => Denied::Unjudged { reason: "Nextcloud cannot be asked" },
        })
    }

    /// The challenge for a caller whose password Nextcloud has just refused.
    pub(super) fn lost(&self, caller: &Caller) -> Option<String> {
        caller.account.is_refused(self.clock.monotonic()).then(|| CHALLENGE.to_owned())
    }
}

/// From where a request comes, so far that its sender can be told from others: an IPv4 address or an IPv6 network.
///
/// A proxy on this machine is believed what it appended to `X-Forwarded-For`. Without that it speaks for everybody.
fn network(head: &Head) -> Option<IpAddr> {
    let address = match head.peer {
        Peer::Ip(address) if !address.ip().to_canonical().is_loopback() => Some(address.ip()),
        Peer::Ip(_) | Peer::Unix => {
            head.headers.list("x-forwarded-for").last().and_then(|ip| ip.parse().ok())
        }
    };
    address.map(|address| match address.to_canonical() {
        IpAddr::V6(address) => {
            // 64 bits are one network, within which anybody may pick addresses (RFC 4291 §2.5.4).
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Headers, Version};

    fn from(peer: &str, forwarded: &[&str]) -> Option<String> {
        let peer = if peer == "unix" {
            Peer::Unix
        } else {
            Peer::Ip((peer.parse::<IpAddr>().unwrap(), 4711).into())
        };
        let headers: Headers = forwarded.iter().map(|value| ("X-Forwarded-For", *value)).collect();
        let head =
            Head { method: "POST".into(), target: "/mcp".into(), version: Version::Http11, headers, peer };
        network(&head).map(|network| network.to_string())
    }

    #[test]
    fn a_proxy_on_this_machine_tells_from_where_and_nobody_else() {
        assert_eq!(from("192.0.2.1", &["198.51.100.7"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(from("127.0.0.1", &["1.2.3.4, 198.51.100.7"]).as_deref(), Some("198.51.100.7"));
        assert_eq!(from("unix", &["1.2.3.4", "198.51.100.7"]).as_deref(), Some("198.51.100.7"));
        assert_eq!(from("::1", &[]), None);
        assert_eq!(from("127.0.0.1", &["unknown"]), None);
    }

    #[test]
    fn an_ipv6_network_is_one_peer() {
        assert_eq!(from("2001:db8:1:2:3:4:5:6", &[]).as_deref(), Some("2001:db8:1:2::"));
        assert_eq!(from("::ffff:192.0.2.1", &[]).as_deref(), Some("192.0.2.1"));
    }
}
