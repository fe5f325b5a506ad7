//! Taking a stream's oldest entries out: what XTRIM and XADD say, what that comes to, and doing it.
//!
//! What `~` allows is settled here: entries go in steps of `stream-node-max-entries`, as whole nodes go in Redis. The log
//! gets the length that was reached, so that whoever applies it needs no limits and no configuration.

use std::ops::ControlFlow;

use basalt_tiering::Fault;

use super::groups::Group;
use super::id::Id;
use super::stream::Stream;
use super::texts;
use crate::args::{Cursor, integer, is};
use crate::errors::Error;

/// What is to become of references to deleted entries, in the groups' pending entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refs {
    /// They stay.
    #[default]
    Keep,
    /// They go with their entries.
    Delete,
    /// Only entries that every group has had and acknowledged are deleted.
    Acked,
}

impl Refs {
    /// The strategy that a word names.
    #[must_use]
    pub fn of_word(word: &[u8]) -> Option<Refs> {
        [Refs::Keep, Refs::Delete, Refs::Acked]
            .into_iter()
            .find(|refs| is(word, refs.name()))
    }

    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Refs::Keep => "KEEPREF",
            Refs::Delete => "DELREF",
            Refs::Acked => "ACKED",
        }
    }
}

/// Which entries are to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// The oldest ones beyond so many.
    MaxLen(u64),
    /// Those below this id.
    MinId(Id),
}

/// How a stream is to be trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trim {
    pub(super) bound: Bound,
    /// Whole steps only.
    pub(super) roughly: bool,
    /// At most so many at once.
    pub(super) limit: Option<u64>,
    pub(super) refs: Refs,
}

/// The options on trimming as they are read, one by one.
#[derive(Debug, Default)]
pub(super) struct TrimOptions {
    bound: Option<Bound>,
    roughly: bool,
    limit: Option<u64>,
    refs: Option<Refs>,
}

impl TrimOptions {
    /// Reads the option `word`, if it is one; false if it is none.
    pub(super) fn read(&mut self, word: &[u8], words: &mut Cursor<'_>) -> Result<bool, Error> {
        let left = words.clone().count();
        if is(word, "MAXLEN") && left > 0 {
            let text = self.bound_text(words)?;
            let most = integer(text)?;
            let most = u64::try_from(most).map_err(|_| texts::MAXLEN_NEGATIVE)?;
            self.bound = Some(Bound::MaxLen(most));
        } else if is(word, "MINID") && left > 0 {
            let text = self.bound_text(words)?;
            self.bound = Some(Bound::MinId(Id::parse(text, 0)?));
        } else if is(word, "LIMIT") && left > 0 {
            let limit = integer(words.value()?)?;
            self.limit = Some(u64::try_from(limit).map_err(|_| texts::LIMIT_NEGATIVE)?);
        } else if self.refs.is_none()
            && let Some(refs) = Refs::of_word(word)
        {
            self.refs = Some(refs);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// What stands behind MAXLEN or MINID, and `=` or `~`.
    fn bound_text<'a>(&mut self, words: &mut Cursor<'a>) -> Result<&'a [u8], Error> {
        if self.bound.is_some() {
            return Err(texts::TWO_STRATEGIES);
        }
        let first = words.value()?;
        let sign = first == b"~" || first == b"=";
        if !sign || words.clone().next().is_none() {
            return Ok(first);
        }
        self.roughly = first == b"~";
        words.value()
    }

    /// All of it; `None` if nothing is to be trimmed.
    pub(super) fn finish(self, step: u64) -> Result<Option<Trim>, Error> {
        let Some(bound) = self.bound else {
            return match self.limit {
                Some(1..) => Err(texts::LIMIT_ALONE),
                _ => Ok(None),
            };
        };
        let limit = match (self.roughly, self.limit) {
            (false, Some(_)) => return Err(texts::LIMIT_EXACT),
            (false, None) | (true, Some(0)) => None,
            (true, Some(limit)) => Some(limit),
            (true, None) => Some(default_limit(step)),
        };
        Ok(Some(Trim {
            bound,
            roughly: self.roughly,
            limit,
            refs: self.refs.unwrap_or_default(),
        }))
    }
}

/// How many entries `~` removes at once at most, if nothing is said.
fn default_limit(step: u64) -> u64 {
    const STEPS: u64 = 100;
    const MOST: u64 = 1_000_000;
    step.saturating_mul(STEPS).min(MOST)
}

/// What is to be taken out, with all that this needs in memory.
#[derive(Debug, Default)]
pub(super) struct Cut {
    /// The first so many entries.
    first: u64,
    /// Or these.
    ids: Vec<Id>,
    /// The entry that is about to be added, too.
    pub(super) and_new: bool,
    references: Vec<(Group, Vec<Id>)>,
}

impl Cut {
    /// What trimming comes to, when an entry `new` is to be added before. `step` is that of `~`.
    pub(super) fn plan(
        stream: &mut Stream<'_, '_>,
        trim: &Trim,
        new: Option<Id>,
        step: u64,
    ) -> Result<Cut, Fault> {
        let total = stream.len() + u64::from(new.is_some());
        let due = match trim.bound {
            Bound::MaxLen(most) => total.saturating_sub(most),
            Bound::MinId(least) if new.is_some_and(|new| new < least) => total,
            Bound::MinId(least) => stream.rank(least)?.0,
        };
        let due = trim.steps(due, total, step);
        let mut cut = Cut::default();
        if due == 0 {
            return Ok(cut);
        }
        let groups = match trim.refs {
            Refs::Keep => Vec::new(),
            Refs::Delete | Refs::Acked => stream.groups()?,
        };
        if trim.refs == Refs::Acked && !groups.is_empty() {
            cut.choose_acked(stream, trim, &groups, due, new)?;
            stream.prefault_entries(&cut.ids)?;
            return Ok(cut);
        }
        cut.and_new = due > stream.len();
        cut.first = due.min(stream.len());
        stream.prefault_first(cut.first)?;
        if trim.refs == Refs::Delete {
            cut.find_references(stream, groups)?;
        }
        Ok(cut)
    }

    /// The oldest entries that no group waits for, as many as are due.
    fn choose_acked(
        &mut self,
        stream: &Stream<'_, '_>,
        trim: &Trim,
        groups: &[Group],
        due: u64,
        new: Option<Id>,
    ) -> Result<(), Fault> {
        const PORTION: u64 = 512;
        let had = groups.iter().map(|group| group.last).min();
        let mut last = had.unwrap_or_default();
        if let Bound::MinId(least) = trim.bound {
            last = last.min(least.previous().unwrap_or_default());
        }
        let ranks = stream.between(Id::MIN, last)?;
        let mut at = ranks.start;
        while at < ranks.end && (self.ids.len() as u64) < due {
            let portion = at..ranks.end.min(at + PORTION);
            at = portion.end;
            let mut ids = Vec::new();
            stream.each(portion, false, |id, _| {
                ids.push(id);
                ControlFlow::Continue(())
            })?;
            for id in ids {
                if (self.ids.len() as u64) < due && !is_pending(stream, groups, id)? {
                    self.ids.push(id);
                }
            }
        }
        let is_due = (self.ids.len() as u64) < due;
        self.and_new = is_due && new.is_some_and(|new| new <= last);
        Ok(())
    }

    /// What is pending of the first entries.
    fn find_references(
        &mut self,
        stream: &Stream<'_, '_>,
        groups: Vec<Group>,
    ) -> Result<(), Fault> {
        let Some(last) = stream.id_at(self.first.saturating_sub(1))? else {
            return Ok(());
        };
        for group in groups {
            let ranks = stream.pending_ranks(&group, Id::MIN, last)?;
            let mut ids = Vec::new();
            stream.each_pending(&group, ranks, |pending| {
                ids.push(pending.id);
                ControlFlow::Continue(())
            })?;
            // What is pending of entries that were deleted before stays.
            let mut kept = Vec::new();
            for id in ids {
                if stream.contains(id)? {
                    kept.push(id);
                }
            }
            stream.prefault_pending(&group, &kept, None)?;
            self.references.push((group, kept));
        }
        Ok(())
    }

    /// Takes it out; returns how many entries of those that are there.
    pub(super) fn make(&self, stream: &mut Stream<'_, '_>) -> Result<u64, Fault> {
        for (group, ids) in &self.references {
            for id in ids {
                stream.remove_pending(group, *id)?;
            }
        }
        for id in &self.ids {
            stream.delete(*id)?;
        }
        Ok(stream.delete_first(self.first)? + self.ids.len() as u64)
    }

    /// True if something is taken out.
    pub(super) fn is_any(&self) -> bool {
        self.first > 0 || !self.ids.is_empty() || self.and_new
    }
}

impl Trim {
    /// How many of `due` entries go.
    fn steps(&self, due: u64, total: u64, step: u64) -> u64 {
        let most = self.limit.unwrap_or(u64::MAX);
        if !self.roughly || (due == total && due <= most) {
            return due;
        }
        let due = due.min(most);
        due - due % step.max(1)
    }

    /// The words by which the same is logged, once the stream has become `len` long.
    pub(super) fn logged<'w>(&self, len: &'w str) -> Vec<&'w [u8]> {
        let mut words: Vec<&[u8]> = vec![b"MAXLEN", b"=", len.as_bytes()];
        if self.refs != Refs::Keep {
            words.push(self.refs.name().as_bytes());
        }
        words
    }
}

/// True if some group waits for an acknowledgement of this entry.
pub fn is_pending(stream: &Stream<'_, '_>, groups: &[Group], id: Id) -> Result<bool, Fault> {
    for group in groups {
        if stream.pending(group, id)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roughly_means_whole_steps_and_no_more_than_the_limit() {
        let trim = |roughly, limit| Trim {
            bound: Bound::MaxLen(0),
            roughly,
            limit,
            refs: Refs::Keep,
        };
        assert_eq!(trim(false, None).steps(7, 250, 100), 7);
        assert_eq!(trim(true, None).steps(240, 250, 100), 200);
        assert_eq!(trim(true, None).steps(250, 250, 100), 250);
        assert_eq!(trim(true, Some(150)).steps(250, 250, 100), 100);
        assert_eq!(trim(true, Some(50)).steps(250, 250, 100), 0);
        assert_eq!(default_limit(100), 10_000);
    }
}
