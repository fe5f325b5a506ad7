//! The hot table and the LFU counters.
//!
//! The tables are those of one slot: a thousand keys is what a server with 16 million has in each, a hundred thousand is
//! what one large hash tag makes. Keys are met in no order, so that a large table costs what it costs: cache misses.

use std::hint::black_box;

use basalt_tiering::UnixMs;
use basalt_tiering::inside::{Counters, Table};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

const SIZES: [usize; 3] = [16, 1_000, 100_000];
const VALUE: [u8; 64] = [b'v'; 64];
const NOW: UnixMs = UnixMs(1_800_000_000_000);

fn name(i: usize) -> Vec<u8> {
    format!("key:{i:012}").into_bytes()
}

/// The names of `keys` keys in no order.
fn names(keys: usize) -> Vec<Vec<u8>> {
    let mut names: Vec<_> = (0..keys).map(name).collect();
    names.shuffle(&mut SmallRng::seed_from_u64(1));
    names
}

fn filled(names: &[Vec<u8>]) -> Table {
    let mut table = Table::new(7);
    for name in names {
        table.insert(name, &VALUE, 5);
    }
    table
}

fn lookups(c: &mut Criterion) {
    let mut group = c.benchmark_group("hot_table");
    group.throughput(Throughput::Elements(1));
    let counters = Counters::new(10, 1);
    for keys in SIZES {
        let names = names(keys);
        let mut table = filled(&names);
        let absent: Vec<_> = (keys..2 * keys).map(name).collect();
        let mut at = 0;
        let mut next = move || {
            at = (at + 1) % keys;
            at
        };
        group.bench_function(format!("hash/{keys}"), |b| {
            b.iter(|| table.hash(black_box(&names[next()])));
        });
        group.bench_function(format!("find/{keys}"), |b| {
            b.iter(|| table.look(black_box(&names[next()]), None));
        });
        group.bench_function(format!("find_and_count/{keys}"), |b| {
            b.iter(|| table.look(black_box(&names[next()]), Some((&counters, NOW))));
        });
        group.bench_function(format!("find_absent/{keys}"), |b| {
            b.iter(|| table.look(black_box(&absent[next()]), None));
        });
        group.bench_function(format!("remove_and_insert/{keys}"), |b| {
            b.iter(|| {
                let name = &names[next()];
                assert!(table.remove(black_box(name)));
                table.insert(name, &VALUE, 5);
            });
        });
        let mut random = SmallRng::seed_from_u64(2);
        group.bench_function(format!("coldest_of_five/{keys}"), |b| {
            b.iter(|| table.coldest(random.random(), 5, &counters, NOW));
        });
        let mut cursor = 0;
        group.bench_function(format!("scan_step_of_ten/{keys}"), |b| {
            b.iter(|| {
                let (met, next) = table.scan(cursor, 10);
                cursor = next;
                met
            });
        });
        println!(
            "{keys} keys: {:.1} bytes of table per key",
            table.array_bytes() as f64 / keys as f64
        );
    }
    group.finish();
}

fn growth(c: &mut Criterion) {
    let mut group = c.benchmark_group("hot_table/fill");
    for keys in SIZES {
        let names = names(keys);
        group.throughput(Throughput::Elements(keys as u64));
        group.bench_function(keys.to_string(), |b| {
            b.iter_batched(|| (), |()| filled(&names), BatchSize::LargeInput);
        });
    }
    group.finish();
}

fn lfu(c: &mut Criterion) {
    let counters = Counters::new(10, 1);
    let minutes = (NOW.0 / 60_000) as u16;
    let mut group = c.benchmark_group("lfu");
    group.throughput(Throughput::Elements(1));
    for counter in [5, 20, 200] {
        group.bench_function(format!("touch/{counter}"), |b| {
            b.iter(|| counters.touched(black_box(counter), black_box(minutes), NOW));
        });
    }
    group.bench_function("touch_after_an_hour", |b| {
        b.iter(|| counters.touched(black_box(200), black_box(minutes.wrapping_sub(60)), NOW));
    });
    group.bench_function("decay", |b| {
        b.iter(|| counters.decayed(black_box(200), black_box(minutes.wrapping_sub(60)), NOW));
    });
    group.finish();
}

criterion_group!(benches, lookups, growth, lfu);
criterion_main!(benches);
