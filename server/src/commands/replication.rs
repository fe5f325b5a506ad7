//! REPLICAOF and SLAVEOF: the table. What they do is in `replication/replica/commands.rs`.

use super::introspection::row;
use super::{ArgSpec, Command, Flags};
use crate::replication::replica::commands::replicaof;

const REPLICAOF: Flags = Flags::ADMIN
    .or(Flags::NOSCRIPT)
    .or(Flags::STALE)
    .or(Flags::NO_ASYNC_LOADING);
const MASTER: &[ArgSpec] = &[ArgSpec::one_of(
    "args",
    &[
        ArgSpec::block(
            "host-port",
            &[
                ArgSpec::new("host", "string"),
                ArgSpec::new("port", "integer"),
            ],
        ),
        ArgSpec::block(
            "no-one",
            &[ArgSpec::word("no", "NO"), ArgSpec::word("one", "ONE")],
        ),
    ],
)];

/// The commands.
#[rustfmt::skip] // One command to two lines: it is read as a table.
pub const FAMILY: &[Command] = &[
    row("replicaof", "Follows a master, or leads from here on", "5.0.0", "O(1)", 3, REPLICAOF, MASTER, replicaof),
    row("slaveof", "The older name of REPLICAOF", "1.0.0", "O(1)", 3, REPLICAOF, MASTER, replicaof),
];
