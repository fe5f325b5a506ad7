//! One frame: its effects, applied together.
//!
//! Each effect has its own place: the bytes of the log that are its command. So a frame may hold effects on both
//! sides of a FLUSHDB, and of a frame that was applied in part before a crash the rest is applied.
//!
//! An effect is a command; it runs through its own handler, with no time past, so that it does what it did. What
//! it would log is thrown away. The guard of a record decides whether an effect is already in it; that is asked
//! where the slots are locked.
//!
//! Frames come in batches and are read some at a time, for the lookups of their keys to wait for memory together
//! (`Store::prefetch_hot`), as the commands of a pipeline do.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use basalt_binlog::Offset;
use basalt_resp::{ArgRanges, Args, Decoder, Encoder, Limits, Proto};
use basalt_tiering::{Admission, Key, KeyHash, NamespaceId, PinSet, Slot, StoreError, Tx, UnixMs};
use smallvec::SmallVec;

use super::{ApplyError, Place, Purpose};
use crate::commands::keyspace::KeyspaceCtx;
use crate::commands::{Command, Ctx, Handler, Outcome, REPLAY_CLOCK, Stop};
use crate::data::Data;
use crate::dispatch;
use crate::effects::Effects;
use crate::exec::{DataHandler, serve_all, serve_applied};
use crate::gate::Shared as InGate;
use crate::server::Server;

/// Between two looks for room, or two attempts to read from a disk that fails.
const PATIENCE: Duration = Duration::from_millis(2);
const RETRY: Duration = Duration::from_millis(500);
/// Frames read ahead.
const WINDOW: usize = 16;

/// Commands of a stream that carry no data.
const NO_DATA: [&[u8]; 6] = [
    b"ping",
    b"replconf",
    b"publish",
    b"spublish",
    b"multi",
    b"exec",
];

/// True for a command that a master sends and that changes no key.
#[must_use]
pub fn is_no_data(name: &[u8]) -> bool {
    NO_DATA.iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// Through which side of the gate frames are applied.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    /// A lane's own.
    Lane(usize),
    /// That of background jobs.
    Background,
}

/// One command of a frame.
#[derive(Default)]
struct Parsed {
    ranges: ArgRanges,
    bytes: Range<usize>,
    place: (Offset, Offset),
    db: u32,
    row: Option<&'static dispatch::Row>,
    /// Its keys, as a range of the frame's.
    keys: Range<usize>,
    /// Where its first argument belongs, if that was computed.
    coords: Option<(Slot, KeyHash)>,
}

/// What is applied to.
struct Target {
    server: Arc<Server>,
    data: Arc<Data>,
}

/// Applies frames, with memory that is reused from one to the next.
pub(super) struct FrameApplier {
    /// Its own, for no lane to write where others do.
    target: Arc<Target>,
    side: Side,
    purpose: Purpose,
    counted: Arc<AtomicU64>,
    /// The commands of each frame that was read ahead.
    window: Vec<Vec<Parsed>>,
    now: UnixMs,
    /// The namespace of a database at the place that was reached: until a frame that changes the map, or until somebody else
    /// does (it was read when the map had changed so often).
    known: Option<(u32, Option<NamespaceId>)>,
    changes: u64,
    /// What ends here or before is in the store.
    from: Offset,
    effects: Effects,
    pins: PinSet,
    reply: Vec<u8>,
}

/// What a frame asks for.
#[derive(PartialEq)]
enum Sort {
    Nothing,
    Keys,
    /// A change of the whole keyspace.
    Still,
}

/// The keys of a frame.
struct Keys<'a> {
    keys: SmallVec<[Key<'a>; 1]>,
    slots: SmallVec<[Slot; 1]>,
    /// Those whose state matters: not only overwritten.
    needed: Vec<Key<'a>>,
}

impl FrameApplier {
    pub(super) fn new(
        server: &Arc<Server>,
        data: &Arc<Data>,
        side: Side,
        purpose: Purpose,
        counted: &Arc<AtomicU64>,
        from: Offset,
    ) -> Self {
        FrameApplier {
            target: Arc::new(Target {
                server: Arc::clone(server),
                data: Arc::clone(data),
            }),
            side,
            purpose,
            counted: Arc::clone(counted),
            window: (0..WINDOW).map(|_| Vec::new()).collect(),
            now: UnixMs::now(),
            known: None,
            changes: 0,
            from,
            effects: Effects::default(),
            pins: PinSet::default(),
            reply: Vec::new(),
        }
    }

    /// Applies a frame; `stop` ends a wait.
    pub(super) fn apply(
        &mut self,
        payload: &[u8],
        place: Place,
        stop: &AtomicBool,
    ) -> Result<(), ApplyError> {
        self.apply_all(payload, &[(0..payload.len(), place)], stop)
    }

    /// Applies frames in order, which lie in `bytes`. None of several changes the databases: such a frame comes
    /// alone.
    pub(super) fn apply_all(
        &mut self,
        bytes: &[u8],
        frames: &[(Range<usize>, Place)],
        stop: &AtomicBool,
    ) -> Result<(), ApplyError> {
        let target = Arc::clone(&self.target);
        let mut window = std::mem::take(&mut self.window);
        self.known = None;
        let mut groups = frames.chunks(WINDOW);
        let done = groups.try_for_each(|group| {
            self.now = UnixMs::now();
            let counts = self.read_ahead(&target, bytes, group, &mut window)?;
            for (at, (range, place)) in group.iter().enumerate() {
                let commands = &mut window[at][..counts[at]];
                self.frame(&target, &bytes[range.clone()], *place, commands, stop)?;
            }
            Ok(())
        });
        self.window = window;
        done
    }

    /// Reads a few frames and prefetches what looking up their keys reads; returns how many commands each has.
    fn read_ahead(
        &self,
        target: &Target,
        bytes: &[u8],
        group: &[(Range<usize>, Place)],
        window: &mut [Vec<Parsed>],
    ) -> Result<[usize; WINDOW], ApplyError> {
        let mut counts = [0; WINDOW];
        let mut keys = SmallVec::<[Key<'_>; WINDOW]>::new();
        for (at, (range, place)) in group.iter().enumerate() {
            let payload = &bytes[range.clone()];
            counts[at] = self.parse(target, payload, *place, &mut window[at])?;
            for one in &mut window[at][..counts[at]] {
                let command = &payload[one.bytes.clone()];
                // The first argument is the key of nearly all.
                let Some(key) = Args::new(command, &one.ranges).get(1) else {
                    continue;
                };
                let key = target.data.store.key(one.db, key);
                one.coords = Some((key.slot, key.hash));
                if keys.len() < WINDOW {
                    keys.push(Key { bytes: &[], ..key });
                }
            }
        }
        if keys.len() > 1 {
            target.data.store.prefetch_hot(&keys);
        }
        Ok(counts)
    }

    fn frame(
        &mut self,
        target: &Target,
        payload: &[u8],
        place: Place,
        commands: &mut [Parsed],
        stop: &AtomicBool,
    ) -> Result<(), ApplyError> {
        let done = match sort(commands) {
            Sort::Nothing => Ok(()),
            Sort::Still => self.still(target, payload, place, commands, stop),
            Sort::Keys => self.on_keys(target, payload, place, commands, stop, true),
        };
        self.pins.clear();
        done
    }

    /// Reads the commands; returns how many there are.
    fn parse(
        &self,
        target: &Target,
        payload: &[u8],
        place: Place,
        parsed: &mut Vec<Parsed>,
    ) -> Result<usize, ApplyError> {
        let refused = |why: String| ApplyError::Refused(place.end, why);
        let limits = Limits {
            max_bulk_bytes: usize::MAX,
            max_args: usize::MAX,
            ..Limits::default()
        };
        let (mut db, mut at, mut count) = (place.db, 0, 0);
        while at < payload.len() {
            if parsed.len() == count {
                parsed.push(Parsed::default());
            }
            let one = &mut parsed[count];
            let decoded = Decoder::new().decode(&payload[at..], &limits, &mut one.ranges);
            let Ok(Some(len)) = decoded else {
                return Err(refused(format!("no command: {decoded:?}")));
            };
            let start = place.start.plus(at as u64);
            one.bytes = at..at + len;
            one.place = (start, start.plus(len as u64));
            at += len;
            let args = Args::new(&payload[one.bytes.clone()], &one.ranges);
            let name = args.get(0).unwrap_or_default();
            if name.eq_ignore_ascii_case(b"SELECT") {
                db = args
                    .get(1)
                    .and_then(basalt_resp::parse_i64)
                    .and_then(|n| u32::try_from(n).ok())
                    .ok_or_else(|| refused("it selects no database".to_owned()))?;
                continue;
            }
            if name.is_empty() || is_no_data(name) || one.place.1 <= self.from {
                continue;
            }
            if db >= target.data.store.databases() {
                return Err(refused(format!(
                    "database {db} is beyond this node's `databases`"
                )));
            }
            let row = dispatch::find_declared(&args)
                .ok_or_else(|| refused(format!("an unknown command: {args:?}")))?;
            if matches!(row.command.handler, Handler::Session(_)) || !row.command.fits(args.len()) {
                return Err(refused(format!("no effect: {args:?}")));
            }
            (one.db, one.row, one.coords) = (db, Some(row), None);
            count += 1;
        }
        Ok(count)
    }

    /// What the commands name; those of databases that were flushed since are left out.
    fn keys_of<'a>(&mut self, data: &Data, payload: &'a [u8], commands: &mut [Parsed]) -> Keys<'a> {
        let mut all = Keys {
            keys: SmallVec::new(),
            slots: SmallVec::new(),
            needed: Vec::new(),
        };
        let several = commands.len() > 1;
        for one in commands {
            let first = all.keys.len();
            let Some(row) = one.row else { continue };
            let Some(ns) = self.namespace(data, one.db, one.place.0) else {
                one.keys = first..first;
                continue;
            };
            let bytes = &payload[one.bytes.clone()];
            let args = Args::new(bytes, &one.ranges);
            // One alone says by itself what it needs.
            let needs = several && !is_blind(row.command, &args);
            row.command.for_each_key(&args, |index, _| {
                let arg = args.get(index).unwrap_or_default();
                // The same bytes again, but borrowed from the payload and not from the ranges.
                let at = arg.as_ptr() as usize - bytes.as_ptr() as usize;
                let arg = &bytes[at..at + arg.len()];
                let key = match one.coords {
                    Some((slot, hash)) if index == 1 => {
                        data.store.key_again(one.db, arg, slot, hash)
                    }
                    _ => data.store.key(one.db, arg),
                };
                let key = Key { ns, ..key };
                all.slots.push(key.slot);
                if needs {
                    all.needed.push(key);
                }
                all.keys.push(key);
            });
            one.keys = first..all.keys.len();
        }
        all.slots.sort_unstable();
        all.slots.dedup();
        all
    }

    /// The namespace that a database was at `offset`; none if it was flushed since.
    fn namespace(&mut self, data: &Data, db: u32, offset: Offset) -> Option<NamespaceId> {
        let changes = data.store.keyspace_changes();
        if changes != self.changes {
            (self.known, self.changes) = (None, changes);
        }
        match self.known {
            Some((known, ns)) if known == db => ns,
            _ => {
                let ns = data.store.namespace_at(db, offset);
                self.known = Some((db, ns));
                ns
            }
        }
    }

    /// Effects on keys, all under the locks of all their slots. `enters` says that the gate is still to be entered.
    fn on_keys(
        &mut self,
        target: &Target,
        payload: &[u8],
        place: Place,
        commands: &mut [Parsed],
        stop: &AtomicBool,
        enters: bool,
    ) -> Result<(), ApplyError> {
        let Target { server, data } = target;
        let mut keys = self.keys_of(data, payload, commands);
        if keys.keys.is_empty() {
            // Its databases were flushed since: it concerns nothing that is left.
            return Ok(());
        }
        let several = commands.len() > 1;
        if enters {
            self.await_room(data, stop)?;
        }
        loop {
            let mut pins = std::mem::take(&mut self.pins);
            let needed = {
                let gate = enters.then(|| enter(server, self.side));
                if data.store.keyspace_changes() != self.changes {
                    // A client of a writable replica changed the map before the gate was entered.
                    keys = self.keys_of(data, payload, commands);
                }
                let mut tx =
                    data.store
                        .begin_replay(&keys.slots, self.now, &pins, place.start, place.end);
                let resident = keys.needed.iter().all(|key| tx.is_resident(key));
                if resident && several && !keys.keys.iter().all(|key| tx.is_whole(key)) {
                    drop(tx);
                    drop(gate);
                    self.pins = pins;
                    return self.one_by_one(target, payload, place, commands, stop);
                }
                let needed = if resident {
                    self.run(target, &mut tx, payload, place, commands, &keys)?
                } else {
                    Some(keys.needed.clone())
                };
                drop(tx);
                if needed.is_none() && self.purpose == Purpose::Replica {
                    serve_applied(server, data, &keys.keys);
                }
                drop(gate);
                needed
            };
            let Some(needed) = needed else {
                self.pins = pins;
                self.counted
                    .fetch_add(commands.len() as u64, Ordering::Relaxed);
                return Ok(());
            };
            let loaded = self.load(data, &needed, &mut pins, stop);
            self.pins = pins;
            loaded?;
        }
    }

    /// Effects on large values of which pages are absent: any of them may meet one, also behind a change. Nobody sees
    /// the state in between, and if it gets to disk, its guard says which effects it holds.
    fn one_by_one(
        &mut self,
        target: &Target,
        payload: &[u8],
        place: Place,
        commands: &mut [Parsed],
        stop: &AtomicBool,
    ) -> Result<(), ApplyError> {
        let everybody = target.server.gate.exclusive();
        for one in commands {
            let one = std::slice::from_mut(one);
            self.on_keys(target, payload, place, one, stop, false)?;
        }
        drop(everybody);
        Ok(())
    }

    /// Runs the commands; keys come back that have to be loaded first, nothing was done then.
    fn run<'k>(
        &mut self,
        target: &Target,
        tx: &mut Tx<'_>,
        payload: &[u8],
        place: Place,
        commands: &[Parsed],
        keys: &Keys<'k>,
    ) -> Result<Option<Vec<Key<'k>>>, ApplyError> {
        for (at, one) in commands.iter().enumerate() {
            let own = &keys.keys[one.keys.clone()];
            let Some(row) = one.row else { continue };
            let Handler::Data(handler) = row.command.handler else {
                continue;
            };
            if own.is_empty() {
                continue;
            }
            let args = Args::new(&payload[one.bytes.clone()], &one.ranges);
            tx.replay_upto(one.place.1);
            match self.effect(&target.server, tx, handler, &args, own, one.db) {
                Ok(()) => {}
                // The record already holds this effect (its guard says so).
                Err(_) if tx.take_skipped() => {}
                // What it does not fit was deleted later: the deletion comes.
                Err(Stop::Error(_)) if target.data.store.may_hold(one.place.1) => {}
                Err(Stop::Fault) if at == 0 => return Ok(Some(own.to_vec())),
                Err(stop) => {
                    let why = format!("{args:?}: {stop:?}");
                    if !self.tolerates(&target.server, &stop) {
                        return Err(ApplyError::Refused(place.end, why));
                    }
                    tracing::error!(
                        offset = place.end.0,
                        "an effect does not fit this writable replica's own data: {why}"
                    );
                }
            }
        }
        Ok(None)
    }

    /// A replica that takes writes of its own may hold anything; as with Redis, that is its operator's affair.
    fn tolerates(&self, server: &Server, stop: &Stop) -> bool {
        matches!(stop, Stop::Error(_))
            && self.purpose == Purpose::Replica
            && !server.config.peek().replica_read_only
    }

    fn effect(
        &mut self,
        server: &Arc<Server>,
        tx: &mut Tx<'_>,
        handler: DataHandler,
        args: &Args<'_>,
        keys: &[Key<'_>],
        db: u32,
    ) -> Result<(), Stop> {
        self.reply.clear();
        self.effects.clear();
        let mut ctx = Ctx {
            server,
            args,
            keys,
            tx: &mut *tx,
            out: Encoder::new(&mut self.reply, Proto::Resp2),
            effects: &mut self.effects,
            db,
            now: REPLAY_CLOCK,
        };
        let done = handler(&mut ctx);
        // A read that failed is tried again like one that was not begun.
        if tx.take_failure().is_some() {
            return Err(Stop::Fault);
        }
        done
    }

    /// Loads keys. A replica whose disk fails tries again; it cannot go on without.
    fn load(
        &self,
        data: &Data,
        keys: &[Key<'_>],
        pins: &mut PinSet,
        stop: &AtomicBool,
    ) -> Result<(), ApplyError> {
        loop {
            let error: StoreError = match data.store.pin_blocking(keys, pins) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if self.purpose == Purpose::Recovery {
                return Err(ApplyError::Store(error.to_string()));
            }
            tracing::error!(%error, "a key of the replication stream cannot be read; trying again");
            pins.clear();
            pause(RETRY, stop)?;
        }
    }

    /// The budget holds on a replica too: it falls behind rather than grow.
    fn await_room(&self, data: &Data, stop: &AtomicBool) -> Result<(), ApplyError> {
        if self.purpose == Purpose::Recovery {
            return Ok(());
        }
        while data.store.admit_write() == Admission::Wait {
            pause(PATIENCE, stop)?;
        }
        Ok(())
    }

    /// Changes of the map of databases, and what stands beside them, while nobody else does anything.
    fn still(
        &mut self,
        target: &Target,
        payload: &[u8],
        place: Place,
        commands: &mut [Parsed],
        stop: &AtomicBool,
    ) -> Result<(), ApplyError> {
        self.await_room(&target.data, stop)?;
        let everybody = target.server.gate.exclusive();
        for one in commands {
            // What was known before a FLUSHDB does not hold behind it, though no change is counted if the store, which was
            // saved later, has it already.
            self.known = None;
            match one.row.map(|row| row.command.handler) {
                Some(Handler::Data(_)) => {
                    let one = std::slice::from_mut(one);
                    self.on_keys(target, payload, place, one, stop, false)?;
                }
                Some(Handler::Exclusive(handler)) => {
                    self.change_map(target, payload, one, handler)?
                }
                _ => return Err(ApplyError::Refused(place.end, "no effect".to_owned())),
            }
        }
        if self.purpose == Purpose::Replica {
            serve_all(&target.server, &target.data);
        }
        drop(everybody);
        Ok(())
    }

    fn change_map(
        &mut self,
        target: &Target,
        payload: &[u8],
        one: &Parsed,
        handler: fn(&mut KeyspaceCtx<'_>) -> Outcome,
    ) -> Result<(), ApplyError> {
        let (args, end) = (
            Args::new(&payload[one.bytes.clone()], &one.ranges),
            one.place.1,
        );
        self.reply.clear();
        self.effects.clear();
        let mut ctx = KeyspaceCtx {
            server: &target.server,
            args: &args,
            out: Encoder::new(&mut self.reply, Proto::Resp2),
            db: one.db,
            now: REPLAY_CLOCK,
            effects: &mut self.effects,
        };
        if let Err(stop) = handler(&mut ctx) {
            return Err(ApplyError::Refused(end, format!("{args:?}: {stop:?}")));
        }
        if let Some(change) = self.effects.take_map_change()
            && !target.data.store.knows_flush(end)
        {
            change.apply(&target.data.store, end);
        }
        self.counted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn enter(server: &Server, side: Side) -> InGate<'_> {
    match side {
        Side::Lane(number) => server.gate.enter_lane(number),
        Side::Background => server.gate.enter_background(),
    }
}

fn pause(time: Duration, stop: &AtomicBool) -> Result<(), ApplyError> {
    if stop.load(Ordering::Acquire) {
        return Err(ApplyError::Stopped);
    }
    std::thread::sleep(time);
    Ok(())
}

fn sort(commands: &[Parsed]) -> Sort {
    let is_still = |one: &Parsed| {
        one.row
            .is_some_and(|row| !matches!(row.command.handler, Handler::Data(_)))
    };
    if commands.is_empty() {
        Sort::Nothing
    } else if commands.iter().any(is_still) {
        Sort::Still
    } else {
        Sort::Keys
    }
}

/// True for an effect that names the whole new state of its key, so that the old one need not be looked at.
fn is_blind(command: &Command, args: &Args<'_>) -> bool {
    let absolute = || {
        args.get(3)
            .is_some_and(|word| word.eq_ignore_ascii_case(b"PXAT"))
    };
    command.name == "set" && (args.len() == 3 || (args.len() == 5 && absolute()))
}
