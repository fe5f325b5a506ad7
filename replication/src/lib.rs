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
//! | `link` | a replica's side of the dialogue |
//! | `fetch` | fetching a snapshot, resumable |
//! | `stream` | the stream cut into frames |
//! | `rdb` | values in RDB form |

pub mod fetch;
pub mod ids;
pub mod link;
pub mod rdb;
pub mod registry;
pub mod snapshot;
pub mod stream;
pub mod wire;
