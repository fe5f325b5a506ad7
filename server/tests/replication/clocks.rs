//! Clocks that jump: by hours, either way, on either side, while clients write.
//!
//! The processes run with a library before the C library's that shifts the wall clock by what a file says. It is
//! compiled here; where there is no C compiler these scenarios say so and pass.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use crate::node::Node;
use crate::support::server::{Binary, Server};
use crate::writer::Writers;

const SHIM: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile long *shift;
static long seconds(void) {
    if (!shift) {
        const char *name = getenv("BASALT_TEST_CLOCK");
        int file = name ? open(name, O_RDONLY) : -1;
        static long none;
        void *at = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
        shift = at == MAP_FAILED ? &none : at;
    }
    return *shift;
}
int clock_gettime(clockid_t id, struct timespec *t) {
    int done = syscall(SYS_clock_gettime, id, t);
    if (!done && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) t->tv_sec += seconds();
    return done;
}
int gettimeofday(struct timeval *t, void *zone) {
    struct timespec now;
    int done = clock_gettime(CLOCK_REALTIME, &now);
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return done;
}
"#;

fn shim() -> Option<&'static Path> {
    static SHIM_FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let made = SHIM_FILE.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (source, library) = (dir.join("clock.c"), dir.join("clock.so"));
        std::fs::write(&source, SHIM).ok()?;
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(&source);
        cc.status()
            .is_ok_and(|status| status.success())
            .then_some(library)
    });
    if made.is_none() {
        eprintln!("skipped: no C compiler");
    }
    made.as_deref()
}

/// A node and the file that shifts its clock.
fn node(name: &str, args: &[&str]) -> Option<(Node, PathBuf)> {
    let name = format!("clock-{}-{name}", std::process::id());
    let clock = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    set(&clock, 0);
    let binary = Binary::under_test()
        .with_env("LD_PRELOAD", shim()?)
        .with_env("BASALT_TEST_CLOCK", &clock);
    let args = [
        &["--repl-timeout", "10", "--checkpoint-interval-seconds", "1"],
        args,
    ]
    .concat();
    let server = Server::start_binary(binary, &args);
    Some((Node { server }, clock))
}

/// In place: it is mapped.
fn set(clock: &Path, seconds: i64) {
    use std::io::Write;
    let mut file = std::fs::File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(clock)
        .expect("writable");
    file.write_all(&seconds.to_ne_bytes()).expect("writable");
}

fn seconds_of(node: &Node) -> i64 {
    let time = node.call("TIME");
    let items = time.items().expect("TIME answers with two numbers");
    items[0].text().parse().expect("a number")
}

#[test]
fn clocks_that_jump_break_neither_link_nor_data() {
    const HOUR: i64 = 3600;
    let Some((master, master_clock)) = node("master", &[]) else {
        return;
    };
    let (replica, replica_clock) = node("replica", &[]).expect("as before");
    replica.follow(master.port());
    replica.assert_same_as(&master);
    let writers = Writers::start(master.port(), 2, 31);
    let began = seconds_of(&master);
    let continued = master.number("sync_partial_ok");
    let jumps = [
        (HOUR, 0),
        (HOUR, 9 * HOUR),
        (-5 * HOUR, 9 * HOUR),
        (-5 * HOUR, -HOUR),
        (2, 0),
    ];
    for (of_master, of_replica) in jumps {
        set(&master_clock, of_master);
        set(&replica_clock, of_replica);
        thread::sleep(Duration::from_millis(1200));
        assert!(
            (seconds_of(&master) - began - of_master).abs() < 60,
            "the clock jumps"
        );
        assert_eq!(
            replica.info("master_link_status"),
            "up",
            "{}",
            replica.server.log()
        );
    }
    set(&master_clock, 0);
    writers.stop();
    replica.assert_same_as(&master);
    // Not even cut: nothing that was measured by the wall clock ended the link.
    assert_eq!(
        master.number("sync_partial_ok"),
        continued,
        "{}",
        master.server.log()
    );
    assert_eq!(master.full_syncs(), 1);
    for clock in [master_clock, replica_clock] {
        let _ = std::fs::remove_file(clock);
    }
}

#[test]
fn a_replica_ahead_of_time_hides_what_expired_there_and_keeps_it() {
    let Some((master, master_clock)) = node("slow", &[]) else {
        return;
    };
    let (replica, replica_clock) = node("fast", &[]).expect("as before");
    replica.follow(master.port());
    assert!(master.call("SET k v EX 1000").is_ok());
    replica.assert_same_as(&master);
    set(&replica_clock, 5000);
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(replica.call("GET k").text(), "(nil)");
    assert_eq!(master.call("GET k").text(), "v");
    set(&replica_clock, 0);
    assert_eq!(replica.call("GET k").text(), "v");
    // The master's clock decides.
    set(&master_clock, 5000);
    replica.until("it is deleted", |node| node.call("DBSIZE").int() == Some(0));
    for clock in [master_clock, replica_clock] {
        let _ = std::fs::remove_file(clock);
    }
}
