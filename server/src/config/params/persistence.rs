//! Redis' RDB and AOF parameters. The binlog takes the place of both: none of these switches it off.

use super::*;

const FILE_NAME: &str = "The binlog names its own files.";
const NO_REWRITE: &str = "The binlog is never rewritten.";
const NO_RDB: &str = "The binlog makes snapshots unnecessary.";

pub(super) const PARAMS: &[Param] = &[
    kept(
        "save",
        Kind::Save,
        "3600 1 300 100 60 10000",
        "Checkpoints are made all the time; an empty `save` does not stop them.",
    ),
    kept(
        "appendonly",
        Kind::Bool,
        "no",
        "The binlog is on unless `binlog no` says otherwise.",
    ),
    kept(
        "appendfilename",
        Kind::Text(checks::append_file_name),
        "appendonly.aof",
        FILE_NAME,
    )
    .at_start(),
    kept(
        "appenddirname",
        Kind::Text(checks::append_dir_name),
        "appendonlydir",
        FILE_NAME,
    )
    .at_start(),
    kept("auto-aof-rewrite-min-size", SIZE, "64mb", NO_REWRITE),
    kept("auto-aof-rewrite-percentage", COUNT, "100", NO_REWRITE),
    kept("no-appendfsync-on-rewrite", Kind::Bool, "no", NO_REWRITE),
    kept(
        "aof-rewrite-incremental-fsync",
        Kind::Bool,
        "yes",
        NO_REWRITE,
    ),
    kept("aof-use-rdb-preamble", Kind::Bool, "yes", NO_REWRITE),
    kept(
        "aof-disable-auto-gc",
        Kind::Bool,
        "no",
        "See `binlog-retention-bytes`.",
    ),
    kept(
        "aof-load-truncated",
        Kind::Bool,
        "yes",
        "A torn end of the log is always cut off; damage within is always refused.",
    ),
    kept(
        "aof-timestamp-enabled",
        Kind::Bool,
        "no",
        "Every frame of the binlog has its time.",
    ),
    kept(
        "dbfilename",
        Kind::Text(checks::dump_file_name),
        "dump.rdb",
        NO_RDB,
    )
    .protected(),
    kept(
        "rdbchecksum",
        Kind::Bool,
        "yes",
        "Everything on disk has a checksum.",
    )
    .at_start(),
    kept(
        "rdbcompression",
        Kind::Bool,
        "yes",
        "Cold data and sealed segments are always compressed.",
    ),
    kept("rdb-save-incremental-fsync", Kind::Bool, "yes", NO_RDB),
    kept("rdb-del-sync-files", Kind::Bool, "no", NO_RDB),
    kept(
        "stop-writes-on-bgsave-error",
        Kind::Bool,
        "yes",
        "A disk error always stops writes.",
    ),
    kept(
        "sanitize-dump-payload",
        Kind::Choice(&["no", "yes", "clients"]),
        "no",
        "Payloads are always checked.",
    ),
];
