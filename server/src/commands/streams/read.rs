//! XREAD: what came behind an id, in several streams; and waiting for it.

use std::ops::Range;
use std::time::Duration;

use basalt_resp::{Aggregate, Encoder, Proto};
use basalt_tiering::Kind;

use super::id::Id;
use super::range::reply_entries;
use super::stream::Stream;
use super::texts;
use crate::args::{Cursor, integer, is};
use crate::blocking::{NoReply, Wait};
use crate::commands::{Ctx, Outcome, Stop};
use crate::errors::{self, Error};

/// The options of XREAD.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    count: Option<u64>,
    /// `Some(None)` is for ever.
    block: Option<Option<Duration>>,
    /// Where the ids begin.
    ids_at: usize,
}

impl Options {
    fn parse(ctx: &Ctx<'_, '_>) -> Result<Self, Error> {
        let (mut options, mut words) = (Options::default(), Cursor::at(ctx.args, 1));
        while let Some(word) = words.next() {
            let left = words.clone().count();
            if is(word, "BLOCK") && left > 0 {
                options.block = Some(block(words.value()?)?);
            } else if is(word, "COUNT") && left > 0 {
                options.count = read_count(words.value()?)?;
            } else if is(word, "STREAMS") && left > 0 {
                if !left.is_multiple_of(2) {
                    return Err(texts::unbalanced("xread", ", '+', or '$'"));
                }
                options.ids_at = ctx.args.len() - left / 2;
                return Ok(options);
            } else if is(word, "GROUP") && left > 1 {
                return Err(texts::only_in_xreadgroup("GROUP"));
            } else if is(word, "NOACK") {
                return Err(texts::only_in_xreadgroup("NOACK"));
            } else {
                break;
            }
        }
        Err(errors::SYNTAX)
    }
}

/// COUNT of XREAD and XREADGROUP: 0 and less are no limit.
pub fn read_count(text: &[u8]) -> Result<Option<u64>, Error> {
    let count = integer(text)?;
    Ok(u64::try_from(count).ok().filter(|count| *count > 0))
}

/// BLOCK of XREAD and XREADGROUP, in milliseconds; `None` is for ever.
pub fn block(text: &[u8]) -> Result<Option<Duration>, Error> {
    let ms = integer(text).map_err(|_| texts::TIMEOUT_NOT_AN_INTEGER)?;
    let ms = u64::try_from(ms).map_err(|_| errors::TIMEOUT_NEGATIVE)?;
    Ok((ms > 0).then(|| Duration::from_millis(ms)))
}

pub(super) fn xread(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = Options::parse(ctx)?;
    let mut behind = Vec::with_capacity(ctx.keys.len());
    let mut reply = StreamsReply::begin(&mut ctx.out);
    for (index, key) in ctx.keys.iter().enumerate() {
        let stream = Stream::open(ctx.tx, key)?;
        let text = &ctx.args[options.ids_at + index];
        let id = match text {
            b">" => return Err(texts::NEW_IN_XREAD.into()),
            b"$" | b"+" => None,
            _ => Some(Id::parse(text, 0)?),
        };
        let mut ranks = match id {
            Some(id) => stream.after(id)?,
            None if text == b"+" => stream.len().saturating_sub(1)..stream.len(),
            None => stream.len()..stream.len(),
        };
        behind.push(id.unwrap_or(stream.head().last));
        if let Some(count) = options.count {
            ranks.end = ranks.end.min(ranks.start.saturating_add(count));
        }
        reply.add(&mut ctx.out, key.bytes, &stream, ranks)?;
    }
    if reply.finish(&mut ctx.out) {
        return Ok(());
    }
    let Some(timeout) = options.block else {
        ctx.out.null_array();
        return Ok(());
    };
    let names = ctx.keys.iter().map(|key| key.bytes.to_vec());
    let awaited: Vec<(Vec<u8>, Id)> = names.zip(behind).collect();
    let prepared = awaited.clone();
    Err(Stop::Block(Box::new(Wait {
        kind: Kind::Stream,
        waits_on: ctx.keys.len(),
        timeout,
        otherwise: NoReply::NullArray,
        serve: Box::new(move |ctx| serve(ctx, &awaited, options.count)),
        prepare: Some(Box::new(move |ctx| prepare(ctx, &prepared))),
    })))
}

/// Answers with what has come into the one stream that was written.
fn serve(
    ctx: &mut Ctx<'_, '_>,
    awaited: &[(Vec<u8>, Id)],
    count: Option<u64>,
) -> Result<bool, Stop> {
    let key = ctx.keys[0];
    let mut reply = StreamsReply::begin(&mut ctx.out);
    for (_, id) in awaited.iter().filter(|(name, _)| name == key.bytes) {
        let stream = match Stream::peek(ctx.tx, &key) {
            // The key holds something else now; it may become a stream again.
            Err(Stop::Error(_)) => return Ok(false),
            stream => stream?,
        };
        let mut ranks = stream.after(*id)?;
        if let Some(count) = count {
            ranks.end = ranks.end.min(ranks.start.saturating_add(count));
        }
        reply.add(&mut ctx.out, key.bytes, &stream, ranks)?;
    }
    Ok(reply.finish(&mut ctx.out))
}

/// The place behind the last entry is in memory, and so is then what is added there.
fn prepare(ctx: &mut Ctx<'_, '_>, awaited: &[(Vec<u8>, Id)]) -> Outcome {
    let key = ctx.keys[0];
    let stream = Stream::peek(ctx.tx, &key)?;
    stream.prefault_entry(Id::MAX)?;
    for (_, id) in awaited.iter().filter(|(name, _)| name == key.bytes) {
        let ranks = stream.after(*id)?;
        stream.tree().prefault_ranks(basalt_tiering::MAIN, ranks)?;
    }
    Ok(())
}

/// A reply with entries of several streams: a map in RESP3, an array of pairs in RESP2.
#[derive(Debug)]
pub struct StreamsReply {
    start: usize,
    mark: basalt_resp::Mark,
    streams: usize,
}

impl StreamsReply {
    /// Begins it.
    pub fn begin(out: &mut Encoder<'_>) -> Self {
        StreamsReply {
            start: out.written().len(),
            mark: out.begin_deferred(),
            streams: 0,
        }
    }

    /// Announces a stream, whose array of entries is to follow.
    pub fn key(&mut self, out: &mut Encoder<'_>, key: &[u8]) {
        self.streams += 1;
        if out.proto() == Proto::Resp2 {
            out.array(2);
        }
        out.bulk(key);
    }

    /// Adds entries of a stream, if there are any.
    pub fn add(
        &mut self,
        out: &mut Encoder<'_>,
        key: &[u8],
        stream: &Stream<'_, '_>,
        ranks: Range<u64>,
    ) -> Outcome {
        if !ranks.is_empty() {
            self.key(out, key);
            reply_entries(out, stream, ranks, false)?;
        }
        Ok(())
    }

    /// Ends it; false if there was no stream, and then nothing is written.
    pub fn finish(self, out: &mut Encoder<'_>) -> bool {
        let kind = match out.proto() {
            Proto::Resp2 => Aggregate::Array,
            Proto::Resp3 => Aggregate::Map,
        };
        let streams = self.streams;
        out.end_deferred(self.mark, streams, kind);
        if streams == 0 {
            out.truncate(self.start);
        }
        streams > 0
    }
}
