//! The whole way of a client, and everything that somebody else could try on it.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::McpClient;
use super::error::{Code, OAuthError};
use super::form::Form;
use super::login::{Begun, Identity, Kept, Login, LoginError};
use super::random::challenge_of;
use super::*;
use crate::nextcloud::form_encode;
use crate::secret::Secret;
use crate::store::Upstream;
use crate::tool::Scopes;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const REDIRECT: &str = "http://localhost:3334/cb";

/// A Nextcloud where alice says yes, with what it was asked for.
#[derive(Default)]
struct FakeLogin {
    polls: bool,
    given_back: Arc<Mutex<Vec<String>>>,
    fails: Arc<Mutex<Option<LoginError>>>,
    asked: Mutex<u32>,
}

impl FakeLogin {
    fn identity(&self) -> Result<Identity, LoginError> {
        match self.fails.lock().unwrap().take() {
            Some(error) => Err(error),
            None => Ok(Identity {
                user_id: "alice".into(),
                login_name: "alice@example.org".into(),
                upstream: Upstream::AppPassword(Secret::new("planted-password")),
            }),
        }
    }
}

impl Login for FakeLogin {
    fn begin(&self, state: &str) -> Result<Begun, LoginError> {
        if let Some(error) = self.fails.lock().unwrap().take() {
            return Err(error);
        }
        Ok(if self.polls {
            let kept = Kept::Poll { endpoint: "/poll".into(), token: Secret::new("t") };
            Begun::Grant { url: "https://cloud.example.org/login/v2/flow/x".into(), kept }
        } else {
            let kept = Kept::Code { verifier: Secret::new("v"), nonce: Secret::new("n") };
            Begun::Redirect { url: format!("https://cloud.example.org/authorize?state={state}"), kept }
        })
    }

    fn finish(&self, _: &Kept, parameters: &Form) -> Result<Identity, LoginError> {
        if parameters.one("error") == Ok(Some("access_denied")) {
            return Err(LoginError::Denied);
        }
        self.identity()
    }

    fn ask(&self, _: &Kept) -> Result<Option<Identity>, LoginError> {
        *self.asked.lock().unwrap() += 1;
        if *self.asked.lock().unwrap() < 2 { Ok(None) } else { self.identity().map(Some) }
    }

    fn is_good(&self, _: &str, _: &Upstream) -> Result<bool, LoginError> {
        Ok(true)
    }

    fn give_back(&self, login_name: &str, _: &Upstream) -> Result<(), LoginError> {
        match self.fails.lock().unwrap().take() {
            Some(error) => Err(error),
            None => {
                self.given_back.lock().unwrap().push(login_name.to_owned());
                Ok(())
            }
        }
    }
}

struct NoDocuments;

impl ClientDocuments for NoDocuments {
    fn client(&self, _: &str) -> Result<McpClient, OAuthError> {
        Err(OAuthError::new(Code::InvalidClient, "there are no documents in this test"))
    }
}

struct House {
    broker: Broker,
    clock: Clock,
    given_back: Arc<Mutex<Vec<String>>>,
    fails: Arc<Mutex<Option<LoginError>>>,
    folder: PathBuf,
    browser: Browser,
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl House {
    fn new(test: &str) -> House {
        House::with(test, FakeLogin::default())
    }

    fn with(test: &str, login: FakeLogin) -> House {
        let folder = std::env::temp_dir().join(format!("broker-{}-{test}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let clock = Clock::manual(1_800_000_000_000);
        let ids = Ids::random();
        let store = Arc::new(Store::open(&folder.join("tokens.db"), None, &ids).expect("opens"));
        let public_url = BaseUrl::parse("https://mcp.example.org").expect("a URL");
        let offered = vec![Scope::NotesRead, Scope::NotesWrite, Scope::FilesRead];
        let (given_back, fails) = (login.given_back.clone(), login.fails.clone());
        let browser = new_browser();
        let terms = Terms { public_url, offered };
        let broker = Broker::new(terms, store, Box::new(login), Box::new(NoDocuments), clock.clone(), ids);
        House { broker, clock, given_back, fails, folder, browser }
    }

    fn register(&self, metadata: Value) -> Value {
        self.broker.register(metadata.to_string().as_bytes()).expect("registers")
    }

    fn public_client(&self) -> String {
        let answer = self.register(json!({"client_name": "Inspector", "redirect_uris": [REDIRECT]}));
        answer["client_id"].as_str().expect("an id").to_owned()
    }

    fn request(client: &str) -> Vec<(&'static str, String)> {
        vec![
            ("client_id", client.to_owned()),
            ("redirect_uri", REDIRECT.into()),
            ("response_type", "code".into()),
            ("state", "client-state".into()),
            ("code_challenge", challenge_of(VERIFIER)),
            ("code_challenge_method", "S256".into()),
            ("scope", "notes:read notes:write".into()),
        ]
    }

    /// The ticket of the consent page.
    fn ticket(&self, client: &str) -> String {
        match self.broker.authorize(&form(&House::request(client)), &self.browser) {
            Answer::Consent(consent) => consent.ticket.expose().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    fn say_yes(&self, ticket: &str) -> Answer {
        let fields =
            [("ticket", ticket), ("allow", "yes"), ("scope", "notes:read"), ("scope", "notes:write")];
        self.broker.consent(&form(&fields), &self.browser)
    }

    fn come_back(&self, ticket: &str) -> Answer {
        self.broker.callback(&form(&[("state", ticket), ("code", "x")]), &self.browser)
    }

    /// The code that the client gets at the end of a login.
    fn code(&self, client: &str) -> String {
        let ticket = self.ticket(client);
        assert!(matches!(self.say_yes(&ticket), Answer::Redirect(_)));
        parameter(&redirect(self.come_back(&ticket)), "code").expect("a code")
    }

    fn exchange(&self, client: &str, code: &str) -> Result<Value, OAuthError> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        self.broker.token(&form(&fields), None)
    }

    fn refresh(&self, client: &str, token: &str) -> Result<Value, OAuthError> {
        let fields = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
        self.broker.token(&form(&fields), None)
    }

    fn is_let_in(&self, access: &str) -> bool {
        self.broker.caller(access).expect("answers").is_some()
    }
}

fn new_browser() -> Browser {
    let url = BaseUrl::parse("https://mcp.example.org").expect("a URL");
    Browser::of([].into_iter(), &url, &Ids::random()).expect("a browser")
}

fn form<N: AsRef<str>, V: AsRef<str>>(fields: &[(N, V)]) -> Form {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    Form::parse(&form_encode(&fields)).expect("a form")
}

fn redirect(answer: Answer) -> String {
    match answer {
        Answer::Redirect(url) | Answer::SignedIn { url, .. } => url,
        other => panic!("{other:?}"),
    }
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let query = url.split_once('?')?.1;
    Form::parse(query).expect("a query").one(name).expect("once").map(str::to_owned)
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().expect(name)
}

fn refused(result: Result<Value, OAuthError>) -> Code {
    result.expect_err("is refused").code
}

#[test]
fn a_client_gets_tokens_that_let_it_in_and_can_be_renewed() {
    let house = House::new("whole");
    let client = house.public_client();
    let ticket = house.ticket(&client);
    let to_nextcloud = redirect(house.say_yes(&ticket));
    assert!(to_nextcloud.starts_with("https://cloud.example.org/authorize?state="));
    let back = redirect(house.come_back(&ticket));
    assert!(back.starts_with("http://localhost:3334/cb?code="));
    assert_eq!(parameter(&back, "state").as_deref(), Some("client-state"));
    assert_eq!(parameter(&back, "iss").as_deref(), Some("https://mcp.example.org"));
    let tokens = house.exchange(&client, &parameter(&back, "code").expect("a code")).expect("tokens");
    assert_eq!(tokens["scope"], "notes:read notes:write");
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&"Bearer".into(), &3_600.into()));
    let caller = house.broker.caller(text(&tokens, "access_token")).expect("answers").expect("a caller");
    assert_eq!(caller.name, "alice");
    assert!(
        matches!(&caller.scopes, Scopes::Only(scopes) if scopes == &[Scope::NotesRead, Scope::NotesWrite])
    );
    house.clock.advance(Duration::from_secs(3_600));
    assert!(!house.is_let_in(text(&tokens, "access_token")), "an hour is over");
    let renewed = house.refresh(&client, text(&tokens, "refresh_token")).expect("tokens");
    assert!(house.is_let_in(text(&renewed, "access_token")));
    assert!(!house.is_let_in(text(&renewed, "refresh_token")), "it is no access token");
    let again = house.broker.caller(text(&renewed, "access_token")).expect("answers").expect("a caller");
    assert!(Arc::ptr_eq(&again.account, &caller.account), "its cookies are kept");
}

#[test]
fn the_person_may_give_less_than_was_asked_for() {
    let house = House::new("less");
    let client = house.public_client();
    let ticket = house.ticket(&client);
    // A box that was never there cannot be ticked.
    let fields =
        [("ticket", ticket.as_str()), ("allow", "yes"), ("scope", "notes:read"), ("scope", "files:read")];
    house.broker.consent(&form(&fields), &house.browser);
    let code = parameter(&redirect(house.come_back(&ticket)), "code").expect("a code");
    assert_eq!(house.exchange(&client, &code).expect("tokens")["scope"], "notes:read");
}

#[test]
fn no_is_told_to_the_client() {
    let house = House::new("no");
    let client = house.public_client();
    for fields in [
        vec![("allow", "no"), ("scope", "notes:read")],
        vec![("scope", "notes:read")],
        vec![("allow", "yes")],
    ] {
        let ticket = house.ticket(&client);
        let fields = [fields, vec![("ticket", ticket.as_str())]].concat();
        let back = redirect(house.broker.consent(&form(&fields), &house.browser));
        assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
        assert_eq!(parameter(&back, "state").as_deref(), Some("client-state"));
        assert!(matches!(house.come_back(&ticket), Answer::Redirect(url) if url == back), "it is over");
    }
    let ticket = house.ticket(&client);
    house.say_yes(&ticket);
    let denied = form(&[("state", ticket.as_str()), ("error", "access_denied")]);
    let back = redirect(house.broker.callback(&denied, &house.browser));
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
}

#[test]
fn login_flow_v2_waits_until_nextcloud_says_yes() {
    let house = House::with("flow", FakeLogin { polls: true, ..FakeLogin::default() });
    let client = house.public_client();
    let ticket = house.ticket(&client);
    assert!(matches!(house.say_yes(&ticket), Answer::Waiting { url, .. } if url.contains("/login/v2/flow/")));
    let wait = || house.broker.wait(&form(&[("ticket", ticket.as_str())]), &house.browser);
    assert!(matches!(wait(), Answer::Waiting { .. }));
    let back = redirect(wait());
    assert!(house.exchange(&client, &parameter(&back, "code").expect("a code")).is_ok());
    assert_eq!(redirect(wait()), back, "a page that is loaded again");
    assert!(matches!(house.come_back(&ticket), Answer::Redirect(url) if url == back));
}

#[test]
fn a_form_that_is_sent_twice_begins_one_login() {
    let house = House::new("twice");
    let client = house.public_client();
    let ticket = house.ticket(&client);
    assert_eq!(redirect(house.say_yes(&ticket)), redirect(house.say_yes(&ticket)));
    let back = redirect(house.come_back(&ticket));
    assert_eq!(redirect(house.come_back(&ticket)), back);
    assert_eq!(redirect(house.say_yes(&ticket)), back, "the back button");
}

#[test]
fn another_browser_cannot_go_on_with_a_login() {
    let house = House::new("browser");
    let client = house.public_client();
    let ticket = house.ticket(&client);
    let other = new_browser();
    let yes = form(&[("ticket", ticket.as_str()), ("allow", "yes"), ("scope", "notes:read")]);
    assert!(matches!(house.broker.consent(&yes, &other), Answer::Problem(Problem::NoLogin)));
    house.say_yes(&ticket);
    let back = form(&[("state", ticket.as_str()), ("code", "x")]);
    assert!(matches!(house.broker.callback(&back, &other), Answer::Problem(Problem::NoLogin)));
    for state in ["", "guess"] {
        let forged = form(&[("state", state), ("code", "x")]);
        assert!(matches!(house.broker.callback(&forged, &house.browser), Answer::Problem(Problem::NoLogin)));
    }
    assert!(matches!(house.come_back(&ticket), Answer::SignedIn { .. }), "the right one still can");
}

#[test]
fn a_login_cannot_skip_the_consent_and_has_an_end() {
    let house = House::new("skip");
    let client = house.public_client();
    let ticket = house.ticket(&client);
    assert!(matches!(house.come_back(&ticket), Answer::Problem(Problem::NoLogin)));
    house.clock.advance(Duration::from_secs(20 * 60));
    assert!(matches!(house.say_yes(&ticket), Answer::Problem(Problem::NoLogin)));
}

#[test]
fn each_fault_of_a_request_is_refused_in_its_place() {
    let house = House::new("faults");
    let client = house.public_client();
    let with = |name: &str, value: &str| {
        let mut fields = House::request(&client);
        fields.retain(|(known, _)| *known != name);
        fields.push(("x", String::new()));
        let mut fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        fields.push((name, value));
        house.broker.authorize(&form(&fields), &house.browser)
    };
    for (name, value) in [
        ("client_id", "nobody"),
        ("client_id", "https://evil.example/client"),
        ("redirect_uri", "http://localhost:3334/cb/x"),
        ("redirect_uri", "https://evil.example/cb"),
    ] {
        assert!(matches!(with(name, value), Answer::Problem(Problem::Request(_))), "{name}={value}");
    }
    for (name, value, error) in [
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("resource", "https://other.example/mcp", "invalid_target"),
        ("response_type", "token", "unsupported_response_type"),
        ("scope", "deck:read", "invalid_scope"),
    ] {
        let back = redirect(with(name, value));
        assert_eq!(parameter(&back, "error").as_deref(), Some(error), "{name}={value}");
        assert_eq!(parameter(&back, "iss").as_deref(), Some("https://mcp.example.org"));
        assert!(back.starts_with(REDIRECT));
    }
}

#[test]
fn a_code_is_of_no_use_to_anybody_else() {
    let house = House::new("code");
    let client = house.public_client();
    let other = house.public_client();
    let with = |client: &str, name: &str, value: &str| {
        let code = house.code(client);
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", code.as_str()),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        fields.retain(|(known, _)| *known != name);
        fields.push((name, value));
        refused(house.broker.token(&form(&fields), None))
    };
    assert_eq!(with(&client, "code_verifier", &"x".repeat(43)), Code::InvalidGrant);
    assert_eq!(with(&client, "code_verifier", ""), Code::InvalidRequest);
    assert_eq!(
        with(&client, "code_verifier", &challenge_of(VERIFIER)),
        Code::InvalidGrant,
        "the plain method"
    );
    assert_eq!(with(&client, "redirect_uri", "http://localhost:3335/cb"), Code::InvalidGrant);
    assert_eq!(with(&client, "client_id", &other), Code::InvalidGrant);
    assert_eq!(with(&client, "client_id", "nobody"), Code::InvalidClient);
    assert_eq!(with(&client, "resource", "https://other.example/"), Code::InvalidTarget);
    assert_eq!(with(&client, "grant_type", "password"), Code::UnsupportedGrantType);
    assert_eq!(with(&client, "code", "guess"), Code::InvalidGrant);
    // A wrong verifier uses the code up.
    let code = house.code(&client);
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", client.as_str()),
        ("code", code.as_str()),
        ("code_verifier", &"x".repeat(43)),
    ];
    assert!(house.broker.token(&form(&fields), None).is_err());
    assert_eq!(refused(house.exchange(&client, &code)), Code::InvalidGrant);
    let code = house.code(&client);
    house.clock.advance(Duration::from_secs(60));
    assert_eq!(refused(house.exchange(&client, &code)), Code::InvalidGrant, "a minute is over");
}

#[test]
fn a_code_that_is_shown_twice_ends_what_it_gave() {
    let house = House::new("replay");
    let client = house.public_client();
    let code = house.code(&client);
    let tokens = house.exchange(&client, &code).expect("tokens");
    assert!(house.is_let_in(text(&tokens, "access_token")));
    assert_eq!(refused(house.exchange(&client, &code)), Code::InvalidGrant);
    assert!(!house.is_let_in(text(&tokens, "access_token")));
    assert_eq!(refused(house.refresh(&client, text(&tokens, "refresh_token"))), Code::InvalidGrant);
}

#[test]
fn a_refresh_token_that_is_shown_twice_ends_the_grant_for_thief_and_owner() {
    let house = House::new("reuse");
    let client = house.public_client();
    let tokens = house.exchange(&client, &house.code(&client)).expect("tokens");
    let renewed = house.refresh(&client, text(&tokens, "refresh_token")).expect("tokens");
    assert_eq!(refused(house.refresh(&client, text(&tokens, "refresh_token"))), Code::InvalidGrant);
    assert!(!house.is_let_in(text(&renewed, "access_token")));
    assert_eq!(refused(house.refresh(&client, text(&renewed, "refresh_token"))), Code::InvalidGrant);
    house.broker.tidy_up();
    assert_eq!(*house.given_back.lock().unwrap(), ["alice@example.org"]);
}

#[test]
fn a_refresh_token_is_bound_to_its_client_and_its_scopes() {
    let house = House::new("bound");
    let client = house.public_client();
    let tokens = house.exchange(&client, &house.code(&client)).expect("tokens");
    let refresh = text(&tokens, "refresh_token");
    assert_eq!(refused(house.refresh(&house.public_client(), refresh)), Code::InvalidGrant);
    let with_scope = |scope| {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", client.as_str()),
            ("refresh_token", refresh),
            ("scope", scope),
        ];
        house.broker.token(&form(&fields), None)
    };
    assert_eq!(refused(with_scope("files:read")), Code::InvalidScope);
    assert_eq!(refused(house.refresh(&client, text(&tokens, "access_token"))), Code::InvalidGrant);
    let fewer = with_scope("notes:read offline_access").expect("tokens");
    assert_eq!(fewer["scope"], "notes:read");
    let all = house.refresh(&client, text(&fewer, "refresh_token")).expect("tokens");
    assert_eq!(all["scope"], "notes:read notes:write", "fewer once are not fewer for ever");
}

#[test]
fn a_client_with_a_secret_must_show_it_in_the_header_or_in_the_form() {
    let house = House::new("secret");
    for (method, in_header) in
        ["client_secret_post", "client_secret_basic"].into_iter().flat_map(|m| [(m, false), (m, true)])
    {
        let answer =
            house.register(json!({"redirect_uris": [REDIRECT], "token_endpoint_auth_method": method}));
        let (id, secret) = (text(&answer, "client_id"), text(&answer, "client_secret"));
        let ask = |secret: Option<&str>, header: bool| {
            let code = house.code(id);
            let mut fields = vec![
                ("grant_type", "authorization_code"),
                ("code", code.as_str()),
                ("code_verifier", VERIFIER),
            ];
            let basic = secret.map(|secret| {
                use base64::Engine as _;
                let pair = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
                format!("Basic {pair}")
            });
            if !header {
                fields.push(("client_id", id));
                fields.extend(secret.map(|secret| ("client_secret", secret)));
            }
            house.broker.token(&form(&fields), basic.as_deref().filter(|_| header))
        };
        assert!(ask(Some(secret), in_header).is_ok(), "{method}");
        assert_eq!(refused(ask(Some("wrong"), in_header)), Code::InvalidClient);
        assert_eq!(refused(ask(None, false)), Code::InvalidClient);
    }
}

#[test]
fn a_revoked_grant_is_over_here_at_once_and_at_nextcloud_when_it_can_be_told() {
    let house = House::new("revoke");
    let client = house.public_client();
    let tokens = house.exchange(&client, &house.code(&client)).expect("tokens");
    let revoke = |client: &str, token: &str| {
        house.broker.revoke(&form(&[("client_id", client), ("token", token)]), None)
    };
    revoke(&house.public_client(), text(&tokens, "access_token")).expect("answers");
    revoke(&client, "nobody's").expect("answers");
    assert!(house.is_let_in(text(&tokens, "access_token")), "it was not theirs");
    revoke(&client, text(&tokens, "refresh_token")).expect("answers");
    assert!(!house.is_let_in(text(&tokens, "access_token")));
    *house.fails.lock().unwrap() = Some(LoginError::Unavailable("no connection".into()));
    house.broker.tidy_up();
    assert!(house.given_back.lock().unwrap().is_empty());
    house.broker.tidy_up();
    house.broker.tidy_up();
    assert_eq!(*house.given_back.lock().unwrap(), ["alice@example.org"], "once");
}

#[test]
fn what_nobody_redeemed_is_given_back() {
    let house = House::new("unredeemed");
    let client = house.public_client();
    house.code(&client);
    house.broker.tidy_up();
    assert!(house.given_back.lock().unwrap().is_empty(), "the client may still come");
    house.clock.advance(Duration::from_secs(20 * 60 + 1));
    house.broker.tidy_up();
    assert_eq!(house.given_back.lock().unwrap().len(), 1);
}

#[test]
fn a_flood_of_registrations_is_held_back_for_a_minute() {
    let house = House::new("flood");
    let metadata = json!({"redirect_uris": [REDIRECT]}).to_string();
    for _ in 0..30 {
        house.broker.register(metadata.as_bytes()).expect("registers");
    }
    assert_eq!(refused(house.broker.register(metadata.as_bytes())), Code::SlowDown);
    house.clock.advance(Duration::from_secs(60));
    assert!(house.broker.register(metadata.as_bytes()).is_ok());
    for bad in ["", "[]", "{", &format!("{{\"x\":\"{}\"}}", "x".repeat(20_000))] {
        assert_eq!(refused(house.broker.register(bad.as_bytes())), Code::InvalidClientMetadata);
    }
}

#[test]
fn a_failed_login_tells_the_person_and_leaves_nothing() {
    let house = House::new("failed");
    let client = house.public_client();
    let ticket = house.ticket(&client);
    *house.fails.lock().unwrap() = Some(LoginError::Unavailable("no connection".into()));
    assert!(matches!(house.say_yes(&ticket), Answer::Problem(Problem::Login(_))));
    house.say_yes(&ticket);
    *house.fails.lock().unwrap() = Some(LoginError::Rejected("bad nonce".into()));
    assert!(matches!(house.come_back(&ticket), Answer::Problem(Problem::Login(_))));
    let back = redirect(house.come_back(&ticket));
    assert_eq!(parameter(&back, "error").as_deref(), Some("server_error"), "once is enough");
    house.clock.advance(Duration::from_secs(3_600));
    house.broker.tidy_up();
    assert!(house.given_back.lock().unwrap().is_empty());
}

#[test]
fn the_metadata_agree_with_what_is_served() {
    let house = House::new("metadata");
    let metadata = house.broker.metadata();
    assert_eq!(metadata["issuer"], "https://mcp.example.org");
    assert_eq!(metadata["token_endpoint"], "https://mcp.example.org/oauth/token");
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(metadata["scopes_supported"], json!(["notes:read", "notes:write", "files:read"]));
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
}

fn session(answer: Answer) -> Session {
    match answer {
        Answer::SignedIn { session, .. } => session,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_last_use_of_a_connection_is_known_to_ten_minutes() {
    let house = House::new("use");
    let client = house.public_client();
    let tokens = house.exchange(&client, &house.code(&client)).expect("tokens");
    let used_at = || house.broker.connections("alice").unwrap()[0].used_at;
    let begin = used_at();
    for (after_s, noted_s) in [(599, 0), (601, 601), (1_200, 601), (1_201, 1_201)] {
        house
            .clock
            .advance(Duration::from_secs(begin + after_s) - Duration::from_secs(house.clock.now().unix_s()));
        assert!(house.is_let_in(text(&tokens, "access_token")));
        assert_eq!(used_at() - begin, noted_s, "after {after_s} s");
    }
}

#[test]
fn a_person_sees_and_takes_back_their_own_connections_only() {
    let house = House::new("person");
    let client = house.public_client();
    let ticket = house.ticket(&client);
    house.say_yes(&ticket);
    let answer = house.come_back(&ticket);
    let code = parameter(&redirect(answer.clone()), "code").expect("a code");
    let session = session(answer);
    let tokens = house.exchange(&client, &code).expect("tokens");
    assert_eq!(house.broker.person(&session).as_deref(), Some("alice"));
    let grants = house.broker.connections("alice").expect("reads");
    assert_eq!((grants.len(), grants[0].client_name.as_str()), (1, "Inspector"));
    assert!(house.broker.take_back(&session, "guess", &grants[0].id).is_err(), "no ticket of the page");
    house.broker.take_back(&session, &session.ticket(), "none").expect("answers");
    assert!(house.is_let_in(text(&tokens, "access_token")));
    house.broker.take_back(&session, &session.ticket(), &grants[0].id).expect("takes it back");
    assert!(!house.is_let_in(text(&tokens, "access_token")));
    assert!(house.broker.connections("alice").expect("reads").is_empty());
    house.broker.sign_out(&session, &session.ticket()).expect("signs out");
    assert_eq!(house.broker.person(&session), None);
    assert!(house.broker.take_back(&session, &session.ticket(), &grants[0].id).is_err());
}

#[test]
fn a_sign_in_for_the_page_keeps_no_credential() {
    let house = House::new("page");
    let to_nextcloud = redirect(house.broker.sign_in(&house.browser));
    let state = parameter(&to_nextcloud, "state").expect("a state");
    let answer = house.come_back(&state);
    assert_eq!(redirect(answer.clone()), "https://mcp.example.org/");
    assert_eq!(house.broker.person(&session(answer)).as_deref(), Some("alice"));
    assert_eq!(*house.given_back.lock().unwrap(), ["alice@example.org"]);
    house.clock.advance(Duration::from_secs(8 * 3_600));
    let ticket = form(&[("ticket", state.as_str()), ("allow", "yes")]);
    assert!(matches!(house.broker.consent(&ticket, &house.browser), Answer::Problem(Problem::NoLogin)));
}
