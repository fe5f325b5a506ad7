//! Encodings of the data types, scripts, keyspace events.

use super::*;

const NOT_YET: &str = "Kept; strings are the only type so far.";

pub(super) const PARAMS: &[Param] = &[
    kept("hash-max-listpack-entries", LONG_COUNT, "512", NOT_YET).or(&["hash-max-ziplist-entries"]),
    kept("hash-max-listpack-value", SIZE, "64", NOT_YET).or(&["hash-max-ziplist-value"]),
    kept(
        "list-max-listpack-size",
        int(i32::MIN as i64, I32_MAX),
        "-2",
        NOT_YET,
    )
    .or(&["list-max-ziplist-size"]),
    kept("list-compress-depth", COUNT, "0", NOT_YET),
    kept("set-max-intset-entries", LONG_COUNT, "512", NOT_YET),
    kept("set-max-listpack-entries", LONG_COUNT, "128", NOT_YET),
    kept("set-max-listpack-value", SIZE, "64", NOT_YET),
    kept("zset-max-listpack-entries", LONG_COUNT, "128", NOT_YET).or(&["zset-max-ziplist-entries"]),
    kept("zset-max-listpack-value", SIZE, "64", NOT_YET).or(&["zset-max-ziplist-value"]),
    kept("stream-node-max-bytes", SIZE, "4096", NOT_YET),
    kept("stream-node-max-entries", LONG_COUNT, "100", NOT_YET),
    live(
        "hll-sparse-max-bytes",
        SIZE,
        "3000",
        Topic::Encoding,
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
