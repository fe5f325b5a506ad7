//! Deadlines of fields: HEXPIRE and its kin, HTTL and its kin, HPERSIST.
//!
//! A time that is past deletes the field. What is logged is the moment (HPEXPIREAT), or the deletion.

use basalt_tiering::{Kind, UnixMs};

use super::fields::{self, fields_at, live, log_deadline, log_removal};
use crate::args::{TimeForm, is};
use crate::commands::collection::collection;
use crate::commands::{Ctx, Outcome};
use crate::errors::Error;

const FIELDS_TOO_FEW: Error = Error::new("ERR Parameter `numFields` should be greater than 0");

/// There is no such field.
const ABSENT: i64 = -2;
/// The field stays.
const STAYS: i64 = -1;

pub(super) fn hexpire(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set(ctx, TimeForm::InSeconds, "hexpire")
}

pub(super) fn hpexpire(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set(ctx, TimeForm::InMillis, "hpexpire")
}

pub(super) fn hexpireat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set(ctx, TimeForm::UnixSeconds, "hexpireat")
}

pub(super) fn hpexpireat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set(ctx, TimeForm::UnixMillis, "hpexpireat")
}

/// When the deadline is set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    /// There is none yet.
    New,
    /// There is one.
    Present,
    /// The new one is later; none counts as never.
    Later,
    /// The new one is earlier.
    Earlier,
}

impl Condition {
    fn of(word: &[u8]) -> Option<Condition> {
        [
            ("NX", Condition::New),
            ("XX", Condition::Present),
            ("GT", Condition::Later),
            ("LT", Condition::Earlier),
        ]
        .into_iter()
        .find_map(|(name, condition)| is(word, name).then_some(condition))
    }

    fn holds(self, present: Option<UnixMs>, at: UnixMs) -> bool {
        match self {
            Condition::Always => true,
            Condition::New => present.is_none(),
            Condition::Present => present.is_some(),
            Condition::Later => present.is_some_and(|present| at > present),
            Condition::Earlier => present.is_none_or(|present| at < present),
        }
    }
}

fn set(ctx: &mut Ctx<'_, '_>, form: TimeForm, command: &str) -> Outcome {
    const DELETED: i64 = 2;
    const SET: i64 = 1;
    const REFUSED: i64 = 0;
    let args = ctx.args;
    let mut hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    let at = fields::deadline(form, &args[2], ctx.now, command)?;
    let condition = Condition::of(&args[3]);
    let fields = fields_at(args, 3 + usize::from(condition.is_some()), FIELDS_TOO_FEW)?;
    let condition = condition.unwrap_or(Condition::Always);
    hash.prefault_fields(fields.clone(), Some(at))?;
    let is_past = at <= ctx.now;
    ctx.out.array(fields.clone().count());
    let mut changed = Vec::new();
    for field in fields {
        let present = live(&hash, field, ctx.now)?.map(|value| value.deadline());
        let done = match present {
            None => ABSENT,
            Some(present) if !condition.holds(present, at) => REFUSED,
            Some(_) if is_past => {
                hash.remove_field(field)?;
                DELETED
            }
            Some(_) => {
                hash.set_deadline(field, Some(at))?;
                SET
            }
        };
        if done > 0 {
            changed.push(field);
        }
        ctx.out.integer(done);
    }
    let is_empty = hash.is_empty();
    drop(hash);
    if is_past {
        ctx.tx.count_expired_fields(changed.len() as u64);
        log_removal(ctx, is_empty, &changed);
    } else {
        log_deadline(ctx, Some(at), &changed);
    }
    Ok(())
}

pub(super) fn hpersist(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const REMOVED: i64 = 1;
    let mut hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    let fields = fields_at(ctx.args, 2, fields::FIELDS_NOT_POSITIVE)?;
    hash.prefault_fields(fields.clone(), None)?;
    ctx.out.array(fields.clone().count());
    let mut changed = Vec::new();
    for field in fields {
        let present = live(&hash, field, ctx.now)?.map(|value| value.deadline());
        ctx.out.integer(match present {
            None => ABSENT,
            Some(None) => STAYS,
            Some(Some(_)) => {
                hash.set_deadline(field, None)?;
                changed.push(field);
                REMOVED
            }
        });
    }
    drop(hash);
    log_deadline(ctx, None, &changed);
    Ok(())
}

pub(super) fn httl(ctx: &mut Ctx<'_, '_>) -> Outcome {
    answer(ctx, |at, now| rounded_seconds(at.0.saturating_sub(now.0)))
}

pub(super) fn hpttl(ctx: &mut Ctx<'_, '_>) -> Outcome {
    answer(ctx, |at, now| at.0.saturating_sub(now.0))
}

pub(super) fn hexpiretime(ctx: &mut Ctx<'_, '_>) -> Outcome {
    answer(ctx, |at, _| rounded_seconds(at.0))
}

pub(super) fn hpexpiretime(ctx: &mut Ctx<'_, '_>) -> Outcome {
    answer(ctx, |at, _| at.0)
}

fn answer(ctx: &mut Ctx<'_, '_>, number: impl Fn(UnixMs, UnixMs) -> u64) -> Outcome {
    let hash = collection(ctx.tx, &ctx.keys[0], Kind::Hash)?;
    let fields = fields_at(ctx.args, 2, fields::FIELDS_NOT_POSITIVE)?;
    hash.prefault_fields(fields.clone(), None)?;
    ctx.out.array(fields.clone().count());
    for field in fields {
        let present = live(&hash, field, ctx.now)?.map(|value| value.deadline());
        ctx.out.integer(match present {
            None => ABSENT,
            Some(None) => STAYS,
            Some(Some(at)) => number(at, ctx.now) as i64,
        });
    }
    Ok(())
}

/// Unlike those of keys, deadlines of fields are rounded up.
fn rounded_seconds(ms: u64) -> u64 {
    ms.div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a redis-server 8.2 answers.
    #[test]
    fn conditions_compare_with_the_present_deadline() {
        // Without a deadline; with one at 100, for the new times 99, 100 and 101.
        let cases = [
            ("", [true, true, true, true]),
            ("nx", [true, false, false, false]),
            ("XX", [false, true, true, true]),
            ("GT", [false, false, false, true]),
            ("lt", [true, true, false, false]),
        ];
        for (word, expected) in cases {
            let condition = Condition::of(word.as_bytes()).unwrap_or(Condition::Always);
            let present = Some(UnixMs(100));
            let held = [(None, 100), (present, 99), (present, 100), (present, 101)]
                .map(|(present, at)| condition.holds(present, UnixMs(at)));
            assert_eq!(held, expected, "{word}");
        }
    }
}
