//! How a person shows Nextcloud who they are, and what we get of it.

mod flow;
mod oidc;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use flow::FlowLogin;
pub use oidc::OidcLogin;

use super::form::Form;
use crate::auth::startup::{Readiness, Startup};
use crate::nextcloud::{Account, Credential, Kind, Nextcloud};
use crate::secret::Secret;
use crate::store::Upstream;

/// Time for one question to Nextcloud during a login: a person waits.
const PATIENCE: Duration = Duration::from_secs(15);

/// A way to sign in at Nextcloud. Every function may ask Nextcloud, with its own short deadline.
pub trait Login: Send + Sync {
    /// Starts a login. `state` is unguessable; where a browser comes back to the callback, it brings it along.
    fn begin(&self, state: &str) -> Result<Begun, LoginError>;

    /// Ends a login whose browser came back with these parameters.
    fn finish(&self, kept: &Kept, parameters: &Form) -> Result<Identity, LoginError>;

    /// Asks whether the person has said yes at Nextcloud by now; `None`: not yet.
    fn ask(&self, kept: &Kept) -> Result<Option<Identity>, LoginError>;

    /// Whether Nextcloud still takes a credential. Asked only where it was refused before.
    fn is_good(&self, login_name: &str, upstream: &Upstream) -> Result<bool, LoginError>;

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
    /// The provider does not know our client any more; another one is registered.
    ClientRefused,
    /// What came back is not what a login of ours gives: wrong issuer, nonce, signature.
    Rejected(String),
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoginError::Denied => f.write_str("the person said no"),
            LoginError::Expired => f.write_str("the login is over"),
            LoginError::ClientRefused => {
                f.write_str("the provider does not accept our client (invalid_client)")
            }
            LoginError::Unavailable(why) => write!(f, "Nextcloud cannot be asked: {why}"),
            LoginError::Rejected(why) => write!(f, "what came back is not accepted: {why}"),
        }
    }
}

impl std::error::Error for LoginError {}

/// At the provider where there is one, else by Login Flow v2.
pub struct NextcloudLogin {
    pub startup: Arc<Startup>,
    pub oidc: OidcLogin,
    pub flow: FlowLogin,
}

impl Login for NextcloudLogin {
    fn begin(&self, state: &str) -> Result<Begun, LoginError> {
        match self.startup.readiness() {
            Readiness::Ready { metadata, client } => self.oidc.begin(&metadata, &client, state),
            Readiness::NoProvider { .. } => self.flow.begin(),
            Readiness::Starting { reason } | Readiness::Failed { reason } => {
                Err(LoginError::Unavailable(reason))
            }
        }
    }

    fn finish(&self, kept: &Kept, parameters: &Form) -> Result<Identity, LoginError> {
        let Kept::Code { verifier, nonce } = kept else { return Err(LoginError::Expired) };
        match self.startup.readiness() {
            Readiness::Ready { metadata, client } => {
                let identity = self.oidc.finish(&metadata, &client, (verifier, nonce), parameters);
                if matches!(identity, Err(LoginError::ClientRefused)) {
                    self.startup.client_refused(&client.id);
                }
                identity
            }
            other => Err(LoginError::Unavailable(other.check().err().unwrap_or_default().to_owned())),
        }
    }

    fn ask(&self, kept: &Kept) -> Result<Option<Identity>, LoginError> {
        match kept {
            Kept::Poll { endpoint, token } => self.flow.ask(endpoint, token),
            Kept::Code { .. } => Err(LoginError::Expired),
        }
    }

    fn is_good(&self, login_name: &str, upstream: &Upstream) -> Result<bool, LoginError> {
        let call = self.flow.nextcloud.call(PATIENCE);
        match self.flow.nextcloud.client(&account(login_name, upstream), &call).user_id() {
            Ok(_) => Ok(true),
            Err(error) if error.kind == Kind::Unauthorized => Ok(false),
            Err(error) => Err(LoginError::Unavailable(error.to_string())),
        }
    }

    fn give_back(&self, login_name: &str, upstream: &Upstream) -> Result<(), LoginError> {
        self.flow.give_back(login_name, upstream)
    }
}

/// An account of its own: what is known about the credential elsewhere does not matter.
fn account(login_name: &str, upstream: &Upstream) -> Account {
    let Upstream::AppPassword(password) = upstream;
    Account::new(Credential::Basic { user: login_name.to_owned(), password: password.clone() })
}

/// Whose credential this is, by Nextcloud's own word.
fn user_id(nextcloud: &Nextcloud, account: &Account) -> Result<String, LoginError> {
    let call = nextcloud.call(PATIENCE);
    nextcloud.client(account, &call).user_id().map_err(|error| LoginError::Unavailable(error.to_string()))
}

/// Ends an app password. One that Nextcloud does not know any more is as good as ended.
fn revoke(nextcloud: &Nextcloud, account: &Account) -> Result<(), LoginError> {
    let call = nextcloud.call(PATIENCE);
    match nextcloud.client(account, &call).revoke_app_password() {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.kind, Kind::Unauthorized | Kind::Forbidden) => Ok(()),
        Err(error) => Err(LoginError::Unavailable(error.to_string())),
    }
}
