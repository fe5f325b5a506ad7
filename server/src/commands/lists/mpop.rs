//! LMPOP, and what BLMPOP shares with it.

use basalt_resp::Args;
use basalt_tiering::Key;

use super::ends::{End, take};
use crate::args::{Cursor, integer, is};
use crate::commands::{Ctx, Outcome, Stop};
use crate::errors::{self, Error};

/// `numkeys key… LEFT|RIGHT [COUNT count]`, without the keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) end: End,
    pub(super) count: u64,
}

fn positive(text: &[u8], otherwise: Error) -> Result<u64, Error> {
    let number = integer(text).ok().and_then(|n| u64::try_from(n).ok());
    number.filter(|n| *n > 0).ok_or(otherwise)
}

impl Options {
    /// Reads them; the number of keys is argument `at`.
    pub(super) fn parse(args: &Args<'_>, at: usize) -> Result<Self, Error> {
        let keys = positive(&args[at], errors::NUMKEYS_NOT_POSITIVE)?;
        let behind = usize::try_from(keys)
            .ok()
            .and_then(|keys| keys.checked_add(at + 1));
        let mut words = Cursor::at(args, behind.ok_or(errors::SYNTAX)?);
        let end = End::parse(words.value()?)?;
        let mut count = None;
        while let Some(word) = words.next() {
            if count.is_some() || !is(word, "COUNT") {
                return Err(errors::SYNTAX);
            }
            count = Some(positive(words.value()?, errors::COUNT_NOT_POSITIVE)?);
        }
        Ok(Options {
            end,
            count: count.unwrap_or(1),
        })
    }
}

pub(super) fn lmpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = Options::parse(ctx.args, 1)?;
    if !pop_any(ctx, options)? {
        ctx.out.null_array();
    }
    Ok(())
}

/// Takes from the first of the keys that has something; false if none has.
pub(super) fn pop_any(ctx: &mut Ctx<'_, '_>, options: Options) -> Result<bool, Stop> {
    for key in ctx.keys {
        if pop_from(ctx, key, options)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn pop_from(ctx: &mut Ctx<'_, '_>, key: &Key<'_>, options: Options) -> Result<bool, Stop> {
    let Some(elements) = take(ctx, key, options.end, options.count)? else {
        return Ok(false);
    };
    ctx.out.array(2);
    ctx.out.bulk(key.bytes);
    ctx.out.array(elements.len());
    elements.iter().for_each(|element| ctx.out.bulk(element));
    Ok(true)
}
