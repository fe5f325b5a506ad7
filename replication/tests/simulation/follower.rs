//! A node that follows: the real dialogue, fetch and cutter; what arrives goes to its log.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use basalt_binlog::{Flags, Frame, MANY_SLOTS, Offset};
use basalt_replication::fetch::{self, Sink};
use basalt_replication::link::{Greeting, LinkError, Wire, back_off};
use basalt_replication::stream::{Class, CutFrame, Cutter};
use basalt_replication::wire::{Answer, Manifest, Psync, encode_ack};
use basalt_resp::Args;
use tokio::io::DuplexStream;

use super::Shared;

/// A snapshot on its way.
#[derive(Clone)]
pub(crate) struct Staging {
    manifest: Manifest,
    files: BTreeMap<String, Vec<u8>>,
}

impl Sink for Staging {
    fn held(&mut self, file: &str) -> io::Result<u64> {
        Ok(self.files.get(file).map_or(0, |bytes| bytes.len() as u64))
    }

    fn append(&mut self, file: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        let held = self.files.entry(file.to_owned()).or_default();
        assert_eq!(held.len() as u64, at);
        held.extend_from_slice(bytes);
        Ok(())
    }
}

/// Follows until the process ends.
pub(crate) async fn follow(world: Shared, node: usize) {
    let mut failures = 0;
    loop {
        let Some(master) = world.with(node, |n| n.follows) else {
            return;
        };
        let linked = RefCell::new(false);
        let stream = world.connect(master);
        let error = link(&world, node, stream, &linked).await.unwrap_err();
        assert!(
            !matches!(error, LinkError::Damaged(_) | LinkError::Protocol(_)),
            "{error}"
        );
        world.with(node, |n| n.linked = false);
        failures = if *linked.borrow() { 0 } else { failures + 1 };
        tokio::time::sleep(back_off(failures, world.below(101) as u8)).await;
    }
}

fn held(world: &Shared, node: usize) -> Psync {
    world.with(node, |n| Psync {
        id: Some(n.history.id),
        from: Some(n.log.end()),
        failover: false,
    })
}

async fn link(
    world: &Shared,
    node: usize,
    stream: DuplexStream,
    linked: &RefCell<bool>,
) -> Result<std::convert::Infallible, LinkError> {
    let mut wire = Wire::new(stream, Duration::from_secs(5));
    wire.greet(&Greeting::default()).await?;
    match wire.psync(&held(world, node)).await? {
        Answer::Continue(id) => world.with(node, |n| {
            let (id, end) = (id.expect("psync2 was offered"), n.log.end());
            n.change(|history| history.succeed(id, end));
        }),
        Answer::BasaltSync(_, snapshot) => {
            full_sync(world, node, &mut wire, &snapshot).await?;
            let answer = wire.psync(&held(world, node)).await?;
            assert!(matches!(answer, Answer::Continue(_)), "{answer:?}");
        }
        other => panic!("{other:?}"),
    }
    *linked.borrow_mut() = true;
    take_stream(world, node, &mut wire).await
}

async fn full_sync(
    world: &Shared,
    node: usize,
    wire: &mut Wire<DuplexStream>,
    snapshot: &str,
) -> Result<(), LinkError> {
    let manifest = fetch::manifest(wire, snapshot).await?;
    let before = world.with(node, |n| n.staging.take());
    let mut staging = before
        .filter(|staging| staging.manifest == manifest)
        .unwrap_or(Staging {
            manifest: manifest.clone(),
            files: BTreeMap::new(),
        });
    let fetched = fetch::fetch(wire, &manifest, &mut staging, &|_| {}).await;
    world.with(node, |n| n.staging = Some(staging.clone()));
    fetched?;
    world.with(node, |n| {
        n.staging = None;
        n.swap(&manifest, staging.files.remove("state").unwrap());
    });
    world.count_full_sync();
    Ok(())
}

async fn take_stream(
    world: &Shared,
    node: usize,
    wire: &mut Wire<DuplexStream>,
) -> Result<std::convert::Infallible, LinkError> {
    let (end, db) = world.with(node, |n| {
        n.linked = true;
        (n.log.end(), n.stream_db())
    });
    let mut cutter = Cutter::new(end, db);
    let mut acks = tokio::time::interval(Duration::from_secs(1));
    let classify = |args: &Args<'_>| match args.get(0) {
        Some(b"SET") => Class::OneSlot(7),
        _ => Class::NoData,
    };
    loop {
        tokio::select! {
            bytes = wire.stream_bytes() => {
                let bytes = bytes?;
                let take = &mut |frame: CutFrame<'_>| append(world, node, &frame);
                cutter.push(&bytes, &mut { classify }, take).expect("a stream of commands");
            }
            _ = acks.tick() => {
                let mut ack = Vec::new();
                encode_ack(&mut ack, world.with(node, |n| n.log.end()), None);
                wire.send(&ack).await?;
            }
        }
    }
}

fn append(world: &Shared, node: usize, frame: &CutFrame<'_>) -> Result<(), basalt_binlog::Error> {
    let header = if frame.is_no_data() {
        Frame::no_data(1)
    } else {
        Frame {
            unix_ms: 1,
            flags: Flags::VERBATIM,
            slot: frame.slot.unwrap_or(MANY_SLOTS),
            db: frame.db,
            end_db: frame.end_db,
            effects: frame.effects,
        }
    };
    let at = world.with(node, |n| n.log.append(&header, &[frame.payload]))?;
    assert_eq!(at.start, Offset(frame.start.0));
    Ok(())
}
