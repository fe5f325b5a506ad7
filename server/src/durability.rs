//! Under `appendfsync always` a reply leaves only when the log is on disk. The sessions of a worker wait together.
//!
//! ```text
//!   session ─▶ list ──▶ task of the worker ──▶ one request for all ──▶ log syncs ──▶ task ──▶ sessions
//! ```
//!
//! The task is queued behind the sessions that are ready, so it asks for a sync once all of them have written. And a
//! sync wakes a worker once from the log's thread, and not each of its sessions, which costs several times as much.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};

use basalt_binlog::{LogState, Offset};
use tokio::sync::{Notify, watch};

use crate::data::Log;
use crate::worker::Worker;

/// The sessions of one worker that wait for the log.
#[derive(Debug, Default)]
pub struct Durability {
    waiting: RefCell<Vec<Waiting>>,
    /// How many of them the log has been asked for.
    asked: Cell<usize>,
    /// The log they wait for. Weak, so that a pair that is swapped out does not live on here.
    followed: RefCell<Weak<Log>>,
    arrived: Notify,
}

#[derive(Debug)]
struct Waiting {
    offset: Offset,
    waker: Waker,
}

impl Durability {
    /// Waits until `log` is on disk up to `offset`, or can be written no more.
    pub async fn wait(&self, log: &Arc<Log>, offset: Offset) {
        if self.follow(log) {
            poll_fn(|cx| {
                if is_over(log, offset) {
                    return Poll::Ready(());
                }
                // Polled again for another reason it is in the list twice, and woken twice.
                let waker = cx.waker().clone();
                self.waiting.borrow_mut().push(Waiting { offset, waker });
                self.arrived.notify_one();
                Poll::Pending
            })
            .await;
        } else if let Some(binlog) = &log.binlog {
            // Others still wait for the log that was swapped out.
            let mut synced = log.synced.subscribe();
            binlog.request_sync(offset);
            // The sender lives as long as the log.
            let _ = synced.wait_for(|upto| *upto >= offset).await;
        }
    }

    /// True if the task looks after this log, from now on if need be.
    fn follow(&self, log: &Arc<Log>) -> bool {
        let mut followed = self.followed.borrow_mut();
        if std::ptr::eq(followed.as_ptr(), Arc::as_ptr(log)) {
            return true;
        }
        let is_free = self.waiting.borrow().is_empty();
        if is_free {
            *followed = Arc::downgrade(log);
        }
        is_free
    }

    /// Asks for a sync of what has not been asked for.
    fn ask(&self, log: &Log) {
        let waiting = self.waiting.borrow();
        let new = &waiting[self.asked.get()..];
        if let (Some(binlog), Some(upto)) = (&log.binlog, new.iter().map(|w| w.offset).max()) {
            self.asked.set(waiting.len());
            binlog.request_sync(upto);
        }
    }

    /// Wakes those whose wait is over.
    fn release(&self, log: &Log) {
        let mut waiting = self.waiting.borrow_mut();
        let before = waiting.len();
        waiting.retain(|one| {
            let over = is_over(log, one.offset);
            if over {
                one.waker.wake_by_ref();
            }
            !over
        });
        if waiting.len() < before {
            // Some of those left may be asked for twice, which is harmless.
            self.asked.set(0);
        }
    }

    /// The log is gone, and nobody can wait for it.
    fn release_all(&self) {
        self.asked.set(0);
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        waiting.into_iter().for_each(|one| one.waker.wake());
    }
}

fn is_over(log: &Log, offset: Offset) -> bool {
    log.binlog
        .as_ref()
        .is_none_or(|binlog| binlog.synced() >= offset || binlog.state() == LogState::Poisoned)
}

/// The task of a worker.
pub async fn attend(worker: Rc<Worker>) {
    let own = &worker.durability;
    let mut source: Option<(Weak<Log>, watch::Receiver<Offset>)> = None;
    loop {
        if own.waiting.borrow().is_empty() {
            own.arrived.notified().await;
            continue;
        }
        let followed = own.followed.borrow().clone();
        let Some(log) = followed.upgrade() else {
            own.release_all();
            continue;
        };
        if !source
            .as_ref()
            .is_some_and(|(old, _)| old.ptr_eq(&followed))
        {
            source = Some((followed, log.synced.subscribe()));
        }
        own.ask(&log);
        own.release(&log);
        drop(log);
        let (_, synced) = source.as_mut().expect("set above");
        if own.waiting.borrow().is_empty() {
            continue;
        }
        tokio::select! {
            // An error: the log is gone, which the next round sees.
            _ = synced.changed() => {}
            () = own.arrived.notified() => {}
        }
    }
}
