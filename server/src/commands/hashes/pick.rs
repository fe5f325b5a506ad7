//! HRANDFIELD and HSCAN.

use std::ops::ControlFlow;

use basalt_resp::Proto;
use basalt_tiering::{Collection, Fault, Kind, MAIN, UnixMs};
use rand::Rng;

use crate::args::{Cursor, integer, is, repeatable_count, repeatable_pairs};
use crate::commands::collection::{ScanOptions, collection, random_ranks, reply_scan, scan_cursor};
use crate::commands::{Ctx, Outcome};
use crate::errors;

pub(super) fn hrandfield(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.args.len() > 2 {
        return several(ctx);
    }
    let mut rng = ctx.tx.rng();
    let hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    if hash.is_empty() {
        ctx.out.null();
        return Ok(());
    }
    if hash.expired_fields(ctx.now)? > 0 {
        let left = live_ranks(&hash, ctx.now)?;
        let rank = left.get(rng.random_range(0..left.len().max(1)));
        let picked = rank.map(|rank| hash.at(MAIN, *rank)).transpose()?.flatten();
        ctx.out.bulk_or_null(picked.map(|(field, _)| field));
        return Ok(());
    }
    let picked = hash.at(MAIN, rng.random_range(0..hash.len(MAIN)))?;
    ctx.out.bulk_or_null(picked.map(|(field, _)| field));
    Ok(())
}

/// The ranks of the fields that are not past their time, of a hash where some are: they go within a moment, so this is
/// rare.
fn live_ranks(hash: &Collection<'_, '_>, now: UnixMs) -> Result<Vec<u64>, Fault> {
    let (mut rank, mut left) = (0, Vec::new());
    hash.each(MAIN, 0..hash.len(MAIN), false, |_, value| {
        if !value.is_expired(now) {
            left.push(rank);
        }
        rank += 1;
        ControlFlow::Continue(())
    })?;
    Ok(left)
}

fn several(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let count = repeatable_count(integer(&ctx.args[2])?)?;
    let with_values = ctx.args.get(3).is_some_and(|word| is(word, "WITHVALUES"));
    if ctx.args.len() > 4 || (ctx.args.len() == 4 && !with_values) {
        return Err(errors::SYNTAX.into());
    }
    if with_values {
        repeatable_pairs(count)?;
    }
    let mut rng = ctx.tx.rng();
    let hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    let ranks = if hash.expired_fields(ctx.now)? > 0 {
        let left = live_ranks(&hash, ctx.now)?;
        let picked = random_ranks(&mut rng, left.len() as u64, count)?;
        picked.into_iter().map(|at| left[at as usize]).collect()
    } else {
        random_ranks(&mut rng, hash.len(MAIN), count)?
    };
    hash.prefault_at(MAIN, ranks.iter().copied())?;
    let pairs = with_values && ctx.out.proto() == Proto::Resp3;
    ctx.out
        .array(ranks.len() * if with_values && !pairs { 2 } else { 1 });
    for rank in ranks {
        let (field, value) = hash.at(MAIN, rank)?.expect("a rank below the length");
        if pairs {
            ctx.out.array(2);
        }
        ctx.out.bulk(field);
        if with_values {
            ctx.out.bulk(value);
        }
    }
    Ok(())
}

pub(super) fn hscan(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let cursor = scan_cursor(&ctx.args[2])?;
    let hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    if !hash.existed() {
        reply_scan(&mut ctx.out, 0, &[]);
        return Ok(());
    }
    let options = ScanOptions::parse(Cursor::at(ctx.args, 3), true)?;
    let mut found = Vec::new();
    let next = hash.scan(MAIN, cursor, options.count, |field, value| {
        if options.passes(field) && !value.is_expired(ctx.now) {
            found.push(field.to_vec());
            if !options.no_values {
                found.push(value.to_vec());
            }
        }
    })?;
    reply_scan(&mut ctx.out, next, &found);
    Ok(())
}
