//! PSYNC, SYNC, REPLCONF, BASALTSYNC: how a replica finds its way to the stream.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use basalt_binlog::Offset;
use basalt_replication::registry::{Moment, Replica, ReplicaState};
use basalt_replication::snapshot::{Origin, PIECE_MAX_BYTES, Snapshot, SnapshotError};
use basalt_replication::wire::{self, Answer, CAPA_BASALT, Conf, ConfError, Psync};
use basalt_resp::Encoder;

use super::master::Attach;
use super::replica::Ask;
use crate::args;
use crate::clients::flag;
use crate::data::Data;
use crate::errors::{self, Error};
use crate::server::Server;
use crate::session::{Next, SessionCtx};

const NEEDS_LOG: Error =
    Error::new("ERR replication needs the log: the server runs with 'binlog no'");
const NO_FULL_SYNC: Error = Error::new("ERR full sync of Redis replicas is not supported yet");
const NO_MASTER_LINK: Error =
    Error::new("NOMASTERLINK Can't SYNC while not connected with my master");
const BEHIND: Error = Error::new("NOMASTERLINK Can't SYNC while behind the replica that asks");
const HANDOVER_TO_MASTER: Error = Error::new("ERR PSYNC FAILOVER can't be sent to a master.");
const HANDOVER_OF_OTHERS: Error = Error::new("ERR PSYNC FAILOVER replid must match my replid.");
const NOT_TAKEN_OVER: Error = Error::new("ERR the role could not be taken over");
const NO_SUCH_SNAPSHOT: Error = Error::new("ERR no such snapshot");
const NO_SUCH_PIECE: Error = Error::new("ERR the snapshot has no such file or piece");

/// REPLCONF.
pub fn replconf(ctx: &mut SessionCtx<'_>) -> Next {
    let pairs = match wire::parse_conf(ctx.args) {
        Ok(pairs) => pairs,
        Err(ConfError::Syntax) => return errors::SYNTAX.into(),
        Err(ConfError::NotANumber) => return errors::NOT_AN_INTEGER.into(),
        Err(ConfError::Unknown(option)) => {
            let text = [b"ERR Unrecognized REPLCONF option: ".as_slice(), &option].concat();
            return Error::bytes(text).into();
        }
    };
    let mut silent = false;
    for pair in pairs {
        let link = ctx.session.link();
        match pair {
            Conf::ListeningPort(port) => link.port = port,
            Conf::IpAddress(ip) => link.ip = Some(ip),
            Conf::Capa(capa) => {
                link.basalt |= capa == CAPA_BASALT;
                link.psync2 |= capa == b"psync2";
            }
            // Only meaningful with a stream, and then the feeder reads it.
            Conf::Ack(..) | Conf::GetAck => silent = true,
            Conf::RdbFilter(filter) if !filter.is_empty() && filter != b"functions" => {
                let text = [
                    b"ERR Unsupported rdb-filter-only option: ".as_slice(),
                    &filter,
                ]
                .concat();
                return Error::bytes(text).into();
            }
            Conf::RdbOnly(_) | Conf::RdbFilter(_) | Conf::Version(_) => {}
        }
    }
    if !silent {
        ctx.out.ok();
    }
    Next::Done
}

/// SYNC: the way of replicas older than PSYNC, which all want an RDB.
pub fn sync(_: &mut SessionCtx<'_>) -> Next {
    NO_FULL_SYNC.into()
}

/// PSYNC.
pub fn psync(ctx: &mut SessionCtx<'_>) -> Next {
    let Some(wanted) = Psync::parse(ctx.args) else {
        return errors::NOT_AN_INTEGER.into();
    };
    let data = ctx.server.current.get();
    if data.binlog().is_none() {
        return NEEDS_LOG.into();
    }
    if wanted.failover && !std::mem::take(&mut ctx.session.link().handed_over) {
        return take_over(ctx, &data, &wanted);
    }
    if wanted.failover && !ctx.server.replication.is_master() {
        return NOT_TAKEN_OVER.into();
    }
    // Before the history is looked at: whatever changes from here on ends the link.
    let changes = data.history.changes();
    if !ctx.server.replication.is_master() && !ctx.server.replication.replica.is_connected() {
        return NO_MASTER_LINK.into();
    }
    if !ctx.server.replication.is_master() && is_behind(&data, &wanted) {
        return BEHIND.into();
    }
    match continued(&data, &wanted) {
        Ok((hold, from)) => {
            ctx.server
                .replication
                .master
                .counters
                .partial_ok
                .fetch_add(1, Relaxed);
            attach(ctx, data, hold, from, changes)
        }
        Err(why) => full(ctx, &wanted, &why),
    }
}

/// Whether who asks has more of this node's history than the node itself, which follows too and has yet to get there: who
/// comes again in a moment needs no full sync.
fn is_behind(data: &Data, wanted: &Psync) -> bool {
    let (Some(id), Some(from), Some(binlog)) = (&wanted.id, wanted.from, data.binlog()) else {
        return false;
    };
    from > binlog.end() && data.history.get().accepts(id, from)
}

/// The log from where the replica stands on, held, if it can go on from there.
fn continued(data: &Data, wanted: &Psync) -> Result<(basalt_binlog::Hold, Offset), String> {
    let binlog = data.binlog().ok_or("there is no log")?;
    let (Some(id), Some(from)) = (&wanted.id, wanted.from) else {
        return Err("it holds nothing".to_owned());
    };
    let history = data.history.get();
    if !history.accepts(id, from) {
        let second = history
            .second
            .map(|(id, upto)| format!(", before {id} up to {upto}"));
        return Err(format!(
            "it holds {id} up to {from}, this node is {}{}",
            history.id,
            second.unwrap_or_default()
        ));
    }
    if from > binlog.end() {
        return Err(format!("it is at {from}, the log ends at {}", binlog.end()));
    }
    let hold = binlog.hold(from).map_err(|error| error.to_string())?;
    Ok((hold, from))
}

fn attach(
    ctx: &mut SessionCtx<'_>,
    data: Arc<Data>,
    hold: basalt_binlog::Hold,
    from: Offset,
    changes: u64,
) -> Next {
    let (server, info) = (Arc::clone(ctx.server), Arc::clone(&ctx.session.info));
    let link = ctx.session.link();
    link.join(&server, &info);
    // The snapshot may go; the log it needed is held for this replica from now on.
    link.snapshot.lock().take();
    let psync2 = link.psync2;
    let Some(joined) = link.joined.take() else {
        return Next::Close;
    };
    info.set_flag(flag::REPLICA, true);
    let history = data.history.get();
    let mut answer = Vec::new();
    Answer::Continue(psync2.then_some(history.id)).encode(&mut answer);
    ctx.out.raw(&answer);
    if let Some(binlog) = data.binlog()
        && server.replication.is_master()
    {
        binlog.force_select();
    }
    Next::Replicate(Attach {
        changes,
        data,
        hold,
        from,
        joined,
    })
}

/// The replica needs a snapshot.
fn full(ctx: &mut SessionCtx<'_>, wanted: &Psync, why: &str) -> Next {
    let (server, info) = (Arc::clone(ctx.server), Arc::clone(&ctx.session.info));
    let counters = &server.replication.master.counters;
    // Who holds nothing yet did not hope for more.
    if wanted.id.is_some() && wanted.from != Some(Offset(0)) {
        counters.partial_err.fetch_add(1, Relaxed);
    }
    let link = ctx.session.link();
    if !link.basalt {
        tracing::warn!(
            addr = info.addr,
            "a Redis replica was refused: {why}, and a full sync of Redis replicas is not supported yet"
        );
        return NO_FULL_SYNC.into();
    }
    tracing::info!(
        addr = info.addr,
        port = link.port,
        "a replica needs a full sync: {why}"
    );
    counters.full.fetch_add(1, Relaxed);
    let replica = link.join(&server, &info);
    replica.set_state(ReplicaState::WaitSnapshot);
    let slot = Arc::clone(&link.snapshot);
    info.set_flag(flag::REPLICA, true);
    Next::wait(async move {
        let cut = {
            let server = Arc::clone(&server);
            tokio::task::spawn_blocking(move || cut(&server)).await
        };
        let mut out = Vec::new();
        match cut {
            Ok(Ok(snapshot)) => {
                let manifest = &snapshot.manifest;
                Answer::BasaltSync(manifest.id, manifest.snapshot.clone()).encode(&mut out);
                replica.heard(Moment::now());
                replica.set_state(ReplicaState::SendSnapshot);
                *slot.lock() = Some(snapshot);
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "a snapshot for a replica cannot be cut");
                Answer::Error(format!("ERR the snapshot cannot be cut: {error}")).encode(&mut out);
            }
            Err(error) => {
                tracing::error!(%error, "a snapshot for a replica was not cut");
                Answer::Error("ERR internal error".to_owned()).encode(&mut out);
            }
        }
        out
    })
}

fn cut(server: &Server) -> Result<Arc<Snapshot>, SnapshotError> {
    let data = server.current.get();
    let Some(binlog) = data.binlog() else {
        return Err(SnapshotError::Store(basalt_tiering::StoreError::Log(
            "there is no log".to_owned(),
        )));
    };
    server.replication.master.snapshots.get_or_cut(&Origin {
        store: &data.store,
        binlog,
        history: data.history.get(),
        writes_log: server.replication.is_master(),
    })
}

/// PSYNC … FAILOVER: our master hands its role over. The promotion waits for the exclusive gate, so it is done
/// outside of the worker's; then the command runs again, and the replica that the master now is gets its stream.
fn take_over(ctx: &mut SessionCtx<'_>, data: &Data, wanted: &Psync) -> Next {
    if ctx.server.replication.is_master() {
        return HANDOVER_TO_MASTER.into();
    }
    if wanted.id != Some(data.history.get().id) {
        return HANDOVER_OF_OTHERS.into();
    }
    tracing::info!(
        addr = ctx.session.info.addr,
        "the master hands its role over"
    );
    ctx.session.link().handed_over = true;
    let server = Arc::clone(ctx.server);
    Next::again(async move {
        let lead = move || server.replication.replica.ask(&server, Ask::Lead);
        match tokio::task::spawn_blocking(lead).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(error, "the role could not be taken over"),
            Err(error) => tracing::error!(%error, "the role was not taken over"),
        }
    })
}

fn link_snapshot(ctx: &mut SessionCtx<'_>) -> Option<(Arc<Snapshot>, Option<Arc<Replica>>)> {
    let name = ctx.args.get(2)?;
    let found = ctx.server.replication.master.snapshots.find(name);
    let link = ctx.session.link();
    let mut held = link.snapshot.lock();
    if held
        .as_ref()
        .is_none_or(|held| held.manifest.snapshot.as_bytes() != name)
    {
        held.clone_from(&found);
    }
    let snapshot = held.clone()?;
    drop(held);
    snapshot.touch();
    let replica = link
        .joined
        .as_ref()
        .map(|joined| Arc::clone(&joined.replica));
    if let Some(replica) = &replica {
        replica.heard(Moment::now());
    }
    Some((snapshot, replica))
}

/// BASALTSYNC MANIFEST.
pub fn manifest(ctx: &mut SessionCtx<'_>) -> Next {
    let Some((snapshot, replica)) = link_snapshot(ctx) else {
        return NO_SUCH_SNAPSHOT.into();
    };
    if let Some(replica) = replica {
        replica.set_state(ReplicaState::SendSnapshot);
        replica.begin_snapshot(snapshot.manifest.bytes());
    }
    let mut out = Vec::new();
    snapshot.manifest.to_value().encode(&mut out);
    ctx.out.raw(&out);
    Next::Done
}

/// BASALTSYNC READ.
pub fn read(ctx: &mut SessionCtx<'_>) -> Next {
    let number = |at| args::integer(&ctx.args[at]).map(u64::try_from);
    let (Ok(Ok(at)), Ok(Ok(max))) = (number(4), number(5)) else {
        return errors::NOT_AN_INTEGER.into();
    };
    let file = String::from_utf8_lossy(&ctx.args[3]).into_owned();
    let Some((snapshot, replica)) = link_snapshot(ctx) else {
        return NO_SUCH_SNAPSHOT.into();
    };
    let server = Arc::clone(ctx.server);
    Next::wait(async move {
        let rate = server.config.peek().repl_sync_rate_bytes;
        let max = max.min(PIECE_MAX_BYTES);
        let throttle = &server.replication.master.throttle;
        tokio::time::sleep(throttle.grant(max, rate, Instant::now())).await;
        let piece = tokio::task::spawn_blocking(move || {
            let bytes = snapshot.read(&file, at, max)?;
            Ok::<_, std::io::Error>(bytes.map(|bytes| {
                let mut out = Vec::with_capacity(bytes.len() + 64);
                wire::encode_piece(&mut out, &bytes);
                (out, bytes.len() as u64)
            }))
        });
        match piece.await {
            Ok(Ok(Some((out, bytes)))) => {
                let counters = &server.replication.master.counters;
                counters.snapshot_bytes.fetch_add(bytes, Relaxed);
                if let Some(replica) = replica {
                    replica.note_snapshot(bytes);
                }
                out
            }
            Ok(Ok(None)) => error_reply(NO_SUCH_PIECE.as_bytes()),
            Ok(Err(error)) => {
                tracing::error!(%error, "a snapshot cannot be read");
                error_reply(format!("ERR the snapshot cannot be read: {error}").as_bytes())
            }
            Err(_) => error_reply(b"ERR internal error"),
        }
    })
}

fn error_reply(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Encoder::new(&mut out, basalt_resp::Proto::Resp2).error(text);
    out
}

/// BASALTSYNC DONE.
pub fn done(ctx: &mut SessionCtx<'_>) -> Next {
    let Some((snapshot, _)) = link_snapshot(ctx) else {
        return NO_SUCH_SNAPSHOT.into();
    };
    snapshot.note_done();
    ctx.out.ok();
    Next::Done
}
