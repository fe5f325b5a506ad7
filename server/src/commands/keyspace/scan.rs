//! KEYS, SCAN, RANDOMKEY, DBSIZE.

use basalt_resp::Aggregate;
use basalt_tiering::{Kind, NamespaceId, Store, StoreError};

use super::KeyspaceCtx;
use crate::args::{self, Cursor};
use crate::commands::collection::scan_cursor;
use crate::commands::{Outcome, Stop};
use crate::errors::{self, Error};
use crate::glob::{self, Case};
use crate::object_encoding::type_name;

/// Keys a SCAN step visits unless COUNT says otherwise.
pub const DEFAULT_COUNT: usize = 10;
/// Keys visited at a time by a walk over everything.
const WALK_COUNT: usize = 1000;

/// Calls `visit` with every key of a namespace. What is there throughout is met, exactly once. May wait for the
/// disk.
pub fn for_each_key(
    store: &Store,
    ns: NamespaceId,
    visit: &mut dyn FnMut(&[u8], Kind),
) -> Result<(), StoreError> {
    let mut cursor = 0;
    loop {
        cursor = store.scan(ns, cursor, WALK_COUNT, visit)?;
        if cursor == 0 {
            return Ok(());
        }
    }
}

/// A pattern; `None` stands for every key.
fn pattern(text: &[u8]) -> Option<&[u8]> {
    (text != b"*").then_some(text)
}

fn passes(pattern: Option<&[u8]>, key: &[u8]) -> bool {
    pattern.is_none_or(|pattern| glob::matches(pattern, key, Case::Matters))
}

fn failed(error: &StoreError) -> Stop {
    errors::store_failed(error).into()
}

pub(super) fn keys(ctx: &mut KeyspaceCtx<'_>) -> Outcome {
    let pattern = pattern(ctx.args.get(1).unwrap_or_default());
    let data = ctx.server.data();
    let (ns, mark) = (data.store.namespace(ctx.db), ctx.out.begin_deferred());
    let mut found = 0;
    let out = &mut ctx.out;
    let walked = for_each_key(&data.store, ns, &mut |key, _| {
        if passes(pattern, key) {
            out.bulk(key);
            found += 1;
        }
    });
    walked.map_err(|error| failed(&error))?;
    ctx.out.end_deferred(mark, found, Aggregate::Array);
    Ok(())
}

/// The options of SCAN.
struct Options<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    kind: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn parse(mut words: Cursor<'a>) -> Result<Self, Error> {
        let mut options = Options {
            pattern: None,
            count: DEFAULT_COUNT,
            kind: None,
        };
        while let Some(word) = words.next() {
            if args::is(word, "MATCH") {
                options.pattern = pattern(words.value()?);
            } else if args::is(word, "COUNT") {
                let count = args::integer(words.value()?)?;
                options.count = usize::try_from(count)
                    .ok()
                    .filter(|n| *n > 0)
                    .ok_or(errors::SYNTAX)?;
            } else if args::is(word, "TYPE") {
                options.kind = Some(words.value()?);
            } else {
                return Err(errors::SYNTAX);
            }
        }
        Ok(options)
    }
}

pub(super) fn scan(ctx: &mut KeyspaceCtx<'_>) -> Outcome {
    let from = scan_cursor(ctx.args.get(1).unwrap_or_default())?;
    let options = Options::parse(Cursor::at(ctx.args, 2))?;
    let data = ctx.server.data();
    let ns = data.store.namespace(ctx.db);
    let mut found: Vec<Vec<u8>> = Vec::new();
    let next = data.store.scan(ns, from, options.count, &mut |key, kind| {
        let of_kind = options
            .kind
            .is_none_or(|name| args::is(name, type_name(kind)));
        if of_kind && passes(options.pattern, key) {
            found.push(key.to_vec());
        }
    });
    let next = next.map_err(|error| failed(&error))?;
    ctx.out.array(2);
    ctx.out.bulk(next.to_string());
    ctx.out.array(found.len());
    for key in found {
        ctx.out.bulk(key);
    }
    Ok(())
}

pub(super) fn randomkey(ctx: &mut KeyspaceCtx<'_>) -> Outcome {
    let data = ctx.server.data();
    let store = &data.store;
    let key = store
        .random_key(store.namespace(ctx.db))
        .map_err(|error| failed(&error))?;
    ctx.out.bulk_or_null(key);
    Ok(())
}

pub(super) fn dbsize(ctx: &mut KeyspaceCtx<'_>) -> Outcome {
    let data = ctx.server.data();
    let store = &data.store;
    let size = store
        .dbsize(store.namespace(ctx.db))
        .map_err(|error| failed(&error))?;
    ctx.out.integer(size as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_unsigned_numbers() {
        // What Redis 8 takes, which no longer reads "" as 0 and -1 as the largest number, as 7.0 did.
        for (text, expected) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", None),
            ("x", None),
            (" 1", None),
            ("", None),
            ("1 ", None),
            ("+1", Some(1)),
        ] {
            assert_eq!(scan_cursor(text.as_bytes()).ok(), expected, "{text:?}");
        }
    }
}
