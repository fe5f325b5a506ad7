//! Commands that set and delete fields: HSET, HMSET, HSETNX, HDEL.

use basalt_tiering::{Kind, MAIN};

use super::fields::{is_gone, log_removal, shed};
use crate::commands::collection::collection;
use crate::commands::{Ctx, Outcome, Stop};
use crate::errors;

pub(super) fn hset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let added = put_all(ctx, "hset")?;
    ctx.out.integer(added);
    Ok(())
}

pub(super) fn hmset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    put_all(ctx, "hmset")?;
    ctx.out.ok();
    Ok(())
}

fn put_all(ctx: &mut Ctx<'_, '_>, name: &str) -> Result<i64, Stop> {
    let args = ctx.args;
    if !args.len().is_multiple_of(2) {
        return Err(errors::wrong_arity(name).into());
    }
    let mut hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    if args.len() > 4 {
        hash.prefault_fields(args.iter().skip(2).step_by(2), None)?;
    }
    let mut added = 0;
    for at in (2..args.len()).step_by(2) {
        added += i64::from(hash.put_field(&args[at], &args[at + 1], None)?);
    }
    drop(hash);
    ctx.effects.as_given(ctx.db, args);
    Ok(added)
}

pub(super) fn hsetnx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (field, value) = (&ctx.args[2], &ctx.args[3]);
    let mut hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    if is_gone(&hash, field, ctx.now)? {
        drop(hash);
        shed(ctx, field)?;
        hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    }
    let is_new = !hash.contains(MAIN, field)?;
    if is_new {
        hash.put_field(field, value, None)?;
    }
    drop(hash);
    if is_new {
        ctx.effects.as_given(ctx.db, ctx.args);
    }
    ctx.out.integer(i64::from(is_new));
    Ok(())
}

pub(super) fn hdel(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    hash.prefault_fields(ctx.args.iter().skip(2), None)?;
    let mut deleted = Vec::new();
    for field in ctx.args.iter().skip(2) {
        if hash.remove_field(field)? {
            deleted.push(field);
        }
    }
    let is_empty = hash.is_empty();
    drop(hash);
    log_removal(ctx, is_empty, &deleted);
    ctx.out.integer(deleted.len() as i64);
    Ok(())
}
