//! Room for what comes: segment files preallocated ahead of time, and the full disk.
//!
//! A segment is reserved with `fallocate` before the log goes over to it, so that writing into it cannot meet a full
//! disk. If the next one cannot be reserved, the log is `Full`: `admit` refuses while what is left in the
//! current segment still takes the frames already admitted, and the keeper tries again each second.

use crate::error::{Error, Result};
use crate::segment::SEGMENT_HEADER;
use crate::shared::{Shared, Spare, Spares};
use std::sync::atomic::Ordering;

impl Shared {
    /// Sees to it that a spare exists that takes a frame of `total` bytes.
    pub(crate) fn prepare_spare(&self, total: u64) -> Result<()> {
        let need = total + SEGMENT_HEADER;
        let mut spares = self.spares.lock();
        if spares.ready.iter().any(|s| s.capacity >= need) {
            return Ok(());
        }
        let capacity = need.max(self.options.segment_bytes);
        match self.make_spare(&mut spares, capacity) {
            Ok(spare) => {
                spares.ready.push(spare);
                self.note_spare_room(&spares);
                drop(spares);
                self.set_full(false);
                Ok(())
            }
            Err(e) if e.is_no_space() => {
                drop(spares);
                self.set_full(true);
                Err(Error::Full)
            }
            // Nothing is lost yet, so this does not poison: the caller's write is refused.
            Err(e) => {
                self.note_error(&e);
                Err(e)
            }
        }
    }

    fn make_spare(&self, spares: &mut Spares, capacity: u64) -> Result<Spare> {
        spares.made += 1;
        let name = format!("spare-{}.tmp", spares.made);
        let path = self.options.dir.join(&name);
        let failed = || format!("reserve {capacity} bytes for the next segment");
        let file = self.door.open(&path, true).map_err(Error::io(failed()))?;
        if let Err(e) = file.preallocate(capacity) {
            // What could not be reserved must not occupy space either; if even that fails, open cleans up.
            let _ = self.door.remove(&path);
            return Err(Error::io(failed())(e));
        }
        Ok(Spare {
            file,
            name,
            capacity,
        })
    }

    /// The smallest spare of at least `need` bytes.
    pub(crate) fn take_spare(&self, need: u64) -> Option<Spare> {
        let mut spares = self.spares.lock();
        let fits = spares
            .ready
            .iter()
            .enumerate()
            .filter(|(_, s)| s.capacity >= need);
        let best = fits.min_by_key(|(_, s)| s.capacity)?.0;
        let spare = spares.ready.swap_remove(best);
        self.note_spare_room(&spares);
        Some(spare)
    }

    fn note_spare_room(&self, spares: &Spares) {
        let largest = spares.ready.iter().map(|s| s.capacity).max().unwrap_or(0);
        self.spare_room.store(largest, Ordering::Relaxed);
    }

    /// Removes the spares: at a clean close.
    pub(crate) fn drop_spares(&self) {
        let mut spares = self.spares.lock();
        for spare in spares.ready.drain(..) {
            // A leftover is removed at the next open.
            let _ = self.door.remove(&self.options.dir.join(spare.name));
        }
        self.note_spare_room(&spares);
    }
}
