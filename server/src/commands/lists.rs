//! Lists: the table. What the commands do is in the files below this one; how BLPOP and its kin wait and are woken is
//! in `blocking` and `exec/serve`.
//!
//! A list is one tree of values by position. Nobody calls these handlers but exec, through the table (and, for those who
//! wait, through what they left with `blocking`).

use super::{ArgSpec, Command, Ctx, Find, Flags, Group, Handler, Intent, KeySpec};

mod blocking;
mod edit;
mod ends;
mod moves;
mod mpop;
mod pos;
mod read;

const KEY: ArgSpec = ArgSpec::key("key");
const KEYS: ArgSpec = ArgSpec::key("key").multiple();
const ELEMENT: ArgSpec = ArgSpec::new("element", "string");
const ELEMENTS: ArgSpec = ELEMENT.multiple();
const INDEX: ArgSpec = ArgSpec::new("index", "integer");
const START: ArgSpec = ArgSpec::new("start", "integer");
const STOP: ArgSpec = ArgSpec::new("stop", "integer");
const TIMEOUT: ArgSpec = ArgSpec::new("timeout", "double");
const NUMKEYS: ArgSpec = ArgSpec::new("numkeys", "integer");
const SOURCE: ArgSpec = ArgSpec::key("source");
const DESTINATION: ArgSpec = ArgSpec::key("destination");
const END: &[ArgSpec] = &[
    ArgSpec::word("left", "LEFT"),
    ArgSpec::word("right", "RIGHT"),
];
const FROM: ArgSpec = ArgSpec::one_of("wherefrom", END);
const TO: ArgSpec = ArgSpec::one_of("whereto", END);
const WHERE: ArgSpec = ArgSpec::one_of("where", END);
const COUNT: ArgSpec = ArgSpec::new("count", "integer").after("COUNT").optional();
const POP_ARGS: &[ArgSpec] = &[
    KEY,
    ArgSpec::new("count", "integer").optional().since("6.2.0"),
];

const READ: &[KeySpec] = &[KeySpec::one(1, Intent::Read, &["RO", "access"])];
const INSERT: &[KeySpec] = &[KeySpec::one(1, Intent::Update, &["RW", "insert"])];
const POP: &[KeySpec] = &[KeySpec::one(1, Intent::Update, POPS)];
const DELETE: &[KeySpec] = &[KeySpec::one(1, Intent::Update, &["RW", "delete"])];
const MOVE: &[KeySpec] = &[
    KeySpec::one(1, Intent::Update, POPS),
    KeySpec::one(2, Intent::Update, &["RW", "insert"]),
];
/// All but the last argument.
const POP_ANY: &[KeySpec] = &[KeySpec::up_to(1, -2, 1, Intent::Update, POPS)];
const POPS: &[&str] = &["RW", "access", "delete"];

/// The keys behind the count at `first`.
const fn counted(first: usize) -> KeySpec {
    KeySpec {
        first,
        find: Find::Count,
        intent: Intent::Update,
        flags: POPS,
    }
}

const WRITE_FAST: Flags = Flags::WRITE.or(Flags::FAST);
const PUSH: Flags = WRITE_FAST.or(Flags::DENYOOM);
const GROW: Flags = Flags::WRITE.or(Flags::DENYOOM);
const BLOCK: Flags = Flags::WRITE.or(Flags::NOSCRIPT).or(Flags::BLOCKING);
const MOVABLE: Flags = Flags::WRITE.or(Flags::MOVABLE_KEYS);

const ONE: &str = "O(log(N)), N being the length of the list";
const PER_ELEMENT: &str =
    "O(M*log(N)), M being the number of elements named and N the length of the list";
const PER_KEY: &str = "O(K*log(N)), K being the number of keys and N the length of the list";
const SOUGHT: &str = "O(N), N being the number of elements looked at";

/// A command on lists.
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
        group: Group::List,
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
    row("lpush", "Puts elements before the first of a list", "1.0.0", PER_ELEMENT, -3, PUSH,
        INSERT, &[KEY, ELEMENTS], ends::lpush),
    row("rpush", "Puts elements behind the last of a list", "1.0.0", PER_ELEMENT, -3, PUSH,
        INSERT, &[KEY, ELEMENTS], ends::rpush),
    row("lpushx", "Puts elements before the first of a list that is there", "2.2.0", PER_ELEMENT, -3, PUSH,
        INSERT, &[KEY, ELEMENTS], ends::lpushx),
    row("rpushx", "Puts elements behind the last of a list that is there", "2.2.0", PER_ELEMENT, -3, PUSH,
        INSERT, &[KEY, ELEMENTS], ends::rpushx),
    row("lpop", "Takes the first elements out of a list", "1.0.0", PER_ELEMENT, -2, WRITE_FAST,
        POP, POP_ARGS, ends::lpop),
    row("rpop", "Takes the last elements out of a list", "1.0.0", PER_ELEMENT, -2, WRITE_FAST,
        POP, POP_ARGS, ends::rpop),
    row("llen", "Answers the length of a list", "1.0.0", "O(1)", 2, Flags::READONLY.or(Flags::FAST),
        &[KeySpec::one(1, Intent::Read, &["RO"])], &[KEY], read::llen),
    row("lrange", "Answers the elements between two positions", "1.0.0",
        "O(log(N)+M), N being the length of the list and M the number of elements answered", 4, Flags::READONLY,
        READ, &[KEY, START, STOP], read::lrange),
    row("lindex", "Answers the element at a position", "1.0.0", ONE, 3, Flags::READONLY,
        READ, &[KEY, INDEX], read::lindex),
    row("lpos", "Answers the positions of elements that equal a given one", "6.0.6", SOUGHT, -3, Flags::READONLY,
        READ, &[KEY, ELEMENT, ArgSpec::new("rank", "integer").after("RANK").optional(),
            ArgSpec::new("num-matches", "integer").after("COUNT").optional(),
            ArgSpec::new("len", "integer").after("MAXLEN").optional()],
        pos::lpos),
    row("lset", "Replaces the element at a position", "1.0.0", ONE, 4, GROW,
        &[KeySpec::one(1, Intent::Update, &["RW", "update"])], &[KEY, INDEX, ELEMENT], edit::lset),
    row("linsert", "Puts an element before or after another one", "2.2.0", SOUGHT, 5, GROW, INSERT,
        &[KEY, ArgSpec::one_of("where", &[ArgSpec::word("before", "BEFORE"), ArgSpec::word("after", "AFTER")]),
          ArgSpec::new("pivot", "string"), ELEMENT],
        edit::linsert),
    row("lrem", "Takes out elements that equal a given one", "1.0.0", SOUGHT, 4, Flags::WRITE, DELETE,
        &[KEY, ArgSpec::new("count", "integer"), ELEMENT], edit::lrem),
    row("ltrim", "Takes out what is not between two positions", "1.0.0", ONE, 4, Flags::WRITE,
        DELETE, &[KEY, START, STOP], edit::ltrim),
    row("lmove", "Moves an element from an end of a list to an end of another one", "6.2.0", ONE, 5, GROW,
        MOVE, &[SOURCE, DESTINATION, FROM, TO], moves::lmove),
    row("rpoplpush", "Moves the last element of a list to the front of another one", "1.2.0", ONE, 3, GROW,
        MOVE, &[SOURCE, DESTINATION], moves::rpoplpush),
    row("lmpop", "Takes elements out of the first of several lists that has any", "7.0.0", PER_KEY, -4, MOVABLE,
        &[counted(1)], &[NUMKEYS, KEYS, WHERE, COUNT], mpop::lmpop),
    row("blpop", "Takes the first element out of the first of several lists that has any; waits for one", "2.0.0",
        PER_KEY, -3, BLOCK, POP_ANY, &[KEYS, TIMEOUT], blocking::blpop),
    row("brpop", "Takes the last element out of the first of several lists that has any; waits for one", "2.0.0",
        PER_KEY, -3, BLOCK, POP_ANY, &[KEYS, TIMEOUT], blocking::brpop),
    row("blmove", "Moves an element from an end of a list to an end of another one; waits for one", "6.2.0",
        ONE, 6, BLOCK.or(Flags::DENYOOM), MOVE, &[SOURCE, DESTINATION, FROM, TO, TIMEOUT], blocking::blmove),
    row("brpoplpush", "Moves the last element of a list to the front of another one; waits for one", "2.2.0",
        ONE, 4, BLOCK.or(Flags::DENYOOM), MOVE, &[SOURCE, DESTINATION, TIMEOUT], blocking::brpoplpush),
    row("blmpop", "Takes elements out of the first of several lists that has any; waits for one", "7.0.0", PER_KEY,
        -5, MOVABLE.or(Flags::BLOCKING), &[counted(2)], &[TIMEOUT, NUMKEYS, KEYS, WHERE, COUNT], blocking::blmpop),
];
