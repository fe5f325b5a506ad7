//! The thread that follows a master: it has the link, and makes every change of role and data.
//!
//! What it is asked interrupts it wherever it awaits. So what must not be left half done (opening a snapshot, exchanging
//! the data, noting a new history) awaits nothing: it blocks this thread, which has nothing else to do.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context;
use basalt_binlog::{Binlog, Offset};
use basalt_replication::fetch;
use basalt_replication::ids::ReplicationId;
use basalt_replication::link::{Greeting, LinkError, Wire, back_off};
use basalt_replication::wire::{Answer, Manifest, Psync, encode_ack};
use rand::Rng;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::feed::{Feed, FeedError};
use super::sync::{Staged, Staging, retire};
use super::{Ask, LinkState, Request};
use crate::data::Data;
use crate::errors;
use crate::replication::role::Role;
use crate::server::Server;

/// How often the master hears how far this replica is.
const ACK_EVERY: Duration = Duration::from_secs(1);
/// How often a snapshot that catches up is looked at.
const CATCH_UP_LOOK: Duration = Duration::from_millis(10);

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{0}")]
    Link(#[from] LinkError),
    #[error("{0}")]
    Feed(#[from] FeedError),
    #[error("{0:#}")]
    Here(#[from] anyhow::Error),
}

type Wired = Wire<TcpStream>;

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

/// Makes a node that was just opened what its configuration says, before it serves. The log is applied to its end.
///
/// # Errors
/// The change cannot be kept, or the configuration contradicts itself.
pub fn boot(server: &Arc<Server>) -> anyhow::Result<()> {
    let settings = server.config.load();
    let data = server.current.get();
    let Some((host, port)) = configured(&settings.replicaof) else {
        return lead_after_following(server, &data);
    };
    let binlog = data
        .binlog()
        .context("replicaof needs `binlog yes`: a replica keeps its master's stream there")?;
    mark_following(server, true)?;
    data.log.progress.follow(binlog.end());
    server.replication.role.set(Role::Replica { host, port });
    server.replication.replica.set_state(LinkState::Connect);
    Ok(())
}

fn configured(words: &[String]) -> Option<(String, u16)> {
    let [host, port] = words else { return None };
    Some((host.clone(), port.parse().ok()?))
}

/// A node that followed until its end and is now to lead goes by a new id: its old master may be alive.
fn lead_after_following(server: &Arc<Server>, data: &Data) -> anyhow::Result<()> {
    if !is_marked(server) {
        return Ok(());
    }
    if let Some(binlog) = data.binlog() {
        let history = data.history.promote(binlog, binlog.end())?;
        tracing::warn!(id = %history.id, "this node was a replica and leads now: it takes a new replication id");
    }
    mark_following(server, false)
}

/// Beside the data: the log that is there was written by another node.
fn marker(server: &Server) -> std::path::PathBuf {
    server.config.peek().dir.join("following")
}

fn is_marked(server: &Server) -> bool {
    marker(server).exists()
}

fn mark_following(server: &Server, following: bool) -> anyhow::Result<()> {
    let path = marker(server);
    let done = if following {
        std::fs::File::create(&path).and_then(|file| file.sync_all())
    } else {
        std::fs::remove_file(&path)
    };
    match done {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot write {}", path.display()));
        }
        _ => {}
    }
    crate::startup::place::sync_dir(&server.config.peek().dir).context("cannot sync the directory")
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
        staging: None,
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

    /// One attempt to follow, and the pause after it.
    async fn follow(&mut self, host: &str, port: u16) {
        let ended = match self.link_once(host, port).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        };
        let was_connected = self.link().is_connected();
        self.link().set_state(LinkState::Connect);
        if let Ended::Feed(FeedError::Parted(_)) = &ended {
            self.give_up_on_stream();
        }
        if was_connected {
            self.failures = 0;
            tracing::warn!("the link to the master {host}:{port} is lost: {ended}");
        } else {
            tracing::warn!("cannot follow {host}:{port}: {ended}");
        }
        let pause = back_off(self.failures, rand::rng().random_range(0..=100));
        self.failures += 1;
        sleep(pause).await;
    }

    /// What is here and what the master sends do not fit together.
    fn give_up_on_stream(&mut self) {
        if self.staged.is_some() {
            self.discard_snapshot();
        } else {
            self.parted = true;
        }
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(u64::from(self.server.config.peek().repl_timeout_seconds))
    }

    fn greeting(&self) -> Greeting {
        let settings = self.server.config.load();
        let port = match settings.replica_announce_port {
            0 => settings.port,
            port => port,
        };
        Greeting {
            auth: settings
                .masterauth
                .clone()
                .map(|password| (settings.masteruser.clone(), password)),
            port,
            ip: settings
                .replica_announce_ip
                .as_ref()
                .map(|ip| String::from_utf8_lossy(ip).into_owned()),
        }
    }

    async fn link_once(
        &mut self,
        host: &str,
        port: u16,
    ) -> Result<std::convert::Infallible, Ended> {
        self.link().set_state(LinkState::Connecting);
        let limit = self.limit();
        let stream = timeout(limit, TcpStream::connect((host, port)))
            .await
            .map_err(|_| LinkError::Timeout)?
            .map_err(LinkError::Io)?;
        let _ = stream.set_nodelay(true);
        self.link().set_state(LinkState::Handshake);
        let mut wire = Wire::new(stream, limit);
        wire.greet(&self.greeting()).await?;
        self.link().heard();
        let ask = self.held().await?;
        match wire.psync(&ask).await? {
            Answer::Continue(id) => self.go_on(id)?,
            Answer::BasaltSync(id, snapshot) => {
                self.full_sync(&mut wire, &ask, id, &snapshot).await?;
            }
            Answer::FullResync(..) | Answer::Error(_) => {
                return Err(LinkError::Refused(
                    "the master is no Basalt node, and a full sync from Redis is not supported yet",
                    String::new(),
                )
                .into());
            }
        }
        self.take_stream(&mut wire).await
    }

    /// What this node holds, as PSYNC says it: of the snapshot that catches up, if there is one.
    async fn held(&mut self) -> Result<Psync, Ended> {
        if let Some(staged) = &self.staged {
            let from = staged.feed.settle().await?;
            return Ok(psync(staged.feed.data.history.get().id, from));
        }
        if self.parted {
            return Ok(Psync {
                id: None,
                from: None,
                failover: false,
            });
        }
        let data = self.server.current.get();
        if self.feed.is_none() {
            let binlog = data.binlog().context("replication needs the binlog")?;
            let db = stream_db(binlog).map_err(anyhow::Error::from)?;
            self.feed = Some(Feed::start(&self.server, &data, db)?);
        }
        let feed = self.feed.as_ref().expect("started above");
        let from = feed.settle().await?;
        Ok(psync(data.history.get().id, from))
    }

    /// The master goes on with our stream, under its own id from here on.
    fn go_on(&mut self, id: Option<ReplicationId>) -> anyhow::Result<()> {
        let feed = self.staged.as_ref().map(|staged| &staged.feed);
        let feed = feed.or(self.feed.as_ref()).expect("held() has seen to it");
        let data = Arc::clone(&feed.data);
        let Some(id) = id.filter(|id| *id != data.history.get().id) else {
            tracing::info!("partial sync: the master goes on where this node ends");
            return Ok(());
        };
        let binlog = data.binlog().context("replication needs the binlog")?;
        let end = binlog.end();
        data.history
            .change(Some(binlog), |history| history.succeed(id, end))?;
        tracing::info!(%id, offset = end.0, "partial sync: the master goes on where this node ends, by another id");
        Ok(())
    }

    async fn full_sync(
        &mut self,
        wire: &mut Wired,
        held: &Psync,
        id: ReplicationId,
        snapshot: &str,
    ) -> Result<(), Ended> {
        self.link().set_state(LinkState::Sync);
        if self.staged.is_some() {
            // It has waited too long: the master's log no longer reaches back to it.
            self.discard_snapshot();
        }
        self.tell_what_is_lost(wire, held).await;
        let manifest = fetch::manifest(wire, snapshot).await?;
        if manifest.id != id {
            return Err(LinkError::Damaged("a snapshot of another history".to_owned()).into());
        }
        self.prepare(manifest)?;
        let staging = self.staging.as_ref().expect("prepared");
        let link = &self.server.replication.replica;
        let total = staging.manifest.bytes();
        link.sync_total.store(total, Ordering::Relaxed);
        let begun = Instant::now();
        tracing::info!(snapshot, bytes = total, "full sync");
        let progress = |bytes: u64| {
            link.sync_held.store(bytes, Ordering::Relaxed);
            link.heard();
        };
        let fetched = fetch::fetch(wire, &staging.manifest, &mut staging.sink(), &progress).await;
        if let Err(error) = fetched {
            if is_of_no_use(&error) {
                self.discard_snapshot();
            }
            return Err(error.into());
        }
        tracing::info!(
            bytes = total,
            seconds = begun.elapsed().as_secs_f64(),
            "the snapshot is here"
        );
        let staging = self.staging.take().expect("prepared");
        match staging.open(&self.server) {
            Ok(staged) => self.staged = Some(staged),
            Err(error) => {
                staging.discard();
                return Err(error.into());
            }
        }
        let ask = self.held().await?;
        match wire.psync(&ask).await? {
            Answer::Continue(_) => Ok(()),
            other => {
                self.discard_snapshot();
                let text = format!("{other:?}");
                Err(LinkError::Refused("the master does not go on after its snapshot", text).into())
            }
        }
    }

    /// Goes on with what is there of this snapshot, or begins anew.
    fn prepare(&mut self, manifest: Manifest) -> anyhow::Result<()> {
        if self
            .staging
            .as_ref()
            .is_some_and(|staging| staging.manifest == manifest)
        {
            return Ok(());
        }
        self.discard_snapshot();
        let staging = Staging::new(&self.server, manifest).context("no place for the snapshot")?;
        self.staging = Some(staging);
        Ok(())
    }

    /// Says in the log what of this node's own the full sync discards.
    async fn tell_what_is_lost(&self, wire: &mut Wired, held: &Psync) {
        let (Some(id), Some(from)) = (held.id, held.from) else {
            return;
        };
        if from == Offset(0) {
            return;
        }
        let parted_at = match wire.call(&[b"INFO", b"replication"]).await {
            Ok(info) => parted_at(info.bytes().unwrap_or_default(), id),
            Err(_) => None,
        };
        match parted_at {
            Some(at) if at < from => tracing::warn!(
                discarded_bytes = from.0 - at.0,
                "full sync: {} bytes of this node's own writes, from offset {at} on, are discarded",
                from.0 - at.0
            ),
            Some(_) => {}
            None => tracing::warn!(
                held_bytes = from.0,
                "full sync: this node's data has another history than the master's, or is too far behind, \
                 and is replaced"
            ),
        }
    }

    /// Takes the stream until the link ends.
    async fn take_stream(&mut self, wire: &mut Wired) -> Result<std::convert::Infallible, Ended> {
        if self.staged.is_none() {
            self.link().set_state(LinkState::Connected);
        }
        self.failures = 0;
        let limit = self.limit();
        let mut acks = interval(ACK_EVERY);
        acks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = interval(CATCH_UP_LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            let is_staged = self.staged.is_some();
            if self.staged.as_ref().is_some_and(Staged::is_complete) {
                self.take_over()?;
                continue;
            }
            let feed = self.staged.as_ref().map(|staged| &staged.feed);
            let feed = feed.or(self.feed.as_ref()).expect("fed by now");
            let mut ack_due = false;
            tokio::select! {
                piece = piece(feed, wire) => {
                    let (room, bytes) = piece?;
                    room.put(bytes);
                    heard = Instant::now();
                    self.server.replication.replica.heard();
                }
                _ = acks.tick() => ack_due = true,
                news = feed.news() => {
                    news?;
                    ack_due = true;
                }
                _ = looks.tick(), if is_staged => {}
            }
            if ack_due {
                let mut ack = Vec::new();
                let data = &feed.data;
                let synced = data.binlog().map(Binlog::synced);
                encode_ack(&mut ack, data.log.progress.applied(), synced);
                wire.send(&ack).await?;
                // A feed that has no room yet reads nothing; that is no silence of the master's.
                if heard.elapsed() > limit {
                    if feed.is_full() {
                        heard = Instant::now();
                    } else {
                        return Err(LinkError::Timeout.into());
                    }
                }
            }
        }
    }

    /// The snapshot is complete: it becomes what is served.
    fn take_over(&mut self) -> anyhow::Result<()> {
        let staged = self.staged.take().expect("asked by the caller");
        let old = match staged.take_over(&self.server) {
            Ok(old) => old,
            Err(error) => {
                self.staged = Some(staged);
                return Err(error);
            }
        };
        // Who follows this node followed another history.
        self.server.replication.master.forget_pair();
        self.server.replication.master.disconnect_all(&self.server);
        let old_feed = self.feed.replace(staged.into_feed());
        self.parted = false;
        self.link().full_syncs.fetch_add(1, Ordering::Relaxed);
        self.link().set_state(LinkState::Connected);
        tracing::info!("full sync: the master's data is in place");
        // Not waited for: the stream goes on meanwhile.
        drop(tokio::task::spawn_blocking(move || {
            drop(old_feed);
            retire(old);
        }));
        Ok(())
    }
}

/// The next piece of the stream, once there is room for it.
async fn piece<'f>(
    feed: &'f Feed,
    wire: &mut Wired,
) -> Result<(super::feed::Room<'f>, Vec<u8>), Ended> {
    let room = feed.room().await?;
    let bytes = wire.stream_bytes().await?;
    Ok((room, bytes))
}

fn psync(id: ReplicationId, from: Offset) -> Psync {
    Psync {
        id: Some(id),
        from: Some(from),
        failover: false,
    }
}

/// Whether what was fetched so far will not help the next attempt.
fn is_of_no_use(error: &LinkError) -> bool {
    match error {
        LinkError::Damaged(_) | LinkError::Refused(..) => true,
        // No room: what is there takes it from the data that is served.
        LinkError::Io(error) => error.kind() == std::io::ErrorKind::StorageFull,
        _ => false,
    }
}

/// The offset up to which the master shares our history, if INFO tells.
fn parted_at(info: &[u8], ours: ReplicationId) -> Option<Offset> {
    let info = std::str::from_utf8(info).ok()?;
    let field = |name: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    let same = |name: &str| field(name).is_some_and(|id| id.as_bytes() == ours.as_bytes());
    let number = |name: &str| field(name)?.parse::<u64>().ok();
    if same("master_replid") {
        number("master_repl_offset").map(Offset)
    } else if same("master_replid2") {
        // INFO counts the first byte that is no longer shared, from 1.
        number("second_repl_offset").map(|first| Offset(first.saturating_sub(1)))
    } else {
        None
    }
}

/// The database the stream is in at the end of the log.
fn stream_db(binlog: &Binlog) -> basalt_binlog::Result<u16> {
    if let Some(db) = binlog.stream_db() {
        return Ok(db);
    }
    let (first, end) = (binlog.first(), binlog.end());
    if end <= first {
        return Ok(0);
    }
    let mut reader = binlog.reader(Offset(end.0 - 1))?;
    let db = reader.next()?.map_or(0, |frame| frame.end_db);
    binlog.set_stream_db(db);
    Ok(db)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_tells_where_two_histories_part() {
        let ours = ReplicationId::parse(&[b'a'; 40]).unwrap();
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let info = |id: &str, second: &str| {
            format!(
                "# Replication\r\nrole:master\r\nmaster_replid:{id}\r\nmaster_replid2:{second}\r\n\
                 master_repl_offset:500\r\nsecond_repl_offset:101\r\n"
            )
        };
        assert_eq!(parted_at(info(&b, &a).as_bytes(), ours), Some(Offset(100)));
        assert_eq!(parted_at(info(&a, &b).as_bytes(), ours), Some(Offset(500)));
        assert_eq!(parted_at(info(&b, &b).as_bytes(), ours), None);
        assert_eq!(parted_at(b"\xff", ours), None);
    }
}
