//! The replication history of a pair of store and log: which id it goes by, and whose stream it shares.
//!
//! It lies in the pair's directory and changes with it. A change is on disk before anybody acts on it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use basalt_binlog::{Binlog, DiskDoor, Offset, OpenReport};
use basalt_replication::ids::{History, HistoryError, HistoryFile, ReplicationId};
use parking_lot::Mutex;

/// See the module's text.
#[derive(Debug)]
pub struct Keeper {
    /// None without a log: then there is nothing to follow, and nothing to remember.
    file: Option<HistoryFile>,
    boot: String,
    current: Mutex<History>,
    changes: AtomicU64,
}

impl Keeper {
    /// The history of a log that was just opened in `dir`. `leads` says that the node writes it itself: then a log
    /// that may have lost its tail is not given out as the one that others followed.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn open(
        dir: &Path,
        log: Option<(&Binlog, &OpenReport)>,
        leads: bool,
    ) -> Result<Keeper, HistoryError> {
        let Some((binlog, report)) = log else {
            return Ok(Keeper {
                file: None,
                boot: String::new(),
                current: Mutex::new(History::new(ReplicationId::random())),
                changes: AtomicU64::new(0),
            });
        };
        let file = HistoryFile::new(Arc::new(DiskDoor), dir);
        let in_log = ReplicationId::from_log(report.replication_id);
        let (mut history, boot) = if report.created {
            (History::new(in_log), String::new())
        } else {
            match file.load(in_log) {
                Ok(loaded) => (loaded.history, loaded.boot),
                // It says whom this node may continue, nothing of its data.
                Err(error @ HistoryError::Damaged(_)) => {
                    tracing::warn!(%error, "replicas will need a full sync");
                    (History::new(ReplicationId::random()), String::new())
                }
                Err(error) => return Err(error),
            }
        };
        let this_boot = boot_id();
        // What was appended is in the kernel: it is lost only if the machine went down, not if the process did.
        let may_lack_a_tail = !report.clean && (boot.is_empty() || boot != this_boot);
        if leads && may_lack_a_tail {
            history.promote(report.end);
            tracing::warn!(
                id = %history.id,
                end = report.end.0,
                "the log may have lost its tail: replicas that are ahead need a full sync"
            );
        }
        file.save(&history, &this_boot)?;
        if history.id != in_log {
            name_log(binlog, history.id);
        }
        Ok(Keeper {
            file: Some(file),
            boot: this_boot,
            current: Mutex::new(history),
            changes: AtomicU64::new(0),
        })
    }

    /// The history as it is now.
    #[must_use]
    pub fn get(&self) -> History {
        *self.current.lock()
    }

    /// Counts the changes: who serves others under the history as it was stops when this moves.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Changes the history, durably, and names the log by it. Blocks.
    ///
    /// # Errors
    /// It cannot be saved; nothing has changed then.
    pub fn change(
        &self,
        binlog: Option<&Binlog>,
        change: impl FnOnce(&mut History),
    ) -> Result<History, HistoryError> {
        let mut current = self.current.lock();
        let mut changed = *current;
        change(&mut changed);
        if changed == *current {
            return Ok(changed);
        }
        if let Some(file) = &self.file {
            file.save(&changed, &self.boot)?;
        }
        let renamed = changed.id != current.id;
        *current = changed;
        self.changes.fetch_add(1, Ordering::Release);
        drop(current);
        if let Some(binlog) = binlog.filter(|_| renamed) {
            name_log(binlog, changed.id);
        }
        Ok(changed)
    }

    /// The node writes by itself from `at`, the end of its log, on. Blocks.
    ///
    /// # Errors
    /// As [`Keeper::change`].
    pub fn promote(&self, binlog: &Binlog, at: Offset) -> Result<History, HistoryError> {
        self.change(Some(binlog), |history| history.promote(at))
    }
}

fn name_log(binlog: &Binlog, id: ReplicationId) {
    binlog.set_replication_id(*id.as_bytes());
    if let Err(error) = binlog.rotate() {
        // The next segment has it; until then the file makes up for it.
        tracing::warn!(%error, "the log does not carry the new replication id yet");
    }
}

/// What tells one boot of the machine from another; empty if the system does not say.
pub(super) fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}
