//! The gate between ordinary commands and those that need the whole keyspace still.
//!
//! Every worker holds its own read lock while it runs commands, so that the shared side touches no cache
//! line of another worker. Who needs exclusion takes all write locks, in order, after a mutex that keeps
//! two such callers from meeting half-way.
//!
//! Invariant: a thread that holds its shared side never asks for exclusion (it would wait for itself).

use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Index of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerId(pub u16);

/// One worker's lock, alone on its cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane(RwLock<()>);

/// See the module's text.
#[derive(Debug)]
pub struct Gate {
    turn: Mutex<()>,
    lanes: Box<[Lane]>,
    workers: usize,
}

/// A worker runs commands while it holds this.
#[derive(Debug)]
pub struct Shared<'a>(#[allow(dead_code, reason = "held for its drop")] RwLockReadGuard<'a, ()>);

/// Nobody else runs commands while this is held.
#[derive(Debug)]
pub struct Exclusive<'a> {
    #[allow(
        dead_code,
        reason = "held for its drop; the lanes open before the turn passes on"
    )]
    lanes: Vec<RwLockWriteGuard<'a, ()>>,
    #[allow(dead_code, reason = "held for its drop")]
    turn: MutexGuard<'a, ()>,
}

impl Gate {
    /// A gate for `workers` workers, as many threads that apply a log, and one lane more for everybody else
    /// (background jobs).
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Gate {
            turn: Mutex::new(()),
            lanes: (0..=2 * workers).map(|_| Lane::default()).collect(),
            workers,
        }
    }

    /// Enters the shared side of `worker`; never across an `await`.
    #[must_use]
    pub fn enter(&self, worker: WorkerId) -> Shared<'_> {
        Shared(self.lanes[usize::from(worker.0)].0.read())
    }

    /// Enters the shared side of the lane `number` that applies a log.
    #[must_use]
    pub fn enter_lane(&self, number: usize) -> Shared<'_> {
        Shared(self.lanes[self.workers + number % self.workers].0.read())
    }

    /// Enters the shared side from a thread that is no worker.
    #[must_use]
    pub fn enter_background(&self) -> Shared<'_> {
        Shared(self.lanes[self.lanes.len() - 1].0.read())
    }

    /// Waits until every lane is empty and keeps them so.
    #[must_use]
    pub fn exclusive(&self) -> Exclusive<'_> {
        let turn = self.turn.lock();
        Exclusive {
            lanes: self.lanes.iter().map(|lane| lane.0.write()).collect(),
            turn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI32, Ordering};

    #[test]
    fn exclusive_excludes_every_lane_and_other_exclusives() {
        let gate = Gate::new(2);
        let inside = AtomicI32::new(0);
        std::thread::scope(|scope| {
            for worker in 0..2u16 {
                let (gate, inside) = (&gate, &inside);
                scope.spawn(move || {
                    for _ in 0..2000 {
                        let _shared = gate.enter(WorkerId(worker));
                        assert!(inside.load(Ordering::SeqCst) == 0);
                    }
                });
            }
            for _ in 0..2 {
                let (gate, inside) = (&gate, &inside);
                scope.spawn(move || {
                    for _ in 0..200 {
                        let _all = gate.exclusive();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
    }
}
