//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.
//!
//! The handlers only steer the session; how a queue is run is in `exec/transaction.rs`, how commands get into
//! it in `dispatch.rs` and `session/batch.rs`.

use std::sync::atomic::Ordering;

use super::{ArgSpec, Command, Flags, Group, Handler, Intent, KeySpec};
use crate::clients::flag;
use crate::errors::Error;
use crate::exec;
use crate::session::{Multi, Next, SessionCtx, WatchedKey};

const STEERING: Flags = Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE);
const QUICK: Flags = STEERING.or(Flags::FAST).or(Flags::ALLOW_BUSY);

/// A row without subcommands.
const fn row(
    name: &'static str,
    summary: &'static str,
    since: &'static str,
    complexity: &'static str,
    arity: i32,
    flags: Flags,
    run: fn(&mut SessionCtx<'_>) -> Next,
) -> Command {
    Command {
        name,
        summary,
        since,
        group: Group::Transactions,
        complexity,
        arity,
        flags,
        keys: &[],
        args: &[],
        subcommands: &[],
        handler: Handler::Session(run),
    }
}

/// The commands.
pub const FAMILY: &[Command] = &[
    row(
        "multi",
        "Starts a transaction",
        "1.2.0",
        "O(1)",
        1,
        QUICK,
        multi,
    ),
    row(
        "exec",
        "Runs the commands of a transaction",
        "1.2.0",
        "Depends on commands in the transaction",
        1,
        STEERING.or(Flags::SKIP_SLOWLOG),
        exec_,
    ),
    row(
        "discard",
        "Forgets the commands of a transaction",
        "2.0.0",
        "O(N), when N is the number of queued commands",
        1,
        QUICK,
        discard,
    ),
    Command {
        keys: &[KeySpec::rest(1, Intent::Exists, &["RO"])],
        args: &[ArgSpec::key("key").multiple()],
        ..row(
            "watch",
            "Makes the next transaction depend on these keys staying as they are",
            "2.2.0",
            "O(1) for every key.",
            -2,
            QUICK,
            watch,
        )
    },
    row(
        "unwatch",
        "Forgets the keys of WATCH",
        "2.2.0",
        "O(1)",
        1,
        QUICK,
        unwatch,
    ),
];

const NESTED: Error = Error::new("ERR MULTI calls can not be nested");
const EXEC_ALONE: Error = Error::new("ERR EXEC without MULTI");
const DISCARD_ALONE: Error = Error::new("ERR DISCARD without MULTI");
const WATCH_INSIDE: Error = Error::new("ERR WATCH inside MULTI is not allowed");
const ABORTED: Error = Error::new("EXECABORT Transaction discarded because of previous errors.");

fn multi(ctx: &mut SessionCtx<'_>) -> Next {
    if ctx.session.multi.is_some() {
        return NESTED.into();
    }
    ctx.session.multi = Some(Multi::default());
    ctx.session.info.set_flag(flag::MULTI, true);
    ctx.session.info.multi.store(0, Ordering::Relaxed);
    ctx.out.ok();
    Next::Done
}

fn exec_(ctx: &mut SessionCtx<'_>) -> Next {
    match &ctx.session.multi {
        None => EXEC_ALONE.into(),
        Some(multi) if multi.aborted => {
            end(ctx);
            ABORTED.into()
        }
        Some(_) => Next::Exec,
    }
}

fn discard(ctx: &mut SessionCtx<'_>) -> Next {
    if ctx.session.multi.is_none() {
        return DISCARD_ALONE.into();
    }
    end(ctx);
    ctx.out.ok();
    Next::Done
}

fn end(ctx: &mut SessionCtx<'_>) {
    ctx.session.end_multi();
    ctx.session.unwatch(ctx.server);
}

/// A key that has expired and was not yet deleted is looked at first, so that its deletion does not count as
/// a change.
fn watch(ctx: &mut SessionCtx<'_>) -> Next {
    if ctx.session.multi.is_some() {
        return WATCH_INSIDE.into();
    }
    let db = ctx.session.db;
    let data = ctx.server.data();
    for bytes in ctx.args.iter().skip(1) {
        let watched = WatchedKey {
            db,
            key: bytes.into(),
        };
        if ctx.session.watch.keys.contains(&watched) {
            continue;
        }
        let key = data.store.key(db, bytes);
        let flag = &ctx.session.watch.flag;
        let register = |tx: &mut basalt_tiering::Tx<'_>, _: &mut crate::effects::Effects| {
            // A key on disk is not loaded for this: if it is past its expiry, EXEC finds out.
            let _ = tx.peek(&key);
            tx.watch(&key, flag);
        };
        let ((), end) = exec::change(&data, &[key], ctx.now, &ctx.session.pins, register);
        ctx.session.written_to = end.or(ctx.session.written_to);
        ctx.session.watch.keys.push(watched);
    }
    ctx.session
        .info
        .watched
        .store(ctx.session.watch.keys.len() as u32, Ordering::Relaxed);
    ctx.out.ok();
    Next::Done
}

/// Inside EXEC the watch has done its work already, and EXEC ends it.
fn unwatch(ctx: &mut SessionCtx<'_>) -> Next {
    if !ctx.session.in_exec {
        ctx.session.unwatch(ctx.server);
    }
    ctx.out.ok();
    Next::Done
}
