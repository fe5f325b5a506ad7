//! Commands that wait for a key: who waits for what, since when, and how others serve them.
//!
//! ```text
//!   handler finds nothing ─▶ Stop::Block(Wait) ─▶ exec registers a Waiter, under the locks of its keys
//!                                                      │
//!   a write to one of its keys ─▶ exec/serve.rs runs ──┤  the waiter's `serve` under the writer's locks, before
//!                                                      │  the frame is appended; the reply goes to its session
//!   its key goes by itself (expiry, eviction): those who wait for it are looked at soon after (`Waiters::look_later`)
//!   its time is over, CLIENT UNBLOCK, it leaves ───────┘  (session/wait.rs)
//! ```
//!
//! Invariants
//! 1. A waiter is registered while the slots of its keys are locked, and a writer looks for waiters while it holds the
//!    slots it writes in. So nothing is missed, though a writer looks at a counter without ordering.
//! 2. Nobody else gets what a waiter was promised: it is served under the same locks as the write that made it possible,
//!    in the order in which the waiters of the key came.
//! 3. Whoever takes the sender out of a waiter's state sends exactly one reply.
//! 4. Locks: slots, then a waiter's state, then a shard or the list of clients. None is held across an `await`.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use basalt_binlog::Offset;
use basalt_resp::{Args, Encoder, OwnedArgs, Proto};
use basalt_tiering::{Key, Kind, Slot};
use crossbeam_channel::{Receiver, Sender, bounded};
use hashbrown::{Equivalent, HashMap};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::clients::ClientId;
use crate::commands::{Ctx, Outcome, Stop};
use crate::errors::{self, Error};
use crate::session::Session;

/// Serves a waiter; false if there is still nothing for it. An error is its reply, too. `ctx.keys` are the key that was
/// written, then those of the waiter which serving may write; `ctx.args` are the waiter's.
pub type Serve = Box<dyn Fn(&mut Ctx<'_, '_>) -> Result<bool, Stop> + Send + Sync>;

/// Faults if serving would; called with the same keys, before anything is written.
pub type Prepare = Box<dyn Fn(&mut Ctx<'_, '_>) -> Outcome + Send + Sync>;

/// What a handler says that has to wait.
pub struct Wait {
    /// Type of the values that can serve it.
    pub kind: Kind,
    /// It waits for the first so many of its keys; serving it may write the others.
    pub waits_on: usize,
    /// How long; `None` is for ever.
    pub timeout: Option<Duration>,
    /// Its reply where nothing waits: inside MULTI.
    pub otherwise: NoReply,
    /// Serves it.
    pub serve: Serve,
    /// `None` if a key that was just written is all that serving needs.
    pub prepare: Option<Prepare>,
}

impl std::fmt::Debug for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wait")
            .field("kind", &self.kind)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// The two forms of nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoReply {
    /// A null.
    Null,
    /// A null array.
    NullArray,
}

impl NoReply {
    /// Writes it.
    pub fn write(self, out: &mut Encoder<'_>) {
        match self {
            NoReply::Null => out.null(),
            NoReply::NullArray => out.null_array(),
        }
    }
}

/// The end of a wait.
#[derive(Debug)]
pub struct Delivery {
    /// The reply, encoded.
    pub reply: Vec<u8>,
    /// The end of the frame that logs what was taken for it.
    pub written_to: Option<Offset>,
    /// The connection ends with it.
    pub closes: bool,
}

/// A key in a database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The database.
    pub db: u32,
    /// The key.
    pub key: Box<[u8]>,
}

/// The same, borrowed; it hashes alike.
#[derive(Hash)]
struct PlaceRef<'a> {
    db: u32,
    key: &'a [u8],
}

impl Equivalent<Place> for PlaceRef<'_> {
    fn equivalent(&self, place: &Place) -> bool {
        self.db == place.db && *self.key == *place.key
    }
}

impl<'a> From<&Key<'a>> for PlaceRef<'a> {
    fn from(key: &Key<'a>) -> Self {
        PlaceRef {
            db: key.db,
            key: key.bytes,
        }
    }
}

/// A command that waits.
pub struct Waiter {
    /// Rises with every waiter: who has waited longest has the smallest.
    pub ticket: u64,
    /// Its client.
    pub client: ClientId,
    /// Its protocol.
    pub proto: Proto,
    /// The database of its keys.
    pub db: u32,
    /// Its arguments.
    pub args: OwnedArgs,
    /// What its handler said.
    pub wait: Wait,
    keys: Vec<Box<[u8]>>,
    state: Mutex<Option<oneshot::Sender<Delivery>>>,
}

impl std::fmt::Debug for Waiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiter")
            .field("client", &self.client)
            .field("ticket", &self.ticket)
            .finish_non_exhaustive()
    }
}

impl Waiter {
    /// The keys it waits for.
    #[must_use]
    pub fn awaited(&self) -> &[Box<[u8]>] {
        &self.keys[..self.wait.waits_on]
    }

    /// The keys that serving it may write besides.
    #[must_use]
    pub fn targets(&self) -> &[Box<[u8]>] {
        &self.keys[self.wait.waits_on..]
    }

    /// Ends the wait if `reply` has one and it has not ended; nobody else ends it meanwhile.
    pub fn end_with<R>(
        &self,
        reply: impl FnOnce() -> Option<R>,
    ) -> Option<(oneshot::Sender<Delivery>, R)> {
        let mut state = self.state.lock();
        state.as_ref()?;
        let reply = reply()?;
        state.take().map(|sender| (sender, reply))
    }

    fn say(
        &self,
        reply: impl FnOnce(&mut Encoder<'_>),
    ) -> Option<(oneshot::Sender<Delivery>, Delivery)> {
        self.end_with(|| {
            let mut bytes = Vec::new();
            reply(&mut Encoder::new(&mut bytes, self.proto));
            Some(Delivery {
                reply: bytes,
                written_to: None,
                closes: false,
            })
        })
    }
}

/// How CLIENT UNBLOCK ends a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unblock {
    /// As if its time were over.
    Timeout,
    /// With an error.
    Error,
}

const SHARDS: usize = 64;

/// Who waits for one kind of value at a place, by ticket.
type Queue = BTreeMap<u64, Arc<Waiter>>;
type Queues = HashMap<Place, Vec<(Kind, Queue)>, foldhash::fast::FixedState>;

/// Those who wait for keys of some slots.
#[derive(Default)]
struct Shard {
    /// Places with waiters, so that who asks for others need not lock.
    places: AtomicUsize,
    queues: Mutex<Queues>,
}

/// All who wait.
pub struct Waiters {
    count: AtomicUsize,
    tickets: AtomicU64,
    shards: Box<[Shard]>,
    clients: Mutex<HashMap<ClientId, Arc<Waiter>, foldhash::fast::FixedState>>,
    /// Places whose waiters could not be looked at where their key changed. At most as many as somebody waits for.
    late: Mutex<HashSet<Place>>,
    /// Tells the thread that looks at them.
    bell: (Sender<()>, Receiver<()>),
}

impl Default for Waiters {
    fn default() -> Self {
        Waiters {
            late: Mutex::default(),
            bell: bounded(1),
            count: AtomicUsize::new(0),
            tickets: AtomicU64::new(0),
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            clients: Mutex::default(),
        }
    }
}

impl std::fmt::Debug for Waiters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiters")
            .field("count", &self.len())
            .finish_non_exhaustive()
    }
}

impl Waiters {
    /// Number of clients that wait.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// True if nobody waits.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if somebody may wait for one of these keys. Their slots have to be locked.
    #[inline]
    #[must_use]
    pub fn concern(&self, keys: &[Key<'_>]) -> bool {
        !self.is_empty()
            && keys
                .iter()
                .any(|key| self.shard(key.slot).places.load(Ordering::Relaxed) > 0)
    }

    fn shard(&self, slot: Slot) -> &Shard {
        &self.shards[usize::from(slot.0) % SHARDS]
    }

    /// The next one after `ticket` who waits for a value of this kind at the key.
    #[must_use]
    pub fn next(&self, key: &Key<'_>, kind: Kind, ticket: u64) -> Option<Arc<Waiter>> {
        let queues = self.shard(key.slot).queues.lock();
        let (_, queue) = queues
            .get(&PlaceRef::from(key))?
            .iter()
            .find(|(known, _)| *known == kind)?;
        queue
            .range(ticket + 1..)
            .next()
            .map(|(_, waiter)| Arc::clone(waiter))
    }

    /// Has those who wait for a key looked at soon, by a thread of its own: the key changed where they cannot be
    /// served. For who is under the lock of its slot.
    pub fn look_later(&self, key: &Key<'_>) {
        if self.next(key, Kind::Stream, 0).is_some() {
            self.late.lock().insert(Place {
                db: key.db,
                key: key.bytes.into(),
            });
            // Full, it has been told already.
            let _ = self.bell.0.try_send(());
        }
    }

    /// What rings when there is something in [`Waiters::take_late`]; it ends with the server.
    #[must_use]
    pub fn bell(&self) -> Receiver<()> {
        self.bell.1.clone()
    }

    /// The places to be looked at.
    #[must_use]
    pub fn take_late(&self) -> Vec<Place> {
        self.late.lock().drain().collect()
    }

    /// All who wait at the key and need more than it.
    #[must_use]
    pub fn with_needs(&self, key: &Key<'_>) -> Vec<Arc<Waiter>> {
        let shard = self.shard(key.slot);
        if shard.places.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let queues = shard.queues.lock();
        let all = queues.get(&PlaceRef::from(key)).into_iter().flatten();
        let needs =
            |waiter: &&Arc<Waiter>| waiter.wait.prepare.is_some() || !waiter.targets().is_empty();
        all.flat_map(|(_, queue)| queue.values())
            .filter(needs)
            .cloned()
            .collect()
    }

    /// Every key that somebody waits for, those first that were waited for longest.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        let mut waiters: Vec<_> = self.clients.lock().values().cloned().collect();
        waiters.sort_unstable_by_key(|waiter| waiter.ticket);
        let place = |waiter: &Arc<Waiter>, key: &[u8]| Place {
            db: waiter.db,
            key: key.into(),
        };
        waiters
            .iter()
            .flat_map(|waiter| waiter.awaited().iter().map(move |key| place(waiter, key)))
            .collect()
    }

    /// Enters a command that has to wait. The slots of `keys` have to be locked.
    pub fn register(
        self: &Arc<Self>,
        session: &Session,
        wait: Wait,
        keys: &[Key<'_>],
        args: &Args<'_>,
    ) -> Blocked {
        let (sender, receiver) = oneshot::channel();
        let deadline = wait
            .timeout
            .and_then(|timeout| Instant::now().checked_add(timeout));
        let waiter = Arc::new(Waiter {
            ticket: self.tickets.fetch_add(1, Ordering::Relaxed) + 1,
            client: session.info.id,
            proto: session.proto,
            db: session.db,
            args: args.to_owned_args(),
            wait,
            keys: keys.iter().map(|key| key.bytes.into()).collect(),
            state: Mutex::new(Some(sender)),
        });
        self.clients
            .lock()
            .insert(waiter.client, Arc::clone(&waiter));
        self.count.fetch_add(1, Ordering::Relaxed);
        for key in waiter.awaited() {
            self.enter(key, &waiter);
        }
        Blocked {
            waiters: Arc::clone(self),
            waiter,
            receiver,
            deadline,
        }
    }

    fn enter(&self, key: &[u8], waiter: &Arc<Waiter>) {
        let shard = self.shard(Slot::of(key));
        let mut queues = shard.queues.lock();
        let place = Place {
            db: waiter.db,
            key: key.into(),
        };
        let kinds = queues.entry(place).or_insert_with(|| {
            shard.places.fetch_add(1, Ordering::Relaxed);
            Vec::new()
        });
        let at = kinds
            .iter()
            .position(|(kind, _)| *kind == waiter.wait.kind)
            .unwrap_or_else(|| {
                kinds.push((waiter.wait.kind, Queue::new()));
                kinds.len() - 1
            });
        kinds[at].1.insert(waiter.ticket, Arc::clone(waiter));
    }

    /// Strikes a waiter off, if it is still there.
    pub fn remove(&self, waiter: &Waiter) {
        let mut clients = self.clients.lock();
        if clients
            .get(&waiter.client)
            .is_none_or(|known| known.ticket != waiter.ticket)
        {
            return;
        }
        clients.remove(&waiter.client);
        drop(clients);
        self.count.fetch_sub(1, Ordering::Relaxed);
        for key in waiter.awaited() {
            self.leave(key, waiter);
        }
    }

    fn leave(&self, key: &[u8], waiter: &Waiter) {
        let shard = self.shard(Slot::of(key));
        let mut queues = shard.queues.lock();
        let place = PlaceRef { db: waiter.db, key };
        let Some(kinds) = queues.get_mut(&place) else {
            return;
        };
        for (_, queue) in kinds.iter_mut() {
            queue.remove(&waiter.ticket);
        }
        kinds.retain(|(_, queue)| !queue.is_empty());
        if kinds.is_empty() {
            queues.remove(&place);
            shard.places.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Ends all waits with an error, and their connections, as Redis does.
    pub fn unblock_all(&self, error: &Error) {
        let waiters: Vec<_> = self.clients.lock().values().cloned().collect();
        for waiter in waiters {
            self.end(&waiter, true, |out| out.error(error.as_bytes()));
        }
    }

    /// Ends a client's wait; false if it does not wait.
    pub fn unblock(&self, client: ClientId, how: Unblock) -> bool {
        let waiter = self.clients.lock().get(&client).cloned();
        waiter.is_some_and(|waiter| {
            self.end(&waiter, false, |out| match how {
                Unblock::Timeout => out.null_array(),
                Unblock::Error => out.error(errors::UNBLOCKED.as_bytes()),
            })
        })
    }

    fn end(&self, waiter: &Waiter, closes: bool, reply: impl FnOnce(&mut Encoder<'_>)) -> bool {
        let Some((sender, mut delivery)) = waiter.say(reply) else {
            return false;
        };
        delivery.closes = closes;
        self.remove(waiter);
        // If the session left meanwhile, nobody misses the reply.
        let _ = sender.send(delivery);
        true
    }
}

/// A session's side of its wait. Dropped, it waits no longer.
#[derive(Debug)]
pub struct Blocked {
    waiters: Arc<Waiters>,
    waiter: Arc<Waiter>,
    /// Where the end of the wait arrives.
    pub receiver: oneshot::Receiver<Delivery>,
    /// When its time is over.
    pub deadline: Option<Instant>,
}

impl Blocked {
    /// The time is over: the reply, or nothing if it was served at that moment and the delivery is on its way.
    #[must_use]
    pub fn time_out(&self) -> Option<Delivery> {
        self.waiter
            .say(|out| out.null_array())
            .map(|(_, delivery)| delivery)
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        self.waiter.state.lock().take();
        self.waiters.remove(&self.waiter);
    }
}

/// Reads a timeout in seconds, fractions allowed; `None` is for ever.
pub fn timeout(text: &[u8]) -> Result<Option<Duration>, Error> {
    let seconds = basalt_resp::parse_f64(text).ok_or(errors::TIMEOUT_NOT_A_FLOAT)?;
    let ms = (seconds * 1000.0).ceil();
    if ms >= i64::MAX as f64 {
        return Err(errors::TIMEOUT_OUT_OF_RANGE);
    }
    if seconds < 0.0 {
        return Err(errors::TIMEOUT_NEGATIVE);
    }
    Ok((ms > 0.0).then(|| Duration::from_millis(ms as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_redis_reads_them() {
        let ms = |text: &str| {
            timeout(text.as_bytes()).map(|time| time.map(|time| time.as_millis() as u64))
        };
        assert_eq!(ms("0"), Ok(None));
        assert_eq!(ms("0.0"), Ok(None));
        assert_eq!(ms("1"), Ok(Some(1000)));
        assert_eq!(ms("0.5"), Ok(Some(500)));
        assert_eq!(ms("0.0001"), Ok(Some(1)));
        assert_eq!(ms("-0.0001"), Err(errors::TIMEOUT_NEGATIVE));
        assert_eq!(ms("-1"), Err(errors::TIMEOUT_NEGATIVE));
        assert_eq!(ms("x"), Err(errors::TIMEOUT_NOT_A_FLOAT));
        assert_eq!(ms(""), Err(errors::TIMEOUT_NOT_A_FLOAT));
        assert_eq!(ms("nan"), Err(errors::TIMEOUT_NOT_A_FLOAT));
        assert_eq!(ms("1e100"), Err(errors::TIMEOUT_OUT_OF_RANGE));
        assert_eq!(ms("inf"), Err(errors::TIMEOUT_OUT_OF_RANGE));
    }

    #[test]
    fn places_hash_alike_owned_and_borrowed() {
        use std::hash::BuildHasher;
        let hasher = foldhash::fast::FixedState::default();
        let place = Place {
            db: 3,
            key: b"abc"[..].into(),
        };
        assert_eq!(
            hasher.hash_one(&place),
            hasher.hash_one(PlaceRef { db: 3, key: b"abc" })
        );
    }
}
