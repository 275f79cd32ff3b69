//! What the identity provider says of itself: OpenID Connect Discovery 1.0 and RFC 8414, checked before it is believed.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::cancel::Cancel;
use crate::clock::Clock;
use crate::config::{BaseUrl, DiscoveryRetry, Scheme};
use crate::nextcloud::{Fetch, OutsideError, OutsideRequest, OutsideResponse};

/// Where the document lies below an issuer (OIDC Discovery §4).
pub const WELL_KNOWN: &str = "/.well-known/openid-configuration";
/// How often a waiting thread looks whether it is still wanted.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Longest wait that a provider may ask for between two attempts.
const RETRY_AFTER_S_MAX: u64 = 120;

/// The members of a discovery document that are used here (OIDC Discovery §3, RFC 8414 §2). Others are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ProviderMetadata {
    /// Exactly as the provider writes it: tokens and other metadata are compared with it byte for byte.
    pub issuer: String,
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    pub jwks_uri: Option<String>,
    pub userinfo_endpoint: Option<String>,
    pub introspection_endpoint: Option<String>,
    /// Only there while the provider lets clients register themselves.
    pub registration_endpoint: Option<String>,
    pub revocation_endpoint: Option<String>,
    #[serde(default)]
    pub scopes_supported: Vec<String>,
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    pub introspection_endpoint_auth_methods_supported: Option<Vec<String>>,
    pub code_challenge_methods_supported: Option<Vec<String>>,
}

/// What the provider says about PKCE (RFC 7636, RFC 8414 §2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pkce {
    /// `S256` is among these methods.
    Supported(Vec<String>),
    /// Not a word: an old provider, which MCP clients refuse to log in at.
    NotAdvertised,
    /// These methods, and not `S256`.
    WithoutS256(Vec<String>),
}

impl ProviderMetadata {
    pub fn pkce(&self) -> Pkce {
        match &self.code_challenge_methods_supported {
            None => Pkce::NotAdvertised,
            Some(methods) if methods.iter().any(|method| method == "S256") => {
                Pkce::Supported(methods.clone())
            }
            Some(methods) => Pkce::WithoutS256(methods.clone()),
        }
    }

    /// The addresses that are asked or shown to browsers, by the name of the member.
    fn endpoints(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let required = [
            ("authorization_endpoint", Some(&self.authorization_endpoint)),
            ("token_endpoint", Some(&self.token_endpoint)),
        ];
        let optional = [
            ("jwks_uri", self.jwks_uri.as_ref()),
            ("userinfo_endpoint", self.userinfo_endpoint.as_ref()),
            ("introspection_endpoint", self.introspection_endpoint.as_ref()),
            ("registration_endpoint", self.registration_endpoint.as_ref()),
            ("revocation_endpoint", self.revocation_endpoint.as_ref()),
        ];
        required.into_iter().chain(optional).filter_map(|(name, url)| Some((name, url?.as_str())))
    }
}

/// Where to ask, and what the answer must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Address of the document.
    pub url: String,
    /// The same document by a way that needs no rewrite rule of the web server, where there is one.
    pub second_url: Option<String>,
    /// Issuers to believe, compared as origin and path.
    pub issuers: Vec<BaseUrl>,
    /// Addresses that take the place of discovered ones, with no question asked.
    pub jwks_uri: Option<String>,
    pub introspection_endpoint: Option<String>,
    pub userinfo_endpoint: Option<String>,
}

impl Expected {
    /// What is expected of a Nextcloud that is its own provider, or of the provider at `discovery_url`; its issuer may
    /// also be called `public_issuer_url`.
    pub fn new(
        nextcloud: &BaseUrl,
        discovery_url: Option<&str>,
        public_issuer_url: Option<&str>,
    ) -> Expected {
        let usual = format!("{nextcloud}{WELL_KNOWN}");
        let url = discovery_url.map_or_else(|| usual.clone(), str::to_owned);
        let second_url = (url == usual).then(|| format!("{nextcloud}/index.php{WELL_KNOWN}"));
        // OIDC Discovery §4.3: the issuer is the address of the document without its well-known end.
        let below = url.strip_suffix(WELL_KNOWN).map(|base| base.strip_suffix("/index.php").unwrap_or(base));
        let own = below.map_or(Some(nextcloud.clone()), |base| BaseUrl::parse(base).ok());
        let public = public_issuer_url.and_then(|url| BaseUrl::parse(url).ok());
        Expected {
            url,
            second_url,
            issuers: own.into_iter().chain(public).collect(),
            jwks_uri: None,
            introspection_endpoint: None,
            userinfo_endpoint: None,
        }
    }
}

/// Why there is no discovery document to work with. Displayed, it is the cause; [`DiscoveryError::remedy`] says what
/// to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiscoveryError {
    /// 404. Where Nextcloud itself says so, no app offers the document.
    NotThere {
        said_by_nextcloud: bool,
    },
    Unreachable(OutsideError),
    Status {
        status: u16,
        retry_after_s: Option<u64>,
    },
    WebPage {
        status: u16,
    },
    NotJson(String),
    /// It calls itself by a name that was not expected.
    Issuer {
        found: String,
        expected: String,
    },
    /// An address in it that must not be used.
    Endpoint {
        name: &'static str,
        why: &'static str,
    },
    /// The program ends.
    Stopping,
}

impl DiscoveryError {
    /// Whether it may be over in a moment: a Nextcloud that starts, an update, a network that is not up yet.
    pub fn is_transient(&self) -> bool {
        match self {
            DiscoveryError::NotThere { said_by_nextcloud } => !said_by_nextcloud,
            DiscoveryError::Unreachable(OutsideError::Network { .. } | OutsideError::TooLarge) => true,
            DiscoveryError::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            DiscoveryError::WebPage { status } => matches!(status, 200..=299),
            DiscoveryError::NotJson(_) => true,
            DiscoveryError::Unreachable(_)
            | DiscoveryError::Issuer { .. }
            | DiscoveryError::Endpoint { .. }
            | DiscoveryError::Stopping => false,
        }
    }

    /// What the operator does about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            DiscoveryError::NotThere { said_by_nextcloud: true } => {
                "install and enable the oidc app (occ app:install oidc), or set OIDC_DISCOVERY_URL"
            }
            DiscoveryError::NotThere { said_by_nextcloud: false } => {
                "check NEXTCLOUD_HOST, and that the web server passes /.well-known/openid-configuration on to \
                 Nextcloud's index.php; or set OIDC_DISCOVERY_URL"
            }
            DiscoveryError::Unreachable(OutsideError::Address(_)) => {
                "set NEXTCLOUD_HOST or OIDC_DISCOVERY_URL to an https:// address"
            }
            DiscoveryError::Unreachable(OutsideError::Redirected { .. }) => {
                "set NEXTCLOUD_HOST or OIDC_DISCOVERY_URL to the address it redirects to"
            }
            DiscoveryError::Unreachable(_) => {
                "check NEXTCLOUD_HOST, DNS, the firewall and the certificate (NEXTCLOUD_CA_BUNDLE for a private \
                 authority), and try the address with curl on this machine"
            }
            DiscoveryError::Status { status: 500..=599, .. } => {
                "wait until Nextcloud has started or left maintenance mode; else read its log"
            }
            DiscoveryError::Status { status: 429, .. } => "wait; Nextcloud takes no more requests for now",
            DiscoveryError::Status { .. } | DiscoveryError::WebPage { status: 400..=499 } => {
                "check NEXTCLOUD_HOST and Nextcloud's trusted_domains"
            }
            DiscoveryError::WebPage { .. } | DiscoveryError::NotJson(_) => {
                "check that the web server passes /.well-known/openid-configuration on to Nextcloud's index.php, or \
                 set OIDC_DISCOVERY_URL"
            }
            DiscoveryError::Issuer { .. } => {
                "if tokens shall come from that issuer set NEXTCLOUD_PUBLIC_ISSUER_URL to it; else correct \
                 NEXTCLOUD_HOST, Nextcloud's overwrite.cli.url and overwritehost, or the Host header that the proxy \
                 passes on"
            }
            DiscoveryError::Endpoint { .. } => {
                "correct the provider's or the proxy's address settings; OIDC_JWKS_URI, INTROSPECTION_URI and \
                 USERINFO_URI take the place of their endpoints"
            }
            DiscoveryError::Stopping => "nothing to do",
        }
    }
}

impl fmt::Display for DiscoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiscoveryError::NotThere { said_by_nextcloud: true } => {
                f.write_str("Nextcloud has no app that offers it (404)")
            }
            DiscoveryError::NotThere { said_by_nextcloud: false } => f.write_str("it is not there (404)"),
            DiscoveryError::Unreachable(error) => error.fmt(f),
            DiscoveryError::Status { status, .. } => write!(f, "the provider answered with status {status}"),
            DiscoveryError::WebPage { status } => {
                write!(f, "a web page came where JSON was due (status {status})")
            }
            DiscoveryError::NotJson(why) => write!(f, "the answer is no discovery document: {why}"),
            DiscoveryError::Issuer { found, expected } => {
                write!(f, "the provider calls itself {found:?}, expected was {expected}")
            }
            DiscoveryError::Endpoint { name, why } => write!(f, "{name} {why}"),
            DiscoveryError::Stopping => f.write_str("the program is stopping"),
        }
    }
}

impl std::error::Error for DiscoveryError {}

/// A failed attempt that is followed by another.
#[derive(Debug)]
pub struct FailedAttempt<'a> {
    pub number: u32,
    pub of: u32,
    pub error: &'a DiscoveryError,
    pub wait: Duration,
}

/// Asks for the document until it comes, waiting longer each time; `tell` hears of each failure in between. Fails at
/// once where waiting does not help, else with the last attempt's failure.
pub fn discover(
    fetch: &dyn Fetch,
    expected: &Expected,
    retry: DiscoveryRetry,
    clock: &Clock,
    cancel: &Cancel,
    tell: &mut dyn FnMut(FailedAttempt<'_>),
) -> Result<ProviderMetadata, DiscoveryError> {
    let mut number = 1;
    loop {
        let error = match ask(fetch, expected) {
            Ok(metadata) => return Ok(metadata),
            Err(error) if !error.is_transient() || number >= retry.attempts => return Err(error),
            Err(error) => error,
        };
        let wait = backoff(retry, number, &error);
        tell(FailedAttempt { number, of: retry.attempts, error: &error, wait });
        if !pause(clock, cancel, wait) {
            return Err(DiscoveryError::Stopping);
        }
        number += 1;
    }
}

/// The wait after attempt `number`: doubled each time up to a limit; what a 429 asks for, if that is longer.
fn backoff(retry: DiscoveryRetry, number: u32, error: &DiscoveryError) -> Duration {
    let doubled = 2_u32.checked_pow(number - 1).and_then(|factor| retry.backoff.checked_mul(factor));
    let wait = doubled.unwrap_or(retry.backoff_max).min(retry.backoff_max);
    match error {
        DiscoveryError::Status { status: 429, retry_after_s: Some(seconds) } => {
            wait.max(Duration::from_secs(*seconds.min(&RETRY_AFTER_S_MAX)))
        }
        _ => wait,
    }
}

/// Waits in short pieces; `false` if the program ends meanwhile.
pub(super) fn pause(clock: &Clock, cancel: &Cancel, wait: Duration) -> bool {
    let until = clock.monotonic().saturating_add(wait);
    while !cancel.is_cancelled() {
        match until.saturating_sub(clock.monotonic()) {
            Duration::ZERO => return true,
            left => clock.pause(left.min(LOOK_AGAIN)),
        }
    }
    false
}

/// Asks once: at the address of the standard and, where the web server does not know that, at Nextcloud's own.
fn ask(fetch: &dyn Fetch, expected: &Expected) -> Result<ProviderMetadata, DiscoveryError> {
    let first = ask_at(fetch, &expected.url, expected);
    let not_passed_on = matches!(
        &first,
        Err(DiscoveryError::NotThere { said_by_nextcloud: false }
            | DiscoveryError::WebPage { status: 200..=299 })
    );
    let Some(url) = expected.second_url.as_ref().filter(|_| not_passed_on) else { return first };
    match ask_at(fetch, url, expected) {
        // The first failure is the one that the operator can see with curl.
        Err(error) if error.is_transient() => first,
        second => second,
    }
}

fn ask_at(fetch: &dyn Fetch, url: &str, expected: &Expected) -> Result<ProviderMetadata, DiscoveryError> {
    let answer = fetch.fetch(&OutsideRequest::get(url)).map_err(DiscoveryError::Unreachable)?;
    check(parse(&answer)?, expected)
}

/// Reads the answer to a request for the document.
pub fn parse(answer: &OutsideResponse) -> Result<ProviderMetadata, DiscoveryError> {
    let status = answer.status;
    // Nextcloud's well-known controller marks what it says; 404 is "no app has registered for that".
    let said_by_nextcloud = answer.header("X-NEXTCLOUD-WELL-KNOWN").is_some();
    match status {
        404 if said_by_nextcloud => return Err(DiscoveryError::NotThere { said_by_nextcloud }),
        300..=399 => {
            let to = "a place that is not followed".into();
            return Err(DiscoveryError::Unreachable(OutsideError::Redirected { to }));
        }
        // A page for an error of the server says less than its status.
        500..=599 => return Err(DiscoveryError::Status { status, retry_after_s: answer.retry_after_s() }),
        404 => return Err(DiscoveryError::NotThere { said_by_nextcloud: false }),
        _ if answer.is_web_page() => return Err(DiscoveryError::WebPage { status }),
        _ if !answer.is_success() => {
            return Err(DiscoveryError::Status { status, retry_after_s: answer.retry_after_s() });
        }
        _ => {}
    }
    serde_json::from_slice(&answer.body).map_err(|error| DiscoveryError::NotJson(error.to_string()))
}

/// Puts the configured addresses in and believes the rest only if issuer and endpoints are where they should be
/// (OIDC Discovery §4.3, RFC 8414 §3.3).
pub fn check(
    mut metadata: ProviderMetadata,
    expected: &Expected,
) -> Result<ProviderMetadata, DiscoveryError> {
    let issuer = BaseUrl::parse(&metadata.issuer).ok();
    let Some(issuer) = issuer.filter(|issuer| expected.issuers.contains(issuer)) else {
        let names: Vec<String> = expected.issuers.iter().map(ToString::to_string).collect();
        let mut found = metadata.issuer;
        found.truncate(found.char_indices().nth(ISSUER_CHARS_SHOWN).map_or(found.len(), |(at, _)| at));
        return Err(DiscoveryError::Issuer { found, expected: names.join(" or ") });
    };
    let asked = BaseUrl::parse(&expected.url).ok();
    let trusted = [Some(issuer), asked].map(|url| url.map(|url| url.origin()));
    // What the operator wrote is not checked against what the provider says.
    let configured = [
        (&mut metadata.jwks_uri, &expected.jwks_uri),
        (&mut metadata.introspection_endpoint, &expected.introspection_endpoint),
        (&mut metadata.userinfo_endpoint, &expected.userinfo_endpoint),
    ];
    for (place, url) in configured {
        if url.is_some() {
            *place = url.clone();
        }
    }
    let by_hand = [&expected.jwks_uri, &expected.introspection_endpoint, &expected.userinfo_endpoint];
    for (name, url) in metadata.endpoints() {
        if !by_hand.iter().any(|given| given.as_deref() == Some(url)) {
            check_endpoint(url, &trusted).map_err(|why| DiscoveryError::Endpoint { name, why })?;
        }
    }
    Ok(metadata)
}

/// The longest issuer that is repeated in a log line, in characters.
const ISSUER_CHARS_SHOWN: usize = 200;

/// An endpoint has TLS, or needs none since it is near, and is of an origin that is trusted. It may have a query
/// (RFC 6749 §3.1).
pub(super) fn check_endpoint(url: &str, trusted: &[Option<String>]) -> Result<(), &'static str> {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    if query.bytes().any(|b| !b.is_ascii_graphic() || b == b'#') {
        return Err("has a query that is none");
    }
    let address = BaseUrl::parse(address)?;
    if address.scheme == Scheme::Http && !address.is_near() {
        return Err("begins with http://, and OAuth over a network needs https://");
    }
    match trusted.contains(&Some(address.origin())) {
        true => Ok(()),
        false => Err("is of another origin than the issuer"),
    }
}

#[cfg(test)]
pub(super) mod tests;
