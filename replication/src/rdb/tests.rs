//! Properties of the codec: what is written is read again, and nothing that is not a value does harm.

use proptest::prelude::*;

use super::*;

fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        4 => (-300i64..70_000).prop_map(|n| n.to_string().into_bytes()),
        6 => prop::collection::vec(any::<u8>(), 0..80),
        1 => prop::collection::vec(any::<u8>(), 100..20_000),
        1 => (any::<u8>(), 0usize..70_000).prop_map(|(byte, len)| vec![byte; len]),
        1 => Just(Vec::new()),
    ]
}

fn words(most: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::btree_set(word(), 1..most).prop_map(|words| words.into_iter().collect())
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-1000i64..1000).prop_map(|n| n as f64),
        any::<f64>().prop_filter("a number", |score| !score.is_nan()),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(0.1),
    ]
}

fn hash_value() -> impl Strategy<Value = RdbValue> {
    let expiry = prop::option::of(1u64..1 << 48);
    let fields = prop::collection::btree_map(word(), (word(), expiry), 1..200);
    (fields, any::<bool>()).prop_map(|(fields, expire)| {
        let field = |(field, (value, expiry)): (_, (_, Option<u64>))| HashField {
            field,
            value,
            expiry_ms: expiry.filter(|_| expire),
        };
        RdbValue::Hash(fields.into_iter().map(field).collect())
    })
}

fn id() -> impl Strategy<Value = StreamId> {
    let number = prop_oneof![0u64..100, any::<u64>()];
    (number.clone(), number).prop_map(|(ms, seq)| StreamId { ms, seq })
}

fn stream_value() -> impl Strategy<Value = RdbValue> {
    let field = (prop::collection::vec(any::<u8>(), 0..4), word());
    let fields = prop_oneof![
        prop::collection::vec(field, 1..4),
        word().prop_map(|value| vec![(b"name".to_vec(), value)]),
    ];
    let entries = prop::collection::btree_map(id(), fields, 0..150);
    let groups = prop::collection::vec(group(), 0..3);
    (entries, id(), any::<u64>(), groups).prop_map(|(entries, other, added, groups)| {
        let entries: Vec<_> = entries
            .into_iter()
            .map(|(id, fields)| StreamEntry { id, fields })
            .collect();
        let first_id = entries.first().map_or_else(StreamId::default, |e| e.id);
        RdbValue::Stream(StreamValue {
            last_id: entries.last().map_or(other, |e| e.id.max(other)),
            first_id,
            max_deleted_id: other,
            entries_added: added,
            groups,
            entries,
        })
    })
}

fn group() -> impl Strategy<Value = StreamGroup> {
    let consumers = prop::collection::vec((word(), any::<u64>()), 1..4);
    let pending =
        prop::collection::btree_map(id(), (any::<usize>(), any::<u64>(), 0u64..99), 0..20);
    let read = prop::option::of(0u64..1 << 40);
    (word(), id(), read, consumers, pending).prop_map(
        |(name, last_id, entries_read, consumers, pending)| {
            let count = consumers.len();
            let pending = pending
                .into_iter()
                .map(|(id, (nth, delivered_ms, deliveries))| PendingEntry {
                    id,
                    consumer: nth % count,
                    delivered_ms,
                    deliveries,
                });
            let consumers = consumers.into_iter().map(|(name, seen_ms)| StreamConsumer {
                name,
                seen_ms,
                active_ms: None,
            });
            StreamGroup {
                name,
                last_id,
                entries_read,
                pending: pending.collect(),
                consumers: consumers.collect(),
            }
        },
    )
}

fn value() -> impl Strategy<Value = RdbValue> {
    prop_oneof![
        word().prop_map(RdbValue::String),
        prop::collection::vec(word(), 1..100).prop_map(RdbValue::List),
        words(200).prop_map(RdbValue::Set),
        prop::collection::btree_set(any::<i32>(), 1..600).prop_map(|numbers| {
            RdbValue::Set(numbers.iter().map(|n| n.to_string().into_bytes()).collect())
        }),
        prop::collection::btree_map(word(), score(), 1..200)
            .prop_map(|members| RdbValue::SortedSet(members.into_iter().collect())),
        hash_value(),
        stream_value(),
    ]
}

/// Without the order that a form does not keep.
fn normal(value: RdbValue) -> RdbValue {
    match value {
        RdbValue::Set(mut members) => {
            members.sort();
            RdbValue::Set(members)
        }
        RdbValue::SortedSet(mut members) => {
            members.sort_by(|a, b| a.0.cmp(&b.0));
            RdbValue::SortedSet(members)
        }
        other => other,
    }
}

/// Every form there is, so that damage finds its way into each reader.
fn any_code() -> impl Strategy<Value = u8> {
    0u8..27
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_is_dumped_is_restored(value in value()) {
        let payload = dump(&value);
        let restored = restore(&payload).map(normal);
        prop_assert_eq!(restored, Ok(normal(value)));
    }

    #[test]
    fn a_damaged_payload_is_refused(value in value(), at in any::<usize>(), bit in 0u8..8) {
        let mut payload = dump(&value);
        let at = at % payload.len();
        payload[at] ^= 1 << bit;
        prop_assert!(restore(&payload).is_err());
        payload[at] ^= 1 << bit;
        payload.truncate(at);
        prop_assert!(restore(&payload).is_err());
    }

    /// Without the checksum's help: an error or another value, but no panic.
    #[test]
    fn damage_is_survived(
        value in value(),
        damage in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4),
        code in prop::option::of(any_code()),
    ) {
        let mut bytes = Vec::new();
        let encoded = encode(&value, &mut bytes);
        for (at, byte) in damage {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let _ = decode(code.unwrap_or(encoded.code), &mut Reader::new(&bytes));
    }

    #[test]
    fn any_bytes_are_survived(code in any_code(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(code, &mut Reader::new(&bytes));
    }
}

#[test]
fn lengths_that_promise_too_much_take_no_memory() {
    // A list, set or hash of 2^62 elements; a string of as many bytes; one that unpacks to as many.
    let huge = [&[0x81][..], &(1u64 << 62).to_be_bytes()].concat();
    for code in 0..27 {
        assert!(decode(code, &mut Reader::new(&huge)).is_err(), "{code}");
    }
    let packed = [&[0xc3, 2][..], &huge, b"\x00a"].concat();
    assert!(decode(0, &mut Reader::new(&packed)).is_err());
}

#[test]
fn newer_versions_are_refused() {
    let mut payload = dump(&RdbValue::String(b"v".to_vec()));
    let at = payload.len() - 10;
    payload[at] = MAX_VERSION as u8 + 1;
    let sum = crc64(&payload[..at + 2]).to_le_bytes();
    payload[at + 2..].copy_from_slice(&sum);
    assert_eq!(restore(&payload), Err(RdbError::VersionOrChecksum));
}
