//! Glob patterns as Redis matches them: KEYS, SCAN, CONFIG GET, COMMAND LIST.
//!
//! `*`, `?`, `[a-z]`, `[^a]`, and `\` before a byte that stands for itself. A set ends at its first `]`, or at
//! the end of the pattern. One oddity is kept: nothing but the empty pattern matches the empty text (a lone
//! `*` is taken for "everything" by the callers before they come here).
//!
//! Only the last `*` is ever retried, so the cost is at most the product of the two lengths.

/// Whether letters of either case are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// They differ: keys.
    Matters,
    /// They are the same: names of parameters and commands.
    Ignored,
}

/// Matches the whole of `text` against `pattern`.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut t) = (pattern, text);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', after @ ..] = p {
            retry = Some((after, t));
            p = after;
            continue;
        }
        let step = match t {
            [] if p.is_empty() => return true,
            [] => None,
            [byte, after @ ..] => match_one(p, *byte, case).map(|next| (next, after)),
        };
        match (step, retry) {
            (Some((next, after)), _) => (p, t) = (next, after),
            (None, Some((after_star, [_, from @ ..]))) => {
                retry = Some((after_star, from));
                (p, t) = (after_star, from);
            }
            (None, _) => return false,
        }
    }
}

fn fold(byte: u8, case: Case) -> u8 {
    if case == Case::Ignored {
        byte.to_ascii_lowercase()
    } else {
        byte
    }
}

/// Matches one byte against the head of the pattern; returns the rest of the pattern.
fn match_one(pattern: &[u8], byte: u8, case: Case) -> Option<&[u8]> {
    match pattern {
        [] => None,
        [b'?', after @ ..] => Some(after),
        [b'[', set @ ..] => match_set(set, byte, case),
        [b'\\', literal, after @ ..] | [literal, after @ ..] => {
            (fold(*literal, case) == fold(byte, case)).then_some(after)
        }
    }
}

fn match_set(set: &[u8], byte: u8, case: Case) -> Option<&[u8]> {
    let byte = fold(byte, case);
    let (negated, mut rest) = match set {
        [b'^', after @ ..] => (true, after),
        _ => (false, set),
    };
    let mut found = false;
    loop {
        rest = match rest {
            [] => break,
            [b'\\', literal, after @ ..] => {
                found |= fold(*literal, case) == byte;
                after
            }
            [b']', after @ ..] => {
                rest = after;
                break;
            }
            [low, b'-', high, after @ ..] => {
                let (low, high) = (fold(*low, case), fold(*high, case));
                found |= (low.min(high)..=low.max(high)).contains(&byte);
                after
            }
            [literal, after @ ..] => {
                found |= fold(*literal, case) == byte;
                after
            }
        };
    }
    (found != negated).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_redis() {
        // Each line was answered the same way by KEYS of a redis-server 7.0.
        let cases = [
            ("a*", "a", true),
            ("a*", "ba", false),
            ("*a*b*c", "aXbYbZc", true),
            ("*a*b*c", "aXbYbZ", false),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("[]x", "x", false),
            ("[^]x", "ax", true),
            ("[a", "a", true),
            ("[", "a", false),
            ("[a-", "-", true),
            (r"[\]]", "]", true),
            (r"[a\-c]", "b", false),
            (r"\*", "*", true),
            (r"\*", "a", false),
            ("a\\", "a\\", true),
            ("A", "a", false),
            ("**", "", false),
            ("", "", true),
            ("", "a", false),
            ("a**", "a", true),
        ];
        for (pattern, text, expected) in cases {
            let found = matches(pattern.as_bytes(), text.as_bytes(), Case::Matters);
            assert_eq!(found, expected, "{pattern} on {text}");
        }
        assert!(
            matches(b"[A-I]Z", b"hz", Case::Ignored)
                && matches(b"MAX*", b"maxmemory", Case::Ignored)
        );
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let text = vec![b'a'; 10_000];
        let pattern = [b"a*".repeat(50), b"b".to_vec()].concat();
        assert!(!matches(&pattern, &text, Case::Matters));
    }
}
