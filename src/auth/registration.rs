//! Dynamic client registration as pure functions: the request and its answer (RFC 7591), taking a registration back
//! (RFC 7592), and whether a client that is kept still serves.

use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};

use super::client_store::{AuthMethod, ClientManagement, StoredClient};
use super::discovery::{ProviderMetadata, check_endpoint};
use crate::clock::Timestamp;
use crate::config::{BaseUrl, TokenType};
use crate::nextcloud::{OutsideError, OutsideRequest, OutsideResponse};
use crate::secret::Secret;
use crate::tool::Scope;

/// What people see in Nextcloud's list of clients; the oidc app keeps 64 characters.
pub const CLIENT_NAME: &str = "Nextcloud MCP Server";
/// What our redirect URI is below this server's public address.
pub const CALLBACK: &str = "/oauth/callback";
/// Asked for beside the scopes of apps: who the user is.
const IDENTITY_SCOPES: [&str; 3] = ["openid", "profile", "email"];
/// Lets the login outlive the access token; asked for where the provider knows it (OIDC Core §11).
const OFFLINE_ACCESS: &str = "offline_access";
/// A client that expires is replaced when a tenth of its life is left, between one minute and one day before.
const MARGIN_S: std::ops::RangeInclusive<u64> = 60..=86_400;
/// The longest text of the provider that is repeated in a log line, in characters.
const DETAIL_CHARS_MAX: usize = 200;

/// The client that this server needs to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub issuer: String,
    pub redirect_uri: String,
    pub scopes: Vec<String>,
    pub token_type: TokenType,
    /// Our resource (RFC 8707): the oidc app introspects a token for us only if it is for this.
    pub resource: String,
    pub auth_method: AuthMethod,
}

impl Wanted {
    pub fn new(
        metadata: &ProviderMetadata,
        public_url: &BaseUrl,
        scopes: AskedScopes,
        token_type: TokenType,
    ) -> Wanted {
        Wanted {
            issuer: metadata.issuer.clone(),
            redirect_uri: format!("{public_url}{CALLBACK}"),
            scopes: requested_scopes(scopes, &metadata.scopes_supported),
            token_type,
            resource: super::metadata::resource(public_url),
            auth_method: AuthMethod::choose(metadata.token_endpoint_auth_methods_supported.as_deref()),
        }
    }
}

/// The scopes that the client is registered for.
#[derive(Clone, Copy, Debug)]
pub enum AskedScopes<'a> {
    /// Those that the operator names, and no others.
    Configured(&'a [String]),
    /// Those of the tools that this server offers, and who the user is.
    Offered(&'a [Scope]),
}

fn requested_scopes(asked: AskedScopes, supported: &[String]) -> Vec<String> {
    let mut scopes: Vec<String> = match asked {
        AskedScopes::Configured(scopes) => scopes.to_vec(),
        AskedScopes::Offered(scopes) => {
            let offered = scopes.iter().map(|scope| scope.name());
            IDENTITY_SCOPES.iter().copied().chain(offered).map(Into::into).collect()
        }
    };
    // Without it there is no id_token, and the login is no OpenID Connect login.
    if !scopes.iter().any(|scope| scope == "openid") {
        scopes.insert(0, "openid".into());
    }
    if matches!(asked, AskedScopes::Offered(_)) && supported.iter().any(|scope| scope == OFFLINE_ACCESS) {
        scopes.push(OFFLINE_ACCESS.into());
    }
    scopes
}

/// Why a client has to be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    NoneKept,
    OtherIssuer,
    OtherRedirectUri,
    OtherScopes,
    OtherTokenType,
    OtherResource,
    /// At this time, in seconds since 1970.
    Expired {
        at_s: u64,
    },
    /// It still serves.
    ExpiresSoon {
        at_s: u64,
    },
    /// The provider answered `invalid_client` (RFC 6749 §5.2).
    Refused,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = |at_s: u64| Timestamp { unix_ms: at_s.saturating_mul(1000) }.rfc3339();
        match self {
            Why::NoneKept => f.write_str("none is stored"),
            Why::OtherIssuer => f.write_str("the stored one is of another issuer"),
            Why::OtherRedirectUri => f.write_str("the stored one has another redirect URI"),
            Why::OtherScopes => f.write_str("the stored one has other scopes"),
            Why::OtherTokenType => f.write_str("the stored one has another token type"),
            Why::OtherResource => f.write_str("the stored one is for another resource"),
            Why::Expired { at_s } => write!(f, "the stored one has expired at {}", date(*at_s)),
            Why::ExpiresSoon { at_s } => write!(f, "the stored one expires at {}", date(*at_s)),
            Why::Refused => f.write_str("the provider does not know the stored one any more"),
        }
    }
}

/// Whether the client that is kept has to be replaced; `refused` is the id of one that the provider did not accept.
pub fn needs_new(
    stored: Option<&StoredClient>,
    wanted: &Wanted,
    refused: Option<&str>,
    now: Timestamp,
) -> Option<Why> {
    let Some(stored) = stored else { return Some(Why::NoneKept) };
    let sorted = |scopes: &[String]| {
        let mut scopes = scopes.to_vec();
        scopes.sort();
        scopes.dedup();
        scopes
    };
    if stored.issuer != wanted.issuer {
        return Some(Why::OtherIssuer);
    }
    if refused == Some(stored.client_id.as_str()) {
        return Some(Why::Refused);
    }
    if stored.redirect_uri != wanted.redirect_uri {
        return Some(Why::OtherRedirectUri);
    }
    if sorted(&stored.scopes) != sorted(&wanted.scopes) {
        return Some(Why::OtherScopes);
    }
    if stored.token_type != wanted.token_type {
        return Some(Why::OtherTokenType);
    }
    if stored.resource != wanted.resource {
        return Some(Why::OtherResource);
    }
    let (at_s, renew_s) = (stored.expires_at_s?, renew_at_s(stored)?);
    match now.unix_s() {
        now_s if now_s >= at_s => Some(Why::Expired { at_s }),
        now_s if now_s >= renew_s => Some(Why::ExpiresSoon { at_s }),
        _ => None,
    }
}

/// When to replace a client before it expires, in seconds since 1970; `None`: never.
pub fn renew_at_s(client: &StoredClient) -> Option<u64> {
    let expires = client.expires_at_s?;
    let life = expires.saturating_sub(client.issued_at_s);
    // A life shorter than the margin would have it replaced at once, again and again.
    let margin = (life / 10).clamp(*MARGIN_S.start(), *MARGIN_S.end()).min(life / 2);
    Some(expires.saturating_sub(margin))
}

/// The request (RFC 7591 §2 and §3.1). `token_type` and `resource_url` are members of Nextcloud's oidc app, which takes
/// `jwt` and `opaque` and nothing else.
pub fn request(endpoint: &str, wanted: &Wanted) -> OutsideRequest {
    let body: Value = json!({
        "client_name": CLIENT_NAME,
        "redirect_uris": [wanted.redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": wanted.auth_method.name(),
        "scope": wanted.scopes.join(" "),
        "token_type": match wanted.token_type {
            TokenType::Jwt => "jwt",
            TokenType::Opaque => "opaque",
        },
        "resource_url": wanted.resource,
    });
    OutsideRequest::post_json(endpoint, &body)
}

/// What the provider registered.
#[derive(Clone, Debug)]
pub struct Registered {
    pub client: StoredClient,
    /// Asked for and not granted, where the provider says what it granted.
    pub missing_scopes: Vec<String>,
}

#[derive(Deserialize)]
struct Information {
    client_id: Option<String>,
    client_secret: Option<String>,
    client_id_issued_at: Option<u64>,
    client_secret_expires_at: Option<u64>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: Option<String>,
    scope: Option<String>,
    registration_client_uri: Option<String>,
    registration_access_token: Option<String>,
}

/// Reads the answer (RFC 7591 §3.2.1). 201 is the standard's, 200 is taken, too.
pub fn read(
    answer: &OutsideResponse,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<Registered, RegistrationError> {
    if !matches!(answer.status, 200 | 201) {
        return Err(refusal(answer));
    }
    let malformed = |why: &str| RegistrationError::Malformed(why.to_owned());
    if answer.is_web_page() {
        return Err(malformed("a web page came where JSON was due"));
    }
    let said: Information = serde_json::from_slice(&answer.body)
        .map_err(|error| malformed(&format!("it is no client information: {error}")))?;
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let client_id = filled(said.client_id).ok_or_else(|| malformed("it has no client_id"))?;
    let client_secret = filled(said.client_secret).ok_or_else(|| malformed("it has no client_secret"))?;
    if !said.redirect_uris.is_empty() && !said.redirect_uris.contains(&wanted.redirect_uri) {
        return Err(malformed("another redirect URI was registered than the one asked for"));
    }
    let auth_method = match said.token_endpoint_auth_method.as_deref() {
        None => wanted.auth_method,
        Some(name) => AuthMethod::parse(name)
            .ok_or_else(|| malformed("it demands a token_endpoint_auth_method that is not spoken here"))?,
    };
    let granted: Option<Vec<&str>> = said.scope.as_deref().map(|scope| scope.split(' ').collect());
    let is_missing = |scope: &&String| granted.as_ref().is_some_and(|all| !all.contains(&scope.as_str()));
    let management = match (filled(said.registration_client_uri), filled(said.registration_access_token)) {
        (Some(uri), Some(token)) => Some(ClientManagement { uri, token: Secret::new(token) }),
        _ => None,
    };
    Ok(Registered {
        missing_scopes: wanted.scopes.iter().filter(is_missing).cloned().collect(),
        client: StoredClient {
            issuer: wanted.issuer.clone(),
            client_id,
            client_secret: Secret::new(client_secret),
            auth_method,
            redirect_uri: wanted.redirect_uri.clone(),
            scopes: wanted.scopes.clone(),
            token_type: wanted.token_type,
            resource: wanted.resource.clone(),
            issued_at_s: said.client_id_issued_at.unwrap_or_else(|| now.unix_s()),
            expires_at_s: said.client_secret_expires_at.filter(|at_s| *at_s > 0),
            management,
        },
    })
}

/// The request that takes a registration back (RFC 7592 §2.3), where the provider offers that at an address of its own.
pub fn deletion(client: &StoredClient) -> Option<OutsideRequest> {
    let management = client.management.as_ref()?;
    let own = BaseUrl::parse(&client.issuer).ok().map(|issuer| issuer.origin());
    check_endpoint(&management.uri, &[own]).ok()?;
    Some(OutsideRequest::delete(&management.uri).bearer(&management.token))
}

/// Whether the client is gone after that: 204, or it was gone before (401 by RFC 7592 §2.3, 404 by some).
pub fn is_deleted(answer: &OutsideResponse) -> bool {
    answer.is_success() || matches!(answer.status, 401 | 404)
}

/// Why there is no client. Displayed, it is the cause; [`RegistrationError::remedy`] says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistrationError {
    /// No `registration_endpoint`, or 404 there.
    NotOffered,
    /// 401, 403, or the oidc app's own word for it.
    Closed,
    /// 400 with the provider's reason (RFC 7591 §3.2.2).
    Refused {
        error: String,
        description: Option<String>,
    },
    /// 429. Nextcloud does not say for how long.
    Throttled {
        retry_after_s: Option<u64>,
    },
    Unreachable(OutsideError),
    /// Another status.
    Status(u16),
    /// A 2xx that is no client.
    Malformed(String),
    /// Another process registers and does not come to an end.
    Busy,
    /// The storage failed before there was a client.
    Store(String),
    Stopping,
}

fn refusal(answer: &OutsideResponse) -> RegistrationError {
    #[derive(Deserialize)]
    struct Reason {
        error: Option<String>,
        error_description: Option<String>,
    }
    let reason: Option<Reason> = serde_json::from_slice(&answer.body).ok();
    let (error, description) = reason.map_or((None, None), |reason| (reason.error, reason.error_description));
    match (answer.status, error) {
        // The oidc app's answer while registration is switched off.
        (400, Some(error)) if error == "dynamic_registration_not_allowed" => RegistrationError::Closed,
        (400, Some(error)) => RegistrationError::Refused {
            error: shortened(&error),
            description: description.map(|text| shortened(&text)),
        },
        (401 | 403, _) => RegistrationError::Closed,
        (404, _) => RegistrationError::NotOffered,
        (429, _) => RegistrationError::Throttled { retry_after_s: answer.retry_after_s() },
        (status, _) => RegistrationError::Status(status),
    }
}

/// Foreign text for one line.
fn shortened(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(DETAIL_CHARS_MAX).collect()
}

impl RegistrationError {
    /// What the operator does about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            RegistrationError::NotOffered | RegistrationError::Closed => {
                "enable \"Allow dynamic client registration\" in Nextcloud's oidc settings, or create a client with \
                 occ oidc:create and set NEXTCLOUD_OIDC_CLIENT_ID and NEXTCLOUD_OIDC_CLIENT_SECRET"
            }
            RegistrationError::Refused { .. } => {
                "check NEXTCLOUD_MCP_SERVER_URL and NEXTCLOUD_OIDC_SCOPES, or create a client with occ oidc:create \
                 and set NEXTCLOUD_OIDC_CLIENT_ID and NEXTCLOUD_OIDC_CLIENT_SECRET"
            }
            RegistrationError::Throttled { .. } => {
                "wait, it is tried again by itself; or remove unused clients (occ oidc:list, occ oidc:remove)"
            }
            RegistrationError::Unreachable(_) => {
                "it is tried again by itself; check that this machine reaches the registration_endpoint"
            }
            RegistrationError::Status(300..=399) => {
                "set NEXTCLOUD_HOST to the final address, so that Nextcloud does not redirect"
            }
            RegistrationError::Status(_) | RegistrationError::Malformed(_) => {
                "read Nextcloud's log; or create a client with occ oidc:create and set NEXTCLOUD_OIDC_CLIENT_ID and \
                 NEXTCLOUD_OIDC_CLIENT_SECRET"
            }
            RegistrationError::Busy => "it is tried again by itself; run one process for each storage file",
            RegistrationError::Store(_) => "correct what TOKEN_STORAGE_DB names",
            RegistrationError::Stopping => "nothing to do",
        }
    }
}

impl fmt::Display for RegistrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegistrationError::NotOffered => f.write_str(
                "OAuth mode requires either client credentials or dynamic client registration, and the provider does \
                 not offer registration",
            ),
            RegistrationError::Closed => f.write_str("the provider does not let clients register themselves"),
            RegistrationError::Refused { error, description: None } => {
                write!(f, "the provider refused it ({error})")
            }
            RegistrationError::Refused { error, description: Some(description) } => {
                write!(f, "the provider refused it ({error}: {description})")
            }
            RegistrationError::Throttled { retry_after_s: None } => {
                f.write_str("too many registrations in a short time (429)")
            }
            RegistrationError::Throttled { retry_after_s: Some(seconds) } => {
                write!(f, "too many registrations in a short time (429), the next in {seconds} s")
            }
            RegistrationError::Unreachable(error) => error.fmt(f),
            RegistrationError::Status(status) => write!(f, "the provider answered with status {status}"),
            RegistrationError::Malformed(why) => write!(f, "the provider's answer cannot be used: {why}"),
            RegistrationError::Busy => f.write_str("another process has been registering for too long"),
            RegistrationError::Store(why) => f.write_str(why),
            RegistrationError::Stopping => f.write_str("the program is stopping"),
        }
    }
}

impl std::error::Error for RegistrationError {}

#[cfg(test)]
mod tests;
