//! The steps of opening a log, between recovery (`repair.rs`) and the live handle (`log.rs`).

use crate::background::unix_ms_now;
use crate::door::{Door, DoorFile};
use crate::error::{Error, Result, no_space};
use crate::repair::{Active, Recovered};
use crate::ring::Ring;
use crate::segment::{Catalog, SEGMENT_HEADER, Segment, SegmentHeader, SparseIndex, raw_name};
use crate::shared::{Parts, Shared};
use crate::types::Options;
use std::path::Path;
use std::sync::Arc;

/// Names the cause when another process is in the way.
pub(crate) fn lock_failed(dir: &Path) -> impl FnOnce(std::io::Error) -> Error {
    move |e| match e.kind() {
        std::io::ErrorKind::WouldBlock => Error::Locked(dir.display().to_string()),
        _ => Error::io("lock the binlog directory")(e),
    }
}

/// Forces raw segments and the directory to disk. (Sealed ones are before they get their name.)
pub(crate) fn sync_files(door: &dyn Door, dir: &Path, catalog: &Catalog) -> Result<()> {
    for segment in catalog.iter().filter(|s| !s.is_sealed()) {
        segment
            .file
            .sync_data()
            .map_err(Error::io(format!("fsync {}", segment.name)))?;
    }
    door.sync_dir(dir)
        .map_err(Error::io("fsync the binlog directory"))
}

/// Makes the live state from what recovery found; the flag says that no space could be reserved.
pub(crate) fn assemble(
    options: Options,
    door: Arc<dyn Door>,
    lock: Box<dyn Send + Sync>,
    mut found: Recovered,
) -> Result<(Arc<Shared>, bool)> {
    let ring = Ring::create(&*door, &options.dir, options.ring_bytes)?;
    let mut full = false;
    let (active, capacity) = match found.active.take() {
        Some(active) => {
            // It may have been followed by a segment that was cut off.
            active.segment.set_end(u64::MAX);
            let capacity = options.segment_bytes.max(active.file_pos);
            match active.segment.file.preallocate(capacity) {
                Ok(()) => (active, capacity),
                Err(e) if no_space(&e) => {
                    full = true;
                    let capacity = active.file_pos;
                    (active, capacity)
                }
                Err(e) => return Err(Error::io("reserve space for the newest segment")(e)),
            }
        }
        None => {
            let active = first_segment(&options, &*door, &found)?;
            found.catalog.push(active.segment.clone());
            (active, options.segment_bytes.max(SEGMENT_HEADER))
        }
    };
    let shared = Shared::new(Parts {
        ring,
        catalog: found.catalog,
        active: active.segment,
        index: active.index,
        file_pos: active.file_pos,
        capacity,
        end: found.end,
        pos: found.pos,
        db: found.db,
        replication_id: found.replication_id,
        options,
        door,
        lock,
    });
    Ok((Arc::new(shared), full))
}

/// Creates a segment at the end of what was found, durably.
fn first_segment(options: &Options, door: &dyn Door, found: &Recovered) -> Result<Active> {
    let name = raw_name(found.end);
    let temporary = options.dir.join("first.tmp");
    let header = SegmentHeader {
        first: found.end,
        pos: found.pos,
        synced: found.end,
        first_ms: unix_ms_now(),
        replication_id: found.replication_id,
    };
    let create = || -> std::io::Result<Arc<dyn DoorFile>> {
        let file = door.open(&temporary, true)?;
        file.preallocate(options.segment_bytes.max(SEGMENT_HEADER))?;
        file.write_at(&header.encode(false), 0)?;
        file.sync_data()?;
        door.rename(&temporary, &options.dir.join(&name))?;
        door.sync_dir(&options.dir)?;
        Ok(file)
    };
    let file = create().map_err(Error::io(format!("create {name}")))?;
    let index = Arc::new(SparseIndex::for_capacity(options.segment_bytes));
    let segment = Arc::new(Segment::raw(
        header,
        file,
        SEGMENT_HEADER,
        u64::MAX,
        index.clone(),
    ));
    Ok(Active {
        segment,
        index,
        file_pos: SEGMENT_HEADER,
    })
}

impl Recovered {
    /// What there is where no log is.
    pub(crate) fn nothing(options: &Options) -> Recovered {
        Recovered {
            catalog: Vec::new(),
            active: None,
            end: options.create_at.0,
            pos: 0,
            db: None,
            cut_bytes: 0,
            replication_id: options.replication_id,
        }
    }
}
