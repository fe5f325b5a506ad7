//! Commands that replace a string: SET and its relatives, MSET, MSETNX.
//!
//! What is logged is `SET key value`, with `PXAT` if the key expires: never a condition, never a relative
//! time (DESIGN.md section 4, invariants 2 and 3).

use basalt_tiering::{Expiry, Kind, UnixMs};

use super::set_options::{SetOptions, Ttl};
use super::string;
use crate::args::{Cursor, TimeForm};
use crate::commands::{Ctx, Outcome};
use crate::errors;

pub(super) fn set(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.args.len() > 3 {
        return set_with_options(ctx);
    }
    ctx.tx
        .set(&ctx.keys[0], Kind::String, &ctx.args[2], Expiry::Never);
    ctx.effects.as_given(ctx.db, ctx.args);
    ctx.out.ok();
    Ok(())
}

fn set_with_options(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = SetOptions::parse(Cursor::at(ctx.args, 3))?;
    let mut deadline = match options.ttl {
        Ttl::At(form, arg) => Some(form.deadline(arg, ctx.now, "set")?),
        Ttl::Keep | Ttl::Persist | Ttl::Unsaid => None,
    };
    if options.needs_old() {
        let old = ctx.tx.get(&ctx.keys[0])?;
        let old = if options.get || options.condition.compares() {
            string(old)?
        } else {
            old
        };
        if options.get {
            ctx.out.bulk_or_null(old.map(|old| old.bytes));
        }
        if !options.condition.holds(old.map(|old| old.bytes)) {
            if !options.get {
                ctx.out.null();
            }
            return Ok(());
        }
        if options.ttl == Ttl::Keep {
            deadline = old.and_then(|old| old.expiry);
        }
    }
    replace(ctx, 0, 2, deadline);
    if !options.get {
        ctx.out.ok();
    }
    Ok(())
}

pub(super) fn setnx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let is_absent = !ctx.tx.exists(&ctx.keys[0])?;
    if is_absent {
        replace(ctx, 0, 2, None);
    }
    ctx.out.integer(i64::from(is_absent));
    Ok(())
}

pub(super) fn setex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_expiring(ctx, TimeForm::InSeconds, "setex")
}

pub(super) fn psetex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_expiring(ctx, TimeForm::InMillis, "psetex")
}

fn set_expiring(ctx: &mut Ctx<'_, '_>, form: TimeForm, command: &str) -> Outcome {
    let deadline = form.deadline(&ctx.args[2], ctx.now, command)?;
    replace(ctx, 0, 3, Some(deadline));
    ctx.out.ok();
    Ok(())
}

pub(super) fn getset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let old = string(ctx.tx.peek(&ctx.keys[0])?)?;
    ctx.out.bulk_or_null(old.map(|old| old.bytes));
    replace(ctx, 0, 2, None);
    Ok(())
}

pub(super) fn mset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    require_pairs(ctx, "mset")?;
    replace_all(ctx);
    ctx.out.ok();
    Ok(())
}

pub(super) fn msetnx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    require_pairs(ctx, "msetnx")?;
    for key in ctx.keys {
        if ctx.tx.exists(key)? {
            ctx.out.integer(0);
            return Ok(());
        }
    }
    replace_all(ctx);
    ctx.out.integer(1);
    Ok(())
}

/// Keys and values alternate behind the command's name.
fn require_pairs(ctx: &Ctx<'_, '_>, command: &str) -> Result<(), errors::Error> {
    if ctx.args.len() % 2 == 1 {
        Ok(())
    } else {
        Err(errors::wrong_arity(command))
    }
}

fn replace_all(ctx: &mut Ctx<'_, '_>) {
    for key in 0..ctx.keys.len() {
        replace(ctx, key, 2 + 2 * key, None);
    }
}

/// Sets the key numbered `key` to the argument numbered `value`, and logs it.
fn replace(ctx: &mut Ctx<'_, '_>, key: usize, value: usize, deadline: Option<UnixMs>) {
    let (key, value) = (&ctx.keys[key], &ctx.args[value]);
    ctx.tx.set(
        key,
        Kind::String,
        value,
        deadline.map_or(Expiry::Never, Expiry::At),
    );
    ctx.effects.set(ctx.db, key.bytes, value, deadline);
}
