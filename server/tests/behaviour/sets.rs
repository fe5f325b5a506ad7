//! Sets: members, moves, random picks, set operations with and without STORE, SSCAN, encodings.

use crate::behaviour;

behaviour! {
    sadd_and_srem_count_changes r#"
        SADD k a b c -> 3
        SADD k a b c d d -> 1
        SCARD k -> 4
        SREM k a nope -> 1
        SREM k a a -> 0
        SMEMBERS k -> unordered ["b", "c", "d"]
        SREM k b b c d -> 3
        EXISTS k -> 0
        SREM missing a -> 0
        SCARD missing -> 0
        SMEMBERS missing -> []
        SADD k "" "\x00\xff" -> 2
        SISMEMBER k "" -> 1
        SMEMBERS k -> unordered ["", "\x00\xff"]
        TYPE k -> +set
    "#

    membership r#"
        SADD k a 1 -> 2
        SISMEMBER k a -> 1
        SISMEMBER k 1 -> 1
        SISMEMBER k 01 -> 0
        SISMEMBER k b -> 0
        SISMEMBER missing a -> 0
        SMISMEMBER k a b 1 a -> [1, 0, 1, 1]
        SMISMEMBER missing a b -> [0, 0]
    "#

    other_types_are_refused r#"
        SET str v -> +OK
        SET {t}str v -> +OK
        SADD {t}s a -> 1
        SADD str a -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SREM str a -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SCARD str -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SPOP str -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SINTER {t}none {t}str -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SUNION {t}none {t}str -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SDIFF {t}none {t}str -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SMOVE {t}s {t}str zz -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SMOVE {t}none {t}str zz -> 0
        GET {t}s -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SADD k -> -ERR wrong number of arguments for 'sadd' command
    "#

    the_time_to_live_stays r#"
        SADD k a b -> 2
        EXPIRE k 100 -> 1
        SADD k c -> 1
        SREM k a -> 1
        TTL k -> 90..100
        SADD {t}a x -> 1
        SADD {t}d x -> 1
        EXPIRE {t}d 100 -> 1
        SUNIONSTORE {t}d {t}a -> 1
        TTL {t}d -> -1
    "#

    smove_moves_one_member r#"
        SADD {t}a a b -> 2
        SADD {t}b b -> 1
        SMOVE {t}a {t}b a -> 1
        SMEMBERS {t}a -> ["b"]
        SMEMBERS {t}b -> unordered ["a", "b"]
        SMOVE {t}a {t}b b -> 1
        EXISTS {t}a -> 0
        SMOVE {t}a {t}b b -> 0
        SMOVE {t}b {t}new nope -> 0
        EXISTS {t}new -> 0
        SMOVE {t}b {t}new b -> 1
        SMEMBERS {t}new -> ["b"]
        SMOVE {t}b {t}b a -> 1
        SMEMBERS {t}b -> ["a"]
        SMOVE {t}b {t}b zz -> 0
    "#

    spop_takes_out_what_it_answers r#"
        SADD k a -> 1
        SPOP k -> "a"
        EXISTS k -> 0
        SPOP k -> (nil)
        SPOP k 3 -> []
        SADD k a b c -> 3
        SPOP k 0 -> []
        SPOP k -> $first
        SISMEMBER k $first -> 0
        SCARD k -> 2
        SPOP k 1 -> [anything]
        SCARD k -> 1
        SPOP k 10 -> [anything]
        EXISTS k -> 0
        SADD k a b c -> 3
        SPOP k 3 -> unordered ["a", "b", "c"]
        EXISTS k -> 0
        SPOP k -1 -> -"ERR value is out of range, must be positive"
        SPOP k x -> -"ERR value is out of range, must be positive"
        SPOP k 1 2 -> -ERR syntax error
    "#

    srandmember_leaves_the_set_alone r#"
        SADD k a -> 1
        SRANDMEMBER k -> "a"
        SRANDMEMBER k 3 -> ["a"]
        SRANDMEMBER k -3 -> ["a", "a", "a"]
        SRANDMEMBER k 0 -> []
        SADD k b c -> 2
        SRANDMEMBER k 3 -> unordered ["a", "b", "c"]
        SRANDMEMBER k 100 -> unordered ["a", "b", "c"]
        SRANDMEMBER k 2 -> [anything, anything]
        SRANDMEMBER missing -> (nil)
        SRANDMEMBER missing 3 -> []
        SCARD k -> 3
        SRANDMEMBER k x -> -ERR value is not an integer or out of range
        SRANDMEMBER k -9223372036854775808 -> -"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
        SRANDMEMBER k 1 2 -> -ERR syntax error
    "#

    sets_are_combined r#"
        SADD {t}a a b c d 1 -> 5
        SADD {t}b c 1 x -> 3
        SADD {t}c c y 1 -> 3
        SINTER {t}a {t}b {t}c -> unordered ["1", "c"]
        SINTER {t}a -> unordered ["a", "b", "c", "d", "1"]
        SINTER {t}a {t}missing -> []
        SUNION {t}a {t}b {t}c {t}missing -> unordered ["a", "b", "c", "d", "1", "x", "y"]
        SDIFF {t}a {t}b {t}c -> unordered ["a", "b", "d"]
        SDIFF {t}a {t}a -> []
        SDIFF {t}missing {t}a -> []
        SDIFF {t}a {t}missing -> unordered ["a", "b", "c", "d", "1"]
        SINTERCARD 2 {t}a {t}b -> 2
        SINTERCARD 2 {t}a {t}b LIMIT 1 -> 1
        SINTERCARD 2 {t}a {t}b LIMIT 0 -> 2
        SINTERCARD 2 {t}a {t}missing -> 0
    "#

    results_are_stored r#"
        SADD {t}a a b c -> 3
        SADD {t}b c d -> 2
        SINTERSTORE {t}d {t}a {t}b -> 1
        SMEMBERS {t}d -> ["c"]
        SUNIONSTORE {t}d {t}a {t}b -> 4
        SMEMBERS {t}d -> unordered ["a", "b", "c", "d"]
        SDIFFSTORE {t}d {t}a {t}b -> 2
        SMEMBERS {t}d -> unordered ["a", "b"]
        SINTERSTORE {t}d {t}a {t}missing -> 0
        EXISTS {t}d -> 0
        SET {t}d string -> +OK
        SDIFFSTORE {t}d {t}b {t}a -> 1
        SMEMBERS {t}d -> ["d"]
        SUNIONSTORE {t}a {t}a {t}b -> 4
        SCARD {t}a -> 4
        SDIFFSTORE {t}a {t}a {t}a -> 0
        EXISTS {t}a -> 0
    "#

    sintercard_errors r#"
        SINTERCARD 0 k -> -ERR numkeys should be greater than 0
        SINTERCARD -1 k -> -ERR numkeys should be greater than 0
        SINTERCARD x k -> -ERR numkeys should be greater than 0
        SINTERCARD 2 k -> -ERR Number of keys can't be greater than number of args
        SINTERCARD 1 k LIMIT -1 -> -ERR LIMIT can't be negative
        SINTERCARD 1 k LIMIT x -> -ERR LIMIT can't be negative
        SINTERCARD 1 k LIMIT -> -ERR syntax error
        SINTERCARD 1 k FOO -> -ERR syntax error
        SINTERCARD 1 -> -ERR wrong number of arguments for 'sintercard' command
    "#

    sscan_meets_every_member r#"
        SADD k a b c -> 3
        SSCAN k 0 -> ["0", unordered ["a", "b", "c"]]
        SSCAN k 0 MATCH [ab] COUNT 100 -> ["0", unordered ["a", "b"]]
        SSCAN missing 0 -> ["0", []]
        SSCAN k x -> -ERR invalid cursor
        SSCAN missing x -> -ERR invalid cursor
        SSCAN k 0 COUNT 0 -> -ERR syntax error
        SSCAN k 0 COUNT x -> -ERR value is not an integer or out of range
        SSCAN k 0 MATCH -> -ERR syntax error
        SSCAN k 0 FOO 1 -> -ERR syntax error
    "#

    sets_in_resp3 r#"
        unit
        HELLO 3 -> anything
        SADD k a -> 1
        SMEMBERS k -> ~["a"]
        SINTER k -> ~["a"]
        SUNION k -> ~["a"]
        SDIFF missing -> ~[]
        SRANDMEMBER k 1 -> ["a"]
        SRANDMEMBER missing -> (nil)
        SPOP k 5 -> ~["a"]
        SPOP k 5 -> ~[]
        end
    "#

    set_encodings_at_redis_thresholds r#"
        SADD i 1 2 -5 -> 3
        OBJECT ENCODING i -> "intset"
        @8.2 SADD l a b -> 2
        @8.2 OBJECT ENCODING l -> "listpack"
        SADD h "x"*65 -> 1
        OBJECT ENCODING h -> "hashtable"
    "#

    keys_of_sets_move_whole r#"
        SADD {t}a a b c -> 3
        EXPIRE {t}a 100 -> 1
        RENAME {t}a {t}b -> +OK
        SMEMBERS {t}b -> unordered ["a", "b", "c"]
        TTL {t}b -> 90..100
        COPY {t}b {t}c -> 1
        SADD {t}c d -> 1
        SCARD {t}b -> 3
        SCARD {t}c -> 4
        DEL {t}b -> 1
        SMEMBERS {t}c -> unordered ["a", "b", "c", "d"]
    "#

    sets_inside_transactions r#"
        MULTI -> +OK
        SADD {t}a a b -> +QUEUED
        SADD {t}b b -> +QUEUED
        SMOVE {t}a {t}b a -> +QUEUED
        SUNIONSTORE {t}c {t}a {t}b -> +QUEUED
        SPOP {t}b 2 -> +QUEUED
        EXEC -> [2, 1, 1, 2, unordered ["a", "b"]]
        EXISTS {t}b -> 0
        SCARD {t}c -> 2
    "#

    counts_of_random_elements_have_limits r#"
        SRANDMEMBER none -9223372036854775807 -> []
        ZRANDMEMBER none -9223372036854775807 -> []
        HRANDFIELD none -9223372036854775807 -> []
        SRANDMEMBER none -9223372036854775808 -> -"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
        ZRANDMEMBER none -9223372036854775808 -> -"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
        HRANDFIELD none -9223372036854775808 -> -"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
        ZRANDMEMBER none -4611686018427387903 WITHSCORES -> []
        ZRANDMEMBER none -4611686018427387904 WITHSCORES -> -ERR value is out of range
        ZRANDMEMBER none 4611686018427387904 WITHSCORES -> -ERR value is out of range
        HRANDFIELD none -4611686018427387903 WITHVALUES -> []
        HRANDFIELD none -4611686018427387904 WITHVALUES -> -ERR value is out of range
        HRANDFIELD none 4611686018427387904 WITHVALUES -> -ERR value is out of range
        ZRANDMEMBER none 4611686018427387904 -> []
        SADD s a -> 1
        ZADD z 1 a -> 1
        HSET h f v -> 1
        SRANDMEMBER s 9223372036854775807 -> ["a"]
        ZRANDMEMBER z 4611686018427387903 WITHSCORES -> ["a", "1"]
        HRANDFIELD h 9223372036854775807 -> ["f"]
        @basalt SRANDMEMBER s -9223372036854775807 -> -ERR value is out of range
        @basalt ZRANDMEMBER z -9223372036854775807 -> -ERR value is out of range
        @basalt HRANDFIELD h -9223372036854775807 -> -ERR value is out of range
        ZCOUNT z -1e400 1e400 -> 1
        ZCOUNT z 1e-400 (1e400 -> 1
        ZCOUNT z 1e400 2e400 -> 0
        ZADD z 4611686018427387904 b -> 1
        @8.2 ZSCORE z b -> "4611686018427387904"
    "#
}
