//! BZPOPMIN, BZPOPMAX, BZMPOP. Each looks as its form that does not block would; if there is nothing it leaves with
//! `crate::blocking` what serves it later, which is the same.

use std::time::Duration;

use basalt_tiering::Kind;

use super::pop::{Options, pop_any, pop_one};
use crate::blocking::{NoReply, Wait, timeout};
use crate::commands::{Ctx, Outcome, Stop};

pub(super) fn bzpopmin(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop(ctx, false)
}

pub(super) fn bzpopmax(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop(ctx, true)
}

fn pop(ctx: &mut Ctx<'_, '_>, from_end: bool) -> Outcome {
    let timeout = timeout(&ctx.args[ctx.args.len() - 1])?;
    pop_or_wait(ctx, timeout, move |ctx| pop_one(ctx, from_end))
}

pub(super) fn bzmpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let timeout = timeout(&ctx.args[1])?;
    let options = Options::parse(ctx, 2)?;
    pop_or_wait(ctx, timeout, move |ctx| pop_any(ctx, options))
}

fn pop_or_wait(
    ctx: &mut Ctx<'_, '_>,
    timeout: Option<Duration>,
    pop: impl Fn(&mut Ctx<'_, '_>) -> Result<bool, Stop> + Send + Sync + 'static,
) -> Outcome {
    if pop(ctx)? {
        return Ok(());
    }
    Err(Stop::Block(Box::new(Wait {
        kind: Kind::ZSet,
        waits_on: ctx.keys.len(),
        timeout,
        otherwise: NoReply::NullArray,
        serve: Box::new(pop),
        prepare: None,
    })))
}
