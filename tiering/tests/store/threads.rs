//! Several threads on overlapping keys while another moves everything between the tiers.
//!
//! Each key is written by one thread, with values that rise; whoever reads it must never see a value go
//! back. In the end the log, folded into the model, tells what must be there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use basalt_tiering::{Expiry, Key, Kind, PinSet, UnixMs};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::driver::{DATABASES, Driver, append, options};
use crate::host::{Effect, Why};
use crate::model::Model;
use crate::seeds;

const WRITERS: usize = 3;
const KEYS: usize = 8;
const OPS: usize = 12_000;

fn key_of(writer: usize, n: usize) -> Vec<u8> {
    if n.is_multiple_of(2) {
        format!("{{shared}}{writer}:{n}").into_bytes()
    } else {
        format!("own:{writer}:{n}").into_bytes()
    }
}

/// What a value says: how often its writer had written.
fn number_in(value: &[u8]) -> u64 {
    std::str::from_utf8(&value[..12])
        .expect("digits")
        .parse()
        .expect("a number")
}

fn write(driver: &Driver, rng: &mut SmallRng, pins: &mut PinSet, key: &[u8], count: u64) {
    let now = UnixMs::now();
    let value = format!("{count:012}{}", "v".repeat(rng.random_range(0..300))).into_bytes();
    let expiry = rng.random_bool(0.3).then_some(UnixMs(now.0 + 3_600_000));
    match rng.random_range(0..10) {
        0..5 => drop(driver.command(pins, (0, key), now, |tx, key| {
            tx.set(
                key,
                Kind::String,
                &value,
                expiry.map_or(Expiry::Never, Expiry::At),
            );
            Ok((
                (),
                Some(Effect::Set(0, key.bytes.to_vec(), value.clone(), expiry)),
            ))
        })),
        5..7 => drop(driver.command(pins, (0, key), now, |tx, key| {
            let there = tx.remove(key)?;
            let effect = Effect::Del(0, key.bytes.to_vec(), Why::Asked);
            Ok(((), there.then_some(effect)))
        })),
        7 => drop(driver.command(pins, (0, key), now, |tx, key| {
            let there = tx.set_expiry(key, expiry)?;
            let effect = Effect::Expire(0, key.bytes.to_vec(), expiry);
            Ok(((), there.then_some(effect)))
        })),
        _ => drop(driver.command(pins, (0, key), now, |tx, key| {
            append(tx, key, &value)?;
            Ok((
                (),
                Some(Effect::Append(0, key.bytes.to_vec(), value.clone())),
            ))
        })),
    }
}

fn work(driver: &Driver, writer: usize, seed: u64) {
    let mut rng = SmallRng::seed_from_u64(seed * 100 + writer as u64);
    let mut pins = PinSet::default();
    let mut seen: HashMap<Vec<u8>, u64> = HashMap::new();
    for count in 0..OPS as u64 {
        let n = rng.random_range(0..KEYS);
        if rng.random_bool(0.5) {
            write(driver, &mut rng, &mut pins, &key_of(writer, n), count);
        } else {
            let key = key_of(rng.random_range(0..WRITERS), n);
            if let Some(value) = driver.get(0, &key, UnixMs::now()) {
                // The first number is the one of the last SET, or of the APPEND that made the key.
                let number = number_in(&value);
                let before = seen.insert(key.clone(), number).unwrap_or(0);
                assert!(
                    before <= number,
                    "{key:?} went back from {before} to {number}"
                );
            }
        }
        if count.is_multiple_of(7) {
            pins.clear();
        }
    }
}

/// Moves keys between the tiers, and flushes a database under whoever counts it.
fn churn(driver: &Driver, seed: u64, over: &AtomicBool) {
    let mut rng = SmallRng::seed_from_u64(seed);
    while !over.load(SeqCst) {
        let keys: Vec<Vec<u8>> = (0..KEYS)
            .map(|n| key_of(rng.random_range(0..WRITERS), n))
            .collect();
        match rng.random_range(0..8) {
            0 => drop(driver.store.spill_all().expect("spills")),
            1 => driver.store.checkpoint().expect("is written"),
            2 => {
                let keys: Vec<Key<'_>> = keys.iter().map(|key| driver.store.key(0, key)).collect();
                driver.store.warm(&keys).expect("warms");
            }
            3 => drop(driver.scan_loosely(0)),
            4 => drop(
                driver
                    .store
                    .dbsize(driver.store.namespace(0))
                    .expect("counts"),
            ),
            5 => driver.store.relieve(),
            _ => driver.spill(0, &keys.iter().map(|key| &key[..]).collect::<Vec<_>>()),
        }
    }
}

/// Fills and flushes a database while another thread counts it.
fn flusher(driver: &Driver, over: &AtomicBool) {
    while !over.load(SeqCst) {
        for n in 0..20u32 {
            driver.set(1, format!("gone:{n}").as_bytes(), b"x", None);
        }
        driver.flush(&[1]);
        driver.set(1, b"gone:1", b"y", None);
        driver.store.spill_all().expect("spills");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

fn run(seed: u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(dir.path());
    options.limits.checkpoint_interval_ms = 20;
    options.limits.maxmemory = 1;
    let driver = Driver::fresh(options.clone());
    let over = AtomicBool::new(false);
    let working = AtomicUsize::new(WRITERS);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (driver, over, working) = (&driver, &over, &working);
            scope.spawn(move || {
                // Even if it panics the others must end.
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    work(driver, writer, seed);
                }));
                if working.fetch_sub(1, SeqCst) == 1 || result.is_err() {
                    over.store(true, SeqCst);
                }
                result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            });
        }
        scope.spawn(|| churn(&driver, seed, &over));
        scope.spawn(|| flusher(&driver, &over));
        scope.spawn(|| {
            while !over.load(SeqCst) {
                driver
                    .store
                    .dbsize(driver.store.namespace(1))
                    .expect("counts");
            }
        });
    });
    let mut model = Model::new(DATABASES);
    model.follow(&driver.host.log, driver.host.log.len());
    driver.check_counts(&model, 7);
    driver.check_values(&model, &[]);
    let log = driver.crash();
    let (driver, opened) = Driver::open(options, &log);
    assert!(driver.replay(&opened, || true, |_| true));
    driver.store.start();
    driver.check_counts(&model, 1000);
    driver.check_values(&model, &[]);
    driver.crash();
}

#[test]
fn threads_see_values_that_never_go_back() {
    seeds(2).for_each(run);
}
