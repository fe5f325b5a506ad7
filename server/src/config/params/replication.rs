//! Replication.

use super::*;

const NO_MEANING: &str = "Kept; it has no meaning here.";

pub(super) const PARAMS: &[Param] = &[
    fixed(
        "replicaof",
        Kind::Words(checks::master),
        "",
        "Host and port of the master to follow. REPLICAOF changes it while the server runs.",
    )
    .or(&["slaveof"]),
    live(
        "masterauth",
        ANY_TEXT,
        "",
        Topic::Replication,
        "The password for the master.",
    )
    .secret(),
    live(
        "masteruser",
        ANY_TEXT,
        "",
        Topic::Replication,
        "The user to be at the master; without one, the default user.",
    )
    .secret(),
    live(
        "replica-priority",
        COUNT,
        "100",
        Topic::Replication,
        "Sentinel promotes the replica with the lowest priority, and never one with 0.",
    )
    .or(&["slave-priority"]),
    live(
        "replica-read-only",
        Kind::Bool,
        "yes",
        Topic::Replication,
        "A replica refuses clients' writes. With `no` it takes them; they are in no log, so a restart or a full \
         sync may undo them.",
    )
    .or(&["slave-read-only"]),
    live(
        "replica-serve-stale-data",
        Kind::Bool,
        "yes",
        Topic::Replication,
        "A replica answers although the link to its master is down.",
    )
    .or(&["slave-serve-stale-data"]),
    live(
        "replica-announce-ip",
        ANY_TEXT,
        "",
        Topic::Replication,
        "The address at which a replica says it can be reached.",
    )
    .or(&["slave-announce-ip"]),
    live(
        "replica-announce-port",
        PORT,
        "0",
        Topic::Replication,
        "The port at which a replica says it can be reached; 0: the one it listens on.",
    )
    .or(&["slave-announce-port"]),
    live(
        "replica-announced",
        Kind::Bool,
        "yes",
        Topic::Replication,
        "Sentinel shows this replica to clients.",
    ),
    kept(
        "replica-ignore-maxmemory",
        Kind::Bool,
        "yes",
        "A replica never evicts by itself. Its budget holds: it spills, or falls behind.",
    )
    .or(&["slave-ignore-maxmemory"]),
    kept(
        "replica-ignore-disk-write-errors",
        Kind::Bool,
        "no",
        "A replica whose log is full waits for room, and one whose log has failed stops following.",
    ),
    kept(
        "replica-lazy-flush",
        Kind::Bool,
        "no",
        "Databases are always emptied behind the scenes.",
    )
    .or(&["slave-lazy-flush"]),
    kept(
        "replica-full-sync-buffer-limit",
        ANY_BYTES,
        "0",
        "The stream waits on the master's disk during a full sync, not in the replica's memory.",
    ),
    live(
        "replica-warm",
        Kind::Bool,
        "yes",
        Topic::Replication,
        "A replica asks its master twice a minute which keys are hot and reads them into memory, at the pace of \
         `warmup-rate`, so that it is not cold when it is promoted.",
    ),
    live(
        "min-replicas-to-write",
        COUNT,
        "0",
        Topic::Replication,
        "Writes are refused (`NOREPLICAS`) while fewer replicas than this follow closely; 0 asks for none.",
    )
    .or(&["min-slaves-to-write"]),
    live(
        "min-replicas-max-lag",
        COUNT,
        "10",
        Topic::Replication,
        "A replica follows closely if it was heard of within this many seconds; 0 switches `min-replicas-to-write` off.",
    )
    .or(&["min-slaves-max-lag"]),
    live(
        "repl-ping-replica-period",
        int(1, I32_MAX),
        "10",
        Topic::Replication,
        "Seconds between two signs of life (PING) in the stream, while there are replicas.",
    )
    .or(&["repl-ping-slave-period"]),
    live(
        "repl-timeout",
        int(1, I32_MAX),
        "60",
        Topic::Replication,
        "Seconds of silence after which a replica, or a master, counts as gone. A replica that is merely slow is not cut. \
         A snapshot stays this long for a replica whose connection was lost.",
    ),
    live(
        "repl-backlog-size",
        at_least_bytes(1),
        "1mb",
        Topic::Replication,
        "Shown by INFO if it is larger than what the log holds. The backlog is the binlog on disk, as far back as \
         `binlog-retention-bytes` and `binlog-retention-hours` reach.",
    ),
    kept(
        "repl-backlog-ttl",
        LONG_COUNT,
        "3600",
        "The binlog is the backlog; see `binlog-retention-hours`.",
    ),
    live(
        "repl-disable-tcp-nodelay",
        Kind::Bool,
        "no",
        Topic::Replication,
        "Collects small pieces of the stream into fewer packets, for which replicas wait a little. Holds for replicas that \
         connect from then on.",
    ),
    live(
        "repl-sync-rate-bytes",
        ANY_BYTES,
        "0",
        Topic::Replication,
        "Bytes per second of snapshots that are sent to all replicas together in full syncs; 0: no limit.",
    ),
    kept(
        "repl-diskless-load",
        Kind::Choice(&["disabled", "on-empty-db", "swapdb"]),
        "disabled",
        NO_MEANING,
    ),
    kept("repl-diskless-sync", Kind::Bool, "yes", NO_MEANING),
    kept("repl-diskless-sync-delay", COUNT, "5", NO_MEANING),
    kept("repl-diskless-sync-max-replicas", COUNT, "0", NO_MEANING),
    kept("repl-rdb-channel", Kind::Bool, "no", NO_MEANING),
    kept(
        "propagation-error-behavior",
        Kind::Choice(&["ignore", "panic", "panic-on-replicas"]),
        "ignore",
        NO_MEANING,
    ),
];
