//! Starts from the first line to the last, as an operator reads them.

use super::*;
use crate::auth::client_store::InMemory;
use crate::auth::discovery::tests::tape::{Tape, answer, html, recorded};
use crate::config::{DiscoveryRetry, OAuthClient, Storage, TokenType};
use crate::nextcloud::{Kind, OutsideError, OutsideResponse};

const START_MS: u64 = 1_795_476_555_000;

/// A start with a prepared provider, a storage that outlives it, and the lines.
struct Bench {
    tape: Arc<Tape>,
    clock: Clock,
    startup: Arc<Startup>,
    lines: Arc<Mutex<Vec<String>>>,
}

pub(in crate::auth) fn config() -> OAuth {
    OAuth {
        account_is_set: false,
        client: None,
        scopes: vec!["openid".into()],
        token_type: TokenType::Jwt,
        public_issuer_url: None,
        discovery_url: None,
        discovery_retry: DiscoveryRetry {
            attempts: 10,
            backoff: Duration::from_secs(1),
            backoff_max: Duration::from_secs(15),
        },
        jwks_uri: None,
        introspection_uri: None,
        userinfo_uri: None,
        accepted_audiences: Vec::new(),
        direct_tokens: true,
        login: crate::config::LoginChoice::Auto,
        userinfo_validation: false,
        storage: Storage { file: None, encryption_key: None },
    }
}

fn preconfigured() -> OAuth {
    let client = OAuthClient { id: "my-client".into(), secret: Secret::new("planted-secret") };
    OAuth { client: Some(client), ..config() }
}

impl Bench {
    fn new(
        nextcloud: &str,
        config: OAuth,
        store: &Arc<InMemory>,
        answers: impl IntoIterator<Item = Result<OutsideResponse, OutsideError>>,
    ) -> Bench {
        let tape = Arc::new(Tape::new(answers));
        let clock = Clock::manual(START_MS);
        let url = |text| BaseUrl::parse(text).expect("a URL");
        let setup = Setup::new(config, &url(nextcloud), url("http://localhost:8000"), Scope::ALL.to_vec());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = lines.clone();
        let tell = move |event: Event<'_>| lock(&kept).push(format!("{} {event}", event.level()));
        let startup =
            Startup::new(setup, tape.clone(), store.clone(), clock.clone(), &Ids::counting(), Box::new(tell));
        Bench { tape, clock, startup: Arc::new(startup), lines }
    }

    /// Announces the mode and goes through the start once.
    fn start(&self) -> Duration {
        self.startup.announce();
        self.startup.round()
    }

    fn lines(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.lines))
    }

    fn reason(&self) -> String {
        self.startup.readiness().check().expect_err("not ready").to_owned()
    }

    fn client_id(&self) -> String {
        match self.startup.readiness() {
            Readiness::Ready { client, .. } => client.id.clone(),
            other => panic!("{other:?}"),
        }
    }
}

fn store() -> Arc<InMemory> {
    Arc::new(InMemory::default())
}

/// The lines of a start with the oidc app 2.0.9, up to the client.
fn beginning() -> Vec<String> {
    [
        "INFO OAuth mode detected (NEXTCLOUD_USERNAME/PASSWORD not set)",
        "INFO Configuring MCP server for OAuth mode",
        "INFO Performing OIDC discovery: http://localhost:8090/.well-known/openid-configuration",
        "INFO ✓ PKCE support validated: ['S256', 'plain']",
        "INFO OIDC discovery successful",
    ]
    .map(Into::into)
    .to_vec()
}

fn with(mut lines: Vec<String>, more: &[&str]) -> Vec<String> {
    lines.extend(more.iter().map(|line| (*line).to_owned()));
    lines
}

#[test]
fn a_first_start_and_a_restart_in_mode_a() {
    let store = store();
    let first = Bench::new(
        "http://localhost:8090",
        config(),
        &store,
        [Ok(recorded("2.0.9", "discovery")), Ok(recorded("2.0.9", "dcr-success"))],
    );
    assert_eq!(first.reason(), "OIDC discovery has not come to an end yet");
    let again = first.start();
    assert_eq!(
        first.lines(),
        with(
            beginning(),
            &[
                "INFO Attempting dynamic client registration...",
                "INFO Dynamic client registration successful",
                "INFO OAuth client ready: PySehoT9qX2es8v0...",
                "INFO Saved OAuth client credentials to SQLite database",
                "INFO OAuth initialization complete",
            ]
        )
    );
    assert_eq!(again, Duration::from_secs(31_536_000 - 86_400), "a day before the client expires");
    let restart = Bench::new("http://localhost:8090", config(), &store, [Ok(recorded("2.0.9", "discovery"))]);
    restart.start();
    assert_eq!(
        restart.lines(),
        with(
            beginning(),
            &[
                "INFO Using stored OAuth client: PySehoT9qX2es8v0...",
                "INFO OAuth client ready: PySehoT9qX2es8v0...",
                "INFO OAuth initialization complete",
            ]
        )
    );
    assert_eq!(restart.client_id(), first.client_id());
}

#[test]
fn a_start_in_mode_b() {
    let bench = Bench::new(
        "http://localhost:8090",
        preconfigured(),
        &store(),
        [Ok(recorded("2.0.9", "discovery-dcr-disabled"))],
    );
    assert_eq!(bench.start(), NEVER);
    assert_eq!(
        bench.lines(),
        with(
            beginning(),
            &["INFO Using pre-configured OAuth client: my-client", "INFO OAuth initialization complete"]
        )
    );
    assert_eq!(bench.client_id(), "my-client");
    assert_eq!(bench.tape.asked().len(), 1);
}

#[test]
fn the_mode_is_announced_as_it_was_chosen() {
    let forced = OAuth { account_is_set: true, ..preconfigured() };
    let bench = Bench::new("http://localhost:8090", forced, &store(), [Ok(recorded("2.0.9", "discovery"))]);
    bench.start();
    let first = &bench.lines()[0];
    assert_eq!(first, "INFO OAuth mode detected (asked for; NEXTCLOUD_USERNAME/PASSWORD are not used)");
}

#[test]
fn an_old_oidc_app_is_a_warning() {
    let answers = [Ok(recorded("1.6.1", "discovery")), Ok(recorded("1.6.1", "dcr-success"))];
    let bench = Bench::new("http://localhost:8080", config(), &store(), answers);
    bench.start();
    let lines = bench.lines();
    assert!(lines[3].starts_with("WARN PKCE support is not advertised"), "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("INFO OAuth initialization complete"));
}

#[test]
fn a_provider_without_s256_is_refused() {
    let plain =
        String::from_utf8(recorded("2.0.9", "discovery").body).expect("text").replace("\"S256\",", "");
    let bench = Bench::new("http://localhost:8090", config(), &store(), [Ok(answer(200, &plain))]);
    assert_eq!(bench.start(), AGAIN_LATER);
    let last = bench.lines().pop().expect("a line");
    assert!(
        last.starts_with("ERROR PKCE validation failed: the provider advertises ['plain'] without S256; ")
    );
    assert_eq!(format!("ERROR {}", bench.reason()), last);
}

#[test]
fn a_nextcloud_without_the_oidc_app_says_so() {
    let absent = recorded("1.6.1", "oauth-authorization-server-not-there-2");
    let bench = Bench::new("http://localhost:8080", config(), &store(), [Ok(absent.clone())]);
    assert_eq!(bench.start(), AGAIN_SOME_TIME);
    let last = bench.lines().pop().expect("a line");
    assert_eq!(
        last,
        "INFO Sign-in uses Login Flow v2, which every Nextcloud has: \
         http://localhost:8080/.well-known/openid-configuration answered 404: there is no oidc app here, and none is \
         needed"
    );
    assert!(matches!(bench.startup.readiness(), Readiness::NoProvider { .. }));
    // A provider that was named is missed.
    let url = "http://localhost:8080/.well-known/openid-configuration".to_owned();
    let named = OAuth { discovery_url: Some(url), ..config() };
    let bench = Bench::new("http://localhost:8080", named, &store(), [Ok(absent)]);
    bench.start();
    assert!(matches!(bench.startup.readiness(), Readiness::Failed { .. }));
    // Whoever else says 404 does not speak for Nextcloud.
    let bench = Bench::new("http://localhost:8080", config(), &store(), (0..20).map(|_| Ok(html(404))));
    assert_eq!(bench.start(), AGAIN_SOON);
    assert!(matches!(bench.startup.readiness(), Readiness::Failed { .. }));
}

#[test]
fn nobody_is_asked_where_people_sign_in_by_login_flow() {
    let config = OAuth { login: crate::config::LoginChoice::LoginFlow, ..config() };
    let bench = Bench::new("http://localhost:8080", config, &store(), []);
    assert_eq!(bench.start(), NEVER);
    let last = bench.lines().pop().expect("a line");
    assert_eq!(last, "INFO Sign-in uses Login Flow v2, which every Nextcloud has: MCP_LOGIN=login_flow");
    assert!(matches!(bench.startup.readiness(), Readiness::NoProvider { .. }));
}

#[test]
fn a_slow_nextcloud_becomes_ready_and_says_meanwhile_why_not() {
    let down = OutsideError::Network { kind: Kind::Unreachable, detail: Some("connection refused".into()) };
    let answers = [Err(down.clone()), Err(down), Ok(html(503)), Ok(recorded("2.0.9", "discovery"))];
    let bench = Bench::new("http://localhost:8090", preconfigured(), &store(), answers);
    bench.start();
    let waits: Vec<String> = bench.lines().into_iter().filter(|line| line.starts_with("WARN")).collect();
    assert_eq!(
        waits,
        [
            "WARN OIDC discovery is tried again in 1 s: attempt 1 of 10 failed: no connection (connection refused)",
            "WARN OIDC discovery is tried again in 2 s: attempt 2 of 10 failed: no connection (connection refused)",
            "WARN OIDC discovery is tried again in 4 s: attempt 3 of 10 failed: the provider answered with status 503",
        ]
    );
    assert_eq!(bench.clock.now().unix_ms - START_MS, 7_000);
    assert!(bench.startup.readiness().check().is_ok());
}

#[test]
fn a_provider_that_stays_away_is_looked_for_again_after_a_minute() {
    let answers = (0..10).map(|_| Ok(html(503))).chain([Ok(recorded("2.0.9", "discovery"))]);
    let bench = Bench::new("http://localhost:8090", preconfigured(), &store(), answers);
    assert_eq!(bench.start(), AGAIN_SOON);
    assert!(
        bench
            .reason()
            .starts_with("OIDC discovery failed: http://localhost:8090/.well-known/openid-configuration: ")
    );
    assert_eq!(bench.lines().iter().filter(|line| line.starts_with("ERROR")).count(), 1);
    bench.startup.round();
    assert!(bench.startup.readiness().check().is_ok());
    assert_eq!(bench.lines().last().map(String::as_str), Some("INFO OAuth initialization complete"));
}

#[test]
fn a_registration_that_fails_is_tried_again() {
    let answers = [
        Ok(recorded("2.0.9", "discovery")),
        Ok(recorded("2.0.9", "dcr-rate-limited-429")),
        Ok(recorded("2.0.9", "discovery")),
        Ok(recorded("2.0.9", "dcr-disabled")),
        Ok(recorded("2.0.9", "discovery-dcr-disabled")),
        Ok(recorded("2.0.9", "discovery")),
        Ok(recorded("2.0.9", "dcr-success")),
    ];
    let bench = Bench::new("http://localhost:8090", config(), &store(), answers);
    assert_eq!(bench.start(), Duration::from_secs(60));
    assert!(
        bench
            .reason()
            .starts_with("Dynamic registration failed: too many registrations in a short time (429); ")
    );
    bench.clock.advance(Duration::from_secs(60));
    for why in [
        "ERROR Dynamic registration failed: the provider does not let clients register themselves; enable \"Allow",
        "ERROR Dynamic registration failed: OAuth mode requires either client credentials or dynamic client",
    ] {
        assert_eq!(bench.startup.round(), AGAIN_SOME_TIME);
        let lines = bench.lines();
        let [.., failed, instead] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(failed.starts_with(why), "{failed}");
        assert!(instead.starts_with("INFO Sign-in uses Login Flow v2, "), "{instead}");
        assert!(matches!(bench.startup.readiness(), Readiness::NoProvider { .. }));
    }
    bench.startup.round();
    assert!(bench.startup.readiness().check().is_ok());
    assert!(bench.tape.is_used_up());
}

#[test]
fn a_client_is_renewed_while_running() {
    let answers = [
        Ok(recorded("2.0.9", "discovery")),
        Ok(recorded("2.0.9", "dcr-success")),
        // The provider is away when it is time: what is known of it will do.
        Ok(html(400)),
        Ok(recorded("2.0.9", "dcr-token-type-jwt")),
        Ok(recorded("2.0.9", "registration-delete")),
    ];
    let bench = Bench::new("http://localhost:8090", config(), &store(), answers);
    let again = bench.start();
    let first = bench.client_id();
    bench.clock.advance(again);
    bench.startup.round();
    assert_ne!(bench.client_id(), first);
    let lines = bench.lines();
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("INFO A new OAuth client is needed: the stored one expires at "))
    );
    assert_eq!(lines.iter().filter(|line| line.ends_with("initialization complete")).count(), 1);
    assert!(bench.tape.is_used_up());
}

#[test]
fn a_report_of_a_refused_client_is_heard_once_in_a_while() {
    let answers = [
        Ok(recorded("2.0.9", "discovery")),
        Ok(recorded("2.0.9", "dcr-success")),
        Ok(recorded("2.0.9", "discovery")),
        Ok(recorded("2.0.9", "dcr-token-type-jwt")),
    ];
    let bench = Bench::new("http://localhost:8090", config(), &store(), answers);
    bench.startup.client_refused("anybody");
    bench.start();
    let first = bench.client_id();
    bench.startup.client_refused("another");
    assert_eq!(lock(&bench.startup.refusals).client_id, None, "not the one in use");
    bench.startup.client_refused(&first);
    bench.startup.round();
    let second = bench.client_id();
    assert_ne!(first, second);
    bench.startup.client_refused(&second);
    assert_eq!(lock(&bench.startup.refusals).client_id, None, "too soon");
    bench.clock.advance(REFUSALS_APART);
    bench.startup.client_refused(&second);
    assert_eq!(lock(&bench.startup.refusals).client_id, Some(second));
}

#[test]
fn a_refused_preconfigured_client_is_the_operators_business() {
    let answers = [Ok(recorded("2.0.9", "discovery")), Ok(recorded("2.0.9", "discovery"))];
    let bench = Bench::new("http://localhost:8090", preconfigured(), &store(), answers);
    bench.start();
    bench.startup.client_refused("my-client");
    bench.startup.round();
    let last = bench.lines().pop().expect("a line");
    assert!(last.starts_with("ERROR The provider does not accept the pre-configured OAuth client my-client"));
    assert!(last.contains("NEXTCLOUD_OIDC_CLIENT_SECRET"));
}

#[test]
fn no_line_holds_a_secret_or_a_line_break() {
    let forged = "{\"error\":\"a\\nINFO forged\",\"error_description\":\"\\u001b[31m\"}";
    let answers = [
        Ok(recorded("2.0.9", "discovery")),
        Ok(answer(400, forged)),
        Ok(recorded("2.0.9", "discovery")),
        Ok(recorded("2.0.9", "dcr-success")),
    ];
    let bench = Bench::new("http://localhost:8090", config(), &store(), answers);
    bench.start();
    let reason = bench.reason();
    bench.startup.round();
    for line in bench.lines().iter().chain([&reason]) {
        assert!(!line.chars().any(char::is_control), "{line}");
        assert!(!line.contains("recorded-"), "{line}");
    }
}

#[test]
fn the_thread_ends_when_told() {
    let bench =
        Bench::new("http://localhost:8090", preconfigured(), &store(), [Ok(recorded("2.0.9", "discovery"))]);
    let startup = bench.startup.clone();
    let thread = std::thread::spawn(move || startup.run());
    while bench.startup.readiness().check().is_err() {
        std::thread::yield_now();
    }
    bench.startup.stop();
    assert!(thread.join().is_ok());
}
