//! XADD, XTRIM and XSETID.

use super::id::Id;
use super::node_entries;
use super::stream::Stream;
use super::texts;
use super::trim::{Cut, Trim, TrimOptions};
use crate::args::{Cursor, integer, is};
use crate::commands::{Ctx, Outcome};
use crate::errors::{self, Error};

/// The id that XADD is to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// `*`: the time, or behind the last one.
    Any,
    /// `ms-*`: behind the last one of that time.
    At(u64),
    /// This one.
    This(Id),
}

impl Wanted {
    fn parse(text: &[u8]) -> Result<Self, Error> {
        if text == b"*" {
            return Ok(Wanted::Any);
        }
        let before = text.strip_suffix(b"-*");
        if let Some(ms) = before.filter(|ms| !ms.contains(&b'-')) {
            return Ok(Wanted::At(Id::parse(ms, 0)?.ms));
        }
        Ok(Wanted::This(Id::parse(text, 0)?))
    }

    /// The id behind `last`, at the time `now_ms`.
    fn choose(self, last: Id, now_ms: u64) -> Result<Id, Error> {
        if last == Id::MAX {
            return Err(texts::EXHAUSTED);
        }
        let chosen = match self {
            Wanted::Any if now_ms > last.ms => Some(Id { ms: now_ms, seq: 0 }),
            Wanted::Any => last.next(),
            Wanted::At(ms) if ms == last.ms => last.next().filter(|next| next.ms == ms),
            Wanted::At(ms) => Some(Id { ms, seq: 0 }),
            Wanted::This(id) => Some(id),
        };
        chosen.filter(|id| *id > last).ok_or(texts::ID_TOO_SMALL)
    }
}

/// The options of XADD, and where its fields begin.
struct Options {
    make_stream: bool,
    trim: Option<Trim>,
    wanted: Wanted,
    fields_at: usize,
}

impl Options {
    fn parse(ctx: &Ctx<'_, '_>) -> Result<Self, Error> {
        let (args, mut at) = (ctx.args, 2);
        let (mut make_stream, mut trim) = (true, TrimOptions::default());
        let mut words = Cursor::at(args, at);
        let id = loop {
            let word = words.next().ok_or(errors::wrong_arity("xadd"))?;
            if is(word, "NOMKSTREAM") {
                make_stream = false;
            } else if word == b"*" || !trim.read(word, &mut words)? {
                break word;
            }
            at = args.len() - words.clone().count();
        };
        let wanted = Wanted::parse(id)?;
        let trim = trim.finish(node_entries(ctx))?;
        let fields = args.len() - at - 1;
        if fields < 2 || !fields.is_multiple_of(2) {
            return Err(errors::wrong_arity("xadd"));
        }
        if wanted == Wanted::This(Id::MIN) {
            return Err(texts::ID_ZERO);
        }
        Ok(Options {
            make_stream,
            trim,
            wanted,
            fields_at: at + 1,
        })
    }
}

pub(super) fn xadd(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = Options::parse(ctx)?;
    let (key, step) = (&ctx.keys[0], node_entries(ctx));
    let mut stream = Stream::open(ctx.tx, key)?;
    if !stream.existed() && !options.make_stream {
        ctx.out.null();
        return Ok(());
    }
    let id = options.wanted.choose(stream.head().last, ctx.now.0)?;
    let cut = match &options.trim {
        Some(trim) => Cut::plan(&mut stream, trim, Some(id), step)?,
        None => Cut::default(),
    };
    stream.prefault_entry(id)?;
    cut.make(&mut stream)?;
    if cut.and_new {
        stream.count(id);
    } else {
        stream.append(id, ctx.args.iter().skip(options.fields_at))?;
    }
    let len = stream.len().to_string();
    drop(stream);
    let text = id.text();
    let is_plain = options.fields_at == 3 && matches!(options.wanted, Wanted::This(_));
    if is_plain {
        ctx.effects.as_given(ctx.db, ctx.args);
    } else {
        let mut words: Vec<&[u8]> = vec![b"XADD", key.bytes];
        if let Some(trim) = options.trim.filter(|_| cut.is_any()) {
            words.extend(trim.logged(&len));
        }
        words.push(text.as_bytes());
        words.extend(ctx.args.iter().skip(options.fields_at));
        ctx.effects.command(ctx.db, &words);
    }
    ctx.out.bulk(text);
    Ok(())
}

pub(super) fn xtrim(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let step = node_entries(ctx);
    let (mut options, mut words) = (TrimOptions::default(), Cursor::at(ctx.args, 2));
    while let Some(word) = words.next() {
        if !options.read(word, &mut words)? {
            return Err(errors::SYNTAX.into());
        }
    }
    let trim = options.finish(step)?.ok_or(texts::NO_STRATEGY)?;
    let key = &ctx.keys[0];
    let mut stream = Stream::open(ctx.tx, key)?;
    let cut = Cut::plan(&mut stream, &trim, None, step)?;
    let deleted = cut.make(&mut stream)?;
    let len = stream.len().to_string();
    drop(stream);
    if deleted > 0 {
        let mut words: Vec<&[u8]> = vec![b"XTRIM", key.bytes];
        words.extend(trim.logged(&len));
        ctx.effects.command(ctx.db, &words);
    }
    ctx.out.integer(deleted as i64);
    Ok(())
}

pub(super) fn xsetid(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let last = Id::parse(&ctx.args[2], 0)?;
    let (mut added, mut deleted) = (None, Id::MIN);
    let mut words = Cursor::at(ctx.args, 3);
    while let Some(word) = words.next() {
        if is(word, "ENTRIESADDED") {
            let count = integer(words.value()?)?;
            added = Some(u64::try_from(count).map_err(|_| texts::SETID_ADDED_NEGATIVE)?);
        } else if is(word, "MAXDELETEDID") {
            deleted = Id::parse(words.value()?, 0)?;
            if last < deleted {
                return Err(texts::SETID_BELOW_GIVEN.into());
            }
        } else {
            return Err(errors::SYNTAX.into());
        }
    }
    let mut stream = Stream::open_unwatched(ctx.tx, &ctx.keys[0])?;
    if !stream.existed() {
        return Err(errors::NO_SUCH_KEY.into());
    }
    if last < stream.head().max_deleted {
        return Err(texts::SETID_BELOW_DELETED.into());
    }
    if !stream.is_empty() {
        if last < stream.top_id()? {
            return Err(texts::SETID_BELOW_TOP.into());
        }
        if added.is_some_and(|added| added < stream.len()) {
            return Err(texts::SETID_ADDED.into());
        }
    }
    let head = stream.head_mut();
    head.last = last;
    head.added = added.unwrap_or(head.added);
    if deleted != Id::MIN {
        head.max_deleted = deleted;
    }
    drop(stream);
    ctx.effects.as_given(ctx.db, ctx.args);
    ctx.out.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise() {
        let id = |ms, seq| Id { ms, seq };
        let choose =
            |text: &str, last| Wanted::parse(text.as_bytes()).and_then(|w| w.choose(last, 100));
        assert_eq!(choose("*", id(99, 7)), Ok(id(100, 0)));
        assert_eq!(choose("*", id(100, 7)), Ok(id(100, 8)));
        assert_eq!(choose("*", id(200, u64::MAX)), Ok(id(201, 0)));
        assert_eq!(choose("5-*", id(5, 1)), Ok(id(5, 2)));
        assert_eq!(choose("5-*", id(5, u64::MAX)), Err(texts::ID_TOO_SMALL));
        assert_eq!(choose("4-*", id(5, 1)), Err(texts::ID_TOO_SMALL));
        assert_eq!(choose("0-*", Id::MIN), Ok(id(0, 1)));
        assert_eq!(choose("6", id(5, 1)), Ok(id(6, 0)));
        assert_eq!(choose("5-1", id(5, 1)), Err(texts::ID_TOO_SMALL));
        assert_eq!(choose("*", Id::MAX), Err(texts::EXHAUSTED));
        assert_eq!(choose("x-*", Id::MIN), Err(texts::INVALID_ID));
        assert_eq!(choose("5-1-*", Id::MIN), Err(texts::INVALID_ID));
    }
}
