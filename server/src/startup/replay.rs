//! Replay: the tail of the log, applied to the store.
//!
//! ```text
//!   reader ─▶ one slot?  ─▶ lane (slot mod lanes) ─▶ decode, apply, in order
//!          └▶ many slots ─▶ wait until every lane is empty ─▶ apply here ─▶ go on
//! ```
//!
//! Each effect has its own place: the bytes of the log that are its command. So a frame may hold effects on both
//! sides of a FLUSHDB, and of a frame that was applied in part before a crash the rest is applied.
//!
//! An effect is a command; it runs through its own handler, with the frame's time as the clock, so that it
//! does what it did. What it would log is thrown away. The guard of a record decides whether an effect is
//! already in it; that is asked where the slots are locked (`apply_data`).

use std::time::Instant;

use anyhow::{Context, bail};
use basalt_binlog::{Binlog, Flags, FrameView, MANY_SLOTS, Offset};
use basalt_resp::{ArgRanges, Args, Decoder, Encoder, Limits, Proto};
use basalt_tiering::{PinSet, UnixMs};
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::commands::keyspace::KeyspaceCtx;
use crate::commands::{Ctx, Handler, REPLAY_CLOCK, Stop};
use crate::dispatch;
use crate::effects::Effects;
use crate::server::Server;
use std::sync::Arc;

/// Frames sent to a lane at a time.
const BATCH_BYTES: usize = 64 * 1024;
/// Batches a lane may be behind.
const LANE_BATCHES: usize = 16;

/// A frame on its way to a lane.
#[derive(Clone, Debug)]
struct Record {
    payload: std::ops::Range<usize>,
    place: Place,
}

/// Where a frame or one of its effects stands, and the database it begins in.
#[derive(Clone, Copy, Debug)]
struct Place {
    db: u32,
    start: Offset,
    end: Offset,
}

impl Place {
    fn of(frame: &FrameView<'_>) -> Place {
        Place {
            db: u32::from(frame.db),
            start: frame.start,
            end: frame.end,
        }
    }
}

#[derive(Debug, Default)]
struct Frames {
    bytes: Vec<u8>,
    records: Vec<Record>,
}

enum Work {
    Frames(Frames),
    /// Everything before this is applied: say so.
    Barrier(Sender<()>),
}

/// What replay did.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    bytes: u64,
    effects: u64,
}

/// Applies the log from the store's replay offset to its end.
pub(super) fn replay(
    server: &Arc<Server>,
    binlog: &Binlog,
    from: Offset,
    lanes: usize,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let lanes = lanes.max(1);
    let tally = std::thread::scope(|scope| {
        let mut senders = Vec::new();
        let mut threads = Vec::new();
        for _ in 0..lanes {
            let (sender, receiver) = bounded(LANE_BATCHES);
            senders.push(sender);
            threads.push(scope.spawn(move || lane(server, from, &receiver)));
        }
        let read = read_all(server, binlog, from, &senders);
        drop(senders);
        for thread in threads {
            thread
                .join()
                .map_err(|_| anyhow::anyhow!("a replay lane panicked"))??;
        }
        read
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    tracing::info!(
        bytes = tally.bytes,
        effects = tally.effects,
        seconds,
        "log replayed"
    );
    Ok(())
}

fn read_all(
    server: &Arc<Server>,
    binlog: &Binlog,
    from: Offset,
    lanes: &[Sender<Work>],
) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let mut waiting: Vec<Frames> = lanes.iter().map(|_| Frames::default()).collect();
    let mut applier = Applier::new(server, from);
    let mut reader = binlog.reader(from).context("cannot read the log")?;
    while let Some(frame) = reader.next().context("cannot read the log")? {
        tally.bytes += frame.payload.len() as u64;
        if frame.flags.has(Flags::NO_DATA) {
            continue;
        }
        tally.effects += u64::from(frame.effects);
        if frame.slot == MANY_SLOTS {
            for (lane, frames) in lanes.iter().zip(&mut waiting) {
                send(lane, frames)?;
            }
            barrier(lanes)?;
            applier.frame(frame.payload, Place::of(&frame))?;
            continue;
        }
        let index = usize::from(frame.slot) % lanes.len();
        add(&mut waiting[index], &frame);
        if waiting[index].bytes.len() >= BATCH_BYTES {
            send(&lanes[index], &mut waiting[index])?;
        }
    }
    for (lane, frames) in lanes.iter().zip(&mut waiting) {
        send(lane, frames)?;
    }
    Ok(tally)
}

fn add(frames: &mut Frames, frame: &FrameView<'_>) {
    let start = frames.bytes.len();
    frames.bytes.extend_from_slice(frame.payload);
    frames.records.push(Record {
        payload: start..frames.bytes.len(),
        place: Place::of(frame),
    });
}

fn send(lane: &Sender<Work>, frames: &mut Frames) -> anyhow::Result<()> {
    if frames.records.is_empty() {
        return Ok(());
    }
    lane.send(Work::Frames(std::mem::take(frames)))
        .map_err(|_| anyhow::anyhow!("a replay lane stopped"))
}

fn barrier(lanes: &[Sender<Work>]) -> anyhow::Result<()> {
    let (done, all_done) = bounded(lanes.len());
    for lane in lanes {
        lane.send(Work::Barrier(done.clone()))
            .map_err(|_| anyhow::anyhow!("a replay lane stopped"))?;
    }
    for _ in lanes {
        all_done.recv().context("a replay lane stopped")?;
    }
    Ok(())
}

fn lane(server: &Arc<Server>, from: Offset, work: &Receiver<Work>) -> anyhow::Result<()> {
    let mut applier = Applier::new(server, from);
    for work in work {
        match work {
            Work::Frames(frames) => {
                for record in frames.records {
                    applier.frame(&frames.bytes[record.payload], record.place)?;
                }
            }
            // Who waits at the barrier may have given up.
            Work::Barrier(done) => drop(done.send(())),
        }
    }
    Ok(())
}

/// Applies frames, with memory that is reused from one to the next.
struct Applier<'s> {
    server: &'s Arc<Server>,
    ranges: ArgRanges,
    effects: Effects,
    pins: PinSet,
    reply: Vec<u8>,
    /// What ends here or before is in the cold tier.
    from: Offset,
}

/// One effect and where it stands.
struct Effect<'a> {
    args: &'a Args<'a>,
    db: u32,
    place: Place,
}

impl<'s> Applier<'s> {
    fn new(server: &'s Arc<Server>, from: Offset) -> Self {
        Applier {
            server,
            ranges: ArgRanges::new(),
            effects: Effects::default(),
            pins: PinSet::default(),
            reply: Vec::new(),
            from,
        }
    }

    fn frame(&mut self, payload: &[u8], place: Place) -> anyhow::Result<()> {
        let (mut db, end) = (place.db, place.end);
        let limits = Limits {
            max_bulk_bytes: usize::MAX,
            max_args: usize::MAX,
            ..Limits::default()
        };
        let mut rest = payload;
        while !rest.is_empty() {
            let mut ranges = std::mem::take(&mut self.ranges);
            let decoded = Decoder::new().decode(rest, &limits, &mut ranges);
            let Ok(Some(len)) = decoded else {
                bail!("the log at offset {end} holds no command: {decoded:?}")
            };
            let start = place.start.plus((payload.len() - rest.len()) as u64);
            let own = Place {
                db,
                start,
                end: start.plus(len as u64),
            };
            let (command, next) = rest.split_at(len);
            let args = Args::new(command, &ranges);
            let name = args.get(0).unwrap_or_default();
            if name.eq_ignore_ascii_case(b"SELECT") {
                let selected = args
                    .get(1)
                    .and_then(basalt_resp::parse_i64)
                    .and_then(|n| u32::try_from(n).ok());
                db = selected
                    .with_context(|| format!("the log at offset {end} selects no database"))?;
            } else if !name.eq_ignore_ascii_case(b"MULTI")
                && !name.eq_ignore_ascii_case(b"EXEC")
                && own.end > self.from
            {
                self.effect(&Effect {
                    args: &args,
                    db,
                    place: own,
                })?;
            }
            self.ranges = ranges;
            rest = next;
        }
        Ok(())
    }

    fn effect(&mut self, effect: &Effect<'_>) -> anyhow::Result<()> {
        let Some(row) = dispatch::find_declared(effect.args) else {
            bail!(
                "the log at offset {} holds an unknown command: {:?}",
                effect.place.end,
                effect.args
            );
        };
        self.reply.clear();
        self.effects.clear();
        let stop = match row.command.handler {
            Handler::Data(handler) => self.apply_data(row, handler, effect)?,
            Handler::Keyspace(handler) | Handler::Exclusive(handler) => {
                let mut ctx = KeyspaceCtx {
                    server: self.server,
                    args: effect.args,
                    out: Encoder::new(&mut self.reply, Proto::Resp2),
                    db: effect.db,
                    now: REPLAY_CLOCK,
                    effects: &mut self.effects,
                };
                let stop = handler(&mut ctx).err();
                if let Some(change) = self.effects.take_map_change()
                    && !self.server.store.knows_flush(effect.place.end)
                {
                    change.apply(&self.server.store, effect.place.end);
                }
                stop
            }
            Handler::Session(_) => bail!(
                "the log at offset {} holds no effect: {:?}",
                effect.place.end,
                effect.args
            ),
        };
        match stop {
            None => Ok(()),
            Some(stop) => bail!(
                "the log at offset {} cannot be applied: {:?}: {stop:?}",
                effect.place.end,
                effect.args
            ),
        }
    }

    fn apply_data(
        &mut self,
        row: &dispatch::Row,
        handler: crate::exec::DataHandler,
        effect: &Effect<'_>,
    ) -> anyhow::Result<Option<Stop>> {
        let mut named = Vec::new();
        row.command
            .for_each_key(effect.args, |index, _| named.push(index));
        let [index] = named[..] else {
            bail!(
                "the effect at offset {} names {} keys, not one",
                effect.place.end,
                named.len()
            )
        };
        let bytes = &effect.args[index];
        // An effect on a database that was flushed since concerns nothing that is left.
        let Some(key) = self
            .server
            .store
            .key_at(effect.db, bytes, effect.place.start)
        else {
            return Ok(None);
        };
        self.pins.clear();
        loop {
            let Place { start, end, .. } = effect.place;
            let mut tx =
                self.server
                    .store
                    .begin_replay(&[key.slot], UnixMs::now(), &self.pins, start, end);
            let mut ctx = Ctx {
                server: self.server,
                args: effect.args,
                keys: &[key],
                tx: &mut tx,
                out: Encoder::new(&mut self.reply, Proto::Resp2),
                effects: &mut self.effects,
                db: effect.db,
                now: REPLAY_CLOCK,
            };
            let outcome = handler(&mut ctx);
            if tx.skipped() {
                // The record already holds this effect (its guard says so).
                return Ok(None);
            }
            if let Some(error) = tx.take_failure() {
                bail!("a key could not be read: {error}");
            }
            match outcome {
                Ok(()) => return Ok(None),
                Err(Stop::Fault) => {}
                Err(stop) => return Ok(Some(stop)),
            }
            drop(tx);
            self.server.store.pin_blocking(&[key], &mut self.pins)?;
        }
    }
}
