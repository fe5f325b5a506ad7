//! Counters: one set per worker, written by that worker alone, summed when somebody asks.
//!
//! A counter is raised by a relaxed load and store, which on a cache line nobody else writes costs as much
//! as a plain addition. CONFIG RESETSTAT remembers the sums of the moment and subtracts them from then on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::dispatch::{self, CommandId};
use crate::gate::WorkerId;
use crate::histogram::{Distribution, Histogram};

/// A counter with one writer.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`; only the owning worker may.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(n),
            Ordering::Relaxed,
        );
    }

    /// The count.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters of one command on one worker.
#[derive(Debug, Default)]
pub struct CommandCounters {
    /// Times it ran.
    pub calls: Counter,
    /// Nanoseconds it ran.
    pub nanos: Counter,
    /// Times it was refused before it ran.
    pub rejected: Counter,
    /// Times it answered an error.
    pub failed: Counter,
    /// How long it ran.
    pub latency: Histogram,
}

/// Counters of one worker, on cache lines of their own.
#[derive(Debug)]
#[repr(align(128))]
pub struct WorkerStats {
    /// Commands run.
    pub commands: Counter,
    /// Bytes read from clients.
    pub input_bytes: Counter,
    /// Bytes written to clients.
    pub output_bytes: Counter,
    /// Read calls that brought something.
    pub reads: Counter,
    /// Write calls.
    pub writes: Counter,
    /// Effects logged.
    pub dirty: Counter,
    /// Lookups that found their key.
    pub hits: Counter,
    /// Lookups that found none.
    pub misses: Counter,
    /// Error replies.
    pub errors: Counter,
    /// Clients closed for passing an output limit.
    pub output_limit_closed: Counter,
    /// Clients closed for passing the query buffer limit.
    pub query_limit_closed: Counter,
    per_command: Box<[CommandCounters]>,
    error_codes: Mutex<BTreeMap<String, u64>>,
}

impl WorkerStats {
    fn new() -> Self {
        WorkerStats {
            commands: Counter::default(),
            input_bytes: Counter::default(),
            output_bytes: Counter::default(),
            reads: Counter::default(),
            writes: Counter::default(),
            dirty: Counter::default(),
            hits: Counter::default(),
            misses: Counter::default(),
            errors: Counter::default(),
            output_limit_closed: Counter::default(),
            query_limit_closed: Counter::default(),
            per_command: (0..dispatch::command_count())
                .map(|_| CommandCounters::default())
                .collect(),
            error_codes: Mutex::default(),
        }
    }

    /// The counters of a command.
    #[inline]
    #[must_use]
    pub fn command(&self, id: CommandId) -> &CommandCounters {
        &self.per_command[usize::from(id.0)]
    }

    /// Counts a reply if it is an error; true if it is.
    #[inline]
    pub fn count_if_error(&self, reply: &[u8]) -> bool {
        let [b'-', text @ ..] = reply else {
            return false;
        };
        let line = text.split(|byte| *byte == b'\r').next().unwrap_or_default();
        self.count_error(&String::from_utf8_lossy(line));
        true
    }

    /// Counts an error reply by its code, the first word.
    pub fn count_error(&self, text: &str) {
        /// Codes kept, so that made-up ones cannot fill memory.
        const MAX_CODES: usize = 128;
        self.errors.add(1);
        let code = text.split(' ').next().unwrap_or("ERR");
        let mut codes = self.error_codes.lock();
        if let Some(count) = codes.get_mut(code) {
            *count += 1;
        } else if codes.len() < MAX_CODES {
            codes.insert(code.to_owned(), 1);
        }
    }
}

/// Sums over the workers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Commands run.
    pub commands: u64,
    /// Bytes read from clients.
    pub input_bytes: u64,
    /// Bytes written to clients.
    pub output_bytes: u64,
    /// Read calls that brought something.
    pub reads: u64,
    /// Write calls.
    pub writes: u64,
    /// Effects logged since the start (not reset).
    pub dirty: u64,
    /// Lookups that found their key.
    pub hits: u64,
    /// Lookups that found none.
    pub misses: u64,
    /// Error replies.
    pub errors: u64,
    /// Clients closed for passing an output limit.
    pub output_limit_closed: u64,
    /// Clients closed for passing the query buffer limit.
    pub query_limit_closed: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections refused because of `maxclients`.
    pub rejected_connections: u64,
}

/// Sums of one command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandTotals {
    /// Name, `client|id` for a subcommand.
    pub name: &'static str,
    /// Times it ran.
    pub calls: u64,
    /// Nanoseconds it ran.
    pub nanos: u64,
    /// Times it was refused before it ran.
    pub rejected: u64,
    /// Times it answered an error.
    pub failed: u64,
}

/// Rates over the last moments.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Commands a second.
    pub ops_per_second: u64,
    /// KiB read a second.
    pub input_kbps: f64,
    /// KiB written a second.
    pub output_kbps: f64,
}

/// Samples kept; at ten a second they span 1.6 s.
const SAMPLES: usize = 16;

#[derive(Debug)]
struct Sampler {
    last_at: Instant,
    last: [u64; 3],
    /// Per second: commands, input bytes, output bytes.
    ring: [[u64; 3]; SAMPLES],
    next: usize,
}

/// All counters of the server.
#[derive(Debug)]
pub struct Stats {
    workers: Box<[WorkerStats]>,
    connections: AtomicU64,
    rejected_connections: AtomicU64,
    sampler: Mutex<Sampler>,
    baseline: Mutex<Baseline>,
}

#[derive(Debug, Default)]
struct Baseline {
    totals: Totals,
    commands: Vec<CommandTotals>,
    latencies: Vec<Distribution>,
}

impl Stats {
    /// Zeroes for `workers` workers.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Stats {
            workers: (0..workers).map(|_| WorkerStats::new()).collect(),
            connections: AtomicU64::new(0),
            rejected_connections: AtomicU64::new(0),
            sampler: Mutex::new(Sampler {
                last_at: Instant::now(),
                last: [0; 3],
                ring: [[0; 3]; SAMPLES],
                next: 0,
            }),
            baseline: Mutex::default(),
        }
    }

    /// The counters of a worker.
    #[inline]
    #[must_use]
    pub fn worker(&self, id: WorkerId) -> &WorkerStats {
        &self.workers[usize::from(id.0)]
    }

    /// Counts a connection.
    pub fn count_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a refused connection.
    pub fn count_rejected_connection(&self) {
        self.rejected_connections.fetch_add(1, Ordering::Relaxed);
    }

    fn raw_totals(&self) -> Totals {
        let sum = |of: fn(&WorkerStats) -> &Counter| self.workers.iter().map(|w| of(w).get()).sum();
        Totals {
            commands: sum(|w| &w.commands),
            input_bytes: sum(|w| &w.input_bytes),
            output_bytes: sum(|w| &w.output_bytes),
            reads: sum(|w| &w.reads),
            writes: sum(|w| &w.writes),
            dirty: sum(|w| &w.dirty),
            hits: sum(|w| &w.hits),
            misses: sum(|w| &w.misses),
            errors: sum(|w| &w.errors),
            output_limit_closed: sum(|w| &w.output_limit_closed),
            query_limit_closed: sum(|w| &w.query_limit_closed),
            connections: self.connections.load(Ordering::Relaxed),
            rejected_connections: self.rejected_connections.load(Ordering::Relaxed),
        }
    }

    /// Sums since the last reset.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let base = self.baseline.lock().totals.clone();
        let now = self.raw_totals();
        Totals {
            commands: now.commands - base.commands,
            input_bytes: now.input_bytes - base.input_bytes,
            output_bytes: now.output_bytes - base.output_bytes,
            reads: now.reads - base.reads,
            writes: now.writes - base.writes,
            dirty: now.dirty,
            hits: now.hits - base.hits,
            misses: now.misses - base.misses,
            errors: now.errors - base.errors,
            output_limit_closed: now.output_limit_closed - base.output_limit_closed,
            query_limit_closed: now.query_limit_closed - base.query_limit_closed,
            connections: now.connections - base.connections,
            rejected_connections: now.rejected_connections - base.rejected_connections,
        }
    }

    fn raw_commands(&self) -> Vec<CommandTotals> {
        let one = |id: u16| {
            let sum = |of: fn(&CommandCounters) -> &Counter| {
                self.workers
                    .iter()
                    .map(|w| of(w.command(CommandId(id))).get())
                    .sum()
            };
            CommandTotals {
                name: dispatch::name_of(CommandId(id)),
                calls: sum(|c| &c.calls),
                nanos: sum(|c| &c.nanos),
                rejected: sum(|c| &c.rejected),
                failed: sum(|c| &c.failed),
            }
        };
        (0..dispatch::command_count() as u16).map(one).collect()
    }

    /// Sums since the start.
    #[must_use]
    pub fn totals_since_start(&self) -> Totals {
        self.raw_totals()
    }

    /// The commands that were called or refused since the start.
    #[must_use]
    pub fn commands_since_start(&self) -> Vec<CommandTotals> {
        let mut commands = self.raw_commands();
        commands.retain(|c| c.calls + c.rejected + c.failed > 0);
        commands
    }

    /// How long the commands took that ran since the start, if `latency-tracking` is on.
    #[must_use]
    pub fn latencies_since_start(&self) -> Vec<(&'static str, Distribution)> {
        let all = self.raw_latencies().into_iter().enumerate();
        all.filter(|(_, distribution)| distribution.count() > 0)
            .map(|(id, distribution)| (dispatch::name_of(CommandId(id as u16)), distribution))
            .collect()
    }

    /// The commands that were called or refused since the last reset.
    #[must_use]
    pub fn commands(&self) -> Vec<CommandTotals> {
        let mut commands = self.raw_commands();
        for (now, base) in commands.iter_mut().zip(&self.baseline.lock().commands) {
            now.calls -= base.calls;
            now.nanos -= base.nanos;
            now.rejected -= base.rejected;
            now.failed -= base.failed;
        }
        commands.retain(|c| c.calls + c.rejected + c.failed > 0);
        commands
    }

    fn raw_latencies(&self) -> Vec<Distribution> {
        let one = |id: u16| {
            let mut sum = Distribution::default();
            self.workers
                .iter()
                .for_each(|w| w.command(CommandId(id)).latency.add_to(&mut sum));
            sum
        };
        (0..dispatch::command_count() as u16).map(one).collect()
    }

    /// How long the commands took that ran since the last reset, if `latency-tracking` is on.
    #[must_use]
    pub fn latencies(&self) -> Vec<(&'static str, Distribution)> {
        let earlier = self.baseline.lock().latencies.clone();
        let named = |(id, now): (usize, Distribution)| {
            (
                dispatch::name_of(CommandId(id as u16)),
                now.since(earlier.get(id)),
            )
        };
        let all = self.raw_latencies().into_iter().enumerate().map(named);
        all.filter(|(_, distribution)| distribution.count() > 0)
            .collect()
    }

    /// Error replies by code.
    #[must_use]
    pub fn error_codes(&self) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for worker in &self.workers {
            for (code, count) in worker.error_codes.lock().iter() {
                *sums.entry(code.clone()).or_default() += count;
            }
        }
        sums
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        *self.baseline.lock() = Baseline {
            totals: self.raw_totals(),
            commands: self.raw_commands(),
            latencies: self.raw_latencies(),
        };
        for worker in &self.workers {
            worker.error_codes.lock().clear();
        }
    }

    /// Takes a sample for [`rates`](Self::rates); to be called ten times a second.
    pub fn sample(&self, now: Instant) {
        let totals = self.raw_totals();
        let counts = [totals.commands, totals.input_bytes, totals.output_bytes];
        let mut sampler = self.sampler.lock();
        let elapsed = now
            .saturating_duration_since(sampler.last_at)
            .max(Duration::from_millis(1));
        let per_second = |count: u64, last: u64| (count - last) * 1000 / elapsed.as_millis() as u64;
        let sample = std::array::from_fn(|i| per_second(counts[i], sampler.last[i]));
        let next = sampler.next;
        sampler.ring[next] = sample;
        sampler.next = (next + 1) % SAMPLES;
        sampler.last = counts;
        sampler.last_at = now;
    }

    /// Means over the samples.
    #[must_use]
    pub fn rates(&self) -> Rates {
        let sampler = self.sampler.lock();
        let mean =
            |i: usize| sampler.ring.iter().map(|sample| sample[i]).sum::<u64>() / SAMPLES as u64;
        Rates {
            ops_per_second: mean(0),
            input_kbps: mean(1) as f64 / 1024.0,
            output_kbps: mean(2) as f64 / 1024.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_starts_every_count_at_zero_but_dirty() {
        let stats = Stats::new(2);
        for id in [WorkerId(0), WorkerId(1)] {
            stats.worker(id).commands.add(5);
            stats.worker(id).dirty.add(2);
            stats.worker(id).count_error("WRONGTYPE Operation");
        }
        assert_eq!(
            (stats.totals().commands, stats.error_codes()["WRONGTYPE"]),
            (10, 2)
        );
        stats.reset();
        stats.worker(WorkerId(1)).commands.add(1);
        let totals = stats.totals();
        assert_eq!((totals.commands, totals.errors, totals.dirty), (1, 0, 4));
        assert!(stats.error_codes().is_empty());
    }

    #[test]
    fn rates_are_means_over_the_last_samples() {
        let stats = Stats::new(1);
        let start = Instant::now();
        stats.sample(start + Duration::from_secs(1));
        for tenth in 1..=SAMPLES as u64 {
            stats.worker(WorkerId(0)).commands.add(100);
            stats.worker(WorkerId(0)).input_bytes.add(1024);
            stats.sample(start + Duration::from_secs(1) + Duration::from_millis(100 * tenth));
        }
        let rates = stats.rates();
        assert_eq!((rates.ops_per_second, rates.input_kbps), (1000, 10.0));
    }
}
