//! PFCOUNT: the estimate of one HyperLogLog, which is kept in it, or of several taken together.

use super::add::Merged;
use super::estimate::Histogram;
use super::header;
use crate::commands::{Ctx, Outcome};

pub(super) fn pfcount(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.keys.len() > 1 {
        let merged = Merged::of_keys(ctx)?;
        let estimate = Histogram::of_ranks(&merged.ranks).estimate();
        ctx.out.integer(estimate as i64);
        return Ok(());
    }
    let Some(text) = ctx.tx.text(&ctx.keys[0])? else {
        ctx.out.integer(0);
        return Ok(());
    };
    let bytes = text.bytes()?;
    let encoding = header::encoding(&bytes)?;
    if let Some(estimate) = header::cached(&bytes) {
        ctx.out.integer(estimate as i64);
        return Ok(());
    }
    let estimate = Histogram::of_value(&bytes, encoding)?.estimate();
    drop(text);
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
    ctx.tx.write_text(key, header::CACHE_AT as u64, &cache)?;
    let mut digits = itoa::Buffer::new();
    let offset = digits.format(header::CACHE_AT).as_bytes();
    ctx.effects
        .command(ctx.db, &[b"SETRANGE", key.bytes, offset, &cache]);
    Ok(())
}
