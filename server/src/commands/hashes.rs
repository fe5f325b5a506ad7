//! Hashes: the table. What the commands do is in the files below this one.
//!
//! A hash is one tree, field → value, and while fields of it expire, a second one (`tiering/src/collection/fields.rs`).
//! Its fields are answered in the order of their bytes, also where Redis has them in the order they came. Nobody calls these handlers but exec, through the table.

use super::{ArgSpec, Command, Ctx, Flags, Group, Handler, Intent, KeySpec};

mod combined;
mod counters;
mod expire;
mod fields;
mod pick;
mod read;
mod write;

const KEY: ArgSpec = ArgSpec::key("key");
const FIELD: ArgSpec = ArgSpec::new("field", "string");
const VALUE: ArgSpec = ArgSpec::new("value", "string");
const DATA: ArgSpec = ArgSpec::block("data", &[FIELD, VALUE]).multiple();
const FIELDS: ArgSpec = ArgSpec::block(
    "fields",
    &[ArgSpec::new("numfields", "integer"), FIELD.multiple()],
)
.after("FIELDS");
const SECONDS: ArgSpec = ArgSpec::new("seconds", "integer");
const MILLIS: ArgSpec = ArgSpec::new("milliseconds", "integer");
const UNIX_SECONDS: ArgSpec = ArgSpec::new("unix-time-seconds", "unix-time");
const UNIX_MILLIS: ArgSpec = ArgSpec::new("unix-time-milliseconds", "unix-time");
const CONDITION: ArgSpec = ArgSpec::one_of(
    "condition",
    &[
        ArgSpec::word("nx", "NX"),
        ArgSpec::word("xx", "XX"),
        ArgSpec::word("gt", "GT"),
        ArgSpec::word("lt", "LT"),
    ],
)
.optional();
const KEY_FIELD: &[ArgSpec] = &[KEY, FIELD];

const READ: &[KeySpec] = &[KeySpec::one(1, Intent::Read, &["RO", "access"])];
const LOOK: &[KeySpec] = &[KeySpec::one(1, Intent::Read, &["RO"])];
const PUT: &[KeySpec] = &[KeySpec::one(1, Intent::Update, &["RW", "update"])];
const COUNT: &[KeySpec] = &[KeySpec::one(1, Intent::Update, &["RW", "access", "update"])];

const WRITE_FAST: Flags = Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST);
const READ_FAST: Flags = Flags::READONLY.or(Flags::FAST);
const PER_FIELD: &str = "O(N*log(M)), N being the number of fields named and M that of the hash";
const WHOLE: &str = "O(N), N being the number of fields";
const ONE: &str = "O(log(N)), N being the number of fields";

/// A command on hashes.
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
    Command {
        name,
        summary,
        since,
        group: Group::Hash,
        complexity,
        arity,
        flags,
        keys,
        args,
        subcommands: &[],
        handler: Handler::Data(handler),
    }
}

/// The commands.
#[rustfmt::skip] // One command to two or three lines: it is read as a table.
pub const FAMILY: &[Command] = &[
    row("hset", "Sets fields of a hash", "2.0.0", PER_FIELD, -4, WRITE_FAST,
        PUT, &[KEY, DATA], write::hset),
    row("hmset", "Sets fields of a hash; the older form of HSET", "2.0.0", PER_FIELD, -4, WRITE_FAST,
        PUT, &[KEY, DATA], write::hmset),
    row("hsetnx", "Sets a field of a hash that is absent", "2.0.0", ONE, 4, WRITE_FAST,
        &[KeySpec::one(1, Intent::Update, &["RW", "insert"])], &[KEY, FIELD, VALUE], write::hsetnx),
    row("hget", "Answers the value of a field", "2.0.0", ONE, 3, READ_FAST, READ, KEY_FIELD, read::hget),
    row("hmget", "Answers the values of several fields", "2.0.0", PER_FIELD, -3, READ_FAST,
        READ, &[KEY, FIELD.multiple()], read::hmget),
    row("hgetall", "Answers all fields with their values", "2.0.0", WHOLE, 2, Flags::READONLY,
        READ, &[KEY], read::hgetall),
    row("hkeys", "Answers all fields", "2.0.0", WHOLE, 2, Flags::READONLY, READ, &[KEY], read::hkeys),
    row("hvals", "Answers all values", "2.0.0", WHOLE, 2, Flags::READONLY, READ, &[KEY], read::hvals),
    row("hlen", "Answers the number of fields", "2.0.0", "O(1)", 2, READ_FAST, LOOK, &[KEY], read::hlen),
    row("hexists", "Says whether a field is there", "2.0.0", ONE, 3, READ_FAST, LOOK, KEY_FIELD, read::hexists),
    row("hstrlen", "Answers the length of a field's value", "3.2.0", ONE, 3, READ_FAST,
        LOOK, KEY_FIELD, read::hstrlen),
    row("hdel", "Deletes fields, and the hash with the last of them", "2.0.0", PER_FIELD, -3,
        Flags::WRITE.or(Flags::FAST), &[KeySpec::one(1, Intent::Update, &["RW", "delete"])],
        &[KEY, FIELD.multiple()], write::hdel),
    row("hgetdel", "Answers the values of fields and deletes them", "8.0.0", PER_FIELD, -5,
        Flags::WRITE.or(Flags::FAST), &[KeySpec::one(1, Intent::Update, &["RW", "access", "delete"])],
        &[KEY, FIELDS], combined::hgetdel),
    row("hgetex", "Answers the values of fields and sets or removes their deadlines", "8.0.0", PER_FIELD, -5,
        Flags::WRITE.or(Flags::FAST), COUNT,
        &[KEY, ArgSpec::one_of("expiration", &[SECONDS.after("EX"), MILLIS.after("PX"), UNIX_SECONDS.after("EXAT"),
            UNIX_MILLIS.after("PXAT"), ArgSpec::word("persist", "PERSIST")]).optional(), FIELDS],
        combined::hgetex),
    row("hsetex", "Sets fields of a hash with a deadline, all or none of them", "8.0.0", PER_FIELD, -6, WRITE_FAST, PUT,
        &[KEY, ArgSpec::one_of("condition", &[ArgSpec::word("fnx", "FNX"), ArgSpec::word("fxx", "FXX")]).optional(),
          ArgSpec::one_of("expiration", &[SECONDS.after("EX"), MILLIS.after("PX"), UNIX_SECONDS.after("EXAT"),
            UNIX_MILLIS.after("PXAT"), ArgSpec::word("keepttl", "KEEPTTL")]).optional(),
          ArgSpec::block("fields", &[ArgSpec::new("numfields", "integer"), DATA]).after("FIELDS")],
        combined::hsetex),
    row("hexpire", "Sets when fields expire, in seconds from now", "7.4.0", PER_FIELD, -6,
        Flags::WRITE.or(Flags::FAST), PUT, &[KEY, SECONDS, CONDITION, FIELDS], expire::hexpire),
    row("hpexpire", "Sets when fields expire, in milliseconds from now", "7.4.0", PER_FIELD, -6,
        Flags::WRITE.or(Flags::FAST), PUT, &[KEY, MILLIS, CONDITION, FIELDS], expire::hpexpire),
    row("hexpireat", "Sets when fields expire, as a Unix time in seconds", "7.4.0", PER_FIELD, -6,
        Flags::WRITE.or(Flags::FAST), PUT, &[KEY, UNIX_SECONDS, CONDITION, FIELDS], expire::hexpireat),
    row("hpexpireat", "Sets when fields expire, as a Unix time in milliseconds", "7.4.0", PER_FIELD, -6,
        Flags::WRITE.or(Flags::FAST), PUT, &[KEY, UNIX_MILLIS, CONDITION, FIELDS], expire::hpexpireat),
    row("hpersist", "Has fields stay", "7.4.0", PER_FIELD, -5, Flags::WRITE.or(Flags::FAST), PUT,
        &[KEY, FIELDS], expire::hpersist),
    row("httl", "Answers how many seconds fields have left", "7.4.0", PER_FIELD, -5, READ_FAST, READ,
        &[KEY, FIELDS], expire::httl),
    row("hpttl", "Answers how many milliseconds fields have left", "7.4.0", PER_FIELD, -5, READ_FAST, READ,
        &[KEY, FIELDS], expire::hpttl),
    row("hexpiretime", "Answers the Unix time in seconds at which fields expire", "7.4.0", PER_FIELD, -5, READ_FAST, READ,
        &[KEY, FIELDS], expire::hexpiretime),
    row("hpexpiretime", "Answers the Unix time in milliseconds at which fields expire", "7.4.0", PER_FIELD, -5,
        READ_FAST, READ, &[KEY, FIELDS], expire::hpexpiretime),
    row("hincrby", "Adds an integer to the integer value of a field, 0 if absent", "2.0.0", ONE, 4, WRITE_FAST,
        COUNT, &[KEY, FIELD, ArgSpec::new("increment", "integer")], counters::hincrby),
    row("hincrbyfloat", "Adds a floating point number to the numeric value of a field, 0 if absent", "2.6.0",
        ONE, 4, WRITE_FAST, COUNT, &[KEY, FIELD, ArgSpec::new("increment", "double")], counters::hincrbyfloat),
    row("hrandfield", "Answers fields chosen at random", "6.2.0",
        "O(N*log(M)), N being the number of fields wanted and M that of the hash", -2, Flags::READONLY, READ,
        &[KEY, ArgSpec::block("options", &[ArgSpec::new("count", "integer"),
            ArgSpec::word("withvalues", "WITHVALUES").optional()]).optional()],
        pick::hrandfield),
    row("hscan", "Iterates over the fields of a hash", "2.8.0",
        "O(1) for every call, O(N) for all, N being the number of fields", -3, Flags::READONLY, READ,
        &[KEY, ArgSpec::new("cursor", "integer"), ArgSpec::new("pattern", "pattern").after("MATCH").optional(),
          ArgSpec::new("count", "integer").after("COUNT").optional(),
          ArgSpec::word("novalues", "NOVALUES").optional()],
        pick::hscan),
];
