//! The store as a whole, through its public API: models, threads, crashes. Eviction: `tests/memory`.
//!
//! | file | what |
//! |---|---|
//! | `host.rs` | a binlog in memory, and the [`basalt_tiering::Host`] that writes it |
//! | `model.rs` | what the log means: the truth every read is compared with |
//! | `driver.rs` | a store with its host, driven as the server drives it |
//! | `steps.rs` | random steps, shared by the model and the crash test |
//! | `random.rs`, `crash.rs`, `threads.rs` | the tests |
//! | `collections.rs` | large values and their pages |
//! | `fields.rs` | hashes whose fields have deadlines |
//! | `strings.rs` | strings changed in place, plain and large, against bytes in a row |
//! | `named.rs` | bugs that were found, one test each |
//!
//! `BASALT_STORE_RUNS` multiplies the number of seeds, `BASALT_STORE_SEED` runs one seed alone.

mod collections;
mod crash;
mod driver;
mod fields;
mod host;
mod model;
mod named;
mod random;
mod steps;
mod strings;
mod threads;

/// The budget reads jemalloc's figures: they are the process' only with this allocator.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The seeds of a test that normally takes `runs` of them.
fn seeds(runs: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = number("BASALT_STORE_SEED") {
        return seed..seed + 1;
    }
    0..runs * number("BASALT_STORE_RUNS").unwrap_or(1)
}
