//! PFDEBUG and PFSELFTEST: a look at registers and encodings.

use basalt_tiering::{Expiry, Kind};

use super::dense::{self, REGISTERS};
use super::estimate::Histogram;
use super::hash::Hit;
use super::header::{self, Encoding, HEADER_BYTES};
use super::sparse;
use crate::args::is;
use crate::commands::{Ctx, Outcome, Stop};
use crate::errors::{self, Error};

pub(super) fn pfdebug(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let word = &ctx.args[1];
    let bytes = value(ctx)?;
    let encoding = header::encoding(&bytes)?;
    if is(word, "GETREG") {
        make_dense(ctx)?;
        registers(ctx)
    } else if is(word, "DECODE") {
        if encoding == Encoding::Dense {
            return Err(errors::HYPERLOGLOG_NOT_SPARSE.into());
        }
        let runs = sparse::describe(&bytes[HEADER_BYTES..])?;
        ctx.out.bulk(runs);
        Ok(())
    } else if is(word, "ENCODING") {
        ctx.out.simple(match encoding {
            Encoding::Dense => "dense",
            Encoding::Sparse => "sparse",
        });
        Ok(())
    } else if is(word, "TODENSE") {
        make_dense(ctx)?;
        ctx.out.integer(i64::from(encoding == Encoding::Sparse));
        Ok(())
    } else {
        Err(errors::unknown_pfdebug(word).into())
    }
}

/// The bytes of the value, which has to be there.
fn value(ctx: &mut Ctx<'_, '_>) -> Result<Vec<u8>, Stop> {
    let text = ctx.tx.peek_text(&ctx.keys[0])?;
    let text = text.ok_or(errors::SPECIFIED_KEY_ABSENT)?;
    Ok(text.bytes()?.into_owned())
}

/// Makes the value dense if it is not; logged as the SET of the result.
fn make_dense(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = &ctx.keys[0];
    let (bytes, expiry) = {
        let text = ctx.tx.peek_text(key)?;
        let text = text.ok_or(errors::SPECIFIED_KEY_ABSENT)?;
        (text.bytes()?.into_owned(), text.expiry())
    };
    if header::encoding(&bytes)? == Encoding::Dense {
        return Ok(());
    }
    let bytes = header::to_dense(&bytes)?;
    let keep = expiry.map_or(Expiry::Never, Expiry::At);
    ctx.tx.set(key, Kind::RawString, &bytes, keep);
    ctx.effects.set(ctx.db, key.bytes, &bytes, expiry);
    Ok(())
}

fn registers(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let bytes = value(ctx)?;
    ctx.out.array(REGISTERS);
    dense::for_each(&bytes[HEADER_BYTES..], |_, rank| {
        ctx.out.integer(i64::from(rank));
    });
    Ok(())
}

pub(super) fn pfselftest(ctx: &mut Ctx<'_, '_>) -> Outcome {
    self_test().map_err(|what| Error::text(format!("TESTFAILED {what}")))?;
    ctx.out.ok();
    Ok(())
}

/// Elements added to both encodings give the same registers, and an estimate near the truth.
fn self_test() -> Result<(), String> {
    const ELEMENTS: u64 = 200_000;
    /// Five times the standard error.
    const TOLERANCE: f64 = 5.0 * 1.04 / 128.0;
    let mut sparse = header::empty();
    let mut dense = header::to_dense(&sparse).map_err(|error| error.to_string())?;
    for element in 1..=ELEMENTS {
        let hit = Hit::of(&element.to_le_bytes());
        if hit.rank <= 32 && sparse::raise(&mut sparse, hit, usize::MAX).is_err() {
            return Err(format!("sparse registers after {element} elements"));
        }
        dense::raise(&mut dense[HEADER_BYTES..], hit.index, hit.rank);
        if element.is_power_of_two() || element == ELEMENTS {
            let estimate = |bytes: &[u8], encoding| {
                Histogram::of_value(bytes, encoding).map(|histogram| histogram.estimate())
            };
            let of_dense = estimate(&dense, Encoding::Dense);
            let of_sparse = estimate(&sparse, Encoding::Sparse);
            let (Ok(of_dense), Ok(of_sparse)) = (of_dense, of_sparse) else {
                return Err(format!("an estimate after {element} elements"));
            };
            let off = (of_dense as f64 - element as f64).abs();
            if of_sparse != of_dense || off > (element as f64 * TOLERANCE).max(1.0) {
                return Err(format!(
                    "{of_dense} and {of_sparse} estimated for {element} elements"
                ));
            }
        }
    }
    Ok(())
}
