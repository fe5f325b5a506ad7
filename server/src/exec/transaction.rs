//! EXEC: the queued commands as one.
//!
//! Two ways. *Locked*: every queued command works on declared keys (or is harmless): the slots of all their
//! keys are locked together, all values are resident before the first command runs, so none can fault, and
//! the watch flag is read under the locks. *Still*: something in the queue needs more than declared keys, or a large
//! value of which pages are absent; the whole EXEC runs under the exclusive gate, and what is missing is loaded in place.
//!
//! Either way all effects go into one frame, FLUSHDB, FLUSHALL and SWAPDB among them: replay goes by the place of each
//! effect in the frame. An error of one command does not stop the others.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use basalt_binlog::Offset;
use basalt_resp::{Args, Encoder};
use basalt_tiering::{Key, PinSet};

use super::{
    Env, KeyList, Ran, begin, commit, commit_exclusive, count_dirty, frame_slot, key_at,
    note_committed, serve, step,
};
use crate::blocking::Place;
use crate::clients::flag;
use crate::commands::keyspace::KeyspaceCtx;
use crate::commands::{Find, Handler, KeySpec, Stop};
use crate::data::Data;
use crate::dispatch::Row;
use crate::errors::{self, Error};
use crate::server::Server;
use crate::session::{Multi, Next, Queued, SessionCtx, Watch, WatchedKey};

/// How a queue has to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Under the locks of all its keys.
    Locked,
    /// Under the exclusive gate.
    Still,
}

/// Session commands that touch nothing but their own connection, and so may run under slot locks.
const HARMLESS: [&str; 3] = ["select", "ping", "echo"];
const LATE_FAULT: Error = Error::new("ERR internal error: a key of this transaction left memory");
const NOT_HERE: Error = Error::new("ERR Command not allowed inside a transaction");

/// The way this queue has to run.
#[must_use]
pub fn way(multi: &Multi) -> Way {
    let locked = |queued: &Queued| match queued.row.command.handler {
        Handler::Data(_) => !knows_keys_late(queued.row),
        Handler::Session(_) => HARMLESS.contains(&queued.row.command.name),
        Handler::Keyspace(_) | Handler::Exclusive(_) => false,
    };
    if multi.queue.iter().all(locked) {
        Way::Locked
    } else {
        Way::Still
    }
}

/// It may need keys that only the values of others name.
fn knows_keys_late(row: &Row) -> bool {
    let unknown = |spec: &KeySpec| matches!(spec.find, Find::Unknown);
    row.command.keys.iter().any(unknown)
}

/// The keys of all queued commands, each in the database that will be selected then.
#[must_use]
pub fn keys_of<'a>(data: &Data, multi: &'a Multi, mut db: u32) -> Vec<Key<'a>> {
    let mut keys = Vec::new();
    for queued in &multi.queue {
        let args = queued.args.as_args();
        if queued.row.command.name == "select" {
            db = selected(data, &args).unwrap_or(db);
        }
        if let Ok(list) = KeyList::wanted(data, queued.row, &args, db) {
            keys.extend_from_slice(list.as_slice());
        }
    }
    keys
}

/// Of the keys of all queued commands those that may be written.
fn written_keys<'a>(data: &Data, multi: &'a Multi, mut db: u32) -> Vec<Key<'a>> {
    let mut keys = Vec::new();
    for queued in &multi.queue {
        let args = queued.args.as_args();
        if queued.row.command.name == "select" {
            db = selected(data, &args).unwrap_or(db);
        }
        if queued.row.command.is_write()
            && let Ok(list) = KeyList::wanted(data, queued.row, &args, db)
        {
            keys.extend_from_slice(list.as_slice());
        }
    }
    keys
}

/// The keys under WATCH. EXEC looks at them too: their time may be over.
pub fn watched_keys<'a>(data: &'a Data, watch: &'a Watch) -> impl Iterator<Item = Key<'a>> {
    let key = |watched: &'a WatchedKey| data.store.key(watched.db, &watched.key);
    watch.keys.iter().map(key)
}

fn selected(data: &Data, args: &Args<'_>) -> Option<u32> {
    crate::args::database(args.get(1)?, data.databases).ok()
}

/// Runs a queue under the locks of its keys. After a fault the session still has its queue.
pub fn run_locked(
    env: &mut Env<'_>,
    server: &Arc<Server>,
    multi: &Multi,
    out: &mut Vec<u8>,
) -> Ran {
    env.effects.clear();
    let data = env.data;
    let mut keys = keys_of(data, multi, env.session.db);
    let slot = frame_slot(&keys);
    let watched = env.session.watch.keys.clone();
    keys.extend(
        watched
            .iter()
            .map(|watched| data.store.key(watched.db, &watched.key)),
    );
    let pins = std::mem::take(&mut env.session.pins);
    let ran = in_locked_slots(env, server, multi, &keys, &pins, watched.len(), slot, out);
    env.session.pins = pins;
    count_dirty(env);
    ran
}

/// Runs a queue in the slots of `keys`, the last `watched` of which are only watched.
#[allow(
    clippy::too_many_arguments,
    reason = "the one caller has just computed them"
)]
fn in_locked_slots(
    env: &mut Env<'_>,
    server: &Arc<Server>,
    multi: &Multi,
    keys: &[Key<'_>],
    pins: &PinSet,
    watched: usize,
    slot: u16,
    out: &mut Vec<u8>,
) -> Ran {
    let start = out.len();
    let data = env.data;
    let own = &keys[..keys.len() - watched];
    let first_db = env.session.db;
    let (mut tx, _, reach) = serve::begin_within_reach(server, data, keys, env.now, pins);
    let slot = serve::slot_with(data, slot, &reach);
    for key in &keys[keys.len() - watched..] {
        // A look at a watched key that has expired deletes it, which trips the flag.
        let _ = tx.peek(key);
    }
    if env.session.watch.flag.load(Ordering::Acquire) {
        let committed = commit(&data.log, &tx, slot, env.effects, env.now);
        drop(tx);
        match note_committed(env, committed) {
            Ok(()) => Encoder::new(out, env.session.proto).null_array(),
            Err(error) => refuse(env, out, &error),
        }
        return Ran::Done;
    }
    let reached: Vec<Key<'_>> = reach.iter().map(|place| key_at(data, place)).collect();
    let all = || keys.iter().chain(&reached);
    if !all().all(|key| tx.is_resident(key)) {
        env.session.also_wanted = reach;
        return Ran::Fault;
    }
    if !all().all(|key| tx.is_whole(key)) {
        return Ran::Still;
    }
    Encoder::new(out, env.session.proto).array(multi.queue.len());
    env.session.in_exec = true;
    for queued in &multi.queue {
        let reply = out.len();
        let args = queued.args.as_args();
        match queued.row.command.handler {
            Handler::Data(handler) => {
                data_locked(env, &mut tx, queued.row, handler, &args, out);
            }
            _ => other(env, server, queued, &args, out),
        }
        count(env, queued, &out[reply..]);
    }
    env.session.in_exec = false;
    let mut served = Vec::new();
    if server.waiters.concern(own) && !env.effects.is_empty() {
        let written = written_keys(data, multi, first_db);
        served = serve::serve(
            server,
            data,
            &mut tx,
            &written,
            env.effects,
            env.now,
            usize::MAX,
        )
        .expect("nothing that is in memory as a whole faults");
    }
    let committed = commit(&data.log, &tx, slot, env.effects, env.now);
    drop(tx);
    serve::deliver(served, &committed);
    if let Err(error) = note_committed(env, committed) {
        out.truncate(start);
        refuse(env, out, &error);
    }
    Ran::Done
}

fn data_locked(
    env: &mut Env<'_>,
    tx: &mut basalt_tiering::Tx<'_>,
    row: &Row,
    handler: super::DataHandler,
    args: &Args<'_>,
    out: &mut Vec<u8>,
) {
    match KeyList::of(env.data, row, args, env.session.db) {
        Ok(list) => {
            if step(env, tx, row, handler, args, list.as_slice(), out) == Ran::Fault {
                refuse(env, out, &LATE_FAULT);
            }
        }
        Err(error) => refuse(env, out, &error),
    }
}

/// Counts a queued command that has replied.
fn count(env: &Env<'_>, queued: &Queued, reply: &[u8]) {
    let stats = env.server.stats.worker(env.session.worker);
    stats.commands.add(1);
    let counters = stats.command(queued.row.id);
    counters.calls.add(1);
    if stats.count_if_error(reply) {
        counters.failed.add(1);
    }
}

/// Runs a queue while nobody else runs anything. The caller holds the exclusive gate.
pub fn run_still(env: &mut Env<'_>, server: &Arc<Server>, multi: &Multi, out: &mut Vec<u8>) {
    let first_db = env.session.db;
    env.effects.clear();
    let data = env.data;
    let watched: Vec<_> = watched_keys(data, &env.session.watch).collect();
    if let Err(error) = data.store.pin_blocking(&watched, &mut env.session.pins) {
        return refuse(env, out, &errors::store_failed(&error));
    }
    for key in watched {
        let look = |tx: &mut basalt_tiering::Tx<'_>, _: &mut crate::effects::Effects| {
            // Its expiry, if it has passed, trips the flag; what it holds is of no interest.
            let _ = tx.peek(&key);
        };
        let ((), _) = super::change(data, &[key], env.now, &env.session.pins, look);
    }
    if env.session.watch.flag.load(Ordering::Acquire) {
        Encoder::new(out, env.session.proto).null_array();
        return;
    }
    // From here to the append of the common frame nothing may reach the cold tier: it would be ahead of the
    // log (rule 1).
    let frozen = data.store.freeze();
    let start = out.len();
    Encoder::new(out, env.session.proto).array(multi.queue.len());
    env.session.in_exec = true;
    for queued in &multi.queue {
        let reply = out.len();
        let args = queued.args.as_args();
        other(env, server, queued, &args, out);
        // The commands behind it meet the databases as they are now; where in the log that was is known once all
        // effects are logged together.
        if let Some(change) = env.effects.take_map_change() {
            change.apply(&env.data.store, Offset::MAX);
        }
        count(env, queued, &out[reply..]);
    }
    env.session.in_exec = false;
    let committed = commit_still(env);
    drop(frozen);
    if let Err(error) = committed {
        out.truncate(start);
        refuse(env, out, &error);
    }
    if server.waiters.is_empty() {
        return;
    }
    let mut places: Vec<Place> = written_keys(data, multi, first_db)
        .iter()
        .map(|key| Place {
            db: key.db,
            key: key.bytes.into(),
        })
        .collect();
    if has_exclusive(multi) {
        places.extend(server.waiters.places());
    }
    serve::serve_still(server, env.data, &places, env.now);
}

/// One of them may change the map of databases.
fn has_exclusive(multi: &Multi) -> bool {
    let exclusive = |queued: &Queued| matches!(queued.row.command.handler, Handler::Exclusive(_));
    multi.queue.iter().any(exclusive)
}

/// Appends what has gathered under the exclusive gate.
fn commit_still(env: &mut Env<'_>) -> Result<(), Error> {
    count_dirty(env);
    let committed = commit_exclusive(env.data, env.effects, env.now);
    env.effects.clear();
    note_committed(env, committed)
}

/// Runs one queued command of any kind, outside of slot locks except for a harmless one.
fn other(
    env: &mut Env<'_>,
    server: &Arc<Server>,
    queued: &Queued,
    args: &Args<'_>,
    out: &mut Vec<u8>,
) {
    match queued.row.command.handler {
        Handler::Data(handler) => data_still(env, queued, handler, args, out),
        Handler::Keyspace(handler) | Handler::Exclusive(handler) => {
            keyspace(env, server, handler, args, out);
        }
        Handler::Session(handler) => {
            let proto = env.session.proto;
            let mut ctx = SessionCtx {
                server,
                session: env.session,
                args,
                out: Encoder::new(out, proto),
                command: queued.row.command,
                now: env.now,
            };
            match handler(&mut ctx) {
                Next::Done => {}
                Next::Close => env.session.info.set_flag(flag::CLOSE_AFTER_REPLY, true),
                Next::Error(error) => refuse(env, out, &error),
                Next::Work(work) => work(&mut Encoder::new(out, env.session.proto)),
                Next::Exec | Next::Wait(_) | Next::Again(_) | Next::Replicate(_) => {
                    refuse(env, out, &NOT_HERE);
                }
            }
        }
    }
}

fn data_still(
    env: &mut Env<'_>,
    queued: &Queued,
    handler: super::DataHandler,
    args: &Args<'_>,
    out: &mut Vec<u8>,
) {
    let (data, row, db) = (env.data, queued.row, env.session.db);
    let lists = KeyList::of(data, row, args, db)
        .and_then(|list| Ok((list, KeyList::wanted(data, row, args, db)?)));
    let (list, wanted) = match lists {
        Ok(lists) => lists,
        Err(error) => return refuse(env, out, &error),
    };
    // Pinned before anything else, so that even a blind overwrite knows whether there is a cold copy: inside
    // a transaction DBSIZE could not wait for the spiller to find out.
    let mut pins = std::mem::take(&mut env.session.pins);
    let mut beyond: Vec<Place> = Vec::new();
    loop {
        let further: Vec<Key<'_>> = beyond.iter().map(|place| key_at(data, place)).collect();
        let keys = [list.as_slice(), &further].concat();
        let all = [wanted.as_slice(), &further].concat();
        if let Err(error) = data.store.pin_blocking(&all, &mut pins) {
            refuse(env, out, &errors::unreadable(&error));
            break;
        }
        let mut tx = begin(data, &keys, env.now, &pins);
        let before = std::mem::take(env.effects);
        let ran = step(env, &mut tx, row, handler, args, &keys, out);
        let own = std::mem::replace(env.effects, before);
        // They belong into the common frame, too: a frame of their own would come before a FLUSHDB or SWAPDB that
        // they came after, and their database would mean another one.
        for key in tx.expired() {
            env.effects.command(key.db, &[b"DEL", &key.key]);
        }
        env.effects.append(&own);
        if ran == Ran::Done {
            break;
        }
        drop(tx);
        if !env.session.beyond.is_empty() {
            beyond = std::mem::take(&mut env.session.beyond);
        }
    }
    env.session.pins = pins;
}

/// Runs a handler on the whole keyspace; an error is the reply.
pub fn keyspace(
    env: &mut Env<'_>,
    server: &Arc<Server>,
    handler: fn(&mut KeyspaceCtx<'_>) -> crate::commands::Outcome,
    args: &Args<'_>,
    out: &mut Vec<u8>,
) {
    let (start, proto) = (out.len(), env.session.proto);
    let mut ctx = KeyspaceCtx {
        server,
        args,
        out: Encoder::new(out, proto),
        db: env.session.db,
        now: env.now,
        effects: env.effects,
    };
    let Err(stop) = handler(&mut ctx) else { return };
    out.truncate(start);
    match stop {
        Stop::Error(error) => refuse(env, out, &error),
        Stop::Fault | Stop::Block(_) | Stop::Beyond(_) => {
            unreachable!("a handler on the whole keyspace loads what it needs, and never waits")
        }
    }
}

fn refuse(env: &Env<'_>, out: &mut Vec<u8>, error: &Error) {
    Encoder::new(out, env.session.proto).error(error.as_bytes());
}

/// Runs a command that needs the whole keyspace still. The caller holds the exclusive gate.
pub fn run_exclusive(
    env: &mut Env<'_>,
    server: &Arc<Server>,
    handler: fn(&mut KeyspaceCtx<'_>) -> crate::commands::Outcome,
    args: &Args<'_>,
    out: &mut Vec<u8>,
) {
    env.effects.clear();
    let start = out.len();
    keyspace(env, server, handler, args, out);
    if let Err(error) = commit_still(env) {
        out.truncate(start);
        refuse(env, out, &error);
    }
    // SWAPDB may have brought what somebody waits for.
    serve::serve_still(server, env.data, &server.waiters.places(), env.now);
}
