//! Fetching: what arrives in pieces, is cut off, or is wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use basalt_binlog::Offset;
use basalt_resp::{ArgRanges, Args, Decoder, Limits};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::ids::ReplicationId;
use crate::wire::SnapshotFile;

#[derive(Default)]
struct Held(BTreeMap<String, Vec<u8>>);

impl Sink for Held {
    fn held(&mut self, file: &str) -> io::Result<u64> {
        Ok(self.0.get(file).map_or(0, |bytes| bytes.len() as u64))
    }

    fn append(&mut self, file: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        let held = self.0.entry(file.to_owned()).or_default();
        assert_eq!(held.len() as u64, at);
        held.extend_from_slice(bytes);
        Ok(())
    }
}

fn manifest(files: &BTreeMap<String, Vec<u8>>) -> Manifest {
    Manifest {
        snapshot: "s1".into(),
        id: ReplicationId::random(),
        replay: Offset(5),
        end: Offset(9),
        db: None,
        files: files
            .iter()
            .map(|(name, bytes)| SnapshotFile {
                name: name.clone(),
                bytes: bytes.len() as u64,
            })
            .collect(),
    }
}

/// Serves READ and DONE until `budget` bytes were sent, then cuts.
async fn master(
    mut stream: DuplexStream,
    files: BTreeMap<String, Vec<u8>>,
    mut budget: usize,
    flip: bool,
) {
    let mut input = Vec::new();
    loop {
        let mut ranges = ArgRanges::new();
        let decoded = Decoder::new().decode(&input, &Limits::default(), &mut ranges);
        let Ok(Some(len)) = decoded else {
            if stream.read_buf(&mut input).await.unwrap_or(0) == 0 {
                return;
            }
            continue;
        };
        let args = Args::new(&input[..len], &ranges);
        let mut out = Vec::new();
        if &args[1] == b"DONE" {
            out.extend_from_slice(b"+OK\r\n");
        } else {
            let number =
                |at: usize| -> usize { std::str::from_utf8(&args[at]).unwrap().parse().unwrap() };
            let file = &files[std::str::from_utf8(&args[3]).unwrap()];
            let piece = &file[number(4)..number(4) + number(5)];
            crate::wire::encode_piece(&mut out, piece);
            if flip {
                let last = out.len() - 3;
                out[last] ^= 1;
            }
        }
        input.drain(..len);
        let sent = out.len().min(budget);
        budget -= sent;
        if stream.write_all(&out[..sent]).await.is_err() || budget == 0 {
            return;
        }
    }
}

fn block_on<R>(work: impl Future<Output = R>) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work)
}

fn attempt(
    files: &BTreeMap<String, Vec<u8>>,
    sink: &mut Held,
    budget: usize,
    flip: bool,
) -> Result<(), LinkError> {
    let manifest = manifest(files);
    block_on(async {
        let (ours, theirs) = tokio::io::duplex(4096);
        let served = master(theirs, files.clone(), budget, flip);
        let mut wire = Wire::new(ours, Duration::from_secs(60));
        let fetched = async {
            let done = fetch(&mut wire, &manifest, sink, &|_| {}).await;
            drop(wire);
            done
        };
        let (done, ()) = tokio::join!(fetched, served);
        done
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// Cut anywhere, however often: what arrived is not asked for again, and in the end everything is there.
    #[test]
    fn a_fetch_goes_on_where_it_was_cut(
        sizes in prop::collection::vec(prop_oneof![Just(0usize), 1..5000usize, Just(1 << 20), Just((1 << 20) + 17)], 1..5),
        budgets in prop::collection::vec(0..1_500_000usize, 0..6),
        seed: u8,
    ) {
        let files: BTreeMap<String, Vec<u8>> = sizes
            .iter()
            .enumerate()
            .map(|(n, size)| {
                let bytes = (0..*size).map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed)).collect();
                (format!("{n}.sst"), bytes)
            })
            .collect();
        let mut sink = Held::default();
        for budget in budgets {
            let _ = attempt(&files, &mut sink, budget, false);
            for (name, held) in &sink.0 {
                prop_assert!(files[name].starts_with(held));
            }
        }
        prop_assert!(attempt(&files, &mut sink, usize::MAX, false).is_ok());
        prop_assert_eq!(&sink.0, &files);
    }
}

#[test]
fn a_changed_bit_is_noticed() {
    let files = BTreeMap::from([("a".to_owned(), vec![7; 100])]);
    let mut sink = Held::default();
    let done = attempt(&files, &mut sink, usize::MAX, true);
    assert!(matches!(done, Err(LinkError::Damaged(_))), "{done:?}");
    assert!(sink.0.is_empty());
}
