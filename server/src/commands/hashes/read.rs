//! Commands that look at fields, of which those past their time are hidden: HGET, HMGET, HGETALL, HKEYS, HVALS, HLEN, HEXISTS, HSTRLEN.

use basalt_tiering::{Kind, MAIN};

use super::fields::{each_live, live, live_len};
use crate::commands::collection::collection;
use crate::commands::{Ctx, Outcome};

pub(super) fn hget(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    ctx.out.bulk_or_null(live(&hash, &ctx.args[2], ctx.now)?);
    Ok(())
}

pub(super) fn hmget(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    hash.prefault(MAIN, ctx.args.iter().skip(2))?;
    ctx.out.array(ctx.args.len() - 2);
    for field in ctx.args.iter().skip(2) {
        ctx.out.bulk_or_null(live(&hash, field, ctx.now)?);
    }
    Ok(())
}

pub(super) fn hgetall(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    let out = &mut ctx.out;
    hash.prefault_ranks(MAIN, 0..hash.len(MAIN))?;
    out.map(live_len(&hash, ctx.now)? as usize);
    each_live(&hash, ctx.now, |field, value| {
        out.bulk(field);
        out.bulk(value);
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
    out.array(live_len(&hash, ctx.now)? as usize);
    each_live(&hash, ctx.now, |field, value| {
        if fields {
            out.bulk(field);
        } else {
            out.bulk(value);
        }
    })?;
    Ok(())
}

/// Counts what is past its time as long as it is there, as Redis does.
pub(super) fn hlen(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    ctx.out.integer(hash.len(MAIN) as i64);
    Ok(())
}

pub(super) fn hexists(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    ctx.out
        .integer(i64::from(live(&hash, &ctx.args[2], ctx.now)?.is_some()));
    Ok(())
}

pub(super) fn hstrlen(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    let len = live(&hash, &ctx.args[2], ctx.now)?.map_or(0, |value| value.len() as i64);
    ctx.out.integer(len);
    Ok(())
}
