//! The `run` command, and the carrying out of a plan for whoever has one.
//!
//! A phase: connect everything, sample the server, start the workers, watch them (progress,
//! memory, the end of the warm-up), join, sample again, report.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::args::{LoadArgs, Plan};
use super::probe::{Probe, Process, Sample};
use super::report::{Report, ReportParts, ServerSecond};
use super::signals::interrupted;
use super::wire::{Client, Target};
use super::worker::{Outcome, Shared, Worker};

/// How often memory is sampled and the progress bar moves.
const TICK: Duration = Duration::from_millis(100);

/// Flags of `run`.
#[derive(Args)]
pub(crate) struct RunArgs {
    /// Host of the server
    #[arg(long, default_value = "127.0.0.1", value_name = "HOST")]
    host: String,
    /// Port of the server
    #[arg(short, long, default_value_t = 6379, value_name = "PORT")]
    port: u16,
    /// User for AUTH
    #[arg(long, value_name = "NAME", requires = "password")]
    user: Option<String>,
    /// Password for AUTH
    #[arg(short = 'a', long, value_name = "TEXT")]
    password: Option<String>,
    /// Database
    #[arg(long, default_value_t = 0, value_name = "N")]
    db: u32,
    #[command(flatten)]
    load: LoadArgs,
    /// Report these numeric INFO fields before and after
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    info: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs; `false` says that replies were errors or values were wrong.
pub(crate) fn main(args: &RunArgs) -> anyhow::Result<bool> {
    let target = Target {
        host: args.host.clone(),
        port: args.port,
        user: args.user.clone(),
        password: args.password.clone(),
        db: args.db,
    };
    let mut reports = Vec::new();
    for plan in args.load.plans()? {
        let report = carry_out(&target, &plan, &args.info, true)?;
        if !args.json {
            print!("{report}");
        }
        reports.push(report);
        if interrupted() {
            break;
        }
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&reports)?);
    }
    Ok(reports.iter().all(Report::is_clean))
}

/// Puts one phase of load on a server and reports it.
pub(crate) fn carry_out(
    target: &Target,
    plan: &Plan,
    info: &[String],
    progress: bool,
) -> anyhow::Result<Report> {
    let mut probe = Probe::connect(target)?;
    let clients = connect_all(target, plan)?;
    let shared = Shared::default();
    let workers: Vec<Worker<'_>> = clients
        .into_iter()
        .enumerate()
        .map(|(index, clients)| Worker::new(plan, &shared, clients, index))
        .collect::<Result<_, _>>()?;
    let start = Instant::now();
    thread::scope(|scope| {
        let (finished, done) = mpsc::channel::<()>();
        let mut watch = Watch::new(plan, start, &mut probe, info, progress);
        let handles: Vec<_> = workers
            .into_iter()
            .map(|worker| {
                let (finished, shared) = (finished.clone(), &shared);
                scope.spawn(move || {
                    let outcome = worker.run(start);
                    if outcome.is_err() {
                        shared.abort.store(true, Ordering::Relaxed);
                    }
                    drop(finished);
                    outcome
                })
            })
            .collect();
        drop(finished);
        watch.until_done(&done, &shared);
        let outcomes: Vec<Outcome> = handles
            .into_iter()
            .map(|handle| {
                handle
                    .join()
                    .unwrap_or_else(|_| Err(anyhow!("a worker panicked")))
            })
            .collect::<Result<_, _>>()?;
        watch.report(outcomes)
    })
}

/// All connections, dealt out to the workers.
fn connect_all(target: &Target, plan: &Plan) -> anyhow::Result<Vec<Vec<Client>>> {
    let mut hands: Vec<Vec<Client>> = (0..plan.threads).map(|_| Vec::new()).collect();
    for index in 0..plan.clients {
        if interrupted() {
            bail!("interrupted");
        }
        let client = target
            .connect()
            .with_context(|| format!("connection {} of {}", index + 1, plan.clients))?;
        hands[index % plan.threads].push(client);
    }
    Ok(hands)
}

/// The main thread's view of a phase.
struct Watch<'a> {
    plan: &'a Plan,
    start: Instant,
    probe: &'a mut Probe,
    bar: ProgressBar,
    /// The server and this process when measuring began.
    before: Option<(Sample, Option<Process>)>,
    rss_max_bytes: u64,
    /// INFO fields to report.
    fields: &'a [String],
    /// The server in each second of measuring, if that is wanted.
    series: Vec<ServerSecond>,
}

impl<'a> Watch<'a> {
    fn new(
        plan: &'a Plan,
        start: Instant,
        probe: &'a mut Probe,
        fields: &'a [String],
        progress: bool,
    ) -> Watch<'a> {
        let mut watch = Watch {
            plan,
            start,
            probe,
            bar: progress_bar(plan, progress),
            before: None,
            rss_max_bytes: 0,
            fields,
            series: Vec::new(),
        };
        watch.sample_if_warm();
        watch
    }

    fn sample_if_warm(&mut self) {
        if self.before.is_none() && self.start.elapsed() >= self.plan.warmup {
            self.before = Some((self.probe.sample(), Process::read(std::process::id())));
        }
    }

    /// Returns when every worker has let go of its end of the channel.
    fn until_done(&mut self, done: &mpsc::Receiver<()>, shared: &Shared) {
        loop {
            let warm_in = self.plan.warmup.saturating_sub(self.start.elapsed());
            let tick = if self.before.is_none() {
                TICK.min(warm_in)
            } else {
                TICK
            };
            match done.recv_timeout(tick) {
                Err(RecvTimeoutError::Timeout) => self.look(shared),
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.bar.finish_and_clear();
    }

    fn look(&mut self, shared: &Shared) {
        self.sample_if_warm();
        let rss_bytes = self.probe.rss_bytes();
        self.rss_max_bytes = self.rss_max_bytes.max(rss_bytes.unwrap_or(0));
        if self.plan.series && self.before.is_some() {
            self.look_each_second(rss_bytes);
        }
        match (self.plan.requests, self.plan.duration) {
            (_, Some(_)) => self
                .bar
                .set_position(self.start.elapsed().as_millis() as u64),
            _ => self
                .bar
                .set_position(shared.replies.load(Ordering::Relaxed)),
        }
        let replies = shared.replies.load(Ordering::Relaxed) as f64;
        self.bar.set_message(format!(
            "{:.0} ops/s",
            replies / self.start.elapsed().as_secs_f64()
        ));
    }

    /// Memory is the last seen in a second; INFO, which costs the server something, is asked once,
    /// when the second begins, and stands for the end of the one before.
    fn look_each_second(&mut self, rss_bytes: Option<u64>) {
        let second = self
            .start
            .elapsed()
            .saturating_sub(self.plan.warmup)
            .as_secs() as usize;
        while self.series.len() <= second {
            let info = if self.series.is_empty() {
                BTreeMap::new()
            } else {
                self.probe.fields(self.fields)
            };
            if let Some(before) = self.series.last_mut() {
                before.info = info;
            }
            self.series.push(ServerSecond {
                rss_bytes,
                info: BTreeMap::new(),
            });
        }
        self.series[second].rss_bytes = rss_bytes;
    }

    fn report(&mut self, outcomes: Vec<Outcome>) -> anyhow::Result<Report> {
        let after = self.probe.sample();
        if let Some(last) = self.series.last_mut() {
            last.info = self.probe.fields(self.fields);
        }
        let client_after = Process::read(std::process::id());
        let Some((before, client_before)) = self.before.take() else {
            bail!("the run ended before its warm-up did");
        };
        let mut outcomes = outcomes.into_iter();
        let mut merged = outcomes.next().context("no workers")?;
        for outcome in outcomes {
            merged.stats.merge(&outcome.stats);
            merged.unsent += outcome.unsent;
        }
        let ops = merged
            .stats
            .commands
            .iter()
            .map(super::stats::CommandStats::count)
            .sum();
        let client_cpu_s = client_before
            .zip(client_after)
            .map(|(before, after)| after.cpu_s() - before.cpu_s());
        Ok(Report::new(
            self.plan,
            ReportParts {
                server: self
                    .probe
                    .cost(&before, &after, ops, self.rss_max_bytes, self.fields),
                stats: merged.stats,
                ops,
                unsent: merged.unsent,
                client_cpu_s,
                server_series: std::mem::take(&mut self.series),
                interrupted: interrupted(),
            },
        ))
    }
}

/// Hidden unless standard error is a terminal.
fn progress_bar(plan: &Plan, progress: bool) -> ProgressBar {
    if !progress || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let length = match (plan.requests, plan.duration) {
        (_, Some(duration)) => (plan.warmup + duration).as_millis() as u64,
        (requests, None) => requests.unwrap_or(0),
    };
    let style = ProgressStyle::with_template("{prefix} [{wide_bar}] {percent}% {msg} {eta}")
        .expect("a constant template")
        .progress_chars("=> ");
    ProgressBar::new(length)
        .with_style(style)
        .with_prefix(plan.name)
}
