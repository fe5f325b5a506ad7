//! Commands on keys of any type and on whole databases.

use crate::behaviour;

behaviour! {
    del_unlink_exists_touch r#"
        MSET a 1 b 2 c 3 d 4 -> +OK
        EXISTS a b none a -> 3
        TOUCH a b none -> 2
        DEL a none -> 1
        DEL a -> 0
        UNLINK b b c -> 2
        UNLINK b -> 0
        EXISTS a b c d -> 1
        DBSIZE -> 1
        DEL d d d -> 1
        DBSIZE -> 0
        DEL -> -ERR wrong number of arguments for 'del' command
        UNLINK -> -ERR wrong number of arguments for 'unlink' command
        EXISTS -> -ERR wrong number of arguments for 'exists' command
        TOUCH -> -ERR wrong number of arguments for 'touch' command
    "#

    type_of_a_key r#"
        TYPE k -> +none
        SET k v -> +OK
        TYPE k -> +string
        TYPE -> -ERR wrong number of arguments for 'type' command
        TYPE a b -> -ERR wrong number of arguments for 'type' command
    "#

    keys_matches_globs r#"
        KEYS * -> []
        MSET hello 1 hallo 2 hxllo 3 hllo 4 heello 5 "h*llo" 6 "h\nllo" 7 -> +OK
        KEYS h?llo -> unordered ["hello", "hallo", "hxllo", "h*llo", "h\nllo"]
        KEYS h*llo -> unordered ["hello", "hallo", "hxllo", "hllo", "heello", "h*llo", "h\nllo"]
        KEYS h[ae]llo -> unordered ["hello", "hallo"]
        KEYS h[^e]llo -> unordered ["hallo", "hxllo", "h*llo", "h\nllo"]
        KEYS h[a-e]llo -> unordered ["hello", "hallo"]
        KEYS h[e-a]llo -> unordered ["hello", "hallo"]
        KEYS h\*llo -> ["h*llo"]
        KEYS hello -> ["hello"]
        KEYS none -> []
        KEYS h[ello -> []
        KEYS "" -> []
        KEYS ********************************************** -> [text, text, ...]
        KEYS -> -ERR wrong number of arguments for 'keys' command
        KEYS a b -> -ERR wrong number of arguments for 'keys' command
    "#

    scan_finds_every_key r#"
        SCAN 0 -> ["0", []]
        MSET a 1 b 2 c 3 -> +OK
        SCAN 0 COUNT 1000 -> ["0", unordered ["a", "b", "c"]]
        SCAN 0 COUNT 1000 MATCH b* -> ["0", ["b"]]
        SCAN 0 MATCH x* COUNT 1000 -> ["0", []]
        SCAN 0 COUNT 1000 TYPE string -> ["0", unordered ["a", "b", "c"]]
        SCAN 0 COUNT 1000 TYPE STRING -> ["0", unordered ["a", "b", "c"]]
        SCAN 0 COUNT 1000 TYPE list -> ["0", []]
        SELECT 1 -> +OK
        SCAN 0 COUNT 1000 -> ["0", []]
        SCAN x -> -ERR invalid cursor
        @8.2 SCAN "" -> -ERR invalid cursor
        SCAN 99999999999999999999999 -> -ERR invalid cursor
        SCAN 0 COUNT 0 -> -ERR syntax error
        SCAN 0 COUNT -1 -> -ERR syntax error
        SCAN 0 COUNT x -> -ERR value is not an integer or out of range
        SCAN 0 COUNT -> -ERR syntax error
        SCAN 0 MATCH -> -ERR syntax error
        SCAN 0 WHAT 1 -> -ERR syntax error
        SCAN -> -ERR wrong number of arguments for 'scan' command
    "#

    randomkey_is_a_key r#"
        RANDOMKEY -> (nil)
        SET only v -> +OK
        RANDOMKEY -> "only"
        SET other v -> +OK
        RANDOMKEY -> "only" | "other"
        DEL only other -> 2
        RANDOMKEY -> (nil)
        RANDOMKEY x -> -ERR wrong number of arguments for 'randomkey' command
    "#

    rename_moves_value_and_expiry r#"
        RENAME none k -> -ERR no such key
        RENAMENX none k -> -ERR no such key
        SET a v EX 100 -> +OK
        SET b w -> +OK
        RENAME a b -> +OK
        EXISTS a -> 0
        GET b -> "v"
        TTL b -> 90..100
        SET c x -> +OK
        RENAME c b -> +OK
        TTL b -> -1
        GET b -> "x"
        RENAME b b -> +OK
        GET b -> "x"
        SET d y -> +OK
        RENAMENX b d -> 0
        GET b -> "x"
        RENAMENX b b -> 0
        RENAMENX b e -> 1
        GET e -> "x"
        EXISTS b -> 0
        DBSIZE -> 2
        RENAME a -> -ERR wrong number of arguments for 'rename' command
        RENAMENX a -> -ERR wrong number of arguments for 'renamenx' command
        SET big "x"*20000 -> +OK
        RENAME big "\x00new" -> +OK
        STRLEN "\x00new" -> 20000
    "#

    copy_within_and_between_databases r#"
        COPY none k -> 0
        SET a v EX 100 -> +OK
        COPY a b -> 1
        GET b -> "v"
        TTL b -> 90..100
        COPY a b -> 0
        SET a w -> +OK
        COPY a b -> 0
        GET b -> "v"
        COPY a b REPLACE -> 1
        GET b -> "w"
        TTL b -> -1
        APPEND a x -> 2
        GET b -> "w"
        COPY a a -> -ERR source and destination objects are the same
        COPY none none -> -ERR source and destination objects are the same
        COPY a a DB 1 -> 1
        COPY a a DB 1 -> 0
        COPY a a DB 1 REPLACE -> 1
        COPY a c DB 2 REPLACE -> 1
        SELECT 1 -> +OK
        GET a -> "wx"
        SELECT 2 -> +OK
        GET c -> "wx"
        DBSIZE -> 1
        COPY c d DB 16 -> -ERR DB index is out of range
        COPY c d DB -1 -> -ERR DB index is out of range
        COPY c d DB x -> -ERR value is not an integer or out of range
        COPY c d DB -> -ERR syntax error
        COPY c d WHAT -> -ERR syntax error
        COPY c -> -ERR wrong number of arguments for 'copy' command
    "#

    move_between_databases r#"
        SET a v EX 100 -> +OK
        MOVE a 1 -> 1
        EXISTS a -> 0
        MOVE a 1 -> 0
        SELECT 1 -> +OK
        GET a -> "v"
        TTL a -> 90..100
        SELECT 0 -> +OK
        SET a w -> +OK
        MOVE a 1 -> 0
        GET a -> "w"
        MOVE none 1 -> 0
        MOVE a 0 -> -ERR source and destination objects are the same
        MOVE a 16 -> -ERR DB index is out of range
        MOVE a -1 -> -ERR DB index is out of range
        MOVE a x -> -ERR value is not an integer or out of range
        MOVE a -> -ERR wrong number of arguments for 'move' command
        DBSIZE -> 1
    "#

    databases_are_apart r#"
        SET k zero -> +OK
        SELECT 1 -> +OK
        GET k -> (nil)
        SET k one -> +OK
        SELECT 15 -> +OK
        SET k fifteen -> +OK
        SELECT 0 -> +OK
        GET k -> "zero"
        DBSIZE -> 1
        SELECT 16 -> -ERR DB index is out of range
        SELECT -1 -> -ERR DB index is out of range
        SELECT x -> -ERR value is not an integer or out of range
        SELECT -> -ERR wrong number of arguments for 'select' command
        GET k -> "zero"
        SELECT 15 -> +OK
        GET k -> "fifteen"
        FLUSHDB -> +OK
        DBSIZE -> 0
        GET k -> (nil)
        SELECT 1 -> +OK
        GET k -> "one"
        FLUSHALL -> +OK
        GET k -> (nil)
        SELECT 0 -> +OK
        GET k -> (nil)
        DBSIZE -> 0
    "#

    flush_options r#"
        SET k v -> +OK
        FLUSHDB ASYNC -> +OK
        EXISTS k -> 0
        SET k v -> +OK
        FLUSHDB sync -> +OK
        EXISTS k -> 0
        SET k v -> +OK
        FLUSHALL ASYNC -> +OK
        EXISTS k -> 0
        SET k v -> +OK
        FLUSHALL SYNC -> +OK
        EXISTS k -> 0
        SET k v -> +OK
        FLUSHDB WHAT -> -ERR syntax error
        FLUSHDB ASYNC SYNC -> -ERR syntax error
        FLUSHALL WHAT -> -ERR syntax error
        GET k -> "v"
    "#

    keys_written_after_a_flush_stay r#"
        MSET a 1 b 2 -> +OK
        FLUSHDB -> +OK
        MSET b 3 c 4 -> +OK
        MGET a b c -> [(nil), "3", "4"]
        DBSIZE -> 2
        KEYS * -> unordered ["b", "c"]
    "#

    swapdb_exchanges_databases r#"
        SET k zero -> +OK
        SELECT 1 -> +OK
        SET k one -> +OK
        SET only1 x EX 100 -> +OK
        SWAPDB 0 1 -> +OK
        GET k -> "zero"
        EXISTS only1 -> 0
        DBSIZE -> 1
        SELECT 0 -> +OK
        GET k -> "one"
        TTL only1 -> 90..100
        DBSIZE -> 2
        SWAPDB 0 0 -> +OK
        SWAPDB 1 0 -> +OK
        GET k -> "zero"
        SWAPDB 0 9 -> +OK
        DBSIZE -> 0
        SELECT 9 -> +OK
        GET k -> "zero"
        SWAPDB 0 16 -> -ERR DB index is out of range
        SWAPDB -1 0 -> -ERR DB index is out of range
        SWAPDB x 0 -> -ERR invalid first DB index
        SWAPDB 0 x -> -ERR invalid second DB index
        SWAPDB 0 -> -ERR wrong number of arguments for 'swapdb' command
    "#

    object_encoding_at_redis_thresholds r#"
        SET k 123 -> +OK
        OBJECT ENCODING k -> "int"
        SET k -9223372036854775808 -> +OK
        OBJECT ENCODING k -> "int"
        SET k 9223372036854775808 -> +OK
        OBJECT ENCODING k -> "embstr"
        SET k 0123 -> +OK
        OBJECT ENCODING k -> "embstr"
        SET k "" -> +OK
        OBJECT ENCODING k -> "embstr"
        SET k "x"*40 -> +OK
        OBJECT ENCODING k -> "embstr"
        SET k "x"*44 -> +OK
        @7.0 OBJECT ENCODING k -> "embstr"
        @basalt OBJECT ENCODING k -> "embstr"
        SET k "x"*45 -> +OK
        OBJECT ENCODING k -> "raw"
        MSET k 8 -> +OK
        OBJECT ENCODING k -> "int"
        OBJECT ENCODING none -> (nil)
    "#

    object_subcommands r#"
        unit
        SET k v -> +OK
        OBJECT REFCOUNT k -> 1
        OBJECT REFCOUNT none -> (nil)
        OBJECT IDLETIME none -> (nil)
        OBJECT FREQ none -> (nil)
        OBJECT HELP -> [like "OBJECT <subcommand>*", ...]
        OBJECT WHAT k -> -ERR unknown subcommand 'WHAT'. Try OBJECT HELP.
        OBJECT -> -ERR wrong number of arguments for 'object' command
        OBJECT ENCODING -> -ERR wrong number of arguments for 'object|encoding' command
        OBJECT ENCODING a b -> -ERR wrong number of arguments for 'object|encoding' command
        end
    "#

    commands_on_keys_that_come_and_go r#"
        SET a 1 -> +OK
        DEL a -> 1
        GET a -> (nil)
        SET a 2 -> +OK
        RENAME a b -> +OK
        SET a 3 -> +OK
        RENAME a b -> +OK
        GET b -> "3"
        COPY b a -> 1
        DEL b -> 1
        GET a -> "3"
        MOVE a 3 -> 1
        SET a 4 -> +OK
        SELECT 3 -> +OK
        GET a -> "3"
        SWAPDB 0 3 -> +OK
        GET a -> "4"
        APPEND a 5 -> 2
        SWAPDB 3 0 -> +OK
        GET a -> "3"
        SELECT 0 -> +OK
        GET a -> "45"
        DBSIZE -> 1
    "#
}

behaviour! {
    // In Redis a string's encoding depends on its history until a restart; here the history may be
    // forgotten when the key leaves memory.
    object_encoding_after_changes_in_place [hot cold tiny memory] r#"
        SET k abc -> +OK
        APPEND k d -> 4
        @redis OBJECT ENCODING k -> "raw"
        @basalt OBJECT ENCODING k -> "raw" | "embstr"
        SET k 10 -> +OK
        INCR k -> 11
        OBJECT ENCODING k -> "int"
        INCRBYFLOAT k 1 -> "12"
        @redis OBJECT ENCODING k -> "embstr"
        @basalt OBJECT ENCODING k -> "embstr" | "int"
        SETRANGE k 0 9 -> 2
        @redis OBJECT ENCODING k -> "raw"
        @basalt OBJECT ENCODING k -> "raw" | "int"
        INCR k -> 93
        OBJECT ENCODING k -> "int"
        GETSET k 7 -> "93"
        OBJECT ENCODING k -> "int"
    "#

    object_freq_under_lfu [hot memory] r#"
        server --maxmemory-policy allkeys-lfu
        SET k v -> +OK
        OBJECT FREQ k -> 5..6
        GET k
        OBJECT FREQ k -> 5..7
        OBJECT FREQ none -> (nil)
        @redis OBJECT IDLETIME k -> -ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.
    "#

    object_idletime_under_lru [hot memory] r#"
        server --maxmemory-policy allkeys-lru
        SET k v -> +OK
        OBJECT IDLETIME k -> 0..1
        OBJECT IDLETIME none -> (nil)
        @redis OBJECT FREQ k -> -ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.
    "#

}

behaviour! {
    dump_and_restore_copy_strings r#"
        SET k "hello" -> +OK
        @7.0 DUMP k -> "\x00\x05hello\n\x00cr\xdfve4 \n"
        DUMP missing -> (nil)
        RESTORE l 0 "\x00\x05hello\n\x00cr\xdfve4 \n" -> +OK
        GET l -> "hello"
        TTL l -> -1
        RESTORE l 0 "\x00\xc190\x0a\x00\x9d\x94\xea'\x93\xfc\x08\xb9" REPLACE -> +OK
        GET l -> "12345"
        RESTORE l 0 "\x00\xc3\t@d\x01aa\xe0W\x00\x01aa\n\x00\xe8\xa3\xb5\x07\xb0m\xf2q" replace -> +OK
        STRLEN l -> 100
        @8.2 RESTORE l 0 "\x00\x05hello\x0c\x00\xa8\x04\xeb\xb6\x9f\x1e\xbeC" REPLACE -> +OK
        @8.2 GET l -> "hello"
        SET long "abc"*30000 -> +OK
        DUMP long -> $payload
        RESTORE copy 0 $payload -> +OK
        GET copy -> "abc"*30000
    "#

    restore_sets_the_time_to_live r#"
        RESTORE k 100000 "\x00\x05hello\n\x00cr\xdfve4 \n" -> +OK
        PTTL k -> 90000..100000
        RESTORE k $ms+100000 "\x00\x05hello\n\x00cr\xdfve4 \n" ABSTTL REPLACE -> +OK
        PTTL k -> 90000..100000
        RESTORE k 0 "\x00\x05hello\n\x00cr\xdfve4 \n" REPLACE -> +OK
        TTL k -> -1
        RESTORE k 1 "\x00\x05hello\n\x00cr\xdfve4 \n" REPLACE ABSTTL -> +OK
        EXISTS k -> 0
        RESTORE k 1 "\x00\x05hello\n\x00cr\xdfve4 \n" ABSTTL -> +OK
        EXISTS k -> 0
        RESTORE k 9223372036854775807 "\x00\x05hello\n\x00cr\xdfve4 \n" -> +OK
        EXISTS k -> 0
    "#

    restore_errors r#"
        SET s v -> +OK
        RESTORE k 0 abc -> -ERR DUMP payload version or checksum are wrong
        RESTORE k 0 "" -> -ERR DUMP payload version or checksum are wrong
        RESTORE k 0 "\x00\x05hellO\n\x00cr\xdfve4 \n" -> -ERR DUMP payload version or checksum are wrong
        RESTORE k -1 "\x00\x05hello\n\x00cr\xdfve4 \n" -> -"ERR Invalid TTL value, must be >= 0"
        RESTORE k x abc -> -ERR value is not an integer or out of range
        RESTORE s 0 abc -> -BUSYKEY Target key name already exists.
        RESTORE s x abc -> -BUSYKEY Target key name already exists.
        RESTORE k 0 abc FOO -> -ERR syntax error
        RESTORE k 0 abc IDLETIME -1 -> -"ERR Invalid IDLETIME value, must be >= 0"
        RESTORE k 0 abc FREQ 256 -> -"ERR Invalid FREQ value, must be >= 0 and <= 255"
        RESTORE k 0 abc FREQ -> -ERR syntax error
        RESTORE k 0 abc FREQ 5 IDLETIME 4 -> -ERR syntax error
        RESTORE k 0 abc IDLETIME x -> -ERR value is not an integer or out of range
        RESTORE k 0 -> -ERR wrong number of arguments for 'restore' command
        EXISTS k -> 0
        GET s -> "v"
    "#
}
