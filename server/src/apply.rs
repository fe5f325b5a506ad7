//! Applying a log to the store: its tail at a start, and what a master sends to a replica.
//!
//! ```text
//!   frames ─▶ one slot?  ─▶ lane (slot mod lanes) ─▶ decode, apply, in order
//!          └▶ many slots ─▶ wait until every lane is empty ─▶ apply here ─▶ go on
//! ```
//!
//! All frames of a slot are applied by the same thread, in order; a frame over several slots is a barrier.
//! What a frame holds is applied as a whole, under the locks of all its slots (`frame`), so no reader sees half
//! of a transaction and nothing spilled in between is half done.
//!
//! *Applied* is the offset before which nothing is missing. A lane may be ahead of it; its slots know how far
//! (`basalt_tiering`, the guard of a slot), so what is written to the cold tier meanwhile has the right guard.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use basalt_binlog::{Flags, FrameView, MANY_SLOTS, Offset};
use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::{Condvar, Mutex};

use crate::data::Data;
use crate::server::Server;

mod frame;

pub use frame::is_no_data;
use frame::{FrameApplier, Side};

/// Frames sent to a lane at a time.
const BATCH_BYTES: usize = 64 * 1024;
/// Batches a lane may be behind.
const LANE_BATCHES: usize = 16;
/// So few frames are applied at once where they are, if the lanes have nothing to do: to hand them over and wait
/// would take longer.
const FEW: usize = 128;

/// Why a log cannot be applied.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApplyError {
    /// It holds what this node cannot make anything of, or what does not fit the state it is applied to.
    #[error("the log at offset {0} cannot be applied: {1}")]
    Refused(Offset, String),
    /// The keys or the disk cannot be reached.
    #[error("{0}")]
    Store(String),
    /// Whoever applied it was told to stop.
    #[error("stopped")]
    Stopped,
}

/// Where a frame stands, and what its effects need to know of it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The database it begins in.
    pub db: u32,
    /// Offset of its first byte.
    pub start: Offset,
    /// Offset behind its last byte.
    pub end: Offset,
}

/// A frame to be applied.
#[derive(Clone, Copy, Debug)]
pub struct ToApply<'a> {
    /// Its commands.
    pub payload: &'a [u8],
    /// Where it stands.
    pub place: Place,
    /// Its slot, or [`MANY_SLOTS`].
    pub slot: u16,
    /// It only consumes offsets.
    pub no_data: bool,
}

impl<'a> From<&FrameView<'a>> for ToApply<'a> {
    fn from(frame: &FrameView<'a>) -> Self {
        ToApply {
            payload: frame.payload,
            place: Place {
                db: u32::from(frame.db),
                start: frame.start,
                end: frame.end,
            },
            slot: frame.slot,
            no_data: frame.flags.has(Flags::NO_DATA),
        }
    }
}

/// Who applies, which decides what is done about an effect that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A start: nobody is served yet, and anything wrong ends it.
    Recovery,
    /// A replica: clients read meanwhile; memory is waited for, a disk that fails is tried again.
    Replica,
}

/// Frames on their way to a lane.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    frames: Vec<(std::ops::Range<usize>, Place)>,
}

/// What the lanes and whoever feeds them share.
pub struct Shared {
    data: Arc<Data>,
    /// Everything before this was handed to the lanes, or applied.
    handed: AtomicU64,
    /// First offsets of the batches each lane has yet to finish, in order.
    open: Vec<Mutex<VecDeque<u64>>>,
    /// Signalled whenever a lane has finished a batch.
    progress: Mutex<()>,
    progressed: Condvar,
    failed: Mutex<Option<ApplyError>>,
    stop: AtomicBool,
    /// Called with the applied offset whenever it has moved.
    advanced: Box<dyn Fn(Offset) + Send + Sync>,
}

impl Shared {
    /// Computes how far everything is applied, and tells it.
    fn note_progress(&self) {
        // In this order: what is handed over later begins later.
        let mut applied = self.handed.load(Ordering::Acquire);
        for open in &self.open {
            if let Some(first) = open.lock().front() {
                applied = applied.min(*first);
            }
        }
        self.data.log.progress.advance(Offset(applied));
        (self.advanced)(self.data.log.progress.applied());
        drop(self.progress.lock());
        self.progressed.notify_all();
    }

    /// Everything handed over is applied.
    fn is_idle(&self) -> bool {
        self.open.iter().all(|open| open.lock().is_empty())
    }

    fn fail(&self, error: ApplyError) {
        if !matches!(error, ApplyError::Stopped) {
            self.failed.lock().get_or_insert(error);
        }
        self.stop.store(true, Ordering::Release);
        drop(self.progress.lock());
        self.progressed.notify_all();
    }

    fn check(&self) -> Result<(), ApplyError> {
        if !self.stop.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(self.failed.lock().clone().unwrap_or(ApplyError::Stopped))
    }
}

/// A switch that ends an applier that waits for something.
#[derive(Clone)]
pub struct StopSwitch(Arc<Shared>);

impl StopSwitch {
    /// Has the applier stop where it is. What is in the log and not applied stays so until the log is applied
    /// anew.
    pub fn stop(&self) {
        self.0.fail(ApplyError::Stopped);
    }
}

/// See the module's text.
pub struct Applier {
    shared: Arc<Shared>,
    senders: Vec<Sender<Batch>>,
    threads: Vec<JoinHandle<()>>,
    waiting: Vec<Batch>,
    own: FrameApplier,
    /// Effects applied so far, those of lanes not counted before they end.
    pub effects: Arc<AtomicU64>,
    /// End of the last frame pushed.
    pushed: Offset,
}

impl Applier {
    /// Begins with lanes for the frames from `from` on; `advanced` is called as the applied offset moves.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(
        server: &Arc<Server>,
        data: &Arc<Data>,
        from: Offset,
        purpose: Purpose,
        advanced: Box<dyn Fn(Offset) + Send + Sync>,
    ) -> std::io::Result<Applier> {
        let lanes = server.workers.max(1);
        let shared = Arc::new(Shared {
            data: Arc::clone(data),
            handed: AtomicU64::new(from.0),
            open: (0..lanes).map(|_| Mutex::default()).collect(),
            progress: Mutex::new(()),
            progressed: Condvar::new(),
            failed: Mutex::new(None),
            stop: AtomicBool::new(false),
            advanced,
        });
        let effects = Arc::new(AtomicU64::new(0));
        let mut applier = Applier {
            own: FrameApplier::new(server, data, Side::Background, purpose, &effects, from),
            senders: Vec::new(),
            threads: Vec::new(),
            waiting: (0..lanes).map(|_| Batch::default()).collect(),
            shared,
            effects,
            pushed: from,
        };
        for number in 0..lanes {
            let (sender, receiver) = bounded(LANE_BATCHES);
            let frames = FrameApplier::new(
                server,
                data,
                Side::Lane(number),
                purpose,
                &applier.effects,
                from,
            );
            let shared = Arc::clone(&applier.shared);
            let thread = std::thread::Builder::new()
                .name(format!("apply-{number}"))
                .spawn(move || lane(&shared, number, frames, &receiver))?;
            applier.senders.push(sender);
            applier.threads.push(thread);
        }
        Ok(applier)
    }

    /// Takes a frame; it may be applied later.
    ///
    /// # Errors
    /// This frame or an earlier one cannot be applied.
    pub fn push(&mut self, frame: &ToApply<'_>) -> Result<(), ApplyError> {
        self.pushed = frame.place.end;
        if frame.no_data {
            return Ok(());
        }
        if frame.slot == MANY_SLOTS {
            self.barrier()?;
            let done = self
                .own
                .apply(frame.payload, frame.place, &self.shared.stop);
            return done.inspect_err(|error| self.shared.fail(error.clone()));
        }
        let lane = usize::from(frame.slot) % self.waiting.len();
        let batch = &mut self.waiting[lane];
        let start = batch.bytes.len();
        batch.bytes.extend_from_slice(frame.payload);
        batch.frames.push((start..batch.bytes.len(), frame.place));
        if batch.bytes.len() >= BATCH_BYTES {
            self.send(lane)?;
        }
        Ok(())
    }

    fn send(&mut self, lane: usize) -> Result<(), ApplyError> {
        let batch = std::mem::take(&mut self.waiting[lane]);
        let Some((_, first)) = batch.frames.first() else {
            return Ok(());
        };
        self.shared.open[lane].lock().push_back(first.start.0);
        if self.senders[lane].send(batch).is_ok() {
            return Ok(());
        }
        self.shared.check()?;
        Err(ApplyError::Stopped)
    }

    /// Applies the few frames that wait, if the lanes are idle; else hands them over.
    fn settle_waiting(&mut self) -> Result<(), ApplyError> {
        let few = self
            .waiting
            .iter()
            .map(|batch| batch.frames.len())
            .sum::<usize>()
            <= FEW;
        if few && self.shared.is_idle() {
            return self.apply_waiting();
        }
        for lane in 0..self.waiting.len() {
            self.send(lane)?;
        }
        Ok(())
    }

    fn apply_waiting(&mut self) -> Result<(), ApplyError> {
        let Applier {
            waiting,
            own,
            shared,
            ..
        } = self;
        for batch in waiting {
            own.apply_all(&batch.bytes, &batch.frames, &shared.stop)
                .inspect_err(|error| shared.fail(error.clone()))?;
            batch.frames.clear();
            batch.bytes.clear();
        }
        Ok(())
    }

    /// Hands over everything that was pushed.
    ///
    /// # Errors
    /// A frame cannot be applied.
    pub fn flush(&mut self) -> Result<(), ApplyError> {
        self.shared.check()?;
        self.settle_waiting()?;
        self.shared.handed.store(self.pushed.0, Ordering::Release);
        self.shared.note_progress();
        Ok(())
    }

    /// Waits until everything that was pushed is applied.
    ///
    /// # Errors
    /// A frame cannot be applied.
    pub fn barrier(&mut self) -> Result<(), ApplyError> {
        self.settle_waiting()?;
        let shared = &*self.shared;
        let mut turn = shared.progress.lock();
        loop {
            shared.check()?;
            if shared.is_idle() {
                return Ok(());
            }
            shared.progressed.wait(&mut turn);
        }
    }

    /// A switch to end it from another thread.
    #[must_use]
    pub fn stop_switch(&self) -> StopSwitch {
        StopSwitch(Arc::clone(&self.shared))
    }

    /// Waits until everything is applied and ends.
    ///
    /// # Errors
    /// A frame cannot be applied.
    pub fn finish(mut self) -> Result<(), ApplyError> {
        let done = self.barrier().and_then(|()| self.flush());
        drop(self);
        done
    }
}

impl Drop for Applier {
    fn drop(&mut self) {
        self.senders.clear();
        self.shared.stop.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            // A panic there was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

fn lane(shared: &Shared, number: usize, mut frames: FrameApplier, batches: &Receiver<Batch>) {
    for batch in batches {
        let done = shared
            .check()
            .and_then(|()| frames.apply_all(&batch.bytes, &batch.frames, &shared.stop));
        if let Err(error) = done {
            // What is open stays open: nothing behind it counts as applied.
            return shared.fail(error);
        }
        shared.open[number].lock().pop_front();
        shared.note_progress();
    }
}
