//! Replication: PSYNC master and replica, full sync, RDB codec, cluster bus.
//!
//! Nothing is here yet: the crate keeps its floor (above the store, below the server). What replication will
//! stand on is in place: the binlog's offsets are replication offsets, its payload the bytes a replica receives.
