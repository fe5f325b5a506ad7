//! Hashes whose fields have deadlines: the two trees stay in step, whatever their pages do.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use basalt_tiering::{Key, Kind, MAIN, OpenError, PinSet, Tx, UnixMs};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::driver::{Driver, options};
use crate::seeds;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<UnixMs>)>;

/// Long after these tests.
const LATER: u64 = 33_000_000_000_000;

fn with_hash<R>(
    driver: &Driver,
    mut work: impl FnMut(&mut basalt_tiering::Collection<'_, '_>) -> Result<R, basalt_tiering::Fault>,
) -> R {
    let command = |tx: &mut Tx<'_>, key: &Key<'_>| {
        let mut hash = tx.collection(key, Kind::Hash).map_err(|error| {
            assert_eq!(error, OpenError::Fault, "it is a hash");
            basalt_tiering::Fault
        })?;
        Ok((work(&mut hash)?, None))
    };
    driver
        .command(&mut PinSet::default(), (0, b"h"), UnixMs::now(), command)
        .result
}

fn check(driver: &Driver, model: &Model, rng: &mut SmallRng) {
    let found = with_hash(driver, |hash| {
        let mut found = Model::new();
        hash.each(MAIN, 0..u64::MAX, false, |field, value| {
            found.insert(field.to_vec(), (value.to_vec(), value.deadline()));
            ControlFlow::Continue(())
        })?;
        Ok(found)
    });
    assert_eq!(found, *model);
    let deadlines: Vec<UnixMs> = model.values().filter_map(|(_, at)| *at).collect();
    let now = UnixMs(LATER + rng.random_range(0..1000));
    let due = deadlines.iter().filter(|at| **at <= now).count() as u64;
    let (count, expired, bound) = with_hash(driver, |hash| {
        Ok((
            hash.deadlines(),
            hash.expired_fields(now)?,
            hash.next_deadline(),
        ))
    });
    assert_eq!((count, expired), (deadlines.len() as u64, due));
    assert!(bound <= deadlines.iter().min().copied() || deadlines.is_empty());
    let ns = driver.store.namespace(0);
    let subexpiring = driver.store.subexpiring_count(ns);
    assert_eq!(subexpiring, u64::from(!deadlines.is_empty()));
}

#[test]
fn deadlines_and_fields_stay_in_step() {
    let dir = tempfile::tempdir().expect("a directory");
    for seed in seeds(6) {
        let driver = Driver::fresh(options(&dir.path().join(seed.to_string())));
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut model = Model::new();
        let most = if seed % 2 == 0 { 12 } else { 600 };
        for step in 0..300 {
            let fields: Vec<Vec<u8>> = (0..rng.random_range(1..20))
                .map(|_| format!("field:{}", rng.random_range(0..most)).into_bytes())
                .collect();
            let deadline = rng
                .random_bool(0.6)
                .then(|| UnixMs(LATER + rng.random_range(0..1000)));
            let removes = step % 50 > 35;
            let value = rng.random::<u32>().to_string().into_bytes();
            with_hash(&driver, |hash| {
                hash.prefault_fields(fields.iter().map(Vec::as_slice), deadline)?;
                for field in &fields {
                    if removes {
                        hash.remove_field(field)?;
                    } else {
                        hash.put_field(field, &value, deadline)?;
                    }
                }
                Ok(())
            });
            for field in fields {
                if removes {
                    model.remove(&field);
                } else {
                    model.insert(field, (value.clone(), deadline));
                }
            }
            match rng.random_range(0..6) {
                0 => {
                    driver.store.spill_all().expect("spills");
                }
                1 => driver.store.checkpoint().expect("is written"),
                2 => check(&driver, &model, &mut rng),
                _ => {}
            }
        }
        check(&driver, &model, &mut rng);
    }
}
