//! The outcome of a comparison: medians over the rounds, ratios of medians, text and JSON.

use std::fmt;

use serde::Serialize;

use super::Measurement;
use crate::bench::report::{grouped, sized};

/// Everything a comparison found.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    pub(crate) machine: Machine,
    pub(crate) rounds: usize,
    pub(crate) source: &'static str,
    pub(crate) servers: Vec<ServerLine>,
    pub(crate) workloads: Vec<WorkloadResult>,
}

/// Where the numbers come from.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cpus: usize,
    model: String,
    kernel: String,
}

/// A server that took part.
#[derive(Debug, Serialize)]
pub(crate) struct ServerLine {
    pub(crate) name: String,
    pub(crate) command: String,
}

/// One workload on all servers.
#[derive(Debug, Serialize)]
pub(crate) struct WorkloadResult {
    pub(crate) name: String,
    pub(crate) flags: String,
    pub(crate) results: Vec<ServerResult>,
}

/// One workload on one server.
#[derive(Debug, Serialize)]
pub(crate) struct ServerResult {
    pub(crate) server: String,
    pub(crate) median: Measurement,
    /// Lowest and highest throughput of the rounds.
    pub(crate) ops_per_s_range: (f64, f64),
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<Ratio>,
    pub(crate) rounds: Vec<Measurement>,
}

/// A server's medians over another's.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ratio {
    pub(crate) against: String,
    pub(crate) ops_per_s: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rss: Option<f64>,
}

impl WorkloadResult {
    /// `measured` holds each server's name, whom it is held against, and its rounds.
    pub(crate) fn new(
        name: String,
        flags: String,
        measured: Vec<(String, Option<String>, Vec<Measurement>)>,
    ) -> WorkloadResult {
        let medians: Vec<(String, Measurement)> = measured
            .iter()
            .map(|(name, _, rounds)| (name.clone(), median(rounds)))
            .collect();
        let find = |wanted: &str| {
            medians
                .iter()
                .find(|(name, _)| name == wanted)
                .map(|(_, median)| median)
        };
        let results = measured
            .into_iter()
            .map(|(server, against, rounds)| {
                let mine = median(&rounds);
                let ratio =
                    against.and_then(|against| Some(Ratio::new(&mine, find(&against)?, against)));
                let speeds = || rounds.iter().map(|round| round.ops_per_s);
                let range = (
                    speeds().fold(f64::INFINITY, f64::min),
                    speeds().fold(0.0, f64::max),
                );
                ServerResult {
                    server,
                    median: mine,
                    ops_per_s_range: range,
                    ratio,
                    rounds,
                }
            })
            .collect();
        WorkloadResult {
            name,
            flags,
            results,
        }
    }
}

impl Ratio {
    fn new(mine: &Measurement, base: &Measurement, against: String) -> Ratio {
        let optional = |mine: Option<f64>, base: Option<f64>| Some(mine? / base?);
        let rss = |measurement: &Measurement| measurement.rss_bytes.map(|bytes| bytes as f64);
        Ratio {
            ops_per_s: mine.ops_per_s / base.ops_per_s,
            p50: mine.p50_us / base.p50_us,
            p99: mine.p99_us / base.p99_us,
            cpu: optional(mine.cpu_us_per_op, base.cpu_us_per_op),
            rss: optional(rss(mine), rss(base)),
            against,
        }
    }
}

/// The median of each figure by itself; errors add up.
fn median(rounds: &[Measurement]) -> Measurement {
    let of = |figure: fn(&Measurement) -> f64| middle(rounds.iter().map(figure).collect());
    let cpu: Option<Vec<f64>> = rounds.iter().map(|round| round.cpu_us_per_op).collect();
    let rss: Option<Vec<f64>> = rounds
        .iter()
        .map(|round| round.rss_bytes.map(|bytes| bytes as f64))
        .collect();
    Measurement {
        ops_per_s: of(|round| round.ops_per_s),
        p50_us: of(|round| round.p50_us),
        p99_us: of(|round| round.p99_us),
        cpu_us_per_op: cpu.map(middle),
        rss_bytes: rss.map(|rss| middle(rss) as u64),
        errors: rounds.iter().map(|round| round.errors).sum(),
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    assert!(
        !values.is_empty(),
        "every server is measured in every round"
    );
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 {
        values[half]
    } else {
        (values[half - 1] + values[half]) / 2.0
    }
}

impl Machine {
    /// This one.
    pub(crate) fn here() -> Machine {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let model = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| {
                line.strip_prefix("model name")?
                    .split_once(": ")
                    .map(|(_, name)| name.to_owned())
            })
            .unwrap_or_else(|| std::env::consts::ARCH.to_owned());
        Machine {
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            model,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine {
            cpus,
            model,
            kernel,
        } = &self.machine;
        writeln!(
            f,
            "{cpus} CPUs ({model}), Linux {kernel}; load from {}; medians of {} rounds",
            self.source, self.rounds
        )?;
        for server in &self.servers {
            writeln!(f, "  {}: {}", server.name, server.command)?;
        }
        for workload in &self.workloads {
            write!(f, "\n{workload}")?;
        }
        Ok(())
    }
}

impl fmt::Display for WorkloadResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  ({})", self.name, self.flags)?;
        writeln!(
            f,
            "  {:<16} {:>11} {:>7} {:>10} {:>7} {:>9} {:>7} {:>9} {:>7} {:>11} {:>7}",
            "",
            "ops/s",
            "ratio",
            "CPU µs/op",
            "ratio",
            "p50 µs",
            "ratio",
            "p99 µs",
            "ratio",
            "resident",
            "ratio"
        )?;
        for result in &self.results {
            result.row(f)?;
        }
        Ok(())
    }
}

impl ServerResult {
    fn row(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Measurement {
            ops_per_s,
            p50_us,
            p99_us,
            cpu_us_per_op,
            rss_bytes,
            errors,
        } = &self.median;
        let ratio = |pick: fn(&Ratio) -> Option<f64>| match self.ratio.as_ref().and_then(pick) {
            Some(ratio) => format!("{ratio:.2}x"),
            None => String::new(),
        };
        write!(
            f,
            "  {:<16} {:>11} {:>7} {:>10} {:>7} {:>9.0} {:>7} {:>9.0} {:>7} {:>11} {:>7}",
            self.server,
            grouped(*ops_per_s),
            ratio(|ratio| Some(ratio.ops_per_s)),
            cpu_us_per_op.map_or_else(|| "?".to_owned(), |cpu| format!("{cpu:.2}")),
            ratio(|ratio| ratio.cpu),
            p50_us,
            ratio(|ratio| Some(ratio.p50)),
            p99_us,
            ratio(|ratio| Some(ratio.p99)),
            rss_bytes.map_or_else(|| "?".to_owned(), sized),
            ratio(|ratio| ratio.rss),
        )?;
        if let Some(ratio) = &self.ratio {
            write!(f, "  of {}", ratio.against)?;
        }
        if *errors > 0 {
            write!(f, "  {} ERRORS", grouped(*errors as f64))?;
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(ops_per_s: f64, cpu_us_per_op: Option<f64>) -> Measurement {
        Measurement {
            ops_per_s,
            p50_us: 10.0,
            p99_us: 20.0,
            cpu_us_per_op,
            rss_bytes: Some(1 << 20),
            errors: 1,
        }
    }

    #[test]
    fn ratios_are_of_medians() {
        let base = [100.0, 900.0, 200.0]
            .map(|ops| measured(ops, Some(4.0)))
            .to_vec();
        let mine = [300.0, 500.0, 400.0, 10.0]
            .map(|ops| measured(ops, Some(2.0)))
            .to_vec();
        let result = WorkloadResult::new(
            "w".to_owned(),
            "-t get".to_owned(),
            vec![
                ("mine".to_owned(), Some("base".to_owned()), mine),
                ("base".to_owned(), None, base),
            ],
        );
        let first = &result.results[0];
        assert_eq!((first.median.ops_per_s, first.median.errors), (350.0, 4));
        assert_eq!(first.ops_per_s_range, (10.0, 500.0));
        let ratio = first.ratio.as_ref().unwrap();
        assert_eq!(
            (ratio.ops_per_s, ratio.cpu, ratio.rss),
            (1.75, Some(0.5), Some(1.0))
        );
        assert!(result.results[1].ratio.is_none());
        let text = result.to_string();
        assert!(
            text.contains("1.75x") && text.contains("of base") && text.contains("4 ERRORS"),
            "{text}"
        );
    }

    #[test]
    fn a_figure_that_is_missing_once_is_missing() {
        let rounds = [measured(1.0, Some(1.0)), measured(2.0, None)];
        assert_eq!(median(&rounds).cpu_us_per_op, None);
    }
}
