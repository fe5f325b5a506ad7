//! The table as a whole, reading files, CONFIG GET. CONFIG SET is in `tests/set.rs`.

mod set;

use super::*;

fn config(text: &str) -> Config {
    match Config::from_text(text) {
        Ok(config) => config,
        Err(error) => panic!("{error}"),
    }
}

fn refused(text: &str) -> String {
    Config::from_text(text)
        .err()
        .unwrap_or_else(|| panic!("accepted: {text}"))
        .to_string()
}

fn get(config: &Config, name: &str) -> String {
    String::from_utf8(
        config
            .value(name)
            .unwrap_or_else(|| panic!("{name} is unknown")),
    )
    .expect("text")
}

/// What a fresh redis-server answers to `CONFIG GET *`, without `dir`.
const REDIS_DEFAULTS: [&str; 2] = [
    include_str!("tests/redis-7.0-defaults.txt"),
    include_str!("tests/redis-8.2-defaults.txt"),
];

#[test]
fn every_name_that_redis_answers_is_answered_with_its_default() {
    // Ours on purpose: local by default, and as many workers as there are cores.
    let differ = ["bind", "enable-debug-command", "io-threads"];
    let config = config("");
    for line in REDIS_DEFAULTS.into_iter().flat_map(str::lines) {
        let (name, default) = line.split_once('\t').expect("name and value");
        let ours = get(&config, name);
        assert_eq!(
            ours == default,
            !differ.contains(&name),
            "{name}: {ours:?}, Redis has {default:?}"
        );
        assert!(
            config
                .get(&[b"*"])
                .iter()
                .any(|(answered, _)| answered == name.as_bytes())
        );
    }
}

#[test]
fn every_row_is_well_formed() {
    for id in ParamId::all() {
        let param = id.param();
        for name in std::iter::once(&param.name).chain(param.aliases) {
            assert_eq!(name.to_ascii_lowercase(), *name);
            assert_eq!(
                ParamId::find(name.to_ascii_uppercase().as_bytes()),
                Some(id),
                "{name}"
            );
        }
        assert!(
            param.doc.ends_with('.') && !param.doc.contains('|'),
            "{}: a sentence",
            param.name
        );
        // What is written to a file is read back as the same value.
        let value = param.default_value();
        for args in value.file_lines().iter().take(1) {
            let read = param.kind.parse(args, &value);
            let saves_one_of_several = matches!(value, value::Value::Save(_));
            assert!(
                saves_one_of_several || read == Ok(value.clone()),
                "{}",
                param.name
            );
        }
    }
}

#[test]
fn a_distributions_file_is_accepted_whole() {
    let config = config(include_str!("tests/sample.conf"));
    let settings = config.load();
    assert_eq!(settings.bind, ["127.0.0.1", "-::1"]);
    assert_eq!(
        settings.requirepass.as_deref(),
        Some(b"it's a \"secret\"".as_slice())
    );
    assert_eq!(settings.maxmemory_bytes, 1500 << 20);
    assert_eq!(settings.maxmemory_policy, EvictionPolicy::AllKeysLfu);
    assert_eq!(settings.appendfsync, FsyncPolicy::Always);
    assert_eq!(settings.dir, Path::new("/var/lib/redis"));
    assert_eq!(settings.unixsocketperm, 0o700);
    assert_eq!(settings.workers, 4);
    assert_eq!(settings.hz, 500);
    assert_eq!(settings.slowlog_log_slower_than_us, -1);
    assert_eq!(
        settings.latency_tracking_info_percentiles,
        [50.0, 99.0, 99.9, 100.0]
    );
    assert_eq!(
        settings.client_output_buffer.pubsub,
        BufferLimit {
            hard_bytes: 1 << 20,
            soft_bytes: 512 << 10,
            soft_seconds: 30
        }
    );
    assert_eq!(settings.renamed_commands.len(), 2);
    assert_eq!(
        settings.renamed_commands[1],
        RenamedCommand {
            command: "FLUSHALL".into(),
            new_name: None
        }
    );
    assert!(settings.tiering && settings.binlog);
    assert_eq!(get(&config, "save"), "3600 1 300 100 60 10000");
    assert_eq!(get(&config, "unixsocketperm"), "700");
    assert_eq!(get(&config, "notify-keyspace-events"), "AKE");
    assert_eq!(get(&config, "shutdown-on-sigterm"), "nosave force");
    assert_eq!(
        get(&config, "client-output-buffer-limit"),
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 1048576 524288 30"
    );
}

#[test]
fn directives_without_effect_are_named_once() {
    let mut loader = Loader::new();
    loader
        .read_text(b"appendonly yes\nport 1\nappendonly no\nuser a on\nlua-time-limit 3\n")
        .expect("valid");
    assert_eq!(
        loader.without_effect,
        ["appendonly", "user", "busy-reply-threshold"]
    );
}

#[test]
fn bad_lines_are_refused_in_redis_words() {
    let cases = [
        (
            "port 1\nfoo bar",
            2,
            "foo bar",
            "Bad directive or wrong number of arguments",
        ),
        ("port", 1, "port", "wrong number of arguments"),
        ("port 1 2", 1, "port 1 2", "wrong number of arguments"),
        (
            "port 70000",
            1,
            "port 70000",
            "argument must be between 0 and 65535 inclusive",
        ),
        (
            "# x\n\n  hz 010",
            3,
            "hz 010",
            "argument couldn't be parsed into an integer",
        ),
        ("save 1", 1, "save 1", "Invalid save parameters"),
        (
            "save \"a",
            1,
            "save \"a",
            "Unbalanced quotes in configuration line",
        ),
        (
            "maxmemory 1gbx",
            1,
            "maxmemory 1gbx",
            "argument must be a memory value",
        ),
        (
            "unixsocketperm 999",
            1,
            "unixsocketperm 999",
            "argument couldn't be parsed as an octal number",
        ),
        (
            "unixsocketperm 1000",
            1,
            "unixsocketperm 1000",
            "argument must be between 0 and 777 inclusive",
        ),
        (
            "rename-command foo",
            1,
            "rename-command foo",
            "Bad directive or wrong number of arguments",
        ),
        ("replicaof a b", 1, "replicaof a b", "Invalid master port"),
        (
            "loadmodule",
            1,
            "loadmodule",
            "Bad directive or wrong number of arguments",
        ),
        (
            "sentinel a b",
            1,
            "sentinel a b",
            "sentinel directive while not in sentinel mode",
        ),
        (
            "bind 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",
            1,
            "bind 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",
            "Too many bind addresses specified.",
        ),
    ];
    let title = concat!(
        "*** FATAL CONFIG FILE ERROR (Basalt ",
        env!("CARGO_PKG_VERSION"),
        ") ***"
    );
    for (text, line, shown, reason) in cases {
        let expected = format!(
            "{title}\nReading the configuration file, at line {line}\n>>> '{shown}'\n{reason}"
        );
        assert_eq!(refused(text), expected);
    }
}

#[test]
fn included_files_are_read_where_they_stand() {
    let dir = tempfile::tempdir().expect("temp dir");
    let write =
        |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("write");
    write("a.conf", "hz 11\ntimeout 11\n");
    write("b.conf", "hz 12\n");
    write("c.txt", "hz 13\n");
    let path = dir.path().display();
    let read = config(&format!("timeout 1\ninclude {path}/*.conf\n"));
    assert_eq!(
        (get(&read, "hz"), get(&read, "timeout")),
        ("12".into(), "11".into())
    );
    let read = config(&format!(
        "include {path}/a.conf\nhz 1\ninclude {path}/none*\n"
    ));
    assert_eq!(get(&read, "hz"), "1");
    write("d.conf", &format!("include {path}/d.conf\n"));
    assert!(
        refused(&format!("include {path}/d.conf")).ends_with("Files include each other too deeply")
    );
    write("e.conf", "\nhz x\n");
    let error = refused(&format!("include {path}/e.conf"));
    assert!(
        error.contains(&format!(
            "included configuration file '{path}/e.conf', at line 2\n>>> 'hz x'"
        )),
        "{error}"
    );
    assert_eq!(
        refused(&format!("include {path}/f.conf")),
        format!("Fatal error, can't open config file '{path}/f.conf': No such file or directory")
    );
}

#[test]
fn get_matches_patterns_over_names_and_aliases() {
    let config = config("");
    let names = |patterns: &[&str]| -> Vec<String> {
        let patterns: Vec<_> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
        config
            .get(&patterns)
            .into_iter()
            .map(|(name, _)| String::from_utf8(name).expect("text"))
            .collect()
    };
    assert_eq!(
        names(&["maxmemory", "maxmem*policy", "SLAVE-READ*"]),
        ["maxmemory", "maxmemory-policy", "slave-read-only"]
    );
    assert_eq!(names(&["MaxMemory"]), ["MaxMemory"]);
    assert_eq!(names(&["io-threads", "workers"]), ["workers", "io-threads"]);
    assert!(names(&["nothing"]).is_empty());
}

#[test]
fn every_field_takes_the_limits_of_its_row() {
    for id in ParamId::all() {
        let param = id.param();
        let limits = match param.kind {
            kind::Kind::Int { min, max } => [value::Value::Int(min), value::Value::Int(max)],
            kind::Kind::Memory { min, max } => {
                [value::Value::Memory(min), value::Value::Memory(max)]
            }
            _ => continue,
        };
        for limit in limits {
            let mut values = Values::defaults();
            values.set(id, limit);
            // Panics where a row allows what its field cannot hold.
            let _ = Settings::new(&values, &[]);
        }
    }
}

#[test]
fn every_choice_has_its_field_value() {
    for id in ParamId::all() {
        let kind::Kind::Choice(names) = id.param().kind else {
            continue;
        };
        for name in names {
            let mut values = Values::defaults();
            values.set(id, value::Value::Choice(name));
            let _ = Settings::new(&values, &[]);
        }
    }
}
