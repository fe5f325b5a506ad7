//! BITFIELD and BITFIELD_RO: several operations on integers within one value.
//!
//! Operations depend on the value alone, so the command itself is the effect; with reads only nothing is logged.

use super::field_op::{Action, Operation};
use crate::args::Cursor;
use crate::commands::strings::{max_string_bytes, string};
use crate::commands::{Ctx, Outcome};
use crate::errors;

pub(super) fn bitfield(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let operations = Operation::parse_all(Cursor::at(ctx.args, 2), max_string_bytes(ctx))?;
    let writers = operations.iter().filter(|operation| operation.writes());
    match writers.map(|operation| operation.field.end_bytes()).max() {
        None => read(ctx, &operations),
        Some(len) => write(ctx, &operations, len),
    }
}

pub(super) fn bitfield_ro(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let operations = Operation::parse_all(Cursor::at(ctx.args, 2), max_string_bytes(ctx))?;
    if operations.iter().any(Operation::writes) {
        return Err(errors::BITFIELD_READ_ONLY.into());
    }
    read(ctx, &operations)
}

fn read(ctx: &mut Ctx<'_, '_>, operations: &[Operation]) -> Outcome {
    let value = string(ctx.tx.get(&ctx.keys[0])?)?;
    let bytes = value.map_or(&[][..], |value| value.bytes);
    ctx.out.array(operations.len());
    for operation in operations {
        ctx.out.integer(operation.field.read(bytes));
    }
    Ok(())
}

/// The value is as long as the writing operations need, even if all of them fail.
fn write(ctx: &mut Ctx<'_, '_>, operations: &[Operation], len: usize) -> Outcome {
    let key = &ctx.keys[0];
    string(ctx.tx.peek(key)?)?;
    let bytes = ctx.tx.modify(key, len)?;
    ctx.out.array(operations.len());
    for Operation { field, action } in operations {
        let old = field.read(bytes);
        let (new, answer) = match *action {
            Action::Get => (None, Some(old)),
            Action::Set(number, overflow) => {
                let new = field.set(number, overflow);
                (new, new.map(|_| old))
            }
            Action::IncrBy(step, overflow) => {
                let new = field.add(old, step, overflow);
                (new, new)
            }
        };
        if let Some(new) = new {
            field.write(bytes, new);
        }
        match answer {
            Some(answer) => ctx.out.integer(answer),
            None => ctx.out.null(),
        }
    }
    ctx.effects.as_given(ctx.db, ctx.args);
    Ok(())
}
