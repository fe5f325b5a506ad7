//! Behaviour of the store, on a real directory. Long measurements are in `tests/memory.rs`.

mod memory;

use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use rocksdb::{PerfContext, PerfMetric, PerfStatsLevel, perf::set_perf_stats};
use tempfile::TempDir;

use super::*;
use crate::cold::{ColdKeyOwned, ExpiryItem, Offset, RecordError};
use crate::ids::{KeyHash, UnixMs};
use crate::lfu::fast_random;

const BUDGET_BYTES: usize = 32 << 20;
const NS: NamespaceId = NamespaceId(3);

fn open(path: &Path) -> ColdTier {
    ColdTier::open(ColdOptions::new(path, BUDGET_BYTES)).unwrap()
}

fn fresh() -> (TempDir, ColdTier) {
    let dir = tempfile::tempdir().unwrap();
    let tier = open(&dir.path().join("cold"));
    (dir, tier)
}

fn key(name: &[u8]) -> ColdKey<'_> {
    in_ns(NS, name)
}

fn in_ns(ns: NamespaceId, name: &[u8]) -> ColdKey<'_> {
    ColdKey::new(ns, Slot::of(name), KeyHash::of(1, name), name)
}

fn header(guard: u64) -> RecordHeader {
    RecordHeader {
        kind: 2,
        lfu_counter: 5,
        lfu_clock: 300,
        guard: Offset(guard),
        expiry: None,
        fields_expire: false,
    }
}

fn put(tier: &ColdTier, names: &[&str]) {
    let mut set = WriteSet::new();
    for name in names {
        set.put(
            &key(name.as_bytes()),
            &header(1),
            format!("value of {name}").as_bytes(),
        );
    }
    tier.write(&mut set).unwrap();
}

fn payload(tier: &ColdTier, name: &str) -> Option<String> {
    let record = tier.get(&key(name.as_bytes())).unwrap()?;
    Some(String::from_utf8(record.payload().to_vec()).unwrap())
}

/// Evicts every block that is not pinned, so that the next read must go to a file.
fn drop_cached_blocks(tier: &ColdTier) {
    let capacity = Division::of(BUDGET_BYTES).cache_bytes;
    tier.cache.clone().set_capacity(0);
    tier.cache.clone().set_capacity(capacity);
}

/// Blocks this thread reads from files while `doing`.
fn blocks_read<T>(doing: impl FnOnce() -> T) -> (T, u64) {
    set_perf_stats(PerfStatsLevel::EnableCount);
    let mut perf = PerfContext::default();
    perf.reset();
    let result = doing();
    let blocks = perf.metric(PerfMetric::BlockReadCount);
    set_perf_stats(PerfStatsLevel::Disable);
    (result, blocks)
}

#[test]
fn records_are_found_before_and_after_a_flush_and_a_reopen() {
    let (dir, tier) = fresh();
    let mut set = WriteSet::new();
    let with_expiry = RecordHeader {
        expiry: Some(UnixMs(77)),
        ..header(9)
    };
    let long = vec![b'k'; 4000];
    set.put(&key(b""), &header(1), b"");
    set.put(&key(b"a\0b"), &with_expiry, &vec![7; 100_000]);
    set.put(&key(&long), &header(2), b"long key");
    let check = |tier: &ColdTier| {
        assert_eq!(tier.get(&key(b"")).unwrap().unwrap().payload(), b"");
        let record = tier.get(&key(b"a\0b")).unwrap().unwrap();
        assert_eq!(
            (record.header(), record.payload().len()),
            (&with_expiry, 100_000)
        );
        assert_eq!(tier.header(&key(b"a\0b")).unwrap(), Some(with_expiry));
        assert_eq!(
            tier.get(&key(&long)).unwrap().unwrap().payload(),
            b"long key"
        );
        assert!(tier.contains(&key(b"")).unwrap());
        assert!(!tier.contains(&key(b"b")).unwrap());
        assert_eq!(tier.header(&key(b"b")).unwrap(), None);
        assert_eq!(tier.get(&in_ns(NamespaceId(4), b"")).unwrap(), None);
    };
    tier.write(&mut set).unwrap();
    assert!(set.is_empty());
    assert_eq!(set.bytes(), 0);
    check(&tier);
    tier.flush().unwrap();
    check(&tier);
    drop(tier);
    check(&open(&dir.path().join("cold")));
}

#[test]
fn a_later_change_in_a_set_wins() {
    let (_dir, tier) = fresh();
    let mut set = WriteSet::new();
    set.put(&key(b"x"), &header(1), b"old");
    set.put(&key(b"x"), &header(2), b"new");
    set.put(&key(b"y"), &header(1), b"y");
    set.delete(&key(b"y"));
    assert_eq!(set.len(), 4);
    tier.write(&mut set).unwrap();
    assert_eq!(payload(&tier, "x").as_deref(), Some("new"));
    assert_eq!(payload(&tier, "y"), None);
}

#[test]
fn a_crash_loses_all_families_together_back_to_the_last_flush() {
    let (dir, tier) = fresh();
    let write = |tier: &ColdTier, name: &str, offset: u64| {
        let mut set = WriteSet::new();
        set.put(&key(name.as_bytes()), &header(offset), name.as_bytes());
        set.put_expiry(UnixMs(offset), &key(name.as_bytes()));
        set.put_state("replay_offset", &offset.to_be_bytes());
        tier.write(&mut set).unwrap();
    };
    write(&tier, "kept", 10);
    tier.flush().unwrap();
    write(&tier, "lost", 20);
    assert_eq!(
        tier.state_get("replay_offset").unwrap().unwrap(),
        20_u64.to_be_bytes()
    );
    // The image a power cut would leave now, and the one that closing without a flush leaves.
    let image = dir.path().join("image");
    copy_files(&dir.path().join("cold"), &image);
    drop(tier);
    for path in [image, dir.path().join("cold")] {
        let tier = open(&path);
        assert_eq!(payload(&tier, "kept").as_deref(), Some("kept"));
        assert_eq!(payload(&tier, "lost"), None);
        assert_eq!(tier.expired(UnixMs(100), 10, None).unwrap().len(), 1);
        assert_eq!(
            tier.state_get("replay_offset").unwrap().unwrap(),
            10_u64.to_be_bytes()
        );
    }
}

#[test]
fn automatic_flushes_keep_state_and_records_in_agreement() {
    let (dir, tier) = fresh();
    let value = vec![0x5A; 4000];
    let last = 12_000_u64;
    for offset in 0..last {
        let mut set = WriteSet::new();
        // Incompressible enough that memtables fill; the flush is triggered by the keys family alone.
        set.put(&key(&offset.to_be_bytes()), &header(offset), &value);
        set.put_state("replay_offset", &offset.to_be_bytes());
        tier.write(&mut set).unwrap();
    }
    drop(tier);
    let tier = open(&dir.path().join("cold"));
    let replay = tier
        .state_get("replay_offset")
        .unwrap()
        .expect("48 MB through 16 MiB of memtables");
    let replay = u64::from_be_bytes(replay.try_into().unwrap());
    assert!(
        replay < last - 1,
        "nothing was lost: the test proves nothing"
    );
    for offset in 0..last {
        let found = tier.contains(&key(&offset.to_be_bytes())).unwrap();
        assert_eq!(
            found,
            offset <= replay,
            "record {offset}, replay offset {replay}"
        );
    }
}

#[test]
fn a_slot_is_scanned_in_order_without_splitting_equal_orders() {
    let (_dir, tier) = fresh();
    let mut set = WriteSet::new();
    let mut expected = Vec::new();
    for i in 0..300_u32 {
        // Orders in groups of three, entered in an order that is not theirs.
        let order = (i.wrapping_mul(7919) % 300) / 3 * 1000;
        let name = format!("k{i}");
        let key = ColdKey {
            ns: NS,
            slot: Slot(5),
            order,
            key: name.as_bytes(),
        };
        set.put(&key, &header(i.into()), b"v");
        expected.push(key.to_owned());
    }
    for (ns, slot) in [(NS, 4), (NS, 6), (NamespaceId(2), 5), (NamespaceId(4), 5)] {
        set.put(
            &ColdKey {
                ns,
                slot: Slot(slot),
                order: 50,
                key: b"other",
            },
            &header(0),
            b"v",
        );
    }
    expected.sort();
    tier.write(&mut set).unwrap();
    for flushed in [false, true] {
        if flushed {
            tier.flush().unwrap();
        }
        let mut found: Vec<ColdKeyOwned> = Vec::new();
        let mut from = 0;
        loop {
            let page = tier.scan_slot(NS, Slot(5), from, 10).unwrap();
            let Some((last, _)) = page.last() else { break };
            assert!(page.len() == 12 || page.len() % 3 == 0, "{}", page.len());
            from = last.order + 1;
            found.extend(page.into_iter().map(|(key, _)| key));
        }
        assert_eq!(found, expected);
    }
    let (hit, _) = tier.seek_from(NS, Slot(5), 1001).unwrap().unwrap();
    assert_eq!(hit.order, 2000);
    assert_eq!(tier.seek_from(NS, Slot(5), 99_001).unwrap(), None);
    assert_eq!(tier.scan_slot(NS, Slot(16383), 0, 5).unwrap(), vec![]);
}

#[test]
fn expiry_rows_come_in_order_of_their_deadlines() {
    let (_dir, tier) = fresh();
    let mut set = WriteSet::new();
    for (at, name) in [(30, "c"), (10, "a"), (20, "b"), (20, "b2"), (u64::MAX, "z")] {
        set.put_expiry(UnixMs(at), &key(name.as_bytes()));
    }
    tier.write(&mut set).unwrap();
    let due =
        |now, limit, resume: Option<&ExpiryItem>| tier.expired(UnixMs(now), limit, resume).unwrap();
    assert_eq!(due(9, 10, None), vec![]);
    assert_eq!(due(10, 10, None).len(), 1);
    let first = due(30, 2, None);
    assert_eq!(
        first.iter().map(|item| item.at.0).collect::<Vec<_>>(),
        [10, 20]
    );
    let rest = due(30, 10, first.last());
    assert_eq!(
        rest.iter().map(|item| item.at.0).collect::<Vec<_>>(),
        [20, 30]
    );
    assert_eq!(&*rest[1].key.key, b"c");
    set.delete_expiry(UnixMs(10), &key(b"a"));
    tier.write(&mut set).unwrap();
    assert_eq!(due(19, 10, None), vec![]);
}

#[test]
fn state_is_found_by_name_and_by_prefix() {
    let (_dir, tier) = fresh();
    let mut set = WriteSet::new();
    for name in ["count/2", "count/1", "counter", "seed"] {
        set.put_state(name, name.as_bytes());
    }
    tier.write(&mut set).unwrap();
    set.delete_state("seed");
    tier.write(&mut set).unwrap();
    let names: Vec<_> = tier
        .state_scan("count/")
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["count/1", "count/2"]);
    assert_eq!(tier.state_scan("").unwrap().len(), 3);
    assert_eq!(tier.state_get("seed").unwrap(), None);
}

#[test]
fn a_dropped_namespace_is_gone_and_gives_its_disk_space_back() {
    let (dir, tier) = fresh();
    let mut set = WriteSet::new();
    for ns in [NS, NamespaceId(4), NamespaceId(u32::MAX)] {
        for i in 0..40_000_u32 {
            let name = i.to_string();
            let noise = KeyHash::of(u64::from(i), name.as_bytes())
                .0
                .to_le_bytes()
                .repeat(16);
            set.put(&in_ns(ns, name.as_bytes()), &header(1), &noise);
        }
        tier.write(&mut set).unwrap();
    }
    tier.flush().unwrap();
    tier.compact();
    let before = tier.disk_bytes().unwrap();
    tier.drop_namespace(NS).unwrap();
    tier.drop_namespace(NamespaceId(u32::MAX)).unwrap();
    let check = |tier: &ColdTier| {
        assert_eq!(tier.get(&in_ns(NS, b"17")).unwrap(), None);
        assert_eq!(
            tier.get(&in_ns(NamespaceId(u32::MAX), b"17")).unwrap(),
            None
        );
        assert!(tier.get(&in_ns(NamespaceId(4), b"17")).unwrap().is_some());
    };
    check(&tier);
    tier.flush().unwrap();
    tier.compact();
    check(&tier);
    let after = tier.disk_bytes().unwrap();
    assert!(after * 2 < before, "{before} bytes before, {after} after");
    drop(tier);
    check(&open(&dir.path().join("cold")));
}

#[test]
fn memory_answers_absence_and_never_reads_a_file() {
    let (dir, tier) = fresh();
    let mut set = WriteSet::new();
    for round in 0..4_u64 {
        for i in 0..5_000_u64 {
            set.put(
                &key(&(round * 5_000 + i).to_le_bytes()),
                &header(i),
                &[1; 100],
            );
        }
        tier.write(&mut set).unwrap();
        tier.flush().unwrap();
    }
    drop(tier);
    let tier = open(&dir.path().join("cold"));
    drop_cached_blocks(&tier);
    let ((absent, unknown), blocks) = blocks_read(|| {
        let mut tally = (0, 0);
        for i in 0..40_000_u64 {
            match tier.get_cached(&key(&i.to_le_bytes())).unwrap() {
                CachedLookup::Absent if i >= 20_000 => tally.0 += 1,
                CachedLookup::Unknown => tally.1 += 1,
                other => panic!("key {i}: {other:?}"),
            }
        }
        tally
    });
    assert_eq!(blocks, 0);
    assert!(unknown >= 20_000);
    // Several files of level 0 may each give a false positive.
    assert!(
        absent > 19_500,
        "only {absent} of 20,000 absent keys were recognised"
    );

    let (record, blocks) = blocks_read(|| tier.get(&key(&7_u64.to_le_bytes())).unwrap());
    assert_eq!(blocks, 1, "a cold read is one block");
    // The system keeps it. Where it cannot be asked for what it has, we do.
    let again = tier.get_cached(&key(&7_u64.to_le_bytes())).unwrap();
    let expected = if nowait::is_known() {
        CachedLookup::Unknown
    } else {
        CachedLookup::Hit(record.unwrap())
    };
    assert_eq!(again, expected);
}

#[test]
fn what_the_system_has_in_memory_is_read_at_hand() {
    let (dir, tier) = fresh();
    put(&tier, &["a", "b"]);
    tier.flush().unwrap();
    drop(tier);
    let tier = open(&dir.path().join("cold"));
    drop_cached_blocks(&tier);
    if !nowait::is_known() {
        return;
    }
    let before = nowait::tests::SEEN.get();
    let found = tier.get_at_hand(&key(b"a")).unwrap();
    let seen = nowait::tests::SEEN.get() - before;
    assert_eq!(seen, 1, "RocksDB reads by our pread");
    if nowait::is_known() {
        let record = tier.get(&key(b"a")).unwrap();
        assert_eq!(found, CachedLookup::Hit(record.unwrap()));
    }
    assert_eq!(tier.get_at_hand(&key(b"c")).unwrap(), CachedLookup::Absent);
}

#[test]
fn what_is_only_on_disk_is_not_read_at_hand() {
    let (dir, tier) = fresh();
    put(&tier, &["a", "b"]);
    tier.flush().unwrap();
    drop(tier);
    let tier = open(&dir.path().join("cold"));
    drop_cached_blocks(&tier);
    for file in std::fs::read_dir(dir.path().join("cold")).unwrap() {
        let file = std::fs::File::open(file.unwrap().path()).unwrap();
        file.sync_all().unwrap();
        // SAFETY: the descriptor is open.
        unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    }
    let at_hand = tier.get_at_hand(&key(b"a")).unwrap();
    let record = tier.get(&key(b"a")).unwrap().unwrap();
    // On a file system in memory it is always at hand.
    assert!(
        at_hand == CachedLookup::Unknown || at_hand == CachedLookup::Hit(record.clone()),
        "{at_hand:?}"
    );
    // A read that was ended leaves nothing behind: the block is in the cache now.
    assert_eq!(
        tier.get_at_hand(&key(b"a")).unwrap(),
        CachedLookup::Hit(record)
    );
}

#[test]
fn deleted_keys_are_absent_in_memory_and_on_disk() {
    let (_dir, tier) = fresh();
    put(&tier, &["a", "b"]);
    tier.flush().unwrap();
    let mut set = WriteSet::new();
    set.delete(&key(b"a"));
    set.delete(&key(b"never there"));
    tier.write(&mut set).unwrap();
    assert_eq!(tier.get_cached(&key(b"a")).unwrap(), CachedLookup::Absent);
    tier.flush().unwrap();
    tier.compact();
    assert_eq!(tier.get(&key(b"a")).unwrap(), None);
    assert_eq!(payload(&tier, "b").as_deref(), Some("value of b"));
}

#[test]
fn a_record_that_cannot_be_read_is_an_error_naming_its_key() {
    let (_dir, tier) = fresh();
    let bad = key(b"bad");
    with_encoded(&bad, |bytes| {
        tier.db
            .put_cf_opt(tier.family(Family::Keys), bytes, [200, 1, 2], &tier.write)
            .unwrap();
    });
    let unreadable = |e: ColdError| {
        assert!(e.to_string().contains("bad"), "{e}");
        matches!(
            e,
            ColdError::Record {
                source: RecordError::UnknownVersion(200),
                ..
            }
        )
    };
    assert!(unreadable(tier.get(&bad).unwrap_err()));
    assert!(unreadable(tier.get_cached(&bad).unwrap_err()));
    assert!(unreadable(tier.header(&bad).unwrap_err()));
    assert!(unreadable(tier.scan_slot(NS, bad.slot, 0, 10).unwrap_err()));
}

#[test]
fn a_damaged_block_is_reported_and_not_taken_for_absence() {
    let (dir, tier) = fresh();
    put(&tier, &["a"]);
    tier.flush().unwrap();
    drop(tier);
    let path = dir.path().join("cold");
    let needle = b"value of a";
    let damaged = std::fs::read_dir(&path).unwrap().filter(|entry| {
        let file = entry.as_ref().unwrap().path();
        let mut bytes = std::fs::read(&file).unwrap();
        let Some(at) = bytes.windows(needle.len()).position(|w| w == needle) else {
            return false;
        };
        bytes[at] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        true
    });
    assert_eq!(damaged.count(), 1, "the value stands in one file");
    let tier = open(&path);
    let error = tier.get(&key(b"a")).unwrap_err();
    assert!(matches!(error, ColdError::Damaged { .. }), "{error}");
}

#[test]
fn a_snapshot_holds_what_was_written_before_it() {
    let (dir, tier) = fresh();
    put(&tier, &["before"]);
    let path = dir.path().join("snapshot");
    tier.hard_link_snapshot(&path).unwrap();
    put(&tier, &["after"]);
    let copy = open(&path);
    assert!(payload(&copy, "before").is_some());
    assert_eq!(payload(&copy, "after"), None);
    assert!(
        tier.hard_link_snapshot(&path).is_err(),
        "an existing directory is not overwritten"
    );
}

/// Without the mark that [`ColdTier::flush`] sends along, about three flushes in a hundred are not over here.
#[test]
fn a_flush_is_over_when_it_returns_whatever_else_is_flushed() {
    const ROUNDS: u64 = 150;
    let dir = tempfile::tempdir().unwrap();
    let tier = ColdTier::open(ColdOptions::new(dir.path().join("cold"), 1)).unwrap();
    let done = AtomicBool::new(false);
    let round_trip = |round: u64| {
        let mut set = WriteSet::new();
        set.put_state("round", &round.to_le_bytes());
        tier.write(&mut set).unwrap();
        tier.flush().unwrap();
        let state = tier.family(Family::State);
        let found = tier.db.get_cf_opt(state, "round", &tier.read_persisted);
        found
            .unwrap()
            .is_some_and(|found| found == round.to_le_bytes())
    };
    let all_over = std::thread::scope(|threads| {
        // Families are written at different times, so much that memtables are full every now and then.
        threads.spawn(|| {
            let (mut set, value) = (WriteSet::new(), vec![7; 512 << 10]);
            while !done.load(Relaxed) {
                match fast_random() % 4 {
                    0 => set.put(&key(&[fast_random() as u8 % 64]), &header(1), &value),
                    1 => set.put_expiry(UnixMs(u64::from(fast_random())), &key(&value[..60_000])),
                    2 => set.put_state("large", &value),
                    _ => set.delete_page(NS, 5, 7),
                }
                tier.write(&mut set).unwrap();
                std::thread::sleep(Duration::from_micros(u64::from(fast_random() % 500)));
            }
        });
        let all_over = (0..ROUNDS).all(round_trip);
        done.store(true, Relaxed);
        all_over
    });
    assert!(all_over, "a flush returned before it was over");
}

#[test]
fn a_store_is_open_once_and_destroyed_only_when_closed() {
    let (dir, tier) = fresh();
    put(&tier, &["a"]);
    tier.flush().unwrap();
    let path = dir.path().join("cold");
    assert!(ColdTier::open(ColdOptions::new(&path, BUDGET_BYTES)).is_err());
    assert!(ColdTier::destroy(&path).is_err());
    drop(tier);
    ColdTier::destroy(&path).unwrap();
    assert_eq!(payload(&open(&path), "a"), None);
}

#[test]
fn the_memory_budget_changes_at_run_time() {
    let (_dir, tier) = fresh();
    tier.set_memory_budget(64 << 20).unwrap();
    assert_eq!(tier.stats().unwrap().block_cache_capacity_bytes, 64 << 20);
    put(&tier, &["a"]);
    tier.set_memory_budget(16 << 20).unwrap();
    let stats = tier.stats().unwrap();
    assert_eq!(stats.block_cache_capacity_bytes, 16 << 20);
    assert_eq!(tier.memtables.get_buffer_size(), 8 << 20);
    assert!(stats.memtable_bytes > 0 && stats.memory_bytes() < 16 << 20);
    assert!(payload(&tier, "a").is_some());
}

#[test]
fn figures_follow_the_work_done() {
    let (_dir, tier) = fresh();
    put(&tier, &["a", "b", "c"]);
    assert_eq!(tier.disk_bytes().unwrap(), 0);
    tier.flush().unwrap();
    assert!(payload(&tier, "a").is_some());
    assert!(payload(&tier, "b").is_some());
    assert_eq!(payload(&tier, "absent"), None);
    let stats = tier.stats().unwrap();
    assert!(stats.disk_bytes > 0 && stats.flush_write_bytes > 0);
    // A flush looks for its own mark.
    assert_eq!((stats.keys_estimate, stats.keys_read), (3, 5));
    assert_eq!((stats.background_errors, stats.writes_stopped), (0, false));
    assert!(
        stats.block_cache_pinned_bytes > 0,
        "filters and indexes are pinned"
    );
    assert!(stats.data_block_misses >= 1 && stats.value_bytes_read > 0);
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
