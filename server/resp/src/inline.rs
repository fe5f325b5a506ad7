//! Inline commands: a line of words, as typed into telnet, with shell-like quoting.
//!
//! - words are separated by white space;
//! - `"…"` understands `\n \r \t \b \a \xHH`; any other escaped byte stands for itself;
//! - `'…'` understands only `\'`;
//! - quotes may open in the middle of a word, but what follows a closing quote must be white space.
//!
//! Rare and small, so the text is always copied. Used by the request decoder and, since the lines of a configuration file
//! follow the same rules, by whoever reads those.

use crate::args::{ArgRanges, Span};
use crate::protocol_error::ProtocolError;

/// Splits `line` (without its `\n`) into `args`.
pub(crate) fn split(line: &[u8], args: &mut ArgRanges) -> Result<(), ProtocolError> {
    args.clear();
    args.is_inline = true;
    let mut rest = line;
    loop {
        rest = skip_space(rest);
        if rest.is_empty() {
            return Ok(());
        }
        let start = args.inline_text.len();
        rest = word(rest, &mut args.inline_text)?;
        args.spans.push(Span {
            start,
            len: args.inline_text.len() - start,
        });
    }
}

/// Splits a line into words by the rules of inline commands; `None` if quotes do not balance.
#[must_use]
pub fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = skip_space(line);
    while !rest.is_empty() {
        let mut text = Vec::new();
        rest = skip_space(word(rest, &mut text).ok()?);
        words.push(text);
    }
    Some(words)
}

/// The white space of C's `isspace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\x0b' | b'\x0c' | b'\r')
}

fn skip_space(bytes: &[u8]) -> &[u8] {
    let start = bytes
        .iter()
        .position(|&byte| !is_space(byte))
        .unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or_default()
}

/// Takes one word off the front of `rest`; returns what is behind it.
fn word<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    while let Some((&byte, tail)) = rest.split_first() {
        match byte {
            // Vertical tab and form feed separate words but do not end a bare one; so in Redis.
            b' ' | b'\t' | b'\n' | b'\r' => return Ok(tail),
            b'"' => return closed(double_quoted(tail, out)),
            b'\'' => return closed(single_quoted(tail, out)),
            _ => out.push(byte),
        }
        rest = tail;
    }
    Ok(rest)
}

/// Checks what follows a closing quote. `None` means that the quote never closed.
fn closed(after_quote: Option<&[u8]>) -> Result<&[u8], ProtocolError> {
    match after_quote {
        Some(rest) if rest.first().is_none_or(|&byte| is_space(byte)) => Ok(rest),
        _ => Err(ProtocolError::UnbalancedQuotes),
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [b'\\', b'\'', tail @ ..] => {
                out.push(b'\'');
                rest = tail;
            }
            [b'\'', tail @ ..] => return Some(tail),
            [byte, tail @ ..] => {
                out.push(*byte);
                rest = tail;
            }
            [] => return None,
        }
    }
}

fn double_quoted<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [b'\\', b'x', high, low, tail @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                out.push(hex_digit(*high) << 4 | hex_digit(*low));
                rest = tail;
            }
            [b'\\', escaped, tail @ ..] => {
                out.push(unescape(*escaped));
                rest = tail;
            }
            [b'"', tail @ ..] => return Some(tail),
            [byte, tail @ ..] => {
                out.push(*byte);
                rest = tail;
            }
            [] => return None,
        }
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn hex_digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => unreachable!("checked by the caller"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;

    fn words(line: &str) -> Option<Vec<Vec<u8>>> {
        let mut args = ArgRanges::new();
        let split = split(line.as_bytes(), &mut args).ok();
        let words = split.map(|()| Args::new(b"", &args).iter().map(<[u8]>::to_vec).collect());
        assert_eq!(split_words(line.as_bytes()), words, "{line:?}");
        words
    }

    /// Each case was sent to a redis-server 7.0 and answered so.
    #[test]
    fn words_are_split_as_redis_splits_them() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("   \r", &[]),
            ("PING\r", &["PING"]),
            ("PING\r\r", &["PING"]),
            ("  GET   k ", &["GET", "k"]),
            ("ECHO \"a\\x41\\n\\t\\q\\\"\"", &["ECHO", "aA\n\tq\""]),
            ("ECHO 'a\\'b\\n'", &["ECHO", "a'b\\n"]),
            ("ECHO a\"b c\"", &["ECHO", "ab c"]),
            ("ECHO a'b c'", &["ECHO", "ab c"]),
            ("ECHO \"\"", &["ECHO", ""]),
            ("ECHO \"\\xZZ\\x4\"", &["ECHO", "xZZx4"]),
            ("ECHO a\\nb", &["ECHO", "a\\nb"]),
            ("ECHO a\tb", &["ECHO", "a", "b"]),
            ("ECHO a\u{b}b", &["ECHO", "a\u{b}b"]),
            ("ECHO a\rb", &["ECHO", "a", "b"]),
            ("ECHO \"\\b\\a\\r\"", &["ECHO", "\u{8}\u{7}\r"]),
        ];
        for (line, expected) in cases {
            let expected: Vec<Vec<u8>> = expected
                .iter()
                .map(|word| word.as_bytes().to_vec())
                .collect();
            assert_eq!(words(line), Some(expected), "{line:?}");
        }
    }

    #[test]
    fn quotes_that_do_not_balance_are_refused() {
        for line in [
            "ECHO \"a\"b",
            "ECHO \"a",
            "ECHO 'a",
            "ECHO a\"b\"c",
            "ECHO 'a'b",
            "ECHO \"\\\r",
            "ECHO '\\'\r",
            "\"",
        ] {
            assert_eq!(words(line), None, "{line:?}");
        }
    }
}
