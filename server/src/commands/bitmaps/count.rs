//! BITCOUNT and BITPOS: how many bits, and which is the first, within a range.

use std::ops::ControlFlow;

use basalt_tiering::{Fault, Text};

use super::words::{self, Bits};
use crate::args::{Cursor, integer, is};
use crate::commands::{Ctx, Outcome};
use crate::errors::{self, Error};

/// A range as a client gives it: negative numbers count from the end.
#[derive(Clone, Copy, Debug)]
struct Range {
    start: i64,
    end: i64,
    in_bits: bool,
}

impl Range {
    const ALL: Range = Range {
        start: 0,
        end: -1,
        in_bits: false,
    };

    fn unit(arg: &[u8]) -> Result<bool, Error> {
        match arg {
            _ if is(arg, "BIT") => Ok(true),
            _ if is(arg, "BYTE") => Ok(false),
            _ => Err(errors::SYNTAX),
        }
    }

    /// The bits of a value of `len` bytes that it covers, if any.
    fn bits(self, len: u64) -> Option<Bits> {
        let total = len as i64 * if self.in_bits { 8 } else { 1 };
        let from_end = |position: i64| match position {
            0.. => position,
            _ => (total + position).max(0),
        };
        let (start, end) = (from_end(self.start), from_end(self.end).min(total - 1));
        if start > end {
            return None;
        }
        let (start, end) = (start as u64, end as u64);
        Some(if self.in_bits {
            Bits {
                first: start,
                last: end,
            }
        } else {
            Bits {
                first: start * 8,
                last: end * 8 + 7,
            }
        })
    }
}

pub(super) fn bitcount(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let range = count_range(Cursor::at(ctx.args, 2), ctx.args.len())?;
    let text = ctx.tx.text(&ctx.keys[0])?;
    // Both before the end and in the wrong order: nothing, even where cutting them to the value would give a byte.
    let backwards = range.start < 0 && range.end < 0 && range.start > range.end;
    let ones = match text {
        Some(text) if !backwards => match range.bits(text.len()) {
            Some(bits) => count(&text, bits)?,
            None => 0,
        },
        _ => 0,
    };
    ctx.out.integer(ones as i64);
    Ok(())
}

/// How many bits of a range within a string are set.
fn count(text: &Text<'_, '_>, bits: Bits) -> Result<u64, Fault> {
    let mut ones = 0;
    text.pieces(bits.bytes(), |at, bytes| {
        ones += words::count(bytes, bits.within(at, bytes.len()));
        ControlFlow::Continue(())
    })?;
    Ok(ones)
}

/// The first bit of a range within a string that is `wanted`.
fn find(text: &Text<'_, '_>, bits: Bits, wanted: bool) -> Result<Option<u64>, Fault> {
    let (mut found, mut behind) = (None, bits.bytes().start);
    text.search(bits.bytes(), |at, bytes| {
        found = match at > behind && !wanted {
            // Between pieces there are zeroes.
            true => Some(bits.first.max(behind * 8)),
            false => {
                let bit = words::find(bytes, bits.within(at, bytes.len()), wanted);
                bit.map(|bit| at * 8 + bit)
            }
        };
        behind = at + bytes.len() as u64;
        match found {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    })?;
    if found.is_none() && !wanted && behind < bits.bytes().end {
        found = Some(bits.first.max(behind * 8));
    }
    Ok(found)
}

fn count_range(mut args: Cursor<'_>, argc: usize) -> Result<Range, Error> {
    if argc == 2 {
        return Ok(Range::ALL);
    }
    if !(4..=5).contains(&argc) {
        return Err(errors::SYNTAX);
    }
    Ok(Range {
        start: integer(args.value()?)?,
        end: integer(args.value()?)?,
        in_bits: args.next().map_or(Ok(false), Range::unit)?,
    })
}

pub(super) fn bitpos(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let wanted = match integer(&ctx.args[2])? {
        0 => false,
        1 => true,
        _ => return Err(errors::BIT_ARGUMENT.into()),
    };
    let range = search_range(Cursor::at(ctx.args, 3), ctx.args.len())?;
    let has_end = ctx.args.len() > 4;
    let Some(text) = ctx.tx.text(&ctx.keys[0])? else {
        // An absent value is an endless row of zeroes.
        ctx.out.integer(if wanted { -1 } else { 0 });
        return Ok(());
    };
    let found = match range.bits(text.len()) {
        None => -1,
        Some(bits) => match find(&text, bits, wanted)? {
            Some(at) => at as i64,
            // Without an end the value goes on in zeroes.
            None if !wanted && !has_end => text.len() as i64 * 8,
            None => -1,
        },
    };
    ctx.out.integer(found);
    Ok(())
}

fn search_range(mut args: Cursor<'_>, argc: usize) -> Result<Range, Error> {
    let mut range = Range::ALL;
    if argc > 6 {
        return Err(errors::SYNTAX);
    }
    if let Some(start) = args.next() {
        range.start = integer(start)?;
    }
    let (end, unit) = (args.next(), args.next());
    if let Some(unit) = unit {
        range.in_bits = Range::unit(unit)?;
    }
    if let Some(end) = end {
        range.end = integer(end)?;
    }
    Ok(range)
}
