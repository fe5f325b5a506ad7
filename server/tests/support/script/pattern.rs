//! What a script expects of a reply: parsed from the notation in which replies are printed,
//! with wildcards. See `docs/testing.md` for the table.

use std::collections::BTreeMap;

use super::lex::Cursor;
use crate::support::resp::Reply;

/// Values captured by `$name` in earlier replies.
pub(crate) type Vars = BTreeMap<String, Vec<u8>>;

/// An expected reply.
#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    /// This reply and no other.
    Exactly(Reply),
    /// Anything.
    Any,
    /// Anything but an error.
    Success,
    AnyInt,
    AnyText,
    /// An integer between two bounds, each possibly relative to the clock or a variable.
    Range(Number, Number),
    /// Text of any kind in which `*` stands for anything.
    Like(Vec<u8>),
    /// Elements in order; with `open`, more may follow.
    Array {
        kind: Kind,
        items: Vec<Pattern>,
        open: bool,
    },
    /// Elements in any order.
    Unordered(Vec<Pattern>),
    Map {
        pairs: Vec<(Pattern, Pattern)>,
        open: bool,
    },
    /// The first match wins.
    Either(Vec<Pattern>),
    /// Remembers the value.
    Capture(String),
}

/// Which aggregate an array pattern stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Array,
    Set,
    Push,
}

/// `12`, `$ms+500`, `$name-1`.
#[derive(Clone, Debug)]
pub(crate) struct Number {
    base: Option<String>,
    plus: i64,
}

impl Number {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let bad = |_| format!("{text:?} is not a number");
        let Some(name) = text.strip_prefix('$') else {
            let plus = text.parse().map_err(bad)?;
            return Ok(Self { base: None, plus });
        };
        let (name, plus) = match name.find(['+', '-']) {
            Some(at) => (&name[..at], name[at..].parse().map_err(bad)?),
            None => (name, 0),
        };
        Ok(Self {
            base: Some(name.to_owned()),
            plus,
        })
    }

    /// `$ms` and `$s` are the clock; other names are captured values.
    pub(crate) fn value(&self, vars: &Vars) -> Result<i64, String> {
        let base = match self.base.as_deref() {
            None => 0,
            Some("ms") => unix_ms(),
            Some("s") => unix_ms() / 1000,
            Some(name) => {
                let value = vars.get(name).ok_or_else(|| format!("no ${name} yet"))?;
                String::from_utf8_lossy(value)
                    .parse()
                    .map_err(|_| format!("${name} is not a number"))?
            }
        };
        Ok(base + self.plus)
    }
}

/// The wall clock, which expiry times are compared with.
pub(crate) fn unix_ms() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("the clock is past 1970");
    i64::try_from(since.as_millis()).expect("the clock fits")
}

impl Pattern {
    /// Parses a whole expectation; `+` and `-` at the start take the rest of the line as text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(status) = text.strip_prefix('+').filter(|s| !s.starts_with('"')) {
            return Ok(Self::Exactly(Reply::Status(status.into())));
        }
        if let Some(error) = text
            .strip_prefix('-')
            .filter(|e| e.starts_with(|c: char| c.is_ascii_uppercase()))
        {
            return Ok(Self::Exactly(Reply::Error(error.into())));
        }
        let mut cursor = Cursor::new(text);
        let mut choices = vec![parse_one(&mut cursor)?];
        while cursor.take("|") {
            choices.push(parse_one(&mut cursor)?);
        }
        cursor.finish()?;
        Ok(match choices.len() {
            1 => choices.remove(0),
            _ => Self::Either(choices),
        })
    }

    /// Whether `reply` is as expected; captures are written to `vars`.
    pub(crate) fn matches(&self, reply: &Reply, vars: &mut Vars) -> bool {
        match (self, reply) {
            (Self::Exactly(want), got) => want == got,
            (Self::Any, _) => true,
            (Self::Success, got) => !got.is_error(),
            (Self::AnyInt, got) => got.int().is_some(),
            (Self::AnyText, got) => got.bytes().is_some() && !got.is_error(),
            (Self::Range(low, high), Reply::Int(n)) => {
                let within = |low: i64, high: i64| (low..=high).contains(n);
                matches!((low.value(vars), high.value(vars)), (Ok(l), Ok(h)) if within(l, h))
            }
            (Self::Like(glob), got) => got.bytes().is_some_and(|b| like(glob, b)),
            (Self::Array { kind, items, open }, got) => {
                let got = match (kind, got) {
                    (Kind::Array, Reply::Array(v))
                    | (Kind::Set, Reply::Set(v))
                    | (Kind::Push, Reply::Push(v)) => v,
                    _ => return false,
                };
                (got.len() == items.len() || (*open && got.len() > items.len()))
                    && items.iter().zip(got).all(|(p, r)| p.matches(r, vars))
            }
            (Self::Unordered(want), got) => {
                got.items().is_some_and(|got| same_members(want, got, vars))
            }
            (Self::Map { pairs, open }, Reply::Map(got)) => {
                (*open || pairs.len() == got.len())
                    && pairs.iter().all(|(k, v)| {
                        got.iter()
                            .any(|(gk, gv)| k.matches(gk, vars) && v.matches(gv, vars))
                    })
            }
            (Self::Either(choices), got) => choices.iter().any(|c| c.matches(got, vars)),
            (Self::Capture(name), got) => {
                let value = match got.bytes() {
                    Some(b) => b.to_vec(),
                    None => got.to_string().into_bytes(),
                };
                vars.insert(name.clone(), value);
                !got.is_error()
            }
            _ => false,
        }
    }
}

fn same_members(want: &[Pattern], got: &[Reply], vars: &mut Vars) -> bool {
    let mut left: Vec<&Reply> = got.iter().collect();
    want.iter().all(|p| {
        let at = left.iter().position(|r| p.matches(r, vars));
        at.map(|at| left.swap_remove(at)).is_some()
    }) && left.is_empty()
}

/// Whether `text` matches `glob`, in which `*` is the only special byte.
fn like(glob: &[u8], text: &[u8]) -> bool {
    match glob.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|n| like(rest, &text[n..])),
        Some((byte, rest)) => text.first() == Some(byte) && like(rest, &text[1..]),
    }
}

fn parse_one(c: &mut Cursor<'_>) -> Result<Pattern, String> {
    use Pattern::{Any, AnyInt, AnyText, Array, Capture, Exactly, Like, Map, Unordered};
    c.skip_space();
    let fixed: [(&str, Pattern); 8] = [
        ("(nil array)", Exactly(Reply::NilArray)),
        ("(nil)", Exactly(Reply::Nil)),
        ("success", Pattern::Success),
        ("anything", Any),
        ("int", AnyInt),
        ("text", AnyText),
        ("true", Exactly(Reply::Bool(true))),
        ("false", Exactly(Reply::Bool(false))),
    ];
    for (word, pattern) in fixed {
        if c.take(word) {
            return Ok(pattern);
        }
    }
    if c.peek() == Some('"') {
        return Ok(Exactly(Reply::Bulk(c.quoted()?)));
    }
    if c.take("+") {
        return Ok(Exactly(Reply::Status(c.quoted_or_word()?)));
    }
    if c.take("-\"") {
        c.back(1);
        return Ok(Exactly(Reply::Error(c.quoted()?)));
    }
    if c.take("like") {
        return Ok(Like(c.quoted()?));
    }
    if c.take("double") {
        return Ok(Exactly(Reply::Double(c.word()?)));
    }
    if c.take("verbatim") {
        return Ok(Exactly(Reply::Verbatim(c.quoted()?)));
    }
    if c.take("unordered") {
        let (items, _) = parse_items(c, "[", "]")?;
        return Ok(Unordered(items));
    }
    for (open_with, kind) in [("[", Kind::Array), ("~[", Kind::Set), (">[", Kind::Push)] {
        if c.starts_with(open_with) {
            let (items, open) = parse_items(c, open_with, "]")?;
            return Ok(Array { kind, items, open });
        }
    }
    if c.starts_with("{") {
        let (flat, open) = parse_items(c, "{", "}")?;
        let pairs = flat.chunks(2).map(|p| (p[0].clone(), p[1].clone()));
        return Ok(Map {
            pairs: pairs.collect(),
            open,
        });
    }
    let word = c.word()?;
    if let Some((low, high)) = word.split_once("..") {
        return Ok(Pattern::Range(Number::parse(low)?, Number::parse(high)?));
    }
    match word.strip_prefix('$') {
        Some(name) if !name.contains(['+', '-']) => Ok(Capture(name.to_owned())),
        _ => {
            let n = Number::parse(&word)?;
            match n.base {
                None => Ok(Exactly(Reply::Int(n.plus))),
                Some(_) => Ok(Pattern::Range(n.clone(), n)),
            }
        }
    }
}

/// The elements between brackets; in a map, keys and values alternate. The flag says whether the
/// list ended in `...`.
fn parse_items(
    c: &mut Cursor<'_>,
    open_with: &str,
    close: &str,
) -> Result<(Vec<Pattern>, bool), String> {
    if !c.take(open_with) {
        return Err(format!("{open_with} expected"));
    }
    let mut items = Vec::new();
    loop {
        if c.take(close) {
            return Ok((items, false));
        }
        if c.take("...") {
            return match c.take(close) {
                true => Ok((items, true)),
                false => Err(format!("{close} expected after ...")),
            };
        }
        items.push(parse_one(c)?);
        if close == "}" {
            if !c.take(":") {
                return Err(": expected in a map".into());
            }
            items.push(parse_one(c)?);
        }
        if !c.take(",") && !c.starts_with(close) {
            return Err(format!(", or {close} expected"));
        }
    }
}
