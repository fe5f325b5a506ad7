//! How a node follows its master.
//!
//! ```text
//!   REPLICAOF ─▶ task ─▶ connect, greet, PSYNC ─▶ +CONTINUE ─▶ bytes ─▶ feed ─▶ cut ─▶ log ─▶ lanes
//!                 ▲                           └─▶ +BASALTSYNC ─▶ fetch, open beside, catch up, swap (`sync`)
//!                 └── again, after a while, whatever went wrong
//! ```
//!
//! One thread (`task`) decides everything: it has the link, changes the role, exchanges the data. What it is asked
//! for (REPLICAOF, FAILOVER) waits in a queue and interrupts what it does. A `feed` is a thread that takes the
//! stream for one pair of store and log; it outlives links.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::server::Server;
use crate::startup::place::Place;

mod boot;
pub mod commands;
mod feed;
pub mod info;
mod stream_db;
mod sync;
mod task;

pub use boot::boot;
pub use task::spawn;

/// How far the link to the master is, as ROLE names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LinkState {
    /// This node is a master.
    None = 0,
    /// The next attempt is due, or waited for.
    Connect = 1,
    /// The connection is being made.
    Connecting = 2,
    /// The two introduce themselves.
    Handshake = 3,
    /// A snapshot is on its way.
    Sync = 4,
    /// The stream flows.
    Connected = 5,
}

impl LinkState {
    /// Its name in ROLE.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            LinkState::None => "none",
            LinkState::Connect => "connect",
            LinkState::Connecting => "connecting",
            LinkState::Handshake => "handshake",
            LinkState::Sync => "sync",
            LinkState::Connected => "connected",
        }
    }
}

/// What is asked of the task.
#[derive(Debug)]
pub enum Ask {
    /// Follow this master.
    Follow {
        /// Its host.
        host: String,
        /// Its port.
        port: u16,
    },
    /// Lead.
    Lead,
}

/// An [`Ask`] and where the answer goes.
#[derive(Debug)]
pub(super) struct Request {
    ask: Ask,
    answer: crossbeam_channel::Sender<Result<(), String>>,
}

/// When the link did what.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    last_io: Option<Instant>,
    down_since: Option<Instant>,
}

/// Has the node follow `host`, for who cannot do anything about a failure. Blocks.
pub fn follow(server: &Arc<Server>, host: &str, port: u16) {
    let ask = Ask::Follow {
        host: host.to_owned(),
        port,
    };
    // The task says in the log what failed.
    let _ = server.replication.replica.ask(server, ask);
}

/// Has the node lead, for who cannot do anything about a failure. Blocks.
pub fn promote(server: &Arc<Server>) {
    // As above.
    let _ = server.replication.replica.ask(server, Ask::Lead);
}

/// State of the link to the master, for those who only look.
#[derive(Debug, Default)]
pub struct Replica {
    state: AtomicU8,
    times: Mutex<Times>,
    /// Bytes of the snapshot on its way, and how many of them are here.
    sync_total: AtomicU64,
    sync_held: AtomicU64,
    /// Full syncs completed since the start.
    full_syncs: AtomicU64,
    requests: OnceLock<mpsc::UnboundedSender<Request>>,
    place: Mutex<Option<Place>>,
}

impl Replica {
    /// How far the link is.
    #[must_use]
    pub fn state(&self) -> LinkState {
        match self.state.load(Ordering::Acquire) {
            1 => LinkState::Connect,
            2 => LinkState::Connecting,
            3 => LinkState::Handshake,
            4 => LinkState::Sync,
            5 => LinkState::Connected,
            _ => LinkState::None,
        }
    }

    /// True while the master's stream flows.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.state() == LinkState::Connected
    }

    /// Full syncs completed since the start.
    #[must_use]
    pub fn full_syncs(&self) -> u64 {
        self.full_syncs.load(Ordering::Relaxed)
    }

    /// Says where the data lies, before anything is followed.
    pub fn settle(&self, place: Place) {
        *self.place.lock() = Some(place);
    }

    fn set_state(&self, state: LinkState) {
        let before = self.state.swap(state as u8, Ordering::AcqRel);
        let mut times = self.times.lock();
        if state == LinkState::Connected || state == LinkState::None {
            times.down_since = None;
        } else if before == LinkState::Connected as u8 {
            times.down_since = Some(Instant::now());
        }
    }

    fn heard(&self) {
        self.times.lock().last_io = Some(Instant::now());
    }

    /// Has the task do something, and waits until it is done. Not from a worker: it may need the exclusive gate.
    ///
    /// # Errors
    /// Why it was not done.
    pub fn ask(&self, server: &Arc<Server>, ask: Ask) -> Result<(), String> {
        if server.data().binlog().is_none() {
            return Err("replication needs the binlog, which is off".to_owned());
        }
        let (answer, answered) = crossbeam_channel::bounded(1);
        let gone = || "the server is shutting down".to_owned();
        let requests = self.requests.get().ok_or_else(gone)?;
        requests.send(Request { ask, answer }).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }
}
