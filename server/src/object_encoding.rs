//! The names Redis gives to types and encodings, for TYPE, OBJECT ENCODING, DEBUG OBJECT and SCAN's filter.
//!
//! They are a reading of the value at the time of the question: nothing is stored for them, except that a
//! string which was modified in place is marked so.

use basalt_resp::parse_i64;
use basalt_tiering::Kind;

/// Longest text of a 64-bit integer: a sign and 19 digits.
const INT_MAX_BYTES: usize = 20;
/// Longest string that Redis allocates together with its object header.
const EMBSTR_MAX_BYTES: usize = 44;

/// True if the commands on strings work on it.
#[must_use]
pub fn is_string(kind: Kind) -> bool {
    matches!(kind, Kind::String | Kind::RawString)
}

/// The type's name, as TYPE answers.
#[must_use]
pub fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::String | Kind::RawString => "string",
    }
}

/// The encoding's name, as OBJECT ENCODING answers.
#[must_use]
pub fn encoding_name(kind: Kind, bytes: &[u8]) -> &'static str {
    match kind {
        Kind::String if bytes.len() <= INT_MAX_BYTES && parse_i64(bytes).is_some() => "int",
        Kind::String if bytes.len() <= EMBSTR_MAX_BYTES => "embstr",
        Kind::String | Kind::RawString => "raw",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_encoded_as_redis_encodes_them() {
        let cases: &[(&str, &str)] = &[
            ("0", "int"),
            ("-9223372036854775808", "int"),
            ("9223372036854775807", "int"),
            ("9223372036854775808", "embstr"),
            ("-0", "embstr"),
            ("+1", "embstr"),
            ("01", "embstr"),
            (" 1", "embstr"),
            ("1.0", "embstr"),
            ("", "embstr"),
            ("12345678901234567890123456789012345678901234", "embstr"),
            ("123456789012345678901234567890123456789012345", "raw"),
        ];
        for (value, name) in cases {
            assert_eq!(
                encoding_name(Kind::String, value.as_bytes()),
                *name,
                "{value:?}"
            );
            assert_eq!(
                encoding_name(Kind::RawString, value.as_bytes()),
                "raw",
                "{value:?}"
            );
        }
    }
}
