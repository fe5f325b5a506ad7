//! The threads that read cold keys from disk.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;

use crate::promote::Load;
use crate::store::Inner;

/// The queue of loads. Its length is bounded by what clients may have in flight: every session waits for
/// its pins, and looks ahead a limited number of keys.
#[derive(Debug)]
pub(crate) struct Readers {
    sender: Mutex<Option<Sender<Arc<Load>>>>,
    receiver: Receiver<Arc<Load>>,
    queue: Sender<Arc<Load>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    pub(crate) fn new() -> Readers {
        let (sender, receiver) = unbounded();
        Readers {
            sender: Mutex::new(None),
            receiver,
            queue: sender,
            threads: Mutex::new(Vec::new()),
        }
    }

    /// Hands a load to a thread.
    pub(crate) fn submit(&self, load: Arc<Load>) {
        self.queue
            .send(load)
            .expect("the queue lives as long as the store");
    }

    /// Loads waiting for a thread.
    pub(crate) fn queued(&self) -> usize {
        self.receiver.len()
    }

    /// Ends the threads once their present load is done.
    pub(crate) fn stop(&self) {
        drop(self.sender.lock().take());
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a cold reader had panicked");
            }
        }
    }
}

impl Inner {
    /// Starts `count` reader threads.
    pub(crate) fn start_readers(self: &Arc<Self>, count: usize) {
        // Dropping the only sender of the stop channel ends every thread.
        let (stop_sender, stop) = unbounded();
        *self.readers.sender.lock() = Some(stop_sender);
        let mut threads = self.readers.threads.lock();
        for n in 0..count.max(1) {
            // A weak handle: a store that is dropped without `close` must not be kept alive by its readers.
            let inner = Arc::downgrade(self);
            let (queue, stop) = (self.readers.receiver.clone(), stop.clone());
            let work = move || loop {
                crossbeam_channel::select! {
                    recv(queue) -> load => {
                        let (Ok(load), Some(inner)) = (load, inner.upgrade()) else { return };
                        inner.read_load(load);
                    }
                    recv(stop) -> _ => return,
                }
            };
            let thread = std::thread::Builder::new().name(format!("cold-read-{n}"));
            threads.push(thread.spawn(work).expect("the system has threads to give"));
        }
    }
}
