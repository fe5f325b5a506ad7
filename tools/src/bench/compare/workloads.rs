//! The workloads of a comparison: a name and the flags of `run`.

use anyhow::{Context as _, bail, ensure};
use clap::Parser;

use crate::bench::args::{LoadArgs, Plan};

/// Workloads known by name. The first six are run unless others are asked for.
const BUILT_IN: &[(&str, &str)] = &[
    ("get-1", "-t get -P 1"),
    ("set-1", "-t set -P 1"),
    ("get-16", "-t get -P 16"),
    ("set-16", "-t set -P 16"),
    ("get-64", "-t get -P 64"),
    ("set-64", "-t set -P 64"),
    ("incr-1", "-t incr -P 1"),
    ("incr-16", "-t incr -P 16"),
    ("mget-1", "-t mget:10 -P 1"),
    ("mset-1", "-t mset:10 -P 1"),
    ("zipf-1", "--dist zipf:0.99 --ratio 95:5 -P 1"),
    ("zipf-16", "--dist zipf:0.99 --ratio 95:5 -P 16"),
    ("uniform-1", "--dist uniform --ratio 95:5 -P 1"),
    ("hashes-1", "--type hash --keys 10000 -P 1"),
    ("hashes-16", "--type hash --keys 10000 -P 16"),
    ("sets-1", "--type set --keys 10000 -P 1"),
    ("zsets-1", "--type zset --keys 10000 -P 1"),
    ("zsets-16", "--type zset --keys 10000 -P 16"),
    ("lists-1", "--type list --keys 10000 -P 1"),
    ("streams-1", "--type stream --keys 10000 -P 1"),
    (
        "hash-of-a-million",
        "--type hash --keys 1 --elements 1000000 -P 1",
    ),
    (
        "zset-of-a-million",
        "--type zset --keys 1 --elements 1000000 -P 1",
    ),
    ("mixed-1", "-t get@6,set@3,del,exists,incr,expire -P 1"),
];
const DEFAULT_COUNT: usize = 6;

/// A load with a name.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) name: String,
    /// The flags as they were written.
    pub(crate) flags: String,
    pub(crate) load: LoadArgs,
}

/// Reads flags as `run` would, the later of two winning.
#[derive(Parser)]
#[command(
    args_override_self = true,
    no_binary_name = true,
    disable_help_flag = true
)]
struct Flags {
    #[command(flatten)]
    load: LoadArgs,
}

impl Workload {
    /// Those asked for, each `name` or `name: flags`; or the usual ones. `common` flags come before.
    pub(crate) fn list(
        specs: &[String],
        common: &str,
        seconds: f64,
    ) -> anyhow::Result<Vec<Workload>> {
        let defaults = || {
            BUILT_IN[..DEFAULT_COUNT]
                .iter()
                .map(|(name, _)| (*name).to_owned())
                .collect()
        };
        let specs = if specs.is_empty() {
            defaults()
        } else {
            specs.to_vec()
        };
        let workloads = specs
            .iter()
            .map(|spec| Workload::parse(spec, common, seconds))
            .collect::<anyhow::Result<Vec<_>>>()?;
        for (index, workload) in workloads.iter().enumerate() {
            let twice = workloads[..index]
                .iter()
                .any(|other| other.name == workload.name);
            ensure!(!twice, "two workloads are called '{}'", workload.name);
        }
        Ok(workloads)
    }

    fn parse(spec: &str, common: &str, seconds: f64) -> anyhow::Result<Workload> {
        let (name, flags) = match spec.split_once(':') {
            Some((name, flags)) => (name.trim(), flags.trim()),
            None => match BUILT_IN.iter().find(|(name, _)| *name == spec) {
                Some((name, flags)) => (*name, *flags),
                None => {
                    let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
                    bail!(
                        "no workload '{spec}'; known are {}; or give 'name: flags'",
                        names.join(", ")
                    );
                }
            },
        };
        ensure!(!name.is_empty(), "the workload '{spec}' has no name");
        let load = parse_flags(&format!("{common} {flags}"))
            .with_context(|| format!("workload '{name}'"))?;
        let bounded = load.requests.is_some() || load.seconds.is_some();
        let load = if bounded {
            load
        } else {
            LoadArgs {
                seconds: Some(seconds),
                ..load
            }
        };
        ensure!(
            !load.load,
            "workload '{name}': keys are loaded before the comparison, so no --load"
        );
        load.plans().with_context(|| format!("workload '{name}'"))?;
        Ok(Workload {
            name: name.to_owned(),
            flags: flags.to_owned(),
            load,
        })
    }
}

impl Workload {
    /// What puts its collections there before the comparison; nothing for one of plain keys.
    pub(crate) fn filling(&self) -> anyhow::Result<Vec<Plan>> {
        if self.load.kind.is_none() {
            return Ok(Vec::new());
        }
        let filling = LoadArgs {
            load: true,
            seconds: None,
            requests: None,
            ..self.load.clone()
        };
        filling.plans()
    }
}

/// Flags of `run` that describe a load.
pub(crate) fn parse_flags(flags: &str) -> anyhow::Result<LoadArgs> {
    let words = shlex::split(flags).with_context(|| format!("unbalanced quotes in: {flags}"))?;
    Ok(Flags::try_parse_from(words)?.load)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_workload_can_be_run() {
        let names: Vec<String> = BUILT_IN
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        let all = Workload::list(&names, "--keys 5000", 2.0).unwrap();
        assert!(all.iter().all(|workload| workload.load.seconds == Some(2.0)
            && (workload.load.keys == 5000 || workload.load.kind.is_some())));
        assert_eq!(Workload::list(&[], "", 1.0).unwrap().len(), DEFAULT_COUNT);
    }

    #[test]
    fn own_flags_win_over_common_ones() {
        let specs = ["cold: --keys 9 -n 100 --command 'GETRANGE {key} 0 3'".to_owned()];
        let list = Workload::list(&specs, "--keys 5 --clients 7", 2.0).unwrap();
        let load = &list[0].load;
        assert_eq!(
            (load.keys, load.clients, load.requests, load.seconds),
            (9, 7, Some(100), None)
        );
        assert_eq!(load.command, ["GETRANGE {key} 0 3"]);
    }

    #[test]
    fn mistakes_are_named() {
        for (spec, message) in [
            ("nope", "no workload 'nope'"),
            ("a: --what", "--what"),
            ("a: -t nope", "unknown command"),
            ("a: --load", "no --load"),
            (": -t get", "has no name"),
        ] {
            let error = format!(
                "{:#}",
                Workload::list(&[spec.to_owned()], "", 1.0).unwrap_err()
            );
            assert!(error.contains(message), "{spec}: {error}");
        }
        let twice = ["get-1".to_owned(), "get-1".to_owned()];
        assert!(Workload::list(&twice, "", 1.0).is_err());
    }
}
