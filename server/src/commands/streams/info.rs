//! XINFO STREAM, in its short and its full form.
//!
//! `radix-tree-keys` and `radix-tree-nodes` are what a redis-server would have for as many small entries.

use std::ops::ControlFlow;

use basalt_resp::{Args, Encoder};
use basalt_tiering::MAIN;

use super::groups::{Consumer, Group, lag};
use super::id::Id;
use super::node_entries;
use super::range::{reply_entries, reply_entry};
use super::stream::Stream;
use super::texts;
use crate::args::{Cursor, integer, is};
use crate::commands::{Ctx, Outcome};
use crate::errors::{self, Error};

pub(super) fn stream(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let node = node_entries(ctx);
    let stream = Stream::open(ctx.tx, &ctx.keys[0])?;
    if !stream.existed() {
        return Err(errors::NO_SUCH_KEY.into());
    }
    if ctx.args.len() > 3 {
        let most = full_count(ctx.args)?;
        return full(&mut ctx.out, &stream, most, node);
    }
    let groups = stream.group_count()?;
    let edges = [0, stream.len().saturating_sub(1)];
    stream.tree().prefault_at(MAIN, edges)?;
    ctx.out.map(10);
    figures(&mut ctx.out, &stream, node)?;
    ctx.out.bulk("groups");
    ctx.out.integer(groups as i64);
    for (name, rank) in ["first-entry", "last-entry"].into_iter().zip(edges) {
        ctx.out.bulk(name);
        if stream.is_empty() {
            ctx.out.null();
        }
        stream.each(rank..(rank + 1).min(stream.len()), false, |id, entry| {
            reply_entry(&mut ctx.out, id, &entry);
            ControlFlow::Continue(())
        })?;
    }
    Ok(())
}

pub(super) fn groups(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let stream = Stream::open(ctx.tx, &ctx.keys[0])?;
    if !stream.existed() {
        return Err(errors::NO_SUCH_KEY.into());
    }
    let groups = stream.groups()?;
    let out = &mut ctx.out;
    out.array(groups.len());
    for group in &groups {
        let pending = stream.pending_ranks(group, Id::MIN, Id::MAX)?;
        out.map(6);
        out.bulk("name");
        out.bulk(&group.name);
        out.bulk("consumers");
        out.integer(stream.consumer_count(group)? as i64);
        out.bulk("pending");
        out.integer((pending.end - pending.start) as i64);
        out.bulk("last-delivered-id");
        out.bulk(group.last.text());
        out.bulk("entries-read");
        integer_or_null(out, group.read);
        out.bulk("lag");
        integer_or_null(out, lag(&stream, group)?);
    }
    Ok(())
}

pub(super) fn consumers(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let now = ctx.now.0;
    let stream = Stream::open(ctx.tx, &ctx.keys[0])?;
    if !stream.existed() {
        return Err(errors::NO_SUCH_KEY.into());
    }
    let Some(group) = stream.group(&ctx.args[3])? else {
        return Err(texts::no_group_for_key(&ctx.args[3], &ctx.args[2]).into());
    };
    let consumers = stream.consumers(&group)?;
    let out = &mut ctx.out;
    out.array(consumers.len());
    for consumer in &consumers {
        let pending = stream.owned_ranks(&group, consumer.number, Id::MIN, Id::MAX)?;
        out.map(4);
        out.bulk("name");
        out.bulk(&consumer.name);
        out.bulk("pending");
        out.integer((pending.end - pending.start) as i64);
        out.bulk("idle");
        // A copy that came from the log does not know when.
        out.integer(match consumer.seen_ms {
            0 => 0,
            seen => now.saturating_sub(seen) as i64,
        });
        out.bulk("inactive");
        let inactive = consumer.active_ms.map(|at| now.saturating_sub(at) as i64);
        out.integer(inactive.unwrap_or(-1));
    }
    Ok(())
}

/// How many entries, and pending ones of each kind, are shown.
fn full_count(args: &Args<'_>) -> Result<u64, Error> {
    const DEFAULT: u64 = 10;
    let mut words = Cursor::at(args, 3);
    let wrong = || texts::xinfo_stream_args(&args[1]);
    let left = words.clone().count();
    if left == 2 || left > 3 || !words.next().is_some_and(|word| is(word, "FULL")) {
        return Err(wrong());
    }
    let Some(word) = words.next() else {
        return Ok(DEFAULT);
    };
    if !is(word, "COUNT") {
        return Err(wrong());
    }
    let count = integer(words.value()?)?;
    Ok(match u64::try_from(count) {
        Ok(0) => u64::MAX,
        Ok(count) => count,
        Err(_) => DEFAULT,
    })
}

fn full(out: &mut Encoder<'_>, stream: &Stream<'_, '_>, most: u64, node: u64) -> Outcome {
    out.map(9);
    figures(out, stream, node)?;
    out.bulk("entries");
    reply_entries(out, stream, 0..stream.len().min(most), false)?;
    out.bulk("groups");
    let groups = stream.groups()?;
    out.array(groups.len());
    for group in &groups {
        full_group(out, stream, group, most)?;
    }
    Ok(())
}

fn full_group(out: &mut Encoder<'_>, stream: &Stream<'_, '_>, group: &Group, most: u64) -> Outcome {
    let consumers = stream.consumers(group)?;
    let name_of = |number| consumers.iter().find(|one| one.number == number);
    out.map(7);
    out.bulk("name");
    out.bulk(&group.name);
    out.bulk("last-delivered-id");
    out.bulk(group.last.text());
    out.bulk("entries-read");
    integer_or_null(out, group.read);
    out.bulk("lag");
    integer_or_null(out, lag(stream, group)?);
    let mut ranks = stream.pending_ranks(group, Id::MIN, Id::MAX)?;
    out.bulk("pel-count");
    out.integer((ranks.end - ranks.start) as i64);
    ranks.end = ranks.end.min(ranks.start.saturating_add(most));
    out.bulk("pending");
    out.array((ranks.end - ranks.start) as usize);
    stream.each_pending(group, ranks, |pending| {
        out.array(4);
        out.bulk(pending.id.text());
        out.bulk(name_of(pending.consumer).map_or(&b""[..], |one| &one.name));
        out.integer(pending.delivered_ms as i64);
        out.integer(pending.deliveries as i64);
        ControlFlow::Continue(())
    })?;
    out.bulk("consumers");
    out.array(consumers.len());
    for consumer in &consumers {
        full_consumer(out, stream, group, consumer, most)?;
    }
    Ok(())
}

fn full_consumer(
    out: &mut Encoder<'_>,
    stream: &Stream<'_, '_>,
    group: &Group,
    consumer: &Consumer,
    most: u64,
) -> Outcome {
    let mut ranks = stream.owned_ranks(group, consumer.number, Id::MIN, Id::MAX)?;
    out.map(5);
    out.bulk("name");
    out.bulk(&consumer.name);
    out.bulk("seen-time");
    out.integer(consumer.seen_ms as i64);
    out.bulk("active-time");
    out.integer(consumer.active_ms.map_or(-1, |ms| ms as i64));
    out.bulk("pel-count");
    out.integer((ranks.end - ranks.start) as i64);
    ranks.end = ranks.end.min(ranks.start.saturating_add(most));
    let mut ids = Vec::new();
    stream.each_owned(group, consumer.number, ranks, |id| {
        ids.push(id);
        ControlFlow::Continue(())
    })?;
    out.bulk("pending");
    out.array(ids.len());
    for id in ids {
        let pending = stream.pending(group, id)?;
        let pending = pending.expect("what is pending for a consumer is so for its group");
        out.array(3);
        out.bulk(id.text());
        out.integer(pending.delivered_ms as i64);
        out.integer(pending.deliveries as i64);
    }
    Ok(())
}

fn integer_or_null(out: &mut Encoder<'_>, number: Option<u64>) {
    match number {
        Some(number) => out.integer(number as i64),
        None => out.null(),
    }
}

/// The seven pairs that both forms begin with.
fn figures(out: &mut Encoder<'_>, stream: &Stream<'_, '_>, node: u64) -> Outcome {
    let (head, first) = (stream.head(), stream.first_id()?);
    let nodes = stream.len().div_ceil(node);
    for (name, figure) in [
        ("length", stream.len()),
        ("radix-tree-keys", nodes),
        ("radix-tree-nodes", nodes + 1),
    ] {
        out.bulk(name);
        out.integer(figure as i64);
    }
    out.bulk("last-generated-id");
    out.bulk(head.last.text());
    out.bulk("max-deleted-entry-id");
    out.bulk(head.max_deleted.text());
    out.bulk("entries-added");
    out.integer(head.added as i64);
    out.bulk("recorded-first-entry-id");
    out.bulk(first.text());
    Ok(())
}
