//! Who may speak to `/mcp`: checked by the head of a request alone, before its body is read.

use std::sync::Arc;

use super::basic::BasicAccess;
use crate::auth::Caller;
use crate::auth::metadata::ProtectedResource;
use crate::auth::reason::Reason;
use crate::auth::startup::Readiness;
use crate::auth::verifier::Verifier;
use crate::broker::{self, Broker};
use crate::clock::Clock;
use crate::config::BaseUrl;
use crate::http::Head;
use crate::pages::Shown;
use crate::secret::Secret;
use crate::tool::Scope;

/// How callers prove who they are.
pub enum Access {
    /// One user. Without a token whoever reaches the port is that user: the configuration allows this on loopback,
    /// Unix sockets and for recorded fixtures only.
    SingleUser { caller: Caller, token: Option<Secret> },
    /// Each request brings user name and password of its own Nextcloud account.
    MultiUser(BasicAccess),
    /// A bearer token of the identity provider.
    OAuth(OAuthAccess),
}

/// What oauth mode needs to judge a request and to say where tokens come from.
pub struct OAuthAccess {
    pub verifier: Arc<Verifier>,
    /// This server as its clients see it.
    pub public_url: BaseUrl,
    /// The issuer as clients see it, where that differs from the provider's own name.
    pub public_issuer: Option<String>,
    /// Whether tokens of the provider are taken, too.
    pub direct_tokens: bool,
    /// All that something here asks for.
    pub scopes: Vec<Scope>,
    /// Our own authorization server.
    pub broker: Arc<Broker>,
    pub clock: Clock,
}

/// Why a caller is turned away: in full for the log, vague on the wire. `challenge` is the `WWW-Authenticate` of the 401.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// No credential was sent: how the login of every MCP client begins.
    Missing { challenge: String },
    /// The credential is not accepted.
    Refused { reason: &'static str, challenge: String },
    /// The credential cannot be judged at the moment, which is no 401.
    Unjudged { reason: &'static str },
    /// It is not looked at, since too many wrong ones came.
    Stopped { retry_after_s: u64 },
}

impl Access {
    /// Finds the caller. Only the `Authorization` header counts, never the query (RFC 6750 §5.3).
    pub fn caller(&self, head: &Head) -> Result<Caller, Denied> {
        match self {
            Access::SingleUser { caller, token: None } => Ok(caller.clone()),
            Access::SingleUser { caller, token: Some(token) } => match bearer(head) {
                Some(sent) if token.is(sent) => Ok(caller.clone()),
                Some(_) => Err(Denied::Refused {
                    reason: "the bearer token is not MCP_AUTH_TOKEN",
                    challenge: format!("{REALM}, error=\"invalid_token\""),
                }),
                None => Err(Denied::Missing { challenge: REALM.to_owned() }),
            },
            Access::MultiUser(basic) => basic.caller(head),
            Access::OAuth(oauth) => oauth.caller(head),
        }
    }

    /// What callers are asked for, in words.
    pub fn credential(&self) -> CredentialWords {
        match self {
            Access::MultiUser(_) => PASSWORD,
            Access::SingleUser { .. } | Access::OAuth(_) => TOKEN,
        }
    }

    /// `WWW-Authenticate` of a 403 for a token that lacks scopes (RFC 6750 §3.1).
    pub fn scope_challenge(&self, needed: &[Scope]) -> String {
        match self {
            Access::OAuth(oauth) => oauth.resource().scope_wanted(needed),
            // Modes without scopes; nothing lacks one there.
            Access::SingleUser { .. } | Access::MultiUser(_) => {
                let names = needed.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ");
                format!("Bearer error=\"insufficient_scope\", scope=\"{names}\"")
            }
        }
    }

    /// The protected-resource metadata (RFC 9728), in the mode that has it.
    pub fn resource(&self) -> Option<ProtectedResource> {
        match self {
            Access::OAuth(oauth) => Some(oauth.resource()),
            Access::SingleUser { .. } | Access::MultiUser(_) => None,
        }
    }

    /// What callers show instead of a token that they got by signing in.
    pub fn shown(&self) -> Shown {
        match self {
            Access::SingleUser { token: Some(_), .. } => Shown::Token,
            Access::MultiUser(_) => Shown::Password,
            Access::SingleUser { token: None, .. } | Access::OAuth(_) => Shown::Nothing,
        }
    }

    /// Our own authorization server, in the mode that has it.
    pub fn broker(&self) -> Option<&Broker> {
        match self {
            Access::OAuth(oauth) => Some(&oauth.broker),
            Access::SingleUser { .. } | Access::MultiUser(_) => None,
        }
    }

    /// The challenge for a caller whose credential Nextcloud has just refused: they must sign in again.
    pub fn lost(&self, caller: &Caller) -> Option<String> {
        match self {
            Access::OAuth(oauth) if caller.account.is_refused(oauth.clock.monotonic()) => {
                Some(oauth.resource().token_refused())
            }
            Access::MultiUser(basic) => basic.lost(caller),
            _ => None,
        }
    }

    /// Whether calls can be let in at all, and if not, why.
    pub fn ready(&self) -> Result<(), String> {
        match self {
            // Without a provider people sign in by Login Flow v2.
            Access::OAuth(oauth) => match oauth.verifier.readiness() {
                Readiness::NoProvider { .. } => Ok(()),
                readiness => readiness.check().map_err(str::to_owned),
            },
            Access::SingleUser { .. } | Access::MultiUser(_) => Ok(()),
        }
    }
}

/// How the log and the answers call what a caller shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialWords {
    pub name: &'static str,
    pub wanted: &'static str,
    pub refused: &'static str,
    pub unjudged: &'static str,
}

const TOKEN: CredentialWords = CredentialWords {
    name: "a bearer token",
    wanted: "This server asks for a bearer token in the Authorization header.",
    refused: "The bearer token is not accepted here. Sign in again for a new one.",
    unjudged: "Tokens cannot be checked at the moment. Try again soon.",
};

const PASSWORD: CredentialWords = CredentialWords {
    name: "a sign-in",
    wanted: "This server asks for your Nextcloud user name and an app password (Nextcloud: Settings, Security) in \
             the Authorization header, as Basic.",
    refused: "Nextcloud does not accept this user name and password. Use an app password (Nextcloud: Settings, \
              Security).",
    unjudged: "Nextcloud cannot be asked about the password at the moment. Try again soon.",
};

/// The challenge of RFC 6750 §3: a request without a token gets no error code.
const REALM: &str = "Bearer realm=\"nextcloud-mcp-server\"";

impl OAuthAccess {
    fn caller(&self, head: &Head) -> Result<Caller, Denied> {
        let Some(token) = bearer(head) else {
            return Err(Denied::Missing { challenge: self.resource().token_wanted() });
        };
        let refused =
            |reason: &'static str| Denied::Refused { reason, challenge: self.resource().token_refused() };
        if token.starts_with(broker::ACCESS_PREFIX) {
            let caller = match self.broker.caller(token) {
                Ok(caller) => caller.ok_or_else(|| refused("unknown, expired or revoked"))?,
                Err(_) => return Err(Denied::Unjudged { reason: "the store cannot be read" }),
            };
            if caller.account.is_refused(self.clock.monotonic()) {
                return Err(refused("Nextcloud does not accept the app password of this grant"));
            }
            return Ok(caller);
        }
        self.verifier.caller(token).map_err(|reason| match reason {
            Reason::Unreachable => Denied::Unjudged { reason: reason.word() },
            _ => refused(reason.word()),
        })
    }

    /// Ours comes first: many clients take the first. The provider itself is named where its tokens are taken.
    fn resource(&self) -> ProtectedResource {
        let mut servers = vec![self.broker.issuer()];
        if self.direct_tokens
            && let Readiness::Ready { metadata, .. } = self.verifier.readiness()
        {
            servers.push(self.public_issuer.clone().unwrap_or_else(|| metadata.issuer.clone()));
        }
        ProtectedResource::new(self.public_url.clone(), servers, self.scopes.clone())
    }
}

/// The token of the one `Authorization` header with the scheme `Bearer`, whose case does not matter (RFC 9110 §11.1).
fn bearer(head: &Head) -> Option<&str> {
    let mut values = head.headers.all("authorization");
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
