//! Commands that look at fields: HGET, HMGET, HGETALL, HKEYS, HVALS, HLEN, HEXISTS, HSTRLEN.

use std::ops::ControlFlow;

use basalt_tiering::{Kind, MAIN};

use crate::commands::collection::collection;
use crate::commands::{Ctx, Outcome};

pub(super) fn hget(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    ctx.out.bulk_or_null(hash.get(MAIN, &ctx.args[2])?);
    Ok(())
}

pub(super) fn hmget(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    hash.prefault(MAIN, ctx.args.iter().skip(2))?;
    ctx.out.array(ctx.args.len() - 2);
    for field in ctx.args.iter().skip(2) {
        ctx.out.bulk_or_null(hash.get(MAIN, field)?);
    }
    Ok(())
}

pub(super) fn hgetall(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    let out = &mut ctx.out;
    hash.prefault_ranks(MAIN, 0..hash.len(MAIN))?;
    out.map(hash.len(MAIN) as usize);
    hash.each(MAIN, 0..hash.len(MAIN), false, |field, value| {
        out.bulk(field);
        out.bulk(value);
        ControlFlow::Continue(())
    })?;
    Ok(())
}

pub(super) fn hkeys(ctx: &mut Ctx<'_, '_>) -> Outcome {
    one_side(ctx, true)
}

pub(super) fn hvals(ctx: &mut Ctx<'_, '_>) -> Outcome {
    one_side(ctx, false)
}

fn one_side(ctx: &mut Ctx<'_, '_>, fields: bool) -> Outcome {
    let hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    let out = &mut ctx.out;
    out.array(hash.len(MAIN) as usize);
    hash.each(MAIN, 0..hash.len(MAIN), false, |field, value| {
        if fields {
            out.bulk(field);
        } else {
            out.bulk(value);
        }
        ControlFlow::Continue(())
    })?;
    Ok(())
}

pub(super) fn hlen(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    ctx.out.integer(hash.len(MAIN) as i64);
    Ok(())
}

pub(super) fn hexists(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    ctx.out
        .integer(i64::from(hash.contains(MAIN, &ctx.args[2])?));
    Ok(())
}

pub(super) fn hstrlen(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    let len = hash
        .get(MAIN, &ctx.args[2])?
        .map_or(0, |value| value.len() as i64);
    ctx.out.integer(len);
    Ok(())
}
