//! Finds the caller behind a bearer token, in oauth mode: the one place where keys, verdicts and the provider meet.
//!
//! A JWT is judged by its signature and claims alone, and never falls through to a weaker check. Anything else is asked
//! about at the provider: introspection (RFC 7662), or userinfo where the operator allowed that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::accounts::Accounts;
use super::claims::{Claims, Expected, LEEWAY_S};
use super::client_store::AuthMethod;
use super::discovery::ProviderMetadata;
use super::introspection::{self, AudienceRule};
use super::keys::KeyCache;
use super::reason::Reason;
use super::startup::{Client, Readiness, Startup};
use super::tokens::VerifiedTokens;
use super::{Caller, jwt, userinfo};
use crate::clock::Clock;
use crate::nextcloud::{Fetch, OutsideRequest};
use crate::secret::Secret;
use crate::tool::{Scope, Scopes};

/// What the configuration says about tokens.
#[derive(Clone, Debug)]
pub struct Rules {
    /// URLs of this server that tokens may be for.
    pub resources: Vec<String>,
    /// Further audiences that the operator accepts.
    pub audiences: Vec<String>,
    /// The issuer as clients see it, where that differs from the provider's own name.
    pub public_issuer: Option<String>,
    /// Whether tokens of the provider are taken at all.
    pub direct_tokens: bool,
    /// Whether userinfo may vouch for a token, although it knows no audience.
    pub userinfo: bool,
    /// How an introspection answer says that a token is for us.
    pub audience_rule: AudienceRule,
}

/// Judges tokens. Shared by all requests.
pub struct Verifier {
    rules: Rules,
    startup: Arc<Startup>,
    fetch: Arc<dyn Fetch>,
    clock: Clock,
    verdicts: VerifiedTokens,
    /// The keys and the address that they come from.
    keys: Mutex<Option<(String, Arc<KeyCache>)>>,
    accounts: Accounts,
}

impl Verifier {
    pub fn new(rules: Rules, startup: Arc<Startup>, fetch: Arc<dyn Fetch>, clock: Clock) -> Verifier {
        Verifier {
            rules,
            startup,
            fetch,
            verdicts: VerifiedTokens::new(clock.clone()),
            keys: Mutex::new(None),
            accounts: Accounts::new(clock.clone()),
            clock,
        }
    }

    /// How far the start has come, for `/health/ready` and the metadata document.
    pub fn readiness(&self) -> Readiness {
        self.startup.readiness()
    }

    /// The caller who holds this token. Fails with the whole reason, which is for the log only.
    pub fn caller(&self, token: &str) -> Result<Caller, Reason> {
        let claims = self.verdicts.check(token, || self.judge(token))?;
        let scopes = claims.scopes.iter().filter_map(|name| Scope::parse(name)).collect();
        Ok(Caller {
            name: claims.subject.clone(),
            scopes: Scopes::Only(scopes),
            account: self.accounts.of(token, claims.expires_s),
        })
    }

    fn judge(&self, token: &str) -> Result<Claims, Reason> {
        if !self.rules.direct_tokens {
            return Err(Reason::BadIssuer);
        }
        let (metadata, client) = match self.startup.readiness() {
            Readiness::Ready { metadata, client } => (metadata, client),
            // Waiting for a provider would help nobody; signing in does.
            Readiness::NoProvider { .. } => return Err(Reason::BadIssuer),
            Readiness::Starting { .. } | Readiness::Failed { .. } => return Err(Reason::Unreachable),
        };
        let expected = self.expected(&metadata);
        if jwt::is_jwt(token) {
            let uri = metadata.jwks_uri.as_deref().ok_or(Reason::NoKeys)?;
            return self.keys(uri).verify(token, &expected);
        }
        match (&metadata.introspection_endpoint, &metadata.userinfo_endpoint) {
            (Some(uri), _) => self.introspect(uri, &client, token, &expected),
            (None, Some(uri)) if self.rules.userinfo => self.ask_userinfo(uri, token),
            _ => {
                log::debug!(
                    "the provider has no introspection, and userinfo is not allowed to vouch for tokens"
                );
                Err(Reason::Inactive)
            }
        }
    }

    fn expected(&self, metadata: &ProviderMetadata) -> Expected {
        let issuers =
            std::iter::once(metadata.issuer.clone()).chain(self.rules.public_issuer.clone()).collect();
        Expected {
            issuers,
            resources: self.rules.resources.clone(),
            audiences: self.rules.audiences.clone(),
            leeway_s: LEEWAY_S,
        }
    }

    /// The keys at this address; a provider that moves them gets a new cache.
    fn keys(&self, uri: &str) -> Arc<KeyCache> {
        let mut keys = lock(&self.keys);
        if let Some((known, cache)) = &*keys
            && known == uri
        {
            return cache.clone();
        }
        let (fetch, url) = (self.fetch.clone(), uri.to_owned());
        let get = move || match fetch.fetch(&OutsideRequest::get(url.as_str())) {
            Ok(answer) if answer.is_success() => Ok(answer.body),
            Ok(answer) => Err(format!("the provider answered {}", answer.status)),
            Err(error) => Err(error.to_string()),
        };
        let cache = Arc::new(KeyCache::new(Box::new(get), self.clock.clone()));
        *keys = Some((uri.to_owned(), cache.clone()));
        cache
    }

    fn introspect(
        &self,
        uri: &str,
        client: &Client,
        token: &str,
        expected: &Expected,
    ) -> Result<Claims, Reason> {
        let mut fields = vec![("token", token), ("token_type_hint", "access_token")];
        let request = match client.auth_method {
            AuthMethod::ClientSecretBasic => {
                OutsideRequest::post_form(uri, &fields).basic(&client.id, &client.secret)
            }
            AuthMethod::ClientSecretPost => {
                fields.extend([("client_id", client.id.as_str()), ("client_secret", client.secret.expose())]);
                OutsideRequest::post_form(uri, &fields)
            }
        };
        let answer = self.fetch.fetch(&request).map_err(|error| {
            log::warn!("introspection failed error=\"{error}\"");
            Reason::Unreachable
        })?;
        match answer.status {
            200 => introspection::read(
                &answer.body,
                expected,
                self.rules.audience_rule,
                self.clock.now().unix_s(),
            ),
            400 | 401 => {
                // It is our client that was refused, not the token.
                log::warn!("the provider does not accept our client status={}", answer.status);
                self.startup.client_refused(&client.id);
                Err(Reason::Unreachable)
            }
            status => {
                log::warn!("introspection failed status={status}");
                Err(Reason::Unreachable)
            }
        }
    }

    fn ask_userinfo(&self, uri: &str, token: &str) -> Result<Claims, Reason> {
        log::debug!("Token validation via userinfo endpoint");
        let request = OutsideRequest::get(uri).bearer(&Secret::new(token));
        let answer = self.fetch.fetch(&request).map_err(|error| {
            log::warn!("userinfo failed error=\"{error}\"");
            Reason::Unreachable
        })?;
        match answer.status {
            200 => userinfo::read(&answer.body).map(with_all_scopes),
            // Nextcloud's oidc app says 400 to a token that it does not know.
            400 | 401 | 403 => Err(Reason::Inactive),
            _ => Err(Reason::Unreachable),
        }
    }
}

/// Userinfo does not say what a token may do. The operator who lets it vouch for tokens lets them do everything.
fn with_all_scopes(mut claims: Claims) -> Claims {
    if claims.scopes.is_empty() {
        claims.scopes = Scope::ALL.iter().map(|scope| scope.name().to_owned()).collect();
    }
    claims
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
