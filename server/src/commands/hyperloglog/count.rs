//! PFCOUNT: the estimate of one HyperLogLog, which is kept in it, or of several taken together.

use super::add::Merged;
use super::estimate::Histogram;
use super::header;
use crate::commands::strings::string;
use crate::commands::{Ctx, Outcome};

pub(super) fn pfcount(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.keys.len() > 1 {
        let merged = Merged::of_keys(ctx)?;
        let estimate = Histogram::of_ranks(&merged.ranks).estimate();
        ctx.out.integer(estimate as i64);
        return Ok(());
    }
    let Some(value) = string(ctx.tx.get(&ctx.keys[0])?)? else {
        ctx.out.integer(0);
        return Ok(());
    };
    let encoding = header::encoding(value.bytes)?;
    if let Some(estimate) = header::cached(value.bytes) {
        ctx.out.integer(estimate as i64);
        return Ok(());
    }
    let estimate = Histogram::of_value(value.bytes, encoding)?.estimate();
    keep(ctx, estimate)?;
    ctx.out.integer(estimate as i64);
    Ok(())
}

/// Keeps the estimate in the value, if this server may write now. It is logged as the SETRANGE that it is.
fn keep(ctx: &mut Ctx<'_, '_>, estimate: u64) -> Outcome {
    let key = &ctx.keys[0];
    if !ctx.server.takes_side_writes(key.bytes.len()) {
        return Ok(());
    }
    let cache = estimate.to_le_bytes();
    let bytes = ctx.tx.modify(key, 0)?;
    bytes[header::CACHE_AT..][..cache.len()].copy_from_slice(&cache);
    let mut digits = itoa::Buffer::new();
    let offset = digits.format(header::CACHE_AT).as_bytes();
    ctx.effects
        .command(ctx.db, &[b"SETRANGE", key.bytes, offset, &cache]);
    Ok(())
}
