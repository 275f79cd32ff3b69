use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use super::*;

const START_MS: u64 = 1_800_000_000_000;

/// An issuer whose answers the test gives, one for each fetch; then it is down.
#[derive(Clone, Default)]
struct Issuer(Arc<Answers>);

#[derive(Default)]
struct Answers {
    left: Mutex<VecDeque<Result<Vec<u8>, String>>>,
    asked: AtomicUsize,
}

impl Issuer {
    fn answers(&self, answer: Result<Vec<u8>, &str>) {
        self.0.left.lock().unwrap().push_back(answer.map_err(str::to_owned));
    }

    fn publishes(&self, kids: &[&str]) {
        self.answers(Ok(key_set(kids)));
    }

    fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }

    fn cache(&self, clock: &Clock) -> KeyCache {
        let issuer = self.0.clone();
        let fetch = move || {
            issuer.asked.fetch_add(1, Ordering::SeqCst);
            issuer.left.lock().unwrap().pop_front().unwrap_or_else(|| Err("down".into()))
        };
        KeyCache::new(Box::new(fetch), clock.clone())
    }
}

fn key_set(kids: &[&str]) -> Vec<u8> {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let keys: Vec<_> = kids
        .iter()
        .map(|kid| serde_json::json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x}))
        .collect();
    serde_json::json!({ "keys": keys }).to_string().into_bytes()
}

/// Judges a token whose `kid` this is, as far as keys go.
fn judge(cache: &KeyCache, kid: &str) -> Result<(), Reason> {
    cache.with_keys(|keys| match keys.called(Some(kid)).next() {
        _ if keys.is_empty() => Err(Reason::NoKeys),
        Some(_) => Ok(()),
        None => Err(Reason::UnknownKey),
    })
}

fn after(clock: &Clock, seconds: u64) {
    clock.advance(Duration::from_secs(seconds));
}

#[test]
fn keys_are_fetched_when_first_needed_and_then_every_hour() {
    let (issuer, clock) = (Issuer::default(), Clock::manual(START_MS));
    let cache = issuer.cache(&clock);
    assert_eq!(issuer.asked(), 0);
    issuer.publishes(&["a"]);
    issuer.publishes(&["a", "b"]);
    assert_eq!((judge(&cache, "a"), judge(&cache, "a"), issuer.asked()), (Ok(()), Ok(()), 1));
    after(&clock, 3599);
    assert_eq!((judge(&cache, "a"), issuer.asked()), (Ok(()), 1));
    after(&clock, 1);
    assert_eq!((judge(&cache, "a"), issuer.asked()), (Ok(()), 2));
    assert_eq!((judge(&cache, "b"), issuer.asked()), (Ok(()), 2));
}

#[test]
fn an_unknown_key_is_looked_for_at_most_once_a_minute() {
    let (issuer, clock) = (Issuer::default(), Clock::manual(START_MS));
    let cache = issuer.cache(&clock);
    for _ in 0..3 {
        issuer.publishes(&["a"]);
    }
    assert_eq!(judge(&cache, "a"), Ok(()));
    for _ in 0..50 {
        assert_eq!(judge(&cache, "x"), Err(Reason::UnknownKey));
    }
    assert_eq!(issuer.asked(), 1, "the keys are fresh");
    after(&clock, 60);
    for _ in 0..50 {
        assert_eq!(judge(&cache, "x"), Err(Reason::UnknownKey));
    }
    assert_eq!(issuer.asked(), 2);
    after(&clock, 59);
    assert_eq!((judge(&cache, "x"), issuer.asked()), (Err(Reason::UnknownKey), 2));
    after(&clock, 1);
    assert_eq!((judge(&cache, "x"), issuer.asked()), (Err(Reason::UnknownKey), 3));
}

#[test]
fn a_rotated_key_is_found_and_the_withdrawn_one_is_not() {
    let (issuer, clock) = (Issuer::default(), Clock::manual(START_MS));
    let cache = issuer.cache(&clock);
    issuer.publishes(&["old"]);
    issuer.publishes(&["new"]);
    assert_eq!(judge(&cache, "old"), Ok(()));
    after(&clock, 61);
    assert_eq!((judge(&cache, "new"), issuer.asked()), (Ok(()), 2));
    assert_eq!((judge(&cache, "old"), issuer.asked()), (Err(Reason::UnknownKey), 2));
}

#[test]
fn known_keys_go_on_working_while_the_issuer_is_down() {
    let (issuer, clock) = (Issuer::default(), Clock::manual(START_MS));
    let cache = issuer.cache(&clock);
    issuer.publishes(&["a"]);
    assert_eq!(judge(&cache, "a"), Ok(()));
    after(&clock, 3600);
    for _ in 0..10 {
        assert_eq!(judge(&cache, "a"), Ok(()));
    }
    assert_eq!(issuer.asked(), 2, "the refresh is not tried at every request");
    assert_eq!(judge(&cache, "b"), Err(Reason::Unreachable), "it may be a new key");
    after(&clock, 24 * 3600);
    assert_eq!(judge(&cache, "a"), Ok(()));
    issuer.publishes(&["a", "b"]);
    after(&clock, 60);
    assert_eq!((judge(&cache, "a"), judge(&cache, "b"), issuer.asked()), (Ok(()), Ok(()), 4));
}

#[test]
fn without_any_keys_the_issuer_is_asked_again_after_a_few_seconds() {
    let (issuer, clock) = (Issuer::default(), Clock::manual(START_MS));
    let cache = issuer.cache(&clock);
    for _ in 0..10 {
        assert_eq!(judge(&cache, "a"), Err(Reason::Unreachable));
    }
    assert_eq!(issuer.asked(), 1);
    issuer.publishes(&["a"]);
    after(&clock, 5);
    assert_eq!((judge(&cache, "a"), issuer.asked()), (Ok(()), 2));
}

#[test]
fn an_answer_that_is_no_key_set_counts_as_a_failure() {
    let bad: [&[u8]; 4] = [b"<!DOCTYPE html>", b"{}", b"{\"keys\":{}}", &[b' '; 300 * 1024]];
    for answer in bad {
        let (issuer, clock) = (Issuer::default(), Clock::manual(START_MS));
        let cache = issuer.cache(&clock);
        issuer.publishes(&["a"]);
        issuer.answers(Ok(answer.to_vec()));
        assert_eq!(judge(&cache, "a"), Ok(()));
        after(&clock, 3600);
        assert_eq!((judge(&cache, "a"), issuer.asked()), (Ok(()), 2));
    }
}

#[test]
fn an_empty_key_set_is_looked_at_again_and_named_as_the_cause() {
    let (issuer, clock) = (Issuer::default(), Clock::manual(START_MS));
    let cache = issuer.cache(&clock);
    issuer.publishes(&[]);
    issuer.publishes(&["a"]);
    assert_eq!((judge(&cache, "a"), issuer.asked()), (Err(Reason::NoKeys), 1));
    after(&clock, 60);
    assert_eq!((judge(&cache, "a"), issuer.asked()), (Ok(()), 2));
}

#[test]
fn a_fetch_that_panics_does_not_stop_the_next_one() {
    let clock = Clock::manual(START_MS);
    let panics = Mutex::new(true);
    let fetch = move || {
        assert!(!std::mem::take(&mut *panics.lock().unwrap_or_else(PoisonError::into_inner)), "on purpose");
        Ok(key_set(&["a"]))
    };
    let cache = Arc::new(KeyCache::new(Box::new(fetch), clock.clone()));
    let shared = cache.clone();
    assert!(thread::spawn(move || judge(&shared, "a")).join().is_err());
    assert_eq!(judge(&cache, "a"), Err(Reason::Unreachable));
    after(&clock, 5);
    assert_eq!(judge(&cache, "a"), Ok(()));
}

/// A cache whose fetches say that they have begun, and end when told to.
fn slow_cache(clock: &Clock) -> (Arc<KeyCache>, mpsc::Receiver<()>, mpsc::Sender<Vec<u8>>) {
    let (begun, has_begun) = mpsc::channel();
    let (end, ends) = mpsc::channel();
    let ends = Mutex::new(ends);
    let fetch = move || {
        begun.send(()).unwrap();
        ends.lock().unwrap().recv().map_err(|_| "down".to_owned())
    };
    (Arc::new(KeyCache::new(Box::new(fetch), clock.clone())), has_begun, end)
}

#[test]
fn requests_that_need_keys_at_once_share_one_fetch() {
    let (cache, has_begun, end) = slow_cache(&Clock::manual(START_MS));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let cache = cache.clone();
            thread::spawn(move || judge(&cache, "a"))
        })
        .collect();
    has_begun.recv().unwrap();
    end.send(key_set(&["a"])).unwrap();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), Ok(()));
    }
    assert!(has_begun.try_recv().is_err(), "a second fetch");
}

#[test]
fn nobody_with_a_known_key_waits_for_a_fetch() {
    let clock = Clock::manual(START_MS);
    let (cache, has_begun, end) = slow_cache(&clock);
    end.send(key_set(&["a"])).unwrap();
    assert_eq!(judge(&cache, "a"), Ok(()));
    has_begun.recv().unwrap();
    after(&clock, 3600);
    let (one, two) = (cache.clone(), cache.clone());
    let refreshing = thread::spawn(move || judge(&one, "a"));
    has_begun.recv().unwrap();
    assert_eq!(judge(&cache, "a"), Ok(()), "while the fetch is under way");
    let waiting = thread::spawn(move || judge(&two, "b"));
    end.send(key_set(&["a", "b"])).unwrap();
    assert_eq!((refreshing.join().unwrap(), waiting.join().unwrap()), (Ok(()), Ok(())));
    assert!(has_begun.try_recv().is_err(), "a third fetch");
}
