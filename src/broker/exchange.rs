//! What programs ask: tokens for a code or a refresh token, an end to them, and who holds one.

use std::sync::{Arc, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::Broker;
use super::authorize::check_resource;
use super::client::McpClient;
use super::codes::Shown;
use super::error::{Code, OAuthError};
use super::form::Form;
use super::random::{challenge_of, hash_of, secret};
use super::registry::unavailable;
use crate::auth::Caller;
use crate::nextcloud::{Account, Credential};
use crate::secret::Secret;
use crate::store::{Grant, NewToken, Rotation, TokenKind, Upstream};
use crate::tool::{Scope, Scopes};

/// Life of an access token, in seconds.
const ACCESS_S: u64 = 3_600;
/// Life of a refresh token: who does not come for so long signs in anew. Each exchange begins it again.
const REFRESH_S: u64 = 90 * 86_400;
/// What our access and refresh tokens begin with; a scanner of leaked secrets can tell them by it.
pub const ACCESS_PREFIX: &str = "nma_";
const REFRESH_PREFIX: &str = "nmr_";
/// The last use of a grant is written down this often, in seconds: not with each call.
const USES_APART_S: u64 = 600;
/// Accounts that are kept in memory at a time.
const ACCOUNTS_MAX: usize = 1_000;

const BAD_CODE: OAuthError =
    OAuthError::new(Code::InvalidGrant, "the code is not valid: wrong, used, expired, or for another client");
const BAD_REFRESH: OAuthError =
    OAuthError::new(Code::InvalidGrant, "the refresh token is not valid any more; sign in again");

/// A pair that is about to be given out.
struct Pair {
    access: Secret,
    refresh: Secret,
    new_access: NewToken,
    new_refresh: NewToken,
}

impl Broker {
    /// `POST /oauth/token` (RFC 6749 §4.1.3 and §6). `authorization` is that header's value.
    pub fn token(&self, form: &Form, authorization: Option<&str>) -> Result<Value, OAuthError> {
        let client = self.authenticated(form, authorization)?;
        check_resource(form, &self.resources)?;
        match form.one("grant_type")? {
            Some("authorization_code") => self.redeem(form, &client),
            Some("refresh_token") => self.refresh(form, &client),
            Some(_) => Err(OAuthError::new(
                Code::UnsupportedGrantType,
                "grant_type must be authorization_code or refresh_token",
            )),
            None => Err(OAuthError::new(Code::InvalidRequest, "grant_type is missing")),
        }
    }

    /// `POST /oauth/revoke` (RFC 7009): ends the whole grant. A token that is not known is no error.
    pub fn revoke(&self, form: &Form, authorization: Option<&str>) -> Result<(), OAuthError> {
        let client = self.authenticated(form, authorization)?;
        let missing = OAuthError::new(Code::InvalidRequest, "token is missing");
        let token = form.one("token")?.ok_or(missing)?;
        let Some(row) = self.store.token(&hash_of(token)).map_err(unavailable)? else { return Ok(()) };
        let grant = self.store.grant(&row.grant_id).map_err(unavailable)?;
        if grant.is_some_and(|grant| grant.client_id == client.id) {
            self.end_grant(&row.grant_id, "the client revoked it")?;
        }
        Ok(())
    }

    /// The caller who holds this access token; `None` if it is none of ours, or over.
    pub fn caller(&self, token: &str) -> Result<Option<Caller>, OAuthError> {
        if !token.starts_with(ACCESS_PREFIX) {
            return Ok(None);
        }
        let now = self.clock.now().unix_s();
        let row = self.store.token(&hash_of(token)).map_err(unavailable)?;
        let Some(row) = row.filter(|row| row.kind == TokenKind::Access && row.expires_at > now) else {
            return Ok(None);
        };
        let grant = self.store.grant(&row.grant_id).map_err(unavailable)?;
        let Some(grant) = grant.filter(|grant| grant.ended_at.is_none()) else { return Ok(None) };
        if now.saturating_sub(grant.used_at) >= USES_APART_S
            && let Err(error) = self.store.use_grant(&grant.id, now)
        {
            log::warn!("{error}");
        }
        let scopes = row.scopes.split(' ').filter_map(Scope::parse).collect();
        Ok(Some(Caller {
            name: grant.user_id.clone(),
            scopes: Scopes::Only(scopes),
            account: self.account(&grant),
        }))
    }

    /// Ends a grant: its tokens at once, its credential at Nextcloud as soon as that can be reached.
    pub(super) fn end_grant(&self, id: &str, why: &str) -> Result<(), OAuthError> {
        if self.store.end_grant(id, self.clock.now().unix_s()).map_err(unavailable)? {
            log::info!("a grant ended grant={} why=\"{why}\"", short(id));
        }
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        self.upkeep.call();
        Ok(())
    }

    /// The client of a request, proven (RFC 6749 §2.3, §3.2.1).
    fn authenticated(&self, form: &Form, authorization: Option<&str>) -> Result<McpClient, OAuthError> {
        let basic = authorization.map(basic).transpose()?;
        let (id, shown) = match &basic {
            Some((id, secret)) => (id.as_str(), Some(secret.expose())),
            None => (
                form.one("client_id")?.ok_or(OAuthError::new(Code::InvalidClient, "client_id is missing"))?,
                form.one("client_secret")?,
            ),
        };
        if form.one("client_id")?.is_some_and(|other| other != id) {
            return Err(OAuthError::new(Code::InvalidRequest, "two different clients are named"));
        }
        let client = self.client(id)?;
        // Shown in the header or in the form, whichever the client registered: §2.3.1 asks for both to be supported.
        if !client.is_proven_by(shown) {
            return Err(OAuthError::new(Code::InvalidClient, "the client's secret is missing or wrong"));
        }
        Ok(client)
    }

    fn redeem(&self, form: &Form, client: &McpClient) -> Result<Value, OAuthError> {
        let missing = |about| OAuthError::new(Code::InvalidRequest, about);
        let code = form.one("code")?.ok_or(missing("code is missing"))?;
        let verifier = form.one("code_verifier")?.ok_or(missing("code_verifier is missing"))?;
        let issued = match self.codes.take(&hash_of(code), self.clock.monotonic()) {
            Shown::First(issued) => issued,
            Shown::Again { grant_id } => {
                self.end_grant(&grant_id, "its code was shown twice")?;
                return Err(BAD_CODE);
            }
            Shown::Unknown => return Err(BAD_CODE),
        };
        let is_verifier = (43..=128).contains(&verifier.len())
            && verifier.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
        let fits: bool = challenge_of(verifier).as_bytes().ct_eq(issued.challenge.as_bytes()).into();
        let redirect_uri = form.one("redirect_uri")?;
        let is_same_uri = redirect_uri.is_none_or(|uri| uri == issued.redirect_uri);
        if issued.client_id != client.id || !is_verifier || !fits || !is_same_uri {
            self.end_grant(&issued.grant_id, "its code was shown by somebody else")?;
            return Err(BAD_CODE);
        }
        let pair = self.pair()?;
        let now = self.clock.now().unix_s();
        let redeemed = self.store.redeem_grant(&issued.grant_id, now, &pair.new_access, &pair.new_refresh);
        if !redeemed.map_err(unavailable)? {
            return Err(BAD_CODE);
        }
        let grant = self.store.grant(&issued.grant_id).map_err(unavailable)?.ok_or(BAD_CODE)?;
        log::info!("granted user={} client={} scopes=\"{}\"", grant.user_id, grant.client_id, grant.scopes);
        Ok(pair.document(&grant.scopes))
    }

    fn refresh(&self, form: &Form, client: &McpClient) -> Result<Value, OAuthError> {
        let missing = OAuthError::new(Code::InvalidRequest, "refresh_token is missing");
        let hash = hash_of(form.one("refresh_token")?.ok_or(missing)?);
        let row = self.store.token(&hash).map_err(unavailable)?.ok_or(BAD_REFRESH)?;
        let grant = self.store.grant(&row.grant_id).map_err(unavailable)?.ok_or(BAD_REFRESH)?;
        if grant.client_id != client.id || grant.ended_at.is_some() || row.kind != TokenKind::Refresh {
            return Err(BAD_REFRESH);
        }
        let scopes = narrowed(&row.scopes, form.one("scope")?)?;
        if self.is_lost(&grant) {
            self.end_grant(&grant.id, "Nextcloud does not accept its app password any more")?;
            return Err(BAD_REFRESH);
        }
        let pair = self.pair()?;
        let now = self.clock.now().unix_s();
        let rotated = self.store.rotate(&hash, now, &scopes, &pair.new_access, &pair.new_refresh);
        match rotated.map_err(unavailable)? {
            Rotation::Done => Ok(pair.document(&scopes)),
            Rotation::Unknown => Err(BAD_REFRESH),
            Rotation::Reused => {
                log::warn!(
                    "a refresh token was shown twice, so its grant ended user={} client={}",
                    grant.user_id,
                    grant.client_id
                );
                self.end_grant(&grant.id, "its refresh token was shown twice")?;
                Err(BAD_REFRESH)
            }
        }
    }

    /// Whether Nextcloud refuses the grant's credential: once in a call, and now that it is asked again. A passing fault of
    /// Nextcloud's own user directory does not cost anybody their connection.
    fn is_lost(&self, grant: &Grant) -> bool {
        let was_refused = {
            let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
            accounts.get(&grant.id).is_some_and(|account| account.is_refused(self.clock.monotonic()))
        };
        was_refused && matches!(self.login.is_good(&grant.login_name, &grant.upstream), Ok(false))
    }

    fn pair(&self) -> Result<Pair, OAuthError> {
        let now = self.clock.now().unix_s();
        let access = secret(&self.ids, ACCESS_PREFIX)?;
        let refresh = secret(&self.ids, REFRESH_PREFIX)?;
        let new =
            |token: &Secret, life_s| NewToken { hash: hash_of(token.expose()), expires_at: now + life_s };
        let (new_access, new_refresh) = (new(&access, ACCESS_S), new(&refresh, REFRESH_S));
        Ok(Pair { access, refresh, new_access, new_refresh })
    }

    fn account(&self, grant: &Grant) -> Arc<Account> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.get(&grant.id) {
            return account.clone();
        }
        let Upstream::AppPassword(password) = &grant.upstream;
        let credential = Credential::Basic { user: grant.login_name.clone(), password: password.clone() };
        if accounts.len() >= ACCOUNTS_MAX {
            accounts.clear();
        }
        let account = Arc::new(Account::new(credential));
        accounts.insert(grant.id.clone(), account.clone());
        account
    }
}

impl Pair {
    /// RFC 6749 §5.1.
    fn document(&self, scopes: &str) -> Value {
        json!({
            "access_token": self.access.expose(),
            "token_type": "Bearer",
            "expires_in": ACCESS_S,
            "refresh_token": self.refresh.expose(),
            "scope": scopes,
        })
    }
}

/// The scopes of a new access token: those asked for, which must be among those of the grant (RFC 6749 §6).
fn narrowed(held: &str, asked: Option<&str>) -> Result<String, OAuthError> {
    let Some(asked) = asked else { return Ok(held.to_owned()) };
    let held: Vec<Scope> = held.split(' ').filter_map(Scope::parse).collect();
    // What is no scope of ours (`openid`, `offline_access`) was passed over at the login as well.
    let asked: Vec<Scope> = asked.split(' ').filter_map(Scope::parse).collect();
    if asked.iter().any(|scope| !held.contains(scope)) {
        return Err(OAuthError::new(Code::InvalidScope, "a scope was not granted; sign in again for it"));
    }
    let kept: Vec<&str> =
        held.iter().filter(|scope| asked.contains(scope)).map(|scope| scope.name()).collect();
    Ok(kept.join(" "))
}

/// `Authorization: Basic`, both parts form-encoded (RFC 6749 §2.3.1).
fn basic(header: &str) -> Result<(String, Secret), OAuthError> {
    let bad = OAuthError::new(Code::InvalidClient, "the Authorization header is not Basic");
    let (scheme, value) = header.split_once(' ').ok_or(bad.clone())?;
    let bytes = STANDARD.decode(value.trim()).map_err(|_| bad.clone())?;
    let text = Secret::new(String::from_utf8(bytes).map_err(|_| bad.clone())?);
    let (id, secret) = text.expose().split_once(':').ok_or(bad.clone())?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return Err(bad);
    }
    let decoded = |part: &str| {
        let part = part.replace('+', " ");
        percent_decode_str(&part).decode_utf8().map(|text| text.into_owned())
    };
    match (decoded(id), decoded(secret)) {
        (Ok(id), Ok(secret)) => Ok((id, Secret::new(secret))),
        _ => Err(bad),
    }
}

/// Enough of an id to find it in the log.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}
