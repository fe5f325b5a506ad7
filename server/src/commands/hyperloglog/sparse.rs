//! Sparse registers: runs of equal ones.
//!
//! ```text
//!   00llllll            l + 1 registers of 0          (up to 64)
//!   01llllll llllllll   l + 1 registers of 0          (up to 16384)
//!   1vvvvvll            l + 1 registers of v + 1      (up to 4, of at most 32)
//! ```
//!
//! Which of several possible rows of runs a value has depends on its history, and is kept as Redis has it: a run
//! that an element falls into is split, and then runs from the one before on are joined, five at most.

use super::dense::REGISTERS;
use super::hash::Hit;
use super::header::HEADER_BYTES;
use crate::errors::{self, Error};

/// The largest rank a run can have.
const MAX_RANK: u8 = 32;
/// The longest run of ranks.
const MAX_RANKS: usize = 4;
/// The longest run of zeroes in one byte.
const MAX_SHORT_ZEROES: usize = 64;
/// How many runs are looked at to be joined.
const JOINED_RUNS: usize = 5;

/// Equal registers in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    rank: u8,
    len: usize,
    /// How long its code is.
    bytes: usize,
}

impl Run {
    /// The run that starts `code`.
    fn decode(code: &[u8]) -> Option<Run> {
        let first = *code.first()?;
        let low = usize::from(first & 0x3f);
        Some(match first >> 6 {
            0 => Run {
                rank: 0,
                len: low + 1,
                bytes: 1,
            },
            1 => Run {
                rank: 0,
                len: (low << 8 | usize::from(*code.get(1)?)) + 1,
                bytes: 2,
            },
            _ => Run {
                rank: (first >> 2 & 0x1f) + 1,
                len: usize::from(first & 3) + 1,
                bytes: 1,
            },
        })
    }
}

/// What became of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    /// It was that high.
    No,
    Yes,
    /// It needs dense registers, and was not changed.
    TooLarge,
}

/// Appends the run of a value without elements.
pub(super) fn push_empty(code: &mut Vec<u8>) {
    push(code, 0, REGISTERS);
}

fn push(code: &mut Vec<u8>, rank: u8, len: usize) {
    match (rank, len) {
        (_, 0) => {}
        (0, 1..=MAX_SHORT_ZEROES) => code.push((len - 1) as u8),
        (0, _) => code.extend([0x40 | ((len - 1) >> 8) as u8, (len - 1) as u8]),
        _ => code.push(ranks(rank, len)),
    }
}

fn ranks(rank: u8, len: usize) -> u8 {
    0x80 | (rank - 1) << 2 | (len - 1) as u8
}

/// Calls `each` with first register, length and rank of every run that is not of zeroes; an error if the runs do
/// not add up to all registers.
pub(super) fn for_each_run(
    mut code: &[u8],
    mut each: impl FnMut(usize, usize, u8),
) -> Result<(), Error> {
    let mut first = 0;
    while let Some(run) = Run::decode(code) {
        if first + run.len > REGISTERS {
            return Err(errors::HYPERLOGLOG_CORRUPT);
        }
        if run.rank > 0 {
            each(first, run.len, run.rank);
        }
        first += run.len;
        code = &code[run.bytes..];
    }
    if code.is_empty() && first == REGISTERS {
        Ok(())
    } else {
        Err(errors::HYPERLOGLOG_CORRUPT)
    }
}

/// The runs as PFDEBUG DECODE shows them.
pub(super) fn describe(mut code: &[u8]) -> Result<String, Error> {
    use std::fmt::Write as _;
    let (mut text, mut total) = (String::new(), 0);
    while let Some(run) = Run::decode(code) {
        let Run { rank, len, .. } = run;
        let done = match (rank, run.bytes) {
            (0, 1) => write!(text, "z:{len} "),
            (0, _) => write!(text, "Z:{len} "),
            _ => write!(text, "v:{rank},{len} "),
        };
        done.expect("a String takes everything");
        total += len;
        code = &code[run.bytes..];
    }
    if total != REGISTERS {
        return Err(errors::HYPERLOGLOG_CORRUPT);
    }
    text.truncate(text.trim_end().len());
    Ok(text)
}

/// The place of a register among the runs.
struct Found {
    at: usize,
    before: Option<usize>,
    /// First register of the run.
    first: usize,
    run: Run,
}

fn find(value: &[u8], index: usize) -> Option<Found> {
    let (mut at, mut before, mut first) = (HEADER_BYTES, None, 0);
    loop {
        let run = Run::decode(&value[at..])?;
        if index < first + run.len {
            return Some(Found {
                at,
                before,
                first,
                run,
            });
        }
        before = Some(at);
        at += run.bytes;
        first += run.len;
    }
}

/// Raises a register of a whole value, header included, which may grow to `limit_bytes`.
pub(super) fn raise(value: &mut Vec<u8>, hit: Hit, limit_bytes: usize) -> Result<Raised, Error> {
    if hit.rank > MAX_RANK {
        return Ok(Raised::TooLarge);
    }
    let found = find(value, hit.index).ok_or(errors::HYPERLOGLOG_CORRUPT)?;
    let Found { at, first, run, .. } = found;
    if run.rank >= hit.rank {
        return Ok(Raised::No);
    }
    // What is left of the run on both sides, and the register between.
    let mut split = Vec::with_capacity(5);
    push(&mut split, run.rank, hit.index - first);
    push(&mut split, hit.rank, 1);
    push(&mut split, run.rank, first + run.len - 1 - hit.index);
    if split.len() > run.bytes && value.len() + split.len() - run.bytes > limit_bytes {
        return Ok(Raised::TooLarge);
    }
    value.splice(at..at + run.bytes, split);
    join(value, found.before.unwrap_or(HEADER_BYTES));
    Ok(Raised::Yes)
}

/// Joins neighbours of the same rank, looking at a few runs from `at` on.
fn join(value: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOINED_RUNS {
        let Some(run) = Run::decode(&value[at.min(value.len())..]) else {
            return;
        };
        let next = Run::decode(&value[at + run.bytes..]);
        match next {
            Some(next)
                if run.rank > 0 && next.rank == run.rank && run.len + next.len <= MAX_RANKS =>
            {
                value[at + 1] = ranks(run.rank, run.len + next.len);
                value.remove(at);
            }
            _ => at += run.bytes,
        }
    }
}
