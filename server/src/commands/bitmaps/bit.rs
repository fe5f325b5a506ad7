//! SETBIT and GETBIT: one bit.

use basalt_resp::parse_i64;
use basalt_tiering::{Fault, Text};

use crate::commands::strings::max_string_bytes;
use crate::commands::{Ctx, Outcome};
use crate::errors::{self, Error};

/// A bit's number, and where it lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    byte: u64,
    mask: u8,
}

impl Place {
    fn parse(arg: &[u8], limit_bytes: usize) -> Result<Self, Error> {
        let offset = offset(parse_i64(arg), limit_bytes)?;
        Ok(Place {
            byte: offset / 8,
            mask: 0x80 >> (offset % 8),
        })
    }

    /// The byte it is in.
    fn byte_of(self, text: &Text<'_, '_>) -> Result<u8, Fault> {
        let mut byte = [0];
        text.read(self.byte, &mut byte)?;
        Ok(byte[0])
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
    let (len, old) = match ctx.tx.peek_text(key)? {
        Some(text) => (text.len(), place.byte_of(&text)?),
        None => (0, 0),
    };
    let was_on = old & place.mask != 0;
    // A bit that is what it shall be, in a value long enough, changes nothing.
    if len <= place.byte || was_on != on {
        let new = if on {
            old | place.mask
        } else {
            old & !place.mask
        };
        ctx.tx.write_text(key, place.byte, &[new])?;
        ctx.effects.as_given(ctx.db, ctx.args);
    }
    ctx.out.integer(i64::from(was_on));
    Ok(())
}

pub(super) fn getbit(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let place = Place::parse(&ctx.args[2], max_string_bytes(ctx))?;
    let on = match ctx.tx.text(&ctx.keys[0])? {
        Some(text) => place.byte_of(&text)? & place.mask != 0,
        None => false,
    };
    ctx.out.integer(i64::from(on));
    Ok(())
}
