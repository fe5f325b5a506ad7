//! GEOSEARCH, GEOSEARCHSTORE and the GEORADIUS commands before them: places in a circle or a box.

use std::ops::Range;

use basalt_resp::Args;
use basalt_tiering::{Fault, Key, score_bytes};

use super::area::{Area, Shape};
use super::distance_text;
use super::grid::Point;
use super::members::{point, push_point, unit_m};
use crate::args::{Cursor, integer, is};
use crate::commands::sorted_sets::{Scored, ZSet, store};
use crate::commands::{Ctx, Outcome, Stop};
use crate::errors::{self, Error};

/// What the name of a command fixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Search,
    SearchStore,
    /// Around a point; the result may be stored or not.
    Radius {
        stores: bool,
    },
    /// Around a member.
    RadiusByMember {
        stores: bool,
    },
}

impl Form {
    fn is_search(self) -> bool {
        matches!(self, Form::Search | Form::SearchStore)
    }
}

/// What is done with the result.
#[derive(Clone, Copy, Debug)]
struct Target<'a> {
    key: &'a [u8],
    /// Scores are distances, not places.
    by_distance: bool,
}

/// The options of a search.
#[derive(Debug, Default)]
struct Options<'a> {
    centre: Option<Point>,
    from_member: bool,
    from_point: bool,
    shape: Option<(Shape, f64)>,
    with_distance: bool,
    with_score: bool,
    with_point: bool,
    any: bool,
    /// Sorted, the nearest (true) or the farthest first.
    ascending: Option<bool>,
    count: Option<usize>,
    target: Option<Target<'a>>,
}

pub(super) fn geosearch(ctx: &mut Ctx<'_, '_>) -> Outcome {
    run(ctx, Form::Search)
}

pub(super) fn geosearchstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    run(ctx, Form::SearchStore)
}

pub(super) fn georadius(ctx: &mut Ctx<'_, '_>) -> Outcome {
    run(ctx, Form::Radius { stores: true })
}

pub(super) fn georadius_ro(ctx: &mut Ctx<'_, '_>) -> Outcome {
    run(ctx, Form::Radius { stores: false })
}

pub(super) fn georadiusbymember(ctx: &mut Ctx<'_, '_>) -> Outcome {
    run(ctx, Form::RadiusByMember { stores: true })
}

pub(super) fn georadiusbymember_ro(ctx: &mut Ctx<'_, '_>) -> Outcome {
    run(ctx, Form::RadiusByMember { stores: false })
}

/// Where a member is. In a set that is not there anything may be asked for: what remains is to check the syntax.
fn place_of(set: &ZSet<'_, '_>, member: &[u8]) -> Result<Option<Point>, Stop> {
    if !set.existed() {
        return Ok(None);
    }
    let score = set.score(member)?.ok_or(errors::GEO_MEMBER)?;
    Ok(Some(Point::of_score(score)))
}

/// A radius and its unit.
fn circle(radius: &[u8], unit: &[u8]) -> Result<(Shape, f64), Error> {
    let radius = basalt_resp::parse_f64(radius).ok_or(errors::GEO_RADIUS)?;
    if radius < 0.0 {
        return Err(errors::GEO_RADIUS_NEGATIVE);
    }
    Ok((Shape::Circle { radius }, unit_m(unit)?))
}

/// Width, height and their unit.
fn rectangle(width: &[u8], height: &[u8], unit: &[u8]) -> Result<(Shape, f64), Error> {
    let width = basalt_resp::parse_f64(width).ok_or(errors::GEO_WIDTH)?;
    let height = basalt_resp::parse_f64(height).ok_or(errors::GEO_HEIGHT)?;
    if width < 0.0 || height < 0.0 {
        return Err(errors::GEO_BOX_NEGATIVE);
    }
    Ok((Shape::Box { width, height }, unit_m(unit)?))
}

impl<'a> Options<'a> {
    /// Reads a call: what stands at fixed places, then the options behind.
    fn parse(args: &'a Args<'a>, set: &ZSet<'_, '_>, form: Form) -> Result<Self, Stop> {
        let mut options = Options::default();
        let first = match form {
            Form::Search => 2,
            Form::SearchStore => {
                options.target = Some(Target {
                    key: &args[1],
                    by_distance: false,
                });
                3
            }
            Form::Radius { .. } => {
                options.centre = Some(point(&args[2], &args[3])?);
                options.shape = Some(circle(&args[4], &args[5])?);
                6
            }
            Form::RadiusByMember { .. } => {
                options.centre = place_of(set, &args[2])?;
                if set.existed() {
                    options.shape = Some(circle(&args[3], &args[4])?);
                }
                5
            }
        };
        let mut words = Cursor::at(args, first);
        while let Some(word) = words.next() {
            let known = options.of_reply(word, &mut words)?
                || (form.is_search() && options.of_area(word, &mut words, set)?)
                || options.of_store(word, &mut words, form)?;
            if !known {
                return Err(errors::SYNTAX.into());
            }
        }
        options.check(form, &args[0])?;
        Ok(options)
    }

    /// Takes an option that all commands have; false if it is none.
    fn of_reply(&mut self, word: &[u8], words: &mut Cursor<'a>) -> Result<bool, Error> {
        match word {
            _ if is(word, "WITHDIST") => self.with_distance = true,
            _ if is(word, "WITHHASH") => self.with_score = true,
            _ if is(word, "WITHCOORD") => self.with_point = true,
            _ if is(word, "ANY") => self.any = true,
            _ if is(word, "ASC") => self.ascending = Some(true),
            _ if is(word, "DESC") => self.ascending = Some(false),
            _ if is(word, "COUNT") => {
                let count = integer(words.value()?)?;
                let count = usize::try_from(count).ok().filter(|count| *count > 0);
                self.count = Some(count.ok_or(errors::COUNT_ABOVE_ZERO)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes an option that says what is searched.
    fn of_area(
        &mut self,
        word: &[u8],
        words: &mut Cursor<'a>,
        set: &ZSet<'_, '_>,
    ) -> Result<bool, Stop> {
        let is_box = matches!(self.shape, Some((Shape::Box { .. }, _)));
        let is_circle = self.shape.is_some() && !is_box;
        if is(word, "FROMMEMBER") && !self.from_point {
            self.centre = place_of(set, words.value()?)?;
            self.from_member = true;
        } else if is(word, "FROMLONLAT") && !self.from_member {
            self.centre = Some(point(words.value()?, words.value()?)?);
            self.from_point = true;
        } else if is(word, "BYRADIUS") && !is_box {
            self.shape = Some(circle(words.value()?, words.value()?)?);
        } else if is(word, "BYBOX") && !is_circle {
            let sides = (words.value()?, words.value()?);
            self.shape = Some(rectangle(sides.0, sides.1, words.value()?)?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes an option that says where the result goes.
    fn of_store(&mut self, word: &[u8], words: &mut Cursor<'a>, form: Form) -> Result<bool, Error> {
        let by_distance = is(word, "STOREDIST");
        match (form, &mut self.target) {
            (Form::SearchStore, Some(target)) if by_distance => target.by_distance = true,
            (Form::Radius { stores: true } | Form::RadiusByMember { stores: true }, target)
                if by_distance || is(word, "STORE") =>
            {
                *target = Some(Target {
                    key: words.value()?,
                    by_distance,
                });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn check(&self, form: Form, name: &[u8]) -> Result<(), Error> {
        let answers_more = self.with_distance || self.with_score || self.with_point;
        if self.target.is_some() && answers_more {
            return Err(errors::geo_store(match form {
                Form::SearchStore => "GEOSEARCHSTORE",
                _ => "STORE option in GEORADIUS",
            }));
        }
        if form.is_search() && !(self.from_member || self.from_point) {
            return Err(errors::geo_one_of("FROMMEMBER or FROMLONLAT", name));
        }
        if form.is_search() && self.shape.is_none() {
            return Err(errors::geo_one_of("BYRADIUS and BYBOX", name));
        }
        if self.any && self.count.is_none() {
            return Err(errors::GEO_ANY);
        }
        Ok(())
    }

    /// The area, if there is a set in which to search it.
    fn area(&self) -> Option<Area> {
        let (shape, unit_m) = self.shape?;
        Some(Area {
            centre: self.centre?,
            shape,
            unit_m,
        })
    }
}

/// A place that was found.
#[derive(Debug)]
struct Found {
    member: Vec<u8>,
    score: f64,
    point: Point,
    /// From the centre, in the client's unit.
    distance: f64,
}

fn run(ctx: &mut Ctx<'_, '_>, form: Form) -> Outcome {
    let source = usize::from(form == Form::SearchStore);
    let set = ZSet::open(ctx.tx, &ctx.keys[source])?;
    let options = Options::parse(ctx.args, &set, form)?;
    let found = match options.area().filter(|_| set.existed()) {
        Some(area) => search(&set, &area, &options)?,
        None => Vec::new(),
    };
    drop(set);
    match options.target {
        Some(target) => keep(ctx, target, &found),
        None => {
            reply(ctx, &options, &found);
            Ok(())
        }
    }
}

/// The places in an area, in the order and number that the options ask for.
fn search(set: &ZSet<'_, '_>, area: &Area, options: &Options<'_>) -> Result<Vec<Found>, Fault> {
    let walks = walks(set, area)?;
    let mut found = Vec::new();
    match options.count.filter(|_| options.any) {
        Some(enough) => search_until(set, area, walks, enough, &mut found)?,
        None => {
            set.prefault_walks(&walks)?;
            for ranks in walks {
                collect(set, area, ranks, usize::MAX, &mut found)?;
            }
        }
    }
    // So many without an order are the nearest ones.
    let nearest = options.count.filter(|_| !options.any).map(|_| true);
    if let Some(ascending) = options.ascending.or(nearest) {
        found.sort_by(|a, b| {
            let order = a.distance.total_cmp(&b.distance);
            if ascending { order } else { order.reverse() }
        });
    }
    found.truncate(options.count.unwrap_or(usize::MAX));
    Ok(found)
}

/// The ranks of the places in the cells of an area.
fn walks(set: &ZSet<'_, '_>, area: &Area) -> Result<Vec<Range<u64>>, Fault> {
    let bounds: Vec<_> = area
        .cells()
        .iter()
        .map(|cell| cell.scores())
        .map(|scores| {
            (
                score_bytes(scores.start).to_vec(),
                score_bytes(scores.end).to_vec(),
            )
        })
        .collect();
    let (starts, ends): (Vec<_>, Vec<_>) = bounds.into_iter().unzip();
    set.prefault_places(&[starts.as_slice(), ends.as_slice()].concat())?;
    let ranks = starts.iter().zip(&ends);
    ranks
        .map(|(start, end)| Ok(set.rank(start)?.0..set.rank(end)?.0))
        .collect()
}

/// Collects `enough` places, wherever they are met first.
fn search_until(
    set: &ZSet<'_, '_>,
    area: &Area,
    walks: Vec<Range<u64>>,
    enough: usize,
    found: &mut Vec<Found>,
) -> Result<(), Fault> {
    // A cell may be large and the places near its start, so it is read in portions, which grow: each may mean to begin
    // anew with one more page read.
    let mut portion = 128;
    for ranks in walks {
        let mut start = ranks.start;
        while start < ranks.end && found.len() < enough {
            let end = ranks.end.min(start + portion);
            collect(set, area, start..end, enough, found)?;
            (start, portion) = (end, portion * 2);
        }
    }
    Ok(())
}

/// Collects the places of some ranks that lie in an area, until there are `enough`.
fn collect(
    set: &ZSet<'_, '_>,
    area: &Area,
    ranks: Range<u64>,
    enough: usize,
    found: &mut Vec<Found>,
) -> Result<(), Fault> {
    set.each(ranks, false, |member, score| {
        let point = Point::of_score(score);
        if found.len() < enough
            && let Some(distance) = area.distance_m(point)
        {
            found.push(Found {
                member: member.to_vec(),
                score,
                point,
                distance: distance / area.unit_m,
            });
        }
    })
}

fn reply(ctx: &mut Ctx<'_, '_>, options: &Options<'_>, found: &[Found]) {
    let more = [
        options.with_distance,
        options.with_score,
        options.with_point,
    ];
    let more = more.into_iter().filter(|with| *with).count();
    let out = &mut ctx.out;
    out.array(found.len());
    for place in found {
        if more > 0 {
            out.array(more + 1);
        }
        out.bulk(&place.member);
        if options.with_distance {
            out.bulk(distance_text(place.distance));
        }
        if options.with_score {
            out.integer(place.score as i64);
        }
        if options.with_point {
            push_point(out, place.point);
        }
    }
}

/// Makes what was found all that the target holds.
fn keep(ctx: &mut Ctx<'_, '_>, target: Target<'_>, found: &[Found]) -> Outcome {
    let score = |place: &Found| match target.by_distance {
        true => place.distance,
        false => place.score,
    };
    let members: Vec<Scored> = found
        .iter()
        .map(|place| (place.member.clone(), score(place)))
        .collect();
    let key: &Key<'_> = ctx
        .keys
        .iter()
        .rfind(|key| key.bytes == target.key)
        .expect("the table declares it");
    store(ctx, key, members)?;
    ctx.out.integer(found.len() as i64);
    Ok(())
}
