//! XACK, XACKDEL, XPENDING: what was delivered and not acknowledged.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::{ControlFlow, Range};

use basalt_resp::Args;
use basalt_tiering::Fault;

use super::delete::{IdsOptions, delete};
use super::group::named_group;
use super::groups::{Consumer, Group, Pending};
use super::id::Id;
use super::range::{end, start};
use super::stream::Stream;
use super::trim::{Refs, is_pending};
use crate::args::{integer, is};
use crate::commands::{Ctx, Outcome};
use crate::errors::{self, Error};

pub(super) fn xack(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut stream = Stream::open_unwatched(ctx.tx, &ctx.keys[0])?;
    let Some(group) = stream.group(&ctx.args[2])? else {
        ctx.out.integer(0);
        return Ok(());
    };
    let ids = ctx.args.iter().skip(3).map(|id| Id::parse(id, 0));
    let ids: Vec<Id> = ids.collect::<Result<_, _>>()?;
    stream.prefault_pending(&group, &ids, None)?;
    let mut acknowledged = 0;
    for id in ids {
        acknowledged += i64::from(stream.remove_pending(&group, id)?);
    }
    drop(stream);
    if acknowledged > 0 {
        ctx.effects.as_given(ctx.db, ctx.args);
    }
    ctx.out.integer(acknowledged);
    Ok(())
}

/// What XACKDEL answers for an id.
const NOT_PENDING: i64 = -1;
const DELETED: i64 = 1;
const REFERENCED: i64 = 2;

pub(super) fn xackdel(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = IdsOptions::parse(ctx.args, 3)?;
    let mut stream = Stream::open_unwatched(ctx.tx, &ctx.keys[0])?;
    let Some(group) = stream.group(&ctx.args[2])? else {
        ctx.out.array(options.len());
        (0..options.len()).for_each(|_| ctx.out.integer(NOT_PENDING));
        return Ok(());
    };
    let ids = options.ids()?;
    let groups = match options.refs {
        Refs::Keep => Vec::new(),
        Refs::Delete | Refs::Acked => stream.groups()?,
    };
    stream.prefault_entries(&ids)?;
    for group in groups.iter().chain([&group]) {
        stream.prefault_pending(group, &ids, None)?;
    }
    let had = groups.iter().map(|group| group.last).min();
    let (mut changed, mut deleted) = (false, false);
    ctx.out.array(ids.len());
    for id in ids {
        if !stream.remove_pending(&group, id)? {
            ctx.out.integer(NOT_PENDING);
            continue;
        }
        changed = true;
        let waits = options.refs == Refs::Acked
            && (had.is_some_and(|had| id > had) || is_pending(&stream, &groups, id)?);
        if waits {
            ctx.out.integer(REFERENCED);
            continue;
        }
        if options.refs == Refs::Delete {
            for group in &groups {
                stream.remove_pending(group, id)?;
            }
        }
        deleted |= delete(&mut stream, id)?;
        ctx.out.integer(DELETED);
    }
    drop(stream);
    if deleted {
        ctx.tx.trip_watches(&ctx.keys[0]);
    }
    if changed {
        ctx.effects.as_given(ctx.db, ctx.args);
    }
    Ok(())
}

/// The long form of XPENDING.
#[derive(Clone, Copy, Debug)]
struct Query<'a> {
    min_idle_ms: u64,
    from: Id,
    to: Id,
    count: u64,
    consumer: Option<&'a [u8]>,
}

impl<'a> Query<'a> {
    fn parse(args: &'a Args<'a>) -> Result<Option<Self>, Error> {
        match args.len() {
            3 => return Ok(None),
            6..=9 => {}
            _ => return Err(errors::SYNTAX),
        }
        let (mut at, mut idle) = (3, 0);
        if is(&args[3], "IDLE") {
            idle = integer(&args[4])?;
            if args.len() < 8 {
                return Err(errors::SYNTAX);
            }
            at = 5;
        }
        let count = integer(&args[at + 2])?;
        Ok(Some(Query {
            min_idle_ms: u64::try_from(idle).unwrap_or(0),
            count: u64::try_from(count).unwrap_or(0),
            from: start(&args[at])?,
            to: end(&args[at + 1])?,
            consumer: args.get(at + 3),
        }))
    }
}

pub(super) fn xpending(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let query = Query::parse(ctx.args)?;
    let now = ctx.now.0;
    let stream = Stream::open(ctx.tx, &ctx.keys[0])?;
    let group = named_group(&stream, ctx.args)?;
    let Some(query) = query else {
        return summary(&mut ctx.out, &stream, &group);
    };
    let consumer = match query.consumer {
        Some(name) => match stream.consumer(&group, name)? {
            Some(consumer) => Some(consumer),
            None => {
                ctx.out.array(0);
                return Ok(());
            }
        },
        None => None,
    };
    let found = find(&stream, &group, &query, consumer.as_ref(), now)?;
    let mut names: HashMap<u64, Vec<u8>> = HashMap::new();
    for number in found.iter().map(|pending| pending.consumer) {
        if let Entry::Vacant(name) = names.entry(number) {
            name.insert(stream.consumer_name(&group, number)?.unwrap_or_default());
        }
    }
    ctx.out.array(found.len());
    for pending in found {
        ctx.out.array(4);
        ctx.out.bulk(pending.id.text());
        ctx.out.bulk(&names[&pending.consumer]);
        ctx.out
            .integer(now.saturating_sub(pending.delivered_ms) as i64);
        ctx.out.integer(pending.deliveries as i64);
    }
    Ok(())
}

/// The short form: how many, from where to where, and for whom.
fn summary(out: &mut basalt_resp::Encoder<'_>, stream: &Stream<'_, '_>, group: &Group) -> Outcome {
    let ranks = stream.pending_ranks(group, Id::MIN, Id::MAX)?;
    let mut owners = Vec::new();
    for consumer in stream.consumers(group)? {
        let owned = stream.owned_ranks(group, consumer.number, Id::MIN, Id::MAX)?;
        if !owned.is_empty() {
            owners.push((consumer.name, owned.end - owned.start));
        }
    }
    out.array(4);
    out.integer((ranks.end - ranks.start) as i64);
    if ranks.is_empty() {
        out.null();
        out.null();
        out.null_array();
        return Ok(());
    }
    for rank in [ranks.start, ranks.end - 1] {
        for pending in pending_at(stream, group, rank..rank + 1)? {
            out.bulk(pending.id.text());
        }
    }
    out.array(owners.len());
    for (name, count) in owners {
        out.array(2);
        out.bulk(name);
        out.bulk_int(count as i64);
    }
    Ok(())
}

fn pending_at(
    stream: &Stream<'_, '_>,
    group: &Group,
    ranks: Range<u64>,
) -> Result<Vec<Pending>, Fault> {
    let mut found = Vec::new();
    stream.each_pending(group, ranks, |pending| {
        found.push(pending);
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// The same for what is pending for one consumer.
fn owned_at(
    stream: &Stream<'_, '_>,
    group: &Group,
    consumer: &Consumer,
    ranks: Range<u64>,
) -> Result<Vec<Pending>, Fault> {
    let mut ids = Vec::new();
    stream.each_owned(group, consumer.number, ranks, |id| {
        ids.push(id);
        ControlFlow::Continue(())
    })?;
    stream.prefault_pending(group, &ids, None)?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        found.extend(stream.pending(group, id)?);
    }
    Ok(found)
}

/// What is pending and fits, in portions: who asks for few among many gets them without all being read.
fn find(
    stream: &Stream<'_, '_>,
    group: &Group,
    query: &Query<'_>,
    consumer: Option<&Consumer>,
    now: u64,
) -> Result<Vec<Pending>, Fault> {
    let ranks = match consumer {
        Some(consumer) => stream.owned_ranks(group, consumer.number, query.from, query.to)?,
        None => stream.pending_ranks(group, query.from, query.to)?,
    };
    let (mut found, mut at) = (Vec::new(), ranks.start);
    let mut portion = query.count.clamp(16, 1024);
    while at < ranks.end && (found.len() as u64) < query.count {
        let end = ranks.end.min(at + portion);
        let next = match consumer {
            Some(consumer) => owned_at(stream, group, consumer, at..end)?,
            None => pending_at(stream, group, at..end)?,
        };
        let fits = |one: &Pending| {
            query.min_idle_ms == 0 || now.saturating_sub(one.delivered_ms) >= query.min_idle_ms
        };
        found.extend(next.into_iter().filter(fits));
        (at, portion) = (end, portion * 2);
    }
    found.truncate(usize::try_from(query.count).unwrap_or(usize::MAX));
    Ok(found)
}
