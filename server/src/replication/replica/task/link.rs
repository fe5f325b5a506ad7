//! A link: connect, introduce this node, ask for the stream, take it until the link ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use basalt_binlog::{Binlog, Offset};
use basalt_replication::ids::ReplicationId;
use basalt_replication::link::{Greeting, LinkError, Wire, back_off};
use basalt_replication::wire::{Answer, Psync, encode_ack};
use rand::Rng;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::super::LinkState;
use super::super::feed::{Feed, FeedError, Room};
use super::super::{stream_db, sync::Staged};
use super::Task;

/// How often the master hears how far this replica is.
const ACK_EVERY: Duration = Duration::from_secs(1);
/// How often a snapshot that catches up is looked at.
const CATCH_UP_LOOK: Duration = Duration::from_millis(10);

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("{0}")]
    Link(#[from] LinkError),
    #[error("{0}")]
    Feed(#[from] FeedError),
    #[error("{0:#}")]
    Here(#[from] anyhow::Error),
}

pub(super) type Wired = Wire<TcpStream>;

impl Task {
    /// One attempt to follow, and the pause after it.
    pub(super) async fn follow(&mut self, host: &str, port: u16) {
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
    pub(super) async fn held(&mut self) -> Result<Psync, Ended> {
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
            let db = stream_db::at_end(binlog, &data.dir)?;
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
}

/// The next piece of the stream, once there is room for it.
async fn piece<'f>(feed: &'f Feed, wire: &mut Wired) -> Result<(Room<'f>, Vec<u8>), Ended> {
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
