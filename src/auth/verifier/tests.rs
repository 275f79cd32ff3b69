//! Verdicts on tokens in front of a provider that is asked as little as can be.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::*;
use crate::auth::client_store::InMemory;
use crate::auth::discovery::tests::tape::{answer, recorded};
use crate::auth::startup::Setup;
use crate::auth::startup::tests::config;
use crate::clock::Ids;
use crate::config::{BaseUrl, OAuth, OAuthClient};
use crate::nextcloud::{Kind, OutsideError, OutsideResponse};

const ISSUER: &str = "http://localhost:8090";
const START_MS: u64 = 1_795_476_555_000;
const START_S: u64 = START_MS / 1000;
const ACTIVE: &str =
    r#"{"active":true,"sub":"alice","aud":"http://localhost:8000/mcp","scope":"notes:read"}"#;

type Answered = Result<OutsideResponse, OutsideError>;

/// The oidc app 2.0.9, whose answers a test can change while it runs.
struct Provider {
    discovery: String,
    /// Names of the keys that it publishes.
    kids: Mutex<Vec<&'static str>>,
    introspection: Mutex<Answered>,
    asked: Mutex<Vec<OutsideRequest>>,
}

impl Provider {
    fn asked(&self, end: &str) -> usize {
        lock(&self.asked).iter().filter(|request| request.url.ends_with(end)).count()
    }

    fn publishes(&self, kids: &[&'static str]) {
        *lock(&self.kids) = kids.to_vec();
    }

    fn says(&self, answered: Answered) {
        *lock(&self.introspection) = answered;
    }
}

impl Fetch for Provider {
    fn fetch(&self, request: &OutsideRequest) -> Answered {
        lock(&self.asked).push(request.clone());
        let register = if self.asked("/register") > 1 { "dcr-token-type-jwt" } else { "dcr-success" };
        match request.url.strip_prefix(ISSUER).unwrap_or_default() {
            "/.well-known/openid-configuration" => Ok(answer(200, &self.discovery)),
            "/apps/oidc/register" => Ok(recorded("2.0.9", register)),
            "/apps/oidc/jwks" => {
                let keys: Vec<Value> = lock(&self.kids).iter().map(|kid| jwk(kid)).collect();
                Ok(answer(200, &json!({ "keys": keys }).to_string()))
            }
            "/apps/oidc/introspect" => lock(&self.introspection).clone(),
            "/apps/oidc/userinfo" => Ok(answer(200, r#"{"sub":"alice"}"#)),
            other => panic!("nobody should ask for {other}"),
        }
    }
}

fn key(kid: &str) -> Ed25519KeyPair {
    let mut seed = [0; 32];
    seed[..kid.len()].copy_from_slice(kid.as_bytes());
    Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed")
}

fn jwk(kid: &str) -> Value {
    let x = URL_SAFE_NO_PAD.encode(key(kid).public_key().as_ref());
    json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x})
}

/// A token that is good for an hour if this key is published, but for these claims.
fn token(kid: &str, changes: Value) -> String {
    let mut claims = json!({"iss": ISSUER, "sub": "alice", "aud": "http://localhost:8000/mcp",
        "exp": START_S + 3600, "scope": "notes:read"});
    for (name, value) in changes.as_object().expect("claims") {
        claims[name.as_str()] = value.clone();
    }
    let header = json!({"alg": "EdDSA", "kid": kid});
    let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encoded(&header), encoded(&claims));
    let signature = URL_SAFE_NO_PAD.encode(key(kid).sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

struct Bench {
    provider: Arc<Provider>,
    startup: Arc<Startup>,
    verifier: Verifier,
    clock: Clock,
}

fn rules() -> Rules {
    Rules {
        resources: vec!["http://localhost:8000/mcp".into(), "http://localhost:8000".into()],
        audiences: Vec::new(),
        public_issuer: None,
        direct_tokens: true,
        userinfo: false,
        audience_rule: AudienceRule::ImpliedByActive,
    }
}

impl Bench {
    /// A verifier whose start has not begun; `change` is made to the discovery document.
    fn starting(rules: Rules, config: OAuth, change: impl Fn(&mut Value)) -> Bench {
        let mut discovery: Value =
            serde_json::from_slice(&recorded("2.0.9", "discovery").body).expect("a document");
        change(&mut discovery);
        let provider = Arc::new(Provider {
            discovery: discovery.to_string(),
            kids: Mutex::new(vec!["first"]),
            introspection: Mutex::new(Ok(answer(200, ACTIVE))),
            asked: Mutex::default(),
        });
        let clock = Clock::manual(START_MS);
        let url = |text| BaseUrl::parse(text).expect("a URL");
        let setup = Setup::new(config, &url(ISSUER), url("http://localhost:8000"), Scope::ALL.to_vec());
        let store = Arc::new(InMemory::default());
        let startup =
            Startup::new(setup, provider.clone(), store, clock.clone(), &Ids::counting(), Box::new(|_| ()));
        let startup = Arc::new(startup);
        let verifier = Verifier::new(rules, startup.clone(), provider.clone(), clock.clone());
        Bench { provider, startup, verifier, clock }
    }

    fn ready(rules: Rules) -> Bench {
        let bench = Bench::starting(rules, config(), |_| ());
        bench.startup.round();
        bench
    }

    fn verdict(&self, token: &str) -> Result<String, Reason> {
        self.verifier.caller(token).map(|caller| caller.name)
    }

    fn after(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

fn alice() -> Result<String, Reason> {
    Ok("alice".into())
}

#[test]
fn a_jwt_that_fails_never_gets_a_weaker_check() {
    let bench = Bench::ready(Rules { userinfo: true, ..rules() });
    let good = token("first", json!({}));
    let forged = format!("{}.{}", good.rsplit_once('.').expect("parts").0, URL_SAFE_NO_PAD.encode([0; 64]));
    let payload = good.split('.').nth(1).expect("claims");
    let unsigned = format!("{}.{payload}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#));
    let cases = [
        (token("first", json!({"aud": "https://other.example"})), Reason::BadAudience),
        (token("first", json!({"exp": START_S - 61})), Reason::Expired),
        (token("first", json!({"nbf": START_S + 61})), Reason::NotYetValid),
        (token("first", json!({"iss": "https://evil.example"})), Reason::BadIssuer),
        (token("stranger", json!({})), Reason::UnknownKey),
        (forged, Reason::BadSignature),
        (unsigned, Reason::Unsigned),
    ];
    for (token, reason) in cases {
        assert_eq!(bench.verdict(&token), Err(reason));
    }
    assert_eq!(bench.verdict(&good), alice());
    assert_eq!((bench.provider.asked("/introspect"), bench.provider.asked("/userinfo")), (0, 0));
}

#[test]
fn nor_does_it_where_the_provider_names_no_keys() {
    let bench = Bench::starting(Rules { userinfo: true, ..rules() }, config(), |document| {
        document.as_object_mut().expect("a document").remove("jwks_uri");
    });
    bench.startup.round();
    assert_eq!(bench.verdict(&token("first", json!({}))), Err(Reason::NoKeys));
    assert_eq!((bench.provider.asked("/introspect"), bench.provider.asked("/userinfo")), (0, 0));
}

#[test]
fn a_new_key_is_fetched_once_and_the_old_one_is_over() {
    let bench = Bench::ready(rules());
    assert_eq!(bench.verdict(&token("first", json!({}))), alice());
    bench.provider.publishes(&["second"]);
    bench.after(61);
    for n in 0..5 {
        assert_eq!(bench.verdict(&token("second", json!({"jti": n}))), alice());
    }
    assert_eq!(bench.verdict(&token("first", json!({}))), Err(Reason::UnknownKey));
    assert_eq!(bench.provider.asked("/jwks"), 2);
}

#[test]
fn without_direct_tokens_everything_is_refused_and_nobody_is_asked() {
    let bench = Bench::ready(Rules { direct_tokens: false, userinfo: true, ..rules() });
    let before = lock(&bench.provider.asked).len();
    for token in [token("first", json!({})), "opaque".to_owned()] {
        assert_eq!(bench.verdict(&token), Err(Reason::BadIssuer));
    }
    assert_eq!(lock(&bench.provider.asked).len(), before);
}

#[test]
fn before_the_start_has_come_to_its_end_no_token_can_be_judged_and_none_is_remembered() {
    let bench = Bench::starting(rules(), config(), |_| ());
    assert_eq!(bench.verdict("opaque"), Err(Reason::Unreachable));
    assert!(lock(&bench.provider.asked).is_empty());
    bench.startup.round();
    assert_eq!(bench.verdict("opaque"), alice());
}

#[test]
fn an_opaque_token_is_asked_about_once_a_minute() {
    let bench = Bench::ready(rules());
    for _ in 0..3 {
        assert_eq!(bench.verdict("opaque"), alice());
    }
    assert_eq!(bench.provider.asked("/introspect"), 1);
    bench.provider.says(Ok(answer(200, r#"{"active":false}"#)));
    bench.after(60);
    assert_eq!(bench.verdict("opaque"), Err(Reason::Inactive));
    assert_eq!(bench.provider.asked("/introspect"), 2);
    // Never a token in an address, where logs would keep it.
    assert!(lock(&bench.provider.asked).iter().all(|request| !request.url.contains('?')));
}

#[test]
fn a_provider_that_does_not_answer_is_not_held_against_the_token() {
    let bench = Bench::ready(rules());
    let down = OutsideError::Network { kind: Kind::Unreachable, detail: None };
    for answered in [Err(down), Ok(answer(502, "")), Ok(answer(200, "<html>"))] {
        bench.provider.says(answered);
        assert_eq!(bench.verdict("opaque"), Err(Reason::Unreachable));
    }
    bench.provider.says(Ok(answer(200, ACTIVE)));
    assert_eq!(bench.verdict("opaque"), alice());
}

#[test]
fn a_client_that_is_refused_is_reported_once() {
    let bench = Bench::ready(rules());
    bench.provider.says(Ok(answer(401, r#"{"error":"invalid_client"}"#)));
    for token in ["a", "b", "a"] {
        assert_eq!(bench.verdict(token), Err(Reason::Unreachable), "it is not the token's fault");
    }
    bench.startup.round();
    assert_eq!(bench.provider.asked("/register"), 2);
    // The new one is refused as well: no registration for each request.
    assert_eq!(bench.verdict("a"), Err(Reason::Unreachable));
    bench.startup.round();
    assert_eq!(bench.provider.asked("/register"), 2);
    bench.provider.says(Ok(answer(200, ACTIVE)));
    assert_eq!(bench.verdict("a"), alice());
}

#[test]
fn the_client_shows_its_secret_in_the_way_that_the_provider_speaks() {
    let client = OAuthClient { id: "my client".into(), secret: Secret::new("a:b") };
    let config = OAuth { client: Some(client), ..config() };
    let bench = Bench::starting(rules(), config, |document| {
        document["token_endpoint_auth_methods_supported"] = json!(["client_secret_basic"]);
    });
    bench.startup.round();
    assert_eq!(bench.verdict("opaque"), alice());
    let asked = lock(&bench.provider.asked);
    let request = asked.last().expect("a request");
    let sent = request.authorization.as_ref().map(|secret| secret.expose().to_owned());
    // RFC 6749 §2.3.1: each part form-encoded first.
    let pair = base64::engine::general_purpose::STANDARD.encode("my%20client:a%3Ab");
    assert_eq!(sent, Some(format!("Basic {pair}")));
    let body = request.body.as_ref().map(|(_, text)| text.expose().to_owned());
    assert_eq!(body.as_deref(), Some("token=opaque&token_type_hint=access_token"));
}

#[test]
fn userinfo_is_asked_only_if_allowed_and_only_where_there_is_no_introspection() {
    let without = |document: &mut Value| {
        document.as_object_mut().expect("a document").remove("introspection_endpoint");
    };
    let cases: [(bool, bool, Result<String, Reason>, usize); 3] =
        [(false, true, Err(Reason::Inactive), 0), (true, true, alice(), 1), (true, false, alice(), 0)];
    for (userinfo, is_without, verdict, asked) in cases {
        let bench = Bench::starting(Rules { userinfo, ..rules() }, config(), |document| {
            if is_without {
                without(document);
            }
        });
        bench.startup.round();
        assert_eq!(bench.verdict("opaque"), verdict);
        assert_eq!(bench.provider.asked("/userinfo"), asked);
    }
}
