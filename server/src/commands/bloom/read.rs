//! BF.EXISTS, BF.MEXISTS, BF.CARD, BF.INFO.

use basalt_tiering::{Kind, OpenError};

use super::add::reply_bool;
use super::filter::Filter;
use super::place::Place;
use crate::args::is;
use crate::commands::collection::collection;
use crate::commands::{Ctx, Outcome, Stop};
use crate::errors::{self, Error};

pub(super) const NOT_FOUND: Error = Error::new("ERR not found");
const FIELD: Error = Error::new("Invalid information value");

pub(super) fn exists(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let found = which_exist(ctx)?;
    reply_bool(ctx, found[0]);
    Ok(())
}

pub(super) fn mexists(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let found = which_exist(ctx)?;
    ctx.out.array(found.len());
    for found in found {
        reply_bool(ctx, found);
    }
    Ok(())
}

/// A key that holds something else has no items, as in RedisBloom.
fn which_exist(ctx: &mut Ctx<'_, '_>) -> Result<Vec<bool>, Stop> {
    let places: Vec<Place> = ctx.args.iter().skip(2).map(Place::of).collect();
    let open = match ctx.tx.collection(&ctx.keys[0], Kind::Bloom) {
        Ok(open) => open,
        Err(OpenError::Fault) => return Err(Stop::Fault),
        Err(OpenError::WrongKind) => return Ok(vec![false; places.len()]),
    };
    let Some(filter) = Filter::read(&open) else {
        return Ok(vec![false; places.len()]);
    };
    if places.len() * filter.layers.len() > 1 {
        filter.prefault(&open, &places, false)?;
    }
    let found: Result<_, _> = places
        .iter()
        .map(|place| filter.contains(&open, place))
        .collect();
    Ok(found?)
}

pub(super) fn card(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let open = collection(ctx.tx, &ctx.keys[0], Kind::Bloom)?;
    let items = Filter::read(&open).map_or(0, |filter| filter.items());
    ctx.out.integer(items as i64);
    Ok(())
}

pub(super) fn info(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.args.len() > 3 {
        return Err(errors::wrong_arity("bf.info").into());
    }
    let open = collection(ctx.tx, &ctx.keys[0], Kind::Bloom)?;
    let filter = Filter::read(&open).ok_or(NOT_FOUND)?;
    let scale = Some(filter.parameters.expansion).filter(|expansion| *expansion > 0);
    let fields = [
        ("CAPACITY", "Capacity", Some(filter.capacity())),
        ("SIZE", "Size", Some(filter.bytes())),
        (
            "FILTERS",
            "Number of filters",
            Some(filter.layers.len() as u64),
        ),
        ("ITEMS", "Number of items inserted", Some(filter.items())),
        ("EXPANSION", "Expansion rate", scale.map(u64::from)),
    ];
    let out = &mut ctx.out;
    let number = |out: &mut basalt_resp::Encoder<'_>, value: Option<u64>| match value {
        Some(value) => out.integer(value as i64),
        None => out.null(),
    };
    if let Some(word) = ctx.args.get(2) {
        let field = fields.into_iter().find(|(field, ..)| is(word, field));
        let (.., value) = field.ok_or(FIELD)?;
        out.array(1);
        number(out, value);
        return Ok(());
    }
    out.map(fields.len());
    for (_, name, value) in fields {
        out.simple(name);
        number(out, value);
    }
    Ok(())
}
