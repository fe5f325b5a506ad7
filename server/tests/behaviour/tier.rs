//! TIER and BINLOG: moving keys between memory and disk by hand, and what that must not change.

use crate::behaviour;

behaviour! {
    spilled_keys_read_back [hot tiny restart] r#"
        @basalt SET a "x"*1000 EX 1000 -> +OK
        @basalt SET n 41 -> +OK
        @basalt SET e "" -> +OK
        @basalt TIER SPILL ALL -> success
        @basalt DBSIZE -> 3
        @basalt EXISTS a n e none -> 3
        @basalt TTL a -> 900..1000
        @basalt STRLEN a -> 1000
        @basalt OBJECT ENCODING n -> "int"
        @basalt INCR n -> 42
        @basalt TIER SPILL n -> success
        @basalt GET n -> "42"
        @basalt GET e -> ""
        @basalt TIER SPILL none -> success
        @basalt TIER SPILL a n e -> success
        @basalt MGET n e none -> ["42", "", (nil)]
        @basalt KEYS * -> unordered ["a", "n", "e"]
        @basalt SCAN 0 COUNT 1000 -> ["0", unordered ["a", "n", "e"]]
    "#

    a_spilled_key_can_be_changed_in_every_way [hot tiny restart] r#"
        @basalt MSET a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8 -> +OK
        @basalt TIER SPILL ALL -> success
        @basalt APPEND a 1 -> 2
        @basalt SETRANGE b 1 x -> 2
        @basalt GETDEL c -> "3"
        @basalt RENAME d dd -> +OK
        @basalt COPY e ee -> 1
        @basalt EXPIRE f 100 -> 1
        @basalt MOVE g 1 -> 1
        @basalt SET h 9 XX GET -> "8"
        @basalt TIER SPILL ALL -> success
        @basalt MGET a b c d dd e ee f g h -> ["11", "2x", (nil), (nil), "4", "5", "5", "6", (nil), "9"]
        @basalt TTL f -> 90..100
        @basalt DBSIZE -> 7
        @basalt DEL a b dd e ee f h -> 7
        @basalt TIER SPILL ALL -> success
        @basalt DBSIZE -> 0
        @basalt KEYS * -> []
        @basalt SELECT 1 -> +OK
        @basalt GET g -> "7"
    "#

    deleting_a_spilled_key_lasts [hot tiny restart] r#"
        @basalt SET a 1 -> +OK
        @basalt TIER SPILL ALL -> success
        @basalt DEL a -> 1
        @basalt GET a -> (nil)
        @basalt TIER SPILL ALL -> success
        @basalt GET a -> (nil)
        @basalt SET a 2 NX -> +OK
        @basalt TIER SPILL ALL -> success
        @basalt GET a -> "2"
        @basalt FLUSHDB -> +OK
        @basalt GET a -> (nil)
        @basalt DBSIZE -> 0
        @basalt SCAN 0 COUNT 1000 -> ["0", []]
        @basalt RANDOMKEY -> (nil)
    "#

    a_cold_key_expires [hot cold tiny] r#"
        @basalt SET a 1 PX 300 -> +OK
        @basalt SET b 2 PX 300 -> +OK
        @basalt SET c 3 -> +OK
        @basalt TIER SPILL ALL -> success
        @basalt wait 320ms
        @basalt GET a -> (nil)
        @basalt EXISTS b -> 0
        @basalt until 5000ms: DBSIZE -> 1
        @basalt KEYS * -> ["c"]
    "#

    tier_warm_brings_back [hot] r#"
        @basalt MSET a 1 b 2 -> +OK
        @basalt TIER SPILL ALL -> success
        @basalt TIER WARM a none -> success
        @basalt MGET a b -> ["1", "2"]
        @basalt TIER OBJECT a -> success
        @basalt TIER OBJECT b -> success
        @basalt TIER OBJECT none -> anything
        @basalt TIER STATS -> success
        @basalt TIER COMPACT -> success
        @basalt GET b -> "2"
    "#

    watch_survives_a_spill [hot cold tiny] r#"
        unit
        @basalt SET k 1 -> +OK
        @basalt WATCH k -> +OK
        @basalt b> TIER SPILL ALL -> success
        @basalt b> GET k -> "1"
        @basalt MULTI -> +OK
        @basalt INCR k -> +QUEUED
        @basalt EXEC -> [2]
        end
    "#

    tier_and_binlog_subcommands [hot] r#"
        @basalt TIER HELP -> [text, ...]
        @basalt TIER WHAT -> -ERR unknown subcommand 'WHAT'. Try TIER HELP.
        @basalt TIER -> -ERR wrong number of arguments for 'tier' command
        @basalt TIER SPILL -> -ERR wrong number of arguments for 'tier|spill' command
        @basalt TIER WARM -> -ERR wrong number of arguments for 'tier|warm' command
        @basalt BINLOG INFO -> success
        @basalt BINLOG ROTATE -> success
        @basalt BINLOG PURGE -> success
        @basalt BINLOG HELP -> [text, ...]
        @basalt BINLOG WHAT -> -ERR unknown subcommand 'WHAT'. Try BINLOG HELP.
        @basalt BINLOG -> -ERR wrong number of arguments for 'binlog' command
    "#

    what_follows_a_flush_in_a_transaction_survives_it [restart] r#"
        unit
        @basalt SET other 0 -> +OK
        @basalt MULTI -> +OK
        @basalt SET before 1 -> +QUEUED
        @basalt FLUSHDB -> +QUEUED
        @basalt SET behind 2 -> +QUEUED
        @basalt EXEC -> [+OK, +OK, +OK]
        @basalt SET other 1 -> +OK
        @basalt TIER SPILL other -> success
        @basalt TIER COMPACT -> success
        @basalt wait 300ms
        @basalt crash
        @basalt MGET before behind other -> [(nil), "2", "1"]
        end
    "#

    a_checkpoint_between_the_effects_on_a_key_that_is_gone [restart] r#"
        server --checkpoint-interval-seconds 1
        unit
        @basalt wait 300ms
        @basalt XGROUP CREATE s1 g 0 MKSTREAM -> +OK
        @basalt wait 700ms
        @basalt SET other1 1 -> +OK
        @basalt XGROUP SETID s1 g 0 -> +OK
        @basalt DEL s1 -> 1
        @basalt wait 1300ms
        @basalt crash
        @basalt MGET other1 s1 -> ["1", (nil)]
        @basalt wait 500ms
        @basalt XGROUP CREATE s2 g 0 MKSTREAM -> +OK
        @basalt wait 700ms
        @basalt SET other2 1 -> +OK
        @basalt XGROUP SETID s2 g 0 -> +OK
        @basalt DEL s2 -> 1
        @basalt wait 1300ms
        @basalt crash
        @basalt MGET other2 s2 -> ["1", (nil)]
        @basalt wait 700ms
        @basalt XGROUP CREATE s3 g 0 MKSTREAM -> +OK
        @basalt wait 700ms
        @basalt SET other3 1 -> +OK
        @basalt XGROUP SETID s3 g 0 -> +OK
        @basalt DEL s3 -> 1
        @basalt wait 1300ms
        @basalt crash
        @basalt MGET other3 s3 -> ["1", (nil)]
        end
    "#

    rotation_and_purge_lose_nothing [hot restart] r#"
        @basalt SET a 1 -> +OK
        @basalt BINLOG ROTATE -> success
        @basalt SET b 2 -> +OK
        @basalt BINLOG ROTATE -> success
        @basalt SAVE -> +OK
        @basalt BINLOG PURGE -> success
        @basalt SET c 3 -> +OK
        @basalt MGET a b c -> ["1", "2", "3"]
        @basalt DBSIZE -> 3
    "#

    swapdb_and_flush_with_cold_keys [hot tiny restart] r#"
        @basalt SET k zero -> +OK
        @basalt SELECT 1 -> +OK
        @basalt SET k one -> +OK
        @basalt TIER SPILL ALL -> success
        @basalt SWAPDB 0 1 -> +OK
        @basalt GET k -> "zero"
        @basalt FLUSHDB -> +OK
        @basalt GET k -> (nil)
        @basalt TIER SPILL ALL -> success
        @basalt SELECT 0 -> +OK
        @basalt GET k -> "one"
        @basalt SWAPDB 0 1 -> +OK
        @basalt GET k -> (nil)
        @basalt DBSIZE -> 0
    "#

    surveys_find_hot_and_large_keys [hot memory] r#"
        @basalt MSET a 1 b 2 big "x"*5000 -> +OK
        @basalt RPUSH l 1 2 3 -> 3
        @basalt SELECT 1 -> +OK
        @basalt HSET h f v g w -> 2
        @basalt TIER BIGKEYS COUNT 1 -> ["sampled", 5, "total", 5, "keys", [["key", "big", "db", 0, "type", "string", "tier", "hot", "lfu", int, "bytes", 5000..5100, "elements", (nil)]]]
        @basalt TIER BIGKEYS TYPE hash -> ["sampled", 5, "total", 5, "keys", [["key", "h", "db", 1, "type", "hash", "tier", "hot", "lfu", int, "bytes", 1..200, "elements", 2]]]
        @basalt TIER BIGKEYS TYPE list SAMPLE 1000000 COUNT 5 -> ["sampled", 5, "total", 5, "keys", [["key", "l", "db", 0, "type", "list", "tier", "hot", "lfu", int, "bytes", 1..200, "elements", 3]]]
        @basalt TIER BIGKEYS SAMPLE 1 COUNT 100 -> ["sampled", 1..5, "total", 5, "keys", [...]]
        @basalt TIER BIGKEYS SAMPLE 0 -> ["sampled", 0, "total", 5, "keys", []]
        @basalt TIER HOTKEYS TYPE stream -> ["sampled", 5, "total", 5, "keys", []]
        @basalt TIER HOTKEYS COUNT 0 -> ["sampled", 5, "total", 5, "keys", []]
        @basalt TIER HOTKEYS COUNT x -> -"ERR value is out of range, must be positive"
        @basalt TIER HOTKEYS TYPE nonsense -> -ERR no such type
        @basalt TIER HOTKEYS WHAT -> -ERR syntax error
        @basalt FLUSHDB -> +OK
        @basalt TIER HOTKEYS TYPE hash -> ["sampled", 4, "total", 4, "keys", []]
    "#

    surveys_of_size_look_at_the_disk [hot] r#"
        @basalt MSET a 1 b 2 c "x"*3000 -> +OK
        @basalt RPUSH l 1 2 3 -> 3
        @basalt TIER SPILL ALL -> success
        @basalt SET b 3 -> +OK
        @basalt DEL a -> 1
        @basalt TIER HOTKEYS -> ["sampled", 1, "total", 1, "keys", [["key", "b", "db", 0, "type", "string", "tier", "hot", "lfu", int, "bytes", int, "elements", (nil)]]]
        @basalt TIER BIGKEYS COUNT 1 -> ["sampled", 3, "total", 3, "keys", [["key", "c", "db", 0, "type", "string", "tier", "cold", "lfu", int, "bytes", 3000..3100, "elements", (nil)]]]
        @basalt TIER BIGKEYS TYPE list -> ["sampled", 3, "total", 3, "keys", [["key", "l", "db", 0, "type", "list", "tier", "cold", "lfu", int, "bytes", int, "elements", 3]]]
    "#

    effects_on_what_was_deleted_later_do_not_keep_it_from_starting [hot] r#"
        RPUSH gone a b
        RPUSH part a b c
        SET number -9000000000000000000
        HSET hash number -9000000000000000000
        XADD stream 5-0 f v
        XGROUP CREATE stream g 0
        SET other 1
        SAVE -> +OK
        LSET gone 0 x -> +OK
        RPUSH part d -> 4
        LSET part 3 x -> +OK
        INCRBY number 9000000000000000000 -> 0
        INCRBY number 9000000000000000000 -> 9000000000000000000
        HINCRBY hash number 9000000000000000000 -> 0
        HINCRBY hash number 9000000000000000000 -> 9000000000000000000
        XREADGROUP GROUP g c COUNT 1 STREAMS stream > -> success
        XSETID stream 9-0 -> +OK
        MULTI -> +OK
        LSET gone 1 y -> +QUEUED
        INCR other -> +QUEUED
        EXEC -> [+OK, 2]
        DEL gone part number hash stream -> 5
        @basalt TIER SPILL ALL -> success
        @basalt TIER COMPACT -> success
        wait 300ms
        crash
        KEYS * -> ["other"]
        GET other -> "2"
    "#
}
