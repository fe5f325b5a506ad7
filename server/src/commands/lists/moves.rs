//! LMOVE and RPOPLPUSH, and the move that their blocking forms share. It is logged as a pop and a push.

use basalt_tiering::{Fault, Key, Kind, MAIN};

use super::ends::End;
use crate::commands::collection::collection;
use crate::commands::{Ctx, Outcome, Stop};

pub(super) fn lmove(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (from, to) = (End::parse(&ctx.args[3])?, End::parse(&ctx.args[4])?);
    reply(ctx, from, to)
}

pub(super) fn rpoplpush(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply(ctx, End::Right, End::Left)
}

fn reply(ctx: &mut Ctx<'_, '_>, from: End, to: End) -> Outcome {
    let moved = move_one(ctx, from, to)?;
    ctx.out.bulk_or_null(moved);
    Ok(())
}

/// Moves an element from the first key to the second; `None` if there is no list to take it from.
pub(super) fn move_one(ctx: &mut Ctx<'_, '_>, from: End, to: End) -> Result<Option<Vec<u8>>, Stop> {
    let (source, target) = (ctx.keys[0], ctx.keys[1]);
    let Some(element) = look(ctx, &source, from)? else {
        return Ok(None);
    };
    if (source.db, source.bytes) == (target.db, target.bytes) {
        rotate(ctx, &source, from, to, &element)?;
        return Ok(Some(element));
    }
    prepare(ctx, to)?;
    let mut list = collection(ctx.tx, &source, Kind::List)?;
    list.remove_ranks(MAIN, from.ranks(list.len(MAIN), 1))?;
    let is_empty = list.is_empty();
    drop(list);
    let mut list = collection(ctx.tx, &target, Kind::List)?;
    to.push(&mut list, &element)?;
    drop(list);
    if is_empty {
        ctx.effects.delete(source.db, source.bytes);
    } else {
        ctx.effects
            .command(source.db, &[from.pop_name(), source.bytes]);
    }
    ctx.effects
        .command(target.db, &[to.push_name(), target.bytes, &element]);
    Ok(Some(element))
}

/// The element at an end, whose pages are in memory then.
fn look(ctx: &mut Ctx<'_, '_>, key: &Key<'_>, end: End) -> Result<Option<Vec<u8>>, Stop> {
    let list = collection(ctx.tx, key, Kind::List)?;
    let ranks = end.ranks(list.len(MAIN), 1);
    list.prefault_ranks(MAIN, ranks.clone())?;
    if ranks.is_empty() {
        return Ok(None);
    }
    Ok(list
        .at(MAIN, ranks.start)?
        .map(|(_, element)| element.to_vec()))
}

/// Makes sure that the second key is a list, or nothing, and that a push there does not fault.
pub(super) fn prepare(ctx: &mut Ctx<'_, '_>, to: End) -> Outcome {
    let list = collection(ctx.tx, &ctx.keys[1], Kind::List)?;
    list.prefault_ranks(MAIN, to.ranks(list.len(MAIN), 1))?;
    Ok(())
}

/// Within one list, which is never empty on the way, so that it keeps its time to live.
fn rotate(
    ctx: &mut Ctx<'_, '_>,
    key: &Key<'_>,
    from: End,
    to: End,
    element: &[u8],
) -> Result<(), Fault> {
    let opened = ctx.tx.collection(key, Kind::List);
    let mut list = opened.map_err(|_| Fault)?;
    let len = list.len(MAIN);
    if len == 1 || from == to {
        // Nothing moves, yet who watches the key is told.
        let at = from.ranks(len, 1).start;
        list.replace_at(MAIN, at, element)?;
        drop(list);
        let at: &[u8] = if from == End::Left { b"0" } else { b"-1" };
        ctx.effects
            .command(key.db, &[b"LSET", key.bytes, at, element]);
        return Ok(());
    }
    list.prefault_ranks(MAIN, to.ranks(len, 1))?;
    list.remove_ranks(MAIN, from.ranks(len, 1))?;
    to.push(&mut list, element)?;
    drop(list);
    ctx.effects.command(key.db, &[from.pop_name(), key.bytes]);
    ctx.effects
        .command(key.db, &[to.push_name(), key.bytes, element]);
    Ok(())
}
