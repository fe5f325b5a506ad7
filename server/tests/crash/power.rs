//! A power cut: the server is killed, and its directory becomes what a disk may have kept of it, RocksDB's files and the
//! log's alike. What was synced, `lost_power.c` has noted from inside the server.
//!
//! What was not synced is lost, or kept in part, by chance for each file and directory:
//! - a directory is as at its last sync, or as it is;
//! - a file of the log, which is written in place, keeps any of the sectors written since;
//! - any other, which is only appended to, is cut at any length not below what was synced.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rand::Rng;
use rand::rngs::SmallRng;

use crate::support::server::Binary;

const SECTOR: usize = 4096;
/// Pairs of store and log: in the server's directory itself, or below it after a full sync.
const PAIR: [&str; 2] = ["binlog", "cold"];
/// Files of the tests, not of the server.
const NOT_THE_SERVERS: [&str; 3] = ["log", "out", "test.conf"];
const NOTES: [&str; 3] = ["data", "dirs", "held"];

/// The notes of one server.
#[derive(Debug)]
pub(crate) struct Power {
    shadow: PathBuf,
}

/// The library to load into servers; made once.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crash/lost_power.c");
        let name = format!("lost_power.{}.so", std::process::id());
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .status();
        assert!(status.is_ok_and(|status| status.success()), "cc fails");
        library
    })
}

impl Power {
    pub(crate) fn new() -> Power {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("shadow.{}.{number}", std::process::id());
        let shadow = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let power = Power { shadow };
        power.forget();
        power
    }

    /// The server to start, so that it takes notes.
    pub(crate) fn watched(&self, binary: Binary) -> Binary {
        binary
            .with_env("LD_PRELOAD", library())
            .with_env("BASALT_SHADOW", &self.shadow)
    }

    fn forget(&self) {
        let _ = fs::remove_dir_all(&self.shadow);
        for kind in NOTES {
            fs::create_dir_all(self.shadow.join(kind)).expect("the test directory is writable");
        }
    }

    /// Makes the directory of a server that was killed what a power cut may leave of it.
    pub(crate) fn cut(&self, dir: &Path, rng: &mut SmallRng) {
        let mut kept = Vec::new();
        for dir in dirs_of(dir) {
            let files = self.kept(&dir, dir.ends_with("binlog"), rng);
            kept.push((dir, files));
        }
        // From here on all that is left counts as being on disk.
        self.forget();
        for (dir, files) in kept {
            for file in files_in(&dir) {
                fs::remove_file(dir.join(file)).expect("the server is gone");
            }
            let mut names = String::new();
            for (name, contents) in files {
                let path = dir.join(&name);
                fs::write(&path, &contents).expect("the test directory is writable");
                let inode = inode_of(&path);
                fs::write(self.note("data", inode), &contents).expect("the notes are writable");
                names.push_str(&format!("{inode} {name}\n"));
            }
            fs::write(self.note("dirs", inode_of(&dir)), names).expect("the notes are writable");
        }
    }

    fn note(&self, kind: &str, inode: u64) -> PathBuf {
        self.shadow.join(kind).join(inode.to_string())
    }

    /// Names and contents that a directory keeps.
    fn kept(&self, dir: &Path, in_place: bool, rng: &mut SmallRng) -> BTreeMap<String, Vec<u8>> {
        let now: BTreeMap<String, u64> = files_in(dir)
            .into_iter()
            .map(|name| {
                let inode = inode_of(&dir.join(&name));
                (name, inode)
            })
            .collect();
        let synced = fs::read_to_string(self.note("dirs", inode_of(dir))).unwrap_or_default();
        let synced: BTreeMap<String, u64> = synced
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(_, name)| !NOT_THE_SERVERS.contains(name))
            .map(|(inode, name)| (name.to_owned(), inode.parse().expect("a number")))
            .collect();
        let names = if rng.random() { now.clone() } else { synced };
        let paths: BTreeMap<u64, &String> =
            now.iter().map(|(name, inode)| (*inode, name)).collect();
        let contents = |inode: u64, rng: &mut SmallRng| {
            let synced = fs::read(self.note("data", inode)).unwrap_or_default();
            let now = match paths.get(&inode) {
                Some(name) => fs::read(dir.join(name)),
                None => fs::read(self.note("held", inode)),
            };
            let now = now.unwrap_or_default();
            if in_place {
                sectors(synced, &now, rng)
            } else {
                let least = synced.len().min(now.len());
                let len = [least, now.len(), rng.random_range(least..=now.len())];
                now[..len[rng.random_range(0..len.len())]].to_vec()
            }
        };
        names
            .into_iter()
            .map(|(name, inode)| (name, contents(inode, rng)))
            .collect()
    }
}

impl Drop for Power {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.shadow);
    }
}

/// A server's directory and those of its pairs.
fn dirs_of(root: &Path) -> Vec<PathBuf> {
    let mut dirs = vec![root.to_owned()];
    let later = fs::read_dir(root).expect("the server made it").flatten();
    let later = later.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("data-") && path.is_dir()
    });
    dirs.extend(later);
    let pairs = dirs.clone().into_iter();
    dirs.extend(pairs.flat_map(|dir| PAIR.map(|name| dir.join(name))));
    dirs.retain(|dir| dir.is_dir());
    dirs
}

fn files_in(dir: &Path) -> Vec<String> {
    fs::read_dir(dir)
        .expect("it is there")
        .map(|entry| entry.expect("the server is gone"))
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !NOT_THE_SERVERS.contains(&name.as_str()))
        .collect()
}

fn inode_of(path: &Path) -> u64 {
    fs::metadata(path).expect("it is there").ino()
}

/// The synced contents with any of the sectors that were written since.
fn sectors(mut synced: Vec<u8>, now: &[u8], rng: &mut SmallRng) -> Vec<u8> {
    // None, all, or some of them.
    let odds = [0.0, 1.0, 0.5][rng.random_range(0..3)];
    if odds == 0.0 {
        return synced;
    }
    synced.resize(now.len(), 0);
    for (old, new) in synced.chunks_mut(SECTOR).zip(now.chunks(SECTOR)) {
        if old != new && rng.random_bool(odds) {
            old.copy_from_slice(new);
        }
    }
    synced
}
