//! Running commands on keys, and committing what they did: the only caller of the log's append.
//!
//! ```text
//!   keys ─▶ slots, ascending ─▶ Store::begin ─▶ handler ─▶ frame appended ─▶ locks released ─▶ reply
//!                                    │ Fault: nothing was written; the session loads the keys, runs it again
//! ```
//!
//! Invariants
//! 1. The frame is appended while the locks of its keys are held: append order is apply order.
//! 2. Keys found expired are logged as DEL before the effects of the command that found them, even if that
//!    command faulted or failed.
//! 3. A handler that stops has recorded no effect that is kept.
//! 4. If the append fails although the log was asked before, the client is told so, and the server refuses
//!    writes from then on: what is in memory is ahead of the log (`Server::unlogged`).
//! 5. Who waits for a key that a command has written is served before its frame is appended, in the same frame
//!    (see `serve`).
//!
//! Callers: the session loop ([`data`], [`transaction::run_locked`]), `startup` (replay), and background roles that
//! change keys ([`change`]).

use std::sync::atomic::Ordering;

use basalt_binlog::{Binlog, Flags as FrameFlags, Frame, MANY_SLOTS, Offset};
use basalt_resp::{Args, Encoder, encode_command};
use basalt_tiering::{ExpiredKey, Key, KeyHash, NamespaceId, PinSet, Slot, Tx, UnixMs};

use crate::blocking::Place;
use crate::commands::keys::second_database;
use crate::commands::{Ctx, Outcome, Stop};
use crate::data::{Data, Log};
use crate::dispatch::Row;
use crate::effects::{Effects, MapChange};
use crate::errors::{self, Error};
use crate::server::Server;
use crate::session::Session;
use crate::session::window::Coords;

mod serve;
pub mod transaction;

pub(crate) use serve::{key_at, serve_all, serve_applied, spawn_late};

/// A handler of the data kind.
pub type DataHandler = fn(&mut Ctx<'_, '_>) -> Outcome;

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// It replied.
    Done,
    /// Keys have to be loaded first; nothing was written and there is no reply.
    Fault,
    /// A transaction works on large values that are not in memory as a whole, so that one of its commands may fault
    /// after another has written: it has to run while nobody else does. Nothing was written.
    Still,
    /// It waits: the session has the wait's end to come.
    Blocked,
}

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// Keys of one command; the first few need no memory of their own.
#[derive(Debug)]
pub struct KeyList<'a> {
    near: [Key<'a>; NEAR],
    len: usize,
    far: Vec<Key<'a>>,
}

const NEAR: usize = 4;

impl<'a> KeyList<'a> {
    const NONE: Key<'static> = Key {
        db: 0,
        ns: NamespaceId(0),
        slot: Slot(0),
        hash: KeyHash(0),
        bytes: &[],
    };

    /// No keys.
    pub const EMPTY: KeyList<'static> = KeyList {
        near: [Self::NONE; NEAR],
        len: 0,
        far: Vec::new(),
    };

    /// The keys of a command; none if a count among its arguments is wrong, which the command will say itself.
    pub fn of(data: &Data, row: &Row, args: &Args<'a>, db: u32) -> Result<Self, Error> {
        let mut list = KeyList {
            near: [Self::NONE; NEAR],
            len: 0,
            far: Vec::new(),
        };
        let fits = row.command.for_each_key(args, |index, _| {
            list.push(data.store.key(db, args.get(index).unwrap_or_default()));
        });
        if !fits {
            list.len = 0;
            list.far.clear();
        }
        Ok(list)
    }

    /// The keys a command may look at: those it declares, and the same in the other database that it names.
    pub fn wanted(data: &Data, row: &Row, args: &Args<'a>, db: u32) -> Result<Self, Error> {
        let mut list = KeyList::of(data, row, args, db)?;
        let databases = data.databases;
        let other = second_database(row.command, args, db).filter(|db| *db < databases);
        if let Some(db) = other {
            let ns = data.store.namespace(db);
            for at in 0..list.len {
                let key = list.as_slice()[at];
                list.push(Key { db, ns, ..key });
            }
        }
        Ok(list)
    }

    fn push(&mut self, key: Key<'a>) {
        if self.len < NEAR {
            self.near[self.len] = key;
        } else {
            if self.len == NEAR {
                self.far.extend_from_slice(&self.near);
            }
            self.far.push(key);
        }
        self.len += 1;
    }

    /// The keys.
    #[must_use]
    pub fn as_slice(&self) -> &[Key<'a>] {
        if self.len <= NEAR {
            &self.near[..self.len]
        } else {
            &self.far
        }
    }
}

/// The slots of keys, ascending, each once.
fn slots_of<'b>(
    keys: &[Key<'_>],
    near: &'b mut [Slot; NEAR],
    far: &'b mut Vec<Slot>,
) -> &'b [Slot] {
    let slots: &mut [Slot] = if keys.len() <= NEAR {
        for (slot, key) in near.iter_mut().zip(keys) {
            *slot = key.slot;
        }
        &mut near[..keys.len()]
    } else {
        far.extend(keys.iter().map(|key| key.slot));
        far
    };
    slots.sort_unstable();
    let mut kept = 0;
    for i in 0..slots.len() {
        if i == 0 || slots[i] != slots[i - 1] {
            slots[kept] = slots[i];
            kept += 1;
        }
    }
    &slots[..kept]
}

/// Locks the slots of `keys`.
#[inline]
fn begin<'s>(data: &'s Data, keys: &[Key<'_>], now: UnixMs, pins: &'s PinSet) -> Tx<'s> {
    if let [key] = keys {
        return data.store.begin(&[key.slot], now, pins);
    }
    let (mut near, mut far) = ([Slot(0); NEAR], Vec::new());
    let slots = slots_of(keys, &mut near, &mut far);
    data.store.begin(slots, now, pins)
}

/// The slot of a frame over these keys.
#[inline]
fn frame_slot(keys: &[Key<'_>]) -> u16 {
    match keys {
        [first, rest @ ..] if rest.iter().all(|key| key.slot == first.slot) => first.slot.0,
        _ => MANY_SLOTS,
    }
}

/// What a command runs with.
#[derive(Debug)]
pub struct Env<'a> {
    /// The server.
    pub server: &'a Server,
    /// The keys and their log.
    pub data: &'a Data,
    /// The connection's state.
    pub session: &'a mut Session,
    /// The worker's scratch memory.
    pub effects: &'a mut Effects,
    /// The clock.
    pub now: UnixMs,
}

/// Runs a command on its keys and commits its effects; `coords` are those of its first argument, if known.
#[inline]
pub fn data(
    env: &mut Env<'_>,
    row: &Row,
    handler: DataHandler,
    args: &Args<'_>,
    coords: Option<Coords>,
    out: &mut Vec<u8>,
) -> Ran {
    if let Some(index) = row.single_key {
        let (store, db, bytes) = (&env.data.store, env.session.db, &args[index]);
        let key = match coords {
            Some(Coords { slot, hash }) if index == 1 => store.key_again(db, bytes, slot, hash),
            _ => store.key(db, bytes),
        };
        return on_keys(env, row, handler, args, std::slice::from_ref(&key), out);
    }
    match KeyList::of(env.data, row, args, env.session.db) {
        Ok(keys) => on_keys(env, row, handler, args, keys.as_slice(), out),
        Err(error) => {
            Encoder::new(out, env.session.proto).error(error.as_bytes());
            Ran::Done
        }
    }
}

#[inline]
fn on_keys(
    env: &mut Env<'_>,
    row: &Row,
    handler: DataHandler,
    args: &Args<'_>,
    keys: &[Key<'_>],
    out: &mut Vec<u8>,
) -> Ran {
    env.effects.clear();
    let start = out.len();
    // The slots borrow the pins while the handler borrows the session.
    let pins = std::mem::take(&mut env.session.pins);
    let data = env.data;
    let mut tx = begin(data, keys, env.now, &pins);
    if row.command.is_write() && env.server.waiters.concern(keys) {
        drop(tx);
        env.session.pins = pins;
        return on_more_keys(env, row, handler, args, keys, out);
    }
    let ran = step(env, &mut tx, row, handler, args, keys, out);
    if ran == Ran::Blocked {
        begin_to_wait(env, keys, args);
    }
    let committed = commit(&data.log, &tx, frame_slot(keys), env.effects, env.now);
    drop(tx);
    env.session.pins = pins;
    count_dirty(env);
    if let Err(error) = note_committed(env, committed) {
        out.truncate(start);
        Encoder::new(out, env.session.proto).error(error.as_bytes());
        env.session.blocked = None;
        return Ran::Done;
    }
    if ran == Ran::Fault && !env.session.beyond.is_empty() {
        return on_more_keys(env, row, handler, args, keys, out);
    }
    ran
}

/// As [`on_keys`], when somebody waits for one of the keys, or the handler has asked for more keys.
#[cold]
fn on_more_keys(
    env: &mut Env<'_>,
    row: &Row,
    handler: DataHandler,
    args: &Args<'_>,
    keys: &[Key<'_>],
    out: &mut Vec<u8>,
) -> Ran {
    loop {
        let beyond = std::mem::take(&mut env.session.beyond);
        let ran = on_awaited_keys(env, row, handler, args, keys, &beyond, out);
        // Which keys it asks for depends on what others may have changed meanwhile.
        if ran != Ran::Fault || env.session.beyond.is_empty() {
            return ran;
        }
    }
}

/// Runs a handler with the slots of `beyond`, and of all that its waiters may take it to, locked as well.
#[allow(
    clippy::too_many_arguments,
    reason = "the one caller has just computed them"
)]
fn on_awaited_keys(
    env: &mut Env<'_>,
    row: &Row,
    handler: DataHandler,
    args: &Args<'_>,
    keys: &[Key<'_>],
    beyond: &[Place],
    out: &mut Vec<u8>,
) -> Ran {
    let (start, server, data) = (out.len(), env.server, env.data);
    let written = KeyList::wanted(data, row, args, env.session.db).unwrap_or(KeyList::EMPTY);
    let written = written.as_slice();
    let further: Vec<Key<'_>> = beyond.iter().map(|place| key_at(data, place)).collect();
    let locked = [written, &further].concat();
    let keys = [keys, &further].concat();
    let pins = std::mem::take(&mut env.session.pins);
    let (mut tx, slot, reach) = serve::begin_within_reach(server, data, &locked, env.now, &pins);
    let (mut ran, mut served) = (Ran::Fault, Vec::new());
    if further.iter().all(|key| tx.is_resident(key))
        && serve::prepare(server, data, &mut tx, written, &reach, env.now).is_ok()
    {
        ran = step(env, &mut tx, row, handler, args, &keys, out);
        if ran == Ran::Blocked {
            begin_to_wait(env, &keys, args);
        }
        if ran == Ran::Done && !env.effects.is_empty() {
            served = serve::serve(
                server,
                data,
                &mut tx,
                written,
                env.effects,
                env.now,
                usize::MAX,
            )
            .expect("what serving needs was prepared");
        }
    }
    let committed = commit(&data.log, &tx, slot, env.effects, env.now);
    drop(tx);
    env.session.pins = pins;
    env.session.also_wanted = Vec::new();
    if ran == Ran::Fault {
        env.session.also_wanted = reach;
        env.session.also_wanted.extend_from_slice(beyond);
    }
    serve::deliver(served, &committed);
    count_dirty(env);
    if let Err(error) = note_committed(env, committed) {
        out.truncate(start);
        Encoder::new(out, env.session.proto).error(error.as_bytes());
        env.session.blocked = None;
        return Ran::Done;
    }
    ran
}

/// Registers a command that has to wait, while its slots are locked.
#[cold]
fn begin_to_wait(env: &mut Env<'_>, keys: &[Key<'_>], args: &Args<'_>) {
    let wait = env.session.wait.take().expect("its handler said so");
    let blocked = env.server.waiters.register(env.session, *wait, keys, args);
    env.session.blocked = Some(blocked);
}

/// Remembers up to where the log has to be on disk before the reply may leave under `appendfsync always`.
#[inline]
fn note_committed(env: &mut Env<'_>, committed: Committed) -> Result<(), Error> {
    if let Some(end) = committed? {
        env.session.written_to = Some(end);
        env.session.last_write = end;
    }
    Ok(())
}

/// Runs a handler in locked slots. After a stop the reply is the error alone (or nothing, after a fault).
#[inline]
fn step(
    env: &mut Env<'_>,
    tx: &mut Tx<'_>,
    row: &Row,
    handler: DataHandler,
    args: &Args<'_>,
    keys: &[Key<'_>],
    out: &mut Vec<u8>,
) -> Ran {
    let (start, logged) = (out.len(), env.effects.count());
    let (proto, before) = (env.session.proto, tx.lookups());
    tx.count_accesses(!env.session.no_touch || row.always_touches);
    let mut ctx = Ctx {
        server: env.server,
        args,
        keys,
        tx: &mut *tx,
        out: Encoder::new(out, proto),
        effects: env.effects,
        db: env.session.db,
        now: env.now,
    };
    let outcome = handler(&mut ctx);
    if row.counts_lookups && !matches!(outcome, Err(Stop::Fault)) {
        count_lookups(env, before, tx.lookups());
    }
    let Err(stop) = outcome else {
        return Ran::Done;
    };
    // A reader of a group makes its consumer before it waits.
    assert!(
        env.effects.count() == logged || matches!(stop, Stop::Block(_)),
        "a handler recorded an effect and then stopped"
    );
    out.truncate(start);
    match stop {
        Stop::Fault => Ran::Fault,
        Stop::Beyond(names) => {
            let db = env.session.db;
            let places = names.into_iter().map(|key| Place { db, key });
            env.session.beyond = places.collect();
            Ran::Fault
        }
        Stop::Error(error) => {
            Encoder::new(out, proto).error(error.as_bytes());
            Ran::Done
        }
        Stop::Block(wait) if env.session.in_exec => {
            wait.otherwise.write(&mut Encoder::new(out, proto));
            Ran::Done
        }
        Stop::Block(wait) => {
            env.session.wait = Some(wait);
            Ran::Blocked
        }
    }
}

/// Adds what the command found, and what it did not, to the counters.
#[inline]
fn count_lookups(env: &Env<'_>, before: (u32, u32), after: (u32, u32)) {
    let stats = env.server.stats.worker(env.session.worker);
    stats.hits.add(u64::from(after.0 - before.0));
    stats.misses.add(u64::from(after.1 - before.1));
}

fn count_dirty(env: &Env<'_>) {
    if !env.effects.is_empty() {
        env.server
            .stats
            .worker(env.session.worker)
            .dirty
            .add(u64::from(env.effects.count()));
    }
}

/// The log, if there is one and it is this node's to write. What a client changes on a replica (with
/// `replica-read-only no`) is the replica's own: it is in no log, as with Redis.
#[inline]
fn writable(log: &Log) -> Option<&Binlog> {
    log.binlog.as_ref().filter(|_| !log.progress.is_following())
}

/// The end of the last frame appended, if any was. After an error the data in memory is ahead of the log.
type Committed = Result<Option<Offset>, Error>;

/// Appends the frames of a command: first its expired keys, then its effects. The slots must be locked.
#[inline]
fn commit(log: &Log, tx: &Tx<'_>, slot: u16, effects: &Effects, now: UnixMs) -> Committed {
    let Some(binlog) = writable(log) else {
        return Ok(None);
    };
    let mut end = None;
    if !tx.expired().is_empty() {
        end = append_expired(binlog, tx.expired(), now).map_err(|error| unlogged(log, &error))?;
    }
    if !effects.is_empty() {
        let appended = append(binlog, slot, effects, now);
        end = Some(appended.map_err(|error| unlogged(log, &error))?);
    }
    Ok(end)
}

/// The log was asked before the command ran, so a refusal now is a failure that came in between.
#[cold]
fn unlogged(log: &Log, error: &basalt_binlog::Error) -> Error {
    tracing::error!(%error, "a change could not be logged: writes are refused until a restart");
    log.unlogged.store(true, Ordering::Release);
    errors::change_not_logged(error)
}

#[inline]
fn append(
    binlog: &Binlog,
    slot: u16,
    effects: &Effects,
    now: UnixMs,
) -> basalt_binlog::Result<Offset> {
    let mut frame = Frame {
        unix_ms: now.0,
        flags: FrameFlags::NONE,
        slot,
        db: db16(effects.first_db()),
        end_db: db16(effects.last_db()),
        effects: effects.count(),
    };
    let appended = if effects.count() > 1 {
        frame.flags = FrameFlags::GROUP;
        binlog.append(&frame, &[MULTI, effects.payload(), EXEC])
    } else {
        binlog.append(&frame, &[effects.payload()])
    };
    appended.map(|appended| appended.end)
}

/// One frame for each key, since they lie in different slots and databases.
#[cold]
fn append_expired(
    binlog: &Binlog,
    expired: &[ExpiredKey],
    now: UnixMs,
) -> basalt_binlog::Result<Option<Offset>> {
    let mut end = None;
    for key in expired {
        end = Some(append_delete(binlog, key.db, key.slot, &key.key, now)?);
    }
    Ok(end)
}

fn append_delete(
    binlog: &Binlog,
    db: u32,
    slot: Slot,
    key: &[u8],
    now: UnixMs,
) -> basalt_binlog::Result<Offset> {
    let mut payload = Vec::new();
    encode_command(&mut payload, &[b"DEL".as_slice(), key]);
    let appended = binlog.append(&Frame::data(now.0, slot.0, db16(db)), &[&payload]);
    appended.map(|appended| appended.end)
}

/// Logs the deletion of keys of one slot that the store decided by itself. The slot must be locked.
pub fn log_deletes(log: &Log, db: u32, slot: Slot, keys: &[&[u8]]) {
    let Some(binlog) = writable(log) else { return };
    let now = UnixMs::now();
    for key in keys {
        if let Err(error) = append_delete(binlog, db, slot, key, now) {
            unlogged(log, &error);
            return;
        }
    }
}

/// Logs the deletion of fields of a hash that the store decided by itself. The slot must be locked.
pub fn log_field_deletes(log: &Log, db: u32, slot: Slot, key: &[u8], fields: &[Vec<u8>]) {
    let Some(binlog) = writable(log) else { return };
    let mut words: Vec<&[u8]> = vec![b"HDEL", key];
    words.extend(fields.iter().map(Vec::as_slice));
    let mut payload = Vec::new();
    encode_command(&mut payload, &words);
    let frame = Frame::data(UnixMs::now().0, slot.0, db16(db));
    if let Err(error) = binlog.append(&frame, &[&payload]) {
        unlogged(log, &error);
    }
}

/// Appends a frame that changes no data: a word for the replicas. Returns its end, if the log is this node's to
/// write and took it. The caller holds a side of the gate.
pub fn log_no_data(log: &Log, payload: &[u8]) -> Option<Offset> {
    let binlog = writable(log).filter(|_| !log.is_handed_over())?;
    let appended = binlog.append(&Frame::no_data(UnixMs::now().0), &[payload]);
    // A log that refuses says so to those who write data.
    appended.ok().map(|appended| appended.end)
}

fn db16(db: u32) -> u16 {
    u16::try_from(db).expect("a database number fits the frame: `databases` is limited")
}

/// Appends effects that belong to no locked slot: those of a command under the exclusive gate. A change of the
/// map of databases that stands alone follows the append, so that the store knows where in the log it stands; it does
/// not happen if the append fails. Those among the effects of an EXEC were made already, and are given their places.
fn commit_exclusive(data: &Data, effects: &mut Effects, now: UnixMs) -> Committed {
    if effects.is_empty() {
        return Ok(None);
    }
    let change = effects.take_map_change();
    assert!(
        change.is_none() || effects.count() == 1,
        "a change among other effects was made before"
    );
    let Some(binlog) = writable(&data.log) else {
        // Without a log there is no replay that could ask where.
        make_changes(data, change, &vec![Offset(0); effects.map_ends().len()]);
        return Ok(None);
    };
    let _changing = data.store.begin_map_change();
    match append(binlog, MANY_SLOTS, effects, now) {
        Ok(end) => {
            make_changes(data, change, &map_offsets(effects, end));
            Ok(Some(end))
        }
        Err(error) if change.is_some() => Err(errors::log_refuses(&error)),
        Err(error) => {
            make_changes(data, None, &vec![binlog.end(); effects.map_ends().len()]);
            Err(unlogged(&data.log, &error))
        }
    }
}

/// Makes a change of the map of databases that has waited for its offset, or tells those already made theirs.
fn make_changes(data: &Data, waiting: Option<MapChange>, offsets: &[Offset]) {
    match (waiting, offsets) {
        (Some(change), [at]) => change.apply(&data.store, *at),
        _ => data.store.settle_map_changes(offsets),
    }
}

/// Where in the log each change of the map ends, in a frame that ends at `end`.
fn map_offsets(effects: &Effects, end: Offset) -> Vec<Offset> {
    let behind = if effects.count() > 1 { EXEC.len() } else { 0 };
    let offset = |at: &usize| Offset(end.0 - (behind + effects.payload().len() - at) as u64);
    effects.map_ends().iter().map(offset).collect()
}

/// Changes keys on behalf of a background role or an administrative command: locks the slots of `keys`, calls
/// `change`, and commits the effects it records. The caller holds a side of the gate.
pub fn change<R>(
    data: &Data,
    keys: &[Key<'_>],
    now: UnixMs,
    pins: &PinSet,
    change: impl FnOnce(&mut Tx<'_>, &mut Effects) -> R,
) -> (R, Option<Offset>) {
    let mut effects = Effects::default();
    let mut tx = begin(data, keys, now, pins);
    let result = change(&mut tx, &mut effects);
    // If it failed, nothing is written any more, and whoever comes next is told.
    let end = commit(&data.log, &tx, frame_slot(keys), &effects, now).unwrap_or_default();
    (result, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(slots: &[u16]) -> Vec<Key<'static>> {
        slots
            .iter()
            .map(|slot| Key {
                slot: Slot(*slot),
                ..KeyList::NONE
            })
            .collect()
    }

    #[test]
    fn slots_are_ascending_and_each_once() {
        for given in [
            &[][..],
            &[5],
            &[9, 3],
            &[4, 4, 4, 4],
            &[7, 1, 7, 1],
            &[8, 2, 8, 5, 2, 1],
        ] {
            let (mut near, mut far) = ([Slot(0); NEAR], Vec::new());
            let found: Vec<u16> = slots_of(&keys(given), &mut near, &mut far)
                .iter()
                .map(|slot| slot.0)
                .collect();
            let mut expected = given.to_vec();
            expected.sort_unstable();
            expected.dedup();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_key_list_keeps_order_beyond_its_near_part() {
        let mut list = KeyList {
            near: [KeyList::NONE; NEAR],
            len: 0,
            far: Vec::new(),
        };
        for n in 0..9u16 {
            list.push(Key {
                slot: Slot(n),
                ..KeyList::NONE
            });
            let slots: Vec<u16> = list.as_slice().iter().map(|key| key.slot.0).collect();
            assert_eq!(slots, (0..=n).collect::<Vec<_>>());
        }
    }
}
