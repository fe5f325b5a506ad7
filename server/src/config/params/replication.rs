//! Replication.

use super::*;

const NOT_YET: &str = "Kept; replication is not there yet.";

pub(super) const PARAMS: &[Param] = &[
    kept("replicaof", Kind::Words(checks::master), "", NOT_YET)
        .or(&["slaveof"])
        .at_start(),
    kept("masterauth", ANY_TEXT, "", NOT_YET).secret(),
    kept("masteruser", ANY_TEXT, "", NOT_YET).secret(),
    kept("replica-priority", COUNT, "100", NOT_YET).or(&["slave-priority"]),
    kept("replica-read-only", Kind::Bool, "yes", NOT_YET).or(&["slave-read-only"]),
    kept("replica-serve-stale-data", Kind::Bool, "yes", NOT_YET).or(&["slave-serve-stale-data"]),
    kept("replica-announce-ip", ANY_TEXT, "", NOT_YET).or(&["slave-announce-ip"]),
    kept("replica-announce-port", PORT, "0", NOT_YET).or(&["slave-announce-port"]),
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
    kept("repl-timeout", int(1, I32_MAX), "60", NOT_YET),
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
