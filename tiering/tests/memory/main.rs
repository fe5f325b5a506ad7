//! Memory-only mode: room ends at `maxmemory`, and the policy says who goes. With tiering: what stays is moved together.
//!
//! A process of its own, and one test at a time in it, since the budget is that of the process.

#[allow(dead_code, reason = "not everything is used here")]
#[path = "../store/driver.rs"]
mod driver;
#[allow(dead_code, reason = "not everything is used here")]
#[path = "../store/host.rs"]
mod host;
#[path = "../store/model.rs"]
mod model;

use std::time::{Duration, Instant};

use basalt_tiering::{Admission, Expiry, Key, Kind, PinSet, Policy, Tx, UnixMs};
use parking_lot::Mutex;

use crate::driver::{DATABASES, Driver, options};
use crate::host::{Effect, Why};
use crate::model::Model;

/// The budget reads jemalloc's figures: they are the process' only with this allocator.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What is freed goes back to the system at once, so that one test's memory is not charged to the next.
#[unsafe(export_name = "malloc_conf")]
pub static MALLOC_CONF: &[u8] = b"dirty_decay_ms:0,muzzy_decay_ms:0\0";

static ALONE: Mutex<()> = Mutex::new(());

const ROOM_BYTES: u64 = 32 << 20;
const VALUE_BYTES: usize = 4000;
const KEYS: u64 = 12_000;

/// What became of writing twice as much as there is room for.
struct Outcome {
    refused: u64,
    evicted: usize,
    /// By their number: which keys are left.
    left: Vec<u64>,
}

fn volatile(n: u64) -> bool {
    n % 4 == 1
}

fn expiry_of(n: u64) -> Option<UnixMs> {
    // The higher the number the sooner it expires.
    volatile(n).then(|| UnixMs(UnixMs::now().0 + 3_600_000 + (KEYS - n) * 1000))
}

/// Fills a store beyond its room.
fn overfill(policy: Policy, durable: bool) -> Outcome {
    let _alone = ALONE.lock();
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(dir.path());
    (options.tiering, options.durable) = (false, durable);
    let driver = Driver::fresh(options);
    let held = driver.store.stats().used_memory_bytes;
    driver.limit(|limits| (limits.maxmemory, limits.policy) = (held + ROOM_BYTES, policy));
    let value = [b'v'; VALUE_BYTES];
    let mut refused = 0;
    for n in 0..KEYS {
        if n.is_multiple_of(16) {
            driver.store.relieve();
        }
        while driver.store.admit_write() == Admission::Wait {
            driver.store.relieve();
        }
        if driver.store.admit_write() == Admission::OutOfMemory {
            refused += 1;
            continue;
        }
        // The log lives in the same memory: it notes the key alone.
        let key = format!("key:{n}").into_bytes();
        let expiry = expiry_of(n);
        driver.command(
            &mut PinSet::default(),
            (0, &key),
            UnixMs::now(),
            |tx, key| {
                tx.set(
                    key,
                    Kind::String,
                    &value,
                    expiry.map_or(Expiry::Never, Expiry::At),
                );
                let effect = Effect::Set(0, key.bytes.to_vec(), Vec::new(), expiry);
                Ok(((), Some(effect)))
            },
        );
    }
    driver.limit(|limits| limits.maxmemory = 0);
    // A round of the housekeeper that still saw the limit ends before the next change of limits is seen.
    driver.store.relieve();
    std::thread::sleep(std::time::Duration::from_millis(50));
    let mut model = Model::new(DATABASES);
    model.follow(&driver.host.log, driver.host.log.len());
    driver.check_counts(&model, 100);
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
                lasting > 1500,
                "only {lasting} keys without an expiry are left: {policy:?}"
            );
        }
    }
}

/// The sample was cut off before it was filtered.
#[test]
fn a_volatile_policy_finds_the_one_key_with_an_expiry() {
    let _alone = ALONE.lock();
    for durable in [false, true] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut options = options(dir.path());
        (options.tiering, options.durable) = (false, durable);
        options.limits.policy = Policy::VolatileLru;
        options.limits.samples = 1;
        let driver = Driver::fresh(options);
        for n in 0..2000 {
            driver.set(0, format!("{{same slot}}{n}").as_bytes(), b"v", None);
        }
        driver.set(
            0,
            b"{same slot}x",
            b"v",
            Some(UnixMs(UnixMs::now().0 + 3_600_000)),
        );
        driver.limit(|limits| limits.maxmemory = 1);
        driver.store.relieve();
        driver.limit(|limits| limits.maxmemory = 0);
        let mut model = Model::new(DATABASES);
        model.follow(&driver.host.log, driver.host.log.len());
        driver.check_counts(&model, 10);
        assert_eq!(model.dbs[0].len(), 2000);
        driver.crash();
    }
}

#[test]
fn what_stays_in_memory_is_moved_together_when_slabs_are_left_half_empty() {
    const KEYS: u32 = 60_000;
    const VALUE_BYTES: usize = 600;
    let _alone = ALONE.lock();
    let dir = tempfile::tempdir().expect("a directory");
    let driver = Driver::fresh(options(dir.path()));
    let key = |n: u32| format!("key:{n:05}").into_bytes();
    let value = |n: u32| n.to_le_bytes().repeat(VALUE_BYTES / 4);
    let mut pins = PinSet::default();
    for n in 0..KEYS {
        // The log lies in the same memory: it notes nothing.
        let set = |tx: &mut Tx<'_>, key: &Key<'_>| {
            tx.set(key, Kind::String, &value(n), Expiry::Never);
            Ok(((), None))
        };
        driver.command(&mut pins, (0, &key(n)), UnixMs::now(), set);
    }
    let names: Vec<Vec<u8>> = (0..KEYS).filter(|n| n % 4 != 0).map(key).collect();
    for names in names.chunks(1000) {
        let names: Vec<&[u8]> = names.iter().map(|name| &name[..]).collect();
        driver.spill(0, &names);
    }
    drop(names);
    let before = driver.store.stats();
    assert_eq!(before.hot_entries, u64::from(KEYS / 4));
    // So much may stay resident as is: nothing has to go, and three of four blocks are free.
    driver.limit(|limits| limits.maxmemory = before.resident_memory_bytes);
    let mut resident = before.resident_memory_bytes;
    let deadline = Instant::now() + Duration::from_secs(20);
    let after = loop {
        let stats = driver.store.stats();
        assert!(Instant::now() < deadline, "{before:?} {stats:?}");
        let freed = stats.resident_memory_bytes + (6 << 20) < resident;
        match (freed, stats.packed_bytes) {
            (true, 1..) => break stats,
            // Free pages that the allocator had kept, and returned before anything was moved.
            (true, 0) => resident = stats.resident_memory_bytes,
            (false, _) => {}
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    // Letting more go would not have helped, and was hardly done.
    assert!(after.hot_entries > before.hot_entries * 3 / 4, "{after:?}");
    for n in 0..KEYS {
        let got = driver.get(0, &key(n), UnixMs::now());
        assert!(got == Some(value(n)), "key {n}");
    }
    driver.store.close(false).expect("nothing is saved");
}
