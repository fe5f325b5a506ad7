//! The decimal length that stands in every RESP header, at the speed the hot path needs.

/// Reads `digits\r\n` at the start of `bytes` in the form nearly every header has: canonical, at
/// most nine digits, complete. Returns the number and the bytes used. `None` says nothing about
/// correctness; the caller then takes its careful path.
#[inline(always)]
pub(crate) fn short_length(bytes: &[u8]) -> Option<(usize, usize)> {
    const MAX_DIGITS: usize = 9;
    let first = bytes.first()?.wrapping_sub(b'0');
    if first > 9 {
        return None;
    }
    let mut value = usize::from(first);
    let mut at = 1;
    loop {
        let byte = *bytes.get(at)?;
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            let ends = byte == b'\r' && *bytes.get(at + 1)? == b'\n';
            return ends.then_some((value, at + 2));
        }
        // `value == 0` here means a leading zero.
        if at == MAX_DIGITS || value == 0 {
            return None;
        }
        value = value * 10 + usize::from(digit);
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::short_length;

    #[test]
    fn short_length_takes_only_the_plain_form() {
        assert_eq!(short_length(b"0\r\n"), Some((0, 3)));
        assert_eq!(short_length(b"7\r\nrest"), Some((7, 3)));
        assert_eq!(short_length(b"999999999\r\n"), Some((999_999_999, 11)));
        for other in [
            "",
            "7",
            "7\r",
            "7\rx",
            "7\n",
            "07\r\n",
            "00\r\n",
            "-1\r\n",
            "+1\r\n",
            "1234567890\r\n",
            "\r\n",
            "1a\r\n",
        ] {
            assert_eq!(short_length(other.as_bytes()), None, "{other:?}");
        }
    }
}
