//! SORT and SORT_RO.

use crate::behaviour;

behaviour! {
    numbers_are_sorted r#"
        RPUSH l 3 10 -2.5 1e1 007 -> 5
        SORT l -> ["-2.5", "3", "007", "10", "1e1"]
        SORT l DESC -> ["1e1", "10", "007", "3", "-2.5"]
        SORT l desc ASC -> ["-2.5", "3", "007", "10", "1e1"]
        SORT_RO l DESC LIMIT 1 2 -> ["10", "007"]
        SADD s 3 1 2 -> 3
        SORT s -> ["1", "2", "3"]
        ZADD z 1 30 2 20 3 10 -> 3
        SORT z -> ["10", "20", "30"]
        SORT none -> []
        SORT none ALPHA DESC LIMIT 0 5 GET # -> []
        RPUSH hex 0x10 " 7" "" -inf -> 4
        SORT hex -> ["-inf", "", " 7", "0x10"]
    "#

    texts_are_sorted r#"
        RPUSH l banana apple 10 9 Apple "a" -> 6
        SORT l ALPHA -> ["10", "9", "Apple", "a", "apple", "banana"]
        SORT l ALPHA DESC LIMIT 0 2 -> ["banana", "apple"]
        SORT l -> -ERR One or more scores can't be converted into double
        RPUSH spaced "1 " -> 1
        SORT spaced -> -ERR One or more scores can't be converted into double
        RPUSH big 1e999 -> 1
        SORT big -> -ERR One or more scores can't be converted into double
        RPUSH blank " " -> 1
        SORT blank -> -ERR One or more scores can't be converted into double
        SORT blank BY nosort -> [" "]
    "#

    limits_cut_what_is_sorted r#"
        RPUSH l 4 2 3 1 5 -> 5
        SORT l LIMIT 0 2 -> ["1", "2"]
        SORT l LIMIT 3 10 -> ["4", "5"]
        SORT l LIMIT -3 2 -> ["1", "2"]
        SORT l LIMIT 2 -1 -> ["3", "4", "5"]
        SORT l LIMIT 5 1 -> []
        SORT l LIMIT 100 -1 -> []
        SORT l LIMIT 1 0 -> []
        SORT l LIMIT 0 1 LIMIT 1 2 -> ["2", "3"]
        SORT l LIMIT 0 -> -ERR syntax error
        SORT l LIMIT x 1 -> -ERR value is not an integer or out of range
        SORT l LIMIT 0 x -> -ERR value is not an integer or out of range
    "#

    by_takes_other_keys_for_weights r#"
        RPUSH l 1 2 3 4 -> 4
        MSET w_1 30 w_2 10 w_3 20 -> +OK
        SORT l BY w_* -> ["4", "2", "3", "1"]
        SORT l BY w_* DESC -> ["1", "3", "2", "4"]
        SORT l BY w_* LIMIT 1 2 -> ["2", "3"]
        SET w_4 x -> +OK
        SORT l BY w_* -> -ERR One or more scores can't be converted into double
        SORT l BY w_* ALPHA -> ["2", "3", "1", "4"]
        DEL w_4 -> 1
        LPUSH w_4 1 -> 1
        SORT l BY w_* -> ["4", "2", "3", "1"]
        SORT l BY w_* ALPHA DESC -> ["1", "3", "2", "4"]
        HSET h_1 f 2 -> 1
        HSET h_2 f 1 g 9 -> 2
        HSET h_3 g 7 -> 1
        SORT l BY h_*->f LIMIT 2 2 -> ["2", "1"]
        SORT l BY h_*->g GET # GET h_*->f -> ["1", "2", "4", (nil), "3", (nil), "2", "1"]
        SORT_RO l BY h_*->f GET h_*->f LIMIT 2 2 -> ["1", "2"]
    "#

    get_answers_other_keys r#"
        RPUSH l 2 1 -> 2
        MSET a_1 one a_2_x two_x a_1->f arrow -> +OK
        HSET a_2 f field -> 1
        SORT l GET a_* -> ["one", (nil)]
        SORT l GET a_*->f -> [(nil), "field"]
        SORT l GET a_*_x GET # GET plain -> [(nil), "1", (nil), "two_x", "2", (nil)]
        SORT l DESC GET # GET a_* LIMIT 1 1 -> ["1", "one"]
        SORT l GET a_*-> GET * -> [(nil), (nil), (nil), (nil)]
        SORT l BY # GET # -> ["2", "1"]
    "#

    nosort_keeps_the_order_of_the_value r#"
        RPUSH l c a b -> 3
        SORT l BY nosort -> ["c", "a", "b"]
        SORT l BY nosort DESC -> ["b", "a", "c"]
        SORT l BY nosort DESC LIMIT 1 2 -> ["a", "c"]
        SORT l BY nosort ALPHA LIMIT 0 1 -> ["c"]
        ZADD z 2 a 1 b 3 c -> 3
        SORT z BY nosort -> ["b", "a", "c"]
        SORT z BY nosort DESC LIMIT 0 2 -> ["c", "a"]
        SORT z BY nosort GET # GET x LIMIT 1 1 -> ["a", (nil)]
        SADD s b c a 10 9 -> 5
        SORT s BY nosort -> unordered ["a", "b", "c", "10", "9"]
        SORT s BY nosort STORE d -> 5
        LRANGE d 0 -1 -> ["10", "9", "a", "b", "c"]
        SORT l BY w_* BY nosort -> ["c", "a", "b"]
        SORT l BY nosort BY w_* -> ["c", "a", "b"]
    "#

    store_makes_a_list r#"
        RPUSH l 3 1 2 -> 3
        SORT l STORE d -> 3
        TYPE d -> +list
        LRANGE d 0 -1 -> ["1", "2", "3"]
        SET d x EX 100 -> +OK
        SORT l DESC LIMIT 0 2 STORE d -> 2
        LRANGE d 0 -1 -> ["3", "2"]
        TTL d -> -1
        MSET v_1 one v_3 three -> +OK
        SORT l GET v_* GET # STORE d -> 6
        LRANGE d 0 -1 -> ["one", "1", "", "2", "three", "3"]
        SORT l STORE l -> 3
        LRANGE l 0 -1 -> ["1", "2", "3"]
        SORT l STORE a STORE b -> 3
        EXISTS a b -> 1
        SORT none STORE d -> 0
        EXISTS d -> 0
        SORT none STORE d -> 0
        SET str x -> +OK
        RPUSH bad x -> 1
        SORT bad STORE str -> -ERR One or more scores can't be converted into double
        GET str -> "x"
    "#

    wrong_uses_are_refused r#"
        SET str x -> +OK
        HSET h f v -> 1
        SORT str -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SORT h BY nosort -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SORT str FOO -> -ERR syntax error
        SORT l BY -> -ERR syntax error
        SORT l GET -> -ERR syntax error
        SORT l STORE -> -ERR syntax error
        SORT_RO l STORE d -> -ERR syntax error
        SORT -> -ERR wrong number of arguments for 'sort' command
        COMMAND GETKEYS SORT a LIMIT store 1 BY store GET STORE STORE b STORE c -> ["a", "c"]
        COMMAND GETKEYS SORT_RO a BY w_* -> ["a"]
    "#

    transactions_sort_by_other_keys r#"
        RPUSH l 1 2 3 -> 3
        MULTI -> +OK
        MSET w_1 3 w_2 2 w_3 1 -> +QUEUED
        SORT l BY w_* GET w_* STORE d -> +QUEUED
        SORT l BY w_* GET # -> +QUEUED
        DEL w_2 -> +QUEUED
        SORT_RO l BY w_* -> +QUEUED
        SORT l STORE e -> +QUEUED
        EXEC -> [+OK, 3, ["3", "2", "1"], 1, ["2", "3", "1"], 3]
        LRANGE d 0 -1 -> ["1", "2", "3"]
        LRANGE e 0 -1 -> ["1", "2", "3"]
    "#

    expired_weights_are_no_weights r#"
        RPUSH l 1 2 -> 2
        SET w_1 5 PX 30 -> +OK
        SET w_2 3 -> +OK
        wait 60ms
        SORT l BY w_* GET w_* -> [(nil), "3"]
        EXISTS w_1 -> 0
    "#
}

behaviour! {
    what_is_stored_serves_who_waits [hot cold tiny memory] r#"
        RPUSH l 1 2 3 -> 3
        MSET w_1 3 w_2 2 w_3 1 -> +OK
        b> send BLPOP d 0
        wait 50ms
        SORT l BY w_* STORE d -> 3
        b> expect BLPOP -> ["d", "3"]
        LRANGE d 0 -1 -> ["2", "1"]
        b> send BLMOVE d w_9 RIGHT LEFT 0
        b> expect BLMOVE -> "1"
        DEL d -> 1
        b> send BLMOVE d w_8 RIGHT LEFT 0
        wait 50ms
        SORT l BY w_* GET w_* STORE d -> 3
        b> expect BLMOVE -> "3"
        LRANGE w_8 0 -1 -> ["3"]
    "#
}
