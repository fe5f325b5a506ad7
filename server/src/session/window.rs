//! The next commands of a pipeline, decoded ahead, so that what their keys' lookups read is on its way from memory
//! while the commands before them run.
//!
//! Only for the length of a batch: a window belongs to the worker, and what is left in it when a batch ends is
//! decoded again. It never changes what a command does; at worst a hint is for nothing.

use basalt_resp::{ArgRanges, Args, Decoder, ProtocolError};
use basalt_tiering::{Key, KeyHash, NamespaceId, Slot};

use super::run::Connection;
use crate::data::Data;

/// Commands decoded at a time: enough to hide the latency of memory, few enough for the first-level cache to hold
/// what is fetched.
const COMMANDS: usize = 16;

/// Where a key belongs.
#[derive(Clone, Copy, Debug)]
pub struct Coords {
    /// Its slot.
    pub slot: Slot,
    /// Its hash.
    pub hash: KeyHash,
}

#[derive(Debug, Default)]
struct Ahead {
    len: usize,
    ranges: ArgRanges,
    coords: Option<Coords>,
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct Window {
    commands: [Ahead; COMMANDS],
    /// Those in use.
    next: usize,
    end: usize,
}

impl Window {
    /// The next command: its length, and the coordinates of its first argument. Its ranges are put into `ranges`.
    #[inline]
    pub fn next(&mut self, ranges: &mut ArgRanges) -> Option<(usize, Option<Coords>)> {
        if self.next == self.end {
            return None;
        }
        let ahead = &mut self.commands[self.next];
        self.next += 1;
        std::mem::swap(ranges, &mut ahead.ranges);
        Some((ahead.len, ahead.coords))
    }

    /// Decodes what is complete at the front of the input into the empty window; false if nothing is.
    ///
    /// # Errors
    /// The input is malformed, from its first byte on. A fault further behind is met again when it is at the front.
    pub fn fill(&mut self, conn: &mut Connection, data: &Data) -> Result<bool, ProtocolError> {
        debug_assert_eq!(self.next, self.end, "only an empty window is filled");
        (self.next, self.end) = (0, 0);
        // A client that is not known yet has other limits behind its AUTH.
        let most = if conn.session.authenticated {
            COMMANDS
        } else {
            1
        };
        // What is seen of an incomplete command at the front stays with the connection.
        let Some(len) = conn
            .decoder
            .decode(conn.input.bytes(), &conn.limits, &mut conn.ranges)?
        else {
            return Ok(false);
        };
        std::mem::swap(&mut conn.ranges, &mut self.commands[0].ranges);
        self.add(len);
        let mut rest = &conn.input.bytes()[len..];
        while self.end < most && !rest.is_empty() {
            let ranges = &mut self.commands[self.end].ranges;
            let Ok(Some(len)) = conn.decoder.decode(rest, &conn.limits, ranges) else {
                conn.decoder = Decoder::new();
                break;
            };
            self.add(len);
            rest = &rest[len..];
        }
        if self.end > 1 {
            self.prefetch(conn, data);
        }
        Ok(true)
    }

    fn add(&mut self, len: usize) {
        let ahead = &mut self.commands[self.end];
        ahead.len = len;
        ahead.coords = None;
        self.end += 1;
    }

    /// Takes the first argument of each command for a key, as it is for nearly all.
    fn prefetch(&mut self, conn: &Connection, data: &Data) {
        const NO_KEY: Key<'static> = Key {
            db: 0,
            ns: NamespaceId(0),
            slot: Slot(0),
            hash: KeyHash(0),
            bytes: &[],
        };
        let (mut keys, mut count) = ([NO_KEY; COMMANDS], 0);
        let mut rest = conn.input.bytes();
        for ahead in &mut self.commands[..self.end] {
            let (command, behind) = rest.split_at(ahead.len);
            rest = behind;
            if let Some(bytes) = Args::new(command, &ahead.ranges).get(1) {
                let key = data.store.key(conn.session.db, bytes);
                ahead.coords = Some(Coords {
                    slot: key.slot,
                    hash: key.hash,
                });
                keys[count] = Key { bytes: &[], ..key };
                count += 1;
            }
        }
        data.store.prefetch_hot(&keys[..count]);
    }

    /// If only the first command was taken so far, prefetches what those behind it look for in the value of its key.
    pub fn prefetch_elements(&self, conn: &Connection, data: &Data) {
        let Some(Ahead { len, coords, .. }) = &self.commands[..self.end].first() else {
            return;
        };
        let (input, db) = (conn.input.bytes(), conn.session.db);
        let (Some(Coords { slot, hash }), 1) = (*coords, self.next) else {
            return;
        };
        let (first, mut rest) = input.split_at(*len);
        let Some(key) = Args::new(first, &conn.ranges).get(1) else {
            return;
        };
        let elements = self.commands[1..self.end].iter().filter_map(|ahead| {
            let (command, behind) = rest.split_at(ahead.len);
            rest = behind;
            element(&Args::new(command, &ahead.ranges))
        });
        data.store
            .prefetch_elements(&data.store.key_again(db, key, slot, hash), elements);
    }

    /// The slot that the next commands all work on, if there are some and it is one.
    pub fn shared_slot(&self) -> Option<Slot> {
        let [first, rest @ ..] = &self.commands[..self.end] else {
            return None;
        };
        let slot = first.coords?.slot;
        let alike = |one: &Ahead| one.coords.is_some_and(|coords| coords.slot == slot);
        (!rest.is_empty() && rest.iter().all(alike)).then_some(slot)
    }

    /// Empties the window. The decoder stands at the start of a command whenever something is in it.
    pub fn forget(&mut self) {
        (self.next, self.end) = (0, 0);
    }
}

/// Where commands name an element of their key's value, if they do: right behind the key, or at the end, where that of a
/// sorted set stands behind its score.
fn element<'a>(args: &Args<'a>) -> Option<&'a [u8]> {
    let is_sorted = matches!(args.get(0)?.first(), Some(b'z' | b'Z'));
    args.get(if is_sorted { args.len() - 1 } else { 2 })
}

#[cfg(test)]
mod tests {
    use basalt_resp::OwnedArgs;

    use super::*;

    #[test]
    fn an_element_stands_behind_its_key_or_behind_its_score() {
        let named = |line: &str| {
            let args = OwnedArgs::from_slices(&line.split(' ').collect::<Vec<_>>());
            element(&args.as_args()).map(|element| String::from_utf8_lossy(element).into_owned())
        };
        assert_eq!(named("SADD set m").as_deref(), Some("m"));
        assert_eq!(named("hset hash f v").as_deref(), Some("f"));
        assert_eq!(named("ZADD zset 1 m").as_deref(), Some("m"));
        assert_eq!(named("zscore zset m").as_deref(), Some("m"));
        assert_eq!(named("SPOP set"), None);
    }
}
