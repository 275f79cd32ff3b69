//! What is stored comes back, and only as it was stored.

use super::*;

#[test]
fn a_client_comes_back_as_it_was_saved() {
    let folder = Folder::new("client");
    let store = folder.open();
    assert!(store.client_for(&registration()).expect("reads").is_none());
    store.save_client(&client("a")).expect("saves");
    let found = store.client_for(&registration()).expect("reads").expect("is there");
    assert!(found.client_secret.as_ref().expect("is there").is("planted-secret-a"));
    assert!(found.registration_access_token.as_ref().expect("is there").is("planted-token-a"));
    assert_eq!(found.registration_client_uri.as_deref(), Some("https://cloud.example.org/register/a"));
    assert_eq!((found.issued_at, found.expires_at, found.created_at), (Some(1_000), Some(4_600), 1_001));
    assert_eq!(found.client_id, "a");
}

#[test]
fn a_client_without_secrets_and_times_is_stored_too() {
    let folder = Folder::new("bare-client");
    let store = folder.open();
    let bare = Client {
        client_secret: None,
        registration_access_token: None,
        registration_client_uri: None,
        issued_at: None,
        expires_at: Some(0),
        created_at: u64::MAX,
        ..client("a")
    };
    store.save_client(&bare).expect("saves");
    let found = store.client_for(&registration()).expect("reads").expect("is there");
    assert!(found.client_secret.is_none() && found.registration_access_token.is_none());
    assert_eq!((found.issued_at, found.expires_at), (None, None), "0 says never, as absent does");
    assert_eq!(found.created_at, i64::MAX as u64);
}

#[test]
fn a_client_is_found_for_exactly_what_it_was_registered_for() {
    let folder = Folder::new("registration");
    let store = folder.open();
    store.save_client(&client("a")).expect("saves");
    let is_found = |registration: Registration| store.client_for(&registration).expect("reads").is_some();
    assert!(is_found(Registration { scopes: "notes:read  openid profile openid".into(), ..registration() }));
    assert!(!is_found(Registration { scopes: "openid profile".into(), ..registration() }));
    assert!(!is_found(Registration { issuer: "https://other.example.org".into(), ..registration() }));
    assert!(!is_found(Registration { redirect_uri: "http://localhost/".into(), ..registration() }));
    assert!(!is_found(Registration { token_type: "opaque".into(), ..registration() }));
}

#[test]
fn a_new_client_takes_the_place_of_all_others() {
    let folder = Folder::new("superseded");
    let store = folder.open();
    let listed = || -> Vec<String> {
        store.clients_to_delete().expect("reads").into_iter().map(|client| client.client_id).collect()
    };
    let elsewhere = Registration { redirect_uri: "https://new.example.org/cb".into(), ..registration() };
    store.save_client(&client("a")).expect("saves");
    store.save_client(&Client { created_at: 2_000, ..client("b") }).expect("saves");
    assert_eq!(listed(), ["a"]);
    store
        .save_client(&Client { registration: elsewhere.clone(), created_at: 3_000, ..client("c") })
        .expect("saves");
    assert_eq!(listed(), ["a", "b"]);
    assert!(store.client_for(&registration()).expect("reads").is_none());
    assert_eq!(store.client_for(&elsewhere).expect("reads").expect("is there").client_id, "c");
    let old = store.clients_to_delete().expect("reads").swap_remove(0);
    assert!(old.registration_access_token.expect("to delete it with").is("planted-token-a"));
    store.delete_client("https://cloud.example.org", "a").expect("deletes");
    store.delete_client("https://cloud.example.org", "a").expect("is not there, which is fine");
    assert_eq!(listed(), ["b"]);
    store.save_client(&Client { expires_at: None, ..client("b") }).expect("is saved again");
    assert_eq!(listed(), ["c"]);
    assert_eq!(store.client_for(&registration()).expect("reads").expect("is there").expires_at, None);
}

#[test]
fn sealed_values_that_changed_places_are_refused() {
    for (what, sql) in [
        (
            "columns",
            "UPDATE oauth_client SET client_secret = registration_access_token WHERE client_id = 'b'",
        ),
        (
            "rows",
            "UPDATE oauth_client SET client_secret = (SELECT client_secret FROM oauth_client
             WHERE client_id = 'a') WHERE client_id = 'b'",
        ),
        ("client", "UPDATE oauth_client SET client_id = 'evil' WHERE client_id = 'b'"),
        (
            "management address",
            "UPDATE oauth_client SET registration_client_uri = 'https://evil.example' WHERE client_id = 'b'",
        ),
        ("cut", "UPDATE oauth_client SET client_secret = x'' WHERE client_id = 'b'"),
    ] {
        let folder = Folder::new(&format!("swapped-{}", what.replace(' ', "-")));
        let store = folder.open();
        store.save_client(&client("a")).expect("saves");
        store.save_client(&client("b")).expect("saves");
        assert_eq!(folder.raw().execute(sql, []).expect("sql"), 1, "{what}");
        let error = store.client_for(&registration()).err().unwrap_or_else(|| panic!("{what}: was opened"));
        assert!(matches!(error, Error::Tampered { table: "oauth_client", .. }), "{what}: {error:?}");
        assert!(error.to_string().contains("restore a backup"), "{error}");
        assert!(!format!("{error} {error:?}").contains("planted"), "{error:?}");
    }
}

#[test]
fn a_secret_is_not_handed_to_another_issuer() {
    let folder = Folder::new("other-issuer");
    let store = folder.open();
    store.save_client(&client("a")).expect("saves");
    folder.raw().execute("UPDATE oauth_client SET issuer = 'https://evil.example'", []).expect("sql");
    let evil = Registration { issuer: "https://evil.example".into(), ..registration() };
    assert!(matches!(store.client_for(&evil), Err(Error::Tampered { column: "client_secret", .. })));
}

#[test]
fn the_audit_trail_keeps_the_newest_lines() {
    let folder = Folder::new("audit");
    let bounds = Bounds { audit_rows_max: 3, ..Bounds::PRODUCT };
    let store = Store::open_within(&folder.database(), None, &Ids::random(), bounds).expect("opens");
    for at in 1..=5 {
        store.audit(&entry(at)).expect("writes");
    }
    let times = |count| -> Vec<u64> {
        store.audit_trail(count).expect("reads").iter().map(|record| record.at).collect()
    };
    assert_eq!(times(10), [5, 4, 3]);
    assert_eq!(times(1), [5]);
    drop(store);
    let store = Store::open_within(&folder.database(), None, &Ids::random(), bounds).expect("opens");
    store.audit(&entry(6)).expect("writes");
    assert_eq!(store.audit_trail(10).expect("reads").len(), 3);
}

#[test]
fn every_deed_and_outcome_comes_back_and_long_names_are_cut() {
    let folder = Folder::new("audit-words");
    let store = folder.open();
    let name = "ü".repeat(1_000);
    let mut written = Vec::new();
    for deed in [Deed::Registered, Deed::Connected, Deed::Granted, Deed::Revoked, Deed::Called] {
        for outcome in [Outcome::Done, Outcome::Refused, Outcome::Failed] {
            let tool = (deed == Deed::Called).then_some(name.as_str());
            store.audit(&AuditEntry { at: 7, who: &name, deed, tool, outcome }).expect("writes");
            let cut = "ü".repeat(128);
            written
                .insert(0, AuditRecord { at: 7, who: cut.clone(), deed, tool: tool.map(|_| cut), outcome });
        }
    }
    assert_eq!(store.audit_trail(100).expect("reads"), written);
    folder.raw().execute("UPDATE audit SET deed = 'dreamt' WHERE id = 1", []).expect("sql");
    assert_eq!(store.audit_trail(100).expect("reads").len(), written.len() - 1);
}

#[test]
fn a_lease_has_one_owner_until_it_ends() {
    let folder = Folder::new("lease");
    let store = folder.open();
    let take = |owner, now| store.take_lease("registration", owner, now, 30).expect("asks");
    assert_eq!(take("a", 100), Lease::Ours { until: 130 });
    assert_eq!(take("b", 129), Lease::Theirs { until: 130 });
    assert_eq!(take("a", 120), Lease::Ours { until: 150 }, "the owner prolongs it");
    store.release_lease("registration", "b").expect("is not theirs to give back");
    assert_eq!(take("b", 149), Lease::Theirs { until: 150 });
    assert_eq!(take("b", 150), Lease::Ours { until: 180 });
    store.release_lease("registration", "b").expect("releases");
    assert_eq!(take("a", 151), Lease::Ours { until: 181 });
    assert_eq!(store.take_lease("other", "b", 151, 30).expect("asks"), Lease::Ours { until: 181 });
}

#[test]
fn a_lease_from_the_future_does_not_block_for_ever() {
    let folder = Folder::new("lease-future");
    let store = folder.open();
    let year = 365 * 86_400;
    store.take_lease("registration", "a", 100 + year, u64::MAX).expect("takes");
    assert_eq!(
        store.take_lease("registration", "b", 100, 9_999).expect("takes"),
        Lease::Ours { until: 100 + LEASE_S_MAX }
    );
}
