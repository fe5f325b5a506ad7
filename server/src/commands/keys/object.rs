//! OBJECT: how a value is kept, in the terms of Redis.

use basalt_tiering::Value;

use crate::commands::{Ctx, Outcome};
use crate::config::EvictionPolicy;
use crate::errors;
use crate::object_encoding::encoding_of;

pub(super) fn encoding(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let name = encoding_of(ctx.tx, &ctx.keys[0], &ctx.server.config.peek())?;
    ctx.out.bulk_or_null(name);
    Ok(())
}

pub(super) fn refcount(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let references = peek(ctx)?.map(|_| 1);
    answer(ctx, references)
}

/// Over two tiers the counters decide what stays in memory, so they are there whatever the policy.
pub(super) fn freq(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let freq = peek(ctx)?.map(|value| i64::from(value.freq));
    if freq.is_some() && !lfu_policy(ctx) && !ctx.server.config.peek().tiering {
        return Err(errors::NO_FREQUENCIES.into());
    }
    answer(ctx, freq)
}

pub(super) fn idletime(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let seconds = peek(ctx)?.map(|value| value.idle_seconds as i64);
    if seconds.is_some() && lfu_policy(ctx) {
        return Err(errors::NO_IDLE_TIMES.into());
    }
    answer(ctx, seconds)
}

pub(super) fn help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const LINES: &[&str] = &[
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    The encoding that Redis would choose for the value of <key>.",
        "FREQ <key>",
        "    The access counter of <key>: it grows with the logarithm of the number of",
        "    accesses and decays with time.",
        "IDLETIME <key>",
        "    Roughly how many seconds ago <key> was accessed.",
        "REFCOUNT <key>",
        "    The number of references to the value of <key>: values are not shared.",
        "HELP",
        "    This list.",
    ];
    ctx.out.array(LINES.len());
    for line in LINES {
        ctx.out.simple(line);
    }
    Ok(())
}

/// OBJECT alone, which the arity refuses first.
pub(super) fn bare(_: &mut Ctx<'_, '_>) -> Outcome {
    Err(errors::wrong_arity("object").into())
}

fn lfu_policy(ctx: &Ctx<'_, '_>) -> bool {
    let policy = ctx.server.config.peek().maxmemory_policy;
    matches!(
        policy,
        EvictionPolicy::AllKeysLfu | EvictionPolicy::VolatileLfu
    )
}

fn peek<'c>(ctx: &'c mut Ctx<'_, '_>) -> Result<Option<Value<'c>>, basalt_tiering::Fault> {
    ctx.tx.peek(&ctx.keys[0])
}

fn answer(ctx: &mut Ctx<'_, '_>, number: Option<i64>) -> Outcome {
    match number {
        Some(number) => ctx.out.integer(number),
        None => ctx.out.null(),
    }
    Ok(())
}
