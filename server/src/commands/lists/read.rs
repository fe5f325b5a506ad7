//! Commands that look at a list: LLEN, LRANGE, LINDEX; positions as clients name them; walks over a list.

use std::ops::{ControlFlow, Range};

use basalt_tiering::{Collection, Fault, Kind, MAIN};

use crate::args::integer;
use crate::commands::collection::collection;
use crate::commands::{Ctx, Outcome};

/// The rank of a position, which counts from the end if negative; `None` if there is none.
pub(super) fn rank(position: i64, len: u64) -> Option<u64> {
    let rank = if position < 0 {
        position.checked_add_unsigned(len)?
    } else {
        position
    };
    u64::try_from(rank).ok().filter(|rank| *rank < len)
}

/// The ranks between two positions, both included.
pub(super) fn ranks(start: i64, stop: i64, len: u64) -> Range<u64> {
    let from_end = |position: i64| {
        if position < 0 {
            position.saturating_add_unsigned(len)
        } else {
            position
        }
    };
    let start = from_end(start).max(0).unsigned_abs();
    let stop = from_end(stop);
    if stop < 0 {
        return 0..0;
    }
    let end = stop.unsigned_abs().saturating_add(1).min(len);
    if start < end { start..end } else { 0..0 }
}

/// Calls `visit` with rank and value of the elements at `ranks` until it breaks. Of a large list more and more is read at
/// a time, so that a search that ends early does not read it all, and one that does not runs again but a few times.
pub(super) fn walk(
    list: &Collection<'_, '_>,
    ranks: Range<u64>,
    reverse: bool,
    mut visit: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
) -> Result<(), Fault> {
    const FIRST: u64 = 1024;
    let (mut left, mut portion) = (ranks, FIRST);
    while !left.is_empty() {
        let n = portion.min(left.end - left.start);
        let (now, rest) = if reverse {
            (left.end - n..left.end, left.start..left.end - n)
        } else {
            (left.start..left.start + n, left.start + n..left.end)
        };
        let (mut step, mut stopped) = (0, false);
        list.each(MAIN, now.clone(), reverse, |_, element| {
            let rank = if reverse {
                now.end - 1 - step
            } else {
                now.start + step
            };
            step += 1;
            let flow = visit(rank, &element);
            stopped = flow.is_break();
            flow
        })?;
        if stopped {
            return Ok(());
        }
        left = rest;
        portion *= 4;
    }
    Ok(())
}

pub(super) fn llen(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let list = collection(ctx.tx, &ctx.keys[0], Kind::List)?;
    ctx.out.integer(list.len(MAIN) as i64);
    Ok(())
}

pub(super) fn lrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (start, stop) = (integer(&ctx.args[2])?, integer(&ctx.args[3])?);
    let list = collection(ctx.tx, &ctx.keys[0], Kind::List)?;
    let ranks = ranks(start, stop, list.len(MAIN));
    let out = &mut ctx.out;
    out.array((ranks.end - ranks.start) as usize);
    list.each(MAIN, ranks, false, |_, element| {
        out.bulk(element);
        ControlFlow::Continue(())
    })?;
    Ok(())
}

pub(super) fn lindex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let list = collection(ctx.tx, &ctx.keys[0], Kind::List)?;
    if !list.existed() {
        ctx.out.null();
        return Ok(());
    }
    match rank(integer(&ctx.args[2])?, list.len(MAIN)) {
        None => ctx.out.null(),
        Some(rank) => ctx
            .out
            .bulk_or_null(list.at(MAIN, rank)?.map(|(_, element)| element)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_either_end() {
        assert_eq!(rank(0, 3), Some(0));
        assert_eq!(rank(2, 3), Some(2));
        assert_eq!(rank(3, 3), None);
        assert_eq!(rank(-1, 3), Some(2));
        assert_eq!(rank(-3, 3), Some(0));
        assert_eq!(rank(-4, 3), None);
        assert_eq!(rank(i64::MIN, 3), None);
        assert_eq!(rank(0, 0), None);
    }

    #[test]
    fn ranges_are_cut_to_the_list() {
        assert_eq!(ranks(0, -1, 5), 0..5);
        assert_eq!(ranks(1, 2, 5), 1..3);
        assert_eq!(ranks(-2, -1, 5), 3..5);
        assert_eq!(ranks(-100, 100, 5), 0..5);
        assert_eq!(ranks(i64::MIN, i64::MAX, 5), 0..5);
        assert!(ranks(3, 1, 5).is_empty());
        assert!(ranks(5, 9, 5).is_empty());
        assert!(ranks(0, -6, 5).is_empty());
        assert!(ranks(0, -1, 0).is_empty());
    }
}
