//! `basalt cold bench`: point reads of RocksDB itself in this process, what a server's cold reads are held against.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use basalt_tiering::ColdInspector;
use clap::Args;
use hdrhistogram::Histogram;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::open;
use crate::bench::probe::Process;

/// Reads of one thread between two looks at the clock's end.
const BATCH: usize = 64;

#[derive(Args)]
pub(super) struct BenchArgs {
    /// The server's data directory, or the cold tier's own; `basalt-bench run --load` makes such keys
    dir: PathBuf,
    /// Number of keys
    #[arg(short = 'r', long, default_value_t = 1_000_000)]
    keys: u64,
    /// What key names begin with
    #[arg(long, default_value = "key:")]
    key_prefix: String,
    /// Digits of the number in a key name, with leading zeroes
    #[arg(long, default_value_t = 12)]
    key_digits: usize,
    /// Their database
    #[arg(long, default_value_t = 0)]
    db: u32,
    /// Threads that read
    #[arg(long, default_value_t = 2)]
    threads: u64,
    /// How long
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What the reads of one thread came to.
struct Reads {
    found: u64,
    /// Nanoseconds.
    latency: Histogram<u64>,
}

pub(super) fn bench(args: &BenchArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    if args.keys == 0 || args.threads == 0 {
        bail!("at least one key and one thread");
    }
    let cold = open(&args.dir)?;
    let process = || Process::read(std::process::id()).context("this process is not in /proc");
    let (before, began) = (process()?, Instant::now());
    let all = run(args, &cold)?;
    let (took, after) = (began.elapsed().as_secs_f64(), process()?);
    let reads = all.latency.len();
    let us = |quantile| all.latency.value_at_quantile(quantile) as f64 / 1000.0;
    let cpu = (after.cpu_s() - before.cpu_s()) * 1e6 / reads as f64;
    let disk = after.disk_read_bytes().zip(before.disk_read_bytes());
    let disk = disk.map(|(after, before)| (after - before) as f64 / reads as f64);
    let rate = reads as f64 / took;
    if args.json {
        let whole = json!({
            "reads": reads, "found": all.found, "reads_per_s": rate, "p50_us": us(0.5), "p99_us": us(0.99),
            "p99_9_us": us(0.999), "max_us": us(1.0), "cpu_us_per_read": cpu, "disk_bytes_per_read": disk,
        });
        return Ok(writeln!(out, "{whole:#}")?);
    }
    writeln!(out, "reads      {reads}, {} found", all.found)?;
    writeln!(out, "rate       {rate:.0} per second")?;
    writeln!(
        out,
        "latency    p50 {:.1}, p99 {:.1}, p99.9 {:.1}, max {:.1} us",
        us(0.5),
        us(0.99),
        us(0.999),
        us(1.0)
    )?;
    writeln!(out, "CPU        {cpu:.2} us per read")?;
    match disk {
        Some(bytes) => Ok(writeln!(out, "disk       {bytes:.0} bytes per read")?),
        None => Ok(()),
    }
}

fn run(args: &BenchArgs, cold: &ColdInspector) -> anyhow::Result<Reads> {
    let ended = AtomicBool::new(false);
    let each: Vec<anyhow::Result<Reads>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..args.threads)
            .map(|seed| {
                scope.spawn({
                    let ended = &ended;
                    move || read(args, cold, seed, ended)
                })
            })
            .collect();
        thread::sleep(Duration::from_secs_f64(args.seconds));
        ended.store(true, Ordering::Relaxed);
        let joined = threads.into_iter().map(|thread| thread.join());
        joined
            .map(|reads| reads.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut all = Reads::new()?;
    for reads in each {
        let reads = reads?;
        all.found += reads.found;
        all.latency.add(&reads.latency)?;
    }
    if all.found == 0 {
        bail!("none of these keys is in the cold tier");
    }
    Ok(all)
}

fn read(
    args: &BenchArgs,
    cold: &ColdInspector,
    seed: u64,
    ended: &AtomicBool,
) -> anyhow::Result<Reads> {
    let (mut rng, mut reads) = (SmallRng::seed_from_u64(seed), Reads::new()?);
    let digits = args.key_digits;
    while !ended.load(Ordering::Relaxed) {
        for _ in 0..BATCH {
            let number = rng.random_range(0..args.keys);
            let key = format!("{}{number:0digits$}", args.key_prefix);
            let began = Instant::now();
            let record = cold.get(args.db, key.as_bytes())?;
            reads
                .latency
                .saturating_record(began.elapsed().as_nanos() as u64);
            reads.found += u64::from(record.is_some());
        }
    }
    Ok(reads)
}

impl Reads {
    fn new() -> anyhow::Result<Reads> {
        // A minute is the most that is told apart, at three digits.
        let latency = Histogram::new_with_bounds(1, 60_000_000_000, 3)?;
        Ok(Reads { found: 0, latency })
    }
}
