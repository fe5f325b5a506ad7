//! Opening a pair of store and log: at the start, and the pair that a full sync brings.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use basalt_binlog::{
    Binlog, DiskDoor, FsyncPolicy as LogFsync, Offset, OpenReport, Options, Retention,
};
use basalt_tiering::{Host, Opened as StoreOpened, Store, StoreOptions};

use crate::config::{FsyncPolicy, Settings};
use crate::data::{Data, Log};
use crate::host::{StoreHost, store_limits};
use crate::replication::history::Keeper;

/// A pair that was opened, and what is yet to be done with it.
pub struct Opened {
    /// The pair.
    pub data: Arc<Data>,
    /// To be told of the server.
    pub host: Arc<StoreHost>,
    /// What the log found.
    pub report: Option<OpenReport>,
    /// What the store found.
    pub store: StoreOpened,
}

/// How a log begins that is not there yet.
#[derive(Clone, Copy, Debug)]
pub struct Begin {
    /// Its first offset.
    pub at: Offset,
    /// Its replication id.
    pub id: [u8; 40],
    /// This node writes the log, and does not follow another.
    pub leads: bool,
}

/// Opens store and log in `dir`.
pub fn open(settings: &Settings, dir: &Path, number: u64, begin: Begin) -> anyhow::Result<Opened> {
    let (binlog, report) = open_log(settings, dir, begin)?.unzip();
    let (store, found) = open_store(settings, dir)?;
    let history = Keeper::open(dir, binlog.as_ref().zip(report.as_ref()), begin.leads)
        .context("cannot tell the replication history")?;
    let log = Log::new(binlog);
    log.forward_events();
    let host = StoreHost::new(Arc::clone(&log));
    store.attach(Arc::clone(&host) as Arc<dyn Host>);
    let data = Arc::new(Data {
        store,
        log,
        number,
        dir: dir.to_owned(),
        databases: settings.databases,
        history,
    });
    Ok(Opened {
        data,
        host,
        report,
        store: found,
    })
}

fn open_log(
    settings: &Settings,
    dir: &Path,
    begin: Begin,
) -> anyhow::Result<Option<(Binlog, OpenReport)>> {
    if !settings.binlog {
        return Ok(None);
    }
    let mut options = Options::new(dir.join("binlog"));
    options.segment_bytes = settings.binlog_segment_bytes;
    options.fsync = log_fsync(settings.appendfsync);
    options.retention = Retention {
        bytes: settings.binlog_retention_bytes,
        ms: u64::from(settings.binlog_retention_hours) * 3_600_000,
    };
    options.create_at = begin.at;
    options.replication_id = begin.id;
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
fn open_patiently(options: &Options) -> basalt_binlog::Result<(Binlog, OpenReport)> {
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

fn open_store(settings: &Settings, dir: &Path) -> anyhow::Result<(Store, StoreOpened)> {
    // Without a log the cold tier is scratch space and starts empty: it must never be the one that belongs
    // to a log.
    let cold = if settings.binlog {
        "cold"
    } else {
        "cold-scratch"
    };
    let options = StoreOptions {
        cold_dir: dir.join(cold),
        databases: settings.databases,
        tiering: settings.tiering,
        durable: settings.binlog,
        readers: settings.cold_readers as usize,
        limits: store_limits(settings, true),
    };
    Store::open(options).context("cannot open the store")
}

impl Opened {
    /// Where replay begins; an error if log and cold tier do not belong together.
    pub fn replay_from(&self) -> anyhow::Result<Option<Offset>> {
        let Some(report) = &self.report else {
            return Ok(None);
        };
        match self.store.replay_from {
            None if report.first > Offset(0) && !report.created => {
                bail!(
                    "the cold tier is missing: the log begins at offset {}, not at 0",
                    report.first
                )
            }
            None => Ok(Some(report.first)),
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
            Some(from) => Ok(Some(from)),
        }
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
