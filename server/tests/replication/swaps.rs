//! Power cuts while a full sync exchanges the data of a replica: it holds what it held, or what its master holds.

use std::thread;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::node::Node;
use crate::power::Power;
use crate::support::env_number;
use crate::support::server::{Binary, Server};

#[test]
fn a_power_cut_during_a_full_sync_leaves_the_old_data_or_the_new() {
    let seed = env_number("BASALT_REPL_SEED", 41);
    let mut rng = SmallRng::seed_from_u64(seed);
    let master = Node::start(&[]);
    for n in 0..2000 {
        assert!(
            master
                .call(&format!("SET key:{n} {}", "x".repeat(n % 300 + 1)))
                .is_ok()
        );
    }
    let power = Power::new();
    let binary = power.watched(Binary::under_test());
    let args = [
        "--repl-timeout",
        "10",
        "--checkpoint-interval-seconds",
        "1",
        "--appendfsync",
        "always",
    ];
    let mut replica = Node {
        server: Server::start_binary(binary, &args),
    };
    for round in 0..env_number("BASALT_REPL_CYCLES", 6) {
        // A history of its own: only a full sync makes it a replica again.
        replica.lead();
        assert!(replica.call(&format!("SET own {round}")).is_ok());
        assert!(replica.call("DEL key:0").int().is_some());
        let own = replica.call("DBSIZE").int();
        replica.follow(master.port());
        thread::sleep(Duration::from_millis(rng.random_range(0..1500)));
        replica.server.kill();
        power.cut(replica.server.dir(), &mut rng);
        replica.server.start_again();
        // It was told to follow by command: it leads after a restart, with either data.
        let size = replica.call("DBSIZE").int();
        if replica.call("EXISTS own").int() == Some(1) {
            assert_eq!(size, own, "seed {seed}, round {round}");
        } else {
            assert_eq!(
                size,
                master.call("DBSIZE").int(),
                "seed {seed}, round {round}"
            );
            assert_eq!(
                replica.digest(),
                master.digest(),
                "seed {seed}, round {round}"
            );
        }
    }
    replica.follow(master.port());
    replica.assert_same_as(&master);
}
