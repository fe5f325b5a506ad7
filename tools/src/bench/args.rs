//! The flags that describe a load, and the [`Plan`] they compile to.
//!
//! `run` takes these flags from the command line, `compare` takes them per workload. Everything a
//! user can get wrong is refused here, with the flag's name; a plan holds together.

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use super::dist::{Dist, Picker};
use super::template::{Command, KeyFormat, decimal_digits};
use super::values::Values;

/// What load to put on a server.
#[derive(Args, Clone, Debug)]
pub(crate) struct LoadArgs {
    /// Connections
    #[arg(short, long, default_value_t = 50, value_name = "N")]
    pub(crate) clients: usize,
    /// Threads of the load generator; connections are divided among them
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) threads: usize,
    /// Requests each connection has under way at a time
    #[arg(short = 'P', long, default_value_t = 1, value_name = "N")]
    pub(crate) pipeline: usize,
    /// Stop after this many requests [default: 1000000, unless --seconds or --load is given]
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) requests: Option<u64>,
    /// Stop after this time
    #[arg(long, value_name = "S")]
    pub(crate) seconds: Option<f64>,
    /// Number of keys
    #[arg(short = 'r', long, default_value_t = 1_000_000, value_name = "N")]
    pub(crate) keys: u64,
    /// What key names begin with
    #[arg(long, default_value = "key:", value_name = "TEXT")]
    pub(crate) key_prefix: String,
    /// Digits of the number in a key name, with leading zeroes; 0 writes it without
    #[arg(long, default_value_t = 12, value_name = "N")]
    pub(crate) key_digits: usize,
    /// Which keys are used: uniform, sequential, zipf[:EXPONENT] or latest[:EXPONENT]
    #[arg(long, default_value = "uniform", value_name = "NAME")]
    pub(crate) dist: Dist,
    /// Size of values, or smallest and largest: 64, 1kb, 16-1kb
    #[arg(short = 'd', long, default_value = "64", value_parser = parse_byte_range, value_name = "BYTES")]
    pub(crate) value_bytes: RangeInclusive<u64>,
    /// Fill values with bytes that do not compress, rather than with a repeated word
    #[arg(long)]
    pub(crate) random_values: bool,
    /// Shares of GET and SET [default: 90:10]
    #[arg(long, value_name = "READS:WRITES", conflicts_with_all = ["commands", "command"])]
    pub(crate) ratio: Option<String>,
    /// Mix of commands: get,set@3,mget:10 is 1 part GET, 3 parts SET, 1 part MGET of 10 keys
    #[arg(short = 't', long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) commands: Vec<String>,
    /// A command of your own, such as 'GETRANGE {key} 0 9 @2'; may be repeated
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) command: Vec<String>,
    /// Keys are hashes, sets, zsets, lists or streams: --load fills them, and the mix is one of their commands,
    /// unless commands are given
    #[arg(long = "type", value_name = "NAME")]
    pub(crate) kind: Option<String>,
    /// Elements of each key [default: 100 with --type, else 1]
    #[arg(long, value_name = "N")]
    pub(crate) elements: Option<u64>,
    /// Send this many requests per second on schedule, whether or not replies keep up
    #[arg(long, value_name = "OPS_PER_S")]
    pub(crate) rate: Option<f64>,
    /// First set every key once, in order
    #[arg(long)]
    pub(crate) load: bool,
    /// Check that values read are those of their keys
    #[arg(long)]
    pub(crate) verify: bool,
    /// Do not count the first seconds
    #[arg(long, default_value_t = 0.0, value_name = "S")]
    pub(crate) warmup: f64,
    /// Seed of all random choices
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// Report latencies of this share of the most popular keys apart from the rest (zipf, latest)
    #[arg(long, value_name = "SHARE")]
    pub(crate) split_hot: Option<f64>,
    /// Report latencies of each second
    #[arg(long)]
    pub(crate) series: bool,
    /// Give up when no reply comes for this long
    #[arg(long, default_value_t = 60.0, value_name = "S")]
    pub(crate) timeout: f64,
}

/// One phase of a run, ready to be carried out.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) clients: usize,
    pub(crate) threads: usize,
    pub(crate) pipeline: usize,
    pub(crate) requests: Option<u64>,
    pub(crate) duration: Option<Duration>,
    pub(crate) warmup: Duration,
    pub(crate) rate: Option<f64>,
    pub(crate) commands: Vec<Command>,
    pub(crate) weight_sum: u32,
    pub(crate) picker: Picker,
    pub(crate) values: Values,
    pub(crate) key_digits: usize,
    pub(crate) verify: bool,
    pub(crate) seed: u64,
    pub(crate) splits_hot: bool,
    pub(crate) series: bool,
    pub(crate) timeout: Duration,
    /// For the report.
    pub(crate) dist: Dist,
    pub(crate) keys: u64,
    pub(crate) elements: u64,
    pub(crate) kind: Option<&'static str>,
}

/// What `--type` means: how an element is put in, and what is then done with them. `{elements}` is their number.
struct Collection {
    name: &'static str,
    fill: &'static str,
    reads: &'static [&'static str],
    writes: &'static [&'static str],
}

const COLLECTIONS: &[Collection] = &[
    Collection {
        name: "hash",
        fill: "HSET {key:hash:} field:{element} {value}",
        reads: &["HGET {key:hash:} field:{element}"],
        writes: &["HSET {key:hash:} field:{element} {value}"],
    },
    Collection {
        name: "set",
        fill: "SADD {key:set:} member:{element}",
        reads: &[
            "SISMEMBER {key:set:} member:{element}",
            "SRANDMEMBER {key:set:}",
        ],
        writes: &[
            "SADD {key:set:} member:{element}",
            "SREM {key:set:} member:{element}",
        ],
    },
    Collection {
        name: "zset",
        fill: "ZADD {key:zset:} {element} member:{element}",
        reads: &[
            "ZSCORE {key:zset:} member:{element}",
            "ZRANK {key:zset:} member:{element}",
            "ZRANGEBYSCORE {key:zset:} {element} +inf LIMIT 0 10",
        ],
        writes: &["ZADD {key:zset:} {element} member:{element}"],
    },
    // As many go out as come in.
    Collection {
        name: "list",
        fill: "RPUSH {key:list:} {value}",
        reads: &["LINDEX {key:list:} {element}", "LRANGE {key:list:} 0 9"],
        writes: &["LPUSH {key:list:} {value}", "RPOP {key:list:}"],
    },
    Collection {
        name: "stream",
        fill: "XADD {key:stream:} * field {value}",
        reads: &["XRANGE {key:stream:} - + COUNT 10", "XLEN {key:stream:}"],
        writes: &["XADD {key:stream:} MAXLEN ~ {elements} * field {value}"],
    },
];

/// Memory that the requests of one batch may take while loading.
const LOAD_BATCH_BYTES: u64 = 1 << 20;
/// Requests in one batch while loading, unless more are asked for.
const LOAD_PIPELINE: u64 = 16;

impl LoadArgs {
    /// The phases to carry out, in order.
    pub(crate) fn plans(&self) -> anyhow::Result<Vec<Plan>> {
        self.check()?;
        let mut plans = Vec::new();
        if self.load {
            plans.push(self.load_plan()?);
        }
        if !self.load || self.requests.is_some() || self.seconds.is_some() {
            plans.push(self.run_plan()?);
        }
        Ok(plans)
    }

    fn check(&self) -> anyhow::Result<()> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        ensure!(
            (1..=60_000).contains(&self.clients),
            "--clients must be from 1 to 60000"
        );
        ensure!(
            (1..=1024).contains(&self.threads),
            "--threads must be from 1 to 1024"
        );
        ensure!(
            (1..=100_000).contains(&self.pipeline),
            "--pipeline must be from 1 to 100000"
        );
        ensure!(self.requests != Some(0), "--requests must be at least 1");
        ensure!(
            self.seconds.is_none_or(positive),
            "--seconds must be above 0"
        );
        ensure!(
            (1..=1 << 53).contains(&self.keys),
            "--keys must be from 1 to 2^53"
        );
        ensure!(
            (1..=1 << 53).contains(&self.elements()),
            "--elements must be from 1 to 2^53"
        );
        ensure!(
            self.keys
                .checked_mul(self.elements())
                .is_some_and(|all| all <= 1 << 53),
            "--keys times --elements must be at most 2^53"
        );
        ensure!(self.key_digits <= 20, "--key-digits must be at most 20");
        ensure!(
            self.key_digits == 0 || decimal_digits(self.keys - 1) <= self.key_digits,
            "--key-digits {} is too few for --keys {}",
            self.key_digits,
            self.keys
        );
        ensure!(self.rate.is_none_or(positive), "--rate must be above 0");
        ensure!(
            self.warmup >= 0.0 && self.warmup.is_finite(),
            "--warmup must not be negative"
        );
        ensure!(positive(self.timeout), "--timeout must be above 0");
        if let Some(share) = self.split_hot {
            ensure!(
                share > 0.0 && share < 1.0,
                "--split-hot must be between 0 and 1"
            );
            ensure!(
                self.dist.is_ranked(),
                "--split-hot needs --dist zipf or latest"
            );
        }
        Ok(())
    }

    /// Elements of each key.
    fn elements(&self) -> u64 {
        const OF_COLLECTIONS: u64 = 100;
        let usual = if self.kind.is_some() {
            OF_COLLECTIONS
        } else {
            1
        };
        self.elements.unwrap_or(usual)
    }

    fn collection(&self) -> anyhow::Result<Option<&'static Collection>> {
        let Some(name) = &self.kind else {
            return Ok(None);
        };
        let found = COLLECTIONS.iter().find(|row| row.name == name);
        let names: Vec<&str> = COLLECTIONS.iter().map(|row| row.name).collect();
        let found =
            found.with_context(|| format!("--type {name} is none of {}", names.join(", ")))?;
        Ok(Some(found))
    }

    /// The mix of a type: its reads and its writes in the shares of --ratio.
    fn mix_of(&self, collection: &Collection) -> anyhow::Result<Vec<Command>> {
        let ratio = self.ratio.as_deref().unwrap_or("90:10");
        let (reads, writes) = parse_ratio(ratio).with_context(|| format!("--ratio {ratio}"))?;
        // However many commands read, and however many write, together they have their share.
        let (readers, writers) = (
            collection.reads.len() as u32,
            collection.writes.len() as u32,
        );
        let shares = [
            (collection.reads, reads * writers),
            (collection.writes, writes * readers),
        ];
        let mut mix = Vec::new();
        for (templates, weight) in shares.into_iter().filter(|(_, weight)| *weight > 0) {
            for template in templates {
                let mut command = self.own_command(template)?;
                command.weight = weight;
                command.reads_values = template.starts_with("HGET ");
                mix.push(command);
            }
        }
        Ok(mix)
    }

    fn own_command(&self, template: &str) -> anyhow::Result<Command> {
        let template = template.replace("{elements}", &self.elements().to_string());
        Command::parse_template(&template, &self.format()).map_err(anyhow::Error::msg)
    }

    fn format(&self) -> KeyFormat {
        KeyFormat {
            prefix: self.key_prefix.clone(),
            digits: self.key_digits,
        }
    }

    fn mix(&self) -> anyhow::Result<Vec<Command>> {
        let format = self.format();
        let parse = |item: &str| Command::parse(item, &format).map_err(anyhow::Error::msg);
        if self.commands.is_empty() && self.command.is_empty() {
            if let Some(collection) = self.collection()? {
                return self.mix_of(collection);
            }
            let ratio = self.ratio.as_deref().unwrap_or("90:10");
            let (reads, writes) = parse_ratio(ratio).with_context(|| format!("--ratio {ratio}"))?;
            let shares = [("get", reads), ("set", writes)];
            return shares
                .iter()
                .filter(|(_, share)| *share > 0)
                .map(|(name, share)| parse(&format!("{name}@{share}")))
                .collect();
        }
        let listed = self
            .commands
            .iter()
            .map(|item| parse(item.trim()).context("--commands"));
        let own = self.command.iter().map(|text| {
            Command::parse_template(text, &format)
                .map_err(anyhow::Error::msg)
                .context("--command")
        });
        listed.chain(own).collect()
    }

    fn run_plan(&self) -> anyhow::Result<Plan> {
        let hot_ranks = self.split_hot.map_or(0, |share| {
            (self.keys as f64 * self.elements() as f64 * share).ceil() as u64
        });
        let (commands, all) = (self.mix()?, self.keys * self.elements());
        let requests = match (self.requests, self.seconds) {
            (None, None) => Some(1_000_000),
            (requests, _) => requests,
        };
        Ok(Plan {
            name: "run",
            clients: self.clients,
            threads: self.threads.min(self.clients),
            pipeline: self.pipeline,
            requests,
            duration: self.seconds.map(Duration::from_secs_f64),
            warmup: Duration::from_secs_f64(self.warmup),
            rate: self.rate,
            weight_sum: commands.iter().map(|command| command.weight).sum(),
            commands,
            picker: Picker::new(self.dist, all, hot_ranks),
            values: Values {
                bytes: self.value_bytes.clone(),
                random: self.random_values,
            },
            key_digits: self.key_digits,
            verify: self.verify,
            seed: self.seed,
            splits_hot: self.split_hot.is_some(),
            series: self.series,
            timeout: Duration::from_secs_f64(self.timeout),
            dist: self.dist,
            keys: self.keys,
            elements: self.elements(),
            kind: self.collection()?.map(|collection| collection.name),
        })
    }

    fn load_plan(&self) -> anyhow::Result<Plan> {
        let fill = match self.collection()? {
            Some(collection) => self.own_command(collection.fill)?,
            None => Command::parse("set", &self.format()).map_err(anyhow::Error::msg)?,
        };
        let all = self.keys * self.elements();
        let fitting = LOAD_BATCH_BYTES / (self.value_bytes.end() + 64);
        let pipeline = (self.pipeline as u64).max(fitting.clamp(1, LOAD_PIPELINE));
        Ok(Plan {
            name: "load",
            pipeline: pipeline as usize,
            requests: Some(all),
            duration: None,
            warmup: Duration::ZERO,
            rate: None,
            commands: vec![fill],
            weight_sum: 1,
            picker: Picker::new(Dist::Sequential, all, 0),
            splits_hot: false,
            dist: Dist::Sequential,
            ..self.run_plan()?
        })
    }
}

fn parse_ratio(text: &str) -> anyhow::Result<(u32, u32)> {
    let parse = |share: &str| {
        share
            .parse::<u32>()
            .ok()
            .filter(|share| *share <= 1_000_000)
    };
    match text
        .split_once(':')
        .map(|(reads, writes)| (parse(reads), parse(writes)))
    {
        Some((Some(reads), Some(writes))) if reads + writes > 0 => Ok((reads, writes)),
        _ => bail!("expected two numbers such as 95:5"),
    }
}

fn parse_byte_range(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (min, max) = match text.split_once('-') {
        Some((min, max)) => (parse_bytes(min)?, parse_bytes(max)?),
        None => (parse_bytes(text)?, parse_bytes(text)?),
    };
    if min > max {
        return Err(format!("'{text}' runs backwards"));
    }
    if max > 512 << 20 {
        return Err(format!("'{text}' is above 512mb, the protocol's limit"));
    }
    Ok(min..=max)
}

/// A number of bytes, with kb, mb or gb (powers of 1024) if wanted.
fn parse_bytes(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let number = lower.trim_end_matches(char::is_alphabetic);
    let shift = match &lower[number.len()..] {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        unit => return Err(format!("'{unit}' is not b, kb, mb or gb")),
    };
    match number.parse::<u64>() {
        Ok(count) if count < 1 << 32 => Ok(count << shift),
        _ => Err(format!("'{text}' is not a number of bytes")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        load: LoadArgs,
    }

    fn plans(flags: &str) -> anyhow::Result<Vec<Plan>> {
        let words = std::iter::once("bench").chain(flags.split_whitespace());
        Flags::try_parse_from(words)?.load.plans()
    }

    fn mix(flags: &str) -> Vec<(String, u32)> {
        let plan = plans(flags).unwrap().pop().unwrap();
        assert_eq!(
            plan.weight_sum,
            plan.commands
                .iter()
                .map(|command| command.weight)
                .sum::<u32>()
        );
        plan.commands
            .into_iter()
            .map(|command| (command.name, command.weight))
            .collect()
    }

    #[test]
    fn mixes_come_from_ratio_or_commands() {
        let named = |pairs: &[(&str, u32)]| -> Vec<(String, u32)> {
            pairs
                .iter()
                .map(|(name, weight)| ((*name).to_owned(), *weight))
                .collect()
        };
        assert_eq!(mix(""), named(&[("get", 90), ("set", 10)]));
        assert_eq!(mix("--ratio 0:1"), named(&[("set", 1)]));
        assert_eq!(
            mix("-t get,mget:10@3,del"),
            named(&[("get", 1), ("mget:10", 3), ("del", 1)])
        );
    }

    #[test]
    fn loading_is_a_phase_of_its_own() {
        let names = |flags| {
            plans(flags)
                .unwrap()
                .iter()
                .map(|plan| plan.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names("--load"), ["load"]);
        assert_eq!(names("--load --seconds 3"), ["load", "run"]);
        assert_eq!(names(""), ["run"]);
        let load = plans("--load --keys 77 --value-bytes 1mb --dist zipf --split-hot 0.1").unwrap();
        assert_eq!(
            (load[0].requests, load[0].pipeline, load[0].dist),
            (Some(77), 1, Dist::Sequential)
        );
    }

    #[test]
    fn types_have_their_own_load_and_mix() {
        for row in COLLECTIONS {
            let flags = format!(
                "--type {} --load --keys 5 --elements 7 --ratio 1:1 -n 10",
                row.name
            );
            let plans = plans(&flags).unwrap();
            assert_eq!((plans[0].requests, plans[0].elements), (Some(35), 7));
            assert_eq!(plans[1].commands.len(), row.reads.len() + row.writes.len());
            let writes = row.writes.len() as u32 * plans[1].commands.last().unwrap().weight;
            assert_eq!(writes * 2, plans[1].weight_sum, "{}", row.name);
        }
        assert_eq!(plans("--type set").unwrap()[0].elements, 100);
        assert_eq!(mix("--type hash -t ping"), [("ping".to_owned(), 1)]);
    }

    #[test]
    fn byte_counts_take_units_and_ranges() {
        assert_eq!(parse_byte_range("64"), Ok(64..=64));
        assert_eq!(parse_byte_range("16-1kb"), Ok(16..=1024));
        assert_eq!(parse_bytes("2GB"), Ok(2 << 30));
        for bad in ["", "kb", "5tb", "9-1", "1gb", "-1", "1.5kb"] {
            assert!(parse_byte_range(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn mistakes_name_the_flag() {
        for (flags, message) in [
            ("--clients 0", "--clients"),
            ("--keys 1001 --key-digits 3", "--key-digits 3 is too few"),
            ("--split-hot 0.01", "--split-hot needs"),
            ("--ratio 5", "--ratio 5"),
            ("--type what", "--type what is none of hash, set"),
            ("--elements 0", "--elements"),
            ("--ratio 0:0", "--ratio 0:0"),
            ("--commands nope", "unknown command 'nope'"),
            ("--dist pareto", "'pareto' is not"),
            ("--seconds 0", "--seconds"),
            ("--rate 0", "--rate"),
            ("--ratio 1:1 -t get", "cannot be used with"),
        ] {
            let error = format!("{:#}", plans(flags).unwrap_err());
            assert!(error.contains(message), "{flags}: {error}");
        }
    }
}
