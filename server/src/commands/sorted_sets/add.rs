//! ZADD and ZINCRBY. They depend on the key alone, so the command is the effect, if it changed anything.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::zset::{ZSet, place};
use crate::args::is;
use crate::commands::{Ctx, Outcome, Stop};
use crate::errors::{self, Error};

/// The options of ZADD.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    only_new: bool,
    only_present: bool,
    only_greater: bool,
    only_less: bool,
    counts_changes: bool,
    increments: bool,
}

impl Options {
    /// Reads options from argument 2 on; the second result is where they end.
    fn parse(ctx: &Ctx<'_, '_>) -> (Self, usize) {
        let mut options = Options::default();
        let mut at = 2;
        while let Some(word) = ctx.args.get(at) {
            let option = match word {
                _ if is(word, "NX") => &mut options.only_new,
                _ if is(word, "XX") => &mut options.only_present,
                _ if is(word, "GT") => &mut options.only_greater,
                _ if is(word, "LT") => &mut options.only_less,
                _ if is(word, "CH") => &mut options.counts_changes,
                _ if is(word, "INCR") => &mut options.increments,
                _ => break,
            };
            *option = true;
            at += 1;
        }
        (options, at)
    }

    fn check(self, words: usize) -> Result<(), Error> {
        if words == 0 || words % 2 == 1 {
            return Err(errors::SYNTAX);
        }
        if self.only_new && self.only_present {
            return Err(errors::ZADD_NX_XX);
        }
        let compares = u8::from(self.only_greater) + u8::from(self.only_less);
        if compares + u8::from(self.only_new) > 1 {
            return Err(errors::ZADD_GT_LT_NX);
        }
        if self.increments && words > 2 {
            return Err(errors::ZADD_INCR_PAIRS);
        }
        Ok(())
    }

    /// The score a member gets, if it is to change; `old` is the one it has.
    fn new_score(self, old: Option<f64>, given: f64) -> Result<Option<f64>, Error> {
        let Some(old) = old else {
            return Ok((!self.only_present).then_some(given));
        };
        if self.only_new {
            return Ok(None);
        }
        let new = if self.increments { old + given } else { given };
        if new.is_nan() {
            return Err(errors::SCORE_NOT_A_NUMBER);
        }
        let is_held_back = (self.only_greater && new <= old) || (self.only_less && new >= old);
        Ok((!is_held_back).then_some(new))
    }
}

pub(super) fn zadd(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (options, at) = Options::parse(ctx);
    add(ctx, options, at)
}

pub(super) fn zincrby(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = Options {
        increments: true,
        ..Options::default()
    };
    add(ctx, options, 2)
}

/// A change to be made.
struct Change<'a> {
    member: &'a [u8],
    old: Option<f64>,
    new: f64,
}

/// What a command changes.
#[derive(Default)]
struct Plan<'a> {
    changes: SmallVec<[Change<'a>; 1]>,
    added: i64,
    updated: i64,
    /// The score after an increment, if there was one.
    score: Option<f64>,
}

impl<'a> Plan<'a> {
    fn note(&mut self, change: Change<'a>) {
        match change.old {
            None => self.added += 1,
            Some(_) => self.updated += 1,
        }
        self.changes.push(change);
    }
}

fn add(ctx: &mut Ctx<'_, '_>, options: Options, at: usize) -> Outcome {
    let words = ctx.args.tail(at);
    options.check(words.len())?;
    let mut pairs = SmallVec::<[_; 1]>::with_capacity(words.len() / 2);
    for index in (0..words.len()).step_by(2) {
        let score = words.get(index).and_then(basalt_resp::parse_f64);
        let member = words.get(index + 1).unwrap_or_default();
        // Zero has no sign here.
        pairs.push((score.ok_or(errors::NOT_A_FLOAT)? + 0.0, member));
    }
    let plan = carry_out(ctx, options, &pairs)?;
    if !plan.changes.is_empty() {
        ctx.effects.as_given(ctx.db, ctx.args);
    }
    match plan.score {
        _ if !options.increments => {
            let updated = if options.counts_changes {
                plan.updated
            } else {
                0
            };
            ctx.out.integer(plan.added + updated);
        }
        Some(score) => ctx.out.double(score),
        None => ctx.out.null(),
    }
    Ok(())
}

/// Which members get their score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands) enum Only {
    /// All of them.
    All,
    /// Those that are not there yet.
    New,
    /// Those that are there.
    Present,
}

/// Gives members their scores in the set at the first key; answers how many were added and how many changed. It is
/// not logged.
pub(in crate::commands) fn give_scores(
    ctx: &mut Ctx<'_, '_>,
    only: Only,
    pairs: &[(f64, &[u8])],
) -> Result<(i64, i64), Stop> {
    let options = Options {
        only_new: only == Only::New,
        only_present: only == Only::Present,
        ..Options::default()
    };
    let plan = carry_out(ctx, options, pairs)?;
    Ok((plan.added, plan.updated))
}

fn carry_out<'a>(
    ctx: &mut Ctx<'_, '_>,
    options: Options,
    pairs: &[(f64, &'a [u8])],
) -> Result<Plan<'a>, Stop> {
    let mut set = ZSet::open(ctx.tx, &ctx.keys[0])?;
    if let [(given, member)] = *pairs {
        return give_one(&mut set, options, given, member);
    }
    set.prefault_members(pairs.iter().map(|(_, member)| *member))?;
    let plan = plan(&set, options, pairs)?;
    let places = plan.changes.iter().flat_map(|change| {
        let old = change.old.map(|old| place(old, change.member));
        old.into_iter().chain([place(change.new, change.member)])
    });
    set.prefault_places(&places.collect::<Vec<_>>())?;
    for change in &plan.changes {
        set.put(change.member, change.old, change.new)?;
    }
    Ok(plan)
}

/// As [`carry_out`] does for many, but each tree is searched once.
fn give_one<'a>(
    set: &mut ZSet<'_, '_>,
    options: Options,
    given: f64,
    member: &'a [u8],
) -> Result<Plan<'a>, Stop> {
    let mut plan = Plan::default();
    let (seat, old) = set.find(member)?;
    let Some(new) = options.new_score(old, given)? else {
        return Ok(plan);
    };
    plan.score = Some(new);
    if old != Some(new) {
        plan.note(Change { member, old, new });
        set.put_at(&seat, member, old, new)?;
    }
    Ok(plan)
}

fn plan<'a>(
    set: &ZSet<'_, '_>,
    options: Options,
    pairs: &[(f64, &'a [u8])],
) -> Result<Plan<'a>, Stop> {
    let mut plan = Plan::default();
    // A member may be named twice: then the first change counts for the second.
    let mut planned: HashMap<&[u8], f64> = HashMap::new();
    for (given, member) in pairs {
        let old = match planned.get(member) {
            Some(score) => Some(*score),
            None => set.score(member)?,
        };
        let Some(new) = options.new_score(old, *given)? else {
            continue;
        };
        plan.score = Some(new);
        if old != Some(new) {
            planned.insert(member, new);
            plan.note(Change { member, old, new });
        }
    }
    Ok(plan)
}
