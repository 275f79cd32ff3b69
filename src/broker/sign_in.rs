//! The way of a browser: request, consent, Nextcloud, and back to the client.

use super::Broker;
use super::authorize::{self, Authorization, Refusal};
use super::browser::{Browser, Session};
use super::codes::Issued;
use super::error::{Code, OAuthError};
use super::form::Form;
use super::login::{Begun, Identity, Kept, LoginError};
use super::pending::{Pending, Purpose, Stage};
use super::random::{Hash, hash_of, secret};
use super::redirect::{Destination, RedirectUri};
use super::registry::unavailable;
use crate::secret::Secret;
use crate::store::Grant;
use crate::tool::Scope;

/// What a browser is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Ask the person.
    Consent(Consent),
    /// Send the browser on, by a GET (303).
    Redirect(String),
    /// The same, and the person is signed in on our own page from now on: the session's cookie (`Set-Cookie`).
    SignedIn { url: String, session: Session },
    /// Show the address of Nextcloud's page, to be opened beside ours, and ask again in a moment.
    Waiting { ticket: Secret, url: String },
    /// It goes no further.
    Problem(Problem),
}

/// What the person is asked.
#[derive(Clone, Debug)]
pub struct Consent {
    /// Goes back with the form; it ends the form's life when it is used.
    pub ticket: Secret,
    /// What the client calls itself: untrusted, and perhaps empty.
    pub client_name: String,
    pub redirect_uri: RedirectUri,
    pub scopes: Vec<Scope>,
}

/// Why the way ends here, for a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The client's request is at fault; nothing the person can do but to try the client again.
    Request(OAuthError),
    /// The same, where a web site may be told so: at `back`, if the person goes there.
    RequestOfSite { error: OAuthError, host: String, back: String },
    /// No such login under way in this browser: over time, opened elsewhere, or used.
    NoLogin,
    /// Nextcloud did not play along.
    Login(LoginError),
    /// Ours.
    Unavailable(OAuthError),
}

impl Problem {
    /// The status of the page.
    pub fn status(&self) -> u16 {
        match self {
            Problem::Request(_) | Problem::RequestOfSite { .. } | Problem::NoLogin => 400,
            Problem::Login(LoginError::Denied | LoginError::Expired) => 400,
            Problem::Login(_) => 502,
            Problem::Unavailable(error) => error.code.status(),
        }
    }
}

impl Broker {
    /// `GET /oauth/authorize` (RFC 6749 §4.1.1).
    pub fn authorize(&self, query: &Form, browser: &Browser) -> Answer {
        match self.checked(query).and_then(|authorization| self.ask(authorization, browser)) {
            Ok(answer) => answer,
            Err(Refusal::Here(error))
                if matches!(error.code, Code::TemporarilyUnavailable | Code::SlowDown) =>
            {
                Answer::Problem(Problem::Unavailable(error))
            }
            Err(Refusal::Here(error)) => Answer::Problem(Problem::Request(error)),
            Err(Refusal::There { redirect_uri, state, error }) => {
                let back = self.back_with_error(&redirect_uri, state.as_deref(), &error);
                match redirect_uri.destination() {
                    // Anybody can register a site, so that nobody is sent to one unasked (RFC 9700 §4.11.2).
                    Destination::Site(host) => {
                        let host = host.to_owned();
                        Answer::Problem(Problem::RequestOfSite { error, host, back })
                    }
                    Destination::ThisComputer | Destination::Application(_) => Answer::Redirect(back),
                }
            }
        }
    }

    fn checked(&self, query: &Form) -> Result<Authorization, Refusal> {
        let client = self.client(authorize::client_id(query)?).map_err(Refusal::Here)?;
        let terms = authorize::Terms { resources: &self.resources, offered: &self.terms.offered };
        authorize::check(query, client, terms)
    }

    fn ask(&self, authorization: Authorization, browser: &Browser) -> Result<Answer, Refusal> {
        let ticket = secret(&self.ids, "").map_err(Refusal::Here)?;
        let consent = Consent {
            ticket: ticket.clone(),
            client_name: authorization.client.name.clone(),
            redirect_uri: authorization.redirect_uri.clone(),
            scopes: authorization.scopes.clone(),
        };
        if let Err(error) = self.store.use_mcp_client(&authorization.client.id, self.clock.now().unix_s()) {
            log::warn!("{error}");
        }
        let pending = Pending {
            purpose: Purpose::Client(Box::new(authorization)),
            browser: browser.hash(),
            stage: Stage::Asked,
        };
        self.logins.insert(hash_of(ticket.expose()), pending, self.clock.monotonic());
        Ok(Answer::Consent(consent))
    }

    /// `POST /oauth/consent`: the person decided. `allow` is `yes`, or anything else for no; each `scope` is a box that was
    /// ticked.
    pub fn consent(&self, form: &Form, browser: &Browser) -> Answer {
        let Some((ticket, text, pending)) = self.login_of(form, "ticket", browser) else {
            return Answer::Problem(Problem::NoLogin);
        };
        let Purpose::Client(authorization) = &pending.purpose else {
            return Answer::Problem(Problem::NoLogin);
        };
        match &pending.stage {
            Stage::Asked => {}
            // Sent twice: the first one counts.
            Stage::SigningIn { url, kept, .. } => return onward(&text, url, kept),
            Stage::Over { back } => return Answer::Redirect(back.clone()),
        }
        let ticked: Vec<Scope> = form.all("scope").filter_map(Scope::parse).collect();
        let asked = &authorization.scopes;
        let scopes: Vec<Scope> = asked.iter().copied().filter(|scope| ticked.contains(scope)).collect();
        if form.all("allow").next() != Some("yes") || scopes.is_empty() && !asked.is_empty() {
            let error = OAuthError::new(Code::AccessDenied, "the person said no");
            return self.end(&ticket, &pending.purpose, &error);
        }
        match self.login.begin(&text) {
            Ok(Begun::Redirect { url, kept } | Begun::Grant { url, kept }) => {
                let stage = Stage::SigningIn { scopes, url: url.clone(), kept: kept.clone() };
                if self.logins.advance(&ticket, |stage| matches!(stage, Stage::Asked), stage) {
                    return onward(&text, &url, &kept);
                }
                // Another request of this form was faster; its login is the one that counts.
                self.consent(form, browser)
            }
            Err(error) => self.failed(error),
        }
    }

    /// `GET /oauth/callback`: the browser comes back from Nextcloud.
    pub fn callback(&self, query: &Form, browser: &Browser) -> Answer {
        let Some((ticket, _, pending)) = self.login_of(query, "state", browser) else {
            return Answer::Problem(Problem::NoLogin);
        };
        match pending.stage.clone() {
            Stage::SigningIn { scopes, kept: kept @ Kept::Code { .. }, .. } => {
                // Taken before Nextcloud is asked: a code is exchanged once, also where a browser asks twice.
                let no_end = OAuthError::new(Code::ServerError, "the login came to no end");
                let back = self.back(&pending.purpose, &no_end);
                let is_first = |stage: &Stage| matches!(stage, Stage::SigningIn { .. });
                if !self.logins.advance(&ticket, is_first, Stage::Over { back }) {
                    return Answer::Problem(Problem::NoLogin);
                }
                match self.login.finish(&kept, query) {
                    Ok(identity) => self.complete(&ticket, pending.purpose, &scopes, identity),
                    Err(LoginError::Denied) => {
                        let error = OAuthError::new(Code::AccessDenied, "the person said no");
                        self.end(&ticket, &pending.purpose, &error)
                    }
                    Err(error) => self.failed(error),
                }
            }
            Stage::Over { back } => Answer::Redirect(back),
            Stage::Asked | Stage::SigningIn { .. } => Answer::Problem(Problem::NoLogin),
        }
    }

    /// `GET /oauth/wait`: has the person said yes at Nextcloud by now?
    pub fn wait(&self, query: &Form, browser: &Browser) -> Answer {
        let Some((ticket, text, pending)) = self.login_of(query, "ticket", browser) else {
            return Answer::Problem(Problem::NoLogin);
        };
        match pending.stage.clone() {
            Stage::SigningIn { scopes, url, kept: kept @ Kept::Poll { .. } } => match self.login.ask(&kept) {
                Ok(None) => Answer::Waiting { ticket: Secret::new(text), url },
                Ok(Some(identity)) => self.complete(&ticket, pending.purpose, &scopes, identity),
                Err(error) => self.failed(error),
            },
            Stage::Over { back } => Answer::Redirect(back),
            Stage::Asked | Stage::SigningIn { .. } => Answer::Problem(Problem::NoLogin),
        }
    }

    /// The login of a ticket that this browser holds.
    fn login_of(&self, form: &Form, name: &str, browser: &Browser) -> Option<(Hash, String, Pending)> {
        let text = form.one(name).ok().flatten()?;
        let ticket = hash_of(text);
        let pending = self.logins.of(&ticket, &browser.hash(), self.clock.monotonic())?;
        Some((ticket, text.to_owned(), pending))
    }

    /// `POST /oauth/sign-in`: the person wants to see their connections.
    pub fn sign_in(&self, browser: &Browser) -> Answer {
        let ticket = match secret(&self.ids, "") {
            Ok(ticket) => ticket,
            Err(error) => return Answer::Problem(Problem::Unavailable(error)),
        };
        match self.login.begin(ticket.expose()) {
            Ok(Begun::Redirect { url, kept } | Begun::Grant { url, kept }) => {
                let stage = Stage::SigningIn { scopes: Vec::new(), url: url.clone(), kept: kept.clone() };
                let pending = Pending { purpose: Purpose::Page, browser: browser.hash(), stage };
                self.logins.insert(hash_of(ticket.expose()), pending, self.clock.monotonic());
                onward(ticket.expose(), &url, &kept)
            }
            Err(error) => self.failed(error),
        }
    }

    /// The person has signed in: keeps what that was for, and sends the browser on.
    fn complete(&self, ticket: &Hash, purpose: Purpose, scopes: &[Scope], identity: Identity) -> Answer {
        let user_id = identity.user_id.clone();
        let back = match purpose {
            Purpose::Client(authorization) => self.granted(*authorization, scopes, identity),
            Purpose::Page => {
                self.give_back(&identity);
                Ok(self.at("/"))
            }
        };
        match back.and_then(|back| Ok((back, self.begin_session(&user_id)?))) {
            Ok((url, session)) => {
                self.logins.advance(ticket, |_| true, Stage::Over { back: url.clone() });
                Answer::SignedIn { url, session }
            }
            Err(error) => Answer::Problem(Problem::Unavailable(error)),
        }
    }

    /// Keeps the grant; the client's address with its code.
    fn granted(
        &self,
        authorization: Authorization,
        scopes: &[Scope],
        identity: Identity,
    ) -> Result<String, OAuthError> {
        let now = self.clock.now().unix_s();
        let names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
        let (id, code) = (secret(&self.ids, "")?, secret(&self.ids, "nmc_")?);
        let grant = Grant {
            id: id.expose().to_owned(),
            client_id: authorization.client.id.clone(),
            client_name: authorization.client.name.clone(),
            user_id: identity.user_id.clone(),
            login_name: identity.login_name.clone(),
            scopes: names.join(" "),
            resource: self.resources[0].clone(),
            upstream: identity.upstream.clone(),
            created_at: now,
            used_at: now,
            redeemed_at: None,
            ended_at: None,
        };
        if let Err(error) = self.store.save_grant(&grant) {
            self.give_back(&identity);
            return Err(unavailable(error));
        }
        log::info!("signed in user={} client={}", grant.user_id, grant.client_id);
        let issued = Issued {
            grant_id: grant.id,
            client_id: grant.client_id,
            redirect_uri: authorization.redirect_uri.as_str().to_owned(),
            challenge: authorization.challenge,
        };
        self.codes.insert(hash_of(code.expose()), issued, self.clock.monotonic());
        let mut parameters = vec![("code", code.expose())];
        let issuer = self.issuer();
        parameters.extend(authorization.state.as_deref().map(|state| ("state", state)));
        parameters.push(("iss", &issuer));
        Ok(authorization.redirect_uri.with(&parameters))
    }

    /// Gives a credential back that is not kept: nobody else ever would.
    fn give_back(&self, identity: &Identity) {
        if let Err(error) = self.login.give_back(&identity.login_name, &identity.upstream) {
            log::warn!("a credential could not be given back user={} error=\"{error}\"", identity.user_id);
        }
    }

    /// Sends the browser back with an error; the login is over.
    fn end(&self, ticket: &Hash, purpose: &Purpose, error: &OAuthError) -> Answer {
        let back = self.back(purpose, error);
        self.logins.advance(ticket, |_| true, Stage::Over { back: back.clone() });
        Answer::Redirect(back)
    }

    fn failed(&self, error: LoginError) -> Answer {
        log::warn!("a login failed error=\"{error}\"");
        Answer::Problem(Problem::Login(error))
    }

    fn back(&self, purpose: &Purpose, error: &OAuthError) -> String {
        match purpose {
            Purpose::Client(asked) => {
                self.back_with_error(&asked.redirect_uri, asked.state.as_deref(), error)
            }
            Purpose::Page => self.at("/"),
        }
    }

    /// RFC 6749 §4.1.2.1, RFC 9207.
    fn back_with_error(&self, redirect_uri: &RedirectUri, state: Option<&str>, error: &OAuthError) -> String {
        let issuer = self.issuer();
        let mut parameters = vec![("error", error.code.word()), ("error_description", error.about)];
        parameters.extend(state.map(|state| ("state", state)));
        parameters.push(("iss", &issuer));
        redirect_uri.with(&parameters)
    }
}

/// Where the browser goes from the consent page.
fn onward(ticket: &str, url: &str, kept: &Kept) -> Answer {
    match kept {
        Kept::Code { .. } => Answer::Redirect(url.to_owned()),
        Kept::Poll { .. } => Answer::Waiting { ticket: Secret::new(ticket), url: url.to_owned() },
    }
}
