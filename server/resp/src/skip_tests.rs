//! Tests of the reply skipper: it must count as the reply decoder reads.

use proptest::prelude::*;

use super::*;
use crate::parse_reply::tests::{any_value, cuts, near_resp};
use crate::value::Value;

fn classes(stream: &[u8], cuts: &[usize]) -> (Vec<ReplyClass>, Result<bool, ReplyError>) {
    let (mut skipper, mut seen, mut start) = (ReplySkipper::new(), Vec::new(), 0);
    for end in cuts
        .iter()
        .copied()
        .filter(|&cut| cut <= stream.len())
        .chain([stream.len()])
    {
        if let Err(error) = skipper.feed(&stream[start..end], |class| seen.push(class)) {
            return (seen, Err(error));
        }
        start = end;
    }
    let done = skipper.is_between_replies() && matches!(skipper.state, State::Type);
    (seen, Ok(done))
}

fn class_of(value: &Value) -> ReplyClass {
    match value {
        Value::Error(_) | Value::BulkError(_) => ReplyClass::Error,
        Value::Push(_) => ReplyClass::Push,
        value if value.is_null() => ReplyClass::Null,
        _ => ReplyClass::Value,
    }
}

#[test]
fn a_null_inside_an_array_is_not_a_miss() {
    use ReplyClass::{Null, Value};
    let cases: &[(&str, &[ReplyClass])] = &[
        ("*2\r\n:1\r\n$-1\r\n", &[Value]),
        ("*1\r\n_\r\n_\r\n", &[Value, Null]),
        ("*-1\r\n$-1\r\n", &[Null, Null]),
        ("*0\r\n%0\r\n$0\r\n\r\n", &[Value, Value, Value]),
        ("$1234567890", &[]),
        ("*1\r\n-ERR\r\n", &[Value]),
    ];
    for (stream, expected) in cases {
        assert_eq!(classes(stream.as_bytes(), &[]).0, *expected, "{stream:?}");
    }
}

#[test]
fn malformed_lengths_are_errors() {
    for bad in [
        "$-2\r\n",
        "$x\r\n",
        "$\r\n",
        "$1\r2\n",
        "$--1\r\n",
        "%-1\r\n",
        "*99999999999999999999\r\n",
        "*2\r\n%18446744073709551615\r\n",
    ] {
        assert_eq!(
            classes(bad.as_bytes(), &[]).1,
            Err(ReplyError::InvalidLength),
            "{bad:?}"
        );
    }
    assert_eq!(classes(b"hello", &[]).1, Err(ReplyError::UnknownType(b'h')));
}

proptest! {
    #[test]
    fn counts_what_the_decoder_reads(values in prop::collection::vec(any_value(), 1..6), cuts in cuts()) {
        let mut stream = Vec::new();
        values.iter().for_each(|value| value.encode(&mut stream));
        let expected: Vec<_> = values.iter().map(class_of).collect();
        prop_assert_eq!(classes(&stream, &cuts), (expected, Ok(true)));
    }

    #[test]
    fn any_bytes_count_the_same_however_they_are_cut(stream in near_resp(), cuts in cuts()) {
        prop_assert_eq!(classes(&stream, &cuts), classes(&stream, &[]));
    }
}
