//! Fields of hashes that expire. Each reply is that of a redis-server 8.2; one of 7 knows none of it.

use crate::behaviour;

behaviour! {
    deadlines_of_fields_are_set_and_told r#"
        @8.2 HSET h a 1 b 2 c 3 -> 3
        @8.2 HEXPIRE h 100 FIELDS 2 a b -> [1, 1]
        @8.2 HEXPIRE h 100 FIELDS 2 a zz -> [1, -2]
        @8.2 HEXPIRE nokey 100 FIELDS 2 a b -> [-2, -2]
        @8.2 HTTL h FIELDS 4 a b c zz -> [99..100, 99..100, -1, -2]
        @8.2 HPTTL h FIELDS 2 a zz -> [90000..100000, -2]
        @8.2 HTTL nokey FIELDS 2 a b -> [-2, -2]
        @8.2 HPEXPIRE h 200000 FIELDS 1 a -> [1]
        @8.2 HTTL h FIELDS 1 a -> [190..200]
        @8.2 HEXPIREAT h 33177117420 FIELDS 1 a -> [1]
        @8.2 HEXPIRETIME h FIELDS 2 a zz -> [33177117420, -2]
        @8.2 HPEXPIREAT h 33177117420123 FIELDS 1 a -> [1]
        @8.2 HPEXPIRETIME h FIELDS 2 a c -> [33177117420123, -1]
        @8.2 HEXPIRETIME h FIELDS 1 a -> [33177117421]
        @8.2 HPERSIST h FIELDS 3 a c zz -> [1, -1, -2]
        @8.2 HPERSIST h FIELDS 1 a -> [-1]
        @8.2 HPERSIST nokey FIELDS 1 a -> [-2]
        @8.2 HTTL h FIELDS 2 a b -> [-1, 90..100]
        @8.2 HGETALL h -> unordered ["a", "1", "b", "2", "c", "3"]
        @8.2 OBJECT ENCODING h -> "listpackex"
        @8.2 HPERSIST h FIELDS 1 b -> [1]
        @8.2 HLEN h -> 3
    "#

    conditions_of_hexpire r#"
        @8.2 HSET h a 1 c 3 -> 2
        @8.2 HEXPIRE h 100 XX FIELDS 1 a -> [0]
        @8.2 HEXPIRE h 100 GT FIELDS 1 a -> [0]
        @8.2 HEXPIRE h 100 NX FIELDS 1 a -> [1]
        @8.2 HEXPIRE h 100 nx FIELDS 2 a c -> [0, 1]
        @8.2 HEXPIRE h 50 GT FIELDS 1 c -> [0]
        @8.2 HEXPIRE h 50 LT FIELDS 1 c -> [1]
        @8.2 HEXPIRE h 500 XX FIELDS 1 c -> [1]
        @8.2 HEXPIRE h 500 GT FIELDS 1 zz -> [-2]
        @8.2 HEXPIRE h 600 GT fields 2 a c -> [1, 1]
        @8.2 HTTL h FIELDS 2 a c -> [590..600, 590..600]
        @8.2 HPERSIST h FIELDS 1 a -> [1]
        @8.2 HEXPIRE h 100 LT FIELDS 1 a -> [1]
        @8.2 HEXPIRE h 0 GT FIELDS 1 a -> [0]
        @8.2 HEXPIREAT h 1 NX FIELDS 1 a -> [0]
        @8.2 HEXPIREAT h 1 LT FIELDS 1 a -> [2]
        @8.2 HGETALL h -> ["c", "3"]
    "#

    errors_of_hexpire_and_its_kin r#"
        @8.2 HSET h a 1 -> 1
        @8.2 SET s v -> +OK
        @8.2 HEXPIRE h 100 -> -ERR wrong number of arguments for 'hexpire' command
        @8.2 HEXPIRE h 100 FIELDS 0 a -> -ERR Parameter `numFields` should be greater than 0
        @8.2 HEXPIRE h 100 FIELDS x a -> -ERR Parameter `numFields` should be greater than 0
        @8.2 HEXPIRE h 100 FIELDS 2 a -> -ERR The `numfields` parameter must match the number of arguments
        @8.2 HEXPIRE h 100 FIELDS 1 a b -> -ERR The `numfields` parameter must match the number of arguments
        @8.2 HEXPIRE h x FIELDS 1 a -> -ERR value is not an integer or out of range
        @8.2 HEXPIRE h -1 FIELDS 1 a -> -ERR invalid expire time, must be >= 0
        @8.2 HEXPIRE h 9223372036854775807 FIELDS 1 a -> -ERR invalid expire time in 'hexpire' command
        @8.2 HPEXPIREAT h 70368744177664 FIELDS 1 a -> -ERR invalid expire time in 'hpexpireat' command
        @8.2 HPEXPIREAT h 70368744177663 FIELDS 1 a -> [1]
        @8.2 HPEXPIRETIME h FIELDS 1 a -> [70368744177663]
        @8.2 HEXPIRE h 100 NX XX FIELDS 1 a -> -ERR Mandatory argument FIELDS is missing or not at the right position
        @8.2 HEXPIRE h 100 FOO FIELDS 1 a -> -ERR Mandatory argument FIELDS is missing or not at the right position
        @8.2 HEXPIRE s x FIELDS 1 a -> -WRONGTYPE Operation against a key holding the wrong kind of value
        @8.2 HTTL h FIELDS 0 a -> -ERR Number of fields must be a positive integer
        @8.2 HTTL h FIELDS 2 a -> -ERR The `numfields` parameter must match the number of arguments
        @8.2 HTTL h FOO 1 a -> -ERR Mandatory argument FIELDS is missing or not at the right position
        @8.2 HTTL s FIELDS 2 a -> -WRONGTYPE Operation against a key holding the wrong kind of value
        @8.2 HPERSIST h FIELDS x a -> -ERR Number of fields must be a positive integer
        @8.2 HPERSIST s FIELDS 1 a -> -WRONGTYPE Operation against a key holding the wrong kind of value
    "#

    a_past_time_deletes_fields_and_at_last_the_hash r#"
        @8.2 HSET h a 1 b 2 c 3 -> 3
        @8.2 HEXPIREAT h 1 FIELDS 2 a zz -> [2, -2]
        @8.2 HEXISTS h a -> 0
        @8.2 HEXPIRE h 0 FIELDS 1 b -> [2]
        @8.2 HGETALL h -> ["c", "3"]
        @8.2 HPEXPIREAT h 0 FIELDS 2 c c -> [2, -2]
        @8.2 EXISTS h -> 0
        @8.2 DBSIZE -> 0
    "#

    fields_vanish_in_time r#"
        @8.2 HSET h a 1 b 2 c 3 -> 3
        @8.2 HPEXPIRE h 40 FIELDS 2 a b -> [1, 1]
        @8.2 wait 60ms
        @8.2 HGETALL h -> ["c", "3"]
        @8.2 HKEYS h -> ["c"]
        @8.2 HVALS h -> ["3"]
        @8.2 HMGET h a b c -> [(nil), (nil), "3"]
        @8.2 HGET h a -> (nil)
        @8.2 HEXISTS h a -> 0
        @8.2 HSTRLEN h a -> 0
        @8.2 HSCAN h 0 -> ["0", ["c", "3"]]
        @8.2 HRANDFIELD h -> "c"
        @8.2 HRANDFIELD h 9 -> ["c"]
        @8.2 HRANDFIELD h -2 -> ["c", "c"]
        @8.2 HTTL h FIELDS 2 a c -> [-2, -1]
        @8.2 HEXPIRE h 100 FIELDS 1 a -> [-2]
        @8.2 HPERSIST h FIELDS 1 b -> [-2]
        @8.2 until 3000ms: HLEN h -> 1
        @8.2 HSETNX h a 7 -> 1
        @8.2 HINCRBY h b 7 -> 7
        @8.2 HTTL h FIELDS 2 a b -> [-1, -1]
        @8.2 HPEXPIRE h 30 FIELDS 3 a b c -> [1, 1, 1]
        @8.2 wait 50ms
        @8.2 HGETALL h -> []
        @8.2 until 3000ms: EXISTS h -> 0
        @8.2 until 3000ms: DBSIZE -> 0
    "#

    writing_a_field_takes_its_deadline_away_or_keeps_it r#"
        @8.2 HSET h a 1 b 2 c 3 d 4 -> 4
        @8.2 HEXPIRE h 100 FIELDS 4 a b c d -> [1, 1, 1, 1]
        @8.2 HSET h a 5 -> 0
        @8.2 HINCRBY h b 5 -> 7
        @8.2 HINCRBYFLOAT h c 0.5 -> "3.5"
        @8.2 HSETNX h d 9 -> 0
        @8.2 HTTL h FIELDS 4 a b c d -> [-1, 90..100, 90..100, 90..100]
        @8.2 HDEL h d -> 1
        @8.2 HSET h d 1 -> 1
        @8.2 HTTL h FIELDS 1 d -> [-1]
        @8.2 HGETDEL h FIELDS 2 b zz -> ["7", (nil)]
        @8.2 HGETALL h -> unordered ["a", "5", "c", "3.5", "d", "1"]
    "#

    counting_from_a_field_that_was r#"
        @8.2 HSET h a 5 b 6 -> 2
        @8.2 EXPIRE h 1000 -> 1
        @8.2 HPEXPIRE h 20 FIELDS 1 a -> [1]
        @8.2 wait 40ms
        @8.2 HINCRBY h a 3 -> 3
        @8.2 HPEXPIRE h 20 FIELDS 1 a -> [1]
        @8.2 wait 40ms
        @8.2 HINCRBYFLOAT h a 1.5 -> "1.5"
        @8.2 HPEXPIRE h 20 FIELDS 1 a -> [1]
        @8.2 wait 40ms
        @8.2 HSETNX h a 4 -> 1
        @8.2 HGETALL h -> unordered ["a", "4", "b", "6"]
        @8.2 TTL h -> 900..1000
        @8.2 HPEXPIRE h 20 FIELDS 2 a b -> [1, 1]
        @8.2 wait 40ms
        @8.2 HGETDEL h FIELDS 2 a b -> [(nil), (nil)]
        @8.2 EXISTS h -> 0
    "#

    hgetex r#"
        @8.2 HGETEX h FIELDS 2 a b -> [(nil), (nil)]
        @8.2 HSET h a 1 b 2 c 3 -> 3
        @8.2 SET s v -> +OK
        @8.2 HGETEX h FIELDS 1 -> -ERR wrong number of arguments for 'hgetex' command
        @8.2 HGETEX h FIELDS 0 a -> -ERR Number of fields must be a positive integer
        @8.2 HGETEX h FIELDS 2 a -> -ERR The `numfields` parameter must match the number of arguments
        @8.2 HGETEX h FIELDS 2 a zz -> ["1", (nil)]
        @8.2 HGETEX h EX 100 FIELDS 2 a zz -> ["1", (nil)]
        @8.2 HTTL h FIELDS 2 a zz -> [90..100, -2]
        @8.2 HGETEX h FIELDS 1 a -> ["1"]
        @8.2 HTTL h FIELDS 1 a -> [90..100]
        @8.2 HGETEX h PX 200000 FIELDS 1 a -> ["1"]
        @8.2 HTTL h FIELDS 1 a -> [190..200]
        @8.2 HGETEX h EXAT 33177117420 FIELDS 1 a -> ["1"]
        @8.2 HPEXPIRETIME h FIELDS 1 a -> [33177117420000]
        @8.2 HGETEX h PXAT 33177117420123 FIELDS 1 a -> ["1"]
        @8.2 HPEXPIRETIME h FIELDS 1 a -> [33177117420123]
        @8.2 HGETEX h PERSIST FIELDS 2 a b -> ["1", "2"]
        @8.2 HTTL h FIELDS 1 a -> [-1]
        @8.2 HGETEX h EX 100 PX 100 FIELDS 1 a -> -ERR Mandatory argument FIELDS is missing or not at the right position
        @8.2 HGETEX h EX FIELDS 1 a -> -ERR value is not an integer or out of range
        @8.2 HGETEX h EX -1 FIELDS 1 a -> -ERR invalid expire time, must be >= 0
        @8.2 HGETEX h EX 9223372036854775807 FIELDS 1 a -> -ERR invalid expire time in 'hgetex' command
        @8.2 HGETEX h FOO FIELDS 1 b -> -ERR Mandatory argument FIELDS is missing or not at the right position
        @8.2 HGETEX s FOO FIELDS 1 b -> -WRONGTYPE Operation against a key holding the wrong kind of value
        @8.2 HGETEX h EX 0 FIELDS 1 a -> ["1"]
        @8.2 HGETALL h -> unordered ["b", "2", "c", "3"]
        @8.2 HGETEX h PXAT 1 FIELDS 2 b c -> ["2", "3"]
        @8.2 EXISTS h -> 0
    "#

    hsetex r#"
        @8.2 SET s v -> +OK
        @8.2 HSETEX h FIELDS 1 a -> -ERR wrong number of arguments for 'hsetex' command
        @8.2 HSETEX h FIELDS 1 a 1 -> 1
        @8.2 HSETEX h FIELDS 2 a 1 b -> -ERR wrong number of arguments for 'hsetex' command
        @8.2 HSETEX h FIELDS 0 a 1 -> -ERR invalid number of fields
        @8.2 HSETEX h EX 100 FIELDS 2 a 1 b 2 -> 1
        @8.2 HTTL h FIELDS 2 a b -> [90..100, 90..100]
        @8.2 HSETEX h FIELDS 1 a 3 -> 1
        @8.2 HSETEX h KEEPTTL FIELDS 1 b 3 -> 1
        @8.2 HTTL h FIELDS 2 a b -> [-1, 90..100]
        @8.2 HSETEX h FNX FIELDS 2 a 9 z 9 -> 0
        @8.2 HSETEX h FNX FIELDS 2 y 9 z 9 -> 1
        @8.2 HSETEX h FXX FIELDS 2 y 8 q 9 -> 0
        @8.2 HSETEX h FXX PXAT 33177117420123 FIELDS 2 y 8 z 8 -> 1
        @8.2 HPEXPIRETIME h FIELDS 2 y z -> [33177117420123, 33177117420123]
        @8.2 HMGET h a b y z q -> ["3", "3", "8", "8", (nil)]
        @8.2 HSETEX h FXX FNX FIELDS 1 y 8 -> -ERR Only one of FXX or FNX arguments can be specified
        @8.2 HSETEX h EX 10 KEEPTTL FIELDS 1 y 8 -> -ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified
        @8.2 HSETEX h EX x FIELDS 1 y 8 -> -ERR value is not an integer or out of range
        @8.2 HSETEX h EX -1 FIELDS 1 y 8 -> -ERR invalid expire time, must be >= 0
        @8.2 HSETEX h EX 10 FOO 1 y -> -ERR unknown argument: FOO
        @8.2 HSETEX s FOO FIELDS 1 a 1 -> -ERR unknown argument: FOO
        @8.2 HSETEX s EX 10 FIELDS 1 a 1 -> -WRONGTYPE Operation against a key holding the wrong kind of value
        @8.2 HSETEX h PXAT 1 FIELDS 2 y 8 new 8 -> 1
        @8.2 HMGET h a b y z new -> ["3", "3", (nil), "8", (nil)]
        @8.2 HSETEX h2 PXAT 1 FIELDS 1 new 8 -> 1
        @8.2 EXISTS h2 -> 0
        @8.2 HSETEX h2 FNX FIELDS 2 k 1 k 2 -> 1
        @8.2 HGETALL h2 -> ["k", "2"]
    "#

    hgetdel_looks_at_the_type_first r#"
        @8.2 SET s v -> +OK
        @8.2 HSET h a 1 b 2 -> 2
        @8.2 HGETDEL s FIELDS 2 a -> -WRONGTYPE Operation against a key holding the wrong kind of value
        @8.2 HGETDEL h FIELDS 2 a -> -ERR The `numfields` parameter must match the number of arguments
        @8.2 HGETDEL h FOO 1 a -> -ERR Mandatory argument FIELDS is missing or not at the right position
        @8.2 HGETDEL h FIELDS x a -> -ERR Number of fields must be a positive integer
        @8.2 HGETDEL h FIELDS 2 b b -> ["2", (nil)]
        @8.2 HGETDEL h FIELDS 1 a -> ["1"]
        @8.2 EXISTS h -> 0
    "#

    deadlines_travel_with_the_value r#"
        @8.2 HSET h a 1 b 2 c 3 -> 3
        @8.2 HPEXPIREAT h 33177117420123 FIELDS 1 a -> [1]
        @8.2 HPEXPIREAT h 33177117420124 FIELDS 1 b -> [1]
        @8.2 COPY h c -> 1
        @8.2 HPEXPIRETIME c FIELDS 3 a b c -> [33177117420123, 33177117420124, -1]
        @8.2 RENAME c r -> +OK
        @8.2 HPERSIST h FIELDS 1 a -> [1]
        @8.2 HPEXPIRETIME r FIELDS 3 a b c -> [33177117420123, 33177117420124, -1]
        @8.2 MOVE r 1 -> 1
        @8.2 SELECT 1 -> +OK
        @8.2 HPEXPIRETIME r FIELDS 3 a b c -> [33177117420123, 33177117420124, -1]
        @8.2 SELECT 0 -> +OK
    "#

    deadlines_in_payloads r#"
        @8.2 RESTORE h 0 "\x19[jL\xa6,\x1e\x00\x00\x1d\x1d\x00\x00\x00\x06\x00\x81a\x02\x01\x01\xf4[jL\xa6,\x1e\x00\x00\t\x81b\x02\x02\x01\x00\x01\xff\x0c\x006\x07#+Uu\xb3\xbb" -> +OK
        @8.2 HGETALL h -> unordered ["a", "1", "b", "2"]
        @8.2 HPEXPIRETIME h FIELDS 2 a b -> [33177117420123, -1]
    "#

    a_large_hash_whose_fields_expire r#"
        @8.2 HSET h 0 "v"*1500 1 "v"*1500 2 "v"*1500 3 "v"*1500 4 "v"*1500 5 "v"*1500 6 "v"*1500 7 "v"*1500 -> 8
        @8.2 HEXPIRE h 1000 FIELDS 8 0 1 2 3 4 5 6 7 -> [1, 1, 1, 1, 1, 1, 1, 1]
        @8.2 OBJECT ENCODING h -> "hashtable"
        @8.2 HPEXPIRE h 30 FIELDS 3 1 3 5 -> [1, 1, 1]
        @8.2 wait 50ms
        @8.2 HKEYS h -> unordered ["0", "2", "4", "6", "7"]
        @8.2 until 3000ms: HLEN h -> 5
        @8.2 HTTL h FIELDS 3 0 1 2 -> [900..1000, -2, 900..1000]
        @8.2 HPERSIST h FIELDS 5 0 2 4 6 7 -> [1, 1, 1, 1, 1]
        @8.2 HSET h 1 "w"*1500 -> 1
        @8.2 HLEN h -> 6
        @8.2 HPEXPIRE h 30 FIELDS 6 0 1 2 4 6 7 -> [1, 1, 1, 1, 1, 1]
        @8.2 until 3000ms: EXISTS h -> 0
    "#

    deadlines_in_a_transaction r#"
        @8.2 HSET h a 1 b 2 -> 2
        @8.2 MULTI -> +OK
        @8.2 HEXPIRE h 100 FIELDS 1 a -> +QUEUED
        @8.2 HSETEX h EX 100 FIELDS 1 c 3 -> +QUEUED
        @8.2 HEXPIRE h 0 FIELDS 1 b -> +QUEUED
        @8.2 HTTL h FIELDS 3 a b c -> +QUEUED
        @8.2 EXEC -> [[1], 1, [2], [99..100, -2, 99..100]]
        @8.2 HGETALL h -> unordered ["a", "1", "c", "3"]
    "#
}

behaviour! {
    digests_know_of_deadlines [hot cold memory] r#"
        server --enable-debug-command yes
        @8.2 HSET h a 1 -> 1
        @8.2 DEBUG DIGEST-VALUE h -> [+626a7b57a269f8f179a44902458ecb2f5920d35d]
        @8.2 HPEXPIREAT h 33177117420123 FIELDS 1 a -> [1]
        @8.2 DEBUG DIGEST-VALUE h -> [+ce98eed535a9bd6c62403cf0d79da44325cdc96f]
        @8.2 HSET h b 2 -> 1
        @8.2 DEBUG DIGEST-VALUE h -> [+c07db73128914a41e685572f9d83e5ec946f598d]
    "#

    hashes_whose_fields_expire_are_counted [hot cold restart memory] r#"
        server
        @8.2 HSET h a 1 b 2 -> 2
        @8.2 HSET g a 1 -> 1
        @8.2 INFO keyspace -> like "*keys=2,expires=0,avg_ttl=0,subexpiry=0*"
        @8.2 HEXPIRE h 100 FIELDS 2 a b -> [1, 1]
        @8.2 HEXPIRE g 100 FIELDS 1 a -> [1]
        @8.2 INFO keyspace -> like "*keys=2,expires=0,avg_ttl=0,subexpiry=2*"
        @8.2 HPERSIST h FIELDS 1 a -> [1]
        @8.2 INFO keyspace -> like "*subexpiry=2*"
        @8.2 HPERSIST h FIELDS 1 b -> [1]
        @8.2 INFO keyspace -> like "*subexpiry=1*"
        @8.2 SET g x -> +OK
        @8.2 INFO keyspace -> like "*keys=2,expires=0,avg_ttl=0,subexpiry=0*"
        @8.2 HEXPIRE h 100 FIELDS 1 b -> [1]
        @8.2 DEL g -> 1
        @8.2 INFO keyspace -> like "*keys=1,expires=0,avg_ttl=0,subexpiry=1*"
        @8.2 DEL h -> 1
        @8.2 HSET h a 1 -> 1
        @8.2 INFO keyspace -> like "*keys=1,expires=0,avg_ttl=0,subexpiry=0*"
    "#

    without_the_background_commands_hide_what_is_past [hot memory] r#"
        server --enable-debug-command yes
        @8.2 DEBUG SET-ACTIVE-EXPIRE 0 -> +OK
        @8.2 HSET h a 5 b 6 -> 2
        @8.2 EXPIRE h 1000 -> 1
        @8.2 HPEXPIRE h 10 FIELDS 2 a b -> [1, 1]
        @8.2 wait 30ms
        @8.2 HGETALL h -> []
        @8.2 HRANDFIELD h -> (nil)
        @8.2 HRANDFIELD h 3 -> []
        @8.2 HSCAN h 0 -> ["0", []]
        @8.2 HSET h a 3 -> 0
        @8.2 HLEN h -> 2
        @8.2 TTL h -> 900..1000
        @8.2 HGETALL h -> ["a", "3"]
        @8.2 DEL h -> 1
        @8.2 HSET h a 5 -> 1
        @8.2 HPEXPIRE h 10 FIELDS 1 a -> [1]
        @8.2 EXPIRE h 1000 -> 1
        @8.2 wait 30ms
        @8.2 HINCRBY h a 3 -> 3
        @8.2 TTL h -> -1
        @8.2 HPEXPIRE h 10 FIELDS 1 a -> [1]
        @8.2 wait 30ms
        @8.2 HDEL h a -> 1
        @8.2 EXISTS h -> 0
    "#
}
