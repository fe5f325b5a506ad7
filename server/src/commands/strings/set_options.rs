//! The options of SET and GETEX, which follow one grammar: any order, any case, each kind at most once,
//! except that the same word may be repeated and its last value counts.

use crate::args::{Cursor, TimeForm, is};
use crate::errors::{self, Error};

/// Under what condition SET writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition<'a> {
    Always,
    Absent,
    Present,
    /// Present, with this value.
    Equal(&'a [u8]),
    /// Absent, or with another value.
    NotEqual(&'a [u8]),
}

impl Condition<'_> {
    /// Whether it holds for a key with this value.
    pub(super) fn holds(&self, old: Option<&[u8]>) -> bool {
        match self {
            Condition::Always => true,
            Condition::Absent => old.is_none(),
            Condition::Present => old.is_some(),
            Condition::Equal(value) => old == Some(*value),
            Condition::NotEqual(value) => old != Some(*value),
        }
    }

    /// Whether it looks at the value, not only at the key's being there.
    pub(super) fn compares(&self) -> bool {
        matches!(self, Condition::Equal(_) | Condition::NotEqual(_))
    }
}

/// What becomes of the key's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ttl<'a> {
    /// Not said.
    Unsaid,
    Keep,
    Persist,
    /// A number, not read yet, in this form.
    At(TimeForm, &'a [u8]),
}

impl<'a> Ttl<'a> {
    /// `next` after `self`; an error if they contradict each other.
    fn then(self, next: Ttl<'a>) -> Result<Ttl<'a>, Error> {
        match (self, next) {
            (Ttl::Unsaid, _) | (Ttl::Keep, Ttl::Keep) | (Ttl::Persist, Ttl::Persist) => Ok(next),
            (Ttl::At(form, _), Ttl::At(again, _)) if form == again => Ok(next),
            _ => Err(errors::SYNTAX),
        }
    }
}

/// The options of SET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SetOptions<'a> {
    pub(super) condition: Condition<'a>,
    /// Answer the value that was there.
    pub(super) get: bool,
    pub(super) ttl: Ttl<'a>,
}

impl<'a> SetOptions<'a> {
    pub(super) fn parse(mut args: Cursor<'a>) -> Result<Self, Error> {
        let mut options = SetOptions {
            condition: Condition::Always,
            get: false,
            ttl: Ttl::Unsaid,
        };
        while let Some(word) = args.next() {
            if is(word, "GET") {
                options.get = true;
            } else if is(word, "KEEPTTL") {
                options.ttl = options.ttl.then(Ttl::Keep)?;
            } else if let Some(form) = TimeForm::of_option(word) {
                options.ttl = options.ttl.then(Ttl::At(form, args.value()?))?;
            } else {
                options.add_condition(word, &mut args)?;
            }
        }
        Ok(options)
    }

    fn add_condition(&mut self, word: &[u8], args: &mut Cursor<'a>) -> Result<(), Error> {
        let condition = if is(word, "NX") {
            Condition::Absent
        } else if is(word, "XX") {
            Condition::Present
        } else if is(word, "IFEQ") {
            Condition::Equal(args.value()?)
        } else if is(word, "IFNE") {
            Condition::NotEqual(args.value()?)
        } else {
            return Err(errors::SYNTAX);
        };
        let is_first = self.condition == Condition::Always;
        if !is_first
            && std::mem::discriminant(&self.condition) != std::mem::discriminant(&condition)
        {
            return Err(errors::SYNTAX);
        }
        self.condition = condition;
        Ok(())
    }

    /// Whether the command must know what was there before.
    pub(super) fn needs_old(&self) -> bool {
        self.get || self.condition != Condition::Always || self.ttl == Ttl::Keep
    }
}

/// The options of GETEX.
pub(super) fn getex_ttl(mut args: Cursor<'_>) -> Result<Ttl<'_>, Error> {
    let mut ttl = Ttl::Unsaid;
    while let Some(word) = args.next() {
        let next = match TimeForm::of_option(word) {
            Some(form) => Ttl::At(form, args.value()?),
            None if is(word, "PERSIST") => Ttl::Persist,
            None => return Err(errors::SYNTAX),
        };
        ttl = ttl.then(next)?;
    }
    Ok(ttl)
}

#[cfg(test)]
mod tests {
    use basalt_resp::OwnedArgs;

    use super::*;

    fn owned(line: &str) -> OwnedArgs {
        OwnedArgs::from_slices(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn options_of_set_in_any_order_and_case() {
        let cases: &[(&str, SetOptions<'_>)] = &[
            (
                "",
                SetOptions {
                    condition: Condition::Always,
                    get: false,
                    ttl: Ttl::Unsaid,
                },
            ),
            (
                "nx",
                SetOptions {
                    condition: Condition::Absent,
                    get: false,
                    ttl: Ttl::Unsaid,
                },
            ),
            (
                "XX GET",
                SetOptions {
                    condition: Condition::Present,
                    get: true,
                    ttl: Ttl::Unsaid,
                },
            ),
            (
                "NX NX get GET",
                SetOptions {
                    condition: Condition::Absent,
                    get: true,
                    ttl: Ttl::Unsaid,
                },
            ),
            (
                "Ex 10 xX",
                SetOptions {
                    condition: Condition::Present,
                    get: false,
                    ttl: Ttl::At(TimeForm::InSeconds, b"10"),
                },
            ),
            (
                "PXAT 1 PXAT nonsense",
                SetOptions {
                    condition: Condition::Always,
                    get: false,
                    ttl: Ttl::At(TimeForm::UnixMillis, b"nonsense"),
                },
            ),
            (
                "ifeq NX keepttl",
                SetOptions {
                    condition: Condition::Equal(b"NX"),
                    get: false,
                    ttl: Ttl::Keep,
                },
            ),
            (
                "GET IFNE v",
                SetOptions {
                    condition: Condition::NotEqual(b"v"),
                    get: true,
                    ttl: Ttl::Unsaid,
                },
            ),
        ];
        for (line, expected) in cases {
            let args = owned(&format!("SET k v {line}"));
            assert_eq!(
                SetOptions::parse(Cursor::at(&args.as_args(), 3)),
                Ok(*expected),
                "{line}"
            );
        }
    }

    #[test]
    fn options_of_set_that_contradict_each_other() {
        let lines = [
            "NX XX",
            "XX NX",
            "NX IFEQ v",
            "IFEQ v XX",
            "IFEQ v IFNE v",
            "IFEQ",
            "IFNE",
            "EX",
            "EX 1 PX 1",
            "EX 1 EXAT 1",
            "KEEPTTL EX 1",
            "EX 1 KEEPTTL",
            "PERSIST",
            "PX",
            "foo",
            "NXX",
            "1",
        ];
        for line in lines {
            let args = owned(&format!("SET k v {line}"));
            assert_eq!(
                SetOptions::parse(Cursor::at(&args.as_args(), 3)),
                Err(errors::SYNTAX),
                "{line}"
            );
        }
    }

    #[test]
    fn options_of_getex() {
        let cases: &[(&str, Result<Ttl<'_>, Error>)] = &[
            ("", Ok(Ttl::Unsaid)),
            ("persist", Ok(Ttl::Persist)),
            ("PERSIST PERSIST", Ok(Ttl::Persist)),
            ("px 5", Ok(Ttl::At(TimeForm::InMillis, b"5"))),
            ("EXAT 5 EXAT 6", Ok(Ttl::At(TimeForm::UnixSeconds, b"6"))),
            ("EX 5 PERSIST", Err(errors::SYNTAX)),
            ("PERSIST EX 5", Err(errors::SYNTAX)),
            ("KEEPTTL", Err(errors::SYNTAX)),
            ("NX", Err(errors::SYNTAX)),
            ("EX", Err(errors::SYNTAX)),
        ];
        for (line, expected) in cases {
            let args = owned(&format!("GETEX k {line}"));
            assert_eq!(
                &getex_ttl(Cursor::at(&args.as_args(), 2)),
                expected,
                "{line}"
            );
        }
    }

    #[test]
    fn conditions_look_at_the_old_value() {
        let cases: &[(Condition<'_>, [bool; 3])] = &[
            (Condition::Always, [true, true, true]),
            (Condition::Absent, [true, false, false]),
            (Condition::Present, [false, true, true]),
            (Condition::Equal(b"v"), [false, true, false]),
            (Condition::NotEqual(b"v"), [true, false, true]),
        ];
        for (condition, expected) in cases {
            let holds = [None, Some(&b"v"[..]), Some(&b"w"[..])].map(|old| condition.holds(old));
            assert_eq!(holds, *expected, "{condition:?}");
        }
    }
}
