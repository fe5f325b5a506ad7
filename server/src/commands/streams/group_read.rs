//! XREADGROUP: what a group has not had yet, or what is pending for one of its consumers; and waiting for the former.
//!
//! Nothing is changed before all streams were looked at: `prepare` brings what `deliver` needs into memory.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::Duration;

use basalt_resp::Args;
use basalt_tiering::{Fault, Key, Kind, MAIN};
use parking_lot::Mutex;

use super::group::{Names, log_position, log_seen, note_active, note_seen};
use super::groups::{Consumer, Group, Pending, has_gap, read_counter};
use super::id::Id;
use super::range::{reply_entries, reply_entry};
use super::read::{StreamsReply, block, read_count};
use super::stream::Stream;
use super::texts;
use super::whole::log_pending;
use crate::args::{Cursor, is};
use crate::blocking::{NoReply, Wait};
use crate::commands::{Ctx, Outcome, Stop};
use crate::effects::Effects;
use crate::errors::{self, Error};

/// The options of XREADGROUP.
#[derive(Clone, Copy, Debug, Default)]
struct Options<'a> {
    group: &'a [u8],
    consumer: &'a [u8],
    count: Option<u64>,
    /// `Some(None)` is for ever.
    block: Option<Option<Duration>>,
    /// What is delivered counts as acknowledged.
    no_ack: bool,
    /// Where the ids begin.
    ids_at: usize,
}

impl<'a> Options<'a> {
    fn parse(args: &'a Args<'a>) -> Result<Self, Error> {
        let (mut options, mut words) = (Options::default(), Cursor::at(args, 1));
        let mut has_group = false;
        while let Some(word) = words.next() {
            let left = words.clone().count();
            if is(word, "BLOCK") && left > 0 {
                options.block = Some(block(words.value()?)?);
            } else if is(word, "COUNT") && left > 0 {
                options.count = read_count(words.value()?)?;
            } else if is(word, "GROUP") && left > 1 {
                (options.group, options.consumer) = (words.value()?, words.value()?);
                has_group = true;
            } else if is(word, "NOACK") {
                options.no_ack = true;
            } else if is(word, "STREAMS") && left > 0 {
                if !left.is_multiple_of(2) {
                    return Err(texts::unbalanced("xreadgroup", " or '>'"));
                }
                options.ids_at = args.len() - left / 2;
                break;
            } else {
                return Err(errors::SYNTAX);
            }
        }
        match (options.ids_at, has_group) {
            (0, _) => Err(errors::SYNTAX),
            (_, false) => Err(texts::GROUP_MISSING),
            _ => Ok(options),
        }
    }

    fn names<'n>(&self, db: u32, key: &'n [u8]) -> Names<'n>
    where
        'a: 'n,
    {
        Names {
            db,
            key,
            group: self.group,
            consumer: self.consumer,
        }
    }

    fn group(&self, stream: &Stream<'_, '_>, key: &[u8]) -> Result<Group, Stop> {
        let found = stream.group(self.group)?;
        found.ok_or_else(|| {
            texts::no_group(key, self.group, " in XREADGROUP with GROUP option").into()
        })
    }

    /// As many as are wanted, so many times.
    fn cut(&self, mut ranks: Range<u64>, times: u64) -> Range<u64> {
        if let Some(count) = self.count {
            let count = count.saturating_mul(times);
            ranks.end = ranks.end.min(ranks.start.saturating_add(count));
        }
        ranks
    }
}

/// What is read of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// What the group has not had.
    New,
    /// What is pending for the consumer, behind this id.
    History(Id),
}

impl Wanted {
    fn parse(text: &[u8]) -> Result<Self, Error> {
        match text {
            b">" => Ok(Wanted::New),
            b"$" => Err(texts::meaningless("$")),
            b"+" => Err(texts::meaningless("+")),
            _ => Ok(Wanted::History(Id::parse(text, 0)?)),
        }
    }
}

pub(super) fn xreadgroup(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = Options::parse(ctx.args)?;
    let mut wants = Vec::with_capacity(ctx.keys.len());
    let mut answers = false;
    for (index, key) in ctx.keys.iter().enumerate() {
        let stream = Stream::open(ctx.tx, key)?;
        let group = options.group(&stream, key.bytes)?;
        let wanted = Wanted::parse(&ctx.args[options.ids_at + index])?;
        // What a key named twice is asked for twice is read in a row.
        let times = ctx.keys.iter().filter(|other| other.bytes == key.bytes);
        answers |= look(&stream, &group, &options, wanted, times.count() as u64)?;
        wants.push(wanted);
    }
    if let (false, Some(timeout)) = (answers, options.block) {
        for key in ctx.keys {
            meet(ctx, key, &options)?;
        }
        let prepared = Prepared::default();
        let seen = Arc::clone(&prepared);
        return Err(Stop::Block(Box::new(Wait {
            kind: Kind::Stream,
            waits_on: ctx.keys.len(),
            timeout,
            otherwise: NoReply::NullArray,
            serve: Box::new(move |ctx| serve(ctx, &seen)),
            prepare: Some(Box::new(move |ctx| prepare(ctx, &prepared))),
        })));
    }
    let mut reply = StreamsReply::begin(&mut ctx.out);
    for (key, wanted) in ctx.keys.iter().zip(wants) {
        deliver(ctx, key, &options, wanted, &mut reply)?;
    }
    if !reply.finish(&mut ctx.out) {
        ctx.out.null_array();
    }
    Ok(())
}

/// Makes a consumer that begins to wait, or notes that it was seen.
fn meet(ctx: &mut Ctx<'_, '_>, key: &Key<'_>, options: &Options<'_>) -> Outcome {
    let mut stream = Stream::open_unwatched(ctx.tx, key)?;
    let mut group = options.group(&stream, key.bytes)?;
    let (_, seen) = note_seen(&mut stream, &mut group, options.consumer, ctx.now.0)?;
    drop(stream);
    let names = options.names(ctx.db, key.bytes);
    log_seen(ctx.effects, &names, seen, ctx.now.0);
    Ok(())
}

/// A stream as it was before the command that may serve a waiter.
#[derive(Clone, Debug)]
struct Before {
    key: Vec<u8>,
    last: Id,
    group_last: Id,
}

/// For what the pages are in memory.
type Prepared = Arc<Mutex<Vec<Before>>>;

/// Gives a waiter what has come into the stream that was written; an error, if its group is gone.
///
/// A command that adds nothing serves nobody, though it may have set the group back (as in Redis). New entries are in
/// memory, and so are the first ones behind where the group was before; others, of a stream that came in its place, may not
/// be, and then it is served a little later.
fn serve(ctx: &mut Ctx<'_, '_>, prepared: &Prepared) -> Result<bool, Stop> {
    let options = Options::parse(ctx.args)?;
    let key = ctx.keys[0];
    let is_whole = ctx.tx.is_whole(&key);
    let stream = Stream::peek(ctx.tx, &key)?;
    let group = options.group(&stream, key.bytes)?;
    let before = {
        let mut prepared = prepared.lock();
        let at = prepared.iter().position(|one| one.key == key.bytes);
        // What it says of this write, it does not say of the next.
        at.map(|at| prepared.swap_remove(at))
    };
    match before {
        Some(before) if stream.head().last == before.last => return Ok(false),
        Some(before) => {
            let is_other = group.last != before.group_last && group.last < before.last;
            if is_other && !is_whole {
                ctx.server.waiters.look_later(&key);
                return Ok(false);
            }
            if stream.after(group.last)?.is_empty() {
                return Ok(false);
            }
        }
        None => {
            if !look(&stream, &group, &options, Wanted::New, 1)? {
                return Ok(false);
            }
        }
    }
    drop(stream);
    let mut reply = StreamsReply::begin(&mut ctx.out);
    deliver(ctx, &key, &options, Wanted::New, &mut reply)?;
    Ok(reply.finish(&mut ctx.out))
}

fn prepare(ctx: &mut Ctx<'_, '_>, prepared: &Prepared) -> Outcome {
    let options = Options::parse(ctx.args)?;
    let key = ctx.keys[0];
    let stream = Stream::peek(ctx.tx, &key)?;
    stream.prefault_entry(Id::MAX)?;
    let group = options.group(&stream, key.bytes)?;
    look(&stream, &group, &options, Wanted::New, 1)?;
    let mut prepared = prepared.lock();
    prepared.retain(|one| one.key != key.bytes);
    prepared.push(Before {
        key: key.bytes.to_vec(),
        last: stream.head().last,
        group_last: group.last,
    });
    Ok(())
}

/// Makes sure that delivering does not fault; true if there is something to be answered. History always is an answer.
fn look(
    stream: &Stream<'_, '_>,
    group: &Group,
    options: &Options<'_>,
    wanted: Wanted,
    times: u64,
) -> Result<bool, Fault> {
    stream.prefault_consumer(group, options.consumer)?;
    stream.first_id()?;
    let known = stream.consumer(group, options.consumer)?;
    let number = known.as_ref().map_or(group.next_consumer, |one| one.number);
    let (mut ids, answers) = match wanted {
        Wanted::New => {
            let mut ids = Vec::new();
            let ranks = options.cut(stream.after(group.last)?, times);
            stream.each(ranks, false, |id, _| {
                ids.push(id);
                ControlFlow::Continue(())
            })?;
            let answers = !ids.is_empty();
            (ids, answers)
        }
        Wanted::History(behind) => {
            let ids = match &known {
                Some(consumer) => owned_ids(stream, group, consumer, behind, options)?,
                None => Vec::new(),
            };
            prefault_replies(stream, &ids)?;
            (ids, true)
        }
    };
    // Where those go that come while somebody waits.
    ids.push(Id::MAX);
    stream.prefault_pending(group, &ids, Some(number))?;
    Ok(answers)
}

/// What is pending for a consumer behind an id.
fn owned_ids(
    stream: &Stream<'_, '_>,
    group: &Group,
    consumer: &Consumer,
    behind: Id,
    options: &Options<'_>,
) -> Result<Vec<Id>, Fault> {
    let mut ids = Vec::new();
    let Some(first) = behind.next() else {
        return Ok(ids);
    };
    let ranks = stream.owned_ranks(group, consumer.number, first, Id::MAX)?;
    stream.each_owned(group, consumer.number, options.cut(ranks, 1), |id| {
        ids.push(id);
        ControlFlow::Continue(())
    })?;
    Ok(ids)
}

/// Answers with a stream's entries, makes them pending, and logs it.
fn deliver(
    ctx: &mut Ctx<'_, '_>,
    key: &Key<'_>,
    options: &Options<'_>,
    wanted: Wanted,
    reply: &mut StreamsReply,
) -> Outcome {
    let (now, key) = (ctx.now.0, *key);
    let mut stream = Stream::open_unwatched(ctx.tx, &key)?;
    let mut group = options.group(&stream, key.bytes)?;
    let (mut consumer, seen) = note_seen(&mut stream, &mut group, options.consumer, now)?;
    let (mut pending, before) = (Vec::new(), group.last);
    match wanted {
        Wanted::New => {
            let ranks = options.cut(stream.after(group.last)?, 1);
            if !ranks.is_empty() {
                reply.key(&mut ctx.out, key.bytes);
                reply_entries(&mut ctx.out, &stream, ranks.clone(), false)?;
                pending = take(&stream, &mut group, &consumer, ranks, now)?;
            }
            if options.no_ack {
                pending.clear();
            }
        }
        Wanted::History(behind) => {
            let ids = owned_ids(&stream, &group, &consumer, behind, options)?;
            reply.key(&mut ctx.out, key.bytes);
            ctx.out.array(ids.len());
            for id in ids {
                if reply_one(&mut ctx.out, &stream, id)? {
                    pending.extend(again(&stream, &group, id, now)?);
                } else {
                    ctx.out.array(2);
                    ctx.out.bulk(id.text());
                    ctx.out.null_array();
                }
            }
        }
    }
    for one in &pending {
        stream.put_pending(&group, one)?;
    }
    if wanted == Wanted::New && !pending.is_empty() {
        note_active(&mut stream, &group, &mut consumer, now)?;
    }
    if group.last != before {
        stream.put_group(&group)?;
    }
    drop(stream);
    let names = options.names(ctx.db, key.bytes);
    log_seen(ctx.effects, &names, seen, now);
    match wanted {
        Wanted::New => log_delivered(ctx.effects, &names, &pending, now),
        Wanted::History(_) => pending.iter().for_each(|one| {
            log_pending(
                ctx.effects,
                ctx.db,
                key.bytes,
                options.group,
                options.consumer,
                one,
            );
        }),
    }
    if group.last != before {
        log_position(ctx.effects, &names, &group);
    }
    Ok(())
}

/// The group has had these entries, which are pending now.
fn take(
    stream: &Stream<'_, '_>,
    group: &mut Group,
    consumer: &Consumer,
    ranks: Range<u64>,
    now: u64,
) -> Result<Vec<Pending>, Fault> {
    let mut ids = Vec::new();
    stream.each(ranks, false, |id, _| {
        ids.push(id);
        ControlFlow::Continue(())
    })?;
    let first = stream.first_id()?;
    for id in &ids {
        // Counting on is right as long as nothing is missing among what is still to come.
        group.read = match group.read {
            Some(read) if group.last >= first && !has_gap(stream, group.last)? => Some(read + 1),
            _ => read_counter(stream, *id)?,
        };
        group.last = *id;
    }
    let pending = ids.into_iter().map(|id| Pending {
        id,
        consumer: consumer.number,
        delivered_ms: now,
        deliveries: 1,
    });
    Ok(pending.collect())
}

/// An entry that is pending, delivered once more.
fn again(
    stream: &Stream<'_, '_>,
    group: &Group,
    id: Id,
    now: u64,
) -> Result<Option<Pending>, Fault> {
    let pending = stream.pending(group, id)?;
    Ok(pending.map(|pending| Pending {
        delivered_ms: now,
        deliveries: pending.deliveries.saturating_add(1),
        ..pending
    }))
}

/// Makes sure that [`reply_one`] does not fault.
pub(super) fn prefault_replies(stream: &Stream<'_, '_>, ids: &[Id]) -> Result<(), Fault> {
    if stream.tree().is_whole() {
        return Ok(());
    }
    stream.prefault_entries(ids)?;
    let mut walks = Vec::with_capacity(ids.len());
    for id in ids {
        let (rank, is_there) = stream.rank(*id)?;
        walks.push(rank..rank + u64::from(is_there));
    }
    stream.tree().prefault_walks(MAIN, &walks)
}

/// Writes an entry; false, and nothing is written, if it is not there.
pub(super) fn reply_one(
    out: &mut basalt_resp::Encoder<'_>,
    stream: &Stream<'_, '_>,
    id: Id,
) -> Result<bool, Fault> {
    let (rank, is_there) = stream.rank(id)?;
    if is_there {
        stream.each(rank..rank + 1, false, |id, entry| {
            reply_entry(out, id, &entry);
            ControlFlow::Continue(())
        })?;
    }
    Ok(is_there)
}

/// Logs what was delivered for the first time, many entries at once.
fn log_delivered(effects: &mut Effects, names: &Names<'_>, pending: &[Pending], now: u64) {
    const PORTION: usize = 500;
    let now = now.to_string();
    for portion in pending.chunks(PORTION) {
        let ids: Vec<String> = portion.iter().map(|one| one.id.text()).collect();
        let mut words: Vec<&[u8]> = vec![b"XCLAIM", names.key, names.group, names.consumer, b"0"];
        words.extend(ids.iter().map(String::as_bytes));
        words.extend([&b"TIME"[..], now.as_bytes(), b"RETRYCOUNT", b"1"]);
        words.extend([&b"FORCE"[..], b"JUSTID"]);
        effects.command(names.db, &words);
    }
}
