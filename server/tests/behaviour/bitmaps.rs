//! Bits of strings: SETBIT and GETBIT, BITCOUNT and BITPOS with ranges, BITOP, BITFIELD.

use crate::behaviour;

behaviour! {
    setbit_grows_and_getbit_reads_beyond_the_end r#"
        SETBIT k 7 1 -> 0
        GET k -> "\x01"
        SETBIT k 7 0 -> 1
        GET k -> "\x00"
        SETBIT k 0 1 -> 0
        SETBIT k 0 1 -> 1
        GET k -> "\x80"
        SETBIT k 23 1 -> 0
        GET k -> "\x80\x00\x01"
        GETBIT k 0 -> 1
        GETBIT k 1 -> 0
        GETBIT k 23 -> 1
        GETBIT k 24 -> 0
        GETBIT k 4294967295 -> 0
        GETBIT missing 0 -> 0
        EXISTS missing -> 0
        SETBIT zero 9 0 -> 0
        GET zero -> "\x00\x00"
        SET n 1 -> +OK
        SETBIT n 6 1 -> 0
        GET n -> "3"
        SETBIT n 6 1 -> 1
        OBJECT ENCODING k -> "raw"
    "#

    setbit_keeps_the_time_to_live r#"
        SET k v EX 100 -> +OK
        SETBIT k 100 1 -> 0
        TTL k -> 90..100
        STRLEN k -> 13
    "#

    setbit_and_getbit_errors r#"
        SETBIT k -1 1 -> -ERR bit offset is not an integer or out of range
        SETBIT k 4294967296 1 -> -ERR bit offset is not an integer or out of range
        SETBIT k x 1 -> -ERR bit offset is not an integer or out of range
        SETBIT k x 2 -> -ERR bit offset is not an integer or out of range
        SETBIT k 0 2 -> -ERR bit is not an integer or out of range
        SETBIT k 0 x -> -ERR bit is not an integer or out of range
        SETBIT k 0 -1 -> -ERR bit is not an integer or out of range
        SETBIT k 0 -> -ERR wrong number of arguments for 'setbit' command
        GETBIT k -1 -> -ERR bit offset is not an integer or out of range
        GETBIT k x -> -ERR bit offset is not an integer or out of range
        GETBIT k 4294967296 -> -ERR bit offset is not an integer or out of range
        GETBIT k -> -ERR wrong number of arguments for 'getbit' command
        EXISTS k -> 0
    "#

    a_bit_that_does_not_change_leaves_watchers_alone r#"
        SETBIT k 3 1 -> 0
        unit
        WATCH k -> +OK
        b> SETBIT k 3 1 -> 1
        MULTI -> +OK
        GETBIT k 3 -> +QUEUED
        EXEC -> [1]
        end
        unit
        WATCH k -> +OK
        b> SETBIT k 3 0 -> 1
        MULTI -> +OK
        GETBIT k 3 -> +QUEUED
        EXEC -> (nil array)
        end
    "#

    bitcount_counts_within_ranges r#"
        SET k foobar -> +OK
        BITCOUNT k -> 26
        BITCOUNT k 0 0 -> 4
        BITCOUNT k 1 1 -> 6
        BITCOUNT k 0 -1 -> 26
        BITCOUNT k 1 -2 -> 18
        BITCOUNT k -2 -1 -> 7
        BITCOUNT k 0 100 -> 26
        BITCOUNT k 3 2 -> 0
        BITCOUNT k -1 -2 -> 0
        BITCOUNT k -100 -200 -> 0
        BITCOUNT k -200 -100 -> 4
        BITCOUNT k 1 1 BYTE -> 6
        BITCOUNT k 5 30 BIT -> 17
        BITCOUNT k 0 0 BIT -> 0
        BITCOUNT k 1 1 bit -> 1
        BITCOUNT k -8 -1 BIT -> 4
        BITCOUNT k 40 100 BIT -> 4
        BITCOUNT k 7 6 BIT -> 0
        BITCOUNT missing -> 0
        BITCOUNT missing 0 -1 BIT -> 0
        SET empty "" -> +OK
        BITCOUNT empty -> 0
        SET long "\xff"*100000 -> +OK
        BITCOUNT long -> 800000
        BITCOUNT long 1 -2 -> 799984
        BITCOUNT long 3 799990 BIT -> 799988
    "#

    bitcount_errors r#"
        SET k foobar -> +OK
        BITCOUNT k 0 -> -ERR syntax error
        BITCOUNT k 0 x -> -ERR value is not an integer or out of range
        BITCOUNT k x 0 -> -ERR value is not an integer or out of range
        BITCOUNT k 0 1 2 -> -ERR syntax error
        BITCOUNT k 0 1 BIT BIT -> -ERR syntax error
        BITCOUNT -> -ERR wrong number of arguments for 'bitcount' command
        @8.2 BITCOUNT missing 0 -> -ERR syntax error
        @8.2 BITCOUNT missing 0 x -> -ERR value is not an integer or out of range
    "#

    bitpos_finds_the_first_bit r#"
        SET k "\xff\xf0\x00" -> +OK
        BITPOS k 0 -> 12
        BITPOS k 1 -> 0
        SET k "\x00\xff\xf0" -> +OK
        BITPOS k 1 0 -> 8
        BITPOS k 1 2 -> 16
        BITPOS k 1 2 -1 -> 16
        BITPOS k 1 7 15 BIT -> 8
        BITPOS k 0 8 15 BIT -> -1
        BITPOS k 0 8 20 BIT -> 20
        BITPOS k 1 -3 -1 BYTE -> 8
        BITPOS k 1 -8 -1 BIT -> 16
        BITPOS k 0 -4 -1 BIT -> 20
        BITPOS k 1 9 9 bit -> 9
        BITPOS k 1 2 1 -> -1
        BITPOS k 0 2 1 -> -1
        BITPOS k 1 100 -> -1
        BITPOS k 0 100 -> -1
        BITPOS k 0 -100 -200 -> 0
        SET k "\x00\x00\x00" -> +OK
        BITPOS k 1 -> -1
        BITPOS k 1 0 -1 -> -1
        SET long "\x00"*50000 -> +OK
        SETBIT long 399000 1 -> 0
        BITPOS long 1 -> 399000
        BITPOS long 1 10 -10 -> 399000
        BITPOS long 1 0 10 -> -1
    "#

    bitpos_of_zero_goes_on_behind_the_end r#"
        SET k "\xff\xff\xff" -> +OK
        BITPOS k 0 -> 24
        BITPOS k 0 1 -> 24
        BITPOS k 0 3 -> -1
        BITPOS k 0 0 -1 -> -1
        BITPOS k 0 0 2 -> -1
        BITPOS k 0 0 -1 BIT -> -1
        BITPOS missing 0 -> 0
        BITPOS missing 1 -> -1
        BITPOS missing 0 5 -> 0
        SET empty "" -> +OK
        BITPOS empty 0 -> -1
        BITPOS empty 1 -> -1
    "#

    bitpos_errors r#"
        SET k v -> +OK
        BITPOS k 2 -> -ERR The bit argument must be 1 or 0.
        BITPOS k -1 -> -ERR The bit argument must be 1 or 0.
        BITPOS k x -> -ERR value is not an integer or out of range
        BITPOS k 0 x -> -ERR value is not an integer or out of range
        BITPOS k 0 0 x -> -ERR value is not an integer or out of range
        BITPOS k 0 0 0 x -> -ERR syntax error
        BITPOS k 0 0 0 BIT BIT -> -ERR syntax error
        BITPOS k -> -ERR wrong number of arguments for 'bitpos' command
        @8.2 BITPOS missing 0 x -> -ERR value is not an integer or out of range
        @8.2 BITPOS missing 0 0 0 x -> -ERR syntax error
    "#

    bitop_combines_values_of_any_length r#"
        SET {t}a "\xff\x0f\x01" -> +OK
        SET {t}b "\x0f\xff" -> +OK
        BITOP AND {t}d {t}a {t}b -> 3
        GET {t}d -> "\x0f\x0f\x00"
        BITOP or {t}d {t}a {t}b -> 3
        GET {t}d -> "\xff\xff\x01"
        BITOP XOR {t}d {t}a {t}b -> 3
        GET {t}d -> "\xf0\xf0\x01"
        BITOP NOT {t}d {t}a -> 3
        GET {t}d -> "\x00\xf0\xfe"
        BITOP AND {t}d {t}a {t}missing -> 3
        GET {t}d -> "\x00\x00\x00"
        BITOP OR {t}d {t}missing {t}b -> 2
        GET {t}d -> "\x0f\xff"
        BITOP XOR {t}d {t}a {t}a -> 3
        GET {t}d -> "\x00\x00\x00"
        BITOP AND {t}a {t}a {t}b -> 3
        GET {t}a -> "\x0f\x0f\x00"
        OBJECT ENCODING {t}b -> "embstr"
        SET {t}n 12 -> +OK
        BITOP AND {t}d {t}n -> 2
        GET {t}d -> "12"
    "#

    bitop_replaces_or_deletes_its_target r#"
        SET {t}a v -> +OK
        SET {t}d old EX 100 -> +OK
        BITOP AND {t}d {t}a -> 1
        TTL {t}d -> -1
        BITOP AND {t}d {t}missing -> 0
        EXISTS {t}d -> 0
        BITOP NOT {t}d {t}missing -> 0
        SET {t}empty "" -> +OK
        SET {t}d old -> +OK
        BITOP OR {t}d {t}empty {t}missing -> 0
        EXISTS {t}d -> 0
        BITOP OR {t}a {t}a {t}a {t}a {t}a {t}a {t}a -> 1
        GET {t}a -> "v"
    "#

    bitop_of_redis_8 r#"
        @8.2 SET {t}a "\xf0\xff" -> +OK
        @8.2 SET {t}b "\xcc\x0f\x81" -> +OK
        @8.2 SET {t}c "\xaa" -> +OK
        @8.2 BITOP DIFF {t}d {t}a {t}b {t}c -> 3
        @8.2 GET {t}d -> "\x10\xf0\x00"
        @8.2 BITOP DIFF1 {t}d {t}a {t}b {t}c -> 3
        @8.2 GET {t}d -> "\x0e\x00\x81"
        @8.2 BITOP ANDOR {t}d {t}a {t}b {t}c -> 3
        @8.2 GET {t}d -> "\xe0\x0f\x00"
        @8.2 BITOP ONE {t}d {t}a {t}b {t}c -> 3
        @8.2 GET {t}d -> "\x16\xf0\x81"
        @8.2 BITOP one {t}d {t}a -> 2
        @8.2 GET {t}d -> "\xf0\xff"
        @8.2 BITOP DIFF {t}d {t}missing {t}a -> 2
        @8.2 GET {t}d -> "\x00\x00"
        @8.2 BITOP DIFF1 {t}d {t}missing {t}a -> 2
        @8.2 GET {t}d -> "\xf0\xff"
        @8.2 BITOP ANDOR {t}d {t}a {t}missing -> 2
        @8.2 GET {t}d -> "\x00\x00"
        @8.2 BITOP DIFF {t}d {t}a -> -ERR BITOP DIFF must be called with at least two source keys.
        @8.2 BITOP diff1 {t}d {t}a -> -ERR BITOP DIFF1 must be called with at least two source keys.
        @8.2 BITOP andor {t}d {t}a -> -ERR BITOP ANDOR must be called with at least two source keys.
    "#

    bitop_errors r#"
        SET {t}a v -> +OK
        BITOP FOO {t}d {t}a -> -ERR syntax error
        BITOP NOT {t}d {t}a {t}a -> -ERR BITOP NOT must be called with a single source key.
        BITOP AND {t}d -> -ERR wrong number of arguments for 'bitop' command
        EXISTS {t}d -> 0
    "#

    bitfield_reads_and_writes_integers r#"
        BITFIELD k SET u8 0 255 GET u8 0 GET u4 4 GET i4 4 GET u8 4 -> [0, 255, 15, -1, 240]
        GET k -> "\xff"
        BITFIELD k SET i5 100 -5 -> [0]
        STRLEN k -> 14
        BITFIELD k GET i5 100 -> [-5]
        BITFIELD k SET u8 #2 7 GET u8 16 -> [0, 7]
        BITFIELD k INCRBY u8 #2 3 INCRBY u8 #2 -4 -> [10, 6]
        BITFIELD k SET i64 #0 -1 GET i64 #0 GET u63 1 -> [-72050996968161280, -1, 9223372036854775807]
        BITFIELD k GET u1 0 GET u1 200 GET i64 1000 -> [1, 0, 0]
        BITFIELD missing GET u8 0 GET i8 #1 -> [0, 0]
        EXISTS missing -> 0
        BITFIELD k -> []
        BITFIELD missing -> []
        BITFIELD k OVERFLOW SAT -> []
        BITFIELD_RO k GET u8 0 GET u8 #1 -> [255, 255]
        BITFIELD_RO k -> []
    "#

    bitfield_overflows_as_asked r#"
        BITFIELD k SET u8 0 250 -> [0]
        BITFIELD k INCRBY u8 0 10 -> [4]
        BITFIELD k OVERFLOW SAT INCRBY u8 0 1000 -> [255]
        BITFIELD k OVERFLOW SAT INCRBY u8 0 -1000 -> [0]
        BITFIELD k OVERFLOW FAIL INCRBY u8 0 -1 GET u8 0 -> [(nil), 0]
        BITFIELD k INCRBY u8 0 -1 -> [255]
        BITFIELD k OVERFLOW FAIL SET u8 0 256 GET u8 0 -> [(nil), 255]
        BITFIELD k SET u8 0 257 GET u8 0 -> [255, 1]
        BITFIELD k OVERFLOW SAT SET u8 0 -5 GET u8 0 -> [1, 255]
        BITFIELD k SET i8 8 127 -> [0]
        BITFIELD k INCRBY i8 8 1 -> [-128]
        BITFIELD k OVERFLOW SAT INCRBY i8 8 -1 -> [-128]
        BITFIELD k OVERFLOW SAT SET i8 8 500 GET i8 8 -> [-128, 127]
        BITFIELD k OVERFLOW sat INCRBY i8 8 1 OVERFLOW wrap INCRBY i8 8 1 OVERFLOW fail INCRBY i8 8 -1 -> [127, -128, (nil)]
        BITFIELD k SET i64 16 9223372036854775807 INCRBY i64 16 1 -> [0, -9223372036854775808]
        BITFIELD k OVERFLOW SAT INCRBY i64 16 -9223372036854775808 -> [-9223372036854775808]
        BITFIELD k OVERFLOW FAIL INCRBY u63 16 9223372036854775807 -> [(nil)]
        BITFIELD k SET u63 16 -1 GET u63 16 -> [4611686018427387904, 9223372036854775807]
        BITFIELD k INCRBY u63 16 1 -> [0]
        BITFIELD low OVERFLOW SAT SET i3 0 -9223372036854775808 GET i3 0 -> [0, 3]
        BITFIELD low OVERFLOW SAT SET i3 0 -9223372036854775000 GET i3 0 -> [3, -4]
        BITFIELD new OVERFLOW FAIL SET u8 100 300 -> [(nil)]
        STRLEN new -> 14
    "#

    bitfield_keeps_the_time_to_live r#"
        SET k v EX 100 -> +OK
        BITFIELD k SET u8 100 1 -> [0]
        TTL k -> 90..100
    "#

    bitfield_errors r#"
        SET k v -> +OK
        BITFIELD k GET u8 -> -ERR syntax error
        BITFIELD k SET u8 0 -> -ERR syntax error
        BITFIELD k SET z 0 -> -ERR syntax error
        BITFIELD k FOO -> -ERR syntax error
        BITFIELD k OVERFLOW -> -ERR syntax error
        BITFIELD k OVERFLOW FOO -> -ERR Invalid OVERFLOW type specified
        BITFIELD k GET u64 0 -> -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        BITFIELD k GET i65 0 -> -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        BITFIELD k GET u0 0 -> -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        BITFIELD k GET x8 0 -> -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        BITFIELD k GET U8 0 -> -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        BITFIELD k GET "" 0 -> -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        BITFIELD k GET u8 -1 -> -ERR bit offset is not an integer or out of range
        BITFIELD k GET u8 x -> -ERR bit offset is not an integer or out of range
        BITFIELD k GET u8 # -> -ERR bit offset is not an integer or out of range
        BITFIELD k GET u8 #-1 -> -ERR bit offset is not an integer or out of range
        BITFIELD k GET u8 4294967296 -> -ERR bit offset is not an integer or out of range
        BITFIELD k GET i64 #9223372036854775807 -> -ERR bit offset is not an integer or out of range
        BITFIELD k SET u8 0 x -> -ERR value is not an integer or out of range
        BITFIELD k SET u8 0 1 GET u99 0 -> -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        GET k -> "v"
        BITFIELD_RO k SET u8 0 1 -> -ERR BITFIELD_RO only supports the GET subcommand
        BITFIELD_RO k GET u8 0 INCRBY u8 0 1 -> -ERR BITFIELD_RO only supports the GET subcommand
        BITFIELD_RO k FOO -> -ERR syntax error
        BITFIELD -> -ERR wrong number of arguments for 'bitfield' command
    "#

    bits_inside_transactions r#"
        MULTI -> +OK
        SETBIT {t}a 5 1 -> +QUEUED
        BITFIELD {t}a INCRBY u8 0 1 -> +QUEUED
        BITOP NOT {t}b {t}a -> +QUEUED
        BITCOUNT {t}b -> +QUEUED
        EXEC -> [0, [5], 1, 6]
        GET {t}a -> "\x05"
        GET {t}b -> "\xfa"
    "#
}
