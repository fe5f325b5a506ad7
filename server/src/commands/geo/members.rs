//! GEOADD, GEOPOS, GEODIST, GEOHASH: places by name.

use basalt_resp::{Encoder, Proto};

use super::area::distance_m;
use super::distance_text;
use super::grid::Point;
use crate::args::is;
use crate::commands::sorted_sets::{Only, ZSet, give_scores};
use crate::commands::{Ctx, Outcome, Stop};
use crate::errors::{self, Error};

/// Longitude and latitude as a client gives them.
pub(super) fn point(longitude: &[u8], latitude: &[u8]) -> Result<Point, Error> {
    let number = |word| basalt_resp::parse_f64(word).ok_or(errors::NOT_A_FLOAT);
    let point = Point {
        longitude: number(longitude)?,
        latitude: number(latitude)?,
    };
    if point.is_on_grid() {
        Ok(point)
    } else {
        Err(errors::geo_pair(point.longitude, point.latitude))
    }
}

/// A unit of length, in metres.
pub(super) fn unit_m(word: &[u8]) -> Result<f64, Error> {
    const UNITS: [(&str, f64); 4] = [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)];
    let found = UNITS.iter().find(|(name, _)| is(word, name));
    found.map(|(_, metres)| *metres).ok_or(errors::GEO_UNIT)
}

/// Writes a point: both coordinates, with all digits that a decimal of 17 places has.
pub(super) fn push_point(out: &mut Encoder<'_>, point: Point) {
    out.array(2);
    for coordinate in [point.longitude, point.latitude] {
        let text = format!("{coordinate:.17}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        match out.proto() {
            Proto::Resp2 => out.bulk(text),
            Proto::Resp3 => out.raw(format!(",{text}\r\n").as_bytes()),
        }
    }
}

pub(super) fn geoadd(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (mut only_new, mut only_present, mut counts_changes) = (false, false, false);
    let mut at = 2;
    while let Some(word) = ctx.args.get(at) {
        let option = match word {
            _ if is(word, "NX") => &mut only_new,
            _ if is(word, "XX") => &mut only_present,
            _ if is(word, "CH") => &mut counts_changes,
            _ => break,
        };
        *option = true;
        at += 1;
    }
    let words = ctx.args.tail(at);
    if words.is_empty() || !words.len().is_multiple_of(3) || (only_new && only_present) {
        return Err(errors::SYNTAX.into());
    }
    let words: Vec<&[u8]> = words.iter().collect();
    let mut pairs = Vec::with_capacity(words.len() / 3);
    for place in words.chunks_exact(3) {
        pairs.push((point(place[0], place[1])?.score(), place[2]));
    }
    let only = match (only_new, only_present) {
        (true, _) => Only::New,
        (_, true) => Only::Present,
        _ => Only::All,
    };
    let (added, updated) = give_scores(ctx, only, &pairs)?;
    if added + updated > 0 {
        log(ctx, only, &pairs);
    }
    ctx.out
        .integer(added + if counts_changes { updated } else { 0 });
    Ok(())
}

/// Logs the change as that of a sorted set.
fn log(ctx: &mut Ctx<'_, '_>, only: Only, pairs: &[(f64, &[u8])]) {
    let mut words: Vec<&[u8]> = vec![b"ZADD", ctx.keys[0].bytes];
    match only {
        Only::All => {}
        Only::New => words.push(b"NX"),
        Only::Present => words.push(b"XX"),
    }
    let scores: Vec<String> = pairs
        .iter()
        .map(|(score, _)| basalt_resp::format_f64(*score))
        .collect();
    for (score, (_, member)) in scores.iter().zip(pairs) {
        words.extend([score.as_bytes(), member]);
    }
    ctx.effects.command(ctx.db, &words);
}

/// Calls `answer` for each member named behind the key, with its place.
fn each_place(
    ctx: &mut Ctx<'_, '_>,
    answer: impl Fn(&mut Encoder<'_>, Option<Point>),
) -> Result<(), Stop> {
    let members = ctx.args.tail(2);
    let set = ZSet::open(ctx.tx, &ctx.keys[0])?;
    set.prefault_members(members.iter())?;
    ctx.out.array(members.len());
    for member in members.iter() {
        answer(&mut ctx.out, set.score(member)?.map(Point::of_score));
    }
    Ok(())
}

pub(super) fn geopos(ctx: &mut Ctx<'_, '_>) -> Outcome {
    each_place(ctx, |out, place| match place {
        Some(point) => push_point(out, point),
        None => out.null_array(),
    })
}

pub(super) fn geohash(ctx: &mut Ctx<'_, '_>) -> Outcome {
    each_place(ctx, |out, place| {
        out.bulk_or_null(place.map(Point::text));
    })
}

pub(super) fn geodist(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let unit_m = match ctx.args.len() {
        4 => 1.0,
        5 => unit_m(&ctx.args[4])?,
        _ => return Err(errors::SYNTAX.into()),
    };
    let set = ZSet::open(ctx.tx, &ctx.keys[0])?;
    let members = [&ctx.args[2], &ctx.args[3]];
    set.prefault_members(members)?;
    let places = (set.score(members[0])?, set.score(members[1])?);
    match places {
        (Some(a), Some(b)) => {
            let metres = distance_m(Point::of_score(a), Point::of_score(b));
            ctx.out.bulk(distance_text(metres / unit_m));
        }
        _ => ctx.out.null(),
    }
    Ok(())
}
