//! The registry of connected clients: what CLIENT LIST shows and CLIENT KILL reaches.
//!
//! A session owns its [`ClientInfo`] and writes it with relaxed stores, once per batch of commands; others
//! only read it. A client is killed by marking it and shutting its socket down: the session, wherever it
//! waits, sees the end of the stream and leaves. So no session pays for being killable.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};

use basalt_tiering::UnixMs;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::dispatch;
use crate::gate::WorkerId;

/// Number of a client, ever rising, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// What a client is, as CLIENT LIST TYPE and CLIENT KILL TYPE name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// An ordinary client.
    Normal,
    /// A master this server replicates.
    Master,
    /// A replica of this server.
    Replica,
    /// A subscriber.
    PubSub,
}

impl ClientKind {
    /// Reads a type's name.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        match name.to_ascii_lowercase().as_slice() {
            b"normal" => Some(ClientKind::Normal),
            b"master" => Some(ClientKind::Master),
            b"replica" | b"slave" => Some(ClientKind::Replica),
            b"pubsub" => Some(ClientKind::PubSub),
            _ => None,
        }
    }
}

/// Bits of [`ClientInfo::flags`].
pub mod flag {
    /// In a MULTI.
    pub const MULTI: u32 = 1;
    /// A watched key changed: EXEC will fail.
    pub const DIRTY_WATCH: u32 = 1 << 1;
    /// Waits for something.
    pub const BLOCKED: u32 = 1 << 2;
    /// Is closed once its reply is written.
    pub const CLOSE_AFTER_REPLY: u32 = 1 << 3;
    /// Came over the unix socket.
    pub const UNIX: u32 = 1 << 4;
    /// CLIENT NO-EVICT ON.
    pub const NO_EVICT: u32 = 1 << 5;
    /// CLIENT NO-TOUCH ON.
    pub const NO_TOUCH: u32 = 1 << 6;
    /// A replica of this node.
    pub const REPLICA: u32 = 1 << 7;
    /// The master this node follows.
    pub const MASTER: u32 = 1 << 8;
}

/// Words a client says about itself.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// CLIENT SETNAME.
    pub name: String,
    /// CLIENT SETINFO LIB-NAME.
    pub lib_name: String,
    /// CLIENT SETINFO LIB-VER.
    pub lib_ver: String,
}

/// What others may know of a connection.
#[derive(Debug)]
pub struct ClientInfo {
    /// Number.
    pub id: ClientId,
    /// Peer's address; of a unix socket its path with port 0.
    pub addr: String,
    /// Our address.
    pub laddr: String,
    /// File descriptor, for display.
    pub fd: i32,
    /// Worker that serves it.
    pub worker: WorkerId,
    /// When it connected.
    pub created: UnixMs,
    /// Name and library.
    pub labels: Mutex<Labels>,
    /// Selected database.
    pub db: AtomicU32,
    /// Protocol version, 2 or 3.
    pub proto: AtomicU16,
    /// See [`flag`].
    pub flags: AtomicU32,
    /// Commands queued by MULTI, -1 outside.
    pub multi: AtomicI32,
    /// Bytes held by the queue.
    pub multi_bytes: AtomicUsize,
    /// Keys watched.
    pub watched: AtomicU32,
    /// Last time a command came in, unix ms.
    pub active_ms: AtomicU64,
    /// Last command, an id of `dispatch`.
    pub command: AtomicU16,
    /// Bytes read and not yet consumed.
    pub query_bytes: AtomicUsize,
    /// Room left in the read buffer.
    pub query_free: AtomicUsize,
    /// Bytes of replies not yet written.
    pub output_bytes: AtomicUsize,
    /// Size of the reply buffer.
    pub output_capacity: AtomicUsize,
    /// Since when (unix ms) the soft output limit is passed, 0 if it is not.
    pub soft_since_ms: AtomicU64,
    /// Marked to be closed.
    pub killed: AtomicBool,
    /// The socket while it is open; taken before it is closed, so that a kill never hits a reused number.
    socket: Mutex<Option<RawFd>>,
    unblock: Unblock,
}

/// CLIENT UNBLOCK: how it reaches a client that waits.
#[derive(Debug, Default)]
struct Unblock {
    /// Somebody waits for the call.
    awaited: AtomicBool,
    with_error: AtomicBool,
    called: Notify,
}

impl ClientInfo {
    /// A client on socket `fd`.
    #[must_use]
    pub fn new(
        id: ClientId,
        fd: RawFd,
        addr: String,
        laddr: String,
        worker: WorkerId,
        now: UnixMs,
    ) -> Self {
        ClientInfo {
            id,
            addr,
            laddr,
            fd,
            worker,
            created: now,
            labels: Mutex::new(Labels::default()),
            db: AtomicU32::new(0),
            proto: AtomicU16::new(2),
            flags: AtomicU32::new(0),
            multi: AtomicI32::new(-1),
            multi_bytes: AtomicUsize::new(0),
            watched: AtomicU32::new(0),
            active_ms: AtomicU64::new(now.0),
            command: AtomicU16::new(dispatch::NO_COMMAND.0),
            query_bytes: AtomicUsize::new(0),
            query_free: AtomicUsize::new(0),
            output_bytes: AtomicUsize::new(0),
            output_capacity: AtomicUsize::new(0),
            soft_since_ms: AtomicU64::new(0),
            killed: AtomicBool::new(false),
            socket: Mutex::new(Some(fd)),
            unblock: Unblock::default(),
        }
    }

    /// Resolves when somebody unblocks the client; true if it is to get an error for it. For the one future that
    /// its session waits for.
    pub async fn unblocked(&self) -> bool {
        struct Awaited<'a>(&'a AtomicBool);
        impl Drop for Awaited<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Release);
            }
        }
        self.unblock.awaited.store(true, Ordering::Release);
        let _awaited = Awaited(&self.unblock.awaited);
        self.unblock.called.notified().await;
        self.unblock.with_error.load(Ordering::Acquire)
    }

    /// Ends the client's wait; false if it does not wait.
    pub fn unblock(&self, with_error: bool) -> bool {
        if !self.unblock.awaited.swap(false, Ordering::AcqRel) {
            return false;
        }
        self.unblock.with_error.store(with_error, Ordering::Release);
        // No permit is kept for a wait to come: `awaited` said that there is one.
        self.unblock.called.notify_waiters();
        true
    }

    /// What kind of client it is.
    #[must_use]
    pub fn kind(&self) -> ClientKind {
        let flags = self.flags.load(Ordering::Relaxed);
        if flags & flag::MASTER != 0 {
            ClientKind::Master
        } else if flags & flag::REPLICA != 0 {
            ClientKind::Replica
        } else {
            ClientKind::Normal
        }
    }

    /// Name of the user it runs as.
    #[must_use]
    pub fn user(&self) -> &'static str {
        "default"
    }

    /// Sets or clears bits of the flags. Only the owning session calls this.
    pub fn set_flag(&self, bits: u32, on: bool) {
        if on {
            self.flags.fetch_or(bits, Ordering::Relaxed);
        } else {
            self.flags.fetch_and(!bits, Ordering::Relaxed);
        }
    }

    /// Marks the client and shuts its socket down.
    pub fn kill(&self) {
        self.killed.store(true, Ordering::Release);
        if let Some(fd) = *self.socket.lock() {
            // SAFETY: the descriptor is open as long as it stands in `socket`; shutdown touches no memory.
            unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
        }
    }

    /// Ends the client's input: its session answers what came in, and leaves.
    pub fn end_input(&self) {
        if let Some(fd) = *self.socket.lock() {
            // SAFETY: as in `kill`.
            unsafe { libc::shutdown(fd, libc::SHUT_RD) };
        }
    }

    /// True once the client was killed.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire)
    }

    /// To be called before the socket is closed.
    pub fn release_socket(&self) {
        *self.socket.lock() = None;
    }

    /// Bytes of memory the connection takes, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        const FIXED_BYTES: usize = 1024;
        let read = |cell: &AtomicUsize| cell.load(Ordering::Relaxed);
        FIXED_BYTES
            + read(&self.query_bytes)
            + read(&self.query_free)
            + read(&self.output_capacity)
            + read(&self.multi_bytes)
    }

    /// Appends the line of CLIENT LIST, without a line break: the fields of Redis 7.2 in its order.
    pub fn describe(&self, now: UnixMs, line: &mut String) {
        let get = |cell: &AtomicUsize| cell.load(Ordering::Relaxed);
        let age = now.0.saturating_sub(self.created.0) / 1000;
        let idle = now.0.saturating_sub(self.active_ms.load(Ordering::Relaxed)) / 1000;
        let labels = self.labels.lock().clone();
        let flags = self.flags.load(Ordering::Relaxed);
        let events = if get(&self.output_bytes) > 0 {
            "rw"
        } else {
            "r"
        };
        let written = write!(
            line,
            "id={} addr={} laddr={} fd={} name={} age={age} idle={idle} flags={} db={} sub=0 psub=0 ssub=0 multi={} \
             qbuf={} qbuf-free={} argv-mem={} multi-mem={} rbs={} rbp={} obl=0 oll={} omem={} tot-mem={} events={events} \
             cmd={} user={} redir=-1 resp={} lib-name={} lib-ver={}",
            self.id.0,
            self.addr,
            self.laddr,
            self.fd,
            labels.name,
            flag_letters(flags),
            self.db.load(Ordering::Relaxed),
            self.multi.load(Ordering::Relaxed),
            get(&self.query_bytes),
            get(&self.query_free),
            get(&self.query_bytes),
            get(&self.multi_bytes),
            get(&self.output_capacity),
            get(&self.output_bytes),
            u8::from(get(&self.output_bytes) > 0),
            get(&self.output_bytes),
            self.memory_bytes(),
            dispatch::name_of(dispatch::CommandId(self.command.load(Ordering::Relaxed))),
            self.user(),
            self.proto.load(Ordering::Relaxed),
            labels.lib_name,
            labels.lib_ver,
        );
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    }
}

fn flag_letters(flags: u32) -> String {
    const LETTERS: [(u32, char); 9] = [
        (flag::REPLICA, 'S'),
        (flag::MASTER, 'M'),
        (flag::MULTI, 'x'),
        (flag::BLOCKED, 'b'),
        (flag::DIRTY_WATCH, 'd'),
        (flag::CLOSE_AFTER_REPLY, 'c'),
        (flag::UNIX, 'U'),
        (flag::NO_EVICT, 'e'),
        (flag::NO_TOUCH, 'T'),
    ];
    let letters: String = LETTERS
        .iter()
        .filter(|(bit, _)| flags & bit != 0)
        .map(|(_, letter)| letter)
        .collect();
    if letters.is_empty() {
        "N".to_owned()
    } else {
        letters
    }
}

/// All clients.
#[derive(Debug, Default)]
pub struct Clients {
    next_id: AtomicU64,
    count: AtomicUsize,
    /// Accepted, and on their way to a worker, which will insert them.
    arriving: AtomicUsize,
    by_id: Mutex<BTreeMap<ClientId, Arc<ClientInfo>>>,
}

impl Clients {
    /// A number for a new client.
    #[must_use]
    pub fn new_id(&self) -> ClientId {
        ClientId(self.next_id.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Counts a connection that was accepted; it is to be inserted, or [`lost`](Self::lost).
    pub fn expect_one(&self) {
        self.arriving.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection that was expected did not become a client.
    pub fn lost(&self) {
        self.arriving.fetch_sub(1, Ordering::Relaxed);
    }

    /// Clients, and connections about to become one: what `maxclients` limits.
    #[must_use]
    pub fn seats_taken(&self) -> usize {
        self.len() + self.arriving.load(Ordering::Relaxed)
    }

    /// Enters a client that was [expected](Self::expect_one).
    pub fn insert(&self, info: &Arc<ClientInfo>) {
        self.by_id.lock().insert(info.id, Arc::clone(info));
        self.count.fetch_add(1, Ordering::Relaxed);
        self.lost();
    }

    /// Strikes a client off.
    pub fn remove(&self, id: ClientId) {
        if self.by_id.lock().remove(&id).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Number of clients.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// True if nobody is connected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that all connections take, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.by_id
            .lock()
            .values()
            .map(|client| client.memory_bytes() as u64)
            .sum()
    }

    /// The client called `id`.
    #[must_use]
    pub fn get(&self, id: ClientId) -> Option<Arc<ClientInfo>> {
        self.by_id.lock().get(&id).cloned()
    }

    /// All clients in the order in which they came.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<ClientInfo>> {
        self.by_id.lock().values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_fields_of_redis_in_order() {
        let info = ClientInfo::new(
            ClientId(7),
            9,
            "1.2.3.4:5".into(),
            "6.7.8.9:10".into(),
            WorkerId(0),
            UnixMs(1000),
        );
        info.labels.lock().name = "me".into();
        info.set_flag(flag::MULTI | flag::UNIX, true);
        // The descriptor of the test is not one of ours.
        info.release_socket();
        let mut line = String::new();
        info.describe(UnixMs(4500), &mut line);
        let fields: Vec<&str> = line
            .split(' ')
            .map(|field| field.split('=').next().unwrap_or(""))
            .collect();
        let expected = "id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem multi-mem \
                        rbs rbp obl oll omem tot-mem events cmd user redir resp lib-name lib-ver";
        assert_eq!(fields, expected.split_whitespace().collect::<Vec<_>>());
        assert!(line.starts_with(
            "id=7 addr=1.2.3.4:5 laddr=6.7.8.9:10 fd=9 name=me age=3 idle=3 flags=xU db=0 "
        ));
        assert!(line.ends_with(" cmd=NULL user=default redir=-1 resp=2 lib-name= lib-ver="));
    }
}
