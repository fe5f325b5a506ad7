//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.

use crate::behaviour;

behaviour! {
    exec_runs_the_queue r#"
        MULTI -> +OK
        SET a 1 -> +QUEUED
        INCR a -> +QUEUED
        GET a -> +QUEUED
        EXEC -> [+OK, 2, "2"]
        GET a -> "2"
        MULTI -> +OK
        EXEC -> []
        EXEC -> -ERR EXEC without MULTI
        DISCARD -> -ERR DISCARD without MULTI
        EXEC x -> -EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command
        MULTI x -> -ERR wrong number of arguments for 'multi' command
    "#

    discard_drops_the_queue r#"
        SET a 1 -> +OK
        MULTI -> +OK
        SET a 2 -> +QUEUED
        DISCARD -> +OK
        GET a -> "1"
        EXEC -> -ERR EXEC without MULTI
    "#

    multi_cannot_be_nested r#"
        MULTI -> +OK
        SET a 1 -> +QUEUED
        MULTI -> -ERR MULTI calls can not be nested
        WATCH a -> -ERR WATCH inside MULTI is not allowed
        EXEC -> [+OK]
        GET a -> "1"
    "#

    an_error_while_queueing_aborts r#"
        SET a 1 -> +OK
        MULTI -> +OK
        SET a 2 -> +QUEUED
        WHAT -> -"ERR unknown command 'WHAT', with args beginning with: "
        GET a -> +QUEUED
        EXEC -> -EXECABORT Transaction discarded because of previous errors.
        GET a -> "1"
        MULTI -> +OK
        SET a -> -ERR wrong number of arguments for 'set' command
        EXEC -> -EXECABORT Transaction discarded because of previous errors.
        GET a -> "1"
        MULTI -> +OK
        SET a -> -ERR wrong number of arguments for 'set' command
        DISCARD -> +OK
        GET a -> "1"
    "#

    an_error_while_running_does_not_undo r#"
        SET s text -> +OK
        MULTI -> +OK
        SET a 1 -> +QUEUED
        INCR s -> +QUEUED
        SET a 1 EX x -> +QUEUED
        SET b 2 -> +QUEUED
        EXEC -> [+OK, -"ERR value is not an integer or out of range", -"ERR value is not an integer or out of range", +OK]
        MGET a b s -> ["1", "2", "text"]
    "#

    select_inside_a_transaction r#"
        unit
        MULTI -> +OK
        SET k zero -> +QUEUED
        SELECT 2 -> +QUEUED
        SET k two -> +QUEUED
        EXEC -> [+OK, +OK, +OK]
        GET k -> "two"
        SELECT 0 -> +OK
        end
        GET k -> "zero"
        SELECT 2 -> +OK
        GET k -> "two"
    "#

    whole_database_commands_inside_a_transaction r#"
        SET k zero -> +OK
        MULTI -> +OK
        SWAPDB 0 1 -> +QUEUED
        GET k -> +QUEUED
        SET k new -> +QUEUED
        MOVE k 2 -> +QUEUED
        COPY k l -> +QUEUED
        DBSIZE -> +QUEUED
        EXEC -> [+OK, (nil), +OK, 1, 0, 0]
        SELECT 1 -> +OK
        GET k -> "zero"
        SELECT 2 -> +OK
        GET k -> "new"
        MULTI -> +OK
        SET l x -> +QUEUED
        FLUSHDB -> +QUEUED
        SET m y -> +QUEUED
        EXEC -> [+OK, +OK, +OK]
        KEYS * -> ["m"]
    "#

    keys_that_expired_around_an_exchange_of_databases r#"
        SET k zero PX 30 -> +OK
        SELECT 1 -> +OK
        SET k one -> +OK
        SELECT 0 -> +OK
        wait 60ms
        MULTI -> +OK
        SWAPDB 0 1 -> +QUEUED
        SELECT 1 -> +QUEUED
        GET k -> +QUEUED
        SET l x -> +QUEUED
        FLUSHDB -> +QUEUED
        SET m y -> +QUEUED
        SELECT 0 -> +QUEUED
        GET k -> +QUEUED
        EXEC -> [+OK, +OK, (nil), +OK, +OK, +OK, +OK, "one"]
        GET k -> "one"
        SELECT 1 -> +OK
        KEYS * -> ["m"]
    "#

    watch_fails_when_the_key_changed r#"
        unit
        SET k 1 -> +OK
        WATCH k -> +OK
        b> SET k 2 -> +OK
        MULTI -> +OK
        SET k 3 -> +QUEUED
        EXEC -> (nil array)
        GET k -> "2"
        MULTI -> +OK
        SET k 4 -> +QUEUED
        EXEC -> [+OK]
        end
        unit
        WATCH k -> +OK
        SET k 5 -> +OK
        MULTI -> +OK
        GET k -> +QUEUED
        EXEC -> (nil array)
        end
        unit
        WATCH none k -> +OK
        b> SET none x -> +OK
        MULTI -> +OK
        GET k -> +QUEUED
        EXEC -> (nil array)
        end
        unit
        WATCH k -> +OK
        b> DEL k -> 1
        MULTI -> +OK
        EXEC -> (nil array)
        end
        WATCH -> -ERR wrong number of arguments for 'watch' command
    "#

    watch_holds_when_nothing_changed r#"
        unit
        SET k 1 -> +OK
        SET other 1 -> +OK
        WATCH k -> +OK
        WATCH none -> +OK
        b> GET k -> "1"
        b> SET other 2 -> +OK
        b> DEL none -> 0
        b> EXPIRE none 100 -> 0
        b> BITFIELD k OVERFLOW FAIL INCRBY u8 0 300 -> [(nil)]
        b> BITFIELD k SET u8 0 49 -> [49]
        MULTI -> +OK
        INCR k -> +QUEUED
        EXEC -> [2]
        end
        unit
        b> SELECT 1 -> +OK
        WATCH k -> +OK
        b> SET k elsewhere -> +OK
        MULTI -> +OK
        INCR k -> +QUEUED
        EXEC -> [3]
        end
    "#

    what_happens_to_groups_is_no_change_of_the_stream r#"
        XADD s 1-1 f v -> "1-1"
        XADD s 2-1 f v -> "2-1"
        unit
        WATCH s -> +OK
        b> XGROUP CREATE s g 0 -> +OK
        b> XGROUP CREATECONSUMER s g c -> 1
        b> XREADGROUP GROUP g c COUNT 1 STREAMS s > -> [["s", [["1-1", ["f", "v"]]]]]
        b> XREADGROUP GROUP g d COUNT 1 STREAMS s > -> [["s", [["2-1", ["f", "v"]]]]]
        b> XCLAIM s g c 0 2-1 JUSTID -> ["2-1"]
        b> XAUTOCLAIM s g d 0 0 JUSTID -> ["0-0", ["1-1", "2-1"], []]
        b> XACK s g 1-1 -> 1
        b> XGROUP SETID s g 0 -> +OK
        b> XGROUP DELCONSUMER s g d -> 1
        b> XGROUP DESTROY s g -> 1
        b> XSETID s 5-1 -> +OK
        MULTI -> +OK
        XLEN s -> +QUEUED
        EXEC -> [2]
        end
        unit
        WATCH s -> +OK
        b> XGROUP CREATE s g 0 -> +OK
        b> XADD s 6-1 f v -> "6-1"
        MULTI -> +OK
        XLEN s -> +QUEUED
        EXEC -> (nil array)
        WATCH k -> +OK
        b> MULTI -> +OK
        b> XREADGROUP GROUP g c COUNT 1 STREAMS s > -> +QUEUED
        b> SET k 1 -> +QUEUED
        b> XACK s g 1-1 -> +QUEUED
        b> EXEC -> [[["s", [["1-1", ["f", "v"]]]]], +OK, 1]
        MULTI -> +OK
        XLEN s -> +QUEUED
        EXEC -> (nil array)
        WATCH new -> +OK
        b> XGROUP CREATE new g $ MKSTREAM -> +OK
        MULTI -> +OK
        XLEN s -> +QUEUED
        EXEC -> (nil array)
        end
    "#

    a_trim_that_takes_nothing_is_a_change r#"
        RPUSH l a b -> 2
        unit
        WATCH l -> +OK
        b> LREM l 0 x -> 0
        MULTI -> +OK
        LLEN l -> +QUEUED
        EXEC -> [2]
        WATCH l -> +OK
        b> LTRIM l 0 -1 -> +OK
        MULTI -> +OK
        LLEN l -> +QUEUED
        EXEC -> (nil array)
        WATCH none -> +OK
        b> LTRIM none 0 -1 -> +OK
        MULTI -> +OK
        LLEN l -> +QUEUED
        EXEC -> [2]
        end
    "#

    unwatch_forgets r#"
        unit
        SET k 1 -> +OK
        WATCH k -> +OK
        UNWATCH -> +OK
        b> SET k 2 -> +OK
        MULTI -> +OK
        INCR k -> +QUEUED
        EXEC -> [3]
        end
        unit
        WATCH k -> +OK
        b> SET k 4 -> +OK
        MULTI -> +OK
        DISCARD -> +OK
        MULTI -> +OK
        INCR k -> +QUEUED
        EXEC -> [5]
        UNWATCH -> +OK
        UNWATCH x -> -ERR wrong number of arguments for 'unwatch' command
        end
    "#

    watch_sees_every_kind_of_change r#"
        unit
        SET k 1 -> +OK
        WATCH k -> +OK
        b> EXPIRE k 100 -> 1
        MULTI -> +OK
        EXEC -> (nil array)
        WATCH k -> +OK
        b> PERSIST k -> 1
        MULTI -> +OK
        EXEC -> (nil array)
        WATCH k -> +OK
        b> APPEND k 2 -> 2
        MULTI -> +OK
        EXEC -> (nil array)
        WATCH k -> +OK
        b> RENAME k l -> +OK
        MULTI -> +OK
        EXEC -> (nil array)
        WATCH k -> +OK
        b> COPY l k -> 1
        MULTI -> +OK
        EXEC -> (nil array)
        WATCH k -> +OK
        b> FLUSHDB -> +OK
        MULTI -> +OK
        EXEC -> (nil array)
        WATCH k -> +OK
        b> FLUSHALL -> +OK
        MULTI -> +OK
        EXEC -> []
        SET k 1 -> +OK
        WATCH k -> +OK
        b> FLUSHALL -> +OK
        MULTI -> +OK
        EXEC -> (nil array)
        SET k 1 -> +OK
        WATCH k -> +OK
        b> SWAPDB 0 1 -> +OK
        MULTI -> +OK
        EXEC -> (nil array)
        WATCH k -> +OK
        b> SWAPDB 0 1 -> +OK
        MULTI -> +OK
        EXEC -> (nil array)
        WATCH k -> +OK
        b> MOVE k 3 -> 1
        MULTI -> +OK
        EXEC -> (nil array)
        end
    "#

    watched_key_that_expires r#"
        unit
        SET k 1 PX 300 -> +OK
        WATCH k -> +OK
        wait 330ms
        MULTI -> +OK
        PING -> +QUEUED
        EXEC -> (nil array)
        end
    "#

    a_transaction_writes_one_key_many_times r#"
        MULTI -> +OK
        SET k 1 -> +QUEUED
        DEL k -> +QUEUED
        SET k 2 EX 100 -> +QUEUED
        RENAME k l -> +QUEUED
        APPEND l 3 -> +QUEUED
        COPY l k -> +QUEUED
        PERSIST k -> +QUEUED
        EXEC -> [+OK, 1, +OK, +OK, 2, 1, 1]
        MGET k l -> ["23", "23"]
        TTL k -> -1
        TTL l -> 90..100
        DBSIZE -> 2
    "#

    replies_of_exec_in_resp3 r#"
        unit
        HELLO 3
        WATCH k -> +OK
        b> SET k v -> +OK
        MULTI -> +OK
        GET k -> +QUEUED
        EXEC -> (nil)
        MULTI -> +OK
        GET none -> +QUEUED
        CONFIG GET port -> +QUEUED
        EXEC -> [(nil), {"port": text}]
        end
    "#

    a_transaction_is_invisible_until_exec r#"
        unit
        SET k 1 -> +OK
        MULTI -> +OK
        SET k 2 -> +QUEUED
        b> GET k -> "1"
        b> MULTI -> +OK
        b> SET k 3 -> +QUEUED
        EXEC -> [+OK]
        b> EXEC -> [+OK]
        GET k -> "3"
        end
    "#

    a_closed_connection_discards_its_transaction r#"
        unit
        SET k 1 -> +OK
        b> MULTI -> +OK
        b> SET k 2 -> +QUEUED
        b> QUIT -> anything
        GET k -> "1"
        end
    "#

    a_watch_follows_its_database r#"
        unit
        WATCH k -> +OK
        b> FLUSHALL -> +OK
        b> SET k 1 -> +OK
        MULTI -> +OK
        EXEC -> (nil array)
        DEL k -> 1
        WATCH k -> +OK
        b> SWAPDB 0 1 -> +OK
        MULTI -> +OK
        EXEC -> []
        WATCH k -> +OK
        b> SWAPDB 0 1 -> +OK
        b> SET k 1 -> +OK
        MULTI -> +OK
        EXEC -> (nil array)
        DEL k -> 1
        b> SELECT 1 -> +OK
        b> SET k 1 -> +OK
        WATCH k -> +OK
        b> SWAPDB 0 1 -> +OK
        MULTI -> +OK
        EXEC -> (nil array)
        end
    "#

    keys_of_other_databases_in_a_transaction r#"
        MSET k 1 l 2 -> +OK
        MULTI -> +OK
        MOVE k 3 -> +QUEUED
        COPY l l DB 3 -> +QUEUED
        COPY l m DB 3 -> +QUEUED
        MOVE l 3 -> +QUEUED
        EXEC -> [1, 1, 1, 0]
        MGET k l -> [(nil), "2"]
        SELECT 3 -> +OK
        MGET k l m -> ["1", "2", "2"]
        MULTI -> +OK
        MOVE m 0 -> +QUEUED
        DBSIZE -> +QUEUED
        EXEC -> [1, 2]
    "#

    watched_keys_are_loaded_for_exec r#"
        unit
        MSET k 1 l 2 -> +OK
        b> GET l -> "2"
        WATCH k -> +OK
        MULTI -> +OK
        GET l -> +QUEUED
        EXEC -> ["2"]
        WATCH k -> +OK
        MULTI -> +OK
        DBSIZE -> +QUEUED
        EXEC -> [2]
        WATCH k -> +OK
        MULTI -> +OK
        EXEC -> []
        end
    "#

    keys_are_counted_inside_a_transaction r#"
        unit
        MSET {t}a 1 {t}b 2 {t}c 3 -> +OK
        b> SET {t}a blind -> +OK
        MULTI -> +OK
        SET {t}c x -> +QUEUED
        SET {t}d y -> +QUEUED
        DEL {t}b {t}none -> +QUEUED
        DBSIZE -> +QUEUED
        SET {t}b z -> +QUEUED
        DBSIZE -> +QUEUED
        EXEC -> [+OK, +OK, 1, 3, +OK, 4]
        DBSIZE -> 4
        end
    "#

    a_new_key_beside_cold_ones_comes_and_goes r#"
        MSET {t}a 1 {t}b 2 -> +OK
        GET {t}b -> "2"
        MULTI -> +OK
        SET {t}new 1 -> +QUEUED
        DEL {t}new {t}new -> +QUEUED
        GET {t}new -> +QUEUED
        SET {t}new 2 -> +QUEUED
        RENAME {t}new {t}other -> +QUEUED
        EXISTS {t}new {t}other -> +QUEUED
        DEL {t}other -> +QUEUED
        EXEC -> [+OK, 1, (nil), +OK, +OK, 1, 1]
        DBSIZE -> 2
        MGET {t}a {t}b {t}new -> ["1", "2", (nil)]
    "#
}
