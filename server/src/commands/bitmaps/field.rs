//! BITFIELD and BITFIELD_RO: several operations on integers within one value.
//!
//! Operations depend on the value alone, so the command itself is the effect; with reads only nothing is logged.

use super::field_op::{Action, Field, Operation};
use basalt_tiering::Text;

use crate::args::Cursor;
use crate::commands::strings::max_string_bytes;
use crate::commands::{Ctx, Outcome, Stop};
use crate::errors;

pub(super) fn bitfield(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let operations = Operation::parse_all(Cursor::at(ctx.args, 2), max_string_bytes(ctx))?;
    let writers = operations.iter().filter(|operation| operation.writes());
    match writers.map(|operation| operation.field.bytes().end).max() {
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
    let text = ctx.tx.text(&ctx.keys[0])?;
    if let Some(text) = &text {
        text.prefault(operations.iter().map(|operation| operation.field.bytes()))?;
    }
    ctx.out.array(operations.len());
    for operation in operations {
        let number = read_field(text.as_ref(), &operation.field)?;
        ctx.out.integer(number);
    }
    Ok(())
}

fn read_field(text: Option<&Text<'_, '_>>, field: &Field) -> Result<i64, Stop> {
    let mut window = [0; Field::WINDOW_BYTES];
    let held = field.bytes();
    let window = &mut window[..(held.end - held.start) as usize];
    if let Some(text) = text {
        text.read(held.start, window)?;
    }
    Ok(field.read(window))
}

/// The value is as long as the writing operations need, even if all of them fail or change nothing. (redis-server then
/// neither logs that nor tells who watches the key.)
fn write(ctx: &mut Ctx<'_, '_>, operations: &[Operation], len: u64) -> Outcome {
    let key = &ctx.keys[0];
    let mut changed = true;
    if let Some(text) = ctx.tx.peek_text(key)? {
        text.prefault(operations.iter().map(|operation| operation.field.bytes()))?;
        changed = text.len() < len;
    }
    if changed {
        ctx.tx.write_text(key, len, b"")?;
    }
    ctx.out.array(operations.len());
    for Operation { field, action } in operations {
        let mut window = [0; Field::WINDOW_BYTES];
        let held = field.bytes();
        let window = &mut window[..(held.end - held.start) as usize];
        if let Some(text) = ctx.tx.peek_text(key)? {
            text.read(held.start, window)?;
        }
        let old = field.read(window);
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
        if let Some(new) = new.filter(|new| *new != old) {
            field.write(window, new);
            ctx.tx.write_text(key, held.start, window)?;
            changed = true;
        }
        match answer {
            Some(answer) => ctx.out.integer(answer),
            None => ctx.out.null(),
        }
    }
    if changed {
        ctx.effects.as_given(ctx.db, ctx.args);
    }
    Ok(())
}
