//! Replication between real processes: links cut at random bytes, either side killed, chains, promotion.
//!
//! Every scenario ends with the same question: do all nodes hold the same data (DEBUG DIGEST, DBSIZE of every
//! database)? Most also ask how they got there: a replica whose past its master still has must not need a full
//! sync. `BASALT_REPL_CYCLES` makes the random ones longer, `BASALT_REPL_SEED` different.

#[path = "../support/mod.rs"]
mod support;

mod fake;
mod node;
mod proxy;
mod writer;

mod chains;
mod cuts;
mod full;
mod handover;
mod heat;
mod kills;
mod promotion;
mod psync;
mod serving;
mod snapshots;
mod wait;
