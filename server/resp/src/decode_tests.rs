//! Tests of the request decoder. Where a reply of Redis is named, a redis-server 7.0 gave it.

use proptest::prelude::*;

use super::*;
use crate::args::{Args, OwnedArgs};
use crate::command::encode_command;

type Command = Vec<Vec<u8>>;

#[derive(Debug, PartialEq, Clone)]
enum Outcome {
    Command {
        args: Command,
        canonical: bool,
        consumed: usize,
    },
    Failed(ProtocolError),
}

/// Everything in `stream`, fed in pieces that end at `cuts`, as a session would: the rest of the
/// buffer moves to the front after each command.
fn read_all(stream: &[u8], cuts: &[usize], limits: &Limits) -> (Vec<Outcome>, usize) {
    let (mut decoder, mut ranges) = (Decoder::new(), ArgRanges::new());
    let (mut outcomes, mut start) = (Vec::new(), 0);
    let ends = cuts
        .iter()
        .copied()
        .filter(|&cut| cut <= stream.len())
        .chain([stream.len()]);
    for end in ends {
        while start <= end {
            // A fresh allocation each time: the decoder must not care where the bytes are.
            let buf = stream[start..end].to_vec();
            match decoder.decode(&buf, limits, &mut ranges) {
                Ok(None) => {
                    assert!(decoder.needed() > 0);
                    break;
                }
                Ok(Some(consumed)) => {
                    let args = Args::new(&buf[..consumed], &ranges);
                    outcomes.push(Outcome::Command {
                        args: args.iter().map(<[u8]>::to_vec).collect(),
                        canonical: args.is_canonical(),
                        consumed,
                    });
                    start += consumed;
                }
                Err(error) => {
                    assert_eq!(
                        decoder.decode(&buf, limits, &mut ranges),
                        Err(error),
                        "an error repeats"
                    );
                    outcomes.push(Outcome::Failed(error));
                    return (outcomes, start);
                }
            }
        }
    }
    (outcomes, start)
}

fn one(stream: &[u8], limits: &Limits) -> Option<Outcome> {
    let every_byte: Vec<usize> = (0..stream.len()).collect();
    let whole = read_all(stream, &[], limits);
    if stream.len() < 1000 {
        assert_eq!(
            read_all(stream, &every_byte, limits),
            whole,
            "{}",
            stream.escape_ascii()
        );
    }
    whole.0.first().cloned()
}

fn command(args: &[&str], canonical: bool, consumed: usize) -> Option<Outcome> {
    let args = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
    Some(Outcome::Command {
        args,
        canonical,
        consumed,
    })
}

#[test]
fn plain_commands() {
    let limits = Limits::default();
    assert_eq!(
        one(b"*1\r\n$4\r\nPING\r\n", &limits),
        command(&["PING"], true, 14)
    );
    assert_eq!(
        one(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n", &limits),
        command(&["SET", "k", ""], true, 26)
    );
    assert_eq!(one(b"GET k\r\n", &limits), command(&["GET", "k"], false, 7));
    assert_eq!(
        one(b"GET 'a b'\n", &limits),
        command(&["GET", "a b"], false, 10)
    );
}

#[test]
fn empty_requests_have_no_arguments() {
    let limits = Limits::default();
    for empty in ["*0\r\n", "*-1\r\n", "*-7\r\n", "\r\n", "\n", "   \r\n"] {
        assert_eq!(
            one(empty.as_bytes(), &limits),
            command(&[], false, empty.len()),
            "{empty:?}"
        );
    }
}

#[test]
fn sloppy_separators_are_accepted_but_not_canonical() {
    let limits = Limits::default();
    for sloppy in [
        "*1\r\n$4\r\nPINGxx",
        "*1\r\n$4\rXPING\r\n",
        "*1\rX$4\r\nPING\r\n",
    ] {
        assert_eq!(
            one(sloppy.as_bytes(), &limits),
            command(&["PING"], false, 14),
            "{sloppy:?}"
        );
    }
    // The sloppiness of one command does not stick to the next.
    let (both, _) = read_all(b"*1\r\n$1\r\naxx*1\r\n$1\r\nb\r\n", &[], &limits);
    assert_eq!(both.get(1).cloned(), command(&["b"], true, 11));
}

#[test]
fn malformed_requests_get_the_errors_of_redis() {
    let limits = Limits::default();
    let long = |start: &str, byte: &str, count: usize| format!("{start}{}", byte.repeat(count));
    let cases = [
        ("*abc\r\n".to_string(), "invalid multibulk length"),
        ("*\r\n".into(), "invalid multibulk length"),
        ("*01\r\n$4\r\nPING\r\n".into(), "invalid multibulk length"),
        ("*+1\r\n".into(), "invalid multibulk length"),
        ("*1048577\r\n".into(), "invalid multibulk length"),
        ("*2147483648\r\n".into(), "invalid multibulk length"),
        (
            "*9223372036854775808\r\n".into(),
            "invalid multibulk length",
        ),
        (long("*", "1", 65536), "too big mbulk count string"),
        ("*1\r\nx\r\n".into(), "expected '$', got 'x'"),
        ("*1\r\n\n\r\n".into(), "expected '$', got ' '"),
        ("*1\r\n\r\n".into(), "expected '$', got ' '"),
        ("*1\r\n$-1\r\n".into(), "invalid bulk length"),
        ("*1\r\n$abc\r\n".into(), "invalid bulk length"),
        ("*1\r\n$04\r\nPING\r\n".into(), "invalid bulk length"),
        ("*1\r\n$536870913\r\n".into(), "invalid bulk length"),
        (long("*1\r\n$", "1", 70000), "too big bulk count string"),
        (long("*1\r\nx", "x", 70000), "too big bulk count string"),
        (long("", "x", 65537), "too big inline request"),
        ("ECHO \"a\"b\r\n".into(), "unbalanced quotes in request"),
    ];
    for (request, expected) in cases {
        let Some(Outcome::Failed(error)) = one(request.as_bytes(), &limits) else {
            panic!("{:.40?} was accepted", request);
        };
        let mut reply = Vec::new();
        error.write_reply(&mut reply);
        assert_eq!(
            reply,
            format!("-ERR Protocol error: {expected}\r\n").as_bytes(),
            "{request:.40}"
        );
    }
}

#[test]
fn what_is_just_within_the_limits_is_not_refused() {
    let limits = Limits::default();
    for request in [
        "*1\r\n$536870912\r\n".to_string(),
        "*1048576\r\n".into(),
        "x".repeat(65536),
        format!("*{}", "1".repeat(65535)),
    ] {
        assert_eq!(one(request.as_bytes(), &limits), None, "{request:.40}");
    }
    assert!(one(format!("{}\n", "x".repeat(65536)).as_bytes(), &limits).is_some());
}

#[test]
fn strangers_may_send_only_small_commands() {
    let stranger = Limits {
        authenticated: false,
        ..Limits::default()
    };
    let refused = |request: &[u8]| match one(request, &stranger) {
        Some(Outcome::Failed(error)) => Some(error),
        _ => None,
    };
    assert_eq!(refused(b"*10\r\n"), None);
    assert_eq!(
        refused(b"*11\r\n"),
        Some(ProtocolError::UnauthenticatedMultibulkLength)
    );
    assert_eq!(refused(b"*1\r\n$16384\r\n"), None);
    assert_eq!(
        refused(b"*1\r\n$16385\r\n"),
        Some(ProtocolError::UnauthenticatedBulkLength)
    );
}

#[test]
fn limits_can_be_lower_than_the_fast_path() {
    let tiny = Limits {
        max_args: 2,
        max_bulk_bytes: 3,
        ..Limits::default()
    };
    assert_eq!(
        one(b"*3\r\n", &tiny),
        Some(Outcome::Failed(ProtocolError::InvalidMultibulkLength))
    );
    assert_eq!(
        one(b"*2\r\n$4\r\n", &tiny),
        Some(Outcome::Failed(ProtocolError::InvalidBulkLength))
    );
    assert_eq!(
        one(b"*1\r\n$3\r\nabc\r\n", &tiny),
        command(&["abc"], true, 13)
    );
}

#[test]
fn largest_lengths_do_not_wrap() {
    let open = Limits {
        max_bulk_bytes: usize::MAX,
        max_args: usize::MAX,
        ..Limits::default()
    };
    assert_eq!(
        one(
            b"*9223372036854775807\r\n$9223372036854775807\r\nabc",
            &open
        ),
        None
    );
}

#[test]
fn needed_is_exact_inside_an_argument() {
    let (mut decoder, mut ranges, limits) = (Decoder::new(), ArgRanges::new(), Limits::default());
    let mut buf = b"*2\r\n$3\r\nGET\r\n$100000\r\nabc".to_vec();
    assert_eq!(decoder.decode(&buf, &limits, &mut ranges), Ok(None));
    assert_eq!(decoder.needed(), 100_000 - 3 + 2);
    assert!(decoder.is_mid_command());
    buf.resize(buf.len() + decoder.needed(), b'\n');
    assert_eq!(
        decoder.decode(&buf, &limits, &mut ranges),
        Ok(Some(buf.len()))
    );
    assert!(!decoder.is_mid_command());
    decoder.decode(b"*1\r\n", &limits, &mut ranges).unwrap();
    decoder.reset();
    assert!(!decoder.is_mid_command());
}

/// A million arguments byte by byte, and a long line byte by byte: with rescanning these would
/// take hours and minutes.
#[test]
fn small_pieces_cost_linear_time() {
    let limits = Limits::default();
    let mut stream = b"*1048576\r\n".to_vec();
    for _ in 0..1024 * 1024 {
        stream.extend_from_slice(b"$1\r\nx\r\n");
    }
    let (mut decoder, mut ranges) = (Decoder::new(), ArgRanges::new());
    for end in 0..stream.len() {
        assert_eq!(
            decoder.decode(&stream[..end], &limits, &mut ranges),
            Ok(None)
        );
    }
    assert_eq!(
        decoder.decode(&stream, &limits, &mut ranges),
        Ok(Some(stream.len()))
    );
    assert_eq!(ranges.len(), 1024 * 1024);
    ranges.trim();
    assert!(ranges.spans.capacity() <= 256);

    let line = vec![b'x'; 65537];
    for end in 0..=65536 {
        assert_eq!(decoder.decode(&line[..end], &limits, &mut ranges), Ok(None));
    }
    assert_eq!(
        decoder.decode(&line, &limits, &mut ranges),
        Err(ProtocolError::TooBigInlineRequest)
    );
}

/// A client that announces much and sends nothing must not cost memory.
#[test]
fn announced_lengths_reserve_nothing() {
    let (mut decoder, mut ranges) = (Decoder::new(), ArgRanges::new());
    decoder
        .decode(
            b"*1048576\r\n$536870912\r\n",
            &Limits::default(),
            &mut ranges,
        )
        .unwrap();
    assert_eq!(ranges.spans.capacity(), 0);
}

#[test]
fn args_are_a_view() {
    let owned = OwnedArgs::from_slices(&["OBJECT", "freq", "k"]);
    let args = owned.as_args();
    assert_eq!(
        (args.len(), &args[1], args.get(2), args.get(3)),
        (3, &b"freq"[..], Some(&b"k"[..]), None)
    );
    assert_eq!(
        args.tail(1).iter().collect::<Vec<_>>(),
        [&b"freq"[..], b"k"]
    );
    assert!(args.tail(4).is_empty() && !args.tail(1).is_canonical());
    assert_eq!(args.iter().next_back(), Some(&b"k"[..]));
    assert_eq!(args.iter().len(), 3);
    assert!(args.is_canonical());
    assert_eq!(
        args.raw(),
        b"*3\r\n$6\r\nOBJECT\r\n$4\r\nfreq\r\n$1\r\nk\r\n"
    );
    assert_eq!(args.to_owned_args(), owned);
    assert_eq!(
        args.tail(1).to_owned_args(),
        OwnedArgs::from_slices(&["freq", "k"])
    );
    assert_eq!(format!("{args:?}"), r#"["OBJECT", "freq", "k"]"#);
    assert!(owned.heap_bytes() >= args.raw().len());
    assert!(
        !OwnedArgs::from_slices::<&[u8]>(&[])
            .as_args()
            .is_canonical()
    );
}

#[test]
fn an_inline_command_can_be_kept() {
    let (mut decoder, mut ranges) = (Decoder::new(), ArgRanges::new());
    let buf = b"SET k \"a\\r\\nb\"\r\n";
    let consumed = decoder
        .decode(buf, &Limits::default(), &mut ranges)
        .unwrap()
        .unwrap();
    let args = Args::new(&buf[..consumed], &ranges);
    assert_eq!(
        args.to_owned_args(),
        OwnedArgs::from_slices(&["SET", "k", "a\r\nb"])
    );
}

fn any_command() -> impl Strategy<Value = Command> {
    let short = prop::collection::vec(any::<u8>(), 0..20);
    let long = (0usize..70_000, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]);
    prop::collection::vec(prop_oneof![9 => short, 1 => long], 1..14)
}

/// Bytes that look enough like RESP to get past the first state.
fn near_resp() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b"*".to_vec()),
        Just(b"$".to_vec()),
        Just(b"-".to_vec()),
        Just(b"\"".to_vec()),
        Just(b"'".to_vec()),
        Just(b"\\x4".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"*2\r\n$1\r\na\r\n".to_vec()),
        Just(b"*1\r\n$12\r\n".to_vec()),
        "[0-9]{1,3}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(token, 0..30).prop_map(|tokens| tokens.concat())
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::btree_set(0usize..400, 0..30).prop_map(|cuts| cuts.into_iter().collect())
}

proptest! {
    #[test]
    fn a_pipeline_comes_back_however_it_is_cut(commands in prop::collection::vec(any_command(), 1..6), cuts in cuts()) {
        let mut stream = Vec::new();
        for command in &commands {
            encode_command(&mut stream, command);
        }
        let (outcomes, consumed) = read_all(&stream, &cuts, &Limits::default());
        prop_assert_eq!(consumed, stream.len());
        prop_assert_eq!(outcomes.len(), commands.len());
        for (outcome, command) in outcomes.into_iter().zip(commands) {
            match outcome {
                Outcome::Command { args, canonical, .. } => prop_assert!(args == command && canonical),
                Outcome::Failed(error) => prop_assert!(false, "{}", error),
            }
        }
    }

    #[test]
    fn any_bytes_mean_the_same_however_they_are_cut(
        stream in prop_oneof![near_resp(), prop::collection::vec(any::<u8>(), 0..300)],
        cuts in cuts(),
        authenticated: bool,
    ) {
        let limits = Limits { authenticated, max_inline_bytes: 40, max_bulk_bytes: 200, ..Limits::default() };
        let whole = read_all(&stream, &[], &limits);
        prop_assert_eq!(&read_all(&stream, &cuts, &limits), &whole);
        // And canonical says what it promises.
        let mut start = 0;
        for outcome in &whole.0 {
            if let Outcome::Command { args, canonical, consumed } = outcome {
                let mut again = Vec::new();
                encode_command(&mut again, args);
                prop_assert_eq!(*canonical, again == stream[start..start + consumed] && !args.is_empty());
                start += consumed;
            }
        }
    }
}
