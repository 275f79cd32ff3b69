//! Who may speak to `/mcp`: checked by the head of a request alone, before its body is read.

use std::sync::Arc;

use crate::auth::Caller;
use crate::auth::metadata::ProtectedResource;
use crate::auth::reason::Reason;
use crate::auth::startup::Readiness;
use crate::auth::verifier::Verifier;
use crate::config::BaseUrl;
use crate::http::Head;
use crate::secret::Secret;
use crate::tool::Scope;

/// How callers prove who they are.
pub enum Access {
    /// One user. Without a token whoever reaches the port is that user: the configuration allows this on loopback,
    /// Unix sockets and for recorded fixtures only.
    SingleUser { caller: Caller, token: Option<Secret> },
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
    /// What stands for the provider until it has been discovered.
    pub nextcloud: BaseUrl,
    /// All that something here asks for.
    pub scopes: Vec<Scope>,
}

/// Why a caller is turned away: in full for the log, vague on the wire. `challenge` is the `WWW-Authenticate` of the 401.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// No bearer token was sent: how the login of every MCP client begins.
    NoToken { challenge: String },
    /// The token is not accepted.
    Refused { reason: &'static str, challenge: String },
    /// The token cannot be judged at the moment, which is no 401.
    Unjudged { reason: &'static str },
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
                None => Err(Denied::NoToken { challenge: REALM.to_owned() }),
            },
            Access::OAuth(oauth) => oauth.caller(head),
        }
    }

    /// `WWW-Authenticate` of a 403 for a token that lacks scopes (RFC 6750 §3.1).
    pub fn scope_challenge(&self, needed: &[Scope]) -> String {
        match self {
            Access::OAuth(oauth) => oauth.resource().scope_wanted(needed),
            Access::SingleUser { .. } => {
                let names = needed.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ");
                format!("Bearer error=\"insufficient_scope\", scope=\"{names}\"")
            }
        }
    }

    /// The protected-resource metadata (RFC 9728), in the mode that has it.
    pub fn resource(&self) -> Option<ProtectedResource> {
        match self {
            Access::OAuth(oauth) => Some(oauth.resource()),
            Access::SingleUser { .. } => None,
        }
    }

    /// Whether calls can be let in at all, and if not, why.
    pub fn ready(&self) -> Result<(), String> {
        match self {
            Access::OAuth(oauth) => oauth.verifier.readiness().check().map_err(str::to_owned),
            Access::SingleUser { .. } => Ok(()),
        }
    }
}

/// The challenge of RFC 6750 §3: a request without a token gets no error code.
const REALM: &str = "Bearer realm=\"nextcloud-mcp-server\"";

impl OAuthAccess {
    fn caller(&self, head: &Head) -> Result<Caller, Denied> {
        let Some(token) = bearer(head) else {
            return Err(Denied::NoToken { challenge: self.resource().token_wanted() });
        };
        self.verifier.caller(token).map_err(|reason| match reason {
            Reason::Unreachable => Denied::Unjudged { reason: reason.word() },
            _ => Denied::Refused { reason: reason.word(), challenge: self.resource().token_refused() },
        })
    }

    fn resource(&self) -> ProtectedResource {
        let issuer = match (&self.public_issuer, self.verifier.readiness()) {
            (Some(public), _) => public.clone(),
            (None, Readiness::Ready { metadata, .. }) => metadata.issuer.clone(),
            (None, _) => self.nextcloud.to_string(),
        };
        ProtectedResource::new(self.public_url.clone(), vec![issuer], self.scopes.clone())
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
