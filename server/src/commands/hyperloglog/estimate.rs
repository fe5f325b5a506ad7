//! From registers to a number: Otmar Ertl's improved estimator ("New cardinality estimation algorithms for
//! HyperLogLog sketches", 2017, section 2.2).

use super::dense::{self, MAX_RANK, REGISTERS};
use super::header::{Encoding, HEADER_BYTES};
use super::sparse;
use crate::errors::Error;

/// How many registers have each rank.
#[derive(Clone, Debug)]
pub(super) struct Histogram([u32; 64]);

impl Histogram {
    /// Counts the registers of a value.
    pub(super) fn of_value(bytes: &[u8], encoding: Encoding) -> Result<Self, Error> {
        let mut counts = [0u32; 64];
        let registers = &bytes[HEADER_BYTES..];
        match encoding {
            Encoding::Dense => {
                dense::for_each(registers, |_, rank| counts[usize::from(rank)] += 1);
            }
            Encoding::Sparse => {
                counts[0] = REGISTERS as u32;
                sparse::for_each_run(registers, |_, len, rank| {
                    counts[usize::from(rank)] += len as u32;
                    counts[0] -= len as u32;
                })?;
            }
        }
        Ok(Histogram(counts))
    }

    /// Counts registers of a byte each.
    pub(super) fn of_ranks(ranks: &[u8; REGISTERS]) -> Self {
        let mut counts = [0u32; 64];
        for rank in ranks {
            counts[usize::from(rank & 63)] += 1;
        }
        Histogram(counts)
    }

    /// The estimate. The order of operations is part of the result, to the last bit.
    pub(super) fn estimate(&self) -> u64 {
        /// 1 / (2 ln 2)
        const ALPHA: f64 = 0.721_347_520_444_481_7;
        let m = REGISTERS as f64;
        let largest = usize::from(MAX_RANK);
        let mut sum = m * tau((m - f64::from(self.0[largest])) / m);
        for count in self.0[1..largest].iter().rev() {
            sum += f64::from(*count);
            sum *= 0.5;
        }
        sum += m * sigma(f64::from(self.0[0]) / m);
        (ALPHA * m * m / sum).round() as u64
    }
}

/// x + Σ x^(2^k) 2^(k-1)
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut weight, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight += weight;
        if sum == before {
            return sum;
        }
    }
}

/// (1 - x - Σ (1 - x^(2^-k))² 2^-k) / 3
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut weight, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - x).powi(2) * weight;
        if sum == before {
            return sum / 3.0;
        }
    }
}
