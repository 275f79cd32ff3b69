//! What a token says, and what we expect it to say (RFC 7519 §4.1, RFC 9068 §2.2, RFC 7662 §2.2).

use serde_json::{Map, Value};

use crate::auth::reason::Reason;

const SUBJECT_BYTES_MAX: usize = 255;
/// Clocks differ by so much.
pub const LEEWAY_S: u64 = 60;
/// Numbers beyond have gaps in JSON, and are no dates.
const SECONDS_MAX: f64 = 9_007_199_254_740_991.0;

/// Whom and what a token stands for, once it has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `iss`; a JWT always has it.
    pub issuer: Option<String>,
    /// `sub`: at Nextcloud the user's id.
    pub subject: String,
    /// `preferred_username` or `username`: what the user signs in with.
    pub username: Option<String>,
    /// `client_id`, else `azp`: the application that holds the token.
    pub client: Option<String>,
    /// As the token has them; empty where it has none.
    pub scopes: Vec<String>,
    /// `exp`, in whole seconds since 1970, without leeway; a JWT always has it.
    pub expires_s: Option<u64>,
    /// `nonce` of an ID token (OpenID Connect Core §2).
    pub nonce: Option<String>,
}

/// What a token must say to be good here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// One of these, to the letter: `https://h` and `https://h/` are two issuers.
    pub issuers: Vec<String>,
    /// URLs of this server; an audience may have one trailing slash more or less.
    pub resources: Vec<String>,
    /// Other audiences, to the letter.
    pub audiences: Vec<String>,
    /// How much clocks may differ; [`LEEWAY_S`] unless there is a reason.
    pub leeway_s: u64,
}

impl Expected {
    /// Whether a token for this audience is for us.
    pub fn is_audience(&self, audience: &str) -> bool {
        !audience.is_empty()
            && (self.audiences.iter().any(|own| own == audience)
                || self.resources.iter().any(|own| without_slash(own) == without_slash(audience)))
    }
}

fn without_slash(url: &str) -> &str {
    url.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(url)
}

/// The members of a token or of an answer about one, with the checks that all kinds share.
pub(super) struct Members<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Members<'a> {
    /// A member that is text if it is there.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, Reason> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Reason::Malformed),
        }
    }

    /// `iss` is one of ours; absent is for the caller to judge.
    pub(super) fn issuer(&self, expected: &Expected) -> Result<Option<String>, Reason> {
        match self.text("iss")? {
            None => Ok(None),
            Some(issuer) if expected.issuers.iter().any(|own| own == issuer) => Ok(Some(issuer.to_owned())),
            Some(_) => Err(Reason::BadIssuer),
        }
    }

    /// `aud`: a text, or an array of them; empty if there is none.
    pub(super) fn audiences(&self) -> Result<Vec<&'a str>, Reason> {
        match self.0.get("aud") {
            None => Ok(Vec::new()),
            Some(Value::String(audience)) => Ok(vec![audience]),
            Some(Value::Array(audiences)) => texts(audiences),
            Some(_) => Err(Reason::Malformed),
        }
    }

    /// Checks `nbf` and `iat`, and `exp`, which is returned; absent is for the caller to judge.
    ///
    /// Parts of seconds count against the token.
    pub(super) fn lifetime(&self, now_s: u64, leeway_s: u64) -> Result<Option<u64>, Reason> {
        let (now, leeway) = (now_s as f64, leeway_s as f64);
        let expires = self.seconds("exp")?.map(f64::floor);
        let not_before = self.seconds("nbf")?;
        let issued = self.seconds("iat")?;
        if expires.is_some_and(|at| now >= at + leeway) {
            return Err(Reason::Expired);
        }
        if [not_before, issued].into_iter().flatten().any(|at| now + leeway < at) {
            return Err(Reason::NotYetValid);
        }
        // Not negative: it would have expired. The cast stops at 0 all the same.
        Ok(expires.map(|at| at as u64))
    }

    /// A `NumericDate` (RFC 7519 §2): seconds since 1970, whole or not, never text.
    fn seconds(&self, name: &str) -> Result<Option<f64>, Reason> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(seconds) if seconds.abs() <= SECONDS_MAX => Ok(Some(seconds)),
                _ => Err(Reason::Malformed),
            },
        }
    }

    /// The user's id from the first of `names` that is there. It becomes part of paths and log lines: not empty, at most 255
    /// bytes, no control characters.
    pub(super) fn subject(&self, names: &[&str]) -> Result<String, Reason> {
        for name in names {
            if let Some(subject) = self.text(name)? {
                let is_sound = !subject.is_empty()
                    && subject.len() <= SUBJECT_BYTES_MAX
                    && !subject.contains(char::is_control);
                return if is_sound { Ok(subject.to_owned()) } else { Err(Reason::Malformed) };
            }
        }
        Err(Reason::Malformed)
    }

    /// The first of `names` that is there, as text.
    pub(super) fn first_text(&self, names: &[&str]) -> Result<Option<String>, Reason> {
        for name in names {
            if let Some(text) = self.text(name)? {
                return Ok(Some(text.to_owned()));
            }
        }
        Ok(None)
    }

    /// `scope` as a list in one text (RFC 8693 §4.2), else `scopes` or `scp`, which some providers send as arrays.
    pub(super) fn scopes(&self) -> Result<Vec<String>, Reason> {
        let words = |text: &str| text.split_ascii_whitespace().map(str::to_owned).collect();
        for name in ["scope", "scopes", "scp"] {
            match self.0.get(name) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => return Ok(words(text)),
                Some(Value::Array(list)) => {
                    return Ok(texts(list)?.into_iter().map(str::to_owned).collect());
                }
                Some(_) => return Err(Reason::Malformed),
            }
        }
        Ok(Vec::new())
    }
}

fn texts(list: &[Value]) -> Result<Vec<&str>, Reason> {
    list.iter().map(|item| item.as_str().ok_or(Reason::Malformed)).collect()
}
