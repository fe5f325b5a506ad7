//! What can go wrong in the cold tier: disk, damage, or a path that cannot be opened.

use super::record::RecordError;

/// An error of the cold tier. Every variant is the world's doing, not a bug of ours.
#[derive(Debug, thiserror::Error)]
pub enum ColdError {
    /// RocksDB refused or failed; `doing` names our operation, `message` is RocksDB's own text.
    #[error("cold tier: {doing}: {message}")]
    Store {
        /// What we were doing.
        doing: &'static str,
        /// RocksDB's message.
        message: String,
    },
    /// The disk holding the cold tier is full.
    #[error("cold tier: {doing}: no space left on the disk: {message}")]
    DiskFull {
        /// What we were doing.
        doing: &'static str,
        /// RocksDB's message.
        message: String,
    },
    /// Blocks on disk fail their checksum, or the store's own files contradict each other.
    #[error("cold tier: {doing}: damaged data: {message}")]
    Damaged {
        /// What we were doing.
        doing: &'static str,
        /// RocksDB's message.
        message: String,
    },
    /// A record's bytes are not a record this version can read.
    #[error("cold tier: record of key {key}: {source}")]
    Record {
        /// The cold key, escaped for display.
        key: String,
        /// What is wrong with the bytes.
        source: RecordError,
    },
    /// A row's key is not a cold key (or an expiry row's key not an expiry key).
    #[error("cold tier: malformed key {key} in family `{family}`")]
    Key {
        /// The key, escaped for display.
        key: String,
        /// The column family it was found in.
        family: &'static str,
    },
}

impl ColdError {
    pub(super) fn record(key: &[u8], source: RecordError) -> Self {
        ColdError::Record {
            key: key.escape_ascii().to_string(),
            source,
        }
    }

    pub(super) fn key(key: &[u8], family: &'static str) -> Self {
        ColdError::Key {
            key: key.escape_ascii().to_string(),
            family,
        }
    }
}
