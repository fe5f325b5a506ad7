//! Random commands sent to the server under test and to a redis-server side by side: same replies,
//! and the same databases at the end, in every world.
//!
//! A difference is printed with its seed and with the fewest steps found that still show it.
//! `BASALT_DIFF_COMMANDS` sets the length of a run, `BASALT_DIFF_SEED` the seed, `BASALT_PEER` the
//! redis-server to compare with, `BASALT_DIFF_BATCH` how many commands go in one write, `BASALT_DIFF_SHRINK_SECONDS`
//! for how long fewer steps are looked for.

#[path = "../support/mod.rs"]
mod support;

mod compare;
mod generate;
mod pair;
mod shrink;

use pair::Pair;
use support::env_number;
use support::server::{Binary, Server};
use support::world::World;

const DEFAULT_COMMANDS: u64 = 20_000;
const DEFAULT_SEED: u64 = 20_261_121;

fn compare_in(world: World) {
    let Some(peer) = Binary::peer() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "redis-server is needed for this test"
        );
        eprintln!("skipped: no redis-server to compare with (set BASALT_PEER)");
        return;
    };
    let Some(ours) = Server::start(world, &[]) else {
        eprintln!(
            "skipped: the server under test has no world {}",
            world.name()
        );
        return;
    };
    // It looks for waits that are over at this rate, and does nothing else meanwhile.
    let args = ["--save", "", "--appendonly", "no", "--hz", "500"];
    let theirs = Server::start_binary(peer, &args);
    let count = usize::try_from(env_number("BASALT_DIFF_COMMANDS", DEFAULT_COMMANDS))
        .expect("a count of commands");
    let seed = env_number("BASALT_DIFF_SEED", DEFAULT_SEED);
    let (count, crash_every) = match world {
        // A spill waits for the disk, a crash for a start.
        World::Cold => (count / 4, None),
        World::Restart => (count, Some((count / 20).max(1))),
        _ => (count, None),
    };
    let steps = generate::steps(seed, count, crash_every);
    // In `cold` a batch ends with a spill: one command at a time, unless a long run asks for more.
    let default = if world == World::Cold { 1 } else { 64 };
    let most = usize::try_from(env_number("BASALT_DIFF_BATCH", default)).expect("a small number");
    let mut pair = Pair::new(world, ours, theirs, most.max(1));
    if let Err(difference) = pair.run(&steps) {
        let report = shrink::report(&mut pair, steps, difference);
        panic!("world {}, seed {seed}: {report}", world.name());
    }
    println!(
        "{}: {count} commands, seed {seed}: no difference",
        world.name()
    );
}

#[test]
fn same_replies_hot() {
    compare_in(World::Hot);
}

#[test]
fn same_replies_cold() {
    compare_in(World::Cold);
}

#[test]
fn same_replies_tiny() {
    compare_in(World::Tiny);
}

#[test]
fn same_replies_restart() {
    compare_in(World::Restart);
}

#[test]
fn same_replies_replica() {
    compare_in(World::Replica);
}

#[test]
fn same_replies_memory() {
    compare_in(World::Memory);
}
