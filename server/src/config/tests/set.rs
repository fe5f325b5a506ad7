//! CONFIG SET: all or nothing, in Redis' words.

use super::*;

/// CONFIG SET with name and value alternating.
fn set(config: &Config, words: &[&str]) -> Result<Vec<Topic>, String> {
    let (pairs, odd) = words.as_chunks::<2>();
    assert!(odd.is_empty());
    let pairs: Vec<_> = pairs
        .iter()
        .map(|[name, value]| (name.as_bytes(), value.as_bytes()))
        .collect();
    config
        .set(&pairs, Origin::Remote)
        .map_err(|error| error.to_string())
}

#[test]
fn set_refuses_in_redis_words() {
    let config = config("");
    let cases: &[(&[&str], &str, &str)] = &[
        (
            &["maxmemory", "x"],
            "maxmemory",
            "argument must be a memory value",
        ),
        (
            &["maxmemory", "-1"],
            "maxmemory",
            "argument must be a memory value",
        ),
        (
            &["maxmemory", "99999999999999999999gb"],
            "maxmemory",
            "argument must be a memory value",
        ),
        (
            &["appendonly", "maybe"],
            "appendonly",
            "argument must be 'yes' or 'no'",
        ),
        (
            &["hz", "abc"],
            "hz",
            "argument couldn't be parsed into an integer",
        ),
        (
            &["timeout", " 5"],
            "timeout",
            "argument couldn't be parsed into an integer",
        ),
        (
            &["maxmemory-samples", "0"],
            "maxmemory-samples",
            "argument must be between 1 and 2147483647 inclusive",
        ),
        (
            &["slowlog-max-len", "-1"],
            "slowlog-max-len",
            "argument must be between 0 and 9223372036854775807 inclusive",
        ),
        (
            &["proto-max-bulk-len", "1"],
            "proto-max-bulk-len",
            "argument must be between 1048576 and 9223372036854775807 inclusive",
        ),
        (
            &["maxmemory-policy", "foo"],
            "maxmemory-policy",
            "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl, \
             allkeys-lru, allkeys-lfu, allkeys-random, noeviction",
        ),
        (
            &["maxmemory-clients", "101%"],
            "maxmemory-clients",
            "percentage argument must be less or equal to 100",
        ),
        (
            &["maxmemory-clients", "-5%"],
            "maxmemory-clients",
            "argument must be a memory or percent value",
        ),
        (&["save", "0 1"], "save", "Invalid save parameters"),
        (
            &["client-output-buffer-limit", "normal 1 2"],
            "client-output-buffer-limit",
            "Wrong number of arguments in buffer limit configuration.",
        ),
        (
            &["client-output-buffer-limit", "master 1 2 3"],
            "client-output-buffer-limit",
            "Invalid client class specified in buffer limit configuration.",
        ),
        (
            &["client-output-buffer-limit", "normal 1xb 2 3"],
            "client-output-buffer-limit",
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
        ),
        (
            &["latency-tracking-info-percentiles", "50 101"],
            "latency-tracking-info-percentiles",
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
        ),
        (
            &["oom-score-adj-values", "1 2"],
            "oom-score-adj-values",
            "wrong number of arguments",
        ),
        (
            &["databases", "10"],
            "databases",
            "can't set immutable config",
        ),
        (
            &["dbfilename", "x"],
            "dbfilename",
            "can't set protected config",
        ),
        (
            &["maxmemory", "1", "MAXMEMORY", "2"],
            "MAXMEMORY",
            "duplicate parameter",
        ),
        (
            &[
                "timeout",
                "5",
                "slave-priority",
                "1",
                "replica-priority",
                "2",
            ],
            "replica-priority",
            "duplicate parameter",
        ),
        (
            &["timeout", "5", "hz", "x"],
            "hz",
            "argument couldn't be parsed into an integer",
        ),
    ];
    let before = config.get(&[b"*"]);
    for (words, name, reason) in cases {
        let expected =
            format!("CONFIG SET failed (possibly related to argument '{name}') - {reason}");
        assert_eq!(set(&config, words), Err(expected));
    }
    let unknown = "Unknown option or number of arguments for CONFIG SET - 'foo'".to_string();
    assert_eq!(set(&config, &["timeout", "5", "foo", "bar"]), Err(unknown));
    assert_eq!(config.get(&[b"*"]), before, "nothing has changed");
}

#[test]
fn set_changes_all_it_names_and_says_what_it_touched() {
    let config = config("");
    let touched = set(
        &config,
        &[
            "maxmemory",
            "10KB",
            "timeout",
            "5",
            "maxmemory-samples",
            "7",
            "appendonly",
            "YES",
        ],
    );
    assert_eq!(touched, Ok(vec![Topic::Memory, Topic::Clients]));
    let settings = config.load();
    assert_eq!(
        (
            settings.maxmemory_bytes,
            settings.timeout_seconds,
            settings.maxmemory_samples
        ),
        (10240, 5, 7)
    );
    assert_eq!(config.peek().maxmemory_bytes, 10240);
    assert_eq!(get(&config, "appendonly"), "yes");
    assert_eq!(
        set(&config, &["maxmemory", "10240"]),
        Ok(vec![]),
        "the same value touches nothing"
    );
    set(
        &config,
        &[
            "client-output-buffer-limit",
            "replica 1mb 2mb 3 pubsub 4 5 6",
        ],
    )
    .expect("accepted");
    assert_eq!(
        get(&config, "client-output-buffer-limit"),
        "normal 0 0 0 slave 1048576 2097152 3 pubsub 4 5 6"
    );
    assert_eq!(
        set(&config, &["client-output-buffer-limit", ""]),
        Ok(vec![]),
        "no class is named"
    );
    set(&config, &["save", "100 1  50 2"]).expect("accepted");
    assert_eq!(get(&config, "save"), "100 1 50 2");
    set(&config, &["save", ""]).expect("accepted");
    assert_eq!(get(&config, "save"), "");
    set(&config, &["requirepass", "a b"]).expect("accepted");
    assert_eq!(
        config.load().requirepass.as_deref(),
        Some(b"a b".as_slice())
    );
}

#[test]
fn what_the_server_cannot_apply_is_taken_back() {
    let config = config("timeout 1\nmaxclients 10");
    let pairs: [(&[u8], &[u8]); 2] = [(b"timeout", b"2"), (b"maxclients", b"20")];
    let outcome = config.set_and_apply(&pairs, Origin::Local, |old, new, topics| {
        assert_eq!((old.maxclients, new.maxclients), (10, 20));
        assert_eq!(topics, [Topic::Clients]);
        Err(ApplyError {
            name: "maxclients",
            reason: "too many".into(),
        })
    });
    let expected = "CONFIG SET failed (possibly related to argument 'maxclients') - too many";
    assert_eq!(outcome.expect_err("refused").to_string(), expected);
    assert_eq!(
        (config.load().maxclients, get(&config, "timeout")),
        (10, "1".into())
    );
}

#[test]
fn protected_parameters_depend_on_where_the_client_is() {
    let pair: [(&[u8], &[u8]); 1] = [(b"dbfilename", b"x.rdb")];
    for (access, local, remote) in [
        ("no", false, false),
        ("local", true, false),
        ("yes", true, true),
    ] {
        let config = config(&format!("enable-protected-configs {access}"));
        assert_eq!(config.set(&pair, Origin::Local).is_ok(), local);
        assert_eq!(config.set(&pair, Origin::Remote).is_ok(), remote);
    }
}
