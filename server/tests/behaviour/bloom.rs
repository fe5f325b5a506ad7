//! Bloom filters. redis-server 7.0 has none; texts and replies are those of RedisBloom.

use crate::behaviour;

behaviour! {
    items_are_added_once [hot cold tiny restart memory replica] r#"
        BF.ADD k a -> 1
        BF.ADD k a -> 0
        BF.EXISTS k a -> 1
        BF.EXISTS k b -> 0
        BF.MADD k a b c b -> [0, 1, 1, 0]
        BF.MEXISTS k a b c d -> [1, 1, 1, 0]
        BF.CARD k -> 3
        BF.EXISTS missing a -> 0
        BF.MEXISTS missing a b -> [0, 0]
        BF.CARD missing -> 0
        EXISTS missing -> 0
        TYPE k -> +MBbloom--
        OBJECT ENCODING k -> "raw"
        SCAN 0 TYPE MBbloom-- COUNT 1000 -> ["0", ["k"]]
        DEL k -> 1
        BF.EXISTS k a -> 0
    "#

    reserve_keeps_to_its_parameters [hot cold tiny restart memory replica] r#"
        BF.RESERVE k 0.001 100 -> +OK
        BF.INFO k -> [+Capacity, 100, +Size, 237, +"Number of filters", 1, +"Number of items inserted", 0, +"Expansion rate", 2]
        BF.RESERVE k 0.001 100 -> -ERR item exists
        BF.CARD k -> 0
        EXISTS k -> 1
        BF.RESERVE k4 0.01 10 EXPANSION 4 -> +OK
        BF.INFO k4 expansion -> [4]
        BF.RESERVE fixed 0.01 3 NONSCALING -> +OK
        BF.INFO fixed EXPANSION -> [(nil)]
        BF.RESERVE zero 0.01 3 EXPANSION 0 -> +OK
        BF.INFO zero EXPANSION -> [(nil)]
        BF.MADD fixed a b -> [1, 1]
        BF.MADD fixed a c d e -> [0, 1, -"ERR non scaling filter is full"]
        BF.ADD fixed a -> 0
        BF.ADD fixed zzz -> -ERR non scaling filter is full
        BF.MADD fixed zzz a -> [-"ERR non scaling filter is full"]
        BF.CARD fixed -> 3
    "#

    filters_grow_by_layers [hot cold tiny restart memory replica] r#"
        BF.RESERVE k 0.01 4 EXPANSION 2 -> +OK
        BF.MADD k 1 2 3 4 -> [1, 1, 1, 1]
        BF.INFO k FILTERS -> [1]
        BF.ADD k 5 -> 1
        BF.INFO k FILTERS -> [2]
        BF.INFO k CAPACITY -> [12]
        BF.INFO k ITEMS -> [5]
        BF.MADD k 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 -> anything
        BF.INFO k FILTERS -> [4]
        BF.INFO k CAPACITY -> [60]
        BF.CARD k -> 28..30
        BF.MEXISTS k 1 5 12 13 29 30 -> [1, 1, 1, 1, 1, 1]
    "#

    insert_makes_filters_and_refuses [hot cold tiny restart memory replica] r#"
        BF.INSERT k NOCREATE ITEMS a b -> -ERR not found
        EXISTS k -> 0
        BF.INSERT k CAPACITY 1000 ERROR 0.001 EXPANSION 3 ITEMS a b a -> [1, 1, 0]
        BF.INFO k CAPACITY -> [1000]
        BF.INFO k EXPANSION -> [3]
        BF.INSERT k NOCREATE ITEMS a c -> [0, 1]
        BF.INSERT k capacity 5 items d -> [1]
        BF.INFO k CAPACITY -> [1000]
        BF.INSERT fixed NONSCALING CAPACITY 1 ITEMS a b c -> [1, -"ERR non scaling filter is full"]
        BF.INSERT k -> -"ERR wrong number of arguments for 'bf.insert' command"
        BF.INSERT k ITEMS -> -"ERR wrong number of arguments for 'bf.insert' command"
        BF.INSERT k NOCREATE ITEMS -> -"ERR wrong number of arguments for 'bf.insert' command"
        BF.INSERT k NOCREATE CAPACITY -> -"ERR wrong number of arguments for 'bf.insert' command"
        BF.INSERT k CAPACITY 0.3 ITEMS a -> -Bad capacity
        BF.INSERT k CAPACITY 0 ITEMS a -> -Bad argument received
        BF.INSERT k ERROR big ITEMS a -> -Bad error rate
        BF.INSERT k ERROR 1 ITEMS a -> -Bad argument received
        BF.INSERT k EXPANSION big ITEMS a -> -Bad expansion
        BF.INSERT k EXPANSION 0 ITEMS a -> -Bad argument received
        BF.INSERT k DONTEXIST NOCREATE -> -Unknown argument received
    "#

    wrong_arguments_are_refused [hot memory] r#"
        BF.RESERVE k -> -"ERR wrong number of arguments for 'bf.reserve' command"
        BF.RESERVE k 0.01 -> -"ERR wrong number of arguments for 'bf.reserve' command"
        BF.RESERVE k 0.01 1 a b c d -> -"ERR wrong number of arguments for 'bf.reserve' command"
        BF.RESERVE k x 100 -> -ERR bad error rate
        BF.RESERVE k 0 100 -> -"ERR (0 < error rate range < 1) "
        BF.RESERVE k 1 100 -> -"ERR (0 < error rate range < 1) "
        BF.RESERVE k nan 100 -> -ERR bad error rate
        BF.RESERVE k 0.01 x -> -ERR bad capacity
        BF.RESERVE k 0.01 0 -> -"ERR (capacity should be larger than 0)"
        BF.RESERVE k 0.01 100 EXPANSION -> -ERR no expansion
        BF.RESERVE k 0.01 100 EXPANSION x -> -ERR bad expansion
        BF.RESERVE k 0.01 100 EXPANSION -1 -> -ERR bad expansion
        BF.RESERVE k 0.01 100 NONSCALING EXPANSION 2 -> -Nonscaling filters cannot expand
        BF.RESERVE k 0.01 9223372036854775807 -> -ERR could not create filter
        EXISTS k -> 0
        BF.INFO k -> -ERR not found
        BF.ADD k a -> 1
        BF.INFO k nonsense -> -Invalid information value
        BF.INFO k SIZE ITEMS -> -"ERR wrong number of arguments for 'bf.info' command"
        SET s v -> +OK
        BF.ADD s a -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BF.RESERVE s 0.01 10 -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BF.CARD s -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BF.INFO s -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BF.EXISTS s a -> 0
        BF.MEXISTS s a b -> [0, 0]
        GET k -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HGET k a -> -WRONGTYPE Operation against a key holding the wrong kind of value
        DUMP k -> -ERR values of this type cannot be dumped
        SET k v -> +OK
        GET k -> "v"
    "#

    filters_are_values_like_others [hot cold tiny restart memory replica] r#"
        BF.RESERVE {t}a 0.01 20000 -> +OK
        BF.MADD {t}a x y z -> [1, 1, 1]
        EXPIRE {t}a 10000 -> 1
        RENAME {t}a {t}b -> +OK
        EXISTS {t}a -> 0
        BF.MEXISTS {t}b x y z w -> [1, 1, 1, 0]
        TTL {t}b -> 9000..10000
        COPY {t}b {t}c -> 1
        BF.ADD {t}b w -> 1
        BF.MEXISTS {t}c x y z w -> [1, 1, 1, 0]
        BF.MEXISTS {t}b x y z w -> [1, 1, 1, 1]
        BF.CARD {t}c -> 3
        TTL {t}c -> 9000..10000
        BF.ADD {t}c w -> 1
        MOVE {t}c 1 -> 1
        SELECT 1 -> +OK
        BF.MEXISTS {t}c x y z w v -> [1, 1, 1, 1, 0]
        BF.INFO {t}c CAPACITY -> [20000]
        SELECT 0 -> +OK
        MEMORY USAGE {t}b -> int
        PERSIST {t}b -> 1
        TTL {t}b -> -1
        MULTI -> +OK
        BF.ADD {t}b m -> +QUEUED
        BF.EXISTS {t}b m -> +QUEUED
        EXEC -> [1, 1]
        UNLINK {t}b -> 1
        BF.CARD {t}b -> 0
    "#

    dumps_load_into_equal_filters [hot cold tiny memory replica] r#"
        BF.RESERVE a 0.001 3000 -> +OK
        BF.MADD a 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 -> anything
        BF.SCANDUMP a x -> -Second argument must be numeric
        BF.SCANDUMP missing 0 -> -ERR not found
        BF.SCANDUMP a 0 -> [1, "\x01\x00\x02\x00\x00\x00\xfc\xa9\xf1\xd2MbP?\xb8\x0b\x00\x00\x00\x00\x00\x00\x14\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\xc0\x07\x0b"]
        BF.SCANDUMP a 1 -> [int, text]
        BF.SCANDUMP a 1000 -> [0, ""]
        BF.SCANDUMP a 9223372036854775807 -> [0, ""]
        BF.LOADCHUNK b 2 x -> -ERR not found
        BF.LOADCHUNK b 1 x -> -ERR received bad data
        BF.LOADCHUNK b x x -> -ERR Second argument must be numeric
        BF.LOADCHUNK b 1 "\x01\x00\x02\x00\x00\x00\xfc\xa9\xf1\xd2MbP?\xb8\x0b\x00\x00\x00\x00\x00\x00\x14\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\xc0\x07\x0b" -> +OK
        BF.CARD b -> 20
        BF.INFO b CAPACITY -> [3000]
        BF.LOADCHUNK b 2 "\x09\x00\x00\x00\x00\x00x" -> -ERR received bad data
        BF.EXISTS b 1 -> 0
    "#

    answers_are_booleans_in_resp3 [hot] r#"
        HELLO 3 -> anything
        BF.ADD k a -> true
        BF.ADD k a -> false
        BF.MADD k a b -> [false, true]
        BF.EXISTS k a -> true
        BF.MEXISTS k a c -> [true, false]
        BF.INSERT k ITEMS a d -> [false, true]
        BF.CARD k -> 3
        BF.INFO k -> {+Capacity: 100, +"Number of filters": 1, +"Number of items inserted": 3, +"Expansion rate": 2, ...}
        BF.INFO k items -> [3]
    "#
}
