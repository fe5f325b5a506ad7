//! Basalt's own parameters: the two tiers, the binlog, threads.

use super::*;

pub(super) const PARAMS: &[Param] = &[
    fixed(
        "tiering",
        Kind::Bool,
        "yes",
        "Whether keys that do not fit into memory live on disk. With `no`, memory is all there is, and \
         `maxmemory-policy` decides what is evicted from it, as in Redis.",
    ),
    live(
        "maxdisk",
        ANY_BYTES,
        "0",
        Topic::Disk,
        "Room for cold data on disk; 0 is all there is. When it is used up, `maxmemory-policy` decides what goes.",
    ),
    fixed(
        "binlog",
        Kind::Bool,
        "yes",
        "Whether writes are logged. With `no` nothing survives the process: a pure cache.",
    ),
    live(
        "appendfsync",
        Kind::Choice(FsyncPolicy::NAMES),
        "everysec",
        Topic::Fsync,
        "When the binlog is synced to disk: `always` before each reply, `everysec` once a second, `no` when the \
         kernel sees fit. Under each of them an acknowledged write survives the death of the process.",
    ),
    fixed(
        "binlog-segment-bytes",
        Kind::Memory {
            min: 1 << 20,
            max: 4 << 30,
        },
        "64mb",
        "The size at which a binlog file is sealed and the next one begun.",
    ),
    live(
        "binlog-retention-bytes",
        ANY_BYTES,
        "1gb",
        Topic::Retention,
        "At least this much of the log is kept for replicas that come back and for restores, \
         beyond what recovery needs.",
    ),
    live(
        "binlog-retention-hours",
        int(0, 24 * 366 * 10),
        "0",
        Topic::Retention,
        "At least the log of this many hours is kept, however large it is. With 0 `binlog-retention-bytes` \
         alone decides; with 24 a replica may be away for a day, and the disk must have room for a day of writes.",
    ),
    live(
        "checkpoint-interval-seconds",
        int(1, 86_400),
        "30",
        Topic::Checkpoint,
        "The time between checkpoints, which bound how much log a restart replays.",
    ),
    live(
        "replay-limit-bytes",
        at_least_bytes(1 << 20),
        "1gb",
        Topic::Checkpoint,
        "The span of log not yet covered by a checkpoint that checkpoints aim to stay below, \
         however short the interval.",
    ),
    fixed(
        "cold-readers",
        int(1, 1024),
        "8",
        "Threads that read cold keys from disk.",
    ),
    live(
        "warmup",
        Kind::Bool,
        "yes",
        Topic::Warmup,
        "Whether the keys that were hot before a restart are read back in the background, hottest first.",
    ),
    live(
        "warmup-rate",
        int(1, I32_MAX),
        "20000",
        Topic::Warmup,
        "The most keys per second that warm-up reads.",
    ),
    fixed(
        "workers",
        int(0, 256),
        "0",
        "Threads that serve clients; 0 is one per core.",
    )
    .or(&["io-threads"]),
    kept(
        "io-threads-do-reads",
        Kind::Bool,
        "no",
        "Workers always read.",
    )
    .at_start(),
    fixed(
        "metrics-port",
        PORT,
        "0",
        "Port on which metrics are served to Prometheus over HTTP, at `/metrics`; 0 is none.",
    ),
    fixed(
        "metrics-bind",
        Kind::Words(checks::addresses),
        "127.0.0.1 -::1",
        "Addresses to serve metrics on, as in `bind`. Nobody is asked for a password.",
    ),
];
