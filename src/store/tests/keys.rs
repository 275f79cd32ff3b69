//! Where the key comes from, and what happens without it.

use super::*;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER: &str = "_-7dzLuqmYh3ZlVEMyIRAAECAwQFBgcICQoLDA0ODxA";

fn open_with(folder: &Folder, key: &str) -> Result<Store, Error> {
    Store::open(&folder.database(), Some(&Secret::new(key)), &Ids::random())
}

#[test]
fn without_a_key_one_is_made_once_and_told_of() {
    let folder = Folder::new("key-made");
    let store = folder.open();
    assert_eq!(store.key_made_at(), Some(folder.0.join("tokens.db.key").as_path()));
    store.save_client(&client("a")).expect("saves");
    drop(store);
    let store = folder.open();
    assert_eq!(store.key_made_at(), None);
    let secret = store.client_for(&registration()).expect("opens").and_then(|client| client.client_secret);
    assert!(secret.expect("is there").is("planted-secret-a"));
}

#[test]
fn a_given_key_is_used_in_any_form_and_none_is_made() {
    let folder = Folder::new("key-given");
    let store = open_with(&folder, KEY).expect("opens");
    assert_eq!(store.key_made_at(), None);
    store.save_client(&client("a")).expect("saves");
    drop(store);
    let store = open_with(&folder, &format!("{}\n", KEY.trim_end_matches('='))).expect("opens");
    assert!(store.client_for(&registration()).expect("opens").is_some());
    assert!(!folder.0.join("tokens.db.key").exists());
}

#[test]
fn a_key_that_was_put_beside_a_new_database_is_used() {
    let folder = Folder::new("key-beside");
    let key_path = folder.0.join("tokens.db.key");
    file::create_private(&key_path).and_then(|_| fs::write(&key_path, KEY)).expect("write");
    assert_eq!(folder.open().key_made_at(), None);
    open_with(&folder, KEY).expect("is the same key");
}

#[test]
fn another_key_is_refused_and_nothing_starts_anew() {
    let folder = Folder::new("key-wrong");
    open_with(&folder, KEY).expect("opens").save_client(&client("a")).expect("saves");
    let (error, sentence) = refusal(open_with(&folder, OTHER));
    assert!(matches!(error, Error::KeyWrong { .. }), "{error:?}");
    assert!(sentence.contains("sealed with another key"), "{sentence}");
    let told = format!("{sentence} {error:?}");
    assert!(!told.contains(OTHER) && !told.contains(KEY.trim_end_matches('=')), "{told}");
    let store = open_with(&folder, KEY).expect("the right one still opens");
    assert!(store.client_for(&registration()).expect("reads").is_some());
}

#[test]
fn a_lost_key_is_an_error_and_none_is_made_in_its_place() {
    let folder = Folder::new("key-lost");
    folder.open();
    let key_path = folder.0.join("tokens.db.key");
    fs::remove_file(&key_path).expect("remove");
    let (error, sentence) = refusal(folder.try_open());
    assert!(matches!(error, Error::KeyMissing { .. }), "{error:?}");
    assert!(sentence.contains(&key_path.display().to_string()), "{sentence}");
    assert!(!key_path.exists());
}

#[test]
fn a_setting_that_is_no_key_is_refused_before_a_file_is_made() {
    let folder = Folder::new("key-setting");
    for text in ["", "hunter2-hunter2", &KEY[..40]] {
        let (error, sentence) = refusal(open_with(&folder, text));
        assert!(matches!(error, Error::KeySetting), "{error:?}");
        assert!(sentence.contains("openssl rand -base64 32"), "{sentence}");
        assert!(text.is_empty() || !sentence.contains(text), "{sentence}");
    }
    assert_eq!(modes_below(&folder.0), []);
}

#[test]
fn a_key_file_with_something_else_in_it_is_refused() {
    let folder = Folder::new("key-file");
    folder.open();
    for content in [&b""[..], b"not a key", &[0xff; 32], &[b'A'; 5_000]] {
        fs::write(folder.0.join("tokens.db.key"), content).expect("write");
        let (error, sentence) = refusal(folder.try_open());
        assert!(matches!(error, Error::KeyFile { .. }), "{error:?}");
        assert!(sentence.contains("tokens.db.key"), "{sentence}");
    }
}

#[test]
fn a_changed_mark_of_the_key_is_not_taken_for_another_key() {
    let folder = Folder::new("key-mark");
    folder.open();
    for changed in ["x''", "zeroblob(53)", "substr(sealed, 1, length(sealed) - 1)"] {
        folder.raw().execute_batch(&format!("UPDATE key_check SET sealed = {changed}")).expect("sql");
        let error = folder.try_open().err();
        assert!(matches!(error, Some(Error::Tampered { table: "key_check", .. })), "{changed}: {error:?}");
    }
}

#[test]
fn no_secret_and_no_key_can_be_read_from_the_files() {
    let folder = Folder::new("strings");
    let store = open_with(&folder, KEY).expect("opens");
    for id in ["first", "second", "third"] {
        store.save_client(&client(id)).expect("saves");
    }
    let raw_key: Vec<u8> = (0..32).collect();
    let look = |names: &[&str]| {
        let mut seen = Vec::new();
        for name in names {
            let bytes = fs::read(folder.0.join(name)).expect(name);
            for planted in [&b"planted-"[..], b"cGxhbnRlZC", &KEY.as_bytes()[..20], &raw_key] {
                assert!(!bytes.windows(planted.len()).any(|window| window == planted), "{name}: {planted:?}");
            }
            seen.extend(bytes);
        }
        assert!(seen.windows(6).any(|window| window == b"second"), "the look would find what is there");
    };
    look(&["tokens.db", "tokens.db-wal", "tokens.db-shm"]);
    store.close().expect("closes");
    look(&["tokens.db"]);
    store.delete_client("https://cloud.example.org", "first").expect("deletes");
    store.checkpoint().expect("checkpoint");
    let bytes = fs::read(folder.database()).expect("read");
    assert!(!bytes.windows(14).any(|window| window == b"register/first"), "what is deleted is overwritten");
}
