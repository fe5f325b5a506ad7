//! Memory-only mode: room ends at `maxmemory`, and the policy says who goes.

use basalt_tiering::{Admission, Policy, UnixMs};

use crate::MEMORY;
use crate::driver::{DATABASES, Driver, options};
use crate::host::{Effect, Why};
use crate::model::Model;

const ROOM_BYTES: u64 = 6 << 20;
const VALUE_BYTES: usize = 1000;
const KEYS: u64 = 14_000;

/// What became of writing twice as much as there is room for.
struct Outcome {
    refused: u64,
    evicted: usize,
    /// By their number: which keys are left.
    left: Vec<u64>,
}

fn volatile(n: u64) -> bool {
    n % 2 == 1
}

fn expiry_of(n: u64) -> Option<UnixMs> {
    // The higher the number the sooner it expires.
    volatile(n).then(|| UnixMs(UnixMs::now().0 + 3_600_000 + (KEYS - n) * 1000))
}

/// Fills a store beyond its room.
fn overfill(policy: Policy, durable: bool) -> Outcome {
    let _alone = MEMORY.write();
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(dir.path());
    (options.tiering, options.durable) = (false, durable);
    let driver = Driver::fresh(options);
    let stats = driver.store.stats();
    let held = stats
        .used_memory_bytes
        .max(stats.resident_memory_bytes * 100 / 112);
    driver.limit(|limits| (limits.maxmemory, limits.policy) = (held + ROOM_BYTES, policy));
    let value = [b'v'; VALUE_BYTES];
    let mut refused = 0;
    for n in 0..KEYS {
        driver.store.relieve();
        while driver.store.admit_write() == Admission::Wait {
            driver.store.relieve();
        }
        if driver.store.admit_write() == Admission::OutOfMemory {
            refused += 1;
            continue;
        }
        driver.set(0, format!("key:{n}").as_bytes(), &value, expiry_of(n));
    }
    driver.limit(|limits| limits.maxmemory = 0);
    // A round of the housekeeper that still saw the limit ends before the next change of limits is seen.
    driver.store.relieve();
    std::thread::sleep(std::time::Duration::from_millis(50));
    let mut model = Model::new(DATABASES);
    model.follow(&driver.host.log, driver.host.log.len());
    driver.check_counts(&model, 100);
    driver.check_values(&model, &[]);
    let frames = driver.host.log.frames(0, driver.host.log.len());
    let evicted = |effect: &Effect| matches!(effect, Effect::Del(_, _, Why::Evicted));
    let number = |key: &Vec<u8>| {
        std::str::from_utf8(&key[4..])
            .expect("digits")
            .parse()
            .expect("a number")
    };
    let outcome = Outcome {
        refused,
        evicted: frames.iter().filter(|frame| evicted(&frame.effect)).count(),
        left: model.dbs[0].keys().map(number).collect(),
    };
    assert_eq!(driver.store.stats().evicted_keys, outcome.evicted as u64);
    driver.store.close(true).expect("closes");
    driver.host.check_rules();
    outcome
}

#[test]
fn noeviction_refuses_writes_and_keeps_every_key() {
    for durable in [false, true] {
        let outcome = overfill(Policy::NoEviction, durable);
        assert!(outcome.refused > 0);
        assert_eq!(outcome.evicted, 0);
        assert_eq!(outcome.left.len() as u64, KEYS - outcome.refused);
    }
}

#[test]
fn allkeys_policies_make_room_for_every_write() {
    for policy in [
        Policy::AllKeysLru,
        Policy::AllKeysLfu,
        Policy::AllKeysRandom,
    ] {
        for durable in [false, true] {
            let outcome = overfill(policy, durable);
            assert_eq!(outcome.refused, 0, "{policy:?} durable {durable}");
            assert!(outcome.evicted > 0);
            assert_eq!(outcome.left.len() + outcome.evicted, KEYS as usize);
        }
    }
}

#[test]
fn volatile_policies_evict_only_keys_with_an_expiry_and_then_refuse() {
    let policies = [
        Policy::VolatileLru,
        Policy::VolatileLfu,
        Policy::VolatileRandom,
        Policy::VolatileTtl,
    ];
    for policy in policies {
        for durable in [false, true] {
            let outcome = overfill(policy, durable);
            assert!(outcome.evicted > 0, "{policy:?} durable {durable}");
            assert!(
                outcome.refused > 0,
                "keys without an expiry fill the room: {policy:?}"
            );
            let left = outcome.left.len() as u64;
            assert_eq!(left + outcome.evicted as u64 + outcome.refused, KEYS);
            let lasting = outcome.left.iter().filter(|n| !volatile(**n)).count();
            assert!(
                lasting > 3000,
                "only {lasting} keys without an expiry are left: {policy:?}"
            );
        }
    }
}
