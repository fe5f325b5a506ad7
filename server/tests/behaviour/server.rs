//! Commands about the server: INFO, COMMAND, SLOWLOG, TIME, MEMORY, DEBUG, saving, SHUTDOWN.

use crate::behaviour;

behaviour! {
    info_sections [hot memory] r##"
        INFO server -> like "# Server\r\nredis_version:*redis_mode:standalone\r\n*process_id:*run_id:*tcp_port:*uptime_in_seconds:*executable:*"
        INFO clients -> like "# Clients\r\nconnected_clients:*maxclients:10000\r\n*blocked_clients:0\r\n*"
        INFO memory -> like "# Memory\r\nused_memory:*used_memory_human:*used_memory_rss:*used_memory_peak:*maxmemory:*maxmemory_policy:noeviction\r\n*mem_fragmentation_ratio:*mem_allocator:jemalloc*"
        INFO persistence -> like "# Persistence\r\nloading:0\r\n*rdb_changes_since_last_save:*rdb_bgsave_in_progress:0\r\n*rdb_last_save_time:*aof_enabled:*"
        INFO stats -> like "# Stats\r\ntotal_connections_received:*total_commands_processed:*instantaneous_ops_per_sec:*total_net_input_bytes:*rejected_connections:*expired_keys:*evicted_keys:*keyspace_hits:*keyspace_misses:*total_error_replies:*"
        INFO replication -> like "# Replication\r\nrole:master\r\nconnected_slaves:0\r\n*master_replid:*master_repl_offset:*"
        INFO cpu -> like "# CPU\r\nused_cpu_sys:*used_cpu_user:*"
        INFO commandstats -> like "# Commandstats\r\n*cmdstat_info:calls=*,usec=*,usec_per_call=*,rejected_calls=*,failed_calls=*"
        INFO errorstats -> like "# Errorstats\r\n*"
        INFO cluster -> like "# Cluster\r\ncluster_enabled:0\r\n*"
        INFO keyspace -> like "# Keyspace\r\n*"
        INFO nosuch -> ""
        INFO -> like "# Server\r\n*# Clients\r\n*# Memory\r\n*# Persistence\r\n*# Stats\r\n*# Replication\r\n*# CPU\r\n*# Errorstats\r\n*# Cluster\r\n*# Keyspace\r\n*"
        INFO everything -> like "# Server\r\n*# Commandstats\r\n*"
        INFO server clients -> like "# Server\r\n*# Clients\r\n*"
        @basalt INFO tiering -> like "# Tiering\r\n*"
        @basalt INFO binlog -> like "# Binlog\r\n*"
        @basalt INFO -> like "*# Tiering\r\n*# Binlog\r\n*"
    "##

    info_keyspace [hot cold tiny restart memory] r##"
        INFO keyspace -> like "# Keyspace\r\n"
        MSET a 1 b 2 -> +OK
        SET c 3 EX 1000 -> +OK
        SELECT 3 -> +OK
        SET d 4 -> +OK
        INFO keyspace -> like "# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=*\r\ndb3:keys=1,expires=0,avg_ttl=0*\r\n"
        PERSIST d -> 0
        EXPIRE d 100 -> 1
        INFO keyspace -> like "*db3:keys=1,expires=1,avg_ttl=*"
        DEL d -> 1
        INFO keyspace -> like "# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=*\r\n"
    "##

    info_counts_commands_and_errors [hot memory] r##"
        server
        CONFIG RESETSTAT -> +OK
        SET a 1 -> +OK
        GET a -> "1"
        GET none -> (nil)
        INCR a -> 2
        SET s x -> +OK
        INCR s -> -ERR value is not an integer or out of range
        NOSUCH -> like "ERR unknown*"
        SET a -> like "ERR wrong*"
        INFO stats -> like "*keyspace_hits:*keyspace_misses:1\r\n*total_error_replies:3\r\n*"
        INFO commandstats -> like "*cmdstat_incr:calls=2,usec=*,rejected_calls=0,failed_calls=1\r\n*"
        INFO commandstats -> like "*cmdstat_set:calls=2,usec=*,rejected_calls=1,failed_calls=0\r\n*"
        INFO errorstats -> like "*errorstat_ERR:count=3\r\n*"
        CONFIG RESETSTAT -> +OK
        INFO stats -> like "*keyspace_hits:0\r\n*keyspace_misses:0\r\n*"
        INFO errorstats -> like "# Errorstats\r\n"
    "##

    time_is_now [hot memory] r##"
        TIME -> [text, text]
        TIME x -> -ERR wrong number of arguments for 'time' command
    "##

    lastsave_and_save [hot memory] r##"
        LASTSAVE -> $s-1000..$s+1
        SET k v -> +OK
        SAVE -> +OK
        LASTSAVE -> $s-2..$s+1
        BGSAVE -> +Background saving started
        BGSAVE WHAT -> -ERR syntax error
        until 5000ms: INFO persistence -> like "*rdb_bgsave_in_progress:0*rdb_last_bgsave_status:ok*"
        BGSAVE SCHEDULE -> like "Background saving *"
        until 5000ms: INFO persistence -> like "*rdb_bgsave_in_progress:0*"
        GET k -> "v"
        SAVE x -> -ERR wrong number of arguments for 'save' command
    "##

    save_then_restart_keeps_everything [restart] r##"
        SET a 1 -> +OK
        SET b 2 EX 1000 -> +OK
        SELECT 4 -> +OK
        SET c 3 -> +OK
        @basalt SAVE -> +OK
        APPEND c 4 -> 2
        crash
        GET c -> "34"
        SELECT 0 -> +OK
        MGET a b -> ["1", "2"]
        TTL b -> 900..1000
        terminate
        MGET a b -> ["1", "2"]
        DEL a -> 1
        terminate
        DBSIZE -> 1
        crash
        DBSIZE -> 1
        SELECT 4 -> +OK
        GET c -> "34"
    "##

    command_table_queries [hot memory] r##"
        COMMAND COUNT -> 60..1000
        COMMAND INFO get -> [["get", 2, unordered [+readonly, +fast], 1, 1, 1, unordered [+@read, +@string, +@fast], [], [anything], []]]
        COMMAND INFO set nosuch -> [["set", -3, unordered [+write, +denyoom], 1, 1, 1, unordered [+@write, +@string, +@slow], [], anything, []], (nil)]
        COMMAND INFO mset -> [["mset", -3, anything, 1, -1, 2, ...]]
        COMMAND INFO client|id -> [["client|id", 2, ...]]
        COMMAND GETKEYS MSET a 1 b 2 -> ["a", "b"]
        COMMAND GETKEYS GET k -> ["k"]
        @8.2 COMMAND GETKEYS PING -> -ERR The command has no key arguments
        @8.2 COMMAND GETKEYS NOSUCH -> -ERR Invalid command specified
        @8.2 COMMAND GETKEYS GET -> -ERR Invalid number of arguments specified for command
        COMMAND GETKEYSANDFLAGS SET k v -> [["k", [+OW, +update]]]
        COMMAND GETKEYSANDFLAGS GET k -> [["k", [+RO, +access]]]
        COMMAND GETKEYSANDFLAGS COPY a b -> [["a", [+RO, +access]], ["b", [+OW, +update]]]
        COMMAND LIST FILTERBY PATTERN getde* -> ["getdel"]
        COMMAND LIST FILTERBY ACLCAT nosuch -> []
        COMMAND LIST FILTERBY ACLCAT transaction -> unordered ["multi", "exec", "discard", "watch", "unwatch"]
        COMMAND LIST FILTERBY MODULE nosuch -> []
        COMMAND LIST WHAT -> -ERR syntax error
        COMMAND LIST -> [text, text, ...]
        COMMAND DOCS get -> ["get", ["summary", text, "since", "1.0.0", "group", "string", "complexity", "O(1)", ...]]
        COMMAND DOCS nosuch -> []
        COMMAND -> [anything, anything, ...]
        COMMAND HELP -> [like "COMMAND <subcommand>*", ...]
        COMMAND WHAT -> -ERR unknown subcommand 'WHAT'. Try COMMAND HELP.
        HELLO 3
        COMMAND DOCS get -> {"get": {"group": "string", ...}}
        COMMAND INFO get -> [["get", 2, ~[+readonly, +fast], 1, 1, 1, ...]]
    "##

    work_on_a_thread_takes_its_time [hot memory] r#"
        server --slowlog-log-slower-than 150000
        SLOWLOG RESET -> +OK
        DEBUG SLEEP 0.2 -> +OK
        SLOWLOG GET -> [[int, int, 190000..5000000, ["DEBUG", "SLEEP", "0.2"], like "127.0.0.1:*", ""]]
        INFO commandstats -> like "*cmdstat_debug:calls=1,usec=2*"
        MULTI -> +OK
        PING -> +QUEUED
        EXEC -> [+PONG]
        SLOWLOG LEN -> 1
    "#

    slowlog [hot memory] r##"
        server --slowlog-log-slower-than 0 --slowlog-max-len 4
        SLOWLOG RESET -> +OK
        CLIENT SETNAME me -> +OK
        SET k v -> +OK
        SLOWLOG GET 1 -> [[int, $s-5..$s+1, int, ["SET", "k", "v"], like "127.0.0.1:*", "me"]]
        SLOWLOG LEN -> 4
        GET "x"*500 -> (nil)
        SLOWLOG GET 1 -> [[int, int, int, ["GET", like "xxx*... (372 more bytes)"], ...]]
        SLOWLOG GET -> [anything, anything, anything, anything]
        SLOWLOG GET -1 -> [anything, anything, anything, anything]
        SLOWLOG GET 0 -> []
        SLOWLOG GET -2 -> -ERR count should be greater than or equal to -1
        SLOWLOG GET x -> -ERR count should be greater than or equal to -1
        CONFIG SET slowlog-log-slower-than -1 -> +OK
        SLOWLOG RESET -> +OK
        PING -> +PONG
        SLOWLOG LEN -> 0
        SLOWLOG GET -> []
        SLOWLOG WHAT -> -ERR unknown subcommand 'WHAT'. Try SLOWLOG HELP.
        SLOWLOG HELP -> [like "SLOWLOG <subcommand>*", ...]
    "##

    memory_subcommands [hot memory] r##"
        SET k "x"*1000 -> +OK
        MEMORY USAGE k -> 1000..1500
        MEMORY USAGE k SAMPLES 5 -> 1000..1500
        MEMORY USAGE none -> (nil)
        MEMORY USAGE k SAMPLES -> -ERR syntax error
        MEMORY USAGE k WHAT 1 -> -ERR syntax error
        MEMORY USAGE -> -ERR wrong number of arguments for 'memory|usage' command
        MEMORY STATS -> ["peak.allocated", int, "total.allocated", int, ...]
        MEMORY PURGE -> +OK
        MEMORY DOCTOR -> text
        MEMORY HELP -> [like "MEMORY <subcommand>*", ...]
        MEMORY WHAT -> -ERR unknown subcommand 'WHAT'. Try MEMORY HELP.
    "##

    debug_subcommands [hot cold memory] r##"
        DEBUG SLEEP 0.01 -> +OK
        DEBUG SLEEP 0 -> +OK
        SET k v -> +OK
        DEBUG OBJECT k -> like "Value at:* refcount:1 encoding:embstr serializedlength:*lru:*lru_seconds_idle:*"
        DEBUG OBJECT none -> -ERR no such key
        DEBUG JMAP -> anything
        DEBUG NOSUCH -> like "ERR unknown subcommand*"
        DEBUG POPULATE 3 -> +OK
        MGET key:0 key:1 key:2 -> ["value:0", "value:1", "value:2"]
        DEBUG POPULATE 2 p 10 -> +OK
        STRLEN p:1 -> 10
        EXISTS key:0 k p:0 -> 3
        DBSIZE -> 6
    "##

    debug_digest_sees_the_data_alone [hot cold tiny restart memory] r##"
        DEBUG DIGEST -> +0000000000000000000000000000000000000000
        MSET a 1 b 2 -> +OK
        DEBUG DIGEST -> $first
        SET c 3 -> +OK
        DEBUG DIGEST -> $second
        DEL c -> 1
        SET b 2 -> +OK
        DEBUG DIGEST-VALUE a b -> [$va, $vb]
        MSET b 1 -> +OK
        DEBUG DIGEST-VALUE a none -> [anything, anything]
        DEBUG DIGEST -> like "*"
    "##

    debug_reload_keeps_everything [hot cold tiny] r##"
        server
        SET a 1 -> +OK
        SET b 2 EX 1000 -> +OK
        SELECT 5 -> +OK
        SET c "x"*5000 -> +OK
        DEBUG RELOAD -> +OK
        STRLEN c -> 5000
        SELECT 0 -> +OK
        MGET a b -> ["1", "2"]
        TTL b -> 900..1000
        DBSIZE -> 2
    "##

    shutdown_abort_without_shutdown [hot memory] r##"
        SHUTDOWN ABORT -> -ERR No shutdown in progress.
        SHUTDOWN WHAT -> -ERR syntax error
        SHUTDOWN SAVE NOSAVE -> -ERR syntax error
        PING -> +PONG
    "##
}
