//! Commands that ask for scores, ranks and counts.

use super::options::Selection;
use super::zset::{ZSet, place};
use crate::args::{Cursor, is};
use crate::commands::collection::{ScanOptions, reply_scan, scan_cursor};
use crate::commands::{Ctx, Outcome};
use crate::errors::{self, Error};

pub(super) fn zcard(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let len = ZSet::open(ctx.tx, &ctx.keys[0])?.len();
    ctx.out.integer(len as i64);
    Ok(())
}

pub(super) fn zscore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let score = ZSet::open(ctx.tx, &ctx.keys[0])?.score(&ctx.args[2])?;
    match score {
        Some(score) => ctx.out.double(score),
        None => ctx.out.null(),
    }
    Ok(())
}

pub(super) fn zmscore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let set = ZSet::open(ctx.tx, &ctx.keys[0])?;
    set.prefault_members(ctx.args.iter().skip(2))?;
    ctx.out.array(ctx.args.len() - 2);
    for member in ctx.args.iter().skip(2) {
        match set.score(member)? {
            Some(score) => ctx.out.double(score),
            None => ctx.out.null(),
        }
    }
    Ok(())
}

pub(super) fn zrank(ctx: &mut Ctx<'_, '_>) -> Outcome {
    rank(ctx, false, "zrank")
}

pub(super) fn zrevrank(ctx: &mut Ctx<'_, '_>) -> Outcome {
    rank(ctx, true, "zrevrank")
}

fn rank(ctx: &mut Ctx<'_, '_>, reverse: bool, name: &str) -> Outcome {
    let with_score = match ctx.args.get(3) {
        _ if ctx.args.len() > 4 => return Err(errors::wrong_arity(name).into()),
        None => false,
        Some(word) if is(word, "WITHSCORE") => true,
        Some(_) => return Err(errors::SYNTAX.into()),
    };
    let member = &ctx.args[2];
    let set = ZSet::open(ctx.tx, &ctx.keys[0])?;
    let Some(score) = set.score(member)? else {
        if with_score {
            ctx.out.null_array();
        } else {
            ctx.out.null();
        }
        return Ok(());
    };
    let (before, _) = set.rank(&place(score, member))?;
    let rank = if reverse {
        set.len() - 1 - before
    } else {
        before
    };
    if with_score {
        ctx.out.array(2);
    }
    ctx.out.integer(rank as i64);
    if with_score {
        ctx.out.double(score);
    }
    Ok(())
}

pub(super) fn zcount(ctx: &mut Ctx<'_, '_>) -> Outcome {
    count(ctx, Selection::scores)
}

pub(super) fn zlexcount(ctx: &mut Ctx<'_, '_>) -> Outcome {
    count(ctx, Selection::words)
}

fn count<'a>(
    ctx: &mut Ctx<'a, '_>,
    parse: fn(&'a [u8], &'a [u8]) -> Result<Selection<'a>, Error>,
) -> Outcome {
    let args = ctx.args;
    let (min, max) = (args.get(2), args.get(3));
    let selection = parse(min.unwrap_or_default(), max.unwrap_or_default())?;
    let set = ZSet::open(ctx.tx, &ctx.keys[0])?;
    let ranks = selection.resolve(&set, false)?;
    ctx.out.integer((ranks.end - ranks.start) as i64);
    Ok(())
}

/// Of an absent key nothing is found, whatever the options.
pub(super) fn zscan(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let cursor = scan_cursor(&ctx.args[2])?;
    let set = ZSet::open(ctx.tx, &ctx.keys[0])?;
    if !set.existed() {
        reply_scan(&mut ctx.out, 0, &[]);
        return Ok(());
    }
    let options = ScanOptions::parse(Cursor::at(ctx.args, 3), false)?;
    let mut found = Vec::new();
    let next = set.scan(cursor, options.count, |member, score| {
        if options.passes(member) {
            found.push(member.to_vec());
            found.push(basalt_resp::format_f64(score).into_bytes());
        }
    })?;
    reply_scan(&mut ctx.out, next, &found);
    Ok(())
}
