//! ZRANGE, its older relatives, and ZRANGESTORE.

use basalt_resp::{Encoder, Proto};

use super::options::{Limit, Selection};
use super::zset::{ZSet, store};
use crate::args::{Cursor, integer, is};
use crate::commands::{Ctx, Outcome};
use crate::errors::{self, Error};

/// How the ends of a range are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Word,
}

/// What the name of a command fixes.
#[derive(Clone, Copy, Debug)]
struct Form {
    by: Option<By>,
    reverse: Option<bool>,
    stores: bool,
}

/// A whole request.
#[derive(Clone, Copy, Debug)]
struct Query<'a> {
    selection: Selection<'a>,
    reverse: bool,
    limit: Limit,
    with_scores: bool,
}

const ZRANGE: Form = Form {
    by: None,
    reverse: None,
    stores: false,
};

const fn fixed(by: By, reverse: bool) -> Form {
    Form {
        by: Some(by),
        reverse: Some(reverse),
        stores: false,
    }
}

impl<'a> Query<'a> {
    /// Reads both ends from `args`, and the options behind them.
    fn parse(mut args: Cursor<'a>, form: Form) -> Result<Self, Error> {
        let ends = (args.value()?, args.value()?);
        let (mut by, mut reverse) = (form.by, form.reverse);
        let (mut limit, mut with_scores) = (None, false);
        while let Some(word) = args.next() {
            if !form.stores && is(word, "WITHSCORES") {
                with_scores = true;
            } else if is(word, "LIMIT") {
                let (offset, count) = (args.value()?, args.value()?);
                limit = Some(Limit {
                    offset: integer(offset)?,
                    count: integer(count)?,
                });
            } else if form.reverse.is_none() && is(word, "REV") {
                reverse = Some(true);
            } else if by.is_none() && is(word, "BYSCORE") {
                by = Some(By::Score);
            } else if by.is_none() && is(word, "BYLEX") {
                by = Some(By::Word);
            } else {
                return Err(errors::SYNTAX);
            }
        }
        let (by, reverse) = (by.unwrap_or(By::Rank), reverse.unwrap_or(false));
        // Minus one as a count is what no LIMIT means, too; an offset with it counts for nothing then.
        if by == By::Rank && limit.take().is_some_and(|limit| limit.count != -1) {
            return Err(errors::ZRANGE_LIMIT);
        }
        if with_scores && by == By::Word {
            return Err(errors::ZRANGE_WITHSCORES);
        }
        let (min, max) = if reverse && by != By::Rank {
            (ends.1, ends.0)
        } else {
            ends
        };
        let selection = match by {
            By::Rank => Selection::ranks(min, max)?,
            By::Score => Selection::scores(min, max)?,
            By::Word => Selection::words(min, max)?,
        };
        Ok(Query {
            selection,
            reverse,
            limit: limit.unwrap_or(Limit::NONE),
            with_scores,
        })
    }
}

pub(super) fn zrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    answer(ctx, ZRANGE)
}

pub(super) fn zrevrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    answer(ctx, fixed(By::Rank, true))
}

pub(super) fn zrangebyscore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    answer(ctx, fixed(By::Score, false))
}

pub(super) fn zrevrangebyscore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    answer(ctx, fixed(By::Score, true))
}

pub(super) fn zrangebylex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    answer(ctx, fixed(By::Word, false))
}

pub(super) fn zrevrangebylex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    answer(ctx, fixed(By::Word, true))
}

fn answer(ctx: &mut Ctx<'_, '_>, form: Form) -> Outcome {
    let query = Query::parse(Cursor::at(ctx.args, 2), form)?;
    let set = ZSet::open(ctx.tx, &ctx.keys[0])?;
    let ranks = query.selection.resolve(&set, query.reverse)?;
    let ranks = query.limit.cut(ranks, query.reverse);
    let len = (ranks.end - ranks.start) as usize;
    begin_members(&mut ctx.out, len, query.with_scores);
    set.each(ranks, query.reverse, |member, score| {
        push_member(&mut ctx.out, member, query.with_scores.then_some(score));
    })?;
    Ok(())
}

/// Announces members, each with its score or not: pairs of their own in RESP3, one flat array in RESP2.
pub(super) fn begin_members(out: &mut Encoder<'_>, len: usize, with_scores: bool) {
    let is_flat = with_scores && out.proto() == Proto::Resp2;
    out.array(if is_flat { len * 2 } else { len });
}

/// Writes a member.
pub(super) fn push_member(out: &mut Encoder<'_>, member: &[u8], score: Option<f64>) {
    if score.is_some() && out.proto() == Proto::Resp3 {
        out.array(2);
    }
    out.bulk(member);
    if let Some(score) = score {
        out.double(score);
    }
}

pub(super) fn zrangestore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let form = Form {
        stores: true,
        ..ZRANGE
    };
    let query = Query::parse(Cursor::at(ctx.args, 3), form)?;
    let source = ZSet::open(ctx.tx, &ctx.keys[1])?;
    let ranks = query.selection.resolve(&source, query.reverse)?;
    let members = source.members(query.limit.cut(ranks, query.reverse), query.reverse)?;
    drop(source);
    let stored = members.len();
    store(ctx, &ctx.keys[0], members)?;
    ctx.out.integer(stored as i64);
    Ok(())
}
