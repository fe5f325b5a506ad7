//! Streams: nodes of entries, the stream's own figures, its groups.
//!
//! ```text
//!   node      first id, 16 bytes   a listpack:
//!             live entries   deleted ones   number of master fields   master fields   0
//!             entries: flags   ms and seq after the first id   [fields, unless the master's]   values   elements
//!   flags     1 deleted, 2 the fields are the master's
//!   figures   length   last id   first id, largest deleted id, entries added (since Redis 7.0)
//!   group     name   last id   entries read (since 7.0)   pending   consumers, each with its pending ids
//! ```

use std::collections::HashMap;

use super::listpack::{Builder, Listpack};
use super::{
    PendingEntry, RdbError, Reader, Result, StreamConsumer, StreamEntry, StreamGroup, StreamId,
    StreamValue, Writer, code,
};

const DELETED: i64 = 1;
const MASTER_FIELDS: i64 = 2;
/// A node is full at this many entries or bytes.
const NODE_ENTRIES: usize = 100;
const NODE_BYTES: usize = 4096;
const CORRUPT: RdbError = RdbError::Corrupt("a stream");
/// The number of entries read, if it is not known.
const NOT_KNOWN: u64 = u64::MAX;

/// Reads a stream in the form `code`.
pub(super) fn decode(code: u8, reader: &mut Reader<'_>) -> Result<StreamValue> {
    let mut entries = Vec::new();
    for _ in 0..reader.count(17)? {
        let id = reader.string()?;
        let mut id = Reader::new(&id);
        let first = id.raw_stream_id()?;
        if id.left() > 0 {
            return Err(CORRUPT);
        }
        node(first, &reader.string()?, &mut entries)?;
    }
    let length = reader.number()?;
    if length != entries.len() as u64 || !entries.is_sorted_by(|a, b| a.id < b.id) {
        return Err(CORRUPT);
    }
    let mut value = StreamValue {
        last_id: reader.stream_id()?,
        entries,
        ..StreamValue::default()
    };
    value.first_id = value
        .entries
        .first()
        .map_or_else(StreamId::default, |entry| entry.id);
    value.entries_added = length;
    if value
        .entries
        .last()
        .is_some_and(|entry| entry.id > value.last_id)
    {
        return Err(CORRUPT);
    }
    if code != code::STREAM_LISTPACKS {
        // What is stored goes by what is there.
        reader.stream_id()?;
        value.max_deleted_id = reader.stream_id()?;
        value.entries_added = reader.number()?;
    }
    for _ in 0..reader.count(5)? {
        value.groups.push(group(code, reader)?);
    }
    Ok(value)
}

fn node(first: StreamId, bytes: &[u8], entries: &mut Vec<StreamEntry>) -> Result<()> {
    let mut listpack = Listpack::new(bytes)?;
    let int = |listpack: &mut Listpack<'_>| listpack.expect()?.to_i64();
    let (live, deleted) = (int(&mut listpack)?, int(&mut listpack)?);
    let master_fields = int(&mut listpack)?;
    let mut master = Vec::new();
    for _ in 0..master_fields {
        master.push(listpack.expect()?.to_vec());
    }
    if master_fields < 0 || int(&mut listpack)? != 0 {
        return Err(CORRUPT);
    }
    let (mut seen_live, mut seen_deleted) = (0, 0);
    while let Some(flags) = listpack.next()? {
        let flags = flags.to_i64()?;
        let id = StreamId {
            ms: first.ms.wrapping_add_signed(int(&mut listpack)?),
            seq: first.seq.wrapping_add_signed(int(&mut listpack)?),
        };
        let fields = fields(
            &mut listpack,
            (flags & MASTER_FIELDS != 0).then_some(&master),
        )?;
        // How many elements the entry has, for reading backwards.
        int(&mut listpack)?;
        if flags & DELETED != 0 {
            seen_deleted += 1;
        } else {
            seen_live += 1;
            entries.push(StreamEntry { id, fields });
        }
    }
    if (live, deleted) == (seen_live, seen_deleted) {
        Ok(())
    } else {
        Err(CORRUPT)
    }
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn fields(listpack: &mut Listpack<'_>, master: Option<&Vec<Vec<u8>>>) -> Result<Fields> {
    let mut fields = Vec::new();
    if let Some(master) = master {
        for name in master {
            fields.push((name.clone(), listpack.expect()?.to_vec()));
        }
        return Ok(fields);
    }
    let count = listpack.expect()?.to_i64()?;
    if count < 0 {
        return Err(CORRUPT);
    }
    for _ in 0..count {
        let name = listpack.expect()?.to_vec();
        fields.push((name, listpack.expect()?.to_vec()));
    }
    Ok(fields)
}

fn group(code: u8, reader: &mut Reader<'_>) -> Result<StreamGroup> {
    let mut group = StreamGroup {
        name: reader.string()?.into_owned(),
        last_id: reader.stream_id()?,
        ..StreamGroup::default()
    };
    if code != code::STREAM_LISTPACKS {
        group.entries_read = Some(reader.number()?).filter(|read| *read != NOT_KNOWN);
    }
    let count = reader.count(25)?;
    // Whose an entry is follows with the consumers.
    let mut owners: HashMap<StreamId, Option<usize>> = HashMap::with_capacity(count);
    for _ in 0..count {
        let id = reader.raw_stream_id()?;
        group.pending.push(PendingEntry {
            id,
            consumer: 0,
            delivered_ms: reader.u64_le()?,
            deliveries: reader.number()?,
        });
        if owners.insert(id, None).is_some() {
            return Err(CORRUPT);
        }
    }
    for index in 0..reader.count(10)? {
        let consumer = consumer(code, reader)?;
        for _ in 0..reader.count(16)? {
            let id = reader.raw_stream_id()?;
            match owners.get_mut(&id) {
                Some(owner @ None) => *owner = Some(index),
                _ => return Err(CORRUPT),
            }
        }
        group.consumers.push(consumer);
    }
    for pending in &mut group.pending {
        let owner = owners.get(&pending.id).copied().flatten();
        pending.consumer = owner.ok_or(CORRUPT)?;
    }
    group.pending.sort_by_key(|pending| pending.id);
    Ok(group)
}

fn consumer(code: u8, reader: &mut Reader<'_>) -> Result<StreamConsumer> {
    let name = reader.string()?.into_owned();
    let seen_ms = reader.u64_le()?;
    let active_ms = match code {
        code::STREAM_LISTPACKS_3 => Some(reader.u64_le()?).filter(|ms| *ms != u64::MAX),
        _ => None,
    };
    Ok(StreamConsumer {
        name,
        seen_ms,
        active_ms,
    })
}

/// Appends a stream in the form that Redis 7.0 reads, which is returned.
pub(super) fn encode(writer: &mut Writer<'_>, value: &StreamValue) -> u8 {
    let nodes = nodes(&value.entries);
    writer.count(nodes.len());
    for (first, listpack) in nodes {
        let mut id = Vec::with_capacity(16);
        Writer::new(&mut id).raw_stream_id(first);
        writer.string(&id);
        writer.string(&listpack);
    }
    writer.count(value.entries.len());
    writer.stream_id(value.last_id);
    writer.stream_id(value.first_id);
    writer.stream_id(value.max_deleted_id);
    writer.number(value.entries_added);
    writer.count(value.groups.len());
    for group in &value.groups {
        encode_group(writer, group);
    }
    code::STREAM_LISTPACKS_2
}

fn encode_group(writer: &mut Writer<'_>, group: &StreamGroup) {
    writer.string(&group.name);
    writer.stream_id(group.last_id);
    writer.number(group.entries_read.unwrap_or(NOT_KNOWN));
    writer.count(group.pending.len());
    for pending in &group.pending {
        writer.raw_stream_id(pending.id);
        writer.raw(&pending.delivered_ms.to_le_bytes());
        writer.number(pending.deliveries);
    }
    let mut owned: Vec<Vec<StreamId>> = vec![Vec::new(); group.consumers.len()];
    for pending in &group.pending {
        if let Some(owned) = owned.get_mut(pending.consumer) {
            owned.push(pending.id);
        }
    }
    writer.count(group.consumers.len());
    for (consumer, owned) in group.consumers.iter().zip(owned) {
        writer.string(&consumer.name);
        writer.raw(&consumer.seen_ms.to_le_bytes());
        writer.count(owned.len());
        owned.into_iter().for_each(|id| writer.raw_stream_id(id));
    }
}

/// The entries in nodes, each with its first id.
fn nodes(entries: &[StreamEntry]) -> Vec<(StreamId, Vec<u8>)> {
    let mut nodes = Vec::new();
    let mut rest = entries;
    while let Some(first) = rest.first() {
        let mut bytes = 0;
        let fits = |entry: &&StreamEntry| {
            bytes += entry
                .fields
                .iter()
                .map(|(f, v)| f.len() + v.len())
                .sum::<usize>();
            bytes <= NODE_BYTES
        };
        let count = rest.iter().take(NODE_ENTRIES).take_while(fits).count();
        let (inside, behind) = rest.split_at(count.max(1));
        nodes.push((first.id, encode_node(first, inside)));
        rest = behind;
    }
    nodes
}

/// The first entry's fields are the master's.
fn encode_node(first: &StreamEntry, entries: &[StreamEntry]) -> Vec<u8> {
    let mut listpack = Builder::new();
    listpack.push_int(entries.len() as i64);
    listpack.push_int(0);
    listpack.push_int(first.fields.len() as i64);
    for (name, _) in &first.fields {
        listpack.push(name);
    }
    listpack.push_int(0);
    for entry in entries {
        let is_master = entry.fields.len() == first.fields.len()
            && entry
                .fields
                .iter()
                .zip(&first.fields)
                .all(|(a, b)| a.0 == b.0);
        listpack.push_int(if is_master { MASTER_FIELDS } else { 0 });
        listpack.push_int(entry.id.ms.wrapping_sub(first.id.ms) as i64);
        listpack.push_int(entry.id.seq.wrapping_sub(first.id.seq) as i64);
        let values = entry.fields.len() as i64;
        let mut elements = values + 3;
        if !is_master {
            listpack.push_int(values);
            elements += values + 1;
        }
        for (name, value) in &entry.fields {
            if !is_master {
                listpack.push(name);
            }
            listpack.push(value);
        }
        listpack.push_int(elements);
    }
    listpack.finish()
}
