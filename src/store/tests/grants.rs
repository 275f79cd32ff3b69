//! Clients, grants and tokens of the broker.

use super::*;

fn grant(id: &str) -> Grant {
    Grant {
        id: id.into(),
        client_id: "c".into(),
        client_name: "Inspector".into(),
        user_id: "alice".into(),
        login_name: "alice@example.org".into(),
        scopes: "notes:read notes:write".into(),
        resource: "https://mcp.example.org/mcp".into(),
        upstream: Upstream::AppPassword(Secret::new(format!("planted-password-{id}"))),
        created_at: 1_000,
        used_at: 1_000,
        redeemed_at: None,
        ended_at: None,
    }
}

fn token(n: u8, expires_at: u64) -> NewToken {
    NewToken { hash: [n; 32], expires_at }
}

/// A store with one grant whose access token is 1 and whose refresh token is 2.
fn redeemed(folder: &Folder) -> Store {
    let store = folder.open();
    store.save_grant(&grant("a")).expect("saves");
    assert!(store.redeem_grant("a", 1_010, &token(1, 4_610), &token(2, 90_000)).expect("redeems"));
    store
}

fn rotate(store: &Store, old: u8, new: u8) -> Rotation {
    let (access, refresh) = (token(new, 6_000), token(new + 1, 90_000));
    store.rotate(&[old; 32], 2_000, "notes:read", &access, &refresh).expect("rotates")
}

#[test]
fn a_grant_comes_back_and_its_credential_is_sealed() {
    let folder = Folder::new("grant");
    let store = folder.open();
    store.save_grant(&grant("a")).expect("saves");
    let found = store.grant("a").expect("reads").expect("is there");
    assert!(matches!(&found.upstream, Upstream::AppPassword(secret) if secret.is("planted-password-a")));
    assert_eq!((found.user_id.as_str(), found.redeemed_at, found.ended_at), ("alice", None, None));
    assert!(store.grants_of("alice").expect("reads").is_empty(), "not before its code was redeemed");
    store.checkpoint().expect("writes");
    let bytes = fs::read(folder.database()).expect("reads");
    assert!(!bytes.windows(7).any(|window| window == b"planted"));
}

#[test]
fn a_credential_does_not_open_for_another_person_or_client() {
    let folder = Folder::new("grant-moved");
    let store = folder.open();
    store.save_grant(&grant("a")).expect("saves");
    for change in ["user_id = 'bob'", "client_id = 'd'", "upstream_kind = 'other'"] {
        let raw = folder.raw();
        raw.execute_batch(&format!("BEGIN; UPDATE access_grant SET {change}; COMMIT;")).expect("changes");
        assert!(matches!(store.grant("a"), Err(Error::Tampered { .. })), "{change}");
        raw.execute_batch("UPDATE access_grant SET user_id = 'alice', client_id = 'c'").expect("changes");
    }
}

#[test]
fn a_code_is_redeemed_once() {
    let folder = Folder::new("redeem");
    let store = redeemed(&folder);
    assert!(!store.redeem_grant("a", 1_011, &token(3, 4_611), &token(4, 90_000)).expect("answers"));
    assert!(!store.redeem_grant("none", 1_011, &token(3, 4_611), &token(4, 90_000)).expect("answers"));
    assert_eq!(store.token(&[3; 32]).expect("reads"), None);
    let access = store.token(&[1; 32]).expect("reads").expect("is there");
    assert_eq!((access.kind, access.expires_at, access.spent_at), (TokenKind::Access, 4_610, None));
    assert_eq!(access.scopes, "notes:read notes:write");
    assert_eq!(store.grants_of("alice").expect("reads").len(), 1);
    assert!(store.grants_of("bob").expect("reads").is_empty());
}

#[test]
fn a_refresh_token_is_exchanged_once_and_reuse_ends_the_grant() {
    let folder = Folder::new("rotate");
    let store = redeemed(&folder);
    assert_eq!(rotate(&store, 2, 3), Rotation::Done);
    let access = store.token(&[3; 32]).expect("reads").expect("is there");
    assert_eq!((access.scopes.as_str(), access.kind), ("notes:read", TokenKind::Access));
    let refresh = store.token(&[4; 32]).expect("reads").expect("is there");
    assert_eq!(refresh.scopes, "notes:read notes:write", "a refresh token keeps all scopes");
    assert!(store.token(&[2; 32]).expect("reads").expect("is there").spent_at.is_some());
    assert_eq!(rotate(&store, 2, 5), Rotation::Reused);
    for n in 1..7 {
        assert_eq!(store.token(&[n; 32]).expect("reads"), None, "{n}");
    }
    assert!(store.grant("a").expect("reads").expect("is there").ended_at.is_some());
    assert_eq!(rotate(&store, 4, 7), Rotation::Unknown);
}

#[test]
fn only_a_refresh_token_in_force_is_exchanged() {
    let folder = Folder::new("rotate-other");
    let store = redeemed(&folder);
    assert_eq!(rotate(&store, 1, 3), Rotation::Unknown, "an access token");
    assert_eq!(rotate(&store, 9, 3), Rotation::Unknown, "nobody's");
    let late = store.rotate(&[2; 32], 90_000, "notes:read", &token(3, 1), &token(4, 1)).expect("answers");
    assert_eq!(late, Rotation::Unknown, "expired");
    assert_eq!(store.token(&[3; 32]).expect("reads"), None);
}

#[test]
fn access_tokens_do_not_pile_up() {
    let folder = Folder::new("pile");
    let store = redeemed(&folder);
    let mut old = 2;
    for n in 0..20 {
        let new = 10 + 2 * n;
        assert_eq!(rotate(&store, old, new), Rotation::Done);
        old = new + 1;
    }
    let sql = "SELECT count(*) FROM token WHERE kind = 'access'";
    let count: u32 = folder.raw().query_row(sql, [], |row| row.get(0)).expect("counts");
    assert_eq!(count, 8);
}

#[test]
fn what_is_over_is_handed_out_until_it_is_forgotten() {
    let folder = Folder::new("give-back");
    let store = redeemed(&folder);
    store.save_grant(&grant("half")).expect("saves");
    let over = |unredeemed, unused| -> Vec<String> {
        let grants = store.grants_to_give_back(unredeemed, unused).expect("reads");
        grants.into_iter().map(|grant| grant.id).collect()
    };
    assert_eq!(over(0, 0), [""; 0]);
    assert_eq!(over(1_001, 0), ["half"]);
    assert_eq!(over(0, 1_011), ["a", "half"]);
    store.use_grant("a", 5_000).expect("notes");
    store.use_grant("a", 4_000).expect("notes");
    assert_eq!(over(0, 4_999), ["half"]);
    assert!(store.end_grant("a", 5_001).expect("ends") && !store.end_grant("a", 5_002).expect("answers"));
    assert_eq!(store.token(&[1; 32]).expect("reads"), None);
    assert_eq!(over(0, 0), ["a"]);
    store.delete_grant("a").expect("deletes");
    assert_eq!(over(0, 0), [""; 0]);
}

#[test]
fn clients_are_bounded_and_those_with_a_grant_stay() {
    let folder = Folder::new("mcp-clients");
    let store = folder.open();
    let client = |n: u64| McpClient {
        client_id: if n == 0 { "c".into() } else { format!("c{n}") },
        metadata: "{}".into(),
        created_at: n,
        used_at: n,
    };
    store.save_mcp_client(&client(0)).expect("saves");
    store.save_grant(&grant("a")).expect("saves");
    // Many at once: each by itself is made durable, which takes its time.
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
                INSERT INTO mcp_client SELECT 'c' || i, '{}', i, i FROM n";
    folder.raw().execute_batch(fill).expect("fills");
    store.use_mcp_client("c1", 2_000).expect("notes");
    store.save_mcp_client(&client(1_000)).expect("saves");
    let is_there = |id: &str| store.mcp_client(id).expect("reads").is_some();
    assert!(is_there("c") && is_there("c1") && is_there("c1000") && !is_there("c2") && is_there("c3"));
    assert_eq!(store.mcp_client("c1").expect("reads").expect("is there").used_at, 2_000);
}

#[test]
fn a_consent_is_remembered_for_one_person_and_client() {
    let folder = Folder::new("consent");
    let store = folder.open();
    store.save_consent("c", "alice", "notes:read", 1).expect("saves");
    store.save_consent("c", "alice", "notes:read files:read", 2).expect("saves");
    assert_eq!(store.consent("c", "alice").expect("reads").as_deref(), Some("notes:read files:read"));
    assert_eq!(store.consent("c", "bob").expect("reads"), None);
    assert_eq!(store.consent("d", "alice").expect("reads"), None);
    store.delete_consent("c", "alice").expect("forgets");
    assert_eq!(store.consent("c", "alice").expect("reads"), None);
}
