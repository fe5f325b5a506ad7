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
}
