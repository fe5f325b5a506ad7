//! SPOP and SRANDMEMBER. SPOP is logged as the removal of what it chose.

use std::ops::ControlFlow;

use basalt_tiering::{Kind, MAIN};
use rand::Rng;

use crate::args::{integer, positive, repeatable_count};
use crate::commands::collection::{collection, random_ranks};
use crate::commands::{Ctx, Outcome};
use crate::effect_forms::log_in_portions;
use crate::errors;

pub(super) fn srandmember(ctx: &mut Ctx<'_, '_>) -> Outcome {
    match ctx.args.len() {
        2 => one(ctx),
        3 => several(ctx),
        _ => Err(errors::SYNTAX.into()),
    }
}

fn one(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut rng = ctx.tx.rng();
    let set = collection(ctx.tx, &ctx.keys[0], Kind::Set)?;
    if set.is_empty() {
        ctx.out.null();
        return Ok(());
    }
    let found = set.at(MAIN, rng.random_range(0..set.len(MAIN)))?;
    ctx.out.bulk_or_null(found.map(|(member, _)| member));
    Ok(())
}

/// With a negative count the same member may come several times.
fn several(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let count = repeatable_count(integer(&ctx.args[2])?)?;
    let mut rng = ctx.tx.rng();
    let set = collection(ctx.tx, &ctx.keys[0], Kind::Set)?;
    let len = set.len(MAIN);
    if count >= 0 && count.unsigned_abs() >= len {
        ctx.out.array(len as usize);
        set.each(MAIN, 0..len, false, |member, _| {
            ctx.out.bulk(member);
            ControlFlow::Continue(())
        })?;
        return Ok(());
    }
    let ranks = random_ranks(&mut rng, len, count)?;
    set.prefault_at(MAIN, ranks.iter().copied())?;
    ctx.out.array(ranks.len());
    for rank in ranks {
        let found = set.at(MAIN, rank)?;
        ctx.out.bulk_or_null(found.map(|(member, _)| member));
    }
    Ok(())
}

pub(super) fn spop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    match ctx.args.len() {
        2 => pop_one(ctx),
        3 => pop_several(ctx),
        _ => Err(errors::SYNTAX.into()),
    }
}

fn pop_one(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = &ctx.keys[0];
    let mut rng = ctx.tx.rng();
    let mut set = collection(ctx.tx, key, Kind::Set)?;
    if set.is_empty() {
        ctx.out.null();
        return Ok(());
    }
    let len = set.len(MAIN);
    let rank = rng.random_range(0..len);
    set.take_at(MAIN, rank, |member, _| {
        if len == 1 {
            ctx.effects.delete(ctx.db, key.bytes);
        } else {
            ctx.effects.command(ctx.db, &[b"SREM", key.bytes, member]);
        }
        ctx.out.bulk(member);
    })?;
    Ok(())
}

fn pop_several(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = &ctx.keys[0];
    let count = positive(&ctx.args[2])?;
    let mut rng = ctx.tx.rng();
    let mut set = collection(ctx.tx, key, Kind::Set)?;
    let len = set.len(MAIN);
    let takes_all = count >= len;
    let mut members = Vec::new();
    if takes_all {
        set.each(MAIN, 0..len, false, |member, _| {
            members.push(member.to_vec());
            ControlFlow::Continue(())
        })?;
    } else {
        let wanted = i64::try_from(count).unwrap_or(i64::MAX);
        let ranks = random_ranks(&mut rng, len, wanted)?;
        set.prefault_at(MAIN, ranks.iter().copied())?;
        for rank in ranks {
            let found = set.at(MAIN, rank)?;
            members.extend(found.map(|(member, _)| member.to_vec()));
        }
        set.prefault(MAIN, members.iter().map(Vec::as_slice))?;
        for member in &members {
            set.remove(MAIN, member)?;
        }
    }
    drop(set);
    if takes_all && len > 0 {
        ctx.tx.remove(key)?;
        ctx.effects.delete(ctx.db, key.bytes);
    } else {
        log_in_portions(ctx.effects, ctx.db, b"SREM", key.bytes, &members);
    }
    ctx.out.set(members.len());
    for member in &members {
        ctx.out.bulk(member);
    }
    Ok(())
}
