//! The commands by which replicas are served, awaited, and take over: the table. The work is in `replication`.

use super::introspection::{container, row};
use super::{ArgSpec, Command, Flags, Group};
use crate::replication::{failover, heat, sync, wait};

const INTERNAL: Flags = Flags::ADMIN.or(Flags::NOSCRIPT);
const SYNC: Flags = INTERNAL.or(Flags::NO_ASYNC_LOADING).or(Flags::NO_MULTI);
const FETCH: Flags = INTERNAL.or(Flags::NO_MULTI);
const WORDS: &str = "Internal command of replication";
const O_BYTES: &str = "O(N), N being the bytes read";

const fn ours(command: Command) -> Command {
    Command {
        group: Group::Basalt,
        ..command
    }
}

const WAIT: Command = row(
    "wait",
    "Waits until replicas have what this connection wrote",
    "3.0.0",
    "O(1)",
    3,
    Flags::NOSCRIPT,
    &[
        ArgSpec::new("numreplicas", "integer"),
        ArgSpec::new("timeout", "integer"),
    ],
    wait::wait,
);

/// The commands.
#[rustfmt::skip] // One command to two or three lines: it is read as a table.
pub const FAMILY: &[Command] = &[
    Command { group: Group::Connection, ..WAIT },
    Command {
        group: Group::Connection,
        ..row("waitaof", "Waits until what this connection wrote is on disk, here and on replicas", "7.2.0", "O(1)", 4,
            Flags::NOSCRIPT, &[
                ArgSpec::new("numlocal", "integer"),
                ArgSpec::new("numreplicas", "integer"),
                ArgSpec::new("timeout", "integer"),
            ], wait::waitaof)
    },
    row("failover", "Hands this node's role over to one of its replicas", "6.2.0", "O(1)", -1,
        INTERNAL.or(Flags::STALE), &[
            ArgSpec::block("target", &[
                ArgSpec::new("host", "string"),
                ArgSpec::new("port", "integer"),
                ArgSpec::word("force", "FORCE").optional(),
            ]).after("TO").optional(),
            ArgSpec::word("abort", "ABORT").optional(),
            ArgSpec::new("milliseconds", "integer").after("TIMEOUT").optional(),
        ], failover::failover),
    row("psync", WORDS, "2.8.0", "O(1)", -3, SYNC,
        &[ArgSpec::new("replicationid", "string"), ArgSpec::new("offset", "integer")], sync::psync),
    row("sync", WORDS, "1.0.0", "O(1)", 1, SYNC, &[], sync::sync),
    row("replconf", WORDS, "3.0.0", "O(1)", -1,
        INTERNAL.or(Flags::LOADING).or(Flags::STALE).or(Flags::ALLOW_BUSY), &[], sync::replconf),
    Command {
        subcommands: &[
            ours(row("basaltsync|done", "Says that a snapshot was fetched", "0.1.0", "O(1)", 3, FETCH,
                &[ArgSpec::new("snapshot", "string")], sync::done)),
            ours(row("basaltsync|hot", "Names the hottest keys with their counters", "0.1.0",
                "O(N), N being the number of keys", 3, FETCH, &[ArgSpec::new("count", "integer")], heat::hot)),
            ours(row("basaltsync|manifest", "Lists the files of a snapshot", "0.1.0", "O(N), N being the number of files",
                3, FETCH, &[ArgSpec::new("snapshot", "string")], sync::manifest)),
            ours(row("basaltsync|read", "Reads a piece of a snapshot's file, with its checksum", "0.1.0", O_BYTES, 6,
                FETCH, &[
                    ArgSpec::new("snapshot", "string"),
                    ArgSpec::new("file", "string"),
                    ArgSpec::new("offset", "integer"),
                    ArgSpec::new("bytes", "integer"),
                ], sync::read)),
        ],
        ..ours(row("basaltsync", "Internal commands of a full sync between two Basalt nodes", "0.1.0",
            "See the subcommands", -2, Flags::NONE, &[], container))
    },
];
