//! What the commands on hashes share about fields that expire.
//!
//! A field past its deadline is gone for every command but HLEN, HSET, HDEL and those on the key as a whole, which find
//! it until it is deleted, as in Redis. It is deleted by the master in the background, or by the command that changes
//! it, which logs that (DESIGN.md, invariant 4); a replica and a replay see no time pass by themselves.

use std::ops::ControlFlow;

use basalt_resp::{Args, parse_i64};
use basalt_tiering::{Bytes, Collection, Fault, Kind, MAIN, UnixMs};

use crate::args::{TimeForm, integer, is};
use crate::commands::collection::collection;
use crate::commands::{Ctx, Outcome};
use crate::errors::{self, Error};

pub(super) const FIELDS_MISSING: Error =
    Error::new("ERR Mandatory argument FIELDS is missing or not at the right position");
pub(super) const FIELDS_NOT_POSITIVE: Error =
    Error::new("ERR Number of fields must be a positive integer");
const FIELDS_MISMATCH: Error =
    Error::new("ERR The `numfields` parameter must match the number of arguments");
const TIME_NEGATIVE: Error = Error::new("ERR invalid expire time, must be >= 0");

/// Latest deadline of a field, as in Redis.
const DEADLINE_MAX: i64 = (1 << 46) - 1;

/// The value of a field that is not gone.
pub(super) fn live<'h>(
    hash: &'h Collection<'_, '_>,
    field: &[u8],
    now: UnixMs,
) -> Result<Option<Bytes<'h>>, Fault> {
    Ok(hash
        .get(MAIN, field)?
        .filter(|value| !value.is_expired(now)))
}

/// How many fields are not gone.
pub(super) fn live_len(hash: &Collection<'_, '_>, now: UnixMs) -> Result<u64, Fault> {
    Ok(hash.len(MAIN) - hash.expired_fields(now)?)
}

/// Calls `visit` with the fields that are not gone, in order.
pub(super) fn each_live(
    hash: &Collection<'_, '_>,
    now: UnixMs,
    mut visit: impl FnMut(&[u8], Bytes<'_>),
) -> Result<(), Fault> {
    hash.each(MAIN, 0..hash.len(MAIN), false, |field, value| {
        if !value.is_expired(now) {
            visit(field, value);
        }
        ControlFlow::Continue(())
    })
}

/// True if the field is past its time and still there.
pub(super) fn is_gone(hash: &Collection<'_, '_>, field: &[u8], now: UnixMs) -> Result<bool, Fault> {
    Ok(hash.next_deadline().is_some()
        && hash
            .get(MAIN, field)?
            .is_some_and(|value| value.is_expired(now)))
}

/// Deletes a field that is gone, and with it the hash if it was the last one, and logs that: the command that comes now
/// finds neither.
pub(super) fn shed(ctx: &mut Ctx<'_, '_>, field: &[u8]) -> Outcome {
    let mut hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    hash.remove_field(field)?;
    let is_empty = hash.is_empty();
    drop(hash);
    ctx.tx.count_expired_fields(1);
    log_removal(ctx, is_empty, &[field]);
    Ok(())
}

/// Logs that fields are gone, or all that is left.
pub(super) fn log_removal(ctx: &mut Ctx<'_, '_>, is_empty: bool, fields: &[&[u8]]) {
    let key = ctx.keys[0].bytes;
    if fields.is_empty() {
        return;
    }
    if is_empty {
        ctx.effects.delete(ctx.db, key);
    } else {
        let mut effect: Vec<&[u8]> = vec![b"HDEL", key];
        effect.extend(fields);
        ctx.effects.command(ctx.db, &effect);
    }
}

/// Logs that fields have a deadline from now on, or have none.
pub(super) fn log_deadline(ctx: &mut Ctx<'_, '_>, deadline: Option<UnixMs>, fields: &[&[u8]]) {
    if fields.is_empty() {
        return;
    }
    let (mut at, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
    let (key, count) = (ctx.keys[0].bytes, count.format(fields.len()).as_bytes());
    let mut effect: Vec<&[u8]> = match deadline {
        Some(deadline) => vec![b"HPEXPIREAT", key, at.format(deadline.0).as_bytes()],
        None => vec![b"HPERSIST", key],
    };
    effect.extend([b"FIELDS".as_slice(), count]);
    effect.extend(fields);
    ctx.effects.command(ctx.db, &effect);
}

/// The deadline that an argument names, in milliseconds.
pub(super) fn deadline(
    form: TimeForm,
    arg: &[u8],
    now: UnixMs,
    command: &str,
) -> Result<UnixMs, Error> {
    let number = integer(arg)?;
    if number < 0 {
        return Err(TIME_NEGATIVE);
    }
    form.unix_ms(number, now)
        .filter(|at| *at <= DEADLINE_MAX)
        .map(|at| UnixMs(at as u64))
        .ok_or_else(|| errors::invalid_expire_time(command))
}

/// The fields behind `FIELDS n` at argument `at`; `few` is the error if n is no number above 0.
pub(super) fn fields_at<'a>(
    args: &'a Args<'a>,
    at: usize,
    few: Error,
) -> Result<impl Iterator<Item = &'a [u8]> + Clone, Error> {
    if !args.get(at).is_some_and(|word| is(word, "FIELDS")) {
        return Err(FIELDS_MISSING);
    }
    let count = args.get(at + 1).and_then(parse_i64).filter(|n| *n > 0);
    let count = count.ok_or(few)?;
    if usize::try_from(count).ok() != args.len().checked_sub(at + 2) {
        return Err(FIELDS_MISMATCH);
    }
    Ok(args.iter().skip(at + 2))
}
