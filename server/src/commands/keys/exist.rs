//! Whether keys are there, and making them go: EXISTS, TOUCH, TYPE, DEL, UNLINK.

use crate::commands::{Ctx, Outcome};
use crate::object_encoding::type_name;

/// Also UNLINK: freeing is never the client's business here.
pub(super) fn del(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if let [key] = ctx.keys {
        let removed = ctx.tx.remove(key)?;
        if removed {
            ctx.effects.as_given(ctx.db, ctx.args);
        }
        ctx.out.integer(i64::from(removed));
        return Ok(());
    }
    // All faults before the first write.
    for key in ctx.keys {
        ctx.tx.peek(key)?;
    }
    let mut removed = 0;
    for key in ctx.keys {
        if ctx.tx.remove(key)? {
            ctx.effects.delete(ctx.db, key.bytes);
            removed += 1;
        }
    }
    ctx.out.integer(removed);
    Ok(())
}

/// A key named twice counts twice. Being asked for is no access.
pub(super) fn exists(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut found = 0;
    for key in ctx.keys {
        found += i64::from(ctx.tx.peek(key)?.is_some());
    }
    ctx.out.integer(found);
    Ok(())
}

pub(super) fn touch(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut found = 0;
    for key in ctx.keys {
        found += i64::from(ctx.tx.exists(key)?);
    }
    ctx.out.integer(found);
    Ok(())
}

pub(super) fn type_(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let value = ctx.tx.peek(&ctx.keys[0])?;
    ctx.out
        .simple(value.map_or("none", |value| type_name(value.kind)));
    Ok(())
}
