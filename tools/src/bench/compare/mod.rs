//! The `compare` command: the same loads on several servers in turn, in one run.
//!
//! A machine's speed drifts (neighbours, clocks, caches), so figures taken an hour apart cannot be
//! compared. Here every round measures every workload on every server, one after another, each
//! round beginning with another server, while all others are stopped; and what counts is the ratio
//! of medians, foremost of CPU per operation, which suffers least from the load generator's share.

mod redis_benchmark;
mod servers;
mod table;
mod workloads;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde::Serialize;

use self::servers::{Programs, Recipe, Server};
use self::table::{Comparison, Machine, ServerLine, WorkloadResult};
use self::workloads::{Workload, parse_flags};
use super::args::Plan;
use super::probe::ServerCost;
use super::report::grouped;
use super::run::carry_out;
use super::signals::interrupted;

/// Flags of `compare`.
#[derive(Args)]
pub(crate) struct CompareArgs {
    /// Rounds; figures are medians over them
    #[arg(long, default_value_t = 3, value_name = "N")]
    rounds: usize,
    /// A workload: the name of a built-in one, or 'name: flags of run'; may be repeated
    /// [default: get-1, set-1, get-16, set-16, get-64, set-64]
    #[arg(long, value_name = "SPEC")]
    workload: Vec<String>,
    /// Another server, as name=command line, in which {port} and {dir} are filled in; may be repeated
    #[arg(long, value_name = "NAME=LINE")]
    server: Vec<String>,
    /// Of the built-in servers only these: basalt-memory, basalt, redis-memory, redis-aof, or none
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Hold every server against this one
    #[arg(long, value_name = "NAME")]
    baseline: Option<String>,
    /// Seconds of each measurement, unless the workload says otherwise
    #[arg(long, default_value_t = 3.0, value_name = "S")]
    seconds: f64,
    /// Connections, unless the workload says otherwise
    #[arg(short, long, default_value_t = 50, value_name = "N")]
    clients: usize,
    /// Keys; all are loaded first
    #[arg(short = 'r', long, default_value_t = 1_000_000, value_name = "N")]
    keys: u64,
    /// Size of values, or smallest and largest
    #[arg(short = 'd', long, default_value = "64", value_name = "BYTES")]
    value_bytes: String,
    /// Fill values with bytes that do not compress
    #[arg(long)]
    random_values: bool,
    /// Do not load the keys first
    #[arg(long)]
    no_load: bool,
    /// Let redis-benchmark make the load
    #[arg(long)]
    with_redis_benchmark: bool,
    /// Requests of each measurement by redis-benchmark
    #[arg(
        short = 'n',
        long,
        default_value_t = 1_000_000,
        value_name = "N",
        requires = "with_redis_benchmark"
    )]
    requests: u64,
    /// The Basalt server [default: beside this program, or in PATH]
    #[arg(long, value_name = "PATH")]
    basalt_server: Option<PathBuf>,
    /// The Redis server [default: in PATH]
    #[arg(long, value_name = "PATH")]
    redis_server: Option<PathBuf>,
    /// More directives for every Basalt server
    #[arg(
        long,
        default_value = "",
        value_name = "TEXT",
        allow_hyphen_values = true
    )]
    basalt_args: String,
    /// More directives for every Redis server
    #[arg(
        long,
        default_value = "",
        value_name = "TEXT",
        allow_hyphen_values = true
    )]
    redis_args: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What one measurement of one server yields.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measurement {
    ops_per_s: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us_per_op: Option<f64>,
    rss_bytes: Option<u64>,
    errors: u64,
}

impl Measurement {
    fn new(
        ops_per_s: f64,
        p50_us: f64,
        p99_us: f64,
        errors: u64,
        cost: &ServerCost,
    ) -> Measurement {
        Measurement {
            ops_per_s,
            p50_us,
            p99_us,
            cpu_us_per_op: cost.process.as_ref().map(|process| process.cpu_us_per_op),
            rss_bytes: cost.process.as_ref().map(|process| process.rss_after_bytes),
            errors,
        }
    }
}

/// How long a server may catch up with itself after it was loaded, and after it was stopped.
const SETTLE_LOADED: Duration = Duration::from_secs(1);
const SETTLE_RESUMED: Duration = Duration::from_millis(200);

/// Compares; `false` says that replies were errors.
pub(crate) fn main(args: &CompareArgs) -> anyhow::Result<bool> {
    ensure!(args.rounds > 0, "--rounds must be at least 1");
    let workloads = args.workloads()?;
    let recipes = args.recipes()?;
    let mut servers = Vec::new();
    for recipe in &recipes {
        servers.push(args.prepare(recipe, &workloads)?);
    }
    let measured = args.rounds_of(&workloads, &recipes, &mut servers)?;
    drop(servers);
    let comparison = Comparison {
        machine: Machine::here(),
        rounds: args.rounds,
        source: if args.with_redis_benchmark {
            "redis-benchmark"
        } else {
            "basalt-bench"
        },
        servers: recipes
            .iter()
            .map(|recipe| ServerLine {
                name: recipe.name.clone(),
                command: recipe.line(),
            })
            .collect(),
        workloads: workloads
            .into_iter()
            .zip(measured)
            .map(|(workload, rounds)| {
                let of = |recipe: &Recipe| (recipe.name.clone(), recipe.against.clone());
                let rows = recipes
                    .iter()
                    .map(of)
                    .zip(rounds)
                    .map(|((name, against), rounds)| (name, against, rounds));
                WorkloadResult::new(workload.name, workload.flags, rows.collect())
            })
            .collect(),
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&comparison)?);
    } else {
        print!("{comparison}");
    }
    let results = comparison
        .workloads
        .iter()
        .flat_map(|workload| &workload.results);
    Ok(results.into_iter().all(|result| result.median.errors == 0))
}

impl CompareArgs {
    fn common_flags(&self) -> String {
        let random = if self.random_values {
            "--random-values"
        } else {
            ""
        };
        format!(
            "--clients {} --keys {} --value-bytes {} {random}",
            self.clients, self.keys, self.value_bytes
        )
    }

    fn workloads(&self) -> anyhow::Result<Vec<Workload>> {
        let common = format!("{} --warmup 0.3", self.common_flags());
        let workloads = Workload::list(&self.workload, &common, self.seconds)?;
        if self.with_redis_benchmark {
            for workload in &workloads {
                redis_benchmark::test_of(&workload.load)
                    .with_context(|| format!("workload '{}'", workload.name))?;
            }
        }
        Ok(workloads)
    }

    fn recipes(&self) -> anyhow::Result<Vec<Recipe>> {
        let programs = Programs {
            basalt: self.basalt_server.as_deref(),
            redis: self.redis_server.as_deref(),
            basalt_args: &self.basalt_args,
            redis_args: &self.redis_args,
        };
        let mut recipes = Recipe::built_in(&programs, &self.only)?;
        for text in &self.server {
            recipes.push(Recipe::parse(text).context("--server")?);
        }
        ensure!(!recipes.is_empty(), "no server to measure");
        for (index, recipe) in recipes.iter().enumerate() {
            let twice = recipes[..index]
                .iter()
                .any(|other| other.name == recipe.name);
            ensure!(!twice, "two servers are called '{}'", recipe.name);
        }
        if let Some(baseline) = &self.baseline {
            ensure!(
                recipes.iter().any(|recipe| recipe.name == *baseline),
                "no server '{baseline}' to hold others against"
            );
        }
        let first_redis = recipes
            .iter()
            .map(|recipe| &recipe.name)
            .find(|name| name.starts_with("redis-"))
            .cloned();
        for recipe in &mut recipes {
            let own = self.server.iter().any(|text| {
                text.split_once('=')
                    .is_some_and(|(name, _)| name == recipe.name)
            });
            let fallback = if own { first_redis.clone() } else { None };
            let against = self.baseline.clone().or(recipe.against.take()).or(fallback);
            recipe.against = against.filter(|against| *against != recipe.name);
        }
        Ok(recipes)
    }

    /// Starts a server, loads the keys, and stops it until its turn comes.
    fn prepare(&self, recipe: &Recipe, workloads: &[Workload]) -> anyhow::Result<Server> {
        eprintln!("starting {}", recipe.name);
        let server = recipe.start()?;
        if !self.no_load {
            let mut plans = parse_flags(&format!("{} --load", self.common_flags()))?.plans()?;
            for workload in workloads {
                for plan in workload.filling()? {
                    let is_same = |other: &Plan| {
                        (other.kind, other.keys, other.elements)
                            == (plan.kind, plan.keys, plan.elements)
                    };
                    if !plans.iter().any(is_same) {
                        plans.push(plan);
                    }
                }
            }
            for plan in plans {
                let report = carry_out(&server.target, &plan, &[], true).with_context(|| {
                    format!(
                        "loading {}; its last words:\n{}",
                        recipe.name,
                        server.last_words()
                    )
                })?;
                give_way()?;
                ensure!(
                    report.is_clean(),
                    "loading {}: the server refused writes:\n{report}",
                    recipe.name
                );
            }
            thread::sleep(SETTLE_LOADED);
        }
        server.pause()?;
        Ok(server)
    }

    /// The measurements: by workload, then server, then round.
    fn rounds_of(
        &self,
        workloads: &[Workload],
        recipes: &[Recipe],
        servers: &mut [Server],
    ) -> anyhow::Result<Vec<Vec<Vec<Measurement>>>> {
        let mut measured = vec![vec![Vec::new(); servers.len()]; workloads.len()];
        for round in 0..self.rounds {
            for (workload, row) in workloads.iter().zip(&mut measured) {
                for turn in 0..servers.len() {
                    // Nobody is always first, or always behind the same neighbour.
                    let index = (turn + round) % servers.len();
                    let (server, name) = (&mut servers[index], &recipes[index].name);
                    let result = self.measure(server, workload).with_context(|| {
                        format!(
                            "{} under {}; its last words:\n{}",
                            name,
                            workload.name,
                            server.last_words()
                        )
                    })?;
                    give_way()?;
                    eprintln!(
                        "round {}/{} {} {}: {} ops/s",
                        round + 1,
                        self.rounds,
                        workload.name,
                        name,
                        grouped(result.ops_per_s)
                    );
                    row[index].push(result);
                }
            }
        }
        Ok(measured)
    }

    fn measure(&self, server: &mut Server, workload: &Workload) -> anyhow::Result<Measurement> {
        server.resume()?;
        thread::sleep(SETTLE_RESUMED);
        let result = if self.with_redis_benchmark {
            redis_benchmark::measure(&server.target, &workload.load, self.requests)?
        } else {
            let plan = workload
                .load
                .plans()?
                .pop()
                .context("a workload is one phase")?;
            let report = carry_out(&server.target, &plan, &[], false)?;
            let latency = &report.latency;
            Measurement::new(
                report.ops_per_s,
                latency.p50_us,
                latency.p99_us,
                report.errors,
                &report.server,
            )
        };
        server.pause()?;
        Ok(result)
    }
}

fn give_way() -> anyhow::Result<()> {
    if interrupted() {
        bail!("interrupted; ending the servers");
    }
    Ok(())
}
