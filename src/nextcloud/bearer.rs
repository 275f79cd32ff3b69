//! An access token on a Nextcloud that was not patched for it.
//!
//! OCS, WebDAV, CalDAV and CardDAV take the token as it is. The routes of most apps do not before Nextcloud 31: they
//! answer 401 `CORS requires basic auth` or 412 `CSRF check failed`. Two ways lead past that:
//!
//! - the *session*: `GET /index.php/csrftoken` begins a session and names its request token; with the cookies of the
//!   first and the second in `requesttoken` the same routes answer. It is begun when it is needed, and kept in memory;
//! - an *app password* in exchange for the token: [`Client::app_password`]. It outlives the token.
//!
//! `docs/stock-nextcloud.md` says what works where.

use std::sync::atomic::Ordering;

use serde::Deserialize;

use super::account::{Account, Credential};
use super::client::Client;
use super::error::{Error, Hint, Kind};
use super::path::UrlPath;
use super::request::Request;
use super::retry::Attempts;
use crate::secret::Secret;

/// The path of the request token, which answers without a credential, too.
pub(super) const CSRF_TOKEN: &str = "/index.php/csrftoken";
const SMALL_BYTES: u64 = 64 * 1024;

/// What of an account's session went out with a request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shown {
    pub(super) cookies: bool,
    pub(super) token: bool,
    /// Which session it was.
    pub(super) epoch: u32,
}

/// `GET /index.php/csrftoken`. 44 bytes of base64, a colon, and 44 more.
#[derive(Deserialize)]
struct CsrfToken {
    token: String,
}

/// `GET /ocs/v2.php/core/getapppassword`.
#[derive(Deserialize)]
struct AppPassword {
    apppassword: String,
}

impl Client<'_> {
    /// Exchanges the access token for an app password, 72 letters and digits, that works everywhere with Basic
    /// and does not expire with the token (`GET /ocs/v2.php/core/getapppassword`). The person sees it in the
    /// security settings under this program's name. Fails with [`Forbidden`](Kind::Forbidden) where Nextcloud gives
    /// none, which includes an account that signs in with an app password already, and with
    /// [`Unauthorized`](Kind::Unauthorized) if the token is not accepted. Never asks twice: each answer is one more
    /// password.
    pub fn app_password(&self) -> Result<Secret, Error> {
        // A session that was not begun by this token may be asked to confirm a password that nobody has.
        let request = Request::new("GET", UrlPath::ocs("/core/getapppassword"));
        let request = request.sessionless().once().limit_bytes(SMALL_BYTES);
        let label = request.label();
        let answer: AppPassword = self.ocs(request)?;
        let password = Secret::new(answer.apppassword);
        if !is_header_text(password.expose()) {
            return Err(Error::new(Kind::Malformed, label).because("the app password is none"));
        }
        Ok(password)
    }

    /// Ends the app password that this account signs in with (`DELETE /ocs/v2.php/core/apppassword`); nothing can be
    /// done with the account afterwards. Fails with [`Forbidden`](Kind::Forbidden) if it is another kind of
    /// credential, and with [`Unauthorized`](Kind::Unauthorized) if it was revoked before.
    pub fn revoke_app_password(&self) -> Result<(), Error> {
        let request = Request::new("DELETE", UrlPath::ocs("/core/apppassword"));
        let request = request.sessionless().limit_bytes(SMALL_BYTES);
        if !matches!(self.account.map(Account::credential), Some(Credential::Basic { .. })) {
            return Err(
                Error::new(Kind::Forbidden, request.label()).because("this is no app password sent as such")
            );
        }
        self.ocs::<serde_json::Value>(request)?;
        if let Some(account) = self.account {
            account.jar(false).clear();
            account.jar(true).clear();
            account.refused(self.nextcloud.clock.monotonic());
        }
        Ok(())
    }

    /// Begins the session before a request that is known to need it, which saves a refusal.
    pub(super) fn prepare_session(&self, request: &Request, attempts: &mut Attempts) -> Result<(), Error> {
        let Some(account) = self.account else { return Ok(()) };
        let wanted = self.nextcloud.apps_want_session.load(Ordering::Relaxed)
            && matches!(account.credential, Credential::Bearer(_))
            && request.path.as_str().starts_with("/index.php/apps/")
            && !attempts.has_new_session();
        let epoch = {
            let jar = account.jar(false);
            if !wanted || jar.request_token().is_some() {
                return Ok(());
            }
            jar.epoch()
        };
        attempts.began_session = true;
        if !self.begin_session(account, epoch)? {
            attempts.renewed_session = true;
        }
        Ok(())
    }

    /// Whether a refused request is to be sent again, in a new session. Such a request was refused before it was
    /// carried out, so that its method does not matter; and it is repeated once only.
    pub(super) fn renew_session(
        &self,
        request: &Request,
        shown: Shown,
        error: &Error,
        attempts: &mut Attempts,
    ) -> Result<bool, Error> {
        let Some(account) = self.account.filter(|_| !request.sessionless) else { return Ok(false) };
        // Not with a password: each 401 would count as a failed log-in of this address.
        let expired = error.kind == Kind::Unauthorized
            && shown.token
            && !attempts.began_session
            && matches!(account.credential, Credential::Bearer(_));
        if attempts.renewed_session || !(expired || error.kind == Kind::SessionRequired) {
            return Ok(false);
        }
        attempts.renewed_session = true;
        if request.path.is_dav() {
            // Only another API's session is refused here, and that is not needed.
            account.forget_session(true, shown);
            return Ok(shown.cookies);
        }
        log::debug!(
            "Nextcloud wants a session for this request, beginning one. request={:?} expired={}",
            request.label(),
            shown.token
        );
        let begun = self.begin_session(account, shown.epoch)?;
        if begun && !expired {
            self.nextcloud.apps_want_session.store(true, Ordering::Relaxed);
        }
        Ok(begun)
    }

    /// Puts a new session in the place of that of `epoch`; of several calls one asks, and the others wait for it.
    /// `false` if this Nextcloud, or a proxy in front of it, does not give one: the refusal of the request itself
    /// says more then.
    fn begin_session(&self, account: &Account, epoch: u32) -> Result<bool, Error> {
        let _turn = self.serialize("Nextcloud's session")?;
        {
            let jar = account.jar(false);
            if jar.epoch() != epoch && jar.request_token().is_some() {
                return Ok(true);
            }
        }
        let request = Request::new("GET", UrlPath::core("/csrftoken"));
        let target = format!("{}{CSRF_TOKEN}", self.nextcloud.base().prefix());
        let answer = self.json_and_head::<CsrfToken>(request.sessionless().limit_bytes(SMALL_BYTES));
        let (head, token) = match answer {
            Ok((head, answer)) => (head, Secret::new(answer.token)),
            Err(error) if is_absence(error.kind) => return Ok(false),
            Err(error) => return Err(error),
        };
        if !is_header_text(token.expose()) {
            return Ok(false);
        }
        let mut jar = account.jar(false);
        jar.clear();
        self.store_cookies(&mut jar, &target, &head);
        jar.set_request_token(token);
        Ok(true)
    }

    /// What people can do about a refused token.
    pub(super) fn refusal_hint(&self, kind: Kind) -> Option<Hint> {
        let account = self.account?;
        match (kind, &account.credential) {
            (Kind::Unauthorized, Credential::Bearer(_)) if account.has_worked() => Some(Hint::TokenHasWorked),
            (Kind::Unauthorized, Credential::Bearer(_)) => Some(Hint::TokenNeverWorked),
            _ => None,
        }
    }
}

impl Account {
    /// Forgets the session that was shown, unless there is another one by now.
    pub(super) fn forget_session(&self, dav: bool, shown: Shown) {
        let mut jar = self.jar(dav);
        if jar.epoch() == shown.epoch {
            jar.clear();
        }
    }
}

impl Attempts {
    /// Whether the request went out in a session that was begun for it.
    pub(super) fn has_new_session(&self) -> bool {
        self.began_session || self.renewed_session
    }
}

/// Whether a route failed as one does that is not there, or not as Nextcloud has it.
fn is_absence(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Forbidden
            | Kind::NotFound
            | Kind::MethodNotAllowed
            | Kind::Malformed
            | Kind::NotNextcloud
            | Kind::Redirected
            | Kind::PreconditionFailed
    )
}

/// Whether a text that Nextcloud sent may be put into a header.
fn is_header_text(text: &str) -> bool {
    (1..=1024).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
