//! What lies in the folder: modes, links, foreign files, disks that do not take a byte.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
}

#[test]
fn folder_and_files_are_made_for_this_user_alone() {
    let folder = Folder::new("modes");
    let below = folder.0.join("state/nextcloud-mcp-server");
    let store = Store::open(&below.join("tokens.db"), None, &Ids::random()).expect("opens");
    store.save_client(&client("a")).expect("saves");
    assert_eq!(modes_below(&folder.0), [("state".to_owned(), 0o700)]);
    let names = ["tokens.db", "tokens.db-shm", "tokens.db-wal", "tokens.db.key"];
    assert_eq!(modes_below(&below), names.map(|name| (name.to_owned(), 0o600)));
    store.close().expect("closes");
    drop(store);
    assert_eq!(modes_below(&below).len(), 2, "the log goes with the last connection");
}

#[test]
fn files_that_others_can_get_at_are_refused() {
    let folder = Folder::new("open-to-others");
    folder.open();
    for file in ["tokens.db", "tokens.db.key"] {
        let path = folder.0.join(file);
        for mode in [0o640, 0o604, 0o660, 0o610] {
            set_mode(&path, mode);
            let (error, sentence) = refusal(folder.try_open());
            assert!(matches!(error, Error::OpenToOthers { mode: found, .. } if found == mode), "{error:?}");
            assert!(sentence.contains(&format!("chmod 600 {}", path.display())), "{sentence}");
        }
        set_mode(&path, 0o600);
        folder.open();
    }
}

#[test]
fn a_link_in_place_of_a_file_is_refused_and_not_followed() {
    let folder = Folder::new("link");
    let elsewhere = Folder::new("link-elsewhere");
    elsewhere.open();
    for target in [elsewhere.database(), elsewhere.0.join("not-there")] {
        symlink(&target, folder.database()).expect("link");
        let (error, sentence) = refusal(folder.try_open());
        assert!(matches!(error, Error::Symlink { .. }), "{error:?}");
        assert!(sentence.contains("symbolic link") && sentence.contains("TOKEN_STORAGE_DB"), "{sentence}");
        fs::remove_file(folder.database()).expect("remove");
    }
    assert!(!elsewhere.0.join("not-there").exists());
    symlink(elsewhere.0.join("tokens.db.key"), folder.0.join("tokens.db.key")).expect("link");
    assert!(matches!(folder.try_open().err(), Some(Error::Symlink { .. })));
}

#[test]
fn a_link_to_the_folder_is_followed_as_systemd_makes_them() {
    let folder = Folder::new("dynamic-user");
    fs::create_dir_all(folder.0.join("private/server")).expect("folder");
    symlink("private/server", folder.0.join("server")).expect("link");
    let store = Store::open(&folder.0.join("server/tokens.db"), None, &Ids::random()).expect("opens");
    assert_eq!(store.path(), folder.0.join("private/server/tokens.db"));
    store.audit(&entry(1)).expect("writes");
    assert_eq!(store.audit_trail(9).expect("reads").len(), 1);
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let folder = Folder::new("not-a-file");
    fs::create_dir(folder.database()).expect("folder");
    assert!(matches!(folder.try_open().err(), Some(Error::NotAFile { .. })));
    let under_file = folder.0.join("file/tokens.db");
    fs::write(folder.0.join("file"), "").expect("write");
    let (error, sentence) = refusal(Store::open(&under_file, None, &Ids::random()));
    assert!(matches!(error, Error::Folder { .. }), "{error:?}");
    assert!(sentence.contains("mode 0700"), "{sentence}");
    assert!(matches!(Store::open(Path::new("/"), None, &Ids::random()).err(), Some(Error::NotAFile { .. })));
}

#[test]
fn another_format_is_refused_and_left_as_it_is() {
    let folder = Folder::new("format");
    for content in ["hello".to_owned(), "{\"client_id\": \"x\"}\n".repeat(1_000)] {
        fs::write(folder.database(), &content).expect("write");
        set_mode(&folder.database(), 0o600);
        let (error, sentence) = refusal(folder.try_open());
        assert!(matches!(error, Error::NotADatabase { .. }), "{error:?}");
        assert!(sentence.contains("move it away"), "{sentence}");
        assert_eq!(fs::read_to_string(folder.database()).expect("read"), content);
    }
    assert!(!folder.0.join("tokens.db.key").exists());
}

#[test]
fn an_empty_file_is_a_new_database() {
    let folder = Folder::new("empty");
    fs::write(folder.database(), "").expect("write");
    set_mode(&folder.database(), 0o600);
    assert!(folder.open().key_made_at().is_some());
}

#[test]
fn the_database_of_another_program_is_left_alone() {
    let folder = Folder::new("foreign");
    folder.raw().execute_batch("CREATE TABLE refresh_tokens (id TEXT)").expect("sql");
    set_mode(&folder.database(), 0o600);
    let before = fs::read(folder.database()).expect("read");
    let (error, sentence) = refusal(folder.try_open());
    assert!(matches!(error, Error::Foreign { .. }), "{error:?}");
    assert!(sentence.contains("name another file in TOKEN_STORAGE_DB"), "{sentence}");
    assert_eq!(fs::read(folder.database()).expect("read"), before);
}

#[test]
fn a_newer_database_is_refused_and_left_as_it_is() {
    let folder = Folder::new("newer");
    folder.open();
    for version in [schema::KNOWN as i32 + 1, 99, -1] {
        folder.raw().pragma_update(None, "user_version", version).expect("sql");
        let before = fs::read(folder.database()).expect("read");
        let (error, sentence) = refusal(folder.try_open());
        assert!(matches!(error, Error::Newer { known: schema::KNOWN, .. }), "{error:?}");
        assert!(sentence.contains("newer version"), "{sentence}");
        assert_eq!(fs::read(folder.database()).expect("read"), before);
    }
    folder.raw().pragma_update(None, "user_version", schema::KNOWN).expect("sql");
    folder.open();
}

#[test]
fn a_damaged_database_is_called_so() {
    let folder = Folder::new("damaged");
    let store = folder.open();
    store.save_client(&client("a")).expect("saves");
    store.close().expect("closes");
    drop(store);
    let mut bytes = fs::read(folder.database()).expect("read");
    bytes[4096..].fill(0xff);
    fs::write(folder.database(), bytes).expect("write");
    let (error, sentence) = refusal(folder.try_open());
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    assert!(sentence.contains("restore a backup"), "{sentence}");
}

/// Opens as a user who owns nothing: the tests may run as root, whom modes do not stop.
#[cfg(target_os = "linux")]
fn open_as_nobody(path: &Path) -> Result<Store, Error> {
    std::thread::scope(|scope| {
        let opened = scope.spawn(|| {
            // SAFETY: changes whom the file system sees in this thread only, which ends right after. (setfsuid(2))
            unsafe { libc::setfsuid(65_534) };
            Store::open(path, None, &Ids::random())
        });
        opened.join().expect("no panic")
    })
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_cannot_be_written_is_refused() {
    let folder = Folder::new("read-only-folder");
    set_mode(&folder.0, 0o555);
    let (error, sentence) = refusal(open_as_nobody(&folder.database()));
    assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}");
    assert!(sentence.contains("mounted read-only"), "{sentence}");
    assert_eq!(modes_below(&folder.0), []);
    let (error, _) = refusal(open_as_nobody(&folder.0.join("new/tokens.db")));
    assert!(matches!(error, Error::Folder { .. }), "{error:?}");
    set_mode(&folder.0, 0o755);
}

#[test]
#[cfg(target_os = "linux")]
fn a_database_that_cannot_be_written_is_refused() {
    let folder = Folder::new("read-only-file");
    folder.open();
    // As root, the files are given away: then only their folder is in the way. Otherwise they are made read-only.
    let given_away = ["tokens.db", "tokens.db.key"]
        .map(|file| std::os::unix::fs::chown(folder.0.join(file), Some(65_534), None).is_ok());
    set_mode(&folder.0, 0o555);
    if given_away == [true, true] {
        let (error, sentence) = refusal(open_as_nobody(&folder.database()));
        assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}");
        assert!(sentence.contains("mounted read-only"), "{sentence}");
    }
    set_mode(&folder.0, 0o755);
    set_mode(&folder.database(), 0o400);
    let (error, sentence) = refusal(open_as_nobody(&folder.database()));
    assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}");
    assert!(sentence.contains("give both to the user"), "{sentence}");
}

#[test]
fn a_log_that_cannot_be_opened_is_reported() {
    let folder = Folder::new("odd-log");
    folder.open();
    fs::create_dir(folder.0.join("tokens.db-wal")).expect("folder");
    let (error, sentence) = refusal(folder.try_open());
    assert!(matches!(error, Error::CannotOpen { .. }), "{error:?}");
    assert!(sentence.contains("LimitNOFILE"), "{sentence}");
    assert!(!folder.0.join("tokens.db.probe").exists());
}

#[test]
fn a_full_disk_at_the_first_start_leaves_something_to_start_from() {
    let folder = Folder::new("full-at-start");
    let tight = Bounds { pages_max: 3, ..Bounds::PRODUCT };
    let (error, sentence) = refusal(Store::open_within(&folder.database(), None, &Ids::random(), tight));
    assert!(matches!(error, Error::Full { .. }), "{error:?}");
    assert!(sentence.contains("free some space"), "{sentence}");
    let store = folder.open();
    store.save_client(&client("a")).expect("saves");
}

#[test]
fn a_full_disk_loses_nothing_that_was_stored() {
    let folder = Folder::new("full");
    let tight = Bounds { pages_max: 40, ..Bounds::PRODUCT };
    let store = Store::open_within(&folder.database(), None, &Ids::random(), tight).expect("opens");
    store.save_client(&client("a")).expect("saves");
    let written = (0..10_000).take_while(|&at| store.audit(&entry(at)).is_ok()).count();
    assert!(written > 10 && written < 10_000, "{written}");
    let error = store.audit(&entry(0)).expect_err("is full");
    assert!(matches!(error, Error::Full { .. }), "{error:?}");
    let big = Client { client_secret: Some(Secret::new("x".repeat(9_000))), ..client("b") };
    assert!(matches!(store.save_client(&big), Err(Error::Full { .. })));
    let kept = store.client_for(&registration()).expect("reads").expect("is there");
    assert_eq!(kept.client_id, "a", "the old client is in use until the new one is stored");
    assert!(store.clients_to_delete().expect("reads").is_empty());
    drop(store);
    let store = folder.open();
    store.save_client(&big).expect("there is room again");
    assert_eq!(store.audit_trail(20_000).expect("reads").len(), written);
}
