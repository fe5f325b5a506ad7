//! Values and deadlines at once: HGETEX, HSETEX, HGETDEL.

use basalt_resp::parse_i64;
use basalt_tiering::{Bytes, Kind, MAIN, UnixMs};

use super::fields::{self, fields_at, live, log_deadline, log_removal};
use crate::args::{TimeForm, is};
use crate::commands::collection::collection;
use crate::commands::{Ctx, Outcome};
use crate::errors::{self, Error};

const EXCLUSIVE_CONDITIONS: Error =
    Error::new("ERR Only one of FXX or FNX arguments can be specified");
const EXCLUSIVE_TIMES: Error =
    Error::new("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");
const FIELD_COUNT: Error = Error::new("ERR invalid number of fields");

pub(super) fn hgetdel(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    let fields = fields_at(ctx.args, 2, fields::FIELDS_NOT_POSITIVE)?;
    hash.prefault_fields(fields.clone(), None)?;
    ctx.out.array(fields.clone().count());
    let mut removed = Vec::new();
    for field in fields {
        ctx.out.bulk_or_null(live(&hash, field, ctx.now)?);
        if hash.remove_field(field)? {
            removed.push(field);
        }
    }
    let is_empty = hash.is_empty();
    drop(hash);
    log_removal(ctx, is_empty, &removed);
    Ok(())
}

/// What HGETEX does to the deadlines.
enum Change {
    Nothing,
    Remove,
    To(UnixMs),
}

pub(super) fn hgetex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let args = ctx.args;
    let mut hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    let (change, at) = match TimeForm::of_option(&args[2]) {
        Some(form) => {
            let deadline = fields::deadline(form, &args[3], ctx.now, "hgetex")?;
            (Change::To(deadline), 4)
        }
        None if is(&args[2], "PERSIST") => (Change::Remove, 3),
        None => (Change::Nothing, 2),
    };
    if at + 1 == args.len() && is(&args[at], "FIELDS") {
        return Err(errors::wrong_arity("hgetex").into());
    }
    let fields = fields_at(args, at, fields::FIELDS_NOT_POSITIVE)?;
    let deadline = match change {
        Change::To(deadline) => Some(deadline),
        _ => None,
    };
    let is_past = deadline.is_some_and(|at| at <= ctx.now);
    hash.prefault_fields(fields.clone(), deadline)?;
    ctx.out.array(fields.clone().count());
    let mut changed = Vec::new();
    for field in fields {
        let value = live(&hash, field, ctx.now)?;
        let present = value.as_ref().map(Bytes::deadline);
        ctx.out.bulk_or_null(value);
        let Some(present) = present else { continue };
        match change {
            Change::Nothing => continue,
            Change::Remove if present.is_none() => continue,
            Change::To(_) if is_past => {
                hash.remove_field(field)?;
            }
            Change::Remove | Change::To(_) => hash.set_deadline(field, deadline)?,
        }
        changed.push(field);
    }
    let is_empty = hash.is_empty();
    drop(hash);
    if is_past {
        ctx.tx.count_expired_fields(changed.len() as u64);
        log_removal(ctx, is_empty, &changed);
    } else {
        log_deadline(ctx, deadline, &changed);
    }
    Ok(())
}

/// What HSETEX does to the deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deadlines {
    Remove,
    Keep,
    To(UnixMs),
}

/// The options of HSETEX.
struct Put {
    /// Only if all fields are there, or if none is.
    all_present: Option<bool>,
    deadlines: Deadlines,
    /// Where the fields begin.
    at: usize,
}

impl Put {
    fn parse(ctx: &Ctx<'_, '_>) -> Result<Put, Error> {
        let args = ctx.args;
        let (mut all_present, mut deadlines, mut at) = (None, None, 2);
        while let Some(word) = args.get(at).filter(|word| !is(word, "FIELDS")) {
            let present = is(word, "FXX");
            if present || is(word, "FNX") {
                if all_present.replace(present).is_some() {
                    return Err(EXCLUSIVE_CONDITIONS);
                }
            } else if is(word, "KEEPTTL") {
                if deadlines.replace(Deadlines::Keep).is_some() {
                    return Err(EXCLUSIVE_TIMES);
                }
            } else if let Some(form) = TimeForm::of_option(word) {
                if deadlines.is_some() {
                    return Err(EXCLUSIVE_TIMES);
                }
                at += 1;
                let arg = args.get(at).ok_or_else(arity)?;
                let deadline = fields::deadline(form, arg, ctx.now, "hsetex")?;
                deadlines = Some(Deadlines::To(deadline));
            } else {
                return Err(errors::unknown_argument(word));
            }
            at += 1;
        }
        if args.len() < at + 4 {
            return Err(arity());
        }
        let count = parse_i64(&args[at + 1]).and_then(|n| i32::try_from(n).ok());
        let count = count.filter(|n| *n > 0).ok_or(FIELD_COUNT)?;
        if (args.len() - at - 2) as i64 != 2 * i64::from(count) {
            return Err(arity());
        }
        Ok(Put {
            all_present,
            deadlines: deadlines.unwrap_or(Deadlines::Remove),
            at: at + 2,
        })
    }
}

fn arity() -> Error {
    errors::wrong_arity("hsetex")
}

pub(super) fn hsetex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let put = Put::parse(ctx)?;
    let (args, key) = (ctx.args, &ctx.keys[0]);
    let mut hash = collection(ctx.tx, key, Kind::Hash)?;
    let fields = args.iter().skip(put.at).step_by(2);
    let pairs = || fields.clone().zip(args.iter().skip(put.at + 1).step_by(2));
    let deadline = match put.deadlines {
        Deadlines::To(at) => Some(at),
        _ => None,
    };
    hash.prefault_fields(fields.clone(), deadline)?;
    if let Some(present) = put.all_present {
        for field in fields.clone() {
            if live(&hash, field, ctx.now)?.is_some() != present {
                ctx.out.integer(0);
                return Ok(());
            }
        }
    }
    let is_past = deadline.is_some_and(|at| at <= ctx.now);
    let mut removed = Vec::new();
    for (field, value) in pairs() {
        if is_past {
            if hash.remove_field(field)? {
                removed.push(field);
            }
            continue;
        }
        let deadline = match put.deadlines {
            Deadlines::Keep => hash.get(MAIN, field)?.and_then(|old| old.deadline()),
            _ => deadline,
        };
        hash.put_field(field, value, deadline)?;
    }
    let is_empty = hash.is_empty();
    drop(hash);
    if is_past {
        ctx.tx.count_expired_fields(removed.len() as u64);
        log_removal(ctx, is_empty, &removed);
    } else {
        log_put(ctx, &put);
    }
    ctx.out.integer(1);
    Ok(())
}

/// Logs what was put, without the conditions and with the moment.
fn log_put(ctx: &mut Ctx<'_, '_>, put: &Put) {
    let (mut at, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
    let (key, args) = (ctx.keys[0].bytes, ctx.args);
    let count = count.format((args.len() - put.at) / 2).as_bytes();
    let mut effect: Vec<&[u8]> = match put.deadlines {
        Deadlines::Remove => vec![b"HSET", key],
        Deadlines::Keep => vec![b"HSETEX", key, b"KEEPTTL", b"FIELDS", count],
        Deadlines::To(deadline) => {
            let at = at.format(deadline.0).as_bytes();
            vec![b"HSETEX", key, b"PXAT", at, b"FIELDS", count]
        }
    };
    effect.extend(args.iter().skip(put.at));
    ctx.effects.command(ctx.db, &effect);
}
