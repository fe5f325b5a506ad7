//! HyperLogLogs: what PFADD, PFCOUNT and PFMERGE answer, and the very bytes they leave.

use crate::behaviour;

behaviour! {
    pfadd_says_whether_anything_changed r#"
        PFADD k -> 1
        PFADD k -> 0
        EXISTS k -> 1
        PFCOUNT k -> 0
        PFADD k a -> 1
        PFADD k a -> 0
        PFADD k a b c -> 1
        PFADD k c b a -> 0
        PFCOUNT k -> 3
        PFCOUNT missing -> 0
        EXISTS missing -> 0
        TYPE k -> +string
        OBJECT ENCODING k -> "raw" | "embstr"
    "#

    values_have_the_bytes_of_redis r#"
        PFADD k -> 1
        GET k -> "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff"
        PFCOUNT k -> 0
        GET k -> "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff"
        PFADD k a -> 1
        GET k -> "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x71\xa6\x84\x4eW"
        PFCOUNT k -> 1
        GET k -> "HYLL\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x71\xa6\x84\x4eW"
        PFADD k a -> 0
        GET k -> "HYLL\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x71\xa6\x84\x4eW"
        PFADD k b -> 1
        PFADD k "" -> 1
        PFCOUNT k -> 3
        STRLEN k -> 27
    "#

    pfadd_keeps_the_time_to_live r#"
        PFADD k a -> 1
        EXPIRE k 100 -> 1
        PFADD k b -> 1
        TTL k -> 90..100
        PFCOUNT k -> 2
        TTL k -> 90..100
        PFDEBUG TODENSE k -> 1
        TTL k -> 90..100
        PFADD k c -> 1
        TTL k -> 90..100
        PFMERGE k -> +OK
        TTL k -> 90..100
    "#

    pfmerge_unites r#"
        PFADD {t}a 1 2 3 4 -> 1
        PFADD {t}b 3 4 5 6 -> 1
        PFCOUNT {t}a {t}b -> 6
        PFCOUNT {t}a {t}missing -> 4
        PFCOUNT {t}missing {t}missing2 -> 0
        PFMERGE {t}d {t}a {t}b {t}missing -> +OK
        PFCOUNT {t}d -> 6
        PFDEBUG ENCODING {t}d -> +sparse
        PFMERGE {t}d -> +OK
        PFCOUNT {t}d -> 6
        PFMERGE {t}new -> +OK
        PFCOUNT {t}new -> 0
        PFMERGE {t}a {t}b -> +OK
        PFCOUNT {t}a -> 6
        PFDEBUG TODENSE {t}b -> 1
        PFMERGE {t}e {t}b -> +OK
        PFDEBUG ENCODING {t}e -> +dense
        STRLEN {t}e -> 12304
        PFCOUNT {t}e -> 4
        PFCOUNT {t}e {t}a -> 6
        PFMERGE {t}d {t}e -> +OK
        PFDEBUG ENCODING {t}d -> +dense
        PFCOUNT {t}d -> 6
    "#

    other_strings_are_refused r#"
        SET s v -> +OK
        SET {t}s "HYLL\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff" -> +OK
        PFADD s a -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFCOUNT s -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFMERGE s -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFCOUNT {t}s {t}x -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFMERGE {t}new {t}s -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        EXISTS {t}new -> 0
        SET {t}s "HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff" -> +OK
        PFADD {t}s a -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        SET s "" -> +OK
        PFCOUNT s -> -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFADD -> -ERR wrong number of arguments for 'pfadd' command
        PFCOUNT -> -ERR wrong number of arguments for 'pfcount' command
        PFMERGE -> -ERR wrong number of arguments for 'pfmerge' command
    "#

    runs_that_do_not_add_up_are_refused r#"
        SET k "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x40\x00" -> +OK
        PFCOUNT k -> -INVALIDOBJ Corrupted HLL object detected
        PFADD k a -> -INVALIDOBJ Corrupted HLL object detected
        PFDEBUG TODENSE k -> -INVALIDOBJ Corrupted HLL object detected
        SET k "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff\x7f\xff" -> +OK
        PFCOUNT k -> -INVALIDOBJ Corrupted HLL object detected
        PFMERGE k -> -INVALIDOBJ Corrupted HLL object detected
    "#

    pfdebug_shows_encodings r#"
        PFADD k a -> 1
        PFDEBUG ENCODING k -> +sparse
        PFDEBUG DECODE k -> "Z:12711 v:2,1 Z:3672"
        PFDEBUG todense k -> 1
        PFDEBUG TODENSE k -> 0
        PFDEBUG ENCODING k -> +dense
        PFDEBUG DECODE k -> -ERR HLL encoding is not sparse
        PFCOUNT k -> 1
        PFADD k a -> 0
        PFADD k b -> 1
        PFCOUNT k -> 2
        PFADD g a -> 1
        PFDEBUG GETREG g -> [0, 0, ...]
        PFDEBUG ENCODING g -> +dense
        PFDEBUG ENCODING missing -> -ERR The specified key does not exist
        PFDEBUG FOO k -> -ERR Unknown PFDEBUG subcommand 'FOO'
        PFDEBUG FOO -> -ERR wrong number of arguments for 'pfdebug' command
        PFSELFTEST -> +OK
    "#

    sparse_values_become_dense_at_the_limit r#"
        server --hll-sparse-max-bytes 30
        PFADD k a b c -> 1
        PFDEBUG ENCODING k -> +sparse
        PFADD k d e f g h i j -> 1
        PFDEBUG ENCODING k -> +dense
        PFCOUNT k -> 10
    "#

    pfcount_in_a_transaction_keeps_its_answer r#"
        PFADD k a b -> 1
        MULTI -> +OK
        PFCOUNT k -> +QUEUED
        GETRANGE k 8 15 -> +QUEUED
        EXEC -> [2, "\x02\x00\x00\x00\x00\x00\x00\x00"]
    "#
}

// A restart forgets CONFIG SET.
behaviour! {
    the_limit_of_sparse_values_can_be_changed [hot cold memory] r#"
        server --hll-sparse-max-bytes 3000
        PFADD l a b c d e f g h i j -> 1
        PFDEBUG ENCODING l -> +sparse
        PFCOUNT l -> 10
        CONFIG SET hll-sparse-max-bytes 30 -> +OK
        PFMERGE m l -> +OK
        PFDEBUG ENCODING m -> +dense
        PFCOUNT m -> 10
    "#
}
