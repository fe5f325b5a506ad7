//! A value under another key or in another database: RENAME, RENAMENX, COPY, MOVE.
//!
//! The log gets the physical result, a SET of the target and a DEL of the source, since an effect depends
//! on one key alone (DESIGN.md section 4, invariant 3).
//!
//! COPY and MOVE may name a key in a database that is not selected. It has the bytes, hence the slot, of a
//! declared key, so the slot is locked; what waits for absent keys learns of it from [`second_database`].

use basalt_resp::Args;
use basalt_tiering::{Expiry, Key, Snapshot};

use crate::args::{Cursor, database, is};
use crate::commands::{Command, Ctx, Outcome, Stop};
use crate::effects::Effects;
use crate::errors::{self, Error};

pub(super) fn rename(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (from, to) = (&ctx.keys[0], &ctx.keys[1]);
    if from.bytes == to.bytes {
        ctx.tx.peek(from)?.ok_or(errors::NO_SUCH_KEY)?;
    } else {
        let source = read(ctx, from)?.ok_or(errors::NO_SUCH_KEY)?;
        write(ctx, Some(from), to, source)?;
    }
    ctx.out.ok();
    Ok(())
}

pub(super) fn renamenx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (from, to) = (&ctx.keys[0], &ctx.keys[1]);
    ctx.tx.peek(from)?.ok_or(errors::NO_SUCH_KEY)?;
    let renamed = from.bytes != to.bytes && copy_if_free(ctx, Some(from), from, to)?;
    ctx.out.integer(i64::from(renamed));
    Ok(())
}

pub(super) fn copy(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = CopyOptions::parse(Cursor::at(ctx.args, 3), ctx.db, databases(ctx))?;
    let (from, to) = (&ctx.keys[0], ctx.keys[1]);
    if options.db == ctx.db && from.bytes == to.bytes {
        return Err(errors::SAME_OBJECT.into());
    }
    let to = in_database(ctx, to, options.db);
    let copied = if options.replace {
        copy_value(ctx, None, from, &to)?
    } else {
        copy_if_free(ctx, None, from, &to)?
    };
    ctx.out.integer(i64::from(copied));
    Ok(())
}

pub(super) fn move_(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let db = database(&ctx.args[2], databases(ctx))?;
    if db == ctx.db {
        return Err(errors::SAME_OBJECT.into());
    }
    let from = &ctx.keys[0];
    let to = in_database(ctx, *from, db);
    let moved = copy_if_free(ctx, Some(from), from, &to)?;
    ctx.out.integer(i64::from(moved));
    Ok(())
}

/// As [`copy_value`] where `to` holds nothing. What is there is found out first: the value may be large, and on disk.
fn copy_if_free(
    ctx: &mut Ctx<'_, '_>,
    loses: Option<&Key<'_>>,
    from: &Key<'_>,
    to: &Key<'_>,
) -> Result<bool, Stop> {
    Ok(ctx.tx.peek(to)?.is_none() && copy_value(ctx, loses, from, to)?)
}

/// Makes the value of `from`, if it has one, that of `to`; `loses`, if named, loses it.
fn copy_value(
    ctx: &mut Ctx<'_, '_>,
    loses: Option<&Key<'_>>,
    from: &Key<'_>,
    to: &Key<'_>,
) -> Result<bool, Stop> {
    let Some(source) = read(ctx, from)? else {
        return Ok(false);
    };
    write(ctx, loses, to, source)?;
    Ok(true)
}

/// A value is in memory as a whole before anything is written, and once more as the effect that is logged: one that is
/// larger than all of memory is refused rather than let the process be killed for it.
fn read(ctx: &mut Ctx<'_, '_>, key: &Key<'_>) -> Result<Option<Snapshot>, Stop> {
    /// So much is always granted: a limit this low is met by the process alone.
    const LEAST_BYTES: u64 = 64 << 20;
    let (bytes, limit) = (
        ctx.tx.value_bytes(key)?,
        ctx.server.data().store.budget_bytes(),
    );
    if limit != 0 && bytes > limit.max(LEAST_BYTES) {
        return Err(errors::too_large_to_copy(bytes).into());
    }
    Ok(ctx.tx.snapshot(key)?)
}

/// Makes a value that of `to`, whatever that held; `from`, if named, loses it.
fn write(ctx: &mut Ctx<'_, '_>, from: Option<&Key<'_>>, to: &Key<'_>, value: Snapshot) -> Outcome {
    let deadline = value.expiry;
    let mut staged = Effects::default();
    if let Some(from) = from {
        staged.delete(from.db, from.bytes);
    }
    // A plain string takes the place of what is there; what has trees would join it.
    if value.kind.has_trees() && ctx.tx.peek(to)?.is_some() {
        staged.delete(to.db, to.bytes);
    }
    staged.copy_of(to.db, to.bytes, &value, deadline);
    ctx.server.data().log.admits(staged.payload().len())?;
    if let Some(from) = from {
        ctx.tx.remove(from)?;
    }
    let expiry = deadline.map_or(Expiry::Never, Expiry::At);
    ctx.tx.put_snapshot(to, value, expiry);
    ctx.effects.append(&staged);
    Ok(())
}

fn databases(ctx: &Ctx<'_, '_>) -> u32 {
    ctx.server.config.peek().databases
}

/// The same key in database `db`.
fn in_database<'k>(ctx: &Ctx<'_, '_>, key: Key<'k>, db: u32) -> Key<'k> {
    Key {
        db,
        ns: ctx.server.data().store.namespace(db),
        ..key
    }
}

#[derive(Debug, PartialEq, Eq)]
struct CopyOptions {
    db: u32,
    replace: bool,
}

impl CopyOptions {
    fn parse(mut args: Cursor<'_>, selected: u32, databases: u32) -> Result<Self, Error> {
        let mut options = CopyOptions {
            db: selected,
            replace: false,
        };
        while let Some(word) = args.next() {
            if is(word, "REPLACE") {
                options.replace = true;
            } else if is(word, "DB") {
                options.db = database(args.value()?, databases)?;
            } else {
                return Err(errors::SYNTAX);
            }
        }
        Ok(options)
    }
}

/// The database besides the `selected` one in which `command` looks for its declared keys, if there is one.
///
/// For those who load what a command faulted on: the bytes to be found there are those of declared keys.
/// Arguments that are wrong name no database; the command will say so itself.
#[must_use]
pub fn second_database(command: &Command, args: &Args<'_>, selected: u32) -> Option<u32> {
    let db = match command.name {
        "move" => database(args.get(2)?, u32::MAX).ok()?,
        "copy" => {
            CopyOptions::parse(Cursor::at(args, 3), selected, u32::MAX)
                .ok()?
                .db
        }
        _ => return None,
    };
    (db != selected).then_some(db)
}

#[cfg(test)]
mod tests {
    use basalt_resp::OwnedArgs;

    use super::*;

    #[test]
    fn options_of_copy() {
        let parse = |line: &str| {
            let owned = OwnedArgs::from_slices(&line.split_whitespace().collect::<Vec<_>>());
            CopyOptions::parse(Cursor::at(&owned.as_args(), 0), 3, 16)
        };
        assert_eq!(
            parse(""),
            Ok(CopyOptions {
                db: 3,
                replace: false
            })
        );
        assert_eq!(
            parse("replace db 7"),
            Ok(CopyOptions {
                db: 7,
                replace: true
            })
        );
        assert_eq!(
            parse("DB 7 DB 8 REPLACE"),
            Ok(CopyOptions {
                db: 8,
                replace: true
            })
        );
        assert_eq!(parse("DB"), Err(errors::SYNTAX));
        assert_eq!(parse("DB 16"), Err(errors::DB_OUT_OF_RANGE));
        assert_eq!(parse("DB x"), Err(errors::NOT_AN_INTEGER));
        assert_eq!(parse("foo"), Err(errors::SYNTAX));
    }

    #[test]
    fn the_second_database_is_the_one_the_handler_will_look_in() {
        let cases: &[(&str, Option<u32>)] = &[
            ("move k 7", Some(7)),
            ("move k x", None),
            ("copy a b", None),
            ("move k 3", None),
            ("copy a b REPLACE db 7", Some(7)),
            ("copy a b DB 7 DB 8", Some(8)),
            ("copy a b DB 3", None),
            ("copy db db", None),
            ("copy a b DB", None),
            ("rename a b", None),
        ];
        for (line, expected) in cases {
            let owned = OwnedArgs::from_slices(&line.split_whitespace().collect::<Vec<_>>());
            let args = owned.as_args();
            let command = crate::commands::lookup(&args[0]).expect("in the table");
            assert_eq!(second_database(command, &args, 3), *expected, "{line}");
        }
    }
}
