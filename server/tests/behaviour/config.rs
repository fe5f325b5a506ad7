//! CONFIG: reading, setting, rewriting, and values that are refused.

use crate::behaviour;

behaviour! {
    config_get [hot memory] r#"
        CONFIG GET port -> ["port", text]
        CONFIG GET maxmemory-policy -> ["maxmemory-policy", "noeviction"]
        CONFIG GET MAXMEMORY-POLICY -> ["MAXMEMORY-POLICY", "noeviction"]
        CONFIG GET databases -> ["databases", "16"]
        CONFIG GET nosuch -> []
        CONFIG GET maxmemory-pol* -> ["maxmemory-policy", "noeviction"]
        CONFIG GET lfu-* -> unordered ["lfu-log-factor", "10", "lfu-decay-time", "1"]
        CONFIG GET lfu-log-factor lfu-decay-time lfu-log-* -> unordered ["lfu-log-factor", "10", "lfu-decay-time", "1"]
        CONFIG GET * -> [text, text, text, text, ...]
        CONFIG GET -> -ERR wrong number of arguments for 'config|get' command
        CONFIG WHAT -> -ERR unknown subcommand 'WHAT'. Try CONFIG HELP.
        CONFIG -> -ERR wrong number of arguments for 'config' command
        CONFIG HELP -> [like "CONFIG <subcommand>*", ...]
        HELLO 3
        CONFIG GET databases -> {"databases": "16"}
    "#

    config_set_memory_units [hot memory] r#"
        server
        CONFIG SET maxmemory 100mb -> +OK
        CONFIG GET maxmemory -> ["maxmemory", "104857600"]
        CONFIG SET maxmemory 1gb -> +OK
        CONFIG GET maxmemory -> ["maxmemory", "1073741824"]
        CONFIG SET maxmemory 2g -> +OK
        CONFIG GET maxmemory -> ["maxmemory", "2000000000"]
        CONFIG SET maxmemory 300000K -> +OK
        CONFIG GET maxmemory -> ["maxmemory", "300000000"]
        CONFIG SET maxmemory 0 -> +OK
        CONFIG GET maxmemory -> ["maxmemory", "0"]
        CONFIG SET maxmemory lots -> -ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value
    "#

    config_set_kinds_of_values [hot memory] r#"
        server
        CONFIG SET maxmemory-policy allkeys-lfu -> +OK
        CONFIG GET maxmemory-policy -> ["maxmemory-policy", "allkeys-lfu"]
        CONFIG SET maxmemory-policy what -> -ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction
        CONFIG SET lfu-log-factor 5 -> +OK
        CONFIG GET lfu-log-factor -> ["lfu-log-factor", "5"]
        CONFIG SET lfu-log-factor x -> -ERR CONFIG SET failed (possibly related to argument 'lfu-log-factor') - argument couldn't be parsed into an integer
        CONFIG SET lfu-log-factor -1 -> like "ERR CONFIG SET failed (possibly related to argument 'lfu-log-factor') - argument must be between 0 and *"
        CONFIG SET nosuch 1 -> -ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'
        CONFIG SET port -> -ERR wrong number of arguments for 'config|set' command
        CONFIG SET databases 5 -> -ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config
        CONFIG SET lfu-log-factor 7 lfu-decay-time 2 -> +OK
        CONFIG GET lfu-decay-time -> ["lfu-decay-time", "2"]
        CONFIG SET lfu-log-factor 8 lfu-decay-time x -> like "ERR CONFIG SET failed (possibly related to argument 'lfu-decay-time') *"
        CONFIG GET lfu-log-factor -> ["lfu-log-factor", "7"]
        CONFIG SET lfu-log-factor 1 lfu-log-factor 2 -> -ERR CONFIG SET failed (possibly related to argument 'lfu-log-factor') - duplicate parameter
        CONFIG SET appendfsync always -> +OK
        CONFIG GET appendfsync -> ["appendfsync", "always"]
        CONFIG SET appendfsync everysec -> +OK
        CONFIG SET timeout 100 -> +OK
        CONFIG GET timeout -> ["timeout", "100"]
        CONFIG SET timeout 0 -> +OK
        CONFIG SET maxclients 200 -> +OK
        CONFIG GET maxclients -> ["maxclients", "200"]
        CONFIG SET client-output-buffer-limit "normal 1mb 512kb 10" -> +OK
        CONFIG GET client-output-buffer-limit -> ["client-output-buffer-limit", like "normal 1048576 524288 10 slave *"]
        CONFIG SET slowlog-max-len 10 slowlog-log-slower-than 5 -> +OK
        CONFIG SET hz 20 -> +OK
    "#

    config_resetstat [hot memory] r#"
        CONFIG RESETSTAT -> +OK
        CONFIG RESETSTAT x -> -ERR wrong number of arguments for 'config|resetstat' command
    "#

    config_rewrite_without_a_file [hot memory] r#"
        CONFIG REWRITE -> -ERR The server is running without a config file
    "#

    memory_limit_refuses_writes_under_noeviction [hot] r#"
        server
        @redis CONFIG SET maxmemory 1 -> +OK
        @redis SET k v -> -OOM command not allowed when used memory > 'maxmemory'.
        @redis GET k -> (nil)
        @redis DEL k -> 0
        @redis CONFIG SET maxmemory 0 -> +OK
        SET k v -> +OK
    "#

    memory_only_mode_obeys_the_policy [memory] r#"
        server
        SET k v -> +OK
        CONFIG SET maxmemory 1 -> +OK
        SET l w -> -OOM command not allowed when used memory > 'maxmemory'.
        GET k -> "v"
        MULTI -> +OK
        SET l w -> -OOM command not allowed when used memory > 'maxmemory'.
        EXEC -> -EXECABORT Transaction discarded because of previous errors.
        DEL k -> 1
        CONFIG SET maxmemory 0 -> +OK
        SET k v -> +OK
        CONFIG SET maxmemory-policy allkeys-lru maxmemory 1 -> +OK
        until 3000ms: DBSIZE -> 0
        CONFIG SET maxmemory 0 maxmemory-policy noeviction -> +OK
        SET k v -> +OK
        GET k -> "v"
    "#

    maxclients_is_a_limit [hot memory] r#"
        server --maxclients 2
        PING -> +PONG
        b> PING -> +PONG
        c> expect PING -> -ERR max number of clients reached
        c> closed
        b> QUIT -> +OK
        b> closed
        wait 100ms
        d> PING -> +PONG
    "#

    idle_connections_are_closed [hot memory] r#"
        server --timeout 1
        b> PING -> +PONG
        b> closed
        PING -> +PONG
    "#
}
