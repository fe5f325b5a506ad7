//! Keys, whatever they hold: the table. What the commands do is in the files below this one.
//!
//! Commands that look at the whole keyspace are elsewhere: see [`keyspace`](super::keyspace).

use super::{ArgSpec, Command, Find, Flags, Group, Intent, KeySpec, data_row as row, in_group};

mod copy;
mod dump;
mod exist;
mod expire;
mod object;
mod sort;
mod sort_options;

pub use copy::second_database;

const KEY: ArgSpec = ArgSpec::key("key");
const KEYS: &[ArgSpec] = &[KEY.multiple()];
const NEWKEY: ArgSpec = ArgSpec::key("newkey");

const REMOVE_ALL: &[KeySpec] = &[KeySpec::rest(1, Intent::Remove, &["RM", "delete"])];
const ASK: &[KeySpec] = &[KeySpec::one(1, Intent::Exists, &["RO"])];
const ASK_ALL: &[KeySpec] = &[KeySpec::rest(1, Intent::Exists, &["RO"])];
const ASK_TTL: &[KeySpec] = &[KeySpec::one(1, Intent::Exists, &["RO", "access"])];
const ASK_OBJECT: &[KeySpec] = &[KeySpec::one(2, Intent::Exists, &["RO"])];
const UPDATE: &[KeySpec] = &[KeySpec::one(1, Intent::Update, &["RW", "update"])];

const WRITE: Flags = Flags::WRITE;
const WRITE_FAST: Flags = Flags::WRITE.or(Flags::FAST);
const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = Flags::READONLY.or(Flags::FAST);

const EXPIRE_CONDITION: ArgSpec = ArgSpec::one_of(
    "condition",
    &[
        ArgSpec::word("nx", "NX"),
        ArgSpec::word("xx", "XX"),
        ArgSpec::word("gt", "GT"),
        ArgSpec::word("lt", "LT"),
    ],
)
.optional()
.since("7.0.0");

const SORT_BY: ArgSpec = ArgSpec::new("by-pattern", "pattern").after("BY").optional();
const SORT_LIMIT: ArgSpec = ArgSpec::block(
    "limit",
    &[
        ArgSpec::new("offset", "integer"),
        ArgSpec::new("count", "integer"),
    ],
)
.after("LIMIT")
.optional();
const SORT_GET: ArgSpec = ArgSpec::new("get-pattern", "pattern")
    .after("GET")
    .optional_multiple();
const SORT_ORDER: ArgSpec = ArgSpec::one_of(
    "order",
    &[ArgSpec::word("asc", "ASC"), ArgSpec::word("desc", "DESC")],
)
.optional();
const SORT_ALPHA: ArgSpec = ArgSpec::word("sorting", "ALPHA").optional();

const SORTED: &str =
    "O(N+M*log(M)), N being the number of elements and M the number of those answered";
const PER_KEY: &str = "O(N), N being the number of keys";
const BY_SIZE: &str = "O(1) for a string, O(N) for a collection of N items";
const PER_KEY_BY_SIZE: &str =
    "O(N), N being the number of keys; in addition O(M) for a collection of M items";

/// The commands.
#[rustfmt::skip] // One command to two or three lines: it is read as a table.
pub const FAMILY: &[Command] = &in_group(Group::Generic, [
    row("del", "Deletes keys", "1.0.0", PER_KEY_BY_SIZE, -2, WRITE, REMOVE_ALL, KEYS, exist::del),
    row("unlink", "Deletes keys; large values are freed in the background", "4.0.0", PER_KEY, -2, WRITE_FAST,
        REMOVE_ALL, KEYS, exist::del),
    row("exists", "Counts which of the keys are there", "1.0.0", PER_KEY, -2, READ_FAST,
        ASK_ALL, KEYS, exist::exists),
    row("touch", "Counts which of the keys are there, and counts that as an access", "3.2.1", PER_KEY, -2,
        READ_FAST, ASK_ALL, KEYS, exist::touch),
    row("type", "Names the type of a key's value", "1.0.0", "O(1)", 2, READ_FAST, ASK, &[KEY], exist::type_),

    row("sort", "Puts the elements of a list, set or sorted set in order, or what other keys hold for them", "1.0.0",
        SORTED, -2, WRITE.or(Flags::DENYOOM).or(Flags::MOVABLE_KEYS),
        &[KeySpec::one(1, Intent::Read, &["RO", "access"]),
          KeySpec { first: 1, find: Find::Unknown, intent: Intent::Read, flags: &["RO", "access"] },
          KeySpec { first: 1, find: Find::SortStore, intent: Intent::Overwrite, flags: &["OW", "update"] }],
        &[KEY, SORT_BY, SORT_LIMIT, SORT_GET, SORT_ORDER, SORT_ALPHA, ArgSpec::key("destination").after("STORE").optional()],
        sort::sort),
    row("sort_ro", "Puts the elements of a list, set or sorted set in order; never stores", "7.0.0",
        SORTED, -2, READ.or(Flags::MOVABLE_KEYS),
        &[KeySpec::one(1, Intent::Read, &["RO", "access"]),
          KeySpec { first: 1, find: Find::Unknown, intent: Intent::Read, flags: &["RO", "access"] }],
        &[KEY, SORT_BY, SORT_LIMIT, SORT_GET, SORT_ORDER, SORT_ALPHA], sort::sort_ro),

    row("rename", "Gives a value another key, whatever that held", "1.0.0", BY_SIZE, 3, WRITE,
        &[KeySpec::one(1, Intent::Update, &["RW", "access", "delete"]),
          KeySpec::one(2, Intent::Overwrite, &["OW", "update"])],
        &[KEY, NEWKEY], copy::rename),
    row("renamenx", "Gives a value another key, if that is absent", "1.0.0", BY_SIZE, 3, WRITE_FAST,
        &[KeySpec::one(1, Intent::Update, &["RW", "access", "delete"]),
          KeySpec::one(2, Intent::Update, &["OW", "insert"])],
        &[KEY, NEWKEY], copy::renamenx),
    row("copy", "Copies a value to another key, in this database or another", "6.2.0", BY_SIZE, -3,
        WRITE.or(Flags::DENYOOM),
        &[KeySpec::one(1, Intent::Read, &["RO", "access"]),
          KeySpec::one(2, Intent::Update, &["OW", "update"])],
        &[ArgSpec::key("source"), ArgSpec::key("destination"),
          ArgSpec::new("destination-db", "integer").after("DB").optional(),
          ArgSpec::word("replace", "REPLACE").optional()],
        copy::copy),
    row("move", "Moves a key to another database", "1.0.0", BY_SIZE, 3, WRITE_FAST,
        &[KeySpec::one(1, Intent::Update, &["RW", "access", "update"])],
        &[KEY, ArgSpec::new("db", "integer")], copy::move_),

    row("dump", "Answers a value in the form that RESTORE takes, here and in Redis", "2.6.0", BY_SIZE, 2, READ,
        &[KeySpec::one(1, Intent::Read, &["RO", "access"])], &[KEY], dump::dump),
    row("restore", "Makes a value of what DUMP answered, here or in Redis", "2.6.0", BY_SIZE, -4,
        WRITE.or(Flags::DENYOOM),
        &[KeySpec::one(1, Intent::Overwrite, &["OW", "update"])],
        &[KEY, ArgSpec::new("ttl", "integer"), ArgSpec::new("serialized-value", "string"),
          ArgSpec::word("replace", "REPLACE").optional().since("3.0.0"),
          ArgSpec::word("absttl", "ABSTTL").optional().since("5.0.0"),
          ArgSpec::new("seconds", "integer").after("IDLETIME").optional().since("5.0.0"),
          ArgSpec::new("frequency", "integer").after("FREQ").optional().since("5.0.0")],
        dump::restore),

    row("expire", "Sets the time to live of a key in seconds", "1.0.0", "O(1)", -3, WRITE_FAST, UPDATE,
        &[KEY, ArgSpec::new("seconds", "integer"), EXPIRE_CONDITION], expire::expire),
    row("pexpire", "Sets the time to live of a key in milliseconds", "2.6.0", "O(1)", -3, WRITE_FAST, UPDATE,
        &[KEY, ArgSpec::new("milliseconds", "integer"), EXPIRE_CONDITION], expire::pexpire),
    row("expireat", "Sets when a key expires, in Unix seconds", "1.2.0", "O(1)", -3, WRITE_FAST, UPDATE,
        &[KEY, ArgSpec::new("unix-time-seconds", "unix-time"), EXPIRE_CONDITION], expire::expireat),
    row("pexpireat", "Sets when a key expires, in Unix milliseconds", "2.6.0", "O(1)", -3, WRITE_FAST, UPDATE,
        &[KEY, ArgSpec::new("unix-time-milliseconds", "unix-time"), EXPIRE_CONDITION], expire::pexpireat),
    row("persist", "Makes a key stay until it is deleted", "2.2.0", "O(1)", 2, WRITE_FAST, UPDATE, &[KEY],
        expire::persist),
    row("ttl", "Answers how many seconds a key has to live", "1.0.0", "O(1)", 2, READ_FAST, ASK_TTL, &[KEY],
        expire::ttl),
    row("pttl", "Answers how many milliseconds a key has to live", "2.6.0", "O(1)", 2, READ_FAST, ASK_TTL,
        &[KEY], expire::pttl),
    row("expiretime", "Answers when a key expires, in Unix seconds", "7.0.0", "O(1)", 2, READ_FAST, ASK_TTL,
        &[KEY], expire::expiretime),
    row("pexpiretime", "Answers when a key expires, in Unix milliseconds", "7.0.0", "O(1)", 2, READ_FAST,
        ASK_TTL, &[KEY], expire::pexpiretime),

    Command {
        subcommands: &[
            row("object|encoding", "Names the encoding of a value, as Redis would choose it", "2.2.3", "O(1)", 3,
                READ, ASK_OBJECT, &[KEY], object::encoding),
            row("object|freq", "Answers the logarithmic access counter of a key", "4.0.0", "O(1)", 3, READ,
                ASK_OBJECT, &[KEY], object::freq),
            row("object|help", "Lists the subcommands", "6.2.0", "O(1)", 2, Flags::LOADING.or(Flags::STALE),
                &[], &[], object::help),
            row("object|idletime", "Answers the seconds since the last access to a key", "2.2.3", "O(1)", 3,
                READ, ASK_OBJECT, &[KEY], object::idletime),
            row("object|refcount", "Answers the number of references to a value, which is one", "2.2.3",
                "O(1)", 3, READ, ASK_OBJECT, &[KEY], object::refcount),
        ],
        ..row("object", "Asks how a value is kept", "2.2.3", "See the subcommands", -2, Flags::NONE, &[], &[],
              object::bare)
    },
]);
