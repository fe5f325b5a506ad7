//! The state all parts of an open log share, and the order of its locks.
//!
//! Lock order (take only downwards): `sync` → `tail` → `drain` → `cuts` → `spares`, and
//! `floor` → `catalog` below all of these. The rest (`error`, listeners) are leaves. No listener is called with any of them held.

use crate::door::{Door, DoorFile};
use crate::error::{Error, Result};
use crate::events::{Events, Signal};
use crate::ring::Ring;
use crate::segment::{Catalog, Segment, SparseIndex};
use crate::types::{FsyncPolicy, LogEvent, LogState, Options, Retention};
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// A value on cache lines of its own.
#[repr(align(128))]
#[derive(Default)]
pub(crate) struct Padded<T>(pub(crate) T);

pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) door: Arc<dyn Door>,
    pub(crate) ring: Ring,

    pub(crate) front: Front,
    /// Ring position up to which frames are in segment files; written under `drain` only.
    pub(crate) drained: Padded<AtomicU64>,
    /// Everything before is on disk; written under `sync` only.
    pub(crate) synced: Padded<AtomicU64>,
    /// Bytes left in the largest spare; a hint for `admit`.
    pub(crate) spare_room: AtomicU64,

    /// Held through a sync: one at a time, which is what makes waiters share it.
    pub(crate) sync: Mutex<()>,
    pub(crate) drain: Mutex<Drain>,
    /// Where `append` went over to a next segment, oldest first; consumed by the drain.
    pub(crate) cuts: Mutex<VecDeque<Cut>>,
    /// Segment files made ahead of time.
    pub(crate) spares: Mutex<Spares>,
    pub(crate) catalog: RwLock<Catalog>,
    /// First offset of the segment that is being sealed; set under `catalog`.
    pub(crate) sealing: AtomicU64,

    pub(crate) floor: Mutex<Floor>,
    pub(crate) retention: Mutex<Retention>,
    policy: AtomicU8,
    pub(crate) replication_id: Mutex<[u8; 40]>,

    state: AtomicU8,
    error: Mutex<Option<String>>,
    pub(crate) events: Events,
    pub(crate) wake: Wake,
    pub(crate) stop: AtomicBool,
    pub(crate) stats: Stats,
    /// Keeps other processes out of the directory, until the log is closed or dropped.
    pub(crate) lock: Mutex<Option<Box<dyn Send + Sync>>>,
}

/// All that an append changes, on two neighbouring cache lines: threads that append in turn fetch them from each other.
#[repr(align(128))]
pub(crate) struct Front {
    /// The append lock: who holds it decides the order of frames.
    pub(crate) tail: Mutex<Tail>,
    /// Published end of the log; written under `tail` only.
    pub(crate) end: AtomicU64,
    /// Published ring position that goes with it.
    pub(crate) pos: AtomicU64,
    /// Bytes left in the segment being appended to; a hint for `admit`.
    pub(crate) room: AtomicU64,
}

const _: () = assert!(size_of::<Front>() == 128);

impl Front {
    /// End of the log, for who holds the append lock.
    pub(crate) fn end_of(&self, _: &Tail) -> u64 {
        self.end.load(Ordering::Relaxed)
    }

    /// Ring position of the log's end, for who holds the append lock.
    pub(crate) fn pos_of(&self, _: &Tail) -> u64 {
        self.pos.load(Ordering::Relaxed)
    }
}

/// What `append` changes.
pub(crate) struct Tail {
    /// Where in the segment's file the next frame will lie, and how far the segment may go.
    pub(crate) file_pos: u64,
    pub(crate) capacity: u64,
    pub(crate) index: Arc<SparseIndex>,
    /// File position from which the next index entry is due.
    pub(crate) index_due: u64,
    /// Database of the stream; `None` forces a SELECT.
    pub(crate) db: Option<u16>,
    /// `drained` as last seen: saves touching the shared cache line.
    pub(crate) drained_seen: u64,
    /// Position at which the writer is woken next.
    pub(crate) wake_at: u64,
    /// Whether the log was closed.
    pub(crate) closed: bool,
    pub(crate) appends: u64,
    pub(crate) appended_bytes: u64,
    pub(crate) waits: u64,
}

/// What moves bytes from the ring to files.
pub(crate) struct Drain {
    pub(crate) segment: Arc<Segment>,
    pub(crate) file_pos: u64,
    pub(crate) pos: u64,
    /// Full segments with bytes not synced yet.
    pub(crate) unsynced: Vec<Arc<Segment>>,
    /// A file was created or renamed since the directory was synced.
    pub(crate) dir_changed: bool,
}

/// A place where the stream goes over to the next segment.
pub(crate) struct Cut {
    pub(crate) pos: u64,
    pub(crate) first: u64,
    pub(crate) first_ms: u64,
    pub(crate) spare: Spare,
    pub(crate) index: Arc<SparseIndex>,
}

/// A preallocated file that will become a segment.
pub(crate) struct Spare {
    pub(crate) file: Arc<dyn DoorFile>,
    pub(crate) name: String,
    pub(crate) capacity: u64,
}

#[derive(Default)]
pub(crate) struct Spares {
    pub(crate) ready: Vec<Spare>,
    pub(crate) made: u64,
}

/// What must not be removed.
#[derive(Default)]
pub(crate) struct Floor {
    /// What the persisted checkpoint still needs; nothing goes before it was set.
    pub(crate) checkpoint: u64,
    pub(crate) holds: BTreeMap<u64, u64>,
    pub(crate) next_hold: u64,
}

impl Floor {
    pub(crate) fn needed_from(&self) -> u64 {
        self.holds.values().copied().fold(self.checkpoint, u64::min)
    }
}

/// One signal for each background role.
#[derive(Default)]
pub(crate) struct Wake {
    pub(crate) writer: Signal,
    pub(crate) syncer: Signal,
    pub(crate) keeper: Signal,
    pub(crate) sealer: Signal,
}

#[derive(Default)]
pub(crate) struct Stats {
    pub(crate) syncs: AtomicU64,
    pub(crate) fsyncs: AtomicU64,
    pub(crate) fsync_total_us: AtomicU64,
    pub(crate) fsync_last_us: AtomicU64,
    pub(crate) fsync_max_us: AtomicU64,
}

/// Everything recovery hands over to make a log live.
pub(crate) struct Parts {
    pub(crate) options: Options,
    pub(crate) door: Arc<dyn Door>,
    pub(crate) lock: Box<dyn Send + Sync>,
    pub(crate) ring: Ring,
    pub(crate) catalog: Catalog,
    pub(crate) active: Arc<Segment>,
    pub(crate) index: Arc<SparseIndex>,
    pub(crate) file_pos: u64,
    pub(crate) capacity: u64,
    pub(crate) end: u64,
    pub(crate) pos: u64,
    pub(crate) db: Option<u16>,
    pub(crate) replication_id: [u8; 40],
}

impl Shared {
    pub(crate) fn new(p: Parts) -> Shared {
        let tail = Tail {
            file_pos: p.file_pos,
            capacity: p.capacity,
            index: p.index,
            index_due: p.file_pos,
            db: p.db,
            drained_seen: p.pos,
            wake_at: p.pos + p.ring.size() / 4,
            closed: false,
            appends: 0,
            appended_bytes: 0,
            waits: 0,
        };
        let drain = Drain {
            segment: p.active,
            file_pos: p.file_pos,
            pos: p.pos,
            unsynced: Vec::new(),
            dir_changed: true,
        };
        Shared {
            spare_room: AtomicU64::new(0),
            front: Front {
                tail: Mutex::new(tail),
                end: AtomicU64::new(p.end),
                pos: AtomicU64::new(p.pos),
                room: AtomicU64::new(p.capacity - p.file_pos),
            },
            drained: Padded(AtomicU64::new(p.pos)),
            synced: Padded(AtomicU64::new(p.end)),
            sync: Mutex::new(()),
            drain: Mutex::new(drain),
            cuts: Mutex::default(),
            spares: Mutex::default(),
            catalog: RwLock::new(p.catalog),
            sealing: AtomicU64::new(crate::seal::NONE),
            floor: Mutex::default(),
            retention: Mutex::new(p.options.retention),
            policy: AtomicU8::new(p.options.fsync as u8),
            replication_id: Mutex::new(p.replication_id),
            state: AtomicU8::new(LogState::Ok as u8),
            error: Mutex::default(),
            events: Events::default(),
            wake: Wake::default(),
            stop: AtomicBool::new(false),
            stats: Stats::default(),
            ring: p.ring,
            door: p.door,
            options: p.options,
            lock: Mutex::new(Some(p.lock)),
        }
    }

    #[inline]
    pub(crate) fn state(&self) -> LogState {
        match self.state.load(Ordering::Relaxed) {
            x if x == LogState::Ok as u8 => LogState::Ok,
            x if x == LogState::Full as u8 => LogState::Full,
            _ => LogState::Poisoned,
        }
    }

    pub(crate) fn policy(&self) -> FsyncPolicy {
        match self.policy.load(Ordering::Relaxed) {
            x if x == FsyncPolicy::Always as u8 => FsyncPolicy::Always,
            x if x == FsyncPolicy::Everysec as u8 => FsyncPolicy::Everysec,
            _ => FsyncPolicy::No,
        }
    }

    pub(crate) fn set_policy(&self, policy: FsyncPolicy) {
        self.policy.store(policy as u8, Ordering::Relaxed);
        self.wake.syncer.raise();
    }

    /// Ends writing for good: after a failed write or fsync no one knows what is on disk.
    pub(crate) fn poison(&self, cause: &Error) {
        let text = cause.to_string();
        tracing::error!("binlog poisoned, writes are refused from now on: {text}");
        *self.error.lock() = Some(text);
        self.state.store(LogState::Poisoned as u8, Ordering::SeqCst);
        self.events.post(LogEvent::Poisoned);
        self.wake.writer.raise();
    }

    pub(crate) fn poisoned(&self) -> Error {
        Error::Poisoned(self.last_error().unwrap_or_default())
    }

    pub(crate) fn last_error(&self) -> Option<String> {
        self.error.lock().clone()
    }

    pub(crate) fn note_error(&self, cause: &Error) {
        tracing::warn!("{cause}");
        *self.error.lock() = Some(cause.to_string());
    }

    /// Goes to `Full`, or back to `Ok`. A poisoned log stays poisoned.
    pub(crate) fn set_full(&self, full: bool) {
        let (from, to, event) = if full {
            (LogState::Ok, LogState::Full, LogEvent::Full)
        } else {
            (LogState::Full, LogState::Ok, LogEvent::SpaceReturned)
        };
        let changed =
            self.state
                .compare_exchange(from as u8, to as u8, Ordering::SeqCst, Ordering::SeqCst);
        if changed.is_ok() {
            tracing::warn!(
                "binlog: {}",
                if full {
                    "no space left, writes are refused"
                } else {
                    "space returned"
                }
            );
            self.events.post(event);
            self.wake.writer.raise();
            self.wake.keeper.raise();
        }
    }

    /// Sorts a failed write: a full disk may recover, anything else poisons.
    pub(crate) fn write_failed(&self, e: Error) -> Error {
        if e.is_no_space() {
            self.set_full(true);
            Error::Full
        } else {
            self.poison(&e);
            self.poisoned()
        }
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.state() == LogState::Poisoned {
            Err(self.poisoned())
        } else {
            Ok(())
        }
    }
}
