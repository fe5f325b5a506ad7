//! SINTER, SUNION, SDIFF, and the same with STORE, whose physical result is logged: an effect depends on one key.
//!
//! Sets are opened one after the other, since a handle has the slots to itself; what was found so far is kept in
//! order, so that a set of about the same size is walked beside it, and a much larger one is asked for each member.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use basalt_tiering::{Key, Kind, MAIN};

use crate::args::{Cursor, integer, is};
use crate::commands::collection::{build, collection};
use crate::commands::{Ctx, Outcome, Stop};
use crate::effect_forms::log_in_portions;
use crate::errors::{self, Error};

/// A set so many times larger than what is looked for is not walked.
const MUCH_LARGER: u64 = 16;

/// Members in order.
type Members = Vec<Vec<u8>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Intersection,
    Union,
    Difference,
}

pub(super) fn sinter(ctx: &mut Ctx<'_, '_>) -> Outcome {
    answer(ctx, Operation::Intersection)
}

pub(super) fn sunion(ctx: &mut Ctx<'_, '_>) -> Outcome {
    answer(ctx, Operation::Union)
}

pub(super) fn sdiff(ctx: &mut Ctx<'_, '_>) -> Outcome {
    answer(ctx, Operation::Difference)
}

pub(super) fn sinterstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    store(ctx, Operation::Intersection)
}

pub(super) fn sunionstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    store(ctx, Operation::Union)
}

pub(super) fn sdiffstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    store(ctx, Operation::Difference)
}

fn answer(ctx: &mut Ctx<'_, '_>, operation: Operation) -> Outcome {
    let members = combine(ctx, ctx.keys, operation)?;
    ctx.out.set(members.len());
    for member in &members {
        ctx.out.bulk(member);
    }
    Ok(())
}

pub(super) fn sintercard(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let count = integer(&ctx.args[1]).ok().filter(|count| *count > 0);
    let count = count.ok_or(errors::NUMKEYS_NOT_POSITIVE)?;
    if ctx.keys.len() as i64 != count {
        return Err(errors::NUMKEYS_BEYOND_ARGS.into());
    }
    let limit = limit(Cursor::at(ctx.args, 2 + ctx.keys.len()))?;
    let members = combine(ctx, ctx.keys, Operation::Intersection)?;
    let found = members.len() as i64;
    ctx.out
        .integer(if limit > 0 { found.min(limit) } else { found });
    Ok(())
}

/// LIMIT of SINTERCARD and ZINTERCARD; 0 is none.
pub(in crate::commands) fn limit(mut args: Cursor<'_>) -> Result<i64, Error> {
    let mut limit = 0;
    while let Some(word) = args.next() {
        if !is(word, "LIMIT") {
            return Err(errors::SYNTAX);
        }
        let number = integer(args.value()?).ok().filter(|number| *number >= 0);
        limit = number.ok_or(errors::LIMIT_NEGATIVE)?;
    }
    Ok(limit)
}

fn store(ctx: &mut Ctx<'_, '_>, operation: Operation) -> Outcome {
    let target = &ctx.keys[0];
    let members = combine(ctx, &ctx.keys[1..], operation)?;
    if ctx.tx.remove(target)? {
        ctx.effects.delete(ctx.db, target.bytes);
    }
    build(ctx.tx, target, Kind::Set, &members);
    log_in_portions(ctx.effects, ctx.db, b"SADD", target.bytes, &members);
    ctx.out.integer(members.len() as i64);
    Ok(())
}

fn combine(ctx: &mut Ctx<'_, '_>, keys: &[Key<'_>], operation: Operation) -> Result<Members, Stop> {
    // Every key has to be a set or absent, even where the answer is known before.
    let mut sizes = Vec::with_capacity(keys.len());
    for key in keys {
        sizes.push(collection(ctx.tx, key, Kind::Set)?.len(MAIN));
    }
    match operation {
        Operation::Union => union(ctx, keys),
        Operation::Intersection if sizes.contains(&0) => Ok(Vec::new()),
        Operation::Intersection => {
            let mut order: Vec<usize> = (0..keys.len()).collect();
            order.sort_by_key(|index| sizes[*index]);
            let mut found = members(ctx, &keys[order[0]])?;
            for index in &order[1..] {
                retain(ctx, &keys[*index], &mut found, true)?;
            }
            Ok(found)
        }
        Operation::Difference => {
            let mut found = members(ctx, &keys[0])?;
            for key in &keys[1..] {
                retain(ctx, key, &mut found, false)?;
            }
            Ok(found)
        }
    }
}

fn members(ctx: &mut Ctx<'_, '_>, key: &Key<'_>) -> Result<Members, Stop> {
    let set = collection(ctx.tx, key, Kind::Set)?;
    let len = set.len(MAIN);
    let mut members = Vec::with_capacity(len as usize);
    set.each(MAIN, 0..len, false, |member, _| {
        members.push(member.to_vec());
        ControlFlow::Continue(())
    })?;
    Ok(members)
}

fn union(ctx: &mut Ctx<'_, '_>, keys: &[Key<'_>]) -> Result<Members, Stop> {
    if let [key] = keys {
        return members(ctx, key);
    }
    let mut all: BTreeSet<Vec<u8>> = BTreeSet::new();
    for key in keys {
        let set = collection(ctx.tx, key, Kind::Set)?;
        set.each(MAIN, 0..set.len(MAIN), false, |member, _| {
            if !all.contains(member) {
                all.insert(member.to_vec());
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(all.into_iter().collect())
}

/// Keeps of `found` what the set has (`there`), or what it has not.
fn retain(
    ctx: &mut Ctx<'_, '_>,
    key: &Key<'_>,
    found: &mut Members,
    there: bool,
) -> Result<(), Stop> {
    let set = collection(ctx.tx, key, Kind::Set)?;
    let len = set.len(MAIN);
    let mut is_there = vec![false; found.len()];
    if found.len() as u64 * MUCH_LARGER < len {
        set.prefault(MAIN, found.iter().map(Vec::as_slice))?;
        for (mark, member) in is_there.iter_mut().zip(found.iter()) {
            *mark = set.contains(MAIN, member)?;
        }
    } else {
        let mut at = 0;
        set.each(MAIN, 0..len, false, |member, _| {
            while found.get(at).is_some_and(|other| other.as_slice() < member) {
                at += 1;
            }
            match found.get(at) {
                None => return ControlFlow::Break(()),
                Some(other) => is_there[at] |= other.as_slice() == member,
            }
            ControlFlow::Continue(())
        })?;
    }
    let mut marks = is_there.into_iter();
    found.retain(|_| marks.next() == Some(there));
    Ok(())
}
