//! XRANGE, XREVRANGE, XLEN; and writing entries into replies.

use std::ops::{ControlFlow, Range};

use basalt_resp::Encoder;
use basalt_tiering::Fault;

use super::entry::Entry;
use super::id::Id;
use super::stream::Stream;
use super::texts;
use crate::args::{Cursor, integer, is};
use crate::commands::{Ctx, Outcome};
use crate::errors::{self, Error};

pub(super) fn xrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    range(ctx, false)
}

pub(super) fn xrevrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    range(ctx, true)
}

fn range(ctx: &mut Ctx<'_, '_>, reverse: bool) -> Outcome {
    let (from, to) = if reverse { (3, 2) } else { (2, 3) };
    let from = start(&ctx.args[from])?;
    let to = end(&ctx.args[to])?;
    let count = count(Cursor::at(ctx.args, 4))?;
    let stream = Stream::open(ctx.tx, &ctx.keys[0])?;
    if !stream.existed() {
        ctx.out.array(0);
        return Ok(());
    }
    if count == Some(0) {
        ctx.out.null_array();
        return Ok(());
    }
    let mut ranks = stream.between(from, to)?;
    if let Some(count) = count {
        if reverse {
            ranks.start = ranks.start.max(ranks.end.saturating_sub(count));
        } else {
            ranks.end = ranks.end.min(ranks.start.saturating_add(count));
        }
    }
    reply_entries(&mut ctx.out, &stream, ranks, reverse)?;
    Ok(())
}

/// The first id of a range; one that is not to be in it stands behind `(`.
pub fn start(text: &[u8]) -> Result<Id, Error> {
    match text.strip_prefix(b"(") {
        Some(id) => Id::parse(id, 0)?.next().ok_or(texts::INVALID_START),
        None => Id::parse_end(text, 0),
    }
}

/// The last id of a range; one that is not to be in it stands behind `(`.
pub fn end(text: &[u8]) -> Result<Id, Error> {
    match text.strip_prefix(b"(") {
        Some(id) => Id::parse(id, u64::MAX)?
            .previous()
            .ok_or(texts::INVALID_END),
        None => Id::parse_end(text, u64::MAX),
    }
}

/// COUNT; a negative one is 0.
fn count(mut words: Cursor<'_>) -> Result<Option<u64>, Error> {
    let mut count = None;
    while let Some(word) = words.next() {
        if !is(word, "COUNT") {
            return Err(errors::SYNTAX);
        }
        count = Some(u64::try_from(integer(words.value()?)?).unwrap_or(0));
    }
    Ok(count)
}

/// Writes entries as an array.
pub fn reply_entries(
    out: &mut Encoder<'_>,
    stream: &Stream<'_, '_>,
    ranks: Range<u64>,
    reverse: bool,
) -> Result<(), Fault> {
    out.array(ranks.end.saturating_sub(ranks.start) as usize);
    stream.each(ranks, reverse, |id, entry| {
        reply_entry(out, id, &entry);
        ControlFlow::Continue(())
    })
}

/// Writes an entry: its id, and its fields with their values.
pub fn reply_entry(out: &mut Encoder<'_>, id: Id, entry: &Entry<'_>) {
    out.array(2);
    out.bulk(id.text());
    out.array(2 * entry.len());
    for (name, value) in entry.fields() {
        out.bulk(name);
        out.bulk(value);
    }
}

pub(super) fn xlen(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let len = Stream::open(ctx.tx, &ctx.keys[0])?.len();
    ctx.out.integer(len as i64);
    Ok(())
}
