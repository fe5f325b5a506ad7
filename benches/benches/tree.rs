//! Trees of pages: a million elements, and the single page of a small collection.
//!
//! Keys are met in no order, so that a large tree costs what it costs: cache misses. The system's allocator, not the
//! server's.

use std::hint::black_box;

use basalt_tiering::Flavour;
use basalt_tiering::inside::Tree;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

const LARGE: usize = 1_000_000;
/// What a page of these elements holds, about.
const SMALL: usize = 50;
const VALUE: &[u8] = b"value of sixteen";

fn name(i: usize) -> Vec<u8> {
    format!("field:{i:010}").into_bytes()
}

fn names(count: usize) -> Vec<Vec<u8>> {
    let mut names: Vec<_> = (0..count).map(name).collect();
    names.shuffle(&mut SmallRng::seed_from_u64(1));
    names
}

fn filled(names: &[Vec<u8>]) -> Tree {
    let mut tree = Tree::new(Flavour::Map);
    for name in names {
        tree.insert(name, VALUE);
    }
    tree
}

/// Numbers below `limit` in no order, over and over.
fn numbers(limit: usize) -> impl FnMut() -> usize {
    let mut random = SmallRng::seed_from_u64(2);
    move || random.random_range(0..limit)
}

fn operations(c: &mut Criterion, size: usize) {
    let mut group = c.benchmark_group(format!("tree/{size}"));
    group.throughput(Throughput::Elements(1));
    let names = names(size);
    let mut tree = filled(&names);
    let mut next = numbers(size);
    group.bench_function("get", |b| {
        b.iter(|| tree.get(black_box(&names[next()])));
    });
    group.bench_function("rank", |b| {
        b.iter(|| tree.rank(black_box(&names[next()])));
    });
    group.bench_function("at_rank", |b| {
        b.iter(|| tree.at(black_box(next() as u64)));
    });
    group.bench_function("replace", |b| {
        b.iter(|| tree.insert(black_box(&names[next()]), VALUE));
    });
    group.bench_function("remove_and_insert", |b| {
        b.iter(|| {
            let name = &names[next()];
            assert!(tree.remove(black_box(name)));
            tree.insert(name, VALUE);
        });
    });
    let range = 100.min(size as u64);
    group.throughput(Throughput::Elements(range));
    group.bench_function(format!("range_of_{range}"), |b| {
        b.iter(|| {
            let from = next() as u64 % (size as u64 - range + 1);
            tree.walk(from..from + range)
        });
    });
    group.throughput(Throughput::Elements(size as u64));
    group.sample_size(10);
    group.bench_function("walk_all", |b| b.iter(|| tree.walk(0..u64::MAX)));
    group.finish();
    println!(
        "{size}: {:.1} bytes per element",
        tree.bytes() as f64 / size as f64
    );
}

fn large(c: &mut Criterion) {
    operations(c, LARGE);
}

fn small(c: &mut Criterion) {
    operations(c, SMALL);
}

fn growth(c: &mut Criterion) {
    let mut group = c.benchmark_group("tree/fill");
    group.sample_size(10);
    for size in [SMALL, LARGE] {
        let names = names(size);
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(size.to_string(), |b| {
            b.iter_batched(|| (), |()| filled(&names), BatchSize::LargeInput);
        });
    }
    group.bench_function("list_at_its_ends/1000000", |b| {
        b.iter_batched(
            || (),
            |()| {
                let mut list = Tree::new(Flavour::Sequence);
                for number in 0..LARGE / 2 {
                    list.push_front(VALUE);
                    list.push_back(VALUE);
                    black_box(number);
                }
                list
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, large, small, growth);
criterion_main!(benches);
