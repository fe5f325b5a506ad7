//! The binlog: durability, replication stream and backup in one ordered log of frames.
//!
//! The payload of a frame is exactly what a replica receives, so one number is everything: the [`Offset`]
//! counts payload bytes and is the PSYNC replication offset.
//!
//! ```text
//!  append ──► ring (mapped file) ──drain──► segment file ──fdatasync──► synced ──► sealed (zstd) ──► removed
//!    │ survives kill -9 from here                              │ survives a power cut from here
//! ```
//!
//! Where to look: `append` (hot path), `writer` (drain, group commit, fsync policy), `open` and
//! `repair` (recovery),
//! `reader` and `stream` (reading, following), `seal` (compression, retention), `space` (preallocation, full
//! disk), `inspect` (a look from outside), `frame`/`segment`/`sealed`/`ring` (formats), [`Door`] (all file access; tests cut power there).
//!
//! This crate knows nothing of keys, commands, sockets or replicas.

mod append;
mod background;
mod door;
mod error;
mod events;
mod frame;
mod inspect;
mod log;
mod long;
mod open;
mod reader;
mod repair;
mod ring;
mod scan;
mod seal;
mod sealed;
mod segment;
mod shared;
mod space;
mod stream;
mod types;
mod writer;

pub use door::{DiskDoor, Door, DoorFile, Mapping, ReadOnlyDoor, SimDoor, SimFault};
pub use error::{Error, Result};
pub use inspect::{Frames, Inspector, SegmentInfo, Torn};
pub use log::{Binlog, Hold};
pub use reader::Reader;
pub use stream::Stream;
pub use types::{
    Appended, Flags, Frame, FrameView, FsyncPolicy, Info, LogEvent, LogState, MANY_SLOTS, Offset,
    OpenReport, Options, Retention,
};
