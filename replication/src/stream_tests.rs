//! The stream, cut anywhere: the same commands come out of it.

use basalt_resp::encode_command;
use proptest::prelude::*;

use super::*;

/// Keys are their slot's number.
fn classify(args: &Args<'_>) -> Class {
    match args.get(0).unwrap_or_default() {
        b"SET" | b"DEL" => {
            let key = std::str::from_utf8(&args[1]).unwrap();
            Class::OneSlot(key.parse().unwrap())
        }
        b"FLUSHALL" => Class::ManySlots,
        b"REPLCONF" => Class::GetAck,
        _ => Class::NoData,
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    payload: Vec<u8>,
    start: u64,
    db: u16,
    end_db: u16,
    slot: Option<u16>,
    effects: u32,
    group: bool,
    wants_ack: bool,
}

fn cut(pieces: &[&[u8]]) -> (Vec<Seen>, Cutter) {
    let mut cutter = Cutter::new(Offset(100), 0);
    let mut seen = Vec::new();
    for piece in pieces {
        let mut take = |frame: CutFrame<'_>| {
            seen.push(Seen {
                payload: frame.payload.to_vec(),
                start: frame.start.0,
                db: frame.db,
                end_db: frame.end_db,
                slot: frame.slot,
                effects: frame.effects,
                group: frame.group,
                wants_ack: frame.wants_ack,
            });
            Ok::<(), std::convert::Infallible>(())
        };
        cutter.push(piece, &mut classify, &mut take).unwrap();
    }
    (seen, cutter)
}

fn stream(commands: &[&[&str]]) -> Vec<u8> {
    let mut out = Vec::new();
    for command in commands {
        encode_command(&mut out, command);
    }
    out
}

#[test]
fn a_select_stays_with_what_follows_and_a_transaction_stays_whole() {
    let bytes = stream(&[
        &["SELECT", "3"],
        &["SET", "7", "v"],
        &["PING"],
        &["MULTI"],
        &["SET", "1", "x"],
        &["SELECT", "4"],
        &["DEL", "1"],
        &["EXEC"],
        &["MULTI"],
        &["SET", "1", "x"],
        &["DEL", "2"],
        &["EXEC"],
        &["REPLCONF", "GETACK", "*"],
        &["FLUSHALL"],
    ]);
    let (seen, cutter) = cut(&[&bytes]);
    let short: Vec<_> = seen
        .iter()
        .map(|s| (s.db, s.end_db, s.slot, s.effects, s.group, s.wants_ack))
        .collect();
    assert_eq!(
        short,
        [
            (0, 3, Some(7), 1, false, false),
            (3, 3, None, 0, false, false),
            (3, 4, Some(1), 2, true, false),
            (4, 4, None, 2, true, false),
            (4, 4, None, 0, false, true),
            (4, 4, None, 1, false, false),
        ]
    );
    assert_eq!(cutter.offset().0, 100 + bytes.len() as u64);
    assert_eq!(cutter.db(), 4);
}

#[test]
fn what_is_no_command_is_refused() {
    let mut cutter = Cutter::new(Offset(0), 0);
    let mut nobody = |_: CutFrame<'_>| Ok::<(), std::convert::Infallible>(());
    let broken = cutter.push(b"*1\r\n:5\r\n", &mut classify, &mut nobody);
    assert!(matches!(broken, Err(StreamError::Protocol(..))));
    let mut cutter = Cutter::new(Offset(0), 0);
    let bytes = stream(&[&["SELECT", "-1"]]);
    let broken = cutter.push(&bytes, &mut classify, &mut nobody);
    assert!(matches!(broken, Err(StreamError::Database(_))));
}

fn any_command() -> impl Strategy<Value = Vec<Vec<String>>> {
    let one = |words: &[&str]| vec![words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()];
    prop_oneof![
        (0..9u16, ".{0,20}").prop_map(move |(k, v)| vec![vec!["SET".into(), k.to_string(), v]]),
        (0..4u16).prop_map(|db| vec![vec!["SELECT".into(), db.to_string()]]),
        Just(one(&["PING"])),
        Just(one(&["REPLCONF", "GETACK", "*"])),
        prop::collection::vec(0..4u16, 1..5).prop_map(|keys| {
            let mut all = vec![vec!["MULTI".to_owned()]];
            all.extend(keys.iter().map(|k| vec!["DEL".to_owned(), k.to_string()]));
            all.push(vec!["EXEC".to_owned()]);
            all
        }),
    ]
}

proptest! {
    /// However the network cuts the bytes, the frames are the same, in a row they are the stream, and a cutter
    /// that begins anew where another had to stop goes on as that would have.
    #[test]
    fn frames_are_the_stream_however_it_arrives(
        commands in prop::collection::vec(any_command(), 1..20),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        stop: prop::sample::Index,
    ) {
        let mut bytes = Vec::new();
        for command in commands.iter().flatten() {
            encode_command(&mut bytes, command);
        }
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        let pieces: Vec<&[u8]> = places.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
        let (whole, end) = cut(&[&bytes]);
        let (pieced, _) = cut(&pieces);
        prop_assert_eq!(&whole, &pieced);
        let joined: Vec<u8> = whole.iter().flat_map(|s| s.payload.clone()).collect();
        prop_assert_eq!(&joined[..], &bytes[..joined.len()]);
        let mut expected_db = 0;
        for seen in &whole {
            prop_assert_eq!(seen.db, expected_db);
            expected_db = seen.end_db;
        }

        let (before, cutter) = cut(&[&bytes[..stop.index(bytes.len())]]);
        let from = cutter.offset();
        let mut after = Cutter::new(from, cutter.db());
        let mut seen = before.len();
        let mut take = |frame: CutFrame<'_>| {
            assert_eq!(frame.payload, &whole[seen].payload[..]);
            assert_eq!((frame.start.0, frame.db, frame.end_db),
                (whole[seen].start, whole[seen].db, whole[seen].end_db));
            seen += 1;
            Ok::<(), std::convert::Infallible>(())
        };
        let rest = &bytes[(from.0 - 100) as usize..];
        after.push(rest, &mut classify, &mut take).unwrap();
        prop_assert_eq!(seen, whole.len());
        prop_assert_eq!(after.offset(), end.offset());
    }

    #[test]
    fn garbage_is_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut cutter = Cutter::new(Offset(0), 0);
        let mut nobody = |_: CutFrame<'_>| Ok::<(), std::convert::Infallible>(());
        let mut any = |_: &Args<'_>| Class::NoData;
        let _ = cutter.push(&bytes, &mut any, &mut nobody);
    }
}
