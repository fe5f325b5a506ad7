//! A binlog in memory and the host that writes it.
//!
//! Every effect is a frame of its own with a made-up length. [`Log::cut`] is a power cut: what was not
//! synced may be lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use basalt_tiering::{DeleteReason, Host, Offset, Slot, UnixMs};
use parking_lot::{Mutex, RwLock};

/// Where the log begins: not at zero, so that a zero somewhere is noticed.
const BEGIN: u64 = 1000;

/// One effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Set(u32, Vec<u8>, Vec<u8>, Option<UnixMs>),
    Append(u32, Vec<u8>, Vec<u8>),
    Expire(u32, Vec<u8>, Option<UnixMs>),
    Del(u32, Vec<u8>, Why),
    Flush(Vec<u32>),
    Swap(u32, u32),
}

/// Why a key was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Asked,
    /// It had expired by this clock.
    Expired(UnixMs),
    Evicted,
}

#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) start: Offset,
    pub(crate) end: Offset,
    pub(crate) effect: Effect,
}

/// The log.
#[derive(Debug)]
pub(crate) struct Log {
    frames: Mutex<Vec<Frame>>,
    end: AtomicU64,
    synced: AtomicU64,
    floor: AtomicU64,
}

impl Log {
    pub(crate) fn new() -> Arc<Log> {
        Arc::new(Log {
            frames: Mutex::new(Vec::new()),
            end: AtomicU64::new(BEGIN),
            synced: AtomicU64::new(BEGIN),
            floor: AtomicU64::new(0),
        })
    }

    /// Appends an effect; returns its end.
    pub(crate) fn append(&self, effect: Effect) -> Offset {
        let mut frames = self.frames.lock();
        let start = self.end.load(SeqCst);
        let end = start + 7 + frames.len() as u64 % 5;
        let frame = Frame {
            start: Offset(start),
            end: Offset(end),
            effect,
        };
        frames.push(frame);
        self.end.store(end, SeqCst);
        Offset(end)
    }

    /// Number of effects.
    pub(crate) fn len(&self) -> usize {
        self.frames.lock().len()
    }

    /// The effects from number `from` up to number `to`.
    pub(crate) fn frames(&self, from: usize, to: usize) -> Vec<Frame> {
        self.frames.lock()[from..to].to_vec()
    }

    /// The effects that a store which opened with `replay_from` has to replay.
    pub(crate) fn tail(&self, replay_from: Option<Offset>) -> Vec<Frame> {
        let from = replay_from.unwrap_or(Offset(BEGIN));
        let frames = self.frames.lock();
        let boundary =
            from.0 == self.end.load(SeqCst) || frames.iter().any(|frame| frame.start == from);
        assert!(
            boundary,
            "replay begins at {from:?}, inside a frame or beyond the end"
        );
        assert!(
            from.0 >= self.floor.load(SeqCst),
            "the log before the floor may be gone"
        );
        frames
            .iter()
            .filter(|frame| frame.start >= from)
            .cloned()
            .collect()
    }

    /// The power fails: what was not synced is lost from a frame on that `pick` chooses.
    pub(crate) fn cut(&self, pick: impl FnOnce(usize, usize) -> usize) {
        let mut frames = self.frames.lock();
        let synced = self.synced.load(SeqCst);
        let sure = frames.partition_point(|frame| frame.end.0 <= synced);
        let keep = pick(sure, frames.len());
        frames.truncate(keep);
        let end = frames.last().map_or(BEGIN, |frame| frame.end.0);
        self.end.store(end, SeqCst);
        self.synced.store(end, SeqCst);
        assert!(
            self.floor.load(SeqCst) <= end,
            "the floor lies behind the end"
        );
    }
}

/// The server around the store.
#[derive(Debug)]
pub(crate) struct FakeHost {
    pub(crate) log: Arc<Log>,
    pub(crate) gate: RwLock<()>,
    pub(crate) master: AtomicBool,
    /// The store knows that there is a log.
    durable: bool,
    /// What the store did against the rules; a background thread's panic would go unnoticed.
    violations: Mutex<Vec<String>>,
}

impl FakeHost {
    pub(crate) fn new(log: &Arc<Log>, durable: bool) -> Arc<FakeHost> {
        Arc::new(FakeHost {
            log: Arc::clone(log),
            gate: RwLock::new(()),
            master: AtomicBool::new(true),
            durable,
            violations: Mutex::new(Vec::new()),
        })
    }

    fn rule(&self, kept: bool, rule: &str) {
        if !kept {
            self.violations.lock().push(rule.to_owned());
        }
    }

    /// Panics if a rule was broken.
    pub(crate) fn check_rules(&self) {
        let violations = self.violations.lock();
        assert!(violations.is_empty(), "{violations:?}");
    }
}

impl Host for FakeHost {
    fn log_end(&self) -> Offset {
        Offset(self.log.end.load(SeqCst))
    }

    fn sync_log(&self, upto: Offset) -> Result<(), String> {
        self.rule(upto <= self.log_end(), "synced beyond the end of the log");
        self.log.synced.fetch_max(upto.0, SeqCst);
        Ok(())
    }

    fn log_deletes(&self, db: u32, slot: Slot, keys: &[&[u8]], reason: DeleteReason) {
        self.rule(self.is_master(), "a replica deletes nothing by itself");
        for key in keys {
            assert_eq!(Slot::of(key), slot);
            let why = match reason {
                DeleteReason::Expired => Why::Expired(UnixMs::now()),
                DeleteReason::Evicted => Why::Evicted,
            };
            self.log.append(Effect::Del(db, key.to_vec(), why));
        }
    }

    fn deleted(&self, _: u32, _: &[u8]) {}

    fn log_field_deletes(&self, _: u32, _: Slot, _: &[u8], _: &[Vec<u8>]) {
        unreachable!("these tests have no hashes whose fields expire");
    }

    fn is_master(&self) -> bool {
        self.master.load(SeqCst)
    }

    fn with_gate(&self, work: &mut dyn FnMut()) {
        let _shared = self.gate.read_recursive();
        work();
    }

    fn persisted(&self, replay: Offset) {
        self.rule(replay <= self.log_end(), "the floor lies behind the end");
        self.rule(
            !self.durable || replay.0 <= self.log.synced.load(SeqCst),
            "rule 1: log before data",
        );
        let before = self.log.floor.fetch_max(replay.0, SeqCst);
        self.rule(before <= replay.0, "the replay offset went back");
    }
}
