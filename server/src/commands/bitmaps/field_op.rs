//! One operation of BITFIELD: its arguments, and its arithmetic on the bits of a value.

use std::ops::Range;

use basalt_resp::parse_i64;

use super::bit;
use crate::args::{Cursor, integer, is};
use crate::errors::{self, Error};

/// An integer within a value: where, how wide, with a sign or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Its first bit.
    first: u64,
    /// 1 to 64, or to 63 without a sign.
    width: u32,
    signed: bool,
}

/// What becomes of a number that does not fit its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    /// Its lowest bits count.
    Wrap,
    /// It becomes the largest or smallest that fits.
    Saturate,
    /// Nothing is written, the answer is null.
    Fail,
}

/// What to do with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Get,
    Set(i64, Overflow),
    IncrBy(i64, Overflow),
}

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) field: Field,
    pub(super) action: Action,
}

impl Operation {
    /// Reads all operations.
    pub(super) fn parse_all(mut args: Cursor<'_>, limit_bytes: usize) -> Result<Vec<Self>, Error> {
        let mut operations = Vec::new();
        let mut overflow = Overflow::Wrap;
        while let Some(word) = args.next() {
            if is(word, "OVERFLOW") {
                overflow = Overflow::parse(args.value()?)?;
                continue;
            }
            let takes_number = is(word, "SET") || is(word, "INCRBY");
            if !takes_number && !is(word, "GET") {
                return Err(errors::SYNTAX);
            }
            let (kind, offset) = (args.value()?, args.value()?);
            // A missing number is noticed before a wrong field.
            let number = if takes_number {
                Some(args.value()?)
            } else {
                None
            };
            let field = Field::parse(kind, offset, limit_bytes)?;
            let action = match number {
                None => Action::Get,
                Some(number) if is(word, "SET") => Action::Set(integer(number)?, overflow),
                Some(number) => Action::IncrBy(integer(number)?, overflow),
            };
            operations.push(Operation { field, action });
        }
        Ok(operations)
    }

    /// True if it may change the value.
    pub(super) fn writes(&self) -> bool {
        self.action != Action::Get
    }
}

impl Overflow {
    fn parse(arg: &[u8]) -> Result<Self, Error> {
        match arg {
            _ if is(arg, "WRAP") => Ok(Overflow::Wrap),
            _ if is(arg, "SAT") => Ok(Overflow::Saturate),
            _ if is(arg, "FAIL") => Ok(Overflow::Fail),
            _ => Err(errors::BITFIELD_OVERFLOW),
        }
    }
}

impl Field {
    fn parse(kind: &[u8], offset: &[u8], limit_bytes: usize) -> Result<Self, Error> {
        let (signed, width) = match kind {
            [b'i', width @ ..] => (true, width),
            [b'u', width @ ..] => (false, width),
            _ => return Err(errors::BITFIELD_TYPE),
        };
        let widest = if signed { 64 } else { 63 };
        let width = parse_i64(width)
            .filter(|width| (1..=widest).contains(width))
            .ok_or(errors::BITFIELD_TYPE)? as u32;
        let number = match offset {
            [b'#', nth @ ..] => parse_i64(nth).and_then(|nth| nth.checked_mul(i64::from(width))),
            _ => parse_i64(offset),
        };
        Ok(Field {
            first: bit::offset(number, limit_bytes)?,
            width,
            signed,
        })
    }

    /// Most bytes that a field has part in.
    pub(super) const WINDOW_BYTES: usize = 9;

    /// The bytes of the value that it has part in.
    pub(super) fn bytes(&self) -> Range<u64> {
        self.first / 8..(self.first + u64::from(self.width)).div_ceil(8)
    }

    /// Its number in these bytes.
    pub(super) fn read(&self, held: &[u8]) -> i64 {
        let mut window = [0u8; 16];
        window[..held.len()].copy_from_slice(held);
        let shifted = u128::from_be_bytes(window) << (self.first % 8);
        self.of_bits((shifted >> (128 - self.width)) as u64)
    }

    /// Puts `number` into the bytes that it has part in.
    pub(super) fn write(&self, held: &mut [u8], number: i64) {
        let mut window = [0u8; 16];
        window[..held.len()].copy_from_slice(held);
        let shift = 128 - self.width - (self.first % 8) as u32;
        let mask = (u128::MAX >> (128 - self.width)) << shift;
        let bits = (u128::from(number as u64) << shift) & mask;
        let window = (u128::from_be_bytes(window) & !mask | bits).to_be_bytes();
        held.copy_from_slice(&window[..held.len()]);
    }

    /// The number that these lowest bits are.
    fn of_bits(&self, bits: u64) -> i64 {
        let unused = 64 - self.width;
        if self.signed {
            ((bits << unused) as i64) >> unused
        } else {
            (bits << unused >> unused) as i64
        }
    }

    fn limits(&self) -> (i128, i128) {
        if self.signed {
            let half = 1i128 << (self.width - 1);
            (-half, half - 1)
        } else {
            (0, (1i128 << self.width) - 1)
        }
    }

    /// `number` as it is stored in the field, if it is.
    fn fit(&self, number: i128, overflow: Overflow) -> Option<i64> {
        let (least, most) = self.limits();
        if (least..=most).contains(&number) {
            return Some(number as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.of_bits(number as u64)),
            Overflow::Saturate => Some(number.clamp(least, most) as i64),
            Overflow::Fail => None,
        }
    }

    /// What a SET to `number` stores. Without a sign the number's bits count, so that a negative one is too large.
    /// With one, a number further below the largest than 64 bits can say is taken for too large by Redis, and so here.
    pub(super) fn set(&self, number: i64, overflow: Overflow) -> Option<i64> {
        let (_, most) = self.limits();
        let too_far = self.width < 64 && most - i128::from(number) > i128::from(i64::MAX);
        if self.signed && too_far && overflow == Overflow::Saturate {
            return Some(most as i64);
        }
        let number = if self.signed {
            i128::from(number)
        } else {
            i128::from(number as u64)
        };
        self.fit(number, overflow)
    }

    /// What an INCRBY stores where `old` is.
    pub(super) fn add(&self, old: i64, step: i64, overflow: Overflow) -> Option<i64> {
        self.fit(i128::from(old) + i128::from(step), overflow)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field() -> impl Strategy<Value = Field> {
        (any::<bool>(), 1u32..=64, 0u64..200).prop_map(|(signed, width, first)| Field {
            first,
            width: if signed { width } else { width.min(63) },
            signed,
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_nothing_else_changes(
            field in field(),
            number in any::<i64>(),
            before in prop::collection::vec(any::<u8>(), 40),
        ) {
            let number = field.fit(i128::from(number), Overflow::Wrap).expect("wrapping fits");
            let mut bytes = before.clone();
            let held = field.bytes().start as usize..field.bytes().end as usize;
            prop_assert!(held.len() <= Field::WINDOW_BYTES);
            field.write(&mut bytes[held.clone()], number);
            prop_assert_eq!(field.read(&bytes[held]), number);
            let bit = |bytes: &[u8], at: u64| bytes[(at / 8) as usize] & (0x80 >> (at % 8)) != 0;
            for at in 0..before.len() as u64 * 8 {
                if at < field.first || at >= field.first + u64::from(field.width) {
                    prop_assert_eq!(bit(&bytes, at), bit(&before, at), "bit {}", at);
                }
            }
        }
    }
}
