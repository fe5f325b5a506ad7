//! Encodings of the data types, scripts, keyspace events.

use super::*;

const NOT_YET: &str = "Kept; not used so far.";
const NAMES_ONLY: &str = "Up to here OBJECT ENCODING names the compact encoding that Redis would use. How values are kept does not depend on it.";

pub(super) const PARAMS: &[Param] = &[
    live(
        "hash-max-listpack-entries",
        LONG_COUNT,
        "512",
        Topic::Encodings,
        NAMES_ONLY,
    )
    .or(&["hash-max-ziplist-entries"]),
    live(
        "hash-max-listpack-value",
        SIZE,
        "64",
        Topic::Encodings,
        NAMES_ONLY,
    )
    .or(&["hash-max-ziplist-value"]),
    live(
        "list-max-listpack-size",
        int(i32::MIN as i64, I32_MAX),
        "-2",
        Topic::Encodings,
        NAMES_ONLY,
    )
    .or(&["list-max-ziplist-size"]),
    kept("list-compress-depth", COUNT, "0", NOT_YET),
    live(
        "set-max-intset-entries",
        LONG_COUNT,
        "512",
        Topic::Encodings,
        NAMES_ONLY,
    ),
    live(
        "set-max-listpack-entries",
        LONG_COUNT,
        "128",
        Topic::Encodings,
        NAMES_ONLY,
    ),
    live(
        "set-max-listpack-value",
        SIZE,
        "64",
        Topic::Encodings,
        NAMES_ONLY,
    ),
    live(
        "zset-max-listpack-entries",
        LONG_COUNT,
        "128",
        Topic::Encodings,
        NAMES_ONLY,
    )
    .or(&["zset-max-ziplist-entries"]),
    live(
        "zset-max-listpack-value",
        SIZE,
        "64",
        Topic::Encodings,
        NAMES_ONLY,
    )
    .or(&["zset-max-ziplist-value"]),
    kept(
        "stream-node-max-bytes",
        SIZE,
        "4096",
        "Kept without effect: entries lie in pages of a size of their own.",
    ),
    live(
        "stream-node-max-entries",
        LONG_COUNT,
        "100",
        Topic::Encodings,
        "In steps of how many entries trimming with `~` takes them out; 0 stands for 100.",
    ),
    live(
        "hll-sparse-max-bytes",
        SIZE,
        "3000",
        Topic::Encodings,
        "How long a HyperLogLog with sparse registers may get before they become dense.",
    ),
    kept(
        "vset-force-single-threaded-execution",
        Kind::Bool,
        "no",
        "Vector sets are not there.",
    ),
    kept(
        "busy-reply-threshold",
        LONG_COUNT,
        "5000",
        "Kept; scripts are not there yet.",
    )
    .or(&["lua-time-limit"]),
    kept(
        "notify-keyspace-events",
        Kind::Events,
        "",
        "Kept; keyspace events are not there yet.",
    ),
];
