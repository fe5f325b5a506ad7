//! Areas that are searched: which points lie in them, and which cells of the grid cover them.
//!
//! The earth is a sphere here, as in Redis. An area is covered by the cell of its centre and its eight
//! neighbours, in a grid so fine that they just do. The order of the cells is Redis', since it shows: results of a search come in it
//! unless they are sorted.

use super::grid::{Cell, Edges, FINEST, Point};

/// In metres.
const EARTH_RADIUS_M: f64 = 6_372_797.560_856;
/// Half the width of Mercator's map, in metres.
const HALF_MAP_M: f64 = 20_037_726.37;
/// Radians in a degree.
const DEGREE: f64 = std::f64::consts::PI / 180.0;
/// Steps east and north from a cell to itself and its neighbours.
const AROUND: [(i32, i32); 9] = [
    (0, 0),
    (0, 1),
    (0, -1),
    (1, 0),
    (-1, 0),
    (1, 1),
    (-1, 1),
    (1, -1),
    (-1, -1),
];

/// In metres, the distance of two points.
pub(super) fn distance_m(a: Point, b: Point) -> f64 {
    let half = ((b.longitude * DEGREE - a.longitude * DEGREE) / 2.0).sin();
    if half == 0.0 {
        return along_meridian_m(a.latitude, b.latitude);
    }
    let (from, to) = (a.latitude * DEGREE, b.latitude * DEGREE);
    let rise = ((to - from) / 2.0).sin();
    let haversine = rise * rise + from.cos() * to.cos() * half * half;
    2.0 * EARTH_RADIUS_M * haversine.sqrt().asin()
}

fn along_meridian_m(from: f64, to: f64) -> f64 {
    EARTH_RADIUS_M * (to * DEGREE - from * DEGREE).abs()
}

/// The form of an area, its measures in the client's unit.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Circle { radius: f64 },
    Box { width: f64, height: f64 },
}

/// An area around a point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) centre: Point,
    pub(super) shape: Shape,
    /// The client's unit, in metres.
    pub(super) unit_m: f64,
}

impl Area {
    /// How far a point is from the centre, in metres; nothing if it is not in the area.
    pub(super) fn distance_m(&self, point: Point) -> Option<f64> {
        match self.shape {
            Shape::Circle { radius } => {
                let distance = distance_m(self.centre, point);
                (distance <= radius * self.unit_m).then_some(distance)
            }
            Shape::Box { width, height } => {
                let (width, height) = (width * self.unit_m, height * self.unit_m);
                if along_meridian_m(point.latitude, self.centre.latitude) > height / 2.0 {
                    return None;
                }
                // On the point's own circle of latitude.
                let meridian = Point {
                    latitude: point.latitude,
                    ..self.centre
                };
                if distance_m(point, meridian) > width / 2.0 {
                    return None;
                }
                Some(distance_m(self.centre, point))
            }
        }
    }

    /// Half its width and half its height, in metres.
    fn halves_m(&self) -> (f64, f64) {
        match self.shape {
            Shape::Circle { radius } => (radius * self.unit_m, radius * self.unit_m),
            Shape::Box { width, height } => (width / 2.0 * self.unit_m, height / 2.0 * self.unit_m),
        }
    }

    /// From the centre to the farthest point, in metres.
    fn reach_m(&self) -> f64 {
        match self.shape {
            Shape::Circle { radius } => radius * self.unit_m,
            Shape::Box { width, height } => {
                let (half_width, half_height) = (width / 2.0, height / 2.0);
                (half_width * half_width + half_height * half_height).sqrt() * self.unit_m
            }
        }
    }

    /// About where it ends. Nearer to the pole a degree of longitude is shorter, so that side counts.
    fn edges(&self) -> Edges {
        let (half_width, half_height) = self.halves_m();
        let Point {
            longitude,
            latitude,
        } = self.centre;
        let rise = half_height / EARTH_RADIUS_M / DEGREE;
        let widest = if latitude < 0.0 {
            latitude - rise
        } else {
            latitude + rise
        };
        let sweep = half_width / EARTH_RADIUS_M / (widest * DEGREE).cos() / DEGREE;
        Edges {
            west: longitude - sweep,
            east: longitude + sweep,
            south: latitude - rise,
            north: latitude + rise,
        }
    }

    /// Bits of a grid whose cells are about as large as the area.
    fn fitting_bits(&self) -> u32 {
        let mut reach = self.reach_m();
        if reach == 0.0 {
            return FINEST;
        }
        let mut bits = -1;
        while reach < HALF_MAP_M {
            reach *= 2.0;
            bits += 1;
        }
        // The map is stretched towards the poles.
        bits -= match self.centre.latitude.abs() {
            latitude if latitude > 80.0 => 2,
            latitude if latitude > 66.0 => 1,
            _ => 0,
        };
        bits.clamp(1, FINEST as i32) as u32
    }

    /// The cells in which its places lie, in the order in which they are searched.
    pub(super) fn cells(&self) -> Vec<Cell> {
        let edges = self.edges();
        let mut bits = self.fitting_bits();
        let mut middle = Cell::around(self.centre, bits);
        if bits > 1 && !is_covered(&edges, middle) {
            bits -= 1;
            middle = Cell::around(self.centre, bits);
        }
        let inner = middle.edges();
        // In the coarsest grid a cell's neighbours on both sides are the same.
        let is_needed = |east: i32, north: i32| {
            bits < 2
                || !((inner.south < edges.south && north < 0)
                    || (inner.north > edges.north && north > 0)
                    || (inner.west < edges.west && east < 0)
                    || (inner.east > edges.east && east > 0))
        };
        let mut cells = Vec::with_capacity(AROUND.len());
        for (east, north) in AROUND {
            let cell = middle.neighbour(east, north);
            if is_needed(east, north) && !cells.contains(&cell) {
                cells.push(cell);
            }
        }
        cells
    }
}

/// True if a cell and its neighbours reach beyond these edges.
fn is_covered(edges: &Edges, middle: Cell) -> bool {
    middle.neighbour(0, 1).edges().north >= edges.north
        && middle.neighbour(0, -1).edges().south <= edges.south
        && middle.neighbour(1, 0).edges().east >= edges.east
        && middle.neighbour(-1, 0).edges().west <= edges.west
}
