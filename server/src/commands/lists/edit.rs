//! Commands that change a list at or between positions: LSET, LINSERT, LREM, LTRIM.

use std::ops::{ControlFlow, Range};

use basalt_tiering::{Kind, MAIN};

use super::read::{rank, ranks, walk};
use crate::args::{integer, is};
use crate::commands::collection::collection;
use crate::commands::{Ctx, Outcome};
use crate::errors;

pub(super) fn lset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut list = collection(ctx.tx, &ctx.keys[0], Kind::List)?;
    if !list.existed() {
        return Err(errors::NO_SUCH_KEY.into());
    }
    let rank = rank(integer(&ctx.args[2])?, list.len(MAIN)).ok_or(errors::INDEX_OUT_OF_RANGE)?;
    list.replace_at(MAIN, rank, &ctx.args[3])?;
    drop(list);
    ctx.effects.as_given(ctx.db, ctx.args);
    ctx.out.ok();
    Ok(())
}

pub(super) fn linsert(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let args = ctx.args;
    let after = is(&args[2], "AFTER");
    if !after && !is(&args[2], "BEFORE") {
        return Err(errors::SYNTAX.into());
    }
    let mut list = collection(ctx.tx, &ctx.keys[0], Kind::List)?;
    let len = list.len(MAIN);
    let mut pivot = None;
    walk(&list, 0..len, false, |rank, element| {
        if *element != args[3] {
            return ControlFlow::Continue(());
        }
        pivot = Some(rank);
        ControlFlow::Break(())
    })?;
    let Some(pivot) = pivot else {
        ctx.out.integer(if len == 0 { 0 } else { -1 });
        return Ok(());
    };
    list.insert_at(MAIN, pivot + u64::from(after), &args[4])?;
    drop(list);
    ctx.effects.as_given(ctx.db, args);
    ctx.out.integer(len as i64 + 1);
    Ok(())
}

pub(super) fn lrem(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (args, key) = (ctx.args, &ctx.keys[0]);
    let count = integer(&args[2])?;
    let most = match count.unsigned_abs() {
        0 => u64::MAX,
        n => n,
    };
    let mut list = collection(ctx.tx, key, Kind::List)?;
    let (mut runs, mut found): (Vec<Range<u64>>, u64) = (Vec::new(), 0);
    walk(&list, 0..list.len(MAIN), count < 0, |rank, element| {
        if *element == args[3] {
            add_to_runs(&mut runs, rank);
            found += 1;
        }
        if found == most {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    // From behind, so that what is still to be removed keeps its place.
    runs.sort_unstable_by_key(|run| std::cmp::Reverse(run.start));
    if let (Some(last), Some(first)) = (runs.first(), runs.last()) {
        list.prefault_ranks(MAIN, first.start..last.end)?;
    }
    for run in runs {
        list.remove_ranks(MAIN, run)?;
    }
    let is_empty = list.is_empty();
    drop(list);
    if found > 0 && is_empty {
        ctx.effects.delete(ctx.db, key.bytes);
    } else if found > 0 {
        ctx.effects.as_given(ctx.db, args);
    }
    ctx.out.integer(found as i64);
    Ok(())
}

/// Adds a rank next to the last one found, or as a run of its own.
fn add_to_runs(runs: &mut Vec<Range<u64>>, rank: u64) {
    match runs.last_mut() {
        Some(run) if run.end == rank => run.end += 1,
        Some(run) if run.start == rank + 1 => run.start -= 1,
        _ => runs.push(rank..rank + 1),
    }
}

pub(super) fn ltrim(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = &ctx.keys[0];
    let (start, stop) = (integer(&ctx.args[2])?, integer(&ctx.args[3])?);
    let mut list = collection(ctx.tx, key, Kind::List)?;
    let len = list.len(MAIN);
    let kept = ranks(start, stop, len);
    let (before, behind) = (0..kept.start, kept.end..len);
    list.prefault_removal(MAIN, before.clone())?;
    list.prefault_removal(MAIN, behind.clone())?;
    let removed = list.remove_ranks(MAIN, behind)? + list.remove_ranks(MAIN, before)?;
    let is_empty = list.is_empty();
    drop(list);
    if removed > 0 && is_empty {
        ctx.effects.delete(ctx.db, key.bytes);
    } else if removed > 0 {
        ctx.effects.as_given(ctx.db, ctx.args);
    } else if len > 0 {
        // As in Redis: it is no change, but who watches the key is told of one.
        ctx.tx.trip_watches(key);
    }
    ctx.out.ok();
    Ok(())
}
