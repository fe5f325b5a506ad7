//! ZUNION, ZINTER, ZDIFF, with and without STORE, and ZINTERCARD, over sorted sets and sets, whose members count 1.

use std::collections::HashMap;
use std::ops::ControlFlow;

use basalt_tiering::{Key, Kind, MAIN};

use super::range::{begin_members, push_member};
use super::zset::{Scored, ZSet, store};
use crate::args::{Cursor, integer, is};
use crate::commands::collection::collection;
use crate::commands::sets::limit;
use crate::commands::{Ctx, Outcome, Stop};
use crate::errors::{self, Error};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            // Infinities of both signs make nothing.
            Aggregate::Sum if (a + b).is_nan() => 0.0,
            Aggregate::Sum => a + b,
            Aggregate::Min => a.min(b),
            Aggregate::Max => a.max(b),
        }
    }
}

/// A command: what it does, and where its keys are.
#[derive(Clone, Copy, Debug)]
struct Form {
    name: &'static str,
    operation: Operation,
    stores: bool,
}

const fn form(name: &'static str, operation: Operation, stores: bool) -> Form {
    Form {
        name,
        operation,
        stores,
    }
}

pub(super) fn zunion(ctx: &mut Ctx<'_, '_>) -> Outcome {
    run(ctx, form("zunion", Operation::Union, false))
}

pub(super) fn zinter(ctx: &mut Ctx<'_, '_>) -> Outcome {
    run(ctx, form("zinter", Operation::Intersection, false))
}

pub(super) fn zdiff(ctx: &mut Ctx<'_, '_>) -> Outcome {
    run(ctx, form("zdiff", Operation::Difference, false))
}

pub(super) fn zunionstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    run(ctx, form("zunionstore", Operation::Union, true))
}

pub(super) fn zinterstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    run(ctx, form("zinterstore", Operation::Intersection, true))
}

pub(super) fn zdiffstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    run(ctx, form("zdiffstore", Operation::Difference, true))
}

/// The source keys of a call; an error if their number is wrong.
fn sources<'a>(ctx: &Ctx<'a, '_>, form: Form) -> Result<&'a [Key<'a>], Error> {
    let first = usize::from(form.stores);
    let count = integer(&ctx.args[1 + first])?;
    if count < 1 {
        return Err(errors::no_input_keys(form.name));
    }
    let keys = ctx.keys.get(first..).unwrap_or_default();
    if keys.len() as i64 == count {
        Ok(keys)
    } else {
        Err(errors::SYNTAX)
    }
}

/// What follows the keys.
struct Options {
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
}

impl Options {
    fn parse(mut args: Cursor<'_>, keys: usize, form: Form) -> Result<Self, Error> {
        let mut options = Options {
            weights: vec![1.0; keys],
            aggregate: Aggregate::Sum,
            with_scores: false,
        };
        let combines = form.operation != Operation::Difference;
        while let Some(word) = args.next() {
            if combines && is(word, "WEIGHTS") {
                let words: Vec<&[u8]> = args.by_ref().take(keys).collect();
                if words.len() < keys {
                    return Err(errors::SYNTAX);
                }
                for (weight, word) in options.weights.iter_mut().zip(words) {
                    *weight = basalt_resp::parse_f64(word).ok_or(errors::NOT_A_WEIGHT)?;
                }
            } else if combines && is(word, "AGGREGATE") {
                options.aggregate = match args.value()? {
                    word if is(word, "SUM") => Aggregate::Sum,
                    word if is(word, "MIN") => Aggregate::Min,
                    word if is(word, "MAX") => Aggregate::Max,
                    _ => return Err(errors::SYNTAX),
                };
            } else if !form.stores && is(word, "WITHSCORES") {
                options.with_scores = true;
            } else {
                return Err(errors::SYNTAX);
            }
        }
        Ok(options)
    }
}

fn run(ctx: &mut Ctx<'_, '_>, form: Form) -> Outcome {
    let keys = sources(ctx, form)?;
    let behind = 2 + usize::from(form.stores) + keys.len();
    // Types are looked at before options.
    for key in keys {
        size(ctx, key)?;
    }
    let options = Options::parse(Cursor::at(ctx.args, behind), keys.len(), form)?;
    let members = combine(ctx, keys, form.operation, &options)?;
    if form.stores {
        let stored = members.len();
        store(ctx, &ctx.keys[0], members)?;
        ctx.out.integer(stored as i64);
        return Ok(());
    }
    begin_members(&mut ctx.out, members.len(), options.with_scores);
    for (member, score) in &members {
        push_member(&mut ctx.out, member, options.with_scores.then_some(*score));
    }
    Ok(())
}

pub(super) fn zintercard(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let form = form("zintercard", Operation::Intersection, false);
    let keys = sources(ctx, form)?;
    for key in keys {
        size(ctx, key)?;
    }
    let limit = limit(Cursor::at(ctx.args, 2 + keys.len()))?;
    let options = Options {
        weights: vec![1.0; keys.len()],
        aggregate: Aggregate::Sum,
        with_scores: false,
    };
    let found = combine(ctx, keys, form.operation, &options)?.len() as i64;
    ctx.out
        .integer(if limit > 0 { found.min(limit) } else { found });
    Ok(())
}

fn is_set(ctx: &mut Ctx<'_, '_>, key: &Key<'_>) -> Result<bool, Stop> {
    let value = ctx.tx.peek(key)?;
    Ok(value.is_some_and(|value| value.kind == Kind::Set))
}

/// How many members a key has.
fn size(ctx: &mut Ctx<'_, '_>, key: &Key<'_>) -> Result<u64, Stop> {
    if is_set(ctx, key)? {
        Ok(collection(ctx.tx, key, Kind::Set)?.len(MAIN))
    } else {
        Ok(ZSet::open(ctx.tx, key)?.len())
    }
}

/// Calls `visit` with each member of a key and its score.
fn each(
    ctx: &mut Ctx<'_, '_>,
    key: &Key<'_>,
    mut visit: impl FnMut(&[u8], f64),
) -> Result<(), Stop> {
    if is_set(ctx, key)? {
        let set = collection(ctx.tx, key, Kind::Set)?;
        set.each(MAIN, 0..set.len(MAIN), false, |member, _| {
            visit(member, 1.0);
            ControlFlow::Continue(())
        })?;
    } else {
        let set = ZSet::open(ctx.tx, key)?;
        set.each(0..set.len(), false, visit)?;
    }
    Ok(())
}

/// The scores that `members` have in a key.
fn scores(
    ctx: &mut Ctx<'_, '_>,
    key: &Key<'_>,
    members: &[Scored],
) -> Result<Vec<Option<f64>>, Stop> {
    let names = || members.iter().map(|(member, _)| member.as_slice());
    let mut scores = Vec::with_capacity(members.len());
    if is_set(ctx, key)? {
        let set = collection(ctx.tx, key, Kind::Set)?;
        set.prefault(MAIN, names())?;
        for member in names() {
            scores.push(set.contains(MAIN, member)?.then_some(1.0));
        }
    } else {
        let set = ZSet::open(ctx.tx, key)?;
        set.prefault_members(names())?;
        for member in names() {
            scores.push(set.score(member)?);
        }
    }
    Ok(scores)
}

fn weighted(score: f64, weight: f64) -> f64 {
    let product = score * weight;
    if product.is_nan() { 0.0 } else { product + 0.0 }
}

/// The combined members, by score and then by name.
fn combine(
    ctx: &mut Ctx<'_, '_>,
    keys: &[Key<'_>],
    operation: Operation,
    options: &Options,
) -> Result<Vec<Scored>, Stop> {
    let mut members = match operation {
        Operation::Union => union(ctx, keys, options)?,
        Operation::Intersection => intersection(ctx, keys, options)?,
        Operation::Difference => difference(ctx, keys)?,
    };
    members.sort_by(|(a, x), (b, y)| x.total_cmp(y).then_with(|| a.cmp(b)));
    Ok(members)
}

fn union(ctx: &mut Ctx<'_, '_>, keys: &[Key<'_>], options: &Options) -> Result<Vec<Scored>, Stop> {
    let mut all: HashMap<Vec<u8>, f64> = HashMap::new();
    for (key, weight) in keys.iter().zip(&options.weights) {
        each(ctx, key, |member, score| {
            let score = weighted(score, *weight);
            match all.get_mut(member) {
                Some(sum) => *sum = options.aggregate.of(*sum, score),
                None => _ = all.insert(member.to_vec(), score),
            }
        })?;
    }
    Ok(all.into_iter().collect())
}

/// The smallest one is walked, the others are asked.
fn intersection(
    ctx: &mut Ctx<'_, '_>,
    keys: &[Key<'_>],
    options: &Options,
) -> Result<Vec<Scored>, Stop> {
    let mut order = Vec::with_capacity(keys.len());
    for (index, key) in keys.iter().enumerate() {
        order.push((size(ctx, key)?, index));
    }
    order.sort_unstable();
    let mut found: Vec<Scored> = Vec::new();
    for (nth, (_, index)) in order.into_iter().enumerate() {
        let (key, weight) = (&keys[index], options.weights[index]);
        if nth == 0 {
            each(ctx, key, |member, score| {
                found.push((member.to_vec(), weighted(score, weight)));
            })?;
            continue;
        }
        let scores = scores(ctx, key, &found)?;
        let both = found.into_iter().zip(scores);
        let combined = both.filter_map(|((member, sum), score)| {
            // An infinity without weight is nothing by itself, but spoils a sum and yields to other scores here. (As in Redis,
            // which takes it for 0 in unions and in the set it walks.)
            let score = score? * weight + 0.0;
            Some((member, options.aggregate.of(sum, score)))
        });
        found = combined.collect();
    }
    Ok(found)
}

fn difference(ctx: &mut Ctx<'_, '_>, keys: &[Key<'_>]) -> Result<Vec<Scored>, Stop> {
    let mut found: Vec<Scored> = Vec::new();
    each(ctx, &keys[0], |member, score| {
        found.push((member.to_vec(), score));
    })?;
    for key in &keys[1..] {
        let mut scores = scores(ctx, key, &found)?.into_iter();
        found.retain(|_| matches!(scores.next(), Some(None)));
    }
    Ok(found)
}
