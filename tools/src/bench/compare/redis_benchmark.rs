//! `redis-benchmark` as the source of load, for those who trust it more, or want its numbers.
//!
//! The server's CPU and memory are still measured here. Its latencies come from its CSV output.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use super::Measurement;
use crate::bench::args::LoadArgs;
use crate::bench::probe::Probe;
use crate::bench::signals::interrupted;
use crate::bench::wire::Target;

/// Its tests that work on string keys, so that the loaded keys serve them.
const TESTS: &[&str] = &["get", "set", "incr"];

/// The test that does what a workload asks, if there is one.
pub(crate) fn test_of(load: &LoadArgs) -> anyhow::Result<&'static str> {
    let plain = load.command.is_empty() && load.ratio.is_none() && load.rate.is_none();
    let test = match load.commands.as_slice() {
        [one] if plain => TESTS.iter().find(|test| *test == one),
        _ => None,
    };
    let uniform = load.dist == crate::bench::dist::Dist::Uniform;
    let fixed = load.value_bytes.start() == load.value_bytes.end();
    let same_keys = load.key_prefix == "key:" && load.key_digits == 12;
    match test {
        Some(test) if uniform && fixed && same_keys && !load.random_values && !load.verify => {
            Ok(test)
        }
        _ => bail!(
            "redis-benchmark can only do one of {} over uniform keys key:%012d with values of one size",
            TESTS.join(", ")
        ),
    }
}

/// Lets it run once against a server.
pub(crate) fn measure(
    target: &Target,
    load: &LoadArgs,
    requests: u64,
) -> anyhow::Result<Measurement> {
    let mut probe = Probe::connect(target)?;
    let before = probe.sample();
    let number = |n: u64| n.to_string();
    let child = Command::new("redis-benchmark")
        .args([
            "-h",
            &target.host,
            "-p",
            &target.port.to_string(),
            "--csv",
            "-t",
            test_of(load)?,
        ])
        .args([
            "-c",
            &number(load.clients as u64),
            "-P",
            &number(load.pipeline as u64),
        ])
        .args([
            "-d",
            &number(*load.value_bytes.end()),
            "-r",
            &number(load.keys),
            "-n",
            &number(requests),
        ])
        .args(
            ["--threads", &number(load.threads as u64)]
                .iter()
                .skip(if load.threads > 1 { 0 } else { 2 }),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start redis-benchmark")?;
    let output = Running(child).output()?;
    let row = parse_csv(&output).with_context(|| format!("redis-benchmark printed:\n{output}"))?;
    let after = probe.sample();
    let cost = probe.cost(&before, &after, requests, 0, &[]);
    Ok(Measurement::new(
        row.ops_per_s,
        row.p50_us,
        row.p99_us,
        0,
        &cost,
    ))
}

/// A child that does not outlive us.
struct Running(Child);

impl Running {
    fn output(mut self) -> anyhow::Result<String> {
        loop {
            if let Some(status) = self.0.try_wait()? {
                let (mut text, mut complaint) = (String::new(), String::new());
                self.0
                    .stdout
                    .take()
                    .context("its output")?
                    .read_to_string(&mut text)?;
                self.0
                    .stderr
                    .take()
                    .context("its output")?
                    .read_to_string(&mut complaint)?;
                ensure!(
                    status.success(),
                    "redis-benchmark ended with {status}: {complaint}{text}"
                );
                return Ok(text);
            }
            if interrupted() {
                bail!("interrupted");
            }
            // Its output is one line, far less than a pipe holds, so it never waits for us.
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only if it has ended, which is what we want.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Debug, PartialEq)]
struct Row {
    ops_per_s: f64,
    p50_us: f64,
    p99_us: f64,
}

/// Finds columns by their names, since versions differ in which there are.
fn parse_csv(text: &str) -> anyhow::Result<Row> {
    let fields = |line: &str| -> Vec<String> {
        line.split(',')
            .map(|field| field.trim().trim_matches('"').to_owned())
            .collect()
    };
    let mut lines = text
        .lines()
        .filter(|line| line.starts_with('"'))
        .map(fields);
    let header = lines.next().context("no header")?;
    let row = lines.next().context("no result")?;
    let column = |name: &str| -> anyhow::Result<f64> {
        let index = header
            .iter()
            .position(|column| column == name)
            .with_context(|| format!("no column {name}"))?;
        let field = row
            .get(index)
            .with_context(|| format!("no value of {name}"))?;
        field
            .parse()
            .with_context(|| format!("{name} is '{field}'"))
    };
    Ok(Row {
        ops_per_s: column("rps")?,
        p50_us: column("p50_latency_ms")? * 1e3,
        p99_us: column("p99_latency_ms")? * 1e3,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::compare::workloads::parse_flags;

    #[test]
    fn columns_are_found_by_name() {
        let text = "WARNING: Could not fetch server CONFIG\n\
            \"test\",\"rps\",\"avg_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\",\"p99_latency_ms\"\n\
            \"GET\",\"78572.03\",\"0.400\",\"0.364\",\"0.9\",\"1.250\"\n";
        let row = parse_csv(text).unwrap();
        assert_eq!(
            row,
            Row {
                ops_per_s: 78572.03,
                p50_us: 364.0,
                p99_us: 1250.0
            }
        );
        assert!(parse_csv("\"test\",\"rps\"\n\"GET\",\"1\"\n").is_err());
        assert!(parse_csv("").is_err());
    }

    #[test]
    fn only_loads_it_can_make_are_accepted() {
        let test = |flags| test_of(&parse_flags(flags).unwrap());
        assert_eq!(test("-t get -P 16").unwrap(), "get");
        for flags in [
            "",
            "-t get,set",
            "-t mget:10",
            "-t get --dist zipf",
            "-t set -d 1-9",
            "-t get --rate 5",
        ] {
            assert!(test(flags).is_err(), "{flags}");
        }
    }
}
