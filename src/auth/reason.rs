//! Why a bearer token was refused: in full for the log, vague on the wire.

/// Why a token was refused. Whoever sends tokens learns only [`Reason::wire_error`]; the log gets [`Reason::word`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Longer than we read.
    TooLarge,
    /// Not a compact JWS, or a header or claim of the wrong form.
    Malformed,
    /// `alg` is `none` in any spelling: nobody signed it.
    Unsigned,
    /// `alg` is an HMAC: the key would have to be public.
    Symmetric,
    /// `alg` is none of ours.
    Algorithm,
    /// The header asks for something that we do not understand and must not ignore (`crit`, `b64`).
    Critical,
    /// The header says that this is another kind of token.
    Type,
    /// The issuer publishes no key that we can use.
    NoKeys,
    /// No key of that `kid`; or there is no `kid`, and no key of ours made the signature.
    UnknownKey,
    /// The key of that `kid` is not for that `alg`.
    KeyMismatch,
    /// The key did not make this signature.
    BadSignature,
    /// Issued by someone else.
    BadIssuer,
    /// Issued for someone else.
    BadAudience,
    /// Its time is over.
    Expired,
    /// Its time has not come, or it was issued in the future.
    NotYetValid,
    /// The provider says that it is not valid, or knows it not.
    Inactive,
    /// Valid, but not for this operation.
    InsufficientScope,
    /// The provider could not be asked, or gave no sensible answer.
    Unreachable,
}

impl Reason {
    /// One word for the log.
    pub fn word(self) -> &'static str {
        match self {
            Reason::TooLarge => "too_large",
            Reason::Malformed => "malformed",
            Reason::Unsigned => "unsigned",
            Reason::Symmetric => "symmetric",
            Reason::Algorithm => "algorithm",
            Reason::Critical => "critical",
            Reason::Type => "type",
            Reason::NoKeys => "no_keys",
            Reason::UnknownKey => "unknown_key",
            Reason::KeyMismatch => "key_mismatch",
            Reason::BadSignature => "bad_signature",
            Reason::BadIssuer => "bad_issuer",
            Reason::BadAudience => "bad_audience",
            Reason::Expired => "expired",
            Reason::NotYetValid => "not_yet_valid",
            Reason::Inactive => "inactive",
            Reason::InsufficientScope => "insufficient_scope",
            Reason::Unreachable => "unreachable",
        }
    }

    /// The error code for a challenge (RFC 6750 §3.1; `temporarily_unavailable` as in RFC 6749 §4.1.2.1). It tells apart
    /// only what a client must treat differently.
    pub fn wire_error(self) -> &'static str {
        match self {
            Reason::InsufficientScope => "insufficient_scope",
            Reason::Unreachable => "temporarily_unavailable",
            _ => "invalid_token",
        }
    }

    /// A sentence for the same challenge, as vague as the code.
    pub fn wire_text(self) -> &'static str {
        match self {
            Reason::InsufficientScope => "The access token does not allow this operation",
            Reason::Unreachable => "The access token cannot be checked at the moment; try again later",
            _ => "The access token is not valid for this server",
        }
    }

    /// Whether the same token may be judged otherwise at any moment, so that the verdict must not be remembered.
    pub fn is_passing(self) -> bool {
        matches!(self, Reason::Unreachable)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

impl std::error::Error for Reason {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_does_not_tell_why_a_token_was_refused() {
        let refused = [
            Reason::Malformed,
            Reason::Unsigned,
            Reason::UnknownKey,
            Reason::BadSignature,
            Reason::BadIssuer,
            Reason::BadAudience,
            Reason::Expired,
            Reason::Inactive,
        ];
        for reason in refused {
            assert_eq!(
                (reason.wire_error(), reason.wire_text()),
                ("invalid_token", "The access token is not valid for this server")
            );
        }
        assert_eq!(Reason::InsufficientScope.wire_error(), "insufficient_scope");
        assert_eq!(Reason::Unreachable.wire_error(), "temporarily_unavailable");
    }
}
