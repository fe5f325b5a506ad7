//! Replication: PSYNC master and replica, full sync, RDB codec, cluster bus.
//!
//! The protocol as words and state machines; it is handed bytes and stores, and knows no socket. What binds it to
//! the server is in `server/src/replication/`.
//!
//! | | |
//! |---|---|
//! | `ids` | which history of the stream a node holds, and whose it accepts |
//! | `wire` | what is said on a replica's connection |
//! | `registry` | a master's view of its replicas |
//! | `snapshot` | what a full sync ships, how it is cut, shared and removed |

pub mod ids;
pub mod registry;
pub mod snapshot;
pub mod wire;
