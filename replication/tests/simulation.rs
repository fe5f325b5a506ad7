//! Three nodes on a simulated network, disk and clock: links with delays that are cut at any byte, nodes that are
//! killed or lose power, promotions in between. The dialogue, the fetch, the stream, the histories and the log are the
//! real ones; what a server does around them is small here: its data is the stream itself.
//!
//! Whoever is told to continue must hold a beginning of what the other holds: that is asked each time. At the end
//! all nodes hold the same. With kills and cuts alone nobody may need a full sync but the first one.
//! Time is tokio's paused clock, so a run depends on its seed only. `BASALT_SIM_SEEDS` says how many to run.
#![allow(missing_docs)]

#[path = "simulation/world.rs"]
mod world;

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use world::World;

const NODES: usize = 3;

/// What may happen.
#[derive(Clone, Copy, PartialEq)]
enum Harm {
    /// Links are cut and processes killed.
    Kills,
    /// Power fails and roles change, too.
    All,
}

fn run(seed: u64, harm: Harm) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let mut rng = SmallRng::seed_from_u64(seed);
        let world = World::new(NODES, seed);
        world.settle().await;
        let at_first = world.full_syncs();
        for _ in 0..60 {
            world.write(rng.random_range(0..40));
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..400))).await;
            let node = rng.random_range(0..NODES);
            match rng.random_range(0..20) {
                0..6 => world.cut_links_within(rng.random_range(1..4000)),
                6..8 => world.cut_links_within(0),
                8..11 => world.kill(node),
                11 => world.sync(node),
                12 if harm == Harm::All => world.lose_power(node),
                13 if harm == Harm::All => world.promote(node),
                14 => world.jump(node, rng.random_range(-10_000_000..10_000_000)),
                15 if node != world.leader() => world.rewire(node),
                _ => {}
            }
        }
        world.cut_links_within(0);
        world.settle().await;
        world.assert_same();
        if harm == Harm::Kills {
            assert_eq!(world.full_syncs(), at_first, "seed {seed}");
        }
    });
}

fn seeds() -> u64 {
    std::env::var("BASALT_SIM_SEEDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(40)
}

#[test]
fn kills_and_cuts_need_no_full_sync() {
    (0..seeds()).for_each(|seed| run(seed, Harm::Kills));
}

#[test]
fn whatever_happens_nodes_agree_in_the_end() {
    (1000..1000 + seeds()).for_each(|seed| run(seed, Harm::All));
}
