//! Random commands, spills, checkpoints and looks at the whole keyspace, against the model.

use basalt_tiering::StoreOptions;

use crate::driver::{Driver, options};
use crate::steps::World;
use crate::{MEMORY, seeds};

fn run(seed: u64, change: impl FnOnce(&mut StoreOptions)) {
    let _shared = MEMORY.read();
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(dir.path());
    change(&mut options);
    let mut world = World::new(Driver::fresh(options), seed);
    for _ in 0..1500 {
        world.step();
    }
    world.check_all();
    world.driver.store.spill_all().expect("spills");
    world.check_all();
    world.driver.store.close(true).expect("closes");
    world.driver.host.check_rules();
}

#[test]
fn random_steps_agree_with_the_model() {
    seeds(4).for_each(|seed| run(seed, |_| {}));
}

#[test]
fn random_steps_agree_while_the_housekeeper_is_busy() {
    seeds(2).for_each(|seed| {
        run(seed + 1000, |options| {
            options.limits.checkpoint_interval_ms = 10;
            options.limits.maxmemory = 1;
        });
    });
}

#[test]
fn random_steps_agree_without_a_log() {
    seeds(2).for_each(|seed| run(seed + 2000, |options| options.durable = false));
}

#[test]
fn random_steps_agree_in_memory_only_mode() {
    seeds(2).for_each(|seed| run(seed + 3000, |options| options.tiering = false));
}

#[test]
fn random_steps_agree_in_a_pure_cache() {
    seeds(2).for_each(|seed| {
        run(seed + 4000, |options| {
            (options.tiering, options.durable) = (false, false)
        });
    });
}
