//! Replication.

use super::*;

const NOT_YET: &str = "Kept; replication is not there yet.";

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
    kept("replica-announced", Kind::Bool, "yes", NOT_YET),
    kept("replica-ignore-maxmemory", Kind::Bool, "yes", NOT_YET).or(&["slave-ignore-maxmemory"]),
    kept(
        "replica-ignore-disk-write-errors",
        Kind::Bool,
        "no",
        NOT_YET,
    ),
    kept("replica-lazy-flush", Kind::Bool, "no", NOT_YET).or(&["slave-lazy-flush"]),
    kept("replica-full-sync-buffer-limit", ANY_BYTES, "0", NOT_YET),
    kept("min-replicas-to-write", COUNT, "0", NOT_YET).or(&["min-slaves-to-write"]),
    kept("min-replicas-max-lag", COUNT, "10", NOT_YET).or(&["min-slaves-max-lag"]),
    kept("repl-ping-replica-period", int(1, I32_MAX), "10", NOT_YET)
        .or(&["repl-ping-slave-period"]),
    live(
        "repl-timeout",
        int(1, I32_MAX),
        "60",
        Topic::Replication,
        "Seconds of silence after which a replica gives its link up, and a master a replica.",
    ),
    kept(
        "repl-backlog-size",
        at_least_bytes(1),
        "1mb",
        "The binlog is the backlog; see `binlog-retention-bytes`.",
    ),
    kept(
        "repl-backlog-ttl",
        LONG_COUNT,
        "3600",
        "The binlog is the backlog; see `binlog-retention-hours`.",
    ),
    kept("repl-disable-tcp-nodelay", Kind::Bool, "no", NOT_YET),
    kept(
        "repl-diskless-load",
        Kind::Choice(&["disabled", "on-empty-db", "swapdb"]),
        "disabled",
        NOT_YET,
    ),
    kept("repl-diskless-sync", Kind::Bool, "yes", NOT_YET),
    kept("repl-diskless-sync-delay", COUNT, "5", NOT_YET),
    kept("repl-diskless-sync-max-replicas", COUNT, "0", NOT_YET),
    kept("repl-rdb-channel", Kind::Bool, "no", NOT_YET),
    kept(
        "propagation-error-behavior",
        Kind::Choice(&["ignore", "panic", "panic-on-replicas"]),
        "ignore",
        NOT_YET,
    ),
];
