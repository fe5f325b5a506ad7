//! Crashes at random points, power cuts among them, several in a row, some of them while recovering.

use basalt_tiering::StoreOptions;
use rand::Rng;

use crate::driver::{Driver, options};
use crate::steps::{Ruins, World};
use crate::{MEMORY, seeds};

/// Opens the store that crashed and replays the log; may crash again on the way.
fn recover(options: &StoreOptions, mut ruins: Ruins) -> World {
    if ruins.rng.random_bool(0.5) {
        let rng = &mut ruins.rng;
        ruins.log.cut(|sure, all| rng.random_range(sure..=all));
    }
    loop {
        let (driver, opened) = Driver::open(options.clone(), &ruins.log);
        let gives_up_after = ruins.rng.random_range(0..300);
        let mut applied = 0;
        let mut rng = ruins.rng.clone();
        let finished = driver.replay(
            &opened,
            || ruins.rng.random_bool(0.5),
            |driver| {
                applied += 1;
                match rng.random_range(0..60) {
                    0 => drop(driver.store.spill_all().expect("spills")),
                    1 => {
                        driver.limit(|limits| limits.maxmemory = 1);
                        driver.store.relieve();
                        driver.limit(|limits| limits.maxmemory = 0);
                    }
                    _ => {}
                }
                applied != gives_up_after
            },
        );
        if finished {
            driver.store.start();
            return ruins.rebuilt(driver);
        }
        driver.crash();
    }
}

fn run(seed: u64, tiering: bool) {
    let _shared = MEMORY.read();
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(dir.path());
    options.tiering = tiering;
    let mut world = World::new(Driver::fresh(options.clone()), seed);
    for _ in 0..world.rng.random_range(1..5) {
        for _ in 0..world.rng.random_range(1..250) {
            world.step();
        }
        world = recover(&options, world.crash());
        world.check_all();
    }
    world.crash();
}

#[test]
fn a_crash_loses_nothing_the_log_has() {
    seeds(16).for_each(|seed| run(seed + 5000, true));
}

#[test]
fn a_crash_in_memory_only_mode_loses_nothing_the_log_has() {
    seeds(4).for_each(|seed| run(seed + 6000, false));
}
