//! The login through Nextcloud's `oidc` app or another provider: authorization code flow with PKCE, `state` and `nonce`
//! (OpenID Connect Core §3.1, RFC 7636, RFC 9207).

use std::sync::Arc;

use serde::Deserialize;

use super::{Begun, Form, Identity, Kept, LoginError, PATIENCE};
use crate::auth::claims::{Expected, LEEWAY_S};
use crate::auth::client_store::AuthMethod;
use crate::auth::discovery::ProviderMetadata;
use crate::auth::keys::KeyCache;
use crate::auth::startup::Client;
use crate::broker::random::{challenge_of, secret};
use crate::clock::{Clock, Ids};
use crate::config::BaseUrl;
use crate::nextcloud::{self, Account, Credential, Fetch, Nextcloud, OutsideRequest, form_encode};
use crate::secret::Secret;
use crate::store::Upstream;

/// What the login asks the provider for: who the person is. What the client may do is our own affair.
const SCOPES: &str = "openid profile email";

/// Signs people in at the provider.
pub struct OidcLogin {
    pub nextcloud: Arc<Nextcloud>,
    pub fetch: Arc<dyn Fetch>,
    /// This server as browsers see it.
    pub public_url: BaseUrl,
    /// The issuer as browsers see it, where that differs from the provider's own name.
    pub public_issuer: Option<String>,
    pub clock: Clock,
    pub ids: Ids,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    id_token: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl OidcLogin {
    pub fn begin(
        &self,
        metadata: &ProviderMetadata,
        client: &Client,
        state: &str,
    ) -> Result<Begun, LoginError> {
        let random = || secret(&self.ids, "").map_err(|error| LoginError::Unavailable(error.to_string()));
        let (verifier, nonce) = (random()?, random()?);
        let redirect_uri = self.redirect_uri();
        let challenge = challenge_of(verifier.expose());
        let parameters = [
            ("response_type", "code"),
            ("client_id", &client.id),
            ("redirect_uri", &redirect_uri),
            ("scope", SCOPES),
            ("state", state),
            ("nonce", nonce.expose()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let mut url = metadata.authorization_endpoint.clone();
        // A provider that has another name outside is shown to browsers under that.
        if let (Some(public), Some(rest)) = (&self.public_issuer, url.strip_prefix(&metadata.issuer)) {
            url = format!("{public}{rest}");
        }
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&form_encode(&parameters));
        Ok(Begun::Redirect { url, kept: Kept::Code { verifier, nonce } })
    }

    pub fn finish(
        &self,
        metadata: &ProviderMetadata,
        client: &Client,
        (verifier, nonce): (&Secret, &Secret),
        answer: &Form,
    ) -> Result<Identity, LoginError> {
        let malformed = |_| LoginError::Rejected("a parameter came twice".into());
        match answer.one("error").map_err(malformed)? {
            Some("access_denied") => return Err(LoginError::Denied),
            Some(error) => {
                return Err(LoginError::Rejected(format!("the provider says {:.60}", error.escape_debug())));
            }
            None => {}
        }
        // RFC 9207: where an issuer is named it is this one, or the answer is another provider's.
        let issuers = self.issuers(metadata);
        if answer
            .one("iss")
            .map_err(malformed)?
            .is_some_and(|issuer| !issuers.iter().any(|known| known == issuer))
        {
            return Err(LoginError::Rejected("the answer is of another issuer".into()));
        }
        let code = answer.one("code").map_err(malformed)?;
        let code = code.ok_or_else(|| LoginError::Rejected("the answer has no code".into()))?;
        let tokens = self.exchange(metadata, client, code, verifier)?;
        self.check_id_token(metadata, client, tokens.id_token.as_deref(), nonce)?;
        let account = Account::new(Credential::Bearer(Secret::new(tokens.access_token)));
        let call = self.nextcloud.call(PATIENCE);
        let asked = self.nextcloud.client(&account, &call);
        let user_id = asked.user_id().map_err(not_given)?;
        let password = asked.app_password().map_err(not_given)?;
        Ok(Identity { login_name: user_id.clone(), user_id, upstream: Upstream::AppPassword(password) })
    }

    fn exchange(
        &self,
        metadata: &ProviderMetadata,
        client: &Client,
        code: &str,
        verifier: &Secret,
    ) -> Result<Tokens, LoginError> {
        let redirect_uri = self.redirect_uri();
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri.as_str()),
            ("code_verifier", verifier.expose()),
        ];
        let request = match client.auth_method {
            AuthMethod::ClientSecretBasic => {
                OutsideRequest::post_form(metadata.token_endpoint.as_str(), &fields)
                    .basic(&client.id, &client.secret)
            }
            AuthMethod::ClientSecretPost => {
                fields.extend([("client_id", client.id.as_str()), ("client_secret", client.secret.expose())]);
                OutsideRequest::post_form(metadata.token_endpoint.as_str(), &fields)
            }
        };
        let answer =
            self.fetch.fetch(&request).map_err(|error| LoginError::Unavailable(error.to_string()))?;
        if answer.status != 200 {
            let code =
                serde_json::from_slice(&answer.body).map_or(String::new(), |refused: Refused| refused.error);
            if code == "invalid_client" {
                return Err(LoginError::ClientRefused);
            }
            let why = format!("the token endpoint answered {} {:.60}", answer.status, code.escape_debug());
            return Err(if answer.status >= 500 {
                LoginError::Unavailable(why)
            } else {
                LoginError::Rejected(why)
            });
        }
        serde_json::from_slice(&answer.body)
            .map_err(|_| LoginError::Rejected("the token endpoint answered what are no tokens".into()))
    }

    /// OpenID Connect Core §3.1.3.7: signature, issuer, audience, times, nonce.
    fn check_id_token(
        &self,
        metadata: &ProviderMetadata,
        client: &Client,
        id_token: Option<&str>,
        nonce: &Secret,
    ) -> Result<(), LoginError> {
        let rejected = |why: &str| LoginError::Rejected(format!("the id_token is not accepted: {why}"));
        let id_token = id_token.ok_or_else(|| rejected("there is none"))?;
        let uri = metadata.jwks_uri.clone().ok_or_else(|| rejected("the provider names no keys"))?;
        let fetch = self.fetch.clone();
        let get = move || match fetch.fetch(&OutsideRequest::get(uri.as_str())) {
            Ok(answer) if answer.is_success() => Ok(answer.body),
            Ok(answer) => Err(format!("the provider answered {}", answer.status)),
            Err(error) => Err(error.to_string()),
        };
        // Logins are rare, so keys are fetched for each: none of them is ever out of date.
        let keys = KeyCache::new(Box::new(get), self.clock.clone());
        let expected = Expected {
            issuers: self.issuers(metadata),
            resources: Vec::new(),
            audiences: vec![client.id.clone()],
            leeway_s: LEEWAY_S,
        };
        let claims = keys.verify(id_token, &expected).map_err(|reason| rejected(reason.word()))?;
        if !claims.nonce.is_some_and(|claimed| nonce.is(&claimed)) {
            return Err(rejected("its nonce is not that of this login"));
        }
        Ok(())
    }

    fn issuers(&self, metadata: &ProviderMetadata) -> Vec<String> {
        std::iter::once(metadata.issuer.clone()).chain(self.public_issuer.clone()).collect()
    }

    fn redirect_uri(&self) -> String {
        format!("{}{}", self.public_url, crate::auth::registration::CALLBACK)
    }
}

/// Without an app password there would be nothing to go on with once the access token is over.
fn not_given(error: nextcloud::Error) -> LoginError {
    LoginError::Unavailable(format!(
        "Nextcloud gave no app password for the provider's token ({error}); let user_oidc take its tokens \
         (oidc_provider_bearer_validation), or set MCP_LOGIN=login_flow, which needs neither app"
    ))
}
