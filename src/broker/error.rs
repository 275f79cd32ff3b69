//! Errors in the words of OAuth.

use std::fmt;

use serde_json::{Value, json};

/// An error that a client is told: a code that programs know, and a sentence for people. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthError {
    pub code: Code,
    /// ASCII without quotes and backslashes (RFC 6749 §5.2).
    pub about: &'static str,
}

/// RFC 6749 §4.1.2.1 and §5.2, RFC 7591 §3.2.2, RFC 8707 §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
    InvalidScope,
    InvalidTarget,
    AccessDenied,
    InvalidRedirectUri,
    InvalidClientMetadata,
    ServerError,
    TemporarilyUnavailable,
    /// Not in any RFC, but what the provider's own clients know for 429.
    SlowDown,
}

impl Code {
    pub const fn word(self) -> &'static str {
        match self {
            Code::InvalidRequest => "invalid_request",
            Code::InvalidClient => "invalid_client",
            Code::InvalidGrant => "invalid_grant",
            Code::UnauthorizedClient => "unauthorized_client",
            Code::UnsupportedGrantType => "unsupported_grant_type",
            Code::UnsupportedResponseType => "unsupported_response_type",
            Code::InvalidScope => "invalid_scope",
            Code::InvalidTarget => "invalid_target",
            Code::AccessDenied => "access_denied",
            Code::InvalidRedirectUri => "invalid_redirect_uri",
            Code::InvalidClientMetadata => "invalid_client_metadata",
            Code::ServerError => "server_error",
            Code::TemporarilyUnavailable => "temporarily_unavailable",
            Code::SlowDown => "slow_down",
        }
    }

    /// The status of an answer to a program.
    pub const fn status(self) -> u16 {
        match self {
            Code::InvalidClient => 401,
            Code::SlowDown => 429,
            Code::ServerError => 500,
            Code::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}

impl OAuthError {
    pub const fn new(code: Code, about: &'static str) -> OAuthError {
        OAuthError { code, about }
    }

    /// The answer to a program (RFC 6749 §5.2).
    pub fn document(&self) -> Value {
        json!({"error": self.code.word(), "error_description": self.about})
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.word(), self.about)
    }
}

impl std::error::Error for OAuthError {}
