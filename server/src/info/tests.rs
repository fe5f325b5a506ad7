//! INFO has the sections and fields of a redis-server.

use super::*;

/// Section headers and field names of a redis-server 7.0.15's INFO everything, in order.
const REDIS: &str = include_str!("redis-7.0-info.txt");

#[test]
fn sections_are_chosen_as_in_redis() {
    let names = |words: &[&str]| -> Vec<&str> {
        Wanted::parse(words.iter().map(|word| word.as_bytes()))
            .0
            .iter()
            .map(|at| SECTIONS[*at].0)
            .collect()
    };
    assert_eq!(names(&["CPU", "server"]), ["Server", "CPU"]);
    assert_eq!(names(&["nosuch"]), [""; 0]);
    assert_eq!(names(&[]), names(&["default"]));
    assert!(!names(&[]).contains(&"Commandstats") && names(&["all"]).len() == SECTIONS.len());
    assert_eq!(names(&["all"]), names(&["everything"]));
    assert!(names(&["default", "commandstats"]).contains(&"Commandstats"));
}

#[test]
fn bytes_are_shown_as_redis_shows_them() {
    let cases = [
        (0, "0B"),
        (1023, "1023B"),
        (941_160, "919.10K"),
        (25_276_502_016, "23.54G"),
    ];
    for (bytes, shown) in cases {
        assert_eq!(human(bytes), shown);
    }
}

/// Source text of the sections: the names that stand in `field`, `bytes` and `ratio` calls are not checked one by
/// one at run time here, since a text needs a running server; the behaviour tests do that. Here: every field of
/// Redis is named in our source.
#[test]
fn every_field_of_redis_is_there() {
    let ours = [
        include_str!("../info.rs"),
        include_str!("process.rs"),
        include_str!("memory.rs"),
        include_str!("persistence.rs"),
        include_str!("stats.rs"),
        include_str!("commands.rs"),
        include_str!("../replication/info.rs"),
        include_str!("../replication/replica/info.rs"),
    ]
    .concat();
    for name in REDIS.lines().filter(|line| !line.starts_with('#')) {
        let base = name.strip_suffix("_human").unwrap_or(name);
        let quoted = |name: &str| ours.contains(&format!("\"{name}\""));
        assert!(quoted(name) || quoted(base), "{name} is missing");
    }
}
