//! The table against a `BTreeMap`, and SCAN's guarantee under growth and removal.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::entry::Parts;
use crate::state::State;
use crate::tx::Kind;

const SEED: u64 = 42;

fn entry(key: &[u8], value: &[u8]) -> Entry {
    Entry::new(&Parts {
        kind: Some(Kind::String),
        state: State::DirtyNew,
        cold_expiry: false,
        clock: 0,
        expiry: None,
        key,
        value,
    })
}

fn put(table: &mut HotTable, key: &[u8], value: &[u8]) {
    let hash = KeyHash::of(SEED, key);
    match table.find(hash, key) {
        Some(place) => {
            let new = table
                .entry(place)
                .reshape(Some(Kind::String), State::DirtyNew, None, value);
            table.set_entry(place, new);
        }
        None => {
            table.insert(hash, entry(key, value), 5, SEED);
        }
    }
}

fn take(table: &mut HotTable, key: &[u8]) -> bool {
    let Some(place) = table.find(KeyHash::of(SEED, key), key) else {
        return false;
    };
    table.remove(place, SEED).free();
    true
}

#[test]
fn capacities_follow_the_size_classes() {
    let sizes: Vec<usize> = (1..64)
        .map(ladder)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    assert_eq!(
        sizes,
        [4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 200 }))]
    #[test]
    fn the_table_agrees_with_a_map(ops in proptest::collection::vec((0u8..4, 0u16..400, any::<u8>()), 1..1500)) {
        let mut table = HotTable::default();
        let mut model = BTreeMap::new();
        for (op, key, value) in ops {
            let key = format!("key:{key}").into_bytes();
            if op == 0 {
                prop_assert_eq!(take(&mut table, &key), model.remove(&key).is_some());
            } else {
                put(&mut table, &key, &[value; 9]);
                model.insert(key, [value; 9]);
            }
            prop_assert_eq!(table.len(), model.len());
        }
        for (key, value) in &model {
            let place = table.find(KeyHash::of(SEED, key), key).expect("the key is there");
            prop_assert_eq!(table.entry(place).value(), &value[..]);
        }
        prop_assert_eq!(table.iter().count(), model.len());
    }

    #[test]
    fn scan_returns_what_is_there_throughout(
        stay in proptest::collection::btree_set(0u32..100_000, 0..300),
        churn in proptest::collection::vec((0u32..100_000, any::<bool>()), 0..600),
        limit in 1usize..40,
    ) {
        let mut table = HotTable::default();
        for key in &stay {
            put(&mut table, format!("s{key}").as_bytes(), b"v");
        }
        let mut seen = BTreeSet::new();
        let mut churn = churn.into_iter();
        let mut from = 0;
        loop {
            let cut = table.scan(from, limit, SEED, |_, entry| { seen.insert(entry.key().to_vec()); });
            prop_assert!(cut >= from || table.len() == 0);
            if cut == u32::MAX { break }
            from = cut + 1;
            for (key, add) in churn.by_ref().take(50) {
                let key = format!("c{key}").into_bytes();
                if add { put(&mut table, &key, b"v") } else { take(&mut table, &key); }
            }
        }
        for key in &stay {
            let name = format!("s{key}");
            prop_assert!(seen.contains(name.as_bytes()), "{} is missing", name);
        }
    }
}

#[test]
fn a_table_beyond_the_tags_keeps_working() {
    let mut table = HotTable::default();
    let count = if cfg!(miri) { 50 } else { 20_000 };
    for i in 0..count {
        put(&mut table, format!("{{t}}{i}").as_bytes(), b"value");
    }
    let mut seen = 0;
    let mut from = 0;
    loop {
        let cut = table.scan(from, 100, SEED, |_, _| seen += 1);
        if cut == u32::MAX {
            break;
        }
        from = cut + 1;
    }
    assert_eq!(seen, count);
    for i in 0..count {
        assert!(take(&mut table, format!("{{t}}{i}").as_bytes()));
    }
    assert_eq!(table.len(), 0);
}
