//! Commands that run the server: the table. The work is in the files below this one.
//!
//! What waits for the disk is done on a thread of its own (`Next::Work`).

use super::help::help;
use super::introspection::{container, row};
use super::{ArgSpec, Command, Flags};

mod apply;
mod config;
mod debug;
mod digest;
mod save;

pub use apply::retention;

const READY: Flags = Flags::LOADING.or(Flags::STALE);
const ADMIN: Flags = Flags::ADMIN.or(Flags::NOSCRIPT);
const CONFIG: Flags = ADMIN.or(READY);
const SAVE: Flags = ADMIN.or(Flags::NO_ASYNC_LOADING);
const CONTAINER: &str = "See the subcommands";

const PARAMETER: ArgSpec = ArgSpec::new("parameter", "string");

/// The commands.
#[rustfmt::skip] // One command to two or three lines: it is read as a table.
pub const FAMILY: &[Command] = &[
    Command {
        subcommands: &[
            row("config|get", "Answers parameters and their values", "2.0.0", "O(N), N being the number of patterns", -3,
                CONFIG, &[ArgSpec::block("parameter", &[PARAMETER]).multiple()], config::get),
            row("config|help", "Lists the subcommands", "5.0.0", "O(1)", 2, READY, &[], help),
            row("config|resetstat", "Sets the counters of INFO back to zero", "2.0.0", "O(1)", 2, CONFIG, &[],
                config::resetstat),
            row("config|rewrite", "Writes the parameters into the configuration file", "2.8.0", "O(1)", 2, CONFIG, &[],
                config::rewrite),
            row("config|set", "Sets parameters, all or none", "2.0.0", "O(N), N being the number of parameters", -4,
                CONFIG, &[ArgSpec::block("parameter_value", &[PARAMETER, ArgSpec::new("value", "string")]).multiple()],
                config::set),
        ],
        ..row("config", "Reads and changes the configuration", "2.0.0", CONTAINER, -2, Flags::NONE, &[], container)
    },
    row("save", "Makes a checkpoint and waits for it", "1.0.0", "O(N), N being the number of keys not yet saved", 1,
        SAVE.or(Flags::NO_MULTI), &[], save::save),
    row("bgsave", "Makes a checkpoint behind the scenes", "1.0.0", "O(1)", -1, SAVE,
        &[ArgSpec::word("schedule", "SCHEDULE").since("3.2.2").optional()], save::bgsave),
    row("bgrewriteaof", "Begins a new segment of the binlog; there is nothing to rewrite", "1.0.0", "O(1)", 1, SAVE, &[],
        save::bgrewriteaof),
    row("shutdown", "Ends the server, after a checkpoint unless told otherwise", "1.0.0",
        "O(N), N being the number of keys not yet saved", -1, CONFIG.or(Flags::NO_MULTI).or(Flags::ALLOW_BUSY),
        &[ArgSpec::one_of("save-selector", &[ArgSpec::word("nosave", "NOSAVE"), ArgSpec::word("save", "SAVE")]).optional(),
          ArgSpec::word("now", "NOW").since("7.0.0").optional(),
          ArgSpec::word("force", "FORCE").since("7.0.0").optional(),
          ArgSpec::word("abort", "ABORT").since("7.0.0").optional()],
        save::shutdown),
    row("debug", "Serves tests: see DEBUG HELP", "1.0.0", "Depends on the subcommand", -2, CONFIG, &[], debug::debug),
];
