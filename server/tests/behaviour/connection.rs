//! Commands about the connection itself: PING, HELLO, AUTH, RESET, QUIT and CLIENT.

use crate::behaviour;

behaviour! {
    ping_and_echo [hot cold tiny restart memory] r#"
        PING -> +PONG
        PING hello -> "hello"
        PING "\x00\r\n" -> "\x00\r\n"
        PING a b -> -ERR wrong number of arguments for 'ping' command
        ECHO hello -> "hello"
        ECHO "" -> ""
        ECHO -> -ERR wrong number of arguments for 'echo' command
        ECHO a b -> -ERR wrong number of arguments for 'echo' command
    "#

    unknown_commands [hot memory] r#"
        NOSUCH -> -"ERR unknown command 'NOSUCH', with args beginning with: "
        nosuch a bc -> -"ERR unknown command 'nosuch', with args beginning with: 'a' 'bc' "
        "" -> -"ERR unknown command '', with args beginning with: "
        "with\r\nline" x -> like "ERR unknown command 'with  line', with args beginning with: 'x' *"
        NOSUCH "a"*200 -> like "ERR unknown command 'NOSUCH', with args beginning with: 'aaaa*"
        PING -> +PONG
    "#

    hello_switches_the_protocol [hot memory] r#"
        unit
        HELLO -> ["server", text, "version", text, "proto", 2, "id", int, "mode", "standalone", "role", "master", "modules", anything]
        GET none -> (nil)
        HELLO 3 -> {"server": text, "version": text, "proto": 3, "id": int, "mode": "standalone", "role": "master", "modules": anything}
        GET none -> (nil)
        HELLO -> {"proto": 3, ...}
        HELLO 2 -> [text, text, text, text, "proto", 2, ...]
        HELLO 4 -> -NOPROTO unsupported protocol version
        HELLO 1 -> -NOPROTO unsupported protocol version
        HELLO x -> -ERR Protocol version is not an integer or out of range
        HELLO 3 WHAT -> -ERR Syntax error in HELLO option 'WHAT'
        HELLO 3 SETNAME -> -ERR Syntax error in HELLO option 'SETNAME'
        HELLO 3 SETNAME "a b" -> -ERR Client names cannot contain spaces, newlines or special characters.
        HELLO 3 SETNAME me -> {"proto": 3, ...}
        CLIENT GETNAME -> "me"
        HELLO 3 AUTH default x -> success
        HELLO 3 AUTH nobody x -> -WRONGPASS invalid username-password pair or user is disabled.
        end
    "#

    resp3_bytes_on_the_wire [hot memory] r#"
        unit
        raw "HELLO 3\r\n"
        expect HELLO -> {"proto": 3, ...}
        raw "GET none\r\n"
        bytes "_\r\n"
        raw "CONFIG GET maxmemory-policy\r\n"
        bytes "%1\r\n$16\r\nmaxmemory-policy\r\n$"
        end
    "#

    auth_without_a_password [hot memory] r#"
        AUTH secret -> -ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?
        AUTH default anything -> +OK
        AUTH nobody x -> -WRONGPASS invalid username-password pair or user is disabled.
        AUTH -> -ERR wrong number of arguments for 'auth' command
        AUTH a b c -> -ERR syntax error
    "#

    auth_with_a_password [hot memory] r#"
        server
        admin> CONFIG SET requirepass secret -> +OK
        admin> PING -> +PONG
        PING -> -NOAUTH Authentication required.
        GET k -> -NOAUTH Authentication required.
        NOSUCH -> like "*"
        MULTI -> -NOAUTH Authentication required.
        @8.2 HELLO -> -NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time
        HELLO 3 -> like "NOAUTH *"
        AUTH wrong -> -WRONGPASS invalid username-password pair or user is disabled.
        AUTH default wrong -> -WRONGPASS invalid username-password pair or user is disabled.
        GET k -> -NOAUTH Authentication required.
        AUTH secret -> +OK
        GET k -> (nil)
        AUTH wrong -> -WRONGPASS invalid username-password pair or user is disabled.
        GET k -> (nil)
        b> AUTH default secret -> +OK
        b> PING -> +PONG
        c> HELLO 3 AUTH default secret SETNAME me -> {"proto": 3, ...}
        c> CLIENT GETNAME -> "me"
        c> RESET -> +RESET
        c> PING -> -NOAUTH Authentication required.
        d> QUIT -> +OK
        d> closed
        a> CONFIG SET requirepass "" -> +OK
        e> PING -> +PONG
    "#

    reset_restores_a_fresh_connection [hot memory] r#"
        unit
        HELLO 3
        SELECT 5 -> +OK
        CLIENT SETNAME me -> +OK
        MULTI -> +OK
        SET k v -> +QUEUED
        RESET -> +RESET
        EXEC -> -ERR EXEC without MULTI
        CLIENT GETNAME -> (nil)
        CLIENT INFO -> like "*db=0 *"
        CONFIG GET port -> ["port", text]
        SELECT 5 -> +OK
        DBSIZE -> 0
        RESET x -> -ERR wrong number of arguments for 'reset' command
        end
    "#

    quit_closes [hot memory] r#"
        b> SET k v -> +OK
        b> QUIT -> +OK
        b> closed
        GET k -> "v"
    "#

    client_id_and_name [hot memory] r#"
        unit
        CLIENT ID -> $a
        b> CLIENT ID -> $a+1..$a+1000
        CLIENT ID -> $a+0
        CLIENT GETNAME -> (nil)
        CLIENT SETNAME me -> +OK
        CLIENT GETNAME -> "me"
        CLIENT SETNAME "a b" -> -ERR Client names cannot contain spaces, newlines or special characters.
        CLIENT SETNAME "a\nb" -> -ERR Client names cannot contain spaces, newlines or special characters.
        CLIENT GETNAME -> "me"
        CLIENT SETNAME "" -> +OK
        CLIENT GETNAME -> (nil)
        @8.2 CLIENT SETINFO lib-name mylib -> +OK
        @8.2 CLIENT SETINFO lib-ver 1.2 -> +OK
        @8.2 CLIENT INFO -> like "*lib-name=mylib lib-ver=1.2*"
        @8.2 CLIENT SETINFO lib-name "a b" -> -ERR lib-name cannot contain spaces, newlines or special characters.
        @8.2 CLIENT SETINFO what x -> -ERR Unrecognized option 'what'
        CLIENT ID x -> -ERR wrong number of arguments for 'client|id' command
        CLIENT WHAT -> -ERR unknown subcommand 'WHAT'. Try CLIENT HELP.
        CLIENT -> -ERR wrong number of arguments for 'client' command
        CLIENT HELP -> [like "CLIENT <subcommand>*", ...]
        end
    "#

    client_list_and_info [hot memory] r#"
        unit
        b> CLIENT SETNAME bob -> +OK
        b> SELECT 3 -> +OK
        b> CLIENT ID -> $b
        CLIENT ID -> $a
        CLIENT INFO -> like "id=* addr=127.0.0.1:* laddr=127.0.0.1:* fd=* name= age=* idle=* flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 *cmd=client|info user=default *resp=2*"
        CLIENT LIST -> like "id=*name=bob *db=3 *cmd=client|id *"
        CLIENT LIST ID $b -> like "id=* name=bob *"
        CLIENT LIST ID $a $b -> like "*cmd=client|list*"
        CLIENT LIST TYPE normal -> like "*name=bob*"
        CLIENT LIST TYPE pubsub -> ""
        CLIENT LIST TYPE what -> -ERR Unknown client type 'what'
        CLIENT LIST ID x -> -ERR Invalid client ID
        CLIENT LIST WHAT -> -ERR syntax error
        b> MULTI -> +OK
        b> PING -> +QUEUED
        CLIENT LIST ID $b -> like "*flags=x *multi=1 *"
        b> DISCARD -> +OK
        b> HELLO 3
        b> CLIENT INFO -> like "*resp=3*"
        end
    "#

    client_kill [hot memory] r#"
        unit
        b> CLIENT ID -> $b
        CLIENT KILL ID $b -> 1
        b> closed
        CLIENT KILL ID $b -> 0
        c> CLIENT SETNAME carol -> +OK
        c> CLIENT ID -> $c
        d> CLIENT ID -> $d
        CLIENT KILL ID $c TYPE pubsub -> 0
        CLIENT KILL ID $c TYPE normal -> 1
        c> closed
        d> PING -> +PONG
        CLIENT KILL TYPE normal SKIPME yes -> 1..3
        d> closed
        PING -> +PONG
        CLIENT KILL 1.2.3.4:5 -> -ERR No such client
        CLIENT KILL ID x -> -ERR client-id should be greater than 0
        CLIENT KILL ID 0 -> -ERR client-id should be greater than 0
        CLIENT KILL TYPE what -> -ERR Unknown client type 'what'
        CLIENT KILL USER nobody -> -ERR No such user 'nobody'
        CLIENT KILL SKIPME maybe ID 5 -> -ERR syntax error
        CLIENT KILL ID -> -ERR No such client
        CLIENT KILL ADDR 1.2.3.4:5 -> 0
        CLIENT KILL LADDR 1.2.3.4:5 -> 0
        e> CLIENT ID -> $e
        e> CLIENT KILL ID $e SKIPME no -> 1
        e> closed
        end
    "#

    client_pause_write_lets_reads_through [hot memory] r#"
        server
        SET k v -> +OK
        CLIENT PAUSE 100000 WRITE -> +OK
        b> GET k -> "v"
        b> send SET k w
        b> silent
        GET k -> "v"
        CLIENT UNPAUSE -> +OK
        b> expect SET -> +OK
        GET k -> "w"
    "#

    client_pause_all_ends_by_itself [hot memory] r#"
        server
        CLIENT PAUSE 250 -> +OK
        b> send GET k
        b> silent
        b> expect GET -> (nil)
        CLIENT PAUSE 250 ALL -> +OK
        b> send PING
        b> silent
        b> expect PING -> +PONG
        CLIENT PAUSE x -> -ERR timeout is not an integer or out of range
        CLIENT PAUSE -1 -> -ERR timeout is negative
        CLIENT PAUSE 10 WHAT -> -ERR CLIENT PAUSE mode must be WRITE or ALL
    "#

    client_reply_modes [hot memory] r#"
        unit
        send CLIENT REPLY OFF
        send SET k v
        send GET k
        silent
        CLIENT REPLY ON -> +OK
        GET k -> "v"
        send CLIENT REPLY SKIP
        send SET k w
        GET k -> "w"
        CLIENT REPLY WHAT -> -ERR syntax error
        CLIENT REPLY -> -ERR wrong number of arguments for 'client|reply' command
        end
    "#

    client_no_evict_and_no_touch [hot memory] r#"
        CLIENT NO-EVICT ON -> +OK
        CLIENT NO-EVICT off -> +OK
        CLIENT NO-EVICT WHAT -> -ERR syntax error
        @8.2 CLIENT NO-TOUCH ON -> +OK
        @8.2 CLIENT NO-TOUCH OFF -> +OK
        @8.2 CLIENT NO-TOUCH WHAT -> -ERR syntax error
    "#

    no_touch_leaves_frequencies_alone [hot memory] r#"
        server --maxmemory-policy allkeys-lfu --lfu-log-factor 0
        SET k v -> +OK
        GET k -> "v"
        OBJECT FREQ k -> 6
        @8.2 CLIENT NO-TOUCH ON -> +OK
        @8.2 GET k -> "v"
        @8.2 STRLEN k -> 1
        @8.2 OBJECT FREQ k -> 6
        @8.2 TOUCH k -> 1
        @8.2 OBJECT FREQ k -> 7
        @8.2 CLIENT NO-TOUCH OFF -> +OK
        @8.2 GET k -> "v"
        @8.2 OBJECT FREQ k -> 8
    "#
}
