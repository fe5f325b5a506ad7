//! BF.RESERVE, BF.ADD, BF.MADD, BF.INSERT.
//!
//! What is logged: a filter that is made, as BF.RESERVE with its parameters; items, as BF.ADD or BF.MADD of those that
//! changed something.

use basalt_resp::{parse_f64, parse_i64};
use basalt_tiering::Kind;

use super::filter::{Filter, Full, Parameters};
use super::place::Place;
use crate::args::is;
use crate::commands::collection::collection;
use crate::commands::{Ctx, Outcome};
use crate::errors::{self, Error};

const RATE: Error = Error::new("ERR bad error rate");
const RATE_RANGE: Error = Error::new("ERR (0 < error rate range < 1) ");
const CAPACITY: Error = Error::new("ERR bad capacity");
const CAPACITY_RANGE: Error = Error::new("ERR (capacity should be larger than 0)");
const NO_EXPANSION: Error = Error::new("ERR no expansion");
const EXPANSION: Error = Error::new("ERR bad expansion");
const FIXED_AND_EXPANDING: Error = Error::new("Nonscaling filters cannot expand");
const EXISTS: Error = Error::new("ERR item exists");
const TOO_LARGE: Error = Error::new("ERR could not create filter");
const INSERT_RATE: Error = Error::new("Bad error rate");
const INSERT_EXPANSION: Error = Error::new("Bad expansion");
const INSERT_CAPACITY: Error = Error::new("Bad capacity");
const INSERT_WORD: Error = Error::new("Unknown argument received");
const INSERT_RANGE: Error = Error::new("Bad argument received");
const FULL: Error = Error::new("ERR non scaling filter is full");
const NO_MORE_LAYERS: Error = Error::new("ERR problem inserting into filter");

impl From<Full> for Error {
    fn from(full: Full) -> Error {
        match full {
            Full::Fixed => FULL,
            Full::Layers => NO_MORE_LAYERS,
        }
    }
}

pub(super) fn reserve(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let parameters = reserve_parameters(ctx)?;
    let mut open = collection(ctx.tx, &ctx.keys[0], Kind::Bloom)?;
    if open.existed() {
        return Err(EXISTS.into());
    }
    let filter = Filter::new(parameters).ok_or(TOO_LARGE)?;
    open.set_extra(&filter.encode());
    drop(open);
    log_reserve(ctx, &parameters);
    ctx.out.ok();
    Ok(())
}

fn reserve_parameters(ctx: &Ctx<'_, '_>) -> Result<Parameters, Error> {
    let args = ctx.args;
    if args.len() > 7 {
        return Err(errors::wrong_arity("bf.reserve"));
    }
    let error = parse_f64(&args[2]).ok_or(RATE)?;
    if !(error > 0.0 && error < 1.0) {
        return Err(RATE_RANGE);
    }
    let capacity = parse_i64(&args[3]).ok_or(CAPACITY)?;
    let capacity = u64::try_from(capacity)
        .ok()
        .filter(|n| *n > 0)
        .ok_or(CAPACITY_RANGE)?;
    let place = |word: &str| (4..args.len()).find(|at| is(&args[*at], word));
    let fixed = place("NONSCALING").is_some();
    let mut expansion = Parameters::default().expansion;
    if let Some(at) = place("EXPANSION") {
        let value = args.get(at + 1).ok_or(NO_EXPANSION)?;
        if fixed {
            return Err(FIXED_AND_EXPANDING);
        }
        let value = parse_i64(value).and_then(|n| u32::try_from(n).ok());
        expansion = value.ok_or(EXPANSION)?;
    }
    Ok(Parameters {
        error,
        capacity,
        expansion: if fixed { 0 } else { expansion },
    })
}

fn log_reserve(ctx: &mut Ctx<'_, '_>, parameters: &Parameters) {
    // A number is printed with the fewest digits that read back as the same.
    let error = parameters.error.to_string();
    let (capacity, expansion) = (
        parameters.capacity.to_string(),
        parameters.expansion.to_string(),
    );
    let mut words: Vec<&[u8]> = vec![
        b"BF.RESERVE",
        ctx.keys[0].bytes,
        error.as_bytes(),
        capacity.as_bytes(),
    ];
    match parameters.expansion {
        0 => words.push(b"NONSCALING"),
        _ => words.extend([b"EXPANSION".as_slice(), expansion.as_bytes()]),
    }
    ctx.effects.command(ctx.db, &words);
}

pub(super) fn add(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let results = add_all(ctx, 2, Some(Parameters::default()))?;
    match results.into_iter().next().expect("one item was given") {
        Ok(added) => reply_bool(ctx, added),
        Err(full) => return Err(Error::from(full).into()),
    }
    Ok(())
}

pub(super) fn madd(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let results = add_all(ctx, 2, Some(Parameters::default()))?;
    reply_all(ctx, results);
    Ok(())
}

pub(super) fn insert(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (items, parameters) = insert_options(ctx)?;
    let results = add_all(ctx, items, parameters)?;
    reply_all(ctx, results);
    Ok(())
}

/// Where the items begin, and the parameters of a filter that is made (none with NOCREATE).
fn insert_options(ctx: &Ctx<'_, '_>) -> Result<(usize, Option<Parameters>), Error> {
    let args = ctx.args;
    let incomplete = || errors::wrong_arity("bf.insert");
    let (mut error, mut capacity, mut expansion) = (0.01, 100i64, 2i64);
    let (mut creates, mut fixed, mut at) = (true, false, 2);
    loop {
        let word = args.get(at).ok_or_else(incomplete)?;
        let value = || args.get(at + 1).ok_or_else(incomplete);
        if is(word, "ITEMS") {
            break;
        } else if is(word, "ERROR") {
            error = parse_f64(value()?).ok_or(INSERT_RATE)?;
        } else if is(word, "EXPANSION") {
            expansion = parse_i64(value()?).ok_or(INSERT_EXPANSION)?;
        } else if is(word, "CAPACITY") {
            capacity = parse_i64(value()?).ok_or(INSERT_CAPACITY)?;
        } else if is(word, "NOCREATE") {
            creates = false;
            at += 1;
            continue;
        } else if is(word, "NONSCALING") {
            fixed = true;
            at += 1;
            continue;
        } else {
            return Err(INSERT_WORD);
        }
        at += 2;
    }
    if at + 1 == args.len() {
        return Err(incomplete());
    }
    let expansion = u32::try_from(expansion)
        .ok()
        .filter(|n| *n > 0)
        .ok_or(INSERT_RANGE)?;
    let capacity = u64::try_from(capacity)
        .ok()
        .filter(|n| *n > 0)
        .ok_or(INSERT_RANGE)?;
    if !(error > 0.0 && error < 1.0) {
        return Err(INSERT_RANGE);
    }
    let parameters = Parameters {
        error,
        capacity,
        expansion: if fixed { 0 } else { expansion },
    };
    Ok((at + 1, creates.then_some(parameters)))
}

/// Adds the items from argument `first` on, up to one for which there is no room. Without `parameters` no filter is made.
fn add_all(
    ctx: &mut Ctx<'_, '_>,
    first: usize,
    parameters: Option<Parameters>,
) -> Result<Vec<Result<bool, Full>>, crate::commands::Stop> {
    let key = &ctx.keys[0];
    let mut open = collection(ctx.tx, key, Kind::Bloom)?;
    let (mut filter, made) = match (Filter::read(&open), parameters) {
        (Some(filter), _) => (filter, None),
        (None, Some(parameters)) => (Filter::new(parameters).ok_or(TOO_LARGE)?, Some(parameters)),
        (None, None) => return Err(super::read::NOT_FOUND.into()),
    };
    let places: Vec<Place> = ctx.args.iter().skip(first).map(Place::of).collect();
    filter.prefault(&open, &places, true)?;
    let mut results = Vec::with_capacity(places.len());
    let mut words: Vec<&[u8]> = vec![b"BF.MADD", key.bytes];
    for (place, item) in places.iter().zip(ctx.args.iter().skip(first)) {
        let added = filter.add(&mut open, place)?;
        if added == Ok(true) {
            words.push(item);
        }
        results.push(added);
        if added == Err(Full::Fixed) {
            break;
        }
    }
    if made.is_some() || words.len() > 2 {
        open.set_extra(&filter.encode());
    }
    drop(open);
    if let Some(parameters) = made {
        log_reserve(ctx, &parameters);
    }
    match words.len() {
        2 => {}
        3 => ctx
            .effects
            .command(ctx.db, &[b"BF.ADD", words[1], words[2]]),
        _ => ctx.effects.command(ctx.db, &words),
    }
    Ok(results)
}

pub(super) fn reply_bool(ctx: &mut Ctx<'_, '_>, value: bool) {
    match ctx.out.proto() {
        basalt_resp::Proto::Resp2 => ctx.out.integer(i64::from(value)),
        basalt_resp::Proto::Resp3 => ctx.out.boolean(value),
    }
}

fn reply_all(ctx: &mut Ctx<'_, '_>, results: Vec<Result<bool, Full>>) {
    ctx.out.array(results.len());
    for result in results {
        match result {
            Ok(added) => reply_bool(ctx, added),
            Err(full) => ctx.out.error(Error::from(full).as_bytes()),
        }
    }
}
