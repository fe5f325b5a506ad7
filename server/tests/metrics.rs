//! Metrics: the page for Prometheus, read as Prometheus reads it.

mod support;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use support::server::{Binary, Server, free_port};
use support::world::World;

/// A server with metrics, and the port they are on. Nothing on a peer, which has none.
fn start(more: &[&str]) -> Option<(Server, u16)> {
    if !Binary::under_test().is_basalt() {
        return None;
    }
    let port = free_port();
    let text = port.to_string();
    let args = [&["--metrics-port", text.as_str()], more].concat();
    Some((Server::start(World::Hot, &args)?, port))
}

/// Status line and body of an answer.
fn get(port: u16, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("metrics are served");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .expect("the request is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.lines().next().unwrap_or_default().to_owned();
    (status, body.to_owned())
}

/// The samples of a page by name and labels. Checks the page's form.
fn samples(page: &str) -> BTreeMap<String, f64> {
    let (mut all, mut types) = (BTreeMap::new(), BTreeMap::new());
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a type");
            let known = types.insert(name.to_owned(), kind.to_owned());
            assert_eq!(known, None, "{name} is declared once");
            let counts = name.ends_with("_total");
            assert_eq!(counts, kind == "counter", "{name} is a {kind}");
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            let value = value.parse().unwrap_or_else(|_| panic!("a number: {line}"));
            let bare = name.split('{').next().unwrap_or_default();
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| bare.strip_suffix(suffix))
                .filter(|family| types.get(*family).is_some_and(|kind| kind == "histogram"))
                .unwrap_or(bare);
            assert!(types.contains_key(family), "{name} has no type");
            assert_eq!(all.insert(name.to_owned(), value), None, "{name} twice");
        }
    }
    all
}

#[test]
fn the_page_tells_what_was_done() {
    let Some((server, port)) = start(&[]) else {
        return;
    };
    let mut client = server.client();
    for n in 0..20 {
        client.words(&format!("SET key:{n} value"));
    }
    client.words("GET key:1");
    client.words("GET nothing");
    client.words("INCR key:1");
    client.words("TIER SPILL ALL");
    client.words("SAVE");
    let (status, page) = get(port, "/metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    let samples = samples(&page);
    let is = |name: &str, value: f64| assert_eq!(samples.get(name), Some(&value), "{name}");
    is(
        "basalt_commands_total{family=\"string\",command=\"set\"}",
        20.0,
    );
    is(
        "basalt_commands_failed_total{family=\"string\",command=\"incr\"}",
        1.0,
    );
    is("basalt_master", 1.0);
    is("basalt_replicas", 0.0);
    is("basalt_command_seconds_count{family=\"string\"}", 23.0);
    is(
        "basalt_command_seconds_bucket{family=\"string\",le=\"+Inf\"}",
        23.0,
    );
    is("basalt_keyspace_hits_total", 1.0);
    is("basalt_keyspace_misses_total", 1.0);
    is("basalt_effects_total", 20.0);
    is("basalt_db_keys{db=\"0\"}", 20.0);
    is("basalt_spilled_keys_total", 20.0);
    is("basalt_clients", 1.0);
    is("basalt_loading", 0.0);
    is("basalt_binlog_frames_total", 20.0);
    is("basalt_checkpoint_lag_bytes", 0.0);
    is("basalt_binlog_writable", 1.0);
    let tier = |tier: &str| samples[&format!("basalt_keys{{tier=\"{tier}\"}}")];
    assert_eq!(tier("hot") + tier("cold"), 20.0);
    for name in [
        "basalt_memory_used_bytes",
        "basalt_binlog_bytes_total",
        "basalt_binlog_fsyncs_total",
        "basalt_checkpoints_total",
        "basalt_command_seconds_sum{family=\"string\"}",
    ] {
        assert!(samples[name] > 0.0, "{name}");
    }
}

#[test]
fn counters_do_not_fall_when_info_is_reset() {
    let Some((server, port)) = start(&[]) else {
        return;
    };
    let mut client = server.client();
    client.words("SET k v");
    client.words("CONFIG RESETSTAT");
    let samples = samples(&get(port, "/metrics").1);
    let name = "basalt_commands_total{family=\"string\",command=\"set\"}";
    assert_eq!(samples.get(name), Some(&1.0));
}

#[test]
fn other_paths_are_not_found_and_a_server_without_a_log_has_a_page_too() {
    let Some((_server, port)) = start(&["--binlog", "no", "--tiering", "no"]) else {
        return;
    };
    assert_eq!(get(port, "/secrets").0, "HTTP/1.1 404 Not Found");
    let (status, index) = get(port, "/");
    assert!(status.ends_with("200 OK") && index.contains("/metrics"));
    assert!(!samples(&get(port, "/metrics").1).is_empty());
}

#[test]
fn a_reader_that_hangs_does_not_keep_the_server_from_ending() {
    let Some((mut server, port)) = start(&[]) else {
        return;
    };
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("metrics are served");
    stream.write_all(b"GET /metrics HTT").expect("it is taken");
    assert!(server.terminate(), "it ends in order");
}
