//! Strings that are long and changed in place: every command that reads or writes a string works on them as on others.

use crate::behaviour;

behaviour! {
    a_bit_far_out_is_counted_found_and_read r#"
        SETBIT k 4294967295 1 -> 0
        STRLEN k -> 536870912
        GETBIT k 4294967295 -> 1
        GETBIT k 4294967294 -> 0
        BITCOUNT k -> 1
        BITCOUNT k -1 -1 -> 1
        BITCOUNT k 0 -2 -> 0
        BITCOUNT k 4294967295 -1 BIT -> 1
        BITPOS k 1 -> 4294967295
        BITPOS k 0 -> 0
        BITPOS k 0 -1 -> 4294967288
        BITPOS k 1 0 -2 -> -1
        BITPOS k 1 100 -1 BIT -> 4294967295
        GETRANGE k -3 -1 -> "\x00\x00\x01"
        GETRANGE k 1000000 1000002 -> "\x00\x00\x00"
        SETRANGE k 100000 ab -> 536870912
        BITCOUNT k -> 7
        BITPOS k 1 -> 800001
        BITPOS k 0 100000 -> 800000
        SETBIT k 4294967295 0 -> 1
        SETBIT k 4294967295 0 -> 0
        BITCOUNT k -> 6
        STRLEN k -> 536870912
        APPEND k x -> -ERR string exceeds maximum allowed size (proto-max-bulk-len)
        SETRANGE k 536870911 xy -> -ERR string exceeds maximum allowed size (proto-max-bulk-len)
        TYPE k -> +string
        OBJECT ENCODING k -> "raw"
        DEL k -> 1
        EXISTS k -> 0
    "#

    a_bit_far_out_costs_little [hot cold restart memory] r#"
        SETBIT k 4294967295 1 -> 0
        @basalt MEMORY USAGE k -> 1..200
    "#

    who_watches_is_told_even_of_a_write_of_nothing [hot cold tiny memory replica] r#"
        SETRANGE k 20000 "tail" -> 20004
        WATCH k -> +OK
        APPEND k "" -> 20004
        MULTI -> +OK
        EXEC -> (nil array)
        WATCH k -> +OK
        SETRANGE k 10000 "\x00" -> 20004
        MULTI -> +OK
        EXEC -> (nil array)
    "#

    every_reader_gets_the_bytes r#"
        SETRANGE k 20000 "tail" -> 20004
        GET k -> "\x00"*20000"tail"
        STRLEN k -> 20004
        GETRANGE k 19998 -1 -> "\x00\x00tail"
        SUBSTR k -2 -1 -> "il"
        GETRANGE k 20004 20010 -> ""
        MGET k missing k -> ["\x00"*20000"tail", (nil), "\x00"*20000"tail"]
        GETEX k PERSIST -> "\x00"*20000"tail"
        SET small tail -> +OK
        LCS k small -> "tail"
        LCS k small LEN -> 4
        LCS small k IDX -> ["matches", [[[0, 3], [20000, 20003]]], "len", 4]
        GETSET k new -> "\x00"*20000"tail"
        GET k -> "new"
        SETRANGE k 20000 "tail" -> 20004
        SET k other GET -> "new""\x00"*19997"tail"
        GET k -> "other"
        SETRANGE k 17000 x -> 17001
        SET k y XX KEEPTTL -> +OK
        GET k -> "y"
        SETRANGE k 17000 x -> 17001
        GETDEL k -> "y""\x00"*16999"x"
        EXISTS k -> 0
    "#

    writers_keep_what_they_do_not_write r#"
        SET k "a"*30000 EX 1000 -> +OK
        SETRANGE k 10 bcd -> 30000
        GETRANGE k 8 14 -> "aabcdaa"
        SETRANGE k 4044 "\x00"*8 -> 30000
        GETRANGE k 4040 4055 -> "aaaa\x00\x00\x00\x00\x00\x00\x00\x00aaaa"
        APPEND k end -> 30003
        GETRANGE k -5 -1 -> "aaend"
        SETRANGE k 40000 "" -> 30003
        SETBIT k 320000 1 -> 0
        STRLEN k -> 40001
        GETRANGE k 29998 30005 -> "aaend\x00\x00\x00"
        GETRANGE k 39998 -1 -> "\x00\x00\x80"
        BITFIELD k SET u8 0 255 GET i8 8 INCRBY u16 #20100 5 GET u32 #10000 -> [97, 97, 5, 2147483648]
        GETRANGE k 0 1 -> "\xffa"
        BITFIELD_RO k GET u8 0 GET u4 320004 GET u8 999999 -> [255, 0, 0]
        BITFIELD k OVERFLOW FAIL INCRBY u2 800000 7 -> [(nil)]
        STRLEN k -> 100001
        TTL k -> 900..1000
        PERSIST k -> 1
        TTL k -> -1
        EXPIRE k 500 -> 1
        TTL k -> 400..500
    "#

    it_is_not_a_number_nor_anything_else r#"
        SETRANGE k 20000 1 -> 20001
        INCR k -> -ERR value is not an integer or out of range
        DECRBY k 3 -> -ERR value is not an integer or out of range
        INCRBYFLOAT k 1 -> -ERR value is not a valid float
        HSET k f v -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LPUSH k v -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SADD k v -> -WRONGTYPE Operation against a key holding the wrong kind of value
        PFADD k v -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFCOUNT k -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFMERGE k -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        SETNX k v -> 0
        MSETNX k v l w -> 0
        SET k v NX -> (nil)
        HSET h f v -> 1
        SETRANGE h 20000 x -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SETBIT h 200000 1 -> -WRONGTYPE Operation against a key holding the wrong kind of value
        APPEND h x -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BITCOUNT h -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BITOP OR d k h -> -WRONGTYPE Operation against a key holding the wrong kind of value
        MGET h k -> [(nil), "\x00"*20000"1"]
        LCS k h -> -ERR The specified keys must contain string values
    "#

    a_hyperloglog_that_was_made_too_long_is_none r#"
        PFADD h a b c -> 1
        PFCOUNT h -> 3
        SETRANGE h 17000 x -> 17001
        PFCOUNT h -> 3
        PFADD h d -> -INVALIDOBJ Corrupted HLL object detected
        PFMERGE d h -> -INVALIDOBJ Corrupted HLL object detected
    "#

    bitop_of_sparse_bitmaps r#"
        SETBIT {k}a 800000 1 -> 0
        SETBIT {k}a 4000000000 1 -> 0
        SETBIT {k}b 800001 1 -> 0
        SETBIT {k}b 4000000000 1 -> 0
        SET {k}s "\xff\x0f" -> +OK
        BITOP OR {k}d {k}a {k}b {k}s -> 500000001
        BITCOUNT {k}d -> 15
        GETRANGE {k}d 0 2 -> "\xff\x0f\x00"
        GETRANGE {k}d 99999 100001 -> "\x00\xc0\x00"
        BITOP AND {k}d {k}a {k}b -> 500000001
        BITCOUNT {k}d -> 1
        BITPOS {k}d 1 -> 4000000000
        BITOP AND {k}d {k}a {k}missing -> 500000001
        BITCOUNT {k}d -> 0
        STRLEN {k}d -> 500000001
        DEL {k}d -> 1
        BITOP XOR {k}a {k}a {k}b -> 500000001
        BITCOUNT {k}a -> 2
        BITPOS {k}a 1 -> 800000
        BITPOS {k}a 1 100001 -> -1
        BITOP XOR {k}a {k}s {k}a -> 500000001
        BITCOUNT {k}a -> 14
        DEL {k}a -> 1
        SETBIT {k}a 200000 1 -> 0
        BITOP NOT {k}d {k}a -> 25001
        BITCOUNT {k}d -> 200007
        GETBIT {k}d 200000 -> 0
        SETRANGE {k}d 30000 "x" -> 30001
        BITOP AND {k}s {k}d {k}s -> 30001
        BITCOUNT {k}s -> 12
        DEL {k}b -> 1
    "#

    bitop_of_sparse_bitmaps_as_in_8_2 r#"
        SETBIT {k}a 800000 1 -> 0
        SETBIT {k}a 4000000000 1 -> 0
        SETBIT {k}b 800001 1 -> 0
        SETBIT {k}b 4000000000 1 -> 0
        @8.2 BITOP DIFF {k}d {k}a {k}b -> 500000001
        @8.2 BITCOUNT {k}d -> 1
        @8.2 BITPOS {k}d 1 -> 800000
        @8.2 BITOP DIFF1 {k}d {k}a {k}b -> 500000001
        @8.2 BITPOS {k}d 1 -> 800001
        @8.2 BITOP ANDOR {k}d {k}a {k}b {k}missing -> 500000001
        @8.2 BITPOS {k}d 1 -> 4000000000
        @8.2 BITCOUNT {k}d -> 1
        @8.2 BITOP ONE {k}d {k}a {k}b {k}b -> 500000001
        @8.2 BITCOUNT {k}d -> 1
        @8.2 BITPOS {k}d 1 -> 800000
        DEL {k}a {k}b {k}d -> 2..3
    "#

    copies_are_values_of_their_own r#"
        SETBIT {t}a 1000000 1 -> 0
        EXPIRE {t}a 1000 -> 1
        COPY {t}a {t}b -> 1
        SETBIT {t}b 5 1 -> 0
        BITCOUNT {t}a -> 1
        BITCOUNT {t}b -> 2
        TTL {t}b -> 900..1000
        RENAME {t}b {t}c -> +OK
        EXISTS {t}b -> 0
        BITCOUNT {t}c -> 2
        STRLEN {t}c -> 125001
        TTL {t}c -> 900..1000
        RENAMENX {t}c {t}a -> 0
        SET {t}d plain -> +OK
        COPY {t}a {t}d REPLACE -> 1
        BITPOS {t}d 1 -> 1000000
        MOVE {t}d 1 -> 1
        EXISTS {t}d -> 0
        SELECT 1
        BITPOS {t}d 1 -> 1000000
        TTL {t}d -> 900..1000
        RENAME {t}d {t}e -> +OK
        RENAME {t}e {t}d -> +OK
        HSET {t}h f v -> 1
        RENAME {t}d {t}h -> +OK
        BITCOUNT {t}h -> 1
        SELECT 0
    "#

    it_is_watched_and_expires r#"
        SETRANGE k 20000 x -> 20001
        unit
        WATCH k -> +OK
        b> SETBIT k 3 1 -> 0
        MULTI -> +OK
        GET k -> +QUEUED
        EXEC -> (nil array)
        WATCH k -> +OK
        b> SETBIT k 3 1 -> 1
        MULTI -> +OK
        STRLEN k -> +QUEUED
        APPEND k y -> +QUEUED
        SETBIT k 0 1 -> +QUEUED
        BITCOUNT k -> +QUEUED
        EXEC -> [20001, 20002, 0, 11]
        end
        PEXPIRE k 1 -> 1
        wait 20ms
        EXISTS k -> 0
        SETBIT k 7 1 -> 0
        STRLEN k -> 1
    "#

    dumps_are_those_of_a_plain_string [hot cold memory] r#"
        SETRANGE k 20000 tail -> 20004
        DUMP k -> $dump
        RESTORE r 0 $dump -> +OK
        GET r -> "\x00"*20000"tail"
        SET p "\x00"*20000"tail" -> +OK
        DUMP p -> $plain
        RESTORE k 0 $plain REPLACE -> +OK
        GET k -> "\x00"*20000"tail"
    "#

    digests_are_those_of_a_plain_string [hot cold memory] r#"
        SETRANGE k 20000 tail -> 20004
        SET p "\x00"*20000"tail" -> +OK
        DEBUG DIGEST-VALUE k p -> [+8d45f161f5b79494a858ce5695e3ea3048f9c507, +8d45f161f5b79494a858ce5695e3ea3048f9c507]
    "#
}
