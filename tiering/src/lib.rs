//! Keys and values over two tiers: a hot table in memory, RocksDB on disk.
//!
//! Nothing here knows of sockets, RESP or commands. The binlog is known only as an [`Offset`] and through
//! [`Host`]. What a command may do with keys is [`Tx`]; the rest of [`Store`] is for the server around it.
//!
//! | to find out about | look into |
//! |---|---|
//! | a key's bytes in memory | `entry.rs`, `table.rs`, `space.rs` |
//! | the states of a key | `state.rs` |
//! | maxmemory, LFU, victims | `budget.rs`, `lfu.rs`, `spill.rs`, `evict.rs` |
//! | a read from SSD | `promote.rs`, `readers.rs`, `cold/` |
//! | checkpoints, replay offset | `checkpoint.rs`, `spill.rs` |
//! | a key vanishing at its TTL | `tx.rs`, `expire.rs` |
//! | a copy of the cold tier for a replica | `snapshot.rs` |
//! | databases, FLUSHDB, SWAPDB | `keyspace.rs` |
//! | SCAN, DBSIZE, RANDOMKEY | `scan.rs` |
//! | strings: plain ones, and trees of chunks | `text.rs` |
//! | the hottest and the largest keys | `survey.rs` |
//! | hashes, sets, lists, … | `collection.rs`, `tree/` |

mod allocator;
mod budget;
mod checkpoint;
pub mod cold;
mod collection;
mod disk;
mod entry;
mod evict;
mod expire;
mod ids;
#[doc(hidden)]
pub mod inside;
mod inspect;
mod keyspace;
mod lfu;
mod pack;
mod page;
mod prefetch;
mod promote;
mod readers;
mod scan;
mod settle;
mod sketch;
mod snapshot;
mod space;
mod spill;
mod state;
mod stats;
mod store;
mod survey;
mod table;
mod text;
mod tree;
mod tx;
mod warm;
mod watches;

pub use basalt_binlog::Offset;
pub use budget::{Admission, Policy, RoomWait};
pub use checkpoint::MapChanging;
pub use collection::{
    BY_MEMBER, Collection, MAIN, OpenError, Seat, Snapshot, bytes_score, score_bytes,
};
pub use ids::{KeyHash, NamespaceId, SLOTS, Slot, UnixMs};
pub use inspect::{ColdFacts, ColdInspector};
pub use promote::{PinSet, PinWait};
pub use scan::Frozen;
pub use stats::{StoreStats, TierObject};
pub use store::{DeleteReason, Host, Opened, Store, StoreError, StoreLimits, StoreOptions};
pub use survey::{Survey, SurveyBy, SurveyKey, SurveyOptions};
pub use text::{LARGE_STRING_MIN_BYTES, Text};
pub use tree::{Bytes, Flavour, pack, unpack};
pub use tx::{ExpiredKey, Expiry, Fault, Key, Kind, Tx, Value};
pub use warm::HotName;
