//! SETBIT and GETBIT: one bit.

use basalt_resp::parse_i64;

use crate::commands::strings::{max_string_bytes, string};
use crate::commands::{Ctx, Outcome};
use crate::errors::{self, Error};

/// A bit's number, and where it lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    byte: usize,
    mask: u8,
}

impl Place {
    fn parse(arg: &[u8], limit_bytes: usize) -> Result<Self, Error> {
        let offset = offset(parse_i64(arg), limit_bytes)?;
        Ok(Place {
            byte: (offset / 8) as usize,
            mask: 0x80 >> (offset % 8),
        })
    }

    fn is_set(self, bytes: &[u8]) -> bool {
        bytes
            .get(self.byte)
            .is_some_and(|byte| byte & self.mask != 0)
    }
}

/// The number of a bit in a string of at most `limit_bytes`.
pub(super) fn offset(number: Option<i64>, limit_bytes: usize) -> Result<u64, Error> {
    number
        .and_then(|number| u64::try_from(number).ok())
        .filter(|bit| usize::try_from(bit / 8).is_ok_and(|byte| byte < limit_bytes))
        .ok_or(errors::BIT_OFFSET)
}

pub(super) fn setbit(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let place = Place::parse(&ctx.args[2], max_string_bytes(ctx))?;
    let on = match &ctx.args[3] {
        b"0" => false,
        b"1" => true,
        _ => return Err(errors::BIT_VALUE.into()),
    };
    let key = &ctx.keys[0];
    let old = string(ctx.tx.peek(key)?)?;
    let was_on = old.is_some_and(|old| place.is_set(old.bytes));
    // A bit that is what it shall be, in a value long enough, changes nothing.
    if old.is_none_or(|old| old.bytes.len() <= place.byte) || was_on != on {
        let bytes = ctx.tx.modify(key, place.byte + 1)?;
        if on {
            bytes[place.byte] |= place.mask;
        } else {
            bytes[place.byte] &= !place.mask;
        }
        ctx.effects.as_given(ctx.db, ctx.args);
    }
    ctx.out.integer(i64::from(was_on));
    Ok(())
}

pub(super) fn getbit(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let place = Place::parse(&ctx.args[2], max_string_bytes(ctx))?;
    let value = string(ctx.tx.get(&ctx.keys[0])?)?;
    let on = value.is_some_and(|value| place.is_set(value.bytes));
    ctx.out.integer(i64::from(on));
    Ok(())
}
