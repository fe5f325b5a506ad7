//! The result of a phase, as data (JSON) and as text.
//!
//! Latencies are in microseconds. An open loop's latencies count from when a request was due.

use std::collections::BTreeMap;
use std::fmt;

use hdrhistogram::{Counter, Histogram};
use serde::Serialize;

use super::args::Plan;
use super::probe::ServerCost;
use super::stats::Stats;

/// Percentiles of one set of latencies.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) mean_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p99_9_us: f64,
    pub(crate) max_us: f64,
}

impl Latency {
    fn of<T: Counter>(histogram: &Histogram<T>) -> Latency {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        Latency {
            count: histogram.len(),
            mean_us: histogram.mean() / 1e3,
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p99_9_us: at(0.999),
            max_us: histogram.max() as f64 / 1e3,
        }
    }
}

/// What one command of the mix did.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CommandReport {
    name: String,
    errors: u64,
    misses: u64,
    #[serde(flatten)]
    latency: Latency,
    #[serde(skip_serializing_if = "Option::is_none")]
    hot: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rest: Option<Latency>,
}

/// One second of a run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Second {
    second: usize,
    #[serde(flatten)]
    latency: Latency,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_rss_bytes: Option<u64>,
    /// The INFO fields that were asked for, at the end of the second.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    info: BTreeMap<String, f64>,
}

/// What the server said of itself in one second.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerSecond {
    pub(crate) rss_bytes: Option<u64>,
    pub(crate) info: BTreeMap<String, f64>,
}

/// How the load was made.
#[derive(Clone, Debug, Serialize)]
struct Settings {
    clients: usize,
    threads: usize,
    pipeline: usize,
    keys: u64,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    elements: u64,
    dist: String,
    value_bytes: (u64, u64),
    random_values: bool,
    rate: Option<f64>,
    warmup_s: f64,
    seed: u64,
}

/// One phase, measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    phase: &'static str,
    settings: Settings,
    pub(crate) ops: u64,
    pub(crate) elapsed_s: f64,
    pub(crate) ops_per_s: f64,
    pub(crate) latency: Latency,
    /// Requests for the most popular keys, if they are told apart, and all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    hot: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rest: Option<Latency>,
    commands: Vec<CommandReport>,
    pub(crate) errors: u64,
    pub(crate) misses: u64,
    /// Values that were compared, if they were, and how many were not those of their keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    checked: Option<u64>,
    wrong: u64,
    /// Requests that were due but could not be sent before the end, since all connections were busy.
    unsent: u64,
    bytes_in: u64,
    bytes_out: u64,
    error_texts: BTreeMap<String, u64>,
    wrong_examples: Vec<String>,
    pub(crate) server: ServerCost,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_cpu_us_per_op: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    series: Vec<Second>,
    interrupted: bool,
}

/// What a report is made of, besides its plan.
pub(crate) struct ReportParts {
    pub(crate) stats: Stats,
    pub(crate) ops: u64,
    pub(crate) unsent: u64,
    pub(crate) server: ServerCost,
    pub(crate) client_cpu_s: Option<f64>,
    pub(crate) server_series: Vec<ServerSecond>,
    pub(crate) interrupted: bool,
}

impl Report {
    pub(crate) fn new(plan: &Plan, parts: ReportParts) -> Report {
        let ReportParts { stats, ops, .. } = parts;
        let mut total = stats.commands[0].clone();
        for command in &stats.commands[1..] {
            total.merge(command);
        }
        let elapsed_s = stats.last_reply_ns as f64 / 1e9;
        let commands = plan
            .commands
            .iter()
            .zip(&stats.commands)
            .map(|(command, stats)| CommandReport {
                name: command.name.clone(),
                errors: stats.errors,
                misses: stats.misses,
                latency: Latency::of(&stats.all()),
                hot: plan.splits_hot.then(|| Latency::of(&stats.hot)),
                rest: plan.splits_hot.then(|| Latency::of(&stats.rest)),
            });
        let mut server_series = parts.server_series.into_iter();
        let series = stats.series.iter().enumerate().map(|(second, histogram)| {
            let server = server_series.next().unwrap_or_default();
            let latency = Latency::of(histogram);
            Second {
                second,
                latency,
                server_rss_bytes: server.rss_bytes,
                info: server.info,
            }
        });
        Report {
            phase: plan.name,
            settings: Settings::of(plan),
            ops,
            elapsed_s,
            ops_per_s: if elapsed_s > 0.0 {
                ops as f64 / elapsed_s
            } else {
                0.0
            },
            latency: Latency::of(&total.all()),
            hot: plan.splits_hot.then(|| Latency::of(&total.hot)),
            rest: plan.splits_hot.then(|| Latency::of(&total.rest)),
            commands: commands.collect(),
            errors: total.errors,
            misses: total.misses,
            checked: plan
                .commands
                .iter()
                .any(|command| plan.verify && command.reads_values)
                .then_some(total.checked),
            wrong: total.wrong,
            unsent: parts.unsent,
            bytes_in: stats.bytes_in,
            bytes_out: stats.bytes_out,
            series: series.collect(),
            error_texts: stats.error_texts,
            wrong_examples: stats.wrong_examples,
            server: parts.server,
            client_cpu_us_per_op: parts
                .client_cpu_s
                .filter(|_| ops > 0)
                .map(|s| s * 1e6 / ops as f64),
            interrupted: parts.interrupted,
        }
    }

    /// No error replies and no wrong values.
    pub(crate) fn is_clean(&self) -> bool {
        self.errors == 0 && self.wrong == 0
    }
}

impl Settings {
    fn of(plan: &Plan) -> Settings {
        Settings {
            clients: plan.clients,
            threads: plan.threads,
            pipeline: plan.pipeline,
            keys: plan.keys,
            kind: plan.kind,
            elements: plan.elements,
            dist: plan.dist.to_string(),
            value_bytes: (*plan.values.bytes.start(), *plan.values.bytes.end()),
            random_values: plan.values.random,
            rate: plan.rate,
            warmup_s: plan.warmup.as_secs_f64(),
            seed: plan.seed,
        }
    }
}

/// A count with separators, as in 1,234,567.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A size in the largest binary unit it fills.
pub(crate) fn sized(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.iter().find(|(shift, _)| bytes >> shift > 0) {
        Some((shift, unit)) => format!("{:.1} {unit}", bytes as f64 / (1u64 << shift) as f64),
        None => format!("{bytes} B"),
    }
}

fn latency_row(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    latency: &Latency,
    tail: &str,
) -> fmt::Result {
    writeln!(
        f,
        "  {name:<12} {:>12} {:>10.1} {:>10.1} {:>10.1} {:>10.1} {:>10.1}{tail}",
        grouped(latency.count as f64),
        latency.p50_us,
        latency.p90_us,
        latency.p99_us,
        latency.p99_9_us,
        latency.max_us,
    )
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.heading(f)?;
        writeln!(
            f,
            "  {:<12} {:>12} {:>10} {:>10} {:>10} {:>10} {:>10}",
            "latency, µs", "count", "p50", "p90", "p99", "p99.9", "max"
        )?;
        latency_row(f, "all", &self.latency, "")?;
        for (name, latency) in [("hot keys", &self.hot), ("other keys", &self.rest)] {
            if let Some(latency) = latency {
                latency_row(f, name, latency, "")?;
            }
        }
        for command in &self.commands {
            let mut tail = String::new();
            for (count, what) in [(command.misses, "null"), (command.errors, "errors")] {
                if count > 0 {
                    tail.push_str(&format!("  {} {what}", grouped(count as f64)));
                }
            }
            if self.commands.len() > 1 || !tail.is_empty() {
                latency_row(f, &command.name, &command.latency, &tail)?;
            }
        }
        self.outcome(f)?;
        self.server_text(f)?;
        for Second {
            second,
            latency,
            server_rss_bytes,
            info,
        } in &self.series
        {
            let mut tail = server_rss_bytes
                .map(|rss| format!("  rss {}", sized(rss)))
                .unwrap_or_default();
            for (name, value) in info {
                tail.push_str(&format!("  {name} {value}"));
            }
            latency_row(f, &format!("second {second}"), latency, &tail)?;
        }
        Ok(())
    }
}

impl Report {
    fn heading(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings {
            clients,
            pipeline,
            keys,
            kind,
            elements,
            dist,
            value_bytes: (min, max),
            ..
        } = &self.settings;
        let size = if min == max {
            min.to_string()
        } else {
            format!("{min}-{max}")
        };
        let collections = match kind {
            Some(kind) => format!(" ({kind} of {})", grouped(*elements as f64)),
            None if *elements > 1 => format!(" (of {} elements)", grouped(*elements as f64)),
            None => String::new(),
        };
        writeln!(
            f,
            "{}: {clients} clients, pipeline {pipeline}, {} keys{collections}, {dist}, values of {size} bytes{}",
            self.phase,
            grouped(*keys as f64),
            if self.interrupted {
                " (interrupted)"
            } else {
                ""
            }
        )?;
        write!(f, "  {} ops/s", grouped(self.ops_per_s))?;
        if let Some(rate) = self.settings.rate {
            write!(f, " of {} asked for", grouped(rate))?;
        }
        let per_s = |bytes: u64| sized((bytes as f64 / self.elapsed_s.max(1e-9)) as u64);
        writeln!(
            f,
            ": {} ops in {:.2} s, {}/s out, {}/s in",
            grouped(self.ops as f64),
            self.elapsed_s,
            per_s(self.bytes_out),
            per_s(self.bytes_in)
        )
    }

    fn outcome(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(checked) = self.checked {
            writeln!(
                f,
                "  {} values checked, {} wrong",
                grouped(checked as f64),
                grouped(self.wrong as f64)
            )?;
        }
        for example in &self.wrong_examples {
            writeln!(f, "    {example}")?;
        }
        for (text, count) in &self.error_texts {
            writeln!(f, "  {} error replies: {text}", grouped(*count as f64))?;
        }
        if self.unsent > 0 {
            let unsent = grouped(self.unsent as f64);
            writeln!(
                f,
                "  {unsent} requests were due but never sent: all connections were busy"
            )?;
        }
        Ok(())
    }

    fn server_text(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server.process {
            Some(cost) => {
                writeln!(
                    f,
                    "  server: {:.2} µs CPU per op ({:.2} user, {:.2} system), resident {} (before {}, most {})",
                    cost.cpu_us_per_op,
                    cost.user_us_per_op,
                    cost.system_us_per_op,
                    sized(cost.rss_after_bytes),
                    sized(cost.rss_before_bytes),
                    sized(cost.rss_max_bytes),
                )?;
                if let Some((read, written)) = cost.disk_read_bytes.zip(cost.disk_written_bytes) {
                    let ops = self.ops.max(1) as f64;
                    writeln!(
                        f,
                        "  disk: {} read, {} written; {:.0} and {:.0} bytes per op",
                        sized(read),
                        sized(written),
                        read as f64 / ops,
                        written as f64 / ops,
                    )?;
                }
            }
            None => writeln!(
                f,
                "  server: its process cannot be seen from here, so no CPU and memory figures"
            )?,
        }
        for (name, (before, after)) in &self.server.info {
            writeln!(f, "  {name}: {before} -> {after} ({:+})", after - before)?;
        }
        if let Some(cpu) = self.client_cpu_us_per_op {
            writeln!(f, "  load generator: {cpu:.2} µs CPU per op")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_known_latencies() {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        for us in 1..=10_000u64 {
            histogram.record(us * 1000).unwrap();
        }
        let latency = Latency::of(&histogram);
        for (seen, expected) in [
            (latency.p50_us, 5_000.0),
            (latency.p90_us, 9_000.0),
            (latency.p99_us, 9_900.0),
            (latency.p99_9_us, 9_990.0),
            (latency.max_us, 10_000.0),
            (latency.mean_us, 5_000.5),
        ] {
            assert!(
                (seen / expected - 1.0).abs() < 0.002,
                "{seen} should be {expected}"
            );
        }
        assert_eq!(latency.count, 10_000);
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(0.0), "0");
        assert_eq!(grouped(999.6), "1,000");
        assert_eq!(grouped(1_234_567.0), "1,234,567");
        assert_eq!(sized(1023), "1023 B");
        assert_eq!(sized(1536), "1.5 KiB");
        assert_eq!(sized(3 << 30), "3.0 GiB");
    }
}
