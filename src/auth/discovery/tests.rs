//! Discovery against what two versions of Nextcloud's oidc app really answered, and against what they never should.

pub(in crate::auth) mod tape;

use serde_json::json;
use tape::{Tape, VERSIONS, answer, html, recorded};

use super::*;

const RETRY: DiscoveryRetry =
    DiscoveryRetry { attempts: 10, backoff: Duration::from_secs(1), backoff_max: Duration::from_secs(15) };

fn expected(nextcloud: &str) -> Expected {
    Expected::new(&BaseUrl::parse(nextcloud).expect("a URL"), None, None)
}

/// The recorded document with some members changed; `null` takes one away.
fn changed(members: serde_json::Value) -> Result<ProviderMetadata, DiscoveryError> {
    let mut document: serde_json::Value =
        serde_json::from_slice(&recorded("2.0.9", "discovery").body).expect("JSON");
    for (name, value) in members.as_object().expect("members") {
        match value.is_null() {
            true => drop(document.as_object_mut().and_then(|all| all.remove(name))),
            false => document[name] = value.clone(),
        }
    }
    let metadata = parse(&answer(200, &document.to_string()))?;
    check(metadata, &expected("http://localhost:8090"))
}

#[test]
fn both_versions_of_the_oidc_app_are_understood() {
    for (version, nextcloud) in VERSIONS {
        let metadata = parse(&recorded(version, "discovery")).expect(version);
        let metadata = check(metadata, &expected(nextcloud)).expect(version);
        assert_eq!(metadata.issuer, nextcloud);
        assert_eq!(metadata.registration_endpoint, Some(format!("{nextcloud}/apps/oidc/register")));
        let closed = parse(&recorded(version, "discovery-dcr-disabled")).expect(version);
        assert_eq!(closed.registration_endpoint, None);
        assert_eq!(closed.token_endpoint, format!("{nextcloud}/apps/oidc/token"));
    }
    let pkce = |version| parse(&recorded(version, "discovery")).expect(version).pkce();
    assert_eq!(pkce("1.6.1"), Pkce::NotAdvertised);
    assert_eq!(pkce("2.0.9"), Pkce::Supported(vec!["S256".into(), "plain".into()]));
}

#[test]
fn pkce_without_s256_is_told_from_no_word_about_it() {
    let pkce =
        |methods| changed(json!({"code_challenge_methods_supported": methods})).expect("metadata").pkce();
    assert_eq!(pkce(json!(["plain"])), Pkce::WithoutS256(vec!["plain".into()]));
    assert_eq!(pkce(json!([])), Pkce::WithoutS256(vec![]));
    assert_eq!(pkce(json!(["s256"])), Pkce::WithoutS256(vec!["s256".into()]));
    assert_eq!(pkce(json!(null)), Pkce::NotAdvertised);
}

#[test]
fn the_issuer_is_compared_as_origin_and_path() {
    let same = ["http://localhost:8090", "http://LOCALHOST:8090/"];
    let other = [
        "http://localhost:8090.evil.example",
        "http://localhost:80900",
        "http://localhost",
        "https://localhost:8090",
        "http://localhost:8090/nextcloud",
        "http://evil.example/http://localhost:8090",
        "http://localhost:8090@evil.example",
        "http://localhost:8090?x",
        "",
    ];
    for issuer in same {
        // The spelling stays: tokens are compared with it.
        assert_eq!(changed(json!({"issuer": issuer})).expect(issuer).issuer, issuer);
    }
    for issuer in other {
        let error = changed(json!({"issuer": issuer})).expect_err(issuer);
        assert!(matches!(&error, DiscoveryError::Issuer { found, .. } if found == issuer), "{error}");
        assert!(!error.is_transient());
    }
}

#[test]
fn a_configured_issuer_is_believed_beside_the_address_that_was_asked() {
    let nextcloud = BaseUrl::parse("http://app:8080").expect("a URL");
    let metadata = || ProviderMetadata {
        issuer: "https://cloud.example.org/nc".into(),
        authorization_endpoint: "https://cloud.example.org/nc/apps/oidc/authorize".into(),
        token_endpoint: "http://app:8080/apps/oidc/token".into(),
        ..parse(&recorded("1.6.1", "discovery-dcr-disabled")).expect("metadata")
    };
    let rest = |metadata| ProviderMetadata { jwks_uri: None, userinfo_endpoint: None, ..metadata };
    let public = Expected::new(&nextcloud, None, Some("https://cloud.example.org/nc"));
    assert_eq!(check(rest(metadata()), &public).expect("public").issuer, "https://cloud.example.org/nc");
    let alone = Expected::new(&nextcloud, None, None);
    let error = check(rest(metadata()), &alone).expect_err("not configured");
    assert_eq!(
        error.to_string(),
        "the provider calls itself \"https://cloud.example.org/nc\", expected was http://app:8080"
    );
    assert!(error.remedy().contains("NEXTCLOUD_PUBLIC_ISSUER_URL"));
}

#[test]
fn the_issuer_of_a_named_document_is_its_address_without_the_end() {
    let nextcloud = BaseUrl::parse("https://cloud.example.org").expect("a URL");
    let issuers = |url| {
        let expected = Expected::new(&nextcloud, Some(url), None);
        assert_eq!(expected.second_url, None);
        expected.issuers.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        issuers("https://id.example.org/realms/a/.well-known/openid-configuration"),
        ["https://id.example.org/realms/a"]
    );
    let own = ["https://cloud.example.org"];
    assert_eq!(issuers("https://cloud.example.org/index.php/.well-known/openid-configuration"), own);
    assert_eq!(issuers("https://cloud.example.org/index.php/apps/oidc/openid-configuration"), own);
}

#[test]
fn an_endpoint_is_safe_to_ask_and_of_the_issuers_origin() {
    let refused = [
        ("token_endpoint", "http://localhost:8091/token", "is of another origin than the issuer"),
        ("token_endpoint", "https://localhost:8090/token", "is of another origin than the issuer"),
        (
            "jwks_uri",
            "http://cloud.example.org/jwks",
            "begins with http://, and OAuth over a network needs https://",
        ),
        ("jwks_uri", "https://evil.example/jwks", "is of another origin than the issuer"),
        (
            "registration_endpoint",
            "file:///etc/passwd",
            "has another scheme than http and https; write https://…",
        ),
        (
            "introspection_endpoint",
            "http://localhost:8090@evil.example/",
            "holds a user name; leave out everything up to the @",
        ),
        ("userinfo_endpoint", "/apps/oidc/userinfo", "has no scheme; put https:// in front"),
        ("revocation_endpoint", "http://localhost:8090/r?a b", "has a query that is none"),
        ("authorization_endpoint", "javascript:alert(1)", "has no scheme; put https:// in front"),
    ];
    for (name, url, why) in refused {
        assert_eq!(changed(json!({ name: url })).expect_err(url), DiscoveryError::Endpoint { name, why });
    }
    let fine = json!({"authorization_endpoint": "http://localhost:8090/apps/oidc/authorize?tenant=a&b=c"});
    changed(fine).expect("a query is allowed");
}

#[test]
fn a_configured_endpoint_takes_the_place_of_any_other() {
    let other = Some("https://keys.example.org/jwks".to_owned());
    let expected = Expected { jwks_uri: other.clone(), ..expected("http://localhost:8090") };
    let metadata = parse(&recorded("2.0.9", "discovery")).expect("metadata");
    assert_eq!(check(metadata.clone(), &expected).expect("configured").jwks_uri, other);
    let odd = ProviderMetadata { jwks_uri: Some("https://evil.example/".into()), ..metadata };
    assert_eq!(check(odd, &expected).expect("replaced").jwks_uri, other);
}

#[test]
fn what_is_no_document_is_called_by_its_name() {
    let plain = |status, body: &str| parse(&answer(status, body)).expect_err("no document");
    assert_eq!(parse(&html(200)), Err(DiscoveryError::WebPage { status: 200 }));
    assert_eq!(parse(&html(400)), Err(DiscoveryError::WebPage { status: 400 }));
    assert_eq!(plain(200, "\n <!DOCTYPE html>"), DiscoveryError::WebPage { status: 200 });
    assert_eq!(parse(&html(503)), Err(DiscoveryError::Status { status: 503, retry_after_s: None }));
    assert_eq!(parse(&html(404)), Err(DiscoveryError::NotThere { said_by_nextcloud: false }));
    for (version, _) in VERSIONS {
        let absent = recorded(version, "oauth-authorization-server-not-there-2");
        assert_eq!(parse(&absent), Err(DiscoveryError::NotThere { said_by_nextcloud: true }));
        let redirect = parse(&recorded(version, "discovery-redirect")).expect_err("not followed");
        assert!(matches!(redirect, DiscoveryError::Unreachable(OutsideError::Redirected { .. })));
    }
    for body in ["", "[]", "null", "{}", "{\"issuer\":7}", "{\"issuer\":\"http://localhost:8090\""] {
        assert!(matches!(plain(200, body), DiscoveryError::NotJson(_)), "{body}");
    }
    let deep = format!("{{\"x\":{}", "[".repeat(100_000));
    assert!(matches!(plain(200, &deep), DiscoveryError::NotJson(_)));
}

#[test]
fn a_nextcloud_that_starts_slowly_is_waited_for() {
    let failures = [
        Err(OutsideError::Network { kind: crate::nextcloud::Kind::Unreachable, detail: None }),
        Ok(html(503)),
        Ok(answer(200, "{\"issuer\":")),
        Ok(html(502)),
        Ok(html(500)),
        Ok(html(503)),
    ];
    let tape = Tape::new(failures.into_iter().chain([Ok(recorded("2.0.9", "discovery"))]));
    let clock = Clock::manual(1_795_476_751_000);
    let start = clock.monotonic();
    let mut waits = Vec::new();
    let mut tell = |failed: FailedAttempt<'_>| waits.push((failed.number, failed.wait.as_secs()));
    let found = discover(&tape, &expected("http://localhost:8090"), RETRY, &clock, &Cancel::new(), &mut tell);
    assert_eq!(found.expect("found").issuer, "http://localhost:8090");
    assert_eq!(waits, [(1, 1), (2, 2), (3, 4), (4, 8), (5, 15), (6, 15)]);
    assert_eq!(clock.monotonic() - start, Duration::from_secs(45));
    assert_eq!(tape.asked().len(), 7);
}

#[test]
fn ten_attempts_are_made_and_no_more() {
    let tape = Tape::new((0..20).map(|_| Ok(html(503))));
    let (clock, mut failed) = (Clock::manual(0), 0);
    let mut tell = |_: FailedAttempt<'_>| failed += 1;
    let found = discover(&tape, &expected("http://localhost:8090"), RETRY, &clock, &Cancel::new(), &mut tell);
    assert_eq!(found, Err(DiscoveryError::Status { status: 503, retry_after_s: None }));
    assert_eq!((failed, tape.asked().len()), (9, 10));
}

#[test]
fn what_time_does_not_heal_is_not_repeated() {
    let foreign = OutsideError::Redirected { to: "https://evil.example".into() };
    let answers = [
        Err(foreign),
        Err(OutsideError::Address("begins with http://, and OAuth over a network needs https://")),
        Ok(html(400)),
        Ok(answer(403, "{}")),
        Ok(recorded("1.6.1", "discovery")),
        Ok(recorded("2.0.9", "oauth-authorization-server-not-there-2")),
    ];
    for given in answers {
        let tape = Tape::new([given]);
        let clock = Clock::manual(0);
        let mut tell = |failed: FailedAttempt<'_>| panic!("{failed:?}");
        discover(&tape, &expected("http://localhost:8090"), RETRY, &clock, &Cancel::new(), &mut tell)
            .expect_err("no document");
        assert_eq!((tape.asked().len(), clock.monotonic()), (1, Duration::ZERO));
    }
}

#[test]
fn a_missing_rewrite_rule_is_gone_around() {
    for first in [html(404), html(200)] {
        let tape = Tape::new([Ok(first), Ok(recorded("2.0.9", "discovery"))]);
        let mut tell = |failed: FailedAttempt<'_>| panic!("{failed:?}");
        let expected = expected("http://localhost:8090");
        discover(&tape, &expected, RETRY, &Clock::manual(0), &Cancel::new(), &mut tell).expect("found");
        assert_eq!(
            tape.asked(),
            [
                "GET http://localhost:8090/.well-known/openid-configuration",
                "GET http://localhost:8090/index.php/.well-known/openid-configuration",
            ]
        );
    }
}

#[test]
fn a_429_is_waited_for_as_long_as_it_asks_but_not_for_ever() {
    let throttled = |seconds| DiscoveryError::Status { status: 429, retry_after_s: seconds };
    let wait = |number, error| backoff(RETRY, number, &error).as_secs();
    assert_eq!(wait(1, throttled(Some(30))), 30);
    assert_eq!(wait(1, throttled(Some(u64::MAX))), 120);
    assert_eq!(wait(3, throttled(Some(1))), 4);
    assert_eq!(wait(1, throttled(None)), 1);
    assert_eq!(wait(u32::MAX, throttled(None)), 15);
}

#[test]
fn the_end_of_the_program_ends_the_wait() {
    let cancel = Cancel::new();
    cancel.cancel();
    let tape = Tape::new([Ok(html(503))]);
    let found =
        discover(&tape, &expected("http://localhost:8090"), RETRY, &Clock::manual(0), &cancel, &mut |_| {});
    assert_eq!(found, Err(DiscoveryError::Stopping));
}
