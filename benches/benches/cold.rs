//! Point reads of the cold tier: block at hand, block in the page cache, key absent.
//!
//! One million records of 64 bytes, spilled in no order, fully compacted.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use basalt_tiering::cold::{
    CachedLookup, ColdKey, ColdOptions, ColdTier, Offset, RecordHeader, WriteSet,
};
use basalt_tiering::{KeyHash, NamespaceId, Slot};
use criterion::{Criterion, criterion_group, criterion_main};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

const KEYS: u64 = 1_000_000;
/// Keys whose blocks the roomy cache holds.
const HOT_KEYS: u64 = 2_000;

fn name(i: u64) -> [u8; 16] {
    let mut name = *b"key:000000000000";
    let mut rest = i;
    for digit in name[4..].iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    name
}

fn key(name: &[u8]) -> ColdKey<'_> {
    ColdKey::new(NamespaceId(0), Slot::of(name), KeyHash::of(1, name), name)
}

fn open(path: &Path, budget_bytes: usize) -> ColdTier {
    ColdTier::open(ColdOptions::new(path, budget_bytes)).expect("the store opens")
}

fn fill(tier: &ColdTier) {
    let mut random = SmallRng::seed_from_u64(1);
    let mut set = WriteSet::new();
    for i in 0..KEYS {
        let header = RecordHeader {
            kind: 0,
            lfu_counter: 5,
            lfu_clock: 0,
            guard: Offset(i),
            expiry: None,
            fields_expire: false,
        };
        let mut value = [0; 64];
        random.fill(&mut value[..]);
        set.put(&key(&name(i * 1_000_003 % KEYS)), &header, &value);
        if set.bytes() > 1 << 20 {
            tier.write(&mut set).expect("the disk takes a batch");
        }
    }
    tier.write(&mut set).expect("the disk takes a batch");
    tier.flush().expect("the disk takes a flush");
    tier.compact();
}

fn reads(c: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fill(&open(dir.path(), 128 << 20));
    let mut random = SmallRng::seed_from_u64(2);
    let mut group = c.benchmark_group("cold");
    group
        .measurement_time(Duration::from_secs(3))
        .warm_up_time(Duration::from_secs(1));

    // Little more than filters and indexes fits: blocks come from the page cache.
    let tight = open(dir.path(), 8 << 20);
    group.bench_function("get/page_cache", |b| {
        b.iter(|| {
            let name = name(random.random_range(0..KEYS));
            tight.get(&key(&name)).expect("a read").expect("a record")
        })
    });
    group.bench_function("get_cached/absent", |b| {
        b.iter(|| black_box(tight.get_cached(&key(&name(KEYS + random.random_range(0..KEYS))))))
    });
    group.bench_function("get_cached/unknown", |b| {
        b.iter(|| black_box(tight.get_cached(&key(&name(random.random_range(0..KEYS))))))
    });
    drop(tight);

    let roomy = open(dir.path(), 512 << 20);
    for i in 0..HOT_KEYS {
        roomy.get(&key(&name(i))).expect("a read");
    }
    group.bench_function("get/cached_block", |b| {
        b.iter(|| {
            let name = name(random.random_range(0..HOT_KEYS));
            roomy.get(&key(&name)).expect("a read").expect("a record")
        })
    });
    group.bench_function("get_cached/hit", |b| {
        b.iter(|| {
            let name = name(random.random_range(0..HOT_KEYS));
            let found = roomy.get_cached(&key(&name)).expect("a read");
            assert!(matches!(found, CachedLookup::Hit(_)));
        })
    });
    group.finish();
}

criterion_group!(benches, reads);
criterion_main!(benches);
