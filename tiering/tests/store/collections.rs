//! Large values: their pages come and go, share, and go for good with their key.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use basalt_tiering::cold::{ColdOptions, ColdTier};
use basalt_tiering::{Expiry, Key, Kind, MAIN, OpenError, PinSet, Tx, UnixMs};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::driver::{Driver, options};
use crate::seeds;

/// Pages that any value here can have.
const PAGES: u32 = 400;

type Elements = BTreeMap<Vec<u8>, Vec<u8>>;

fn fault(error: OpenError) -> basalt_tiering::Fault {
    assert_eq!(error, OpenError::Fault, "it is a hash");
    basalt_tiering::Fault
}

fn put(driver: &Driver, key: &[u8], elements: &[(Vec<u8>, Vec<u8>)]) {
    let write = |tx: &mut Tx<'_>, key: &Key<'_>| {
        let mut hash = tx.collection(key, Kind::Hash).map_err(fault)?;
        hash.prefault(MAIN, elements.iter().map(|(field, _)| &field[..]))?;
        for (field, value) in elements {
            hash.insert(MAIN, field, value)?;
        }
        Ok(((), None))
    };
    driver.command(&mut PinSet::default(), (0, key), UnixMs::now(), write);
}

fn remove(driver: &Driver, key: &[u8], fields: &[Vec<u8>]) {
    let write = |tx: &mut Tx<'_>, key: &Key<'_>| {
        let mut hash = tx.collection(key, Kind::Hash).map_err(fault)?;
        hash.prefault(MAIN, fields.iter().map(|field| &field[..]))?;
        for field in fields {
            hash.remove(MAIN, field)?;
        }
        Ok(((), None))
    };
    driver.command(&mut PinSet::default(), (0, key), UnixMs::now(), write);
}

fn all(driver: &Driver, key: &[u8]) -> Elements {
    let read = |tx: &mut Tx<'_>, key: &Key<'_>| {
        let hash = tx.collection(key, Kind::Hash).map_err(fault)?;
        let mut found = Elements::new();
        hash.each(MAIN, 0..u64::MAX, false, |field, value| {
            found.insert(field.to_vec(), value.to_vec());
            ControlFlow::Continue(())
        })?;
        assert_eq!(hash.len(MAIN), found.len() as u64);
        Ok((found, None))
    };
    driver
        .command(&mut PinSet::default(), (0, key), UnixMs::now(), read)
        .result
}

fn get(driver: &Driver, key: &[u8], field: &[u8]) -> Option<Vec<u8>> {
    let read = |tx: &mut Tx<'_>, key: &Key<'_>| {
        let hash = tx.collection(key, Kind::Hash).map_err(fault)?;
        Ok((hash.get(MAIN, field)?.map(|value| value.to_vec()), None))
    };
    driver
        .command(&mut PinSet::default(), (0, key), UnixMs::now(), read)
        .result
}

fn numbered(n: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let element = |n| {
        (
            format!("field:{n:06}").into_bytes(),
            format!("value {n}").into_bytes(),
        )
    };
    (0..n).map(element).collect()
}

fn fresh(dir: &Path) -> Driver {
    Driver::fresh(options(dir))
}

/// How many pages the cold tier holds of the first objects of the first namespace. The store is closed before.
fn pages_left(dir: &Path, driver: Driver) -> usize {
    let ns = driver.store.namespace(0);
    driver.store.checkpoint().expect("is written");
    driver.store.close(false).expect("closes");
    drop(driver);
    let cold = ColdTier::open(ColdOptions::new(options(dir).cold_dir, 32 << 20)).expect("opens");
    let numbers: Vec<u32> = (0..PAGES).collect();
    let found = (1..4).flat_map(|object| cold.pages(ns, object, &numbers).expect("reads"));
    found.flatten().count()
}

#[test]
fn a_large_hash_is_a_map_whatever_its_pages_do() {
    let dir = tempfile::tempdir().expect("a directory");
    for seed in seeds(6) {
        let driver = fresh(&dir.path().join(seed.to_string()));
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut model = Elements::new();
        for step in 0..300 {
            let some: Vec<_> = (0..rng.random_range(1..40))
                .map(|_| {
                    let field = format!("field:{}", rng.random_range(0..5000)).into_bytes();
                    (field, rng.random::<u32>().to_string().into_bytes())
                })
                .collect();
            if step % 50 < 35 {
                put(&driver, b"h", &some);
                model.extend(some);
            } else {
                let fields: Vec<_> = some.into_iter().map(|(field, _)| field).collect();
                remove(&driver, b"h", &fields);
                fields.iter().for_each(|field| drop(model.remove(field)));
            }
            match rng.random_range(0..6) {
                0 => driver.spill(0, &[b"h"]),
                1 => driver.store.checkpoint().expect("is written"),
                2 => assert_eq!(all(&driver, b"h"), model),
                3 => {
                    for _ in 0..10 {
                        let field = format!("field:{}", rng.random_range(0..5000)).into_bytes();
                        assert_eq!(get(&driver, b"h", &field), model.get(&field).cloned());
                    }
                }
                _ => {}
            }
        }
        assert_eq!(all(&driver, b"h"), model);
        driver.store.close(false).expect("closes");
    }
}

#[test]
fn a_large_value_leaves_memory_by_pages_under_pressure() {
    let dir = tempfile::tempdir().expect("a directory");
    let driver = fresh(dir.path());
    let mut model = Elements::new();
    for portion in numbered(60_000).chunks(500) {
        put(&driver, b"h", portion);
        model.extend(portion.to_vec());
    }
    driver.store.checkpoint().expect("is written");
    // So little is allowed that every round frees what it can.
    driver.limit(|limits| limits.maxmemory = 1 << 20);
    driver.store.relieve();
    assert!(
        driver.store.stats().evicted_pages > 100,
        "{:?}",
        driver.store.stats()
    );
    for n in (0..60_000).step_by(1777) {
        let (field, value) = numbered(n + 1).pop().expect("one at least");
        assert_eq!(get(&driver, b"h", &field), Some(value));
        driver.store.relieve();
    }
    driver.limit(|limits| limits.maxmemory = 0);
    assert_eq!(all(&driver, b"h"), model);
}

/// Asking the block cache for many pages at once was answered with bytes that are no page.
#[test]
fn pages_beyond_the_block_cache_are_read_from_disk() {
    const FIELDS: usize = 50_000;
    let dir = tempfile::tempdir().expect("a directory");
    let driver = fresh(dir.path());
    driver.limit(|limits| limits.maxmemory = 1 << 20);
    let element = |n: usize| {
        let mut rng = SmallRng::seed_from_u64(n as u64);
        let value: Vec<u8> = (0..400).map(|_| rng.random()).collect();
        (format!("field:{n:06}").into_bytes(), value)
    };
    for from in (0..FIELDS).step_by(500) {
        let portion: Vec<_> = (from..from + 500).map(element).collect();
        put(&driver, b"h", &portion);
        if from % 5000 == 0 {
            driver.store.checkpoint().expect("is written");
        }
    }
    driver.store.checkpoint().expect("is written");
    let misses = || driver.store.stats().cold.data_block_misses;
    let before = misses();
    let mut rng = SmallRng::seed_from_u64(1);
    for step in 0..1500 {
        if step % 100 == 0 {
            driver.spill(0, &[b"h"]);
        }
        let (field, value) = element(rng.random_range(0..FIELDS));
        assert_eq!(get(&driver, b"h", &field), Some(value));
    }
    assert!(misses() > before, "the cache held everything");
}

#[test]
fn pages_go_with_their_value() {
    type Dispose = fn(&Driver);
    let ways: &[(&str, Dispose)] = &[
        ("deleted hot", |driver| assert!(driver.del(0, b"h"))),
        ("overwritten hot", |driver| driver.set(0, b"h", b"v", None)),
        ("deleted cold", |driver| {
            driver.spill(0, &[b"h"]);
            assert!(driver.del(0, b"h"));
        }),
        ("overwritten cold, blindly", |driver| {
            driver.spill(0, &[b"h"]);
            driver.set(0, b"h", b"v", None);
        }),
        ("emptied", |driver| {
            let fields: Vec<_> = numbered(3000).into_iter().map(|(field, _)| field).collect();
            remove(driver, b"h", &fields);
        }),
        ("small again", |driver| {
            let fields: Vec<_> = numbered(3000).into_iter().map(|(field, _)| field).collect();
            remove(driver, b"h", &fields[3..]);
            assert_eq!(all(driver, b"h").len(), 3);
        }),
        ("expired cold", |driver| {
            let expire = |tx: &mut Tx<'_>, key: &Key<'_>| {
                assert!(tx.set_expiry(key, Some(UnixMs(1000)))?);
                Ok(((), None))
            };
            driver.command(&mut PinSet::default(), (0, b"h"), UnixMs(1), expire);
            driver.spill(0, &[b"h"]);
            assert_eq!(all(driver, b"h").len(), 0);
        }),
        ("deleted and made again", |driver| {
            assert!(driver.del(0, b"h"));
            put(driver, b"h", &numbered(2));
        }),
    ];
    for (way, dispose) in ways {
        let dir = tempfile::tempdir().expect("a directory");
        let driver = fresh(dir.path());
        put(&driver, b"h", &numbered(3000));
        driver.store.checkpoint().expect("is written");
        dispose(&driver);
        assert_eq!(pages_left(dir.path(), driver), 0, "{way}");
    }
}

#[test]
fn a_flush_takes_the_pages_along() {
    let dir = tempfile::tempdir().expect("a directory");
    let driver = fresh(dir.path());
    let ns = driver.store.namespace(0);
    put(&driver, b"h", &numbered(3000));
    driver.store.checkpoint().expect("is written");
    driver.flush(&[0]);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        driver.store.checkpoint().expect("is written");
        std::thread::sleep(std::time::Duration::from_millis(200));
        if driver.store.stats().hot_entries == 0 || std::time::Instant::now() > until {
            break;
        }
    }
    std::thread::sleep(std::time::Duration::from_millis(500));
    driver.store.checkpoint().expect("is written");
    driver.store.close(false).expect("closes");
    drop(driver);
    let cold =
        ColdTier::open(ColdOptions::new(options(dir.path()).cold_dir, 32 << 20)).expect("opens");
    let numbers: Vec<u32> = (0..PAGES).collect();
    let left = cold.pages(ns, 1, &numbers).expect("reads");
    assert_eq!(left.iter().flatten().count(), 0);
}

#[test]
fn a_copy_is_a_value_of_its_own() {
    let dir = tempfile::tempdir().expect("a directory");
    let driver = fresh(dir.path());
    put(&driver, b"{t}a", &numbered(4000));
    driver.spill(0, &[b"{t}a"]);
    let copy = |tx: &mut Tx<'_>, key: &Key<'_>| {
        let snapshot = tx.snapshot(key)?.expect("it is there");
        let to = Key {
            bytes: b"{t}b",
            hash: driver.store.key(0, b"{t}b").hash,
            ..*key
        };
        tx.put_snapshot(&to, snapshot, Expiry::Never);
        Ok(((), None))
    };
    driver.command(&mut PinSet::default(), (0, b"{t}a"), UnixMs::now(), copy);
    remove(&driver, b"{t}a", &[b"field:000007".to_vec()]);
    put(
        &driver,
        b"{t}b",
        &[(b"field:000008".to_vec(), b"new".to_vec())],
    );
    driver.store.spill_all().expect("spills");
    assert!(driver.del(0, b"{t}a"));
    driver.store.checkpoint().expect("is written");
    let mut expected: Elements = numbered(4000).into_iter().collect();
    expected.insert(b"field:000008".to_vec(), b"new".to_vec());
    assert_eq!(all(&driver, b"{t}b"), expected);
    driver.store.close(false).expect("closes");
}

#[test]
fn a_collection_built_at_once_is_one_filled_by_and_by() {
    let dir = tempfile::tempdir().expect("a directory");
    let driver = fresh(dir.path());
    for n in [1, 5, 40, 3000] {
        let elements = numbered(n);
        let build = |tx: &mut Tx<'_>, key: &Key<'_>| {
            tx.build_collection(key, Kind::Hash, 1, &[], Expiry::Never, |_, push| {
                for (field, value) in &elements {
                    push(field, value);
                }
            });
            Ok(((), None))
        };
        driver.command(&mut PinSet::default(), (0, b"h"), UnixMs::now(), build);
        driver.spill(0, &[b"h"]);
        assert_eq!(all(&driver, b"h"), elements.into_iter().collect());
    }
}

#[test]
fn commands_on_one_large_value_from_many_threads() {
    let dir = tempfile::tempdir().expect("a directory");
    let driver = fresh(dir.path());
    put(&driver, b"h", &numbered(8000));
    driver.spill(0, &[b"h"]);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let driver = &driver;
            scope.spawn(move || {
                let mut rng = SmallRng::seed_from_u64(thread);
                for _ in 0..400 {
                    let n = rng.random_range(0..8000);
                    let (field, value) = numbered(n + 1).pop().expect("one at least");
                    if n as u64 % 3 == thread {
                        put(driver, b"h", &[(field.clone(), value.clone())]);
                    }
                    assert_eq!(get(driver, b"h", &field), Some(value));
                }
            });
        }
        for _ in 0..60 {
            driver.spill(0, &[b"h"]);
            std::thread::sleep(std::time::Duration::from_millis(3));
        }
    });
    assert_eq!(all(&driver, b"h"), numbered(8000).into_iter().collect());
}
