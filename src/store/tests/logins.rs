//! Logins of `nextcloud-mcp-server login`.

use super::*;

const CLOUD: &str = "https://cloud.example.org";

fn login(nextcloud: &str, user_id: &str) -> StoredLogin {
    StoredLogin {
        nextcloud: nextcloud.into(),
        user_id: user_id.into(),
        login_name: format!("{user_id}@example.org"),
        app_password: Secret::new(format!("planted-password-of-{user_id}")),
        created_at: 1_000,
    }
}

#[test]
fn a_login_comes_back_and_its_password_is_sealed() {
    let folder = Folder::new("login");
    let store = folder.open();
    assert!(store.login(CLOUD).expect("reads").is_none());
    store.save_login(&login(CLOUD, "alice")).expect("saves");
    let found = folder.open().login(CLOUD).expect("reads").expect("is there");
    assert_eq!((found.user_id.as_str(), found.login_name.as_str()), ("alice", "alice@example.org"));
    assert_eq!((found.nextcloud.as_str(), found.created_at), (CLOUD, 1_000));
    assert!(found.app_password.is("planted-password-of-alice"));
    store.checkpoint().expect("writes");
    let bytes = fs::read(folder.database()).expect("reads");
    assert!(!bytes.windows(7).any(|window| window == b"planted"));
}

#[test]
fn there_is_one_login_for_each_nextcloud() {
    let folder = Folder::new("login-each");
    let store = folder.open();
    for (nextcloud, user_id) in [(CLOUD, "alice"), ("https://other.example", "carol"), (CLOUD, "bob")] {
        store.save_login(&login(nextcloud, user_id)).expect("saves");
    }
    let user_id = |nextcloud| store.login(nextcloud).expect("reads").map(|login| login.user_id);
    assert_eq!(user_id(CLOUD).as_deref(), Some("bob"));
    assert_eq!(user_id("https://other.example").as_deref(), Some("carol"));
    store.delete_login(CLOUD).expect("deletes");
    store.delete_login(CLOUD).expect("is no error");
    assert_eq!(user_id(CLOUD), None);
    assert_eq!(user_id("https://other.example").as_deref(), Some("carol"));
}

#[test]
fn a_password_is_not_sent_to_another_nextcloud_or_for_another_person() {
    let folder = Folder::new("login-moved");
    let store = folder.open();
    for change in ["nextcloud = 'https://evil.example'", "user_id = 'bob'", "login_name = 'bob'"] {
        store.save_login(&login(CLOUD, "alice")).expect("saves");
        folder.raw().execute_batch(&format!("UPDATE login SET {change}")).expect("changes");
        let moved = if change.starts_with("nextcloud") { "https://evil.example" } else { CLOUD };
        assert!(matches!(store.login(moved), Err(Error::Tampered { .. })), "{change}");
        folder.raw().execute_batch("DELETE FROM login").expect("changes");
    }
}
