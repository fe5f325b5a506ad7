//! Hash commands, on small hashes and on ones of many pages.

use crate::behaviour;

behaviour! {
    hset_and_hget r#"
        HSET h f v -> 1
        HSET h f w g x -> 1
        HGET h f -> "w"
        HGET h g -> "x"
        HGET h missing -> (nil)
        HGET missing f -> (nil)
        HLEN h -> 2
        HLEN missing -> 0
        TYPE h -> +hash
        HSET h "" "" -> 1
        HGET h "" -> ""
        HSET h "\x00\r\n" "\xff\x00" -> 1
        HGET h "\x00\r\n" -> "\xff\x00"
        HSET h f -> -ERR wrong number of arguments for 'hset' command
        HSET h f v g -> -ERR wrong number of arguments for 'hset' command
        HMSET h a 1 b 2 -> +OK
        HMGET h a b nope f -> ["1", "2", (nil), "w"]
        HMGET missing a b -> [(nil), (nil)]
        HMSET h a -> -ERR wrong number of arguments for 'hmset' command
        HMSET h a 1 b -> -ERR wrong number of arguments for 'hmset' command
        HSET h f 1 f 2 f 3 -> 0
        HGET h f -> "3"
    "#

    hsetnx_sets_only_what_is_absent r#"
        HSETNX h f v -> 1
        HSETNX h f w -> 0
        HGET h f -> "v"
        HSETNX h g w -> 1
        HLEN h -> 2
    "#

    integers_keep_their_text r#"
        HSET h a 1 b -1 c 007 d 9223372036854775807 e -9223372036854775808 f 9223372036854775808 g -0 h 1e5 i "" j 47 k 48 -> 11
        HMGET h a b c d e f g h i j k -> ["1", "-1", "007", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "-0", "1e5", "", "47", "48"]
        HSTRLEN h e -> 20
        HSTRLEN h i -> 0
        HSTRLEN h nope -> 0
        HSTRLEN missing f -> 0
    "#

    hdel_deletes_the_hash_with_its_last_field r#"
        HSET h a 1 b 2 c 3 -> 3
        HDEL h a nope a -> 1
        HEXISTS h a -> 0
        HEXISTS h b -> 1
        HDEL h b c -> 2
        EXISTS h -> 0
        TYPE h -> +none
        HDEL h b -> 0
        HEXISTS missing a -> 0
        DBSIZE -> 0
    "#

    hgetall_hkeys_hvals r#"
        HSET h a 1 b 2 c 3 -> 3
        HGETALL h -> unordered ["a", "1", "b", "2", "c", "3"]
        HKEYS h -> unordered ["a", "b", "c"]
        HVALS h -> unordered ["1", "2", "3"]
        HGETALL missing -> []
        HKEYS missing -> []
        HVALS missing -> []
        HELLO 3 -> anything
        HGETALL h -> {"a": "1", "b": "2", "c": "3"}
        HGETALL missing -> {}
        HKEYS h -> unordered ["a", "b", "c"]
    "#

    hincrby r#"
        HINCRBY h n 5 -> 5
        HINCRBY h n -7 -> -2
        HGET h n -> "-2"
        HSET h s abc big 9223372036854775807 f 1.5 sp " 1" -> 4
        HINCRBY h s 1 -> -ERR hash value is not an integer
        HINCRBY h f 1 -> -ERR hash value is not an integer
        HINCRBY h sp 1 -> -ERR hash value is not an integer
        HINCRBY h big 1 -> -ERR increment or decrement would overflow
        HINCRBY h n x -> -ERR value is not an integer or out of range
        HINCRBY h n 1.5 -> -ERR value is not an integer or out of range
        HGET h big -> "9223372036854775807"
    "#

    hincrbyfloat r#"
        HINCRBYFLOAT h n 10.5 -> "10.5"
        HINCRBYFLOAT h n 0.1 -> "10.6"
        HINCRBYFLOAT h n -10.6 -> "0"
        HSET h e 5.0e3 s abc -> 2
        HINCRBYFLOAT h e 2.0e2 -> "5200"
        HINCRBYFLOAT h s 1 -> -ERR hash value is not a float
        HINCRBYFLOAT h n x -> -ERR value is not a valid float
        HINCRBYFLOAT h2 n 3 -> "3"
        HGET h2 n -> "3"
    "#

    hash_commands_refuse_other_types r#"
        SET s v -> +OK
        HSET s f v -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HGET s f -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HGETALL s -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HDEL s f -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HLEN s -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HINCRBY s f 1 -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HSCAN s 0 -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HRANDFIELD s -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HSET h f v -> 1
        GET h -> -WRONGTYPE Operation against a key holding the wrong kind of value
        APPEND h x -> -WRONGTYPE Operation against a key holding the wrong kind of value
        INCR h -> -WRONGTYPE Operation against a key holding the wrong kind of value
        STRLEN h -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SETRANGE h 0 x -> -WRONGTYPE Operation against a key holding the wrong kind of value
        GETDEL h -> -WRONGTYPE Operation against a key holding the wrong kind of value
        MGET h s -> [(nil), "v"]
        SET h v -> +OK
        TYPE h -> +string
    "#

    hrandfield r#"
        HRANDFIELD missing -> (nil)
        HRANDFIELD missing 3 -> []
        HSET h a 1 b 2 c 3 -> 3
        HRANDFIELD h -> "a" | "b" | "c"
        HRANDFIELD h 0 -> []
        HRANDFIELD h 5 -> unordered ["a", "b", "c"]
        HRANDFIELD h 5 WITHVALUES -> unordered ["a", "1", "b", "2", "c", "3"]
        HRANDFIELD h -4 -> [text, text, text, text]
        HRANDFIELD h 2 -> [text, text]
        HRANDFIELD h x -> -ERR value is not an integer or out of range
        HRANDFIELD h 1 foo -> -ERR syntax error
        HRANDFIELD h 1 WITHVALUES x -> -ERR syntax error
        HRANDFIELD h -9223372036854775808 -> -"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
        HELLO 3 -> anything
        HRANDFIELD h 5 WITHVALUES -> unordered [["a", "1"], ["b", "2"], ["c", "3"]]
    "#

    hscan_of_a_small_hash r#"
        HSCAN missing 0 -> ["0", []]
        HSET h a 1 b 2 ab 3 -> 3
        HSCAN h 0 -> ["0", unordered ["a", "1", "ab", "3", "b", "2"]]
        HSCAN h 0 MATCH a* -> ["0", unordered ["a", "1", "ab", "3"]]
        HSCAN h 0 COUNT 1 -> ["0", unordered ["a", "1", "ab", "3", "b", "2"]]
        @8.2 HSCAN h 0 NOVALUES -> ["0", unordered ["a", "ab", "b"]]
        HSCAN h x -> -ERR invalid cursor
        HSCAN h 0 COUNT 0 -> -ERR syntax error
        HSCAN h 0 COUNT x -> -ERR value is not an integer or out of range
        HSCAN h 0 FOO -> -ERR syntax error
        HSCAN h 0 MATCH -> -ERR syntax error
    "#

    hgetdel r#"
        @8.2 HSET h a 1 b 2 c 3 -> 3
        @8.2 HGETDEL h FIELDS 2 a nope -> ["1", (nil)]
        @8.2 HLEN h -> 2
        @8.2 HGETDEL h FIELDS 2 b c -> ["2", "3"]
        @8.2 EXISTS h -> 0
        @8.2 HGETDEL h FIELDS 1 b -> [(nil)]
        @8.2 HGETDEL h FIELDS 0 b -> -ERR Number of fields must be a positive integer
        @8.2 HGETDEL h FIELDS 2 b -> -ERR The `numfields` parameter must match the number of arguments
        @8.2 HGETDEL h FOO 1 b -> -ERR Mandatory argument FIELDS is missing or not at the right position
    "#

    digests_of_hashes_are_those_of_redis r#"
        server --enable-debug-command yes
        HSET h field value other 12 -> 2
        DEBUG DIGEST-VALUE h -> [+75430d08aca236f97ca4fac4842d5ddc81983a08]
        EXPIRE h 1000 -> 1
        DEBUG DIGEST-VALUE h -> [+93c6f3f7709bdcadbdb2113cc14792479b367b8b]
    "#

    values_move_and_copy r#"
        HSET h a 1 b 2 -> 2
        EXPIRE h 1000 -> 1
        COPY h c -> 1
        HSET c a 3 -> 0
        HGET h a -> "1"
        HGET c a -> "3"
        TTL c -> 990..1000
        RENAME h r -> +OK
        EXISTS h -> 0
        HGETALL r -> unordered ["a", "1", "b", "2"]
        TTL r -> 990..1000
        SET s v -> +OK
        RENAME r s -> +OK
        TYPE s -> +hash
        HLEN s -> 2
        HSET t z 9 -> 1
        COPY s t -> 0
        COPY s t REPLACE -> 1
        HGETALL t -> unordered ["a", "1", "b", "2"]
        MOVE t 1 -> 1
        EXISTS t -> 0
        SELECT 1 -> +OK
        HGETALL t -> unordered ["a", "1", "b", "2"]
        TTL t -> 990..1000
        SELECT 0 -> +OK
        FLUSHALL -> +OK
        DBSIZE -> 0
        EXISTS s -> 0
    "#

    a_hash_in_a_transaction r#"
        HSET h a 1 b 2 -> 2
        MULTI -> +OK
        HSET h a 5 c 3 -> +QUEUED
        HDEL h b -> +QUEUED
        HGETALL h -> +QUEUED
        HINCRBY h a 1 -> +QUEUED
        HGET s x -> +QUEUED
        EXEC -> [1, 1, unordered ["a", "5", "c", "3"], 6, (nil)]
        HGETALL h -> unordered ["a", "6", "c", "3"]
        unit
        WATCH h -> +OK
        HSET h a 7 -> 0
        MULTI -> +OK
        HGET h a -> +QUEUED
        EXEC -> (nil array)
        end
    "#

    a_hash_expires r#"
        HSET h a 1 -> 1
        PEXPIRE h 30 -> 1
        wait 60ms
        EXISTS h -> 0
        HGET h a -> (nil)
        HSET h b 2 -> 1
        HGETALL h -> ["b", "2"]
        TTL h -> -1
    "#

    long_fields_and_values r#"
        HSET h f "v"*100000 -> 1
        HSTRLEN h f -> 100000
        HSET h "k"*70000 x small y -> 2
        HGET h "k"*70000 -> "x"
        HGET h small -> "y"
        HLEN h -> 3
        HGET h f -> "v"*100000
        HSET h f short -> 0
        HDEL h "k"*70000 -> 1
        HGETALL h -> unordered ["f", "short", "small", "y"]
    "#
}

// After a restart the directives are those of the command line.
behaviour! {
    encodings_at_redis_thresholds [hot memory] r#"
        server --enable-debug-command yes
        CONFIG SET hash-max-listpack-entries 3 hash-max-listpack-value 5 -> +OK
        HSET h a 1 b 2 c 3 -> 3
        OBJECT ENCODING h -> "listpack"
        HSET h d 4 -> 1
        OBJECT ENCODING h -> "hashtable"
        HSET g a 12345 -> 1
        OBJECT ENCODING g -> "listpack"
        HSET g a 123456 -> 0
        OBJECT ENCODING g -> "hashtable"
        CONFIG SET hash-max-ziplist-entries 4 -> +OK
        CONFIG GET hash-max-listpack-entries -> ["hash-max-listpack-entries", "4"]
    "#
}
