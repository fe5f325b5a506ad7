//! The memory budget, eviction, expiry, freeing.

use super::*;

pub(super) const PARAMS: &[Param] = &[
    live(
        "maxmemory",
        ANY_BYTES,
        "0",
        Topic::Memory,
        "The memory budget of the whole process: keys, caches, buffers. 0: with tiering 60 % of the machine's memory, without tiering no limit.",
    ),
    live(
        "maxmemory-policy",
        Kind::Choice(EvictionPolicy::NAMES),
        "noeviction",
        Topic::Memory,
        "What is deleted when there is no more room: with `tiering yes` that is when `maxdisk` is used up, \
         with `tiering no` when `maxmemory` is.",
    ),
    live(
        "maxmemory-samples",
        int(1, I32_MAX),
        "5",
        Topic::Memory,
        "How many keys are compared to find one to spill or evict. More is more exact and slower.",
    ),
    kept(
        "maxmemory-eviction-tenacity",
        int(0, 100),
        "10",
        "Eviction has its own pace.",
    ),
    kept(
        "maxmemory-clients",
        Kind::MemoryOrPercent,
        "0",
        "Client buffers count against `maxmemory`.",
    ),
    live(
        "lfu-log-factor",
        COUNT,
        "10",
        Topic::Frequency,
        "How slowly the counter of accesses grows: the higher, the more accesses it takes to saturate.",
    ),
    live(
        "lfu-decay-time",
        COUNT,
        "1",
        Topic::Frequency,
        "Minutes after which the counter of a key that is not accessed drops by one; 0 is never.",
    ),
    live(
        "active-expire-effort",
        int(1, 10),
        "1",
        Topic::Expiry,
        "Time for deleting expired keys that nobody asks for: 25 % of one processor, and 2 % more for each step; twice as much while \
         that is not enough.",
    ),
    kept(
        "hz",
        Kind::Clamped { min: 1, max: 500 },
        "10",
        "Periodic work has its own pace; INFO shows the number.",
    ),
    kept(
        "dynamic-hz",
        Kind::Bool,
        "yes",
        "The pace of periodic work does not depend on the number of clients.",
    ),
    kept(
        "lazyfree-lazy-eviction",
        Kind::Bool,
        "no",
        "Large values are always freed in the background.",
    ),
    kept(
        "lazyfree-lazy-expire",
        Kind::Bool,
        "no",
        "Large values are always freed in the background.",
    ),
    kept(
        "lazyfree-lazy-server-del",
        Kind::Bool,
        "no",
        "Large values are always freed in the background.",
    ),
    kept(
        "lazyfree-lazy-user-del",
        Kind::Bool,
        "no",
        "Large values are always freed in the background.",
    ),
    kept(
        "lazyfree-lazy-user-flush",
        Kind::Bool,
        "no",
        "A flush always returns at once.",
    ),
    kept(
        "activerehashing",
        Kind::Bool,
        "yes",
        "The hot table has no rehashing to spread out.",
    ),
    kept(
        "activedefrag",
        Kind::Bool,
        "no",
        "The allocator is left to itself.",
    ),
    kept(
        "active-defrag-cycle-max",
        int(1, 99),
        "25",
        "See `activedefrag`.",
    ),
    kept(
        "active-defrag-cycle-min",
        int(1, 99),
        "1",
        "See `activedefrag`.",
    ),
    kept(
        "active-defrag-ignore-bytes",
        at_least_bytes(1),
        "100mb",
        "See `activedefrag`.",
    ),
    kept(
        "active-defrag-max-scan-fields",
        int(1, i64::MAX),
        "1000",
        "See `activedefrag`.",
    ),
    kept(
        "active-defrag-threshold-lower",
        int(0, 1000),
        "10",
        "See `activedefrag`.",
    ),
    kept(
        "active-defrag-threshold-upper",
        int(0, 1000),
        "100",
        "See `activedefrag`.",
    ),
    kept(
        "jemalloc-bg-thread",
        Kind::Bool,
        "yes",
        "The allocator's background threads always run.",
    ),
    kept(
        "disable-thp",
        Kind::Bool,
        "yes",
        "Without `fork` huge pages do no harm.",
    )
    .at_start(),
    kept(
        "oom-score-adj",
        Kind::Choice(&["no", "yes", "relative", "absolute"]),
        "no",
        "Left to the service manager.",
    ),
    kept(
        "oom-score-adj-values",
        Kind::Words(checks::oom_scores),
        "0 200 800",
        "See `oom-score-adj`.",
    ),
];
