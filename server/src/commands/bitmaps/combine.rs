//! BITOP: values combined bit by bit, shorter ones continued with zeroes.
//!
//! What is logged is the result, a SET or DEL of the destination, or the writes that make a large one (`sparse.rs`): an
//! effect depends on one key alone.

use basalt_tiering::{Expiry, Kind};

use super::sparse;
use crate::args::is;
use crate::commands::{Ctx, Outcome};
use crate::errors::{self, Error};

/// How values are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    And,
    Or,
    Xor,
    Not,
    /// In the first one, in no other.
    Diff,
    /// In any but the first one, not in that.
    Diff1,
    /// In the first one, and in any other.
    AndOr,
    /// In exactly one.
    One,
}

impl Operation {
    fn parse(arg: &[u8], sources: usize) -> Result<Self, Error> {
        const NAMES: [(&str, Operation); 8] = [
            ("AND", Operation::And),
            ("OR", Operation::Or),
            ("XOR", Operation::Xor),
            ("NOT", Operation::Not),
            ("DIFF", Operation::Diff),
            ("DIFF1", Operation::Diff1),
            ("ANDOR", Operation::AndOr),
            ("ONE", Operation::One),
        ];
        let (name, operation) = NAMES
            .into_iter()
            .find(|(name, _)| is(arg, name))
            .ok_or(errors::SYNTAX)?;
        match operation {
            Operation::Not if sources != 1 => Err(errors::BITOP_NOT_SOURCES),
            Operation::Diff | Operation::Diff1 | Operation::AndOr if sources < 2 => {
                Err(errors::bitop_sources(name))
            }
            _ => Ok(operation),
        }
    }
}

pub(super) fn bitop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (target, sources) = (&ctx.keys[0], &ctx.keys[1..]);
    let operation = Operation::parse(&ctx.args[1], sources.len())?;
    let (mut len, mut any_large) = (0, false);
    for source in sources {
        if let Some(text) = ctx.tx.text(source)? {
            text.prefault_all()?;
            len = len.max(text.len());
            any_large |= text.plain().is_none();
        }
    }
    if len == 0 {
        if ctx.tx.remove(target)? {
            ctx.effects.delete(ctx.db, target.bytes);
        }
        ctx.out.integer(0);
        return Ok(());
    }
    // What was zero is one after NOT, so that nothing is left out.
    if any_large && operation != Operation::Not {
        return sparse::bitop(ctx, operation, len);
    }
    let mut combined = Combined::new(operation, len as usize);
    for (nth, source) in sources.iter().enumerate() {
        match ctx.tx.peek_text(source)? {
            Some(text) => combined.add(nth, &text.bytes()?),
            None => combined.add(nth, &[]),
        }
    }
    let result = combined.finish();
    ctx.tx.set(target, Kind::RawString, &result, Expiry::Never);
    ctx.effects.set(ctx.db, target.bytes, &result, None);
    ctx.out.integer(len as i64);
    Ok(())
}

/// The result so far: a few buffers of the result's length, into which one value after the other goes.
#[derive(Debug)]
pub(super) struct Combined {
    operation: Operation,
    result: Vec<u8>,
    /// The first value, for what treats it apart; for ONE the bits that were met more than once.
    aside: Vec<u8>,
}

impl Combined {
    pub(super) fn new(operation: Operation, len: usize) -> Self {
        let has_aside = matches!(
            operation,
            Operation::Diff | Operation::Diff1 | Operation::AndOr | Operation::One
        );
        Combined {
            operation,
            result: vec![0; len],
            aside: vec![0; if has_aside { len } else { 0 }],
        }
    }

    /// Adds value number `nth`.
    pub(super) fn add(&mut self, nth: usize, value: &[u8]) {
        let result = &mut self.result;
        match self.operation {
            Operation::Diff | Operation::Diff1 | Operation::AndOr if nth == 0 => {
                self.aside[..value.len()].copy_from_slice(value);
            }
            Operation::One => once(result, &mut self.aside, value),
            Operation::And if nth > 0 => {
                zip_words(result, value, |a, b| a & b);
                result[value.len()..].fill(0);
            }
            Operation::Xor => zip_words(result, value, |a, b| a ^ b),
            Operation::Not => {
                result.fill(0xff);
                zip_words(result, value, |_, b| !b);
            }
            _ => zip_words(result, value, |a, b| a | b),
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let (rest, first) = (&mut self.result, &self.aside);
        match self.operation {
            Operation::Diff => zip_words(rest, first, |rest, first| first & !rest),
            Operation::Diff1 => zip_words(rest, first, |rest, first| rest & !first),
            Operation::AndOr => zip_words(rest, first, |rest, first| rest & first),
            _ => {}
        }
        self.result
    }
}

/// Combines each word of `target` with that of `other`, which may be shorter; what lies behind it stays.
fn zip_words(target: &mut [u8], other: &[u8], combine: impl Fn(u64, u64) -> u64) {
    let target = &mut target[..other.len()];
    let (words, rest) = target.as_chunks_mut::<8>();
    let (other_words, other_rest) = other.as_chunks::<8>();
    for (word, other) in words.iter_mut().zip(other_words) {
        let (a, b) = (u64::from_ne_bytes(*word), u64::from_ne_bytes(*other));
        *word = combine(a, b).to_ne_bytes();
    }
    for (byte, other) in rest.iter_mut().zip(other_rest) {
        *byte = combine(u64::from(*byte), u64::from(*other)) as u8;
    }
}

/// Adds `value` to the bits met once and to those met more often.
fn once(once: &mut [u8], more: &mut [u8], value: &[u8]) {
    const PART: usize = 4096;
    let parts = once.chunks_mut(PART).zip(more.chunks_mut(PART));
    for ((once, more), value) in parts.zip(value.chunks(PART)) {
        let mut again = [0u8; PART];
        let again = &mut again[..value.len()];
        again.copy_from_slice(value);
        zip_words(again, &once[..value.len()], |value, once| value & once);
        zip_words(more, again, |more, again| more | again);
        zip_words(once, value, |once, value| once | value);
        zip_words(once, &more[..value.len()], |once, more| once & !more);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expected(operation: Operation, bits: &[bool]) -> bool {
        let others = bits[1..].iter().any(|bit| *bit);
        match operation {
            Operation::And => bits.iter().all(|bit| *bit),
            Operation::Or => bits.iter().any(|bit| *bit),
            Operation::Xor => bits.iter().filter(|bit| **bit).count() % 2 == 1,
            Operation::Not => !bits[0],
            Operation::Diff => bits[0] && !others,
            Operation::Diff1 => !bits[0] && others,
            Operation::AndOr => bits[0] && others,
            Operation::One => bits.iter().filter(|bit| **bit).count() == 1,
        }
    }

    proptest! {
        #[test]
        fn values_are_combined_as_bit_by_bit(
            operation in prop::sample::select(vec![
                Operation::And, Operation::Or, Operation::Xor, Operation::Not,
                Operation::Diff, Operation::Diff1, Operation::AndOr, Operation::One,
            ]),
            mut values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 2..6),
        ) {
            if operation == Operation::Not {
                values.truncate(1);
            }
            let len = values.iter().map(Vec::len).max().unwrap_or(0);
            let mut combined = Combined::new(operation, len);
            for (nth, value) in values.iter().enumerate() {
                combined.add(nth, value);
            }
            let result = combined.finish();
            for at in 0..len * 8 {
                let bit = |bytes: &Vec<u8>| bytes.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0);
                let bits: Vec<bool> = values.iter().map(bit).collect();
                prop_assert_eq!(bit(&result), expected(operation, &bits), "bit {}", at);
            }
        }
    }
}
