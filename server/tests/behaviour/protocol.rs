//! The wire itself: inline commands, pipelines, split packets, limits and protocol errors.

use crate::behaviour;

behaviour! {
    inline_commands [hot cold memory] r#"
        unit
        raw "PING\r\n"
        bytes "+PONG\r\n"
        raw "PING\n"
        bytes "+PONG\r\n"
        raw "  set   k   v  \r\n"
        bytes "+OK\r\n"
        raw "\r\n\r\nGET k\r\n"
        bytes "$1\r\nv\r\n"
        raw "SET k \"with space \\x41\\n\"\r\nGET k\r\n"
        bytes "+OK\r\n$13\r\nwith space A\n\r\n"
        raw "SET k 'it\\'s'\r\nGET k\r\n"
        bytes "+OK\r\n$4\r\nit's\r\n"
        raw "SET \"\" \"\"\r\nGET \"\"\r\n"
        bytes "+OK\r\n$0\r\n\r\n"
        end
    "#

    multibulk_commands [hot cold memory] r#"
        unit
        raw "*1\r\n$4\r\nPING\r\n"
        bytes "+PONG\r\n"
        raw "*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n"
        bytes "+PONG\r\n"
        raw "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$2\r\n\r\n\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n"
        bytes "+OK\r\n$2\r\n\r\n\r\n"
        end
    "#

    a_command_in_many_packets [hot memory] r#"
        unit
        raw "*3\r\n$3\r"
        wait 5ms
        raw "\nSET\r\n$1\r\nk\r\n$"
        wait 5ms
        raw "5\r\nhe"
        wait 5ms
        raw "llo\r"
        silent
        raw "\n"
        bytes "+OK\r\n"
        raw "GE"
        wait 5ms
        raw "T k"
        wait 5ms
        raw "\r\n"
        bytes "$5\r\nhello\r\n"
        end
    "#

    pipelines_reply_in_order [hot cold tiny restart memory] r#"
        unit
        raw "SET a 1\r\nINCR a\r\nGET none\r\nNOSUCH\r\nGET a\r\nPING\r\n"
        bytes "+OK\r\n:2\r\n$-1\r\n-ERR unknown command 'NOSUCH', with args beginning with: \r\n$1\r\n2\r\n+PONG\r\n"
        raw "MULTI\r\nSET a 5\r\nEXEC\r\nGET a\r\n"
        bytes "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n$1\r\n5\r\n"
        end
    "#

    nulls_in_resp2 [hot memory] r#"
        unit
        raw "GET none\r\nMGET none\r\n"
        bytes "$-1\r\n*1\r\n$-1\r\n"
        raw "WATCH k\r\nSET k v\r\nMULTI\r\nPING\r\nEXEC\r\n"
        bytes "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n"
        end
    "#

    bad_array_length [hot memory] r#"
        raw "*x\r\n"
        bytes "-ERR Protocol error: invalid multibulk length\r\n"
        closed
    "#

    array_of_too_many [hot memory] r#"
        raw "*20000000000\r\n"
        bytes "-ERR Protocol error: invalid multibulk length\r\n"
        closed
    "#

    bad_bulk_length [hot memory] r#"
        raw "*1\r\n$x\r\n"
        bytes "-ERR Protocol error: invalid bulk length\r\n"
        closed
    "#

    negative_bulk_length [hot memory] r#"
        raw "*2\r\n$3\r\nGET\r\n$-5\r\n"
        bytes "-ERR Protocol error: invalid bulk length\r\n"
        closed
    "#

    bulk_beyond_the_limit [hot memory] r#"
        raw "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870913\r\n"
        bytes "-ERR Protocol error: invalid bulk length\r\n"
        closed
    "#

    no_dollar_where_one_is_due [hot memory] r#"
        raw "*1\r\nPING\r\n"
        bytes "-ERR Protocol error: expected '$', got 'P'\r\n"
        closed
    "#

    unbalanced_quotes [hot memory] r#"
        raw "SET k \"open\r\n"
        bytes "-ERR Protocol error: unbalanced quotes in request\r\n"
        closed
    "#

    an_inline_command_without_end [hot memory] r#"
        raw "a"*70000
        bytes "-ERR Protocol error: too big inline request\r\n"
        closed
    "#

    an_endless_array_header [hot memory] r#"
        raw "*"
        raw "1"*70000
        bytes "-ERR Protocol error: too big mbulk count string\r\n"
        closed
    "#

    an_endless_bulk_header [hot memory] r#"
        raw "*1\r\n$"
        raw "1"*70000
        bytes "-ERR Protocol error: too big bulk count string\r\n"
        closed
    "#

    commands_before_a_protocol_error_are_answered [hot memory] r#"
        raw "SET k v\r\nGET k\r\n*1\r\nx"
        bytes "+OK\r\n$1\r\nv\r\n"
        raw "\r\n"
        bytes "-ERR Protocol error: expected '$', got 'x'\r\n"
        closed
        b> GET k -> "v"
    "#

    an_abandoned_command_changes_nothing [hot memory] r#"
        raw "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhel"
        b> GET k -> (nil)
    "#

    limits_are_smaller_before_auth [hot memory] r#"
        server
        admin> CONFIG SET requirepass secret -> +OK
        b> raw "*11\r\n"
        b> bytes "-ERR Protocol error: unauthenticated multibulk length\r\n"
        b> closed
        c> raw "*2\r\n$3\r\nGET\r\n$16385\r\n"
        c> bytes "-ERR Protocol error: unauthenticated bulk length\r\n"
        c> closed
    "#

    http_is_refused [hot memory] r#"
        raw "POST / HTTP/1.1\r\nHost: x\r\n\r\n"
        closed
        b> raw "Host: example\r\n"
        b> closed
    "#

    commands_behind_a_wrong_select [hot cold tiny restart memory] r#"
        unit
        SET k v -> +OK
        raw "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*2\r\n$6\r\nSELECT\r\n$5\r\n99999\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
        bytes "$1\r\nv\r\n-ERR DB index is out of range\r\n$1\r\nv\r\n"
        end
    "#
}
