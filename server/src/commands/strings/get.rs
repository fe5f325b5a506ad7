//! Commands that read a string: GET, MGET, STRLEN, GETRANGE, and those which then expire or delete it,
//! GETEX and GETDEL.

use std::ops::Range;

use basalt_tiering::OpenError;

use super::{reply, reply_part};
use crate::args::{Cursor, integer};
use crate::commands::strings::set_options::{Ttl, getex_ttl};
use crate::commands::{Ctx, Outcome, Stop};

pub(super) fn get(ctx: &mut Ctx<'_, '_>) -> Outcome {
    match ctx.tx.text(&ctx.keys[0])? {
        Some(text) => reply(&mut ctx.out, &text)?,
        None => ctx.out.null(),
    }
    Ok(())
}

/// A key of another type is answered like an absent one.
pub(super) fn mget(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.out.array(ctx.keys.len());
    for key in ctx.keys {
        match ctx.tx.text(key) {
            Ok(Some(text)) => reply(&mut ctx.out, &text)?,
            Ok(None) | Err(OpenError::WrongKind) => ctx.out.null(),
            Err(OpenError::Fault) => return Err(Stop::Fault),
        }
    }
    Ok(())
}

pub(super) fn strlen(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let text = ctx.tx.text(&ctx.keys[0])?;
    ctx.out.integer(text.map_or(0, |text| text.len() as i64));
    Ok(())
}

pub(super) fn getrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (start, end) = (integer(&ctx.args[2])?, integer(&ctx.args[3])?);
    match ctx.tx.text(&ctx.keys[0])? {
        Some(text) => reply_part(&mut ctx.out, &text, range(start, end, text.len()))?,
        None => ctx.out.bulk(b""),
    }
    Ok(())
}

pub(super) fn getdel(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = &ctx.keys[0];
    let Some(text) = ctx.tx.peek_text(key)? else {
        ctx.out.null();
        return Ok(());
    };
    reply(&mut ctx.out, &text)?;
    drop(text);
    ctx.tx.remove(key)?;
    ctx.effects.delete(ctx.db, key.bytes);
    Ok(())
}

pub(super) fn getex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let ttl = getex_ttl(Cursor::at(ctx.args, 2))?;
    let key = &ctx.keys[0];
    let Some(text) = ctx.tx.text(key)? else {
        ctx.out.null();
        return Ok(());
    };
    let expires = text.expiry().is_some();
    reply(&mut ctx.out, &text)?;
    drop(text);
    match ttl {
        Ttl::At(form, arg) => {
            let deadline = form.deadline(arg, ctx.now, "getex")?;
            if deadline <= ctx.now {
                ctx.tx.remove(key)?;
                ctx.effects.delete(ctx.db, key.bytes);
            } else {
                ctx.tx.set_expiry(key, Some(deadline))?;
                ctx.effects.expire_at(ctx.db, key.bytes, deadline);
            }
        }
        Ttl::Persist if expires => {
            ctx.tx.set_expiry(key, None)?;
            ctx.effects.persist(ctx.db, key.bytes);
        }
        Ttl::Persist | Ttl::Keep | Ttl::Unsaid => {}
    }
    Ok(())
}

/// The bytes from `start` to `end` inclusive of a value of `len` bytes; negative numbers count from its end.
fn range(start: i64, end: i64, len: u64) -> Range<u64> {
    let len = len as i64;
    // Both before the end and in the wrong order: nothing, even where cutting them to the value would
    // give its first byte.
    if start < 0 && end < 0 && start > end {
        return 0..0;
    }
    let from_end = |position: i64| {
        if position < 0 {
            (len + position).max(0)
        } else {
            position
        }
    };
    let (start, end) = (from_end(start), from_end(end).min(len - 1));
    if start > end {
        0..0
    } else {
        start as u64..end as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::range;

    /// Each case was sent to a redis-server 7.0 as GETRANGE on "hello" (or on an absent key) and answered so.
    #[test]
    fn ranges_are_cut_as_redis_cuts_them() {
        let cases: &[(i64, i64, &str)] = &[
            (0, -1, "hello"),
            (0, 0, "h"),
            (1, 3, "ell"),
            (-3, -2, "ll"),
            (-100, 1, "he"),
            (3, 100, "lo"),
            (3, 1, ""),
            (-1, -3, ""),
            (-100, -200, ""),
            (-200, -100, "h"),
            (-100, -100, "h"),
            (5, 10, ""),
            (0, i64::MAX, "hello"),
            (i64::MIN, i64::MAX, "hello"),
            (i64::MIN, i64::MIN, "h"),
            (i64::MAX, i64::MAX, ""),
            (2, -100, ""),
        ];
        for &(start, end, expected) in cases {
            let found = range(start, end, 5);
            let found = &"hello"[found.start as usize..found.end as usize];
            assert_eq!(found, expected, "{start} {end}");
        }
        for (start, end) in [(0, -1), (0, 0), (-1, -1), (3, 1)] {
            assert!(range(start, end, 0).is_empty(), "{start} {end}");
        }
    }
}
