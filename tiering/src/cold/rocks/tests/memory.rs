//! What a cold key costs in memory: long, so run by name with `--ignored --nocapture`.

use super::*;

const KEYS: u64 = 2_000_000;

/// Bytes the allocator has handed out, which is what filters and indexes truly take.
fn allocated_bytes() -> u64 {
    tikv_jemalloc_ctl::epoch::advance().unwrap();
    tikv_jemalloc_ctl::stats::allocated::read().unwrap() as u64
}

fn name(i: u64) -> String {
    format!("key:{i}")
}

fn fill(tier: &ColdTier) {
    let mut set = WriteSet::new();
    let mut noise = 1_u64;
    for i in 0..KEYS {
        let mut value = [0; 64];
        for chunk in value.chunks_mut(8) {
            noise = KeyHash::of(noise, b"noise").0;
            chunk.copy_from_slice(&noise.to_le_bytes());
        }
        // As spilling does: in no order of the keys.
        let name = name(i.wrapping_mul(1_000_003) % KEYS);
        set.put(&key(name.as_bytes()), &header(i), &value);
        if set.bytes() > 1 << 20 {
            tier.write(&mut set).unwrap();
        }
    }
    tier.write(&mut set).unwrap();
}

#[test]
#[ignore = "writes 2 million records; run it alone"]
fn a_small_cold_key_costs_at_most_two_bytes_of_memory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cold");
    let budget = 64 << 20;
    let start = std::time::Instant::now();
    let tier = ColdTier::open(ColdOptions::new(&path, budget)).unwrap();
    fill(&tier);
    tier.flush().unwrap();
    tier.wait_until_idle().unwrap();
    println!(
        "load: {:.1} s, {:?}",
        start.elapsed().as_secs_f64(),
        tier.stats().unwrap()
    );
    drop(tier);

    let before = allocated_bytes();
    let tier = ColdTier::open(ColdOptions::new(&path, budget)).unwrap();
    let stats = tier.stats().unwrap();
    let grown = allocated_bytes() - before;
    // An empty store of the same settings: what is paid once, not per key.
    let base = allocated_bytes();
    let empty = ColdTier::open(ColdOptions::new(dir.path().join("empty"), budget)).unwrap();
    let fixed = allocated_bytes() - base;
    drop(empty);

    let per_key = |bytes: u64| bytes as f64 / KEYS as f64;
    println!("as loaded: {stats:?}");
    println!(
        "per key: {:.2} B pinned, {:.2} B table readers, {:.2} B allocated ({fixed} B fixed)",
        per_key(stats.block_cache_pinned_bytes),
        per_key(stats.table_reader_bytes),
        per_key(grown.saturating_sub(fixed)),
    );
    // Else another allocator than the C library's is linked in, and the figure above means nothing.
    assert!(grown > stats.block_cache_pinned_bytes);
    assert!(per_key(stats.block_cache_pinned_bytes + stats.table_reader_bytes) <= 2.0);
    assert!(per_key(grown.saturating_sub(fixed)) <= 2.0);

    let absent = (KEYS..KEYS + 200_000)
        .filter(|i| tier.get_cached(&key(name(*i).as_bytes())).unwrap() == CachedLookup::Absent)
        .count();
    println!("absent recognised in memory: {absent} of 200000");
    assert!(absent > 197_000);
}
