//! The binlog's hot paths: appending by one and by several threads, and reading back.
//!
//! `placement` compares the ways a frame could get into the kernel before a reply leaves; its figures
//! are in docs/decisions/0003-mapped-binlog.md.

use basalt_binlog::{Binlog, DiskDoor, Frame, FsyncPolicy, Offset, Options};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PAYLOAD: &[u8] = &[b'x'; 112];
const FRAME: usize = PAYLOAD.len() + 40;
const SEGMENT: usize = 64 << 20;

fn open(dir: &Path, fsync: FsyncPolicy, compress: bool) -> Binlog {
    let mut options = Options::new(dir);
    options.fsync = fsync;
    options.compress = compress;
    options.retention.bytes = 256 << 20;
    Binlog::open(options, Arc::new(DiskDoor))
        .expect("a fresh directory opens")
        .0
}

fn append(log: &Binlog) {
    let frame = Frame::data(1_700_000_000_000, 77, 0);
    let at = log
        .append(&frame, &[black_box(PAYLOAD)])
        .expect("there is room");
    // Nothing is needed any more, so that a long run does not fill the disk.
    if at.end.0 % (32 << 20) < PAYLOAD.len() as u64 {
        log.set_floor(log.synced());
    }
}

fn appending(c: &mut Criterion) {
    let mut group = c.benchmark_group("append");
    group
        .throughput(Throughput::Elements(1))
        .measurement_time(Duration::from_secs(3));
    for (name, fsync) in [("everysec", FsyncPolicy::Everysec), ("no", FsyncPolicy::No)] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let log = open(dir.path(), fsync, false);
        group.bench_function(name, |b| b.iter(|| append(&log)));
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let log = open(dir.path(), FsyncPolicy::Everysec, false);
    group.bench_function("everysec, 2 threads", |b| {
        b.iter_custom(|n| {
            let began = Instant::now();
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| (0..n.div_ceil(2)).for_each(|_| append(&log)));
                }
            });
            began.elapsed()
        });
    });
    group.finish();
}

fn reading(c: &mut Criterion) {
    const FRAMES: u64 = 200_000;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut options = Options::new(dir.path());
    options.segment_bytes = 8 << 20;
    options.background = false;
    let log = Binlog::open(options, Arc::new(DiskDoor))
        .expect("a fresh directory opens")
        .0;
    (0..FRAMES).for_each(|_| append(&log));
    log.sync_now().expect("the disk works");
    let mut group = c.benchmark_group("read");
    group
        .throughput(Throughput::Elements(FRAMES))
        .sample_size(10);
    let frames = |log: &Binlog| {
        let mut reader = log.reader(Offset(0)).expect("all is there");
        let mut n = 0;
        while reader.next().expect("all is whole").is_some() {
            n += 1;
        }
        assert_eq!(n, FRAMES);
    };
    group.bench_function("frames, raw segments", |b| b.iter(|| frames(&log)));
    group.bench_function("stream of payload bytes, raw segments", |b| {
        let mut out = Vec::with_capacity(64 << 10);
        b.iter(|| {
            let mut stream = log.stream(Offset(0)).expect("all is there");
            while stream.read(&mut out, 64 << 10).expect("all is whole") > 0 {
                out.clear();
            }
        });
    });
    log.seal_full_segments().expect("sealing works");
    group.bench_function("frames, sealed segments", |b| b.iter(|| frames(&log)));
    group.finish();
}

fn reserved(dir: &Path) -> File {
    let path = dir.join("segment");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path);
    let file = file.expect("a temporary file");
    file.set_len(SEGMENT as u64).expect("room for a segment");
    file
}

/// Filling a segment with frames, without CRC and lock: only the way of the bytes differs.
fn placement(c: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let count = SEGMENT / FRAME;
    let bytes = [7u8; FRAME];
    let mut group = c.benchmark_group("placement");
    group
        .throughput(Throughput::Elements(count as u64))
        .sample_size(10);
    group.bench_function("one write per frame", |b| {
        b.iter_batched_ref(
            || reserved(dir.path()),
            |file| {
                (0..count).for_each(|i| {
                    file.write_all_at(&bytes, (i * FRAME) as u64)
                        .expect("it writes")
                })
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("mapped segment, faulting as it goes", |b| {
        b.iter_batched_ref(
            || {
                let file = reserved(dir.path());
                // SAFETY: the file is ours alone while the mapping lives.
                unsafe { memmap2::MmapMut::map_mut(&file) }.expect("it maps")
            },
            |map| (0..count).for_each(|i| map[i * FRAME..(i + 1) * FRAME].copy_from_slice(&bytes)),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("mapped ring, written in 256 KiB runs", |b| {
        let ring_file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(dir.path().join("ring"));
        let ring_file = ring_file.expect("a temporary file");
        ring_file.set_len(8 << 20).expect("room for a ring");
        // SAFETY: the file is ours alone while the mapping lives.
        let mut ring = unsafe { memmap2::MmapMut::map_mut(&ring_file) }.expect("it maps");
        ring.fill(0);
        b.iter_batched_ref(
            || reserved(dir.path()),
            |file| {
                let per_run = (256 << 10) / FRAME;
                let mut written = 0;
                while written < count {
                    let run = per_run.min(count - written);
                    let start = (written / per_run % 31) * (256 << 10);
                    for i in 0..run {
                        ring[start + i * FRAME..start + (i + 1) * FRAME].copy_from_slice(&bytes);
                    }
                    file.write_all_at(&ring[start..start + run * FRAME], (written * FRAME) as u64)
                        .expect("it writes");
                    written += run;
                }
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, appending, reading, placement);
criterion_main!(benches);
