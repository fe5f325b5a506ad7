//! Values of every type under `kill -9`, with a replica: nothing acknowledged is lost, and the replica comes to hold
//! the same, without a full sync after its first.

use std::fs;
use std::thread;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::mixed::Mixed;
use crate::node::Node;
use crate::support::env_number;
use crate::worker::Worker;
use crate::{
    CLIENTS, DEFAULT_CYCLES, DEFAULT_SEED, UNREST, only_for_basalt, under_load, verify_database,
};

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Master,
    /// While its master goes on.
    Replica,
    Both,
}

struct Pair {
    master: Node,
    replica: Node,
    workers: Vec<Worker<Mixed>>,
    rng: SmallRng,
    /// Kills of the master and of the replica.
    kills: [usize; 2],
    keys_checked: usize,
}

impl Pair {
    fn start(args: &[&str], seed: u64) -> Pair {
        let small = ["--binlog-segment-bytes", "1mb", "--maxmemory", "8mb"];
        let args = [&small[..], args].concat();
        let master = Node::start(&args);
        let replica = Node::start_following(master.port(), &args);
        Pair {
            master,
            replica,
            workers: (0..CLIENTS).map(|id| Worker::new(id, seed)).collect(),
            rng: SmallRng::seed_from_u64(seed),
            kills: [0; 2],
            keys_checked: 0,
        }
    }

    fn pause(&mut self) -> Duration {
        Duration::from_millis(self.rng.random_range(150..800))
    }

    /// Load, kill, start, check.
    fn cycle(&mut self) -> Result<(), String> {
        let victim = match self.rng.random_range(0..10) {
            0..2 => Victim::Replica,
            2 => Victim::Both,
            _ => Victim::Master,
        };
        let port = self.master.port();
        // A purge might take what a replica has not read that looks for its master just then.
        let unrest = (&UNREST[..UNREST.len() - 1], self.rng.random());
        let [before, after] = [self.pause(), self.pause()];
        let Pair {
            master,
            replica,
            workers,
            ..
        } = self;
        under_load(port, workers, Some(unrest), || {
            thread::sleep(before);
            match victim {
                Victim::Replica => {
                    replica.server.crash();
                    thread::sleep(after);
                }
                Victim::Master => master.server.kill(),
                Victim::Both => {
                    replica.server.kill();
                    thread::sleep(after / 8);
                    master.server.kill();
                }
            }
        })?;
        if victim != Victim::Replica {
            self.kills[0] += 1;
            if self.rng.random_ratio(1, 4) {
                let life = Duration::from_millis(self.rng.random_range(1..60));
                self.master.server.start_and_kill(life);
            }
            self.master.server.start_again();
        }
        if victim != Victim::Master {
            self.kills[1] += 1;
        }
        if victim == Victim::Both {
            self.replica.server.start_again();
        }
        for worker in &mut self.workers {
            self.keys_checked += worker.verify(port)?;
        }
        (0..CLIENTS).try_for_each(|db| verify_database(port, db, &self.workers))?;
        self.replica.assert_same_as(&self.master);
        Ok(())
    }

    /// The snapshots the replica has fetched in all its lives.
    fn full_syncs(&self) -> usize {
        let log = fs::read_to_string(self.replica.server.dir().join("log")).expect("a log");
        log.matches("the snapshot is here").count()
    }
}

fn crash_with_replica(name: &str, args: &[&str]) {
    if !only_for_basalt() {
        return;
    }
    let cycles = env_number("BASALT_CRASH_CYCLES", DEFAULT_CYCLES);
    let seed = env_number("BASALT_CRASH_SEED", DEFAULT_SEED);
    let mut pair = Pair::start(args, seed);
    pair.replica.assert_same_as(&pair.master);
    for cycle in 1..=cycles {
        println!("{name}, cycle {cycle}, seed {seed}");
        if let Err(wrong) = pair.cycle() {
            panic!("{wrong}");
        }
        assert_eq!(pair.full_syncs(), 1, "{}", pair.replica.server.log());
    }
    let acknowledged: u64 = pair.workers.iter().map(|w| w.acknowledged).sum();
    println!(
        "{name}: {cycles} cycles, {} kills of the master and {} of the replica, {acknowledged} operations acknowledged, \
         {} keys checked, digests equal after each, no full sync but the first",
        pair.kills[0], pair.kills[1], pair.keys_checked
    );
}

#[test]
fn every_type_survives_beside_a_replica() {
    crash_with_replica("every type, with a replica", &["--appendfsync", "everysec"]);
}
