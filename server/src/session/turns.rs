//! Turns: pipelines that work on the same key alternate as wholes, not command by command.
//!
//! Two workers with pipelines on one key take its slot's lock from each other at every command: the key's memory goes
//! back and forth between their processors, and who finds the lock taken is put to sleep and woken for a few hundred
//! nanoseconds of work. With a turn a batch has the key to itself, and the others wait once per batch; but not for long
//! ([`TURN_MOST`]), since they wait with their worker's other clients.
//!
//! A turn is taken before any lock and by batches only, one each, and never waited for with anything else held that a
//! holder could want. It protects nothing: the slots' locks do.

use std::time::Duration;

use basalt_tiering::Slot;
use parking_lot::{Mutex, MutexGuard};

/// Slots share turns; two hot ones seldom meet.
const TURNS: usize = 1024;

/// A turn ends after the command with which it lasted this long: slow commands alternate one by one.
pub const TURN_MOST: Duration = Duration::from_micros(500);

/// About as long as a pipeline takes: being woken takes as long again.
const SPINS: usize = 50;

/// A turn to itself in a cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Turn(Mutex<()>);

/// See the module's text.
#[derive(Debug)]
pub struct Turns(Box<[Turn]>);

impl Default for Turns {
    fn default() -> Turns {
        Turns((0..TURNS).map(|_| Turn::default()).collect())
    }
}

impl Turns {
    /// Waits for the turn of a slot. Asks for a while before it sleeps. With 50 clients and pipelines of 16 on
    /// one key turns gave 2 to 13 % more writes per second on two cores (LPUSH 13, HSET 9, SADD 2).
    #[inline]
    pub fn take(&self, slot: Slot) -> MutexGuard<'_, ()> {
        let turn = &self.0[slot.index() % TURNS].0;
        for _ in 0..SPINS {
            if let Some(guard) = turn.try_lock() {
                return guard;
            }
            for _ in 0..8 {
                std::hint::spin_loop();
            }
        }
        turn.lock()
    }
}
