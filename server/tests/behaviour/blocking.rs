//! Commands that wait for a key. Connections other than `a` are kept over the whole script, so these run where none is
//! killed; `cold` and `tiny` see to the keys on disk.

use crate::behaviour;

behaviour! {
    what_is_there_is_answered_at_once r#"
        RPUSH l a b c d e -> 5
        BLPOP l 0 -> ["l", "a"]
        BRPOP none l 0 -> ["l", "e"]
        BLMOVE l m LEFT RIGHT 0 -> "b"
        BRPOPLPUSH l m 0 -> "d"
        LRANGE m 0 -1 -> ["d", "b"]
        BLMPOP 0 2 none m LEFT COUNT 5 -> ["m", ["d", "b"]]
        BLPOP none 0.01 -> (nil array)
        BLMOVE none m LEFT LEFT 0.01 -> (nil array)
        BRPOPLPUSH none m 0.01 -> (nil array)
        BLMPOP 0.01 1 none LEFT -> (nil array)
    "#

    timeouts_and_options_are_checked r#"
        BLPOP none x -> -ERR timeout is not a float or out of range
        BLPOP none -1 -> -ERR timeout is negative
        BLPOP none nan -> -ERR timeout is not a float or out of range
        @8.2 BLPOP none 1e100 -> -ERR timeout is out of range
        @8.2 BLPOP none inf -> -ERR timeout is out of range
        BLPOP none -> -ERR wrong number of arguments for 'blpop' command
        BLMOVE none m UP LEFT x -> -ERR syntax error
        BLMOVE none m LEFT LEFT x -> -ERR timeout is not a float or out of range
        BLMPOP x 1 none LEFT -> -ERR timeout is not a float or out of range
        BLMPOP 1 0 none LEFT -> -ERR numkeys should be greater than 0
        BLMPOP 1 1 none UP -> -ERR syntax error
        BLMPOP 1 1 none LEFT COUNT 0 -> -ERR count should be greater than 0
        BLMPOP -1 1 none LEFT -> -ERR timeout is negative
    "#

    a_sorted_set_that_is_there_is_answered_at_once r#"
        ZADD z 1 a 2 b 2.5 c 4 d 5 e -> 5
        BZPOPMIN z 0 -> ["z", "a", "1"]
        BZPOPMAX none z 0 -> ["z", "e", "5"]
        BZMPOP 0 2 none z MIN COUNT 2 -> ["z", [["b", "2"], ["c", "2.5"]]]
        BZMPOP 0 1 z MAX -> ["z", [["d", "4"]]]
        EXISTS z -> 0
        BZPOPMIN none z 0.01 -> (nil array)
        BZPOPMAX none 0.01 -> (nil array)
        BZMPOP 0.01 2 none z MIN -> (nil array)
        SET s x -> +OK
        BZPOPMIN s 0 -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BZPOPMAX none s 0 -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BZMPOP 0 2 none s MIN -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BZPOPMIN none x -> -ERR timeout is not a float or out of range
        BZPOPMIN none -1 -> -ERR timeout is negative
        BZPOPMIN none -> -ERR wrong number of arguments for 'bzpopmin' command
        BZMPOP x 1 none MIN -> -ERR timeout is not a float or out of range
        BZMPOP 1 0 none MIN -> -ERR numkeys should be greater than 0
        BZMPOP 1 x none MIN -> -ERR numkeys should be greater than 0
        BZMPOP 1 1 none UP -> -ERR syntax error
        BZMPOP 1 5 none MIN -> -ERR syntax error
        BZMPOP 1 1 none MIN COUNT 0 -> -ERR count should be greater than 0
        BZMPOP 1 1 none MIN COUNT 1 COUNT 1 -> -ERR syntax error
        BZMPOP -1 1 none MIN -> -ERR timeout is negative
    "#

    nothing_waits_for_sorted_sets_inside_multi r#"
        MULTI -> +OK
        BZPOPMIN none 0 -> +QUEUED
        BZMPOP 0 1 none MIN -> +QUEUED
        ZADD z 1 a 2 b -> +QUEUED
        BZPOPMAX z 0 -> +QUEUED
        BZMPOP 0 1 z MIN COUNT 9 -> +QUEUED
        EXEC -> [(nil array), (nil array), 2, ["z", "b", "2"], ["z", [["a", "1"]]]]
    "#

    nothing_waits_inside_multi r#"
        MULTI -> +OK
        BLPOP none 0 -> +QUEUED
        BLMOVE none m LEFT LEFT 0 -> +QUEUED
        BLMPOP 0 1 none LEFT -> +QUEUED
        RPUSH l a -> +QUEUED
        BRPOP l 0 -> +QUEUED
        EXEC -> [(nil array), (nil), (nil array), 1, ["l", "a"]]
    "#
}

behaviour! {
    a_push_serves_who_waits [hot cold tiny memory] r#"
        b> send BLPOP l 0
        wait 50ms
        b> silent
        RPUSH l x y -> 2
        b> expect BLPOP -> ["l", "x"]
        LRANGE l 0 -1 -> ["y"]
        b> send BRPOP none m 0
        wait 50ms
        LPUSH m 1 2 3 -> 3
        b> expect BRPOP -> ["m", "1"]
        LLEN m -> 2
        b> send BLMPOP 0 2 n o RIGHT COUNT 2
        wait 50ms
        RPUSH o 1 2 3 -> 3
        b> expect BLMPOP -> ["o", ["3", "2"]]
        LRANGE o 0 -1 -> ["1"]
        b> HELLO 3 -> anything
        b> send BLPOP p 0
        wait 50ms
        RPUSH p v -> 1
        b> expect BLPOP -> ["p", "v"]
        EXISTS p -> 0
        b> BLPOP p 0.01 -> (nil)
    "#

    nobody_comes_in_between [hot cold memory] r#"
        b> send BLPOP l 0
        wait 50ms
        raw "*3\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n$1\r\nv\r\n*2\r\n$4\r\nLPOP\r\n$1\r\nl\r\n*2\r\n$6\r\nEXISTS\r\n$1\r\nl\r\n"
        bytes ":1\r\n$-1\r\n:0\r\n"
        b> expect BLPOP -> ["l", "v"]
    "#

    who_waits_longest_is_first [hot cold memory] r#"
        b> send BLPOP l k 0
        wait 50ms
        c> send BRPOP k 0
        wait 50ms
        d> send BLPOP k l 0
        wait 50ms
        INFO clients -> like "*blocked_clients:3\r\n*"
        RPUSH k 1 -> 1
        b> expect BLPOP -> ["k", "1"]
        c> silent
        RPUSH k 2 3 4 -> 3
        c> expect BRPOP -> ["k", "4"]
        d> expect BLPOP -> ["k", "2"]
        LRANGE k 0 -1 -> ["3"]
        INFO clients -> like "*blocked_clients:0\r\n*"
    "#

    blmove_waits_and_serves_the_next [hot cold tiny memory] r#"
        b> send BLMOVE a m LEFT RIGHT 0
        wait 50ms
        c> send BLMOVE m z RIGHT LEFT 0
        wait 50ms
        d> send BRPOPLPUSH z end 0
        wait 50ms
        RPUSH end old -> 1
        RPUSH a v w -> 2
        b> expect BLMOVE -> "v"
        c> expect BLMOVE -> "v"
        d> expect BRPOPLPUSH -> "v"
        LRANGE a 0 -1 -> ["w"]
        EXISTS m z -> 0
        LRANGE end 0 -1 -> ["v", "old"]
    "#

    blmove_to_another_type_is_refused_when_it_is_served [hot cold memory] r#"
        SET s x -> +OK
        b> send BLMOVE l s LEFT LEFT 0
        wait 50ms
        c> send BLPOP l 0
        wait 50ms
        RPUSH l v -> 1
        b> expect BLMOVE -> -WRONGTYPE Operation against a key holding the wrong kind of value
        c> expect BLPOP -> ["l", "v"]
        EXISTS l -> 0
    "#

    a_transaction_serves_after_its_end [hot cold memory] r#"
        b> send BLPOP k l 0
        wait 50ms
        MULTI -> +OK
        RPUSH l 1 -> +QUEUED
        LPOP l -> +QUEUED
        EXEC -> [1, "1"]
        b> silent
        MULTI -> +OK
        RPUSH l 2 3 -> +QUEUED
        DEL l -> +QUEUED
        RPUSH l 4 5 -> +QUEUED
        EXEC -> [2, 1, 2]
        b> expect BLPOP -> ["l", "4"]
        b> send BLMOVE k t LEFT LEFT 0
        wait 50ms
        MULTI -> +OK
        DBSIZE -> +QUEUED
        RPUSH k 6 7 -> +QUEUED
        EXEC -> [1, 2]
        b> expect BLMOVE -> "6"
        LRANGE t 0 -1 -> ["6"]
    "#

    other_ways_to_make_a_list_serve [hot cold tiny memory] r#"
        RPUSH src 1 2 3 4 -> 4
        b> send BLPOP dst 0
        wait 50ms
        RENAME src dst -> +OK
        b> expect BLPOP -> ["dst", "1"]
        b> send BLPOP src 0
        wait 50ms
        COPY dst src -> 1
        b> expect BLPOP -> ["src", "2"]
        DEL src -> 1
        b> send BRPOP src 0
        wait 50ms
        LMOVE dst src LEFT LEFT -> "2"
        b> expect BRPOP -> ["src", "2"]
        b> SELECT 1 -> +OK
        b> send BRPOP dst 0
        wait 50ms
        MOVE dst 1 -> 1
        b> expect BRPOP -> ["dst", "4"]
        b> send BRPOP other 0
        wait 50ms
        RPUSH other x -> 1
        b> silent
        SWAPDB 0 1 -> +OK
        b> expect BRPOP -> ["other", "x"]
        SWAPDB 0 1 -> +OK
        b> send BRPOP dest 0
        wait 50ms
        RPUSH far y -> 1
        COPY far dest DB 1 -> 1
        b> expect BRPOP -> ["dest", "y"]
    "#

    another_type_wakes_nobody [hot cold memory] r#"
        b> send BLPOP k 0
        wait 50ms
        SET k v -> +OK
        HSET h f v -> 1
        b> silent
        RENAME h k -> +OK
        b> silent
        DEL k -> 1
        b> silent
        RPUSH k v -> 1
        b> expect BLPOP -> ["k", "v"]
    "#

    client_unblock_ends_a_wait [hot memory] r#"
        b> CLIENT ID -> $id
        b> send BLPOP k 0
        wait 50ms
        CLIENT LIST ID $id -> like "*flags=b *cmd=blpop *"
        CLIENT UNBLOCK $id -> 1
        b> expect BLPOP -> (nil array)
        CLIENT UNBLOCK $id -> 0
        b> send BLPOP k 0
        wait 50ms
        CLIENT UNBLOCK $id ERROR -> 1
        b> expect BLPOP -> -UNBLOCKED client unblocked via CLIENT UNBLOCK
        b> send BLMOVE k l LEFT LEFT 0
        wait 50ms
        CLIENT UNBLOCK $id TIMEOUT -> 1
        b> expect BLMOVE -> (nil array)
        RPUSH k v -> 1
        LLEN k -> 1
        CLIENT UNBLOCK x -> -ERR value is not an integer or out of range
        CLIENT UNBLOCK 1 what -> -ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR
        CLIENT UNBLOCK 99999 -> 0
        CLIENT LIST ID $id -> like "*flags=N *"
        INFO clients -> like "*blocked_clients:0\r\n*"
    "#

    who_has_left_takes_nothing [hot memory] r#"
        b> CLIENT ID -> $id
        b> send BLPOP k 0
        wait 50ms
        c> send BLPOP k 0
        wait 50ms
        CLIENT KILL ID $id -> 1
        wait 50ms
        INFO clients -> like "*blocked_clients:1\r\n*"
        RPUSH k v -> 1
        c> expect BLPOP -> ["k", "v"]
        b> closed
    "#

    commands_behind_a_blocked_one_wait [hot cold memory] r#"
        b> raw "*3\r\n$5\r\nBLPOP\r\n$1\r\nk\r\n$1\r\n0\r\n*1\r\n$4\r\nPING\r\n"
        wait 50ms
        b> raw "*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n"
        b> silent
        RPUSH k v -> 1
        b> bytes "*2\r\n$1\r\nk\r\n$1\r\nv\r\n+PONG\r\n$2\r\nhi\r\n"
        b> BLPOP k 0.05 -> (nil array)
        b> PING -> +PONG
    "#

    a_served_pop_trips_watches [hot memory] r#"
        WATCH k -> +OK
        b> send BLPOP k 0
        wait 50ms
        c> RPUSH k v -> 1
        b> expect BLPOP -> ["k", "v"]
        MULTI -> +OK
        PING -> +QUEUED
        EXEC -> (nil array)
    "#

    a_member_serves_who_waits [hot cold tiny memory] r#"
        b> send BZPOPMIN y z 0
        wait 50ms
        b> silent
        ZADD z 3 c 1 a 2 b -> 3
        b> expect BZPOPMIN -> ["z", "a", "1"]
        ZRANGE z 0 -1 -> ["b", "c"]
        b> send BZMPOP 0 2 x y MAX COUNT 2
        wait 50ms
        ZINCRBY y 1.5 m -> "1.5"
        b> expect BZMPOP -> ["y", [["m", "1.5"]]]
        EXISTS y -> 0
        b> send BZMPOP 0 2 x y MAX COUNT 5
        wait 50ms
        ZUNIONSTORE x 1 z -> 2
        b> expect BZMPOP -> ["x", [["c", "3"], ["b", "2"]]]
        b> HELLO 3 -> anything
        b> send BZPOPMAX x 0
        wait 50ms
        ZADD x 7 v -> 1
        b> expect BZPOPMAX -> ["x", "v", double 7]
        b> send BZMPOP 0 1 x MIN COUNT 2
        wait 50ms
        ZADD x 8 v 9 w -> 2
        b> expect BZMPOP -> ["x", [["v", double 8], ["w", double 9]]]
        b> BZPOPMIN x 0.01 -> (nil)
        EXISTS x -> 0
    "#

    who_waits_longest_for_a_member_is_first [hot cold memory] r#"
        b> send BZPOPMIN k l 0
        wait 50ms
        c> send BZMPOP 0 2 l k MAX COUNT 2
        wait 50ms
        d> send BZPOPMAX l 0
        wait 50ms
        e> send BLPOP k 0
        wait 50ms
        INFO clients -> like "*blocked_clients:4\r\n*"
        ZADD l 1 a 2 b 3 c 4 d 5 e -> 5
        b> expect BZPOPMIN -> ["l", "a", "1"]
        c> expect BZMPOP -> ["l", [["e", "5"], ["d", "4"]]]
        d> expect BZPOPMAX -> ["l", "c", "3"]
        e> silent
        ZRANGE l 0 -1 -> ["b"]
        ZADD k 1 a -> 1
        e> silent
        DEL k -> 1
        RPUSH k v -> 1
        e> expect BLPOP -> ["k", "v"]
    "#

    a_transaction_serves_members_after_its_end [hot cold memory] r#"
        b> send BZPOPMIN k 0
        wait 50ms
        MULTI -> +OK
        ZADD k 0 gone -> +QUEUED
        DEL k -> +QUEUED
        EXEC -> [1, 1]
        b> silent
        MULTI -> +OK
        ZADD k 1 a -> +QUEUED
        ZADD k 0 b -> +QUEUED
        EXEC -> [1, 1]
        b> expect BZPOPMIN -> ["k", "b", "0"]
        ZCARD k -> 1
        b> send BZPOPMAX l 0
        wait 50ms
        MULTI -> +OK
        DBSIZE -> +QUEUED
        ZADD l 6 x -> +QUEUED
        EXEC -> [1, 1]
        b> expect BZPOPMAX -> ["l", "x", "6"]
    "#

    other_ways_to_make_a_sorted_set_serve [hot cold tiny memory] r#"
        ZADD src 1 a 2 b 3 c 4 d 5 e 6 f -> 6
        b> send BZPOPMIN dst 0
        wait 50ms
        RENAME src dst -> +OK
        b> expect BZPOPMIN -> ["dst", "a", "1"]
        b> send BZPOPMIN src 0
        wait 50ms
        COPY dst src -> 1
        b> expect BZPOPMIN -> ["src", "b", "2"]
        DEL src -> 1
        b> send BZPOPMAX src 0
        wait 50ms
        ZRANGESTORE src dst 0 1 -> 2
        b> expect BZPOPMAX -> ["src", "c", "3"]
        DEL src -> 1
        DUMP dst -> $payload
        b> send BZPOPMAX src 0
        wait 50ms
        RESTORE src 0 $payload -> +OK
        b> expect BZPOPMAX -> ["src", "f", "6"]
        b> SELECT 1 -> +OK
        b> send BZPOPMAX dst 0
        wait 50ms
        MOVE dst 1 -> 1
        b> expect BZPOPMAX -> ["dst", "f", "6"]
        b> send BZPOPMIN other 0
        wait 50ms
        ZADD other 1 x -> 1
        b> silent
        SWAPDB 0 1 -> +OK
        b> expect BZPOPMIN -> ["other", "x", "1"]
    "#

    a_large_sorted_set_that_is_renamed_serves [hot cold tiny] r#"
        b> send BZMPOP 0 1 z MIN COUNT 3
        wait 50ms
        ZADD src 1 "1"*3000 2 "2"*3000 3 "3"*3000 4 "4"*3000 5 "5"*3000 -> 5
        @basalt TIER SPILL ALL
        RENAME src z -> +OK
        b> expect BZMPOP -> ["z", [["1"*3000, "1"], ["2"*3000, "2"], ["3"*3000, "3"]]]
        ZCARD z -> 2
    "#

    a_key_that_expires_makes_room_for_what_serves [hot cold memory] r#"
        SET z v PX 100 -> +OK
        b> send BZPOPMIN none z 0
        b> expect BZPOPMIN -> -WRONGTYPE Operation against a key holding the wrong kind of value
        b> send BZPOPMIN none 0
        wait 150ms
        SET none v PX 20 -> +OK
        wait 50ms
        ZADD none 1 a -> 1
        b> expect BZPOPMIN -> ["none", "a", "1"]
    "#

    client_unblock_ends_a_wait_for_members [hot memory] r#"
        b> CLIENT ID -> $id
        b> send BZPOPMIN k 0
        wait 50ms
        CLIENT UNBLOCK $id -> 1
        b> expect BZPOPMIN -> (nil array)
        b> send BZMPOP 0 1 k MIN
        wait 50ms
        CLIENT UNBLOCK $id ERROR -> 1
        b> expect BZMPOP -> -UNBLOCKED client unblocked via CLIENT UNBLOCK
        ZADD k 1 v -> 1
        ZCARD k -> 1
    "#
}
