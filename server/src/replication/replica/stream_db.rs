//! Which database the stream is in where this node's log ends.
//!
//! The last frame says it. A log that a full sync began has none yet; then the manifest said it, and it is noted beside
//! the log, since a replica of this node may have to be told, after a restart too.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use basalt_binlog::{Binlog, Offset};

use crate::startup::place::sync_dir;

const NOTE: &str = "stream-db";

/// The database at the end of the log in `dir`.
pub(super) fn at_end(binlog: &Binlog, dir: &Path) -> anyhow::Result<u16> {
    if let Some(db) = binlog.stream_db() {
        return Ok(db);
    }
    let (first, end) = (binlog.first(), binlog.end());
    let db = if end > first {
        let mut reader = binlog.reader(Offset(end.0 - 1))?;
        reader.next()?.map_or(0, |frame| frame.end_db)
    } else {
        let Some(db) = noted(&dir.join(NOTE))? else {
            return Ok(0);
        };
        db
    };
    binlog.set_stream_db(db);
    Ok(db)
}

/// Notes the database at the beginning of a log that has no frame yet.
pub(super) fn note(dir: &Path, binlog: &Binlog, db: u16) -> io::Result<()> {
    let mut file = File::create(dir.join(NOTE))?;
    write!(file, "{db}")?;
    file.sync_all()?;
    sync_dir(dir)?;
    binlog.set_stream_db(db);
    Ok(())
}

fn noted(note: &Path) -> anyhow::Result<Option<u16>> {
    match std::fs::read_to_string(note) {
        Ok(text) => text.parse().map(Some).context("stream-db is damaged"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("stream-db cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use basalt_binlog::{DiskDoor, Options};
    use std::sync::Arc;

    #[test]
    fn a_log_without_frames_still_knows_its_database() {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let mut options = Options::new(dir.path().join("binlog"));
            options.create_at = Offset(1000);
            Binlog::open(options, Arc::new(DiskDoor)).unwrap().0
        };
        let log = open();
        assert_eq!(at_end(&log, dir.path()).unwrap(), 0);
        note(dir.path(), &log, 3).unwrap();
        assert_eq!(log.stream_db(), Some(3));
        log.close().unwrap();
        drop(log);
        let log = open();
        assert_eq!(log.stream_db(), None);
        assert_eq!(at_end(&log, dir.path()).unwrap(), 3);
        assert_eq!(log.stream_db(), Some(3));
    }
}
