//! HINCRBY and HINCRBYFLOAT. An integer step is logged as it came, a floating point step as its result.

use basalt_resp::{LongDouble, parse_i64};
use basalt_tiering::{Kind, MAIN};

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
    let old = match hash.get(MAIN, &ctx.args[2])? {
        Some(value) => parse_i64(&value).ok_or(NOT_AN_INTEGER)?,
        None => 0,
    };
    let new = old.checked_add(step).ok_or(errors::INCREMENT_OVERFLOW)?;
    let mut digits = itoa::Buffer::new();
    hash.insert(MAIN, &ctx.args[2], digits.format(new).as_bytes())?;
    drop(hash);
    ctx.effects.as_given(ctx.db, ctx.args);
    ctx.out.integer(new);
    Ok(())
}

pub(super) fn hincrbyfloat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = &ctx.keys[0];
    let step = LongDouble::parse(&ctx.args[3]).ok_or(errors::NOT_A_FLOAT)?;
    if step.is_infinite() {
        return Err(NOT_FINITE.into());
    }
    let mut hash = collection(ctx.tx, key, Kind::Hash)?;
    let old = match hash.get(MAIN, &ctx.args[2])? {
        Some(value) => LongDouble::parse(&value).ok_or(NOT_A_FLOAT)?,
        None => LongDouble::ZERO,
    };
    let new = old
        .checked_add(step)
        .ok_or(errors::INCREMENT_NOT_A_NUMBER)?
        .to_string();
    hash.insert(MAIN, &ctx.args[2], new.as_bytes())?;
    drop(hash);
    ctx.effects
        .command(ctx.db, &[b"HSET", key.bytes, &ctx.args[2], new.as_bytes()]);
    ctx.out.bulk(new);
    Ok(())
}
