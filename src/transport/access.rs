//! Who may speak to `/mcp`: checked by the head of a request alone, before its body is read.

use crate::auth::Caller;
use crate::http::Head;
use crate::secret::Secret;

/// How callers prove who they are.
pub enum Access {
    /// One user. Without a token whoever reaches the port is that user: the configuration allows this on loopback,
    /// Unix sockets and for recorded fixtures only.
    SingleUser { caller: Caller, token: Option<Secret> },
}

/// Why a caller is turned away. The text for the log says more than the answer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    NoToken,
    WrongToken,
}

impl Denied {
    /// The challenge of RFC 6750 §3: a request without a token gets no error code.
    pub fn challenge(self) -> &'static str {
        match self {
            Denied::NoToken => "Bearer realm=\"nextcloud-mcp-server\"",
            Denied::WrongToken => "Bearer realm=\"nextcloud-mcp-server\", error=\"invalid_token\"",
        }
    }

    /// What the operator reads in the log.
    pub fn reason(self) -> &'static str {
        match self {
            Denied::NoToken => "no bearer token was sent",
            Denied::WrongToken => "the bearer token is not MCP_AUTH_TOKEN",
        }
    }
}

impl Access {
    /// Finds the caller. Only the `Authorization` header counts, never the query (RFC 6750 §5.3).
    pub fn caller(&self, head: &Head) -> Result<&Caller, Denied> {
        match self {
            Access::SingleUser { caller, token: None } => Ok(caller),
            Access::SingleUser { caller, token: Some(token) } => match bearer(head) {
                Some(sent) if token.is(sent) => Ok(caller),
                Some(_) => Err(Denied::WrongToken),
                None => Err(Denied::NoToken),
            },
        }
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
