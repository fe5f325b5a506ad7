//! XCLAIM and XAUTOCLAIM: what is pending for one consumer becomes another's. XCLAIM is also the form in which the log says
//! that an entry is pending (`group`); from there it takes times, and entries that are gone, as they are.

use std::ops::ControlFlow;

use basalt_resp::{Aggregate, Args};
use basalt_tiering::Fault;

use super::group::{Names, Seen, log_position, log_seen, named_group, note_active, note_seen};
use super::group_read::{prefault_replies, reply_one};
use super::groups::{Group, Pending};
use super::id::Id;
use super::range::start;
use super::stream::Stream;
use super::texts;
use super::whole::log_pending;
use crate::args::{Cursor, integer, is};
use crate::commands::{Ctx, Outcome};
use crate::effects::Effects;
use crate::errors::{self, Error};

/// An XCLAIM.
#[derive(Debug, Default)]
struct Claim {
    min_idle_ms: u64,
    ids: Vec<Id>,
    delivered_ms: Option<i64>,
    deliveries: Option<u64>,
    force: bool,
    just_id: bool,
    last: Id,
}

impl Claim {
    fn parse(args: &Args<'_>, now: u64) -> Result<Self, Error> {
        let idle =
            integer(&args[4]).map_err(|_| texts::invalid_argument("min-idle-time", "XCLAIM"))?;
        let mut claim = Claim {
            min_idle_ms: u64::try_from(idle).unwrap_or(0),
            ..Claim::default()
        };
        let ids = args.iter().skip(5).map_while(|id| Id::parse(id, 0).ok());
        claim.ids = ids.collect();
        let mut words = Cursor::at(args, 5 + claim.ids.len());
        while let Some(word) = words.next() {
            let left = words.clone().count();
            let number = |words: &mut Cursor<'_>, option: &str| {
                integer(words.value()?).map_err(|_| texts::invalid_option(option))
            };
            if is(word, "FORCE") {
                claim.force = true;
            } else if is(word, "JUSTID") {
                claim.just_id = true;
            } else if is(word, "IDLE") && left > 0 {
                let idle = number(&mut words, "IDLE")?;
                claim.delivered_ms = Some((now as i64).saturating_sub(idle));
            } else if is(word, "TIME") && left > 0 {
                claim.delivered_ms = Some(number(&mut words, "TIME")?);
            } else if is(word, "RETRYCOUNT") && left > 0 {
                claim.deliveries = u64::try_from(number(&mut words, "RETRYCOUNT")?).ok();
            } else if is(word, "LASTID") && left > 0 {
                claim.last = Id::parse(words.value()?, 0)?;
            } else {
                return Err(texts::unrecognized_xclaim(word));
            }
        }
        Ok(claim)
    }

    /// When the entries count as delivered: never later than now, unless a log says so.
    fn time(&self, now: u64, is_replay: bool) -> u64 {
        match self.delivered_ms.map(u64::try_from) {
            Some(Ok(at)) if at <= now || is_replay => at,
            _ => now,
        }
    }

    /// What becomes of an entry; `None` leaves it as it is.
    fn of(
        &self,
        id: Id,
        known: Option<Pending>,
        consumer: u64,
        now: u64,
        at: u64,
    ) -> Option<Pending> {
        if let Some(known) = &known
            && self.min_idle_ms > 0
            && now.saturating_sub(known.delivered_ms) < self.min_idle_ms
        {
            return None;
        }
        if known.is_none() && !self.force {
            return None;
        }
        let before = known.map_or(1, |known| known.deliveries);
        let deliveries = match self.deliveries {
            Some(deliveries) => deliveries,
            None => before.saturating_add(u64::from(!self.just_id)),
        };
        Some(Pending {
            id,
            consumer,
            delivered_ms: at,
            deliveries,
        })
    }
}

pub(super) fn xclaim(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (now, is_replay) = (ctx.now.0, ctx.is_replay());
    let mut stream = Stream::open_unwatched(ctx.tx, &ctx.keys[0])?;
    let mut group = named_group(&stream, ctx.args)?;
    let claim = Claim::parse(ctx.args, now)?;
    let names = Names::of(ctx.args, ctx.db);
    let at = claim.time(now, is_replay);
    stream.prefault_consumer(&group, names.consumer)?;
    let known = stream.consumer(&group, names.consumer)?;
    let number = known.map_or(group.next_consumer, |one| one.number);
    stream.prefault_pending(&group, &claim.ids, Some(number))?;
    prefault_replies(&stream, &claim.ids)?;

    let time = if is_replay { at } else { now };
    let (mut consumer, seen) = note_seen(&mut stream, &mut group, names.consumer, time)?;
    let moves = claim.last > group.last;
    if moves {
        group.last = claim.last;
        stream.put_group(&group)?;
    }
    let (mut claimed, mut gone, mut answered) = (Vec::new(), Vec::new(), 0);
    let mark = ctx.out.begin_deferred();
    for id in &claim.ids {
        let known = stream.pending(&group, *id)?;
        let is_there = stream.contains(*id)?;
        if !is_there && !is_replay {
            if stream.remove_pending(&group, *id)? {
                gone.push(*id);
            }
            continue;
        }
        let Some(pending) = claim.of(*id, known, consumer.number, now, at) else {
            continue;
        };
        stream.put_pending(&group, &pending)?;
        claimed.push(pending);
        answered += 1;
        if claim.just_id || !reply_one(&mut ctx.out, &stream, *id)? {
            ctx.out.bulk(id.text());
        }
    }
    if !claimed.is_empty() {
        note_active(&mut stream, &group, &mut consumer, time)?;
    }
    drop(stream);
    ctx.out.end_deferred(mark, answered, Aggregate::Array);
    log(ctx.effects, &names, seen, now, &claimed, &gone);
    if moves {
        log_position(ctx.effects, &names, &group);
    }
    Ok(())
}

/// Logs that entries are pending as said, and that others, which are gone, are so no more.
fn log(
    effects: &mut Effects,
    names: &Names<'_>,
    seen: Seen,
    now: u64,
    claimed: &[Pending],
    gone: &[Id],
) {
    log_seen(effects, names, seen, now);
    for one in claimed {
        log_pending(
            effects,
            names.db,
            names.key,
            names.group,
            names.consumer,
            one,
        );
    }
    if !gone.is_empty() {
        let ids: Vec<String> = gone.iter().map(|id| id.text()).collect();
        let mut words: Vec<&[u8]> = vec![b"XACK", names.key, names.group];
        words.extend(ids.iter().map(String::as_bytes));
        effects.command(names.db, &words);
    }
}

/// An XAUTOCLAIM.
#[derive(Clone, Copy, Debug)]
struct AutoClaim {
    min_idle_ms: u64,
    start: Id,
    count: u64,
    just_id: bool,
}

impl AutoClaim {
    fn parse(args: &Args<'_>) -> Result<Self, Error> {
        const DEFAULT_COUNT: u64 = 100;
        const MOST: i64 = i64::MAX / 16;
        let idle = integer(&args[4])
            .map_err(|_| texts::invalid_argument("min-idle-time", "XAUTOCLAIM"))?;
        let mut claim = AutoClaim {
            min_idle_ms: u64::try_from(idle).unwrap_or(0),
            start: start(&args[5])?,
            count: DEFAULT_COUNT,
            just_id: false,
        };
        let mut words = Cursor::at(args, 6);
        while let Some(word) = words.next() {
            if is(word, "COUNT") && words.clone().next().is_some() {
                let count = integer(words.value()?).ok();
                let count = count.filter(|count| (1..=MOST).contains(count));
                claim.count = count.ok_or(errors::COUNT_ABOVE_ZERO)? as u64;
            } else if is(word, "JUSTID") {
                claim.just_id = true;
            } else {
                return Err(errors::SYNTAX);
            }
        }
        Ok(claim)
    }
}

/// What an XAUTOCLAIM comes to.
#[derive(Debug, Default)]
struct Found {
    claimed: Vec<Pending>,
    gone: Vec<Id>,
    /// Where the next one is to begin; the smallest id if there is nothing left.
    next: Id,
}

impl AutoClaim {
    /// Looks through what is pending, no more than ten times as many entries as are wanted.
    fn find(
        &self,
        stream: &Stream<'_, '_>,
        group: &Group,
        consumer: u64,
        now: u64,
    ) -> Result<Found, Fault> {
        const ATTEMPTS: u64 = 10;
        let attempts = self.count.saturating_mul(ATTEMPTS);
        let mut ranks = stream.pending_ranks(group, self.start, Id::MAX)?;
        let is_all = ranks.end - ranks.start <= attempts;
        // One more, which may be where the next call begins.
        ranks.end = ranks.end.min(ranks.start.saturating_add(attempts + 1));
        let mut all = Vec::new();
        stream.each_pending(group, ranks, |pending| {
            all.push(pending);
            ControlFlow::Continue(())
        })?;
        let ids: Vec<Id> = all.iter().map(|pending| pending.id).collect();
        prefault_replies(stream, &ids)?;
        let (mut found, mut left) = (Found::default(), self.count);
        for (index, pending) in all.into_iter().enumerate() {
            if left == 0 || (index as u64 == attempts && !is_all) {
                found.next = pending.id;
                break;
            }
            if !stream.contains(pending.id)? {
                found.gone.push(pending.id);
                left -= 1;
            } else if self.min_idle_ms == 0
                || now.saturating_sub(pending.delivered_ms) >= self.min_idle_ms
            {
                found.claimed.push(Pending {
                    consumer,
                    delivered_ms: now,
                    deliveries: pending.deliveries.saturating_add(u64::from(!self.just_id)),
                    ..pending
                });
                left -= 1;
            }
        }
        Ok(found)
    }
}

pub(super) fn xautoclaim(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let now = ctx.now.0;
    let claim = AutoClaim::parse(ctx.args)?;
    let mut stream = Stream::open_unwatched(ctx.tx, &ctx.keys[0])?;
    let mut group = named_group(&stream, ctx.args)?;
    let names = Names::of(ctx.args, ctx.db);
    stream.prefault_consumer(&group, names.consumer)?;
    let known = stream.consumer(&group, names.consumer)?;
    let number = known.map_or(group.next_consumer, |one| one.number);
    let found = claim.find(&stream, &group, number, now)?;
    let taken = found.claimed.iter().map(|one| one.id);
    let ids: Vec<Id> = taken.chain(found.gone.iter().copied()).collect();
    stream.prefault_pending(&group, &ids, Some(number))?;

    let (mut consumer, seen) = note_seen(&mut stream, &mut group, names.consumer, now)?;
    ctx.out.array(3);
    ctx.out.bulk(found.next.text());
    ctx.out.array(found.claimed.len());
    for one in &found.claimed {
        stream.put_pending(&group, one)?;
        if claim.just_id || !reply_one(&mut ctx.out, &stream, one.id)? {
            ctx.out.bulk(one.id.text());
        }
    }
    ctx.out.array(found.gone.len());
    for id in &found.gone {
        stream.remove_pending(&group, *id)?;
        ctx.out.bulk(id.text());
    }
    if !found.claimed.is_empty() {
        note_active(&mut stream, &group, &mut consumer, now)?;
    }
    drop(stream);
    log(ctx.effects, &names, seen, now, &found.claimed, &found.gone);
    Ok(())
}
