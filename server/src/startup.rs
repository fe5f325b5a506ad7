//! From a configuration to a running server: open the log and the store, accept, replay, serve.
//!
//! Connections are accepted before the log is replayed and told `-LOADING` until it is. Replay reads the log
//! from the store's replay offset; frames of one slot are applied in parallel, all frames of a slot by the
//! same thread; a frame over several slots is a barrier (`replay`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use basalt_binlog::{
    Binlog, DiskDoor, FsyncPolicy as LogFsync, LogEvent, Offset, OpenReport, Retention,
};
use basalt_tiering::{Host, Opened, Store, StoreOptions, UnixMs};
use rand::Rng;
use tokio::sync::watch;

use crate::acceptor::{self, Listeners};
use crate::clients::Clients;
use crate::config::{Config, FsyncPolicy, Settings};
use crate::dispatch;
use crate::gate::{Gate, WorkerId};
use crate::host::{StoreHost, store_limits};
use crate::latency::Latency;
use crate::logging::LevelHandle;
use crate::metrics;
use crate::saves::Saves;
use crate::server::{Pause, Server};
use crate::shutdown::{self, Shutdown};
use crate::slowlog::Slowlog;
use crate::stats::Stats;
use crate::worker;

mod replay;

/// A server that was started.
#[derive(Debug)]
pub struct Running {
    /// The server.
    pub server: Arc<Server>,
    threads: Vec<JoinHandle<()>>,
}

/// Budgets below this do without huge pages: what those keep resident beyond the allocations would be a large
/// part of the budget. Above it they halve the cost of a random lookup.
const HUGE_PAGES_FROM_BYTES: u64 = 4 << 30;

fn without_huge_pages() {
    // SAFETY: this control takes one flag and no pointers; it concerns only pages still to be given.
    let code = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    if code != 0 {
        tracing::debug!("huge pages stay on: {}", io::Error::last_os_error());
    }
}

/// Has the allocator return freed pages within a quarter of a second: under a small budget what it keeps for
/// later is a large part.
fn return_pages_soon() {
    const DECAY_MS: isize = 250;
    const ARENAS: usize = 4;
    for arena in 0..ARENAS {
        let name = format!("arena.{arena}.dirty_decay_ms\0");
        // SAFETY: the name ends with a zero byte, and this control takes an `ssize_t`.
        let set = unsafe { tikv_jemalloc_ctl::raw::write(name.as_bytes(), DECAY_MS) };
        if let Err(error) = set {
            tracing::debug!(arena, %error, "freed pages are kept as long as usual");
        }
    }
}

/// Starts a server: when this returns it serves.
pub fn start(config: Arc<Config>, log_level: Option<LevelHandle>) -> anyhow::Result<Running> {
    let settings = config.load();
    dispatch::rename_commands(&settings.renamed_commands).map_err(anyhow::Error::msg)?;
    std::fs::create_dir_all(&settings.dir)
        .with_context(|| format!("cannot create the directory {}", settings.dir.display()))?;
    if settings.maxmemory_bytes != 0 && settings.maxmemory_bytes < HUGE_PAGES_FROM_BYTES {
        without_huge_pages();
        return_pages_soon();
    }
    let listeners = Listeners::bind(&settings)?;
    let metrics_sockets = metrics::bind(&settings).context("metrics")?;
    write_pidfile(&settings);
    let (binlog, report) = open_log(&settings)?.unzip();
    let (store, opened) = open_store(&settings)?;
    let host = StoreHost::new(binlog.clone());
    store.attach(Arc::clone(&host) as Arc<dyn Host>);
    let server = Arc::new(build(config, &settings, store, binlog, log_level));
    host.connect(&server);
    forward_log_events(&server);
    let mut threads = serve(&server, listeners)?;
    if !metrics_sockets.is_empty() {
        threads.push(metrics::spawn(&server, metrics_sockets)?);
    }
    if let (Some(binlog), Some(report)) = (&server.binlog, report) {
        let from = replay_from(&report, &opened)?;
        replay::replay(&server, binlog, from, server.workers)?;
    }
    let loaded = server.store.load_all().context("cannot load the keys")?;
    if loaded > 0 {
        tracing::info!(keys = loaded, "loaded into memory");
    }
    server.store.start();
    server.loading.store(false, Ordering::Release);
    server.store.start_warm_up();
    tracing::info!(
        port = settings.port,
        workers = server.workers,
        "ready to accept connections"
    );
    Ok(Running { server, threads })
}

/// For scripts that look for the process. That it cannot be written is no reason not to serve.
fn write_pidfile(settings: &Settings) {
    let Some(path) = &settings.pidfile else {
        return;
    };
    if let Err(error) = std::fs::write(path, format!("{}\n", std::process::id())) {
        tracing::warn!(path = %path.display(), %error, "the pid file cannot be written");
    }
}

fn open_log(settings: &Settings) -> anyhow::Result<Option<(Binlog, OpenReport)>> {
    if !settings.binlog {
        return Ok(None);
    }
    let mut options = basalt_binlog::Options::new(settings.dir.join("binlog"));
    options.segment_bytes = settings.binlog_segment_bytes;
    options.fsync = log_fsync(settings.appendfsync);
    options.retention = Retention {
        bytes: settings.binlog_retention_bytes,
        ms: u64::from(settings.binlog_retention_hours) * 3_600_000,
    };
    options.replication_id = random_id();
    let opened = open_patiently(&options).context("cannot open the log")?;
    if opened.1.cut_bytes > 0 {
        tracing::warn!(
            bytes = opened.1.cut_bytes,
            "a torn tail of the log was cut off"
        );
    }
    Ok(Some(opened))
}

/// As a port, the lock of a predecessor that was killed may stay for a moment.
fn open_patiently(options: &basalt_binlog::Options) -> basalt_binlog::Result<(Binlog, OpenReport)> {
    const PATIENCE: Duration = Duration::from_secs(2);
    const PAUSE: Duration = Duration::from_millis(20);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Binlog::open(options.clone(), Arc::new(DiskDoor)) {
            Err(basalt_binlog::Error::Locked(_)) if Instant::now() < deadline => {
                std::thread::sleep(PAUSE);
            }
            outcome => return outcome,
        }
    }
}

fn open_store(settings: &Settings) -> anyhow::Result<(Store, Opened)> {
    // Without a log the cold tier is scratch space and starts empty: it must never be the one that belongs
    // to a log.
    let cold = if settings.binlog {
        "cold"
    } else {
        "cold-scratch"
    };
    let options = StoreOptions {
        cold_dir: settings.dir.join(cold),
        databases: settings.databases,
        tiering: settings.tiering,
        durable: settings.binlog,
        readers: settings.cold_readers as usize,
        limits: store_limits(settings, true),
    };
    Store::open(options).context("cannot open the store")
}

/// Where replay begins; an error if log and cold tier do not belong together.
fn replay_from(report: &OpenReport, opened: &Opened) -> anyhow::Result<Offset> {
    match opened.replay_from {
        None if report.first > Offset(0) => {
            bail!(
                "the cold tier is missing: the log begins at offset {}, not at 0",
                report.first
            )
        }
        None => Ok(report.first),
        Some(from) if from < report.first => {
            bail!(
                "the log begins at offset {}, but the cold tier needs it from {from} on",
                report.first
            )
        }
        Some(from) if from > report.end => {
            bail!(
                "the log ends at offset {}, but the cold tier already holds {from}: is the log missing?",
                report.end
            )
        }
        Some(from) => Ok(from),
    }
}

/// The log's name of a policy.
#[must_use]
pub fn log_fsync(policy: FsyncPolicy) -> LogFsync {
    match policy {
        FsyncPolicy::Always => LogFsync::Always,
        FsyncPolicy::EverySecond => LogFsync::Everysec,
        FsyncPolicy::Never => LogFsync::No,
    }
}

fn random_id() -> [u8; 40] {
    let mut rng = rand::rng();
    std::array::from_fn(|_| b"0123456789abcdef"[rng.random_range(0..16)])
}

fn build(
    config: Arc<Config>,
    settings: &Settings,
    store: Store,
    binlog: Option<Binlog>,
    log_level: Option<LevelHandle>,
) -> Server {
    let workers = worker_count(settings.workers);
    let synced = binlog.as_ref().map_or(Offset(0), Binlog::synced);
    Server {
        config,
        store,
        binlog,
        clients: Clients::default(),
        waiters: Arc::default(),
        stats: Stats::new(workers),
        slowlog: Slowlog::default(),
        latency: Latency::default(),
        saves: Saves::default(),
        gate: Gate::new(workers),
        pause: Pause::default(),
        unlogged: AtomicBool::new(false),
        shutdown: Shutdown::default(),
        loading: AtomicBool::new(true),
        started: Instant::now(),
        started_at: UnixMs::now(),
        run_id: String::from_utf8_lossy(&random_id()).into_owned(),
        workers,
        log_level,
        synced: watch::Sender::new(synced),
    }
}

/// The number of workers: as configured, or one per core.
fn worker_count(configured: u32) -> usize {
    match configured {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        workers => workers as usize,
    }
}

/// Wakes sessions that wait for the log to be on disk. A poisoned log wakes all: they look at its state.
fn forward_log_events(server: &Arc<Server>) {
    let Some(binlog) = &server.binlog else { return };
    let waiting = server.synced.clone();
    binlog.subscribe(Box::new(move |event| match event {
        LogEvent::Synced(offset) => {
            waiting.send_replace(offset);
        }
        LogEvent::Poisoned => {
            tracing::error!("the log could not be written: writes are refused until a restart");
            waiting.send_replace(Offset::MAX);
        }
        LogEvent::Full => {
            tracing::error!("no space for the log: writes are refused until there is")
        }
        LogEvent::SpaceReturned => tracing::info!("there is space for the log again"),
        LogEvent::Appended => {}
    }));
}

fn serve(server: &Arc<Server>, listeners: Listeners) -> io::Result<Vec<JoinHandle<()>>> {
    let mut threads = Vec::new();
    let mut senders = Vec::new();
    for id in 0..server.workers {
        let (sender, thread) = worker::spawn(server, WorkerId(id as u16))?;
        senders.push(sender);
        threads.push(thread);
    }
    threads.push(acceptor::spawn(server, listeners, senders)?);
    shutdown::spawn_signals(server)?;
    Ok(threads)
}

impl Running {
    /// Waits until the server was asked to end and has ended.
    pub fn wait(self) -> anyhow::Result<()> {
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the server panicked");
            }
        }
        shutdown::finish(&self.server)
    }
}
