//! From an [`RdbValue`] to the form Redis would give it, among those that Redis 7.0 reads.

use basalt_resp::{format_f64, parse_i64};

use super::listpack::Builder;
use super::{HashField, RdbValue, VERSION, VERSION_FIELD_EXPIRY, Writer, code, intset, stream};

/// The form a value was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Its code.
    pub code: u8,
    /// The version of RDB that knows it.
    pub version: u16,
}

/// Collections of more elements, or with a longer one, are not written as one listpack.
const MAX_LISTPACK_ELEMENTS: usize = 128;
const MAX_LISTPACK_ELEMENT_BYTES: usize = 64;
const MAX_INTSET_MEMBERS: usize = 512;
/// A node of a list holds this much, or one longer element alone.
const LIST_NODE_BYTES: usize = 8 * 1024;

/// Appends `value` to `out`, without the code of its form, which is returned.
pub fn encode(value: &RdbValue, out: &mut Vec<u8>) -> Encoded {
    let mut writer = Writer::new(out);
    let code = match value {
        RdbValue::String(bytes) => {
            writer.string(bytes);
            code::STRING
        }
        RdbValue::List(elements) => list(&mut writer, elements),
        RdbValue::Set(members) => set(&mut writer, members),
        RdbValue::SortedSet(members) => sorted_set(&mut writer, members),
        RdbValue::Hash(fields) if fields.iter().any(|field| field.expiry_ms.is_some()) => {
            expiring_hash(&mut writer, fields);
            return Encoded {
                code: code::HASH_METADATA,
                version: VERSION_FIELD_EXPIRY,
            };
        }
        RdbValue::Hash(fields) => hash(&mut writer, fields),
        RdbValue::Stream(value) => stream::encode(&mut writer, value),
    };
    Encoded {
        code,
        version: VERSION,
    }
}

fn list(writer: &mut Writer<'_>, elements: &[Vec<u8>]) -> u8 {
    const PLAIN: u64 = 1;
    const PACKED: u64 = 2;
    enum Node<'a> {
        Plain(&'a [u8]),
        Packed(Builder),
    }
    let mut nodes: Vec<Node<'_>> = Vec::new();
    for element in elements {
        if element.len() > LIST_NODE_BYTES {
            nodes.push(Node::Plain(element));
            continue;
        }
        match nodes.last_mut() {
            Some(Node::Packed(node)) if node.len() + element.len() <= LIST_NODE_BYTES => {
                node.push(element);
            }
            _ => {
                let mut node = Builder::new();
                node.push(element);
                nodes.push(Node::Packed(node));
            }
        }
    }
    writer.count(nodes.len());
    for node in nodes {
        match node {
            Node::Plain(element) => {
                writer.number(PLAIN);
                writer.string(element);
            }
            Node::Packed(node) => {
                writer.number(PACKED);
                writer.string(&node.finish());
            }
        }
    }
    code::LIST_QUICKLIST_2
}

fn set(writer: &mut Writer<'_>, members: &[Vec<u8>]) -> u8 {
    if members.len() <= MAX_INTSET_MEMBERS {
        let numbers: Option<Vec<i64>> = members.iter().map(|member| parse_i64(member)).collect();
        if let Some(numbers) = numbers {
            writer.string(&intset::encode(numbers));
            return code::SET_INTSET;
        }
    }
    writer.count(members.len());
    members.iter().for_each(|member| writer.string(member));
    code::SET
}

/// True if a collection of `count` elements is written as one listpack.
fn is_small<'a>(count: usize, mut parts: impl Iterator<Item = &'a Vec<u8>>) -> bool {
    count <= MAX_LISTPACK_ELEMENTS && parts.all(|part| part.len() <= MAX_LISTPACK_ELEMENT_BYTES)
}

fn sorted_set(writer: &mut Writer<'_>, members: &[(Vec<u8>, f64)]) -> u8 {
    // In memory Redis wants them in order; in the other form it sorts them itself.
    let mut sorted: Vec<&(Vec<u8>, f64)> = members.iter().collect();
    sorted.sort_by(|(a, x), (b, y)| x.total_cmp(y).then_with(|| a.cmp(b)));
    if is_small(members.len(), members.iter().map(|(member, _)| member)) {
        let mut listpack = Builder::new();
        for (member, score) in sorted {
            listpack.push(member);
            listpack.push(format_f64(*score).as_bytes());
        }
        writer.string(&listpack.finish());
        return code::ZSET_LISTPACK;
    }
    writer.count(members.len());
    // Largest first: each is then inserted at the head.
    for (member, score) in sorted.into_iter().rev() {
        writer.string(member);
        writer.raw(&score.to_le_bytes());
    }
    code::ZSET_2
}

fn hash(writer: &mut Writer<'_>, fields: &[HashField]) -> u8 {
    let parts = fields.iter().flat_map(|field| [&field.field, &field.value]);
    if is_small(fields.len(), parts) {
        let mut listpack = Builder::new();
        for field in fields {
            listpack.push(&field.field);
            listpack.push(&field.value);
        }
        writer.string(&listpack.finish());
        return code::HASH_LISTPACK;
    }
    writer.count(fields.len());
    for field in fields {
        writer.string(&field.field);
        writer.string(&field.value);
    }
    code::HASH
}

/// Expiries are written relative to the smallest one, so that most are short.
fn expiring_hash(writer: &mut Writer<'_>, fields: &[HashField]) {
    let smallest = fields.iter().filter_map(|field| field.expiry_ms).min();
    let smallest = smallest.unwrap_or_default();
    writer.raw(&smallest.to_le_bytes());
    writer.count(fields.len());
    for field in fields {
        writer.number(field.expiry_ms.map_or(0, |expiry| expiry - smallest + 1));
        writer.string(&field.field);
        writer.string(&field.value);
    }
}
