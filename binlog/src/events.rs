//! Telling others: a wake-up for a background role, and events for subscribers and waiting readers.
//!
//! Nothing here costs anything while no one listens: an append looks at one flag.

use crate::types::LogEvent;
use parking_lot::{Condvar, Mutex, RwLock};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// A sticky wake-up: raised any number of times, seen once.
#[derive(Default)]
pub(crate) struct Signal {
    raised: AtomicBool,
    lock: Mutex<()>,
    condvar: Condvar,
}

impl Signal {
    pub(crate) fn raise(&self) {
        if !self.raised.swap(true, Ordering::SeqCst) {
            // Taking the lock closes the gap between the sleeper's check and its sleep.
            drop(self.lock.lock());
            self.condvar.notify_one();
        }
    }

    /// Waits until raised or the time is over, and takes the signal.
    pub(crate) fn wait(&self, timeout: Option<Duration>) {
        let deadline = timeout.map(|t| Instant::now() + t);
        let mut guard = self.lock.lock();
        while !self.raised.swap(false, Ordering::SeqCst) {
            match deadline {
                None => self.condvar.wait(&mut guard),
                Some(d) => {
                    if self.condvar.wait_until(&mut guard, d).timed_out() {
                        return;
                    }
                }
            }
        }
    }
}

/// A subscriber's callback.
pub(crate) type Listener = Box<dyn Fn(LogEvent) + Send + Sync>;

const APPENDED: u8 = 1;
const POISONED: u8 = 2;
const FULL: u8 = 4;
const RETURNED: u8 = 8;

#[derive(Default)]
pub(crate) struct Events {
    listeners: RwLock<Vec<Listener>>,
    /// Someone wants to hear of the next append. Written and read under the append lock or rechecked under
    /// it, so that no append slips through between.
    pub(crate) armed: AtomicBool,
    /// Events to be sent by a thread that holds no lock.
    pending: AtomicU8,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Events {
    pub(crate) fn subscribe(&self, listener: Listener) {
        self.listeners.write().push(listener);
    }

    /// Notes an event; `dispatch` sends it.
    pub(crate) fn post(&self, event: LogEvent) {
        let bit = match event {
            LogEvent::Appended => APPENDED,
            LogEvent::Poisoned => POISONED,
            LogEvent::Full => FULL,
            LogEvent::SpaceReturned => RETURNED,
            LogEvent::Synced(_) => unreachable!("sent at once by the syncer"),
        };
        self.pending.fetch_or(bit, Ordering::SeqCst);
    }

    /// Sends what was posted. The caller holds no lock.
    pub(crate) fn dispatch(&self) {
        let pending = self.pending.swap(0, Ordering::SeqCst);
        let all = [
            (APPENDED, LogEvent::Appended),
            (FULL, LogEvent::Full),
            (RETURNED, LogEvent::SpaceReturned),
            (POISONED, LogEvent::Poisoned),
        ];
        for (bit, event) in all {
            if pending & bit != 0 {
                self.send(event);
            }
        }
    }

    /// Wakes waiting threads and tells subscribers. The caller holds no lock.
    pub(crate) fn send(&self, event: LogEvent) {
        self.wake_all();
        for listener in self.listeners.read().iter() {
            listener(event);
        }
    }

    /// Wakes waiting threads without an event: they look at the stop flag.
    pub(crate) fn wake_all(&self) {
        drop(self.lock.lock());
        self.changed.notify_all();
    }

    /// Waits until `done`, woken by events; false if the deadline came first.
    pub(crate) fn wait_until(
        &self,
        deadline: Option<Instant>,
        mut done: impl FnMut() -> bool,
    ) -> bool {
        let mut guard = self.lock.lock();
        loop {
            if done() {
                return true;
            }
            match deadline {
                None => self.changed.wait(&mut guard),
                Some(d) => {
                    if self.changed.wait_until(&mut guard, d).timed_out() {
                        return done();
                    }
                }
            }
        }
    }
}
