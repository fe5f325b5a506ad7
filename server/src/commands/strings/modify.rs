//! Commands that change a string in place: APPEND and SETRANGE. They keep its expiry, and their effects are
//! the commands themselves.

use super::{max_string_bytes, string};
use crate::args::integer;
use crate::commands::{Ctx, Outcome};
use crate::errors;

pub(super) fn append(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, tail) = (&ctx.keys[0], &ctx.args[2]);
    let limit = max_string_bytes(ctx);
    let len = match string(ctx.tx.peek(key)?)? {
        Some(value) if value.bytes.len().saturating_add(tail.len()) > limit => {
            return Err(errors::STRING_TOO_LONG.into());
        }
        _ => ctx.tx.append(key, tail)?,
    };
    ctx.effects.as_given(ctx.db, ctx.args);
    ctx.out.integer(len as i64);
    Ok(())
}

pub(super) fn setrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, part) = (&ctx.keys[0], &ctx.args[3]);
    let start = usize::try_from(integer(&ctx.args[2])?).map_err(|_| errors::OFFSET_OUT_OF_RANGE)?;
    let limit = max_string_bytes(ctx);
    let old_len = string(ctx.tx.peek(key)?)?.map_or(0, |value| value.bytes.len());
    if part.is_empty() {
        // Nothing to write: an absent key stays absent, a short one short.
        ctx.out.integer(old_len as i64);
        return Ok(());
    }
    let end = start.saturating_add(part.len());
    if end > limit {
        return Err(errors::STRING_TOO_LONG.into());
    }
    let bytes = ctx.tx.modify(key, end)?;
    bytes[start..end].copy_from_slice(part);
    let len = bytes.len();
    ctx.effects.as_given(ctx.db, ctx.args);
    ctx.out.integer(len as i64);
    Ok(())
}
