//! Turns: pipelines that work on the same key alternate between workers in waves, not command by command.
//!
//! Two workers with pipelines on one key take its slot's lock from each other at every command: the key's memory goes
//! back and forth between their processors, and who finds the lock taken is put to sleep and woken for a few hundred
//! nanoseconds of work. With a turn a worker has the key to itself: for one batch, and for those of its other sessions
//! that want the same and come next, until the first of them goes on to write its replies. Who finds the turn taken
//! waits as for input: its worker reads, writes, and serves other clients meanwhile.
//!
//! A turn protects nothing: the slots' locks do. It must not be in the way of anything else, so it is waited for with
//! nothing held, outside the gate (inside it is only asked for), and given up before its session waits for anything.
//! If it does not come, since the worker whose turn it is has something long to do, all go without for a while.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use basalt_tiering::Slot;
use quanta::Instant;
use tokio::sync::{Mutex, MutexGuard, Notify};

/// Slots share turns; two hot ones seldom meet.
const TURNS: usize = 1024;

/// A turn ends after the command with which it lasted this long: slow commands alternate one by one.
const TURN_MOST: Duration = Duration::from_millis(2);

/// Longest wait for a turn: that of many workers.
const PATIENCE: Duration = Duration::from_millis(50);
/// For so long nobody waits then.
const WITHOUT: Duration = Duration::from_secs(1);

/// A turn to itself in a cache line.
#[repr(align(128))]
struct Turn(Mutex<()>);

static ALL: [Turn; TURNS] = [const { Turn(Mutex::const_new(())) }; TURNS];

/// Which turn, for slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number(usize);

impl Number {
    fn of(slot: Slot) -> Number {
        Number(slot.index() % TURNS)
    }

    fn turn(self) -> &'static Mutex<()> {
        &ALL[self.0].0
    }
}

#[derive(Debug)]
struct Held {
    number: Number,
    began: Instant,
    _guard: MutexGuard<'static, ()>,
}

/// Sessions woken when a turn was got: as many as may get through while it lasts.
const WAVE: usize = 32;

/// The sessions of a worker that wait for a turn.
#[derive(Debug, Default)]
struct Queue {
    /// One of them waits for the turn itself, on behalf of all.
    sought: Cell<bool>,
    /// The others wait for that one.
    waiting: Cell<usize>,
    go: Notify,
    /// Until then nobody waits.
    free_until: Cell<Option<Instant>>,
}

impl Queue {
    fn wake(&self, most: usize) {
        for _ in 0..self.waiting.get().min(most) {
            self.go.notify_one();
        }
    }

    fn is_free(&self) -> bool {
        let Some(until) = self.free_until.get() else {
            return false;
        };
        if Instant::now() >= until {
            self.free_until.set(None);
        }
        self.free_until.get().is_some()
    }
}

/// The turns of a worker.
#[derive(Debug)]
pub struct Turns {
    held: RefCell<Vec<Held>>,
    queues: Box<[Queue]>,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns {
            held: RefCell::default(),
            queues: (0..TURNS).map(|_| Queue::default()).collect(),
        }
    }
}

impl Turns {
    /// True if a session may go on: the slot's turn is the worker's, or becomes so at once; or nobody waits for it.
    #[inline]
    pub fn ask(&self, slot: Slot) -> bool {
        let number = Number::of(slot);
        let mut held = self.held.borrow_mut();
        if let Some(at) = held.iter().position(|held| held.number == number) {
            if held[at].began.elapsed() <= TURN_MOST {
                return true;
            }
            // To the next who waits.
            held.swap_remove(at);
        }
        let Ok(guard) = number.turn().try_lock() else {
            return self.queues[number.0].is_free();
        };
        held.push(Held::now(number, guard));
        true
    }

    /// Waits until a session may go on. With nothing held: see the module's text.
    ///
    /// Nobody is forgotten: who waits for a session that seeks the turn is woken by it, or when a turn ends that a
    /// session had meanwhile.
    pub async fn take(&self, slot: Slot) {
        let number = Number::of(slot);
        let queue = &self.queues[number.0];
        while !self.ask(slot) {
            if queue.sought.get() {
                let _waiting = Counted::new(&queue.waiting);
                queue.go.notified().await;
                continue;
            }
            let seeking = Seeking::new(queue);
            match tokio::time::timeout(PATIENCE, number.turn().lock()).await {
                Ok(guard) => self.held.borrow_mut().push(Held::now(number, guard)),
                Err(_) => queue.free_until.set(Some(Instant::now() + WITHOUT)),
            }
            drop(seeking);
            return;
        }
    }

    /// True if the slot's turn lasts too long.
    #[inline]
    pub fn is_over(&self, slot: Slot, now: Instant) -> bool {
        let number = Number::of(slot);
        let is_over = |held: &Held| {
            held.number == number && now.saturating_duration_since(held.began) > TURN_MOST
        };
        self.held.borrow().iter().any(is_over)
    }

    /// Gives up the slot's turn, if the worker still has it.
    #[inline]
    pub fn end(&self, slot: Slot) {
        let number = Number::of(slot);
        self.held.borrow_mut().retain(|held| held.number != number);
        let queue = &self.queues[number.0];
        if !queue.sought.get() {
            queue.wake(1);
        }
    }
}

impl Held {
    fn now(number: Number, guard: MutexGuard<'static, ()>) -> Held {
        let began = Instant::now();
        Held {
            number,
            began,
            _guard: guard,
        }
    }
}

/// A session waits for a turn; others of its worker need not.
struct Seeking<'a>(&'a Queue);

impl<'a> Seeking<'a> {
    fn new(queue: &'a Queue) -> Seeking<'a> {
        queue.sought.set(true);
        Seeking(queue)
    }
}

impl Drop for Seeking<'_> {
    fn drop(&mut self) {
        self.0.sought.set(false);
        self.0.wake(WAVE);
    }
}

/// One more, as long as this lives.
struct Counted<'a>(&'a Cell<usize>);

impl<'a> Counted<'a> {
    fn new(count: &'a Cell<usize>) -> Counted<'a> {
        count.set(count.get() + 1);
        Counted(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;
    use tokio::task::{LocalSet, spawn_local};

    /// As a worker does.
    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let in_time = async {
            let ended = tokio::time::timeout(Duration::from_secs(60), test).await;
            ended.expect("somebody was forgotten");
        };
        LocalSet::new().block_on(&runtime.expect("a runtime"), in_time);
    }

    // Tests share all turns: each has slots of its own.

    #[test]
    fn everyone_who_waits_gets_through() {
        run(async {
            let (slot, turns) = (Slot(1), Rc::new(Turns::default()));
            let other = Turns::default();
            assert!(other.ask(slot) && !turns.ask(slot));
            let through = Rc::new(Cell::new(0));
            let sessions: Vec<_> = (0..3 * WAVE)
                .map(|n| {
                    let (turns, through) = (turns.clone(), through.clone());
                    spawn_local(async move {
                        turns.take(slot).await;
                        through.set(through.get() + 1);
                        tokio::task::yield_now().await;
                        // Some turns last too long.
                        if n % 7 == 0 {
                            std::thread::sleep(TURN_MOST);
                        }
                        turns.end(slot);
                    })
                })
                .collect();
            tokio::task::yield_now().await;
            assert_eq!(through.get(), 0, "it is the other's turn");
            other.end(slot);
            for session in sessions {
                session.await.expect("it came to its end");
            }
            assert_eq!(through.get(), 3 * WAVE);
            assert!(other.ask(slot), "nobody has kept it");
            other.end(slot);
        });
    }

    #[test]
    fn a_turn_that_does_not_end_is_done_without() {
        run(async {
            let (slot, turns, other) = (Slot(2), Turns::default(), Turns::default());
            assert!(other.ask(slot));
            let begun = Instant::now();
            turns.take(slot).await;
            assert!(begun.elapsed() >= PATIENCE);
            assert!(turns.ask(slot), "nobody waits for a while");
            turns.end(slot);
            assert!(!Turns::default().ask(slot), "it is still the other's");
            other.end(slot);
            assert!(turns.ask(slot));
            turns.end(slot);
        });
    }

    #[test]
    fn a_worker_may_have_turns_for_several_slots() {
        let (turns, other) = (Turns::default(), Turns::default());
        assert!(turns.ask(Slot(3)) && turns.ask(Slot(4)) && turns.ask(Slot(3)));
        turns.end(Slot(3));
        assert!(other.ask(Slot(3)) && !other.ask(Slot(4)));
        std::thread::sleep(TURN_MOST + Duration::from_millis(1));
        assert!(turns.is_over(Slot(4), Instant::now()) && !turns.is_over(Slot(3), Instant::now()));
        turns.end(Slot(4));
        other.end(Slot(3));
    }
}
