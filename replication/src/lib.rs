//! Replication: PSYNC master and replica, full sync, RDB codec, cluster bus.
//!
//! So far there are values in RDB form ([`rdb`]). What replication will stand on is in place: the binlog's offsets
//! are replication offsets, its payload the bytes a replica receives.

pub mod rdb;
