//! Several at once, and ends without a goodbye.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;

use super::*;

/// Runs `work` in `count` threads that start together; each has the number of its thread.
fn at_once<T: Send>(count: u64, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(count as usize);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|number| {
                let (work, barrier) = (&work, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    work(number)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

#[test]
fn several_first_starts_at_once_make_one_database_and_one_key() {
    for round in 0..5 {
        let folder = Folder::new(&format!("at-once-{round}"));
        let made = at_once(8, |number| {
            let store = folder.open();
            store.audit(&entry(number)).expect("writes");
            store.key_made_at().is_some()
        });
        assert_eq!(made.into_iter().filter(|&made| made).count(), 1);
        assert_eq!(folder.open().audit_trail(100).expect("reads").len(), 8);
        assert_eq!(modes_below(&folder.0).len(), 2, "no draft is left");
    }
}

#[test]
fn threads_and_processes_write_and_read_together() {
    let folder = Folder::new("together");
    let (one, other) = (folder.open(), folder.open());
    at_once(6, |number| {
        let store = if number % 2 == 0 { &one } else { &other };
        for turn in 0..20 {
            store.audit(&entry(number * 100 + turn)).expect("writes");
            let trail = store.audit_trail(1_000).expect("reads");
            assert!(trail.iter().any(|record| record.at == number * 100 + turn), "reads its own writes");
        }
    });
    assert_eq!(one.audit_trail(1_000).expect("reads").len(), 120);
    assert!(lock(&one.readers).len() <= READERS_MAX);
}

#[test]
fn one_of_many_takes_the_lease() {
    let folder = Folder::new("lease-race");
    let stores = [folder.open(), folder.open()];
    let taken = at_once(8, |number| {
        let store = &stores[number as usize % 2];
        store.take_lease("registration", &number.to_string(), 100, 30).expect("asks")
    });
    assert_eq!(taken.into_iter().filter(|lease| matches!(lease, Lease::Ours { .. })).count(), 1);
}

#[test]
fn a_writer_that_holds_the_database_is_waited_for_and_then_reported() {
    let folder = Folder::new("locked");
    folder.open().save_client(&client("a")).expect("saves");
    let store = folder.try_open_impatient().expect("opens");
    let holder = folder.raw();
    holder.execute_batch("BEGIN IMMEDIATE").expect("holds");
    let error = store.audit(&entry(1)).expect_err("is locked");
    assert!(matches!(error, Error::Locked { .. }), "{error:?}");
    assert!(error.to_string().contains("held by another process"), "{error}");
    assert!(store.client_for(&registration()).expect("readers do not wait").is_some());
    let (error, _) = refusal(folder.try_open_impatient());
    assert!(matches!(error, Error::Locked { .. }), "{error:?}");
    holder.execute_batch("ROLLBACK").expect("lets go");
    store.audit(&entry(2)).expect("writes");
    assert_eq!(store.audit_trail(9).expect("reads").len(), 1);
}

#[test]
fn a_start_against_an_exclusive_holder_is_reported() {
    let folder = Folder::new("exclusive");
    folder.open();
    let holder = folder.raw();
    holder.execute_batch("PRAGMA locking_mode = exclusive; BEGIN EXCLUSIVE").expect("holds");
    let (error, _) = refusal(folder.try_open_impatient());
    assert!(matches!(error, Error::Locked { .. }), "{error:?}");
}

/// The files as a crash at this moment would leave them.
fn crash(folder: &Folder, test: &str) -> Folder {
    let after = Folder::new(test);
    for file in ["tokens.db", "tokens.db-wal", "tokens.db.key"] {
        fs::copy(folder.0.join(file), after.0.join(file)).expect(file);
    }
    after
}

#[test]
fn what_was_committed_outlives_a_crash_and_nothing_else_does() {
    let folder = Folder::new("crash");
    let store = folder.open();
    store.save_client(&client("a")).expect("saves");
    store.audit(&entry(1)).expect("writes");
    let after = store
        .write(Durability::Process, "crashing", |transaction| {
            transaction.execute("DELETE FROM oauth_client", [])?;
            Ok(crash(&folder, "crash-after"))
        })
        .expect("writes");
    let store = after.open();
    assert_eq!(store.key_made_at(), None);
    assert!(store.client_for(&registration()).expect("reads").is_some());
    assert_eq!(store.audit_trail(9).expect("reads").len(), 1);
}

#[test]
fn a_store_that_was_never_closed_is_opened_again() {
    let folder = Folder::new("unclosed");
    let store = folder.open();
    store.save_client(&client("a")).expect("saves");
    std::mem::forget(store);
    assert!(folder.open().client_for(&registration()).expect("reads").is_some());
}

#[test]
fn a_transaction_that_fails_or_panics_is_undone() {
    let folder = Folder::new("undone");
    let store = folder.open();
    store.audit(&entry(1)).expect("writes");
    let empty = |transaction: &Transaction<'_>| transaction.execute("DELETE FROM audit", []);
    let failed = store.write(Durability::Process, "failing", |transaction| {
        empty(transaction)?;
        Err::<(), _>(Error::NoRandomness.into())
    });
    assert!(matches!(failed, Err(Error::NoRandomness)));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        store.write(Durability::Power, "panicking", |transaction| -> Result<(), Failure> {
            empty(transaction)?;
            panic!("as planned")
        })
    }));
    assert!(panicked.is_err());
    store.audit(&entry(2)).expect("writes");
    assert_eq!(store.audit_trail(9).expect("reads").len(), 2);
}

#[test]
fn a_new_client_is_on_the_disk_before_it_is_used() {
    let folder = Folder::new("durable");
    let store = folder.open();
    let synchronous = || -> i32 {
        lock(&store.writer).pragma_query_value(None, "synchronous", |row| row.get(0)).expect("pragma")
    };
    assert_eq!(synchronous(), 1, "NORMAL");
    store.save_client(&client("a")).expect("saves");
    assert_eq!(synchronous(), 2, "FULL");
    store.audit(&entry(1)).expect("writes");
    assert_eq!(synchronous(), 1, "NORMAL");
}

#[test]
fn connections_have_the_settings_that_were_decided() {
    let folder = Folder::new("pragmas");
    let store = folder.open();
    let all = |connection: &Connection| {
        ["trusted_schema", "foreign_keys", "secure_delete", "temp_store", "cache_size", "journal_size_limit"]
            .map(|name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).expect(name))
    };
    assert_eq!(all(&lock(&store.writer)), [0, 1, 1, 2, -512, 1_048_576]);
    store
        .read("reading", |connection| {
            assert_eq!(all(connection), [0, 1, 1, 2, -512, 1_048_576]);
            assert!(connection.execute("DELETE FROM audit", []).is_err(), "a reader cannot write");
            let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
            assert_eq!(mode, "wal");
            Ok(())
        })
        .expect("reads");
}
