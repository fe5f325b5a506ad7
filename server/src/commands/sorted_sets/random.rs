//! ZRANDMEMBER.

use super::range::{begin_members, push_member};
use super::zset::ZSet;
use crate::args::{integer, is, repeatable_count, repeatable_pairs};
use crate::commands::collection::random_ranks;
use crate::commands::{Ctx, Outcome};
use crate::errors;

pub(super) fn zrandmember(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let Some(count) = ctx.args.get(2) else {
        return one(ctx);
    };
    let count = repeatable_count(integer(count)?)?;
    let with_scores = match ctx.args.get(3) {
        None => false,
        Some(word) if ctx.args.len() == 4 && is(word, "WITHSCORES") => true,
        Some(_) => return Err(errors::SYNTAX.into()),
    };
    if with_scores {
        repeatable_pairs(count)?;
    }
    let mut rng = ctx.tx.rng();
    let set = ZSet::open(ctx.tx, &ctx.keys[0])?;
    let ranks = random_ranks(&mut rng, set.len(), count)?;
    set.prefault_at(&ranks)?;
    begin_members(&mut ctx.out, ranks.len(), with_scores);
    for rank in ranks {
        if let Some((member, score)) = set.at(rank)? {
            push_member(&mut ctx.out, &member, with_scores.then_some(score));
        }
    }
    Ok(())
}

fn one(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut rng = ctx.tx.rng();
    let set = ZSet::open(ctx.tx, &ctx.keys[0])?;
    let rank = random_ranks(&mut rng, set.len(), 1)?.first().copied();
    let found = set.at(rank.unwrap_or(0))?;
    ctx.out.bulk_or_null(found.map(|(member, _)| member));
    Ok(())
}
