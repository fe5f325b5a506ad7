//! BITOP where a source is large, and may be sparse: part by part, without those that are zero.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use basalt_tiering::{Expiry, Fault, Text};

use super::combine::{Combined, Operation};
use crate::commands::{Ctx, Outcome};
use crate::effects::Effects;

/// Bytes that are combined at a time.
const PART: usize = 4096;

/// The result of `len` bytes takes the place of the destination.
pub(super) fn bitop(ctx: &mut Ctx<'_, '_>, operation: Operation, len: u64) -> Outcome {
    let (target, sources) = (&ctx.keys[0], &ctx.keys[1..]);
    let mut parts = Parts {
        operation,
        parts: BTreeMap::new(),
    };
    for (nth, source) in sources.iter().enumerate() {
        match ctx.tx.peek_text(source)? {
            Some(text) => parts.add(nth, &text)?,
            None => parts.keep_common(nth, &BTreeSet::new()),
        }
    }
    let result = parts.finish(len);
    let mut staged = Effects::default();
    if ctx.tx.peek(target)?.is_some() {
        staged.delete(ctx.db, target.bytes);
    }
    let each = |add: &mut dyn FnMut(u64, &[u8])| {
        for (at, bytes) in &result {
            add(*at, bytes);
        }
    };
    staged.text(ctx.db, target.bytes, len, each);
    ctx.server.data().log.admits(staged.payload().len())?;
    ctx.tx.put_text(target, len, Expiry::Never, each);
    ctx.effects.append(&staged);
    ctx.out.integer(len as i64);
    Ok(())
}

/// The result so far: by number the parts that may have a bit set.
struct Parts {
    operation: Operation,
    parts: BTreeMap<u64, Combined>,
}

impl Parts {
    /// Adds value number `nth`.
    fn add(&mut self, nth: usize, text: &Text<'_, '_>) -> Result<(), Fault> {
        let mut met = BTreeSet::new();
        let (mut number, mut part) = (0, Vec::with_capacity(PART));
        text.pieces(0..text.len(), |mut at, mut bytes| {
            while !bytes.is_empty() {
                if at / PART as u64 != number {
                    self.add_part(nth, number, &part, &mut met);
                    part.clear();
                    number = at / PART as u64;
                }
                let within = (at % PART as u64) as usize;
                let (now, rest) = bytes.split_at(bytes.len().min(PART - within));
                part.resize(within, 0);
                part.extend_from_slice(now);
                at += now.len() as u64;
                bytes = rest;
            }
            ControlFlow::Continue(())
        })?;
        self.add_part(nth, number, &part, &mut met);
        self.keep_common(nth, &met);
        Ok(())
    }

    fn add_part(&mut self, nth: usize, number: u64, part: &[u8], met: &mut BTreeSet<u64>) {
        if part.is_empty() {
            return;
        }
        let needs_first = matches!(
            self.operation,
            Operation::And | Operation::Diff | Operation::AndOr
        );
        if needs_first && nth > 0 && !self.parts.contains_key(&number) {
            return;
        }
        let operation = self.operation;
        let combined = self.parts.entry(number);
        combined
            .or_insert_with(|| Combined::new(operation, PART))
            .add(nth, part);
        if operation == Operation::And {
            met.insert(number);
        }
    }

    /// After value number `nth` has been added, which has bits in the parts `met` alone.
    fn keep_common(&mut self, nth: usize, met: &BTreeSet<u64>) {
        if self.operation == Operation::And && nth > 0 {
            self.parts.retain(|number, _| met.contains(number));
        }
    }

    /// What is not zero of the result of `len` bytes, with the places, in order.
    fn finish(self, len: u64) -> Vec<(u64, Vec<u8>)> {
        let mut result = Vec::new();
        for (number, combined) in self.parts {
            let (at, mut part) = (number * PART as u64, combined.finish());
            part.truncate((len - at).min(PART as u64) as usize);
            let Some(first) = part.iter().position(|byte| *byte != 0) else {
                continue;
            };
            let last = part.iter().rposition(|byte| *byte != 0).unwrap_or(first);
            part.truncate(last + 1);
            part.drain(..first);
            part.shrink_to_fit();
            result.push((at + first as u64, part));
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_value_leaves_nothing_in_common() {
        let mut parts = Parts {
            operation: Operation::And,
            parts: BTreeMap::new(),
        };
        parts.add_part(0, 3, &[1], &mut BTreeSet::new());
        parts.keep_common(1, &BTreeSet::new());
        assert!(parts.finish(1 << 20).is_empty());
    }
}
