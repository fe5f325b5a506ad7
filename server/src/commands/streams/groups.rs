//! Consumer groups as they lie in a stream's second tree: groups, consumers, and what is pending.
//!
//! ```text
//!   'g' name                      → number of the group, last id, entries read + 1 (0: not known), next consumer's number
//!   'c' group  name               → number of the consumer, seen ms, active ms + 1 (0: never)
//!   'n' group  consumer           → the consumer's name
//!   'p' group  id                 → consumer, delivered ms, deliveries
//!   'i' group  consumer  id       → nothing: what is pending for one consumer
//! ```
//!
//! Groups and consumers have numbers, so that names are kept once. Numbers in keys and ids are as in `id.rs`, those in
//! values are varints. Everything sorts: groups and consumers by name, pending entries by id; and since the tree counts,
//! how many consumers or pending entries there are is the difference of two ranks.
//!
//! Invariant: `p` and `i` name the same entries, and each of `c`'s consumers has its `n`.

use std::cmp::Ordering;
use std::ops::{ControlFlow, Range};

use basalt_tiering::{Fault, Snapshot};

use super::entry::{put_varint, take_varint};
use super::id::{Id, ordered};
use super::stream::{GROUPS, Stream};

/// A consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: Vec<u8>,
    /// Its number in keys; [`Stream::new_group`] gives it.
    pub number: u64,
    /// The last id delivered.
    pub last: Id,
    /// How many entries were read, if that is known.
    pub read: Option<u64>,
    /// The number that the next consumer gets.
    pub next_consumer: u64,
}

/// A consumer of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Its name.
    pub name: Vec<u8>,
    /// Its number in keys; [`Stream::new_consumer`] gives it.
    pub number: u64,
    /// When it last tried to read or claim, in Unix milliseconds.
    pub seen_ms: u64,
    /// When it last got something, if ever.
    pub active_ms: Option<u64>,
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its id; the entry may be gone.
    pub id: Id,
    /// The number of its consumer.
    pub consumer: u64,
    /// When it was delivered last, in Unix milliseconds.
    pub delivered_ms: u64,
    /// How often.
    pub deliveries: u64,
}

/// A key of this tree in the making.
#[derive(Clone, Debug)]
struct Path(Vec<u8>);

impl Path {
    fn new(tag: u8) -> Path {
        Path(vec![tag])
    }

    fn number(mut self, number: u64) -> Path {
        let (bytes, len) = ordered(number);
        self.0.extend_from_slice(&bytes[..len]);
        self
    }

    fn id(mut self, id: Id) -> Path {
        self.0.extend_from_slice(&id.key());
        self
    }

    fn name(mut self, name: &[u8]) -> Path {
        self.0.extend_from_slice(name);
        self
    }

    /// The first key behind all that begin with this one.
    fn end(&self) -> Vec<u8> {
        let mut end = self.0.clone();
        while end.last() == Some(&0xFF) {
            end.pop();
        }
        *end.last_mut().expect("a tag is no 0xFF") += 1;
        end
    }
}

fn group_path(name: &[u8]) -> Path {
    Path::new(b'g').name(name)
}

fn consumer_path(group: &Group, name: &[u8]) -> Path {
    Path::new(b'c').number(group.number).name(name)
}

fn name_path(group: &Group, consumer: u64) -> Path {
    Path::new(b'n').number(group.number).number(consumer)
}

fn pending_path(group: &Group) -> Path {
    Path::new(b'p').number(group.number)
}

fn owned_path(group: &Group, consumer: u64) -> Path {
    Path::new(b'i').number(group.number).number(consumer)
}

fn group_of(name: &[u8], value: &[u8]) -> Option<Group> {
    let mut rest = value;
    let number = take_varint(&mut rest)?;
    let (last, mut rest) = Id::take(rest)?;
    Some(Group {
        name: name.to_vec(),
        number,
        last,
        read: take_varint(&mut rest)?.checked_sub(1),
        next_consumer: take_varint(&mut rest)?,
    })
}

fn consumer_of(name: &[u8], value: &[u8]) -> Option<Consumer> {
    let mut rest = value;
    Some(Consumer {
        name: name.to_vec(),
        number: take_varint(&mut rest)?,
        seen_ms: take_varint(&mut rest)?,
        active_ms: take_varint(&mut rest)?.checked_sub(1),
    })
}

fn pending_of(id: Id, value: &[u8]) -> Option<Pending> {
    let mut rest = value;
    Some(Pending {
        id,
        consumer: take_varint(&mut rest)?,
        delivered_ms: take_varint(&mut rest)?,
        deliveries: take_varint(&mut rest)?,
    })
}

const DAMAGED: &str = "a group's record is written here alone";

impl Stream<'_, '_> {
    fn prefix_ranks(&self, prefix: &Path) -> Result<Range<u64>, Fault> {
        let start = self.tree.rank(GROUPS, &prefix.0)?.0;
        Ok(start..self.tree.rank(GROUPS, &prefix.end())?.0)
    }

    fn each_record(
        &self,
        ranks: Range<u64>,
        mut visit: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Fault> {
        self.tree.each(GROUPS, ranks, false, |key, value| {
            visit(key, &value);
            ControlFlow::Continue(())
        })
    }

    /// True if it has groups.
    pub fn has_groups(&self) -> bool {
        self.tree.len(GROUPS) > 0
    }

    /// Number of groups.
    pub fn group_count(&self) -> Result<u64, Fault> {
        let ranks = self.prefix_ranks(&Path::new(b'g'))?;
        Ok(ranks.end - ranks.start)
    }

    /// All groups, by name.
    pub fn groups(&self) -> Result<Vec<Group>, Fault> {
        let mut groups = Vec::new();
        if self.has_groups() {
            self.each_record(self.prefix_ranks(&Path::new(b'g'))?, |key, value| {
                groups.push(group_of(&key[1..], value).expect(DAMAGED));
            })?;
        }
        Ok(groups)
    }

    /// The group of this name.
    pub fn group(&self, name: &[u8]) -> Result<Option<Group>, Fault> {
        let found = self.tree.get(GROUPS, &group_path(name).0)?;
        Ok(found.map(|value| group_of(name, &value).expect(DAMAGED)))
    }

    /// Adds a group, which must not be there. Faults only before it changes anything.
    pub fn new_group(&mut self, name: &[u8], last: Id, read: Option<u64>) -> Result<Group, Fault> {
        let group = Group {
            name: name.to_vec(),
            number: self.head().next_group,
            last,
            read,
            next_consumer: 0,
        };
        self.put_group(&group)?;
        self.head_mut().next_group += 1;
        Ok(group)
    }

    /// Makes sure that [`Stream::put_group`] does not fault.
    pub fn prefault_group(&self, name: &[u8]) -> Result<(), Fault> {
        self.tree.prefault(GROUPS, [&group_path(name).0[..]])
    }

    /// Stores what a group is.
    pub fn put_group(&mut self, group: &Group) -> Result<(), Fault> {
        let mut value = Vec::new();
        put_varint(group.number, &mut value);
        value.extend_from_slice(&group.last.key());
        put_varint(group.read.map_or(0, |read| read + 1), &mut value);
        put_varint(group.next_consumer, &mut value);
        self.put(&group_path(&group.name), &value)
    }

    /// Removes a group with its consumers and pending entries. Faults only before it changes anything.
    pub fn remove_group(&mut self, group: &Group) -> Result<(), Fault> {
        let own = group_path(&group.name);
        let parts = [
            Path::new(b'c').number(group.number),
            Path::new(b'n').number(group.number),
            pending_path(group),
            Path::new(b'i').number(group.number),
        ];
        self.tree.prefault(GROUPS, [&own.0[..]])?;
        self.prefault_prefixes(&parts)?;
        for part in &parts {
            let ranks = self.prefix_ranks(part)?;
            self.tree.remove_ranks(GROUPS, ranks)?;
        }
        self.take(&own)?;
        Ok(())
    }

    /// Makes sure that removing all that begins with one of these does not fault.
    fn prefault_prefixes(&mut self, prefixes: &[Path]) -> Result<(), Fault> {
        for prefix in prefixes {
            let end = prefix.end();
            self.tree.prefault(GROUPS, [&prefix.0[..], &end[..]])?;
            let ranks = self.prefix_ranks(prefix)?;
            self.tree.prefault_removal(GROUPS, ranks)?;
        }
        Ok(())
    }

    fn put(&mut self, path: &Path, value: &[u8]) -> Result<(), Fault> {
        self.tree.insert(GROUPS, &path.0, value)?;
        self.head_mut();
        Ok(())
    }

    fn take(&mut self, path: &Path) -> Result<bool, Fault> {
        let taken = self.tree.remove(GROUPS, &path.0)?;
        if taken {
            self.head_mut();
        }
        Ok(taken)
    }

    /// Number of consumers.
    pub fn consumer_count(&self, group: &Group) -> Result<u64, Fault> {
        let ranks = self.prefix_ranks(&consumer_path(group, b""))?;
        Ok(ranks.end - ranks.start)
    }

    /// All consumers, by name.
    pub fn consumers(&self, group: &Group) -> Result<Vec<Consumer>, Fault> {
        let prefix = consumer_path(group, b"");
        let mut consumers = Vec::new();
        self.each_record(self.prefix_ranks(&prefix)?, |key, value| {
            consumers.push(consumer_of(&key[prefix.0.len()..], value).expect(DAMAGED));
        })?;
        Ok(consumers)
    }

    /// The consumer of this name.
    pub fn consumer(&self, group: &Group, name: &[u8]) -> Result<Option<Consumer>, Fault> {
        let found = self.tree.get(GROUPS, &consumer_path(group, name).0)?;
        Ok(found.map(|value| consumer_of(name, &value).expect(DAMAGED)))
    }

    /// The name of the consumer of this number.
    pub fn consumer_name(&self, group: &Group, number: u64) -> Result<Option<Vec<u8>>, Fault> {
        let found = self.tree.get(GROUPS, &name_path(group, number).0)?;
        Ok(found.map(|name| name.to_vec()))
    }

    /// Makes sure that adding or storing this consumer, and storing its group, does not fault.
    pub fn prefault_consumer(&self, group: &Group, name: &[u8]) -> Result<(), Fault> {
        if self.tree.is_whole() {
            return Ok(());
        }
        let number = match self.consumer(group, name)? {
            Some(consumer) => consumer.number,
            None => group.next_consumer,
        };
        let paths = [
            group_path(&group.name),
            consumer_path(group, name),
            name_path(group, number),
        ];
        self.tree
            .prefault(GROUPS, paths.iter().map(|path| &path.0[..]))
    }

    /// Adds a consumer, which must not be there, and stores the group, which counts them. Needs
    /// [`Stream::prefault_consumer`].
    pub fn new_consumer(
        &mut self,
        group: &mut Group,
        name: &[u8],
        seen_ms: u64,
        active_ms: Option<u64>,
    ) -> Result<Consumer, Fault> {
        let consumer = Consumer {
            name: name.to_vec(),
            number: group.next_consumer,
            seen_ms,
            active_ms,
        };
        group.next_consumer += 1;
        self.put_group(group)?;
        self.put(&name_path(group, consumer.number), name)?;
        self.put_consumer(group, &consumer)?;
        Ok(consumer)
    }

    /// Stores when a consumer was seen.
    pub fn put_consumer(&mut self, group: &Group, consumer: &Consumer) -> Result<(), Fault> {
        let mut value = Vec::new();
        put_varint(consumer.number, &mut value);
        put_varint(consumer.seen_ms, &mut value);
        put_varint(
            consumer.active_ms.map_or(0, |ms| ms.saturating_add(1)),
            &mut value,
        );
        self.put(&consumer_path(group, &consumer.name), &value)
    }

    /// Removes a consumer with what is pending for it; returns how many entries that were. Faults only before it changes
    /// anything.
    pub fn remove_consumer(&mut self, group: &Group, consumer: &Consumer) -> Result<u64, Fault> {
        let owned = owned_path(group, consumer.number);
        let ranks = self.prefix_ranks(&owned)?;
        let mut pending = Vec::new();
        self.each_owned(group, consumer.number, ranks.clone(), |id| {
            pending.push(pending_path(group).id(id));
            ControlFlow::Continue(())
        })?;
        self.prefault_consumer(group, &consumer.name)?;
        self.prefault_prefixes(std::slice::from_ref(&owned))?;
        self.tree
            .prefault(GROUPS, pending.iter().map(|path| &path.0[..]))?;
        self.tree.remove_ranks(GROUPS, ranks)?;
        for path in &pending {
            self.take(path)?;
        }
        self.take(&name_path(group, consumer.number))?;
        self.take(&consumer_path(group, &consumer.name))?;
        Ok(pending.len() as u64)
    }

    /// What is pending under this id.
    pub fn pending(&self, group: &Group, id: Id) -> Result<Option<Pending>, Fault> {
        let found = self.tree.get(GROUPS, &pending_path(group).id(id).0)?;
        Ok(found.map(|value| pending_of(id, &value).expect(DAMAGED)))
    }

    /// The places of what is pending from one id to another, both included, for [`Stream::each_pending`]; the length is
    /// how many entries that are.
    pub fn pending_ranks(&self, group: &Group, from: Id, to: Id) -> Result<Range<u64>, Fault> {
        self.id_ranks(&pending_path(group), from, to)
    }

    /// The same for what is pending for one consumer, for [`Stream::each_owned`].
    pub fn owned_ranks(
        &self,
        group: &Group,
        consumer: u64,
        from: Id,
        to: Id,
    ) -> Result<Range<u64>, Fault> {
        self.id_ranks(&owned_path(group, consumer), from, to)
    }

    fn id_ranks(&self, prefix: &Path, from: Id, to: Id) -> Result<Range<u64>, Fault> {
        let start = self.tree.rank(GROUPS, &prefix.clone().id(from).0)?.0;
        let (end, is_there) = self.tree.rank(GROUPS, &prefix.clone().id(to).0)?;
        Ok(start..(end + u64::from(is_there)).max(start))
    }

    /// Calls `visit` for pending entries by rising id until it breaks. All pages are there before the first call.
    pub fn each_pending(
        &self,
        group: &Group,
        ranks: Range<u64>,
        mut visit: impl FnMut(Pending) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let skip = pending_path(group).0.len();
        self.tree.each(GROUPS, ranks, false, |key, value| {
            visit(pending_of(Id::of_key(&key[skip..]), &value).expect(DAMAGED))
        })
    }

    /// Calls `visit` for the ids that are pending for one consumer, rising, until it breaks.
    pub fn each_owned(
        &self,
        group: &Group,
        consumer: u64,
        ranks: Range<u64>,
        mut visit: impl FnMut(Id) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let skip = owned_path(group, consumer).0.len();
        self.tree.each(GROUPS, ranks, false, |key, _| {
            visit(Id::of_key(&key[skip..]))
        })
    }

    /// Makes sure that putting and removing pending entries of these ids does not fault, be they now whose they are;
    /// `next` is the consumer they are put for.
    pub fn prefault_pending(
        &self,
        group: &Group,
        ids: &[Id],
        next: Option<u64>,
    ) -> Result<(), Fault> {
        if self.tree.is_whole() {
            return Ok(());
        }
        let mut keys = Vec::new();
        for id in ids {
            keys.push(pending_path(group).id(*id).0);
            keys.extend(next.map(|consumer| owned_path(group, consumer).id(*id).0));
        }
        self.tree
            .prefault(GROUPS, keys.iter().map(|key| &key[..]))?;
        keys.clear();
        for id in ids {
            if let Some(pending) = self.pending(group, *id)? {
                keys.push(owned_path(group, pending.consumer).id(*id).0);
            }
        }
        self.tree.prefault(GROUPS, keys.iter().map(|key| &key[..]))
    }

    /// Makes an entry pending as said, whatever was known of it. Needs [`Stream::prefault_pending`].
    pub fn put_pending(&mut self, group: &Group, pending: &Pending) -> Result<(), Fault> {
        match self.pending(group, pending.id)? {
            Some(before) if before.consumer == pending.consumer => {}
            before => {
                if let Some(before) = before {
                    self.take(&owned_path(group, before.consumer).id(pending.id))?;
                }
                self.put(&owned_path(group, pending.consumer).id(pending.id), &[])?;
            }
        }
        let mut value = Vec::new();
        put_varint(pending.consumer, &mut value);
        put_varint(pending.delivered_ms, &mut value);
        put_varint(pending.deliveries, &mut value);
        self.put(&pending_path(group).id(pending.id), &value)
    }

    /// The entry is pending no more; false if it was not. Several need [`Stream::prefault_pending`].
    pub fn remove_pending(&mut self, group: &Group, id: Id) -> Result<bool, Fault> {
        let Some(pending) = self.pending(group, id)? else {
            return Ok(false);
        };
        self.prefault_pending(group, &[id], None)?;
        self.take(&owned_path(group, pending.consumer).id(id))?;
        self.take(&pending_path(group).id(id))
    }
}

/// A group with all that belongs to it, of a value that was taken out of the keyspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeGroup {
    /// The group.
    pub group: Group,
    /// Its consumers, by name.
    pub consumers: Vec<Consumer>,
    /// What is pending, by id.
    pub pending: Vec<Pending>,
}

impl WholeGroup {
    /// The consumer of this number.
    #[must_use]
    pub fn consumer(&self, number: u64) -> Option<&Consumer> {
        self.consumers.iter().find(|one| one.number == number)
    }
}

/// All groups of a value that was taken out of the keyspace, by name.
#[must_use]
pub fn groups_of(snapshot: &Snapshot) -> Vec<WholeGroup> {
    let mut records = Vec::new();
    snapshot.each(GROUPS, |key, value| {
        records.push((key.to_vec(), value.to_vec()));
    });
    let of = |tag: u8| records.iter().filter(move |(key, _)| key[0] == tag);
    let mut wholes: Vec<WholeGroup> = of(b'g')
        .map(|(key, value)| WholeGroup {
            group: group_of(&key[1..], value).expect(DAMAGED),
            consumers: Vec::new(),
            pending: Vec::new(),
        })
        .collect();
    for whole in &mut wholes {
        let prefix = consumer_path(&whole.group, b"").0;
        let own = of(b'c').filter(|(key, _)| key.starts_with(&prefix));
        whole.consumers = own
            .map(|(key, value)| consumer_of(&key[prefix.len()..], value).expect(DAMAGED))
            .collect();
        let prefix = pending_path(&whole.group).0;
        let own = of(b'p').filter(|(key, _)| key.starts_with(&prefix));
        whole.pending = own
            .map(|(key, value)| pending_of(Id::of_key(&key[prefix.len()..]), value).expect(DAMAGED))
            .collect();
    }
    wholes
}

/// How many entries had been added when this one was the last, if that can be told.
pub fn read_counter(stream: &Stream<'_, '_>, id: Id) -> Result<Option<u64>, Fault> {
    let (head, len) = (stream.head(), stream.len());
    if head.added == 0 {
        return Ok(Some(0));
    }
    if len == 0 && id <= head.last {
        return Ok(Some(head.added));
    }
    if id != Id::MIN && id < head.max_deleted {
        return Ok(None);
    }
    if id >= head.last {
        return Ok((id == head.last).then_some(head.added));
    }
    let first = stream.first_id()?;
    let is_whole = head.max_deleted == Id::MIN || head.max_deleted < first;
    let gone = head.added.saturating_sub(len);
    Ok(match id.cmp(&first) {
        Ordering::Less if is_whole => Some(gone),
        Ordering::Equal if is_whole => Some(gone + 1),
        _ => None,
    })
}

/// How many entries a group has not had, if that can be told.
pub fn lag(stream: &Stream<'_, '_>, group: &Group) -> Result<Option<u64>, Fault> {
    let head = stream.head();
    if head.added == 0 {
        return Ok(Some(0));
    }
    if !stream.is_empty() {
        let first = stream.first_id()?;
        if group.last < first && head.max_deleted < first {
            // All that is there is still to come, whatever was read before.
            return Ok(Some(stream.len()));
        }
    }
    let read = match group.read {
        Some(read) if !has_gap(stream, group.last)? => Some(read),
        _ => read_counter(stream, group.last)?,
    };
    Ok(read.map(|read| head.added.saturating_sub(read)))
}

/// True if an entry from this id on was deleted, so that counting cannot be by differences.
pub fn has_gap(stream: &Stream<'_, '_>, from: Id) -> Result<bool, Fault> {
    let deleted = stream.head().max_deleted;
    if stream.is_empty() || deleted == Id::MIN || deleted < stream.first_id()? {
        return Ok(false);
    }
    Ok(from <= deleted)
}
