//! A Nextcloud that is an identity provider, with the recorded answers of its `oidc` app; a test changes what it is about.

use std::sync::{Arc, Mutex};

use nextcloud_mcp_server::replay::server::{Loopback, Request, Response};
use serde_json::{Value, json};

use crate::minter::Minter;
use crate::wire;

pub const JSON: &str = "application/json; charset=utf-8";
/// Seconds since 1970 that are long over, and that no clock will show.
pub const LONG_AGO_S: u64 = 1_000_000_000;
pub const NEVER_S: u64 = 4_102_444_800;

/// How the first client that it registers begins, and the secrets of all of them, by the recordings.
pub const FIRST_CLIENT: &str = "PySehoT9qX2es8v0";
pub const SECRET: &str = "recorded-client-secret";
pub const REGISTRATION_TOKEN: &str = "recorded-registration-access-token";

pub struct Provider {
    site: Loopback,
    asked: Arc<Mutex<Vec<Request>>>,
    pub minter: Arc<Minter>,
}

/// What a test has the provider answer instead; `None` for the recorded answer.
type Instead = dyn Fn(&Request) -> Option<Response> + Send + Sync;

impl Provider {
    /// The `oidc` app 2.0.9 as it was recorded.
    pub fn new() -> Provider {
        Provider::but(|_| None)
    }

    /// The same but for these answers.
    pub fn but(instead: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static) -> Provider {
        Provider::with(|_| (), instead)
    }

    /// The same with these changes to its discovery document, and but for these answers.
    pub fn with(
        change: impl Fn(&mut Value) + Send + Sync + 'static,
        instead: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static,
    ) -> Provider {
        let (asked, minter) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Minter::new()));
        let (kept, keys) = (Arc::clone(&asked), minter.jwks());
        let instead: Box<Instead> = Box::new(instead);
        let site = wire::nextcloud(move |request| {
            let asked_before = kept.lock().expect("requests").clone();
            kept.lock().expect("requests").push(request.clone());
            instead(&request).unwrap_or_else(|| recorded_answer(&request, &asked_before, &change, &keys))
        });
        Provider { site, asked, minter }
    }

    pub fn url(&self) -> &str {
        self.site.url()
    }

    /// The requests so far whose target ends like this.
    pub fn asked(&self, end: &str) -> Vec<Request> {
        let asked = self.asked.lock().expect("requests");
        asked.iter().filter(|request| request.target.ends_with(end)).cloned().collect()
    }

    pub fn registrations(&self) -> Vec<Request> {
        self.asked("/apps/oidc/register")
    }

    /// Signs the claims of a good token with these changes; `null` takes a claim away.
    pub fn token(&self, alg: &str, changes: &Value) -> String {
        let mut claims = json!({"iss": self.url(), "sub": "alice", "aud": "http://localhost:8000/mcp",
            "iat": LONG_AGO_S, "exp": NEVER_S, "scope": "openid notes:read notes:write files:read"});
        for (name, value) in changes.as_object().expect("claims") {
            claims[name.as_str()] = value.clone();
        }
        claims.as_object_mut().expect("claims").retain(|_, value| !value.is_null());
        self.minter.token(alg, &claims)
    }
}

/// The answer to a request for the registration of a client, with another end of its life.
pub fn registered(name: &str, request: &Request, expires_s: u64) -> Response {
    let mut response = recorded(name, &own_url(request));
    let mut body: Value = serde_json::from_slice(&response.body).expect("JSON");
    let wanted: Value = serde_json::from_slice(&request.body).expect("JSON");
    body["redirect_uris"] = wanted["redirect_uris"].clone();
    body["scope"] = wanted["scope"].clone();
    body["client_id_issued_at"] = LONG_AGO_S.into();
    body["client_secret_expires_at"] = expires_s.into();
    response.body = body.to_string().into();
    response
}

pub fn is_registration(request: &Request) -> bool {
    request.method == "POST" && request.target == "/apps/oidc/register"
}

/// What the app 2.0.9 answered to the request of this name, as if this were its address.
pub fn recorded(name: &str, url: &str) -> Response {
    play(include_str!("../../fixtures/oauth/oidc-2.0.9.json"), "localhost:8090", name, url)
}

/// The same of the app 1.6.1.
pub fn recorded_before(name: &str, url: &str) -> Response {
    play(include_str!("../../fixtures/oauth/oidc-1.6.1.json"), "localhost:8080", name, url)
}

fn play(exchanges: &str, recorded_at: &str, name: &str, url: &str) -> Response {
    let exchanges: Value = serde_json::from_str(exchanges).expect("a fixture");
    let exchanges = exchanges.as_array().expect("exchanges");
    let found = exchanges.iter().find(|exchange| exchange["name"] == name).expect("an exchange");
    let response = &found["response"];
    let own = url.trim_start_matches("http://");
    let here = |text: &str| text.replace(recorded_at, own);
    let headers = response["headers"].as_object().expect("headers");
    Response {
        status: u16::try_from(response["status"].as_u64().expect("a status")).expect("a status"),
        headers: headers.iter().map(|(name, v)| (name.clone(), here(v.as_str().expect("text")))).collect(),
        body: here(response["body"].as_str().expect("text")).into(),
        cut_after: None,
    }
}

pub fn own_url(request: &Request) -> String {
    format!("http://{}", request.header("Host").expect("a Host"))
}

pub fn json_answer(status: u16, body: &Value) -> Response {
    wire::answer(status, JSON, &body.to_string())
}

fn recorded_answer(
    request: &Request,
    asked_before: &[Request],
    change: &dyn Fn(&mut Value),
    keys: &Value,
) -> Response {
    let url = own_url(request);
    match (request.method.as_str(), request.target.as_str()) {
        ("GET", "/.well-known/openid-configuration") => recorded("discovery-redirect", &url),
        ("GET", "/index.php/.well-known/openid-configuration") => {
            let mut response = recorded("discovery", &url);
            let mut document: Value = serde_json::from_slice(&response.body).expect("JSON");
            change(&mut document);
            response.body = document.to_string().into();
            response
        }
        ("POST", "/apps/oidc/register") => {
            let first = !asked_before.iter().any(is_registration);
            registered(if first { "dcr-success" } else { "dcr-token-type-jwt" }, request, NEVER_S)
        }
        ("DELETE", _) => recorded("registration-delete", &url),
        ("GET", "/apps/oidc/jwks") => json_answer(200, keys),
        ("GET", "/status.php") => json_answer(
            200,
            &json!({"installed": true, "maintenance": false, "needsDbUpgrade": false,
                "version": "32.0.0.13", "versionstring": "32.0.0"}),
        ),
        _ => Response::text(404, "not here"),
    }
}
