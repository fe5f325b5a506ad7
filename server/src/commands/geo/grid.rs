//! The grid: a place is a column and a row of 2^26 each, and its score is both numbers with their bits interleaved.
//!
//! ```text
//!   row     (latitude)     r25    r24    …    r0        bits 50, 48, … 0
//!   column  (longitude)  c25    c24    …    c0          bits 51, 49, … 1
//!   score                c25r25c24r24  …  c0r0          52 bits, which a double holds exactly
//! ```
//!
//! The first 2·n bits name the *cell* of a coarser grid, of 2^n columns and rows, in which the place lies: the places of a
//! cell are one range of scores. Columns span 360 degrees, rows ±85.05112878, where Mercator's map is a square.
//! (A geohash as text has the poles at its ends; `text` converts.)

use std::ops::Range;

/// Bits of a column, or a row, of the finest grid.
pub(super) const FINEST: u32 = 26;

/// A point, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) longitude: f64,
    pub(super) latitude: f64,
}

/// From where to where a coordinate goes.
#[derive(Clone, Copy, Debug)]
struct Span {
    min: f64,
    max: f64,
}

const LONGITUDES: Span = Span {
    min: -180.0,
    max: 180.0,
};
const LATITUDES: Span = Span {
    min: -85.051_128_78,
    max: 85.051_128_78,
};
const POLE_TO_POLE: Span = Span {
    min: -90.0,
    max: 90.0,
};

impl Span {
    fn contains(self, value: f64) -> bool {
        (self.min..=self.max).contains(&value)
    }

    /// In which of 2^bits parts `value` lies; at the very end it is one beyond the last.
    fn part(self, value: f64, bits: u32) -> u32 {
        let share = (value - self.min) / (self.max - self.min);
        (share * f64::from(1 << bits)) as u32
    }

    /// Where a part begins.
    fn start(self, part: u64, bits: u32) -> f64 {
        self.min + (part as f64 / f64::from(1 << bits)) * (self.max - self.min)
    }

    fn middle(self, part: u32, bits: u32) -> f64 {
        let part = u64::from(part);
        let middle = f64::midpoint(self.start(part, bits), self.start(part + 1, bits));
        middle.clamp(self.min, self.max)
    }
}

impl Point {
    /// True if the grid has it.
    pub(super) fn is_on_grid(self) -> bool {
        LONGITUDES.contains(self.longitude) && LATITUDES.contains(self.latitude)
    }

    /// The score of a place there.
    pub(super) fn score(self) -> f64 {
        Cell::around(self, FINEST).number() as f64
    }

    /// The place of a score. Any score has one, since ZADD gives any.
    pub(super) fn of_score(score: f64) -> Self {
        let number = whole(score);
        Point {
            longitude: LONGITUDES.middle(every_other(number >> 1), FINEST),
            latitude: LATITUDES.middle(every_other(number), FINEST),
        }
    }

    /// Its geohash, as <http://geohash.org> has it. The last of eleven letters would need more bits than there are.
    pub(super) fn text(self) -> String {
        const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let column = LONGITUDES.part(self.longitude, FINEST);
        let row = POLE_TO_POLE.part(self.latitude, FINEST);
        let number = interleaved(column, row);
        let letters = (1..=10).map(|letter| {
            let index = number >> (2 * FINEST - letter * 5) & 0x1f;
            char::from(LETTERS[index as usize])
        });
        letters.chain(['0']).collect()
    }
}

/// A score as a whole number, as a processor of 64 bits converts it, out of range, too.
fn whole(score: f64) -> u64 {
    const HALF: f64 = (1u64 << 63) as f64;
    if score < HALF {
        score as i64 as u64
    } else if score < 2.0 * HALF {
        score as u64
    } else {
        0
    }
}

/// A cell of a grid of 2^bits columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    column: u32,
    row: u32,
    bits: u32,
}

/// The edges of a piece of the earth, in degrees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edges {
    pub(super) west: f64,
    pub(super) east: f64,
    pub(super) south: f64,
    pub(super) north: f64,
}

impl Cell {
    /// The cell in which a point lies.
    pub(super) fn around(point: Point, bits: u32) -> Self {
        Cell {
            column: LONGITUDES.part(point.longitude, bits),
            row: LATITUDES.part(point.latitude, bits),
            bits,
        }
    }

    /// The cell so many columns to the east and rows to the north. The grid has no end: behind its last column, or row,
    /// comes the first.
    pub(super) fn neighbour(self, east: i32, north: i32) -> Self {
        let last = (1 << self.bits) - 1;
        // A point at the very end of a span has a cell of its own there, which a step along it does not leave.
        let step = |from: u32, by: i32| match by {
            0 => from,
            by => from.wrapping_add_signed(by) & last,
        };
        Cell {
            column: step(self.column, east),
            row: step(self.row, north),
            bits: self.bits,
        }
    }

    pub(super) fn edges(self) -> Edges {
        let (column, row) = (u64::from(self.column), u64::from(self.row));
        Edges {
            west: LONGITUDES.start(column, self.bits),
            east: LONGITUDES.start(column + 1, self.bits),
            south: LATITUDES.start(row, self.bits),
            north: LATITUDES.start(row + 1, self.bits),
        }
    }

    fn number(self) -> u64 {
        interleaved(self.column, self.row)
    }

    /// The scores of the places in it.
    pub(super) fn scores(self) -> Range<f64> {
        let shift = 2 * (FINEST - self.bits);
        let number = self.number();
        (number << shift) as f64..((number + 1) << shift) as f64
    }
}

fn interleaved(column: u32, row: u32) -> u64 {
    spread(column) << 1 | spread(row)
}

/// Halves of blocks of 2n bits move apart for n = 16, 8, … 1; these are the bits that are left in use then.
const STEPS: [(u32, u64); 5] = [
    (16, 0x0000_ffff_0000_ffff),
    (8, 0x00ff_00ff_00ff_00ff),
    (4, 0x0f0f_0f0f_0f0f_0f0f),
    (2, 0x3333_3333_3333_3333),
    (1, 0x5555_5555_5555_5555),
];

/// A zero before each bit.
fn spread(bits: u32) -> u64 {
    STEPS.iter().fold(u64::from(bits), |bits, (shift, mask)| {
        (bits | bits << shift) & mask
    })
}

/// The reverse of [`spread`]: bits 0, 2, 4, ….
fn every_other(bits: u64) -> u32 {
    let (_, mask) = STEPS[4];
    let masks = STEPS.iter().rev().skip(1).map(|(_, mask)| *mask);
    let steps = [1, 2, 4, 8, 16].into_iter().zip(masks.chain([0xffff_ffff]));
    let together = steps.fold(bits & mask, |bits, (shift, mask)| {
        (bits | bits >> shift) & mask
    });
    together as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scores_and_texts_are_those_of_redis() {
        for (longitude, latitude, score, text) in [
            (
                13.361_389,
                38.115_556,
                3_479_099_956_230_698.0,
                "sqc8b49rny0",
            ),
            (
                15.087_269,
                37.502_669,
                3_479_447_370_796_909.0,
                "sqdtr74hyu0",
            ),
        ] {
            let point = Point {
                longitude,
                latitude,
            };
            assert_eq!(point.score(), score);
            assert_eq!(Point::of_score(score).text(), text);
        }
    }

    #[test]
    fn scores_that_are_no_places_are_read_as_redis_reads_them() {
        for (score, longitude) in [
            (-1.0, 180.0),
            (f64::INFINITY, -179.999_997_317_790_99),
            (f64::NEG_INFINITY, 180.0),
        ] {
            assert_eq!(Point::of_score(score).longitude, longitude, "{score}");
        }
    }

    proptest! {
        #[test]
        fn bits_come_together_as_they_were_spread(bits: u32) {
            prop_assert_eq!(every_other(spread(bits)), bits);
        }

        #[test]
        fn a_place_lies_in_the_scores_of_all_its_cells(
            longitude in -180.0..180.0f64, latitude in -85.05..85.05f64, bits in 1..=FINEST,
        ) {
            let point = Point { longitude, latitude };
            prop_assert!(Cell::around(point, bits).scores().contains(&point.score()));
            let back = Point::of_score(point.score());
            prop_assert!((back.longitude - longitude).abs() < 1e-5 && (back.latitude - latitude).abs() < 1e-5);
        }
    }
}
