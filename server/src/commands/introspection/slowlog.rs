//! SLOWLOG.

use crate::args;
use crate::errors::Error;
use crate::session::{Next, SessionCtx};

const BAD_COUNT: Error = Error::new("ERR count should be greater than or equal to -1");
const TOO_MANY: Error =
    Error::new("ERR unknown subcommand or wrong number of arguments for 'get'. Try SLOWLOG HELP.");
const DEFAULT_COUNT: usize = 10;

pub(super) fn get(ctx: &mut SessionCtx<'_>) -> Next {
    let count = match ctx.args.get(2) {
        None => DEFAULT_COUNT,
        Some(_) if ctx.args.len() > 3 => return TOO_MANY.into(),
        Some(text) => match args::integer(text) {
            Ok(-1) => usize::MAX,
            Ok(count) if count >= 0 => count as usize,
            _ => return BAD_COUNT.into(),
        },
    };
    let entries = ctx.server.slowlog.newest(count);
    ctx.out.array(entries.len());
    for entry in entries {
        ctx.out.array(6);
        ctx.out.integer(entry.id as i64);
        ctx.out.integer(entry.unix_seconds as i64);
        ctx.out.integer(entry.micros as i64);
        ctx.out.array(entry.args.len());
        entry.args.iter().for_each(|arg| ctx.out.bulk(arg));
        ctx.out.bulk(&entry.addr);
        ctx.out.bulk(&entry.name);
    }
    Next::Done
}

pub(super) fn len(ctx: &mut SessionCtx<'_>) -> Next {
    ctx.out.integer(ctx.server.slowlog.len() as i64);
    Next::Done
}

pub(super) fn reset(ctx: &mut SessionCtx<'_>) -> Next {
    ctx.server.slowlog.reset();
    ctx.out.ok();
    Next::Done
}
