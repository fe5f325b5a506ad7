//! Numbers as Redis reads and prints them.
//!
//! Reading is strict, since a number that is accepted is rewritten on the next increment: what
//! would not come back as the same bytes (`+1`, `01`, ` 1`, `-0`) is not an integer. Floating point
//! follows C's `strtod` without its leading white space, `nan`, or results that do not fit.

use std::borrow::Cow;

use crate::long_double::{LongDouble, MAX_TEXT_BYTES};

/// Reads an integer in its one canonical form. `None` for anything else: a plus sign, leading
/// zeros, white space, `-0`, a value outside `i64`.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first()? {
        (b'-', digits) => (true, digits),
        _ => (false, text),
    };
    let magnitude = match digits {
        [b'0'] if !negative => 0,
        [b'1'..=b'9', ..] if digits.len() <= 18 => short_digits(digits)?,
        [b'1'..=b'9', ..] if digits.len() <= 20 => long_digits(digits)?,
        _ => return None,
    };
    if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// Up to 18 digits cannot overflow, so nothing is checked on the way.
#[inline]
fn short_digits(digits: &[u8]) -> Option<u64> {
    let mut value = 0;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value)
}

fn long_digits(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |value, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            None
        } else {
            value.checked_mul(10)?.checked_add(u64::from(digit))
        }
    })
}

/// Reads a floating point argument: decimal or hexadecimal, `inf` and `infinity` in any case.
/// `None` for an empty text, white space, `nan`, trailing bytes, and values too large or too small
/// for an `f64` (where Redis has more room, for `INCRBYFLOAT`, see [`LongDouble`]).
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    if text.len() > MAX_TEXT_BYTES {
        return None;
    }
    let (negative, body) = split_sign(text);
    let magnitude = if is_infinity(body) {
        f64::INFINITY
    } else if let Some(hex) = HexFloat::parse(body)? {
        finite(hex.to_f64(), hex.mantissa != 0)?
    } else {
        // The standard parser also knows words and a second sign; neither may get there.
        let (b'0'..=b'9' | b'.') = body.first()? else {
            return None;
        };
        let has_value = body
            .iter()
            .take_while(|byte| !matches!(byte, b'e' | b'E'))
            .any(|byte| matches!(byte, b'1'..=b'9'));
        finite(std::str::from_utf8(body).ok()?.parse().ok()?, has_value)?
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// Refuses overflow, and underflow to zero.
fn finite(value: f64, is_nonzero: bool) -> Option<f64> {
    (value.is_finite() && (value != 0.0 || !is_nonzero)).then_some(value)
}

pub(crate) fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

pub(crate) fn is_infinity(body: &[u8]) -> bool {
    body.eq_ignore_ascii_case(b"inf") || body.eq_ignore_ascii_case(b"infinity")
}

/// `0x…` with an optional fraction and binary exponent: `mantissa * 2^exponent`.
pub(crate) struct HexFloat {
    /// At most 124 bits; the lowest one also stands for all dropped digits.
    pub(crate) mantissa: u128,
    pub(crate) exponent: i32,
}

impl HexFloat {
    /// `Some(None)` if `body` is not hexadecimal at all, `None` if it is and is malformed.
    pub(crate) fn parse(body: &[u8]) -> Option<Option<HexFloat>> {
        let [b'0', b'x' | b'X', rest @ ..] = body else {
            return Some(None);
        };
        let digits_end = rest
            .iter()
            .position(|byte| matches!(byte, b'p' | b'P'))
            .unwrap_or(rest.len());
        let (digits, power) = rest.split_at_checked(digits_end)?;
        let mut exponent = match power.split_first() {
            Some((_, power)) => parse_exponent(power)?,
            None => 0,
        };
        let (mut mantissa, mut seen_digit, mut seen_point) = (0u128, false, false);
        for &byte in digits {
            if byte == b'.' && !seen_point {
                seen_point = true;
                continue;
            }
            let digit = char::from(byte).to_digit(16)?;
            seen_digit = true;
            let has_room = mantissa >> 120 == 0;
            if has_room {
                mantissa = mantissa << 4 | u128::from(digit);
            } else {
                mantissa |= u128::from(digit != 0);
            }
            exponent += i32::from(!has_room) * 4 - i32::from(seen_point) * 4;
        }
        seen_digit.then_some(Some(HexFloat { mantissa, exponent }))
    }

    fn to_f64(&self) -> f64 {
        // `as` rounds to nearest even, and the sticky bit keeps that right.
        let mut value = self.mantissa as f64;
        let mut exponent = self.exponent;
        while exponent != 0 && value != 0.0 && value.is_finite() {
            let step = exponent.clamp(-1000, 1000);
            value *= 2f64.powi(step);
            exponent -= step;
        }
        value
    }
}

/// A signed exponent. Beyond any meaning it is cut off, so that sums with it cannot overflow.
pub(crate) fn parse_exponent(text: &[u8]) -> Option<i32> {
    const BEYOND_MEANING: i32 = 1_000_000;
    let (negative, digits) = split_sign(text);
    if digits.is_empty() {
        return None;
    }
    let mut value = 0;
    for &byte in digits {
        let digit = char::from(byte).to_digit(10)? as i32;
        value = (value * 10 + digit).min(BEYOND_MEANING);
    }
    Some(if negative { -value } else { value })
}

/// An `f64` as text, on the stack.
pub struct F64Text {
    bytes: [u8; F64Text::CAPACITY],
    len: usize,
}

impl F64Text {
    /// Longest: a sign, `0.000`, 17 digits; or a sign, a point, 17 digits, `e-308`.
    const CAPACITY: usize = 32;

    /// The text of `value` in the form of a Redis 8 score: whole numbers without a point, the
    /// shortest digits that read back as the same number, an exponent only where zeros would pile
    /// up, `inf`, `-inf`, `nan`.
    pub fn new(value: f64) -> Self {
        // Whole numbers that an i64 holds with room to spare are printed as integers.
        const WHOLE_LIMIT: f64 = (1u64 << 62) as f64;
        let mut text = F64Text {
            bytes: [0; Self::CAPACITY],
            len: 0,
        };
        if value.is_nan() {
            text.push(b"nan");
        } else if value.is_infinite() {
            text.push(if value < 0.0 { b"-inf" } else { b"inf" });
        } else if value == 0.0 {
            text.push(if value.is_sign_negative() {
                b"-0"
            } else {
                b"0"
            });
        } else if value.abs() <= WHOLE_LIMIT && value.trunc() == value {
            text.push(itoa::Buffer::new().format(value as i64).as_bytes());
        } else {
            text.fraction(value);
        }
        text
    }

    /// The text.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn zeros(&mut self, count: usize) {
        self.push(&b"0000000000000000"[..count]);
    }

    fn fraction(&mut self, value: f64) {
        let shortest = ShortestDigits::new(value.abs());
        let digits = shortest.digits();
        let count = digits.len() as i32;
        // The value is 0.DIGITS * 10^point.
        let point = shortest.exponent + count;
        let magnitude = (point - 1).abs();
        if value < 0.0 {
            self.push(b"-");
        }
        let trailing_zeros_limit = if value < 0.0 { 6 } else { 7 };
        if shortest.exponent >= 0 && magnitude < count + trailing_zeros_limit {
            self.push(digits);
            self.zeros(shortest.exponent as usize);
        } else if shortest.exponent < 0 && (shortest.exponent > -7 || magnitude < 4) {
            if point <= 0 {
                self.push(b"0.");
                self.zeros(-point as usize);
                self.push(digits);
            } else {
                let (whole, part) = digits.split_at(point as usize);
                self.push(whole);
                self.push(b".");
                self.push(part);
            }
        } else {
            let (first, others) = digits.split_at(1);
            self.push(first);
            if !others.is_empty() {
                self.push(b".");
                self.push(others);
            }
            self.push(if point > 0 { b"e+" } else { b"e-" });
            self.push(itoa::Buffer::new().format(magnitude).as_bytes());
        }
    }
}

/// The fewest digits that name a positive number: `digits * 10^exponent`.
struct ShortestDigits {
    bytes: [u8; 24],
    len: usize,
    exponent: i32,
}

impl ShortestDigits {
    fn new(value: f64) -> Self {
        let mut buffer = ryu::Buffer::new();
        let mut found = ShortestDigits {
            bytes: [0; 24],
            len: 0,
            exponent: 0,
        };
        let mut after_point = false;
        let mut parts = buffer.format_finite(value).split('e');
        for byte in parts.next().unwrap_or_default().bytes() {
            match byte {
                b'.' => after_point = true,
                b'0' if found.len == 0 => found.exponent -= i32::from(after_point),
                digit => {
                    found.bytes[found.len] = digit;
                    found.len += 1;
                    found.exponent -= i32::from(after_point);
                }
            }
        }
        found.exponent += parts
            .next()
            .map_or(0, |power| parse_exponent(power.as_bytes()).unwrap_or(0));
        while found.digits().ends_with(b"0") {
            found.len -= 1;
            found.exponent += 1;
        }
        found
    }

    fn digits(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// [`F64Text`] as a `String`.
pub fn format_f64(value: f64) -> String {
    String::from_utf8_lossy(F64Text::new(value).as_bytes()).into_owned()
}

/// An `f64` as `INCRBYFLOAT` prints its result: no exponent, at most 17 decimals, no trailing
/// zeros. The number is taken to be its shortest decimal form, so 10.6 is `10.6`. For arithmetic
/// that rounds as Redis does use [`LongDouble`].
pub fn format_long_double_like(value: f64) -> Cow<'static, str> {
    if value.is_nan() {
        return "nan".into();
    }
    match LongDouble::parse(F64Text::new(value).as_bytes()) {
        Some(exact) => exact.to_string().into(),
        None => unreachable!("a printed f64 is within the range of a long double"),
    }
}

#[cfg(test)]
#[path = "number_tests.rs"]
mod tests;
