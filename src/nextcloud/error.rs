//! What Nextcloud or the network did wrong, and the only words a model reads about it.

use std::fmt;

/// Why a request failed. One failure is always the same kind, whatever envelope Nextcloud chose for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The credential was not accepted (401, OCS 997, an empty 200 where data was due).
    Unauthorized,
    /// The route wants a browser session or an app password, not this kind of sign-in.
    SessionRequired,
    /// 403: not allowed, or not there for this account.
    Forbidden,
    /// 404, and Nextcloud's other ways to say it.
    NotFound,
    /// 405; MKCOL on something that exists.
    MethodNotAllowed,
    /// 406.
    NotAcceptable,
    /// 409; a parent folder that does not exist, a name that is taken.
    Conflict,
    /// 412: the thing changed, or exists, in spite of `If-Match` or `If-None-Match`.
    PreconditionFailed,
    /// 423, and the 500 that carries a `LockedException`.
    Locked,
    /// 413.
    TooLarge,
    /// 415: not the format that the collection takes.
    UnsupportedMedia,
    /// 416.
    RangeNotSatisfiable,
    /// 429.
    Throttled,
    /// 507: no space left.
    QuotaExceeded,
    /// 503 with Nextcloud's maintenance mark.
    Maintenance,
    /// 502, 503, 504 without it: a proxy or PHP gave up.
    Unavailable,
    /// 400, 422 and OCS codes of that meaning.
    BadRequest,
    /// 403 `InvalidSyncToken` (RFC 6578 §3.2): start the synchronisation anew.
    SyncTokenInvalid,
    /// 501: an app or a feature is missing.
    NotImplemented,
    /// Any other 5xx.
    Server,
    /// A redirect that is not followed: to another origin, or of a method that must not change.
    Redirected,
    /// A web page where an API answer was due.
    NotNextcloud,
    /// The answer is no valid JSON, XML or HTTP, or has another shape than documented.
    Malformed,
    /// The answer ended before its announced length, twice.
    CutShort,
    /// The connection broke or time ran out after something that changes data was sent: it may have been done or not.
    Uncertain,
    /// The answer is longer than the limit of the request.
    AnswerTooLarge,
    /// No connection, or one that broke.
    Unreachable,
    /// The host name could not be resolved.
    Dns,
    /// The TLS handshake failed.
    Tls,
    /// The server's certificate is a self-signed CA certificate, which TLS does not accept as a server's own.
    CaUsedAsEndEntity,
    /// The time for the whole call is used up.
    TimedOut,
    /// The caller does not want the answer any more.
    Cancelled,
    /// Too many other calls were waiting for the same thing.
    Busy,
}

/// What to do about it: the only advice shown to a model.
pub fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::Unauthorized => {
            "Do not retry. The person has to sign in again, or to check the user name and app password of this server."
        }
        Kind::SessionRequired => {
            "Do not retry. This app takes no access token on this Nextcloud; an app password may work."
        }
        Kind::Forbidden => {
            "The account may not do this, or it does not exist. Check the id or ask its owner."
        }
        Kind::NotFound => "Check the id or path with a list or search call.",
        Kind::MethodNotAllowed => {
            "It may exist already, or be of a kind that cannot be changed this way. Look at it first."
        }
        Kind::NotAcceptable => "Ask for another format.",
        Kind::Conflict => "Check that the parent folder exists and that the name or id is not taken.",
        Kind::PreconditionFailed => {
            "It was changed or exists already; nothing was overwritten. Read it again, then decide with the new etag."
        }
        Kind::Locked => "Somebody else is using it. Try again in a moment.",
        Kind::TooLarge => "Send less at once.",
        Kind::UnsupportedMedia => "Check that the content is complete and of the right format.",
        Kind::RangeNotSatisfiable => "Start at an offset below the size.",
        Kind::Throttled => "Do not retry at once: each attempt prolongs the delay.",
        Kind::QuotaExceeded => "Delete something or ask the administrator for more space.",
        Kind::Maintenance => "Try again later.",
        Kind::Unavailable => "Try again in a minute.",
        Kind::BadRequest => "Correct the arguments.",
        Kind::SyncTokenInvalid => "Start again without a sync token.",
        Kind::NotImplemented => "The app or feature is not installed on this Nextcloud.",
        Kind::Server => "Retrying rarely helps. The administrator finds the reason in Nextcloud's log.",
        Kind::Redirected => "The operator of this server has to set NEXTCLOUD_HOST to the final address.",
        Kind::NotNextcloud => {
            "The operator should check NEXTCLOUD_HOST (with its sub-path, if any) and Nextcloud's trusted_domains."
        }
        Kind::Malformed => {
            "Retrying rarely helps. A proxy or an unknown version of the app may be the reason."
        }
        Kind::CutShort => "Try again; if it stays, ask for less at once.",
        Kind::Uncertain => "Look whether it was done before you try again.",
        Kind::AnswerTooLarge => "Ask for less: a page, a range, or a narrower search.",
        Kind::Unreachable => "Nextcloud or the network is down, or NEXTCLOUD_HOST is wrong. Try again later.",
        Kind::Dns => "The operator should check the host name in NEXTCLOUD_HOST.",
        Kind::Tls => {
            "The operator should check the certificate; a private CA is made known with NEXTCLOUD_CA_BUNDLE."
        }
        Kind::CaUsedAsEndEntity => {
            "The operator should make a certificate with basicConstraints=CA:FALSE for Nextcloud \
             (plain `openssl req -x509` makes CA:TRUE) and put it into NEXTCLOUD_CA_BUNDLE."
        }
        Kind::TimedOut => "Try again, or ask for less at once.",
        Kind::Cancelled => "",
        Kind::Busy => "Try again in a few seconds.",
    }
}

/// More about one case of a kind, for the people who run the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// An access token was refused that has never worked: Nextcloud does not tell a bad one from one that it does not
    /// look at.
    TokenNeverWorked,
    TokenHasWorked,
}

impl Hint {
    fn text(self) -> &'static str {
        match self {
            Hint::TokenNeverWorked => {
                "If new access tokens are refused too, Nextcloud's administrator should run \
                 `occ app:enable user_oidc` and `occ config:system:set user_oidc oidc_provider_bearer_validation \
                 --value=true --type=boolean`."
            }
            Hint::TokenHasWorked => "This access token worked before, so it has expired or was revoked.",
        }
    }
}

/// What happened, after the subject: `note 7 was not found`.
fn predicate(kind: Kind) -> &'static str {
    match kind {
        Kind::Unauthorized => "failed: Nextcloud did not accept the sign-in",
        Kind::SessionRequired => "was refused: Nextcloud does not take this kind of sign-in here",
        Kind::Forbidden => "was refused",
        Kind::NotFound => "was not found",
        Kind::MethodNotAllowed => "does not allow this action",
        Kind::NotAcceptable => "is not available in this format",
        Kind::Conflict => "is in conflict with something else",
        Kind::PreconditionFailed => "is not in the expected state",
        Kind::Locked => "is locked",
        Kind::TooLarge => "was too large for Nextcloud",
        Kind::UnsupportedMedia => "was not accepted: wrong or broken content",
        Kind::RangeNotSatisfiable => "has no such range",
        Kind::Throttled => "failed: Nextcloud takes no more requests for now",
        Kind::QuotaExceeded => "failed: no space left in Nextcloud",
        Kind::Maintenance => "failed: Nextcloud is in maintenance mode",
        Kind::Unavailable => "failed: Nextcloud is not available",
        Kind::BadRequest => "was not accepted",
        Kind::SyncTokenInvalid => "failed: the sync token is not valid any more",
        Kind::NotImplemented => "is not supported",
        Kind::Server => "failed: Nextcloud had an internal error",
        Kind::Redirected => "failed: Nextcloud redirects to another address",
        Kind::NotNextcloud => "failed: a web page came where Nextcloud's answer was due",
        Kind::Malformed => "failed: Nextcloud's answer could not be understood",
        Kind::CutShort => "failed: the answer was cut short",
        Kind::Uncertain => "was sent, but Nextcloud's answer did not come",
        Kind::AnswerTooLarge => "failed: the answer is too large",
        Kind::Unreachable => "failed: Nextcloud could not be reached",
        Kind::Dns => "failed: Nextcloud's host name could not be resolved",
        Kind::Tls => "failed: no secure connection to Nextcloud",
        Kind::CaUsedAsEndEntity => "failed: Nextcloud's certificate is a CA certificate",
        Kind::TimedOut => "took too long",
        Kind::Cancelled => "was cancelled",
        Kind::Busy => "has to wait: too many calls at the same time",
    }
}

/// A failed request. Displayed, it is a text for the model: what failed, why in Nextcloud's words, what to do.
#[derive(Clone)]
pub struct Error {
    pub kind: Kind,
    /// `PROPFIND files/alice/docs`: method and path without host, prefix and query. For the log.
    pub request: String,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Nextcloud's own words, or the network's; at most 300 characters, no control characters.
    pub detail: Option<String>,
    /// Seconds until another attempt makes sense.
    pub retry_after_s: Option<u64>,
    /// What the call was about, in the caller's words: `note 7`.
    pub subject: Option<String>,
    hint: Option<Hint>,
    body: Option<Box<[u8]>>,
}

impl Error {
    pub fn new(kind: Kind, request: impl Into<String>) -> Error {
        Error {
            kind,
            request: request.into(),
            status: None,
            detail: None,
            retry_after_s: None,
            subject: None,
            hint: None,
            body: None,
        }
    }

    pub(super) fn status(mut self, status: u16) -> Error {
        self.status = Some(status);
        self
    }

    /// Names what failed, unless that is said already: `note 7`, `file "/docs/a.txt"`.
    pub fn about(mut self, subject: impl Into<String>) -> Error {
        if self.subject.is_none() {
            self.subject = clean(&subject.into());
        }
        self
    }

    /// Adds the reason in plain words; it is cleaned and shortened.
    pub fn because(mut self, detail: impl AsRef<str>) -> Error {
        self.detail = clean(detail.as_ref());
        self
    }

    /// Adds what the people who run the servers can do about it; shown after the advice.
    pub(super) fn hint(mut self, hint: Option<Hint>) -> Error {
        self.hint = hint;
        self
    }

    /// What an operator or administrator can do about it, in this case.
    pub fn operator_hint(&self) -> Option<&'static str> {
        self.hint.map(Hint::text)
    }

    pub(super) fn retry_after(mut self, seconds: Option<u64>) -> Error {
        self.retry_after_s = seconds;
        self
    }

    pub(super) fn with_body(mut self, body: Vec<u8>) -> Error {
        self.body = (!body.is_empty()).then(|| body.into_boxed_slice());
        self
    }

    /// The body of the refusal, up to 64 kB: Notes answers 412 with the current note.
    pub fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }
}

/// The longest text of Nextcloud's that is passed on, in characters.
const DETAIL_CHARS_MAX: usize = 300;

/// Makes foreign text fit for one line: control characters out, white space folded, at most 300 characters.
/// Absent if nothing is left.
pub(super) fn clean(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
            chars += 1;
        }
        for c in word.chars().filter(|c| !is_invisible(*c)) {
            if chars >= DETAIL_CHARS_MAX - 1 {
                out.push('…');
                return Some(out);
            }
            out.push(c);
            chars += 1;
        }
    }
    (!out.is_empty()).then_some(out)
}

/// Marks that change how the text around them reads: bidi controls, zero-width characters, byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.subject.as_deref().unwrap_or(&self.request))?;
        write!(f, " {}.", predicate(self.kind))?;
        if let Some(detail) = &self.detail {
            match self.status {
                Some(_) => write!(f, " Nextcloud said: \"{detail}\".")?,
                None => write!(f, " Cause: {detail}.")?,
            }
        }
        if let Some(seconds) = self.retry_after_s {
            write!(f, " Wait {seconds} s.")?;
        }
        match advice(self.kind) {
            "" => {}
            advice => write!(f, " {advice}")?,
        }
        match self.operator_hint() {
            Some(hint) => write!(f, " {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.kind)
            .field("request", &self.request)
            .field("status", &self.status)
            .field("detail", &self.detail)
            .field("retry_after_s", &self.retry_after_s)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {}

/// Says what a request was about, so that its failure reads well: `client.json(…).of("note 7")?`.
pub trait Subject {
    /// Names the subject of a failure; a name that is there already stays.
    fn of(self, subject: impl Into<String>) -> Self;
}

impl<T> Subject for Result<T, Error> {
    fn of(self, subject: impl Into<String>) -> Self {
        self.map_err(|error| error.about(subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_subject_reason_advice() {
        let error = Error::new(Kind::NotFound, "GET notes/api/v1/notes/999999")
            .status(404)
            .because("Note\tdoes\nnot exist");
        assert_eq!(
            Err::<(), _>(error.clone()).of("note 999999").unwrap_err().to_string(),
            "note 999999 was not found. Nextcloud said: \"Note does not exist\". \
             Check the id or path with a list or search call."
        );
        assert_eq!(
            Error { detail: None, ..error }.to_string(),
            "GET notes/api/v1/notes/999999 was not found. Check the id or path with a list or search call."
        );
    }

    #[test]
    fn the_wait_is_named() {
        let error = Error::new(Kind::Maintenance, "GET x").status(503).retry_after(Some(120));
        assert_eq!(
            error.to_string(),
            "GET x failed: Nextcloud is in maintenance mode. Wait 120 s. Try again later."
        );
    }

    #[test]
    fn the_cause_of_a_failure_without_an_answer_is_not_put_into_nextclouds_mouth() {
        let error = Error::new(Kind::Unreachable, "GET x").because("connection refused");
        assert!(error.to_string().contains("Cause: connection refused."));
    }

    #[test]
    fn foreign_text_is_one_short_line() {
        assert_eq!(clean(" a\r\n\u{1b}[31mb \u{202e}c\u{0} ").as_deref(), Some("a [31mb c"));
        assert_eq!(clean(" \n\u{0}"), None);
        let long = clean(&"ä".repeat(1000)).unwrap_or_default();
        assert_eq!((long.chars().count(), long.ends_with('…')), (300, true));
    }

    #[test]
    fn the_first_subject_stays() {
        let failed = Err::<(), _>(Error::new(Kind::Locked, "PUT x")).of("inner").of("outer");
        assert_eq!(failed.unwrap_err().subject.as_deref(), Some("inner"));
    }

    #[test]
    fn an_error_fits_into_a_result_without_a_box() {
        assert!(size_of::<Error>() <= 128);
    }
}
