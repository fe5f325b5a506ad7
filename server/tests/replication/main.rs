//! Replication between real processes: links cut at random bytes, either side killed, chains, promotion.
//!
//! Every scenario ends with the same question: do all nodes hold the same data (DEBUG DIGEST, DBSIZE of every
//! database)? Most also ask how they got there: a replica whose past its master still has must not need a full
//! sync. `BASALT_REPL_CYCLES` makes the random ones longer, `BASALT_REPL_SEED` different.

#[path = "../support/mod.rs"]
mod support;

mod fake;
mod node;
#[path = "../crash/power.rs"]
mod power;
mod proxy;
mod writer;

mod chains;
mod clocks;
mod cuts;
mod disk;
mod full;
mod handover;
mod heat;
mod kills;
mod links;
mod promotion;
mod psync;
mod serving;
mod snapshots;
mod swaps;
mod wait;
