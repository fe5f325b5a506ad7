//! Expiry: setting it, taking it away, asking for it.
//!
//! A time that is past already deletes the key. What is logged is the moment (`PEXPIREAT`), never a
//! distance from now.

use basalt_tiering::UnixMs;

use crate::args::{Cursor, TimeForm, integer, is};
use crate::commands::{Ctx, Outcome};
use crate::errors::{self, Error};

pub(super) fn expire(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_expiry(ctx, TimeForm::InSeconds, "expire")
}

pub(super) fn pexpire(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_expiry(ctx, TimeForm::InMillis, "pexpire")
}

pub(super) fn expireat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_expiry(ctx, TimeForm::UnixSeconds, "expireat")
}

pub(super) fn pexpireat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_expiry(ctx, TimeForm::UnixMillis, "pexpireat")
}

fn set_expiry(ctx: &mut Ctx<'_, '_>, form: TimeForm, command: &str) -> Outcome {
    let conditions = Conditions::parse(Cursor::at(ctx.args, 3))?;
    let number = integer(&ctx.args[2])?;
    let at = form
        .unix_ms(number, ctx.now)
        .ok_or_else(|| errors::invalid_expire_time(command))?;
    let key = &ctx.keys[0];
    let wanted = conditions == Conditions::default()
        || ctx
            .tx
            .peek(key)?
            .is_some_and(|value| conditions.hold(value.expiry, at));
    let changed = wanted
        && match u64::try_from(at).map(UnixMs) {
            Ok(deadline) if deadline > ctx.now => {
                let is_there = ctx.tx.set_expiry(key, Some(deadline))?;
                if is_there {
                    ctx.effects.expire_at(ctx.db, key.bytes, deadline);
                }
                is_there
            }
            _ => {
                let was_there = ctx.tx.remove(key)?;
                if was_there {
                    ctx.effects.delete(ctx.db, key.bytes);
                }
                was_there
            }
        };
    ctx.out.integer(i64::from(changed));
    Ok(())
}

/// Under which conditions the expiry is set; all that are said must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Conditions {
    /// There is none yet.
    nx: bool,
    /// There is one.
    xx: bool,
    /// The new one is later; none counts as never.
    gt: bool,
    /// The new one is earlier; none counts as never.
    lt: bool,
}

impl Conditions {
    fn parse(args: Cursor<'_>) -> Result<Self, Error> {
        let mut conditions = Conditions::default();
        for word in args {
            let condition = if is(word, "NX") {
                &mut conditions.nx
            } else if is(word, "XX") {
                &mut conditions.xx
            } else if is(word, "GT") {
                &mut conditions.gt
            } else if is(word, "LT") {
                &mut conditions.lt
            } else {
                return Err(errors::unsupported_option(word));
            };
            *condition = true;
        }
        match conditions {
            Conditions {
                nx: true,
                xx,
                gt,
                lt,
            } if xx || gt || lt => Err(errors::EXPIRE_NX_CONFLICT),
            Conditions {
                gt: true, lt: true, ..
            } => Err(errors::EXPIRE_GT_LT_CONFLICT),
            _ => Ok(conditions),
        }
    }

    fn hold(self, present: Option<UnixMs>, at: i64) -> bool {
        let present = present.map(as_i64);
        !(self.nx && present.is_some()
            || self.xx && present.is_none()
            || self.gt && present.is_none_or(|present| at <= present)
            || self.lt && present.is_some_and(|present| at >= present))
    }
}

pub(super) fn persist(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = &ctx.keys[0];
    let expires = ctx
        .tx
        .peek(key)?
        .is_some_and(|value| value.expiry.is_some());
    if expires {
        ctx.tx.set_expiry(key, None)?;
        ctx.effects.as_given(ctx.db, ctx.args);
    }
    ctx.out.integer(i64::from(expires));
    Ok(())
}

pub(super) fn ttl(ctx: &mut Ctx<'_, '_>) -> Outcome {
    answer(ctx, |expiry, now| {
        rounded_seconds(expiry.0.saturating_sub(now.0))
    })
}

pub(super) fn pttl(ctx: &mut Ctx<'_, '_>) -> Outcome {
    answer(ctx, |expiry, now| expiry.0.saturating_sub(now.0))
}

pub(super) fn expiretime(ctx: &mut Ctx<'_, '_>) -> Outcome {
    answer(ctx, |expiry, _| rounded_seconds(expiry.0))
}

pub(super) fn pexpiretime(ctx: &mut Ctx<'_, '_>) -> Outcome {
    answer(ctx, |expiry, _| expiry.0)
}

/// Answers -2 for an absent key, -1 for one that stays.
fn answer(ctx: &mut Ctx<'_, '_>, number: impl FnOnce(UnixMs, UnixMs) -> u64) -> Outcome {
    const ABSENT: i64 = -2;
    const STAYS: i64 = -1;
    let reply = match ctx.tx.peek(&ctx.keys[0])? {
        None => ABSENT,
        Some(value) => value
            .expiry
            .map_or(STAYS, |expiry| as_i64(UnixMs(number(expiry, ctx.now)))),
    };
    ctx.out.integer(reply);
    Ok(())
}

fn rounded_seconds(ms: u64) -> u64 {
    ms.saturating_add(500) / 1000
}

fn as_i64(time: UnixMs) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use basalt_resp::OwnedArgs;

    use super::*;

    fn parse(line: &str) -> Result<Conditions, Error> {
        let owned = OwnedArgs::from_slices(&line.split_whitespace().collect::<Vec<_>>());
        Conditions::parse(Cursor::at(&owned.as_args(), 0))
    }

    /// Each case was sent to a redis-server 7.0 and answered so.
    #[test]
    fn conditions_that_exclude_each_other_are_refused() {
        for line in ["", "nx", "XX", "gt", "LT", "xx gt", "LT XX", "GT GT"] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in ["NX XX", "NX GT", "LT NX"] {
            assert_eq!(parse(line), Err(errors::EXPIRE_NX_CONFLICT), "{line}");
        }
        for line in ["GT LT", "XX LT GT"] {
            assert_eq!(parse(line), Err(errors::EXPIRE_GT_LT_CONFLICT), "{line}");
        }
        assert_eq!(parse("NX foo"), Err(errors::unsupported_option(b"foo")));
    }

    #[test]
    fn conditions_compare_with_the_present_expiry() {
        // Without an expiry; with one at 100, for the new times 99, 100 and 101.
        let cases: &[(&str, [bool; 4])] = &[
            ("", [true, true, true, true]),
            ("NX", [true, false, false, false]),
            ("XX", [false, true, true, true]),
            ("GT", [false, false, false, true]),
            ("LT", [true, true, false, false]),
            ("XX LT", [false, true, false, false]),
            ("XX GT", [false, false, false, true]),
        ];
        for (line, expected) in cases {
            let conditions = parse(line).expect("valid");
            let present = Some(UnixMs(100));
            let held = [(None, 100), (present, 99), (present, 100), (present, 101)]
                .map(|(present, at)| conditions.hold(present, at));
            assert_eq!(held, *expected, "{line}");
        }
    }

    #[test]
    fn seconds_are_rounded_to_the_nearest() {
        assert_eq!(
            [0, 499, 500, 1499, 1500].map(rounded_seconds),
            [0, 0, 1, 1, 2]
        );
    }
}
