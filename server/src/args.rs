//! Reading a command's arguments: a cursor, and the numbers, times and keywords in them, refused with
//! Redis' texts.
//!
//! Parsing never touches a key. Handlers use it before they act; nothing else calls it.

use basalt_resp::{Args, parse_i64};
use basalt_tiering::UnixMs;

use crate::errors::{self, Error};

/// A place among the arguments of a command.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    args: &'a Args<'a>,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at argument `at` (0 is the command's name).
    #[must_use]
    pub fn at(args: &'a Args<'a>, at: usize) -> Self {
        Cursor { args, at }
    }

    /// The argument of the option just read; a syntax error if there is none.
    pub fn value(&mut self) -> Result<&'a [u8], Error> {
        self.next().ok_or(errors::SYNTAX)
    }
}

impl<'a> Iterator for Cursor<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let arg = self.args.get(self.at)?;
        self.at += 1;
        Some(arg)
    }
}

/// True if `arg` is the keyword `word`, in any case.
#[must_use]
pub fn is(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

/// A 64-bit signed integer.
pub fn integer(arg: &[u8]) -> Result<i64, Error> {
    parse_i64(arg).ok_or(errors::NOT_AN_INTEGER)
}

/// A count that is 0 or more.
pub fn positive(arg: &[u8]) -> Result<u64, Error> {
    let number = parse_i64(arg).and_then(|number| u64::try_from(number).ok());
    number.ok_or(errors::NOT_POSITIVE)
}

/// How many elements are to be chosen at random; a negative number allows repetitions.
pub fn repeatable_count(count: i64) -> Result<i64, Error> {
    match count {
        i64::MIN => Err(errors::COUNT_OUT_OF_RANGE),
        count => Ok(count),
    }
}

/// The same, where each comes with another one: both must be counted by a C `long`.
pub fn repeatable_pairs(count: i64) -> Result<i64, Error> {
    match count.unsigned_abs() > i64::MAX.unsigned_abs() / 2 {
        true => Err(errors::COUNT_TOO_LARGE),
        false => Ok(count),
    }
}

/// An integer that C's `int` holds: a database number.
pub fn int32(arg: &[u8]) -> Result<i32, Error> {
    i32::try_from(integer(arg)?).map_err(|_| errors::NOT_A_C_INT)
}

/// The number of one of `databases` databases.
pub fn database(arg: &[u8], databases: u32) -> Result<u32, Error> {
    let db = u32::try_from(int32(arg)?).map_err(|_| errors::DB_OUT_OF_RANGE)?;
    if db < databases {
        Ok(db)
    } else {
        Err(errors::DB_OUT_OF_RANGE)
    }
}

/// In what form a command names a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeForm {
    /// Seconds from now (`EX`).
    InSeconds,
    /// Milliseconds from now (`PX`).
    InMillis,
    /// Unix time in seconds (`EXAT`).
    UnixSeconds,
    /// Unix time in milliseconds (`PXAT`).
    UnixMillis,
}

impl TimeForm {
    /// The form that the option `word` of SET and GETEX announces.
    #[must_use]
    pub fn of_option(word: &[u8]) -> Option<Self> {
        [
            ("EX", TimeForm::InSeconds),
            ("PX", TimeForm::InMillis),
            ("EXAT", TimeForm::UnixSeconds),
            ("PXAT", TimeForm::UnixMillis),
        ]
        .into_iter()
        .find_map(|(name, form)| is(word, name).then_some(form))
    }

    /// Unix time in milliseconds of `number` in this form; `None` if it does not fit.
    #[must_use]
    pub fn unix_ms(self, number: i64, now: UnixMs) -> Option<i64> {
        let ms = match self {
            TimeForm::InSeconds | TimeForm::UnixSeconds => number.checked_mul(1000)?,
            TimeForm::InMillis | TimeForm::UnixMillis => number,
        };
        match self {
            TimeForm::InSeconds | TimeForm::InMillis => ms.checked_add(i64::try_from(now.0).ok()?),
            TimeForm::UnixSeconds | TimeForm::UnixMillis => Some(ms),
        }
    }

    /// The moment from which a value written by `command` is gone: `arg` must be a positive number.
    pub fn deadline(self, arg: &[u8], now: UnixMs, command: &str) -> Result<UnixMs, Error> {
        let number = integer(arg)?;
        let at = if number > 0 {
            self.unix_ms(number, now)
        } else {
            None
        };
        match at.and_then(|ms| u64::try_from(ms).ok()) {
            Some(ms) => Ok(UnixMs(ms)),
            None => Err(errors::invalid_expire_time(command)),
        }
    }
}

#[cfg(test)]
mod tests {
    use basalt_resp::OwnedArgs;

    use super::*;

    const NOW: UnixMs = UnixMs(1_700_000_000_000);

    #[test]
    fn a_cursor_gives_what_is_left_and_misses_what_is_not() {
        let owned = OwnedArgs::from_slices(&["SET", "k", "v", "EX"]);
        let args = owned.as_args();
        let mut rest = Cursor::at(&args, 3);
        assert_eq!(rest.next(), Some(&b"EX"[..]));
        assert_eq!(rest.value(), Err(errors::SYNTAX));
        assert_eq!(Cursor::at(&args, 9).next(), None);
    }

    #[test]
    fn databases_are_refused_as_redis_refuses_them() {
        assert_eq!(database(b"15", 16), Ok(15));
        assert_eq!(database(b"16", 16), Err(errors::DB_OUT_OF_RANGE));
        assert_eq!(database(b"-1", 16), Err(errors::DB_OUT_OF_RANGE));
        assert_eq!(database(b"x", 16), Err(errors::NOT_AN_INTEGER));
        assert_eq!(database(b"99999999999", 16), Err(errors::NOT_A_C_INT));
    }

    #[test]
    fn deadlines_count_from_now_or_from_the_epoch() {
        let cases = [
            (TimeForm::InSeconds, "10", Some(NOW.0 + 10_000)),
            (TimeForm::InMillis, "10", Some(NOW.0 + 10)),
            (TimeForm::UnixSeconds, "10", Some(10_000)),
            (TimeForm::UnixMillis, "10", Some(10)),
            (TimeForm::InSeconds, "0", None),
            (TimeForm::UnixMillis, "-5", None),
            (TimeForm::InSeconds, "9223372036854775", None),
            (TimeForm::UnixSeconds, "9223372036854776", None),
            (TimeForm::InMillis, "9223372036854775807", None),
            (
                TimeForm::UnixMillis,
                "9223372036854775807",
                Some(i64::MAX as u64),
            ),
        ];
        for (form, arg, expected) in cases {
            let expected = expected
                .map(UnixMs)
                .ok_or(errors::invalid_expire_time("set"));
            assert_eq!(
                form.deadline(arg.as_bytes(), NOW, "set"),
                expected,
                "{form:?} {arg}"
            );
        }
        assert_eq!(
            TimeForm::InSeconds.deadline(b"1.5", NOW, "set"),
            Err(errors::NOT_AN_INTEGER)
        );
    }

    #[test]
    fn times_of_expire_may_lie_in_the_past() {
        assert_eq!(
            TimeForm::InSeconds.unix_ms(-1, NOW),
            Some(NOW.0 as i64 - 1000)
        );
        assert_eq!(
            TimeForm::UnixSeconds.unix_ms(i64::MIN / 1000, NOW),
            Some(i64::MIN / 1000 * 1000)
        );
        assert_eq!(TimeForm::UnixSeconds.unix_ms(i64::MIN, NOW), None);
    }
}
