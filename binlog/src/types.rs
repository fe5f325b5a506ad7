//! The words other crates share with the log: offsets, frames as given and as read, options, events.
//!
//! Plain data only; nothing here does I/O.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A position in the replication stream, in payload bytes: the PSYNC replication offset.
///
/// Frame headers are not counted, so an offset is not a file position.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Offset(pub u64);

impl Offset {
    /// The largest offset; no frame reaches it.
    pub const MAX: Offset = Offset(u64::MAX);

    /// The offset `bytes` further on.
    #[must_use]
    pub fn plus(self, bytes: u64) -> Offset {
        Offset(self.0 + bytes)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `Frame::slot` of a frame whose effects touch several slots (or none).
pub const MANY_SLOTS: u16 = 0xFFFF;

/// What kind of frame this is; a bit set.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Flags(pub u16);

impl Flags {
    /// Nothing special: data effects.
    pub const NONE: Flags = Flags(0);
    /// Carries no data (replication PING, GETACK, PUBLISH): replay skips it, but it consumes offsets.
    pub const NO_DATA: Flags = Flags(1);
    /// The payload is wrapped in MULTI/EXEC: replicas apply it as one.
    pub const GROUP: Flags = Flags(2);
    /// The payload already contains every SELECT it needs (a master's stream written down verbatim);
    /// `append` adds none and takes `Frame::end_db` as the stream's database from here on.
    pub const VERBATIM: Flags = Flags(4);

    /// Whether every bit of `other` is set.
    #[must_use]
    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// A frame to append: everything but the payload, which is given beside it in parts.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// When the effects were applied.
    pub unix_ms: u64,
    /// Kind of frame.
    pub flags: Flags,
    /// The one slot all effects belong to, or [`MANY_SLOTS`].
    pub slot: u16,
    /// Database the payload begins in. Ignored for [`Flags::NO_DATA`] frames.
    pub db: u16,
    /// Database the payload ends in: differs from `db` only if the payload itself holds a SELECT.
    pub end_db: u16,
    /// How many effects (commands) the payload holds, an added SELECT not counted.
    pub effects: u32,
}

impl Frame {
    /// A frame of one data effect on one slot.
    #[must_use]
    pub fn data(unix_ms: u64, slot: u16, db: u16) -> Frame {
        Frame {
            unix_ms,
            flags: Flags::NONE,
            slot,
            db,
            end_db: db,
            effects: 1,
        }
    }

    /// A frame that consumes offsets and carries no data.
    #[must_use]
    pub fn no_data(unix_ms: u64) -> Frame {
        Frame {
            unix_ms,
            flags: Flags::NO_DATA,
            slot: MANY_SLOTS,
            db: 0,
            end_db: 0,
            effects: 0,
        }
    }
}

/// Where an appended frame lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    /// Offset of its first payload byte (an added SELECT included).
    pub start: Offset,
    /// Offset behind its last payload byte: what a reply waits for and a guard stores.
    pub end: Offset,
}

/// A frame as read back.
#[derive(Clone, Copy, Debug)]
pub struct FrameView<'a> {
    /// Offset of the first payload byte.
    pub start: Offset,
    /// Offset behind the last payload byte.
    pub end: Offset,
    /// When its effects were applied.
    pub unix_ms: u64,
    /// Kind of frame.
    pub flags: Flags,
    /// The one slot of its effects, or [`MANY_SLOTS`].
    pub slot: u16,
    /// How many effects it holds.
    pub effects: u32,
    /// The database its effects begin in: the frame can be applied without what came before.
    pub db: u16,
    /// The database the stream is in after it.
    pub end_db: u16,
    /// The bytes a replica receives, an added SELECT included.
    pub payload: &'a [u8],
}

/// When appended frames are forced to disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FsyncPolicy {
    /// As soon as someone asks (`request_sync`), shared by all who ask meanwhile.
    Always,
    /// Once a second if there is something, and when asked.
    Everysec,
    /// Only when asked and at close.
    No,
}

/// Which part of the log must stay even when nobody needs it.
///
/// Both are floors: a sealed segment may go when *both* are passed. Zero asks for nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retention {
    /// Keep at least this many bytes on disk.
    pub bytes: u64,
    /// Keep at least the frames of this many milliseconds.
    pub ms: u64,
}

/// How a log is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory of the log; created if absent. Nothing else may live in it.
    pub dir: PathBuf,
    /// Size a segment is preallocated with and cut at.
    pub segment_bytes: u64,
    /// Size of the mapped ring between append and the segment files; rounded up to a power of two.
    pub ring_bytes: u64,
    /// When to force to disk.
    pub fsync: FsyncPolicy,
    /// What to keep.
    pub retention: Retention,
    /// First offset of a log that does not exist yet.
    pub create_at: Offset,
    /// Replication id written into the segments of a log that does not exist yet; an existing log keeps its own.
    pub replication_id: [u8; 40],
    /// Compress segments once they are full and on disk.
    pub compress: bool,
    /// Cut at damage instead of refusing to open (a repair tool's last resort; loses what lies behind it).
    pub cut_damage: bool,
    /// Run the background threads. Without them (offline tools, simulations) the work is done by the
    /// caller: `sync_now`, `prepare_spare`, `seal_full_segments`, `apply_retention`.
    pub background: bool,
}

impl Options {
    /// The defaults, for a log in `dir`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Options {
        Options {
            dir: dir.into(),
            segment_bytes: 64 << 20,
            ring_bytes: 8 << 20,
            fsync: FsyncPolicy::Everysec,
            retention: Retention {
                bytes: 1 << 30,
                ms: 0,
            },
            create_at: Offset(0),
            replication_id: [b'0'; 40],
            compress: true,
            cut_damage: false,
            background: true,
        }
    }
}

/// What opening found.
#[derive(Clone, Debug)]
pub struct OpenReport {
    /// First offset that can be read.
    pub first: Offset,
    /// Where the log ends: the next append starts here.
    pub end: Offset,
    /// Whether the last close was a clean one; if not, a tail that was never synced may be missing.
    pub clean: bool,
    /// Bytes of a torn tail that were cut off (file bytes; zeroes not counted).
    pub cut_bytes: u64,
    /// Payload bytes that were not in a segment file yet and came out of the ring.
    pub ring_bytes: u64,
    /// Replication id of the newest segment.
    pub replication_id: [u8; 40],
    /// Whether the log was created by this open.
    pub created: bool,
    /// How long it took.
    pub took: Duration,
}

/// What subscribers are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogEvent {
    /// Everything before this offset is on disk now.
    Synced(Offset),
    /// Something was appended since `arm_appended`; sent once for each arming.
    Appended,
    /// Writes are refused from now on: an fsync or write failed.
    Poisoned,
    /// Writes are refused for now: no space for the next segment.
    Full,
    /// There is space again.
    SpaceReturned,
}

/// Whether the log takes writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogState {
    /// It does.
    Ok,
    /// The disk is full; it will again when space returns.
    Full,
    /// A write or fsync failed; it will not until it is opened anew.
    Poisoned,
}

/// The figures INFO and BINLOG INFO show.
#[derive(Clone, Debug)]
pub struct Info {
    /// First offset that can be read.
    pub first: Offset,
    /// Where the log ends.
    pub end: Offset,
    /// What is on disk.
    pub synced: Offset,
    /// Segments, the active one included.
    pub segments: usize,
    /// Of these, compressed.
    pub sealed_segments: usize,
    /// File bytes of all segments (the active one counts what is written, not what is preallocated).
    pub disk_bytes: u64,
    /// File bytes of the compressed segments, and what they were before.
    pub compressed_bytes: u64,
    /// Raw bytes of the compressed segments.
    pub uncompressed_bytes: u64,
    /// Frames appended since open.
    pub appends: u64,
    /// Payload bytes appended since open.
    pub appended_bytes: u64,
    /// fdatasync calls on segments.
    pub fsyncs: u64,
    /// Time spent in them, microseconds.
    pub fsync_total_us: u64,
    /// The latest, microseconds.
    pub fsync_last_us: u64,
    /// The longest, microseconds.
    pub fsync_max_us: u64,
    /// Frames per sync since open: how many writes share one.
    pub frames_per_sync: f64,
    /// Times an append had to wait for ring or segment space.
    pub append_waits: u64,
    /// Whether writes are taken.
    pub state: LogState,
    /// The latest failure, if any.
    pub last_error: Option<String>,
    /// The smallest offset retention must keep (floor and holds).
    pub needed_from: Offset,
    /// Current fsync policy.
    pub fsync: FsyncPolicy,
    /// Replication id for new segments.
    pub replication_id: [u8; 40],
}
