//! Tests of the reply encoder.

use proptest::prelude::*;

use super::*;
use crate::parse_reply::ReplyDecoder;
use crate::value::Value;

fn both(write: impl Fn(&mut Encoder<'_>)) -> [String; 2] {
    [Proto::Resp2, Proto::Resp3].map(|proto| {
        let mut out = Vec::new();
        write(&mut Encoder::new(&mut out, proto));
        String::from_utf8(out).unwrap()
    })
}

#[test]
fn each_reply_in_both_versions() {
    let same = |write: fn(&mut Encoder<'_>), text: &str| assert_eq!(both(write), [text, text]);
    same(|e| e.ok(), "+OK\r\n");
    same(|e| e.simple("QUEUED"), "+QUEUED\r\n");
    same(|e| e.error("ERR no"), "-ERR no\r\n");
    same(|e| e.integer(-12), ":-12\r\n");
    same(|e| e.integer(i64::MIN), ":-9223372036854775808\r\n");
    same(|e| e.integer(i64::MAX), ":9223372036854775807\r\n");
    same(|e| e.bulk(b"a\r\nb"), "$4\r\na\r\nb\r\n");
    same(|e| e.bulk(""), "$0\r\n\r\n");
    same(|e| e.bulk_int(-7), "$2\r\n-7\r\n");
    same(|e| e.bulk_or_null(Some("x")), "$1\r\nx\r\n");
    same(|e| e.array(12), "*12\r\n");
    same(|e| e.raw(b"+PONG\r\n"), "+PONG\r\n");
    assert_eq!(both(|e| e.null()), ["$-1\r\n", "_\r\n"]);
    assert_eq!(
        both(|e| e.bulk_or_null(None::<&[u8]>)),
        ["$-1\r\n", "_\r\n"]
    );
    assert_eq!(both(|e| e.null_array()), ["*-1\r\n", "_\r\n"]);
    assert_eq!(both(|e| e.map(3)), ["*6\r\n", "%3\r\n"]);
    assert_eq!(both(|e| e.set(3)), ["*3\r\n", "~3\r\n"]);
    assert_eq!(both(|e| e.push(3)), ["*3\r\n", ">3\r\n"]);
    assert_eq!(both(|e| e.boolean(true)), [":1\r\n", "#t\r\n"]);
    assert_eq!(both(|e| e.boolean(false)), [":0\r\n", "#f\r\n"]);
    assert_eq!(both(|e| e.double(1.5)), ["$3\r\n1.5\r\n", ",1.5\r\n"]);
    assert_eq!(
        both(|e| e.double(f64::NEG_INFINITY)),
        ["$4\r\n-inf\r\n", ",-inf\r\n"]
    );
    assert_eq!(
        both(|e| e.big_number("-123")),
        ["$4\r\n-123\r\n", "(-123\r\n"]
    );
    assert_eq!(
        both(|e| e.verbatim(*b"txt", "hello")),
        ["$5\r\nhello\r\n", "=9\r\ntxt:hello\r\n"]
    );
}

#[test]
fn a_line_cannot_be_broken_from_inside() {
    assert_eq!(
        both(|e| e.error("ERR unknown 'x\r\n+OK\r\n'"))[0],
        "-ERR unknown 'x  +OK  '\r\n"
    );
    assert_eq!(both(|e| e.simple("a\nb"))[0], "+a b\r\n");
}

#[test]
fn headers_of_every_width() {
    for value in [0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 12345, usize::MAX] {
        let mut out = Vec::new();
        push_header(&mut out, b'*', value);
        assert_eq!(out, format!("*{value}\r\n").as_bytes());
    }
}

#[test]
fn truncate_takes_a_reply_back() {
    let mut out = b"+OK\r\n".to_vec();
    let mut encoder = Encoder::new(&mut out, Proto::Resp3);
    let before = encoder.written().len();
    let _half_done = encoder.begin_deferred();
    encoder.bulk("x");
    encoder.truncate(before);
    encoder.error("ERR no");
    assert_eq!(
        (out.as_slice(), Proto::default()),
        (&b"+OK\r\n-ERR no\r\n"[..], Proto::Resp2)
    );
}

fn kinds() -> impl Strategy<Value = Aggregate> {
    prop_oneof![
        Just(Aggregate::Array),
        Just(Aggregate::Map),
        Just(Aggregate::Set),
        Just(Aggregate::Push)
    ]
}

proptest! {
    #[test]
    fn deferred_headers_equal_announced_ones(
        outer in 0usize..120, inner in 0usize..1200, guess in 0usize..2000,
        kinds in (kinds(), kinds()), resp3: bool,
    ) {
        let proto = if resp3 { Proto::Resp3 } else { Proto::Resp2 };
        let fill = |e: &mut Encoder<'_>, kind, len: usize| {
            for i in 0..if kind == Aggregate::Map { len * 2 } else { len } {
                e.integer(i as i64);
            }
        };
        let (mut deferred, mut announced) = (b"+before\r\n".to_vec(), b"+before\r\n".to_vec());

        let mut e = Encoder::new(&mut announced, proto);
        e.aggregate(kinds.0, outer + 1);
        fill(&mut e, kinds.0, outer);
        e.aggregate(kinds.1, inner);
        fill(&mut e, kinds.1, inner);

        let mut e = Encoder::new(&mut deferred, proto);
        let mark = e.begin_deferred();
        fill(&mut e, kinds.0, outer);
        let within = e.begin_deferred_expecting(guess);
        fill(&mut e, kinds.1, inner);
        e.end_deferred(within, inner, kinds.1);
        e.end_deferred(mark, outer + 1, kinds.0);
        prop_assert_eq!(deferred, announced);
    }

    #[test]
    fn clients_read_what_is_written(int: i64, double: f64, bytes: Vec<u8>, flag: bool) {
        let mut out = Vec::new();
        let mut e = Encoder::new(&mut out, Proto::Resp3);
        e.array(5);
        e.integer(int);
        e.double(double);
        e.bulk(&bytes);
        e.boolean(flag);
        e.verbatim(*b"mkd", &bytes);
        let expected = Value::Array(vec![
            Value::Integer(int), Value::Double(double), Value::Bulk(bytes.clone()),
            Value::Boolean(flag), Value::Verbatim(*b"mkd", bytes),
        ]);
        let (value, used) = ReplyDecoder::new().decode(&out).unwrap().unwrap();
        prop_assert_eq!(used, out.len());
        prop_assert!(value == expected || double.is_nan());
    }
}
