//! Taking the stream for one pair of store and log: cut it into frames, write them down, have them applied.
//!
//! A frame is in the log before it is applied, at the offset at which the master has it. A log that is full holds
//! the feed up until there is room; the link then waits, and so does the master's stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use basalt_binlog::{Binlog, Error as LogError, Flags, Frame, MANY_SLOTS, Offset};
use basalt_replication::stream::{Class, CutFrame, Cutter, StreamError};
use basalt_resp::Args;
use basalt_tiering::{Slot, UnixMs};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::apply::{Applier, ApplyError, Place, Purpose, StopSwitch, ToApply, is_no_data};
use crate::commands::Handler;
use crate::data::Data;
use crate::dispatch;
use crate::server::Server;

/// Pieces of the stream that wait for the feed.
const QUEUE: usize = 8;
/// Between two looks whether a full log has room again.
const FULL_RETRY: Duration = Duration::from_millis(200);
/// No ACK is asked for.
const NOWHERE: u64 = u64::MAX;

/// Why a feed takes no more.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum FeedError {
    /// What came cannot be applied to what is here: only a full sync helps.
    #[error("{0}")]
    Parted(String),
    /// The log or the disk failed.
    #[error("{0}")]
    Failed(String),
}

enum Item {
    Bytes(Vec<u8>),
    /// Everything before is applied or dropped: say where the log ends, and begin a new stream there.
    Settle(oneshot::Sender<Result<Offset, FeedError>>),
}

/// What the feed's thread tells others.
struct Shared {
    failed: Mutex<Option<FeedError>>,
    /// The offset at which the master wants to hear that it is reached.
    ack_at: AtomicU64,
    /// That it is, or that the feed failed.
    news: Notify,
    stopping: AtomicBool,
}

/// A feed's handle. Dropping it ends the feed where it is.
pub(super) struct Feed {
    /// What is fed.
    pub(super) data: Arc<Data>,
    sender: Option<mpsc::Sender<Item>>,
    shared: Arc<Shared>,
    switch: StopSwitch,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Feed {
    /// A feed for `data`, which has applied its log to the end; `db` is the database the stream is in there.
    pub(super) fn start(server: &Arc<Server>, data: &Arc<Data>, db: u16) -> anyhow::Result<Feed> {
        let binlog = data
            .binlog()
            .expect("who follows has a log: it was asked for")
            .clone();
        let from = binlog.end();
        let shared = Arc::new(Shared {
            failed: Mutex::new(None),
            ack_at: AtomicU64::new(NOWHERE),
            news: Notify::new(),
            stopping: AtomicBool::new(false),
        });
        let told = Arc::clone(&shared);
        let advanced = Box::new(move |applied: Offset| told.note_applied(applied));
        let applier = Applier::start(server, data, from, Purpose::Replica, advanced)?;
        let switch = applier.stop_switch();
        let mut follower = Follower {
            binlog,
            applier,
            cutter: Cutter::new(from, db),
            shared: Arc::clone(&shared),
        };
        let (sender, receiver) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("replica-feed".into())
            .spawn(move || follower.run(receiver))?;
        Ok(Feed {
            data: Arc::clone(data),
            sender: Some(sender),
            shared,
            switch,
            thread: Some(thread),
        })
    }

    fn sender(&self) -> &mpsc::Sender<Item> {
        self.sender.as_ref().expect("taken only by drop")
    }

    /// Waits until there is room for a piece of the stream.
    pub(super) async fn room(&self) -> Result<Room<'_>, FeedError> {
        match self.sender().reserve().await {
            Ok(permit) => Ok(Room(permit)),
            Err(_) => Err(self.failure()),
        }
    }

    /// Waits until everything fed is applied; returns where the log ends. What came of an unfinished frame is
    /// forgotten: the next stream begins there.
    pub(super) async fn settle(&self) -> Result<Offset, FeedError> {
        let (answer, answered) = oneshot::channel();
        self.shared.ack_at.store(NOWHERE, Ordering::Release);
        if self.sender().send(Item::Settle(answer)).await.is_err() {
            return Err(self.failure());
        }
        answered.await.unwrap_or_else(|_| Err(self.failure()))
    }

    /// Waits until an ACK is due because the master asked for one, or the feed has failed.
    pub(super) async fn news(&self) -> Result<(), FeedError> {
        self.shared.news.notified().await;
        match self.shared.failed.lock().clone() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Why the feed takes no more; for who knows that it does not.
    fn failure(&self) -> FeedError {
        let failed = self.shared.failed.lock().clone();
        failed.unwrap_or_else(|| FeedError::Failed("the feed has ended".to_owned()))
    }

    /// There is no room now.
    pub(super) fn is_full(&self) -> bool {
        self.sender().capacity() == 0
    }
}

/// Room for a piece of the stream.
pub(super) struct Room<'a>(mpsc::Permit<'a, Item>);

impl Room<'_> {
    /// Uses it.
    pub(super) fn put(self, bytes: Vec<u8>) {
        self.0.send(Item::Bytes(bytes));
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        drop(self.sender.take());
        self.shared.stopping.store(true, Ordering::Release);
        self.switch.stop();
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn note_applied(&self, applied: Offset) {
        let wanted = self.ack_at.load(Ordering::Acquire);
        if applied.0 >= wanted {
            let _ =
                self.ack_at
                    .compare_exchange(wanted, NOWHERE, Ordering::AcqRel, Ordering::Acquire);
            self.news.notify_one();
        }
    }
}

/// What the feed's thread works with.
struct Follower {
    binlog: Binlog,
    applier: Applier,
    cutter: Cutter,
    shared: Arc<Shared>,
}

impl Follower {
    fn run(&mut self, mut items: mpsc::Receiver<Item>) {
        while let Some(item) = items.blocking_recv() {
            let done = match item {
                Item::Bytes(bytes) => self.take(&bytes),
                Item::Settle(answer) => {
                    let settled = self.settle();
                    let failed = settled.as_ref().err().cloned();
                    // Who asked may have been called away.
                    let _ = answer.send(settled);
                    failed.map_or(Ok(()), Err)
                }
            };
            if let Err(error) = done {
                if !self.shared.stopping.load(Ordering::Acquire) {
                    tracing::error!(%error, "the replication stream cannot be taken");
                }
                self.shared.failed.lock().get_or_insert(error);
                self.shared.news.notify_one();
                return;
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), FeedError> {
        let Follower {
            binlog,
            applier,
            cutter,
            shared,
        } = self;
        let unknown: Mutex<Option<String>> = Mutex::new(None);
        let mut wants_ack = None;
        let now = UnixMs::now();
        let mut classify = |args: &Args<'_>| {
            classify(args).unwrap_or_else(|| {
                *unknown.lock() = Some(format!("{args:?}"));
                Class::ManySlots
            })
        };
        let mut take = |frame: CutFrame<'_>| {
            // Before it is in the log: a log that nobody can replay is worse than a link that is down.
            if let Some(command) = unknown.lock().take() {
                return Err(FeedError::Parted(format!(
                    "the stream at offset {} holds a command this node does not know: {command}",
                    frame.start
                )));
            }
            append(binlog, &frame, now, &shared.stopping)?;
            if frame.wants_ack {
                wants_ack = Some(frame.end());
            }
            applier.push(&to_apply(&frame)).map_err(FeedError::from)
        };
        let pushed = cutter.push(bytes, &mut classify, &mut take);
        pushed.map_err(|error| match error {
            StreamError::Taker(error) => error,
            error => FeedError::Parted(error.to_string()),
        })?;
        if let Some(at) = wants_ack {
            shared.ack_at.store(at.0, Ordering::Release);
        }
        applier.flush().map_err(FeedError::from)
    }

    fn settle(&mut self) -> Result<Offset, FeedError> {
        self.applier.barrier().map_err(FeedError::from)?;
        self.applier.flush().map_err(FeedError::from)?;
        let end = self.binlog.end();
        assert_eq!(end, self.cutter.offset(), "every frame cut is in the log");
        self.cutter = Cutter::new(end, self.cutter.db());
        Ok(end)
    }
}

impl From<ApplyError> for FeedError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Refused(..) => FeedError::Parted(error.to_string()),
            ApplyError::Store(_) | ApplyError::Stopped => FeedError::Failed(error.to_string()),
        }
    }
}

fn to_apply<'a>(frame: &CutFrame<'a>) -> ToApply<'a> {
    ToApply {
        payload: frame.payload,
        place: Place {
            db: u32::from(frame.db),
            start: frame.start,
            end: frame.end(),
        },
        slot: frame.slot.unwrap_or(MANY_SLOTS),
        no_data: frame.is_no_data(),
    }
}

/// Writes a frame down at its offset; a full log is waited for.
fn append(
    binlog: &Binlog,
    frame: &CutFrame<'_>,
    now: UnixMs,
    stopping: &AtomicBool,
) -> Result<(), FeedError> {
    let header = if frame.is_no_data() {
        Frame::no_data(now.0)
    } else {
        let group = if frame.group {
            Flags::GROUP
        } else {
            Flags::NONE
        };
        Frame {
            unix_ms: now.0,
            flags: Flags::VERBATIM | group,
            slot: frame.slot.unwrap_or(MANY_SLOTS),
            db: frame.db,
            end_db: frame.end_db,
            effects: frame.effects,
        }
    };
    loop {
        let appended = binlog
            .admit(frame.payload.len())
            .and_then(|()| binlog.append(&header, &[frame.payload]));
        match appended {
            Ok(at) => {
                assert_eq!(at.start, frame.start, "the log is the master's stream");
                return Ok(());
            }
            Err(LogError::Full) if !stopping.load(Ordering::Acquire) => {
                std::thread::sleep(FULL_RETRY);
            }
            Err(error) => return Err(FeedError::Failed(format!("binlog: {error}"))),
        }
    }
}

/// What a command is to the log; `None` for one that this node does not know.
fn classify(args: &Args<'_>) -> Option<Class> {
    let name = args.get(0).unwrap_or_default();
    let is_getack = || {
        name.eq_ignore_ascii_case(b"replconf")
            && args
                .get(1)
                .is_some_and(|word| word.eq_ignore_ascii_case(b"getack"))
    };
    if is_getack() {
        return Some(Class::GetAck);
    }
    if is_no_data(name) {
        return Some(Class::NoData);
    }
    let row = dispatch::find_declared(args).filter(|row| row.command.fits(args.len()))?;
    if !matches!(row.command.handler, Handler::Data(_)) {
        let still = matches!(row.command.handler, Handler::Exclusive(_));
        return still.then_some(Class::ManySlots);
    }
    let (mut slot, mut many) = (None, false);
    row.command.for_each_key(args, |index, _| {
        let own = Slot::of(args.get(index).unwrap_or_default()).0;
        many |= slot.is_some_and(|other| other != own);
        slot = Some(own);
    });
    Some(match slot {
        Some(slot) if !many => Class::OneSlot(slot),
        _ => Class::ManySlots,
    })
}
