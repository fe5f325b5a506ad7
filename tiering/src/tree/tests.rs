//! The trees against a `BTreeMap` and a `Vec`, while pages come and go between a table and a stand-in for the cold tier.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::object::{is_sound_page, page_of};
use super::*;
use crate::page::Page;

/// An object of one tree, and a disk.
struct Bench {
    object: Object,
    disk: HashMap<PageId, Vec<u8>>,
    rng: SmallRng,
    /// How often pages are written and let go, of 100.
    cold: u32,
    batch: Option<Vec<(PageId, Page)>>,
    faults: usize,
}

impl Bench {
    fn new(flavour: Flavour, seed: u64, cold: u32) -> Bench {
        let page = leaf::empty(flavour);
        Bench {
            object: Object::of_pages(ObjectId(1), &[flavour], vec![page], vec![1, 2]),
            disk: HashMap::new(),
            rng: SmallRng::seed_from_u64(seed),
            cold,
            batch: None,
            faults: 0,
        }
    }

    /// Writes, lands, evicts, forgets: at random.
    fn stir(&mut self) {
        if self.rng.random_range(0..100) >= self.cold {
            return;
        }
        match self.batch.take() {
            None => {
                let (pages, dropped) = self.object.table.begin_flight();
                for id in dropped {
                    self.disk.remove(&id);
                }
                for (id, page) in &pages {
                    assert!(is_sound_page(page));
                    self.disk.insert(*id, page.to_vec());
                }
                self.batch = Some(pages);
            }
            Some(batch) => {
                for (id, page) in &batch {
                    assert_eq!(
                        self.disk.get(id),
                        Some(&page.to_vec()),
                        "a page in flight does not change"
                    );
                }
                self.object.table.end_flight();
                if self.object.table.dirty_bytes() == 0 && self.rng.random_bool(0.3) {
                    let mut root = Vec::new();
                    self.object.encode_root(&mut root);
                    let object = Object::decode_root(&root).expect("just encoded");
                    assert_eq!(
                        (object.id, &object.trees, &object.extra),
                        (self.object.id, &self.object.trees, &self.object.extra)
                    );
                    self.object = object;
                }
            }
        }
        let mut rng = SmallRng::seed_from_u64(self.rng.random());
        let share = rng.random_range(0..3);
        if rng.random_bool(0.2) {
            self.object.table.evict_coldest(4000);
        }
        self.object
            .table
            .evict_if(|| rng.random_range(0..2) < share);
    }

    /// Makes an operation until no page it needs is absent.
    fn run<R>(&mut self, mut operation: impl FnMut(&mut Object) -> Result<R, Absent>) -> R {
        loop {
            let shape = self.object.trees[0];
            match operation(&mut self.object) {
                Ok(result) => return result,
                Err(Absent(id)) => {
                    assert_eq!(
                        shape, self.object.trees[0],
                        "it faults before its first change"
                    );
                    self.load(id);
                }
            }
        }
    }

    fn load(&mut self, id: PageId) {
        self.faults += 1;
        let page = page_of(&self.disk[&id]).expect("a sound page");
        self.object.table.install(id, page);
    }

    fn walk(&mut self, ranks: std::ops::Range<u64>, reverse: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
        loop {
            let mut absent = Vec::new();
            self.object.view(0).absent_in(&ranks, &mut absent);
            if absent.is_empty() {
                break;
            }
            for id in absent {
                self.load(id);
            }
        }
        let mut cells = Vec::new();
        let walked = self.object.view(0).walk(ranks, reverse, &mut |key, value| {
            cells.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        });
        assert_eq!(walked, Ok(()));
        cells
    }

    fn remove_range(&mut self, ranks: std::ops::Range<u64>) -> u64 {
        loop {
            let mut absent = Vec::new();
            self.object
                .editor(0)
                .absent_for_removal(&ranks, &mut absent);
            if absent.is_empty() {
                break;
            }
            for id in absent {
                self.load(id);
            }
        }
        self.object
            .editor(0)
            .remove_range(ranks)
            .expect("nothing is absent")
    }

    /// What the pages of the tree are: each is reached once, its counts are right, and no other page is left.
    fn check(&mut self) {
        let shape = self.object.trees[0];
        let mut seen = Vec::new();
        let len = self.check_below(shape.root, shape.height, &mut seen);
        assert_eq!(len, shape.len);
        seen.sort_unstable();
        let before = seen.len();
        seen.dedup();
        assert_eq!(seen.len(), before, "a page has one parent");
        assert_eq!(
            self.object.table.stored().1 as usize,
            seen.len(),
            "no page is lost"
        );
    }

    fn check_below(&mut self, id: PageId, height: u8, seen: &mut Vec<PageId>) -> u64 {
        seen.push(id);
        if (&self.object.table).page(id).is_none() {
            self.load(id);
        }
        let page = (&self.object.table).page(id).expect("loaded").to_vec();
        assert!(is_sound_page(&page));
        if height == 0 {
            assert!(leaf::count(&page) == 1 || page.len() <= leaf::LEAF_MAX);
            return leaf::count(&page) as u64;
        }
        let children: Vec<(PageId, u64)> = inner::children(&page)
            .map(|child| (child.page, child.count))
            .collect();
        assert!(!children.is_empty());
        children
            .into_iter()
            .map(|(child, count)| {
                assert_eq!(self.check_below(child, height - 1, seen), count);
                count
            })
            .sum()
    }
}

fn cell(flavour: Flavour, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_cell(flavour, key, value, &mut out);
    out
}

fn random_key(rng: &mut SmallRng, space: u32) -> Vec<u8> {
    let n = rng.random_range(0..space);
    let mut key = match n % 3 {
        0 => format!("element:{n:06}").into_bytes(),
        1 => n.to_be_bytes().to_vec(),
        _ => format!("{n}").into_bytes(),
    };
    if n % 97 == 0 {
        key.resize(3000, b'k');
    }
    key
}

fn random_value(rng: &mut SmallRng) -> Vec<u8> {
    match rng.random_range(0..40) {
        0 => vec![b'v'; rng.random_range(0..6000)],
        1..10 => rng.random_range(-1000..1_000_000).to_string().into_bytes(),
        n => vec![b'x'; n],
    }
}

fn map_steps(seed: u64, steps: usize, space: u32, cold: u32) {
    let mut bench = Bench::new(Flavour::Map, seed, cold);
    let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut rng = SmallRng::seed_from_u64(seed ^ 77);
    for step in 0..steps {
        let phase = (step / 400) % 3;
        let key = random_key(&mut rng, space);
        match rng.random_range(0..20) {
            0..9 if phase < 2 => {
                let value = random_value(&mut rng);
                let cell = cell(Flavour::Map, &key, &value);
                if rng.random_bool(0.2) {
                    let new = bench.run(|object| object.editor(0).insert_new(&key, &cell));
                    assert_eq!(new, !model.contains_key(&key));
                    model.entry(key).or_insert(value);
                } else {
                    let new = bench.run(|object| object.editor(0).insert(&key, &cell));
                    assert_eq!(new, model.insert(key, value).is_none());
                }
            }
            0..14 => {
                let gone = bench.run(|object| object.editor(0).remove(&key));
                assert_eq!(gone, model.remove(&key).is_some());
            }
            14 => {
                // Whatever is absent, a hint is no more than that.
                let others = [random_key(&mut rng, space), random_key(&mut rng, space)];
                let hinted = others.iter().chain([&key]).map(Vec::as_slice);
                bench.object.view(0).prefetch(hinted);
                let found = bench.run(|object| {
                    object
                        .view(0)
                        .get(&key)
                        .map(|value| value.map(|value| value.to_vec()))
                });
                assert_eq!(found.as_ref(), model.get(&key));
            }
            15 => {
                let rank = bench.run(|object| object.view(0).rank(&key));
                assert_eq!(
                    rank,
                    (
                        model.range(..key.clone()).count() as u64,
                        model.contains_key(&key)
                    )
                );
            }
            16 => {
                let rank = rng.random_range(0..model.len() as u64 + 2);
                let at = bench.run(|object| {
                    object
                        .view(0)
                        .at(rank)
                        .map(|cell| cell.map(|(key, value)| (key.to_vec(), value.to_vec())))
                });
                assert_eq!(
                    at,
                    model
                        .iter()
                        .nth(rank as usize)
                        .map(|(key, value)| (key.clone(), value.clone()))
                );
            }
            17 if !model.is_empty() && rng.random_bool(0.5) => {
                let rank = rng.random_range(0..model.len());
                let taken = bench.run(|object| {
                    let visit = |key: &[u8], value: Bytes<'_>| (key.to_vec(), value.to_vec());
                    object.editor(0).take_at(rank as u64, visit)
                });
                let (key, value) = model.iter().nth(rank).expect("it is there");
                assert_eq!(taken, (key.clone(), value.clone()));
                model.remove(&taken.0);
            }
            18 if !model.is_empty() && rng.random_bool(0.7) => {
                let rank = rng.random_range(0..model.len());
                let from = model.keys().nth(rank).expect("it is there").clone();
                if key == from {
                    continue;
                }
                let value = random_value(&mut rng);
                let cell = cell(Flavour::Map, &key, &value);
                bench.run(|object| object.editor(0).move_key(&from, &key, &cell));
                model.remove(&from);
                model.insert(key, value);
            }
            17 | 18 => {
                let from = rng.random_range(0..model.len() + 1);
                let to = (from + rng.random_range(0..200)).min(model.len());
                let mut expected: Vec<_> = model
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .skip(from)
                    .take(to - from)
                    .collect();
                let reverse = rng.random();
                if reverse {
                    expected.reverse();
                }
                assert_eq!(bench.walk(from as u64..to as u64, reverse), expected);
            }
            _ => {
                let from = rng.random_range(0..model.len() + 1);
                let most = if rng.random_bool(0.05) {
                    usize::MAX
                } else {
                    60
                };
                let to = from
                    .saturating_add(rng.random_range(0..most))
                    .min(model.len());
                let keys: Vec<_> = model.keys().skip(from).take(to - from).cloned().collect();
                assert_eq!(
                    bench.remove_range(from as u64..to as u64),
                    keys.len() as u64
                );
                for key in keys {
                    model.remove(&key);
                }
            }
        }
        assert_eq!(bench.object.trees[0].len, model.len() as u64);
        bench.stir();
        if step % 500 == 499 {
            bench.check();
        }
    }
    bench.check();
    let all: Vec<_> = model.into_iter().collect();
    assert_eq!(bench.walk(0..u64::MAX, false), all);
    assert!(cold == 0 || bench.faults > 0);
}

fn sequence_steps(seed: u64, steps: usize, cold: u32) {
    let mut bench = Bench::new(Flavour::Sequence, seed, cold);
    let mut model: Vec<Vec<u8>> = Vec::new();
    let mut rng = SmallRng::seed_from_u64(seed ^ 78);
    for step in 0..steps {
        let grows = (step / 500) % 2 == 0;
        let len = model.len();
        match rng.random_range(0..10) {
            0..6 if grows => {
                let at = [0, len, rng.random_range(0..=len)][rng.random_range(0..3)];
                let value = random_value(&mut rng);
                let cell = cell(Flavour::Sequence, &[], &value);
                bench.run(|object| object.editor(0).insert_at(at as u64, &cell));
                model.insert(at, value);
            }
            0..7 if len > 0 => {
                let at = [0, len - 1, rng.random_range(0..len)][rng.random_range(0..3)];
                if rng.random() {
                    bench.run(|object| object.editor(0).remove_range(at as u64..at as u64 + 1));
                    model.remove(at);
                } else {
                    let visit = |_: &[u8], value: Bytes<'_>| value.to_vec();
                    let taken = bench.run(|object| object.editor(0).take_at(at as u64, visit));
                    assert_eq!(taken, model.remove(at));
                }
            }
            7 if len > 0 => {
                let at = rng.random_range(0..len);
                let value = random_value(&mut rng);
                let cell = cell(Flavour::Sequence, &[], &value);
                bench.run(|object| object.editor(0).replace_at(at as u64, &cell));
                model[at] = value;
            }
            8 => {
                let from = rng.random_range(0..=len);
                let to = (from + rng.random_range(0..100)).min(len);
                assert_eq!(
                    bench.remove_range(from as u64..to as u64),
                    (to - from) as u64
                );
                model.drain(from..to);
            }
            _ => {
                let from = rng.random_range(0..=len);
                let to = (from + rng.random_range(0..200)).min(len);
                let reverse = rng.random();
                let mut expected: Vec<_> = model[from..to].to_vec();
                if reverse {
                    expected.reverse();
                }
                let walked: Vec<_> = bench
                    .walk(from as u64..to as u64, reverse)
                    .into_iter()
                    .map(|(_, value)| value)
                    .collect();
                assert_eq!(walked, expected);
            }
        }
        bench.stir();
    }
    bench.check();
    let all: Vec<_> = bench
        .walk(0..u64::MAX, false)
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    assert_eq!(all, model);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 24 }))]
    #[test]
    fn a_map_is_a_btreemap(seed in any::<u64>(), cold in prop_oneof![Just(0u32), Just(10), Just(90)], space in prop_oneof![Just(300u32), Just(4000)]) {
        map_steps(seed, 3000, space, cold);
    }

    #[test]
    fn a_sequence_is_a_vec(seed in any::<u64>(), cold in prop_oneof![Just(0u32), Just(10), Just(90)]) {
        sequence_steps(seed, 3000, cold);
    }

    #[test]
    fn a_tree_built_at_once_is_one_filled_by_and_by(n in 0usize..3000, long in any::<bool>()) {
        let mut bench = Bench::new(Flavour::Map, 1, 0);
        let old = bench.object.trees[0].root;
        bench.object.table.free(old);
        let mut builder = Builder::new(&mut bench.object.table, Flavour::Map);
        let mut expected = Vec::new();
        for i in 0..n {
            let key = format!("{i:08}{}", if long && i % 50 == 0 { "x".repeat(2500) } else { String::new() }).into_bytes();
            builder.push(&key, &cell(Flavour::Map, &key, b"12"));
            expected.push((key, b"12".to_vec()));
        }
        bench.object.trees[0] = builder.finish();
        bench.check();
        prop_assert_eq!(bench.walk(0..u64::MAX, false), expected.clone());
        for (rank, (key, _)) in expected.iter().enumerate() {
            prop_assert_eq!(bench.object.view(0).rank(key), Ok((rank as u64, true)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 40 }))]
    #[test]
    fn what_was_looked_up_does_not_fault_while_it_is_changed(seed in any::<u64>(), keep in 1u32..30) {
        let mut bench = Bench::new(Flavour::Map, seed, 100);
        let mut rng = SmallRng::seed_from_u64(seed ^ 79);
        let key_of = |n: u32| format!("key:{n:06}{}", "x".repeat(n as usize % 700)).into_bytes();
        for n in 0..4000 {
            let key = key_of(n);
            let cell = cell(Flavour::Map, &key, b"value");
            bench.object.editor(0).insert(&key, &cell).expect("in memory");
        }
        // Thin it out, so that many leaves hold a key or two.
        for n in 0..4000 {
            if rng.random_range(0..30) >= keep {
                let key = key_of(n);
                bench.run(|object| object.editor(0).remove(&key));
            }
        }
        for _ in 0..300 {
            bench.stir();
            bench.stir();
            let near = rng.random_range(0..3900);
            let keys: Vec<Vec<u8>> = (0..8).map(|_| key_of(near + rng.random_range(0..60))).collect();
            for key in &keys {
                bench.run(|object| object.view(0).get(key).map(|_| ()));
            }
            for _ in 0..24 {
                let key = &keys[rng.random_range(0..keys.len())];
                if rng.random_bool(0.1) {
                    let other = &keys[rng.random_range(0..keys.len())];
                    let cell = cell(Flavour::Map, other, b"value");
                    prop_assert!(bench.object.editor(0).move_key(key, other, &cell).is_ok());
                } else if rng.random_bool(0.7) {
                    prop_assert!(bench.object.editor(0).remove(key).is_ok());
                } else {
                    let cell = cell(Flavour::Map, key, b"value");
                    prop_assert!(bench.object.editor(0).insert(key, &cell).is_ok());
                }
            }
        }
        bench.check();
    }
}

#[test]
fn a_copy_shares_pages_until_one_is_written() {
    let mut bench = Bench::new(Flavour::Keys, 3, 0);
    for n in 0..5000 {
        let key = format!("{n:06}").into_bytes();
        bench
            .object
            .editor(0)
            .insert(&key, &cell(Flavour::Keys, &key, b""))
            .expect("in memory");
    }
    let copy = bench.object.share(ObjectId(2));
    bench.object.editor(0).remove(b"000007").expect("in memory");
    assert_eq!(
        copy.view(0).get(b"000007").map(|found| found.is_some()),
        Ok(true)
    );
    assert_eq!(copy.trees[0].len, 5000);
    assert_eq!(
        bench
            .object
            .view(0)
            .get(b"000007")
            .map(|found| found.is_some()),
        Ok(false)
    );
}

/// Bytes per element of a million, in pages (run with `--nocapture` to see them).
#[test]
fn memory_per_element_stays_below_the_targets() {
    let n = if cfg!(miri) { 1000 } else { 1_000_000u64 };
    let mut order: Vec<u64> = (0..n).collect();
    let mut rng = SmallRng::seed_from_u64(9);
    rand::seq::SliceRandom::shuffle(&mut order[..], &mut rng);
    let measure =
        |flavour: Flavour, key: &dyn Fn(u64) -> Vec<u8>, value: &dyn Fn(u64) -> Vec<u8>| {
            let mut bench = Bench::new(flavour, 1, 0);
            let mut buffer = Vec::new();
            for &i in &order {
                let key = key(i);
                encode_cell(flavour, &key, &value(i), &mut buffer);
                if flavour == Flavour::Sequence {
                    let len = bench.object.trees[0].len;
                    bench
                        .object
                        .editor(0)
                        .insert_at(len, &buffer)
                        .expect("in memory");
                } else {
                    bench
                        .object
                        .editor(0)
                        .insert(&key, &buffer)
                        .expect("in memory");
                }
            }
            bench.object.memory() as f64 / n as f64
        };
    let name = |i: u64| format!("element:{i:06}").into_bytes();
    let none = |_: u64| Vec::new();
    let set = measure(Flavour::Keys, &name, &none);
    let hash = measure(
        Flavour::Map,
        &|i| format!("field:{i:06}").into_bytes(),
        &|i| format!("value{i:011}").into_bytes(),
    );
    let list = measure(Flavour::Sequence, &none, &|i| {
        format!("value:{i}").into_bytes()
    });
    let scored = |i: u64| [&(i * 3).to_be_bytes()[..], &name(i)].concat();
    let by_score = measure(Flavour::Keys, &scored, &none);
    let by_member = measure(Flavour::Map, &name, &|i| (i * 3).to_string().into_bytes());
    println!(
        "set {set:.1} hash {hash:.1} list {list:.1} zset {:.1}",
        by_score + by_member
    );
    if !cfg!(miri) {
        assert!(set < 25.0 && hash < 47.0 && list < 15.0 && by_score + by_member < 62.0);
    }
}
