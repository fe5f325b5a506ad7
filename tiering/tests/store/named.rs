//! Bugs that were found, and corners that are easily broken: one test each.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use basalt_tiering::{Admission, Expiry, Kind, Offset, PinSet, Policy, UnixMs};
use rand::{RngCore, SeedableRng};

use crate::driver::{DATABASES, Driver, append, options};
use crate::host::{Effect, Why};
use crate::model::Model;
use crate::seeds;

fn fresh(dir: &tempfile::TempDir) -> Driver {
    Driver::fresh(options(dir.path()))
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn past() -> Option<UnixMs> {
    Some(UnixMs(UnixMs::now().0 - 1000))
}

fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn deletions(driver: &Driver, of: fn(&Why) -> bool) -> usize {
    let frames = driver.host.log.frames(0, driver.host.log.len());
    let is_one = |effect: &Effect| matches!(effect, Effect::Del(_, _, why) if of(why));
    frames.iter().filter(|frame| is_one(&frame.effect)).count()
}

fn is_expired(why: &Why) -> bool {
    matches!(why, Why::Expired(_))
}

fn check(driver: &Driver) -> Model {
    let mut model = Model::new(DATABASES);
    model.follow(&driver.host.log, driver.host.log.len());
    driver.check_counts(&model, 10);
    driver.check_values(&model, &[]);
    model
}

/// Warming deleted a key that had expired, and nobody logged the deletion.
#[test]
fn warming_leaves_an_expired_key_to_those_who_log() {
    let dir = dir();
    let driver = fresh(&dir);
    driver.set(0, b"k", b"v", past());
    driver.spill(0, &[b"k"]);
    let key = driver.store.key(0, b"k");
    assert_eq!(driver.store.warm(&[key]).expect("warms"), 0);
    check(&driver);
    assert_eq!(driver.get(0, b"k", UnixMs::now()), None);
    assert_eq!(deletions(&driver, is_expired), 1);
    check(&driver);
}

/// Evicting a cold key that turned out to have expired deleted it without logging it.
#[test]
fn evicting_an_expired_cold_key_is_logged() {
    let dir = dir();
    let driver = fresh(&dir);
    for n in 0..50 {
        driver.set(0, format!("k{n}").as_bytes(), &[7; 500], past());
    }
    driver.store.spill_all().expect("spills");
    driver.store.checkpoint().expect("is written");
    driver.limit(|limits| {
        (limits.maxdisk, limits.policy) = (1, Policy::AllKeysRandom);
        limits.checkpoint_interval_ms = 10;
    });
    let ns = driver.store.namespace(0);
    eventually("cold keys go", || {
        driver.store.dbsize(ns).expect("counts") == 0
    });
    eventually("each is logged", || deletions(&driver, is_expired) == 50);
    check(&driver);
}

/// Evicting took a thousand times as long as writing what was to be evicted, and kept the housekeeper from all else.
#[test]
fn what_is_used_least_goes_until_the_rest_fits_the_disk() {
    const KEYS: usize = 6000;
    let dir = dir();
    let driver = fresh(&dir);
    let ns = driver.store.namespace(0);
    let name = |n: usize| format!("key:{n}").into_bytes();
    let mut rng = rand::rngs::SmallRng::seed_from_u64(7);
    for n in 0..KEYS {
        let mut value = vec![0; 500];
        rng.fill_bytes(&mut value);
        driver.set(0, &name(n), &value, None);
        for _ in 0..if n % 2 == 0 { 60 } else { 0 } {
            driver.get(0, &name(n), UnixMs::now());
        }
    }
    driver.store.spill_all().expect("spills");
    driver.store.checkpoint().expect("is written");
    let used = driver.store.stats().cold.disk_bytes;
    driver.limit(|limits| {
        (limits.maxdisk, limits.policy) = (used * 6 / 10, Policy::AllKeysLfu);
    });
    let few =
        |percent: usize| driver.store.dbsize(ns).expect("counts") < (KEYS * percent / 100) as u64;
    eventually("keys go", || few(62));
    let gone = |of: usize| {
        let all = (0..KEYS).filter(|n| n % 2 == of);
        all.filter(|n| driver.get(0, &name(*n), UnixMs::now()).is_none())
            .count()
    };
    let (hot, cold) = (gone(0), gone(1));
    assert!(
        cold > 4 * hot,
        "{cold} of those used once went, {hot} of the others"
    );
    assert!(few(62) && !few(35), "no more than has to");
    let evicted = |why: &Why| matches!(why, Why::Evicted);
    eventually("each is logged", || {
        deletions(&driver, evicted) == driver.store.stats().evicted_keys as usize
    });
    eventually("what went gives its room back", || {
        driver.store.stats().cold.disk_bytes <= used * 6 / 10
    });
    end_evicting(&driver);
    check(&driver);
    // Nothing may go, so nothing may come.
    driver.limit(|limits| (limits.maxdisk, limits.policy) = (1, Policy::VolatileLru));
    eventually("writes are refused", || {
        driver.store.admit_write() == Admission::OutOfMemory
    });
    driver.limit(|limits| limits.maxdisk = 0);
    eventually("writes go on", || {
        driver.store.admit_write() == Admission::Go
    });
    check(&driver);
}

/// With more memory than `maxdisk` all keys may be in both tiers. Then, too, some go, and writes are not held up for good.
#[test]
fn keys_that_are_in_memory_too_go_where_nothing_else_is_left() {
    let dir = dir();
    let driver = fresh(&dir);
    let ns = driver.store.namespace(0);
    let mut rng = rand::rngs::SmallRng::seed_from_u64(8);
    for n in 0..3000 {
        let mut value = vec![0; 500];
        rng.fill_bytes(&mut value);
        driver.set(0, format!("key:{n}").as_bytes(), &value, None);
    }
    driver.store.checkpoint().expect("is written");
    assert_eq!(driver.store.stats().cold_only_keys, 0);
    let used = driver.store.stats().cold.disk_bytes;
    driver.limit(|limits| {
        (limits.maxdisk, limits.policy) = (used * 7 / 10, Policy::AllKeysLru);
    });
    eventually("keys go", || {
        driver.store.dbsize(ns).expect("counts") < 2200
    });
    eventually("writes go on", || {
        driver.store.admit_write() == Admission::Go
    });
    end_evicting(&driver);
    check(&driver);
}

/// Lifts `maxdisk`, and waits until the round under way is over.
fn end_evicting(driver: &Driver) {
    driver.limit(|limits| limits.maxdisk = 0);
    std::thread::sleep(Duration::from_millis(400));
}

/// The figure was always zero.
#[test]
fn tombstones_are_counted_until_they_are_written() {
    let dir = dir();
    let driver = fresh(&dir);
    for key in [b"a", b"b", b"c"] {
        driver.set(0, key, b"v", None);
    }
    driver.store.checkpoint().expect("is written");
    driver.spill(0, &[b"c"]);
    for key in [b"a", b"b", b"c"] {
        assert!(driver.del(0, key));
    }
    assert_eq!(driver.store.stats().tombstones, 3);
    driver.set(0, b"a", b"again", None);
    assert_eq!(driver.store.stats().tombstones, 2);
    driver.store.checkpoint().expect("is written");
    let stats = driver.store.stats();
    assert_eq!((stats.tombstones, stats.cold_records), (0, 1));
    check(&driver);
}

/// Counting wrote all that was dirty, again and again while others wrote: DBSIZE and INFO took seconds.
#[test]
fn counting_looks_up_what_was_overwritten_blindly_and_writes_nothing() {
    let dir = dir();
    let driver = fresh(&dir);
    let name = |n: usize| format!("{{t}}key:{n}").into_bytes();
    for n in 0..300 {
        let expiry = (n % 2 == 1).then(|| UnixMs(UnixMs::now().0 + 1_000_000));
        driver.set(0, &name(n), b"cold", expiry);
    }
    driver.store.spill_all().expect("spills");
    driver.store.checkpoint().expect("is written");
    // Blindly: 100 that are cold, of which 50 are deleted again, and 100 that are new, of which 20 are.
    for n in (0..100).chain(300..400) {
        driver.set(0, &name(n), b"blind", None);
    }
    for n in (0..50).chain(300..320) {
        assert!(driver.del(0, &name(n)));
    }
    let ns = driver.store.namespace(0);
    assert!(!driver.store.dbsize_is_known(ns));
    let before = driver.store.stats();
    assert_eq!(driver.store.dbsize(ns).expect("counts"), 330);
    assert!(driver.store.dbsize_is_known(ns));
    let after = driver.store.stats();
    assert_eq!(after.spilled_keys, before.spilled_keys);
    let left = before.hot_entries - 20;
    assert_eq!(
        after.hot_entries, left,
        "of new keys nothing is left to delete"
    );
    assert_eq!(after.tombstones, 50);
    assert_eq!(driver.store.expires_count(ns), 100);
    check(&driver);
    // What was found serves the spiller, and those who write the keys again.
    driver.set(0, &name(60), b"again", None);
    assert!(driver.del(0, &name(330)));
    driver.set(0, &name(10), b"back", None);
    check(&driver);
    driver.store.spill_all().expect("spills");
    check(&driver);
    assert_eq!(driver.store.stats().cold_records, 330);
}

/// Counting waited for ever for entries of a database that had been flushed.
#[test]
fn dbsize_ends_when_its_database_is_flushed() {
    let dir = dir();
    for seed in seeds(20) {
        let driver = Driver::fresh(options(&dir.path().join(seed.to_string())));
        driver.set(0, b"{t}cold", b"v", None);
        driver.spill(0, &[b"{t}cold"]);
        let ns = driver.store.namespace(0);
        let frozen = driver.store.freeze();
        driver.set(0, b"{t}cold", b"blind", None);
        assert!(!driver.store.dbsize_is_known(ns));
        std::thread::scope(|scope| {
            // Counting does not wait for the spiller, burying does.
            scope.spawn(|| driver.store.dbsize(ns).expect("counts"));
            std::thread::sleep(Duration::from_millis(seed % 4));
            driver.flush(&[0]);
            std::thread::sleep(Duration::from_millis(110));
            drop(frozen);
        });
        driver.crash();
    }
}

/// Whole files of a flushed database are dropped, which a crash does not undo. Until it is on disk that the database was
/// flushed, effects from before that must find the records they were made on.
#[test]
fn records_go_for_good_only_when_it_is_on_disk_that_their_database_was_flushed() {
    let dir = dir();
    let driver = fresh(&dir);
    let mut random = rand::rngs::SmallRng::seed_from_u64(1);
    for n in 0..100u32 {
        // Much more than a checkpoint in between adds to the files.
        let mut value = [0; 1000];
        random.fill_bytes(&mut value);
        driver.set(0, &n.to_le_bytes(), &value, None);
    }
    driver.store.checkpoint().expect("is written");
    // Files of level 0 are never dropped whole.
    driver.store.compact();
    let key = 7u32.to_le_bytes();
    let replay = driver.store.persisted();
    assert!(replay >= driver.host.log.frames(99, 100)[0].end);
    let bytes = driver.store.stats().cold.disk_bytes;
    driver.command(
        &mut PinSet::default(),
        (0, &key),
        UnixMs::now(),
        |tx, key| {
            let len = append(tx, key, b", changed")?;
            Ok((
                len,
                Some(Effect::Append(0, key.bytes.to_vec(), b", changed".to_vec())),
            ))
        },
    );
    driver.flush(&[0]);
    eventually("the files go", || {
        driver.store.stats().cold.disk_bytes < bytes / 2
    });
    let log = driver.crash();
    let (driver, opened) = Driver::open(options(dir.path()), &log);
    let change = log.frames(100, 101)[0].start;
    assert!(opened.replay_from.is_some_and(|from| from <= change));
    if let Some(key) = driver.store.key_at(0, &key, change) {
        let mut pins = PinSet::default();
        driver.store.pin_blocking(&[key], &mut pins).expect("reads");
        let mut tx = driver.store.begin(&[key.slot], UnixMs::now(), &pins);
        let there = tx.peek(&key).is_ok_and(|value| value.is_some());
        assert!(there, "the change is replayed, and its record is gone");
    }
    driver.crash();
}

/// The effects of a frame each have an end of their own, so that a record written between two of them (memory
/// is short while recovery replays) holds the first, and the second is still applied, each once.
#[test]
fn a_spill_inside_a_replayed_frame_splits_it_exactly() {
    let dir = dir();
    let log = crate::host::Log::new();
    let ends = [Offset(1010), Offset(1020)];
    let last = Effect::Append(0, b"k".to_vec(), b"12".to_vec());
    while log.append(last.clone()) < Offset(1020) {}
    for _ in 0..3 {
        let (driver, opened) = Driver::open(options(dir.path()), &log);
        assert_eq!(opened.replay_from, None);
        for (end, tail) in ends.into_iter().zip([b"1", b"2"]) {
            let key = driver
                .store
                .key_at(0, b"k", Offset(1000))
                .expect("its database is there");
            let mut pins = PinSet::default();
            loop {
                let now = UnixMs::now();
                let mut tx = driver
                    .store
                    .begin_replay(&[key.slot], now, &pins, Offset(1000), end);
                if append(&mut tx, &key, tail).is_ok() || tx.take_skipped() {
                    break;
                }
                drop(tx);
                driver.store.pin_blocking(&[key], &mut pins).expect("reads");
            }
            driver.store.spill_all().expect("spills");
        }
        assert_eq!(
            driver.get(0, b"k", UnixMs::now()).as_deref(),
            Some(&b"12"[..])
        );
        driver.crash();
    }
}

#[test]
fn what_has_expired_is_deleted_in_both_tiers_without_being_asked_for() {
    let dir = dir();
    let driver = fresh(&dir);
    let soon = || Some(UnixMs(UnixMs::now().0 + 100));
    for n in 0..100 {
        driver.set(n % 2, format!("cold{n}").as_bytes(), b"v", soon());
    }
    driver.store.spill_all().expect("spills");
    for n in 0..100 {
        driver.set(n % 2, format!("hot{n}").as_bytes(), b"v", soon());
        driver.set(n % 2, format!("stays{n}").as_bytes(), b"v", None);
    }
    driver.swap(0, 1);
    driver.limit(|limits| limits.active_expire = true);
    eventually("all go", || deletions(&driver, is_expired) == 200);
    let model = check(&driver);
    assert_eq!((model.dbs[0].len(), model.dbs[1].len()), (50, 50));
}

/// The index of what is due is read on from where it was left, past rows that are deleted.
#[test]
fn cold_keys_that_are_due_go_though_others_come_in_behind_them() {
    let dir = dir();
    let driver = fresh(&dir);
    let due = |ms: u64| Some(UnixMs(UnixMs::now().0 - ms));
    for n in 0..3000 {
        driver.set(0, format!("first{n}").as_bytes(), b"v", due(1000));
    }
    for n in 0..3 {
        let large = vec![7; 2 << 20];
        driver.set(0, format!("large{n}").as_bytes(), &large, due(1000));
    }
    driver.set(0, b"later", b"v", Some(UnixMs(UnixMs::now().0 + 3_600_000)));
    // Its row is stale.
    driver.set(0, b"prolonged", b"v", due(500));
    driver.store.spill_all().expect("spills");
    driver.set(0, b"prolonged", b"w", None);
    driver.store.spill_all().expect("spills");
    driver.limit(|limits| limits.active_expire = true);
    eventually("some go", || deletions(&driver, is_expired) > 0);
    for n in 0..500 {
        driver.set(0, format!("second{n}").as_bytes(), b"v", due(3_600_000));
    }
    driver.store.spill_all().expect("spills");
    eventually("all go", || deletions(&driver, is_expired) == 3503);
    let model = check(&driver);
    assert_eq!(model.dbs[0].len(), 2);
    assert_eq!(driver.store.stats().expired_keys, 3503);
}

#[test]
fn a_replica_hides_what_has_expired_and_deletes_nothing() {
    let dir = dir();
    let driver = fresh(&dir);
    driver.host.master.store(false, SeqCst);
    driver.limit(|limits| limits.active_expire = true);
    driver.set(0, b"cold", b"v", past());
    driver.spill(0, &[b"cold"]);
    driver.set(0, b"hot", b"v", past());
    for key in [&b"cold"[..], b"hot"] {
        assert_eq!(driver.get(0, key, UnixMs::now()), None);
        assert!(!driver.del(0, key));
    }
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(driver.host.log.len(), 2);
    check(&driver);
    driver.set(0, b"cold", b"new", None);
    driver.set(0, b"hot", b"new", None);
    check(&driver);
}

#[test]
fn a_watch_is_tripped_by_writes_expiry_flush_and_swap() {
    let dir = dir();
    let driver = fresh(&dir);
    let trips = |act: &dyn Fn(&Driver)| {
        let flag = std::sync::Arc::default();
        let key = driver.store.key(0, b"k");
        let pins = PinSet::default();
        driver
            .store
            .begin(&[key.slot], UnixMs::now(), &pins)
            .watch(&key, &flag);
        act(&driver);
        driver.store.unwatch(&flag, &[key.slot]);
        flag.load(SeqCst)
    };
    assert!(trips(&|driver| driver.set(0, b"k", b"v", None)));
    assert!(!trips(&|driver| driver.set(1, b"k", b"v", None)));
    assert!(!trips(&|driver| driver.spill(0, &[b"k"])));
    assert!(trips(&|driver| assert!(driver.del(0, b"k"))));
    driver.set(0, b"k", b"v", past());
    driver.spill(0, &[b"k"]);
    assert!(trips(&|driver| assert_eq!(
        driver.get(0, b"k", UnixMs::now()),
        None
    )));
    assert!(trips(&|driver| driver.swap(0, 1)));
    assert!(trips(&|driver| driver.flush(&[0])));
    assert!(!trips(&|driver| driver.flush(&[1])));
}

/// A write between two looks of one command's pins.
#[test]
fn a_pin_is_void_once_its_key_was_written() {
    let dir = dir();
    let driver = fresh(&dir);
    driver.set(0, b"k", b"old", None);
    driver.spill(0, &[b"k"]);
    let key = driver.store.key(0, b"k");
    let mut pins = PinSet::default();
    driver.store.pin_blocking(&[key], &mut pins).expect("reads");
    driver.set(0, b"k", b"new", None);
    driver.spill(0, &[b"k"]);
    let now = UnixMs::now();
    {
        let mut tx = driver.store.begin(&[key.slot], now, &pins);
        assert!(tx.get(&key).is_err(), "the pin is void");
    }
    let mut tx = driver.store.begin(&[key.slot], now, &pins);
    tx.set(&key, Kind::String, b"newest", Expiry::Never);
    driver
        .host
        .log
        .append(Effect::Set(0, b"k".to_vec(), b"newest".to_vec(), None));
    drop(tx);
    check(&driver);
}

/// A copy for a replica holds what was written before it, says where the log goes on, and shares nothing that
/// changes later.
#[test]
fn a_snapshot_is_the_store_as_of_its_replay_offset() {
    let dir = dir();
    let driver = fresh(&dir);
    for n in 0..500u32 {
        driver.set(0, &n.to_be_bytes(), b"v", None);
    }
    let copy = dir.path().join("copies").join("one");
    std::fs::create_dir(dir.path().join("copies")).expect("a directory");
    let replay = driver.store.snapshot(&copy).expect("a snapshot");
    assert_eq!(replay, driver.store.persisted());
    for n in 0..500u32 {
        driver.set(0, &n.to_be_bytes(), b"other", None);
    }
    driver.store.checkpoint().expect("a checkpoint");
    driver.store.compact();
    assert!(driver.store.snapshot(&copy).is_err(), "it is there already");
    let (store, opened) = basalt_tiering::Store::open(basalt_tiering::StoreOptions {
        cold_dir: copy,
        ..options(dir.path())
    })
    .expect("the copy is a store");
    assert_eq!((opened.replay_from, opened.keys), (Some(replay), 500));
    drop(store);
}
