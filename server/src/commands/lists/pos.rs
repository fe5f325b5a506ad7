//! LPOS.

use std::ops::ControlFlow;

use basalt_resp::parse_i64;
use basalt_tiering::{Kind, MAIN};

use super::read::walk;
use crate::args::{Cursor, is};
use crate::commands::collection::collection;
use crate::commands::{Ctx, Outcome};
use crate::errors::{self, Error};

const RANK_ZERO: Error = Error::new(
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start \
     from the end of the list",
);
const RANK_OUT_OF_RANGE: Error = Error::new(
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);
const COUNT_NEGATIVE: Error = Error::new("ERR COUNT can't be negative");
const MAXLEN_NEGATIVE: Error = Error::new("ERR MAXLEN can't be negative");

struct Options {
    /// Matches passed over.
    skip: u64,
    from_end: bool,
    /// Matches wanted, and as an array; `None` is the first one alone.
    count: Option<u64>,
    max_len: u64,
}

impl Options {
    fn parse(mut words: Cursor<'_>) -> Result<Self, Error> {
        let mut options = Options {
            skip: 0,
            from_end: false,
            count: None,
            max_len: u64::MAX,
        };
        let unlimited = |n: u64| if n == 0 { u64::MAX } else { n };
        while let Some(word) = words.next() {
            if is(word, "RANK") {
                let rank = parse_i64(words.value()?).ok_or(errors::NOT_AN_INTEGER)?;
                match rank {
                    0 => return Err(RANK_ZERO),
                    i64::MIN => return Err(RANK_OUT_OF_RANGE),
                    rank => {
                        options.skip = rank.unsigned_abs() - 1;
                        options.from_end = rank < 0;
                    }
                }
            } else if is(word, "COUNT") {
                options.count = Some(unlimited(natural(words.value()?, COUNT_NEGATIVE)?));
            } else if is(word, "MAXLEN") {
                options.max_len = unlimited(natural(words.value()?, MAXLEN_NEGATIVE)?);
            } else {
                return Err(errors::SYNTAX);
            }
        }
        Ok(options)
    }
}

fn natural(text: &[u8], otherwise: Error) -> Result<u64, Error> {
    parse_i64(text)
        .and_then(|n| u64::try_from(n).ok())
        .ok_or(otherwise)
}

pub(super) fn lpos(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let args = ctx.args;
    let options = Options::parse(Cursor::at(args, 3))?;
    let list = collection(ctx.tx, &ctx.keys[0], Kind::List)?;
    let len = list.len(MAIN);
    let looked_at = options.max_len.min(len);
    let ranks = if options.from_end {
        len - looked_at..len
    } else {
        0..looked_at
    };
    let (mut found, mut skip) = (Vec::new(), options.skip);
    let wanted = options.count.unwrap_or(1);
    walk(&list, ranks, options.from_end, |rank, element| {
        if *element == args[2] {
            if skip > 0 {
                skip -= 1;
            } else {
                found.push(rank as i64);
            }
        }
        if found.len() as u64 == wanted {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    match (options.count, found.first()) {
        (Some(_), _) => {
            ctx.out.array(found.len());
            found.iter().for_each(|rank| ctx.out.integer(*rank));
        }
        (None, Some(rank)) => ctx.out.integer(*rank),
        (None, None) => ctx.out.null(),
    }
    Ok(())
}
