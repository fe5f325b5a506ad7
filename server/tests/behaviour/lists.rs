//! List commands, on small lists and on ones of many pages.

use crate::behaviour;

behaviour! {
    pushes_and_pops r#"
        RPUSH l a b c -> 3
        LPUSH l x y -> 5
        LRANGE l 0 -1 -> ["y", "x", "a", "b", "c"]
        TYPE l -> +list
        LLEN l -> 5
        LLEN missing -> 0
        LPUSHX l z -> 6
        RPUSHX l d e -> 8
        LPUSHX missing a -> 0
        RPUSHX missing a -> 0
        EXISTS missing -> 0
        LPOP l -> "z"
        RPOP l -> "e"
        LPOP l 2 -> ["y", "x"]
        RPOP l 2 -> ["d", "c"]
        LPOP l 0 -> []
        LPOP l 10 -> ["a", "b"]
        EXISTS l -> 0
        LPOP l -> (nil)
        RPOP l 3 -> (nil array)
        LPOP l 0 -> (nil array)
        RPUSH l "" "\x00\r\n" 12 -7 007 -> 5
        LRANGE l 0 -1 -> ["", "\x00\r\n", "12", "-7", "007"]
        LPUSH l -> -ERR wrong number of arguments for 'lpush' command
        LPOP l -1 -> -ERR value is out of range, must be positive
        LPOP l x -> -ERR value is out of range, must be positive
        LPOP missing -1 -> -ERR value is out of range, must be positive
        LPOP l 1 2 -> -ERR wrong number of arguments for 'lpop' command
        HELLO 3 -> anything
        LPOP missing -> (nil)
        LPOP missing 2 -> (nil)
        RPOP l 2 -> ["007", "-7"]
    "#

    lindex_lset_and_lrange r#"
        RPUSH l a b c d -> 4
        LINDEX l 0 -> "a"
        LINDEX l -1 -> "d"
        LINDEX l 4 -> (nil)
        LINDEX l -5 -> (nil)
        LINDEX missing x -> (nil)
        LINDEX l x -> -ERR value is not an integer or out of range
        LSET l 1 B -> +OK
        LSET l -1 D -> +OK
        LRANGE l 0 -1 -> ["a", "B", "c", "D"]
        LSET l 4 x -> -ERR index out of range
        LSET l -5 x -> -ERR index out of range
        LSET missing 0 x -> -ERR no such key
        LSET l x y -> -ERR value is not an integer or out of range
        LRANGE l 1 2 -> ["B", "c"]
        LRANGE l -2 100 -> ["c", "D"]
        LRANGE l 3 1 -> []
        LRANGE l 9 9 -> []
        LRANGE missing 0 -1 -> []
        LRANGE l x 1 -> -ERR value is not an integer or out of range
    "#

    linsert_puts_next_to_a_pivot r#"
        RPUSH l a b c b -> 4
        LINSERT l before b x -> 5
        LINSERT l AFTER b y -> 6
        LRANGE l 0 -1 -> ["a", "x", "b", "y", "c", "b"]
        LINSERT l BEFORE nope z -> -1
        LINSERT missing BEFORE a z -> 0
        LINSERT l AROUND a z -> -ERR syntax error
        LINSERT l AFTER b -> -ERR wrong number of arguments for 'linsert' command
    "#

    lrem_takes_from_either_end r#"
        RPUSH l a b a c a a -> 6
        LREM l 2 a -> 2
        LRANGE l 0 -1 -> ["b", "c", "a", "a"]
        LREM l -1 a -> 1
        LRANGE l 0 -1 -> ["b", "c", "a"]
        LREM l 0 nope -> 0
        LREM l x a -> -ERR value is not an integer or out of range
        LREM missing 0 a -> 0
        RPUSH m a a a -> 3
        LREM m 0 a -> 3
        EXISTS m -> 0
        RPUSH l b b x b -> 7
        LREM l -2 b -> 2
        LRANGE l 0 -1 -> ["b", "c", "a", "b", "x"]
    "#

    ltrim_keeps_a_range r#"
        RPUSH l a b c d e -> 5
        LTRIM l 1 -2 -> +OK
        LRANGE l 0 -1 -> ["b", "c", "d"]
        LTRIM l 0 -1 -> +OK
        LLEN l -> 3
        LTRIM l -100 0 -> +OK
        LRANGE l 0 -1 -> ["b"]
        LTRIM l 5 9 -> +OK
        EXISTS l -> 0
        LTRIM missing 0 1 -> +OK
        LTRIM missing x 1 -> -ERR value is not an integer or out of range
    "#

    lpos_finds_positions r#"
        RPUSH l a b c 1 2 3 c c -> 8
        LPOS l c -> 2
        LPOS l c RANK 2 -> 6
        LPOS l c RANK -1 -> 7
        LPOS l c COUNT 2 -> [2, 6]
        LPOS l c COUNT 0 -> [2, 6, 7]
        LPOS l c COUNT 0 RANK -2 -> [6, 2]
        LPOS l c COUNT 0 MAXLEN 3 -> [2]
        LPOS l c COUNT 0 MAXLEN 2 -> []
        LPOS l c MAXLEN 2 -> (nil)
        LPOS l c MAXLEN 1 RANK -1 -> 7
        LPOS l nope -> (nil)
        LPOS l nope COUNT 1 -> []
        LPOS missing c -> (nil)
        LPOS missing c COUNT 1 -> []
        LPOS l c RANK 9 -> (nil)
        LPOS l c RANK 0 -> -"ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list"
        LPOS l c RANK x -> -ERR value is not an integer or out of range
        @basalt LPOS l c RANK -9223372036854775808 -> -"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
        LPOS l c COUNT -1 -> -ERR COUNT can't be negative
        LPOS l c MAXLEN -1 -> -ERR MAXLEN can't be negative
        LPOS l c COUNT -> -ERR syntax error
        LPOS l c WHAT 1 -> -ERR syntax error
    "#

    lmove_and_rpoplpush r#"
        RPUSH a 1 2 3 -> 3
        LMOVE a b LEFT RIGHT -> "1"
        LMOVE a b right left -> "3"
        LRANGE b 0 -1 -> ["3", "1"]
        RPOPLPUSH a b -> "2"
        EXISTS a -> 0
        LRANGE b 0 -1 -> ["2", "3", "1"]
        LMOVE a b LEFT LEFT -> (nil)
        RPOPLPUSH a b -> (nil)
        LMOVE b b LEFT RIGHT -> "2"
        LRANGE b 0 -1 -> ["3", "1", "2"]
        RPOPLPUSH b b -> "2"
        LRANGE b 0 -1 -> ["2", "3", "1"]
        LMOVE b b LEFT LEFT -> "2"
        LRANGE b 0 -1 -> ["2", "3", "1"]
        SET s x -> +OK
        LMOVE b s LEFT LEFT -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LMOVE s b LEFT LEFT -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LMOVE missing s LEFT LEFT -> (nil)
        LLEN b -> 3
        LMOVE b b UP LEFT -> -ERR syntax error
        RPUSH one x -> 1
        EXPIRE one 100 -> 1
        LMOVE one one LEFT RIGHT -> "x"
        TTL one -> 90..100
        LRANGE one 0 -1 -> ["x"]
    "#

    lmpop_takes_from_the_first_that_has_any r#"
        RPUSH b 1 2 3 4 5 -> 5
        LMPOP 2 a b LEFT -> ["b", ["1"]]
        LMPOP 2 a b RIGHT COUNT 2 -> ["b", ["5", "4"]]
        LMPOP 1 a LEFT -> (nil array)
        LMPOP 1 b left count 10 -> ["b", ["2", "3"]]
        EXISTS b -> 0
        SET s x -> +OK
        LMPOP 2 a s LEFT -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LMPOP 0 a LEFT -> -ERR numkeys should be greater than 0
        LMPOP x a LEFT -> -ERR numkeys should be greater than 0
        LMPOP -1 a LEFT -> -ERR numkeys should be greater than 0
        LMPOP 5 a LEFT -> -ERR syntax error
        LMPOP 9223372036854775807 a LEFT -> -ERR syntax error
        LMPOP 1 a UP -> -ERR syntax error
        LMPOP 1 a LEFT COUNT 0 -> -ERR count should be greater than 0
        LMPOP 1 a LEFT COUNT x -> -ERR count should be greater than 0
        LMPOP 1 a LEFT COUNT -> -ERR syntax error
        LMPOP 1 a LEFT COUNT 1 COUNT 1 -> -ERR syntax error
        MULTI -> +OK
        LMPOP 7 a LEFT -> +QUEUED
        LMPOP 1 a LEFT -> +QUEUED
        EXEC -> [-"ERR syntax error", (nil array)]
    "#

    list_commands_refuse_other_types r#"
        SET s v -> +OK
        LPUSH s a -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LPUSHX s a -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LPOP s -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LLEN s -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LRANGE s 0 -1 -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LINDEX s 0 -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LSET s 0 x -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LINSERT s BEFORE a b -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LREM s 0 a -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LTRIM s 0 1 -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LPOS s a -> -WRONGTYPE Operation against a key holding the wrong kind of value
        BLPOP s 0.01 -> -WRONGTYPE Operation against a key holding the wrong kind of value
        RPUSH l a -> 1
        GET l -> -WRONGTYPE Operation against a key holding the wrong kind of value
        HGET l f -> -WRONGTYPE Operation against a key holding the wrong kind of value
        SET l v -> +OK
        TYPE l -> +string
    "#

    a_list_of_many_pages r#"
        RPUSH l "a"*900 "b"*900 "c"*900 "d"*900 "e"*900 "f"*900 "g"*900 "h"*900 "i"*900 "j"*900 -> 10
        LPUSH l 1 2 3 4 5 6 7 8 9 10 -> 20
        RPUSH l "k"*3000 "l"*3000 "m"*3000 x -> 24
        LINDEX l 10 -> "a"*900
        LINDEX l -1 -> "x"
        LINDEX l -2 -> "m"*3000
        LSET l 12 "C"*2000 -> +OK
        LINDEX l 12 -> "C"*2000
        LPOS l "j"*900 -> 19
        LPOS l x RANK -1 -> 23
        LINSERT l AFTER "e"*900 mid -> 25
        LRANGE l 14 16 -> ["e"*900, "mid", "f"*900]
        LREM l 0 "g"*900 -> 1
        LLEN l -> 24
        LPOP l 3 -> ["10", "9", "8"]
        RPOP l 2 -> ["x", "m"*3000]
        LTRIM l 3 -2 -> +OK
        LRANGE l 0 4 -> ["4", "3", "2", "1", "a"*900]
        LLEN l -> 15
        RENAME l m -> +OK
        LLEN m -> 15
        COPY m n -> 1
        LMOVE m n LEFT RIGHT -> "4"
        LMOVE m m RIGHT LEFT -> "k"*3000
        LINDEX n -1 -> "4"
        LTRIM n 1 -1 -> +OK
        LINDEX n 0 -> "3"
        LTRIM m 100 200 -> +OK
        EXISTS m -> 0
        LREM n 0 "a"*900 -> 1
        LMPOP 2 m n RIGHT COUNT 3 -> ["n", ["4", "k"*3000, "j"*900]]
        DEL n -> 1
        DBSIZE -> 0
    "#
}

behaviour! {
    encodings_have_names_by_size [hot memory] r#"
        RPUSH l a b c -> 3
        @basalt OBJECT ENCODING l -> "listpack"
        RPUSH l "x"*9000 -> 4
        OBJECT ENCODING l -> "quicklist"
        RPOP l -> text
        @basalt CONFIG SET list-max-listpack-size 3 -> +OK
        @basalt OBJECT ENCODING l -> "listpack"
        @basalt RPUSH l d -> 4
        @basalt OBJECT ENCODING l -> "quicklist"
        @basalt CONFIG SET list-max-listpack-size -2 -> +OK
    "#
}
