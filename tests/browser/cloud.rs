//! A Nextcloud whose login pages a person can fill in: those of the `oidc` app, and the grant page of Login Flow v2.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nextcloud_mcp_server::broker::form::Form;
use nextcloud_mcp_server::nextcloud::form_encode;
use nextcloud_mcp_server::pages::escape;
use nextcloud_mcp_server::replay::server::{Request, Response};
use ring::digest::{SHA256, digest};
use serde_json::json;

use crate::minter::{Minter, base64url};
use crate::program::PATIENCE;
use crate::provider::{LONG_AGO_S, NEVER_S, Provider, json_answer, own_url};
use crate::wire;

/// Alice's own, as she types it.
pub const PASSWORD: &str = "planted-login-password";
const ACCESS_TOKEN: &str = "planted-upstream-token";

pub struct Cloud {
    pub provider: Provider,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    minter: OnceLock<Arc<Minter>>,
    state: Mutex<State>,
    flow_begun: Condvar,
}

#[derive(Default)]
struct State {
    /// How many codes, passwords and flows there were: part of the name of the next.
    count: u32,
    /// The request that a code answers.
    codes: HashMap<String, String>,
    /// Of Login Flow v2: the app password that the next question gets.
    flows: HashMap<String, Option<String>>,
    holds_flow: bool,
    /// Those that are valid.
    app_passwords: HashSet<String>,
}

impl Cloud {
    pub fn new() -> Cloud {
        let shared = Arc::new(Shared::default());
        let answerer = Arc::clone(&shared);
        let provider = Provider::but(move |request| answerer.answer(request));
        assert!(shared.minter.set(Arc::clone(&provider.minter)).is_ok());
        Cloud { provider, shared }
    }

    /// How many app passwords are valid.
    pub fn app_passwords(&self) -> usize {
        self.shared.lock().app_passwords.len()
    }

    /// As an administrator does, or the person in Nextcloud's own settings.
    pub fn revoke_all(&self) {
        self.shared.lock().app_passwords.clear();
    }

    /// Does not answer the next question for a flow before there is another: so two of one form are under way at once.
    pub fn hold_the_next_flow(&self) {
        self.shared.lock().holds_flow = true;
    }

    /// How many codes were exchanged for tokens.
    pub fn exchanges(&self) -> usize {
        self.provider.asked("/apps/oidc/token").len()
    }
}

impl State {
    fn next(&mut self, what: &str) -> String {
        self.count += 1;
        format!("planted-{what}-{}", self.count)
    }

    fn new_app_password(&mut self) -> String {
        let password = self.next("app-password");
        self.app_passwords.insert(password.clone());
        password
    }

    fn knows(&self, request: &Request) -> bool {
        let header = request.header("Authorization").unwrap_or_default();
        let of = |password: &String| format!("Basic {}", STANDARD.encode(format!("alice:{password}")));
        header == format!("Bearer {ACCESS_TOKEN}") || self.app_passwords.iter().map(of).any(|of| of == header)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the state")
    }

    fn answer(&self, request: &Request) -> Option<Response> {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let path = path.strip_prefix("/index.php").unwrap_or(path);
        let form = || Form::parse(std::str::from_utf8(&request.body).expect("UTF-8")).expect("a form");
        let whose = |answer: Response| if self.lock().knows(request) { answer } else { refused() };
        Some(match (request.method.as_str(), path) {
            ("GET", "/apps/oidc/authorize") => login_page(query, ""),
            ("POST", "/login") => self.login(&form()),
            ("POST", "/apps/oidc/token") => self.token(&own_url(request), &form()),
            ("PROPFIND", "/remote.php/dav/") => whose(wire::answer(207, "application/xml", PRINCIPAL)),
            ("GET", "/ocs/v2.php/core/getapppassword") => {
                let given = ocs(&json!({"apppassword": self.lock().new_app_password()}));
                whose(given)
            }
            ("DELETE", "/ocs/v2.php/core/apppassword") => self.forget(request),
            ("GET", "/apps/notes/api/v1/notes/88") => whose(wire::note(88)),
            ("POST", "/login/v2") => self.begin_flow(&own_url(request)),
            ("GET", flow) if flow.starts_with("/login/v2/flow/") => grant_page(&flow[15..]),
            ("POST", "/login/v2/grant") => self.grant(&form()),
            ("POST", "/login/v2/poll") => self.poll(&own_url(request), &form()),
            _ => return None,
        })
    }

    fn login(&self, form: &Form) -> Response {
        let asked = one(form, "request");
        let query = Form::parse(&asked).expect("a query");
        let state = one(&query, "state");
        let back = |parameters: &[(&str, &str)]| {
            redirect(&format!("{}?{}", one(&query, "redirect_uri"), form_encode(parameters)))
        };
        if form.one("no").ok().flatten().is_some() {
            return back(&[("error", "access_denied"), ("state", &state)]);
        }
        if (one(form, "user").as_str(), one(form, "password").as_str()) != ("alice", PASSWORD) {
            return login_page(&asked, "<p>Wrong login or password.</p>");
        }
        let mut shared = self.lock();
        let code = shared.next("code");
        shared.codes.insert(code.clone(), asked);
        back(&[("code", &code), ("state", &state)])
    }

    fn token(&self, url: &str, form: &Form) -> Response {
        let Some(asked) = self.lock().codes.remove(&one(form, "code")) else {
            return json_answer(400, &json!({"error": "invalid_grant"}));
        };
        let query = Form::parse(&asked).expect("a query");
        let shown = base64url(digest(&SHA256, one(form, "code_verifier").as_bytes()));
        assert_eq!(shown, one(&query, "code_challenge"), "PKCE (RFC 7636 §4.6)");
        let claims = json!({"iss": url, "sub": "alice", "aud": one(&query, "client_id"),
            "nonce": one(&query, "nonce"), "iat": LONG_AGO_S, "exp": NEVER_S});
        let id_token = self.minter.get().expect("keys").token("RS256", &claims);
        json_answer(
            200,
            &json!({"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 900, "id_token": id_token}),
        )
    }

    fn forget(&self, request: &Request) -> Response {
        let mut state = self.lock();
        if !state.knows(request) {
            return refused();
        }
        let header = request.header("Authorization").unwrap_or_default();
        let is_this =
            |password: &String| header == format!("Basic {}", STANDARD.encode(format!("alice:{password}")));
        state.app_passwords.retain(|password| !is_this(password));
        ocs(&json!([]))
    }

    fn begin_flow(&self, url: &str) -> Response {
        let mut state = self.lock();
        let token = state.next("flow");
        state.flows.insert(token.clone(), None);
        self.flow_begun.notify_all();
        if std::mem::take(&mut state.holds_flow) {
            let is_alone = |state: &mut State| state.flows.len() == 1;
            drop(self.flow_begun.wait_timeout_while(state, PATIENCE / 6, is_alone).expect("the state"));
        }
        json_answer(
            200,
            &json!({"poll": {"token": token, "endpoint": format!("{url}/index.php/login/v2/poll")},
                "login": format!("{url}/index.php/login/v2/flow/{token}")}),
        )
    }

    fn grant(&self, form: &Form) -> Response {
        let mut state = self.lock();
        let password = state.new_app_password();
        let flow = state.flows.get_mut(&one(form, "flow")).expect("a flow under way");
        *flow = Some(password);
        html("<h1>Account connected</h1><p>You can close this window.</p>")
    }

    /// Tells the app password once (Login Flow v2).
    fn poll(&self, url: &str, form: &Form) -> Response {
        let mut state = self.lock();
        let token = one(form, "token");
        match state.flows.get(&token).cloned().flatten() {
            Some(password) => {
                state.flows.remove(&token);
                json_answer(200, &json!({"server": url, "loginName": "alice", "appPassword": password}))
            }
            None => json_answer(404, &json!([])),
        }
    }
}

fn one(form: &Form, name: &str) -> String {
    form.one(name).expect("once").unwrap_or_default().to_owned()
}

fn login_page(query: &str, more: &str) -> Response {
    html(&format!(
        "<h1>Log in to Nextcloud</h1>{more}<form method=\"post\" action=\"/login\">\
         <input type=\"hidden\" name=\"request\" value=\"{}\">\
         <label>Account name <input name=\"user\" autocomplete=\"username\" autofocus></label>\
         <label>Password <input name=\"password\" type=\"password\" \
         autocomplete=\"current-password\"></label>\
         <button>Log in</button><button name=\"no\" value=\"1\">Deny</button></form>",
        escape(query)
    ))
}

fn grant_page(flow: &str) -> Response {
    html(&format!(
        "<h1>Account access</h1><form method=\"post\" action=\"/login/v2/grant\">\
         <input type=\"hidden\" name=\"flow\" value=\"{flow}\"><button>Grant access</button></form>"
    ))
}

pub fn html(body: &str) -> Response {
    // Without an icon of its own a page has its browser look for one.
    let page = format!("<!DOCTYPE html><link rel=\"icon\" href=\"data:,\"><title>Nextcloud</title>{body}");
    wire::answer(200, "text/html; charset=utf-8", &page)
}

fn redirect(url: &str) -> Response {
    let mut response = Response::text(303, "");
    response.headers.push(("Location".into(), url.into()));
    response
}

fn ocs(data: &serde_json::Value) -> Response {
    json_answer(
        200,
        &json!({"ocs": {"meta": {"status": "ok", "statuscode": 200, "message": "OK"}, "data": data}}),
    )
}

fn refused() -> Response {
    json_answer(401, &json!({"message": "Current user is not logged in"}))
}

const PRINCIPAL: &str = "<?xml version=\"1.0\"?><d:multistatus xmlns:d=\"DAV:\"><d:response>\
    <d:href>/remote.php/dav/</d:href><d:propstat><d:prop><d:current-user-principal>\
    <d:href>/remote.php/dav/principals/users/alice/</d:href></d:current-user-principal></d:prop>\
    <d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>";
