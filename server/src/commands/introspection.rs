//! What the server tells about itself: the table. The work is in the files below this one, INFO's in `info`.
//!
//! What may wait for the disk or takes long (INFO reads figures of every slot) is done on a thread of its own.

use super::help::help;
use super::{ArgSpec, Command, Flags, Group, Handler, Intent, KeySpec};
use crate::session::{Next, SessionCtx};

mod clock;
mod command;
mod info;
mod latency;
mod memory;
mod slowlog;

const READY: Flags = Flags::LOADING.or(Flags::STALE);
const ADMIN: Flags = Flags::ADMIN.or(READY);
const WATCHFUL: Flags = ADMIN.or(Flags::NOSCRIPT);
const CONTAINER: &str = "See the subcommands";
const NAMES: &[ArgSpec] = &[ArgSpec {
    flags: &["optional", "multiple"],
    ..ArgSpec::new("command-name", "string")
}];

type SessionHandler = fn(&mut SessionCtx<'_>) -> Next;

/// A command about the server, without keys.
#[allow(clippy::too_many_arguments, reason = "the columns of the table")]
pub(super) const fn row(
    name: &'static str,
    summary: &'static str,
    since: &'static str,
    complexity: &'static str,
    arity: i32,
    flags: Flags,
    args: &'static [ArgSpec],
    handler: SessionHandler,
) -> Command {
    Command {
        name,
        summary,
        since,
        group: Group::Server,
        complexity,
        arity,
        flags,
        keys: &[],
        args,
        subcommands: &[],
        handler: Handler::Session(handler),
    }
}

/// A container alone: its arity refuses it before this.
pub(super) fn container(ctx: &mut SessionCtx<'_>) -> Next {
    crate::errors::wrong_arity(ctx.command.name).into()
}

/// The commands.
#[rustfmt::skip] // One command to two or three lines: it is read as a table.
pub const FAMILY: &[Command] = &[
    Command {
        subcommands: &[
            row("command|count", "Answers the number of commands", "2.8.13", "O(1)", 2, READY, &[], command::count),
            row("command|docs", "Documents commands", "7.0.0", "O(N), N being the number of commands", -2, READY,
                NAMES, command::docs),
            row("command|getkeys", "Names the keys of a command", "2.8.13", "O(N), N being the number of arguments",
                -3, READY, &[], command::getkeys),
            row("command|getkeysandflags", "Names the keys of a command and what it does with them", "7.0.0",
                "O(N), N being the number of arguments", -3, READY, &[], command::getkeysandflags),
            row("command|help", "Lists the subcommands", "5.0.0", "O(1)", 2, READY, &[], help),
            row("command|info", "Describes commands", "2.8.13", "O(N), N being the number of commands", -2, READY,
                NAMES, command::info),
            row("command|list", "Names the commands", "7.0.0", "O(N), N being the number of commands", -2, READY,
                &[ArgSpec::one_of("filterby", &[
                    ArgSpec::new("module-name", "string").after("MODULE"),
                    ArgSpec::new("category", "string").after("ACLCAT"),
                    ArgSpec::new("pattern", "pattern").after("PATTERN"),
                ]).after("FILTERBY").optional()], command::list),
        ],
        ..row("command", "Describes all commands", "2.8.13", "O(N), N being the number of commands", -1, READY, &[],
              command::bare)
    },
    row("info", "Reports the state of the server", "1.0.0", "O(S), S being the number of slots", -1, READY,
        &[ArgSpec { flags: &["optional", "multiple"], ..ArgSpec::new("section", "string") }], info::info),
    Command {
        subcommands: &[
            row("slowlog|get", "Lists slow commands, the newest first", "2.2.12", "O(N), N being the count", -2, ADMIN,
                &[ArgSpec::new("count", "integer").optional()], slowlog::get),
            row("slowlog|help", "Lists the subcommands", "6.2.0", "O(1)", 2, READY, &[], help),
            row("slowlog|len", "Answers how many slow commands are kept", "2.2.12", "O(1)", 2, ADMIN, &[], slowlog::len),
            row("slowlog|reset", "Forgets the slow commands", "2.2.12", "O(N), N being their number", 2, ADMIN, &[],
                slowlog::reset),
        ],
        ..row("slowlog", "Keeps commands that took long", "2.2.12", CONTAINER, -2, Flags::NONE, &[], container)
    },
    Command {
        subcommands: &[
            row("memory|doctor", "Judges the use of memory", "4.0.0", "O(1)", 2, Flags::NONE, &[], memory::doctor),
            row("memory|help", "Lists the subcommands", "4.0.0", "O(1)", 2, READY, &[], help),
            row("memory|malloc-stats", "Reports the allocator's own figures", "4.0.0", "O(1)", 2, Flags::NONE, &[],
                memory::malloc_stats),
            row("memory|purge", "Gives unused memory back to the system", "4.0.0", "Depends on the allocator", 2,
                Flags::NONE, &[], memory::purge),
            row("memory|stats", "Reports the use of memory", "4.0.0", "O(S), S being the number of slots", 2,
                Flags::NONE, &[], memory::stats),
            Command {
                keys: &[KeySpec::one(2, Intent::Exists, &["RO"])],
                ..row("memory|usage", "Answers the bytes that a key takes, in memory or on disk", "4.0.0", "O(1)", -3,
                      Flags::READONLY,
                      &[ArgSpec::key("key"), ArgSpec::new("count", "integer").after("SAMPLES").optional()],
                      memory::usage)
            },
        ],
        ..row("memory", "Reports on memory", "4.0.0", CONTAINER, -2, Flags::NONE, &[], container)
    },
    Command {
        subcommands: &[
            row("latency|doctor", "Judges the latencies", "2.8.13", "O(1)", 2, WATCHFUL, &[], latency::doctor),
            row("latency|help", "Lists the subcommands", "2.8.13", "O(1)", 2, READY, &[], help),
            row("latency|histogram", "Shows how long commands took", "7.0.0", "O(N), N being the number of commands", -2,
                WATCHFUL, &[ArgSpec { flags: &["optional", "multiple"], ..ArgSpec::new("command", "string") }],
                latency::histogram),
            row("latency|history", "Lists the latest spikes of an event", "2.8.13", "O(1)", 3, WATCHFUL,
                &[ArgSpec::new("event", "string")], latency::history),
            row("latency|latest", "Lists the latest spike of every event", "2.8.13", "O(1)", 2, WATCHFUL, &[],
                latency::latest),
            row("latency|reset", "Forgets spikes", "2.8.13", "O(1)", -2, WATCHFUL,
                &[ArgSpec { flags: &["optional", "multiple"], ..ArgSpec::new("event", "string") }], latency::reset),
        ],
        ..row("latency", "Watches latency", "2.8.13", CONTAINER, -2, Flags::NONE, &[], container)
    },
    row("time", "Answers the server's time", "2.6.0", "O(1)", 1, READY.or(Flags::FAST), &[], clock::time),
    row("lastsave", "Answers when the last checkpoint was completed, in Unix seconds", "1.0.0", "O(1)", 1,
        READY.or(Flags::FAST), &[], clock::lastsave),
    row("role", "Answers the server's part in replication", "2.8.12", "O(1)", 1,
        READY.or(Flags::NOSCRIPT).or(Flags::FAST), &[], clock::role),
];
