//! Sorted sets: scores, ranks, ranges of every kind, pops, combinations.

use crate::behaviour;

behaviour! {
    zadd_and_its_flags r#"
        ZADD k 1 a 2 b 3 c -> 3
        ZADD k 5 a 9 d -> 1
        ZSCORE k a -> "5"
        ZADD k CH 6 a 9 d 1 e -> 2
        ZADD k NX 7 a 7 f -> 1
        ZSCORE k a -> "6"
        ZADD k XX 8 a 8 nope -> 0
        ZSCORE k a -> "8"
        ZSCORE k nope -> (nil)
        ZADD k GT CH 7 a 10 b -> 1
        ZADD k LT CH 9 a 1 b 2 new -> 2
        ZMSCORE k a b new nope -> ["8", "1", "2", (nil)]
        ZADD k INCR 2.5 a -> "10.5"
        ZADD k NX INCR 1 a -> (nil)
        ZADD k XX INCR 1 nope -> (nil)
        ZADD k GT INCR -1 a -> (nil)
        ZADD k LT INCR -1 a -> "9.5"
        ZADD k 1 twice 2 twice 3 twice -> 1
        ZSCORE k twice -> "3"
        ZADD k XX CH 4 twice 5 twice -> 2
        ZINCRBY k 1 twice -> "6"
        ZINCRBY k -2.25 fresh -> "-2.25"
        ZADD k inf top -inf bottom 1e3 x -> 3
        ZMSCORE k top bottom x -> ["inf", "-inf", "1000"]
        ZCARD k -> 12
        ZCARD missing -> 0
        TYPE k -> +zset
        ZADD missing XX 1 a -> 0
        EXISTS missing -> 0
    "#

    zadd_errors r#"
        ZADD k NX XX 1 a -> -ERR XX and NX options at the same time are not compatible
        ZADD k GT LT 1 a -> -"ERR GT, LT, and/or NX options at the same time are not compatible"
        ZADD k NX GT 1 a -> -"ERR GT, LT, and/or NX options at the same time are not compatible"
        ZADD k INCR 1 a 2 b -> -ERR INCR option supports a single increment-element pair
        ZADD k 1 a 2 -> -ERR syntax error
        ZADD k NX XX -> -ERR syntax error
        ZADD k XX FOO 1 a -> -ERR syntax error
        ZADD k x a -> -ERR value is not a valid float
        ZADD k nan a -> -ERR value is not a valid float
        ZADD k 1 a x b -> -ERR value is not a valid float
        EXISTS k -> 0
        ZADD k inf a -> 1
        ZINCRBY k -inf a -> -ERR resulting score is not a number (NaN)
        ZADD k INCR -inf a -> -ERR resulting score is not a number (NaN)
        ZINCRBY k x a -> -ERR value is not a valid float
        SET str v -> +OK
        ZADD str 1 a -> -WRONGTYPE Operation against a key holding the wrong kind of value
        ZADD str x a -> -ERR value is not a valid float
        ZSCORE str a -> -WRONGTYPE Operation against a key holding the wrong kind of value
        ZRANGE str 0 1 -> -WRONGTYPE Operation against a key holding the wrong kind of value
    "#

    ranges_by_rank r#"
        ZADD k 1 a 2 b 3 c 3 bb -> 4
        ZRANGE k 0 -1 -> ["a", "b", "bb", "c"]
        ZRANGE k 1 2 WITHSCORES -> ["b", "2", "bb", "3"]
        ZRANGE k -2 -1 -> ["bb", "c"]
        ZRANGE k -100 100 -> ["a", "b", "bb", "c"]
        ZRANGE k 2 1 -> []
        ZRANGE k 9 10 -> []
        ZRANGE k 0 0 REV -> ["c"]
        ZREVRANGE k 0 1 -> ["c", "bb"]
        ZREVRANGE k 2 -1 WITHSCORES -> ["b", "2", "a", "1"]
        ZRANGE missing 0 -1 -> []
        ZRANGE k x 1 -> -ERR value is not an integer or out of range
        ZRANGE k 0 1 FOO -> -ERR syntax error
        ZRANGE k 0 -1 LIMIT 0 1 -> -"ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
        ZRANGE k inf 1 LIMIT 7 -1 -> -ERR value is not an integer or out of range
        ZREVRANGE k 0 -1 REV -> -ERR syntax error
        ZREVRANGE k 0 -1 BYSCORE -> -ERR syntax error
    "#

    ranges_by_score r#"
        ZADD k 1 a 2 b 3 c 4 d inf e -> 5
        ZRANGEBYSCORE k 2 3 -> ["b", "c"]
        ZRANGEBYSCORE k (2 4 WITHSCORES -> ["c", "3", "d", "4"]
        ZRANGEBYSCORE k 2 (4 -> ["b", "c"]
        ZRANGEBYSCORE k -inf +inf LIMIT 1 2 -> ["b", "c"]
        ZRANGEBYSCORE k -inf +inf LIMIT 3 -1 -> ["d", "e"]
        ZRANGEBYSCORE k -inf +inf LIMIT -1 2 -> []
        ZRANGEBYSCORE k -inf +inf LIMIT 0 0 -> []
        ZRANGEBYSCORE k -inf (inf -> ["a", "b", "c", "d"]
        ZRANGEBYSCORE k inf inf -> ["e"]
        ZRANGEBYSCORE k 3 2 -> []
        ZRANGEBYSCORE k (2 (2 -> []
        ZREVRANGEBYSCORE k +inf -inf -> ["e", "d", "c", "b", "a"]
        ZREVRANGEBYSCORE k (4 1 LIMIT 1 1 WITHSCORES -> ["b", "2"]
        ZRANGE k 2 3 BYSCORE -> ["b", "c"]
        ZRANGE k 3 2 BYSCORE REV -> ["c", "b"]
        ZRANGE k +inf (1 BYSCORE REV LIMIT 1 2 WITHSCORES -> ["d", "4", "c", "3"]
        ZCOUNT k 2 3 -> 2
        ZCOUNT k (2 +inf -> 3
        ZCOUNT k 3 2 -> 0
        ZCOUNT missing 0 1 -> 0
        ZRANGEBYSCORE k nan 1 -> -ERR min or max is not a float
        ZCOUNT k x 1 -> -ERR min or max is not a float
        ZRANGEBYSCORE k -inf +inf REV -> -ERR syntax error
        ZRANGEBYSCORE k 0 1 LIMIT 0 -> -ERR syntax error
        ZRANGE k 0 1 BYSCORE LIMIT x 1 -> -ERR value is not an integer or out of range
        ZRANGE k 0 -1 BYSCORE BYLEX -> -ERR syntax error
    "#

    ranges_by_word r#"
        ZADD k 0 a 0 b 0 c 0 d 0 "" -> 5
        ZRANGEBYLEX k - + -> ["", "a", "b", "c", "d"]
        ZRANGEBYLEX k [b (d -> ["b", "c"]
        ZRANGEBYLEX k (b [d -> ["c", "d"]
        ZRANGEBYLEX k [bb [cc -> ["c"]
        ZRANGEBYLEX k - [b LIMIT 1 1 -> ["a"]
        ZRANGEBYLEX k [d [b -> []
        ZRANGEBYLEX k + - -> []
        ZREVRANGEBYLEX k [c [a -> ["c", "b", "a"]
        ZREVRANGEBYLEX k + - LIMIT 0 2 -> ["d", "c"]
        ZRANGE k [a (c BYLEX -> ["a", "b"]
        ZRANGE k + [c BYLEX REV -> ["d", "c"]
        ZLEXCOUNT k - + -> 5
        ZLEXCOUNT k [b [c -> 2
        ZLEXCOUNT k (b (c -> 0
        ZLEXCOUNT missing - + -> 0
        ZRANGEBYLEX k a + -> -ERR min or max not valid string range item
        ZLEXCOUNT k a b -> -ERR min or max not valid string range item
        ZRANGEBYLEX k - + WITHSCORES -> -"ERR syntax error, WITHSCORES not supported in combination with BYLEX"
    "#

    words_of_members_with_different_scores r#"
        ZADD k 1 d 2 a 3 c 4 b 5 e -> 5
        ZRANGEBYLEX k - + -> ["d", "a", "c", "b", "e"]
        ZRANGEBYLEX k [b + -> ["d", "a", "c", "b", "e"]
        ZRANGEBYLEX k [a [d -> ["d", "a", "c", "b"]
        ZRANGEBYLEX k (d [e -> ["e"]
        ZRANGEBYLEX k [a [c -> []
        ZRANGEBYLEX k [f + -> []
        ZREVRANGEBYLEX k [e [b -> ["e", "b", "c"]
        ZREVRANGEBYLEX k [d [b -> ["b", "c"]
        ZREVRANGEBYLEX k (e [b -> ["b", "c"]
        ZRANGE k [d [b BYLEX REV LIMIT 1 5 -> ["c"]
        ZLEXCOUNT k [a [d -> 4
        ZLEXCOUNT k [b [c -> 0
        ZRANGESTORE k2 k [a [d BYLEX LIMIT 1 2 -> 2
        ZRANGE k2 0 -1 -> ["a", "c"]
        ZREMRANGEBYLEX k [a (d -> 0
        ZREMRANGEBYLEX k - [d -> 4
    "#

    ranks r#"
        ZADD k 1 a 2 b 3 c -> 3
        ZRANK k a -> 0
        ZRANK k c -> 2
        ZREVRANK k c -> 0
        ZREVRANK k a -> 2
        ZRANK k nope -> (nil)
        ZRANK missing a -> (nil)
        @8.2 ZRANK k b WITHSCORE -> [1, "2"]
        @8.2 ZREVRANK k a WITHSCORE -> [2, "1"]
        @8.2 ZRANK k nope WITHSCORE -> (nil array)
        @8.2 ZRANK k a FOO -> -ERR syntax error
        @8.2 ZRANK k a WITHSCORE x -> -ERR wrong number of arguments for 'zrank' command
    "#

    members_are_removed r#"
        ZADD k 1 a 2 b 3 c 4 d 5 e 6 f 7 g 8 h -> 8
        ZREM k a a nope -> 1
        ZREMRANGEBYRANK k 0 1 -> 2
        ZRANGE k 0 -1 -> ["d", "e", "f", "g", "h"]
        ZREMRANGEBYSCORE k (4 5 -> 1
        ZREMRANGEBYRANK k -1 -1 -> 1
        ZRANGE k 0 -1 -> ["d", "f", "g"]
        ZREMRANGEBYRANK k 5 9 -> 0
        ZREMRANGEBYSCORE k -inf +inf -> 3
        EXISTS k -> 0
        ZADD k 0 a 0 b 0 c -> 3
        ZREMRANGEBYLEX k [a (c -> 2
        ZREM k c -> 1
        EXISTS k -> 0
        ZREM missing a -> 0
        ZREMRANGEBYRANK missing 0 1 -> 0
        ZREMRANGEBYRANK k x 1 -> -ERR value is not an integer or out of range
        ZREMRANGEBYSCORE k x 1 -> -ERR min or max is not a float
        ZREMRANGEBYLEX k x 1 -> -ERR min or max not valid string range item
    "#

    pops r#"
        ZADD k 1 a 2 b 3 c 4 d -> 4
        ZPOPMIN k -> ["a", "1"]
        ZPOPMAX k 2 -> ["d", "4", "c", "3"]
        ZPOPMIN k 0 -> []
        ZPOPMIN k 9 -> ["b", "2"]
        EXISTS k -> 0
        ZPOPMAX k -> []
        ZPOPMIN k -1 -> -"ERR value is out of range, must be positive"
        ZPOPMIN k x -> -"ERR value is out of range, must be positive"
        ZPOPMIN k 1 1 -> -ERR syntax error
        ZADD {t}k 1 a 2 b 3 c -> 3
        ZMPOP 2 {t}none {t}k MIN -> ["{t}k", [["a", "1"]]]
        ZMPOP 1 {t}k MAX COUNT 5 -> ["{t}k", [["c", "3"], ["b", "2"]]]
        EXISTS {t}k -> 0
        ZMPOP 2 {t}none {t}k MIN -> (nil array)
        ZMPOP 0 k MIN -> -ERR numkeys should be greater than 0
        ZMPOP x k MIN -> -ERR numkeys should be greater than 0
        ZMPOP 2 k MIN -> -ERR syntax error
        ZMPOP 1 k FOO -> -ERR syntax error
        ZMPOP 1 k MIN COUNT 0 -> -ERR count should be greater than 0
        ZMPOP 1 k MIN COUNT 1 COUNT 2 -> -ERR syntax error
    "#

    combinations r#"
        ZADD {t}a 1 a 2 b 3 c -> 3
        ZADD {t}b 10 b 20 c 30 d -> 3
        SADD {t}s a d -> 2
        ZUNION 2 {t}a {t}b WITHSCORES -> ["a", "1", "b", "12", "c", "23", "d", "30"]
        ZUNION 2 {t}a {t}b -> ["a", "b", "c", "d"]
        ZINTER 2 {t}a {t}b WITHSCORES -> ["b", "12", "c", "23"]
        ZINTER 2 {t}a {t}b WEIGHTS 2 0.5 WITHSCORES -> ["b", "9", "c", "16"]
        ZINTER 2 {t}a {t}b AGGREGATE MIN WITHSCORES -> ["b", "2", "c", "3"]
        ZUNION 2 {t}a {t}b WEIGHTS 1 -1 AGGREGATE MAX WITHSCORES -> ["d", "-30", "a", "1", "b", "2", "c", "3"]
        ZUNION 2 {t}a {t}s WITHSCORES -> ["d", "1", "a", "2", "b", "2", "c", "3"]
        ZINTER 2 {t}a {t}s WITHSCORES -> ["a", "2"]
        ZDIFF 2 {t}a {t}b WITHSCORES -> ["a", "1"]
        ZDIFF 2 {t}a {t}missing -> ["a", "b", "c"]
        ZDIFF 1 {t}missing -> []
        ZINTER 2 {t}a {t}missing -> []
        ZINTERCARD 2 {t}a {t}b -> 2
        ZINTERCARD 2 {t}a {t}b LIMIT 1 -> 1
        ZUNIONSTORE {t}d 2 {t}a {t}b WEIGHTS 1 2 -> 4
        ZRANGE {t}d 0 -1 WITHSCORES -> ["a", "1", "b", "22", "c", "43", "d", "60"]
        ZINTERSTORE {t}d 2 {t}a {t}b -> 2
        ZDIFFSTORE {t}d 2 {t}a {t}b -> 1
        ZRANGE {t}d 0 -1 WITHSCORES -> ["a", "1"]
        ZINTERSTORE {t}d 2 {t}a {t}missing -> 0
        EXISTS {t}d -> 0
        SET {t}d string -> +OK
        ZUNIONSTORE {t}d 1 {t}s -> 2
        TYPE {t}d -> +zset
        ZUNIONSTORE {t}a 2 {t}a {t}a -> 3
        ZRANGE {t}a 0 -1 WITHSCORES -> ["a", "2", "b", "4", "c", "6"]
        ZADD {t}i inf x -> 1
        ZADD {t}j -inf x -> 1
        ZUNION 2 {t}i {t}j WITHSCORES -> ["x", "0"]
        ZUNION 1 {t}i WEIGHTS 0 WITHSCORES -> ["x", "0"]
        ZUNION 2 {t}i {t}i WEIGHTS 1 0 WITHSCORES -> ["x", "inf"]
        ZINTER 2 {t}i {t}i WEIGHTS 1 0 WITHSCORES -> ["x", "0"]
        ZINTER 2 {t}i {t}i WEIGHTS 1 0 AGGREGATE MIN WITHSCORES -> ["x", "inf"]
    "#

    combination_errors r#"
        ZADD {t}z 1 a -> 1
        ZUNION 0 {t}z -> -ERR at least 1 input key is needed for 'zunion' command
        ZUNIONSTORE {t}d 0 {t}z -> -ERR at least 1 input key is needed for 'zunionstore' command
        ZINTERCARD 0 {t}z -> -ERR at least 1 input key is needed for 'zintercard' command
        ZUNION x {t}z -> -ERR value is not an integer or out of range
        ZUNION 2 {t}z -> -ERR syntax error
        ZUNION 1 {t}z WEIGHTS -> -ERR syntax error
        ZUNION 1 {t}z WEIGHTS x -> -ERR weight value is not a float
        ZUNION 1 {t}z WEIGHTS 1 2 -> -ERR syntax error
        ZUNION 1 {t}z AGGREGATE FOO -> -ERR syntax error
        ZUNIONSTORE {t}d 1 {t}z WITHSCORES -> -ERR syntax error
        ZDIFF 1 {t}z WEIGHTS 1 -> -ERR syntax error
        ZINTERCARD 1 {t}z LIMIT -1 -> -ERR LIMIT can't be negative
        SET {t}str v -> +OK
        ZUNION 1 {t}str -> -WRONGTYPE Operation against a key holding the wrong kind of value
        ZINTER 2 {t}none {t}str -> -WRONGTYPE Operation against a key holding the wrong kind of value
    "#

    zrangestore_keeps_a_range r#"
        ZADD {t}s 1 a 2 b 3 c 4 d -> 4
        ZRANGESTORE {t}d {t}s 1 2 -> 2
        ZRANGE {t}d 0 -1 WITHSCORES -> ["b", "2", "c", "3"]
        ZRANGESTORE {t}d {t}s (1 +inf BYSCORE LIMIT 0 1 -> 1
        ZRANGE {t}d 0 -1 -> ["b"]
        ZRANGESTORE {t}d {t}s 0 0 REV -> 1
        ZRANGE {t}d 0 -1 -> ["d"]
        ZRANGESTORE {t}d {t}s 5 6 -> 0
        EXISTS {t}d -> 0
        ZRANGESTORE {t}d {t}missing 0 -1 -> 0
        ZRANGESTORE {t}s {t}s 0 1 -> 2
        ZRANGE {t}s 0 -1 -> ["a", "b"]
        ZRANGESTORE {t}d {t}s 0 -1 WITHSCORES -> -ERR syntax error
    "#

    zrandmember_chooses r#"
        ZADD k 1 a -> 1
        ZRANDMEMBER k -> "a"
        ZRANDMEMBER k 2 -> ["a"]
        ZRANDMEMBER k -2 WITHSCORES -> ["a", "1", "a", "1"]
        ZRANDMEMBER k 0 -> []
        ZRANDMEMBER missing -> (nil)
        ZRANDMEMBER missing 2 -> []
        ZADD k 2 b -> 1
        ZRANDMEMBER k 5 -> unordered ["a", "b"]
        ZRANDMEMBER k x -> -ERR value is not an integer or out of range
        ZRANDMEMBER k 2 FOO -> -ERR syntax error
    "#

    zscan_meets_every_member r#"
        ZADD k 1 a 2.5 b -> 2
        ZSCAN k 0 -> ["0", ["a", "1", "b", "2.5"]]
        ZSCAN k 0 MATCH b* COUNT 50 -> ["0", ["b", "2.5"]]
        ZSCAN missing 0 -> ["0", []]
        ZSCAN k x -> -ERR invalid cursor
        ZSCAN k 0 COUNT 0 -> -ERR syntax error
    "#

    sorted_sets_in_resp3 r#"
        unit
        HELLO 3 -> anything
        ZADD k 1.5 a 2 b -> 2
        ZSCORE k a -> double 1.5
        ZMSCORE k a nope -> [double 1.5, (nil)]
        ZRANGE k 0 -1 WITHSCORES -> [["a", double 1.5], ["b", double 2]]
        ZRANGE k 0 -1 -> ["a", "b"]
        ZADD k INCR 1 a -> double 2.5
        ZINCRBY k 1 a -> double 3.5
        ZUNION 1 k WITHSCORES -> [["b", double 2], ["a", double 3.5]]
        ZRANDMEMBER k -1 WITHSCORES -> [anything]
        ZPOPMIN k 1 -> [["b", double 2]]
        ZPOPMIN k -> ["a", double 3.5]
        ZPOPMIN k -> []
        end
    "#

    sorted_set_encodings_at_redis_thresholds r#"
        ZADD k 1 a 2 b -> 2
        OBJECT ENCODING k -> "listpack"
        ZADD l 1 "x"*65 -> 1
        OBJECT ENCODING l -> "skiplist"
    "#

    keys_of_sorted_sets_move_whole r#"
        ZADD {t}a 1 a 2.5 b -inf c -> 3
        EXPIRE {t}a 100 -> 1
        ZADD {t}a 4 d -> 1
        RENAME {t}a {t}b -> +OK
        TTL {t}b -> 90..100
        ZRANGE {t}b 0 -1 WITHSCORES -> ["c", "-inf", "a", "1", "b", "2.5", "d", "4"]
        COPY {t}b {t}c -> 1
        ZREM {t}c a b -> 2
        ZCARD {t}b -> 4
        ZRANGE {t}c 0 -1 -> ["c", "d"]
    "#
}
