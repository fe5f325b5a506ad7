//! From the forms a value can have to an [`RdbValue`].

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::listpack::{self, Listpack};
use super::{HashField, RdbError, RdbValue, Reader, Result, code, intset, stream, ziplist};

const EMPTY: RdbError = RdbError::Corrupt("an empty collection");
const REPEATED: RdbError = RdbError::Corrupt("an element that is there twice");
const ODD: RdbError = RdbError::Corrupt("a pair without its second half");

/// Reads a value whose form is `code`.
pub fn decode(code: u8, reader: &mut Reader<'_>) -> Result<RdbValue> {
    match code {
        code::STRING => Ok(RdbValue::String(reader.string()?.into_owned())),
        code::LIST => list(strings(reader)?),
        code::LIST_ZIPLIST => list(ziplist::decode(&reader.string()?)?),
        code::LIST_QUICKLIST => list(quicklist(reader)?),
        code::LIST_QUICKLIST_2 => list(quicklist_2(reader)?),
        code::SET => set(strings(reader)?),
        code::SET_INTSET => set(intset::decode(&reader.string()?)?),
        code::SET_LISTPACK => set(listpack::all(&reader.string()?)?),
        code::ZSET => sorted_set(scored(reader, Reader::text_score)?),
        code::ZSET_2 => sorted_set(scored(reader, Reader::binary_score)?),
        code::ZSET_ZIPLIST => sorted_set(score_texts(ziplist::decode(&reader.string()?)?)?),
        code::ZSET_LISTPACK => sorted_set(score_texts(listpack::all(&reader.string()?)?)?),
        code::HASH => {
            let count = reader.count(2)?;
            let mut words = Vec::with_capacity(count.saturating_mul(2));
            for _ in 0..count * 2 {
                words.push(reader.string()?.into_owned());
            }
            hash(fields(words)?)
        }
        code::HASH_ZIPMAP => hash(fields(ziplist::decode_zipmap(&reader.string()?)?)?),
        code::HASH_ZIPLIST => hash(fields(ziplist::decode(&reader.string()?)?)?),
        code::HASH_LISTPACK => hash(fields(listpack::all(&reader.string()?)?)?),
        code::HASH_METADATA | code::HASH_METADATA_PRE => {
            hash(expiring_fields(reader, code == code::HASH_METADATA)?)
        }
        code::HASH_LISTPACK_EX | code::HASH_LISTPACK_EX_PRE => {
            if code == code::HASH_LISTPACK_EX {
                // The smallest expiry, which the fields have too.
                reader.u64_le()?;
            }
            hash(expiring_listpack(&reader.string()?)?)
        }
        code::STREAM_LISTPACKS | code::STREAM_LISTPACKS_2 | code::STREAM_LISTPACKS_3 => {
            stream::decode(code, reader).map(RdbValue::Stream)
        }
        other => Err(RdbError::UnknownType(other)),
    }
}

fn list(elements: Vec<Vec<u8>>) -> Result<RdbValue> {
    non_empty(elements).map(RdbValue::List)
}

fn set(members: Vec<Vec<u8>>) -> Result<RdbValue> {
    all_different(members.iter())?;
    non_empty(members).map(RdbValue::Set)
}

fn sorted_set(members: Vec<(Vec<u8>, f64)>) -> Result<RdbValue> {
    all_different(members.iter().map(|(member, _)| member))?;
    if members.iter().any(|(_, score)| score.is_nan()) {
        return Err(RdbError::Corrupt("a score"));
    }
    non_empty(members).map(RdbValue::SortedSet)
}

fn hash(fields: Vec<HashField>) -> Result<RdbValue> {
    all_different(fields.iter().map(|field| &field.field))?;
    non_empty(fields).map(RdbValue::Hash)
}

fn non_empty<T>(elements: Vec<T>) -> Result<Vec<T>> {
    if elements.is_empty() {
        Err(EMPTY)
    } else {
        Ok(elements)
    }
}

fn all_different<'a>(mut names: impl ExactSizeIterator<Item = &'a Vec<u8>>) -> Result<()> {
    let mut seen = HashSet::with_capacity_and_hasher(names.len(), RandomState::default());
    if names.all(|name| seen.insert(name.as_slice())) {
        Ok(())
    } else {
        Err(REPEATED)
    }
}

fn strings(reader: &mut Reader<'_>) -> Result<Vec<Vec<u8>>> {
    let count = reader.count(1)?;
    (0..count)
        .map(|_| Ok(reader.string()?.into_owned()))
        .collect()
}

fn quicklist(reader: &mut Reader<'_>) -> Result<Vec<Vec<u8>>> {
    let mut elements = Vec::new();
    for _ in 0..reader.count(1)? {
        elements.extend(ziplist::decode(&reader.string()?)?);
    }
    Ok(elements)
}

/// Nodes that are one plain element (1) or a listpack of many (2).
fn quicklist_2(reader: &mut Reader<'_>) -> Result<Vec<Vec<u8>>> {
    let mut elements = Vec::new();
    for _ in 0..reader.count(2)? {
        match reader.number()? {
            1 => elements.push(reader.string()?.into_owned()),
            2 => elements.extend(listpack::all(&reader.string()?)?),
            _ => return Err(RdbError::Corrupt("a list's node")),
        }
    }
    Ok(elements)
}

fn scored<'a>(
    reader: &mut Reader<'a>,
    score: impl Fn(&mut Reader<'a>) -> Result<f64>,
) -> Result<Vec<(Vec<u8>, f64)>> {
    let count = reader.count(2)?;
    (0..count)
        .map(|_| Ok((reader.string()?.into_owned(), score(reader)?)))
        .collect()
}

fn pairs(words: Vec<Vec<u8>>) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut words = words.into_iter();
    let mut pairs = Vec::with_capacity(words.len() / 2);
    while let Some(first) = words.next() {
        pairs.push((first, words.next().ok_or(ODD)?));
    }
    Ok(pairs)
}

fn score_texts(words: Vec<Vec<u8>>) -> Result<Vec<(Vec<u8>, f64)>> {
    let scored = |(member, score): (Vec<u8>, Vec<u8>)| {
        let score = basalt_resp::parse_f64(&score).ok_or(RdbError::Corrupt("a score"))?;
        Ok((member, score))
    };
    pairs(words)?.into_iter().map(scored).collect()
}

fn fields(words: Vec<Vec<u8>>) -> Result<Vec<HashField>> {
    let field = |(field, value)| HashField {
        field,
        value,
        expiry_ms: None,
    };
    Ok(pairs(words)?.into_iter().map(field).collect())
}

/// Fields with their expiries, relative to the smallest one if that is there: 0 is never.
fn expiring_fields(reader: &mut Reader<'_>, is_relative: bool) -> Result<Vec<HashField>> {
    let smallest = if is_relative { reader.u64_le()? } else { 1 };
    let count = reader.count(3)?;
    let mut fields = Vec::with_capacity(count);
    for _ in 0..count {
        let expiry_ms = match reader.number()? {
            0 => None,
            after => Some(smallest.checked_add(after - 1).ok_or(TOO_LATE)?),
        };
        fields.push(HashField {
            field: reader.string()?.into_owned(),
            value: reader.string()?.into_owned(),
            expiry_ms,
        });
    }
    Ok(fields)
}

const TOO_LATE: RdbError = RdbError::Corrupt("a field's expiry");

/// Field, value and expiry in turn: 0 is never.
fn expiring_listpack(bytes: &[u8]) -> Result<Vec<HashField>> {
    let mut listpack = Listpack::new(bytes)?;
    let mut fields = Vec::new();
    while let Some(field) = listpack.next()? {
        let value = listpack.expect()?;
        let expiry = u64::try_from(listpack.expect()?.to_i64()?).map_err(|_| TOO_LATE)?;
        fields.push(HashField {
            field: field.to_vec(),
            value: value.to_vec(),
            expiry_ms: (expiry != 0).then_some(expiry),
        });
    }
    Ok(fields)
}
