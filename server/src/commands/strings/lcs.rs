//! LCS: the longest common subsequence of two strings.
//!
//! The usual table of lengths, of which only one row is kept. The way back from its corner needs no
//! lengths, only where to turn when the bytes differ: one bit per cell. Among several longest subsequences
//! the way back picks the one that Redis picks.

use basalt_tiering::{Key, OpenError};

use super::max_string_bytes;
use crate::args::{Cursor, integer, is};
use crate::commands::{Ctx, Outcome, Stop};
use crate::errors::{self, Error};

/// Bytes per cell in Redis' table; its limit on the table's size is ours on the work.
const CELL_BYTES: usize = 4;

pub(super) fn lcs(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let limit = max_string_bytes(ctx);
    let (a, b) = (operand(ctx, &ctx.keys[0])?, operand(ctx, &ctx.keys[1])?);
    let (a, b) = (&a[..], &b[..]);
    let options = Options::parse(Cursor::at(ctx.args, 3))?;
    let cells = (a.len() + 1).saturating_mul(b.len() + 1);
    if cells.saturating_mul(CELL_BYTES) > limit {
        return Err(errors::LCS_TOO_LARGE.into());
    }
    if options.len {
        ctx.out.integer(common_length(a, b, |_, _, _| {}) as i64);
        return Ok(());
    }
    let runs = common_runs(a, b);
    if options.idx {
        write_runs(ctx, &runs, &options);
    } else {
        ctx.out.bulk(subsequence(a, &runs));
    }
    Ok(())
}

/// A string to be compared; the locked slots lend one value at a time only.
fn operand(ctx: &mut Ctx<'_, '_>, key: &Key<'_>) -> Result<Vec<u8>, Stop> {
    match ctx.tx.text(key) {
        Ok(Some(text)) => Ok(text.bytes()?.into_owned()),
        Ok(None) => Ok(Vec::new()),
        Err(OpenError::Fault) => Err(Stop::Fault),
        Err(OpenError::WrongKind) => Err(errors::LCS_NOT_STRINGS.into()),
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    len: bool,
    idx: bool,
    with_match_len: bool,
    min_match_len: usize,
}

impl Options {
    fn parse(mut args: Cursor<'_>) -> Result<Self, Error> {
        let mut options = Options::default();
        while let Some(word) = args.next() {
            if is(word, "LEN") {
                options.len = true;
            } else if is(word, "IDX") {
                options.idx = true;
            } else if is(word, "WITHMATCHLEN") {
                options.with_match_len = true;
            } else if is(word, "MINMATCHLEN") {
                // A negative length asks for nothing.
                options.min_match_len = usize::try_from(integer(args.value()?)?).unwrap_or(0);
            } else {
                return Err(errors::SYNTAX);
            }
        }
        if options.len && options.idx {
            Err(errors::LCS_LEN_AND_IDX)
        } else {
            Ok(options)
        }
    }
}

/// Bytes that follow each other in both strings.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    /// Where it starts in the first string.
    a: usize,
    /// Where it starts in the second.
    b: usize,
    len: usize,
}

/// Length of the longest common subsequence of `a` and `b`. `differ(i, j, turn)` is told of each pair of
/// different bytes whether the longer subsequence leaves out byte `i` of `a` rather than byte `j` of `b`.
fn common_length(a: &[u8], b: &[u8], mut differ: impl FnMut(usize, usize, bool)) -> usize {
    // Of the bytes of `a` so far and the first `j` of `b`.
    let mut row = vec![0u32; b.len() + 1];
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = 0;
        let mut left = 0;
        for (j, (y, cell)) in b.iter().zip(row.iter_mut().skip(1)).enumerate() {
            let above = *cell;
            *cell = if x == y {
                diagonal + 1
            } else {
                differ(i, j, above > left);
                above.max(left)
            };
            left = *cell;
            diagonal = above;
        }
    }
    row[b.len()] as usize
}

/// The longest common subsequence of `a` and `b` in runs, the last first.
fn common_runs(a: &[u8], b: &[u8]) -> Vec<Run> {
    const WORD_BITS: usize = u64::BITS as usize;
    let mut turns = vec![0u64; (a.len() * b.len()).div_ceil(WORD_BITS)];
    common_length(a, b, |i, j, turn| {
        let cell = i * b.len() + j;
        turns[cell / WORD_BITS] |= u64::from(turn) << (cell % WORD_BITS);
    });
    let mut runs = Vec::new();
    let (mut i, mut j) = (a.len(), b.len());
    while i > 0 && j > 0 {
        let end = i;
        while i > 0 && j > 0 && a[i - 1] == b[j - 1] {
            i -= 1;
            j -= 1;
        }
        if end > i {
            runs.push(Run {
                a: i,
                b: j,
                len: end - i,
            });
            continue;
        }
        let cell = (i - 1) * b.len() + j - 1;
        if turns[cell / WORD_BITS] >> (cell % WORD_BITS) & 1 == 1 {
            i -= 1;
        } else {
            j -= 1;
        }
    }
    runs
}

fn subsequence(a: &[u8], runs: &[Run]) -> Vec<u8> {
    runs.iter()
        .rev()
        .flat_map(|run| &a[run.a..run.a + run.len])
        .copied()
        .collect()
}

fn write_runs(ctx: &mut Ctx<'_, '_>, runs: &[Run], options: &Options) {
    let shown = || runs.iter().filter(|run| run.len >= options.min_match_len);
    let out = &mut ctx.out;
    out.map(2);
    out.bulk("matches");
    out.array(shown().count());
    for run in shown() {
        out.array(if options.with_match_len { 3 } else { 2 });
        for start in [run.a, run.b] {
            out.array(2);
            out.integer(start as i64);
            out.integer((start + run.len - 1) as i64);
        }
        if options.with_match_len {
            out.integer(run.len as i64);
        }
    }
    out.bulk("len");
    out.integer(runs.iter().map(|run| run.len).sum::<usize>() as i64);
}

#[cfg(test)]
mod tests {
    use basalt_resp::OwnedArgs;

    use super::*;

    fn runs(a: &str, b: &str) -> Vec<(usize, usize, usize)> {
        common_runs(a.as_bytes(), b.as_bytes())
            .iter()
            .map(|run| (run.a, run.b, run.len))
            .collect()
    }

    /// Each case was sent to a redis-server 7.0 as LCS … IDX and answered so.
    #[test]
    fn runs_are_those_redis_finds() {
        assert_eq!(runs("ohmytext", "mynewtext"), [(4, 5, 4), (2, 0, 2)]);
        assert_eq!(runs("abcbdab", "bdcaba"), [(5, 3, 2), (3, 0, 2)]);
        assert_eq!(runs("same", "same"), [(0, 0, 4)]);
        assert_eq!(runs("abc", "xyz"), []);
        assert_eq!(runs("", "abc"), []);
        assert_eq!(runs("abc", ""), []);
    }

    /// The length by its definition.
    fn by_definition(a: &[u8], b: &[u8]) -> usize {
        match (a.split_last(), b.split_last()) {
            (Some((x, a)), Some((y, b))) if x == y => by_definition(a, b) + 1,
            (Some((_, shorter_a)), Some((_, shorter_b))) => {
                by_definition(shorter_a, b).max(by_definition(a, shorter_b))
            }
            _ => 0,
        }
    }

    proptest::proptest! {
        #[test]
        fn the_subsequence_is_common_and_longest(a in "[abc]{0,9}", b in "[abc]{0,9}") {
            let (a, b) = (a.as_bytes(), b.as_bytes());
            let runs = common_runs(a, b);
            let found = subsequence(a, &runs);
            let in_b: Vec<u8> =
                runs.iter().rev().flat_map(|run| &b[run.b..run.b + run.len]).copied().collect();
            proptest::prop_assert_eq!(&found, &in_b);
            proptest::prop_assert_eq!(found.len(), by_definition(a, b));
            proptest::prop_assert_eq!(found.len(), common_length(a, b, |_, _, _| {}));
            for pair in runs.windows(2) {
                proptest::prop_assert!(pair[1].a + pair[1].len <= pair[0].a);
                proptest::prop_assert!(pair[1].b + pair[1].len <= pair[0].b);
            }
        }
    }

    #[test]
    fn options_are_read_and_refused_as_in_redis() {
        let parse = |line: &str| {
            let owned = OwnedArgs::from_slices(&line.split_whitespace().collect::<Vec<_>>());
            Options::parse(Cursor::at(&owned.as_args(), 0))
        };
        assert_eq!(parse(""), Ok(Options::default()));
        assert_eq!(
            parse("idx WithMatchLen minmatchlen 4"),
            Ok(Options {
                len: false,
                idx: true,
                with_match_len: true,
                min_match_len: 4
            })
        );
        assert_eq!(parse("MINMATCHLEN -4"), Ok(Options::default()));
        assert_eq!(parse("LEN IDX"), Err(errors::LCS_LEN_AND_IDX));
        assert_eq!(parse("MINMATCHLEN"), Err(errors::SYNTAX));
        assert_eq!(parse("MINMATCHLEN x"), Err(errors::NOT_AN_INTEGER));
        assert_eq!(parse("foo"), Err(errors::SYNTAX));
    }
}
