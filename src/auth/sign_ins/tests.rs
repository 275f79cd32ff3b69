use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::auth::attempts::{FAILURES_ALL_MAX, FAILURES_MAX, WINDOW};
use crate::nextcloud::{Base, Settings};
use crate::replay::server::{Answer, Loopback, Request, Response};
use crate::secret::Secret;

/// What the played Nextcloud does.
#[derive(Default)]
struct Played {
    /// Name, password, user id.
    right: Mutex<Vec<(&'static str, &'static str, &'static str)>>,
    down: Mutex<Option<Kind>>,
    asked: AtomicUsize,
}

struct Bench {
    sign_ins: SignIns,
    played: Arc<Played>,
    clock: Clock,
}

const ALICE: (&str, &str, &str) = ("alice@example.org", "alices-password", "alice");
const BOB: (&str, &str, &str) = ("bob", "bobs-password", "bob");

fn bench() -> Bench {
    let played = Arc::new(Played { right: Mutex::new(vec![ALICE, BOB]), ..Played::default() });
    let clock = Clock::manual(1_000_000);
    let answering = played.clone();
    let ask = move |account: &Account| {
        answering.asked.fetch_add(1, Ordering::Relaxed);
        if let Some(kind) = *lock(&answering.down) {
            return Err(Error::new(kind, "PROPFIND /"));
        }
        let Credential::Basic { user, password } = account.credential() else { unreachable!("a password") };
        let right = lock(&answering.right);
        let found = right.iter().find(|(name, known, _)| name == user && password.is(known));
        found.map(|(_, _, id)| (*id).to_owned()).ok_or_else(|| Error::new(Kind::Unauthorized, "PROPFIND /"))
    };
    let sign_ins = SignIns::new(Box::new(ask), clock.clone(), &Ids::random()).expect("randomness");
    Bench { sign_ins, played, clock }
}

impl Bench {
    fn caller(&self, name: &str, password: &str) -> Result<Caller, Refusal> {
        self.sign_ins.caller(&UserPass { name: name.into(), password: Secret::new(password) }, None)
    }

    fn refusal(&self, name: &str, password: &str) -> Refusal {
        self.caller(name, password).map(|caller| caller.name).expect_err("a refusal")
    }

    fn asked(&self) -> usize {
        self.played.asked.swap(0, Ordering::Relaxed)
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

#[test]
fn a_right_password_is_asked_about_once_a_minute_and_keeps_its_account() {
    let bench = bench();
    let first = bench.caller(ALICE.0, ALICE.1).unwrap();
    assert_eq!((first.name.as_str(), &first.scopes), ("alice", &Scopes::Unrestricted));
    let again = bench.caller(ALICE.0, ALICE.1).unwrap();
    assert!(Arc::ptr_eq(&first.account, &again.account));
    assert_eq!(bench.asked(), 1);
    bench.pass(RIGHT);
    let later = bench.caller(ALICE.0, ALICE.1).unwrap();
    assert!(Arc::ptr_eq(&first.account, &later.account), "its cookies would be lost");
    assert_eq!(bench.asked(), 1);
}

#[test]
fn two_people_have_two_accounts() {
    let bench = bench();
    let (alice, bob) = (bench.caller(ALICE.0, ALICE.1).unwrap(), bench.caller(BOB.0, BOB.1).unwrap());
    assert_eq!((alice.name.as_str(), bob.name.as_str()), ("alice", "bob"));
    assert!(!Arc::ptr_eq(&alice.account, &bob.account));
    assert_eq!(bench.refusal(ALICE.0, BOB.1), Refusal::Wrong);
    assert_eq!(bench.refusal("alice", "@example.org:alices-password"), Refusal::Wrong);
}

#[test]
fn a_wrong_password_rests_longer_each_time() {
    let bench = bench();
    for rest_s in [60, 240, 960, 3600, 3600] {
        for _ in 0..10 {
            assert_eq!(bench.refusal("alice", "old"), Refusal::Wrong);
        }
        assert_eq!(bench.asked(), 1);
        bench.pass(Duration::from_secs(rest_s - 1));
        assert_eq!(bench.refusal("alice", "old"), Refusal::Wrong);
        assert_eq!(bench.asked(), 0, "{rest_s}");
        bench.pass(Duration::from_secs(1));
    }
}

#[test]
fn a_changed_password_ends_the_old_one() {
    let bench = bench();
    let old = bench.caller(BOB.0, BOB.1).unwrap();
    lock(&bench.played.right).retain(|(name, ..)| *name != "bob");
    lock(&bench.played.right).push(("bob", "new", "bob"));
    bench.pass(RIGHT);
    bench.asked();
    assert_eq!(bench.refusal(BOB.0, BOB.1), Refusal::Wrong);
    assert_eq!(bench.refusal(BOB.0, BOB.1), Refusal::Wrong);
    assert_eq!(bench.asked(), 1);
    let new = bench.caller("bob", "new").unwrap();
    assert!(!Arc::ptr_eq(&old.account, &new.account));
}

#[test]
fn guessing_a_name_is_stopped_and_does_not_reach_nextcloud() {
    let bench = bench();
    for guess in 0..FAILURES_MAX {
        assert_eq!(bench.refusal("bob", &guess.to_string()), Refusal::Wrong);
    }
    assert_eq!(bench.asked(), FAILURES_MAX);
    for name in ["bob", "BOB", "Bob"] {
        let refusal = bench.refusal(name, "another guess");
        assert_eq!(refusal, Refusal::Stopped { retry_after_s: WINDOW.as_secs() });
    }
    assert_eq!(bench.refusal("bob", "0"), Refusal::Wrong, "what is known to be wrong stays so");
    assert_eq!(bench.asked(), 0);
    assert_eq!(bench.caller(ALICE.0, ALICE.1).unwrap().name, "alice");
}

#[test]
fn who_was_right_is_let_in_while_others_are_stopped() {
    let bench = bench();
    bench.caller(ALICE.0, ALICE.1).unwrap();
    for guess in 0..FAILURES_ALL_MAX {
        assert_eq!(bench.refusal(&format!("user-{guess}"), "guess"), Refusal::Wrong);
    }
    assert!(matches!(bench.refusal(BOB.0, BOB.1), Refusal::Stopped { .. }));
    bench.pass(IDLE);
    bench.refusal("another", "guess");
    assert!(bench.caller(ALICE.0, ALICE.1).is_ok(), "also after her account was dropped");
    bench.pass(WINDOW);
    assert!(bench.caller(BOB.0, BOB.1).is_ok());
}

#[test]
fn nextcloud_down_is_no_refusal_and_is_not_hammered() {
    let bench = bench();
    bench.caller(ALICE.0, ALICE.1).unwrap();
    *lock(&bench.played.down) = Some(Kind::Unreachable);
    bench.asked();
    assert!(bench.caller(ALICE.0, ALICE.1).is_ok(), "asked a moment ago");
    for _ in 0..10 {
        assert_eq!(bench.refusal(BOB.0, BOB.1), Refusal::Unjudged);
    }
    assert_eq!(bench.asked(), 1);
    bench.pass(RIGHT);
    assert_eq!(bench.refusal(ALICE.0, ALICE.1), Refusal::Unjudged);
    *lock(&bench.played.down) = None;
    bench.pass(UNJUDGED);
    assert!(bench.caller(ALICE.0, ALICE.1).is_ok() && bench.caller(BOB.0, BOB.1).is_ok());
}

#[test]
fn nextclouds_brute_force_protection_is_left_alone_once_it_speaks() {
    let bench = bench();
    *lock(&bench.played.down) = Some(Kind::Throttled);
    assert_eq!(bench.refusal(BOB.0, BOB.1), Refusal::Stopped { retry_after_s: 300 });
    assert_eq!(bench.refusal(ALICE.0, ALICE.1), Refusal::Stopped { retry_after_s: 300 });
    assert_eq!(bench.asked(), 1);
}

#[test]
fn requests_at_the_same_time_ask_once() {
    let bench = bench();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(bench.refusal("bob", "wrong"), Refusal::Wrong));
            scope.spawn(|| assert!(bench.caller(ALICE.0, ALICE.1).is_ok()));
        }
    });
    assert_eq!(bench.asked(), 2);
}

#[test]
fn the_secrets_of_who_has_gone_are_dropped() {
    let bench = bench();
    let account = Arc::downgrade(&bench.caller(ALICE.0, ALICE.1).unwrap().account);
    bench.caller(BOB.0, BOB.1).unwrap();
    bench.pass(IDLE);
    assert!(account.upgrade().is_some());
    bench.caller(BOB.0, BOB.1).unwrap();
    assert!(account.upgrade().is_none());
    assert_eq!(bench.caller(ALICE.0, ALICE.1).unwrap().name, "alice");
}

#[test]
fn the_table_is_bounded_and_keeps_who_is_right() {
    let bench = bench();
    bench.caller(ALICE.0, ALICE.1).unwrap();
    for guess in 0..SIGN_INS_MAX + 100 {
        bench.pass(Duration::from_millis(1));
        bench.refusal("bob", &guess.to_string());
    }
    assert_eq!(lock(&bench.sign_ins.table).known.len(), SIGN_INS_MAX);
    bench.asked();
    assert!(bench.caller(ALICE.0, ALICE.1).is_ok());
    assert_eq!(bench.asked(), 0, "she was pushed out");
}

#[test]
fn tags_depend_on_the_process() {
    assert_ne!(bench().sign_ins.tag(&["alice:x"]), bench().sign_ins.tag(&["alice:x"]));
}

#[test]
fn those_who_wait_for_a_verdict_are_bounded() {
    let judged = AtomicUsize::new(0);
    let places: Vec<_> = (0..JUDGED_MAX).map(|_| Place::take(&judged).expect("a place")).collect();
    assert!(Place::take(&judged).is_none());
    drop(places);
    assert_eq!(judged.into_inner(), 0);
}

/// Begins a session with each right password, and knows none any more once the password was revoked.
#[derive(Default)]
struct Sessions {
    is_revoked: std::sync::atomic::AtomicBool,
    /// Whether each request brought a session.
    seen: Mutex<Vec<bool>>,
}

impl Answer for Sessions {
    fn answer(&self, request: Request) -> Response {
        lock(&self.seen).push(request.header("Cookie").is_some());
        if self.is_revoked.load(Ordering::Relaxed) {
            return Response::text(401, "");
        }
        let body = "<d:multistatus xmlns:d=\"DAV:\"><d:response><d:href>/remote.php/dav/</d:href><d:propstat><d:prop>\
                    <d:current-user-principal><d:href>/remote.php/dav/principals/users/alice/</d:href>\
                    </d:current-user-principal></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>\
                    </d:response></d:multistatus>";
        let mut response = Response::text(207, body);
        response.headers = vec![
            ("Content-Type".into(), "application/xml; charset=utf-8".into()),
            ("Set-Cookie".into(), "oc_session=abc; path=/; HttpOnly".into()),
        ];
        response
    }
}

#[test]
fn a_session_that_ended_is_no_verdict_on_the_password() {
    let sessions = Arc::new(Sessions::default());
    let site = Loopback::start(|_| sessions.clone()).expect("a port");
    let clock = Clock::manual(1_000_000);
    let settings = Settings::new(Base::parse(site.url()).expect("an address"));
    let nextcloud = Arc::new(Nextcloud::new(settings, clock.clone(), Ids::counting()).expect("a client"));
    let sign_ins = SignIns::new(ask(nextcloud), clock.clone(), &Ids::random()).expect("randomness");
    let caller = || {
        let alice = UserPass { name: "alice".into(), password: Secret::new("x") };
        sign_ins.caller(&alice, None).map(|caller| caller.name)
    };
    assert_eq!(caller(), Ok("alice".to_owned()));
    clock.advance(RIGHT);
    assert_eq!(caller(), Ok("alice".to_owned()));
    assert_eq!(*lock(&sessions.seen), [false, true]);
    sessions.is_revoked.store(true, Ordering::Relaxed);
    clock.advance(RIGHT);
    assert_eq!(caller(), Err(Refusal::Wrong));
    assert_eq!(*lock(&sessions.seen), [false, true, true, false], "the password itself was refused, once");
}
