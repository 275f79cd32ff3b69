//! Requests to the endpoints of an identity provider: absolute URLs, JSON or forms, short answers.
//!
//! Nothing here is retried, no cookie is kept, and a redirect never leaves the origin. Who asks reads the status.

use std::fmt;
use std::io::Read;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::http::{self, HeaderValue, Uri};
use ureq::tls::Certificate;
use ureq::unversioned::transport::DefaultConnector;

use super::error::Kind;
use super::resolver::{CachingResolver, PublicResolver};
use super::settings::Origin;
use super::{Nextcloud, network, tls};
use crate::clock::Clock;
use crate::secret::Secret;

/// Longest answer that is read, in bytes.
pub const OUTSIDE_BYTES_MAX: usize = 256 * 1024;
/// Time for one request with its answer; a redirect gets it anew.
const PATIENCE: Duration = Duration::from_secs(5);
const REDIRECTS_MAX: u32 = 3;
/// What `application/x-www-form-urlencoded` leaves as it is (WHATWG URL, "form-urlencoded percent-encode set").
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// Sends one request to an identity provider. The real one is [`Outside`].
pub trait Fetch: Send + Sync {
    /// Fails only where there is no whole answer; every status is an answer.
    fn fetch(&self, request: &OutsideRequest) -> Result<OutsideResponse, OutsideError>;
}

/// A request. Its `Debug` shows neither credential nor body.
#[derive(Clone, Debug)]
pub struct OutsideRequest {
    pub method: &'static str,
    pub url: String,
    pub authorization: Option<Secret>,
    /// Media type and text.
    pub body: Option<(&'static str, Secret)>,
}

/// Parameters as a form or a query carries them: `a=1&b=x%20y`.
pub fn form_encode(fields: &[(&str, &str)]) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, FORM).to_string();
    let form: Vec<String> = fields.iter().map(|(k, v)| format!("{}={}", encoded(k), encoded(v))).collect();
    form.join("&")
}

impl OutsideRequest {
    pub fn get(url: impl Into<String>) -> OutsideRequest {
        OutsideRequest { method: "GET", url: url.into(), authorization: None, body: None }
    }

    pub fn delete(url: impl Into<String>) -> OutsideRequest {
        OutsideRequest { method: "DELETE", ..OutsideRequest::get(url) }
    }

    pub fn post_json(url: impl Into<String>, body: &Value) -> OutsideRequest {
        let body = Some(("application/json", Secret::new(body.to_string())));
        OutsideRequest { method: "POST", body, ..OutsideRequest::get(url) }
    }

    pub fn put_json(url: impl Into<String>, body: &Value) -> OutsideRequest {
        OutsideRequest { method: "PUT", ..OutsideRequest::post_json(url, body) }
    }

    pub fn post_form(url: impl Into<String>, fields: &[(&str, &str)]) -> OutsideRequest {
        let body = Some(("application/x-www-form-urlencoded", Secret::new(form_encode(fields))));
        OutsideRequest { method: "POST", body, ..OutsideRequest::get(url) }
    }

    /// Shows a token (RFC 6750 §2.1).
    #[must_use]
    pub fn bearer(mut self, token: &Secret) -> OutsideRequest {
        self.authorization = Some(Secret::new(format!("Bearer {}", token.expose())));
        self
    }

    /// Shows a client's credentials, each form-encoded first (RFC 6749 §2.3.1).
    #[must_use]
    pub fn basic(mut self, client_id: &str, client_secret: &Secret) -> OutsideRequest {
        let encoded = |text: &str| utf8_percent_encode(text, FORM).to_string();
        let pair = Secret::new(format!("{}:{}", encoded(client_id), encoded(client_secret.expose())));
        self.authorization = Some(Secret::new(format!("Basic {}", STANDARD.encode(pair.expose()))));
        self
    }
}

/// A whole answer. Its `Debug` shows no body, which may hold a secret.
#[derive(Clone)]
pub struct OutsideResponse {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl OutsideResponse {
    pub fn new<'a>(
        status: u16,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: impl Into<Vec<u8>>,
    ) -> OutsideResponse {
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        OutsideResponse { status, headers, body: body.into() }
    }

    /// The first value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// `Retry-After` where it is a number of seconds (RFC 9110 §10.2.3).
    pub fn retry_after_s(&self) -> Option<u64> {
        self.header("Retry-After")?.trim().parse().ok()
    }

    /// Whether this is a page for people: by its media type, or by how it begins.
    pub fn is_web_page(&self) -> bool {
        let media = self.header("Content-Type").unwrap_or_default().split(';').next().unwrap_or_default();
        let start = self.body.iter().find(|b| !b.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(b));
        start == Some(&b'<') || (media.trim().eq_ignore_ascii_case("text/html") && start.is_some())
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl fmt::Debug for OutsideResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.body.len();
        f.debug_struct("OutsideResponse")
            .field("status", &self.status)
            .field("bytes", &bytes)
            .finish_non_exhaustive()
    }
}

/// Why there is no answer. Displayed, it is the cause in plain words without a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutsideError {
    /// The address may not be asked.
    Address(&'static str),
    /// The network, or what came was no valid HTTP.
    Network { kind: Kind, detail: Option<String> },
    /// More than [`OUTSIDE_BYTES_MAX`].
    TooLarge,
    /// A redirect that is not followed; names the other origin.
    Redirected { to: String },
    /// The program ends.
    Stopping,
}

impl fmt::Display for OutsideError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, detail) = match self {
            OutsideError::Address(why) => return write!(f, "its address {why}"),
            OutsideError::TooLarge => {
                return write!(f, "the answer is longer than {OUTSIDE_BYTES_MAX} bytes");
            }
            OutsideError::Redirected { to } => return write!(f, "it redirects to {to}"),
            OutsideError::Stopping => return f.write_str("the program is stopping"),
            OutsideError::Network { kind, detail } => (*kind, detail.as_deref()),
        };
        f.write_str(match kind {
            Kind::Dns => "the host name could not be resolved",
            Kind::Tls => "no secure connection",
            Kind::CaUsedAsEndEntity => "the server's certificate is a CA certificate",
            Kind::TimedOut => "no answer within 5 s",
            Kind::CutShort => "the answer was cut short",
            Kind::Malformed => "the answer is no valid HTTP",
            _ => "no connection",
        })?;
        detail.map_or(Ok(()), |detail| write!(f, " ({detail})"))
    }
}

impl std::error::Error for OutsideError {}

/// The network. Shared by all who ask an identity provider.
pub struct Outside {
    clock: Clock,
    user_agent: String,
    proxy: Option<ureq::Proxy>,
    extra_roots: Vec<Certificate<'static>>,
    /// Nothing of the own network may be asked, and nobody may send us on.
    public_only: bool,
    /// Without and with TLS, each made when it is needed: reading the host's certificates takes its time.
    plain: OnceLock<ureq::Agent>,
    secure: OnceLock<ureq::Agent>,
    stopped: AtomicBool,
}

impl Outside {
    pub(super) fn new(nextcloud: &Nextcloud) -> Outside {
        Outside {
            clock: nextcloud.clock.clone(),
            user_agent: nextcloud.settings.user_agent.clone(),
            proxy: nextcloud.proxy.clone(),
            extra_roots: nextcloud.extra_roots.clone(),
            public_only: false,
            plain: OnceLock::new(),
            secure: OnceLock::new(),
            stopped: AtomicBool::new(false),
        }
    }

    /// For addresses that strangers name: `https` to public addresses only, looked up once and connected to as they were
    /// judged; no redirect, no proxy.
    pub(super) fn public_only(nextcloud: &Nextcloud) -> Outside {
        Outside { public_only: true, proxy: None, ..Outside::new(nextcloud) }
    }

    /// Refuses all further requests. For the end of the program.
    pub fn shutdown(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    fn agent(&self, https: bool) -> &ureq::Agent {
        let place = if https { &self.secure } else { &self.plain };
        place.get_or_init(|| {
            // Seldom asked, so no connection is kept: one that has gone stale would only have to be tried twice.
            let mut config = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_idle_connections(0)
                .timeout_global(Some(PATIENCE))
                .user_agent(self.user_agent.as_str())
                .proxy(self.proxy.clone());
            if https {
                config = config.https_only(true).tls_config(tls::config(&self.extra_roots));
            }
            let resolver = CachingResolver::new(self.clock.clone());
            if self.public_only {
                let resolver = PublicResolver(resolver);
                return ureq::Agent::with_parts(config.build(), DefaultConnector::default(), resolver);
            }
            ureq::Agent::with_parts(config.build(), DefaultConnector::default(), resolver)
        })
    }

    fn transmit(&self, request: &OutsideRequest, uri: &Uri) -> Result<OutsideResponse, OutsideError> {
        let mut wire = http::Request::builder()
            .method(request.method)
            .uri(uri.clone())
            .header("Accept", "application/json")
            .header("Connection", "close");
        if let Some(secret) = &request.authorization {
            let mut value = HeaderValue::from_str(secret.expose())
                .map_err(|_| OutsideError::Address("needs a credential that HTTP cannot carry"))?;
            value.set_sensitive(true);
            wire = wire.header("Authorization", value);
        }
        let agent = self.agent(uri.scheme_str() == Some("https"));
        let answer = match &request.body {
            Some((media_type, text)) => wire
                .header("Content-Type", *media_type)
                .body(text.expose().as_bytes())
                .map_err(ureq::Error::from)
                .and_then(|wire| agent.run(wire)),
            None => wire.body(()).map_err(ureq::Error::from).and_then(|wire| agent.run(wire)),
        };
        read(answer.map_err(|error| network_error(network::failure(&error, String::new())))?)
    }
}

impl Fetch for Outside {
    fn fetch(&self, request: &OutsideRequest) -> Result<OutsideResponse, OutsideError> {
        let mut uri = checked(&request.url)?;
        if self.public_only && uri.scheme_str() != Some("https") {
            return Err(OutsideError::Address("does not begin with https://"));
        }
        for _ in 0..=REDIRECTS_MAX {
            if self.stopped.load(Ordering::Acquire) {
                return Err(OutsideError::Stopping);
            }
            let answer = self.transmit(request, &uri)?;
            log::debug!(
                "An identity provider answered. request=\"{} {}\" status={} bytes={}",
                request.method,
                uri.path(),
                answer.status,
                answer.body.len()
            );
            match redirection(&answer, request.method) {
                Some(_) if self.public_only => {
                    return Err(OutsideError::Redirected { to: "another address".into() });
                }
                Some(to) => uri = resolved(&uri, to)?,
                None => return Ok(answer),
            }
        }
        Err(OutsideError::Redirected { to: "itself, again and again".into() })
    }
}

fn read(answer: http::Response<ureq::Body>) -> Result<OutsideResponse, OutsideError> {
    let (parts, body) = answer.into_parts();
    let mut bytes = Vec::new();
    // One more than allowed, to see whether there is more.
    body.into_reader()
        .take(OUTSIDE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| network_error(network::body_failure(error, String::new())))?;
    if bytes.len() > OUTSIDE_BYTES_MAX {
        return Err(OutsideError::TooLarge);
    }
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let headers = parts.headers.iter().filter_map(|(name, value)| Some((name.to_string(), text(value)?)));
    Ok(OutsideResponse { status: parts.status.as_u16(), headers: headers.collect(), body: bytes })
}

fn network_error(error: super::Error) -> OutsideError {
    OutsideError::Network { kind: error.kind, detail: error.detail }
}

/// Where a redirect leads that this method follows: 307 and 308 keep the method, the others only keep a GET.
fn redirection<'a>(answer: &'a OutsideResponse, method: &str) -> Option<&'a str> {
    let followed = match answer.status {
        307 | 308 => true,
        301..=303 => method == "GET",
        _ => false,
    };
    answer.header("Location").filter(|_| followed)
}

/// The next address, if it is of the same origin.
fn resolved(from: &Uri, to: &str) -> Result<Uri, OutsideError> {
    let absolute = match to.starts_with('/') && !to.starts_with("//") {
        true => {
            format!(
                "{}://{}{to}",
                from.scheme_str().unwrap_or_default(),
                from.authority().map_or("", |a| a.as_str())
            )
        }
        false => to.to_owned(),
    };
    let origin = |uri: &Uri| Origin::of(uri);
    let next: Option<Uri> = absolute.parse().ok();
    match next.as_ref().and_then(origin) {
        Some(found) if Some(&found) == origin(from).as_ref() => checked(&absolute),
        Some(found) => Err(OutsideError::Redirected { to: found.to_string() }),
        None => Err(OutsideError::Redirected { to: "a place that is no address".into() }),
    }
}

/// Reads an address that may be asked: `https`, or `http` where the way stays inside a machine or a local network;
/// no user name, no fragment.
fn checked(url: &str) -> Result<Uri, OutsideError> {
    if url.contains('#') {
        return Err(OutsideError::Address("has a fragment"));
    }
    let uri: Uri = url.parse().map_err(|_| OutsideError::Address("is no URL"))?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(OutsideError::Address("holds a user name"));
    }
    match (Origin::of(&uri), uri.scheme_str()) {
        (None, _) => Err(OutsideError::Address("is no http or https URL")),
        (Some(_), Some("https")) => Ok(uri),
        (Some(_), _) if uri.host().is_some_and(is_near) => Ok(uri),
        _ => Err(OutsideError::Address("begins with http://, and OAuth over a network needs https://")),
    }
}

/// Whether a host is this machine or likely one of its own network: a loopback or private address, or a name
/// without a dot.
fn is_near(host: &str) -> bool {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        Err(_) => !name.contains('.'),
    }
}
