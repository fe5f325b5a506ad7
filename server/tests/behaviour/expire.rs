//! Times to live: set, read, removed, and keys that vanish.

use crate::behaviour;

behaviour! {
    expire_and_ttl r#"
        EXPIRE none 10 -> 0
        TTL none -> -2
        PTTL none -> -2
        EXPIRETIME none -> -2
        PEXPIRETIME none -> -2
        SET k v -> +OK
        TTL k -> -1
        PTTL k -> -1
        EXPIRETIME k -> -1
        PEXPIRETIME k -> -1
        EXPIRE k 100 -> 1
        TTL k -> 90..100
        PTTL k -> 90000..100000
        EXPIRETIME k -> $s+90..$s+101
        PEXPIRETIME k -> $ms+90000..$ms+100000
        PEXPIRE k 200000 -> 1
        TTL k -> 190..200
        EXPIREAT k 33177117420 -> 1
        EXPIRETIME k -> 33177117420
        PEXPIRETIME k -> 33177117420000
        PEXPIREAT k 33177117420123 -> 1
        PEXPIRETIME k -> 33177117420123
        EXPIRETIME k -> 33177117420
        PERSIST k -> 1
        PERSIST k -> 0
        PERSIST none -> 0
        TTL k -> -1
        GET k -> "v"
    "#

    expire_nx_xx_gt_lt r#"
        SET k v -> +OK
        EXPIRE k 100 XX -> 0
        TTL k -> -1
        EXPIRE k 100 GT -> 0
        TTL k -> -1
        EXPIRE k 100 NX -> 1
        EXPIRE k 200 NX -> 0
        TTL k -> 90..100
        EXPIRE k 50 GT -> 0
        EXPIRE k 200 GT -> 1
        TTL k -> 190..200
        EXPIRE k 300 LT -> 0
        EXPIRE k 100 LT -> 1
        TTL k -> 90..100
        EXPIRE k 150 XX -> 1
        TTL k -> 140..150
        EXPIRE k 160 XX GT -> 1
        EXPIRE k 150 XX LT -> 1
        EXPIREAT k 33177117420 GT -> 1
        EXPIREAT k 33177117420 GT -> 0
        EXPIREAT k 33177117420 LT -> 0
        PEXPIREAT k 33177117419999 LT -> 1
        PEXPIRE k 1000000 lt -> 1
        PERSIST k -> 1
        EXPIRE k 100 LT -> 1
        TTL k -> 90..100
        EXPIRE k 100 NX XX -> -ERR NX and XX, GT or LT options at the same time are not compatible
        EXPIRE k 100 NX GT -> -ERR NX and XX, GT or LT options at the same time are not compatible
        EXPIRE k 100 NX LT -> -ERR NX and XX, GT or LT options at the same time are not compatible
        EXPIRE k 100 GT LT -> -ERR GT and LT options at the same time are not compatible
        EXPIRE k 100 WHAT -> -ERR Unsupported option WHAT
        EXPIRE none 100 NX -> 0
    "#

    expire_errors r#"
        SET k v -> +OK
        EXPIRE k x -> -ERR value is not an integer or out of range
        EXPIRE k 1.5 -> -ERR value is not an integer or out of range
        EXPIRE k 9223372036854775808 -> -ERR value is not an integer or out of range
        EXPIRE k 9223372036854775807 -> -ERR invalid expire time in 'expire' command
        EXPIRE k -9223372036854775808 -> -ERR invalid expire time in 'expire' command
        PEXPIRE k 9223372036854775807 -> -ERR invalid expire time in 'pexpire' command
        EXPIREAT k 9223372036854775807 -> -ERR invalid expire time in 'expireat' command
        EXPIRE k -> -ERR wrong number of arguments for 'expire' command
        PEXPIRE k -> -ERR wrong number of arguments for 'pexpire' command
        EXPIREAT k -> -ERR wrong number of arguments for 'expireat' command
        PEXPIREAT k -> -ERR wrong number of arguments for 'pexpireat' command
        TTL -> -ERR wrong number of arguments for 'ttl' command
        PTTL k k -> -ERR wrong number of arguments for 'pttl' command
        PERSIST -> -ERR wrong number of arguments for 'persist' command
        EXPIRETIME -> -ERR wrong number of arguments for 'expiretime' command
        PEXPIRETIME -> -ERR wrong number of arguments for 'pexpiretime' command
        TTL k -> -1
        PEXPIREAT k 9223372036854775807 -> 1
        PEXPIRETIME k -> 9223372036854775807
    "#

    a_time_in_the_past_deletes r#"
        MSET a 1 b 2 c 3 d 4 e 5 -> +OK
        EXPIRE a 0 -> 1
        EXISTS a -> 0
        EXPIRE b -1 -> 1
        EXISTS b -> 0
        EXPIREAT c 1 -> 1
        EXISTS c -> 0
        PEXPIREAT d 0 -> 1
        EXISTS d -> 0
        PEXPIRE e -1000 -> 1
        EXISTS e -> 0
        DBSIZE -> 0
        SET f v PXAT 1 -> +OK
        EXISTS f -> 0
        SET f v EXAT 1 GET -> (nil)
        EXISTS f -> 0
        SET f w -> +OK
        EXPIREAT f 1 GT -> 0
        EXISTS f -> 1
        EXPIREAT f 1 XX -> 0
        EXISTS f -> 1
        EXPIREAT f 1 LT -> 1
        EXISTS f -> 0
    "#

    a_key_vanishes_at_its_time r#"
        SET stays v -> +OK
        SET k v PX 60 -> +OK
        SET l v PX 60 -> +OK
        wait 80ms
        GET k -> (nil)
        EXISTS l -> 0
        TTL k -> -2
        TYPE k -> +none
        KEYS * -> ["stays"]
        RANDOMKEY -> "stays"
        until 3000ms: DBSIZE -> 1
        SCAN 0 COUNT 1000 -> ["0", ["stays"]]
    "#

    an_expired_key_is_as_good_as_none r#"
        MSET a 1 b 2 c 3 d 4 e 5 f 6 g 7 -> +OK
        PEXPIRE a 40 -> 1
        PEXPIRE b 40 -> 1
        PEXPIRE c 40 -> 1
        PEXPIRE d 40 -> 1
        PEXPIRE e 40 -> 1
        PEXPIRE f 40 -> 1
        PEXPIRE g 40 -> 1
        wait 60ms
        SET a new NX -> +OK
        TTL a -> -1
        APPEND b x -> 1
        TTL b -> -1
        INCR c -> 1
        TTL c -> -1
        GETSET d new -> (nil)
        RENAME e h -> -ERR no such key
        PERSIST e -> 0
        EXPIRE e 100 -> 0
        SET f v XX -> (nil)
        COPY g h -> 0
        DEL g -> 0
        until 3000ms: DBSIZE -> 4
    "#

    overwriting_removes_expiry_and_updating_keeps_it r#"
        SET k 1 EX 100 -> +OK
        INCR k -> 2
        TTL k -> 90..100
        APPEND k 3 -> 2
        TTL k -> 90..100
        SETRANGE k 0 9 -> 2
        TTL k -> 90..100
        GETSET k 5 -> "93"
        TTL k -> -1
        EXPIRE k 100 -> 1
        SET k v -> +OK
        TTL k -> -1
        EXPIRE k 100 -> 1
        DEL k -> 1
        SET k v -> +OK
        TTL k -> -1
    "#

    an_expiry_that_is_moved_ahead_counts r#"
        unit
        SET k v PX 400 -> +OK
        SET l v PX 400 -> +OK
        PEXPIRE k 100000 -> 1
        PERSIST l -> 1
        end
        wait 420ms
        GET k -> "v"
        GET l -> "v"
        SET m v EX 100 -> +OK
        PEXPIRE m 30 -> 1
        wait 50ms
        GET m -> (nil)
        SET n v PX 30 -> +OK
        SET n w -> +OK
        wait 50ms
        GET n -> "w"
    "#
}

behaviour! {
    keys_vanish_without_being_asked_for [hot cold tiny memory] r#"
        server
        SET a v PX 40 -> +OK
        SET b v PX 40 -> +OK
        SELECT 3 -> +OK
        SET c v PX 40 -> +OK
        wait 50ms
        until 3000ms: DBSIZE -> 0
        SELECT 0 -> +OK
        until 3000ms: DBSIZE -> 0
        INFO stats -> like "*expired_keys:3*"
    "#

    active_expiry_can_be_switched_off [hot memory] r#"
        server
        DEBUG SET-ACTIVE-EXPIRE 0 -> +OK
        SET k v PX 20 -> +OK
        wait 300ms
        DBSIZE -> 1
        GET k -> (nil)
        DBSIZE -> 0
        SET k v PX 20 -> +OK
        DEBUG SET-ACTIVE-EXPIRE 1 -> +OK
        until 3000ms: DBSIZE -> 0
    "#

    a_key_that_expired_while_the_server_was_down_is_gone [restart] r#"
        SET k v PX 30 -> +OK
        SET l v -> +OK
        wait 60ms
        crash
        GET k -> (nil)
        GET l -> "v"
        until 3000ms: DBSIZE -> 1
    "#
}
