//! One frame: its effects, applied together.
//!
//! Each effect has its own place: the bytes of the log that are its command. So a frame may hold effects on both
//! sides of a FLUSHDB, and of a frame that was applied in part before a crash the rest is applied.
//!
//! An effect is a command; it runs through its own handler, with no time past, so that it does what it did. What
//! it would log is thrown away. The guard of a record decides whether an effect is already in it; that is asked
//! where the slots are locked.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use basalt_binlog::Offset;
use basalt_resp::{ArgRanges, Args, Decoder, Encoder, Limits, Proto};
use basalt_tiering::{Admission, Key, PinSet, Slot, StoreError, Tx, UnixMs};

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
}

/// Applies frames, with memory that is reused from one to the next.
pub(super) struct FrameApplier {
    server: Arc<Server>,
    data: Arc<Data>,
    side: Side,
    purpose: Purpose,
    counted: Arc<AtomicU64>,
    parsed: Vec<Parsed>,
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
    keys: Vec<Key<'a>>,
    slots: Vec<Slot>,
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
            server: Arc::clone(server),
            data: Arc::clone(data),
            side,
            purpose,
            counted: Arc::clone(counted),
            parsed: Vec::new(),
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
        let mut parsed = std::mem::take(&mut self.parsed);
        let done = self.parse(payload, place, &mut parsed).and_then(|count| {
            let commands = &mut parsed[..count];
            match sort(commands) {
                Sort::Nothing => Ok(()),
                Sort::Still => self.still(payload, place, commands, stop),
                Sort::Keys => self.on_keys(payload, place, commands, stop, true),
            }
        });
        self.parsed = parsed;
        self.pins.clear();
        done
    }

    /// Reads the commands; returns how many there are.
    fn parse(
        &self,
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
            if db >= self.data.store.databases() {
                return Err(refused(format!(
                    "database {db} is beyond this node's `databases`"
                )));
            }
            let row = dispatch::find_declared(&args)
                .ok_or_else(|| refused(format!("an unknown command: {args:?}")))?;
            if matches!(row.command.handler, Handler::Session(_)) || !row.command.fits(args.len()) {
                return Err(refused(format!("no effect: {args:?}")));
            }
            (one.db, one.row) = (db, Some(row));
            count += 1;
        }
        Ok(count)
    }

    /// Effects on keys, all under the locks of all their slots. `enters` says that the gate is still to be entered.
    fn on_keys(
        &mut self,
        payload: &[u8],
        place: Place,
        commands: &mut [Parsed],
        stop: &AtomicBool,
        enters: bool,
    ) -> Result<(), ApplyError> {
        let data = Arc::clone(&self.data);
        let server = Arc::clone(&self.server);
        let mut keys = keys_of(&data, payload, commands);
        if keys.keys.is_empty() {
            // Its databases were flushed since: it concerns nothing that is left.
            return Ok(());
        }
        let several = commands.len() > 1;
        if !several {
            // It says by itself what it needs.
            keys.needed.clear();
        }
        if enters {
            self.await_room(stop)?;
        }
        loop {
            let mut pins = std::mem::take(&mut self.pins);
            let needed = {
                let gate = enters.then(|| enter(&server, self.side));
                let mut tx = data.store.begin_replay(
                    &keys.slots,
                    UnixMs::now(),
                    &pins,
                    place.start,
                    place.end,
                );
                let resident = keys.needed.iter().all(|key| tx.is_resident(key));
                if resident && several && !keys.keys.iter().all(|key| tx.is_whole(key)) {
                    drop(tx);
                    drop(gate);
                    self.pins = pins;
                    return self.one_by_one(payload, place, commands, stop);
                }
                let needed = if resident {
                    self.run(&mut tx, payload, place, commands, &keys)?
                } else {
                    Some(keys.needed.clone())
                };
                drop(tx);
                if needed.is_none() && self.purpose == Purpose::Replica {
                    serve_applied(&server, &data, &keys.keys);
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
            let loaded = self.load(&data, &needed, &mut pins, stop);
            self.pins = pins;
            loaded?;
        }
    }

    /// Effects on large values of which pages are absent: any of them may meet one, also behind a change. Nobody sees
    /// the state in between, and if it gets to disk, its guard says which effects it holds.
    fn one_by_one(
        &mut self,
        payload: &[u8],
        place: Place,
        commands: &mut [Parsed],
        stop: &AtomicBool,
    ) -> Result<(), ApplyError> {
        let server = Arc::clone(&self.server);
        let everybody = server.gate.exclusive();
        for one in commands {
            self.on_keys(payload, place, std::slice::from_mut(one), stop, false)?;
        }
        drop(everybody);
        Ok(())
    }

    /// Runs the commands; keys come back that have to be loaded first, nothing was done then.
    fn run<'k>(
        &mut self,
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
            match self.effect(tx, handler, &args, own, one.db) {
                Ok(()) => {}
                // The record already holds this effect (its guard says so).
                Err(_) if tx.take_skipped() => {}
                Err(Stop::Fault) if at == 0 => return Ok(Some(own.to_vec())),
                Err(stop) => {
                    let why = format!("{args:?}: {stop:?}");
                    if !self.tolerates(&stop) {
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
    fn tolerates(&self, stop: &Stop) -> bool {
        matches!(stop, Stop::Error(_))
            && self.purpose == Purpose::Replica
            && !self.server.config.peek().replica_read_only
    }

    fn effect(
        &mut self,
        tx: &mut Tx<'_>,
        handler: DataHandler,
        args: &Args<'_>,
        keys: &[Key<'_>],
        db: u32,
    ) -> Result<(), Stop> {
        self.reply.clear();
        self.effects.clear();
        let mut ctx = Ctx {
            server: &self.server,
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
    fn await_room(&self, stop: &AtomicBool) -> Result<(), ApplyError> {
        if self.purpose == Purpose::Recovery {
            return Ok(());
        }
        while self.data.store.admit_write() == Admission::Wait {
            pause(PATIENCE, stop)?;
        }
        Ok(())
    }

    /// Changes of the map of databases, and what stands beside them, while nobody else does anything.
    fn still(
        &mut self,
        payload: &[u8],
        place: Place,
        commands: &mut [Parsed],
        stop: &AtomicBool,
    ) -> Result<(), ApplyError> {
        self.await_room(stop)?;
        let server = Arc::clone(&self.server);
        let everybody = server.gate.exclusive();
        for one in commands {
            match one.row.map(|row| row.command.handler) {
                Some(Handler::Data(_)) => {
                    self.on_keys(payload, place, std::slice::from_mut(one), stop, false)?;
                }
                Some(Handler::Exclusive(handler)) => self.change_map(payload, one, handler)?,
                _ => return Err(ApplyError::Refused(place.end, "no effect".to_owned())),
            }
        }
        if self.purpose == Purpose::Replica {
            serve_all(&server, &self.data);
        }
        drop(everybody);
        Ok(())
    }

    fn change_map(
        &mut self,
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
            server: &self.server,
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
            && !self.data.store.knows_flush(end)
        {
            change.apply(&self.data.store, end);
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

fn keys_of<'a>(data: &Data, payload: &'a [u8], commands: &mut [Parsed]) -> Keys<'a> {
    let mut all = Keys {
        keys: Vec::with_capacity(commands.len()),
        slots: Vec::with_capacity(commands.len()),
        needed: Vec::new(),
    };
    for one in commands {
        let first = all.keys.len();
        let Some(row) = one.row else { continue };
        let bytes = &payload[one.bytes.clone()];
        let args = Args::new(bytes, &one.ranges);
        let blind = is_blind(row.command, &args);
        row.command.for_each_key(&args, |index, _| {
            let arg = args.get(index).unwrap_or_default();
            // The same bytes again, but borrowed from the payload and not from the ranges.
            let at = arg.as_ptr() as usize - bytes.as_ptr() as usize;
            let arg = &bytes[at..at + arg.len()];
            if let Some(key) = data.store.key_at(one.db, arg, one.place.0) {
                all.slots.push(key.slot);
                if !blind {
                    all.needed.push(key);
                }
                all.keys.push(key);
            }
        });
        one.keys = first..all.keys.len();
    }
    all.slots.sort_unstable();
    all.slots.dedup();
    all
}
