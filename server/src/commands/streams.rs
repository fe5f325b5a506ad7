//! Streams: the table. What the commands do is in the files below this one.
//!
//! | file | role |
//! |---|---|
//! | `id.rs`, `entry.rs`, `stream.rs`, `groups.rs` | a stream's bytes: ids, entries, the stream, its groups |
//! | `trim.rs` | what XADD and XTRIM take out |
//! | `add.rs`, `delete.rs`, `range.rs`, `read.rs`, `info.rs` | the commands |
//! | `group.rs`, `group_read.rs`, `claim.rs`, `pending.rs` | the commands on groups |
//! | `whole.rs` | a stream as a whole: copies in the log, DUMP, RESTORE |
//! | `texts.rs` | errors that only streams have |
//!
//! A stream is two trees: id → entry, and its groups. It stays when its last entry goes. XREAD waits and is woken as
//! BLPOP is (`blocking`, `exec/serve`); it takes nothing, so all who wait are served. Nobody calls these handlers but
//! exec, through the table, and for those who wait through what they left with `blocking`.

use super::help::help;
use super::introspection::container;
use super::{
    ArgSpec, Command, Ctx, Find, Flags, Group, Handler, Intent, KeySpec, data_row, in_group,
};

mod add;
mod claim;
pub mod delete;
pub mod entry;
mod group;
mod group_read;
pub mod groups;
pub mod id;
mod info;
mod pending;
pub mod range;
pub mod read;
pub mod stream;
pub mod texts;
pub mod trim;
pub mod whole;

const KEY: ArgSpec = ArgSpec::key("key");
const KEYS: ArgSpec = ArgSpec::key("key").multiple();
const ID: ArgSpec = ArgSpec::new("id", "string");
const IDS: ArgSpec = ID.multiple();
const START: ArgSpec = ArgSpec::new("start", "string");
const END: ArgSpec = ArgSpec::new("end", "string");
const COUNT: ArgSpec = ArgSpec::new("count", "integer").after("COUNT").optional();
const BLOCK: ArgSpec = ArgSpec::new("milliseconds", "integer")
    .after("BLOCK")
    .optional();
const REFS: ArgSpec = ArgSpec::one_of(
    "condition",
    &[
        ArgSpec::word("keepref", "KEEPREF"),
        ArgSpec::word("delref", "DELREF"),
        ArgSpec::word("acked", "ACKED"),
    ],
)
.optional()
.since("8.2.0");
const TRIM_PARTS: &[ArgSpec] = &[
    ArgSpec::one_of(
        "strategy",
        &[
            ArgSpec::word("maxlen", "MAXLEN"),
            ArgSpec::word("minid", "MINID"),
        ],
    ),
    ArgSpec::one_of(
        "operator",
        &[
            ArgSpec::word("equal", "="),
            ArgSpec::word("approximately", "~"),
        ],
    )
    .optional(),
    ArgSpec::new("threshold", "string"),
    ArgSpec::new("count", "integer").after("LIMIT").optional(),
];
const NUMBERED_IDS: ArgSpec =
    ArgSpec::block("ids", &[ArgSpec::new("numids", "integer"), IDS]).after("IDS");

const GROUP: ArgSpec = ArgSpec::new("group", "string");
const CONSUMER: ArgSpec = ArgSpec::new("consumer", "string");
const MIN_IDLE: ArgSpec = ArgSpec::new("min-idle-time", "string");
const JUSTID: ArgSpec = ArgSpec::word("justid", "JUSTID").optional();
const ENTRIESREAD: ArgSpec = ArgSpec::new("entries-read", "integer")
    .after("ENTRIESREAD")
    .optional()
    .since("7.0.0");
const NEW_OR_ID: ArgSpec = ArgSpec::one_of("id-selector", &[ID, ArgSpec::word("new-id", "$")]);

const READ: &[KeySpec] = &[KeySpec::one(1, Intent::Read, &["RO", "access"])];
const LOOK: &[KeySpec] = &[KeySpec::one(1, Intent::Read, &["RO"])];
const SECOND: &[KeySpec] = &[KeySpec::one(2, Intent::Read, &["RO", "access"])];
const UPDATE: &[KeySpec] = &[KeySpec::one(1, Intent::Update, &["RW", "update"])];
const DELETE: &[KeySpec] = &[KeySpec::one(1, Intent::Update, &["RW", "delete"])];
const STREAMS: &[KeySpec] = &[KeySpec {
    first: 1,
    find: Find::HalfBehind("STREAMS"),
    intent: Intent::Read,
    flags: &["RO", "access"],
}];

const GROUP_STREAMS: &[KeySpec] = &[KeySpec {
    first: 4,
    find: Find::HalfBehind("STREAMS"),
    intent: Intent::Update,
    flags: &["RO", "access"],
}];
const GROUP_INSERT: &[KeySpec] = &[KeySpec::one(2, Intent::Update, &["RW", "insert"])];
const GROUP_UPDATE: &[KeySpec] = &[KeySpec::one(2, Intent::Update, &["RW", "update"])];
const GROUP_DELETE: &[KeySpec] = &[KeySpec::one(2, Intent::Update, &["RW", "delete"])];

const WRITE_FAST: Flags = Flags::WRITE.or(Flags::FAST);
const GROW: Flags = WRITE_FAST.or(Flags::DENYOOM);
const READ_FAST: Flags = Flags::READONLY.or(Flags::FAST);
const READY: Flags = Flags::LOADING.or(Flags::STALE);
const PER_ID: &str = "O(N*log(M)), N being the number of ids named and M the length of the stream";
const RANGE: &str =
    "O(log(N)+M), N being the length of the stream and M the number of entries answered";

/// In steps of how many entries `~` trims.
fn node_entries(ctx: &Ctx<'_, '_>) -> u64 {
    const DEFAULT: u64 = 100;
    match ctx.server.config.peek().stream_node_max_entries {
        0 => DEFAULT,
        entries => entries,
    }
}

/// The commands.
#[rustfmt::skip] // One command to two or three lines: it is read as a table.
pub const FAMILY: &[Command] = &in_group(Group::Stream, [
    data_row("xadd", "Adds an entry to a stream, and may trim it", "5.0.0",
        "O(log(N)), N being the length of the stream", -5, GROW, UPDATE,
        &[KEY, ArgSpec::word("nomkstream", "NOMKSTREAM").optional().since("6.2.0"), REFS,
          ArgSpec::block("trim", TRIM_PARTS).optional(),
          ArgSpec::one_of("id-selector", &[ArgSpec::word("auto-id", "*"), ID]),
          ArgSpec::block("data", &[ArgSpec::new("field", "string"), ArgSpec::new("value", "string")]).multiple()],
        add::xadd),
    data_row("xlen", "Answers the number of entries", "5.0.0", "O(1)", 2, READ_FAST, LOOK, &[KEY], range::xlen),
    data_row("xrange", "Answers the entries between two ids", "5.0.0", RANGE, -4, Flags::READONLY,
        READ, &[KEY, START, END, COUNT], range::xrange),
    data_row("xrevrange", "Answers the entries between two ids, the last one first", "5.0.0", RANGE, -4, Flags::READONLY,
        READ, &[KEY, END, START, COUNT], range::xrevrange),
    data_row("xdel", "Deletes entries", "5.0.0", PER_ID, -3, WRITE_FAST, DELETE, &[KEY, IDS], delete::xdel),
    data_row("xdelex", "Deletes entries, with or without what is pending of them", "8.2.0", PER_ID, -5, WRITE_FAST,
        DELETE, &[KEY, REFS, NUMBERED_IDS], delete::xdelex),
    data_row("xtrim", "Deletes the oldest entries", "5.0.0",
        "O(log(N)), N being the length of the stream; with ACKED O(N)", -4, Flags::WRITE,
        DELETE, &[KEY, ArgSpec::block("trim", TRIM_PARTS), REFS], add::xtrim),
    data_row("xsetid", "Sets the last id of a stream", "5.0.0", "O(1)", -3, GROW, UPDATE,
        &[KEY, ArgSpec::new("last-id", "string"),
          ArgSpec::new("entries-added", "integer").after("ENTRIESADDED").optional().since("7.0.0"),
          ArgSpec::new("max-deleted-id", "string").after("MAXDELETEDID").optional().since("7.0.0")],
        add::xsetid),
    data_row("xread", "Answers the entries behind ids, of several streams; may wait for them", "5.0.0", RANGE, -4,
        Flags::READONLY.or(Flags::BLOCKING).or(Flags::MOVABLE_KEYS), STREAMS,
        &[COUNT, BLOCK, ArgSpec::block("streams", &[KEYS, IDS]).after("STREAMS")], read::xread),
    Command {
        subcommands: &in_group(Group::Stream, [
            Command {
                handler: Handler::Session(help),
                ..data_row("xinfo|help", "Lists the subcommands", "5.0.0", "O(1)", 2, READY, &[], &[], info::stream)
            },
            data_row("xinfo|stream", "Describes a stream", "5.0.0", "O(log(N)), N being the length of the stream", -3,
                Flags::READONLY, SECOND,
                &[KEY, ArgSpec::block("full-block", &[ArgSpec::word("full", "FULL"), COUNT]).optional()
                    .since("6.0.0")],
                info::stream),
            data_row("xinfo|groups", "Describes the groups of a stream", "5.0.0",
                "O(G*log(N)), G being the number of groups", 3, Flags::READONLY, SECOND, &[KEY], info::groups),
            data_row("xinfo|consumers", "Describes the consumers of a group", "5.0.0",
                "O(C*log(N)), C being the number of consumers", 4, Flags::READONLY, SECOND, &[KEY, GROUP],
                info::consumers),
        ]),
        handler: Handler::Session(container),
        ..data_row("xinfo", "Describes streams", "5.0.0", "See the subcommands", -2, Flags::NONE, &[], &[], info::stream)
    },
    Command {
        subcommands: &in_group(Group::Stream, [
            Command {
                handler: Handler::Session(help),
                ..data_row("xgroup|help", "Lists the subcommands", "5.0.0", "O(1)", 2, READY, &[], &[], group::create)
            },
            data_row("xgroup|create", "Makes a group", "5.0.0", "O(log(N))", -5, Flags::WRITE.or(Flags::DENYOOM),
                GROUP_INSERT,
                &[KEY, GROUP, NEW_OR_ID, ArgSpec::word("mkstream", "MKSTREAM").optional(), ENTRIESREAD],
                group::create),
            data_row("xgroup|setid", "Sets up to where a group has come", "5.0.0", "O(log(N))", -5, Flags::WRITE,
                GROUP_UPDATE, &[KEY, GROUP, NEW_OR_ID, ENTRIESREAD], group::setid),
            data_row("xgroup|destroy", "Removes a group", "5.0.0",
                "O(N), N being the number of its pending entries", 4, Flags::WRITE, GROUP_DELETE, &[KEY, GROUP],
                group::destroy),
            data_row("xgroup|createconsumer", "Makes a consumer of a group", "6.2.0", "O(log(N))", 5,
                Flags::WRITE.or(Flags::DENYOOM), GROUP_INSERT, &[KEY, GROUP, CONSUMER], group::createconsumer),
            data_row("xgroup|delconsumer", "Removes a consumer of a group", "5.0.0",
                "O(N*log(N)), N being the number of its pending entries", 5, Flags::WRITE, GROUP_DELETE,
                &[KEY, GROUP, CONSUMER], group::delconsumer),
        ]),
        handler: Handler::Session(container),
        ..data_row("xgroup", "Manages consumer groups", "5.0.0", "See the subcommands", -2, Flags::NONE, &[], &[],
            group::create)
    },
    data_row("xreadgroup", "Answers the entries that a group has not had, and makes them a consumer's; may wait for them",
        "5.0.0", RANGE, -7, Flags::WRITE.or(Flags::BLOCKING).or(Flags::MOVABLE_KEYS), GROUP_STREAMS,
        &[ArgSpec::block("group-block", &[GROUP, CONSUMER]).after("GROUP"), COUNT, BLOCK,
          ArgSpec::word("noack", "NOACK").optional(), ArgSpec::block("streams", &[KEYS, IDS]).after("STREAMS")],
        group_read::xreadgroup),
    data_row("xack", "Acknowledges entries, which are then pending no more", "5.0.0", PER_ID, -4, WRITE_FAST, UPDATE,
        &[KEY, GROUP, IDS], pending::xack),
    data_row("xackdel", "Acknowledges entries and deletes them", "8.2.0", PER_ID, -6, WRITE_FAST, DELETE,
        &[KEY, GROUP, REFS, NUMBERED_IDS], pending::xackdel),
    data_row("xpending", "Answers what is pending of a group, in short or entry by entry", "5.0.0",
        "O(log(N)+M), M being the number of entries looked at", -3, Flags::READONLY, READ,
        &[KEY, GROUP,
          ArgSpec::block("filters", &[
              ArgSpec::new("min-idle-time", "integer").after("IDLE").optional().since("6.2.0"), START, END,
              ArgSpec::new("count", "integer"), CONSUMER.optional(),
          ]).optional()],
        pending::xpending),
    data_row("xclaim", "Makes pending entries those of a consumer", "5.0.0", PER_ID, -6, WRITE_FAST, UPDATE,
        &[KEY, GROUP, CONSUMER, MIN_IDLE, IDS, ArgSpec::new("ms", "integer").after("IDLE").optional(),
          ArgSpec::new("unix-time-milliseconds", "unix-time").after("TIME").optional(),
          ArgSpec::new("count", "integer").after("RETRYCOUNT").optional(),
          ArgSpec::word("force", "FORCE").optional(), JUSTID,
          ArgSpec::new("lastid", "string").after("LASTID").optional()],
        claim::xclaim),
    data_row("xautoclaim", "Makes those pending entries a consumer's that have been idle", "6.2.0",
        "O(log(N)+M), M being ten times the number of entries wanted", -6, WRITE_FAST, DELETE,
        &[KEY, GROUP, CONSUMER, MIN_IDLE, START, COUNT, JUSTID], claim::xautoclaim),
]);
