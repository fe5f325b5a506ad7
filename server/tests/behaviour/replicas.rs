//! WAIT, FAILOVER, REPLCONF of a server that nobody follows. What needs replicas is in `tests/replication`.

use crate::behaviour;

behaviour! {
    wait_counts_nobody_without_replicas [hot memory] r#"
        WAIT 0 0 -> 0
        WAIT -1 0 -> 0
        SET k v -> +OK
        WAIT 1 30 -> 0
        WAIT 1 -1 -> -ERR timeout is negative
        WAIT 1 x -> -ERR timeout is not an integer or out of range
        WAIT x 1 -> -ERR value is not an integer or out of range
        WAIT 1 -> -ERR wrong number of arguments for 'wait' command
        MULTI -> +OK
        SET k w -> +QUEUED
        WAIT 1 0 -> +QUEUED
        EXEC -> [+OK, 0]
    "#

    waitaof_knows_the_own_disk [hot] r#"
        @basalt SET k v -> +OK
        @basalt WAITAOF 1 0 0 -> [1, 0]
        @basalt WAITAOF 0 1 30 -> [int, 0]
        @basalt WAITAOF 2 0 0 -> -"ERR value is out of range, must be between 0 and 1"
        @basalt WAITAOF 1 -1 0 -> -"ERR value is out of range, must be positive"
    "#

    failover_needs_replicas [hot memory] r#"
        FAILOVER -> -ERR FAILOVER requires connected replicas.
        FAILOVER ABORT -> -ERR No failover in progress.
        FAILOVER TO h 1 FORCE -> -ERR FAILOVER requires connected replicas.
        FAILOVER TIMEOUT 0 -> -ERR FAILOVER timeout must be greater than 0
        FAILOVER TO h -> -ERR syntax error
        FAILOVER TO h x -> -ERR value is not an integer or out of range
        MULTI -> +OK
        PSYNC ? -1 -> -ERR Command not allowed inside a transaction
        EXEC -> like "EXECABORT*"
    "#

    replconf_is_read_pair_by_pair [hot memory] r#"
        REPLCONF -> +OK
        REPLCONF listening-port 6400 ip-address 10.0.0.1 capa eof capa psync2 -> +OK
        REPLCONF a -> -ERR syntax error
        REPLCONF a b -> -ERR Unrecognized REPLCONF option: a
        REPLCONF listening-port x -> -ERR value is not an integer or out of range
        REPLCONF rdb-only 1 -> +OK
        REPLCONF rdb-filter-only x -> -ERR Unsupported rdb-filter-only option: x
        send REPLCONF ACK 1
        silent
        PING -> +PONG
    "#
}
