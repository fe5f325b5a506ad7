//! Sets: the table. What the commands do is in the files below this one.
//!
//! A set is a tree of members, which sort byte by byte, so that sets are combined by walking them side by side.

use super::{ArgSpec, Command, Ctx, Find, Flags, Group, Handler, Intent, KeySpec};

mod combine;
mod members;
mod random;

pub(in crate::commands) use combine::limit;

const KEY: ArgSpec = ArgSpec::key("key");
const MEMBER: ArgSpec = ArgSpec::new("member", "string");
const COUNT: ArgSpec = ArgSpec::new("count", "integer").optional();
const KEY_MEMBERS: &[ArgSpec] = &[KEY, MEMBER.multiple()];
const SOURCES: &[ArgSpec] = &[KEY.multiple()];
const STORE: &[ArgSpec] = &[ArgSpec::key("destination"), KEY.multiple()];

const ASK: &[KeySpec] = &[KeySpec::one(1, Intent::Read, &["RO"])];
const READ: &[KeySpec] = &[KeySpec::one(1, Intent::Read, &["RO", "access"])];
const READ_ALL: &[KeySpec] = &[KeySpec::rest(1, Intent::Read, &["RO", "access"])];
const TAKE: &[KeySpec] = &[KeySpec::one(1, Intent::Update, &["RW", "access", "delete"])];
const REPLACE: &[KeySpec] = &[
    KeySpec::one(1, Intent::Overwrite, &["OW", "update"]),
    KeySpec::rest(2, Intent::Read, &["RO", "access"]),
];

const WRITE: Flags = Flags::WRITE.or(Flags::DENYOOM);
const REMOVE_FAST: Flags = Flags::WRITE.or(Flags::FAST);
const READ_FAST: Flags = Flags::READONLY.or(Flags::FAST);

const PER_MEMBER: &str = "O(log N) for each member";
const WHOLE: &str = "O(N), N being the number of members";
const INTERSECTION: &str = "O(N*M), N being the size of the smallest set, M the number of sets";
const TOGETHER: &str = "O(N), N being the number of members of all sets";

/// A command on sets.
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
    let group = Group::Set;
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
    row("sadd", "Adds members to a set", "1.0.0", PER_MEMBER, -3, WRITE.or(Flags::FAST),
        &[KeySpec::one(1, Intent::Update, &["RW", "insert"])], KEY_MEMBERS, members::sadd),
    row("srem", "Removes members from a set", "1.0.0", PER_MEMBER, -3, REMOVE_FAST,
        &[KeySpec::one(1, Intent::Update, &["RW", "delete"])], KEY_MEMBERS, members::srem),
    row("sismember", "Answers whether a set has a member", "1.0.0", "O(log N)", 3, READ_FAST, ASK,
        &[KEY, MEMBER], members::sismember),
    row("smismember", "Answers which members a set has", "6.2.0", PER_MEMBER, -3, READ_FAST, READ,
        KEY_MEMBERS, members::smismember),
    row("smembers", "Answers all members of a set", "1.0.0", WHOLE, 2, Flags::READONLY, READ, &[KEY],
        members::smembers),
    row("scard", "Answers the number of members of a set", "1.0.0", "O(1)", 2, READ_FAST, ASK, &[KEY],
        members::scard),
    row("spop", "Takes members out of a set, chosen at random", "1.0.0", PER_MEMBER, -2, REMOVE_FAST, TAKE,
        &[KEY, COUNT.since("3.2.0")], random::spop),
    row("srandmember", "Answers members of a set, chosen at random", "1.0.0", PER_MEMBER, -2, Flags::READONLY,
        READ, &[KEY, COUNT.since("2.6.0")], random::srandmember),
    row("smove", "Moves a member from one set to another", "1.0.0", "O(log N)", 4, REMOVE_FAST,
        &[KeySpec::one(1, Intent::Update, &["RW", "access", "delete"]),
          KeySpec::one(2, Intent::Update, &["RW", "insert"])],
        &[ArgSpec::key("source"), ArgSpec::key("destination"), MEMBER], members::smove),
    row("sinter", "Answers the members that all sets have", "1.0.0", INTERSECTION, -2, Flags::READONLY, READ_ALL,
        SOURCES, combine::sinter),
    row("sinterstore", "Stores the members that all sets have", "1.0.0", INTERSECTION, -3, WRITE,
        &[KeySpec::one(1, Intent::Overwrite, &["RW", "update"]), KeySpec::rest(2, Intent::Read, &["RO", "access"])],
        STORE, combine::sinterstore),
    row("sintercard", "Counts the members that all sets have", "7.0.0", INTERSECTION, -3,
        Flags::READONLY.or(Flags::MOVABLE_KEYS),
        &[KeySpec { first: 1, find: Find::Count, intent: Intent::Read, flags: &["RO", "access"] }],
        &[ArgSpec::new("numkeys", "integer"), KEY.multiple(),
          ArgSpec::new("limit", "integer").after("LIMIT").optional()],
        combine::sintercard),
    row("sunion", "Answers the members that any of the sets has", "1.0.0", TOGETHER, -2, Flags::READONLY, READ_ALL,
        SOURCES, combine::sunion),
    row("sunionstore", "Stores the members that any of the sets has", "1.0.0", TOGETHER, -3, WRITE, REPLACE, STORE,
        combine::sunionstore),
    row("sdiff", "Answers the members that the first set has and no other", "1.0.0", TOGETHER, -2, Flags::READONLY,
        READ_ALL, SOURCES, combine::sdiff),
    row("sdiffstore", "Stores the members that the first set has and no other", "1.0.0", TOGETHER, -3, WRITE,
        REPLACE, STORE, combine::sdiffstore),
    row("sscan", "Walks over the members of a set, some at a time", "2.8.0",
        "O(1) for each call, O(N) for a whole walk", -3, Flags::READONLY, READ,
        &[KEY, ArgSpec::new("cursor", "integer"), ArgSpec::new("pattern", "pattern").after("MATCH").optional(),
          ArgSpec::new("count", "integer").after("COUNT").optional()],
        members::sscan),
];
