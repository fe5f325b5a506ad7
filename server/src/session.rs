//! A session: the state of one connection, and what a command on it may do.
//!
//! `run` holds the loop (read, decode, dispatch, write); nothing here touches a socket.

pub mod batch;
pub mod buffers;
mod load;
pub mod run;
pub mod stream;
pub mod turns;
mod wait;
pub mod window;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use basalt_binlog::Offset;
use basalt_resp::{Args, Encoder, OwnedArgs, Proto};
use basalt_tiering::{PinSet, Slot, UnixMs};

use crate::blocking::{Blocked, Place, Wait};
use crate::clients::{ClientInfo, flag};
use crate::commands::{Command, Flags};
use crate::dispatch::Row;
use crate::errors::Error;
use crate::gate::WorkerId;
use crate::replication::master::{Attach, Link};
use crate::server::Server;

/// What is left to do after a session handler ran.
pub enum Next {
    /// The reply is written.
    Done,
    /// The error is the reply.
    Error(Error),
    /// The reply is written; the connection closes once it is sent.
    Close,
    /// Run the queued commands.
    Exec,
    /// Work that may wait for a disk: done on a thread of its own, or in place inside EXEC. It writes the
    /// reply.
    Work(Box<dyn FnOnce(&mut Encoder<'_>) + Send>),
    /// The reply (already encoded) comes later. Not to be returned when [`Session::in_exec`].
    Wait(Pin<Box<dyn Future<Output = Vec<u8>>>>),
    /// The command runs again, from its beginning, after this. As for `Wait`.
    Again(Pin<Box<dyn Future<Output = ()>>>),
    /// The reply is written; from now on the connection receives the stream. As for `Wait`.
    Replicate(Attach),
}

impl std::fmt::Debug for Next {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Next::Done => "Done",
            Next::Error(_) => "Error",
            Next::Close => "Close",
            Next::Exec => "Exec",
            Next::Work(_) => "Work",
            Next::Wait(_) => "Wait",
            Next::Again(_) => "Again",
            Next::Replicate(_) => "Replicate",
        })
    }
}

impl Next {
    /// Work that may block.
    pub fn work(work: impl FnOnce(&mut Encoder<'_>) + Send + 'static) -> Next {
        Next::Work(Box::new(work))
    }

    /// A reply that comes later.
    pub fn wait(reply: impl Future<Output = Vec<u8>> + 'static) -> Next {
        Next::Wait(Box::pin(reply))
    }

    /// The command runs again after `work`.
    pub fn again(work: impl Future<Output = ()> + 'static) -> Next {
        Next::Again(Box::pin(work))
    }
}

impl From<Error> for Next {
    fn from(error: Error) -> Self {
        Next::Error(error)
    }
}

/// What a handler on the connection or the server sees.
#[derive(Debug)]
pub struct SessionCtx<'a> {
    /// The server.
    pub server: &'a Arc<Server>,
    /// The connection's state.
    pub session: &'a mut Session,
    /// The arguments, the command's name first.
    pub args: &'a Args<'a>,
    /// Where the reply goes.
    pub out: Encoder<'a>,
    /// The command's row.
    pub command: &'static Command,
    /// The command's reading of the clock.
    pub now: UnixMs,
}

/// CLIENT REPLY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyMode {
    /// Replies are sent.
    #[default]
    On,
    /// None is.
    Off,
    /// The next command's is not (set by the command before).
    SkipNext,
    /// This command's is not.
    Skip,
}

/// A command queued by MULTI.
#[derive(Debug)]
pub struct Queued {
    /// Its row.
    pub row: &'static Row,
    /// Its arguments.
    pub args: OwnedArgs,
}

/// A transaction being queued.
#[derive(Debug)]
pub struct Multi {
    /// The commands so far.
    pub queue: Vec<Queued>,
    /// A command was refused: EXEC will abort.
    pub aborted: bool,
    /// Bytes the queue holds.
    pub bytes: usize,
    flags: Flags,
}

impl Default for Multi {
    fn default() -> Self {
        Multi {
            queue: Vec::new(),
            aborted: false,
            bytes: 0,
            flags: Flags::NONE,
        }
    }
}

impl Multi {
    /// Every flag that some queued command has.
    #[must_use]
    pub fn flags(&self) -> Flags {
        self.flags
    }

    /// Adds a command.
    pub fn push(&mut self, row: &'static Row, args: OwnedArgs) {
        self.flags = self.flags.or(row.command.flags);
        self.bytes += args.heap_bytes() + size_of::<Queued>();
        self.queue.push(Queued { row, args });
    }
}

/// A key under WATCH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedKey {
    /// Its database.
    pub db: u32,
    /// Its bytes.
    pub key: Box<[u8]>,
}

/// The keys under WATCH; the store trips the flag when one changes.
#[derive(Debug, Default)]
pub struct Watch {
    /// Tripped by any change of a watched key.
    pub flag: Arc<AtomicBool>,
    /// The keys.
    pub keys: Vec<WatchedKey>,
}

/// The state of one connection.
#[derive(Debug)]
pub struct Session {
    /// What others may know of it.
    pub info: Arc<ClientInfo>,
    /// The worker that serves it.
    pub worker: WorkerId,
    /// Selected database.
    pub db: u32,
    /// Protocol of the replies.
    pub proto: Proto,
    /// May run commands.
    pub authenticated: bool,
    /// The transaction being queued.
    pub multi: Option<Multi>,
    /// EXEC is running.
    pub in_exec: bool,
    /// WATCH.
    pub watch: Watch,
    /// CLIENT REPLY.
    pub reply: ReplyMode,
    /// CLIENT NO-TOUCH: reads do not count as accesses.
    pub no_touch: bool,
    /// Values loaded for the commands of this batch.
    pub pins: PinSet,
    /// Keys besides its own that a command which faulted needs: those of who waits for its keys, those that it found
    /// named in its own.
    pub also_wanted: Vec<Place>,
    /// What a handler that needs more keys than it declares said ([`Stop::Beyond`](crate::commands::Stop)), until exec
    /// locks them.
    pub beyond: Vec<Place>,
    /// What a handler that has to wait said, until exec registers it.
    pub wait: Option<Box<Wait>>,
    /// The wait of the current command.
    pub blocked: Option<Blocked>,
    /// End of the last frame this session appended: what `appendfsync always` waits for.
    pub written_to: Option<Offset>,
    /// End of the last frame this session appended, ever: what WAIT waits for.
    pub last_write: Offset,
    /// What it said of itself as a replica, if it did.
    link: Option<Box<Link>>,
}

impl Session {
    /// A new connection.
    #[must_use]
    pub fn new(info: Arc<ClientInfo>, worker: WorkerId, authenticated: bool) -> Self {
        Session {
            info,
            worker,
            db: 0,
            proto: Proto::Resp2,
            authenticated,
            multi: None,
            in_exec: false,
            watch: Watch::default(),
            reply: ReplyMode::On,
            no_touch: false,
            pins: PinSet::default(),
            also_wanted: Vec::new(),
            beyond: Vec::new(),
            wait: None,
            blocked: None,
            written_to: None,
            last_write: Offset(0),
            link: None,
        }
    }

    /// What it says of itself as a replica.
    pub fn link(&mut self) -> &mut Link {
        self.link.get_or_insert_default()
    }

    /// Selects a database.
    pub fn select(&mut self, db: u32) {
        self.db = db;
        self.info.db.store(db, Ordering::Relaxed);
    }

    /// Chooses the protocol.
    pub fn set_proto(&mut self, proto: Proto) {
        self.proto = proto;
        self.info
            .proto
            .store(if proto == Proto::Resp3 { 3 } else { 2 }, Ordering::Relaxed);
    }

    /// Leaves MULTI.
    pub fn end_multi(&mut self) -> Option<Multi> {
        self.info.set_flag(flag::MULTI, false);
        self.info.multi.store(-1, Ordering::Relaxed);
        self.info.multi_bytes.store(0, Ordering::Relaxed);
        self.multi.take()
    }

    /// Forgets all watched keys.
    pub fn unwatch(&mut self, server: &Server) {
        if self.watch.keys.is_empty() {
            return;
        }
        let slots: Vec<Slot> = self
            .watch
            .keys
            .drain(..)
            .map(|watched| Slot::of(&watched.key))
            .collect();
        server.data().store.unwatch(&self.watch.flag, &slots);
        self.watch.flag = Arc::new(AtomicBool::new(false));
        self.info.watched.store(0, Ordering::Relaxed);
    }

    /// Back to the state of a new connection (RESET), except that it stays known under its number.
    pub fn reset(&mut self, server: &Server, authenticated: bool) {
        self.end_multi();
        self.unwatch(server);
        self.select(0);
        self.set_proto(Proto::Resp2);
        self.authenticated = authenticated;
        self.reply = ReplyMode::On;
        self.no_touch = false;
        self.info.set_flag(flag::NO_TOUCH | flag::NO_EVICT, false);
        *self.info.labels.lock() = crate::clients::Labels::default();
    }
}
