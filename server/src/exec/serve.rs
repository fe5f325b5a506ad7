//! Serving those who wait for a key that a command has just written, under that command's locks.
//!
//! What a waiter takes is in the same frame as what was put there. Serving may write another key (BLMOVE's target), whose
//! waiters may then be served, and so on; so the slots of all keys within reach are locked, and what they hold is in
//! memory, before the command writes anything.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use basalt_binlog::MANY_SLOTS;
use basalt_resp::Encoder;
use basalt_tiering::{Fault, Key, Kind, PinSet, Tx, UnixMs};
use tokio::sync::oneshot;

use super::{Committed, begin, commit, frame_slot};
use crate::blocking::{Delivery, Place, Waiter};
use crate::commands::{Ctx, Stop};
use crate::data::Data;
use crate::effects::Effects;
use crate::server::Server;

/// A waiter that got something; it learns of it once that is logged.
#[derive(Debug)]
pub(super) struct Served {
    waiter: Arc<Waiter>,
    sender: oneshot::Sender<Delivery>,
    reply: Vec<u8>,
}

/// The key at a place.
pub(crate) fn key_at<'a>(data: &Data, place: &'a Place) -> Key<'a> {
    data.store.key(place.db, &place.key)
}

fn place_of(key: &Key<'_>) -> Place {
    Place {
        db: key.db,
        key: key.bytes.into(),
    }
}

/// The keys that may be written when those who wait for `keys` are served, and so on.
fn within_reach(server: &Server, data: &Data, keys: &[Key<'_>]) -> Vec<Place> {
    let (mut found, mut known) = (Vec::new(), HashSet::new());
    let mut add = |key: &Key<'_>, found: &mut Vec<Place>| {
        for waiter in server.waiters.with_needs(key) {
            for target in waiter.targets() {
                let place = Place {
                    db: waiter.db,
                    key: target.clone(),
                };
                if known.insert(place.clone()) {
                    found.push(place);
                }
            }
        }
    };
    for key in keys {
        add(key, &mut found);
    }
    let mut next = 0;
    while let Some(place) = found.get(next).cloned() {
        add(&key_at(data, &place), &mut found);
        next += 1;
    }
    found
}

/// Locks the slots of `keys` and of all keys within reach; also returns the latter.
pub(super) fn begin_within_reach<'s>(
    server: &Server,
    data: &'s Data,
    keys: &[Key<'_>],
    now: UnixMs,
    pins: &'s PinSet,
) -> (Tx<'s>, u16, Vec<Place>) {
    let mut targets: Vec<Place> = Vec::new();
    loop {
        let reached = targets.iter().map(|place| key_at(data, place));
        let all: Vec<Key<'_>> = keys.iter().copied().chain(reached).collect();
        let (tx, slot) = (begin(data, &all, now, pins), frame_slot(&all));
        if !server.waiters.concern(keys) {
            return (tx, slot, targets);
        }
        // Under the locks nobody new can begin to wait for these keys.
        let found = within_reach(server, data, keys);
        if found == targets {
            return (tx, slot, targets);
        }
        drop(tx);
        targets = found;
    }
}

/// Faults if serving those who wait for `keys`, and whoever is then within reach, would.
pub(super) fn prepare(
    server: &Server,
    data: &Data,
    tx: &mut Tx<'_>,
    keys: &[Key<'_>],
    targets: &[Place],
    now: UnixMs,
) -> Result<(), Fault> {
    let reached = targets.iter().map(|place| key_at(data, place));
    for key in keys.iter().copied().chain(reached) {
        for waiter in server.waiters.with_needs(&key) {
            let Some(prepare) = &waiter.wait.prepare else {
                continue;
            };
            let (mut effects, mut out) = (Effects::default(), Vec::new());
            let prepared = with_ctx(
                server,
                data,
                tx,
                &key,
                &waiter,
                &mut effects,
                now,
                &mut out,
                |ctx| prepare(ctx),
            );
            if matches!(prepared, Err(Stop::Fault)) {
                return Err(Fault);
            }
        }
    }
    Ok(())
}

#[allow(
    clippy::too_many_arguments,
    reason = "what a handler's context is made of"
)]
fn with_ctx<R>(
    server: &Server,
    data: &Data,
    tx: &mut Tx<'_>,
    key: &Key<'_>,
    waiter: &Waiter,
    effects: &mut Effects,
    now: UnixMs,
    out: &mut Vec<u8>,
    call: impl FnOnce(&mut Ctx<'_, '_>) -> R,
) -> R {
    let targets = waiter
        .targets()
        .iter()
        .map(|target| data.store.key(waiter.db, target));
    let keys: Vec<Key<'_>> = std::iter::once(*key).chain(targets).collect();
    let args = waiter.args.as_args();
    let mut ctx = Ctx {
        server,
        args: &args,
        keys: &keys,
        tx,
        out: Encoder::new(out, waiter.proto),
        effects,
        db: waiter.db,
        now,
    };
    call(&mut ctx)
}

/// The reply of a waiter that gets something now; `None` if there is nothing for it.
fn reply_to(
    server: &Server,
    data: &Data,
    tx: &mut Tx<'_>,
    key: &Key<'_>,
    waiter: &Waiter,
    effects: &mut Effects,
    now: UnixMs,
) -> Result<Option<Vec<u8>>, Fault> {
    let mut out = Vec::new();
    let served = with_ctx(
        server,
        data,
        tx,
        key,
        waiter,
        effects,
        now,
        &mut out,
        |ctx| (waiter.wait.serve)(ctx),
    );
    match served {
        Ok(true) => Ok(Some(out)),
        Ok(false) => Ok(None),
        Err(Stop::Block(_) | Stop::Beyond(_)) => {
            unreachable!("a waiter waits already, for keys that it declared")
        }
        Err(Stop::Fault) => Err(Fault),
        Err(Stop::Error(error)) => {
            out.clear();
            Encoder::new(&mut out, waiter.proto).error(error.as_bytes());
            Ok(Some(out))
        }
    }
}

/// Serves those who wait for keys that were written, `most` at most: by key in the order of `keys`, and for each key the
/// one first who has waited longest.
pub(super) fn serve(
    server: &Server,
    data: &Data,
    tx: &mut Tx<'_>,
    keys: &[Key<'_>],
    effects: &mut Effects,
    now: UnixMs,
    most: usize,
) -> Result<Vec<Served>, Fault> {
    let mut served: Vec<Served> = Vec::new();
    let mut ready: VecDeque<Place> = keys.iter().map(place_of).collect();
    while let Some(place) = ready.pop_front() {
        let key = key_at(data, &place);
        let mut ticket = 0;
        while served.len() < most
            && let Some(waiter) = next_waiter(server, tx, &key, ticket)?
        {
            ticket = waiter.ticket;
            let mut fault = false;
            let ended = waiter.end_with(|| {
                reply_to(server, data, tx, &key, &waiter, effects, now).unwrap_or_else(|Fault| {
                    fault = true;
                    None
                })
            });
            if fault {
                return Err(Fault);
            }
            if let Some((sender, reply)) = ended {
                server.waiters.remove(&waiter);
                ready.extend(waiter.targets().iter().map(|key| Place {
                    db: waiter.db,
                    key: key.clone(),
                }));
                served.push(Served {
                    waiter,
                    sender,
                    reply,
                });
            }
        }
    }
    Ok(served)
}

/// Who is to be served next from what the key holds now; readers of streams always, since a group goes with its key, even if
/// that holds something else now.
fn next_waiter(
    server: &Server,
    tx: &mut Tx<'_>,
    key: &Key<'_>,
    ticket: u64,
) -> Result<Option<Arc<Waiter>>, Fault> {
    // What is not in memory was not written.
    if !server.waiters.concern(std::slice::from_ref(key)) || !tx.is_resident(key) {
        return Ok(None);
    }
    let kind = tx.peek(key)?.map_or(Kind::Stream, |value| value.kind);
    let waiting = [kind, Kind::Stream].map(|kind| server.waiters.next(key, kind, ticket));
    Ok(waiting
        .into_iter()
        .flatten()
        .min_by_key(|waiter| waiter.ticket))
}

/// Tells those who were served, now that it is logged (or could not be).
pub(super) fn deliver(served: Vec<Served>, committed: &Committed) {
    for Served {
        waiter,
        sender,
        mut reply,
    } in served
    {
        if let Err(error) = committed {
            reply.clear();
            Encoder::new(&mut reply, waiter.proto).error(error.as_bytes());
        }
        let written_to = committed.as_ref().ok().copied().flatten();
        // If its session has left, what was taken for it is gone, as with a reply that a client does not read.
        let _ = sender.send(Delivery {
            reply,
            written_to,
            closes: false,
        });
    }
}

/// Serves those who wait for these keys, after what changed them. The caller is inside the gate.
pub(super) fn serve_still(server: &Server, data: &Data, places: &[Place], now: UnixMs) {
    for place in places {
        let mut pins = PinSet::default();
        while serve_one_still(server, data, place, now, &mut pins) {}
    }
}

/// Serves those who wait for keys that an effect of the master's log has changed. On a replica these are readers, for
/// whom it makes no difference what comes in between; so no lock is held from the change on, but for the gate. Of data
/// that is not served yet (a full sync's) they see nothing.
pub(crate) fn serve_applied(server: &Server, data: &Data, keys: &[Key<'_>]) {
    if server.waiters.concern(keys) && server.data().number == data.number {
        let places: Vec<Place> = keys.iter().map(place_of).collect();
        serve_still(server, data, &places, UnixMs::now());
    }
}

/// Serves all who wait, as far as there is something for them: the databases are others than before. The caller holds
/// the exclusive gate.
pub(crate) fn serve_all(server: &Server, data: &Data) {
    if server.waiters.is_empty() || server.data().number != data.number {
        return;
    }
    serve_still(server, data, &server.waiters.places(), UnixMs::now());
}

/// Starts the thread that looks at those whose keys went by themselves, as long as there is a server.
pub(crate) fn spawn_late(server: &Arc<Server>) -> std::io::Result<()> {
    let (bell, server) = (server.waiters.bell(), Arc::downgrade(server));
    let look = move || {
        for () in bell {
            let Some(server) = server.upgrade() else {
                return;
            };
            let _inside = server.gate.enter_background();
            let (data, places) = (server.data(), server.waiters.take_late());
            serve_still(&server, &data, &places, UnixMs::now());
        }
    };
    let thread = std::thread::Builder::new().name("late-waiters".to_owned());
    thread.spawn(look).map(drop)
}

/// Serves one who waits for a key, or loads what that takes; false if there is nobody (left) to be served.
fn serve_one_still(
    server: &Server,
    data: &Data,
    place: &Place,
    now: UnixMs,
    pins: &mut PinSet,
) -> bool {
    let key = key_at(data, place);
    if !server.waiters.concern(&[key]) {
        return false;
    }
    let targets = within_reach(server, data, &[key]);
    let mut all = vec![key];
    all.extend(targets.iter().map(|place| key_at(data, place)));
    if let Err(error) = data.store.pin_blocking(&all, pins) {
        tracing::error!(%error, "a key that clients wait for could not be read");
        return false;
    }
    let mut effects = Effects::default();
    let (mut tx, slot, reach) = begin_within_reach(server, data, &[key], now, pins);
    if reach != targets {
        // Somebody else has begun to wait: once more, with what serving him takes.
        return true;
    }
    let served = serve(server, data, &mut tx, &[key], &mut effects, now, 1);
    let committed = commit(&data.log, &tx, slot, &effects, now);
    drop(tx);
    match served {
        Ok(served) => {
            let any = !served.is_empty();
            deliver(served, &committed);
            any
        }
        // The next pin reads what was missed.
        Err(Fault) => true,
    }
}

/// The slot of a frame over keys of `slot` and these.
pub(super) fn slot_with(data: &Data, slot: u16, targets: &[Place]) -> u16 {
    if targets
        .iter()
        .all(|place| key_at(data, place).slot.0 == slot)
    {
        slot
    } else {
        MANY_SLOTS
    }
}
