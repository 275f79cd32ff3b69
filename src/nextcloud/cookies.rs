//! A cookie jar for one credential at one origin (RFC 6265 §5, without domains: there is only one).
//!
//! Without its session cookie every request costs Nextcloud a new session, with an access token five to eight
//! times as much. Cookies are credentials: they live in memory only and are never logged.

use std::time::Duration;

use crate::clock::Clock;
use crate::secret::Secret;

const COOKIES_MAX: usize = 32;
const NAME_AND_VALUE_BYTES_MAX: usize = 4096;
const LINE_BYTES_MAX: usize = 8192;

/// The session of one account: its cookies, and the request token that goes with them.
#[derive(Default)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
    request_token: Option<Secret>,
    /// Which session this is, counted. What an answer says about an older one is of no use any more.
    epoch: u32,
}

struct Cookie {
    name: String,
    value: Secret,
    path: String,
    secure: bool,
    /// Monotonic; absent for a session cookie.
    expires: Option<Duration>,
}

impl Jar {
    /// Forgets the session; the next answer begins another one.
    pub(super) fn clear(&mut self) {
        *self = Jar { epoch: self.epoch.wrapping_add(1), ..Jar::default() };
    }

    /// Which session this is, counted from 0.
    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Nextcloud's proof that a request with these cookies is no forgery, where one was asked for.
    pub(super) fn request_token(&self) -> Option<&Secret> {
        self.request_token.as_ref()
    }

    pub(super) fn set_request_token(&mut self, token: Secret) {
        self.request_token = Some(token);
    }

    /// Takes one `Set-Cookie` line that came with the answer for `path`. Bad and oversized ones are dropped.
    pub(super) fn store(&mut self, set_cookie: &str, path: &str, secure: bool, clock: &Clock) {
        let Some(cookie) = Cookie::parse(set_cookie, path, clock) else { return };
        self.cookies.retain(|c| !(c.name == cookie.name && c.path == cookie.path));
        let expired = cookie.expires.is_some_and(|at| at <= clock.monotonic());
        if expired || (cookie.secure && !secure) {
            return;
        }
        if self.cookies.len() >= COOKIES_MAX {
            self.cookies.remove(0);
        }
        self.cookies.push(cookie);
    }

    /// The `Cookie` header for `path`, longest path first (RFC 6265 §5.4).
    pub(super) fn header(&self, path: &str, secure: bool, clock: &Clock) -> Option<Secret> {
        let now = clock.monotonic();
        let mut fit: Vec<&Cookie> = self
            .cookies
            .iter()
            .filter(|c| path_matches(&c.path, path) && (secure || !c.secure))
            .filter(|c| c.expires.is_none_or(|at| at > now))
            .collect();
        fit.sort_by_key(|c| std::cmp::Reverse(c.path.len()));
        let mut line = String::new();
        for cookie in fit {
            if line.len() + cookie.name.len() + cookie.value.expose().len() + 3 > LINE_BYTES_MAX {
                continue;
            }
            if !line.is_empty() {
                line.push_str("; ");
            }
            line.push_str(&cookie.name);
            line.push('=');
            line.push_str(cookie.value.expose());
        }
        (!line.is_empty()).then(|| Secret::new(line))
    }
}

impl Cookie {
    fn parse(line: &str, request_path: &str, clock: &Clock) -> Option<Cookie> {
        let mut parts = line.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let fine = |s: &str| s.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        if name.is_empty()
            || name.len() + value.len() > NAME_AND_VALUE_BYTES_MAX
            || !fine(name)
            || !fine(value)
        {
            return None;
        }
        let mut cookie = Cookie {
            name: name.into(),
            value: Secret::new(value),
            path: default_path(request_path).into(),
            secure: false,
            expires: None,
        };
        let mut max_age_s: Option<i64> = None;
        let mut expires_unix_s: Option<i64> = None;
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            match key.trim().to_ascii_lowercase().as_str() {
                "path" if value.trim().starts_with('/') => cookie.path = value.trim().into(),
                "secure" => cookie.secure = true,
                "max-age" => max_age_s = value.trim().parse().ok(),
                "expires" => expires_unix_s = http_date(value.trim()),
                _ => {}
            }
        }
        let lifetime_s =
            max_age_s.or_else(|| expires_unix_s.map(|at| at.saturating_sub(clock.now().unix_s() as i64)));
        cookie.expires = lifetime_s
            .map(|s| clock.monotonic().saturating_add(Duration::from_secs(u64::try_from(s).unwrap_or(0))));
        Some(cookie)
    }
}

/// RFC 6265 §5.1.4.
fn default_path(request_path: &str) -> &str {
    match request_path.rfind('/') {
        None | Some(0) => "/",
        Some(end) => &request_path[..end],
    }
}

fn path_matches(cookie_path: &str, path: &str) -> bool {
    path.strip_prefix(cookie_path)
        .is_some_and(|rest| rest.is_empty() || cookie_path.ends_with('/') || rest.starts_with('/'))
}

/// Seconds since 1970 of `Tue, 24 Nov 2026 00:27:35 GMT` (RFC 9110 §5.6.7) or PHP's older
/// `Fri, 31-Dec-2100 23:59:59 GMT`.
pub(super) fn http_date(text: &str) -> Option<i64> {
    let (_, date) = text.split_once(',')?;
    let mut words = date.split([' ', '-']).filter(|w| !w.is_empty());
    let day: i64 = words.next()?.parse().ok().filter(|d| (1..=31).contains(d))?;
    let month = words.next()?;
    let month = 1 + ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        .iter()
        .position(|m| m.eq_ignore_ascii_case(month))? as i64;
    let year: i64 = words.next()?.parse().ok().filter(|y| (1970..=9999).contains(y))?;
    let mut time =
        words.next()?.splitn(3, ':').map(|n| n.parse::<i64>().ok().filter(|n| (0..=60).contains(n)));
    let (h, m, s) = (time.next()??, time.next()??, time.next()??);
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let yoe = y - era * 400;
    let days = era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468;
    Some(days * 86_400 + h * 3600 + m * 60 + s)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(lines: &[&str]) -> (Jar, Clock) {
        let clock = Clock::manual(1_795_476_751_000);
        let mut jar = Jar::default();
        lines.iter().for_each(|line| jar.store(line, "/ocs/v2.php/cloud/user", false, &clock));
        (jar, clock)
    }

    fn sent(jar: &Jar, clock: &Clock) -> String {
        jar.header("/remote.php/dav", false, clock).map_or(String::new(), |s| s.expose().into())
    }

    #[test]
    fn nextclouds_session_cookies_are_kept_and_sent() {
        let (jar, clock) = jar(&[
            "oc_sessionPassphrase=mepZ%2F8; path=/; HttpOnly; SameSite=Lax",
            "nc_sameSiteCookielax=true; path=/; httponly;expires=Fri, 31-Dec-2100 23:59:59 GMT; SameSite=lax",
            "nc_sameSiteCookiestrict=true; path=/; httponly;expires=Fri, 31-Dec-2100 23:59:59 GMT; SameSite=strict",
            "ocq5hecs9115=ep9hmj6i; path=/; HttpOnly; SameSite=Lax",
            "nc_token=LbiJ; Path=/; Max-Age=1296000; HttpOnly; SameSite=Lax",
        ]);
        assert_eq!(
            sent(&jar, &clock),
            "oc_sessionPassphrase=mepZ%2F8; nc_sameSiteCookielax=true; nc_sameSiteCookiestrict=true; \
             ocq5hecs9115=ep9hmj6i; nc_token=LbiJ"
        );
    }

    #[test]
    fn a_deleted_cookie_is_gone() {
        let (mut jar, clock) = jar(&["nc_token=x; path=/; Max-Age=60", "a=1; path=/"]);
        jar.store("nc_token=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/", "/", false, &clock);
        jar.store("a=1; path=/; Max-Age=0", "/", false, &clock);
        assert_eq!(sent(&jar, &clock), "");
    }

    #[test]
    fn a_cookie_expires() {
        let (jar, clock) =
            jar(&["a=1; path=/; expires=Tue, 24 Nov 2026 00:27:35 GMT; Max-Age=10", "b=2; path=/"]);
        assert_eq!(sent(&jar, &clock), "a=1; b=2");
        clock.advance(Duration::from_secs(11));
        assert_eq!(sent(&jar, &clock), "b=2");
    }

    #[test]
    fn paths_and_secure_are_respected() {
        let (mut jar, clock) =
            jar(&["a=1", "b=2; path=/rem", "c=3; path=/; Secure", "d=4; path=/remote.php"]);
        assert_eq!(sent(&jar, &clock), "d=4");
        jar.store("c=3; path=/; Secure", "/", true, &clock);
        assert_eq!(jar.header("/x", true, &clock).map(|s| s.expose().to_owned()).as_deref(), Some("c=3"));
        assert!(jar.header("/x", false, &clock).is_none());
    }

    #[test]
    fn the_jar_is_bounded() {
        let lines: Vec<String> = (0..100).map(|i| format!("c{i}={}; path=/", "x".repeat(1000))).collect();
        let (jar, clock) = jar(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(jar.cookies.len(), COOKIES_MAX);
        assert!(sent(&jar, &clock).len() <= LINE_BYTES_MAX);
    }

    #[test]
    fn bad_cookies_are_dropped() {
        let long = format!("a={}", "x".repeat(5000));
        let (jar, clock) = jar(&["", "=x", "novalue", "a=b\r\nX: y", "ä=1", &long]);
        assert_eq!(sent(&jar, &clock), "");
    }

    #[test]
    fn http_dates_are_read() {
        assert_eq!(http_date("Thu, 01-Jan-1970 00:00:01 GMT"), Some(1));
        assert_eq!(http_date("Mon, 23 Nov 2026 23:32:31 GMT"), Some(1_795_476_751));
        assert_eq!(http_date("Tue, 29 Feb 2000 00:00:00 GMT"), Some(951_782_400));
        for bad in
            ["", "soon", "Mon, 99 Nov 2026 00:00:00 GMT", "Mon, 23 Nov 2026", "Mon, 23 Nov 2026 x:y:z GMT"]
        {
            assert_eq!(http_date(bad), None, "{bad}");
        }
    }
}
