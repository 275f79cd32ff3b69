//! One request over the wire, with everything that has to be said and checked each time.

use std::io::Read;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ureq::http::{self, HeaderValue, Uri};

use super::account::Admission;
use super::bearer::{CSRF_TOKEN, Shown};
use super::classify::{self, Due};
use super::client::{CAPABILITIES, Client};
use super::cookies::Jar;
use super::error::{Error, Kind};
use super::gate::Pass;
use super::network;
use super::request::Request;
use super::response::{Response, ResponseHead};
use super::retry::Attempts;
use super::settings::{Base, Origin};

const ERROR_BYTES_MAX: u64 = 64 * 1024;
const CHUNK_BYTES: usize = 16 * 1024;
const REDIRECTS_MAX: u32 = 3;
/// Routes that answer without a credential, and so prove none.
const PUBLIC: [&str; 2] = [CAPABILITIES, CSRF_TOKEN];
/// How often a waiting call looks whether it was cancelled.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// An answer whose body is not read yet.
pub(super) struct Live {
    pub(super) head: ResponseHead,
    body: ureq::Body,
    sent_at: Duration,
    shown: Shown,
    _place: Pass,
}

/// The connection broke or was given up, and whether the request was carried out cannot be told.
fn uncertain(request: &Request) -> Error {
    Error::new(Kind::Uncertain, request.label())
}

impl Client<'_> {
    /// Sends a request and reads the whole answer. What `due` says is checked on a 2xx, too.
    pub(super) fn exchange(&self, request: &Request, due: Due) -> Result<Response, Error> {
        let mut attempts = Attempts::of(request);
        loop {
            let live = self.open(request, &mut attempts)?;
            let (sent_at, head, shown) = (live.sent_at, live.head.clone(), live.shown);
            let mut body = Vec::new();
            match self.pump(request, live, Some(request.limit_bytes), &mut |chunk| {
                body.extend_from_slice(chunk);
                ControlFlow::Continue(())
            }) {
                Ok(_) => {}
                Err(error) if error.kind == Kind::CutShort && request.is_safe() && attempts.again_fresh() => {
                    log::info!(
                        "Nextcloud's answer was cut short, asking once more. request={:?}",
                        error.request
                    );
                    continue;
                }
                Err(error) => return Err(self.report(error, sent_at)),
            }
            if !request.allow.contains(&head.status)
                && let Some(kind) = classify::classify(&head, &body, due)
            {
                if kind == Kind::Unauthorized {
                    self.settle(request, Some(kind), shown, &attempts);
                }
                return Err(self.report(self.refusal(request, kind, &head, body), sent_at));
            }
            return Ok(Response { status: head.status, body, head });
        }
    }

    /// Sends a request until there is an answer that is no failure by its status; its body is not read.
    pub(super) fn open(&self, request: &Request, attempts: &mut Attempts) -> Result<Live, Error> {
        let mut target = format!("{}{}", self.nextcloud.base().prefix(), request.path.target());
        loop {
            let sent_at = self.nextcloud.clock.monotonic();
            self.prepare_session(request, attempts)?;
            let failed = match self.attempt(request, &target, attempts) {
                Ok(live) => return Ok(live),
                Err(failed) => failed,
            };
            match failed {
                Failed::Gone(error) => {
                    if !(request.is_repeatable() && attempts.again_fresh()) {
                        let error = if request.is_safe() { error } else { uncertain(request) };
                        return Err(self.report(error, sent_at));
                    }
                    log::debug!(
                        "The connection was gone, asking on a fresh one. request={:?}",
                        error.request
                    );
                }
                Failed::Refused(shown, error) => {
                    if !self.renew_session(request, shown, &error, attempts)? {
                        return Err(self.report(error, sent_at));
                    }
                }
                Failed::Bounced(error) => {
                    attempts.redirects += 1;
                    if attempts.redirects > REDIRECTS_MAX {
                        return Err(self.report(error, sent_at));
                    }
                }
                Failed::Redirected(to, error) => match self.follow(request, &to, attempts) {
                    Some(next) => target = next,
                    None => return Err(self.report(*error, sent_at)),
                },
                // The condition of a repeated write fails also when the first try was carried out after all.
                Failed::Final(error)
                    if attempts.fresh
                        && !request.is_safe()
                        && matches!(error.kind, Kind::PreconditionFailed | Kind::NotFound) =>
                {
                    return Err(self.report(uncertain(request), sent_at));
                }
                Failed::Final(error) => {
                    let left = self.call.remaining(&self.nextcloud.clock);
                    match attempts.wait(&error, left, &self.nextcloud.ids) {
                        Some(wait) => self.pause(request, wait)?,
                        None => return Err(self.report(error, sent_at)),
                    }
                }
            }
        }
    }

    /// Sends the request once.
    fn attempt(&self, request: &Request, target: &str, attempts: &Attempts) -> Result<Live, Failed> {
        let probe = self.admit(request)?;
        let left = self.still_wanted(request)?;
        let place = self.nextcloud.places.enter(left, &self.call.cancel);
        let place = place.ok_or_else(|| self.waited_in_vain(request))?;
        let left = self.still_wanted(request)?;
        let sent_at = self.nextcloud.clock.monotonic();
        let (wire, shown) = self.wire(request, target)?;
        let answer = self.transmit(request, wire, left, attempts.fresh).map_err(|error| {
            let failure = match self.still_wanted(request) {
                Err(stopping) => stopping,
                Ok(_) if network::is_stale(&error) => {
                    return Failed::Gone(network::failure(&error, request.label()));
                }
                Ok(_) => network::failure(&error, request.label()),
            };
            // Nextcloud goes on with what was sent, also when nobody waits for it any more.
            let given_up = matches!(failure.kind, Kind::TimedOut | Kind::Cancelled);
            Failed::Final(if given_up && !request.is_safe() { uncertain(request) } else { failure })
        })?;
        let (parts, body) = answer.into_parts();
        let head = ResponseHead { status: parts.status.as_u16(), headers: parts.headers };
        self.keep_cookies(request, target, &head, shown);
        let live = Live { head, body, sent_at, shown, _place: place };
        if (200..300).contains(&live.head.status) || request.allow.contains(&live.head.status) {
            if !never_ran(request, &live.head) {
                self.settle(request, None, shown, attempts);
            }
            drop(probe);
            return Ok(live);
        }
        let head = live.head.clone();
        let body = self.error_body(live);
        let kind = classify::classify(&head, &body, Due::Any).unwrap_or(Kind::Malformed);
        self.settle(request, Some(kind), shown, attempts);
        drop(probe);
        let error = self.refusal(request, kind, &head, body);
        Err(match (kind, head.header("Location")) {
            (Kind::Redirected, Some(to)) if to == target && lacks_same_site_cookies(shown, &head) => {
                Failed::Bounced(error)
            }
            (Kind::Redirected, Some(to)) => {
                let hint = redirect_hint(self.nextcloud.base(), request.path.as_str(), to);
                Failed::Redirected(to.to_owned(), Box::new(error.because(hint)))
            }
            (Kind::SessionRequired | Kind::Unauthorized, _) => Failed::Refused(shown, error),
            _ => Failed::Final(error),
        })
    }

    fn transmit(
        &self,
        request: &Request,
        wire: http::request::Builder,
        left: Duration,
        fresh: bool,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        let agent = self.nextcloud.agent();
        // A method that usually has a body is sent with `Content-Length: 0`; proxies answer 411 otherwise.
        let has_body = !request.body.is_empty() || matches!(request.method, "POST" | "PUT" | "PATCH");
        let idle = if fresh { Duration::ZERO } else { agent.config().max_idle_age() };
        if has_body {
            let wire = wire.body(request.body.as_slice())?;
            agent.run(agent.configure_request(wire).timeout_global(Some(left)).max_idle_age(idle).build())
        } else {
            let wire = wire.body(())?;
            agent.run(agent.configure_request(wire).timeout_global(Some(left)).max_idle_age(idle).build())
        }
    }

    /// The head of the request, and what of the account's session is in it.
    fn wire(&self, request: &Request, target: &str) -> Result<(http::request::Builder, Shown), Error> {
        if let Some(fault) = request.path.fault().or_else(|| request.destination.as_ref()?.fault()) {
            return Err(Error::new(Kind::BadRequest, request.label()).because(fault));
        }
        let origin = self.nextcloud.base().origin();
        let mut wire = http::Request::builder()
            .method(request.method)
            .uri(format!("{origin}{target}"))
            .header("OCS-APIRequest", "true")
            .header("Accept", request.accept_value())
            .header("Accept-Encoding", request.accept_encoding());
        if !self.nextcloud.settings.keepalive {
            wire = wire.header("Connection", "close");
        }
        if let Some(content_type) = &request.content_type {
            wire = wire.header("Content-Type", content_type);
        }
        if let Some(to) = &request.destination {
            wire = wire.header("Destination", format!("{}{}", self.nextcloud.base(), to.target()));
        }
        if let Some((offset, len)) = request.range {
            let end = offset.saturating_add(len.max(1) - 1);
            wire = wire.header("Range", format!("bytes={offset}-{end}"));
        }
        for (name, value) in &request.headers {
            wire = wire.header(*name, value);
        }
        let Some(account) = self.account else { return Ok((wire, Shown::default())) };
        wire = wire.header("Authorization", secret_value(account.credential.header().expose()));
        if request.sessionless {
            return Ok((wire, Shown::default()));
        }
        let path = target.split('?').next().unwrap_or_default();
        let https = self.nextcloud.base().is_https();
        let jar = account.jar(request.path.is_dav());
        let cookies = jar.header(path, https, &self.nextcloud.clock);
        if let Some(cookies) = &cookies {
            wire = wire.header("Cookie", secret_value(cookies.expose()));
        }
        if let Some(token) = jar.request_token() {
            wire = wire.header("requesttoken", secret_value(token.expose()));
        }
        let shown =
            Shown { cookies: cookies.is_some(), token: jar.request_token().is_some(), epoch: jar.epoch() };
        Ok((wire, shown))
    }

    /// Keeps the cookies of an answer, unless another session was begun since the request.
    pub(super) fn keep_cookies(&self, request: &Request, target: &str, head: &ResponseHead, shown: Shown) {
        let Some(account) = self.account.filter(|_| !request.sessionless) else { return };
        let mut jar = account.jar(request.path.is_dav());
        if jar.epoch() == shown.epoch {
            self.store_cookies(&mut jar, target, head);
        }
    }

    pub(super) fn store_cookies(&self, jar: &mut Jar, target: &str, head: &ResponseHead) {
        let path = target.split('?').next().unwrap_or_default();
        let https = self.nextcloud.base().is_https();
        for line in head.headers.get_all("Set-Cookie").iter().filter_map(|v| v.to_str().ok()) {
            jar.store(line, path, https, &self.nextcloud.clock);
        }
    }

    /// Whether the credential may be shown now; a place of the probe where its worth is not known.
    fn admit(&self, request: &Request) -> Result<Option<Pass>, Error> {
        let Some(account) = self.account else { return Ok(None) };
        let mut probe = None;
        loop {
            match account.admission(self.nextcloud.clock.monotonic()) {
                Admission::Free => return Ok(None),
                Admission::Probe if probe.is_some() => return Ok(probe),
                Admission::Probe => {
                    let left = self.still_wanted(request)?;
                    let pass = account.probe.enter(left, &self.call.cancel);
                    probe = Some(pass.ok_or_else(|| self.waited_in_vain(request))?);
                }
                Admission::Refused(seconds) => {
                    return Err(Error::new(Kind::Unauthorized, request.label())
                        .because("Nextcloud refused this sign-in a moment ago, so it is not asked again yet")
                        .hint(self.refusal_hint(Kind::Unauthorized))
                        .retry_after(Some(seconds)));
                }
            }
        }
    }

    /// Draws conclusions about the credential from an answer.
    fn settle(&self, request: &Request, kind: Option<Kind>, shown: Shown, attempts: &Attempts) {
        let Some(account) = self.account else { return };
        match kind {
            Some(Kind::Unauthorized) => {
                if shown.cookies {
                    account.forget_session(request.path.is_dav(), shown);
                }
                // An old session may be what was refused; the next request goes without it.
                if !shown.cookies || attempts.has_new_session() {
                    account.refused(self.nextcloud.clock.monotonic());
                }
            }
            Some(
                Kind::SessionRequired
                | Kind::Throttled
                | Kind::Maintenance
                | Kind::Unavailable
                | Kind::Server
                | Kind::Redirected
                | Kind::NotNextcloud
                | Kind::Malformed,
            ) => {}
            // A bad token gets them, too.
            None if PUBLIC.contains(&request.path.as_str()) => {}
            _ => account.accepted(),
        }
    }

    /// Reads the body of an answer and hands it on in pieces. Fails if it is longer than `limit`, shorter than
    /// announced, or not wanted any more. Stops, and closes the connection, when `sink` breaks.
    pub(super) fn pump(
        &self,
        request: &Request,
        live: Live,
        limit: Option<u64>,
        sink: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<ResponseHead, Error> {
        let Live { head, body, sent_at, shown: _, _place } = live;
        let announced = head.content_length().filter(|_| request.method != "HEAD" && head.status != 304);
        let too_large = || {
            let limit = limit.unwrap_or(u64::MAX);
            Error::new(Kind::AnswerTooLarge, request.label()).because(format!("more than {limit} bytes"))
        };
        if announced > limit && limit.is_some() {
            return Err(too_large());
        }
        let mut reader = body.into_reader();
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut bytes = 0_u64;
        loop {
            self.still_wanted(request)?;
            let n = match reader.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) => {
                    self.still_wanted(request)?;
                    return Err(network::body_failure(error, request.label()));
                }
            };
            bytes += n as u64;
            if limit.is_some_and(|limit| bytes > limit) {
                return Err(too_large());
            }
            if sink(&chunk[..n]).is_break() {
                self.note(request, &head, bytes, sent_at);
                return Ok(head);
            }
        }
        if announced.is_some_and(|announced| bytes < announced) {
            return Err(Error::new(Kind::CutShort, request.label()));
        }
        self.note(request, &head, bytes, sent_at);
        Ok(head)
    }

    /// The beginning of a refusal's body; whatever can be had of it.
    fn error_body(&self, live: Live) -> Vec<u8> {
        let mut body = Vec::new();
        let _ = live.body.into_reader().take(ERROR_BYTES_MAX).read_to_end(&mut body);
        body
    }

    fn refusal(&self, request: &Request, kind: Kind, head: &ResponseHead, body: Vec<u8>) -> Error {
        let error = Error::new(kind, request.label())
            .status(head.status)
            .hint(self.refusal_hint(kind))
            .retry_after(classify::retry_after_s(head, &self.nextcloud.clock));
        let error = match classify::detail(head, &body) {
            Some(detail) => error.because(detail),
            None => error,
        };
        let mut body = body;
        body.truncate(ERROR_BYTES_MAX as usize);
        error.with_body(body)
    }

    /// The target to go on with, if the redirect may be followed: within the origin, and for methods that only
    /// read and stay what they are.
    fn follow(&self, request: &Request, to: &str, attempts: &mut Attempts) -> Option<String> {
        attempts.redirects += 1;
        if attempts.redirects > REDIRECTS_MAX || !request.is_safe() || request.method == "OPTIONS" {
            return None;
        }
        let uri: Uri = to.parse().ok()?;
        let same = match uri.scheme() {
            Some(_) => Origin::of(&uri).as_ref() == Some(self.nextcloud.base().origin()),
            None => to.starts_with('/') && !to.starts_with("//"),
        };
        same.then(|| uri.path_and_query().map(|target| target.to_string()))?
    }

    /// What is left of the call's time; fails if it is over or cancelled, or the program stops.
    pub(super) fn still_wanted(&self, request: &Request) -> Result<Duration, Error> {
        if self.nextcloud.stopped.load(Ordering::Acquire) {
            return Err(Error::new(Kind::Cancelled, request.label()).because("the program is stopping"));
        }
        if self.call.cancel.is_cancelled() {
            return Err(Error::new(Kind::Cancelled, request.label()));
        }
        match self.call.remaining(&self.nextcloud.clock) {
            Duration::ZERO => Err(Error::new(Kind::TimedOut, request.label())),
            left => Ok(left),
        }
    }

    fn waited_in_vain(&self, request: &Request) -> Error {
        let kind = if self.call.cancel.is_cancelled() { Kind::Cancelled } else { Kind::Busy };
        Error::new(kind, request.label())
    }

    fn pause(&self, request: &Request, wait: Duration) -> Result<(), Error> {
        let clock = &self.nextcloud.clock;
        let until = clock.monotonic().saturating_add(wait);
        loop {
            self.still_wanted(request)?;
            match until.saturating_sub(clock.monotonic()) {
                Duration::ZERO => return Ok(()),
                left => clock.pause(left.min(LOOK_AGAIN)),
            }
        }
    }

    /// One line for each answer.
    fn note(&self, request: &Request, head: &ResponseHead, bytes: u64, sent_at: Duration) {
        log::debug!(
            "Nextcloud answered. request={:?} status={} ms={} bytes={bytes} nextcloud_request_id={}",
            request.label(),
            head.status,
            self.ms_since(sent_at),
            head.header("X-Request-Id").unwrap_or("-"),
        );
    }

    /// One line for each failure.
    fn report(&self, error: Error, sent_at: Duration) -> Error {
        let level = match error.kind {
            Kind::Cancelled => log::Level::Debug,
            _ => match error.status {
                Some(400..500) => log::Level::Info,
                _ => log::Level::Warn,
            },
        };
        log::log!(
            level,
            "A request to Nextcloud failed. request={:?} kind={:?} status={} ms={} detail={:?} hint={:?}",
            error.request,
            error.kind,
            error.status.map_or("-".into(), |s| s.to_string()),
            self.ms_since(sent_at),
            error.detail.as_deref().unwrap_or_default(),
            error.operator_hint().unwrap_or_default(),
        );
        error
    }

    fn ms_since(&self, at: Duration) -> u128 {
        self.nextcloud.clock.monotonic().saturating_sub(at).as_millis()
    }
}

/// How an attempt failed.
enum Failed {
    /// The connection was lost before the answer began.
    Gone(Error),
    /// The credential or the session was not accepted; nothing was done.
    Refused(Shown, Error),
    /// To itself, with cookies that were missing; nothing was done.
    Bounced(Error),
    /// To this `Location`.
    Redirected(String, Box<Error>),
    Final(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed::Final(error)
    }
}

/// Whether an answer hands out the cookies without which Nextcloud sends every request that has other cookies back to
/// where it came from, before it looks at it.
fn lacks_same_site_cookies(shown: Shown, head: &ResponseHead) -> bool {
    let mut lines = head.headers.get_all("Set-Cookie").iter().filter_map(|line| line.to_str().ok());
    shown.cookies && lines.any(|line| line.contains("nc_sameSiteCookiestrict="))
}

/// Whether a 2xx comes from a controller that gave up before it ran: Nextcloud then says neither who asked nor
/// that it was nobody.
fn never_ran(request: &Request, head: &ResponseHead) -> bool {
    request.path.is_ocs() && head.media_type().as_deref() == Some("text/html")
}

/// A header value that no debug output shows. One that is no header value makes the request fail as such.
fn secret_value(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// Names the base URL that the server would rather be asked at.
fn redirect_hint(base: &Base, path: &str, to: &str) -> String {
    let Ok(uri) = to.parse::<Uri>() else { return "redirect".into() };
    let Some(origin) = Origin::of(&uri) else {
        return match uri.path().split('?').next().and_then(|p| p.strip_suffix(path)) {
            Some(prefix) => format!("redirect to {}{prefix}", base.origin()),
            None => "redirect to another path".into(),
        };
    };
    format!("redirect to {origin}{}", uri.path().strip_suffix(path).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_names_the_base_and_nothing_else() {
        let base = Base::parse("http://cloud.example.org").expect("base");
        let path = "/ocs/v2.php/cloud/user";
        for (to, hint) in [
            (
                "https://cloud.example.org/ocs/v2.php/cloud/user?x=secret",
                "redirect to https://cloud.example.org",
            ),
            (
                "https://alice:pw@Other.example/nc/ocs/v2.php/cloud/user",
                "redirect to https://other.example/nc",
            ),
            ("https://other.example/login", "redirect to https://other.example"),
            ("/nc/ocs/v2.php/cloud/user", "redirect to http://cloud.example.org/nc"),
            ("/somewhere", "redirect to another path"),
            ("\u{1}", "redirect"),
        ] {
            assert_eq!(redirect_hint(&base, path, to), hint);
        }
    }
}
