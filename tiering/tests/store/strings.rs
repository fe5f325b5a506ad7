//! Strings changed in place: whatever form they have and wherever their chunks are, they are bytes in a row.

use std::ops::{ControlFlow, Range};

use basalt_tiering::{
    Expiry, Fault, Key, Kind, LARGE_STRING_MIN_BYTES, OpenError, PinSet, Tx, UnixMs,
};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::driver::{Driver, append, fault, held, options};
use crate::seeds;

const LARGE: u64 = LARGE_STRING_MIN_BYTES as u64;
/// Longer than this no string gets here.
const END: u64 = 300_000;

fn run<R>(
    driver: &Driver,
    key: &[u8],
    mut work: impl FnMut(&mut Tx<'_>, &Key<'_>) -> Result<R, Fault>,
) -> R {
    let mut pins = PinSet::default();
    driver
        .command(&mut pins, (0, key), UnixMs::now(), |tx, key| {
            Ok((work(tx, key)?, None))
        })
        .result
}

fn write(driver: &Driver, key: &[u8], at: u64, bytes: &[u8]) -> u64 {
    run(driver, key, |tx, key| {
        tx.write_text(key, at, bytes).map_err(fault)
    })
}

fn kind(driver: &Driver, key: &[u8]) -> Option<Kind> {
    run(driver, key, |tx, key| {
        Ok(tx.peek(key)?.map(|value| value.kind))
    })
}

fn all(driver: &Driver, key: &[u8]) -> Option<Vec<u8>> {
    run(driver, key, |tx, key| held(tx, key, true)).map(|held| held.value)
}

/// Bytes of which runs are zeroes.
fn some_bytes(rng: &mut SmallRng) -> Vec<u8> {
    let len = match rng.random_range(0..10) {
        0 => rng.random_range(2000..20_000),
        1..3 => 0,
        _ => rng.random_range(1..60),
    };
    let mut bytes: Vec<u8> = (0..len).map(|_| rng.random()).collect();
    match rng.random_range(0..4) {
        0 => bytes.fill(0),
        1 => {
            let half = bytes.len() / 2;
            bytes[half..].fill(0);
        }
        _ => {}
    }
    bytes
}

/// A place often at the end of a chunk or of the string.
fn some_place(rng: &mut SmallRng, len: u64) -> u64 {
    match rng.random_range(0..6) {
        0 => len,
        1 => rng.random_range(0..50) * 2024 + rng.random_range(0..3),
        2 => rng.random_range(0..len + 1),
        3 => 0,
        _ => rng.random_range(0..END / 2),
    }
}

fn check_reads(driver: &Driver, key: &[u8], model: &[u8], rng: &mut SmallRng) {
    let len = model.len() as u64;
    let from = some_place(rng, len).min(len);
    let to = (from + rng.random_range(0..5000)).min(len);
    let expected = &model[from as usize..to as usize];
    let read = |range: Range<u64>| {
        run(driver, key, |tx, key| {
            let text = tx.text(key).map_err(fault)?.expect("it is there");
            assert_eq!(text.len(), len);
            let mut pieces = Vec::new();
            text.each_piece(range.clone(), |part| pieces.extend_from_slice(part))?;
            let mut at_once = vec![7; (range.end - range.start) as usize + 3];
            text.read(range.start, &mut at_once)?;
            Ok((pieces, at_once))
        })
    };
    let (pieces, mut at_once) = read(from..to);
    assert_eq!(pieces, expected, "{from}..{to}");
    at_once.truncate(expected.len());
    assert_eq!(at_once, expected, "{from}..{to}");
    // The first byte that is not zero, as BITPOS looks for it.
    let found = run(driver, key, |tx, key| {
        let text = tx.text(key).map_err(fault)?.expect("it is there");
        let mut found = None;
        text.search(from..len, |at, bytes| {
            found = bytes.iter().position(|byte| *byte != 0);
            found = found.map(|within| at as usize + within);
            match found {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            }
        })?;
        Ok(found)
    });
    let behind = model[from as usize..].iter().position(|byte| *byte != 0);
    assert_eq!(found, behind.map(|within| from as usize + within));
}

#[test]
fn a_string_changed_in_place_is_bytes_in_a_row() {
    let dir = tempfile::tempdir().expect("a directory");
    for seed in seeds(12) {
        let driver = Driver::fresh(options(&dir.path().join(seed.to_string())));
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut model: Option<Vec<u8>> = None;
        let mut was_large = false;
        for _ in 0..250 {
            let bytes = some_bytes(&mut rng);
            let len = model.as_ref().map_or(0, |model| model.len() as u64);
            match rng.random_range(0..20) {
                0 => {
                    driver.set(0, b"k", &bytes, None);
                    model = Some(bytes);
                    was_large = false;
                }
                1 => {
                    assert_eq!(driver.del(0, b"k"), model.is_some());
                    model = None;
                    was_large = false;
                }
                2..6 if len < END => {
                    let new = run(&driver, b"k", |tx, key| append(tx, key, &bytes));
                    let model = model.get_or_insert_default();
                    model.extend_from_slice(&bytes);
                    assert_eq!(new, model.len());
                }
                6..14 => {
                    let at = some_place(&mut rng, len);
                    let new = write(&driver, b"k", at, &bytes);
                    let model = model.get_or_insert_default();
                    let end = at as usize + bytes.len();
                    model.resize(model.len().max(end), 0);
                    model[at as usize..end].copy_from_slice(&bytes);
                    assert_eq!(new, model.len() as u64);
                }
                14..16 => driver.spill(0, &[b"k"]),
                16 => driver.store.checkpoint().expect("is written"),
                17 => assert_eq!(all(&driver, b"k"), model),
                _ => {
                    if let Some(model) = &model {
                        check_reads(&driver, b"k", model, &mut rng);
                    }
                }
            }
            let now = kind(&driver, b"k");
            assert_eq!(now.is_some(), model.is_some());
            let is_large = now == Some(Kind::LargeString);
            assert!(
                is_large || !was_large,
                "it stays large until it is overwritten"
            );
            was_large = is_large;
        }
        assert_eq!(all(&driver, b"k"), model);
        driver.store.close(false).expect("closes");
    }
}

#[test]
fn only_what_is_changed_in_place_becomes_large() {
    let dir = tempfile::tempdir().expect("a directory");
    let driver = Driver::fresh(options(dir.path()));
    let long = vec![b'x'; 100_000];
    driver.set(0, b"k", &long, None);
    assert_eq!(kind(&driver, b"k"), Some(Kind::String));
    write(&driver, b"k", 5, b"y");
    assert_eq!(kind(&driver, b"k"), Some(Kind::LargeString));
    driver.set(0, b"k", &long, None);
    assert_eq!(kind(&driver, b"k"), Some(Kind::String));
    assert_eq!(write(&driver, b"edge", LARGE, b""), LARGE);
    assert_eq!(kind(&driver, b"edge"), Some(Kind::RawString));
    assert_eq!(write(&driver, b"edge", LARGE, b"x"), LARGE + 1);
    assert_eq!(kind(&driver, b"edge"), Some(Kind::LargeString));
}

#[test]
fn a_lone_bit_far_out_costs_next_to_nothing_and_neither_do_a_thousand() {
    let dir = tempfile::tempdir().expect("a directory");
    let driver = Driver::fresh(options(dir.path()));
    let usage = |key: &[u8]| {
        let key = driver.store.key(0, key);
        let usage = driver.store.memory_usage(&key).expect("reads");
        usage.expect("it is there")
    };
    write(&driver, b"one", (512 << 20) - 1, &[1]);
    assert!(usage(b"one") < 100, "{}", usage(b"one"));
    let mut rng = SmallRng::seed_from_u64(3);
    for _ in 0..1000 {
        write(&driver, b"many", rng.random_range(0..512 << 20), &[1]);
    }
    assert!(usage(b"many") < 40_000, "{}", usage(b"many"));
    driver.spill(0, &[&b"one"[..], b"many"]);
    assert!(usage(b"many") < 40_000, "{}", usage(b"many"));
    assert_eq!(write(&driver, b"one", 0, &[1]), 512 << 20);
}

#[test]
fn a_change_of_a_large_string_writes_its_chunk_and_the_way_to_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let driver = Driver::fresh(options(dir.path()));
    let dense: Vec<u8> = (0..8u32 << 20)
        .map(|n| (n.wrapping_mul(2654435761) >> 13) as u8)
        .collect();
    driver.set(0, b"k", &dense, None);
    write(&driver, b"k", 0, &[9]);
    driver.spill(0, &[b"k"]);
    let written = || driver.store.stats().spilled_bytes;
    let before = written();
    write(&driver, b"k", 4 << 20, &[9]);
    driver.store.checkpoint().expect("is written");
    assert!(
        written() - before < 32 << 10,
        "{} bytes",
        written() - before
    );
}

#[test]
fn expiry_and_copies_of_large_strings() {
    let dir = tempfile::tempdir().expect("a directory");
    let driver = Driver::fresh(options(dir.path()));
    let far = UnixMs(UnixMs::now().0 + 1_000_000);
    driver.set(0, b"{t}a", &vec![b'x'; 50_000], Some(far));
    write(&driver, b"{t}a", 70_000, b"y");
    driver.spill(0, &[b"{t}a"]);
    let copied = |tx: &mut Tx<'_>, key: &Key<'_>| {
        let snapshot = tx.snapshot(key)?.expect("it is there");
        assert_eq!(snapshot.expiry, Some(far));
        assert_eq!(snapshot.text_len(), 70_001);
        let to = Key {
            bytes: b"{t}b",
            hash: driver.store.key(0, b"{t}b").hash,
            ..*key
        };
        tx.put_snapshot(&to, snapshot, Expiry::At(far));
        Ok(())
    };
    run(&driver, b"{t}a", copied);
    write(&driver, b"{t}a", 0, b"z");
    driver.store.spill_all().expect("spills");
    let b = run(&driver, b"{t}b", |tx, key| held(tx, key, true)).expect("it is there");
    assert_eq!(b.expiry, Some(far));
    let mut expected = vec![b'x'; 50_000];
    expected.resize(70_000, 0);
    expected.push(b'y');
    assert_eq!(b.value, expected);
    expected[0] = b'z';
    assert_eq!(all(&driver, b"{t}a"), Some(expected));
}

/// A page without elements lies in no range of ranks, and was not read before the value was copied.
#[test]
fn a_copy_has_the_pages_without_elements_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let driver = Driver::fresh(options(dir.path()));
    driver.set(0, b"k", &vec![b'x'; 100_000], None);
    write(&driver, b"k", 0, b"y");
    for from in [0, 2024 * 20] {
        driver.spill(0, &[b"k"]);
        write(&driver, b"k", from, &[0; 2024]);
    }
    driver.spill(0, &[b"k"]);
    let copied = run(&driver, b"k", |tx, key| {
        let copied = tx.snapshot(key)?.expect("it is there");
        let mut bytes = 0;
        copied.text_pieces(|_, piece| bytes += piece.len());
        Ok(bytes)
    });
    assert_eq!(copied, 100_000 - 2 * 2024);
}

#[test]
fn a_large_string_is_no_collection_and_a_collection_no_string() {
    let dir = tempfile::tempdir().expect("a directory");
    let driver = Driver::fresh(options(dir.path()));
    write(&driver, b"k", LARGE, b"x");
    for spilled in [false, true] {
        if spilled {
            driver.spill(0, &[b"k"]);
        }
        let opened = run(&driver, b"k", |tx, key| {
            match tx.collection(key, Kind::Hash).map(drop) {
                Err(OpenError::Fault) => Err(Fault),
                other => Ok(other),
            }
        });
        assert_eq!(opened, Err(OpenError::WrongKind));
    }
}
