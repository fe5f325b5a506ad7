//! The kinds of parameters: how text becomes a [`Value`], in Redis' words when it cannot.
//!
//! A kind is data in a row of the table (see [`params`](super::params)); nothing here knows a
//! parameter by name, except that kinds with only one user carry that user's error texts.

use std::borrow::Cow;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::events::KeyspaceEvents;
use super::value::{BufferLimit, BufferLimits, SaveRule, Value};

/// Why a value was refused; the tail of an error message.
pub type Reason = Cow<'static, str>;

/// The arguments of a directive.
pub type Args = Vec<Vec<u8>>;

/// The type and range of a parameter.
#[derive(Clone, Copy)]
pub enum Kind {
    /// `yes` or `no`.
    Bool,
    /// A whole number within a range, ends included.
    Int {
        /// The smallest number accepted.
        min: i64,
        /// The largest number accepted.
        max: i64,
    },
    /// A whole number that is silently brought into the range, ends included.
    Clamped {
        /// The smallest number kept.
        min: i64,
        /// The largest number kept.
        max: i64,
    },
    /// File permissions, in base eight.
    Permissions,
    /// Bytes, with units: `1k` is 1000, `1kb` is 1024.
    Memory {
        /// The smallest number of bytes accepted.
        min: u64,
        /// The largest number of bytes accepted.
        max: u64,
    },
    /// Bytes as in `Memory`, or a percentage of `maxmemory`.
    MemoryOrPercent,
    /// One of these names.
    Choice(&'static [&'static str]),
    /// One argument that the function finds no fault with.
    Text(fn(&[u8]) -> Result<(), &'static str>),
    /// A directory; kept as an absolute path.
    Directory,
    /// Any number of arguments, as the function leaves them.
    Words(fn(Args) -> Result<Args, Reason>),
    /// Pairs of seconds and changes.
    Save,
    /// Groups of class, hard limit, soft limit, soft seconds. Classes not named keep their value.
    BufferLimits,
    /// Letters of event classes.
    Events,
}

const WRONG_COUNT: Reason = Cow::Borrowed("wrong number of arguments");
const NOT_INTEGER: Reason = Cow::Borrowed("argument couldn't be parsed into an integer");
const NOT_MEMORY: Reason = Cow::Borrowed("argument must be a memory value");

impl Kind {
    /// Whether a directive of this kind takes several arguments.
    pub fn takes_many(&self) -> bool {
        matches!(self, Kind::Words(_) | Kind::Save | Kind::BufferLimits)
    }

    /// Makes a value out of the arguments of a directive. `old` is the value before.
    pub fn parse(&self, args: &[Vec<u8>], old: &Value) -> Result<Value, Reason> {
        // Several may come as one, as CONFIG SET has them and as they are often quoted (`--save "900 1"`); none as an
        // empty one.
        let words = || match args {
            [all] => {
                let words = all.split(u8::is_ascii_whitespace);
                let words = words.filter(|word| !word.is_empty());
                words.map(Vec::from).collect()
            }
            args => args.to_vec(),
        };
        match self {
            Kind::Words(check) => check(words()).map(Value::Words),
            Kind::Save => parse_save(&words()).map(Value::Save),
            Kind::BufferLimits => parse_limits(&words(), old).map(Value::BufferLimits),
            _ => match args {
                [one] => self.parse_one(one),
                _ => Err(WRONG_COUNT),
            },
        }
    }

    fn parse_one(&self, arg: &[u8]) -> Result<Value, Reason> {
        match *self {
            Kind::Bool if arg.eq_ignore_ascii_case(b"yes") => Ok(Value::Bool(true)),
            Kind::Bool if arg.eq_ignore_ascii_case(b"no") => Ok(Value::Bool(false)),
            Kind::Bool => Err("argument must be 'yes' or 'no'".into()),
            Kind::Int { min, max } => {
                let number = parse_int(arg).ok_or(NOT_INTEGER)?;
                in_range(number, min, max).map(Value::Int)
            }
            Kind::Clamped { min, max } => {
                let number = parse_int(arg).ok_or(NOT_INTEGER)?;
                in_range(number, 0, i64::from(i32::MAX)).map(|n| Value::Int(n.clamp(min, max)))
            }
            Kind::Permissions => parse_permissions(arg).map(Value::Octal),
            Kind::Memory { min, max } => {
                let bytes = parse_memory(arg).ok_or(NOT_MEMORY)?;
                in_range(bytes, min, max).map(Value::Memory)
            }
            Kind::MemoryOrPercent => parse_memory_or_percent(arg),
            Kind::Choice(names) => parse_choice(arg, names).map(Value::Choice),
            Kind::Text(check) => match check(arg) {
                Ok(()) => Ok(Value::Text(arg.to_vec())),
                Err(reason) => Err(reason.into()),
            },
            Kind::Directory => parse_directory(arg).map(Value::Text),
            Kind::Events => KeyspaceEvents::parse(arg)
                .map(Value::Events)
                .ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdnoc'.".into()),
            Kind::Words(_) | Kind::Save | Kind::BufferLimits => {
                unreachable!("takes several arguments")
            }
        }
    }

    /// What is accepted, for people.
    pub fn describe(&self) -> String {
        match self {
            Kind::Bool => "yes, no".into(),
            Kind::Int { min, max } | Kind::Clamped { min, max } => {
                format!("{} to {}", limit(*min), limit(*max))
            }
            Kind::Permissions => "octal, 0 to 777".into(),
            Kind::Memory { min: 0, .. } => "bytes".into(),
            Kind::Memory { min, .. } => format!("bytes, at least {min}"),
            Kind::MemoryOrPercent => "bytes or percent".into(),
            Kind::Choice(names) => names.join(", "),
            Kind::Text(_) => "text".into(),
            Kind::Directory => "directory".into(),
            Kind::Words(_) => "words".into(),
            Kind::Save => "seconds changes, repeated".into(),
            Kind::BufferLimits => "class hard soft seconds, repeated".into(),
            Kind::Events => "letters".into(),
        }
    }
}

fn limit(number: i64) -> String {
    match number {
        i64::MAX => "2^63-1".into(),
        2_147_483_647 => "2^31-1".into(),
        -2_147_483_648 => "-2^31".into(),
        4_294_967_295 => "2^32-1".into(),
        other => other.to_string(),
    }
}

fn in_range<N: PartialOrd + std::fmt::Display>(number: N, min: N, max: N) -> Result<N, Reason> {
    if number >= min && number <= max {
        return Ok(number);
    }
    Err(format!("argument must be between {min} and {max} inclusive").into())
}

/// A number in its one canonical spelling: no blanks, plus sign or leading zeros.
pub fn parse_int(arg: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(arg).ok()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical =
        digits == "0" || (!digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()));
    if !canonical || text == "-0" {
        None
    } else {
        text.parse().ok()
    }
}

/// A number of bytes with an optional unit.
pub fn parse_memory(arg: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(arg).ok()?;
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_at);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1000 * 1000,
        "mb" => 1 << 20,
        "g" => 1000 * 1000 * 1000,
        "gb" => 1 << 30,
        "t" => 1000 * 1000 * 1000 * 1000,
        "tb" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

fn parse_memory_or_percent(arg: &[u8]) -> Result<Value, Reason> {
    let Some(percent) = arg.strip_suffix(b"%") else {
        let bytes = parse_memory(arg).ok_or("argument must be a memory or percent value")?;
        return Ok(Value::Memory(bytes));
    };
    let percent = parse_int(percent)
        .filter(|p| *p >= 0)
        .ok_or("argument must be a memory or percent value")?;
    match u8::try_from(percent) {
        Ok(percent @ 0..=100) => Ok(Value::Percent(percent)),
        _ => Err("percentage argument must be less or equal to 100".into()),
    }
}

fn parse_permissions(arg: &[u8]) -> Result<u32, Reason> {
    let text = std::str::from_utf8(arg).unwrap_or("");
    let mode = i64::from_str_radix(text, 8)
        .map_err(|_| "argument couldn't be parsed as an octal number")?;
    match u32::try_from(mode) {
        Ok(mode @ 0..=0o777) => Ok(mode),
        _ => Err("argument must be between 0 and 777 inclusive".into()),
    }
}

fn parse_choice(arg: &[u8], names: &'static [&'static str]) -> Result<&'static str, Reason> {
    let found = names
        .iter()
        .find(|name| name.as_bytes().eq_ignore_ascii_case(arg));
    found.copied().ok_or_else(|| {
        format!(
            "argument(s) must be one of the following: {}",
            names.join(", ")
        )
        .into()
    })
}

fn parse_directory(arg: &[u8]) -> Result<Vec<u8>, Reason> {
    let path = std::path::absolute(std::ffi::OsStr::from_bytes(arg));
    let path = path.map_err(|error| Reason::from(error.to_string()))?;
    // Going through the components drops a trailing slash, so that "./" and "." are one value.
    let plain: std::path::PathBuf = path.components().collect();
    Ok(plain.into_os_string().into_vec())
}

fn parse_save(args: &[Vec<u8>]) -> Result<Vec<SaveRule>, Reason> {
    const BAD: &str = "Invalid save parameters";
    let (pairs, odd) = args.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(BAD.into());
    }
    let number = |arg: &Vec<u8>, least: u64| {
        parse_int(arg)
            .and_then(|n| u64::try_from(n).ok())
            .filter(|n| *n >= least)
    };
    let rule = |[seconds, changes]: &[Vec<u8>; 2]| {
        Some(SaveRule {
            seconds: number(seconds, 1)?,
            changes: number(changes, 0)?,
        })
    };
    pairs
        .iter()
        .map(rule)
        .collect::<Option<_>>()
        .ok_or(BAD.into())
}

fn parse_limits(args: &[Vec<u8>], old: &Value) -> Result<BufferLimits, Reason> {
    let mut limits = match old {
        Value::BufferLimits(limits) => *limits,
        _ => BufferLimits::NONE,
    };
    let (groups, odd) = args.as_chunks::<4>();
    if !odd.is_empty() {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    for [class, hard, soft, seconds] in groups {
        let target = match class.to_ascii_lowercase().as_slice() {
            b"normal" => &mut limits.normal,
            b"replica" | b"slave" => &mut limits.replica,
            b"pubsub" => &mut limits.pubsub,
            _ => {
                return Err("Invalid client class specified in buffer limit configuration.".into());
            }
        };
        *target = parse_limit(hard, soft, seconds)
            .ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
    }
    Ok(limits)
}

fn parse_limit(hard: &[u8], soft: &[u8], seconds: &[u8]) -> Option<BufferLimit> {
    Some(BufferLimit {
        hard_bytes: parse_memory(hard)?,
        soft_bytes: parse_memory(soft)?,
        soft_seconds: u64::try_from(parse_int(seconds)?).ok()?,
    })
}
