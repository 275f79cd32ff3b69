//! The program, its Nextcloud, a client that waits for the browser on loopback, and a person's browser.

use std::sync::{Arc, Mutex};

use nextcloud_mcp_server::broker::form::Form;
use nextcloud_mcp_server::nextcloud::form_encode;
use nextcloud_mcp_server::replay::server::Loopback;
use serde_json::{Value, json};

use crate::cloud::{Cloud, PASSWORD, html};
use crate::driver::{Browser, Setup};
use crate::site::{INITIALIZED, Running, Site};
use crate::wire::{self, Answered, read_answer, send};

/// The server as browsers see it; each browser is told where that leads.
pub const SERVER: &str = "http://localhost:8000";

/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub struct House {
    pub cloud: Cloud,
    pub running: Running,
    _site: Site,
}

/// An MCP client that registered itself, and whose redirect URI is a port on this machine.
pub struct App<'a> {
    house: &'a House,
    pub id: String,
    listener: Loopback,
    arrived: Arc<Mutex<Vec<String>>>,
}

impl House {
    /// Where people sign in at the provider.
    pub fn new() -> House {
        House::of(|site| site, INITIALIZED)
    }

    /// Where people sign in by Login Flow v2.
    pub fn with_login_flow() -> House {
        House::of(|site| site.with("MCP_LOGIN", "login_flow"), "Sign-in uses Login Flow v2")
    }

    fn of(change: impl Fn(Site) -> Site, started: &str) -> House {
        let cloud = Cloud::new();
        let site = change(Site::new(&cloud.provider));
        let mut running = site.listening();
        running.wait_for(started);
        House { cloud, running, _site: site }
    }

    /// A browser that nobody has used before.
    pub fn browser(&self) -> Browser {
        self.browser_with("en", true)
    }

    pub fn browser_with(&self, language: &'static str, scripts: bool) -> Browser {
        let map = ("localhost:8000".to_owned(), self.running.address().to_owned());
        Browser::new(&Setup { language, scripts, map })
    }

    /// A client of this name.
    pub fn app(&self, name: &str) -> App<'_> {
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&arrived);
        let listener = wire::nextcloud(move |request| {
            if request.target.starts_with("/callback") {
                kept.lock().expect("arrivals").push(request.target.clone());
            }
            html("<h1>Back at the client</h1>")
        });
        let redirect_uri = format!("{}/callback", listener.url());
        let metadata = json!({"client_name": name, "redirect_uris": [redirect_uri],
            "token_endpoint_auth_method": "none"});
        let answer = self.post("/oauth/register", "application/json", &metadata.to_string());
        assert_eq!(answer.status, 201, "{}", answer.whole);
        let id = answer.json()["client_id"].as_str().expect("an id").to_owned();
        App { house: self, id, listener, arrived }
    }

    fn post(&self, path: &str, media: &str, body: &str) -> Answered {
        let address = self.running.address();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {media}\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        read_answer(send(address, &request))
    }

    /// Whether a call of a tool with this token is let in, and goes well.
    pub fn call(&self, token: &str) -> Answered {
        self.running.post(token, &wire::call(1, 88))
    }
}

impl App<'_> {
    /// Where it sends the browser.
    pub fn start(&self) -> String {
        self.start_with(&[])
    }

    /// The same with these parameters in place of its own.
    pub fn start_with(&self, changes: &[(&str, &str)]) -> String {
        let redirect_uri = format!("{}/callback", self.listener.url());
        let mut parameters = vec![
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", &redirect_uri),
            ("state", "state-of-the-client"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("resource", "http://localhost:8000/mcp"),
        ];
        parameters.retain(|(name, _)| !changes.iter().any(|(other, _)| other == name));
        parameters.extend(changes);
        format!("{SERVER}/oauth/authorize?{}", form_encode(&parameters))
    }

    /// How often a browser came back.
    pub fn arrivals(&self) -> usize {
        self.arrived.lock().expect("arrivals").len()
    }

    /// What a parameter said with which the browser came back last; empty if it was not there.
    pub fn told(&self, name: &str) -> String {
        let arrived = self.arrived.lock().expect("arrivals");
        let target = arrived.last().expect("the browser came back");
        let form = Form::parse(target.split_once('?').expect("a query").1).expect("a query");
        form.one(name).expect("once").unwrap_or_default().to_owned()
    }

    /// Exchanges the code with which the browser came back last.
    pub fn redeem(&self) -> Answered {
        assert_eq!((self.told("state"), self.told("iss")), ("state-of-the-client".into(), SERVER.into()));
        let redirect_uri = format!("{}/callback", self.listener.url());
        let fields = form_encode(&[
            ("grant_type", "authorization_code"),
            ("code", &self.told("code")),
            ("client_id", &self.id),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", VERIFIER),
            ("resource", "http://localhost:8000/mcp"),
        ]);
        self.house.post("/oauth/token", "application/x-www-form-urlencoded", &fields)
    }

    /// The same, where it must go well.
    pub fn tokens(&self) -> Value {
        let answer = self.redeem();
        assert_eq!(answer.status, 200, "{}", answer.whole);
        answer.json()
    }

    /// Its access token, after a tool was called with it.
    pub fn working_token(&self) -> String {
        let token = self.tokens()["access_token"].as_str().expect("a token").to_owned();
        let answer = self.house.call(&token);
        assert!(wire::shown(&answer.json()).contains("marked-content"), "{}", answer.whole);
        token
    }
}

/// What a person does at the provider.
pub fn log_in(browser: &Browser) {
    browser.see("Log in to Nextcloud");
    browser.find("input[name=user]").type_in("alice");
    browser.find("input[name=password]").type_in(PASSWORD);
    browser.button("Log in").click();
}

/// A whole sign-in, from the client and back to it.
pub fn connect(browser: &Browser, app: &App) {
    browser.go(&app.start());
    browser.button("Allow and sign in").click();
    log_in(browser);
    browser.see("Back at the client");
}

/// Nothing was refused, blocked or broken on the pages so far.
pub fn assert_quiet(browser: &Browser) {
    let said = browser.console();
    assert!(said.is_empty(), "the console says {said:#?}");
}
