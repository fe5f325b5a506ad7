//! Sorted sets: the table. What the commands do is in the files below this one.
//!
//! A sorted set is two trees: score and member, which gives order and rank, and the score by member (`zset`). How
//! BZPOPMIN and its kin wait and are woken is in `crate::blocking` and `exec/serve`.

use super::{ArgSpec, Command, Ctx, Find, Flags, Group, Handler, Intent, KeySpec};

mod add;
mod blocking;
mod combine;
mod options;
mod pop;
mod random;
mod range;
mod read;
mod remove;
mod zset;

pub(in crate::commands) use add::{Only, give_scores};
pub(in crate::commands) use zset::{Scored, ZSet, store};

const KEY: ArgSpec = ArgSpec::key("key");
const MEMBER: ArgSpec = ArgSpec::new("member", "string");
const NUMKEYS: ArgSpec = ArgSpec::new("numkeys", "integer");
const WITHSCORES: ArgSpec = ArgSpec::word("withscores", "WITHSCORES").optional();
const WITHSCORE: ArgSpec = ArgSpec::word("withscore", "WITHSCORE")
    .optional()
    .since("7.2.0");
const LIMIT: ArgSpec = ArgSpec::block(
    "limit",
    &[
        ArgSpec::new("offset", "integer"),
        ArgSpec::new("count", "integer"),
    ],
)
.after("LIMIT")
.optional();
const BY: ArgSpec = ArgSpec::one_of(
    "sortby",
    &[
        ArgSpec::word("byscore", "BYSCORE"),
        ArgSpec::word("bylex", "BYLEX"),
    ],
)
.optional();
const REV: ArgSpec = ArgSpec::word("rev", "REV").optional();
const SCORES: &[ArgSpec] = &[
    KEY,
    ArgSpec::new("min", "double"),
    ArgSpec::new("max", "double"),
];
const WORDS: &[ArgSpec] = &[
    KEY,
    ArgSpec::new("min", "string"),
    ArgSpec::new("max", "string"),
];
const RANKS: &[ArgSpec] = &[
    KEY,
    ArgSpec::new("start", "integer"),
    ArgSpec::new("stop", "integer"),
];
const WEIGHTS: ArgSpec = ArgSpec {
    flags: &["optional", "multiple"],
    ..ArgSpec::new("weight", "integer").after("WEIGHTS")
};
const AGGREGATE: ArgSpec = ArgSpec::one_of(
    "aggregate",
    &[
        ArgSpec::word("sum", "SUM"),
        ArgSpec::word("min", "MIN"),
        ArgSpec::word("max", "MAX"),
    ],
)
.after("AGGREGATE")
.optional();
const COMBINED: &[ArgSpec] = &[NUMKEYS, KEY.multiple(), WEIGHTS, AGGREGATE, WITHSCORES];
const COMBINED_STORE: &[ArgSpec] = &[
    ArgSpec::key("destination"),
    NUMKEYS,
    KEY.multiple(),
    WEIGHTS,
    AGGREGATE,
];
const POPPED: &[ArgSpec] = &[KEY, ArgSpec::new("count", "integer").optional()];

const TIMEOUT: ArgSpec = ArgSpec::new("timeout", "double");
const WHERE: ArgSpec = ArgSpec::one_of(
    "where",
    &[ArgSpec::word("min", "MIN"), ArgSpec::word("max", "MAX")],
);
const COUNT: ArgSpec = ArgSpec::new("count", "integer").after("COUNT").optional();

const ASK: &[KeySpec] = &[KeySpec::one(1, Intent::Read, &["RO"])];
const READ: &[KeySpec] = &[KeySpec::one(1, Intent::Read, &["RO", "access"])];
const REMOVE: &[KeySpec] = &[KeySpec::one(1, Intent::Update, &["RW", "delete"])];
const TAKE: &[KeySpec] = &[KeySpec::one(1, Intent::Update, &["RW", "access", "delete"])];
/// All but the last argument.
const TAKE_ANY: &[KeySpec] = &[KeySpec::up_to(
    1,
    -2,
    1,
    Intent::Update,
    &["RW", "access", "delete"],
)];
const COUNTED: &[KeySpec] = &[counted(1, Intent::Read, &["RO", "access"])];
const COUNTED_STORE: &[KeySpec] = &[
    KeySpec::one(1, Intent::Overwrite, &["OW", "update"]),
    counted(2, Intent::Read, &["RO", "access"]),
];

const WRITE: Flags = Flags::WRITE.or(Flags::DENYOOM);
const WRITE_FAST: Flags = WRITE.or(Flags::FAST);
const REMOVE_FAST: Flags = Flags::WRITE.or(Flags::FAST);
const BLOCK_FAST: Flags = REMOVE_FAST.or(Flags::NOSCRIPT).or(Flags::BLOCKING);
const READ_SLOW: Flags = Flags::READONLY;
const READ_FAST: Flags = Flags::READONLY.or(Flags::FAST);
const READ_MANY: Flags = Flags::READONLY.or(Flags::MOVABLE_KEYS);
const STORE_MANY: Flags = WRITE.or(Flags::MOVABLE_KEYS);

const LOG: &str = "O(log N)";
const PER_MEMBER: &str = "O(log N) for each member";
const RANGED: &str = "O(log N + M), M being the number of members answered";
const REMOVED: &str = "O(log N + M), M being the number of members removed";
const TOGETHER: &str = "O(N log N), N being the number of members of all keys";

/// Keys behind their number.
const fn counted(first: usize, intent: Intent, flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        first,
        find: Find::Count,
        intent,
        flags,
    }
}

/// A command on sorted sets.
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
    let group = Group::SortedSet;
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
    row("zadd", "Adds members to a sorted set, or changes their scores", "1.2.0", PER_MEMBER, -4, WRITE_FAST,
        &[KeySpec::one(1, Intent::Update, &["RW", "update"])],
        &[KEY,
          ArgSpec::one_of("condition", &[ArgSpec::word("nx", "NX"), ArgSpec::word("xx", "XX")]).optional()
              .since("3.0.2"),
          ArgSpec::one_of("comparison", &[ArgSpec::word("gt", "GT"), ArgSpec::word("lt", "LT")]).optional()
              .since("6.2.0"),
          ArgSpec::word("change", "CH").optional().since("3.0.2"),
          ArgSpec::word("increment", "INCR").optional().since("3.0.2"),
          ArgSpec::block("data", &[ArgSpec::new("score", "double"), MEMBER]).multiple()],
        add::zadd),
    row("zincrby", "Adds to the score of a member, 0 if absent", "1.2.0", LOG, 4, WRITE_FAST,
        &[KeySpec::one(1, Intent::Update, &["RW", "access", "update"])],
        &[KEY, ArgSpec::new("increment", "integer"), MEMBER], add::zincrby),
    row("zrem", "Removes members from a sorted set", "1.2.0", PER_MEMBER, -3, REMOVE_FAST, REMOVE,
        &[KEY, MEMBER.multiple()], remove::zrem),
    row("zremrangebyrank", "Removes the members of a range of ranks", "2.0.0", REMOVED, 4, Flags::WRITE, REMOVE,
        RANKS, remove::zremrangebyrank),
    row("zremrangebyscore", "Removes the members of a range of scores", "1.2.0", REMOVED, 4, Flags::WRITE, REMOVE,
        SCORES, remove::zremrangebyscore),
    row("zremrangebylex", "Removes a range of members of the same score", "2.8.9", REMOVED, 4, Flags::WRITE,
        REMOVE, WORDS, remove::zremrangebylex),
    row("zcard", "Answers the number of members of a sorted set", "1.2.0", "O(1)", 2, READ_FAST, ASK, &[KEY],
        read::zcard),
    row("zscore", "Answers the score of a member", "1.2.0", LOG, 3, READ_FAST, READ, &[KEY, MEMBER], read::zscore),
    row("zmscore", "Answers the scores of members", "6.2.0", PER_MEMBER, -3, READ_FAST, READ,
        &[KEY, MEMBER.multiple()], read::zmscore),
    row("zrank", "Answers how many members stand before one", "2.0.0", LOG, -3, READ_FAST, READ,
        &[KEY, MEMBER, WITHSCORE], read::zrank),
    row("zrevrank", "Answers how many members stand behind one", "2.0.0", LOG, -3, READ_FAST, READ,
        &[KEY, MEMBER, WITHSCORE], read::zrevrank),
    row("zcount", "Counts the members of a range of scores", "2.0.0", LOG, 4, READ_FAST, READ, SCORES,
        read::zcount),
    row("zlexcount", "Counts a range of members of the same score", "2.8.9", LOG, 4, READ_FAST, READ, WORDS,
        read::zlexcount),
    row("zscan", "Walks over the members of a sorted set, some at a time", "2.8.0",
        "O(1) for each call, O(N) for a whole walk", -3, READ_SLOW, READ,
        &[KEY, ArgSpec::new("cursor", "integer"), ArgSpec::new("pattern", "pattern").after("MATCH").optional(),
          ArgSpec::new("count", "integer").after("COUNT").optional()],
        read::zscan),
    row("zrange", "Answers the members of a range of ranks, scores or words", "1.2.0", RANGED, -4, READ_SLOW, READ,
        &[KEY, ArgSpec::new("start", "string"), ArgSpec::new("stop", "string"), BY.since("6.2.0"),
          REV.since("6.2.0"), LIMIT.since("6.2.0"), WITHSCORES],
        range::zrange),
    row("zrangestore", "Stores the members of a range of ranks, scores or words", "6.2.0", RANGED, -5, WRITE,
        &[KeySpec::one(1, Intent::Overwrite, &["OW", "update"]), KeySpec::one(2, Intent::Read, &["RO", "access"])],
        &[ArgSpec::key("dst"), ArgSpec::key("src"), ArgSpec::new("min", "string"), ArgSpec::new("max", "string"),
          BY, REV, LIMIT],
        range::zrangestore),
    row("zrevrange", "Answers the members of a range of ranks, the last first", "1.2.0", RANGED, -4, READ_SLOW,
        READ, &[KEY, ArgSpec::new("start", "integer"), ArgSpec::new("stop", "integer"), WITHSCORES],
        range::zrevrange),
    row("zrangebyscore", "Answers the members of a range of scores", "1.0.5", RANGED, -4, READ_SLOW, READ,
        &[KEY, ArgSpec::new("min", "double"), ArgSpec::new("max", "double"), WITHSCORES.since("2.0.0"), LIMIT],
        range::zrangebyscore),
    row("zrevrangebyscore", "Answers the members of a range of scores, the last first", "2.2.0", RANGED, -4,
        READ_SLOW, READ,
        &[KEY, ArgSpec::new("max", "double"), ArgSpec::new("min", "double"), WITHSCORES, LIMIT],
        range::zrevrangebyscore),
    row("zrangebylex", "Answers a range of members of the same score", "2.8.9", RANGED, -4, READ_SLOW, READ,
        &[KEY, ArgSpec::new("min", "string"), ArgSpec::new("max", "string"), LIMIT], range::zrangebylex),
    row("zrevrangebylex", "Answers a range of members of the same score, the last first", "2.8.9", RANGED, -4,
        READ_SLOW, READ, &[KEY, ArgSpec::new("max", "string"), ArgSpec::new("min", "string"), LIMIT],
        range::zrevrangebylex),
    row("zpopmin", "Takes out the members of the lowest scores", "5.0.0", PER_MEMBER, -2, REMOVE_FAST, TAKE, POPPED,
        pop::zpopmin),
    row("zpopmax", "Takes out the members of the highest scores", "5.0.0", PER_MEMBER, -2, REMOVE_FAST, TAKE, POPPED,
        pop::zpopmax),
    row("zmpop", "Takes members out of the first sorted set that has any", "7.0.0", PER_MEMBER, -4,
        Flags::WRITE.or(Flags::MOVABLE_KEYS), &[counted(1, Intent::Update, &["RW", "access", "delete"])],
        &[NUMKEYS, KEY.multiple(), WHERE, COUNT], pop::zmpop),
    row("bzpopmin", "Takes out the member of the lowest score of the first sorted set that has any; waits for one",
        "5.0.0", PER_MEMBER, -3, BLOCK_FAST, TAKE_ANY, &[KEY.multiple(), TIMEOUT], blocking::bzpopmin),
    row("bzpopmax", "Takes out the member of the highest score of the first sorted set that has any; waits for one",
        "5.0.0", PER_MEMBER, -3, BLOCK_FAST, TAKE_ANY, &[KEY.multiple(), TIMEOUT], blocking::bzpopmax),
    row("bzmpop", "Takes members out of the first sorted set that has any; waits for one", "7.0.0", PER_MEMBER, -5,
        Flags::WRITE.or(Flags::MOVABLE_KEYS).or(Flags::BLOCKING),
        &[counted(2, Intent::Update, &["RW", "access", "delete"])],
        &[TIMEOUT, NUMKEYS, KEY.multiple(), WHERE, COUNT], blocking::bzmpop),
    row("zrandmember", "Answers members of a sorted set, chosen at random", "6.2.0", PER_MEMBER, -2, READ_SLOW, READ,
        &[KEY, ArgSpec::block("options", &[ArgSpec::new("count", "integer"), WITHSCORES]).optional()],
        random::zrandmember),
    row("zunion", "Answers the members that any key has, with combined scores", "6.2.0", TOGETHER, -3, READ_MANY,
        COUNTED, COMBINED, combine::zunion),
    row("zinter", "Answers the members that all keys have, with combined scores", "6.2.0", TOGETHER, -3, READ_MANY,
        COUNTED, COMBINED, combine::zinter),
    row("zdiff", "Answers the members that the first key has and no other", "6.2.0", TOGETHER, -3, READ_MANY,
        COUNTED, &[NUMKEYS, KEY.multiple(), WITHSCORES], combine::zdiff),
    row("zunionstore", "Stores the members that any key has, with combined scores", "2.0.0", TOGETHER, -4,
        STORE_MANY, COUNTED_STORE, COMBINED_STORE, combine::zunionstore),
    row("zinterstore", "Stores the members that all keys have, with combined scores", "2.0.0", TOGETHER, -4,
        STORE_MANY, COUNTED_STORE, COMBINED_STORE, combine::zinterstore),
    row("zdiffstore", "Stores the members that the first key has and no other", "6.2.0", TOGETHER, -4, STORE_MANY,
        COUNTED_STORE, &[ArgSpec::key("destination"), NUMKEYS, KEY.multiple()], combine::zdiffstore),
    row("zintercard", "Counts the members that all keys have", "7.0.0", TOGETHER, -3, READ_MANY, COUNTED,
        &[NUMKEYS, KEY.multiple(), ArgSpec::new("limit", "integer").after("LIMIT").optional()],
        combine::zintercard),
];
