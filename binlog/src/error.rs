//! The one error type of the crate.

use crate::types::Offset;
use std::io;

/// What can go wrong with the log.
#[derive(thiserror::Error, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The system refused an operation.
    #[error("binlog: cannot {what}: {source}")]
    Io {
        /// What was being done, with the file's name.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// Bytes that were on disk are not what was written.
    #[error("binlog: damaged at offset {offset} in {file}: {why}")]
    Damaged {
        /// First offset that cannot be read.
        offset: Offset,
        /// The file.
        file: String,
        /// What is wrong there.
        why: String,
    },
    /// A file of another format or a newer version.
    #[error("binlog: {file} is not a segment this version can read: {why}")]
    Format {
        /// The file.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// Asked for something retention has removed.
    #[error("binlog: offset {asked} is gone, the log begins at {first}")]
    Gone {
        /// The offset asked for.
        asked: Offset,
        /// Where the log begins.
        first: Offset,
    },
    /// Asked for something not written yet.
    #[error("binlog: offset {asked} is beyond the end of the log at {end}")]
    Beyond {
        /// The offset asked for.
        asked: Offset,
        /// Where the log ends.
        end: Offset,
    },
    /// A write or fsync failed earlier; nothing is appended any more.
    #[error("binlog: writes are refused, the log could not be written: {0}")]
    Poisoned(String),
    /// No space for the next segment.
    #[error("binlog: writes are refused, no space left on the log's disk")]
    Full,
    /// A frame larger than the format allows.
    #[error("binlog: a frame of {0} bytes is too large")]
    TooLarge(u64),
    /// The log is closed.
    #[error("binlog: the log is closed")]
    Closed,
    /// Another process has the log open.
    #[error("binlog: {0} is in use by another process")]
    Locked(String),
}

/// Result of the crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Wraps an `io::Error` with what was being done.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let what = what.into();
        move |source| Error::Io { what, source }
    }

    /// Whether the cause is a lack of space.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        match self {
            Error::Full => true,
            Error::Io { source, .. } => no_space(source),
            _ => false,
        }
    }
}

/// ENOSPC and EDQUOT: conditions an operator can lift while we run.
pub(crate) fn no_space(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
}
