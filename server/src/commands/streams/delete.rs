//! XDEL and XDELEX.

use basalt_resp::Args;

use super::id::Id;
use super::stream::Stream;
use super::texts;
use super::trim::{Refs, is_pending};
use crate::args::{Cursor, integer, is};
use crate::commands::{Ctx, Outcome, Stop};
use crate::errors::{self, Error};

pub(super) fn xdel(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut stream = Stream::open(ctx.tx, &ctx.keys[0])?;
    if !stream.existed() {
        ctx.out.integer(0);
        return Ok(());
    }
    let ids = ctx.args.iter().skip(2).map(|id| Id::parse(id, 0));
    let ids: Vec<Id> = ids.collect::<Result<_, _>>()?;
    stream.prefault_entries(&ids)?;
    let mut deleted = 0;
    for id in ids {
        deleted += i64::from(delete(&mut stream, id)?);
    }
    drop(stream);
    if deleted > 0 {
        ctx.effects.as_given(ctx.db, ctx.args);
    }
    ctx.out.integer(deleted);
    Ok(())
}

/// Deletes an entry by name; true if it was there.
pub fn delete(stream: &mut Stream<'_, '_>, id: Id) -> Result<bool, Stop> {
    let deleted = stream.delete(id)?;
    if deleted && id > stream.head().max_deleted {
        stream.head_mut().max_deleted = id;
    }
    Ok(deleted)
}

/// `[KEEPREF | DELREF | ACKED] IDS numids id …`, as XDELEX and XACKDEL have it.
#[derive(Debug)]
pub struct IdsOptions<'a> {
    /// What is to become of references.
    pub refs: Refs,
    ids: Vec<&'a [u8]>,
}

impl<'a> IdsOptions<'a> {
    /// Reads the arguments from `at` on.
    pub fn parse(args: &'a Args<'a>, at: usize) -> Result<Self, Error> {
        let (mut refs, mut ids) = (None, None);
        let mut words = Cursor::at(args, at);
        while let Some(word) = words.next() {
            if is(word, "IDS") && ids.is_none() {
                let count = words.next().and_then(|count| integer(count).ok());
                let count = count.and_then(|count| usize::try_from(count).ok());
                let count = count.filter(|count| *count > 0).ok_or(texts::NUMIDS)?;
                let named: Vec<&[u8]> = words.by_ref().take(count).collect();
                if named.len() < count {
                    return Err(texts::NUMIDS_MISMATCH);
                }
                ids = Some(named);
            } else if refs.is_none() && Refs::of_word(word).is_some() {
                refs = Refs::of_word(word);
            } else {
                return Err(errors::SYNTAX);
            }
        }
        Ok(IdsOptions {
            refs: refs.unwrap_or_default(),
            ids: ids.ok_or(errors::SYNTAX)?,
        })
    }

    /// How many ids there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Never true.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The ids.
    pub fn ids(&self) -> Result<Vec<Id>, Error> {
        self.ids.iter().map(|id| Id::parse(id, 0)).collect()
    }
}

/// What XDELEX answers for an entry.
const GONE: i64 = -1;
const DELETED: i64 = 1;
const REFERENCED: i64 = 2;

pub(super) fn xdelex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = IdsOptions::parse(ctx.args, 2)?;
    let mut stream = Stream::open(ctx.tx, &ctx.keys[0])?;
    if !stream.existed() {
        ctx.out.array(options.len());
        (0..options.len()).for_each(|_| ctx.out.integer(GONE));
        return Ok(());
    }
    let ids = options.ids()?;
    let groups = match options.refs {
        Refs::Keep => Vec::new(),
        Refs::Delete | Refs::Acked => stream.groups()?,
    };
    stream.prefault_entries(&ids)?;
    for group in &groups {
        stream.prefault_pending(group, &ids, None)?;
    }
    let had = groups.iter().map(|group| group.last).min();
    let mut changed = false;
    ctx.out.array(ids.len());
    for id in ids {
        let waits = options.refs == Refs::Acked
            && (had.is_some_and(|had| id > had) || is_pending(&stream, &groups, id)?);
        if waits {
            ctx.out.integer(REFERENCED);
            continue;
        }
        if options.refs == Refs::Delete {
            for group in &groups {
                changed |= stream.remove_pending(group, id)?;
            }
        }
        let deleted = delete(&mut stream, id)?;
        changed |= deleted;
        ctx.out.integer(if deleted { DELETED } else { GONE });
    }
    drop(stream);
    if changed {
        ctx.effects.as_given(ctx.db, ctx.args);
    }
    Ok(())
}
