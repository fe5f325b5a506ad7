//! Commands on the ends of a list: LPUSH, RPUSH, LPUSHX, RPUSHX, LPOP, RPOP; and the pop that others share.

use std::ops::{ControlFlow, Range};

use basalt_tiering::{Collection, Fault, Key, Kind, MAIN};

use crate::args::{integer, is};
use crate::commands::collection::collection;
use crate::commands::{Ctx, Outcome, Stop};
use crate::errors::{self, Error};

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Left,
    Right,
}

impl End {
    pub(super) fn parse(word: &[u8]) -> Result<Self, Error> {
        if is(word, "LEFT") {
            Ok(End::Left)
        } else if is(word, "RIGHT") {
            Ok(End::Right)
        } else {
            Err(errors::SYNTAX)
        }
    }

    /// The command that takes elements out here.
    pub(super) fn pop_name(self) -> &'static [u8] {
        match self {
            End::Left => b"LPOP",
            End::Right => b"RPOP",
        }
    }

    /// The command that puts one in here.
    pub(super) fn push_name(self) -> &'static [u8] {
        match self {
            End::Left => b"LPUSH",
            End::Right => b"RPUSH",
        }
    }

    /// The positions of the `count` elements here.
    pub(super) fn ranks(self, len: u64, count: u64) -> Range<u64> {
        match self {
            End::Left => 0..count.min(len),
            End::Right => len.saturating_sub(count)..len,
        }
    }

    /// Puts an element in here.
    pub(super) fn push(self, list: &mut Collection<'_, '_>, element: &[u8]) -> Result<(), Fault> {
        let at = match self {
            End::Left => 0,
            End::Right => list.len(MAIN),
        };
        list.insert_at(MAIN, at, element)
    }
}

pub(super) fn lpush(ctx: &mut Ctx<'_, '_>) -> Outcome {
    push(ctx, End::Left, false)
}

pub(super) fn rpush(ctx: &mut Ctx<'_, '_>) -> Outcome {
    push(ctx, End::Right, false)
}

pub(super) fn lpushx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    push(ctx, End::Left, true)
}

pub(super) fn rpushx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    push(ctx, End::Right, true)
}

fn push(ctx: &mut Ctx<'_, '_>, end: End, must_be_there: bool) -> Outcome {
    let mut list = collection(ctx.tx, &ctx.keys[0], Kind::List)?;
    if must_be_there && !list.existed() {
        ctx.out.integer(0);
        return Ok(());
    }
    list.prefault_ranks(MAIN, end.ranks(list.len(MAIN), 1))?;
    for element in ctx.args.iter().skip(2) {
        end.push(&mut list, element)?;
    }
    let len = list.len(MAIN);
    drop(list);
    ctx.effects.as_given(ctx.db, ctx.args);
    ctx.out.integer(len as i64);
    Ok(())
}

pub(super) fn lpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop(ctx, End::Left, "lpop")
}

pub(super) fn rpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop(ctx, End::Right, "rpop")
}

fn pop(ctx: &mut Ctx<'_, '_>, end: End, name: &str) -> Outcome {
    let count = match ctx.args.len() {
        2 => None,
        3 => {
            let count = integer(&ctx.args[2])
                .ok()
                .and_then(|count| u64::try_from(count).ok());
            Some(count.ok_or(errors::NOT_POSITIVE)?)
        }
        _ => return Err(errors::wrong_arity(name).into()),
    };
    let key = ctx.keys[0];
    if count == Some(0) {
        let existed = collection(ctx.tx, &key, Kind::List)?.existed();
        if existed {
            ctx.out.array(0);
        } else {
            ctx.out.null_array();
        }
        return Ok(());
    }
    let Some(count) = count else {
        return pop_one(ctx, &key, end);
    };
    match take(ctx, &key, end, count)? {
        None => ctx.out.null_array(),
        Some(elements) => {
            ctx.out.array(elements.len());
            elements.iter().for_each(|element| ctx.out.bulk(element));
        }
    }
    Ok(())
}

/// As [`take`] with a count of one, straight into the reply.
fn pop_one(ctx: &mut Ctx<'_, '_>, key: &Key<'_>, end: End) -> Outcome {
    let mut list = collection(ctx.tx, key, Kind::List)?;
    let len = list.len(MAIN);
    if len == 0 {
        ctx.out.null();
        return Ok(());
    }
    let at = end.ranks(len, 1).start;
    list.take_at(MAIN, at, |_, element| ctx.out.bulk(element))?;
    drop(list);
    log_pop(ctx, key, end, 1, len == 1);
    Ok(())
}

fn log_pop(ctx: &mut Ctx<'_, '_>, key: &Key<'_>, end: End, count: usize, is_empty: bool) {
    let mut digits = itoa::Buffer::new();
    match count {
        _ if is_empty => ctx.effects.delete(key.db, key.bytes),
        1 => ctx.effects.command(key.db, &[end.pop_name(), key.bytes]),
        n => {
            let n = digits.format(n).as_bytes();
            ctx.effects.command(key.db, &[end.pop_name(), key.bytes, n]);
        }
    }
}

/// Takes up to `count` elements (at least one) out of an end of a list and logs that; `None` if there is no list.
pub(super) fn take(
    ctx: &mut Ctx<'_, '_>,
    key: &Key<'_>,
    end: End,
    count: u64,
) -> Result<Option<Vec<Vec<u8>>>, Stop> {
    let mut list = collection(ctx.tx, key, Kind::List)?;
    if list.is_empty() {
        return Ok(None);
    }
    let ranks = end.ranks(list.len(MAIN), count);
    list.prefault_ranks(MAIN, ranks.clone())?;
    let mut elements = Vec::with_capacity((ranks.end - ranks.start) as usize);
    list.each(MAIN, ranks.clone(), end == End::Right, |_, element| {
        elements.push(element.to_vec());
        ControlFlow::Continue(())
    })?;
    list.remove_ranks(MAIN, ranks)?;
    let is_empty = list.is_empty();
    drop(list);
    log_pop(ctx, key, end, elements.len(), is_empty);
    Ok(Some(elements))
}
