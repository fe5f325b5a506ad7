//! From a configuration to a running server: open the log and the store, accept, replay, serve.
//!
//! Connections are accepted before the log is replayed and told `-LOADING` until it is. Replay reads the log
//! from the store's replay offset; frames of one slot are applied in parallel, all frames of a slot by the
//! same thread; a frame over several slots is a barrier (`apply`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::Context;
use basalt_binlog::Offset;
use basalt_tiering::UnixMs;
use rand::Rng;

use crate::acceptor::{self, Listeners};
use crate::apply::{Applier, Purpose, ToApply};
use crate::clients::Clients;
use crate::config::{Config, Settings};
use crate::data::Data;
use crate::dispatch;
use crate::exec;
use crate::gate::{Gate, WorkerId};
use crate::latency::Latency;
use crate::logging::LevelHandle;
use crate::metrics;
use crate::replication::{self, Replication};
use crate::saves::Saves;
use crate::server::{Current, Pause, Server};
use crate::shutdown::{self, Shutdown};
use crate::slowlog::Slowlog;
use crate::stats::Stats;
use crate::worker;

pub mod open;
pub mod place;

use open::Begin;
use place::Place;

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
    let place = Place::current(&settings.dir).context("cannot tell where the data lies")?;
    if let Err(error) = place.remove_others(!settings.replicaof.is_empty()) {
        tracing::warn!(%error, "what an earlier full sync left cannot be removed");
    }
    let begin = Begin {
        at: Offset(0),
        id: random_id(),
        leads: settings.replicaof.is_empty(),
    };
    let opened = open::open(&settings, &place.dir(), 0, begin)?;
    let server = Arc::new(build(
        config,
        &settings,
        Arc::clone(&opened.data),
        log_level,
    ));
    opened.host.connect(&server);
    server.replication.replica.settle(place);
    server
        .replication
        .master
        .snapshots
        .settle(settings.dir.join("snapshots"));
    let mut threads = serve(&server, listeners)?;
    exec::spawn_late(&server)?;
    threads.push(replication::master::spawn(&server)?);
    if !metrics_sockets.is_empty() {
        threads.push(metrics::spawn(&server, metrics_sockets)?);
    }
    threads.push(replication::heat::spawn(&server)?);
    if let Some(from) = opened.replay_from()? {
        replay(&server, &opened.data, from)?;
    }
    let store = &opened.data.store;
    let loaded = store.load_all().context("cannot load the keys")?;
    if loaded > 0 {
        tracing::info!(keys = loaded, "loaded into memory");
    }
    replication::replica::boot(&server)?;
    store.start();
    threads.push(replication::replica::spawn(&server)?);
    server.loading.store(false, Ordering::Release);
    store.start_warm_up();
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

fn random_id() -> [u8; 40] {
    let mut rng = rand::rng();
    std::array::from_fn(|_| b"0123456789abcdef"[rng.random_range(0..16)])
}

fn build(
    config: Arc<Config>,
    settings: &Settings,
    data: Arc<Data>,
    log_level: Option<LevelHandle>,
) -> Server {
    let workers = worker_count(settings.workers);
    Server {
        config,
        current: Current::new(data),
        clients: Clients::default(),
        waiters: Arc::default(),
        stats: Stats::new(workers),
        slowlog: Slowlog::default(),
        latency: Latency::default(),
        saves: Saves::default(),
        gate: Gate::new(workers),
        pause: Pause::default(),
        replication: Replication::default(),
        shutdown: Shutdown::default(),
        loading: AtomicBool::new(true),
        started: Instant::now(),
        started_at: UnixMs::now(),
        run_id: String::from_utf8_lossy(&random_id()).into_owned(),
        workers,
        log_level,
    }
}

/// The number of workers: as configured, or one per core.
fn worker_count(configured: u32) -> usize {
    match configured {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        workers => workers as usize,
    }
}

/// Applies the log from the store's replay offset to its end.
fn replay(server: &Arc<Server>, data: &Arc<Data>, from: Offset) -> anyhow::Result<()> {
    let Some(binlog) = data.binlog() else {
        return Ok(());
    };
    let (begun, mut bytes) = (Instant::now(), 0);
    let mut applier = Applier::start(server, data, from, Purpose::Recovery, Box::new(|_| {}))
        .context("no threads for the replay")?;
    let effects = Arc::clone(&applier.effects);
    let mut reader = binlog.reader(from).context("cannot read the log")?;
    while let Some(frame) = reader.next().context("cannot read the log")? {
        bytes += frame.payload.len() as u64;
        applier.push(&ToApply::from(&frame))?;
    }
    applier.finish()?;
    tracing::info!(
        bytes,
        effects = effects.load(Ordering::Relaxed),
        seconds = begun.elapsed().as_secs_f64(),
        "log replayed"
    );
    Ok(())
}

fn serve(server: &Arc<Server>, listeners: Listeners) -> io::Result<Vec<JoinHandle<()>>> {
    shutdown::spawn_signals(server)?;
    let mut threads = Vec::new();
    let mut senders = Vec::new();
    for id in 0..server.workers {
        let (sender, thread) = worker::spawn(server, WorkerId(id as u16))?;
        senders.push(sender);
        threads.push(thread);
    }
    threads.push(acceptor::spawn(server, listeners, senders)?);
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
