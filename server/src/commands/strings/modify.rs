//! Commands that change a string in place: APPEND and SETRANGE. They keep its expiry, and their effects are
//! the commands themselves.

use basalt_tiering::{Expiry, Kind};

use super::max_string_bytes;
use crate::args::integer;
use crate::commands::{Ctx, Outcome};
use crate::errors;

pub(super) fn append(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, tail) = (&ctx.keys[0], &ctx.args[2]);
    let limit = max_string_bytes(ctx) as u64;
    let old_len = ctx.tx.peek_text(key)?.map(|text| text.len());
    let len = match old_len {
        Some(old_len) if old_len.saturating_add(tail.len() as u64) > limit => {
            return Err(errors::STRING_TOO_LONG.into());
        }
        Some(old_len) => ctx.tx.write_text(key, old_len, tail)?,
        None => {
            ctx.tx.set(key, Kind::String, tail, Expiry::Never);
            tail.len() as u64
        }
    };
    ctx.effects.as_given(ctx.db, ctx.args);
    ctx.out.integer(len as i64);
    Ok(())
}

pub(super) fn setrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, part) = (&ctx.keys[0], &ctx.args[3]);
    let start = usize::try_from(integer(&ctx.args[2])?).map_err(|_| errors::OFFSET_OUT_OF_RANGE)?;
    let limit = max_string_bytes(ctx);
    let old_len = ctx.tx.peek_text(key)?.map_or(0, |text| text.len());
    if part.is_empty() {
        // Nothing to write: an absent key stays absent, a short one short.
        ctx.out.integer(old_len as i64);
        return Ok(());
    }
    let end = start.saturating_add(part.len());
    if end > limit {
        return Err(errors::STRING_TOO_LONG.into());
    }
    let len = ctx.tx.write_text(key, start as u64, part)?;
    ctx.effects.as_given(ctx.db, ctx.args);
    ctx.out.integer(len as i64);
    Ok(())
}
