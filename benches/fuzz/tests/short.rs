//! The fuzz targets on stable Rust, briefly: on their seeds, on seeds that were changed a little, on bytes
//! that a fuzzer found once (`findings`), and on any bytes.

use std::path::Path;
use std::{fs, io};

use basalt_fuzz::{TARGETS, Target, seeds};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Cases per target and kind of input; `PROPTEST_CASES` asks for more.
const CASES: u32 = 2000;

fn runner() -> TestRunner {
    let given = std::env::var("PROPTEST_CASES").is_ok();
    let mut config = Config::default();
    if !given {
        config.cases = CASES;
    }
    config.failure_persistence = None;
    TestRunner::new(config)
}

fn target(name: &str) -> Target {
    let found = TARGETS.iter().find(|(other, _)| *other == name);
    found.expect("a target of this name").1
}

/// One change of an input.
#[derive(Clone, Debug)]
enum Edit {
    Set(prop::sample::Index, u8),
    Flip(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Cut(prop::sample::Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let place = any::<prop::sample::Index>;
    prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (place(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip(at, 1 << bit)),
        place().prop_map(Edit::Remove),
        (place(), vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        place().prop_map(Edit::Cut),
    ]
}

fn apply(bytes: &mut Vec<u8>, edit: Edit) {
    if bytes.is_empty() {
        return;
    }
    match edit {
        Edit::Set(at, byte) => *at.get_mut(bytes) = byte,
        Edit::Flip(at, mask) => *at.get_mut(bytes) ^= mask,
        Edit::Remove(at) => drop(bytes.remove(at.index(bytes.len()))),
        Edit::Insert(at, new) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, new);
        }
        Edit::Cut(at) => bytes.truncate(at.index(bytes.len())),
    }
}

fn run(name: &str) {
    let (target, seeds) = (target(name), seeds::of(name));
    assert!(!seeds.is_empty());
    for input in seeds.iter().chain(&findings(name)) {
        target(input);
    }
    let changed = (prop::sample::select(seeds), vec(edit(), 1..8));
    let outcome = runner().run(&changed, |(mut bytes, edits)| {
        edits.into_iter().for_each(|edit| apply(&mut bytes, edit));
        target(&bytes);
        Ok(())
    });
    outcome.expect("it holds for changed seeds");
    let outcome = runner().run(&vec(any::<u8>(), 0..300), |bytes| {
        target(&bytes);
        Ok(())
    });
    outcome.expect("it holds for any bytes");
}

/// What fuzzers found.
fn findings(name: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("findings")
        .join(name);
    let Ok(files) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let read = |file: io::Result<fs::DirEntry>| fs::read(file?.path());
    files
        .map(read)
        .collect::<io::Result<_>>()
        .expect("readable files")
}

#[test]
#[ignore = "writes files for libFuzzer to start from"]
fn write_seeds() {
    for (name, _) in TARGETS {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("../fuzz-seeds")
            .join(name);
        fs::create_dir_all(&dir).expect("the target directory is writable");
        for (at, seed) in seeds::of(name).iter().enumerate() {
            fs::write(dir.join(at.to_string()), seed).expect("the target directory is writable");
        }
    }
}

#[test]
fn requests_and_replies() {
    run("resp");
}

#[test]
fn segments_and_rings() {
    run("binlog");
}

#[test]
fn cold_records() {
    run("cold");
}

#[test]
fn configuration_files() {
    run("config");
}
