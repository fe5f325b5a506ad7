//! String commands: GET and SET with all options, several keys at once, counters, ranges, LCS.

use crate::behaviour;

behaviour! {
    get_returns_what_set_stored r#"
        SET k v -> +OK
        GET k -> "v"
        GET missing -> (nil)
        SET k "with space\r\n\x00\xff" -> +OK
        GET k -> "with space\r\n\x00\xff"
        set k lower -> +OK
        gEt k -> "lower"
        GET K -> (nil)
    "#

    empty_and_binary_keys_and_values r#"
        SET "" empty -> +OK
        GET "" -> "empty"
        SET "\x00" zero -> +OK
        SET "\x00\x00" zeroes -> +OK
        GET "\x00" -> "zero"
        GET "\x00\x00" -> "zeroes"
        SET k "" -> +OK
        GET k -> ""
        STRLEN k -> 0
        EXISTS k -> 1
        SET "\xff\xfe\r\n" "\r\n" -> +OK
        GET "\xff\xfe\r\n" -> "\r\n"
        DBSIZE -> 5
        DEL "" "\x00" "\x00\x00" k "\xff\xfe\r\n" -> 5
        DBSIZE -> 0
    "#

    set_nx_and_xx r#"
        SET k v XX -> (nil)
        EXISTS k -> 0
        SET k v NX -> +OK
        SET k w NX -> (nil)
        GET k -> "v"
        SET k w XX -> +OK
        GET k -> "w"
        SET k x nx -> (nil)
        SET k x NX XX -> -ERR syntax error
        SET k x XX NX -> -ERR syntax error
        GET k -> "w"
    "#

    set_get_returns_the_old_value r#"
        SET k v GET -> (nil)
        SET k w GET -> "v"
        SET k x XX GET -> "w"
        SET k y NX GET -> "x"
        GET k -> "x"
        SET other y NX GET -> (nil)
        GET other -> "y"
        SET third y XX GET -> (nil)
        EXISTS third -> 0
        SET k z GET EX 100 -> "x"
        TTL k -> 90..100
        SET k z2 GET KEEPTTL -> "z"
        TTL k -> 90..100
        SET k z3 GET GET -> "z2"
        TTL k -> -1
    "#

    set_expiry_options r#"
        SET k v EX 100 -> +OK
        TTL k -> 90..100
        SET k v PX 100000 -> +OK
        PTTL k -> 90000..100000
        SET k v EXAT $s+100 -> +OK
        TTL k -> 90..100
        SET k v PXAT $ms+100000 -> +OK
        PTTL k -> 90000..100000
        SET k w KEEPTTL -> +OK
        GET k -> "w"
        PTTL k -> 90000..100000
        SET k w -> +OK
        TTL k -> -1
        SET k w EX 100 XX -> +OK
        SET k w NX EX 5000 -> (nil)
        TTL k -> 90..100
        SET n v KEEPTTL -> +OK
        TTL n -> -1
        SET k v ex 100 get -> "w"
    "#

    set_option_errors r#"
        SET -> -ERR wrong number of arguments for 'set' command
        SET k -> -ERR wrong number of arguments for 'set' command
        SET k v WHAT -> -ERR syntax error
        SET k v EX -> -ERR syntax error
        SET k v EX 10 PX 10 -> -ERR syntax error
        SET k v EX 10 KEEPTTL -> -ERR syntax error
        SET k v KEEPTTL EX 10 -> -ERR syntax error
        SET k v EXAT 10 PXAT 10 -> -ERR syntax error
        SET k v EX x -> -ERR value is not an integer or out of range
        SET k v EX 1.5 -> -ERR value is not an integer or out of range
        SET k v EX "" -> -ERR value is not an integer or out of range
        SET k v EX 9223372036854775808 -> -ERR value is not an integer or out of range
        SET k v EX 0 -> -ERR invalid expire time in 'set' command
        SET k v EX -1 -> -ERR invalid expire time in 'set' command
        SET k v PX 0 -> -ERR invalid expire time in 'set' command
        SET k v EXAT 0 -> -ERR invalid expire time in 'set' command
        SET k v PXAT -5 -> -ERR invalid expire time in 'set' command
        SET k v EX 9223372036854775807 -> -ERR invalid expire time in 'set' command
        SET k v EX 9223372036854776 -> -ERR invalid expire time in 'set' command
        SET k v PX 9223372036854775807 -> -ERR invalid expire time in 'set' command
        SET k v EXAT 9223372036854776 -> -ERR invalid expire time in 'set' command
        EXISTS k -> 0
        SET k v PXAT 9223372036854775807 -> +OK
        PEXPIRETIME k -> 9223372036854775807
    "#

    set_ifeq_compares_before_it_writes r#"
        @basalt SET k v IFEQ v -> (nil)
        @basalt EXISTS k -> 0
        @basalt SET k v -> +OK
        @basalt SET k w IFEQ other -> (nil)
        @basalt GET k -> "v"
        @basalt SET k w IFEQ v -> +OK
        @basalt GET k -> "w"
        @basalt SET k x IFEQ other GET -> "w"
        @basalt GET k -> "w"
        @basalt SET k x GET IFEQ w -> "w"
        @basalt GET k -> "x"
        @basalt SET k 10 -> +OK
        @basalt SET k 11 IFEQ 10 EX 100 -> +OK
        @basalt TTL k -> 90..100
        @basalt SET k 12 IFEQ 11 KEEPTTL -> +OK
        @basalt TTL k -> 90..100
        @basalt SET k 13 IFEQ -> -ERR syntax error
        @basalt SET k 13 IFEQ 12 NX -> -ERR syntax error
        @basalt SET k 13 XX IFEQ 12 -> -ERR syntax error
        @basalt SET none v GET IFEQ v -> (nil)
        @basalt EXISTS none -> 0
    "#

    setnx_setex_psetex r#"
        SETNX k v -> 1
        SETNX k w -> 0
        GET k -> "v"
        SETEX k 100 w -> +OK
        GET k -> "w"
        TTL k -> 90..100
        PSETEX k 200000 x -> +OK
        GET k -> "x"
        PTTL k -> 190000..200000
        SETNX k y -> 0
        PTTL k -> 190000..200000
        SETEX k 0 v -> -ERR invalid expire time in 'setex' command
        SETEX k -1 v -> -ERR invalid expire time in 'setex' command
        PSETEX k 0 v -> -ERR invalid expire time in 'psetex' command
        SETEX k 9223372036854775807 v -> -ERR invalid expire time in 'setex' command
        SETEX k ten v -> -ERR value is not an integer or out of range
        SETEX k 10 -> -ERR wrong number of arguments for 'setex' command
        SETNX k -> -ERR wrong number of arguments for 'setnx' command
        PSETEX k 10 a b -> -ERR wrong number of arguments for 'psetex' command
        GET k -> "x"
    "#

    getset_and_getdel r#"
        GETSET k v -> (nil)
        GETSET k w -> "v"
        SET k x EX 100 -> +OK
        GETSET k y -> "x"
        TTL k -> -1
        GETDEL k -> "y"
        GETDEL k -> (nil)
        EXISTS k -> 0
        GETSET k -> -ERR wrong number of arguments for 'getset' command
        GETDEL -> -ERR wrong number of arguments for 'getdel' command
        GETDEL a b -> -ERR wrong number of arguments for 'getdel' command
    "#

    getex_changes_expiry_only r#"
        GETEX k -> (nil)
        GETEX k EX 100 -> (nil)
        EXISTS k -> 0
        SET k v -> +OK
        GETEX k -> "v"
        TTL k -> -1
        GETEX k EX 100 -> "v"
        TTL k -> 90..100
        GETEX k -> "v"
        TTL k -> 90..100
        GETEX k PX 200000 -> "v"
        PTTL k -> 190000..200000
        GETEX k EXAT $s+300 -> "v"
        TTL k -> 290..300
        GETEX k PXAT $ms+400000 -> "v"
        TTL k -> 390..400
        GETEX k PERSIST -> "v"
        TTL k -> -1
        GETEX k PERSIST EX 10 -> -ERR syntax error
        GETEX k EX 10 PERSIST -> -ERR syntax error
        GETEX k EX -> -ERR syntax error
        GETEX k KEEPTTL -> -ERR syntax error
        GETEX k EX 0 -> -ERR invalid expire time in 'getex' command
        GETEX k EX x -> -ERR value is not an integer or out of range
        GETEX k NX -> -ERR syntax error
        GETEX k EXAT 1 -> "v"
        EXISTS k -> 0
    "#

    mget_mset_msetnx r#"
        MSET a 1 b 2 c 3 -> +OK
        MGET a b c none a -> ["1", "2", "3", (nil), "1"]
        MSET a x a y -> +OK
        GET a -> "y"
        MSETNX a 5 d 6 -> 0
        EXISTS d -> 0
        GET a -> "y"
        MSETNX d 6 e 7 d 8 -> 1
        MGET d e -> ["8", "7"]
        SET t v EX 100 -> +OK
        MSET t w -> +OK
        TTL t -> -1
        MGET -> -ERR wrong number of arguments for 'mget' command
        MSET -> -ERR wrong number of arguments for 'mset' command
        MSET a -> -ERR wrong number of arguments for 'mset' command
        MSET a 1 b -> -ERR wrong number of arguments for 'mset' command
        MSETNX a 1 b -> -ERR wrong number of arguments for 'msetnx' command
        MSETNX -> -ERR wrong number of arguments for 'msetnx' command
        DBSIZE -> 6
    "#

    append_and_strlen r#"
        STRLEN k -> 0
        APPEND k abc -> 3
        APPEND k "" -> 3
        APPEND k "\x00d" -> 5
        GET k -> "abc\x00d"
        STRLEN k -> 5
        APPEND n "" -> 0
        @7.0 EXISTS n -> 1
        @8.2 EXISTS n -> 1
        SET e v EX 100 -> +OK
        APPEND e w -> 2
        TTL e -> 90..100
        SET i 12 -> +OK
        APPEND i 3 -> 3
        INCR i -> 124
        APPEND long "x"*3000 -> 3000
        APPEND long "y"*3000 -> 6000
        GETRANGE long 2999 3000 -> "xy"
        APPEND k -> -ERR wrong number of arguments for 'append' command
        STRLEN -> -ERR wrong number of arguments for 'strlen' command
        STRLEN a b -> -ERR wrong number of arguments for 'strlen' command
    "#

    incr_family r#"
        INCR k -> 1
        INCR k -> 2
        DECR k -> 1
        INCRBY k 10 -> 11
        DECRBY k 20 -> -9
        INCRBY k -1 -> -10
        DECRBY k -5 -> -5
        GET k -> "-5"
        DECR new -> -1
        SET k v EX 100 -> +OK
        INCR k -> -ERR value is not an integer or out of range
        SET k 5 EX 100 -> +OK
        INCR k -> 6
        TTL k -> 90..100
        SET k " 5" -> +OK
        INCR k -> -ERR value is not an integer or out of range
        SET k "5 " -> +OK
        INCR k -> -ERR value is not an integer or out of range
        SET k 05 -> +OK
        INCR k -> -ERR value is not an integer or out of range
        SET k +5 -> +OK
        INCR k -> -ERR value is not an integer or out of range
        SET k -0 -> +OK
        INCR k -> -ERR value is not an integer or out of range
        SET k "" -> +OK
        INCR k -> -ERR value is not an integer or out of range
        SET k 1.5 -> +OK
        INCR k -> -ERR value is not an integer or out of range
        INCRBY k x -> -ERR value is not an integer or out of range
        INCRBY k 1.5 -> -ERR value is not an integer or out of range
        INCRBY k -> -ERR wrong number of arguments for 'incrby' command
        INCR -> -ERR wrong number of arguments for 'incr' command
        INCR a b -> -ERR wrong number of arguments for 'incr' command
        DECRBY k -> -ERR wrong number of arguments for 'decrby' command
    "#

    incr_stops_at_the_limits r#"
        SET k 9223372036854775806 -> +OK
        INCR k -> 9223372036854775807
        INCR k -> -ERR increment or decrement would overflow
        GET k -> "9223372036854775807"
        INCRBY k 1 -> -ERR increment or decrement would overflow
        SET k -9223372036854775807 -> +OK
        DECR k -> -9223372036854775808
        DECR k -> -ERR increment or decrement would overflow
        INCRBY k -1 -> -ERR increment or decrement would overflow
        DECRBY k 1 -> -ERR increment or decrement would overflow
        DECRBY k -9223372036854775808 -> -ERR decrement would overflow
        SET k 0 -> +OK
        INCRBY k 9223372036854775807 -> 9223372036854775807
        SET k 9223372036854775808 -> +OK
        INCR k -> -ERR value is not an integer or out of range
        INCRBY k 9223372036854775808 -> -ERR value is not an integer or out of range
    "#

    incrbyfloat r#"
        INCRBYFLOAT k 1.5 -> "1.5"
        INCRBYFLOAT k 1.5 -> "3"
        INCRBYFLOAT k -0.25 -> "2.75"
        INCRBYFLOAT k 1e2 -> "102.75"
        INCRBYFLOAT k 5.0e-1 -> "103.25"
        GET k -> "103.25"
        SET k 10.50 -> +OK
        INCRBYFLOAT k 0.1 -> "10.6"
        SET k 3.0e3 -> +OK
        INCRBYFLOAT k 200 -> "3200"
        SET k 1 EX 100 -> +OK
        INCRBYFLOAT k 0.5 -> "1.5"
        TTL k -> 90..100
        SET k abc -> +OK
        INCRBYFLOAT k 1 -> -ERR value is not a valid float
        SET k " 1" -> +OK
        INCRBYFLOAT k 1 -> -ERR value is not a valid float
        SET k 1 -> +OK
        INCRBYFLOAT k abc -> -ERR value is not a valid float
        INCRBYFLOAT k "" -> -ERR value is not a valid float
        INCRBYFLOAT k nan -> -ERR value is not a valid float
        INCRBYFLOAT k +inf -> -ERR increment would produce NaN or Infinity
        INCRBYFLOAT k -inf -> -ERR increment would produce NaN or Infinity
        INCRBYFLOAT k -> -ERR wrong number of arguments for 'incrbyfloat' command
        GET k -> "1"
        INCRBYFLOAT k -1 -> "0"
        INCR k -> 1
        SET k 0.1 -> +OK
        INCRBYFLOAT k 0.2 -> "0.3"
        SET k 9007199254740993 -> +OK
        INCRBYFLOAT k 1 -> "9007199254740994"
        SET k 1 -> +OK
        INCRBYFLOAT k 0.00000000000000001 -> "1.00000000000000001"
        SET k 0 -> +OK
        INCRBYFLOAT k 0.000000000000000001 -> "0"
        SET k 3 -> +OK
        INCRBYFLOAT k -3 -> "0"
        INCRBYFLOAT k 1e17 -> "100000000000000000"
        INCRBYFLOAT k 0xA -> "100000000000000010"
    "#

    setrange_and_getrange r#"
        SETRANGE k 0 Hello -> 5
        SETRANGE k 5 " World" -> 11
        GET k -> "Hello World"
        SETRANGE k 6 Redis -> 11
        GET k -> "Hello Redis"
        SETRANGE pad 5 x -> 6
        GET pad -> "\x00\x00\x00\x00\x00x"
        SETRANGE none 0 "" -> 0
        SETRANGE none 10 "" -> 0
        EXISTS none -> 0
        SETRANGE k 100 "" -> 11
        SET e v EX 100 -> +OK
        SETRANGE e 1 w -> 2
        TTL e -> 90..100
        SET i 12345 -> +OK
        SETRANGE i 1 9 -> 5
        INCR i -> 19346
        SETRANGE k -1 x -> -ERR offset is out of range
        SETRANGE k x x -> -ERR value is not an integer or out of range
        SETRANGE k 536870911 xx -> -ERR string exceeds maximum allowed size (proto-max-bulk-len)
        SETRANGE k 9223372036854775807 x -> -ERR string exceeds maximum allowed size (proto-max-bulk-len)
        SETRANGE new 536870912 x -> -ERR string exceeds maximum allowed size (proto-max-bulk-len)
        SETRANGE k 0 -> -ERR wrong number of arguments for 'setrange' command
        GETRANGE k 0 4 -> "Hello"
        GETRANGE k -5 -1 -> "Redis"
        GETRANGE k 0 -1 -> "Hello Redis"
        GETRANGE k 0 1000 -> "Hello Redis"
        GETRANGE k -1000 4 -> "Hello"
        GETRANGE k 5 4 -> ""
        GETRANGE k 11 20 -> ""
        GETRANGE k -1 -5 -> ""
        GETRANGE k -1000 -1001 -> anything
        GETRANGE i 0 1 -> "19"
        GETRANGE missing 0 -1 -> ""
        GETRANGE k x 1 -> -ERR value is not an integer or out of range
        GETRANGE k 0 x -> -ERR value is not an integer or out of range
        GETRANGE k 0 -> -ERR wrong number of arguments for 'getrange' command
        SUBSTR k 0 4 -> "Hello"
        SUBSTR k -5 -1 -> "Redis"
        SUBSTR missing 0 -1 -> ""
        SUBSTR k 0 -> -ERR wrong number of arguments for 'substr' command
    "#

    lcs_of_two_strings r#"
        MSET a ohmytext b mynewtext -> +OK
        LCS a b -> "mytext"
        LCS a b LEN -> 6
        LCS a b IDX -> ["matches", [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], "len", 6]
        LCS a b IDX MINMATCHLEN 4 -> ["matches", [[[4, 7], [5, 8]]], "len", 6]
        LCS a b IDX WITHMATCHLEN -> ["matches", [[[4, 7], [5, 8], 4], [[2, 3], [0, 1], 2]], "len", 6]
        LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN -> ["matches", [[[4, 7], [5, 8], 4]], "len", 6]
        LCS a b IDX MINMATCHLEN -5 -> ["matches", [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], "len", 6]
        LCS a none -> ""
        LCS a none LEN -> 0
        LCS none none2 IDX -> ["matches", [], "len", 0]
        LCS a b LEN IDX -> -ERR If you want both the length and indexes, please just use IDX.
        LCS a b WHAT -> -ERR syntax error
        LCS a b IDX MINMATCHLEN -> -ERR syntax error
        LCS a b IDX MINMATCHLEN x -> -ERR value is not an integer or out of range
        LCS a -> -ERR wrong number of arguments for 'lcs' command
        MSET x "\x00\x01\x02" y "\x01\x02\x03" -> +OK
        LCS x y -> "\x01\x02"
        HELLO 3
        LCS a b IDX -> {"matches": [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], "len": 6}
    "#

    values_of_many_sizes r#"
        SET k "a"*43 -> +OK
        STRLEN k -> 43
        SET k "b"*44 -> +OK
        GET k -> "b"*44
        SET k "c"*45 -> +OK
        GET k -> "c"*45
        SET k "d"*255 -> +OK
        GET k -> "d"*255
        SET k "e"*256 -> +OK
        GET k -> "e"*256
        SET k "f"*4095 -> +OK
        GET k -> "f"*4095
        SET k "g"*4097 -> +OK
        GET k -> "g"*4097
        SET k "h"*16384 -> +OK
        GET k -> "h"*16384
        SET k "i"*65537 -> +OK
        GET k -> "i"*65537
        SET k "j"*200000 -> +OK
        GET k -> "j"*200000
        SETRANGE k 150000 JJ -> 200000
        GETRANGE k 149999 150002 -> "jJJj"
        SET "k"*10000 longkey -> +OK
        GET "k"*10000 -> "longkey"
        SET k "" -> +OK
        GET k -> ""
    "#
}
