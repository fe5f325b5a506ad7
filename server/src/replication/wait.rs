//! WAIT and WAITAOF: a client waits until its last write has reached replicas, or disks.
//!
//! What counts is the end of the last frame that this connection logged. A client that has to wait asks the replicas
//! to acknowledge at once; clients that wait at the same time share the question.

use std::sync::Arc;
use std::time::Duration;

use basalt_binlog::Offset;
use basalt_resp::{Encoder, parse_i64};
use tokio::time::Instant;

use crate::args;
use crate::errors::Error;
use crate::server::Server;
use crate::session::{Next, SessionCtx};

const ON_REPLICA: Error = Error::new(
    "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured \
     to be writable (which is not the default) writes to replicas are just local and are not propagated.",
);
const AOF_ON_REPLICA: Error = Error::new(
    "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and \
     are not propagated.",
);
const NO_LOG: Error =
    Error::new("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
const BAD_TIMEOUT: Error = Error::new("ERR timeout is not an integer or out of range");
const NEGATIVE_TIMEOUT: Error = Error::new("ERR timeout is negative");
const NOT_A_FLAG: Error = Error::new("ERR value is out of range, must be between 0 and 1");
const NOT_POSITIVE: Error = Error::new("ERR value is out of range, must be positive");
const CHANGED: &[u8] =
    b"UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";
const UNBLOCKED: &[u8] = b"UNBLOCKED client unblocked via CLIENT UNBLOCK";

/// What a client waits for.
#[derive(Clone, Copy, Debug)]
enum Goal {
    /// So many replicas hold it.
    Held { replicas: i64 },
    /// It is on this node's disk (1 or 0), and on the disks of so many replicas.
    Synced { local: i64, replicas: i64 },
}

impl Goal {
    /// How far it is reached: local, replicas.
    fn reached(self, server: &Server, offset: Offset) -> (i64, i64) {
        let registry = &server.replication.master.registry;
        match self {
            Goal::Held { .. } => (0, registry.acked(offset) as i64),
            Goal::Synced { .. } => {
                let data = server.data();
                let local = data.binlog().is_some_and(|log| log.synced() >= offset);
                (i64::from(local), registry.fsynced(offset) as i64)
            }
        }
    }

    fn is_met(self, (have_local, have): (i64, i64)) -> bool {
        match self {
            Goal::Held { replicas } => have >= replicas,
            Goal::Synced { local, replicas } => have_local >= local && have >= replicas,
        }
    }

    fn reply(self, out: &mut Encoder<'_>, (local, replicas): (i64, i64)) {
        if matches!(self, Goal::Synced { .. }) {
            out.array(2);
            out.integer(local);
        }
        out.integer(replicas);
    }
}

fn timeout(text: &[u8]) -> Result<Option<Duration>, Error> {
    let ms = parse_i64(text).ok_or(BAD_TIMEOUT)?;
    let ms = u64::try_from(ms).map_err(|_| NEGATIVE_TIMEOUT)?;
    Ok((ms > 0).then(|| Duration::from_millis(ms)))
}

/// WAIT.
pub fn wait(ctx: &mut SessionCtx<'_>) -> Next {
    if !ctx.server.replication.is_master() {
        return ON_REPLICA.into();
    }
    let parsed = args::integer(&ctx.args[1])
        .and_then(|replicas| Ok((Goal::Held { replicas }, timeout(&ctx.args[2])?)));
    parsed.map_or_else(Next::from, |(goal, timeout)| await_goal(ctx, goal, timeout))
}

/// WAITAOF.
pub fn waitaof(ctx: &mut SessionCtx<'_>) -> Next {
    match parse_waitaof(ctx) {
        Ok((goal, timeout)) => await_goal(ctx, goal, timeout),
        Err(error) => error.into(),
    }
}

fn parse_waitaof(ctx: &SessionCtx<'_>) -> Result<(Goal, Option<Duration>), Error> {
    let local = args::integer(&ctx.args[1])?;
    if !(0..=1).contains(&local) {
        return Err(NOT_A_FLAG);
    }
    let replicas = args::integer(&ctx.args[2])?;
    if replicas < 0 {
        return Err(NOT_POSITIVE);
    }
    let timeout = timeout(&ctx.args[3])?;
    if !ctx.server.replication.is_master() {
        return Err(AOF_ON_REPLICA);
    }
    if local > 0 && ctx.server.data().binlog().is_none() {
        return Err(NO_LOG);
    }
    Ok((Goal::Synced { local, replicas }, timeout))
}

fn await_goal(ctx: &mut SessionCtx<'_>, goal: Goal, timeout: Option<Duration>) -> Next {
    let offset = ctx.session.last_write;
    let reached = goal.reached(ctx.server, offset);
    if goal.is_met(reached) || ctx.session.in_exec {
        goal.reply(&mut ctx.out, reached);
        return Next::Done;
    }
    let (server, info) = (Arc::clone(ctx.server), Arc::clone(&ctx.session.info));
    let proto = ctx.session.proto;
    Next::wait(async move {
        let outcome = tokio::select! {
            outcome = reach(&server, goal, offset, timeout) => outcome,
            with_error = info.unblocked() => if with_error {
                Err(UNBLOCKED)
            } else {
                Ok(goal.reached(&server, offset))
            },
        };
        let mut bytes = Vec::new();
        let mut out = Encoder::new(&mut bytes, proto);
        match outcome {
            Ok(reached) => goal.reply(&mut out, reached),
            Err(text) => out.error(text),
        }
        bytes
    })
}

async fn reach(
    server: &Server,
    goal: Goal,
    offset: Offset,
    timeout: Option<Duration>,
) -> Result<(i64, i64), &'static [u8]> {
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let mut acks = server.replication.master.acks.subscribe();
    let log = Arc::clone(&server.data().log);
    let mut synced = log.synced.subscribe();
    // The other sessions of this worker get to run what they have, and then one question does for all.
    tokio::task::yield_now().await;
    if let (Goal::Synced { local: 1.., .. }, Some(binlog)) = (goal, &log.binlog) {
        binlog.request_sync(offset);
    }
    loop {
        acks.borrow_and_update();
        synced.borrow_and_update();
        if !server.replication.is_master() {
            return Err(CHANGED);
        }
        let reached = goal.reached(server, offset);
        if goal.is_met(reached) {
            return Ok(reached);
        }
        // Again in each round: a replica may have come in between, which nobody has asked yet.
        server.replication.master.ask_for_acks(server, offset);
        let late = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // The senders live as long as the server; who changes the role moves them.
            _ = acks.changed() => {}
            _ = synced.changed() => {}
            () = late => return Ok(goal.reached(server, offset)),
        }
    }
}

/// Wakes all who wait, so that they see a change of role.
pub fn wake_all(server: &Server) {
    server
        .replication
        .master
        .acks
        .send_modify(|count| *count = count.wrapping_add(1));
}
