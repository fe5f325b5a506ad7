//! ZREM and ZREMRANGEBY…

use super::options::Selection;
use super::zset::{ZSet, log_removed};
use crate::commands::{Ctx, Outcome};
use crate::errors::Error;

pub(super) fn zrem(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = &ctx.keys[0];
    let mut set = ZSet::open(ctx.tx, key)?;
    set.prefault_members(ctx.args.iter().skip(2))?;
    let mut members: Vec<(Vec<u8>, f64)> = Vec::new();
    for member in ctx.args.iter().skip(2) {
        if let Some(score) = set.score(member)? {
            members.push((member.to_vec(), score));
        }
    }
    members.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    members.dedup_by(|a, b| a.0 == b.0);
    set.remove_all(&members)?;
    let is_empty = set.is_empty();
    drop(set);
    log_removed(ctx, key, &members, is_empty);
    ctx.out.integer(members.len() as i64);
    Ok(())
}

pub(super) fn zremrangebyrank(ctx: &mut Ctx<'_, '_>) -> Outcome {
    remove_range(ctx, Selection::ranks)
}

pub(super) fn zremrangebyscore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    remove_range(ctx, Selection::scores)
}

pub(super) fn zremrangebylex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    remove_range(ctx, Selection::words)
}

/// A range depends on the key alone, so the command is the effect.
fn remove_range<'a>(
    ctx: &mut Ctx<'a, '_>,
    parse: fn(&'a [u8], &'a [u8]) -> Result<Selection<'a>, Error>,
) -> Outcome {
    let (key, args) = (&ctx.keys[0], ctx.args);
    let selection = parse(
        args.get(2).unwrap_or_default(),
        args.get(3).unwrap_or_default(),
    )?;
    let mut set = ZSet::open(ctx.tx, key)?;
    let ranks = selection.resolve(&set, false)?;
    let members = set.members(ranks.clone(), false)?;
    set.remove_ranks(ranks, &members)?;
    let is_empty = set.is_empty();
    drop(set);
    if !members.is_empty() && is_empty {
        ctx.effects.delete(ctx.db, key.bytes);
    } else if !members.is_empty() {
        ctx.effects.as_given(ctx.db, ctx.args);
    }
    ctx.out.integer(members.len() as i64);
    Ok(())
}
