//! Host names to addresses, with a cache: ureq asks on every request, also for a pooled connection, and the
//! resolver that comes with it starts a thread each time.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::clock::Clock;

/// How long an address is used without asking again.
const FRESH: Duration = Duration::from_secs(30);
/// How long an address is used if asking again fails.
const USABLE: Duration = Duration::from_secs(600);
/// Addresses per host; ureq takes 16.
const ADDRESSES_MAX: usize = 16;
const HOSTS_MAX: usize = 64;

type LookUp = Arc<dyn Fn(&str, u16) -> std::io::Result<Vec<SocketAddr>> + Send + Sync>;

/// A resolver that remembers addresses for 30 seconds.
pub(super) struct CachingResolver {
    clock: Clock,
    known: Mutex<HashMap<(String, u16), Known>>,
    look_up: LookUp,
}

#[derive(Clone)]
struct Known {
    addresses: Vec<SocketAddr>,
    at: Duration,
}

impl CachingResolver {
    pub(super) fn new(clock: Clock) -> CachingResolver {
        CachingResolver {
            clock,
            known: Mutex::default(),
            look_up: Arc::new(|host, port| Ok((host, port).to_socket_addrs()?.take(ADDRESSES_MAX).collect())),
        }
    }

    fn addresses(
        &self,
        host: &str,
        port: u16,
        limit: Option<Duration>,
    ) -> Result<Vec<SocketAddr>, ureq::Error> {
        let literal = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = literal.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let key = (host.to_ascii_lowercase(), port);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let age = |known: &Known| self.clock.monotonic().saturating_sub(known.at);
        if let Some(known) = known.as_ref().filter(|k| age(k) < FRESH) {
            return Ok(known.addresses.clone());
        }
        match self.ask(&key, limit) {
            Ok(addresses) => {
                let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                if all.len() >= HOSTS_MAX {
                    all.clear();
                }
                all.insert(key, Known { addresses: addresses.clone(), at: self.clock.monotonic() });
                Ok(addresses)
            }
            Err(error) => match known.filter(|k| age(k) < USABLE) {
                Some(known) => {
                    log::warn!(
                        "Host name not resolved, the last address is used again. host={host} error={error}"
                    );
                    Ok(known.addresses)
                }
                None => Err(error),
            },
        }
    }

    /// The system's look-up has no time limit of its own, so it runs in a thread of its own: once in 30 seconds
    /// for each host.
    fn ask(
        &self,
        (host, port): &(String, u16),
        limit: Option<Duration>,
    ) -> Result<Vec<SocketAddr>, ureq::Error> {
        let (tell, answer) = mpsc::sync_channel(1);
        let (look_up, name, port) = (self.look_up.clone(), host.clone(), *port);
        std::thread::Builder::new()
            .name("resolve".into())
            .spawn(move || {
                let _ = tell.send(look_up(&name, port));
            })
            .map_err(ureq::Error::Io)?;
        let found = match limit {
            Some(limit) => {
                answer.recv_timeout(limit).map_err(|_| ureq::Error::Timeout(ureq::Timeout::Resolve))?
            }
            None => answer.recv().map_err(|_| ureq::Error::HostNotFound)?,
        };
        match found {
            Ok(addresses) if !addresses.is_empty() => Ok(addresses),
            _ => Err(ureq::Error::HostNotFound),
        }
    }
}

impl Resolver for CachingResolver {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?;
        let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
            Some("https") => 443,
            Some("socks4" | "socks4a" | "socks5") => 1080,
            _ => 80,
        });
        let limit = (!timeout.after.is_not_happening()).then(|| *timeout.after);
        let mut out = self.empty();
        self.addresses(host, port, limit)?.into_iter().take(ADDRESSES_MAX).for_each(|a| out.push(a));
        Ok(out)
    }
}

impl std::fmt::Debug for CachingResolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CachingResolver")
    }
}

/// The same for addresses that strangers name: refuses a host with any address that is not public. ureq connects to
/// what was resolved here, so a name cannot change its mind in between.
pub(super) struct PublicResolver(pub(super) CachingResolver);

impl Resolver for PublicResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.0.resolve(uri, config, timeout)?;
        if found.iter().all(|address| is_public(address.ip())) {
            return Ok(found);
        }
        log::warn!(
            "An address that a stranger named is not public. host={:?}",
            uri.host().unwrap_or_default()
        );
        Err(ureq::Error::HostNotFound)
    }
}

impl std::fmt::Debug for PublicResolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PublicResolver")
    }
}

/// Whether an address is of the public internet (the special-purpose registries of RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_documentation()
                || matches!(
                    (a, b, c),
                    (0 | 224..=255, _, _) | (100, 64..=127, _) | (192, 0, 0) | (192, 88, 99)
                )
                || matches!((a, b), (198, 18 | 19)))
        }
        IpAddr::V6(ip) => {
            let [a, b, ..] = ip.segments();
            let [.., e, f, g, h] = ip.octets();
            if ip.to_ipv4_mapped().is_some() || (a, b) == (0x64, 0xff9b) {
                return is_public(IpAddr::from([e, f, g, h]));
            }
            // Global unicast, without documentation, Teredo and 6to4, which hold other addresses.
            (a & 0xe000) == 0x2000 && !matches!((a, b), (0x2001, 0 | 0xdb8) | (0x2002, _)) && a != 0x3fff
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        for public in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "3fff::1",
            "::127.0.0.1",
            "fec0::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
    }
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A resolver whose look-ups are counted and fail from the `fails_from`th on.
    fn counted(clock: &Clock, fails_from: usize) -> (CachingResolver, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let look_up: LookUp = Arc::new(move |_, port| match count.fetch_add(1, Ordering::SeqCst) {
            n if n >= fails_from => Err(std::io::ErrorKind::NotFound.into()),
            n => Ok(vec![SocketAddr::from(([10, 0, 0, n as u8], port))]),
        });
        (CachingResolver { clock: clock.clone(), known: Mutex::default(), look_up }, asked)
    }

    #[test]
    fn a_name_is_asked_for_once_in_30_seconds() {
        let clock = Clock::manual(0);
        let (resolver, asked) = counted(&clock, usize::MAX);
        let get = || resolver.addresses("Cloud.example.org", 443, None).expect("address");
        assert_eq!(get(), get());
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        clock.advance(FRESH);
        assert_eq!(get(), ["10.0.0.1:443".parse().expect("address")]);
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn an_old_address_is_used_when_the_look_up_fails() {
        let clock = Clock::manual(0);
        let (resolver, _) = counted(&clock, 1);
        let first = resolver.addresses("cloud.example.org", 443, None).expect("address");
        clock.advance(FRESH);
        assert_eq!(resolver.addresses("cloud.example.org", 443, None).expect("address"), first);
        clock.advance(USABLE);
        assert!(matches!(resolver.addresses("cloud.example.org", 443, None), Err(ureq::Error::HostNotFound)));
    }

    #[test]
    fn an_address_needs_no_look_up() {
        let clock = Clock::manual(0);
        let (resolver, asked) = counted(&clock, 0);
        assert_eq!(
            resolver.addresses("127.0.0.1", 80, None).expect("v4"),
            ["127.0.0.1:80".parse().expect("v4")]
        );
        assert_eq!(resolver.addresses("[::1]", 80, None).expect("v6"), ["[::1]:80".parse().expect("v6")]);
        assert_eq!(asked.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_slow_look_up_is_given_up() {
        let (_keep, blocked) = mpsc::channel::<()>();
        let blocked = Mutex::new(blocked);
        let look_up: LookUp = Arc::new(move |_, _| {
            let _ = blocked.lock().map(|b| b.recv_timeout(Duration::from_secs(5)));
            Ok(Vec::new())
        });
        let resolver = CachingResolver { clock: Clock::manual(0), known: Mutex::default(), look_up };
        let slow = resolver.addresses("cloud.example.org", 443, Some(Duration::from_millis(5)));
        assert!(matches!(slow, Err(ureq::Error::Timeout(_))));
    }
}
