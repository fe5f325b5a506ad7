//! A stream as a whole: what the log gets for a copy of one, and its form in DUMP and RESTORE.
//!
//! The log gets commands of the table: XADD for each entry, XSETID for the figures, XGROUP for groups and consumers, XCLAIM
//! with FORCE for what is pending (which, applied from a log, takes entries that are gone, too).

use basalt_replication::rdb::{
    PendingEntry, StreamConsumer, StreamEntry, StreamGroup, StreamValue,
};
use basalt_tiering::{Key, Snapshot};

use super::group::{Names, Seen, log_seen};
use super::groups::{Pending, WholeGroup, groups_of};
use super::id::Id;
use super::stream::{Head, Stream, each_of};
use crate::commands::{Ctx, Outcome, lookup};
use crate::effects::Effects;
use crate::errors;

/// Logs what makes a copy of a stream out of a key that holds nothing.
pub fn log_copy(effects: &mut Effects, db: u32, key: &[u8], value: &Snapshot) {
    let mut is_empty = true;
    each_of(value, |id, entry| {
        is_empty = false;
        let id = id.text();
        let fields: Vec<_> = entry.fields().collect();
        let mut words: Vec<&[u8]> = vec![b"XADD", key, id.as_bytes()];
        for (name, value) in &fields {
            words.extend([name, &value[..]]);
        }
        effects.command(db, &words);
    });
    if is_empty {
        effects.command(db, &[b"XADD", key, b"MAXLEN", b"=", b"0", b"0-1", b"", b""]);
    }
    let head = Head::decode(value.extra());
    let (last, deleted) = (head.last.text(), head.max_deleted.text());
    let mut words: Vec<&[u8]> = vec![b"XSETID", key, last.as_bytes(), b"ENTRIESADDED"];
    let added = head.added.to_string();
    words.push(added.as_bytes());
    if head.max_deleted != Id::MIN {
        words.extend([&b"MAXDELETEDID"[..], deleted.as_bytes()]);
    }
    effects.command(db, &words);
    for group in groups_of(value) {
        log_group(effects, db, key, &group);
    }
}

fn log_group(effects: &mut Effects, db: u32, key: &[u8], whole: &WholeGroup) {
    let (group, name) = (&whole.group, &whole.group.name[..]);
    let last = group.last.text();
    let read = group
        .read
        .map_or_else(|| "-1".to_owned(), |read| read.to_string());
    effects.command(
        db,
        &[
            b"XGROUP",
            b"CREATE",
            key,
            name,
            last.as_bytes(),
            b"ENTRIESREAD",
            read.as_bytes(),
        ],
    );
    for consumer in &whole.consumers {
        let names = Names {
            db,
            key,
            group: name,
            consumer: &consumer.name,
        };
        log_seen(effects, &names, Seen::New, consumer.seen_ms);
    }
    for pending in &whole.pending {
        let owner = whole.consumer(pending.consumer);
        let owner = &owner.expect("it is pending for somebody").name;
        log_pending(effects, db, key, name, owner, pending);
    }
}

/// Logs that an entry is pending as said.
pub fn log_pending(
    effects: &mut Effects,
    db: u32,
    key: &[u8],
    group: &[u8],
    consumer: &[u8],
    pending: &Pending,
) {
    let id = pending.id.text();
    let delivered = pending.delivered_ms.to_string();
    let deliveries = pending.deliveries.to_string();
    effects.command(
        db,
        &[
            b"XCLAIM",
            key,
            group,
            consumer,
            b"0",
            id.as_bytes(),
            b"TIME",
            delivered.as_bytes(),
            b"RETRYCOUNT",
            deliveries.as_bytes(),
            b"FORCE",
            b"JUSTID",
        ],
    );
}

/// A stream as DUMP writes it.
#[must_use]
pub fn dumped(value: &Snapshot) -> StreamValue {
    let head = Head::decode(value.extra());
    let mut entries = Vec::new();
    each_of(value, |id, entry| {
        let fields = entry.fields();
        entries.push(StreamEntry {
            id: id.into(),
            fields: fields
                .map(|(name, value)| (name.to_vec(), value.to_vec()))
                .collect(),
        });
    });
    StreamValue {
        last_id: head.last.into(),
        first_id: entries.first().map(|entry| entry.id).unwrap_or_default(),
        max_deleted_id: head.max_deleted.into(),
        entries_added: head.added,
        groups: groups_of(value).into_iter().map(dumped_group).collect(),
        entries,
    }
}

fn dumped_group(whole: WholeGroup) -> StreamGroup {
    let index_of = |number: u64| {
        let found = whole.consumers.iter().position(|one| one.number == number);
        found.expect("it is pending for somebody")
    };
    let pending = whole.pending.iter().map(|pending| PendingEntry {
        id: pending.id.into(),
        consumer: index_of(pending.consumer),
        delivered_ms: pending.delivered_ms,
        deliveries: pending.deliveries,
    });
    StreamGroup {
        last_id: whole.group.last.into(),
        entries_read: whole.group.read,
        pending: pending.collect(),
        name: whole.group.name,
        consumers: whole
            .consumers
            .into_iter()
            .map(|consumer| StreamConsumer {
                name: consumer.name,
                seen_ms: consumer.seen_ms,
                active_ms: consumer.active_ms,
            })
            .collect(),
    }
}

/// Makes the stream of a payload that of a key, which holds nothing, and logs that.
pub fn restore(ctx: &mut Ctx<'_, '_>, key: &Key<'_>, value: &StreamValue) -> Outcome {
    // The log says it with XGROUP, which a server without groups could not read again.
    if !value.groups.is_empty() && lookup(b"xgroup").is_none() {
        return Err(errors::BAD_DATA_FORMAT.into());
    }
    if has_twins(value) {
        return Err(errors::BAD_DATA_FORMAT.into());
    }
    if ctx.tx.remove(key)? {
        ctx.effects.delete(ctx.db, key.bytes);
    }
    let mut stream = Stream::open(ctx.tx, key)?;
    for entry in &value.entries {
        let words: Vec<&[u8]> = entry
            .fields
            .iter()
            .flat_map(|(name, value)| [&name[..], &value[..]])
            .collect();
        stream.append(entry.id.into(), words.iter().copied())?;
    }
    for group in &value.groups {
        restore_group(&mut stream, group)?;
    }
    let head = stream.head_mut();
    head.last = value.last_id.into();
    head.max_deleted = value.max_deleted_id.into();
    head.added = value.entries_added;
    drop(stream);
    if let Some(snapshot) = ctx.tx.snapshot(key)? {
        log_copy(ctx.effects, ctx.db, key.bytes, &snapshot);
    }
    Ok(())
}

/// True if two groups, or two consumers of a group, have the same name.
fn has_twins(value: &StreamValue) -> bool {
    fn twins<'a>(names: impl Iterator<Item = &'a [u8]>) -> bool {
        let mut names: Vec<&[u8]> = names.collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }
    twins(value.groups.iter().map(|group| &group.name[..]))
        || value
            .groups
            .iter()
            .any(|group| twins(group.consumers.iter().map(|one| &one.name[..])))
}

fn restore_group(stream: &mut Stream<'_, '_>, from: &StreamGroup) -> Outcome {
    let mut group = stream.new_group(&from.name, from.last_id.into(), from.entries_read)?;
    let mut numbers = Vec::new();
    for consumer in &from.consumers {
        let made = stream.new_consumer(
            &mut group,
            &consumer.name,
            consumer.seen_ms,
            consumer.active_ms,
        )?;
        numbers.push(made.number);
    }
    for pending in &from.pending {
        let Some(consumer) = numbers.get(pending.consumer) else {
            continue;
        };
        let pending = Pending {
            id: pending.id.into(),
            consumer: *consumer,
            delivered_ms: pending.delivered_ms,
            deliveries: pending.deliveries,
        };
        stream.put_pending(&group, &pending)?;
    }
    Ok(())
}
