//! How the server ends: once, orderly, at the request of a signal or of SHUTDOWN.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use crate::server::Server;

const RUNNING: u8 = 0;
const ENDING: u8 = 1;
const ENDING_WITH_SAVE: u8 = 2;

/// The request to end, and who waits for it.
#[derive(Debug, Default)]
pub struct Shutdown {
    state: AtomicU8,
    requested: Notify,
}

impl Shutdown {
    /// Asks for the end; the first request counts.
    pub fn request(&self, save: bool) {
        let wanted = if save { ENDING_WITH_SAVE } else { ENDING };
        let _ = self
            .state
            .compare_exchange(RUNNING, wanted, Ordering::AcqRel, Ordering::Acquire);
        self.requested.notify_waiters();
    }

    /// True once the end was asked for.
    #[inline]
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.state.load(Ordering::Acquire) != RUNNING
    }

    /// True if a checkpoint was asked for.
    #[must_use]
    pub fn wants_save(&self) -> bool {
        self.state.load(Ordering::Acquire) == ENDING_WITH_SAVE
    }

    /// Resolves once the end was asked for.
    pub async fn wait(&self) {
        loop {
            let notified = self.requested.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if self.is_requested() {
                return;
            }
            notified.await;
        }
    }
}

/// Ends what the workers have left: a checkpoint if one was asked for, then the log.
pub fn finish(server: &Server) -> anyhow::Result<()> {
    let data = server.data();
    if server.shutdown.wants_save() {
        if let Err(error) = data.store.save_hot_keys() {
            tracing::warn!(%error, "the hot keys' names are not saved");
        }
        data.store
            .checkpoint()
            .context("the last checkpoint failed; the log has everything")?;
    }
    if let Some(binlog) = data.binlog() {
        binlog.close().context("the log could not be closed")?;
    }
    if let Some(path) = &server.config.peek().pidfile {
        // It may have been removed already, or never been written.
        let _ = std::fs::remove_file(path);
    }
    tracing::info!("bye");
    Ok(())
}

/// SIGTERM and SIGINT ask for the end, from when this returns on; a second one ends at once (the log survives that).
pub fn spawn_signals(server: &Arc<Server>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (terminate, interrupt) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        )
    };
    let server = Arc::clone(server);
    let thread = std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            runtime.block_on(watch_signals(&server, terminate, interrupt));
        });
    thread.map(drop)
}

async fn watch_signals(server: &Arc<Server>, mut terminate: Signal, mut interrupt: Signal) {
    loop {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        if server.shutdown.is_requested() {
            tracing::warn!("{name} again: leaving at once");
            std::process::exit(1);
        }
        tracing::info!("{name}: shutting down");
        server.request_shutdown(true);
    }
}
