//! Commands over the whole keyspace: the table. See `keyspace/scan.rs` for what reads it and
//! `keyspace/flush.rs` for what changes the map of databases.
//!
//! SCAN and its kind may wait for the disk, so they run on a thread of their own unless everything is in
//! memory; FLUSHALL and its kind run under the exclusive gate.

use std::sync::Arc;

use basalt_resp::{Args, Encoder};
use basalt_tiering::UnixMs;

use super::{ArgSpec, Command, Flags, Group, Handler, Outcome};
use crate::effects::Effects;
use crate::server::Server;

mod flush;
mod scan;

pub use scan::{DEFAULT_COUNT, for_each_key};

/// What a handler on the whole keyspace sees.
pub struct KeyspaceCtx<'a> {
    /// The server.
    pub server: &'a Arc<Server>,
    /// The arguments, the command's name first.
    pub args: &'a Args<'a>,
    /// Where the reply goes.
    pub out: Encoder<'a>,
    /// The selected database.
    pub db: u32,
    /// The command's reading of the clock.
    pub now: UnixMs,
    /// Effects to be logged; only an `Exclusive` handler may have any.
    pub effects: &'a mut Effects,
}

const FLUSH_MODE: ArgSpec = ArgSpec::one_of(
    "flush-type",
    &[
        ArgSpec::word("async", "ASYNC").since("4.0.0"),
        ArgSpec::word("sync", "SYNC").since("6.2.0"),
    ],
)
.optional();

const fn row(
    name: &'static str,
    summary: &'static str,
    since: &'static str,
    group: Group,
    complexity: &'static str,
    arity: i32,
    flags: Flags,
) -> Command {
    fn unset(_: &mut KeyspaceCtx<'_>) -> Outcome {
        unreachable!("every row names its handler")
    }
    Command {
        name,
        summary,
        since,
        group,
        complexity,
        arity,
        flags,
        keys: &[],
        args: &[],
        subcommands: &[],
        handler: Handler::Keyspace(unset),
    }
}

/// The commands.
#[rustfmt::skip] // One command to three lines: it is read as a table.
pub const FAMILY: &[Command] = &[
    Command {
        args: &[ArgSpec::new("pattern", "pattern")], handler: Handler::Keyspace(scan::keys),
        ..row("keys", "Lists the keys that match a pattern", "1.0.0", Group::Generic,
              "O(N), N being the number of keys in the database", 2, Flags::READONLY)
    },
    Command {
        args: &[ArgSpec::new("cursor", "integer"),
                ArgSpec::new("pattern", "pattern").after("MATCH").optional(),
                ArgSpec::new("count", "integer").after("COUNT").optional(),
                ArgSpec::new("type", "string").after("TYPE").optional().since("6.0.0")],
        handler: Handler::Keyspace(scan::scan),
        ..row("scan", "Walks over the keys of the database, a few at a call", "2.8.0", Group::Generic,
              "O(1) a call, O(N) for a walk over N keys", -2, Flags::READONLY)
    },
    Command {
        handler: Handler::Keyspace(scan::randomkey),
        ..row("randomkey", "Answers a key chosen at random", "1.0.0", Group::Generic, "O(1)", 1, Flags::READONLY)
    },
    Command {
        handler: Handler::Keyspace(scan::dbsize),
        ..row("dbsize", "Answers the number of keys in the database", "1.0.0", Group::Server, "O(1)", 1,
              Flags::READONLY.or(Flags::FAST))
    },
    Command {
        args: &[FLUSH_MODE], handler: Handler::Exclusive(flush::flushdb),
        ..row("flushdb", "Deletes all keys of the database", "1.0.0", Group::Server,
              "O(1); the keys go behind the scenes", -1, Flags::WRITE)
    },
    Command {
        args: &[FLUSH_MODE], handler: Handler::Exclusive(flush::flushall),
        ..row("flushall", "Deletes all keys of all databases", "1.0.0", Group::Server,
              "O(D), D being the number of databases; the keys go behind the scenes", -1, Flags::WRITE)
    },
    Command {
        args: &[ArgSpec::new("index1", "integer"), ArgSpec::new("index2", "integer")],
        handler: Handler::Exclusive(flush::swapdb),
        ..row("swapdb", "Exchanges the keys of two databases", "4.0.0", Group::Server,
              "O(N), N being the number of watched keys", 3, Flags::WRITE.or(Flags::FAST))
    },
];
