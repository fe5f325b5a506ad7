//! HINCRBY and HINCRBYFLOAT. An integer step is logged as it came, a floating point step as its result. Both leave a
//! field's deadline as it is.

use basalt_resp::{LongDouble, parse_i64};
use basalt_tiering::{Bytes, Kind, MAIN};

use super::fields::{is_gone, shed};
use crate::args::integer;
use crate::commands::collection::collection;
use crate::commands::{Ctx, Outcome};
use crate::errors::{self, Error};

const NOT_AN_INTEGER: Error = Error::new("ERR hash value is not an integer");
const NOT_A_FLOAT: Error = Error::new("ERR hash value is not a float");
const NOT_FINITE: Error = Error::new("ERR value is NaN or Infinity");

pub(super) fn hincrby(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let step = integer(&ctx.args[3])?;
    let mut hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    if is_gone(&hash, &ctx.args[2], ctx.now)? {
        drop(hash);
        shed(ctx, &ctx.args[2])?;
        hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    }
    let old = hash.get(MAIN, &ctx.args[2])?;
    let deadline = old.as_ref().and_then(Bytes::deadline);
    let old = match old {
        Some(value) => parse_i64(&value).ok_or(NOT_AN_INTEGER)?,
        None => 0,
    };
    let new = old.checked_add(step).ok_or(errors::INCREMENT_OVERFLOW)?;
    let mut digits = itoa::Buffer::new();
    hash.put_field(&ctx.args[2], digits.format(new).as_bytes(), deadline)?;
    drop(hash);
    ctx.effects.as_given(ctx.db, ctx.args);
    ctx.out.integer(new);
    Ok(())
}

pub(super) fn hincrbyfloat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let step = LongDouble::parse(&ctx.args[3]).ok_or(errors::NOT_A_FLOAT)?;
    if step.is_infinite() {
        return Err(NOT_FINITE.into());
    }
    let mut hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    if is_gone(&hash, &ctx.args[2], ctx.now)? {
        drop(hash);
        shed(ctx, &ctx.args[2])?;
        hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    }
    let old = hash.get(MAIN, &ctx.args[2])?;
    let deadline = old.as_ref().and_then(Bytes::deadline);
    let old = match old {
        Some(value) => LongDouble::parse(&value).ok_or(NOT_A_FLOAT)?,
        None => LongDouble::ZERO,
    };
    let new = old
        .checked_add(step)
        .ok_or(errors::INCREMENT_NOT_A_NUMBER)?
        .to_string();
    hash.put_field(&ctx.args[2], new.as_bytes(), deadline)?;
    drop(hash);
    let (key, field) = (ctx.keys[0].bytes, &ctx.args[2]);
    let effect: &[&[u8]] = match deadline {
        None => &[b"HSET", key, field, new.as_bytes()],
        Some(_) => &[
            b"HSETEX",
            key,
            b"KEEPTTL",
            b"FIELDS",
            b"1",
            field,
            new.as_bytes(),
        ],
    };
    ctx.effects.command(ctx.db, effect);
    ctx.out.bulk(new);
    Ok(())
}
