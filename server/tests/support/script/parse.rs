//! Script lines as steps.

use std::time::Duration;

use super::lex::Cursor;
use super::pattern::{Number, Pattern, Vars};

/// One line of a script.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) only: Option<Dialect>,
    /// The connection's name; `a` when none is given.
    pub(crate) conn: String,
    pub(crate) action: Action,
}

/// Servers differ; a line may be meant for some only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Redis before 8 (`@7.0`): where Basalt follows 8.2 and the older text differs.
    Redis7,
    /// Redis 8.2 and Basalt (`@8.2`).
    Redis8,
    /// Basalt alone (`@basalt`).
    Basalt,
    /// Every Redis, where Basalt differs on purpose (`@redis`).
    Redis,
}

/// What a step does.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Command(Vec<Arg>, Pattern),
    /// Repeats the command until it replies as expected.
    Until(Duration, Vec<Arg>, Pattern),
    Send(Vec<Arg>),
    Expect(Pattern),
    Raw(Vec<u8>),
    Bytes(Vec<u8>),
    Closed,
    Silent,
    Wait(Duration),
    UnitBegin,
    UnitEnd,
    Crash,
    Terminate,
}

/// An argument of a command.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    Literal(Vec<u8>),
    Number(Number),
    Var(String),
}

impl Arg {
    pub(crate) fn value(&self, vars: &Vars) -> Result<Vec<u8>, String> {
        match self {
            Self::Literal(bytes) => Ok(bytes.clone()),
            Self::Number(n) => Ok(n.value(vars)?.to_string().into_bytes()),
            Self::Var(name) => vars
                .get(name)
                .cloned()
                .ok_or_else(|| format!("no ${name} yet")),
        }
    }
}

/// A whole script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    /// Directives of a server of its own (first line `server ...`); otherwise one is shared.
    pub(crate) server: Option<Vec<String>>,
    pub(crate) steps: Vec<Step>,
}

impl Script {
    /// Parses a script.
    ///
    /// # Panics
    /// If a line cannot be understood: a script is part of the test's source.
    pub(crate) fn parse(text: &str) -> Self {
        let mut script = Self::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line == "server" || line.starts_with("server ") {
                let words = line.split_whitespace().skip(1);
                script.server = Some(words.map(str::to_owned).collect());
                continue;
            }
            let step = parse_step(line, at + 1)
                .unwrap_or_else(|e| panic!("script line {}: {line}\n{e}", at + 1));
            script.steps.push(step);
        }
        script
    }
}

fn parse_step(text: &str, line: usize) -> Result<Step, String> {
    let mut rest = text;
    let mut only = None;
    if let Some(after) = rest.strip_prefix('@') {
        let (name, after) = after.split_once(' ').ok_or("a command expected")?;
        only = Some(match name {
            "7.0" => Dialect::Redis7,
            "8.2" => Dialect::Redis8,
            "basalt" => Dialect::Basalt,
            "redis" => Dialect::Redis,
            _ => return Err(format!("no server is called @{name}")),
        });
        rest = after.trim_start();
    }
    let mut conn = "a".to_owned();
    if let Some((name, after)) = rest.split_once("> ")
        && !name.is_empty()
        && name.len() < 10
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    {
        conn = name.to_owned();
        rest = after.trim_start();
    }
    Ok(Step {
        line,
        text: text.to_owned(),
        only,
        conn,
        action: parse_action(rest)?,
    })
}

fn parse_action(text: &str) -> Result<Action, String> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    Ok(match word {
        "unit" => Action::UnitBegin,
        "end" => Action::UnitEnd,
        "closed" => Action::Closed,
        "silent" => Action::Silent,
        "crash" => Action::Crash,
        "terminate" => Action::Terminate,
        "wait" => Action::Wait(parse_ms(rest)?),
        "raw" => Action::Raw(Cursor::new(rest).quoted()?),
        "bytes" => Action::Bytes(Cursor::new(rest).quoted()?),
        "send" => Action::Send(parse_args(rest)?),
        "expect" => {
            let (_, pattern) = parse_command(text)?;
            Action::Expect(pattern)
        }
        "until" => {
            let (limit, command) = rest.split_once(": ").ok_or(": expected")?;
            let (args, pattern) = parse_command(command)?;
            Action::Until(parse_ms(limit)?, args, pattern)
        }
        _ => {
            let (args, pattern) = parse_command(text)?;
            Action::Command(args, pattern)
        }
    })
}

fn parse_ms(text: &str) -> Result<Duration, String> {
    let ms = text
        .trim()
        .strip_suffix("ms")
        .ok_or("a time such as 20ms")?;
    Ok(Duration::from_millis(
        ms.parse().map_err(|_| "a time such as 20ms")?,
    ))
}

/// `COMMAND args -> pattern`; without an arrow any reply but an error will do.
fn parse_command(text: &str) -> Result<(Vec<Arg>, Pattern), String> {
    match text.split_once(" -> ") {
        Some((command, pattern)) => Ok((parse_args(command)?, Pattern::parse(pattern)?)),
        None => Ok((parse_args(text)?, Pattern::Success)),
    }
}

fn parse_args(text: &str) -> Result<Vec<Arg>, String> {
    let mut cursor = Cursor::new(text);
    let mut args = Vec::new();
    loop {
        cursor.skip_space();
        match cursor.peek() {
            None => return Ok(args),
            Some('"') => args.push(Arg::Literal(cursor.quoted()?)),
            Some(_) => {
                let rest = cursor.rest();
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                args.push(parse_word(&rest[..end])?);
                cursor = Cursor::new(&rest[end..]);
            }
        }
    }
}

fn parse_word(word: &str) -> Result<Arg, String> {
    let name = word.strip_prefix('$').filter(|n| {
        n.starts_with(|c: char| c.is_ascii_lowercase()) // "$5" is a word like any other
    });
    match name {
        None => Ok(Arg::Literal(word.into())),
        Some(name) if name.contains(['+', '-']) || name == "ms" || name == "s" => {
            Number::parse(word).map(Arg::Number)
        }
        Some(name) => Ok(Arg::Var(name.to_owned())),
    }
}
