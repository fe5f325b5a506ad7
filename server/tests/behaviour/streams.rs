//! Stream commands, on small streams and on ones of many pages.

use crate::behaviour;

behaviour! {
    xadd_gives_ids_that_rise r#"
        XADD s 1-1 a 1 -> "1-1"
        XADD s 1-* b 2 c "" -> "1-2"
        XADD s 5 d "\x00\r\n" -> "5-0"
        XADD s 5-* e 1 -> "5-1"
        XADD s 5-1 e 1 -> -ERR The ID specified in XADD is equal or smaller than the target stream top item
        XADD s 4-* e 1 -> -ERR The ID specified in XADD is equal or smaller than the target stream top item
        XADD s 0-0 e 1 -> -ERR The ID specified in XADD must be greater than 0-0
        XADD n 0-* e 1 -> "0-1"
        XADD s x e 1 -> -ERR Invalid stream ID specified as stream command argument
        XADD s 1-x e 1 -> -ERR Invalid stream ID specified as stream command argument
        XADD s 18446744073709551616 e 1 -> -ERR Invalid stream ID specified as stream command argument
        XADD s 6-1 e -> -ERR wrong number of arguments for 'xadd' command
        XADD s 6-1 e 1 f -> -ERR wrong number of arguments for 'xadd' command
        XLEN s -> 4
        TYPE s -> +stream
        OBJECT ENCODING s -> "stream"
        XRANGE s - + -> [["1-1", ["a", "1"]], ["1-2", ["b", "2", "c", ""]], ["5-0", ["d", "\x00\r\n"]], ["5-1", ["e", "1"]]]
        XADD s * now 1 -> $id
        XADD s * now 2 -> text
        XRANGE s $id $id -> [[text, ["now", "1"]]]
        XADD s 18446744073709551615-18446744073709551615 z 1 -> "18446744073709551615-18446744073709551615"
        XADD s * z 1 -> -ERR The stream has exhausted the last possible ID, unable to add more items
        XADD nokey NOMKSTREAM * a b -> (nil)
        EXISTS nokey -> 0
        XADD s NOMKSTREAM * -> -ERR wrong number of arguments for 'xadd' command
        SET str 1 -> +OK
        XADD str * a b -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XLEN str -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XLEN nokey -> 0
        SCAN 0 TYPE stream -> ["0", unordered ["s", "n"]]
    "#

    xrange_and_xrevrange r#"
        XADD s 1-1 f 1 -> "1-1"
        XADD s 1-2 f 2 -> "1-2"
        XADD s 2-1 f 3 -> "2-1"
        XADD s 3-1 f 4 -> "3-1"
        XRANGE s 1 2 -> [["1-1", ["f", "1"]], ["1-2", ["f", "2"]], ["2-1", ["f", "3"]]]
        XRANGE s (1-1 (2-1 -> [["1-2", ["f", "2"]]]
        XRANGE s (1-1 + COUNT 1 -> [["1-2", ["f", "2"]]]
        XRANGE s 1-2 1-1 -> []
        XRANGE s 9 + -> []
        XRANGE s - + COUNT 0 -> (nil array)
        XRANGE s - + COUNT -3 -> (nil array)
        XRANGE s - + COUNT 9 COUNT 1 -> [["1-1", ["f", "1"]]]
        XREVRANGE s + - COUNT 2 -> [["3-1", ["f", "4"]], ["2-1", ["f", "3"]]]
        XREVRANGE s (2-1 1 -> [["1-2", ["f", "2"]], ["1-1", ["f", "1"]]]
        XREVRANGE s 1 3 -> []
        XRANGE nokey - + COUNT 0 -> []
        XREVRANGE nokey + - -> []
        XRANGE s x + -> -ERR Invalid stream ID specified as stream command argument
        XRANGE s (- + -> -ERR Invalid stream ID specified as stream command argument
        XRANGE s (18446744073709551615-18446744073709551615 + -> -ERR invalid start ID for the interval
        XRANGE s - (0-0 -> -ERR invalid end ID for the interval
        XRANGE s - + FOO -> -ERR syntax error
        XRANGE s - + COUNT -> -ERR syntax error
        XRANGE s - + COUNT x -> -ERR value is not an integer or out of range
        SET str 1 -> +OK
        XRANGE str - + -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HELLO 3 -> anything
        XRANGE s 1-1 1-1 -> [["1-1", ["f", "1"]]]
        XRANGE s - + COUNT 0 -> (nil)
    "#

    xdel_xsetid_and_what_xinfo_says r#"
        XADD s 1-1 f 1 -> "1-1"
        XADD s 2-1 f 2 -> "2-1"
        XADD s 3-1 g 3 h 4 -> "3-1"
        XDEL s 2-1 2-1 9 -> 1
        XDEL s x -> -ERR Invalid stream ID specified as stream command argument
        XDEL nokey x -> 0
        XINFO STREAM s -> ["length", 2, "radix-tree-keys", 1, "radix-tree-nodes", 2, "last-generated-id", "3-1", "max-deleted-entry-id", "2-1", "entries-added", 3, "recorded-first-entry-id", "1-1", "groups", 0, "first-entry", ["1-1", ["f", "1"]], "last-entry", ["3-1", ["g", "3", "h", "4"]]]
        XDEL s 1-1 3-1 -> 2
        XLEN s -> 0
        EXISTS s -> 1
        XRANGE s - + -> []
        XINFO STREAM s -> ["length", 0, "radix-tree-keys", 0, "radix-tree-nodes", 1, "last-generated-id", "3-1", "max-deleted-entry-id", "3-1", "entries-added", 3, "recorded-first-entry-id", "0-0", "groups", 0, "first-entry", (nil), "last-entry", (nil)]
        XADD s 3-1 f 1 -> -ERR The ID specified in XADD is equal or smaller than the target stream top item
        XADD s 3-2 f 1 -> "3-2"
        XSETID s 3-1 -> -ERR The ID specified in XSETID is smaller than the target stream top item
        XSETID s 10 ENTRIESADDED 0 -> -ERR The entries_added specified in XSETID is smaller than the target stream length
        XSETID s 10 ENTRIESADDED -1 -> -ERR entries_added must be positive
        XSETID s 10 MAXDELETEDID 11 -> -ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id
        XSETID s 2 -> -ERR The ID specified in XSETID is smaller than current max_deleted_entry_id
        XSETID s 10 FOO -> -ERR syntax error
        XSETID s 10 ENTRIESADDED -> -ERR syntax error
        XSETID nokey 10 -> -ERR no such key
        XSETID s x -> -ERR Invalid stream ID specified as stream command argument
        XSETID s 10 ENTRIESADDED 7 MAXDELETEDID 5-5 -> +OK
        XINFO STREAM s FULL -> ["length", 1, "radix-tree-keys", 1, "radix-tree-nodes", 2, "last-generated-id", "10-0", "max-deleted-entry-id", "5-5", "entries-added", 7, "recorded-first-entry-id", "3-2", "entries", [["3-2", ["f", "1"]]], "groups", []]
        XINFO STREAM nokey -> -ERR no such key
        XINFO STREAM s FOO -> -ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.
        XINFO STREAM s FULL COUNT -> -ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.
        XINFO STREAM s FULL COUNT x -> -ERR value is not an integer or out of range
        XINFO HELP -> [like "XINFO*", ...]
        HELLO 3 -> anything
        XINFO STREAM s -> {"length": 1, "groups": 0, "first-entry": ["3-2", ["f", "1"]], ...}
    "#

    xtrim_and_xadd_with_trimming r#"
        XADD s 1-1 f 1 -> "1-1"
        XADD s 2-1 f 2 -> "2-1"
        XADD s 3-1 f 3 -> "3-1"
        XADD s 4-1 f 4 -> "4-1"
        XTRIM s MAXLEN 9 -> 0
        XTRIM s MAXLEN = 3 -> 1
        XTRIM s MINID 3 -> 1
        XTRIM s MINID = 3-2 -> 1
        XADD s MAXLEN 2 5-1 f 5 -> "5-1"
        XADD s MAXLEN = 2 6-1 f 6 -> "6-1"
        XRANGE s - + -> [["5-1", ["f", "5"]], ["6-1", ["f", "6"]]]
        XADD s MINID 6 7-1 f 7 -> "7-1"
        XADD s MINID 99 8-1 f 8 -> "8-1"
        XLEN s -> 0
        XADD n MAXLEN 0 8-1 f 8 -> "8-1"
        EXISTS n -> 1
        XLEN n -> 0
        XADD n 8-1 f 8 -> -ERR The ID specified in XADD is equal or smaller than the target stream top item
        XINFO STREAM n -> ["length", 0, text, 0, text, 1, "last-generated-id", "8-1", text, "0-0", "entries-added", 1, ...]
        XTRIM nokey MAXLEN 1 -> 0
        EXISTS nokey -> 0
        XADD s MAXLEN -1 * a b -> -ERR The MAXLEN argument must be >= 0.
        XADD s MAXLEN x * a b -> -ERR value is not an integer or out of range
        XADD s MINID x * a b -> -ERR Invalid stream ID specified as stream command argument
        XADD s MAXLEN 1 MINID 1 * a b -> -ERR syntax error, MAXLEN and MINID options at the same time are not compatible
        XADD s MAXLEN 1 LIMIT 1 * a b -> -ERR syntax error, LIMIT cannot be used without the special ~ option
        XADD s LIMIT 1 * a b -> -ERR syntax error, LIMIT cannot be used without specifying a trimming strategy
        XADD s MAXLEN ~ 1 LIMIT -1 * a b -> -ERR The LIMIT argument must be >= 0.
        XTRIM s FOO 1 -> -ERR syntax error
        XTRIM s MAXLEN 1 FOO -> -ERR syntax error
        XTRIM s NOMKSTREAM MAXLEN 1 -> -ERR syntax error
        SET str 1 -> +OK
        XTRIM str MAXLEN 1 -> -WRONGTYPE Operation against a key holding the wrong kind of value
    "#

    xtrim_roughly_takes_whole_steps r#"
        CONFIG GET stream-node-max-entries -> [text, "100"]
        XADD s MAXLEN ~ 2 1-1 f 1 -> "1-1"
        XADD s MAXLEN ~ 2 2-1 f 1 -> "2-1"
        XADD s MAXLEN ~ 2 3-1 f 1 -> "3-1"
        XLEN s -> 3
        XTRIM s MAXLEN ~ 2 -> 0
        XTRIM s MINID ~ 3 -> 0
        XTRIM s MINID ~ 4 LIMIT 2 -> 0
        XTRIM s MINID ~ 4 -> 3
        XLEN s -> 0
    "#

    xdelex_answers_for_each_entry r#"
        XADD s 1-1 f 1 -> "1-1"
        XADD s 2-1 f 2 -> "2-1"
        XADD s 3-1 f 3 -> "3-1"
        XADD s 4-1 f 4 -> "4-1"
        @8.2 XDELEX s IDS 2 1-1 9-9 -> [1, -1]
        @8.2 XDELEX s ACKED IDS 2 2-1 9-9 -> [1, -1]
        @8.2 XDELEX s IDS 2 3-1 3-1 DELREF -> [1, -1]
        @8.2 XINFO STREAM s -> ["length", 1, text, 1, text, 2, text, "4-1", "max-deleted-entry-id", "3-1", ...]
        @8.2 XDELEX nokey IDS 2 1 x -> [-1, -1]
        @8.2 XDELEX s IDS 1 x -> -ERR Invalid stream ID specified as stream command argument
        @8.2 XDELEX s IDS 2 1 -> -ERR The `numids` parameter must match the number of arguments
        @8.2 XDELEX s IDS 0 1 -> -ERR Number of IDs must be a positive integer
        @8.2 XDELEX s IDS x 1 -> -ERR Number of IDs must be a positive integer
        @8.2 XDELEX s 1 2 3 4 -> -ERR syntax error
        @8.2 XDELEX s KEEPREF DELREF IDS 1 1 -> -ERR syntax error
        @8.2 XDELEX s IDS 1 2 3 -> -ERR syntax error
        @8.2 XTRIM s MAXLEN 3 KEEPREF ACKED -> -ERR syntax error
        @8.2 XADD s KEEPREF DELREF 5-1 f 1 -> -ERR Invalid stream ID specified as stream command argument
        @8.2 XADD s KEEPREF 5-1 f 1 -> "5-1"
        @8.2 XADD s MAXLEN 2 ACKED 6-1 f 1 -> "6-1"
        @8.2 XTRIM s DELREF MAXLEN 1 -> 1
        @8.2 XRANGE s - + -> [["6-1", ["f", "1"]]]
    "#

    xread_answers_what_came_behind r#"
        XADD a 1-1 f 1 -> "1-1"
        XADD a 2-1 f 2 -> "2-1"
        XADD b 1-1 g 1 -> "1-1"
        XREAD STREAMS a b 1 0 -> [["a", [["1-1", ["f", "1"]], ["2-1", ["f", "2"]]]], ["b", [["1-1", ["g", "1"]]]]]
        XREAD COUNT 1 STREAMS a nokey b 0 0 1-1 -> [["a", [["1-1", ["f", "1"]]]]]
        XREAD COUNT 0 STREAMS a 1-1 -> [["a", [["2-1", ["f", "2"]]]]]
        XREAD STREAMS a 2-1 -> (nil array)
        XREAD STREAMS a $ -> (nil array)
        XREAD STREAMS nokey 0 -> (nil array)
        XREAD BLOCK 5 STREAMS a b $ $ -> (nil array)
        @8.2 XREAD STREAMS a b nokey + + + -> [["a", [["2-1", ["f", "2"]]]], ["b", [["1-1", ["g", "1"]]]]]
        @8.2 XREAD COUNT 7 BLOCK 5 STREAMS a + -> [["a", [["2-1", ["f", "2"]]]]]
        XREAD STREAMS a > -> -ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.
        XREAD GROUP g c STREAMS a 0 -> -ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.
        XREAD NOACK STREAMS a 0 -> -ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.
        @8.2 XREAD STREAMS a b 0 -> -ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified.
        XREAD BLOCK x STREAMS a 0 -> -ERR timeout is not an integer or out of range
        XREAD BLOCK -1 STREAMS a 0 -> -ERR timeout is negative
        XREAD COUNT x STREAMS a 0 -> -ERR value is not an integer or out of range
        XREAD COUNT 1 FOO STREAMS a 0 -> -ERR syntax error
        XREAD COUNT 5 BLOCK 7 -> -ERR syntax error
        XREAD STREAMS a x -> -ERR Invalid stream ID specified as stream command argument
        SET str 1 -> +OK
        XREAD STREAMS a str 0 0 -> -WRONGTYPE Operation against a key holding the wrong kind of value
        MULTI -> +OK
        XREAD BLOCK 0 STREAMS a $ -> +QUEUED
        EXEC -> [(nil array)]
        HELLO 3 -> anything
        XREAD STREAMS a b 1-1 0 -> {"a": [["2-1", ["f", "2"]]], "b": [["1-1", ["g", "1"]]]}
        XREAD STREAMS a 2-1 -> (nil)
    "#

    xread_waits_for_entries r#"
        unit
        XADD s 1-1 f 1 -> "1-1"
        b> send XREAD BLOCK 0 STREAMS other s $ $
        c> send XREAD COUNT 1 BLOCK 0 STREAMS s 5-0
        until 3000ms: INFO clients -> like "*blocked_clients:2\r\n*"
        XADD s 2-1 f 2 -> "2-1"
        b> expect XREAD -> [["s", [["2-1", ["f", "2"]]]]]
        c> silent
        XDEL s 2-1 -> 1
        EXPIRE s 1000 -> 1
        c> silent
        MULTI -> +OK
        XADD s 5-1 f 3 -> +QUEUED
        XADD s 6-1 f 4 -> +QUEUED
        EXEC -> ["5-1", "6-1"]
        c> expect XREAD -> [["s", [["5-1", ["f", "3"]]]]]
        b> send XREAD BLOCK 0 STREAMS s 6-1
        until 3000ms: INFO clients -> like "*blocked_clients:1\r\n*"
        DEL s -> 1
        RPUSH s x -> 1
        DEL s -> 1
        XADD s 6-1 f 5 -> "6-1"
        b> silent
        XADD s 7-1 f 6 -> "7-1"
        b> expect XREAD -> [["s", [["7-1", ["f", "6"]]]]]
        b> send XREAD BLOCK 0 STREAMS made 0
        until 3000ms: INFO clients -> like "*blocked_clients:1\r\n*"
        RENAME s made -> +OK
        b> expect XREAD -> [["made", [["6-1", ["f", "5"]], ["7-1", ["f", "6"]]]]]
        end
    "#

    streams_are_copied_moved_and_dumped r#"
        XADD s 1-1 f 1 -> "1-1"
        XADD s 2-1 f 2 g "" -> "2-1"
        XADD s 3-1 f 3 -> "3-1"
        XDEL s 2-1 -> 1
        XSETID s 9-9 ENTRIESADDED 12 -> +OK
        COPY s t -> 1
        RENAME s u -> +OK
        EXPIRE u 1000 -> 1
        COPY t u REPLACE -> 1
        TTL u -> -1
        XINFO STREAM u -> ["length", 2, text, 1, text, 2, "last-generated-id", "9-9", "max-deleted-entry-id", "2-1", "entries-added", 12, "recorded-first-entry-id", "1-1", "groups", 0, "first-entry", ["1-1", ["f", "1"]], "last-entry", ["3-1", ["f", "3"]]]
        XADD t 10-1 f 4 -> "10-1"
        XLEN u -> 2
        MOVE t 1 -> 1
        SELECT 1 -> +OK
        XRANGE t - + -> [["1-1", ["f", "1"]], ["3-1", ["f", "3"]], ["10-1", ["f", "4"]]]
        DUMP t -> $payload
        RESTORE r 1000000 $payload -> +OK
        PTTL r -> 900000..1000000
        XINFO STREAM r -> ["length", 3, text, 1, text, 2, "last-generated-id", "10-1", "max-deleted-entry-id", "2-1", "entries-added", 13, "recorded-first-entry-id", "1-1", "groups", 0, "first-entry", ["1-1", ["f", "1"]], "last-entry", ["10-1", ["f", "4"]]]
        DUMP r -> $again
        XTRIM t MAXLEN 0 -> 3
        COPY t empty -> 1
        XINFO STREAM empty -> ["length", 0, text, 0, text, 1, "last-generated-id", "10-1", "max-deleted-entry-id", "2-1", "entries-added", 13, ...]
        DUMP empty -> $payload
        DEL empty -> 1
        RESTORE empty 0 $payload -> +OK
        XADD empty 10-1 a b -> -ERR The ID specified in XADD is equal or smaller than the target stream top item
        XADD empty 10-2 a b -> "10-2"
        DEL t r empty -> 3
        EXISTS t r empty -> 0
        SELECT 0 -> +OK
        SET u 1 -> +OK
        GET u -> "1"
    "#

    entries_of_many_pages r#"
        XADD s 1-1 f "a"*3000 -> "1-1"
        XADD s 2-1 f "b"*3000 g "c"*3000 -> "2-1"
        XADD s 3-1 "n"*3000 "d"*3000 -> "3-1"
        XADD s 4-1 f "e"*1500 -> "4-1"
        XADD s 5-1 f "f"*1500 -> "5-1"
        XADD s MAXLEN 5 6-1 f "g"*1500 -> "6-1"
        XLEN s -> 5
        XRANGE s 2 2 -> [["2-1", ["f", "b"*3000, "g", "c"*3000]]]
        XREVRANGE s 3-1 - COUNT 1 -> [["3-1", ["n"*3000, "d"*3000]]]
        XDEL s 4-1 -> 1
        XREAD COUNT 1 STREAMS s 3-1 -> [["s", [["5-1", ["f", "f"*1500]]]]]
        XTRIM s MINID 5 -> 2
        XRANGE s - + -> [["5-1", ["f", "f"*1500]], ["6-1", ["f", "g"*1500]]]
        XTRIM s MAXLEN 0 -> 2
        XADD s 7-1 f 1 -> "7-1"
        XRANGE s - + -> [["7-1", ["f", "1"]]]
    "#

    digest_is_that_of_redis r#"
        server --enable-debug-command yes
        XADD g 1-1 a b c 12 -> "1-1"
        XADD g 2-7 a "" a x -> "2-7"
        XADD g 3-1 a b -> "3-1"
        XDEL g 3-1 -> 1
        DEBUG DIGEST-VALUE g -> [+b1df22b8f11eaaf92b14f5bd034590e95afb946b]
    "#
}
