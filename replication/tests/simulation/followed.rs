//! A node that is followed: answers the dialogue, and sends its log.

use std::time::Duration;

use basalt_binlog::Offset;
use basalt_replication::ids::ReplicationId;
use basalt_replication::wire::{self, Answer, Manifest, Psync, SnapshotFile};
use basalt_resp::{ArgRanges, Args, Decoder, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::{Node, Shared};

/// Serves one connection.
pub(crate) async fn serve(world: Shared, node: usize, mut stream: DuplexStream) {
    let mut input = Vec::new();
    loop {
        let mut ranges = ArgRanges::new();
        let decoded = Decoder::new().decode(&input, &Limits::default(), &mut ranges);
        let Some(len) = decoded.expect("a command") else {
            if stream.read_buf(&mut input).await.unwrap_or(0) == 0 {
                return;
            }
            continue;
        };
        let args = Args::new(&input[..len], &ranges);
        let mut out = Vec::new();
        let goes_on = answer(&world, node, &args, &mut out);
        input.drain(..len);
        if stream.write_all(&out).await.is_err() {
            return;
        }
        if let Some(from) = goes_on {
            return feed(&world, node, &mut stream, from).await;
        }
    }
}

/// Answers one command; the offset from which the stream follows.
fn answer(world: &Shared, node: usize, args: &Args<'_>, out: &mut Vec<u8>) -> Option<Offset> {
    match args.get(0).unwrap() {
        b"PING" => out.extend(b"+PONG\r\n"),
        b"REPLCONF" => out.extend(b"+OK\r\n"),
        b"PSYNC" => return psync(world, node, &Psync::parse(args).unwrap(), out),
        b"BASALTSYNC" => world.with(node, |n| basaltsync(n, args, out)),
        other => panic!("{}", String::from_utf8_lossy(other)),
    }
    None
}

fn psync(world: &Shared, node: usize, wanted: &Psync, out: &mut Vec<u8>) -> Option<Offset> {
    let (id, from) = (wanted.id.unwrap(), wanted.from.unwrap());
    let leads = world.with(node, |n| n.follows.is_none());
    if !leads && !world.with(node, |n| n.linked) {
        out.extend(b"-NOMASTERLINK not linked\r\n");
        return None;
    }
    let is_behind = world.with(node, |n| n.history.accepts(&id, from) && from > n.log.end());
    if !leads && is_behind {
        out.extend(b"-NOMASTERLINK behind\r\n");
        return None;
    }
    let accepted = world.with(node, |n| {
        n.history.accepts(&id, from) && from <= n.log.end() && from >= n.log.first()
    });
    if !accepted {
        world.with(node, |n| {
            let usable = n
                .snapshot
                .take()
                .filter(|(m, _)| n.history.accepts(&m.id, m.end) && n.log.first() <= m.replay);
            let snapshot = usable.unwrap_or_else(|| cut(n, leads));
            Answer::BasaltSync(snapshot.0.id, snapshot.0.snapshot.clone()).encode(out);
            n.snapshot = Some(snapshot);
        });
        return None;
    }
    world.assert_beginning(node, &id, from);
    world.with(node, |n| {
        Answer::Continue(Some(n.history.id)).encode(out);
        if leads {
            n.log.force_select();
        }
    });
    Some(from)
}

fn cut(node: &mut Node, leads: bool) -> (Manifest, Vec<u8>) {
    let end = node.log.end();
    let db = if leads {
        node.log.force_select();
        None
    } else {
        Some(node.stream_db())
    };
    let state = node.content(end);
    let manifest = Manifest {
        snapshot: format!("{}", ReplicationId::random())[..16].to_owned(),
        id: node.history.id,
        replay: end,
        end,
        db,
        files: vec![SnapshotFile {
            name: "state".to_owned(),
            bytes: state.len() as u64,
        }],
    };
    (manifest, state)
}

fn basaltsync(node: &mut Node, args: &Args<'_>, out: &mut Vec<u8>) {
    let number = |at: usize| basalt_resp::parse_i64(args.get(at).unwrap()).unwrap() as usize;
    let Some((manifest, state)) = &node.snapshot else {
        return out.extend(b"-ERR no such snapshot\r\n");
    };
    if manifest.snapshot.as_bytes() != args.get(2).unwrap() {
        return out.extend(b"-ERR no such snapshot\r\n");
    }
    match args.get(1).unwrap() {
        b"MANIFEST" => manifest.to_value().encode(out),
        b"READ" => wire::encode_piece(out, &state[number(4)..number(4) + number(5)]),
        _ => out.extend(b"+OK\r\n"),
    }
}

async fn feed(world: &Shared, node: usize, stream: &mut DuplexStream, from: Offset) {
    let (changes, mut log) = world.with(node, |n| (n.changes, n.log.stream(from).unwrap()));
    let mut input = vec![0; 1024];
    let mut pinged = tokio::time::Instant::now();
    loop {
        if world.with(node, |n| n.changes) != changes {
            return;
        }
        let leads = world.with(node, |n| n.follows.is_none());
        if leads && pinged.elapsed() > Duration::from_secs(1) {
            pinged = tokio::time::Instant::now();
            world.ping(node);
        }
        let mut chunk = Vec::new();
        log.read(&mut chunk, 1000).unwrap();
        if !chunk.is_empty() && stream.write_all(&chunk).await.is_err() {
            return;
        }
        tokio::select! {
            read = stream.read(&mut input) => if read.unwrap_or(0) == 0 { return },
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
    }
}
