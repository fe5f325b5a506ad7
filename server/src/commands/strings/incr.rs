//! Counters: INCR, DECR and their relatives on integers, INCRBYFLOAT on decimal numbers.
//!
//! A counter is an ordinary string. The write counts as the access, so what was there is only peeked at
//! (and a cold counter is not promoted just to be overwritten). Integer steps are logged as they came; a
//! floating point step as the SET of its result, so that no two machines have to agree on arithmetic.

use basalt_resp::{LongDouble, parse_i64};
use basalt_tiering::{Expiry, Kind};

use crate::args::integer;
use crate::commands::{Ctx, Outcome};
use crate::errors;

pub(super) fn incr(ctx: &mut Ctx<'_, '_>) -> Outcome {
    add(ctx, 1)
}

pub(super) fn decr(ctx: &mut Ctx<'_, '_>) -> Outcome {
    add(ctx, -1)
}

pub(super) fn incrby(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let step = integer(&ctx.args[2])?;
    add(ctx, step)
}

pub(super) fn decrby(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let step = integer(&ctx.args[2])?;
    add(ctx, step.checked_neg().ok_or(errors::DECREMENT_OVERFLOW)?)
}

fn add(ctx: &mut Ctx<'_, '_>, step: i64) -> Outcome {
    let key = &ctx.keys[0];
    let (old, deadline) = match ctx.tx.peek_text(key)? {
        // What is long is no number.
        Some(text) => (
            text.plain()
                .and_then(parse_i64)
                .ok_or(errors::NOT_AN_INTEGER)?,
            text.expiry(),
        ),
        None => (0, None),
    };
    let new = old.checked_add(step).ok_or(errors::INCREMENT_OVERFLOW)?;
    let mut digits = itoa::Buffer::new();
    let expiry = deadline.map_or(Expiry::Never, Expiry::At);
    ctx.tx
        .set(key, Kind::String, digits.format(new).as_bytes(), expiry);
    ctx.effects.as_given(ctx.db, ctx.args);
    ctx.out.integer(new);
    Ok(())
}

pub(super) fn incrbyfloat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = &ctx.keys[0];
    let (old, deadline) = match ctx.tx.peek_text(key)? {
        Some(text) => (
            text.plain()
                .and_then(LongDouble::parse)
                .ok_or(errors::NOT_A_FLOAT)?,
            text.expiry(),
        ),
        None => (LongDouble::ZERO, None),
    };
    let step = LongDouble::parse(&ctx.args[2]).ok_or(errors::NOT_A_FLOAT)?;
    let new = old
        .checked_add(step)
        .ok_or(errors::INCREMENT_NOT_A_NUMBER)?
        .to_string();
    ctx.tx.set(
        key,
        Kind::String,
        new.as_bytes(),
        deadline.map_or(Expiry::Never, Expiry::At),
    );
    ctx.effects.set(ctx.db, key.bytes, new.as_bytes(), deadline);
    ctx.out.bulk(new);
    Ok(())
}
