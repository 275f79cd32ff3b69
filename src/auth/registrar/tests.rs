//! One client at a time, whoever else wants one.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::auth::client_store::{AuthMethod, InMemory};
use crate::auth::discovery::tests::tape::{Tape, answer, html, recorded};
use crate::config::TokenType;
use crate::nextcloud::{OutsideError, OutsideResponse};

const ENDPOINT: &str = "http://localhost:8090/apps/oidc/register";
const START_MS: u64 = 1_795_476_555_000;

/// A registrar between a provider and a storage, and the lines it writes.
struct Bench {
    tape: Arc<Tape>,
    store: Arc<InMemory>,
    clock: Clock,
    registrar: Registrar,
    lines: Mutex<Vec<String>>,
}

impl Bench {
    fn new(answers: impl IntoIterator<Item = OutsideResponse>) -> Bench {
        let store = Arc::new(InMemory::default());
        Bench::with(answers, store.clone(), store)
    }

    /// With a storage that is asked in place of the one that is looked into.
    fn with(
        answers: impl IntoIterator<Item = OutsideResponse>,
        store: Arc<InMemory>,
        asked: Arc<dyn ClientStore>,
    ) -> Bench {
        let tape = Arc::new(Tape::new(answers.into_iter().map(Ok)));
        let clock = Clock::manual(START_MS);
        let registrar = Registrar::new(tape.clone(), asked, clock.clone(), &Ids::counting(), Cancel::new());
        Bench { tape, store, clock, registrar, lines: Mutex::default() }
    }

    fn ensure(&self, wanted: &Wanted, refused: Option<&str>) -> Result<String, RegistrationError> {
        let tell = |event: Event<'_>| lock(&self.lines).push(event.to_string());
        self.registrar.ensure(Some(ENDPOINT), wanted, refused, &tell).map(|client| client.client_id)
    }

    fn kept(&self) -> Option<String> {
        self.store.load().expect("kept").map(|client| client.client_id)
    }

    fn lines(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.lines))
    }
}

fn wanted() -> Wanted {
    Wanted {
        issuer: "http://localhost:8090".into(),
        redirect_uri: "http://localhost:8000/oauth/callback".into(),
        scopes: vec!["openid".into()],
        token_type: TokenType::Opaque,
        resource: "http://localhost:8000/mcp".into(),
        auth_method: AuthMethod::ClientSecretPost,
    }
}

/// A client that lives for an hour, with an address to take it back.
fn registered(id: &str) -> OutsideResponse {
    let issued_s = START_MS / 1000;
    let body = json!({
        "client_id": id,
        "client_secret": "planted-secret",
        "client_id_issued_at": issued_s,
        "client_secret_expires_at": issued_s + 3600,
        "registration_client_uri": format!("{ENDPOINT}/{id}"),
        "registration_access_token": "planted-token",
    });
    answer(201, &body.to_string())
}

fn deleted() -> OutsideResponse {
    recorded("2.0.9", "registration-delete")
}

fn kept(id: &str) -> StoredClient {
    registration::read(&registered(id), &wanted(), Timestamp { unix_ms: START_MS }).expect("a client").client
}

#[test]
fn a_client_is_registered_once_and_used_again() {
    let bench = Bench::new([registered("first-client-with-a-long-name")]);
    bench.ensure(&wanted(), None).expect("registered");
    assert_eq!(
        bench.lines(),
        [
            "Attempting dynamic client registration...",
            "Dynamic client registration successful",
            "OAuth client ready: first-client-wit...",
            "Saved OAuth client credentials to SQLite database",
        ]
    );
    bench.ensure(&wanted(), None).expect("kept");
    assert_eq!(
        bench.lines(),
        ["Using stored OAuth client: first-client-wit...", "OAuth client ready: first-client-wit..."]
    );
    assert_eq!(bench.tape.asked(), [format!("POST {ENDPOINT}")]);
}

#[test]
fn many_threads_register_one_client() {
    let bench = Bench::new([registered("a")]);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| bench.ensure(&wanted(), None))).collect();
        for thread in threads {
            assert_eq!(thread.join().expect("a thread"), Ok("a".to_owned()));
        }
    });
    assert_eq!(bench.tape.asked().len(), 1);
}

#[test]
fn changed_scopes_replace_the_client_and_the_old_one_is_deleted_after_the_new_is_kept() {
    let bench = Bench::new([registered("old"), registered("new"), deleted()]);
    bench.ensure(&wanted(), None).expect("old");
    bench.lines();
    let more = Wanted { scopes: vec!["openid".into(), "notes:read".into()], ..wanted() };
    assert_eq!(bench.ensure(&more, None), Ok("new".into()));
    assert_eq!(
        bench.lines(),
        [
            "A new OAuth client is needed: the stored one has other scopes",
            "Attempting dynamic client registration...",
            "Dynamic client registration successful",
            "OAuth client ready: new...",
            "Saved OAuth client credentials to SQLite database",
            "Deleted the OAuth client that is no longer used: old...",
        ]
    );
    assert_eq!(bench.tape.asked()[2], format!("DELETE {ENDPOINT}/old"));
    assert_eq!(bench.kept().as_deref(), Some("new"));
}

#[test]
fn an_old_client_that_stays_is_only_a_line() {
    let bench = Bench::new([registered("old"), registered("new"), html(500)]);
    bench.ensure(&wanted(), None).expect("old");
    let other = Wanted { redirect_uri: "https://mcp.example.org/oauth/callback".into(), ..wanted() };
    assert_eq!(bench.ensure(&other, None), Ok("new".into()));
    let last = bench.lines().pop().expect("a line");
    assert!(last.contains("could not be deleted: old... status=500") && last.contains("occ oidc:remove"));
}

#[test]
fn an_expired_client_is_replaced_with_the_words_of_the_guide() {
    let bench = Bench::new([registered("new"), deleted()]);
    bench.store.save(&kept("old")).expect("saved");
    bench.clock.advance(Duration::from_secs(3600));
    assert_eq!(bench.ensure(&wanted(), None), Ok("new".into()));
    let first = bench.lines().remove(0);
    assert!(
        first.starts_with("Stored client has expired: it was valid until 2026-11-24T00:29:15.000Z."),
        "{first}"
    );
    assert!(first.contains("client_expire_time"));
}

#[test]
fn a_client_that_expires_soon_serves_on_while_the_provider_wants_no_other() {
    let bench = Bench::new([recorded("2.0.9", "dcr-rate-limited-429"), registered("new"), deleted()]);
    bench.store.save(&kept("old")).expect("saved");
    bench.clock.advance(Duration::from_secs(3300));
    assert_eq!(bench.ensure(&wanted(), None), Ok("old".into()));
    assert!(
        bench.lines().pop().expect("a line").ends_with("The stored client goes on serving until it expires")
    );
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(bench.ensure(&wanted(), None), Ok("new".into()));
    assert!(bench.tape.is_used_up());
}

#[test]
fn a_refused_client_is_replaced_and_not_asked_to_delete_itself() {
    let bench = Bench::new([registered("old"), registered("new")]);
    bench.ensure(&wanted(), None).expect("old");
    assert_eq!(bench.ensure(&wanted(), Some("old")), Ok("new".into()));
    // A late report about the one that is gone costs nothing.
    assert_eq!(bench.ensure(&wanted(), Some("old")), Ok("new".into()));
    assert_eq!(bench.tape.asked().len(), 2);
}

#[test]
fn a_throttled_provider_is_left_alone_for_as_long_as_it_asks() {
    for (retry_after, wait_s) in [(None, 60), (Some("17"), 17), (Some("999999"), 3600)] {
        let throttled = OutsideResponse::new(429, retry_after.map(|value| ("Retry-After", value)), "");
        let bench = Bench::new([throttled, registered("a")]);
        assert!(matches!(bench.ensure(&wanted(), None), Err(RegistrationError::Throttled { .. })));
        bench.clock.advance(Duration::from_secs(wait_s - 1));
        assert_eq!(
            bench.ensure(&wanted(), None),
            Err(RegistrationError::Throttled { retry_after_s: Some(1) })
        );
        assert_eq!(bench.tape.asked().len(), 1);
        bench.clock.advance(Duration::from_secs(1));
        assert_eq!(bench.ensure(&wanted(), None), Ok("a".into()));
    }
}

#[test]
fn without_an_endpoint_only_a_kept_client_serves() {
    let bench = Bench::new([]);
    let tell = |_: Event<'_>| {};
    let ensure = || bench.registrar.ensure(None, &wanted(), None, &tell).map(|client| client.client_id);
    assert_eq!(ensure(), Err(RegistrationError::NotOffered));
    bench.store.save(&kept("a")).expect("saved");
    assert_eq!(ensure(), Ok("a".into()));
    bench.clock.advance(Duration::from_secs(3300));
    assert_eq!(ensure(), Ok("a".into()), "it expires soon, but it is all there is");
    bench.clock.advance(Duration::from_secs(300));
    assert_eq!(ensure(), Err(RegistrationError::NotOffered));
}

#[test]
fn the_lease_of_a_process_that_died_runs_out() {
    let bench = Bench::new([registered("a")]);
    let (now, until) = (Timestamp { unix_ms: START_MS }, Timestamp { unix_ms: START_MS + 60_000 });
    assert_eq!(bench.store.lease("dead", now, until), Ok(true));
    assert_eq!(bench.ensure(&wanted(), None), Ok("a".into()));
    assert!(bench.clock.now() >= until);
    let now = bench.clock.now();
    assert_eq!(bench.store.lease("next", now, now), Ok(true), "our own lease was given back");
}

#[test]
fn the_lease_is_given_back_when_registering_fails() {
    let bench = Bench::new([html(500)]);
    assert_eq!(bench.ensure(&wanted(), None), Err(RegistrationError::Status(500)));
    let now = bench.clock.now();
    assert_eq!(bench.store.lease("next", now, now), Ok(true));
}

/// A storage in which something happens meanwhile.
struct Odd {
    inner: Arc<InMemory>,
    loads: AtomicUsize,
    /// A second process saves its client before this look.
    neighbour_at: usize,
    lease_is_free: bool,
    save: Result<(), StoreFault>,
}

impl ClientStore for Odd {
    fn load(&self) -> Result<Option<StoredClient>, StoreFault> {
        if self.loads.fetch_add(1, Ordering::SeqCst) == self.neighbour_at {
            self.inner.save(&kept("neighbour"))?;
        }
        self.inner.load()
    }

    fn save(&self, client: &StoredClient) -> Result<(), StoreFault> {
        self.save.clone().and_then(|()| self.inner.save(client))
    }

    fn delete(&self, client_id: &str) -> Result<(), StoreFault> {
        self.inner.delete(client_id)
    }

    fn lease(&self, _: &str, _: Timestamp, _: Timestamp) -> Result<bool, StoreFault> {
        Ok(self.lease_is_free)
    }

    fn release(&self, _: &str) -> Result<(), StoreFault> {
        Ok(())
    }
}

fn odd(answers: impl IntoIterator<Item = OutsideResponse>, change: impl FnOnce(&mut Odd)) -> Bench {
    let inner = Arc::new(InMemory::default());
    let mut store = Odd {
        inner: inner.clone(),
        loads: AtomicUsize::new(0),
        neighbour_at: usize::MAX,
        lease_is_free: true,
        save: Ok(()),
    };
    change(&mut store);
    Bench::with(answers, inner, Arc::new(store))
}

#[test]
fn a_client_that_another_process_registers_meanwhile_is_used() {
    for (neighbour_at, lease_is_free) in [(1, true), (1, false), (5, false)] {
        let bench = odd([], |store| {
            store.neighbour_at = neighbour_at;
            store.lease_is_free = lease_is_free;
        });
        assert_eq!(bench.ensure(&wanted(), None), Ok("neighbour".into()));
        assert!(bench.tape.asked().is_empty());
    }
}

#[test]
fn a_process_that_registers_for_ever_is_not_waited_for_for_ever() {
    let bench = odd([], |store| store.lease_is_free = false);
    assert_eq!(bench.ensure(&wanted(), None), Err(RegistrationError::Busy));
    assert!(bench.clock.now().unix_ms - START_MS <= 91_000);
}

#[test]
fn a_client_that_cannot_be_saved_serves_and_the_old_one_stays() {
    let bench = odd([registered("new")], |store| store.save = Err(StoreFault("the disk is full".into())));
    bench.store.save(&kept("old")).expect("saved");
    assert_eq!(bench.ensure(&wanted(), Some("other")), Ok("old".into()));
    let more = Wanted { resource: "http://localhost:8000/other".into(), ..wanted() };
    assert_eq!(bench.ensure(&more, None), Ok("new".into()));
    let last = bench.lines().pop().expect("a line");
    assert!(last.contains("could not be saved") && last.ends_with("the disk is full"), "{last}");
    assert_eq!(bench.kept().as_deref(), Some("old"));
    assert!(bench.tape.is_used_up(), "the old client was not deleted");
}

#[test]
fn a_provider_that_cannot_be_reached_is_named() {
    let tape = Arc::new(Tape::new([Err(OutsideError::TooLarge)]));
    let registrar = Registrar::new(
        tape,
        Arc::new(InMemory::default()),
        Clock::manual(START_MS),
        &Ids::counting(),
        Cancel::new(),
    );
    let found = registrar.ensure(Some(ENDPOINT), &wanted(), None, &|_| {}).map(|client| client.client_id);
    assert_eq!(found, Err(RegistrationError::Unreachable(OutsideError::TooLarge)));
}
