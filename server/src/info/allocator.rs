//! The allocator's figures and levers.

use tikv_jemalloc_ctl::{epoch, raw, stats};

/// What jemalloc counts, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// In live allocations.
    pub allocated: u64,
    /// In pages that hold some.
    pub active: u64,
    /// In physical memory.
    pub resident: u64,
}

/// The figures now.
#[must_use]
pub fn figures() -> Figures {
    // The figures are those of the last epoch; a failure leaves them as they were.
    let _ = epoch::advance();
    let read = |value: Result<usize, tikv_jemalloc_ctl::Error>| value.unwrap_or(0) as u64;
    Figures {
        allocated: read(stats::allocated::read()),
        active: read(stats::active::read()),
        resident: read(stats::resident::read()),
    }
}

/// Gives unused pages of all arenas back to the system.
pub fn purge() {
    // 4096 stands for "all arenas" in jemalloc's names (MALLCTL_ARENAS_ALL).
    // SAFETY: `arena.<i>.purge` takes and gives no value; a null-terminated name is passed.
    if let Err(error) = unsafe { raw::write(b"arena.4096.purge\0", ()) } {
        tracing::debug!(%error, "the allocator was not purged");
    }
}

/// The version jemalloc says it has, as Redis names it.
#[must_use]
pub fn version() -> String {
    let full = tikv_jemalloc_ctl::version::read().unwrap_or("unknown");
    format!("jemalloc-{}", full.split('-').next().unwrap_or(full))
}

/// The figures as a text, one a line.
#[must_use]
pub fn report() -> String {
    let figures = figures();
    let read = |value: Result<usize, tikv_jemalloc_ctl::Error>| value.unwrap_or(0);
    format!(
        "{}\nallocated: {}\nactive: {}\nresident: {}\nmapped: {}\nmetadata: {}\nretained: {}\n",
        version(),
        figures.allocated,
        figures.active,
        figures.resident,
        read(stats::mapped::read()),
        read(stats::metadata::read()),
        read(stats::retained::read()),
    )
}
