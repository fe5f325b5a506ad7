//! BF.SCANDUMP and BF.LOADCHUNK: a filter in parts, for copies outside; and how a copy inside is logged.
//!
//! ```text
//!   iterator 1       the filter's extra bytes (`filter.rs`)
//!   other iterators  chunks: u16 LE layer, u32 LE number, as many bytes as the layer's chunks have
//! ```
//!
//! The bytes are Basalt's own, not RedisBloom's. An iterator is one more than the place (layer and number) from
//! which on chunks are answered, so that a filter may change meanwhile, as far as a copy of it can then make sense.

use std::ops::ControlFlow;

use basalt_resp::parse_i64;
use basalt_tiering::{Kind, MAIN, Snapshot};

use super::filter::{Filter, chunk_key};
use super::layout::CHUNK_BYTES;
use super::read::NOT_FOUND;
use crate::commands::collection::collection;
use crate::commands::{Ctx, Outcome};
use crate::effects::Effects;
use crate::errors::Error;

const NOT_NUMERIC: Error = Error::new("Second argument must be numeric");
const NOT_NUMERIC_TO_LOAD: Error = Error::new("ERR Second argument must be numeric");
const BAD_DATA: Error = Error::new("ERR received bad data");
/// Most bytes of chunks in one reply, about.
const PART_BYTES: usize = 1 << 20;
/// Iterator of the head.
const HEAD: i64 = 1;

pub(super) fn scandump(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let open = collection(ctx.tx, &ctx.keys[0], Kind::Bloom)?;
    let filter = Filter::read(&open).ok_or(NOT_FOUND)?;
    let iterator = parse_i64(&ctx.args[2]).ok_or(NOT_NUMERIC)?;
    if iterator <= 0 {
        ctx.out.array(2);
        ctx.out.integer(HEAD);
        ctx.out.bulk(filter.encode());
        return Ok(());
    }
    let place = iterator - HEAD;
    let (layer, number) = (place >> 32, place as u32);
    let (mut data, mut next) = (Vec::new(), 0);
    if let Ok(layer) = u16::try_from(layer) {
        let (from, _) = open.rank(MAIN, &chunk_key(usize::from(layer), number))?;
        let count = (PART_BYTES / usize::from(CHUNK_BYTES)) as u64;
        let to = (from + count).min(open.len(MAIN));
        open.each(MAIN, from..to, false, |key, chunk| {
            let place = put_chunk(key, &chunk, &mut data);
            next = place + 1 + HEAD;
            ControlFlow::Continue(())
        })?;
    }
    ctx.out.array(2);
    ctx.out.integer(next);
    ctx.out.bulk(data);
    Ok(())
}

/// Appends a chunk; returns its place.
fn put_chunk(key: &[u8], chunk: &[u8], out: &mut Vec<u8>) -> i64 {
    let (layer, number) = key.split_first_chunk::<2>().expect("a key has six bytes");
    let layer = u16::from_be_bytes(*layer);
    let number = u32::from_be_bytes(number.try_into().expect("a key has six bytes"));
    out.extend_from_slice(&layer.to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(chunk);
    i64::from(layer) << 32 | i64::from(number)
}

pub(super) fn loadchunk(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let iterator = parse_i64(&ctx.args[2]).ok_or(NOT_NUMERIC_TO_LOAD)?;
    let data = &ctx.args[3];
    let mut open = collection(ctx.tx, &ctx.keys[0], Kind::Bloom)?;
    match Filter::read(&open) {
        None if iterator == HEAD => {
            let filter = Filter::decode(data).ok_or(BAD_DATA)?;
            open.set_extra(&filter.encode());
        }
        None => return Err(NOT_FOUND.into()),
        Some(filter) => {
            let chunks = parse_chunks(&filter, data).ok_or(BAD_DATA)?;
            open.prefault(MAIN, chunks.iter().map(|(key, _)| key.as_slice()))?;
            for (key, chunk) in &chunks {
                open.insert(MAIN, key, chunk)?;
            }
        }
    }
    drop(open);
    ctx.effects.as_given(ctx.db, ctx.args);
    ctx.out.ok();
    Ok(())
}

/// The chunks of a part; `None` if it is none of this filter.
fn parse_chunks<'a>(filter: &Filter, mut data: &'a [u8]) -> Option<Vec<([u8; 6], &'a [u8])>> {
    let mut chunks = Vec::new();
    while !data.is_empty() {
        let (layer, rest) = data.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (layer, number) = (
            usize::from(u16::from_le_bytes(*layer)),
            u32::from_le_bytes(*number),
        );
        let layout = filter
            .layers
            .get(layer)
            .filter(|layout| number < layout.chunks)?;
        let (chunk, rest) = rest.split_at_checked(usize::from(layout.chunk_bytes))?;
        chunks.push((chunk_key(layer, number), chunk));
        data = rest;
    }
    Some(chunks)
}

/// Logs that `key`, which holds nothing, now holds a copy of a filter.
pub fn log_copy(effects: &mut Effects, db: u32, key: &[u8], value: &Snapshot) {
    const PORTION_BYTES: usize = 64 << 10;
    let load = |effects: &mut Effects, iterator: &[u8], data: &[u8]| {
        effects.command(db, &[b"BF.LOADCHUNK", key, iterator, data]);
    };
    load(effects, b"1", value.extra());
    let mut portion = Vec::new();
    value.each(MAIN, |key, chunk| {
        put_chunk(key, &chunk, &mut portion);
        if portion.len() >= PORTION_BYTES {
            load(effects, b"2", &portion);
            portion.clear();
        }
    });
    if !portion.is_empty() {
        load(effects, b"2", &portion);
    }
}
