//! The thread that follows a master: it has the link, and makes every change of role and data.
//!
//! What it is asked interrupts it wherever it awaits. So what must not be left half done (opening a snapshot, exchanging
//! the data, noting a new history) awaits nothing: it blocks this thread, which has nothing else to do.

use std::sync::Arc;

use anyhow::Context;
use tokio::sync::mpsc;

use super::boot::mark_following;
use super::feed::Feed;
use super::sync::{Staged, Staging};
use super::{Ask, LinkState, Request};
use crate::errors;
use crate::replication::role::Role;
use crate::server::Server;

mod full;
mod link;

struct Task {
    server: Arc<Server>,
    /// Feeds the data that is served; none on a master.
    feed: Option<Feed>,
    /// A snapshot being fetched.
    staging: Option<Staging>,
    /// A snapshot catching up.
    staged: Option<Staged>,
    /// The data served cannot go on with the stream: only a snapshot will do.
    parted: bool,
    failures: u32,
}

/// Starts the thread.
///
/// # Errors
/// There is none to be had.
pub fn spawn(server: &Arc<Server>) -> std::io::Result<std::thread::JoinHandle<()>> {
    let (sender, requests) = mpsc::unbounded_channel();
    let first = server.replication.replica.requests.set(sender);
    assert!(first.is_ok(), "the task is started once");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name("replica-work")
        .build()?;
    let task = Task {
        server: Arc::clone(server),
        feed: None,
        staging: Staging::found(server),
        staged: None,
        parted: false,
        failures: 0,
    };
    std::thread::Builder::new()
        .name("replica-link".into())
        .spawn(move || {
            runtime.block_on(task.run(requests));
            runtime.shutdown_background();
        })
}

/// Runs what blocks away from the link's own thread, which goes on answering.
async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> anyhow::Result<R> {
    tokio::task::spawn_blocking(work)
        .await
        .context("work for the replica failed")
}

impl Task {
    async fn run(mut self, mut requests: mpsc::UnboundedReceiver<Request>) {
        let server = Arc::clone(&self.server);
        loop {
            let request = match server.replication.role() {
                Role::Master => tokio::select! {
                    request = requests.recv() => request,
                    () = server.shutdown.wait() => return,
                },
                Role::Replica { host, port } => tokio::select! {
                    request = requests.recv() => request,
                    () = server.shutdown.wait() => return,
                    () = self.follow(&host, port) => continue,
                },
            };
            let Some(request) = request else { return };
            let done = self.obey(request.ask).await;
            if let Err(error) = &done {
                tracing::error!("a change of role failed: {error:#}");
            }
            // Who asked may be gone.
            let _ = request
                .answer
                .send(done.map_err(|error| format!("{error:#}")));
        }
    }

    async fn obey(&mut self, ask: Ask) -> anyhow::Result<()> {
        match ask {
            Ask::Follow { host, port } => self.begin_following(host, port).await,
            Ask::Lead => self.lead().await,
        }
    }

    fn link(&self) -> &super::Replica {
        &self.server.replication.replica
    }

    async fn begin_following(&mut self, host: String, port: u16) -> anyhow::Result<()> {
        self.discard_snapshot();
        let server = Arc::clone(&self.server);
        let role = Role::Replica {
            host: host.clone(),
            port,
        };
        blocking(move || {
            mark_following(&server, true)?;
            let everybody = server.gate.exclusive();
            if server.replication.is_master() {
                let data = server.data();
                let binlog = data.binlog().context("replication needs the binlog")?;
                data.log.progress.follow(binlog.end());
            }
            server.replication.role.set(role);
            server.waiters.unblock_all(&errors::UNBLOCKED_BY_ROLE);
            drop(everybody);
            anyhow::Ok(())
        })
        .await??;
        let words = [host.clone().into_bytes(), port.to_string().into_bytes()];
        self.server.config.remember("replicaof", &words);
        self.link().set_state(LinkState::Connect);
        self.failures = 0;
        tracing::info!("following {host}:{port}");
        Ok(())
    }

    async fn lead(&mut self) -> anyhow::Result<()> {
        if self.server.replication.is_master() {
            return Ok(());
        }
        self.discard_snapshot();
        if let Some(feed) = &self.feed {
            // What was written down is applied before anybody writes.
            feed.settle().await?;
        }
        let (server, feed) = (Arc::clone(&self.server), self.feed.take());
        blocking(move || {
            drop(feed);
            let data = server.current.get();
            let binlog = data.binlog().context("replication needs the binlog")?;
            let everybody = server.gate.exclusive();
            let history = data.history.promote(binlog, binlog.end())?;
            // Nobody knows in which database the old master's stream would have gone on.
            binlog.force_select();
            data.log.progress.lead();
            server.replication.role.set(Role::Master);
            drop(everybody);
            tracing::info!(id = %history.id, offset = binlog.end().0, "leading from here on");
            mark_following(&server, false)
        })
        .await??;
        self.parted = false;
        self.server.config.remember("replicaof", &[]);
        self.link().set_state(LinkState::None);
        Ok(())
    }

    /// Gives up a snapshot of a master that is no longer followed.
    fn discard_snapshot(&mut self) {
        // The open one first: it may lie where the other does.
        if let Some(staged) = self.staged.take() {
            staged.discard();
        }
        if let Some(staging) = self.staging.take() {
            staging.discard();
        }
    }
}
