//! What the server spends, seen from outside: its pid from INFO, everything else from /proc.
//!
//! CPU time is user plus system time of the whole process, from `/proc/<pid>/stat`, before and
//! after; divided by the requests between, it is the steadiest figure of a benchmark on a machine
//! that the load generator shares. What cannot be read (a server elsewhere, another user's
//! process) is absent from the report.

use std::collections::{BTreeMap, HashMap};
use std::fs;

use serde::Serialize;

use super::wire::{Client, Target};

/// Units of `/proc/<pid>/stat`: USER_HZ, which is 100 on every platform Linux still builds for.
const TICKS_PER_S: f64 = 100.0;

/// Reads one server's figures.
pub(crate) struct Probe {
    client: Client,
    /// Present if the process is on this machine.
    pub(crate) pid: Option<u32>,
}

/// A process at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Process {
    user_s: f64,
    system_s: f64,
    rss_bytes: u64,
    peak_rss_bytes: u64,
    /// Bytes fetched from and sent to the disk; needs the process to be ours.
    disk: Option<(u64, u64)>,
}

/// A server at one moment.
pub(crate) struct Sample {
    process: Option<Process>,
    info: HashMap<String, String>,
}

/// What a phase cost the server.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ServerCost {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    pub(crate) process: Option<ProcessCost>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) used_memory_before: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) used_memory_after: Option<u64>,
    /// Numeric INFO fields that were asked for: before and after.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) info: BTreeMap<String, (f64, f64)>,
}

/// What a phase cost, as the kernel accounts it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ProcessCost {
    pub(crate) cpu_us_per_op: f64,
    pub(crate) user_us_per_op: f64,
    pub(crate) system_us_per_op: f64,
    pub(crate) cpu_s: f64,
    pub(crate) rss_before_bytes: u64,
    pub(crate) rss_after_bytes: u64,
    /// The largest seen during the phase, looked at ten times a second.
    pub(crate) rss_max_bytes: u64,
    /// The largest since the process began.
    pub(crate) rss_peak_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) disk_read_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) disk_written_bytes: Option<u64>,
}

impl Probe {
    /// Connects and finds the process.
    pub(crate) fn connect(target: &Target) -> anyhow::Result<Probe> {
        let mut client = target.connect()?;
        let pid = client
            .info()
            .ok()
            .filter(|_| is_here(&target.host))
            .and_then(|info| info.get("process_id")?.parse().ok())
            .filter(|pid| Process::read(*pid).is_some());
        Ok(Probe { client, pid })
    }

    pub(crate) fn sample(&mut self) -> Sample {
        Sample {
            process: self.pid.and_then(Process::read),
            info: self.client.info().unwrap_or_default(),
        }
    }

    /// Resident memory at this moment.
    pub(crate) fn rss_bytes(&self) -> Option<u64> {
        self.pid
            .and_then(Process::read)
            .map(|process| process.rss_bytes)
    }

    /// The numeric INFO fields among those asked for, now.
    pub(crate) fn fields(&mut self, names: &[String]) -> BTreeMap<String, f64> {
        if names.is_empty() {
            return BTreeMap::new();
        }
        let info = self.client.info().unwrap_or_default();
        let field = |name: &String| Some((name.clone(), info.get(name)?.parse().ok()?));
        names.iter().filter_map(field).collect()
    }

    /// The cost of `ops` requests between two samples.
    pub(crate) fn cost(
        &self,
        before: &Sample,
        after: &Sample,
        ops: u64,
        rss_max_bytes: u64,
        fields: &[String],
    ) -> ServerCost {
        let number = |sample: &Sample, name: &str| sample.info.get(name)?.parse::<f64>().ok();
        let used = |sample| number(sample, "used_memory").map(|bytes| bytes as u64);
        let pair =
            |name: &String| Some((name.clone(), (number(before, name)?, number(after, name)?)));
        ServerCost {
            pid: self.pid,
            process: before
                .process
                .zip(after.process)
                .map(|(before, after)| after.since(before, ops, rss_max_bytes)),
            used_memory_before: used(before),
            used_memory_after: used(after),
            info: fields.iter().filter_map(pair).collect(),
        }
    }
}

impl Process {
    /// `None` if there is no such process.
    pub(crate) fn read(pid: u32) -> Option<Process> {
        let file = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).ok();
        let (user_s, system_s) = parse_stat(&file("stat")?)?;
        let status = file("status")?;
        let disk = file("io").and_then(|io| {
            Some((
                parse_field(&io, "read_bytes:")?,
                parse_field(&io, "write_bytes:")?,
            ))
        });
        Some(Process {
            user_s,
            system_s,
            rss_bytes: parse_field(&status, "VmRSS:")? * 1024,
            peak_rss_bytes: parse_field(&status, "VmHWM:")? * 1024,
            disk,
        })
    }

    /// User and system time.
    pub(crate) fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }

    /// Bytes fetched from the disk, if the process is ours.
    pub(crate) fn disk_read_bytes(&self) -> Option<u64> {
        self.disk.map(|(read, _)| read)
    }

    fn since(self, before: Process, ops: u64, rss_max_bytes: u64) -> ProcessCost {
        let per_op = |seconds: f64| {
            if ops == 0 {
                0.0
            } else {
                seconds * 1e6 / ops as f64
            }
        };
        let disk = before.disk.zip(self.disk);
        ProcessCost {
            cpu_us_per_op: per_op(self.cpu_s() - before.cpu_s()),
            user_us_per_op: per_op(self.user_s - before.user_s),
            system_us_per_op: per_op(self.system_s - before.system_s),
            cpu_s: self.cpu_s() - before.cpu_s(),
            rss_before_bytes: before.rss_bytes,
            rss_after_bytes: self.rss_bytes,
            rss_max_bytes: rss_max_bytes.max(self.rss_bytes),
            rss_peak_bytes: self.peak_rss_bytes,
            disk_read_bytes: disk.map(|(before, after)| after.0.saturating_sub(before.0)),
            disk_written_bytes: disk.map(|(before, after)| after.1.saturating_sub(before.1)),
        }
    }
}

/// Whether a host name means this machine, so that a pid means a process of it.
fn is_here(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// User and system seconds from the text of `/proc/<pid>/stat`. The process name may hold anything,
/// blanks and parentheses included, so fields count from the last parenthesis.
fn parse_stat(text: &str) -> Option<(f64, f64)> {
    let mut fields = text[text.rfind(')')? + 1..]
        .split_ascii_whitespace()
        .skip(11);
    let mut seconds = || Some(fields.next()?.parse::<u64>().ok()? as f64 / TICKS_PER_S);
    Some((seconds()?, seconds()?))
}

fn parse_field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_behind_any_process_name() {
        let text = "12 (a) S (b c) R 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 1 0 100 1000 50";
        assert_eq!(parse_stat(text), Some((1.5, 0.25)));
        assert_eq!(parse_stat("12 (a) R 1"), None);
    }

    #[test]
    fn our_own_process_can_be_read() {
        let before = Process::read(std::process::id()).unwrap();
        let start = std::time::Instant::now();
        let mut sum = 0u64;
        while start.elapsed().as_millis() < 60 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let cost = Process::read(std::process::id())
            .unwrap()
            .since(before, 10, 0);
        assert!(cost.cpu_s > 0.0 && cost.cpu_us_per_op > 0.0, "{cost:?}");
        assert!(cost.rss_after_bytes > 100_000 && cost.rss_peak_bytes >= cost.rss_after_bytes);
        assert_eq!(Process::read(u32::MAX), None);
    }

    #[test]
    fn only_loopback_is_here() {
        assert!(is_here("localhost") && is_here("127.0.0.1") && is_here("::1"));
        assert!(!is_here("10.0.0.1") && !is_here("example.org"));
    }
}
