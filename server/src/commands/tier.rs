//! TIER and BINLOG, which only Basalt has: the table. The work is in the files below this one.
//!
//! None may be part of a transaction: they wait for roles that may themselves wait for the gate.

use super::help::help;
use super::introspection::{container, row};
use super::{ArgSpec, Command, Flags, Group, Intent, KeySpec};

mod binlog;
mod survey;
mod tiers;

const ADMIN: Flags = Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::NO_MULTI);
const ANY: Flags = Flags::LOADING.or(Flags::STALE);
const READ: Flags = Flags::NOSCRIPT.or(Flags::NO_MULTI);
const KEYS: &[ArgSpec] = &[ArgSpec::key("key").multiple()];
const ALL_KEYS: &[KeySpec] = &[KeySpec::rest(2, Intent::Exists, &["RO"])];
const COUNT: ArgSpec = ArgSpec::new("count", "integer").after("COUNT").optional();
const SAMPLE: ArgSpec = ArgSpec::new("keys", "integer").after("SAMPLE").optional();
const CONTAINER: &str = "See the subcommands";

const fn ours(command: Command) -> Command {
    Command {
        group: Group::Basalt,
        ..command
    }
}

/// The commands.
#[rustfmt::skip] // One command to two or three lines: it is read as a table.
pub const FAMILY: &[Command] = &[
    Command {
        subcommands: &[
            ours(row("tier|bigkeys", "Tells the largest keys of a sample of both tiers", "0.1.0",
                "O(N), N being the number of keys sampled", -2, READ.or(Flags::READONLY),
                &[COUNT, SAMPLE, ArgSpec::new("type", "string").after("TYPE").optional()], survey::bigkeys)),
            ours(row("tier|compact", "Rewrites the cold tier without what was deleted; waits for it", "0.1.0",
                "O(N), N being the bytes of the cold tier", 2, ADMIN, &[], tiers::compact)),
            ours(row("tier|hotkeys", "Tells the most used keys of a sample of those in memory", "0.1.0",
                "O(N), N being the number of keys sampled", -2, READ.or(Flags::READONLY),
                &[COUNT, SAMPLE, ArgSpec::new("type", "string").after("TYPE").optional()], survey::hotkeys)),
            ours(row("tier|help", "Lists the subcommands", "0.1.0", "O(1)", 2, ANY, &[], help)),
            Command {
                keys: &[KeySpec::one(2, Intent::Exists, &["RO"])],
                ..ours(row("tier|object", "Tells in which tier a key is and in what state", "0.1.0", "O(1)", 3,
                    READ.or(Flags::READONLY), &[ArgSpec::key("key")], tiers::object))
            },
            Command {
                keys: ALL_KEYS,
                ..ours(row("tier|spill", "Moves keys, or all of them, to the cold tier; answers how many were in memory",
                    "0.1.0", "O(N), N being the number of keys", -3, ADMIN,
                    &[ArgSpec::one_of("what", &[ArgSpec::key("key").multiple(), ArgSpec::word("all", "ALL")])],
                    tiers::spill))
            },
            ours(row("tier|stats", "Reports figures of both tiers", "0.1.0", "O(S), S being the number of slots", 2, READ,
                &[], tiers::stats)),
            Command {
                keys: ALL_KEYS,
                ..ours(row("tier|warm", "Reads keys into memory; answers how many are there", "0.1.0",
                    "O(N), N being the number of keys", -3, ADMIN, KEYS, tiers::warm))
            },
        ],
        ..ours(row("tier", "Looks at the tiers and moves keys between them", "0.1.0", CONTAINER, -2, Flags::NONE, &[],
            container))
    },
    Command {
        subcommands: &[
            ours(row("binlog|help", "Lists the subcommands", "0.1.0", "O(1)", 2, ANY, &[], help)),
            ours(row("binlog|info", "Reports figures of the binlog", "0.1.0", "O(S), S being the number of segments", 2,
                READ.or(Flags::LOADING), &[], binlog::info)),
            ours(row("binlog|purge", "Removes segments that nobody needs, up to an offset; answers how many went", "0.1.0",
                "O(S), S being the number of segments", -2, ADMIN, &[ArgSpec::new("offset", "integer").optional()],
                binlog::purge)),
            ours(row("binlog|rotate", "Begins a new segment", "0.1.0", "O(1)", 2, ADMIN, &[], binlog::rotate)),
        ],
        ..ours(row("binlog", "Looks at the log and looks after it", "0.1.0", CONTAINER, -2, Flags::NONE, &[], container))
    },
];
