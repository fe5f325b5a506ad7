//! SORT and SORT_RO: what a list, set or sorted set holds, in an order that its elements or other keys give.
//!
//! ```text
//!   elements ─▶ weights (BY) ─▶ order ─▶ window (LIMIT) ─▶ columns (GET) ─▶ reply, or a list (STORE)
//! ```
//!
//! The keys that BY and GET mean are known once the elements are read. The command then stops with [`Stop::Beyond`], and
//! runs again with the slots of those keys locked and the keys in memory; it stops again if they are others by then.
//! Equal elements, and equal weights under ALPHA, stay in the order in which they were read.

use std::cmp::Ordering;
use std::ops::{ControlFlow, Range};

use basalt_tiering::{Key, Kind, MAIN};

use super::sort_options::{Options, Pattern, number};
use crate::commands::collection::{build, collection};
use crate::commands::sorted_sets::ZSet;
use crate::commands::{Ctx, Outcome, Stop};
use crate::effect_forms::log_in_portions;
use crate::errors;

/// What a pattern finds for an element.
type Found = Option<Vec<u8>>;

/// An element, and what it is put in order by.
struct Item {
    element: Vec<u8>,
    number: f64,
    text: Found,
}

pub(super) fn sort(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = Options::parse(ctx.args, true)?;
    run(ctx, &options)
}

pub(super) fn sort_ro(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = Options::parse(ctx.args, false)?;
    run(ctx, &options)
}

fn run(ctx: &mut Ctx<'_, '_>, options: &Options<'_>) -> Outcome {
    let (elements, kind) = read(ctx, options)?;
    // What a set that is not put in order holds comes in any order, but is stored in one.
    let plain = options.unordered && kind == Some(Kind::Set) && options.store.is_some();
    let window = options.window(elements.len());
    let mut names = Vec::new();
    let chosen = if options.unordered && !plain {
        elements[window].to_vec()
    } else {
        let ordered = in_order(ctx, options, elements, plain, &mut names)?;
        ordered[window].to_vec()
    };
    let rows = columns(ctx, options, chosen, &mut names)?;
    match options.store {
        Some(_) => store(ctx, rows),
        None => {
            ctx.out.array(rows.len());
            for value in rows {
                match value {
                    Some(value) => ctx.out.bulk(value),
                    None => ctx.out.null(),
                }
            }
            Ok(())
        }
    }
}

/// All elements of the key; of a list or sorted set that stays as it is, in the direction asked for.
fn read(
    ctx: &mut Ctx<'_, '_>,
    options: &Options<'_>,
) -> Result<(Vec<Vec<u8>>, Option<Kind>), Stop> {
    let key = &ctx.keys[0];
    let kind = ctx.tx.get(key)?.map(|value| value.kind);
    let reverse = options.unordered && options.descending;
    let mut elements = Vec::new();
    match kind {
        None => {}
        Some(Kind::ZSet) => {
            let set = ZSet::open(ctx.tx, key)?;
            set.each(0..set.len(), reverse, |member, _| {
                elements.push(member.to_vec());
            })?;
        }
        Some(kind @ (Kind::List | Kind::Set)) => {
            let values = collection(ctx.tx, key, kind)?;
            values.each(
                MAIN,
                0..values.len(MAIN),
                reverse && kind == Kind::List,
                |name, value| {
                    elements.push(if kind == Kind::List {
                        value.to_vec()
                    } else {
                        name.to_vec()
                    });
                    ControlFlow::Continue(())
                },
            )?;
        }
        Some(_) => return Err(errors::WRONG_TYPE.into()),
    }
    Ok((elements, kind))
}

/// The elements in order; `names` gets the keys that this took.
fn in_order(
    ctx: &mut Ctx<'_, '_>,
    options: &Options<'_>,
    elements: Vec<Vec<u8>>,
    plain: bool,
    names: &mut Vec<Box<[u8]>>,
) -> Result<Vec<Vec<u8>>, Stop> {
    let by = if plain { None } else { options.by };
    let alpha = options.alpha || plain;
    let weights: Option<Vec<Found>> = match &by {
        Some(pattern) => Some(look_up(
            ctx,
            options,
            std::slice::from_ref(pattern),
            &elements,
            names,
        )?),
        None => None,
    };
    let mut weights = weights.map(Vec::into_iter);
    let mut items = Vec::with_capacity(elements.len());
    for element in elements {
        let weight = weights.as_mut().map(|weights| weights.next().flatten());
        let mut item = Item {
            element,
            number: 0.0,
            text: None,
        };
        match weight {
            _ if alpha => item.text = weight.flatten(),
            None => item.number = number(&item.element)?,
            Some(None) => {}
            Some(Some(weight)) => item.number = number(&weight)?,
        }
        items.push(item);
    }
    let compare = |a: &Item, b: &Item| match (alpha, by.is_some()) {
        (true, true) => a.text.cmp(&b.text),
        (true, false) => a.element.cmp(&b.element),
        (false, _) => {
            let numbers = a.number.partial_cmp(&b.number).unwrap_or(Ordering::Equal);
            numbers.then_with(|| a.element.cmp(&b.element))
        }
    };
    if options.descending {
        items.sort_by(|a, b| compare(b, a));
    } else {
        items.sort_by(compare);
    }
    Ok(items.into_iter().map(|item| item.element).collect())
}

/// What is answered for the chosen elements, one after the other.
fn columns(
    ctx: &mut Ctx<'_, '_>,
    options: &Options<'_>,
    chosen: Vec<Vec<u8>>,
    names: &mut Vec<Box<[u8]>>,
) -> Result<Vec<Found>, Stop> {
    if options.get.is_empty() {
        return Ok(chosen.into_iter().map(Some).collect());
    }
    look_up(ctx, options, &options.get, &chosen, names)
}

/// What the patterns find, for each element one after the other. Their keys stand behind those that `names` has already;
/// if exec did not lock them, it is told to.
fn look_up(
    ctx: &mut Ctx<'_, '_>,
    options: &Options<'_>,
    patterns: &[Pattern<'_>],
    elements: &[Vec<u8>],
    names: &mut Vec<Box<[u8]>>,
) -> Result<Vec<Found>, Stop> {
    let declared = 1 + usize::from(options.store.is_some());
    let first = names.len();
    for element in elements {
        names.extend(patterns.iter().filter_map(|pattern| pattern.key(element)));
    }
    let range: Range<usize> = declared + first..declared + names.len();
    let locked = ctx.keys.get(range).filter(|keys| {
        let pairs = keys.iter().zip(&names[first..]);
        pairs.into_iter().all(|(key, name)| *key.bytes == **name)
    });
    let Some(locked) = locked else {
        return Err(Stop::Beyond(names.clone()));
    };
    let (mut keys, mut fault) = (locked.iter(), false);
    let mut found = Vec::with_capacity(elements.len() * patterns.len());
    for element in elements {
        for pattern in patterns {
            let value = match pattern {
                Pattern::Element => Some(element.clone()),
                Pattern::Nothing => None,
                Pattern::Key { field, .. } => {
                    let key = keys.next().expect("one for each pattern with a key");
                    // The pages that are absent are asked for together.
                    value_of(ctx, key, *field).or_else(|stop| match stop {
                        Stop::Fault => {
                            fault = true;
                            Ok(None)
                        }
                        stop => Err(stop),
                    })?
                }
            };
            found.push(value);
        }
    }
    if fault {
        return Err(Stop::Fault);
    }
    Ok(found)
}

/// A string's value, or a field's; nothing if the key is of another type.
fn value_of(ctx: &mut Ctx<'_, '_>, key: &Key<'_>, field: Option<&[u8]>) -> Result<Found, Stop> {
    let Some(value) = ctx.tx.get(key)? else {
        return Ok(None);
    };
    match (value.kind, field) {
        (kind, None) if kind.is_string() => {
            let text = ctx.tx.peek_text(key)?.expect("just seen");
            Ok(Some(text.bytes()?.into_owned()))
        }
        (Kind::Hash, Some(field)) => {
            let hash = collection(ctx.tx, key, Kind::Hash)?;
            let value = hash.get(MAIN, field)?;
            let value = value.filter(|value| !value.is_expired(ctx.now));
            Ok(value.map(|value| value.to_vec()))
        }
        _ => Ok(None),
    }
}

/// Makes a list of the values; what was not found is empty. The log gets the list, since an effect depends on one key.
fn store(ctx: &mut Ctx<'_, '_>, values: Vec<Found>) -> Outcome {
    let target = ctx.keys[1];
    let values: Vec<Vec<u8>> = values.into_iter().map(Option::unwrap_or_default).collect();
    if ctx.tx.remove(&target)? {
        ctx.effects.delete(ctx.db, target.bytes);
    }
    build(ctx.tx, &target, Kind::List, &values);
    log_in_portions(ctx.effects, ctx.db, b"RPUSH", target.bytes, &values);
    ctx.out.integer(values.len() as i64);
    Ok(())
}
