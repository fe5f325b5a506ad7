//! What SORT is asked: its options, the patterns of BY and GET, and what it takes for a number.

use std::ops::Range;

use basalt_resp::{Args, parse_f64};

use crate::args::{Cursor, integer, is};
use crate::errors::{self, Error};

/// The options of SORT.
#[derive(Debug, Default)]
pub(super) struct Options<'a> {
    /// What the elements' weights are; they are their own if there is none.
    pub(super) by: Option<Pattern<'a>>,
    /// The elements stay in the order in which the key has them.
    pub(super) unordered: bool,
    /// What is answered for each element; itself if there are none.
    pub(super) get: Vec<Pattern<'a>>,
    limit: Option<(i64, i64)>,
    pub(super) descending: bool,
    /// Weights are texts, not numbers.
    pub(super) alpha: bool,
    /// The key that gets the result.
    pub(super) store: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    /// Reads them; SORT_RO may not store.
    pub(super) fn parse(args: &'a Args<'a>, may_store: bool) -> Result<Self, Error> {
        let mut options = Options::default();
        let mut words = Cursor::at(args, 2);
        while let Some(word) = words.next() {
            if is(word, "ASC") {
                options.descending = false;
            } else if is(word, "DESC") {
                options.descending = true;
            } else if is(word, "ALPHA") {
                options.alpha = true;
            } else if is(word, "LIMIT") {
                let (start, count) = (words.value()?, words.value()?);
                options.limit = Some((integer(start)?, integer(count)?));
            } else if may_store && is(word, "STORE") {
                options.store = Some(words.value()?);
            } else if is(word, "BY") {
                let pattern = words.value()?;
                options.by = Some(Pattern::parse(pattern));
                // Once without an asterisk, nothing is put in order.
                options.unordered |= star(pattern).is_none();
            } else if is(word, "GET") {
                options.get.push(Pattern::parse(words.value()?));
            } else {
                return Err(errors::SYNTAX);
            }
        }
        Ok(options)
    }

    /// Which of `len` elements in order are answered.
    pub(super) fn window(&self, len: usize) -> Range<usize> {
        let Some((start, count)) = self.limit else {
            return 0..len;
        };
        let start = usize::try_from(start.max(0)).unwrap_or(len).min(len);
        let count = usize::try_from(count).unwrap_or(len);
        start..start.saturating_add(count).min(len)
    }
}

/// What BY or GET names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern<'a> {
    /// `#`: the element.
    Element,
    /// The key with the element between these two, or a field of the hash there.
    Key {
        before: &'a [u8],
        after: &'a [u8],
        field: Option<&'a [u8]>,
    },
    /// No asterisk: nothing.
    Nothing,
}

/// What C takes for the text.
fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn star(text: &[u8]) -> Option<usize> {
    until_nul(text).iter().position(|byte| *byte == b'*')
}

impl<'a> Pattern<'a> {
    fn parse(text: &'a [u8]) -> Self {
        if text == b"#" {
            return Pattern::Element;
        }
        let Some(star) = star(text) else {
            return Pattern::Nothing;
        };
        let (before, after) = (&text[..star], &text[star + 1..]);
        let arrow = until_nul(after).windows(2).position(|two| two == b"->");
        match arrow {
            // An arrow at the end is part of the key.
            Some(at) if until_nul(after).len() > at + 2 => Pattern::Key {
                before,
                after: &after[..at],
                field: Some(&after[at + 2..]),
            },
            _ => Pattern::Key {
                before,
                after,
                field: None,
            },
        }
    }

    /// The key it means for an element.
    pub(super) fn key(&self, element: &[u8]) -> Option<Box<[u8]>> {
        match self {
            Pattern::Key { before, after, .. } => {
                Some([before, element, after].concat().into_boxed_slice())
            }
            Pattern::Element | Pattern::Nothing => None,
        }
    }
}

/// The number in a text, as C's `strtod` reads it: white space may stand before it, nothing is zero, and a text ends at its
/// first zero byte. A decimal number that is so small that digits of it are lost is an error, as one that is too large is.
pub(super) fn number(text: &[u8]) -> Result<f64, Error> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let start = text.iter().position(|byte| !space(byte));
    match start {
        None if text.is_empty() => Ok(0.0),
        None => Err(errors::SORT_NOT_A_NUMBER),
        Some(at) => parse_f64(&text[at..])
            .filter(|number| !number.is_subnormal() || text.contains(&b'x') || text.contains(&b'X'))
            .ok_or(errors::SORT_NOT_A_NUMBER),
    }
}

#[cfg(test)]
mod tests {
    use basalt_resp::OwnedArgs;

    use super::*;

    fn key(pattern: &str, element: &str) -> Option<(String, Option<String>)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let pattern = Pattern::parse(pattern.as_bytes());
        let field = match pattern {
            Pattern::Key { field, .. } => field.map(text),
            _ => None,
        };
        pattern
            .key(element.as_bytes())
            .map(|key| (text(&key), field))
    }

    #[test]
    fn patterns_mean_keys_or_fields() {
        let is = |key: &str, field: Option<&str>| Some((key.to_owned(), field.map(str::to_owned)));
        assert_eq!(key("w_*", "1"), is("w_1", None));
        assert_eq!(key("*", "1"), is("1", None));
        assert_eq!(key("w_*_x*", "1"), is("w_1_x*", None));
        assert_eq!(key("w_*->f", "1"), is("w_1", Some("f")));
        assert_eq!(key("w_*x->f->g", "1"), is("w_1x", Some("f->g")));
        assert_eq!(key("w_*->", "1"), is("w_1->", None));
        assert_eq!(key("a->*b", "1"), is("a->1b", None));
        assert_eq!(key("plain", "1"), None);
        assert_eq!(key("#", "1"), None);
    }

    #[test]
    fn windows_are_cut_to_what_is_there() {
        let window = |words: &[&str], len| {
            let all = [&["SORT", "k"], words].concat();
            let args = OwnedArgs::from_slices(&all);
            let args = args.as_args();
            Options::parse(&args, true).expect("valid").window(len)
        };
        assert_eq!(window(&[], 3), 0..3);
        assert_eq!(window(&["LIMIT", "1", "1"], 3), 1..2);
        assert_eq!(window(&["LIMIT", "-5", "2"], 3), 0..2);
        assert_eq!(window(&["LIMIT", "1", "-1"], 3), 1..3);
        assert_eq!(window(&["LIMIT", "9", "2"], 3), 3..3);
        assert_eq!(window(&["LIMIT", "0", "0"], 3), 0..0);
        assert_eq!(window(&["LIMIT", "2", "9223372036854775807"], 3), 2..3);
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        assert_eq!(number(b"").ok(), Some(0.0));
        assert_eq!(number(b" \t5").ok(), Some(5.0));
        assert_eq!(number(b"0x10").ok(), Some(16.0));
        assert_eq!(number(b"1\0x").ok(), Some(1.0));
        assert_eq!(number(b"\0\xff").ok(), Some(0.0));
        assert_eq!(number(b"-inf").ok(), Some(f64::NEG_INFINITY));
        assert_eq!(number(b"0x1p-1074").ok(), Some(5e-324));
        for text in ["x", " ", " \0", "5 ", "nan", "1e999", "-4.9e-324"] {
            assert!(number(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
