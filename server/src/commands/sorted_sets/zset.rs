//! The two trees of a sorted set as one: a member has its score in one and its place in the other.
//!
//! ```text
//!   MAIN        score, eight bytes that sort   member
//!   BY_MEMBER   member → score: decimal text if it is a whole number, else 'f' and its eight bytes
//! ```
//!
//! Zero has no sign here: -0 becomes 0.

use std::ops::{ControlFlow, Range};

use basalt_tiering::{
    BY_MEMBER, Bytes, Collection, Expiry, Fault, Key, Kind, MAIN, Seat, Tx, bytes_score,
    score_bytes,
};
use smallvec::SmallVec;

use crate::commands::collection::collection;
use crate::commands::{Ctx, Outcome, Stop};
use crate::effect_forms::log_in_portions;

/// A member and its score.
pub(in crate::commands) type Scored = (Vec<u8>, f64);

/// The key of a member in the tree that sorts by score.
pub(super) type Place = SmallVec<[u8; 64]>;

/// Whole numbers up to here are kept as text: all of them have an exact one.
const WHOLE_LIMIT: f64 = (1u64 << 53) as f64;

/// An open sorted set.
#[derive(Debug)]
pub(in crate::commands) struct ZSet<'t, 's>(Collection<'t, 's>);

/// The key of a member in the tree that sorts by score.
pub(super) fn place(score: f64, member: &[u8]) -> Place {
    let mut place = Place::with_capacity(8 + member.len());
    place.extend_from_slice(&score_bytes(score));
    place.extend_from_slice(member);
    place
}

/// Score and member of such a key.
fn parts(place: &[u8]) -> (f64, &[u8]) {
    match place.split_first_chunk::<8>() {
        Some((score, member)) => (bytes_score(*score), member),
        None => unreachable!("a place begins with eight bytes of score"),
    }
}

fn encode(score: f64) -> Bytes<'static> {
    if score.trunc() == score && score.abs() < WHOLE_LIMIT {
        return Bytes::of_integer(score as i64);
    }
    let mut bytes = [b'f'; 9];
    bytes[1..].copy_from_slice(&score.to_le_bytes());
    Bytes::of_text(&bytes)
}

fn decode(bytes: &[u8]) -> f64 {
    match bytes {
        [b'f', score @ ..] => score.try_into().map_or(0.0, f64::from_le_bytes),
        text => basalt_resp::parse_i64(text).unwrap_or(0) as f64,
    }
}

impl<'t, 's> ZSet<'t, 's> {
    /// Opens a sorted set; an absent key is an empty one.
    pub(in crate::commands) fn open(tx: &'t mut Tx<'s>, key: &Key<'t>) -> Result<Self, Stop> {
        collection(tx, key, Kind::ZSet).map(ZSet)
    }
}

impl ZSet<'_, '_> {
    pub(in crate::commands) fn len(&self) -> u64 {
        self.0.len(MAIN)
    }

    pub(in crate::commands) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::commands) fn existed(&self) -> bool {
        self.0.existed()
    }

    pub(in crate::commands) fn score(&self, member: &[u8]) -> Result<Option<f64>, Fault> {
        let score = self.0.get(BY_MEMBER, member)?;
        Ok(score.map(|bytes| decode(&bytes)))
    }

    /// How many stand before the place `key`, and whether it is taken.
    pub(in crate::commands) fn rank(&self, key: &[u8]) -> Result<(u64, bool), Fault> {
        self.0.rank(MAIN, key)
    }

    /// The member of a rank, and its score.
    pub(super) fn at(&self, rank: u64) -> Result<Option<Scored>, Fault> {
        let found = self.0.at(MAIN, rank)?;
        Ok(found.map(|(place, _)| {
            let (score, member) = parts(place);
            (member.to_vec(), score)
        }))
    }

    /// Calls `visit` with each member of a range of ranks and its score.
    pub(in crate::commands) fn each(
        &self,
        ranks: Range<u64>,
        reverse: bool,
        mut visit: impl FnMut(&[u8], f64),
    ) -> Result<(), Fault> {
        self.0.each(MAIN, ranks, reverse, |place, _| {
            let (score, member) = parts(place);
            visit(member, score);
            ControlFlow::Continue(())
        })
    }

    /// The members of a range of ranks.
    pub(super) fn members(&self, ranks: Range<u64>, reverse: bool) -> Result<Vec<Scored>, Fault> {
        let mut members = Vec::new();
        self.each(ranks, reverse, |member, score| {
            members.push((member.to_vec(), score));
        })?;
        Ok(members)
    }

    /// A step of ZSCAN. It goes by member, since a score that changes moves its member in the other order.
    pub(super) fn scan(
        &self,
        cursor: u64,
        count: u64,
        mut visit: impl FnMut(&[u8], f64),
    ) -> Result<u64, Fault> {
        self.0.scan(BY_MEMBER, cursor, count, |member, score| {
            visit(member, decode(&score));
        })
    }

    /// Makes sure that the scores of these members can be read and changed.
    pub(in crate::commands) fn prefault_members<'k>(
        &self,
        members: impl IntoIterator<Item = &'k [u8]>,
    ) -> Result<(), Fault> {
        self.0.prefault(BY_MEMBER, members)
    }

    /// Makes sure that these places can be taken and left.
    pub(in crate::commands) fn prefault_places(
        &self,
        places: &[impl AsRef<[u8]>],
    ) -> Result<(), Fault> {
        self.0.prefault(MAIN, places.iter().map(AsRef::as_ref))
    }

    /// Makes sure that [`ZSet::at`] of these ranks does not fault.
    pub(super) fn prefault_at(&self, ranks: &[u64]) -> Result<(), Fault> {
        self.0.prefault_at(MAIN, ranks.iter().copied())
    }

    /// Makes sure that [`ZSet::each`] over these ranges of ranks does not fault.
    pub(in crate::commands) fn prefault_walks(&self, walks: &[Range<u64>]) -> Result<(), Fault> {
        self.0.prefault_walks(MAIN, walks)
    }

    /// The score of a member, and its seat for [`ZSet::put_at`].
    pub(super) fn find(&self, member: &[u8]) -> Result<(Seat, Option<f64>), Fault> {
        let (seat, score) = self.0.find(BY_MEMBER, member)?;
        Ok((seat, score.map(|bytes| decode(&bytes))))
    }

    /// As [`ZSet::put`], the member's seat known.
    pub(super) fn put_at(
        &mut self,
        seat: &Seat,
        member: &[u8],
        old: Option<f64>,
        new: f64,
    ) -> Result<(), Fault> {
        let to = place(new, member);
        match old.map(|old| place(old, member)) {
            Some(from) => {
                let both = [from.as_slice(), &to];
                self.0.prefault(MAIN, both)?;
                self.0.move_key(MAIN, &from, &to)?;
            }
            None => {
                self.0.insert(MAIN, &to, &[])?;
            }
        }
        self.0.put(BY_MEMBER, seat, member, &encode(new))?;
        Ok(())
    }

    /// Gives a member the score `new`; `old` is the one it has. What has to be read was prefaulted.
    pub(in crate::commands) fn put(
        &mut self,
        member: &[u8],
        old: Option<f64>,
        new: f64,
    ) -> Result<(), Fault> {
        if let Some(old) = old {
            self.0.remove(MAIN, &place(old, member))?;
        }
        self.0.insert(MAIN, &place(new, member), &[])?;
        self.0.insert(BY_MEMBER, member, &encode(new))?;
        Ok(())
    }

    /// Takes out a range of ranks, whose members these are.
    pub(super) fn remove_ranks(
        &mut self,
        ranks: Range<u64>,
        members: &[Scored],
    ) -> Result<(), Fault> {
        self.prefault_members(members.iter().map(|(member, _)| member.as_slice()))?;
        self.0.remove_ranks(MAIN, ranks)?;
        for (member, _) in members {
            self.0.remove(BY_MEMBER, member)?;
        }
        Ok(())
    }

    /// Takes out members, whose scores these are.
    pub(super) fn remove_all(&mut self, members: &[Scored]) -> Result<(), Fault> {
        let places: Vec<_> = members.iter().map(|(m, score)| place(*score, m)).collect();
        self.prefault_members(members.iter().map(|(member, _)| member.as_slice()))?;
        self.prefault_places(&places)?;
        for ((member, _), place) in members.iter().zip(&places) {
            self.0.remove(MAIN, place)?;
            self.0.remove(BY_MEMBER, member)?;
        }
        Ok(())
    }
}

/// Makes `members`, all different, what `key` holds, and logs it; with none the key is gone.
pub(in crate::commands) fn store(
    ctx: &mut Ctx<'_, '_>,
    key: &Key<'_>,
    mut members: Vec<Scored>,
) -> Outcome {
    if ctx.tx.remove(key)? {
        ctx.effects.delete(ctx.db, key.bytes);
    }
    if members.is_empty() {
        return Ok(());
    }
    ctx.tx
        .build_collection(key, Kind::ZSet, 2, &[], Expiry::Never, |tree, push| {
            if tree == MAIN {
                members.sort_unstable_by(|(a, x), (b, y)| {
                    score_bytes(*x).cmp(&score_bytes(*y)).then_with(|| a.cmp(b))
                });
                for (member, score) in &members {
                    push(&place(*score, member), &[]);
                }
            } else {
                members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
                for (member, score) in &members {
                    push(member, &encode(*score));
                }
            }
        });
    let mut words = Vec::with_capacity(members.len() * 2);
    for (member, score) in members {
        words.push(basalt_resp::format_f64(score).into_bytes());
        words.push(member);
    }
    log_in_portions(ctx.effects, ctx.db, b"ZADD", key.bytes, &words);
    Ok(())
}

/// Logs the removal of `members`, or of the key if none is left.
pub(super) fn log_removed(
    ctx: &mut Ctx<'_, '_>,
    key: &Key<'_>,
    members: &[Scored],
    is_empty: bool,
) {
    if members.is_empty() {
        return;
    }
    if is_empty {
        ctx.effects.delete(ctx.db, key.bytes);
        return;
    }
    let words: Vec<Vec<u8>> = members.iter().map(|(member, _)| member.clone()).collect();
    log_in_portions(ctx.effects, ctx.db, b"ZREM", key.bytes, &words);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_come_back() {
        for score in [
            0.0,
            1.0,
            -1.0,
            1.5,
            12_345_678.0,
            1e15,
            1e300,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -0.1,
            f64::MIN_POSITIVE,
        ] {
            assert_eq!(decode(&encode(score)), score);
            assert_eq!(parts(&place(score, b"m")), (score, &b"m"[..]));
        }
    }
}
