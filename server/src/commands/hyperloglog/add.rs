//! PFADD and PFMERGE: what raises registers.
//!
//! PFADD is its own effect, since registers depend on elements alone. When its value becomes dense because of
//! `hll-sparse-max-bytes`, the value itself is logged, so that a replay does not depend on the setting; for the
//! same reason a replayed PFADD knows no limit. PFMERGE logs its result.

use basalt_tiering::{Expiry, Kind, UnixMs};

use super::dense::{self, REGISTERS};
use super::hash::Hit;
use super::header::{self, Encoding, HEADER_BYTES};
use super::sparse::{self, Raised};
use crate::commands::{Ctx, Outcome, Stop};
use crate::errors::Error;

/// The longest a value with sparse registers may get.
fn sparse_limit(ctx: &Ctx<'_, '_>) -> usize {
    if ctx.is_replay() {
        return usize::MAX;
    }
    usize::try_from(ctx.server.config.peek().hll_sparse_max_bytes).unwrap_or(usize::MAX)
}

pub(super) fn pfadd(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = &ctx.keys[0];
    let Some(text) = ctx.tx.peek_text(key)? else {
        return add_sparse(ctx, header::empty(), true);
    };
    let bytes = text.bytes()?;
    drop(text);
    match header::encoding(&bytes)? {
        Encoding::Dense => {
            let registers = &bytes[HEADER_BYTES..];
            let raises = |hit: Hit| hit.rank > dense::get(registers, hit.index);
            if ctx.args.iter().skip(2).map(Hit::of).any(raises) {
                return add_dense(ctx);
            }
            ctx.out.integer(0);
            Ok(())
        }
        Encoding::Sparse => {
            let bytes = bytes.into_owned();
            add_sparse(ctx, bytes, false)
        }
    }
}

/// Adds in place.
fn add_dense(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let bytes = ctx.tx.modify(&ctx.keys[0], header::DENSE_BYTES)?;
    for hit in ctx.args.iter().skip(2).map(Hit::of) {
        dense::raise(&mut bytes[HEADER_BYTES..], hit.index, hit.rank);
    }
    header::invalidate(bytes);
    ctx.effects.as_given(ctx.db, ctx.args);
    ctx.out.integer(1);
    Ok(())
}

fn add_sparse(ctx: &mut Ctx<'_, '_>, mut bytes: Vec<u8>, is_new: bool) -> Outcome {
    let hits = ctx.args.iter().skip(2).map(Hit::of);
    let added = raise_all(&mut bytes, hits, sparse_limit(ctx))?;
    if !added.any && !is_new {
        ctx.out.integer(0);
        return Ok(());
    }
    header::invalidate(&mut bytes);
    let (key, expiry) = (&ctx.keys[0], expiry(ctx)?);
    let keep = expiry.map_or(Expiry::Never, Expiry::At);
    ctx.tx.set(key, Kind::RawString, &bytes, keep);
    if added.over_limit {
        ctx.effects.set(ctx.db, key.bytes, &bytes, expiry);
    } else {
        ctx.effects.as_given(ctx.db, ctx.args);
    }
    ctx.out.integer(1);
    Ok(())
}

fn expiry(ctx: &mut Ctx<'_, '_>) -> Result<Option<UnixMs>, Stop> {
    let value = ctx.tx.peek(&ctx.keys[0])?;
    Ok(value.and_then(|value| value.expiry))
}

/// What became of a value.
#[derive(Clone, Copy, Debug, Default)]
struct Added {
    /// A register was raised.
    any: bool,
    /// It became dense because of its length.
    over_limit: bool,
}

/// Raises registers of a value of either encoding, which becomes dense when it has to.
fn raise_all(
    bytes: &mut Vec<u8>,
    hits: impl Iterator<Item = Hit>,
    limit_bytes: usize,
) -> Result<Added, Error> {
    let mut added = Added::default();
    let mut encoding = header::encoding(bytes)?;
    for hit in hits {
        if encoding == Encoding::Sparse {
            match sparse::raise(bytes, hit, limit_bytes)? {
                Raised::No => continue,
                Raised::Yes => {
                    added.any = true;
                    continue;
                }
                Raised::TooLarge => {
                    // Without a limit only a large rank makes it dense.
                    added.over_limit |= limit_bytes != usize::MAX;
                    *bytes = header::to_dense(bytes)?;
                    encoding = Encoding::Dense;
                }
            }
        }
        added.any |= dense::raise(&mut bytes[HEADER_BYTES..], hit.index, hit.rank);
    }
    Ok(added)
}

/// The largest rank of each register over several values.
pub(super) struct Merged {
    pub(super) ranks: Box<[u8; REGISTERS]>,
    /// One of the values was dense.
    any_dense: bool,
}

impl Merged {
    /// Merges the values of all keys of the command; absent ones count for nothing.
    pub(super) fn of_keys(ctx: &mut Ctx<'_, '_>) -> Result<Self, Stop> {
        let mut merged = Merged {
            ranks: Box::new([0; REGISTERS]),
            any_dense: false,
        };
        for key in ctx.keys {
            if let Some(text) = ctx.tx.text(key)? {
                merged.add(&text.bytes()?)?;
            }
        }
        Ok(merged)
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let ranks = &mut self.ranks;
        let registers = &bytes[HEADER_BYTES.min(bytes.len())..];
        match header::encoding(bytes)? {
            Encoding::Dense => {
                self.any_dense = true;
                dense::for_each(registers, |index, rank| {
                    ranks[index] = ranks[index].max(rank);
                });
            }
            Encoding::Sparse => sparse::for_each_run(registers, |first, len, rank| {
                for register in &mut ranks[first..first + len] {
                    *register = (*register).max(rank);
                }
            })?,
        }
        Ok(())
    }

    fn hits(&self) -> impl Iterator<Item = Hit> {
        let ranked = self.ranks.iter().enumerate().filter(|(_, rank)| **rank > 0);
        ranked.map(|(index, rank)| Hit { index, rank: *rank })
    }
}

pub(super) fn pfmerge(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let merged = Merged::of_keys(ctx)?;
    let key = &ctx.keys[0];
    let (mut bytes, expiry) = match ctx.tx.peek_text(key)? {
        Some(text) => (text.bytes()?.into_owned(), text.expiry()),
        None => (header::empty(), None),
    };
    if merged.any_dense && header::encoding(&bytes)? == Encoding::Sparse {
        bytes = header::to_dense(&bytes)?;
    }
    raise_all(&mut bytes, merged.hits(), sparse_limit(ctx))?;
    header::invalidate(&mut bytes);
    let keep = expiry.map_or(Expiry::Never, Expiry::At);
    ctx.tx.set(key, Kind::RawString, &bytes, keep);
    ctx.effects.set(ctx.db, key.bytes, &bytes, expiry);
    ctx.out.ok();
    Ok(())
}
