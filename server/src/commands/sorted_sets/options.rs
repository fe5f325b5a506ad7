//! Ranges as clients name them: ranks, scores, words.

use std::ops::Range;

use basalt_tiering::{Fault, score_bytes};

use super::zset::{Scored, ZSet, place};
use crate::args::integer;
use crate::errors::{self, Error};

/// An end of a range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ScoreBound {
    score: f64,
    open: bool,
}

/// A decimal number that is too large or too small for a float: a bound may be, a score not.
fn beyond(text: &[u8]) -> Option<f64> {
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+"));
    let is_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    let begins = matches!(digits.unwrap_or(text).first(), Some(b'0'..=b'9' | b'.'));
    (begins && text.iter().all(is_number))
        .then(|| std::str::from_utf8(text).ok()?.parse().ok())
        .flatten()
}

impl ScoreBound {
    pub(super) fn parse(arg: &[u8]) -> Result<Self, Error> {
        let (open, text) = match arg {
            [b'(', text @ ..] => (true, text),
            text => (false, text),
        };
        // As C reads it, nothing is zero.
        let score = if text.is_empty() {
            Some(0.0)
        } else {
            basalt_resp::parse_f64(text).or_else(|| beyond(text))
        };
        let score = score.ok_or(errors::NOT_A_SCORE_RANGE)?;
        Ok(ScoreBound { score, open })
    }

    /// Where members of this score begin, or where they end.
    fn edge(self, behind: bool) -> Vec<u8> {
        let bytes = u64::from_be_bytes(score_bytes(self.score));
        // No score has all bits set.
        (bytes + u64::from(behind)).to_be_bytes().to_vec()
    }
}

/// An end of a range of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LexBound<'a> {
    Least,
    Greatest,
    Closed(&'a [u8]),
    Open(&'a [u8]),
}

impl<'a> LexBound<'a> {
    pub(super) fn parse(arg: &'a [u8]) -> Result<Self, Error> {
        match arg {
            b"-" => Ok(LexBound::Least),
            b"+" => Ok(LexBound::Greatest),
            [b'[', word @ ..] => Ok(LexBound::Closed(word)),
            [b'(', word @ ..] => Ok(LexBound::Open(word)),
            _ => Err(errors::NOT_A_LEX_RANGE),
        }
    }
}

/// Which members are meant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Selection<'a> {
    Ranks(i64, i64),
    Scores(ScoreBound, ScoreBound),
    /// Among members of the same score.
    Words(LexBound<'a>, LexBound<'a>),
}

impl<'a> Selection<'a> {
    pub(super) fn ranks(start: &[u8], stop: &[u8]) -> Result<Self, Error> {
        Ok(Selection::Ranks(integer(start)?, integer(stop)?))
    }

    pub(super) fn scores(min: &[u8], max: &[u8]) -> Result<Self, Error> {
        Ok(Selection::Scores(
            ScoreBound::parse(min)?,
            ScoreBound::parse(max)?,
        ))
    }

    pub(super) fn words(min: &'a [u8], max: &'a [u8]) -> Result<Self, Error> {
        Ok(Selection::Words(
            LexBound::parse(min)?,
            LexBound::parse(max)?,
        ))
    }

    /// Their ranks, in ascending order; ranks of a reversed selection count from the end.
    pub(super) fn resolve(self, set: &ZSet<'_, '_>, reverse: bool) -> Result<Range<u64>, Fault> {
        let len = set.len();
        let (start, end) = match self {
            Selection::Ranks(start, stop) => {
                let range = rank_range(start, stop, len);
                if reverse {
                    (len - range.end, len - range.start)
                } else {
                    (range.start, range.end)
                }
            }
            Selection::Scores(min, max) => (
                set.rank(&min.edge(min.open))?.0,
                set.rank(&max.edge(!max.open))?.0,
            ),
            Selection::Words(min, max) if is_mixed(set)? => {
                let range = walk_words(set, min, max, reverse)?;
                (range.start, range.end)
            }
            Selection::Words(min, max) => (word_rank(set, min, false)?, word_rank(set, max, true)?),
        };
        Ok(start..end.max(start))
    }
}

/// True for a small set whose members have different scores. Ranges of words mean nothing there, but of what Redis keeps as
/// a listpack it answers what it meets on its way, and clients have come to know that.
fn is_mixed(set: &ZSet<'_, '_>) -> Result<bool, Fault> {
    /// Default of `zset-max-listpack-entries`.
    const MOST: u64 = 128;
    if !(2..=MOST).contains(&set.len()) {
        return Ok(false);
    }
    let (first, last) = (set.at(0)?, set.at(set.len() - 1)?);
    Ok(first.map(|(_, score)| score) != last.map(|(_, score)| score))
}

/// From the first member that the near bound lets pass to the last before one that the far bound does not.
fn walk_words(
    set: &ZSet<'_, '_>,
    min: LexBound<'_>,
    max: LexBound<'_>,
    reverse: bool,
) -> Result<Range<u64>, Fault> {
    let members = set.members(0..set.len(), false)?;
    let above = |(member, _): &Scored| match min {
        LexBound::Least => true,
        LexBound::Greatest => false,
        LexBound::Closed(word) => &member[..] >= word,
        LexBound::Open(word) => &member[..] > word,
    };
    let below = |(member, _): &Scored| match max {
        LexBound::Least => false,
        LexBound::Greatest => true,
        LexBound::Closed(word) => &member[..] <= word,
        LexBound::Open(word) => &member[..] < word,
    };
    // It does not begin to walk where the members at the ends are beyond the bounds.
    if !members.last().is_some_and(above) || !members.first().is_some_and(below) {
        return Ok(0..0);
    }
    let (start, end) = if reverse {
        let end = members.iter().rposition(below).map_or(0, |last| last + 1);
        let count = members[..end].iter().rev().take_while(|m| above(m)).count();
        (end - count, end)
    } else {
        let start = members.iter().position(above).unwrap_or(members.len());
        let count = members[start..].iter().take_while(|m| below(m)).count();
        (start, start + count)
    };
    Ok(start as u64..end as u64)
}

/// How many members stand before a bound; a closed upper one has its own word before it.
fn word_rank(set: &ZSet<'_, '_>, bound: LexBound<'_>, is_upper: bool) -> Result<u64, Fault> {
    let (word, is_open) = match bound {
        LexBound::Least => return Ok(0),
        LexBound::Greatest => return Ok(set.len()),
        LexBound::Closed(word) => (word, false),
        LexBound::Open(word) => (word, true),
    };
    let Some((_, score)) = set.at(0)? else {
        return Ok(0);
    };
    let (before, is_there) = set.rank(&place(score, word))?;
    Ok(before + u64::from(is_there && is_open != is_upper))
}

/// The ranks from `start` to `stop` inclusive; negative ones count from the end.
fn rank_range(start: i64, stop: i64, len: u64) -> Range<u64> {
    let len = len as i64;
    let from_end = |rank: i64| {
        if rank < 0 {
            rank.saturating_add(len)
        } else {
            rank
        }
    };
    let (start, stop) = (from_end(start).max(0), from_end(stop).min(len - 1));
    if start > stop {
        0..0
    } else {
        start as u64..stop as u64 + 1
    }
}

/// LIMIT: how many are passed over, and how many follow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) offset: i64,
    pub(super) count: i64,
}

impl Limit {
    /// No limit.
    pub(super) const NONE: Limit = Limit {
        offset: 0,
        count: -1,
    };

    /// What is left of a range; a negative offset leaves nothing, a negative count everything behind the offset.
    pub(super) fn cut(self, ranks: Range<u64>, reverse: bool) -> Range<u64> {
        let len = ranks.end - ranks.start;
        let Ok(offset) = u64::try_from(self.offset) else {
            return 0..0;
        };
        let offset = offset.min(len);
        let count = u64::try_from(self.count).map_or(len - offset, |count| count.min(len - offset));
        if reverse {
            let end = ranks.end - offset;
            end - count..end
        } else {
            let start = ranks.start + offset;
            start..start + count
        }
    }
}
