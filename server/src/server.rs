//! The server: everything the sessions of all workers share.
//!
//! Every field says why it is shared. Nothing here is locked on the path of a command except the slots of
//! its keys (inside the store) and the worker's own lane of the gate.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use basalt_tiering::{Store, UnixMs};

use crate::clients::Clients;
use crate::errors::Error;
use crate::gate::Gate;
use crate::shutdown::Shutdown;
use crate::slowlog::Slowlog;
use crate::stats::Stats;

/// What the front reads of the configuration; replaced as a whole by CONFIG SET.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses to listen on; one that starts with `-` may fail.
    pub bind: Vec<String>,
    /// TCP port; 0 is none.
    pub port: u16,
    /// Path of the unix socket.
    pub unix_socket: Option<PathBuf>,
    /// Permissions of the unix socket; 0 leaves them.
    pub unix_socket_mode: u32,
    /// Length of the accept queue.
    pub tcp_backlog: i32,
    /// Seconds between keepalive probes; 0 is none.
    pub tcp_keepalive_seconds: u32,
    /// Refuse strangers while there is no password.
    pub protected_mode: bool,
    /// Most clients at a time.
    pub max_clients: usize,
    /// Seconds after which an idle client is closed; 0 is never.
    pub timeout_seconds: u64,
    /// Number of databases.
    pub databases: u32,
    /// Password of the default user; empty is none.
    pub require_pass: Vec<u8>,
    /// Longest argument.
    pub max_bulk_bytes: usize,
    /// Most bytes of unread commands of one client.
    pub query_buffer_bytes: usize,
    /// Unwritten replies of one client beyond which it is closed at once; 0 is no limit.
    pub output_hard_bytes: u64,
    /// Unwritten replies of one client beyond which it is closed after a while; 0 is no limit.
    pub output_soft_bytes: u64,
    /// That while.
    pub output_soft_seconds: u64,
    /// Microseconds above which a command is logged; negative is never.
    pub slowlog_micros: i64,
    /// Entries of the slow log.
    pub slowlog_len: usize,
    /// Replies wait for the log to be on disk.
    pub fsync_always: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            bind: vec!["127.0.0.1".into(), "-::1".into()],
            port: 6379,
            unix_socket: None,
            unix_socket_mode: 0,
            tcp_backlog: 511,
            tcp_keepalive_seconds: 300,
            protected_mode: true,
            max_clients: 10_000,
            timeout_seconds: 0,
            databases: 16,
            require_pass: Vec::new(),
            max_bulk_bytes: 512 << 20,
            query_buffer_bytes: 1 << 30,
            output_hard_bytes: 0,
            output_soft_bytes: 0,
            output_soft_seconds: 0,
            slowlog_micros: 10_000,
            slowlog_len: 128,
            fsync_always: false,
        }
    }
}

/// What CLIENT PAUSE holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseMode {
    /// Commands that may write.
    Write,
    /// All commands.
    All,
}

/// CLIENT PAUSE: until when, and what.
#[derive(Debug, Default)]
pub struct Pause {
    /// Unix ms; 0 when nothing is paused, so that the hot path reads one word.
    until_ms: AtomicU64,
    all: AtomicBool,
}

impl Pause {
    /// Pauses until `until`; a pause in force is never shortened, and the stricter mode wins.
    pub fn begin(&self, until: UnixMs, mode: PauseMode, now: UnixMs) {
        let in_force = self.until_ms.load(Ordering::Acquire) > now.0;
        let was_all = in_force && self.all.load(Ordering::Relaxed);
        self.all.store(was_all || mode == PauseMode::All, Ordering::Relaxed);
        if in_force {
            self.until_ms.fetch_max(until.0, Ordering::Release);
        } else {
            self.until_ms.store(until.0, Ordering::Release);
        }
    }

    /// Ends the pause.
    pub fn end(&self) {
        self.until_ms.store(0, Ordering::Release);
    }

    /// What is paused now.
    #[inline]
    #[must_use]
    pub fn in_force(&self, now: UnixMs) -> Option<PauseMode> {
        let until_ms = self.until_ms.load(Ordering::Acquire);
        if until_ms == 0 || until_ms <= now.0 {
            return None;
        }
        Some(if self.all.load(Ordering::Relaxed) { PauseMode::All } else { PauseMode::Write })
    }
}

/// See the module's text.
#[derive(Debug)]
pub struct Server {
    /// What the front needs of the configuration.
    pub settings: ArcSwap<Settings>,
    /// The keys.
    pub store: Store,
    /// Who is connected.
    pub clients: Clients,
    /// Counters.
    pub stats: Stats,
    /// Slow commands.
    pub slowlog: Slowlog,
    /// Keeps commands out while something needs the whole keyspace still.
    pub gate: Gate,
    /// CLIENT PAUSE.
    pub pause: Pause,
    /// How and when the server ends.
    pub shutdown: Shutdown,
    /// True until the log is replayed.
    pub loading: AtomicBool,
    /// When the server started.
    pub started: Instant,
    /// The same on the wall clock.
    pub started_at: UnixMs,
    /// Forty hex digits, new at each start.
    pub run_id: String,
    /// Number of workers.
    pub workers: usize,
}

impl Server {
    /// True until the log is replayed.
    #[inline]
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.loading.load(Ordering::Acquire)
    }

    /// Whether writes may be logged; the error says why not.
    pub fn log_writable(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Asks the server to end: sessions finish their batches, then everything is closed; with `save` after
    /// a checkpoint. Returns at once.
    pub fn request_shutdown(self: &Arc<Self>, save: bool) {
        self.shutdown.request(save);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_not_shortened_and_the_stricter_mode_wins() {
        let pause = Pause::default();
        assert_eq!(pause.in_force(UnixMs(1)), None);
        pause.begin(UnixMs(100), PauseMode::All, UnixMs(1));
        pause.begin(UnixMs(50), PauseMode::Write, UnixMs(2));
        assert_eq!(pause.in_force(UnixMs(99)), Some(PauseMode::All));
        assert_eq!(pause.in_force(UnixMs(100)), None);
        pause.begin(UnixMs(300), PauseMode::Write, UnixMs(200));
        assert_eq!(pause.in_force(UnixMs(201)), Some(PauseMode::Write));
        pause.end();
        assert_eq!(pause.in_force(UnixMs(201)), None);
    }
}
