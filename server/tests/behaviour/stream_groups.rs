//! Consumer groups of streams: reading, acknowledging, claiming, waiting.

use crate::behaviour;

behaviour! {
    xgroup_and_its_errors r#"
        XADD s 1-1 a 1 -> "1-1"
        XADD s 2-1 b 2 -> "2-1"
        XGROUP CREATE s g 0 -> +OK
        XGROUP CREATE s g 0 -> -BUSYGROUP Consumer Group name already exists
        XGROUP CREATE s end $ -> +OK
        XGROUP CREATE s g2 x -> -ERR Invalid stream ID specified as stream command argument
        XGROUP CREATE s g2 - -> -ERR Invalid stream ID specified as stream command argument
        XGROUP CREATE s g3 0 FOO -> -"ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP." | -"ERR unknown subcommand or wrong number of arguments for 'create'. Try XGROUP HELP."
        XGROUP CREATE none g 0 -> -ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        XGROUP CREATE none g 0 ENTRIESREAD -2 -> -ERR value for ENTRIESREAD must be positive or -1
        XGROUP CREATE none g 0 ENTRIESREAD x -> -ERR value is not an integer or out of range
        XGROUP CREATE none g $ MKSTREAM -> +OK
        TYPE none -> +stream
        XLEN none -> 0
        XGROUP SETID s nog 0 -> -NOGROUP No such consumer group 'nog' for key name 's'
        XGROUP CREATECONSUMER s nog bob -> -NOGROUP No such consumer group 'nog' for key name 's'
        XGROUP DELCONSUMER s nog bob -> -NOGROUP No such consumer group 'nog' for key name 's'
        XGROUP DESTROY s nog -> 0
        XGROUP DESTROY missing nog -> -ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        XGROUP CREATECONSUMER s g bob -> 1
        XGROUP CREATECONSUMER s g bob -> 0
        XGROUP DELCONSUMER s g nobody -> 0
        XREADGROUP GROUP g bob STREAMS s > -> [["s", [["1-1", ["a", "1"]], ["2-1", ["b", "2"]]]]]
        XGROUP DELCONSUMER s g bob -> 2
        XPENDING s g -> [0, (nil), (nil), (nil array)]
        XGROUP SETID s g 1 ENTRIESREAD 1 -> +OK
        @7.0 XINFO GROUPS s -> [["name", "end", "consumers", 0, "pending", 0, "last-delivered-id", "2-1", "entries-read", (nil), "lag", 0], ["name", "g", "consumers", 0, "pending", 0, "last-delivered-id", "1-0", "entries-read", 1, "lag", 1]]
        @8.2 XINFO GROUPS s -> [["name", "end", "consumers", 0, "pending", 0, "last-delivered-id", "2-1", "entries-read", (nil), "lag", 0], ["name", "g", "consumers", 0, "pending", 0, "last-delivered-id", "1-0", "entries-read", 1, "lag", 2]]
        XGROUP SETID s g $ -> +OK
        XREADGROUP GROUP g bob STREAMS s > -> (nil array)
        XGROUP DESTROY s g -> 1
        XREADGROUP GROUP g bob STREAMS s > -> -NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option
        XGROUP NOSUCH a b -> -ERR unknown subcommand 'NOSUCH'. Try XGROUP HELP.
        XGROUP CREATE s -> -ERR wrong number of arguments for 'xgroup|create' command
        SET str v -> +OK
        XGROUP CREATE str g 0 MKSTREAM -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XREADGROUP GROUP g bob STREAMS str > -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XACK str g 1 -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XPENDING str g -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XCLAIM str g b x 1 -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XINFO GROUPS str -> -WRONGTYPE Operation against a key holding the wrong kind of value
        XINFO GROUPS missing -> -ERR no such key
        XINFO CONSUMERS missing g -> -ERR no such key
        XINFO CONSUMERS s nog -> -NOGROUP No such consumer group 'nog' for key name 's'
    "#

    xreadgroup_delivers_and_remembers r#"
        XADD s 1-1 a 1 -> "1-1"
        XADD s 2-1 b 2 -> "2-1"
        XADD s 3-1 c 3 -> "3-1"
        XADD t 1-1 x y -> "1-1"
        XGROUP CREATE s g 0 -> +OK
        XGROUP CREATE t g 0 -> +OK
        XREADGROUP GROUP g alice COUNT 1 STREAMS s t > > -> [["s", [["1-1", ["a", "1"]]]], ["t", [["1-1", ["x", "y"]]]]]
        XREADGROUP GROUP g bob COUNT 1 STREAMS s t > > -> [["s", [["2-1", ["b", "2"]]]]]
        XREADGROUP GROUP g alice STREAMS s 0 -> [["s", [["1-1", ["a", "1"]]]]]
        XREADGROUP GROUP g bob STREAMS s 0 -> [["s", [["2-1", ["b", "2"]]]]]
        XREADGROUP GROUP g bob STREAMS s 2-1 -> [["s", []]]
        XREADGROUP GROUP g carl STREAMS s 0 -> [["s", []]]
        XREADGROUP GROUP g carl NOACK STREAMS s > -> [["s", [["3-1", ["c", "3"]]]]]
        XREADGROUP GROUP g carl STREAMS s > -> (nil array)
        XPENDING s g -> [2, "1-1", "2-1", [["alice", "1"], ["bob", "1"]]]
        XPENDING s g - + 10 -> [["1-1", "alice", int, 2], ["2-1", "bob", int, 2]]
        XPENDING s g - + 10 bob -> [["2-1", "bob", int, 2]]
        XPENDING s g - + 10 nobody -> []
        XPENDING s g (1-1 + 1 -> [["2-1", "bob", int, 2]]
        XPENDING s g IDLE 100000 - + 10 -> []
        XDEL s 2-1 -> 1
        XREADGROUP GROUP g bob STREAMS s 0 -> [["s", [["2-1", (nil array)]]]]
        XACK s g 1-1 1-1 7-7 -> 1
        XACK s g 2-1 -> 1
        XACK missing g x -> 0
        XACK s nog x -> 0
        XACK s g x -> -ERR Invalid stream ID specified as stream command argument
        XPENDING s g -> [0, (nil), (nil), (nil array)]
        XGROUP SETID s g 0 -> +OK
        XREADGROUP GROUP g bob COUNT 1 STREAMS s s > > -> [["s", [["1-1", ["a", "1"]]]], ["s", [["3-1", ["c", "3"]]]]]
        XREADGROUP GROUP g alice BLOCK 20 STREAMS s > -> (nil array)
    "#

    xreadgroup_errors r#"
        XADD s 1-1 a 1 -> "1-1"
        XGROUP CREATE s g 0 -> +OK
        XREADGROUP GROUP g bob STREAMS s $ -> -"ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set."
        XREADGROUP GROUP g bob STREAMS s x -> -ERR Invalid stream ID specified as stream command argument
        XREADGROUP GROUP g bob STREAM s s > -> -ERR syntax error
        XREADGROUP COUNT 1 STREAMS s s > > -> -ERR Missing GROUP option for XREADGROUP
        XREADGROUP GROUP g bob BLOCK -1 STREAMS s > -> -ERR timeout is negative
        XREADGROUP GROUP g bob BLOCK x STREAMS s > -> -ERR timeout is not an integer or out of range
        XREADGROUP GROUP g bob COUNT x STREAMS s > -> -ERR value is not an integer or out of range
        @8.2 XREADGROUP GROUP g bob STREAMS s s > -> -"ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified."
        XPENDING s g IDLE x - + 10 bob -> -ERR value is not an integer or out of range
        XPENDING s g IDLE 0 - + -> -ERR syntax error
        XPENDING s g - + -> -ERR syntax error
        XPENDING s g x + 1 -> -ERR Invalid stream ID specified as stream command argument
        XPENDING s nog -> -NOGROUP No such key 's' or consumer group 'nog'
        XPENDING missing g - + 10 -> -NOGROUP No such key 'missing' or consumer group 'g'
    "#

    xclaim_and_xautoclaim r#"
        XADD s 1-1 a 1 -> "1-1"
        XADD s 2-1 b 2 -> "2-1"
        XADD s 3-1 c 3 -> "3-1"
        XGROUP CREATE s g 0 -> +OK
        XCLAIM s g alice 0 1-1 -> []
        XCLAIM s g alice 0 1-1 FORCE -> [["1-1", ["a", "1"]]]
        XPENDING s g - + 10 -> [["1-1", "alice", int, 2]]
        XCLAIM s g alice 0 2-1 FORCE JUSTID -> ["2-1"]
        XPENDING s g - + 10 -> [["1-1", "alice", int, 2], ["2-1", "alice", int, 1]]
        XCLAIM s g bob 1000000 1-1 2-1 -> []
        XCLAIM s g bob 0 1-1 2-1 9-9 IDLE 500000 RETRYCOUNT 7 JUSTID -> ["1-1", "2-1"]
        XPENDING s g IDLE 400000 - + 10 bob -> [["1-1", "bob", int, 7], ["2-1", "bob", int, 7]]
        XCLAIM s g alice 400000 1-1 -> [["1-1", ["a", "1"]]]
        XPENDING s g - + 10 alice -> [["1-1", "alice", 0..60000, 8]]
        XDEL s 2-1 -> 1
        XCLAIM s g alice 0 2-1 -> []
        XPENDING s g - + 10 -> [["1-1", "alice", int, 8]]
        XCLAIM s g alice 0 BAD -> -ERR Unrecognized XCLAIM option 'BAD'
        XCLAIM s g alice x 1-1 -> -ERR Invalid min-idle-time argument for XCLAIM
        XCLAIM s nog alice x 1-1 -> -NOGROUP No such key 's' or consumer group 'nog'
        XCLAIM s g alice 0 1-1 LASTID x -> -ERR Invalid stream ID specified as stream command argument
        XCLAIM s g alice 0 1-1 TIME x -> -ERR Invalid TIME option argument for XCLAIM
        XCLAIM s g alice 0 1-1 JUSTID LASTID 3-1 -> ["1-1"]
        XREADGROUP GROUP g alice STREAMS s > -> (nil array)
        XADD s 4-1 d 4 -> "4-1"
        XADD s 5-1 e 5 -> "5-1"
        XREADGROUP GROUP g bob STREAMS s > -> [["s", [["4-1", ["d", "4"]], ["5-1", ["e", "5"]]]]]
        XDEL s 4-1 -> 1
        XAUTOCLAIM s g carl 0 0 COUNT 1 JUSTID -> ["4-1", ["1-1"], []]
        XAUTOCLAIM s g carl 0 2 -> ["0-0", [["5-1", ["e", "5"]]], ["4-1"]]
        XAUTOCLAIM s g carl 1000000 0 -> ["0-0", [], []]
        XPENDING s g - + 10 -> [["1-1", "carl", int, 8], ["5-1", "carl", int, 2]]
        XAUTOCLAIM s g carl 0 0 COUNT 0 -> -ERR COUNT must be > 0
        XAUTOCLAIM s g carl x 0 -> -ERR Invalid min-idle-time argument for XAUTOCLAIM
        XAUTOCLAIM s g carl 0 x -> -ERR Invalid stream ID specified as stream command argument
        XAUTOCLAIM s g carl 0 0 FOO -> -ERR syntax error
        XAUTOCLAIM s nog carl 0 0 -> -NOGROUP No such key 's' or consumer group 'nog'
    "#

    xinfo_consumers r#"
        XADD s 1-1 a 1 -> "1-1"
        XGROUP CREATE s g 0 -> +OK
        XREADGROUP GROUP g alice STREAMS s > -> [["s", [["1-1", ["a", "1"]]]]]
        XGROUP CREATECONSUMER s g bob -> 1
        @8.2 XINFO CONSUMERS s g -> [["name", "alice", "pending", 1, "idle", 0..60000, "inactive", 0..60000], ["name", "bob", "pending", 0, "idle", 0..60000, "inactive", -1]]
        @8.2 XREADGROUP GROUP g carl STREAMS s > -> (nil array)
        @8.2 XINFO GROUPS s -> [["name", "g", "consumers", 3, "pending", 1, "last-delivered-id", "1-1", "entries-read", 1, "lag", 0]]
    "#

    xinfo_lag r#"
        @8.2 XADD s 1-1 a b -> "1-1"
        @8.2 XADD s 2-1 a b -> "2-1"
        @8.2 XGROUP CREATE s g 0 ENTRIESREAD 7 -> +OK
        @8.2 XINFO GROUPS s -> [["name", "g", "consumers", 0, "pending", 0, "last-delivered-id", "0-0", "entries-read", 2, "lag", 2]]
        @8.2 XGROUP SETID s g 1-1 ENTRIESREAD 5 -> +OK
        @8.2 XINFO GROUPS s -> [["name", "g", "consumers", 0, "pending", 0, "last-delivered-id", "1-1", "entries-read", 2, "lag", 0]]
        @8.2 XGROUP SETID s g 1-1 ENTRIESREAD 1 -> +OK
        @8.2 XINFO GROUPS s -> [["name", "g", "consumers", 0, "pending", 0, "last-delivered-id", "1-1", "entries-read", 1, "lag", 1]]
        @8.2 XGROUP SETID s g 0 -> +OK
        @8.2 XREADGROUP GROUP g alice COUNT 1 STREAMS s > -> [["s", [["1-1", ["a", "b"]]]]]
        @8.2 XDEL s 1-1 -> 1
        @8.2 XADD s 3-1 a b -> "3-1"
        @8.2 XINFO GROUPS s -> [["name", "g", "consumers", 1, "pending", 1, "last-delivered-id", "1-1", "entries-read", 1, "lag", 2]]
        @8.2 XTRIM s MAXLEN 1 -> 1
        @8.2 XGROUP SETID s g 0 ENTRIESREAD 0 -> +OK
        @8.2 XINFO GROUPS s -> [["name", "g", "consumers", 1, "pending", 1, "last-delivered-id", "0-0", "entries-read", 0, "lag", 1]]
        @8.2 XGROUP CREATE e g $ MKSTREAM ENTRIESREAD 4 -> +OK
        @8.2 XINFO GROUPS e -> [["name", "g", "consumers", 0, "pending", 0, "last-delivered-id", "0-0", "entries-read", 0, "lag", 0]]
    "#

    references_of_groups r#"
        @8.2 XADD s 1-1 a 1 -> "1-1"
        @8.2 XADD s 2-1 b 2 -> "2-1"
        @8.2 XADD s 3-1 c 3 -> "3-1"
        @8.2 XADD s 4-1 d 4 -> "4-1"
        @8.2 XGROUP CREATE s g 0 -> +OK
        @8.2 XGROUP CREATE s h 0 -> +OK
        @8.2 XREADGROUP GROUP g alice STREAMS s > -> anything
        @8.2 XREADGROUP GROUP h bob COUNT 3 STREAMS s > -> anything
        @8.2 XACKDEL s g IDS 2 1-1 9-9 -> [1, -1]
        @8.2 XPENDING s h - + 10 -> [["1-1", "bob", int, 1], ["2-1", "bob", int, 1], ["3-1", "bob", int, 1]]
        @8.2 XACKDEL s g ACKED IDS 1 2-1 -> [2]
        @8.2 XACKDEL s h ACKED IDS 1 2-1 -> [1]
        @8.2 XACKDEL s g DELREF IDS 1 3-1 -> [1]
        @8.2 XPENDING s h - + 10 -> [["1-1", "bob", int, 1]]
        @8.2 XACKDEL s g ACKED IDS 1 4-1 -> [2]
        @8.2 XLEN s -> 1
        @8.2 XACKDEL s nog IDS 2 1-1 2-2 -> [-1, -1]
        @8.2 XACKDEL s g IDS 0 1-1 -> -ERR Number of IDs must be a positive integer
    "#

    readers_of_a_group_wait_in_turn r#"
        unit
        XGROUP CREATE s g $ MKSTREAM -> +OK
        b> send XREADGROUP GROUP g bob BLOCK 0 STREAMS s >
        b> silent
        c> send XREADGROUP GROUP g carl BLOCK 0 STREAMS s >
        c> silent
        XADD s 1-1 a 1 -> "1-1"
        b> expect _ -> [["s", [["1-1", ["a", "1"]]]]]
        c> silent
        XADD s 2-1 b 2 -> "2-1"
        c> expect _ -> [["s", [["2-1", ["b", "2"]]]]]
        XPENDING s g -> [2, "1-1", "2-1", [["bob", "1"], ["carl", "1"]]]
        end
    "#

    a_reader_learns_that_its_group_is_gone r#"
        unit
        XGROUP CREATE s g $ MKSTREAM -> +OK
        b> send XREADGROUP GROUP g bob BLOCK 0 STREAMS s >
        b> silent
        XGROUP DESTROY s g -> 1
        @8.2 b> expect _ -> -NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option
        @7.0 b> expect _ -> -NOGROUP the consumer group this client was blocked on no longer exists
        XGROUP CREATE s g $ -> +OK
        b> send XREADGROUP GROUP g bob BLOCK 0 STREAMS s >
        b> silent
        DEL s -> 1
        @8.2 b> expect _ -> -NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option
        @7.0 b> expect _ -> -UNBLOCKED the stream key no longer exists
        end
        unit
        XGROUP CREATE u g $ MKSTREAM -> +OK
        @8.2 b> send XREADGROUP GROUP g bob BLOCK 0 STREAMS u >
        @8.2 c> send XREAD BLOCK 0 STREAMS u $
        @8.2 b> silent
        @8.2 c> silent
        @8.2 SET u v -> +OK
        @8.2 b> expect _ -> -WRONGTYPE Operation against a key holding the wrong kind of value
        @8.2 c> silent
        @8.2 DEL u -> 1
        @8.2 XADD u 1-1 a 1 -> "1-1"
        @8.2 c> expect _ -> [["u", [["1-1", ["a", "1"]]]]]
        end
        unit
        XADD v 1-1 a 1 -> "1-1"
        XGROUP CREATE v g $ -> +OK
        b> send XREADGROUP GROUP g bob BLOCK 0 STREAMS v >
        b> silent
        XGROUP SETID v g 0 -> +OK
        b> silent
        XADD v 2-1 b 2 -> "2-1"
        b> expect _ -> [["v", [["1-1", ["a", "1"]], ["2-1", ["b", "2"]]]]]
        end
    "#

    groups_of_many_entries r#"
        XGROUP CREATE s g 0 MKSTREAM -> +OK
        XADD s 1-1 a "x"*900 -> "1-1"
        XADD s 2-1 a "x"*900 -> "2-1"
        XADD s 3-1 a "x"*900 -> "3-1"
        XADD s 4-1 a "x"*900 -> "4-1"
        XADD s 5-1 a "x"*900 -> "5-1"
        XADD s 6-1 a "x"*900 -> "6-1"
        XREADGROUP GROUP g alice COUNT 3 STREAMS s > -> anything
        XREADGROUP GROUP g bob STREAMS s > -> anything
        XPENDING s g -> [6, "1-1", "6-1", [["alice", "3"], ["bob", "3"]]]
        XACK s g 2-1 5-1 -> 2
        XAUTOCLAIM s g carl 0 0 JUSTID -> ["0-0", ["1-1", "3-1", "4-1", "6-1"], []]
        XPENDING s g -> [4, "1-1", "6-1", [["carl", "4"]]]
        COPY s t -> 1
        XPENDING t g - + 10 carl -> [["1-1", "carl", int, 1], ["3-1", "carl", int, 1], ["4-1", "carl", int, 1], ["6-1", "carl", int, 1]]
        XINFO GROUPS t -> [["name", "g", "consumers", 3, "pending", 4, "last-delivered-id", "6-1", "entries-read", 6, "lag", 0]]
    "#

    a_reader_that_waits_has_a_consumer [hot cold tiny memory replica] r#"
        XADD s 5-0 f v -> "5-0"
        XGROUP CREATE s g $ -> +OK
        b> send XREADGROUP GROUP g waits BLOCK 0 STREAMS s >
        until 3000ms: INFO clients -> like "*blocked_clients:1*"
        @8.2 XINFO CONSUMERS s g -> [["name", "waits", "pending", 0, "idle", int, "inactive", -1]]
        XADD s 6-0 f w -> "6-0"
        b> expect XREADGROUP -> [["s", [["6-0", ["f", "w"]]]]]
        @8.2 XREADGROUP GROUP g short BLOCK 20 STREAMS s > -> (nil array)
        @8.2 XINFO CONSUMERS s g -> [["name", "short", ...], ["name", "waits", ...]]
        MULTI -> +OK
        XREADGROUP GROUP g multi BLOCK 0 STREAMS s > -> +QUEUED
        EXEC -> [(nil array)]
        @8.2 XGROUP CREATECONSUMER s g multi -> 0
        XADD t 5-0 f v -> "5-0"
        XREADGROUP GROUP g nobody BLOCK 20 STREAMS s t > > -> like "NOGROUP*"
        XGROUP CREATECONSUMER s g nobody -> 1
    "#

    a_group_set_back_serves_with_the_next_entry [hot cold tiny memory replica] r#"
        XADD s 5-0 f v -> "5-0"
        XGROUP CREATE s g $ -> +OK
        b> send XREADGROUP GROUP g c BLOCK 0 STREAMS s >
        until 3000ms: INFO clients -> like "*blocked_clients:1*"
        XGROUP SETID s g 0 -> +OK
        b> silent
        XADD s 6-0 f w -> "6-0"
        b> expect XREADGROUP -> [["s", [["5-0", ["f", "v"]], ["6-0", ["f", "w"]]]]]
    "#

    a_group_made_anew_serves_who_waits [hot cold tiny memory replica] r#"
        XADD s 5-0 f v -> "5-0"
        XGROUP CREATE s g $ -> +OK
        b> send XREADGROUP GROUP g c BLOCK 0 STREAMS s >
        until 3000ms: INFO clients -> like "*blocked_clients:1*"
        MULTI -> +OK
        XGROUP DESTROY s g -> +QUEUED
        XGROUP CREATE s g 0 -> +QUEUED
        EXEC -> [1, +OK]
        b> expect XREADGROUP -> [["s", [["5-0", ["f", "v"]]]]]
    "#

    a_stream_that_comes_in_the_place_of_another_serves_who_waits [hot cold tiny memory replica] r#"
        XADD s 5-0 f v -> "5-0"
        XGROUP CREATE s g $ -> +OK
        XADD t 3-0 f v -> "3-0"
        XADD t 9-0 f w -> "9-0"
        XGROUP CREATE t g 0 -> +OK
        b> send XREADGROUP GROUP g c BLOCK 0 STREAMS s >
        until 3000ms: INFO clients -> like "*blocked_clients:1*"
        COPY t s REPLACE -> 1
        b> expect XREADGROUP -> [["s", [["3-0", ["f", "v"]], ["9-0", ["f", "w"]]]]]
        XREADGROUP GROUP g c STREAMS s > -> (nil array)
        b> send XREADGROUP GROUP g c BLOCK 0 STREAMS s >
        until 3000ms: INFO clients -> like "*blocked_clients:1*"
        XADD t 10-0 f x -> "10-0"
        RENAME t s -> +OK
        b> expect XREADGROUP -> [["s", [["3-0", ["f", "v"]], ["9-0", ["f", "w"]], ["10-0", ["f", "x"]]]]]
    "#

    a_stream_that_expires_ends_the_wait_of_a_group [hot cold tiny memory replica] r#"
        XADD s 5-0 f v -> "5-0"
        XGROUP CREATE s g $ -> +OK
        b> send XREADGROUP GROUP g c BLOCK 0 STREAMS s >
        until 3000ms: INFO clients -> like "*blocked_clients:1*"
        PEXPIRE s 30 -> 1
        @7.0 b> expect XREADGROUP -> -UNBLOCKED the stream key no longer exists
        @8.2 b> expect XREADGROUP -> -NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option
        XADD s 5-0 f v -> "5-0"
        XGROUP CREATE s g $ -> +OK
        b> send XREADGROUP GROUP g c BLOCK 0 STREAMS s >
        until 3000ms: INFO clients -> like "*blocked_clients:1*"
        c> send XREAD BLOCK 0 STREAMS s $
        until 3000ms: INFO clients -> like "*blocked_clients:2*"
        PEXPIREAT s 1 -> 1
        @7.0 b> expect XREADGROUP -> -UNBLOCKED the stream key no longer exists
        @8.2 b> expect XREADGROUP -> -NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option
        XADD s 1-0 f v -> "1-0"
        c> silent
        XADD s 6-0 f v -> "6-0"
        c> expect XREAD -> [["s", [["6-0", ["f", "v"]]]]]
    "#

    a_stream_that_is_evicted_ends_the_wait_of_a_group [memory] r#"
        server --maxmemory-policy allkeys-random
        XADD s 5-0 f v -> "5-0"
        XGROUP CREATE s g $ -> +OK
        b> send XREADGROUP GROUP g c BLOCK 0 STREAMS s >
        until 3000ms: INFO clients -> like "*blocked_clients:1*"
        CONFIG SET maxmemory 1 -> +OK
        SET other 1 -> anything
        @7.0 b> expect XREADGROUP -> -UNBLOCKED the stream key no longer exists
        @8.2 b> expect XREADGROUP -> -NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option
    "#
}
