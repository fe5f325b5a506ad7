//! Values in Redis' RDB form: what DUMP answers, RESTORE takes, and an RDB stream holds for each key.
//!
//! ```text
//!   payload of DUMP   type u8   value   version u16 LE   CRC-64 of all before it, u64 LE
//!   value             lengths, strings, and for small collections one string that holds a
//!                     listpack, ziplist or intset
//! ```
//!
//! Reading understands what Redis up to 8.2 writes, older forms included; writing keeps to what Redis 7.0 reads
//! (version 10), except for hashes whose fields expire (version 12). Bytes come from anywhere: a corrupt payload is
//! an [`RdbError`], never a panic, and never takes memory out of proportion to its own length.
//!
//! Nothing here knows a store or a socket: a value is an [`RdbValue`].

mod crc64;
mod decode;
mod encode;
mod intset;
mod listpack;
mod lzf;
mod payload;
mod reader;
mod stream;
mod writer;
mod ziplist;

#[cfg(test)]
mod tests;

pub use crc64::crc64;
pub use decode::decode;
pub use encode::{Encoded, encode};
pub use payload::{dump, restore};
pub use reader::Reader;
pub use writer::Writer;

/// The newest version of the format that is read.
pub const MAX_VERSION: u16 = 12;
/// The version that is written wherever it will do: that of Redis 7.0.
pub const VERSION: u16 = 10;
/// The version written for hashes whose fields expire: that of Redis 7.4.
pub const VERSION_FIELD_EXPIRY: u16 = 12;

/// Why bytes are no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RdbError {
    /// They end too early.
    #[error("the payload is cut short")]
    Truncated,
    /// They contradict themselves.
    #[error("the payload is corrupt: {0}")]
    Corrupt(&'static str),
    /// A type this server does not know (a module's, or a newer one).
    #[error("values of RDB type {0} are not known")]
    UnknownType(u8),
    /// Written by a newer version, or damaged.
    #[error("the payload's version or checksum is wrong")]
    VersionOrChecksum,
}

/// What reading returns.
pub type Result<T> = std::result::Result<T, RdbError>;

/// A field of a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashField {
    /// Its name.
    pub field: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// When it expires, in Unix milliseconds.
    pub expiry_ms: Option<u64>,
}

/// A value, whatever form it had.
#[derive(Clone, Debug, PartialEq)]
pub enum RdbValue {
    /// A string.
    String(Vec<u8>),
    /// A list, from its head.
    List(Vec<Vec<u8>>),
    /// A set, in no order.
    Set(Vec<Vec<u8>>),
    /// Members with their scores, in no order.
    SortedSet(Vec<(Vec<u8>, f64)>),
    /// A hash, in no order.
    Hash(Vec<HashField>),
    /// A stream.
    Stream(StreamValue),
}

/// An entry's id: milliseconds and sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Unix milliseconds.
    pub ms: u64,
    /// Number within the millisecond.
    pub seq: u64,
}

/// A stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamValue {
    /// What it holds, by ascending id.
    pub entries: Vec<StreamEntry>,
    /// The last id given out.
    pub last_id: StreamId,
    /// The id of the first entry.
    pub first_id: StreamId,
    /// The largest id deleted.
    pub max_deleted_id: StreamId,
    /// How many entries were ever added.
    pub entries_added: u64,
    /// Its consumer groups.
    pub groups: Vec<StreamGroup>,
}

/// An entry of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEntry {
    /// Its id.
    pub id: StreamId,
    /// Fields and values, in order; names may repeat.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A consumer group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamGroup {
    /// Its name.
    pub name: Vec<u8>,
    /// The last id delivered.
    pub last_id: StreamId,
    /// How many entries were read, if that is known.
    pub entries_read: Option<u64>,
    /// Its consumers.
    pub consumers: Vec<StreamConsumer>,
    /// What was delivered and not acknowledged, by ascending id.
    pub pending: Vec<PendingEntry>,
}

/// A consumer of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamConsumer {
    /// Its name.
    pub name: Vec<u8>,
    /// When it last tried to read, in Unix milliseconds.
    pub seen_ms: u64,
    /// When it last got something, in Unix milliseconds; unknown before Redis 7.2, and if it never did.
    pub active_ms: Option<u64>,
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingEntry {
    /// Its id.
    pub id: StreamId,
    /// To whom: an index into the group's consumers.
    pub consumer: usize,
    /// When, in Unix milliseconds.
    pub delivered_ms: u64,
    /// How often.
    pub deliveries: u64,
}

/// The codes of the forms a value can have.
mod code {
    pub(super) const STRING: u8 = 0;
    pub(super) const LIST: u8 = 1;
    pub(super) const SET: u8 = 2;
    pub(super) const ZSET: u8 = 3;
    pub(super) const HASH: u8 = 4;
    pub(super) const ZSET_2: u8 = 5;
    pub(super) const HASH_ZIPMAP: u8 = 9;
    pub(super) const LIST_ZIPLIST: u8 = 10;
    pub(super) const SET_INTSET: u8 = 11;
    pub(super) const ZSET_ZIPLIST: u8 = 12;
    pub(super) const HASH_ZIPLIST: u8 = 13;
    pub(super) const LIST_QUICKLIST: u8 = 14;
    pub(super) const STREAM_LISTPACKS: u8 = 15;
    pub(super) const HASH_LISTPACK: u8 = 16;
    pub(super) const ZSET_LISTPACK: u8 = 17;
    pub(super) const LIST_QUICKLIST_2: u8 = 18;
    pub(super) const STREAM_LISTPACKS_2: u8 = 19;
    pub(super) const SET_LISTPACK: u8 = 20;
    pub(super) const STREAM_LISTPACKS_3: u8 = 21;
    /// Of release candidates of Redis 7.4: without the smallest expiry in front.
    pub(super) const HASH_METADATA_PRE: u8 = 22;
    pub(super) const HASH_LISTPACK_EX_PRE: u8 = 23;
    pub(super) const HASH_METADATA: u8 = 24;
    pub(super) const HASH_LISTPACK_EX: u8 = 25;
}
