//! BLPOP, BRPOP, BLMPOP, BLMOVE, BRPOPLPUSH. Each looks as its form that does not block would; if there is nothing it
//! leaves with `crate::blocking` what serves it later, which is the same.

use std::time::Duration;

use basalt_tiering::Kind;

use super::ends::{End, take};
use super::moves::{move_one, prepare};
use super::mpop::{Options, pop_any};
use crate::blocking::{NoReply, Wait, timeout};
use crate::commands::{Ctx, Outcome, Stop};

pub(super) fn blpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop(ctx, End::Left)
}

pub(super) fn brpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop(ctx, End::Right)
}

fn pop(ctx: &mut Ctx<'_, '_>, end: End) -> Outcome {
    let timeout = timeout(&ctx.args[ctx.args.len() - 1])?;
    pop_or_wait(ctx, timeout, move |ctx| pop_one(ctx, end))
}

/// Takes one element from the first of the keys that has any.
fn pop_one(ctx: &mut Ctx<'_, '_>, end: End) -> Result<bool, Stop> {
    for key in ctx.keys {
        if let Some(elements) = take(ctx, key, end, 1)? {
            ctx.out.array(2);
            ctx.out.bulk(key.bytes);
            ctx.out.bulk(&elements[0]);
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn blmpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let timeout = timeout(&ctx.args[1])?;
    let options = Options::parse(ctx.args, 2)?;
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
        kind: Kind::List,
        waits_on: ctx.keys.len(),
        timeout,
        otherwise: NoReply::NullArray,
        serve: Box::new(pop),
        prepare: None,
    })))
}

pub(super) fn blmove(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (from, to) = (End::parse(&ctx.args[3])?, End::parse(&ctx.args[4])?);
    let timeout = timeout(&ctx.args[5])?;
    move_or_wait(ctx, from, to, timeout)
}

pub(super) fn brpoplpush(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let timeout = timeout(&ctx.args[3])?;
    move_or_wait(ctx, End::Right, End::Left, timeout)
}

fn move_or_wait(ctx: &mut Ctx<'_, '_>, from: End, to: End, timeout: Option<Duration>) -> Outcome {
    let serve = move |ctx: &mut Ctx<'_, '_>| {
        let moved = move_one(ctx, from, to)?;
        if let Some(element) = &moved {
            ctx.out.bulk(element);
        }
        Ok(moved.is_some())
    };
    if serve(ctx)? {
        return Ok(());
    }
    Err(Stop::Block(Box::new(Wait {
        kind: Kind::List,
        waits_on: 1,
        timeout,
        otherwise: NoReply::Null,
        serve: Box::new(serve),
        prepare: Some(Box::new(move |ctx| prepare(ctx, to))),
    })))
}
