//! Commands that replace a string: SET and its relatives, MSET, MSETNX.
//!
//! What is logged is `SET key value`, with `PXAT` if the key expires: never a condition, never a relative
//! time (DESIGN.md section 4, invariants 2 and 3).

use std::borrow::Cow;

use basalt_tiering::{Expiry, Kind, UnixMs};

use super::reply;
use super::set_options::{SetOptions, Ttl};
use crate::args::{Cursor, TimeForm};
use crate::commands::{Ctx, Outcome, Stop};
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
        let old = look(ctx, &options)?;
        if !old.allows {
            if !options.get {
                ctx.out.null();
            }
            return Ok(());
        }
        if options.ttl == Ttl::Keep {
            deadline = old.deadline;
        }
    }
    replace(ctx, 0, 2, deadline);
    if !options.get {
        ctx.out.ok();
    }
    Ok(())
}

/// What SET has to know of the value before.
struct Old {
    /// The condition holds.
    allows: bool,
    deadline: Option<UnixMs>,
}

/// Looks at the value before, and answers it if that is asked for.
fn look(ctx: &mut Ctx<'_, '_>, options: &SetOptions<'_>) -> Result<Old, Stop> {
    let key = &ctx.keys[0];
    if !options.get && !options.condition.compares() {
        let old = ctx.tx.get(key)?;
        return Ok(Old {
            allows: options.condition.holds(old.map(|_| &[][..])),
            deadline: old.and_then(|old| old.expiry),
        });
    }
    let old = ctx.tx.text(key)?;
    if options.get {
        match &old {
            Some(text) => reply(&mut ctx.out, text)?,
            None => ctx.out.null(),
        }
    }
    let bytes = match &old {
        Some(text) if options.condition.compares() => Some(text.bytes()?),
        Some(_) => Some(Cow::Borrowed(&[][..])),
        None => None,
    };
    Ok(Old {
        allows: options.condition.holds(bytes.as_deref()),
        deadline: old.as_ref().and_then(|text| text.expiry()),
    })
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
    match ctx.tx.peek_text(&ctx.keys[0])? {
        Some(text) => reply(&mut ctx.out, &text)?,
        None => ctx.out.null(),
    }
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
