use super::*;

const START_S: u64 = 1_800_000_000;

fn claims(expires_s: Option<u64>) -> Claims {
    Claims {
        issuer: None,
        subject: "alice".into(),
        username: None,
        client: None,
        scopes: vec![],
        expires_s,
        nonce: None,
    }
}

fn cache() -> (VerifiedTokens, Clock) {
    let clock = Clock::manual(START_S * 1000);
    (VerifiedTokens::new(clock.clone()), clock)
}

/// Whether the cache had a verdict of its own.
fn remembers(tokens: &VerifiedTokens, token: &str) -> bool {
    let mut asked = false;
    let _ = tokens.check(token, || {
        asked = true;
        Err(Reason::Unreachable)
    });
    !asked
}

#[test]
fn a_good_token_is_not_looked_at_again_for_a_minute() {
    let (tokens, clock) = cache();
    assert!(tokens.check("t", || Ok(claims(Some(START_S + 3600)))).is_ok());
    clock.advance(Duration::from_secs(59));
    let again = tokens.check("t", || Err(Reason::Inactive)).unwrap();
    assert_eq!(again.subject, "alice");
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        tokens.check("t", || Err(Reason::Inactive)),
        Err(Reason::Inactive),
        "it was revoked meanwhile"
    );
}

#[test]
fn a_verdict_does_not_outlive_its_token() {
    let (tokens, clock) = cache();
    assert!(tokens.check("t", || Ok(claims(Some(START_S + 7)))).is_ok());
    clock.advance(Duration::from_secs(6));
    assert!(remembers(&tokens, "t"));
    clock.advance(Duration::from_secs(1));
    assert!(!remembers(&tokens, "t"));
    assert!(tokens.check("late", || Ok(claims(Some(START_S)))).is_ok(), "good by the leeway");
    assert!(!remembers(&tokens, "late"));
}

#[test]
fn a_token_without_end_is_remembered_for_a_minute_too() {
    let (tokens, clock) = cache();
    assert!(tokens.check("t", || Ok(claims(None))).is_ok());
    clock.advance(Duration::from_secs(59));
    assert!(remembers(&tokens, "t"));
    clock.advance(Duration::from_secs(1));
    assert!(!remembers(&tokens, "t"));
}

#[test]
fn a_bad_token_is_remembered_for_a_shorter_time_and_an_unreachable_provider_not_at_all() {
    let (tokens, clock) = cache();
    assert_eq!(tokens.check("bad", || Err(Reason::BadSignature)), Err(Reason::BadSignature));
    assert_eq!(tokens.check("bad", || Ok(claims(None))), Err(Reason::BadSignature));
    clock.advance(BAD_TTL);
    assert!(!remembers(&tokens, "bad"));
    assert_eq!(tokens.check("asked", || Err(Reason::Unreachable)), Err(Reason::Unreachable));
    assert!(tokens.check("asked", || Ok(claims(None))).is_ok());
}

#[test]
fn the_oldest_goes_when_there_is_no_room_and_bad_tokens_push_out_no_good_one() {
    let (tokens, _clock) = cache();
    for n in 0..TOKENS_MAX {
        assert!(tokens.check(&format!("good {n}"), || Ok(claims(None))).is_ok());
    }
    for n in 0..3 * TOKENS_MAX {
        assert!(tokens.check(&format!("bad {n}"), || Err(Reason::Malformed)).is_err());
    }
    assert!(remembers(&tokens, "good 0"));
    assert!(!remembers(&tokens, "bad 0") && remembers(&tokens, "bad 2999"));
    assert!(tokens.check("one more", || Ok(claims(None))).is_ok());
    assert!(!remembers(&tokens, "good 0") && remembers(&tokens, "good 1") && remembers(&tokens, "one more"));
    let tables = tokens.lock();
    assert_eq!((tables.good.entries.len(), tables.good.order.len()), (TOKENS_MAX, TOKENS_MAX));
    assert_eq!((tables.bad.entries.len(), tables.bad.order.len()), (TOKENS_MAX, TOKENS_MAX));
}

#[test]
fn a_forgotten_token_is_looked_at_again() {
    let (tokens, _clock) = cache();
    assert!(tokens.check("t", || Ok(claims(None))).is_ok());
    tokens.forget("t");
    assert!(!remembers(&tokens, "t"));
}
