//! Bitmaps: strings taken as arrays of bits, the first one the highest of byte 0. The table; what the commands do
//! is in the files below this one.
//!
//! A bitmap is an ordinary string. Whole values are walked word by word (`words`).

use super::{ArgSpec, Command, Ctx, Flags, Group, Handler, Intent, KeySpec};

mod bit;
mod combine;
mod count;
mod field;
mod field_op;
mod sparse;
mod words;

const KEY: ArgSpec = ArgSpec::key("key");
const READ: &[KeySpec] = &[KeySpec::one(1, Intent::Read, &["RO", "access"])];
const WRITE: Flags = Flags::WRITE.or(Flags::DENYOOM);
const READ_FAST: Flags = Flags::READONLY.or(Flags::FAST);

const UNIT: ArgSpec = ArgSpec::one_of(
    "unit",
    &[ArgSpec::word("byte", "BYTE"), ArgSpec::word("bit", "BIT")],
)
.optional()
.since("7.0.0");
const COUNT_RANGE: &[ArgSpec] = &[
    ArgSpec::new("start", "integer"),
    ArgSpec::new("end", "integer"),
    UNIT,
];
const SEARCH_RANGE: &[ArgSpec] = &[ArgSpec::new("start", "integer"), SEARCH_END];
const SEARCH_END: ArgSpec =
    ArgSpec::block("end-unit-block", &[ArgSpec::new("end", "integer"), UNIT]).optional();

const OPERATION: &[ArgSpec] = &[
    ArgSpec::word("and", "AND"),
    ArgSpec::word("or", "OR"),
    ArgSpec::word("xor", "XOR"),
    ArgSpec::word("not", "NOT"),
    ArgSpec::word("diff", "DIFF").since("8.2.0"),
    ArgSpec::word("diff1", "DIFF1").since("8.2.0"),
    ArgSpec::word("andor", "ANDOR").since("8.2.0"),
    ArgSpec::word("one", "ONE").since("8.2.0"),
];

const FIELD: &[ArgSpec] = &[
    ArgSpec::new("encoding", "string"),
    ArgSpec::new("offset", "integer"),
];
const GET: ArgSpec = ArgSpec::block("get-block", FIELD).after("GET");
const OVERFLOW: ArgSpec = ArgSpec::one_of(
    "overflow-block",
    &[
        ArgSpec::word("wrap", "WRAP"),
        ArgSpec::word("sat", "SAT"),
        ArgSpec::word("fail", "FAIL"),
    ],
)
.after("OVERFLOW")
.optional();
const WRITE_FIELD: ArgSpec = ArgSpec::one_of(
    "write-operation",
    &[
        ArgSpec::block(
            "set-block",
            &[
                ArgSpec::new("encoding", "string"),
                ArgSpec::new("offset", "integer"),
                ArgSpec::new("value", "integer"),
            ],
        )
        .after("SET"),
        ArgSpec::block(
            "incrby-block",
            &[
                ArgSpec::new("encoding", "string"),
                ArgSpec::new("offset", "integer"),
                ArgSpec::new("increment", "integer"),
            ],
        )
        .after("INCRBY"),
    ],
);
const FIELD_OPERATIONS: &[ArgSpec] = &[GET, ArgSpec::block("write", &[OVERFLOW, WRITE_FIELD])];

const PER_BYTE: &str = "O(N), N being the length of the value";
const PER_OPERATION: &str = "O(1) for each operation";

/// A command on bitmaps.
#[allow(clippy::too_many_arguments, reason = "the columns of the table")]
const fn row(
    name: &'static str,
    summary: &'static str,
    since: &'static str,
    complexity: &'static str,
    arity: i32,
    flags: Flags,
    keys: &'static [KeySpec],
    args: &'static [ArgSpec],
    handler: fn(&mut Ctx<'_, '_>) -> super::Outcome,
) -> Command {
    let handler = Handler::Data(handler);
    let group = Group::Bitmap;
    Command {
        name,
        summary,
        since,
        group,
        complexity,
        arity,
        flags,
        keys,
        args,
        subcommands: &[],
        handler,
    }
}

/// The commands.
#[rustfmt::skip] // One command to two or three lines: it is read as a table.
pub const FAMILY: &[Command] = &[
    row("setbit", "Sets or clears a bit, with zeroes before it if the value was shorter", "2.2.0", "O(1)", 4, WRITE,
        &[KeySpec::one(1, Intent::Update, &["RW", "access", "update"])],
        &[KEY, ArgSpec::new("offset", "integer"), ArgSpec::new("value", "integer")], bit::setbit),
    row("getbit", "Answers a bit", "2.2.0", "O(1)", 3, READ_FAST, READ,
        &[KEY, ArgSpec::new("offset", "integer")], bit::getbit),
    row("bitcount", "Counts the bits that are set", "2.6.0", PER_BYTE, -2, Flags::READONLY, READ,
        &[KEY, ArgSpec::block("range", COUNT_RANGE).optional()], count::bitcount),
    row("bitpos", "Finds the first bit that is set, or clear", "2.8.7", PER_BYTE, -3, Flags::READONLY, READ,
        &[KEY, ArgSpec::new("bit", "integer"), ArgSpec::block("range", SEARCH_RANGE).optional()], count::bitpos),
    row("bitop", "Combines values bit by bit and keeps the result", "2.6.0",
        "O(N), N being the length of all values together", -4, WRITE,
        &[KeySpec::one(2, Intent::Overwrite, &["OW", "update"]),
          KeySpec::rest(3, Intent::Read, &["RO", "access"])],
        &[ArgSpec::one_of("operation", OPERATION), ArgSpec::key("destkey"), KEY.multiple()], combine::bitop),
    row("bitfield", "Reads, sets and increments integers of any width within a value", "3.2.0", PER_OPERATION,
        -2, WRITE,
        &[KeySpec::one(1, Intent::Update, &["RW", "access", "update", "variable_flags"])],
        &[KEY, ArgSpec::one_of("operation", FIELD_OPERATIONS).optional_multiple()], field::bitfield),
    row("bitfield_ro", "Reads integers of any width within a value", "6.0.0", PER_OPERATION, -2, READ_FAST, READ,
        &[KEY, GET.optional_multiple()], field::bitfield_ro),
];
