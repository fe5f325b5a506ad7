//! Commands that set and delete fields: HSET, HMSET, HSETNX, HDEL, HGETDEL.

use basalt_tiering::{Kind, MAIN};

use crate::args::{integer, is};
use crate::commands::collection::collection;
use crate::commands::{Ctx, Outcome, Stop};
use crate::errors::{self, Error};

const FIELDS_MISSING: Error =
    Error::new("ERR Mandatory argument FIELDS is missing or not at the right position");
const FIELDS_NOT_POSITIVE: Error = Error::new("ERR Number of fields must be a positive integer");
const FIELDS_MISMATCH: Error =
    Error::new("ERR The `numfields` parameter must match the number of arguments");

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
        hash.prefault(MAIN, args.iter().skip(2).step_by(2))?;
    }
    let mut added = 0;
    for at in (2..args.len()).step_by(2) {
        added += i64::from(hash.insert(MAIN, &args[at], &args[at + 1])?);
    }
    drop(hash);
    ctx.effects.as_given(ctx.db, args);
    Ok(added)
}

pub(super) fn hsetnx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    let is_new = !hash.contains(MAIN, &ctx.args[2])?;
    if is_new {
        hash.insert(MAIN, &ctx.args[2], &ctx.args[3])?;
    }
    drop(hash);
    if is_new {
        ctx.effects.as_given(ctx.db, ctx.args);
    }
    ctx.out.integer(i64::from(is_new));
    Ok(())
}

pub(super) fn hdel(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = &ctx.keys[0];
    let mut hash = collection(ctx.tx, key, Kind::Hash)?;
    hash.prefault(MAIN, ctx.args.iter().skip(2))?;
    let mut deleted = 0;
    for field in ctx.args.iter().skip(2) {
        deleted += i64::from(hash.remove(MAIN, field)?);
    }
    let is_empty = hash.is_empty();
    drop(hash);
    if deleted > 0 && is_empty {
        ctx.effects.delete(ctx.db, key.bytes);
    } else if deleted > 0 {
        ctx.effects.as_given(ctx.db, ctx.args);
    }
    ctx.out.integer(deleted);
    Ok(())
}

pub(super) fn hgetdel(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (args, key) = (ctx.args, &ctx.keys[0]);
    if !is(&args[2], "FIELDS") {
        return Err(FIELDS_MISSING.into());
    }
    let count = integer(&args[3]).ok().filter(|n| *n > 0);
    let count = count.ok_or(FIELDS_NOT_POSITIVE)?;
    if count != (args.len() - 4) as i64 {
        return Err(FIELDS_MISMATCH.into());
    }
    let mut hash = collection(ctx.tx, key, Kind::Hash)?;
    hash.prefault(MAIN, args.iter().skip(4))?;
    ctx.out.array(count as usize);
    let mut effect: Vec<&[u8]> = vec![b"HDEL", key.bytes];
    for field in args.iter().skip(4) {
        ctx.out.bulk_or_null(hash.get(MAIN, field)?);
        if hash.remove(MAIN, field)? {
            effect.push(field);
        }
    }
    let is_empty = hash.is_empty();
    drop(hash);
    if effect.len() > 2 && is_empty {
        ctx.effects.delete(ctx.db, key.bytes);
    } else if effect.len() > 2 {
        ctx.effects.command(ctx.db, &effect);
    }
    Ok(())
}
