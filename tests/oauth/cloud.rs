//! A Nextcloud where people sign in: the provider's login, Login Flow v2, app passwords, and one note.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nextcloud_mcp_server::replay::server::{Request, Response};
use ring::digest;
use serde_json::{Value, json};

use crate::minter::{Minter, base64url};
use crate::provider::{LONG_AGO_S, NEVER_S, Provider, json_answer, own_url, recorded_before};
use crate::web::{Fields, fields_of, parameter};
use crate::wire;

const TOKEN: &str = "upstream-access-token";
pub const NOTE: u64 = 88;

pub struct Cloud {
    pub provider: Provider,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    minter: OnceLock<Arc<Minter>>,
    login: Mutex<Login>,
}

/// What happens when somebody signs in, and what has happened.
#[derive(Default)]
pub struct Login {
    /// The person says no at the provider.
    pub denies: bool,
    /// The provider does not know this client of ours any more.
    pub forgotten: Option<&'static str>,
    /// The nonce of the id_token, in place of the one that was asked for.
    pub nonce: Option<String>,
    /// The person has said yes on the page of Login Flow v2.
    pub granted: bool,
    /// The account is locked: DAV says 503 to it, everything else 401.
    pub disabled: bool,
    /// App passwords that are good.
    pub passwords: Vec<String>,
    /// How many there were.
    pub made: usize,
    /// Challenge and nonce of the last request to the provider.
    asked: (String, String),
}

impl Cloud {
    /// With the `oidc` app.
    pub fn new() -> Cloud {
        Cloud::but(|_| None)
    }

    /// Without that app.
    pub fn without_provider() -> Cloud {
        Cloud::but(|request| {
            request
                .target
                .contains(".well-known/")
                .then(|| recorded_before("oauth-authorization-server-not-there-2", &own_url(request)))
        })
    }

    fn but(instead: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static) -> Cloud {
        let state = Arc::new(State::default());
        let known = Arc::clone(&state);
        let provider = Provider::but(move |request| instead(request).or_else(|| known.answer(request)));
        assert!(state.minter.set(Arc::clone(&provider.minter)).is_ok());
        Cloud { provider, state }
    }

    pub fn login(&self) -> MutexGuard<'_, Login> {
        self.state.login.lock().expect("the login")
    }
}

impl State {
    fn answer(&self, request: &Request) -> Option<Response> {
        let mut login = self.login.lock().expect("the login");
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let body = String::from_utf8_lossy(&request.body);
        Some(match (request.method.as_str(), path) {
            ("GET", "/apps/oidc/authorize") => login.authorize(query),
            ("POST", "/apps/oidc/token") => self.token(&login, &own_url(request), &fields_of(&body)),
            ("POST", "/index.php/login/v2") => json_answer(
                200,
                // As Nextcloud names itself by its configuration: nobody can reach it by that.
                &json!({"login": "https://cloud.invalid/login/v2/flow/flow-token",
                    "poll": {"token": "poll-token", "endpoint": "https://cloud.invalid/login/v2/poll"}}),
            ),
            ("POST", "/login/v2/poll") => login.poll(&body),
            ("PROPFIND", _) if login.disabled => disabled(),
            (_, path) if is_private(path) && !login.knows(request) => {
                json_answer(401, &json!({"message": ""}))
            }
            ("PROPFIND", "/remote.php/dav/") => principal(),
            ("GET", "/ocs/v2.php/core/getapppassword") => {
                let password = login.make_password();
                ocs(&json!({"apppassword": password}))
            }
            ("DELETE", "/ocs/v2.php/core/apppassword") => {
                login.passwords.retain(|known| request.header("Authorization") != Some(&basic(known)));
                ocs(&json!([]))
            }
            _ => wire::note(wire::note_id(request)?),
        })
    }

    fn token(&self, login: &Login, issuer: &str, form: &Fields) -> Response {
        let field = |name: &str| form.iter().find(|(known, _)| known == name).map_or("", |(_, v)| v.as_str());
        if login.forgotten.is_some_and(|start| field("client_id").starts_with(start)) {
            return json_answer(401, &json!({"error": "invalid_client"}));
        }
        let challenge = base64url(digest::digest(&digest::SHA256, field("code_verifier").as_bytes()));
        if field("code") != "upstream-code" || challenge != login.asked.0 {
            return json_answer(400, &json!({"error": "invalid_grant"}));
        }
        let nonce = login.nonce.as_ref().unwrap_or(&login.asked.1);
        let claims = json!({"iss": issuer, "sub": "alice", "aud": field("client_id"), "nonce": nonce,
            "iat": LONG_AGO_S, "exp": NEVER_S});
        let id_token = self.minter.get().expect("a minter").token("RS256", &claims);
        json_answer(
            200,
            &json!({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 900, "id_token": id_token}),
        )
    }
}

impl Login {
    /// The provider's page: whoever comes is signed in, and goes back at once.
    fn authorize(&mut self, query: &str) -> Response {
        let asked = |name: &str| parameter(&format!("?{query}"), name).unwrap_or_default();
        self.asked = (asked("code_challenge"), asked("nonce"));
        let outcome = if self.denies { "error=access_denied" } else { "code=upstream-code" };
        let mut response = Response::text(303, "");
        let back = format!("{}?{outcome}&state={}", asked("redirect_uri"), asked("state"));
        response.headers.push(("Location".into(), back));
        response
    }

    /// 404 until the person has said yes, and again once the answer was given.
    fn poll(&mut self, body: &str) -> Response {
        if body != "token=poll-token" || !std::mem::take(&mut self.granted) {
            return json_answer(404, &json!([]));
        }
        let password = self.make_password();
        json_answer(
            200,
            &json!({"server": "https://cloud.invalid", "loginName": "alice", "appPassword": password}),
        )
    }

    fn make_password(&mut self) -> String {
        self.made += 1;
        let password = format!("planted-app-password-{}", self.made);
        self.passwords.push(password.clone());
        password
    }

    fn knows(&self, request: &Request) -> bool {
        let shown = request.header("Authorization").unwrap_or_default();
        let good = self.passwords.iter().any(|password| shown == basic(password));
        !self.disabled && (good || shown == format!("Bearer {TOKEN}"))
    }
}

fn is_private(path: &str) -> bool {
    ["/remote.php/", "/ocs/", "/index.php/apps/notes/"].iter().any(|start| path.starts_with(start))
}

fn basic(password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("alice:{password}")))
}

fn ocs(data: &Value) -> Response {
    json_answer(
        200,
        &json!({"ocs": {"meta": {"status": "ok", "statuscode": 200, "message": "OK"}, "data": data}}),
    )
}

fn principal() -> Response {
    let body = "<?xml version=\"1.0\"?><d:multistatus xmlns:d=\"DAV:\"><d:response>\
         <d:href>/remote.php/dav/</d:href><d:propstat><d:prop><d:current-user-principal>\
         <d:href>/remote.php/dav/principals/users/alice/</d:href></d:current-user-principal></d:prop>\
         <d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>";
    wire::answer(207, "application/xml; charset=utf-8", body)
}

fn disabled() -> Response {
    let body = "<?xml version=\"1.0\"?><d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\">\
         <s:exception>Sabre\\DAV\\Exception\\ServiceUnavailable</s:exception>\
         <s:message>OC\\User\\LoginException: Account disabled</s:message></d:error>";
    wire::answer(503, "application/xml; charset=utf-8", body)
}
