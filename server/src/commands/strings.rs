//! Strings: the table. What the commands do is in the files below this one, by what they do to the value.
//!
//! Nobody calls these handlers but exec, through the table.

use std::ops::Range;

use basalt_resp::Encoder;
use basalt_tiering::{Fault, Text};

use super::{
    ArgSpec, Command, Ctx, Find, Flags, Group, Intent, KeySpec, data_row as row, in_group,
};

mod get;
mod incr;
mod lcs;
mod modify;
mod set;
mod set_options;

const KEY: ArgSpec = ArgSpec::key("key");
const VALUE: ArgSpec = ArgSpec::new("value", "string");
const KEY_VALUE: &[ArgSpec] = &[KEY, VALUE];
const KEY_START_END: &[ArgSpec] = &[
    KEY,
    ArgSpec::new("start", "integer"),
    ArgSpec::new("end", "integer"),
];

const READ: &[KeySpec] = &[KeySpec::one(1, Intent::Read, &["RO", "access"])];
const UPDATE: &[KeySpec] = &[KeySpec::one(1, Intent::Update, &["RW", "access", "update"])];
const REPLACE: &[KeySpec] = &[KeySpec::one(1, Intent::Overwrite, &["OW", "update"])];

const WRITE: Flags = Flags::WRITE.or(Flags::DENYOOM);
const WRITE_FAST: Flags = WRITE.or(Flags::FAST);
const READ_FAST: Flags = Flags::READONLY.or(Flags::FAST);

const SET_CONDITION: &[ArgSpec] = &[
    ArgSpec::word("nx", "NX"),
    ArgSpec::word("xx", "XX"),
    ArgSpec::new("comparison-value", "string")
        .after("IFEQ")
        .since("8.4.0"),
    ArgSpec::new("comparison-value", "string")
        .after("IFNE")
        .since("8.4.0"),
];
const SET_EXPIRATION: &[ArgSpec] = &[
    ArgSpec::new("seconds", "integer")
        .after("EX")
        .since("2.6.12"),
    ArgSpec::new("milliseconds", "integer")
        .after("PX")
        .since("2.6.12"),
    ArgSpec::new("unix-time-seconds", "unix-time")
        .after("EXAT")
        .since("6.2.0"),
    ArgSpec::new("unix-time-milliseconds", "unix-time")
        .after("PXAT")
        .since("6.2.0"),
    ArgSpec::word("keepttl", "KEEPTTL").since("6.0.0"),
];
const GETEX_EXPIRATION: &[ArgSpec] = &[
    ArgSpec::new("seconds", "integer").after("EX"),
    ArgSpec::new("milliseconds", "integer").after("PX"),
    ArgSpec::new("unix-time-seconds", "unix-time").after("EXAT"),
    ArgSpec::new("unix-time-milliseconds", "unix-time").after("PXAT"),
    ArgSpec::word("persist", "PERSIST"),
];
const PER_KEY: &str = "O(N), N being the number of keys";
const PER_RESULT_BYTE: &str = "O(N), N being the length of the result";

/// The commands.
#[rustfmt::skip] // One command to two or three lines: it is read as a table.
pub const FAMILY: &[Command] = &in_group(Group::String, [
    row("get", "Answers the value of a key", "1.0.0", "O(1)", 2, READ_FAST,
        READ, &[KEY], get::get),
    // Without options it is a blind overwrite, for which nothing need be loaded.
    row("set", "Sets the value of a key, whatever it held before", "1.0.0", "O(1)", -3, WRITE,
        &[KeySpec::one(1, Intent::Overwrite, &["RW", "access", "update", "variable_flags"])],
        &[KEY, VALUE, ArgSpec::one_of("condition", SET_CONDITION).optional().since("2.6.12"),
          ArgSpec::word("get", "GET").optional().since("6.2.0"),
          ArgSpec::one_of("expiration", SET_EXPIRATION).optional()],
        set::set),
    row("setnx", "Sets the value of a key that is absent", "1.0.0", "O(1)", 3, WRITE_FAST,
        &[KeySpec::one(1, Intent::Update, &["OW", "insert"])], KEY_VALUE, set::setnx),
    row("setex", "Sets the value of a key and its time to live in seconds", "2.0.0", "O(1)", 4, WRITE,
        REPLACE, &[KEY, ArgSpec::new("seconds", "integer"), VALUE], set::setex),
    row("psetex", "Sets the value of a key and its time to live in milliseconds", "2.6.0", "O(1)", 4, WRITE,
        REPLACE, &[KEY, ArgSpec::new("milliseconds", "integer"), VALUE], set::psetex),
    row("getset", "Sets the value of a key and answers the one before", "1.0.0", "O(1)", 3, WRITE_FAST,
        UPDATE, KEY_VALUE, set::getset),
    row("getdel", "Answers the value of a key and deletes it", "6.2.0", "O(1)", 2, Flags::WRITE.or(Flags::FAST),
        &[KeySpec::one(1, Intent::Update, &["RW", "access", "delete"])], &[KEY], get::getdel),
    row("getex", "Answers the value of a key and may change when it expires", "6.2.0", "O(1)", -2,
        Flags::WRITE.or(Flags::FAST), UPDATE,
        &[KEY, ArgSpec::one_of("expiration", GETEX_EXPIRATION).optional()], get::getex),
    row("mget", "Answers the values of several keys", "1.0.0", PER_KEY, -2, READ_FAST,
        &[KeySpec::rest(1, Intent::Read, &["RO", "access"])], &[KEY.multiple()], get::mget),
    row("mset", "Sets the values of several keys in one step", "1.0.1", PER_KEY, -3, WRITE,
        &[KeySpec::up_to(1, -1, 2, Intent::Overwrite, &["OW", "update"])],
        &[ArgSpec::block("key_value", KEY_VALUE).multiple()], set::mset),
    row("msetnx", "Sets the values of several keys if all of them are absent", "1.0.1", PER_KEY, -3, WRITE,
        &[KeySpec::up_to(1, -1, 2, Intent::Update, &["OW", "insert"])],
        &[ArgSpec::block("key_value", KEY_VALUE).multiple()], set::msetnx),
    row("append", "Adds to the end of a value, or creates it", "2.0.0",
        "O(N), N being the length of what is added, amortised", 3, WRITE_FAST,
        &[KeySpec::one(1, Intent::Update, &["RW", "insert"])], KEY_VALUE, modify::append),
    row("strlen", "Answers the length of a value", "2.2.0", "O(1)", 2, READ_FAST,
        &[KeySpec::one(1, Intent::Read, &["RO"])], &[KEY], get::strlen),
    row("incr", "Adds one to an integer value, 0 if absent", "1.0.0", "O(1)", 2, WRITE_FAST,
        UPDATE, &[KEY], incr::incr),
    row("incrby", "Adds an integer to an integer value, 0 if absent", "1.0.0", "O(1)", 3, WRITE_FAST,
        UPDATE, &[KEY, ArgSpec::new("increment", "integer")], incr::incrby),
    row("decr", "Subtracts one from an integer value, 0 if absent", "1.0.0", "O(1)", 2, WRITE_FAST,
        UPDATE, &[KEY], incr::decr),
    row("decrby", "Subtracts an integer from an integer value, 0 if absent", "1.0.0", "O(1)", 3, WRITE_FAST,
        UPDATE, &[KEY, ArgSpec::new("decrement", "integer")], incr::decrby),
    row("incrbyfloat", "Adds a floating point number to a numeric value, 0 if absent", "2.6.0", "O(1)", 3,
        WRITE_FAST, UPDATE, &[KEY, ArgSpec::new("increment", "double")], incr::incrbyfloat),
    row("setrange", "Overwrites part of a value from an offset on, with zeroes before it if it was shorter",
        "2.2.0", "O(N), N being the length of the part, and of the zeroes if any", 4, WRITE,
        &[KeySpec::one(1, Intent::Update, &["RW", "update"])],
        &[KEY, ArgSpec::new("offset", "integer"), VALUE], modify::setrange),
    row("getrange", "Answers part of a value", "2.4.0", PER_RESULT_BYTE, 4, Flags::READONLY,
        READ, KEY_START_END, get::getrange),
    row("substr", "Answers part of a value; the older name of GETRANGE", "1.0.0", PER_RESULT_BYTE, 4,
        Flags::READONLY, READ, KEY_START_END, get::getrange),
    row("lcs", "Finds the longest common subsequence of two values", "7.0.0",
        "O(N*M), N and M being the lengths of the values", -3, Flags::READONLY,
        &[KeySpec { first: 1, find: Find::Range { last: 1, step: 1 }, intent: Intent::Read,
                    flags: &["RO", "access"] }],
        &[ArgSpec::key("key1"), ArgSpec::key("key2"),
          ArgSpec::word("len", "LEN").optional(), ArgSpec::word("idx", "IDX").optional(),
          ArgSpec::new("len", "integer").after("MINMATCHLEN").optional(),
          ArgSpec::word("withmatchlen", "WITHMATCHLEN").optional()],
        lcs::lcs),
]);

/// Answers a string.
#[inline]
fn reply(out: &mut Encoder<'_>, text: &Text<'_, '_>) -> Result<(), Fault> {
    match text.plain() {
        Some(bytes) => {
            out.bulk(bytes);
            Ok(())
        }
        None => reply_part(out, text, 0..text.len()),
    }
}

/// Answers bytes that a string has.
fn reply_part(out: &mut Encoder<'_>, text: &Text<'_, '_>, range: Range<u64>) -> Result<(), Fault> {
    let len = (range.end - range.start) as usize;
    out.bulk_in_parts(len, |add| text.each_piece(range, add))
}

/// The longest string a command may make: `proto-max-bulk-len`. Replay is not bound by it, since the limit
/// may have been lowered after the fact.
pub(super) fn max_string_bytes(ctx: &Ctx<'_, '_>) -> usize {
    if ctx.is_replay() {
        return usize::MAX;
    }
    usize::try_from(ctx.server.config.peek().proto_max_bulk_bytes).unwrap_or(usize::MAX)
}
