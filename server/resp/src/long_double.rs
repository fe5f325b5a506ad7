//! The 80-bit floating point of x86, in software.
//!
//! Redis computes `INCRBYFLOAT` and `HINCRBYFLOAT` in C's `long double` and prints 17 decimals, and
//! clients see the difference to an `f64`: 0.1 + 0.2 is `0.3`, 1000.1 is `1000.09999999999999998`.
//! To give the same bytes on every machine we do the three operations it takes (read, add, print)
//! with the same precision: a 64-bit mantissa, rounding to nearest, ties to even.
//!
//! ```text
//!   value = ± mantissa * 2^exponent        mantissa: u64, top bit set unless zero or subnormal
//!   MIN_EXPONENT = -16445 ≤ exponent ≤ 16320 = MAX_EXPONENT
//! ```

use std::fmt;

use crate::number::{HexFloat, is_infinity, parse_exponent, split_sign};

const MIN_EXPONENT: i32 = -16445;
const MAX_EXPONENT: i32 = 16320;
/// Redis reads no longer text as a float.
pub(crate) const MAX_TEXT_BYTES: usize = 5 * 1024 - 1;

/// A number with the precision and range of x86's `long double`. Never NaN, and zero has no sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    exponent: i32,
    mantissa: u64,
    infinite: bool,
}

impl LongDouble {
    /// What an absent key counts as.
    pub const ZERO: LongDouble = LongDouble {
        negative: false,
        exponent: MIN_EXPONENT,
        mantissa: 0,
        infinite: false,
    };

    const fn infinity(negative: bool) -> Self {
        LongDouble {
            negative,
            infinite: true,
            ..Self::ZERO
        }
    }

    /// Reads a number in the syntax of [`parse_f64`](crate::parse_f64). `None` if it is malformed,
    /// `nan`, out of range, or longer than Redis reads.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > MAX_TEXT_BYTES {
            return None;
        }
        let (negative, body) = split_sign(text);
        if is_infinity(body) {
            return Some(Self::infinity(negative));
        }
        let (value, is_zero) = match HexFloat::parse(body)? {
            Some(hex) => {
                let value = round(negative, hex.mantissa, false, hex.exponent);
                (value, hex.mantissa == 0)
            }
            None => {
                let decimal = Decimal::parse(body)?;
                let is_zero = decimal.digits.is_zero();
                (decimal.into_long_double(negative), is_zero)
            }
        };
        let vanished = value.mantissa == 0 && !is_zero;
        (!value.infinite && !vanished).then_some(value)
    }

    /// The sum, or `None` if it is infinite or not a number: the increment Redis refuses.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.infinite || other.infinite {
            return None;
        }
        if self.mantissa == 0 || other.mantissa == 0 {
            return Some(if self.mantissa == 0 { other } else { self });
        }
        let (high, low) = if self.exponent >= other.exponent {
            (self, other)
        } else {
            (other, self)
        };
        let distance = (high.exponent - low.exponent) as u32;
        // Both are brought to one exponent. Far apart, the lower one only leaves a trace: `high`
        // is then normal, so 62 more bits below it are enough to round rightly.
        let shift = distance.min(62);
        let dropped = distance - shift;
        let high_bits = u128::from(high.mantissa) << shift;
        let low_bits = u128::from(low.mantissa.checked_shr(dropped).unwrap_or(0));
        let lost = low.mantissa.trailing_zeros() < dropped;
        let exponent = high.exponent - shift as i32;
        let sum = if high.negative == low.negative {
            round(high.negative, high_bits + low_bits, lost, exponent)
        } else if high_bits >= low_bits {
            // What was lost is subtracted too: one less, and something remains.
            round(
                high.negative,
                high_bits - low_bits - u128::from(lost),
                lost,
                exponent,
            )
        } else {
            round(low.negative, low_bits - high_bits, false, exponent)
        };
        (!sum.infinite).then_some(sum)
    }

    /// True for `inf` and `-inf`.
    pub fn is_infinite(self) -> bool {
        self.infinite
    }
}

impl fmt::Display for LongDouble {
    /// At most 17 decimals, no exponent, no trailing zeros, never `-0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.infinite {
            return f.write_str(if self.negative { "-inf" } else { "inf" });
        }
        let sign = if self.negative { "-" } else { "" };
        if self.exponent >= 0 {
            let mut whole = Big::from(u128::from(self.mantissa));
            whole.shift_left(self.exponent as u32);
            return write!(f, "{sign}{whole}");
        }
        const ONE: u128 = 100_000_000_000_000_000;
        let scaled = divide_by_power_of_two(
            u128::from(self.mantissa) * ONE,
            self.exponent.unsigned_abs(),
        );
        let (whole, part) = (scaled / ONE, scaled % ONE);
        match (whole, part) {
            (0, 0) => f.write_str("0"),
            (_, 0) => write!(f, "{sign}{whole}"),
            _ => {
                let part = format!("{part:017}");
                write!(f, "{sign}{whole}.{}", part.trim_end_matches('0'))
            }
        }
    }
}

/// `value / 2^power`, to nearest, ties to even.
fn divide_by_power_of_two(value: u128, power: u32) -> u128 {
    let Some(half) = 1u128.checked_shl(power - 1).filter(|_| power < 128) else {
        // The callers' values stay below 2^127: less than a half is left.
        return 0;
    };
    let quotient = value >> power;
    let rest = value & (half << 1).wrapping_sub(1);
    quotient + u128::from(rest > half || (rest == half && quotient & 1 == 1))
}

/// The long double next to `(bits + something) * 2^exponent`, where `inexact` says whether the
/// something, less than one, is more than zero.
fn round(negative: bool, bits: u128, inexact: bool, exponent: i32) -> LongDouble {
    if bits == 0 {
        return LongDouble::ZERO;
    }
    // Left-aligned, and then the top 64 bits are the mantissa; fewer for a subnormal.
    let lead = bits.leading_zeros();
    let aligned = bits << lead;
    let exponent = exponent.saturating_sub(lead as i32);
    let target = exponent.saturating_add(64).max(MIN_EXPONENT);
    let drop = target.saturating_sub(exponent) as u32;
    if drop > 128 {
        return LongDouble::ZERO;
    }
    let kept = aligned.checked_shr(drop).unwrap_or(0) as u64;
    let half = 1u128 << (drop - 1);
    let rest = aligned & (half | (half - 1));
    let up = rest > half || (rest == half && (inexact || kept & 1 == 1));
    let (mantissa, exponent) = match kept.checked_add(u64::from(up)) {
        Some(mantissa) => (mantissa, target),
        None => (1 << 63, target + 1),
    };
    if mantissa == 0 {
        return LongDouble::ZERO;
    }
    if exponent > MAX_EXPONENT {
        return LongDouble::infinity(negative);
    }
    LongDouble {
        negative,
        exponent,
        mantissa,
        infinite: false,
    }
}

/// `digits * 10^exponent`.
struct Decimal {
    digits: Big,
    /// How many digits were taken, leading zeros not counted.
    count: i32,
    exponent: i32,
}

impl Decimal {
    fn parse(body: &[u8]) -> Option<Decimal> {
        let end = body
            .iter()
            .position(|byte| matches!(byte, b'e' | b'E'))
            .unwrap_or(body.len());
        let (number, power) = body.split_at_checked(end)?;
        let mut exponent = match power.split_first() {
            Some((_, power)) => parse_exponent(power)?,
            None => 0,
        };
        let (mut digits, mut count) = (Big::from(0), 0);
        let (mut seen_digit, mut seen_point) = (false, false);
        // Digits are gathered into words before they enter the large number.
        let (mut word, mut scale) = (0u64, 1u64);
        for &byte in number {
            match byte {
                b'0'..=b'9' => {
                    seen_digit = true;
                    exponent -= i32::from(seen_point);
                    word = word * 10 + u64::from(byte - b'0');
                    scale *= 10;
                    count += i32::from(count > 0 || byte != b'0');
                    if scale == 10u64.pow(19) {
                        digits.multiply_add(scale, word);
                        (word, scale) = (0, 1);
                    }
                }
                b'.' if !seen_point => seen_point = true,
                _ => return None,
            }
        }
        digits.multiply_add(scale, word);
        seen_digit.then_some(Decimal {
            digits,
            count,
            exponent,
        })
    }

    fn into_long_double(mut self, negative: bool) -> LongDouble {
        // Decimal exponents at which everything overflows, or vanishes.
        const TOO_LARGE: i32 = 4940;
        const TOO_SMALL: i32 = -4970;
        let magnitude = self.exponent + self.count;
        if self.digits.is_zero() || magnitude < TOO_SMALL {
            return LongDouble::ZERO;
        }
        if magnitude > TOO_LARGE {
            return LongDouble::infinity(negative);
        }
        // 10^n = 5^n * 2^n; the second factor only moves the binary exponent.
        let mut binary_exponent = self.exponent;
        let mut inexact = false;
        let fives = self.exponent.unsigned_abs();
        if self.exponent >= 0 {
            for_powers_of_five(fives, |power| self.digits.multiply_add(power, 0));
        } else {
            // 5^n has at most 7n/3 + 1 bits; at least 128 bits of quotient are left.
            let shift = (128 + fives * 7 / 3 + 1).saturating_sub(self.digits.bits());
            self.digits.shift_left(shift);
            binary_exponent -= shift as i32;
            for_powers_of_five(fives, |power| inexact |= self.digits.divide(power) != 0);
        }
        let (top, dropped_bits, lost) = self.digits.top_bits();
        let exponent = binary_exponent + dropped_bits as i32;
        round(negative, top, inexact || lost, exponent)
    }
}

/// Calls `apply` with powers of five that fit a word and whose product is `5^count`.
fn for_powers_of_five(count: u32, mut apply: impl FnMut(u64)) {
    const MOST: u32 = 27;
    for _ in 0..count / MOST {
        apply(5u64.pow(MOST));
    }
    apply(5u64.pow(count % MOST));
}

/// An unsigned integer of any size; the lowest word first, no zero word at the top.
struct Big(Vec<u64>);

impl From<u128> for Big {
    fn from(value: u128) -> Self {
        let mut big = Big(vec![value as u64, (value >> 64) as u64]);
        big.trim();
        big
    }
}

impl Big {
    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn bits(&self) -> u32 {
        self.0
            .last()
            .map_or(0, |top| self.0.len() as u32 * 64 - top.leading_zeros())
    }

    fn multiply_add(&mut self, factor: u64, summand: u64) {
        let mut carry = summand;
        for word in &mut self.0 {
            let product = u128::from(*word) * u128::from(factor) + u128::from(carry);
            *word = product as u64;
            carry = (product >> 64) as u64;
        }
        if carry != 0 {
            self.0.push(carry);
        }
    }

    /// Divides in place; returns the remainder.
    fn divide(&mut self, divisor: u64) -> u64 {
        let mut rest = 0;
        for word in self.0.iter_mut().rev() {
            let dividend = u128::from(rest) << 64 | u128::from(*word);
            *word = (dividend / u128::from(divisor)) as u64;
            rest = (dividend % u128::from(divisor)) as u64;
        }
        self.trim();
        rest
    }

    fn shift_left(&mut self, bits: u32) {
        self.multiply_add(1 << (bits % 64), 0);
        self.0
            .splice(0..0, std::iter::repeat_n(0, (bits / 64) as usize));
        self.trim();
    }

    /// The highest words, how many bits lie below them, and whether one of those is set.
    fn top_bits(&self) -> (u128, u32, bool) {
        let (lower, top) = self.0.split_at(self.0.len().saturating_sub(3));
        let [low, middle, high] = match *top {
            [low, middle, high] => [low, middle, high],
            [low, middle] => return (u128::from(middle) << 64 | u128::from(low), 0, false),
            [low] => return (u128::from(low), 0, false),
            _ => return (0, 0, false),
        };
        // Three words, so that 128 whole bits can be cut out at the highest set one.
        let lead = high.leading_zeros();
        let wide = u128::from(high) << 64 | u128::from(middle);
        let bits = wide << lead | u128::from(low).checked_shl(lead).unwrap_or(0) >> 64;
        let lost = (low << lead) != 0 || lower.iter().any(|&word| word != 0);
        (bits, lower.len() as u32 * 64 + 64 - lead, lost)
    }
}

impl fmt::Display for Big {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CHUNK: u64 = 10_000_000_000_000_000_000;
        let mut rest = Big(self.0.clone());
        let mut chunks = Vec::new();
        while !rest.is_zero() {
            chunks.push(rest.divide(CHUNK));
        }
        write!(f, "{}", chunks.pop().unwrap_or(0))?;
        chunks
            .iter()
            .rev()
            .try_for_each(|chunk| write!(f, "{chunk:019}"))
    }
}

#[cfg(test)]
#[path = "long_double_tests.rs"]
mod tests;
