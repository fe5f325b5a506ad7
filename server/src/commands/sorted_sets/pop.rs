//! ZPOPMIN, ZPOPMAX, ZMPOP, and what BZPOPMIN and its kin share with them. What they take out is logged as removed.

use basalt_resp::{Encoder, Proto};
use basalt_tiering::Key;

use super::range::begin_members;
use super::zset::{Scored, ZSet, log_removed};
use crate::args::{Cursor, integer, is, positive};
use crate::commands::{Ctx, Outcome, Stop};
use crate::errors::{self, Error};

pub(super) fn zpopmin(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop(ctx, false)
}

pub(super) fn zpopmax(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop(ctx, true)
}

fn pop(ctx: &mut Ctx<'_, '_>, from_end: bool) -> Outcome {
    let count = match ctx.args.len() {
        2 => None,
        3 => Some(positive(&ctx.args[2])?),
        _ => return Err(errors::SYNTAX.into()),
    };
    let key = &ctx.keys[0];
    let members = take(ctx, key, from_end, count.unwrap_or(1))?;
    // Without a count there is one pair at most, which stands for itself.
    match (count, ctx.out.proto()) {
        (Some(_), Proto::Resp3) => push_pairs(&mut ctx.out, &members),
        _ => {
            ctx.out.array(members.len() * 2);
            for (member, score) in &members {
                ctx.out.bulk(member);
                ctx.out.double(*score);
            }
        }
    }
    Ok(())
}

/// Takes up to `count` members out of a sorted set, from its start or its end.
fn take(
    ctx: &mut Ctx<'_, '_>,
    key: &Key<'_>,
    from_end: bool,
    count: u64,
) -> Result<Vec<Scored>, Stop> {
    let key = *key;
    let mut set = ZSet::open(ctx.tx, &key)?;
    let (len, count) = (set.len(), count.min(set.len()));
    let ranks = if from_end { len - count..len } else { 0..count };
    let members = set.members(ranks.clone(), from_end)?;
    set.remove_ranks(ranks, &members)?;
    let is_empty = set.is_empty();
    drop(set);
    log_removed(ctx, &key, &members, is_empty);
    Ok(members)
}

fn push_pairs(out: &mut Encoder<'_>, members: &[Scored]) {
    begin_members(out, members.len(), false);
    for (member, score) in members {
        out.array(2);
        out.bulk(member);
        out.double(*score);
    }
}

/// `numkeys key… MIN|MAX [COUNT count]`, without the keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    from_end: bool,
    count: u64,
}

impl Options {
    /// Reads them; the number of keys is argument `at`.
    pub(super) fn parse(ctx: &Ctx<'_, '_>, at: usize) -> Result<Self, Error> {
        let numkeys = integer(&ctx.args[at]).ok().filter(|count| *count > 0);
        let numkeys = numkeys.ok_or(errors::NUMKEYS_NOT_POSITIVE)?;
        if ctx.keys.len() as i64 != numkeys {
            return Err(errors::SYNTAX);
        }
        let mut args = Cursor::at(ctx.args, at + 1 + ctx.keys.len());
        let from_end = match args.value()? {
            word if is(word, "MIN") => false,
            word if is(word, "MAX") => true,
            _ => return Err(errors::SYNTAX),
        };
        let mut count = None;
        while let Some(word) = args.next() {
            if count.is_some() || !is(word, "COUNT") {
                return Err(errors::SYNTAX);
            }
            let number = integer(args.value()?).ok().filter(|count| *count > 0);
            count = Some(number.ok_or(errors::COUNT_NOT_POSITIVE)? as u64);
        }
        Ok(Options {
            from_end,
            count: count.unwrap_or(1),
        })
    }
}

pub(super) fn zmpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = Options::parse(ctx, 1)?;
    if !pop_any(ctx, options)? {
        ctx.out.null_array();
    }
    Ok(())
}

/// Takes from the first of the keys that has something; false if none has.
pub(super) fn pop_any(ctx: &mut Ctx<'_, '_>, options: Options) -> Result<bool, Stop> {
    for key in ctx.keys {
        let members = take(ctx, key, options.from_end, options.count)?;
        if !members.is_empty() {
            ctx.out.array(2);
            ctx.out.bulk(key.bytes);
            push_pairs(&mut ctx.out, &members);
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes one member out of the first of the keys that has any: key, member, score.
pub(super) fn pop_one(ctx: &mut Ctx<'_, '_>, from_end: bool) -> Result<bool, Stop> {
    for key in ctx.keys {
        if let [(member, score)] = take(ctx, key, from_end, 1)?.as_slice() {
            ctx.out.array(3);
            ctx.out.bulk(key.bytes);
            ctx.out.bulk(member);
            ctx.out.double(*score);
            return Ok(true);
        }
    }
    Ok(false)
}
