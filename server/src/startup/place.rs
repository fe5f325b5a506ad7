//! Where store and log lie: in the data directory itself, or, once a snapshot was taken over, in a directory of
//! that below it which `CURRENT` names.
//!
//! ```text
//!   <dir>/cold, <dir>/binlog                    until the first full sync: there is no CURRENT
//!   <dir>/CURRENT                               "data-2"
//!   <dir>/data-2/cold, <dir>/data-2/binlog      what counts
//!   <dir>/data-3/cold, <dir>/data-3/fetching    a snapshot that arrives; see `replication::replica::sync`
//! ```
//!
//! Replacing `CURRENT` (written aside, synced, renamed) is the one moment at which a node changes its data. A crash
//! before it leaves the old pair and a directory that nobody names, a crash after it the new pair and the old
//! directories; either remainder is removed at the next start.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

const POINTER: &str = "CURRENT";
const POINTER_TEMPORARY: &str = "CURRENT.tmp";
const PREFIX: &str = "data-";
/// Marks a place where a snapshot arrives; it says which.
const FETCHING: &str = "fetching";
const REMOVE_ATTEMPTS: u32 = 20;
const REMOVE_PAUSE: Duration = Duration::from_millis(100);
/// What lies in the data directory itself until the first full sync.
const FIRST: [&str; 2] = ["cold", "binlog"];

/// The place of a pair below the data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    root: PathBuf,
    /// 0: the data directory itself.
    number: u64,
}

impl Place {
    /// The place that counts.
    ///
    /// # Errors
    /// `CURRENT` cannot be read, or names no directory that is there.
    pub fn current(root: &Path) -> io::Result<Place> {
        let text = match fs::read_to_string(root.join(POINTER)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Place::at(root, 0));
            }
            Err(error) => return Err(error),
        };
        let number = number_of(text.trim_end());
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, format!("{POINTER}: {text:?}"));
        let place = Place::at(root, number.ok_or_else(damaged)?);
        if place.dir().is_dir() {
            Ok(place)
        } else {
            Err(damaged())
        }
    }

    fn at(root: &Path, number: u64) -> Place {
        Place {
            root: root.to_owned(),
            number,
        }
    }

    /// The directory of the pair.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        match self.number {
            0 => self.root.clone(),
            number => self.root.join(format!("{PREFIX}{number}")),
        }
    }

    /// Where the next pair will lie, with whatever is there already.
    #[must_use]
    pub fn following(&self) -> Place {
        Place::at(&self.root, self.number + 1)
    }

    /// The file that is there while a snapshot arrives.
    #[must_use]
    pub fn fetching(&self) -> PathBuf {
        self.dir().join(FETCHING)
    }

    /// A place for the next pair; nothing is there yet.
    ///
    /// # Errors
    /// What a failed attempt left there cannot be removed.
    pub fn next(&self) -> io::Result<Place> {
        let next = self.following();
        remove_all(&next.dir())?;
        Ok(next)
    }

    /// Makes this the place that counts, durably. What lies in it must be on disk.
    ///
    /// # Errors
    /// The pointer cannot be written; the place before still counts.
    pub fn make_current(&self) -> io::Result<()> {
        let temporary = self.root.join(POINTER_TEMPORARY);
        let mut file = File::create(&temporary)?;
        writeln!(file, "{PREFIX}{}", self.number)?;
        file.sync_all()?;
        fs::rename(&temporary, self.root.join(POINTER))?;
        sync_dir(&self.root)
    }

    /// Removes this pair, which no longer counts. Nothing of it may be open.
    ///
    /// # Errors
    /// Something cannot be removed. It does no harm but take room, until the next start.
    pub fn remove(&self) -> io::Result<()> {
        if self.number > 0 {
            return remove_closed(&self.dir());
        }
        FIRST
            .iter()
            .try_for_each(|name| remove_closed(&self.root.join(name)))
    }

    /// Removes every pair but this one, and with `keep_arriving` but a snapshot that was being fetched. Nothing of
    /// them may be open.
    ///
    /// # Errors
    /// Something cannot be removed. It does no harm but take room.
    pub fn remove_others(&self, keep_arriving: bool) -> io::Result<()> {
        if self.number == 0 {
            // What was begun and never became current.
            let _ = fs::remove_file(self.root.join(POINTER_TEMPORARY));
        } else {
            for name in FIRST {
                remove_all(&self.root.join(name))?;
            }
        }
        let arriving = self.following();
        let kept = (keep_arriving && arriving.fetching().exists()).then_some(arriving.number);
        for entry in fs::read_dir(&self.root)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(number_of);
            if number.is_some_and(|number| number != self.number && Some(number) != kept) {
                remove_all(&self.root.join(name))?;
            }
        }
        Ok(())
    }
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.parse().ok().filter(|n| *n > 0)
}

fn remove_all(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes the directory of something that was just closed: a background thread of it that has not ended yet may put
/// a last file there.
fn remove_closed(dir: &Path) -> io::Result<()> {
    for _ in 0..REMOVE_ATTEMPTS {
        match remove_all(dir) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                std::thread::sleep(REMOVE_PAUSE);
            }
            done => return done,
        }
    }
    remove_all(dir)
}

/// Makes the names in a directory durable.
///
/// # Errors
/// The system's.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_pair_counts_once_the_pointer_names_it() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for name in FIRST {
            fs::create_dir(root.join(name)).unwrap();
        }
        let first = Place::current(root).unwrap();
        assert_eq!(first.dir(), root);
        let next = first.next().unwrap();
        fs::create_dir_all(next.dir().join("cold")).unwrap();
        // Cut here, the first one still counts, and the rest goes.
        assert_eq!(Place::current(root).unwrap(), first);
        first.remove_others(true).unwrap();
        assert_eq!(names(root), ["binlog", "cold"]);
        let next = first.next().unwrap();
        fs::create_dir_all(next.dir().join("cold")).unwrap();
        next.make_current().unwrap();
        // Cut here, the second one counts, and the first goes.
        assert_eq!(Place::current(root).unwrap(), next);
        next.remove_others(true).unwrap();
        assert_eq!(names(root), ["CURRENT", "data-1"]);
        let third = next.next().unwrap();
        fs::create_dir(third.dir()).unwrap();
        third.make_current().unwrap();
        let fourth = third.next().unwrap();
        fs::create_dir(fourth.dir()).unwrap();
        fs::write(fourth.fetching(), "").unwrap();
        third.remove_others(true).unwrap();
        assert_eq!(names(root), ["CURRENT", "data-2", "data-3"]);
        third.remove_others(false).unwrap();
        assert_eq!(names(root), ["CURRENT", "data-2"]);
    }

    #[test]
    fn a_pointer_to_nothing_is_refused() {
        let root = tempfile::tempdir().unwrap();
        for text in ["data-7\n", "hello\n", "data-0\n", ""] {
            fs::write(root.path().join(POINTER), text).unwrap();
            assert!(Place::current(root.path()).is_err(), "{text:?}");
        }
    }
}
