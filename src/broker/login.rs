//! How a person shows Nextcloud who they are, and what we get of it.

use std::fmt;

use super::form::Form;
use crate::secret::Secret;
use crate::store::Upstream;

/// A way to sign in at Nextcloud. Every function may ask Nextcloud, with its own short deadline.
pub trait Login: Send + Sync {
    /// Starts a login. `state` is unguessable; where a browser comes back to the callback, it brings it along.
    fn begin(&self, state: &str) -> Result<Begun, LoginError>;

    /// Ends a login whose browser came back with these parameters.
    fn finish(&self, kept: &Kept, parameters: &Form) -> Result<Identity, LoginError>;

    /// Asks whether the person has said yes at Nextcloud by now; `None`: not yet.
    fn ask(&self, kept: &Kept) -> Result<Option<Identity>, LoginError>;

    /// Gives a credential back that is no longer needed. Done as well where Nextcloud does not know it any more.
    fn give_back(&self, login_name: &str, upstream: &Upstream) -> Result<(), LoginError>;
}

/// Where the person goes next.
#[derive(Clone, Debug)]
pub enum Begun {
    /// To this address, from which they come back to the callback (authorization code flow).
    Redirect { url: String, kept: Kept },
    /// To this address, in a window of its own, while we ask (Login Flow v2).
    Grant { url: String, kept: Kept },
}

/// What must be remembered of a login under way. In memory only.
#[derive(Clone, Debug)]
pub enum Kept {
    Code { verifier: Secret, nonce: Secret },
    Poll { endpoint: String, token: Secret },
}

/// Who signed in, with a credential of their own for one grant.
#[derive(Clone, Debug)]
pub struct Identity {
    pub user_id: String,
    /// What Basic authentication needs beside the password.
    pub login_name: String,
    pub upstream: Upstream,
}

/// Why a login came to nothing. Displayed, it is for the log: the whole cause, no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// The person said no at Nextcloud.
    Denied,
    /// The login is over: too late, or used before.
    Expired,
    /// Nextcloud does not answer, or not as it should; trying again may help.
    Unavailable(String),
    /// What came back is not what a login of ours gives: wrong issuer, nonce, signature.
    Rejected(String),
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoginError::Denied => f.write_str("the person said no"),
            LoginError::Expired => f.write_str("the login is over"),
            LoginError::Unavailable(why) => write!(f, "Nextcloud cannot be asked: {why}"),
            LoginError::Rejected(why) => write!(f, "what came back is not accepted: {why}"),
        }
    }
}

impl std::error::Error for LoginError {}
