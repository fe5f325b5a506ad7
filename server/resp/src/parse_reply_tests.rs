//! Tests of the reply decoder and of values.

use proptest::prelude::*;

use super::*;

/// Every reply in `stream`, and how the stream ended; the pieces end at `cuts`.
fn read_all(stream: &[u8], cuts: &[usize]) -> (Vec<Value>, Result<usize, ReplyError>) {
    let mut decoder = ReplyDecoder::with_limits(8, 1000);
    let (mut replies, mut start) = (Vec::new(), 0);
    for end in cuts
        .iter()
        .copied()
        .filter(|&cut| cut <= stream.len())
        .chain([stream.len()])
    {
        while start <= end {
            match decoder.decode(&stream[start..end]) {
                Ok(None) => break,
                Ok(Some((value, used))) => {
                    replies.push(value);
                    start += used;
                }
                Err(error) => return (replies, Err(error)),
            }
        }
    }
    (replies, Ok(start))
}

fn one(stream: &str) -> Result<Option<Value>, ReplyError> {
    let every_byte: Vec<usize> = (0..stream.len()).collect();
    let whole = read_all(stream.as_bytes(), &[]);
    assert_eq!(
        format!("{:?}", read_all(stream.as_bytes(), &every_byte)),
        format!("{whole:?}")
    );
    match whole {
        (mut replies, Ok(used)) => {
            assert!(replies.is_empty() || used == stream.len());
            Ok(replies.pop())
        }
        (_, Err(error)) => Err(error),
    }
}

#[test]
fn every_type_is_read() {
    let simple = |text: &str| Value::Simple(text.into());
    let cases = [
        ("+OK\r\n", simple("OK")),
        ("+\r\n", simple("")),
        ("-ERR no\r\n", Value::Error(b"ERR no".into())),
        ("!5\r\nERR\r\n\r\n", Value::BulkError(b"ERR\r\n".into())),
        (":-3\r\n", Value::Integer(-3)),
        (":+3\r\n", Value::Integer(3)),
        ("$2\r\n\r\n\r\n", Value::bulk("\r\n")),
        ("$0\r\n\r\n", Value::bulk("")),
        ("$-1\r\n", Value::NullBulk),
        ("*-1\r\n", Value::NullArray),
        ("_\r\n", Value::Null),
        ("#t\r\n", Value::Boolean(true)),
        (",1.5\r\n", Value::Double(1.5)),
        (",inf\r\n", Value::Double(f64::INFINITY)),
        (",-inf\r\n", Value::Double(f64::NEG_INFINITY)),
        (
            "(-34928903284092385\r\n",
            Value::BigNumber(b"-34928903284092385".into()),
        ),
        ("=6\r\ntxt:hi\r\n", Value::Verbatim(*b"txt", b"hi".into())),
        ("*0\r\n", Value::Array(vec![])),
        ("%0\r\n", Value::Map(vec![])),
        ("~1\r\n_\r\n", Value::Set(vec![Value::Null])),
        (
            ">2\r\n+a\r\n:1\r\n",
            Value::Push(vec![simple("a"), Value::Integer(1)]),
        ),
        (
            "*1\r\n*1\r\n*0\r\n",
            Value::Array(vec![Value::Array(vec![Value::Array(vec![])])]),
        ),
        (
            "%1\r\n+k\r\n*1\r\n:1\r\n",
            Value::Map(vec![(simple("k"), Value::Array(vec![Value::Integer(1)]))]),
        ),
        (
            "|1\r\n+ttl\r\n:9\r\n*1\r\n:1\r\n",
            Value::Attribute(
                vec![(simple("ttl"), Value::Integer(9))],
                Box::new(Value::Array(vec![Value::Integer(1)])),
            ),
        ),
        (
            "|0\r\n:1\r\n",
            Value::Attribute(vec![], Box::new(Value::Integer(1))),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(one(text), Ok(Some(expected)), "{text:?}");
    }
    assert!(matches!(one(",nan\r\n"), Ok(Some(Value::Double(x))) if x.is_nan()));
}

#[test]
fn malformed_replies_are_errors() {
    let cases = [
        ("x\r\n", ReplyError::UnknownType(b'x')),
        ("\r\n", ReplyError::UnknownType(b'\r')),
        ("+OK\n", ReplyError::MissingLineEnd),
        ("$2\r\nhixx", ReplyError::MissingLineEnd),
        ("$-2\r\n", ReplyError::InvalidLength),
        ("$?\r\n", ReplyError::InvalidLength),
        ("~-1\r\n", ReplyError::InvalidLength),
        ("*9223372036854775808\r\n", ReplyError::InvalidLength),
        ("$1001\r\n", ReplyError::TooLong),
        (":\r\n", ReplyError::InvalidValue),
        (":1x\r\n", ReplyError::InvalidValue),
        ("#x\r\n", ReplyError::InvalidValue),
        ("_x\r\n", ReplyError::InvalidValue),
        (",x\r\n", ReplyError::InvalidValue),
        ("(1x\r\n", ReplyError::InvalidValue),
        ("=3\r\ntxt\r\n", ReplyError::InvalidValue),
    ];
    for (text, expected) in cases {
        assert_eq!(one(text), Err(expected), "{text:?}");
        assert!(!expected.to_string().is_empty());
    }
}

#[test]
fn nesting_is_limited() {
    assert_eq!(one(&"*1\r\n".repeat(8)), Ok(None));
    assert_eq!(one(&"*1\r\n".repeat(9)), Err(ReplyError::TooDeep));
}

#[test]
fn accessors_and_debug() {
    let reply = Value::Map(vec![(
        Value::bulk("a\n"),
        Value::Set(vec![Value::Integer(1), Value::Null]),
    )]);
    assert_eq!(format!("{reply:?}"), r#"{"a\n": ~{:1, _}}"#);
    assert_eq!(Value::Error(b"ERR".into()).error(), Some(&b"ERR"[..]));
    assert_eq!(Value::Simple(b"OK".into()).bytes(), Some(&b"OK"[..]));
    assert_eq!(
        (Value::Integer(3).integer(), Value::Null.integer()),
        (Some(3), None)
    );
    assert_eq!(
        Value::Array(vec![Value::Null]).items(),
        Some(&[Value::Null][..])
    );
    assert!(Value::NullBulk.is_null() && Value::NullArray.is_null() && !Value::bulk("").is_null());
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    "[^\r\n]{0,12}".prop_map(String::into_bytes)
}

pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let leaf = prop_oneof![
        line().prop_map(Value::Simple),
        line().prop_map(Value::Error),
        bytes().prop_map(Value::BulkError),
        any::<i64>().prop_map(Value::Integer),
        bytes().prop_map(Value::Bulk),
        Just(Value::NullBulk),
        Just(Value::NullArray),
        Just(Value::Null),
        any::<f64>()
            .prop_filter("NaN is not equal to itself", |x| !x.is_nan())
            .prop_map(Value::Double),
        any::<bool>().prop_map(Value::Boolean),
        "-?[0-9]{1,30}".prop_map(|digits| Value::BigNumber(digits.into_bytes())),
        bytes().prop_map(|text| Value::Verbatim(*b"txt", text)),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let items = || prop::collection::vec(inner.clone(), 0..6);
        let pairs = || prop::collection::vec((inner.clone(), inner.clone()), 0..4);
        prop_oneof![
            items().prop_map(Value::Array),
            items().prop_map(Value::Set),
            items().prop_map(Value::Push),
            pairs().prop_map(Value::Map),
            (pairs(), inner.clone())
                .prop_map(|(pairs, value)| Value::Attribute(pairs, Box::new(value))),
        ]
    })
}

pub(crate) fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::btree_set(0usize..400, 0..30).prop_map(|cuts| cuts.into_iter().collect())
}

/// Bytes that look enough like replies to get somewhere.
pub(crate) fn near_resp() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        Just(b"\r\n".to_vec()),
        "[*$+:,#%~>|=!_(-][0-9]{0,2}\r\n".prop_map(String::into_bytes),
        Just(b"$3\r\nabc\r\n".to_vec()),
        Just(b"#t\r\n".to_vec()),
        Just(b"$-1\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(token, 0..30).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn replies_come_back_however_they_are_cut(values in prop::collection::vec(any_value(), 1..5), cuts in cuts()) {
        let mut stream = Vec::new();
        values.iter().for_each(|value| value.encode(&mut stream));
        prop_assert_eq!(read_all(&stream, &cuts), (values, Ok(stream.len())));
    }

    #[test]
    fn any_bytes_mean_the_same_however_they_are_cut(
        stream in prop_oneof![near_resp(), prop::collection::vec(any::<u8>(), 0..200)],
        cuts in cuts(),
    ) {
        // By text, since NaN is not equal to itself.
        prop_assert_eq!(format!("{:?}", read_all(&stream, &cuts)), format!("{:?}", read_all(&stream, &[])));
    }
}
