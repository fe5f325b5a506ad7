//! The cold tier: records of cold keys on SSD, over RocksDB.
//!
//! ```text
//!   WriteSet ──write──▶ memtables ──atomic flush──▶ data files      get, get_at_hand, scan_slot, expired
//!     keys    (cold key → record)                                   ◀──────────────────────────────────
//!     expiry  (deadline + cold key → nothing)
//!     pages   (pages of large values)
//!     state   (name → blob: replay offset, namespaces, counts, …)
//! ```
//!
//! Invariants
//! 1. RocksDB's own log is off. What is not flushed is lost in a crash, *all families together*: after a
//!    crash the store is exactly as it was after some earlier [`ColdTier::write`]. So the replay offset
//!    written in a set is true of the records beside it.
//! 2. Log before data: the caller has the binlog on disk up to every guard in a set before it writes the set.
//! 3. Absence is answered from memory: filters and indexes are pinned, so neither [`ColdTier::get_cached`] nor
//!    [`ColdTier::get_at_hand`] ever reads the disk.
//! 4. Only `rocks.rs` and the files below it name `rocksdb::`. The records' payloads are opaque here.
//!
//! Used by spill, promotion, expiry, scanning and the checkpoint of this crate; nothing outside it.

mod error;
mod key;
mod nowait;
mod options;
mod record;
mod rocks;
mod stats;
mod write_set;

pub use basalt_binlog::Offset;
pub use error::ColdError;
pub use key::{ColdKey, ColdKeyOwned, ExpiryItem, KEY_PREFIX_BYTES};
pub use options::ColdOptions;
pub use record::{ColdRecord, HEADER_MAX_BYTES, RecordError, RecordHeader};
pub use rocks::ColdTier;
pub use stats::ColdStats;
pub use write_set::WriteSet;

/// What can be said about a key without waiting for the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CachedLookup {
    /// The record was at hand.
    Hit(ColdRecord),
    /// The key is surely not in the cold tier.
    Absent,
    /// Only the disk knows.
    Unknown,
}
