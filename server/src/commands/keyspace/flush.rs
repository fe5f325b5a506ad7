//! FLUSHDB, FLUSHALL, SWAPDB: what changes the map from databases to keys.
//!
//! The handlers only say what is to change; `exec` logs it and then tells the store, which must know where in
//! the log the change stands (see `MapChange`).

use super::KeyspaceCtx;
use crate::args;
use crate::commands::Outcome;
use crate::effects::MapChange;
use crate::errors::{self, Error};

const INVALID_FIRST_DB: Error = Error::new("ERR invalid first DB index");
const INVALID_SECOND_DB: Error = Error::new("ERR invalid second DB index");

/// ASYNC and SYNC are accepted and the same: the databases are empty at once, and memory and disk are given
/// back behind the scenes.
fn check_mode(ctx: &KeyspaceCtx<'_>) -> Result<(), Error> {
    match ctx.args.get(1) {
        Some(mode)
            if ctx.args.len() > 2 || !(args::is(mode, "ASYNC") || args::is(mode, "SYNC")) =>
        {
            Err(errors::SYNTAX)
        }
        _ => Ok(()),
    }
}

pub(super) fn flushdb(ctx: &mut KeyspaceCtx<'_>) -> Outcome {
    check_mode(ctx)?;
    ctx.effects
        .map_change(ctx.db, &[b"FLUSHDB"], MapChange::Flush(vec![ctx.db]));
    ctx.out.ok();
    Ok(())
}

pub(super) fn flushall(ctx: &mut KeyspaceCtx<'_>) -> Outcome {
    check_mode(ctx)?;
    let all = (0..ctx.server.config.peek().databases).collect();
    ctx.effects
        .map_change(ctx.db, &[b"FLUSHALL"], MapChange::Flush(all));
    ctx.out.ok();
    Ok(())
}

pub(super) fn swapdb(ctx: &mut KeyspaceCtx<'_>) -> Outcome {
    let databases = ctx.server.config.peek().databases;
    let number = |at: usize, invalid: Error| {
        let text = ctx.args.get(at).unwrap_or_default();
        args::int32(text).map_err(|_| invalid)
    };
    let (a, b) = (number(1, INVALID_FIRST_DB)?, number(2, INVALID_SECOND_DB)?);
    let known = |db: i32| {
        u32::try_from(db)
            .ok()
            .filter(|db| *db < databases)
            .ok_or(errors::DB_OUT_OF_RANGE)
    };
    let (a, b) = (known(a)?, known(b)?);
    if a != b {
        let (mut first, mut second) = (itoa::Buffer::new(), itoa::Buffer::new());
        let words: [&[u8]; 3] = [
            b"SWAPDB",
            first.format(a).as_bytes(),
            second.format(b).as_bytes(),
        ];
        ctx.effects
            .map_change(ctx.db, &words, MapChange::Swap(a, b));
    }
    ctx.out.ok();
    Ok(())
}
